"""Training rows down a tree by their codes, against their values on another way."""

import numpy as np
import pytest

from sklearnx._cython.boosting.binned_predicting import (
    add_node_values,
    find_binned_leaves,
)
from sklearnx._cython.boosting.growing import TreeGrower
from sklearnx._cython.boosting.predicting import find_leaves
from tests.boosting._helpers import (
    N_THREADS,
    make_codes,
    make_edges,
    make_matrix,
    make_quantized,
)

# Bins and which features are categories: narrow, wide in 16 and in 32 bits.
SHAPES = {
    "narrow": ([5, 255, 40, 1], [2]),
    "wide": ([300, 1000], [1]),
    "both": ([5, 300, 40, 60_000], [2, 3]),
    "32 bits": ([5, 70_000], [1]),
}


def grow(shape, n_rows, missing=0.1, max_leaf_nodes=31):
    n_bins, categorical = SHAPES[shape]
    rng = np.random.default_rng(0)
    codes = make_codes(rng, n_rows, n_bins, missing)
    if n_bins[-1] > 1000:
        # A few frequent levels far apart.
        levels = np.array([0, 31, 32, n_bins[-1] - 1, n_bins[-1]])
        codes[:, -1] = rng.choice(levels, size=n_rows)
    is_categorical = np.isin(np.arange(len(n_bins)), categorical)
    matrix = make_matrix(codes, n_bins, is_categorical)
    effects = [rng.normal(size=n + 1) for n in n_bins]
    gradients = sum(e[c] for e, c in zip(effects, codes.T, strict=True))
    # Half of the rows, so that others come to nodes that had no missing value.
    rows = np.flatnonzero(rng.random(n_rows) < 0.5).astype(np.uint32)
    rows = rows if len(rows) else np.zeros(1, dtype=np.uint32)
    grower = TreeGrower(
        matrix, make_edges(n_bins), min_samples_leaf=1, max_leaf_nodes=max_leaf_nodes
    )
    tree = grower.grow(make_quantized(gradients), 0, rows)
    return matrix, tree, np.where(codes == n_bins, np.nan, codes.astype(float))


def find_both(matrix, tree, X, n_threads=1):
    """Return the leaves by codes and by values."""
    nodes, stats, bitsets = tree
    by_code = np.full(len(X), -1, dtype=np.int32)
    bins = np.ascontiguousarray(stats["bin"])
    find_binned_leaves(matrix, nodes.view(np.uint8), bins, bitsets, by_code, n_threads)
    by_value = np.empty((len(X), 1), dtype=np.int32)
    offsets = np.array([0, len(nodes)], dtype=np.int64)
    find_leaves(nodes.view(np.uint8), offsets, bitsets, X, by_value, 1)
    return by_code, by_value[:, 0]


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("missing", [0, 0.1, 0.9])
@pytest.mark.parametrize("shape", SHAPES)
def test_leaves(shape, missing, n_threads):
    by_code, by_value = find_both(*grow(shape, 20_000, missing), n_threads)
    assert len(np.unique(by_value)) > 20
    np.testing.assert_array_equal(by_code, by_value)


@pytest.mark.parametrize("n_rows", [1, 2, 7, 8, 9, 17])
@pytest.mark.parametrize("shape", SHAPES)
def test_few_rows(shape, n_rows):
    by_code, by_value = find_both(*grow(shape, n_rows))
    np.testing.assert_array_equal(by_code, by_value)


@pytest.mark.parametrize("shape", SHAPES)
def test_deep_and_single_trees(shape):
    for max_leaf_nodes in (0, 2):
        matrix, tree, X = grow(shape, 3000, max_leaf_nodes=max_leaf_nodes)
        by_code, by_value = find_both(matrix, tree, X)
        np.testing.assert_array_equal(by_code, by_value)
    leaf = tree[0][:1].copy(), tree[1][:1].copy(), tree[2][:0]
    leaf[0]["feature"] = -1
    assert not find_both(matrix, leaf, X)[0].any()


@pytest.mark.parametrize("n_threads", N_THREADS)
def test_add_node_values(n_threads):
    rng = np.random.default_rng(0)
    leaves = rng.integers(0, 31, size=50_000, dtype=np.int32)
    values, raw = rng.normal(size=31), rng.normal(size=50_000)
    expected = raw + values[leaves]
    add_node_values(leaves, values, raw, n_threads)
    np.testing.assert_array_equal(raw, expected)
