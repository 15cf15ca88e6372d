from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from sklearnx._cython.boosting.histogram_pool cimport histogram_pool_t
from sklearnx._cython.boosting.splitting cimport totals_t
from sklearnx._cython.common.dtypes cimport hist_bin_t, split_t


# A node of a tree that grows. What it points to is its own, save rows and histogram.
cdef struct grown_node_t:
    int64_t start, stop  # its rows
    const uint32_t* rows  # where these begin: of the root, as they were given
    totals_t totals
    totals_t* outputs  # of each output, the first included; NULL without vector leaves
    split_t split
    split_t* output_splits  # the split as each output sees it
    hist_bin_t* histogram  # of the pool; NULL: it has none at present
    uint8_t* goes_left  # by code of the split's feature
    bint has_missing  # values of the split's feature
    bint is_splittable  # whether it is neither too deep nor too small
    uint8_t* groups  # interaction groups that its path leaves open
    # By feature, which ones could be split: the histogram is of these. NULL: all.
    uint8_t* live
    int32_t left  # -1 for a leaf
    int32_t depth


# A tree that grows. Children are side by side, after their parent.
cdef struct grown_tree_t:
    grown_node_t* nodes
    int n_nodes, capacity
    uint32_t* rows  # of all nodes but the root
    # Lengths of what nodes carry by output, group and feature. With length 0, and for a
    # single output, they carry NULL.
    int n_outputs, n_groups, n_live
    # Whether the rows of nodes are no longer those that splits were found for.
    bint is_rerouted


cdef grown_node_t* add_root(
    grown_tree_t* tree, const uint32_t* rows, int64_t n_rows
) noexcept nogil

cdef grown_node_t* add_children(
    grown_tree_t* tree,
    int32_t node_idx,
    int64_t n_left,
    int64_t left_weight,
    int monotonic_cst,
) noexcept nogil

cdef void move_children(
    grown_tree_t* tree, int32_t node_idx, int64_t n_left, int64_t left_weight
) noexcept nogil

cdef bint pass_on_live(grown_tree_t* tree, const grown_node_t* node) noexcept nogil

cdef totals_t* get_outputs(const grown_node_t* node) noexcept nogil

cdef void clear_nodes(grown_tree_t* tree, histogram_pool_t* histograms) noexcept nogil

cdef void free_nodes(grown_tree_t* tree, histogram_pool_t* histograms) noexcept nogil
