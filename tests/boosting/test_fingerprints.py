"""Texts of parameters and digests of data."""

from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from sklearn.metrics import make_scorer, mean_pinball_loss
from sklearn.model_selection import ShuffleSplit, TimeSeriesSplit

from sklearnx._boosting.fingerprints import (
    compare_columns,
    compare_digests,
    compare_texts,
    describe,
    digest,
)
from tests.contracts._helpers import run_script


class Loss:
    """No repr of its own."""

    def __init__(self, delta, inner=None):
        self.delta = delta
        self.inner = inner
        self._cache = object()


@dataclass
class WithRepr:
    delta: float


@pytest.mark.parametrize(
    "values",
    [
        [1, 1.0, np.int64(1), np.float32(1), np.uint8(1), Fraction(1)],
        [0.5, np.float64(0.5), np.float32(0.5), Fraction(1, 2)],
        [True, np.True_],
        ["a", np.str_("a")],
        [[1, 2], (1, 2), np.array([1, 2]), np.array([1.0, 2.0])],
        [{"a": 1, "b": 2}, {"b": 2, "a": 1}],
        [{3, 1, 2}, {1, 2, 3}, frozenset([2, 1, 3])],
        [np.random.RandomState(0), np.random.RandomState(1)],
        [Loss(1.0), Loss(1)],
        [Loss(1, Loss(2)), Loss(1, Loss(2))],
        [WithRepr(1.5), WithRepr(1.5)],
        [partial(digest, 1), partial(digest, 1)],
        [TimeSeriesSplit(3), TimeSeriesSplit(n_splits=3)],
        [np.arange(5000.0), np.arange(5000.0)],
    ],
    ids=lambda values: type(values[-1]).__name__,
)
def test_one_text(values):
    assert len({describe(value) for value in values}) == 1


def test_texts_differ():
    values = [
        None,
        0,
        1,
        -1,
        2**63,
        2**63 + 1,
        0.1,
        np.nextafter(0.1, 1),
        float("inf"),
        True,
        False,
        "1",
        "None",
        [],
        [1],
        [[1]],
        {1: 2},
        {1},
        describe,
        digest,
        Loss,
        Loss(1),
        Loss(2),
        Loss(1, Loss(3)),
        Loss(1, [1]),
        WithRepr(1),
        np.arange(5000),
        np.arange(5000)[::-1],
        np.arange(5000.0),
        ShuffleSplit(3),
        ShuffleSplit(3, random_state=0),
        make_scorer(mean_pinball_loss, alpha=0.1),
        make_scorer(mean_pinball_loss, alpha=0.2),
    ]
    texts = [describe(value) for value in values]
    assert len(set(texts)) == len(texts)
    assert not any("0x" in text for text in texts)


def test_an_object_inside_itself():
    loss = Loss(1)
    loss.inner = loss
    assert describe(loss).count("delta=1") == 4


IN_A_PROCESS = """
import sys
from tests.boosting.test_fingerprints import *
values = [Loss(1, {"a", "b", "c"}), describe, {"x": {"y", "z"}}, partial(describe)]
with open(sys.argv[1], "w") as file:
    file.write(" ".join(map(describe, values)))
"""


def test_texts_are_the_same_in_every_process(tmp_path):
    for seed in ("1", "2"):
        run_script(IN_A_PROCESS, tmp_path / seed, PYTHONHASHSEED=seed)
    assert (tmp_path / "1").read_text() == (tmp_path / "2").read_text()


def test_digests():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(20, 3))
    assert digest(array) == digest(array.copy()) == digest(np.asfortranarray(array))
    assert digest(array[::2]) == digest(array[::2].copy())
    changed = array.copy()
    changed[7, 1] = np.nextafter(changed[7, 1], 9)
    others = [
        changed,
        array[::-1],
        array.T,
        array.reshape(3, 20),
        array.ravel(),
        array.astype(np.float32),
        array.view(np.int64),
        array[:0],
    ]
    assert len({digest(array), *map(digest, others)}) == 1 + len(others)
    assert digest(array, array) != digest(array)
    records = np.zeros(3, dtype=[("a", np.int32), ("b", np.float64)])
    assert digest(records) != digest(records[:2])


def test_messages_on_texts():
    stored = {"a": "1", "b": "2", "gone": "3"}
    assert list(compare_texts(stored, {"a": "1", "b": "2"})) == []
    assert list(compare_texts(stored, {"a": "x" * 100, "new": "4"})) == [
        f"a: 1 in the snapshot, {'x' * 77}... here",
        "new: nothing in the snapshot, 4 here",
    ]


def test_messages_on_digests():
    stored = {"same": "1", "other": "2", "gone": "3", "never": None}
    current = {"same": "1", "other": "4", "new": "5", "never": None}
    assert list(compare_digests(stored, current)) == [
        "other: other values than in the snapshot",
        "gone: in the snapshot, not given here",
        "new: not in the snapshot, given here",
    ]


@pytest.mark.parametrize(
    "changed, message",
    [
        ([], None),
        ([3], "in column d"),
        ([0, 2], "in columns a, c"),
        ([0, 1, 2, 3, 4, 6], "in 6 of 7 columns"),
    ],
)
def test_messages_on_columns(changed, message):
    stored = np.arange(7, dtype=np.uint64)
    current = stored.copy()
    current[changed] += np.uint64(10)
    messages = list(compare_columns(stored, current, "abcdefg"))
    if message is None:
        assert messages == []
    else:
        assert messages == [f"X: other values than in the snapshot, {message}"]
