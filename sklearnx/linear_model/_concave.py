"""Regression with concave penalties, which shrink large coefficients less."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning

from sklearnx._compat import Interval, fit_context
from sklearnx._glm.concave import solve_concave
from sklearnx._glm.design import make_design
from sklearnx._glm.penalties import MinimaxConcave, SmoothlyClipped
from sklearnx._glm.samples import make_samples
from sklearnx.linear_model._coordinate_descent_data import (
    NON_FINITE,
    contiguous,
    normalise_weights,
    refuse_table,
    validate_factors,
)
from sklearnx.linear_model._frames import (
    CATEGORICAL_CONSTRAINTS,
    CategoricalColumnsMixin,
    document_categories,
    validate_table,
)
from sklearnx.linear_model._prediction import LinearRegressorPrediction
from sklearnx.linear_model._regression_data import FLOATS, count_threads

_CONSTRAINTS = {
    "alpha": [Interval(Real, 0, None, closed="neither")],
    "fit_intercept": ["boolean"],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="neither")],
    "penalty_weights": ["array-like", None],
    **CATEGORICAL_CONSTRAINTS,
}


class _ConcaveRegression(
    LinearRegressorPrediction, CategoricalColumnsMixin, RegressorMixin, BaseEstimator
):
    """What the estimators of concave penalties share; `_penalty_class` is theirs."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data, of float64 or float32; other numbers are converted. It is
            neither copied nor changed.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, of which only ratios matter.

        Returns
        -------
        self : estimator
            The fitted estimator.
        """
        X, y = validate_table(
            self,
            X,
            y,
            sample_weight,
            accept_sparse=["csr", "csc"],
            dtype=FLOATS,
            y_numeric=True,
            ensure_all_finite=False,
        )
        weights = normalise_weights(sample_weight, X)
        factors = validate_factors(self.penalty_weights, X.shape[1])
        design = make_design(contiguous(X), count_threads(X))
        Y = y.astype(np.float64)[:, None]
        if not np.isfinite(Y).all():
            raise ValueError("Input y contains NaN or infinity.")
        sample = make_samples(design, Y, [weights], self.fit_intercept)[0]
        if not np.isfinite(sample.xty).all():
            refuse_table(self, X)
        penalty = self._penalty_class(self.alpha, self.gamma)
        solution = solve_concave(
            design, sample, penalty, factors, self.tol, self.max_iter
        )
        if not np.isfinite(solution.coef).all():
            raise ValueError(NON_FINITE)
        if not solution.has_converged:
            warnings.warn(
                "Coordinate descent did not converge: the largest violation of an "
                f"optimality condition is {solution.violation:.3e} times alpha, tol is "
                f"{self.tol:.3e}. Increase max_iter or gamma, or scale the features.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.coef_ = solution.coef.astype(X.dtype)
        self.intercept_ = 0.0
        if self.fit_intercept:
            self.intercept_ = sample.intercept(solution.coef[None])[0].astype(X.dtype)
        self.n_iter_ = solution.n_iter
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@document_categories
class MCPRegression(_ConcaveRegression):
    """Linear least squares with the minimax concave penalty.

    Minimises, to a local minimum near the lasso's solution,

    .. math::

        \\frac{1}{2 n} \\|y - X w - b\\|_2^2 + \\sum_j p(|w_j|), \\qquad
        p'(t) = \\max(\\alpha - t / \\gamma, 0).

    Coefficients above :math:`\\alpha \\gamma` are not shrunk at all, unlike the lasso's
    [1]_.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty at zero, positive.
    gamma : float, default=3.0
        Where the penalty becomes flat, as a multiple of `alpha`; positive. Large values
        come close to the lasso.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    max_iter : int, default=10000
        Largest number of sweeps of coordinate descent.
    tol : float, default=1e-6
        The largest violation of an optimality condition, as a share of `alpha`.
    penalty_weights : array-like of shape (n_features,) or None, default=None
        Factor of the penalty of each coefficient, not negative; 0 leaves it free.
    {categorical_features}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients, of the dtype of `X`.
    intercept_ : float
        Intercept; 0.0 without one.
    n_iter_ : int
        Sweeps of coordinate descent.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if `X` had names that are all strings.

    See Also
    --------
    SCADRegression : A penalty that is the lasso's for small coefficients.
    Lasso : The convex penalty.

    References
    ----------
    .. [1] C.-H. Zhang, "Nearly unbiased variable selection under minimax concave
       penalty", Annals of Statistics 38 (2010), equation 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import MCPRegression
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> model = MCPRegression(alpha=0.5).fit(X, 3 * X[:, 0])
    >>> model.coef_.round(3)
    array([3., 0., 0., 0., 0.])
    """

    _penalty_class = MinimaxConcave
    _parameter_constraints: dict = {
        **_CONSTRAINTS,
        "gamma": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        gamma=3.0,
        fit_intercept=True,
        max_iter=10_000,
        tol=1e-6,
        penalty_weights=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.alpha = alpha
        self.gamma = gamma
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.penalty_weights = penalty_weights
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown


@document_categories
class SCADRegression(_ConcaveRegression):
    """Linear least squares with the smoothly clipped absolute deviation penalty.

    Minimises, to a local minimum near the lasso's solution,

    .. math::

        \\frac{1}{2 n} \\|y - X w - b\\|_2^2 + \\sum_j p(|w_j|), \\qquad
        p'(t) = \\min\\left(\\alpha,
        \\frac{\\max(\\gamma \\alpha - t, 0)}{\\gamma - 1}\\right).

    Coefficients above :math:`\\alpha \\gamma` are not shrunk at all, those below
    :math:`\\alpha` as by the lasso [1]_.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty at zero, positive.
    gamma : float, default=3.7
        Where the penalty becomes flat, as a multiple of `alpha`; above 1. Large values
        come close to the lasso.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    max_iter : int, default=10000
        Largest number of sweeps of coordinate descent.
    tol : float, default=1e-6
        The largest violation of an optimality condition, as a share of `alpha`.
    penalty_weights : array-like of shape (n_features,) or None, default=None
        Factor of the penalty of each coefficient, not negative; 0 leaves it free.
    {categorical_features}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients, of the dtype of `X`.
    intercept_ : float
        Intercept; 0.0 without one.
    n_iter_ : int
        Sweeps of coordinate descent.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if `X` had names that are all strings.

    See Also
    --------
    MCPRegression : A penalty that falls from zero on.
    Lasso : The convex penalty.

    References
    ----------
    .. [1] J. Fan and R. Li, "Variable selection via nonconcave penalized likelihood and
       its oracle properties", JASA 96 (2001), equation 2.8.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import SCADRegression
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> model = SCADRegression(alpha=0.5).fit(X, 3 * X[:, 0])
    >>> model.coef_.round(3)
    array([3., 0., 0., 0., 0.])
    """

    _penalty_class = SmoothlyClipped
    _parameter_constraints: dict = {
        **_CONSTRAINTS,
        "gamma": [Interval(Real, 1, None, closed="neither")],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        gamma=3.7,
        fit_intercept=True,
        max_iter=10_000,
        tol=1e-6,
        penalty_weights=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.alpha = alpha
        self.gamma = gamma
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.penalty_weights = penalty_weights
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown
