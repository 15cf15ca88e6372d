"""Coordinate descent on a working set, by its Gram matrix or by its columns.

Both keep the coefficients, and a state that is an affine function of them: the gradient
with a Gram matrix, weighted residuals with columns.
"""

from __future__ import annotations

import numpy as np

from sklearnx._cython.linear.block_descent import minimize_blocks_on_gram
from sklearnx._cython.linear.column_descent import descend_columns
from sklearnx._cython.linear.gram_descent import minimize_on_gram, round_gram

# Sets from here on do not fit the cache; sweeps are made on rounded numbers.
MIN_ROUNDED = 384

# Sweeps over columns after which a Gram matrix, by which equations can be solved, is
# better.
N_SLOW = 500


class _SetDescent:
    """What both kinds share.

    Parameters
    ----------
    settings : Settings
    working_set : WorkingSet or FoldSet
    coef : ndarray of shape (n_targets, n_set)
        Where to start; solutions take its place.
    """

    is_slow = False

    def __init__(self, settings, working_set, coef):
        columns = working_set.columns
        self.settings = settings
        self.working_set = working_set
        self.sample = working_set.sample
        self.coef = coef
        self.factors = settings.factors[columns]
        self.lower, self.upper = settings.find_box(columns)

    def extrapolate(self, points, penalties):
        """Go along the line through two solutions, where that is a better start.

        Paths are piecewise linear in the penalty, and so are their states.
        points : two (coef, state), of the first two of three penalties; here is the
        second of them.
        """
        before, now, target = (penalty.l1 + penalty.l2 for penalty in penalties)
        if not before > now > target:
            return
        share = (now - target) / (before - now)
        coef, state = (
            last + share * (last - first) for first, last in zip(*points, strict=True)
        )
        if (coef < self.lower).any() or (coef > self.upper).any():
            return
        penalty = penalties[2]
        if self._objective(coef, state, penalty) < self._objective(
            self.coef, self.state, penalty
        ):
            self.coef[:] = coef
            self.state[:] = state

    def _objective(self, coef, state, penalty):
        norms = np.sqrt((coef * coef).sum(axis=0))
        return (
            self._compute_smooth(coef, state)
            + penalty.l1 * (self.factors * norms).sum()
            + 0.5 * penalty.l2 * (self.factors * norms**2).sum()
        )


class GramDescent(_SetDescent):
    """By the Gram matrix; it solves equations where sweeps get nowhere.

    Parameters
    ----------
    settings, working_set, coef
        As those of both kinds.
    gradient : ndarray of shape (n_targets, n_set)
        At `coef`.
    """

    def __init__(self, settings, working_set, coef, gradient):
        super().__init__(settings, working_set, coef)
        self.state = gradient
        self.gram = working_set.gram()
        self.rounded = None
        n = coef.shape[1]
        if n >= MIN_ROUNDED:
            rounded = np.empty((n, n), dtype=np.float32)
            self.rounded = rounded if round_gram(self.gram, rounded) else None

    def minimize(self, penalty, stop, max_iter):
        """Minimise in place; returns the sweeps."""
        coef, gradient = self.coef, self.state
        if max_iter <= 0 or coef.shape[1] == 0:
            return 0
        if len(coef) > 1:
            return minimize_blocks_on_gram(
                self.gram,
                gradient,
                coef,
                self.factors,
                penalty.l1,
                penalty.l2,
                stop.tol,
                max_iter,
                stop.loose_tol,
                stop.gap,
            )
        return minimize_on_gram(
            self.gram,
            gradient[0],
            coef[0],
            self.factors,
            penalty.pieces,
            self.lower,
            self.upper,
            stop.tol,
            max_iter,
            self.rounded,
            stop.loose_tol,
            stop.gap,
        )

    def _compute_smooth(self, coef, gradient):
        # w'Gw / 2 - w'X'y = w'(g - X'y) / 2
        linear = self.sample.xty[self.working_set.columns].T
        return 0.5 * float((coef * (gradient - linear)).sum())


class SweepDescent(_SetDescent):
    """By the columns.

    Parameters
    ----------
    settings, working_set, coef
        As those of both kinds.
    residual : ndarray of shape (n_rows, n_targets)
        At `coef`.
    """

    def __init__(self, settings, working_set, coef, residual):
        super().__init__(settings, working_set, coef)
        sample = self.sample
        self.state = np.ascontiguousarray(sample.apply_weights(residual).T)
        self.norms2 = working_set.squared_norms()
        self.means = np.zeros(coef.shape[1])
        self.total = 0.0
        if sample.x_mean is not None:
            self.means = sample.x_mean[working_set.columns]
            self.total = sample.total

    def minimize(self, penalty, stop, max_iter):
        """Minimise in place; returns the sweeps."""
        values, indices, indptr, places = self.working_set.list_columns()
        max_iter = min(max_iter, N_SLOW)
        n_iter = descend_columns(
            values,
            indices,
            indptr,
            self.sample.weights,
            self.total,
            self.means,
            self.norms2,
            self.state,
            self.state.sum(axis=1),
            self.coef,
            self.factors,
            self.lower,
            self.upper,
            np.arange(self.coef.shape[1]),
            penalty.l1,
            penalty.l2,
            stop.tol,
            max_iter,
            stop.loose_tol,
            stop.gap,
            places,
        )
        self.is_slow = n_iter >= N_SLOW
        return n_iter

    def change_to_gram(self):
        """The same by the Gram matrix, from here on."""
        weighted = self.state.T
        products = self.working_set.t_dot(np.ascontiguousarray(weighted))
        products -= self.means[:, None] * weighted.sum(axis=0)
        gradient = -np.ascontiguousarray(products.T)
        return GramDescent(self.settings, self.working_set, self.coef, gradient)

    def _compute_smooth(self, coef, weighted):
        weights = self.sample.weights
        if weights is None:
            squares = float((weighted * weighted).sum())
        else:
            used = weights > 0.0
            squares = float((weighted[:, used] ** 2 / weights[used]).sum())
        if self.total > 0.0:
            # What the intercept takes.
            squares -= float((weighted.sum(axis=1) ** 2).sum()) / self.total
        return 0.5 * squares
