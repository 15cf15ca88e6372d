"""What models fitted by stochastic gradient descent share."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sklearnx._compat import Interval, StrOptions, check_sample_weight
from sklearnx._glm.sgd import SPARSE_INTERCEPT_DECAY, Descent, make_options
from sklearnx._threads import effective_n_threads
from sklearnx._validation import validate_data

CONSTRAINTS: dict = {
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
_MAX_SEED = np.iinfo(np.int32).max
_AVERAGE_ATTRIBUTES = (
    "_standard_coef",
    "_standard_intercept",
    "_average_coef",
    "_average_intercept",
)
NO_VALIDATION_WEIGHT = (
    "The sample weights for validation set are all zero, consider using a different"
    " random state."
)


class StochasticDescent:
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
            raise ValueError(NO_VALIDATION_WEIGHT)
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


def _densify(coef):
    """The coefficients as an array, also after `sparsify`."""
    return coef.toarray() if sparse.issparse(coef) else coef


def check_initial(array, shape, message):
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
