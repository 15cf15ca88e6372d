"""Mean shift clustering, and the functions that go with it."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.cluster import MeanShift as _SklearnMeanShift
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearnx._cluster import mean_shift as engine
from sklearnx._compat import Interval, fit_context, validate_params
from sklearnx._threads import MIN_SHARED_WORK, effective_n_threads
from sklearnx._validation import validate_data


def _as_floats(X):
    """float64 or float32 in C order."""
    dtype = X.dtype if X.dtype in (np.float64, np.float32) else np.float64
    return np.ascontiguousarray(X, dtype=dtype)


def _count_threads(n_jobs, X):
    return effective_n_threads(n_jobs) if len(X) * X.size > MIN_SHARED_WORK else 1


@validate_params(
    {
        "X": ["array-like"],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        "n_samples": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def estimate_bandwidth(X, *, quantile=0.3, n_samples=None, random_state=0, n_jobs=None):
    """Estimate a bandwidth for `MeanShift`.

    It is the average distance of a row to its k-th nearest neighbour, for a share of
    all rows. All distances are measured: the time is quadratic in the number of rows,
    and memory linear.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.

    quantile : float, default=0.3
        k over the number of rows, from 0 to 1; at 0.5 it is the median of all
        distances. k is at least 1; a row is its own first neighbour.

    n_samples : int, default=None
        Number of rows to use, drawn at random. None uses all.

    random_state : int, RandomState instance or None, default=0
        Draws the rows.

    n_jobs : int, default=None
        Number of threads; they do not change the result. None or -1 means all cores.

    Returns
    -------
    bandwidth : float
        In the unit of `X`. 0 where enough rows are equal.

    See Also
    --------
    MeanShift : Calls it if no bandwidth is given.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import estimate_bandwidth
    >>> X = np.array([[1.0], [2.0], [4.0], [8.0]])
    >>> print(estimate_bandwidth(X, quantile=0.5))
    2.0
    """
    X = check_array(X)
    random_state = check_random_state(random_state)
    if n_samples is not None:
        X = X[random_state.permutation(len(X))[:n_samples]]
    k = max(1, int(len(X) * quantile))
    X = _as_floats(X)
    return engine.average_kth_distance(X, k, _count_threads(n_jobs, X))


def get_bin_seeds(X, bin_size, min_bin_freq=1):
    """Find the bins of a grid that hold enough rows, as seeds for `MeanShift`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.

    bin_size : float
        Distance of the lines of the grid, such as the bandwidth. With 0, `X` itself is
        returned.

    min_bin_freq : int, default=1
        Fewest rows of a bin.

    Returns
    -------
    bin_seeds : ndarray of shape (n_bins, n_features)
        Centres of the bins, in the order of their first rows; `X` itself if there are
        as many as rows.

    Warns
    -----
    UserWarning
        If there are as many bins as rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import get_bin_seeds
    >>> get_bin_seeds(np.array([[1.1], [0.9], [5.2]]), bin_size=1.0)
    array([[1.],
           [5.]], dtype=float32)
    """
    if bin_size == 0:
        return X
    bins = engine.find_bins(np.asarray(X), bin_size, min_bin_freq)
    if len(bins) == len(X):
        warnings.warn(
            f"Binning data failed with provided bin_size={bin_size:f}, using data "
            "points as seeds.",
            stacklevel=2,
        )
        return X
    return bins * bin_size


@validate_params({"X": ["array-like"]}, prefer_skip_nested_validation=False)
def mean_shift(
    X,
    *,
    bandwidth=None,
    seeds=None,
    bin_seeding=False,
    min_bin_freq=1,
    cluster_all=True,
    max_iter=300,
    n_jobs=None,
):
    """Cluster by mean shift with a flat kernel; see `MeanShift`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows to cluster.

    bandwidth : float, default=None
        Radius of the kernel. None estimates it.

    seeds : array-like of shape (n_seeds, n_features), default=None
        Where the search begins. None means all rows, or bins.

    bin_seeding : bool, default=False
        Whether the search begins at the bins of a grid.

    min_bin_freq : int, default=1
        Fewest rows of a bin.

    cluster_all : bool, default=True
        Whether rows far from all centres are put to the nearest, or get the label -1.

    max_iter : int, default=300
        The most moves of a seed.

    n_jobs : int, default=None
        Number of threads; they do not change the result. None or -1 means all cores.

    Returns
    -------
    cluster_centers : ndarray of shape (n_clusters, n_features)
        The centres.

    labels : ndarray of shape (n_samples,), dtype int64
        The cluster of each row.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import mean_shift
    >>> X = np.array([[1.0], [1.5], [2.0], [8.0], [9.0]])
    >>> centers, labels = mean_shift(X, bandwidth=2)
    >>> centers
    array([[1.5],
           [8.5]])
    >>> labels
    array([0, 0, 0, 1, 1])
    """
    model = MeanShift(
        bandwidth=bandwidth,
        seeds=seeds,
        min_bin_freq=min_bin_freq,
        bin_seeding=bin_seeding,
        cluster_all=cluster_all,
        n_jobs=n_jobs,
        max_iter=max_iter,
    ).fit(X)
    return model.cluster_centers_, model.labels_


class MeanShift(_SklearnMeanShift):
    """Clustering around the peaks of the density, by mean shift with a flat kernel.

    Seeds move, again and again, to the mean of the rows within the bandwidth, until
    they hardly move. Where they end are the centres; of centres within the bandwidth of
    each other that with the most rows around it is kept. Rows belong to the nearest
    centre.

    Parameters
    ----------
    bandwidth : float, default=None
        Radius of the kernel, in the unit of `X`. None calls `estimate_bandwidth`, which
        takes time quadratic in the number of rows.

    seeds : array-like of shape (n_seeds, n_features), default=None
        Where the search begins. None means all rows, or bins.

    bin_seeding : bool, default=False
        Whether the search begins at the bins of a grid, as wide as the bandwidth, that
        hold rows: less work. Not with `seeds`.

    min_bin_freq : int, default=1
        Fewest rows of a bin.

    cluster_all : bool, default=True
        Whether rows farther than the bandwidth from all centres are put to the nearest;
        else they get the label -1.

    n_jobs : int, default=None
        Number of threads; they do not change the result. None or -1 means all cores.

    max_iter : int, default=300
        The most moves of a seed.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        The centres, by the number of rows around them; float32 if `X` is.

    labels_ : ndarray of shape (n_samples,), dtype int64
        The cluster of each row, from 0.

    n_iter_ : int
        The most moves that a seed took.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,), dtype object
        Names of the columns. Only where all names of `X` are strings.

    See Also
    --------
    KMeans : Clusters of about the same extent, whose number is given.
    estimate_bandwidth : A bandwidth for the data.

    Notes
    -----
    Rows stand in a tree of boxes. A box within the kernel adds its sum, one outside of
    it nothing, so that the work for each move depends little on the bandwidth where
    columns are few. Centres are those of scikit-learn up to rounding.

    References
    ----------
    .. [1] D. Comaniciu and P. Meer. "Mean shift: a robust approach toward feature space
       analysis". IEEE Transactions on Pattern Analysis and Machine Intelligence 24
       (2002), pages 603-619. Section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import MeanShift
    >>> X = np.array([[1.0], [1.5], [2.0], [8.0], [9.0]])
    >>> model = MeanShift(bandwidth=2).fit(X)
    >>> model.labels_
    array([0, 0, 0, 1, 1])
    >>> model.predict([[3.0], [7.0]])
    array([0, 1])
    """

    _parameter_constraints: dict = {
        "bandwidth": [Interval(Real, 0, None, closed="neither"), None],
        "seeds": ["array-like", None],
        "bin_seeding": ["boolean"],
        "min_bin_freq": [Interval(Integral, 1, None, closed="left")],
        "cluster_all": ["boolean"],
        "n_jobs": [Integral, None],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        bandwidth=None,
        seeds=None,
        bin_seeding=False,
        min_bin_freq=1,
        cluster_all=True,
        n_jobs=None,
        max_iter=300,
    ):
        self.bandwidth = bandwidth
        self.seeds = seeds
        self.bin_seeding = bin_seeding
        self.cluster_all = cluster_all
        self.min_bin_freq = min_bin_freq
        self.n_jobs = n_jobs
        self.max_iter = max_iter

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the centres and label the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to cluster.

        y : None
            Ignored.

        Returns
        -------
        self : MeanShift
            The fitted estimator.

        Raises
        ------
        ValueError
            If there are no seeds, or no row within the bandwidth of any.
        """
        X = _as_floats(validate_data(self, X))
        n_threads = _count_threads(self.n_jobs, X)
        bandwidth = self.bandwidth
        if bandwidth is None:
            bandwidth = estimate_bandwidth(X, n_jobs=self.n_jobs)
        seeds = self._make_seeds(X, bandwidth)
        centers, self.n_iter_ = engine.find_centers(
            X, seeds, bandwidth, self.max_iter, n_threads
        )
        if len(centers) == 0:
            raise ValueError(
                f"No point was within bandwidth={bandwidth:f} of any seed. Try a "
                "different seeding strategy or increase the bandwidth."
            )
        labels, distances = engine.label_rows(X, centers, n_threads)
        if not self.cluster_all:
            labels[distances > bandwidth] = -1
        self.cluster_centers_, self.labels_ = centers, labels
        return self

    def _make_seeds(self, X, bandwidth):
        """Checked seeds, at least one."""
        if self.seeds is not None:
            seeds = check_array(self.seeds, input_name="seeds")
            if seeds.shape[1] != X.shape[1]:
                raise ValueError(
                    f"seeds has {seeds.shape[1]} columns, but X has {X.shape[1]}."
                )
            return seeds
        seeds = (
            get_bin_seeds(X, bandwidth, self.min_bin_freq) if self.bin_seeding else X
        )
        if len(seeds) == 0:
            raise ValueError(
                f"No bin holds min_bin_freq={self.min_bin_freq} rows. Decrease it, or "
                "increase the bandwidth."
            )
        return seeds

    def predict(self, X):
        """Find the nearest centre of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int64
            Their clusters.
        """
        check_is_fitted(self)
        X = _as_floats(validate_data(self, X, reset=False))
        n_threads = _count_threads(self.n_jobs, X)
        return engine.label_rows(X, self.cluster_centers_, n_threads)[0]
