"""Elastic nets by coordinate descent on the columns themselves.

For tracks (see `sklearnx._glm.paths`) whose working sets are so large that a Gram
matrix would take more memory than the table. Sweeps over the columns that are not zero
or violate the optimality conditions take turns with products that check all columns.
"""

from __future__ import annotations

import numpy as np

from sklearnx._cython.linear.column_descent import sweep_columns
from sklearnx._glm.duality import row_norms

# Sweeps between two checks of all columns.
N_SWEEPS = 20


class ColumnDescent:
    """Solves single steps of one sample.

    Parameters
    ----------
    design : DenseDesign or SparseDesign
    sample : Sample
    settings : Settings
    """

    def __init__(self, design, sample, settings):
        self.design = design
        self.sample = sample
        self.settings = settings
        X = design.X
        self.indices = self.indptr = None
        if design.is_sparse:
            X = X.tocsc()
            self.values = X.data
            self.indices = X.indices.astype(np.int32, copy=False)
            self.indptr = X.indptr.astype(np.int64)
        else:
            self.values = np.asfortranarray(X).ravel(order="F")
        n_columns = design.n_columns
        self.norms2 = design.squared_norms(sample.weights, sample.x_mean)
        self.means = np.zeros(n_columns) if sample.x_mean is None else sample.x_mean
        self.lower, self.upper = settings.box or (
            np.full(n_columns, -np.inf),
            np.full(n_columns, np.inf),
        )

    def descend(self, penalty, coef, correlations, tol, max_iter):
        """Improve coef (n_targets, n_columns) in place; returns the sweeps.

        correlations : (n_columns, n_targets), of the residual at `coef`.
        """
        thresholds = penalty.l1 * self.settings.factors
        is_active = coef.any(axis=0) | (row_norms(correlations) > thresholds)
        if self.settings.box is not None:
            is_active |= (self.lower > 0.0) | (self.upper < 0.0)
        columns = np.arange(self.design.n_columns)
        residual = self.sample.find_residual(self.design.dot(coef.T), columns, coef.T)
        base = np.ascontiguousarray(self.sample.apply_weights(residual).T)
        return sweep_columns(
            self.values,
            self.indices,
            self.indptr,
            self.sample.weights,
            self.means,
            self.norms2,
            base,
            base.sum(axis=1),
            coef,
            self.settings.factors,
            self.lower,
            self.upper,
            np.flatnonzero(is_active),
            penalty.l1,
            penalty.l2,
            tol,
            min(N_SWEEPS, max_iter),
        )
