"""Converters of boosting models for skl2onnx.

inputs --> TreeColumns --> trees --> raw scores --> labels, probabilities or predictions
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from skl2onnx.common.utils_classifier import get_label_classes
from sklearn.utils.validation import check_is_fitted

from sklearnx._io.onnx.columns import TreeColumns
from sklearnx._io.onnx.ensemble import VERSION_OF_SETS, add_trees
from sklearnx._io.onnx.forest import read_forest
from sklearnx._io.onnx.graph import Graph
from sklearnx._io.onnx.inputs import Inputs
from sklearnx._io.onnx.linear import read_linear_forest

# What users of skl2onnx may set.
CLASSIFIER_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],
}


# ---- outputs, before anything is converted -------------------------------------------


def set_classifier_outputs(operator):
    """Set the types and shapes of labels and probabilities."""
    estimator = operator.raw_operator
    check_is_fitted(estimator)
    labels, probabilities = operator.outputs[:2]
    n_rows = operator.inputs[0].get_first_dimension()
    is_text = _read_classes(operator).dtype.kind == "O"
    labels.set_type((StringTensorType if is_text else Int64TensorType)([n_rows]))
    n_columns = len(estimator.classes_)
    if _get_options(operator)["raw_scores"]:
        n_columns = max(n_columns, 2)
    probabilities.set_type(_choose_type(operator)([n_rows, n_columns]))


def set_regressor_outputs(operator):
    """Set the type and shape of predictions."""
    check_is_fitted(operator.raw_operator)
    n_rows = operator.inputs[0].get_first_dimension()
    n_outputs = operator.raw_operator._model.n_outputs
    operator.outputs[0].set_type(_choose_type(operator)([n_rows, n_outputs]))


def _choose_type(operator):
    """Return the type of numbers that an operator returns: double if it gets any."""
    is_double = any(isinstance(v.type, DoubleTensorType) for v in operator.inputs)
    return DoubleTensorType if is_double else FloatTensorType


def _get_options(operator):
    defaults = {"raw_scores": False, "nocl": False}
    return operator.scope_inst.get_options(operator.raw_operator, defaults, fail=False)


def _read_classes(operator):
    """Return the classes as int64 or strings."""
    classes = get_label_classes(operator.scope_inst, operator.raw_operator)
    if classes.dtype.kind in "OU" and all(isinstance(c, str) for c in classes.tolist()):
        return classes.astype(object)
    if classes.dtype.kind in "biuf" and (classes == classes.astype(np.int64)).all():
        return classes.astype(np.int64)
    raise ValueError(
        f"The classes of {type(operator.raw_operator).__name__} must be integers or "
        f"strings in ONNX, got {classes.tolist()}."
    )


# ---- converters ----------------------------------------------------------------------


def convert_classifier(scope, operator, container):
    """Add what a classifier does to a graph."""
    graph = Graph(scope, container)
    raw = add_raw_scores(graph, operator)
    scores, position = add_classes(graph, operator.raw_operator, raw)
    if _get_options(operator)["raw_scores"]:
        n_outputs = operator.raw_operator._model.n_outputs
        scores = (
            raw if n_outputs > 1 else graph.concatenate([graph.add("Neg", raw), raw])
        )
    labels, probabilities = (variable.full_name for variable in operator.outputs[:2])
    classes = graph.add_constant(_read_classes(operator))
    graph.add("Gather", classes, position, output=labels)
    _finish(graph, operator, scores, probabilities)


def convert_regressor(scope, operator, container):
    """Add what a regressor does to a graph."""
    graph = Graph(scope, container)
    raw = add_raw_scores(graph, operator)
    predictions = add_means(graph, operator.raw_operator._loss, raw)
    _finish(graph, operator, predictions, operator.outputs[0].full_name)


def _finish(graph, operator, tensor, output):
    is_double = _choose_type(operator) is DoubleTensorType
    elem_type = TensorProto.DOUBLE if is_double else TensorProto.FLOAT
    graph.add("Cast", tensor, output=output, to=elem_type)


# ---- raw scores ----------------------------------------------------------------------


def add_raw_scores(graph, operator):
    """Add the raw scores of a model, doubles of shape (n_rows, n_outputs)."""
    estimator = operator.raw_operator
    model = estimator._model
    inputs = Inputs(graph, operator.inputs, estimator)
    splits = model.nodes["feature"][model.nodes["feature"] >= 0]
    used = np.union1d(splits, model.linear_terms["feature"]).tolist()
    if not used:
        constants = _sum_constants(model)
        return graph.repeat_row(constants, operator.inputs[0].full_name)
    n_levels = estimator._encoder.count_levels()
    if estimator._derived is not None:
        n_levels = estimator._derived.count_levels(n_levels)
    columns = TreeColumns(graph, inputs, estimator, n_levels, used)
    n_outputs = model.n_outputs
    if not model.has_linear_leaves:
        forest = read_forest(model, n_levels, columns.positions)
        raw = add_trees(
            graph, columns.tensor, forest.started(model.init_score), n_outputs
        )
        return _to_double(graph, raw)
    linear = read_linear_forest(model, n_levels, columns.positions, columns.n_columns)
    tensor, factors = _add_factors(graph, columns, linear)
    forest = linear.forest.started(model.init_score)
    n_features = len(linear.features)
    sums = add_trees(graph, tensor, forest, n_outputs * (1 + n_features))
    return _add_products(graph, _to_double(graph, sums), factors, n_outputs, n_features)


def _to_double(graph, tensor):
    """Return sums of trees as doubles, which TreeEnsemble alone has."""
    if graph.ml_version >= VERSION_OF_SETS:
        return tensor
    return graph.add("Cast", tensor, to=TensorProto.DOUBLE)


def _sum_constants(model):
    """Return the raw scores of a model without splits."""
    sums = model.init_score.copy()
    positions = np.zeros(1, dtype=np.int64)
    forest = read_forest(model, positions, positions)
    np.add.at(sums, forest.target, forest.value)
    return sums


def _add_factors(graph, columns, linear):
    """Add what coefficients are multiplied with, and whether it is there for trees."""
    values = graph.take_columns(columns.tensor, columns.positions[linear.features])
    zeros = graph.add("Sub", values, values)
    tensor = graph.concatenate([columns.tensor, zeros])
    centres = graph.add_constant(linear.centres[np.newaxis])
    shifted = graph.add("Sub", _widen(graph, values), centres)
    zero = graph.add_constant(np.array(0.0))
    return tensor, graph.add("Where", graph.add("IsNaN", zeros), zero, shifted)


def _widen(graph, tensor):
    return graph.cast(tensor, graph.elem_type, TensorProto.DOUBLE)


def _add_products(graph, sums, factors, n_outputs, n_features):
    """Add constants and coefficients up, by output."""
    constants = graph.take_columns(sums, np.arange(n_outputs))
    coefficients = graph.take_columns(
        sums, n_outputs + np.arange(n_outputs * n_features)
    )
    factors = graph.concatenate([factors] * n_outputs)
    products = graph.add("Mul", coefficients, factors)
    of_outputs = np.repeat(np.eye(n_outputs), n_features, axis=0)
    slopes = graph.add("MatMul", products, graph.add_constant(of_outputs))
    return graph.add("Add", constants, slopes)


# ---- what raw scores say -------------------------------------------------------------


def add_classes(graph, estimator, raw):
    """Add probabilities, and the position of the most probable class.

    Parameters
    ----------
    graph : Graph
    estimator : HistGradientBoostingClassifier
    raw : str
        Raw scores.

    Returns
    -------
    probabilities, position : str
        Of shapes (n_rows, n_classes) and (n_rows,).
    """
    link = estimator._loss.link
    if link == "softmax":
        position = graph.add("ArgMax", raw, axis=1, keepdims=0)
        return graph.add("Softmax", raw, axis=1), position
    if link != "logit":
        _refuse_link(estimator._loss)
    parts = [graph.add("Sigmoid", graph.add("Neg", raw)), graph.add("Sigmoid", raw)]
    # One class alone has the raw scores of the first of two.
    probabilities = graph.concatenate(parts[: len(estimator.classes_)])
    is_second = graph.add("Greater", raw, graph.add_constant(np.array(0.0)))
    flat = graph.add_constant(np.array([-1], dtype=np.int64))
    position = graph.add("Cast", is_second, to=TensorProto.INT64)
    return probabilities, graph.add("Reshape", position, flat)


def add_means(graph, loss, raw):
    """Add the inverse link of raw scores."""
    link = loss.link
    if link == "identity":
        return raw
    if link == "log":
        return graph.add("Exp", raw)
    if link == "logit":
        return graph.add("Sigmoid", raw)
    if link == "signed_square":
        return graph.add("Mul", raw, graph.add("Abs", raw))
    return _refuse_link(loss)


def _refuse_link(loss):
    raise ValueError(
        f"The loss {loss.name!r} has the link {loss.link!r}, which is not among those "
        "that are written in ONNX: identity, log, logit and softmax."
    )
