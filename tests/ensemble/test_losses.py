"""Each loss is good at what it is for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import ensemble as sklearn_ensemble
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_gamma_deviance,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    mean_tweedie_deviance,
)

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import compute_signal, fit_alone, make_classification_data

N_SAMPLES = 10_000
SETTINGS = {"max_iter": 60, "max_leaf_nodes": 8, "early_stopping": False}


def draw_compound_poisson(rng, mean):
    """Sums of a Poisson number of gamma amounts: Tweedie with power 1.5."""
    n_amounts = rng.poisson(2 * np.sqrt(mean))
    amounts = rng.gamma(np.maximum(n_amounts, 1), np.sqrt(mean) / 2)
    return np.where(n_amounts > 0, amounts, 0.0)


def compute_pinball_loss(y_true, y_pred):
    return mean_pinball_loss(y_true, y_pred, alpha=0.8)


def compute_tweedie_deviance(y_true, y_pred):
    return mean_tweedie_deviance(y_true, y_pred, power=1.5)


# How the target is drawn, the metric that goes with it, and settings that are worse.
OTHER_LOSSES = {"mean": {}, "median": {"loss": "absolute_error"}}
CASES = {
    "squared_error": (
        lambda rng, f: f + rng.exponential(size=len(f)),
        mean_squared_error,
        ["median"],
    ),
    "absolute_error": (
        lambda rng, f: f + rng.exponential(size=len(f)),
        mean_absolute_error,
        ["mean"],
    ),
    "quantile": (
        lambda rng, f: f + rng.exponential(size=len(f)),
        compute_pinball_loss,
        ["mean", "median"],
    ),
    "poisson": (
        lambda rng, f: rng.poisson(0.3 * np.exp(1.5 * f)),
        mean_poisson_deviance,
        ["mean", "median"],
    ),
    "gamma": (
        lambda rng, f: rng.gamma(2, np.exp(f)),
        mean_gamma_deviance,
        ["mean", "median"],
    ),
    "tweedie": (
        lambda rng, f: draw_compound_poisson(rng, np.exp(2 * f)),
        compute_tweedie_deviance,
        ["mean", "median"],
    ),
}


def make_data(draw, random_state):
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(N_SAMPLES, 4))
    return X, draw(rng, compute_signal(X))


def fit_and_score(case, **settings):
    draw, metric, _ = CASES[case]
    X, y = make_data(draw, random_state=0)
    X_test, y_test = make_data(draw, random_state=1)
    model = HistGradientBoostingRegressor(**SETTINGS, **settings).fit(X, y)
    # The metrics of positive means are not defined for what other losses predict.
    lowest = 1e-2 if case in ("poisson", "gamma", "tweedie") else -np.inf
    return metric(y_test, np.maximum(model.predict(X_test), lowest))


@pytest.mark.parametrize("case", CASES)
def test_loss_is_best_by_its_own_metric(case):
    quantile = 0.8 if case == "quantile" else None
    score = fit_and_score(case, loss=case, quantile=quantile)
    for other in CASES[case][2]:
        assert score < 0.99 * fit_and_score(case, **OTHER_LOSSES[other]), other


@pytest.mark.parametrize("case", [case for case in CASES if case != "tweedie"])
def test_loss_is_as_good_as_scikit_learns(case):
    draw, metric, _ = CASES[case]
    X, y = make_data(draw, random_state=0)
    X_test, y_test = make_data(draw, random_state=1)
    settings = {**SETTINGS, "loss": case}
    if case == "quantile":
        settings["quantile"] = 0.8
    ours = HistGradientBoostingRegressor(**settings).fit(X, y)
    theirs = sklearn_ensemble.HistGradientBoostingRegressor(**settings)
    fit_alone(theirs, X, y)
    score = metric(y_test, ours.predict(X_test))
    assert score < 1.01 * metric(y_test, theirs.predict(X_test))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_log_loss_is_as_good_as_scikit_learns(n_classes):
    X, y = make_classification_data(N_SAMPLES, n_classes)
    X_test, y_test = make_classification_data(N_SAMPLES, n_classes, random_state=1)
    ours = HistGradientBoostingClassifier(**SETTINGS).fit(X, y)
    theirs = sklearn_ensemble.HistGradientBoostingClassifier(**SETTINGS)
    fit_alone(theirs, X, y)
    score = log_loss(y_test, ours.predict_proba(X_test))
    assert score < 1.01 * log_loss(y_test, theirs.predict_proba(X_test))
    assert score < 0.6 * np.log(n_classes)


def test_quantiles_cover_their_share():
    draw = CASES["quantile"][0]
    X, y = make_data(draw, random_state=0)
    X_test, y_test = make_data(draw, random_state=1)
    for quantile in (0.05, 0.5, 0.9):
        settings = {**SETTINGS, "max_leaf_nodes": 4}
        model = HistGradientBoostingRegressor(
            loss="quantile", quantile=quantile, **settings
        ).fit(X, y)
        assert abs(np.mean(y_test <= model.predict(X_test)) - quantile) < 0.03


def test_huber_is_the_mean_without_its_outliers():
    """Where noise is symmetric it does not care how far a few outliers are."""

    def draw(rng, f, size):
        is_outlier = rng.random(len(f)) < 0.05
        sign = rng.choice([-1, 1], len(f))
        return f + 0.5 * rng.normal(size=len(f)) + sign * size * is_outlier

    X_test, _ = make_data(lambda rng, f: f, random_state=1)
    truth = compute_signal(X_test)
    errors = {}
    for size in (10, 1e6):
        X, y = make_data(lambda rng, f, size=size: draw(rng, f, size), random_state=0)
        for loss in ("huber", "squared_error", "absolute_error"):
            model = HistGradientBoostingRegressor(loss=loss, **SETTINGS).fit(X, y)
            errors[loss, size] = mean_squared_error(truth, model.predict(X_test))
    assert errors["huber", 10] < 0.7 * errors["squared_error", 10]
    assert errors["huber", 10] < errors["absolute_error", 10]
    assert_allclose(errors["huber", 1e6], errors["huber", 10], rtol=0.1)


def test_huber_goes_from_the_median_to_the_mean():
    """Its quantile says how many residuals are square ones."""
    X, y = make_data(CASES["squared_error"][0], random_state=0)
    settings = {**SETTINGS, "max_iter": 200}

    def predict(loss, quantile=None):
        model = HistGradientBoostingRegressor(loss=loss, quantile=quantile, **settings)
        return model.fit(X, y).predict(X).mean()

    median, mean = predict("absolute_error"), predict("squared_error")
    half_way = predict("huber", 0.5)
    assert median < predict("huber", 0.1) < half_way < predict("huber", 0.99) < mean
    assert predict("huber") == predict("huber", 0.9)
    assert_allclose(mean, y.mean(), atol=0.01)


def test_power_of_tweedie():
    """Near its ends it is the Poisson and the gamma loss."""
    X, y = make_data(CASES["gamma"][0], random_state=0)

    def predict(**settings):
        return (
            HistGradientBoostingRegressor(**SETTINGS, **settings).fit(X, y).predict(X)
        )

    for power, loss in ((1 + 1e-9, "poisson"), (2 - 1e-9, "gamma")):
        assert_allclose(
            predict(loss="tweedie", power=power), predict(loss=loss), rtol=1e-5
        )
    assert not np.allclose(predict(loss="tweedie"), predict(loss="gamma"), rtol=0.05)
    assert np.array_equal(predict(loss="tweedie"), predict(loss="tweedie", power=1.5))


@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie"])
def test_log_link_predicts_positive_means(loss):
    X, y = make_data(CASES[loss][0], random_state=0)
    model = HistGradientBoostingRegressor(loss=loss, **SETTINGS).fit(X, y)
    assert model.predict(X).min() > 0


def test_poisson_is_balanced():
    """Where the loss has its minimum, the sums of counts and of predictions agree."""
    X, y = make_data(lambda rng, f: rng.poisson(np.exp(f)), random_state=0)
    settings = {**SETTINGS, "learning_rate": 0.3}
    model = HistGradientBoostingRegressor(loss="poisson", **settings).fit(X, y)
    assert_allclose(model.predict(X).sum(), y.sum(), rtol=1e-3)


@pytest.mark.parametrize(
    "settings, y, message",
    [
        ({"loss": "poisson"}, [-1.0, 1.0], "non-negative y and sum"),
        ({"loss": "poisson"}, [0.0, 0.0], "non-negative y and sum"),
        ({"loss": "gamma"}, [0.0, 1.0], "strictly positive y"),
        ({"loss": "tweedie"}, [-1.0, 1.0], "non-negative y and sum"),
        ({"loss": "tweedie", "power": 1}, [0.0, 1.0], "'power'"),
        ({"loss": "tweedie", "power": 2.5}, [0.0, 1.0], "'power'"),
        ({"loss": "huber", "quantile": 1.5}, [0.0, 1.0], "'quantile'"),
        ({"loss": "quantile", "quantile": 2}, [0.0, 1.0], "'quantile'"),
        ({"loss": "log_loss"}, [0.0, 1.0], "'loss'"),
    ],
)
def test_targets_and_settings_out_of_range(settings, y, message):
    with pytest.raises(ValueError, match=message):
        HistGradientBoostingRegressor(**settings).fit([[0.0], [1.0]], y)


def test_quantile_needs_its_level():
    with pytest.raises((ValueError, TypeError), match="quantile"):
        HistGradientBoostingRegressor(loss="quantile").fit([[0.0], [1.0]], [0.0, 1.0])
