"""Huber's robust regression."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import HuberRegressor as _SklearnHuberRegressor

from sklearnx._compat import Interval, fit_context
from sklearnx._glm.design import make_design
from sklearnx._glm.huber import solve_huber
from sklearnx._threads import n_threads_for
from sklearnx._validation import validate_data
from sklearnx.linear_model._prediction import (
    LinearRegressorPrediction,
)
from sklearnx.linear_model._regression_data import make_weights


class HuberRegressor(LinearRegressorPrediction, _SklearnHuberRegressor):
    """Linear regression that outliers of the target cannot carry away.

    Coefficients w, intercept c and scale sigma > 0 together minimise the convex
    function

    .. math::

        \\sum_i s_i \\left(\\sigma + H\\left(
        \\frac{y_i - x_i^T w - c}{\\sigma}\\right) \\sigma\\right)
        + \\alpha \\|w\\|_2^2,
        \\quad
        H(z) = \\begin{cases}
        z^2 & |z| \\le \\epsilon \\\\
        2 \\epsilon |z| - \\epsilon^2 & |z| > \\epsilon,
        \\end{cases}

    with sample weights s. Rows within `epsilon` scales count by their square, all
    others, the outliers, by their absolute value only. As the scale is estimated too,
    `epsilon` means the same whatever the unit of the target.

    Parameters
    ----------
    epsilon : float, default=1.35
        Residuals beyond so many scales are outliers. At least 1; the smaller, the more
        robust. At 1.35 the estimate has 95 % of the efficiency of least squares where
        errors are normal.

    max_iter : int, default=100
        Largest number of steps. About five suffice, up to a hundred where the model
        passes through many rows.

    alpha : float, default=0.0001
        Strength of the squared penalty, at least 0.

    warm_start : bool, default=False
        Whether `fit` starts from ``coef_``, ``intercept_`` and ``scale_`` of the last
        call.

    fit_intercept : bool, default=True
        Whether there is an intercept c.

    tol : float, default=1e-05
        The solver stops when no partial derivative of the objective exceeds it, when
        the duality gap is closed, or when rounding allows no further progress.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,), dtype float64
        Coefficients w.

    intercept_ : float
        Intercept c, 0.0 without one.

    scale_ : float
        Scale sigma.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the features. Only where all names of `X` are strings.

    n_iter_ : int
        Number of steps on all rows.

    outliers_ : ndarray of shape (n_samples,), dtype bool
        True for the rows of residuals beyond ``epsilon * scale_``.

    See Also
    --------
    QuantileRegressor : The median, or another quantile, in place of the mean.
    sklearn.linear_model.RANSACRegressor : Leaves rows out that do not fit.

    Notes
    -----
    For fixed coefficients the best scale is found exactly; what remains is minimised by
    Newton's method, with the Gram matrix of the inliers (conjugate gradients beyond
    3,000 columns). On many rows it starts from the solution for every k-th of them.
    Where kinks of the objective hold it up, as with nearly as many columns as rows, an
    interior point method [3]_ goes on after 25 steps.

    References
    ----------
    .. [1] P. J. Huber. "Robust Statistics". Wiley, 1981. Section 7.7.
    .. [2] A. B. Owen. "A robust hybrid of lasso and ridge regression". Contemporary
       Mathematics 443 (2007), pages 59-71. Equation 8.
    .. [3] S. Mehrotra. "On the implementation of a primal-dual interior point method".
       SIAM Journal on Optimization 2.4 (1992), pages 575-601.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import HuberRegressor
    >>> X = np.arange(10.0).reshape(-1, 1)
    >>> y = 2 * X[:, 0] + 1
    >>> y[9] = 1000
    >>> huber = HuberRegressor(alpha=0).fit(X, y)
    >>> print(f"{huber.coef_[0]:.3f} {huber.intercept_:.3f}")
    2.000 1.000
    >>> np.flatnonzero(huber.outliers_)
    array([9])
    """

    _parameter_constraints: dict = {
        "epsilon": [Interval(Real, 1.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0.0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        epsilon=1.35,
        max_iter=100,
        alpha=0.0001,
        warm_start=False,
        fit_intercept=True,
        tol=1e-05,
    ):
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Not copied if of float64 or float32.

        y : array-like of shape (n_samples,)
            Target.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is the row twice.

        Returns
        -------
        self : HuberRegressor
            The fitted estimator.
        """
        X, y = validate_data(
            self,
            X,
            y,
            copy=False,
            accept_sparse=["csr", "csc"],
            y_numeric=True,
            dtype=[np.float64, np.float32],
        )
        weights = make_weights(sample_weight, X)
        n_threads = n_threads_for(X.shape[0] * X.shape[1])
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            start = (self.coef_, self.intercept_, self.scale_)

        solution = solve_huber(
            make_design(X, n_threads),
            np.ascontiguousarray(y, dtype=np.float64),
            weights,
            epsilon=self.epsilon,
            alpha=self.alpha,
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            max_iter=self.max_iter,
            start=start,
        )
        if not solution.is_converged:
            warnings.warn(
                f"HuberRegressor failed to converge after {solution.n_iter} "
                "iteration(s): the largest partial derivative is "
                f"{solution.max_gradient:.3g}, above tol={self.tol}.\n\nIncrease the "
                "number of iterations to improve the convergence "
                f"(max_iter={self.max_iter}), or scale the features.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.coef_ = solution.coef
        self.intercept_ = solution.intercept
        self.scale_ = solution.scale
        self.n_iter_ = solution.n_iter
        self.outliers_ = np.abs(solution.residuals) > self.epsilon * solution.scale
        return self
