"""Huber's regression with a scale that is estimated along with the coefficients.

    minimise over coef, intercept and scale >= min_scale
    sum_i s_i (scale + H(r_i / scale) * scale) + alpha * ||coef||^2,
    r = y - X @ coef - intercept,
    H(z) = z^2 for |z| <= epsilon, else 2 * epsilon * |z| - epsilon^2,

which is convex in all three (Huber 1981, section 7.7; Owen 2007). For fixed
coefficients the best scale is found exactly in a few passes over the residuals, so that
what is minimised here is a convex function of the coefficients alone. With r_in the
residuals of the inliers and A = sum s r_in^2, its generalised second derivative is

    2 / scale * (X_in' S X_in - v v' / A) + 2 * alpha * I,    v = X_in' S r_in,

and Newton's method with a line search ends after a handful of passes over the table.

Where the best plane passes through many rows (epsilon near 1, fewer rows than columns)
the scale falls to 0 and the function has kinks. A bound of the scale that is lowered
step by step keeps it smooth on the way (Madsen and Nielsen 1993). Where it takes many
steps all the same, an interior point method goes on (`huber_interior`).

References
----------
P. J. Huber. "Robust Statistics". Wiley, 1981.
A. B. Owen. "A robust hybrid of lasso and ridge regression". Contemporary Mathematics
443 (2007), section 3.
K. Madsen and H. B. Nielsen. "A finite smoothing algorithm for linear l1 estimation".
SIAM Journal on Optimization 3.2 (1993).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cython.common.reductions import weighted_quantile
from sklearnx._cython.linear.huber import map_huber, sum_huber
from sklearnx._glm.huber_interior import InteriorPoint
from sklearnx._glm.row_space import MAX_ROWS, RESOLUTION, RowSpace
from sklearnx._linalg import LinAlgError, cholesky, eigh, matmul, solve_factored

EPS = np.finfo(np.float64).eps
# Least scale, absolute and as a share of the largest target.
MIN_SCALE = 10 * EPS
MIN_RELATIVE_SCALE = 100 * EPS
# Factor by which the least scale falls each time the minimum above it is near: when a
# step gains less than this share of the objective.
FALL_OF_SCALE = 0.1
NEAR = 0.01
# A step that promises less than this share of the objective is lost in rounding.
NEGLIGIBLE = 1e-15
# Share of the objective that is worth another round.
SLIGHT = 1e-9
# Columns up to which second derivatives are held as a matrix.
MAX_MATRIX_COLUMNS = 3000
# Newton steps after which an interior point method takes over, and those after it.
MAX_NEWTON_STEPS = 25
MAX_LAST_STEPS = 10
# Products with the second derivatives for each step of Newton's, at most.
MAX_CG_STEPS = 250
# A subset of rows gives the start of at least this many rows.
MIN_ROWS_FOR_SUBSET = 16384
# Least share of the curvature of outliers where it is added.
MIN_DAMPING = 1e-3
# Pivots below this share of the diagonal make a matrix count as singular.
MIN_PIVOT = 1e-11


@dataclass
class HuberSolution:
    """What `solve_huber` returns.

    Attributes
    ----------
    coef : ndarray of shape (n_columns,)
    intercept, scale : float
    residuals : ndarray of shape (n_rows,)
    max_gradient : float
        The largest partial derivative.
    n_iter : int
        Steps on all rows.
    is_converged : bool
    """

    coef: np.ndarray
    intercept: float
    scale: float
    residuals: np.ndarray
    max_gradient: float
    n_iter: int
    is_converged: bool


@dataclass
class _Point:
    """A point and the terms of its objective."""

    coef: np.ndarray
    intercept: float
    residuals: np.ndarray
    scale: float
    sums: tuple
    objective: float


class _Objective:
    """The function to minimise."""

    def __init__(self, design, y, weights, epsilon, alpha, fit_intercept):
        self.design = design
        self.y = y
        self.weights = weights
        self.epsilon = epsilon
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.total = float(weights.sum())
        largest = float(np.max(np.abs(y), initial=0.0))
        self.min_scale = max(MIN_SCALE, MIN_RELATIVE_SCALE * largest)
        self.floor = self.min_scale

    def raise_floor(self, residuals):
        """Begin with a scale at which many rows are inliers."""
        sizes = np.abs(residuals)
        spread = weighted_quantile(sizes, self.weights)
        if spread == 0.0:
            spread = float((self.weights * sizes).sum()) / self.total
        self.floor = max(self.min_scale, 0.5 * spread)

    def lower_floor(self, point):
        """The point with the best scale that is allowed then."""
        self.floor = max(self.min_scale, FALL_OF_SCALE * self.floor)
        return self.move(point)

    def move(self, point):
        """The point with the best scale that is allowed now."""
        return self.locate(point.coef, point.intercept, point.residuals)

    def locate(self, coef, intercept, residuals=None, scale=None):
        """The point of these coefficients, with the best scale unless one is given."""
        if residuals is None:
            residuals = self.y - intercept
            if coef.any():
                residuals -= self.design.dot(coef)
        if scale is None:
            scale = self._find_scale(residuals)
        sums = self._sum(residuals, scale)
        squares, inlier_weight, outlier_abs = sums
        outlier_weight = self.total - inlier_weight
        objective = (
            scale * (self.total - self.epsilon**2 * outlier_weight)
            + squares / scale
            + 2 * self.epsilon * outlier_abs
            + self.alpha * float((coef * coef).sum())
        )
        return _Point(coef, intercept, residuals, scale, sums, objective)

    def _sum(self, residuals, scale):
        return sum_huber(
            residuals, self.weights, self.epsilon * scale, self.design.n_threads
        )

    def _find_scale(self, residuals):
        """Minimise over the scale.

        The derivative vanishes where sum_i s_i min(1, r_i^2 u) = sum_i s_i / epsilon^2
        with u = 1 / (epsilon * scale)^2. The left side is concave and piecewise linear
        in u, so that Newton's method from u = 0 rises to the root and meets it exactly.
        """
        target = self.total / self.epsilon**2
        scale = np.inf
        for _ in range(200):
            squares, inlier_weight, _ = self._sum(residuals, scale)
            missing = target - (self.total - inlier_weight)
            if squares == 0.0 or missing <= 0.0:
                break
            smaller = max(np.sqrt(squares / missing) / self.epsilon, self.floor)
            if smaller >= scale:
                break
            scale = smaller
        return scale if np.isfinite(scale) else self.floor

    def scale_derivative(self, point):
        squares, inlier_weight, _ = point.sums
        derivative = (
            self.total
            - self.epsilon**2 * (self.total - inlier_weight)
            - squares / point.scale / point.scale
        )
        # At its bound only a wish to go below it is no violation.
        return min(derivative, 0.0) if point.scale <= self.floor else derivative


class _Derivatives:
    """First derivatives of a point and what the second ones need of the rows.

    Where too few rows are inliers to tell the curvature, `damping` adds a share of the
    curvature that outliers have in a quadratic function above the objective
    (threshold / |residual|, as in iteratively reweighted least squares).
    """

    def __init__(self, objective, point, damping=0.0):
        design = objective.design
        n_rows = design.n_rows
        scores = np.empty(n_rows)
        self.inlier_weights = np.empty(n_rows)
        map_huber(
            point.residuals,
            objective.weights,
            objective.epsilon * point.scale,
            scores,
            self.inlier_weights,
            design.n_threads,
        )
        self.squares = point.sums[0]
        inlier_scores = self.inlier_weights * point.residuals
        if damping > 0.0:
            threshold = objective.epsilon * point.scale
            sizes = np.maximum(np.abs(point.residuals), threshold)
            is_outlier = np.abs(point.residuals) > threshold
            self.inlier_weights += (
                damping * objective.weights * is_outlier * (threshold / sizes)
            )
        rows = np.stack([scores, inlier_scores, self.inlier_weights], axis=1)
        products = design.t_dot(rows)
        self.inlier_weight = float(self.inlier_weights.sum())
        self.inlier_scores = products[:, 1].copy()
        self.column_sums = products[:, 2].copy()
        self.sum_inlier_scores = float(inlier_scores.sum())
        self.coef = 2 * objective.alpha * point.coef - 2 / point.scale * products[:, 0]
        self.intercept = 0.0
        if objective.fit_intercept:
            self.intercept = -2 / point.scale * float(scores.sum())
        self.max_abs = max(
            float(np.max(np.abs(self.coef), initial=0.0)),
            abs(self.intercept),
            abs(objective.scale_derivative(point)),
        )


class _InlierGram:
    """The Gram matrix of the inliers, kept up to date as rows come and go.

    Columns are shifted by a fixed centre, which keeps the digits of columns far from 0.
    """

    def __init__(self, design, centre):
        self.design = design
        self.centre = centre
        self._weights = None
        self._gram = None

    def at(self, weights):
        if self._weights is None:
            self._gram = self.design.gram(weights, self.centre)
        else:
            change = weights - self._weights
            rows = np.flatnonzero(change)
            if 4 * len(rows) > len(weights):
                self._gram = self.design.gram(weights, self.centre)
            else:
                before = np.diagonal(self._gram)
                self._add(rows[change[rows] > 0], change, 1.0)
                self._add(rows[change[rows] < 0], change, -1.0)
                if (np.diagonal(self._gram) < 1e-4 * before).any():
                    # Little is left of what was taken from.
                    self._gram = self.design.gram(weights, self.centre)
        self._weights = weights
        return self._gram

    def _add(self, rows, change, sign):
        if len(rows):
            some = self.design.take_rows(rows)
            added = some.gram(sign * change[rows], self.centre)
            self._gram = self._gram + sign * added


def solve_huber(
    design,
    y,
    weights,
    *,
    epsilon,
    alpha,
    fit_intercept,
    tol,
    max_iter,
    start=None,
):
    """Minimise the objective that stands at the top of this module.

    Parameters
    ----------
    design : design

    y, weights : ndarray of shape (n_rows,)
        Of float64; weights are not negative and not all 0.

    epsilon, alpha : float
        At least 1, at least 0.

    fit_intercept : bool

    tol : float
        The largest partial derivative at the end.

    max_iter : int
        Largest number of steps, of either method.

    start : tuple (coef, intercept, scale) or None

    Returns
    -------
    HuberSolution
    """
    is_wide = design.n_columns > design.n_rows and design.n_rows <= MAX_ROWS
    if is_wide and start is None:
        centre = None
        if fit_intercept:
            centre = design.t_dot(weights) / float(weights.sum())
        space = RowSpace(design, centre)
        solution = solve_huber(
            space.design,
            y,
            weights,
            epsilon=epsilon,
            alpha=alpha,
            fit_intercept=fit_intercept,
            tol=tol,
            max_iter=max_iter,
        )
        solution.coef, solution.intercept = space.lift(
            solution.coef, solution.intercept
        )
        return solution

    objective = _Objective(design, y, weights, epsilon, alpha, fit_intercept)
    if start is not None:
        coef, intercept, scale = start
        point = objective.locate(coef, intercept, scale=scale)
    else:
        point = _find_start(objective, tol, max_iter)
    return _iterate(objective, point, tol, max_iter)


def _find_start(objective, tol, max_iter):
    """Solve for every k-th row where there are many, else start at the median."""
    design, weights = objective.design, objective.weights
    n_rows = design.n_rows
    n_subset = max(n_rows // 16, 20 * design.n_columns, MIN_ROWS_FOR_SUBSET // 4)
    if n_rows >= MIN_ROWS_FOR_SUBSET and 4 * n_subset <= n_rows:
        rows = np.arange(0, n_rows, n_rows // n_subset)
        rows = rows[weights[rows] > 0]
        if len(rows) > 2 * design.n_columns:
            subset = _Objective(
                design.take_rows(rows),
                objective.y[rows],
                weights[rows],
                objective.epsilon,
                objective.alpha * float(weights[rows].sum()) / objective.total,
                objective.fit_intercept,
            )
            solution = _iterate(
                subset, _start_at_median(subset), tol, min(max_iter, 20)
            )
            return objective.locate(solution.coef, solution.intercept)
    return _start_at_median(objective)


def _start_at_median(objective):
    intercept = 0.0
    if objective.fit_intercept:
        intercept = weighted_quantile(objective.y, objective.weights)
    return objective.locate(np.zeros(objective.design.n_columns), intercept)


def _iterate(objective, point, tol, max_iter):
    """Newton's method with a line search from a point.

    Where the plane passes through many rows, rounding ends the steps while derivatives
    are not small. Then the least scale is raised and lowered once more, more slowly,
    until that gains nothing. Where kinks are so many that steps remain short, an
    interior point method goes on.
    """
    if not np.isfinite(point.objective):
        raise ValueError(
            "The objective overflows: scale the target, the features or sample_weight."
        )
    descent = _Descent(objective, point)
    n_newton = max_iter
    if objective.design.n_columns <= MAX_MATRIX_COLUMNS:
        n_newton = min(max_iter, MAX_NEWTON_STEPS)
    best = None
    while True:
        descent.run(tol, n_newton)
        point = descent.point
        if descent.max_gradient <= tol or descent.n_iter >= n_newton:
            break
        if best is not None and point.objective > best.objective * (1 - SLIGHT):
            break
        best = point
        descent.restart()
    is_converged = descent.is_converged
    if best is not None:
        is_converged |= best.objective <= point.objective * (1 + SLIGHT)
        point = min(best, point, key=lambda point: point.objective)
    if not is_converged and descent.n_iter < max_iter:
        return _go_inside(objective, point, tol, max_iter, descent.n_iter)
    return _make_solution(point, descent, is_converged)


def _go_inside(objective, point, tol, max_iter, n_iter):
    """The interior point method, and Newton's from where that ends."""
    weights = objective.weights
    rows = np.flatnonzero(weights > 0)
    design, y = objective.design, objective.y
    if len(rows) < len(weights):
        design, y, weights = design.take_rows(rows), y[rows], weights[rows]
    intercept = weighted_quantile(y, weights) if objective.fit_intercept else 0.0
    spread = float((weights * np.abs(y - intercept)).sum()) / objective.total
    inside = InteriorPoint(
        design,
        y,
        weights,
        objective.epsilon,
        objective.alpha,
        objective.fit_intercept,
        intercept,
        max(spread, objective.min_scale),
    )
    n_iter += inside.run(max_iter - n_iter)
    objective.floor = objective.min_scale
    found = objective.locate(*inside.get_solution())
    point = min(point, found, key=lambda point: point.objective)
    descent = _Descent(objective, point)
    descent.is_new = False
    descent.n_iter = n_iter
    is_closed = inside.has_closed_gap and point is found
    descent.run(tol, min(max_iter, n_iter + MAX_LAST_STEPS) if is_closed else max_iter)
    best = min(descent.point, point, key=lambda point: point.objective)
    return _make_solution(best, descent, is_closed or descent.is_converged)


def _make_solution(point, descent, is_converged):
    return HuberSolution(
        point.coef,
        point.intercept,
        point.scale,
        point.residuals,
        descent.max_gradient,
        descent.n_iter,
        is_converged,
    )


class _Descent:
    """The steps of Newton's method."""

    def __init__(self, objective, point):
        self.objective = objective
        self.point = point
        self.n_iter = 0
        self.near = NEAR
        self.gram = None
        self.is_new = True

    def restart(self):
        self.near *= NEAR
        self.is_new = True

    def run(self, tol, max_iter):
        """Step until derivatives are at most `tol`, or nothing is left to gain."""
        objective, point = self.objective, self.point
        damping = 0.0
        is_final = is_near = False
        last = None  # largest derivative before a full step
        while True:
            derivatives = _Derivatives(objective, point, damping)
            self.max_gradient = derivatives.max_abs
            is_stationary = is_final or derivatives.max_abs <= tol
            at_floor = objective.min_scale < point.scale <= objective.floor
            self.is_converged = is_stationary and not at_floor
            self.point = point
            if self.is_converged or self.n_iter >= max_iter:
                return
            has_fallen = last is not None and derivatives.max_abs <= 0.5 * last
            if self.is_new:
                # A start may bring a scale of its own.
                objective.raise_floor(point.residuals)
                self.is_new = False
                point = objective.move(point)
                derivatives = _Derivatives(objective, point, damping)
            elif at_floor and (is_stationary or (has_fallen and is_near)):
                point = objective.lower_floor(point)
                derivatives = _Derivatives(objective, point, damping)
            elif last is not None and not has_fallen:
                # The step did not see where only outliers pull.
                damping = min(max(10 * damping, 10 * MIN_DAMPING), 1.0)
                derivatives = _Derivatives(objective, point, damping)
            self.n_iter += 1
            direction = self._find_direction(point, derivatives)
            moved, is_full = _search_line(objective, point, derivatives, *direction)
            last = derivatives.max_abs if is_full else None
            if moved is None:
                # Nothing is left to gain, or the direction was a bad one.
                is_final = damping >= 1.0
                damping = 1.0
                continue
            gain = point.objective - moved.objective
            is_near = gain <= self.near * abs(point.objective)
            is_final = gain <= NEGLIGIBLE * abs(point.objective)
            point = moved
            if is_final and damping == 0.0:
                is_final = False
                damping = 1.0
            elif is_full:
                damping = 0.1 * damping if damping > MIN_DAMPING else 0.0
            else:
                damping = min(max(10 * damping, MIN_DAMPING), 1.0)

    def _find_direction(self, point, derivatives):
        objective = self.objective
        if objective.design.n_columns > MAX_MATRIX_COLUMNS:
            return _solve_newton_cg(objective, point, derivatives)
        if self.gram is None:
            centre = _find_centre(objective, derivatives)
            self.gram = _InlierGram(objective.design, centre)
        return _solve_newton(objective, point, derivatives, self.gram)


def _find_centre(objective, derivatives):
    if not objective.fit_intercept or derivatives.inlier_weight <= 0:
        return None
    return derivatives.column_sums / derivatives.inlier_weight


def _solve_newton(objective, point, derivatives, inlier_gram):
    """Newton's direction (coef, intercept) by a factorisation."""
    centre = inlier_gram.centre
    matrix = inlier_gram.at(derivatives.inlier_weights)
    ridge = objective.alpha * point.scale
    total = derivatives.inlier_weight
    right = -0.5 * point.scale * derivatives.coef
    outer = derivatives.inlier_scores
    if objective.fit_intercept and total > 0:
        # In columns less their centre: intercept' = intercept + centre @ coef. Then
        # the intercept is eliminated.
        right_intercept = -0.5 * point.scale * derivatives.intercept
        sums = derivatives.column_sums
        if centre is not None:
            right = right - centre * right_intercept
            outer = outer - centre * derivatives.sum_inlier_scores
            sums = sums - centre * total
        matrix = matrix - np.outer(sums, sums) / total
        right = right - sums * (right_intercept / total)
        outer = outer - sums * (derivatives.sum_inlier_scores / total)
    solution = _solve_semidefinite(
        matrix, ridge, np.stack([right, outer], axis=1), point.coef
    )
    coef, along = solution[:, 0], solution[:, 1]
    shift = _downdate(derivatives, total, outer, along, coef, objective, point)
    coef = coef + shift * along
    if not (objective.fit_intercept and total > 0):
        return coef, 0.0
    intercept = (
        right_intercept
        + shift * derivatives.sum_inlier_scores
        - float((sums * coef).sum())
    ) / total
    if centre is not None:
        intercept -= float((centre * coef).sum())
    return coef, intercept


def _downdate(derivatives, total, outer, along, coef, objective, point):
    """How far to go along M^-1 v for the rank-one part (Sherman and Morrison, 1950).

    (M - v v' / A)^-1 g = M^-1 g + M^-1 v * (v' M^-1 g) / (A - v' M^-1 v).
    """
    if derivatives.squares == 0.0 or point.scale <= objective.floor:
        return 0.0
    left = derivatives.squares - float((outer * along).sum())
    inner = float((outer * coef).sum())
    if objective.fit_intercept and total > 0:
        sum_scores = derivatives.sum_inlier_scores
        right_intercept = -0.5 * point.scale * derivatives.intercept
        left -= sum_scores * (sum_scores / total)
        inner += sum_scores * right_intercept / total
    return inner / left if left > 1e-10 * derivatives.squares else 0.0


def _solve_semidefinite(matrix, ridge, right, coef):
    """(matrix + ridge * I)^-1 right; of least norm where that is singular."""
    diagonal = np.diagonal(matrix) + ridge
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = matrix / scale[:, None] / scale
    np.einsum("ii->i", scaled)[:] += ridge / scale**2
    try:
        factor = cholesky(scaled)
    except LinAlgError:
        factor = None
    if factor is not None and np.diagonal(factor).min(initial=1.0) ** 2 > MIN_PIVOT:
        return solve_factored(factor, right / scale[:, None]) / scale[:, None]
    eigenvalues, vectors = eigh(matrix)
    resolution = RESOLUTION * len(matrix) * max(eigenvalues[-1], 0.0)
    is_seen = eigenvalues > resolution
    inverse = np.where(is_seen, 1 / np.where(is_seen, eigenvalues + ridge, 1.0), 0.0)
    coordinates = matmul(vectors.T, right)
    solution = matmul(vectors, coordinates * inverse[:, None])
    if ridge > 0:
        # What no row sees is drawn to 0 by the penalty.
        unseen = matmul(vectors.T, coef) * ~is_seen
        solution[:, 0] -= matmul(vectors, unseen)
    return solution


def _solve_newton_cg(objective, point, derivatives):
    """Newton's direction by conjugate gradients with a diagonal preconditioner."""
    design = objective.design
    weights = derivatives.inlier_weights
    fit_intercept = objective.fit_intercept
    n_columns = design.n_columns
    total = derivatives.inlier_weight
    ridge = objective.alpha * point.scale
    outer = np.append(derivatives.inlier_scores, derivatives.sum_inlier_scores)
    has_outer = derivatives.squares > 0 and point.scale > objective.floor

    def multiply(direction):
        rows = design.dot(direction[:n_columns])
        if fit_intercept:
            rows = rows + direction[-1]
        rows *= weights
        result = np.append(design.t_dot(rows), rows.sum() if fit_intercept else 0.0)
        result[:n_columns] += ridge * direction[:n_columns]
        if has_outer:
            inner = float((outer * direction).sum())
            result -= outer * (inner / derivatives.squares)
        return result

    diagonal = np.append(design.squared_norms(weights) + ridge, max(total, 0.0))
    floor = max(float(diagonal.max()) * 1e-12, np.finfo(np.float64).tiny)
    preconditioner = 1 / np.maximum(diagonal, floor)
    right = -0.5 * point.scale * np.append(derivatives.coef, derivatives.intercept)
    if not fit_intercept:
        outer[-1] = right[-1] = 0.0
    solution = np.zeros_like(right)
    residual = right.copy()
    scaled = preconditioner * residual
    direction = scaled.copy()
    squared = float((residual * scaled).sum())
    goal = squared * min(0.1, np.sqrt(derivatives.max_abs / objective.total)) ** 2
    for _ in range(min(10 * n_columns, MAX_CG_STEPS)):
        product = multiply(direction)
        curvature = float((direction * product).sum())
        if curvature <= 0.0:
            break
        step = squared / curvature
        solution += step * direction
        residual -= step * product
        scaled = preconditioner * residual
        last, squared = squared, float((residual * scaled).sum())
        if squared <= goal:
            break
        direction = scaled + (squared / last) * direction
    if not solution.any():
        solution = preconditioner * right
    return solution[:n_columns], float(solution[-1])


def _search_line(objective, point, derivatives, coef, intercept):
    """The best of a few points along a direction, and whether it is the full step.

    The point is None where none is better.

    The full step where it decreases the objective well; otherwise the zero of the
    derivative along the line, which is convex, by bisection and secants.
    """
    slope = float((derivatives.coef * coef).sum()) + derivatives.intercept * intercept
    if not slope < 0:
        return None, False
    rows = objective.design.dot(coef)
    rows += intercept

    def move(step):
        return objective.locate(
            point.coef + step * coef,
            point.intercept + step * intercept,
            point.residuals - step * rows,
        )

    def slope_at(moved):
        scores = np.empty_like(rows)
        inlier_weights = np.empty_like(rows)
        map_huber(
            moved.residuals,
            objective.weights,
            objective.epsilon * moved.scale,
            scores,
            inlier_weights,
            objective.design.n_threads,
        )
        of_penalty = 2 * objective.alpha * float((moved.coef * coef).sum())
        return of_penalty - 2 / moved.scale * float((scores * rows).sum())

    best = move(1.0)
    rounding = 8 * EPS * abs(point.objective)
    if -slope <= 1e3 * rounding:
        # The objective cannot tell any more which point is better; derivatives can.
        goal = point.objective + rounding
    else:
        goal = point.objective + 0.25 * slope
    if best.objective <= goal:
        return best, True
    lower, slope_lower, upper = 0.0, slope, None
    step, moved = 1.0, best
    for _ in range(30):
        slope_here = slope_at(moved)
        if abs(slope_here) <= 0.1 * abs(slope):
            break
        if slope_here < 0:
            lower, slope_lower = step, slope_here
            step = 4 * step if upper is None else 0.5 * (lower + upper)
        else:
            upper = step
            share = slope_lower / (slope_lower - slope_here)
            step = lower + min(max(share, 0.1), 0.9) * (upper - lower)
        moved = move(step)
        if moved.objective < best.objective:
            best = moved
    return (best if best.objective < point.objective else None), False
