"""The solver of quantile regression: interior points, vertices, subsets of the data."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog

from sklearnx._glm import quantile as module
from sklearnx._glm.design import make_design
from sklearnx._glm.quantile import solve_quantile


def compute_objective(X, y, weights, coef, intercept, q, l1):
    residuals = y - X @ coef - intercept
    loss = np.where(residuals > 0, q * residuals, (q - 1) * residuals)
    return np.sum(weights * loss) + np.sum(l1 * np.abs(coef))


def solve_by_linprog(X, y, weights, q, l1, fit_intercept):
    """The least objective, by SciPy."""
    n_rows = len(y)
    free = np.ones((n_rows, 1)) if fit_intercept else np.zeros((n_rows, 0))
    A = np.hstack([free, -free, X, -X, np.eye(n_rows), -np.eye(n_rows)])
    cost = np.concatenate(
        [np.zeros(2 * free.shape[1]), l1, l1, q * weights, (1 - q) * weights]
    )
    return linprog(cost, A_eq=A, b_eq=y, method="highs").fun


def make_data(kind="normal", n_rows=60, n_columns=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) + 1
    y = X[:, :3].sum(axis=1) + rng.standard_t(2, size=n_rows)
    if kind == "ties":
        X, y = np.round(X), np.round(y)
    elif kind == "collinear":
        X = np.hstack([X, 2 * X[:, :2], np.ones((n_rows, 1))])
    elif kind == "scales":
        X = X * 10.0 ** rng.integers(-5, 6, size=n_columns)
    elif kind == "exact":
        y = X @ np.arange(1.0, n_columns + 1)
    weights = rng.integers(1, 4, size=n_rows).astype(float)
    return X, y, weights


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "q, strength", [(0.5, 0.0), (0.5, 0.05), (0.1, 0.01), (0.9, 1.0)]
)
@pytest.mark.parametrize("kind", ["normal", "ties", "collinear", "scales", "exact"])
def test_equals_linprog(kind, q, strength, fit_intercept):
    X, y, weights = make_data(kind)
    l1 = np.full(X.shape[1], strength * weights.sum())
    solution = solve_quantile(
        make_design(X), y, weights, quantile=q, l1=l1, fit_intercept=fit_intercept
    )
    assert solution.is_converged
    value = compute_objective(X, y, weights, solution.coef, solution.intercept, q, l1)
    best = solve_by_linprog(X, y, weights, q, l1, fit_intercept)
    assert value <= best + 1e-9 * abs(best) + 1e-10 * np.abs(y).sum()


def test_passes_through_rows():
    X, y, weights = make_data()
    solution = solve_quantile(
        make_design(X), y, weights, quantile=0.4, l1=np.full(6, 2.0), fit_intercept=True
    )
    n_met = np.sum(np.abs(y - X @ solution.coef - solution.intercept) < 1e-12)
    assert n_met == np.sum(solution.coef != 0) + 1
    # The duals prove that it is the optimum.
    z = solution.duals
    assert np.all((z >= -0.6 * weights - 1e-9) & (z <= 0.4 * weights + 1e-9))
    np.testing.assert_allclose(z.sum(), 0, atol=1e-9)
    prices = X.T @ z
    np.testing.assert_allclose(
        prices[solution.coef != 0], 2 * np.sign(solution.coef[solution.coef != 0])
    )
    assert np.all(np.abs(prices) <= 2 + 1e-9)


@pytest.mark.parametrize("strength", [0.0, 0.02])
def test_part_of_the_rows_gives_the_same(strength, monkeypatch):
    X, y, weights = make_data(n_rows=6000)
    settings = {
        "quantile": 0.3,
        "l1": np.full(6, strength * weights.sum()),
        "fit_intercept": True,
    }
    whole = solve_quantile(make_design(X), y, weights, **settings)
    monkeypatch.setattr(module, "MIN_ROWS_FOR_SUBSET", 100)
    sizes = []
    solve_once = module._solve_once
    monkeypatch.setattr(
        module,
        "_solve_once",
        lambda program, *rest: (
            sizes.append(len(program.y)),
            solve_once(program, *rest),
        )[1],
    )
    part = solve_quantile(make_design(X), y, weights, **settings)
    assert max(sizes) < 6000
    np.testing.assert_allclose(part.coef, whole.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(part.duals, whole.duals, atol=1e-9)


def test_wrong_signs_come_back(monkeypatch):
    """A part of the rows that misleads about the rest."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2))
    y = X[:, 0] + 0.1 * rng.normal(size=2000)
    y[1::2] += 3  # every second row, which the subset of even positions leaves out
    weights = np.ones(2000)
    settings = {"quantile": 0.5, "l1": np.zeros(2), "fit_intercept": True}
    whole = solve_quantile(make_design(X), y, weights, **settings)
    monkeypatch.setattr(module, "MIN_ROWS_FOR_SUBSET", 100)
    part = solve_quantile(make_design(X), y, weights, **settings)
    np.testing.assert_allclose(part.coef, whole.coef, rtol=1e-9)


@pytest.mark.parametrize("strength", [0.02, 0.1, 10.0])
def test_working_set_of_columns(strength):
    X, y, weights = make_data(n_rows=50, n_columns=200)
    l1 = np.full(200, strength * weights.sum())
    solution = solve_quantile(
        make_design(X), y, weights, quantile=0.5, l1=l1, fit_intercept=True
    )
    best = solve_by_linprog(X, y, weights, 0.5, l1, True)
    value = compute_objective(X, y, weights, solution.coef, solution.intercept, 0.5, l1)
    np.testing.assert_allclose(value, best, rtol=1e-10)
    assert (solution.n_iter == 0) == (not solution.coef.any()) == (strength == 10.0)


def test_free_and_penalized_coefficients():
    X, y, weights = make_data("collinear")
    l1 = np.where(np.arange(X.shape[1]) < 4, 3.0, 0.0)
    solution = solve_quantile(
        make_design(X), y, weights, quantile=0.5, l1=l1, fit_intercept=True
    )
    best = solve_by_linprog(X, y, weights, 0.5, l1, True)
    value = compute_objective(X, y, weights, solution.coef, solution.intercept, 0.5, l1)
    np.testing.assert_allclose(value, best, rtol=1e-10)


@pytest.mark.parametrize("shape", [(60, 6), (20, 40)])
def test_wide_or_tall_without_penalty(shape):
    X, y, weights = make_data(n_rows=shape[0], n_columns=shape[1])
    solution = solve_quantile(
        make_design(X),
        y,
        weights,
        quantile=0.5,
        l1=np.zeros(shape[1]),
        fit_intercept=True,
    )
    residuals = y - X @ solution.coef - solution.intercept
    assert np.sum(np.abs(residuals) < 1e-10) == min(shape[0], shape[1] + 1)


def test_the_lowest_of_several_optima():
    y = np.array([1.0, 2.0, 3.0, 4.0])
    X = np.zeros((4, 1))
    solution = solve_quantile(
        make_design(X),
        y,
        np.ones(4),
        quantile=0.5,
        l1=np.ones(1),
        fit_intercept=True,
    )
    assert solution.intercept == 2.0


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_array])
def test_sparse_equals_dense(make):
    X, y, weights = make_data()
    X[np.random.default_rng(0).uniform(size=X.shape) < 0.6] = 0
    settings = {"quantile": 0.4, "l1": np.full(6, 1.0), "fit_intercept": True}
    dense = solve_quantile(make_design(X), y, weights, **settings)
    of_sparse = solve_quantile(make_design(make(X)), y, weights, **settings)
    np.testing.assert_allclose(of_sparse.coef, dense.coef, rtol=1e-9, atol=1e-12)


def test_bits_do_not_depend_on_threads():
    X, y, weights = make_data(n_rows=40000, n_columns=8)
    settings = {"quantile": 0.4, "l1": np.zeros(8), "fit_intercept": True}
    first, *others = (
        solve_quantile(make_design(X, k), y, weights, **settings) for k in (1, 2, 3)
    )
    for other in others:
        np.testing.assert_array_equal(other.coef, first.coef)
        assert other.intercept == first.intercept
