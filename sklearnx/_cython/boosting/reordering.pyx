"""Putting the rows of the training data into another order.

An order lists rows: what was row `order[i]` becomes row `i`.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from sklearnx._cython.common.threads cimport parallel_for

cdef enum:
    ROWS_PER_CHUNK = 1 << 14

ctypedef fused item_t:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


def sort_by_leaf(
    const int32_t[::1] leaves, int n_nodes, const uint32_t[::1] order=None
):
    """Return an order with the rows of a leaf next to each other.

    Parameters
    ----------
    leaves : int32 array of shape (n_rows,)
        The node of each row's leaf.
    n_nodes : int
        All of `leaves` are smaller.
    order : uint32 array of shape (n_rows,), default=None
        Which the rows of a leaf keep; None means the order that they are in.

    Returns
    -------
    order : uint32 array of shape (n_rows,)
    """
    cdef:
        int64_t i, count, total = 0, n_rows = leaves.shape[0]
        int64_t[::1] places = np.zeros(n_nodes, dtype=np.int64)
        uint32_t[::1] out = np.empty(n_rows, dtype=np.uint32)
        bint is_ordered = order is not None
        uint32_t row
    with nogil:
        for i in range(n_rows):
            places[leaves[i]] += 1
        for i in range(places.shape[0]):
            count = places[i]
            places[i] = total
            total += count
        for i in range(n_rows):
            row = order[i] if is_ordered else <uint32_t> i
            out[places[leaves[row]]] = row
            places[leaves[row]] += 1
    return np.asarray(out)


cdef struct reorder_t:
    uint8_t* column
    uint8_t* reordered
    int64_t n_rows
    int item_size
    const uint32_t* order


cdef void _gather(
    const item_t* column,
    const uint32_t* order,
    int64_t start,
    int64_t stop,
    item_t* reordered,
) noexcept nogil:
    cdef int64_t i
    for i in range(start, stop):
        reordered[i] = column[order[i]]


cdef void _gather_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        reorder_t* job = <reorder_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t stop = min(start + ROWS_PER_CHUNK, job.n_rows)
    if job.item_size == 1:
        _gather(job.column, job.order, start, stop, job.reordered)
    elif job.item_size == 2:
        _gather(
            <uint16_t*> job.column, job.order, start, stop, <uint16_t*> job.reordered
        )
    elif job.item_size == 4:
        _gather(
            <uint32_t*> job.column, job.order, start, stop, <uint32_t*> job.reordered
        )
    else:
        _gather(
            <uint64_t*> job.column, job.order, start, stop, <uint64_t*> job.reordered
        )


cdef void _copy_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        reorder_t* job = <reorder_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t n_rows = min(job.n_rows - start, ROWS_PER_CHUNK)
    start *= job.item_size
    memcpy(job.column + start, job.reordered + start, n_rows * job.item_size)


def gather_columns(
    columns, const uint32_t[::1] order, reordered, int n_threads
):
    """Copy the rows of some columns in another order.

    IN: columns (n_columns, n_rows), C-contiguous, of items of 1, 2, 4 or 8 bytes; order
    (n_rows,). OUT: reordered, as columns.
    """
    cdef:
        reorder_t job
        int64_t column, n_columns = len(columns)
        int n_chunks = <int> (
            (order.shape[0] + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK
        )
        const uint8_t[:, ::1] given = columns.view(np.uint8)
        uint8_t[:, ::1] out = reordered.view(np.uint8)
    if given.shape[0] == 0 or given.shape[1] == 0:
        return
    job.n_rows = order.shape[0]
    job.item_size = columns.itemsize
    job.order = &order[0]
    with nogil:
        for column in range(n_columns):
            # Read only.
            job.column = <uint8_t*> &given[column, 0]
            job.reordered = &out[column, 0]
            parallel_for(_gather_chunk, &job, n_chunks, n_threads)


def reorder_columns(
    columns, const uint32_t[::1] order, uint8_t[::1] spare, int n_threads
):
    """Reorder the rows of some columns in place.

    INOUT: columns (n_columns, n_rows), C-contiguous, of items of 1, 2, 4 or 8 bytes.
    IN: order (n_rows,). OUT: spare, memory for a column at least.
    """
    cdef:
        reorder_t job
        int64_t column, n_columns = len(columns)
        int n_chunks = <int> (
            (order.shape[0] + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK
        )
        uint8_t[:, ::1] given = columns.view(np.uint8)
    if given.shape[0] == 0 or given.shape[1] == 0:
        return
    job.reordered = &spare[0]
    job.n_rows = order.shape[0]
    job.item_size = columns.itemsize
    job.order = &order[0]
    with nogil:
        for column in range(n_columns):
            job.column = &given[column, 0]
            parallel_for(_gather_chunk, &job, n_chunks, n_threads)
            parallel_for(_copy_chunk, &job, n_chunks, n_threads)
