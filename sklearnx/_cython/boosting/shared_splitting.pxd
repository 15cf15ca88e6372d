from libc.stdint cimport int32_t, int64_t, uint8_t

from sklearnx._cython.boosting.splitting cimport (
    criterion_t,
    measure_t,
    skx_level_t,
    totals_t,
)
from sklearnx._cython.common.dtypes cimport binned_t, hist_bin_t, split_t


# The search for one split of several nodes. Arrays of bins are as long as a histogram.
cdef struct shared_search_t:
    double* gains  # two for each bin, one for each split
    skx_level_t* levels  # of categories, sorted once for the tree
    int32_t* n_levels  # that are sorted, of each feature
    # What splits of categories gain by chance in the root, or where the levels were
    # sorted: two for each bin, output by output.
    double* chances
    # Of each feature, the bins after which the root can be split.
    int32_t* first_cuts
    int32_t* n_cuts
    int64_t sum_hessians  # of the root


cdef shared_search_t* allocate_shared_search(
    const binned_t* binned, int n_outputs
) noexcept nogil

cdef void free_shared_search(shared_search_t* search) noexcept nogil

cdef void start_shared_search(
    shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
) noexcept nogil

cdef void add_split_gains(
    shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
) noexcept nogil

cdef void find_shared_split(
    shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const uint8_t* allowed,
    int32_t level,
    split_t* split,
) noexcept nogil

cdef void mark_shared_left_codes(
    const shared_search_t* search,
    const binned_t* binned,
    const split_t* split,
    uint8_t* goes_left,
) noexcept nogil

cdef bint take_shared_split(
    const shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const uint8_t* goes_left,
    const split_t* shared,
    split_t* split,
) noexcept nogil

# ---- parts of a search, for `vector_splitting` ----

cdef void note_cuts(
    shared_search_t* search,
    const binned_t* binned,
    const hist_bin_t* bins,
    int feature,
) noexcept nogil

cdef void note_chances(
    const criterion_t* criterion,
    int feature,
    const hist_bin_t* bins,
    const skx_level_t* levels,
    int n_levels,
    double* chances,
) noexcept nogil

cdef int find_place_of_levels(
    const shared_search_t* search, const split_t* split
) noexcept nogil

cdef void add_feature_gains(
    const shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
    const double* chances,
    double share,
    measure_t measure,
    double* gains,
) noexcept nogil

cdef void take_best_place(
    const shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    int32_t key,
    int feature,
    split_t* split,
) noexcept nogil
