"""Where a Gaussian mixture starts: given parameters, and those that are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_array

from sklearnx._cluster.gaussian_mixture import Mixture
from sklearnx.cluster import KMeans, kmeans_plusplus
from sklearnx.mixture._prediction import FLOATS


@dataclass
class GivenParameters:
    """Initial parameters that the user gave, of float64; None for those to estimate."""

    weights: np.ndarray | None
    means: np.ndarray | None
    precisions: np.ndarray | None

    @property
    def are_complete(self):
        """Whether nothing is left to estimate."""
        return not (
            self.weights is None or self.means is None or self.precisions is None
        )


def _check_shape(values, shape, name):
    if values.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got "
            f"{values.shape}"
        )


def _check_weights(weights, n_components):
    """Initial weights, between 0 and 1, with a sum of 1."""
    weights = check_array(
        weights, dtype=FLOATS, ensure_2d=False, input_name="weights_init"
    )
    _check_shape(weights, (n_components,), "weights")
    if (weights < 0.0).any() or (weights > 1.0).any():
        # The two words are the wrong way round, as in scikit-learn.
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got max value "
            f"{weights.min():.5f}, min value {weights.max():.5f}"
        )
    total = weights.sum()
    if not abs(1.0 - total) <= (1e-6 if weights.dtype == np.float32 else 1e-8):
        raise ValueError(
            "The parameter 'weights' should be normalized, but got sum(weights) = "
            f"{total:.5f}"
        )
    return weights.astype(np.float64)


def check_given(estimator, covariance_type):
    """Validate the initial parameters.

    Parameters
    ----------
    estimator : GaussianMixture
    covariance_type : CovarianceType

    Returns
    -------
    given : GivenParameters
    """
    weights, means = estimator.weights_init, estimator.means_init
    precisions = estimator.precisions_init
    n_components = covariance_type.n_components
    if weights is not None:
        weights = _check_weights(weights, n_components)
    if means is not None:
        means = check_array(
            means, dtype=FLOATS, ensure_2d=False, input_name="means_init"
        )
        _check_shape(means, (n_components, covariance_type.n_features), "means")
        means = means.astype(np.float64, order="C")
    if precisions is not None:
        precisions = check_array(
            precisions,
            dtype=FLOATS,
            ensure_2d=False,
            allow_nd=True,
            input_name="precisions_init",
        )
        name = f"{estimator.covariance_type} precision"
        _check_shape(precisions, covariance_type.shape, name)
        precisions = precisions.astype(np.float64, order="C")
        if not covariance_type.are_positive(precisions):
            raise ValueError(f"'{name}' should be {covariance_type.positive}")
    return GivenParameters(weights, means, precisions)


def _draw_parameters(estimator, problem, random_state):
    """Sizes, means and covariances as `init_params` says."""
    X, weights, n_components = problem.X, problem.weights, estimator.n_components
    if estimator.init_params == "kmeans":
        clusters = KMeans(n_components, n_init=1, random_state=random_state)
        labels = clusters.fit(X, sample_weight=weights).labels_
        return problem.estimate_from_resp(
            labels=np.ascontiguousarray(labels, dtype=np.int32)
        )
    if estimator.init_params == "random":
        resp = random_state.uniform(size=(len(X), n_components)).astype(X.dtype)
        resp /= resp.sum(axis=1)[:, None]
        return problem.estimate_from_resp(resp=resp.astype(np.float64, copy=False))
    if estimator.init_params == "k-means++":
        rows = kmeans_plusplus(
            X, n_components, sample_weight=weights, random_state=random_state
        )[1]
    else:
        shares = None if weights is None else weights / weights.sum()
        rows = random_state.choice(len(X), size=n_components, replace=False, p=shares)
    return problem.estimate_from_rows(rows)


def make_start(estimator, problem, given, random_state):
    """The mixture to start from. Raises IllDefinedError.

    Parameters
    ----------
    estimator : GaussianMixture
    problem : MixtureProblem
    given : GivenParameters
        In place of what is estimated.
    random_state : RandomState
        Drawn from unless all is given.
    """
    weights, means, precisions = given.weights, given.means, given.precisions
    covariances = None
    if not given.are_complete:
        sizes, drawn_means, covariances = _draw_parameters(
            estimator, problem, random_state
        )
        weights = sizes / problem.total_weight if weights is None else weights
        means = drawn_means if means is None else means
    if precisions is None:
        return problem.complete(weights, means, covariances)
    factors = problem.type.factor_precisions(precisions)
    return Mixture(weights, means, problem.type.invert(precisions), factors)
