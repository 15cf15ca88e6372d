"""The estimators with nothing to tune are the others with other defaults."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone

from sklearnx._boosting.automatic import choose_max_leaf_nodes
from sklearnx.ensemble import (
    BoostingClassifier,
    BoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.ensemble._preset import PRESET, PRESET_OF_CLASSIFIER
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)

over_pairs = pytest.mark.parametrize(
    "preset, parent, make_data",
    [
        (BoostingClassifier, HistGradientBoostingClassifier, make_classification_data),
        (BoostingRegressor, HistGradientBoostingRegressor, make_regression_data),
    ],
)


def get_preset(estimator_class):
    return PRESET_OF_CLASSIFIER if estimator_class is BoostingClassifier else PRESET


@over_pairs
def test_only_defaults_differ(preset, parent, make_data):
    ours, theirs = (inspect.signature(each).parameters for each in (preset, parent))
    assert list(ours) == list(theirs)
    differing = {
        name: ours[name].default
        for name in ours
        if ours[name].default != theirs[name].default
    }
    assert differing == get_preset(preset)
    assert [p.kind for p in ours.values()] == [p.kind for p in theirs.values()]


@over_pairs
def test_messages_name_the_class(preset, parent, make_data):
    with pytest.raises(
        TypeError, match=rf"^{preset.__name__}\.__init__\(\).*'encoding'"
    ):
        preset(encoding="auto")


@over_pairs
def test_same_model_as_the_parent_with_these_settings(preset, parent, make_data):
    X, y = make_data()
    model = preset(random_state=0, max_iter=60).fit(X, y)
    settings = {**get_preset(preset), "max_iter": 60, "early_stopping": True}
    expected = parent(**settings, random_state=0).fit(X, y)
    assert_same_bits(model.predict(X), expected.predict(X))
    assert clone(model).get_params() == model.get_params()
    assert model.learning_rate_ == 0.05
    assert model.n_iter_ == model.best_iteration_


@over_pairs
def test_few_rows(preset, parent, make_data):
    X, y = make_data(500)
    model = preset(random_state=0, max_iter=200).fit(X, y)
    assert not model.do_early_stopping_ and model.n_iter_ == 200
    assert model.learning_rate_ == (0.025 if hasattr(model, "classes_") else 0.05)
    assert "more than 500\n" in preset.__doc__


# -- learning_rate='auto' --------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, rate",
    [
        ({"early_stopping": True}, 0.05),
        ({"early_stopping": False}, 0.1),
        ({"early_stopping": False, "max_iter": 10}, 0.3),
        ({"early_stopping": False, "max_iter": 500}, 0.02),
        ({}, 0.1),  # 600 rows: none are set aside
    ],
)
def test_automatic_rate(settings, rate):
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(
        learning_rate="auto", random_state=0, **settings
    ).fit(X, y)
    assert model.learning_rate_ == rate
    expected = HistGradientBoostingRegressor(
        learning_rate=rate, random_state=0, **settings
    ).fit(X, y)
    assert expected.learning_rate_ == rate
    assert_same_bits(model.predict(X), expected.predict(X))


def test_automatic_rate_of_a_classifier():
    X, y = make_classification_data()
    model = HistGradientBoostingClassifier(learning_rate="auto", early_stopping=False)
    assert clone(model).fit(X, y).learning_rate_ == 0.05
    assert clone(model).set_params(max_iter=10).fit(X, y).learning_rate_ == 0.3


def test_a_warm_start_goes_on_with_the_rate():
    X, y = make_regression_data()
    settings = {"early_stopping": False, "random_state": 0}
    model = HistGradientBoostingRegressor(
        learning_rate="auto", max_iter=20, warm_start=True, **settings
    ).fit(X, y)
    model.set_params(max_iter=40).fit(X, y)
    assert model.learning_rate_ == 0.3
    expected = HistGradientBoostingRegressor(
        learning_rate=0.3, max_iter=40, **settings
    ).fit(X, y)
    assert_same_bits(model.predict(X), expected.predict(X))


def test_a_snapshot_with_another_rate_is_refused(tmp_path):
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(
        learning_rate="auto", early_stopping=False, snapshot=tmp_path / "fit"
    )
    clone(model).set_params(max_iter=50, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"learning rate: 0.2 in .*, 0.1 here"):
        clone(model).set_params(max_iter=100, random_state=0).fit(X, y)


@pytest.mark.parametrize("rate", ["automatic", 0, -1.0, None, np.nan])
def test_what_is_no_rate(rate):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match="The 'learning_rate' parameter"):
        HistGradientBoostingRegressor(learning_rate=rate).fit(X, y)


# -- max_leaf_nodes='auto' -------------------------------------------------------------


@pytest.mark.parametrize(
    "n_rows, n_leaves",
    [
        (1, 4),
        (100, 4),
        (400, 5),
        (1_000, 8),
        (16_000, 32),
        (262_144, 128),
        (10**9, 128),
        (np.inf, 128),
    ],
)
def test_choice_of_leaves(n_rows, n_leaves):
    assert choose_max_leaf_nodes(n_rows) == n_leaves


def make_regressor_of_automatic_leaves(**settings):
    return HistGradientBoostingRegressor(
        max_leaf_nodes="auto", min_samples_leaf=5, random_state=0, **settings
    )


def test_automatic_leaves():
    X, y = make_regression_data(1000)
    model = make_regressor_of_automatic_leaves().fit(X, y)
    assert model.max_leaf_nodes_ == 8
    expected = clone(model).set_params(max_leaf_nodes=8).fit(X, y)
    assert expected.max_leaf_nodes_ == 8
    assert_same_bits(model.predict(X), expected.predict(X))
    assert (
        clone(model).set_params(max_leaf_nodes=None).fit(X, y).max_leaf_nodes_ is None
    )


def test_which_rows_count():
    X, y = make_regression_data(2000)
    weights = np.repeat([1.0, 0.0], 1000)
    model = make_regressor_of_automatic_leaves()
    assert clone(model).fit(X, y, weights).max_leaf_nodes_ == 8
    assert clone(model).fit(X, y, 4 * weights).max_leaf_nodes_ == 16
    assert clone(model).fit(X, y, 4.5 * weights).max_leaf_nodes_ == 8
    assert clone(model).fit(X, y, 1e300 * weights).max_leaf_nodes_ == 128
    model.set_params(early_stopping=True, validation_fraction=0.5)
    assert model.fit(X, y).max_leaf_nodes_ == 8


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_weights_whose_sum_overflows():
    X, y = make_regression_data(2000)
    with pytest.raises(FloatingPointError, match="not finite any more"):
        make_regressor_of_automatic_leaves().fit(X, y, np.full(2000, 1e307))


def test_a_warm_start_goes_on_with_the_leaves():
    X, y = make_regression_data(1000)
    model = make_regressor_of_automatic_leaves(max_iter=5, warm_start=True).fit(X, y)
    more, more_y = make_regression_data(4000)
    model.set_params(max_iter=10).fit(more, more_y)
    assert model.max_leaf_nodes_ == 8
    assert max(tree.get_n_leaf_nodes() for (tree,) in model._predictors) == 8


def test_leaves_of_symmetric_trees():
    X, y = make_regression_data(1000)
    model = make_regressor_of_automatic_leaves(grow_policy="symmetric").fit(X, y)
    assert max(tree.get_max_depth() for (tree,) in model._predictors) == 3


@pytest.mark.parametrize("n_leaves", ["all", 1, 2.5, np.nan])
def test_what_is_no_number_of_leaves(n_leaves):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match="The 'max_leaf_nodes' parameter"):
        HistGradientBoostingRegressor(max_leaf_nodes=n_leaves).fit(X, y)
