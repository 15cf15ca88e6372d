"""Hierarchies of clusters by merging what is nearest.

Each function returns the tree (see merge_trees.py) and the heights of its merges.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import DistanceMetric

from sklearnx._cluster.merge_trees import order_merges
from sklearnx._cython.cluster import (
    connected_merges,
    distance_chain,
    merge_trees,
    nearest_outside,
    ward_chain,
)
from sklearnx._threads import n_threads_for

# Our names of the metrics that kernels know, by their names in scikit-learn and SciPy.
_FAST_METRICS = {
    "euclidean": "euclidean",
    "l2": "euclidean",
    "minkowski": "euclidean",  # whose default power is 2
    "p": "euclidean",
    "manhattan": "manhattan",
    "cityblock": "manhattan",
    "l1": "manhattan",
    "chebyshev": "chebyshev",
    "infinity": "chebyshev",
}

# Names that SciPy's pdist has not.
_PDIST_METRICS = {"l2": "euclidean", "l1": "cityblock", "manhattan": "cityblock"}


# Most rows for which Ward's distances are held.
MAX_RECURRENT = 2048


def _allocate_merges(n_merges):
    return np.empty((n_merges, 2), dtype=np.int32), np.empty(n_merges)


def _shift_exactly(X):
    """Subtract the first row where that rounds nothing.

    Columns whose values lie within a factor of two of each other have few digits for
    their differences; Sterbenz' lemma makes these exact.
    """
    low, high = X.min(axis=0), X.max(axis=0)
    is_narrow = ((low > 0) & (high <= 2 * low)) | ((high < 0) & (low >= 2 * high))
    if not is_narrow.any():
        return X
    return X - np.where(is_narrow, X[0], 0.0)


def check_heights(heights):
    """Refuse distances that overflow or are undefined."""
    if not np.isfinite(heights).all():
        raise ValueError(
            "The distances between the rows of X must be finite. They overflow, or the "
            "metric is not defined for some rows."
        )


def build_ward_tree(X):
    """Ward's hierarchy; memory is linear in the number of rows.

    Up to MAX_RECURRENT of them all distances are held and follow the usual recurrence,
    whose rounding then decides between equal distances in the same way as SciPy's.
    """
    if len(X) <= MAX_RECURRENT:
        return build_linkage_tree(X, "euclidean", "ward")
    X = _shift_exactly(np.ascontiguousarray(X, dtype=np.float64))
    pairs, heights = _allocate_merges(len(X) - 1)
    ward_chain.find_ward_merges(X, pairs, heights, n_threads_for(len(X) * X.size))
    check_heights(heights)
    return order_merges(pairs, heights, lower_first=True)


def build_single_tree(X, metric):
    """Single linkage of rows; memory is linear in their number.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Rows.

    metric : str
        A name that `sklearn.metrics.DistanceMetric` knows.
    """
    X = np.ascontiguousarray(X, dtype=np.float64)
    pairs, distances = _allocate_merges(len(X) - 1)
    if metric in _FAST_METRICS:
        nearest_outside.span_points(X, _FAST_METRICS[metric], pairs, distances)
    else:
        _span_slowly(X, DistanceMetric.get_metric(metric), pairs, distances)
    check_heights(distances)
    return order_merges(pairs, distances, lower_first=False)


def _span_slowly(X, metric, pairs, distances):
    """What `span_points` does, with distances measured a row at a time."""
    reaches = np.full(len(X), np.inf)
    last = 0
    for i in range(len(X) - 1):
        measured = metric.pairwise(X[last : last + 1], X)[0]
        item = nearest_outside.lower_reaches(measured, reaches, last)
        pairs[i] = last, item
        distances[i] = reaches[item]
        last = item


def knows_rows_metric(metric):
    """Whether `build_single_tree` takes the metric."""
    if not isinstance(metric, str) or metric == "precomputed":
        return False
    try:
        DistanceMetric.get_metric(metric)
    except ValueError:
        return False
    return True


def measure_pairs(X, metric):
    """All distances, condensed: the rows of the upper triangle one after the other.

    Parameters
    ----------
    X : ndarray of shape (n, n_features) or (n, n)
        Rows, or their distances if metric is "precomputed".

    metric : str or callable
        A name of SciPy's or scikit-learn's, or a function that gives all distances of
        the rows of an array.
    """
    n = len(X)
    if callable(metric):
        X, metric = metric(X), "precomputed"
    if metric == "precomputed":
        return squareform(np.asarray(X, dtype=np.float64), checks=False)
    X = np.ascontiguousarray(X, dtype=np.float64)
    if metric not in _FAST_METRICS or metric in ("p", "infinity"):
        return pdist(X, metric=_PDIST_METRICS.get(metric, metric))
    condensed = np.empty(n * (n - 1) // 2)
    distance_chain.fill_distances(
        X, _FAST_METRICS[metric], condensed, n_threads_for(n * X.size)
    )
    return condensed


def build_linkage_tree(X, metric, linkage):
    """A hierarchy on all distances.

    These are held once, 4 n (n - 1) bytes, and overwritten.

    Parameters
    ----------
    X, metric
        As for `measure_pairs`.

    linkage : {"single", "complete", "average", "ward"}
        The distance of two clusters: the least, largest or average of their rows', or
        Ward's.
    """
    condensed = measure_pairs(X, metric)
    check_heights(condensed)
    pairs, heights = _allocate_merges(len(X) - 1)
    if linkage == "single":
        nearest_outside.span_distances(condensed, pairs, heights)
    else:
        n_threads = n_threads_for(16 * len(condensed))
        distance_chain.find_merges(condensed, linkage, pairs, heights, n_threads)
    return order_merges(pairs, heights, lower_first=True)


def _as_arrays(graph):
    return (
        np.asarray(graph.indptr, dtype=np.int32),
        np.asarray(graph.indices, dtype=np.int32),
    )


def _finish_connected(pairs, heights, n_made):
    if n_made < len(pairs):
        raise ValueError("The connectivity matrix has too few edges for the tree.")
    return pairs[:, ::-1].astype(np.intp), heights


def build_connected_ward_tree(X, graph, n_merges):
    """Ward's hierarchy along the edges of a graph, from the first merge to n_merges.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Rows.

    graph : csr_array of shape (n, n)
        As of `complete_graph`.

    n_merges : int
        n - 1 for the whole tree.
    """
    pairs, weights = _allocate_merges(n_merges)
    X = np.ascontiguousarray(X, dtype=np.float64)
    n_made = connected_merges.find_ward_merges(*_as_arrays(graph), X, pairs, weights)
    # Half of the square of what is Ward's distance elsewhere.
    return _finish_connected(pairs, np.sqrt(2.0 * weights), n_made)


def build_connected_linkage_tree(graph, distances, n_merges, linkage):
    """Complete or average linkage along the edges of a graph.

    Parameters
    ----------
    graph, n_merges
        As for `build_connected_ward_tree`.

    distances : ndarray of shape (n_edges,)
        Of the ends of each edge.

    linkage : {"complete", "average"}
        Which.
    """
    pairs, heights = _allocate_merges(n_merges)
    n_made = connected_merges.find_linkage_merges(
        *_as_arrays(graph), distances, linkage == "average", pairs, heights
    )
    return _finish_connected(pairs, heights, n_made)


def build_connected_single_tree(graph, distances):
    """Single linkage along the edges of a graph; the whole tree.

    Parameters
    ----------
    graph : csr_array of shape (n, n)
        As of `complete_graph`.

    distances : ndarray of shape (n_edges,)
        Of the ends of each edge.
    """
    n = graph.shape[0]
    columns = np.asarray(graph.indices, dtype=np.int32)
    rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(graph.indptr))
    is_selected = np.empty(len(rows), dtype=np.uint8)
    # A stable sort: so edges of one weight are chosen as by SciPy.
    order = np.argsort(distances, kind="stable")
    merge_trees.select_spanning_edges(rows, columns, order, n, is_selected)
    selected = np.flatnonzero(is_selected)
    pairs = np.column_stack((rows[selected], columns[selected]))
    return order_merges(pairs, distances[selected], lower_first=False)
