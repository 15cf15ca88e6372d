"""Sparse tables and bundled columns: the bits of a dense table, without its memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearnx._boosting import binning, bundling, model
from sklearnx._boosting.binning import BinMapper
from sklearnx._boosting.encoding import Table
from sklearnx._cython.boosting.matrix import NARROW, NONE, SPARSE, WIDE
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import assert_same_bits

Classifier, Regressor = HistGradientBoostingClassifier, HistGradientBoostingRegressor
SETTINGS = {
    "max_iter": 3,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 5,
    "random_state": 0,
    "n_jobs": 1,
}
FORMATS = {
    "dense": np.asarray,
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
}
# Enough for several threads to be woken.
N_ROWS = 4000


@pytest.fixture(scope="module", autouse=True)
def cheap_entries():
    """Have entries stored in small tables, too: below a fifth of the rows."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(bundling, "COLUMNS_PER_ENTRY", 5)
        monkeypatch.setattr(bundling, "COLUMNS_PER_ROW", 0)
        monkeypatch.setattr(bundling, "ROWS_PER_CODE", 0)
        yield


def make_data(n_rows=N_ROWS, seed=0):
    """Columns of every storage, and a target that all of them have a part in."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 12, size=n_rows)
    counts = np.where(rng.random((n_rows, 4)) < 0.7, 0, rng.poisson(2, (n_rows, 4)))
    rare = np.where(rng.random((n_rows, 6)) < 0.96, 0, rng.normal(size=(n_rows, 6)))
    small = rng.integers(0, 4, size=(n_rows, 2))
    X = np.hstack(
        [
            levels[:, np.newaxis] == np.arange(12),
            counts,
            rare,
            small,
            rng.normal(size=(n_rows, 2)),
            np.ones((n_rows, 1)),
            np.arange(n_rows)[:, np.newaxis] == 3,
        ]
    ).astype(float)
    X[:, 12:26][rng.random((n_rows, 14)) < 0.01] = np.nan
    X[::50][np.arange(len(X[::50])), levels[::50]] = np.nan
    X[5, 13:15] = -np.inf, np.inf
    values = np.nan_to_num(X, posinf=3, neginf=-3)
    y = values @ rng.normal(size=X.shape[1]) + 3 * rare.sum(axis=1) + levels % 3
    return X, y + 0.1 * rng.normal(size=n_rows)


def to_classes(y, n_classes):
    return np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))


def unbundle(monkeypatch):
    """Store every feature in a column of its own from here on."""
    for module in (bundling, binning):
        monkeypatch.setattr(module, "MAX_SHARE", -1)


def get_bits(fitted):
    arrays = {
        **fitted._model.get_arrays(),
        "train_score_": fitted.train_score_,
        "validation_score_": fitted.validation_score_,
    }
    return {name: np.asarray(array).tobytes() for name, array in arrays.items()}


def assert_same_model(one, other):
    one, other = get_bits(one), get_bits(other)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def get_predictions(fitted, X):
    """Return all that a model says of some rows, by method."""
    names = ["predict", "apply", "predict_proba", "decision_function"]
    names += ["staged_predict", "staged_predict_proba", "staged_decision_function"]
    said = {}
    for name in names:
        if hasattr(fitted, name):
            result = getattr(fitted, name)(X)
            said[name] = np.stack(list(result)) if "staged" in name else result
    return said


def assert_same_predictions(fitted, X, expected):
    got = get_predictions(fitted, X)
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        assert_same_bits(got[name], values)


# -- the same bits ---------------------------------------------------------------------


def make_groups(n_features=28):
    return [list(range(0, n_features, 2)), list(range(1, n_features, 2)), [0, 1, 2]]


VARIANTS = {
    "leafwise": {},
    "depthwise": {"grow_policy": "depthwise", "max_depth": 5},
    "symmetric": {"grow_policy": "symmetric"},
    "one row a leaf": {"min_samples_leaf": 1, "max_leaf_nodes": 60},
    "large leaves": {"min_samples_leaf": 100},
    "extra trees": {"extra_trees": True},
    "symmetric extra trees": {"extra_trees": True, "grow_policy": "symmetric"},
    "features drawn": {"max_features": 0.4, "colsample_bytree": 0.7},
    "symmetric features drawn": {"max_features": 0.4, "grow_policy": "symmetric"},
    "few bins": {"max_bins": 3},
    "wide": {"max_bins": 2000},
    "interactions": {"interaction_cst": make_groups()},
    "symmetric interactions": {
        "interaction_cst": make_groups(),
        "grow_policy": "symmetric",
    },
    "monotonic": {"monotonic_cst": [1, -1, 0, 0] * 7},
    "path smoothing": {"path_smoothing": 2.0, "max_delta_step": 1.0},
    "uniform": {"subsample": 0.5},
    "goss": {"subsample": 0.4, "sampling": "goss"},
    "mvs": {"subsample": 0.4, "sampling": "mvs"},
    "ordered": {"boosting": "ordered"},
    "dart": {"boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.0},
    "dart of drawn rows": {"boosting": "dart", "skip_drop": 0.0, "subsample": 0.5},
    "random forest": {"boosting": "random_forest", "max_features": 0.5},
    "forest of drawn rows": {"boosting": "random_forest", "subsample": 0.5},
    "linear leaves": {"linear_leaves": True, "linear_l2_regularization": 0.1},
    "early stopping": {"early_stopping": True, "max_iter": 8, "n_iter_no_change": 2},
    "absolute error": {"loss": "absolute_error"},
    "integer weights": {"weights": "integer"},
    "real weights": {"weights": "real"},
    "heavy weights": {"weights": "heavy", "min_samples_leaf": 50},
    "two classes": {"n_classes": 2},
    "four classes": {"n_classes": 4, "grow_policy": "symmetric"},
}
WEIGHTS = {
    "integer": lambda rng, n: rng.integers(0, 4, size=n).astype(float),
    "real": lambda rng, n: rng.uniform(0.0, 3.0, size=n),
    "heavy": lambda rng, n: rng.integers(1, 2**17, size=n).astype(float),
}


def fit(X, y, *, n_classes=None, weights=None, **more):
    estimator_class = Regressor if n_classes is None else Classifier
    y = y if n_classes is None else to_classes(y, n_classes)
    if weights is not None:
        weights = WEIGHTS[weights](np.random.default_rng(1), len(y))
    return estimator_class(**{**SETTINGS, **more}).fit(X, y, weights)


def test_data_are_of_every_storage():
    X, _ = make_data()
    for kind, options in {NARROW: {}, WIDE: {"max_bins": 2000}}.items():
        for convert in FORMATS.values():
            table = convert(X)
            where = {"matrix": table} if sparse.issparse(table) else {"dense": table}
            matrix = BinMapper(**options).fit_transform(
                Table(*X.shape, **where), min_samples=20
            )
            layout = matrix.layout
            assert {kind, SPARSE, NONE} <= set(layout.storage.tolist())
            assert np.any(layout.first_codes > 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_bits(variant, monkeypatch):
    X, y = make_data()
    bundled = [
        fit(convert(X), y, n_jobs=n_jobs, **VARIANTS[variant])
        for convert in FORMATS.values()
        for n_jobs in (1, 3)
    ]
    unbundle(monkeypatch)
    expected = fit(X, y, n_jobs=1, **VARIANTS[variant])
    assert np.diff(expected._model.offsets).max() > 1
    said = get_predictions(expected, X)
    for fitted in [*bundled, fit(FORMATS["csc"](X), y, n_jobs=1, **VARIANTS[variant])]:
        assert_same_model(fitted, expected)
    for convert in FORMATS.values():
        assert_same_predictions(bundled[0], convert(X), said)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("grow_policy", ["leafwise", "symmetric"])
def test_categories(grow_policy, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = make_data()
    # A level of most rows beside some rare ones; columns of counts, and one of many.
    X[:, 12:16] = np.minimum(X[:, 12:16], 7)
    X[:, 21] = rng.integers(0, 400, size=len(y))
    X = X.astype(dtype)
    more = {
        "categorical_features": [0, 3, 12, 13, 14, 18, 21],
        "grow_policy": grow_policy,
    }
    tables = [X, np.asfortranarray(X), sparse.csr_array(X)]
    fits = [fit(X, y, n_jobs=j, **more) for X in tables for j in (1, 3)]
    unbundle(monkeypatch)
    expected = fit(X, y, **more)
    assert len(expected._model.bitsets) > 0
    for fitted in fits:
        assert_same_model(fitted, expected)


@pytest.mark.parametrize("given", [False, True])
def test_validation_rows(given, monkeypatch):
    X, y = make_data()
    more = {"early_stopping": True, "max_iter": 20, "n_iter_no_change": 3}
    X_val, y_val = make_data(400, seed=1)

    def fit_with(convert, n_jobs=1):
        extra = {"eval_sets": {"other": (convert(X_val), y_val)}}
        if given:
            extra |= {"X_val": convert(X_val), "y_val": y_val}
        regressor = Regressor(**{**SETTINGS, **more, "n_jobs": n_jobs})
        return regressor.fit(convert(X), y, **extra)

    fits = [fit_with(convert, j) for convert in FORMATS.values() for j in (1, 3)]
    unbundle(monkeypatch)
    expected = fit_with(np.asarray)
    for fitted in fits:
        assert_same_model(fitted, expected)
        assert_same_bits(
            fitted.evals_result_["other"]["loss"],
            expected.evals_result_["other"]["loss"],
        )


def test_warm_start():
    X, y = make_data()
    expected = fit(X, y, max_iter=8)
    for first in FORMATS.values():
        for second in FORMATS.values():
            fitted = fit(first(X), y, warm_start=True)
            fitted.set_params(max_iter=8).fit(second(X), y)
            assert fitted._model.nodes.tobytes() == expected._model.nodes.tobytes()


@st.composite
def draw_tables(draw):
    """Return a small table, mostly zeros, with a target, weights and settings."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.integers(1, 80)), draw(st.integers(1, 12))
    share = draw(st.sampled_from([0.0, 0.02, 0.2, 0.5, 1.0]))
    values = draw(
        st.sampled_from(
            [
                lambda: rng.integers(-2, 3, size=shape),
                lambda: rng.normal(size=shape),
                lambda: rng.choice([1, -1, np.nan, np.inf, -np.inf, 5e-324], shape),
                lambda: rng.random(shape) < 0.5,
            ]
        )
    )()
    X = np.where(rng.random(shape) < share, values, 0.0)
    X = X.astype(draw(st.sampled_from([np.float32, np.float64])))
    y = np.nan_to_num(X[:, 0], posinf=9, neginf=-9) + rng.normal(size=len(X))
    weights = draw(st.sampled_from([None, "integer", "real"]))
    more = {
        "min_samples_leaf": draw(st.integers(1, 6)),
        "max_bins": draw(st.sampled_from([2, 3, 255, 300])),
        "grow_policy": draw(st.sampled_from(["leafwise", "depthwise", "symmetric"])),
        "extra_trees": draw(st.booleans()),
    }
    if weights is not None:
        weights = WEIGHTS[weights](rng, len(y)) + 1
    return X, y, weights, more


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(draw_tables())
def test_any_table(drawn):
    X, y, weights, more = drawn
    dense, csr, csc = (
        Regressor(**{**SETTINGS, "max_iter": 2, **more}).fit(convert(X), y, weights)
        for convert in FORMATS.values()
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        unbundle(monkeypatch)
        expected = Regressor(**{**SETTINGS, "max_iter": 2, **more}).fit(X, y, weights)
    for fitted in (dense, csr, csc):
        assert_same_model(fitted, expected)
    assert_same_bits(dense.predict(sparse.csr_array(X)), expected.predict(X))


# -- wide tables -----------------------------------------------------------------------


def make_texts(n_texts=2000, n_words=5000, n_words_of_text=30):
    """Counts of words whose frequencies follow Zipf's law, in two kinds of texts."""
    rng = np.random.default_rng(0)
    frequencies = 1 / np.arange(2, n_words + 2)
    words = rng.choice(
        n_words, (n_texts, n_words_of_text), p=frequencies / frequencies.sum()
    )
    kinds = rng.integers(0, 2, size=n_texts)
    # Some words are of one of the kinds only.
    words = np.where((words % 7 == 3) & (words % 2 != kinds[:, None]), words ^ 1, words)
    texts = np.repeat(np.arange(n_texts), n_words_of_text)
    coordinates = (np.ones(words.size), (texts, words.ravel()))
    return sparse.coo_array(coordinates, shape=(n_texts, n_words)).tocsr(), kinds


def measure_peak(function):
    """Return what a function returns, and the most bytes allocated at a time."""
    tracemalloc.start()
    try:
        result = function()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_texts_stay_sparse(monkeypatch):
    X, kinds = make_texts()
    dense_size = X.shape[0] * X.shape[1] * X.dtype.itemsize
    asked = []
    read_column = Table.column

    def note_column(self, j):
        asked.append(j)
        return read_column(self, j)

    monkeypatch.setattr(Table, "column", note_column)
    classifier = Classifier(**{**SETTINGS, "max_iter": 10})
    _, peak = measure_peak(lambda: classifier.fit(X, kinds))
    assert peak < dense_size / 8
    # Only words that most texts have, where the zeros are what is rare.
    n_texts_of_word = np.diff(X.tocsc().indptr)
    assert set(asked) <= set(np.flatnonzero(n_texts_of_word > X.shape[0] / 2))
    said, peak = measure_peak(lambda: get_predictions(classifier, X))
    assert peak < dense_size / 8
    assert classifier.score(X, kinds) > 0.8
    assert_same_predictions(classifier, X.toarray(), said)
    assert_same_model(
        Classifier(**{**SETTINGS, "max_iter": 10}).fit(X.toarray(), kinds), classifier
    )


@pytest.mark.parametrize("max_values", [1, 500, 60_000])
def test_predictions_in_chunks(max_values, monkeypatch):
    X, kinds = make_texts(80, 500)
    fits = [
        Classifier(**SETTINGS).fit(X, kinds),
        Classifier(**SETTINGS).fit(X, kinds + (X[:, [0]].toarray()[:, 0] > 1)),
        Regressor(**SETTINGS, boosting="random_forest", subsample=0.5).fit(X, kinds),
        Regressor(**SETTINGS, linear_leaves=True).fit(X, kinds),
    ]
    monkeypatch.setattr(model, "MAX_DENSE_VALUES", max_values)
    for fitted in fits:
        expected = get_predictions(fitted, X.toarray())
        for table in (X, X.tocsc(), X.astype(np.float32)):
            assert_same_predictions(fitted, table, expected)


# -- odd tables ------------------------------------------------------------------------


def shuffle(X):
    """Return a CSR matrix with unsorted columns, and halves of values twice."""
    parts = sparse.coo_array(X)
    order = np.random.default_rng(0).permutation(2 * parts.nnz)
    rows, columns = (np.tile(axis, 2)[order] for axis in (parts.row, parts.col))
    by_row = np.argsort(rows, kind="stable")
    indptr = np.searchsorted(rows[by_row], np.arange(X.shape[0] + 1))
    values = np.tile(parts.data / 2, 2)[order]
    return sparse.csr_array((values[by_row], columns[by_row], indptr), shape=X.shape)


@pytest.mark.parametrize("n_classes", [None, 3])
def test_odd_rows(n_classes):
    X, y = make_data()
    fitted = fit(X, y, n_classes=n_classes)
    expected = get_predictions(fitted, X)
    matrix = shuffle(X)
    assert not matrix.has_sorted_indices and not matrix.has_canonical_format
    assert_same_predictions(fitted, matrix, expected)
    assert_same_model(fit(matrix, y, n_classes=n_classes), fitted)
    for rows in (X[:1], np.zeros((1, X.shape[1])), np.zeros((9, X.shape[1])), X[3:5]):
        said = get_predictions(fitted, rows)
        for convert in FORMATS.values():
            assert_same_predictions(fitted, convert(rows), said)


def make_constant(X):
    return np.full_like(X, 2.0)


def make_zeros(X):
    return np.zeros_like(X)


def make_rare(X):
    """Too few values of a column for a leaf."""
    rare = np.zeros_like(X)
    rare[:4] = X[:4]
    return rare


@pytest.mark.parametrize("change", [make_constant, make_zeros, make_rare])
@pytest.mark.parametrize("grow_policy", ["leafwise", "depthwise", "symmetric"])
@pytest.mark.parametrize("more", [{}, {"linear_leaves": True}, {"subsample": 0.5}])
def test_nothing_to_split(change, grow_policy, more, monkeypatch):
    X, y = make_data(200)
    X = change(X)
    fits = [fit(f(X), y, grow_policy=grow_policy, **more) for f in FORMATS.values()]
    unbundle(monkeypatch)
    expected = fit(X, y, grow_policy=grow_policy, **more)
    assert np.all(np.diff(expected._model.offsets) == 1)
    said = get_predictions(expected, X)
    for fitted in fits:
        assert_same_model(fitted, expected)
        for convert in FORMATS.values():
            assert_same_predictions(fitted, convert(X), said)


# -- snapshots -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"early_stopping": True, "n_iter_no_change": 20},
        {"given": True, "early_stopping": True, "n_iter_no_change": 20},
        {"boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.0},
        {"linear_leaves": True},
    ],
    ids=str,
)
def test_snapshots_go_on_with_other_formats(more, tmp_path):
    X, y = make_data(400)
    X_val, y_val = make_data(200, seed=1)
    more = dict(more)
    given = more.pop("given", False)

    def fit_with(convert, max_iter, path=None):
        extra = {"X_val": convert(X_val), "y_val": y_val} if given else {}
        regressor = Regressor(
            **{**SETTINGS, "max_iter": max_iter, "snapshot": path, **more}
        )
        return regressor.fit(convert(X), y, **extra)

    expected = fit_with(np.asarray, 8)
    for first, begin in FORMATS.items():
        for second, go_on in FORMATS.items():
            path = tmp_path / f"{first} {second}"
            fit_with(begin, 4, path)
            assert_same_model(fit_with(go_on, 8, path), expected)


def test_snapshots_where_two_codes_are_as_frequent(tmp_path):
    # Neither of them is the default one, whatever the format.
    X = np.repeat([[-1.0, 0.0], [0.0, 1.0]], 10, axis=0)
    y = np.arange(20.0)
    for convert in FORMATS.values():
        regressor = Regressor(**{**SETTINGS, "min_samples_leaf": 15})
        regressor.set_params(snapshot=tmp_path / "fit").fit(convert(X), y)
