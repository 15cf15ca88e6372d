"""The Adult census table."""

import csv
import gzip
import math
from importlib import resources

import numpy as np
from sklearn.utils import Bunch

from sklearnx._compat import validate_params

N_TRAIN = 32_561  # the donors' training rows come first
INTEGER_COLUMNS = {
    "age",
    "fnlwgt",
    "education_num",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
}
TARGET = "income"
DATA_MODULE = "sklearnx.datasets"
FILENAME = "adult.csv.gz"


@validate_params(
    {"return_X_y": ["boolean"], "as_frame": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def load_adult(*, return_X_y: bool = False, as_frame: bool = True):
    """Load the Adult census table (binary classification).

    One row is a person of the 1994 census of the United States; the target tells
    whether the person earned more than 50,000 dollars a year.

    =================   ====================
    Classes                                2
    Rows per class        37155 (<=50K), 11687 (>50K)
    Rows                               48842
    Columns             14: 6 integer, 8 categorical (2 to 41 levels)
    Missing cells       6465, in 3 categorical columns
    =================   ====================

    Read more in the :ref:`description of the table <adult_table>`.

    Parameters
    ----------
    return_X_y : bool, default=False
        If True, return `(data, target)` instead of a Bunch.
    as_frame : bool, default=True
        If True, the data is a pandas DataFrame in which text columns are of category
        dtype and the target is a Series of category dtype; this needs pandas. If
        False, they are NumPy arrays of dtype object: integers, strings, and NaN for
        what is missing.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : {DataFrame, ndarray} of shape (48842, 14)
            The features.
        target : {Series, ndarray} of shape (48842,)
            `'<=50K'` or `'>50K'`.
        frame : DataFrame of shape (48842, 15)
            Only if `as_frame=True`: `data` and `target` side by side.
        feature_names : list of str
            The names of the columns of `data`.
        categorical_feature_names : list of str
            Those of them that are categorical.
        target_names : list of str
            The names of the two classes.
        split : ndarray of shape (48842,)
            `'train'` for the first 32,561 rows and `'test'` for the others: the split
            of the donors, for figures that compare with published ones.
        DESCR : str
            The description of the table.
        filename : str
            The name of the file that holds the table.
        data_module : str
            The package that holds that file.

    (data, target) : tuple if `return_X_y` is True
        The features and the target, as above.

    Notes
    -----
    Made by Barry Becker and Ronny Kohavi (1996) and distributed by the UCI Machine
    Learning Repository, https://doi.org/10.24432/C5XW20, under the Creative Commons
    Attribution 4.0 licence (CC BY 4.0).

    Examples
    --------
    >>> from sklearnx.datasets import load_adult
    >>> adult = load_adult()
    >>> adult.data.shape
    (48842, 14)
    >>> adult.target_names
    ['<=50K', '>50K']
    >>> X, y = load_adult(return_X_y=True)
    >>> round(float((y == ">50K").mean()), 3)
    0.239
    """
    if as_frame:
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "load_adult returns a pandas DataFrame, and pandas is not installed: "
                'run `pip install "sklearnx[examples]"`, or call '
                "load_adult(as_frame=False) for NumPy arrays."
            ) from error

    columns = _read_columns()
    feature_names = [name for name in columns if name != TARGET]
    categorical = [name for name in feature_names if name not in INTEGER_COLUMNS]
    frame = None
    if as_frame:
        frame = pd.DataFrame(
            {
                name: pd.Series(
                    values, dtype="int64" if name in INTEGER_COLUMNS else "category"
                )
                for name, values in columns.items()
            }
        )
        data, target = frame[feature_names], frame[TARGET]
    else:
        data = np.array([columns[name] for name in feature_names], dtype=object).T
        target = np.array(columns[TARGET], dtype=object)
    if return_X_y:
        return data, target

    is_train = np.arange(len(target)) < N_TRAIN
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=feature_names,
        categorical_feature_names=categorical,
        target_names=["<=50K", ">50K"],
        split=np.where(is_train, "train", "test"),
        DESCR=(resources.files(DATA_MODULE) / "adult.rst").read_text("utf-8"),
        filename=FILENAME,
        data_module=DATA_MODULE,
    )


def _read_columns():
    """Return name -> list of values; integers are int, what is missing is NaN."""
    with (
        (resources.files(DATA_MODULE) / FILENAME).open("rb") as file,
        gzip.open(file, "rt", encoding="utf-8", newline="") as text,
    ):
        names, *rows = csv.reader(text)
    columns = {}
    for name, values in zip(names, zip(*rows)):
        if name in INTEGER_COLUMNS:
            columns[name] = [int(value) for value in values]
        else:
            columns[name] = [value or math.nan for value in values]
    return columns
