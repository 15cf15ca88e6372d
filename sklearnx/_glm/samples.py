"""Training samples of one table: weights of its rows, and targets less their means.

Folds of a cross-validation are weights of zero for the rows held out, never copies of
the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(eq=False)
class Sample:
    """A least-squares problem on some rows of a design, without its intercept.

    Attributes
    ----------
    weights : ndarray of shape (n_rows,) or None
        Of each row, None for ones.
    total : float
        Sum of the weights.
    x_mean : ndarray of shape (n_columns,) or None
        Weighted means of the columns; None without an intercept.
    y_mean : ndarray of shape (n_targets,)
    y : ndarray of shape (n_rows, n_targets)
        The targets of all rows (those held out as well) less `y_mean`.
    xty : ndarray of shape (n_columns, n_targets)
        Weighted products of the centred columns with `y`.
    y_norm2 : float
        Weighted sum of squares of `y`.
    held_out : ndarray of int or None
        Rows whose weight was set to zero, where that is all that sets the sample apart
        from the first of its family.
    is_centred : bool
        Whether `x_mean` are the means, and not what a caller says they are.
    """

    weights: np.ndarray | None
    total: float
    x_mean: np.ndarray | None
    y_mean: np.ndarray
    y: np.ndarray
    xty: np.ndarray
    y_norm2: float
    held_out: np.ndarray | None = None
    is_centred: bool = True

    def apply_weights(self, rows):
        """Rows of (n_rows, n_targets) times their weights."""
        return rows if self.weights is None else rows * self.weights[:, None]

    def find_residual(self, fitted, columns, coef):
        """y - (X - x_mean) @ coef of all rows.

        fitted : (n_rows, n_targets), X[:, columns] @ coef; coef : (n_columns,
        n_targets).
        """
        residual = self.y - fitted
        if self.x_mean is not None:
            residual += (self.x_mean[columns, None] * coef).sum(axis=0)
        return residual

    def correlate(self, weighted, products):
        """(X - x_mean).T @ weighted, given X.T @ weighted."""
        if self.x_mean is None:
            return products
        return products - self.x_mean[:, None] * weighted.sum(axis=0)

    def intercept(self, coef):
        """Of coef (n_targets, n_columns)."""
        if self.x_mean is None:
            return np.zeros(len(coef))
        return self.y_mean - (coef * self.x_mean).sum(axis=1)


def make_samples(design, Y, weights, fit_intercept=True, held_out=None):
    """Make samples of the same rows; X is read once for all of them.

    Parameters
    ----------
    design : DenseDesign or SparseDesign
    Y : ndarray of shape (n_rows, n_targets)
        Float64.
    weights : list of (ndarray of shape (n_rows,) or None)
        Of each sample; not negative and not all zero.
    fit_intercept : bool, default=True
    held_out : list of (ndarray of int or None), default=None
        See `Sample`.

    Returns
    -------
    samples : list of Sample
    """
    n_rows, n_targets = Y.shape
    stride = n_targets + fit_intercept
    rows = np.empty((n_rows, len(weights) * stride))
    centred = []
    for i, row_weights in enumerate(weights):
        y_mean, y, total = _centre(Y, row_weights, fit_intercept)
        centred.append((y_mean, y, total))
        block = rows[:, i * stride : (i + 1) * stride]
        block[:, :n_targets] = y if row_weights is None else y * row_weights[:, None]
        if fit_intercept:
            block[:, n_targets] = 1.0 if row_weights is None else row_weights
    products = design.t_dot(rows)
    samples = []
    for i, (y_mean, y, total) in enumerate(centred):
        weighted = rows[:, i * stride : i * stride + n_targets]
        xty = products[:, i * stride : i * stride + n_targets].copy()
        x_mean = None
        if fit_intercept:
            x_mean = products[:, i * stride + n_targets] / total
            with np.errstate(invalid="ignore", over="ignore"):  # the caller looks
                xty -= x_mean[:, None] * weighted.sum(axis=0)
        samples.append(
            Sample(
                weights=weights[i],
                total=total,
                x_mean=x_mean,
                y_mean=y_mean,
                y=y,
                xty=xty,
                y_norm2=float((weighted * y).sum()),
                held_out=None if held_out is None else held_out[i],
            )
        )
    return samples


def _centre(Y, weights, fit_intercept):
    """Return the means of the targets, the targets less these, and the total weight."""
    total = float(len(Y) if weights is None else weights.sum())
    y_mean = np.zeros(Y.shape[1])
    if not fit_intercept:
        return y_mean, Y, total
    # The second time takes away the rounding of the first.
    for _ in range(2):
        weighted = Y if weights is None else Y * weights[:, None]
        mean = weighted.sum(axis=0) / total
        y_mean += mean
        Y = Y - mean
    return y_mean, Y, total
