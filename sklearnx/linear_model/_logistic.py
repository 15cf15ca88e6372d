"""Logistic regression of two or more classes."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from scipy.linalg import LinAlgWarning
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as _SklearnLogisticRegression

from sklearnx._compat import (
    Interval,
    StrOptions,
    fit_context,
    with_callbacks,
)
from sklearnx._cython.common.elementary import map_expit
from sklearnx._cython.linear.families import map_softmax
from sklearnx._glm.design import make_design
from sklearnx._glm.logistic import LogisticProblem
from sklearnx._threads import n_threads_for
from sklearnx.linear_model._class_rows import encode_labels, weigh_rows
from sklearnx.linear_model._frames import (
    CATEGORICAL_CONSTRAINTS,
    CategoricalColumnsMixin,
    document_categories,
    validate_table,
)
from sklearnx.linear_model._inference import InferenceMixin
from sklearnx.linear_model._prediction import (
    LinearClassifierPrediction,
    compute_raw_predictions,
)

SOLVERS = {"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"}
# Take sparse tables with indices of 32 bits only.
SMALL_INDEX_SOLVERS = {"liblinear", "sag", "saga"}
ADVICE = (
    "\nYou might also want to scale the data as shown in:\n"
    "    https://scikit-learn.org/stable/modules/preprocessing.html\n"
    "Please also refer to the documentation for alternative solver options:\n"
    "    https://scikit-learn.org/stable/modules/linear_model.html"
    "#logistic-regression"
)
PENALTY_DEPRECATED = (
    "'penalty' was deprecated in version 1.8 and will be removed in 1.10. To avoid "
    "this warning, leave 'penalty' set to its default value and use {} instead."
)


def check_solver(solver, penalty, dual):
    """Raise ValueError if a solver does not go with a penalty or with `dual`."""
    if solver not in ("liblinear", "saga") and penalty not in ("l2", None):
        raise ValueError(
            f"Solver {solver} supports only 'l2' or None penalties, got {penalty} "
            "penalty."
        )
    if solver != "liblinear" and dual:
        raise ValueError(f"Solver {solver} supports only dual=False, got dual={dual}")
    if penalty == "elasticnet" and solver != "saga":
        raise ValueError(
            f"Only 'saga' solver supports elasticnet penalty, got solver={solver}."
        )
    if solver == "liblinear" and penalty is None:
        raise ValueError(
            "C=np.inf as well as penalty=None is not supported for the liblinear solver"
        )


def check_liblinear(X, n_classes):
    """Raise ValueError where 'liblinear' is no choice for the data."""
    if n_classes != 2:
        raise ValueError(
            "The 'liblinear' solver does not support multiclass classification"
            " (n_classes >= 3). Either use another solver or wrap the estimator in a "
            "OneVsRestClassifier to keep applying a one-versus-rest scheme."
        )
    if X.max() > 1e30:
        raise ValueError(
            "Using the 'liblinear' solver while X contains a maximum value > 1e30 "
            "results in a frozen fit. Please choose another solver or rescale the "
            "input X."
        )


def find_l1_ratio(penalty, l1_ratio):
    """The share of the l1 penalty that a name of a penalty stands for."""
    return {"l1": 1.0, "elasticnet": l1_ratio}.get(penalty, 0.0)


def make_problem(estimator, X, codes, n_classes, weights):
    """The problem of an estimator's `solver`, `fit_intercept` and the rows."""
    n_threads = n_threads_for(X.shape[0] * X.shape[1] * n_classes)
    is_penalised = estimator.solver == "liblinear"
    return LogisticProblem(
        make_design(X, n_threads),
        codes,
        n_classes,
        weights,
        estimator.fit_intercept,
        estimator.intercept_scaling if is_penalised else None,
    )


def split_intercept(coef, fit_intercept):
    """(coef_, intercept_) of coefficients of one output or a column a class."""
    rows = np.atleast_2d(coef.T)
    if fit_intercept:
        return np.ascontiguousarray(rows[:, :-1]), rows[:, -1].copy()
    return np.array(rows), np.zeros(len(rows), dtype=coef.dtype)


def warn_about_fit(fit, solver, max_iter, stacklevel=3):
    """Warn where a fit did not converge, met singular matrices or separated classes."""
    stacklevel += 1
    if fit.is_singular and solver == "newton-cholesky":
        warnings.warn(
            "The inner solver of NewtonCholeskySolver stumbled upon a singular or very "
            "ill-conditioned Hessian matrix. Of all coefficients that fit equally well "
            "it takes those of least norm. Possible remedies are removing collinear "
            "features of X or increasing the penalization strengths.",
            LinAlgWarning,
            stacklevel=stacklevel,
        )
    if fit.is_separated:
        warnings.warn(
            "The classes are perfectly separated by the features and there is no "
            "penalty: coefficients have no finite optimum, and grow the more the "
            "smaller tol is. Set a finite C to penalise them.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
    if not fit.is_converged:
        message = _describe_failure(solver, fit.n_iter, max_iter, fit.value)
        warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)


def _describe_failure(solver, n_iter, max_iter, value):
    """What to do about a fit that did not converge."""
    remedy = f"Increase the number of iterations (max_iter={max_iter})."
    if n_iter < max_iter:
        remedy = "Rounding errors forbid more: scale the data, or increase tol."
    messages = {
        "lbfgs": (
            f"lbfgs failed to converge after {n_iter} iteration(s):\n"
            "Increase the number of iterations to improve the convergence "
            f"(max_iter={max_iter})." + ADVICE
            if n_iter >= max_iter
            else f"lbfgs failed to converge after {n_iter} iteration(s):\n{remedy}"
            + ADVICE
        ),
        "liblinear": (
            "Liblinear failed to converge, increase the number of iterations."
            if n_iter >= max_iter
            else f"Liblinear failed to converge. {remedy}"
        ),
        "newton-cg": (
            f"newton-cg failed to converge at loss = {value}. Increase the number of "
            "iterations."
            if n_iter >= max_iter
            else f"newton-cg failed to converge at loss = {value}. {remedy}"
        ),
        "newton-cholesky": (
            f"Newton solver did not converge after {n_iter} iterations. {remedy}"
        ),
    }
    stochastic = (
        f"The max_iter was reached which means the coef_ did not converge. {remedy}"
        if n_iter >= max_iter
        else f"The coef_ did not converge. {remedy}"
    )
    return messages.get(solver, stochastic)


def compute_probabilities(raw):
    """Probabilities (n_rows, n_classes); of two classes `raw` is (n_rows,)."""
    dtype = raw.dtype
    raw = np.ascontiguousarray(raw, dtype=np.float64)
    n_threads = n_threads_for(raw.size)
    if raw.ndim == 1:
        probabilities = np.empty((len(raw), 2))
        positive = np.empty(len(raw))
        map_expit(raw, positive, n_threads)
        probabilities[:, 1] = positive
        np.subtract(1.0, positive, out=probabilities[:, 0])
    else:
        probabilities = np.empty(raw.shape)
        map_softmax(raw, probabilities, n_threads)
    return probabilities.astype(dtype, copy=False)


class _IterationCallbacks:
    """Tells scikit-learn's callbacks (from 1.9 on) about the iterations of a fit.

    The iteration that follows the last one is begun as well, and ended without a model:
    only then is it known that there is none.
    """

    def __init__(self, estimator, X, y, sample_weight):
        self._context = None
        is_watched = getattr(estimator, "_skl_callbacks", None) or hasattr(
            estimator, "_parent_callback_ctx"
        )
        if not is_watched:
            return
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._estimator = estimator
        self._data = {"X": X, "y": y, "metadata": metadata}
        max_subtasks = max(estimator.max_iter, 1) + 1
        self._context = estimator._init_callback_context(max_subtasks=max_subtasks)
        self._context.call_on_fit_task_begin(estimator=estimator, **self._data)
        self._iteration = None

    @property
    def is_watched(self):
        return self._context is not None and self._estimator.solver == "lbfgs"

    def begin(self, attributes):
        """The next iteration begins at these fitted attributes."""
        self._iteration = self._context.subcontext(task_name="lbfgs-iter")
        self._iteration.call_on_fit_task_begin(
            estimator=self._estimator,
            reconstruction_attributes=attributes,
            **self._data,
        )

    def end(self, attributes):
        """The iteration ended at these fitted attributes, and the next one begins."""
        self._iteration.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=attributes,
            **self._data,
        )
        self.begin(attributes)

    def close(self, n_iter, attributes):
        """The fit is over."""
        if self._context is None:
            return
        if self.is_watched:
            if n_iter == 0:
                self.end(attributes)
            self._iteration.call_on_fit_task_end(estimator=self._estimator)
        self._context.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes={}, **self._data
        )


@document_categories
class LogisticRegression(
    LinearClassifierPrediction,
    CategoricalColumnsMixin,
    InferenceMixin,
    _SklearnLogisticRegression,
):
    """Logistic regression with ridge, lasso or elastic net penalty.

    Coefficients w and intercepts b minimise

    .. math::

        C \\sum_i s_i \\ell_i(w, b) + \\frac{1 - \\rho}{2} \\|w\\|_2^2
        + \\rho \\|w\\|_1

    with C, the `l1_ratio` rho, and the weights s of rows and their classes. With two
    classes, y in {0, 1} and the raw prediction f = x w + b,

    .. math:: \\ell = \\log(1 + e^{f}) - y f,

    and with more classes, each of which has a raw prediction,

    .. math:: \\ell = \\log \\sum_k e^{f_k} - f_y.

    Parameters
    ----------
    penalty : {'l1', 'l2', 'elasticnet'} or None, default='deprecated'
        Deprecated: `l1_ratio` of 1, 0 or between stands for the first three,
        ``C=np.inf`` for None.

    C : float, default=1.0
        Inverse of the strength of the penalty, positive. ``np.inf`` is no penalty.

    l1_ratio : float, default=0.0
        Share of the l1 penalty, from 0 (ridge) to 1 (lasso). Above 0 only with the
        solvers 'saga' and, for 1, 'liblinear'.

    dual : bool, default=False
        Accepted with ``solver='liblinear'`` and a ridge penalty. The optimum is the
        same.

    tol : float, default=1e-4
        A fit ends when no partial derivative of the objective, divided by C times the
        sum of weights, exceeds it, and the objective is at its minimum to 1e-8
        relative.

    fit_intercept : bool, default=True
        Whether there are intercepts b.

    intercept_scaling : float, default=1
        With ``solver='liblinear'``, which penalises the intercept divided by it like a
        coefficient.

    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, by label. 'balanced' gives classes the same sum of
        weights.

    random_state : int, RandomState instance or None, default=None
        Not used: no solver draws rows.

    solver : {'lbfgs', 'liblinear', 'newton-cg', 'newton-cholesky', 'sag', 'saga'}, \
            default='lbfgs'
        All reach the same optimum, by the method that the shape of the data asks for
        (see Notes), save that 'liblinear' penalises the intercept and takes two classes
        only. The names tell which penalties are accepted: 'saga' all, 'liblinear' ridge
        or lasso, the others ridge or none.

    max_iter : int, default=100
        Largest number of iterations.

    verbose : int, default=0
        Positive prints the number of iterations.

    warm_start : bool, default=False
        Whether `fit` starts from ``coef_`` and ``intercept_`` of the last call. Not
        with 'liblinear'.

    n_jobs : int or None, default=None
        Deprecated, without effect: all cores are used where the data are worth it.

    {categorical_features}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, sorted.

    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients, of the dtype of `X` (float64 with 'liblinear'); one row for two
        classes. A CSR matrix after `sparsify`.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts, 0 without.

    n_iter_ : ndarray of shape (1,), dtype int32
        Number of iterations over all rows.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,), dtype object
        Names of the features. Only where all names of `X` are strings.

    See Also
    --------
    LogisticRegressionCV : Finds `C` and `l1_ratio` by cross-validation.
    SGDClassifier : Fits a row at a time (``loss='log_loss'``).

    Notes
    -----
    Ridge or no penalty: Newton's method where coefficients are few, with second
    derivatives of a part of the rows as long as they will do; quasi-Newton updates of
    an approximation of them where there are many. Tables with more columns than rows
    are turned into square ones first. Lasso and elastic net: proximal Newton,
    coordinate descent on a quadratic model [2]_, on working sets where columns are
    many.

    Coefficients have the same bits whatever the number of threads.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, J. Friedman. "The Elements of Statistical
       Learning". Springer, 2009. Section 4.4, equations 4.17, 4.20 and 4.31.
    .. [2] J. Lee, Y. Sun, M. Saunders. "Proximal Newton-type methods for minimizing
       composite functions". SIAM Journal on Optimization 24.3 (2014). Equation 2.3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearnx.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> model.predict(X[[0, 50, 100]])
    array([0, 1, 2])
    >>> print(f"{model.score(X, y):.3f}")
    0.973
    """

    _parameter_constraints: dict = {
        "penalty": [StrOptions({"l1", "l2", "elasticnet", "deprecated"}), None],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "dual": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": [StrOptions(SOLVERS)],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "n_jobs": [None, Integral],
        **CATEGORICAL_CONSTRAINTS,
    }

    def __init__(
        self,
        penalty="deprecated",
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=1e-4,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Not copied if of float64 or float32.

        y : array-like of shape (n_samples,)
            Labels of the classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight of 2 is the row twice.

        Returns
        -------
        self : LogisticRegression
            The fitted estimator.
        """
        penalty = self._find_penalty()
        check_solver(self.solver, penalty, self.dual)
        self._warn_about_parameters(penalty)
        X, y = validate_table(
            self,
            X,
            y,
            sample_weight,
            drops_reference=self.fit_intercept and penalty is None,
            accept_sparse=["csr", "csc"],
            dtype=[np.float64, np.float32],
            accept_large_sparse=self.solver not in SMALL_INDEX_SOLVERS,
        )
        self.classes_, codes = encode_labels(y)
        n_classes = len(self.classes_)
        callbacks = _IterationCallbacks(self, X, y, sample_weight)
        if self.solver == "liblinear":
            check_liblinear(X, n_classes)
        if n_classes < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the "
                f"data contains only one class: {self.classes_[0]!r}"
            )
        weights = weigh_rows(
            X, y, codes, self.classes_, sample_weight, self.class_weight
        )
        problem = make_problem(self, X, codes, n_classes, weights)
        start = self._find_start(problem)
        dtype = np.float64 if self.solver == "liblinear" else X.dtype
        fit = problem.fit(
            np.inf if self.penalty is None else self.C,
            find_l1_ratio(penalty, self.l1_ratio),
            start,
            tol=self.tol,
            max_iter=self.max_iter,
            is_near=start is not None,
            on_iteration=self._watch_iterations(callbacks, problem, start, dtype),
        )
        warn_about_fit(fit, self.solver, self.max_iter)
        self._set_coef(fit.coef.astype(dtype))
        self.n_iter_ = np.array([fit.n_iter], dtype=np.int32)
        if self.verbose:
            print(f"{type(self).__name__}: {fit.n_iter} iterations")
        attributes = {"coef_": self.coef_, "intercept_": self.intercept_}
        callbacks.close(fit.n_iter, attributes)
        return self

    def _find_penalty(self):
        """The name of the penalty that `penalty`, `l1_ratio` and `C` ask for."""
        if self.penalty != "deprecated":
            alternatives = (
                "'l1_ratio' or 'C' instead. Use l1_ratio=0 instead of penalty='l2', "
                "l1_ratio=1 instead of penalty='l1', l1_ratio set to a float between 0 "
                "and 1 instead of penalty='elasticnet', and C=np.inf instead of "
                "penalty=None"
            )
            message = PENALTY_DEPRECATED.replace("{} instead", alternatives)
            warnings.warn(message, FutureWarning, stacklevel=3)
            return self.penalty
        if self.l1_ratio is None:
            warnings.warn(
                "'l1_ratio=None' was deprecated in version 1.8 and will trigger an "
                "error in 1.10. Use 0<=l1_ratio<=1 instead.",
                FutureWarning,
                stacklevel=3,
            )
        if np.isinf(self.C):
            return None
        return {0: "l2", None: "l2", 1: "l1"}.get(self.l1_ratio, "elasticnet")

    def _warn_about_parameters(self, penalty):
        """Warn about parameters that have no effect beside others."""
        if penalty != "elasticnet" and self.l1_ratio not in (None, 0, 1):
            warnings.warn(
                "l1_ratio parameter is only used when penalty is 'elasticnet'. Got "
                f"(penalty={penalty})",
                stacklevel=3,
            )
        if (self.penalty == "l2" and self.l1_ratio != 0) or (
            self.penalty == "l1" and self.l1_ratio != 1
        ):
            warnings.warn(
                f"Inconsistent values: penalty={self.penalty} with "
                f"l1_ratio={self.l1_ratio}. penalty is deprecated. Please use l1_ratio "
                "only.",
                stacklevel=3,
            )
        if penalty == "elasticnet" and self.l1_ratio is None:
            raise ValueError("l1_ratio must be specified when penalty is elasticnet.")
        if self.penalty is None and self.C != 1.0:
            warnings.warn(
                "Setting penalty=None will ignore the C and l1_ratio parameters",
                stacklevel=3,
            )
        if self.n_jobs is not None:
            warnings.warn(
                "'n_jobs' has no effect since 1.8 and will be removed in 1.10. You "
                f"provided 'n_jobs={self.n_jobs}', please leave it unspecified.",
                FutureWarning,
                stacklevel=3,
            )

    def _find_start(self, problem):
        """The coefficients of the last fit, if `fit` is to start from them."""
        is_warm = self.warm_start and self.solver != "liblinear"
        if not is_warm or not hasattr(self, "coef_"):
            return None
        rows = np.asarray(self.coef_, dtype=np.float64)
        if self.fit_intercept:
            rows = np.concatenate([rows, self.intercept_[:, None]], axis=1)
        start = np.ascontiguousarray(rows[0] if len(rows) == 1 else rows.T)
        if start.shape != problem.shape:
            raise ValueError(
                f"Initialization coef is of shape {rows.shape}, expected shape "
                f"{np.atleast_2d(np.empty(problem.shape).T).shape}"
            )
        return start

    def _watch_iterations(self, callbacks, problem, start, dtype):
        """What to call after each iteration, None if nobody asks."""
        if not callbacks.is_watched:
            return None

        def make_attributes(coef):
            coef, intercept = split_intercept(coef.astype(dtype), self.fit_intercept)
            return {"coef_": coef, "intercept_": intercept}

        callbacks.begin(
            make_attributes(np.zeros(problem.shape) if start is None else start)
        )
        return lambda point: callbacks.end(make_attributes(point.coef))

    def _set_coef(self, coef):
        self.coef_, self.intercept_ = split_intercept(coef, self.fit_intercept)

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; each row sums to 1.
        """
        raw = compute_raw_predictions(self, X)
        if raw.ndim == 2 and raw.shape[1] == 1:
            raw = raw[:, 0]
        return compute_probabilities(raw)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return np.log(self.predict_proba(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        if self.solver == "liblinear":
            tags.classifier_tags.multi_class = False
        return tags
