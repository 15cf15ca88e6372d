"""Second derivatives of an objective, in a form that a linear system is solved with.

    NewtonMatrix         all of them; Cholesky
    KroneckerCurvature   multinomial: covariance of the classes (x) Gram matrix of X
    DiagonalCurvature    their diagonal

The first is exact, of the rows of a given objective; the others, and the first of a
part of the rows, are where quasi-Newton updates start from. Each has
``solve(gradient)``, and ``is_scaled`` tells whether it knows how long a step is to be.
"""

from __future__ import annotations

from copy import copy

import numpy as np

from sklearnx._glm.design import make_design
from sklearnx._glm.objective import inner
from sklearnx._linalg import LinAlgError, cholesky, eigh, matmul, qr, solve_factored

EPS = np.finfo(np.float64).eps


class SymmetricSolver:
    """Solves with a symmetric matrix that is at least positive semidefinite.

    The matrix is scaled to a unit diagonal, so that the units of columns do not matter.
    If it is singular, solutions have no part in the directions that it maps to 0: from
    a start of 0 that leads to the minimum of least norm.

    Attributes
    ----------
    is_singular : bool
    """

    def __init__(self, matrix):
        diagonal = matrix.diagonal()
        self._scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        scaled = matrix * self._scale
        scaled *= self._scale[:, None]
        self.is_singular = False
        try:
            self._factor = cholesky(scaled)
            pivots = self._factor.diagonal()
            self.is_singular = bool(pivots.min() ** 2 < 8 * len(pivots) * EPS)
        except LinAlgError:
            self.is_singular = True
        if self.is_singular:
            self._decompose(scaled)

    def _decompose(self, scaled):
        values, vectors = eigh(scaled)
        is_kept = values > 8 * len(values) * EPS * max(values[-1], EPS)
        self._values, self._vectors = values[is_kept], vectors[:, is_kept]
        self._null, _ = qr(self._scale[:, None] * vectors[:, ~is_kept])

    def solve(self, rhs):
        """Solve for one or several right-hand sides (columns)."""
        scale = self._scale if rhs.ndim == 1 else self._scale[:, None]
        if not self.is_singular:
            return scale * solve_factored(self._factor, scale * rhs)
        values = self._values if rhs.ndim == 1 else self._values[:, None]
        solution = matmul(self._vectors.T, scale * rhs) / values
        solution = scale * matmul(self._vectors, solution)
        return solution - matmul(self._null, matmul(self._null.T, solution))


class _ScalarSolver:
    """`SymmetricSolver` of one row."""

    def __init__(self, matrix):
        value = matrix[0, 0]
        self._inverse = 1.0 / value if value > 0.0 else 0.0

    def solve(self, rhs):
        return self._inverse * rhs


class NewtonSystem:
    """The matrix of all second derivatives of an objective at a point.

    Columns are shifted by a centre m, which makes the intercept b of the coefficients w
    the intercept b + m w of shifted columns, and the matrix well conditioned whatever
    their means. Intercepts are eliminated (Schur complement); what is left are the
    coefficients of the columns, class by class.

    Attributes
    ----------
    matrix : ndarray of shape (n_columns * n_outputs, n_columns * n_outputs)
    """

    def __init__(self, objective, point):
        self._centre = objective.centre
        self._shape = objective.shape
        self._n_outputs = objective.n_classes or 1
        self._has_intercept = objective.fit_intercept
        self._n_columns = objective.design.n_columns
        self._blocks = self._assemble(objective, point)
        self._eliminate(objective.l2)

    def with_l2(self, l2):
        """The same with other ridge penalties; the table is not read.

        An intercept without one has none again, since columns were shifted for it.
        """
        other = copy(self)
        other._eliminate(l2)
        return other

    def _eliminate(self, l2):
        """Make the matrix of the columns' coefficients out of the blocks."""
        blocks, border, corner = self._blocks
        self.matrix = blocks.copy()
        diagonal = np.einsum("ii->i", self.matrix)  # a view
        noise = self._find_noise(diagonal, corner.trace())
        if self._has_intercept:
            make_solver = _ScalarSolver if self._n_outputs == 1 else SymmetricSolver
            self._corner = make_solver(self._penalise(corner, l2[-1]))
            self._eliminated = self._corner.solve(border.T)
            self.matrix -= matmul(border, self._eliminated)
        # What is left of a constant column is rounding errors.
        is_constant = diagonal <= noise
        if is_constant.any():
            self.matrix[is_constant] = 0.0
            self.matrix[:, is_constant] = 0.0
        diagonal.reshape(self._n_outputs, -1)[:] += l2[: self._n_columns]

    def _penalise(self, corner, l2):
        """The block of the intercepts with their ridge.

        Without one, to add the same to all of them changes nothing, and no right-hand
        side has a part in that direction: it is made to count.
        """
        if l2 > 0.0:
            return corner + l2 * np.eye(len(corner))
        if self._n_outputs == 1:
            return corner
        return corner + corner.trace() / self._n_outputs**2

    def _find_noise(self, diagonal, total):
        """Rounding errors that centring and elimination leave on the diagonal."""
        if not self._has_intercept:
            return 0.0
        noise = 32 * EPS * np.abs(diagonal)
        if self._centre is not None:
            of_centre = total * (32 * EPS * self._centre) ** 2
            noise = np.maximum(noise, np.tile(of_centre, self._n_outputs))
        return noise

    def _assemble(self, objective, point):
        """Blocks by coefficients (class by class), by intercepts, and between them."""
        p, n_outputs = self._n_columns, self._n_outputs
        matrix = np.empty((p * n_outputs, p * n_outputs))
        border = np.empty((p * n_outputs, n_outputs))
        corner = np.empty((n_outputs, n_outputs))
        for k in range(n_outputs):
            weights = _weigh_pairs(objective, point, k)
            if self._has_intercept:
                totals = weights.sum(axis=1)
                sums = objective.design.t_dot(weights.T)
                if self._centre is not None:
                    sums -= np.multiply.outer(self._centre, totals)
            for j in range(k + 1):
                sign = 1.0 if k == j else -1.0
                rows, columns = slice(k * p, k * p + p), slice(j * p, j * p + p)
                block = objective.design.gram(weights[j], centre=self._centre)
                if k == j:
                    matrix[rows, columns] = block
                else:
                    np.negative(block, out=block)
                    matrix[rows, columns] = matrix[columns, rows] = block
                if self._has_intercept:
                    border[rows, j] = border[columns, k] = sign * sums[:, j]
                    corner[k, j] = corner[j, k] = sign * totals[j]
        return matrix, border, corner

    def fix_gauge(self, columns):
        """Make adding the same to a column's coefficients of all classes count.

        It changes no probability, and makes the matrix singular where there is no
        ridge. Smooth gradients have no part in that direction, so that solutions stay
        what they are.
        """
        if len(columns) == 0:
            return
        p, n_outputs = self._n_columns, self._n_outputs
        diagonal = np.diagonal(self.matrix).reshape(n_outputs, p)
        amounts = np.mean(diagonal, axis=0)[columns] / n_outputs
        for k in range(n_outputs):
            for j in range(n_outputs):
                self.matrix[k * p + columns, j * p + columns] += amounts

    def reduce(self, gradient):
        """The gradient by the coefficients when intercepts follow them."""
        if not self._has_intercept:
            return np.ravel(gradient, order="F")
        of_coef, of_intercept = gradient[:-1], gradient[-1:]
        if self._centre is not None:
            of_coef = of_coef - (self._centre * of_intercept.T).T
        return np.ravel(of_coef, order="F") - matmul(
            self._eliminated.T, of_intercept.reshape(-1)
        )

    def expand(self, step, gradient):
        """The step of all coefficients, from that of the columns' alone."""
        of_coef = step.reshape(self._n_outputs, self._n_columns).T
        if not self._has_intercept:
            return of_coef.reshape(self._shape)
        expanded = np.empty((self._n_columns + 1, self._n_outputs))
        expanded[:-1] = of_coef
        intercept = self._corner.solve(gradient[-1:].reshape(-1))
        intercept += matmul(self._eliminated, step)
        if self._centre is not None:
            intercept += matmul(self._centre, of_coef)
        np.negative(intercept, out=expanded[-1])
        return expanded.reshape(self._shape)


class NewtonMatrix:
    """Solves with all second derivatives of an objective at a point.

    Attributes
    ----------
    is_singular : bool
    """

    is_scaled = True

    def __init__(self, objective, point):
        self._factor(NewtonSystem(objective, point), objective)

    def with_l2(self, objective):
        """The same with the ridge penalties of another objective of the same rows."""
        other = copy(self)
        other._factor(self._system.with_l2(objective.l2), objective)
        return other

    def _factor(self, system, objective):
        if objective.n_classes is not None:
            of_columns = objective.l2[: objective.design.n_columns]
            system.fix_gauge(np.flatnonzero(of_columns == 0.0))
        self._system = system
        self._solver = SymmetricSolver(system.matrix)
        self.is_singular = self._solver.is_singular

    def solve(self, gradient):
        step = self._solver.solve(self._system.reduce(gradient))
        return -self._system.expand(-step, gradient)


def _weigh_pairs(objective, point, k):
    """Second derivatives of rows by raw predictions k and 0 to k, (k + 1, n_rows).

    Those of two different ones are negative, and given without the sign.
    """
    if objective.n_classes is None:
        return point.curvature[None]
    weights = np.ascontiguousarray(point.curvature.T[: k + 1])
    weighted = objective.weights * weights[k]
    np.subtract(1.0, weights[k], out=weights[k])
    weights *= weighted
    return weights


def _class_covariance(objective, point):
    """The mean over rows of diag(p) - p p^T."""
    probabilities = make_design(point.curvature, objective.design.n_threads)
    means = probabilities.t_dot(objective.weights)
    return np.diag(means) - probabilities.gram(objective.weights)


class KroneckerCurvature:
    """Covariance of the classes (x) Gram matrix of X, plus the ridge.

    With C = U diag(c) U^T and G = V diag(g) V^T, (C (x) G + l2 I)^-1 of a matrix B of a
    column a class is V [(V^T B U) / (c g + l2)] U^T.
    """

    is_singular = False
    is_scaled = True

    def __init__(self, objective, point):
        self._has_intercept = objective.fit_intercept
        self._centre = None
        if objective.has_free_intercept:
            self._centre = objective.design.t_dot(objective.weights)
        p = objective.design.n_columns
        values, self._classes = eigh(_class_covariance(objective, point))
        values = np.maximum(values, 0.0)
        gram = objective.design.gram(objective.weights, centre=self._centre)
        spread, self._columns = eigh(gram)
        l2 = float(np.mean(objective.l2[:p]))
        floor = EPS * p * max(spread[-1] * values[-1], np.finfo(np.float64).tiny)
        denominator = np.maximum(spread, 0.0)[:, None] * values + l2
        self._inverse = np.where(denominator > floor, 1 / (denominator + floor), 0.0)
        is_kept = values > 1e-10 * values[-1]
        self._of_intercept = np.where(is_kept, 1 / np.where(is_kept, values, 1.0), 0.0)

    def solve(self, gradient):
        if not self._has_intercept:
            return self._solve_coefs(gradient)
        of_intercept = gradient[-1]
        of_coef = gradient[:-1]
        if self._centre is not None:
            of_coef = of_coef - self._centre[:, None] * of_intercept
        step = self._solve_coefs(of_coef)
        intercept = matmul(
            self._classes, self._of_intercept * matmul(self._classes.T, of_intercept)
        )
        if self._centre is not None:
            intercept = intercept - matmul(self._centre, step)
        return np.concatenate([step, intercept[None]])

    def _solve_coefs(self, gradient):
        inside = matmul(self._columns.T, matmul(gradient, self._classes))
        inside *= self._inverse
        return matmul(self._columns, matmul(inside, self._classes.T))


class DiagonalCurvature:
    """The diagonal; of the multinomial family with mean probabilities in all rows.

    As in `NewtonSystem`, columns are shifted by the objective's centre, which the
    intercept takes up.
    """

    is_singular = False
    is_scaled = False

    def __init__(self, objective, point):
        design = objective.design
        self._centre = centre = objective.centre
        if objective.n_classes is None:
            diagonal = design.squared_norms(point.curvature, centre)
            total = np.sum(point.curvature)
        else:
            of_classes = np.diagonal(_class_covariance(objective, point))
            norms = design.squared_norms(objective.weights, centre)
            diagonal = norms[:, None] * of_classes
            total = of_classes
            self._centre = None if centre is None else centre[:, None]
        if objective.fit_intercept:
            total = np.reshape(total, (1, *diagonal.shape[1:]))
            diagonal = np.concatenate([diagonal, total])
        diagonal = diagonal + (
            objective.l2 if diagonal.ndim == 1 else objective.l2[:, None]
        )
        largest = np.max(diagonal, initial=0.0)
        # A column without a value has no gradient either.
        self._inverse = 1 / np.maximum(diagonal, max(largest * 1e-12, 1e-300))
        self._factor = 1.0

    def solve(self, gradient):
        return self._factor * self._solve_unscaled(gradient)

    def _solve_unscaled(self, gradient):
        if self._centre is None:
            return gradient * self._inverse
        step = gradient.copy()
        step[:-1] -= self._centre * gradient[-1]
        step *= self._inverse
        step[-1] -= np.sum(self._centre * step[:-1], axis=0)
        return step

    def adapt(self, step, change):
        """Take the scale of a step (Nocedal and Wright 2006, equation 7.20)."""
        self._factor = inner(step, change) / inner(change, self._solve_unscaled(change))
