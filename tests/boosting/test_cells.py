"""Columns that share a byte of a row: codes, sums, models as of bytes of their own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearnx._boosting import bundling
from sklearnx._boosting.bundling import (
    bundle_columns,
    count_used_codes,
    find_entries,
    plan_cells,
)
from sklearnx._cython.boosting.binning import count_codes, fill_rows
from sklearnx._cython.boosting.class_histograms import ClassHistograms
from sklearnx._cython.boosting.histogram import build
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.boosting._helpers import N_THREADS, make_codes, make_matrix, make_quantized

PACKED_MAX_ROWS = 2**13
MAX_CODES = 256
N_BINS = [2, 255, 5, 1, 31, 300, 3, 7, 16, 128, 15]


def join(matrix, cells=None):
    """Let the columns of a matrix share cells, by default those of `plan_cells`."""
    counts = count_codes(matrix, 1)
    n_codes = count_used_codes(counts)
    if cells is None:
        cells = plan_cells(1 << 30, n_codes)
    matrix.join_columns(np.asarray(cells), n_codes)
    fill_rows(matrix, counts, 1)
    return matrix


# ---- which columns come together -----------------------------------------------------


@given(
    n_codes=st.lists(st.integers(1, MAX_CODES), max_size=40),
    n_rows=st.sampled_from([1, 1_000, 5_000, 10**9]),
)
@settings(max_examples=200, deadline=None)
def test_cells_hold_their_codes(n_codes, n_rows):
    n_codes = np.array(n_codes, dtype=np.int64)
    cells = plan_cells(n_rows, n_codes)
    assert len(cells) == len(n_codes)
    # Numbered without a gap, by their first columns.
    _, firsts = np.unique(cells, return_index=True)
    np.testing.assert_array_equal(np.unique(cells), np.arange(len(firsts)))
    assert np.all(np.diff(firsts) > 0)
    products = np.ones(len(firsts), dtype=np.int64)
    np.multiply.at(products, cells, n_codes)
    is_shared = np.bincount(cells, minlength=len(firsts)) > 1
    limit = min(MAX_CODES, n_rows // bundling.ROWS_PER_SHARED_CODE)
    assert np.all(products[is_shared] <= limit)


def test_few_rows_share_nothing():
    np.testing.assert_array_equal(plan_cells(100, np.full(5, 2)), np.arange(5))


def test_many_columns_share():
    assert plan_cells(10**6, np.full(16, 2)).max() + 1 == 2
    np.testing.assert_array_equal(plan_cells(10**6, np.array([16, 200, 16])), [0, 1, 0])
    np.testing.assert_array_equal(plan_cells(10**6, np.array([17, 16, 16])), [0, 1, 1])


def test_last_code_in_use_counts():
    counts = np.zeros((3, MAX_CODES), dtype=np.int64)
    counts[0, 4] = counts[1, MAX_CODES - 1] = counts[2, 0] = 1
    np.testing.assert_array_equal(count_used_codes(counts), [5, MAX_CODES, 1])


# ---- codes and sums ------------------------------------------------------------------


@pytest.mark.parametrize("n_rows", [1, 100, 5_000])
def test_codes_come_back(n_rows):
    codes = make_codes(np.random.default_rng(0), n_rows, N_BINS)
    matrix = make_matrix(codes, N_BINS)
    rows, wide_rows = matrix.rows, matrix.wide_rows
    n_bytes = sum(block.shape[1] for block in matrix.blocks)
    join(matrix)
    assert sum(block.shape[1] for block in matrix.blocks) < n_bytes
    np.testing.assert_array_equal(matrix.rows, rows)
    np.testing.assert_array_equal(matrix.wide_rows, wide_rows)


def make_weights(kind, rng, n_rows):
    return {
        "none": None,
        "integer": rng.integers(1, 5, size=n_rows).astype(float),
        "real": rng.uniform(0.1, 3, size=n_rows),
    }[kind]


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("kind", ["none", "integer", "real"])
def test_sums(kind, n_threads):
    # More rows than the fields of a word can hold, in one code of some columns.
    n_rows = 3 * PACKED_MAX_ROWS
    rng = np.random.default_rng(0)
    codes = make_codes(rng, n_rows, N_BINS, missing=0.05)
    codes[:, [0, 6]] = 1
    gradients = rng.normal(size=n_rows)
    hessians = rng.uniform(0.05, 0.25, size=n_rows)
    quantized = make_quantized(gradients, hessians, make_weights(kind, rng, n_rows))
    matrix, joined = (make_matrix(codes, N_BINS) for _ in range(2))
    join(joined)
    for some in (1, 30, 400, 5_000, n_rows):
        rows = np.sort(rng.permutation(n_rows)[:some]).astype(np.uint32)
        expected = build(matrix, quantized, rows)
        for _ in range(2):  # words have to be clean afterwards
            histogram = build(joined, quantized, rows, n_threads)
            np.testing.assert_array_equal(histogram, expected)


@pytest.mark.parametrize("cells", [[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 2]])
def test_any_columns_of_a_cell(cells):
    rng = np.random.default_rng(0)
    n_rows, n_bins = 2_000, [3, 6, 4]
    codes = make_codes(rng, n_rows, n_bins)
    quantized = make_quantized(rng.normal(size=n_rows))
    rows = np.arange(n_rows, dtype=np.uint32)
    expected = build(make_matrix(codes, n_bins), quantized, rows)
    joined = join(make_matrix(codes, n_bins), cells)
    np.testing.assert_array_equal(build(joined, quantized, rows), expected)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("n_threads", N_THREADS)
def test_sums_of_classes(n_classes, n_threads):
    rng = np.random.default_rng(0)
    n_rows = 3 * PACKED_MAX_ROWS
    n_bins = [n for n in N_BINS if n < MAX_CODES]
    codes = make_codes(rng, n_rows, n_bins)
    codes[:, 0] = 1
    matrix = join(make_matrix(codes, n_bins))
    quantized = [make_quantized(rng.normal(size=n_rows)) for _ in range(n_classes)]
    rows = np.arange(n_rows, dtype=np.uint32)
    histograms = ClassHistograms(matrix, n_threads, min_rows=1)
    for _ in range(2):
        for one, histogram in zip(
            quantized, histograms.build(quantized, rows), strict=True
        ):
            np.testing.assert_array_equal(histogram, build(matrix, one, rows))


def test_bundles_share_cells(monkeypatch):
    """A column that several features share may share its cell in turn."""
    monkeypatch.setattr(bundling, "ROWS_PER_SHARED_CODE", 1)
    rng = np.random.default_rng(0)
    n_rows = 3 * PACKED_MAX_ROWS
    levels = rng.integers(0, 6, size=n_rows)
    codes = np.column_stack(
        [(levels[:, np.newaxis] == np.arange(5)), make_codes(rng, n_rows, [2, 4])]
    )
    n_bins = [2] * 5 + [2, 4]
    plain = make_matrix(codes, n_bins)
    counts = count_codes(plain, 1)
    bundled = bundle_columns(plain, find_entries(plain, counts, 1), counts, 1, 1)
    assert len(bundled.columns) == 3
    assert sum(block.shape[1] for block in bundled.blocks) == 1
    np.testing.assert_array_equal(bundled.column(2), codes[:, 2])
    rows = np.arange(n_rows, dtype=np.uint32)
    for weights in (None, rng.uniform(0.1, 3, size=n_rows)):
        quantized = make_quantized(rng.normal(size=n_rows), weights=weights)
        np.testing.assert_array_equal(
            build(bundled, quantized, rows), build(plain, quantized, rows)
        )


# ---- models --------------------------------------------------------------------------


def make_table(rng, n_rows):
    """Numbers of few values and of many, some missing, and a level code."""
    X = np.column_stack(
        [
            rng.integers(0, 2, size=n_rows),
            rng.normal(size=n_rows),
            rng.integers(0, 5, size=n_rows),
            rng.integers(0, 12, size=n_rows),
            rng.integers(0, 7, size=n_rows),
        ]
    ).astype(np.float64)
    X[rng.random(X.shape) < 0.05] = np.nan
    signal = np.nan_to_num(X) @ [1, 1, -0.5, 0.2, 0.3] + 2 * (X[:, 4] == 3)
    return X, signal + rng.normal(size=n_rows)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("grow_policy", ["leafwise", "depthwise", "symmetric"])
@pytest.mark.parametrize("task", ["regression", "binary", "classes", "outputs"])
def test_bits_of_models(monkeypatch, task, grow_policy, n_jobs):
    X, target = make_table(np.random.default_rng(0), 12_000)
    is_class = task in ("binary", "classes")
    model_class = (
        HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor
    )
    y = {
        "regression": target,
        "binary": (target > 2).astype(int),
        "classes": np.digitize(target, [0, 2, 4]),
        "outputs": np.column_stack([target, target**2]),
    }[task]
    predictions = []
    for rows_per_code in (1, 1 << 30):
        monkeypatch.setattr(bundling, "ROWS_PER_SHARED_CODE", rows_per_code)
        model = model_class(
            max_iter=8,
            categorical_features=[4],
            grow_policy=grow_policy,
            n_jobs=n_jobs,
            random_state=0,
        ).fit(X, y)
        predictions.append(model.decision_function(X) if is_class else model.predict(X))
    np.testing.assert_array_equal(*predictions)
