"""A row of weight k is the row k times, and a row of weight 0 is none."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import is_classifier

from tests.contracts._helpers import compute_outputs, make_data
from tests.contracts.estimators import over_cases, over_variants

RTOL = 1e-7


def is_exact(case, settings=None):
    settings = {**case.small_settings, **(settings or {})}
    is_drawn = case.splits_rows or case.draws_rows(settings)
    return has_fit_parameter(case, "sample_weight") and not is_drawn


def has_fit_parameter(case, name):
    return name in inspect.signature(case.estimator_class.fit).parameters


def draw_weights(y, random_state=0, least=0):
    return np.random.default_rng(random_state).integers(least, 4, size=len(y))


def assert_close(outputs, expected):
    for method, output in outputs.items():
        assert_allclose(output, expected[method], rtol=RTOL, atol=RTOL, err_msg=method)


# 1000 rows have more distinct values than there are bins.
@pytest.mark.parametrize("n_samples", [60, 1000])
@over_variants(keep_settings=is_exact)
def test_weight_is_repetition(case, settings, n_samples):
    X, y = make_data(case, n_samples)
    weight = draw_weights(y, least=case.min_weight)
    weighted = case.make_estimator(**settings).fit(X, y, sample_weight=weight)
    repeated = case.make_estimator(**settings).fit(
        X.repeat(weight, axis=0), y.repeat(weight, axis=0)
    )
    assert_close(compute_outputs(weighted, X), compute_outputs(repeated, X))


@over_variants(keep=lambda case: has_fit_parameter(case, "sample_weight"))
def test_unit_weights(case, settings):
    X, y = make_data(case)
    plain = case.make_estimator(**settings).fit(X, y)
    weighted = case.make_estimator(**settings).fit(X, y, sample_weight=np.ones(len(y)))
    assert_close(compute_outputs(weighted, X), compute_outputs(plain, X))


@over_variants(
    keep=lambda case: has_fit_parameter(case, "sample_weight"),
    keep_settings=lambda case, settings: settings.get("subsample", 1.0) < 1,
)
def test_weight_is_repetition_on_average(case, settings):
    """Where rows are drawn: over many seeds, and much closer than without weights."""
    X, y = make_data(case, 2000)
    weight = np.where(y > np.median(y), 4, 1)
    X_test, _ = make_data(case, 50, random_state=2)

    def average(seed, X, y, sample_weight=None):
        sums = 0
        for random_state in range(seed, seed + 20):
            estimator = case.make_estimator(
                **settings, max_leaf_nodes=4, random_state=random_state
            )
            outputs = compute_outputs(estimator.fit(X, y, sample_weight), X_test)
            sums = sums + outputs.get("predict_proba", outputs["predict"])
        return sums / 20

    weighted = average(0, X, y, weight)
    repeated = average(100, X.repeat(weight, axis=0), y.repeat(weight, axis=0))
    unweighted = average(200, X, y)
    distance = np.sqrt(np.mean((weighted - repeated) ** 2))
    assert distance < 0.5 * np.sqrt(np.mean((weighted - unweighted) ** 2))


@over_cases(
    keep=lambda case: is_exact(case) and has_fit_parameter(case, "sample_weight_val")
)
def test_weights_of_validation_rows(case):
    X, y = make_data(case)
    X_val, y_val = make_data(case, random_state=1)
    weight, weight_val = draw_weights(y), draw_weights(y_val, random_state=1)
    settings = {"early_stopping": True, "max_iter": 100, "n_iter_no_change": 3}
    weighted = case.make_estimator(**settings).fit(
        X,
        y,
        sample_weight=weight,
        X_val=X_val,
        y_val=y_val,
        sample_weight_val=weight_val,
    )
    repeated = case.make_estimator(**settings).fit(
        X.repeat(weight, axis=0),
        y.repeat(weight, axis=0),
        X_val=X_val.repeat(weight_val, axis=0),
        y_val=y_val.repeat(weight_val),
    )
    assert weighted.n_iter_ == repeated.n_iter_ < settings["max_iter"]
    assert_close(compute_outputs(weighted, X), compute_outputs(repeated, X))


@over_cases(keep=lambda case: is_classifier(case.estimator_class()) and is_exact(case))
def test_class_weight_is_sample_weight(case):
    X, y = make_data(case)
    class_weight = {0: 1, 1: 3, 2: 2}
    by_class = case.make_estimator(class_weight=class_weight).fit(X, y)
    by_row = case.make_estimator().fit(X, y, sample_weight=[class_weight[k] for k in y])
    assert_close(compute_outputs(by_class, X), compute_outputs(by_row, X))
