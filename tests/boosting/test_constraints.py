"""Bounds on the values of leaves that a loss has refitted."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearnx._boosting.constraints import clip_refitted_leaves
from sklearnx._cython.boosting.collecting import NODE_DTYPE


def make_tree(rng, n_splits, n_features):
    """Nodes of a random tree, in the order that trees grow in, and their rows."""
    feature, left, n_rows = [-1], [0], [1000.0]
    for _ in range(n_splits):
        leaves = [node for node in range(len(feature)) if feature[node] < 0]
        node = int(rng.choice(leaves))
        feature[node], left[node] = int(rng.integers(n_features)), len(feature)
        share = rng.uniform(0.1, 0.9)
        feature += [-1, -1]
        left += [0, 0]
        n_rows += [share * n_rows[node], (1 - share) * n_rows[node]]
    nodes = np.zeros(len(feature), dtype=NODE_DTYPE)
    nodes["feature"], nodes["left"] = feature, left
    return nodes, np.array(n_rows)


def find_leaves_below(nodes, node):
    if nodes["feature"][node] < 0:
        return [node]
    left = nodes["left"][node]
    return find_leaves_below(nodes, left) + find_leaves_below(nodes, left + 1)


@pytest.mark.parametrize("seed", range(20))
def test_no_leaf_crosses_a_constrained_split(seed):
    rng = np.random.default_rng(seed)
    nodes, weights = make_tree(rng, n_splits=15, n_features=4)
    monotonic_cst = np.array([1, -1, 0, 0], dtype=np.int8)
    leaf_nodes = rng.permutation(np.flatnonzero(nodes["feature"] < 0))
    values = rng.normal(size=len(leaf_nodes))
    clipped = clip_refitted_leaves(nodes, weights, monotonic_cst, leaf_nodes, values)
    value_of = dict(zip(leaf_nodes.tolist(), clipped.tolist()))
    for node in np.flatnonzero(nodes["feature"] >= 0):
        cst = monotonic_cst[nodes["feature"][node]]
        left, right = (
            [value_of[leaf] for leaf in find_leaves_below(nodes, child)]
            for child in (nodes["left"][node], nodes["left"][node] + 1)
        )
        if cst > 0:
            assert max(left) <= min(right)
        elif cst < 0:
            assert min(left) >= max(right)
    assert clipped.min() >= values.min() and clipped.max() <= values.max()


def test_values_that_obey_stay():
    nodes, weights = make_tree(np.random.default_rng(0), n_splits=1, n_features=1)
    leaf_nodes = np.array([2, 1])

    def clip(values, cst):
        cst = np.array([cst], dtype=np.int8)
        return clip_refitted_leaves(nodes, weights, cst, leaf_nodes, np.array(values))

    assert_array_equal(clip([5.0, -3.0], 1), [5.0, -3.0])
    assert_array_equal(clip([5.0, -3.0], 0), [5.0, -3.0])
    assert_array_equal(clip([5.0, -3.0], -1), [1.0, 1.0])
