"""Objects as JSON and arrays, and back.

JSON says what an object consists of: ``null``, ``true``, numbers and texts are
themselves, a list is a list, and anything else is a JSON object whose "type" tells
what it is. Arrays are named in it and kept apart. What a file may hold is listed in
`registry`; reading it makes nothing else, and calls nothing that it names.
"""

import base64
import datetime
import decimal
import math
from types import BuiltinFunctionType, FunctionType

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from sklearn.utils import Bunch

from sklearnx._io import registry
from sklearnx._io.container import NAMES_OF_TYPES, ModelFileError

SPARSE_FORMATS = {
    ("csr", True): sparse.csr_array,
    ("csc", True): sparse.csc_array,
    ("csr", False): sparse.csr_matrix,
    ("csc", False): sparse.csc_matrix,
}
# Kinds of NumPy's types besides those of safetensors: their bytes are kept.
KINDS_OF_BYTES = "USMmcf"
TEXT_TYPES = {
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
}


# ---- writing -------------------------------------------------------------------------


class GraphWriter:
    """Describes objects, and collects their arrays.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Of types that the container knows.
    """

    def __init__(self):
        self.arrays = {}
        # Objects that were described, by id; they are kept, or ids would come again.
        self._seen = {}
        self._open = set()

    def describe(self, value, path):
        """Return what JSON says of an object.

        Parameters
        ----------
        value : object
        path : str
            Where the object is, for error messages.

        Raises
        ------
        TypeError
            If a file may not hold such an object.
        """
        if value is None or type(value) in (bool, str, int):
            return value
        if type(value) is float:
            if math.isfinite(value):
                return value
            return {"type": "float", "value": repr(value)}
        if id(value) in self._open:
            raise self._refuse(value, path, "what holds itself")
        if id(value) in self._seen:
            return {"type": "same", "id": self._seen[id(value)][0]}
        for types, describe in self._DESCRIBERS:
            if isinstance(value, types):
                return describe(self, value, path)
        return self._describe_object(value, path)

    def _note(self, value):
        """Return a number for an object that others may share."""
        number = len(self._seen)
        self._seen[id(value)] = (number, value)
        return number

    # -- containers --

    def _describe_list(self, value, path):
        if type(value) is not list:
            return self._describe_object(value, path)
        packed = self._pack_scalars(value)
        if packed is not None:
            return packed
        return [self.describe(item, f"{path}[{i}]") for i, item in enumerate(value)]

    def _pack_scalars(self, value):
        """Describe a list of NumPy's numbers of one type by one array."""
        types = set(map(type, value))
        if len(types) != 1 or not issubclass(next(iter(types)), np.number):
            return None
        array = np.array(value)
        return {"type": "scalars", "array": self._keep(array)}

    def _describe_tuple(self, value, path):
        if type(value) is not tuple:
            return self._describe_object(value, path)
        items = [self.describe(item, f"{path}[{i}]") for i, item in enumerate(value)]
        return {"type": "tuple", "items": items}

    def _describe_set(self, value, path):
        name = {set: "set", frozenset: "frozenset"}.get(type(value))
        if name is None:
            return self._describe_object(value, path)
        items = [self.describe(item, path) for item in value]
        # In an order that does not depend on the process.
        return {"type": name, "items": sorted(items, key=repr)}

    def _describe_dict(self, value, path):
        name = {dict: "dict", Bunch: "bunch"}.get(type(value))
        if name is None:
            return self._describe_object(value, path)
        keys = [self.describe(key, f"a key of {path}") for key in value]
        values = self._describe_list(list(value.values()), path)
        return {"type": name, "keys": keys, "values": values}

    # -- scalars --

    def _describe_scalar(self, value, path):
        if isinstance(value, np.void | np.object_):
            raise self._refuse(value, path)
        described = self._describe_array(np.array(value), path)
        return {"type": "scalar", "of": described}

    def _describe_bytes(self, value, path):
        return {"type": "bytes", "value": base64.b64encode(value).decode("ascii")}

    def _describe_complex(self, value, path):
        return {"type": "complex", "value": [value.real.hex(), value.imag.hex()]}

    def _describe_slice(self, value, path):
        parts = (value.start, value.stop, value.step)
        return {"type": "slice", "parts": [self.describe(p, path) for p in parts]}

    def _describe_text(self, value, path):
        for name, cls in TEXT_TYPES.items():
            if type(value) is cls:
                return {"type": name, "value": value.isoformat()}
        if type(value) is decimal.Decimal:
            return {"type": "decimal", "value": str(value)}
        return self._describe_timestamp(value, path)

    def _describe_timestamp(self, value, path):
        """pandas' timestamps are levels of a column of dates."""
        if type(value).__name__ == "Timestamp" and value.tz is None:
            array = np.array(value.to_datetime64())
            described = self._describe_array(array, path)
            return {"type": "timestamp", "of": described}
        raise self._refuse(value, path)

    def _describe_dtype(self, value, path):
        if value.kind == "V":
            raise self._refuse(value, path)
        return {"type": "dtype", "name": value.newbyteorder("<").str}

    def _describe_function(self, value, path):
        try:
            return {"type": "function", "name": registry.find_function_name(value)}
        except registry.UnknownTypeError:
            raise self._refuse(value, path, "that function") from None

    def _describe_type(self, value, path):
        if value not in registry.NAMES_OF_TYPES:
            raise self._refuse(value, path, f"the type {value.__name__}")
        return {"type": "type", "name": registry.NAMES_OF_TYPES[value]}

    def _describe_spline(self, value, path):
        parts = [value.t, value.c, value.k, value.extrapolate, value.axis]
        return {"type": "BSpline", "parts": self.describe(parts, path)}

    def _describe_generator(self, value, path):
        _, *state = value.get_state()
        number = self._note(value)
        return {
            "type": "RandomState",
            "id": number,
            "state": self.describe(state, path),
        }

    # -- arrays --

    def _describe_array(self, value, path):
        if value.dtype == object:
            items = [self.describe(item, path) for item in value.ravel().tolist()]
            return {
                "type": "objects",
                "id": self._note(value),
                "shape": list(value.shape),
                "items": items,
            }
        described = {"type": "array", "id": self._note(value)}
        array = np.asarray(value)
        is_by_column = array.flags.f_contiguous and not array.flags.c_contiguous
        if is_by_column:
            described["order"] = "F"
            array = array.T
        array = np.ascontiguousarray(array).reshape(array.shape)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if array.dtype not in NAMES_OF_TYPES:
            described["dtype"] = self._name_dtype(array.dtype, path)
            described["shape"] = list(array.shape)
            # Words, not bytes, so that they are aligned in the file.
            word = next(n for n in (8, 4, 2, 1) if array.dtype.itemsize % n == 0)
            array = np.frombuffer(array.tobytes(), dtype=f"<u{word}")
        described["array"] = self._keep(array)
        return described

    def _name_dtype(self, dtype, path):
        for name, structure in registry.STRUCTURES.items():
            if dtype == structure:
                return name
        if dtype.kind not in KINDS_OF_BYTES:
            raise self._refuse(dtype, path, f"arrays of dtype {dtype}")
        return dtype.str

    def _keep(self, array):
        name = str(len(self.arrays))
        self.arrays[name] = array
        return name

    def _describe_sparse(self, value, path):
        kept = value
        if value.format not in ("csr", "csc"):
            kept = value.tocsr()
        parts = {
            name: self._describe_array(getattr(kept, name), path)
            for name in ("data", "indices", "indptr")
        }
        return {
            "type": "sparse",
            "format": kept.format,
            "is_array": isinstance(value, sparse.sparray),
            "shape": list(value.shape),
            **parts,
        }

    # -- objects --

    def _describe_object(self, value, path):
        try:
            name = registry.find_name(type(value))
        except registry.UnknownTypeError:
            raise self._refuse(value, path) from None
        described = {"type": "object", "class": str(name)}
        if isinstance(value, tuple):
            described["items"] = self._describe_list(list(value), path)
            return described
        described["id"] = self._note(value)
        self._open.add(id(value))
        described["state"] = {
            key: self.describe(part, f"{path}.{key}")
            for key, part in get_state(value).items()
        }
        self._open.remove(id(value))
        return described

    def _refuse(self, value, path, what=None):
        what = what or f"objects of type {type(value).__name__}"
        return TypeError(
            f"Cannot save {path}: a model file may not hold {what}. It holds plain "
            "data, estimators of sklearnx, and estimators of scikit-learn made of such."
        )

    _DESCRIBERS = (
        (list, _describe_list),
        (tuple, _describe_tuple),
        ((set, frozenset), _describe_set),
        (np.ndarray, _describe_array),
        (np.generic, _describe_scalar),
        (bytes, _describe_bytes),
        (complex, _describe_complex),
        (slice, _describe_slice),
        ((*TEXT_TYPES.values(), decimal.Decimal), _describe_text),
        (np.dtype, _describe_dtype),
        ((sparse.sparray, sparse.spmatrix), _describe_sparse),
        (np.random.RandomState, _describe_generator),
        (BSpline, _describe_spline),
        ((FunctionType, BuiltinFunctionType, np.ufunc), _describe_function),
        (type(np.mean), _describe_function),
        (type, _describe_type),
        (dict, _describe_dict),
    )


def get_state(value):
    """Return the attributes of an object that a file keeps."""
    if hasattr(value, "get_arrays"):
        return value.get_arrays()
    return value.__getstate__() or {}


# ---- reading -------------------------------------------------------------------------


class GraphReader:
    """Makes the objects that JSON describes.

    Parameters
    ----------
    arrays : dict of str to ndarray
        What a GraphWriter has collected.
    """

    def __init__(self, arrays):
        self._arrays = arrays
        self._made = {}

    def make(self, described):
        """Return the object.

        Raises
        ------
        ModelFileError
            If the description names what a file may not hold, or makes no sense.
        """
        try:
            return self._make(described)
        except registry.UnknownTypeError as error:
            raise ModelFileError(
                f"The file holds {error}, which this version of sklearnx and "
                "scikit-learn does not know, or does not make from a file."
            ) from error
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(
                f"The file describes a model that makes no sense: {error}"
            ) from error

    def _make(self, described):
        if not isinstance(described, dict | list):
            return described
        if isinstance(described, list):
            return [self._make(item) for item in described]
        type_ = described["type"]
        if type_ not in self._MAKERS:
            raise registry.UnknownTypeError(f"a {type_!r}")
        made = self._MAKERS[type_](self, described)
        if "id" in described:
            self._made[described["id"]] = made
        return made

    def _make_same(self, described):
        return self._made[described["id"]]

    def _make_float(self, described):
        return float(described["value"])

    def _make_scalars(self, described):
        return list(self._arrays[described["array"]])

    def _make_tuple(self, described):
        return tuple(self._make(described["items"]))

    def _make_set(self, described):
        return set(self._make(described["items"]))

    def _make_frozenset(self, described):
        return frozenset(self._make(described["items"]))

    def _make_dict(self, described):
        keys, values = self._make(described["keys"]), self._make(described["values"])
        return dict(zip(keys, values, strict=True))

    def _make_bunch(self, described):
        return Bunch(**self._make_dict(described))

    def _make_scalar(self, described):
        array = self._make(described["of"])
        if array.shape != ():
            raise ValueError("a number has a shape")
        return array[()]

    def _make_bytes(self, described):
        return base64.b64decode(described["value"], validate=True)

    def _make_complex(self, described):
        real, imaginary = map(float.fromhex, described["value"])
        return complex(real, imaginary)

    def _make_slice(self, described):
        start, stop, step = self._make(described["parts"])
        return slice(start, stop, step)

    def _make_text(self, described):
        return TEXT_TYPES[described["type"]].fromisoformat(described["value"])

    def _make_decimal(self, described):
        return decimal.Decimal(described["value"])

    def _make_timestamp(self, described):
        # Only who has pandas has a use for such levels.
        import pandas as pd

        return pd.Timestamp(self._make(described["of"])[()])

    def _make_dtype(self, described):
        name = described["name"]
        return np.dtype(object) if name == "|O" else _read_dtype(name)

    def _make_function(self, described):
        return registry.find_function(described["name"])

    def _make_type(self, described):
        return registry.find_type(described["name"])

    def _make_spline(self, described):
        knots, coefficients, degree, extrapolate, axis = self._make(described["parts"])
        return BSpline(knots, coefficients, degree, extrapolate, axis)

    def _make_generator(self, described):
        generator = np.random.RandomState(0)
        generator.set_state(("MT19937", *self._make(described["state"])))
        return generator

    def _make_objects(self, described):
        items = self._make(described["items"])
        shape = described["shape"]
        if math.prod(shape) != len(items):
            raise ValueError("an array of objects lacks some")
        array = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            array[i] = item
        return array.reshape(shape)

    def _make_array(self, described):
        array = self._arrays[described["array"]]
        if "dtype" in described:
            dtype = registry.STRUCTURES.get(described["dtype"])
            if dtype is None:
                dtype = _read_dtype(described["dtype"])
            shape = described["shape"]
            if array.dtype.kind != "u" or array.nbytes != (
                math.prod(shape) * dtype.itemsize
            ):
                raise ValueError("an array has another size than it says")
            array = np.ndarray(shape, dtype, array)
        return array.T if described.get("order") == "F" else array

    def _make_sparse(self, described):
        cls = SPARSE_FORMATS[described["format"], bool(described["is_array"])]
        parts = [self._make(described[name]) for name in ("data", "indices", "indptr")]
        matrix = cls(tuple(parts), shape=tuple(described["shape"]))
        matrix.check_format(full_check=True)
        return matrix

    def _make_object(self, described):
        cls = registry.find_class(described["class"])
        if "items" in described:
            return cls._make(self._make(described["items"]))
        state = {key: self._make(part) for key, part in described["state"].items()}
        if hasattr(cls, "from_arrays"):
            return cls.from_arrays(state)
        made = cls.__new__(cls)
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            vars(made).update(state)
        return made

    _MAKERS = {
        "BSpline": _make_spline,
        "RandomState": _make_generator,
        "array": _make_array,
        "bunch": _make_bunch,
        "bytes": _make_bytes,
        "complex": _make_complex,
        "date": _make_text,
        "datetime": _make_text,
        "decimal": _make_decimal,
        "dict": _make_dict,
        "dtype": _make_dtype,
        "float": _make_float,
        "frozenset": _make_frozenset,
        "function": _make_function,
        "object": _make_object,
        "objects": _make_objects,
        "same": _make_same,
        "scalar": _make_scalar,
        "scalars": _make_scalars,
        "set": _make_set,
        "slice": _make_slice,
        "sparse": _make_sparse,
        "time": _make_text,
        "timestamp": _make_timestamp,
        "tuple": _make_tuple,
        "type": _make_type,
    }


def _read_dtype(name):
    dtype = np.dtype(name)
    if dtype.kind in "VO" or not isinstance(name, str):
        raise ValueError(f"{name!r} is no dtype")
    return dtype
