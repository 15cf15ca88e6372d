"""Linear quantile regression."""

from __future__ import annotations

import warnings
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import QuantileRegressor as _SklearnQuantileRegressor

from sklearnx._compat import (
    Interval,
    StrOptions,
    fit_context,
    select_rows,
)
from sklearnx._glm.design import make_design
from sklearnx._glm.quantile import solve_quantile
from sklearnx._threads import n_threads_for
from sklearnx._validation import validate_data
from sklearnx.linear_model._prediction import (
    LinearRegressorPrediction,
)
from sklearnx.linear_model._regression_data import make_weights

# Steps of the interior point method; 15 to 30 are usual.
MAX_ITER = 200


class QuantileRegressor(LinearRegressorPrediction, _SklearnQuantileRegressor):
    """Linear regression that predicts a quantile of the target.

    Coefficients w and intercept c minimise

    .. math::

        \\frac{1}{\\sum_i s_i} \\sum_i s_i \\rho_q(y_i - x_i^T w - c)
        + \\alpha \\|w\\|_1,
        \\quad
        \\rho_q(r) = \\begin{cases} q r & r \\ge 0 \\\\ (q - 1) r & r < 0,
        \\end{cases}

    with sample weights s. For q = 0.5 this is least absolute deviations.

    Parameters
    ----------
    quantile : float, default=0.5
        The quantile q, between 0 and 1, both excluded.

    alpha : float, default=1.0
        Strength of the penalty on absolute coefficients, at least 0.

    fit_intercept : bool, default=True
        Whether there is an intercept c. It is not penalised.

    solver : {'highs-ds', 'highs-ipm', 'highs', 'interior-point', \
            'revised simplex'}, default='highs'
        Accepted for compatibility: all reach the same optimum by the same method. As in
        scikit-learn, 'interior-point' is refused, and 'revised simplex' for sparse `X`.

    solver_options : dict, default=None
        "maxiter" is the largest number of steps of the interior point method for each
        problem that is solved. Other options are accepted and have no effect.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,), dtype float64
        Coefficients w.

    intercept_ : float
        Intercept c, 0.0 without one.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the features. Only where all names of `X` are strings.

    n_iter_ : int
        Steps of the interior point method, over all problems solved. 0 where no
        coefficient differs from 0.

    See Also
    --------
    HuberRegressor : Robust regression that is efficient for normal errors.
    Lasso : The mean in place of a quantile.

    Notes
    -----
    The linear program is solved by a primal-dual interior point method [1]_ with a
    predictor and a corrector [2]_, and then exactly: the plane passes through as many
    rows as there are coefficients that are not 0. Where several planes are optimal, the
    one with the smallest mean prediction is taken. On many rows, the solution for a
    part of them decides the side of most others [1]_; many columns are solved for by
    working sets.

    References
    ----------
    .. [1] S. Portnoy and R. Koenker. "The Gaussian hare and the Laplacian tortoise:
       computability of squared-error versus absolute-error estimators". Statistical
       Science 12.4 (1997), pages 279-300. Sections 4 and 5.
    .. [2] S. Mehrotra. "On the implementation of a primal-dual interior point method".
       SIAM Journal on Optimization 2.4 (1992), pages 575-601.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import QuantileRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(size=(1000, 1))
    >>> y = X[:, 0] * rng.exponential(size=1000)
    >>> upper = QuantileRegressor(quantile=0.9, alpha=0).fit(X, y)
    >>> print(f"{np.mean(y <= upper.predict(X)):.2f}")
    0.90
    """

    _parameter_constraints: dict = {
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "solver": [
            StrOptions(
                {
                    "highs-ds",
                    "highs-ipm",
                    "highs",
                    "interior-point",
                    "revised simplex",
                }
            ),
        ],
        "solver_options": [dict, None],
    }

    def __init__(
        self,
        *,
        quantile=0.5,
        alpha=1.0,
        fit_intercept=True,
        solver="highs",
        solver_options=None,
    ):
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.solver_options = solver_options

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Target.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is the row twice.

        Returns
        -------
        self : QuantileRegressor
            The fitted estimator.
        """
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csc", "csr"],
            y_numeric=True,
            multi_output=False,
            dtype=[np.float64, np.float32],
        )
        weights = make_weights(sample_weight, X)
        self._check_solver(X)
        y = np.ascontiguousarray(y, dtype=np.float64)
        total = float(weights.sum())
        if not weights.all():
            rows = np.flatnonzero(weights)
            X, y, weights = select_rows(X, rows), y[rows], weights[rows]

        n_threads = n_threads_for(X.shape[0] * X.shape[1])
        max_iter = (self.solver_options or {}).get("maxiter", MAX_ITER)
        solution = solve_quantile(
            make_design(X, n_threads),
            y,
            weights,
            quantile=self.quantile,
            l1=np.full(X.shape[1], total * self.alpha),
            fit_intercept=self.fit_intercept,
            max_iter=max_iter,
        )
        if not (np.isfinite(solution.coef).all() and np.isfinite(solution.intercept)):
            raise ValueError(
                "Numbers overflow in the linear program: scale the features and the "
                "target."
            )
        if not solution.is_converged:
            warnings.warn(
                "Linear programming for QuantileRegressor did not succeed.\n"
                f"The duality gap is not closed after {solution.n_iter} steps. Raise "
                "solver_options={'maxiter': ...}, or scale the features.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.coef_ = solution.coef
        self.intercept_ = solution.intercept
        self.n_iter_ = solution.n_iter
        return self

    def _check_solver(self, X):
        # Solvers that SciPy has dropped.
        if self.solver == "interior-point":
            raise ValueError(
                f"Solver {self.solver} is not anymore available in SciPy >= 1.11.0."
            )
        if sparse.issparse(X) and self.solver == "revised simplex":
            raise ValueError(
                f"Solver {self.solver} does not support sparse X. "
                "Use solver 'highs' for example."
            )
