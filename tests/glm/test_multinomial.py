"""Many classes: covariance of the classes, curvatures, wide tables, sums to zero."""

import numpy as np
import pytest

from sklearnx._glm.curvature import KroneckerCurvature, NewtonMatrix
from sklearnx._glm.design import make_design
from sklearnx._glm.families import Multinomial
from sklearnx._glm.glm import choose_rule, fit_glm, take_part
from sklearnx._glm.logistic import LogisticProblem
from tests.glm.test_newton import make_objective


def make_problem(n_rows, n_columns, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    W = rng.normal(size=(n_columns, n_classes)) / np.sqrt(n_columns)
    y = np.argmax(X @ W + rng.gumbel(size=(n_rows, n_classes)), axis=1).astype(float)
    return LogisticProblem(make_design(X, 2), y, n_classes, np.ones(n_rows), True)


@pytest.mark.parametrize("n_classes", [3, 8])
@pytest.mark.parametrize("C", [1e-2, 1.0, np.inf])
def test_coefficients_sum_to_zero(n_classes, C):
    fit = make_problem(2000, 5, n_classes).fit(C, 0.0, tol=1e-8, max_iter=100)
    assert fit.is_converged
    assert not fit.is_singular
    np.testing.assert_allclose(fit.coef.sum(axis=1), 0.0, atol=1e-10)


def test_two_classes_are_a_binary_model():
    problem = make_problem(500, 4, 3)
    keep = problem._objective.y < 2
    X = problem._objective.design.X[keep]
    y = problem._objective.y[keep]
    weights = np.ones(len(y))
    binary = LogisticProblem(make_design(X), y, 2, weights, True)
    fit = binary.fit(2.0, 0.0, tol=1e-10, max_iter=100)
    # Two symmetric classes have half the coefficients each, and so half the penalty.
    both = make_objective(n_rows=len(y), n_columns=4, family=Multinomial(2))
    both.design, both.y = make_design(X), y
    both.weights = weights / len(y)
    both.l2 = np.append(np.full(4, 2 / (2.0 * len(y))), 0.0)
    end = fit_glm(both, both.start(), tol=1e-10, max_iter=100)
    found = end.point.coef[:, 1] - end.point.coef[:, 0]
    np.testing.assert_allclose(found, fit.coef, rtol=1e-6)


def test_part_of_the_rows_starts_many_classes():
    problem = make_problem(30_000, 10, 6)
    assert take_part(problem._objective) is not None
    fit = problem.fit(1.0, 0.0, tol=1e-7, max_iter=50)
    cold = problem.fit(1.0, 0.0, tol=1e-7, max_iter=50, is_near=True)
    assert fit.is_converged
    assert fit.value == pytest.approx(cold.value, rel=1e-9)
    early, early_cold = (
        problem.fit(1.0, 0.0, tol=1e-7, max_iter=2, is_near=is_near).value - fit.value
        for is_near in (False, True)
    )
    assert early < 0.01 * early_cold


def test_more_coefficients_than_one_matrix_may_have():
    problem = make_problem(3000, 100, 30)
    objective = problem._objective.with_l2(np.full(101, 1e-3))
    assert choose_rule(objective).make is KroneckerCurvature
    fit = problem.fit(0.3, 0.0, tol=1e-7, max_iter=200)
    assert fit.is_converged
    assert fit.n_iter < 60


def test_kronecker_curvature_keeps_sums_of_zero():
    objective = make_objective(family=Multinomial(4))
    point = objective.evaluate(objective.start())
    for curvature in (KroneckerCurvature, NewtonMatrix):
        step = curvature(objective, point).solve(point.gradient)
        np.testing.assert_allclose(step.sum(axis=1), 0.0, atol=1e-10)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_class_without_rows(l1_ratio):
    # A fold of cross-validation may lack a class.
    problem = make_problem(200, 4, 3)
    y = np.where(problem._objective.y == 2, 0.0, problem._objective.y)
    other = LogisticProblem(problem._objective.design, y, 3, np.ones(200), True)
    fit = other.fit(1.0, l1_ratio, tol=1e-4, max_iter=200)
    assert np.all(np.isfinite(fit.coef))
    assert fit.coef[-1, 2] < min(fit.coef[-1, :2])


def test_weights_are_repetitions():
    problem = make_problem(300, 4, 3)
    o = problem._objective
    weights = np.random.default_rng(1).integers(0, 3, size=300)
    weighted = LogisticProblem(o.design, o.y, 3, weights.astype(float), True)
    repeated = LogisticProblem(
        make_design(np.repeat(o.design.X, weights, axis=0)),
        np.repeat(o.y, weights),
        3,
        np.ones(weights.sum()),
        True,
    )
    fits = [p.fit(0.5, 0.0, tol=1e-8, max_iter=50) for p in (weighted, repeated)]
    np.testing.assert_allclose(fits[0].coef, fits[1].coef, rtol=1e-8, atol=1e-11)
