"""A process that is forked after a fit, or during one, can fit and predict."""

import multiprocessing
import os
import threading
import warnings

import pytest

from tests.contracts._helpers import (
    assert_same_bits,
    fit_and_compute,
    make_data,
    run_forked,
)
from tests.contracts.estimators import CASES, over_cases

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or "fork" not in multiprocessing.get_all_start_methods(),
    reason="this system has no fork",
)


def fork_while_fitting(name, n_fitting):
    """Fork while `n_fitting` threads fit; all have to get the same model."""
    warnings.simplefilter("ignore", DeprecationWarning)
    case = {case.name: case for case in CASES}[name]
    X, y = make_data(case, case.n_many_rows)
    expected = fit_and_compute(case.make_estimator(), X, y)
    has_forked = threading.Event()

    def fit_until_forked():
        while not has_forked.is_set():
            fit_and_compute(case.make_estimator(), X, y)

    def check():
        assert_same_bits(fit_and_compute(case.make_estimator(), X, y), expected)

    def start(make, target, n):
        workers = [make(target=target, daemon=True) for _ in range(n)]
        for worker in workers:
            worker.start()
        return workers

    threads = start(threading.Thread, fit_until_forked, n_fitting)
    children = start(multiprocessing.get_context("fork").Process, check, 3)
    has_forked.set()
    for child in children:
        child.join(100)
        assert not child.is_alive(), "the forked process hangs"
        assert child.exitcode == 0, f"the forked process ended with {child.exitcode}"
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive(), "the fit that was under way hangs"
    check()


@pytest.mark.parametrize("n_fitting", [0, 1])
@over_cases(keep=lambda case: case.is_tried_in_processes)
def test_fork(case, n_fitting):
    # In a process of its own: pytest's has threads of other libraries, which need not
    # survive.
    run_forked(fork_while_fitting, case.name, n_fitting)
