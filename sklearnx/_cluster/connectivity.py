"""Graphs that say which rows may be merged."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.metrics.pairwise import paired_distances, pairwise_distances

# Distances held at a time.
MAX_HELD = 1 << 21


def complete_graph(X, connectivity, metric):
    """A symmetric, connected graph.

    Parameters
    ----------
    X : ndarray of shape (n, n_features), or (n, n) if precomputed
        Rows, or all their distances.

    connectivity : {array-like, sparse matrix} of shape (n, n)
        An edge is what is not 0, in either direction.

    metric : str or callable
        By it the nearest points of each two components are found, which are then
        joined.

    Returns
    -------
    graph : csr_array of shape (n, n)
        Without edges from a row to itself; columns in ascending order.

    n_components : int
        Number of components that there were.

    Warns
    -----
    UserWarning
        If there is more than one.
    """
    n = len(X)
    if not sparse.issparse(connectivity):
        connectivity = np.asarray(connectivity)
    if connectivity.shape != (n, n):
        raise ValueError(
            f"Wrong shape for connectivity matrix: {connectivity.shape} "
            f"when X is {X.shape}"
        )
    graph = sparse.csr_array(connectivity + connectivity.T)
    n_components, labels = connected_components(graph)
    if n_components > 1:
        warnings.warn(
            "the number of connected components of the "
            f"connectivity matrix is {n_components} > 1. Completing it to avoid "
            "stopping the tree early.",
            stacklevel=3,
        )
        ends = _find_bridges(X, labels, n_components, metric)
        bridges = sparse.csr_array(
            (np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n)
        )
        graph = graph + bridges + bridges.T
    graph = sparse.coo_array(graph)
    is_edge = graph.row != graph.col
    graph = sparse.csr_array(
        (graph.data[is_edge], (graph.row[is_edge], graph.col[is_edge])), shape=(n, n)
    )
    graph.sort_indices()
    return graph, int(n_components)


def _find_bridges(X, labels, n_components, metric):
    """The nearest points of each two components."""
    members = np.split(
        np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1]
    )
    return np.array(
        [
            _find_nearest_pair(X, members[i], members[j], metric)
            for i in range(n_components)
            for j in range(i)
        ]
    )


def _find_nearest_pair(X, rows, others, metric):
    """The first of the nearest pairs of a row and another, some rows at a time."""
    best, pair = None, None
    step = max(1, MAX_HELD // len(others))
    for first in range(0, len(rows), step):
        part = rows[first : first + step]
        if metric == "precomputed":
            distances = X[np.ix_(part, others)]
        else:
            distances = pairwise_distances(X[part], X[others], metric=metric)
        i, j = np.unravel_index(distances.argmin(), distances.shape)
        if best is None or distances[i, j] < best:
            best, pair = distances[i, j], (part[i], others[j])
    return pair


def measure_edges(X, graph, metric):
    """The distance of the ends of each edge, float64, in the order of the graph."""
    rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    if metric == "precomputed":
        return X[rows, graph.indices].astype(np.float64, copy=False)
    distances = np.empty(len(rows))
    step = max(1, MAX_HELD // max(1, X.shape[1]))
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        distances[part] = paired_distances(
            X[rows[part]], X[graph.indices[part]], metric=metric
        )
    return distances
