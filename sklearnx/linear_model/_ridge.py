"""Ridge regression, and the classifier that it makes of signs."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
import sklearn.linear_model
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight

from sklearnx._compat import Interval, StrOptions, fit_context
from sklearnx._glm.least_squares import (
    costs_little,
    has_small_side,
    solve_nonnegative_ridge,
    solve_ridge,
)
from sklearnx._glm.lsqr import solve_lsqr
from sklearnx.linear_model._frames import (
    CATEGORICAL_CONSTRAINTS,
    CategoricalColumnsMixin,
    document_categories,
)
from sklearnx.linear_model._inference import InferenceMixin
from sklearnx.linear_model._prediction import (
    LinearClassifierPrediction,
    LinearRegressorPrediction,
)
from sklearnx.linear_model._regression_data import (
    make_problem,
    set_coefficients,
    validate_regression,
    validate_weights,
)

SOLVERS = {"auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"}
SPARSE_INTERCEPT_SOLVERS = {"auto", "lbfgs", "lsqr", "sag", "sparse_cg"}
ITERATIVE_SOLVERS = {"lsqr", "sparse_cg", "sag", "saga"}

# Iterations that are tried on sparse tables before a Gram matrix, to which precision.
N_TRIED = 60
TOL_OF_TRIAL = 1e-8

_CONSTRAINTS = {
    "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
    "fit_intercept": ["boolean"],
    "copy_X": ["boolean"],
    "max_iter": [Interval(Integral, 1, None, closed="left"), None],
    "tol": [Interval(Real, 0, None, closed="left")],
    "solver": [StrOptions(SOLVERS)],
    "positive": ["boolean"],
    "random_state": ["random_state"],
    **CATEGORICAL_CONSTRAINTS,
}


class _RidgeFit(CategoricalColumnsMixin):
    """What Ridge and RidgeClassifier share."""

    def _validate(self, X, y, sample_weight, **options):
        """Validate X and y; without a penalty reference levels have no coefficient."""
        is_free = not (np.any(self.alpha) or self.positive)
        return validate_regression(
            self,
            X,
            y,
            sample_weight,
            drops_reference=self.fit_intercept and is_free,
            **options,
        )

    def _check_solver(self, is_sparse):
        """Refuse what scikit-learn refuses."""
        solver = self.solver
        if solver == "lbfgs" and not self.positive:
            raise ValueError(
                "'lbfgs' solver can be used only when positive=True. "
                "Please use another solver."
            )
        if self.positive and solver not in ("auto", "lbfgs"):
            raise ValueError(
                f"solver='{solver}' does not support positive fitting. Please"
                " set the solver to 'auto' or 'lbfgs', or set `positive=False`"
            )
        if not is_sparse:
            return
        if self.fit_intercept and solver not in SPARSE_INTERCEPT_SOLVERS:
            raise ValueError(
                f"solver='{solver}' does not support fitting the intercept "
                "on sparse data. Please set the solver to 'auto' or "
                "'lsqr', 'sparse_cg', 'sag', 'lbfgs' "
                "or set `fit_intercept=False`"
            )
        if solver == "svd":
            raise TypeError("SVD solver does not support sparse inputs currently")
        is_loose = self.max_iter is None and self.tol > 1e-4
        if solver == "sag" and self.fit_intercept and is_loose:
            warnings.warn(
                '"sag" solver requires many iterations to fit '
                "an intercept with sparse inputs. Either set the "
                'solver to "auto" or "sparse_cg", or set a low '
                '"tol" and a high "max_iter" (especially if inputs are '
                "not standardized).",
                stacklevel=4,
            )

    def _fit_validated(self, X, Y, sample_weight):
        """Fit validated X and targets; set the attributes."""
        self._check_solver(sparse.issparse(X))
        problem = make_problem(
            self,
            X,
            Y,
            validate_weights(sample_weight, X),
            fit_intercept=self.fit_intercept,
        )
        alphas = self._expand_alpha(problem.B.shape[1])
        self.n_iter_ = None
        coef, intercept = self._solve(problem, alphas)
        set_coefficients(
            self, coef, intercept, X.dtype, is_1d=Y.ndim == 1, flatten=True
        )
        return self

    def _expand_alpha(self, n_outputs):
        """One penalty a target."""
        alphas = np.asarray(self.alpha, dtype=np.float64).ravel()
        if len(alphas) not in (1, n_outputs):
            raise ValueError(
                "Number of targets and number of penalties do not correspond: "
                f"{len(alphas)} != {n_outputs}"
            )
        if not (alphas >= 0).all() or not np.isfinite(alphas).all():
            raise ValueError(f"alpha must be finite and not negative, got {alphas}.")
        return np.broadcast_to(alphas, n_outputs)

    def _solve(self, problem, alphas):
        """The coefficients (n_features, n_outputs) and intercepts of a problem."""
        solver = self.solver
        if self.positive:
            return self._solve_positive(problem, alphas)
        if solver == "auto":
            is_direct = has_small_side(problem.A.design)
            solver = "cholesky" if is_direct else "sparse_cg"
            result = None
            if is_direct and costs_little(problem.A.design):
                result = self._try_iterations(problem, alphas)
            if result is not None:
                return result
        if solver in ITERATIVE_SOLVERS:
            return self._iterate(problem, alphas, solver)
        solution = solve_ridge(problem, alphas, solver)
        self.solver_ = solution.method
        return solution.coef, solution.intercept

    def _solve_positive(self, problem, alphas):
        self.solver_ = "lbfgs"
        max_iter = 15_000 if self.max_iter is None else self.max_iter
        coef, has_converged = solve_nonnegative_ridge(problem, alphas, max_iter)
        if not has_converged:
            warnings.warn(
                "The lbfgs solver did not converge. Try increasing max_iter "
                f"or tol. Currently: max_iter={self.max_iter} and tol={self.tol}",
                ConvergenceWarning,
                stacklevel=5,
            )
        return coef, problem.intercept(coef)

    def _try_iterations(self, problem, alphas):
        """What LSQR finds if a few iterations are as good as a direct method."""
        tol = min(self.tol, TOL_OF_TRIAL)
        result = solve_lsqr(
            problem.A,
            problem.B,
            alphas,
            tol=tol,
            max_iter=N_TRIED,
            stop_by_gradient=True,
        )
        if not result.has_converged.all():
            return None
        self.solver_ = "sparse_cg"
        return result.coef, problem.intercept(result.coef)

    def _iterate(self, problem, alphas, solver):
        """LSQR, whose rule of stopping is that of the solver's name."""
        self.solver_ = solver
        max_iter = self.max_iter
        if max_iter is None:
            max_iter = max(1000, 10 * min(problem.A.n_rows, problem.A.n_columns))
        result = solve_lsqr(
            problem.A,
            problem.B,
            alphas,
            tol=self.tol,
            max_iter=max_iter,
            stop_by_gradient=solver != "lsqr",
        )
        if solver != "sparse_cg":
            self.n_iter_ = result.n_iter
        if not result.has_converged.all():
            warnings.warn(
                f"{solver} did not converge after {max_iter} iterations. Increase "
                "max_iter or tol, scale the columns of X, or use solver='auto'.",
                ConvergenceWarning,
                stacklevel=5,
            )
        return result.coef, problem.intercept(result.coef)


@document_categories
class Ridge(
    _RidgeFit,
    LinearRegressorPrediction,
    InferenceMixin,
    sklearn.linear_model.Ridge,
):
    """Least squares with a penalty on the squares of the coefficients.

    It minimises, for each target::

        sum_i w_i (y_i - x_i' coef - intercept)^2 + alpha * sum_j coef_j^2

    Tall data are solved through the Gram matrix of the centred columns, wide data
    through the kernel matrix of the rows [1]_; either is formed in one pass over `X`.
    Where it is too ill-conditioned, a QR decomposition takes over.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, not negative; an array has one for each target.
        ``alpha=0`` is least squares of minimum norm.

    fit_intercept : bool, default=True
        Whether to fit an intercept. False is for data that are centred.

    copy_X : bool, default=True
        `X` is never overwritten; the parameter is there for compatibility.

    max_iter : int or None, default=None
        Iterations of the iterative solvers at most. None means 1000, or ten times the
        smaller side of `X` if that is more; 15000 with ``positive=True``.

    tol : float, default=1e-4
        Precision of the iterative solvers. 'sparse_cg', 'sag' and 'saga' stop where
        the norm of the gradient is `tol` times the one at zero; 'lsqr' where the
        residual is `tol` times what rounding of `X` and `y` by `tol` would explain, or
        the gradient `tol` times the norms of `X` and of the residual.

    solver : {'auto', 'svd', 'cholesky', 'lsqr', 'sparse_cg', 'sag', 'saga', 'lbfgs'}, \
            default='auto'
        All reach the same optimum.

        - 'auto' is 'cholesky', save for sparse `X`: with more than 512 rows and more
          than 512 columns it is 'sparse_cg' to a precision of 1e-8 if 60 iterations
          are enough for that, and with more than 4096 of both 'sparse_cg' to `tol`.
        - 'cholesky' factorises the Gram or the kernel matrix, and changes to 'svd' (or
          'lsqr', if `X` is sparse) where that is too ill-conditioned.
        - 'svd' takes the singular values of the triangle of a QR decomposition. Of
          dense `X` only.
        - 'lsqr', 'sparse_cg', 'sag' and 'saga' run LSQR [2]_, which needs products with
          `X` alone, and differ in the rule of stopping. None of them draws rows.
        - 'lbfgs' is for ``positive=True`` only, and runs an active set method [3]_.

    positive : bool, default=False
        Whether coefficients must not be negative. All levels of categorical features
        then have one.

    random_state : int, RandomState instance or None, default=None
        Not used: nothing is drawn at random.

    {categorical_features}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of `X`.

    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0.0 with ``fit_intercept=False``.

    n_iter_ : None or ndarray of shape (n_targets,)
        Iterations of 'lsqr', 'sag' and 'saga'; None of the other solvers.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if `X` has names that are all strings.

    solver_ : str
        The solver that was used.

    See Also
    --------
    RidgeCV : Chooses alpha by cross-validation.
    RidgeClassifier : Ridge regression on signs.
    LinearRegression : Without a penalty.

    References
    ----------
    .. [1] C. Saunders, A. Gammerman and V. Vovk (1998), "Ridge regression learning
       algorithm in dual variables", ICML, section 3.
    .. [2] C. C. Paige and M. A. Saunders (1982), "LSQR: an algorithm for sparse linear
       equations and sparse least squares", ACM Transactions on Mathematical Software
       8, sections 4 to 6.
    .. [3] C. L. Lawson and R. J. Hanson (1974), "Solving Least Squares Problems",
       chapter 23.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import Ridge
    >>> X = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    >>> y = np.array([-1.0, 1.0, 3.0])
    >>> model = Ridge(alpha=1.0).fit(X, y)
    >>> model.coef_.round(6)
    array([ 1.25, -0.25])
    >>> float(model.intercept_.round(6))
    1.0
    """

    _parameter_constraints = _CONSTRAINTS

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-4,
        solver="auto",
        positive=False,
        random_state=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
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
        X, y = self._validate(X, y, sample_weight)
        return self._fit_validated(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        return tags


class RidgeClassifierLabels(LinearClassifierPrediction):
    """Classes as columns of -1 and 1, and back again."""

    def _encode_labels(self, X, y, sample_weight):
        """Learn the classes; return a column of signs a class, and the weights.

        Two classes share a column; a label of several has its own.
        """
        self._label_binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
        Y = self._label_binarizer.fit_transform(y)
        if not self._is_multilabel():
            y = column_or_1d(y, warn=True)
        if self.class_weight:
            class_weights = compute_sample_weight(self.class_weight, y)
            if sample_weight is None:
                sample_weight = class_weights
            else:
                sample_weight = validate_weights(sample_weight, X) * class_weights
        return Y.astype(np.float64), y, sample_weight

    @property
    def classes_(self):
        # Not set by fit: the parent of older scikit-learn has it without a setter.
        return self._label_binarizer.classes_

    @classes_.setter
    def classes_(self, classes):
        # For `from_sklearn`, which copies the attributes of a model one by one.
        self._label_binarizer.classes_ = classes

    def _is_multilabel(self):
        return self._label_binarizer.y_type_.startswith("multilabel")

    def predict(self, X):
        """Predict the class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Labels; of several labels a row, an indicator matrix.
        """
        if "_label_binarizer" not in self.__dict__ or not self._is_multilabel():
            return super().predict(X)
        scores = self.decision_function(X)
        return self._label_binarizer.inverse_transform(np.where(scores > 0, 1.0, -1.0))


@document_categories
class RidgeClassifier(
    _RidgeFit, RidgeClassifierLabels, sklearn.linear_model.RidgeClassifier
):
    """Classifier by ridge regression on signs.

    Each class becomes a target of 1 for its rows and -1 for the others (two classes
    share one target), and the class with the largest prediction is taken. All targets
    are solved for at once, as in :class:`Ridge`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, not negative.

    fit_intercept : bool, default=True
        Whether to fit an intercept. False is for data that are centred.

    copy_X : bool, default=True
        `X` is never overwritten; the parameter is there for compatibility.

    max_iter : int or None, default=None
        Iterations of the iterative solvers at most; see :class:`Ridge`.

    tol : float, default=1e-4
        Precision of the iterative solvers; see :class:`Ridge`.

    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, ``{label: weight}``, by which the weights of their rows
        are multiplied. 'balanced' means ``n_samples / (n_classes * n_rows_of_class)``.

    solver : {'auto', 'svd', 'cholesky', 'lsqr', 'sparse_cg', 'sag', 'saga', 'lbfgs'}, \
            default='auto'
        See :class:`Ridge`.

    positive : bool, default=False
        Whether coefficients must not be negative. All levels of categorical features
        then have one.

    random_state : int, RandomState instance or None, default=None
        Not used: nothing is drawn at random.

    {categorical_features}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_classes, n_features)
        Coefficients; of one dimension with two classes.

    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; 0.0 with ``fit_intercept=False``.

    n_iter_ : None or ndarray of shape (n_targets,)
        Iterations of 'lsqr', 'sag' and 'saga'; None of the other solvers.

    classes_ : ndarray of shape (n_classes,)
        The labels.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if `X` has names that are all strings.

    solver_ : str
        The solver that was used.

    See Also
    --------
    Ridge : The regression.
    RidgeClassifierCV : Chooses alpha by cross-validation.

    References
    ----------
    R. Rifkin and A. Klautau (2004), "In defense of one-vs-all classification", Journal
    of Machine Learning Research 5, section 3 (regularised least squares).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import RidgeClassifier
    >>> X = np.array([[0.0], [1.0], [4.0], [5.0]])
    >>> model = RidgeClassifier().fit(X, ["low", "low", "high", "high"])
    >>> model.predict([[1.5], [3.5]]).tolist()
    ['low', 'high']
    """

    _parameter_constraints = {
        **_CONSTRAINTS,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-4,
        class_weight=None,
        solver="auto",
        positive=False,
        random_state=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, or an indicator matrix of several labels a row.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        X, y = self._validate(X, y, sample_weight, y_numeric=False)
        Y, _, sample_weight = self._encode_labels(X, y, sample_weight)
        return self._fit_validated(X, Y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        return tags
