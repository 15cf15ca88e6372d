"""Single linkage: from a spanning tree to a hierarchy, and flat cuts of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cython.cluster import single_linkage as kernels

# A merge a row, as in scipy.cluster.hierarchy: clusters are numbered from n on.
MERGE_DTYPE = np.dtype(
    [
        ("left_node", np.intp),
        ("right_node", np.intp),
        ("value", np.float64),
        ("cluster_size", np.intp),
    ]
)


@dataclass(frozen=True)
class SpanningTree:
    """A spanning tree over the rows of a table.

    Attributes
    ----------
    start, stop : ndarray of shape (n - 1,), dtype int32
        The rows that an edge joins.

    weights : ndarray of shape (n - 1,), dtype float64
        Mutual reachability distances, ascending.
    """

    start: np.ndarray
    stop: np.ndarray
    weights: np.ndarray


def sort_by_distance(start, stop, weights, lengths, n_threads=1):
    """The tree of edges, sorted by weight, length, lower row and higher row.

    Each starts at the row that is nearer to row 0 along the tree. Changes the arrays.
    """
    kernels.sort_edges(start, stop, weights, lengths, n_threads)
    return SpanningTree(start, stop, weights)


def sort_as_visited(start, stop, weights, as_chain=False):
    """The tree of edges in the order of Prim's algorithm, sorted by weight.

    What order edges of one weight have is up to NumPy, as in scikit-learn. As a chain,
    each point is joined to the one that came in before it, which is by then in the same
    cluster as the one that it is nearest to.
    """
    if as_chain:
        start = np.concatenate([start[:1], stop[:-1]])
    order = np.argsort(weights)
    return SpanningTree(start[order], stop[order], weights[order])


def link_edges(tree):
    """The hierarchy of single linkage.

    Parameters
    ----------
    tree : SpanningTree
        Of n rows.

    Returns
    -------
    merges : ndarray of shape (n - 1,), dtype MERGE_DTYPE
        By ascending value. The row at which an edge starts is in the left cluster.
    """
    merges = np.empty(len(tree.weights), dtype=MERGE_DTYPE)
    kernels.link_edges(tree.start, tree.stop, tree.weights, as_words(merges))
    return merges


def as_words(rows):
    """Structured rows of four fields as int64 of shape (n, 4), as kernels take them."""
    return rows.view(np.int64).reshape(-1, 4)


def cut_merges(merges, cut, min_size):
    """Labels of the clusters of merges below a value, -1 for those smaller than a size.

    Parameters
    ----------
    merges : ndarray of shape (n - 1,), dtype MERGE_DTYPE
        The hierarchy.

    cut : float
        Merges of a lower value are done.

    min_size : int
        The points of the smallest cluster.
    """
    labels = np.empty(len(merges) + 1, dtype=np.int64)
    kernels.cut_merges(as_words(merges), cut, min_size, labels)
    return labels


def add_outliers(merges, rows, outliers):
    """A hierarchy of some rows as one of all, the others merged last, at infinity.

    Parameters
    ----------
    merges : ndarray of shape (n - 1,), dtype MERGE_DTYPE
        Over the n `rows`.

    rows, outliers : ndarray of dtype intp
        Rows of the table, together all.
    """
    n, n_all = len(rows), len(rows) + len(outliers)
    all_merges = np.empty(n_all - 1, dtype=MERGE_DTYPE)
    within = all_merges[: n - 1]
    within[:] = merges
    for side in ("left_node", "right_node"):
        nodes = merges[side]
        is_row = nodes < n
        within[side] = np.where(
            is_row, rows[np.where(is_row, nodes, 0)], nodes + len(outliers)
        )
    last = all_merges[n - 1 :]
    last["left_node"] = outliers
    last["right_node"] = n_all + n - 2 + np.arange(len(outliers))
    last["value"] = np.inf
    last["cluster_size"] = n + 1 + np.arange(len(outliers))
    return all_merges
