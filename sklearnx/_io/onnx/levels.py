"""Codes of the levels of categorical columns, looked up in an ONNX graph."""

from __future__ import annotations

from numbers import Real

import numpy as np
from onnx import TensorProto, numpy_helper

from sklearnx._boosting.encoding import MISSING
from sklearnx._io.onnx.graph import INTEGERS, ML

# What a missing value may be among strings, which ONNX has no missing one of:
# onnxruntime makes such texts of None, NaN and pandas.NA.
MISSING_TEXTS = ("", "None", "nan", "<NA>")
# Operators that look up double, since.
VERSION_OF_DOUBLE_KEYS = 4


def check_levels(levels, label):
    """Return `str` or `float`, what the levels of a column are to ONNX.

    Parameters
    ----------
    levels : list
    label : str
        How messages call the column.

    Raises
    ------
    ValueError
        If they are something else, or both.
    """
    types = {type(level) for level in levels}
    if all(issubclass(type_, str) for type_ in types):
        return str
    if all(issubclass(type_, Real | np.bool_) for type_ in types):
        return float
    names = ", ".join(sorted(type_.__name__ for type_ in types))
    raise ValueError(
        f"The categories in {label} are of type {names}; tensors of ONNX hold either "
        "strings or numbers."
    )


def are_float32(levels):
    """Return whether float32 has all these numbers."""
    return all(_convert(level, np.float32) is not None for level in levels)


def add_codes(graph, tensor, elem_type, encoder, feature, label, unknown=MISSING):
    """Add the codes of the levels of a column.

    Parameters
    ----------
    graph : Graph
    tensor : str
        Of shape (n_rows, 1).
    elem_type : int
        Of the tensor.
    encoder : TableEncoder
    feature : int
    label : str
        How messages call the column.
    unknown : int, default=MISSING
        The code of levels that fit did not see.

    Returns
    -------
    codes : str
        int64, of shape (n_rows, 1).
    """
    levels = encoder.levels_[feature]
    is_text = check_levels(levels, label) is str
    if levels and is_text != (elem_type == TensorProto.STRING):
        expected, found = ("strings", "numbers") if is_text else ("numbers", "strings")
        raise ValueError(
            f"The categories in {label} are {expected}, those of the input in the ONNX "
            f"graph are {found}."
        )
    if elem_type == TensorProto.STRING:
        codes = dict.fromkeys(MISSING_TEXTS, MISSING)
        codes.update({level: code for code, level in enumerate(levels)})
        return _look_up(graph, tensor, elem_type, codes, unknown)
    if elem_type in INTEGERS:
        tensor = graph.cast(tensor, elem_type, TensorProto.INT64)
        codes = _convert_keys(levels, _to_int64)
        return _look_up(graph, tensor, TensorProto.INT64, codes, unknown)
    if feature in encoder.truncated_:
        is_negative = graph.add("Less", tensor, _add_zero(graph, elem_type))
        up, down = graph.add("Ceil", tensor), graph.add("Floor", tensor)
        tensor = graph.add("Where", is_negative, up, down)
    codes = _add_codes_of_floats(graph, tensor, elem_type, levels, label, unknown)
    if unknown == MISSING:
        return codes
    missing = graph.add_constant(np.array(MISSING, dtype=np.int64))
    return graph.add("Where", graph.add("IsNaN", tensor), missing, codes)


def _add_codes_of_floats(graph, tensor, elem_type, levels, label, unknown):
    """Add the codes of levels in floats; what of missing ones is theirs."""
    dtype = np.float32 if elem_type == TensorProto.FLOAT else np.float64
    codes = _convert_keys(levels, lambda level: _convert(level, dtype))
    is_known = elem_type == TensorProto.FLOAT
    if is_known or graph.ml_version >= VERSION_OF_DOUBLE_KEYS:
        return _look_up(graph, tensor, elem_type, codes, unknown)
    if not are_float32(levels):
        raise NotImplementedError(
            f"The categories in {label} are no numbers of float32; to look them up in "
            f"a column of float64 needs version {VERSION_OF_DOUBLE_KEYS} of the "
            f"operators of {ML}."
        )
    # Other numbers are not rounded to one of them.
    rounded = graph.add("Cast", tensor, to=TensorProto.FLOAT)
    codes = _look_up(graph, rounded, TensorProto.FLOAT, codes, unknown)
    again = graph.add("Cast", rounded, to=TensorProto.DOUBLE)
    is_same = graph.add("Equal", again, tensor)
    default = graph.add_constant(np.array(unknown, dtype=np.int64))
    return graph.add("Where", is_same, codes, default)


def add_numbers(graph, codes, n_codes):
    """Add what trees compare: numbers from 1 on, the last one for missing values.

    Some runtimes know no set with 0.
    """
    zero, one, last = (
        graph.add_constant(np.array(value, dtype=np.int64))
        for value in (0, 1, n_codes + 1)
    )
    is_missing = graph.add("Less", codes, zero)
    numbers = graph.add("Where", is_missing, last, graph.add("Add", codes, one))
    return graph.add("Cast", numbers, to=graph.elem_type)


def _add_zero(graph, elem_type):
    dtype = np.float32 if elem_type == TensorProto.FLOAT else np.float64
    return graph.add_constant(np.array(0, dtype=dtype))


def _look_up(graph, tensor, elem_type, codes, unknown):
    """Add the integers that stand for the keys of a dict, and one for all others."""
    # An operator without keys is none.
    keys = list(codes) or [0]
    values = list(codes.values()) or [unknown]
    if elem_type == TensorProto.DOUBLE:
        attributes = {
            "keys_tensor": _to_tensor(keys, np.float64),
            "values_tensor": _to_tensor(values, np.int64),
            "default_tensor": _to_tensor([unknown], np.int64),
        }
    else:
        name = {TensorProto.STRING: "strings", TensorProto.INT64: "int64s"}
        attributes = {
            f"keys_{name.get(elem_type, 'floats')}": keys,
            "values_int64s": values,
            "default_int64": unknown,
        }
    return graph.add("LabelEncoder", tensor, domain=ML, **attributes)


def _to_tensor(values, dtype):
    return numpy_helper.from_array(np.array(values, dtype=dtype))


def _convert_keys(levels, convert):
    """Return the codes of levels by key; no row has a level that is none."""
    keys = ((convert(level), code) for code, level in enumerate(levels))
    return {key: code for key, code in keys if key is not None}


def _convert(level, dtype):
    """Return a number as float if a floating-point type has it, else None."""
    with np.errstate(over="ignore"):
        try:
            number = float(dtype(level))
        except OverflowError:
            return None
    return number if number == level else None


def _to_int64(level):
    """Return a number as int if int64 has it, else None."""
    is_int = -(2**63) <= level < 2**63 and level == int(level)
    return int(level) if is_int else None
