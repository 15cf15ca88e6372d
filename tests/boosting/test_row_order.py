"""Reordered rows: the same bits as in the order of the data."""

import numpy as np
import pytest

from sklearnx._boosting import booster, row_order
from sklearnx._boosting.booster import Booster, Scores
from sklearnx._boosting.row_order import profits_from_order, reorder_matrix
from sklearnx._cython.boosting.reordering import reorder_columns, sort_by_leaf
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.boosting._helpers import make_codes, make_matrix

N_ROWS = 1_000


@pytest.fixture
def reordered(monkeypatch):
    """Have all fits reorder their rows after a round; tell the orders."""
    orders = []
    monkeypatch.setattr(row_order, "MIN_BYTES", 0)
    monkeypatch.setattr(booster, "N_ROUNDS_BEFORE", 1)
    reorder_rows = Booster._reorder_rows

    def note_order(self, order):
        orders.append(order)
        reorder_rows(self, order)

    monkeypatch.setattr(Booster, "_reorder_rows", note_order)
    return orders


def make_data(n_rows=N_ROWS, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 5))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 4] = rng.integers(0, 8, n_rows)
    y = np.nansum(X[:, :3], axis=1) + rng.normal(size=n_rows)
    return X, y, rng.random(n_rows) * 3


def test_rows_of_a_leaf_are_next_to_each_other():
    rng = np.random.default_rng(0)
    leaves = rng.integers(0, 7, 100).astype(np.int32)
    order = sort_by_leaf(leaves, 9)
    np.testing.assert_array_equal(order, np.argsort(leaves, kind="stable"))
    before = rng.integers(0, 5, 100).astype(np.int32)
    order = sort_by_leaf(leaves, 9, sort_by_leaf(before, 5))
    np.testing.assert_array_equal(order, np.lexsort((before, leaves)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float64])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_columns(dtype, n_threads):
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 200, (3, 40_000)).astype(dtype)
    order = rng.permutation(40_000).astype(np.uint32)
    expected = columns[:, order]
    spare = np.empty(8 * 40_000, dtype=np.uint8)
    reorder_columns(columns, order, spare, n_threads)
    np.testing.assert_array_equal(columns, expected)
    reorder_columns(columns[:0], order, spare, n_threads)


@pytest.mark.parametrize(
    ("n_narrow", "n_bins_of_wide"),
    [(40, []), (40, [300]), (3, [300, 70_000]), (0, [300, 400])],
)
def test_matrix_holds_its_rows_twice(n_narrow, n_bins_of_wide):
    rng = np.random.default_rng(0)
    n_bins = [9] * n_narrow + n_bins_of_wide
    codes = make_codes(rng, 200, n_bins)
    matrix = make_matrix(codes, n_bins)
    order = rng.permutation(200).astype(np.uint32)
    reorder_matrix(matrix, order, np.empty(800, dtype=np.uint8), 1)
    narrow, wide = np.split(codes[order], [n_narrow], axis=1)
    np.testing.assert_array_equal(matrix.columns, narrow.T)
    np.testing.assert_array_equal(matrix.rows, narrow)
    np.testing.assert_array_equal(matrix.wide, wide.T)
    np.testing.assert_array_equal(matrix.wide_rows, wide)


def test_scores_by_the_place_before():
    rng = np.random.default_rng(0)
    sums, base = rng.normal(size=(2, 2, 50))
    order = rng.permutation(50).astype(np.uint32)
    for scores in (Scores(sums.copy()), Scores(sums.copy(), base.copy())):
        raw = scores.raw.copy()
        scores.reorder(order, np.empty(8 * 50, dtype=np.uint8), 1)
        np.testing.assert_array_equal(scores.raw, raw[:, order])
        np.testing.assert_array_equal(scores.get_raw(), raw)
        np.testing.assert_array_equal(scores.get_raw([3, 1]), raw[:, [3, 1]])


def fit_both(reordered, monkeypatch, make_fitted):
    """Return what is fitted with and without reordering."""
    fitted = make_fitted()
    assert len(reordered) == 1
    order = reordered[0]
    assert not np.array_equal(order, np.sort(order))
    with monkeypatch.context() as patch:
        patch.setattr(booster, "N_ROUNDS_BEFORE", 1_000)
        plain = make_fitted()
    assert len(reordered) == 1
    return fitted, plain


REGRESSIONS = [
    {},
    {"loss": "absolute_error"},
    {"loss": "quantile", "quantile": 0.8},
    {"loss": "huber"},
    {"boosting": "dart"},
    {"boosting": "random_forest", "max_features": 0.5},
    {"grow_policy": "depthwise", "categorical_features": [4]},
    {"grow_policy": "symmetric"},
    {"max_features": 0.5, "extra_trees": True},
    {"early_stopping": True, "validation_fraction": None},
    {"early_stopping": True, "validation_fraction": None, "scoring": "r2"},
    {"early_stopping": True},
]


@pytest.mark.parametrize("options", REGRESSIONS, ids=str)
def test_bits_of_regressors(options, reordered, monkeypatch):
    X, y, weight = make_data()

    def fit():
        model = HistGradientBoostingRegressor(
            max_iter=8, random_state=0, min_samples_leaf=5, **options
        )
        return model.fit(X, y, sample_weight=weight)

    fitted, plain = fit_both(reordered, monkeypatch, fit)
    np.testing.assert_array_equal(fitted.predict(X), plain.predict(X))
    np.testing.assert_array_equal(fitted.train_score_, plain.train_score_)
    np.testing.assert_array_equal(fitted.validation_score_, plain.validation_score_)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_bits_of_classifiers(n_classes, n_jobs, reordered, monkeypatch):
    X, y, _ = make_data()
    y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))

    def fit():
        return HistGradientBoostingClassifier(max_iter=5, n_jobs=n_jobs).fit(X, y)

    fitted, plain = fit_both(reordered, monkeypatch, fit)
    np.testing.assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))


def test_bits_of_vector_leaves(reordered, monkeypatch):
    X, y, weight = make_data()
    Y = np.column_stack([y, -(y**2)])

    def fit():
        model = HistGradientBoostingRegressor(max_iter=5)
        return model.fit(X, Y, sample_weight=weight)

    fitted, plain = fit_both(reordered, monkeypatch, fit)
    np.testing.assert_array_equal(fitted.predict(X), plain.predict(X))


@pytest.mark.parametrize("boosting", ["plain", "dart"])
def test_bits_of_a_warm_start(boosting, reordered, monkeypatch):
    X, y, _ = make_data()

    def fit():
        model = HistGradientBoostingRegressor(
            max_iter=1, boosting=boosting, warm_start=True, random_state=0
        ).fit(X, y)
        return model.set_params(max_iter=6).fit(X, y)

    fitted, plain = fit_both(reordered, monkeypatch, fit)
    np.testing.assert_array_equal(fitted.predict(X), plain.predict(X))


def test_bits_of_a_resumed_fit(reordered, monkeypatch, tmp_path):
    """The order is no part of a snapshot: rows are reordered once more, at another
    round."""
    X, y, weight = make_data()
    model = HistGradientBoostingRegressor(
        max_iter=3, random_state=0, snapshot=tmp_path / "fit", snapshot_interval=1
    ).fit(X, y, sample_weight=weight)
    model.set_params(max_iter=7).fit(X, y, sample_weight=weight)
    assert len(reordered) == 2
    monkeypatch.setattr(booster, "N_ROUNDS_BEFORE", 1_000)
    plain = HistGradientBoostingRegressor(max_iter=7, random_state=0)
    plain.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


def test_wide_columns(reordered, monkeypatch):
    X, y, _ = make_data()
    X[:, 4] = np.random.default_rng(0).integers(0, 400, N_ROWS)

    def fit():
        model = HistGradientBoostingRegressor(max_iter=5, categorical_features=[4])
        return model.fit(X, y)

    fitted, plain = fit_both(reordered, monkeypatch, fit)
    np.testing.assert_array_equal(fitted.predict(X), plain.predict(X))


def test_arrays_of_the_caller_stay_as_they_are(reordered):
    X, y, weight = make_data()
    given = X.copy(), y.copy(), weight.copy()
    HistGradientBoostingRegressor(max_iter=3).fit(X, y, sample_weight=weight)
    assert len(reordered) == 1
    for now, before in zip((X, y, weight), given, strict=True):
        np.testing.assert_array_equal(now, before)


class SquaredErrorOfOrderedRows:
    """A loss that knows each row by its place."""

    def __init__(self, y):
        self.y = y

    def gradient(self, y_true, raw_prediction):
        np.testing.assert_array_equal(y_true, self.y)
        return raw_prediction - y_true

    def hessian(self, y_true, raw_prediction):
        return np.ones_like(raw_prediction)


def test_loss_of_a_user_gets_the_rows_in_their_order(reordered):
    X, y, _ = make_data()
    HistGradientBoostingRegressor(loss=SquaredErrorOfOrderedRows(y), max_iter=4).fit(
        X, y
    )
    assert not reordered


@pytest.mark.parametrize("options", [{"subsample": 0.5}, {"linear_leaves": True}])
def test_what_keeps_the_order(options, reordered):
    """Rows are drawn by their place, and linear models sum real numbers."""
    X, y, _ = make_data()
    HistGradientBoostingRegressor(max_iter=3, **options).fit(X, y)
    assert not reordered


def test_small_data_keep_their_order():
    codes = np.zeros((1_000, 3), dtype=np.uint8)
    assert not profits_from_order(make_matrix(codes, [1] * 3))
    assert profits_from_order(
        make_matrix(np.zeros((300_000, 3), dtype=np.uint8), [1] * 3)
    )
