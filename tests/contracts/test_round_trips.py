"""Pickle, joblib, files, copy and clone give back the same estimator."""

import copy
import pickle

import joblib
import pytest
from sklearn.base import clone

from sklearnx.io import load, save
from tests.contracts._helpers import assert_same_bits, compute_outputs, make_data
from tests.contracts.estimators import over_cases, over_variants


def through_pickle(estimator, folder):
    return pickle.loads(pickle.dumps(estimator))


def through_joblib(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


def through_memory_map(estimator, folder):
    """The arrays of the model stay on the disk, read-only."""
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib", mmap_mode="r")


def through_file(estimator, folder):
    save(estimator, folder / "estimator.safetensors")
    return load(folder / "estimator.safetensors")


def through_copy(estimator, folder):
    return copy.deepcopy(estimator)


@pytest.mark.parametrize(
    "send",
    [through_pickle, through_joblib, through_memory_map, through_file, through_copy],
)
@over_cases()
def test_fitted(case, send, tmp_path):
    X, y = make_data(case)
    estimator = case.make_estimator().fit(X, y)
    received = send(estimator, tmp_path)
    assert received.get_params() == estimator.get_params()
    assert vars(received).keys() == vars(estimator).keys()
    assert_same_bits(compute_outputs(received, X), compute_outputs(estimator, X))


@pytest.mark.parametrize("send", [through_pickle, through_file])
@over_variants()
def test_variants(case, settings, send, tmp_path):
    X, y = make_data(case)
    estimator = case.make_estimator(**settings).fit(X, y)
    received = send(estimator, tmp_path)
    assert_same_bits(compute_outputs(received, X), compute_outputs(estimator, X))


@over_variants()
def test_clone(case, settings):
    X, y = make_data(case)
    estimator = case.make_estimator(**settings).fit(X, y)
    twin = clone(estimator)
    assert twin.get_params() == estimator.get_params()
    assert vars(twin).keys() == vars(case.make_estimator()).keys()
    outputs = compute_outputs(twin.fit(X, y), X)
    assert_same_bits(outputs, compute_outputs(estimator, X))
