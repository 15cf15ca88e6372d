"""The nodes of a tree that grows, and what children take over from their parent.

    given   | 0 1 2 3 4 5 6 7 |       rows of node 0
    rows    | 0 1 5 | 2 3 4 6 7 |     of 1 and 2, its children
            | 0 1 5 | 2 6 | 3 4 7 |   of 1, and of 3 and 4, the children of 2

The array of nodes is kept from tree to tree. It moves when it grows, so that a pointer
to a node is good until the next one is added.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from sklearnx._cython.boosting.histogram_pool cimport (
    histogram_pool_t,
    release_histogram,
)
from sklearnx._cython.boosting.splitting cimport totals_t
from sklearnx._cython.common.dtypes cimport split_t


cdef grown_node_t* add_root(
    grown_tree_t* tree, const uint32_t* rows, int64_t n_rows
) noexcept nogil:
    """Return the first node, without totals; NULL if there is no memory left.

    IN: rows (n_rows,) of the tree. Every group is open, and every feature live.
    """
    cdef grown_node_t* root = _add_node(tree)
    if root == NULL or not _allocate_parts(tree, root):
        return NULL
    root.rows = rows
    root.stop = n_rows
    if tree.n_groups > 0:
        memset(root.groups, 1, tree.n_groups)
    if tree.n_live > 0:
        root.live = <uint8_t*> malloc(tree.n_live)
        if root.live == NULL:
            return NULL
        memset(root.live, 1, tree.n_live)
    return root


cdef grown_node_t* add_children(
    grown_tree_t* tree,
    int32_t node_idx,
    int64_t n_left,
    int64_t left_weight,
    int monotonic_cst,
) noexcept nogil:
    """Return the left child of a node, before the right one; NULL without memory.

    `n_left` of the node's rows, of `left_weight` in all, are the left child's by its
    split, on a feature with `monotonic_cst`. Groups are left to the caller.
    """
    cdef:
        int i
        grown_node_t* node
        grown_node_t* left
        grown_node_t* right
        grown_node_t* child
    if _add_node(tree) == NULL or _add_node(tree) == NULL:
        return NULL
    node = &tree.nodes[node_idx]
    node.left = tree.n_nodes - 2
    left = &tree.nodes[node.left]
    right = left + 1
    left.start = node.start
    left.stop = right.start = node.start + n_left
    right.stop = node.stop
    left.totals.n_samples = node.split.left_n_samples
    right.totals.n_samples = node.totals.n_samples - node.split.left_n_samples
    left.totals.sum_weights = left_weight
    right.totals.sum_weights = node.totals.sum_weights - left_weight
    for i in range(2):
        child = left + i
        child.rows = tree.rows + child.start
        child.depth = node.depth + 1
        child.totals.node_idx = node.left + i
        _take_side(&child.totals, &node.totals, &node.split, i == 0)
    _set_bounds(node, left, right, monotonic_cst)
    for i in range(2):
        if not _allocate_parts(tree, left + i):
            return NULL
        if tree.n_outputs > 1:
            _take_outputs(tree, node, left + i, i == 0)
    return left


cdef void move_children(
    grown_tree_t* tree, int32_t node_idx, int64_t n_left, int64_t left_weight
) noexcept nogil:
    """Give the children of a node other rows, and the number and weight of these.

    `n_left` of the node's rows, of `left_weight` in all, are the left child's. What
    follows from gradients stays as it was.
    """
    cdef:
        int i
        const grown_node_t* node = &tree.nodes[node_idx]
        grown_node_t* left = &tree.nodes[node.left]
        grown_node_t* right = left + 1
    left.start = node.start
    left.stop = right.start = node.start + n_left
    right.stop = node.stop
    left.totals.sum_weights = left_weight
    right.totals.sum_weights = node.totals.sum_weights - left_weight
    for i in range(2):
        left[i].rows = tree.rows + left[i].start
        left[i].totals.n_samples = left[i].stop - left[i].start


cdef void _take_side(
    totals_t* child, const totals_t* node, const split_t* split, bint is_left
) noexcept nogil:
    """Take the sums and the value of a child from its parent's split."""
    if is_left:
        child.sum_gradients = split.left_gradients
        child.sum_hessians = split.left_hessians
        child.value = split.left_value
    else:
        child.sum_gradients = node.sum_gradients - split.left_gradients
        child.sum_hessians = node.sum_hessians - split.left_hessians
        child.value = split.right_value


cdef void _take_outputs(
    const grown_tree_t* tree,
    const grown_node_t* node,
    grown_node_t* child,
    bint is_left,
) noexcept nogil:
    cdef int output
    for output in range(tree.n_outputs):
        child.outputs[output] = child.totals
        _take_side(
            &child.outputs[output],
            &node.outputs[output],
            &node.output_splits[output],
            is_left,
        )


cdef void _set_bounds(
    const grown_node_t* node,
    grown_node_t* left,
    grown_node_t* right,
    int monotonic_cst,
) noexcept nogil:
    """Keep what grows below on its side of the middle of the children's values."""
    cdef double middle = (left.totals.value + right.totals.value) / 2
    left.totals.lower_bound = right.totals.lower_bound = node.totals.lower_bound
    left.totals.upper_bound = right.totals.upper_bound = node.totals.upper_bound
    if monotonic_cst > 0:
        left.totals.upper_bound = middle
        right.totals.lower_bound = middle
    elif monotonic_cst < 0:
        left.totals.lower_bound = middle
        right.totals.upper_bound = middle


cdef bint pass_on_live(grown_tree_t* tree, const grown_node_t* node) noexcept nogil:
    """Give the children of a node its live features; return False without memory.

    Only children that are searched need them. With many features the copy would cost
    the others more than all else.
    """
    cdef:
        int i
        grown_node_t* child
    if node.live == NULL:
        return True
    for i in range(2):
        child = &tree.nodes[node.left + i]
        child.live = <uint8_t*> malloc(tree.n_live)
        if child.live == NULL:
            return False
        memcpy(child.live, node.live, tree.n_live)
    return True


cdef totals_t* get_outputs(const grown_node_t* node) noexcept nogil:
    """Return the totals of each output, without vectors those of the only one."""
    return <totals_t*> &node.totals if node.outputs == NULL else node.outputs


cdef grown_node_t* _add_node(grown_tree_t* tree) noexcept nogil:
    """Return a leaf that has nothing yet, NULL if there is no memory left."""
    cdef:
        grown_node_t* nodes
        grown_node_t* node
        int capacity
    if tree.n_nodes == tree.capacity:
        capacity = 2 * tree.capacity + 64
        nodes = <grown_node_t*> realloc(tree.nodes, capacity * sizeof(grown_node_t))
        if nodes == NULL:
            return NULL
        tree.nodes = nodes
        tree.capacity = capacity
    node = &tree.nodes[tree.n_nodes]
    memset(node, 0, sizeof(grown_node_t))
    node.left = -1
    tree.n_nodes += 1
    return node


cdef bint _allocate_parts(const grown_tree_t* tree, grown_node_t* node) noexcept nogil:
    """Make room for outputs and groups; return False if there is no memory left."""
    if tree.n_outputs > 1:
        node.outputs = <totals_t*> calloc(tree.n_outputs, sizeof(totals_t))
        node.output_splits = <split_t*> malloc(tree.n_outputs * sizeof(split_t))
        if node.outputs == NULL or node.output_splits == NULL:
            return False
    if tree.n_groups > 0:
        node.groups = <uint8_t*> malloc(tree.n_groups)
        if node.groups == NULL:
            return False
    return True


cdef void clear_nodes(grown_tree_t* tree, histogram_pool_t* histograms) noexcept nogil:
    """Drop all nodes, and keep their array for the next tree."""
    cdef:
        int i
        grown_node_t* node
    for i in range(tree.n_nodes):
        node = &tree.nodes[i]
        release_histogram(histograms, &node.histogram)
        free(node.outputs)
        free(node.output_splits)
        free(node.goes_left)
        free(node.groups)
        free(node.live)
    tree.n_nodes = 0
    tree.is_rerouted = False


cdef void free_nodes(grown_tree_t* tree, histogram_pool_t* histograms) noexcept nogil:
    clear_nodes(tree, histograms)
    free(tree.nodes)
