"""Density-based clustering at all radii."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.cluster import OPTICS as _SklearnOPTICS
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics.pairwise import PAIRWISE_BOOLEAN_FUNCTIONS
from sklearn.neighbors import sort_graph_by_row_values
from sklearn.utils.validation import check_memory

from sklearnx._cluster.metrics import (
    MAX_SERIAL_VALUES,
    as_floats,
    check_distances,
    make_neighbors_model,
    pick_metric,
)
from sklearnx._cluster.reachability import (
    cut_at,
    find_kth_by,
    find_kth_stored,
    find_xi_clusters,
    reach_by_distances,
    reach_by_metric,
    reach_points,
)
from sklearnx._compat import (
    PAIRWISE_METRICS,
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    fit_context,
    validate_params,
)
from sklearnx._docstrings import fill_from
from sklearnx._threads import effective_n_threads
from sklearnx._validation import validate_data

_FRACTION_OR_COUNT = [
    Interval(Integral, 2, None, closed="left"),
    Interval(RealNotInt, 0, 1, closed="both"),
]

_PARAMETERS = {
    "metric": """
        metric : str or callable, default='minkowski'
            Metric, as of `sklearn.metrics.pairwise_distances`. With "precomputed", `X`
            is a square matrix of distances; entries that a sparse one does not store
            are no neighbours, and each row has to have `min_samples` of them.
        """,
    "p": """
        p : float, default=2
            Power of the Minkowski metric, at least 1.
        """,
    "metric_params": """
        metric_params : dict, default=None
            Further parameters of the metric.
        """,
    "min_samples": """
        min_samples : int > 1 or float between 0 and 1, default=5
            Number of rows in the neighbourhood of a core sample, itself among them, or
            their share of all rows, but at least 2. A steep area of the reachability
            plot has at most so many points in a row that are not steep.
        """,
    "max_eps": """
        max_eps : float, default=inf
            Distance up to which rows are neighbours. Less is faster, and finds no
            cluster that is sparser.
        """,
    "algorithm": """
        algorithm : {'auto', 'ball_tree', 'kd_tree', 'brute'}, default='auto'
            How `sklearn.neighbors.NearestNeighbors` finds neighbours. Euclidean,
            Manhattan, Chebyshev and Minkowski distances of dense rows do not need it.
        """,
    "leaf_size": """
        leaf_size : int, default=30
            Size of the leaves of its trees.
        """,
    "n_jobs": """
        n_jobs : int, default=None
            Number of threads for the core distances. None means all cores; no result
            depends on it.
        """,
    "xi": """
        xi : float between 0 and 1, default=0.05
            Steepness that bounds a cluster: from one point of the reachability plot to
            the next, it falls or rises by this share at least.
        """,
    "predecessor_correction": """
        predecessor_correction : bool, default=True
            Whether points at the end of a cluster that were reached from outside are
            cut off [2]_.
        """,
    "min_cluster_size": """
        min_cluster_size : int > 1 or float between 0 and 1, default=None
            Least number of rows of a cluster, or their share of all rows, but at least
            2. None means `min_samples`.
        """,
    "references": """
        .. [1] M. Ankerst, M. M. Breunig, H.-P. Kriegel and J. Sander. "OPTICS: ordering
           points to identify the clustering structure". SIGMOD (1999), pages 49-60.
        .. [2] E. Schubert and M. Gertz. "Improving the cluster structure extracted from
           OPTICS plots". LWDA (2018), pages 318-329. Algorithm 2.
        """,
}


def _check_size(size, n_samples, name):
    """A number of rows, of a number or a share of them."""
    if size > n_samples:
        raise ValueError(
            f"{name} must be no greater than the number of samples ({n_samples}). "
            f"Got {size}"
        )
    if size > 1:
        return size
    if n_samples < 2:
        raise ValueError(f"{name}={size} is at least 2 rows, but n_samples={n_samples}")
    return max(2, int(size * n_samples))


@validate_params(
    {
        "X": [np.ndarray, "sparse matrix"],
        "min_samples": _FRACTION_OR_COUNT,
        "max_eps": [Interval(Real, 0, None, closed="both")],
        "metric": [StrOptions(set(PAIRWISE_METRICS) | {"precomputed"}), callable],
        "p": [Interval(Real, 0, None, closed="right"), None],
        "metric_params": [dict, None],
        "algorithm": [StrOptions({"auto", "brute", "ball_tree", "kd_tree"})],
        "leaf_size": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=False,
)
@fill_from(_PARAMETERS)
def compute_optics_graph(
    X, *, min_samples, max_eps, metric, p, metric_params, algorithm, leaf_size, n_jobs
):
    """Order rows by how easily each is reached from those before it.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features), or \
            (n_samples, n_samples)
        Rows, or with ``metric='precomputed'`` the distances between them.

    {min_samples}

    {max_eps}

    {metric}

    {p}

    {metric_params}

    {algorithm}

    {leaf_size}

    {n_jobs}

    Returns
    -------
    ordering : ndarray of shape (n_samples,), dtype int64
        Rows in order.

    core_distances : ndarray of shape (n_samples,), dtype float64
        Distance at which each row becomes a core sample, inf if beyond `max_eps`.

    reachability : ndarray of shape (n_samples,), dtype float64
        Reachability of each row, inf if none reaches it. Index it with `ordering` for
        the reachability plot.

    predecessor : ndarray of shape (n_samples,), dtype int64
        Row that each was reached from, -1 if there is none.

    See Also
    --------
    OPTICS : The same and the clusters, as an estimator.
    cluster_optics_dbscan : Clusters at one radius.
    cluster_optics_xi : Clusters between steep areas.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import compute_optics_graph
    >>> X = np.array([[1, 2], [2, 5], [3, 6], [8, 7], [8, 8], [7, 3]])
    >>> ordering, core_distances, reachability, predecessor = compute_optics_graph(
    ...     X,
    ...     min_samples=2,
    ...     max_eps=np.inf,
    ...     metric="minkowski",
    ...     p=2,
    ...     metric_params=None,
    ...     algorithm="auto",
    ...     leaf_size=30,
    ...     n_jobs=None,
    ... )
    >>> ordering
    array([0, 1, 2, 5, 3, 4])
    >>> print(reachability.round(2))
    [ inf 3.16 1.41 4.12 1.   5.  ]
    >>> predecessor
    array([-1,  0,  1,  5,  3,  2])
    """
    n_samples = X.shape[0]
    min_samples = _check_size(min_samples, n_samples, "min_samples")
    known = None
    if metric != "precomputed":
        known = pick_metric(X, metric, p, metric_params)
    if known is not None:
        is_small = X.size <= MAX_SERIAL_VALUES
        n_threads = 1 if is_small else effective_n_threads(n_jobs)
        graph = reach_points(as_floats(X), min_samples, max_eps, known, n_threads)
    else:
        model = make_neighbors_model(
            metric,
            p,
            metric_params,
            n_neighbors=min_samples,
            algorithm=algorithm,
            leaf_size=leaf_size,
            n_jobs=n_jobs,
        )
        graph = _reach_by_model(X, min_samples, max_eps, model)
    if np.isinf(graph[2]).all():
        warnings.warn(
            "All reachability values are inf. Set a larger max_eps or all data will be "
            "considered outliers.",
            UserWarning,
            stacklevel=2,
        )
    return graph


def _reach_by_model(X, min_samples, max_eps, model):
    """The graph where a model of scikit-learn's knows the metric or the distances."""
    if model.metric != "precomputed":
        if X.dtype != bool:
            X = X.astype(np.float64, copy=False)  # as precise as the order needs
        model.fit(X)
        params = dict(model.metric_params or {})
        if model.metric == "minkowski":
            params.setdefault("p", model.p)
        core_distances = find_kth_by(X, min_samples, model)
        return reach_by_metric(
            X, core_distances, max_eps, model, model.metric, **params
        )
    distances = check_distances(X, model.algorithm)
    if sparse.issparse(X):
        with_diagonal = _store_diagonal(distances)
        core_distances = find_kth_by(
            with_diagonal, min_samples, model.fit(with_diagonal)
        )
    else:
        core_distances = find_kth_stored(distances, min_samples)
    return reach_by_distances(distances, core_distances, max_eps)


def _store_diagonal(distances):
    """A copy of a sparse matrix, sorted by distance, that stores the diagonal."""
    distances = distances.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sparse.SparseEfficiencyWarning)
        distances.setdiag(distances.diagonal())
    return sort_graph_by_row_values(distances, warn_when_not_sorted=False)


@validate_params(
    {
        "reachability": [np.ndarray],
        "core_distances": [np.ndarray],
        "ordering": [np.ndarray],
        "eps": [Interval(Real, 0, None, closed="both")],
    },
    prefer_skip_nested_validation=True,
)
def cluster_optics_dbscan(*, reachability, core_distances, ordering, eps):
    """Find the clusters of DBSCAN at one radius, from the order of OPTICS.

    The labels are nearly those of `DBSCAN`: a row at the border of a cluster that came
    before its core samples is noise here.

    Parameters
    ----------
    reachability : ndarray of shape (n_samples,)
        Reachability of each row (``reachability_``).

    core_distances : ndarray of shape (n_samples,)
        Core distance of each row (``core_distances_``).

    ordering : ndarray of shape (n_samples,)
        Rows in order (``ordering_``).

    eps : float
        Radius, at most the `max_eps` that the order is of.

    Returns
    -------
    labels : ndarray of shape (n_samples,), dtype int64
        Cluster of each row, -1 for noise.

    See Also
    --------
    compute_optics_graph : The order, core distances and reachability.
    cluster_optics_xi : Clusters between steep areas.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import OPTICS, cluster_optics_dbscan
    >>> X = np.array([[1, 2], [2, 5], [3, 6], [8, 7], [8, 8], [7, 3]])
    >>> optics = OPTICS(min_samples=2).fit(X)
    >>> cluster_optics_dbscan(
    ...     reachability=optics.reachability_,
    ...     core_distances=optics.core_distances_,
    ...     ordering=optics.ordering_,
    ...     eps=4.5,
    ... )
    array([0, 0, 0, 1, 1, 1])
    """
    return cut_at(reachability, core_distances, ordering, eps)


@validate_params(
    {
        "reachability": [np.ndarray],
        "predecessor": [np.ndarray],
        "ordering": [np.ndarray],
        "min_samples": _FRACTION_OR_COUNT,
        "min_cluster_size": [*_FRACTION_OR_COUNT, None],
        "xi": [Interval(Real, 0, 1, closed="both")],
        "predecessor_correction": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
@fill_from(_PARAMETERS)
def cluster_optics_xi(
    *,
    reachability,
    predecessor,
    ordering,
    min_samples,
    min_cluster_size=None,
    xi=0.05,
    predecessor_correction=True,
):
    """Find clusters between steep areas of the reachability plot.

    Parameters
    ----------
    reachability : ndarray of shape (n_samples,)
        Reachability of each row (``reachability_``).

    predecessor : ndarray of shape (n_samples,)
        Row that each was reached from (``predecessor_``).

    ordering : ndarray of shape (n_samples,)
        Rows in order (``ordering_``).

    {min_samples}

    {min_cluster_size}

    {xi}

    {predecessor_correction}

    Returns
    -------
    labels : ndarray of shape (n_samples,), dtype int64
        Innermost cluster of each row, -1 where there is none.

    clusters : ndarray of shape (n_clusters, 2), dtype int64
        First and last place of each cluster in the order, inner clusters before those
        around them.

    See Also
    --------
    compute_optics_graph : The order, predecessors and reachability.
    cluster_optics_dbscan : Clusters at one radius.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import OPTICS, cluster_optics_xi
    >>> X = np.array([[1, 2], [2, 5], [3, 6], [8, 7], [8, 8], [7, 3]])
    >>> optics = OPTICS(min_samples=2).fit(X)
    >>> labels, clusters = cluster_optics_xi(
    ...     reachability=optics.reachability_,
    ...     predecessor=optics.predecessor_,
    ...     ordering=optics.ordering_,
    ...     min_samples=2,
    ... )
    >>> labels
    array([0, 0, 0, 1, 1, 1])
    >>> clusters
    array([[0, 2],
           [3, 5],
           [0, 5]])
    """
    n_samples = len(reachability)
    min_samples = _check_size(min_samples, n_samples, "min_samples")
    if min_cluster_size is None:
        min_cluster_size = min_samples
    min_cluster_size = _check_size(min_cluster_size, n_samples, "min_cluster_size")
    return find_xi_clusters(
        reachability,
        predecessor,
        ordering,
        xi=xi,
        min_samples=min_samples,
        min_cluster_size=min_cluster_size,
        corrects=predecessor_correction,
    )


@fill_from(_PARAMETERS)
class OPTICS(_SklearnOPTICS):
    """Clusters of several densities, from an order of all rows.

    OPTICS orders the rows so that each comes when it is reached most easily from those
    before it [1]_. Its reachability, plotted in that order, has a valley for each
    cluster, the deeper the denser, and valleys within valleys; a cut at any height
    shows the clusters of DBSCAN at that radius.

    Parameters
    ----------
    {min_samples}

    {max_eps}

    {metric}

    {p}

    {metric_params}

    cluster_method : {'xi', 'dbscan'}, default='xi'
        How clusters are found in the plot: between steep areas, or by a cut.

    eps : float, default=None
        Height of the cut, None for `max_eps`. Only with ``cluster_method='dbscan'``.

    {xi}

    {predecessor_correction}

    {min_cluster_size}

    {algorithm}

    {leaf_size}

    memory : str or object with the joblib.Memory interface, default=None
        Where the order is cached, for other ways to find clusters in it. None caches
        nothing.

    {n_jobs}

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), dtype int64
        Cluster of each row, -1 for noise; with ``cluster_method='xi'`` the innermost.

    reachability_ : ndarray of shape (n_samples,), dtype float64
        Reachability of each row, inf if none reaches it.
        ``reachability_[ordering_]`` is the reachability plot.

    ordering_ : ndarray of shape (n_samples,), dtype int64
        Rows in order.

    core_distances_ : ndarray of shape (n_samples,), dtype float64
        Distance at which each row becomes a core sample, inf if beyond `max_eps`.

    predecessor_ : ndarray of shape (n_samples,), dtype int64
        Row that each was reached from, -1 if there is none.

    cluster_hierarchy_ : ndarray of shape (n_clusters, 2), dtype int64
        First and last place of each cluster in the order, inner clusters before those
        around them. Only with ``cluster_method='xi'``.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    DBSCAN : Clusters at one radius.

    Notes
    -----
    Euclidean, Manhattan, Chebyshev and Minkowski distances of dense rows are found on a
    k-d tree, whose nodes know the least and the largest reachability of their rows that
    are still to come: the least at the root is the next row, and only nodes that it may
    reach more easily than before are looked into. Other metrics take time of the square
    of the number of rows, and no more memory.

    The order is that of scikit-learn, distances rounded to 15 decimals and ties won by
    the lower row. Its metric "euclidean", and its brute force, round distances more
    coarsely than the default "minkowski", which may decide a tie the other way; here
    all are the same.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import OPTICS
    >>> X = np.array([[1, 2], [2, 5], [3, 6], [8, 7], [8, 8], [7, 3]])
    >>> OPTICS(min_samples=2).fit(X).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    _parameter_constraints: dict = {
        "min_samples": _FRACTION_OR_COUNT,
        "max_eps": [Interval(Real, 0, None, closed="both")],
        "metric": [StrOptions(set(PAIRWISE_METRICS) | {"precomputed"}), callable],
        "p": [Interval(Real, 1, None, closed="left")],
        "metric_params": [dict, None],
        "cluster_method": [StrOptions({"dbscan", "xi"})],
        "eps": [Interval(Real, 0, None, closed="both"), None],
        "xi": [Interval(Real, 0, 1, closed="both")],
        "predecessor_correction": ["boolean"],
        "min_cluster_size": [
            Interval(Integral, 2, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
            None,
        ],
        "algorithm": [StrOptions({"auto", "brute", "ball_tree", "kd_tree"})],
        "leaf_size": [Interval(Integral, 1, None, closed="left")],
        "memory": [str, HasMethods("cache"), None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        min_samples=5,
        max_eps=np.inf,
        metric="minkowski",
        p=2,
        metric_params=None,
        cluster_method="xi",
        eps=None,
        xi=0.05,
        predecessor_correction=True,
        min_cluster_size=None,
        algorithm="auto",
        leaf_size=30,
        memory=None,
        n_jobs=None,
    ):
        self.max_eps = max_eps
        self.min_samples = min_samples
        self.min_cluster_size = min_cluster_size
        self.algorithm = algorithm
        self.metric = metric
        self.metric_params = metric_params
        self.p = p
        self.leaf_size = leaf_size
        self.cluster_method = cluster_method
        self.eps = eps
        self.xi = xi
        self.predecessor_correction = predecessor_correction
        self.memory = memory
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Order the rows and find clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                (n_samples, n_samples)
            Rows to cluster, or with ``metric='precomputed'`` the distances between
            them. Sparse ones are converted to CSR, and those of a metric of truth
            values to bool.

        y : None
            Ignored.

        Returns
        -------
        self : OPTICS
            The fitted estimator.

        Raises
        ------
        ValueError
            If `min_samples` or `min_cluster_size` is larger than the number of rows,
            `eps` is larger than `max_eps`, or distances overflow.
        """
        is_boolean = self.metric in PAIRWISE_BOOLEAN_FUNCTIONS
        if is_boolean and np.dtype(getattr(X, "dtype", object)).kind != "b":
            warnings.warn(
                f"Data will be converted to boolean for metric {self.metric}, to avoid "
                "this warning, you may convert the data prior to calling fit.",
                DataConversionWarning,
                stacklevel=2,
            )
        dtype = bool if is_boolean else [np.float64, np.float32]
        X = validate_data(self, X, dtype=dtype, accept_sparse="csr")
        cached = check_memory(self.memory).cache(compute_optics_graph)
        graph = cached(
            X=X,
            min_samples=self.min_samples,
            algorithm=self.algorithm,
            leaf_size=self.leaf_size,
            metric=self.metric,
            metric_params=self.metric_params,
            p=self.p,
            n_jobs=self.n_jobs,
            max_eps=self.max_eps,
        )
        self.ordering_, self.core_distances_, self.reachability_ = graph[:3]
        self.predecessor_ = graph[3]
        is_named = isinstance(self.metric, str) and self.metric != "precomputed"
        if is_named and self.max_eps == np.inf and np.isinf(graph[1]).any():
            raise ValueError(
                "Distances between rows of X overflow: scale the features."
            )
        self._extract()
        return self

    def _extract(self):
        """Find clusters in the order."""
        if self.cluster_method == "xi":
            self.labels_, self.cluster_hierarchy_ = cluster_optics_xi(
                reachability=self.reachability_,
                predecessor=self.predecessor_,
                ordering=self.ordering_,
                min_samples=self.min_samples,
                min_cluster_size=self.min_cluster_size,
                xi=self.xi,
                predecessor_correction=self.predecessor_correction,
            )
            return
        eps = self.max_eps if self.eps is None else self.eps
        if eps > self.max_eps:
            raise ValueError(
                f"Specify an epsilon smaller than {self.max_eps}. Got {eps}."
            )
        self.labels_ = cluster_optics_dbscan(
            reachability=self.reachability_,
            core_distances=self.core_distances_,
            ordering=self.ordering_,
            eps=eps,
        )
