"""Logistic regression whose penalty is found by cross-validation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from numbers import Integral, Number

import numpy as np
from sklearn.linear_model import LogisticRegressionCV as _SklearnLogisticRegressionCV
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import process_routing

from sklearnx._compat import (
    Interval,
    StrOptions,
    check_sample_weight,
    fit_context,
    raise_for_params,
    routing_enabled,
)
from sklearnx.linear_model._class_rows import encode_labels, weigh_rows
from sklearnx.linear_model._fold_scores import FoldScorer
from sklearnx.linear_model._folds import list_folds
from sklearnx.linear_model._frames import (
    choose_table_to_split,
    document_categories,
    validate_table,
)
from sklearnx.linear_model._logistic import (
    PENALTY_DEPRECATED,
    SMALL_INDEX_SOLVERS,
    LogisticRegression,
    check_liblinear,
    check_solver,
    find_l1_ratio,
    make_problem,
    warn_about_fit,
)


@dataclass
class _Grid:
    """What cross-validation found, over folds, ratios and Cs.

    Attributes
    ----------
    coefs : ndarray of shape (n_folds, n_l1_ratios, n_Cs, n_outputs, n_coefs)
    scores : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        NaN until they are known.
    n_iter : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
    starts : dict
        Coefficients near to those of all rows, by the positions of ratio and C, where
        there are any.
    """

    coefs: np.ndarray
    scores: np.ndarray
    n_iter: np.ndarray
    starts: dict = field(default_factory=dict)


def _weigh_folds(weights, folds):
    """The weights of the rows in each fold's training rows (n_rows, n_folds)."""
    rows = np.arange(len(weights))
    counts = [np.bincount(rows[train], minlength=len(rows)) for train, _ in folds]
    return weights[:, None] * np.stack(counts, axis=1)


@document_categories
class LogisticRegressionCV(LogisticRegression, _SklearnLogisticRegressionCV):
    """Logistic regression with `C` and `l1_ratio` found by cross-validation.

    For each fold and each ratio, the model of the rows outside the fold is fitted for
    one C after another, each from the coefficients of the one before, and scored on the
    rows of the fold. The pair with the best mean score is then fitted to all rows.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,), default=10
        Inverse strengths of the penalty to try. A number takes so many from 1e-4 to
        1e4, equally spaced on a logarithmic scale.

    l1_ratios : array-like of shape (n_l1_ratios,) or None, default='warn'
        Shares of the l1 penalty to try, from 0 to 1. None stands for 0 and is
        deprecated.

    fit_intercept : bool, default=True
        Whether there are intercepts.

    cv : int, cross-validation generator or iterable, default=None
        Number of stratified folds (None for 5), or what makes the folds.

    dual : bool, default=False
        Accepted with ``solver='liblinear'`` and a ridge penalty. The optimum is the
        same.

    penalty : {'l1', 'l2', 'elasticnet'}, default='deprecated'
        Deprecated: `l1_ratios` tells the penalty.

    scoring : str, callable or None, default='warn'
        The score to maximise: a name, or ``scorer(estimator, X, y)``. None is the
        accuracy.

    solver : {'lbfgs', 'liblinear', 'newton-cg', 'newton-cholesky', 'sag', 'saga'}, \
            default='lbfgs'
        As in `LogisticRegression`.

    tol : float, default=1e-4
        As in `LogisticRegression`.

    max_iter : int, default=100
        Largest number of iterations of each fit.

    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, by label. 'balanced' gives classes the same sum of
        weights in all rows.

    n_jobs : int or None, default=None
        Accepted; each fit uses all cores where the data are worth it.

    verbose : int, default=0
        Positive prints the best parameters.

    refit : bool, default=True
        Whether the best model is fitted to all rows. False takes the mean of the
        coefficients that were best in each fold.

    intercept_scaling : float, default=1.0
        As in `LogisticRegression`.

    random_state : int, RandomState instance or None, default=None
        Not used: no solver draws rows.

    use_legacy_attributes : bool, default='warn'
        True (which 'warn' means) gives ``coefs_paths_`` and ``scores_`` as dicts by
        class, ``C_`` and ``l1_ratio_`` as arrays. False gives the shapes below.

    {categorical_features}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, sorted.

    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), dtype float64
        Coefficients; one row for two classes.

    intercept_ : ndarray of shape (1,) or (n_classes,), dtype float64
        Intercepts, 0 without.

    Cs_ : ndarray of shape (n_Cs,), dtype float64
        The Cs that were tried.

    l1_ratios_ : ndarray of shape (n_l1_ratios,)
        The ratios that were tried.

    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs, n_classes, n_coefs)
        Coefficients of each fit, the intercept last; for two classes of one row. As a
        dict: by class, of shape (n_folds, n_Cs, n_l1_ratios, n_coefs), without the
        third where `l1_ratios` is None.

    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        Score of each fit. As a dict: the same for each class (the second of two), of
        shape (n_folds, n_Cs, n_l1_ratios), without the third where `l1_ratios` is None.

    C_ : float or ndarray of shape (n_classes,) or (1,)
        The best C; with ``refit=False`` the mean of the best of each fold.

    l1_ratio_ : float or ndarray of shape (n_classes,) or (1,)
        The best ratio; with ``refit=False`` the mean of the best of each fold.

    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs), dtype int32
        Number of iterations of each fit. Legacy: (1, n_folds, n_Cs, n_l1_ratios),
        without the last where `l1_ratios` is None.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    LogisticRegression : The model for given `C` and `l1_ratio`.

    Notes
    -----
    With a ridge penalty, and few coefficients beside the rows, all folds take their
    steps together: a pass over the table serves them all, and the second derivatives
    of all rows stand for those of each fold.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani. "Regularization paths for generalized
       linear models via coordinate descent". Journal of Statistical Software 33.1
       (2010). Section 2.5.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearnx.linear_model import LogisticRegressionCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegressionCV(
    ...     Cs=[0.1, 1.0], l1_ratios=(0.0,), scoring="neg_log_loss",
    ...     use_legacy_attributes=False,
    ... ).fit(X, y)
    >>> float(model.C_)
    1.0
    >>> model.scores_.shape
    (5, 1, 2)
    """

    _parameter_constraints: dict = {
        **{
            name: constraint
            for name, constraint in LogisticRegression._parameter_constraints.items()
            if name not in ("C", "warm_start", "l1_ratio")
        },
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "l1_ratios": ["array-like", None, StrOptions({"warn"})],
        "cv": ["cv_object"],
        "scoring": [StrOptions({*get_scorer_names(), "warn"}), callable, None],
        "refit": ["boolean"],
        "penalty": [StrOptions({"l1", "l2", "elasticnet", "deprecated"})],
        "use_legacy_attributes": ["boolean", StrOptions({"warn"})],
    }

    def __init__(
        self,
        *,
        Cs=10,
        l1_ratios="warn",
        fit_intercept=True,
        cv=None,
        dual=False,
        penalty="deprecated",
        scoring="warn",
        solver="lbfgs",
        tol=1e-4,
        max_iter=100,
        class_weight=None,
        n_jobs=None,
        verbose=0,
        refit=True,
        intercept_scaling=1.0,
        random_state=None,
        use_legacy_attributes="warn",
        categorical_features=None,
        handle_unknown="error",
    ):
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.solver = solver
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Find the best penalty and fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels of the classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0, in fits and scores.

        **params : dict
            For the splitter and the scorer, where metadata routing is enabled.

        Returns
        -------
        self : LogisticRegressionCV
            The fitted estimator.
        """
        raise_for_params(params, self, "fit")
        l1_ratios = self._find_l1_ratios()
        penalty = self._find_penalty_of_ratios(l1_ratios)
        scorer = self._warn_about_scoring()
        is_legacy = self._is_legacy()
        check_solver(self.solver, penalty, self.dual)
        tried_ratios = self._check_l1_ratios(penalty, l1_ratios)
        table = X
        X, y = validate_table(
            self,
            X,
            y,
            sample_weight,
            drops_reference=self.fit_intercept and self._is_unpenalised(),
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            accept_large_sparse=self.solver not in SMALL_INDEX_SOLVERS,
        )
        self.classes_, codes = encode_labels(y)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the "
                f"data contains only one class: {self.classes_[0]}."
            )
        if self.solver == "liblinear":
            check_liblinear(X, n_classes)
        self._check_class_weight()
        routed = self._route(sample_weight, params)
        splitter = check_cv(self.cv, y, classifier=True)
        table = choose_table_to_split(X, table)
        folds = list_folds(splitter, table, y, **routed.splitter.split)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
        weights = weigh_rows(
            X, y, codes, self.classes_, sample_weight, self.class_weight
        )
        Cs = self.Cs
        if isinstance(Cs, Integral):
            Cs = np.logspace(-4, 4, Cs)
        self.Cs_ = np.asarray(Cs, dtype=np.float64)
        ratios = [find_l1_ratio(penalty, ratio) for ratio in tried_ratios]
        grid = self._search(
            X, y, codes, weights, folds, ratios, scorer, routed, sample_weight
        )
        coef, C, ratio = self._choose(
            X, codes, weights, grid, penalty, ratios, tried_ratios
        )
        if self.fit_intercept:
            self.coef_, self.intercept_ = coef[:, :-1].copy(), coef[:, -1].copy()
        else:
            self.coef_, self.intercept_ = coef.copy(), np.zeros(len(coef))
        self.l1_ratios_ = np.asarray(tried_ratios)
        if is_legacy:
            self._set_legacy_attributes(grid, C, ratio, l1_ratios is None)
        else:
            self.C_ = float(C)
            self.l1_ratio_ = 0.0 if ratio is None else float(ratio)
            self.coefs_paths_ = grid.coefs
            self.scores_ = grid.scores
            self.n_iter_ = grid.n_iter
        if self.verbose:
            print(f"{type(self).__name__}: C={C}, l1_ratio={ratio}")
        return self

    # ---- parameters ------------------------------------------------------------------

    def _find_l1_ratios(self):
        if isinstance(self.l1_ratios, str):
            warnings.warn(
                "The default value for l1_ratios will change from None to (0.0,) in "
                "version 1.10. From version 1.10 onwards, only array-like with values "
                "in [0, 1] will be allowed, None will be forbidden. To avoid this "
                "warning, explicitly set a value, e.g. l1_ratios=(0,).",
                FutureWarning,
                stacklevel=3,
            )
            return None
        return self.l1_ratios

    def _find_penalty_of_ratios(self, l1_ratios):
        """The name of the penalty that `penalty` and `l1_ratios` ask for."""
        if self.penalty != "deprecated":
            alternatives = (
                "'l1_ratios' and 'Cs' instead. Use l1_ratios=(0,) instead of "
                "penalty='l2', l1_ratios=(1,) instead of penalty='l1', l1_ratios set "
                "to floats between 0 and 1 instead of penalty='elasticnet', and "
                "Cs=(np.inf,) instead of penalty=None"
            )
            message = PENALTY_DEPRECATED.replace("{} instead", alternatives)
            warnings.warn(message, FutureWarning, stacklevel=3)
            return self.penalty
        if self.l1_ratios is None:
            warnings.warn(
                "'l1_ratios=None' was deprecated in version 1.8 and will trigger an "
                "error in 1.10. Use an array-like with values in [0, 1] instead.",
                FutureWarning,
                stacklevel=3,
            )
        if l1_ratios is None or np.all(np.asarray(l1_ratios) == 0):
            return "l2"
        return "l1" if np.all(np.asarray(l1_ratios) == 1) else "elasticnet"

    def _is_unpenalised(self):
        return not isinstance(self.Cs, Integral) and bool(np.all(np.isinf(self.Cs)))

    def _check_l1_ratios(self, penalty, l1_ratios):
        """The ratios to try, [None] if none are given."""
        if penalty != "elasticnet":
            if l1_ratios is not None and self.penalty != "deprecated":
                warnings.warn(
                    "l1_ratios parameter is only used when penalty is 'elasticnet'. "
                    f"Got (penalty={penalty})",
                    stacklevel=3,
                )
            return [None] if l1_ratios is None else l1_ratios
        is_good = l1_ratios is not None and len(l1_ratios) > 0
        if not is_good or any(
            not isinstance(ratio, Number) or not 0 <= ratio <= 1 for ratio in l1_ratios
        ):
            raise ValueError(
                "l1_ratios must be an array-like of numbers between 0 and 1; got "
                f"(l1_ratios={l1_ratios!r})"
            )
        return l1_ratios

    def _warn_about_scoring(self):
        if isinstance(self.scoring, str) and self.scoring == "warn":
            warnings.warn(
                "The default value of the parameter 'scoring' will change from None, "
                "i.e. accuracy, to 'neg_log_loss' in version 1.11. To silence this "
                "warning, explicitly set the scoring parameter: "
                "scoring='neg_log_loss' for the new, scoring='accuracy' or "
                "scoring=None for the old default.",
                FutureWarning,
                stacklevel=3,
            )
            return None
        return None if self.scoring is None else get_scorer(self.scoring)

    def _is_legacy(self):
        if self.use_legacy_attributes != "warn":
            return self.use_legacy_attributes
        name = type(self).__name__
        warnings.warn(
            f"The fitted attributes of {name} will be simplified in scikit-learn 1.10 "
            "to remove redundancy. Set `use_legacy_attributes=False` to enable the new "
            "behavior now, or set it to `True` to silence this warning during the "
            "transition period while keeping the deprecated behavior for the time "
            "being. The default value of use_legacy_attributes will change from True "
            f"to False in scikit-learn 1.10. See the docstring of {name} for "
            "more details.",
            FutureWarning,
            stacklevel=3,
        )
        return True

    def _check_class_weight(self):
        is_dict = isinstance(self.class_weight, dict)
        if is_dict and not set(self.class_weight) <= set(self.classes_.tolist()):
            raise ValueError(
                "The given class_weight dict must have the class labels as keys; "
                f"classes={self.classes_} but key={self.class_weight.keys()}"
            )

    def _route(self, sample_weight, params):
        """What the splitter and the scorer get."""
        if routing_enabled():
            return process_routing(self, "fit", sample_weight=sample_weight, **params)
        score = {} if sample_weight is None else {"sample_weight": sample_weight}
        return Bunch(splitter=Bunch(split={}), scorer=Bunch(score=score))

    # ---- fits ------------------------------------------------------------------------

    def _search(
        self, X, y, codes, weights, folds, ratios, scorer, routed, sample_weight
    ):
        """Fit and score each C, ratio and fold."""
        shape = (len(folds), len(ratios), len(self.Cs_))
        n_classes = len(self.classes_)
        n_outputs = 1 if n_classes == 2 else n_classes
        n_coefs = X.shape[1] + self.fit_intercept
        grid = _Grid(
            np.empty((*shape, n_outputs, n_coefs)),
            np.full(shape, np.nan),
            np.empty(shape, dtype=np.int32),
        )
        scorers = [
            self._make_scorer(X, y, codes, test, scorer, routed, sample_weight)
            for _, test in folds
        ]
        fits = None
        for j, ratio in enumerate(ratios):
            if ratio == 0:
                problem = make_problem(self, X, codes, n_classes, weights)
                fits = problem.fit_members(
                    self.Cs_,
                    _weigh_folds(weights, folds),
                    tol=self.tol,
                    max_iter=self.max_iter,
                )
            if ratio == 0 and fits is not None:
                self._search_together(grid, j, fits, folds, scorers)
            else:
                self._search_apart(grid, j, ratio, X, codes, weights, folds)
        self._score(grid, scorers)
        return grid

    def _search_together(self, grid, j, fits, folds, scorers):
        """Fit each C, all folds side by side; score what raw predictions tell."""
        for k, (near, of_folds) in enumerate(fits):
            grid.starts[j, k] = near
            for i, (fit, raw) in enumerate(of_folds):
                self._record(grid, (i, j, k), fit)
                if scorers[i].is_direct:
                    grid.scores[i, j, k] = scorers[i].score_raw(raw[folds[i][1]])

    def _search_apart(self, grid, j, ratio, X, codes, weights, folds):
        """Fit each fold, one C after another."""
        for i, (train, _) in enumerate(folds):
            problem = make_problem(
                self, X[train], codes[train], len(self.classes_), weights[train]
            )
            coef = None
            for k, C in enumerate(self.Cs_):
                fit = self._fit_problem(problem, C, ratio, coef)
                coef = fit.coef
                self._record(grid, (i, j, k), fit)

    def _record(self, grid, position, fit):
        """Keep a fit of a fold, and warn about it."""
        warn_about_fit(fit, self.solver, self.max_iter, stacklevel=6)
        grid.coefs[position] = fit.coef.T
        grid.n_iter[position] = fit.n_iter

    def _score(self, grid, scorers):
        """Score what is not scored yet, a fold after another."""
        for i, scorer in enumerate(scorers):
            missing = np.argwhere(np.isnan(grid.scores[i]))
            rows = scorer.take_rows() if len(missing) else None
            for j, k in missing:
                coef, intercept = (
                    grid.coefs[i, j, k],
                    np.zeros(len(grid.coefs[i, j, k])),
                )
                if self.fit_intercept:
                    coef, intercept = coef[:, :-1], coef[:, -1]
                grid.scores[i, j, k] = scorer.score(rows, self.Cs_[k], coef, intercept)

    def _fit_problem(self, problem, C, ratio, coef):
        return problem.fit(
            C,
            ratio,
            coef,
            tol=self.tol,
            max_iter=self.max_iter,
            is_near=coef is not None,
        )

    def _make_scorer(self, X, y, codes, test, scorer, routed, sample_weight):
        """What scores the rows of a fold."""
        model = LogisticRegression(solver=self.solver)
        model.classes_ = self.classes_
        if "_table_encoder" in vars(self):
            model._table_encoder = self._table_encoder
        if scorer is not None:
            params = routed.scorer.score or {}
        else:
            params = {} if sample_weight is None else {"sample_weight": sample_weight}
        scoring = None if scorer is None else self.scoring
        return FoldScorer(scoring, scorer, model, X, y, codes, test, params)

    def _choose(self, X, codes, weights, grid, penalty, ratios, tried_ratios):
        """(coefficients of shape (n_outputs, n_coefs), C, ratio) of the best model."""
        n_Cs = len(self.Cs_)
        if self.refit:
            # The first of the best, in the order of Cs, then ratios.
            mean_scores = grid.scores.sum(axis=0).T
            k, j = np.unravel_index(np.argmax(mean_scores), mean_scores.shape)
            start = grid.starts.get((j, k))
            if start is None:
                start = np.mean(grid.coefs[:, j, k], axis=0)
                start = np.ascontiguousarray(start[0] if len(start) == 1 else start.T)
            problem = make_problem(self, X, codes, len(self.classes_), weights)
            fit = self._fit_problem(problem, self.Cs_[k], ratios[j], start)
            warn_about_fit(fit, self.solver, self.max_iter, stacklevel=4)
            return np.atleast_2d(fit.coef.T), self.Cs_[k], tried_ratios[j]
        by_fold = grid.scores.transpose(0, 2, 1).reshape(len(grid.scores), -1)
        k, j = np.unravel_index(np.argmax(by_fold, axis=1), (n_Cs, len(ratios)))
        coef = np.mean(grid.coefs[np.arange(len(by_fold)), j, k], axis=0)
        ratio = 0.0
        if penalty == "elasticnet":
            ratio = np.mean(np.asarray(tried_ratios, dtype=np.float64)[j])
        return coef, np.mean(self.Cs_[k]), ratio

    def _set_legacy_attributes(self, grid, C, ratio, has_no_ratios):
        """Attributes by class, in the order of Cs, then ratios."""
        classes = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        paths = grid.coefs.transpose(3, 0, 2, 1, 4)
        scores = grid.scores.transpose(0, 2, 1)
        n_iter = grid.n_iter.transpose(0, 2, 1)[None]
        if has_no_ratios:
            paths, scores, n_iter = paths[:, :, :, 0], scores[:, :, 0], n_iter[..., 0]
        self.coefs_paths_ = dict(zip(classes, paths, strict=True))
        self.scores_ = {label: scores.copy() for label in classes}
        self.n_iter_ = n_iter
        self.C_ = np.full(len(classes), C)
        self.l1_ratio_ = np.array([ratio] * len(classes))

    # ---- scores ----------------------------------------------------------------------

    def score(self, X, y, *args, sample_weight=None, **score_params):
        """Score of the predictions, by `scoring`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,)
            Their labels.

        *args : tuple
            `sample_weight` by position, which is deprecated.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        **score_params : dict
            For the scorer, where metadata routing is enabled.

        Returns
        -------
        score : float
            By default the accuracy.
        """
        if args:
            warnings.warn(
                f"Pass sample_weight={args[0]} as keyword args. From version 1.11 "
                "passing these as positional arguments will result in an error",
                FutureWarning,
                stacklevel=2,
            )
            (sample_weight,) = args
        raise_for_params(score_params, self, "score")
        if sample_weight is not None:
            score_params["sample_weight"] = sample_weight
        if routing_enabled():
            score_params = process_routing(self, "score", **score_params).scorer.score
        return self._get_scorer()(self, X, y, **score_params)

    def _get_scorer(self):
        is_accuracy = self.scoring is None or (
            isinstance(self.scoring, str) and self.scoring == "warn"
        )
        return get_scorer("accuracy" if is_accuracy else self.scoring)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
