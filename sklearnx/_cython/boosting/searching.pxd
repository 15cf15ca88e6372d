from libc.stdint cimport int32_t, uint8_t

from sklearnx._cython.boosting.features cimport feature_rules_t
from sklearnx._cython.boosting.histogram cimport workspace_t
from sklearnx._cython.boosting.histogram_pool cimport histogram_pool_t
from sklearnx._cython.boosting.node_splitting cimport splitter_t
from sklearnx._cython.boosting.nodes cimport grown_node_t
from sklearnx._cython.common.dtypes cimport hist_bin_t, quantized_t, split_t


# What nodes are searched with.
cdef struct search_t:
    const splitter_t* splitter
    const feature_rules_t* rules
    const quantized_t* quantized  # (n_outputs,) of the tree that grows
    histogram_pool_t* histograms
    workspace_t* workspace
    # The first feature whose bins are all summed up from rows, -1 if there is none,
    # or if others must know the sums of the root before.
    int first_complete
    split_t* splits  # (2, n_features) of the nodes that are searched together
    uint8_t* allowed  # (2, n_features)
    int32_t* wide  # (n_wide,) dense features that are searched by themselves
    int n_threads


cdef bint fill_search(
    search_t* search,
    const splitter_t* splitter,
    const feature_rules_t* rules,
    const quantized_t* quantized,
    histogram_pool_t* histograms,
    int n_threads,
) noexcept nogil

cdef void empty_search(search_t* search) noexcept nogil

cdef bint build_histogram(const search_t* search, grown_node_t* node) noexcept nogil

cdef bint copy_histogram(
    const search_t* search, const hist_bin_t* histogram, grown_node_t* root
) noexcept nogil

cdef bint search_node(const search_t* search, grown_node_t* node) noexcept nogil

cdef bint search_children(
    const search_t* search, grown_node_t* smaller, grown_node_t* larger
) noexcept nogil
