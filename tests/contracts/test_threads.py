"""The number of threads, whoever sets it, changes no bit; threads do not interfere."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from tests.contracts._helpers import (
    assert_same_bits,
    compute_outputs,
    fit_and_compute,
    make_data,
    make_linear_target,
    run_script,
)
from tests.contracts.estimators import over_cases, over_variants

N_PYTHON_THREADS = 8

FIT_IN_A_PROCESS = """
import sys
import joblib
from tests.contracts._helpers import fit_and_compute, make_data
from tests.contracts.estimators import CASES
joblib.dump(
    {
        case.name: fit_and_compute(
            case.make_estimator(), *make_data(case, case.n_many_rows)
        )
        for case in CASES
        if case.is_tried_in_processes
    },
    sys.argv[1],
)
"""


def has_n_jobs(case):
    return "n_jobs" in case.estimator_class().get_params()


@over_variants(keep=has_n_jobs)
def test_n_jobs(case, settings):
    X, y = make_data(case, case.n_many_rows)
    estimator = case.make_estimator(**settings)
    expected = fit_and_compute(estimator.set_params(n_jobs=1), X, y)
    for n_jobs in (2, 3, 7):
        # The model of one thread, read by several, then a model of several.
        estimator.set_params(n_jobs=n_jobs)
        assert_same_bits(compute_outputs(estimator, X), expected)
        assert_same_bits(fit_and_compute(estimator, X, y), expected)


@over_cases()
def test_threadpool_limits(case):
    X, y = make_data(case, case.n_many_rows)
    expected = fit_and_compute(case.make_estimator(), X, y)
    for limit in (1, 3):
        with threadpool_limits(limit):
            outputs = fit_and_compute(case.make_estimator(), X, y)
        assert_same_bits(outputs, expected)


@pytest.mark.parametrize("shape", [(6000, 120), (150, 600)], ids=["tall", "wide"])
@over_variants(keep=lambda case: case.is_linear)
def test_threadpool_limits_of_many_columns(case, settings, shape):
    """Where a BLAS of several threads would be tempted to use them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    # Few columns matter, so that no class is separable and no target exact.
    y = make_linear_target(case, X[:, :5], rng)
    outputs = []
    for limit in (1, 2, 3):
        with threadpool_limits(limit):
            outputs.append(fit_and_compute(case.make_estimator(**settings), X, y))
    assert_same_bits(outputs[1], outputs[0])
    assert_same_bits(outputs[2], outputs[0])


@pytest.fixture(scope="module", params=["1", "3"])
def outputs_elsewhere(request, tmp_path_factory):
    """Of a process for all estimators, whose start takes longer than a fit."""
    path = tmp_path_factory.mktemp("outputs") / "outputs"
    run_script(FIT_IN_A_PROCESS, path, OMP_NUM_THREADS=request.param)
    return joblib.load(path)


@over_cases(keep=lambda case: case.is_tried_in_processes)
def test_omp_num_threads(case, outputs_elsewhere):
    X, y = make_data(case, case.n_many_rows)
    expected = fit_and_compute(case.make_estimator(), X, y)
    assert_same_bits(outputs_elsewhere[case.name], expected)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@over_cases(keep=lambda case: case.is_tried_in_processes)
def test_inside_joblib(case, backend):
    X, y = make_data(case, case.n_many_rows)
    expected = fit_and_compute(case.make_estimator(), X, y)
    # The workers of loky get X as a read-only memory map.
    parallel = joblib.Parallel(n_jobs=2, backend=backend, max_nbytes="100K")
    call = joblib.delayed(fit_and_compute)
    for outputs in parallel(call(case.make_estimator(), X, y) for _ in range(3)):
        assert_same_bits(outputs, expected)


def call_at_once(function):
    """Results of `N_PYTHON_THREADS` calls that start together."""
    barrier = Barrier(N_PYTHON_THREADS)

    def wait_and_call(_):
        barrier.wait(timeout=60)
        return function()

    with ThreadPoolExecutor(N_PYTHON_THREADS) as executor:
        calls = executor.map(wait_and_call, range(N_PYTHON_THREADS), timeout=300)
        return list(calls)


@over_cases()
def test_concurrent_fit(case):
    X, y = make_data(case, case.n_many_rows)
    estimator = case.make_estimator()
    expected = fit_and_compute(clone(estimator), X, y)
    for outputs in call_at_once(lambda: fit_and_compute(clone(estimator), X, y)):
        assert_same_bits(outputs, expected)


@over_cases()
def test_concurrent_predict(case):
    X, y = make_data(case, case.n_many_rows)
    estimator = case.make_estimator().fit(X, y)
    expected = compute_outputs(estimator, X)
    for outputs in call_at_once(lambda: compute_outputs(estimator, X)):
        assert_same_bits(outputs, expected)
