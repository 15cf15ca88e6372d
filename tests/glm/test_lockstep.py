"""Fits of other weights of the same rows, side by side: each reaches its minimum."""

import numpy as np
import pytest
import threadpoolctl
from scipy import sparse

from sklearnx._glm import lockstep
from sklearnx._glm.families import Binomial, Gamma, Multinomial, Poisson
from sklearnx._glm.glm import fit_glm
from sklearnx._glm.lockstep import fit_in_lockstep, goes_in_lockstep
from sklearnx._glm.objective import GlmObjective
from tests.glm.test_newton import make_objective

N_MEMBERS = 5
STRENGTHS = np.logspace(0, -6, 7)
over_families = pytest.mark.parametrize(
    "family",
    [Binomial(), Multinomial(3), Poisson(), Gamma()],
    ids=lambda family: type(family).__name__,
)


def make_members(objective, n_members=N_MEMBERS):
    """Weights of members that leave one row in `n_members` out."""
    folds = np.arange(objective.design.n_rows) % n_members
    weights = objective.weights[:, None] * (folds[:, None] != np.arange(n_members))
    return weights / weights.sum(axis=0)


def make_path(objective, n_members=N_MEMBERS, strengths=STRENGTHS):
    """Penalties of each strength, not the same for all members."""
    shares = np.linspace(1.0, 1.3, n_members)
    for strength in strengths:
        yield np.outer(strength * (objective.l2 > 0), shares)


def fit_members(objective, weights, tol=1e-5, max_iter=100, **path):
    path = make_path(objective, weights.shape[1], **path)
    return list(fit_in_lockstep(objective, weights, path, tol=tol, max_iter=max_iter))


def make_alone(objective, weights, l2):
    """The objective of one member."""
    return GlmObjective(
        objective.design,
        objective.family,
        objective.y,
        weights,
        l2,
        objective.fit_intercept,
    )


def check_minima(objective, weights, fits):
    penalties = make_path(objective, weights.shape[1])
    for l2, (_, members) in zip(penalties, fits, strict=True):
        for m, member in enumerate(members):
            alone = make_alone(objective, weights[:, m].copy(), l2[:, m].copy())
            end = fit_glm(alone, alone.start(), tol=1e-9, max_iter=200)
            point = alone.evaluate(member.coef)
            assert member.value == pytest.approx(point.value, rel=1e-12)
            excess = point.value - end.point.value
            assert excess <= 2e-9 * abs(end.point.value)
            assert point.max_gradient <= 1e-5
            np.testing.assert_allclose(member.raw, point.raw, rtol=1e-9, atol=1e-12)
            assert member.is_converged


@over_families
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csr_matrix])
def test_minima(family, fit_intercept, storage):
    objective = make_objective(
        400, 5, family, fit_intercept=fit_intercept, storage=storage
    )
    weights = make_members(objective)
    check_minima(objective, weights, fit_members(objective, weights))


def test_minima_of_more_members_than_a_pass_takes():
    objective = make_objective(200, 3, Multinomial(3))
    weights = make_members(objective, 9)
    assert weights.shape[1] * 3 > 2 * lockstep.MAX_COLUMNS
    check_minima(objective, weights, fit_members(objective, weights))


@over_families
def test_leader_is_near_to_all_rows(family):
    objective = make_objective(2000, 5, family)
    weights = np.repeat(objective.weights[:, None], 2, axis=1)
    for (near, _), l2 in zip(
        fit_members(objective, weights), make_path(objective, 2), strict=True
    ):
        alone = make_alone(objective, objective.weights, l2.mean(axis=1))
        end = fit_glm(alone, alone.start(), tol=1e-9, max_iter=100)
        value = alone.evaluate(near).value
        assert value - end.point.value <= 1e-5 * abs(end.point.value)


@pytest.mark.parametrize("family", [Binomial(), Multinomial(3)])
def test_passes_are_few(family, monkeypatch):
    """About three for each penalty, for all five members."""
    objective = make_objective(20_000, 10, family)
    weights = make_members(objective)
    n_passes = []
    evaluate = lockstep._Group.evaluate
    monkeypatch.setattr(
        lockstep._Group,
        "evaluate",
        lambda group, coef: n_passes.append(1) or evaluate(group, coef),
    )
    monkeypatch.setattr(lockstep, "fit_glm", None)  # nobody is fitted alone
    fit_members(objective, weights)
    n_groups = -(-N_MEMBERS // (lockstep.MAX_COLUMNS // (objective.n_classes or 1)))
    assert len(n_passes) <= 3 * n_groups * len(STRENGTHS)


@over_families
def test_members_that_fail_are_fitted_alone(family, monkeypatch):
    monkeypatch.setattr(lockstep, "MAX_STEPS", 0)
    objective = make_objective(400, 5, family)
    weights = make_members(objective)
    check_minima(objective, weights, fit_members(objective, weights))


def test_separated_classes():
    """Matrices change much along such a path, and so do members."""
    objective = make_objective(120, 10, Binomial())
    objective.y = (objective.design.X[:, 0] > 2.0).astype(float)
    weights = make_members(objective)
    check_minima(objective, weights, fit_members(objective, weights))


def test_limit_of_iterations():
    objective = make_objective(400, 5, Binomial())
    weights = make_members(objective)
    fits = fit_members(objective, weights, tol=0.0, max_iter=20)
    assert all(member.n_iter <= 20 for _, members in fits for member in members)


@pytest.mark.parametrize("family", [Binomial(), Multinomial(3)])
def test_bits_do_not_depend_on_threads(family):
    ends = []
    for n_threads in (1, 2, 3):
        with threadpoolctl.threadpool_limits(n_threads, user_api="blas"):
            objective = make_objective(9_000, 12, family, n_threads=n_threads)
            fits = fit_members(objective, make_members(objective))
        ends.append(np.stack([[m.coef for m in members] for _, members in fits]))
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])


def test_when_members_go_in_lockstep():
    objective = make_objective(300, 6)
    weights = make_members(objective)
    assert goes_in_lockstep(objective, weights, 100)
    assert not goes_in_lockstep(objective, weights, 5)
    few = weights * (np.arange(300) < 100)[:, None]
    assert not goes_in_lockstep(objective, few, 100)
    wide = make_objective(40, 60)
    assert not goes_in_lockstep(wide, make_members(wide), 100)
    many = make_objective(500, 40, Multinomial(50))
    assert not goes_in_lockstep(many, make_members(many), 100)
