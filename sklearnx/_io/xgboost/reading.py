"""Models of XGBoost, from JSON, Universal Binary JSON and Python objects.

    file, bytes, Booster, estimator --- _read_document --> fields
    fields --- read_trees ----> SourceTree, tree by tree --.
           --- read_levels ---> levels of columns ----------+--> assemble
           --- OBJECTIVES ----> loss, first raw scores -----'

Facts about the files are those of XGBoost 3.2 and its model schema.
"""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier, is_regressor

from sklearnx._boosting.losses import MultinomialLogLoss, make_loss
from sklearnx._boosting.multi_output import MultiOutputLoss
from sklearnx._io.assembly import assemble
from sklearnx._io.source_columns import SourceColumns
from sklearnx._io.ubjson import read_ubjson
from sklearnx._io.xgboost.fields import get_array, get_count, get_field, refuse
from sklearnx._io.xgboost.levels import read_levels
from sklearnx._io.xgboost.trees import read_trees
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

MAX_FEATURES = 2**24
# kRtEps of XGBoost: a probability that raw scores begin with is not nearer to 0 or 1.
MIN_PROBABILITY = np.float32(1e-6)


class Objective(NamedTuple):
    """What becomes of `base_score` and of raw scores.

    Attributes
    ----------
    loss : str
        Name of the loss of ours: the same, or one whose predictions follow from raw
        scores the same way.
    link : {'identity', 'log', 'logit'}, default='identity'
        Of `base_score`, to raw scores.
    """

    loss: str
    link: str = "identity"


OBJECTIVES = {
    "reg:squarederror": Objective("squared_error"),
    "reg:linear": Objective("squared_error"),
    "reg:squaredlogerror": Objective("squared_error"),
    "reg:absoluteerror": Objective("absolute_error"),
    "reg:pseudohubererror": Objective("huber"),
    "reg:quantileerror": Objective("quantile"),
    "count:poisson": Objective("poisson", "log"),
    "reg:gamma": Objective("gamma", "log"),
    "reg:tweedie": Objective("tweedie", "log"),
    "reg:logistic": Objective("log_loss", "logit"),
    "binary:logistic": Objective("log_loss", "logit"),
    "binary:logitraw": Objective("log_loss"),
    "multi:softmax": Objective("multinomial"),
    "multi:softprob": Objective("multinomial"),
}
# Parameters of XGBoost's estimators by what they are called here.
PARAMETERS = {
    "learning_rate": "learning_rate",
    "max_depth": "max_depth",
    "max_leaves": "max_leaf_nodes",
    "reg_lambda": "l2_regularization",
    "reg_alpha": "l1_regularization",
    "gamma": "min_split_gain",
    "min_child_weight": "min_child_weight",
    "max_delta_step": "max_delta_step",
    "subsample": "subsample",
    "colsample_bytree": "colsample_bytree",
    "random_state": "random_state",
}
# Those for which 0 means no limit.
LIMITS = ("max_depth", "max_leaves")


def from_xgboost(
    model: Any, *, categories: dict | None = None
) -> HistGradientBoostingClassifier | HistGradientBoostingRegressor:
    """Return a fitted estimator that predicts as a model of XGBoost does.

    Boosters of trees are read, of XGBoost 1.0 and later, with the objectives of
    regression and classification whose predictions follow from raw scores as with a
    loss of ours. If that is not the same loss, `loss` names it all the same.

    Parameters
    ----------
    model : path, bytes, xgboost.Booster or xgboost.XGBModel
        A file of JSON or Universal Binary JSON, the bytes of one (as
        ``Booster.save_raw`` returns them), a booster, or a fitted estimator. XGBoost
        need not be installed to read files and bytes.
    categories : dict of lists, default=None
        The levels of categorical columns in the order of their codes in training, by
        the name or position of the column, ``{"city": X["city"].cat.categories}``.
        Needed where the model knows codes only, but the frame that it was trained on
        had levels: of XGBoost before 3.1, of slices of boosters, and of names that
        are not ASCII before XGBoost 3.4. Categorical columns of arrays have their codes
        as levels, integers from 0 on.

    Returns
    -------
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor
        Raw scores are those of XGBoost, which adds up leaves in float32, to the bit.

    Raises
    ------
    ValueError
        If the model is damaged, or has what our models cannot express: a linear
        booster, an objective of ranking or survival analysis, the hinge loss, several
        labels or quantiles, a classifier with an objective of its own.
    TypeError
        If `model` is something else.
    OSError
        If the file cannot be read.

    Notes
    -----
    - What the source itself predicts by default is predicted: by an estimator, or a
      file that one has written, up to the best iteration if training stopped early;
      by a booster with all iterations.
    - Each of several parallel trees (``num_parallel_tree``) is an iteration of its own.
    - What a sparse matrix does not store is zero, as everywhere in sklearnx. For
      XGBoost it is missing: for the same predictions, pass a dense matrix with NaN.
    - Numbers are rounded to float32, and infinite ones compared.
    - Levels that training did not see go where those go that are in no set of a split,
      as unknown codes do in XGBoost. With levels of frames it refuses such rows, or
      before version 3.3 takes some of them for a seen level.
    - XGBoost keeps no numbers of rows; `n_samples` in `sklearnx.inspection.tree_table`
      is 0, and the value of a split is the mean of the leaves below it.
    """
    document, wrapper = _read_document(model)
    learner = get_field(document, "learner", dict)
    parameters = get_field(learner, "learner_model_param", dict)
    booster = get_field(learner, "gradient_booster", dict)
    fields = _get_model(booster)
    version = _read_version(document)
    attributes = learner.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    is_estimator = wrapper is not None or "scikit_learn" in attributes

    kind = _find_kind(wrapper, attributes)
    task = _read_task(get_field(learner, "objective", dict), parameters, kind, version)
    n_features = get_count(parameters, "num_feature")
    if n_features > MAX_FEATURES:
        refuse(f"has {n_features} columns, more than {MAX_FEATURES}")
    trees = read_trees(
        fields,
        n_outputs=task.n_outputs,
        n_features=n_features,
        weights=_read_weights(booster),
        n_iter=_read_best(attributes) if is_estimator else None,
    )
    names = _read_names(learner, n_features)
    labels = names or [str(j) for j in range(n_features)]
    levels = read_levels(learner, fields, trees, labels, categories, version)
    trees = levels.recode(trees)
    init_score = _read_init_score(parameters, task)
    if task.loss == "multinomial" and task.n_outputs == 2:
        trees, init_score = _subtract_scores(trees, init_score)
    n_iter = len(trees) if _has_vectors(trees) else len(trees) // len(init_score)
    estimator = _make_estimator(task, wrapper, booster, n_iter)
    classes = _read_classes(wrapper, task) if task.is_classifier else None
    assemble(
        estimator,
        trees,
        init_score=init_score,
        loss=task.make_loss(len(init_score)),
        n_features=n_features,
        feature_names=names,
        levels=levels.values if levels.has_any else None,
        classes=classes,
        columns=SourceColumns(
            n_features,
            rounds_to_float32=True,
            has_unknown=levels.has_any,
            missing_value=_read_missing(wrapper, levels),
        ),
        handle_unknown="unknown" if levels.has_any else "missing",
        truncated=levels.truncated,
        adds_in_float32=True,
    )
    # Negative numbers are as unknown as others.
    estimator._encoder.may_be_negative = True
    return estimator


# -- reading files --


def _read_document(model):
    """Return the fields of a model, and the estimator if it is one."""
    wrapper = None
    if hasattr(model, "get_booster"):
        wrapper, model = model, model.get_booster()
    if hasattr(model, "save_raw"):
        model = model.save_raw("ubj")
    if isinstance(model, (str, os.PathLike)):
        model = Path(model).read_bytes()
    if not isinstance(model, (bytes, bytearray, memoryview)):
        raise TypeError(
            "model must be a path, bytes, an xgboost.Booster or an estimator of "
            f"XGBoost, got {type(model).__name__}."
        )
    document = _decode(bytes(model))
    if not isinstance(document, dict):
        refuse("is no object")
    return document, wrapper


def _decode(data):
    """Return what the bytes of a file stand for."""
    text = data.lstrip(b" \t\r\n")
    if not text.startswith(b"{"):
        refuse(
            f"begins with {data[:8]!r}, and is neither JSON nor Universal Binary JSON. "
            "A file in the format that XGBoost had before 3.1 can be loaded by the "
            "version that wrote it, and saved with a name that ends in .json"
        )
    if text[1:2] not in (b'"', b"}", b" ", b"\t", b"\r", b"\n"):
        return read_ubjson(data)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("The XGBoost model has too deeply nested JSON.") from error


def _read_version(document):
    """Return the first two numbers of the version that wrote the model."""
    if "version" not in document:
        return (1, 0)
    version = get_array(document, "version", np.int64)
    return tuple(version[:2].tolist())


def _get_model(booster):
    """Return the fields of the trees of a booster."""
    name = get_field(booster, "name", str)
    if name not in ("gbtree", "dart"):
        refuse(f"has the booster {name!r}, where 'gbtree' or 'dart' is expected")
    if "gbtree" in booster:
        booster = get_field(booster, "gbtree", dict)
    return get_field(booster, "model", dict)


def _read_weights(booster):
    """Return the weights of trees, None if they have none."""
    if booster["name"] != "dart":
        return None
    weights = get_array(booster, "weight_drop", np.float64).astype(np.float32)
    if not np.isfinite(weights).all():
        refuse("has a weight of a tree that is not finite")
    return weights.astype(np.float64)


def _read_best(attributes):
    """Return the number of iterations up to the best one, None if there is none."""
    if "best_iteration" not in attributes:
        return None
    return get_count(attributes, "best_iteration") + 1


def _read_names(learner, n_features):
    """Return the names of the columns, None if they have none."""
    names = learner.get("feature_names", [])
    if isinstance(names, list) and len(names) == 0:
        return None
    if (
        not isinstance(names, list)
        or len(names) != n_features
        or set(map(type, names)) != {str}
    ):
        refuse(f"does not have the names of all its {n_features} columns")
    # A frame without names has counted them.
    return None if names == [str(j) for j in range(n_features)] else names


def _find_kind(wrapper, attributes):
    """Return 'classifier' or 'regressor' if the model is of an estimator, else None."""
    if wrapper is not None:
        if is_classifier(wrapper):
            return "classifier"
        return "regressor" if is_regressor(wrapper) else None
    meta = attributes.get("scikit_learn")
    if meta is None:
        return None
    meta = _decode(meta.encode()) if isinstance(meta, str) else None
    kind = meta.get("_estimator_type") if isinstance(meta, dict) else None
    return kind if kind in ("classifier", "regressor") else None


# -- the objective --


class Task(NamedTuple):
    """What the model predicts.

    Attributes
    ----------
    loss : str
        Name of the loss of ours.
    link : {'identity', 'log', 'logit'}
        From `base_score` to raw scores.
    is_classifier : bool
    n_outputs : int
        Number of raw scores of XGBoost.
    quantile, power : float or None
        Parameters of the losses that have one.
    """

    loss: str
    link: str
    is_classifier: bool
    n_outputs: int
    quantile: float | None = None
    power: float | None = None

    def make_loss(self, n_outputs):
        """Return the loss with so many raw scores."""
        if self.loss == "multinomial" and n_outputs > 1:
            return MultinomialLogLoss(n_outputs)
        name = "log_loss" if self.is_classifier else self.loss
        make = partial(make_loss, name, quantile=self.quantile, power=self.power)
        return make() if n_outputs == 1 else MultiOutputLoss(make, n_outputs)


def _read_task(fields, parameters, kind, version):
    """Return the Task of an objective.

    Parameters
    ----------
    fields : dict
        Of the objective.
    parameters : dict
        Of the learner.
    kind : {'classifier', 'regressor', None}
    version : tuple
    """
    name = get_field(fields, "name", str)
    if name not in OBJECTIVES:
        refuse(f"has the objective {name!r}, which sklearnx does not have")
    loss, link = OBJECTIVES[name]
    is_multinomial = loss == "multinomial"
    is_classifier = kind == "classifier" or (
        kind is None and name.startswith(("binary:", "multi:"))
    )
    if is_classifier and loss not in ("log_loss", "multinomial"):
        refuse(
            f"is of a classifier with the objective {name!r}, whose predictions are "
            "no probabilities"
        )
    if is_multinomial and not is_classifier:
        refuse(f"is of a regressor with the objective {name!r}")
    if name == "binary:logitraw":
        if version < (2, 0):
            refuse(
                f"has the objective {name!r} and is of XGBoost {version[0]}, which "
                "began with other raw scores than XGBoost 2. Load it there and save it"
            )
        if not is_classifier:
            loss = "squared_error"
    n_classes = get_count(parameters, "num_class", 0)
    n_outputs = max(1, get_count(parameters, "num_target", 1))
    if is_multinomial != (n_classes > 1) or (is_multinomial and n_outputs > 1):
        refuse(
            f"has the objective {name!r} for {n_classes} classes and {n_outputs} "
            "targets"
        )
    if is_classifier and n_outputs > 1:
        refuse(f"predicts {n_outputs} labels, where a single one is expected")
    return Task(
        loss,
        link,
        is_classifier,
        n_classes if is_multinomial else n_outputs,
        quantile=_read_quantile(fields) if loss == "quantile" else None,
        power=_read_power(fields) if loss == "tweedie" else None,
    )


def _read_quantile(fields):
    fields = get_field(fields, "quantile_loss_param", dict)
    quantiles = _read_numbers(fields, "quantile_alpha")
    if len(quantiles) != 1:
        refuse(f"predicts {len(quantiles)} quantiles, where a single one is expected")
    return float(quantiles[0])


def _read_power(fields):
    fields = get_field(fields, "tweedie_regression_param", dict)
    return float(_read_numbers(fields, "tweedie_variance_power")[0])


def _read_numbers(fields, name):
    """Return the numbers of a text such as '0.5' or '[1E0,2E0]', as float32."""
    text = get_field(fields, name, str)
    try:
        numbers = np.array([float(part) for part in text.strip("[]()").split(",")])
    except ValueError as error:
        raise ValueError(
            f"The XGBoost model has {text[:50]!r} as {name!r}, where numbers are "
            "expected."
        ) from error
    if not (np.abs(numbers) <= np.finfo(np.float32).max).all():
        refuse(f"has {text[:50]!r} as {name!r}, where finite numbers are expected")
    return numbers.astype(np.float32)


def _read_init_score(parameters, task):
    """Return the raw scores before the first tree, as XGBoost rounds them."""
    means = _read_numbers(parameters, "base_score")
    if len(means) not in (1, task.n_outputs):
        refuse(f"begins with {len(means)} scores, where {task.n_outputs} are expected")
    if task.link == "logit":
        means = np.clip(means, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        means = -_log(1 / means - 1)
    elif task.link == "log":
        if (means < 0).any():
            refuse("begins with a mean below 0 and an objective of positive means")
        means = _log(means)
    return np.broadcast_to(means, task.n_outputs).astype(np.float64)


def _log(values):
    """Return logarithms of float32 numbers, rounded once."""
    with np.errstate(divide="ignore"):
        return np.log(values.astype(np.float64)).astype(np.float32)


def _has_vectors(trees):
    return len(trees) > 0 and trees[0].value.ndim == 2


def _subtract_scores(trees, init_score):
    """Return trees and first raw scores of the log-odds of the second of two classes.

    The softmax of two scores is the logistic function of their difference.
    """
    if _has_vectors(trees):
        values = [tree.value[:, 1] - tree.value[:, 0] for tree in trees]
    else:
        values = [tree.value * (-1, 1)[i % 2] for i, tree in enumerate(trees)]
    trees = [tree._replace(value=value) for tree, value in zip(trees, values)]
    return trees, np.diff(init_score)


# -- the estimator --


def _make_estimator(task, wrapper, booster, n_iter):
    """Return the estimator, not fitted."""
    parameters = {} if wrapper is None else _translate_parameters(wrapper)
    parameters["max_iter"] = max(1, n_iter)
    if booster["name"] == "dart":
        parameters["boosting"] = "dart"
    if task.is_classifier:
        return HistGradientBoostingClassifier(**parameters)
    if task.loss != "log_loss":
        parameters["loss"] = task.loss
    if task.loss == "quantile":
        parameters["quantile"] = task.quantile
    if task.loss == "tweedie" and 1 < task.power < 2:
        parameters["power"] = task.power
    return HistGradientBoostingRegressor(**parameters)


def _translate_parameters(wrapper):
    """Return our names and values of parameters that a user of XGBoost has set."""
    given = wrapper.get_params()
    parameters = {}
    for theirs, ours in PARAMETERS.items():
        value = given.get(theirs)
        if value is not None:
            has_no_limit = theirs in LIMITS and value == 0
            parameters[ours] = None if has_no_limit else value
    if given.get("colsample_bynode") is not None:
        parameters["max_features"] = float(given["colsample_bynode"])
    if given.get("grow_policy") == "depthwise":
        parameters["grow_policy"] = "depthwise"
    return parameters


def _read_classes(wrapper, task):
    """Return the labels of the classes."""
    n_classes = max(2, task.n_outputs)
    classes = np.asarray(getattr(wrapper, "classes_", ()))
    # Of a single class in training, XGBoost predicts the probabilities of two.
    return classes if len(classes) == n_classes else np.arange(n_classes)


def _read_missing(wrapper, levels):
    """Return the number that an estimator takes for missing, None if that is NaN."""
    missing = getattr(wrapper, "missing", None)
    if missing is None or np.isnan(missing):
        return None
    if levels.has_any and missing >= 0:
        refuse(
            f"takes {missing!r} for missing, in numbers and in the codes of categories "
            "alike, where NaN or a negative number is expected"
        )
    return float(np.float32(missing))
