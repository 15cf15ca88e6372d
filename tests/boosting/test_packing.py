"""Packed arrays are the same arrays, in few bytes."""

import pickle

import numpy as np
import pytest

from sklearnx._boosting.model import ARRAYS, BoostedTrees
from sklearnx._boosting.packing import mark_equal, pack, unpack
from sklearnx._cython.boosting.collecting import NODE_DTYPE
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import make_classification_data, make_regression_data


@pytest.mark.parametrize(
    "array",
    [
        np.array([1.5, -0.0, np.nan, np.inf]),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        np.array([-128, 127]),
        np.array([-129, 2**40], dtype=np.int64),
        np.array([2**63], dtype=np.uint64),
        np.array([2**32 - 1], dtype=np.uint32),
        np.array([True, False]),
        np.array(True),
        np.empty(0, dtype=np.int32),
        np.empty((0, 3)),
        np.array([(1.5, 3, 4, -1, 1, 0)], dtype=NODE_DTYPE),
        np.empty(0, dtype=NODE_DTYPE),
    ],
    ids=lambda array: f"{array.dtype.kind}{array.shape}",
)
def test_round_trip(array):
    received = unpack(pickle.loads(pickle.dumps(pack(array))), array.dtype)
    assert received.dtype == array.dtype and received.shape == array.shape
    assert received.tobytes() == array.tobytes()


def test_bytes_do_not_depend_on_byte_order():
    array = np.array([1.5, -2.25, 1e300])
    assert pack(array) == pack(array.astype(">f8"))


@pytest.mark.parametrize(
    "packed",
    [
        None,
        (),
        ((2,), None),
        ((2,), ("<f8", b"no zlib")),
        ((3,), pack(np.zeros(2))[1]),
        ((-1,), pack(np.zeros(2))[1]),
        ((2,), ("f9", pack(np.zeros(2))[1][1])),
        ("ab", pack(np.zeros(2))[1]),
    ],
    ids=str,
)
def test_what_makes_no_sense(packed):
    with pytest.raises(ValueError):
        unpack(packed, np.dtype(np.float64))


def test_marks():
    values = np.array([1.0, 2.0, 3.0, -0.0])
    others = np.array([1.0, 5.0, 3.0, 0.0])
    is_equal = np.array([True, False, True, True])
    marked = mark_equal(values, others, is_equal)
    assert marked[[0, 2]].tolist() == [0.0, 0.0]
    assert mark_equal(marked, others, is_equal).tobytes() == values.tobytes()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"linear_leaves": True},
        {"boosting": "random_forest", "subsample": 0.5},
        {"boosting": "dart"},
    ],
    ids=str,
)
def test_models(settings):
    X, y = make_regression_data(400)
    model = HistGradientBoostingRegressor(max_iter=5, **settings).fit(X, y)._model
    received = pickle.loads(pickle.dumps(model))
    assert vars(received).keys() == vars(model).keys()
    for name, array in model.get_arrays().items():
        assert received.get_arrays()[name].tobytes() == array.tobytes(), name


def test_a_pickle_takes_24_bytes_a_node():
    X, y = make_classification_data(20_000)
    model = HistGradientBoostingClassifier(max_iter=100, early_stopping=False).fit(X, y)
    assert len(pickle.dumps(model)) <= 24 * len(model._model.nodes)


@pytest.mark.parametrize("name", [*ARRAYS, "is_average", "is_leaf"])
def test_states_that_make_no_sense(name):
    X, y = make_regression_data(200)
    model = HistGradientBoostingRegressor(max_iter=2, linear_leaves=True).fit(X, y)
    state = model._model.__getstate__()
    for wrong in (None, (3, ("<f8", b""))):
        with pytest.raises(ValueError, match="make no sense"):
            BoostedTrees.__new__(BoostedTrees).__setstate__({**state, name: wrong})
    with pytest.raises(ValueError, match="no \\['code'\\]"):
        BoostedTrees.__new__(BoostedTrees).__setstate__({**state, "code": b""})


def test_a_damaged_pickle_of_an_estimator():
    X, y = make_regression_data(200)
    model = HistGradientBoostingRegressor(max_iter=2).fit(X, y)
    model._model.nodes["left"][0] = 10**6
    with pytest.raises(ValueError, match="The model is damaged"):
        pickle.loads(pickle.dumps(model))
