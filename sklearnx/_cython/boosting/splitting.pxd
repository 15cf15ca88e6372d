from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t

from sklearnx._cython.common.dtypes cimport binned_t, hist_bin_t, split_t


# What makes a split good and allowed; the same for all nodes of a tree.
cdef struct criterion_t:
    double gradient_unit
    double hessian_unit
    double weight_unit
    double row_weight  # the hessians of weighted rows are as large
    double l2_regularization
    int64_t min_samples_leaf
    double min_hessian  # positive, so that all curvatures are
    bint is_constrained
    const int8_t* monotonic_cst


# What the search must know of a node.
cdef struct totals_t:
    int64_t sum_gradients
    int64_t sum_hessians
    int64_t n_samples
    int64_t sum_weights
    double lower_bound
    double upper_bound


cdef double compute_node_value(
    const criterion_t* criterion,
    int64_t sum_gradients,
    int64_t sum_hessians,
    double lower_bound,
    double upper_bound,
) noexcept nogil

cdef void find_split(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
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
