"""Descent on working sets: by Gram matrices and by columns it is the same."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._glm import set_descent
from sklearnx._glm.design import make_design
from sklearnx._glm.penalties import ElasticNet
from sklearnx._glm.samples import make_samples
from sklearnx._glm.set_descent import GramDescent, SweepDescent
from sklearnx._glm.stopping import Stop
from sklearnx._glm.tracks import Settings
from sklearnx._glm.working_set import WorkingSet


class Problem:
    """Some columns of a table, and what plain NumPy makes of them."""

    def __init__(
        self, kind="C", is_weighted=True, fit_intercept=True, n_targets=1, box=None
    ):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 40)) + 1.0
        X[rng.uniform(size=X.shape) < 0.4] = 0.0
        Y = X[:, 3:6] @ rng.standard_normal((3, n_targets)) + 4.0
        Y += 0.3 * rng.standard_normal(Y.shape)
        table = {
            "C": X,
            "F": np.asfortranarray(X),
            "float32": X.astype(np.float32),
            "csr": sparse.csr_array(X),
        }[kind]
        X = X.astype(np.float32) if kind == "float32" else X
        weights = None
        if is_weighted:
            weights = rng.uniform(0.0, 2.0, 60)
            weights[::7] = 0.0
        design = make_design(table)
        self.sample = make_samples(design, Y, [weights], fit_intercept)[0]
        columns = np.array([4, 30, *range(20, 8, -1), 3, 5, 39])
        self.working_set = WorkingSet(design, self.sample, columns[:7])
        self.working_set.change(np.arange(7), columns[7:])
        self.columns, self.n_targets = columns, n_targets
        if box is not None:
            box = tuple(np.full(40, end) for end in box)
        self.settings = Settings(1e-6, 1000, np.ones(40), box)
        self.v = np.ones(60) if weights is None else weights
        self.X, self.Y = X[:, columns].astype(np.float64), Y
        if fit_intercept:
            self.X = self.X - self.v @ self.X / self.v.sum()
            self.Y = Y - self.v @ Y / self.v.sum()

    def residual(self, coef):
        return self.Y - self.X @ coef.T

    def gradient(self, coef):
        return -(self.v[:, None] * self.residual(coef)).T @ self.X

    def objective(self, coef, penalty):
        norms = np.sqrt((coef**2).sum(axis=0))
        return (
            0.5 * float((self.v[:, None] * self.residual(coef) ** 2).sum())
            + penalty.l1 * norms.sum()
            + 0.5 * penalty.l2 * (norms**2).sum()
        )

    def penalty(self, share, l2=0.0):
        zeros = np.zeros((self.n_targets, len(self.columns)))
        return ElasticNet(
            share * np.linalg.norm(self.gradient(zeros), axis=0).max(), l2
        )

    def draw(self, seed):
        shape = self.n_targets, len(self.columns)
        return np.random.default_rng(seed).standard_normal(shape)

    def start(self, cls, coef):
        """Descent from coefficients on, which stay as they are."""
        coef = coef.copy()
        if cls is GramDescent:
            state = np.ascontiguousarray(self.gradient(coef))
        else:
            state = self.sample.find_residual(
                self.working_set.fit_rows(coef.T), self.columns, coef.T
            )
        return cls(self.settings, self.working_set, coef, state)

    def check_state(self, descent, coef=None, state=None):
        """A state is an affine function of coefficients."""
        coef = descent.coef if coef is None else coef
        state = descent.state if state is None else state
        if isinstance(descent, GramDescent):
            np.testing.assert_allclose(state, self.gradient(coef), atol=1e-8)
            return
        rest = state - (self.v[:, None] * self.residual(coef)).T
        shift = np.zeros(self.n_targets)
        if self.sample.x_mean is not None:
            shift = rest.sum(axis=1) / self.v.sum()
        np.testing.assert_allclose(rest, np.outer(shift, self.v), atol=1e-9)


PARAMETERS = [
    pytest.mark.parametrize("kind", ["C", "F", "float32", "csr"]),
    pytest.mark.parametrize("is_weighted", [False, True]),
    pytest.mark.parametrize("fit_intercept", [False, True]),
    pytest.mark.parametrize("n_targets", [1, 3]),
]
WAYS = [GramDescent, SweepDescent]


def with_parameters(test):
    for mark in PARAMETERS:
        test = mark(test)
    return test


@with_parameters
def test_both_reach_the_same_optimum(kind, is_weighted, fit_intercept, n_targets):
    problem = Problem(kind, is_weighted, fit_intercept, n_targets)
    penalty, start = problem.penalty(0.05, 0.3), problem.draw(0)
    stop = Stop(1e-10 * penalty.l1)
    solved = []
    for cls in WAYS:
        descent = problem.start(cls, start)
        assert 1 < descent.minimize(penalty, stop, 10_000) < 500
        assert not descent.is_slow
        problem.check_state(descent)
        solved.append(descent.coef)
    np.testing.assert_allclose(*solved, atol=1e-8)
    coef, gradient = solved[1], problem.gradient(solved[1])
    norms = np.linalg.norm(coef, axis=0)
    is_zero = norms == 0.0
    assert 0 < is_zero.sum() < len(norms)
    assert np.linalg.norm(gradient[:, is_zero], axis=0).max() <= penalty.l1
    rest = gradient + penalty.l2 * coef
    rest = rest[:, ~is_zero] + penalty.l1 * coef[:, ~is_zero] / norms[~is_zero]
    assert np.abs(rest).max() <= 1e-6 * penalty.l1


@pytest.mark.parametrize("kind", ["C", "F", "float32", "csr"])
@pytest.mark.parametrize("box", [(0.0, np.inf), (-0.1, 0.2), (0.1, np.inf)])
def test_both_stay_in_the_box(kind, box):
    problem = Problem(kind, box=box)
    penalty, start = problem.penalty(0.01), np.clip(problem.draw(0), *box)
    solved = []
    for cls in WAYS:
        descent = problem.start(cls, start)
        descent.minimize(penalty, Stop(1e-10 * penalty.l1), 10_000)
        assert descent.coef.min() >= box[0]
        assert descent.coef.max() <= box[1]
        problem.check_state(descent)
        solved.append(descent.coef)
    np.testing.assert_allclose(*solved, atol=1e-8)
    assert (solved[0] == box[0]).any()


@with_parameters
def test_a_gram_matrix_goes_on_where_sweeps_end(
    kind, is_weighted, fit_intercept, n_targets, monkeypatch
):
    problem = Problem(kind, is_weighted, fit_intercept, n_targets)
    penalty = problem.penalty(0.05, 0.3)
    stop = Stop(1e-10 * penalty.l1)
    sweeps = problem.start(SweepDescent, problem.draw(0))
    monkeypatch.setattr(set_descent, "N_SLOW", 2)
    assert sweeps.minimize(penalty, stop, 10_000) == 2
    assert sweeps.is_slow
    descent = sweeps.change_to_gram()
    assert isinstance(descent, GramDescent)
    np.testing.assert_array_equal(descent.coef, sweeps.coef)
    problem.check_state(descent)
    assert descent.minimize(penalty, stop, 10_000) > 0
    expected = problem.start(GramDescent, problem.draw(1))
    expected.minimize(penalty, stop, 10_000)
    np.testing.assert_allclose(descent.coef, expected.coef, atol=1e-8)


@with_parameters
def test_objectives_agree_up_to_a_constant(kind, is_weighted, fit_intercept, n_targets):
    problem = Problem(kind, is_weighted, fit_intercept, n_targets)
    penalty = problem.penalty(0.1, 0.5)
    norm2 = 0.5 * problem.sample.y_norm2
    for seed in range(3):
        coef = problem.draw(seed)
        expected = problem.objective(coef, penalty)
        for cls, constant in ((GramDescent, norm2), (SweepDescent, 0.0)):
            descent = problem.start(cls, coef)
            if cls is SweepDescent and fit_intercept:
                # Whatever multiple of the weights is in it.
                descent.state += 3.0 * problem.v
            value = descent._objective(descent.coef, descent.state, penalty)
            assert value + constant == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("cls", WAYS)
@with_parameters
def test_extrapolation_lowers_the_objective(
    kind, is_weighted, fit_intercept, n_targets, cls
):
    """Along a path it does, from elsewhere nothing changes."""
    problem = Problem(kind, is_weighted, fit_intercept, n_targets)
    penalties = [problem.penalty(share) for share in (0.5, 0.45, 0.4)]
    target = penalties[2]
    descent = problem.start(cls, np.zeros_like(problem.draw(0)))
    points = []
    for penalty in penalties[:2]:
        descent.minimize(penalty, Stop(1e-9 * penalty.l1), 10_000)
        points.append((descent.coef.copy(), descent.state.copy()))
    before = problem.objective(descent.coef, target)
    descent.extrapolate(points, penalties)
    problem.check_state(descent)
    after = problem.objective(descent.coef, target)
    descent.minimize(target, Stop(1e-9 * target.l1), 10_000)
    best = problem.objective(descent.coef, target)
    assert after - best < 0.5 * (before - best)

    coef, state = descent.coef.copy(), descent.state.copy()
    other = problem.start(cls, problem.draw(1))
    descent.extrapolate([(other.coef, other.state), (coef, state)], penalties)
    np.testing.assert_array_equal(descent.coef, coef)
    np.testing.assert_array_equal(descent.state, state)


@pytest.mark.parametrize("cls", WAYS)
@pytest.mark.parametrize("kind", ["C", "csr"])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_extrapolation_never_raises_the_objective(cls, kind, n_targets):
    problem = Problem(kind, n_targets=n_targets)
    penalties = [problem.penalty(share, 0.1) for share in (0.5, 0.45, 0.4)]
    has_moved = []
    for seed in range(30):
        change = 0.01 * problem.draw(seed)
        now = problem.start(cls, 0.1 * problem.draw(0))
        first = problem.start(cls, now.coef + change)
        points = [(d.coef.copy(), d.state.copy()) for d in (first, now)]
        before = problem.objective(now.coef, penalties[2])
        now.extrapolate(points, penalties)
        problem.check_state(now)
        after = problem.objective(now.coef, penalties[2])
        has_moved.append(after < before)
        assert after <= before
    assert any(has_moved)
    assert not all(has_moved)


@pytest.mark.parametrize("shares", [(0.4, 0.4, 0.3), (0.4, 0.3, 0.3), (0.4, 0.3, 0.5)])
def test_only_descending_penalties_are_extrapolated(shares):
    problem = Problem()
    penalties = [problem.penalty(share) for share in shares]
    descent = problem.start(GramDescent, problem.draw(0))
    coef = descent.coef.copy()
    best = problem.start(GramDescent, np.zeros_like(coef))
    best.minimize(penalties[2], Stop(1e-9), 10_000)
    descent.extrapolate([(best.coef, best.state)] * 2, penalties)
    np.testing.assert_array_equal(descent.coef, coef)


@pytest.mark.parametrize("cls", WAYS)
def test_no_sweeps(cls):
    """Where none is allowed, or nothing is left to do."""
    problem = Problem()
    penalty = problem.penalty(0.1)
    descent = problem.start(cls, problem.draw(0))
    coef = descent.coef.copy()
    assert descent.minimize(penalty, Stop(1e-9), 0) == 0
    np.testing.assert_array_equal(descent.coef, coef)
    none = WorkingSet(problem.working_set.design, problem.sample, np.arange(0))
    state = np.zeros((1, 0)) if cls is GramDescent else problem.sample.y.copy()
    descent = cls(problem.settings, none, np.zeros((1, 0)), state)
    assert descent.minimize(penalty, Stop(1e-9), 10) == 0


def start_of_two(factors=(1.0, 1.0), box=None):
    """Orthonormal columns, y = (10, 0); descent stands at (4, 0), (2, 0) is before."""
    design = make_design(np.eye(2))
    sample = make_samples(design, np.array([[10.0], [0.0]]), [None], False)[0]
    settings = Settings(1e-4, 100, np.array(factors), box)
    working_set = WorkingSet(design, sample, np.arange(2))
    now = np.array([[4.0, 0.0]]), np.array([[-6.0, 0.0]])
    before = np.array([[2.0, 0.0]]), np.array([[-8.0, 0.0]])
    descent = GramDescent(settings, working_set, *(array.copy() for array in now))
    return descent, [before, now]


@pytest.mark.parametrize(
    "factors, upper, expected",
    [((1.0, 1.0), 9.0, 6.0), ((3.0, 1.0), 9.0, 4.0), ((1.0, 1.0), 5.0, 4.0)],
)
def test_extrapolation_knows_factors_and_the_box(factors, upper, expected):
    box = np.full(2, -9.0), np.full(2, upper)
    descent, points = start_of_two(factors, box)
    descent.extrapolate(points, [ElasticNet(l1) for l1 in (3.0, 2.5, 2.0)])
    assert descent.coef.tolist() == [[expected, 0.0]]
