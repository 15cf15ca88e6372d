"""All columns of a dense table as float, a sieve for those that may matter.

A check of all columns is a product with a few residuals, which takes half the time in
float. Its error is bounded, so that only columns close to their threshold need the
product in double.

Folds need less: what they are solved for is the error of each penalty, to `tol`. They
take the rounded columns for their table.
"""

from __future__ import annotations

from copy import copy

import numpy as np

from sklearnx._cython.linear.rounded_products import (
    ROUNDED_ERROR,
    multiply_rounded,
    round_columns,
)
from sklearnx._glm.design import DenseDesign

# Largest copy, in bytes.
MAX_COPIED = 1 << 29

# Norms of columns for which no sum leaves the range of float.
MIN_NORM, MAX_NORM = 1e-12, 1e12


class RoundedColumns:
    """The columns of a design less their means, rounded.

    Attributes
    ----------
    design : DenseDesign
    columns : ndarray of shape (n_columns, n_rows)
        Float32.
    centre : ndarray of shape (n_columns,) or None
        That was subtracted before the columns were rounded.
    norms : ndarray of shape (n_columns,)
        Of the centred columns; zero of those that are constant but for rounding.
    """

    def __init__(self, design, centre):
        self.design = design
        self.centre = centre
        self.columns = np.empty((design.n_columns, design.n_rows), dtype=np.float32)
        self.norms = np.empty(design.n_columns)
        round_columns(design.X, centre, self.columns, self.norms, design.n_threads)
        if centre is not None:
            error = 4 * np.finfo(np.float64).eps * np.sqrt(design.n_rows)
            is_constant = self.norms <= error * np.abs(centre)
            self.columns[is_constant] = 0.0
            self.norms[is_constant] = 0.0

    def as_table(self):
        """The rounded columns as the rounded columns of the table that they are."""
        own = copy(self)
        own.design = DenseDesign(self.columns.T, self.design.n_threads)
        own.centre = None
        return own

    def t_dot(self, rows):
        """About X.T @ rows, and what bounds the error.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_outputs)

        Returns
        -------
        products : ndarray of shape (n_columns, n_outputs)
        errors : ndarray of shape (n_outputs,)
            Times the norm of a column, the largest error of its products.
        """
        norms = np.sqrt((rows * rows).sum(axis=0))
        scales = np.ldexp(1.0, np.frexp(norms)[1])
        products = np.empty((self.design.n_columns, rows.shape[1]))
        multiply_rounded(self.columns, rows / scales, products, self.design.n_threads)
        products *= scales
        if self.centre is not None:
            products += np.outer(self.centre, rows.sum(axis=0))
        return products, ROUNDED_ERROR * norms


def round_wide(design, centre):
    """The rounded columns of a table whose checks are worth it, else None."""
    is_wide = design.n_columns > design.n_rows > 0
    if not (isinstance(design, DenseDesign) and is_wide):
        return None
    return round_columns_of(design, centre)


def is_small(design):
    """Whether a copy of rounded columns is of no account."""
    return 4 * design.n_rows * design.n_columns <= MAX_COPIED


def round_columns_of(design, centre):
    """The rounded columns of a dense table, None if they would be large or not fit."""
    if not is_small(design):
        return None
    rounded = RoundedColumns(design, centre)
    used = rounded.norms[rounded.norms > 0.0]
    if len(used) > 0 and not (used.min() > MIN_NORM and used.max() < MAX_NORM):
        return None
    return rounded
