"""What restrains splits and the values of leaves, seen in trees and predictions."""

import numpy as np
import pytest
from sklearn.metrics import mean_gamma_deviance, mean_poisson_deviance

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.inspection import tree_table
from tests.ensemble._data import (
    assert_same_bits,
    compute_signal,
    make_classification_data,
    make_regression_data,
)

DEFAULTS = {
    "l1_regularization": 0.0,
    "min_split_gain": 0.0,
    "min_child_weight": 1e-3,
    "max_delta_step": 0.0,
    "path_smoothing": 0.0,
    "extra_trees": False,
}
RESTRAINTS = {
    "l1_regularization": 2.0,
    "min_split_gain": 0.5,
    "min_child_weight": 40.0,
    "max_delta_step": 0.3,
    "path_smoothing": 5.0,
    "extra_trees": True,
}
over_restraints = pytest.mark.parametrize("name", RESTRAINTS)


def get_leaves(model):
    is_leaf = model._model.nodes["feature"] < 0
    return model._model.stats[is_leaf]


def get_splits(model):
    is_split = model._model.nodes["feature"] >= 0
    return model._model.stats[is_split]


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_defaults_change_nothing(loss):
    X, y = make_regression_data()
    y = np.exp(y)
    plain = HistGradientBoostingRegressor(loss).fit(X, y)
    model = HistGradientBoostingRegressor(loss, **DEFAULTS).fit(X, y)
    assert_same_bits(model.predict(X), plain.predict(X))


@over_restraints
def test_each_changes_the_model(name):
    X, y = make_regression_data()
    plain = HistGradientBoostingRegressor().fit(X, y)
    model = HistGradientBoostingRegressor(**{name: RESTRAINTS[name]}).fit(X, y)
    assert not np.array_equal(model.predict(X), plain.predict(X))
    # None is so strong that nothing is learnt.
    assert model.score(X, y) > 0.8


@over_restraints
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, "much"])
def test_parameters_are_checked(name, value):
    X, y = make_regression_data(50)
    model = HistGradientBoostingRegressor(**{name: value})
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        model.fit(X, y)


@over_restraints
@pytest.mark.parametrize("n_classes", [2, 3])
def test_threads(name, n_classes):
    X, y = make_classification_data(3000, n_classes)
    predictions = [
        HistGradientBoostingClassifier(
            max_iter=10, n_jobs=n_jobs, random_state=0, **{name: RESTRAINTS[name]}
        )
        .fit(X, y)
        .predict_proba(X)
        for n_jobs in (1, 2, 5)
    ]
    assert_same_bits(predictions[1], predictions[0])
    assert_same_bits(predictions[2], predictions[0])


def test_l1_regularization():
    X, y = make_regression_data()
    # One leaf of a stump: the mean of the residuals, less l1 over the rows.
    settings = {"max_iter": 1, "max_leaf_nodes": 2, "learning_rate": 1.0}
    model = HistGradientBoostingRegressor(l1_regularization=30.0, **settings)
    model.fit(X, y)
    leaves = model.apply(X)[:, 0]
    for leaf in np.unique(leaves):
        residuals = (y - y.mean())[leaves == leaf]
        total = residuals.sum()
        expected = np.sign(total) * max(abs(total) - 30, 0) / len(residuals)
        assert model._model.stats["value"][leaf] == pytest.approx(expected)
    # All that is below l1 is taken for noise.
    model = HistGradientBoostingRegressor(l1_regularization=1e4, **settings)
    assert len(get_splits(model.fit(X, y))) == 0


def test_min_split_gain():
    X, y = make_regression_data()
    for min_split_gain in (1.0, 10.0):
        model = HistGradientBoostingRegressor(min_split_gain=min_split_gain).fit(X, y)
        gains = get_splits(model)["gain"]
        assert len(gains) > 10
        assert gains.min() > min_split_gain
    # Of squared error it is the decrease of the squared error of a node.
    model = HistGradientBoostingRegressor(max_iter=1, max_leaf_nodes=2).fit(X, y)
    leaves = model.apply(X)[:, 0]
    after = sum(((y - y[leaves == k].mean()) ** 2)[leaves == k].sum() for k in (1, 2))
    gain = ((y - y.mean()) ** 2).sum() - after
    assert get_splits(model)["gain"] == pytest.approx([gain])


def test_min_child_weight():
    X, y = make_classification_data()
    settings = {"min_samples_leaf": 1, "max_iter": 20}
    model = HistGradientBoostingClassifier(min_child_weight=5.0, **settings).fit(X, y)
    assert get_leaves(model)["sum_hessians"].min() >= 5 * (1 - 1e-3)
    plain = HistGradientBoostingClassifier(**settings).fit(X, y)
    assert get_leaves(plain)["sum_hessians"].min() < 1
    # Weights count.
    weighted = HistGradientBoostingClassifier(min_child_weight=10.0, **settings)
    weighted.fit(X, y, sample_weight=np.full(len(y), 2.0))
    assert_same_bits(weighted.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_unit_of_weights_is_of_no_importance(loss):
    """Nor is it for categories, if only no child is refused for its weight."""
    rng = np.random.default_rng(0)
    X = np.stack([rng.integers(0, n, size=2000) for n in (40, 15, 9)], axis=1)
    effects = [rng.normal(size=40), rng.normal(size=15)]
    y = effects[0][X[:, 0]] + effects[1][X[:, 1]] + rng.normal(size=2000)
    weight = rng.uniform(0.5, 1.5, size=2000)
    models = [
        HistGradientBoostingRegressor(
            loss, categorical_features=[0, 1], min_child_weight=0, path_smoothing=1.0
        ).fit(X, np.exp(y), sample_weight=factor * weight)
        for factor in (1.0, 2.0**-20)
    ]
    assert_same_bits(*(m._model.nodes["feature"] for m in models))
    assert_same_bits(*(m._model.bitsets for m in models))
    assert_same_bits(*(m.predict(X) for m in models))


def test_min_child_weight_of_zero():
    # A child whose hessians are 0 has no value and is still refused.
    X, y = make_classification_data()
    model = HistGradientBoostingClassifier(
        min_child_weight=0, min_samples_leaf=1, learning_rate=1.0, max_iter=100
    ).fit(X, y)
    assert np.isfinite(model.decision_function(X)).all()
    assert get_leaves(model)["sum_hessians"].min() > 0


def test_max_delta_step():
    X, y = make_regression_data()
    for max_delta_step in (0.05, 0.5):
        model = HistGradientBoostingRegressor(
            max_delta_step=max_delta_step, learning_rate=0.5
        ).fit(X, y)
        largest = np.abs(get_leaves(model)["value"]).max()
        assert largest == pytest.approx(0.5 * max_delta_step)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_losses_that_refit_their_leaves(loss):
    """Splits are restrained, but the values of leaves follow from their rows."""
    X, y = make_regression_data()
    settings = {"loss": loss, "quantile": 0.8 if loss == "quantile" else None}
    settings |= {"learning_rate": 1.0, "max_iter": 1}
    model = HistGradientBoostingRegressor(
        max_delta_step=0.01, path_smoothing=100.0, **settings
    ).fit(X, y)
    plain = HistGradientBoostingRegressor(**settings).fit(X, y)
    assert not np.array_equal(model._model.nodes["value"], plain._model.nodes["value"])
    assert np.abs(get_leaves(model)["value"]).max() > 0.5


@pytest.mark.parametrize(
    "loss, learning_rate, metric",
    [
        ("gamma", 0.1, mean_gamma_deviance),
        ("gamma", 0.5, mean_gamma_deviance),
        ("poisson", 0.5, mean_poisson_deviance),
    ],
)
def test_max_delta_step_keeps_log_links_from_diverging(loss, learning_rate, metric):
    # Full Newton steps from the mean to the few large values are far too long.
    rng = np.random.default_rng(1)
    X = rng.normal(size=(4000, 4))
    mean = np.exp(3 * X[:, 0] + 1.5 * X[:, 1])
    if loss == "gamma":
        y = mean * rng.gamma(2, 0.5, size=4000) + 1e-12
    else:
        y = rng.poisson(mean).astype(float)
    X_test, y_test = X[2000:], y[2000:]
    constant = metric(y_test, np.full(2000, y[:2000].mean()))
    deviances = []
    for max_delta_step in (0.0, 0.7):
        model = HistGradientBoostingRegressor(
            loss, learning_rate=learning_rate, max_delta_step=max_delta_step
        ).fit(X[:2000], y[:2000])
        raw = np.log(np.maximum(model.predict(X_test), 1e-300))
        deviances.append(metric(y_test, np.exp(np.minimum(raw, 300))))
    assert deviances[0] > 1e3 * constant
    assert deviances[1] < 0.5 * constant


def test_path_smoothing():
    X, y = make_regression_data()
    spreads = []
    for path_smoothing in (0.0, 20.0, 1e3, 1e12):
        model = HistGradientBoostingRegressor(path_smoothing=path_smoothing)
        spreads.append(np.ptp(model.fit(X, y).predict(X)))
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 1e-6
    # By the rule: half the way where path_smoothing is the number of rows.
    settings = {"max_iter": 1, "max_leaf_nodes": 2, "learning_rate": 1.0}
    model = HistGradientBoostingRegressor(path_smoothing=100.0, **settings).fit(X, y)
    leaves = model.apply(X)[:, 0]
    for leaf in (1, 2):
        residuals = (y - y.mean())[leaves == leaf]
        expected = residuals.mean() * len(residuals) / (len(residuals) + 100)
        assert model._model.stats["value"][leaf] == pytest.approx(expected)


def test_path_smoothing_counts_weights():
    X, y = make_regression_data()
    weight = np.random.default_rng(0).integers(1, 4, size=len(y))
    settings = {"path_smoothing": 30.0, "min_samples_leaf": 1, "max_iter": 10}
    weighted = HistGradientBoostingRegressor(**settings)
    weighted.fit(X, y, sample_weight=weight)
    repeated = HistGradientBoostingRegressor(**settings)
    repeated.fit(X.repeat(weight, axis=0), y.repeat(weight))
    assert_same_bits(weighted.predict(X), repeated.predict(X))


def test_extra_trees_are_drawn_by_the_seed():
    X, y = make_regression_data()

    def fit(random_state):
        return (
            HistGradientBoostingRegressor(
                extra_trees=True, random_state=random_state, max_iter=10
            )
            .fit(X, y)
            .predict(X)
        )

    assert_same_bits(fit(0), fit(0))
    assert not np.array_equal(fit(0), fit(1))


def test_extra_trees_vary_from_node_to_node_and_tree_to_tree():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(5000, 1))
    y = X[:, 0] + 0.1 * rng.normal(size=5000)
    model = HistGradientBoostingRegressor(
        extra_trees=True, random_state=0, max_iter=50, max_leaf_nodes=4
    ).fit(X, y)
    tree_starts = model._model.offsets[:-1]
    roots = model._model.nodes["value"][tree_starts]
    assert len(np.unique(roots)) > 40
    # The best root threshold is in the middle; random ones are anywhere.
    assert roots.min() < 0.15 and roots.max() > 0.85


def test_extra_trees_of_noise_overfit_less():
    X, y = make_regression_data(400, n_features=10)
    y = compute_signal(X) + 2 * np.random.default_rng(2).normal(size=400)
    X_test, _ = make_regression_data(2000, n_features=10, random_state=1)
    errors = []
    for settings in ({}, {"extra_trees": True, "random_state": 0}):
        model = HistGradientBoostingRegressor(**settings).fit(X, y)
        errors.append(((model.predict(X_test) - compute_signal(X_test)) ** 2).mean())
    assert errors[1] < 0.9 * errors[0]


def test_warm_start_draws_the_same_extra_trees():
    X, y = make_regression_data()
    settings = {"extra_trees": True, "random_state": 0}
    whole = HistGradientBoostingRegressor(**settings, max_iter=12).fit(X, y)
    model = HistGradientBoostingRegressor(**settings, max_iter=5, warm_start=True)
    model.fit(X, y).set_params(max_iter=12).fit(X, y)
    assert_same_bits(model.predict(X), whole.predict(X))


@pytest.mark.parametrize("extra_trees", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_all_with_monotonic_constraints(loss, extra_trees):
    X, y = make_regression_data(2000)
    y = np.exp(y)
    model = HistGradientBoostingRegressor(
        loss,
        **{**RESTRAINTS, "extra_trees": extra_trees},
        l2_regularization=1.0,
        monotonic_cst=[1, -1, 0, 0],
        random_state=0,
    ).fit(X, y)
    grid = np.linspace(-4, 4, 200)
    for feature, sign in ((0, 1), (1, -1)):
        rows = np.repeat(X[:40], len(grid), axis=0)
        rows[:, feature] = np.tile(grid, 40)
        steps = np.diff(model.predict(rows).reshape(40, len(grid)))
        assert (sign * steps).min() >= 0
    assert np.ptp(model.predict(X)) > 1


@pytest.mark.parametrize("weighted", [False, True])
def test_all_with_all_else(weighted):
    """Categories, missing values, three classes, groups, validation rows."""
    pd = pytest.importorskip("pandas")
    X, y = make_classification_data(1500, 3)
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["e"] = pd.Categorical.from_codes(y % 2, ["x", "y"])
    frame.loc[::7, "a"] = np.nan
    model = HistGradientBoostingClassifier(
        **{**RESTRAINTS, "min_child_weight": 1.0},
        interaction_cst=[[0, 1, 4], [2, 3]],
        max_features=0.7,
        early_stopping=True,
        random_state=0,
    )
    weight = np.linspace(0.1, 2, len(y)) if weighted else None
    model.fit(frame, y, sample_weight=weight, eval_sets={"all": (frame, y)})
    assert model.score(frame, y) > 0.7
    losses = model.evals_result_["all"]["loss"]
    assert losses[-1] < 0.8 * losses[0]


@over_restraints
def test_hard_edges(name):
    settings = {name: RESTRAINTS[name], "min_samples_leaf": 1, "max_iter": 3}
    X = np.array([[1.0, np.nan], [2.0, np.nan], [2.0, np.nan], [np.nan, np.nan]])
    for n_rows in (1, 2, 4):
        model = HistGradientBoostingRegressor(**settings)
        prediction = model.fit(X[:n_rows], np.arange(n_rows)).predict(X)
        assert np.isfinite(prediction).all()
    constant = HistGradientBoostingRegressor(**settings).fit(X, np.full(4, 7.0))
    assert constant.predict(X).tolist() == [7.0] * 4
    one_class = HistGradientBoostingClassifier(**settings).fit(X, ["a"] * 4)
    assert one_class.predict(X).tolist() == ["a"] * 4


def test_leaves_of_several_classes_have_a_limit():
    """A rare class that the features tell apart: its pure leaves would jump."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3_000, 2))
    y = (X[:, 0] > 0).astype(int)
    y[:25] = 2
    X[:25, 1] += 20
    options = {"max_iter": 1, "learning_rate": 1.0, "min_samples_leaf": 5}

    def find_largest(y, **more):
        model = HistGradientBoostingClassifier(**options, **more).fit(X, y)
        n_trees = 1 if model.n_trees_per_iteration_ == 1 else 3
        tables = [tree_table(model, output=k) for k in range(n_trees)]
        return max(table["value"].abs().max() for table in tables)

    assert find_largest(y) == 20
    assert 20 < find_largest(y, max_delta_step=50) <= 50
    # Two classes have none.
    assert find_largest(y == 2) > 20
