"""`compile_predictor`: what may be asked, what is refused, from how many threads."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn._loss import HalfSquaredError

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import make_classification_data, make_regression_data


def make_frame(n_samples=400, random_state=0):
    rng = np.random.default_rng(random_state)
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n_samples),
            "town": rng.choice(["a", "b", "c", None], n_samples),
            "rooms": rng.integers(1, 6, n_samples),
        }
    )
    y = X["size"] + (X["town"] == "b") + 0.5 * X["rooms"]
    return X, y + 0.1 * rng.normal(size=n_samples)


@pytest.fixture(scope="module")
def houses():
    X, y = make_frame()
    return HistGradientBoostingRegressor(max_iter=20).fit(X, y), X


def test_dict_in_any_order(houses):
    model, _ = houses
    predictor = model.compile_predictor()
    row = {"rooms": 3, "town": "b", "size": 0.5}
    expected = model.predict(pd.DataFrame([row])[["size", "town", "rooms"]])[0]
    assert predictor(row) == expected == predictor((0.5, "b", 3))
    assert isinstance(predictor(row), float)


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), pd.NA, pd.NaT])
def test_missing(houses, missing):
    model, _ = houses
    predictor = model.compile_predictor()
    X = pd.DataFrame({"size": [np.nan], "town": [None], "rooms": [2]})
    expected = model.predict(pd.concat([X, X]))[0]
    assert predictor((missing, missing, 2)) == expected


@pytest.mark.parametrize(
    "number", [2, 2.0, np.int8(2), np.float32(2), True + 1, Decimal(2)]
)
def test_numbers_of_any_type(houses, number):
    model, _ = houses
    predictor = model.compile_predictor()
    assert predictor((0.1, "a", number)) == predictor((0.1, "a", 2.0))


def test_unseen_level_is_missing(houses):
    model, _ = houses
    predictor = model.compile_predictor()
    assert predictor((0.1, "z", 2)) == predictor((0.1, None, 2))


def test_unseen_level_is_refused_if_wanted():
    X, y = make_frame()
    model = HistGradientBoostingRegressor(max_iter=3, handle_unknown="error").fit(X, y)
    predictor = model.compile_predictor()
    predictor((0.1, "a", 2))
    with pytest.raises(ValueError, match=r"unknown categories.*'z'.*'town'"):
        predictor((0.1, "z", 2))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"size": 1.0, "town": "a"}, r"lacks columns.*'rooms'"),
        ({"size": 1.0, "town": "a", "room": 3}, r"lacks columns.*'rooms'"),
        (
            {"size": 1.0, "town": "a", "rooms": 3, "cellar": 1},
            r"has not seen.*'cellar'",
        ),
        ((1.0, "a"), "2 features, but HistGradientBoostingRegressor is expecting 3"),
        ((), "0 features"),
        (("large", "a", 3), "'large' in column 'size'"),
        (("1.5", "a", 3), "'1.5' in column 'size'"),
        ((1.0, "a", 1j), "column 'rooms'"),
        ((1.0, "a", np.datetime64("2020-01-01")), "column 'rooms'"),
        ((1.0, "a", [3]), "column 'rooms'"),
        ((1.0, ["a"], 3), "column 'town'"),
        ("abc", "got str"),
        (3.0, "got float"),
        (None, "got NoneType"),
        (np.zeros((2, 3)), r"one row, got an array of shape \(2, 3\)"),
    ],
)
def test_wrong_rows(houses, row, message):
    predictor = houses[0].compile_predictor()
    with pytest.raises((ValueError, TypeError), match=message):
        predictor(row)


def test_names_of_a_model_without():
    X, y = make_regression_data(200)
    predictor = HistGradientBoostingRegressor(max_iter=2).fit(X, y).compile_predictor()
    with pytest.raises(ValueError, match="columns without names"):
        predictor(dict.fromkeys("abcd", 1.0))


@pytest.mark.parametrize("method", ["transform", "predict_proba", "fit", ""])
def test_unknown_method(houses, method):
    with pytest.raises(ValueError, match="method must be one of predict"):
        houses[0].compile_predictor(method)


def test_not_fitted():
    with pytest.raises(ValueError, match="not fitted"):
        HistGradientBoostingRegressor().compile_predictor()


@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "c"], [5, 7, 9, 11]])
def test_classes(labels):
    X, y = make_classification_data(400, n_classes=len(labels))
    model = HistGradientBoostingClassifier(max_iter=5).fit(X, np.array(labels)[y])
    assert model.compile_predictor().method == "predict_proba"
    answer = model.compile_predictor("predict")
    assert [answer(row) for row in X[:50]] == model.predict(X[:50]).tolist()
    scores = model.compile_predictor("decision_function")
    assert np.array_equal(
        [scores(row) for row in X[:50]], model.decision_function(X[:50])
    )


def test_one_class():
    X, _ = make_regression_data(100)
    model = HistGradientBoostingClassifier(max_iter=2).fit(X, np.zeros(100))
    assert model.compile_predictor()(X[0]) == model.predict_proba(X[:1])[0].tolist()


@pytest.mark.parametrize("loss", ["poisson", "own", "scikit-learn's"])
def test_links(loss):
    class Poisson:
        link = "log"

        def gradient(self, y_true, raw_prediction):
            return np.exp(raw_prediction) - y_true

        def hessian(self, y_true, raw_prediction):
            return np.exp(raw_prediction)

    X, y = make_regression_data(300)
    loss = {"own": Poisson(), "scikit-learn's": HalfSquaredError()}.get(loss, loss)
    model = HistGradientBoostingRegressor(
        loss=loss, max_iter=5, early_stopping=False
    ).fit(X, np.exp(y))
    predictor = model.compile_predictor()
    assert [predictor(row) for row in X[:20]] == model.predict(X[:20]).tolist()


def test_several_outputs():
    X, y = make_regression_data(300)
    model = HistGradientBoostingRegressor(max_iter=5).fit(X, np.column_stack([y, -y]))
    predictor = model.compile_predictor()
    assert [predictor(row) for row in X[:20]] == model.predict(X[:20]).tolist()


@pytest.mark.parametrize("n_columns", [1, 300])
def test_few_and_many_columns(n_columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, n_columns))
    model = HistGradientBoostingRegressor(max_iter=7).fit(X, X.sum(axis=1))
    predictor = model.compile_predictor()
    assert [predictor(row) for row in X] == model.predict(X).tolist()


def test_pairs_of_levels():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 12, (500, 3)).astype(str), columns=list("abc"))
    X[rng.random(X.shape) < 0.1] = None
    y = (X["a"] == X["b"]).astype(float) + rng.normal(size=500)
    model = HistGradientBoostingRegressor(
        max_iter=20, categorical_encoding="ordered_target"
    ).fit(X, y)
    assert any(len(column.features) == 2 for column in model._derived.columns_)
    asked = pd.DataFrame(rng.integers(0, 14, (300, 3)).astype(str), columns=list("abc"))
    asked[rng.random(asked.shape) < 0.1] = None
    predictor = model.compile_predictor()
    expected = model.predict(asked).tolist()
    assert [predictor(row) for row in asked.itertuples(index=False)] == expected
    assert [predictor(tuple(row)) for row in asked.to_numpy()] == expected
    alone = [model.predict(asked[i : i + 1])[0] for i in range(len(asked))]
    assert alone == expected


def test_a_later_fit_changes_nothing():
    X, y = make_regression_data(200)
    model = HistGradientBoostingRegressor(max_iter=3).fit(X, y)
    predictor = model.compile_predictor()
    before = predictor(X[0])
    model.fit(X[:, :2], -y)
    assert predictor(X[0]) == before != model.predict(X[:1, :2])[0]
    model.set_params(n_jobs=3)
    assert predictor(X[0].tolist()) == before


def test_the_methods_follow_a_later_fit():
    X, y = make_regression_data(200)
    model = HistGradientBoostingRegressor(max_iter=3).fit(X, y)
    model.predict(X[:1])
    model.fit(X, -y)
    assert model.predict(X[:1])[0] == model.predict(X[:2])[0]


def test_pickle(houses):
    model, _ = houses
    predictor = pickle.loads(pickle.dumps(model.compile_predictor()))
    assert predictor((0.1, "a", 2)) == model.compile_predictor()((0.1, "a", 2))


def test_threads_at_the_same_time(houses):
    model, X = houses
    predictor = model.compile_predictor()
    rows = X.to_dict("records")
    expected = [predictor(row) for row in rows]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for answers in pool.map(lambda _: list(map(predictor, rows)), range(16)):
                assert answers == expected
    finally:
        sys.setswitchinterval(interval)


def test_predict_leaves_the_estimator_as_it_was(houses):
    model, X = houses
    before = dict(vars(model))
    model.predict(X[:1])
    model.compile_predictor()
    assert vars(model) == before
