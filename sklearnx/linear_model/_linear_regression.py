"""Ordinary least squares."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
import sklearn.linear_model
from sklearn.exceptions import ConvergenceWarning

from sklearnx._compat import Interval, fit_context
from sklearnx._glm.least_squares import (
    has_small_side,
    solve_least_squares,
    solve_nonnegative_ridge,
)
from sklearnx._glm.lsqr import solve_lsqr
from sklearnx.linear_model._frames import (
    CATEGORICAL_CONSTRAINTS,
    CategoricalColumnsMixin,
    document_categories,
)
from sklearnx.linear_model._inference import InferenceMixin
from sklearnx.linear_model._prediction import LinearRegressorPrediction
from sklearnx.linear_model._regression_data import (
    make_problem,
    set_coefficients,
    validate_regression,
    validate_weights,
)


@document_categories
class LinearRegression(
    LinearRegressorPrediction,
    CategoricalColumnsMixin,
    InferenceMixin,
    sklearn.linear_model.LinearRegression,
):
    """Ordinary least squares.

    It minimises::

        sum_i w_i (y_i - x_i' coef - intercept)^2

    and, where several coefficients do, takes those of the smallest norm. A tall `X` is
    read twice: for the means with ``X'y``, and for the Gram matrix of the centred
    columns. Coefficients are refined with residuals from `X` itself [1]_ if the
    matrix is ill-conditioned; if it is too ill-conditioned for that, or of lower rank,
    blocks of rows are brought to a triangle by QR decompositions, and the singular
    values of the triangle decide [2]_. A wide `X` is treated the same way, transposed.
    A sparse `X` stays sparse, and is solved by LSQR [3]_ where both of its sides are
    large. Levels of categorical features that depend on each other, as towns and
    countries do, get the solution of the smallest norm from the eigenvalues of the Gram
    matrix.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to fit an intercept. False is for data that are centred.

    copy_X : bool, default=True
        `X` is never overwritten; the parameter is there for compatibility.

    tol : float, default=1e-6
        For dense `X`, singular values that are not above this part of the largest one
        count as zeros. For sparse `X` with many rows and columns, the tolerance of
        LSQR.

    n_jobs : int or None, default=None
        Number of threads. None and -1 mean all cores. Results do not depend on it.

    positive : bool, default=False
        Whether coefficients must not be negative. Of dense `X` only, or with
        categorical features, of which all levels then have a coefficient.

    {categorical_features}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of `X`; of two dimensions if `y` has.

    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0.0 with ``fit_intercept=False``.

    rank_ : int
        Rank of the centred `X`. Only of dense `X` without categorical features, and
        with ``positive=False``.

    singular_ : ndarray of shape (min(n_samples, n_features),)
        Singular values of the centred `X`, descending. Only where `rank_` is.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if `X` has names that are all strings.

    See Also
    --------
    Ridge : With a penalty on the squares of the coefficients.
    Lasso : With a penalty on their absolute values.

    References
    ----------
    .. [1] A. Bjorck (1987), "Stability analysis of the method of seminormal equations
       for linear least squares problems", Linear Algebra and its Applications 88/89,
       section 3.
    .. [2] J. Demmel, L. Grigori, M. Hoemmen and J. Langou (2012),
       "Communication-optimal parallel and sequential QR and LU factorizations", SIAM
       Journal on Scientific Computing 34, section 3 (sequential TSQR).
    .. [3] C. C. Paige and M. A. Saunders (1982), "LSQR: an algorithm for sparse linear
       equations and sparse least squares", ACM Transactions on Mathematical Software 8.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import LinearRegression
    >>> X = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 2.0], [3.0, 5.0]])
    >>> y = 3 * X[:, 0] - X[:, 1] + 4
    >>> model = LinearRegression().fit(X, y)
    >>> model.coef_.round(6)
    array([ 3., -1.])
    >>> float(model.intercept_.round(6))
    4.0
    """

    _parameter_constraints = {
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [None, Integral],
        "positive": ["boolean"],
        **CATEGORICAL_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        fit_intercept=True,
        copy_X=True,
        tol=1e-6,
        n_jobs=None,
        positive=False,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        X, y = validate_regression(
            self,
            X,
            y,
            sample_weight,
            drops_reference=self.fit_intercept and not self.positive,
            accept_sparse=not self.positive,
        )
        problem = make_problem(
            self,
            X,
            y,
            validate_weights(sample_weight, X),
            fit_intercept=self.fit_intercept,
            n_jobs=self.n_jobs,
        )
        for name in ("rank_", "singular_"):
            self.__dict__.pop(name, None)
        coef, intercept = self._solve(problem)
        set_coefficients(self, coef, intercept, X.dtype, is_1d=y.ndim == 1)
        return self

    def _solve(self, problem):
        """The coefficients (n_features, n_outputs) and intercepts of a problem."""
        design = problem.A.design
        if self.positive:
            coef, has_converged = solve_nonnegative_ridge(
                problem,
                np.zeros(problem.B.shape[1]),
                max_iter=max(100, 3 * design.n_columns),
            )
            if not has_converged:
                warnings.warn(
                    "The active set of positive=True did not settle; the columns of X "
                    "are nearly collinear: drop some, or use Ridge(positive=True).",
                    ConvergenceWarning,
                    stacklevel=3,
                )
            return coef, problem.intercept(coef)
        if not has_small_side(design):
            return self._solve_large_sparse(problem)
        # tol is about ranks of dense tables; sparse ones lose no more than rounding.
        cond = self.tol
        if design.is_sparse:
            cond = np.finfo(np.float64).eps * max(design.n_rows, design.n_columns)
        solution = solve_least_squares(problem, cond)
        if not design.is_sparse:
            self.rank_ = solution.rank
            self.singular_ = solution.singular_values.astype(design.dtype)
        return solution.coef, solution.intercept

    def _solve_large_sparse(self, problem):
        """Iterate where neither a Gram nor a kernel matrix would be small."""
        design = problem.A.design
        max_iter = max(1000, 2 * design.n_columns)
        result = solve_lsqr(
            problem.A,
            problem.B,
            np.zeros(problem.B.shape[1]),
            tol=self.tol,
            max_iter=max_iter,
        )
        if not result.has_converged.all():
            warnings.warn(
                f"LSQR did not converge in {max_iter} iterations. Scale the columns of "
                "X, increase tol, or use Ridge.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return result.coef, problem.intercept(result.coef)
