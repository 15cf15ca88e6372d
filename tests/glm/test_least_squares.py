"""Direct least squares and ridge, LSQR and the nonnegative solver."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from scipy import sparse

from sklearnx._glm.centred import centre_problem
from sklearnx._glm.design import make_design
from sklearnx._glm.least_squares import (
    solve_least_squares,
    solve_nonnegative_ridge,
    solve_ridge,
)
from sklearnx._glm.lsqr import solve_lsqr
from sklearnx._glm.nonnegative import solve_nonnegative

EPS = np.finfo(np.float64).eps
SHAPES = [(60, 8), (20, 20), (9, 40)]


def make_data(shape, n_outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=shape) + rng.normal(size=shape[1])
    return X, rng.normal(size=(shape[0], n_outputs)), rng.uniform(0.1, 2, shape[0])


def make_problem(X, Y, weights=None, fit_intercept=True, n_threads=1):
    return centre_problem(make_design(X, n_threads), Y, weights, fit_intercept)


def centre_densely(X, Y, weights, fit_intercept):
    """The table and targets that a problem stands for."""
    root = np.sqrt(np.ones(len(X)) if weights is None else weights)[:, None]
    if fit_intercept:
        X = X - np.average(X, axis=0, weights=weights)
        Y = Y - np.average(Y, axis=0, weights=weights)
    return root * X, root * Y


def make_conditioned(n_rows, n_columns, condition, seed=0):
    rng = np.random.default_rng(seed)
    n = min(n_rows, n_columns)
    left, _ = np.linalg.qr(rng.normal(size=(n_rows, n)))
    right, _ = np.linalg.qr(rng.normal(size=(n_columns, n)))
    return left * np.logspace(0, -np.log10(condition), n) @ right.T


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_centred_design_is_the_dense_table(container, fit_intercept, weighted):
    X, Y, weights = make_data((7, 5))
    weights = weights if weighted else None
    A, B = centre_densely(X, Y, weights, fit_intercept)
    problem = make_problem(container(X), Y, weights, fit_intercept)
    np.testing.assert_allclose(problem.B, B, atol=1e-14)
    np.testing.assert_allclose(problem.AtB, A.T @ B, atol=1e-13)
    np.testing.assert_allclose(problem.A.dot(np.eye(5)), A, atol=1e-13)
    np.testing.assert_allclose(problem.A.t_dot(np.eye(7)), A.T, atol=1e-13)
    np.testing.assert_allclose(problem.A.gram(), A.T @ A, atol=1e-13)
    np.testing.assert_allclose(problem.A.kernel(), A @ A.T, atol=1e-13)
    blocks = [problem.A.row_block(rows) for rows in problem.A.row_slices()]
    np.testing.assert_allclose(np.concatenate(blocks), A, atol=1e-14)
    blocks = [block for _, block in problem.A.dot_by_blocks(np.eye(5))]
    np.testing.assert_allclose(np.concatenate(blocks), A, atol=1e-13)
    blocks = list(problem.A.column_blocks())
    np.testing.assert_allclose(np.concatenate(blocks).T, A, atol=1e-14)


def test_blocks_leave_the_table_alone(monkeypatch):
    monkeypatch.setattr("sklearnx._glm.centred.BLOCK_SIZE", 1)
    for order in "CF":
        X, Y, weights = make_data((30, 4))
        X = np.array(X, order=order)
        before = X.copy()
        problem = make_problem(X, Y, weights)
        slices = list(problem.A.row_slices())
        assert len(slices) > 1
        assert all(problem.A.row_block(rows).size > 0 for rows in slices)
        wide = make_problem(X.T, np.zeros((4, 1)), np.arange(4.0))
        assert len(list(wide.A.column_blocks())) > 1
        np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csc_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_least_squares_is_lstsq(shape, container, fit_intercept, weighted):
    X, Y, weights = make_data(shape)
    weights = weights if weighted else None
    A, B = centre_densely(X, Y, weights, fit_intercept)
    expected, _, rank, singular_values = scipy.linalg.lstsq(A, B, cond=1e-12)
    problem = make_problem(container(X), Y, weights, fit_intercept)
    solution = solve_least_squares(problem, 1e-12)
    np.testing.assert_allclose(solution.coef, expected, rtol=1e-8, atol=1e-10)
    assert solution.rank == rank
    np.testing.assert_allclose(
        solution.singular_values[:rank], singular_values[:rank], rtol=1e-8
    )


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8, 1e10, 1e12])
@pytest.mark.parametrize("shape", [(200, 12), (12, 60)])
def test_ill_conditioned_as_accurate_as_svd(condition, shape):
    ratios = []
    for seed in range(8):
        X = make_conditioned(*shape, condition, seed)
        rng = np.random.default_rng(seed)
        exact = X.T @ rng.normal(size=(shape[0], 1))
        # Exact up to the rounding of X and of the product.
        Y = (X.astype(np.longdouble) @ exact.astype(np.longdouble)).astype(np.float64)
        if shape[0] > shape[1]:
            exact = scipy.linalg.lstsq(X, Y, cond=EPS)[0]
            exact += _correct(X, Y, exact)
        errors = [
            np.linalg.norm(coef - exact) / np.linalg.norm(exact)
            for coef in (
                solve_least_squares(make_problem(X, Y, None, False), 1e-15).coef,
                scipy.linalg.lstsq(X, Y, cond=1e-15)[0],
            )
        ]
        residuals = [
            np.linalg.norm(Y - X @ coef)
            for coef in (
                solve_least_squares(make_problem(X, Y, None, False), 1e-15).coef,
                scipy.linalg.lstsq(X, Y, cond=1e-15)[0],
            )
        ]
        ratios.append((errors[0] / errors[1], residuals[0] / residuals[1]))
    # Both are rounding: the typical ratio of the two is about one.
    assert np.exp(np.mean(np.log(ratios), axis=0)).max() < 3


def _correct(X, Y, coef):
    """A step of iterative refinement in extended precision."""
    wide = X.astype(np.longdouble)
    residual = Y.astype(np.longdouble) - wide @ coef.astype(np.longdouble)
    return scipy.linalg.lstsq(X, residual.astype(np.float64), cond=EPS)[0]


@pytest.mark.parametrize("shape", [(200, 6), (6, 50)])
def test_rank_rule_is_that_of_lstsq(shape):
    X = make_conditioned(*shape, 1e8)
    Y = np.random.default_rng(1).normal(size=(shape[0], 1))
    for cond in (1e-2, 1e-4, 1e-6, 1e-12):
        expected, _, rank, _ = scipy.linalg.lstsq(X, Y, cond=cond)
        solution = solve_least_squares(make_problem(X, Y, None, False), cond)
        assert solution.rank == rank
        np.testing.assert_allclose(
            solution.coef, expected, atol=1e-7 * np.abs(expected).max()
        )


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_collinear_columns_give_the_minimum_norm(container):
    X, Y, _ = make_data((50, 4))
    X = np.column_stack([X, X[:, 0] - 2 * X[:, 1], np.full(50, 0.1), np.zeros(50)])
    A, B = centre_densely(X, Y, None, True)
    expected = scipy.linalg.lstsq(A, B, cond=1e-10)[0]
    solution = solve_least_squares(make_problem(container(X), Y), 1e-10)
    np.testing.assert_allclose(solution.coef, expected, atol=1e-10)
    assert np.abs(solution.coef[-2:]).max() < 1e-15


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_dependent_columns_of_any_scale(fit_intercept, weighted):
    rng = np.random.default_rng(0)
    levels = np.eye(4)[rng.integers(0, 4, 300)]
    numbers = rng.normal(size=(300, 2)) * [1e6, 1e-3]
    X = np.column_stack([numbers, levels, np.ones(300), levels[:, :2].sum(axis=1)])
    Y = rng.normal(size=(300, 2)) + numbers @ [[1e-6], [1e3]]
    weights = rng.random(300) if weighted else None
    A, B = centre_densely(X, Y, weights, fit_intercept)
    # The norm is least among levels: numbers do not depend on them.
    scale = np.ones(X.shape[1])
    scale[:2] = [1e6, 1e-3]
    expected = scipy.linalg.lstsq(A / scale, B, cond=1e-10)[0] / scale[:, None]
    problem = make_problem(sparse.csr_array(X), Y, weights, fit_intercept)
    solution = solve_least_squares(problem, EPS)
    assert solution.method == "cholesky"
    np.testing.assert_allclose(solution.coef, expected, rtol=1e-9, atol=1e-9)
    ridge = solve_ridge(problem, np.zeros(2))
    np.testing.assert_allclose(ridge.coef, expected, rtol=1e-9, atol=1e-9)


def test_large_means_cost_no_digits():
    rng = np.random.default_rng(0)
    base = rng.integers(-8, 8, size=(100, 3)) / 8.0
    Y = rng.normal(size=(100, 1))
    shifted = base + np.array([0.0, 2.0**30, 2.0**20])
    expected = solve_least_squares(make_problem(base, Y), 1e-12)
    for solve in (
        lambda problem: solve_least_squares(problem, 1e-12),
        lambda problem: solve_ridge(problem, np.zeros(1)),
    ):
        solution = solve(make_problem(shifted, Y))
        np.testing.assert_allclose(solution.coef, expected.coef, rtol=1e-11)
        fitted = shifted @ solution.coef + solution.intercept
        assert np.abs(Y - fitted).max() < 10


@pytest.mark.parametrize("scale", [1e-170, 1e-100, 1e100, 1e170])
@pytest.mark.parametrize("shape", [(40, 5), (5, 40)])
def test_scales_at_the_ends_of_the_range(scale, shape):
    X, Y, _ = make_data(shape)
    expected = solve_least_squares(make_problem(X, Y), 1e-12).coef
    coef = solve_least_squares(make_problem(X * scale, Y), 1e-12).coef
    np.testing.assert_allclose(coef * scale, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("method", ["cholesky", "svd"])
@pytest.mark.parametrize("alphas", [[2.0, 2.0], [0.3, 5.0], [0.0, 1.0]])
def test_ridge_is_the_augmented_least_squares(shape, container, method, alphas):
    if method == "svd" and container is not np.asarray:
        pytest.skip("of dense tables only")
    X, Y, weights = make_data(shape)
    A, B = centre_densely(X, Y, weights, True)
    expected = np.column_stack(
        [
            scipy.linalg.lstsq(
                np.vstack([A, np.sqrt(alpha) * np.eye(shape[1])]),
                np.concatenate([B[:, j], np.zeros(shape[1])]),
            )[0]
            for j, alpha in enumerate(alphas)
        ]
    )
    problem = make_problem(container(X), Y, weights)
    solution = solve_ridge(problem, np.array(alphas), method)
    np.testing.assert_allclose(solution.coef, expected, rtol=1e-7, atol=1e-9)


def test_ridge_changes_to_the_triangle_where_normal_equations_fail():
    X = make_conditioned(100, 8, 1e11)
    Y = X.sum(axis=1, keepdims=True)
    problem = make_problem(X, Y, None, False)
    solution = solve_ridge(problem, np.array([1e-24]))
    assert solution.method == "svd"
    assert np.linalg.norm(Y - X @ solution.coef) < 1e-12
    assert solve_ridge(problem, np.array([1e-3])).method == "cholesky"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stop_by_gradient", [True, False])
def test_lsqr_reaches_ridge(shape, stop_by_gradient):
    X, Y, weights = make_data(shape, n_outputs=3)
    problem = make_problem(sparse.csr_array(X), Y, weights)
    alphas = np.array([0.1, 1.0, 10.0])
    result = solve_lsqr(
        problem.A,
        problem.B,
        alphas,
        tol=1e-12,
        max_iter=500,
        stop_by_gradient=stop_by_gradient,
    )
    assert result.has_converged.all()
    expected = solve_ridge(problem, alphas).coef
    np.testing.assert_allclose(result.coef, expected, rtol=1e-7, atol=1e-9)
    short = solve_lsqr(problem.A, problem.B, alphas, tol=1e-12, max_iter=2)
    assert not short.has_converged.any()
    assert short.n_iter.tolist() == [2, 2, 2]


def test_lsqr_outputs_do_not_depend_on_each_other():
    X, Y, _ = make_data((30, 6), n_outputs=3)
    Y[:, 1] = 0.0
    problem = make_problem(X, Y)
    settings = {"tol": 1e-8, "max_iter": 100}
    result = solve_lsqr(problem.A, problem.B, np.ones(3), **settings)
    assert not result.coef[:, 1].any()
    assert result.n_iter[1] == 0
    alone = solve_lsqr(problem.A, problem.B[:, 2:], np.ones(1), **settings)
    np.testing.assert_allclose(alone.coef[:, 0], result.coef[:, 2], rtol=1e-12)
    assert alone.n_iter[0] == result.n_iter[2]


@pytest.mark.parametrize("shape", [(80, 30), (30, 30), (15, 40)])
def test_nonnegative_is_nnls(shape):
    for seed in range(5):
        X, Y, _ = make_data(shape, n_outputs=1, seed=seed)
        coef, has_converged = solve_nonnegative(X.T @ X, X.T @ Y[:, 0], 1000)
        _, expected = scipy.optimize.nnls(X, Y[:, 0])
        assert has_converged
        assert (coef >= 0).all()
        norm = np.linalg.norm(Y[:, 0] - X @ coef)
        assert norm <= expected + 1e-7 * np.linalg.norm(Y)


def test_nonnegative_with_twin_columns():
    X, Y, _ = make_data((40, 6), n_outputs=1)
    X = np.column_stack([X, X, np.zeros(40)])
    coef, has_converged = solve_nonnegative(X.T @ X, X.T @ Y[:, 0], 1000)
    assert has_converged
    _, expected = scipy.optimize.nnls(X, Y[:, 0])
    assert np.linalg.norm(Y[:, 0] - X @ coef) == pytest.approx(expected, rel=1e-8)


def test_nonnegative_ridge_has_a_penalty_for_each_output():
    X, Y, weights = make_data((50, 8), n_outputs=2)
    problem = make_problem(X, Y, weights)
    alphas = np.array([0.5, 20.0])
    coef, has_converged = solve_nonnegative_ridge(problem, alphas, 100)
    A, B = centre_densely(X, Y, weights, True)
    assert has_converged
    for j, alpha in enumerate(alphas):
        augmented = np.vstack([A, np.sqrt(alpha) * np.eye(8)])
        target = np.concatenate([B[:, j], np.zeros(8)])
        expected, _ = scipy.optimize.nnls(augmented, target)
        np.testing.assert_allclose(coef[:, j], expected, atol=1e-10)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(20_000, 30), (30, 20_000)])
def test_bits_do_not_depend_on_threads(container, shape):
    X, Y, weights = make_data(shape)
    X = container(np.where(np.abs(X) > 1, X, 0.0))
    solutions = []
    for n_threads in (1, 2, 3):
        problem = make_problem(X, Y, weights, n_threads=n_threads)
        least = solve_least_squares(problem, 1e-10)
        ridge = solve_ridge(problem, np.array([1.0, 2.0]))
        triangle = None
        if not sparse.issparse(X):
            triangle = solve_ridge(problem, np.array([1.0, 2.0]), "svd").coef
        iterated = solve_lsqr(problem.A, problem.B, np.ones(2), tol=1e-6, max_iter=9)
        parts = (least.coef, least.intercept, ridge.coef, iterated.coef, triangle)
        solutions.append([part.tobytes() for part in parts if part is not None])
    assert solutions[0] == solutions[1] == solutions[2]
