"""HuberRegressor."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import HuberRegressor as SklearnHuberRegressor
from threadpoolctl import threadpool_limits

from sklearnx.linear_model import HuberRegressor


def make_data(n_rows=200, n_columns=4, dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_columns))
    y = X @ np.arange(1.0, n_columns + 1) + rng.standard_t(2, size=n_rows) + 5
    y[::10] += 100
    return X.astype(dtype), y.astype(dtype)


def compute_objective(model, X, y, weights=None):
    weights = np.ones(len(y)) if weights is None else weights
    z = np.abs(y - X @ model.coef_ - model.intercept_) / model.scale_
    loss = np.where(z <= model.epsilon, z**2, 2 * model.epsilon * z - model.epsilon**2)
    total = np.sum(weights * (1 + loss) * model.scale_)
    return total + model.alpha * model.coef_ @ model.coef_


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 1e-4, 10.0])
def test_as_good_as_sklearn(alpha, fit_intercept):
    X, y = make_data()
    settings = {"alpha": alpha, "fit_intercept": fit_intercept}
    ours = HuberRegressor(**settings).fit(X, y)
    theirs = SklearnHuberRegressor(**settings, tol=1e-9, max_iter=10000).fit(X, y)
    best = compute_objective(theirs, X, y)
    assert compute_objective(ours, X, y) <= best * (1 + 1e-10)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(ours.outliers_, theirs.outliers_)
    assert ours.intercept_ != 0.0 or not fit_intercept


def test_is_sklearns():
    X, y = make_data()
    assert isinstance(HuberRegressor().fit(X, y), SklearnHuberRegressor)
    assert HuberRegressor().get_params() == SklearnHuberRegressor().get_params()


def test_weights_repeat_rows():
    X, y = make_data()
    weights = np.random.default_rng(1).integers(0, 4, size=len(y))
    weighted = HuberRegressor().fit(X, y, sample_weight=weights)
    repeated = HuberRegressor().fit(X.repeat(weights, axis=0), y.repeat(weights))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)
    np.testing.assert_allclose(weighted.scale_, repeated.scale_, rtol=1e-9)
    assert weighted.outliers_.shape == y.shape


def test_float32_and_sparse():
    X, y = make_data()
    dense = HuberRegressor().fit(X, y)
    single = HuberRegressor().fit(X.astype(np.float32), y)
    np.testing.assert_allclose(single.coef_, dense.coef_, rtol=1e-5)
    of_sparse = HuberRegressor().fit(sparse.csc_array(X), y)
    np.testing.assert_allclose(of_sparse.coef_, dense.coef_, rtol=1e-8)


def test_warm_start():
    X, y = make_data()
    model = HuberRegressor(warm_start=True).fit(X, y)
    coef = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ == 0
    np.testing.assert_array_equal(model.coef_, coef)
    model.fit(X[:100], y[:100])
    cold = HuberRegressor().fit(X[:100], y[:100])
    np.testing.assert_allclose(model.coef_, cold.coef_, rtol=1e-6)


def test_warns_of_too_few_steps():
    X, y = make_data()
    with pytest.warns(ConvergenceWarning, match=r"max_iter=1\)"):
        model = HuberRegressor(max_iter=1).fit(X, y)
    assert model.n_iter_ == 1


@pytest.mark.parametrize(
    "weights, message",
    [
        (np.zeros(200), "at least one non-zero"),
        (np.full(200, -1.0), "Negative values"),
    ],
)
def test_refuses_weights(weights, message):
    X, y = make_data()
    with pytest.raises(ValueError, match=message):
        HuberRegressor().fit(X, y, sample_weight=weights)


def test_bits_do_not_depend_on_threads():
    X, y = make_data(n_rows=60000, n_columns=6)
    models = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            models.append(HuberRegressor().fit(X, y))
    for model in models[1:]:
        np.testing.assert_array_equal(model.coef_, models[0].coef_)
        assert model.scale_ == models[0].scale_
