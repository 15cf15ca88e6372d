"""What goes in comes out unchanged; what was fitted before leaves no trace."""

import copy
import inspect

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.utils import get_tags

from tests.contracts._helpers import (
    assert_same_bits,
    assert_same_model,
    compute_outputs,
    fit_and_compute,
    make_data,
)
from tests.contracts.estimators import over_cases, over_variants


@over_cases()
def test_read_only_memory_map(case, tmp_path):
    X, y = make_data(case)
    joblib.dump((X, y), tmp_path / "data")
    X_mapped, y_mapped = joblib.load(tmp_path / "data", mmap_mode="r")
    assert not X_mapped.flags.writeable
    estimator = case.make_estimator().fit(X_mapped, y_mapped)
    expected = fit_and_compute(case.make_estimator(), X, y)
    assert_same_bits(compute_outputs(estimator, X_mapped), expected)


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X[::-1].copy()[::-1],
        lambda X: X.astype(">f8"),
        lambda X: X.astype(object),
        lambda X: X.tolist(),
    ],
    ids=["Fortran", "strided", "reversed", "big endian", "object", "list"],
)
@over_cases()
def test_memory_layout(case, convert):
    X, y = make_data(case)
    estimator = case.make_estimator().fit(convert(X), y)
    expected = fit_and_compute(case.make_estimator(), X, y)
    assert_same_model(case, compute_outputs(estimator, convert(X)), expected)


def takes_sparse(case):
    tags = get_tags(case.estimator_class())
    return tags.input_tags.sparse and not case.is_other_when_sparse


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix])
@over_cases(keep=takes_sparse)
def test_sparse_is_dense(case, container):
    X, y = make_data(case)
    X[:, 1:3][np.random.default_rng(0).random((len(X), 2)) < 0.7] = 0
    estimator = case.make_estimator().fit(container(X), y)
    expected = fit_and_compute(case.make_estimator(), X, y)
    assert_same_model(case, compute_outputs(estimator, container(X)), expected)
    assert_same_model(case, compute_outputs(estimator, X), expected)


@over_variants()
def test_nothing_is_changed(case, settings):
    X, y = make_data(case)
    weight = np.random.default_rng(0).integers(0, 3, size=len(y)).astype(float)
    data = [X, y, weight]
    before = copy.deepcopy(data)
    estimator = case.make_estimator(**settings)
    parameters = copy.deepcopy(estimator.get_params())
    if "sample_weight" in inspect.signature(estimator.fit).parameters:
        estimator.fit(X, y, sample_weight=weight)
    else:
        estimator.fit(X, y)
    compute_outputs(estimator, X)
    assert estimator.get_params() == parameters
    assert [array.tobytes() for array in data] == [array.tobytes() for array in before]


@over_variants()
def test_second_fit_forgets_the_first(case, settings):
    X, y = make_data(case)
    X_other, y_other = make_data(case, n_samples=100, random_state=1)
    estimator = case.make_estimator(**settings).fit(X_other[:, :3], y_other)
    outputs = fit_and_compute(estimator, X, y)
    once = case.make_estimator(**settings).fit(X, y)
    assert_same_bits(outputs, compute_outputs(once, X))
    assert vars(estimator).keys() == vars(once).keys()


@over_cases(keep=lambda case: case.knows_new_rows)
def test_a_row_alone_is_the_row_among_others(case):
    X, y = make_data(case)
    estimator = case.make_estimator().fit(X, y)
    together = compute_outputs(estimator, X)
    for i in (0, 150, 299):
        alone = compute_outputs(estimator, X[[i]])
        assert_same_bits(alone, {name: out[[i]] for name, out in together.items()})
