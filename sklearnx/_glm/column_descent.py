"""Elastic nets by coordinate descent on the columns themselves.

For tracks (see `sklearnx._glm.tracks`) whose working sets are so large that a Gram
matrix costs more than sweeps over the columns. Sweeps over those that are not zero or
violate the optimality conditions take turns with products that check all columns.

Columns of dense tables are rounded to float, which halves the time of a sweep. What is
rounded is only the change of the correlations since the last check.
"""

from __future__ import annotations

import numpy as np

from sklearnx._cython.linear.column_descent import descend_columns
from sklearnx._glm.column_store import list_sparse_columns
from sklearnx._glm.duality import row_norms
from sklearnx._glm.rounded_columns import is_small, round_columns_of

# Sweeps between two checks of all columns.
N_SWEEPS = 20

# Tolerances below this need columns that are not rounded.
MIN_TOL_OF_ROUNDED = 1e-8

# Violations to stop at where columns outside violate more, as a share of theirs.
SHARE_OF_OUTSIDE = 0.1


def needs_little(design):
    """Whether a table can be swept over without a large copy of it."""
    return design.is_sparse or design.X.flags.f_contiguous or is_small(design)


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
        n_columns = design.n_columns
        self.indices = self.indptr = None
        self.means = np.zeros(n_columns) if sample.x_mean is None else sample.x_mean
        self.norms2 = design.squared_norms(sample.weights, sample.x_mean)
        self._take_values()
        self.lower, self.upper = settings.find_box(np.arange(n_columns))

    def _take_values(self):
        X = self.design.X
        if self.design.is_sparse:
            self.values, self.indices, self.indptr = list_sparse_columns(X.tocsc())
            return
        rounded = None
        if self.settings.tol >= MIN_TOL_OF_ROUNDED:
            rounded = round_columns_of(self.design, self.sample.x_mean)
        if rounded is None:
            self.values = np.asfortranarray(X).ravel(order="F")
        else:
            self.values = rounded.columns.ravel()
            self.means = np.zeros(self.design.n_columns)

    def descend(self, penalty, coef, correlations, residual, stop, max_iter, limit):
        """Improve coef (n_targets, n_columns) in place; returns the sweeps.

        Parameters
        ----------
        penalty : ElasticNet
        coef : ndarray of shape (n_targets, n_columns)
            IN/OUT.
        correlations : ndarray of shape (n_columns, n_targets)
            Of the residual at `coef`.
        residual : ndarray of shape (n_rows, n_targets)
        stop : Stop
        max_iter : int
        limit : int
            How many zeros that violate the conditions may join the others at most.
        """
        excess = row_norms(correlations) - penalty.l1 * self.settings.factors
        is_active = coef.any(axis=0)
        if self.settings.box is not None:
            is_active |= (self.lower > 0.0) | (self.upper < 0.0)
        excess[is_active] = -np.inf
        joining = np.flatnonzero(excess > 0.0)
        tol = stop.tol
        if len(joining) > limit:
            order = np.argsort(-excess[joining], kind="stable")
            outside = float(excess[joining[order[limit]]])
            tol = max(tol, SHARE_OF_OUTSIDE * outside)
            joining = joining[order[:limit]]
        is_active[joining] = True
        base = np.ascontiguousarray(self.sample.apply_weights(residual).T)
        return descend_columns(
            self.values,
            self.indices,
            self.indptr,
            self.sample.weights,
            0.0 if self.sample.x_mean is None else self.sample.total,
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
            stop.loose_tol,
            stop.gap,
        )
