"""Ward's hierarchy of points (see ward_chain.h)."""

from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "ward_chain.h" nogil:
    cdef cppclass skx_ward_chain_t:
        void start(const double* rows, int64_t n_rows, int64_t n_columns) except +
        bint find_all_neighbors(
            skx_parallel_t run, int n_threads, int (*goes_on)() noexcept
        ) except +
        int64_t advance(int64_t n_steps, int32_t* pairs, double* out) except +


cdef enum:
    STEPS_BETWEEN_SIGNALS = 256


def find_ward_merges(
    const double[:, ::1] rows, int32_t[:, ::1] pairs, double[::1] heights,
    int n_threads=1,
):
    """Merge points, and then clusters, until one is left.

    Parameters
    ----------
    rows : array of shape (n, n_dims)
        IN, finite.
    pairs : array of shape (n - 1, 2)
        OUT, the places of the two clusters, the lower first. A point's place is its
        row; a merged cluster has the place of the second.
    heights : array of shape (n - 1,)
        OUT, the distances. Merges are in the order of the chains, parts before wholes;
        a stable sort by height puts them into the order of the hierarchy.
    n_threads : int
        Does not change the result.
    """
    cdef:
        skx_ward_chain_t chain
        int64_t n_merges = rows.shape[0] - 1, done = 0
        bint is_whole
    if n_merges < 1:
        return
    with nogil:
        chain.start(&rows[0, 0], rows.shape[0], rows.shape[1])
        is_whole = chain.find_all_neighbors(parallel_for, n_threads, handle_signals)
        while is_whole and done < n_merges:
            done += chain.advance(
                STEPS_BETWEEN_SIGNALS, &pairs[done, 0], &heights[done]
            )
            is_whole = handle_signals()
    if not is_whole:
        raise_pending_error()
