"""The inputs of an ONNX graph: their names and types, from rows or from an estimator.

An array is one input, since all its columns have one type. A frame has an input for
each column; so has an array of objects if some of its columns are strings.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from sklearnx._boosting.frames import ArrayColumn, get_label, is_missing, read_frame
from sklearnx._io.onnx.levels import are_float32, check_levels

# What the input of an array is called.
NAME = "X"


def describe_rows(X):
    """Return the inputs that take rows like these.

    Parameters
    ----------
    X : array-like, sparse matrix or frame of shape (n_rows, n_features)

    Returns
    -------
    inputs : list of (str, DataType)
        As skl2onnx takes them.
    """
    frame = read_frame(X)
    if frame is not None:
        names = frame.names or range(len(frame.columns))
        return [
            (str(name), _choose_type(column)([None, 1]))
            for name, column in zip(names, frame.columns, strict=True)
        ]
    if not sparse.issparse(X):
        X = X if isinstance(X, np.ndarray) else np.array(X, dtype=object)
    if X.ndim != 2:
        raise ValueError(f"X must have 2 dimensions, got {X.ndim}.")
    if X.dtype.kind != "O":
        column = ArrayColumn(np.empty(0, dtype=X.dtype), "X")
        return [(NAME, _choose_type(column)([None, X.shape[1]]))]
    labels = [get_label(j) for j in range(X.shape[1])]
    types = [
        _choose_type(ArrayColumn(values, label)) for values, label in zip(X.T, labels)
    ]
    return _join(types)


def describe_estimator(estimator):
    """Return the inputs that take what a fitted estimator of ours reads.

    Numbers are float32.

    Parameters
    ----------
    estimator : estimator instance
        With an encoder, unless it reads numbers only.

    Returns
    -------
    inputs : list of (str, DataType)
        As skl2onnx takes them.
    """
    names = getattr(estimator, "feature_names_in_", None)
    labels = map(get_label, range(estimator.n_features_in_) if names is None else names)
    encoder = getattr(estimator, "_encoder", None)
    all_levels = (
        [None] * estimator.n_features_in_ if encoder is None else encoder.levels_
    )
    types = [
        FloatTensorType if levels is None else _choose_type_of_levels(levels, label)
        for label, levels in zip(labels, all_levels, strict=True)
    ]
    if names is None:
        return _join(types)
    return [(name, type_([None, 1])) for name, type_ in zip(names, types, strict=True)]


def _join(types):
    """Return the input of columns without names, or those of each."""
    if len(set(types)) == 1:
        return [(NAME, types[0]([None, len(types)]))]
    if StringTensorType not in types:
        return [(NAME, DoubleTensorType([None, len(types)]))]
    return [(f"x{j}", type_([None, 1])) for j, type_ in enumerate(types)]


def _choose_type(column):
    """Return the type of an input for a Column."""
    if column.declares_levels:
        levels = [value for value in column.to_levels()[1] if not is_missing(value)]
        return _choose_type_of_levels(levels, column.label)
    if column.holds_strings():
        return StringTensorType
    kind = np.dtype(column.dtype).kind if isinstance(column, ArrayColumn) else "O"
    if kind in "iu":
        return Int64TensorType
    if kind == "b":
        return BooleanTensorType
    is_narrow = column.to_numbers().dtype == np.float32
    return FloatTensorType if is_narrow else DoubleTensorType


def _choose_type_of_levels(levels, label):
    """Return the type of an input that has these values, or lacks one."""
    if check_levels(levels, label) is str:
        return StringTensorType
    return FloatTensorType if are_float32(levels) else DoubleTensorType
