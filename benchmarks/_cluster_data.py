"""Tables for the benchmarks of clustering: made from a seed, or real ones."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse

from benchmarks import _linear_data as linear_data
from benchmarks._data import read_table

# Rows of a table that a quick run takes.
N_QUICK_ROWS = 500


@dataclass(frozen=True)
class Data:
    """What a case is fitted to.

    Attributes
    ----------
    X : ndarray or CSR matrix
    centers : ndarray or None
        The centres to start at, where all shall start at the same.
    """

    X: np.ndarray | sparse.csr_matrix
    centers: np.ndarray | None = None


def draw_rows(X, n_rows, seed=1):
    """Distinct rows, as the first centres."""
    chosen = np.random.default_rng(seed).choice(X.shape[0], n_rows, replace=False)
    return X[np.sort(chosen)].copy()


@cache
def make_blobs(n_rows, n_columns, n_blobs, spread, n_clusters=None, seed=0):
    """Normal clouds around centres in the unit cube, and rows to start at.

    spread : standard deviation of a cloud along each column.
    """
    rng = np.random.default_rng(seed)
    centers = rng.random((n_blobs, n_columns))
    blob = rng.integers(0, n_blobs, n_rows)
    X = centers[blob] + spread * rng.standard_normal((n_rows, n_columns))
    return Data(X, None if n_clusters is None else draw_rows(X, n_clusters))


@cache
def make_noise(n_rows, n_columns, n_clusters, seed=0):
    """Independent normal columns, where bounds of distances help least."""
    X = np.random.default_rng(seed).standard_normal((n_rows, n_columns))
    return Data(X, draw_rows(X, n_clusters))


@cache
def make_blobs_in_noise(n_rows, n_columns, seed=0):
    """Clouds of several densities, and a fifth of the rows anywhere.

    Each cloud has some 2,000 rows whatever their number, and the cube grows with it, so
    that the neighbourhood of a row stays as it is.
    """
    rng = np.random.default_rng(seed)
    n_blobs = max(n_rows // 2_000, 4)
    side = n_blobs ** (1 / n_columns)
    n_noise = n_rows // 5
    blob = rng.integers(0, n_blobs, n_rows - n_noise)
    centers = side * rng.random((n_blobs, n_columns))
    spreads = rng.uniform(0.03, 0.12, n_blobs)
    cloud = rng.standard_normal((len(blob), n_columns))
    inside = centers[blob] + spreads[blob, None] * cloud
    X = np.vstack([inside, side * rng.random((n_noise, n_columns))])
    return Data(rng.permutation(X))


@cache
def read_digits(n_clusters, is_quick):
    """Pixels of mnist_10k as float64."""
    table = read_table("mnist_10k")
    X = table.drop(columns="digit").to_numpy(np.float64)
    if is_quick:
        X = X[:N_QUICK_ROWS]
    return Data(X, draw_rows(X, n_clusters))


@cache
def read_newsgroups(n_clusters, is_quick):
    """TF-IDF of the words of 20 newsgroups as CSR; the first centres are dense."""
    X = linear_data.read_newsgroups(is_quick).X
    return Data(X, draw_rows(X, n_clusters).toarray())
