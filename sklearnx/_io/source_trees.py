"""Trees that another library has grown, and what our trees are of them."""

from typing import NamedTuple

import numpy as np

from sklearnx._boosting.model import Tree
from sklearnx._cython.boosting.collecting import NODE_DTYPE, STATS_DTYPE
from sklearnx._cython.boosting.linear_leaves import (
    LINEAR_LEAF_DTYPE,
    LINEAR_TERM_DTYPE,
)
from sklearnx._io.bitsets import write_bitset


class SourceTree(NamedTuple):
    """One tree, its nodes in any order with the root first.

    Attributes
    ----------
    left, right : int arrays of shape (n_nodes,)
        Children; -1 for leaves.
    feature : int array of shape (n_nodes,)
        Column of each split, anything for leaves.
    threshold : float64 array of shape (n_nodes,)
        Values up to it, and it, go left; anything for leaves and splits on levels.
    missing_left : bool array of shape (n_nodes,)
    value : float64 array of shape (n_nodes,) or (n_nodes, n_outputs)
        Of leaves, what they add to raw scores; of splits, what inspection shows.
    levels : dict of int to int array, default={}
        By node, the codes of the levels that go left, for splits on categories.
    linear : dict of int to tuple, default={}
        By leaf, the intercept, the columns and the coefficients of its linear model.
        Rows for which it is not finite get the leaf's value.
    gain : float64 array of shape (n_nodes,), default=0
    sum_hessians : float64 array of shape (n_nodes,), default=0
    n_samples : int array of shape (n_nodes,), default=0
        Statistics, where the source keeps them.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    levels: dict = {}
    linear: dict = {}
    gain: np.ndarray | float = 0.0
    sum_hessians: np.ndarray | float = 0.0
    n_samples: np.ndarray | int = 0


def build_tree(source, n_levels=None):
    """Return the Tree of a SourceTree: children side by side, level by level.

    Parameters
    ----------
    source : SourceTree
    n_levels : int array of shape (n_features,) or None, default=None
        How many codes the levels of each column have, 0 for numbers.
    """
    is_split = np.asarray(source.left) >= 0
    old, depth = _walk(source.left, source.right)
    n_nodes = len(old)
    new = np.full(len(is_split), -1, dtype=np.int32)
    new[old] = np.arange(n_nodes, dtype=np.int32)
    is_split = is_split[old]
    values = np.asarray(source.value, dtype=np.float64)[old]
    # Inspection shows means of vectors nowhere; their nodes hold zeros.
    numbers = values if values.ndim == 1 else np.zeros(n_nodes)

    nodes = np.zeros(n_nodes, dtype=NODE_DTYPE)
    nodes["value"] = np.where(
        is_split, np.asarray(source.threshold, dtype=np.float64)[old], numbers
    )
    nodes["feature"] = np.where(is_split, np.asarray(source.feature)[old], -1)
    nodes["left"][is_split] = new[np.asarray(source.left)[old[is_split]]]
    nodes["missing_left"] = np.where(is_split, np.asarray(source.missing_left)[old], 0)
    nodes["bitset"] = -1
    bitsets, n_words = [], 0
    for node, levels in sorted(source.levels.items()):
        if new[node] < 0:
            continue  # no path leads there
        words = write_bitset(levels, n_levels[source.feature[node]])
        nodes["bitset"][new[node]] = n_words
        nodes["value"][new[node]] = 0
        bitsets.append(words)
        n_words += len(words)

    stats = np.zeros(n_nodes, dtype=STATS_DTYPE)
    stats["value"], stats["depth"] = numbers, depth
    for name in ("gain", "sum_hessians", "n_samples"):
        whole = np.broadcast_to(getattr(source, name), len(new))
        stats[name] = whole[old]
    stats["gain"][~is_split] = 0
    tree = Tree(
        nodes,
        stats,
        np.concatenate([np.empty(0, dtype=np.uint32), *bitsets]),
        vectors=None if values.ndim == 1 else values,
    )
    if source.linear:
        linear = {new[leaf]: of_leaf for leaf, of_leaf in source.linear.items()}
        _set_linear_models(tree, linear)
    return tree


def _set_linear_models(tree, linear):
    """Give a tree the linear models of a SourceTree, by its own numbers of leaves."""
    # No path leads to others.
    linear = {leaf: linear[leaf] for leaf in sorted(linear) if leaf >= 0}
    leaves = np.zeros(len(linear), dtype=LINEAR_LEAF_DTYPE)
    leaves["intercept"] = [intercept for intercept, _, _ in linear.values()]
    leaves["n_terms"] = [len(features) for _, features, _ in linear.values()]
    leaves["start"] = np.cumsum(leaves["n_terms"]) - leaves["n_terms"]
    terms = np.zeros(leaves["n_terms"].sum(), dtype=LINEAR_TERM_DTYPE)
    for start, (_, features, coefficients) in zip(leaves["start"], linear.values()):
        terms["feature"][start : start + len(features)] = features
        terms["coefficient"][start : start + len(features)] = coefficients
    tree.set_linear_models(np.array(list(linear), dtype=np.int32), leaves, terms)


def _walk(left, right):
    """Return the nodes level by level, children side by side, and their depths."""
    left, right = np.asarray(left), np.asarray(right)
    levels = [np.zeros(1, dtype=np.intp)]
    n_nodes = 1
    while True:
        splits = levels[-1][left[levels[-1]] >= 0]
        if len(splits) == 0:
            break
        n_nodes += 2 * len(splits)
        if n_nodes > len(left):
            raise ValueError("A tree of the model has a node with two parents.")
        levels.append(np.column_stack([left[splits], right[splits]]).ravel())
    depth = np.repeat(np.arange(len(levels)), list(map(len, levels)))
    return np.concatenate(levels), depth
