"""The objectives of LightGBM's models as our losses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sklearnx._boosting.losses import (
    AbsoluteError,
    QuantileLoss,
    SquaredError,
    make_loss,
)
from sklearnx._io.lightgbm.text import MAX_INT
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

# Their losses by our names; those of classes, and what comes with them, are apart.
REGRESSION_LOSSES = {
    "regression": "squared_error",
    "regression_l1": "absolute_error",
    "huber": "huber",
    "quantile": "quantile",
    "poisson": "poisson",
    "gamma": "gamma",
    "tweedie": "tweedie",
}


class OfSquareRoots:
    """What is added to a loss: raw scores are of the signed square root of the target.

    LightGBM's ``reg_sqrt``.
    """

    link = "signed_square"

    def inverse_link(self, raw, n_threads=1):
        """Return the signed squares of raw scores, of shape (n_rows,)."""
        return np.sign(raw[0]) * raw[0] ** 2


class SquaredErrorOfRoots(OfSquareRoots, SquaredError):
    """Squared error between square roots."""


class AbsoluteErrorOfRoots(OfSquareRoots, AbsoluteError):
    """Absolute error between square roots."""


class QuantileLossOfRoots(OfSquareRoots, QuantileLoss):
    """Pinball loss of square roots."""


OF_ROOTS = {
    "regression": SquaredErrorOfRoots,
    "regression_l1": AbsoluteErrorOfRoots,
    "quantile": QuantileLossOfRoots,
}


class Objective(NamedTuple):
    """What an objective is to us; `scale` multiplies all values of leaves."""

    text: str
    estimator: Any
    loss: Any
    classes: np.ndarray | None
    scale: float


def read_objective(source, classes):
    """Return the Objective of a model, refusing those that we do not have."""
    # Models of objectives of the user's own do not name any, and predict raw scores.
    text = source.header.get("objective") if "objective" in source.header else ""
    name, options = _split_objective(text)
    if name == "" and classes is None:
        name = "regression"
    if name in REGRESSION_LOSSES:
        return _read_regression(text, name, options, source.parameters)
    if name == "binary":
        sigmoid = _read_option(text, options, "sigmoid")
        estimator = HistGradientBoostingClassifier()
        return Objective(
            text,
            estimator,
            make_loss("log_loss", n_classes=2),
            _check_classes(classes, 2),
            sigmoid,
        )
    if name == "multiclass":
        n_classes = _read_option(text, options, "num_class")
        if not (n_classes.is_integer() and 2 <= n_classes <= MAX_INT):
            raise ValueError(
                f"The LightGBM model has the objective {text!r}, expected a num_class "
                "of 2 or more."
            )
        n_classes = int(n_classes)
        return Objective(
            text,
            HistGradientBoostingClassifier(),
            make_loss("multinomial", n_classes=n_classes),
            _check_classes(classes, n_classes),
            1.0,
        )
    what = f"the objective {text!r}" if text else "an objective of its user's own"
    raise ValueError(f"The LightGBM model has {what}, which sklearnx does not have.")


def _split_objective(text):
    """Return the name of an objective, and its options, texts by name."""
    words = text.split()
    options = {name: value for name, _, value in (w.partition(":") for w in words[1:])}
    return (words[0] if words else ""), options


def _read_option(text, options, name):
    """Return an option that is a positive number; 1 where it is not given."""
    word = options.get(name, "1")
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    if not 0 < value < np.inf:
        raise ValueError(
            f"The LightGBM model has the objective {text!r}, expected a positive "
            f"number as {name}."
        )
    return value


def _read_regression(text, name, options, parameters):
    """Return the Objective of a regression."""
    given = {"loss": REGRESSION_LOSSES[name]}
    delta = None
    if name == "quantile" and "alpha" in parameters:
        given["quantile"] = parameters.read_float("alpha")
    elif name == "quantile":
        # Predictions do not depend on it, and old models do not tell.
        given["quantile"] = 0.5
    elif name == "huber" and "alpha" in parameters:
        delta = parameters.read_float("alpha")
    elif name == "tweedie" and "tweedie_variance_power" in parameters:
        power = parameters.read_float("tweedie_variance_power")
        given = {"loss": "poisson"} if power == 1 else {**given, "power": power}
    if "sqrt" not in options:
        loss = make_loss(**given)
    elif name in OF_ROOTS:
        loss_class = OF_ROOTS[name]
        loss = loss_class(**{option: given[option] for option in loss_class.options})
    else:
        raise ValueError(
            f"The LightGBM model has the objective {text!r}, which sklearnx does not "
            "have."
        )
    if delta is not None:
        loss.set_state({"delta": delta})
    return Objective(text, HistGradientBoostingRegressor(**given), loss, None, 1.0)


def _check_classes(classes, n_classes):
    """Return the user's classes, by default integers."""
    if classes is None:
        return np.arange(n_classes)
    # Training with one class alone is binary to LightGBM.
    if len(classes) != n_classes and not (n_classes == 2 and len(classes) == 1):
        raise ValueError(
            f"The estimator of LightGBM has {len(classes)} classes, its model has "
            f"{n_classes}."
        )
    return classes
