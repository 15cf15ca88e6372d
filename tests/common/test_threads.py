"""The thread pool, and who may say how many threads there are."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sklearnx._cython.common.threads import get_thread_limit, trace_tasks
from sklearnx._threads import effective_n_threads

N_THREADS = (1, 2, 3, 7)


@pytest.mark.parametrize("n_threads", [-1, 0, *N_THREADS])
@pytest.mark.parametrize("n_tasks", [0, 1, 2, 5, 1000])
def test_each_task_runs_once(n_tasks, n_threads):
    for _ in range(20):
        n_calls, _ = trace_tasks(n_tasks, n_threads)
        np.testing.assert_array_equal(n_calls, 1)
    assert n_calls.shape == (n_tasks, 1)


@pytest.mark.parametrize("n_threads", N_THREADS)
def test_number_of_threads(n_threads):
    # Each task leaves the others ample time to wake up.
    _, threads = trace_tasks(30, n_threads, microseconds=1000)
    assert len(np.unique(threads)) == n_threads


def test_one_thread_is_the_caller():
    _, threads = trace_tasks(5, 1)
    # More than others take while the caller waits for a core.
    _, more_threads = trace_tasks(30, 3, microseconds=1000)
    assert len(np.unique(threads)) == 1
    assert threads[0] in more_threads


def test_each_thread_begins_with_its_share():
    """From the left, and takes from another's share from the right."""
    caller = trace_tasks(1, 1)[1][0]
    for _ in range(20):
        _, threads = trace_tasks(20, 2, microseconds=1000)
        assert threads[0] == caller
        # Unless the other thread was so late that there was nothing left to do.
        if np.any(threads != caller):
            assert threads[10] != caller
            break
    else:
        pytest.fail("no second thread in any of 20 calls")


@pytest.mark.parametrize("n_threads", N_THREADS)
def test_nested_calls(n_threads):
    for _ in range(20):
        n_calls, _ = trace_tasks(17, n_threads, n_nested=33)
        np.testing.assert_array_equal(n_calls, 1)


def test_concurrent_calls():
    def call(i):
        n_calls, _ = trace_tasks(11, 2 + i % 3, n_nested=3, microseconds=i % 2)
        return n_calls.sum(), n_calls.max()

    with ThreadPoolExecutor(8) as executor:
        assert set(executor.map(call, range(400))) == {(33, 1)}


def _trace_in_child(connection):
    n_calls, threads = trace_tasks(30, 3, microseconds=1000)
    connection.send((n_calls.tolist(), len(np.unique(threads))))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_forked_child_has_threads_of_its_own():
    trace_tasks(30, 3, microseconds=1000)
    context = multiprocessing.get_context("fork")
    with ThreadPoolExecutor(1) as executor:
        # The pool is at work while the process forks.
        busy = executor.submit(trace_tasks, 200, 3, microseconds=1000)
        for _ in range(3):
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(target=_trace_in_child, args=(sender,))
            child.start()
            assert receiver.poll(30), "the child hangs"
            assert receiver.recv() == ([[1]] * 30, 3)
            child.join(30)
            assert child.exitcode == 0
        assert busy.result()[0].sum() == 200


def test_threadpoolctl_limits(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    n_cores = effective_n_threads()
    assert get_thread_limit() == 0
    with threadpool_limits(1):
        assert get_thread_limit() == 1
        assert effective_n_threads() == 1
        assert effective_n_threads(7) == 1
    # A limit for BLAS alone is none of our business.
    with threadpool_limits(1, user_api="blas"):
        assert effective_n_threads(7) == 7
    assert effective_n_threads() == n_cores
    assert effective_n_threads(7) == 7
    (entry,) = [
        info for info in threadpool_info() if info["internal_api"] == "sklearnx"
    ]
    assert entry["num_threads"] == n_cores


def test_n_jobs(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    asked = [None, 1, 3, 100, -1, -2, -8, -9, -100]
    assert [effective_n_threads(n) for n in asked] == [8, 1, 3, 100, 8, 7, 1, 1, 1]
    with pytest.raises(ValueError, match="n_jobs == 0 has no meaning"):
        effective_n_threads(0)


@pytest.mark.parametrize(
    "value, expected",
    [("1", 1), ("3", 3), ("3,2", 3), ("100", 8), ("0", 8), ("", 8), ("many", 8)],
)
def test_omp_num_threads(monkeypatch, value, expected):
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert effective_n_threads() == expected
    assert effective_n_threads(-1) == expected
    # A number given by hand is meant.
    assert effective_n_threads(5) == 5


def test_process_ends_while_workers_sleep():
    code = "from sklearnx._cython.common.threads import trace_tasks; trace_tasks(50, 4)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
