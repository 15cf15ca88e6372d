"""What operators of ONNX return: types and shapes of labels, scores and predictions."""

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

# What users of skl2onnx may set.
CLASSIFIER_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],
}


def set_classifier_outputs(operator):
    """Set the types and shapes of labels and probabilities."""
    estimator = operator.raw_operator
    check_is_fitted(estimator)
    labels, probabilities = operator.outputs[:2]
    n_rows = operator.inputs[0].get_first_dimension()
    is_text = read_classes(operator).dtype.kind == "O"
    labels.set_type((StringTensorType if is_text else Int64TensorType)([n_rows]))
    n_columns = len(estimator.classes_)
    if returns_raw_scores(operator):
        n_columns = max(n_columns, 2)
    probabilities.set_type(_choose_type(operator)([n_rows, n_columns]))


def set_prediction_type(operator, n_outputs):
    """Set the type and shape of predictions."""
    n_rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].set_type(_choose_type(operator)([n_rows, n_outputs]))


def _choose_type(operator):
    """Return the type of numbers that an operator returns: double if it gets any."""
    is_double = any(isinstance(v.type, DoubleTensorType) for v in operator.inputs)
    return DoubleTensorType if is_double else FloatTensorType


def returns_raw_scores(operator):
    """Return whether raw scores are asked for in the place of probabilities."""
    defaults = {"raw_scores": False, "nocl": False}
    scope, estimator = operator.scope_inst, operator.raw_operator
    return scope.get_options(estimator, defaults, fail=False)["raw_scores"]


def read_classes(operator):
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


def add_labels(graph, operator, position):
    """Add the labels of the classes at these positions."""
    classes = graph.add_constant(read_classes(operator))
    graph.add("Gather", classes, position, output=operator.outputs[0].full_name)


def add_numbers(graph, operator, tensor, output):
    """Add doubles as numbers of the type that the operator returns."""
    is_double = _choose_type(operator) is DoubleTensorType
    elem_type = TensorProto.DOUBLE if is_double else TensorProto.FLOAT
    graph.add("Cast", tensor, output=output.full_name, to=elem_type)
