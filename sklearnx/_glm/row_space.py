"""Tables in coordinates of their row space.

Coefficients that minimise a loss of X @ coef, with or without a ridge penalty, may be
taken from the row space of X (Hastie and Tibshirani, 2004), which has at most
min(n_rows, n_columns) coordinates. It serves tables that are wider than they are tall,
and those of dependent columns, whose best coefficients are not unique: those of least
norm are.

References
----------
T. Hastie and R. Tibshirani. "Efficient quadratic regularization for expression
arrays". Biostatistics 5.3 (2004), section 2.
"""

from __future__ import annotations

import numpy as np

from sklearnx._glm.design import make_design
from sklearnx._linalg import eigh

# Above it the decomposition costs more than iterations do.
MAX_ROWS = 3000
# Share of the largest eigenvalue below which a direction counts as noise.
RESOLUTION = 1e-13


class RowSpace:
    """A basis of the row space of (X - centre) / scale.

    With A = (X - centre) / scale and A A' = U diag(lam) U', the rows in the basis are
    U sqrt(lam); gamma in the basis stands for coef = A' U / sqrt(lam) @ gamma / scale,
    where coef * scale has the norm of gamma.

    Parameters
    ----------
    design : design

    centre : ndarray of shape (n_columns,) or None, default=None
        Taken off the columns. An intercept then belongs to the centred columns.

    scale : ndarray of shape (n_columns,) or None, default=None
        Unit of each column, above 0. It decides which norm is the least.

    Attributes
    ----------
    design : DenseDesign
        The rows in the basis, of shape (n_rows, rank).
    """

    def __init__(self, design, centre=None, scale=None):
        self._original = design
        self._scale = np.ones(design.n_columns) if scale is None else scale
        self._centre = np.zeros(design.n_columns) if centre is None else centre
        if design.n_columns > design.n_rows:
            rows = self._decompose_rows()
        else:
            rows = self._decompose_columns()
        self.design = make_design(np.ascontiguousarray(rows), design.n_threads)

    def _keep(self, eigenvalues):
        kept = eigenvalues > RESOLUTION * len(eigenvalues) * max(eigenvalues[-1], 0.0)
        return kept, np.sqrt(eigenvalues[kept])

    def _decompose_rows(self):
        """By the eigenvectors of A A'."""
        design = self._original
        X = design.X.T.tocsr() if design.is_sparse else design.X.T
        of_rows = make_design(X, design.n_threads).gram(1 / self._scale**2)
        shift = design.dot(self._centre / self._scale**2)
        of_rows -= shift[:, None]
        of_rows -= shift
        of_rows += ((self._centre / self._scale) ** 2).sum()
        eigenvalues, vectors = eigh(of_rows)
        kept, roots = self._keep(eigenvalues)
        self._vectors, self._roots = vectors[:, kept], roots
        self._lift = self._lift_rows
        return self._vectors * roots

    def _decompose_columns(self):
        """By the eigenvectors of A' A."""
        design = self._original
        scale = self._scale
        of_columns = design.gram(centre=self._centre) / scale[:, None] / scale
        eigenvalues, vectors = eigh(of_columns)
        kept, self._roots = self._keep(eigenvalues)
        self._vectors = vectors[:, kept]
        self._lift = self._lift_columns
        directions = self._vectors / scale[:, None]
        shift = (self._centre[:, None] * directions).sum(axis=0)
        return design.dot(np.ascontiguousarray(directions)) - shift

    def _lift_rows(self, gamma):
        dual = (self._vectors * (gamma / self._roots)).sum(axis=1)
        coef = self._original.t_dot(dual) - self._centre * dual.sum()
        return coef / self._scale**2

    def _lift_columns(self, gamma):
        return (self._vectors * gamma).sum(axis=1) / self._scale

    def lift(self, gamma, intercept=0.0):
        """The coefficients of the columns, and the intercept without the centre."""
        coef = self._lift(gamma)
        return coef, intercept - float((self._centre * coef).sum())
