"""Blocks of rows down trees by codes, against rows one by one."""

import numpy as np
import pytest

from sklearnx._cython.boosting.collecting import NODE_DTYPE
from sklearnx._cython.boosting.predicting import add_predictions, find_leaves
from tests.boosting import oracle
from tests.boosting._helpers import N_THREADS

N_ROWS = 700  # enough to be routed, and no whole number of blocks
N_LEVELS = 70


def make_forest(n_trees, n_splits, n_features, categorical=(), decimals=1, seed=0):
    """Return the flat arrays of some random trees, children behind their parents."""
    rng = np.random.default_rng(seed)
    trees, words, offsets = [], [np.empty(0, dtype=np.uint32)], [0]
    for _ in range(n_trees):
        nodes = np.zeros(2 * n_splits + 1, dtype=NODE_DTYPE)
        nodes["feature"] = nodes["bitset"] = -1
        nodes["value"] = rng.normal(size=len(nodes))
        for i in range(n_splits):
            leaf = rng.choice(np.flatnonzero(nodes["feature"][: 2 * i + 1] < 0))
            feature = rng.integers(0, n_features)
            nodes["feature"][leaf] = feature
            nodes["left"][leaf] = 2 * i + 1
            nodes["missing_left"][leaf] = rng.integers(0, 2)
            nodes["value"][leaf] = np.round(rng.normal(), decimals)
            if feature in categorical:
                nodes["bitset"][leaf] = sum(map(len, words))
                words.append(rng.integers(0, 2**32, size=3, dtype=np.uint32))
        trees.append(nodes)
        offsets.append(offsets[-1] + len(nodes))
    return np.concatenate(trees), np.array(offsets), np.concatenate(words)


def make_rows(n_features, categorical=(), missing=0.05, dtype=np.float64, decimals=1):
    rng = np.random.default_rng(1)
    X = np.round(rng.normal(size=(N_ROWS, n_features)), decimals).astype(dtype)
    for feature in categorical:
        X[:, feature] = rng.integers(0, N_LEVELS, size=N_ROWS)
    for value, share in ((np.nan, missing), (np.inf, 0.02), (-np.inf, 0.02)):
        is_other = rng.random(X.shape) < share
        if value == value:
            is_other[:, list(categorical)] = False
        X[is_other] = value
    return X


CASES = {
    # Trees, splits, features, categorical ones, decimals of thresholds.
    "narrow": (20, 30, 6, (), 1),
    "categories": (20, 30, 6, (1, 4), 1),
    "categories alone": (8, 30, 2, (0, 1), 1),
    "codes of two bytes": (40, 30, 2, (), 5),
    "codes of two bytes and categories": (40, 30, 3, (1,), 5),
    "as many nodes as a byte tells": (5, 127, 6, (2,), 1),
    "one node more": (5, 128, 6, (2,), 1),
    "stumps": (10, 1, 6, (), 1),
    "single leaves": (10, 0, 6, (), 1),
    "more columns than trees": (2, 30, 20, (), 1),
}


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("missing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_leaves_and_sums(case, dtype, missing, n_threads):
    n_trees, _, n_features, categorical, decimals = CASES[case]
    nodes, offsets, bitsets = make_forest(*CASES[case])
    X = make_rows(n_features, categorical, missing, dtype, decimals)
    forest = nodes.view(np.uint8), offsets, bitsets
    leaves = np.full((N_ROWS, n_trees), -1, dtype=np.int32)
    find_leaves(*forest, X, leaves, n_threads)
    one_by_one = np.empty_like(leaves)
    for row in range(N_ROWS):
        find_leaves(*forest, X[row : row + 1], one_by_one[row : row + 1], 1)
    np.testing.assert_array_equal(leaves, one_by_one)
    for t in range(n_trees):
        tree = nodes[offsets[t] : offsets[t + 1]]
        for row in range(0, N_ROWS, 97):
            assert leaves[row, t] == oracle.find_leaf(tree, bitsets, X[row])
    raw = np.zeros((2, N_ROWS))
    add_predictions(*forest, X, raw, n_threads)
    expected = np.zeros_like(raw)
    for t in range(n_trees):  # in this order: sums of doubles
        expected[t % 2] += nodes["value"][offsets[t] + leaves[:, t]]
    np.testing.assert_array_equal(raw, expected)


def test_parts_of_a_forest():
    nodes, offsets, bitsets = make_forest(20, 30, 6, (1,))
    X = make_rows(6, (1,))
    whole, parts = np.zeros((1, N_ROWS)), np.zeros((1, N_ROWS))
    add_predictions(nodes.view(np.uint8), offsets, bitsets, X, whole, 1)
    for first, last in ((0, 7), (7, 20)):
        some = offsets[first : last + 1]
        add_predictions(nodes.view(np.uint8), some, bitsets, X, parts, 1)
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_thresholds_between_neighbours(dtype):
    # Of float32 values, those next to thresholds that only float64 has.
    rng = np.random.default_rng(0)
    values = np.unique(rng.normal(size=100).astype(dtype))
    n_trees = len(values)
    nodes = np.zeros(3 * n_trees, dtype=NODE_DTYPE)
    nodes["feature"], nodes["bitset"] = np.tile([0, -1, -1], n_trees), -1
    nodes["left"][::3] = 1
    nodes["value"][::3] = np.nextafter(values.astype(np.float64), np.inf)
    X = np.concatenate(
        [np.nextafter(values, dtype(to)) for to in (-np.inf, np.inf)] + [values] * 2
    )[:, np.newaxis]
    leaves = np.empty((len(X), n_trees), dtype=np.int32)
    find_leaves(
        nodes.view(np.uint8),
        3 * np.arange(n_trees + 1),
        np.empty(0, dtype=np.uint32),
        X,
        leaves,
        1,
    )
    is_right = X.astype(np.float64) > nodes["value"][::3]
    np.testing.assert_array_equal(leaves, 1 + is_right)
