"""Trees of merges, from unordered merges to labels.

A tree over n leaves is an array `children` of shape (n - 1, 2): merge i unites the
nodes ``children[i]`` to node n + i. The leaves are nodes 0, ..., n - 1.
"""

from __future__ import annotations

from heapq import heappush, heappushpop

import numpy as np

from sklearnx._cython.cluster import merge_trees as kernels


def order_merges(pairs, heights, *, lower_first):
    """The tree of merges given in any order that has parts of equal height first.

    Parameters
    ----------
    pairs : ndarray of shape (n - 1, 2), dtype int32
        A point of each of the two clusters merged.

    heights : ndarray of shape (n - 1,)
        At what distance.

    lower_first : bool
        Whether the lower of two nodes comes first, or that of the first point.

    Returns
    -------
    children : ndarray of shape (n - 1, 2), dtype intp
    heights : ndarray of shape (n - 1,)
        In ascending order.
    """
    order = np.argsort(heights, kind="stable")
    children = np.empty(pairs.shape, dtype=np.intp)
    kernels.name_merges(pairs, order, children, lower_first)
    return children, heights[order]


def find_parents(children, n_leaves, n_nodes):
    """The node above each of the first n_nodes nodes; itself if none of them is."""
    parents = np.arange(n_nodes, dtype=np.intp)
    known = children[: n_nodes - n_leaves]
    parents[known] = n_leaves + np.arange(len(known))[:, np.newaxis]
    return parents


def cut_tree(n_clusters, children, n_leaves):
    """Labels of the leaves after all but the last n_clusters - 1 merges.

    Clusters are numbered as scikit-learn does: by their places in the heap of nodes
    from which it splits the highest again and again.
    """
    if n_clusters > n_leaves:
        raise ValueError(
            "Cannot extract more clusters than samples: "
            f"{n_clusters} clusters were given for a tree with {n_leaves} leaves."
        )
    nodes = [-(int(max(children[-1])) + 1)]
    for _ in range(n_clusters - 1):
        first, second = children[-nodes[0] - n_leaves]
        heappush(nodes, -int(first))
        heappushpop(nodes, -int(second))
    labels = np.empty(n_leaves, dtype=np.intp)
    kernels.label_leaves(children, -np.array(nodes, dtype=np.intp), labels)
    return labels


def label_by_heads(parents, n_leaves):
    """Labels of the leaves of a forest: by the highest node above, in its order."""
    heads = np.empty_like(parents)
    kernels.find_heads(parents, heads)
    return np.unique(heads[:n_leaves], return_inverse=True)[1]
