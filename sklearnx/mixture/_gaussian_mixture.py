"""Gaussian mixtures fitted by expectation maximisation."""

from __future__ import annotations

import math
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as _SklearnGaussianMixture
from sklearn.utils import check_random_state

from sklearnx._cluster.covariances import COVARIANCE_TYPES, IllDefinedError
from sklearnx._cluster.gaussian_mixture import MixtureProblem, make_type, run_em
from sklearnx._compat import (
    Interval,
    StrOptions,
    check_sample_weight,
    fit_context,
)
from sklearnx._validation import validate_data
from sklearnx.mixture._prediction import FLOATS, MixturePrediction
from sklearnx.mixture._progress import ProgressLog
from sklearnx.mixture._start import check_given, make_start


class GaussianMixture(MixturePrediction, _SklearnGaussianMixture):
    """Mixture of Gaussian distributions, fitted by maximum likelihood.

    The density of a row x is

    .. math::

        p(x) = \\sum_{k=1}^{K} \\pi_k \\, \\mathcal{N}(x \\mid \\mu_k, \\Sigma_k).

    The weights, means and covariances are those at which expectation maximisation
    (EM) [1]_ stops. From the same `random_state` or the same initial parameters they
    are those of scikit-learn, up to rounding; and the same, bit for bit, with any
    number of threads.

    Parameters
    ----------
    n_components : int, default=1
        Number K of components, at least 1.

    covariance_type : {'full', 'tied', 'diag', 'spherical'}, default='full'
        What covariances may be.

        - 'full': each component has a matrix of its own.
        - 'tied': all components share one matrix.
        - 'diag': each component has a diagonal matrix of its own.
        - 'spherical': each component has a single variance.

    tol : float, default=1e-3
        EM has converged when the mean log likelihood of a row (in nats) changes by
        less than this from one iteration to the next.

    reg_covar : float, default=1e-6
        Added to all variances, at least 0, in squared units of the features. It keeps
        components from collapsing onto few rows.

    max_iter : int, default=100
        Largest number of iterations of a start. With 0 the start is the result.

    n_init : int, default=1
        Number of starts, of which the one with the highest lower bound is kept.

    init_params : {'kmeans', 'k-means++', 'random', 'random_from_data'}, \
default='kmeans'
        What a start's parameters are estimated from.

        - 'kmeans': clusters of :class:`~sklearnx.cluster.KMeans`.
        - 'k-means++': one row for each component, drawn so that they lie apart.
        - 'random': responsibilities drawn at random.
        - 'random_from_data': one row for each component, drawn at random.

    weights_init : array-like of shape (n_components,), default=None
        Initial weights, which sum to 1. None estimates them as `init_params` says, as
        do the next two.

    means_init : array-like of shape (n_components, n_features), default=None
        Initial means.

    precisions_init : array-like, default=None
        Initial precisions, the inverses of the covariances, of the shape of
        ``precisions_``.

    random_state : int, RandomState instance or None, default=None
        Determines the starts, and what `sample` draws.

    warm_start : bool, default=False
        Whether `fit` goes on from the parameters of the last call, with a single start.

    verbose : int, default=0
        1 prints each start and every `verbose_interval`-th iteration, 2 their times
        (in seconds) and lower bounds as well.

    verbose_interval : int, default=10
        Iterations from one line of `verbose` to the next.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Weights, which sum to 1. This and all other arrays of floats have the dtype of
        the training rows: float32 or float64.

    means_ : ndarray of shape (n_components, n_features)
        Means.

    covariances_ : ndarray
        Covariances, of a shape that depends on `covariance_type`:

        - (n_components, n_features, n_features) for 'full',
        - (n_features, n_features) for 'tied',
        - (n_components, n_features) for 'diag',
        - (n_components,) for 'spherical'.

    precisions_ : ndarray
        The inverses of the covariances, of the same shape.

    precisions_cholesky_ : ndarray
        Factors of the precisions, of the same shape: upper triangular U with
        ``U @ U.T`` the precision for 'full' and 'tied', else roots.

    converged_ : bool
        Whether the start that was kept has converged.

    n_iter_ : int
        Its number of iterations.

    lower_bound_ : float
        Its lower bound: the mean log likelihood of a row before the last iteration.

    lower_bounds_ : list of float, of length `n_iter_`
        Its lower bound before each iteration.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    sklearn.mixture.BayesianGaussianMixture : Has priors on the parameters.
    sklearnx.cluster.KMeans : Hard clusters of equal, spherical spread.

    Notes
    -----
    An iteration is one pass over the rows, in blocks that stay in the cache from the
    densities to the sums of the M step. Responsibilities exist for one block at a time,
    so that memory beyond `X` does not grow with the number of rows. Distances take
    half of a matrix product, since the factors are triangular, and so do the sums of
    squares, since they are symmetric. These are taken about the means of the iteration
    before: nothing cancels however far the data are from zero. All sums are of double
    precision, also for `X` of float32.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird and D. B. Rubin. "Maximum likelihood from
       incomplete data via the EM algorithm". Journal of the Royal Statistical Society B
       39.1 (1977), pages 1-38. Example 4.3.
    .. [2] D. Arthur and S. Vassilvitskii. "k-means++: the advantages of careful
       seeding". Symposium on Discrete Algorithms (2007), pages 1027-1035. Section 2.2.
    .. [3] G. Schwarz. "Estimating the dimension of a model". Annals of Statistics 6.2
       (1978), pages 461-464.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.mixture import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> mixture = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> np.sort(mixture.means_[:, 0]).round(3)
    array([ 1., 10.])
    >>> mixture.predict([[0, 0], [12, 3]]) == mixture.predict([[1, 1], [10, 3]])
    array([ True,  True])

    The number of components and the type of covariances may be chosen by the Bayesian
    information criterion [3]_ (the lower, the better, hence its sign here):

    >>> from sklearn.model_selection import GridSearchCV
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(m, 1, size=(100, 2)) for m in (-4, 0, 4)])
    >>> search = GridSearchCV(
    ...     GaussianMixture(random_state=0),
    ...     {"n_components": range(1, 6), "covariance_type": ["full", "spherical"]},
    ...     scoring=lambda mixture, X: -mixture.bic(X),
    ...     cv=[(np.arange(300), np.arange(300))],
    ... ).fit(X)
    >>> search.best_params_
    {'covariance_type': 'spherical', 'n_components': 3}
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions(set(COVARIANCE_TYPES))],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "reg_covar": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [
            StrOptions({"kmeans", "random", "random_from_data", "k-means++"})
        ],
        "weights_init": ["array-like", None],
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        tol=1e-3,
        reg_covar=1e-6,
        max_iter=100,
        n_init=1,
        init_params="kmeans",
        weights_init=None,
        means_init=None,
        precisions_init=None,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval

    # Fitting -------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, sample_weight=None):
        """Estimate the parameters.

        Warns with ConvergenceWarning if the start that is kept has not converged.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, at least two and at least `n_components`. Not copied if of float64 or
            float32.

        y : Ignored
            There by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is the row twice, a weight of
            0 no row (but for what `init_params` draws at random). scikit-learn has none
            here.

        Returns
        -------
        self : GaussianMixture
            The fitted mixture.

        Raises
        ------
        ValueError
            If a covariance is not positive definite, as of a component that collapses
            with ``reg_covar=0``, or of numbers so large that their squares overflow.
        """
        self._fit(X, sample_weight)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_predict(self, X, y=None, *, sample_weight=None):
        """Estimate the parameters, and find the most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as of `fit`.

        y : Ignored
            There by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as of `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int64
            What `predict` then returns for the same rows.
        """
        return self._find_labels(self._fit(X, sample_weight))

    def _fit(self, X, sample_weight):
        """Fit, and return the validated rows."""
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        weights = self._check_sample_weight(sample_weight, X)
        covariance_type = make_type(self.covariance_type, self.n_components, X.shape[1])
        given = check_given(self, covariance_type)
        problem = MixtureProblem(X, weights, covariance_type, self.reg_covar)
        try:
            best = self._fit_starts(problem, given)
        except IllDefinedError:
            raise ValueError(self._explain_failure(X.dtype)) from None

        if not best.has_converged and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. "
                "Try different init parameters, or increase max_iter, "
                "tol, or check for degenerate data.",
                ConvergenceWarning,
                stacklevel=3,
            )
        mixture = best.mixture
        precisions = covariance_type.multiply(mixture.factors)
        self.weights_ = mixture.weights.astype(X.dtype)
        self.means_ = mixture.means.astype(X.dtype)
        self.covariances_ = mixture.covariances.astype(X.dtype)
        self.precisions_cholesky_ = mixture.factors.astype(X.dtype)
        self.precisions_ = precisions.astype(X.dtype)
        self.converged_ = best.has_converged
        self.n_iter_ = len(best.lower_bounds)
        self.lower_bound_ = best.lower_bounds[-1] if best.lower_bounds else -math.inf
        self.lower_bounds_ = best.lower_bounds
        return X

    def _check_sample_weight(self, sample_weight, X):
        """Weights of the rows, or None; there are enough rows that count."""
        n_samples = len(X)
        if sample_weight is not None:
            sample_weight = check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            n_samples = np.count_nonzero(sample_weight)
            if n_samples == 0:
                raise ValueError(
                    "Sample weights must contain at least one non-zero number."
                )
        if n_samples < self.n_components:
            raise ValueError(
                "Expected n_samples >= n_components but got n_components = "
                f"{self.n_components}, n_samples = {n_samples}"
            )
        return sample_weight

    def _explain_failure(self, dtype):
        message = (
            "Fitting the mixture model failed because some components have "
            "ill-defined empirical covariance (for instance caused by singleton "
            "or collapsed samples). Try to decrease the number of components, "
            "increase reg_covar, or scale the input data."
        )
        if dtype == np.float32:
            message += (
                " The numerical accuracy can also be improved by passing float64"
                " data instead of float32."
            )
        return message

    def _fit_starts(self, problem, given):
        """The best of all starts."""
        continues = self.warm_start and hasattr(self, "converged_")
        random_state = check_random_state(self.random_state)
        log = ProgressLog(self.verbose, self.verbose_interval)
        best = None
        for start in range(1 if continues else self.n_init):
            log.begin(start)
            if continues:
                mixture, lower_bound = (
                    self._read_mixture(problem.type),
                    self.lower_bound_,
                )
                mixture.covariances = self.covariances_
            else:
                mixture = make_start(self, problem, given, random_state)
                lower_bound = -math.inf
            fitted = run_em(
                problem,
                mixture,
                tol=self.tol,
                max_iter=self.max_iter,
                lower_bound=lower_bound,
                report=log.iterate if self.verbose else None,
            )
            if self.max_iter > 0:
                log.end(fitted)
            if best is None or self.max_iter == 0 or fitted.is_better_than(best):
                best = fitted
        return best

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        return tags
