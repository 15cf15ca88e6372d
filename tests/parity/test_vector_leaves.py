"""Trees with vector leaves are those of XGBoost's multi_output_tree, or as good."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold

from sklearnx.ensemble import HistGradientBoostingRegressor

xgboost = pytest.importorskip("xgboost", minversion="2.0")


def make_pair(*, max_leaf_nodes, max_iter, learning_rate, min_child_weight, l2=0.0):
    """Return our model and XGBoost's of the same parameters."""
    ours = HistGradientBoostingRegressor(
        max_iter=max_iter,
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=1,
        min_child_weight=min_child_weight,
        l2_regularization=l2,
        early_stopping=False,
        n_jobs=1,
    )
    theirs = xgboost.XGBRegressor(
        multi_strategy="multi_output_tree",
        tree_method="hist",
        grow_policy="lossguide",
        n_estimators=max_iter,
        learning_rate=learning_rate,
        max_leaves=max_leaf_nodes,
        max_depth=0,
        min_child_weight=min_child_weight,
        reg_lambda=l2,
        base_score=0.0,
        n_jobs=1,
    )
    return ours, theirs


@pytest.mark.parametrize("l2", [0.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_same_tree(seed, l2):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 40, size=(500, 3)).astype(float)
    Y = np.stack([np.sin(X[:, 0] / 5), X[:, 1] / 20, X[:, 0] * X[:, 2] / 400], axis=1)
    Y += rng.normal(size=Y.shape)
    Y -= Y.mean(axis=0)
    ours, theirs = make_pair(
        max_leaf_nodes=6, max_iter=1, learning_rate=1.0, min_child_weight=20.0, l2=l2
    )
    expected = theirs.fit(X, Y).predict(X)
    assert len(np.unique(expected[:, 0])) == 6
    np.testing.assert_allclose(ours.fit(X, Y).predict(X), expected, atol=1e-5)


def test_as_good():
    X, y = load_diabetes(return_X_y=True)
    is_target = np.isin(np.arange(X.shape[1]), [2, 3, 8])  # bmi, bp, s5
    Y = np.column_stack([y, X[:, is_target]])
    Y = (Y - Y.mean(axis=0)) / Y.std(axis=0)
    X = X[:, ~is_target]
    losses = []
    for train, test in KFold(5, shuffle=True, random_state=0).split(X):
        pair = make_pair(
            max_leaf_nodes=8, max_iter=60, learning_rate=0.1, min_child_weight=10.0
        )
        losses.append(
            [
                mean_squared_error(
                    Y[test], model.fit(X[train], Y[train]).predict(X[test])
                )
                for model in pair
            ]
        )
    ours, theirs = np.mean(losses, axis=0)
    assert ours < 1.01 * theirs
