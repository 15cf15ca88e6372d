"""Group descent against proximal gradient descent, and its pieces one by one."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import brentq

from sklearnx._cython.linear.group_descent import compute_dual_norms
from sklearnx._glm import group_descent
from sklearnx._glm.design import make_design
from sklearnx._glm.group_descent import (
    GroupProblem,
    _ScaledBlocks,
    _TurnedBlocks,
    number_groups,
)
from sklearnx._glm.group_penalty import GroupPenalty


def make_data(n_rows, n_columns, n_groups, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) + 1
    X[:, 1:] += 0.5 * X[:, :-1]
    labels = rng.integers(0, n_groups, n_columns)
    labels[:n_groups] = np.arange(n_groups)
    coef = np.where(labels < 3, rng.normal(size=n_columns), 0)
    return X, X @ coef + rng.normal(size=n_rows) + 5, labels


def make_penalty(problem, labels, l1_ratio):
    levels = (1 - l1_ratio) * np.sqrt(np.bincount(labels))
    return GroupPenalty(problem.starts, levels, l1_ratio)


def soften(x, threshold):
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)


def evaluate(X, y, labels, levels, l1, coef, intercept, weights=None):
    squares = (y - X @ coef - intercept) ** 2
    norms = np.sqrt(np.bincount(labels, coef**2))
    return (
        np.average(squares, weights=weights) / 2
        + l1 * np.abs(coef).sum()
        + (levels * norms).sum()
    )


def minimize_naively(X, y, labels, levels, l1, n_steps=20_000):
    """The oracle: accelerated proximal gradient descent on the centred table."""
    X, y = X - X.mean(axis=0), y - y.mean()
    gram, target = X.T @ X / len(y), X.T @ y / len(y)
    step = 1 / np.linalg.eigvalsh(gram)[-1]
    coef = ahead = np.zeros(X.shape[1])
    momentum = 1.0
    for _ in range(n_steps):
        moved = soften(ahead - step * (gram @ ahead - target), step * l1)
        norms = np.sqrt(np.bincount(labels, moved**2))
        shrunk = np.maximum(1 - step * levels / np.maximum(norms, 1e-300), 0)
        updated = moved * shrunk[labels]
        if np.abs(updated - coef).max() < 1e-14:
            break
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = updated + (momentum - 1) / following * (updated - coef)
        coef, momentum = updated, following
    return coef


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("shape", [(200, 30, 8), (60, 400, 120)])
def test_it_reaches_the_minimum(shape, l1_ratio):
    X, y, labels = make_data(*shape)
    problem = GroupProblem(make_design(X), y, labels)
    penalty = make_penalty(problem, labels, l1_ratio)
    penalty = penalty.scale(0.1 * problem.find_alpha_max(penalty))
    fit = problem.solve(penalty, tol=1e-13, max_iter=100_000)
    expected = minimize_naively(X, y, labels, penalty.levels, penalty.l1)
    np.testing.assert_allclose(fit.coef, expected, atol=1e-6)
    assert 0 < np.count_nonzero(fit.coef) < len(labels)
    np.testing.assert_array_equal(fit.coef != 0, np.abs(expected) > 1e-9)
    intercept = y.mean() - X.mean(axis=0) @ expected
    value = evaluate(X, y, labels, penalty.levels, penalty.l1, fit.coef, fit.intercept)
    best = evaluate(X, y, labels, penalty.levels, penalty.l1, expected, intercept)
    assert value <= best * (1 + 1e-12)
    assert fit.is_converged
    assert fit.dual_gap <= 1e-13 * problem.y2


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4])
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("shape", [(200, 30, 8), (60, 400, 120)])
def test_the_gap_bounds_the_error(shape, tol, l1_ratio):
    X, y, labels = make_data(*shape)
    problem = GroupProblem(make_design(X), y, labels)
    penalty = make_penalty(problem, labels, l1_ratio)
    penalty = penalty.scale(0.05 * problem.find_alpha_max(penalty))
    arguments = (X, y, labels, penalty.levels, penalty.l1)
    best = problem.solve(penalty, tol=1e-14, max_iter=100_000)
    fit = problem.solve(penalty, tol=tol)
    error = evaluate(*arguments, fit.coef, fit.intercept)
    error -= evaluate(*arguments, best.coef, best.intercept)
    assert -1e-12 <= error <= fit.dual_gap + 1e-12
    assert fit.dual_gap <= tol * problem.y2


def test_working_sets_and_gram_agree(monkeypatch):
    X, y, labels = make_data(150, 280, 90)
    problem = GroupProblem(make_design(X), y, labels)
    penalty = make_penalty(problem, labels, 0.0)
    penalty = penalty.scale(0.05 * problem.find_alpha_max(penalty))
    on_gram = problem.solve(penalty, tol=1e-13, max_iter=100_000)
    assert "gram" in vars(problem)
    monkeypatch.setattr(group_descent, "_FEW_COLUMNS", 0)
    problem = GroupProblem(make_design(X), y, labels)
    by_sets = problem.solve(penalty, tol=1e-13, max_iter=100_000)
    assert "gram" not in vars(problem)
    np.testing.assert_allclose(by_sets.coef, on_gram.coef, atol=1e-6)


def test_few_groups_that_are_left_are_solved_alone(monkeypatch):
    X, y, labels = make_data(300, 600, 200)
    problem = GroupProblem(make_design(X), y, labels)
    penalty = make_penalty(problem, labels, 0.0)
    penalty = penalty.scale(0.5 * problem.find_alpha_max(penalty))
    parts = []
    restrict = GroupProblem.restrict

    def note(self, groups):
        parts.append(len(groups))
        return restrict(self, groups)

    monkeypatch.setattr(GroupProblem, "restrict", note)
    fit = problem.solve(penalty, tol=1e-13)
    assert len(parts) > 1
    assert max(parts) <= 60
    monkeypatch.undo()
    monkeypatch.setattr(group_descent, "_FEW_COLUMNS", 1000)
    expected = problem.solve(penalty, tol=1e-13)
    np.testing.assert_allclose(fit.coef, expected.coef, atol=1e-7)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4])
def test_screened_groups_are_zero(l1_ratio):
    X, y, labels = make_data(100, 150, 50)
    problem = GroupProblem(make_design(X), y, labels)
    penalty = make_penalty(problem, labels, l1_ratio)
    penalty = penalty.scale(0.3 * problem.find_alpha_max(penalty))
    best = problem.solve(penalty, tol=1e-14, max_iter=100_000).coef[problem.order]
    is_zero = np.add.reduceat(np.abs(best), problem.starts[:-1]) == 0
    n_found = []
    for tol in (1e-2, 1e-4, 1e-6, 1e-8):
        coef = problem.solve(penalty, tol=tol).coef[problem.order]
        residual = problem.compute_residual(coef)
        products = problem.project(residual)
        gap, scale = problem.compute_gap(penalty, coef, residual, products)
        radii = problem.group_norms * np.sqrt(2 * gap)
        found = penalty.find_zeros(scale * products, radii)
        assert not (found & ~is_zero).any()
        n_found.append(found.sum())
    assert n_found[-1] == is_zero.sum() > 0


@pytest.mark.parametrize(
    "make", [sparse.csr_array, sparse.csc_array, np.asfortranarray]
)
@pytest.mark.parametrize("shape", [(200, 30, 8), (60, 400, 120)])
def test_any_storage(make, shape):
    X, y, labels = make_data(*shape)
    X[np.abs(X) < 1] = 0
    results = []
    for table in (X, make(X)):
        problem = GroupProblem(make_design(table), y, labels)
        penalty = make_penalty(problem, labels, 0.2)
        penalty = penalty.scale(0.1 * problem.find_alpha_max(penalty))
        results.append(problem.solve(penalty, tol=1e-13, max_iter=100_000).coef)
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)


@pytest.mark.parametrize("shape", [(80, 30, 8), (60, 400, 120)])
def test_weights_are_repetitions(shape):
    X, y, labels = make_data(*shape)
    weights = np.random.default_rng(1).integers(0, 3, len(y))
    weighted = GroupProblem(make_design(X), y, labels, weights.astype(float))
    rows = np.repeat(np.arange(len(y)), weights)
    repeated = GroupProblem(make_design(X[rows]), y[rows], labels)
    penalty = make_penalty(weighted, labels, 0.0)
    penalty = penalty.scale(0.1 * weighted.find_alpha_max(penalty))
    one = weighted.solve(penalty, tol=1e-13, max_iter=100_000)
    two = repeated.solve(penalty, tol=1e-13, max_iter=100_000)
    np.testing.assert_allclose(one.coef, two.coef, atol=1e-6)
    np.testing.assert_allclose(one.intercept, two.intercept, atol=1e-6)


def test_no_intercept():
    X, y, labels = make_data(100, 20, 5)
    problem = GroupProblem(make_design(X), y, labels, fit_intercept=False)
    penalty = make_penalty(problem, labels, 0.0).scale(1e-10)
    fit = problem.solve(penalty, tol=1e-14, max_iter=100_000)
    assert fit.intercept == 0
    expected = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(fit.coef, expected, atol=1e-6)


def test_groups_without_penalty():
    X, y, labels = make_data(100, 20, 5)
    problem = GroupProblem(make_design(X), y, labels)
    levels = np.array([0.0, 1e6, 1e6, 0.0, 1e6])
    penalty = GroupPenalty(problem.starts, levels)
    fit = problem.solve(penalty, tol=1e-12, max_iter=100_000)
    free = np.isin(labels, [0, 3])
    assert not fit.coef[~free].any()
    centred = X[:, free] - X[:, free].mean(axis=0)
    expected = np.linalg.lstsq(centred, y - y.mean(), rcond=None)[0]
    np.testing.assert_allclose(fit.coef[free], expected, atol=1e-6)
    assert fit.is_converged


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_the_largest_alpha(l1_ratio):
    X, y, labels = make_data(60, 400, 120)
    problem = GroupProblem(make_design(X), y, labels)
    penalty = make_penalty(problem, labels, l1_ratio)
    largest = problem.find_alpha_max(penalty)
    zero = problem.solve(penalty.scale(largest * (1 + 1e-9)))
    assert not zero.coef.any()
    assert zero.intercept == pytest.approx(y.mean())
    assert problem.solve(penalty.scale(0.999 * largest), tol=1e-10).coef.any()


def test_bits_do_not_depend_on_threads():
    X, y, labels = make_data(3000, 700, 200)
    results = []
    for n_threads in (1, 2, 3):
        problem = GroupProblem(make_design(X, n_threads), y, labels)
        penalty = make_penalty(problem, labels, 0.0)
        fit = problem.solve(penalty.scale(0.05 * problem.find_alpha_max(penalty)))
        results.append(fit.coef)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("kind", ["constant", "collinear", "huge", "fits exactly"])
def test_degenerate_columns(kind):
    X, y, labels = make_data(50, 20, 5)
    if kind == "constant":
        X[:, ::3] = 7
    elif kind == "collinear":
        X[:, 1::2] = X[:, ::2]
    elif kind == "huge":
        X *= 1e150
    else:
        y = X[:, 0] * 2 + 1
    problem = GroupProblem(make_design(X), y, labels)
    penalty = make_penalty(problem, labels, 0.0)
    penalty = penalty.scale(1e-3 * problem.find_alpha_max(penalty))
    fit = problem.solve(penalty, tol=1e-9, max_iter=100_000)
    assert np.isfinite(fit.coef).all()
    assert fit.is_converged
    if kind == "constant":
        np.testing.assert_allclose(fit.coef[::3], 0, atol=1e-10)


@pytest.mark.parametrize("level, l1", [(1.3, 0.0), (0.0, 0.7), (1.3, 0.7), (0.4, 0.7)])
def test_dual_norms(level, l1):
    rng = np.random.default_rng(0)
    starts = np.array([0, 1, 3, 10, 60])
    gradient = rng.normal(size=60)
    levels = np.full(4, level)
    norms = compute_dual_norms(gradient, starts, levels, l1)
    for group, norm in enumerate(norms):
        part = gradient[starts[group] : starts[group + 1]]

        def excess(nu, part=part):
            return np.linalg.norm(soften(part, nu * l1)) - nu * level

        if level == 0:
            expected = np.abs(part).max() / l1
        else:
            expected = brentq(excess, 0, 1e3, xtol=1e-14)
        assert norm == pytest.approx(expected, rel=1e-10)
    assert compute_dual_norms(np.zeros(60), starts, levels, l1).tolist() == [0] * 4


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_weak_penalties_take_few_sweeps(l1_ratio):
    # Hundreds of thousands by descent alone.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 60)) + 3 * rng.normal(size=(30, 1))
    y = X[:, :3].sum(axis=1) + rng.normal(size=30)
    labels = np.arange(60) % 40
    problem = GroupProblem(make_design(X), y, labels)
    penalty = make_penalty(problem, labels, l1_ratio)
    penalty = penalty.scale(1e-4 * problem.find_alpha_max(penalty))
    fit = problem.solve(penalty, tol=1e-10, max_iter=3000)
    assert fit.is_converged


def test_blocks_are_majorised():
    X, _, labels = make_data(100, 20, 5)
    order, starts = number_groups(labels)
    gram = np.ascontiguousarray((X.T @ X)[np.ix_(order, order)])
    turned, scaled = _TurnedBlocks(gram, starts), _ScaledBlocks(gram, starts)
    coef = np.arange(20.0)
    np.testing.assert_allclose(turned.turn_back(turned.turn(coef)), coef, atol=1e-12)
    np.testing.assert_allclose(
        turned.gram @ turned.turn(coef), turned.turn(gram @ coef), rtol=1e-10
    )
    for start, end in pairwise(starts):
        block = slice(start, end)
        np.testing.assert_array_equal(
            turned.gram[block, block], np.diag(turned.curvature[block])
        )
        rest = np.diag(scaled.curvature[block]) - gram[block, block]
        assert np.linalg.eigvalsh(rest)[0] >= -1e-9
