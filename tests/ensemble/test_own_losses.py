"""Losses of one's own: as good as built-in ones, and wrong ones are named."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)

SETTINGS = {"max_iter": 20, "max_leaf_nodes": 8}


class SquaredError:
    def gradient(self, y_true, raw_prediction):
        return raw_prediction - y_true

    def hessian(self, y_true, raw_prediction):
        return np.ones_like(raw_prediction)

    def loss(self, y_true, raw_prediction):
        return (raw_prediction - y_true) ** 2 / 2


class Poisson:
    link = "log"

    def gradient(self, y_true, raw_prediction):
        return np.exp(raw_prediction) - y_true

    def hessian(self, y_true, raw_prediction):
        return np.exp(raw_prediction)

    def loss(self, y_true, raw_prediction):
        return np.exp(raw_prediction) - y_true * raw_prediction


class BinaryLogLoss:
    def gradient(self, y_true, raw_prediction):
        return 1 / (1 + np.exp(-raw_prediction)) - y_true

    def hessian(self, y_true, raw_prediction):
        probability = 1 / (1 + np.exp(-raw_prediction))
        return probability * (1 - probability)

    def loss(self, y_true, raw_prediction):
        return np.logaddexp(0, raw_prediction) - y_true * raw_prediction


class MultinomialLogLoss:
    def compute_probabilities(self, raw_prediction):
        exp = np.exp(raw_prediction - raw_prediction.max(axis=1, keepdims=True))
        return exp / exp.sum(axis=1, keepdims=True)

    def gradient(self, y_true, raw_prediction):
        gradient = self.compute_probabilities(raw_prediction)
        gradient[np.arange(len(y_true)), y_true.astype(int)] -= 1
        return gradient

    def hessian(self, y_true, raw_prediction):
        probabilities = self.compute_probabilities(raw_prediction)
        return probabilities * (1 - probabilities)


def test_same_maths_give_the_same_bits():
    X, y = make_regression_data()
    for settings in ({}, {"early_stopping": True}, {"l2_regularization": 1.0}):
        settings = {**SETTINGS, "random_state": 0, **settings}
        built_in = HistGradientBoostingRegressor(**settings).fit(X, y)
        own = HistGradientBoostingRegressor(SquaredError(), **settings).fit(X, y)
        assert own.n_iter_ == built_in.n_iter_
        assert_same_bits(own.predict(X), built_in.predict(X))


def test_same_maths_and_weights():
    X, y = make_regression_data()
    weight = np.random.default_rng(0).uniform(size=len(y))
    built_in = HistGradientBoostingRegressor(**SETTINGS).fit(X, y, weight)
    own = HistGradientBoostingRegressor(SquaredError(), **SETTINGS).fit(X, y, weight)
    assert_same_bits(own.predict(X), built_in.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_same_maths_but_for_rounding(n_classes):
    """NumPy's exponential is not ours to the last bit, which changes little."""
    X, y = make_classification_data(n_classes=n_classes)
    own = BinaryLogLoss() if n_classes == 2 else MultinomialLogLoss()
    built_in = HistGradientBoostingClassifier(**SETTINGS).fit(X, y)
    own = HistGradientBoostingClassifier(own, **SETTINGS).fit(X, y)
    for method in ("predict_proba", "decision_function"):
        assert_allclose(
            getattr(own, method)(X), getattr(built_in, method)(X), rtol=1e-6
        )
    assert_same_bits(own.predict(X), built_in.predict(X))
    assert_allclose(own.predict_proba(X).sum(axis=1), 1)


def test_link_and_first_score():
    X, y = make_regression_data()
    y = np.exp(y)
    built_in = HistGradientBoostingRegressor("poisson", **SETTINGS).fit(X, y)
    own = HistGradientBoostingRegressor(Poisson(), **SETTINGS).fit(X, y)
    assert_allclose(own.predict(X), built_in.predict(X), rtol=1e-6)
    # Nothing to learn: the model is its first score, on the scale of the target.
    own.fit(np.zeros_like(X), y)
    assert_allclose(own.predict(X), y.mean())


def test_first_score_of_the_loss_is_taken():
    class Median(SquaredError):
        def compute_init_score(self, y_true, sample_weight):
            self.seen = y_true, sample_weight
            return np.median(y_true)

    X, y = make_regression_data()
    loss, weight = Median(), np.arange(len(y)) + 1.0
    model = HistGradientBoostingRegressor(loss, **SETTINGS)
    model.fit(np.zeros_like(X), y, sample_weight=weight)
    assert_same_bits(loss.seen[0], y)
    assert_same_bits(loss.seen[1], weight)
    # All rows are in one leaf, which is not a tree.
    assert_allclose(model.predict(X), np.median(y))


def test_labels_are_numbers_in_the_order_of_classes():
    class Recorder(MultinomialLogLoss):
        def gradient(self, y_true, raw_prediction):
            self.y_true, self.shape = y_true.copy(), raw_prediction.shape
            return super().gradient(y_true, raw_prediction)

    X, y = make_classification_data(n_classes=3)
    loss = Recorder()
    labels = np.array(["b", "c", "a"])[y]
    model = HistGradientBoostingClassifier(loss, **SETTINGS).fit(X, labels)
    assert loss.shape == (len(y), 3)
    assert_same_bits(model.classes_[loss.y_true.astype(int)], labels)
    assert model.score(X, labels) > 0.8


def test_own_loss_survives_what_estimators_go_through():
    from joblib import hash as hash_of
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV

    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(SquaredError(), **SETTINGS)
    assert hash_of(clone(model).fit(X, y).predict(X)) == hash_of(
        model.fit(X, y).predict(X)
    )
    search = GridSearchCV(model, {"loss": [SquaredError(), "absolute_error"]}, cv=2)
    assert isinstance(search.fit(X, y).best_params_["loss"], SquaredError | str)


class Broken(SquaredError):
    """Does something wrong in one method."""

    def __init__(self, method, change):
        self.method = method
        self.change = change

    def __getattribute__(self, name):
        function = super().__getattribute__(name)
        if name not in ("gradient", "hessian", "loss"):
            return function
        if name != self.method:
            return function
        return lambda y_true, raw: self.change(function(y_true, raw))


def set_first(value):
    def change(array):
        array[0] = value
        return array

    return change


@pytest.mark.parametrize("method", ["gradient", "hessian", "loss"])
@pytest.mark.parametrize(
    "change, message",
    [
        (lambda array: array[:-1], r"returned an array of shape \(599,\), expected"),
        (
            lambda array: array[:, np.newaxis],
            r"returned an array of shape \(600, 1\), expected \(600,\)",
        ),
        (lambda array: array.sum(), r"returned an array of shape \(\), expected"),
        (set_first(np.nan), "returned infinity or NaN"),
        (set_first(np.inf), "returned infinity or NaN"),
        (lambda array: None, r"returned an array of shape \(\), expected"),
        (lambda array: ["a"] * len(array), "must return an array of numbers"),
    ],
)
def test_wrong_results_name_the_method(method, change, message):
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(
        Broken(method, change), early_stopping=True, validation_fraction=None
    )
    with pytest.raises(ValueError, match=rf"Broken\.{method} {message}"):
        model.fit(X, y)
    assert not hasattr(model, "n_features_in_")


def test_negative_hessian():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(Broken("hessian", np.negative))
    with pytest.raises(ValueError, match=r"Broken.hessian returned a negative value"):
        model.fit(X, y)


def test_zero_hessian_ends_without_a_crash():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(Broken("hessian", np.zeros_like), **SETTINGS)
    assert np.isfinite(model.fit(X, y).predict(X)).all()


def test_error_of_the_loss_gets_through():
    class Failing(SquaredError):
        def hessian(self, y_true, raw_prediction):
            raise RuntimeError("no hessian today")

    X, y = make_regression_data()
    with pytest.raises(RuntimeError, match="no hessian today"):
        HistGradientBoostingRegressor(Failing()).fit(X, y)


def test_loss_without_values_is_not_followed():
    class Bare:
        gradient, hessian = SquaredError.gradient, SquaredError.hessian

    X, y = make_regression_data()
    HistGradientBoostingRegressor(Bare(), **SETTINGS).fit(X, y)
    HistGradientBoostingRegressor(
        Bare(), early_stopping=True, scoring="r2", **SETTINGS
    ).fit(X, y)
    with pytest.raises(ValueError, match=r"Bare needs a method loss.*scoring"):
        HistGradientBoostingRegressor(Bare(), early_stopping=True).fit(X, y)


def test_object_without_the_methods():
    class GradientOnly:
        gradient = SquaredError.gradient

    X, y = make_regression_data()
    with pytest.raises(ValueError, match="'loss' parameter"):
        HistGradientBoostingRegressor(GradientOnly()).fit(X, y)


@pytest.mark.parametrize("link", ["probit", None, "softmax"])
def test_wrong_link(link):
    class Linked(SquaredError):
        pass

    Linked.link = link
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=r"Linked.link must be 'identity' or"):
        HistGradientBoostingRegressor(Linked()).fit(X, y)


def test_gradient_may_not_change_the_scores():
    """What the loss gets is not written to by a loss that works in place."""

    class InPlace(SquaredError):
        def gradient(self, y_true, raw_prediction):
            raw_prediction = raw_prediction.copy()
            raw_prediction -= y_true
            return raw_prediction

    X, y = make_regression_data()
    plain = HistGradientBoostingRegressor(**SETTINGS).fit(X, y)
    in_place = HistGradientBoostingRegressor(InPlace(), **SETTINGS).fit(X, y)
    assert_same_bits(in_place.predict(X), plain.predict(X))
