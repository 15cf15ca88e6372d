"""Counts of levels and codes in the place of others, against loops over rows."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearnx._cython.boosting.levels import count_levels, replace_codes

DTYPES = [np.int8, np.int16, np.int32, np.int64]


def count_naively(codes, table, n_levels, weights):
    """The exact sums of weights, and the first rows."""
    sums, first_rows = [Fraction(0)] * n_levels, [len(codes)] * n_levels
    for row, code in enumerate(codes.tolist()):
        level = table[code]
        if level < 0 or weights[row] == 0:
            continue
        sums[level] += Fraction(float(weights[row]))
        first_rows[level] = min(first_rows[level], row)
    return sums, first_rows


def make_columns(rng, n_rows, n_values, dtype=np.int64):
    """Some values have no level, some share one, and many rows the first value."""
    n_levels = n_values // 2 + 1
    table = rng.integers(-1, n_levels, size=n_values + 1).astype(np.int32)
    table[-1] = -1
    codes = rng.integers(-1, n_values, size=n_rows).astype(dtype)
    codes[rng.random(n_rows) < 0.5] = 0
    return codes, table, n_levels


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 1000, 40_000])
@pytest.mark.parametrize("weighting", ["none", "integer", "zeros"])
def test_columns_of_all_widths(weighting, n_rows, n_threads):
    rng = np.random.default_rng(n_rows)
    n_values = [1, 100, 1000, 1001, 3000]
    dtypes = [np.int8, np.int8, np.int16, np.int32, np.int64]
    columns, tables, n_levels = zip(
        *(make_columns(rng, n_rows, n, dtype) for n, dtype in zip(n_values, dtypes))
    )
    weights = None
    if weighting != "none":
        weights = rng.integers(0 if weighting == "zeros" else 1, 4, size=n_rows) * 1.0
    counts, first_rows = count_levels(columns, tables, n_levels, weights, n_threads)
    ones = np.ones(n_rows)
    for i, column in enumerate(columns):
        expected, expected_rows = count_naively(
            column, tables[i], n_levels[i], ones if weights is None else weights
        )
        # Weights are scaled by a power of two.
        scale = Fraction(int(counts[i].sum())) / (sum(expected) or 1)
        assert counts[i].tolist() == [scale * value for value in expected]
        assert first_rows[i].tolist() == expected_rows
        assert weights is not None or counts[i].tolist() == expected

    replaced = replace_codes(columns, tables, n_threads)
    for column, table, codes in zip(columns, tables, replaced):
        assert codes.dtype == np.int32
        assert_array_equal(codes, table[column])


@pytest.mark.parametrize("magnitude", [-1074, -600, 0, 600, 1000])
def test_real_weights_of_any_magnitude(magnitude):
    rng = np.random.default_rng(0)
    codes, table, n_levels = make_columns(rng, 300, 6)
    weights = np.ldexp(np.rint(rng.uniform(1, 2**20, size=300)), magnitude)
    counts, first_rows = count_levels([codes], [table], [n_levels], weights, 1)
    expected, expected_rows = count_naively(codes, table, n_levels, weights)
    has_level = table[codes] >= 0
    # The sum of all has 53 bits at most.
    shift = (
        53 - np.frexp(weights[has_level].max())[1] - int(has_level.sum()).bit_length()
    )
    scale = Fraction(2) ** int(shift)
    assert counts[0].tolist() == [scale * value for value in expected]
    assert first_rows[0].tolist() == expected_rows


def test_rows_without_level_do_not_set_the_scale():
    table = np.array([0, -1, -1], dtype=np.int32)
    codes = np.array([0, 1, -1, 0, 0])
    weights = np.array([1.0, 2.0**200, 2.0**200, 3.0, 0.0])
    counts, first_rows = count_levels([codes], [table], [1], weights, 1)
    assert counts[0][0] == 4 * 2 ** (53 - 2 - 2)
    assert first_rows[0][0] == 0


def test_many_threads_find_the_same():
    rng = np.random.default_rng(0)
    made = [make_columns(rng, 100_000, 20, dtype) for dtype in DTYPES * 3]
    columns, tables, n_levels = zip(*made)
    weights = rng.exponential(size=100_000)
    alone = count_levels(columns, tables, n_levels, weights, 1)
    together = count_levels(columns, tables, n_levels, weights, 4)
    for found, again in zip(alone, together):
        for one, other in zip(found, again, strict=True):
            assert_array_equal(one, other)
    for one, other in zip(
        replace_codes(columns, tables, 1), replace_codes(columns, tables, 4)
    ):
        assert_array_equal(one, other)


@pytest.mark.parametrize("weights", [None, np.zeros(3), np.ones(3)])
def test_nothing_to_count(weights):
    nothing = np.array([-1], dtype=np.int32)
    missing = np.full(3, -1)
    counts, first_rows = count_levels(
        [missing, missing],
        [nothing, np.array([0, -1], dtype=np.int32)],
        [0, 1],
        weights,
        1,
    )
    assert [values.tolist() for values in counts] == [[], [0]]
    assert [rows.tolist() for rows in first_rows] == [[], [3]]
    assert replace_codes([missing], [nothing], 1)[0].tolist() == [-1, -1, -1]
    assert replace_codes([], [], 1) == []


def test_read_only_codes():
    codes = np.array([1, 0, -1], dtype=np.int8)
    codes.flags.writeable = False
    table = np.array([5, 7, -1], dtype=np.int32)
    assert replace_codes([codes], [table], 1)[0].tolist() == [7, 5, -1]
