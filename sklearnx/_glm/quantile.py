"""Quantile regression with an l1 penalty, a linear program.

    minimise over coef and intercept
    sum_i s_i * rho_q(y_i - x_i @ coef - intercept) + sum_j l1_j * |coef_j|,
    rho_q(r) = q * r for r >= 0, else (q - 1) * r.

The penalty of a coefficient is one more row: x = e_j, y = 0, with |.| for rho. With the
duals z of all rows, in their boxes lower = (q - 1) s <= z <= q s = upper (for a penalty
-l1 <= z <= l1), optimality reads X' z = 0 (summed over rows of both kinds), z_i =
upper_i where the residual is above 0 and lower_i where it is below. Three stages:

1. Many rows: the solution for some of them tells the sign of most residuals. Rows of
   known sign add a constant to X' z and drop out; a wrong sign brings the row back
   (Portnoy and Koenker 1997, section 5). Many columns with a penalty: a working set of
   columns, priced by |x_j' z| <= l1_j.
2. A primal-dual interior point method with Mehrotra's corrector (1992), whose normal
   equations are a weighted Gram matrix (the Frisch-Newton method of Portnoy and Koenker
   1997).
3. The vertex: a basis of as many rows as coefficients, through which the solution
   passes exactly; see quantile_vertex.py.

References
----------
S. Portnoy and R. Koenker. "The Gaussian hare and the Laplacian tortoise: computability
of squared-error versus absolute-error estimators". Statistical Science 12.4 (1997).
S. Mehrotra. "On the implementation of a primal-dual interior point method". SIAM
Journal on Optimization 2.4 (1992).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.lapack import dpstrf

from sklearnx._glm.quantile_vertex import find_vertex
from sklearnx._glm.row_space import RowSpace
from sklearnx._linalg import (
    LinAlgError,
    check_finite,
    cholesky,
    one_blas_thread,
    solve_factored,
)

# Share of the objective that the duality gap may reach.
GAP = 1e-9
# How far to go to the nearest bound.
SHARE_OF_STEP = 0.9995
# Rows from which a subset decides the signs of most residuals.
MIN_ROWS_FOR_SUBSET = 8000
# Penalised columns from which a working set is solved for.
MIN_COLUMNS_FOR_WORKING_SET = 100
# Pivots below it make a column of unit norm count as made up of others.
MIN_PIVOT = 1e-12
TINY = np.finfo(np.float64).tiny


@dataclass
class Program:
    """A linear program of quantile regression.

    Attributes
    ----------
    design : design
    y : ndarray of shape (n_rows,)
    lower, upper : ndarray of shape (n_rows,)
        Boxes of the duals of the rows: slopes of the loss, lower < 0 < upper.
    l1 : ndarray of shape (n_columns,)
        Penalty of each coefficient, at least 0.
    fit_intercept : bool
    fixed : ndarray of shape (n_columns + 1,)
        What rows of known sign add to X' z; the last entry is the intercept's.
    """

    design: object
    y: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    l1: np.ndarray
    fit_intercept: bool
    fixed: np.ndarray

    def predict(self, coef, intercept):
        if not coef.any():
            return np.full(len(self.y), intercept)
        return self.design.dot(coef) + intercept

    def loss(self, residuals):
        """The loss of each row."""
        return np.where(residuals > 0, self.upper, self.lower) * residuals

    def take_rows(self, rows, fixed):
        return replace(
            self,
            design=self.design.take_rows(rows),
            y=self.y[rows],
            lower=self.lower[rows],
            upper=self.upper[rows],
            fixed=fixed,
        )

    def take_columns(self, columns):
        return replace(
            self,
            design=self.design.take_columns(columns),
            l1=self.l1[columns],
            fixed=np.append(self.fixed[columns], self.fixed[-1]),
        )


@dataclass
class QuantileSolution:
    """What `solve_quantile` returns.

    Attributes
    ----------
    coef : ndarray of shape (n_columns,)
    intercept : float
    duals : ndarray of shape (n_rows,)
    n_iter : int
        Steps of the interior point method, of all problems solved.
    is_converged : bool
    """

    coef: np.ndarray
    intercept: float
    duals: np.ndarray
    n_iter: int
    is_converged: bool


def solve_quantile(design, y, weights, *, quantile, l1, fit_intercept, max_iter=200):
    """Minimise the objective that stands at the top of this module.

    Parameters
    ----------
    design : design

    y, weights : ndarray of shape (n_rows,)
        Of float64, weights above 0.

    quantile : float
        Between 0 and 1, both excluded.

    l1 : ndarray of shape (n_columns,)
        Penalty of each coefficient, at least 0.

    fit_intercept : bool

    max_iter : int, default=200
        Largest number of steps for each problem.

    Returns
    -------
    QuantileSolution
    """
    # In units of the target, and with weights of 1 on average, so that no number is
    # extreme.
    unit = float(np.max(np.abs(y), initial=0.0)) or 1.0
    mean_weight = float(weights.mean())
    weights = weights / mean_weight
    program = Program(
        design=design,
        y=y / unit,
        lower=(quantile - 1) * weights,
        upper=quantile * weights,
        l1=l1 / mean_weight,
        fit_intercept=fit_intercept,
        fixed=np.zeros(design.n_columns + 1),
    )
    solution = _solve(program, max_iter)
    solution.coef = solution.coef * unit
    solution.intercept = solution.intercept * unit
    solution.duals = solution.duals * mean_weight
    return solution


def _solve(program, max_iter):
    """Choose the way by the shape."""
    n_rows, n_columns = program.design.n_rows, program.design.n_columns
    is_penalized = program.l1 > 0
    if is_penalized.all() and n_columns > 0:
        null = _solve_null(program)
        if null is not None:
            return null
        if n_columns >= MIN_COLUMNS_FOR_WORKING_SET:
            return _solve_working_set(program, max_iter)
    elif n_columns > n_rows and not is_penalized.any():
        return _solve_in_row_space(program, max_iter)
    return _solve_independent(program, max_iter)


def _solve_in_row_space(program, max_iter):
    """Solve for the coefficients of least norm, in units of the columns."""
    design = program.design
    weights = program.upper - program.lower
    total = float(weights.sum())
    centre = design.t_dot(weights) / total if program.fit_intercept else None
    norms = design.squared_norms(weights, centre) / total
    floor = 1e-13 * design.squared_norms(weights) / total
    scale = np.sqrt(np.where(norms > floor, norms, np.inf))
    space = RowSpace(design, centre, scale)
    rank = space.design.n_columns
    reduced = replace(
        program,
        design=space.design,
        l1=np.zeros(rank),
        fixed=np.zeros(rank + 1),
    )
    solution = _solve_rows(reduced, None, max_iter)
    solution.coef, solution.intercept = space.lift(solution.coef, solution.intercept)
    return solution


def _solve_null(program):
    """The solution with no coefficient, None if it is not optimal."""
    empty = replace(
        program,
        design=program.design.take_columns(np.zeros(0, dtype=np.intp)),
        l1=np.zeros(0),
        fixed=program.fixed[-1:],
    )
    solution = find_vertex(empty, np.zeros(0), 0.0, np.ones(len(program.y)))
    if solution is None:
        return None
    _, intercept, duals = solution
    prices = np.abs(program.design.t_dot(duals) + program.fixed[:-1])
    if (prices > program.l1 * (1 + 1e-10)).any():
        return None
    coef = np.zeros(program.design.n_columns)
    return QuantileSolution(coef, intercept, duals, 0, True)


def _solve_working_set(program, max_iter):
    """Solve for some columns, and add those whose price is above their penalty."""
    n_columns = program.design.n_columns
    centre = np.median(program.y) if program.fit_intercept else 0.0
    duals = np.where(program.y > centre, program.upper, program.lower)
    if program.fit_intercept:
        duals = duals - duals.mean()
    columns = np.zeros(0, dtype=np.intp)
    n_iter = 0
    while True:
        prices = np.abs(program.design.t_dot(duals) + program.fixed[:-1])
        excess = prices / program.l1 - 1
        excess[columns] = 0.0
        n_new = max(20, len(columns))
        candidates = np.flatnonzero(excess > 1e-9)
        order = np.argsort(-excess[candidates], kind="stable")[:n_new]
        if len(columns) > 0 and len(order) == 0:
            break
        if len(order) == 0:
            candidates = np.argsort(-prices, kind="stable")[:20]
            order = np.arange(len(candidates))
        columns = np.sort(np.concatenate([columns, candidates[order]]))
        solution = _solve_independent(program.take_columns(columns), max_iter)
        n_iter += solution.n_iter
        duals = solution.duals
        if not solution.is_converged:
            break
    coef = np.zeros(n_columns)
    coef[columns] = solution.coef
    return QuantileSolution(
        coef, solution.intercept, duals, n_iter, solution.is_converged
    )


def _solve_independent(program, max_iter):
    """Leave out columns that others make up, where no penalty decides among them."""
    weights = program.upper - program.lower
    total = float(weights.sum())
    centre = None
    if program.fit_intercept:
        centre = program.design.t_dot(weights) / total
    gram = program.design.gram(weights, centre)
    is_free = program.l1 == 0
    if is_free.any():
        free = np.flatnonzero(is_free)
        norms = program.design.squared_norms(weights)[free]
        chosen = free[_find_independent(gram[np.ix_(free, free)], norms)]
        kept = np.sort(np.append(chosen, np.flatnonzero(~is_free)))
        if len(kept) < len(program.l1):
            if is_free.all():
                return _solve_in_row_space(program, max_iter)
            part = program.take_columns(kept)
            solution = _solve_rows(part, gram[np.ix_(kept, kept)], max_iter)
            coef = np.zeros(len(program.l1))
            coef[kept] = solution.coef
            solution.coef = coef
            return solution
    return _solve_rows(program, gram, max_iter)


def _find_independent(gram, norms):
    """Columns of which no other is made up, by a pivoted Cholesky factorisation.

    norms : squared norms before centring, which tell a constant column.
    """
    diagonal = np.diagonal(gram)
    varies = np.flatnonzero(diagonal > 1e-13 * norms)
    scale = np.sqrt(diagonal[varies])
    scaled = gram[np.ix_(varies, varies)] / scale[:, None] / scale
    with one_blas_thread():
        _, pivots, rank, _ = dpstrf(np.asfortranarray(scaled), tol=MIN_PIVOT, lower=1)
    return varies[pivots[:rank] - 1]


def _solve_rows(program, gram, max_iter):
    """Solve for the rows whose sign is not yet known, until all signs are right."""
    design = program.design
    n_rows, n_columns = design.n_rows, design.n_columns
    n_subset = int(4 * n_rows ** (2 / 3)) + 30 * n_columns
    if n_rows < MIN_ROWS_FOR_SUBSET or 2 * n_subset > n_rows:
        return _solve_once(program, gram, max_iter)

    subset = np.arange(0, n_rows, n_rows // n_subset)
    part = program.take_rows(subset, program.fixed)
    part.l1 = program.l1 * (len(subset) / n_rows)
    first = _solve_once(part, None, max_iter)
    n_iter = first.n_iter
    residuals = program.y - program.predict(first.coef, first.intercept)
    # Rows so close to the plane that it may yet pass to their other side.
    n_near = min(3 * n_subset, n_rows)
    width = np.partition(np.abs(residuals), n_near - 1)[n_near - 1]
    is_active = np.abs(residuals) <= width
    duals = np.where(residuals > 0, program.upper, program.lower)
    for _ in range(20):
        of_fixed = np.where(is_active, 0.0, duals)
        fixed = program.fixed + np.append(design.t_dot(of_fixed), of_fixed.sum())
        active = np.flatnonzero(is_active)
        solution = _solve_once(program.take_rows(active, fixed), None, max_iter)
        n_iter += solution.n_iter
        residuals = program.y - program.predict(solution.coef, solution.intercept)
        is_wrong = ~is_active & (residuals * duals < 0)
        duals[active] = solution.duals
        if not is_wrong.any() and solution.is_converged:
            solution.duals = duals
            solution.n_iter = n_iter
            return solution
        if 4 * is_wrong.sum() > len(active) or not solution.is_converged:
            break
        near = np.abs(residuals) <= 2 * np.abs(residuals[is_wrong]).max()
        is_active |= is_wrong | near
        duals = np.where(residuals > 0, program.upper, program.lower)
        if 2 * is_active.sum() > n_rows:
            break
    solution = _solve_once(program, gram, max_iter)
    solution.n_iter += n_iter
    return solution


def _solve_once(program, gram, max_iter):
    """The interior point method, then the vertex next to its end."""
    interior = _InteriorPoint(program, gram)
    n_iter, is_converged = interior.run(max_iter)
    coef, intercept, duals = interior.coef, interior.intercept, interior.duals
    if n_iter < max_iter:
        # The walk finds out itself whether it ends at an optimum.
        vertex = find_vertex(program, coef, intercept, interior.row_weights())
        if vertex is not None:
            coef, intercept, duals = vertex
            is_converged = True
    return QuantileSolution(coef, intercept, duals, n_iter, is_converged)


class _InteriorPoint:
    """A primal-dual interior point method with predictor and corrector.

    Rows of the penalty follow those of the table in all arrays. Per row: residual =
    above - below, both positive; z - lower and upper - z are positive too, and

        above * (upper - z) = below * (z - lower) = mu -> 0.
    """

    def __init__(self, program, gram):
        self.program = program
        self.penalized = np.flatnonzero(program.l1)
        l1 = program.l1[self.penalized]
        self.lower = np.append(program.lower, -l1)
        self.upper = np.append(program.upper, l1)
        self.n_rows = program.design.n_rows
        self._start(gram)

    @property
    def duals(self):
        return self.z[: self.n_rows]

    def _start(self, gram):
        """Least squares for the coefficients, 0 for the duals."""
        program = self.program
        weights = program.upper - program.lower
        self.coef = np.zeros(program.design.n_columns)
        self.intercept = 0.0
        self.z = np.zeros(len(self.lower))
        # Kept apart from z, whose digits they outlive.
        self.to_upper = self.upper.copy()
        self.to_lower = -self.lower
        self.is_feasible = False
        rows = np.stack([weights, weights * program.y], axis=1)
        # Coefficients are about as large as the target, which has unit 1, over theirs.
        total = float(weights.sum())
        size = np.sqrt(program.design.squared_norms(weights) / total)
        # As much as X' z may miss.
        self.tolerance = 1e-9 * (total * size + program.l1)
        self.tolerance_intercept = 1e-9 * total
        penalty_weights = 2 * (program.l1 * size)[self.penalized]
        self._factorize(weights, penalty_weights, rows, gram)
        self.coef, self.intercept = self._solve(
            self._products[:, 1].copy(), float(rows[:, 1].sum())
        )
        residuals = self._residuals()
        spread = float(np.abs(residuals[: self.n_rows]).mean())
        spread = max(0.2 * spread, 1e-8)
        mu = spread * float(np.minimum(program.upper, -program.lower).mean())
        extra = np.full(len(residuals), spread)
        extra[self.n_rows :] = mu / self.upper[self.n_rows :]
        self.above = np.maximum(residuals, 0.0) + extra
        self.below = np.maximum(-residuals, 0.0) + extra

    def _residuals(self):
        program = self.program
        of_rows = program.y - program.predict(self.coef, self.intercept)
        return np.append(of_rows, -self.coef[self.penalized])

    def row_weights(self):
        """Weights of the normal equations; largest for the rows of the vertex."""
        return 1 / (self.above / self.to_upper + self.below / self.to_lower)

    def _factorize(self, weights, penalty_weights, rows, gram=None):
        """Factorize X' W X, with the intercept eliminated by centring.

        rows : of shape (n_rows, n), the first of which are the weights; their products
            with X.T are kept.
        """
        program = self.program
        self._products = program.design.t_dot(rows)
        self._total = float(weights.sum())
        self._centre = None
        if program.fit_intercept:
            self._centre = self._products[:, 0] / self._total
        if gram is None:
            gram = program.design.gram(weights, self._centre)
        diagonal = np.diagonal(gram).copy()
        diagonal[self.penalized] += penalty_weights
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        scaled = gram / scale[:, None] / scale
        check_finite(scaled)
        jitter = 1e-14
        self._scale = scale
        while True:
            np.einsum("ii->i", scaled)[:] = diagonal / scale**2 + jitter
            try:
                self._factor = cholesky(scaled)
            except LinAlgError:
                jitter *= 100
            else:
                return

    def _solve(self, right, right_intercept):
        if self._centre is not None:
            right = right - self._centre * right_intercept
        coef = solve_factored(self._factor, right / self._scale) / self._scale
        intercept = 0.0
        if self._centre is not None:
            intercept = right_intercept / self._total
            intercept -= float((self._centre * coef).sum())
        return coef, intercept

    def _multiply(self, coef, intercept):
        of_rows = self.program.predict(coef, intercept)
        return np.append(of_rows, coef[self.penalized])

    def run(self, max_iter):
        """Iterate; return the number of steps and whether the gap is closed."""
        n_iter = 0
        best = np.inf
        n_stalled = 0
        while True:
            gap = float(
                (self.above * self.to_upper).sum() + (self.below * self.to_lower).sum()
            )
            residuals = self._residuals()
            loss = np.where(residuals > 0, self.upper, self.lower) * residuals
            scale = float(loss.sum()) + 1e-10
            if not np.isfinite(gap) or n_stalled >= 5:
                return n_iter, best <= 1e-5 * scale
            # Far below, rounding keeps X' z from what it should be.
            if gap <= GAP * scale and (self.is_feasible or gap <= 1e-4 * GAP * scale):
                return n_iter, True
            n_stalled = n_stalled + 1 if gap > 0.9 * best else 0
            best = min(best, gap)
            if n_iter >= max_iter:
                return n_iter, False
            self._step(residuals, gap)
            n_iter += 1

    def _step(self, residuals, gap):
        n_rows, program = self.n_rows, self.program
        above, below = self.above, self.below
        to_upper, to_lower = self.to_upper, self.to_lower
        weights = self.row_weights()
        of_rows = weights[:n_rows]
        rows = np.stack([of_rows, of_rows * residuals[:n_rows], self.duals], axis=1)
        self._factorize(of_rows, weights[n_rows:], rows)
        # What X' z misses.
        missing = -self._products[:, 2] - program.fixed[:-1]
        missing[self.penalized] -= self.z[n_rows:]
        missing_intercept = 0.0
        if program.fit_intercept:
            missing_intercept = -float(rows[:, 2].sum()) - program.fixed[-1]
        self.is_feasible = bool(
            (np.abs(missing) <= self.tolerance).all()
            and abs(missing_intercept) <= self.tolerance_intercept
        )
        right = self._products[:, 1] - missing
        right[self.penalized] += weights[n_rows:] * residuals[n_rows:]
        right_intercept = float(rows[:, 1].sum()) - missing_intercept

        coef, intercept = self._solve(right, right_intercept)
        fitted = self._multiply(coef, intercept)
        dz = weights * (residuals - fitted)
        d_above = above * (dz / to_upper - 1)
        d_below = -below * (dz / to_lower + 1)
        step_primal = _find_step(above, d_above, below, d_below)
        step_dual = _find_step(to_upper, -dz, to_lower, dz)
        gap_ahead = float(
            ((above + step_primal * d_above) * (to_upper - step_dual * dz)).sum()
            + ((below + step_primal * d_below) * (to_lower + step_dual * dz)).sum()
        )
        mu = gap / (2 * len(above)) * min((gap_ahead / gap) ** 3, 1.0)

        # The corrector: what the step changes in the products, and the centre mu.
        of_above = (mu + d_above * dz) / to_upper
        of_below = (mu - d_below * dz) / to_lower
        change = weights * (of_above - of_below)
        products = program.design.t_dot(change[:n_rows])
        right_corrected = right - products
        right_corrected[self.penalized] -= change[n_rows:]
        coef, intercept = self._solve(
            right_corrected, right_intercept - float(change[:n_rows].sum())
        )
        fitted = self._multiply(coef, intercept)
        dz = weights * (residuals - fitted) - change
        d_above = of_above + above * (dz / to_upper - 1)
        d_below = of_below - below * (dz / to_lower + 1)
        step_primal = min(
            1.0, SHARE_OF_STEP * _find_step(above, d_above, below, d_below)
        )
        step_dual = min(1.0, SHARE_OF_STEP * _find_step(to_upper, -dz, to_lower, dz))
        self.coef = self.coef + step_primal * coef
        self.intercept += step_primal * intercept
        self.above = above + step_primal * d_above
        self.below = below + step_primal * d_below
        self.z = self.z + step_dual * dz
        self.to_upper = to_upper - step_dual * dz
        self.to_lower = to_lower + step_dual * dz


def _find_step(first, d_first, second, d_second):
    """How far both stay above 0."""
    largest = max(
        float(np.max(-d_first / first, initial=0.0)),
        float(np.max(-d_second / second, initial=0.0)),
    )
    return min(1.0 / max(largest, TINY), 1.0 / SHARE_OF_STEP)
