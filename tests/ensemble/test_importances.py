"""Importances of features: shares of the gain, and numbers of splits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)


def test_first_split_by_hand():
    """Two leaves: the gain is the decrease of the sum of squares."""
    X = np.c_[np.repeat([0.0, 1.0], 50), np.zeros(100)]
    y = np.repeat([0.0, 3.0], 50)
    model = HistGradientBoostingRegressor(max_iter=1, max_leaf_nodes=2).fit(X, y)
    assert_array_equal(model.feature_importances_, [1, 0])
    assert_array_equal(model.feature_split_counts_, [1, 0])
    gains, _ = model._model.sum_gains(2)
    assert_allclose(gains[0], np.sum((y - y.mean()) ** 2), rtol=1e-3)


def test_the_features_of_the_target_are_found():
    X, y = make_regression_data(2000)
    model = HistGradientBoostingRegressor(max_iter=50, max_leaf_nodes=8).fit(X, y)
    importances = model.feature_importances_
    assert_allclose(importances.sum(), 1)
    assert importances[3] < 0.05 < importances[:3].min()
    permuted = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    assert_array_equal(np.argsort(importances), np.argsort(permuted.importances_mean))
    counts = model.feature_split_counts_
    assert counts.dtype.kind == "i"
    assert counts.sum() == 50 * 7
    assert counts[3] < counts[:3].min()


def test_all_trees_of_an_iteration_count():
    X, y = make_classification_data(n_classes=3)
    model = HistGradientBoostingClassifier(max_iter=4, max_leaf_nodes=5).fit(X, y)
    assert model.feature_split_counts_.sum() == 4 * 3 * 4
    assert_allclose(model.feature_importances_.sum(), 1)


def test_categories_count():
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data()
    frame = pd.DataFrame({"noise": X[:, 3], "sign": np.where(y > 0, "+", "-")})
    model = HistGradientBoostingRegressor(max_iter=5).fit(frame, y)
    assert model.feature_importances_[1] > 0.8


def test_without_a_split():
    model = HistGradientBoostingRegressor(max_iter=3).fit([[1.0, 2.0]], [1.0])
    assert_array_equal(model.feature_importances_, [0, 0])
    assert_array_equal(model.feature_split_counts_, [0, 0])


def test_importances_are_copies():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=3).fit(X, y)
    expected = model.feature_importances_.copy()
    model.feature_importances_[:] = 0
    model.feature_split_counts_[:] = 0
    assert_same_bits(model.feature_importances_, expected)
    assert model.feature_split_counts_.sum() > 0


@pytest.mark.parametrize("name", ["feature_importances_", "feature_split_counts_"])
def test_not_fitted(name):
    with pytest.raises(NotFittedError):
        getattr(HistGradientBoostingRegressor(), name)
    assert not hasattr(HistGradientBoostingRegressor(), "n_iter_")


def test_scikit_learn_selects_by_them():
    from sklearn.feature_selection import SelectFromModel

    X, y = make_regression_data(2000)
    selector = SelectFromModel(
        HistGradientBoostingRegressor(max_iter=30, max_leaf_nodes=8), threshold=0.05
    )
    assert_array_equal(selector.fit(X, y).get_support(), [True, True, True, False])
