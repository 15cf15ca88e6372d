"""Arrays of a grown tree: its leaves, the values of its nodes, the nodes themselves.

    grown tree --> leaves, in the order of their rows
               --> values: of leaves, from finer sums of their rows, where histograms
                   hold less than leaves may ask for
               --> nodes and bit sets, for prediction; stats, for inspection
"""

import numpy as np

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from sklearnx._cython.boosting.leaves cimport sum_leaves
from sklearnx._cython.boosting.nodes cimport (
    get_outputs,
    grown_node_t,
    grown_tree_t,
)
from sklearnx._cython.boosting.splitting cimport (
    compute_node_value,
    criterion_t,
    totals_t,
)
from sklearnx._cython.common.dtypes cimport binned_t, node_t, quantized_t

# The struct node_t. Its padding is a field, since NumPy drops what is not.
NODE_DTYPE = np.dtype(
    [
        ("value", np.float64),
        ("feature", np.int32),
        ("left", np.int32),
        ("bitset", np.int32),
        ("missing_left", np.uint8),
        ("unused", np.uint8, 3),
    ]
)

# What inspection shows of a node, the struct stats_t; prediction needs none of it.
STATS_DTYPE = np.dtype(
    [
        ("value", np.float64),
        ("gain", np.float64),
        ("sum_hessians", np.float64),
        ("n_samples", np.int64),
        ("depth", np.int32),
        ("bin", np.int32),
    ]
)


cdef struct stats_t:
    double value, gain, sum_hessians
    int64_t n_samples
    int32_t depth, bin


# ---- leaves and values ---------------------------------------------------------------


cdef tuple collect_leaves(const grown_tree_t* tree):
    """Return the leaves in the order of their rows, and where these begin and end.

    Returns
    -------
    leaf_nodes : int32 array of shape (n_leaves,)
    leaf_offsets : int64 array of shape (n_leaves + 1,)
    """
    cdef:
        int i, leaf = 0, n_leaves = (tree.n_nodes + 1) // 2
        const grown_node_t* node
    leaf_nodes = np.empty(n_leaves, dtype=np.int32)
    leaf_starts = np.empty(n_leaves, dtype=np.int64)
    cdef:
        int32_t[::1] nodes = leaf_nodes
        int64_t[::1] starts = leaf_starts
    for i in range(tree.n_nodes):
        node = &tree.nodes[i]
        if node.left < 0:
            nodes[leaf] = i
            starts[leaf] = node.start
            leaf += 1
    order = np.argsort(leaf_starts, kind="stable")
    leaf_offsets = np.empty(n_leaves + 1, dtype=np.int64)
    leaf_offsets[:n_leaves] = leaf_starts[order]
    leaf_offsets[n_leaves] = tree.nodes[0].stop
    return leaf_nodes[order], leaf_offsets


cdef tuple compute_values(
    const grown_tree_t* tree,
    const criterion_t* criteria,
    const quantized_t* quantized,
    const int32_t[::1] leaf_nodes,
    const int64_t[::1] leaf_offsets,
    int64_t n_rows,
    int n_threads,
):
    """Return the value and the sum of hessians of each node, for each output.

    IN: criteria (n_outputs,), quantized (n_outputs,), leaf_nodes (n_leaves,),
    leaf_offsets (n_leaves + 1,), n_rows of the data.

    Returns
    -------
    values, sum_hessians : float64 arrays of shape (n_outputs, n_nodes)
    """
    cdef:
        int output, leaf, n_leaves = <int> leaf_nodes.shape[0]
        bint is_done
        const totals_t* totals
        criterion_t fine
        int64_t[:, ::1] leaf_sums = np.empty((n_leaves, 2), dtype=np.int64)
    all_values = np.empty((tree.n_outputs, tree.n_nodes))
    all_hessians = np.empty((tree.n_outputs, tree.n_nodes))
    cdef:
        double[:, ::1] values = all_values
        double[:, ::1] sum_hessians = all_hessians
    for output in range(tree.n_outputs):
        if quantized[output].leaf_terms == NULL and not tree.is_rerouted:
            for leaf in range(n_leaves):
                totals = &get_outputs(&tree.nodes[leaf_nodes[leaf]])[output]
                leaf_sums[leaf, 0] = totals.sum_gradients
                leaf_sums[leaf, 1] = totals.sum_hessians
        else:
            with nogil:
                is_done = sum_leaves(
                    quantized + output,
                    tree.rows,
                    &leaf_offsets[0],
                    n_leaves,
                    n_rows,
                    &leaf_sums[0, 0],
                    n_threads,
                )
            if not is_done:
                raise MemoryError()
        _take_grown_values(
            tree, output, &criteria[output], values[output], sum_hessians[output]
        )
        fine = criteria[output]
        fine.gradient_unit = quantized[output].leaf_gradient_unit
        fine.hessian_unit = quantized[output].leaf_hessian_unit
        _compute_leaf_values(
            tree, &fine, leaf_nodes, leaf_sums, values[output], sum_hessians[output]
        )
    return all_values, all_hessians


cdef void _take_grown_values(
    const grown_tree_t* tree,
    int output,
    const criterion_t* criterion,
    double[::1] values,
    double[::1] sum_hessians,
):
    """Write what growth found. OUT: values, sum_hessians (n_nodes,)."""
    cdef:
        int i
        const totals_t* totals
    for i in range(tree.n_nodes):
        totals = &get_outputs(&tree.nodes[i])[output]
        values[i] = 0 if i == 0 else totals.value
        sum_hessians[i] = totals.sum_hessians * criterion.hessian_unit


cdef void _compute_leaf_values(
    const grown_tree_t* tree,
    const criterion_t* fine,
    const int32_t[::1] leaf_nodes,
    const int64_t[:, ::1] leaf_sums,
    double[::1] values,
    double[::1] sum_hessians,
):
    """Write what follows from the fine sums of leaves.

    IN: fine, with the units of leaf_sums (n_leaves, 2). OUT: values, sum_hessians
    (n_nodes,), those of leaves.
    """
    cdef:
        int i, leaf
        const totals_t* totals
    if fine.path_smoothing > 0 or tree.is_rerouted:
        _compute_from_above(tree, fine, leaf_nodes, leaf_sums, values, sum_hessians)
        return
    for leaf in range(leaf_nodes.shape[0]):
        i = leaf_nodes[leaf]
        totals = &tree.nodes[i].totals
        # A tree of a single node found nothing to say about the data.
        values[i] = 0 if tree.n_nodes == 1 else compute_node_value(
            fine,
            leaf_sums[leaf, 0],
            leaf_sums[leaf, 1],
            totals.sum_weights,
            0,
            totals.lower_bound,
            totals.upper_bound,
        )
        sum_hessians[i] = leaf_sums[leaf, 1] * fine.hessian_unit


cdef void _compute_from_above(
    const grown_tree_t* tree,
    const criterion_t* fine,
    const int32_t[::1] leaf_nodes,
    const int64_t[:, ::1] leaf_sums,
    double[::1] values,
    double[::1] sum_hessians,
):
    """Write the same where it depends on the nodes above.

    Of rows that were sent down once more the sums of inner nodes are others, too.
    """
    cdef:
        int i, leaf, source
        const totals_t* totals
        double[::1] parent_values = np.zeros(tree.n_nodes)
        int64_t[:, ::1] sums = np.zeros((tree.n_nodes, 2), dtype=np.int64)
        int32_t[::1] sources = np.arange(tree.n_nodes, dtype=np.int32)
    for leaf in range(leaf_nodes.shape[0]):
        i = leaf_nodes[leaf]
        sums[i, 0], sums[i, 1] = leaf_sums[leaf, 0], leaf_sums[leaf, 1]
    _add_up(tree, sums)
    if tree.is_rerouted:
        _find_sources(tree, fine, sums, sources)
    if fine.path_smoothing > 0:
        _compute_parent_values(tree, fine, sums, sources, parent_values)
    for leaf in range(leaf_nodes.shape[0]):
        i = leaf_nodes[leaf]
        source = sources[i]
        totals = &tree.nodes[i].totals
        values[i] = 0 if tree.n_nodes == 1 else compute_node_value(
            fine,
            sums[source, 0],
            sums[source, 1],
            tree.nodes[source].totals.sum_weights,
            parent_values[source],
            totals.lower_bound,
            totals.upper_bound,
        )
    for i in range(tree.n_nodes):
        if tree.is_rerouted or tree.nodes[i].left < 0:
            sum_hessians[i] = sums[i, 1] * fine.hessian_unit


cdef void _add_up(const grown_tree_t* tree, int64_t[:, ::1] sums):
    """Write the sums of inner nodes. INOUT: sums (n_nodes, 2), those of leaves first.

    Children come after their parents.
    """
    cdef int i, left
    for i in reversed(range(tree.n_nodes)):
        left = tree.nodes[i].left
        if left >= 0:
            sums[i, 0] = sums[left, 0] + sums[left + 1, 0]
            sums[i, 1] = sums[left, 1] + sums[left + 1, 1]


cdef void _find_sources(
    const grown_tree_t* tree,
    const criterion_t* fine,
    const int64_t[:, ::1] sums,
    int32_t[::1] sources,
):
    """Write whose sums a node's value comes from: its own, or those of a node above.

    Of the rows that reach a node by other codes than splits were found for, there can
    be too few. IN: fine, with the units of sums (n_nodes, 2). OUT: sources
    (n_nodes,), which are themselves before.
    """
    cdef:
        int i, k, child
        const grown_node_t* node
    for i in range(tree.n_nodes):
        node = &tree.nodes[i]
        if node.left < 0:
            continue
        for k in range(2):
            child = node.left + k
            if (
                tree.nodes[child].totals.n_samples < fine.min_samples_leaf
                or sums[child, 1] * fine.hessian_unit < fine.min_child_weight
            ):
                sources[child] = sources[i]


cdef void _compute_parent_values(
    const grown_tree_t* tree,
    const criterion_t* fine,
    const int64_t[:, ::1] sums,
    const int32_t[::1] sources,
    double[::1] parent_values,
):
    """Write the value of each node's parent, from the root down.

    IN: fine, with the units of sums (n_nodes, 2); sources (n_nodes,). OUT:
    parent_values (n_nodes,).
    """
    cdef:
        int i, source
        const grown_node_t* node
    for i in range(tree.n_nodes):
        node = &tree.nodes[i]
        if node.left < 0:
            continue
        source = sources[i]
        parent_values[node.left] = parent_values[node.left + 1] = compute_node_value(
            fine,
            sums[source, 0],
            sums[source, 1],
            INFINITY if source == 0 else tree.nodes[source].totals.sum_weights,
            parent_values[source],
            node.totals.lower_bound,
            node.totals.upper_bound,
        )


# ---- nodes ---------------------------------------------------------------------------


cdef tuple collect_nodes(
    const grown_tree_t* tree,
    const binned_t* binned,
    const double[::1] thresholds,
    const double[:, ::1] values,
    const double[:, ::1] sum_hessians,
):
    """Return the nodes, what inspection shows of them, and the levels that go left.

    IN: thresholds (n_bins in all,), values and sum_hessians (n_outputs, n_nodes).

    Returns
    -------
    nodes : NODE_DTYPE array of shape (n_nodes,)
    stats : STATS_DTYPE array of shape (n_nodes,)
    bitsets : uint32 array
    """
    nodes = np.zeros(tree.n_nodes, dtype=NODE_DTYPE)
    stats = np.zeros(tree.n_nodes, dtype=STATS_DTYPE)
    cdef:
        uint8_t[::1] node_bytes = nodes.view(np.uint8)
        uint8_t[::1] stats_bytes = stats.view(np.uint8)
        node_t* out = <node_t*> &node_bytes[0]
        int64_t n_words = _write_nodes(tree, binned, thresholds, values, out)
        uint32_t[::1] words
    bitsets = np.zeros(n_words, dtype=np.uint32)
    words = bitsets
    _write_bitsets(tree, binned, out, words)
    _write_stats(tree, values, sum_hessians, <stats_t*> &stats_bytes[0])
    return nodes, stats, bitsets


cdef int64_t _write_nodes(
    const grown_tree_t* tree,
    const binned_t* binned,
    const double[::1] thresholds,
    const double[:, ::1] values,
    node_t* out,
) noexcept:
    """Write what prediction reads; return how many words the bit sets take.

    OUT: out (n_nodes,), zero before. Leaves hold their value where there is one output.
    """
    cdef:
        int i, feature, n_bins
        int64_t n_words = 0
        const grown_node_t* node
    for i in range(tree.n_nodes):
        node = &tree.nodes[i]
        out[i].bitset = -1
        out[i].feature = -1
        if node.left < 0:
            if tree.n_outputs == 1:
                out[i].value = values[0, i]
            continue
        feature = node.split.feature
        n_bins = binned.n_bins[feature]
        out[i].feature = feature
        out[i].left = node.left
        out[i].missing_left = node.goes_left[n_bins]
        if node.split.is_categorical:
            out[i].bitset = <int32_t> n_words
            n_words += (n_bins + 32) // 32
        else:
            out[i].value = thresholds[binned.offsets[feature] + node.split.bin]
    return n_words


cdef void _write_bitsets(
    const grown_tree_t* tree,
    const binned_t* binned,
    const node_t* nodes,
    uint32_t[::1] words,
) noexcept:
    """Write the levels that go left. IN: nodes. OUT: words, zero before."""
    cdef:
        int i, code
        int64_t first
        const grown_node_t* node
    for i in range(tree.n_nodes):
        node = &tree.nodes[i]
        if node.left < 0 or not node.split.is_categorical:
            continue
        first = nodes[i].bitset
        for code in range(binned.n_bins[node.split.feature] + 1):
            if node.goes_left[code]:
                words[first + code // 32] |= (<uint32_t> 1) << (code % 32)


cdef void _write_stats(
    const grown_tree_t* tree,
    const double[:, ::1] values,
    const double[:, ::1] sum_hessians,
    stats_t* out,
) noexcept:
    """Write what inspection shows. OUT: out (n_nodes,), zero before.

    Values are there where there is one output, of hessians the mean over the outputs.
    """
    cdef:
        int i, output
        const grown_node_t* node
    for i in range(tree.n_nodes):
        node = &tree.nodes[i]
        if tree.n_outputs == 1:
            out[i].value = values[0, i]
        for output in range(tree.n_outputs):
            out[i].sum_hessians += sum_hessians[output, i]
        out[i].sum_hessians /= tree.n_outputs
        out[i].n_samples = node.totals.n_samples
        out[i].depth = node.depth
        out[i].bin = -1
        if node.left >= 0:
            out[i].gain = node.split.gain
            if not node.split.is_categorical:
                out[i].bin = node.split.bin
