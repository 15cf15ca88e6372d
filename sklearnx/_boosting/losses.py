"""Losses: what boosting asks of a loss, the built-in ones, and adapters of others.

A loss maps a target y and raw predictions f to a number that training makes small. Raw
predictions are planes of shape (n_outputs, n_rows); the inverse link maps them to means
or probabilities. The kernels are in sklearnx/_cython/boosting/loss_kernels.h, with the
formulas.

Gradients and hessians are those of single rows, without weights. Every sum over rows is
one that does not depend on their order or on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_scalar

from sklearnx._cython.boosting import losses as kernels
from sklearnx._cython.boosting.quantization import QuantizedGradients
from sklearnx._cython.common import elementary
from sklearnx._cython.common.reductions import (
    max_abs,
    sum_exact,
    weighted_quantile,
)

EPSILON = float(np.finfo(np.float64).eps)

# The search for a constant stops when its Newton step is lost in rounding.
MAX_NEWTON_ITERATIONS = 100
MAX_STEP = 4.0  # of links other than the identity


def _compute_mean(values, sample_weight, n_threads):
    if sample_weight is None:
        return sum_exact(values, None, n_threads) / len(values)
    sum_weights = sum_exact(sample_weight, None, n_threads)
    if sum_weights <= 0:
        raise ValueError("The sum of sample_weight must be positive.")
    return sum_exact(values, sample_weight, n_threads) / sum_weights


def _compute_quantile(values, sample_weight, quantile):
    result = weighted_quantile(values, sample_weight, quantile)
    if np.isnan(result):
        raise ValueError("The sum of sample_weight must be positive.")
    return result


def _map(function, raw, n_threads):
    out = np.empty_like(raw)
    function(raw, out, n_threads)
    return out


def _link_identity(mean):
    return mean


def _link_log(mean):
    return elementary.log(mean if mean > 0 else 10 * EPSILON)


def _link_logit(mean):
    # scikit-learn's clipping: one class alone starts at about -33.6 or 33.6.
    mean = min(max(mean, 10 * EPSILON), 1 - 10 * EPSILON)
    return elementary.log(mean / (1 - mean))


LINKS = {"identity": _link_identity, "log": _link_log, "logit": _link_logit}


class Loss:
    """Base of all losses.

    A subclass sets the class attributes and, if its kernel needs them, `options` (the
    arguments of its constructor, by the estimators' names) and the property `param`.

    Attributes
    ----------
    name : str
        Name of the loss.
    kernel : str
        Name in loss_kernels.h.
    link : {'identity', 'log', 'logit', 'softmax'}
        The mean or probability is the inverse link of the raw prediction.
    n_outputs : int
        Number of raw predictions per row; of trees per round as well, unless these have
        vector leaves (`MultiOutputLoss`).
    constant_hessian : bool
        Whether the hessian is 1; it is not written then.
    refits_leaves : bool
        Whether values of leaves come from `compute_leaf_values`, because the hessian
        says nothing about the loss.
    max_leaf_value : float
        Largest absolute value of a leaf before shrinkage, unless the user sets a limit.
    treats_rows_alike : bool
        Whether rows may be handed over in any order, and get the same bits in each.
    """

    name: str
    kernel: str
    link = "identity"
    n_outputs = 1
    constant_hessian = False
    refits_leaves = False
    max_leaf_value = np.inf
    treats_rows_alike = True
    options: tuple[str, ...] = ()

    @property
    def param(self) -> float:
        """Number that the kernel needs: a quantile, delta or power."""
        return 0.0

    def check_target(self, y: np.ndarray) -> None:
        """Raise ValueError if the loss is not defined for a target in `y`."""

    def compute_init_score(
        self,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        n_threads: int = 1,
        offset: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the constants that minimise the loss, before the first tree.

        Parameters
        ----------
        y : ndarray of shape (n_rows,)
            Target.
        sample_weight : ndarray of shape (n_rows,), default=None
            Weights.
        n_threads : int, default=1
            Number of threads.
        offset : ndarray of shape (n_outputs, n_rows), default=None
            Raw predictions that the constants are added to.

        Returns
        -------
        ndarray of shape (n_outputs,)
            The link of the weighted mean without offset, else the result of Newton
            steps on sums of gradients and hessians.
        """
        start = self._compute_link_of_mean(y, sample_weight, n_threads)
        if offset is None:
            return start
        return self._find_constant(y, sample_weight, n_threads, offset, start)

    def _compute_link_of_mean(self, y, sample_weight, n_threads):
        return np.array([LINKS[self.link](_compute_mean(y, sample_weight, n_threads))])

    def _find_constant(self, y, sample_weight, n_threads, offset, start):
        """Minimise the loss of offset + constant by safeguarded Newton steps.

        One output: the sum G of gradients increases with the constant, so that its
        signs bracket the root and a step that leaves the bracket becomes a bisection.
        Several (softmax): all at once with the diagonal of the hessian, damped by
        (K - 1) / K, the step of Friedman, Hastie and Tibshirani (2000), Annals of
        Statistics 28, 337-407, Algorithm 6.
        """
        n_outputs, n_rows = self.n_outputs, len(y)
        sum_weights = (
            float(n_rows)
            if sample_weight is None
            else sum_exact(sample_weight, None, n_threads)
        )
        is_identity = self.link == "identity"
        is_probability = self.link in ("logit", "softmax")
        damping = 1.0 if n_outputs == 1 else (n_outputs - 1) / n_outputs
        lower, upper = -np.inf, np.inf
        gradients = np.empty((n_outputs, n_rows))
        hessians = np.ones((n_outputs, n_rows))
        constant = [float(c) for c in start]
        for _ in range(MAX_NEWTON_ITERATIONS):
            raw = np.ascontiguousarray(
                np.broadcast_to(np.array(constant)[:, None], (n_outputs, n_rows))
                if offset is None
                else np.array(constant)[:, None] + offset
            )
            self.compute_gradients(y, raw, gradients, hessians, n_threads)
            steps = []
            for k in range(n_outputs):
                gradient = sum_exact(gradients[k], sample_weight, n_threads)
                hessian = sum_exact(hessians[k], sample_weight, n_threads)
                size = sum_exact(np.abs(gradients[k]), sample_weight, n_threads)
                scale = max(
                    size,
                    hessian * max(abs(constant[k]), 0.0 if is_identity else 1.0),
                    sum_weights if is_probability else 0.0,
                )
                if hessian <= 0 or abs(gradient) <= 16 * EPSILON * scale:
                    steps.append(0.0)
                    continue
                step = -damping * gradient / hessian
                if not is_identity:
                    step = min(max(step, -MAX_STEP), MAX_STEP)
                steps.append(step)
            previous = constant
            constant = [c + step for c, step in zip(constant, steps)]
            if constant == previous:
                break
            if n_outputs == 1:
                if gradient < 0:
                    lower = previous[0]
                else:
                    upper = previous[0]
                if not lower < constant[0] < upper:
                    constant = [0.5 * lower + 0.5 * upper]
        if self.link == "softmax" and constant != list(start):
            mean = sum(constant) / n_outputs
            constant = [c - mean for c in constant]
        return np.array(constant)

    def prepare_round(
        self,
        y: np.ndarray,
        raw: np.ndarray,
        sample_weight: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> None:
        """Set what depends on the current raw predictions, before each round."""

    def get_state(self) -> dict[str, float]:
        """Return the numbers that `prepare_round` has set, by attribute."""
        return {}

    def set_state(self, state: dict[str, float]) -> None:
        """Set what `get_state` returned."""
        vars(self).update(state)

    def compute_gradients(
        self,
        y: np.ndarray,
        raw: np.ndarray,
        gradients: np.ndarray,
        hessians: np.ndarray | None,
        n_threads: int = 1,
    ) -> None:
        """Write the gradients and hessians of single rows, without weights.

        Parameters
        ----------
        y : ndarray of shape (n_rows,)
            IN, target; the class as a float for several classes.
        raw : ndarray of shape (n_outputs, n_rows)
            IN, raw predictions.
        gradients : ndarray of shape (n_outputs, n_rows)
            OUT.
        hessians : ndarray of shape (n_outputs, n_rows)
            OUT; not written (None will do) if `constant_hessian`.
        n_threads : int, default=1
            Number of threads.
        """
        kernels.compute_gradients(
            self.kernel, y, raw, gradients, hessians, self.param, n_threads
        )

    def quantize_gradients(
        self,
        y: np.ndarray,
        raw: np.ndarray,
        quantized: Sequence[QuantizedGradients],
        n_threads: int = 1,
        first_output: int = 0,
    ) -> None:
        """Round gradients and hessians to integers, and keep nothing else of them.

        Parameters
        ----------
        y, raw, n_threads
            As for `compute_gradients`.
        quantized : sequence of QuantizedGradients
            INOUT, one for each output.
        first_output : int, default=0
            Number of the first output among those that rounds count.

        Raises
        ------
        FloatingPointError
            If any of them is not finite.
        """
        kernels.quantize_gradients(
            self.kernel,
            y,
            raw,
            quantized,
            has_hessians=not self.constant_hessian,
            first_output=first_output,
            param=self.param,
            n_threads=n_threads,
        )

    def compute_losses(
        self, y: np.ndarray, raw: np.ndarray, n_threads: int = 1
    ) -> np.ndarray:
        """Return the loss of each row, of shape (n_rows,)."""
        losses = np.empty(len(y))
        kernels.compute_losses(self.kernel, y, raw, losses, self.param, n_threads)
        return losses

    def compute_score(
        self,
        y: np.ndarray,
        raw: np.ndarray,
        sample_weight: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> float:
        """Return the weighted mean loss, without terms that depend on y alone."""
        losses = self.compute_losses(y, raw, n_threads)
        return _compute_mean(losses, sample_weight, n_threads)

    def compute_leaf_values(
        self,
        y: np.ndarray,
        raw: np.ndarray,
        sample_weight: np.ndarray | None,
        sample_indices: np.ndarray,
        leaf_offsets: np.ndarray,
        n_threads: int = 1,
    ) -> np.ndarray:
        """Return the constant of each leaf that minimises the loss of its rows.

        Only if `refits_leaves`.

        Parameters
        ----------
        y : ndarray of shape (n_rows,)
            Target.
        raw : ndarray of shape (n_outputs, n_rows)
            Raw predictions before the tree.
        sample_weight : ndarray of shape (n_rows,) or None
            Weights.
        sample_indices : ndarray of shape (n_samples,), int32 or uint32
            Rows, leaf by leaf.
        leaf_offsets : ndarray of shape (n_leaves + 1,), int64
            First place of each leaf in `sample_indices`.
        n_threads : int, default=1
            Number of threads.

        Returns
        -------
        ndarray of shape (n_leaves,)
            Values before the learning rate.
        """
        raise NotImplementedError(f"leaves of {self.name} follow from the hessian")

    def inverse_link(self, raw: np.ndarray, n_threads: int = 1) -> np.ndarray:
        """Return means of shape (n_rows,), or probabilities (n_rows, n_outputs)."""
        if self.link == "identity":
            return raw[0]
        if self.link == "log":
            return _map(elementary.map_exp, np.ascontiguousarray(raw[0]), n_threads)
        if self.link == "logit":
            return _map(elementary.map_expit, np.ascontiguousarray(raw[0]), n_threads)
        return self.predict_proba(raw, n_threads)

    def predict_proba(self, raw: np.ndarray, n_threads: int = 1) -> np.ndarray:
        """Return the probabilities of the classes, of shape (n_rows, n_classes)."""
        raw = np.ascontiguousarray(raw)
        if self.link == "logit":
            probabilities = np.empty((raw.shape[1], 2))
            kernels.map_binary_probabilities(raw[0], probabilities, n_threads)
        else:
            probabilities = np.empty((raw.shape[1], self.n_outputs))
            kernels.map_softmax(raw, probabilities, n_threads)
        return probabilities


class SquaredError(Loss):
    r"""Half the squared error, :math:`(y - f)^2 / 2`; the constant is the mean."""

    name = kernel = "squared_error"
    constant_hessian = True

    def compute_init_score(self, y, sample_weight=None, n_threads=1, offset=None):
        residual = y if offset is None else y - offset[0]
        return np.array([_compute_mean(residual, sample_weight, n_threads)])


class QuantileLoss(Loss):
    r"""Pinball loss :math:`q (y - f)_+ + (1 - q)(f - y)_+`; R. Koenker (2005).

    Constants and leaves are quantiles of y - f, by the averaged inverted distribution
    function (see `weighted_quantile`).

    Parameters
    ----------
    quantile : float
        The level q, between 0 and 1.
    """

    name = kernel = "quantile"
    constant_hessian = True
    refits_leaves = True
    options = ("quantile",)

    def __init__(self, quantile: float):
        check_scalar(
            quantile,
            "quantile",
            target_type=Real,
            min_val=0,
            max_val=1,
            include_boundaries="neither",
        )
        self.quantile = float(quantile)

    @property
    def param(self):
        """The quantile."""
        return self.quantile

    def compute_init_score(self, y, sample_weight=None, n_threads=1, offset=None):
        residual = y if offset is None else y - offset[0]
        return np.array([_compute_quantile(residual, sample_weight, self.quantile)])

    def compute_leaf_values(
        self, y, raw, sample_weight, sample_indices, leaf_offsets, n_threads=1
    ):
        values = np.empty(len(leaf_offsets) - 1)
        kernels.compute_leaf_quantiles(
            y,
            raw[0],
            sample_indices,
            leaf_offsets,
            sample_weight,
            self.quantile,
            values,
            n_threads,
        )
        return values


class AbsoluteError(QuantileLoss):
    r"""Absolute error :math:`|y - f|`; constants and leaves are medians of y - f."""

    name = kernel = "absolute_error"
    options = ()

    def __init__(self):
        super().__init__(quantile=0.5)


class HuberLoss(Loss):
    r"""Squared error up to a distance, absolute error beyond it.

    :math:`(y - f)^2 / 2` for :math:`|y - f| \le \delta`, else
    :math:`\delta (|y - f| - \delta / 2)`. Before each round :math:`\delta` becomes the
    `quantile` of :math:`|y - f|`. Trees are fitted to the gradient by least squares and
    leaves refitted by a step from the median (J. H. Friedman, 2001, Greedy Function
    Approximation, Annals of Statistics 29, 1189-1232, Algorithm 4).

    Parameters
    ----------
    quantile : float, default=0.9
        Fraction of rows that count as squares.
    """

    name = kernel = "huber"
    constant_hessian = True
    refits_leaves = True
    options = ("quantile",)

    def __init__(self, quantile: float | None = None):
        quantile = 0.9 if quantile is None else quantile
        check_scalar(
            quantile,
            "quantile",
            target_type=Real,
            min_val=0,
            max_val=1,
            include_boundaries="neither",
        )
        self.quantile = float(quantile)
        self.delta = 1.0

    @property
    def param(self):
        """The current delta."""
        return self.delta

    def _set_delta(self, residual, sample_weight):
        distance = np.abs(residual)
        self.delta = _compute_quantile(distance, sample_weight, self.quantile)
        if self.delta == 0:
            # Most rows are met exactly: judge by those that are not.
            is_off = distance > 0
            if sample_weight is not None:
                is_off &= sample_weight > 0
            if is_off.any():
                weight = None if sample_weight is None else sample_weight[is_off]
                self.delta = _compute_quantile(distance[is_off], weight, self.quantile)

    def prepare_round(self, y, raw, sample_weight=None, n_threads=1):
        self._set_delta(y - raw[0], sample_weight)

    def get_state(self):
        return {"delta": self.delta}

    def compute_init_score(self, y, sample_weight=None, n_threads=1, offset=None):
        residual = y if offset is None else y - offset[0]
        median = _compute_quantile(residual, sample_weight, 0.5)
        self._set_delta(residual - median, sample_weight)
        clipped = np.clip(residual - median, -self.delta, self.delta)
        return np.array([median + _compute_mean(clipped, sample_weight, n_threads)])

    def compute_leaf_values(
        self, y, raw, sample_weight, sample_indices, leaf_offsets, n_threads=1
    ):
        values = np.empty(len(leaf_offsets) - 1)
        kernels.compute_leaf_huber(
            y,
            raw[0],
            sample_indices,
            leaf_offsets,
            sample_weight,
            self.delta,
            values,
            n_threads,
        )
        return values


class PoissonLoss(Loss):
    r"""Half the Poisson deviance with :math:`\mu = e^f`: :math:`\mu - y f`.

    The terms :math:`y \log y - y` are left out, as scikit-learn does.
    """

    name = kernel = "poisson"
    link = "log"

    def check_target(self, y):
        if not (np.all(y >= 0) and max_abs(y) > 0):
            raise ValueError(
                f"loss='{self.name}' requires non-negative y and sum(y) > 0."
            )


class GammaLoss(Loss):
    r"""Half the gamma deviance with :math:`\mu = e^f`: :math:`f + y / \mu`.

    The terms :math:`-\log y - 1` are left out, as scikit-learn does.
    """

    name = kernel = "gamma"
    link = "log"

    def check_target(self, y):
        if not np.all(y > 0):
            raise ValueError(f"loss='{self.name}' requires strictly positive y.")


class TweedieLoss(Loss):
    r"""Half the Tweedie deviance with :math:`\mu = e^f` and a power p from 1 to 2.

    .. math:: \mu^{2-p} / (2 - p) - y \mu^{1-p} / (1 - p)

    It is a compound of Poisson and gamma for 1 < p < 2, the Poisson loss for p = 1 and
    the gamma loss for p = 2. Outside of this range the loss is not convex in f. The
    terms without f are left out (B. Jorgensen, 1997, The Theory of Dispersion Models).

    Parameters
    ----------
    power : float, default=1.5
        The power p of the mean that the variance is proportional to.
    """

    name = "tweedie"
    link = "log"
    options = ("power",)

    def __init__(self, power: float = 1.5):
        check_scalar(power, "power", target_type=Real, min_val=1, max_val=2)
        self.power = float(power)

    @property
    def kernel(self):
        """Name in loss_kernels.h; the ends of the range have their own."""
        return {1.0: "poisson", 2.0: "gamma"}.get(self.power, "tweedie")

    @property
    def param(self):
        """The power."""
        return self.power

    def check_target(self, y):
        if self.power == 2:
            if not np.all(y > 0):
                raise ValueError(
                    "loss='tweedie' with power=2 requires strictly positive y."
                )
        elif not (np.all(y >= 0) and max_abs(y) > 0):
            raise ValueError("loss='tweedie' requires non-negative y and sum(y) > 0.")


class BinaryLogLoss(Loss):
    r"""Log loss of two classes, :math:`\log(1 + e^f) - y f` with y = 0 or 1."""

    name = kernel = "log_loss"
    link = "logit"


class MultinomialLogLoss(Loss):
    r"""Log loss of several classes, :math:`\log \sum_k e^{f_k} - f_y`.

    Gradients are :math:`p_k - 1[y = k]`, hessians the diagonal :math:`p_k (1 - p_k)`.

    Parameters
    ----------
    n_classes : int
        Number of classes; y is 0, 1, ... as a float.
    """

    name = kernel = "multinomial"
    link = "softmax"
    options = ("n_classes",)
    # Where rows are all but certain to be of other classes, hessians vanish, and a
    # Newton step would throw scores far off for the sake of a few rows.
    max_leaf_value = 20.0

    def __init__(self, n_classes: int):
        self.n_outputs = n_classes

    def _compute_link_of_mean(self, y, sample_weight, n_threads):
        return _compute_softmax_start(y, sample_weight, self.n_outputs, n_threads)


def _compute_softmax_start(y, sample_weight, n_classes, n_threads):
    """Return log(p_k) less their mean, p_k the clipped frequency of class k."""
    logs = []
    for k in range(n_classes):
        mean = _compute_mean((y == k).astype(np.float64), sample_weight, n_threads)
        logs.append(elementary.log(min(max(mean, EPSILON), 1 - EPSILON)))
    mean_log = sum(logs) / n_classes
    return np.array([log - mean_log for log in logs])


class CustomLoss(Loss):
    """Adapter of a user's object with `gradient` and `hessian`.

    Both are called as ``gradient(y_true, raw_prediction)`` and return an array of the
    shape of `raw_prediction`: (n_rows,), or (n_rows, n_classes) for more than two
    classes. Optional attributes of the object:

    - `link`: 'identity' (the default), 'log' or 'logit' in regression. Two classes have
      'logit', more have 'softmax'.
    - `loss(y_true, raw_prediction)`: the loss of each row, of shape (n_rows,). Needed
      where the loss itself is followed: scores of rounds, early stopping on the loss.
    - `compute_init_score(y_true, sample_weight)`: the constant before the first tree, a
      number or one for each class. By default that of a built-in loss with the same
      link, improved by Newton steps until the gradient vanishes.

    Parameters
    ----------
    loss : object
        The user's object.
    n_classes : int, default=None
        Number of classes, None in regression.
    """

    # A user's code may know the rows by their places, and sums of its own may depend
    # on the order.
    treats_rows_alike = False

    def __init__(self, loss: Any, n_classes: int | None = None):
        self.loss = loss
        self.name = type(loss).__name__
        self.n_outputs = n_classes if n_classes is not None and n_classes > 2 else 1
        if n_classes is None:
            allowed = ("identity", "log", "logit")
        else:
            allowed = ("logit",) if self.n_outputs == 1 else ("softmax",)
        self.link = getattr(loss, "link", allowed[0])
        if self.link not in allowed:
            target = "regression" if n_classes is None else f"{n_classes} classes"
            raise ValueError(
                f"{self.name}.link must be "
                f"{' or '.join(repr(link) for link in allowed)} for {target}, "
                f"got {self.link!r}."
            )

    def _transpose(self, raw):
        """Return planes as users know them, (n_rows,) or (n_rows, n_outputs)."""
        return raw[0] if self.n_outputs == 1 else raw.T

    def _call(self, method, y, raw):
        raw = self._transpose(raw)
        result = getattr(self.loss, method)(y, raw)
        return self._check(method, result, raw.shape)

    def _check(self, method, result, expected):
        try:
            result = np.asarray(result, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{self.name}.{method} must return an array of numbers."
            ) from error
        if result.shape != expected:
            raise ValueError(
                f"{self.name}.{method} returned an array of shape {result.shape}, "
                f"expected {expected}."
            )
        if not np.isfinite(result).all():
            raise ValueError(f"{self.name}.{method} returned infinity or NaN.")
        return result

    def compute_gradients(self, y, raw, gradients, hessians, n_threads=1):
        gradients[...] = self._call("gradient", y, raw).T
        hessians[...] = self._call("hessian", y, raw).T
        if not np.all(hessians >= 0):
            raise ValueError(
                f"{self.name}.hessian returned a negative value; use an upper bound "
                "or the Fisher information where the loss is not convex."
            )

    def quantize_gradients(self, y, raw, quantized, n_threads=1, first_output=0):
        gradients, hessians = np.empty_like(raw), np.empty_like(raw)
        self.compute_gradients(y, raw, gradients, hessians, n_threads)
        for k, of_output in enumerate(quantized):
            of_output.quantize(gradients[k], hessians[k], n_threads, first_output + k)

    def compute_init_score(self, y, sample_weight=None, n_threads=1, offset=None):
        if self.n_outputs > 1:
            start = _compute_softmax_start(y, sample_weight, self.n_outputs, n_threads)
        else:
            start = self._compute_link_of_mean(y, sample_weight, n_threads)
        if hasattr(self.loss, "compute_init_score"):
            own = np.ravel(self.loss.compute_init_score(y, sample_weight))
            start = self._check("compute_init_score", own, start.shape)
            if offset is None:
                return start
        return self._find_constant(y, sample_weight, n_threads, offset, start)

    def compute_losses(self, y, raw, n_threads=1):
        if not hasattr(self.loss, "loss"):
            raise ValueError(
                f"{self.name} needs a method loss(y_true, raw_prediction) that returns "
                "the loss of each row, because the loss itself is to be followed. "
                "Add it, or choose another `scoring`."
            )
        losses = self.loss.loss(y, self._transpose(raw))
        return self._check("loss", losses, y.shape)


SCIKIT_LEARN_LINKS = {
    "IdentityLink": "identity",
    "LogLink": "log",
    "LogitLink": "logit",
    "MultinomialLogit": "softmax",
}


class ScikitLearnLoss(CustomLoss):
    """Adapter of scikit-learn's own loss objects (`sklearn._loss`).

    Their constant terms, links and initial scores are kept. A loss that is not
    differentiable has its leaves refitted with its `fit_intercept_only`.
    """

    def __init__(self, loss: Any, n_classes: int | None = None):
        self.loss = loss
        self.name = type(loss).__name__
        self.link = SCIKIT_LEARN_LINKS.get(type(loss.link).__name__, "other")
        self.n_outputs = loss.n_classes if loss.is_multiclass else 1
        self.refits_leaves = not loss.differentiable
        if n_classes is not None and loss.n_classes != n_classes:
            raise ValueError(
                f"{self.name} is made for n_classes={loss.n_classes}, "
                f"but y has {n_classes} classes."
            )

    def check_target(self, y):
        if not self.loss.in_y_true_range(y):
            raise ValueError(f"Some value(s) of y are out of the range of {self.name}.")

    def compute_gradients(self, y, raw, gradients, hessians, n_threads=1):
        raw = self._transpose(raw)
        gradient, hessian = self.loss.gradient_hessian(y_true=y, raw_prediction=raw)
        gradients[...] = self._check("gradient_hessian", gradient, raw.shape).T
        hessians[...] = self._check("gradient_hessian", hessian, raw.shape).T
        if not np.all(hessians >= 0):
            raise ValueError(
                f"{self.name}.gradient_hessian returned a negative hessian."
            )

    def _fit_constant(self, y, sample_weight):
        return np.reshape(
            self.loss.fit_intercept_only(y_true=y, sample_weight=sample_weight), -1
        ).astype(np.float64)

    def compute_init_score(self, y, sample_weight=None, n_threads=1, offset=None):
        if offset is None:
            return self._fit_constant(y, sample_weight)
        if self.refits_leaves:
            return self._fit_constant(y - offset[0], sample_weight)
        start = self._fit_constant(y, sample_weight)
        return self._find_constant(y, sample_weight, n_threads, offset, start)

    def compute_losses(self, y, raw, n_threads=1):
        losses = self.loss.loss(y_true=y, raw_prediction=self._transpose(raw))
        return self._check("loss", losses, y.shape)

    def compute_leaf_values(
        self, y, raw, sample_weight, sample_indices, leaf_offsets, n_threads=1
    ):
        values = np.zeros(len(leaf_offsets) - 1)
        for leaf in range(len(values)):
            # In ascending order, so that the sums do not depend on how rows were moved.
            rows = np.sort(sample_indices[leaf_offsets[leaf] : leaf_offsets[leaf + 1]])
            if len(rows):
                weight = None if sample_weight is None else sample_weight[rows]
                values[leaf] = self._fit_constant(y[rows] - raw[0, rows], weight)[0]
        return values

    def inverse_link(self, raw, n_threads=1):
        if self.n_outputs > 1:
            return self.predict_proba(raw, n_threads)
        return self.loss.link.inverse(raw[0])

    def predict_proba(self, raw, n_threads=1):
        return self.loss.predict_proba(self._transpose(raw))


LOSSES: dict[str, type[Loss]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "quantile": QuantileLoss,
    "huber": HuberLoss,
    "poisson": PoissonLoss,
    "gamma": GammaLoss,
    "tweedie": TweedieLoss,
    "log_loss": BinaryLogLoss,
    "multinomial": MultinomialLogLoss,
}


def make_loss(
    loss: str | Any,
    *,
    n_classes: int | None = None,
    quantile: float | None = None,
    power: float = 1.5,
) -> Loss:
    """Return a loss from its name, a user's object or one of scikit-learn's.

    Parameters
    ----------
    loss : str or object
        A key of `LOSSES` ('log_loss' for any number of classes), an object with
        `gradient` and `hessian` (see `CustomLoss`), or a loss of `sklearn._loss`.
    n_classes : int, default=None
        Number of classes, None in regression.
    quantile : float, default=None
        Of 'quantile', and of 'huber' (0.9 if None).
    power : float, default=1.5
        Of 'tweedie'.

    Returns
    -------
    Loss
        The loss.
    """
    if isinstance(loss, str):
        if loss == "log_loss" and n_classes is not None and n_classes > 2:
            loss = "multinomial"
        given = {"n_classes": n_classes, "quantile": quantile, "power": power}
        loss_class = LOSSES[loss]
        return loss_class(**{option: given[option] for option in loss_class.options})
    if hasattr(loss, "gradient_hessian") and hasattr(loss, "fit_intercept_only"):
        return ScikitLearnLoss(loss, n_classes)
    missing = [m for m in ("gradient", "hessian") if not hasattr(loss, m)]
    if missing:
        raise TypeError(
            f"A loss of one's own needs the methods gradient(y_true, raw_prediction) "
            f"and hessian(y_true, raw_prediction); {type(loss).__name__} has no "
            f"{' and no '.join(missing)}."
        )
    return CustomLoss(loss, n_classes)
