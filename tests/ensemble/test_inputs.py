"""Unusual arrays and tables, and what becomes of them."""

import os
import tracemalloc

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)

SETTINGS = {"max_iter": 10, "max_leaf_nodes": 8}


def fit(X, y, **settings):
    return HistGradientBoostingRegressor(**{**SETTINGS, **settings}).fit(X, y)


def measure_peak(function):
    """Return the largest number of bytes allocated at a time."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# -- memory ----------------------------------------------------------------------------


@pytest.mark.parametrize("mmap_mode", ["r", "c"])
def test_memory_maps(mmap_mode, tmp_path):
    X, y = make_regression_data()
    weight = np.random.default_rng(0).uniform(size=len(y))
    joblib.dump((X, y, weight), tmp_path / "data")
    maps = joblib.load(tmp_path / "data", mmap_mode=mmap_mode)
    assert all(isinstance(array, np.memmap) for array in maps)
    for loss in ("squared_error", "absolute_error", "poisson"):
        model = HistGradientBoostingRegressor(loss, early_stopping=True, random_state=0)
        expected = model.fit(X, np.abs(y), weight).predict(X)
        mapped = model.fit(maps[0], np.abs(maps[1]), maps[2]).predict(maps[0])
        assert_same_bits(mapped, expected)
    X_map, y_map, _ = maps
    model = fit(X_map, y_map).fit(X_map, y_map, eval_sets={"same": (X_map, y_map)})
    assert_same_bits(model.apply(X_map), model.apply(X))


def test_read_only_arrays_of_all_kinds():
    X, y = make_regression_data()
    offset = np.linspace(-1, 1, len(y))
    expected = fit(X, y).fit(X, y, init_score=offset).predict(X, init_score=offset)
    matrix = sparse.csr_array(X)
    for array in (X, y, offset, matrix.data, matrix.indices, matrix.indptr):
        array.flags.writeable = False
    for table in (X, matrix):
        model = fit(table, y).fit(table, y, init_score=offset)
        assert_same_bits(model.predict(table, init_score=offset), expected)


@pytest.mark.parametrize("order", ["C", "F"])
def test_float32_is_not_copied(order):
    """The codes take half of its size; a copy would double it or more."""
    X = np.random.default_rng(0).normal(size=(20_000, 100)).astype(np.float32)
    X, y = np.asarray(X, order=order), X[:, 0].astype(np.float64)
    model = HistGradientBoostingRegressor(max_iter=2, early_stopping=False, n_jobs=1)
    assert measure_peak(lambda: model.fit(X, y)) < 0.9 * X.nbytes
    if order == "C":
        assert measure_peak(lambda: model.predict(X)) < 0.1 * X.nbytes
        assert measure_peak(lambda: model.apply(X)) < 0.1 * X.nbytes


def test_frame_of_float32_is_not_copied():
    pd = pytest.importorskip("pandas")
    X = np.random.default_rng(0).normal(size=(20_000, 100)).astype(np.float32)
    frame, y = pd.DataFrame(X), X[:, 0].astype(np.float64)
    frame.columns = [f"column {i}" for i in range(100)]
    model = HistGradientBoostingRegressor(max_iter=2, early_stopping=False, n_jobs=1)
    assert measure_peak(lambda: model.fit(frame, y)) < 0.9 * X.nbytes


def test_float32_goes_where_its_float64_goes():
    X, y = make_regression_data()
    X32 = X.astype(np.float32)
    as_32, as_64 = fit(X32, y), fit(X32.astype(np.float64), y)
    for model in (as_32, as_64):
        assert_same_bits(model.predict(X32), as_32.predict(X32))
        assert_same_bits(model.predict(X32.astype(np.float64)), as_32.predict(X32))


# -- sparse ----------------------------------------------------------------------------


def make_sparse_data(n_samples=500):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((n_samples, 6)) < 0.7, 0.0, rng.normal(size=(n_samples, 6)))
    X[rng.random(X.shape) < 0.05] = np.nan
    y = np.nan_to_num(X[:, 0]) + (X[:, 1] == 0) + np.isnan(X[:, 2])
    return X, y + 0.1 * rng.normal(size=n_samples)


def widen_indices(matrix):
    matrix.indices = matrix.indices.astype(np.int64)
    matrix.indptr = matrix.indptr.astype(np.int64)
    return matrix


def shuffle_indices(matrix):
    """Neither sorted nor without duplicates: 1 is 3 and -2."""
    parts = sparse.coo_array(matrix)
    order = np.random.default_rng(0).permutation(2 * parts.nnz)
    data = np.r_[parts.data + 2, np.full(parts.nnz, -2.0)]
    # Exact only where adding and subtracting is.
    data = np.where(np.isnan(data), np.nan, data)
    coords = tuple(np.r_[axis, axis][order] for axis in (parts.row, parts.col))
    shuffled = sparse.coo_array((data[order], coords), shape=parts.shape)
    indptr = np.r_[0, np.cumsum(np.bincount(coords[0], minlength=parts.shape[0]))]
    by_row = np.argsort(coords[0], kind="stable")
    return sparse.csr_array(
        (shuffled.data[by_row], coords[1][by_row], indptr), shape=parts.shape
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "convert",
    [
        sparse.csr_array,
        sparse.csc_array,
        sparse.csr_matrix,
        sparse.csc_matrix,
        sparse.coo_array,
        lambda X: widen_indices(sparse.csr_array(X)),
        lambda X: widen_indices(sparse.csc_array(X)),
    ],
    ids=["csr", "csc", "csr_matrix", "csc_matrix", "coo", "csr int64", "csc int64"],
)
def test_sparse_is_dense(convert, dtype):
    """Bit for bit: an implicit zero is a zero, and a missing value is a NaN."""
    X, y = make_sparse_data()
    X = X.astype(dtype)
    matrix = convert(X)
    for settings in ({}, {"early_stopping": True, "random_state": 0}):
        dense, thin = fit(X, y, **settings), fit(matrix, y, **settings)
        for table in (X, matrix):
            assert_same_bits(thin.predict(table), dense.predict(table))
        assert_same_bits(thin.predict(matrix), dense.predict(X))
        assert_same_bits(thin.apply(matrix), dense.apply(X))
    # Zeros that are stored make no difference.
    stored = sparse.csr_array(np.where(X == 0, 1, X))
    stored.data[stored.data == 1] = 0
    assert_same_bits(fit(stored, y).predict(stored), fit(X, y).predict(X))


def test_sparse_that_is_not_canonical():
    X, y = make_sparse_data()
    X = np.round(8 * X) / 8  # so that sums of duplicates are exact
    matrix = shuffle_indices(X)
    assert not matrix.has_sorted_indices
    before = matrix.copy()
    assert_same_bits(fit(matrix, y).predict(matrix), fit(X, y).predict(X))
    # Nobody has sorted the user's own.
    assert_array_equal(matrix.indices, before.indices)
    assert_array_equal(matrix.data, before.data)


def test_sparse_with_given_sets_and_categories():
    X, y = make_sparse_data()
    X[:, 3] = np.random.default_rng(1).integers(0, 4, len(y))
    matrix = sparse.csr_array(X)
    settings = {"categorical_features": [3]}
    assert_same_bits(
        fit(matrix, y, **settings).predict(matrix), fit(X, y, **settings).predict(X)
    )
    model = HistGradientBoostingRegressor(**SETTINGS)
    model.fit(X, y, X_val=matrix, y_val=y, eval_sets={"sparse": (matrix, y)})
    assert_same_bits(model.evals_result_["sparse"]["loss"], -model.validation_score_)


def test_sparse_frame():
    pd = pytest.importorskip("pandas")
    X, y = make_sparse_data()
    X = np.nan_to_num(X)
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_array(X))
    frame.columns = list("abcdef")
    model = fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcdef")
    assert_same_bits(model.predict(frame), fit(X, y).predict(X))


# -- values ----------------------------------------------------------------------------


@pytest.mark.parametrize("assume_finite", [True, False])
def test_not_finite_values(assume_finite):
    X, y = make_regression_data()
    X[::7, 0] = np.inf
    X[3::7, 0] = -np.inf
    X[5::7, 1] = np.nan
    y[::7] += 5
    with config_context(assume_finite=assume_finite):
        model = fit(X, y, max_iter=100)
        prediction = model.predict(X)
    assert_same_bits(prediction, fit(X, y, max_iter=100).predict(X))
    assert_allclose(prediction[::7].mean(), y[::7].mean(), atol=0.1)


def test_assume_finite_does_not_let_a_target_of_nan_through():
    X, y = make_regression_data()
    y[0] = np.nan
    with pytest.raises(ValueError, match="y contains NaN"):
        fit(X, y)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, bool, np.float16])
def test_numbers_of_other_types(dtype):
    X, y = make_regression_data()
    X = (10 * X).astype(dtype) if dtype is not bool else X > 0
    model = fit(X, y)
    assert_same_bits(model.predict(X), fit(X.astype(np.float64), y).predict(X))


def test_lists_and_objects():
    X, y = make_regression_data(50)
    expected = fit(X, y).predict(X)
    assert_same_bits(fit(X.tolist(), y.tolist()).predict(X.tolist()), expected)
    X_object = X.astype(object)
    assert_same_bits(fit(X_object, y).predict(X_object), expected)
    X_object[0, 0] = None
    X[0, 0] = np.nan
    assert_same_bits(fit(X_object, y).predict(X_object), fit(X, y).predict(X))


# -- bins ------------------------------------------------------------------------------


@pytest.mark.parametrize("max_bins", [300, 1000, 65_535])
def test_more_bins_than_a_byte_has(max_bins):
    """A target that changes from row to row needs them."""
    rng = np.random.default_rng(0)
    X = rng.permutation(20_000).astype(np.float64)[:, np.newaxis]
    y = ((X[:, 0] // 50) % 2).astype(np.float64)
    settings = {"max_iter": 3, "max_leaf_nodes": None, "learning_rate": 1.0}
    wide = fit(X, y, max_bins=max_bins, early_stopping=False, **settings)
    narrow = fit(X, y, early_stopping=False, **settings)
    thresholds = [
        nodes["value"][nodes["feature"] >= 0] for nodes in (wide._model.nodes,)
    ]
    n_thresholds = len(np.unique(np.concatenate(thresholds)))
    assert 255 < n_thresholds < max_bins
    assert wide.score(X, y) > narrow.score(X, y) + 0.05
    if max_bins == 65_535:
        assert_array_equal(wide.predict(X).round(3), y)


def test_wide_and_narrow_codes_side_by_side():
    """Which features are wide does not change what the others are worth."""
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=2000), rng.integers(0, 5, (2000, 2))]
    y = X[:, 0] + X[:, 1] * (X[:, 2] > 2)
    X[rng.random(2000) < 0.1, 0] = np.nan
    expected = fit(X, y, max_bins=3000).predict(X)
    for order in ([1, 0, 2], [2, 1, 0]):
        assert_same_bits(
            fit(X[:, order], y, max_bins=3000).predict(X[:, order]), expected
        )
    # As many bins as values: the same as fewer bins of the same edges.
    X_few = np.round(X, 1)
    assert_same_bits(
        fit(X_few, y, max_bins=255).predict(X_few),
        fit(X_few, y, max_bins=65_535).predict(X_few),
    )


@pytest.mark.parametrize("max_bins", [1, 65_536, 2.5])
def test_wrong_number_of_bins(max_bins):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match="'max_bins' parameter"):
        fit(X, y, max_bins=max_bins)


# -- sizes -----------------------------------------------------------------------------


def test_many_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3000))
    y = X[:, 2999] - X[:, 1500] > 0
    model = HistGradientBoostingClassifier(max_iter=10, max_leaf_nodes=4).fit(X, y)
    assert set(np.argsort(model.feature_importances_)[-2:]) == {1500, 2999}
    assert model.score(X, y) > 0.9


def test_one_row():
    model = fit([[1.0, np.nan]], [3.0])
    assert_array_equal(model.predict([[5.0, 6.0], [np.nan, np.nan]]), [3, 3])
    assert model.n_iter_ == 10


def test_one_class():
    model = HistGradientBoostingClassifier(**SETTINGS).fit([[1.0], [2.0]], ["a", "a"])
    assert model.classes_.tolist() == ["a"]
    assert model.predict([[3.0]]).tolist() == ["a"]
    assert model.predict_proba([[3.0]]).shape == (1, 1)
    assert_allclose(model.predict_proba([[3.0]]), 1)


@pytest.mark.parametrize("fill", [0.0, np.nan, np.inf, -1e300])
def test_columns_that_tell_nothing(fill):
    X, y = make_regression_data()
    X_more = np.c_[np.full(len(y), fill), X[:, :2], np.full(len(y), fill), X[:, 2:]]
    model = fit(X_more, y)
    assert_same_bits(model.predict(X_more), fit(X, y).predict(X))
    assert_array_equal(model.feature_importances_[[0, 3]], 0)
    alone = fit(X_more[:, [0, 3]], y)
    assert_allclose(alone.predict(X_more[:, [0, 3]]), y.mean())


def test_column_that_is_missing_or_not():
    """What is known says nothing, that it is known says all."""
    is_missing = np.random.default_rng(0).random(300) < 0.5
    X = np.where(is_missing, np.nan, 7.0)[:, np.newaxis]
    model = fit(X, is_missing.astype(float), max_iter=100)
    assert_allclose(model.predict(X), is_missing, atol=1e-3)
    # Where all are known, one that is not goes with the most.
    X = np.repeat([0.0, 1.0], [100, 200])[:, np.newaxis]
    model = fit(X, X[:, 0], max_iter=100)
    assert_allclose(model.predict([[np.nan]]), 1, atol=1e-3)


LABELS = {
    "two": np.array([3, 4] * 20),
    "gaps": np.array([7, -2, 90, 7] * 10),
    "one class": np.full(40, 5),
    "far apart": np.array([-(2**62), 2**62] * 20),
    "unsigned, large": np.array([2**63, 2**63 + 1] * 20, dtype=np.uint64),
    "unsigned": np.array([255, 0, 9, 9] * 10, dtype=np.uint8),
    "a byte": np.array([-128, 127, 0, 1] * 100, dtype=np.int8),
    "bool": np.array([True, False, False, True] * 10),
    "few rows": np.array([1, 0, 2, 2]),
    "swapped bytes": np.array([3, 1, 3, 2] * 10, dtype=">i4"),
    "floats": np.array([0.0, 2.0] * 20),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_classes_of_labels(labels):
    X = np.arange(len(labels), dtype=float)[:, np.newaxis]
    settings = {"max_iter": 2, "min_samples_leaf": 1, "early_stopping": False}
    model = HistGradientBoostingClassifier(**settings).fit(X, labels)
    classes, positions = np.unique(labels, return_inverse=True)
    assert_array_equal(model.classes_, classes)
    assert model.classes_.dtype == classes.dtype
    names = np.array([f"class {i:03}" for i in positions])
    named = HistGradientBoostingClassifier(**settings).fit(X, names)
    assert_array_equal(model.predict_proba(X), named.predict_proba(X))
    assert set(model.predict(X)) <= set(labels.tolist())


def test_constant_target():
    X, _ = make_regression_data()
    for loss in ("squared_error", "absolute_error", "huber", "poisson", "gamma"):
        prediction = fit(X, np.full(len(X), 2.5), loss=loss).predict(X)
        assert_allclose(prediction, 2.5, rtol=1e-12)


def test_predict_no_rows():
    X, y = make_classification_data()
    model = HistGradientBoostingClassifier(**SETTINGS).fit(X, y)
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        model.predict(X[:0])


@pytest.mark.skipif(
    not os.environ.get("SKLEARNX_HUGE_TESTS"),
    reason="needs 5 GB and minutes; set SKLEARNX_HUGE_TESTS=1",
)
def test_more_cells_than_31_bits_count():
    """Columns that are views of one buffer, so that only their codes take memory."""
    n_samples, n_features = 1_080_000, 2000
    values = np.random.default_rng(0).integers(0, 100, n_samples + n_features - 1)
    X = np.lib.stride_tricks.sliding_window_view(values.astype(np.float32), n_features)
    assert X.shape == (n_samples, n_features) and X.size > 2**31
    # The last cells are those whose positions take more than 31 bits.
    y = np.where(np.arange(n_samples) > n_samples // 2, X[:, -1] >= 50, X[:, -1] >= 70)
    model = HistGradientBoostingRegressor(
        max_iter=1, max_leaf_nodes=3, learning_rate=1.0, early_stopping=False
    ).fit(X, y)
    assert set(model.feature_split_counts_.nonzero()[0]) == {n_features - 1}
    prediction = model.predict(X)
    for low, high, expected in ((0, 50, 0.0), (50, 70, 0.5), (70, 100, 1.0)):
        is_between = (X[:, -1] >= low) & (X[:, -1] < high)
        assert_allclose(prediction[is_between], expected, atol=0.01)
