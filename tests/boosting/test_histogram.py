"""Histograms against sums one by one, at every width and beyond every limit."""

import numpy as np
import pytest

from sklearnx._cython.boosting.binning import count_codes, fill_rows
from sklearnx._cython.boosting.histogram import build
from tests.boosting import oracle
from tests.boosting._helpers import (
    N_THREADS,
    make_codes,
    make_matrix,
    make_quantized,
    read_histogram,
)

PACKED_MAX_ROWS = 2**13
PAIR_MAX_ROWS = 2**12
ROWS_PER_SLOT = 2**12
WEIGHTS = {
    "none": lambda rng, n: None,
    "integer": lambda rng, n: rng.integers(1, 5, size=n).astype(float),
    "real": lambda rng, n: rng.uniform(0.1, 3, size=n),
}


def check_build(codes, n_bins, gradients, hessians, weights, rows, n_threads=1):
    matrix = make_matrix(codes, n_bins)
    quantized = make_quantized(gradients, hessians, weights)
    histogram = build(matrix, quantized, rows.astype(np.uint32), n_threads)
    fixed = oracle.quantize(gradients, hessians, weights)
    expected = oracle.build_histogram(codes, n_bins, fixed, rows)
    for got, sums in zip(read_histogram(histogram, matrix), expected, strict=True):
        np.testing.assert_array_equal(got, sums)
    return quantized


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("has_hessians", [False, True])
@pytest.mark.parametrize(
    "n_bins",
    [
        [1],
        [5, 255, 2, 17, 100],  # a rest after blocks of four columns
        [255, 256],
        [256],  # no narrow feature
        [65_535, 3],
        [65_536, 300, 4],
        [70_000],
    ],
)
def test_widths(n_bins, has_hessians, kind):
    rng = np.random.default_rng(0)
    n_rows = 10_000
    codes = make_codes(rng, n_rows, n_bins)
    gradients = rng.normal(size=n_rows)
    hessians = rng.uniform(0.05, 0.25, size=n_rows) if has_hessians else None
    weights = WEIGHTS[kind](rng, n_rows)
    rows = np.flatnonzero(rng.random(n_rows) < 0.95)
    quantized = check_build(codes, n_bins, gradients, hessians, weights, rows)
    assert quantized.words.shape == (n_rows, 1)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("kind", ["none", "integer"])
@pytest.mark.parametrize("code", [0, 3, 4])
@pytest.mark.parametrize(
    "n_rows", [PACKED_MAX_ROWS - 1, PACKED_MAX_ROWS, PACKED_MAX_ROWS + 1, 45_001]
)
def test_all_rows_in_one_bin(n_rows, code, kind, sign):
    # The largest 12-bit values, of a number of rows at which a field that is not
    # flushed in time would flow over into its neighbour.
    gradients = np.full(n_rows, sign * (1 - 2.0**-20))
    hessians = np.full(n_rows, 1 - 2.0**-20)
    weights = None if kind == "none" else np.full(n_rows, 3.0)
    n_bins = [4, 4, 4, 4, 300]
    codes = np.full((n_rows, 5), code)
    codes[:, 4] = 300
    if n_rows < PACKED_MAX_ROWS and weights is None:
        # One row less than what narrow values are used for.
        gradients = np.append(gradients, gradients[:1])
        hessians = np.append(hessians, hessians[:1])
        codes = np.vstack([codes, codes[:1]])
    quantized = check_build(
        codes, n_bins, gradients, hessians, weights, np.arange(n_rows)
    )
    assert quantized.is_narrow
    fixed = oracle.quantize(gradients, hessians, weights)
    repeats = 1 if weights is None else 3
    assert np.abs(fixed.gradients).max() == repeats * (2**11 - 1)
    assert fixed.hessians.max() == repeats * (2**12 - 1)


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("kind", ["none", "integer", "real"])
@pytest.mark.parametrize(
    "n_rows", [PAIR_MAX_ROWS - 1, PAIR_MAX_ROWS, PAIR_MAX_ROWS + 1, 30_001]
)
def test_all_fine_values_in_one_bin(n_rows, kind, code):
    # Too heavy a tail for 12 bits, so that the largest 38-bit values meet in one bin.
    gradients = np.full(n_rows, -1 + 2.0**-30)
    hessians = np.full(n_rows, 1 - 2.0**-30)
    gradients[::1000] *= 1e-6
    gradients[0] = 2.0**20
    weights = WEIGHTS[kind](np.random.default_rng(0), n_rows)
    n_bins = [4, 300, 4]
    codes = np.full((n_rows, 3), code)
    quantized = check_build(
        codes, n_bins, gradients, hessians, weights, np.arange(n_rows)
    )
    assert quantized.words.shape == (n_rows, 2)
    fixed = oracle.quantize(gradients, hessians, weights)
    assert fixed.hessians.max() >= 2**37


@pytest.mark.parametrize("has_tail", [False, True])
@pytest.mark.parametrize("largest", [1, 2, 31, 32, 33, 100, 1000, 2**17])
def test_integer_weights(largest, has_tail):
    # In one word, in two, or too heavy for words.
    rng = np.random.default_rng(0)
    n_rows = 20_000
    n_bins = [3, 200, 300]
    weights = rng.integers(1, largest, size=n_rows, endpoint=True).astype(float)
    weights[rng.integers(0, n_rows)] = largest
    gradients = rng.normal(size=n_rows)
    if has_tail:
        gradients[0] = 1e7
    codes = make_codes(rng, n_rows, n_bins)
    codes[:, 0] = 1
    hessians = rng.uniform(0.05, 0.25, n_rows)
    quantized = check_build(
        codes, n_bins, gradients, hessians, weights, np.arange(n_rows)
    )
    assert quantized.words.shape[1] == 1 + (has_tail or largest > 32)


@pytest.mark.parametrize("n_columns", [*range(1, 35), 64, 65, 100])
@pytest.mark.parametrize("kind", ["none", "outlier"])
def test_numbers_of_columns(kind, n_columns):
    rng = np.random.default_rng(0)
    n_rows = 9000
    n_bins = [2 + 9 * i % 254 for i in range(n_columns)]
    codes = make_codes(rng, n_rows, n_bins)
    gradients = rng.normal(size=n_rows)
    if kind == "outlier":
        gradients[0] = 1e9
    rows = np.flatnonzero(rng.random(n_rows) < 0.9)
    for n_threads in (1, 2):
        check_build(codes, n_bins, gradients, None, None, rows, n_threads)
        check_build(codes, n_bins, gradients, None, None, rows[:500], n_threads)


# Narrow columns of a block and its wide ones: none, of an odd number of bytes, as many
# as a block has and more, in 32 bits; some with more bins than the few rows below.
WIDE_BLOCKS = [
    [256],
    [256] * 16,
    [256 + 7 * i for i in range(17)],
    [256 + i % 3 for i in range(40)],
    [9, 300],
    [9, 200, 30, 5_000, 300],
    [2 + 8 * i for i in range(31)] + [300],
    [2 + 8 * i for i in range(32)] + [300, 400],
    [2 + 3 * i for i in range(70)] + [600] * 5,
    [70_000] * 8,
    [3, 4, 5, 300, 70_000, 256],
    [3, 300] * 9 + [65_536],
]


@pytest.mark.parametrize("n_bins", WIDE_BLOCKS, ids=lambda n_bins: str(len(n_bins)))
@pytest.mark.parametrize("kind", ["none", "outlier", "heavy"])
def test_wide_columns(kind, n_bins):
    rng = np.random.default_rng(0)
    n_rows = 9_500
    codes = make_codes(rng, n_rows, n_bins)
    gradients = rng.normal(size=n_rows)
    if kind == "outlier":
        gradients[0] = 1e9
    # Words that must be flushed so often that they are not used.
    weights = np.full(n_rows, 100.0) if kind == "heavy" else None
    rows = np.flatnonzero(rng.random(n_rows) < 0.95)
    for some in (rows, rows[:500], rows[-1:]):
        for n_threads in (1, 2, 3):
            check_build(codes, n_bins, gradients, None, weights, some, n_threads)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("largest", [1, 20])
@pytest.mark.parametrize("has_tail", [False, True])
def test_full_bins_of_wide_columns(has_tail, largest, n_threads):
    # Beside columns that need not be flushed, one that must, or that has too many bins
    # to be worth it; with weights, flushed often.
    rng = np.random.default_rng(0)
    n_rows = 4 * PACKED_MAX_ROWS + 3
    n_bins = [3, 250, 300, 500, 9_000, 300, 9_000]
    codes = make_codes(rng, n_rows, n_bins)
    for feature in (0, 2, 4):
        codes[rng.random(n_rows) < 0.999, feature] = 1
    weights = None
    if largest > 1:
        weights = rng.integers(1, largest, size=n_rows, endpoint=True).astype(float)
    gradients = np.full(n_rows, -1 + 2.0**-20)
    hessians = np.full(n_rows, 1 - 2.0**-20)
    if has_tail:
        gradients[0] = -1e7
    matrix = make_matrix(codes, n_bins)
    for position, codes_of in enumerate(matrix.wide):
        matrix.wide_max_counts[position] = np.bincount(codes_of).max()
    fill_rows(matrix, count_codes(matrix, 1), 1)
    rows = np.arange(n_rows, dtype=np.uint32)
    quantized = make_quantized(gradients, hessians, weights)
    histogram = build(matrix, quantized, rows, n_threads)
    fixed = oracle.quantize(gradients, hessians, weights)
    expected = oracle.build_histogram(codes, n_bins, fixed, rows)
    for got, sums in zip(read_histogram(histogram, matrix), expected, strict=True):
        np.testing.assert_array_equal(got, sums)


@pytest.mark.parametrize("n_bins", WIDE_BLOCKS, ids=lambda n_bins: str(len(n_bins)))
def test_rows_of_blocks(n_bins):
    codes = make_codes(np.random.default_rng(0), 50, n_bins)
    is_wide = np.array(n_bins) >= 256
    matrix = make_matrix(codes, n_bins)
    np.testing.assert_array_equal(matrix.rows, codes[:, ~is_wide])
    np.testing.assert_array_equal(matrix.wide_rows, codes[:, is_wide])
    n_bytes = np.where(is_wide, matrix.wide.itemsize, 1).sum()
    assert len(matrix.blocks) == -(-n_bytes // 32)
    for block in matrix.blocks:
        assert block.shape[1] <= 36
        assert block.shape[1] % matrix.wide.itemsize == 0 or not is_wide.any()


def test_signs_alternate_in_one_bin():
    n_rows = 5 * PACKED_MAX_ROWS + 7
    gradients = np.where(np.arange(n_rows) % 2, 1.0, -1.0)
    hessians = np.where(np.arange(n_rows) % 3, 0.25, 0.01)
    quantized = check_build(
        np.zeros((n_rows, 2), dtype=int),
        [3, 3],
        gradients,
        hessians,
        None,
        np.arange(n_rows),
    )
    assert quantized.words.shape == (n_rows, 1)


@pytest.mark.parametrize("has_tail", [False, True])
def test_largest_weights(has_tail):
    # Sums close to 2**62: such weights leave no room for 38 bits.
    n_rows = 20_000
    weights = np.full(n_rows, 2.0**17 - 1)
    gradients = np.full(n_rows, -1 + 2.0**-20)
    if has_tail:  # too heavy for 12 bits
        gradients[0] = -1000
    quantized = check_build(
        np.zeros((n_rows, 1), dtype=int),
        [2],
        gradients,
        None,
        weights,
        np.arange(n_rows),
    )
    assert quantized.is_narrow != has_tail
    if not has_tail:
        largest = abs(sum(quantized.leaf_gradients.tolist()))
        assert 2**60 < largest < 2**62


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("n_bins", [[50] * 31, [50, 300, 255, 40, 70_000] * 6 + [9]])
def test_threads(n_bins, kind):
    rng = np.random.default_rng(0)
    # Rows for seven slots and a rest.
    n_rows = 7 * ROWS_PER_SLOT + 1000
    matrix = make_matrix(make_codes(rng, n_rows, n_bins), n_bins)
    quantized = make_quantized(
        rng.normal(size=n_rows), rng.uniform(0, 1, n_rows), WEIGHTS[kind](rng, n_rows)
    )
    rows = np.arange(n_rows, dtype=np.uint32)
    expected = build(matrix, quantized, rows, 1)
    for n_threads in N_THREADS[1:]:
        got = build(matrix, quantized, rows, n_threads)
        np.testing.assert_array_equal(got, expected)


def test_no_rows():
    matrix = make_matrix(np.zeros((3, 2), dtype=int), [2, 300])
    quantized = make_quantized(np.ones(3))
    histogram = build(matrix, quantized, np.empty(0, dtype=np.uint32))
    assert not histogram.view(np.int64).any()


def test_weight_is_repetition():
    rng = np.random.default_rng(0)
    n_bins = [20, 300, 7]
    n_rows = 10_000
    codes = make_codes(rng, n_rows, n_bins)
    gradients, hessians = rng.normal(size=n_rows), rng.uniform(0.1, 0.25, n_rows)
    weights = rng.integers(1, 4, size=n_rows)
    weighted = build(
        make_matrix(codes, n_bins),
        make_quantized(gradients, hessians, weights.astype(float)),
        np.arange(n_rows, dtype=np.uint32),
    )
    repeated = build(
        make_matrix(codes.repeat(weights, axis=0), n_bins),
        make_quantized(gradients.repeat(weights), hessians.repeat(weights)),
        np.arange(weights.sum(), dtype=np.uint32),
    )
    for name in ("sum_gradients", "sum_hessians"):
        np.testing.assert_array_equal(weighted[name], repeated[name])
