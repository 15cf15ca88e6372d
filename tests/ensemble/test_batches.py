"""Many rows at once are predicted to the bits that they have alone."""

import pickle

import numpy as np
import pytest

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import assert_same_bits, make_regression_data

N_ROWS = 1500
OPTIONS = {
    "plain": {},
    "categories": {"categorical_features": [3]},
    "level by level": {"categorical_features": [3], "categorical_encoding": "onehot"},
    "means of levels": {
        "categorical_features": [3],
        "categorical_encoding": "ordered_target",
    },
    "wide codes": {"max_bins": 1000, "max_iter": 60},
    "large trees": {"max_leaf_nodes": 300, "min_samples_leaf": 2},
    "few rounds": {"max_iter": 1},
    "linear leaves": {"linear_leaves": True},
    "average": {"boosting": "random_forest", "subsample": 0.5},
    "average of linear leaves": {
        "boosting": "random_forest",
        "subsample": 0.5,
        "linear_leaves": True,
    },
    "dart": {"boosting": "dart", "skip_drop": 0.0, "linear_leaves": True},
}
over_options = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def make_data():
    X, y = make_regression_data(N_ROWS)
    X[:, 3] = np.random.default_rng(1).integers(0, 50, size=N_ROWS)
    X[np.random.default_rng(2).random(X.shape) < 0.05] = np.nan
    return X, y


def check(model, X, methods):
    for method in methods:
        predict = getattr(model, method)
        rows = [slice(i, i + 100) for i in range(0, len(X), 100)]
        alone = np.concatenate([predict(X[some]) for some in rows])
        for n_jobs in (1, 2):
            model.set_params(n_jobs=n_jobs)
            assert_same_bits(predict(X), alone)


@over_options
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_regressor(options, dtype):
    X, y = make_data()
    X = X.astype(dtype)
    options = {"max_iter": 20, "random_state": 0, **options}
    model = HistGradientBoostingRegressor(**options).fit(X, y)
    check(model, X, ["predict", "apply"])


@over_options
def test_classifier(options):
    X, y = make_data()
    classes = np.digitize(y, [-0.5, 0.5])
    options = {"max_iter": 10, "random_state": 0, **options}
    model = HistGradientBoostingClassifier(**options).fit(X, classes)
    check(model, X, ["predict", "predict_proba", "apply"])


@pytest.mark.parametrize("options", [{}, OPTIONS["average"], OPTIONS["categories"]])
def test_several_outputs(options):
    X, y = make_data()
    model = HistGradientBoostingRegressor(max_iter=20, random_state=0, **options)
    check(model.fit(X, np.column_stack([y, -y, y**2])), X, ["predict", "apply"])


@pytest.mark.parametrize("n_rows", [1, 40, 600])
@pytest.mark.parametrize("has_vector_leaves", [False, True])
def test_sums_in_float32(n_rows, has_vector_leaves):
    """Models of other libraries may round each sum."""
    X, y = make_regression_data(600)
    y = np.column_stack([y, 10 * y]) if has_vector_leaves else y
    model = HistGradientBoostingRegressor(max_iter=30).fit(X, y)
    trees = model._model
    trees.adds_in_float32 = True
    raw = np.repeat(trees.init_score[np.newaxis], n_rows, axis=0).astype(np.float32)
    for tree, leaves in enumerate(model.apply(X[:n_rows]).T):
        nodes = trees.offsets[tree] + leaves
        if has_vector_leaves:
            raw = (raw + trees.vectors[nodes]).astype(np.float32)
        else:
            raw = (raw + trees.nodes["value"][nodes, np.newaxis]).astype(np.float32)
    trees.init_score = trees.init_score.astype(np.float32).astype(np.float64)
    assert np.array_equal(model._raw_predict(X[:n_rows]), raw)
    received = pickle.loads(pickle.dumps(model))
    assert np.array_equal(received._raw_predict(X[:n_rows]), raw)
