"""A tree as a table says all that prediction does with it."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingRegressor as ScikitLearnRegressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from sklearnx.ensemble import HistGradientBoostingRegressor
from sklearnx.inspection import plot_tree, tree_table
from tests.ensemble._data import fit_alone
from tests.inspection._models import CITIES, fit_classifier, fit_regressor, make_frame

pd = pytest.importorskip("pandas")


def find_leaf(table, row, seen_levels):
    """Send a row through the tree by what the table says, and nothing else."""
    node = 0
    while pd.notna(table.at[node, "feature"]):
        value = row[table.at[node, "feature"]]
        levels = table.at[node, "left_levels"]
        is_unseen = levels is not None and value not in seen_levels
        if pd.isna(value) or is_unseen:
            goes_left = table.at[node, "missing_left"]
        elif levels is not None:
            goes_left = value in levels
        else:
            goes_left = value <= table.at[node, "threshold"]
        node = table.at[node, "left" if goes_left else "right"]
    return node


def test_table_is_the_tree_that_predicts():
    X, y = make_frame()
    model = fit_regressor(X, y)
    X_new, _ = make_frame(100, random_state=1)
    X_new.loc[:9, "city"] = "Atlantis"
    leaves = model.apply(X_new)
    seen_levels = {*CITIES, True, False}
    n_categorical = n_numeric = 0
    for iteration in range(model.n_iter_):
        table = tree_table(model, iteration)
        n_categorical += table["left_levels"].notna().sum()
        n_numeric += table["threshold"].notna().sum()
        found = [find_leaf(table, row, seen_levels) for _, row in X_new.iterrows()]
        assert_array_equal(found, leaves[:, iteration])
    assert n_categorical > 5 and n_numeric > 5


@pytest.mark.parametrize(
    "fit, loss",
    [
        (fit_regressor, "squared_error"),
        (fit_regressor, "absolute_error"),
        (fit_regressor, "poisson"),
        (fit_classifier, "log_loss"),
    ],
)
def test_leaf_values_sum_to_the_raw_score(fit, loss):
    X, y = make_frame()
    if loss == "poisson":
        y = np.exp(y)
    model = fit(X, y, loss=loss)
    n_outputs = model.n_trees_per_iteration_
    leaves = model.apply(X).reshape(len(X), model.n_iter_, n_outputs)
    raw = model.decision_function(X) if fit is fit_classifier else model.predict(X)
    raw = np.log(raw) if loss == "poisson" else raw
    for output, scores in enumerate(raw.reshape(len(X), n_outputs).T):
        # The score before the first tree, which is the same for all rows.
        total = np.full(len(X), model._model.init_score[output])
        for iteration in range(model.n_iter_):
            table = tree_table(model, iteration, output)
            total += table["value"].to_numpy()[leaves[:, iteration, output]]
        if loss == "poisson":
            assert_allclose(scores, total, rtol=1e-12)
        else:
            assert_array_equal(scores, total)


def test_linear_leaves_sum_to_the_raw_score():
    X, y = make_frame()
    model = fit_regressor(X, y, linear_leaves=True)
    constant = fit_regressor(X, y)
    assert "coefficients" not in tree_table(constant)
    total = np.full(len(X), model._model.init_score[0])
    leaves = model.apply(X)
    n_linear = n_filled = 0
    for iteration in range(model.n_iter_):
        table = tree_table(model, iteration)
        assert_array_equal(table["intercept"].notna(), table["coefficients"].notna())
        for i, node in enumerate(leaves[:, iteration]):
            leaf = table.loc[node]
            value = leaf["value"]
            if leaf["coefficients"] is not None:
                assert set(leaf["coefficients"]) <= {"size", "year"}
                n_linear += 1
                linear = leaf["intercept"] + sum(
                    coefficient * X.at[i, name]
                    for name, coefficient in leaf["coefficients"].items()
                )
                value = value if np.isnan(linear) else linear
                n_filled += np.isnan(linear)
            total[i] += value
    assert 0 < n_filled < n_linear
    assert_allclose(model.predict(X), total, atol=1e-10)


def test_statistics_of_nodes():
    X, y = make_frame()
    model = fit_regressor(X, y, max_iter=1)
    table = tree_table(model)
    splits = table[table["feature"].notna()]
    leaves = table[table["feature"].isna()]
    assert table.loc[0, "n_samples"] == len(X)
    assert table.loc[0, "depth"] == 0
    for column in ("n_samples", "sum_hessians"):
        children = sum(
            table.loc[splits[side], column].to_numpy() for side in ("left", "right")
        )
        assert_allclose(children, splits[column])
    for side in ("left", "right"):
        assert_array_equal(table.loc[splits[side], "depth"], splits["depth"] + 1)
    counts = np.bincount(model.apply(X)[:, 0], minlength=len(table))
    assert_array_equal(leaves["n_samples"], counts[leaves.index])
    # A leaf of the squared error adds the mean of what is left, times the rate.
    for node in leaves.index:
        residual = (y - y.mean())[model.apply(X)[:, 0] == node]
        assert_allclose(leaves.loc[node, "value"], 0.1 * residual.mean(), rtol=1e-6)


def test_gain_is_the_decrease_of_the_sum_of_squares():
    X, y = make_frame()
    table = tree_table(fit_regressor(X[["size"]], y, max_iter=1))
    left, right = table.loc[table.at[0, "left"]], table.loc[table.at[0, "right"]]
    gain = sum(
        child["n_samples"] * (child["value"] / 0.1) ** 2 for child in (left, right)
    )
    assert_allclose(table.at[0, "gain"], gain, rtol=1e-3)


def test_weights_are_in_the_hessians_but_not_in_the_counts():
    X, y = make_frame()
    weight = np.arange(len(y)) % 3
    model = HistGradientBoostingRegressor(max_iter=1).fit(X, y, sample_weight=weight)
    root = tree_table(model).loc[0]
    assert root["n_samples"] == np.sum(weight > 0)
    assert_allclose(root["sum_hessians"], np.sum(weight))


def test_gains_are_those_of_the_importances():
    X, y = make_frame()
    model = fit_classifier(X, y)
    table = pd.concat(
        tree_table(model, iteration, output)
        for iteration in range(model.n_iter_)
        for output in range(model.n_trees_per_iteration_)
    )
    gains = table.groupby("feature")["gain"].sum().reindex(X.columns, fill_value=0)
    counts = table["feature"].value_counts().reindex(X.columns, fill_value=0)
    assert_allclose(model.feature_importances_, gains / gains.sum())
    assert_array_equal(model.feature_split_counts_, counts)


def test_missing_cells_of_the_table():
    X, y = make_frame()
    table = tree_table(fit_regressor(X, y))
    is_leaf = table["feature"].isna()
    assert 0 < is_leaf.sum() == (~is_leaf).sum() + 1
    for column in ("missing_left", "left", "right", "gain"):
        assert_array_equal(table[column].isna(), is_leaf)
    is_categorical = table["feature"].isin(["city", "is_new"])
    assert_array_equal(table["left_levels"].notna(), is_categorical)
    assert_array_equal(table["threshold"].notna(), ~is_leaf & ~is_categorical)
    assert table["value"].notna().all()


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_splits_have_no_value_where_only_leaves_are_refitted(loss):
    X, y = make_frame()
    quantile = 0.4 if loss == "quantile" else None
    table = tree_table(fit_regressor(X, y, loss=loss, quantile=quantile))
    assert_array_equal(table["value"].isna(), table["feature"].notna())


def test_split_of_missing_values_from_all_others():
    X = np.r_[np.full((40, 1), np.nan), np.arange(60.0)[:, np.newaxis]]
    table = tree_table(fit_regressor(X, np.isnan(X[:, 0]).astype(float), max_iter=1))
    assert table.at[0, "feature"] == "x0"
    assert table.at[0, "threshold"] == np.inf
    assert not table.at[0, "missing_left"]
    assert table.at[table.at[0, "right"], "n_samples"] == 40


def test_levels_are_the_users_own():
    """Not only strings, and more than one word of bits."""
    rng = np.random.default_rng(0)
    level = rng.integers(0, 100, 4000)
    X = pd.DataFrame({"shop": pd.Categorical(level * 10)})
    is_high = rng.random(100) < 0.5
    model = fit_regressor(X, is_high[level].astype(float), max_iter=1, max_leaf_nodes=2)
    table = tree_table(model)
    levels = table.at[0, "left_levels"]
    high, low = (set((10 * np.flatnonzero(k)).tolist()) for k in (is_high, ~is_high))
    assert set(levels) in (high, low) and len(set(levels)) == len(levels)
    counts = np.bincount(level)[np.array(levels) // 10]
    assert np.all(np.diff(counts) <= 0)


def test_tree_of_one_node():
    table = tree_table(fit_regressor([[1.0], [2.0]], [0.0, 1.0]))
    assert len(table) == 1
    assert table.at[0, "value"] == 0
    assert table.at[0, "n_samples"] == 2


def test_number_of_the_tree():
    X, y = make_frame()
    model = fit_classifier(X, y)
    assert not tree_table(model, 0, 1).equals(tree_table(model, 0, 2))
    assert not tree_table(model, 1, 1).equals(tree_table(model, 0, 1))


@pytest.mark.parametrize("inspect", [tree_table, plot_tree])
@pytest.mark.parametrize(
    "position, message",
    [
        ({"iteration": 4}, "iteration must be an int from 0 to 3, got 4"),
        ({"iteration": -1}, "iteration must be an int from 0 to 3, got -1"),
        ({"iteration": 1.0}, "iteration must be an int from 0 to 3, got 1.0"),
        ({"output": 1}, "output must be an int from 0 to 0, got 1"),
    ],
)
def test_wrong_position(inspect, position, message):
    if inspect is plot_tree:
        pytest.importorskip("matplotlib")
    model = fit_regressor(*make_frame())
    with pytest.raises(ValueError, match=message):
        inspect(model, **position)


@pytest.mark.parametrize("inspect", [tree_table, plot_tree])
def test_wrong_estimator(inspect):
    if inspect is plot_tree:
        pytest.importorskip("matplotlib")
    X, y = make_frame()
    with pytest.raises(NotFittedError, match="HistGradientBoostingRegressor"):
        inspect(HistGradientBoostingRegressor())
    for other in (
        DecisionTreeRegressor().fit(X[["size"]], y),
        fit_alone(ScikitLearnRegressor(max_iter=1), X[["size"]], y),
        make_pipeline(HistGradientBoostingRegressor(max_iter=1)).fit(X, y),
        "model",
    ):
        with pytest.raises(TypeError, match=f"got .*{type(other).__name__}"):
            inspect(other)


def test_without_pandas(monkeypatch):
    model = fit_regressor(*make_frame())
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install .*sklearnx\[examples\]"):
        tree_table(model)
