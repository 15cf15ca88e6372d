"""What a fitted Gaussian mixture says of rows, and the rows that it draws."""

from __future__ import annotations

import math

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearnx._cluster.gaussian_mixture import Mixture, evaluate_rows, make_type
from sklearnx._validation import validate_data

FLOATS = [np.float64, np.float32]


class MixturePrediction:
    """Methods of a mixture with its fitted attributes."""

    def _read_mixture(self, covariance_type):
        """The parameters by which rows are told apart, of float64, without covariances.

        Whoever sets them may have left some of another shape.
        """
        n_components, n_features = (
            covariance_type.n_components,
            covariance_type.n_features,
        )
        arrays = []
        for name, shape in (
            ("weights_", (n_components,)),
            ("means_", (n_components, n_features)),
            ("precisions_cholesky_", covariance_type.shape),
        ):
            values = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            if values.shape != shape:
                raise ValueError(
                    f"{name} has the shape {values.shape}, but covariance_type="
                    f"{self.covariance_type!r} with {n_components} components and "
                    f"{n_features} features needs {shape}."
                )
            arrays.append(values)
        weights, means, factors = arrays
        return Mixture(weights, means, None, factors)

    def _evaluate(self, X, **outputs):
        """Let the kernel write what it finds for validated rows."""
        covariance_type = make_type(self.covariance_type, len(self.means_), X.shape[1])
        mixture = self._read_mixture(covariance_type)
        evaluate_rows(X, covariance_type, mixture, **outputs)

    def _validate_rows(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=FLOATS)

    def _find_labels(self, X):
        labels = np.empty(len(X), dtype=np.int64)
        self._evaluate(X, labels=labels)
        return labels

    def _find_log_densities(self, X):
        log_density = np.empty(len(X))
        self._evaluate(X, log_density=log_density)
        return log_density.astype(np.result_type(X, self.means_), copy=False)

    def predict(self, X):
        """Find the most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int64
            Positions of components; the first of equally probable ones.
        """
        return self._find_labels(self._validate_rows(X))

    def predict_proba(self, X):
        """Find the probability of each component, given the row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components)
            Responsibilities, between 0 and 1; those of a row sum to 1.
        """
        X = self._validate_rows(X)
        resp = np.empty((len(X), len(self.means_)))
        self._evaluate(X, resp=resp)
        return resp.astype(np.result_type(X, self.means_), copy=False)

    def score_samples(self, X):
        """Find the logarithm of the density of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            In nats.
        """
        return self._find_log_densities(self._validate_rows(X))

    def score(self, X, y=None):
        """Find the mean log likelihood of a row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : Ignored
            There by convention.

        Returns
        -------
        log_likelihood : float
            The mean of what `score_samples` returns.
        """
        return self._sum_log_densities(X)[0]

    def _sum_log_densities(self, X):
        """The mean log density of the rows, and their number."""
        log_density = self.score_samples(X)
        return float(log_density.mean()), len(log_density)

    def sample(self, n_samples=1):
        """Draw rows from the mixture.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows, at least 1.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), dtype float64
            Rows, ordered by component.

        labels : ndarray of shape (n_samples,), dtype int64
            The component of each row.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . The sampling requires "
                "at least one sample."
            )
        random_state = check_random_state(self.random_state)
        counts = random_state.multinomial(n_samples, self.weights_)
        covariances = self.covariances_
        if self.covariance_type == "tied":
            covariances = [covariances] * len(counts)
        rows = []
        for mean, covariance, n in zip(self.means_, covariances, counts):
            if self.covariance_type in ("full", "tied"):
                rows.append(random_state.multivariate_normal(mean, covariance, int(n)))
            else:
                noise = random_state.standard_normal(size=(n, len(mean)))
                rows.append(mean + noise * np.sqrt(covariance))
        X = np.concatenate(rows).astype(np.float64, copy=False)
        return X, np.repeat(np.arange(len(counts)), counts)

    # Criteria ------------------------------------------------------------------------

    def _n_parameters(self):
        """The number of free parameters."""
        n_components, n_features = self.means_.shape
        covariance_type = make_type(self.covariance_type, n_components, n_features)
        n_of_means = n_components * n_features
        return covariance_type.n_parameters + n_of_means + n_components - 1

    def bic(self, X):
        """Find the Bayesian information criterion of the mixture on some rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        bic : float
            ``-2 log likelihood + log(n_samples) * n_parameters``: the lower, the
            better.
        """
        log_density, n_samples = self._sum_log_densities(X)
        return -2 * log_density * n_samples + math.log(n_samples) * self._n_parameters()

    def aic(self, X):
        """Find Akaike's information criterion of the mixture on some rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        aic : float
            ``-2 log likelihood + 2 * n_parameters``: the lower, the better.
        """
        log_density, n_samples = self._sum_log_densities(X)
        return -2 * log_density * n_samples + 2 * self._n_parameters()
