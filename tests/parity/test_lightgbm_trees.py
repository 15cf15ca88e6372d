"""The same first tree as LightGBM's, for what restrains splits and values there too."""

import numpy as np
import pytest

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

lightgbm = pytest.importorskip("lightgbm")

NAMES = {
    "l1_regularization": "lambda_l1",
    "l2_regularization": "lambda_l2",
    "min_split_gain": "min_gain_to_split",
    "min_child_weight": "min_sum_hessian_in_leaf",
    "max_delta_step": "max_delta_step",
    "path_smoothing": "path_smooth",
}
# Where both children are held to one value, LightGBM's gain is 0 but for rounding, and
# is often positive; ours is 0.
TERMS = {"min_split_gain": 1e-6, "min_child_weight": 1e-3}
CASES = [
    {},
    {"l1_regularization": 3.0},
    {"l1_regularization": 3.0, "l2_regularization": 2.0},
    {"min_split_gain": 3.0},
    {"min_child_weight": 11.0},
    {"max_delta_step": 0.4},
    {"max_delta_step": 0.2, "l2_regularization": 5.0, "l1_regularization": 1.0},
]
SMOOTHED_CASES = [
    {"path_smoothing": 10.0},
    {"path_smoothing": 100.0, "l2_regularization": 2.0},
    {
        "path_smoothing": 10.0,
        "l1_regularization": 3.0,
        "l2_regularization": 2.0,
        "max_delta_step": 0.4,
        "min_split_gain": 1.0,
    },
]


def make_data(seed):
    # A single column: LightGBM looks no further at one that a node found no split on.
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 60, size=(400, 1)).astype(float)
    return X, np.sin(X[:, 0] / 5) + X[:, 0] / 30 + rng.normal(size=400)


def assert_same_tree(model, objective, X, y, terms, score):
    parameters = {
        "objective": objective,
        "learning_rate": 1.0,
        "min_data_in_leaf": model.min_samples_leaf,
        "min_data_in_bin": 1,
        "feature_pre_filter": False,
        "num_threads": 1,
        "verbosity": -1,
        **{NAMES[name]: value for name, value in terms.items()},
    }
    data = lightgbm.Dataset(X, y, params=parameters)
    booster = lightgbm.train(parameters, data, 1)
    model.fit(X, y)
    leaves = booster.predict(X, pred_leaf=True).ravel()
    n_leaves = len(set(leaves))
    assert n_leaves == len(set(model.apply(X)[:, 0])) > 1
    assert n_leaves == len(set(zip(leaves, model.apply(X)[:, 0])))
    # LightGBM's gradients are float32.
    expected = booster.predict(X, raw_score=True)
    np.testing.assert_allclose(score(X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("terms", CASES + SMOOTHED_CASES, ids=str)
def test_squared_error(terms):
    terms = {**TERMS, **terms}
    for seed in range(10):
        X, y = make_data(seed)
        model = HistGradientBoostingRegressor(
            learning_rate=1.0, max_iter=1, min_samples_leaf=5, **terms
        )
        assert_same_tree(model, "regression", X, y, terms, model.predict)


@pytest.mark.parametrize("terms", CASES[1:], ids=str)
def test_log_loss(terms):
    # Not smoothed: LightGBM takes hessians for rows there. Nor without any restraint:
    # with two gradients in all, many of the last splits are as good as another.
    terms = {**TERMS, **terms}
    for seed in range(10):
        X, y = make_data(seed)
        model = HistGradientBoostingClassifier(
            learning_rate=1.0, max_iter=1, min_samples_leaf=5, **terms
        )
        assert_same_tree(model, "binary", X, y > 1, terms, model.decision_function)
