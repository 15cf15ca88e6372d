"""Second derivatives of an objective, in a form that a linear system is solved with.

    NewtonMatrix         all of them; Cholesky
    KroneckerCurvature   multinomial: covariance of the classes (x) Gram matrix of X
    DiagonalCurvature    their diagonal

The first is exact, of the rows of a given objective; the others, and the first of a
part of the rows, are where quasi-Newton updates start from. Each has
``solve(gradient)``, and ``is_scaled`` tells whether it knows how long a step is to be.
"""

from __future__ import annotations

import numpy as np

from sklearnx._glm.design import make_design
from sklearnx._glm.linalg import LinAlgError, cholesky, eigh, matmul, qr, solve_factored
from sklearnx._glm.objective import inner

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
        diagonal = np.diagonal(matrix)
        positive = diagonal > 0
        self._scale = np.where(
            positive, 1 / np.sqrt(np.where(positive, diagonal, 1)), 1
        )
        scaled = matrix * self._scale * self._scale[:, None]
        self.is_singular = False
        try:
            self._factor = cholesky(scaled)
            pivots = np.diagonal(self._factor)
            self.is_singular = bool(np.min(pivots) ** 2 < 8 * len(pivots) * EPS)
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
        self.matrix, border, corner = self._assemble(objective, point)
        noise = self._find_noise(np.diagonal(self.matrix), np.sum(np.diagonal(corner)))
        if self._has_intercept:
            self._corner = SymmetricSolver(corner)
            self._eliminated = self._corner.solve(border.T)
            self.matrix -= matmul(border, self._eliminated)
        # What is left of a constant column is rounding errors.
        is_constant = np.diagonal(self.matrix) <= noise
        self.matrix[is_constant] = 0.0
        self.matrix[:, is_constant] = 0.0
        diagonal = np.diag_indices_from(self.matrix)
        self.matrix[diagonal] += np.tile(
            objective.l2[: self._n_columns], self._n_outputs
        )

    def _find_noise(self, diagonal, total):
        """Rounding errors that centring and elimination leave on the diagonal."""
        noise = 32 * EPS * np.abs(diagonal)
        if self._centre is not None:
            of_centre = total * (32 * EPS * self._centre) ** 2
            noise = np.maximum(noise, np.tile(of_centre, self._n_outputs))
        return noise if self._has_intercept else 0.0 * noise

    def _assemble(self, objective, point):
        """Blocks by coefficients (class by class), by intercepts, and between them."""
        p, n_outputs = self._n_columns, self._n_outputs
        matrix = np.empty((p * n_outputs, p * n_outputs))
        border = np.empty((p * n_outputs, n_outputs))
        corner = np.zeros((n_outputs, n_outputs))
        for k in range(n_outputs):
            for j in range(k + 1):
                sign, weights = _block_weights(objective, point, k, j)
                rows, columns = slice(k * p, k * p + p), slice(j * p, j * p + p)
                block = sign * objective.design.gram(weights, centre=self._centre)
                matrix[rows, columns] = block
                matrix[columns, rows] = block
                if self._has_intercept:
                    total = np.sum(weights)
                    sums = objective.design.t_dot(weights)
                    if self._centre is not None:
                        sums -= self._centre * total
                    border[rows, j] = sign * sums
                    border[columns, k] = sign * sums
                    corner[k, j] = corner[j, k] = sign * total
        if self._has_intercept:
            corner[np.diag_indices_from(corner)] += objective.l2[-1]
        return matrix, border, corner

    def fix_gauge(self, columns):
        """Make adding the same to a column's coefficients of all classes count.

        It changes no probability, and makes the matrix singular where there is no
        ridge. Smooth gradients have no part in that direction, so that solutions stay
        what they are.
        """
        p, n_outputs = self._n_columns, self._n_outputs
        diagonal = np.diagonal(self.matrix).reshape(n_outputs, p)
        amounts = np.mean(diagonal, axis=0)[columns] / n_outputs
        for k in range(n_outputs):
            for j in range(n_outputs):
                self.matrix[k * p + columns, j * p + columns] += amounts

    def reduce(self, gradient):
        """The gradient by the coefficients when intercepts follow them."""
        p, n_outputs = self._n_columns, self._n_outputs
        gradient = gradient.reshape(-1, n_outputs)
        of_coef = gradient[:p]
        if not self._has_intercept:
            return of_coef.T.ravel()
        if self._centre is not None:
            of_coef = of_coef - self._centre[:, None] * gradient[p]
        return of_coef.T.ravel() - matmul(self._eliminated.T, gradient[p])

    def expand(self, step, gradient):
        """The step of all coefficients, from that of the columns' alone."""
        p, n_outputs = self._n_columns, self._n_outputs
        of_coef = np.ascontiguousarray(step.reshape(n_outputs, p).T)
        if not self._has_intercept:
            return of_coef.reshape(self._shape)
        of_intercept = gradient.reshape(-1, n_outputs)[p]
        intercept = -self._corner.solve(of_intercept) - matmul(self._eliminated, step)
        if self._centre is not None:
            intercept = intercept - matmul(self._centre, of_coef)
        return np.concatenate([of_coef, intercept[None]]).reshape(self._shape)


class NewtonMatrix:
    """Solves with all second derivatives of an objective at a point.

    Attributes
    ----------
    is_singular : bool
    """

    is_scaled = True

    def __init__(self, objective, point):
        self._system = NewtonSystem(objective, point)
        if objective.n_classes is not None:
            n_columns = objective.design.n_columns
            self._system.fix_gauge(np.flatnonzero(objective.l2[:n_columns] == 0.0))
        self._solver = SymmetricSolver(self._system.matrix)
        self.is_singular = self._solver.is_singular

    def solve(self, gradient):
        step = self._solver.solve(self._system.reduce(gradient))
        return -self._system.expand(-step, gradient)


def _block_weights(objective, point, k, j):
    """(sign, weights) of the second derivatives by raw predictions k and j."""
    if objective.n_classes is None:
        return 1.0, point.curvature
    probability = point.curvature[:, k]
    if k == j:
        return 1.0, objective.weights * probability * (1.0 - probability)
    return -1.0, objective.weights * probability * point.curvature[:, j]


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
    """The diagonal; of the multinomial family with mean probabilities in all rows."""

    is_singular = False
    is_scaled = False

    def __init__(self, objective, point):
        design = objective.design
        if objective.n_classes is None:
            diagonal = design.squared_norms(point.curvature)
            total = np.sum(point.curvature)
        else:
            of_classes = np.diagonal(_class_covariance(objective, point))
            diagonal = design.squared_norms(objective.weights)[:, None] * of_classes
            total = of_classes
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
        return gradient * (self._factor * self._inverse)

    def adapt(self, step, change):
        """Take the scale of a step (Nocedal and Wright 2006, equation 7.20)."""
        square = inner(change, change * self._inverse)
        self._factor = inner(step, change) / square
