"""Linear models fitted by stochastic gradient descent."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from textwrap import dedent, indent

import numpy as np
from scipy import sparse
from sklearn import linear_model
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sklearnx._compat import (
    Interval,
    StrOptions,
    check_partial_fit_first_call,
    check_sample_weight,
    fit_context,
)
from sklearnx._glm.sgd import SPARSE_INTERCEPT_DECAY, Descent, make_options
from sklearnx._threads import effective_n_threads
from sklearnx.linear_model._prediction import (
    LinearClassifierPrediction,
    LinearRegressorPrediction,
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
_MAX_SEED = np.iinfo(np.int32).max

_CONSTRAINTS: dict = {
    "penalty": [StrOptions({"l2", "l1", "elasticnet"}), None],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
    "fit_intercept": ["boolean"],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left"), None],
    "shuffle": ["boolean"],
    "verbose": ["verbose"],
    "epsilon": [Interval(Real, 0, None, closed="left")],
    "random_state": ["random_state"],
    "learning_rate": [
        StrOptions({"constant", "optimal", "invscaling", "adaptive", "pa1", "pa2"})
    ],
    "eta0": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, None, None, closed="neither")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "warm_start": ["boolean"],
    "average": [Interval(Integral, 0, None, closed="neither"), "boolean"],
}

# ---- documentation -------------------------------------------------------------------

_DOC = """
{summary}

Rows are taken one at a time, in a new random order in every epoch, and the coefficients
go a step against the gradient of the row's loss,

.. math::

    w \\leftarrow (1 - \\eta \\lambda_2) w - \\eta L'(y, x^T w + b) x, \\qquad
    b \\leftarrow b - \\eta L'(y, x^T w + b),

to minimise

.. math::

    \\frac1n \\sum_i L(y_i, x_i^T w + b)
    + \\frac{{\\lambda_2}}2 \\|w\\|_2^2 + \\lambda_1 \\|w\\|_1,

where :math:`\\lambda_2` is ``alpha * (1 - l1_ratio)`` and :math:`\\lambda_1` is
``alpha * l1_ratio``. Scale the features first: the rate is the same for all of them.

The class is a subclass of scikit-learn's of the same name, with its parameters,
attributes and messages. The rows come in an order of our own, so that coefficients
differ in the digits that depend on the order.

Parameters
----------
{loss}
penalty : {{'l2', 'l1', 'elasticnet'}} or None, default='l2'
    What is added to the loss: the squares of the coefficients, their absolute values,
    both, or nothing. With 'l1' and 'elasticnet' coefficients become exactly 0 [2]_.
alpha : float, default=0.0001
    Strength of the penalty, at least 0. The learning rate 'optimal' depends on it too,
    and needs it to be above 0.
l1_ratio : float or None, default=0.15
    Share of the absolute values in the penalty 'elasticnet', from 0 to 1. May be None
    with other penalties, which do not use it.
fit_intercept : bool, default=True
    Whether to fit an intercept. It learns 100 times slower on sparse data.
max_iter : int, default=1000
    Largest number of epochs of `fit`, at least 1. `partial_fit` runs one.
tol : float or None, default=1e-3
    Training ends when `n_iter_no_change` epochs in a row have not brought the mean of
    the objective (or, with `early_stopping`, the validation score) further than this
    beyond the best one. None means to run `max_iter` epochs.
shuffle : bool, default=True
    Whether each epoch takes the rows in a new random order.
verbose : int, default=0
    Above 0, each epoch prints a report.
epsilon : float, default=0.1
    For 'huber', the error from which on the loss is linear; for the
    epsilon-insensitive losses, the error up to which it is 0. At least 0.
{n_jobs}random_state : int, RandomState instance or None, default=None
    Draws the order of rows and the validation rows. An int makes results repeatable.
learning_rate : str, default='{learning_rate}'
    The rate :math:`\\eta` of update t, which counts from 1:

    - 'constant': `eta0`.
    - 'optimal': ``1 / (alpha * (t0 + t - 1))``, with ``t0`` such that it begins with
      ``alpha ** -0.25`` [1]_.
    - 'invscaling': ``eta0 / t ** power_t``.
    - 'adaptive': `eta0`, divided by 5 instead of stopping, until it is below 1e-6.
    - 'pa1' and 'pa2': passive-aggressive, only for the loss '{pa_loss}'. The step is
      ``min(eta0, loss / ||x||**2)``, or ``loss / (||x||**2 + 1 / (2 * eta0))`` [3]_.
eta0 : float, default=0.01
    The rate that 'constant', 'invscaling' and 'adaptive' begin with, and the
    aggressiveness of 'pa1' and 'pa2'. Above 0.
power_t : float, default={power_t}
    Exponent of 'invscaling', at least 0.

    .. deprecated:: 1.8
        Values below 0 will raise an error in scikit-learn 1.10.
early_stopping : bool, default=False
    Whether to hold back some rows and to stop by the score on them ({score}).
validation_fraction : float, default=0.1
    Share of the rows that `early_stopping` holds back, between 0 and 1.
n_iter_no_change : int, default=5
    Number of epochs without improvement after which to stop, at least 1.
{class_weight}warm_start : bool, default=False
    Whether `fit` begins with the coefficients of the last fit.
average : bool or int, default=False
    Whether `coef_` is the mean of the coefficients after all updates [4]_. An int is
    the update from which on to average.

Attributes
----------
{attributes}
n_iter_ : int
    Number of epochs of the last fit{n_iter}.
t_ : float
    1 plus the number of rows seen, in all epochs.
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the features, where `X` had some that are all strings.

See Also
--------
{see_also}

Notes
-----
What a coefficient still owes of an l1 penalty when training ends, because no row with
its feature came any more, is taken off then, also at the end of each `partial_fit`.

Sums are float64 also where the data are float32; `coef_` has the dtype of the data.
Dense rows are read where they are, whatever the distance between them; only arrays in
Fortran order are copied.

References
----------
.. [1] L. Bottou, "Stochastic gradient descent tricks", Neural Networks: Tricks of the
   Trade, 2012.
.. [2] Y. Tsuruoka, J. Tsujii, S. Ananiadou, "Stochastic gradient descent training for
   L1-regularized log-linear models with cumulative penalty", ACL 2009, section 3.
.. [3] K. Crammer, O. Dekel, J. Keshet, S. Shalev-Shwartz, Y. Singer, "Online
   passive-aggressive algorithms", JMLR 7, 2006, equation 7.
.. [4] B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by
   averaging", SIAM Journal on Control and Optimization 30, 1992.

Examples
--------
{example}
"""

_SQUARED_LOSSES = """\
    - 'squared_error': half the square of the error.
    - 'huber': the same up to an error of `epsilon`, linear beyond.
    - 'epsilon_insensitive': what the error exceeds `epsilon` by.
    - 'squared_epsilon_insensitive': the square of that."""


def _describe(**parts):
    return indent(dedent(_DOC.format(**parts)), "    ").strip() + "\n    "


# ---- what classifier and regressor share ---------------------------------------------


class _StochasticDescent:
    """Checks, splits and the descent; the models differ in their targets."""

    def _check_parameters(self, for_partial_fit=False):
        if self.early_stopping and for_partial_fit:
            raise ValueError("early_stopping should be False with partial_fit")
        if self.learning_rate == "optimal" and self.alpha == 0:
            raise ValueError(
                "alpha must be > 0 since learning_rate is 'optimal'. alpha is used to"
                " compute the optimal learning rate."
            )
        if self.learning_rate in ("pa1", "pa2") and self.loss != self._pa_loss:
            raise ValueError(
                f"Learning rate '{self.learning_rate}' only works with loss"
                f" '{self._pa_loss}'."
            )
        if self.penalty == "elasticnet" and self.l1_ratio is None:
            raise ValueError("l1_ratio must be set when penalty is 'elasticnet'")

    def _check_rows(self, X, y, *, reset):
        return validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            reset=reset,
        )

    def _check_weights(self, sample_weight, X):
        """Weights as an array, None for ones."""
        if sample_weight is None:
            return None
        sample_weight = check_sample_weight(sample_weight, X, dtype=X.dtype)
        if not sample_weight.any():
            raise ValueError(
                "Sample weights must contain at least one non-zero number."
            )
        return sample_weight

    def _hold_back_rows(self, splitter, y, sample_weight):
        """A mask of the rows to stop by, None for none."""
        if not self.early_stopping:
            return None
        n_rows = len(y)
        splitter = splitter(
            test_size=self.validation_fraction, random_state=self.random_state
        )
        train, validation = next(splitter.split(np.zeros((n_rows, 1)), y))
        if len(train) == 0 or len(validation) == 0:
            raise ValueError(
                f"Splitting {n_rows} samples into a train set and a validation set with"
                f" validation_fraction={self.validation_fraction!r} led to an empty set"
                f" ({len(train)} and {len(validation)} samples). Please either change"
                " validation_fraction, increase number of samples, or disable"
                " early_stopping."
            )
        if sample_weight is not None and not sample_weight[validation].any():
            raise ValueError(_NO_VALIDATION_WEIGHT)
        mask = np.zeros(n_rows, dtype=bool)
        mask[validation] = True
        return mask

    def _descend(
        self,
        X,
        targets,
        sample_weight,
        is_held_back,
        max_iter,
        start=None,
        classes=None,
        n_jobs=1,
    ):
        """Run the descent, set the attributes; whether it has converged.

        `start` is a new array of coefficients and one of intercepts, None to go on from
        where the attributes say.
        """
        n_outputs, n_features = 1 if classes is None else len(classes), X.shape[1]
        shape = (n_features,) if classes is None else (n_outputs, n_features)
        dtype = X.dtype
        average = None
        if start is not None:
            self.t_ = 1.0
            for name in _AVERAGE_ATTRIBUTES:
                self.__dict__.pop(name, None)
        else:
            dtype = self.coef_.dtype
            start = _densify(self.coef_), self.intercept_
            if self.average and hasattr(self, "_standard_coef"):
                start = self._standard_coef, self._standard_intercept
                average = self._average_coef, self._average_intercept
            start = tuple(array.astype(np.float64) for array in start)
        descent = Descent(start[0].reshape(n_outputs, n_features), start[1])
        if self.average:
            if average is None:
                average = np.zeros((n_outputs, n_features)), np.zeros(n_outputs)
            average_coef, average_intercept = average
            shaped = average_coef.reshape(n_outputs, n_features)
            descent.average_coef = shaped.astype(np.float64)
            descent.average_intercept = average_intercept.astype(np.float64)
        descent.run(
            X,
            targets,
            sample_weight,
            is_held_back,
            self._make_options(sparse.issparse(X), max_iter),
            classes,
            n_threads=1 if n_outputs == 1 else effective_n_threads(n_jobs),
            report=_print_report if self.verbose else None,
        )
        self.n_iter_ = descent.n_iter
        self.t_ += descent.n_iter * X.shape[0]
        self._set_coef(descent, shape, dtype)
        return descent.has_converged

    def _make_options(self, is_sparse, max_iter):
        return make_options(
            loss=self.loss,
            epsilon=self.epsilon,
            penalty=self.penalty,
            alpha=self.alpha,
            l1_ratio=self.l1_ratio,
            learning_rate=self.learning_rate,
            eta0=float(self.eta0),
            power_t=float(self.power_t),
            fit_intercept=bool(self.fit_intercept),
            intercept_decay=SPARSE_INTERCEPT_DECAY if is_sparse else 1.0,
            average=self.average,
            shuffle=bool(self.shuffle),
            seed=check_random_state(self.random_state).randint(_MAX_SEED),
            first_t=float(self.t_),
            max_iter=min(int(max_iter), np.iinfo(np.int32).max),
            tol=self.tol,
            n_iter_no_change=min(int(self.n_iter_no_change), np.iinfo(np.int32).max),
            verbose=bool(self.verbose),
        )

    def _set_coef(self, descent, shape, dtype):
        self.coef_ = descent.coef.reshape(shape).astype(dtype, copy=False)
        self.intercept_ = descent.intercept.astype(dtype, copy=False)
        if not self.average:
            return
        self._standard_coef, self._standard_intercept = self.coef_, self.intercept_
        self._average_coef = descent.average_coef.reshape(shape).astype(dtype)
        self._average_intercept = descent.average_intercept.astype(dtype)
        if self.average <= self.t_ - 1.0:
            self.coef_, self.intercept_ = self._average_coef, self._average_intercept

    def _warn_after_fit(self, has_converged):
        if self.tol is not None and not has_converged:
            warnings.warn(
                "Maximum number of iteration reached before convergence. Consider"
                " increasing max_iter to improve the fit.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if self.power_t < 0:
            warnings.warn(
                "Negative values for `power_t` are deprecated in version 1.8 and will"
                " raise an error in 1.10. Use values in the range [0.0, inf) instead.",
                FutureWarning,
                stacklevel=3,
            )


_AVERAGE_ATTRIBUTES = (
    "_standard_coef",
    "_standard_intercept",
    "_average_coef",
    "_average_intercept",
)
_NO_VALIDATION_WEIGHT = (
    "The sample weights for validation set are all zero, consider using a different"
    " random state."
)


def _densify(coef):
    """The coefficients as an array, also after `sparsify`."""
    return coef.toarray() if sparse.issparse(coef) else coef


def _check_initial(array, shape, message):
    """A new array to begin with: zeros, or what the user or the last fit gives."""
    if array is None:
        return np.zeros(shape)
    array = np.array(_densify(array), dtype=np.float64)
    is_of_one_output = shape[0] == 1 or len(shape) == 1
    if is_of_one_output and array.size == np.prod(shape):
        return array.reshape(shape)
    if array.shape != shape:
        raise ValueError(message)
    return array


def _print_report(report):
    if report is None:
        return
    parts = [
        f"-- Epoch {report['epoch']}",
        f"Norm: {report['norm']:.2f}, NNZs: {report['n_nonzero']},"
        f" Bias: {report['intercept']:.6f}, T: {report['n_updates']:.0f},"
        f" Avg. loss: {report['mean_loss']:f}, Objective: {report['objective']:f}",
        f"Total training time: {report['seconds']:.2f} seconds.",
    ]
    if report["has_score"]:
        parts[1] += f", Validation score: {report['score']:f}"
    if report["has_converged"]:
        parts.append(
            f"Convergence after {report['epoch']} epochs took"
            f" {report['seconds']:.2f} seconds"
        )
    print("\n".join(parts))


# ---- classifier ----------------------------------------------------------------------


def _has_probabilities(estimator):
    if estimator.loss not in ("log_loss", "modified_huber"):
        raise AttributeError(
            f"probability estimates are not available for loss={estimator.loss!r}"
        )
    return True


class SGDClassifier(
    LinearClassifierPrediction, _StochasticDescent, linear_model.SGDClassifier
):
    __doc__ = _describe(
        summary="Linear classifiers fitted by stochastic gradient descent.\n\n"
        "Several classes are told apart by one model each, against all others.",
        loss="loss : str, default='hinge'\n"
        "    The loss of a row, with classes y = -1 and 1:\n\n"
        "    - 'hinge': ``max(0, 1 - y p)``, a linear support vector machine.\n"
        "    - 'log_loss': ``log(1 + exp(-y p))``, logistic regression.\n"
        "    - 'modified_huber': the squared hinge, linear from y p = -1 down; it has\n"
        "      probabilities.\n"
        "    - 'squared_hinge': the square of the hinge.\n"
        "    - 'perceptron': ``max(0, -y p)``.\n" + _SQUARED_LOSSES,
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
        **_CONSTRAINTS,
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
            raise ValueError(_NO_VALIDATION_WEIGHT)
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
            coef = _check_initial(
                coef_init,
                (n_outputs, X.shape[1]),
                f"Provided {end} does not match dataset.",
            )
            intercept = _check_initial(
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
        if self.loss == "log_loss":
            with np.errstate(over="ignore"):
                positive = 1.0 / (1.0 + np.exp(-scores))
        else:
            positive = (np.clip(scores, -1, 1) + 1) / 2
        if scores.ndim == 1:
            return np.column_stack([1 - positive, positive])
        sums = positive.sum(axis=1, keepdims=True)
        # Where no class is likely, all are equally so.
        is_blank = sums[:, 0] == 0
        positive[is_blank] = 1
        sums[is_blank] = positive.shape[1]
        return positive / sums

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


# ---- regressor -----------------------------------------------------------------------


class SGDRegressor(
    LinearRegressorPrediction, _StochasticDescent, linear_model.SGDRegressor
):
    __doc__ = _describe(
        summary="Linear regression fitted by stochastic gradient descent.",
        loss="loss : str, default='squared_error'\n"
        "    The loss of a row:\n\n" + _SQUARED_LOSSES,
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
        **_CONSTRAINTS,
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
            coef = _check_initial(
                coef_init, (X.shape[1],), "Provided coef_init does not match dataset."
            )
            intercept = _check_initial(
                intercept_init, (1,), "Provided intercept_init does not match dataset."
            )
            start = coef, intercept
        return self._descend(X, y, sample_weight, is_held_back, max_iter, start)
