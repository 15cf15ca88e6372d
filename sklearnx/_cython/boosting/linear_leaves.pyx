"""Linear models in the leaves of a tree: their fit, and what they add to raw scores.

The features are read where the user has them, and only those that a leaf's path was
split on. A leaf takes two passes over its rows, one for the ranges of the features and
one for the sums, see linear_kernels.h. Leaves are tasks; those of many rows are cut
into tasks themselves.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libcpp cimport bool
from libcpp.vector cimport vector

from sklearnx._cython.common.dtypes cimport linear_leaf_t, linear_term_t, node_t
from sklearnx._cython.common.threads cimport parallel_for, task_t

cdef extern from "linear_kernels.h" nogil:
    enum:
        MAX_LINEAR_WEIGHT

    ctypedef struct linear_data_t:
        const raw_column_t* columns
        const int64_t* index
        const double* gradients
        const double* hessians
        const double* weights
        bint integer_weights
        double l2
        int64_t min_rows

    ctypedef struct linear_rows_t:
        const uint32_t* rows
        int64_t n_rows
        const int32_t* features
        int n_features

    double skx_read_column(const raw_column_t* column, int64_t row)
    bool skx_fit_small_leaf(
        const linear_data_t* data, linear_rows_t leaf, linear_leaf_t* out,
        linear_term_t* terms,
    ) noexcept
    bool skx_fit_large_leaf(
        const linear_data_t* data, linear_rows_t leaf, int64_t rows_per_piece,
        linear_leaf_t* out, linear_term_t* terms,
        void (*parallel_for)(task_t, void*, int, int) noexcept nogil, int n_threads,
    ) noexcept

cdef extern from "linear_values.h" nogil:
    double skx_finish_linear(
        double sum, double quantum, double divisor, double constant
    ) noexcept

# The structs linear_leaf_t and linear_term_t.
LINEAR_LEAF_DTYPE = np.dtype(
    [
        ("intercept", np.float64),
        ("quantum", np.float64),
        ("start", np.int64),
        ("n_terms", np.int32),
        ("unused", np.int32),
    ]
)
LINEAR_TERM_DTYPE = np.dtype(
    [
        ("coefficient", np.float64),
        ("centre", np.float64),
        ("feature", np.int32),
        ("unused", np.int32),
    ]
)
MAX_INTEGER_WEIGHT = MAX_LINEAR_WEIGHT

cdef enum:
    ROWS_PER_PIECE = 1 << 14
    ROWS_PER_CHUNK = 1 << 13


cdef class RawColumns:
    """The features of the training rows, each read where it is.

    Parameters
    ----------
    n_features : int
    index : int64 array of shape (n_rows,) or None
        Which rows of the columns these are; None means all.
    """

    def __cinit__(self, int n_features, index=None):
        cdef const int64_t[::1] rows
        self.columns.resize(n_features)
        self._owners = [None] * n_features
        self._index = index
        self.index = NULL
        if index is not None:
            rows = index
            self.index = &rows[0]

    def has_column(self, int feature):
        """Return whether a feature was set."""
        return self._owners[feature] is not None

    def set_column(self, int feature, values, stored=None):
        """Set a feature.

        IN: values, float32 or float64, those of all rows in any stride; or with stored,
        int32 or int64 in ascending order, those of the stored rows, all others being 0.
        """
        cdef:
            raw_column_t* column = &self.columns[feature]
            const float[:] values32
            const double[:] values64
            const int32_t[::1] stored32
            const int64_t[::1] stored64
        self._owners[feature] = (values, stored)
        column.values = NULL
        column.n_stored = len(values)
        column.stride = values.strides[0]
        column.is_float32 = values.dtype == np.float32
        if column.n_stored > 0 and column.is_float32:
            values32 = values
            column.values = <const char*> &values32[0]
        elif column.n_stored > 0:
            values64 = values
            column.values = <const char*> &values64[0]
        column.is_sparse = stored is not None
        column.stored32 = NULL
        column.stored64 = NULL
        if column.is_sparse and column.n_stored > 0:
            if stored.dtype == np.int32:
                stored32 = stored
                column.stored32 = &stored32[0]
            else:
                stored64 = stored
                column.stored64 = &stored64[0]


cdef struct fit_t:
    linear_data_t data
    const uint32_t* rows
    const int64_t* offsets
    const int32_t* features
    const int64_t* starts
    linear_leaf_t* leaves
    linear_term_t* terms
    uint8_t* failed


cdef linear_rows_t _find_rows(const fit_t* fit, int leaf) noexcept nogil:
    cdef linear_rows_t found
    found.rows = fit.rows + fit.offsets[leaf]
    found.n_rows = fit.offsets[leaf + 1] - fit.offsets[leaf]
    found.features = fit.features + fit.starts[leaf]
    found.n_features = <int> (fit.starts[leaf + 1] - fit.starts[leaf])
    return found


cdef void _fit_small_leaf(void* context, int leaf) noexcept nogil:
    cdef:
        fit_t* fit = <fit_t*> context
        linear_rows_t rows = _find_rows(fit, leaf)
    if rows.n_features == 0 or rows.n_rows > ROWS_PER_PIECE:
        return
    fit.failed[leaf] = not skx_fit_small_leaf(
        &fit.data, rows, &fit.leaves[leaf], fit.terms + fit.starts[leaf]
    )


def fit_leaves(
    RawColumns columns,
    const uint32_t[::1] rows,
    const int64_t[::1] offsets,
    const int32_t[::1] features,
    const int64_t[::1] starts,
    const double[::1] gradients,
    const double[::1] hessians,
    const double[::1] weights,
    bint integer_weights,
    double l2,
    int64_t min_rows,
    uint8_t[::1] leaves,
    uint8_t[::1] terms,
    int n_threads,
):
    """Fit the linear models of a tree's leaves.

    IN: columns; rows (offsets[n_leaves],) ascending in each leaf, offsets
    (n_leaves + 1,); features (starts[n_leaves],) of each leaf in ascending order,
    starts (n_leaves + 1,); gradients, hessians, weights (n_rows,), the latter two None
    where all are 1; integer_weights, which are at most MAX_INTEGER_WEIGHT; min_rows
    that a model needs. OUT, zeros before: leaves (n_leaves,), terms
    (starts[n_leaves],), bytes of LINEAR_LEAF_DTYPE and LINEAR_TERM_DTYPE; the terms of
    a leaf are the first `n_terms` from its start on, 0 where it remains constant.
    """
    cdef:
        fit_t fit
        linear_rows_t of_leaf
        int leaf, n_leaves = <int> (offsets.shape[0] - 1)
        vector[uint8_t] failed = vector[uint8_t](n_leaves, 0)
    if features.shape[0] == 0:
        return
    fit.data.columns = columns.columns.data()
    fit.data.index = columns.index
    fit.data.gradients = &gradients[0]
    fit.data.hessians = NULL
    if hessians is not None:
        fit.data.hessians = &hessians[0]
    fit.data.weights = NULL
    if weights is not None:
        fit.data.weights = &weights[0]
    fit.data.integer_weights = integer_weights
    fit.data.l2 = l2
    fit.data.min_rows = min_rows
    fit.rows = &rows[0]
    fit.offsets = &offsets[0]
    fit.features = &features[0]
    fit.starts = &starts[0]
    fit.leaves = <linear_leaf_t*> &leaves[0]
    fit.terms = <linear_term_t*> &terms[0]
    fit.failed = failed.data()
    with nogil:
        parallel_for(_fit_small_leaf, &fit, n_leaves, n_threads)
        for leaf in range(n_leaves):
            fit.leaves[leaf].start = fit.starts[leaf]
            of_leaf = _find_rows(&fit, leaf)
            if of_leaf.n_features > 0 and of_leaf.n_rows > ROWS_PER_PIECE:
                failed[leaf] = not skx_fit_large_leaf(
                    &fit.data,
                    of_leaf,
                    ROWS_PER_PIECE,
                    &fit.leaves[leaf],
                    fit.terms + fit.starts[leaf],
                    parallel_for,
                    n_threads,
                )
    for leaf in range(n_leaves):
        if failed[leaf]:
            raise MemoryError()


cdef struct addition_t:
    const raw_column_t* columns
    const int64_t* index
    const node_t* nodes
    const linear_leaf_t* leaves
    const linear_term_t* terms
    const int32_t* reached
    double* raw
    int64_t n_rows


cdef void _add_values_of_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        addition_t* job = <addition_t*> context
        int64_t row, where, start = <int64_t> chunk * ROWS_PER_CHUNK
        const node_t* node
        const linear_leaf_t* leaf
        const linear_term_t* term
        double value
        int i
    for row in range(start, min(start + ROWS_PER_CHUNK, job.n_rows)):
        node = job.nodes + job.reached[row]
        if node.left == 0:
            job.raw[row] += node.value
            continue
        where = row if job.index == NULL else job.index[row]
        leaf = job.leaves + node.left - 1
        value = leaf.intercept
        for i in range(leaf.n_terms):
            term = job.terms + leaf.start + i
            value += term.coefficient * (
                skx_read_column(&job.columns[term.feature], where) - term.centre
            )
        job.raw[row] += skx_finish_linear(value, leaf.quantum, 1, node.value)


def add_values(
    RawColumns columns,
    const uint8_t[::1] nodes,
    const uint8_t[::1] linear_leaves,
    const uint8_t[::1] linear_terms,
    const int32_t[::1] leaves,
    double[::1] raw,
    int n_threads,
):
    """Add to each training row the value of its leaf.

    IN: columns; nodes (bytes of NODE_DTYPE) of one tree, linear_leaves and linear_terms
    (bytes of LINEAR_LEAF_DTYPE and LINEAR_TERM_DTYPE, not empty); leaves (n_rows,).
    INOUT: raw (n_rows,). The bits are those of `predicting.add_predictions`.
    """
    cdef:
        addition_t job
        int n_chunks = <int> ((raw.shape[0] + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
    job.columns = columns.columns.data()
    job.index = columns.index
    job.nodes = <const node_t*> &nodes[0]
    job.leaves = <const linear_leaf_t*> &linear_leaves[0]
    job.terms = <const linear_term_t*> &linear_terms[0]
    job.reached = &leaves[0]
    job.raw = &raw[0]
    job.n_rows = raw.shape[0]
    with nogil:
        parallel_for(_add_values_of_chunk, &job, n_chunks, n_threads)
