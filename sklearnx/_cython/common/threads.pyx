"""The one thread pool of the process, shared by all kernels."""

import os

cdef extern from "thread_pool.hpp" namespace "sklearnx" nogil:
    void pool_parallel_for "sklearnx::parallel_for"(
        task_t function, void* context, int n_tasks, int n_threads
    )
    void abandon_pool()

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


def _abandon_pool():
    abandon_pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_pool)
