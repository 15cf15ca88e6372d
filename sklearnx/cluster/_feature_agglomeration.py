"""Agglomerative clustering of columns."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.cluster import FeatureAgglomeration as _SklearnFeatureAgglomeration
from sklearn.utils.validation import check_is_fitted

from sklearnx._compat import fit_context
from sklearnx._validation import validate_data
from sklearnx.cluster._agglomeration_docs import document
from sklearnx.cluster._agglomerative import AgglomerativeClustering

# Values pooled at a time.
_MAX_HELD = 1 << 20


@document("column", "n_features")
class FeatureAgglomeration(AgglomerativeClustering, _SklearnFeatureAgglomeration):
    """Clustering of columns, each cluster of which becomes one column.

    Columns are merged as rows are by `AgglomerativeClustering`; `transform` pools the
    columns of each cluster.

    Parameters
    ----------
    {n_clusters}

    metric : str or callable, default="euclidean"
        Metric of the columns: "euclidean", "l1", "l2", "manhattan", "cosine" or
        "precomputed", where `X` is the matrix of distances; with ``linkage="ward"``
        only "euclidean" and "l2". Without `connectivity`, with ``linkage="single"``,
        any metric of `sklearn.metrics.pairwise_distances` that needs no parameters. A
        function gets the columns, as rows, and returns the matrix of all distances;
        with `connectivity`, it gets two columns.

    {memory}

    connectivity : array-like, sparse matrix, or callable, default=None
        Matrix of shape (n_features, n_features) whose entries that are not 0 say which
        columns are connected, in either direction, or a function that makes it of the
        columns, as rows. Only connected clusters are merged. None connects all.

    {compute_full_tree}

    {linkage}

    pooling_func : callable, default=np.mean
        How columns are pooled: gets an array of shape (n_samples, n_columns) and
        ``axis=1``, and returns an array of shape (n_samples,).

    {distances}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    AgglomerativeClustering : The same for rows; its notes hold here too.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import FeatureAgglomeration
    >>> X = np.array([[1.0, 9.0, 1.5], [2.0, 5.0, 2.5]])
    >>> agglomeration = FeatureAgglomeration(n_clusters=2).fit(X)
    >>> agglomeration.labels_
    array([0, 1, 0])
    >>> agglomeration.transform(X)
    array([[1.25, 9.  ],
           [2.25, 5.  ]])
    """

    _parameter_constraints: dict = {
        **AgglomerativeClustering._parameter_constraints,
        "pooling_func": [callable],
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
        pooling_func=np.mean,
        distance_threshold=None,
        compute_distances=False,
    ):
        super().__init__(
            n_clusters=n_clusters,
            memory=memory,
            connectivity=connectivity,
            compute_full_tree=compute_full_tree,
            linkage=linkage,
            metric=metric,
            distance_threshold=distance_threshold,
            compute_distances=compute_distances,
        )
        self.pooling_func = pooling_func

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Build the tree of the columns and cut it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.

        y : None
            Ignored.

        Returns
        -------
        self : FeatureAgglomeration
            The fitted estimator.
        """
        X = validate_data(self, X, ensure_min_features=2)
        self._fit(X.T)
        self._n_features_out = self.n_clusters_
        return self

    @property
    def fit_predict(self):
        """Not available: there are no labels of rows."""
        raise AttributeError

    def transform(self, X):
        """Pool the columns of each cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        pooled : ndarray of shape (n_samples, `n_clusters_`)
            A column for each cluster; float64 if `pooling_func` is ``np.mean``.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        if self.pooling_func is np.mean:
            return self._average(X)
        pooled = [
            self.pooling_func(X[:, self.labels_ == label], axis=1)
            for label in np.unique(self.labels_)
        ]
        return np.array(pooled).T

    def _average(self, X):
        """Means of the columns of each cluster, summed in their order."""
        n_samples, n_features = X.shape
        members = sparse.csr_array(
            (np.ones(n_features), self.labels_, np.arange(n_features + 1)),
            shape=(n_features, self.n_clusters_),
        )
        pooled = np.empty((n_samples, self.n_clusters_))
        step = max(1, _MAX_HELD // n_features)
        for first in range(0, n_samples, step):
            pooled[first : first + step] = X[first : first + step] @ members
        pooled /= np.bincount(self.labels_)
        return pooled

    def inverse_transform(self, X):
        """Give each column the values of its cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, `n_clusters_`) or (`n_clusters_`,)
            A column for each cluster.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features) or (n_features,)
            A column for each column seen in `fit`.
        """
        check_is_fitted(self)
        return np.asarray(X)[..., self.labels_]
