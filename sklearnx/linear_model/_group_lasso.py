"""Least squares in which groups of coefficients are zero together."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_array, column_or_1d

from sklearnx._compat import Interval, fit_context
from sklearnx._glm.design import make_design
from sklearnx._glm.group_descent import GroupProblem, number_groups
from sklearnx._glm.group_penalty import GroupPenalty
from sklearnx._threads import n_threads_for
from sklearnx.linear_model._folds import list_folds
from sklearnx.linear_model._frames import (
    CATEGORICAL_CONSTRAINTS,
    CategoricalColumnsMixin,
    document_categories,
    validate_table,
)
from sklearnx.linear_model._prediction import (
    LinearRegressorPrediction,
)
from sklearnx.linear_model._regression_data import validate_weights


def group_lasso_path(
    X,
    y,
    groups=None,
    *,
    l1_ratio=0.0,
    group_weights=None,
    eps=1e-3,
    alphas=100,
    sample_weight=None,
    fit_intercept=True,
    max_iter=1000,
    tol=1e-4,
):
    """Coefficients of the group lasso over a range of strengths.

    The objective is that of `GroupLasso`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training rows, float64 or float32. Not copied.

    y : array-like of shape (n_samples,)
        Target.

    groups : array-like of shape (n_features,) or list of array-like, default=None
        See `GroupLasso`.

    l1_ratio : float, default=0.0
        See `GroupLasso`.

    group_weights : array-like of shape (n_groups,), default=None
        See `GroupLasso`.

    eps : float, default=1e-3
        The smallest strength over the largest, where `alphas` is a number.

    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths, or how many there are: from the smallest one that leaves no
        coefficient down, in equal steps of the logarithm.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    fit_intercept : bool, default=True
        Whether there is an intercept.

    max_iter : int, default=1000
        Most sweeps over the groups for each strength.

    tol : float, default=1e-4
        See `GroupLasso`.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,), dtype float64
        Strengths, descending.

    coefs : ndarray of shape (n_features, n_alphas), dtype of X
        Coefficients.

    dual_gaps : ndarray of shape (n_alphas,), dtype float64
        Duality gap of each.

    See Also
    --------
    GroupLasso : The model for one strength.
    GroupLassoCV : The strength chosen by cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import group_lasso_path
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> y = X[:, 0] - X[:, 1]
    >>> _, coefs, _ = group_lasso_path(X, y, [0, 0, 1, 1], alphas=[0.5, 0.1])
    >>> (coefs != 0).astype(int)
    array([[1, 1],
           [1, 1],
           [0, 0],
           [0, 0]])
    """
    model = GroupLasso(
        groups,
        l1_ratio=l1_ratio,
        group_weights=group_weights,
        fit_intercept=fit_intercept,
        max_iter=max_iter,
        tol=tol,
    )
    problem, penalty, dtype, _ = model._read(X, y, sample_weight)
    alphas = _choose_alphas(alphas, eps, [problem], penalty)
    fits = _follow_path(problem, penalty, alphas, tol, max_iter)
    _warn_of_gaps(model, fits, problem)
    coefs = np.column_stack([fit.coef for fit in fits]).astype(dtype)
    return alphas, coefs, np.array([fit.dual_gap for fit in fits])


def _choose_alphas(alphas, eps, problems, penalty):
    """Return strengths in descending order."""
    if isinstance(alphas, Integral):
        largest = max(problem.find_alpha_max(penalty) for problem in problems)
        if largest <= np.finfo(np.float64).resolution:
            return np.full(alphas, np.finfo(np.float64).resolution)
        return np.geomspace(largest, largest * eps, alphas)
    alphas = check_array(alphas, ensure_2d=False, dtype=np.float64, input_name="alphas")
    alphas = column_or_1d(alphas)
    if (alphas < 0).any():
        raise ValueError("alphas must not be negative.")
    return np.sort(alphas)[::-1]


def _follow_path(problem, penalty, alphas, tol, max_iter):
    """Fit each strength from the coefficients of the one before."""
    fits, coef = [], None
    for alpha in alphas.tolist():
        fit = problem.solve(penalty.scale(alpha), coef, tol=tol, max_iter=max_iter)
        coef = fit.coef
        fits.append(fit)
    return fits


def _warn_of_gaps(estimator, fits, problem):
    """Warn where the duality gap is too large still."""
    fits = [fit for fit in fits if not fit.is_converged]
    if fits:
        largest = max(fit.dual_gap for fit in fits)
        warnings.warn(
            f"The group lasso did not converge in max_iter={estimator.max_iter} "
            f"sweeps: the duality gap is {largest:.3g}, above tol * mean(y**2) = "
            f"{estimator.tol * problem.y2:.3g}. Increase max_iter, scale the features "
            "or increase alpha.",
            ConvergenceWarning,
            stacklevel=3,
        )


class _GroupLassoBase(
    LinearRegressorPrediction, CategoricalColumnsMixin, RegressorMixin, BaseEstimator
):
    """What both estimators share: reading data, groups and their weights."""

    _parameter_constraints: dict = {
        "groups": ["array-like", None],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "group_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        **CATEGORICAL_CONSTRAINTS,
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _read(self, X, y, sample_weight):
        """Return the problem, the penalty of strength 1, dtype of coefficients, and y.

        Sets `groups_`.
        """
        X, y = validate_table(
            self,
            X,
            y,
            sample_weight,
            accept_sparse=["csr", "csc"],
            dtype=[np.float64, np.float32],
            y_numeric=True,
        )
        weights = validate_weights(sample_weight, X)
        n_threads = n_threads_for(X.shape[0] * X.shape[1])
        design = make_design(X, n_threads)
        labels, n_groups = self._label_groups()
        self.groups_ = labels
        y = np.ascontiguousarray(y, dtype=np.float64)
        problem = GroupProblem(design, y, labels, weights, self.fit_intercept)
        return problem, self._make_penalty(labels, n_groups), design.dtype, y

    def _label_groups(self):
        """Return the group of each coefficient, and how many there are."""
        names = getattr(self, "feature_names_in_", None)
        of_features, n_groups = label_groups(self.groups, self.n_features_in_, names)
        encoder = getattr(self, "_table_encoder", None)
        if encoder is None:
            return of_features, n_groups
        return of_features[encoder.features_of_coefs_], n_groups

    def _make_penalty(self, labels, n_groups):
        sizes = np.bincount(labels, minlength=n_groups)
        weights = np.sqrt(sizes)
        if self.group_weights is not None:
            weights = check_array(
                self.group_weights,
                ensure_2d=False,
                dtype=np.float64,
                input_name="group_weights",
            )
            if weights.shape != (n_groups,) or (weights < 0).any():
                raise ValueError(
                    "group_weights must hold a number for each of the "
                    f"{n_groups} groups, none negative; got an array of shape "
                    f"{weights.shape} with the minimum {weights.min(initial=0)}."
                )
        _, starts = number_groups(labels)
        return GroupPenalty(starts, (1.0 - self.l1_ratio) * weights, self.l1_ratio)

    def _store(self, fit, dtype):
        self.coef_ = fit.coef.astype(dtype)
        self.intercept_ = fit.intercept
        self.dual_gap_ = fit.dual_gap
        self.n_iter_ = fit.n_iter


def label_groups(groups, n_features, names=None):
    """Return the number of each feature's group, and how many groups there are.

    Parameters
    ----------
    groups : array-like of shape (n_features,), list of array-like, or None
        See `GroupLasso`.
    n_features : int
    names : ndarray of shape (n_features,) or None
        Of the features, which lists may use.
    """
    if groups is None:
        return np.arange(n_features), n_features
    if all(isinstance(group, (list, tuple, np.ndarray)) for group in groups):
        return _label_lists(groups, n_features, names)
    labels = np.asarray(groups)
    if labels.shape != (n_features,):
        raise ValueError(
            "groups must hold a label for each feature, or lists of features; got "
            f"{len(labels)} labels for {n_features} features."
        )
    distinct, labels = np.unique(labels, return_inverse=True)
    return labels.reshape(-1), len(distinct)


def _label_lists(groups, n_features, names):
    places = {} if names is None else {name: j for j, name in enumerate(names.tolist())}
    labels = np.full(n_features, -1)
    for number, group in enumerate(groups):
        for feature in np.asarray(group, dtype=object).ravel().tolist():
            place = places.get(feature, feature)
            if not isinstance(place, Integral) or not 0 <= place < n_features:
                raise ValueError(
                    f"groups has the feature {feature!r}, which is neither a position "
                    f"from 0 to {n_features - 1} nor the name of a feature."
                )
            if labels[place] >= 0:
                raise ValueError(
                    f"groups has the feature {feature!r} twice; groups may not overlap."
                )
            labels[place] = number
        if len(group) == 0:
            raise ValueError(f"groups has an empty group at position {number}.")
    if (labels < 0).any():
        left = np.flatnonzero(labels < 0)[:5].tolist()
        raise ValueError(
            f"groups must have every feature once; missing are, among others, {left}."
        )
    return labels, len(groups)


@document_categories
class GroupLasso(_GroupLassoBase):
    """Least squares in which groups of coefficients are zero together.

    Coefficients w and intercept c minimise

    .. math::

        \\frac{1}{2 \\sum_i s_i} \\sum_i s_i (y_i - x_i^T w - c)^2
        + \\alpha \\left( (1 - \\rho) \\sum_g v_g \\|w_g\\|_2
        + \\rho \\|w\\|_1 \\right),

    with sample weights s, groups g and their weights v, and the `l1_ratio`
    :math:`\\rho`: 0 is the group lasso [1]_, numbers between 0 and 1 are the sparse
    group lasso [2]_, which also has zeros within groups.

    Parameters
    ----------
    groups : array-like of shape (n_features,) or list of array-like, default=None
        A label for each feature, or a list of groups, each a list of positions or names
        of features. Every feature belongs to one group. None means that each feature is
        a group; that of a categorical feature has all its levels.

    alpha : float, default=1.0
        Strength of the penalty, at least 0.

    l1_ratio : float, default=0.0
        The share of the penalty of single coefficients, from 0 to 1.

    group_weights : array-like of shape (n_groups,), default=None
        Weights v of the groups, at least 0, in the order of the list, or of the sorted
        labels. None means the square root of the number of coefficients.

    fit_intercept : bool, default=True
        Whether there is an intercept c.

    max_iter : int, default=1000
        Most sweeps over the groups.

    tol : float, default=1e-4
        The solver stops when the duality gap is at most `tol` times the (weighted) mean
        of the squares of the target, centred if there is an intercept.

    warm_start : bool, default=False
        Whether `fit` starts from ``coef_`` of the last call.

    {categorical_features}

    Attributes
    ----------
    coef_ : ndarray of shape (n_coefs,), dtype of X
        Coefficients w: those of the features, or, where some are categorical, those of
        the numeric ones and then those of the levels, see `get_coef_names`.

    intercept_ : float
        Intercept c, 0.0 without one.

    groups_ : ndarray of shape (n_coefs,), dtype int64
        The number of each coefficient's group.

    dual_gap_ : float
        Duality gap: by how much the objective is above the minimum at most.

    n_iter_ : int
        Number of sweeps over groups.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    GroupLassoCV : The strength chosen by cross-validation.
    group_lasso_path : Coefficients over a range of strengths.
    Lasso : Every coefficient for itself.

    Notes
    -----
    Groups are minimised one at a time, exactly without an l1 part [3]_, with Anderson
    acceleration [4]_ and steps of Newton's method over the coefficients that are not
    zero. It works on the Gram matrix of all columns, or, where those are many, of a
    growing working set [5]_ of the groups that gap-safe rules [6]_ do not exclude.

    References
    ----------
    .. [1] M. Yuan, Y. Lin. "Model selection and estimation in regression with grouped
       variables". JRSS B 68 (2006), pages 49-67. Equation 2.1.
    .. [2] N. Simon, J. Friedman, T. Hastie, R. Tibshirani. "A sparse-group lasso".
       Journal of Computational and Graphical Statistics 22 (2013), pages 231-245.
    .. [3] Z. Qin, K. Scheinberg, D. Goldfarb. "Efficient block-coordinate descent
       algorithms for the group lasso". Mathematical Programming Computation 5 (2013).
    .. [4] Q. Bertrand, M. Massias. "Anderson acceleration of coordinate descent".
       AISTATS 2021.
    .. [5] M. Massias, A. Gramfort, J. Salmon. "Celer: a fast solver for the lasso with
       dual extrapolation". ICML 2018.
    .. [6] E. Ndiaye, O. Fercoq, A. Gramfort, J. Salmon. "GAP safe screening rules for
       sparse-group lasso". NIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import GroupLasso
    >>> X = np.random.default_rng(0).normal(size=(100, 6))
    >>> y = X[:, 2] - X[:, 3] + 5
    >>> model = GroupLasso(groups=[0, 0, 1, 1, 2, 2], alpha=0.1).fit(X, y)
    >>> (model.coef_ != 0).astype(int)
    array([0, 0, 1, 1, 0, 0])
    """

    _parameter_constraints: dict = {
        **_GroupLassoBase._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        groups=None,
        alpha=1.0,
        *,
        l1_ratio=0.0,
        group_weights=None,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.groups = groups
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.group_weights = group_weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix, frame} of shape (n_samples, n_features)
            Training rows. Not copied if of float64 or float32.

        y : array-like of shape (n_samples,)
            Target.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is the row twice.

        Returns
        -------
        self : GroupLasso
            The fitted estimator.
        """
        problem, penalty, dtype, _ = self._read(X, y, sample_weight)
        coef = None
        if self.warm_start and len(getattr(self, "coef_", ())) == len(self.groups_):
            coef = self.coef_
        fit = problem.solve(
            penalty.scale(self.alpha), coef, tol=self.tol, max_iter=self.max_iter
        )
        _warn_of_gaps(self, [fit], problem)
        self._store(fit, dtype)
        return self


@document_categories
class GroupLassoCV(_GroupLassoBase):
    """Group lasso whose strength is chosen by cross-validation.

    The objective is that of `GroupLasso`. For each fold one path over all strengths is
    followed; folds are weights of zero of the same table, which is not copied.

    Parameters
    ----------
    groups : array-like of shape (n_features,) or list of array-like, default=None
        See `GroupLasso`.

    l1_ratio : float, default=0.0
        The share of the penalty of single coefficients, from 0 to 1.

    group_weights : array-like of shape (n_groups,), default=None
        Weights of the groups, see `GroupLasso`.

    eps : float, default=1e-3
        The smallest strength over the largest, where `alphas` is a number.

    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths, or how many there are: from the smallest one that leaves no
        coefficient down, in equal steps of the logarithm.

    fit_intercept : bool, default=True
        Whether there is an intercept.

    max_iter : int, default=1000
        Most sweeps over the groups for each strength.

    tol : float, default=1e-4
        See `GroupLasso`.

    cv : int, cross-validation generator or iterable, default=None
        The folds; None means 5.

    n_jobs : int, default=None
        Folds that are fitted at once, on threads. None means 1, -1 all cores.

    {categorical_features}

    Attributes
    ----------
    alpha_ : float
        The chosen strength.

    alphas_ : ndarray of shape (n_alphas,), dtype float64
        All strengths, descending.

    mse_path_ : ndarray of shape (n_alphas, n_folds), dtype float64
        Mean squared error of the rows left out.

    coef_ : ndarray of shape (n_coefs,), dtype of X
        Coefficients, fitted to all rows.

    intercept_ : float
        Intercept, 0.0 without one.

    groups_ : ndarray of shape (n_coefs,), dtype int64
        The number of each coefficient's group.

    dual_gap_ : float
        Duality gap of the last fit.

    n_iter_ : int
        Number of sweeps over groups of the last fit.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    GroupLasso : The model for one strength.
    group_lasso_path : Coefficients over a range of strengths.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import GroupLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 6))
    >>> y = X[:, 2] - X[:, 3] + 0.1 * rng.normal(size=100)
    >>> model = GroupLassoCV(groups=[0, 0, 1, 1, 2, 2], alphas=20).fit(X, y)
    >>> bool(model.alpha_ < 0.1)
    True
    """

    _parameter_constraints: dict = {
        **_GroupLassoBase._parameter_constraints,
        "eps": [Interval(Real, 0, None, closed="neither")],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        groups=None,
        *,
        l1_ratio=0.0,
        group_weights=None,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-4,
        cv=None,
        n_jobs=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.group_weights = group_weights
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.n_jobs = n_jobs
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Choose the strength and fit the model to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, frame} of shape (n_samples, n_features)
            Training rows. Not copied if of float64 or float32.

        y : array-like of shape (n_samples,)
            Target.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0.

        Returns
        -------
        self : GroupLassoCV
            The fitted estimator.
        """
        problem, penalty, dtype, y = self._read(X, y, sample_weight)
        folds = list_folds(check_cv(self.cv), np.zeros((len(y), 1)), y)
        parts = [self._take_fold(problem, y, train) for train, _ in folds]
        self.alphas_ = _choose_alphas(self.alphas, self.eps, [problem], penalty)
        results = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._score_fold)(problem, part, y, test, penalty)
            for part, (_, test) in zip(parts, folds)
        )
        self.mse_path_ = np.column_stack([errors for errors, _ in results])
        fold_weights = None
        if problem.weights is not None:
            fold_weights = [problem.weights[test].sum() for _, test in folds]
        mean_errors = np.average(self.mse_path_, axis=1, weights=fold_weights)
        self.alpha_ = float(self.alphas_[np.argmin(mean_errors)])
        fit = problem.solve(
            penalty.scale(self.alpha_), tol=self.tol, max_iter=self.max_iter
        )
        _warn_of_gaps(
            self, [fit, *(fit for _, fits in results for fit in fits)], problem
        )
        self._store(fit, dtype)
        return self

    def _take_fold(self, problem, y, train):
        """Return the problem of some rows, as weights of all."""
        weights = np.bincount(train, minlength=len(y)).astype(np.float64)
        if problem.weights is not None:
            weights *= problem.weights
        if not weights.any():
            raise ValueError(
                "All training rows of a fold have zero sample_weight; use fewer folds."
            )
        return GroupProblem(
            problem.design, y, self.groups_, weights, self.fit_intercept
        )

    def _score_fold(self, problem, part, y, test, penalty):
        """Return the errors of the rows left out at each strength, and the fits."""
        fits = _follow_path(part, penalty, self.alphas_, self.tol, self.max_iter)
        coefs = np.column_stack([fit.coef for fit in fits])
        intercepts = np.array([fit.intercept for fit in fits])
        predicted = problem.design.take_rows(test).dot(coefs) + intercepts
        squares = (y[test, None] - predicted) ** 2
        if problem.weights is None:
            return squares.mean(axis=0), fits
        weights = problem.weights[test]
        total = weights.sum()
        errors = (weights[:, None] * squares).sum(axis=0)
        return errors / total if total > 0 else errors, fits
