"""Weights of rows and of classes. That a weight is a repetition is a contract."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import ensemble as sklearn_ensemble
from sklearn.metrics import log_loss, mean_squared_error

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    compute_signal,
    fit_alone,
    make_classification_data,
    make_regression_data,
)

SETTINGS = {"max_iter": 20, "max_leaf_nodes": 8}
LOSSES = [
    "squared_error",
    "absolute_error",
    "huber",
    "quantile",
    "poisson",
    "gamma",
    "tweedie",
]


def make_regressor(loss, **settings):
    quantile = 0.3 if loss == "quantile" else None
    return HistGradientBoostingRegressor(
        loss, quantile=quantile, **{**SETTINGS, **settings}
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_without_weight_are_absent(loss):
    X, y = make_regression_data()
    y = np.exp(y)
    is_in = np.random.default_rng(1).random(len(y)) < 0.6
    # Whatever is in the others; they would be the largest values.
    X[~is_in] *= 1000
    y[~is_in] *= 1000
    with_all = make_regressor(loss).fit(X, y, sample_weight=is_in)
    without = make_regressor(loss).fit(X[is_in], y[is_in])
    X_new, _ = make_regression_data(random_state=1)
    assert_same_bits(with_all.predict(X_new), without.predict(X_new))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("factor", [2.0**-3, 2.0**40])
def test_unit_of_the_weights_is_of_no_importance(loss, factor):
    X, y = make_regression_data()
    y = np.exp(y)
    weight = np.random.default_rng(1).uniform(0.5, 2, size=len(y))
    # Leaves so large that none is refused for a sum of hessians below 0.001.
    settings = {"min_samples_leaf": 50}
    plain = make_regressor(loss, **settings).fit(X, y, sample_weight=weight)
    scaled = make_regressor(loss, **settings).fit(X, y, sample_weight=factor * weight)
    assert_same_bits(scaled.predict(X), plain.predict(X))


def test_weights_say_where_the_model_has_to_be_good():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(4000, 2))
    # One tree cannot fit both halves.
    y = np.where(X[:, 0] > 0, np.sin(20 * X[:, 0]), np.sin(20 * X[:, 1]))
    is_right = X[:, 0] > 0
    errors = []
    for weight in (np.where(is_right, 100.0, 1.0), np.where(is_right, 1.0, 100.0)):
        model = HistGradientBoostingRegressor(max_iter=10, max_leaf_nodes=12)
        prediction = model.fit(X, y, sample_weight=weight).predict(X)
        errors.append(mean_squared_error(y[is_right], prediction[is_right]))
    assert errors[0] < 0.7 * errors[1]


@pytest.mark.parametrize("estimator", ["regressor", "classifier"])
def test_weights_over_many_decades_are_used_as_well_as_in_scikit_learn(estimator):
    X, y = make_regression_data(20_000)
    X_test, y_test = make_regression_data(20_000, random_state=1)
    # So few values that each has its bin, whatever the weights.
    X, X_test = X.round(1), X_test.round(1)
    rng = np.random.default_rng(1)
    weight, weight_test = 10.0 ** rng.uniform(-6, 6, size=(2, len(y)))
    settings = {**SETTINGS, "max_iter": 50, "early_stopping": False}
    if estimator == "classifier":
        ours = HistGradientBoostingClassifier(**settings)
        theirs = sklearn_ensemble.HistGradientBoostingClassifier(**settings)
        y, y_test = y > 0, y_test > 0
    else:
        ours = HistGradientBoostingRegressor(**settings)
        theirs = sklearn_ensemble.HistGradientBoostingRegressor(**settings)
    losses = []
    for model in (ours, theirs):
        fit_alone(model, X, y, sample_weight=weight)
        if estimator == "classifier":
            prediction, metric = model.predict_proba(X_test), log_loss
        else:
            prediction, metric = model.predict(X_test), mean_squared_error
        losses.append(metric(y_test, prediction, sample_weight=weight_test))
    assert losses[0] < 1.005 * losses[1]


def test_early_stopping_judges_by_weighted_rows():
    """Rows without weight are not asked, be they as wrong as they may."""
    X, y = make_regression_data(2000)
    rng = np.random.default_rng(1)
    weight = (rng.random(len(y)) < 0.5).astype(float)
    y = np.where(weight > 0, y, 1e3 * rng.normal(size=len(y)))
    model = HistGradientBoostingRegressor(early_stopping=True, random_state=0)
    model.fit(X, y, sample_weight=weight)
    assert model.n_iter_ > 20
    assert -0.15 < model.validation_score_[-1] < 0
    assert -0.15 < model.train_score_[-1] < 0


@pytest.mark.parametrize("n_classes", [2, 3])
def test_balanced_classes(n_classes):
    X, y = make_classification_data(n_classes=n_classes)
    X, y = X[(y > 0) | (X[:, 3] > 1)], y[(y > 0) | (X[:, 3] > 1)]
    counts = np.bincount(y)
    class_weight = dict(enumerate(len(y) / (n_classes * counts)))
    balanced = HistGradientBoostingClassifier(class_weight="balanced", **SETTINGS)
    by_hand = HistGradientBoostingClassifier(class_weight=class_weight, **SETTINGS)
    plain = HistGradientBoostingClassifier(**SETTINGS)
    expected = by_hand.fit(X, y).predict_proba(X)
    assert_same_bits(balanced.fit(X, y).predict_proba(X), expected)
    # The rare class is found more often.
    rare = counts.argmin()
    assert (
        expected[:, rare].mean()
        > 1.5 * plain.fit(X, y).predict_proba(X)[:, rare].mean()
    )
    # All begin alike: without a tree each class has the same probability.
    balanced.fit(np.zeros_like(X), y)
    assert_allclose(balanced.predict_proba(X[:1]), 1 / n_classes)


def test_class_weight_and_sample_weight_are_multiplied():
    X, y = make_classification_data()
    labels = np.array(["no", "yes"])[y]
    weight = np.random.default_rng(1).uniform(size=len(y))
    both = HistGradientBoostingClassifier(class_weight={"yes": 3, "no": 1}, **SETTINGS)
    both.fit(X, labels, sample_weight=weight)
    product = HistGradientBoostingClassifier(**SETTINGS)
    product.fit(X, labels, sample_weight=weight * np.where(y == 1, 3, 1))
    assert_same_bits(both.predict_proba(X), product.predict_proba(X))


def test_class_without_weight():
    X, y = make_classification_data(n_classes=3)
    model = HistGradientBoostingClassifier(class_weight={0: 1, 1: 0, 2: 1}, **SETTINGS)
    probabilities = model.fit(X, y).predict_proba(X)
    assert probabilities.shape == (len(y), 3)
    assert probabilities[:, 1].max() < 1e-6


@pytest.mark.parametrize(
    "class_weight, message",
    [
        ({0: -1, 1: 1}, "must not be negative"),
        ({0: 0, 1: 0}, "at least one non-zero"),
        ("heavy", "'class_weight' parameter"),
    ],
)
def test_wrong_class_weight(class_weight, message):
    X, y = make_classification_data()
    with pytest.raises(ValueError, match=message):
        HistGradientBoostingClassifier(class_weight=class_weight).fit(X, y)


def test_weight_of_a_constant_signal_does_not_matter():
    X, _ = make_regression_data()
    y = compute_signal(X)
    weight = np.random.default_rng(1).integers(1, 5, size=len(y))
    model = HistGradientBoostingRegressor(max_iter=200, min_samples_leaf=1)
    assert model.fit(X, y, sample_weight=weight).score(X, y) > 0.999
