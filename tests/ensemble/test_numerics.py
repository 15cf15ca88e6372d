"""Integer sums lose nothing: losses beside those of scikit-learn's sums in doubles.

Heavy tails, weights over many decades and rare events are where a grid of integers
could be too coarse. With a bin for each value and no categories, both grow the same
trees but for ties.
"""

import numpy as np
import pytest
from sklearn import ensemble as sklearn_ensemble
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from sklearnx._compat import SKLEARN_VERSION
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

N_TRAIN = 6000
RTOL = 5e-3


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Run on one thread: scikit-learn's would spin where cores are busy."""
    with threadpool_limits(1):
        yield


def make_rows(seed=0, n_rows=2 * N_TRAIN, decimals=1):
    """Return features, a score that depends on them, and the generator."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 6)).round(decimals)
    if decimals > 1:
        X = X.clip(-1.2, 1.2)
    score = X[:, 0] + np.sin(3 * X[:, 1]) * X[:, 2] + (X[:, 3] > 0)
    return X, score, rng


def fit_both(X, y, sample_weight=None, *, is_classifier=False, **parameters):
    """Return our estimator and scikit-learn's, fitted to the first half of the rows."""
    n_train = len(X) // 2
    if sample_weight is not None:
        sample_weight = sample_weight[:n_train]
    ours, theirs = (
        HistGradientBoostingRegressor,
        sklearn_ensemble.HistGradientBoostingRegressor,
    )
    if is_classifier:
        ours, theirs = (
            HistGradientBoostingClassifier,
            sklearn_ensemble.HistGradientBoostingClassifier,
        )
    parameters = {"early_stopping": False, "max_iter": 60, **parameters}
    return [
        make(**parameters).fit(X[:n_train], y[:n_train], sample_weight)
        for make in (ours, theirs)
    ]


def compute_squared_errors(models, X, y, sample_weight=None):
    """Return the weighted mean squared error of each model."""
    return [
        np.average((model.predict(X) - y) ** 2, weights=sample_weight)
        for model in models
    ]


def compute_log_losses(models, X, y, sample_weight=None):
    """Return the weighted log loss of each model."""
    return [
        log_loss(y, model.predict_proba(X)[:, 1], sample_weight=sample_weight)
        for model in models
    ]


def assert_close(losses):
    assert losses[0] == pytest.approx(losses[1], rel=RTOL)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("outlier", [1e9, -1e9])
def test_one_outlier(outlier, seed):
    X, score, rng = make_rows(seed)
    y = score + rng.normal(size=len(X))
    y[0] = outlier
    models = fit_both(X, y)
    for rows in (slice(0, N_TRAIN), slice(1, N_TRAIN), slice(N_TRAIN, None)):
        assert_close(compute_squared_errors(models, X[rows], y[rows]))


@pytest.mark.parametrize("weight", [None, 1.0, 1e3, 1e8])
def test_rows_beside_an_outlier(weight):
    # The first predictions are off by 1e9 / N_TRAIN for all of them, and what they say
    # has to be heard beside that. The outlier has a leaf of its own.
    X, score, rng = make_rows()
    y = score + 0.1 * rng.normal(size=len(X))
    X[0], y[0] = 9.0, 1e9
    if weight is not None:  # of all rows, hence of no consequence
        weight = np.full(len(X), weight)
    models = fit_both(X, y, weight, min_samples_leaf=1, max_iter=100)
    ours, theirs = compute_squared_errors(models, X[N_TRAIN:], y[N_TRAIN:])
    assert ours < (1 + RTOL) * theirs


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("seed", range(2))
def test_lognormal_target(seed, loss):
    X, score, rng = make_rows(seed)
    y = np.exp(score + 3 * rng.normal(size=len(X)))
    models = fit_both(X, y, loss=loss)
    for rows in (slice(0, N_TRAIN), slice(N_TRAIN, None)):
        assert_close(compute_squared_errors(models, X[rows], y[rows]))


def test_gamma_of_a_heavy_tail():
    X, score, rng = make_rows()
    y = np.exp(score + 1.5 * rng.normal(size=len(X)))
    models = fit_both(X, y, loss="gamma", learning_rate=0.05)

    def compute_deviances(X, y):
        means = [model.predict(X) for model in models]
        return [np.mean(np.log(mean) + y / mean) for mean in means]

    for rows in (slice(0, N_TRAIN), slice(N_TRAIN, None)):
        assert_close(compute_deviances(X[rows], y[rows]))


@pytest.mark.parametrize("seed", range(2))
def test_weights_over_12_decades(seed):
    X, score, rng = make_rows(seed)
    y = score + rng.normal(size=len(X))
    weight = 10 ** rng.uniform(-6, 6, size=len(X))
    models = fit_both(X, y, weight)
    for rows in (slice(0, N_TRAIN), slice(N_TRAIN, None)):
        assert_close(compute_squared_errors(models, X[rows], y[rows], weight[rows]))
        assert_close(compute_squared_errors(models, X[rows], y[rows]))


def test_weights_over_12_decades_of_classes():
    X, score, rng = make_rows()
    y = (score + rng.logistic(size=len(X)) > 0).astype(int)
    weight = 10 ** rng.uniform(-6, 6, size=len(X))
    models = fit_both(X, y, weight, is_classifier=True, max_iter=30)
    for rows in (slice(0, N_TRAIN), slice(N_TRAIN, None)):
        assert_close(compute_log_losses(models, X[rows], y[rows], weight[rows]))


# Seeds without equal gains, which so few positive rows make likely.
@pytest.mark.skipif(
    SKLEARN_VERSION < (1, 9), reason="scikit-learn cut columns at other quantiles"
)
@pytest.mark.parametrize("seed", [1, 2])
def test_rare_class(seed):
    X, score, rng = make_rows(seed, n_rows=60_000, decimals=2)
    y = (2 * score - 9.5 + rng.logistic(size=len(X)) > 0).astype(int)
    assert 0.0005 < y.mean() < 0.002
    models = fit_both(X, y, is_classifier=True, learning_rate=0.02)
    n_train = len(X) // 2
    for rows in (slice(0, n_train), slice(n_train, None)):
        assert_close(compute_log_losses(models, X[rows], y[rows]))


@pytest.mark.parametrize("is_classifier", [False, True])
def test_narrow_histograms_cost_nothing(is_classifier):
    # 12 bits in histograms against 38, which weights that are no integers make it use.
    ratios = []
    for seed in range(4):
        X, score, rng = make_rows(seed, n_rows=40_000)
        half = len(X) // 2
        almost_one = np.full(half, 1 + 2.0**-30)
        y = score + rng.logistic(size=len(X))
        make = HistGradientBoostingRegressor
        if is_classifier:
            make, y = HistGradientBoostingClassifier, (y > 0).astype(int)
        models = [
            make(early_stopping=False, max_iter=60).fit(X[:half], y[:half], weight)
            for weight in (None, almost_one)
        ]
        outputs = [model._raw_predict(X[half:]) for model in models]
        assert (outputs[0] != outputs[1]).mean() > 0.9
        compute = compute_log_losses if is_classifier else compute_squared_errors
        narrow, wide = compute(models, X[half:], y[half:])
        ratios.append(narrow / wide)
    # Noise of either sign, and no more on the mean than it can be.
    assert np.abs(np.array(ratios) - 1).max() < 0.02
    assert np.mean(ratios) < 1.004
