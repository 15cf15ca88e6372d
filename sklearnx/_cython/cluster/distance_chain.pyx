"""Complete, average and Ward's linkage on all distances (see distance_chain.h)."""

from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "distance_chain.h" nogil:
    ctypedef void (*skx_fill_t)(
        const double*, int64_t, int64_t, int64_t, int64_t, double*, double*) noexcept
    void skx_fill_squared(
        const double*, int64_t, int64_t, int64_t, int64_t, double*, double*) noexcept
    void skx_fill_absolute(
        const double*, int64_t, int64_t, int64_t, int64_t, double*, double*) noexcept
    void skx_fill_largest(
        const double*, int64_t, int64_t, int64_t, int64_t, double*, double*) noexcept
    bint skx_fill_condensed(
        const double* rows, int64_t n, int64_t n_dims, skx_fill_t fill,
        double* condensed, skx_parallel_t run, int n_threads, int (*goes_on)() noexcept,
    ) except +
    cdef cppclass skx_distance_chain_t:
        void begin(
            double* condensed, int64_t n_items, int kind, skx_parallel_t run,
            int threads,
        ) except +
        void advance(int64_t n_steps, int32_t* pairs, double* out) except +


cdef enum:
    WORK_BETWEEN_SIGNALS = 1 << 22  # in distances looked at


def fill_distances(
    const double[:, ::1] rows, str metric, double[::1] condensed, int n_threads=1
):
    """Write the distances of all pairs of points.

    Parameters
    ----------
    rows : array of shape (n, n_dims)
        IN, finite.
    metric : {"euclidean", "manhattan", "chebyshev"}
        The distance.
    condensed : array of shape (n (n - 1) / 2,)
        OUT, the rows of the upper triangle one after the other.
    n_threads : int
        Does not change the result.
    """
    cdef:
        skx_fill_t fill
        int64_t n = rows.shape[0]
        bint is_whole
    if n < 2:
        return
    if metric == "euclidean":
        fill = skx_fill_squared
    elif metric == "manhattan":
        fill = skx_fill_absolute
    else:
        fill = skx_fill_largest
    with nogil:
        is_whole = skx_fill_condensed(
            &rows[0, 0], n, rows.shape[1], fill, &condensed[0], parallel_for, n_threads,
            handle_signals,
        )
    if not is_whole:
        raise_pending_error()


def find_merges(
    double[::1] condensed, str linkage, int32_t[:, ::1] pairs, double[::1] heights,
    int n_threads=1,
):
    """Merge clusters, beginning with single items, until one is left.

    Parameters
    ----------
    condensed : array of shape (n (n - 1) / 2,)
        IN, the distances; destroyed.
    linkage : {"complete", "average", "ward"}
        The distance of clusters: the largest or the average of those of their items, or
        Ward's, if the distances are Euclidean.
    pairs : array of shape (n - 1, 2)
        OUT, the places of the two clusters, the lower first; a merged cluster has the
        place of the second.
    heights : array of shape (n - 1,)
        OUT, the distances. Merges are in the order of the chains, parts before wholes.
    n_threads : int
        Does not change the result.
    """
    cdef:
        skx_distance_chain_t chain
        int64_t n_merges = heights.shape[0], done = 0, n_steps
        int kind = ("complete", "average", "ward").index(linkage)
        bint is_whole = True
    if n_merges < 1:
        return
    with nogil:
        chain.begin(&condensed[0], n_merges + 1, kind, parallel_for, n_threads)
        while is_whole and done < n_merges:
            n_steps = 1 + WORK_BETWEEN_SIGNALS // (n_merges + 1)
            n_steps = min(n_steps, n_merges - done)
            chain.advance(n_steps, &pairs[done, 0], &heights[done])
            done += n_steps
            is_whole = handle_signals()
    if not is_whole:
        raise_pending_error()
