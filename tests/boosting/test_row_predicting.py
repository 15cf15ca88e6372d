"""One row against many, on random trees."""

import numpy as np
import pytest

from sklearnx._cython.boosting.linear_leaves import (
    LINEAR_LEAF_DTYPE,
    LINEAR_TERM_DTYPE,
)
from sklearnx._cython.boosting.predicting import add_predictions
from sklearnx._cython.boosting.row_predicting import RowPredictor
from tests.boosting.test_predicting import make_forest, make_rows

N_COLUMNS = 5


def make_predictor(forest, init_score, *, levels=None, link="identity", **options):
    nodes, offsets, bitsets = forest
    arrays = {
        "nodes": nodes.view(np.uint8),
        "offsets": np.asarray(offsets, dtype=np.int64),
        "bitsets": bitsets,
        "linear_leaves": np.empty(0, dtype=LINEAR_LEAF_DTYPE).view(np.uint8),
        "linear_terms": np.empty(0, dtype=LINEAR_TERM_DTYPE).view(np.uint8),
        "divisor": 1,
        "vectors": None,
        "in_float32": False,
    }
    levels = levels or [None] * N_COLUMNS
    return RowPredictor(
        arrays,
        init_score,
        N_COLUMNS,
        levels,
        options.pop("unknown", [np.nan] * N_COLUMNS),
        options.pop("names", None),
        [],
        link,
        len(init_score) if len(init_score) > 1 else None,
        **options,
    )


def predict(forest, X, init_score):
    nodes, offsets, bitsets = forest
    raw = np.repeat(init_score[:, np.newaxis], len(X), axis=1)
    add_predictions(nodes.view(np.uint8), offsets, bitsets, X, raw, 1)
    return raw.T


@pytest.mark.parametrize("n_trees", [1, 5, 6, 7, 12, 40])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers(n_trees, dtype):
    forest, X = make_forest(n_trees), make_rows(200, dtype)
    predictor = make_predictor(forest, np.array([0.3]))
    expected = predict(forest, X, np.array([0.3]))[:, 0].tolist()
    assert [predictor.answer(row) for row in X] == expected
    assert [predictor.answer(tuple(row)) for row in X.tolist()] == expected


def test_several_outputs():
    forest, X = make_forest(9), make_rows(100)
    init_score = np.array([0.1, 0.2, 0.3])
    predictor = make_predictor(forest, init_score)
    expected = predict(forest, X, init_score)
    assert [predictor.answer(row) for row in X.tolist()] == expected.tolist()
    raw = np.empty(3)
    assert predictor.score(X[3], raw)
    assert raw.tolist() == expected[3].tolist()


def test_levels():
    forest, X = make_forest(7), make_rows(100)
    words = [f"level {code}" for code in range(70)]
    levels = [None] * N_COLUMNS
    for j in (2, 3):
        levels[j] = {word: code for code, word in enumerate(words)}
    names = tuple("abcde")
    predictor = make_predictor(forest, np.zeros(1), levels=levels, names=names)
    expected = predict(forest, X, np.zeros(1))[:, 0]
    for row, answer in zip(X.tolist(), expected, strict=True):
        for j in (2, 3):
            row[j] = None if np.isnan(row[j]) else words[int(row[j])]
        assert predictor.answer(row) == answer
        assert predictor.answer(dict(zip(names, row, strict=True))) == answer


def test_unknown_levels():
    forest = make_forest(7)
    levels = [None, None, {"a": 3}, {"a": 5}, None]
    row = [0.1, 0.2, "b", "a", 0.3]
    as_missing = make_predictor(forest, np.zeros(1), levels=levels)
    assert as_missing.answer(row) == as_missing.answer([0.1, 0.2, None, "a", 0.3])
    unknown = [np.nan, np.nan, 3.0, np.nan, np.nan]
    as_code = make_predictor(forest, np.zeros(1), levels=levels, unknown=unknown)
    assert as_code.answer(row) == as_code.answer([0.1, 0.2, "a", "a", 0.3])
    unknown[2] = None
    refused = make_predictor(forest, np.zeros(1), levels=levels, unknown=unknown)
    assert refused.answer(row) is None
    assert not refused.score(row, np.empty(1))


def test_numbers_that_are_changed_first():
    forest = make_forest(30)
    row = [0.1, -0.3, np.nan, np.nan, 0.7]
    expected = make_predictor(forest, np.zeros(1)).answer(np.float32(row).tolist())
    rounding = make_predictor(forest, np.zeros(1), rounds_to_float32=True)
    assert rounding.answer(row) == expected
    assert rounding.answer(np.array(row)) is None
    missing = make_predictor(forest, np.zeros(1), zero_is_missing=[0, 1], zero=0.2)
    plain = make_predictor(forest, np.zeros(1))
    assert missing.answer(row) == plain.answer([np.nan, *row[1:]])


def test_links():
    forest, X = make_forest(4), make_rows(50)
    raw = predict(forest, X, np.zeros(1))[:, 0]
    answers = {
        link: np.array(
            [make_predictor(forest, np.zeros(1), link=link).answer(row) for row in X]
        )
        for link in ("log", "logit")
    }
    np.testing.assert_allclose(answers["log"], np.exp(raw), rtol=1e-15)
    np.testing.assert_allclose(answers["logit"], 1 / (1 + np.exp(-raw)), rtol=1e-15)


@pytest.mark.parametrize(
    "row",
    [
        (1.0,),
        [1.0] * 6,
        ["1.0"] * 5,
        [1j] * 5,
        "abcde",
        {"a": 1.0},
        np.zeros(4),
        np.zeros((2, 5)),
        np.zeros((5, 1)),
        np.zeros(5, dtype=int),
        np.zeros(5, dtype=">f8"),
        np.zeros(5, dtype=object),
        b"abcde",
        None,
        3.0,
    ],
    ids=repr,
)
def test_what_is_left_to_the_caller(row):
    predictor = make_predictor(make_forest(3), np.zeros(1))
    assert predictor.answer(row) is None
    assert not predictor.score(row, np.empty(1))


@pytest.mark.parametrize("row", [[object()] * 5, [10**400] * 5, [[]] * 5])
def test_what_is_no_number(row):
    predictor = make_predictor(make_forest(3), np.zeros(1))
    with pytest.raises((TypeError, OverflowError)):
        predictor.answer(row)


def test_strides():
    forest, X = make_forest(6), make_rows(50)
    predictor = make_predictor(forest, np.zeros(1))
    expected = predict(forest, X, np.zeros(1))[:, 0].tolist()
    by_column = np.asfortranarray(X)
    assert [predictor.answer(row) for row in by_column] == expected
    assert [predictor.answer(row) for row in X[::-1]] == expected[::-1]
    backwards = np.ascontiguousarray(X[:, ::-1])[:, ::-1]
    assert [predictor.answer(row) for row in backwards] == expected
    assert [predictor.answer(row[np.newaxis]) for row in X] == expected


def test_no_trees():
    nodes, _, bitsets = make_forest(2)
    predictor = make_predictor((nodes[:0], [0], bitsets[:0]), np.array([0.5]))
    assert predictor.answer([1.0] * 5) == 0.5
