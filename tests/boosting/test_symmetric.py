"""Symmetric growth: one split a level.

Whole trees are compared with the oracle's in test_growing.
"""

import numpy as np
import pytest

from sklearnx._cython.boosting.frontier import list_batches
from sklearnx._cython.boosting.symmetric import Symmetric
from tests.boosting._helpers import N_THREADS, make_matrix
from tests.boosting.test_growing import Problem


@pytest.mark.parametrize(
    "max_leaf_nodes, max_depth, n_levels",
    [(2, 0, 1), (3, 0, 1), (4, 0, 2), (31, 0, 4), (32, 0, 5), (31, 2, 2), (0, 3, 3)],
)
def test_number_of_levels(max_leaf_nodes, max_depth, n_levels):
    frontier = Symmetric(max_leaf_nodes=max_leaf_nodes, max_depth=max_depth)
    batches = list_batches(frontier, np.zeros(100), 4)
    assert [batch.tolist() for batch in batches] == [
        list(range(4 * level, 4 * level + 4)) for level in range(n_levels)
    ]
    problem = Problem(3000)
    arrays = problem.check(
        grow_policy="symmetric",
        max_leaf_nodes=max_leaf_nodes,
        max_depth=max_depth,
        min_samples_leaf=1,
    )
    splits = read_splits(*arrays, problem.n_bins)
    assert len(set(splits) - {None}) == n_levels
    assert arrays[1]["depth"].max() <= n_levels


def read_splits(nodes, stats, bitsets, n_bins):
    """Return for each node its split as something to compare, None for a leaf."""
    splits = []
    for node, stat in zip(nodes, stats, strict=True):
        if node["feature"] < 0:
            splits.append(None)
            continue
        n_words = n_bins[node["feature"]] // 32 + 1
        first = max(node["bitset"], 0)
        levels = () if node["bitset"] < 0 else bitsets[first : first + n_words].tolist()
        splits.append(
            (int(node["feature"]), int(stat["bin"]), int(node["missing_left"]), *levels)
        )
    return splits


def list_paths(nodes, splits):
    """Return the splits from the root to each leaf."""
    paths, waiting = [], [(0, ())]
    while waiting:
        i, path = waiting.pop()
        if splits[i] is None:
            paths.append(path)
            continue
        left = int(nodes[i]["left"])
        waiting += [(left, (*path, splits[i])), (left + 1, (*path, splits[i]))]
    return paths


OPTIONS = [
    {},
    {"min_samples_leaf": 1, "max_leaf_nodes": 64},
    {"min_samples_leaf": 60, "max_leaf_nodes": 0},
    {"l2_regularization": 5.0, "path_smoothing": 2.0},
    {"extra_trees": True, "max_features": 0.5},
    {"monotonic_cst": np.array([0, 1, 0, 0, -1], dtype=np.int8)},
    {
        "interaction_groups": np.array(
            [[1, 1, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 1, 1]], dtype=np.uint8
        ),
        "min_samples_leaf": 5,
    },
]


@pytest.mark.parametrize("missing", [0, 0.1])
@pytest.mark.parametrize("options", OPTIONS)
def test_one_split_a_level(options, missing):
    problem = Problem(1500, [20, 300, 12, 7, 40], [2, 3], missing=missing)
    for tree_idx in range(3 if options.get("extra_trees") else 1):
        nodes, stats, bitsets = problem.check(
            grow_policy="symmetric", tree_idx=tree_idx, **options
        )
        splits = read_splits(nodes, stats, bitsets, problem.n_bins)
        levels = list_levels(list_paths(nodes, splits))
        assert len(levels) <= np.log2(options.get("max_leaf_nodes", 31) or 2**31)
        leaves = stats["n_samples"][nodes["feature"] < 0]
        assert leaves.min() >= options.get("min_samples_leaf", 20)
        assert (stats["gain"][nodes["feature"] >= 0] > 0).all()


def list_levels(paths):
    """Return the splits in an order that all paths keep; there must be one.

    A path may leave out a split, of a node to which it brought nothing.
    """
    levels = []
    while any(paths):
        later = {split for path in paths for split in path[1:]}
        first = {path[0] for path in paths if path} - later
        assert first, "paths pass the splits in different orders"
        levels += first
        paths = [path[1:] if first.intersection(path[:1]) else path for path in paths]
    return levels


@pytest.mark.parametrize("extra_trees", [False, True])
@pytest.mark.parametrize("options", [{}, {"l1_regularization": 2.0}])
def test_one_level_is_the_leafwise_split(extra_trees, options):
    for seed in range(20):
        problem = Problem(200, [20, 300, 12, 7], [2], seed=seed)
        options = {"max_depth": 1, "extra_trees": extra_trees, "seed": seed, **options}
        alone = problem.grow_arrays(**options)
        shared = problem.grow_arrays(grow_policy="symmetric", **options)
        for array, expected in zip(shared, alone, strict=True):
            np.testing.assert_array_equal(array, expected)


def test_the_largest_sum_wins():
    # Alone each half would be split on a feature of its own; together they gain more by
    # the third one.
    codes = np.array(
        [[h, a, b, c] for h in (0, 1) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    ).repeat(10, axis=0)
    h, a, b, c = 2.0 * codes.T - 1
    problem = Problem(len(codes), [2] * 4, missing=0, has_hessians=False)
    problem.codes = codes
    problem.gradients = 10 * h + np.where(h < 0, 3 * a, 3 * b) + 2.5 * c
    problem.matrix = make_matrix(codes, problem.n_bins)
    options = {"max_depth": 2, "min_samples_leaf": 1}
    nodes, _, _ = problem.check(grow_policy="depthwise", **options)
    assert nodes["feature"].tolist() == [0, 1, 2, -1, -1, -1, -1]
    nodes, _, _ = problem.check(grow_policy="symmetric", **options)
    assert nodes["feature"].tolist() == [0, 3, 3, -1, -1, -1, -1]


def test_a_node_that_may_not_be_split_waits_for_the_next_level():
    # Nine of ten rows are on the left; the second split has too few rows on the right,
    # the third one has enough.
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, size=(1000, 3))
    codes[:, 0] = np.arange(1000) >= 900
    codes[900:915, 1], codes[915:, 1] = 0, 1
    problem = Problem(1000, [2] * 3, missing=0, has_hessians=False)
    problem.codes = codes
    problem.gradients = codes @ [100.0, 10.0, 1.0]
    problem.matrix = make_matrix(codes, problem.n_bins)
    nodes, stats, _ = problem.check(grow_policy="symmetric", max_depth=3)
    assert nodes["feature"].tolist()[:5] == [0, 1, 2, 2, 2]
    assert stats["depth"].max() == 3
    assert len(nodes) == 11


def test_missing_values_go_one_way_where_a_level_has_none():
    # In training no row lacks a value of feature 1; where the heavier child is in the
    # whole level decides, not in each node.
    codes = np.array([[0, 0]] * 30 + [[0, 1]] * 100 + [[1, 0]] * 90 + [[1, 1]] * 60)
    problem = Problem(len(codes), [2, 2], missing=0, has_hessians=False)
    problem.codes = codes
    problem.gradients = codes @ [10.0, 1.0]
    problem.matrix = make_matrix(codes, problem.n_bins)
    nodes, _, _ = problem.check(grow_policy="symmetric")
    assert nodes["feature"].tolist()[:3] == [0, 1, 1]
    assert nodes["missing_left"].tolist()[1:3] == [0, 0]
    nodes, _, _ = problem.check(grow_policy="depthwise")
    assert nodes["missing_left"].tolist()[1:3] == [0, 1]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("budget", [0, 10**5])
def test_histogram_budget(budget, n_threads):
    problem = Problem(3000, [30, 50, 300, 40, 40, 40], [1], missing=0)
    options = {"max_leaf_nodes": 256, "min_samples_leaf": 2}
    expected = problem.grow_arrays(grow_policy="symmetric", **options)
    arrays = problem.grow_arrays(
        grow_policy="symmetric",
        histogram_budget=budget,
        n_threads=n_threads,
        **options,
    )
    assert len(arrays[0]) > 100
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, other)


def test_second_tree_is_as_the_first():
    problem = Problem(3000, [20, 300, 6], [2])
    grower, first = problem.grow(grow_policy="symmetric", max_leaf_nodes=16)
    quantized = problem.make_quantized()
    other = grower.grow(quantized, 1, np.arange(0, 3000, 7, dtype=np.uint32))
    assert not np.array_equal(other[0], first[0])
    for array, expected in zip(grower.grow(quantized, 0), first, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_gains_beyond_the_largest_number():
    problem = Problem(300)
    problem.gradients *= 1e200
    nodes, _, _ = problem.grow_arrays(grow_policy="symmetric")
    assert len(nodes) == 1


@pytest.mark.parametrize("weights", ["none", "integer", "decades"])
def test_threads(weights):
    n_bins = [255] * 8 + [60_000, 300, 20]
    problem = Problem(60_000, n_bins, [8, 10], weights=weights)
    options = {"grow_policy": "symmetric", "max_leaf_nodes": 64, "max_features": 0.6}
    expected = None
    for n_threads in N_THREADS:
        grower, arrays = problem.grow(n_threads=n_threads, **options)
        arrays = (*arrays, grower.leaf_rows.copy())
        expected = expected or arrays
        for array, other in zip(arrays, expected, strict=True):
            np.testing.assert_array_equal(array, other)
