"""The split of a node, whatever its leaves are to hold, and alone or with its batch.

                           a value            a vector
    of the node alone      splitting          vector_splitting
    of all its batch       shared_splitting   vector_splitting

These know of histograms and totals; here they are asked about a node. A split that is
found is completed, by the values of the children and by the codes that go left, while
the node has its histogram: that is gone when the rows are partitioned.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from sklearnx._cython.boosting.histogram cimport skx_occupied_t
from sklearnx._cython.boosting.nodes cimport get_outputs, grown_node_t
from sklearnx._cython.boosting.shared_splitting cimport (
    add_split_gains,
    allocate_shared_search,
    find_shared_split,
    free_shared_search,
    mark_shared_left_codes,
    start_shared_search,
    take_shared_split,
)
from sklearnx._cython.boosting.splitting cimport (
    compute_node_value,
    criterion_t,
    find_split,
    node_has_missing,
    parent_t,
    set_child_values,
    totals_t,
    write_left_levels,
)
from sklearnx._cython.boosting.vector_splitting cimport (
    add_vector_gains,
    allocate_vector,
    find_vector_split,
    free_vector,
    split_outputs,
    start_shared_vector_search,
    take_shared_vector_split,
    write_vector_left_levels,
)
from sklearnx._cython.common.dtypes cimport binned_t, split_t


cdef bint fill_splitter(
    splitter_t* splitter, const binned_t* binned, int n_outputs, bint shares_split
) noexcept nogil:
    """Begin without a criterion; return False if there is no memory left."""
    cdef int feature, max_bins = 0
    splitter.binned = binned
    splitter.n_outputs = n_outputs
    splitter.criteria = &splitter.criterion
    if n_outputs > 1:
        splitter.vector = allocate_vector(binned, n_outputs)
        if splitter.vector == NULL:
            return False
        splitter.criteria = splitter.vector.criteria
    if shares_split:
        for feature in range(binned.n_features):
            max_bins = max(max_bins, binned.n_bins[feature])
        splitter.batch_left = <uint8_t*> malloc(max_bins + 1)
        splitter.shared = allocate_shared_search(binned, n_outputs)
        return splitter.batch_left != NULL and splitter.shared != NULL
    return True


cdef void empty_splitter(splitter_t* splitter) noexcept nogil:
    free_vector(splitter.vector)
    free_shared_search(splitter.shared)
    free(splitter.batch_left)


cdef void set_root_totals(
    const splitter_t* splitter, int64_t sum_weights, grown_node_t* root
) noexcept nogil:
    """Find the value that the root has before any split. INOUT: root, with its sums."""
    cdef:
        int output
        totals_t* totals
    for output in range(splitter.n_outputs):
        totals = &get_outputs(root)[output]
        totals.sum_weights = sum_weights
        totals.lower_bound = -INFINITY
        totals.upper_bound = INFINITY
        totals.value = compute_node_value(
            &splitter.criteria[output],
            totals.sum_gradients,
            totals.sum_hessians,
            INFINITY,
            0,
            -INFINITY,
            INFINITY,
        )
    root.totals = get_outputs(root)[0]


cdef bint is_large_enough(
    const splitter_t* splitter, const grown_node_t* node
) noexcept nogil:
    """Return whether a node could have two children that are allowed."""
    cdef:
        int output
        const totals_t* outputs = get_outputs(node)
        const criterion_t* criteria = splitter.criteria
    if node.totals.n_samples < 2 * criteria.min_samples_leaf:
        return False
    for output in range(splitter.n_outputs):
        if (
            outputs[output].sum_hessians * criteria[output].hessian_unit
            < 2 * criteria.min_child_weight
        ):
            return False
    return True


cdef bint may_bound_gains(const splitter_t* splitter) noexcept nogil:
    """Return whether `find_node_split` bounds the gains of numeric features."""
    return (
        splitter.vector == NULL
        and splitter.shared == NULL
        and splitter.criterion.is_plain
        and not splitter.criterion.extra_trees
    )


cdef void find_node_split(
    const splitter_t* splitter,
    const grown_node_t* node,
    const parent_t* parent,
    int feature,
    const skx_occupied_t* occupied,
    double least_gain,
    double* bound,
    split_t* split,
) noexcept nogil:
    """Find the best split of a node on `feature`; its gain is 0 if there is none.

    IN: parent, what gains need of the node; occupied, its bins that have rows, or NULL
    where that is not known; least_gain, of a split that is worth finding. OUT: bound,
    as `find_split` has it, if it is asked for; split, which is not complete; its
    feature is -1 if memory ran out.
    """
    if splitter.vector != NULL:
        find_vector_split(
            splitter.vector,
            splitter.binned,
            node.outputs,
            node.histogram,
            feature,
            split,
        )
    else:
        find_split(
            splitter.binned,
            &splitter.criterion,
            &node.totals,
            parent,
            node.histogram,
            feature,
            occupied,
            least_gain,
            bound,
            split,
        )


cdef bint complete_node_split(
    const splitter_t* splitter, const parent_t* parent, grown_node_t* node
) noexcept nogil:
    """Find what the children of a node's best split start from.

    Returns False if there is no memory left. IN: parent. INOUT: node.
    """
    cdef const binned_t* binned = splitter.binned
    if not _allocate_left(splitter, node):
        return False
    _note_missing(splitter, node)
    if splitter.vector == NULL:
        set_child_values(&splitter.criterion, &node.totals, parent, &node.split)
        return write_left_levels(
            binned,
            &splitter.criterion,
            &node.totals,
            node.histogram,
            &node.split,
            node.goes_left,
        )
    if not write_vector_left_levels(
        splitter.vector,
        binned,
        node.outputs,
        node.histogram,
        &node.split,
        node.goes_left,
    ):
        return False
    split_outputs(
        splitter.vector,
        binned,
        node.outputs,
        node.histogram,
        node.goes_left,
        &node.split,
        node.output_splits,
    )
    return True


cdef bint _allocate_left(
    const splitter_t* splitter, grown_node_t* node
) noexcept nogil:
    cdef int n_codes = splitter.binned.n_bins[node.split.feature] + 1
    node.goes_left = <uint8_t*> malloc(n_codes)
    return node.goes_left != NULL


cdef void _note_missing(
    const splitter_t* splitter, grown_node_t* node
) noexcept nogil:
    cdef:
        int feature = node.split.feature
        int64_t first = splitter.binned.offsets[feature]
    node.has_missing = node_has_missing(
        splitter.binned, node.histogram + first, feature
    )


# ---- where the nodes of a batch share a split ----------------------------------------


cdef bint start_batches(
    const splitter_t* splitter, const grown_node_t* root
) noexcept nogil:
    """Begin a tree; return False if there is no memory left."""
    if splitter.vector != NULL:
        return start_shared_vector_search(
            splitter.vector,
            splitter.shared,
            splitter.binned,
            root.outputs,
            root.histogram,
        )
    start_shared_search(
        splitter.shared,
        splitter.binned,
        &splitter.criterion,
        &root.totals,
        root.histogram,
    )
    return True


cdef void add_node_gains(
    const splitter_t* splitter, const grown_node_t* node, int feature
) noexcept nogil:
    """Add the gains of a node to those of others that will be in its batch."""
    if splitter.vector != NULL:
        add_vector_gains(
            splitter.vector,
            splitter.shared,
            splitter.binned,
            node.outputs,
            node.histogram,
            feature,
        )
    else:
        add_split_gains(
            splitter.shared,
            splitter.binned,
            &splitter.criterion,
            &node.totals,
            node.histogram,
            feature,
        )


cdef void find_batch_split(
    const splitter_t* splitter, const uint8_t* allowed, int32_t key, split_t* split
) noexcept nogil:
    """Find the split that the added gains are in favour of, and forget them.

    IN: allowed (n_features,), key of random splits. OUT: split, its gain is 0 if there
    is none.
    """
    find_shared_split(
        splitter.shared, splitter.binned, &splitter.criterion, allowed, key, split
    )
    if split.gain > 0:
        mark_shared_left_codes(
            splitter.shared, splitter.binned, split, splitter.batch_left
        )


cdef bint take_batch_split(
    const splitter_t* splitter, const split_t* split, grown_node_t* node
) noexcept nogil:
    """Make the batch's split one of a node; return whether it gains."""
    if splitter.vector == NULL:
        return take_shared_split(
            splitter.shared,
            splitter.binned,
            &splitter.criterion,
            &node.totals,
            node.histogram,
            splitter.batch_left,
            split,
            &node.split,
        )
    node.split = split[0]
    return take_shared_vector_split(
        splitter.vector,
        splitter.shared,
        splitter.binned,
        node.outputs,
        node.histogram,
        splitter.batch_left,
        &node.split,
        node.output_splits,
    )


cdef bint complete_batch_split(
    const splitter_t* splitter, grown_node_t* node
) noexcept nogil:
    """Complete the batch's split of a node; return False if there is no memory left."""
    cdef int n_codes = splitter.binned.n_bins[node.split.feature] + 1
    if not _allocate_left(splitter, node):
        return False
    memcpy(node.goes_left, splitter.batch_left, n_codes)
    _note_missing(splitter, node)
    return True
