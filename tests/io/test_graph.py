"""Descriptions of objects: what they make, and what they cannot be made to make."""

import sys

import numpy as np
import pytest
from scipy import sparse

from sklearnx._io.container import ModelFileError
from sklearnx._io.graph import GraphReader, GraphWriter

VALUES = [
    None,
    True,
    -(2**80),
    0.1,
    float("inf"),
    -0.0,
    "text \0 ü",
    b"\x00\xff",
    2 - 3j,
    [],
    [1, [2, None]],
    (),
    (1, (2,)),
    {"a": 1, 2: (3,), (4, 5): []},
    {1, "a", 2.5},
    frozenset({1}),
    slice(1, None, -2),
    np.float32(0.1),
    np.int64(-5),
    np.bool_(True),
    np.str_("a"),
    np.datetime64("2020-01-02", "D"),
    np.dtype("f4"),
    np.dtype(object),
    np.float64,
    int,
    np.log1p,
]


def send(value):
    writer = GraphWriter()
    described = writer.describe(value, "value")
    return GraphReader(writer.arrays).make(described)


@pytest.mark.parametrize("value", VALUES, ids=lambda each: type(each).__name__)
def test_values(value):
    received = send(value)
    assert type(received) is type(value)
    assert received == value
    if isinstance(value, float):
        assert np.signbit(received) == np.signbit(value)


def test_nan():
    assert np.isnan(send(float("nan")))
    assert type(send([np.nan])[0]) is float


ARRAYS = [
    np.arange(6).reshape(2, 3),
    np.arange(6.0).reshape(2, 3).T,
    np.arange(10)[::3],
    np.array(5),
    np.empty((0, 3)),
    np.array([1.5, np.nan], dtype=">f8"),
    np.array(["a", "bcd"]),
    np.array(["a"], dtype="U50"),
    np.array([b"ab"]),
    np.array(["2020-01-01", "NaT"], dtype="M8[ns]"),
    np.array([3], dtype="m8[s]"),
    np.array([1 + 2j]),
    np.array([None, "a", 1, (2,)], dtype=object),
    np.array([["a", 1.5]], dtype=object),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_arrays(array):
    received = send(array)
    assert received.dtype == array.dtype.newbyteorder("=")
    assert received.shape == array.shape
    assert received.tolist() == array.tolist() or array.dtype.kind in "fM"
    if array.dtype != object:
        np.testing.assert_array_equal(received, array)
        is_by_column = array.flags.f_contiguous and not array.flags.c_contiguous
        assert received.flags.f_contiguous or not is_by_column


@pytest.mark.parametrize(
    "make",
    [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.coo_array],
)
def test_sparse(make):
    matrix = make(np.eye(5, 4) + np.eye(5, 4, 1))
    received = send(matrix)
    assert isinstance(received, sparse.sparray) == isinstance(matrix, sparse.sparray)
    np.testing.assert_array_equal(received.toarray(), matrix.toarray())


def test_numbers_of_a_list_are_one_array():
    writer = GraphWriter()
    described = writer.describe({"a": np.int64(1), "b": np.int64(2)}, "value")
    assert len(writer.arrays) == 1
    received = GraphReader(writer.arrays).make(described)
    assert {type(number) for number in received.values()} == {np.int64}


@pytest.mark.parametrize(
    "value",
    [object(), sys, lambda: 0, np.load, eval, type, property, np.random.default_rng()],
    ids=lambda value: type(value).__name__,
)
def test_refused(value):
    with pytest.raises(TypeError, match=r"Cannot save a\.b\[0\]"):
        GraphWriter().describe([value], "a.b")


def test_structures_of_others_are_refused():
    with pytest.raises(TypeError, match="Cannot save"):
        GraphWriter().describe(np.zeros(2, dtype=[("a", "f8")]), "value")


# ---- descriptions that somebody made up ----------------------------------------------


def describe_object(name, state=None):
    return {"type": "object", "class": name, "id": 0, "state": state or {}}


@pytest.mark.parametrize(
    "described",
    [
        {"type": "call", "name": "os.system"},
        {"type": "function", "name": "os.system"},
        {"type": "function", "name": "numpy.load"},
        {"type": "function", "name": "numpy.fromfile"},
        {"type": "function", "name": "builtins.eval"},
        {"type": "function", "name": "sklearn.feature_selection.os"},
        {"type": "type", "name": "numpy.memmap"},
        describe_object("os.system"),
        describe_object("builtins.object"),
        describe_object("subprocess.Popen"),
        describe_object("pickle.Unpickler"),
        describe_object("numpy.memmap"),
        describe_object("numpy.ndarray"),
        describe_object("antigravity.Fly"),
        describe_object("sklearn.conftest.Pyglet"),
        describe_object("sklearn.utils.fixes.VisibleDeprecationWarning"),
        describe_object("sklearn.base.BaseEstimator.__init__"),
        describe_object("sklearn.preprocessing._data.StandardScaler"),
        describe_object("sklearn.preprocessing.no_such"),
        describe_object("sklearn.preprocessing.NoSuch"),
        describe_object("sklearn.clone.NoSuch"),
        describe_object("sklearnx.io.ModelFileError"),
        describe_object("sklearnx._boosting.model.BoostedTrees"),
        describe_object("this.That"),
        describe_object(""),
        describe_object("."),
    ],
    ids=str,
)
def test_what_no_file_makes(described):
    before = set(sys.modules)
    with pytest.raises(ModelFileError, match="does not know"):
        GraphReader({}).make(described)
    imported = set(sys.modules) - before
    assert all(name.startswith("sklearn") for name in imported), imported


@pytest.mark.parametrize(
    "described",
    [
        {},
        {"type": []},
        {"type": "tuple"},
        {"type": "tuple", "items": 3},
        {"type": "set", "items": [[]]},
        {"type": "dict", "keys": [1], "values": []},
        {"type": "dict", "keys": [[]], "values": [1]},
        {"type": "float", "value": "x"},
        {"type": "complex", "value": ["0x1"]},
        {"type": "bytes", "value": "***"},
        {"type": "date", "value": "yesterday"},
        {"type": "decimal", "value": "x"},
        {"type": "slice", "parts": [1]},
        {"type": "dtype", "name": "O,O"},
        {"type": "dtype", "name": "f8,f8"},
        {"type": "dtype", "name": "nothing"},
        {"type": "dtype", "name": {"names": ["a"], "formats": ["O"]}},
        {"type": "same", "id": 7},
        {"type": "array", "array": "nothing"},
        {"type": "array", "array": "bytes", "dtype": "|O", "shape": [2]},
        {"type": "array", "array": "bytes", "dtype": "<U1000000000", "shape": [1]},
        {"type": "array", "array": "bytes", "dtype": "<c16", "shape": [1000]},
        {"type": "array", "array": "bytes", "dtype": "<c16", "shape": [-1]},
        {"type": "array", "array": "bytes", "dtype": "<c16", "shape": None},
        {"type": "array", "array": "numbers", "dtype": "<c16", "shape": [1]},
        {"type": "scalar", "of": {"type": "array", "array": "bytes"}},
        {"type": "objects", "shape": [10**12], "items": []},
        {"type": "objects", "shape": [-1, -1], "items": [1]},
        {"type": "RandomState", "state": [1, 2]},
        {"type": "BSpline", "parts": [1, 2, 3, 4, 5]},
        {
            "type": "sparse",
            "format": "csr",
            "is_array": True,
            "shape": [2, 2],
            "data": {"type": "array", "array": "numbers"},
            "indices": {"type": "array", "array": "numbers"},
            "indptr": {"type": "array", "array": "numbers"},
        },
        {"type": "object", "class": "sklearn.preprocessing.StandardScaler"},
        {"type": "object", "class": "DerivedColumn", "items": [1, 2, 3]},
        {"type": "object", "class": "BoostedTrees", "state": {}},
        {"type": "object", "class": ["a"], "state": {}},
    ],
    ids=str,
)
def test_what_makes_no_sense(described):
    arrays = {"bytes": np.zeros(16, dtype=np.uint8), "numbers": np.arange(2.0)}
    with pytest.raises(ModelFileError):
        GraphReader(arrays).make(described)


def test_deep():
    described = []
    for _ in range(100_000):
        described = [described]
    with pytest.raises(ModelFileError, match="no sense"):
        GraphReader({}).make(described)
    while described:
        described = described[0]
