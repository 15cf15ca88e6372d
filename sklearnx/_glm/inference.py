"""Covariances of estimated coefficients.

At the minimum of sum_i s_i loss_i + coef' P coef / 2 the information is I = X~' W X~,
with X~ = (X, 1) and W the expected second derivatives of the losses, and B = I + P.
Then

    model:          phi * B^-1 I B^-1,      phi * I^-1 where P = 0,
    HC0, HC1, HC3:  B^-1 X~' diag(s g^2) X~ B^-1,  g the slope of the loss of a row;
                    HC1 times n / (n - k), HC3 with g / (1 - h) for g, h the leverage.

With a penalty this is the spread around the expectation of the shrunken coefficients
(Hoerl and Kennard 1970, equation 3.5, for ridge regression); the bias is no part of it.
Sums run over columns less their centre, which keeps their digits; the intercept that
belongs to them is turned back at the end.

References
----------
A. E. Hoerl and R. W. Kennard. "Ridge regression: biased estimation for nonorthogonal
problems". Technometrics 12.1 (1970).
H. White. "A heteroskedasticity-consistent covariance matrix estimator and a direct test
for heteroskedasticity". Econometrica 48.4 (1980).
J. G. MacKinnon and H. White. "Some heteroskedasticity-consistent covariance matrix
estimators with improved finite sample properties". Journal of Econometrics 29.3 (1985).
"""

from __future__ import annotations

import numpy as np

from sklearnx._linalg import eigh, matmul

# Eigenvalues of the scaled information below it count as 0.
RESOLUTION = 1e-12
# Share of a null direction from which a coefficient counts as part of it.
ALIASED = 1e-6
ROWS_PER_BLOCK = 1 << 16


class Information:
    """The information about the coefficients of one or more blocks.

    A block has the coefficients of all columns, then an intercept if there is one. A
    model of one raw prediction has one block, one of n classes has n - 1.

    Parameters
    ----------
    design : design

    weights : list of lists of ndarray of shape (n_rows,)
        Second derivatives of the losses, times sample weights, by pairs of blocks.

    penalty : ndarray of shape (n_columns,)
        The diagonal of P of one block.

    coupling : ndarray of shape (n_blocks, n_blocks)
        What `penalty` is multiplied by for each pair of blocks.

    fit_intercept : bool

    Attributes
    ----------
    is_aliased : ndarray of bool of shape (n_coefs,)
        Coefficients that the rows do not determine.
    rank : int
    effective_df : float
        Trace of B^-1 I.
    taken_df : float
        Degrees of freedom that the residuals lack: the trace of 2 H - H H', for the hat
        matrix H.
    """

    def __init__(self, design, weights, penalty, coupling, fit_intercept):
        self.design = design
        self.fit_intercept = fit_intercept
        self.n_blocks = len(weights)
        total = float(weights[0][0].sum())
        self.centre = np.zeros(design.n_columns)
        if fit_intercept and total > 0:
            self.centre = design.t_dot(weights[0][0]) / total
        self.matrix = self.assemble(weights)
        full_penalty = np.append(penalty, np.zeros(int(fit_intercept)))
        ridge = np.kron(coupling, np.diag(full_penalty))
        self._invert(self.matrix + ridge)
        share = matmul(self.inverse, self.matrix)
        self.effective_df = float(np.trace(share))
        self.taken_df = 2 * self.effective_df - float((share * share.T).sum())

    def assemble(self, weights):
        """X~' diag(w) X~ for all pairs of blocks, over columns less their centre."""
        n_blocks = self.n_blocks
        blocks = [[None] * n_blocks for _ in range(n_blocks)]
        for a in range(n_blocks):
            for b in range(a + 1):
                blocks[a][b] = self._sum_products(weights[a][b])
                blocks[b][a] = blocks[a][b].T
        return np.block(blocks)

    def _sum_products(self, weights):
        design, centre = self.design, self.centre
        gram = np.zeros((design.n_columns, design.n_columns))
        for sign in (1.0, -1.0):
            part = np.maximum(sign * weights, 0.0)
            if part.any():
                gram += sign * design.gram(part, centre if centre.any() else None)
        if not self.fit_intercept:
            return gram
        total = float(weights.sum())
        sums = (design.t_dot(weights) - centre * total)[:, None]
        return np.block([[gram, sums], [sums.T, np.array([[total]])]])

    def _invert(self, matrix):
        """The inverse on what the rows determine, by eigenvalues in unit scale."""
        diagonal = np.diagonal(matrix)
        n_coefs = len(matrix)
        # A column that does not vary has rounding for its square.
        norms = self.design.squared_norms() / max(self.design.n_rows, 1)
        largest = np.append(norms, np.ones(int(self.fit_intercept)))
        floor = np.tile(largest, self.n_blocks) * 1e-14 * self._mean_curvature(matrix)
        is_seen = diagonal > floor
        scale = np.sqrt(np.where(is_seen, diagonal, 1.0))
        scaled = np.where(np.outer(is_seen, is_seen), matrix, 0.0)
        eigenvalues, vectors = eigh(scaled / scale[:, None] / scale)
        is_kept = eigenvalues > RESOLUTION * n_coefs
        self.rank = int(is_kept.sum())
        roots = np.sqrt(eigenvalues[is_kept])
        self.factor = vectors[:, is_kept] / scale[:, None] / roots
        self.inverse = matmul(self.factor, self.factor.T)
        self.is_aliased = self._find_aliased(vectors[:, ~is_kept], scale)

    def _mean_curvature(self, matrix):
        return max(float(matrix[-1, -1]), 0.0) if self.fit_intercept else 0.0

    def _find_aliased(self, null, scale):
        """Coefficients, of columns and intercepts as the user has them, in null."""
        if null.shape[1] == 0:
            return np.zeros(len(scale), dtype=bool)
        directions = null / scale[:, None]
        is_aliased = (np.abs(null) > ALIASED).any(axis=1)
        if self.fit_intercept:
            n = self.design.n_columns + 1
            for start in range(0, len(scale), n):
                parts = self.centre[:, None] * directions[start : start + n - 1]
                moved = directions[start + n - 1] - parts.sum(axis=0)
                size = np.abs(parts).sum(axis=0) + np.abs(directions[start + n - 1])
                is_aliased[start + n - 1] = (np.abs(moved) > ALIASED * size).any()
        return is_aliased

    def to_columns(self, covariance):
        """The covariance of the coefficients of columns that are not centred."""
        if not self.fit_intercept:
            return covariance
        n = self.design.n_columns + 1
        turn = np.eye(n)
        turn[-1, :-1] = -self.centre
        turns = np.kron(np.eye(self.n_blocks), turn)
        return matmul(matmul(turns, covariance), turns.T)

    def sandwich(self, middle):
        return matmul(matmul(self.inverse, middle), self.inverse)

    def compute_leverages(self, weights):
        """weights_i * x~_i' B^-1 x~_i of each row, for one block."""
        design, n_columns = self.design, self.design.n_columns
        of_columns = np.ascontiguousarray(self.factor[:n_columns])
        shift = -(self.centre[:, None] * of_columns).sum(axis=0)
        if self.fit_intercept:
            shift += self.factor[-1]
        leverages = np.empty(design.n_rows)
        for start in range(0, design.n_rows, ROWS_PER_BLOCK):
            rows = np.arange(start, min(start + ROWS_PER_BLOCK, design.n_rows))
            some = design if len(rows) == design.n_rows else design.take_rows(rows)
            leverages[rows] = ((some.dot(of_columns) + shift) ** 2).sum(axis=1)
        return leverages * weights

    def compute_decrement(self, gradients):
        """g' B^-1 g: the squared distance from the optimum in standard errors.

        gradients : list of arrays (n_columns + 1,) of the objective, by blocks
        """
        parts = []
        for gradient in gradients:
            centred = gradient[:-1] - self.centre * gradient[-1]
            parts.append(
                np.append(centred, gradient[-1:])
                if self.fit_intercept
                else gradient[:-1]
            )
        moved = matmul(self.factor.T, np.concatenate(parts))
        return float((moved * moved).sum())


def square_scores(scores, weights):
    """Products of the slopes of rows, for each pair of blocks."""
    return [[weights * a * b for b in scores] for a in scores]
