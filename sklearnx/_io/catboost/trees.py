"""The trees of a CatBoost model: symmetric ones, and others.

A symmetric tree has one split a level. The position of a leaf is a number whose lowest
bit says the side at the first split::

    splits[0]         false         true
    splits[1]      false  true  false  true
    leaf_values       0     2      1     3
"""

from typing import NamedTuple

import numpy as np

from sklearnx._io.catboost.fields import (
    get,
    get_index,
    get_objects,
    read_numbers,
    refuse,
)
from sklearnx._io.source_trees import SourceTree

# The place of leaves in the arrays of `Splits`.
NO_SPLIT = -1
# Up to it floats have all integers.
LARGEST_COUNT = 1 << 53


class Splits(NamedTuple):
    """All that trees ask, by the number that they know it by.

    Attributes
    ----------
    types : list of str
        'FloatFeature', 'OneHotFeature' or 'OnlineCtr'.
    marks : list of float
        What trees say of the split once more: the border, or the hash of the level.
    columns : int64 array
        Of tables as trees ask for them. This and the arrays below have one item more:
        that of leaves.
    thresholds : float64 array
        Values up to it go left.
    missing_left : bool array
    """

    types: list
    marks: list
    columns: np.ndarray
    thresholds: np.ndarray
    missing_left: np.ndarray

    def find(self, split):
        """Return the number of a split that a tree describes."""
        index = get_index(split, "split_index", len(self.types))
        if "split_type" in split:
            self._compare(split, index)
        return index

    def _compare(self, split, index):
        """Refuse a split that is said to be another one than its number says."""
        type_ = self.types[index]
        if type_ == "OneHotFeature":
            mark = get(split, "value", float)
        else:
            mark = float(np.float32(get(split, "border", float)))
        if split["split_type"] != type_ or mark != self.marks[index]:
            raise refuse(
                f"the split {_shorten(split)} is not number {index} of its features, "
                f"which is of type {type_!r} at {self.marks[index]:g}"
            )


def read_trees(model: dict, splits: Splits, n_raw: int, arrange) -> list[SourceTree]:
    """Return the trees of a model.

    Parameters
    ----------
    model : dict
        The whole JSON.
    splits : Splits
    n_raw : int
        How many values a leaf has.
    arrange : callable
        Turns leaf values, float64 of shape (n_leaves, n_raw), into those of ours.

    Raises
    ------
    ValueError
        If a tree makes no sense.
    """
    if ("oblivious_trees" in model) == ("trees" in model):
        raise refuse("it has not one of 'oblivious_trees' and 'trees'")
    if "oblivious_trees" in model:
        trees = get_objects(model, "oblivious_trees")
        return [_read_symmetric(tree, splits, n_raw, arrange) for tree in trees]
    trees = get_objects(model, "trees")
    return [_read_tree(tree, splits, n_raw, arrange) for tree in trees]


# ---- symmetric trees -----------------------------------------------------------------


def _read_symmetric(tree, splits, n_raw, arrange):
    chosen = np.array(
        [splits.find(split) for split in get_objects(tree, "splits")], dtype=np.int64
    )
    n_levels = len(chosen)
    n_leaves = 1 << n_levels
    values = read_numbers(
        get(tree, "leaf_values", list), "'leaf_values'", n_leaves * n_raw
    )
    values = arrange(values.reshape(n_leaves, n_raw))
    weights = np.zeros(n_leaves)
    if tree.get("leaf_weights") is not None:
        weights = _check_weights(
            read_numbers(tree["leaf_weights"], "'leaf_weights'", n_leaves)
        )
    # An axis a split, the first one first: leaves in the order of the tree.
    axes = (*range(n_levels)[::-1], *range(n_levels, n_levels + values.ndim - 1))
    values = values.reshape((2,) * n_levels + values.shape[1:]).transpose(axes)
    weights = weights.reshape((2,) * n_levels).transpose()
    split_of_node = np.concatenate(
        [np.repeat(chosen, 1 << np.arange(n_levels)), np.full(n_leaves, NO_SPLIT)]
    )
    n_splits = n_leaves - 1
    left = np.full(n_splits + n_leaves, -1)
    left[:n_splits] = 2 * np.arange(n_splits) + 1
    return _make_tree(
        left,
        np.where(left < 0, -1, left + 1),
        split_of_node,
        splits,
        *_describe_levels(values, weights, n_levels),
    )


def _describe_levels(values, weights, n_levels):
    """Return values, weights and gains of nodes, level by level.

    The gain of a split is that of pairs of leaves that differ in it alone, which is how
    CatBoost counts importances.
    """
    all_values, all_weights, gains = [], [], []
    n_outputs = values.shape[n_levels:]
    for level in range(n_levels + 1):
        below = tuple(range(level, n_levels))
        all_weights.append(weights.sum(axis=below).ravel())
        means = _average(values, weights, below)
        all_values.append(means.reshape(1 << level, *n_outputs))
        if level < n_levels:
            left, right = (
                _Side(np.take(values, side, axis=level), np.take(weights, side, level))
                for side in (0, 1)
            )
            gain = _compute_gain(left, right, n_levels - 1)
            gains.append(gain.sum(axis=tuple(range(level, n_levels - 1))).ravel())
    gains.append(np.zeros(1 << n_levels))
    return tuple(map(np.concatenate, (all_values, all_weights, gains)))


class _Side(NamedTuple):
    values: np.ndarray
    weights: np.ndarray


def _average(values, weights, axes):
    """Return weighted means over some axes; plain ones where all weights are zero."""
    total = weights.sum(axis=axes, keepdims=True)
    shares = np.where(total > 0, weights, 1.0)
    shares = shares / shares.sum(axis=axes, keepdims=True)
    shares = shares.reshape(shares.shape + (1,) * (values.ndim - shares.ndim))
    return (values * shares).sum(axis=axes)


def _compute_gain(left, right, n_axes):
    """Return how much the values of two sides differ from their mean, squared, summed.

    With values of Newton steps it is the gain of the split, times the square of the
    learning rate and per unit of hessian.
    """
    total = left.weights + right.weights
    weights = left.weights * right.weights / np.where(total > 0, total, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.square(left.values - right.values)
        return weights * squares.reshape(*squares.shape[:n_axes], -1).sum(axis=-1)


def _check_weights(weights):
    if (weights < 0).any():
        raise refuse("the weight of a leaf is negative")
    return weights


# ---- other trees ---------------------------------------------------------------------


def _read_tree(root, splits, n_raw, arrange):
    left, right, split_of_node, values, weights = [], [], [], [], []
    # Not by recursion: trees may be deep.
    nodes = [root]
    for node in nodes:
        if "split" not in node:
            left.append(-1)
            right.append(-1)
            split_of_node.append(NO_SPLIT)
            values.append(_read_leaf_value(node, n_raw))
            weights.append(get(node, "weight", float, 0.0))
            continue
        left.append(len(nodes))
        right.append(len(nodes) + 1)
        split_of_node.append(splits.find(get(node, "split", dict)))
        values.append([0.0] * n_raw)
        weights.append(0.0)
        nodes += [get(node, "left", dict), get(node, "right", dict)]
    values = [number for value in values for number in value]
    values = arrange(read_numbers(values, "'value'").reshape(-1, n_raw))
    weights = _check_weights(read_numbers(weights, "'weight'"))
    left, right = np.array(left), np.array(right)
    return _make_tree(
        left,
        right,
        np.array(split_of_node),
        splits,
        *_describe_nodes(left, right, values, weights),
    )


def _read_leaf_value(node, n_raw):
    value = node.get("value")
    value = value if isinstance(value, list) else [value]
    if len(value) != n_raw:
        raise refuse(f"a leaf has {len(value)} values, expected {n_raw}")
    return value


def _describe_nodes(left, right, values, weights):
    """Return values, weights and gains of nodes, given those of leaves."""
    gains = np.zeros(len(left))
    # Children come after their parents.
    for node in np.flatnonzero(left >= 0)[::-1]:
        sides = [left[node], right[node]]
        weights[node] = weights[sides].sum()
        values[node] = _average(values[sides], weights[sides], (0,))
        gains[node] = _compute_gain(
            *(_Side(values[side], weights[side]) for side in sides), 0
        )
    return values, weights, gains


# ---- what is common to both ----------------------------------------------------------


def _make_tree(left, right, split_of_node, splits, values, weights, gains):
    left, right = _prune(left, right, values, weights)
    counts = np.rint(weights)
    if (counts != weights).any() or weights[0] > LARGEST_COUNT:
        # Of weighted rows, how many there are is not known.
        counts = np.zeros(len(weights))
    return SourceTree(
        left,
        right,
        splits.columns[split_of_node],
        splits.thresholds[split_of_node],
        splits.missing_left[split_of_node],
        values,
        gain=gains,
        n_samples=counts.astype(np.int64),
    )


def _prune(left, right, values, weights):
    """Make leaves of splits that no training row came to, if it makes no difference.

    Symmetric trees have many: all leaves below them hold zero.
    """
    left, right = left.copy(), right.copy()
    # Children come after their parents.
    for node in np.flatnonzero((left >= 0) & (weights == 0))[::-1]:
        sides = [left[node], right[node]]
        if (left[sides] < 0).all() and (values[sides[0]] == values[sides[1]]).all():
            values[node] = values[sides[0]]
            left[node] = right[node] = -1
    return left, right


def _shorten(split):
    text = repr(split)
    return text if len(text) <= 120 else f"{text[:117]}..."
