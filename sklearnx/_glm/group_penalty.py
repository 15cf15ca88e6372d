"""The penalty of groups of coefficients."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklearnx._cython.linear.group_descent import compute_dual_norms


@dataclass(frozen=True)
class GroupPenalty:
    """l1 * sum_j abs(w_j) + sum_g levels_g * ||w_g||_2.

    Coefficients are in the order of their groups. l1=0 is the group lasso (Yuan and
    Lin, "Model selection and estimation in regression with grouped variables", JRSS B
    68, 2006); else it is the sparse group lasso (Simon et al., "A sparse-group lasso",
    JCGS 22, 2013, equation 3).

    Attributes
    ----------
    starts : int64 ndarray of shape (n_groups + 1,)
        Group g has the coefficients from starts[g] to starts[g + 1], at least one.
    levels : float64 ndarray of shape (n_groups,)
        Not negative.
    l1 : float
        Not negative.
    """

    starts: np.ndarray
    levels: np.ndarray
    l1: float = 0.0

    @property
    def n_groups(self):
        return len(self.levels)

    @property
    def is_free(self):
        """Groups that have no penalty at all."""
        return (self.levels == 0) & (self.l1 == 0)

    def scale(self, alpha):
        """Return `alpha` times the penalty."""
        return replace(self, levels=alpha * self.levels, l1=alpha * self.l1)

    def take(self, groups):
        """Return the penalty of some groups."""
        sizes = np.diff(self.starts)[groups]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        return replace(self, starts=starts, levels=self.levels[groups])

    def sum_groups(self, values):
        """Return the sum over each group of a number for each coefficient."""
        return np.add.reduceat(values, self.starts[:-1])

    def value(self, coef):
        """The penalty of all coefficients."""
        norms = np.sqrt(self.sum_groups(coef**2))
        return self.l1 * np.abs(coef).sum() + (self.levels * norms).sum()

    def dual_norms(self, gradient):
        """By how much the penalty has to grow for each group to be zero.

        Of a group that is zero at the minimum it is at most 1.
        """
        return compute_dual_norms(gradient, self.starts, self.levels, self.l1)

    def find_zeros(self, gradient, radii):
        """Which groups are zero at the minimum for sure (gap-safe screening).

        Ndiaye et al., "GAP safe screening rules for sparse-group lasso", NIPS 2016.

        Parameters
        ----------
        gradient : ndarray of shape (n_coefs,)
            X.T @ dual point, of a feasible one.
        radii : ndarray of shape (n_groups,)
            By how much the norm of a group's part may differ at the minimum.
        """
        softened = np.maximum(np.abs(gradient) - self.l1, 0)
        reach = np.sqrt(self.sum_groups(softened**2)) + radii
        if self.l1 > 0:
            # A ball around a point inside the cube has to leave that first.
            largest = np.maximum.reduceat(np.abs(gradient), self.starts[:-1])
            inside = np.maximum(largest + radii - self.l1, 0)
            reach = np.where(largest <= self.l1, inside, reach)
        return reach < self.levels
