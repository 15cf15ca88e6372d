"""k-means on batches of rows."""

from __future__ import annotations

import math
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.cluster import MiniBatchKMeans as _SklearnMiniBatchKMeans
from sklearn.utils import check_random_state

from sklearnx._cluster.minibatch import (
    MovingCenters,
    RowDraws,
    StopRule,
    run_batches,
    take_batch,
    take_step,
)
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
    count_runs,
    draw_start,
    make_weights,
)


def _measure_nearest(X, centers, weights):
    """Labels of all rows, and their weighted sum of squared distances to centres."""
    rows = make_rows(X, n_threads_for(X.shape[0] * centers.size))
    labels, distances = rows.assign(centers, with_distances=True)
    if weights is not None:
        distances *= weights
    return labels, float(distances.sum())


@fill_from(PARAMETER_DOCS)
class MiniBatchKMeans(CenterPrediction, _SklearnMiniBatchKMeans):
    """k-means by steps on batches of rows drawn at random.

    Each batch moves the centres towards its rows, by less the more rows a centre has
    seen. On large data this takes a fraction of the time of `KMeans`, and the inertia
    is a little larger. With `partial_fit` the caller gives the batches.

    Parameters
    ----------
    {n_clusters}

    init : {"k-means++", "random"}, callable or array-like of shape \
            (n_clusters, n_features), default="k-means++"
        Where the centres start:

        - "k-means++": at rows far from each other, by greedy k-means++ on a sample of
          `init_size` rows.
        - "random": at rows of that sample.
        - An array has the centres.
        - A callable is called with the sample, `n_clusters` and ``random_state=`` a
          `RandomState`, and returns them.

    max_iter : int, default=100
        Largest number of passes: batches with as many rows as `max_iter` times those of
        the data.

    batch_size : int, default=1024
        Rows of a batch, at most those of the data. `partial_fit` takes its batch as it
        is.

    {verbose}

    compute_labels : bool, default=True
        Whether to find the labels and the inertia of all rows in the end.

    random_state : int, RandomState instance or None, default=None
        Draws the sample, the seeds, the batches and new places for centres. An integer
        gives the same result each time, and scikit-learn's up to rounding.

    tol : float, default=0.0
        Stop when the squared moves of the centres in a step sum up to at most `tol`
        times the mean variance of the features. 0 means never.

    max_no_improvement : int, default=10
        Stop after so many steps in a row that did not lower the smoothed inertia. None
        means never.

    init_size : int, default=None
        Rows of the samples that seeds are drawn from, with replacement, and that
        seedings are compared on. None means ``3 * batch_size``, or ``3 * n_clusters``
        where that is less than `n_clusters`.

    n_init : "auto" or int, default="auto"
        Number of seedings, of which the one with the least inertia on a sample is run.
        "auto" means 3, or 1 with ``init="k-means++"`` and with an array.

    reassignment_ratio : float, default=0.01
        Now and then, centres that have seen fewer rows than this share of the largest
        number are put on rows of the batch. Larger values give better centres later.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features), dtype of X
        Centres.

    labels_ : ndarray of shape (n_samples,), dtype int32
        The nearest centre of each row; after `partial_fit`, of each row of the last
        batch. Only with `compute_labels`.

    inertia_ : float
        Weighted sum of squared distances of the rows to their centre. Without
        `compute_labels`, an estimate from the last batches.

    n_iter_ : int
        Passes over the data, the last one counted in full.

    n_steps_ : int
        Batches.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    KMeans : Uses all rows in each step, and converges to a local minimum.

    Notes
    -----
    A step finds the nearest centre of each row of the batch; each centre then becomes
    the mean of all rows that ever were nearest to it [1]_. Sums are of float64 and in a
    fixed order: results do not depend on the number of threads. Batches are drawn by
    the weights of the rows, whose cumulative sums are kept from step to step, and then
    count each row once.

    Where rows are few, some centres may end up equal; ``reassignment_ratio=0`` keeps
    centres from being put on rows.

    References
    ----------
    .. [1] D. Sculley. "Web-scale k-means clustering". WWW 2010. Algorithm 1.
    .. [2] D. Arthur and S. Vassilvitskii. "k-means++: the advantages of careful
       seeding". SODA 2007.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearnx.cluster import MiniBatchKMeans
    >>> X, _ = make_blobs(10_000, centers=[[0, 0], [9, 9]], random_state=0)
    >>> kmeans = MiniBatchKMeans(2, random_state=0).fit(X)
    >>> sorted(kmeans.predict([[0, 1], [8, 9]]).tolist())
    [0, 1]
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), callable, "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
        "compute_labels": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_no_improvement": [Interval(Integral, 0, None, closed="left"), None],
        "init_size": [Interval(Integral, 1, None, closed="left"), None],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "reassignment_ratio": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        init="k-means++",
        max_iter=100,
        batch_size=1024,
        verbose=0,
        compute_labels=True,
        random_state=None,
        tol=0.0,
        max_no_improvement=10,
        init_size=None,
        n_init="auto",
        reassignment_ratio=0.01,
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.verbose = verbose
        self.compute_labels = compute_labels
        self.random_state = random_state
        self.tol = tol
        self.max_no_improvement = max_no_improvement
        self.init_size = init_size
        self.n_init = n_init
        self.reassignment_ratio = reassignment_ratio

    def _validate_rows(self, X, *, reset):
        return validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            accept_large_sparse=False,
            reset=reset,
        )

    def _settle_sizes(self, n_samples):
        """Set the private attributes that parameters and data determine together."""
        self._n_init = count_runs(self, default=3)
        self._batch_size = min(self.batch_size, n_samples)
        init_size = self.init_size
        if init_size is None:
            init_size = 3 * self._batch_size
            if init_size < self.n_clusters:
                init_size = 3 * self.n_clusters
        elif init_size < self.n_clusters:
            warnings.warn(
                f"init_size={init_size} should be larger than "
                f"n_clusters={self.n_clusters}. Setting it to "
                "min(3*n_clusters, n_samples)",
                RuntimeWarning,
                stacklevel=3,
            )
            init_size = 3 * self.n_clusters
        self._init_size = min(init_size, n_samples)

    def _check_start(self, X):
        if isinstance(self.init, str) or callable(self.init):
            return self.init
        return check_start(self.init, X, self.n_clusters)

    def _draw_start(self, X, start, weights, random_state):
        """Initial centres, from a sample of the rows where there are many."""
        if self._init_size < X.shape[0]:
            # An array needs no sample; it is drawn as others draw after it.
            taken = random_state.randint(0, X.shape[0], self._init_size)
            X = take_batch(X, taken)
            weights = None if weights is None else weights[taken]
            if weights is not None and not weights.any():
                raise ValueError(
                    f"All of init_size={self._init_size} rows drawn have a "
                    "sample_weight of zero: increase init_size."
                )
        if isinstance(start, np.ndarray):
            return start
        if callable(start):
            centers = start(X, self.n_clusters, random_state=random_state)
            return check_start(centers, X, self.n_clusters)
        rows = make_rows(X, n_threads_for(X.shape[0] * X.shape[1] * self.n_clusters))
        if not np.isfinite(rows.find_moments()[1]).all():
            raise ValueError(
                "Squares of the numbers in X overflow: scale the features."
            )
        return draw_start(rows, start, self.n_clusters, weights, random_state)

    def _choose_start(self, X, start, weights, random_state):
        """The best of some starts on a sample of the rows."""
        taken = random_state.randint(0, X.shape[0], self._init_size)
        X_valid = take_batch(X, taken)
        weights_valid = None if weights is None else weights[taken]
        best, least = None, np.inf
        for run in range(1, self._n_init + 1):
            place = f"{run}/{self._n_init}"
            if self.verbose:
                print(f"Init {place} with method {start}")
            centers = self._draw_start(X, start, weights, random_state)
            inertia = 0.0
            if self._n_init > 1 or self.verbose:
                _, inertia = _measure_nearest(X_valid, centers, weights_valid)
            if self.verbose:
                print(f"Inertia for init {place}: {inertia}")
            if best is None or inertia < least:
                best, least = centers, inertia
        return best

    def _keep(self, state):
        """Keep what steps have led to, for the user and for `partial_fit`."""
        self.cluster_centers_ = state.centers
        self._counts = state.counts
        self._n_since_reassignment = state.n_since_reassignment
        self._n_features_out = self.n_clusters

    @fit_context(prefer_skip_nested_validation=True)
    @fill_from(PARAMETER_DOCS)
    def fit(self, X, y=None, sample_weight=None):
        """Find clusters by steps on batches drawn from the rows.

        Parameters
        ----------
        {rows}

        {y}

        {sample_weight}

        Returns
        -------
        self : MiniBatchKMeans
            The fitted estimator.

        Raises
        ------
        ValueError
            If there are more clusters than rows, if the shape of `init` does not fit,
            or if numbers are so large that their squares overflow.
        """
        X = self._validate_rows(X, reset=True)
        n_samples = X.shape[0]
        check_n_clusters(X, self.n_clusters)
        self._settle_sizes(n_samples)
        random_state = check_random_state(self.random_state)
        weights = make_weights(sample_weight, X)
        start = self._check_start(X)

        centers = self._choose_start(X, start, weights, random_state)
        state = MovingCenters(centers, np.zeros(self.n_clusters))
        shares = np.ones(n_samples) if weights is None else weights
        shares = shares.astype(X.dtype, copy=False)
        sum_of_weights = shares.sum()
        tol = self.tol
        if tol > 0:
            tol *= make_rows(X, n_threads_for(X.size)).find_moments()[1].mean()
        n_steps = self.max_iter * n_samples // self._batch_size
        stop_rule = StopRule(
            n_samples,
            self._batch_size,
            n_steps,
            tol=tol,
            max_no_improvement=self.max_no_improvement,
            verbose=self.verbose,
        )
        self.n_steps_ = run_batches(
            state,
            X,
            RowDraws(shares / sum_of_weights),
            stop_rule,
            random_state,
            batch_size=self._batch_size,
            n_steps=n_steps,
            with_moves=tol > 0,
            reassignment_ratio=self.reassignment_ratio,
            verbose=self.verbose,
        )
        self._keep(state)
        self.n_iter_ = math.ceil(self.n_steps_ * self._batch_size / n_samples)
        if self.compute_labels:
            self.labels_, self.inertia_ = _measure_nearest(
                X, self.cluster_centers_, weights
            )
        else:
            self.inertia_ = float(stop_rule.inertia_per_row * sum_of_weights)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    @fill_from(PARAMETER_DOCS)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Take one step, with all rows of `X` as the batch.

        The first call, unless `fit` came before it, chooses where the centres start.

        Parameters
        ----------
        {rows}

        {y}

        {sample_weight}

        Returns
        -------
        self : MiniBatchKMeans
            The fitted estimator.

        Raises
        ------
        ValueError
            If the first batch has less rows than there are clusters, if the shape of
            `init` does not fit, or if numbers are so large that their squares overflow.
        """
        is_first = not hasattr(self, "cluster_centers_")
        X = self._validate_rows(X, reset=is_first)
        if not is_first:
            X = X.astype(self.cluster_centers_.dtype, copy=False)
        if not hasattr(self, "_random_state"):
            self._random_state = check_random_state(self.random_state)
        weights = make_weights(sample_weight, X)
        if is_first:
            check_n_clusters(X, self.n_clusters)
            self._settle_sizes(X.shape[0])
            start = self._check_start(X)
            centers = self._draw_start(X, start, weights, self._random_state)
            state = MovingCenters(centers, np.zeros(self.n_clusters))
        else:
            state = MovingCenters(
                self.cluster_centers_, self._counts.copy(), self._n_since_reassignment
            )
        take_step(
            state,
            X,
            None if weights is None else weights.astype(X.dtype, copy=False),
            self._random_state,
            n_counted=self._batch_size,
            reassignment_ratio=self.reassignment_ratio,
            verbose=self.verbose,
        )
        self._keep(state)
        if self.compute_labels:
            self.labels_, self.inertia_ = _measure_nearest(
                X, self.cluster_centers_, weights
            )
        self.n_steps_ = getattr(self, "n_steps_", 0) + 1
        return self
