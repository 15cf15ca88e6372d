"""Which categorical columns are read by means of the target."""

import numpy as np
import pytest

from sklearnx._boosting.category_encoding import (
    ENCODINGS,
    choose_encodings,
    mark_one_hot,
    read_encodings,
)
from sklearnx._boosting.encoding import Table

N_ROWS = 2000


def make_table(*columns):
    """A table of columns of codes, and one of numbers behind them."""
    columns = [np.asarray(codes, dtype=np.int32) for codes in columns]
    n_levels = [codes.max() + 1 for codes in columns]
    return Table(
        N_ROWS,
        len(columns) + 1,
        columns=[*columns, np.arange(N_ROWS, dtype=np.float32)],
        is_categorical=np.array([True] * len(columns) + [False]),
        n_levels=np.array([*n_levels, 0]),
    )


def choose(encodings, table, y, **options):
    options = {"rows": None, "weights": None, "seed": 0, "n_threads": 1, **options}
    targets = np.asarray(y, dtype=float).reshape(len(y), -1)
    return choose_encodings(encodings, table, targets, **options).tolist()


@pytest.fixture(scope="module")
def problem():
    """Levels that tell much, nothing, and of few rows each, with a target."""
    rng = np.random.default_rng(0)
    strong = rng.integers(0, 20, N_ROWS)
    noise = rng.integers(0, 100, N_ROWS)
    rare = rng.integers(0, 200, N_ROWS)
    y = rng.normal(size=20)[strong] + rng.normal(size=N_ROWS)
    return make_table(strong, noise, rare), y


def test_columns_with_many_rows_for_a_level_are_partitioned(problem):
    table, y = problem
    only_frequent = make_table(*table.columns[:2])
    assert choose(["auto"] * 3, only_frequent, y) == []


def test_a_column_of_few_rows_for_a_level_takes_noise_with_it(problem):
    table, y = problem
    assert choose(["auto"] * 4, table, y) == [1, 2]


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_rows_and_weights_are_those_of_the_targets(problem, n_outputs):
    table, y = problem
    rows = np.flatnonzero(np.random.default_rng(1).random(N_ROWS) < 0.9)
    weights = np.random.default_rng(2).uniform(0.5, 1.5, len(rows))
    targets = np.column_stack([y] * n_outputs)[rows]
    for n_threads in (1, 3):
        found = choose(
            ["auto"] * 4,
            table,
            targets,
            rows=rows,
            weights=weights,
            n_threads=n_threads,
        )
        assert found == [1, 2]


def test_what_is_asked_for_is_done(problem):
    table, y = problem
    others = ["partition", "onehot", "partition", "ordered_target"]
    assert choose(others, table, y) == []  # the last column is of numbers
    assert choose(["ordered_target", "partition", "onehot", "auto"], table, y) == [0]
    assert mark_one_hot(others).tolist() == [0, 1, 0, 0]
    assert mark_one_hot(["partition", "auto"]) is None


def test_means_that_explain_nothing(problem):
    table, _ = problem
    assert choose(["auto"] * 4, table, np.ones(N_ROWS)) == [2]


def test_read_encodings():
    names = np.array(["a", "b", "c"], dtype=object)
    for encoding in ENCODINGS:
        assert read_encodings(encoding, 3, names) == [encoding] * 3
    given = {"b": "onehot", "c": "partition"}
    assert read_encodings(given, 3, names) == ["auto", "onehot", "partition"]
    assert read_encodings({2: "onehot"}, 3, None) == ["auto", "auto", "onehot"]


@pytest.mark.parametrize(
    "given, names, message",
    [
        ({"d": "auto"}, ["a", "b", "c"], r"not columns of X: \['d'\]"),
        ({0: "auto"}, ["a", "b", "c"], r"not columns of X: \[0\]"),
        ({3: "auto"}, None, r"3 columns, does not have: \[3\]"),
        ({"a": "auto"}, None, r"does not have: \['a'\]"),
        ({"a": "one-hot"}, ["a", "b", "c"], r"\['a'\] must be one of .*got 'one-hot'"),
        ({"a": ["auto"]}, ["a", "b", "c"], r"\['a'\] must be one of .*got \['auto'\]"),
    ],
)
def test_what_is_no_encoding(given, names, message):
    with pytest.raises(ValueError, match=message):
        read_encodings(given, 3, names)
