"""What all estimators around centres share: their data, starts and predictions."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from sklearnx._cluster.rows import make_rows
from sklearnx._cluster.seeding import choose_centers
from sklearnx._compat import check_sample_weight
from sklearnx._threads import n_threads_for
from sklearnx._validation import validate_data

# Arrays of rows up to this size are looked at without scikit-learn's validation, which
# takes longer than to predict them.
MAX_SMALL = 1 << 14

PARAMETER_DOCS = {
    "n_clusters": """
        n_clusters : int, default=8
            Number of clusters and of centres, at least 1, at most the number of rows.
    """,
    "init": """
        init : {'k-means++', 'random'}, callable or array-like of shape \
                (n_clusters, n_features), default='k-means++'
            Where the centres start:

            - 'k-means++': at rows drawn far from each other, each the best of several
              candidates [1]_;
            - 'random': at rows drawn at random, without replacement;
            - an array: there;
            - a callable: at what it returns for `X`, `n_clusters` and `random_state`.
    """,
    "random_state": """
        random_state : int, RandomState instance or None, default=None
            For the draws of `init`. The same number leads to the same start as in
            scikit-learn.
    """,
    "verbose": """
        verbose : int, default=0
            1 prints the progress.
    """,
    "rows": """
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, of float64 or float32; other numbers become float64. Copied only if
            they are not in C order or CSR format.
    """,
    "y": """
        y : Ignored
            Present by convention.
    """,
    "sample_weight": """
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is the row twice. They count
            for drawn starts too, not for an array or a callable.
    """,
}


def make_weights(sample_weight, X):
    """Check sample weights; None for ones, else float64 of shape (n_samples,)."""
    if sample_weight is None:
        return None
    weights = check_sample_weight(
        sample_weight, X, dtype=X.dtype, ensure_non_negative=True
    )
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def count_runs(estimator, default):
    """The number of runs that `n_init` and `init` stand for."""
    init, n_init = estimator.init, estimator.n_init
    is_drawn = isinstance(init, str) or callable(init)
    if n_init == "auto":
        n_init = 1
        if callable(init) or (isinstance(init, str) and init == "random"):
            n_init = default
    if not is_drawn and n_init != 1:
        warnings.warn(
            "Explicit initial center position passed: performing only one init in "
            f"{type(estimator).__name__} instead of n_init={n_init}.",
            RuntimeWarning,
            stacklevel=3,
        )
        n_init = 1
    return n_init


def check_n_clusters(X, n_clusters):
    """Raise ValueError where there are more clusters than rows."""
    if X.shape[0] < n_clusters:
        raise ValueError(
            f"n_samples={X.shape[0]} should be >= n_clusters={n_clusters}."
        )


def check_start(centers, X, n_clusters):
    """Initial centres that the user gives, as an array of the dtype of X."""
    centers = check_array(centers, dtype=X.dtype, copy=True, order="C")
    if centers.shape[0] != n_clusters:
        raise ValueError(
            f"The shape of the initial centers {centers.shape} does not "
            f"match the number of clusters {n_clusters}."
        )
    if centers.shape[1] != X.shape[1]:
        raise ValueError(
            f"The shape of the initial centers {centers.shape} does not "
            f"match the number of features of the data {X.shape[1]}."
        )
    return centers


def draw_start(rows, init, n_clusters, sample_weight, random_state):
    """Initial centres by 'k-means++', 'random' or a callable.

    A callable gets the table less the mean of its rows if it is dense, as scikit-learn
    does, and what it returns is moved back.
    """
    if callable(init):
        if sparse.issparse(rows.X):
            centers = init(rows.X, n_clusters, random_state=random_state)
            return check_start(centers, rows.X, n_clusters)
        mean = rows.X.mean(axis=0)
        centers = init(rows.X - mean, n_clusters, random_state=random_state)
        return check_start(centers, rows.X, n_clusters) + mean
    if init == "k-means++":
        return choose_centers(rows, n_clusters, sample_weight, random_state)[0]
    weights = np.ones(rows.n_rows) if sample_weight is None else sample_weight
    weights = weights.astype(rows.dtype)
    n_weighted = np.count_nonzero(weights)
    if n_weighted < n_clusters:
        raise ValueError(
            f"n_clusters={n_clusters} should be <= {n_weighted}, the number of rows of "
            "positive sample_weight, for init='random'."
        )
    seeds = random_state.choice(
        rows.n_rows, size=n_clusters, replace=False, p=weights / weights.sum()
    )
    return rows.to_dense(seeds)


class CenterPrediction(TransformerMixin):
    """Labels, distances and scores of rows by ``cluster_centers_``."""

    def _check_rows(self, X):
        """Validate rows as `fit` has seen them."""
        if (
            type(X) is np.ndarray
            and X.ndim == 2
            and 0 < X.size <= MAX_SMALL
            and X.dtype in (np.float64, np.float32)
            and X.flags.c_contiguous
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")
            and np.isfinite(X).all()
        ):
            return X
        return validate_data(
            self,
            X,
            accept_sparse="csr",
            reset=False,
            dtype=[np.float64, np.float32],
            order="C",
            accept_large_sparse=False,
        )

    def _open_rows(self, X):
        """The accessor of checked rows, and the centres in their dtype."""
        centers = self.cluster_centers_
        if X.dtype == np.float32 and centers.dtype == np.float64:
            X = X.astype(np.float64)
        n_threads = n_threads_for(X.shape[0] * centers.size)
        return make_rows(X, n_threads), centers

    def fit_predict(self, X, y=None, sample_weight=None):
        """Fit the model and return the labels of the training rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : Ignored
            Present by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int32
            ``labels_``.
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def predict(self, X):
        """Find the nearest centre of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int32
            Indices of centres, the first of equally near ones.
        """
        check_is_fitted(self, "cluster_centers_")
        rows, centers = self._open_rows(self._check_rows(X))
        return rows.assign(centers)[0]

    def fit_transform(self, X, y=None, sample_weight=None):
        """Fit the model and return the distances of the training rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : Ignored
            Present by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_clusters)
            As `transform` returns it.
        """
        self.fit(X, sample_weight=sample_weight)
        return self._measure_distances(self._check_rows(X))

    def transform(self, X):
        """Distances of rows to all centres.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_clusters)
            Euclidean distances, of the dtype of `X`.
        """
        check_is_fitted(self, "cluster_centers_")
        return self._measure_distances(self._check_rows(X))

    def _measure_distances(self, X):
        """Distances of checked rows to all centres."""
        rows, centers = self._open_rows(X)
        distances = rows.measure_all(centers)
        return np.sqrt(distances, out=distances).astype(X.dtype, copy=False)

    def score(self, X, y=None, sample_weight=None):
        """The negative inertia of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : Ignored
            Present by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0.

        Returns
        -------
        score : float
            Minus the weighted sum of squared distances to the nearest centres.
        """
        check_is_fitted(self, "cluster_centers_")
        X = self._check_rows(X)
        weights = make_weights(sample_weight, X)
        rows, centers = self._open_rows(X)
        distances = rows.assign(centers, with_distances=True)[1]
        if weights is not None:
            distances *= weights
        return -float(distances.sum())
