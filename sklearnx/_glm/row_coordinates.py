"""Wide tables: coefficients as combinations of rows, coef = X.T @ dual.

The minimum with a ridge penalty (or the one of least norm without) is such a
combination (the representer theorem: Kimeldorf and Wahba 1971, J. Math. Anal. Appl.
33). Where rows are fewer than columns, all that iterations do with vectors costs less
in `dual`, while they remain those of the coefficients: with G = X X.T, the product of
two coefficient vectors is dual_1 G dual_2, and the gradient of the objective by the
coefficients is X.T applied to `row_gradients + l2 * dual`. Where there is a free
intercept, the columns of X are less their means.

Two kinds of arrays of 2 * n_rows + 1 rows stand for coefficients and gradients, such
that sums and multiples need no product with the table, and the plain sum of products of
one of each kind is the derivative:

    coefficients   dual,         G dual,      intercept
    gradient       G slope / 2,  slope / 2,   derivative by the intercept
"""

from __future__ import annotations

import numpy as np

from sklearnx._glm.objective import Point, find_max_abs, inner


class RowCoordinates:
    """An objective in these coordinates; see `GlmObjective` for its methods.

    Parameters
    ----------
    objective : GlmObjective
        With the same l2 for all columns.
    """

    def __init__(self, objective):
        self.objective = objective
        self.n_rows = objective.design.n_rows
        self._l2 = float(objective.l2[0])
        self._l2_intercept = float(objective.l2[-1]) if objective.fit_intercept else 0.0
        # A free intercept takes up what a shift of the columns by their means does.
        self._centre = None
        if objective.has_free_intercept:
            self._centre = objective.design.t_dot(objective.weights)[:, None]

    def start(self, intercept):
        """Coefficients of 0 with an intercept (n_outputs,)."""
        coef = np.zeros((2 * self.n_rows + 1, len(intercept)))
        coef[-1] = intercept
        return coef

    def _dot(self, columns):
        """(X - centre) @ columns."""
        product = self.objective.design.dot(columns)
        if self._centre is not None:
            product -= np.sum(self._centre * columns, axis=0)
        return product

    def _t_dot(self, rows):
        """(X - centre).T @ rows."""
        product = self.objective.design.t_dot(np.ascontiguousarray(rows))
        if self._centre is not None:
            product -= self._centre * np.sum(rows, axis=0)
        return product

    def lift(self, coef):
        """The coefficients of the columns, and the intercept."""
        columns = self._t_dot(coef[: self.n_rows])
        intercept = coef[-1:]
        if self._centre is not None:
            intercept = intercept - np.sum(self._centre * columns, axis=0)
        if self.objective.fit_intercept:
            columns = np.concatenate([columns, intercept])
        return columns.reshape(self.objective.shape)

    def penalty_gradient(self, coef):
        n_rows = self.n_rows
        gradient = np.empty_like(coef)
        gradient[:n_rows] = 0.5 * self._l2 * coef[n_rows:-1]
        gradient[n_rows:-1] = 0.5 * self._l2 * coef[:n_rows]
        gradient[-1] = self._l2_intercept * coef[-1]
        return gradient

    def evaluate_at(self, coef, raw):
        """The point of coefficients of known raw predictions; no gradient yet."""
        objective = self.objective
        loss, row_gradients, curvature = objective.family.evaluate(
            objective.y,
            raw.reshape(-1) if objective.n_classes is None else raw,
            objective.weights,
            objective.design.n_threads,
        )
        value = loss + 0.5 * inner(coef, self.penalty_gradient(coef))
        return Point(
            coef, raw, loss, value, row_gradients.reshape(raw.shape), curvature
        )

    def add_gradient(self, point):
        """Fill in the gradient: a pass over the table each way."""
        n_rows = self.n_rows
        slopes = point.row_gradients + self._l2 * point.coef[:n_rows]
        by_columns = self._t_dot(slopes)
        gradient = np.empty_like(point.coef)
        gradient[:n_rows] = 0.5 * self._dot(by_columns)
        gradient[n_rows:-1] = 0.5 * slopes
        gradient[-1] = 0.0
        if self.objective.fit_intercept:
            gradient[-1] = np.sum(point.row_gradients, axis=0)
            gradient[-1] += self._l2_intercept * point.coef[-1]
        point.gradient = gradient
        if self._centre is not None:
            by_columns += self._centre * gradient[-1]
        point.max_gradient = max(find_max_abs(by_columns), find_max_abs(gradient[-1]))
        return point

    def evaluate(self, coef):
        raw = coef[self.n_rows : -1] + coef[-1]
        if self.objective.offset is not None:
            raw += self.objective.offset[:, None]
        return self.add_gradient(self.evaluate_at(coef, raw))


class RowCurvature:
    """Second derivatives as a multiple of the identity, another one by intercepts."""

    is_singular = False
    is_scaled = False

    def __init__(self, coordinates, point):
        objective = coordinates.objective
        self._n_rows = coordinates.n_rows
        curvature = point.curvature
        if objective.n_classes is None:
            total = np.sum(curvature)
        else:
            total = np.mean(np.sum(objective.weights[:, None] * curvature, axis=0))
            total *= 1.0 - 1.0 / objective.n_classes
        self._of_columns = float(objective.l2[0] + total)
        self._of_intercept = max(float(total), 1e-300)

    def solve(self, gradient):
        n_rows = self._n_rows
        step = np.empty_like(gradient)
        step[:n_rows] = (2.0 / self._of_columns) * gradient[n_rows:-1]
        step[n_rows:-1] = (2.0 / self._of_columns) * gradient[:n_rows]
        step[-1] = gradient[-1] / self._of_intercept
        return step

    def adapt(self, step, change):
        """Take the curvature of the columns' part of a step."""
        product = inner(step[:-1], change[:-1])
        if product > 0:
            n_rows = self._n_rows
            square = 4.0 * inner(change[:n_rows], change[n_rows:-1])
            self._of_columns = square / product
