"""Converters of boosting models for skl2onnx.

inputs --> TreeColumns --> trees --> raw scores --> labels, probabilities or predictions
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from sklearn.utils.validation import check_is_fitted

from sklearnx._io.onnx.columns import TreeColumns
from sklearnx._io.onnx.ensemble import VERSION_OF_SETS, add_trees
from sklearnx._io.onnx.forest import read_forest
from sklearnx._io.onnx.graph import Graph
from sklearnx._io.onnx.inputs import Inputs
from sklearnx._io.onnx.linear import read_linear_forest
from sklearnx._io.onnx.outputs import (
    add_labels,
    add_numbers,
    returns_raw_scores,
    set_prediction_type,
)


def set_regressor_outputs(operator):
    """Set the type and shape of predictions."""
    check_is_fitted(operator.raw_operator)
    set_prediction_type(operator, operator.raw_operator._model.n_outputs)


# ---- converters ----------------------------------------------------------------------


def convert_classifier(scope, operator, container):
    """Add what a classifier does to a graph."""
    graph = Graph(scope, container)
    raw = add_raw_scores(graph, operator)
    scores, position = add_classes(graph, operator.raw_operator, raw)
    if returns_raw_scores(operator):
        n_outputs = operator.raw_operator._model.n_outputs
        scores = (
            raw if n_outputs > 1 else graph.concatenate([graph.add("Neg", raw), raw])
        )
    add_labels(graph, operator, position)
    add_numbers(graph, operator, scores, operator.outputs[1])


def convert_regressor(scope, operator, container):
    """Add what a regressor does to a graph."""
    graph = Graph(scope, container)
    raw = add_raw_scores(graph, operator)
    predictions = add_means(graph, operator.raw_operator._loss, raw)
    add_numbers(graph, operator, predictions, operator.outputs[0])


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
