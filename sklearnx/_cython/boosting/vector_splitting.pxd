from libc.stdint cimport int64_t, uint8_t

from sklearnx._cython.boosting.shared_splitting cimport shared_search_t
from sklearnx._cython.boosting.splitting cimport criterion_t, totals_t
from sklearnx._cython.common.dtypes cimport binned_t, hist_bin_t, split_t


# The outputs of trees with vector leaves. A node's histogram has a plane for each.
cdef struct vector_t:
    int n_outputs
    int64_t n_bins  # of a plane
    criterion_t* criteria  # of each output; only their units differ
    int64_t* root_hessians  # sums of each output, for symmetric trees
    shared_search_t* search  # of the node whose outputs are added up


cdef vector_t* allocate_vector(const binned_t* binned, int n_outputs) noexcept nogil

cdef void free_vector(vector_t* vector) noexcept nogil

cdef void find_vector_split(
    vector_t* vector,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
    split_t* split,
) noexcept nogil

cdef bint write_vector_left_levels(
    vector_t* vector,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const split_t* split,
    uint8_t* goes_left,
) noexcept nogil

cdef void split_outputs(
    const vector_t* vector,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const uint8_t* goes_left,
    split_t* split,
    split_t* outputs,
) noexcept nogil

# ---- where several nodes share a split ----

cdef bint start_shared_vector_search(
    vector_t* vector,
    shared_search_t* shared,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
) noexcept nogil

cdef void add_vector_gains(
    vector_t* vector,
    shared_search_t* shared,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
) noexcept nogil

cdef bint take_shared_vector_split(
    const vector_t* vector,
    const shared_search_t* shared,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const uint8_t* goes_left,
    split_t* split,
    split_t* outputs,
) noexcept nogil
