"""K-d trees: points sorted by place, so that near ones are found without looking afar.

With up to about ten columns the neighbours of a point are in few leaves. With more of
them ever fewer leaves can be left out, and what remains is that leaves are compared
quickly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cython.cluster import kd_tree as kernels

LEAF_SIZE = 16

# Metrics by their names in scikit-learn: their number and, Minkowski's, its power.
_METRICS = {
    "euclidean": (0, 2.0),
    "l2": (0, 2.0),
    "manhattan": (1, 1.0),
    "cityblock": (1, 1.0),
    "l1": (1, 1.0),
    "chebyshev": (2, np.inf),
    "infinity": (2, np.inf),
}


@dataclass(frozen=True)
class Metric:
    """A metric that k-d trees know, and what they call its reduced distances.

    Attributes
    ----------
    number : int
        0 Euclidean, 1 Manhattan, 2 Chebyshev, 3 Minkowski's of another power.

    p : float
        The power.
    """

    number: int
    p: float

    def reduce(self, distance):
        """The reduced distance: its p-th power, itself for powers of 1 and infinity."""
        if self.number == 0:
            return distance * distance
        return distance**self.p if self.number == 3 else distance

    def restore(self, reduced):
        """The distance of a reduced one."""
        if self.number == 0:
            return np.sqrt(reduced)
        return reduced ** (1.0 / self.p) if self.number == 3 else reduced


def make_metric(name, p=2.0):
    """The metric of a name, or None if k-d trees do not know it.

    Parameters
    ----------
    name : str or callable
        scikit-learn's name.

    p : float, default=2.0
        The power of "minkowski" and "p", at least 1.
    """
    if not isinstance(name, str):
        return None
    if name in _METRICS:
        return Metric(*_METRICS[name])
    if name not in ("minkowski", "p") or not p >= 1:
        return None
    named = {1.0: "manhattan", 2.0: "euclidean", np.inf: "chebyshev"}.get(float(p))
    return Metric(*_METRICS[named]) if named else Metric(3, float(p))


EUCLIDEAN = make_metric("euclidean")


@dataclass(frozen=True)
class KDTree:
    """The flat arrays of a tree. Pickles and is shared between threads.

    Attributes
    ----------
    points : ndarray of shape (n_leaves, n_columns, 16), dtype float64
        The points of each leaf, column by column, the last leaf filled up with inf.

    lower, upper : ndarray of shape (2 * n_leaves - 1, n_columns), dtype float64
        The boxes of the nodes, in preorder.

    rows : ndarray of shape (n,), dtype int32
        The row of the table at each position of the tree.
    """

    points: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    rows: np.ndarray

    @property
    def arrays(self):
        """The arrays in the order in which kernels take them."""
        return self.points, self.lower, self.upper, self.rows

    @property
    def n(self):
        return len(self.rows)

    def restore_rows(self):
        """The table, as float64."""
        n_columns = self.points.shape[1]
        points = self.points.transpose(0, 2, 1).reshape(-1, n_columns)
        return self.in_rows(points[: self.n])

    def in_rows(self, values):
        """Put values of positions into the order of the rows."""
        out = np.empty_like(values)
        out[self.rows] = values
        return out


def build_kd_tree(X, n_threads=1):
    """Build the tree of a table; it is the same whatever `n_threads`.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns), dtype float64 or float32
        Finite, n > 0 and n_columns > 0, at any strides. Not kept.

    n_threads : int, default=1
        Threads.
    """
    n, n_columns = X.shape
    n_leaves = -(-n // LEAF_SIZE)
    points = np.empty((n_leaves, n_columns, LEAF_SIZE))
    lower = np.empty((2 * n_leaves - 1, n_columns))
    upper = np.empty_like(lower)
    rows = np.empty(n, dtype=np.int32)
    kernels.build_kd_tree(X, points, lower, upper, rows, n_threads)
    return KDTree(points, lower, upper, rows)


def find_neighbors(
    tree,
    k,
    *,
    queries=None,
    metric=EUCLIDEAN,
    positions=True,
    n_kept=None,
    n_threads=1,
):
    """Find the k nearest points of a tree for each of its own points, or of others.

    Parameters
    ----------
    tree : KDTree
        The points.

    k : int
        At least 1 and at most the number of points. A point of the tree itself is its
        own first neighbour (or one of its duplicates is).

    queries : KDTree, default=None
        The tree of the queries, None for `tree`.

    metric : Metric, default=EUCLIDEAN
        The metric.

    positions : bool, default=True
        Whether to return positions.

    n_kept : int, default=None
        Return no more than the first so many, and the distance of the k-th.

    n_threads : int, default=1
        Threads.

    Returns
    -------
    distances : ndarray of shape (n_queries, k), dtype float64
        Reduced distances (see `Metric`), ascending, in the order of the queries' tree.

    positions : ndarray of shape (n_queries, k), dtype int32, or None
        The positions of the neighbours in `tree`.

    last : ndarray of shape (n_queries,), dtype float64
        The reduced distance of the k-th. Only where `n_kept` is given.
    """
    queries = tree if queries is None else queries
    shape = queries.n, k if n_kept is None else min(k, n_kept)
    distances = np.empty(shape)
    found = np.empty(shape, dtype=np.int32) if positions else None
    last = None if n_kept is None else np.empty(queries.n)
    kernels.find_neighbors(
        *queries.arrays,
        *tree.arrays,
        metric.number,
        metric.p,
        k,
        distances,
        found,
        last,
        n_threads,
    )
    return (distances, found) if n_kept is None else (distances, found, last)


def count_within(
    tree, radius, *, queries=None, metric=EUCLIDEAN, enough=None, n_threads=1
):
    """Count the points of a tree at most a reduced radius from each query.

    Parameters
    ----------
    tree : KDTree
        The points.

    radius : float
        Reduced (see `Metric`).

    queries : KDTree, default=None
        The tree of the queries, None for `tree`.

    metric : Metric, default=EUCLIDEAN
        The metric.

    enough : int, default=None
        A count that reaches it may stop there, None counts all.

    n_threads : int, default=1
        Threads.

    Returns
    -------
    counts : ndarray of shape (n_queries,), dtype int64
        In the order of the queries' tree; a point counts itself.
    """
    queries = tree if queries is None else queries
    counts = np.empty(queries.n, dtype=np.int64)
    kernels.count_within(
        *queries.arrays,
        *tree.arrays,
        metric.number,
        metric.p,
        radius,
        np.iinfo(np.int64).max if enough is None else enough,
        counts,
        n_threads,
    )
    return counts
