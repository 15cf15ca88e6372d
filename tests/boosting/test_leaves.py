"""Sums of the gradients of leaves, against sums of the same integers in NumPy."""

import numpy as np
import pytest

from sklearnx._cython.boosting.leaves import sum_gradients
from tests.boosting._helpers import N_THREADS, make_quantized

# Rows that are visited at a time, and rows of a task.
CHUNK, TASK = 1 << 13, 1 << 16


@pytest.mark.parametrize("n_rows", [1, 100, CHUNK - 1, CHUNK + 1, TASK, 2 * TASK + 5])
@pytest.mark.parametrize("weights", [None, "integer", "real"])
@pytest.mark.parametrize("has_hessians", [True, False])
@pytest.mark.parametrize("has_own_terms", [True, False])
def test_sums_are_those_of_integers(n_rows, weights, has_hessians, has_own_terms):
    rng = np.random.default_rng(n_rows)
    # Fewer have no terms of their own for leaves, but the same integers.
    n_all = max(n_rows, CHUNK) if has_own_terms else n_rows
    hessians = rng.uniform(0, 0.25, n_all) if has_hessians else None
    if weights is not None:
        is_integer = weights == "integer"
        weights = rng.integers(1, 4, n_all) if is_integer else rng.random(n_all) + 0.1
        weights = weights.astype(float)
    quantized = make_quantized(rng.normal(size=n_all), hessians, weights)
    leaf = rng.integers(0, 5, n_all)
    leaf[leaf == 3] = 2  # one leaf has no rows
    drawn = np.flatnonzero(rng.random(n_rows) < 0.9)
    if not len(drawn):
        drawn = np.arange(n_rows)
    rows = drawn[np.argsort(leaf[drawn], kind="stable")].astype(np.uint32)
    offsets = np.append(0, np.cumsum(np.bincount(leaf[drawn], minlength=5)))
    expected = np.zeros((5, 2), dtype=np.int64)
    np.add.at(expected[:, 0], leaf[drawn], quantized.leaf_gradients[drawn])
    np.add.at(expected[:, 1], leaf[drawn], quantized.leaf_hessians[drawn])
    for n_threads in N_THREADS:
        sums = sum_gradients(quantized, rows, offsets.astype(np.int64), n_threads)
        np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize("n_leaves", [CHUNK // 4, CHUNK // 4 + 1, 30_000, 100_000])
def test_many_leaves(n_leaves):
    # Chunks and tasks that grow with the number of leaves, and no leaf left out.
    n_rows = 2 * TASK + 5
    rng = np.random.default_rng(n_leaves)
    quantized = make_quantized(rng.normal(size=n_rows))
    leaf = rng.integers(0, n_leaves, n_rows)
    rows = np.argsort(leaf, kind="stable").astype(np.uint32)
    offsets = np.append(0, np.cumsum(np.bincount(leaf, minlength=n_leaves)))
    expected = np.zeros((n_leaves, 2), dtype=np.int64)
    np.add.at(expected[:, 0], leaf, quantized.leaf_gradients)
    np.add.at(expected[:, 1], leaf, quantized.leaf_hessians)
    for n_threads in N_THREADS:
        sums = sum_gradients(quantized, rows, offsets.astype(np.int64), n_threads)
        np.testing.assert_array_equal(sums, expected)
