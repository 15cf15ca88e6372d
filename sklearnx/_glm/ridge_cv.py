"""Cross-validation of ridge regression that decomposes each table once.

Leaving one row out has a closed form [1]_: with a_i the centred row, w_i its weight and
r_i its residual under all rows,

    error_i = r_i / (1 - w_i (a_i' (A'A + alpha I)^-1 a_i + 1 / sum(w))),

where the last term is the intercept's. From A'A = V L V' the quadratic forms of all
alphas are (A V)^2 / (L + alpha), in one pass over the rows. Wide tables take the errors
from A A' = Q L Q': they are the quotients of (A A' + alpha I)^-1 b and the diagonal of
that inverse, both without the direction of the intercept.

With k folds, the Gram matrix of the rows to train on is that of all rows less that of
the rows left out, and the kernel matrix a part of that of all rows.

References
----------
.. [1] R. Rifkin and R. Lippert (2007), "Notes on regularized least squares", MIT CSAIL
   technical report 2007-025, section 4.
"""

from __future__ import annotations

import numpy as np

from sklearnx._glm.centred import CentredDesign, centre_problem
from sklearnx._glm.design import make_design
from sklearnx._glm.least_squares import (
    EPS,
    WORST_PENALISED_CONDITION,
    TallTriangle,
    WideTriangle,
    estimate_condition,
    form_normal_equations,
    has_small_side,
    solve_ridge,
)
from sklearnx._glm.lsqr import solve_lsqr
from sklearnx._linalg import (
    LinAlgError,
    cholesky,
    eigh,
    matmul,
    solve_factored,
    svd,
)

# From so many alphas on, one eigendecomposition costs less than their factorisations.
MANY_ALPHAS = 12
# Rounding of eigenvalues, as a part of alpha, that coefficients may have.
MAX_ROUNDING = 1e-6
# Numbers in a block of errors.
BLOCK_SIZE = 1 << 20


class LeaveOneOut:
    """The errors of leaving each row out, for any alpha > 0.

    Parameters
    ----------
    problem : CentredProblem
        Of at least two rows.

    use_triangle : bool, default=False
        Whether to decompose A by QR rather than through its products with itself; of
        dense tables only.
    """

    def __init__(self, problem, use_triangle=False):
        self._is_tall = problem.A.n_rows > problem.A.n_columns
        normal, self.problem = form_normal_equations(problem)
        if use_triangle:
            values, vectors = _decompose_triangle(self.problem, self._is_tall)
        else:
            values, vectors = normal.decompose()
            vectors = normal.pad(vectors)
        # What is below the rounding of the largest is none.
        largest = values.max(initial=0.0)
        self._rounding = len(values) * EPS * largest
        part = (len(values) * EPS) ** 2 if use_triangle else EPS
        is_zero = values <= part * largest
        self._values = np.where(is_zero, 0.0, values)
        self._vectors = vectors
        right = self.problem.AtB if self._is_tall else self.problem.B
        self._right = matmul(vectors.T, right)

    def coef(self, alpha):
        """The coefficients with all rows: (n_columns, n_outputs)."""
        if self._rounding > MAX_ROUNDING * alpha:
            alphas = np.full(self.problem.B.shape[1], alpha)
            return solve_ridge(self.problem, alphas).coef
        # Directions of no length hold rounding only.
        inverse = np.where(self._values > 0, 1 / (self._values + alpha), 0.0)
        solved = matmul(self._vectors, self._right * inverse[:, None])
        return solved if self._is_tall else self.problem.A.t_dot(solved)

    def squared_errors(self, alphas):
        """Means over the rows of w_i error_i^2: (n_outputs, n_alphas)."""
        total = np.zeros((self.problem.B.shape[1], len(alphas)))
        for _, errors in self._iterate_errors(alphas):
            total += (errors**2).sum(axis=0)
        return total / self.problem.A.n_rows

    def errors(self, alphas):
        """Targets less predictions by the other rows: (n_rows, n_outputs, n_alphas)."""
        n_rows, n_outputs = self.problem.B.shape
        errors = np.empty((n_rows, n_outputs, len(alphas)))
        for rows, block in self._iterate_errors(alphas):
            errors[rows] = block
        root_weights = self.problem.A.root_weights
        if root_weights is None:
            return errors
        is_out = root_weights == 0
        errors[~is_out] /= root_weights[~is_out, None, None]
        if is_out.any():
            # These rows are left out anyway.
            for i, alpha in enumerate(alphas):
                errors[is_out, :, i] = self.problem.residual(self.coef(alpha))[is_out]
        return errors

    def _iterate_errors(self, alphas):
        """Yield slices of rows with sqrt(w_i) error_i of these rows."""
        B = self.problem.B
        n_outputs, n_alphas = B.shape[1], len(alphas)
        shifted = self._values[:, None] + alphas
        if self._is_tall:
            scales = np.where(self._values[:, None] > 0, 1 / shifted, 0.0)
        else:
            scales = alphas / shifted
        stacked = (self._right[:, :, None] * scales[:, None, :]).reshape(
            len(scales), n_outputs * n_alphas
        )
        n_threads = self.problem.A.design.n_threads
        for rows, block in self._project_rows():
            squares = make_design(block * block, n_threads).dot(scales)
            sums = make_design(block, n_threads).dot(stacked)
            sums = sums.reshape(-1, n_outputs, n_alphas)
            if self._is_tall:
                sums = B[rows, :, None] - sums
                squares = 1.0 - squares - self._intercept_leverage(rows)
            # Zero at rows that others say nothing about, up to rounding.
            yield rows, sums / np.maximum(squares, EPS**2)[:, None, :]

    def _project_rows(self):
        """Yield slices of rows with their parts along the decomposed directions."""
        if self._is_tall:
            yield from self.problem.A.dot_by_blocks(self._vectors)
            return
        n_rows = len(self._vectors)
        step = max(1, BLOCK_SIZE // max(1, n_rows))
        for start in range(0, n_rows, step):
            rows = slice(start, start + step)
            yield rows, np.ascontiguousarray(self._vectors[rows])

    def _intercept_leverage(self, rows):
        if not self.problem.has_intercept:
            return 0.0
        weights = self.problem.A.weights
        if weights is None:
            return 1.0 / self.problem.total_weight
        return weights[rows, None] / self.problem.total_weight


def _decompose_triangle(problem, is_tall):
    """Eigenvalues and eigenvectors of A'A or, without the intercept's, of A A'."""
    A = problem.A
    if is_tall:
        triangle = TallTriangle(A, problem.B)
        return triangle.singular_values**2, triangle.right.T
    triangle = WideTriangle(A, problem.B).triangle
    n_lifted = 0
    if problem.has_intercept:
        # A row along the intercept, longer than all others, becomes the first vector.
        unit = np.ones(A.n_rows) if A.root_weights is None else A.root_weights
        length = 2 * np.sqrt(np.sum(triangle**2) / np.sum(unit**2))
        triangle = np.concatenate([triangle, length * unit[None]])
        n_lifted = 1 if length > 0 else 0
    _, s, right = svd(triangle)
    return s[n_lifted:] ** 2, right[n_lifted:].T


class FoldedRidge:
    """Ridge regression on parts of the rows of one table, for several alphas.

    Parameters
    ----------
    design : DenseDesign or SparseDesign

    Y : ndarray of shape (n_rows, n_outputs)

    weights : ndarray of shape (n_rows,) or None

    fit_intercept : bool

    alphas : ndarray of shape (n_alphas,)
        Not negative.
    """

    def __init__(self, design, Y, weights, fit_intercept, alphas):
        self.design = design
        self.Y = Y
        self.weights = weights
        self.fit_intercept = fit_intercept
        self.alphas = alphas
        self._is_tall = design.n_rows > design.n_columns
        self._shared = None
        if not has_small_side(design):
            return
        self._problem = problem = centre_problem(design, Y, weights, fit_intercept)
        if self._is_tall:
            self._shared = problem.A.gram()
        else:
            unweighted = CentredDesign(design, None, problem.A.centre)
            self._shared = unweighted.kernel()

    def fit(self, train, test):
        """Fit the rows of `train`.

        Parameters
        ----------
        train, test : ndarray of int
            Row numbers.

        Returns
        -------
        coef : ndarray of shape (n_alphas, n_columns, n_outputs)

        intercept : ndarray of shape (n_alphas, n_outputs)
        """
        if self.weights is not None and not self.weights[train].any():
            raise ValueError("All rows to train on in a fold have a weight of zero.")
        try:
            if self._shared is None:
                return self._iterate(train)
            if not self._is_tall:
                return self._fit_kernel(train)
            if self._is_complement(train, test):
                return self._fit_rest(test)
        except LinAlgError:
            pass
        return self._fit_alone(train)

    def _is_complement(self, train, test):
        """Whether the rows of `test` are few, and all those that `train` lacks."""
        n_rows = self.design.n_rows
        if len(train) + len(test) != n_rows or len(test) > len(train):
            return False
        is_taken = np.zeros(n_rows, dtype=bool)
        is_taken[train] = True
        is_taken[test] = True
        return bool(is_taken.all())

    def _fit_rest(self, test):
        """From the Gram matrix of all rows less that of the rows of `test`."""
        problem = self._problem
        centre = problem.A.centre
        weights = None if self.weights is None else self.weights[test]
        design = self.design.take_rows(test)
        targets = problem.targets[test]
        weighted = np.ones((len(test), 1)) if weights is None else weights[:, None]
        columns = np.concatenate([weighted, weighted * targets], axis=1)
        sums = columns.sum(axis=0)
        products = design.t_dot(columns)
        if centre is not None:
            products -= np.outer(centre, sums)
        gram = self._shared - design.gram(weights, centre)
        AtB = problem.AtB - products[:, 1:]
        if centre is None:
            coef = _solve_shifted(gram, AtB, self.alphas)
            return coef, np.zeros((len(coef), AtB.shape[1]))
        # The sums over all rows are zero, so that those over the rest are -sums.
        total = problem.total_weight - sums[0]
        x_shift, y_shift = -products[:, 0] / total, -sums[1:] / total
        gram -= total * np.outer(x_shift, x_shift)
        AtB -= total * np.outer(x_shift, y_shift)
        coef = _solve_shifted(gram, AtB, self.alphas)
        return coef, self._intercepts(coef, x_shift, y_shift)

    def _intercepts(self, coef, x_shift, y_shift):
        """Intercepts, given the means of the fold less those of all rows."""
        x_mean = self._problem.x_mean + x_shift
        y_mean = self._problem.y_mean + y_shift
        return y_mean - np.einsum("i,aij->aj", x_mean, coef)

    def _fit_kernel(self, train):
        """From the part of the kernel matrix that belongs to `train`."""
        problem = self._problem
        kernel = self._shared[np.ix_(train, train)]
        weights = np.ones(len(train)) if self.weights is None else self.weights[train]
        root_weights = np.sqrt(weights)
        targets = problem.targets[train]
        parts = weights / weights.sum()
        if self.fit_intercept:
            means = np.einsum("ij,j->i", kernel, parts)
            kernel = kernel - means[:, None] - means + np.sum(means * parts)
            y_shift = np.einsum("i,ij->j", parts, targets)
            targets = targets - y_shift
        kernel = kernel * np.outer(root_weights, root_weights)
        if self.fit_intercept:
            lift = 1.5 * np.abs(kernel).sum(axis=0).max()
            kernel += lift / weights.sum() * np.outer(root_weights, root_weights)
        is_used = np.diagonal(kernel) > 0
        used = np.ix_(is_used, is_used)
        right = (targets * root_weights[:, None])[is_used]
        dual = _solve_shifted(kernel[used], right, self.alphas)
        # All coefficients, and the mean, from one product.
        n_alphas, _, n_outputs = dual.shape
        rows = np.zeros((self.design.n_rows, 1 + n_alphas * n_outputs))
        # Rows may be drawn more than once.
        np.add.at(rows[:, 0], train, parts)
        dual = dual.transpose(1, 0, 2).reshape(len(right), -1)
        dual = dual * root_weights[is_used, None]
        np.add.at(rows, (train[is_used], slice(1, None)), dual)
        products = self.design.t_dot(rows)
        if self.fit_intercept:
            products -= np.outer(problem.A.centre, rows.sum(axis=0))
        coef = products[:, 1:].reshape(-1, n_alphas, n_outputs).transpose(1, 0, 2)
        if not self.fit_intercept:
            return coef, np.zeros((n_alphas, n_outputs))
        x_shift = products[:, 0]
        # The duals sum to zero up to rounding, so that the shift has no part in coef.
        return coef, self._intercepts(coef, x_shift, y_shift)

    def _part(self, train):
        """The problem of some rows alone."""
        weights = None if self.weights is None else self.weights[train]
        design = self.design.take_rows(train)
        return centre_problem(design, self.Y[train], weights, self.fit_intercept)

    def _fit_alone(self, train):
        """Share nothing with the other folds."""
        problem = self._part(train)
        normal, centred = form_normal_equations(problem)
        try:
            dual = _solve_shifted(normal.matrix, normal.right_side(), self.alphas)
            coef = np.stack([normal.finish(part) for part in dual])
            intercept = [centred.intercept(part) for part in coef]
        except LinAlgError:
            solutions = [
                solve_ridge(problem, np.full(self.Y.shape[1], alpha))
                for alpha in self.alphas
            ]
            coef = np.stack([solution.coef for solution in solutions])
            intercept = [solution.intercept for solution in solutions]
        return coef, np.stack(intercept)

    def _iterate(self, train):
        """LSQR, whose products all alphas share."""
        problem = self._part(train)
        n_alphas, n_outputs = len(self.alphas), self.Y.shape[1]
        result = solve_lsqr(
            problem.A,
            np.tile(problem.B, n_alphas),
            np.repeat(self.alphas, n_outputs),
            tol=1e-6,
            max_iter=max(1000, 10 * min(problem.A.n_rows, problem.A.n_columns)),
            stop_by_gradient=True,
        )
        coef = result.coef.reshape(-1, n_alphas, n_outputs).transpose(1, 0, 2)
        return coef, np.stack([problem.intercept(part) for part in coef])


def _solve_shifted(matrix, right, alphas):
    """Solve (matrix + alpha I) x = right for each alpha: (n_alphas, ..., n_outputs).

    Raises LinAlgError where one of them is too ill-conditioned.
    """
    if len(alphas) >= MANY_ALPHAS:
        values, vectors = eigh(matrix)
        shifted = values[:, None] + alphas
        if (
            shifted.max(axis=0) > WORST_PENALISED_CONDITION * shifted.min(axis=0)
        ).any():
            raise LinAlgError("ill-conditioned")
        parts = matmul(vectors.T, right)
        return np.stack(
            [matmul(vectors, parts / shifted[:, [i]]) for i in range(len(alphas))]
        )
    solutions = []
    for alpha in alphas:
        shifted = matrix.copy()
        np.einsum("ii->i", shifted)[:] += alpha
        factor = cholesky(shifted)
        if estimate_condition(factor, shifted) > WORST_PENALISED_CONDITION:
            raise LinAlgError("ill-conditioned")
        solutions.append(solve_factored(factor, right))
    return np.stack(solutions)
