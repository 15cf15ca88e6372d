"""Rows of a node go to its children, in their order."""

import numpy as np
import pytest

from sklearnx._cython.boosting.partition import split
from tests.boosting._helpers import N_THREADS, make_codes, make_matrix

ROWS_PER_CHUNK = 2**15


def check_split(matrix, codes, feature, goes_left, rows, n_threads):
    got = rows.astype(np.uint32)
    n_left = split(matrix, feature, goes_left, got, n_threads)
    left = goes_left[codes[rows, feature]] == 1
    assert n_left == left.sum()
    np.testing.assert_array_equal(got[:n_left], rows[left])
    np.testing.assert_array_equal(got[n_left:], rows[~left])


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize(
    "n_bins", [[2, 255], [255, 256], [65_535], [65_536, 3], [70_000, 300, 5]]
)
def test_widths(n_bins, n_threads):
    rng = np.random.default_rng(0)
    codes = make_codes(rng, 3 * ROWS_PER_CHUNK + 5, n_bins)
    matrix = make_matrix(codes, n_bins)
    some = np.flatnonzero(rng.random(len(codes)) < 0.9)
    for feature, n in enumerate(n_bins):
        goes_left = rng.integers(0, 2, size=n + 1).astype(np.uint8)
        check_split(matrix, codes, feature, goes_left, some, n_threads)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(
    "n_rows",
    [0, 1, 2, *(ROWS_PER_CHUNK + i for i in (-1, 0, 1)), 2 * ROWS_PER_CHUNK],
)
def test_numbers_of_rows(n_rows, n_threads):
    rng = np.random.default_rng(0)
    codes = make_codes(rng, 2 * ROWS_PER_CHUNK, [4])
    matrix = make_matrix(codes, [4])
    goes_left = np.array([1, 0, 1, 0, 1], dtype=np.uint8)
    check_split(matrix, codes, 0, goes_left, np.arange(n_rows), n_threads)


@pytest.mark.parametrize("side", [0, 1])
def test_all_on_one_side(side):
    codes = make_codes(np.random.default_rng(0), 100_000, [4])
    goes_left = np.full(5, side, dtype=np.uint8)
    matrix = make_matrix(codes, [4])
    check_split(matrix, codes, 0, goes_left, np.arange(100_000), n_threads=3)
