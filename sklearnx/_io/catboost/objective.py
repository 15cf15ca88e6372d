"""What the loss of a CatBoost model is to sklearnx, and what its raw scores are of."""

import json
from functools import partial
from typing import NamedTuple

import numpy as np

from sklearnx._boosting.losses import Loss, QuantileLoss, make_loss
from sklearnx._boosting.multi_output import MultiOutputLoss
from sklearnx._io.catboost.fields import check, get, refuse

# By CatBoost's name. Of those that sklearnx lacks, whose predictions are raw scores,
# the nearest one.
REGRESSION = {
    "RMSE": "squared_error",
    "MAE": "absolute_error",
    "Quantile": "quantile",
    "Huber": "huber",
    "Poisson": "poisson",
    "Tweedie": "tweedie",
    "MAPE": "absolute_error",
    "Expectile": "squared_error",
    "LogCosh": "squared_error",
    "Lq": "squared_error",
    "RMSPE": "squared_error",
}
MULTI_OUTPUT = {
    "MultiRMSE": "squared_error",
    "MultiRMSEWithMissingValues": "squared_error",
    "MultiQuantile": "quantile",
}
BINARY = ("Logloss", "CrossEntropy", "Focal")
MULTICLASS = "MultiClass"
# As many as are believed without their names.
MAX_CLASSES = 1 << 16
# By CatBoost's name: types in JSON, and that of the array.
CLASS_TYPES = {
    "Integer": ((int,), np.int64),
    "Float": ((int, float), np.float64),
    "Boolean": ((bool,), np.bool_),
    "String": ((str,), object),
}


class Objective(NamedTuple):
    """Loss, classes and parameters.

    Attributes
    ----------
    loss : Loss
    parameters : dict
        Of the estimator.
    classes : ndarray of shape (n_classes,) or None
        None in regression.
    positions : list of int or None
        The class that each raw score is of, where there is one for each; None if they
        are as ours.
    """

    loss: Loss
    parameters: dict
    classes: np.ndarray | None = None
    positions: list | None = None

    def arrange(self, values):
        """Return values of leaves, (n_leaves, n_raw), as our trees have them."""
        values = self._arrange(values, 0.0)
        return values[:, 0] if values.shape[1] == 1 else values

    def arrange_start(self, bias):
        """Return the raw scores before the first tree, given those of the model."""
        # Classes that training rows did not have are impossible.
        return self._arrange(bias[np.newaxis], -np.inf)[0]

    def _arrange(self, values, of_others):
        if self.positions is None:
            return values
        by_class = np.full((len(values), len(self.classes)), of_others)
        by_class[:, self.positions] = values
        # Of two classes we have the log-odds alone.
        return np.diff(by_class) if len(self.classes) == 2 else by_class


def read_objective(info: dict, n_raw: int) -> Objective:
    """Return the objective of a model.

    Parameters
    ----------
    info : dict
        The entry 'model_info'.
    n_raw : int
        How many raw scores it has.

    Raises
    ------
    ValueError
        If sklearnx has no such loss.
    """
    loss = _read_loss(info)
    name = get(loss, "type", str)
    options = get(loss, "params", dict, {})
    if name in BINARY or name == MULTICLASS:
        return _read_classifier(name, info, n_raw)
    if name in REGRESSION:
        _check_n_raw(name, n_raw, 1)
        parameters = {"loss": REGRESSION[name], **_read_options(name, options)}
        loss = make_loss(**parameters)
    elif name in MULTI_OUTPUT:
        parameters, make = _read_multi_output(name, options, n_raw)
        loss = MultiOutputLoss(make, n_raw) if n_raw > 1 else make()
    else:
        raise ValueError(
            f"The CatBoost model has the loss_function {name!r}, which sklearnx does "
            "not have. It has those of "
            f"{', '.join((*REGRESSION, *MULTI_OUTPUT, *BINARY, MULTICLASS))}."
        )
    return Objective(loss, parameters)


def _read_loss(info):
    params = get(info, "params", dict, {})
    if params.get("loss_function") is not None:
        return get(params, "loss_function", dict)
    # Sums of models have no parameters.
    text = get(info, "loss_function", str)
    try:
        return check(json.loads(text), dict, "'loss_function'")
    except json.JSONDecodeError as error:
        raise refuse(f"'loss_function' is {text[:40]!r}") from error


def _read_options(name, options):
    if name == "Quantile":
        return {"quantile": _read_number(options, "alpha", "0.5")}
    if name == "Tweedie":
        return {"power": _read_number(options, "variance_power", "1.5")}
    return {}


def _read_multi_output(name, options, n_raw):
    """Return parameters, and what makes the loss of one output after another."""
    if name != "MultiQuantile":
        return {"loss": MULTI_OUTPUT[name]}, partial(make_loss, MULTI_OUTPUT[name])
    # No quantile of ours is a counterpart of several.
    quantiles = _read_numbers(options, "alpha", "0.5")
    _check_n_raw(name, n_raw, len(quantiles))
    each = iter(quantiles)
    return {"loss": "quantile"}, lambda: QuantileLoss(next(each))


def _read_number(options, key, default):
    return _read_numbers(options, key, default)[0]


def _read_numbers(options, key, default):
    text = get(options, key, str, default)
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise refuse(f"{key!r} of the loss is {text[:40]!r}") from error


def _check_n_raw(name, n_raw, expected):
    if n_raw != expected:
        raise refuse(
            f"it has {n_raw} raw scores with the loss_function {name!r}, expected "
            f"{expected}"
        )


# ---- classes -------------------------------------------------------------------------


def _read_classifier(name, info, n_raw):
    _refuse_threshold(info)
    params = get(info, "class_params", dict, {})
    classes, positions = _read_classes(params, n_raw)
    n_classes = len(classes)
    if name in BINARY:
        _check_n_raw(name, n_raw, 1)
        if n_classes != 2 or positions != [0, 1]:
            raise refuse(
                f"it has {n_classes} classes and 'class_to_label' {positions} with the "
                f"loss_function {name!r}, expected 2 and [0, 1]"
            )
        positions = None
    else:
        _check_n_raw(name, n_raw, len(positions))
    loss = make_loss("log_loss", n_classes=n_classes)
    return Objective(loss, {"loss": "log_loss"}, classes, positions)


def _read_classes(params, n_raw):
    """Return the classes, and the position of the one that each raw score is of."""
    labels = get(params, "class_to_label", list, list(range(max(2, n_raw))))
    positions = [_read_position(label) for label in labels]
    names = get(params, "class_names", list, [])
    kind = get(params, "class_label_type", str, "Integer")
    if not names:
        # Integers from 0 on.
        n_classes = max(
            get(params, "classes_count", int, 0), *(p + 1 for p in positions), 2
        )
        if n_classes > MAX_CLASSES:
            raise refuse(f"it has {n_classes} classes, more than {MAX_CLASSES}")
        names, kind = list(range(n_classes)), "Integer"
    if not all(position < len(names) for position in positions):
        raise refuse(f"'class_to_label' is {labels}, with {len(names)} classes")
    if len(set(positions)) < len(positions):
        raise refuse(f"'class_to_label' is {labels}, the same class twice")
    return _make_classes(names, kind), positions


def _read_position(label):
    position = check(label, float, "an item of 'class_to_label'")
    if position < 0 or position != int(position):
        raise refuse(f"'class_to_label' holds {label}")
    return int(position)


def _make_classes(names, kind):
    """Return classes as an array of the type that CatBoost's own wrapper has."""
    if kind not in CLASS_TYPES:
        raise refuse(
            f"'class_label_type' is {kind!r}, expected one of {', '.join(CLASS_TYPES)}"
        )
    types, dtype = CLASS_TYPES[kind]
    if not all(type(name) in types for name in names):
        raise refuse(f"'class_names' is {names}, with 'class_label_type' {kind!r}")
    classes = np.array(names, dtype=dtype)
    if len(set(names)) < len(names):
        raise refuse(f"'class_names' is {names}, the same class twice")
    return classes


def _refuse_threshold(info):
    """Refuse classes by another probability than a half."""
    threshold = info.get("binclass_probability_threshold")
    if threshold is not None and float(str(threshold)) != 0.5:
        raise ValueError(
            f"The CatBoost model has the probability threshold {threshold}, but "
            "sklearnx predicts the most probable class. Call "
            "set_probability_threshold(0.5), and give the result to "
            "sklearn.model_selection.FixedThresholdClassifier."
        )
