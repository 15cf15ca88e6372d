"""The types of covariances of a Gaussian mixture, one class each.

A type turns sums over the rows (moments, see mixture_kinds.h) into covariances C, and
these into upper triangular factors U of the precisions, ``U U' = inv(C)``. To add one,
write its class and put it into `COVARIANCE_TYPES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from sklearnx._cython.cluster.mixture import DIAGONAL, FULL, TIED, factor_precisions
from sklearnx._cython.common.elementary import map_log
from sklearnx._linalg import (
    MAX_OWN_ROWS,
    LinAlgError,
    cholesky,
    eigh,
    matmul,
    one_blas_thread,
)


class IllDefinedError(ValueError):
    """A covariance is not positive definite."""


@dataclass
class Scatter:
    """Sums of all rows x with weights w, about an origin o.

    Attributes
    ----------
    origin : ndarray of shape (n_features,)
    weight : float
        ``sum w``
    first : ndarray of shape (n_features,)
        ``sum w (x - o)``
    second : ndarray of shape (n_features, n_features)
        ``sum w (x - o) (x - o)'``
    """

    origin: np.ndarray
    weight: float
    first: np.ndarray
    second: np.ndarray


@dataclass
class Components:
    """What a pass says of the components, before their covariances.

    Attributes
    ----------
    moments : ndarray of shape (n_components, n_moments)
        About a point of each component.
    sizes : ndarray of shape (n_components,)
        The sums of responsibilities, none of them zero.
    shifts : ndarray of shape (n_components, n_features)
        From these points to the means.
    means : ndarray of shape (n_components, n_features)
    scatter : Scatter or None
        Of all rows, for types that ask for it.
    """

    moments: np.ndarray
    sizes: np.ndarray
    shifts: np.ndarray
    means: np.ndarray
    scatter: Scatter | None


def log(values):
    """Natural logarithms of an array, with the same bits on every machine."""
    values = np.ascontiguousarray(values, dtype=np.float64)
    result = np.empty_like(values)
    map_log(values.ravel(), result.ravel())
    return result


def unpack_symmetric(triangles, n):
    """Matrices (n_matrices, n, n) whose lower triangles the rows begin with."""
    positions = np.arange(n)
    row = np.maximum.outer(positions, positions)
    column = np.minimum.outer(positions, positions)
    return triangles[:, row * (row + 1) // 2 + column]


def factor_matrices(covariances, n_threads):
    """Upper factors of the inverses of matrices (n_matrices, n, n)."""
    factors = np.array(covariances, dtype=np.float64, order="C")
    if factors.shape[1] <= MAX_OWN_ROWS:
        if not factor_precisions(factors, n_threads):
            raise IllDefinedError
        return factors
    with one_blas_thread():
        for factor in factors:
            try:
                upper = scipy.linalg.cholesky(factor, check_finite=False)
            except LinAlgError as error:
                raise IllDefinedError from error
            factor[:] = scipy.linalg.lapack.dtrtri(upper)[0]
    return factors


def factor_precision(precision):
    """The upper factor U of a precision ``U U'``: a Cholesky factor from the end."""
    return cholesky(precision[::-1, ::-1])[::-1, ::-1]


def is_positive_definite(matrix):
    """Whether a matrix is symmetric and positive definite."""
    return np.allclose(matrix, matrix.T) and bool((eigh(matrix)[0] > 0.0).all())


class CovarianceType(ABC):
    """What the rest of the mixture asks of a type of covariances.

    Attributes
    ----------
    kernel : int
        The kind of the kernel (see mixture.pyx).
    needs_scatter : bool
        Whether covariances need the sums of all rows.
    positive : str
        What precisions have to be.
    shape : tuple
        Of covariances, precisions and factors.
    n_moments : int
        Sums of each component.
    n_parameters : int
        Free parameters of the covariances.
    """

    kernel: int
    needs_scatter = False
    positive = "symmetric, positive-definite"
    shape: tuple
    n_moments: int
    n_parameters: int

    def __init__(self, n_components, n_features):
        self.n_components = n_components
        self.n_features = n_features

    def read_means(self, moments):
        """Sizes, and the sums of responsibilities times rows about the points."""
        return moments[:, 0], moments[:, 1 : 1 + self.n_features]

    @abstractmethod
    def estimate(self, components):
        """Covariances without regularisation."""

    def estimate_from_rows(self, rows, weights, scatter):
        """Covariances of components that have one row each: none."""
        return np.zeros(self.shape)

    @abstractmethod
    def regularize(self, covariances, reg_covar):
        """Add to all variances, in place."""

    @abstractmethod
    def read_variances(self, covariances):
        """The variances, of a shape that broadcasts to (n_components, n_features)."""

    @abstractmethod
    def factor(self, covariances, n_threads):
        """Factors of the precisions. Raises IllDefinedError."""

    @abstractmethod
    def log_determinants(self, factors):
        """Logarithms of the determinants of the factors; one number if shared."""

    def expand(self, factors):
        """Factors as the kernel takes them."""
        return factors

    @abstractmethod
    def factor_precisions(self, precisions):
        """Factors of given precisions."""

    @abstractmethod
    def multiply(self, factors):
        """Precisions from their factors."""

    @abstractmethod
    def invert(self, precisions):
        """Covariances from precisions."""

    @abstractmethod
    def are_positive(self, precisions):
        """Whether given precisions are symmetric and positive definite."""


class Full(CovarianceType):
    """Each component has a covariance matrix of its own."""

    kernel = FULL

    @property
    def shape(self):
        return self.n_components, self.n_features, self.n_features

    @property
    def n_moments(self):
        return (self.n_features + 1) * (self.n_features + 2) // 2

    @property
    def n_parameters(self):
        return self.n_components * self.n_features * (self.n_features + 1) // 2

    def read_means(self, moments):
        return moments[:, -1], moments[:, -1 - self.n_features : -1]

    def estimate(self, components):
        # sum r (z - s)(z - s)' = sum r z z' - h s' - s h',  h = sum r z - s sum r / 2
        shifts = components.shifts
        sizes, first = self.read_means(components.moments)
        half = first - 0.5 * sizes[:, None] * shifts
        outer = half[:, :, None] * shifts[:, None, :]
        covariances = unpack_symmetric(components.moments, self.n_features)
        covariances -= outer + outer.transpose(0, 2, 1)
        covariances /= components.sizes[:, None, None]
        return covariances

    def regularize(self, covariances, reg_covar):
        diagonal = np.arange(self.n_features)
        covariances[:, diagonal, diagonal] += reg_covar

    def read_variances(self, covariances):
        return np.diagonal(covariances, axis1=1, axis2=2)

    def factor(self, covariances, n_threads):
        return factor_matrices(covariances, n_threads)

    def log_determinants(self, factors):
        return log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)

    def factor_precisions(self, precisions):
        return np.stack([factor_precision(precision) for precision in precisions])

    def multiply(self, factors):
        return np.stack([matmul(factor, factor.T) for factor in factors])

    def invert(self, precisions):
        return np.stack([scipy.linalg.inv(precision) for precision in precisions])

    def are_positive(self, precisions):
        return all(is_positive_definite(precision) for precision in precisions)


class Tied(CovarianceType):
    """All components share one covariance matrix.

    It is what the scatter of all rows leaves after that of the means.
    """

    kernel = TIED
    needs_scatter = True

    @property
    def shape(self):
        return self.n_features, self.n_features

    @property
    def n_moments(self):
        return 1 + 2 * self.n_features

    @property
    def n_parameters(self):
        return self.n_features * (self.n_features + 1) // 2

    def estimate(self, components):
        means = components.means - components.scatter.origin
        between = matmul(np.ascontiguousarray(means.T * components.sizes), means)
        return (components.scatter.second - between) / components.sizes.sum()

    def estimate_from_rows(self, rows, weights, scatter):
        """What the squares of all rows, about zero, leave after those of some."""
        origin = scatter.origin
        mixed = np.outer(origin, scatter.first + 0.5 * scatter.weight * origin)
        squares = scatter.second + mixed + mixed.T
        squares -= matmul(np.ascontiguousarray(rows.T * weights), rows)
        return squares / weights.sum()

    def regularize(self, covariances, reg_covar):
        diagonal = np.arange(self.n_features)
        covariances[diagonal, diagonal] += reg_covar

    def read_variances(self, covariances):
        return np.diagonal(covariances)

    def factor(self, covariances, n_threads):
        return factor_matrices(covariances[None], n_threads)[0]

    def log_determinants(self, factors):
        return log(np.diagonal(factors)).sum()

    def factor_precisions(self, precisions):
        return factor_precision(precisions)

    def multiply(self, factors):
        return matmul(factors, factors.T)

    def invert(self, precisions):
        return scipy.linalg.inv(precisions)

    def are_positive(self, precisions):
        return is_positive_definite(precisions)


class Diagonal(CovarianceType):
    """Each component has a variance for each feature."""

    kernel = DIAGONAL
    positive = "positive"

    @property
    def shape(self):
        return self.n_components, self.n_features

    @property
    def n_moments(self):
        return 1 + 2 * self.n_features

    @property
    def n_parameters(self):
        return self.n_components * self.n_features

    def estimate(self, components):
        # sum r (z - s)^2 = sum r z^2 - s (2 sum r z - s sum r)
        shifts = components.shifts
        sizes, first = self.read_means(components.moments)
        second = components.moments[:, 1 + self.n_features :]
        squares = second - shifts * (2.0 * first - shifts * sizes[:, None])
        return squares / components.sizes[:, None]

    def regularize(self, covariances, reg_covar):
        covariances += reg_covar

    def read_variances(self, covariances):
        return covariances

    def factor(self, covariances, n_threads):
        if not ((covariances > 0.0) & np.isfinite(covariances)).all():
            raise IllDefinedError
        return 1.0 / np.sqrt(covariances)

    def log_determinants(self, factors):
        return log(factors).sum(axis=1)

    def factor_precisions(self, precisions):
        return np.sqrt(precisions)

    def multiply(self, factors):
        return factors**2

    def invert(self, precisions):
        return 1.0 / precisions

    def are_positive(self, precisions):
        return bool((precisions > 0.0).all())


class Spherical(Diagonal):
    """Each component has one variance, the mean of those of the features."""

    @property
    def shape(self):
        return (self.n_components,)

    @property
    def n_parameters(self):
        return self.n_components

    def estimate(self, components):
        return super().estimate(components).mean(axis=1)

    def read_variances(self, covariances):
        return covariances[:, None]

    def log_determinants(self, factors):
        return self.n_features * log(factors)

    def expand(self, factors):
        return np.repeat(factors[:, None], self.n_features, axis=1)


COVARIANCE_TYPES: dict[str, type[CovarianceType]] = {
    "full": Full,
    "tied": Tied,
    "diag": Diagonal,
    "spherical": Spherical,
}
