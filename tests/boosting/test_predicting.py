"""Rows through trees against following them node by node."""

import itertools

import numpy as np
import pytest

from sklearnx._cython.boosting.collecting import NODE_DTYPE
from sklearnx._cython.boosting.predicting import (
    add_partial_dependence,
    add_predictions,
    find_leaves,
)
from tests.boosting import oracle
from tests.boosting._helpers import N_THREADS

N_LEVELS = 70  # three words of a bit set
FEATURES = {"numeric": (0, 1), "categorical": (2, 3)}


def make_tree(rng, n_splits, n_words):
    """Return nodes and bit sets of a random tree; `n_words` of others come before."""
    nodes = np.zeros(2 * n_splits + 1, dtype=NODE_DTYPE)
    nodes["feature"] = nodes["bitset"] = -1
    nodes["value"] = rng.normal(size=len(nodes))
    bitsets = []
    for i in range(n_splits):
        leaf = rng.choice(np.flatnonzero(nodes["feature"][: 2 * i + 1] < 0))
        kind = rng.choice(list(FEATURES))
        nodes["feature"][leaf] = rng.choice(FEATURES[kind])
        nodes["left"][leaf] = 2 * i + 1
        nodes["missing_left"][leaf] = rng.integers(0, 2)
        nodes["value"][leaf] = np.round(rng.normal(), 1)
        if kind == "categorical":
            nodes["bitset"][leaf] = n_words + 3 * len(bitsets)
            bitsets.append(rng.integers(0, 2**32, size=3, dtype=np.uint32))
    bitsets = np.concatenate(bitsets) if bitsets else np.empty(0, dtype=np.uint32)
    return nodes, bitsets


def make_forest(n_trees, seed=0):
    """Return the flat arrays of some trees, one of them a single leaf."""
    rng = np.random.default_rng(seed)
    trees, words, sizes = [], [np.empty(0, dtype=np.uint32)], [0]
    for t in range(n_trees):
        nodes, bitsets = make_tree(rng, 0 if t == 1 else 20, sum(map(len, words)))
        trees.append(nodes)
        words.append(bitsets)
        sizes.append(len(nodes))
    return np.concatenate(trees), np.cumsum(sizes), np.concatenate(words)


def make_rows(n_rows, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    X = np.empty((n_rows, 5), dtype=dtype)
    X[:, [0, 1, 4]] = np.round(rng.normal(size=(n_rows, 3)), 1)
    X[:, [2, 3]] = rng.integers(0, N_LEVELS, size=(n_rows, 2))
    X[rng.random(X.shape) < 0.05] = np.nan
    X[rng.random(n_rows) < 0.02, 0] = np.inf
    X[rng.random(n_rows) < 0.02, 1] = -np.inf
    return X


def find_slowly(nodes, offsets, bitsets, X):
    leaves = np.empty((len(X), len(offsets) - 1), dtype=np.int32)
    for t in range(leaves.shape[1]):
        tree = nodes[offsets[t] : offsets[t + 1]]
        leaves[:, t] = [oracle.find_leaf(tree, bitsets, x) for x in X]
    return leaves


def predict(nodes, offsets, bitsets, X, n_outputs=1, n_threads=1):
    raw = np.tile(np.arange(n_outputs, dtype=float)[:, np.newaxis], len(X))
    add_predictions(nodes.view(np.uint8), offsets, bitsets, X, raw, n_threads)
    return raw


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [0, 1, 255, 256, 257, 1100])
def test_leaves_and_predictions(n_rows, dtype, n_threads):
    forest = nodes, offsets, bitsets = make_forest(6)
    X = make_rows(n_rows, dtype)
    X.flags.writeable = False
    expected = find_slowly(*forest, X)
    leaves = np.full((n_rows, 6), -1, dtype=np.int32)
    find_leaves(nodes.view(np.uint8), offsets, bitsets, X, leaves, n_threads)
    np.testing.assert_array_equal(leaves, expected)
    for n_outputs in (1, 2, 3):
        raw = np.tile(np.arange(n_outputs, dtype=float)[:, np.newaxis], n_rows)
        for t in range(6):  # in this order: sums of doubles
            raw[t % n_outputs] += nodes["value"][offsets[t] + expected[:, t]]
        got = predict(*forest, X, n_outputs, n_threads)
        np.testing.assert_array_equal(got, raw)


def test_no_trees():
    nodes, _, bitsets = make_forest(1)
    X = make_rows(10)
    offsets = np.zeros(1, dtype=np.int64)
    np.testing.assert_array_equal(predict(nodes, offsets, bitsets, X), 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_around_a_threshold(dtype):
    nodes = np.zeros(3, dtype=NODE_DTYPE)
    nodes["feature"], nodes["bitset"] = [0, -1, -1], -1
    nodes["left"], nodes["value"] = [1, 0, 0], [0, 10, 20]
    offsets, bitsets = np.array([0, 3]), np.empty(0, dtype=np.uint32)
    value = dtype(1 / 3)
    low, high = (np.nextafter(value, dtype(to)) for to in (-np.inf, np.inf))
    X = np.array([[low], [value], [high], [-np.inf], [np.inf]])

    def predict_at(threshold):
        nodes["value"][0] = threshold
        return predict(nodes, offsets, bitsets, X)[0].tolist()

    assert predict_at(value) == [10, 10, 20, 10, 20]
    # Between two values, where float32 has no number.
    assert predict_at(float(low) / 2 + float(value) / 2) in (
        [10, 20, 20, 10, 20],  # float32
        [10, 10, 20, 10, 20],  # float64: it is one of the two
    )
    assert predict_at(np.inf) == [10, 10, 10, 10, 10]
    assert predict_at(np.finfo(np.float64).max) == [10, 10, 10, 10, 20]


@pytest.mark.parametrize("missing_left", [0, 1])
def test_missing_values(missing_left):
    nodes = np.zeros(3, dtype=NODE_DTYPE)
    nodes["feature"], nodes["bitset"] = [0, -1, -1], [0, -1, -1]
    nodes["left"], nodes["value"] = [1, 0, 0], [0, 10, 20]
    nodes["missing_left"][0] = missing_left
    bitsets = np.array([0b10, 1 << 31, 0], dtype=np.uint32)
    X = np.array([[0.0], [1.0], [2.0], [31.0], [63.0], [np.nan]])
    raw = predict(nodes, np.array([0, 3]), bitsets, X)[0]
    assert raw.tolist() == [20, 10, 20, 20, 10, 10 if missing_left else 20]


@pytest.mark.parametrize("targets", [[0], [2], [1, 3], [0, 1, 2, 3]])
def test_partial_dependence(targets):
    nodes, offsets, bitsets = make_forest(6)
    rng = np.random.default_rng(0)
    grid = make_rows(40)[:, targets].copy()
    targets = np.array(targets, dtype=np.int32)

    def average(tree, n_samples, i, x):
        node, left = tree[i], int(tree["left"][i])
        if node["feature"] < 0:
            return node["value"]
        if node["feature"] in targets:
            row = np.zeros(5)
            row[targets] = x
            stump = np.zeros(3, dtype=NODE_DTYPE)
            stump[0], stump["feature"][1:] = node, -1
            stump["left"][0] = 1
            child = left + oracle.find_leaf(stump, bitsets, row) - 1
            return average(tree, n_samples, child, x)
        share = n_samples[left] / n_samples[i]
        return share * average(tree, n_samples, left, x) + (1 - share) * average(
            tree, n_samples, left + 1, x
        )

    for start, stop in itertools.pairwise(offsets):
        tree = nodes[start:stop]
        n_samples = np.zeros(len(tree), dtype=np.int64)
        n_samples[tree["feature"] < 0] = rng.integers(1, 9, (tree["feature"] < 0).sum())
        for i in np.flatnonzero(tree["feature"] >= 0)[::-1]:
            n_samples[i] = n_samples[tree["left"][i] : tree["left"][i] + 2].sum()
        averages = np.full(len(grid), 0.5)
        add_partial_dependence(
            tree.view(np.uint8), n_samples, bitsets, grid, targets, averages
        )
        expected = [0.5 + average(tree, n_samples, 0, x) for x in grid]
        np.testing.assert_allclose(averages, expected, rtol=1e-12)
