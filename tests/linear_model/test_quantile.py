"""QuantileRegressor."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import QuantileRegressor as SklearnQuantileRegressor
from sklearn.metrics import mean_pinball_loss
from threadpoolctl import threadpool_limits

from sklearnx.linear_model import QuantileRegressor


def make_data(n_rows=200, n_columns=5):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_columns))
    y = X[:, 0] - 2 * X[:, 1] + rng.exponential(size=n_rows) + 5
    return X, y


def compute_objective(model, X, y, weights=None):
    loss = mean_pinball_loss(
        y,
        X @ model.coef_ + model.intercept_,
        sample_weight=weights,
        alpha=model.quantile,
    )
    return loss + model.alpha * np.abs(model.coef_).sum()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("alpha", [0.0, 0.02, 1.0])
def test_equals_sklearn(alpha, quantile, fit_intercept):
    X, y = make_data()
    settings = {"alpha": alpha, "quantile": quantile, "fit_intercept": fit_intercept}
    weights = np.random.default_rng(1).integers(0, 3, size=len(y))
    ours = QuantileRegressor(**settings).fit(X, y, sample_weight=weights)
    theirs = SklearnQuantileRegressor(**settings).fit(X, y, sample_weight=weights)
    best = compute_objective(theirs, X, y, weights)
    assert compute_objective(ours, X, y, weights) <= best * (1 + 1e-12)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-2)


def test_is_sklearns():
    X, y = make_data()
    assert isinstance(QuantileRegressor().fit(X, y), SklearnQuantileRegressor)
    assert QuantileRegressor().get_params() == SklearnQuantileRegressor().get_params()


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_weights_repeat_rows(alpha):
    X, y = make_data()
    weights = np.random.default_rng(1).integers(0, 4, size=len(y))
    weighted = QuantileRegressor(alpha=alpha).fit(X, y, sample_weight=weights)
    repeated = QuantileRegressor(alpha=alpha).fit(
        X.repeat(weights, axis=0), y.repeat(weights)
    )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)


@pytest.mark.parametrize(
    "solver", ["highs", "highs-ds", "highs-ipm", "revised simplex"]
)
def test_solvers_reach_the_same(solver):
    X, y = make_data()
    model = QuantileRegressor(alpha=0.01, solver=solver).fit(X, y)
    expected = QuantileRegressor(alpha=0.01).fit(X, y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)


def test_refuses_solvers():
    X, y = make_data()
    with pytest.raises(ValueError, match="not anymore available in SciPy"):
        QuantileRegressor(solver="interior-point").fit(X, y)
    with pytest.raises(ValueError, match="does not support sparse X"):
        QuantileRegressor(solver="revised simplex").fit(sparse.csr_array(X), y)


def test_refuses_weights_of_zero():
    X, y = make_data()
    with pytest.raises(ValueError, match="at least one non-zero"):
        QuantileRegressor().fit(X, y, sample_weight=np.zeros(len(y)))


def test_warns_of_too_few_steps():
    X, y = make_data()
    model = QuantileRegressor(alpha=0, solver_options={"maxiter": 1})
    with pytest.warns(ConvergenceWarning, match="maxiter"):
        model.fit(X, y)


def test_float32_and_sparse():
    X, y = make_data()
    dense = QuantileRegressor(alpha=0.01).fit(X, y)
    of_sparse = QuantileRegressor(alpha=0.01).fit(sparse.coo_array(X), y)
    np.testing.assert_allclose(of_sparse.coef_, dense.coef_, rtol=1e-9)
    single = QuantileRegressor(alpha=0.01).fit(X.astype(np.float32), y)
    np.testing.assert_allclose(single.coef_, dense.coef_, rtol=1e-4)


def test_share_of_rows_below():
    X, y = make_data(n_rows=20000)
    model = QuantileRegressor(quantile=0.9, alpha=0).fit(X, y)
    assert abs(np.mean(y <= model.predict(X)) - 0.9) < 6 / 20000


def test_bits_do_not_depend_on_threads():
    X, y = make_data(n_rows=30000)
    models = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            models.append(QuantileRegressor(alpha=0.001).fit(X, y))
    for model in models[1:]:
        np.testing.assert_array_equal(model.coef_, models[0].coef_)
        assert model.intercept_ == models[0].intercept_
