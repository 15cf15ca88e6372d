"""Minimisation of smooth objectives: every way reaches the minimum."""

import numpy as np
import pytest
import threadpoolctl
from scipy import sparse
from scipy.optimize import minimize as scipy_minimize

from sklearnx._glm import glm
from sklearnx._glm.curvature import (
    DiagonalCurvature,
    KroneckerCurvature,
    NewtonMatrix,
    SymmetricSolver,
)
from sklearnx._glm.design import make_design
from sklearnx._glm.families import Binomial, Gamma, Multinomial, Poisson, Tweedie
from sklearnx._glm.glm import choose_rule, fit_glm, take_part
from sklearnx._glm.line_search import search_line
from sklearnx._glm.objective import GlmObjective, spread_rows
from sklearnx._glm.quasi_newton import CurvatureRule, minimize
from sklearnx._glm.row_coordinates import RowCoordinates, RowCurvature


def make_objective(
    n_rows=300,
    n_columns=6,
    family=None,
    l2=1e-2,
    fit_intercept=True,
    storage=np.ascontiguousarray,
    seed=0,
    n_threads=1,
    offset=None,
):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) + 2.0
    raw = (X - 2.0) @ rng.normal(size=n_columns) / np.sqrt(n_columns)
    family = family or Binomial()
    if isinstance(family, Multinomial):
        W = rng.normal(size=(n_columns, family.n_classes))
        noise = rng.gumbel(size=(n_rows, family.n_classes))
        y = np.argmax((X - 2.0) @ W + noise, axis=1).astype(float)
    elif isinstance(family, Binomial):
        y = (rng.random(n_rows) < 1 / (1 + np.exp(-raw))).astype(float)
    else:
        y = rng.gamma(2.0, np.exp(raw) / 2) + 0.01
    weights = rng.random(n_rows)
    strengths = np.full(n_columns + fit_intercept, l2)
    if fit_intercept:
        strengths[-1] = 0.0
    return GlmObjective(
        make_design(storage(X), n_threads),
        family,
        y,
        weights / weights.sum(),
        strengths,
        fit_intercept,
        offset,
    )


def measure_excess(objective, value):
    """By how much of it a value is above the minimum that scipy finds."""

    def evaluate(coef):
        point = objective.evaluate(coef.reshape(objective.shape))
        return point.value, point.gradient.ravel()

    start = objective.start().ravel()
    options = {"gtol": 1e-9, "ftol": 1e-15, "maxiter": 1000, "maxfun": 2000}
    found = scipy_minimize(
        evaluate, start, jac=True, method="L-BFGS-B", options=options
    ).fun
    return (value - found) / abs(found)


FAMILIES = [Binomial(), Poisson(), Gamma(), Tweedie(1.5), Tweedie(3), Multinomial(3)]
over_families = pytest.mark.parametrize(
    "family", FAMILIES, ids=lambda family: type(family).__name__
)


@over_families
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gradient_is_the_derivative(family, fit_intercept):
    objective = make_objective(family=family, fit_intercept=fit_intercept)
    rng = np.random.default_rng(1)
    coef = 0.1 * rng.normal(size=objective.shape)
    direction = rng.normal(size=objective.shape)
    step = 1e-6
    above = objective.evaluate(coef + step * direction).value
    below = objective.evaluate(coef - step * direction).value
    slope = np.sum(objective.evaluate(coef).gradient * direction)
    assert (above - below) / (2 * step) == pytest.approx(slope, rel=1e-6)


@over_families
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", [np.ascontiguousarray, sparse.csr_array])
def test_minimum_is_reached(family, fit_intercept, storage):
    objective = make_objective(
        family=family, fit_intercept=fit_intercept, storage=storage
    )
    end = fit_glm(objective, objective.start(), tol=1e-10, max_iter=100)
    assert end.is_converged
    assert end.point.max_gradient <= 1e-10
    assert measure_excess(objective, end.point.value) <= 1e-12


def hessian_by_differences(objective, coef):
    step = 1e-6
    columns = []
    for j in range(coef.size):
        shift = np.zeros(coef.size)
        shift[j] = step
        shift = shift.reshape(coef.shape)
        above = objective.evaluate(coef + shift).gradient
        below = objective.evaluate(coef - shift).gradient
        columns.append(((above - below) / (2 * step)).ravel())
    return np.array(columns)


@pytest.mark.parametrize("family", [Binomial(), Poisson(), Multinomial(3)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", [np.ascontiguousarray, sparse.csc_array])
def test_newton_matrix(family, fit_intercept, storage):
    objective = make_objective(
        n_columns=4, family=family, fit_intercept=fit_intercept, storage=storage
    )
    coef = 0.1 * np.random.default_rng(1).normal(size=objective.shape)
    if coef.ndim == 2:
        coef -= coef.mean(axis=1, keepdims=True)
    point = objective.evaluate(coef)
    step = NewtonMatrix(objective, point).solve(point.gradient)
    expected = hessian_by_differences(objective, coef) @ step.ravel()
    np.testing.assert_allclose(
        expected.reshape(coef.shape), point.gradient, rtol=1e-5, atol=1e-8
    )


def test_kronecker_curvature_is_exact_where_probabilities_are_alike():
    objective = make_objective(family=Multinomial(3), n_columns=4)
    point = objective.evaluate(objective.start())
    exact = NewtonMatrix(objective, point).solve(point.gradient)
    found = KroneckerCurvature(objective, point).solve(point.gradient)
    np.testing.assert_allclose(found, exact, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    "family, variance", [(Binomial(), 1 / 4), (Multinomial(3), 2 / 9)]
)
def test_diagonal_of_shifted_columns(family, variance):
    objective = make_objective(family=family)
    point = objective.evaluate(objective.start())
    # Coefficients of shifted columns are the same but for the intercept.
    shift = np.eye(7)
    shift[-1, :-1] = -objective.centre
    X = objective.design.X - objective.centre
    norms = objective.weights @ (np.column_stack([X, np.ones(len(X))]) ** 2)
    inverse = np.diag(1 / (norms * variance + objective.l2))
    # Gradients change by the transpose.
    expected = shift @ inverse @ shift.T @ point.gradient
    found = DiagonalCurvature(objective, point).solve(point.gradient)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_columns_far_from_zero_cost_no_iterations():
    n_iters = []
    for shift in (0.0, 1e4):
        objective = make_objective(storage=lambda X, shift=shift: X + shift, l2=1e-4)
        end = minimize(
            objective,
            objective.evaluate(objective.start()),
            CurvatureRule(DiagonalCurvature, np.inf),
            tol=1e-3,
            max_iter=500,
        )
        n_iters.append(end.n_iter)
    assert n_iters[1] <= 1.5 * n_iters[0]


@pytest.mark.parametrize(
    "family, make_curvature",
    [
        (Binomial(), DiagonalCurvature),
        (Poisson(), DiagonalCurvature),
        (Multinomial(4), DiagonalCurvature),
        (Multinomial(4), KroneckerCurvature),
    ],
)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_quasi_newton_updates(family, make_curvature, fit_intercept):
    objective = make_objective(family=family, fit_intercept=fit_intercept)
    end = minimize(
        objective,
        objective.evaluate(objective.start()),
        CurvatureRule(make_curvature, np.inf),
        tol=1e-7,
        max_iter=500,
    )
    assert end.is_converged
    assert measure_excess(objective, end.point.value) <= 1e-8


@pytest.mark.parametrize("family", [Binomial(), Poisson(), Multinomial(4)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", [np.ascontiguousarray, sparse.csr_array])
def test_row_coordinates(family, fit_intercept, storage):
    objective = make_objective(
        40, 90, family, fit_intercept=fit_intercept, storage=storage
    )
    coordinates = RowCoordinates(objective)
    start = coordinates.evaluate(coordinates.start(np.zeros(objective.n_classes or 1)))
    end = minimize(
        coordinates,
        start,
        CurvatureRule(RowCurvature, np.inf),
        tol=1e-7,
        max_iter=500,
    )
    assert end.is_converged
    lifted = objective.evaluate(coordinates.lift(end.point.coef))
    assert lifted.value == pytest.approx(end.point.value, rel=1e-10)
    assert lifted.max_gradient == pytest.approx(end.point.max_gradient, rel=1e-3)
    assert measure_excess(objective, lifted.value) <= 1e-8


@pytest.mark.parametrize("family", [Binomial(), Multinomial(3)])
@pytest.mark.parametrize("max_rows", [0, 1000])
def test_wide_tables(family, max_rows, monkeypatch):
    monkeypatch.setattr(glm, "MAX_ROW_SPACE_ROWS", max_rows)
    objective = make_objective(60, 250, family)
    end = fit_glm(objective, objective.start(), tol=1e-8, max_iter=200)
    assert end.is_converged
    assert measure_excess(objective, end.point.value) <= 1e-8


def test_least_norm_without_a_penalty():
    objective = make_objective(30, 250, Poisson(), l2=0.0, fit_intercept=False)
    end = fit_glm(objective, objective.start(), tol=1e-9, max_iter=200)
    X = objective.design.X
    coef = end.point.coef
    assert end.is_singular
    np.testing.assert_allclose(np.linalg.pinv(X) @ (X @ coef), coef, atol=1e-8)
    np.testing.assert_allclose(np.exp(X @ coef), objective.y, rtol=1e-6)


def test_collinear_columns_share_their_coefficient():
    objective = make_objective(l2=0.0)
    X = objective.design.X
    twice = GlmObjective(
        make_design(np.concatenate([X, X], axis=1)),
        objective.family,
        objective.y,
        objective.weights,
        np.zeros(2 * X.shape[1] + 1),
        True,
    )
    once = fit_glm(objective, objective.start(), tol=1e-9, max_iter=100)
    end = fit_glm(twice, twice.start(), tol=1e-9, max_iter=100)
    assert not once.is_singular
    assert end.is_singular
    assert end.is_converged
    expected = np.concatenate(
        [np.tile(once.point.coef[:-1] / 2, 2), once.point.coef[-1:]]
    )
    np.testing.assert_allclose(end.point.coef, expected, rtol=1e-6)


def test_units_of_columns_do_not_matter():
    objective = make_objective(l2=0.0)
    units = 10.0 ** np.array([-12, -6, 0, 3, 6, 12])
    other = GlmObjective(
        make_design(objective.design.X * units),
        objective.family,
        objective.y,
        objective.weights,
        objective.l2,
        True,
    )
    ends = [fit_glm(o, o.start(), tol=1e-6, max_iter=50) for o in (objective, other)]
    assert ends[1].is_converged
    assert ends[1].point.value == pytest.approx(ends[0].point.value, rel=1e-10)


def test_constant_column_without_a_penalty():
    objective = make_objective(l2=0.0)
    X = objective.design.X.copy()
    X[:, 2] = 1.0
    X[:, 3] = 0.0
    other = GlmObjective(
        make_design(X),
        objective.family,
        objective.y,
        objective.weights,
        objective.l2,
        True,
    )
    end = fit_glm(other, other.start(), tol=1e-8, max_iter=50)
    assert end.is_converged
    assert np.all(np.isfinite(end.point.coef))
    assert abs(end.point.coef[3]) < 1e-12


def test_part_of_the_rows_saves_iterations_and_changes_nothing():
    objective = make_objective(40_000, 12, n_threads=2)
    assert take_part(objective) is not None
    end = fit_glm(objective, objective.start(), tol=1e-8, max_iter=50)
    cold = fit_glm(objective, objective.start(), tol=1e-8, max_iter=50, is_warm=True)
    assert end.is_converged
    assert end.n_iter < cold.n_iter
    np.testing.assert_allclose(end.point.coef, cold.point.coef, rtol=1e-5, atol=1e-8)


def test_part_of_the_rows_needs_all_classes():
    objective = make_objective(40_000, 12, Multinomial(3))
    assert take_part(objective) is not None
    y = np.zeros(40_000)
    y[:30] = 1
    y[30:60] = 2
    objective.y = y
    assert take_part(objective) is None


@pytest.mark.parametrize("n_rows, n_taken", [(10, 10), (1000, 7), (12_345, 999)])
def test_spread_rows(n_rows, n_taken):
    rows = spread_rows(n_rows, n_taken)
    assert len(rows) == n_taken
    assert np.all(np.diff(rows) > 0)
    assert rows[0] >= 0
    assert rows[-1] < n_rows
    # Never every k-th row, which the order of rows could play against.
    if n_taken < n_rows:
        assert len(np.unique(np.diff(rows))) > 2


def test_full_step_is_cut_where_it_overshoots():
    objective = make_objective(family=Poisson())
    point = objective.evaluate(objective.start())
    direction = -1e3 * point.gradient
    slope = np.sum(direction * point.gradient)
    found = search_line(objective, point, direction, slope)
    assert found.value < point.value
    t = (found.coef - point.coef)[0] / direction[0]
    assert 0 < t < 1
    assert abs(np.sum(found.gradient * direction)) <= -0.9 * slope


def test_step_is_stretched_where_it_is_too_short():
    objective = make_objective()
    point = objective.evaluate(objective.start())
    direction = -1e-3 * point.gradient
    slope = np.sum(direction * point.gradient)
    found = search_line(objective, point, direction, slope)
    assert (found.coef - point.coef)[0] / direction[0] > 1


def test_no_step_from_the_minimum():
    objective = make_objective()
    point = fit_glm(objective, objective.start(), tol=1e-14, max_iter=50).point
    uphill = point.gradient + 1.0
    assert search_line(objective, point, uphill, -1e-20) is None


def test_max_iter():
    objective = make_objective()
    end = fit_glm(objective, objective.start(), tol=1e-10, max_iter=2)
    assert end.n_iter == 2
    assert not end.is_converged
    none = fit_glm(objective, objective.start(), tol=1e-10, max_iter=0)
    assert none.n_iter == 0
    assert np.all(none.point.coef == 0)


def test_tolerance_that_nothing_can_meet_ends():
    objective = make_objective()
    end = fit_glm(objective, objective.start(), tol=0.0, max_iter=100)
    assert end.is_converged
    assert end.n_iter < 20


def test_iterations_are_told():
    objective = make_objective()
    values = []
    end = fit_glm(
        objective,
        objective.start(),
        tol=1e-8,
        max_iter=50,
        on_iteration=lambda point: values.append(point.value),
    )
    assert len(values) == end.n_iter
    assert np.all(np.diff(values) <= 1e-14)


@pytest.mark.parametrize("family", [Binomial(), Multinomial(3)])
@pytest.mark.parametrize("shape", [(30_000, 20), (80, 300), (300, 6)])
def test_bits_do_not_depend_on_threads(family, shape):
    ends = []
    for n_threads in (1, 2, 3):
        with threadpoolctl.threadpool_limits(n_threads, user_api="blas"):
            objective = make_objective(*shape, family, n_threads=n_threads)
            end = fit_glm(objective, objective.start(), tol=1e-7, max_iter=50)
        ends.append(end.point.coef)
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])


@pytest.mark.parametrize("family", [Binomial(), Multinomial(3)])
@pytest.mark.parametrize("intercept_l2", [0.0, 0.3])
def test_newton_matrix_with_another_penalty(family, intercept_l2):
    objective = make_objective(family=family)
    objective = objective.with_l2(np.append(np.full(6, 0.01), 2 * intercept_l2))
    other = objective.with_l2(np.append(np.linspace(0.1, 2, 6), intercept_l2))
    point = objective.evaluate(objective.start() + 0.1)
    moved = other.adopt(point, objective.l2)
    expected = other.evaluate(point.coef)
    assert moved.value == pytest.approx(expected.value, rel=1e-14)
    np.testing.assert_allclose(moved.gradient, expected.gradient, atol=1e-15)
    assert moved.max_gradient == pytest.approx(expected.max_gradient)
    matrix = NewtonMatrix(objective, point)
    before = matrix.solve(point.gradient)
    np.testing.assert_array_equal(
        matrix.with_l2(other).solve(expected.gradient),
        NewtonMatrix(other, expected).solve(expected.gradient),
    )
    np.testing.assert_array_equal(matrix.solve(point.gradient), before)


def test_rule_by_shape():
    assert choose_rule(make_objective()).cost == glm.CHEAP_COST
    assert choose_rule(make_objective(20_000, 60)).make is NewtonMatrix
    assert choose_rule(make_objective(100, 40, Multinomial(50))).make is (
        KroneckerCurvature
    )
    assert choose_rule(make_objective(30, 2100)).make is DiagonalCurvature


@pytest.mark.parametrize("rank", [3, 6])
def test_symmetric_solver(rank):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, rank)) * np.logspace(0, 6, 6)[:, None]
    matrix = A @ A.T
    rhs = matrix @ rng.normal(size=6)
    solver = SymmetricSolver(matrix)
    assert solver.is_singular == (rank < 6)
    solution = solver.solve(rhs)
    np.testing.assert_allclose(matrix @ solution, rhs, rtol=1e-6)
    if rank < 6:
        # No part in what the matrix maps to 0.
        null = np.linalg.svd(A.T)[2][rank:]
        assert np.max(np.abs(null @ solution)) < 1e-8 * np.max(np.abs(solution))
