"""Hierarchical density-based clustering."""

from __future__ import annotations

from numbers import Integral, Real
from warnings import warn

import numpy as np
from scipy import sparse
from sklearn.cluster import HDBSCAN as _SklearnHDBSCAN
from sklearn.neighbors import BallTree, KDTree
from sklearn.utils.validation import check_is_fitted

from sklearnx._cluster.centers import find_centroids, find_medoids
from sklearnx._cluster.hdbscan import (
    TREE_METRICS,
    Distances,
    find_reachability,
)
from sklearnx._cluster.row_distances import is_symmetric
from sklearnx._cluster.single_linkage import cut_merges, link_edges
from sklearnx._compat import (
    PAIRWISE_METRICS,
    Hidden,
    Interval,
    StrOptions,
    fit_context,
)
from sklearnx._threads import effective_n_threads
from sklearnx.cluster._hdbscan_hierarchy import INFINITE, MISSING, HierarchyOfRows


class HDBSCAN(HierarchyOfRows, _SklearnHDBSCAN):
    """Cluster dense regions, whatever their densities, and leave noise out.

    Single linkage of mutual reachability distances

    .. math::

        w(a, b) = \\max(c(a), c(b), d(a, b) / \\alpha), \\quad
        c(a) = \\text{distance to the nearest row number min\\_samples}

    is a hierarchy of what is connected at which density. Of its branches those of at
    least `min_cluster_size` rows are clusters, and those that last are selected.

    All rows are compared in effect: labels, probabilities and hierarchy are those of
    scikit-learn. The same at any number of threads; memory is linear in the rows.

    Parameters
    ----------
    min_cluster_size : int, default=5
        Smallest number of rows in a cluster, at least 2.

    min_samples : int, default=None
        The row itself and so many less one neighbours make its core distance. None
        means `min_cluster_size`. (The package hdbscan does not count the row itself.)

    cluster_selection_epsilon : float, default=0.0
        Clusters that split at a smaller distance are merged [4]_.

    max_cluster_size : int, default=None
        ``"eom"`` selects no cluster of more rows. None is no limit.

    metric : str or callable, default="euclidean"
        A metric of `sklearn.metrics.pairwise_distances`, or ``"precomputed"``: `X`
        holds the distances between all rows, dense (inf where one is missing) or
        sparse. ``"euclidean"``, ``"manhattan"``, ``"chebyshev"`` and ``"minkowski"``
        are fast on dense data.

    metric_params : dict, default=None
        Parameters of the metric; for sparse precomputed distances also
        ``"max_distance"``, what infinite distances become.

    alpha : float, default=1.0
        Divides distances, as for robust single linkage [3]_.

    algorithm : {"auto", "brute", "kd_tree", "ball_tree"}, default="auto"
        Trees refuse metrics that they do not have in scikit-learn; ``"brute"`` divides
        core distances by `alpha` too. They do not change how the tree is found.

    leaf_size : int, default=40
        Without effect.

    n_jobs : int, default=None
        Threads. None and -1 mean all cores. They change no result.

    cluster_selection_method : {"eom", "leaf"}, default="eom"
        ``"eom"`` selects the clusters of the largest excess of mass, ``"leaf"`` those
        that have no clusters within.

    allow_single_cluster : bool, default=False
        Whether all rows may be one cluster.

    store_centers : {"centroid", "medoid", "both"}, default=None
        Which centres to compute: means weighted by ``probabilities_``, or the rows of
        the least weighted sum of distances to all others of their cluster.

    copy : bool, default=False
        Without effect: `X` is never changed. Not given, a `FutureWarning` says that
        scikit-learn's default will change.

    ties : {"scan", "distance"}, default="scan"
        Many edges of the hierarchy have the same weight, a core distance. ``"scan"``
        puts them in scikit-learn's order, the one in which Prim's algorithm on all
        pairs comes upon them, sorted by NumPy. ``"distance"`` puts them in the order of
        the distances without core distances: results then do not depend on the order of
        the rows (save where distances are equal, too), nor on the processor. Only for
        the Euclidean, Manhattan, Chebyshev and Minkowski metrics on dense data.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), dtype int64 or int32
        Clusters from 0 on; -1 for noise, -2 for rows with infinite values, -3 for rows
        with missing ones. int32 where there are such rows.

    probabilities_ : ndarray of shape (n_samples,), dtype float64
        Strength of membership from 0 to 1: how long a row stays in its cluster. 0 for
        noise and rows with infinite values, nan with missing ones.

    outlier_scores_ : ndarray of shape (n_samples,), dtype float64
        GLOSH [2]_: 0 for rows that stay in their cluster until nothing is left, up to 1
        for those that leave it early. 1 for rows with infinite values, nan with missing
        ones.

    core_distances_ : ndarray of shape (n_samples,), dtype float64
        Core distances; nan for rows that are not finite.

    minimum_spanning_tree_ : ndarray of shape (n_finite - 1,), structured
        Edges of the minimum spanning tree by ascending weight: ``"start"`` and
        ``"stop"`` (rows), ``"weight"`` (mutual reachability distance).

    single_linkage_tree_ : ndarray of shape (n_samples - 1,), structured
        Merges by ascending distance: ``"left_node"`` and ``"right_node"`` (rows up to
        ``n_samples``, from there on what merge number ``node - n_samples`` made),
        ``"value"`` (distance), ``"cluster_size"`` (rows). Rows that are not finite come
        last, at inf.

    condensed_tree_ : ndarray of shape (n_finite + n_clusters - 1,), structured
        What leaves which cluster: ``"parent"`` (a cluster; ``n_samples`` is that of all
        rows), ``"child"`` (a row, or a cluster from ``n_samples`` on), ``"value"``
        (lambda, the inverse of the distance), ``"cluster_size"`` (rows that leave).
        `plot_condensed_tree` draws it.

    centroids_ : ndarray of shape (n_clusters, n_features), dtype float64
        Weighted means. Only with ``store_centers`` of ``"centroid"`` or ``"both"``.

    medoids_ : ndarray of shape (n_clusters, n_features), dtype float64
        Only with ``store_centers`` of ``"medoid"`` or ``"both"``.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    DBSCAN : One density for all clusters.
    OPTICS : The order of rows by reachability.
    plot_condensed_tree : Draws the hierarchy.

    Notes
    -----
    For the metrics named above the minimum spanning tree is found by Boruvka's
    algorithm on a k-d tree [5]_ [6]_, in about n log n where columns are few; for
    others by Prim's algorithm on rows of distances, which are computed twice.

    With ``ties="scan"`` edges of one weight are taken in the order of a scan of all
    pairs, exactly so up to 20,000 rows or where no two distances are equal; on more
    rows with equal distances, such as grids, clusters that hang on ties may differ from
    scikit-learn's. NumPy's sort, which both use, orders equal keys differently on
    processors with and without AVX-512.

    `recluster` changes sizes and methods without any new distance.

    References
    ----------
    .. [1] R. J. G. B. Campello, D. Moulavi, J. Sander. "Density-based clustering based
       on hierarchical density estimates". PAKDD 2013, pages 160-172.
    .. [2] R. J. G. B. Campello, D. Moulavi, A. Zimek, J. Sander. "Hierarchical density
       estimates for data clustering, visualization, and outlier detection". ACM
       Transactions on Knowledge Discovery from Data 10.1 (2015). Sections 3, 5 and 6.
    .. [3] K. Chaudhuri, S. Dasgupta. "Rates of convergence for the cluster tree".
       NIPS 2010.
    .. [4] C. Malzer, M. Baum. "A hybrid approach to hierarchical density-based cluster
       selection". MFI 2020, pages 223-228. Algorithm 1.
    .. [5] W. B. March, P. Ram, A. G. Gray. "Fast Euclidean minimum spanning tree:
       algorithm, analysis, and applications". KDD 2010, pages 603-612. Algorithm 2.
    .. [6] L. McInnes, J. Healy. "Accelerated hierarchical density based clustering".
       ICDM Workshops 2017, pages 33-42.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import HDBSCAN
    >>> X = np.array([[0.0], [0.1], [0.3], [5.0], [5.1], [5.2], [20.0]])
    >>> hdbscan = HDBSCAN(min_cluster_size=3, min_samples=2, copy=False).fit(X)
    >>> hdbscan.labels_
    array([ 0,  0,  0,  1,  1,  1, -1])
    >>> hdbscan.predict([[0.2], [5.05], [12.0]])
    array([ 0,  1, -1])
    """

    _parameter_constraints: dict = {
        "min_cluster_size": [Interval(Integral, left=2, right=None, closed="left")],
        "min_samples": [Interval(Integral, left=1, right=None, closed="left"), None],
        "cluster_selection_epsilon": [
            Interval(Real, left=0, right=None, closed="left")
        ],
        "max_cluster_size": [
            None,
            Interval(Integral, left=1, right=None, closed="left"),
        ],
        "metric": [
            StrOptions(set(TREE_METRICS) | set(PAIRWISE_METRICS) | {"precomputed"}),
            callable,
        ],
        "metric_params": [dict, None],
        "alpha": [Interval(Real, left=0, right=None, closed="neither")],
        "algorithm": [StrOptions({"auto", "brute", "kd_tree", "ball_tree"})],
        "leaf_size": [Interval(Integral, left=1, right=None, closed="left")],
        "n_jobs": [Integral, None],
        "cluster_selection_method": [StrOptions({"eom", "leaf"})],
        "allow_single_cluster": ["boolean"],
        "store_centers": [None, StrOptions({"centroid", "medoid", "both"})],
        "copy": ["boolean", Hidden(StrOptions({"warn"}))],
        "ties": [StrOptions({"scan", "distance"})],
    }

    def __init__(
        self,
        min_cluster_size=5,
        min_samples=None,
        cluster_selection_epsilon=0.0,
        max_cluster_size=None,
        metric="euclidean",
        metric_params=None,
        alpha=1.0,
        algorithm="auto",
        leaf_size=40,
        n_jobs=None,
        cluster_selection_method="eom",
        allow_single_cluster=False,
        store_centers=None,
        copy="warn",
        *,
        ties="scan",
    ):
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.alpha = alpha
        self.max_cluster_size = max_cluster_size
        self.cluster_selection_epsilon = cluster_selection_epsilon
        self.metric = metric
        self.metric_params = metric_params
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.n_jobs = n_jobs
        self.cluster_selection_method = cluster_selection_method
        self.allow_single_cluster = allow_single_cluster
        self.store_centers = store_centers
        self.copy = copy
        self.ties = ties

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Find the clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                {ndarray, sparse matrix} of shape (n_samples, n_samples)
            Rows to cluster; those with values that are not finite are left out. With
            ``metric="precomputed"`` the distances between rows. Not copied if of
            float64 or float32.

        y : None
            Ignored.

        Returns
        -------
        self : HDBSCAN
            The fitted estimator.

        Raises
        ------
        ValueError
            If there is one row only, or fewer than `min_samples`; if the algorithm does
            not take the metric; if precomputed distances are not symmetric, are
            missing, or leave rows apart; if distances overflow.
        """
        if isinstance(self.copy, str):
            warn(
                "The default value of `copy` will change from False to True in 1.10."
                " Explicitly set a value for `copy` to silence this warning.",
                FutureWarning,
                stacklevel=2,
            )
        if self._is_precomputed() and self.store_centers is not None:
            raise ValueError(
                "Cannot store centers when using a precomputed distance matrix."
            )
        X = self._read_rows(X, reset=True)
        kinds = self._tell_rows(X)
        if kinds is not None:
            X = X[np.flatnonzero(kinds == 0)]
        if X.shape[0] == 1:
            raise ValueError("n_samples=1 while HDBSCAN requires more than one sample")
        min_samples = (
            self.min_cluster_size if self.min_samples is None else self.min_samples
        )
        if min_samples > X.shape[0]:
            raise ValueError(
                f"min_samples ({min_samples}) must be at most the number of"
                f" samples in X ({X.shape[0]})"
            )
        self._check_algorithm(X)
        self._distances = self._describe_distances(X)
        self._check_distances(X)
        self._fitted_min_samples = min_samples
        self._kinds = kinds
        self._reachability = find_reachability(
            X,
            min_samples,
            self._distances,
            ties=self.ties,
            n_threads=effective_n_threads(self.n_jobs),
        )
        # A k-d tree has its own copy.
        self._rows = X if self._reachability.kd_tree is None else None
        edges = self._reachability.spanning_tree
        if self._is_precomputed() and np.isinf(edges.weights).any():
            warn(
                (
                    "The minimum spanning tree contains edge weights with value "
                    "infinity. Potentially, you are missing too many distances "
                    "in the initial distance matrix for the given neighborhood "
                    "size."
                ),
                UserWarning,
                stacklevel=2,
            )
        elif isinstance(self.metric, str) and np.isinf(edges.weights).any():
            raise ValueError(
                "Distances between rows of X overflow: scale the features."
            )
        self._merges = link_edges(edges)
        self._set_clusters()
        return self

    def fit_predict(self, X, y=None):
        """Find the clusters and return the labels of the rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                {ndarray, sparse matrix} of shape (n_samples, n_samples)
            As in `fit`.

        y : None
            Ignored.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            ``labels_``.
        """
        return self.fit(X).labels_

    def recluster(self, **params):
        """Cluster anew from the same hierarchy, which takes no new distance.

        Parameters
        ----------
        **params : dict
            New values of `min_cluster_size`, `cluster_selection_epsilon`,
            `max_cluster_size`, `cluster_selection_method`, `allow_single_cluster` or
            `store_centers`. All else, `min_samples` too, stays as it was in `fit`.

        Returns
        -------
        reclustered : HDBSCAN
            Another estimator, fitted, that shares the arrays of the hierarchy. As its
            `min_samples` it has the number that `fit` used.
        """
        check_is_fitted(self)
        unknown = set(params) - _RECLUSTERING
        if unknown:
            raise ValueError(
                f"recluster cannot change {sorted(unknown)}, only "
                f"{sorted(_RECLUSTERING)}."
            )
        kept = {**self.get_params(deep=False), "min_samples": self._fitted_min_samples}
        new = type(self)(**{**kept, **params})
        new._validate_params()
        if self._is_precomputed() and new.store_centers is not None:
            raise ValueError(
                "Cannot store centers when using a precomputed distance matrix."
            )
        for name in (*_SHARED, "n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(new, name, getattr(self, name))
        new._set_clusters()
        return new

    def dbscan_clustering(self, cut_distance, min_cluster_size=5):
        """Labels at one density, that of DBSCAN without border points.

        Parameters
        ----------
        cut_distance : float
            Rows within this mutual reachability distance are connected.

        min_cluster_size : int, default=5
            Fewer rows are noise.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            As ``labels_``.
        """
        check_is_fitted(self)
        labels = cut_merges(self._merges, cut_distance, min_cluster_size)
        return self._spread(labels, INFINITE, MISSING)

    def _check_algorithm(self, X):
        """Raise where scikit-learn has no such algorithm for the metric or the data."""
        for name, tree, valid in (
            ("kd_tree", "KDTree", KDTree.valid_metrics),
            ("ball_tree", "BallTree", BallTree.valid_metrics),
        ):
            if self.algorithm == name and self.metric not in valid:
                raise ValueError(
                    f"{self.metric} is not a valid metric for a {tree}-based algorithm."
                    " Please select a different metric."
                )
        if self.algorithm not in ("auto", "brute") and sparse.issparse(X):
            raise ValueError("Sparse data matrices only support algorithm `brute`.")

    def _describe_distances(self, X):
        """How distances between rows are measured."""
        has_tree = self.metric in TREE_METRICS and not sparse.issparse(X)
        return Distances(
            self.metric,
            dict(self.metric_params or {}),
            float(self.alpha),
            as_matrix=self.algorithm == "brute" or not has_tree,
            n_jobs=self.n_jobs,
        )

    def _check_distances(self, X):
        """Raise if precomputed distances are not those between all rows."""
        if not self._is_precomputed():
            return
        message = "The precomputed distance matrix is expected to be symmetric, however"
        if X.shape[0] != X.shape[1]:
            raise ValueError(
                f"{message} it has shape {X.shape}. Please verify that the"
                " distance matrix was constructed correctly."
            )
        if not is_symmetric(X):
            raise ValueError(
                f"{message} its values appear to be asymmetric. Please verify that the"
                " distance matrix was constructed correctly."
            )

    def _set_clusters(self):
        """Select clusters of the hierarchy, and set what follows from that."""
        clustering = self._clustering = self._select_clusters()
        labels = clustering.labels
        if self._kinds is not None:
            labels = labels.astype(np.int32)
        self.labels_ = self._spread(labels, INFINITE, MISSING)
        self.probabilities_ = self._spread(clustering.probabilities, 0.0, np.nan)
        if self.store_centers is None:
            return
        data = self._all_rows()
        n_clusters = len(clustering.selection.clusters)
        if self.store_centers in ("centroid", "both"):
            self.centroids_ = find_centroids(
                data, clustering.labels, clustering.probabilities, n_clusters
            )
        if self.store_centers in ("medoid", "both"):
            self.medoids_ = find_medoids(
                data,
                clustering.labels,
                clustering.probabilities,
                n_clusters,
                self.metric,
                self._distances.params,
            )


# What recluster may change, and what it takes over.
_RECLUSTERING = {
    "min_cluster_size",
    "cluster_selection_epsilon",
    "max_cluster_size",
    "cluster_selection_method",
    "allow_single_cluster",
    "store_centers",
}
_SHARED = (
    "_distances",
    "_fitted_min_samples",
    "_kinds",
    "_merges",
    "_reachability",
    "_rows",
)
