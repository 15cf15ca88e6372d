"""Converters of linear models for skl2onnx.

inputs --> numbers --> X @ coef.T + intercept --> labels, probabilities or predictions

Products are doubles, whatever comes in.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from sklearn.utils.validation import check_is_fitted

from sklearnx._io.onnx.graph import Graph
from sklearnx._io.onnx.inputs import Inputs
from sklearnx._io.onnx.outputs import (
    add_labels,
    add_numbers,
    returns_raw_scores,
    set_prediction_type,
)


def set_linear_regressor_outputs(operator):
    """Set the type and shape of predictions."""
    check_is_fitted(operator.raw_operator)
    set_prediction_type(operator, len(_read_coef(operator.raw_operator)))


def convert_linear_regressor(scope, operator, container):
    """Add what a linear regressor predicts to a graph."""
    graph = Graph(scope, container)
    raw = _add_raw_scores(graph, operator)
    if _has_log_link(operator.raw_operator):
        raw = graph.add("Exp", raw)
    add_numbers(graph, operator, raw, operator.outputs[0])


def convert_linear_classifier(scope, operator, container):
    """Add what a linear classifier says to a graph.

    Raw scores are in the place of probabilities if it has no `predict_proba`.
    """
    estimator = operator.raw_operator
    graph = Graph(scope, container)
    raw = _add_raw_scores(graph, operator)
    if len(_read_coef(estimator)) == 1:
        is_second = graph.add("Greater", raw, _add_number(graph, 0.0))
        flat = graph.add_constant(np.array([-1], dtype=np.int64))
        position = graph.add("Cast", is_second, to=TensorProto.INT64)
        position = graph.add("Reshape", position, flat)
        raw = graph.concatenate([graph.add("Neg", raw), raw])
    else:
        position = graph.add("ArgMax", raw, axis=1, keepdims=0)
    add_labels(graph, operator, position)
    if hasattr(estimator, "predict_proba") and not returns_raw_scores(operator):
        raw = _add_probabilities(graph, estimator, raw)
    add_numbers(graph, operator, raw, operator.outputs[1])


def _read_coef(estimator):
    """Return the coefficients as doubles of shape (n_outputs, n_columns).

    Raises
    ------
    ValueError
        If they are of other columns than those that the estimator is asked with, or if
        it tells several labels of a row.
    """
    coef = estimator.coef_
    coef = np.atleast_2d(coef.toarray() if hasattr(coef, "toarray") else coef)
    if getattr(estimator, "_table_encoder", None) is not None:
        raise ValueError(
            f"{type(estimator).__name__} has coefficients of levels of categories, "
            "which are not written in ONNX."
        )
    binarizer = getattr(estimator, "_label_binarizer", None)
    if binarizer is not None and binarizer.y_type_.startswith("multilabel"):
        raise ValueError(
            f"{type(estimator).__name__} was fitted with several labels of each row, "
            "which are not written in ONNX."
        )
    return coef.astype(np.float64)


def _add_raw_scores(graph, operator):
    """Add X @ coef.T + intercept, doubles of shape (n_rows, n_outputs)."""
    estimator = operator.raw_operator
    coef = _read_coef(estimator)
    inputs = Inputs(graph, operator.inputs, estimator)
    numbers = inputs.take_numbers(list(range(estimator.n_features_in_)))
    numbers = graph.cast(numbers, graph.elem_type, TensorProto.DOUBLE)
    products = graph.add("MatMul", numbers, graph.add_constant(coef.T.copy()))
    intercept = np.zeros(len(coef)) + estimator.intercept_
    return graph.add("Add", products, graph.add_constant(intercept[np.newaxis]))


def _add_number(graph, value):
    return graph.add_constant(np.array(value))


def _has_log_link(estimator):
    if isinstance(estimator, TweedieRegressor):
        is_log = estimator.link == "log"
        return is_log or (estimator.link == "auto" and estimator.power > 0)
    return isinstance(estimator, PoissonRegressor | GammaRegressor)


def _add_probabilities(graph, estimator, raw):
    """Add the probabilities of raw scores, a column for each class."""
    loss = getattr(estimator, "loss", None)
    is_single = len(_read_coef(estimator)) == 1
    if loss == "modified_huber":
        parts = _add_parts_of_modified_huber(graph, raw)
        return parts if is_single else _add_shares(graph, parts)
    if is_single:
        return graph.add("Sigmoid", raw)
    # The share of a sigmoid in the sum of all is the softmax of its logarithm.
    scores = raw if loss is None else _add_log_sigmoid(graph, raw)
    return graph.add("Softmax", scores, axis=1)


def _add_parts_of_modified_huber(graph, raw):
    """Add half of one more than each score, where that is between 0 and 1."""
    shifted = graph.add("Add", raw, _add_number(graph, 1.0))
    halved = graph.add("Mul", shifted, _add_number(graph, 0.5))
    positive = graph.add("Max", halved, _add_number(graph, 0.0))
    return graph.add("Min", positive, _add_number(graph, 1.0))


def _add_log_sigmoid(graph, raw):
    """Add min(raw, 0) - log(1 + exp(-abs(raw)))."""
    decay = graph.add("Exp", graph.add("Neg", graph.add("Abs", raw)))
    rest = graph.add("Log", graph.add("Add", decay, _add_number(graph, 1.0)))
    return graph.add("Sub", graph.add("Min", raw, _add_number(graph, 0.0)), rest)


def _add_shares(graph, parts):
    """Add the shares of parts in their sum; they are equal if that is zero."""
    zero, one = _add_number(graph, 0.0), _add_number(graph, 1.0)
    is_empty = graph.add("Equal", graph.add_row_sums(parts), zero)
    parts = graph.add("Where", is_empty, one, parts)
    return graph.add("Div", parts, graph.add_row_sums(parts))
