"""Mean shift: seeds, their ends, and the centres among these."""

from __future__ import annotations

import numpy as np

from sklearnx._cluster.rows import make_rows
from sklearnx._cython.cluster import mean_shift as kernels

# Rows whose distances are added up together, as scikit-learn does.
_BATCH = 500


def average_kth_distance(X, k, n_threads=1):
    """Average distance of the rows of X to their k-th nearest, themselves the first."""
    distances = np.empty(len(X))
    kernels.find_kth_distances(X, k, distances, n_threads)
    total = 0.0
    for first in range(0, len(X), _BATCH):
        total += distances[first : first + _BATCH].sum()
    return total / len(X)


def find_bins(X, bin_size, min_count):
    """Bins of a grid that hold enough rows, in the order of their first rows.

    Returns
    -------
    bins : ndarray of shape (n_bins, n_features), dtype float32
        Multiples of the size.
    """
    # Negative zeros are zeros.
    bins = np.round(X / bin_size) + 0.0
    order = np.lexsort(bins.T[::-1])
    ordered = bins[order]
    is_new = np.ones(len(X), dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(is_new)
    counts = np.diff(np.append(starts, len(X)))
    # The sort is stable: the first of a bin is its first row.
    first_rows = order[starts]
    kept = np.sort(first_rows[counts >= min_count])
    return bins[kept].astype(np.float32)


def find_centers(X, seeds, bandwidth, max_iter, n_threads=1):
    """Let seeds climb, and leave out near duplicates of where they end.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Rows, of float64 or float32 in C order.

    seeds : ndarray of shape (n_seeds, n_features), n_seeds > 0
        Of the dtype of X.

    bandwidth : float
        Radius of the balls.

    max_iter : int
        The most moves of a seed before the last.

    Returns
    -------
    centers : ndarray of shape (n_centers, n_features)
        By the number of points around them, then by their coordinates, descending.
        Empty if no seed has a point within the bandwidth.

    n_iter : int
        The most moves of a seed.
    """
    means = np.array(seeds, dtype=X.dtype, order="C")
    counts = np.empty(len(means), dtype=np.int64)
    n_iter = np.empty(len(means), dtype=np.int64)
    kernels.climb(X, bandwidth, max_iter, means, counts, n_iter, n_threads)
    means, kept_counts = means[counts > 0], counts[counts > 0]
    order = np.lexsort((*means.T[::-1], kept_counts))[::-1]
    means = means[order]
    is_selected = np.zeros(len(means), dtype=np.uint8)
    kernels.select_apart(
        np.ascontiguousarray(means, dtype=np.float64), bandwidth, is_selected
    )
    return means[is_selected.astype(bool)], int(n_iter.max())


def label_rows(X, centers, n_threads=1):
    """The nearest centre of each row, and its distance.

    Returns
    -------
    labels : ndarray of shape (n,), dtype int64
    distances : ndarray of shape (n,), dtype float64
    """
    dtype = np.promote_types(X.dtype, centers.dtype)
    rows = make_rows(np.ascontiguousarray(X, dtype=dtype), n_threads)
    centers = np.ascontiguousarray(centers, dtype=dtype)
    labels, _ = rows.assign(centers)
    distances = np.sqrt(rows.measure_assigned(centers, labels))
    return labels.astype(np.int64), distances
