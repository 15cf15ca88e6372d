"""Depth-wise growth: its queue, and trees next to leaf-wise ones.

Whole trees are compared with the oracle's in test_growing.
"""

import numpy as np
import pytest

from sklearnx._cython.boosting.depthwise import Depthwise
from sklearnx._cython.boosting.frontier import list_batches
from tests.boosting.test_growing import Problem


def list_nodes(gains, n_before_pop, max_leaf_nodes=0):
    frontier = Depthwise(max_leaf_nodes=max_leaf_nodes, max_depth=0)
    batches = list_batches(frontier, np.array(gains, dtype=float), n_before_pop)
    return [batch.tolist() for batch in batches]


def test_a_batch_is_all_that_waits():
    assert list_nodes([1, 5, 2, 4, 3], 2) == [[0, 1], [2, 3], [4]]


def test_the_last_level_is_split_where_it_gains_most():
    assert list_nodes([1, 5, 2, 5, 4, 5], 6, 4) == [[1, 3, 5]]
    assert list_nodes([1, 5, 2, 5, 4, 5], 6, 3) == [[1, 3]]
    assert list_nodes([1, 5, 2, 5, 4, 5], 6, 6) == [[1, 2, 3, 4, 5]]
    assert list_nodes([1, 5, 2, 5, 4, 5], 3, 6) == [[0, 1, 2], [3, 5]]


def list_splits(nodes, stats):
    """Return the splits and the leaves of a tree from left to right, depth first."""
    found, waiting = [], [0]
    while waiting:
        i = waiting.pop()
        keys = ("feature", "missing_left", "value")
        found.append(
            (*(nodes[i][key] for key in keys), stats[i]["gain"], stats[i]["n_samples"])
        )
        if nodes[i]["feature"] >= 0:
            waiting += [nodes[i]["left"] + 1, nodes[i]["left"]]
    return found


@pytest.mark.parametrize("max_depth", [0, 1, 4])
def test_without_limit_of_leaves_it_is_the_leafwise_tree(max_depth):
    problem = Problem(700, [20, 300, 12, 7], [2], weights="integer")
    trees = []
    for grow_policy in ("leafwise", "depthwise"):
        nodes, stats, _ = problem.check(
            grow_policy=grow_policy,
            max_leaf_nodes=0,
            max_depth=max_depth,
            min_samples_leaf=4,
            monotonic_cst=np.array([0, 1, 0, 0], dtype=np.int8),
        )
        trees.append(list_splits(nodes, stats))
    assert trees[0] == trees[1]
    assert len(trees[0]) >= 3


@pytest.mark.parametrize("max_leaf_nodes", [2, 5, 12, 31])
def test_levels_are_filled_one_after_the_other(max_leaf_nodes):
    problem = Problem(2000, [30, 40, 50])
    nodes, stats, _ = problem.check(
        grow_policy="depthwise", max_leaf_nodes=max_leaf_nodes, min_samples_leaf=2
    )
    # Nodes are numbered level by level, and from left to right.
    assert (np.diff(stats["depth"]) >= 0).all()
    is_split = nodes["feature"] >= 0
    assert (np.diff(nodes["left"][is_split]) == 2).all()
    assert (~is_split).sum() == max_leaf_nodes
    assert stats["depth"].max() == np.ceil(np.log2(max_leaf_nodes))
