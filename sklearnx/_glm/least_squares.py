"""Least squares and ridge regression by direct methods.

Tall tables are solved through their Gram matrix, wide ones through their kernel matrix:

    coef = (A'A + alpha I)^-1 A'B = A' (A A' + alpha I)^-1 B.

That squares the condition of A. Up to a condition of about 1e5 the corrected
seminormal equations (steps of refinement whose residual comes from A itself) give back
what was lost; beyond it a QR decomposition, block of rows by block of rows, and the
singular values of its triangle take over.

References
----------
A. Bjorck (1987), "Stability analysis of the method of seminormal equations for linear
least squares problems", Linear Algebra and its Applications 88/89.
J. Demmel, L. Grigori, M. Hoemmen and J. Langou (2012), "Communication-optimal parallel
and sequential QR and LU factorizations", SIAM Journal on Scientific Computing 34.
C. C. Paige (1973), "An error analysis of a method for solving matrix equations",
Mathematics of Computation 27 (the seminormal equations of the wide case).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.linalg

from sklearnx._glm.centred import CentredDesign, copy_centred
from sklearnx._glm.lsqr import solve_lsqr
from sklearnx._glm.nonnegative import solve_nonnegative
from sklearnx._linalg import (
    LinAlgError,
    cholesky,
    eigh,
    matmul,
    one_blas_thread,
    qr,
    solve_factored,
    svd,
)

EPS = np.finfo(np.float64).eps
# Conditions of the normal equations (the squares of those of A).
REFINE_FROM = 1e3
REFINE_PENALISED_FROM = 1e8
WORST_CONDITION = 1e10
WORST_PENALISED_CONDITION = 1e13
MAX_REFINEMENTS = 4
# Length of a combination of columns of unit length that counts as none.
NULL_LENGTH = 1e-12
# Means this many times the spread of their column cost products with A digits.
DOMINANT_MEAN = 1e5
# Up to which products with A are exact enough to correct a QR decomposition.
MEAN_OF_REFINEMENT = 1e2
# Chains of blocks of rows that are decomposed side by side.
N_CHAINS = 8
# The smaller side of a sparse table up to which its Gram or kernel matrix is formed.
MAX_SPARSE_GRAM = 4096
# The smaller side from which on a few iterations are tried before.
MIN_SPARSE_SIDE = 512


@dataclass(frozen=True)
class Solution:
    """What a direct method found.

    Attributes
    ----------
    coef : ndarray of shape (n_columns, n_outputs)
    problem : CentredProblem
        The one that was solved; of it is the intercept.
    rank : int or None
    singular_values : ndarray or None
        Descending.
    method : str
        "cholesky", "svd" or "lsqr".
    """

    coef: np.ndarray
    problem: object
    rank: int | None = None
    singular_values: np.ndarray | None = None
    method: str = "cholesky"

    @property
    def intercept(self):
        return self.problem.intercept(self.coef)


def has_small_side(design):
    """Whether a Gram or kernel matrix of the table is worth forming."""
    if not design.is_sparse:
        return True
    return min(design.n_rows, design.n_columns) <= MAX_SPARSE_GRAM


def costs_little(design):
    """Whether products of a table cost little beside its Gram or kernel matrix."""
    return design.is_sparse and min(design.n_rows, design.n_columns) > MIN_SPARSE_SIDE


def solve_least_squares(problem, cond):
    """Minimise |A x - b| for each column b of B; |x| as well where A has lower rank.

    Parameters
    ----------
    problem : CentredProblem
        Dense, or sparse with a small side.

    cond : float
        Singular values not above this part of the largest one count as zeros.

    Returns
    -------
    solution : Solution
    """
    normal, problem = form_normal_equations(problem)
    k = normal.n_kept
    singular_values = np.zeros(min(problem.A.n_rows, problem.A.n_columns))
    eigenvalues = normal.eigenvalues() if normal.is_representable else np.zeros(1)
    smallest, largest = eigenvalues[0], eigenvalues[-1]
    is_safe = smallest * WORST_CONDITION > largest
    if is_safe and np.sqrt(smallest / largest) > 1.01 * cond:
        coef = normal.solve(0.0, largest / smallest, REFINE_FROM)
        singular_values[:k] = np.sqrt(eigenvalues[::-1])
        return Solution(coef, problem, k, singular_values)
    if problem.A.design.is_sparse:
        return _solve_dependent(normal, problem)
    return _solve_by_triangle(problem, np.zeros(problem.B.shape[1]), cond)


def solve_ridge(problem, alphas, method="cholesky"):
    """Minimise |A x - b|^2 + alpha |x|^2 for each column b of B.

    Parameters
    ----------
    problem : CentredProblem
        Dense, or sparse with a small side.

    alphas : ndarray of shape (n_outputs,)
        Not negative.

    method : {"cholesky", "svd"}, default="cholesky"
        "svd" is for dense tables, and needed by none: "cholesky" changes to it where
        the normal equations are too ill-conditioned.

    Returns
    -------
    solution : Solution
    """
    if method == "cholesky":
        normal, problem = form_normal_equations(problem)
        coef = _solve_penalised(normal, alphas) if normal.is_representable else None
        if coef is not None:
            return Solution(coef, problem)
        if problem.A.design.is_sparse and not alphas.any():
            return _solve_dependent(normal, problem)
    if problem.A.design.is_sparse:
        return _solve_by_lsqr(problem, EPS, alphas)
    return _solve_by_triangle(problem, alphas)


def solve_nonnegative_ridge(problem, alphas, max_iter):
    """Minimise |A x - b|^2 + alpha |x|^2 over x >= 0 for each column b of B.

    Returns
    -------
    coef : ndarray of shape (n_columns, n_outputs)

    has_converged : bool
    """
    A = problem.A
    gram = A.gram()
    if not np.isfinite(gram).all():
        raise ValueError("The squares of X overflow: scale its columns.")
    diagonal = np.einsum("ii->i", gram)
    coef = np.empty((A.n_columns, len(alphas)))
    has_converged = True
    unpenalised = diagonal.copy()
    for j, alpha in enumerate(alphas):
        diagonal[:] = unpenalised + alpha
        coef[:, j], is_done = solve_nonnegative(gram, problem.AtB[:, j], max_iter)
        has_converged &= is_done
    return coef, has_converged


def _solve_penalised(normal, alphas):
    """The coefficients of ridge, or None where the equations are ill-conditioned."""
    distinct, inverse = np.unique(alphas, return_inverse=True)
    if len(distinct) == 1:
        try:
            return normal.solve(distinct[0], None, REFINE_PENALISED_FROM)
        except LinAlgError:
            return None
    values, vectors = normal.decompose()
    shifted = values[:, None] + distinct
    if (shifted.max(axis=0) > WORST_PENALISED_CONDITION * shifted.min(axis=0)).any():
        return None
    right = matmul(vectors.T, normal.right_side())
    return normal.finish(matmul(vectors, right / shifted[:, inverse]))


def form_normal_equations(problem):
    """The normal equations of a problem, which may be put onto a centred copy."""
    is_tall = problem.A.n_rows > problem.A.n_columns
    form = _GramEquations if is_tall else _KernelEquations
    normal = form(problem)
    if normal.mean_ratio > DOMINANT_MEAN and problem.A.design.n_dense > 0:
        problem = copy_centred(problem)
        normal = form(problem)
    return normal, problem


def _find_varying(problem, squared_norms):
    """Columns of A that are not the rounding of a constant; the largest mean.

    Constant columns get a coefficient of zero, as the minimum norm asks. The mean is in
    units of the spread of its column.
    """
    is_varying = squared_norms > 0
    if not problem.has_intercept:
        return is_varying, 0.0
    spread = np.sqrt(np.maximum(squared_norms, 0.0) / problem.total_weight)
    is_varying &= spread > 32 * EPS * np.abs(problem.x_mean)
    ratios = np.abs(problem.A.centre[is_varying]) / spread[is_varying]
    return is_varying, float(ratios.max(initial=0.0))


class _NormalEquations:
    """What the two forms of the normal equations share.

    Attributes
    ----------
    matrix : ndarray of shape (n_kept, n_kept)
    mean_ratio : float
        The largest mean of a column over the spread of that column.
    is_representable : bool
        Whether its squares neither overflow nor vanish.
    """

    @property
    def n_kept(self):
        return len(self.matrix)

    @property
    def is_representable(self):
        diagonal = np.diagonal(self.matrix)
        return bool(
            np.isfinite(self.matrix).all()
            and diagonal.max(initial=0.0) > 1e-250
            and diagonal.max(initial=0.0) < 1e250
        )

    def eigenvalues(self):
        """Ascending, not below zero."""
        with one_blas_thread():
            values = scipy.linalg.eigvalsh(self.matrix, check_finite=False)
        return np.maximum(values, 0.0)

    def decompose(self):
        """Eigenvalues, ascending and not below zero, and eigenvectors as columns."""
        values, vectors = eigh(self.matrix)
        return np.maximum(values, 0.0), vectors

    def solve(self, alpha, condition, refine_from):
        """The coefficients, refined where the condition makes it worth while.

        Parameters
        ----------
        alpha : float

        condition : float or None
            Of the matrix with alpha on its diagonal; None has it estimated, and raises
            LinAlgError where it is hopeless.

        refine_from : float
            Condition from which on A is asked for residuals.
        """
        shifted = self.matrix.copy()
        np.einsum("ii->i", shifted)[:] += alpha
        factor = cholesky(shifted)
        if condition is None:
            # No factorisation minds how columns are scaled, but QR is there for dense.
            is_scaled = not self.problem.A.design.is_sparse
            condition = estimate_condition(factor, shifted, is_scaled)
            if condition > WORST_PENALISED_CONDITION:
                raise LinAlgError("ill-conditioned")
        if self.problem.A.design.is_sparse:
            # Its centre was subtracted from the products.
            condition = max(condition, self.mean_ratio**2)
        dual = solve_factored(factor, self.right_side())
        coef = self.finish(dual)
        rate = condition * EPS * 10
        change = 1.0
        for _ in range(MAX_REFINEMENTS if condition > refine_from else 0):
            step = solve_factored(factor, self.residual(dual, coef, alpha))
            previous, change = change, _relative_size(step, dual)
            if change > 0.5 * previous:
                break
            dual += step
            # Of a large d the product A'd would be rounded to fewer digits.
            coef += self.finish(step)
            if change * rate < self.aim(condition):
                break
        return coef


def _relative_size(step, solution):
    size = np.abs(solution).max(initial=0.0)
    return np.abs(step).max(initial=0.0) / size if size > 0 else 0.0


def estimate_condition(factor, matrix, is_scaled=True):
    """The condition in the 1-norm, from a Cholesky factor.

    With `is_scaled` False it is that of the matrix scaled to a unit diagonal, which is
    what rounding of the factor depends on (A. van der Sluis (1969), "Condition numbers
    and equilibration of matrices", Numerische Mathematik 14).
    """
    if not is_scaled:
        scale = 1 / np.sqrt(np.diagonal(matrix))
        factor = scale[:, None] * factor
        matrix = scale[:, None] * matrix * scale
    norm = np.abs(matrix).sum(axis=0).max()
    with one_blas_thread():
        reciprocal, _ = scipy.linalg.lapack.dpocon(factor, norm, uplo="L")
    return 1 / reciprocal if reciprocal > 0 else np.inf


class _GramEquations(_NormalEquations):
    """(A'A + alpha I) x = A'B, on the columns that are not constant."""

    def __init__(self, problem):
        self.problem = problem
        self.matrix = problem.A.gram()
        self.is_varying, self.mean_ratio = _find_varying(
            problem, np.diagonal(self.matrix)
        )
        if not self.is_varying.all():
            self.matrix = self.matrix[np.ix_(self.is_varying, self.is_varying)]

    def aim(self, condition):
        """The relative error of the solution at which refinement ends."""
        return EPS

    def right_side(self):
        return self.problem.AtB[self.is_varying]

    def residual(self, dual, coef, alpha):
        """A'(B - A x) - alpha x."""
        A = self.problem.A
        rows = self.problem.B - A.dot(coef)
        return A.t_dot(rows)[self.is_varying] - alpha * dual

    def pad(self, dual):
        """With zeros for the columns that are constant."""
        coef = np.zeros((self.problem.A.n_columns, dual.shape[1]))
        coef[self.is_varying] = dual
        return coef

    def finish(self, dual):
        """The coefficients of all columns."""
        return self.pad(dual)


class _KernelEquations(_NormalEquations):
    """(A A' + alpha I) d = B, x = A'd.

    An intercept makes A A' singular in one known direction, the root weights, to which
    B is orthogonal: a multiple of its projector is added. Rows of zeros are left out.
    """

    def __init__(self, problem):
        self.problem = problem
        A = problem.A
        norms = A.design.squared_norms(A.weights, A.centre)
        is_varying, self.mean_ratio = _find_varying(problem, norms)
        if not is_varying.all() and not A.design.is_sparse:
            A = _take_columns(A, np.flatnonzero(is_varying))
        self.A = A
        self.is_varying = is_varying if A is not problem.A else None
        self.matrix = A.kernel()
        self.lift = 0.0
        # Squares that overflow are no use, and said to be so later.
        if problem.has_intercept and np.isfinite(self.matrix).all():
            self._lift_intercept()
        self.is_used = np.diagonal(self.matrix) > 0
        if not self.is_used.all():
            self.matrix = self.matrix[np.ix_(self.is_used, self.is_used)]

    def _lift_intercept(self):
        # Beyond all other eigenvalues, so that it is told from them.
        self.lift = 1.5 * float(np.abs(self.matrix).sum(axis=0).max())
        direction = self.A.root_weights
        if direction is None:
            self.matrix += self.lift / self.A.n_rows
        else:
            unit = direction / np.sqrt(self.problem.total_weight)
            self.matrix += self.lift * np.outer(unit, unit)

    @property
    def n_kept(self):
        return len(self.matrix) - (self.lift > 0)

    def eigenvalues(self):
        """Ascending, not below zero, without the one that was lifted."""
        return super().eigenvalues()[: self.n_kept]

    def decompose(self):
        values, vectors = super().decompose()
        return values[: self.n_kept], vectors[:, : self.n_kept]

    def aim(self, condition):
        """Small errors of d are residuals as large as the condition makes them."""
        return EPS / np.sqrt(condition)

    def right_side(self):
        return self.problem.B[self.is_used]

    def residual(self, dual, coef, alpha):
        """B - A x - alpha d."""
        rows = self.problem.B - self.problem.A.dot(coef)
        return rows[self.is_used] - alpha * dual

    def pad(self, dual):
        """With zeros for the rows that are left out."""
        rows = np.zeros((self.A.n_rows, dual.shape[1]))
        rows[self.is_used] = dual
        return rows

    def finish(self, dual):
        """The coefficients of all columns."""
        coef = self.A.t_dot(self.pad(dual))
        if self.is_varying is None:
            return coef
        all_coef = np.zeros((len(self.is_varying), dual.shape[1]))
        all_coef[self.is_varying] = coef
        return all_coef


def _take_columns(A, columns):
    """Some columns of a centred design."""
    centre = None if A.centre is None else A.centre[columns]
    return CentredDesign(A.design.take_columns(columns), A.weights, centre)


def _solve_dependent(normal, problem):
    """Solve a sparse table, of which some columns depend on others, as levels do.

    Its Gram matrix, scaled to a unit diagonal, tells which. Where columns depend nearly
    and not exactly, or rows are fewer than columns, LSQR takes over.
    """
    coef = None
    if normal.is_representable and isinstance(normal, _GramEquations):
        coef = _solve_by_eigenvalues(normal)
    if coef is None:
        return _solve_by_lsqr(problem, EPS)
    return Solution(coef, problem)


def _solve_by_eigenvalues(normal):
    """The coefficients of minimum norm, None if dependence is not exact."""
    problem, A = normal.problem, normal.problem.A
    columns = np.flatnonzero(normal.is_varying)
    matrix = normal.matrix
    # What the sums of a column leave of it may be rounding alone.
    squares = problem.total_weight * problem.x_mean[columns] ** 2
    is_doubtful = np.diagonal(matrix) <= 64 * EPS * squares
    if is_doubtful.any():
        units = np.zeros((A.n_columns, is_doubtful.sum()))
        doubtful = columns[is_doubtful]
        units[doubtful, np.arange(len(doubtful))] = 1 / np.sqrt(squares[is_doubtful])
        if not _are_null(A, units):
            return None
        columns = columns[~is_doubtful]
        matrix = matrix[np.ix_(~is_doubtful, ~is_doubtful)]
    coef = np.zeros((A.n_columns, problem.B.shape[1]))
    if len(columns) == 0:
        return coef
    scale = 1 / np.sqrt(np.diagonal(matrix))[:, None]
    values, vectors = eigh(scale * matrix * scale.T)
    vectors *= scale
    is_kept = values > 8 * len(values) * EPS * values[-1]
    if values[is_kept][0] * WORST_CONDITION < values[-1]:
        return None
    null = np.zeros((A.n_columns, (~is_kept).sum()))
    null[columns] = vectors[:, ~is_kept]
    if not _are_null(A, null):
        return None
    null, _ = qr(null[columns])
    values, vectors = values[is_kept, None], vectors[:, is_kept]

    def solve(right):
        solution = matmul(vectors, matmul(vectors.T, right) / values)
        return solution - matmul(null, matmul(null.T, solution))

    coef[columns] = solve(problem.AtB[columns])
    change = 1.0
    for _ in range(MAX_REFINEMENTS):
        step = solve(A.t_dot(problem.B - A.dot(coef))[columns])
        previous, change = change, _relative_size(step, coef)
        if change > 0.5 * previous:
            break
        coef[columns] += step
    return coef


def _are_null(A, combinations):
    """Whether combinations of columns of unit length are rounding alone."""
    if combinations.shape[1] == 0:
        return True
    lengths = np.sqrt((A.dot(combinations) ** 2).sum(axis=0))
    return bool((lengths <= NULL_LENGTH * np.sqrt(A.n_columns)).all())


def _solve_by_lsqr(problem, tol, alphas=None):
    """The way of sparse tables whose normal equations are too ill-conditioned."""
    if alphas is None:
        alphas = np.zeros(problem.B.shape[1])
    A = problem.A
    max_iter = max(1000, 10 * min(A.n_rows, A.n_columns))
    result = solve_lsqr(A, problem.B, alphas, tol=tol, max_iter=max_iter)
    return Solution(result.coef, problem, method="lsqr")


def _solve_by_triangle(problem, alphas, cond=None):
    """Solve by the singular values of the triangle of a QR decomposition.

    A tall A is decomposed itself, a wide one transposed.
    """
    A = problem.A
    if cond is None:
        cond = EPS * max(A.n_rows, A.n_columns)
    norms = A.design.squared_norms(A.weights, A.centre)
    # Squares that vanish say nothing about their column.
    is_varying, mean_ratio = _find_varying(problem, norms)
    is_varying |= norms < 1e-250
    n_outputs = problem.B.shape[1]
    coef = np.zeros((A.n_columns, n_outputs))
    singular_values = np.zeros(min(A.n_rows, A.n_columns))
    if not is_varying.all():
        A = _take_columns(A, np.flatnonzero(is_varying))
    if A.n_columns == 0:
        return Solution(coef, problem, 0, singular_values, "svd")
    decompose = TallTriangle if A.n_rows > A.n_columns else WideTriangle
    triangle = decompose(A, problem.B)
    s = triangle.singular_values
    is_kept = s > cond * s[0]
    kept = s[is_kept, None]
    # alpha / s and not s^2, which may overflow.
    scale = kept + alphas / kept
    solved = triangle.finish(triangle.right_side[is_kept] / scale, is_kept)
    if not alphas.any() and mean_ratio < MEAN_OF_REFINEMENT:
        # What rounding of the decomposition has cost.
        parts = triangle.project(A, problem.B - A.dot(solved))[is_kept]
        solved += triangle.finish(parts / scale, is_kept)
    coef[is_varying] = solved
    singular_values[: len(s)] = s
    return Solution(coef, problem, int(is_kept.sum()), singular_values, "svd")


def _split_rows(A):
    """Slices of blocks of rows that are decomposed one after the other.

    There are as many whatever the number of threads.
    """
    blocks = list(A.row_slices())
    length = -(-len(blocks) // N_CHAINS)
    return [blocks[i : i + length] for i in range(0, len(blocks), length)]


def _decompose_rows(A, B, chain):
    """R and Q'B of some blocks of rows."""
    triangle = np.zeros((0, A.n_columns))
    products = np.zeros((0, B.shape[1]))
    for rows in chain:
        triangle, products = _append_rows(
            triangle, products, A.row_block(rows), B[rows]
        )
    return triangle, products


def _append_rows(triangle, products, rows, targets):
    """R and Q'B once rows are put below R."""
    stacked = np.concatenate([triangle, rows])
    targets = np.concatenate([products, targets])
    with one_blas_thread():
        products, triangle = scipy.linalg.qr_multiply(
            stacked, targets.T, mode="right", overwrite_a=True
        )
    return triangle, products.T


class TallTriangle:
    """A = Q R, taken block of rows by block of rows, and R = U S V'.

    Attributes
    ----------
    singular_values : ndarray
        Descending.
    right_side : ndarray
        U'Q'B.
    """

    def __init__(self, A, B):
        chains = _split_rows(A)
        if A.design.n_threads == 1:
            parts = [_decompose_rows(A, B, chain) for chain in chains]
        else:
            with ThreadPoolExecutor(A.design.n_threads) as pool:
                parts = list(pool.map(partial(_decompose_rows, A, B), chains))
        triangle, products = parts[0]
        for part in parts[1:]:
            triangle, products = _append_rows(triangle, products, *part)
        left, self.singular_values, self.right = svd(triangle)
        self.right_side = matmul(left.T, products)

    def project(self, A, rows):
        """U'Q'rows, from A'rows = V S U'Q'rows."""
        s = self.singular_values[:, None]
        return matmul(self.right, A.t_dot(rows)) / np.where(s > 0, s, 1.0)

    def finish(self, filtered, is_kept):
        """V filtered."""
        return matmul(self.right[is_kept].T, filtered)


class WideTriangle:
    """A' = Q R, taken block of columns by block of columns, and R = U S V'.

    Attributes
    ----------
    triangle : ndarray of shape (n_rows, n_rows)
        R.
    singular_values : ndarray
        Descending.
    right_side : ndarray
        V'B.
    """

    def __init__(self, A, B):
        triangle = np.zeros((0, A.n_rows))
        self.orthogonal_blocks = []
        for block in A.column_blocks():
            Q, triangle = qr(np.concatenate([triangle, block]))
            self.orthogonal_blocks.append((Q, len(block)))
        self.triangle = triangle
        self.left, self.singular_values, self.right = svd(triangle)
        self.right_side = matmul(self.right, B)

    def project(self, A, rows):
        """V'rows."""
        return matmul(self.right, rows)

    def finish(self, filtered, is_kept):
        """Q U filtered, from the last block to the first."""
        rows = matmul(self.left[:, is_kept], filtered)
        coef = []
        for Q, n_columns in reversed(self.orthogonal_blocks):
            rows = matmul(Q, rows)
            split = len(rows) - n_columns
            coef.append(rows[split:])
            rows = rows[:split]
        return np.concatenate(coef[::-1])
