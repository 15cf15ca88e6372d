"""Density-based clustering at one radius."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.cluster import DBSCAN as _SklearnDBSCAN
from sklearn.utils.validation import check_is_fitted

from sklearnx._cluster.density import (
    cluster_distances,
    cluster_neighbors,
    cluster_points,
    find_nearest_by,
    find_nearest_points,
)
from sklearnx._cluster.metrics import (
    MAX_SERIAL_VALUES,
    as_floats,
    check_distances,
    make_neighbors_model,
    pick_metric,
)
from sklearnx._compat import (
    PAIRWISE_METRICS,
    Interval,
    StrOptions,
    check_sample_weight,
    fit_context,
    validate_params,
)
from sklearnx._threads import effective_n_threads
from sklearnx._validation import validate_data


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=False,
)
def dbscan(
    X,
    eps=0.5,
    *,
    min_samples=5,
    metric="minkowski",
    metric_params=None,
    algorithm="auto",
    leaf_size=30,
    p=2,
    sample_weight=None,
    n_jobs=None,
):
    """Cluster by density, as a function.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features) or \
            (n_samples, n_samples)
        Rows to cluster, or with ``metric='precomputed'`` the distances between them.

    eps : float, default=0.5
        Distance up to which rows are neighbours, above 0.

    min_samples : int, default=5
        Number of neighbours, the row itself among them, or their weight, that makes a
        core sample.

    metric : str or callable, default='minkowski'
        Metric. See `DBSCAN`.

    metric_params : dict, default=None
        Further parameters of the metric.

    algorithm : {'auto', 'ball_tree', 'kd_tree', 'brute'}, default='auto'
        How neighbours are found where `DBSCAN` asks scikit-learn for them.

    leaf_size : int, default=30
        Size of the leaves of scikit-learn's trees.

    p : float, default=2
        Power of the Minkowski metric.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, of any sign.

    n_jobs : int, default=None
        Number of threads. None means all cores.

    Returns
    -------
    core_samples : ndarray of shape (n_core_samples,), dtype int64
        Rows that are core samples.

    labels : ndarray of shape (n_samples,), dtype int64
        Cluster of each row, -1 for noise.

    See Also
    --------
    DBSCAN : The same as an estimator.

    Examples
    --------
    >>> from sklearnx.cluster import dbscan
    >>> X = [[1, 2], [2, 2], [2, 3], [8, 7], [8, 8], [25, 80]]
    >>> core_samples, labels = dbscan(X, eps=3, min_samples=2)
    >>> core_samples
    array([0, 1, 2, 3, 4])
    >>> labels
    array([ 0,  0,  0,  1,  1, -1])
    """
    model = DBSCAN(
        eps=eps,
        min_samples=min_samples,
        metric=metric,
        metric_params=metric_params,
        algorithm=algorithm,
        leaf_size=leaf_size,
        p=p,
        n_jobs=n_jobs,
    )
    model.fit(X, sample_weight=sample_weight)
    return model.core_sample_indices_, model.labels_


class DBSCAN(_SklearnDBSCAN):
    """Clusters of any shape that are dense at one radius, and noise between them.

    A row with `min_samples` rows within `eps`, itself among them, is a core sample.
    Core samples within `eps` of one another are of one cluster, and so are the rows
    within `eps` of them, the border; the rest is noise.

    Parameters
    ----------
    eps : float, default=0.5
        Distance up to which rows are neighbours, above 0. The parameter that matters
        most: it is no bound on the extent of a cluster.

    min_samples : int, default=5
        Number of neighbours, the row itself among them, that makes a core sample; with
        `sample_weight` their weight.

    metric : str or callable, default='euclidean'
        Metric, as of `sklearn.metrics.pairwise_distances`, symmetric. With
        "precomputed", `X` is a square matrix of distances, which need not be symmetric;
        entries that a sparse one does not store are no neighbours.

    metric_params : dict, default=None
        Further parameters of the metric.

    algorithm : {'auto', 'ball_tree', 'kd_tree', 'brute'}, default='auto'
        How `sklearn.neighbors.NearestNeighbors` finds neighbours. Euclidean, Manhattan,
        Chebyshev and Minkowski distances of dense rows do not need it.

    leaf_size : int, default=30
        Size of the leaves of its trees.

    p : float, default=None
        Power of the Minkowski metric, None for 2.

    n_jobs : int, default=None
        Number of threads. None means all cores and -1 too; no result depends on it.

    Attributes
    ----------
    core_sample_indices_ : ndarray of shape (n_core_samples,), dtype int64
        Rows that are core samples, ascending.

    components_ : {ndarray, sparse matrix} of shape (n_core_samples, n_features)
        Copy of the core samples, of the dtype of `X`.

    labels_ : ndarray of shape (n_samples,), dtype int64
        Cluster of each row, -1 for noise. Clusters are numbered by their first core
        sample; a row at the border of several is of the lowest.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    dbscan : The same as a function.
    OPTICS : Clusters of several densities.

    Notes
    -----
    No neighbourhood is stored: memory is that of a sorted copy of the rows and a few
    numbers each, whatever `eps`.

    Euclidean distances in up to four dimensions are found on a grid of cells of side
    ``eps / sqrt(n_features)`` [2]_ [3]_. All points of a cell with `min_samples` are
    core samples, others are counted until there are enough. Cells are united where any
    two of their core samples are within `eps`, and not compared once they are of one
    cluster. More dimensions, and Manhattan, Chebyshev and Minkowski distances, do the
    same on a k-d tree. Other metrics ask scikit-learn for the neighbours of a block of
    rows at a time.

    Labels are those of scikit-learn. Where a distance is as good as `eps`, its brute
    force for Euclidean distances, as of more than 15 columns, may round to the other
    side: here the squared differences are added up, as by its trees.

    References
    ----------
    .. [1] M. Ester, H.-P. Kriegel, J. Sander and X. Xu. "A density-based algorithm for
       discovering clusters in large spatial databases with noise". KDD (1996), pages
       226-231.
    .. [2] J. Gan and Y. Tao. "DBSCAN revisited: mis-claim, un-fixability, and
       approximation". SIGMOD (2015), pages 519-530. Section 2.2.
    .. [3] Y. Wang, Y. Gu and J. Shun. "Theoretically-efficient and practical parallel
       DBSCAN". SIGMOD (2020), pages 2555-2571. Section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import DBSCAN
    >>> X = np.array([[1, 2], [2, 2], [2, 3], [8, 7], [8, 8], [25, 80]])
    >>> clustering = DBSCAN(eps=3, min_samples=2).fit(X)
    >>> clustering.labels_
    array([ 0,  0,  0,  1,  1, -1])
    >>> clustering.predict([[3, 3], [8, 9], [50, 50]])
    array([ 0,  1, -1])
    """

    _parameter_constraints: dict = {
        "eps": [Interval(Real, 0.0, None, closed="neither")],
        "min_samples": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions(set(PAIRWISE_METRICS) | {"precomputed"}), callable],
        "metric_params": [dict, None],
        "algorithm": [StrOptions({"auto", "ball_tree", "kd_tree", "brute"})],
        "leaf_size": [Interval(Integral, 1, None, closed="left")],
        "p": [Interval(Real, 0.0, None, closed="left"), None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        eps=0.5,
        *,
        min_samples=5,
        metric="euclidean",
        metric_params=None,
        algorithm="auto",
        leaf_size=30,
        p=None,
        n_jobs=None,
    ):
        self.eps = eps
        self.min_samples = min_samples
        self.metric = metric
        self.metric_params = metric_params
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None):
        """Find the clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                (n_samples, n_samples)
            Rows to cluster, or with ``metric='precomputed'`` the distances between
            them. Sparse ones are converted to CSR.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. A weight of 2 is the row twice; a row of the weight
            `min_samples` is a core sample by itself; a negative weight may keep the
            neighbours from being core samples.

        Returns
        -------
        self : DBSCAN
            The fitted estimator.
        """
        X = validate_data(self, X, accept_sparse="csr")
        weights = None
        if sample_weight is not None:
            weights = check_sample_weight(sample_weight, X, dtype=np.float64)
            weights = np.ascontiguousarray(weights)
            if not weights.any():  # scikit-learn's check lets them pass before 1.9
                raise ValueError(
                    "Sample weights must contain at least one non-zero number."
                )
        labels, is_core = self._cluster(X, weights)
        self.labels_ = labels.astype(np.intp, copy=False)
        self.core_sample_indices_ = np.flatnonzero(is_core)
        if len(self.core_sample_indices_) > 0:
            self.components_ = X[self.core_sample_indices_]
        else:
            self.components_ = np.empty((0, X.shape[1]), dtype=X.dtype)
        return self

    def _cluster(self, X, weights):
        """The labels and core samples, the way that the metric allows."""
        n_threads = self._n_threads(X)
        options = (self.eps, self.min_samples, weights)
        if self.metric == "precomputed":
            distances = check_distances(X, self.algorithm)
            return cluster_distances(distances, *options, n_threads)
        metric = pick_metric(X, self.metric, self.p, self.metric_params)
        if metric is not None:
            return cluster_points(as_floats(X), *options, metric, n_threads)
        model = make_neighbors_model(
            self.metric,
            self.p,
            self.metric_params,
            radius=self.eps,
            algorithm=self.algorithm,
            leaf_size=self.leaf_size,
            n_jobs=self.n_jobs,
        ).fit(X)
        return cluster_neighbors(X, model, self.min_samples, weights)

    def _n_threads(self, X):
        if X.shape[0] * X.shape[1] <= MAX_SERIAL_VALUES:
            return 1
        return effective_n_threads(self.n_jobs)

    def fit_predict(self, X, y=None, sample_weight=None):
        """Find the clusters and return the labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                (n_samples, n_samples)
            Rows to cluster, as of `fit`.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as of `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int64
            Cluster of each row, -1 for noise.
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def predict(self, X):
        """Find the clusters of new rows, which scikit-learn's DBSCAN does not do.

        A row is of the cluster of the nearest core sample, if that is within `eps`, and
        noise otherwise. Of core samples at the same distance the first of the training
        rows decides. A new row makes no core samples; rows at the border of several
        clusters may get another label than in ``labels_``, which has the lowest.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows; with ``metric='precomputed'`` their distances to all training
            rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int64
            Cluster of each row, -1 for noise.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        cores = self.core_sample_indices_
        if len(cores) == 0:
            return np.full(X.shape[0], -1, dtype=np.intp)
        nearest = self._find_nearest(as_floats(X))
        return np.where(nearest >= 0, self.labels_[cores[nearest]], -1)

    def _find_nearest(self, X):
        """The nearest core sample of each row within eps, -1 if there is none."""
        points = as_floats(self.components_)
        if self.metric == "precomputed":
            X = X[:, self.core_sample_indices_]
            return find_nearest_by(self.metric, X, None, self.eps)
        metric = pick_metric(X, self.metric, self.p, self.metric_params)
        if metric is not None and not sparse.issparse(points):
            return find_nearest_points(X, points, self.eps, metric, self._n_threads(X))
        params = dict(self.metric_params or {})
        if self.metric == "minkowski":
            params.setdefault("p", 2 if self.p is None else self.p)
        return find_nearest_by(
            self.metric, X, points, self.eps, n_jobs=self.n_jobs, **params
        )
