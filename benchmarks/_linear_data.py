"""Data for the benchmarks of linear models: made from a seed, or real tables."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks._data import read_table

# Rows of a table that a quick run takes.
N_QUICK_ROWS = 2_000


@dataclass(frozen=True)
class Data:
    """What a case is fitted to.

    Attributes
    ----------
    X : ndarray, sparse matrix or frame
    y : ndarray
    weights, offset : ndarray or None
    """

    X: Any
    y: np.ndarray
    weights: np.ndarray | None = None
    offset: np.ndarray | None = None

    @property
    def is_frame(self):
        return hasattr(self.X, "columns")


def make_regression(n_rows, n_columns, n_informative, noise, dtype=np.float64):
    """Independent normal columns in C order; some have coefficients of 0 to 100."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns))
    coef = np.zeros(n_columns)
    chosen = rng.choice(n_columns, n_informative, replace=False)
    coef[chosen] = rng.uniform(0, 100, n_informative)
    y = X @ coef + noise * rng.standard_normal(n_rows)
    return Data(X.astype(dtype, copy=False), y.astype(dtype, copy=False))


def make_dense_signal(n_rows, n_columns, n_targets=None, density=None):
    """Correlated columns, a tenth of which matter, and noise of half their spread.

    Neighbours correlate by 0.8, unless the table is sparse of some density. Targets are
    `n_targets` columns, None for one alone.
    """
    rng = np.random.default_rng(0)
    if density is None:
        X = rng.standard_normal((n_rows, n_columns))
        for j in range(1, n_columns):
            X[:, j] = 0.8 * X[:, j - 1] + 0.6 * X[:, j]
    else:
        X = sparse.random(n_rows, n_columns, density, "csr", random_state=0)
    coef = np.zeros((n_columns, n_targets or 1))
    chosen = rng.choice(n_columns, min(n_rows, n_columns) // 10, replace=False)
    coef[chosen] = rng.standard_normal((len(chosen), coef.shape[1]))
    signal = X @ coef
    y = signal + 0.5 * signal.std() * rng.standard_normal(signal.shape)
    return Data(X, y if n_targets else y[:, 0])


def make_outliers(n_rows, n_columns):
    """`make_regression` whose noise is of Student's t with two degrees of freedom."""
    data = make_regression(n_rows, n_columns, n_columns // 2, 0.0)
    rng = np.random.default_rng(1)
    return Data(data.X, data.y + 10 * rng.standard_t(2, n_rows))


def make_counts(n_rows, n_columns):
    """Normal columns; counts whose logarithmic mean is linear in them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns))
    coef = 0.2 * rng.standard_normal(n_columns)
    return Data(X, rng.poisson(np.exp(X @ coef)).astype(float))


def make_classification(n_rows, n_columns, n_classes):
    """Normal columns that share a factor; classes drawn from a softmax model."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns))
    X += 0.5 * rng.standard_normal((n_rows, 1))
    coef = 0.5 * rng.standard_normal((n_columns, n_classes))
    coef[n_columns // 2 :] = 0.0
    y = np.argmax(X @ coef + rng.gumbel(size=(n_rows, n_classes)), axis=1)
    return Data(X, y)


@cache
def read_newsgroups(is_quick):
    """TF-IDF of the words of 20 newsgroups, the original rows to fit."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    frame = read_table("newsgroups20")
    frame = frame[frame["split"] == "train"]
    if is_quick:
        frame = frame[:: len(frame) // N_QUICK_ROWS + 1]
    text = next(name for name in frame if name not in ("category", "split"))
    X = TfidfVectorizer().fit_transform(frame[text])
    return Data(X, np.unique(frame["category"], return_inverse=True)[1])


def read_claims_frame(is_quick):
    """Categories and two numbers of freMTPL2freq, claims and exposure."""
    import pandas as pd

    table = read_table("freMTPL2freq")
    if is_quick:
        table = table[:: len(table) // N_QUICK_ROWS + 1]
    table = table.reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "VehAge": pd.qcut(table["VehAge"], 10, duplicates="drop"),
            "DrivAge": pd.qcut(table["DrivAge"], 10, duplicates="drop"),
            "VehPower": table["VehPower"],
            "VehBrand": table["VehBrand"],
            "VehGas": table["VehGas"],
            "Region": table["Region"],
            "Area": table["Area"],
        }
    )
    frame = frame.astype(str).astype("category")
    numbers = {
        "BonusMalus": table["BonusMalus"].astype(float),
        "LogDensity": np.log(table["Density"].astype(float)),
    }
    for name, column in numbers.items():
        frame[name] = (column - column.mean()) / column.std()
    exposure = table["Exposure"].clip(upper=1.0).to_numpy(float)
    return frame, table["ClaimNb"].clip(upper=4).to_numpy(float), exposure


def make_one_hot(frame):
    """The frame's numbers and all levels of its categories as a CSR matrix."""
    import pandas as pd
    from scipy import sparse

    return sparse.csr_matrix(pd.get_dummies(frame, dtype=float).to_numpy())


@cache
def read_claims(is_quick, way):
    """Claims a year of exposure.

    way : 'weights' has frequencies weighted by exposure, 'offset' counts of claims
    with the logarithm of exposure, 'frame' is 'weights' with categories in a frame.
    """
    frame, claims, exposure = read_claims_frame(is_quick)
    if way == "offset":
        return Data(make_one_hot(frame), claims, offset=np.log(exposure))
    X = frame if way == "frame" else make_one_hot(frame)
    return Data(X, claims / exposure, weights=exposure)
