"""Raw scores that the model is added to: an exposure, or another model."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss, mean_poisson_deviance

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

SETTINGS = {"max_iter": 20, "max_leaf_nodes": 8}


def make_claims(n_samples=8000, random_state=0):
    """Counts of claims over years of different lengths."""
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, 4))
    rate = 0.2 * np.exp(compute_signal(X))
    exposure = rng.uniform(0.02, 1, size=n_samples)
    return X, rng.poisson(rate * exposure), exposure, rate


def test_exposure_as_offset_and_as_weight():
    """Two ways to write one likelihood.

    Their second derivatives differ by row, and so do the bins, so that the models are
    not the same, but equally good.
    """
    X, claims, exposure, _ = make_claims()
    X_test, claims_test, exposure_test, rate_test = make_claims(random_state=1)
    settings = {**SETTINGS, "loss": "poisson", "max_iter": 60}
    by_offset = HistGradientBoostingRegressor(**settings)
    by_offset.fit(X, claims, init_score=np.log(exposure))
    by_weight = HistGradientBoostingRegressor(**settings)
    by_weight.fit(X, claims / exposure, sample_weight=exposure)

    expected = by_offset.predict(X_test, init_score=np.log(exposure_test))
    assert_allclose(expected, by_offset.predict(X_test) * exposure_test)
    deviances = [
        mean_poisson_deviance(claims_test, prediction)
        for prediction in (
            expected,
            by_weight.predict(X_test) * exposure_test,
            HistGradientBoostingRegressor(**settings).fit(X, claims).predict(X_test),
        )
    ]
    assert_allclose(deviances[0], deviances[1], rtol=0.005)
    assert deviances[2] > 1.05 * deviances[0]
    # The rate of a whole year is what is predicted without offset.
    assert np.corrcoef(np.log(by_offset.predict(X_test)), np.log(rate_test))[0, 1] > 0.9


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_offset_of_an_identity_link_is_taken_from_the_target(loss):
    X, y = make_regression_data()
    offset = np.random.default_rng(1).normal(size=len(y))
    model = HistGradientBoostingRegressor(loss=loss, **SETTINGS)
    model.fit(X, y, init_score=offset)
    expected = HistGradientBoostingRegressor(loss=loss, **SETTINGS).fit(X, y - offset)
    assert_allclose(model.predict(X), expected.predict(X), atol=1e-9)
    assert_allclose(
        model.predict(X, init_score=offset), expected.predict(X) + offset, atol=1e-9
    )


def test_zero_offset_is_none():
    X, y = make_regression_data()
    plain = HistGradientBoostingRegressor(**SETTINGS).fit(X, y)
    zero = HistGradientBoostingRegressor(**SETTINGS).fit(X, y, init_score=0 * y)
    assert_same_bits(zero.predict(X), plain.predict(X))
    assert_same_bits(zero.predict(X, init_score=0 * y), plain.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_model_on_top_of_another(n_classes):
    """Boosting goes on where the scores of a first model end."""
    X, y = make_classification_data(n_classes=n_classes)
    first = HistGradientBoostingClassifier(**SETTINGS).fit(X, y)
    scores = first.decision_function(X)
    second = HistGradientBoostingClassifier(**SETTINGS)
    second.fit(X, y, init_score=scores)
    both = HistGradientBoostingClassifier(**{**SETTINGS, "max_iter": 40}).fit(X, y)
    losses = [
        log_loss(y, probabilities)
        for probabilities in (
            second.predict_proba(X, init_score=scores),
            both.predict_proba(X),
            first.predict_proba(X),
        )
    ]
    assert_allclose(losses[0], losses[1], rtol=0.05)
    assert losses[0] < 0.7 * losses[2]
    assert_allclose(
        second.decision_function(X, init_score=scores),
        second.decision_function(X) + scores,
    )
    predicted = second.predict_proba(X, init_score=scores).argmax(axis=1)
    assert_same_bits(second.predict(X, init_score=scores), predicted)
    for method in ("predict", "predict_proba", "decision_function"):
        expected = getattr(second, method)(X, init_score=scores)
        *_, last = getattr(second, f"staged_{method}")(X, init_score=scores)
        assert_allclose(last, expected)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_staged_and_truncated_predictions(loss):
    X, y = make_regression_data()
    offset = np.linspace(-1, 1, len(y))
    model = HistGradientBoostingRegressor(loss=loss, **SETTINGS)
    model.fit(X, np.abs(y), init_score=offset)
    staged = list(model.staged_predict(X, init_score=offset))
    assert_same_bits(staged[-1], model.predict(X, init_score=offset))
    assert_same_bits(staged[4], model.predict(X, init_score=offset, n_iter=5))


def test_early_stopping_knows_the_offset():
    """The validation rows are judged with theirs, wherever they come from."""
    X, y = make_regression_data(800)
    offset = 100 * np.random.default_rng(1).normal(size=len(y))
    y = y + offset
    settings = {**SETTINGS, "early_stopping": True, "random_state": 0}
    drawn = HistGradientBoostingRegressor(**settings).fit(X, y, init_score=offset)
    given = HistGradientBoostingRegressor(**settings).fit(
        X[200:],
        y[200:],
        init_score=offset[200:],
        X_val=X[:200],
        y_val=y[:200],
        init_score_val=offset[:200],
    )
    for model in (drawn, given):
        assert model.validation_score_[0] > -5 and model.train_score_[0] > -5
        assert model.validation_score_[-1] > model.validation_score_[0]
    prediction = given.predict(X[:200], init_score=offset[:200])
    assert_allclose(
        given.validation_score_[-1], -np.mean((prediction - y[:200]) ** 2) / 2
    )
    by_scorer = HistGradientBoostingRegressor(
        **settings, scoring="neg_mean_squared_error"
    ).fit(X, y, init_score=offset)
    assert by_scorer.validation_score_[0] > -10


def test_warm_start_goes_on_with_the_offset():
    X, y = make_regression_data()
    offset = np.random.default_rng(1).normal(size=len(y))
    whole = HistGradientBoostingRegressor(**SETTINGS).fit(X, y, init_score=offset)
    parts = HistGradientBoostingRegressor(**{**SETTINGS, "max_iter": 7})
    parts.set_params(warm_start=True).fit(X, y, init_score=offset)
    parts.set_params(max_iter=20).fit(X, y, init_score=offset)
    assert_same_bits(parts.predict(X), whole.predict(X))


@pytest.mark.parametrize("shape", [(600,), (600, 1)])
def test_shapes(shape):
    X, y = make_regression_data()
    offset = np.linspace(-1, 1, len(y))
    plain = HistGradientBoostingRegressor(**SETTINGS).fit(X, y, init_score=offset)
    model = HistGradientBoostingRegressor(**SETTINGS)
    model.fit(X, y, init_score=offset.reshape(shape).tolist())
    assert_same_bits(
        model.predict(X, init_score=offset.reshape(shape)),
        plain.predict(X, init_score=offset),
    )


WRONG = [
    (lambda score: score[:-1], r"init_score\w* has shape \(599,.*expected \(600,"),
    (lambda score: score[0], r"init_score\w* has shape"),
    (lambda score: np.c_[score, score], r"init_score\w* has shape \(600, \d\)"),
    (lambda score: np.full_like(score, np.nan), r"init_score\w* contains NaN"),
    (lambda score: score + np.inf, r"init_score\w* contains NaN or infinity"),
]


@pytest.mark.parametrize("change, message", WRONG)
@pytest.mark.parametrize("n_classes", [None, 2, 3])
def test_wrong_scores(change, message, n_classes):
    if n_classes is None:
        X, y = make_regression_data()
        model = HistGradientBoostingRegressor(**SETTINGS)
        score = np.zeros(len(y))
    else:
        X, y = make_classification_data(n_classes=n_classes)
        model = HistGradientBoostingClassifier(**SETTINGS)
        score = np.zeros(len(y) if n_classes == 2 else (len(y), n_classes))
    wrong = change(score)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, init_score=wrong)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, X_val=X, y_val=y, init_score_val=wrong)
    model.fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.predict(X, init_score=wrong)
    with pytest.raises(ValueError, match=message):
        next(model.staged_predict(X, init_score=wrong))


def test_scores_of_several_classes_need_a_column_each():
    X, y = make_classification_data(n_classes=3)
    with pytest.raises(ValueError, match=r"shape \(600,\), expected \(600, 3\)"):
        HistGradientBoostingClassifier().fit(X, y, init_score=np.zeros(len(y)))


def test_given_validation_rows_need_an_offset_if_the_training_rows_have_one():
    X, y = make_regression_data()
    offset = np.linspace(-1, 1, len(y))
    model = HistGradientBoostingRegressor(**SETTINGS)
    with pytest.raises(ValueError, match="init_score_val"):
        model.fit(X, y, init_score=offset, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="init_score_val"):
        model.fit(X, y, init_score_val=offset)
