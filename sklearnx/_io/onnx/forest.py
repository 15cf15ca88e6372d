"""The trees of a model as ONNX has them: numbers in leaves, each tree of one target."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearnx._io.bitsets import read_bitset


class Forest(NamedTuple):
    """Trees in flat arrays.

    The first node of a tree is its root. Children come after their parents, those of
    the root before all others.

    Attributes
    ----------
    tree : int array of shape (n_nodes,)
        The tree of each node.
    feature : int array of shape (n_nodes,)
        What is compared; -1 for leaves.
    threshold : float64 array of shape (n_nodes,)
        Numbers up to it, and it, go left.
    left, right : int arrays of shape (n_nodes,)
        Children; -1 for leaves.
    missing_left : bool array of shape (n_nodes,)
    members : dict of int to int array
        By node, the numbers that go left, where these are not compared with a
        threshold. None of them is missing.
    value : float64 array of shape (n_nodes,)
        Of leaves.
    target : int array of shape (n_trees,)
        What each tree adds to.
    """

    tree: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    members: dict
    value: np.ndarray
    target: np.ndarray

    @property
    def roots(self):
        """The first node of each tree."""
        return np.unique(self.tree, return_index=True)[1]

    def started(self, start):
        """Return a forest that begins with a number for each target.

        It is in the leaves of the first trees, so that sums are those of a model that
        begins with it, to the last bit if they are added up in that order.
        """
        value = self.value.copy()
        _, first = np.unique(self.target, return_index=True)
        for tree in first[self.target[first] < len(start)].tolist():
            nodes = self.tree == tree
            value[nodes] = start[self.target[tree]] + value[nodes]
        return self._replace(value=value)

    def split(self):
        """Return a forest without trees of a single leaf: they get two of its value."""
        lone = self.roots
        lone = lone[self.feature[lone] < 0]
        if len(lone) == 0:
            return self
        n_nodes = len(self.tree)
        leaves = np.repeat(lone, 2)
        feature, left, right = (
            array.copy() for array in (self.feature, self.left, self.right)
        )
        feature[lone] = 0
        left[lone] = n_nodes + 2 * np.arange(len(lone))
        right[lone] = left[lone] + 1
        none = np.full(len(leaves), -1)
        return self._replace(
            tree=np.append(self.tree, self.tree[leaves]),
            feature=np.append(feature, none),
            threshold=np.append(self.threshold, np.zeros(len(leaves))),
            left=np.append(left, none),
            right=np.append(right, none),
            missing_left=np.append(self.missing_left, np.zeros(len(leaves), bool)),
            value=np.append(self.value, self.value[leaves]),
        )


def join_forests(forests):
    """Return all trees of several forests, in their order."""
    n_nodes = np.cumsum([0] + [len(forest.tree) for forest in forests]).tolist()
    n_trees = np.cumsum([0] + [len(forest.target) for forest in forests]).tolist()
    members = {
        node + first: codes
        for forest, first in zip(forests, n_nodes)
        for node, codes in forest.members.items()
    }
    arrays = {
        name: np.concatenate([getattr(forest, name) for forest in forests])
        for name in ("feature", "threshold", "missing_left", "value", "target")
    }
    for name in ("left", "right"):
        arrays[name] = np.concatenate(
            [
                np.where(forest.feature < 0, -1, getattr(forest, name) + first)
                for forest, first in zip(forests, n_nodes)
            ]
        )
    tree = [forest.tree + first for forest, first in zip(forests, n_trees)]
    return Forest(tree=np.concatenate(tree), members=members, **arrays)


def read_forest(model, n_levels, positions):
    """Return the trees of a model, linear models of leaves aside.

    Parameters
    ----------
    model : BoostedTrees
    n_levels : int array of shape (n_columns,)
        How many codes each column has that trees ask for, 0 for numbers.
    positions : int array of shape (n_columns,)
        Where the columns are in what trees compare.
    """
    nodes, sizes = model.nodes, np.diff(model.offsets)
    is_leaf = nodes["feature"] < 0
    first = np.repeat(model.offsets[:-1], sizes)
    left = np.where(is_leaf, -1, first + nodes["left"])
    forest = Forest(
        tree=np.repeat(np.arange(model.n_trees), sizes),
        feature=np.where(
            is_leaf, -1, positions[np.where(is_leaf, 0, nodes["feature"])]
        ),
        threshold=np.where(is_leaf, 0.0, nodes["value"]),
        left=left,
        right=np.where(is_leaf, -1, left + 1),
        missing_left=~is_leaf & (nodes["missing_left"] != 0),
        members={},
        value=np.where(is_leaf, nodes["value"], 0.0),
        target=np.arange(model.n_trees) % model.n_trees_per_iteration,
    )
    _read_levels(forest, model, n_levels)
    if not model.has_vector_leaves:
        return forest
    divisor = model.n_iter if model.is_average else 1
    return join_forests(
        [
            forest._replace(
                value=np.where(is_leaf, model.vectors[:, output] / divisor, 0.0),
                target=np.full(model.n_trees, output),
            )
            for output in range(model.n_outputs)
        ]
    )


def _read_levels(forest, model, n_levels):
    """Set what goes left at splits on levels: numbers up to one, or else members.

    Numbers are those of `add_numbers`. Were a missing value NaN, onnxruntime would take
    two splits on a column for one where both lead to equal leaves, no matter where each
    of them sends NaN.
    """
    for node in np.flatnonzero(model.nodes["bitset"] >= 0).tolist():
        n_codes = n_levels[model.nodes["feature"][node]]
        codes = read_bitset(model.bitsets, n_codes, model.nodes["bitset"][node])
        if forest.missing_left[node]:
            codes = np.append(codes, n_codes)
            forest.missing_left[node] = False
        if len(codes) == 0 or codes[-1] == len(codes) - 1:
            # All of them, from the first on.
            forest.threshold[node] = len(codes) + 0.5
            continue
        if len(codes) > (n_codes + 1) / 2:
            codes = np.setdiff1d(np.arange(n_codes + 1), codes, assume_unique=True)
            left, right = forest.left[node], forest.right[node]
            forest.left[node], forest.right[node] = right, left
        forest.members[node] = codes + 1


def number_nodes(forest):
    """Return the number of each split among splits, of each leaf among leaves.

    Splits are in the order in which a reader comes by who takes each left side before
    the right one; some readers want sets in it. So are the leaves of a tree, or the
    other way round: some take a root for a leaf if its children, a split and a leaf,
    have the same number.
    """
    is_split, left, right = forest.feature >= 0, forest.left, forest.right
    roots = forest.roots
    levels = [roots]
    while len(splits := levels[-1][is_split[levels[-1]]]):
        levels.append(np.append(left[splits], right[splits]))
    # Of the splits below each node, and it. There is a leaf more.
    n_splits = is_split.astype(np.int64)
    for nodes in reversed(levels):
        splits = nodes[is_split[nodes]]
        n_splits[splits] += n_splits[left[splits]] + n_splits[right[splits]]
    split, leaf = np.empty_like(n_splits), np.empty_like(n_splits)
    split[roots] = np.cumsum(n_splits[roots]) - n_splits[roots]
    leaf[roots] = split[roots] + np.arange(len(roots))
    first_leaf = leaf[roots]
    for nodes in levels:
        splits = nodes[is_split[nodes]]
        of_left = n_splits[left[splits]]
        split[left[splits]] = split[splits] + 1
        split[right[splits]] = split[splits] + 1 + of_left
        leaf[left[splits]] = leaf[splits]
        leaf[right[splits]] = leaf[splits] + of_left + 1
    # The leaf of a root has the last number in its tree.
    is_reversed = ~is_split[left[roots]]
    tree = forest.tree
    reverse = 2 * first_leaf[tree] + n_splits[roots][tree] - leaf
    leaf = np.where(is_reversed[tree], reverse, leaf)
    return np.where(is_split, split, leaf)
