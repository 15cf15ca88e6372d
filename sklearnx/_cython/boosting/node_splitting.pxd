from libc.stdint cimport int32_t, int64_t, uint8_t

from sklearnx._cython.boosting.histogram cimport skx_occupied_t
from sklearnx._cython.boosting.nodes cimport grown_node_t
from sklearnx._cython.boosting.shared_splitting cimport shared_search_t
from sklearnx._cython.boosting.splitting cimport criterion_t, parent_t
from sklearnx._cython.boosting.vector_splitting cimport vector_t
from sklearnx._cython.common.dtypes cimport binned_t, split_t


# How the nodes of a booster's trees are split.
cdef struct splitter_t:
    const binned_t* binned
    int n_outputs
    criterion_t criterion  # of the first output
    criterion_t* criteria  # of each output; only their units and noise differ
    vector_t* vector  # NULL without vector leaves
    shared_search_t* shared  # of a batch that is split alike; NULL: none is
    uint8_t* batch_left  # by code of the batch's split


cdef bint fill_splitter(
    splitter_t* splitter, const binned_t* binned, int n_outputs, bint shares_split
) noexcept nogil

cdef void empty_splitter(splitter_t* splitter) noexcept nogil

cdef void set_root_totals(
    const splitter_t* splitter, int64_t sum_weights, grown_node_t* root
) noexcept nogil

cdef bint is_large_enough(
    const splitter_t* splitter, const grown_node_t* node
) noexcept nogil

cdef bint may_bound_gains(const splitter_t* splitter) noexcept nogil

cdef void find_node_split(
    const splitter_t* splitter,
    const grown_node_t* node,
    const parent_t* parent,
    int feature,
    const skx_occupied_t* occupied,
    double least_gain,
    double* bound,
    split_t* split,
) noexcept nogil

cdef bint complete_node_split(
    const splitter_t* splitter, const parent_t* parent, grown_node_t* node
) noexcept nogil

# ---- where the nodes of a batch share a split ----

cdef bint start_batches(
    const splitter_t* splitter, const grown_node_t* root
) noexcept nogil

cdef void add_node_gains(
    const splitter_t* splitter, const grown_node_t* node, int feature
) noexcept nogil

cdef void find_batch_split(
    const splitter_t* splitter, const uint8_t* allowed, int32_t key, split_t* split
) noexcept nogil

cdef bint take_batch_split(
    const splitter_t* splitter, const split_t* split, grown_node_t* node
) noexcept nogil

cdef bint complete_batch_split(
    const splitter_t* splitter, grown_node_t* node
) noexcept nogil
