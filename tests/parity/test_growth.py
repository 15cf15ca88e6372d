"""Trees grown level by level are about as good as those of XGBoost and CatBoost."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import KFold

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

N_ROUNDS = 60
OURS = {"max_iter": N_ROUNDS, "early_stopping": False, "n_jobs": 1, "random_state": 0}


def compare(make_ours, make_peer, *, is_classifier):
    """Return the mean held-out loss of our model and of the peer's."""
    load = load_breast_cancer if is_classifier else load_diabetes
    X, y = load(return_X_y=True)
    losses = []
    for train, test in KFold(5, shuffle=True, random_state=0).split(X):
        losses.append([])
        for make in (make_ours, make_peer):
            model = make().fit(X[train], y[train])
            if is_classifier:
                losses[-1].append(log_loss(y[test], model.predict_proba(X[test])))
            else:
                losses[-1].append(mean_squared_error(y[test], model.predict(X[test])))
    return np.mean(losses, axis=0)


def make_ours(is_classifier, **settings):
    estimator = (
        HistGradientBoostingClassifier
        if is_classifier
        else HistGradientBoostingRegressor
    )
    return estimator(**OURS, **settings)


@pytest.mark.parametrize("is_classifier", [False, True])
def test_xgboost(is_classifier):
    xgboost = pytest.importorskip("xgboost")
    estimator = xgboost.XGBClassifier if is_classifier else xgboost.XGBRegressor
    ours, peer = compare(
        lambda: make_ours(
            is_classifier,
            grow_policy="depthwise",
            max_depth=4,
            max_leaf_nodes=None,
            min_samples_leaf=1,
            min_child_weight=1.0,
            l2_regularization=1.0,
        ),
        lambda: estimator(
            grow_policy="depthwise",
            tree_method="hist",
            max_depth=4,
            learning_rate=0.1,
            n_estimators=N_ROUNDS,
            n_jobs=1,
        ),
        is_classifier=is_classifier,
    )
    assert ours < 1.05 * peer


@pytest.mark.parametrize("is_classifier", [False, True])
def test_catboost(is_classifier):
    catboost = pytest.importorskip("catboost")
    estimator = (
        catboost.CatBoostClassifier if is_classifier else catboost.CatBoostRegressor
    )
    ours, peer = compare(
        lambda: make_ours(
            is_classifier,
            grow_policy="symmetric",
            max_depth=4,
            min_samples_leaf=1,
            l2_regularization=3.0,
        ),
        lambda: estimator(
            depth=4,
            learning_rate=0.1,
            iterations=N_ROUNDS,
            l2_leaf_reg=3.0,
            bootstrap_type="No",
            random_strength=0,
            boosting_type="Plain",
            score_function="L2",
            leaf_estimation_method="Newton",
            leaf_estimation_iterations=1,
            random_seed=0,
            thread_count=1,
            verbose=False,
            allow_writing_files=False,
        ),
        is_classifier=is_classifier,
    )
    assert ours < 1.05 * peer
