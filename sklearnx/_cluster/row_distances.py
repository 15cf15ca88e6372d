"""Spanning trees for any metric, from distances of a few rows at a time to all.

The tree is grown point by point (Prim's algorithm), which asks for the row of distances
of each point once, and core distances ask for it once more. Only for few rows are the
distances of all pairs kept.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from sklearn.metrics import DistanceMetric, pairwise_distances

from sklearnx._cluster.single_linkage import sort_as_visited
from sklearnx._cluster.spanning_tree import Reachability, weigh_edges
from sklearnx._cython.cluster import prim

# The largest matrix of distances between all rows that is kept, and the largest block
# of rows of one, in bytes.
MAX_MATRIX_BYTES = 1 << 26
BLOCK_BYTES = 1 << 23


class MatrixDistances:
    """Rows of a matrix of distances.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        Distances.
    """

    def __init__(self, matrix):
        self.matrix = matrix
        self.n = len(matrix)

    def rows(self, first, last):
        return self.matrix[first:last]

    def between(self, queries):
        return queries

    def are_equal(self, queries, rows, lengths):
        return lengths == 0


class KernelDistances:
    """Rows of distances by a compiled metric.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns), dtype float64
        The table.

    metric : str
        A metric of `sklearn.metrics.DistanceMetric`.

    params : dict
        Its parameters.
    """

    def __init__(self, X, metric, params):
        self.X = np.ascontiguousarray(X)
        self.n = len(X)
        self.metric = DistanceMetric.get_metric(metric, **params)

    def rows(self, first, last):
        return self.metric.pairwise(self.X[first:last], self.X)

    def between(self, queries):
        return self.metric.pairwise(np.ascontiguousarray(queries), self.X)

    def are_equal(self, queries, rows, lengths):
        return (queries == self.X[rows]).all(axis=1)


class PairwiseDistances:
    """Rows of distances by `sklearn.metrics.pairwise_distances`.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, n_columns)
        The table.

    metric : str or callable
        One of its metrics.

    params : dict
        Its parameters.

    n_jobs : int or None
        For it.
    """

    def __init__(self, X, metric, params, n_jobs=None):
        self.X = X
        self.n = X.shape[0]
        self.metric = metric
        self.n_jobs = n_jobs
        self.params = dict(params)
        # Taken from all rows, not from those of a block.
        if metric == "seuclidean" and "V" not in params:
            self.params["V"] = np.var(X, axis=0, ddof=1)
        if metric == "mahalanobis" and "VI" not in params and "V" not in params:
            self.params["VI"] = np.linalg.inv(np.cov(X.T)).T

    def matrix(self):
        return pairwise_distances(
            self.X, metric=self.metric, n_jobs=self.n_jobs, **self.params
        )

    def rows(self, first, last):
        return self.between(self.X[first:last])

    def between(self, queries):
        return pairwise_distances(
            queries, self.X, metric=self.metric, n_jobs=self.n_jobs, **self.params
        )

    def are_equal(self, queries, rows, lengths):
        if sparse.issparse(queries):
            return np.diff((queries != self.X[rows]).tocsr().indptr) == 0
        return (queries == self.X[rows]).all(axis=1)


def _block_starts(n):
    """Where blocks of rows of a matrix start, and how many rows they have."""
    size = max(1, BLOCK_BYTES // (8 * n))
    return range(0, n, size), size


def find_core_distances(source, min_samples):
    """Distances of all rows to their min_samples-th nearest, themselves the first."""
    core = np.empty(source.n)
    starts, size = _block_starts(source.n)
    for first in starts:
        block = source.rows(first, first + size)
        core[first : first + size] = np.partition(block, min_samples - 1, axis=1)[
            :, min_samples - 1
        ]
    return core


def span_by_rows(source, min_samples, *, alpha=1.0, as_chain=False):
    """Core distances and spanning tree by Prim's algorithm.

    Parameters
    ----------
    source : MatrixDistances, KernelDistances or PairwiseDistances
        The distances of n rows.

    min_samples : int
        From 1 to n.

    alpha : float, default=1.0
        Divides distances.

    as_chain : bool, default=False
        As scikit-learn has it for matrices of distances: core distances are divided by
        alpha too, and each point is joined to the one that came in before it.

    Returns
    -------
    reachability : Reachability
    """
    n = source.n
    if isinstance(source, PairwiseDistances) and 8 * n * n <= MAX_MATRIX_BYTES:
        source = MatrixDistances(source.matrix())
    core = find_core_distances(source, min_samples)
    if as_chain:
        core /= alpha
    outside = np.arange(1, n, dtype=np.int32)
    reach = np.full(n, np.inf)
    sources = np.zeros(n, dtype=np.int32)
    order = np.zeros(n, dtype=np.int32)
    for i in range(n - 1):
        row = source.rows(order[i], order[i] + 1)[0]
        row = np.ascontiguousarray(row, dtype=np.float64)
        if alpha != 1.0:
            row = row / alpha
        order[i + 1] = prim.grow_tree(
            row, core, order[i], outside[: n - 1 - i], reach, sources
        )
    stop = order[1:]
    tree = sort_as_visited(sources[stop], stop, reach[stop], as_chain)
    return Reachability(core, tree)


def span_graph(distances, min_samples, *, alpha=1.0, max_distance=0.0):
    """Core distances and spanning tree of a sparse matrix of distances, by SciPy.

    Parameters
    ----------
    distances : sparse matrix of shape (n, n)
        In CSR format, symmetric; pairs without an entry have no edge.

    min_samples : int
        The core distance of a row is its so-many-th smallest entry.

    alpha : float, default=1.0
        Divides all distances.

    max_distance : float, default=0.0
        If above 0, what infinite mutual reachability distances become.

    Returns
    -------
    reachability : Reachability

    Raises
    ------
    ValueError
        If rows have too few entries, or the graph is not connected.
    """
    n = distances.shape[0]
    if not distances.has_canonical_format:
        distances = distances.copy()
        distances.sum_duplicates()
    counts = np.diff(distances.indptr)
    if (counts < min_samples).any():
        raise ValueError(
            f"There exists points with fewer than {min_samples} neighbors. Ensure"
            " your distance matrix has non-zero values for at least"
            f" `min_sample`={min_samples} neighbors for each points (i.e. K-nn"
            " graph), or specify a `max_distance` in `metric_params` to use when"
            " distances are missing."
        )
    n_components = csgraph.connected_components(
        distances, directed=False, return_labels=False
    )
    if n_components > 1:
        raise ValueError(
            f"Sparse mutual reachability matrix has {n_components} connected"
            " components. HDBSCAN cannot be performed on a disconnected graph. Ensure"
            " that the sparse distance matrix has only one connected component."
        )
    lengths = distances.data / alpha
    rows = np.repeat(np.arange(n), counts)
    by_length = np.lexsort((lengths, rows))
    core = lengths[by_length][distances.indptr[:-1] + min_samples - 1]
    weights = weigh_edges(core, rows, distances.indices, lengths)
    is_infinite = ~np.isfinite(weights)
    weights[is_infinite] = max_distance if max_distance > 0 else lengths[is_infinite]
    # No weight of an edge may be 0 there.
    least = np.nextafter(0.0, 1.0)
    weights = np.maximum(weights, least)
    graph = sparse.csr_array((weights, distances.indices, distances.indptr), (n, n))
    tree = csgraph.minimum_spanning_tree(graph).tocoo()
    weights = np.where(tree.data == least, 0.0, tree.data)
    start, stop = tree.row.astype(np.int32), tree.col.astype(np.int32)
    return Reachability(core, sort_as_visited(start, stop, weights))


def is_symmetric(matrix):
    """Whether a dense or sparse matrix is its own transpose, up to rounding."""
    if sparse.issparse(matrix):
        other = matrix.T.tocsr()
        excess = abs(matrix - other) - 1e-7 * abs(other)
        return excess.nnz == 0 or excess.max() <= 1e-9
    starts, size = _block_starts(len(matrix))
    return all(
        np.allclose(
            matrix[first : first + size],
            matrix[:, first : first + size].T,
            rtol=1e-7,
            atol=1e-9,
        )
        for first in starts
    )
