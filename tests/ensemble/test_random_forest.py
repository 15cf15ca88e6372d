"""Averages of trees that know nothing of each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_squared_error

from sklearnx._boosting.sampling import SAMPLERS, make_sampler
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.inspection import tree_table
from tests.ensemble._data import (
    assert_same_bits,
    compute_signal,
    fit_alone,
    make_classification_data,
    make_regression_data,
)

SETTINGS = {
    "boosting": "random_forest",
    "subsample": 0.5,
    "random_state": 0,
    "early_stopping": False,
}


def make_regressor(**settings):
    return HistGradientBoostingRegressor(**{**SETTINGS, **settings})


def test_prediction_is_the_average_of_means_of_drawn_rows():
    X, y = make_regression_data()
    model = make_regressor(max_iter=20).fit(X, y)
    sampler = make_sampler("uniform", 0.5, int(model._random_seed), len(y))
    leaves = model.apply(X)
    predictions = np.empty((20, len(y)))
    for iteration in range(20):
        rows = sampler.draw(iteration, np.zeros((1, len(y))), None, None, 1).rows
        is_drawn = np.isin(np.arange(len(y)), rows)
        for leaf in np.unique(leaves[:, iteration]):
            in_leaf = leaves[:, iteration] == leaf
            predictions[iteration, in_leaf] = y[in_leaf & is_drawn].mean()
    assert_allclose(model.predict(X), predictions.mean(axis=0))
    for n_iter, stage in enumerate(model.staged_predict(X), start=1):
        assert_allclose(stage, predictions[:n_iter].mean(axis=0))
        assert_allclose(model.predict(X, n_iter=n_iter), stage)


def test_learning_rate_has_no_effect():
    X, y = make_regression_data()
    models = [make_regressor(learning_rate=rate).fit(X, y) for rate in (0.01, 1.0)]
    assert_same_bits(models[0].predict(X), models[1].predict(X))


@pytest.mark.parametrize("sampling", SAMPLERS)
@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "poisson", "quantile"]
)
def test_scores_follow(loss, sampling):
    X, y = make_regression_data()
    y = np.exp(0.5 * y)
    model = make_regressor(
        loss=loss,
        quantile=0.5 if loss == "quantile" else None,
        sampling=sampling,
        max_iter=15,
        early_stopping=True,
        validation_fraction=None,
        scoring="neg_mean_absolute_error",
        eval_metrics=["neg_mean_absolute_error"],
        n_iter_no_change=100,
    ).fit(X, y, eval_sets={"same": (X, y)})
    errors = [np.abs(stage - y).mean() for stage in model.staged_predict(X)]
    assert_allclose(-model.train_score_[1:], errors)
    same = model.evals_result_["same"]["neg_mean_absolute_error"]
    assert_allclose(-same[1:], errors)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(n_classes):
    X, y = make_classification_data(2000, n_classes=n_classes)
    X_test, y_test = make_classification_data(2000, n_classes, random_state=1)
    model = HistGradientBoostingClassifier(
        **SETTINGS, max_features=0.5, max_iter=50
    ).fit(X, y, eval_sets={"test": (X_test, y_test)})
    p = model.predict_proba(X_test)
    loss = -np.log(p[np.arange(len(y_test)), y_test]).mean()
    assert_allclose(model.evals_result_["test"]["loss"][-1], loss)
    assert model.score(X_test, y_test) > {2: 0.85, 3: 0.75}[n_classes]
    assert_allclose(list(model.staged_predict_proba(X_test))[-1], p)


def test_against_scikit_learn():
    X, y = make_regression_data(2000)
    X_test, _ = make_regression_data(2000, random_state=1)
    signal = compute_signal(X_test)
    settings = {"min_samples_leaf": 5, "max_features": 0.5}
    ours = make_regressor(max_leaf_nodes=None, max_iter=100, **settings).fit(X, y)
    theirs = fit_alone(
        RandomForestRegressor(max_samples=0.7, random_state=0, **settings), X, y
    )
    errors = [
        mean_squared_error(signal, model.predict(X_test)) for model in (ours, theirs)
    ]
    assert errors[0] < 1.1 * errors[1]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"subsample": 1.0, "colsample_bytree": 0.5},
        {"loss": "absolute_error", "sampling": "goss"},
        {"loss": "huber"},
    ],
)
def test_warm_start(settings):
    X, y = make_regression_data()
    whole = make_regressor(max_iter=21, **settings).fit(X, y, eval_sets={"a": (X, y)})
    parts = make_regressor(max_iter=5, warm_start=True, **settings)
    for max_iter in (5, 6, 21):
        parts.set_params(max_iter=max_iter).fit(X, y, eval_sets={"a": (X, y)})
    assert_same_bits(parts.predict(X), whole.predict(X))
    losses = parts.evals_result_["a"]["loss"]
    assert_allclose(losses, whole.evals_result_["a"]["loss"])
    shorter = make_regressor(max_iter=6, **settings).fit(X, y)
    assert_same_bits(whole.predict(X, n_iter=6), shorter.predict(X))


@pytest.mark.parametrize("boostings", [("plain", "random_forest"), None])
def test_warm_start_of_another_kind(boostings):
    X, y = make_regression_data()
    first, second = boostings or ("random_forest", "dart")
    model = make_regressor(boosting=first, max_iter=3, warm_start=True).fit(X, y)
    expected = model.predict(X)
    model.set_params(boosting=second, max_iter=6)
    with pytest.raises(ValueError, match=f"warm_start=True, boosting='{second}'"):
        model.fit(X, y)
    assert_same_bits(model.predict(X), expected)


def test_trees_have_to_differ():
    X, y = make_regression_data()
    with pytest.raises(ValueError, match="needs subsample, colsample_bytree or max_f"):
        make_regressor(subsample=1.0).fit(X, y)
    for settings in ({"max_features": 0.5}, {"colsample_bytree": 0.5}):
        make_regressor(subsample=1.0, max_iter=2, **settings).fit(X, y)


def test_callbacks_get_averages():
    pytest.importorskip("sklearn.callback")
    from tests.ensemble.test_callbacks import Scores

    X, y = make_regression_data()
    scores = Scores(X)
    model = make_regressor(max_iter=6).set_callbacks(scores).fit(X, y)
    for n_iter, prediction in enumerate(scores.predictions, start=1):
        assert_same_bits(prediction, model.predict(X, n_iter=n_iter))


def test_offsets_and_partial_dependence():
    from sklearn.inspection import partial_dependence

    X, y = make_regression_data()
    offset = X[:, 0]
    model = make_regressor(max_iter=10).fit(X, y, init_score=offset)
    with_offset = model.predict(X, init_score=offset)
    assert_allclose(with_offset, model.predict(X) + offset)
    stage = list(model.staged_predict(X, init_score=offset))[4]
    assert_allclose(stage, model.predict(X, init_score=offset, n_iter=5))
    # Both ways average over rows, the recursion over those that trees were grown on.
    averages = [
        partial_dependence(model, X, [1], method=method)["average"][0]
        for method in ("recursion", "brute")
    ]
    centred = [average - average.mean() for average in averages]
    assert_allclose(*centred, atol=0.15)


def test_tables_show_single_trees():
    pytest.importorskip("pandas")
    X, y = make_regression_data()
    model = make_regressor(max_iter=4).fit(X, y)
    leaves = model.apply(X)
    values = [
        tree_table(model, i).loc[leaves[:, i], "value"].to_numpy() for i in range(4)
    ]
    assert_allclose(np.mean(values, axis=0) + y.mean(), model.predict(X))
