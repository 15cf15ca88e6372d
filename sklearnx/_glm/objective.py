"""The objective of a generalised linear model, and its value at a point.

    objective(coef) = sum_i weight_i loss(y_i, x_i coef + intercept + offset_i)
                      + 1/2 sum_j l2_j coef_j^2

with weights that sum to 1. The intercept is the last coefficient, with an l2 of its own
(0 as a rule). Coefficients have the shape (n_coefs,), or (n_coefs, n_classes) for the
multinomial family.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklearnx._cached_property import cached_property
from sklearnx._cython.common.small_matrices import inner as sum_products
from sklearnx._glm.design import make_design

# Rows that tell about where the columns lie.
ROWS_FOR_CENTRE = 4096


@dataclass
class Point:
    """The objective at some coefficients.

    Attributes
    ----------
    coef : ndarray
    raw : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Raw predictions, with intercept and offset.
    loss, value : float
        The data fit, and with the penalty.
    row_gradients : ndarray like raw
        Weighted derivatives of the loss by raw predictions.
    curvature : ndarray like raw
        Weighted second derivatives; of the multinomial family the probabilities.
    gradient : ndarray like coef
        Of the objective.
    max_gradient : float
        Largest absolute value of the derivatives by coefficients.
    """

    coef: np.ndarray
    raw: np.ndarray
    loss: float
    value: float
    row_gradients: np.ndarray
    curvature: np.ndarray
    gradient: np.ndarray | None = None
    max_gradient: float = np.inf


def inner(a, b):
    """Sum of the products of two arrays, in an order that no thread changes."""
    return sum_products(
        np.ascontiguousarray(a).reshape(-1), np.ascontiguousarray(b).reshape(-1)
    )


def find_max_abs(values):
    """The largest absolute value, 0 of an empty array."""
    return float(max(np.max(values, initial=0.0), -np.min(values, initial=0.0)))


def spread_rows(n_rows, n_taken):
    """Indices of rows, one from each of `n_taken` equal stretches, the same always.

    The place in the stretch is a hash of its number, so that no period in the order of
    the rows can meet that of the choice.
    """
    starts = np.arange(n_taken, dtype=np.int64) * n_rows // n_taken
    ends = np.arange(1, n_taken + 1, dtype=np.int64) * n_rows // n_taken
    # A multiplicative hash (Knuth, The Art of Computer Programming 3, 6.4).
    mixed = np.arange(n_taken, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed >> np.uint64(33)).astype(np.int64)
    return starts + mixed % (ends - starts)


class GlmObjective:
    """Data fit of a family plus a ridge penalty.

    Parameters
    ----------
    design : DenseDesign or SparseDesign
    family : Family or Multinomial
    y : ndarray of shape (n_rows,)
        float64.
    weights : ndarray of shape (n_rows,)
        float64, at least 0, with a sum of 1.
    l2 : ndarray of shape (n_coefs,)
        Of each coefficient, with the intercept's last.
    fit_intercept : bool
    offset : ndarray of shape (n_rows,) or None
    """

    def __init__(self, design, family, y, weights, l2, fit_intercept, offset=None):
        self.design = design
        self.family = family
        self.y = y
        self.weights = weights
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.offset = offset
        self.n_classes = getattr(family, "n_classes", None)

    @property
    def n_coefs(self):
        return self.design.n_columns + self.fit_intercept

    @property
    def shape(self):
        """Of the coefficients."""
        if self.n_classes is None:
            return (self.n_coefs,)
        return (self.n_coefs, self.n_classes)

    @property
    def has_free_intercept(self):
        return self.fit_intercept and self.l2[-1] == 0.0

    @cached_property
    def centre(self):
        """About the mean of each column, None where to shift them is not worth it.

        0 for columns that are not stored as dense numbers.
        """
        if self.design.n_dense == 0 or not self.has_free_intercept:
            return None
        n_rows = self.design.n_rows
        if n_rows > ROWS_FOR_CENTRE:
            design = self.design.take_rows(spread_rows(n_rows, ROWS_FOR_CENTRE))
        else:
            design = self.design
        centre = design.t_dot(np.full(design.n_rows, 1.0 / design.n_rows))
        centre[design.n_dense :] = 0.0
        return centre

    def with_l2(self, l2):
        """The same data fit with another penalty."""
        other = GlmObjective(
            self.design,
            self.family,
            self.y,
            self.weights,
            l2,
            self.fit_intercept,
            self.offset,
        )
        is_alike = self.has_free_intercept == other.has_free_intercept
        if "centre" in self.__dict__ and is_alike:
            other.__dict__["centre"] = self.centre
        return other

    def take_rows(self, rows):
        """The objective of some rows, with weights that again sum to 1."""
        weights = self.weights[rows]
        return GlmObjective(
            self.design.take_rows(rows),
            self.family,
            self.y[rows],
            weights / np.sum(weights),
            self.l2,
            self.fit_intercept,
            None if self.offset is None else self.offset[rows],
        )

    def start(self):
        """Coefficients of 0."""
        return np.zeros(self.shape)

    def dot(self, coef):
        """Raw predictions of coefficients, without offset."""
        if not self.fit_intercept:
            return self.design.dot(coef)
        raw = self.design.dot(np.ascontiguousarray(coef[:-1]))
        raw += coef[-1]
        return raw

    def t_dot(self, rows):
        """The transpose of `dot`."""
        product = self.design.t_dot(rows)
        if not self.fit_intercept:
            return product
        if rows.ndim == 1:
            return np.append(product, rows.sum())
        sums = make_design(rows, self.design.n_threads).t_dot(self._ones)
        return np.concatenate([product, sums[None]])

    @cached_property
    def _ones(self):
        return np.ones(self.design.n_rows)

    def penalty_gradient(self, coef):
        return (self.l2 if coef.ndim == 1 else self.l2[:, None]) * coef

    def penalty(self, coef):
        return 0.5 * inner(coef, self.penalty_gradient(coef))

    def adopt(self, point, l2):
        """The same coefficients as a point of the same rows with another `l2`.

        The table is not read.
        """
        change = self.l2 - l2
        if self.n_classes is not None:
            change = change[:, None]
        gradient = point.gradient + change * point.coef
        return replace(
            point,
            value=point.loss + self.penalty(point.coef),
            gradient=gradient,
            max_gradient=find_max_abs(gradient),
        )

    def evaluate_at(self, coef, raw):
        """The point of coefficients of known raw predictions; no gradient yet."""
        loss, row_gradients, curvature = self.family.evaluate(
            self.y, raw, self.weights, self.design.n_threads
        )
        value = loss + self.penalty(coef)
        return Point(coef, raw, loss, value, row_gradients, curvature)

    def add_gradient(self, point):
        """Fill in the gradient of a point."""
        point.gradient = self.t_dot(point.row_gradients)
        point.gradient += self.penalty_gradient(point.coef)
        point.max_gradient = find_max_abs(point.gradient)
        return point

    def evaluate(self, coef):
        """The point of some coefficients: a pass over the table each way."""
        raw = self.dot(coef)
        if self.offset is not None:
            raw += self.offset if raw.ndim == 1 else self.offset[:, None]
        return self.add_gradient(self.evaluate_at(coef, raw))
