"""k-means clustering."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.cluster import KMeans as _SklearnKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import (
    check_array,
    check_random_state,
)

from sklearnx._cluster.kmeans import is_same_clustering, run_lloyd
from sklearnx._cluster.rows import make_rows
from sklearnx._cluster.seeding import choose_centers
from sklearnx._compat import (
    Interval,
    StrOptions,
    fit_context,
    validate_params,
)
from sklearnx._docstrings import fill_from
from sklearnx._threads import n_threads_for
from sklearnx._validation import validate_data
from sklearnx.cluster._kmeans_base import (
    PARAMETER_DOCS,
    CenterPrediction,
    check_n_clusters,
    check_start,
    count_runs,
    draw_start,
    make_weights,
)


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "sample_weight": ["array-like", None],
        "x_squared_norms": ["array-like", None],
        "random_state": ["random_state"],
        "n_local_trials": [Interval(Integral, 1, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def kmeans_plusplus(
    X,
    n_clusters,
    *,
    sample_weight=None,
    x_squared_norms=None,
    random_state=None,
    n_local_trials=None,
):
    """Choose rows as initial centres by greedy k-means++ [1]_.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to choose from.

    n_clusters : int
        Number of rows to choose, at most `n_samples`.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, at least 0.

    x_squared_norms : array-like of shape (n_samples,), default=None
        Not needed; its length is checked.

    random_state : int or RandomState instance, default=None
        For the draws. The same number leads to the same rows as in scikit-learn.

    n_local_trials : int, default=None
        Candidates of each round but the first, of which the one that lowers the sum of
        squared distances most is kept. None for 2 + log(n_clusters); 1 is k-means++
        without greed.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        The chosen rows.

    indices : ndarray of shape (n_clusters,), dtype int64
        Their positions in `X`.

    Raises
    ------
    ValueError
        If there are more clusters than rows.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii. "k-means++: the advantages of careful
       seeding". Symposium on Discrete Algorithms, 2007. Section 2.2 and section 8 for
       several candidates.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import kmeans_plusplus
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> centers, indices = kmeans_plusplus(X, n_clusters=2, random_state=0)
    >>> indices
    array([3, 2])
    """
    X = check_array(
        X,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        order="C",
        accept_large_sparse=False,
    )
    weights = make_weights(sample_weight, X)
    check_n_clusters(X, n_clusters)
    if x_squared_norms is not None and len(x_squared_norms) != X.shape[0]:
        raise ValueError(
            f"The length of x_squared_norms {len(x_squared_norms)} should "
            f"be equal to the length of n_samples {X.shape[0]}."
        )
    rows = make_rows(X, n_threads_for(X.shape[0] * X.shape[1] * n_clusters))
    return choose_centers(
        rows, n_clusters, weights, check_random_state(random_state), n_local_trials
    )


@fill_from(PARAMETER_DOCS)
class KMeans(CenterPrediction, _SklearnKMeans):
    """k-means clustering by Lloyd's algorithm.

    Centres c and labels a that no step of the algorithm improves further make

    .. math::

        \\sum_i s_i \\|x_i - c_{a(i)}\\|^2

    small, with sample weights s: in turn each row gets the label of its nearest centre,
    and each centre moves to the mean of its rows.

    Parameters
    ----------
    {n_clusters}

    {init}

    n_init : 'auto' or int, default='auto'
        Runs from different starts, of which the one of least inertia is kept. 'auto' is
        1 for 'k-means++' and an array, 10 for 'random' and a callable.

    max_iter : int, default=300
        Largest number of steps of one run.

    tol : float, default=1e-4
        A run stops when the squared distances that the centres move by sum to at most
        `tol` times the mean variance of the features; 0 goes on until no label changes.

    {verbose}

    {random_state}

    copy_x : bool, default=True
        Has no effect: `X` is neither changed nor copied, save in float32 if it is
        dense and not huge.

    algorithm : {'auto', 'lloyd', 'elkan'}, default='auto'
        How distances are left out that cannot change a label; all give the same
        result, to the last bit. 'lloyd' keeps two bounds for each row of a dense array
        [2]_ and none for those of a sparse matrix. 'elkan' keeps a bound for each row
        and each eight centres [4]_, `n_samples * n_clusters / 2` bytes; where they and
        a copy of `X` in float32 would be larger than 1 GiB each, it is 'lloyd'. 'auto'
        is 'elkan' for sparse matrices and for dense arrays with many columns and many
        clusters.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centres, of the dtype of `X`.

    labels_ : ndarray of shape (n_samples,), dtype int32
        Nearest centre of each training row, as `predict` finds it.

    inertia_ : float
        Weighted sum of squared distances of the training rows to their centres.

    n_iter_ : int
        Number of steps of the run that was kept.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    MiniBatchKMeans : Steps on few rows at a time, for very many rows.
    BisectingKMeans : Splits one cluster after the other in two.

    Notes
    -----
    Rows are compared with centres in float32, in tiles of registers, and where rounding
    could decide in float64: labels are always those of the smallest sums of squared
    differences in float64. From the second step on a row is compared only with centres
    that its bounds allow to be nearer. The sums behind the means are kept up
    as rows move from cluster to cluster, twice as precise as float64. The results do
    not depend on the number of threads, to the last bit.

    A cluster that loses all of its rows gets the one farthest from its centre.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii. "k-means++: the advantages of careful
       seeding". Symposium on Discrete Algorithms, 2007. Section 2.2 and section 8 for
       several candidates.
    .. [2] G. Hamerly. "Making k-means even faster". SIAM International Conference on
       Data Mining, 2010. Algorithm 1.
    .. [3] S. P. Lloyd. "Least squares quantization in PCM". IEEE Transactions on
       Information Theory 28.2 (1982), pages 129-137. Section VI, method I.
    .. [4] Y. Ding, Y. Zhao, X. Shen, M. Musuvathi and T. Mytkowicz. "Yinyang k-means: a
       drop-in replacement of the classic k-means with consistent speedup".
       International Conference on Machine Learning, 2015. Section 3. Groups of one
       centre are those of C. Elkan, "Using the triangle inequality to accelerate
       k-means", 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import KMeans
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> kmeans = KMeans(n_clusters=2, random_state=0).fit(X)
    >>> kmeans.labels_
    array([1, 1, 1, 0, 0, 0], dtype=int32)
    >>> kmeans.predict([[0, 0], [12, 3]])
    array([1, 0], dtype=int32)
    >>> kmeans.cluster_centers_
    array([[10.,  2.],
           [ 1.,  2.]])
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), callable, "array-like"],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "copy_x": ["boolean"],
        "algorithm": [StrOptions({"auto", "lloyd", "elkan"})],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        init="k-means++",
        n_init="auto",
        max_iter=300,
        tol=1e-4,
        verbose=0,
        random_state=None,
        copy_x=True,
        algorithm="auto",
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Find clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, of float64 or float32; other numbers become float64. Copied
            if they are not in C order or CSR format.

        y : Ignored
            Present by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is the row twice. They count
            for drawn starts too, not for an array or a callable.

        Returns
        -------
        self : KMeans
            The fitted estimator.

        Raises
        ------
        ValueError
            If there are more clusters than rows, if the shape of `init` does not fit,
            or if numbers are so large that their squares overflow.
        """
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            accept_large_sparse=False,
        )
        check_n_clusters(X, self.n_clusters)
        self._n_init = count_runs(self, default=10)
        if self.algorithm == "elkan" and self.n_clusters == 1:
            warnings.warn(
                "algorithm='elkan' doesn't make sense for a single cluster. Using "
                "'lloyd' instead.",
                RuntimeWarning,
                stacklevel=2,
            )
        random_state = check_random_state(self.random_state)
        weights = make_weights(sample_weight, X)
        start = self.init
        if not (isinstance(start, str) or callable(start)):
            start = check_start(start, X, self.n_clusters)

        rows = make_rows(X, n_threads_for(X.shape[0] * X.shape[1] * self.n_clusters))
        best = self._run(rows, start, weights, random_state)
        n_found = np.count_nonzero(np.bincount(best.labels, minlength=1))
        if n_found < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({n_found}) found smaller than "
                f"n_clusters ({self.n_clusters}). Possibly due to duplicate points "
                "in X.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.cluster_centers_ = best.centers
        self._n_features_out = self.n_clusters
        self.labels_ = best.labels
        self.inertia_ = best.inertia
        self.n_iter_ = best.n_iter
        return self

    def _run(self, rows, start, weights, random_state):
        """The best of all runs."""
        spread = rows.find_moments()[1].mean()
        if not np.isfinite(spread):
            raise ValueError(
                "Squares of the numbers in X overflow: scale the features."
            )
        best = None
        for _ in range(self._n_init):
            centers = start
            if isinstance(start, str) or callable(start):
                centers = draw_start(
                    rows, start, self.n_clusters, weights, random_state
                )
            if self.verbose:
                print("Initialization complete")
            run = run_lloyd(
                rows,
                centers,
                weights,
                algorithm=self.algorithm,
                max_iter=self.max_iter,
                tol=self.tol * spread,
                report=print if self.verbose else None,
            )
            if best is None or (
                run.inertia < best.inertia
                and not is_same_clustering(run.labels, best.labels, self.n_clusters)
            ):
                best = run
        if not np.isfinite(best.inertia):
            raise ValueError(
                "Squared distances between rows of X and centers overflow: scale the "
                "features."
            )
        return best


def k_means(
    X,
    n_clusters,
    *,
    sample_weight=None,
    init="k-means++",
    n_init="auto",
    max_iter=300,
    verbose=False,
    tol=1e-4,
    random_state=None,
    copy_x=True,
    algorithm="auto",
    return_n_iter=False,
):
    """k-means clustering in one call; see `KMeans` for the parameters.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.

    n_clusters : int
        Number of clusters.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, at least 0.

    init : {'k-means++', 'random'}, callable or array-like of shape \
            (n_clusters, n_features), default='k-means++'
        Where the centres start.

    n_init : 'auto' or int, default='auto'
        Runs from different starts.

    max_iter : int, default=300
        Largest number of steps of one run.

    verbose : bool, default=False
        Whether to print the progress.

    tol : float, default=1e-4
        When a run stops, in units of the mean variance of the features.

    random_state : int, RandomState instance or None, default=None
        For the draws of `init`.

    copy_x : bool, default=True
        Has no effect: `X` is not changed.

    algorithm : {'auto', 'lloyd', 'elkan'}, default='auto'
        Which bounds leave out distances; all give the same labels.

    return_n_iter : bool, default=False
        Whether to return the number of steps too.

    Returns
    -------
    centroid : ndarray of shape (n_clusters, n_features)
        Centres.

    label : ndarray of shape (n_samples,), dtype int32
        Nearest centre of each row.

    inertia : float
        Weighted sum of squared distances of the rows to their centres.

    best_n_iter : int
        Number of steps. Only with `return_n_iter`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import k_means
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> centers, labels, inertia = k_means(X, n_clusters=2, random_state=0)
    >>> inertia
    16.0
    """
    model = KMeans(
        n_clusters=n_clusters,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        verbose=verbose,
        tol=tol,
        random_state=random_state,
        copy_x=copy_x,
        algorithm=algorithm,
    ).fit(X, sample_weight=sample_weight)
    result = model.cluster_centers_, model.labels_, model.inertia_
    return (*result, model.n_iter_) if return_n_iter else result
