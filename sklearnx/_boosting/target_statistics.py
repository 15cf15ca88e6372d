"""Means of the target by level of a category, and why rows must not see their own.

A level of one row has that row's target as its mean: a model fitted to such means
learns the targets by heart. So in training each row gets the mean over the rows that
come before it in a random order ("ordered target statistics": Prokhorenkova et al.,
"CatBoost: unbiased boosting with categorical features", NeurIPS 2018, section 3.2), and
rows to be predicted the mean over all training rows.
"""

import numpy as np

from sklearnx._cython.boosting.target_statistics import (
    compute_level_means,
    compute_ordered_means,
)
from sklearnx._cython.common.random import ORDER_OF_ROWS, draw_uniform
from sklearnx._cython.common.reductions import sum_exact


class TargetStatistics:
    """The means of some targets by level, of several categorical columns.

    Parameters
    ----------
    smooth : float
        As many rows at the prior, which is the mean of all rows, are added to those of
        a level.

    Attributes
    ----------
    priors_ : float64 array of shape (n_outputs,)
    weights_ : list of float64 arrays of shape (n_levels + 2,)
        Rows of each level of a column, or the sum of their weights.
    means_ : list of float64 arrays of shape (n_levels + 2, n_outputs)
        Of each column. The last row but one is that of unknown levels, the last that of
        missing values, so that their codes, -2 and -1, find them.
    """

    def __init__(self, smooth):
        self.smooth = smooth

    def fit(self, columns, n_levels, targets, n_threads=1, weights=None):
        """Compute the means of all rows.

        Parameters
        ----------
        columns : list of int32 arrays of shape (n_rows,)
            Codes of levels, -1 where missing.
        n_levels : list of int
        targets : float64 array of shape (n_rows, n_outputs)
        n_threads : int, default=1
        weights : float64 array of shape (n_rows,) or None, default=None
            A row of weight 2 counts as two.

        Returns
        -------
        self
        """
        sums = [
            sum_exact(np.ascontiguousarray(target), weights, n_threads=n_threads)
            for target in targets.T
        ]
        total = len(targets) if weights is None else sum_exact(weights)
        self.priors_ = np.array(sums) / total
        means = compute_level_means(
            columns, n_levels, targets, self.priors_, self.smooth, n_threads, weights
        )
        self.weights_ = [
            _sum_weights(codes, n, weights)
            for codes, n in zip(columns, n_levels, strict=True)
        ]
        self.means_ = [
            np.concatenate([of_column[:-1], [self.priors_], of_column[-1:]])
            for of_column in means
        ]
        return self

    def order(self, columns, targets, seed, n_threads=1, weights=None, permutation=0):
        """Return what training rows get: means over the rows before them.

        Parameters
        ----------
        columns, targets
            What `fit` got.
        seed : int or None
            Of the order of the rows; None means the order that they are in.
        n_threads : int, default=1
        weights : float64 array of shape (n_rows,) or None, default=None
        permutation : int, default=0
            Which of the orders of a seed.

        Returns
        -------
        means : float64 array of shape (n_columns, n_outputs, n_rows)
        """
        order = np.arange(len(targets))
        if seed is not None:
            order = draw_order(seed, permutation, len(targets))
        n_levels = [len(means) - 2 for means in self.means_]
        return compute_ordered_means(
            columns,
            n_levels,
            targets,
            self.priors_,
            self.smooth,
            order,
            n_threads,
            weights,
        )

    def look_up(self, columns):
        """Return what other rows get.

        Parameters
        ----------
        columns : list of int32 arrays of shape (n_rows,)
            Codes of levels, -1 where missing, -2 where unknown.

        Returns
        -------
        means : float64 array of shape (n_columns, n_outputs, n_rows)
        """
        return np.stack(
            [means[codes].T for means, codes in zip(self.means_, columns, strict=True)]
        )


def draw_order(seed, permutation, n_rows):
    """Return one of the random orders of a seed, int64 of shape (n_rows,)."""
    return np.argsort(
        draw_uniform(seed, ORDER_OF_ROWS, permutation, n_rows), kind="stable"
    )


def _sum_weights(codes, n_levels, weights):
    """Return the weight of the rows of each level, of unknown and of missing values."""
    places = np.where(codes < 0, n_levels + 1, codes)
    return np.bincount(places, weights, minlength=n_levels + 2).astype(np.float64)
