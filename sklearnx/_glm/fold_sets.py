"""Gram matrices of folds with all columns, taken from one of all rows.

    Gram matrix of a fold = that of all rows - that of the rows held out - total d d'

with rows centred at the means of all, and d the fold's means less these, so that the
products over all rows are computed once.
"""

from __future__ import annotations

import numpy as np

from sklearnx._glm.working_set import (
    ColumnSet,
    as_slice,
    find_floor,
    silence_constants,
)

# The least share of a sum of squares that the rows of a fold may have without too many
# digits being lost by subtraction.
MIN_SHARE = 1e-5


class FoldSet(ColumnSet):
    """All columns, with the Gram matrix of a fold; see `WorkingSet`.

    Parameters
    ----------
    whole : WorkingSet
        All columns, of the sample of all rows.
    sample : Sample
        With rows held out.
    """

    def __init__(self, whole, sample):
        super().__init__(whole.design, whole.columns)
        self.whole = whole
        self.sample = sample
        self._gram = None

    def gram(self, n_threads=None):
        """The centred, weighted Gram matrix of all columns."""
        if self._gram is None:
            self._gram, floor = self._compute_gram()
            silence_constants(self._gram, 0, floor)
        return self._gram

    def fit_rows(self, coefs, rows=None):
        return self.whole.fit_rows(coefs, rows)

    def _compute_gram(self):
        """The Gram matrix, and the sums of squares that may be rounding alone."""
        sample, whole = self.sample, self.whole.sample
        rows, weights = sample.held_out, whole.weights
        held = self.design.take_rows(as_slice(rows)).gram(
            None if weights is None else weights[rows], whole.x_mean
        )
        of_all = self.whole.gram()
        gram = of_all - held
        if whole.x_mean is not None:
            shift = sample.x_mean - whole.x_mean
            gram -= sample.total * np.outer(shift, shift)
        floor = find_floor(sample, sample.x_mean)
        if self._has_lost_digits(gram.diagonal(), of_all.diagonal()):
            return self.design.gram(sample.weights, sample.x_mean), floor
        return gram, floor + 64 * np.finfo(np.float64).eps * of_all.diagonal()

    def _has_lost_digits(self, diagonal, of_all):
        """Whether sums of the rows held out are so large that the rest has no digits.

        Columns that are constant in the fold need none.
        """
        is_small = diagonal < MIN_SHARE * of_all
        if not is_small.any():
            return False
        few = self.design.take_columns(np.flatnonzero(is_small))
        sample = self.sample
        centre = None if sample.x_mean is None else sample.x_mean[is_small]
        exact = few.squared_norms(sample.weights, centre)
        return bool((exact > find_floor(sample, centre)).any())
