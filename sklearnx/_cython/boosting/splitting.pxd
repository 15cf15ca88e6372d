from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint64_t

from sklearnx._cython.boosting.histogram cimport skx_occupied_t
from sklearnx._cython.common.dtypes cimport binned_t, hist_bin_t, split_t


# What makes a split good and allowed; the same for all nodes of a tree.
cdef struct criterion_t:
    double gradient_unit
    double hessian_unit
    double row_weight  # real weight that counts as one row
    double noise  # variance of gradients by hessian, for splits of categories
    double l1_regularization
    double l2_regularization
    double min_split_gain
    int64_t min_samples_leaf
    double min_child_weight  # positive, so that all curvatures are
    double max_delta_step  # infinite if values have no limit
    double path_smoothing
    bint is_constrained
    const int8_t* monotonic_cst
    # Of which features a split has a single level on the left; NULL: of none.
    const uint8_t* takes_one_level
    # Values are restrained by l2_regularization alone, so that gains are of the short
    # form: see `set_restraints`.
    bint is_plain
    # One random split of each feature, from the seed, the tree and the node.
    bint extra_trees
    uint64_t seed
    uint64_t tree_idx


# What `is_categorical` of a split says.
cdef enum:
    OF_LEVELS = 1  # `n_left_levels` of the sorted levels go left
    OF_ONE_LEVEL = 2  # the one at the place `bin` of them does

# What the search must know of a node.
cdef struct totals_t:
    int64_t sum_gradients
    int64_t sum_hessians
    int64_t n_samples
    int64_t sum_weights
    double lower_bound  # of its children's values
    double upper_bound
    double value  # that path smoothing draws its children's to
    int32_t node_idx


# What gains need of the node that is split, in real numbers.
cdef struct parent_t:
    double loss  # at its best value, with the opposite sign; all that is plain needs
    double held  # K(G)
    double value  # v
    double rows_per_hessian


cdef extern from "splitting_kernels.h" nogil:
    # A level of a category, and what it is sorted by.
    ctypedef struct skx_level_t:
        double key
        int32_t level

    void skx_sort_levels(skx_level_t* levels, int n_levels) noexcept

    # The sorted levels on one side of a split.
    ctypedef struct skx_side_t:
        pass

    void skx_add_level(skx_side_t* side, const hist_bin_t* level) noexcept
    double skx_find_chance(const skx_side_t* side, double noise, int n_levels) noexcept

    # What the kernels of the plain gain need of a node, and of what is left of a cut.
    ctypedef struct skx_plain_t:
        double gradient_unit
        double hessian_unit
        double l2
        double parent_loss
        double min_child_weight
        double rounding
        int64_t sum_gradients
        int64_t sum_hessians
        int64_t n_samples
        int64_t min_samples_leaf

    ctypedef struct skx_left_t:
        int64_t* gradients
        int64_t* hessians
        int64_t* n_samples


cdef void set_restraints(
    criterion_t* criterion,
    double l1_regularization,
    double l2_regularization,
    double min_split_gain,
    int64_t min_samples_leaf,
    double min_child_weight,
    double max_delta_step,
    double path_smoothing,
) noexcept nogil

cdef bint node_has_missing(
    const binned_t* binned, const hist_bin_t* bins, int feature
) noexcept nogil

cdef double compute_node_value(
    const criterion_t* criterion,
    int64_t sum_gradients,
    int64_t sum_hessians,
    double n_rows,
    double parent_value,
    double lower_bound,
    double upper_bound,
) noexcept nogil

cdef void find_split(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const hist_bin_t* histogram,
    int feature,
    const skx_occupied_t* occupied,
    double least_gain,
    double* bound,
    split_t* split,
) noexcept nogil

cdef bint write_left_levels(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const split_t* split,
    uint8_t* goes_left,
) noexcept nogil

# ---- parts of a search, for `shared_splitting` and `vector_splitting` ----

ctypedef double (*measure_t)(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    int monotonic_cst,
    double chance,
    int64_t left_gradients,
    int64_t left_hessians,
    int64_t left_n_samples,
) noexcept nogil

cdef bint takes_one_level(const criterion_t* criterion, int feature) noexcept nogil

cdef void describe_parent(
    const criterion_t* criterion, const totals_t* totals, parent_t* parent
) noexcept nogil

cdef void describe_plain(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    skx_plain_t* node,
) noexcept nogil

cdef double measure_split(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    int monotonic_cst,
    double chance,
    int64_t left_gradients,
    int64_t left_hessians,
    int64_t left_n_samples,
) noexcept nogil

cdef double measure_output(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    int monotonic_cst,
    double chance,
    int64_t left_gradients,
    int64_t left_hessians,
    int64_t left_n_samples,
) noexcept nogil

cdef void set_left_sums(
    const hist_bin_t* bins, const uint8_t* goes_left, int n_codes, split_t* split
) noexcept nogil

cdef void set_child_values(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    split_t* split,
) noexcept nogil

cdef int draw_cut(
    const criterion_t* criterion, int32_t node_idx, int feature, int n
) noexcept nogil

cdef int draw_left_levels(
    const criterion_t* criterion, int32_t node_idx, int feature, int n_levels
) noexcept nogil

cdef bint has_level_support(
    const hist_bin_t* level, double rows_per_hessian
) noexcept nogil

cdef double compute_level_value(
    const criterion_t* criterion, const hist_bin_t* level
) noexcept nogil

cdef int sort_levels(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* bins,
    int feature,
    skx_level_t* levels,
) noexcept nogil

cdef void mark_left_codes(
    const binned_t* binned,
    const split_t* split,
    const skx_level_t* levels,
    int n_levels,
    uint8_t* goes_left,
) noexcept nogil
