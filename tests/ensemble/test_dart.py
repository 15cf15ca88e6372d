"""DART against a replay of its rounds in NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import mean_squared_error

from sklearnx._cython.common.random import (
    DROPPED_ROUNDS,
    DROPS_ANY_ROUND,
    draw_uniform,
)
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    compute_signal,
    make_classification_data,
    make_regression_data,
)

SETTINGS = {
    "boosting": "dart",
    "max_leaf_nodes": 8,
    "random_state": 0,
    "early_stopping": False,
}


def make_regressor(**settings):
    return HistGradientBoostingRegressor(**{**SETTINGS, **settings})


def draw_rounds(seed, iteration, drop_rate, skip_drop, max_drop):
    """Return the earlier rounds that one leaves out."""
    if draw_uniform(seed, DROPS_ANY_ROUND, iteration, 1)[0] < skip_drop:
        return []
    draws = draw_uniform(seed, DROPPED_ROUNDS, iteration, iteration)
    dropped = sorted(
        (draw, i) for i, draw in enumerate(draws.tolist()) if draw < drop_rate
    )
    return [i for _, i in dropped[:max_drop]]


def replay(model, X, y, drop_rate, skip_drop, max_drop):
    """Return what each tree of a model of squared errors ought to add to each row."""
    leaves = model.apply(X)
    contributions = []
    numbers = []
    for iteration in range(model.n_iter_):
        dropped = draw_rounds(
            int(model._random_seed), iteration, drop_rate, skip_drop, max_drop
        )
        k = len(dropped)
        numbers.append(k)
        kept = [c for i, c in enumerate(contributions) if i not in dropped]
        residual = y - y.mean() - sum(kept, np.zeros(len(y)))
        values = np.zeros(len(y))
        for leaf in np.unique(leaves[:, iteration]):
            in_leaf = leaves[:, iteration] == leaf
            values[in_leaf] = residual[in_leaf].mean()
        for i in dropped:
            contributions[i] = contributions[i] * k / (k + 1)
        contributions.append(model.learning_rate / (k + 1) * values)
    return np.array(contributions), numbers


@pytest.mark.parametrize(
    "drop_rate, skip_drop, max_drop",
    [(0.1, 0.5, 50), (0.5, 0.0, None), (0.9, 0.2, 3), (1.0, 0.0, None), (0.0, 0.0, 1)],
)
def test_rounds(drop_rate, skip_drop, max_drop):
    X, y = make_regression_data()
    model = make_regressor(
        drop_rate=drop_rate, skip_drop=skip_drop, max_drop=max_drop, max_iter=40
    ).fit(X, y)
    expected, numbers = replay(model, X, y, drop_rate, skip_drop, max_drop)
    assert max(numbers) <= (max_drop or 40)
    if drop_rate > 0:
        assert max(numbers) > 0
    leaves = model.apply(X)
    for iteration, (tree,) in enumerate(model._predictors):
        values = tree.nodes["value"][leaves[:, iteration]]
        assert_allclose(values, expected[iteration], rtol=1e-9, atol=1e-11)
    assert_allclose(model.predict(X), y.mean() + expected.sum(axis=0))
    # Staged predictions have the final values.
    stages = list(model.staged_predict(X))
    assert_allclose(stages[9], y.mean() + expected[:10].sum(axis=0))
    assert_same_bits(model.predict(X, n_iter=10), stages[9])


@pytest.mark.parametrize("skip_drop, drop_rate", [(1.0, 0.5), (0.0, 0.0)])
def test_without_drops_it_is_plain_boosting(skip_drop, drop_rate):
    X, y = make_regression_data()
    model = make_regressor(skip_drop=skip_drop, drop_rate=drop_rate).fit(X, y)
    plain = make_regressor(boosting="plain").fit(X, y)
    assert_allclose(model.predict(X), plain.predict(X), atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("settings", [{}, {"subsample": 0.5}, {"sampling": "mvs"}])
def test_scores_follow_the_rescaled_trees(settings, n_classes):
    X, y = make_classification_data(n_classes=n_classes)
    settings = {"drop_rate": 0.3, "skip_drop": 0.2, "max_iter": 30, **settings}
    model = HistGradientBoostingClassifier(**{**SETTINGS, **settings})
    model.set_params(early_stopping=True, n_iter_no_change=50, validation_fraction=None)
    model.fit(X, y, eval_sets={"same": (X, y)})
    losses = model.evals_result_["same"]["loss"]
    # The last is that of the model; those before, of the models of that time.
    for n_iter in (1, 7, 30):
        shorter = HistGradientBoostingClassifier(**{**SETTINGS, **settings})
        shorter.set_params(max_iter=n_iter).fit(X, y)
        p = shorter.predict_proba(X)[np.arange(len(y)), y]
        assert_allclose(losses[n_iter], -np.log(p).mean())
        assert_allclose(model.train_score_[n_iter], -losses[n_iter])


def test_early_stopping_keeps_all_rounds():
    X, y = make_regression_data()
    model = make_regressor(
        early_stopping=True, n_iter_no_change=3, max_iter=500, learning_rate=0.5
    ).fit(X, y)
    assert model.n_iter_ < 500
    assert len(model.validation_score_) == model.n_iter_ + 1
    longer = make_regressor(
        early_stopping=True,
        n_iter_no_change=500,
        max_iter=model.n_iter_,
        learning_rate=0.5,
    ).fit(X, y)
    assert_same_bits(model.predict(X), longer.predict(X))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"subsample": 0.4, "sampling": "goss"},
        {"loss": "absolute_error"},
        {"loss": "huber", "subsample": 0.5},
        {"loss": "poisson", "max_drop": 2},
        {"monotonic_cst": [0, 1, 0, 0]},
    ],
)
def test_warm_start(settings):
    """In parts it is the whole, bit for bit, though earlier trees change."""
    X, y = make_regression_data()
    y = np.exp(y)
    settings = {"drop_rate": 0.3, "skip_drop": 0.2, **settings}
    whole = make_regressor(max_iter=30, **settings).fit(X, y)
    parts = make_regressor(max_iter=5, warm_start=True, **settings).fit(X, y)
    first = parts._model
    before = first.nodes.copy(), first.stats.copy()
    for max_iter in (6, 30):
        parts.set_params(max_iter=max_iter).fit(X, y)
    assert_same_bits(parts.predict(X), whole.predict(X))
    assert_same_bits(parts._model.stats["value"], whole._model.stats["value"])
    # The earlier model is not touched: a fit that fails would need it.
    np.testing.assert_array_equal(first.nodes, before[0])
    np.testing.assert_array_equal(first.stats, before[1])


def test_warm_start_with_weights_offsets_and_categories():
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data()
    frame = pd.DataFrame({"a": X[:, 0], "b": (3 * X[:, 1]).astype(int).astype(str)})
    weight = np.random.default_rng(0).integers(0, 3, size=len(y))
    fit_params = {"sample_weight": weight, "init_score": X[:, 2]}
    settings = {"drop_rate": 0.5, "skip_drop": 0.0}
    whole = make_regressor(max_iter=12, **settings).fit(frame, y, **fit_params)
    parts = make_regressor(max_iter=5, warm_start=True, **settings)
    parts.fit(frame, y, **fit_params).set_params(max_iter=12)
    parts.fit(frame, y, **fit_params)
    assert_same_bits(parts.predict(frame), whole.predict(frame))


def test_going_on_after_plain_boosting_and_back():
    X, y = make_regression_data()
    model = make_regressor(boosting="plain", max_iter=10, warm_start=True).fit(X, y)
    model.set_params(boosting="dart", max_iter=30).fit(X, y)
    model.set_params(boosting="plain", max_iter=40).fit(X, y)
    assert model.n_iter_ == 40 and model.score(X, y) > 0.8


def test_callbacks_get_the_model_of_their_round():
    pytest.importorskip("sklearn.callback")
    from tests.ensemble.test_callbacks import Scores

    X, y = make_regression_data()
    settings = {"drop_rate": 0.5, "skip_drop": 0.0}
    scores = Scores(X)
    make_regressor(max_iter=8, **settings).set_callbacks(scores).fit(X, y)
    for n_iter, prediction in enumerate(scores.predictions, start=1):
        shorter = make_regressor(max_iter=n_iter, **settings).fit(X, y)
        assert_same_bits(prediction, shorter.predict(X))


@pytest.mark.parametrize("scale", [1e-60, 1e-30, 1e30, 1e60])
def test_scale_of_the_target(scale):
    X, y = make_regression_data()
    model = make_regressor(drop_rate=0.5).fit(X, y)
    scaled = make_regressor(drop_rate=0.5).fit(X, scale * y)
    assert_allclose(scaled.predict(X), scale * model.predict(X), rtol=1e-6)


@pytest.mark.parametrize("y", [np.full(30, 3.0), np.arange(30.0) % 2])
def test_hard_data(y):
    X = np.arange(30)[:, np.newaxis]
    for X_train in (X, np.zeros((30, 1)), np.full((30, 1), np.nan)):
        model = make_regressor(drop_rate=1.0, skip_drop=0.0, min_samples_leaf=1)
        assert np.isfinite(model.fit(X_train, y).predict(X_train)).all()
    model = make_regressor(drop_rate=1.0).fit(X[:1], y[:1])
    assert model.predict(X[:1]) == y[:1]


def test_against_lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    X, y = make_regression_data(2000)
    X_test, _ = make_regression_data(2000, random_state=1)
    signal = compute_signal(X_test)
    theirs = lightgbm.LGBMRegressor(
        boosting_type="dart",
        drop_rate=0.1,
        skip_drop=0.5,
        uniform_drop=True,
        n_estimators=150,
        num_leaves=8,
        n_jobs=1,
        verbose=-1,
    ).fit(X, y)
    errors = [
        mean_squared_error(
            signal,
            make_regressor(max_iter=150, random_state=seed).fit(X, y).predict(X_test),
        )
        for seed in range(5)
    ]
    assert np.mean(errors) < 1.15 * mean_squared_error(signal, theirs.predict(X_test))


@pytest.mark.parametrize(
    "settings", [{"drop_rate": 1.5}, {"skip_drop": -1}, {"max_drop": 0}]
)
def test_wrong_parameters(settings):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=next(iter(settings))):
        make_regressor(**settings).fit(X, y)
