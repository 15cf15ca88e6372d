"""What metric an estimator asks for, and which way its distances are found."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_non_negative

from sklearnx._cluster.kd_tree import make_metric

# Up to here all runs on one thread.
MAX_SERIAL_VALUES = 1 << 12


def pick_metric(X, metric, p, metric_params):
    """The metric if k-d trees know it and `X` is dense, else None.

    Parameters
    ----------
    X : ndarray or sparse matrix
        The table.

    metric : str or callable
        scikit-learn's name or a function.

    p : float or None
        Power of "minkowski", None for 2.

    metric_params : dict or None
        Further parameters; with any, None is returned.
    """
    if sparse.issparse(X) or metric_params:
        return None
    return make_metric(metric, 2.0 if p is None else p)


def as_floats(X):
    """A table or matrix of float64 or float32; not copied if it is one."""
    return X if X.dtype in (np.float64, np.float32) else X.astype(np.float64)


def make_neighbors_model(metric, p, metric_params, **options):
    """scikit-learn's model of neighbours for a metric; `p` of None is 2."""
    if p is None and "p" not in (metric_params or {}):
        p = 2
    return NearestNeighbors(metric=metric, p=p, metric_params=metric_params, **options)


def check_distances(X, algorithm):
    """A matrix of distances between all rows, dense or CSR with no entry twice.

    Raises
    ------
    ValueError
        If the matrix is not square or a distance is negative, or if the algorithm does
        not take distances.
    """
    NearestNeighbors(metric="precomputed", algorithm=algorithm).fit(np.zeros((1, 1)))
    is_sparse = sparse.issparse(X)
    check_non_negative(X, "precomputed distance matrix" if is_sparse else "X")
    if X.shape[0] != X.shape[1]:
        raise ValueError(
            f"Precomputed matrix must be square. Input is a {X.shape[0]}x{X.shape[1]} "
            "matrix."
        )
    if is_sparse and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return as_floats(X)
