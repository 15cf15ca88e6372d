"""The columns that an estimator reads, in one tensor of an ONNX graph or in several."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from onnx import TensorProto

from sklearnx._boosting.frames import get_label
from sklearnx._io.onnx.graph import INTEGERS

# Those that float32 holds all values of.
NARROW = (
    TensorProto.FLOAT,
    TensorProto.BOOL,
    TensorProto.INT8,
    TensorProto.UINT8,
    TensorProto.INT16,
    TensorProto.UINT16,
)
ELEM_TYPES = (TensorProto.STRING, TensorProto.FLOAT, TensorProto.DOUBLE, *INTEGERS)


class Place(NamedTuple):
    """Where a column is.

    Attributes
    ----------
    tensor : str
    elem_type : int
        Of the tensor.
    position : int
        Among its columns.
    width : int
        How many columns it has.
    """

    tensor: str
    elem_type: int
    position: int
    width: int


class Inputs:
    """What an estimator gets in a graph.

    Parameters
    ----------
    graph : Graph
    variables : list of Variable
        Of skl2onnx.
    estimator : estimator instance
        Fitted; if it knows names, and all variables have these, their order is its.

    Raises
    ------
    ValueError
        If the variables have another number of columns than the estimator, or are of
        types that it does not read.
    """

    def __init__(self, graph, variables, estimator):
        self._graph = graph
        names = getattr(estimator, "feature_names_in_", None)
        by_name = {variable.raw_name: variable for variable in variables}
        if names is not None and set(names) == set(by_name):
            variables = [by_name[name] for name in names]
        n_features = estimator.n_features_in_
        self._labels = [
            get_label(j if names is None else names[j]) for j in range(n_features)
        ]
        widths = _find_widths(variables, n_features)
        if sum(widths) != n_features:
            raise ValueError(
                f"{type(estimator).__name__} was fitted on {n_features} columns, and "
                f"gets {sum(widths)} in the ONNX graph."
            )
        self._places = [
            Place(variable.full_name, _get_elem_type(variable), position, width)
            for variable, width in zip(variables, widths, strict=True)
            for position in range(width)
        ]

    def get_label(self, feature):
        """Return how messages call a column."""
        return self._labels[feature]

    def take_column(self, feature):
        """Return the name and type of a tensor of one column."""
        place = self._places[feature]
        tensor = place.tensor
        if place.width > 1:
            tensor = self._graph.take_columns(tensor, [place.position])
        return tensor, place.elem_type

    def are_narrow(self, features):
        """Return whether float32 holds all values that some columns can have."""
        return all(self._places[j].elem_type in NARROW for j in features)

    def take_numbers(self, features):
        """Return the tensor of some columns as numbers that trees compare.

        Parameters
        ----------
        features : list of int
            Ascending, at least one.

        Raises
        ------
        ValueError
            If one of them is of strings.
        """
        graph = self._graph
        parts = [self._take_block(list(block)) for _, block in self._group(features)]
        tensors = []
        # Columns of one type are cast together.
        for elem_type, group in groupby(parts, itemgetter(1)):
            tensor = graph.concatenate([tensor for tensor, _ in group])
            tensors.append(graph.cast(tensor, elem_type, graph.elem_type))
        return graph.concatenate(tensors)

    def _group(self, features):
        return groupby(features, lambda j: self._places[j].tensor)

    def _take_block(self, features):
        """Return a tensor of columns that come from one, and its type."""
        places = [self._places[j] for j in features]
        tensor, elem_type, _, width = places[0]
        if elem_type == TensorProto.STRING:
            raise ValueError(
                f"The numbers in {self._labels[features[0]]} are strings in the ONNX "
                "graph."
            )
        if len(places) < width:
            positions = [place.position for place in places]
            tensor = self._graph.take_columns(tensor, positions)
        return tensor, elem_type


def _find_widths(variables, n_features):
    """Return the number of columns of each variable, one of which may not tell it."""
    widths = [_get_width(variable) for variable in variables]
    if widths.count(None) > 1:
        raise ValueError(
            "Several inputs in the ONNX graph do not tell how many columns they have; "
            "give their shapes in initial_types."
        )
    n_known = sum(width for width in widths if width is not None)
    return [n_features - n_known if width is None else width for width in widths]


def _get_width(variable):
    shape = variable.type.shape
    return shape[1] if len(shape) == 2 and isinstance(shape[1], int) else None


def _get_elem_type(variable):
    elem_type = variable.type.to_onnx_type().tensor_type.elem_type
    if elem_type not in ELEM_TYPES:
        raise ValueError(
            f"The input {variable.raw_name!r} in the ONNX graph is of type "
            f"{type(variable.type).__name__}; it must be strings, float, double, "
            "integers or booleans."
        )
    return elem_type
