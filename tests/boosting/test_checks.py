"""Models that were damaged are found before a kernel sees them."""

import numpy as np
import pandas as pd
import pytest

from sklearnx._boosting.checks import check_trees
from sklearnx.ensemble import HistGradientBoostingRegressor


def fit(**settings):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"x": rng.normal(size=300), "level": rng.choice(list("abcd"), 300)}
    )
    y = X["x"] + (X["level"] == "b")
    if settings.pop("has_two_outputs", False):
        y = np.column_stack([y, -y])
    model = HistGradientBoostingRegressor(max_iter=3, **settings).fit(X, y)._model
    return model.truncated(model.n_iter)


N_LEVELS = np.array([0, 4])


@pytest.mark.parametrize(
    "settings",
    [{}, {"linear_leaves": True}, {"has_two_outputs": True}, {"max_leaf_nodes": 2}],
    ids=str,
)
def test_models_of_fit(settings):
    check_trees(fit(**settings), N_LEVELS)


def find_split(model, is_categorical):
    is_wanted = (model.nodes["bitset"] >= 0) == is_categorical
    return np.flatnonzero((model.nodes["feature"] >= 0) & is_wanted)[0]


def set_node(name, value, is_categorical=False):
    def damage(model):
        model.nodes[name][find_split(model, is_categorical)] = value

    return damage


def set_leaf(name, value):
    def damage(model):
        model.nodes[name][np.flatnonzero(model.nodes["feature"] < 0)[0]] = value

    return damage


def set_array(name, change):
    def damage(model):
        setattr(model, name, change(getattr(model, name)))

    return damage


DAMAGES = {
    "child of another tree": set_node("left", 10_000),
    "last node as left child": lambda model: set_node(
        "left", int(model.offsets[1]) - 1
    )(model),
    "child before its parent": set_node("left", 0),
    "negative child": set_node("left", -5),
    "feature": set_node("feature", 2),
    "numbers as levels": set_node("bitset", 0),
    "levels as numbers": set_node("bitset", -1, is_categorical=True),
    "levels of another column": set_node("feature", 0, is_categorical=True),
    "bit set": set_node("bitset", 10_000, is_categorical=True),
    "linear model": set_leaf("left", 1),
    "negative linear model": set_leaf("left", -1),
    "levels of a leaf": set_leaf("bitset", 0),
    "no bit sets": set_array("bitsets", lambda bitsets: bitsets[:0]),
    "fewer nodes": set_array("nodes", lambda nodes: nodes[:-1]),
    "fewer statistics": set_array("stats", lambda stats: stats[:-1]),
    "no offsets": set_array("offsets", lambda offsets: offsets[:0]),
    "other start": set_array("offsets", lambda offsets: offsets + 1),
    "an empty tree": set_array("offsets", lambda offsets: np.insert(offsets, 1, 0)),
    "trees backwards": set_array("offsets", lambda offsets: offsets[[0, 2, 1, 3]]),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damages(name):
    model = fit()
    DAMAGES[name](model)
    with pytest.raises(ValueError, match="The model is damaged"):
        check_trees(model, N_LEVELS)


def test_trees_that_are_missing():
    model = fit()
    model.init_score = np.zeros(2)
    with pytest.raises(ValueError, match="lacks trees"):
        check_trees(model, N_LEVELS)


def test_more_levels_than_bits():
    with pytest.raises(ValueError, match="levels that are not there"):
        check_trees(fit(), np.array([0, 10_000]))


def test_vectors_of_another_shape():
    model = fit(has_two_outputs=True)
    model.vectors = model.vectors[:, :1]
    with pytest.raises(ValueError, match="vectors of its leaves"):
        check_trees(model, N_LEVELS)


@pytest.mark.parametrize(
    ("array", "name", "value"),
    [
        ("linear_leaves", "start", -1),
        ("linear_leaves", "start", 10**6),
        ("linear_leaves", "n_terms", -1),
        ("linear_leaves", "n_terms", 10**6),
        ("linear_terms", "feature", -1),
        ("linear_terms", "feature", 2),
    ],
)
def test_linear_models(array, name, value):
    model = fit(linear_leaves=True)
    assert len(model.linear_terms) > 0
    getattr(model, array)[name][0] = value
    with pytest.raises(ValueError, match="linear model"):
        check_trees(model, N_LEVELS)
