"""Linear models fitted by stochastic gradient descent."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn import linear_model
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from sklearnx._compat import StrOptions, check_partial_fit_first_call, fit_context
from sklearnx._cython.common.elementary import map_expit
from sklearnx._threads import n_threads_for
from sklearnx.linear_model._prediction import (
    LinearClassifierPrediction,
    LinearRegressorPrediction,
)
from sklearnx.linear_model._sgd_docs import SQUARED_LOSSES, describe_descent
from sklearnx.linear_model._stochastic_descent import (
    CONSTRAINTS,
    NO_VALIDATION_WEIGHT,
    StochasticDescent,
    check_initial,
)

_SHARED_LOSSES = {
    "squared_error",
    "huber",
    "epsilon_insensitive",
    "squared_epsilon_insensitive",
}
_CLASSIFIER_LOSSES = _SHARED_LOSSES | {
    "hinge",
    "squared_hinge",
    "perceptron",
    "log_loss",
    "modified_huber",
}


def _has_probabilities(estimator):
    if estimator.loss not in ("log_loss", "modified_huber"):
        raise AttributeError(
            f"probability estimates are not available for loss={estimator.loss!r}"
        )
    return True


class SGDClassifier(
    LinearClassifierPrediction, StochasticDescent, linear_model.SGDClassifier
):
    __doc__ = describe_descent(
        summary="Linear classifiers fitted by stochastic gradient descent.\n\n"
        "Several classes are told apart by one model each, against all others.",
        loss="loss : str, default='hinge'\n"
        "    The loss of a row, with classes y = -1 and 1:\n\n"
        "    - 'hinge': ``max(0, 1 - y p)``, a linear support vector machine.\n"
        "    - 'log_loss': ``log(1 + exp(-y p))``, logistic regression.\n"
        "    - 'modified_huber': the squared hinge, linear from y p = -1 down; it has\n"
        "      probabilities.\n"
        "    - 'squared_hinge': the square of the hinge.\n"
        "    - 'perceptron': ``max(0, -y p)``.\n" + SQUARED_LOSSES,
        n_jobs="n_jobs : int or None, default=None\n"
        "    Threads that share the models of several classes. None and -1 mean\n"
        "    all cores. It changes no bit of the result.\n",
        class_weight="class_weight : dict, 'balanced' or None, default=None\n"
        "    Weights of the classes, which those of rows are multiplied by.\n"
        "    'balanced' is ``n_samples / (n_classes * n_samples_of_class)``, None is\n"
        "    1.\n",
        learning_rate="optimal",
        power_t=0.5,
        pa_loss="hinge",
        score="accuracy, of each class against all others",
        attributes="coef_ : ndarray of shape (1, n_features) or "
        "(n_classes, n_features)\n"
        "    Coefficients; one row where there are two classes.\n"
        "intercept_ : ndarray of shape (1,) or (n_classes,)\n"
        "    Intercepts.\n"
        "classes_ : ndarray of shape (n_classes,)\n"
        "    Labels of the classes, sorted.",
        n_iter="; of several classes, that of the class that took the most",
        see_also="LogisticRegression : The same model as 'log_loss', solved exactly.\n"
        "SGDRegressor : The same for numbers.",
        example=">>> import numpy as np\n"
        ">>> from sklearnx.linear_model import SGDClassifier\n"
        ">>> X = np.array([[-1.0, -1.0], [-2.0, -1.0], [1.0, 1.0], [2.0, 1.0]])\n"
        ">>> y = np.array(['low', 'low', 'high', 'high'])\n"
        ">>> SGDClassifier(random_state=0).fit(X, y).predict([[-0.8, -1.0]])\n"
        "array(['low'], dtype='<U4')",
    )

    _parameter_constraints: dict = {
        **CONSTRAINTS,
        "loss": [StrOptions(_CLASSIFIER_LOSSES)],
        "n_jobs": [Integral, None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }
    _pa_loss = "hinge"

    def __init__(
        self,
        loss="hinge",
        *,
        penalty="l2",
        alpha=0.0001,
        l1_ratio=0.15,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-3,
        shuffle=True,
        verbose=0,
        epsilon=0.1,
        n_jobs=None,
        random_state=None,
        learning_rate="optimal",
        eta0=0.01,
        power_t=0.5,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        class_weight=None,
        warm_start=False,
        average=False,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.epsilon = epsilon
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.average = average

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to learn from.

        y : array-like of shape (n_samples,)
            Their classes.

        coef_init : array-like of shape (n_classes, n_features), default=None
            Coefficients to begin with; of shape (1, n_features) or (n_features,) where
            there are two classes.

        intercept_init : array-like of shape (n_classes,), default=None
            Intercepts to begin with; one where there are two classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, 1 if None.

        Returns
        -------
        self : object
        """
        self._check_parameters()
        X, y = self._check_rows(X, y, reset=True)
        if self.warm_start and hasattr(self, "coef_"):
            coef_init = self.coef_ if coef_init is None else coef_init
            intercept_init = (
                self.intercept_ if intercept_init is None else intercept_init
            )
        self.classes_ = np.unique(y)
        check_classification_targets(self.classes_)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise ValueError(
                "The number of classes has to be greater than one;"
                f" got {n_classes} class"
            )
        has_converged = self._learn(
            X, y, sample_weight, self.max_iter, coef_init, intercept_init, begins=True
        )
        self._warn_after_fit(has_converged)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Run one epoch over some rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to learn from.

        y : array-like of shape (n_samples,)
            Their classes.

        classes : array-like of shape (n_classes,), default=None
            All classes that any call will see. Required at the first call.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, 1 if None.

        Returns
        -------
        self : object
        """
        is_first = not hasattr(self, "classes_")
        if is_first:
            self._check_parameters(for_partial_fit=True)
            if self.class_weight == "balanced":
                raise ValueError(
                    "class_weight 'balanced' is not supported for partial_fit. In order"
                    " to use 'balanced' weights, use compute_class_weight('balanced',"
                    " classes=classes, y=y). In place of y you can use a large enough"
                    " sample of the full training set target to properly estimate the"
                    " class frequency distributions. Pass the resulting weights as the"
                    " class_weight parameter."
                )
        X, y = self._check_rows(X, y, reset=is_first)
        check_partial_fit_first_call(self, classes)
        begins = not hasattr(self, "coef_")
        self._learn(X, y, sample_weight, max_iter=1, begins=begins)
        return self

    def _learn(
        self,
        X,
        y,
        sample_weight,
        max_iter,
        coef_init=None,
        intercept_init=None,
        *,
        begins,
    ):
        """Go on with the descent; whether it has converged."""
        codes = self._encode(y)
        weights = self._weigh_classes(y)
        has_weights = sample_weight is not None
        if self.early_stopping and has_weights and not np.any(sample_weight):
            raise ValueError(NO_VALIDATION_WEIGHT)
        sample_weight = self._check_weights(sample_weight, X)
        is_held_back = self._hold_back_rows(
            StratifiedShuffleSplit, codes, sample_weight
        )
        n_classes = len(self.classes_)
        if n_classes == 2:
            outputs = np.array([[1.0, weights[1], weights[0]]])
        else:
            outputs = np.column_stack(
                [np.arange(n_classes), weights, np.ones(n_classes)]
            )
        start = None
        if begins:
            n_outputs = len(outputs)
            end = "coef_init" if n_outputs == 1 else "``coef_``"
            coef = check_initial(
                coef_init,
                (n_outputs, X.shape[1]),
                f"Provided {end} does not match dataset.",
            )
            intercept = check_initial(
                intercept_init,
                (n_outputs,),
                "Provided intercept_init does not match dataset.",
            )
            start = coef, intercept
        return self._descend(
            X, codes, sample_weight, is_held_back, max_iter, start, outputs, self.n_jobs
        )

    def _encode(self, y):
        """The position of each label in `classes_`, as float64."""
        codes = np.searchsorted(self.classes_, y)
        if len(self.classes_) > 0:
            is_known = self.classes_[np.minimum(codes, len(self.classes_) - 1)] == y
            if not np.all(is_known):
                raise ValueError(
                    "classes should include all valid labels that can be in y"
                )
        return codes.astype(np.float64)

    def _weigh_classes(self, y):
        if self.class_weight is None:
            return np.ones(len(self.classes_))
        if self.class_weight != "balanced":
            # Its check of y against the classes has been made.
            y = self.classes_
        return compute_class_weight(self.class_weight, classes=self.classes_, y=y)

    @available_if(_has_probabilities)
    def predict_proba(self, X):
        """Probabilities of the classes.

        Those of several classes are those of each against all others, divided by their
        sum (Zadrozny and Elkan, "Transforming classifier scores into multiclass
        probability estimates", KDD 2002). 'modified_huber' takes the score, clipped to
        -1 and 1, linearly to 0 and 1 (Zhang and Oles, "Text categorization based on
        regularized linear classification methods", Information Retrieval 2001).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        scores = self.decision_function(X)
        dtype = scores.dtype
        positive = np.empty(scores.shape)
        if self.loss == "log_loss":
            scores = np.ascontiguousarray(scores, dtype=np.float64)
            map_expit(
                scores.reshape(-1), positive.reshape(-1), n_threads_for(scores.size)
            )
        else:
            np.minimum(np.maximum(scores, -1.0), 1.0, out=positive)
            positive += 1.0  # from 0 to 2
        if scores.ndim == 1:
            if self.loss == "modified_huber":
                positive *= 0.5
            probabilities = np.empty((len(scores), 2), dtype=dtype)
            probabilities[:, 1] = positive
            np.subtract(1.0, positive, out=probabilities[:, 0], casting="same_kind")
            return probabilities
        sums = np.add.reduce(positive, axis=1, keepdims=True)
        if not sums.all():
            # Where no class is likely, all are equally so.
            is_blank = sums[:, 0] == 0
            positive[is_blank] = 1
            sums[is_blank] = positive.shape[1]
        positive /= sums
        return positive.astype(dtype, copy=False)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            -inf for probabilities of 0, which 'modified_huber' has.
        """
        return np.log(self.predict_proba(X))


class SGDRegressor(
    LinearRegressorPrediction, StochasticDescent, linear_model.SGDRegressor
):
    __doc__ = describe_descent(
        summary="Linear regression fitted by stochastic gradient descent.",
        loss="loss : str, default='squared_error'\n"
        "    The loss of a row:\n\n" + SQUARED_LOSSES,
        n_jobs="",
        class_weight="",
        learning_rate="invscaling",
        power_t=0.25,
        pa_loss="epsilon_insensitive",
        score="the coefficient of determination",
        attributes="coef_ : ndarray of shape (n_features,)\n"
        "    Coefficients.\n"
        "intercept_ : ndarray of shape (1,)\n"
        "    Intercept.",
        n_iter="",
        see_also="Ridge, ElasticNet : Models of squared errors, solved exactly.\n"
        "HuberRegressor, QuantileRegressor : Models that outliers change less.\n"
        "SGDClassifier : The same for classes.",
        example=">>> import numpy as np\n"
        ">>> from sklearnx.linear_model import SGDRegressor\n"
        ">>> X = np.linspace(-1, 1, 200).reshape(-1, 1)\n"
        ">>> y = 3 * X[:, 0] + 1\n"
        ">>> model = SGDRegressor(alpha=0, tol=1e-6, random_state=0).fit(X, y)\n"
        ">>> model.predict([[0.5]]).round(1)\n"
        "array([2.5])",
    )

    _parameter_constraints: dict = {
        **CONSTRAINTS,
        "loss": [StrOptions(_SHARED_LOSSES)],
    }
    _pa_loss = "epsilon_insensitive"

    def __init__(
        self,
        loss="squared_error",
        *,
        penalty="l2",
        alpha=0.0001,
        l1_ratio=0.15,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-3,
        shuffle=True,
        verbose=0,
        epsilon=0.1,
        random_state=None,
        learning_rate="invscaling",
        eta0=0.01,
        power_t=0.25,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        warm_start=False,
        average=False,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.epsilon = epsilon
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.average = average

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to learn from.

        y : array-like of shape (n_samples,)
            The numbers to predict.

        coef_init : array-like of shape (n_features,), default=None
            Coefficients to begin with.

        intercept_init : array-like of shape (1,), default=None
            Intercept to begin with.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, 1 if None.

        Returns
        -------
        self : object
        """
        self._check_parameters()
        X, y = self._check_rows(X, y, reset=True)
        if self.warm_start and hasattr(self, "coef_"):
            coef_init = self.coef_ if coef_init is None else coef_init
            intercept_init = (
                self.intercept_ if intercept_init is None else intercept_init
            )
        has_converged = self._learn(
            X, y, sample_weight, self.max_iter, coef_init, intercept_init, begins=True
        )
        self._warn_after_fit(has_converged)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Run one epoch over some rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to learn from.

        y : array-like of shape (n_samples,)
            The numbers to predict.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, 1 if None.

        Returns
        -------
        self : object
        """
        is_first = not hasattr(self, "coef_")
        if is_first:
            self._check_parameters(for_partial_fit=True)
        X, y = self._check_rows(X, y, reset=is_first)
        self._learn(X, y, sample_weight, max_iter=1, begins=is_first)
        return self

    def _learn(
        self,
        X,
        y,
        sample_weight,
        max_iter,
        coef_init=None,
        intercept_init=None,
        *,
        begins,
    ):
        """Go on with the descent; whether it has converged."""
        y = y.astype(X.dtype, copy=False)
        sample_weight = self._check_weights(sample_weight, X)
        is_held_back = self._hold_back_rows(ShuffleSplit, y, sample_weight)
        start = None
        if begins:
            coef = check_initial(
                coef_init, (X.shape[1],), "Provided coef_init does not match dataset."
            )
            intercept = check_initial(
                intercept_init, (1,), "Provided intercept_init does not match dataset."
            )
            start = coef, intercept
        return self._descend(X, y, sample_weight, is_held_back, max_iter, start)
