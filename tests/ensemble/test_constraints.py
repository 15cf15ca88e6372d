"""Constraints on what trees may do, seen in predictions and in the trees."""

import numpy as np
import pytest

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import assert_same_bits, make_regression_data

LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "poisson", "tweedie"]
GRID = np.linspace(-4, 4, 200)


def predict_along(model, X, feature):
    """Predictions of some rows as one of their features goes over a grid."""
    rows = np.repeat(X[:40], len(GRID), axis=0)
    rows[:, feature] = np.tile(GRID, 40)
    if hasattr(model, "predict_proba"):
        prediction = model.predict_proba(rows)[:, 1]
    else:
        prediction = model.predict(rows)
    return prediction.reshape(40, len(GRID))


def find_pairs(model):
    """Sets of the features that meet on a path from a root to a leaf."""
    paths = set()
    for iteration in range(model.n_iter_):
        nodes = model._model.tree(iteration).nodes
        stack = [(0, frozenset())]
        while stack:
            node, features = stack.pop()
            feature, left = int(nodes[node]["feature"]), int(nodes[node]["left"])
            if feature < 0:
                paths.add(features)
            else:
                stack += [
                    (left, features | {feature}),
                    (left + 1, features | {feature}),
                ]
    return paths


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("loss", LOSSES)
def test_predictions_are_monotonic(loss, missing):
    X, y = make_regression_data(2000)
    X[np.random.default_rng(1).random(X.shape) < missing] = np.nan
    settings = {"loss": loss, "quantile": 0.4 if loss == "quantile" else None}
    y = np.abs(y)
    free = HistGradientBoostingRegressor(**settings, max_iter=40).fit(X, y)
    # Neither sine nor interaction is monotonic.
    assert np.diff(predict_along(free, X, 0)).min() < 0
    assert np.diff(predict_along(free, X, 1)).max() > 0
    model = HistGradientBoostingRegressor(
        **settings, max_iter=40, monotonic_cst=[1, -1, 0, 0]
    ).fit(X, y)
    assert np.diff(predict_along(model, X, 0)).min() >= 0
    assert np.diff(predict_along(model, X, 1)).max() <= 0
    assert np.ptp(predict_along(model, X, 0)) > 0.1


@pytest.mark.parametrize("max_bins", [255, 1000])
def test_probabilities_are_monotonic(max_bins):
    X, y = make_regression_data(3000)
    model = HistGradientBoostingClassifier(
        max_iter=40, monotonic_cst=[1, -1, 0, 0], max_bins=max_bins
    ).fit(X, y > 0)
    assert np.diff(predict_along(model, X, 0)).min() >= 0
    assert np.diff(predict_along(model, X, 1)).max() <= 0


def test_monotonic_features_by_name():
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data()
    frame = pd.DataFrame(X, columns=list("abcd"))
    by_name = HistGradientBoostingRegressor(max_iter=10, monotonic_cst={"b": -1})
    by_position = HistGradientBoostingRegressor(
        max_iter=10, monotonic_cst=[0, -1, 0, 0]
    )
    assert_same_bits(
        by_name.fit(frame, y).predict(frame), by_position.fit(X, y).predict(X)
    )


def test_monotonic_constraints_of_three_classes_and_of_categories():
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data()
    with pytest.raises(ValueError, match="not supported for multiclass"):
        HistGradientBoostingClassifier(monotonic_cst=[1, 0, 0, 0]).fit(
            X, np.digitize(y, [-1, 1])
        )
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y")})
    with pytest.raises(ValueError, match="Categorical features cannot have monotonic"):
        HistGradientBoostingRegressor(monotonic_cst={"b": 1}).fit(frame, y)
    HistGradientBoostingRegressor(monotonic_cst={"a": 1}, max_iter=2).fit(frame, y)


@pytest.mark.parametrize(
    "cst, message",
    [
        ([1, 0, 0], r"has shape \(3,\) but the input data X has 4 features"),
        ([2, 0, 0, 0], "must be an array-like of -1, 0 or 1"),
        ({"a": 1}, "monotonic_cst"),
    ],
)
def test_wrong_monotonic_constraints(cst, message):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=message):
        HistGradientBoostingRegressor(monotonic_cst=cst).fit(X, y)


def test_features_meet_on_paths_without_constraint():
    X, y = make_regression_data(2000)
    assert max(map(len, find_pairs(fit_with_groups(X, y, None)))) > 2


def fit_with_groups(X, y, interaction_cst, **settings):
    return HistGradientBoostingRegressor(
        max_iter=20, interaction_cst=interaction_cst, **settings
    ).fit(X, y)


@pytest.mark.parametrize(
    "interaction_cst, groups",
    [
        ("no_interactions", [{0}, {1}, {2}, {3}]),
        ("pairwise", [{a, b} for a in range(4) for b in range(a)]),
        ([{0, 1}, {1, 2}], [{0, 1}, {1, 2}, {3}]),
        ([(0, 3), [2]], [{0, 3}, {2}, {1}]),
        ([{0}], [{0}, {1, 2, 3}]),
    ],
)
@pytest.mark.parametrize("max_features", [1.0, 0.5])
def test_only_features_of_a_group_meet(interaction_cst, groups, max_features):
    X, y = make_regression_data(2000)
    model = fit_with_groups(X, y, interaction_cst, max_features=max_features)
    paths = find_pairs(model)
    assert all(any(path <= group for group in groups) for path in paths)
    largest = max(map(len, groups))
    assert max(map(len, paths)) == largest


def test_no_interactions_is_a_sum_of_functions():
    X, y = make_regression_data(2000)
    model = fit_with_groups(X, y, "no_interactions")
    base, steps = X[:50].copy(), 0
    total = model.predict(base)
    for feature in range(X.shape[1]):
        changed = base.copy()
        changed[:, feature] = X[50:100, feature]
        steps = steps + model.predict(changed) - total
    np.testing.assert_allclose(model.predict(X[50:100]), total + steps)


@pytest.mark.parametrize(
    "cst, message",
    [
        ([{0, 9}], "integer indices in"),
        ([0, 1], "must be a sequence of tuples or lists"),
        ("some", "'interaction_cst' parameter"),
    ],
)
def test_wrong_interaction_constraints(cst, message):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=message):
        fit_with_groups(X, y, cst)


def test_both_constraints():
    X, y = make_regression_data(2000)
    model = fit_with_groups(X, y, [{0, 1}, {2, 3}], monotonic_cst=[1, 0, 0, 0])
    assert np.diff(predict_along(model, X, 0)).min() >= 0
    assert all(path <= {0, 1} or path <= {2, 3} for path in find_pairs(model))
