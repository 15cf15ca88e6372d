"""The ONNX graph as our converters write it, by the containers of skl2onnx."""

from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from onnx import TensorProto, numpy_helper

ML = "ai.onnx.ml"
# Earlier operators look up no integers, and compare no doubles.
MIN_VERSIONS = {"": 11, ML: 2}
# The last version that skl2onnx writes.
MAX_KNOWN_VERSION = 3
# Operators of trees take attributes in double since then; before, all is float32.
VERSION_OF_DOUBLE = 3
# Sums take their axes as a tensor since then.
VERSION_OF_AXES = 13
INTEGERS = (
    TensorProto.INT64,
    TensorProto.INT32,
    TensorProto.INT16,
    TensorProto.INT8,
    TensorProto.UINT64,
    TensorProto.UINT32,
    TensorProto.UINT16,
    TensorProto.UINT8,
    TensorProto.BOOL,
)

_allowed_version: ContextVar[int | None] = ContextVar("allowed_version", default=None)


@contextmanager
def allow_version(version):
    """Let converters of ours write operators of a version that skl2onnx does not know.

    The model says that it is of an earlier one; who allows it has to set that right.
    """
    token = _allowed_version.set(version)
    try:
        yield
    finally:
        _allowed_version.reset(token)


class Graph:
    """Nodes and constants that are added to a graph.

    Parameters
    ----------
    scope : Scope
        Of skl2onnx; it makes names.
    container : ModelComponentContainer
        Of skl2onnx; what is added goes there.

    Attributes
    ----------
    ml_version : int
        Of the operators of ``ai.onnx.ml`` that may be used.
    dtype : dtype
        What trees compare and add up.

    Raises
    ------
    NotImplementedError
        If only operators may be used that are too old.
    """

    def __init__(self, scope, container):
        self._scope = scope
        self._container = container
        for domain, version in MIN_VERSIONS.items():
            if container.target_opset_any_domain(domain) < version:
                raise NotImplementedError(
                    f"Models of sklearnx need version {version} of the operators of "
                    f"{domain or 'ai.onnx'}, or a later one."
                )
        self._known_version = min(
            container.target_opset_any_domain(ML), MAX_KNOWN_VERSION
        )
        self.ml_version = _allowed_version.get() or self._known_version
        is_double = self.ml_version >= VERSION_OF_DOUBLE
        self.dtype = np.dtype(np.float64 if is_double else np.float32)

    @property
    def elem_type(self):
        """The type of tensors that trees compare."""
        return TensorProto.DOUBLE if self.dtype == np.float64 else TensorProto.FLOAT

    def add(self, op, *inputs, output=None, domain="", **attributes):
        """Add a node of one output.

        Parameters
        ----------
        op : str
        *inputs : str
            Names of tensors.
        output : str or None, default=None
            Name of the output; None makes one.
        domain : str, default=""
        **attributes : dict

        Returns
        -------
        output : str
        """
        if output is None:
            output = self._scope.get_unique_variable_name(f"sklearnx_{op}")
        self._container.add_node(
            op,
            list(inputs),
            [output],
            op_domain=domain,
            op_version=self._known_version if domain == ML else None,
            name=self._scope.get_unique_operator_name(op),
            **attributes,
        )
        return output

    def add_constant(self, values):
        """Add numbers or strings, an ndarray; return the name."""
        name = self._scope.get_unique_variable_name("sklearnx_constant")
        values = np.asarray(values)
        if values.dtype.kind in "OU":
            texts = [text.encode() for text in values.ravel().tolist()]
            shape = list(values.shape)
            self._container.add_initializer(name, TensorProto.STRING, shape, texts)
        else:
            tensor = numpy_helper.from_array(values, name)
            self._container.add_initializer(name, None, None, tensor)
        return name

    def concatenate(self, tensors):
        """Return the tensor of all columns of some."""
        return tensors[0] if len(tensors) == 1 else self.add("Concat", *tensors, axis=1)

    def cast(self, tensor, elem_type, to):
        """Return a tensor as one of another type, itself if it is of that."""
        return tensor if elem_type == to else self.add("Cast", tensor, to=to)

    def repeat_row(self, values, tensor):
        """Return a tensor whose rows, as many as another has, are all these values."""
        n_rows = self.add("Gather", self.add("Shape", tensor), self._make_index([0]))
        shape = self.add("Concat", n_rows, self._make_index([len(values)]), axis=0)
        return self.add("Expand", self.add_constant(values[np.newaxis]), shape)

    def take_columns(self, tensor, columns):
        """Return the tensor of some columns of another."""
        return self.add("Gather", tensor, self._make_index(columns), axis=1)

    def add_row_sums(self, tensor):
        """Add the sum of each row, of shape (n_rows, 1)."""
        if self._container.target_opset_any_domain("") < VERSION_OF_AXES:
            return self.add("ReduceSum", tensor, axes=[1], keepdims=1)
        return self.add("ReduceSum", tensor, self._make_index([1]), keepdims=1)

    def _make_index(self, positions):
        return self.add_constant(np.array(positions, dtype=np.int64))
