"""Memory of the histograms of waiting nodes, kept from tree to tree."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc

from sklearnx._cython.boosting.histogram cimport skx_occupied_t
from sklearnx._cython.common.dtypes cimport hist_bin_t, sparse_note_t

cdef enum:
    MIN_HISTOGRAMS = 8  # whatever the budget
    MAX_HISTOGRAMS = 1 << 30


cdef bint fill_pool(
    histogram_pool_t* pool,
    int64_t n_bins,
    int64_t n_notes,
    int n_columns,
    int64_t budget,
) noexcept nogil:
    """Begin with no histograms; return False if there is no memory left.

    `budget` is in bytes.
    """
    pool.n_bins = max(n_bins, 1)  # there may be no feature to split on
    pool.n_notes = n_notes
    pool.n_bytes = (
        pool.n_bins * sizeof(hist_bin_t)
        + n_notes * sizeof(sparse_note_t)
        + n_columns * sizeof(skx_occupied_t)
    )
    pool.n_used = pool.n_free = 0
    pool.max_histograms = <int> min(
        max(MIN_HISTOGRAMS, budget // pool.n_bytes),
        MAX_HISTOGRAMS,
    )
    pool.free_ones = <hist_bin_t**> calloc(pool.max_histograms, sizeof(hist_bin_t*))
    return pool.free_ones != NULL


cdef void empty_pool(histogram_pool_t* pool) noexcept nogil:
    """Free the memory of histograms that no node uses."""
    cdef int i
    for i in range(pool.n_free):
        free(pool.free_ones[i])
    free(pool.free_ones)


cdef hist_bin_t* acquire_histogram(histogram_pool_t* pool) noexcept nogil:
    """Return a histogram that holds anything, NULL if there is no memory left."""
    cdef hist_bin_t* histogram
    if pool.n_free > 0:
        pool.n_free -= 1
        histogram = pool.free_ones[pool.n_free]
    else:
        histogram = <hist_bin_t*> malloc(pool.n_bytes)
    if histogram != NULL:
        pool.n_used += 1
    return histogram


cdef void release_histogram(
    histogram_pool_t* pool, hist_bin_t** histogram
) noexcept nogil:
    """Take a histogram back, if there is one. INOUT: histogram, NULL afterwards."""
    if histogram[0] == NULL:
        return
    pool.n_used -= 1
    if pool.n_free < pool.max_histograms:
        pool.free_ones[pool.n_free] = histogram[0]
        pool.n_free += 1
    else:
        free(histogram[0])
    histogram[0] = NULL


cdef sparse_note_t* get_sparse_notes(
    const histogram_pool_t* pool, hist_bin_t* histogram
) noexcept nogil:
    """Return the notes of the sparse features, (n_planes, n_sparse)."""
    return <sparse_note_t*> (histogram + pool.n_bins)


cdef skx_occupied_t* get_occupied(
    const histogram_pool_t* pool, hist_bin_t* histogram, int column
) noexcept nogil:
    """Return the note which bins of a narrow column have rows."""
    cdef sparse_note_t* notes = get_sparse_notes(pool, histogram)
    return <skx_occupied_t*> (notes + pool.n_notes) + column


cdef bint is_over_budget(const histogram_pool_t* pool) noexcept nogil:
    return pool.n_used > pool.max_histograms
