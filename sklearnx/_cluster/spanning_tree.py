"""Core distances and the minimum spanning tree of mutual reachability distances.

    core(a) = distance of a to its min_samples-th nearest row, itself the first
    w(a, b) = max(core(a), core(b), d(a, b) / alpha)

Ways to the same tree: Boruvka's algorithm on a k-d tree for the metrics that it knows,
Prim's on all pairs for few rows (both here), or on rows of distances for any metric
(see row_distances.py). No way keeps the distances of all pairs.

Many edges have the same weight, the core distance of one of their ends. The tree, and
in what order its edges join clusters, is decided by `ties`:

"scan"
    as if all pairs were scanned by Prim's algorithm from row 0 on, which takes the
    lowest row of several as near, and its edges sorted by NumPy. This is scikit-learn's
    order.
"distance"
    by distance, then by the lower and the higher row, so that only one tree is the
    least. Where no two distances are equal, the order of the rows has no say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cluster.kd_tree import KDTree, build_kd_tree, find_neighbors
from sklearnx._cluster.single_linkage import (
    SpanningTree,
    sort_as_visited,
    sort_by_distance,
)
from sklearnx._cython.cluster import boruvka, prim, visiting_order

# Neighbours of each row to start Boruvka's rounds from. With more of them more edges
# are known without a search, but to find them takes longer.
MIN_LISTED = 8
MAX_LISTED = 64

# Rows up to which all pairs are compared, and up to which they are where distances tie.
MAX_SCANNED = 2048
MAX_TIED_SCANNED = 20_000

# Near lists (see visiting_order.h) of more points in all than 8 times min_samples a
# row, or 64, are not made: so many are within core distances only where most are equal.
MAX_NEAR = 8


@dataclass(frozen=True)
class Reachability:
    """What the hierarchy is made of.

    Attributes
    ----------
    core : ndarray of shape (n,), dtype float64
        Core distances of the rows.

    spanning_tree : SpanningTree
        Of mutual reachability distances.

    kd_tree : KDTree or None
        Of the rows, where one was built.
    """

    core: np.ndarray
    spanning_tree: SpanningTree
    kd_tree: KDTree | None = None


def weigh_edges(core, start, stop, lengths):
    """Mutual reachability distances of pairs of rows, given their distances."""
    return np.maximum(np.maximum(core[start], core[stop]), lengths)


def find_twins(X, rows):
    """Pairs of equal rows of a table, the first of each kind with each of the others.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns)
        The table.

    rows : ndarray of shape (n_rows,)
        The rows to compare, without repetition.

    Returns
    -------
    firsts, twins : ndarray of shape (n_pairs,), dtype int32
        The lowest row of a kind, and another one.
    """
    values = X[rows]
    order = np.lexsort((rows, *values.T))
    rows, values = rows[order], values[order]
    is_new = np.ones(len(rows), dtype=bool)
    is_new[1:] = (values[1:] != values[:-1]).any(axis=1)
    firsts = rows[is_new][np.cumsum(is_new) - 1]
    return firsts[~is_new].astype(np.int32), rows[~is_new].astype(np.int32)


def scan_pairs(X, core, metric, alpha=1.0, as_chain=False):
    """The tree of Prim's algorithm on all pairs, given core distances of the rows."""
    start, stop = np.empty((2, len(X) - 1), dtype=np.int32)
    weights = np.empty(len(X) - 1)
    is_reduced = metric.number == 3
    prim.visit_all_pairs(
        X,
        metric.reduce(core) if is_reduced else core,
        metric.number,
        metric.p,
        metric.reduce(alpha) if is_reduced else alpha,
        start,
        stop,
        weights,
    )
    if is_reduced:
        weights = metric.restore(weights)
    return sort_as_visited(start, stop, weights, as_chain)


def span_by_kd_tree(
    X, min_samples, metric, *, alpha=1.0, ties="scan", as_chain=False, n_threads=1
):
    """Core distances and spanning tree by Boruvka's algorithm on a k-d tree.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns), dtype float64 or float32
        Finite.

    min_samples : int
        From 1 to n.

    metric : Metric
        Of k-d trees.

    alpha : float, default=1.0
        Divides distances, but not core distances.

    ties : {"scan", "distance"}, default="scan"
        See above.

    as_chain : bool, default=False
        Of "scan": whether each point is joined to the one that came in before it (see
        `sort_as_visited`).

    n_threads : int, default=1
        Threads.

    Returns
    -------
    reachability : Reachability
    """
    n = len(X)
    tree = build_kd_tree(X, n_threads)
    if ties == "scan" and n <= MAX_SCANNED:
        _, _, core = find_neighbors(
            tree,
            min_samples,
            metric=metric,
            positions=False,
            n_kept=1,
            n_threads=n_threads,
        )
        core = metric.restore(tree.in_rows(core))
        return Reachability(core, scan_pairs(X, core, metric, alpha, as_chain), tree)

    core, lists = _find_lists(tree, min_samples, metric, n_threads)
    row_core = metric.restore(tree.in_rows(core))
    points = _join_twins(X, tree, core, lists, min_samples, metric, n_threads)
    start, stop, lengths = _span_points(points, metric, alpha, n_threads)
    point_core = row_core[points.rows]
    weights = weigh_edges(point_core, start, stop, lengths)
    if ties == "distance":
        rows = points.rows
        edges = sort_by_distance(rows[start], rows[stop], weights, lengths, n_threads)
        return Reachability(row_core, edges, tree)
    near, may_scan = None, n <= MAX_TIED_SCANNED
    if not (may_scan and _have_ties(points.lists.distances)):
        near = _list_near(points, min_samples, metric, alpha, n_threads)
    if near is None and may_scan:
        edges = scan_pairs(X, row_core, metric, alpha, as_chain)
    else:
        near = near or (np.zeros(1, np.int64), np.empty(0, np.int32))
        edges = _visit_points(
            points.rows, point_core, start, stop, weights, *near, as_chain
        )
    return Reachability(row_core, edges, tree)


@dataclass(frozen=True)
class _Lists:
    """Neighbours of the points of a tree: reduced distances, and positions."""

    distances: np.ndarray
    neighbors: np.ndarray


@dataclass(frozen=True)
class _Points:
    """Points to span: those of a tree, and copies of some of them.

    Attributes
    ----------
    tree : KDTree
        One of each kind.

    core : ndarray of shape (tree.n,)
        Their reduced core distances, by position.

    lists : _Lists
        Their neighbours.

    rows : ndarray of shape (n,)
        The row of each point: the positions of the tree, then the copies.

    firsts : ndarray of shape (n - tree.n,)
        The points that the copies are of.
    """

    tree: KDTree
    core: np.ndarray
    lists: _Lists
    rows: np.ndarray
    firsts: np.ndarray


def _find_lists(tree, min_samples, metric, n_threads):
    """Reduced core distances by position, and lists of neighbours."""
    # One more than the core distance takes, to see whether another is as near.
    n_listed = min(tree.n, max(MIN_LISTED, min(min_samples + 1, MAX_LISTED)))
    distances, neighbors, last = find_neighbors(
        tree,
        max(n_listed, min_samples),
        metric=metric,
        n_kept=n_listed,
        n_threads=n_threads,
    )
    core = last if min_samples > n_listed else distances[:, min_samples - 1].copy()
    return core, _Lists(distances, neighbors)


def _join_twins(X, tree, core, lists, min_samples, metric, n_threads):
    """The points to span: of rows that are equal, and have core distances of 0, one.

    To all others they are as one, and there may be many.
    """
    nearest = core if min_samples > 1 or tree.n == 1 else lists.distances[:, 1]
    firsts, twins = find_twins(X, tree.rows[nearest == 0])
    if len(twins) == 0:
        return _Points(tree, core, lists, tree.rows, firsts)
    is_kept = np.ones(tree.n, dtype=bool)
    is_kept[twins] = False
    kept = np.flatnonzero(is_kept).astype(np.int32)
    kept_core = tree.in_rows(core)[kept]
    tree = build_kd_tree(X[kept], n_threads)
    distances, neighbors = find_neighbors(
        tree, min(tree.n, MIN_LISTED), metric=metric, n_threads=n_threads
    )
    rows = np.concatenate([kept[tree.rows], twins])
    places = np.empty(len(rows), dtype=np.int32)
    places[rows] = np.arange(len(rows), dtype=np.int32)
    lists = _Lists(distances, neighbors)
    return _Points(tree, kept_core[tree.rows], lists, rows, places[firsts])


def _span_points(points, metric, alpha, n_threads):
    """Points at both ends of the edges of the tree, and distances over alpha."""
    start, stop, lengths = _run_boruvka(
        points.tree,
        points.core,
        points.lists.distances,
        points.lists.neighbors,
        metric,
        alpha,
        n_threads,
    )
    twins = np.arange(points.tree.n, len(points.rows), dtype=np.int32)
    start = np.concatenate([start, points.firsts])
    stop = np.concatenate([stop, twins])
    lengths = np.concatenate([lengths, np.zeros(len(twins))])
    return start, stop, metric.restore(lengths) / alpha


def _list_near(points, min_samples, metric, alpha, n_threads):
    """Near lists (see visiting_order.h): starts and points. None for too many."""
    lists = points.lists
    has_twins = len(points.firsts) > 0
    if alpha == 1.0 and not has_twins and _are_whole(lists, points.core, min_samples):
        return _pick_near(lists, points.core, min_samples)
    return visiting_order.list_near(
        *points.tree.arrays,
        metric.number,
        metric.p,
        _scale(points.core, metric, alpha),
        MAX_NEAR * max(min_samples, MAX_NEAR) * points.tree.n,
        n_threads,
    )


def _have_ties(distances):
    """Whether a row has two others at the same distance, other than 0, in its list."""
    is_equal = distances[:, 1:] == distances[:, :-1]
    return bool((is_equal & (distances[:, 1:] > 0)).any())


def _are_whole(lists, core, min_samples):
    """Whether lists have all points within the core distances."""
    n, n_listed = lists.distances.shape
    if min_samples >= n_listed:
        return n_listed == n
    return bool((lists.distances[:, min_samples] > core).all())


def _pick_near(lists, core, min_samples):
    """Near lists from lists that are whole."""
    n = len(core)
    neighbors = lists.neighbors[:, :min_samples]
    is_near = core[neighbors] <= core[:, None]
    is_near &= neighbors != np.arange(n, dtype=np.int32)[:, None]
    start = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(is_near.sum(axis=1), out=start[1:])
    return start, neighbors[is_near]


def _visit_points(rows, core, start, stop, weights, near_start, near, as_chain):
    """The tree of Prim's algorithm, given another least one and near lists."""
    visited_start, visited_stop = np.empty((2, len(rows) - 1), dtype=np.int32)
    visited_weights = np.empty(len(rows) - 1)
    visiting_order.visit_points(
        rows,
        core,
        start,
        stop,
        weights,
        near_start,
        near,
        int(np.flatnonzero(rows == 0)[0]),
        visited_start,
        visited_stop,
        visited_weights,
    )
    return sort_as_visited(visited_start, visited_stop, visited_weights, as_chain)


def _scale(core, metric, alpha):
    """Reduced core distances to compare with distances that alpha does not divide."""
    return core if alpha == 1.0 else core * metric.reduce(alpha)


def _run_boruvka(tree, core, distances, neighbors, metric, alpha, n_threads):
    """Positions of the ends of the edges and reduced lengths; `core` is by position."""
    n = tree.n
    start, stop = np.empty((2, n - 1), dtype=np.int32)
    weights, lengths = np.empty((2, n - 1))
    boruvka.find_spanning_tree(
        *tree.arrays,
        metric.number,
        metric.p,
        _scale(core, metric, alpha),
        distances,
        neighbors,
        start,
        stop,
        weights,
        lengths,
        n_threads,
    )
    return start, stop, lengths


def scale_reachability(reachability, alpha):
    """The same with all distances divided by alpha."""
    if alpha == 1.0:
        return reachability
    tree = reachability.spanning_tree
    return Reachability(
        reachability.core / alpha,
        SpanningTree(tree.start, tree.stop, tree.weights / alpha),
        reachability.kd_tree,
    )
