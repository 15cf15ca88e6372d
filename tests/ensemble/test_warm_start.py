"""A fit that goes on from the last one."""

import numpy as np
import pytest
from sklearn.base import clone

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"loss": "absolute_error"},
        {"loss": "huber"},
        {"loss": "poisson"},
        {"max_features": 0.5},
        {"early_stopping": True, "n_iter_no_change": 40},
        {"early_stopping": True, "n_iter_no_change": 40, "scoring": "r2"},
    ],
)
def test_in_two_parts_is_in_one(settings):
    """Bit for bit, random choices and scores included."""
    X, y = make_regression_data()
    y = np.exp(y)
    settings = {"max_leaf_nodes": 8, "random_state": 0, **settings}
    whole = HistGradientBoostingRegressor(max_iter=30, **settings).fit(X, y)
    parts = HistGradientBoostingRegressor(max_iter=10, warm_start=True, **settings)
    for max_iter in (10, 11, 30):
        parts.set_params(max_iter=max_iter).fit(X, y)
        assert parts.n_iter_ == max_iter
    assert_same_bits(parts.predict(X), whole.predict(X))
    assert_same_bits(parts.train_score_, whole.train_score_)
    assert_same_bits(parts.validation_score_, whole.validation_score_)
    assert_same_bits(parts.feature_importances_, whole.feature_importances_)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(n_classes):
    X, y = make_classification_data(n_classes=n_classes)
    whole = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=8).fit(X, y)
    parts = clone(whole).set_params(max_iter=5, warm_start=True).fit(X, y)
    parts.set_params(max_iter=20).fit(X, y)
    assert_same_bits(parts.predict_proba(X), whole.predict_proba(X))


def test_categories_and_history():
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data()
    frame = pd.DataFrame({"a": X[:, 0], "b": (10 * X[:, 1]).astype(int).astype(str)})
    sets = {"same": (frame, y)}
    settings = {"max_leaf_nodes": 8, "eval_metrics": ["r2"]}
    whole = HistGradientBoostingRegressor(max_iter=20, **settings)
    whole.fit(frame, y, eval_sets=sets)
    parts = HistGradientBoostingRegressor(max_iter=5, warm_start=True, **settings)
    parts.fit(frame, y, eval_sets=sets)
    parts.set_params(max_iter=20).fit(frame, y, eval_sets=sets)
    assert_same_bits(parts.predict(frame), whole.predict(frame))
    for metric in ("loss", "r2"):
        one, other = parts.evals_result_["same"], whole.evals_result_["same"]
        assert_same_bits(one[metric], other[metric])


def test_parameters_may_change_on_the_way():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(
        max_iter=5, max_leaf_nodes=31, warm_start=True
    )
    first = model.fit(X, y).predict(X)
    model.set_params(max_iter=9, max_leaf_nodes=2, learning_rate=0.01).fit(X, y)
    assert_same_bits(model.predict(X, n_iter=5), first)
    sizes = [tree.get_n_leaf_nodes() for (tree,) in model._predictors]
    assert min(sizes[:5]) > 2 and sizes[5:] == [2] * 4


def test_nothing_left_to_do():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=5, warm_start=True).fit(X, y)
    expected = model.predict(X)
    assert_same_bits(model.fit(X, y).predict(X), expected)
    model.set_params(max_iter=4)
    with pytest.raises(ValueError, match=r"max_iter=4 must be larger .*n_iter_=5"):
        model.fit(X, y)
    assert_same_bits(model.predict(X), expected)


def test_after_early_stopping_it_stops_again():
    X, y = make_regression_data()
    settings = {"early_stopping": True, "n_iter_no_change": 5, "random_state": 0}
    model = HistGradientBoostingRegressor(max_iter=300, warm_start=True, **settings)
    n_iter = model.fit(X, y).n_iter_
    assert n_iter < 300
    assert n_iter < model.fit(X, y).n_iter_ <= n_iter + 5


def test_without_warm_start_all_begins_anew():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=5).fit(X, y)
    expected = model.predict(X)
    assert_same_bits(model.fit(X, y).predict(X), expected)
    X_other, y_other = make_regression_data(random_state=1)
    model.fit(X_other, y_other).fit(X, y)
    assert_same_bits(model.predict(X), expected)


def test_clone_is_not_warm():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=5, warm_start=True).fit(X, y)
    assert clone(model).fit(X, y).n_iter_ == 5


@pytest.mark.parametrize("change", ["columns", "classes"])
def test_other_columns_or_classes(change):
    """What a model cannot go on with is told, and the model stays as it was."""
    X, y = make_classification_data(n_classes=3)
    model = HistGradientBoostingClassifier(max_iter=3, warm_start=True).fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(max_iter=6)
    X_other, y_other = (np.c_[X, X], y) if change == "columns" else (X, y % 2)
    with pytest.raises(ValueError, match=r"warm_start|features|classes"):
        model.fit(X_other, y_other)
    assert_same_bits(model.predict_proba(X), expected)


def test_levels_keep_their_meaning():
    """Other rows, in which another level is the most frequent."""
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=3, warm_start=True)
    frame = pd.DataFrame({"a": np.where(X[:, 1] > 1, "x", "y")})
    first = model.fit(frame, y).predict(frame)
    model.set_params(max_iter=6)
    model.fit(pd.DataFrame({"a": np.where(X[:, 1] > -1, "x", "y")}), y)
    assert_same_bits(model.predict(frame, n_iter=3), first)
