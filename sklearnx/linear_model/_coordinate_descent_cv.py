"""Lasso and elastic nets whose penalty is chosen by cross-validation."""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Integral, Number, Real

import numpy as np
import sklearn
import sklearn.linear_model
from sklearn.model_selection import check_cv
from sklearn.utils import (
    check_random_state,
    check_scalar,
    column_or_1d,
)
from sklearn.utils.metadata_routing import process_routing

from sklearnx._compat import Interval, StrOptions, fit_context, raise_for_params
from sklearnx._glm.design import make_design
from sklearnx._glm.path_cv import choose, solve_folds
from sklearnx._glm.paths import PathSolver
from sklearnx._glm.rounded_columns import round_wide
from sklearnx._glm.samples import make_samples
from sklearnx._glm.tracks import Settings, Track, make_penalties, spread
from sklearnx.linear_model._coordinate_descent_data import (
    NO_PENALTY,
    NON_FINITE,
    contiguous,
    iteration_limit,
    normalise_weights,
    refuse_table,
    should_be_whole,
    validate_box,
    validate_factors,
    validate_table_and_targets,
    warn_of_non_convergence,
)
from sklearnx.linear_model._coordinate_descent_docs import document
from sklearnx.linear_model._coordinate_descent_paths import (
    enet_path,
    lasso_path,
    make_alphas,
)
from sklearnx.linear_model._folds import list_folds
from sklearnx.linear_model._frames import (
    CATEGORICAL_CONSTRAINTS,
    CategoricalColumnsMixin,
    choose_table_to_split,
)
from sklearnx.linear_model._prediction import LinearRegressorPrediction
from sklearnx.linear_model._regression_data import count_threads

_CONSTRAINTS = {
    "eps": [Interval(Real, 0, None, closed="neither")],
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "fit_intercept": ["boolean"],
    "precompute": [StrOptions({"auto"}), "array-like", "boolean"],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "copy_X": ["boolean"],
    "cv": ["cv_object"],
    "verbose": ["verbose"],
    "n_jobs": [Integral, None],
    "positive": ["boolean"],
    "random_state": ["random_state"],
    "selection": [StrOptions({"cyclic", "random"})],
    "penalty_weights": ["array-like", None],
    "bounds": [tuple, list, None],
    **CATEGORICAL_CONSTRAINTS,
}
_ONE_TARGET_ONLY = ("precompute", "positive", "penalty_weights", "bounds")
_JOINT_CONSTRAINTS = {
    name: value for name, value in _CONSTRAINTS.items() if name not in _ONE_TARGET_ONLY
}
_L1_RATIO = {"l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"]}


class _ElasticNetCVFit(LinearRegressorPrediction, CategoricalColumnsMixin):
    """Fit of the cross-validated estimators."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the penalty by cross-validation, then fit all rows with it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data, of float64 or float32; other numbers are converted. It is
            not changed. A wide table is copied once, rounded to float32, if the copy
            takes at most 512 MiB.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target; several for the multi-task estimators.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows in fits, and in the error of each fold. Folds count
            alike, whatever their weight.
        **params : dict
            Passed to the splitter by metadata routing, if that is enabled.

        Returns
        -------
        self : estimator
            The fitted estimator.
        """
        raise_for_params(params, self, "fit")
        table = X
        X, y, Y = self._validate(X, y, sample_weight)
        weights = normalise_weights(sample_weight, X)
        l1_ratios = np.atleast_1d(getattr(self, "l1_ratio", 1.0))
        self._check_alphas()
        check_random_state(self.random_state)
        table = choose_table_to_split(X, table)
        folds = self._split(table, y, sample_weight, params)

        design = make_design(contiguous(X), count_threads(X, self.n_jobs))
        whole = make_samples(design, Y, [weights], self.fit_intercept)[0]
        if not np.isfinite(whole.xty).all():
            refuse_table(self, X)
        settings = self._make_settings(design, len(folds))
        grids = self._make_grids(design, whole, l1_ratios, settings)
        rounded = None
        if not settings.is_whole:
            rounded = round_wide(design, whole.x_mean)
        solved_folds = []
        for l1_ratio, alphas in zip(l1_ratios, grids, strict=True):
            solved = solve_folds(
                design,
                Y,
                weights,
                self.fit_intercept,
                folds,
                alphas,
                l1_ratio,
                settings,
                rounded,
            )
            solved_folds.append(solved)
        tracks = [track for solved in solved_folds for track in solved.tracks]
        warn_of_non_convergence(tracks, self.tol, stacklevel=4)
        mse_paths = np.array([solved.errors for solved in solved_folds])
        best, i = choose(mse_paths)
        self.mse_path_ = np.squeeze(mse_paths)
        self.alpha_ = grids[best][i]
        if hasattr(self, "l1_ratio"):
            self.l1_ratio_ = l1_ratios[best]
        is_grid = isinstance(self.alphas, Integral) and len(l1_ratios) > 1
        self.alphas_ = np.asarray(grids) if is_grid else np.asarray(grids[0])
        if self.alpha_ == 0:
            warnings.warn(NO_PENALTY, stacklevel=2)
        start = solved_folds[best].find_median(i, design.n_columns)
        known = solved_folds[best].whole_set
        track = Track(
            whole, make_penalties([self.alpha_], l1_ratios[best], whole.total)
        )
        settings = replace(
            settings, sharpness=Settings.sharpness, gap_share=Settings.gap_share
        )
        PathSolver(design, [track], settings, known, [start], rounded=rounded).solve()
        warn_of_non_convergence([track], self.tol, stacklevel=4)
        self._take_over(track, X.dtype)
        return self

    def _validate(self, X, y, sample_weight):
        """Return X, y as scikit-learn's splitters get it, and targets as a matrix."""
        X, y = validate_table_and_targets(self, X, y, sample_weight)
        if self._is_multitask():
            if y.ndim == 1:
                raise ValueError(
                    f"For mono-task outputs, use {type(self).__name__[9:]}CV"
                )
        else:
            if y.ndim > 1 and y.shape[1] > 1:
                raise ValueError(
                    f"For multi-task outputs, use MultiTask{type(self).__name__}"
                )
            y = column_or_1d(y, warn=True)
        return X, y, y.reshape(len(y), -1).astype(np.float64)

    def _check_alphas(self):
        if isinstance(self.alphas, Integral):
            return
        for i, alpha in enumerate(self.alphas):
            check_scalar(
                alpha,
                f"alphas[{i}]",
                target_type=Real,
                min_val=0.0,
                include_boundaries="left",
            )

    def _split(self, X, y, sample_weight, params):
        """The (train, test) rows of each fold."""
        split_params = {}
        if sklearn.get_config()["enable_metadata_routing"]:
            if sample_weight is not None and not isinstance(sample_weight, Number):
                params = {**params, "sample_weight": sample_weight}
            split_params = process_routing(self, "fit", **params).splitter.split
        return list_folds(check_cv(self.cv), X, y, **split_params)

    def _make_settings(self, design, n_folds):
        n_features = design.n_columns
        n_steps = 100 if isinstance(self.alphas, Integral) else len(self.alphas)
        precompute = getattr(self, "precompute", "auto")
        factors = validate_factors(getattr(self, "penalty_weights", None), n_features)
        box = validate_box(
            getattr(self, "bounds", None), getattr(self, "positive", False), n_features
        )
        return Settings(
            tol=self.tol,
            max_iter=iteration_limit(self.max_iter),
            factors=factors,
            box=box,
            is_whole=should_be_whole(design, precompute, n_steps * n_folds),
            n_threads=design.n_threads,
            sharpness=1.0,
            gap_share=0.1,
        )

    def _make_grids(self, design, whole, l1_ratios, settings):
        """The alphas of each l1 ratio, from large to small."""
        if not isinstance(self.alphas, Integral):
            alphas = np.sort(np.asarray(self.alphas, dtype=np.float64))[::-1]
            return [alphas] * len(l1_ratios)
        return [
            make_alphas(design, whole, l1_ratio, self.eps, self.alphas, settings)
            for l1_ratio in l1_ratios
        ]

    def _take_over(self, track, dtype):
        """Set the attributes of the fit to all rows."""
        coef = spread(track, 0, track.working_set.design.n_columns)
        intercept = track.sample.intercept(coef)
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError(NON_FINITE)
        coef, intercept = coef.astype(dtype), intercept.astype(dtype)
        is_single = not self._is_multitask()
        self.coef_ = coef[0] if is_single else coef
        self.intercept_ = 0.0
        if self.fit_intercept:
            self.intercept_ = intercept[0] if is_single else intercept
        step = track.steps[0]
        self.dual_gap_ = dtype.type(step.gap / track.sample.total)
        self.n_iter_ = int(step.n_iter)


@document
class LassoCV(_ElasticNetCVFit, sklearn.linear_model.LassoCV):
    """Lasso whose penalty is chosen by cross-validation.

    The objective is that of :class:`Lasso`. All folds and penalties are solved side by
    side, so that the table is read a few times in all.

    Parameters
    ----------
    {eps}
    {alphas}
    {fit_intercept}
    {precompute_cv}
    {max_iter}
    {tol}
    {copy_X}
    {cv}
    {verbose_cv}
    {n_jobs}
    {positive_cv}
    {random_state}
    {selection}
    {penalty_weights}
    {bounds}
    {categorical_features}

    Attributes
    ----------
    {fitted_lasso_cv}
    {seen}

    See Also
    --------
    Lasso : For a given penalty.
    lasso_path : The coefficients for many penalties.
    ElasticNetCV : With an l2 penalty as well.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearnx.linear_model import LassoCV
    >>> X, y = make_regression(noise=4, random_state=0)
    >>> model = LassoCV(cv=5).fit(X, y)
    >>> round(model.score(X, y), 3)
    0.999
    """

    path = staticmethod(lasso_path)
    _parameter_constraints: dict = _CONSTRAINTS

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=1000,
        tol=1e-4,
        copy_X=True,
        cv=None,
        verbose=False,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="cyclic",
        penalty_weights=None,
        bounds=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.penalty_weights = penalty_weights
        self.bounds = bounds
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown


@document
class ElasticNetCV(_ElasticNetCVFit, sklearn.linear_model.ElasticNetCV):
    """Elastic net whose penalties are chosen by cross-validation.

    The objective is that of :class:`ElasticNet`. All folds and penalties are solved
    side by side, so that the table is read a few times in all.

    Parameters
    ----------
    {l1_ratio_cv}
    {eps}
    {alphas}
    {fit_intercept}
    {precompute_cv}
    {max_iter}
    {tol}
    {cv}
    {copy_X}
    {verbose_cv}
    {n_jobs}
    {positive_cv}
    {random_state}
    {selection}
    {penalty_weights}
    {bounds}
    {categorical_features}

    Attributes
    ----------
    l1_ratio_ : float
        The chosen share of the l1 penalty.
    {fitted_enet_cv}
    {seen}

    See Also
    --------
    ElasticNet : For given penalties.
    enet_path : The coefficients for many penalties.
    LassoCV : Without the l2 penalty.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearnx.linear_model import ElasticNetCV
    >>> X, y = make_regression(n_features=2, random_state=0)
    >>> model = ElasticNetCV(cv=5).fit(X, y)
    >>> round(float(model.alpha_), 3)
    0.199
    """

    path = staticmethod(enet_path)
    _parameter_constraints: dict = {**_CONSTRAINTS, **_L1_RATIO}

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=1000,
        tol=1e-4,
        cv=None,
        copy_X=True,
        verbose=0,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="cyclic",
        penalty_weights=None,
        bounds=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.penalty_weights = penalty_weights
        self.bounds = bounds
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown


@document
class MultiTaskElasticNetCV(
    _ElasticNetCVFit, sklearn.linear_model.MultiTaskElasticNetCV
):
    """Multi-task elastic net whose penalties are chosen by cross-validation.

    The objective is that of :class:`MultiTaskElasticNet`. All folds and penalties are
    solved side by side, so that the table is read a few times in all.

    Parameters
    ----------
    {l1_ratio_cv}
    {eps}
    {alphas}
    {fit_intercept}
    {max_iter}
    {tol}
    {cv}
    {copy_X}
    {verbose_cv}
    {n_jobs}
    {random_state}
    {selection}
    {categorical_features}

    Attributes
    ----------
    l1_ratio_ : float
        The chosen share of the l1/l2 penalty.
    {fitted_joint_enet_cv}
    {seen}

    See Also
    --------
    MultiTaskElasticNet : For given penalties.
    MultiTaskLassoCV : Without the squared penalty.
    ElasticNetCV : For one target.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearnx.linear_model import MultiTaskElasticNetCV
    >>> model = MultiTaskElasticNetCV(cv=3)
    >>> model.fit([[0, 0], [1, 1], [2, 2]], [[0, 0], [1, 1], [2, 2]]).coef_.shape
    (2, 2)
    """

    path = staticmethod(enet_path)
    _parameter_constraints: dict = {**_JOINT_CONSTRAINTS, **_L1_RATIO}

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-4,
        cv=None,
        copy_X=True,
        verbose=0,
        n_jobs=None,
        random_state=None,
        selection="cyclic",
        categorical_features=None,
        handle_unknown="error",
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.selection = selection
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown


@document
class MultiTaskLassoCV(_ElasticNetCVFit, sklearn.linear_model.MultiTaskLassoCV):
    """Multi-task lasso whose penalty is chosen by cross-validation.

    The objective is that of :class:`MultiTaskLasso`. All folds and penalties are solved
    side by side, so that the table is read a few times in all.

    Parameters
    ----------
    {eps}
    {alphas}
    {fit_intercept}
    {max_iter}
    {tol}
    {copy_X}
    {cv}
    {verbose_cv}
    {n_jobs}
    {random_state}
    {selection}
    {categorical_features}

    Attributes
    ----------
    {fitted_joint_lasso_cv}
    {seen}

    See Also
    --------
    MultiTaskLasso : For a given penalty.
    MultiTaskElasticNetCV : With a squared penalty as well.
    LassoCV : For one target.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearnx.linear_model import MultiTaskLassoCV
    >>> X, y = make_regression(n_targets=2, noise=4, random_state=0)
    >>> model = MultiTaskLassoCV(cv=5).fit(X, y)
    >>> round(model.score(X, y), 3)
    0.999
    """

    path = staticmethod(lasso_path)
    _parameter_constraints: dict = _JOINT_CONSTRAINTS

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-4,
        copy_X=True,
        cv=None,
        verbose=False,
        n_jobs=None,
        random_state=None,
        selection="cyclic",
        categorical_features=None,
        handle_unknown="error",
    ):
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.selection = selection
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown
