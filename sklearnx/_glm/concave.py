"""Least squares with a concave penalty of each coefficient.

The objective has several local minima. The one that is found is near the lasso's
solution for the same strength, where descent starts (P. Breheny and J. Huang,
"Coordinate descent algorithms for nonconvex penalized regression", Annals of Applied
Statistics 5 (2011)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cython.linear.gram_descent import minimize_on_gram
from sklearnx._glm.paths import MIN_BATCH, PathSolver
from sklearnx._glm.tracks import Settings, Track, make_penalties
from sklearnx._glm.working_set import WorkingSet

# Rounds in which columns join, or a smaller violation is asked for.
MAX_ROUNDS = 100


@dataclass(frozen=True)
class Solution:
    """A local minimum.

    Attributes
    ----------
    coef : ndarray of shape (n_columns,)
    n_iter : int
        Sweeps of coordinate descent.
    violation : float
        The largest violation of an optimality condition, as a share of the strength.
    has_converged : bool
    """

    coef: np.ndarray
    n_iter: int
    violation: float
    has_converged: bool


def solve_concave(design, sample, penalty, factors, tol, max_iter):
    """Find a local minimum of |y - Xw|**2 / 2 + total * sum_j factors_j pen(w_j).

    Parameters
    ----------
    design : DenseDesign or SparseDesign
    sample : Sample
        Of one target.
    penalty : MinimaxConcave or SmoothlyClipped
        Any penalty with `l1`, its derivative at zero, and `pieces`.
    factors : ndarray of shape (n_columns,)
    tol : float
        The largest violation of an optimality condition, as a share of total * l1.
    max_iter : int

    Returns
    -------
    solution : Solution
    """
    lasso = make_penalties([penalty.l1], 1.0, sample.total)
    track = Track(sample, lasso)
    PathSolver(design, [track], Settings(1e-3, max_iter, factors)).solve()
    n_iter = track.steps[0].n_iter
    coef = np.zeros(design.n_columns)
    coef[track.working_set.columns] = track.steps[0].coef[0]

    working_set = WorkingSet(
        design, sample, np.flatnonzero((coef != 0.0) | (factors == 0.0))
    )
    strength = sample.total * penalty.l1
    inner_tol = 0.5 * tol * strength
    violation = np.inf
    for _ in range(MAX_ROUNDS):
        columns = working_set.columns
        correlations = _correlate(working_set, sample, coef)
        violations = _find_violations(
            penalty, sample.total * factors, coef, correlations
        )
        violation = float(np.max(violations, initial=0.0))
        if violation <= tol * strength or n_iter >= max_iter:
            break
        outside = violations.copy()
        outside[columns] = 0.0
        joining = _choose(outside, tol * strength)
        if len(joining) > 0:
            working_set.change(np.arange(len(columns)), joining)
            columns = working_set.columns
        elif n_iter > track.steps[0].n_iter:
            inner_tol *= 0.1
        if len(columns) == 0:
            break
        packed_coef = coef[columns]
        n_iter += minimize_on_gram(
            working_set.gram(),
            -correlations[columns],
            packed_coef,
            sample.total * factors[columns],
            penalty.pieces,
            np.full(len(columns), -np.inf),
            np.full(len(columns), np.inf),
            inner_tol,
            max_iter - n_iter,
        )
        coef[columns] = packed_coef
    share = violation / strength
    return Solution(coef, n_iter, share, share <= tol)


def _correlate(working_set, sample, coef):
    """Centred products of all columns with the residual."""
    columns = working_set.columns
    packed = coef[columns, None]
    fitted = working_set.fit_rows(packed)
    weighted = sample.apply_weights(sample.find_residual(fitted, columns, packed))
    return sample.correlate(weighted, working_set.design.t_dot(weighted))[:, 0]


def _find_violations(penalty, factors, coef, correlations):
    """How far each coefficient is from satisfying its optimality condition."""
    size = np.abs(coef)
    pieces = penalty.pieces
    index = np.searchsorted(pieces[:, 0], size, side="right") - 1
    knot, start, slope = pieces[index].T
    derivative = np.sign(coef) * factors * (start + slope * (size - knot))
    at_zero = np.maximum(np.abs(correlations) - factors * pieces[0, 1], 0.0)
    return np.where(coef == 0.0, at_zero, np.abs(correlations - derivative))


def _choose(violations, tol):
    """The columns that join: the worst violators, in ascending order."""
    candidates = np.flatnonzero(violations > tol)
    if len(candidates) > MIN_BATCH:
        order = np.argsort(-violations[candidates], kind="stable")
        candidates = np.sort(candidates[order[:MIN_BATCH]])
    return candidates
