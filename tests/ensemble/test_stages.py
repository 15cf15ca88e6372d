"""Predictions of the first iterations, one after the other or alone."""

import types

import numpy as np
import pytest

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)

SETTINGS = {"max_leaf_nodes": 8, "random_state": 0}
N_ITER = 12

CASES = {
    "regressor": (HistGradientBoostingRegressor, make_regression_data, {}),
    "quantile": (
        HistGradientBoostingRegressor,
        make_regression_data,
        {"loss": "quantile", "quantile": 0.3},
    ),
    "two classes": (HistGradientBoostingClassifier, make_classification_data, {}),
    "three classes": (
        HistGradientBoostingClassifier,
        lambda: make_classification_data(n_classes=3),
        {},
    ),
}
over_cases = pytest.mark.parametrize("case", CASES)


def fit_case(case, **settings):
    estimator_class, make_data, own_settings = CASES[case]
    X, y = make_data()
    settings = {"max_iter": N_ITER, **SETTINGS, **own_settings, **settings}
    return estimator_class(**settings).fit(X, y), X


def get_methods(model):
    names = ("predict", "predict_proba", "decision_function")
    return [name for name in names if hasattr(model, name)]


@over_cases
def test_stages_are_the_models_of_fewer_iterations(case):
    model, X = fit_case(case)
    for method in get_methods(model):
        stages = getattr(model, f"staged_{method}")(X)
        assert isinstance(stages, types.GeneratorType)
        stages = list(stages)
        assert len(stages) == N_ITER
        for n_iter in (1, 5, N_ITER):
            shorter, _ = fit_case(case, max_iter=n_iter)
            expected = getattr(shorter, method)(X)
            assert_same_bits(stages[n_iter - 1], expected)
            assert_same_bits(getattr(model, method)(X, n_iter=n_iter), expected)
        assert_same_bits(stages[-1], getattr(model, method)(X))


@over_cases
def test_stages_do_not_share_memory(case):
    model, X = fit_case(case)
    for method in get_methods(model):
        kept = []
        for stage in getattr(model, f"staged_{method}")(X):
            kept.append((stage, stage.copy()))
            stage_of_user = stage
        for stage, copy in kept:
            assert_same_bits(stage, copy)
        # Nor with the model: a user may write to what he gets.
        expected = getattr(model, method)(X)
        stage_of_user[...] = stage_of_user.flat[0]
        assert_same_bits(getattr(model, method)(X), expected)


@over_cases
@pytest.mark.parametrize("n_iter", [-1, N_ITER + 1, 1.5, "all"])
def test_wrong_number_of_iterations(case, n_iter):
    model, X = fit_case(case)
    for method in get_methods(model):
        with pytest.raises(ValueError, match=rf"n_iter must be an int in .*{N_ITER}\]"):
            getattr(model, method)(X, n_iter=n_iter)


def test_number_of_iterations_of_any_integer_type():
    model, X = fit_case("regressor")
    expected = model.predict(X, n_iter=3)
    for integer in (np.int64(3), np.uint8(3)):
        assert_same_bits(model.predict(X, n_iter=integer), expected)


@over_cases
def test_sparse_rows_and_frames(case):
    sparse = pytest.importorskip("scipy.sparse")
    model, X = fit_case(case)
    for method in get_methods(model):
        for converted in (sparse.csr_array(X), np.asfortranarray(X)):
            stages = getattr(model, f"staged_{method}")(converted)
            for stage, expected in zip(stages, getattr(model, f"staged_{method}")(X)):
                assert_same_bits(stage, expected)
