"""The trees of a model as kernels see them, and the way of a row down one of them."""

from cython cimport floating
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from sklearnx._cython.common.dtypes cimport linear_leaf_t, linear_term_t, node_t

cdef extern from "linear_values.h" nogil:
    double skx_finish_linear(
        double sum, double quantum, double divisor, double constant
    ) noexcept


cdef struct trees_t:
    const node_t* nodes
    const int64_t* offsets
    const uint32_t* bitsets
    const linear_leaf_t* linear_leaves  # NULL if no leaf has a linear model
    const linear_term_t* linear_terms
    const double* vectors  # (n_nodes, n_outputs), or NULL
    double divisor  # of linear models and of vectors
    bint in_float32  # sums are rounded after each tree
    int64_t n_trees
    int n_outputs


cdef inline void connect_trees(
    trees_t* trees,
    const uint8_t[::1] nodes,
    const int64_t[::1] offsets,
    const uint32_t[::1] bitsets,
    int n_outputs,
    const uint8_t[::1] linear_leaves,
    const uint8_t[::1] linear_terms,
    double divisor,
    const double[:, ::1] vectors,
    bint in_float32,
) noexcept:
    """Note where the arrays of a model of at least one tree lie."""
    trees.nodes = <const node_t*> &nodes[0]
    trees.offsets = &offsets[0]
    trees.bitsets = &bitsets[0] if bitsets.shape[0] > 0 else NULL
    trees.n_trees = offsets.shape[0] - 1
    trees.n_outputs = n_outputs
    trees.linear_leaves = NULL
    trees.linear_terms = NULL
    if linear_leaves is not None and linear_leaves.shape[0] > 0:
        trees.linear_leaves = <const linear_leaf_t*> &linear_leaves[0]
        if linear_terms.shape[0] > 0:
            trees.linear_terms = <const linear_term_t*> &linear_terms[0]
    trees.vectors = NULL
    if vectors is not None:
        trees.vectors = &vectors[0, 0]
    trees.divisor = divisor
    trees.in_float32 = in_float32


cdef inline void add_value(
    const trees_t* trees, double* raw, double value
) noexcept nogil:
    """Add the value of a tree to a raw score."""
    raw[0] += value
    if trees.in_float32:
        raw[0] = <double> <float> raw[0]


cdef inline bint goes_left(
    const node_t* node, const uint32_t* bitsets, double value
) noexcept nogil:
    cdef int64_t level
    if value != value:
        return node.missing_left
    if node.bitset < 0:
        return value <= node.value
    level = <int64_t> value
    return (bitsets[node.bitset + level // 32] >> (level % 32)) & 1


cdef inline int32_t find_leaf(
    const node_t* nodes, const uint32_t* bitsets, const floating* row
) noexcept nogil:
    """Return the position of the row's leaf in the tree that begins at `nodes`."""
    cdef int32_t node = 0
    while nodes[node].feature >= 0:
        node = nodes[node].left + (
            not goes_left(&nodes[node], bitsets, row[nodes[node].feature])
        )
    return node


cdef inline double compute_value(
    const trees_t* trees, const node_t* leaf, const floating* row
) noexcept nogil:
    """Return what a leaf that holds no vector adds to the raw score of a row."""
    cdef:
        const linear_leaf_t* model
        const linear_term_t* term
        double value
        int i
    if leaf.left == 0:
        return leaf.value
    model = trees.linear_leaves + leaf.left - 1
    value = model.intercept
    for i in range(model.n_terms):
        term = trees.linear_terms + model.start + i
        value += term.coefficient * (row[term.feature] - term.centre)
    return skx_finish_linear(value, model.quantum, trees.divisor, leaf.value)
