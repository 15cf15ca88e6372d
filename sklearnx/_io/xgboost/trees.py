"""The trees of a model of XGBoost.

There, a number goes left if it is less than the condition, both as float32, and a
level goes right if it is one of the node's set. Here, numbers up to the threshold go
left, and levels of the set: the threshold is the float32 below the condition, and nodes
with levels have their children changed over.
"""

from __future__ import annotations

import numpy as np

from sklearnx._io.source_trees import SourceTree
from sklearnx._io.xgboost.fields import get_array, get_count, get_field, refuse

# XGBoost has no category beyond: float32 holds all integers up to it.
MAX_CATEGORY = 2**24


def read_trees(model, *, n_outputs, n_features, weights, n_iter):
    """Return the trees of a gradient booster.

    Parameters
    ----------
    model : dict
        Field 'model' of the file.
    n_outputs : int
    n_features : int
    weights : float64 array of shape (n_trees,) or None
        Of each tree in the sum.
    n_iter : int or None
        Take this many of XGBoost's iterations. None takes all.

    Returns
    -------
    trees : list of SourceTree
        In the order of `assemble`. `levels` have the codes of XGBoost. Of an iteration
        with several trees an output, each is an iteration here.
    """
    fields = get_field(model, "trees", list)
    if not all(isinstance(tree, dict) for tree in fields):
        refuse("has a tree that is no object")
    groups = get_array(model, "tree_info", np.int64, size=len(fields))
    if weights is None:
        weights = np.ones(len(fields))
    elif len(weights) != len(fields):
        refuse(f"has {len(weights)} weights of {len(fields)} trees")
    n_used = _count_trees(model, len(fields), n_outputs, n_iter)
    sizes = {_get_leaf_size(tree) for tree in fields[:n_used]}
    has_vector_leaves = n_outputs > 1 and sizes == {n_outputs}
    if not has_vector_leaves:
        if not sizes <= {1}:
            refuse(f"has leaves of {max(sizes)} values and {n_outputs} raw scores")
        if n_outputs > max(n_used, 1):
            refuse(f"has {n_used} trees for {n_outputs} raw scores")
    trees = [
        read_tree(tree, n_features, _get_leaf_size(tree), weight)
        for tree, weight in zip(fields[:n_used], weights)
    ]
    if has_vector_leaves:
        return trees
    return _order(trees, groups[:n_used], n_outputs)


def _count_trees(model, n_trees, n_outputs, n_iter):
    """Return how many trees the first iterations have."""
    if n_iter is None:
        return n_trees
    if "iteration_indptr" in model:
        ends = get_array(model, "iteration_indptr", np.int64)
    else:
        parameters = get_field(model, "gbtree_model_param", dict)
        size = n_outputs * max(1, get_count(parameters, "num_parallel_tree", 1))
        ends = np.arange(0, n_trees + 1, min(size, n_trees + 1))
    if not (n_iter < len(ends) and 0 <= ends[n_iter] <= n_trees):
        refuse(
            f"has fewer than {n_iter} iterations, of which one is said to be the best"
        )
    return int(ends[n_iter])


def _get_leaf_size(tree):
    """Return how many values a leaf has."""
    return max(1, get_count(get_field(tree, "tree_param", dict), "size_leaf_vector", 1))


def _order(trees, groups, n_outputs):
    """Return trees by turns of the outputs that they belong to."""
    if not ((groups >= 0) & (groups < n_outputs)).all():
        refuse(f"has trees for other raw scores than its {n_outputs}")
    counts = np.bincount(groups, minlength=n_outputs)
    if (counts != counts[0]).any():
        refuse("has more trees for one raw score than for another")
    order = np.argsort(groups, kind="stable").reshape(n_outputs, -1).T.ravel()
    return [trees[i] for i in order.tolist()]


def read_tree(tree, n_features, leaf_size=1, weight=1.0):
    """Return a SourceTree, whose levels have the codes of XGBoost."""
    left = get_array(tree, "left_children", np.int64)
    size = len(left)
    right = get_array(tree, "right_children", np.int64, size)
    is_split = left != -1
    is_reached = _check_children(left, right, is_split)
    features = get_array(tree, "split_indices", np.int64, size)
    if not ((features >= 0) & (features < n_features))[is_split].all():
        refuse(f"has a split on a column that is not among its {n_features}")
    conditions = _to_float32(get_array(tree, "split_conditions", np.float64, size))
    is_on_levels = is_split & (get_array(tree, "split_type", np.int64, size, 0) == 1)
    if np.isnan(conditions[is_split & ~is_on_levels]).any():
        refuse("has a split at a number that is none")
    if leaf_size == 1:
        values = conditions.astype(np.float64)
    else:
        values = _read_vectors(tree, right, is_split, leaf_size)
    is_leaf = is_reached & ~is_split
    if not np.isfinite(values[is_leaf]).all():
        refuse("has a leaf whose value is not finite")
    missing_left = get_array(tree, "default_left", np.int64, size) != 0
    hessians = get_array(tree, "sum_hessian", np.float64, size, 0)
    children = (
        np.where(is_on_levels, right, left),
        np.where(is_split & ~is_on_levels, right, np.where(is_split, left, -1)),
    )
    return SourceTree(
        *children,
        features,
        np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64),
        missing_left ^ is_on_levels,
        _average_leaves(*children, values * weight, hessians),
        levels=_read_level_sets(tree, is_on_levels),
        gain=get_array(tree, "loss_changes", np.float64, size, 0),
        sum_hessians=hessians,
    )


def _to_float32(values):
    """Return what XGBoost reads; JSON may say more than float32 holds."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _check_children(left, right, is_split):
    """Refuse what is no tree; return which nodes may be reached from the root.

    Where no node has two parents, and the root none, all ways down from it end.
    """
    size = len(left)
    children = np.concatenate([left[is_split], right[is_split]])
    if size == 0 or not ((children > 0) & (children < size)).all():
        refuse("has a node whose children are not in its tree")
    n_parents = np.bincount(children, minlength=size)
    if n_parents.max() > 1:
        refuse("has a node with two parents")
    return (n_parents > 0) | (np.arange(size) == 0)


def _read_vectors(tree, right, is_split, leaf_size):
    """Return the vectors of leaves, of shape (n_nodes, leaf_size); zeros of splits."""
    size = len(right)
    if "leaf_weights" not in tree:
        vectors = get_array(tree, "base_weights", np.float64, size * leaf_size)
        return _to_float32(vectors).reshape(size, leaf_size).astype(np.float64)
    # Since XGBoost 3.2 leaves have them apart, and say where instead of a child.
    vectors = get_array(tree, "leaf_weights", np.float64)
    n_vectors, places = len(vectors) // leaf_size, right[~is_split]
    if not ((places >= 0) & (places < n_vectors)).all():
        refuse("has a leaf whose values are not there")
    vectors = vectors[: n_vectors * leaf_size].reshape(n_vectors, leaf_size)
    values = np.zeros((size, leaf_size))
    values[~is_split] = _to_float32(vectors[places])
    return values


def _average_leaves(left, right, values, hessians):
    """Return values with those of splits replaced by the mean of the leaves below.

    Weighted by hessians: XGBoost keeps values of splits on another scale, before they
    are shrunk.
    """
    values = values.copy()
    levels = [np.zeros(1, dtype=np.int64)]
    while len(splits := levels[-1][left[levels[-1]] >= 0]) > 0:
        levels[-1] = splits
        levels.append(np.concatenate([left[splits], right[splits]]))
    weights = hessians.reshape(-1, *[1] * (values.ndim - 1))
    for splits in reversed(levels[:-1]):
        children = left[splits], right[splits]
        with np.errstate(all="ignore"):
            means = sum(weights[c] * values[c] for c in children) / sum(
                weights[c] for c in children
            )
        values[splits] = np.where(np.isfinite(means), means, 0)
    return values


def _read_level_sets(tree, is_on_levels):
    """Return the categories of each node that is split on some, by node."""
    if not is_on_levels.any():
        return {}
    nodes = get_array(tree, "categories_nodes", np.int64)
    starts = get_array(tree, "categories_segments", np.int64, len(nodes))
    sizes = get_array(tree, "categories_sizes", np.int64, len(nodes))
    categories = get_array(tree, "categories", np.int64)
    if not ((categories >= 0) & (categories < MAX_CATEGORY)).all():
        refuse(f"has a category that is not in [0, {MAX_CATEGORY})")
    ends = np.cumsum(sizes)
    if not (
        ((sizes >= 0) & (sizes <= len(categories))).all()
        and np.array_equal(starts, ends - sizes)
        and sizes.sum() == len(categories)
    ):
        refuse("has sets of categories that do not fit together")
    sets = {
        node: categories[end - size : end]
        for node, end, size in zip(nodes.tolist(), ends.tolist(), sizes.tolist())
    }
    splits = np.flatnonzero(is_on_levels).tolist()
    if not sets.keys() >= set(splits):
        refuse("has a split on categories without any")
    return {node: sets[node] for node in splits}
