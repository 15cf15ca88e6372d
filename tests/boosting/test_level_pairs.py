"""Numbers of pairs of levels against NumPy's, and pairs that no row had."""

import numpy as np
import pytest

from sklearnx._cython.boosting.level_pairs import find_pairs, number_pairs
from tests.boosting._helpers import N_THREADS

UNKNOWN = -2


def draw_columns(n_rows, n_levels, random_state=0):
    rng = np.random.default_rng(random_state)
    return [rng.integers(-1, n, n_rows).astype(np.int32) for n in n_levels]


@pytest.mark.parametrize("n_rows", [1, 2, 500])
@pytest.mark.parametrize("n_levels", [(3, 5), (200, 4), (1, 1), (0, 7), (1000, 1000)])
def test_pairs(n_rows, n_levels):
    columns = draw_columns(n_rows, n_levels)
    pairs = [tuple(columns), tuple(columns[::-1]), (columns[0], columns[0])]
    sizes = [n_levels, n_levels[::-1], (n_levels[0], n_levels[0])]
    others = draw_columns(300, n_levels, random_state=1)
    other_pairs = [tuple(others), tuple(others[::-1]), (others[0], others[0])]
    for n_threads in N_THREADS:
        codes, tables = number_pairs(pairs, sizes, n_threads)
        found = find_pairs(other_pairs, tables, UNKNOWN, n_threads)
        again = find_pairs(pairs, tables, UNKNOWN, n_threads)
        for k, (first, second) in enumerate(pairs):
            keys = first.astype(np.int64) * 10_000 + second
            distinct, expected = np.unique(keys, return_inverse=True)
            np.testing.assert_array_equal(codes[k], expected)
            np.testing.assert_array_equal(again[k], expected)
            assert len(tables[k][1]) == tables[k][0][-1] == len(distinct)
            keys = other_pairs[k][0].astype(np.int64) * 10_000 + other_pairs[k][1]
            expected = [
                np.searchsorted(distinct, key) if key in distinct else UNKNOWN
                for key in keys
            ]
            np.testing.assert_array_equal(found[k], expected)


def test_no_pairs():
    assert number_pairs([], []) == ([], [])
    assert find_pairs([], [], UNKNOWN) == []
