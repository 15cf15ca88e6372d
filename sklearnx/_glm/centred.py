"""A design seen through its weights and its centre, without forming it.

Least squares with an intercept and weights w is least squares without either on the
table

    A = diag(sqrt(w)) (X - 1 m'),    m = X'w / sum(w),

and on sqrt(w) (y - mean of y). Every solver of least squares works on such an A.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklearnx._glm.design import make_design

# Numbers in a dense block of A.
BLOCK_SIZE = 1 << 20


class CentredDesign:
    """diag(sqrt(weights)) (X - 1 centre').

    Parameters
    ----------
    design : DenseDesign or SparseDesign
        X.

    weights : ndarray of shape (n_rows,) or None
        Not negative; None for ones.

    centre : ndarray of shape (n_columns,) or None
        None for zeros.

    Attributes
    ----------
    n_rows, n_columns : int
    root_weights : ndarray of shape (n_rows,) or None
        Square roots of the weights.
    """

    def __init__(self, design, weights=None, centre=None):
        self.design = design
        self.n_rows = design.n_rows
        self.n_columns = design.n_columns
        self.weights = weights
        self.root_weights = None if weights is None else np.sqrt(weights)
        self.centre = centre

    def dot(self, coef):
        """A @ coef, coef (n_columns, n_outputs)."""
        rows = self.design.dot(np.ascontiguousarray(coef))
        if self.centre is not None:
            rows -= np.einsum("i,ij->j", self.centre, coef)
        if self.root_weights is not None:
            rows *= self.root_weights[:, None]
        return rows

    def t_dot(self, rows):
        """A.T @ rows, rows (n_rows, n_outputs)."""
        if self.root_weights is not None:
            rows = rows * self.root_weights[:, None]
        products = self.design.t_dot(np.ascontiguousarray(rows))
        if self.centre is not None:
            products -= np.outer(self.centre, rows.sum(axis=0))
        return products

    def gram(self):
        """A.T @ A."""
        return self.design.gram(self.weights, self.centre)

    def kernel(self):
        """A @ A.T."""
        if self.design.is_sparse:
            return self._sparse_kernel()
        kernel = np.zeros((self.n_rows, self.n_rows))
        for block in self.column_blocks():
            kernel += make_design(block, self.design.n_threads).gram()
        return kernel

    def _sparse_kernel(self):
        """A @ A.T by way of X @ X.T, whose centre is subtracted afterwards."""
        kernel = make_design(self.design.X.T, self.design.n_threads).gram()
        if self.centre is not None:
            shift = self.design.dot(self.centre)
            kernel -= shift[:, None] + shift
            kernel += np.sum(self.centre**2)
        if self.root_weights is not None:
            kernel *= np.outer(self.root_weights, self.root_weights)
        return kernel

    def dot_by_blocks(self, coef):
        """Yield slices of rows with these rows of A @ coef."""
        for rows in self.row_slices():
            part = self.design.take_rows(np.arange(rows.start, rows.stop))
            weights = None if self.weights is None else self.weights[rows]
            yield rows, CentredDesign(part, weights, self.centre).dot(coef)

    def row_slices(self):
        """Yield the slices of rows that make a block."""
        step = _block_length(self.n_columns)
        for start in range(0, self.n_rows, step):
            yield slice(start, min(start + step, self.n_rows))

    def row_block(self, rows):
        """A slice of rows of A, dense and in F order."""
        # A copy already, as `take_rows` is.
        part = self.design.take_rows(np.arange(rows.start, rows.stop))
        block = part.to_array()
        if self.centre is not None:
            block -= self.centre
        if self.root_weights is not None:
            block *= self.root_weights[rows, None]
        return block

    def column_blocks(self):
        """Yield transposed blocks of columns of A, dense and in C order."""
        step = _block_length(self.n_rows)
        for start in range(0, self.n_columns, step):
            columns = np.arange(start, min(start + step, self.n_columns))
            block = self.design.take_columns(columns).to_array().T
            if self.centre is not None:
                block -= self.centre[columns, None]
            if self.root_weights is not None:
                block *= self.root_weights
            yield block


def _block_length(width):
    """How many vectors of this width make a block."""
    return max(1, 2 * width, BLOCK_SIZE // max(1, width))


@dataclass(frozen=True)
class CentredProblem:
    """A least-squares problem in which the intercept has been solved for.

    Attributes
    ----------
    A : CentredDesign
    B : ndarray of shape (n_rows, n_outputs)
        Weighted, centred targets: the problem is A @ coef ~ B.
    AtB : ndarray of shape (n_columns, n_outputs)
        A.T @ B.
    targets : ndarray of shape (n_rows, n_outputs)
        B without the weights.
    x_mean : ndarray of shape (n_columns,)
        Zeros without an intercept, as `y_mean`.
    y_mean : ndarray of shape (n_outputs,)
    total_weight : float
    has_intercept : bool
    """

    A: CentredDesign
    B: np.ndarray
    AtB: np.ndarray
    targets: np.ndarray
    x_mean: np.ndarray
    y_mean: np.ndarray
    total_weight: float
    has_intercept: bool

    def residual(self, coef):
        """Targets less predictions, without the weights."""
        unweighted = CentredDesign(self.A.design, None, self.A.centre)
        return self.targets - unweighted.dot(coef)

    def intercept(self, coef):
        """The intercepts that belong to coef (n_columns, n_outputs)."""
        return self.y_mean - np.einsum("i,ij->j", self.x_mean, coef)


def centre_problem(design, Y, weights=None, fit_intercept=True):
    """Solve for the intercept; X is read once.

    Parameters
    ----------
    design : DenseDesign or SparseDesign

    Y : ndarray of shape (n_rows, n_outputs)
        Targets, float64.

    weights : ndarray of shape (n_rows,) or None, default=None
        Float64, not negative, not all zero.

    fit_intercept : bool, default=True

    Returns
    -------
    problem : CentredProblem
    """
    n_rows = design.n_rows
    total = float(n_rows if weights is None else weights.sum())
    if not fit_intercept:
        A = CentredDesign(design, weights)
        B = Y if weights is None else Y * A.root_weights[:, None]
        zeros = np.zeros(design.n_columns)
        y_mean = np.zeros(Y.shape[1])
        return CentredProblem(A, B, A.t_dot(B), Y, zeros, y_mean, total, False)
    y_mean, targets = _centre_targets(Y, weights, total)
    # One pass over X for its means and for X.T @ B.
    rows = np.empty((n_rows, Y.shape[1] + 1))
    rows[:, 0] = 1.0 if weights is None else weights
    rows[:, 1:] = targets if weights is None else targets * weights[:, None]
    products = design.t_dot(rows)
    x_mean = products[:, 0] / total
    AtB = products[:, 1:] - np.outer(x_mean, rows[:, 1:].sum(axis=0))
    A = CentredDesign(design, weights, x_mean)
    B = targets if weights is None else targets * A.root_weights[:, None]
    return CentredProblem(A, B, AtB, targets, x_mean, y_mean, total, True)


def _centre_targets(Y, weights, total):
    """The means of the targets, and the targets less these."""
    means = np.zeros(Y.shape[1])
    # The second time takes away the rounding of the first.
    for _ in range(2):
        weighted = Y if weights is None else Y * weights[:, None]
        mean = weighted.sum(axis=0) / total
        means += mean
        Y = Y - mean
    return means, Y


def copy_centred(problem):
    """The same problem on a copy of X from whose dense numbers the means are taken."""
    A = problem.A
    shift = problem.x_mean.copy()
    if A.design.is_sparse:
        shift[A.design.n_dense :] = 0.0
        design = A.design.shift_numbers(shift)
    else:
        design = make_design(A.design.to_array() - shift, A.design.n_threads)
    weights = np.ones(A.n_rows) if A.weights is None else A.weights
    rest = design.t_dot(weights) / problem.total_weight
    A = CentredDesign(design, A.weights, rest)
    return replace(problem, A=A, AtB=A.t_dot(problem.B), x_mean=shift + rest)
