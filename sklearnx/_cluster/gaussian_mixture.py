"""Expectation maximisation for Gaussian mixtures.

A. P. Dempster, N. M. Laird and D. B. Rubin, "Maximum likelihood from incomplete data
via the EM algorithm", JRSS B 39 (1977). Each iteration is one pass over the rows, which
takes them through both steps (see mixture_pass.h), and work on sums of the components.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sklearnx._cluster.covariances import (
    COVARIANCE_TYPES,
    Components,
    Scatter,
    log,
)
from sklearnx._cython.cluster.mixture import FULL, run_pass
from sklearnx._cython.common.reductions import sum_exact
from sklearnx._threads import n_threads_for

LOG_2_PI = 1.8378770664093453
# Added to the sizes of components, so that none is empty.
EMPTY_SIZE = 10 * np.finfo(np.float64).eps
# Squared distance, in variances, by which a mean may move before sums about the old one
# lose too many digits.
MAX_SQUARED_SHIFT = 1e4


@dataclass
class Mixture:
    """The parameters of a mixture, of float64.

    Attributes
    ----------
    weights : ndarray of shape (n_components,)
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray, of the shape of the covariance type, or None
        None if they do not matter.
    factors : ndarray, of the same shape
        Upper factors of the precisions.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray | None
    factors: np.ndarray


def make_type(name, n_components, n_features):
    """The covariance type of a name."""
    return COVARIANCE_TYPES[name](n_components, n_features)


def run_on_rows(
    X,
    kernel,
    means,
    *,
    factors=None,
    constants=None,
    centres=None,
    origin=None,
    weights=None,
    labels_in=None,
    resp_in=None,
    moments=None,
    labels=None,
    log_density=None,
    resp=None,
):
    """Run the kernel's pass; without factors, responsibilities are given."""
    n_samples, n_features = X.shape
    width = n_features if kernel == FULL else 4
    return run_pass(
        kernel,
        X,
        means,
        None if factors is None else np.ascontiguousarray(factors).reshape(-1),
        means if centres is None else centres,
        constants,
        origin,
        weights,
        factors is None,
        labels_in,
        resp_in,
        moments,
        labels,
        log_density,
        resp,
        n_threads_for(n_samples * n_features * len(means) * width),
    )


def find_constants(covariance_type, mixture):
    """What log densities have besides the distance: weight and determinant."""
    constants = log(mixture.weights) - 0.5 * covariance_type.n_features * LOG_2_PI
    return constants + covariance_type.log_determinants(mixture.factors)


def evaluate_rows(X, covariance_type, mixture, *, weights=None, **outputs):
    """One pass that writes labels, log densities, responsibilities or moments."""
    shares = mixture.weights / mixture.weights.sum()
    return run_on_rows(
        X,
        covariance_type.kernel,
        mixture.means,
        factors=covariance_type.expand(mixture.factors),
        constants=find_constants(covariance_type, mixture),
        origin=(shares[:, None] * mixture.means).sum(axis=0),
        weights=weights,
        **outputs,
    )


class MixtureProblem:
    """Rows, weights and a covariance type, with the steps that EM takes on them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Of float32 or float64.
    weights : ndarray of shape (n_samples,) or None
        Sample weights of float64.
    covariance_type : CovarianceType
    reg_covar : float
        Added to all variances.
    """

    def __init__(self, X, weights, covariance_type, reg_covar):
        self.X = X
        self.weights = weights
        self.type = covariance_type
        self.reg_covar = reg_covar
        self.total_weight = float(len(X)) if weights is None else sum_exact(weights)
        self._scatter = None

    # Sums of given responsibilities --------------------------------------------------

    def sum_given(self, kind, centres, labels=None, resp=None):
        """Moments as of a covariance type, of given responsibilities or of ones."""
        moments = np.empty((len(centres), kind.n_moments))
        run_on_rows(
            self.X,
            kind.kernel,
            centres,
            weights=self.weights,
            labels_in=labels,
            resp_in=resp,
            moments=moments,
        )
        return moments

    @property
    def scatter(self):
        """The sums of all rows about their mean, if the type asks for them."""
        if self._scatter is None and self.type.needs_scatter:
            full = COVARIANCE_TYPES["full"](1, self.X.shape[1])
            diagonal = COVARIANCE_TYPES["diag"](1, self.X.shape[1])
            origin = self.X[:1].astype(np.float64)
            for kind in (diagonal, full):
                moments = self.sum_given(kind, origin)
                weight, first = kind.read_means(moments)
                if kind is diagonal:
                    origin = origin + first / weight[:, None]
            second = np.empty((self.X.shape[1], self.X.shape[1]))
            lower = np.tril_indices(len(second))
            second[lower] = moments[0, : len(lower[0])]
            second.T[lower] = second[lower]
            self._scatter = Scatter(origin[0], weight[0], first[0], second)
        return self._scatter

    # Parameters from sums ------------------------------------------------------------

    def find_means(self, moments, centres):
        """Sizes, shifts from the centres and means, of moments about the centres."""
        sizes, first = self.type.read_means(moments)
        filled = sizes + EMPTY_SIZE
        # What is added to a size has its rows at zero.
        shifts = (first - EMPTY_SIZE * centres) / filled[:, None]
        return filled, shifts, centres + shifts

    def estimate(self, moments, centres):
        """Sizes, means and covariances; and whether the centres were near enough."""
        sizes, shifts, means = self.find_means(moments, centres)
        covariances = self.type.estimate(
            Components(moments, sizes, shifts, means, self.scatter)
        )
        self.type.regularize(covariances, self.reg_covar)
        variances = self.type.read_variances(covariances)
        is_near = not (shifts**2 > MAX_SQUARED_SHIFT * variances).any()
        return sizes, means, covariances, is_near

    def complete(self, weights, means, covariances):
        """A mixture with the factors of its precisions. Raises IllDefinedError."""
        n_threads = n_threads_for(means.size * means.shape[1] ** 2)
        factors = self.type.factor(covariances, n_threads)
        return Mixture(weights, means, covariances, factors)

    # Steps ---------------------------------------------------------------------------

    def estimate_from_resp(self, labels=None, resp=None):
        """Parameters of given responsibilities: of labels, or of a matrix.

        Returns
        -------
        sizes, means, covariances
        """
        n_components = self.type.n_components
        centres = np.repeat(self.X[:1].astype(np.float64), n_components, axis=0)
        diagonal = COVARIANCE_TYPES["diag"](n_components, self.X.shape[1])
        for kind in (diagonal, self.type):
            moments = self.sum_given(kind, centres, labels, resp)
            if kind is diagonal:
                sizes, first = diagonal.read_means(moments)
                centres = centres + first / (sizes + EMPTY_SIZE)[:, None]
        return self.estimate(moments, centres)[:3]

    def estimate_from_rows(self, rows):
        """Parameters of components that have one row each."""
        means = np.ascontiguousarray(self.X[rows], dtype=np.float64)
        sizes = np.ones(len(rows)) if self.weights is None else self.weights[rows]
        covariances = self.type.estimate_from_rows(means, sizes, self.scatter)
        self.type.regularize(covariances, self.reg_covar)
        return sizes + EMPTY_SIZE, means, covariances

    def iterate(self, mixture):
        """Both steps of EM.

        Returns
        -------
        mixture : Mixture
            The next one.

        lower_bound : float
            The mean log likelihood of the rows under the one before.
        """
        moments = np.empty((self.type.n_components, self.type.n_moments))
        centres = mixture.means
        for _ in range(2):
            log_likelihood = evaluate_rows(
                self.X,
                self.type,
                mixture,
                weights=self.weights,
                centres=centres,
                moments=moments,
            )
            sizes, means, covariances, is_near = self.estimate(moments, centres)
            if is_near or not np.isfinite(means).all():
                break
            centres = means
        following = self.complete(sizes / sizes.sum(), means, covariances)
        return following, log_likelihood / self.total_weight


@dataclass
class MixtureFit:
    """What EM comes to from one start.

    Attributes
    ----------
    mixture : Mixture
    lower_bounds : list of float
        The mean log likelihood before each iteration.
    has_converged : bool
    """

    mixture: Mixture
    lower_bounds: list
    has_converged: bool

    def is_better_than(self, other):
        """Whether the lower bound is higher, or the other's says nothing."""
        before = other.lower_bounds[-1]
        return self.lower_bounds[-1] > before or before == -math.inf


def run_em(problem, mixture, *, tol, max_iter, lower_bound=-math.inf, report=None):
    """Iterate until the lower bound changes by less than `tol`.

    Parameters
    ----------
    problem : MixtureProblem
    mixture : Mixture
        The start.
    tol : float
    max_iter : int
    lower_bound : float, default=-inf
        Of an earlier fit that is continued.
    report : callable, default=None
        Gets the number of each iteration and the change of the lower bound.
    """
    lower_bounds = []
    for n_iter in range(1, max_iter + 1):
        before = lower_bound
        mixture, lower_bound = problem.iterate(mixture)
        lower_bounds.append(lower_bound)
        if report is not None:
            report(n_iter, lower_bound - before)
        if abs(lower_bound - before) < tol:
            return MixtureFit(mixture, lower_bounds, True)
    return MixtureFit(mixture, lower_bounds, False)
