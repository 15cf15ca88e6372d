"""Ordered boosting against a replay of its rounds in NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearnx._boosting.ordered import N_ORDERS, SMOOTH, find_prefix_ends
from sklearnx._boosting.target_statistics import draw_order
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)

SETTINGS = {
    "boosting": "ordered",
    "max_leaf_nodes": 8,
    "random_state": 0,
    "early_stopping": False,
}


def make_regressor(**settings):
    return HistGradientBoostingRegressor(**{**SETTINGS, **settings})


def make_classifier(**settings):
    return HistGradientBoostingClassifier(**{**SETTINGS, **settings})


def find_steps(leaves, rows, g, h, l2, smooth):
    """Return the Newton step of each row's leaf by some of the rows."""
    steps = np.zeros(len(leaves))
    prior = l2 + smooth * h[rows].mean()
    for leaf in np.unique(leaves[rows]):
        inside = rows[leaves[rows] == leaf]
        steps[leaves == leaf] = -g[inside].sum() / (h[inside].sum() + prior)
    return steps


def replay(model, X, start, compute_gradients):
    """Yield for each round leaves, the gradients to grow by and the model's scores."""
    n = len(X)
    ends = find_prefix_ends(n)
    l2, rate = model.l2_regularization, model.learning_rate
    orders = [draw_order(int(model._random_seed), i, n) for i in range(N_ORDERS)]
    of_prefixes = [[start.copy() for _ in ends[:-1]] for _ in orders]
    scores = start.copy()
    for iteration, leaves in enumerate(model.apply(X).T):
        order = orders[iteration % N_ORDERS]
        seen = of_prefixes[iteration % N_ORDERS][0].copy()
        for end, score in zip(ends, of_prefixes[iteration % N_ORDERS], strict=False):
            seen[order[end:]] = score[order[end:]]
        g, h = compute_gradients(scores)
        scores = scores + rate * find_steps(leaves, np.arange(n), g, h, l2, 0.0)
        for order, prefixes in zip(orders, of_prefixes, strict=True):
            for number, score in enumerate(prefixes):
                g, h = compute_gradients(score)
                rows = order[: ends[number]]
                score += rate * find_steps(leaves, rows, g, h, l2, SMOOTH)
        yield leaves, compute_gradients(seen), scores


def find_best_gain(X, g, h, min_rows):
    """Return the gain of the best split of all rows in two."""
    best = 0.0
    for column in X.T:
        order = np.argsort(column)
        left_g, left_h = np.cumsum(g[order]), np.cumsum(h[order])
        at = slice(min_rows - 1, len(g) - min_rows)
        gains = left_g**2 / left_h + (left_g[-1] - left_g) ** 2 / np.maximum(
            left_h[-1] - left_h, 1e-30
        )
        best = max(best, gains[at].max() - left_g[-1] ** 2 / left_h[-1])
    return best


def get_gain(leaves, g, h):
    """Return the gain of the split of all rows in these two leaves."""
    sides = [leaves == leaf for leaf in np.unique(leaves)]
    assert len(sides) == 2
    return sum(g[side].sum() ** 2 / h[side].sum() for side in sides) - (
        g.sum() ** 2 / h.sum()
    )


def differentiate_squares(y):
    return lambda raw: (raw - y, np.ones(len(y)))


def differentiate_log_loss(y):
    def compute(raw):
        p = 1 / (1 + np.exp(-raw))
        return p - y, p * (1 - p)

    return compute


CASES = {
    "regression": (make_regressor, make_regression_data, differentiate_squares),
    "two classes": (
        make_classifier,
        make_classification_data,
        differentiate_log_loss,
    ),
}


@pytest.mark.parametrize("settings", [{}, {"l2_regularization": 2.0}])
@pytest.mark.parametrize("case", CASES)
def test_rounds(case, settings):
    make, make_data, differentiate = CASES[case]
    X, y = make_data()
    model = make(max_iter=30, **settings).fit(X, y)
    start = np.full(len(y), model._model.init_score[0])
    for iteration, (_, _, scores) in enumerate(
        replay(model, X, start, differentiate(y))
    ):
        raw = model._raw_predict(X, n_iter=iteration + 1)
        assert_allclose(np.ravel(raw), scores, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_splits_are_those_of_scores_that_do_not_know_their_row(case):
    make, make_data, differentiate = CASES[case]
    X, y = make_data(250)
    # Each value has a bin of its own.
    model = make(max_iter=40, max_leaf_nodes=2, max_bins=1000, learning_rate=0.3)
    model.fit(X, y)
    start = np.full(len(y), model._model.init_score[0])
    scores = start
    differs = 0
    for leaves, (g, h), following in replay(model, X, start, differentiate(y)):
        assert_allclose(get_gain(leaves, g, h), find_best_gain(X, g, h, 20), rtol=1e-5)
        own = differentiate(y)(scores)
        differs += get_gain(leaves, *own) < 0.999 * find_best_gain(X, *own, 20)
        scores = following
    assert differs > 3


@pytest.mark.parametrize("sampling", ["uniform", "goss", "mvs"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_values_are_those_of_the_rows_drawn(loss, sampling):
    X, y = make_regression_data()
    settings = {"loss": loss, "sampling": sampling, "subsample": 0.5, "max_iter": 1}
    models = [make_regressor(boosting=b, **settings) for b in ("ordered", "plain")]
    # The scores before the first tree know nothing of any row.
    assert_allclose(*(model.fit(X, y).predict(X) for model in models), rtol=1e-6)


def test_scores_of_rounds_are_those_of_the_model():
    X, y = make_classification_data(n_classes=3)
    model = make_classifier(max_iter=12, early_stopping=True, validation_fraction=None)
    model.fit(X, y, eval_sets={"same": (X, y)})
    for n_iter in (1, 12):
        p = model.predict_proba(X, n_iter=n_iter)[np.arange(len(y)), y]
        for losses in (-model.train_score_, model.evals_result_["same"]["loss"]):
            assert_allclose(losses[n_iter], -np.log(p).mean())


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_outputs_of_equal_columns(loss):
    X, y = make_regression_data()
    settings = {"loss": loss, "max_iter": 20}
    one = make_regressor(**settings).fit(X, y).predict(X)
    two = make_regressor(**settings).fit(X, np.column_stack([y, y])).predict(X)
    assert_allclose(two, np.column_stack([one, one]), rtol=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_monotonic_constraints_hold(loss):
    X, y = make_regression_data()
    model = make_regressor(loss=loss, monotonic_cst=[0, -1, 0, 1]).fit(X, y)
    grid = np.linspace(-2, 2, 50)
    for feature, sign in ((1, -1), (3, 1)):
        for row in X[:20]:
            points = np.tile(row, (50, 1))
            points[:, feature] = grid
            assert (sign * np.diff(model.predict(points)) >= -1e-12).all()


def test_it_overfits_less():
    # Without early stopping, on few rows whose target is mostly noise.
    losses = {"plain": [], "ordered": []}
    X_test, y_test = make_classification_data(3000, 3, random_state=99)
    for seed in range(5):
        X, y = make_classification_data(300, 3, random_state=seed)
        for boosting, of_boosting in losses.items():
            model = make_classifier(boosting=boosting, min_samples_leaf=5).fit(X, y)
            p = model.predict_proba(X_test)[np.arange(len(y_test)), y_test]
            of_boosting.append(-np.log(p).mean())
    assert np.mean(losses["ordered"]) < 0.9 * np.mean(losses["plain"])


def test_one_row_and_one_value():
    assert_allclose(make_regressor().fit([[1.0]], [3.0]).predict([[1.0]]), [3.0])
    X = np.arange(50.0)[:, None]
    assert_allclose(make_regressor().fit(X, np.ones(50)).predict(X), 1.0)


def test_warm_start_goes_on():
    X, y = make_regression_data()
    model = make_regressor(max_iter=10, warm_start=True).fit(X, y)
    first = model.predict(X)
    model.set_params(max_iter=30).fit(X, y)
    assert_same_bits(model.predict(X, n_iter=10), first)
    errors = [np.mean((p - y) ** 2) for p in (first, model.predict(X))]
    assert errors[1] < errors[0]


class OwnLoss:
    def gradient(self, y_true, raw_prediction, sample_weight=None):
        return raw_prediction - y_true

    def hessian(self, y_true, raw_prediction, sample_weight=None):
        return np.ones_like(raw_prediction)


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"linear_leaves": True}, "linear_leaves=True is not supported with boosting="),
        ({"path_smoothing": 2.0}, "path_smoothing=2.0 is not supported with boosting="),
        ({"loss": OwnLoss()}, "boosting='ordered' is not supported with a loss of one"),
    ],
)
def test_what_is_not_supported(settings, match):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=match):
        make_regressor(**settings).fit(X, y)
