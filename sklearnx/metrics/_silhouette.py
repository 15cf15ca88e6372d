"""Silhouettes of given clusterings."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state, check_X_y

from sklearnx._cluster.cluster_scores import number_labels, score_silhouettes
from sklearnx._compat import Interval, StrOptions, validate_params
from sklearnx._threads import effective_n_threads


def _check_rows(X, labels):
    return check_X_y(
        X,
        labels,
        accept_sparse="csr",
        accept_large_sparse=False,
        dtype=[np.float64, np.float32],
    )


def _score_rows(X, labels, rows):
    numbers, counts = number_labels(labels[rows])
    if not 1 < len(counts) < len(rows):
        raise ValueError(
            f"Number of labels is {len(counts)}. Valid values are 2 to n_samples - 1 "
            "(inclusive)"
        )
    everywhere = np.zeros(len(labels), dtype=np.int64)
    everywhere[rows] = numbers
    return score_silhouettes(X, everywhere[np.newaxis], rows, effective_n_threads())[0]


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "labels": ["array-like"],
        "metric": [StrOptions({"euclidean"})],
    },
    prefer_skip_nested_validation=True,
)
def silhouette_samples(X: Any, labels: Any, *, metric: str = "euclidean") -> np.ndarray:
    """The silhouette of each row in a clustering.

    It compares the mean distance a to the other rows of the own cluster with the least
    mean distance b to the rows of another one,

    .. math:: s = \\frac{b - a}{\\max(a, b)},

    and lies between -1 and 1: large for rows well within their cluster, near 0 between
    two, negative for rows that are nearer to another. It is 0 for a row that is alone.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows. Those of float64 or float32 are not copied.

    labels : array-like of shape (n_samples,)
        The cluster of each row, 2 to n_samples - 1 different ones.

    metric : {"euclidean"}, default="euclidean"
        The distance; `sklearn.metrics.silhouette_samples` has others.

    Returns
    -------
    silhouettes : ndarray of shape (n_samples,), dtype float64
        Of the rows.

    Raises
    ------
    ValueError
        If there is only one label, or no two rows share one.

    See Also
    --------
    silhouette_score : Their mean.
    sklearnx.cluster.select_n_clusters : Those of many clusterings, in about the time
        of one.

    Notes
    -----
    Takes time proportional to the square of the number of rows, on all cores, and
    memory for some rows at a time on each. Distances that cancel beside the norms of
    the rows are computed again from their differences.

    References
    ----------
    .. [1] P. J. Rousseeuw. "Silhouettes: a graphical aid to the interpretation and
       validation of cluster analysis". Journal of Computational and Applied Mathematics
       20, 1987. Equation 2.

    Examples
    --------
    >>> from sklearnx.metrics import silhouette_samples
    >>> silhouette_samples([[0.0], [1.0], [9.0], [10.0]], [0, 0, 1, 1]).round(3)
    array([0.895, 0.882, 0.882, 0.895])
    """
    X, labels = _check_rows(X, labels)
    return _score_rows(X, labels, np.arange(len(labels)))


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "labels": ["array-like"],
        "metric": [StrOptions({"euclidean"})],
        "sample_size": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def silhouette_score(
    X: Any,
    labels: Any,
    *,
    metric: str = "euclidean",
    sample_size: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """The mean silhouette of all rows, or of a sample of them.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows. Those of float64 or float32 are not copied.

    labels : array-like of shape (n_samples,)
        The cluster of each row, 2 to n_samples - 1 different ones.

    metric : {"euclidean"}, default="euclidean"
        The distance; `sklearn.metrics.silhouette_score` has others.

    sample_size : int, default=None
        How many rows, drawn at random without replacement, it is the mean of and
        computed from; None for all.

    random_state : int, RandomState instance or None, default=None
        Draws the sample, the same one that scikit-learn draws.

    Returns
    -------
    score : float
        From -1 to 1, the larger the better.

    Raises
    ------
    ValueError
        If there is only one label, or no two rows share one.

    See Also
    --------
    silhouette_samples : The values of the rows.

    Examples
    --------
    >>> from sklearnx.metrics import silhouette_score
    >>> round(silhouette_score([[0.0], [1.0], [9.0], [10.0]], [0, 0, 1, 1]), 3)
    0.889
    """
    X, labels = _check_rows(X, labels)
    rows = np.arange(len(labels))
    if sample_size is not None:
        rows = check_random_state(random_state).permutation(len(labels))[:sample_size]
    return float(_score_rows(X, labels, rows).mean())
