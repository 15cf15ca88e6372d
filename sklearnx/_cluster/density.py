"""DBSCAN: core points, clusters of them, and the points at their borders.

No way keeps the neighbourhoods of all points:

- points in up to four dimensions go into a grid of cells, if their metric is Euclidean;
- others, and other metrics that k-d trees know, into a k-d tree;
- all other metrics ask scikit-learn's NearestNeighbors, a block of rows at a time;
- distance matrices are read row by row.

Clusters are numbered by their lowest core row, and a border point belongs to the lowest
cluster with a core point in its neighbourhood.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances_chunked

from sklearnx._cluster.kd_tree import build_kd_tree
from sklearnx._cython.cluster.density_graph import (
    cluster_dense_distances,
    cluster_sparse_distances,
    label_lists,
    number_sets,
    sum_lists,
    unite_lists,
)
from sklearnx._cython.cluster.density_grid import cluster_on_grid
from sklearnx._cython.cluster.density_tree import (
    cluster_on_tree,
    find_nearest_within,
)

MAX_GRID_COLUMNS = 4

# Neighbours that a block of rows may have, and the rows of the first block, of which
# nobody knows how many they have.
NEIGHBORS_PER_BLOCK = 1 << 22
ROWS_OF_FIRST_BLOCK = 64

# Neighbours of points that are no core points that are kept, not asked for again.
MAX_KEPT = 1 << 26


def cluster_points(X, eps, min_samples, weights, metric, n_threads=1):
    """Cluster the rows of a table.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns), dtype float64 or float32
        Finite, at any strides. Not copied, but for a sorted copy while this runs.

    eps : float
        Distance up to which points are neighbours.

    min_samples : int
        Number of neighbours, or their weight, that makes a core point.

    weights : ndarray of shape (n,), dtype float64, or None
        Weights, of any sign.

    metric : sklearnx._cluster.kd_tree.Metric
        The metric.

    n_threads : int, default=1
        Threads.

    Returns
    -------
    labels : ndarray of shape (n,), dtype int64
        Clusters, -1 for noise.

    is_core : ndarray of shape (n,), dtype bool
        Which rows are core points.
    """
    labels = np.empty(len(X), dtype=np.int64)
    is_core = np.empty(len(X), dtype=np.uint8)
    fits_grid = metric.number == 0 and X.shape[1] <= MAX_GRID_COLUMNS
    if fits_grid and cluster_on_grid(
        X, eps, min_samples, weights, labels, is_core, n_threads
    ):
        return labels, is_core.view(bool)
    cluster_on_tree(
        *build_kd_tree(X, n_threads).arrays,
        metric.number,
        metric.p,
        metric.reduce(eps),
        min_samples,
        weights,
        labels,
        is_core,
        n_threads,
    )
    return labels, is_core.view(bool)


def cluster_distances(distances, eps, min_samples, weights, n_threads=1):
    """Cluster by a matrix of distances.

    Parameters
    ----------
    distances : ndarray or CSR matrix of shape (n, n), dtype float64 or float32
        Distances from each row to each column. They need not be symmetric: a core
        point's cluster goes on in its own row. Entries that are not stored are far, but
        a point is its own neighbour. A CSR matrix has no entry twice.

    eps, min_samples, weights, n_threads
        As of `cluster_points`.

    Returns
    -------
    labels, is_core
        As of `cluster_points`.
    """
    n = distances.shape[0]
    labels = np.empty(n, dtype=np.int64)
    is_core = np.empty(n, dtype=np.uint8)
    if isinstance(distances, np.ndarray):
        cluster_dense_distances(
            distances, eps, min_samples, weights, is_core, labels, n_threads
        )
    else:
        cluster_sparse_distances(
            distances.data,
            distances.indices,
            distances.indptr,
            eps,
            min_samples,
            weights,
            is_core,
            labels,
            n_threads,
        )
    return labels, is_core.view(bool)


def list_neighbors(X, rows, model):
    """Ask for the neighbours of some rows, a block at a time.

    Yields
    ------
    rows, starts, neighbors : ndarrays of dtype int64
        Some of the rows, and their neighbours one after another, those of the i-th from
        ``starts[i]`` to ``starts[i + 1]``.
    """
    start, n_rows = 0, ROWS_OF_FIRST_BLOCK
    while start < len(rows):
        block = rows[start : start + n_rows]
        lists = model.radius_neighbors(X[block], return_distance=False)
        starts = np.zeros(len(block) + 1, dtype=np.int64)
        np.cumsum([len(own) for own in lists], out=starts[1:])
        yield block, starts, np.concatenate(lists).astype(np.int64, copy=False)
        start += len(block)
        per_row = starts[-1] / len(block)
        n_rows = int(min(4 * n_rows, max(1, NEIGHBORS_PER_BLOCK / max(per_row, 1))))


def cluster_neighbors(X, model, min_samples, weights):
    """Cluster by the neighbours that a model tells.

    Each pair of neighbours is met with the block of the later row, when it is known
    whether both are core points, so that one pass unites them. What is kept is the
    neighbours of the points that are no core points, fewer than `min_samples` each.
    Where these may be many, as with weights, they are asked for again.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_columns)
        Rows that the model understands.

    model : sklearn.neighbors.NearestNeighbors
        Fitted to `X`, with the radius. Its metric is taken to be symmetric.

    min_samples, weights
        As of `cluster_points`.

    Returns
    -------
    labels, is_core
        As of `cluster_points`.
    """
    n = X.shape[0]
    is_core = np.zeros(n, dtype=bool)
    parents = np.arange(n)
    labels = np.empty(n, dtype=np.int64)
    keeps = weights is None and n * min_samples <= MAX_KEPT
    kept = []
    for rows, starts, neighbors in list_neighbors(X, np.arange(n), model):
        counts = np.diff(starts)
        found = counts
        if weights is not None:
            found = np.empty(len(rows))
            sum_lists(rows, starts, neighbors, weights, found)
        own = found >= min_samples
        is_core[rows] = own
        unite_lists(rows, starts, neighbors, is_core.view(np.uint8), parents)
        if keeps:
            others = np.concatenate(([0], np.cumsum(counts[~own])))
            kept.append((rows[~own], others, neighbors[np.repeat(~own, counts)]))
    number_sets(is_core.view(np.uint8), parents, labels)
    if not keeps:
        kept = list_neighbors(X, np.flatnonzero(~is_core), model)
    for lists in kept:
        label_lists(*lists, is_core.view(np.uint8), labels)
    return labels, is_core


def find_nearest_points(X, points, eps, metric, n_threads=1):
    """Find the nearest of some points within `eps` of each row, ties to the lower.

    Parameters
    ----------
    X, points : ndarrays of shape (n, n_columns) and (n_points, n_columns)
        Finite, of float64 or float32, with rows.

    eps, metric, n_threads
        As of `cluster_points`.

    Returns
    -------
    nearest : ndarray of shape (n,), dtype int64
        Row of `points`, -1 where none is within `eps`.
    """
    nearest = np.empty(len(X), dtype=np.int64)
    find_nearest_within(
        *build_kd_tree(X, n_threads).arrays,
        *build_kd_tree(points, n_threads).arrays,
        metric.number,
        metric.p,
        metric.reduce(eps),
        nearest,
        n_threads,
    )
    return nearest


def find_nearest_by(metric, X, points, eps, n_jobs=None, **params):
    """The same by any metric of scikit-learn's, or for matrices of distances.

    Parameters
    ----------
    metric : str or callable
        As of `sklearn.metrics.pairwise_distances`; "precomputed" has the distances from
        each row to each point in `X`, and no `points`.

    n_jobs : int or None, default=None
        Jobs of scikit-learn.

    **params : dict
        Parameters of the metric.
    """
    if metric == "precomputed" and not isinstance(X, np.ndarray):
        return _find_nearest_stored(X, eps)

    def find(distances, _start):
        nearest = distances.argmin(axis=1)
        least = np.take_along_axis(distances, nearest[:, np.newaxis], axis=1)[:, 0]
        return np.where(least <= eps, nearest, -1)

    if metric == "precomputed":
        return find(X, 0)
    chunks = pairwise_distances_chunked(
        X, points, reduce_func=find, metric=metric, n_jobs=n_jobs, **params
    )
    return np.concatenate(list(chunks))


def _find_nearest_stored(distances, eps):
    """The column of the least entry that a CSR matrix stores of each row."""
    nearest = np.full(distances.shape[0], -1)
    rows = np.repeat(np.arange(len(nearest)), np.diff(distances.indptr))
    order = np.lexsort((distances.indices, distances.data, rows))
    order = order[distances.data[order] <= eps]
    rows, firsts = np.unique(rows[order], return_index=True)
    nearest[rows] = distances.indices[order[firsts]]
    return nearest
