"""The converter of OrderedTargetEncoder for skl2onnx."""

import numpy as np
from skl2onnx import get_model_alias
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.utils.validation import check_is_fitted

from sklearnx._boosting.encoding import UNKNOWN
from sklearnx._io.onnx.graph import Graph
from sklearnx._io.onnx.inputs import Inputs
from sklearnx._io.onnx.levels import add_codes


def parse_encoder(scope, model, inputs, custom_parsers=None):
    """Declare the output, doubles whatever comes in: trees may compare them."""
    operator = scope.declare_local_operator(get_model_alias(type(model)), model)
    operator.inputs = inputs
    variable = scope.declare_local_variable("variable", DoubleTensorType())
    operator.outputs.append(variable)
    return operator.outputs


def set_encoder_output(operator):
    """Set the type and shape of encodings."""
    check_is_fitted(operator.raw_operator)
    n_rows = operator.inputs[0].get_first_dimension()
    n_columns = sum(
        means.shape[1] for means in operator.raw_operator._statistics.means_
    )
    operator.outputs[0].set_type(DoubleTensorType([n_rows, n_columns]))


def convert_encoder(scope, operator, container):
    """Add what `transform` does to a graph."""
    graph = Graph(scope, container)
    estimator = operator.raw_operator
    inputs = Inputs(graph, operator.inputs, estimator)
    flat = graph.add_constant(np.array([-1], dtype=np.int64))
    tensors = []
    for feature, means in enumerate(estimator._statistics.means_):
        codes = add_codes(
            graph,
            *inputs.take_column(feature),
            estimator._encoder,
            feature,
            inputs.get_label(feature),
            UNKNOWN,
        )
        # The codes of what is unknown or missing count from the end.
        codes = graph.add("Reshape", codes, flat)
        tensors.append(graph.add("Gather", graph.add_constant(means), codes, axis=0))
    graph.add("Concat", *tensors, output=operator.outputs[0].full_name, axis=1)
