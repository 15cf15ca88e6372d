"""All columns of a dense table as float, a sieve for those that may matter.

A check of all columns is a product with a few residuals, which takes half the time in
float. Its error is bounded, so that only columns close to their threshold need the
product in double.
"""

from __future__ import annotations

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
    centre : ndarray of shape (n_columns,) or None
        That was subtracted before the columns were rounded.
    norms : ndarray of shape (n_columns,)
        Of the centred columns.
    """

    def __init__(self, design, centre):
        self.design = design
        self.centre = centre
        self._columns = np.empty((design.n_columns, design.n_rows), dtype=np.float32)
        self.norms = np.empty(design.n_columns)
        round_columns(design.X, centre, self._columns, self.norms, design.n_threads)

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
        multiply_rounded(self._columns, rows / scales, products, self.design.n_threads)
        products *= scales
        if self.centre is not None:
            products += np.outer(self.centre, rows.sum(axis=0))
        return products, ROUNDED_ERROR * norms


def round_wide(design, centre):
    """The rounded columns of a table that is worth it, else None."""
    is_wide = design.n_columns > design.n_rows > 0
    if not (isinstance(design, DenseDesign) and is_wide):
        return None
    if 4 * design.n_rows * design.n_columns > MAX_COPIED:
        return None
    rounded = RoundedColumns(design, centre)
    used = rounded.norms[rounded.norms > 0.0]
    if len(used) > 0 and not (used.min() > MIN_NORM and used.max() < MAX_NORM):
        return None
    return rounded
