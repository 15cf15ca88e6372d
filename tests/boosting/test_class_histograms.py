"""Histograms of several classes at once against those of one class after another."""

import numpy as np
import pytest

from sklearnx._boosting import booster
from sklearnx._boosting.bundling import bundle_columns, find_entries
from sklearnx._cython.boosting.binning import count_codes
from sklearnx._cython.boosting.class_histograms import (
    ClassHistograms,
    can_share_rows,
)
from sklearnx._cython.boosting.growing import TreeGrower
from sklearnx._cython.boosting.histogram import build
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.boosting import oracle
from tests.boosting._helpers import (
    N_THREADS,
    make_codes,
    make_edges,
    make_matrix,
    make_quantized,
    read_histogram,
)

PACKED_MAX_ROWS = 2**13
ROWS_PER_SLOT = 2**12
MIN_ROWS = 2**13


def make_classes(rng, n_rows, n_classes, weights=None, heavy=()):
    """Return gradients and QuantizedGradients of each class.

    Those in `heavy` have too heavy a tail for one word a row.
    """
    gradients = rng.normal(size=(n_classes, n_rows))
    gradients[list(heavy), 0] = 1e9
    hessians = rng.uniform(0.05, 0.25, size=(n_classes, n_rows))
    quantized = [
        make_quantized(g, h, weights) for g, h in zip(gradients, hessians, strict=True)
    ]
    return gradients, hessians, quantized


def check_build(matrix, quantized, rows, n_threads=1):
    """Compare with one class after another; return which ones were built."""
    rows = np.asarray(rows, dtype=np.uint32)
    histograms = ClassHistograms(matrix, n_threads, min_rows=1)
    # Twice, since words have to be clean afterwards.
    for _ in range(2):
        built = histograms.build(quantized, rows)
        assert len(built) == len(quantized)
        for one, histogram in zip(quantized, built, strict=True):
            if histogram is not None:
                np.testing.assert_array_equal(histogram, build(matrix, one, rows))
    return [histogram is not None for histogram in built]


@pytest.mark.parametrize("n_rows", [1, 7, 31, 32, 33, 1000, 10_000])
@pytest.mark.parametrize("weights", ["none", "integer", "real"])
def test_against_sums_one_by_one(n_rows, weights):
    rng = np.random.default_rng(0)
    n_bins = [5, 255, 1, 17]
    codes = make_codes(rng, n_rows, n_bins)
    factors = {
        "none": None,
        "integer": rng.integers(1, 5, size=n_rows).astype(float),
        "real": rng.uniform(0.1, 3, size=n_rows),
    }[weights]
    gradients, hessians, quantized = make_classes(rng, n_rows, 3, factors)
    matrix = make_matrix(codes, n_bins)
    rows = np.arange(n_rows, dtype=np.uint32)
    built = ClassHistograms(matrix, 1, min_rows=1).build(quantized, rows)
    for g, h, histogram in zip(gradients, hessians, built, strict=True):
        fixed = oracle.quantize(g, h, factors)
        expected = oracle.build_histogram(codes, n_bins, fixed, rows)
        for got, sums in zip(read_histogram(histogram, matrix), expected, strict=True):
            np.testing.assert_array_equal(got, sums)


@pytest.mark.parametrize(
    "n_classes, heavy, is_last_alone",
    [
        (1, [], True),
        *((n, [], False) for n in range(2, 9)),
        (2, [1], False),
        (3, [0], False),
        (7, [3], False),
        # Nine words for eight lanes.
        (7, [0, 2], True),
        (8, [3], True),
        (5, [0, 1, 2, 3, 4], True),
        # More than one pass.
        (8, [0, 6], False),
        (8, list(range(8)), False),
    ],
)
def test_numbers_of_classes(n_classes, heavy, is_last_alone):
    rng = np.random.default_rng(0)
    n_rows, n_bins = 9000, [5, 255, 2, 100]
    matrix = make_matrix(make_codes(rng, n_rows, n_bins), n_bins)
    _, _, quantized = make_classes(rng, n_rows, n_classes, heavy=heavy)
    widths = [one.words.shape[1] for one in quantized]
    assert widths == [1 + (i in heavy) for i in range(n_classes)]
    is_built = check_build(matrix, quantized, np.arange(n_rows))
    assert is_built == [True] * (n_classes - 1) + [not is_last_alone]


@pytest.mark.parametrize("n_columns", [*range(1, 20), 32, 33, 65])
def test_numbers_of_columns(n_columns):
    rng = np.random.default_rng(0)
    n_rows = 9000
    n_bins = [2 + 9 * i % 254 for i in range(n_columns)]
    matrix = make_matrix(make_codes(rng, n_rows, n_bins), n_bins)
    rows = np.flatnonzero(rng.random(n_rows) < 0.9)
    for n_classes in (2, 4, 8):
        _, _, quantized = make_classes(rng, n_rows, n_classes)
        assert all(check_build(matrix, quantized, rows))
        assert all(check_build(matrix, quantized, rows[:50]))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("weight", [None, 3.0])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(
    "n_rows", [PACKED_MAX_ROWS, PACKED_MAX_ROWS + 1, 3 * PACKED_MAX_ROWS + 5]
)
def test_all_rows_in_one_bin(n_rows, n_threads, weight, sign):
    # The largest 12-bit values, beside columns whose words need no flush.
    gradients = np.full(n_rows, sign * (1 - 2.0**-20))
    hessians = np.full(n_rows, 1 - 2.0**-20)
    weights = None if weight is None else np.full(n_rows, weight)
    rng = np.random.default_rng(0)
    n_bins = [4, 255, 4]
    codes = np.full((n_rows, 3), 3)
    codes[:, 1] = rng.integers(0, 255, n_rows)
    codes[:, 2] = 4
    quantized = [
        make_quantized(factor * gradients, hessians, weights) for factor in (1, -1, 1)
    ]
    assert quantized[0].words.shape == (n_rows, 1)
    assert all(
        check_build(make_matrix(codes, n_bins), quantized, np.arange(n_rows), n_threads)
    )


def test_weights_that_fill_words():
    rng = np.random.default_rng(0)
    n_rows, n_bins = 20_000, [3, 200]
    matrix = make_matrix(make_codes(rng, n_rows, n_bins), n_bins)
    light = make_classes(rng, n_rows, 2, np.full(n_rows, 2.0))[2]
    heavy = make_classes(rng, n_rows, 2, np.full(n_rows, 1000.0))[2]
    is_built = check_build(
        matrix, [light[0], heavy[0], light[1], heavy[1]], np.arange(n_rows)
    )
    assert is_built == [True, False, True, False]


@pytest.mark.parametrize("has_own_column", [False, True])
@pytest.mark.parametrize("heavy", [(), (1,)])
def test_shared_columns(heavy, has_own_column):
    rng = np.random.default_rng(0)
    n_rows = 7 * ROWS_PER_SLOT + 1000
    n_bins = [2] * 4 + [9, 80, 1, 30] + [20] * has_own_column
    levels = rng.choice(9, size=n_rows, p=[0.6] + [0.05] * 8)
    codes = np.zeros((n_rows, len(n_bins)), dtype=int)
    for feature in range(8):
        others = rng.integers(1, n_bins[feature] + 1, size=n_rows)
        codes[:, feature] = np.where(levels == feature + 1, others, 0)
    if has_own_column:
        codes[:, -1] = rng.integers(0, 20, size=n_rows)
    plain = make_matrix(codes, n_bins)
    counts = count_codes(plain, 1)
    matrix = bundle_columns(plain, find_entries(plain, counts, 1), counts, 1, 1)
    assert len(matrix.columns) < len(n_bins)
    assert can_share_rows(matrix)
    _, _, quantized = make_classes(rng, n_rows, 3, heavy=heavy)
    rows = np.flatnonzero(rng.random(n_rows) < 0.95)
    for n_threads in N_THREADS:
        assert all(check_build(matrix, quantized, rows, n_threads))


@pytest.mark.parametrize("n_columns", [1, 12, 33, 50])
def test_threads(n_columns):
    rng = np.random.default_rng(0)
    n_rows, n_bins = 7 * ROWS_PER_SLOT + 1000, [50] * n_columns
    codes = make_codes(rng, n_rows, n_bins)
    codes[:, 0] = 7  # heavy in every slot
    matrix = make_matrix(codes, n_bins)
    _, _, quantized = make_classes(rng, n_rows, 7)
    for n_threads in N_THREADS:
        assert all(check_build(matrix, quantized, np.arange(n_rows), n_threads))


def test_few_rows_are_left_alone():
    rng = np.random.default_rng(0)
    matrix = make_matrix(make_codes(rng, MIN_ROWS, [9, 9]), [9, 9])
    _, _, quantized = make_classes(rng, MIN_ROWS, 2)
    histograms = ClassHistograms(matrix, 1)
    rows = np.arange(MIN_ROWS, dtype=np.uint32)
    assert all(one is not None for one in histograms.build(quantized, rows))
    assert histograms.build(quantized, rows[1:]) == [None, None]
    assert ClassHistograms(matrix, 1, 0).build(quantized, rows[:0]) == [None, None]


def test_which_matrices():
    rng = np.random.default_rng(0)
    for n_rows, n_bins, expected in [
        (MIN_ROWS, [9, 255], True),
        (MIN_ROWS - 1, [9, 255], False),
        (MIN_ROWS, [9, 256], False),
    ]:
        matrix = make_matrix(make_codes(rng, n_rows, n_bins), n_bins)
        assert can_share_rows(matrix) == expected


@pytest.mark.parametrize("is_drawn", [False, True])
def test_tree_from_given_root(is_drawn):
    rng = np.random.default_rng(0)
    n_rows, n_bins = 9000, [5, 255, 17]
    matrix = make_matrix(make_codes(rng, n_rows, n_bins), n_bins)
    _, _, quantized = make_classes(rng, n_rows, 2)
    rows = np.flatnonzero(rng.random(n_rows) < 0.95).astype(np.uint32)
    rows = rows if is_drawn else None
    grower = TreeGrower(matrix, make_edges(n_bins))
    roots = ClassHistograms(matrix, 1).build(
        quantized, rows if is_drawn else grower.all_rows
    )
    for one, root in zip(quantized, roots, strict=True):
        expected = grower.grow(one, 3, rows)
        assert len(expected[0]) > 10
        for got, array in zip(grower.grow(one, 3, rows, root), expected, strict=True):
            np.testing.assert_array_equal(got, array)


# ---- whole fits ----------------------------------------------------------------------


class OneByOne(ClassHistograms):
    """Leaves every root to the usual way."""

    def build(self, quantized, rows):
        return [None] * len(quantized)


def make_table(n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(MIN_ROWS + 2000, 6)).round(2)
    X[:, 5] = rng.integers(0, 3, size=len(X)) == 0
    X[rng.random(X.shape) < 0.02] = np.nan
    scores = np.nan_to_num(X) @ rng.normal(size=(6, n_classes))
    # The first one is rare, so that its gradients need two words.
    scores[:, 0] -= 4
    return X, scores + rng.gumbel(size=scores.shape)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("n_classes", [3, 9, 11])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"subsample": 0.9},
        {"subsample": 0.95, "sampling": "goss"},
        {"boosting": "ordered"},
        {"boosting": "dart", "drop_rate": 0.5},
        {"boosting": "random_forest", "subsample": 0.9},
        {"grow_policy": "symmetric"},
        {
            "grow_policy": "depthwise",
            "early_stopping": True,
            "validation_fraction": 0.1,
        },
    ],
    ids=str,
)
def test_same_model(params, n_classes, n_jobs, monkeypatch):
    X, scores = make_table(n_classes)
    y = scores.argmax(axis=1)
    weights = np.random.default_rng(1).integers(1, 4, size=len(y))

    def fit():
        model = HistGradientBoostingClassifier(
            **{"max_iter": 4, "early_stopping": False, "random_state": 0} | params,
            n_jobs=n_jobs,
        )
        return model.fit(X, y, sample_weight=weights).predict_proba(X)

    built = []

    class Counting(ClassHistograms):
        def build(self, quantized, rows):
            histograms = super().build(quantized, rows)
            built.append(sum(histogram is not None for histogram in histograms))
            return histograms

    monkeypatch.setattr(booster, "ClassHistograms", Counting)
    together = fit()
    assert max(built) > 1
    monkeypatch.setattr(booster, "ClassHistograms", OneByOne)
    np.testing.assert_array_equal(together, fit())


def test_one_tree_a_round_shares_nothing(monkeypatch):
    monkeypatch.setattr(booster, "ClassHistograms", None)
    X, scores = make_table(2)
    params = {"max_iter": 2, "early_stopping": False}
    HistGradientBoostingClassifier(**params).fit(X, scores.argmax(axis=1))
    HistGradientBoostingRegressor(**params).fit(X, scores)  # vectors in leaves
