from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from sklearnx._cython.common.dtypes cimport (
    binned_t,
    column_group_t,
    hist_bin_t,
    quantized_t,
    sparse_note_t,
)


cdef extern from "row_shares.h" nogil:
    ctypedef struct skx_row_share_t:
        pass

cdef extern from "occupied.h" nogil:
    # Which bins of a feature have rows.
    ctypedef struct skx_occupied_t:
        pass

    bint skx_has_few_rows(int64_t n_rows, int n_bins) noexcept
    void skx_find_occupied(
        const hist_bin_t* bins, int n_bins, skx_occupied_t* occupied
    ) noexcept


cdef struct workspace_t:
    int n_slots
    int64_t** words  # a slot: two for each bin of a column, zero between calls
    hist_bin_t** partial  # a slot but the first: a histogram
    skx_row_share_t* shares  # (n_units, n_slots) rows to be added
    uint8_t* sparse_wanted  # (n_sparse,)


# How the histogram of a node is built: tasks that add rows, then one for each feature.
cdef struct histogram_job_t:
    const binned_t* binned
    const quantized_t* quantized
    const uint32_t* rows
    int64_t n_rows
    workspace_t* workspace
    hist_bin_t totals  # of these rows
    # (n_features,) which ones to sum; NULL: all. It is found out which sparse ones
    # stay live: where `min_samples` rows have entries.
    uint8_t* live
    int64_t min_samples
    hist_bin_t* histogram
    sparse_note_t* notes  # (n_sparse,)
    # Of a larger sibling, which has the parent's sums: those of sparse features are
    # taken from them at once. NULL: none.
    hist_bin_t* larger
    sparse_note_t* larger_notes
    uint8_t* larger_live
    int n_slots
    int n_parts  # of the work
    int n_tasks  # as many, or a few more that are none
    int n_threads
    const column_group_t* groups  # (n_units,), a part for each of them and each slot
    int n_units
    bint uses_words


cdef workspace_t* allocate_workspace(const binned_t* binned, int n_slots) noexcept nogil

cdef void free_workspace(workspace_t* workspace) noexcept nogil

cdef int choose_n_slots(
    const binned_t* binned, int64_t n_rows, int n_threads
) noexcept nogil

cdef void plan_histogram(
    histogram_job_t* job,
    const binned_t* binned,
    const quantized_t* quantized,
    const uint32_t* rows,
    int64_t n_rows,
    workspace_t* workspace,
    hist_bin_t totals,
    uint8_t* live,
    hist_bin_t* histogram,
    sparse_note_t* notes,
    int n_threads,
) noexcept nogil

cdef hist_bin_t sum_rows(
    const quantized_t* quantized, const uint32_t* rows, int64_t n_rows
) noexcept nogil

cdef void add_rows(const histogram_job_t* job, int task) noexcept nogil

cdef const int32_t* find_features(
    const histogram_job_t* job, int task, int* n_features
) noexcept nogil

cdef int find_sparse_block(const histogram_job_t* job, int task) noexcept nogil

cdef bint finish_feature(
    const histogram_job_t* job, int feature, skx_occupied_t* occupied
) noexcept nogil

cdef void find_default_bin(
    const binned_t* binned, int feature, hist_bin_t totals, hist_bin_t* bins
) noexcept nogil

cdef hist_bin_t sum_bins(
    const binned_t* binned, const hist_bin_t* histogram, int feature
) noexcept nogil
