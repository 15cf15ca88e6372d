"""How many threads a call may use."""

import os

import joblib
import threadpoolctl

from sklearnx._cython.common.threads import get_thread_limit


class _PoolController(threadpoolctl.LibController):
    """Let `threadpoolctl.threadpool_limits` limit our thread pool.

    It counts as an "openmp" library, so that limits meant for the loops of compiled
    code (rather than BLAS) reach it.
    """

    user_api = "openmp"
    internal_api = "sklearnx"
    filename_prefixes = ("threads.",)
    check_symbols = ("sklearnx_get_thread_limit", "sklearnx_set_thread_limit")

    def get_num_threads(self):
        limit = self.dynlib.sklearnx_get_thread_limit()
        return limit if limit > 0 else _available_threads()

    def set_num_threads(self, num_threads):
        # A limit of all cores, which leaving a `threadpool_limits` block sets, is none.
        limit = 0 if num_threads >= _available_threads() else num_threads
        self.dynlib.sklearnx_set_thread_limit(limit)

    def get_version(self):
        return None


threadpoolctl.register(_PoolController)


def _available_threads():
    """Return the cores this process may use: affinity, cgroup quota, environment."""
    n_threads = joblib.cpu_count()
    # joblib sets it in its workers, so that nested parallelism does not oversubscribe.
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if limit.isdigit() and int(limit) > 0:
        n_threads = min(n_threads, int(limit))
    return n_threads


def effective_n_threads(n_jobs=None):
    """Return the number of threads for a call.

    Parameters
    ----------
    n_jobs : int or None, default=None
        None means all cores that this process may use; a negative number counts back
        from it, so that -1 means all cores and -2 all but one.

    Returns
    -------
    n_threads : int
        At least 1, and at most the limit set through threadpoolctl.
    """
    if n_jobs is None:
        n_threads = _available_threads()
    elif n_jobs == 0:
        raise ValueError("n_jobs == 0 has no meaning.")
    elif n_jobs < 0:
        n_threads = _available_threads() + 1 + n_jobs
    else:
        n_threads = n_jobs
    limit = get_thread_limit()
    if limit > 0:
        n_threads = min(n_threads, limit)
    return max(1, n_threads)


# Multiplications that are worth waking threads for.
MIN_SHARED_WORK = 1 << 18


def n_threads_for(n_multiplications):
    """All effective threads for much work, one for little."""
    return effective_n_threads() if n_multiplications > MIN_SHARED_WORK else 1
