"""Thresholds against NumPy's quantiles, codes against counting thresholds."""

import numpy as np
import pytest

from sklearnx._boosting.binning import BinMapper
from sklearnx._boosting.encoding import Table
from sklearnx._cython.boosting.binning import (
    count_codes,
    fill_rows,
    find_column_edges,
    find_edges,
    gather_columns,
    map_levels,
    map_values,
    sample_by_weight,
)
from sklearnx._cython.boosting.matrix import BinnedMatrix
from tests.boosting import oracle
from tests.boosting._helpers import N_THREADS

LARGEST = np.finfo(np.float64).max


def map_columns(X, thresholds, rows=None, n_threads=1):
    """Return a BinnedMatrix of the columns of X, without rows."""
    n_bins = np.array([len(t) + 1 for t in thresholds])
    n_rows = len(X) if rows is None else len(rows)
    matrix = BinnedMatrix(n_rows, n_bins, np.zeros(len(n_bins)))
    edges = np.concatenate([np.append(t, [np.inf, np.inf]) for t in thresholds])
    features = np.arange(len(n_bins), dtype=np.int32)
    map_values(matrix, X, rows, features, edges, n_threads)
    return matrix


def check_codes(matrix, X, thresholds):
    for feature, edges in enumerate(thresholds):
        expected = oracle.map_values(X[:, feature], edges)
        np.testing.assert_array_equal(matrix.column(feature), expected)
        assert matrix.has_missing[feature] == np.isnan(X[:, feature]).any()


def make_values(rng, shape):
    """Return values with ties, NaN and infinities."""
    X = np.round(rng.normal(size=shape), 2)
    X[rng.random(shape) < 0.05] = np.nan
    X[rng.random(shape) < 0.02] = np.inf
    X[rng.random(shape) < 0.02] = -np.inf
    return X


# ---- codes ---------------------------------------------------------------------------


@pytest.mark.parametrize("n_bins", [1, 2, 3, 4, 5, 8, 254, 255, 256, 257, 1000, 65_535])
def test_every_threshold(n_bins):
    # On, just below and just above each of them.
    thresholds = np.sort(np.random.default_rng(0).normal(size=n_bins - 1))
    special = [-np.inf, np.inf, np.nan, -LARGEST, LARGEST, 0.0, -0.0]
    values = np.concatenate(
        [
            thresholds,
            np.nextafter(thresholds, -np.inf),
            np.nextafter(thresholds, np.inf),
            special,
        ]
    )
    matrix = map_columns(values[:, np.newaxis], [thresholds])
    n_below = np.arange(n_bins - 1)
    expected = np.concatenate([n_below, n_below, n_below + 1])
    codes = matrix.column(0)
    np.testing.assert_array_equal(codes[: len(expected)], expected)
    n_negative = np.count_nonzero(thresholds < 0)
    np.testing.assert_array_equal(
        codes[len(expected) :],
        [0, n_bins - 1, n_bins, 0, n_bins - 1, n_negative, n_negative],
    )
    assert codes.dtype == (np.uint8 if n_bins <= 255 else np.uint16)


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed", "read-only"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts(dtype, layout, n_threads):
    rng = np.random.default_rng(0)
    X = make_values(rng, (5000, 6)).astype(dtype)
    if layout == "F":
        X = np.asfortranarray(X)
    elif layout == "strided":
        X = X.repeat(2, axis=0).repeat(3, axis=1)[::2, ::3]
    elif layout == "reversed":
        X = X[::-1, ::-1]
    elif layout == "read-only":
        X.flags.writeable = False
    thresholds = [np.sort(rng.normal(size=n)) for n in (0, 1, 9, 254, 255, 2000)]
    check_codes(map_columns(X, thresholds, None, n_threads), X, thresholds)
    rows = np.sort(rng.choice(len(X), 3000, replace=False))
    matrix = map_columns(X, thresholds, rows, n_threads)
    check_codes(matrix, X[rows], thresholds)


def test_float32_is_compared_exactly():
    # The threshold, a double, lies between two neighbours of float32.
    low = np.float32(1 / 3)
    high = np.nextafter(low, np.float32(1))
    threshold = float(low) / 2 + float(high) / 2
    X = np.array([[low], [high]])
    assert map_columns(X, [np.array([threshold])]).column(0).tolist() == [0, 1]


@pytest.mark.parametrize("n_levels", [1, 255, 256, 65_535, 65_536, 100_000])
def test_levels(n_levels):
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, n_levels, size=3000).astype(np.int32)
    codes[:2] = n_levels - 1, -1
    matrix = BinnedMatrix(len(codes), [n_levels, 3], [True, False])
    map_levels(matrix, codes[::1], 0)
    assert matrix.column(0).dtype.itemsize == 1 + (n_levels > 255) + 2 * (
        n_levels > 65_535
    )
    np.testing.assert_array_equal(
        matrix.column(0), np.where(codes < 0, n_levels, codes)
    )
    assert matrix.has_missing.tolist() == [1, 0]
    map_levels(matrix, np.abs(codes), 0)
    assert matrix.has_missing.tolist() == [0, 0]


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("missing", [0, 40_000, 79_999])
def test_levels_of_many_rows(missing, n_threads):
    codes = np.random.default_rng(0).integers(0, 9, size=160_000).astype(np.int32)
    codes[missing * 2] = -1
    matrix = BinnedMatrix(80_000, [9], [True])
    map_levels(matrix, codes[::2], 0, n_threads)
    np.testing.assert_array_equal(matrix.column(0), np.where(codes < 0, 9, codes)[::2])
    assert matrix.has_missing.tolist() == [1]
    map_levels(matrix, codes[1::2], 0, n_threads)
    assert matrix.has_missing.tolist() == [0]


def test_numbers_beside_many_levels():
    # Codes of all wide features have the width of the widest.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 1))
    matrix = BinnedMatrix(2000, [70_000, 500], [True, False])
    thresholds = np.sort(rng.normal(size=499))
    edges = np.concatenate([np.full(70_001, np.inf), thresholds, [np.inf, np.inf]])
    map_values(matrix, X, None, np.array([1], dtype=np.int32), edges, 1)
    assert matrix.column(1).dtype == np.uint32
    np.testing.assert_array_equal(
        matrix.column(1), oracle.map_values(X[:, 0], thresholds)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_edges", [1, 4, 5, 20, 255, 700])
@pytest.mark.parametrize("first", [-3.0, 0.5, 2.0**23 - 2, -(2.0**31), 1e20])
def test_integers_among_edges(first, n_edges, dtype):
    # Looked up where edges are close to each other.
    rng = np.random.default_rng(0)
    for step in (1.0, 0.25, 5.0, 40.0):
        thresholds = np.unique(first + np.arange(n_edges) * step)
        values = rng.choice(thresholds, size=2000) + rng.integers(-2, 3, size=2000)
        values = np.where(rng.random(2000) < 0.9, np.round(values), values)
        values[600:1500] = np.round(values[600:1500])
        values[5:12] = [np.nan, np.inf, -np.inf, -0.0, 1e30, -1e30, 0.0]
        values = values.astype(dtype)
        n_bins = len(thresholds) + 1
        matrix = BinnedMatrix(2000, [n_bins], [False])
        edges = np.concatenate([thresholds, [np.inf, np.inf]])
        feature = np.zeros(1, dtype=np.int32)
        map_values(matrix, values[:, np.newaxis], None, feature, edges, 1)
        np.testing.assert_array_equal(
            matrix.column(0), oracle.map_values(values, thresholds)
        )


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("n_features", [1, 63, 64, 65, 130])
def test_rows_are_the_transposed_columns(n_features, n_threads):
    rng = np.random.default_rng(0)
    matrix = BinnedMatrix(2500, [9] * n_features + [300], [False] * (n_features + 1))
    matrix.columns[...] = rng.integers(0, 10, size=matrix.columns.shape)
    fill_rows(matrix, count_codes(matrix, n_threads), n_threads)
    np.testing.assert_array_equal(matrix.rows, matrix.columns.T)


# ---- thresholds ----------------------------------------------------------------------


def find_thresholds(values, weights, max_bins, min_weight=0):
    columns = np.ascontiguousarray(values[np.newaxis])
    [thresholds] = find_edges(columns, weights, max_bins, 1, min_weight)
    expected = oracle.find_thresholds(values, weights, max_bins, min_weight)
    np.testing.assert_array_equal(thresholds, expected)
    return thresholds


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_values", [0, 1, 100, 5000])
def test_edges_of_columns(n_values, dtype, n_threads):
    rng = np.random.default_rng(0)
    columns = np.stack(
        [
            rng.normal(size=n_values) ** 3 * 1e20,
            rng.integers(-300, 300, size=n_values) * 0.5,  # a digit of the radix sort
            np.where(rng.random(n_values) < 0.9, 0.0, rng.normal(size=n_values)),
            np.where(rng.random(n_values) < 0.5, -0.0, 0.0),
            np.full(n_values, np.nan),
            rng.choice([np.nan, np.inf, -np.inf, 1.0], size=n_values),
        ]
    ).astype(dtype)
    for weights in (None, rng.uniform(0.1, 3, size=n_values)):
        for max_bins in (2, 50, 255):
            edges = find_edges(columns, weights, max_bins, n_threads)
            for column, got in zip(columns, edges, strict=True):
                expected = oracle.find_thresholds(column, weights, max_bins)
                np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_values", [10, 3000, 200_000])
def test_edges_of_integers(n_values, dtype):
    # Counted where they are close to each other, sorted where they are not.
    rng = np.random.default_rng(0)
    few = rng.integers(-20, 20, size=n_values)
    columns = [
        few,
        few + 2**23 - 30,
        few * 2**30,
        few + np.where(few == 3, 0.5, 0),
        np.where(few == 0, 1e-30, few),
        np.where(few == 1, -0.0, few),
        np.where(few == 2, np.nan, few),
        np.where(few == 2, np.inf, few),
        np.where(few == 2, -np.inf, few),
        rng.integers(0, 2**16 + 1, size=n_values),
        (rng.pareto(0.5, size=n_values) * 10).astype(int) % 30_000,
    ]
    for column in columns:
        values = np.asarray(column, dtype=dtype)
        for max_bins in (4, 30, 255):
            find_thresholds(values, None, max_bins)


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [None, [7], np.arange(0, 3000, 2), [5, 2, 2, 9]])
def test_edges_of_columns_apart(rows, weighted, n_threads):
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=(3000, 4)) * 40)
    values[:50, 3] = np.nan
    strided = values.astype(np.float32)
    columns = [values[:, 0], np.ascontiguousarray(values[:, 1]), strided[:, 2]]
    columns += [np.ascontiguousarray(strided[:, 3])[::-1]]
    for column in columns:
        column.flags.writeable = False
    rows = None if rows is None else np.asarray(rows, dtype=np.int64)
    n_values = 3000 if rows is None else len(rows)
    weights = rng.uniform(0.1, 3, size=n_values) if weighted else None
    edges = find_column_edges(columns, rows, weights, 50, n_threads)
    for column, got in zip(columns, edges, strict=True):
        known = column if rows is None else column[rows]
        expected = oracle.find_thresholds(known, weights, 50)
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("n_sampled", [1, 7, 1000])
@pytest.mark.parametrize("n_rows", [1, 2, 500, 5000])
def test_rows_sampled_by_weight(n_rows, n_sampled):
    rng = np.random.default_rng(n_rows)
    for weights in (np.ones(n_rows), rng.pareto(0.5, size=n_rows) + 1e-9):
        for shift in (0.0, 0.3, np.nextafter(1, 0)):
            total = np.cumsum(weights)
            points = (np.arange(n_sampled) + shift) / n_sampled * total[-1]
            expected = np.searchsorted(total, points, side="right")
            np.testing.assert_array_equal(
                sample_by_weight(weights, shift, n_sampled),
                np.minimum(expected, n_rows - 1),
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gather_columns(dtype):
    X = np.random.default_rng(0).normal(size=(2000, 7)).astype(dtype)
    rows = np.arange(1, 2000, 3)
    for matrix in (X, np.asfortranarray(X), X[:, ::2], X[:, 3:4]):
        for n_threads in N_THREADS:
            got = gather_columns(matrix, rows, n_threads)
            np.testing.assert_array_equal(got, matrix[rows].T)
            assert got.flags.c_contiguous
    assert gather_columns(X, rows[:0], 1).shape == (7, 0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_light", [1, 2, 3, 10, 300, 999])
def test_bins_beside_a_heavy_value(n_light, weighted):
    # As the zeros of sparse columns: a bin for each other value would be of one row.
    rng = np.random.default_rng(n_light)
    values = np.zeros(2 * n_light + 1)
    light = rng.normal(size=n_light)
    values[:n_light] = light
    weights = rng.integers(1, 3, size=len(values)).astype(float) if weighted else None
    thresholds = find_thresholds(values, weights, 255, 3)
    counts = np.bincount(oracle.map_values(values, thresholds), weights)
    others = np.delete(counts, counts.argmax())
    if not weighted:
        assert len(counts) <= 1 + max(n_light // 3, 1)
        # Quantiles of about as many each; one of them may lie beside the heavy value.
        assert np.sum(others < min(3, n_light)) <= 2
    # With no more than half of the rows it is a value like others.
    even = np.concatenate([values, np.arange(5, 8)])
    np.testing.assert_array_equal(
        find_thresholds(even, None, 5000, 3), find_thresholds(even, None, 5000)
    )
    np.testing.assert_array_equal(
        find_thresholds(values, weights, 5000, 1),
        find_thresholds(values, weights, 5000),
    )


def test_few_values_have_a_bin_each():
    values = np.array([3.0, 1.0, np.nan, 1.0, 7.0, 3.0])
    assert find_thresholds(values, None, 3).tolist() == [2.0, 5.0]
    assert find_thresholds(values, np.ones(6), 255).tolist() == [2.0, 5.0]
    assert find_thresholds(values[:2], None, 2).tolist() == [2.0]
    assert find_thresholds(values[:1], None, 2).tolist() == []
    assert find_thresholds(values[2:3], None, 2).tolist() == []
    assert find_thresholds(values[:0], None, 2).tolist() == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("start", [1.0, -1.0, 0.0, 1e38, 5e-324, -1e-44])
def test_neighbouring_values_are_told_apart(start, dtype):
    values = [dtype(start)]
    for _ in range(3):
        values.append(np.nextafter(values[-1], dtype(np.inf)))
    values = np.array(values, dtype=dtype)
    thresholds = find_thresholds(values, None, 255)
    codes = oracle.map_values(values, thresholds)
    np.testing.assert_array_equal(codes, [0, 1, 2, 3])
    matrix = map_columns(values[:, np.newaxis], [thresholds])
    np.testing.assert_array_equal(matrix.column(0), codes)


@pytest.mark.parametrize("max_bins", [2, 255])
def test_infinities(max_bins):
    values = np.array([-np.inf, -LARGEST, -1.0, 1.0, LARGEST, np.inf])
    thresholds = find_thresholds(values, None, max_bins)
    assert np.isfinite(thresholds).all()
    assert (np.diff(thresholds) > 0).all()
    codes = oracle.map_values(values, thresholds)
    assert codes[0] < codes[-1]
    if max_bins == 255:
        assert (np.diff(codes) > 0).sum() >= 4
    ends = values[[0, -1]]
    assert oracle.map_values(ends, find_thresholds(ends, None, 2)).tolist() == [0, 1]


@pytest.mark.parametrize("max_bins", [2, 3, 10, 255])
@pytest.mark.parametrize("decimals", [16, 3])
def test_quantiles(decimals, max_bins):
    # A multiple of 255 rows: quantiles between two values. Some values have several.
    values = np.round(np.random.default_rng(0).normal(size=2040), decimals)
    q = np.arange(1, max_bins) / max_bins
    expected = np.unique(np.quantile(values, q, method="averaged_inverted_cdf"))
    thresholds = find_thresholds(values, None, max_bins)
    # NumPy computes q * n in floating point, and may take the next value for a tie.
    assert len(thresholds) == len(expected)
    assert np.isclose(thresholds, expected, rtol=0, atol=1e-9).mean() > 0.98
    if decimals == 16:
        sizes = np.bincount(oracle.map_values(values, thresholds))
        assert len(sizes) == max_bins
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("max_bins", [3, 10, 255])
def test_heavy_values(max_bins, weighted):
    # They fill a bin each, and leave the others to the other values.
    rng = np.random.default_rng(0)
    heavy = np.array([0.0, 0.5])
    others = rng.normal(size=3000)
    values = np.concatenate([others, heavy.repeat(1 if weighted else 5000)])
    weights = np.where(np.isin(values, heavy), 5000.0, 1.0) if weighted else None
    thresholds = find_thresholds(values, weights, max_bins)
    assert len(thresholds) == max_bins - 1
    assert len(np.unique(oracle.map_values(heavy, thresholds))) == len(heavy)
    sizes = np.bincount(oracle.map_values(others, thresholds))
    assert sizes.max() <= 3000 / (max_bins - len(heavy)) + 1


@pytest.mark.parametrize("max_bins", [2, 7, 255])
@pytest.mark.parametrize("missing", [0, 0.1])
def test_weight_is_repetition(missing, max_bins):
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=3000), 3)
    values[rng.random(3000) < missing] = np.nan
    weights = rng.integers(1, 5, size=3000)
    np.testing.assert_array_equal(
        find_thresholds(values, weights.astype(float), max_bins),
        find_thresholds(values.repeat(weights), None, max_bins),
    )


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=3000), rng.integers(1, 9, size=3000).astype(float)
    order = rng.permutation(3000)
    for w in (None, weights):
        np.testing.assert_array_equal(
            find_thresholds(values, w, 50),
            find_thresholds(values[order], None if w is None else w[order], 50),
        )


# ---- the mapper ----------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("max_bins", [4, 255, 2000])
@pytest.mark.parametrize("subset", [False, True])
def test_mapper(subset, max_bins, n_threads):
    rng = np.random.default_rng(0)
    X = make_values(rng, (30_000, 5))
    X[:, 1] = rng.normal(size=len(X))
    X[:, 2] = 1.0
    X[:, 3] = np.nan
    rows = np.sort(rng.choice(len(X), 20_000, replace=False)) if subset else None
    used = X if rows is None else X[rows]
    mapper = BinMapper(max_bins)
    matrix = mapper.fit_transform(Table(*X.shape, dense=X), rows, None, n_threads)
    expected = [find_thresholds(column, None, max_bins) for column in used.T]
    for got, thresholds in zip(mapper.thresholds_, expected, strict=True):
        np.testing.assert_array_equal(got, thresholds)
    check_codes(matrix, used, expected)
    np.testing.assert_array_equal(matrix.n_bins, [len(t) + 1 for t in expected])
    assert matrix.n_bins.max() <= max_bins
    np.testing.assert_array_equal(matrix.rows, matrix.columns.T)


@pytest.mark.parametrize("subset", [False, True])
def test_columns_are_mapped_as_an_array_is(subset):
    rng = np.random.default_rng(0)
    n_levels = 700
    X = make_values(rng, (3000, 4))
    levels = rng.integers(-1, n_levels, size=3000).astype(np.int32)
    rows = np.arange(0, 3000, 2) if subset else None
    dense = BinMapper(50).fit_transform(Table(*X.shape, dense=X), rows)
    table = Table(
        3000,
        5,
        columns=[X[:, 0], X[:, 1].copy(), levels, X[:, 2], X[:, 3]],
        is_categorical=np.arange(5) == 2,
        n_levels=np.array([0, 0, n_levels, 0, 0]),
    )
    matrix = BinMapper(50).fit_transform(table, rows)
    for j, feature in enumerate((0, 1, 3, 4)):
        np.testing.assert_array_equal(matrix.column(feature), dense.column(j))
    levels = levels if rows is None else levels[rows]
    np.testing.assert_array_equal(
        matrix.column(2), np.where(levels < 0, n_levels, levels)
    )
    np.testing.assert_array_equal(matrix.rows, matrix.columns.T)
    assert matrix.is_categorical.tolist() == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("weighted", [False, True])
def test_more_rows_than_are_sampled(weighted):
    rng = np.random.default_rng(0)
    n_rows = 300_000
    X = rng.normal(size=(n_rows, 2))
    weights = None
    if weighted:
        # All weight is on few rows: the bins have to be theirs.
        weights = np.where(X[:, 0] > 1, 1000.0, 1e-3)
    thresholds = []
    for n_threads in (1, 3):
        mapper = BinMapper(50, seed=1)
        mapper.fit_transform(Table(*X.shape, dense=X), None, weights, n_threads)
        thresholds.append(mapper.thresholds_)
    for one, more in zip(*thresholds, strict=True):
        np.testing.assert_array_equal(one, more)
    for feature, edges in enumerate(thresholds[0]):
        codes = oracle.map_values(X[:, feature], edges)
        of_bins = np.bincount(codes, weights)
        assert len(of_bins) == 50
        np.testing.assert_allclose(of_bins, of_bins.sum() / 50, rtol=0.15)


def test_samples_differ_by_seed():
    X = np.random.default_rng(0).normal(size=(250_000, 1))
    table = Table(*X.shape, dense=X)

    def find(seed):
        mapper = BinMapper(10, seed)
        mapper.fit_transform(table)
        return mapper.thresholds_[0]

    np.testing.assert_array_equal(find(0), find(0))
    assert (find(0) != find(1)).any()
    np.testing.assert_allclose(find(0), find_thresholds(X[:, 0], None, 10), atol=0.02)
