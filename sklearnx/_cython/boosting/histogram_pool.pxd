from libc.stdint cimport int64_t

from sklearnx._cython.boosting.histogram cimport skx_occupied_t
from sklearnx._cython.common.dtypes cimport hist_bin_t, sparse_note_t


# A histogram is followed by notes of each sparse feature and plane, then by those which
# bins of each narrow column have rows, for features with a column of their own, of
# nodes with few rows.
cdef struct histogram_pool_t:
    int64_t n_bins  # of a histogram
    int64_t n_notes  # of sparse features
    int64_t n_bytes  # with its notes
    int n_used, n_free, max_histograms
    hist_bin_t** free_ones  # that no node uses at present


cdef bint fill_pool(
    histogram_pool_t* pool,
    int64_t n_bins,
    int64_t n_notes,
    int n_columns,
    int64_t budget,
) noexcept nogil

cdef void empty_pool(histogram_pool_t* pool) noexcept nogil

cdef hist_bin_t* acquire_histogram(histogram_pool_t* pool) noexcept nogil

cdef void release_histogram(
    histogram_pool_t* pool, hist_bin_t** histogram
) noexcept nogil

cdef sparse_note_t* get_sparse_notes(
    const histogram_pool_t* pool, hist_bin_t* histogram
) noexcept nogil

cdef skx_occupied_t* get_occupied(
    const histogram_pool_t* pool, hist_bin_t* histogram, int column
) noexcept nogil

cdef bint is_over_budget(const histogram_pool_t* pool) noexcept nogil
