"""Regressors of generalised linear models: Poisson, gamma and Tweedie."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from textwrap import dedent, indent

import numpy as np
from scipy.linalg import LinAlgWarning
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import GammaRegressor as _SklearnGammaRegressor
from sklearn.linear_model import PoissonRegressor as _SklearnPoissonRegressor
from sklearn.linear_model import TweedieRegressor as _SklearnTweedieRegressor
from sklearn.utils import check_array, check_consistent_length

from sklearnx._compat import Interval, StrOptions, fit_context
from sklearnx._glm.design import make_design
from sklearnx._glm.families import (
    Gamma,
    Poisson,
    SquaredError,
    TweedieIdentity,
    make_tweedie_family,
)
from sklearnx._glm.glm import fit_glm
from sklearnx._glm.objective import GlmObjective
from sklearnx._glm.proximal_newton import Composite, fit_composite
from sklearnx._threads import n_threads_for
from sklearnx.linear_model._frames import (
    CATEGORICAL_CONSTRAINTS,
    CATEGORICAL_DOC,
    CategoricalColumnsMixin,
    validate_table,
)
from sklearnx.linear_model._inference import InferenceMixin
from sklearnx.linear_model._prediction import compute_raw_predictions
from sklearnx.linear_model._regression_data import make_weights

_OBJECTIVE = r"""
Coefficients w and the intercept b minimise

.. math::

    \frac{1}{\sum_i s_i} \sum_i \frac{s_i}{2} d(y_i, \mu_i)
    + \alpha \sum_j v_j \left(\frac{1 - \rho}{2} w_j^2 + \rho |w_j|\right),
    \quad \mu_i = h(x_i w + b + o_i),

with sample weights s, offsets o, strength alpha of the penalty, its `l1_ratio` rho and
`penalty_weights` v. """

_ALPHA = """
alpha : float, default=1.0
    Strength of the penalty, at least 0.

fit_intercept : bool, default=True
    Whether there is an intercept b.
"""

_PARAMETERS = """
solver : {'lbfgs', 'newton-cholesky'}, default='lbfgs'
    Both reach the same optimum, by the method that the shape of the data asks for (see
    Notes). 'newton-cholesky' warns of singular matrices.

max_iter : int, default=100
    Largest number of iterations.

tol : float, default=1e-4
    A fit ends when no partial derivative of the objective exceeds it, and the objective
    is at its minimum to 1e-8 relative.

warm_start : bool, default=False
    Whether `fit` starts from ``coef_`` and ``intercept_`` of the last call.

verbose : int, default=0
    Positive prints the number of iterations.

l1_ratio : float, default=0.0
    Share of the l1 penalty, from 0 (ridge) to 1 (lasso).

penalty_weights : array-like of shape (n_features,) or None, default=None
    By what the penalty of each coefficient is multiplied, at least 0. None is 1.

bounds : tuple (lower, upper) or None, default=None
    Bounds of the coefficients: each a number, or an array of shape (n_features,).
"""

_ATTRIBUTES = """
Attributes
----------
coef_ : ndarray of shape (n_features,)
    Coefficients w, of the dtype of `X`.

intercept_ : float
    Intercept b, 0.0 without one.

n_iter_ : int
    Number of iterations over all rows.

n_features_in_ : int
    Number of features seen in `fit`.

feature_names_in_ : ndarray of shape (n_features,), dtype object
    Names of the features. Only where all names of `X` are strings.
"""

_NOTES = """
Notes
-----
Few coefficients: Newton's method, on many rows from a fit of a part of them, with the
second derivatives of that part as long as they will do. Many: quasi-Newton updates of
their diagonal. More columns than rows: coordinates of the row space. Lasso, elastic net
and bounds: proximal Newton, coordinate descent on a quadratic model [2]_.

Coefficients have the same bits whatever the number of threads.

References
----------
.. [1] P. McCullagh, J. Nelder. "Generalized Linear Models". Chapman and Hall, 1989.
   Section 2.3 and equation 2.12.
.. [2] J. Friedman, T. Hastie, R. Tibshirani. "Regularization paths for generalized
   linear models via coordinate descent". Journal of Statistical Software 33.1 (2010).
   Equation 1.
"""


def _describe(summary, family, parameters, see_also, example):
    """The docstring of a class, from its own parts and those that all share."""
    parts = [
        summary,
        _OBJECTIVE + dedent(family).strip() + "\n",
        "Parameters\n----------" + "".join(map(dedent, parameters)),
        _ATTRIBUTES,
        "See Also\n--------\n" + dedent(see_also).strip() + "\n",
        _NOTES,
        "Examples\n--------\n" + dedent(example).strip() + "\n",
    ]
    text = "\n\n".join(part.strip("\n") for part in parts)
    return indent(text, "    ").strip() + "\n    "


class _GlmRegressor(CategoricalColumnsMixin, InferenceMixin):
    """Fit, predictions and score; subclasses have `_make_family`."""

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0.0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "solver": [StrOptions({"lbfgs", "newton-cholesky"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "l1_ratio": [Interval(Real, 0.0, 1.0, closed="both")],
        "penalty_weights": ["array-like", None],
        "bounds": [tuple, list, None],
        **CATEGORICAL_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        alpha=1.0,
        fit_intercept=True,
        solver="lbfgs",
        max_iter=100,
        tol=1e-4,
        warm_start=False,
        verbose=0,
        l1_ratio=0.0,
        penalty_weights=None,
        bounds=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.bounds = bounds
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, offset=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Not copied if of float64 or float32.

        y : array-like of shape (n_samples,)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is the row twice.

        offset : array-like of shape (n_samples,), default=None
            What is added to the linear predictor of each row, such as the logarithm of
            its exposure.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        X, y = validate_table(
            self,
            X,
            y,
            sample_weight,
            drops_reference=self.fit_intercept and self.alpha == 0,
            accept_sparse=["csc", "csr"],
            dtype=[np.float64, np.float32],
            y_numeric=True,
        )
        y = np.ascontiguousarray(y, dtype=np.float64)
        family = self._check_target(y)
        weights = make_weights(sample_weight, X)
        offset = _check_offset(offset, X)
        composite = self._make_composite(X, y, weights, offset, family)
        coef, is_warm = self._find_start(composite.objective)
        settings = {
            "tol": self.tol,
            "max_iter": self.max_iter,
            "is_warm": is_warm,
        }
        if self.l1_ratio * self.alpha > 0 or self.bounds is not None:
            end = fit_composite(composite, coef, **settings)
        else:
            end = fit_glm(composite.objective, coef, **settings)
        self._warn(end)
        self.n_iter_ = end.n_iter
        coef = end.point.coef.astype(X.dtype)
        self.coef_ = coef[: X.shape[1]]
        self.intercept_ = coef[-1] if self.fit_intercept else 0.0
        if self.verbose:
            print(f"{type(self).__name__}: {end.n_iter} iterations")
        return self

    @property
    def _base_loss(self):
        """scikit-learn's name for the loss, which tools read the link of."""
        return self._get_loss()

    def _check_target(self, y):
        """The family, once its targets are known to be possible."""
        family = self._make_family()
        if not family.is_in_range(y):
            raise ValueError(
                "Some value(s) of y are out of the valid range of the loss"
                f" {type(self._get_loss()).__name__!r}."
            )
        return family

    def _make_composite(self, X, y, weights, offset, family):
        """The objective with its penalties and bounds."""
        n_columns = X.shape[1]
        strengths = np.full(n_columns, float(self.alpha))
        if self.penalty_weights is not None:
            strengths *= self._check_penalty_weights(n_columns)
        if self.fit_intercept:
            strengths = np.append(strengths, 0.0)
        n_threads = n_threads_for(X.shape[0] * n_columns)
        objective = GlmObjective(
            make_design(X, n_threads),
            family,
            y,
            weights / np.sum(weights),
            (1.0 - self.l1_ratio) * strengths,
            self.fit_intercept,
            offset,
        )
        lower, upper = self._check_bounds(n_columns)
        return Composite(objective, self.l1_ratio * strengths, lower, upper)

    def _check_penalty_weights(self, n_columns):
        weights = check_array(
            self.penalty_weights,
            dtype=np.float64,
            ensure_2d=False,
            input_name="penalty_weights",
        )
        if weights.shape != (n_columns,) or np.any(weights < 0):
            raise ValueError(
                f"penalty_weights must be {n_columns} numbers that are not negative, "
                f"one for each feature; got an array of shape {weights.shape}."
            )
        return weights

    def _check_bounds(self, n_columns):
        """Lower and upper bounds of all coefficients; the intercept has none."""
        bounds = (-np.inf, np.inf) if self.bounds is None else self.bounds
        if len(bounds) != 2:
            raise ValueError(
                f"bounds must be a pair (lower, upper), got {len(bounds)} values."
            )
        arrays = []
        for bound, free in zip(bounds, (-np.inf, np.inf), strict=True):
            bound = np.asarray(bound, dtype=np.float64)
            if bound.shape not in ((), (1,), (n_columns,)) or np.any(np.isnan(bound)):
                raise ValueError(
                    f"bounds must be numbers or arrays of shape ({n_columns},) without "
                    f"NaN, got an array of shape {bound.shape}."
                )
            of_columns = np.broadcast_to(bound, (n_columns,))
            arrays.append(np.append(of_columns, [free] * bool(self.fit_intercept)))
        if np.any(arrays[0] > arrays[1]):
            raise ValueError("bounds must have no lower bound above the upper one.")
        return arrays

    def _find_start(self, objective):
        """(coefficients to start from, whether they are of an earlier fit)."""
        if self.warm_start and hasattr(self, "coef_"):
            coef = np.asarray(self.coef_, dtype=np.float64)
            if self.fit_intercept:
                coef = np.append(coef, self.intercept_)
            return coef, True
        coef = objective.start()
        if self.fit_intercept:
            coef[-1] = objective.family.start(
                objective.y, objective.weights, objective.offset
            )
        if isinstance(objective.family, TweedieIdentity):
            coef = _find_positive_start(objective, coef)
        return coef, False

    def _warn(self, end):
        """Warn of singular matrices and of fits that did not converge."""
        if end.is_singular and self.solver == "newton-cholesky":
            warnings.warn(
                "The inner solver of NewtonCholeskySolver stumbled upon a singular or "
                "very ill-conditioned Hessian matrix. Of all coefficients that fit "
                "equally well it takes those of least norm. Possible remedies are "
                "removing collinear features of X or increasing the penalization "
                "strengths.",
                LinAlgWarning,
                stacklevel=3,
            )
        if end.is_converged:
            return
        names = {
            "lbfgs": "lbfgs failed to converge",
            "newton-cholesky": "Newton solver did not converge",
        }
        remedy = "Rounding errors forbid more: scale the data, or increase tol."
        if end.n_iter >= self.max_iter:
            remedy = (
                "Increase the number of iterations to improve the convergence "
                f"(max_iter={self.max_iter}).\nYou might also want to scale the data "
                "as shown in:\n"
                "    https://scikit-learn.org/stable/modules/preprocessing.html"
            )
        warnings.warn(
            f"{names[self.solver]} after {end.n_iter} iterations.\n{remedy}",
            ConvergenceWarning,
            stacklevel=3,
        )

    def predict(self, X, *, offset=None):
        """Predict the mean of the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        offset : array-like of shape (n_samples,), default=None
            What is added to the linear predictor of each row.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Means.
        """
        raw = compute_raw_predictions(self, X)
        dtype = raw.dtype
        if offset is not None:
            raw = raw + _check_offset(offset, raw)
        return self._make_family().inverse_link(raw).astype(dtype, copy=False)

    def score(self, X, y, sample_weight=None, *, offset=None):
        """The share D^2 of the deviance that the model explains.

        It is 1 - D(y, predictions) / D(y, mean), with the deviance D of the family; R^2
        where that is the squared error. At most 1; a constant mean has 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        offset : array-like of shape (n_samples,), default=None
            What is added to the linear predictor of each row, also of the model without
            features.

        Returns
        -------
        score : float
        """
        raw = compute_raw_predictions(self, X).astype(np.float64)
        y = check_array(y, dtype=np.float64, order="C", ensure_2d=False, input_name="y")
        check_consistent_length(y, raw)
        family = self._check_target(y)
        weights = make_weights(sample_weight, raw)
        weights = weights / np.sum(weights)
        offset = _check_offset(offset, raw)
        null = np.full(len(y), family.start(y, weights, offset))
        if offset is not None:
            raw = raw + offset
            null += offset
        least = np.sum(weights * family.compute_saturated_losses(y))
        loss, _, _ = family.evaluate(y, np.ascontiguousarray(raw), weights)
        null_loss, _, _ = family.evaluate(y, null, weights)
        return float(1.0 - (loss - least) / (null_loss - least))


def _check_offset(offset, rows):
    """The offsets as an array of float64, None if there are none."""
    if offset is None:
        return None
    offset = check_array(offset, dtype=np.float64, ensure_2d=False, input_name="offset")
    if offset.shape != (rows.shape[0],):
        raise ValueError(
            f"offset must be one number a row, of shape ({rows.shape[0]},); got an "
            f"array of shape {offset.shape}."
        )
    return offset


def _find_positive_start(objective, coef):
    """Coefficients with positive raw predictions, which an identity link needs."""
    if np.isfinite(objective.evaluate(coef).value):
        return coef
    squares = GlmObjective(
        objective.design,
        SquaredError(),
        objective.y,
        objective.weights,
        objective.l2,
        objective.fit_intercept,
        objective.offset,
    )
    end = fit_glm(squares, coef, tol=1e-6, max_iter=100)
    if not np.isfinite(objective.evaluate(end.point.coef).value):
        raise ValueError(
            "With an identity link and this power the predictions of all rows must be "
            "positive, and no coefficients were found for which they are. Use "
            "link='log' or fit_intercept=True."
        )
    return end.point.coef


class PoissonRegressor(_GlmRegressor, _SklearnPoissonRegressor):
    __doc__ = _describe(
        "Generalised linear model of counts or frequencies.",
        """
        The link is logarithmic, h = exp, and the deviance [1]_ is
        d = 2 (y log(y / mu) - y + mu) for y >= 0.
        """,
        (_ALPHA, _PARAMETERS, CATEGORICAL_DOC),
        """
        TweedieRegressor : Any power of the mean as variance.
        sklearnx.ensemble.HistGradientBoostingRegressor : Boosting
            (``loss='poisson'``).
        """,
        """
        >>> import numpy as np
        >>> from sklearnx.linear_model import PoissonRegressor
        >>> X = np.array([[1, 2], [2, 3], [3, 4], [4, 3]])
        >>> y = np.array([12, 17, 22, 21])
        >>> model = PoissonRegressor(alpha=0.1).fit(X, y)
        >>> print(f"{model.score(X, y):.3f}")
        0.994
        >>> exposure = np.array([1.0, 2.0, 1.0, 2.0])
        >>> model = PoissonRegressor(alpha=0.1).fit(X, y, offset=np.log(exposure))
        >>> model.predict(X, offset=np.log(exposure)).shape
        (4,)
        """,
    )

    def _make_family(self):
        return Poisson()


class GammaRegressor(_GlmRegressor, _SklearnGammaRegressor):
    __doc__ = _describe(
        "Generalised linear model of positive targets, such as amounts.",
        """
        The link is logarithmic, h = exp, and the deviance [1]_ is
        d = 2 (log(mu / y) + y / mu - 1) for y > 0.
        """,
        (_ALPHA, _PARAMETERS, CATEGORICAL_DOC),
        """
        TweedieRegressor : Any power of the mean as variance.
        sklearnx.ensemble.HistGradientBoostingRegressor : Boosting (``loss='gamma'``).
        """,
        """
        >>> import numpy as np
        >>> from sklearnx.linear_model import GammaRegressor
        >>> X = np.array([[1, 2], [2, 3], [3, 4], [4, 3]])
        >>> y = np.array([19, 26, 33, 30])
        >>> model = GammaRegressor(alpha=0.01).fit(X, y)
        >>> print(f"{model.score(X, y):.3f}")
        0.994
        """,
    )

    def _make_family(self):
        return Gamma()


class TweedieRegressor(_GlmRegressor, _SklearnTweedieRegressor):
    __doc__ = _describe(
        "Generalised linear model whose variance is a power of the mean.",
        """
        The deviance [1]_ is, for a power p other than 0, 1 and 2,
        d = 2 (y^(2-p) / ((1-p) (2-p)) - y mu^(1-p) / (1-p) + mu^(2-p) / (2-p)), and its
        limit there: the squared error for 0, that of Poisson for 1, of the gamma
        distribution for 2.
        """,
        (
            """
            power : float, default=0.0
                The power p: 0 for normal, 1 for Poisson, between 1 and 2 for compound
                Poisson gamma (zeros and positive amounts), 2 for gamma, 3 for inverse
                Gaussian targets.
            """,
            _ALPHA,
            """
            link : {'auto', 'identity', 'log'}, default='auto'
                'log' takes h = exp, 'identity' h(f) = f; 'auto' the latter for powers
                of 0 and below.
            """,
            _PARAMETERS,
            CATEGORICAL_DOC,
        ),
        """
        PoissonRegressor : The same of power 1.
        GammaRegressor : The same of power 2.
        """,
        """
        >>> import numpy as np
        >>> from sklearnx.linear_model import TweedieRegressor
        >>> X = np.array([[1, 2], [2, 3], [3, 4], [4, 3]])
        >>> y = np.array([0, 3.5, 5, 5.5])
        >>> model = TweedieRegressor(power=1.5, alpha=0.01).fit(X, y)
        >>> print(f"{model.score(X, y):.3f}")
        0.539
        """,
    )

    _parameter_constraints: dict = {
        **_GlmRegressor._parameter_constraints,
        "power": [Interval(Real, None, None, closed="neither")],
        "link": [StrOptions({"auto", "identity", "log"})],
    }

    def __init__(
        self,
        *,
        power=0.0,
        alpha=1.0,
        fit_intercept=True,
        link="auto",
        solver="lbfgs",
        max_iter=100,
        tol=1e-4,
        warm_start=False,
        verbose=0,
        l1_ratio=0.0,
        penalty_weights=None,
        bounds=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            solver=solver,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            verbose=verbose,
            l1_ratio=l1_ratio,
            penalty_weights=penalty_weights,
            bounds=bounds,
            categorical_features=categorical_features,
            handle_unknown=handle_unknown,
        )
        self.power = power
        self.link = link

    def _make_family(self):
        return make_tweedie_family(self.power, self.link)
