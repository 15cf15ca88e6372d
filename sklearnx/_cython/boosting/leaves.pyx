"""The rows of a grown tree's leaves: their sums, and the update of their raw scores.

The rows of a leaf are ascending, but scattered over the data. To visit them leaf by
leaf would load every cache line of the data once for each leaf that has a row in it; so
the data is visited chunk by chunk, and in a chunk leaf by leaf.

    leaf 0   | 1 4   | 9     | 13 14 |
    leaf 1   | 0 2 3 | 7 8   | 12    |
    leaf 2   | 5     | 6 10  | 11 15 |
             chunk 0   chunk 1   chunk 2
"""

import numpy as np

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free
from libcpp.algorithm cimport lower_bound

from sklearnx._cython.boosting.quantization cimport QuantizedGradients
from sklearnx._cython.common.dtypes cimport quantized_t
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "leaf_kernels.h" nogil:
    void skx_sum_leaf_rows(
        const quantized_t* quantized, const uint32_t* rows, int64_t n_rows,
        int64_t* sum_gradients, int64_t* sum_hessians,
    ) noexcept

cdef enum:
    ROWS_PER_CHUNK = 1 << 13  # their doubles fit the second cache
    # A task finds its place in each leaf by bisection: few, but enough for threads to
    # share out evenly.
    MAX_ROWS_PER_TASK = 1 << 16
    MIN_TASKS = 8
    ROWS_PER_LEAF = 4  # and a chunk, which visits all leaves, has so many for each
    MIN_ROWS_FOR_THREADS = 1 << 15  # of all leaves


cdef struct job_t:
    const quantized_t* quantized
    const uint32_t* rows
    const int64_t* offsets
    int n_leaves
    int64_t n_rows
    int64_t rows_per_chunk
    int64_t rows_per_task
    int64_t* cursors  # (n_tasks, n_leaves)
    int64_t* sums  # (n_tasks, n_leaves, 2)
    const double* values
    double* raw


def sum_gradients(
    QuantizedGradients quantized,
    const uint32_t[::1] rows,
    const int64_t[::1] offsets,
    int n_threads=1,
):
    """Return the sums of the leaf gradients and hessians of each leaf.

    IN: quantized, rows (offsets[-1],) leaf by leaf and ascending in each, offsets
    (n_leaves + 1,).

    Returns
    -------
    sums : int64 array of shape (n_leaves, 2)
    """
    cdef:
        int n_leaves = <int> offsets.shape[0] - 1
        int64_t n_rows = quantized.n_rows
        int64_t[:, ::1] sums = np.empty((n_leaves, 2), dtype=np.int64)
        bint is_done
    with nogil:
        is_done = sum_leaves(
            &quantized.quantized,
            &rows[0],
            &offsets[0],
            n_leaves,
            n_rows,
            &sums[0, 0],
            n_threads,
        )
    if not is_done:
        raise MemoryError()
    return np.asarray(sums)


cdef bint sum_leaves(
    const quantized_t* quantized,
    const uint32_t* rows,
    const int64_t* offsets,
    int n_leaves,
    int64_t n_rows,
    int64_t* sums,
    int n_threads,
) noexcept nogil:
    """Sum the leaf gradients and hessians of each leaf.

    IN: quantized, rows (offsets[n_leaves],) ascending in each leaf, offsets (n_leaves +
    1,), n_rows of the data. OUT: sums (n_leaves, 2). Returns False if there is no
    memory left.
    """
    cdef:
        job_t job
        int64_t i, task, n_tasks = _count_tasks(n_leaves, n_rows)
    job.quantized = quantized
    job.sums = <int64_t*> calloc(n_tasks * n_leaves, 2 * sizeof(int64_t))
    if job.sums == NULL or not _run(
        _sum_task, &job, rows, offsets, n_leaves, n_rows, n_threads
    ):
        free(job.sums)
        return False
    for i in range(2 * n_leaves):
        sums[i] = 0
        for task in range(n_tasks):
            sums[i] += job.sums[2 * n_leaves * task + i]
    free(job.sums)
    return True


cdef bint add_to_leaves(
    const double* values,
    const uint32_t* rows,
    const int64_t* offsets,
    int n_leaves,
    int64_t n_rows,
    double* raw,
    int n_threads,
) noexcept nogil:
    """Add the value of its leaf to the raw score of each row.

    IN: values (n_leaves,), the others as of `sum_leaves`. INOUT: raw (n_rows,).
    """
    cdef job_t job
    job.values = values
    job.raw = raw
    return _run(_add_task, &job, rows, offsets, n_leaves, n_rows, n_threads)


cdef int64_t _choose_rows(int n_leaves, int64_t n_rows) noexcept nogil:
    """Return `n_rows`, or more where that would be few for so many leaves."""
    return max(n_rows, <int64_t> n_leaves * ROWS_PER_LEAF)


cdef int64_t _choose_rows_per_task(int n_leaves, int64_t n_rows) noexcept nogil:
    cdef int64_t rows_per_task = min(
        (n_rows + MIN_TASKS - 1) // MIN_TASKS, <int64_t> MAX_ROWS_PER_TASK
    )
    return _choose_rows(n_leaves, max(rows_per_task, <int64_t> ROWS_PER_CHUNK))


cdef int64_t _count_tasks(int n_leaves, int64_t n_rows) noexcept nogil:
    cdef int64_t rows_per_task = _choose_rows_per_task(n_leaves, n_rows)
    return (n_rows + rows_per_task - 1) // rows_per_task


cdef bint _run(
    void (*task)(void*, int) noexcept nogil,
    job_t* job,
    const uint32_t* rows,
    const int64_t* offsets,
    int n_leaves,
    int64_t n_rows,
    int n_threads,
) noexcept nogil:
    cdef int64_t n_tasks = _count_tasks(n_leaves, n_rows)
    job.rows = rows
    job.offsets = offsets
    job.n_leaves = n_leaves
    job.n_rows = n_rows
    job.rows_per_chunk = _choose_rows(n_leaves, ROWS_PER_CHUNK)
    job.rows_per_task = _choose_rows_per_task(n_leaves, n_rows)
    job.cursors = <int64_t*> calloc(n_tasks * n_leaves, sizeof(int64_t))
    if job.cursors == NULL:
        return False
    if offsets[n_leaves] < MIN_ROWS_FOR_THREADS:
        n_threads = 1
    parallel_for(task, job, <int> n_tasks, n_threads)
    free(job.cursors)
    return True


cdef int64_t* _find_cursors(const job_t* job, int task) noexcept nogil:
    """Return the first row of each leaf that is in the task's part of the data."""
    cdef:
        int64_t* cursors = job.cursors + <int64_t> task * job.n_leaves
        uint32_t first = <uint32_t> (task * job.rows_per_task)
        int leaf
    for leaf in range(job.n_leaves):
        cursors[leaf] = (
            lower_bound(
                job.rows + job.offsets[leaf], job.rows + job.offsets[leaf + 1], first
            )
            - job.rows
        )
    return cursors


cdef inline int64_t _find_stop(
    const job_t* job, int64_t cursor, int leaf, int64_t end
) noexcept nogil:
    """Return where the rows of a leaf reach `end`."""
    cdef int64_t stop = min(cursor + job.rows_per_chunk, job.offsets[leaf + 1])
    if stop == cursor or job.rows[stop - 1] < end:
        return stop
    return (
        lower_bound(job.rows + cursor, job.rows + stop, <uint32_t> end) - job.rows
    )


cdef void _sum_task(void* context, int task) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t* cursors = _find_cursors(job, task)
        int64_t* sums = job.sums + 2 * <int64_t> task * job.n_leaves
        int64_t end = task * job.rows_per_task
        int64_t last = min(end + job.rows_per_task, job.n_rows)
        int64_t stop
        int leaf
    while end < last:
        end = min(end + job.rows_per_chunk, last)
        for leaf in range(job.n_leaves):
            stop = _find_stop(job, cursors[leaf], leaf, end)
            skx_sum_leaf_rows(
                job.quantized,
                job.rows + cursors[leaf],
                stop - cursors[leaf],
                &sums[2 * leaf],
                &sums[2 * leaf + 1],
            )
            cursors[leaf] = stop


cdef void _add_task(void* context, int task) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t* cursors = _find_cursors(job, task)
        int64_t end = task * job.rows_per_task
        int64_t last = min(end + job.rows_per_task, job.n_rows)
        int64_t i, stop
        int leaf
        double value
    while end < last:
        end = min(end + job.rows_per_chunk, last)
        for leaf in range(job.n_leaves):
            stop = _find_stop(job, cursors[leaf], leaf, end)
            value = job.values[leaf]
            for i in range(cursors[leaf], stop):
                job.raw[job.rows[i]] += value
            cursors[leaf] = stop
