"""The solver of Huber's regression and its kernels."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._cython.linear.huber import map_huber, sum_huber
from sklearnx._glm import huber
from sklearnx._glm.design import make_design
from sklearnx._glm.huber import solve_huber
from sklearnx._glm.huber_interior import InteriorPoint
from sklearnx._glm.quantile import solve_quantile
from sklearnx._glm.row_space import RowSpace


def compute_objective(X, y, weights, coef, intercept, scale, epsilon, alpha):
    """The objective, written out row by row."""
    z = np.abs(y - X @ coef - intercept) / scale
    loss = np.where(z <= epsilon, z**2, 2 * epsilon * z - epsilon**2)
    return np.sum(weights * (scale + loss * scale)) + alpha * coef @ coef


def make_data(n_rows=300, n_columns=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) + np.arange(n_columns)
    y = X @ rng.normal(size=n_columns) + rng.standard_t(1.5, size=n_rows) + 3
    weights = rng.integers(1, 4, size=n_rows).astype(float)
    return X, y, weights


def solve(design, y, weights, **options):
    options = {
        "epsilon": 1.35,
        "alpha": 1e-4,
        "fit_intercept": True,
        "tol": 1e-8,
        "max_iter": 100,
        **options,
    }
    return solve_huber(design, y, weights, **options)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 1000, 40000])
def test_kernels_equal_numpy(n):
    rng = np.random.default_rng(n)
    residuals = rng.normal(size=n)
    weights = rng.uniform(size=n)
    if n > 2:
        residuals[1] = 1.2  # on the threshold: an inlier
    is_inlier = np.abs(residuals) <= 1.2
    squares, inlier_weight, outlier_abs = sum_huber(residuals, weights, 1.2, 2)
    np.testing.assert_allclose(squares, np.sum((weights * residuals**2)[is_inlier]))
    np.testing.assert_allclose(inlier_weight, np.sum(weights[is_inlier]))
    np.testing.assert_allclose(
        outlier_abs, np.sum((weights * np.abs(residuals))[~is_inlier])
    )
    scores, inlier_weights = np.empty(n), np.empty(n)
    map_huber(residuals, weights, 1.2, scores, inlier_weights, 2)
    np.testing.assert_array_equal(scores, weights * np.clip(residuals, -1.2, 1.2))
    np.testing.assert_array_equal(inlier_weights, weights * is_inlier)
    assert sum_huber(residuals, weights, 1.2, 1) == (
        squares,
        inlier_weight,
        outlier_abs,
    )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("epsilon, alpha", [(1.35, 1e-4), (1.01, 0.0), (3.0, 10.0)])
def test_no_direction_leads_down(epsilon, alpha, fit_intercept):
    X, y, weights = make_data()
    settings = {"epsilon": epsilon, "alpha": alpha, "fit_intercept": fit_intercept}
    solution = solve(make_design(X), y, weights, **settings)
    assert solution.is_converged
    assert (solution.intercept != 0) == fit_intercept
    best = compute_objective(
        X,
        y,
        weights,
        solution.coef,
        solution.intercept,
        solution.scale,
        epsilon,
        alpha,
    )
    rng = np.random.default_rng(1)
    for size in (1e-1, 1e-3):
        for _ in range(50):
            moved = compute_objective(
                X,
                y,
                weights,
                solution.coef + size * rng.normal(size=X.shape[1]),
                solution.intercept + fit_intercept * size * rng.normal(),
                solution.scale * np.exp(size * rng.normal()),
                epsilon,
                alpha,
            )
            assert moved > best


def test_gradient_is_what_it_says():
    X, y, weights = make_data()
    solution = solve(make_design(X), y, weights, max_iter=1, tol=0.0)

    def at(change):
        return compute_objective(
            X,
            y,
            weights,
            solution.coef + change[:5],
            solution.intercept + change[5],
            solution.scale + change[6],
            1.35,
            1e-4,
        )

    steps = 1e-6 * np.eye(7)
    gradient = [(at(step) - at(-step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(solution.max_gradient, np.abs(gradient).max(), rtol=1e-4)
    assert not solution.is_converged


def test_conjugate_gradients_reach_the_same(monkeypatch):
    X, y, weights = make_data()
    by_matrix = solve(make_design(X), y, weights)
    monkeypatch.setattr(huber, "MAX_MATRIX_COLUMNS", 0)
    by_products = solve(make_design(X), y, weights)
    assert by_products.is_converged
    np.testing.assert_allclose(by_products.coef, by_matrix.coef, rtol=1e-6)
    np.testing.assert_allclose(by_products.scale, by_matrix.scale, rtol=1e-6)


def test_a_subset_of_rows_saves_steps():
    X, y, weights = make_data(n_rows=30000)
    solution = solve(make_design(X), y, weights, tol=1e-5)
    assert solution.is_converged
    assert solution.n_iter <= 4


def test_wide_data():
    X, y, weights = make_data(n_rows=30, n_columns=60)
    solution = solve(make_design(X), y, weights, alpha=500.0)
    # The same problem, not told to be wide.
    start = (np.zeros(60), 0.0, 1.0)
    by_columns = solve(make_design(X), y, weights, alpha=500.0, start=start)
    np.testing.assert_allclose(solution.coef, by_columns.coef, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(solution.intercept, by_columns.intercept, rtol=1e-6)


@pytest.mark.parametrize("n_rows, n_columns", [(40, 7), (7, 40)])
@pytest.mark.parametrize("is_scaled", [True, False])
def test_row_space(n_rows, n_columns, is_scaled):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_columns)) + 1
    X[:, -1] = X[:, 0]
    centre = X.mean(axis=0)
    scale = rng.uniform(1, 5, size=n_columns) if is_scaled else None
    space = RowSpace(make_design(X), centre, scale)
    rank = min(n_rows - 1, n_columns - 1)
    assert space.design.n_columns == rank
    gamma = rng.normal(size=rank)
    coef, intercept = space.lift(gamma, 2.0)
    np.testing.assert_allclose(
        X @ coef + intercept, space.design.dot(gamma) + 2.0, atol=1e-10
    )
    norm = coef if scale is None else coef * scale
    np.testing.assert_allclose(np.linalg.norm(norm), np.linalg.norm(gamma))


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_array])
def test_sparse_equals_dense(make):
    X, y, weights = make_data()
    X[np.random.default_rng(0).uniform(size=X.shape) < 0.6] = 0
    dense = solve(make_design(X), y, weights)
    of_sparse = solve(make_design(make(X)), y, weights)
    np.testing.assert_allclose(of_sparse.coef, dense.coef, rtol=1e-8)


def test_bits_do_not_depend_on_threads():
    X, y, weights = make_data(n_rows=40000, n_columns=8)
    first, *others = (solve(make_design(X, k), y, weights) for k in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(other.coef, first.coef)
        assert (other.intercept, other.scale) == (first.intercept, first.scale)


@pytest.mark.parametrize("epsilon", [1.1, 1.35, 3.0])
@pytest.mark.parametrize("case", ["ties", "constant", "exact", "collinear", "huge"])
def test_hard_data_end_well(case, epsilon):
    X, y, weights = make_data(n_rows=80)
    if case == "ties":
        y = np.round(y / 3) * 1e6
    elif case == "constant":
        y[:] = 3.0
    elif case == "exact":
        y = X @ np.arange(5.0) + 2
    elif case == "collinear":
        X = np.hstack([X, X[:, :2], np.ones((80, 1))])
    else:
        y[:3] = 1e12
    solution = solve(make_design(X), y, weights, epsilon=epsilon, alpha=0.0)
    assert np.isfinite(solution.coef).all() and np.isfinite(solution.scale)
    assert solution.is_converged
    if case == "exact":
        np.testing.assert_allclose(solution.coef, np.arange(5.0), atol=1e-8)
    if case == "constant":
        np.testing.assert_allclose(X @ solution.coef + solution.intercept, 3.0)
    if case == "huge":
        kept = solve(make_design(X[3:]), y[3:], weights[3:], epsilon=epsilon, alpha=0.0)
        np.testing.assert_allclose(solution.coef, kept.coef, atol=0.5)


def test_least_absolute_deviations():
    """With epsilon=1 the loss is the absolute one, and the scale falls to 0."""
    X, y, weights = make_data(n_rows=80)
    solution = solve(make_design(X), y, weights, epsilon=1.0, alpha=0.0)
    exact = solve_quantile(
        make_design(X), y, weights, quantile=0.5, l1=np.zeros(5), fit_intercept=True
    )
    losses = [
        np.sum(weights * np.abs(y - X @ one.coef - one.intercept))
        for one in (solution, exact)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def make_kinks(n_rows, share, noise, seed):
    """Data that a model nearly interpolates but for some outliers."""
    rng = np.random.default_rng(seed)
    n_columns = int(share * n_rows)
    X = rng.normal(size=(n_rows, n_columns)) * np.exp(rng.normal(size=n_columns))
    y = X @ rng.normal(size=n_columns) + noise * rng.normal(size=n_rows)
    y[::5] += 10 * rng.normal(size=len(y[::5]))
    return X, y, rng.integers(0, 3, size=n_rows).astype(float)


@pytest.mark.parametrize("epsilon", [1.0, 1.01, 1.35])
@pytest.mark.parametrize("alpha", [0.0, 1e-4])
@pytest.mark.parametrize(
    "n_rows, share, noise", [(60, 0.9, 1.0), (200, 0.3, 1e-6), (120, 0.6, 1e-12)]
)
def test_kinks_do_not_hold_it_up(n_rows, share, noise, epsilon, alpha, monkeypatch):
    X, y, weights = make_kinks(n_rows, share, noise, seed=n_rows)
    settings = {"epsilon": epsilon, "alpha": alpha, "tol": 1e-5}
    solution = solve(make_design(X), y, weights, **settings)
    assert solution.is_converged
    monkeypatch.setattr(huber, "MAX_NEWTON_STEPS", 10_000)
    newton = solve(make_design(X), y, weights, max_iter=2000, **settings)
    ours, theirs = (
        compute_objective(
            X, y, weights, s.coef, s.intercept, s.scale, epsilon=epsilon, alpha=alpha
        )
        for s in (solution, newton)
    )
    assert ours <= theirs * (1 + 1e-9)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_interior_point_equals_newton(fit_intercept, alpha):
    X, y, weights = make_data()
    X[np.abs(X) < 0.5] = 0.0
    settings = {"epsilon": 1.35, "alpha": alpha, "fit_intercept": fit_intercept}
    expected = solve(make_design(X), y, weights, **settings)
    for table in (X, sparse.csr_matrix(X)):
        inside = InteriorPoint(
            make_design(table), y, weights, **settings, intercept=0.0, scale=5.0
        )
        assert inside.run(50) < 30
        assert inside.has_closed_gap
        coef, intercept = inside.get_solution()
        np.testing.assert_allclose(coef, expected.coef, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(intercept, expected.intercept, rtol=1e-5)
        np.testing.assert_allclose(inside.scale, expected.scale, rtol=1e-5)


def test_steps_inside_count():
    X, y, weights = make_kinks(200, 0.3, 1e-6, seed=200)
    settings = {"epsilon": 1.01, "tol": 1e-5}
    for max_iter in (10, 26, 30):
        solution = solve(make_design(X), y, weights, max_iter=max_iter, **settings)
        assert solution.n_iter == max_iter
        assert not solution.is_converged


def test_bits_of_steps_inside():
    X, y, weights = make_kinks(200, 0.6, 1.0, seed=0)
    coefs = [
        solve(make_design(X, n_threads), y, weights, epsilon=1.01).coef
        for n_threads in (1, 2, 3)
    ]
    np.testing.assert_array_equal(coefs[0], coefs[1])
    np.testing.assert_array_equal(coefs[0], coefs[2])
