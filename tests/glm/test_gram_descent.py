"""Coordinate descent kernels against plain loops, and against each other."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._cython.linear.block_descent import minimize_blocks_on_gram
from sklearnx._cython.linear.column_descent import descend_columns
from sklearnx._cython.linear.gram_descent import (
    max_violation,
    minimize_on_gram,
    round_gram,
)
from sklearnx._glm.duality import compute_gap
from sklearnx._glm.penalties import ElasticNet, MinimaxConcave, SmoothlyClipped


def make_quadratic(n_rows, n_columns, factor=0.0, seed=0):
    """G and q of standardised least squares; `factor` makes columns collinear."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_columns))
    X += factor * rng.standard_normal((n_rows, 1))
    coef = np.zeros(n_columns)
    n_used = min(n_columns, max(3, n_columns // 10))
    coef[:n_used] = rng.standard_normal(n_used)
    y = X @ coef + rng.standard_normal(n_rows)
    return X.T @ X / n_rows, X.T @ y / n_rows


def descend_plainly(gram, q, factors, l1, l2, lower, upper, n_sweeps=20_000):
    """Cyclic coordinate descent, nothing else."""
    w = np.clip(np.zeros(len(q)), lower, upper)
    for _ in range(n_sweeps):
        before = w.copy()
        for j in range(len(q)):
            a = gram[j, j]
            if a <= 0.0:
                continue
            pull = q[j] - gram[j] @ w + a * w[j]
            t = np.sign(pull) * max(abs(pull) - factors[j] * l1, 0.0)
            w[j] = np.clip(t / (a + factors[j] * l2), lower[j], upper[j])
        if np.max(np.abs(w - before)) < 1e-15:
            break
    return w


def minimize(gram, q, penalty, factors=None, box=None, tol=1e-12, max_iter=100_000):
    n = len(q)
    factors = np.ones(n) if factors is None else factors
    lower, upper = box or (np.full(n, -np.inf), np.full(n, np.inf))
    coef = np.clip(np.zeros(n), lower, upper)
    gradient = gram @ coef - q
    n_iter = minimize_on_gram(
        gram, gradient, coef, factors, penalty.pieces, lower, upper, tol, max_iter
    )
    return coef, gradient, n_iter


@pytest.mark.parametrize("n_columns", [1, 5, 40])
@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_elastic_net_equals_plain_descent(n_columns, share, l2):
    gram, q = make_quadratic(60, n_columns)
    rng = np.random.default_rng(1)
    factors = rng.uniform(0.0, 2.0, n_columns)
    factors[0] = 0.0
    lower = np.where(rng.uniform(size=n_columns) < 0.3, -0.1, -np.inf)
    upper = np.where(rng.uniform(size=n_columns) < 0.3, 0.2, np.inf)
    l1 = share * np.max(np.abs(q))
    expected = descend_plainly(gram, q, factors, l1, l2, lower, upper)
    coef, gradient, _ = minimize(gram, q, ElasticNet(l1, l2), factors, (lower, upper))
    np.testing.assert_allclose(coef, expected, atol=1e-9)
    np.testing.assert_array_equal(coef == 0.0, expected == 0.0)
    np.testing.assert_allclose(gradient, gram @ coef - q, atol=1e-12)


@pytest.mark.parametrize("factor", [0.0, 3.0])
@pytest.mark.parametrize("share", [0.3, 0.03, 0.003])
def test_large_problems_meet_the_optimality_conditions(factor, share):
    """Above 256 coefficients sets are packed; collinear ones need the solve."""
    gram, q = make_quadratic(400, 600, factor)
    l1 = share * np.max(np.abs(q))
    coef, gradient, n_iter = minimize(gram, q, ElasticNet(l1), tol=1e-8 * l1)
    assert 0 < n_iter < 20_000
    exact = gram @ coef - q
    np.testing.assert_allclose(gradient, exact, atol=1e-9)
    penalised = np.where(
        coef == 0, np.abs(exact) - l1, np.abs(exact + l1 * np.sign(coef))
    )
    assert penalised.max() <= 1e-6 * l1


def test_tolerance_stops_early_and_zero_sweeps_when_optimal():
    gram, q = make_quadratic(100, 30)
    penalty = ElasticNet(0.05 * np.max(np.abs(q)))
    _, _, n_loose = minimize(gram, q, penalty, tol=1e-2)
    coef, gradient, n_tight = minimize(gram, q, penalty, tol=1e-10)
    assert 0 < n_loose < n_tight
    arrays = np.ones(30), penalty.pieces, np.full(30, -np.inf), np.full(30, np.inf)
    assert max_violation(gram, gradient, coef, *arrays) <= 1e-10
    assert minimize_on_gram(gram, gradient, coef, *arrays, 1e-9, 100) == 0


def test_max_iter_is_kept_and_descent_can_go_on():
    """Ten sweeps are five and five."""
    gram, q = make_quadratic(50, 80, 1.0)
    penalty = ElasticNet(0.01 * np.max(np.abs(q)))
    ten, _, n_iter = minimize(gram, q, penalty, tol=0.0, max_iter=10)
    assert n_iter == 10
    coef, gradient, _ = minimize(gram, q, penalty, tol=0.0, max_iter=5)
    minimize_on_gram(
        gram, gradient, coef, np.ones(80), penalty.pieces, np.full(80, -np.inf),
        np.full(80, np.inf), 0.0, 5,
    )  # fmt: skip
    np.testing.assert_allclose(coef, ten, atol=1e-12)


def test_columns_of_zeros_and_duplicates():
    gram, q = make_quadratic(60, 10)
    gram[3] = gram[:, 3] = 0.0
    q[3] = 0.0
    gram[7], q[7] = gram[6], q[6]
    gram[:, 7] = gram[:, 6]
    coef, _, _ = minimize(gram, q, ElasticNet(0.01 * np.max(np.abs(q))))
    assert coef[3] == 0.0
    assert np.isfinite(coef).all()
    keep = [j for j in range(10) if j not in (3, 7)]
    alone, _, _ = minimize(
        np.ascontiguousarray(gram[np.ix_(keep, keep)]), q[keep],
        ElasticNet(0.01 * np.max(np.abs(q))),
    )  # fmt: skip
    assert coef[6] + coef[7] == pytest.approx(alone[keep.index(6)], abs=1e-9)


@pytest.mark.parametrize(
    "penalty", [MinimaxConcave(0.2, 3.0), SmoothlyClipped(0.2, 3.7)]
)
def test_concave_penalties_end_in_a_local_minimum(penalty):
    gram, q = make_quadratic(200, 50)
    coef, _, _ = minimize(gram, q, penalty, tol=1e-10)

    def objective(w):
        return 0.5 * w @ gram @ w - q @ w + penalty.value(w).sum()

    best = objective(coef)
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert objective(coef + 1e-3 * rng.standard_normal(50)) > best
    # No single coefficient can be moved anywhere for the better.
    for j in range(50):
        for value in np.linspace(-2, 2, 81):
            moved = coef.copy()
            moved[j] = value
            assert objective(moved) >= best - 1e-12


def test_strided_gram():
    """Rows may have room behind them."""
    gram, q = make_quadratic(60, 20)
    room = np.full((25, 33), np.nan)
    room[:20, :20] = gram
    penalty = ElasticNet(0.1)
    np.testing.assert_array_equal(
        minimize(room[:20, :20], q, penalty)[0], minimize(gram, q, penalty)[0]
    )


@pytest.mark.parametrize("n_columns", [6, 40, 300])
@pytest.mark.parametrize("share", [0.5, 0.05])
def test_blocks_meet_the_optimality_conditions(n_columns, share):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, n_columns))
    Y = X[:, :4] @ rng.standard_normal((4, 3)) + rng.standard_normal((80, 3))
    gram, Q = X.T @ X, X.T @ Y
    factors = rng.uniform(0.5, 2.0, n_columns)
    l1, l2 = share * np.linalg.norm(Q, axis=1).max(), 2.0
    coef, gradient = np.zeros((3, n_columns)), -Q.T.copy()
    n_iter = minimize_blocks_on_gram(
        gram, gradient, coef, factors, l1, l2, 1e-9 * l1, 10_000
    )
    assert 0 < n_iter < 10_000
    W = coef.T
    exact = gram @ W - Q
    np.testing.assert_allclose(gradient.T, exact, atol=1e-8)
    norms = np.linalg.norm(W, axis=1)
    is_zero = norms == 0.0
    threshold = l1 * factors
    assert (
        np.linalg.norm(exact[is_zero], axis=1) <= threshold[is_zero] * (1 + 1e-8)
    ).all()
    unit = W[~is_zero] / norms[~is_zero, None]
    rest = exact + l2 * factors[:, None] * W
    rest = rest[~is_zero] + threshold[~is_zero, None] * unit
    assert np.abs(rest).max() <= 1e-6 * l1


def test_one_target_of_blocks_is_the_elastic_net():
    gram, q = make_quadratic(60, 20)
    l1 = 0.1 * np.max(np.abs(q))
    expected, _, _ = minimize(gram, q, ElasticNet(l1, 0.2))
    coef, gradient = np.zeros((1, 20)), -q[None].copy()
    minimize_blocks_on_gram(gram, gradient, coef, np.ones(20), l1, 0.2, 1e-12, 10_000)
    np.testing.assert_allclose(coef[0], expected, atol=1e-10)


def store_columns(X, storage, rng):
    """The columns of X as `descend_columns` takes them, and their places."""
    if storage == "sparse":
        csc = sparse.csc_array(X)
        indices = csc.indices.astype(np.int32)
        return csc.data, indices, csc.indptr.astype(np.int64), None
    places = None
    if storage == "places":
        table = np.full((len(X), 30), np.nan, dtype=X.dtype)
        places = rng.permutation(30)[: X.shape[1]]
        table[:, places] = X
        X = table
    return X.ravel(order="F"), None, None, places


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("storage", ["dense", "places", "sparse"])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(
    "n_targets, ends", [(1, None), (1, (-0.1, 0.2)), (1, (0.1, np.inf)), (3, None)]
)
def test_columns_equal_gram(
    dtype, storage, is_weighted, fit_intercept, n_targets, ends
):
    """Descent on centred columns is descent on their Gram matrix."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 20)) * (rng.uniform(size=(50, 20)) < 0.5)
    X = X.astype(dtype)
    Y = X[:, :1] * 3.0 + rng.standard_normal((50, n_targets)) + 1.0
    weights = None
    if is_weighted:
        weights = rng.uniform(0.0, 2.0, 50)
        weights[:5] = 0.0
    v = np.ones(50) if weights is None else weights
    total, means = 0.0, np.zeros(20)
    if fit_intercept:
        total, means = v.sum(), v @ X / v.sum()
        Y = Y - v @ Y / total
    centred = X - means
    gram, Q = centred.T @ (v[:, None] * centred), centred.T @ (v[:, None] * Y)
    factors = rng.uniform(0.0, 2.0, 20)
    factors[3] = 0.0
    l1, l2 = 0.1 * np.max(np.abs(Q)), 0.5
    lower, upper = (np.full(20, end) for end in ends or (-np.inf, np.inf))
    if n_targets == 1:
        penalty = ElasticNet(l1, l2)
        expected = minimize(gram, Q[:, 0], penalty, factors, (lower, upper))[0][None]
    else:
        expected, gradient = np.zeros((3, 20)), -Q.T.copy()
        minimize_blocks_on_gram(
            gram, gradient, expected, factors, l1, l2, 1e-12, 10_000
        )

    coef = np.clip(rng.standard_normal((n_targets, 20)), lower, upper)
    shift = 2.0 if fit_intercept else 0.0
    base = np.ascontiguousarray((v[:, None] * (Y - centred @ coef.T + shift)).T)
    sums = base.sum(axis=1)
    values, indices, indptr, places = store_columns(X, storage, rng)
    n_iter = descend_columns(
        values, indices, indptr, weights, total, means, gram.diagonal().copy(), base,
        sums, coef, factors, lower, upper, np.arange(20), l1, l2, 1e-12, 10_000,
        places=places,
    )  # fmt: skip
    assert n_iter > 1
    np.testing.assert_allclose(coef, expected, atol=1e-9)
    rest = base - v * (Y - centred @ coef.T).T
    shift = np.zeros(n_targets)
    if fit_intercept:
        np.testing.assert_allclose(sums, base.sum(axis=1), atol=1e-9)
        shift = rest.sum(axis=1) / total
    np.testing.assert_allclose(rest, np.outer(shift, v), atol=1e-10)


def test_columns_out_of_the_order_stay():
    """They count as constants, whatever they are."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 12)), rng.standard_normal(40)
    gram, order = X.T @ X, np.array([7, 2, 4, 11])
    coef = rng.standard_normal((1, 12))
    fixed = np.delete(coef[0], order)
    rest = y - np.delete(X, order, axis=1) @ fixed
    few = np.ascontiguousarray(gram[np.ix_(order, order)])
    expected, _, _ = minimize(few, X[:, order].T @ rest, ElasticNet(3.0))
    base = (y - X @ coef[0])[None]
    descend_columns(
        X.ravel(order="F"), None, None, None, 0.0, np.zeros(12),
        gram.diagonal().copy(), base, base.sum(axis=1), coef, np.ones(12),
        np.full(12, -np.inf), np.full(12, np.inf), order, 3.0, 0.0, 1e-12, 10_000,
    )  # fmt: skip
    np.testing.assert_allclose(coef[0, order], expected, atol=1e-10)
    np.testing.assert_array_equal(np.delete(coef[0], order), fixed)


def descend(kind, X, Y, l1, gap=0.0, loose_tol=0.0, max_iter=100_000):
    """The duality gap that a kernel leaves from zeros on, and its sweeps."""
    n_columns, n_targets = X.shape[1], Y.shape[1]
    gram, tol = X.T @ X, 1e-9 * l1
    coef, gradient = np.zeros((n_targets, n_columns)), -(Y.T @ X)
    factors, infinite = np.ones(n_columns), np.full(n_columns, np.inf)
    if kind == "blocks":
        n_iter = minimize_blocks_on_gram(
            gram, gradient, coef, factors, l1, 0.0, tol, max_iter, loose_tol, gap
        )
    elif kind == "columns":
        base = Y.T.copy()
        n_iter = descend_columns(
            X.ravel(order="F"), None, None, None, 0.0, np.zeros(n_columns),
            gram.diagonal().copy(), base, base.sum(axis=1), coef, factors, -infinite,
            infinite, np.arange(n_columns), l1, 0.0, tol, max_iter, loose_tol, gap,
        )  # fmt: skip
    else:
        rounded = np.empty(gram.shape, dtype=np.float32)
        assert round_gram(gram, rounded)
        n_iter = minimize_on_gram(
            gram, gradient[0], coef[0], factors, ElasticNet(l1).pieces, -infinite,
            infinite, tol, max_iter, rounded if kind == "rounded" else None, loose_tol,
            gap,
        )  # fmt: skip
    R = Y - X @ coef.T
    return (
        compute_gap(l1, 0.0, factors, coef.T, X.T @ R, (R * R).sum(), (R * Y).sum()),
        n_iter,
    )


KINDS = [("gram", 1), ("rounded", 1), ("blocks", 3), ("columns", 1), ("columns", 3)]


@pytest.mark.parametrize("kind, n_targets", KINDS)
@pytest.mark.parametrize("share", [0.5, 0.1, 0.02, 0.001])
def test_a_gap_to_stop_at(kind, n_targets, share):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 300))
    Y = X[:, :10] @ rng.standard_normal((10, n_targets))
    Y += rng.standard_normal(Y.shape)
    l1 = share * np.linalg.norm(X.T @ Y, axis=1).max()
    gap = 1e-4 * (Y * Y).sum()
    stop = gap, l1 * np.sqrt(gap) / np.linalg.norm(Y)
    reached, n_iter = descend(kind, X, Y, l1, *stop)
    assert reached <= gap
    assert n_iter < descend(kind, X, Y, l1)[1]
    # It was not for nothing.
    assert descend(kind, X, Y, l1, *stop, max_iter=n_iter // 4)[0] > gap


@pytest.mark.parametrize("kind, n_targets", KINDS)
def test_weak_penalties_need_the_loose_violation(kind, n_targets):
    """Small coefficients of noise, whose residuals are not small."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((300, 20)), rng.standard_normal((300, n_targets))
    l1 = 1e-5 * np.linalg.norm(X.T @ Y, axis=1).max()
    gap = 1e-4 * (Y * Y).sum()
    reached, n_iter = descend(
        kind, X, Y, l1, gap, l1 * np.sqrt(gap) / np.linalg.norm(Y)
    )
    assert reached <= gap
    assert n_iter < descend(kind, X, Y, l1)[1]
    assert descend(kind, X, Y, l1, gap, np.inf)[0] > gap


@pytest.mark.parametrize("factor", [0.0, 30.0])
@pytest.mark.parametrize("scale", [1e-10, 1.0, 1e10])
def test_rounded_sweeps_reach_the_same_optimum(factor, scale):
    """To tolerances far below the rounding of float, collinear columns as well."""
    gram, q = make_quadratic(450, 500, factor)
    gram, q = scale * gram, scale * q
    l1 = 0.003 * np.max(np.abs(q))
    tol = 1e-10 * l1
    rounded = np.empty(gram.shape, dtype=np.float32)
    assert round_gram(gram, rounded)
    infinite = np.full(500, np.inf)
    coef, gradient = np.zeros(500), -q.copy()
    pieces = ElasticNet(l1).pieces
    arguments = np.ones(500), pieces, -infinite, infinite
    n_iter = minimize_on_gram(gram, gradient, coef, *arguments, tol, 100_000, rounded)
    assert 0 < n_iter < 100_000
    np.testing.assert_allclose(gradient, gram @ coef - q, atol=1e-10 * np.abs(q).max())
    assert max_violation(gram, gradient, coef, *arguments) <= tol
    expected, _, _ = minimize(gram, q, ElasticNet(l1), tol=tol)

    def objective(w):
        return 0.5 * w @ gram @ w - q @ w + l1 * np.abs(w).sum()

    assert objective(coef) <= objective(expected) + 1e-12 * abs(objective(expected))


def test_a_matrix_beyond_float_is_not_rounded():
    gram = np.diag([1.0, 1e300, 0.0])
    assert not round_gram(gram, np.empty((3, 3), dtype=np.float32))
    gram = np.diag([1.0, 1e-30, 0.0])
    assert not round_gram(gram, np.empty((3, 3), dtype=np.float32))
    assert round_gram(np.diag([1.0, 0.0, 1e20]), np.empty((3, 3), dtype=np.float32))
