"""Tables with categorical columns, for any linear model.

    table --TableEncoder--> numbers and codes --LinearTableEncoder--> CategoricalDesign

Each level of a categorical column has a coefficient. No one-hot column is built.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearnx._boosting.encoding import MISSING, UNKNOWN, TableEncoder
from sklearnx._boosting.frames import get_label, read_frame
from sklearnx._compat import StrOptions, check_sample_weight, check_y
from sklearnx._docstrings import fill_from
from sklearnx._glm.categorical_design import CategoricalDesign
from sklearnx._glm.design import make_design
from sklearnx._validation import check_values, validate_data

# Parameters of an estimator that takes categorical columns.
CATEGORICAL_CONSTRAINTS: dict = {
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "handle_unknown": [StrOptions({"error", "ignore"})],
}


CATEGORICAL_DOC = """
categorical_features : 'from_dtype', array-like of bool, int or str, or None, \
        default=None
    Features that are categories, each level with a coefficient of its own:
    positions, a mask, names of columns, or, with ``'from_dtype'``, the columns of a
    frame that are categories or strings. No one-hot matrix is built. ``coef_`` then
    has the coefficients of the numbers and those of the levels, see
    `get_coef_names`. With an intercept and without a penalty the most frequent
    level of each feature has none, and those of the others are differences from it.

handle_unknown : {'error', 'ignore'}, default='error'
    What predictions do with levels that `fit` did not see: raise ValueError, or
    leave that feature out for the row.
"""

# Puts it into the place that a docstring has for it.
document_categories = fill_from({"categorical_features": CATEGORICAL_DOC})


class LinearTableEncoder:
    """Turn tables into designs, the same way at predict as at fit.

    The coefficients are those of the numeric columns, then those of the levels of each
    categorical column: the most frequent first, ties by first row, and missing values,
    where fit saw some, last.

    Parameters
    ----------
    categorical_features : 'from_dtype' or array-like of bool, int or str
        The categorical columns, as in `HistGradientBoostingClassifier`.

    drops_reference : bool, default=False
        Whether the most frequent level of each column has no coefficient, so that those
        of the others are differences from it.

    Attributes
    ----------
    features_of_coefs_ : ndarray of shape (n_coefs,), dtype int64
        The column of the table that each coefficient belongs to.

    levels_ : list of (list or None)
        For each column of the table the values that its coefficients stand for, None
        being missing values; None for a column of numbers.
    """

    def __init__(
        self,
        categorical_features: Any,
        drops_reference: bool = False,
    ):
        self.categorical_features = categorical_features
        self.drops_reference = drops_reference

    def fit_design(self, X, estimator, sample_weight=None, n_threads=1):
        """Learn the columns and levels of a table and return its design.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_features)

        estimator : estimator
            Gets ``n_features_in_`` and ``feature_names_in_``.

        sample_weight : ndarray of shape (n_rows,) or None, default=None
            Rows of weight zero are as good as absent.

        n_threads : int, default=1

        Returns
        -------
        design
        """
        self._encoder = TableEncoder(
            self.categorical_features, handle_unknown="unknown", may_be_negative=True
        )
        table = self._encoder.fit_transform(X, estimator, sample_weight, n_threads)
        counts = True if sample_weight is None else sample_weight > 0
        self._has_missing = [
            bool(is_categorical and (counts & (table.column(j) == MISSING)).any())
            for j, is_categorical in enumerate(table.is_categorical)
        ]
        self._describe_coefs()
        return self._make_design(table, estimator, n_threads)

    def __getstate__(self):
        # What coefficients stand for follows from the levels.
        names = ("categorical_features", "drops_reference", "_encoder", "_has_missing")
        return {name: value for name, value in vars(self).items() if name in names}

    def __setstate__(self, state):
        vars(self).update(state)
        if "_encoder" in state:
            self._describe_coefs()

    def _describe_coefs(self):
        is_categorical = np.array([of is not None for of in self._encoder.levels_])
        self.levels_ = [None] * len(is_categorical)
        for j in np.flatnonzero(is_categorical).tolist():
            values = list(self._encoder.levels_[j])
            values += [None] * self._has_missing[j]
            self.levels_[j] = values[int(self.drops_reference) :]
        n_coefs = [1 if of is None else len(of) for of in self.levels_]
        self._order = np.argsort(is_categorical, kind="stable")
        self.features_of_coefs_ = np.repeat(self._order, np.take(n_coefs, self._order))

    def make_design(self, X, estimator, n_threads=1):
        """Return the design of another table.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_features)
            Or a design of the encoder, which is returned as it is.
        estimator : estimator
            The one of `fit_design`. Its `handle_unknown` tells what becomes of levels
            that fit did not see.
        n_threads : int, default=1

        Returns
        -------
        design
        """
        if isinstance(X, CategoricalDesign):
            return X
        table = self._encoder.transform(X, estimator, n_threads)
        if estimator.handle_unknown == "error":
            self._refuse_unknown(X, table)
        return self._make_design(table, estimator, n_threads)

    def _refuse_unknown(self, X, table):
        """Raise ValueError if a row has a level that fit did not see."""
        for j in np.flatnonzero(table.is_categorical).tolist():
            codes = table.columns[j]
            is_unknown = codes == UNKNOWN
            if not self._has_missing[j]:
                is_unknown |= codes == MISSING
            if is_unknown.any():
                row = int(np.argmax(is_unknown))
                raise ValueError(self._explain_unknown(X, codes, row, j))

    def _explain_unknown(self, X, codes, row, feature):
        frame = read_frame(X)
        label = get_label(feature if frame is None else frame.names[feature])
        if codes[row] == MISSING:
            found = f"missing values in {label}, which had none in fit"
        elif frame is None:
            found = f"a category in {label} that was not there in fit"
        else:
            found_codes, values = frame.columns[feature].to_levels()
            value = values[found_codes[row]]
            found = f"the category {value!r} in {label}, which was not there in fit"
        return (
            f"Found {found} (row {row}). With handle_unknown='ignore' such rows get no "
            "coefficient of the column."
        )

    def _make_design(self, table, estimator, n_threads):
        """Return the design of a coded table, whose numbers have to be finite."""
        if not table.is_categorical.any():
            X = _take_numbers(table, np.arange(table.n_features), estimator)
            return make_design(X, n_threads)
        numeric = np.flatnonzero(~table.is_categorical)
        numbers = None
        if len(numeric):
            numbers = _take_numbers(table, numeric, estimator)
        codes, n_levels = [], []
        for j in np.flatnonzero(table.is_categorical).tolist():
            of_column = table.columns[j]
            if self._has_missing[j]:
                n_known = len(self._encoder.levels_[j])
                of_column = np.where(of_column == MISSING, n_known, of_column)
            codes.append(of_column - int(self.drops_reference))
            n_levels.append(len(self.levels_[j]))
        return CategoricalDesign(numbers, codes, n_levels, n_threads)

    def get_coef_names(self, estimator):
        """Return the names of the coefficients.

        That of a number is the name of its column, that of a level ``'column=level'``.
        Columns without names are ``'x0'``, ``'x1'``, ...

        Returns
        -------
        names : ndarray of shape (n_coefs,), dtype object
        """
        names = getattr(estimator, "feature_names_in_", None)
        if names is None:
            names = [f"x{j}" for j in range(len(self.levels_))]
        of_coefs = []
        for j in self._order.tolist():
            if self.levels_[j] is None:
                of_coefs.append(names[j])
                continue
            for level in self.levels_[j]:
                shown = "<missing>" if level is None else level
                of_coefs.append(f"{names[j]}={shown}")
        return np.array(of_coefs, dtype=object)


def _take_numbers(table, columns, estimator):
    """Return columns of a table as one array or sparse matrix of finite numbers."""
    if table.columns is None:
        X = table.dense if table.dense is not None else table.csc
    else:
        kinds = {table.columns[j].dtype for j in columns.tolist()}
        dtype = np.float32 if kinds == {np.dtype(np.float32)} else np.float64
        X = np.empty((table.n_rows, len(columns)), dtype=dtype, order="F")
        for place, j in enumerate(columns.tolist()):
            X[:, place] = table.columns[j]
    return check_values(estimator, X, columns)


def choose_table_to_split(X, table):
    """What splitters are given: the table as validated, or a frame as it came."""
    return table if isinstance(X, CategoricalDesign) else X


class CategoricalColumnsMixin:
    """What an estimator with ``categorical_features`` inherits.

    Its constructor has the parameters of `CATEGORICAL_CONSTRAINTS`.
    """

    def get_coef_names(self):
        """Names of the coefficients.

        Returns
        -------
        names : ndarray of shape (n_coefs,), dtype object
            The name of its column for a number, ``'column=level'`` for the level of a
            categorical column. Columns without names are ``'x0'``, ``'x1'``, ...
        """
        check_is_fitted(self)
        encoder = getattr(self, "_table_encoder", None)
        if encoder is not None:
            return encoder.get_coef_names(self)
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = [f"x{j}" for j in range(self.n_features_in_)]
        return np.array(names, dtype=object)


def validate_table(
    estimator, X, y, sample_weight=None, *, drops_reference=False, **options
):
    """Validate the data of a fit, with or without categorical columns.

    Parameters
    ----------
    estimator : estimator
        With parameters `categorical_features` and `handle_unknown`, or without either.
        Gets the private attribute ``_table_encoder`` where some column is categorical.

    X, y : array-like
        As the user gave them, or as another estimator validated them, if X is a
        CategoricalDesign.

    sample_weight : array-like of shape (n_samples,) or None, default=None
        As the user gave them.

    drops_reference : bool, default=False
        See `LinearTableEncoder`: for models that have an intercept and no penalty.

    **options
        Of `sklearn.utils.validation.validate_data`.

    Returns
    -------
    X : ndarray, sparse matrix or CategoricalDesign
        `make_design` takes each of them.
    y : ndarray
    """
    vars(estimator).pop("_table_encoder", None)
    if isinstance(X, CategoricalDesign):
        return X, y
    if getattr(estimator, "categorical_features", None) is None or y is None:
        return validate_data(estimator, X, y, **options)
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, X, dtype=np.float64)
    encoder = LinearTableEncoder(estimator.categorical_features, drops_reference)
    design = encoder.fit_design(X, estimator, sample_weight)
    if not isinstance(design, CategoricalDesign):
        return validate_data(estimator, X, y, **options)
    if design.n_columns == 0:
        raise ValueError(
            "Every column of X is categorical and has one level only: there is nothing "
            "to fit but the intercept."
        )
    estimator._table_encoder = encoder
    y = check_y(
        y,
        multi_output=options.get("multi_output", False),
        y_numeric=options.get("y_numeric", False),
        estimator=estimator,
    )
    if len(y) != design.n_rows:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"[{design.n_rows}, {len(y)}]"
        )
    return design, y
