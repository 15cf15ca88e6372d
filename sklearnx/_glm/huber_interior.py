"""Huber's regression by a primal-dual interior point method.

With r = u + v, the part v of the outliers taken apart, the objective of `huber` is

    minimise  scale * sum(s) + sum(s u^2) / scale + 2 epsilon sum(s |v|)
              + alpha * ||coef||^2,

and its dual has one quadratic constraint beside a box,

    maximise  y' theta - ||X' theta||^2 / (4 alpha)
    subject to  |theta| <= c = 2 epsilon s,  sum theta^2 / s <= 4 sum(s),
                1' theta = 0,

where theta is the slope of each row, X' theta = 2 alpha coef, and the scale is the
multiplier of the quadratic constraint. Rows without kinks or with many cost the same
here: a few dozen weighted Gram matrices. Steps are those of Mehrotra (1992).

References
----------
A. B. Owen. "A robust hybrid of lasso and ridge regression". Contemporary Mathematics
443 (2007), section 3.
S. Mehrotra. "On the implementation of a primal-dual interior point method". SIAM
Journal on Optimization 2.4 (1992).
"""

from __future__ import annotations

import numpy as np

from sklearnx._linalg import LinAlgError, cholesky, solve_factored

# Complementarity, as a share of the objective, at which to stop, and the one at which
# the solution counts as such.
GAP, ENOUGH = 1e-12, 1e-9
# The same as a share of the objective at the start: where all errors vanish.
LEAST = 1e-15
EPS = np.finfo(np.float64).eps
# Share of the way to the boundary that a step goes.
STEP = 0.995


class InteriorPoint:
    """The state of the method.

    Parameters
    ----------
    design : design

    y, weights : ndarray of shape (n_rows,)
        Weights are above 0.

    epsilon, alpha : float

    fit_intercept : bool

    intercept, scale : float
        Where to start; coefficients start at 0.

    Attributes
    ----------
    has_closed_gap : bool
        Whether the last `run` has come to the minimum.
    """

    def __init__(
        self, design, y, weights, epsilon, alpha, fit_intercept, intercept, scale
    ):
        self.design = design
        self.weights = weights
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.total = float(weights.sum())
        self.limits = 2 * epsilon * weights
        self.centre = design.t_dot(weights) / self.total if fit_intercept else None
        # Of the columns, then the intercept of columns less their centre.
        self.coef = np.zeros(design.n_columns + int(fit_intercept))
        if fit_intercept:
            self.coef[-1] = intercept
        self.residuals = y - intercept
        self.theta = np.zeros(len(y))
        self.upper = np.maximum(self.residuals, 0.0) + scale
        self.lower = np.maximum(-self.residuals, 0.0) + scale
        self.scale = scale
        self.has_closed_gap = False

    def run(self, max_steps):
        """Step until the gap is closed; the number of steps."""
        least = LEAST * float((self.limits * np.abs(self.residuals)).sum())
        for n_steps in range(max_steps):
            gap = self._find_gap()
            # About the value of the objective.
            value = abs(float((self.theta * self.residuals).sum())) + gap
            error = gap + float((self.limits * np.abs(self.find_missing())).sum())
            self.has_closed_gap = error <= max(ENOUGH * value, least)
            if error <= max(GAP * value, least) or not np.isfinite(error):
                return n_steps
            if not self._step(gap / (2 * len(self.theta) + 1)):
                return n_steps
        return max_steps

    def get_solution(self):
        """Coefficients and intercept of the columns."""
        if not self.fit_intercept:
            return self.coef, 0.0
        coef = self.coef[:-1]
        return coef, float(self.coef[-1] - (self.centre * coef).sum())

    def find_room(self):
        """What the quadratic constraint leaves."""
        room = self.total - 0.25 * float((self.theta**2 / self.weights).sum())
        return max(room, EPS * self.total)

    def _find_gap(self):
        """The sum of all products that complementarity makes 0."""
        return float(
            (self.upper * (self.limits - self.theta)).sum()
            + (self.lower * (self.limits + self.theta)).sum()
            + self.scale * self.find_room()
        )

    def find_missing(self):
        """What the parts of the residuals lack to their sum."""
        parts = self.upper - self.lower + 0.5 * self.scale * self.theta / self.weights
        return self.residuals - parts

    def _step(self, mean):
        """Go a step; False where rounding allows none."""
        system = _System(self)
        if system.factor is None:
            return False
        affine = system.solve(0.0, None)
        length = self._find_length(affine)
        self._shift(affine, length)
        after = self._find_gap() / (2 * len(self.theta) + 1)
        self._shift(affine, -length)
        target = mean * min(max(after / mean, 0.0), 1.0) ** 3
        direction = system.solve(target, affine)
        length = STEP * self._find_length(direction)
        if not length > 1e-10:
            return False
        self._shift(direction, length)
        return True

    def _shift(self, direction, length):
        d_coef, d_rows, d_theta, d_upper, d_lower, d_scale = direction
        self.coef = self.coef + length * d_coef
        self.residuals = self.residuals - length * d_rows
        self.theta = self.theta + length * d_theta
        self.upper = self.upper + length * d_upper
        self.lower = self.lower + length * d_lower
        self.scale += length * d_scale

    def _find_length(self, direction):
        """How far the boundary is, at most 1."""
        _, _, d_theta, d_upper, d_lower, d_scale = direction
        length = 1.0
        for values, changes in (
            (self.upper, d_upper),
            (self.lower, d_lower),
            (self.limits - self.theta, -d_theta),
            (self.limits + self.theta, d_theta),
            (np.array([self.scale]), np.array([d_scale])),
        ):
            falls = changes < 0
            if falls.any():
                length = min(length, float((values[falls] / -changes[falls]).min()))
        # The positive root of room - b t - a t^2.
        a = 0.25 * float((d_theta**2 / self.weights).sum())
        b = 0.5 * float((self.theta * d_theta / self.weights).sum())
        room = self.find_room()
        if a > 0:
            root = np.sqrt(b * b + 4 * a * room)
            ahead = 2 * room / (b + root) if b + root > 0 else np.inf
            length = min(length, ahead)
        return length


class _System:
    """Newton's equations at a point.

    With D the curvature of the rows, q = theta / s and room g of the constraint they
    reduce to those of the coefficients and the scale,

        (Z' D^-1 Z + 2 alpha) d_coef + Z' D^-1 q / 2 * d_scale = ...
        q' D^-1 Z / 2 * d_coef + (q' D^-1 q / 4 + g / scale) * d_scale = ...,

    for Z the columns less their centre, and ones.
    """

    def __init__(self, point):
        self.point = point
        theta, weights = point.theta, point.weights
        # Rounding may leave no distance to a limit.
        least = EPS * point.limits
        self.above = np.maximum(point.limits - theta, least)
        self.below = np.maximum(point.limits + theta, least)
        self.room = point.find_room()
        self.outer = 0.5 * theta / weights
        curvature = (
            point.upper / self.above
            + point.lower / self.below
            + 0.5 * point.scale / weights
        )
        self.inverse = 1 / curvature
        matrix = self._form_matrix()
        diagonal = np.diagonal(matrix)
        is_seen = diagonal > EPS**2 * diagonal.max(initial=0.0)
        self.scales = np.sqrt(np.where(is_seen, diagonal, 1.0))
        scaled = matrix / self.scales[:, None] / self.scales
        self.factor = None
        for jitter in (0.0, 1e-14, 1e-11):
            np.einsum("ii->i", scaled)[:] += jitter
            try:
                self.factor = cholesky(scaled)
            except LinAlgError:
                continue
            break
        if self.factor is not None:
            self.border = self._t_dot(self.outer * self.inverse)
            self.along = self._solve_factored(self.border)
            self.pivot = (
                float((self.outer**2 * self.inverse).sum())
                - float((self.border * self.along).sum())
                + self.room / point.scale
            )

    def _form_matrix(self):
        point = self.point
        gram = point.design.gram(self.inverse, point.centre)
        np.einsum("ii->i", gram)[:] += 2 * point.alpha
        if not point.fit_intercept:
            return gram
        sums = self._t_dot(self.inverse)
        matrix = np.empty((len(sums), len(sums)))
        matrix[:-1, :-1] = gram
        matrix[-1] = matrix[:, -1] = sums
        return matrix

    def _t_dot(self, rows):
        point = self.point
        products = point.design.t_dot(rows)
        if not point.fit_intercept:
            return products
        total = float(rows.sum())
        return np.append(products - point.centre * total, total)

    def _dot(self, coef):
        point = self.point
        if not point.fit_intercept:
            return point.design.dot(coef)
        shift = float(coef[-1] - (point.centre * coef[:-1]).sum())
        return point.design.dot(coef[:-1]) + shift

    def _solve_factored(self, right):
        return solve_factored(self.factor, right / self.scales) / self.scales

    def solve(self, target, affine):
        """The direction to complementarity `target`, corrected by an affine one."""
        point = self.point
        theta, scale = point.theta, point.scale
        to_upper = target - point.upper * self.above
        to_lower = target - point.lower * self.below
        to_scale = target - scale * self.room
        missing = point.find_missing()
        if affine is not None:
            _, _, d_theta, d_upper, d_lower, d_scale = affine
            to_upper = to_upper + d_upper * d_theta
            to_lower = to_lower - d_lower * d_theta
            to_scale += d_scale * float((self.outer * d_theta).sum())
            to_scale += 0.25 * scale * float((d_theta**2 / point.weights).sum())
            missing = missing - 0.5 * d_scale * d_theta / point.weights
        rows = missing - to_upper / self.above + to_lower / self.below
        # X' theta - 2 alpha coef, which are alike up to rounding.
        right = self._t_dot(theta + rows * self.inverse)
        n_columns = point.design.n_columns
        right[:n_columns] -= 2 * point.alpha * point.coef[:n_columns]
        solved = self._solve_factored(right)
        d_scale = to_scale / scale + float((self.outer * self.inverse * rows).sum())
        d_scale -= float((self.border * solved).sum())
        d_scale /= self.pivot
        d_coef = solved - d_scale * self.along
        d_rows = self._dot(d_coef)
        d_theta = (rows - d_scale * self.outer - d_rows) * self.inverse
        d_upper = (to_upper + point.upper * d_theta) / self.above
        d_lower = (to_lower - point.lower * d_theta) / self.below
        return d_coef, d_rows, d_theta, d_upper, d_lower, d_scale
