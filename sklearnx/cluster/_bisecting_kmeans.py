"""k-means by splitting clusters in two."""

from __future__ import annotations

import copy
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.cluster import BisectingKMeans as _SklearnBisectingKMeans
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearnx._cluster.bisection import grow_tree
from sklearnx._cluster.kmeans import run_lloyd
from sklearnx._cluster.minibatch import take_batch
from sklearnx._cluster.rows import make_rows
from sklearnx._compat import Interval, StrOptions, fit_context
from sklearnx._docstrings import fill_from
from sklearnx._threads import n_threads_for
from sklearnx._validation import validate_data
from sklearnx.cluster._kmeans_base import (
    PARAMETER_DOCS,
    CenterPrediction,
    check_n_clusters,
    check_start,
    draw_start,
    make_weights,
)

# By this share a further run of k-means has to be better, as in scikit-learn.
MIN_GAIN = 1e-6


def _open_table(X, n_centers=2):
    return make_rows(X, n_threads_for(X.shape[0] * X.shape[1] * n_centers))


@fill_from(PARAMETER_DOCS)
class BisectingKMeans(CenterPrediction, _SklearnBisectingKMeans):
    """k-means by splitting clusters in two, one after another.

    All rows start in one cluster. The cluster with the largest inertia, or with most
    rows, is split by k-means with two centres, until there are `n_clusters`. That takes
    less time than `KMeans` where clusters are many, and their tree stays: `predict`
    goes down it.

    Parameters
    ----------
    {n_clusters}

    init : {"k-means++", "random"} or callable, default="random"
        Where the two centres of a split start:

        - "k-means++": at rows far from each other, by greedy k-means++.
        - "random": at rows drawn by their weights.
        - A callable is called with the rows of the cluster, 2 and ``random_state=`` a
          `RandomState`, and returns two centres.

    n_init : int, default=1
        Runs of k-means for a split, of which the one with the least inertia is kept.

    random_state : int, RandomState instance or None, default=None
        Draws the starts. An integer gives the same result each time, and
        scikit-learn's up to rounding.

    max_iter : int, default=300
        Largest number of iterations of a run.

    {verbose}

    tol : float, default=0.0001
        A run stops when the squared moves of its two centres sum up to at most `tol`.

    copy_x : bool, default=True
        Has no effect: the data are never written to.

    algorithm : {"lloyd", "elkan"}, default="lloyd"
        Has no effect: with two centres there is one bound on the other.

    bisecting_strategy : {"biggest_inertia", "largest_cluster"}, \
            default="biggest_inertia"
        Which cluster is split next: that with the largest weighted sum of squared
        distances to its centre, or that with most rows.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features), dtype of X
        Centres of the leaves of the tree, from left to right.

    labels_ : ndarray of shape (n_samples,), dtype int32
        The cluster of each row.

    inertia_ : float
        Weighted sum of squared distances of the rows to the centre of their cluster.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    KMeans : Moves all centres together.
    select_n_clusters : Compares numbers of clusters; it builds the tree once for all.

    Notes
    -----
    A row may be nearer to the centre of another leaf than to its own, as each split
    only looks at the rows of one cluster [1]_. Clusters of rows that are all equal are
    split last, and one of the two parts then has no rows.

    As in scikit-learn, a callable `init` gets dense rows less the mean of all rows.
    Results do not depend on the number of threads.

    References
    ----------
    .. [1] M. Steinbach, G. Karypis and V. Kumar. "A comparison of document clustering
       techniques". KDD Workshop on Text Mining 2000. Section 3.

    Examples
    --------
    >>> from sklearnx.cluster import BisectingKMeans
    >>> X = [[1, 1], [3, 1], [2, 1], [10, 0], [10, 2], [10, 8], [10, 10]]
    >>> bisecting = BisectingKMeans(3, random_state=0).fit(X)
    >>> sorted(bisecting.cluster_centers_.tolist())
    [[2.0, 1.0], [10.0, 1.0], [10.0, 9.0]]
    >>> left, right = bisecting.predict([[0, 0], [12, 9]])
    >>> int(left) == int(bisecting.labels_[0]), int(right) == int(bisecting.labels_[-1])
    (True, True)
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), callable],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "copy_x": ["boolean"],
        "algorithm": [StrOptions({"lloyd", "elkan"})],
        "bisecting_strategy": [StrOptions({"biggest_inertia", "largest_cluster"})],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        init="random",
        n_init=1,
        random_state=None,
        max_iter=300,
        verbose=0,
        tol=1e-4,
        copy_x=True,
        algorithm="lloyd",
        bisecting_strategy="biggest_inertia",
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.random_state = random_state
        self.max_iter = max_iter
        self.verbose = verbose
        self.tol = tol
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.bisecting_strategy = bisecting_strategy

    def _draw_start(self, rows, mean, weights, random_state):
        """Two centres for the rows of a cluster."""
        if not callable(self.init):
            return draw_start(rows, self.init, 2, weights, random_state)
        X = rows.X if sparse.issparse(rows.X) else rows.X - mean
        centers = check_start(self.init(X, 2, random_state=random_state), X, 2)
        return centers if sparse.issparse(X) else centers + mean

    def _split(self, rows, mean, weights, random_state):
        """Sides of the rows of a cluster, two centres and their scores."""
        best = None
        for _ in range(self.n_init):
            run = run_lloyd(
                rows,
                self._draw_start(rows, mean, weights, random_state),
                weights,
                max_iter=self.max_iter,
                tol=self.tol,
                report=print if self.verbose else None,
            )
            if best is None or run.inertia < best.inertia * (1 - MIN_GAIN):
                best = run
        if self.verbose:
            print(f"New centroids from bisection: {best.centers}")
        scores = None
        if self.bisecting_strategy == "biggest_inertia":
            scores = rows.measure_assigned(best.centers, best.labels)
            if weights is not None:
                scores *= weights
        scores = np.bincount(best.labels, weights=scores, minlength=2)
        return best.labels, best.centers, scores

    def _keep(self, tree, labels, X, weights):
        """Set what is fitted."""
        self._bisecting_tree = tree
        self.labels_ = labels
        self.cluster_centers_ = tree.centers[tree.find_leaves()]
        self.inertia_ = _open_table(X).find_inertia(
            self.cluster_centers_, labels, weights
        )
        self._n_features_out = len(self.cluster_centers_)

    @fit_context(prefer_skip_nested_validation=True)
    @fill_from(PARAMETER_DOCS)
    def fit(self, X, y=None, sample_weight=None):
        """Find clusters.

        Parameters
        ----------
        {rows}

        {y}

        {sample_weight}

        Returns
        -------
        self : BisectingKMeans
            The fitted estimator.

        Raises
        ------
        ValueError
            If there are more clusters than rows (of positive weight), or if numbers are
            so large that their squares overflow.
        """
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            accept_large_sparse=False,
        )
        n_samples = X.shape[0]
        check_n_clusters(X, self.n_clusters)
        random_state = check_random_state(self.random_state)
        weights = make_weights(sample_weight, X)
        table = _open_table(X)
        mean, variance = table.find_moments()
        if not np.isfinite(variance).all():
            raise ValueError(
                "Squares of the numbers in X overflow: scale the features."
            )
        mean = mean.astype(X.dtype)

        def split(indices):
            rows, own_weights = table, weights
            if len(indices) < n_samples:
                rows = _open_table(take_batch(X, indices))
                own_weights = None if weights is None else weights[indices]
            return self._split(rows, mean, own_weights, random_state)

        tree, labels = grow_tree(n_samples, self.n_clusters, mean, weights, split)
        self._keep(tree, labels, X, weights)
        return self

    def _cut(self, n_clusters, X, sample_weight=None):
        """This estimator as `fit` on `X` would have left it with less clusters."""
        X = self._check_rows(X)
        cut = copy.copy(self).set_params(n_clusters=n_clusters)
        tree = self._bisecting_tree.cut(n_clusters)
        labels = self._bisecting_tree.map_labels(tree)[self.labels_]
        cut._keep(tree, labels, X, make_weights(sample_weight, X))
        return cut

    def predict(self, X):
        """Find the cluster of each row, going down the tree.

        In each node that is not a leaf the nearer of the centres of its two children
        tells where a row goes; the centre of the leaf need not be the nearest of all.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int32
            Indices of clusters.
        """
        check_is_fitted(self, "cluster_centers_")
        rows, _ = self._open_rows(self._check_rows(X))
        return self._bisecting_tree.assign(rows)
