"""OPTICS: core distances, the order of the points, and clusters of their reachability.

Distances are rounded to 15 decimals, so that ties are those of scikit-learn.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.metrics import pairwise_distances

from sklearnx._cluster.kd_tree import build_kd_tree
from sklearnx._cython.cluster.reach_matrix import (
    find_easiest,
    order_dense_rows,
    order_sparse_rows,
)
from sklearnx._cython.cluster.reach_order import find_kth_distances, order_points
from sklearnx._cython.cluster.steep_areas import find_valleys

DECIMALS = np.finfo(np.float64).precision

# Distances that a block of rows may have, for those and their sorting.
DISTANCES_PER_BLOCK = 1 << 22


def _limit(core_distances, max_eps):
    """Core distances as they are used: rounded, infinite where beyond `max_eps`."""
    core_distances[core_distances > max_eps] = np.inf
    return np.around(core_distances, decimals=DECIMALS, out=core_distances)


def _allocate(n):
    """Arrays of the order, reachability and predecessors."""
    return np.empty(n, dtype=np.int64), np.empty(n), np.empty(n, dtype=np.int64)


def reach_points(X, min_samples, max_eps, metric, n_threads=1):
    """Order the rows of a table.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns), dtype float64 or float32
        Finite, at any strides. Not copied, but for a sorted copy while this runs.

    min_samples : int
        Points in the neighbourhood of a core point, at most n.

    max_eps : float
        Distance up to which points are neighbours.

    metric : sklearnx._cluster.kd_tree.Metric
        The metric.

    n_threads : int, default=1
        Threads.

    Returns
    -------
    ordering : ndarray of shape (n,), dtype int64
        Rows in order.

    core_distances, reach : ndarrays of shape (n,), dtype float64
        Of rows; inf where there is none.

    predecessor : ndarray of shape (n,), dtype int64
        Of rows the one that each was reached from, -1 where there is none.
    """
    tree = build_kd_tree(X, n_threads)
    options = (metric.number, metric.p)
    core_distances = np.empty(len(X))
    find_kth_distances(*tree.arrays, *options, min_samples, core_distances, n_threads)
    core_distances = metric.restore(tree.in_rows(core_distances))
    core_distances = _limit(core_distances, max_eps)
    ordering, reach, predecessor = _allocate(len(X))
    order_points(
        *tree.arrays,
        *options,
        metric.reduce(max_eps),
        core_distances,
        ordering,
        reach,
        predecessor,
    )
    return ordering, core_distances, reach, predecessor


def reach_by_distances(distances, core_distances, max_eps):
    """The same by a matrix of distances.

    Parameters
    ----------
    distances : ndarray or CSR matrix of shape (n, n), dtype float64 or float32
        Distances from each row to each column. Entries that are not stored are far.

    core_distances : ndarray of shape (n,), dtype float64
        Changed in place to those returned.

    max_eps : float
        As of `reach_points`.

    Returns
    -------
    ordering, core_distances, reach, predecessor
        As of `reach_points`.
    """
    core_distances = _limit(core_distances, max_eps)
    out = _allocate(len(core_distances))
    if sparse.issparse(distances):
        arrays = distances.data, distances.indices, distances.indptr
        order_sparse_rows(*arrays, max_eps, core_distances, *out)
    else:
        order_dense_rows(distances, max_eps, core_distances, *out)
    ordering, reach, predecessor = out
    return ordering, core_distances, reach, predecessor


def find_kth_stored(distances, k):
    """The k-th least entry of each row of a dense matrix."""
    n = len(distances)
    core_distances = np.empty(n)
    n_rows = max(1, DISTANCES_PER_BLOCK // n)
    for start in range(0, n, n_rows):
        block = distances[start : start + n_rows]
        core_distances[start : start + n_rows] = np.partition(block, k - 1)[:, k - 1]
    return core_distances


def find_kth_by(X, k, model):
    """The distance of the k-th neighbour of each row, as a model tells it."""
    n = X.shape[0]
    core_distances = np.empty(n)
    n_rows = max(1, DISTANCES_PER_BLOCK // k)
    for start in range(0, n, n_rows):
        distances, _ = model.kneighbors(X[start : start + n_rows], k)
        core_distances[start : start + n_rows] = distances[:, -1]
    return core_distances


def reach_by_metric(X, core_distances, max_eps, model, metric, **params):
    """The same by any metric of scikit-learn's.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_columns)
        Rows.

    core_distances, max_eps
        As of `reach_by_distances`.

    model : sklearn.neighbors.NearestNeighbors
        Fitted to `X`; says who the neighbours within `max_eps` are.

    metric : str or callable
        As of `sklearn.metrics.pairwise_distances`.

    **params : dict
        Parameters of the metric.

    Returns
    -------
    ordering, core_distances, reach, predecessor
        As of `reach_points`.
    """
    n = X.shape[0]
    core_distances = _limit(core_distances, max_eps)
    ordering, reach, predecessor = _allocate(n)
    reach.fill(np.inf)
    predecessor.fill(-1)
    has_come = np.zeros(n, dtype=bool)
    # Rows among which are all that are to come.
    rows, of_rows = np.arange(n), X
    for i in range(n):
        row = find_easiest(reach, has_come.view(np.uint8))
        ordering[i] = row
        has_come[row] = True
        if core_distances[row] == np.inf:
            continue
        point = X[row : row + 1]
        if max_eps < np.inf:
            near = model.radius_neighbors(point, radius=max_eps, return_distance=False)[
                0
            ]
            near = near[~has_come[near]]
            if len(near) == 0:
                continue
            of_near = X[near]
        else:
            if 2 * (n - i) < len(rows):
                is_left = ~has_come[rows]
                rows, of_rows = rows[is_left], of_rows[is_left]
            if len(rows) == 0:
                continue
            near, of_near = rows, of_rows
        distances = pairwise_distances(point, of_near, metric, **params).ravel()
        distances = np.maximum(distances, core_distances[row])
        np.around(distances, decimals=DECIMALS, out=distances)
        improves = (distances < reach[near]) & ~has_come[near]
        reach[near[improves]] = distances[improves]
        predecessor[near[improves]] = row
    return ordering, core_distances, reach, predecessor


def cut_at(reach, core_distances, ordering, eps):
    """Labels of the clusters of DBSCAN at one radius, nearly.

    A row that is reached from none within `eps` starts a cluster if it is a core point
    at `eps`, and is noise otherwise (Ankerst et al., 1999, figure 13).
    """
    is_far = reach > eps
    is_core = core_distances <= eps
    labels = np.empty(len(reach), dtype=np.intp)
    labels[ordering] = np.cumsum((is_far & is_core)[ordering]) - 1
    labels[is_far & ~is_core] = -1
    return labels


def find_xi_clusters(
    reach, predecessor, ordering, *, xi, min_samples, min_cluster_size, corrects
):
    """Find the clusters between steep areas of the reachability plot.

    Parameters
    ----------
    reach, predecessor : ndarrays of shape (n,)
        Of rows, as of `reach_points`.

    ordering : ndarray of shape (n,)
        Rows in order.

    xi : float
        Steepness, from 0 to 1.

    min_samples : int
        Points in a row of a steep area that need not be steep.

    min_cluster_size : int
        Least number of points of a cluster.

    corrects : bool
        Whether to cut off points at the end that were reached from outside.

    Returns
    -------
    labels : ndarray of shape (n,), dtype int64
        Of rows: the innermost cluster, -1 where there is none.

    clusters : ndarray of shape (n_clusters, 2), dtype int64
        First and last place of each in the order.
    """
    n = len(reach)
    # A last rise, so that a valley may end with the plot.
    plot = np.append(np.asarray(reach, dtype=np.float64)[ordering], np.inf)
    places = np.empty(n, dtype=np.int64)
    places[ordering] = np.arange(n)
    before = np.asarray(predecessor)[ordering]
    before = np.where(before < 0, -1, places[before])
    in_order = np.empty(n, dtype=np.int64)
    clusters = find_valleys(
        plot, before, xi, min_samples, min_cluster_size, corrects, in_order
    )
    labels = np.empty(n, dtype=np.intp)
    labels[ordering] = in_order
    return labels, clusters
