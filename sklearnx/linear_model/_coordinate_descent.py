"""Lasso and elastic nets, of one target and of several, and their paths."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from numbers import Integral, Number, Real
from typing import ClassVar

import numpy as np
import sklearn.linear_model
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import validate_data

from sklearnx._compat import Hidden, Interval, StrOptions, fit_context, validate_params
from sklearnx._glm.design import make_design
from sklearnx._glm.paths import (
    PathSolver,
    Settings,
    Track,
    compute_alpha_max,
    make_penalties,
    spread,
)
from sklearnx._glm.penalties import ElasticNet as ElasticNetPenalty
from sklearnx._glm.samples import make_samples
from sklearnx._glm.working_set import use_known_gram
from sklearnx.linear_model._coordinate_descent_docs import document
from sklearnx.linear_model._prediction import LinearRegressorPrediction
from sklearnx.linear_model._regression_data import count_threads, validate_weights

FLOATS = [np.float64, np.float32]

# Tables of at most this many columns are worked on whole.
MAX_WHOLE_COLUMNS = 256

NON_CONVERGENCE = (
    "Objective did not converge. You might want to increase the number of iterations, "
    "check the scale of the features or consider increasing regularisation."
)
NO_L1 = (
    "Linear regression models with a zero l1 penalization strength are more "
    "efficiently fitted using one of the solvers implemented in "
    "sklearnx.linear_model.Ridge/RidgeCV instead."
)
NON_FINITE = (
    "Coordinate descent iterations resulted in non-finite parameter values. The input "
    "data may contain large values and need to be preprocessed."
)


def validate_table_and_targets(estimator, X, y):
    """Validate X and y, each for itself; whether X is finite, its sums tell later."""
    X, y = validate_data(
        estimator,
        X,
        y,
        validate_separately=(
            {
                "accept_sparse": ["csr", "csc"],
                "dtype": FLOATS,
                "ensure_all_finite": False,
            },
            {"dtype": FLOATS, "ensure_2d": False},
        ),
    )
    check_consistent_length(X, y)
    return X, y


def validate_table(estimator, X):
    """Refuse values that are not finite, which sums have shown to be in X or y."""
    validate_data(estimator, X, accept_sparse=["csr", "csc"], reset=False)
    raise ValueError(NON_FINITE)


def contiguous(X):
    """Dense tables in C or F order."""
    if sparse.issparse(X) or X.flags.c_contiguous or X.flags.f_contiguous:
        return X
    return np.ascontiguousarray(X)


def normalise_weights(sample_weight, X):
    """Weights that sum to the number of rows, None where all are equal."""
    if sample_weight is None or isinstance(sample_weight, Number):
        return None
    weights = validate_weights(sample_weight, X)
    return weights * (len(weights) / weights.sum())


def validate_factors(penalty_weights, n_features):
    """The factor of each coefficient's penalty."""
    if penalty_weights is None:
        return np.ones(n_features)
    factors = check_array(
        penalty_weights, dtype=np.float64, ensure_2d=False, input_name="penalty_weights"
    )
    if factors.shape != (n_features,):
        raise ValueError(
            f"penalty_weights has shape {factors.shape}, expected ({n_features},)."
        )
    if (factors < 0.0).any():
        raise ValueError("penalty_weights must not be negative.")
    return factors


def validate_box(bounds, positive, n_features):
    """Bounds of each coefficient (lower, upper), None where there are none."""
    if bounds is None and not positive:
        return None
    lower, upper = (-np.inf, np.inf) if bounds is None else bounds
    ends = []
    for name, bound in (("lower", lower), ("upper", upper)):
        end = np.asarray(bound, dtype=np.float64)
        if end.ndim > 1 or (end.ndim == 1 and end.shape != (n_features,)):
            raise ValueError(
                f"The {name} end of bounds must be a number or have shape "
                f"({n_features},), got {end.shape}."
            )
        if np.isnan(end).any():
            raise ValueError(f"The {name} end of bounds contains NaN.")
        ends.append(np.broadcast_to(end, n_features).copy())
    lower, upper = ends
    if positive:
        lower = np.maximum(lower, 0.0)
    if (lower > upper).any():
        raise ValueError("bounds has lower ends above the upper ones.")
    if np.isposinf(lower).any() or np.isneginf(upper).any():
        raise ValueError("bounds leave out all finite coefficients.")
    return lower, upper


def should_be_whole(design, precompute=False, n_steps=1):
    """Whether to work on all columns from the start.

    The Gram matrix of all columns costs as much as a few checks of a wide table, where
    columns are few; a path shares it.
    """
    n_columns = design.n_columns
    if precompute is True or n_columns <= MAX_WHOLE_COLUMNS:
        return True
    return n_steps > 1 and n_columns <= min(4 * MAX_WHOLE_COLUMNS, design.n_rows)


def check_given_gram(X, gram, x_mean, weights):
    """Compare one element of a user's Gram matrix with our own."""
    n_features = X.shape[1]
    if gram.shape != (n_features, n_features):
        raise ValueError(
            f"precompute has shape {gram.shape}, expected ({n_features}, {n_features})."
        )
    f1 = n_features // 2
    f2 = min(f1 + 1, n_features - 1)
    columns = [X[:, f].astype(np.float64) for f in (f1, f2)]
    if x_mean is not None:
        columns = [c - x_mean[f] for c, f in zip(columns, (f1, f2), strict=True)]
    product = columns[0] * columns[1]
    expected = float(np.sum(product if weights is None else product * weights))
    actual = gram[f1, f2]
    is_single = np.float32 in (X.dtype, gram.dtype)
    if not np.isclose(expected, actual, rtol=1e-4 if is_single else 1e-7, atol=1e-5):
        raise ValueError(
            "Gram matrix passed in via 'precompute' parameter "
            "did not pass validation when a single element was "
            "checked - please check that it was computed "
            f"properly. For element ({f1},{f2}) we computed "
            f"{expected} but the user-supplied value was "
            f"{actual}."
        )


def take_given_gram(X, precompute, x_mean, weights, check=True):
    """The user's Gram matrix if there is one and it can be used, else None."""
    if sparse.issparse(X) or not hasattr(precompute, "__array__"):
        return None
    gram = np.asarray(precompute)
    if x_mean is not None and not np.allclose(x_mean, 0.0):
        warnings.warn(
            "Gram matrix was provided but X was centered to fit "
            "intercept: recomputing Gram matrix.",
            UserWarning,
            stacklevel=4,
        )
        return None
    if check:
        check_given_gram(X, gram, x_mean, weights)
    return gram


def warn_of_non_convergence(tracks, tol, stacklevel):
    """Warn once, of the step that is furthest from converged."""
    worst = None
    for track in tracks:
        for step, penalty in zip(track.steps, track.penalties, strict=True):
            if not step.has_converged:
                limit = tol * track.sample.y_norm2
                if worst is None or step.gap - limit > worst[0]:
                    worst = step.gap - limit, step.gap, limit, penalty.l1
    if worst is None:
        return
    _, gap, limit, l1 = worst
    message = f"{NON_CONVERGENCE} Duality gap: {gap:.6e}, tolerance: {limit:.3e}"
    if l1 < np.finfo(np.float64).eps:
        message += "\n" + NO_L1
    warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)


def iteration_limit(max_iter):
    """None stands for a number that is not reached."""
    return np.iinfo(np.int64).max if max_iter is None else int(max_iter)


class _ElasticNetFit:
    """What the estimators of one penalty share."""

    def _solve(self, X, Y, sample_weight, check_input):
        """Solve for validated data; set the attributes.

        Y (n_samples, n_targets); targets are solved one by one, unless multi-task.
        """
        n_features = X.shape[1]
        is_joint = self._solves_jointly()
        weights = normalise_weights(sample_weight, X)
        factors = validate_factors(getattr(self, "penalty_weights", None), n_features)
        box = validate_box(
            getattr(self, "bounds", None), getattr(self, "positive", False), n_features
        )
        check_random_state(self.random_state)
        precompute = getattr(self, "precompute", False)
        design = make_design(contiguous(X), count_threads(X))
        Y = Y.astype(np.float64)
        blocks = [Y] if is_joint else [column[:, None] for column in Y.T]
        samples = [
            make_samples(design, block, [weights], self.fit_intercept)[0]
            for block in blocks
        ]
        if not all(np.isfinite(sample.xty).all() for sample in samples):
            validate_table(self, X)
        gram = take_given_gram(X, precompute, samples[0].x_mean, weights, check_input)
        settings = Settings(
            tol=self.tol,
            max_iter=iteration_limit(self.max_iter),
            factors=factors,
            box=box,
            is_whole=should_be_whole(design, precompute) or gram is not None,
            n_threads=design.n_threads,
        )
        total = samples[0].total
        tracks = [
            Track(sample, make_penalties([self.alpha], self.l1_ratio, total))
            for sample in samples
        ]
        known = None if gram is None else use_known_gram(design, samples, gram)
        coefs = self._starting_coefs(len(blocks), Y.shape[1], n_features)
        PathSolver(design, tracks, settings, known, coefs).solve()
        warn_of_non_convergence(tracks, self.tol, stacklevel=5)
        steps = [track.steps[0] for track in tracks]
        coef = np.concatenate([spread(track, 0, n_features) for track in tracks])
        intercept = np.concatenate(
            [
                sample.intercept(block)
                for sample, block in zip(
                    samples, [coef] if is_joint else coef[:, None], strict=True
                )
            ]
        )
        gaps = np.array([step.gap / total for step in steps]).astype(X.dtype)
        n_iters = [int(step.n_iter) for step in steps]
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError(NON_FINITE)
        return coef.astype(X.dtype), intercept.astype(X.dtype), gaps, n_iters

    def _starting_coefs(self, n_blocks, n_targets, n_features):
        """Coefficients (n_targets, n_features) of each block to start from, or None."""
        if not self.warm_start or not hasattr(self, "coef_"):
            return None
        coef = np.asarray(self.coef_, dtype=np.float64).reshape(-1, n_features)
        if len(coef) != n_targets or not np.isfinite(coef).all():
            return None
        return [coef] if n_blocks == 1 else list(coef[:, None])


@document
class ElasticNet(
    LinearRegressorPrediction, _ElasticNetFit, sklearn.linear_model.ElasticNet
):
    """Linear least squares with an l1 and a squared l2 penalty.

    Minimises

    .. math::

        \\frac{1}{2 n} \\|y - X w - b\\|_2^2 + \\alpha \\rho \\|w\\|_1
        + \\frac{\\alpha (1 - \\rho)}{2} \\|w\\|_2^2

    over the coefficients w and the intercept b, :math:`\\rho` being `l1_ratio`.

    {how}

    Parameters
    ----------
    {alpha}
    {l1_ratio}
    {fit_intercept}
    {precompute}
    {max_iter}
    {copy_X}
    {tol}
    {warm_start}
    {positive}
    {random_state}
    {selection}
    {penalty_weights}
    {bounds}

    Attributes
    ----------
    {fitted}
    {fitted_single}
    {seen}

    See Also
    --------
    Lasso : The same without the l2 penalty.
    ElasticNetCV : Chooses `alpha` and `l1_ratio` by cross-validation.
    MultiTaskElasticNet : Several targets that share their features.
    Ridge : The l2 penalty alone, solved directly.

    Notes
    -----
    {stopping}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearnx.linear_model import ElasticNet
    >>> X, y = make_regression(n_features=2, random_state=0)
    >>> model = ElasticNet(alpha=1.0).fit(X, y)
    >>> model.coef_.round(3)
    array([18.838, 64.56 ])
    >>> model.predict([[0, 0]]).round(3)
    array([1.451])
    """

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "precompute": ["boolean", "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "selection": [StrOptions({"cyclic", "random"})],
        "penalty_weights": ["array-like", None],
        "bounds": [tuple, list, None],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        precompute=False,
        max_iter=1000,
        copy_X=True,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
        penalty_weights=None,
        bounds=None,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.penalty_weights = penalty_weights
        self.bounds = bounds

    @staticmethod
    def path(*args, **kwargs):
        """Compute the elastic net path; see :func:`enet_path`."""
        return enet_path(*args, **kwargs)

    def _solves_jointly(self):
        return False

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, check_input=True):
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data, of float64 or float32; other numbers are converted. It is
            neither copied nor changed.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. Several are fitted one by one.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, of which only ratios matter. A number is no weights.
        check_input : bool, default=True
            Whether to validate `X` and `y`. If not, they must be arrays of floats.

        Returns
        -------
        self : ElasticNet
            The fitted estimator.
        """
        if self.alpha == 0:
            warnings.warn(
                "With alpha=0, this algorithm does not converge "
                "well. You are advised to use the LinearRegression "
                "estimator",
                stacklevel=3,
            )
        if check_input:
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse=["csr", "csc"],
                dtype=FLOATS,
                multi_output=True,
                y_numeric=True,
                ensure_all_finite=False,
            )
        Y = np.asarray(y)
        is_single = Y.ndim == 1 or Y.shape[1] == 1
        coef, intercept, gaps, n_iters = self._solve(
            X, Y.reshape(len(Y), -1), sample_weight, check_input
        )
        self.coef_, self.dual_gap_, self.n_iter_ = coef, gaps, n_iters
        if is_single:
            self.coef_, self.dual_gap_, self.n_iter_ = coef[0], gaps[0], n_iters[0]
        self.intercept_ = 0.0
        if self.fit_intercept:
            self.intercept_ = intercept[0] if Y.ndim == 1 else intercept
        return self


@document
class Lasso(ElasticNet, sklearn.linear_model.Lasso):
    """Linear least squares with an l1 penalty, which sets coefficients to zero.

    Minimises

    .. math::

        \\frac{1}{2 n} \\|y - X w - b\\|_2^2 + \\alpha \\|w\\|_1

    over the coefficients w and the intercept b.

    {how}

    Parameters
    ----------
    {alpha}
    {fit_intercept}
    {precompute}
    {copy_X}
    {max_iter}
    {tol}
    {warm_start}
    {positive}
    {random_state}
    {selection}
    {penalty_weights}
    {bounds}

    Attributes
    ----------
    {fitted}
    {fitted_single}
    {seen}

    See Also
    --------
    LassoCV : Chooses `alpha` by cross-validation.
    ElasticNet : With an l2 penalty as well.
    lasso_path : The coefficients for many values of `alpha`.
    MultiTaskLasso : Several targets that share their features.

    Notes
    -----
    {stopping}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearnx.linear_model import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0, 0], [1, 1], [2, 2]], [0, 1, 2])
    >>> model.coef_
    array([0.85, 0.  ])
    >>> round(float(model.intercept_), 6)
    0.15
    """

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in ElasticNet._parameter_constraints.items()
        if name != "l1_ratio"
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        precompute=False,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
        penalty_weights=None,
        bounds=None,
    ):
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            penalty_weights=penalty_weights,
            bounds=bounds,
        )


class _CheckInputRequest:
    """A last base, for scikit-learn's ElasticNet takes `check_input` off what metadata
    fit may request, also where fit has no such parameter.
    """

    __metadata_request__fit: ClassVar[dict] = {"check_input": None}


@document
class MultiTaskElasticNet(
    ElasticNet, sklearn.linear_model.MultiTaskElasticNet, _CheckInputRequest
):
    """Least squares of several targets with an l1/l2 and a squared l2 penalty.

    Minimises

    .. math::

        \\frac{1}{2 n} \\|Y - X W - b\\|_F^2 + \\alpha \\rho \\sum_j \\|W_j\\|_2
        + \\frac{\\alpha (1 - \\rho)}{2} \\|W\\|_F^2

    where :math:`W_j` are the coefficients of feature j for all targets, which are zero
    together, and :math:`\\rho` is `l1_ratio`.

    {how}

    Parameters
    ----------
    {alpha}
    {l1_ratio}
    {fit_intercept}
    {copy_X}
    {max_iter}
    {tol}
    {warm_start}
    {random_state}
    {selection}

    Attributes
    ----------
    {fitted_joint}
    {seen}

    See Also
    --------
    MultiTaskLasso : The same without the squared penalty.
    MultiTaskElasticNetCV : Chooses `alpha` and `l1_ratio` by cross-validation.
    ElasticNet : Fits several targets one by one.

    Notes
    -----
    {stopping}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearnx.linear_model import MultiTaskElasticNet
    >>> model = MultiTaskElasticNet(alpha=0.1)
    >>> model.fit([[0, 0], [1, 1], [2, 2]], [[0, 0], [1, 1], [2, 2]])
    MultiTaskElasticNet(alpha=0.1)
    >>> model.intercept_.round(3)
    array([0.087, 0.087])
    """

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in ElasticNet._parameter_constraints.items()
        if name not in ("precompute", "positive", "penalty_weights", "bounds")
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection

    def _solves_jointly(self):
        return True

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data, of float64 or float32; other numbers are converted. It is
            neither copied nor changed.
        y : array-like of shape (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, of which only ratios matter. A number is no weights.

        Returns
        -------
        self : MultiTaskElasticNet
            The fitted estimator.
        """
        X, y = validate_table_and_targets(self, X, y)
        if y.ndim == 1:
            name = "ElasticNet" if hasattr(self, "l1_ratio") else "Lasso"
            raise ValueError(f"For mono-task outputs, use {name}")
        coef, intercept, gaps, n_iters = self._solve(X, y, sample_weight, True)
        self.coef_, self.dual_gap_, self.n_iter_ = coef, gaps[0], n_iters[0]
        self.intercept_ = intercept if self.fit_intercept else 0.0
        return self


@document
class MultiTaskLasso(MultiTaskElasticNet, sklearn.linear_model.MultiTaskLasso):
    """Least squares of several targets with an l1/l2 penalty.

    Minimises

    .. math::

        \\frac{1}{2 n} \\|Y - X W - b\\|_F^2 + \\alpha \\sum_j \\|W_j\\|_2

    where :math:`W_j` are the coefficients of feature j for all targets, which are zero
    together.

    {how}

    Parameters
    ----------
    {alpha}
    {fit_intercept}
    {copy_X}
    {max_iter}
    {tol}
    {warm_start}
    {random_state}
    {selection}

    Attributes
    ----------
    {fitted_joint}
    {seen}

    See Also
    --------
    MultiTaskLassoCV : Chooses `alpha` by cross-validation.
    MultiTaskElasticNet : With a squared penalty as well.
    Lasso : Fits several targets one by one.

    Notes
    -----
    {stopping}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearnx.linear_model import MultiTaskLasso
    >>> model = MultiTaskLasso(alpha=0.1)
    >>> model.fit([[0, 1], [1, 2], [2, 4]], [[0, 0], [1, 1], [2, 3]])
    MultiTaskLasso(alpha=0.1)
    >>> model.intercept_.round(3)
    array([-0.419, -0.874])
    """

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in MultiTaskElasticNet._parameter_constraints.items()
        if name != "l1_ratio"
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.l1_ratio = 1.0
        self.random_state = random_state
        self.selection = selection


_PATH_CONSTRAINTS = {
    "X": ["array-like", "sparse matrix"],
    "y": ["array-like", "sparse matrix"],
    "eps": [Interval(Real, 0, None, closed="neither")],
    "n_alphas": [
        Interval(Integral, 1, None, closed="left"),
        Hidden(StrOptions({"deprecated"})),
    ],
    "alphas": [
        Interval(Integral, 1, None, closed="left"),
        "array-like",
        None,
        Hidden(StrOptions({"warn"})),
    ],
    "precompute": [StrOptions({"auto"}), "boolean", "array-like"],
    "Xy": ["array-like", None],
    "copy_X": ["boolean"],
    "coef_init": ["array-like", None],
    "verbose": ["verbose"],
    "return_n_iter": ["boolean"],
    "positive": ["boolean"],
}


def _resolve_alphas(alphas, n_alphas):
    """The number or list of alphas, after the deprecations of scikit-learn 1.9."""
    resolved = 100
    if n_alphas != "deprecated":
        warnings.warn(
            "'n_alphas' was deprecated in 1.9 and will be removed in 1.11. "
            "'alphas' now accepts an integer value which removes the need to pass "
            "'n_alphas'. The default value of 'alphas' will change from None to "
            "100 in 1.11. Pass an explicit value to 'alphas' and leave 'n_alphas' "
            "to its default value to silence this warning.",
            FutureWarning,
            stacklevel=4,
        )
        resolved = n_alphas
    if isinstance(alphas, str) and alphas == "warn":
        return resolved
    if alphas is None:
        warnings.warn(
            "'alphas=None' is deprecated and will be removed in 1.11, at which "
            "point the default value will be set to 100. Set 'alphas=100' "
            "to silence this warning.",
            FutureWarning,
            stacklevel=4,
        )
        return resolved
    return alphas


@document
@validate_params(_PATH_CONSTRAINTS, prefer_skip_nested_validation=True)
def lasso_path(
    X,
    y,
    *,
    eps=1e-3,
    n_alphas="deprecated",
    alphas="warn",
    precompute="auto",
    Xy=None,
    copy_X=True,
    coef_init=None,
    verbose=False,
    return_n_iter=False,
    positive=False,
    **params,
):
    """Compute the coefficients of the lasso for many penalties.

    For one target, minimises :math:`\\frac{1}{2 n} \\|y - X w\\|_2^2 + \\alpha
    \\|w\\|_1`, for several the objective of `MultiTaskLasso`; there is no intercept.

    Parameters
    ----------
    {path_data}
    {path_grid}
    {path_rest}

    Returns
    -------
    {path_results}

    See Also
    --------
    enet_path : With an l2 penalty as well.
    Lasso : For one penalty.
    LassoCV : Chooses the penalty by cross-validation.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import lasso_path
    >>> X = np.array([[1, 2, 3.1], [2.3, 5.4, 4.3]]).T
    >>> alphas, coefs, gaps = lasso_path(X, [1, 2, 3.1], alphas=[5.0, 1.0, 0.5])
    >>> coefs.round(3)
    array([[0.   , 0.   , 0.469],
           [0.216, 0.443, 0.237]])
    """
    return _solve_path(
        X,
        y,
        1.0,
        eps,
        _resolve_alphas(alphas, n_alphas),
        precompute,
        Xy,
        coef_init,
        verbose,
        return_n_iter,
        positive,
        True,
        params,
    )


@document
@validate_params(
    {
        **_PATH_CONSTRAINTS,
        "l1_ratio": [Interval(Real, 0.0, 1.0, closed="both")],
        "check_input": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def enet_path(
    X,
    y,
    *,
    l1_ratio=0.5,
    eps=1e-3,
    n_alphas="deprecated",
    alphas="warn",
    precompute="auto",
    Xy=None,
    copy_X=True,
    coef_init=None,
    verbose=False,
    return_n_iter=False,
    positive=False,
    check_input=True,
    **params,
):
    """Compute the coefficients of the elastic net for many penalties.

    Minimises the objective of `ElasticNet` for one target, of `MultiTaskElasticNet` for
    several; there is no intercept.

    Parameters
    ----------
    {path_data}
    {l1_ratio}
    {path_grid}
    {path_rest}
    check_input : bool, default=True
        Whether to validate `X`, `y` and a Gram matrix. If not, they must be arrays of
        floats.
    {path_params}

    Returns
    -------
    {path_results}

    See Also
    --------
    lasso_path : Without the l2 penalty.
    ElasticNet : For one penalty.
    ElasticNetCV : Chooses the penalty by cross-validation.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearnx.linear_model import enet_path
    >>> X, y = make_regression(
    ...     n_samples=100, n_features=5, n_informative=2, random_state=0
    ... )
    >>> alphas, coefs, gaps = enet_path(X, y, alphas=3)
    >>> coefs.shape
    (5, 3)
    """
    return _solve_path(
        X,
        y,
        l1_ratio,
        eps,
        _resolve_alphas(alphas, n_alphas),
        precompute,
        Xy,
        coef_init,
        verbose,
        return_n_iter,
        positive,
        check_input,
        params,
    )


def _solve_path(
    X, y, l1_ratio, eps, alphas, precompute, Xy, coef_init, verbose, return_n_iter,
    positive, check_input, params,
):  # fmt: skip
    """Solve a path of validated parameters; see `enet_path`."""
    offset = params.pop("X_offset", None)
    params.pop("X_scale", None)
    sample_weight = params.pop("sample_weight", None)
    tol = params.pop("tol", 1e-4)
    max_iter = params.pop("max_iter", 1000)
    check_random_state(params.pop("random_state", None))
    selection = params.pop("selection", "cyclic")
    params.pop("do_screening", True)
    if params:
        raise ValueError("Unexpected parameters in params", params.keys())
    if selection not in ["random", "cyclic"]:
        raise ValueError("selection should be either random or cyclic.")
    if check_input:
        X = check_array(X, accept_sparse=["csr", "csc"], dtype=FLOATS)
        y = check_array(y, accept_sparse="csc", dtype=X.dtype.type, ensure_2d=False)
        check_consistent_length(X, y)
    Y = y.toarray() if sparse.issparse(y) else np.asarray(y)
    is_multiple = Y.ndim != 1
    if is_multiple and positive:
        raise ValueError("positive=True is not allowed for multi-output (y.ndim != 1)")
    Y = Y.reshape(len(Y), -1).astype(np.float64)
    weights = normalise_weights(sample_weight, X)

    design = make_design(contiguous(X), count_threads(X))
    n_features = design.n_columns
    sample = make_samples(design, Y, [weights], fit_intercept=False)[0]
    if offset is not None and sparse.issparse(X):
        _shift(sample, np.asarray(offset, dtype=np.float64))
    gram = take_given_gram(X, precompute, None, weights, check_input)
    if gram is not None and Xy is not None:
        sample.xty = np.array(Xy, dtype=np.float64).reshape(n_features, -1)

    n_alphas = alphas if isinstance(alphas, Integral) else len(alphas)
    settings = Settings(
        tol=tol,
        max_iter=iteration_limit(max_iter),
        factors=np.ones(n_features),
        box=validate_box(None, positive, n_features),
        is_whole=gram is not None or should_be_whole(design, precompute, n_alphas),
        n_threads=design.n_threads,
    )
    if isinstance(alphas, Integral):
        alphas = make_alphas(design, sample, l1_ratio, eps, alphas, settings)
    else:
        alphas = np.sort(np.asarray(alphas))[::-1]
    track = Track(sample, make_penalties(alphas, l1_ratio, sample.total))
    known = None if gram is None else use_known_gram(design, [sample], gram)
    coefs = None
    if coef_init is not None:
        coefs = [np.asarray(coef_init, dtype=np.float64).reshape(-1, n_features)]
    PathSolver(design, [track], settings, known, coefs).solve()
    warn_of_non_convergence([track], tol, stacklevel=4)

    coefs = np.stack(
        [spread(track, i, n_features) for i in range(len(alphas))], axis=-1
    )
    coefs = coefs.astype(X.dtype)
    gaps = np.array([step.gap / sample.total for step in track.steps])
    if verbose:
        _report(alphas, track.steps, verbose)
    results = alphas, coefs if is_multiple else coefs[0], gaps
    return (
        (*results, [int(s.n_iter) for s in track.steps]) if return_n_iter else results
    )


def _shift(sample, offset):
    """Let a sample count its columns less an offset."""
    sample.x_mean = offset
    weighted = sample.apply_weights(sample.y)
    sample.xty = sample.xty - offset[:, None] * weighted.sum(axis=0)


def _report(alphas, steps, verbose):
    """Tell of a path on stderr, a line an alpha from verbose=2 on."""
    if verbose < 2:
        sys.stderr.write("." * len(steps))
        return
    for i, (alpha, step) in enumerate(zip(alphas, steps, strict=True)):
        sys.stderr.write(
            f"Path: {i:03d} out of {len(steps):03d}, alpha {alpha:.6g}, "
            f"{step.n_iter} iterations, duality gap {step.gap:.3e}\n"
        )


def make_alphas(design, sample, l1_ratio, eps, n_alphas, settings):
    """A geometric grid from the smallest alpha at which all coefficients are zero.

    Those without a penalty are fitted.
    """
    if l1_ratio == 0:
        raise ValueError(
            "Automatic alpha grid generation is not supported for"
            " l1_ratio=0. Please supply a grid by providing "
            "your estimator with the appropriate `alphas=` "
            "argument."
        )
    correlations = sample.xty
    if (settings.factors == 0.0).any():
        track = Track(
            sample, [ElasticNetPenalty(1e3 * float(np.abs(sample.xty).max()))]
        )
        PathSolver(design, [track], replace(settings, tol=1e-8, is_whole=False)).solve()
        correlations = track.correlations
    is_positive = settings.box is not None and not (settings.box[0] < 0.0).any()
    alpha_max = compute_alpha_max(correlations, settings.factors, is_positive)
    alpha_max /= sample.total * l1_ratio
    resolution = np.finfo(np.float64).resolution
    if alpha_max <= resolution:
        return np.full(n_alphas, resolution)
    return np.geomspace(alpha_max, alpha_max * eps, num=n_alphas)
