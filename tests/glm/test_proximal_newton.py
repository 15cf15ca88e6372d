"""l1 penalties and bounds: optimality conditions, and every way to the same minimum."""

import numpy as np
import pytest
import threadpoolctl
from scipy import sparse

from sklearnx._glm import proximal_newton
from sklearnx._glm.families import Binomial, Gamma, Multinomial, Poisson
from sklearnx._glm.glm import fit_glm
from sklearnx._glm.proximal_newton import Composite, fit_composite
from tests.glm.test_newton import make_objective


def make_composite(l1=0.02, lower=-np.inf, upper=np.inf, **options):
    objective = make_objective(**options)
    n_columns = objective.design.n_columns
    arrays = [np.full(objective.n_coefs, value) for value in (l1, lower, upper)]
    for array, free in zip(arrays, (0.0, -np.inf, np.inf), strict=True):
        array[n_columns:] = free
    return Composite(objective, *arrays)


def check_optimality(composite, point, tol):
    """Conditions written out coefficient by coefficient."""
    coef = point.coef.reshape(len(point.coef), -1)
    gradient = point.gradient.reshape(len(point.coef), -1)
    for j in range(len(coef)):
        l1, lower, upper = composite.l1[j], composite.lower[j], composite.upper[j]
        for w, g in zip(coef[j], gradient[j], strict=True):
            assert lower <= w <= upper
            if w == lower and w != upper:
                assert g + l1 * (1 if w >= 0 else -1) >= -tol
            elif w == upper and w != lower:
                assert g + l1 * (1 if w > 0 else -1) <= tol
            elif w == 0:
                assert abs(g) <= l1 + tol
            else:
                assert abs(g + l1 * np.sign(w)) <= tol


@pytest.mark.parametrize("family", [Binomial(), Poisson(), Gamma(), Multinomial(3)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", [np.ascontiguousarray, sparse.csr_array])
def test_lasso(family, fit_intercept, storage):
    composite = make_composite(
        family=family,
        fit_intercept=fit_intercept,
        storage=storage,
        l2=0.0,
        n_columns=12,
        l1=0.05,
    )
    end = fit_composite(composite, composite.objective.start(), tol=1e-8, max_iter=50)
    assert end.is_converged
    check_optimality(composite, end.point, 1e-8)
    n_zeros = np.count_nonzero(end.point.coef == 0)
    assert 0 < n_zeros < end.point.coef.size - 1


@pytest.mark.parametrize("family", [Binomial(), Poisson()])
def test_bounds(family):
    composite = make_composite(
        family=family, l1=0.0, lower=-0.1, upper=0.2, n_columns=10
    )
    end = fit_composite(composite, composite.objective.start(), tol=1e-8, max_iter=50)
    assert end.is_converged
    check_optimality(composite, end.point, 1e-8)
    at_bound = np.isin(end.point.coef[:-1], [-0.1, 0.2])
    assert 0 < at_bound.sum() < 10


def test_bounds_that_do_not_hold_change_nothing():
    composite = make_composite(l1=0.0, lower=-100.0, upper=100.0)
    objective = composite.objective
    end = fit_composite(composite, objective.start(), tol=1e-9, max_iter=50)
    smooth = fit_glm(objective, objective.start(), tol=1e-9, max_iter=50)
    np.testing.assert_allclose(end.point.coef, smooth.point.coef, rtol=1e-6)


def test_bounds_without_zero():
    composite = make_composite(l1=0.05, lower=0.3, upper=0.5)
    end = fit_composite(composite, composite.objective.start(), tol=1e-8, max_iter=50)
    assert end.is_converged
    check_optimality(composite, end.point, 1e-8)


def test_penalised_intercept():
    composite = make_composite(l1=0.03, l2=0.0)
    composite.l1[-1] = 0.03
    end = fit_composite(composite, composite.objective.start(), tol=1e-9, max_iter=50)
    assert end.is_converged
    check_optimality(composite, end.point, 1e-9)
    free = make_composite(l1=0.03, l2=0.0)
    other = fit_composite(free, free.objective.start(), tol=1e-9, max_iter=50)
    assert abs(end.point.coef[-1]) < abs(other.point.coef[-1])


def value(composite, end):
    return end.point.value + composite.penalty(end.point.coef)


@pytest.mark.parametrize("family", [Binomial(), Poisson(), Multinomial(3)])
def test_working_sets(family, monkeypatch):
    composite = make_composite(
        family=family, n_rows=120, n_columns=150, l1=0.03, l2=1e-3
    )
    start = composite.objective.start()
    ends = []
    for limit in (1000, 5):
        monkeypatch.setattr(proximal_newton, "MAX_COLUMNS_OF_FEW_ROWS", limit)
        monkeypatch.setattr(proximal_newton, "MIN_WORKING_SET", 4)
        ends.append(fit_composite(composite, start, tol=1e-7, max_iter=200))
        assert ends[-1].is_converged
        check_optimality(composite, ends[-1].point, 1e-7)
    values = [value(composite, end) for end in ends]
    assert values[1] == pytest.approx(values[0], rel=1e-8)


def test_class_after_class(monkeypatch):
    composite = make_composite(family=Multinomial(4), l1=0.01, l2=1e-3)
    start = composite.objective.start()
    ends = []
    for limit in (1000, 1):
        monkeypatch.setattr(proximal_newton, "MAX_JOINT_COEFS", limit)
        ends.append(fit_composite(composite, start, tol=1e-7, max_iter=500))
        assert ends[-1].is_converged
        check_optimality(composite, ends[-1].point, 1e-7)
    values = [value(composite, end) for end in ends]
    assert values[1] == pytest.approx(values[0], rel=1e-8)


def test_part_of_the_rows_saves_iterations():
    composite = make_composite(n_rows=40_000, n_columns=12, l1=0.01)
    start = composite.objective.start()
    end = fit_composite(composite, start, tol=1e-7, max_iter=50)
    cold = fit_composite(composite, start, tol=1e-7, max_iter=50, is_warm=True)
    assert end.n_iter < cold.n_iter
    assert value(composite, end) == pytest.approx(value(composite, cold), rel=1e-8)


def test_strong_penalty_leaves_the_intercept():
    composite = make_composite(l1=10.0)
    end = fit_composite(composite, composite.objective.start(), tol=1e-9, max_iter=50)
    assert end.is_converged
    assert np.all(end.point.coef[:-1] == 0)
    objective = composite.objective
    mean = np.sum(objective.weights * objective.y)
    assert end.point.coef[-1] == pytest.approx(np.log(mean / (1 - mean)), rel=1e-6)


def test_max_iter():
    composite = make_composite()
    end = fit_composite(composite, composite.objective.start(), tol=1e-10, max_iter=1)
    assert end.n_iter == 1
    assert not end.is_converged


def test_values_never_rise():
    composite = make_composite(family=Poisson())
    values = []
    end = fit_composite(
        composite,
        composite.objective.start(),
        tol=1e-8,
        max_iter=50,
        on_iteration=lambda point: values.append(
            point.value + composite.penalty(point.coef)
        ),
    )
    assert len(values) == end.n_iter
    assert np.all(np.diff(values) <= 1e-14)


@pytest.mark.parametrize("family", [Binomial(), Multinomial(3)])
@pytest.mark.parametrize("shape", [(20_000, 12), (60, 150)])
def test_bits_do_not_depend_on_threads(family, shape):
    coefs = []
    for n_threads in (1, 2, 3):
        with threadpoolctl.threadpool_limits(n_threads, user_api="blas"):
            composite = make_composite(
                n_rows=shape[0], n_columns=shape[1], family=family, n_threads=n_threads
            )
            end = fit_composite(
                composite, composite.objective.start(), tol=1e-6, max_iter=50
            )
        coefs.append(end.point.coef)
    np.testing.assert_array_equal(coefs[0], coefs[1])
    np.testing.assert_array_equal(coefs[0], coefs[2])
