"""Growth policies, seen in fitted models and with other options."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.inspection import partial_dependence

from sklearnx._boosting.growth import GROW_POLICIES
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.inspection import plot_tree, tree_table
from tests.ensemble._data import (
    assert_same_bits,
    compute_signal,
    make_classification_data,
    make_regression_data,
)

over_levels = pytest.mark.parametrize("grow_policy", ["depthwise", "symmetric"])


def make_regressor(**settings):
    return HistGradientBoostingRegressor(**{"random_state": 0, **settings})


def list_trees(model):
    return [tree for trees in model._predictors for tree in trees]


def count_splits(tree):
    """Return the number of different splits of a tree."""
    is_split = tree.nodes["feature"] >= 0
    nodes, bins = tree.nodes[is_split], tree.stats["bin"][is_split]
    return len(set(zip(nodes["feature"], bins, nodes["missing_left"], strict=True)))


def test_leafwise_is_the_default():
    X, y = make_regression_data()
    plain = make_regressor().fit(X, y)
    model = make_regressor(grow_policy="leafwise").fit(X, y)
    assert_same_bits(model.predict(X), plain.predict(X))


def test_name_is_checked():
    X, y = make_regression_data(50)
    with pytest.raises(ValueError, match="The 'grow_policy' parameter"):
        make_regressor(grow_policy="lossguide").fit(X, y)


@over_levels
@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "poisson", "gamma"]
)
def test_learns(grow_policy, loss):
    X, y = make_regression_data(2000)
    X_test, _ = make_regression_data(500, random_state=1)
    y = np.exp(y) if loss in ("poisson", "gamma") else y
    signal = compute_signal(X_test)
    signal = np.exp(signal) if loss in ("poisson", "gamma") else signal
    errors = {}
    for policy in ("leafwise", grow_policy):
        model = make_regressor(loss=loss, grow_policy=policy).fit(X, y)
        errors[policy] = np.abs(model.predict(X_test) - signal).mean()
    assert errors[grow_policy] < 1.2 * errors["leafwise"]
    assert errors[grow_policy] < 0.3 * np.abs(signal - signal.mean()).mean()


@over_levels
@pytest.mark.parametrize("n_classes", [2, 4])
def test_threads(grow_policy, n_classes):
    X, y = make_classification_data(3000, n_classes)
    X[::7, 1] = np.nan
    predictions = [
        HistGradientBoostingClassifier(
            max_iter=10, grow_policy=grow_policy, n_jobs=n_jobs, random_state=0
        )
        .fit(X, y)
        .predict_proba(X)
        for n_jobs in (1, 2, 5)
    ]
    assert_same_bits(predictions[1], predictions[0])
    assert_same_bits(predictions[2], predictions[0])


def test_depthwise_without_limit_is_leafwise():
    X, y = make_regression_data(800)
    settings = {"max_leaf_nodes": None, "max_depth": 5, "max_iter": 30}
    leafwise = make_regressor(**settings).fit(X, y)
    depthwise = make_regressor(grow_policy="depthwise", **settings).fit(X, y)
    assert_same_bits(depthwise.predict(X), leafwise.predict(X))


@pytest.mark.parametrize(
    "settings, n_levels",
    [
        ({}, 4),
        ({"max_leaf_nodes": 64}, 6),
        ({"max_leaf_nodes": None, "max_depth": 3}, 3),
        ({"max_depth": 9}, 4),
        ({"max_leaf_nodes": 100, "max_depth": 5}, 5),
    ],
)
def test_symmetric_has_one_split_a_level(settings, n_levels):
    X, y = make_regression_data(2000)
    model = make_regressor(grow_policy="symmetric", **settings).fit(X, y)
    counts = [count_splits(tree) for tree in list_trees(model)]
    assert max(counts) == n_levels
    assert max(tree.get_max_depth() for tree in list_trees(model)) == n_levels
    for tree in list_trees(model):
        leaves = tree.stats["n_samples"][tree.nodes["feature"] < 0]
        assert leaves.min() >= 20


def test_symmetric_without_limits_ends():
    X, y = make_regression_data(500)
    model = make_regressor(
        grow_policy="symmetric", max_leaf_nodes=None, min_samples_leaf=1, max_iter=3
    ).fit(X, y)
    assert 30 < model._predictors[0][0].get_n_leaf_nodes() <= 500


@over_levels
@pytest.mark.parametrize(
    "settings",
    [
        {"early_stopping": True},
        {"subsample": 0.5, "sampling": "mvs", "max_iter": 30},
        {"boosting": "ordered"},
        {"boosting": "dart", "drop_rate": 0.3, "skip_drop": 0.0, "max_iter": 30},
        {"boosting": "random_forest", "max_features": 0.5, "max_iter": 30},
        {"extra_trees": True, "colsample_bytree": 0.75},
        {"feature_weights": [0, 1, 1, 1], "max_features": 0.7},
        {"path_smoothing": 5.0, "l1_regularization": 1.0, "max_delta_step": 0.5},
        {"loss": "quantile", "quantile": 0.8, "subsample": 0.7},
    ],
)
def test_with_other_options(grow_policy, settings):
    X, y = make_regression_data(1000)
    weight = np.random.default_rng(0).integers(0, 3, size=len(y))
    model = make_regressor(grow_policy=grow_policy, **settings)
    model.fit(X, y, sample_weight=weight, eval_sets={"same": (X, y)})
    assert model.n_iter_ >= 10
    losses = model.evals_result_["same"]["loss"]
    assert losses[-1] < 0.8 * losses[0]
    # What early stopping and staged predictions saw is what the model predicts.
    again = clone(model).fit(X, y, sample_weight=weight)
    assert_same_bits(again.predict(X), model.predict(X))
    if settings.get("feature_weights"):
        assert model.feature_split_counts_[0] == 0


@over_levels
@pytest.mark.parametrize("settings", [{}, {"subsample": 0.6}])
def test_warm_start_goes_on(grow_policy, settings):
    X, y = make_regression_data()
    settings = {"grow_policy": grow_policy, "max_leaf_nodes": 8, **settings}
    whole = make_regressor(max_iter=20, **settings).fit(X, y)
    model = make_regressor(max_iter=8, warm_start=True, **settings).fit(X, y)
    model.set_params(max_iter=20).fit(X, y)
    assert_same_bits(model.predict(X), whole.predict(X))


@over_levels
def test_snapshot_goes_on(grow_policy, tmp_path):
    X, y = make_regression_data()
    settings = {"grow_policy": grow_policy, "snapshot": tmp_path / "snapshot"}
    make_regressor(max_iter=8, **settings).fit(X, y)
    model = make_regressor(max_iter=20, **settings).fit(X, y)
    whole = make_regressor(max_iter=20, grow_policy=grow_policy).fit(X, y)
    assert_same_bits(model.predict(X), whole.predict(X))
    with pytest.raises(ValueError, match="grow_policy"):
        make_regressor(max_iter=20, **{**settings, "grow_policy": "leafwise"}).fit(X, y)


@over_levels
def test_weight_is_repetition(grow_policy):
    X, y = make_regression_data(300)
    weight = np.random.default_rng(0).integers(1, 4, size=len(y))
    settings = {"grow_policy": grow_policy, "min_samples_leaf": 1}
    weighted = make_regressor(**settings).fit(X, y, sample_weight=weight)
    repeated = make_regressor(**settings).fit(X.repeat(weight, 0), y.repeat(weight))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-9)


@over_levels
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_monotonic_constraints(grow_policy, loss):
    X, y = make_regression_data(2000)
    model = make_regressor(
        loss=loss, grow_policy=grow_policy, monotonic_cst=[-1, 1, 0, 0]
    ).fit(X, y)
    grid = np.linspace(-3, 3, 200)
    for feature, sign in ((0, -1), (1, 1)):
        for row in X[:20]:
            rows = np.repeat(row[np.newaxis], len(grid), axis=0)
            rows[:, feature] = grid
            assert (sign * np.diff(model.predict(rows)) >= 0).all()


@over_levels
def test_interaction_constraints(grow_policy):
    X, y = make_regression_data(2000)
    model = make_regressor(
        grow_policy=grow_policy, interaction_cst=[{0, 1}, {2, 3}], max_leaf_nodes=64
    ).fit(X, y)
    for tree in list_trees(model):
        for path in list_feature_paths(tree):
            assert path <= {0, 1} or path <= {2, 3}


def list_feature_paths(tree):
    """Return the features on the way to each leaf."""
    paths, waiting = [], [(0, frozenset())]
    while waiting:
        i, features = waiting.pop()
        node = tree.nodes[i]
        if node["feature"] < 0:
            paths.append(features)
        else:
            features |= {int(node["feature"])}
            waiting += [(int(node["left"]) + side, features) for side in (0, 1)]
    return paths


@over_levels
def test_categories_and_missing_values(grow_policy):
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 12, size=3000)
    effect = rng.normal(size=12)
    number = rng.normal(size=3000)
    y = effect[levels] + np.where(np.isin(levels, [1, 5, 7]), number, -number)
    number[::5] = np.nan
    X = pd.DataFrame({"level": pd.Categorical([f"l{i}" for i in levels]), "x": number})
    X.loc[::11, "level"] = None
    model = make_regressor(grow_policy=grow_policy).fit(X[:2000], y[:2000])
    plain = make_regressor().fit(X[:2000], y[:2000])
    score, expected = (m.score(X[2000:], y[2000:]) for m in (model, plain))
    assert expected > 0.6
    # Levels differ in the slope of the number too, which the order at the root of a
    # symmetric tree tells nothing about.
    assert score > expected - (0.12 if grow_policy == "symmetric" else 0.05)
    # A level that was not seen is a missing one.
    unseen = X[2000:].assign(level="new")
    missing = X[2000:].assign(level=None)
    assert_same_bits(model.predict(unseen), model.predict(missing))


@over_levels
def test_hard_edges(grow_policy):
    make = make_regressor
    X, y = make_regression_data(60)
    for n_rows in (1, 2, 3):
        model = make(grow_policy=grow_policy, min_samples_leaf=1)
        prediction = model.fit(X[:n_rows], y[:n_rows]).predict(X[:n_rows])
        assert np.isfinite(prediction).all()
    constant = make(grow_policy=grow_policy).fit(np.zeros((60, 2)), y)
    assert constant.predict([[0, 1]]) == pytest.approx(y.mean())
    gaps = make(grow_policy=grow_policy).fit(np.full((60, 2), np.nan), y)
    assert gaps.predict([[0, 1]]) == pytest.approx(y.mean())
    half = X.copy()
    half[y > 0] = np.nan
    parted = make(grow_policy=grow_policy, min_samples_leaf=5).fit(half, y)
    assert parted.score(half, y) > 0.5
    one_class = HistGradientBoostingClassifier(grow_policy=grow_policy)
    assert (one_class.fit(X, np.ones(60)).predict(X) == 1).all()


@over_levels
def test_inspection(grow_policy):
    mpl.use("agg")
    X, y = make_regression_data()
    model = make_regressor(grow_policy=grow_policy, max_iter=3).fit(X, y)
    tree = model._predictors[0][0]
    assert len(tree_table(model, 0)) == len(tree.nodes)
    plot_tree(model, 0)
    assert model.apply(X).max() < max(len(tree.nodes) for tree in list_trees(model))
    recursion, brute = (
        partial_dependence(model, X, [0], method=method)["average"]
        for method in ("recursion", "brute")
    )
    assert np.corrcoef(recursion, brute)[0, 1] > 0.99
    assert model.feature_importances_.sum() == pytest.approx(1)


def test_every_policy_is_documented():
    for cls in (HistGradientBoostingClassifier, HistGradientBoostingRegressor):
        for name in GROW_POLICIES:
            assert f"'{name}'" in cls.__doc__
