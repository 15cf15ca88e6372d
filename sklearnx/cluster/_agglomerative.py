"""Agglomerative clustering."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.cluster import AgglomerativeClustering as _SklearnAgglomerativeClustering
from sklearn.utils import check_array
from sklearn.utils.validation import check_memory

from sklearnx._cluster.merge_trees import cut_tree, label_by_heads
from sklearnx._compat import (
    PAIRWISE_METRICS,
    HasMethods,
    Interval,
    StrOptions,
    fit_context,
)
from sklearnx._validation import validate_data
from sklearnx.cluster._agglomeration_docs import document
from sklearnx.cluster._linkage_trees import linkage_tree, ward_tree


@document("row", "n_samples")
class AgglomerativeClustering(_SklearnAgglomerativeClustering):
    """Clustering by merging what is nearest, again and again.

    Every row begins as a cluster of its own. The merges form a tree, `children_`, which
    is cut at a number of clusters or at a distance.

    Parameters
    ----------
    {n_clusters}

    metric : str or callable, default="euclidean"
        Metric of the rows: "euclidean", "l1", "l2", "manhattan", "cosine" or
        "precomputed", where `X` is the matrix of distances; with ``linkage="ward"``
        only "euclidean" and "l2". Without `connectivity`, with ``linkage="single"``,
        any metric of `sklearn.metrics.pairwise_distances` that needs no parameters. A
        function gets the rows and returns the matrix of all distances; with
        `connectivity`, it gets two rows.

    {memory}

    connectivity : array-like, sparse matrix, or callable, default=None
        Matrix of shape (n_samples, n_samples) whose entries that are not 0 say which
        rows are connected, in either direction, or a function that makes it of `X`,
        such as `sklearn.neighbors.kneighbors_graph`. Only connected clusters are
        merged. None connects all.

    {compute_full_tree}

    {linkage}

    {distances}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    FeatureAgglomeration : The same for columns.
    ward_tree, linkage_tree : The trees alone.

    Notes
    -----
    Trees are those of scikit-learn. Without `connectivity`, Ward's and single linkage
    take memory linear in the number of rows and look at few of the distances: clusters
    stand in a tree of boxes. Complete and average linkage take
    ``4 * n_samples**2`` bytes, half of scikit-learn's. Where distances of clusters are
    equal but for rounding, "ward" may merge another pair than SciPy's recurrence.
    Results do not depend on the number of threads, all cores.

    References
    ----------
    .. [1] D. Müllner. "Modern hierarchical, agglomerative clustering algorithms".
       arXiv:1109.2378 (2011). Figures 4 and 6.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import AgglomerativeClustering
    >>> X = np.array([[0.0], [1.0], [5.0], [7.0], [20.0]])
    >>> AgglomerativeClustering(n_clusters=3).fit(X).labels_
    array([2, 2, 0, 0, 1])
    >>> model = AgglomerativeClustering(
    ...     n_clusters=None, distance_threshold=6.0, linkage="single"
    ... )
    >>> model.fit(X).n_clusters_
    2
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "metric": [StrOptions(set(PAIRWISE_METRICS) | {"precomputed"}), callable],
        "memory": [str, HasMethods("cache"), None],
        "connectivity": ["array-like", "sparse matrix", callable, None],
        "compute_full_tree": [StrOptions({"auto"}), "boolean"],
        "linkage": [StrOptions({"ward", "complete", "average", "single"})],
        "distance_threshold": [Interval(Real, 0, None, closed="left"), None],
        "compute_distances": ["boolean"],
    }

    def __init__(
        self,
        n_clusters=2,
        *,
        metric="euclidean",
        memory=None,
        connectivity=None,
        compute_full_tree="auto",
        linkage="ward",
        distance_threshold=None,
        compute_distances=False,
    ):
        self.n_clusters = n_clusters
        self.distance_threshold = distance_threshold
        self.memory = memory
        self.connectivity = connectivity
        self.compute_full_tree = compute_full_tree
        self.linkage = linkage
        self.metric = metric
        self.compute_distances = compute_distances

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Build the tree and cut it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Rows to cluster, or their distances if ``metric="precomputed"``.

        y : None
            Ignored.

        Returns
        -------
        self : AgglomerativeClustering
            The fitted estimator.
        """
        X = validate_data(self, X, ensure_min_samples=2)
        return self._fit(X)

    def fit_predict(self, X, y=None):
        """Build the tree, cut it and return the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Rows to cluster, or their distances if ``metric="precomputed"``.

        y : None
            Ignored.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype intp
            The cluster of each row.
        """
        return self.fit(X).labels_

    def _fit(self, X):
        """Fit to checked rows."""
        self._check_parameters()
        n_samples = len(X)
        connectivity = self._make_connectivity(X)
        is_full = self._wants_full_tree(n_samples)
        has_threshold = self.distance_threshold is not None
        return_distance = has_threshold or self.compute_distances
        options = {}
        if self.linkage != "ward":
            options = {"linkage": self.linkage, "affinity": self.metric}
        build = ward_tree if self.linkage == "ward" else linkage_tree
        tree = check_memory(self.memory).cache(build)(
            X,
            connectivity=connectivity,
            n_clusters=None if is_full else self.n_clusters,
            return_distance=return_distance,
            **options,
        )
        self.children_, self.n_connected_components_, self.n_leaves_, parents = tree[:4]
        if return_distance:
            self.distances_ = tree[4]
        self.n_clusters_ = self.n_clusters
        if has_threshold:
            n_above = np.count_nonzero(self.distances_ >= self.distance_threshold)
            self.n_clusters_ = int(n_above) + 1
        if is_full:
            self.labels_ = cut_tree(self.n_clusters_, self.children_, self.n_leaves_)
        else:
            self.labels_ = label_by_heads(parents, n_samples)
        return self

    def _check_parameters(self):
        """Refuse parameters that contradict each other."""
        if (self.n_clusters is None) == (self.distance_threshold is None):
            raise ValueError(
                "Exactly one of n_clusters and "
                "distance_threshold has to be set, and the other "
                "needs to be None."
            )
        if self.distance_threshold is not None and not self.compute_full_tree:
            raise ValueError(
                "compute_full_tree must be True if distance_threshold is set."
            )
        if self.linkage == "ward" and self.metric not in ("euclidean", "l2"):
            raise ValueError(
                f"{self.metric} was provided as metric. Ward can only "
                "work with euclidean distances (i.e. 'euclidean' and 'l2')."
            )

    def _make_connectivity(self, X):
        """The checked matrix, or None."""
        if self.connectivity is None:
            return None
        connectivity = self.connectivity
        if callable(connectivity):
            connectivity = connectivity(X)
        return check_array(connectivity, accept_sparse=["csr", "coo", "lil"])

    def _wants_full_tree(self, n_samples):
        """Whether the tree is built beyond the number of clusters."""
        if self.connectivity is None:
            return True
        if self.compute_full_tree != "auto":
            return self.compute_full_tree
        if self.distance_threshold is not None:
            return True
        return self.n_clusters < max(100, 0.02 * n_samples)
