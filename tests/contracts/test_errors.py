"""Wrong parameters and wrong columns give errors that name them."""

import datetime
import re

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import has_fit_parameter

from tests.contracts._helpers import (
    COLUMN_NAMES,
    assert_same_bits,
    compute_outputs,
    make_data,
)
from tests.contracts.estimators import CASES, over_cases, over_predictors


@pytest.mark.parametrize(
    "case, parameter",
    [
        pytest.param(case, parameter, id=f"{case.name}-{parameter}")
        for case in CASES
        for parameter in case.estimator_class().get_params()
    ],
)
def test_wrong_value_is_named(case, parameter):
    X, y = make_data(case)
    estimator = case.make_estimator(**{parameter: object()})
    with pytest.raises((TypeError, ValueError), match=rf"\b{parameter}\b"):
        estimator.fit(X, y)


@over_cases()
def test_unknown_parameter_is_named(case):
    with pytest.raises(TypeError, match="n_trees"):
        case.estimator_class(n_trees=3)
    with pytest.raises(ValueError, match="Invalid parameter 'n_trees'"):
        case.make_estimator().set_params(n_trees=3)


@over_cases()
def test_unknown_data_keyword_is_named(case):
    X, y = make_data(case)
    # A ValueError where metadata can be routed.
    with pytest.raises((TypeError, ValueError), match="eval_set_"):
        case.make_estimator().fit(X, y, eval_set_=[(X, y)])


@over_cases(keep=lambda case: case.knows_new_rows)
def test_not_fitted(case):
    X, _ = make_data(case)
    with pytest.raises(NotFittedError, match=case.name):
        compute_outputs(case.make_estimator(), X)


@over_cases(keep=lambda case: case.knows_new_rows)
def test_wrong_number_of_columns(case):
    X, y = make_data(case)
    estimator = case.make_estimator().fit(X, y)
    message = f"X has 3 features, but {case.name} is expecting 5 features"
    for method in compute_outputs(estimator, X):
        with pytest.raises(ValueError, match=message):
            getattr(estimator, method)(X[:, :3])


@pytest.mark.parametrize(
    "values, word",
    [
        ([[1, 2]], "list"),
        ([{"a": 1}], "dict"),
        ([datetime.datetime(2020, 1, 1)], "datetime"),
        ([1 + 2j], "[Cc]omplex"),
    ],
    ids=["list", "dict", "datetime", "complex"],
)
@over_predictors(keep=lambda case: case.accepts_categories)
def test_wrong_column_is_named(case, values, word):
    pandas = pytest.importorskip("pandas")
    X, y = make_data(case)
    frame = pandas.DataFrame(X, columns=COLUMN_NAMES)
    frame["when"] = pandas.Series(values * len(y))
    with pytest.raises((TypeError, ValueError), match="when") as caught:
        case.make_estimator().fit(frame, y)
    assert re.search(word, str(caught.value))


@over_predictors(keep=lambda case: case.accepts_categories)
def test_text_in_place_of_numbers_is_named(case):
    pandas = pytest.importorskip("pandas")
    X, y = make_data(case)
    frame = pandas.DataFrame(X, columns=COLUMN_NAMES)
    estimator = case.make_estimator().fit(frame, y)
    methods = compute_outputs(estimator, frame)
    frame["rooms"] = "many"
    for method in methods:
        with pytest.raises((TypeError, ValueError), match="rooms"):
            getattr(estimator, method)(frame)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda X, y: (X[:, 0], y), "Expected 2D array, got 1D array"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X[:, :0], y), "0 feature"),
    ],
    ids=["1d", "no rows", "no columns"],
)
@over_cases()
def test_wrong_data(case, change, message):
    with pytest.raises(ValueError, match=message):
        case.make_estimator().fit(*change(*make_data(case)))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X, np.where(y == y[0], np.nan, y)), "y contains NaN"),
        (lambda X, y: (X, None), r"\by\b"),
    ],
    ids=["lengths", "NaN", "no y"],
)
@over_cases(keep=lambda case: not case.is_clusterer)
def test_wrong_target(case, change, message):
    with pytest.raises(ValueError, match=message):
        case.make_estimator().fit(*change(*make_data(case)))


@over_cases(keep=lambda case: case.is_clusterer)
def test_target_is_ignored(case):
    X, y = make_data(case)
    expected = compute_outputs(case.make_estimator().fit(X), X)
    for target in (y, y[:-1], np.full(len(y), np.nan)):
        outputs = compute_outputs(case.make_estimator().fit(X, target), X)
        assert_same_bits(outputs, expected)


@pytest.mark.parametrize(
    "weight, message",
    [
        (np.ones(3), r"sample_weight.shape == \(3,\), expected \(300,\)"),
        (np.full(300, np.nan), "sample_weight contains NaN"),
        (np.full(300, np.inf), "sample_weight contains infinity"),
        (np.zeros(300), "[Ss]ample weights must contain at least one non-zero"),
        (np.full(300, "heavy"), "heavy"),
    ],
    ids=["shape", "NaN", "infinity", "zero", "text"],
)
@over_cases(
    keep=lambda case: has_fit_parameter(case.estimator_class(), "sample_weight")
)
def test_wrong_weights(case, weight, message):
    X, y = make_data(case, 300)
    with pytest.raises(ValueError, match=message):
        case.make_estimator().fit(X, y, sample_weight=weight)
