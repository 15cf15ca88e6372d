"""The one thread pool of the process, shared by all kernels."""

import os

import numpy as np

from libc.stdint cimport int64_t, uint64_t

cdef extern from "thread_pool.hpp" namespace "sklearnx" nogil:
    void pool_parallel_for "sklearnx::parallel_for"(
        task_t function, void* context, int n_tasks, int n_threads
    )
    void abandon_pool()
    size_t current_thread()
    void sleep_for(int microseconds)

# Found by threadpoolctl through the symbols of the shared library.
cdef extern from *:
    """
    #ifdef _WIN32
    #define SKLEARNX_EXPORT extern "C" __declspec(dllexport)
    #else
    #define SKLEARNX_EXPORT extern "C" __attribute__((visibility("default")))
    #endif
    SKLEARNX_EXPORT int sklearnx_get_thread_limit(void) {
        return sklearnx::thread_limit.load();
    }
    SKLEARNX_EXPORT void sklearnx_set_thread_limit(int n_threads) {
        sklearnx::thread_limit.store(n_threads);
    }
    """
    int sklearnx_get_thread_limit() nogil


cdef void parallel_for(
    task_t function, void* context, int n_tasks, int n_threads
) noexcept nogil:
    """Call `function(context, task)` for each task, on at most `n_threads` threads."""
    pool_parallel_for(function, context, n_tasks, n_threads)


def get_thread_limit():
    """Return the limit set through threadpoolctl, 0 if there is none."""
    return sklearnx_get_thread_limit()


cdef struct trace_t:
    int64_t* n_calls
    uint64_t* threads
    int n_nested
    int n_threads
    int microseconds


cdef void _count_call(void* context, int task) noexcept nogil:
    (<int64_t*> context)[task] += 1


cdef void _trace_task(void* context, int task) noexcept nogil:
    cdef trace_t* trace = <trace_t*> context
    trace.threads[task] = current_thread()
    if trace.microseconds > 0:
        sleep_for(trace.microseconds)
    parallel_for(
        _count_call,
        trace.n_calls + <int64_t> task * trace.n_nested,
        trace.n_nested,
        trace.n_threads,
    )


def trace_tasks(int n_tasks, int n_threads, int n_nested=1, int microseconds=0):
    """Run tasks that do nothing but tell who ran them.

    Parameters
    ----------
    n_tasks, n_threads : int
        As of `parallel_for`.
    n_nested : int, default=1
        Tasks of the call of `parallel_for` that each task makes.
    microseconds : int, default=0
        How long each task sleeps, so that other threads get some of them.

    Returns
    -------
    n_calls : int64 array of shape (n_tasks, n_nested)
        How often each nested task ran.
    threads : uint64 array of shape (n_tasks,)
        A number for each thread.
    """
    n_calls = np.zeros((n_tasks, n_nested), dtype=np.int64)
    threads = np.zeros(n_tasks, dtype=np.uint64)
    cdef:
        int64_t[:, ::1] calls_view = n_calls
        uint64_t[::1] threads_view = threads
        trace_t trace
    trace.n_nested = n_nested
    trace.n_threads = n_threads
    trace.microseconds = microseconds
    if n_tasks > 0 and n_nested > 0:
        trace.n_calls = &calls_view[0, 0]
        trace.threads = &threads_view[0]
        with nogil:
            parallel_for(_trace_task, &trace, n_tasks, n_threads)
    return n_calls, threads


def _abandon_pool():
    abandon_pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_pool)
