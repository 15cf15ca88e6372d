"""Levels of categorical columns: how often each occurs, and codes that stand for them.

A column comes as codes into a list of values, signed integers of any width with -1 for
a missing value. What is known of each value is in an array with one more place, the
last, for -1.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t
from libcpp.vector cimport vector

from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "level_kernels.h" nogil:
    cdef struct skx_codes_t:
        const void* codes
        int itemsize
        int64_t n_rows
        int64_t n_values

    bint skx_count_levels(
        const skx_codes_t* column, const int32_t* levels, const double* weights,
        int64_t n_levels, int64_t* counts, int64_t* first_rows,
    ) noexcept
    void skx_replace_codes(
        const skx_codes_t* column, const int32_t* table, int64_t start, int64_t stop,
        int32_t* out,
    ) noexcept

cdef enum:
    ROWS_PER_CHUNK = 1 << 15


cdef struct column_t:
    skx_codes_t codes
    const int32_t* table  # (n_values + 1,)
    int64_t n_levels
    int64_t* counts
    int64_t* first_rows
    int32_t* out
    bint failed


cdef struct job_t:
    column_t* columns
    const double* weights
    int n_chunks  # of a column


cdef void _set_column(column_t* column, codes, const int32_t[::1] table) except *:
    cdef const uint8_t[::1] data = codes.view(np.uint8)
    column.codes.codes = &data[0] if data.shape[0] > 0 else NULL
    column.codes.itemsize = codes.itemsize
    column.codes.n_rows = len(codes)
    column.codes.n_values = table.shape[0] - 1
    column.table = &table[0]
    column.failed = False


cdef void _count_column(void* context, int index) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        column_t* column = &job.columns[index]
    column.failed = not skx_count_levels(
        &column.codes,
        column.table,
        job.weights,
        column.n_levels,
        column.counts,
        column.first_rows,
    )


def count_levels(columns, tables, n_levels, const double[::1] weights, int n_threads):
    """Sum the weights of the rows of each level, and find the first of these rows.

    Parameters
    ----------
    columns : list of C-contiguous signed integer arrays of shape (n_rows,)
    tables : list of int32 arrays of shape (n_values + 1,)
        The level of each value, -1 for none, which the last place has to have.
    n_levels : list of int
    weights : float64 array of shape (n_rows,) or None
        Not negative. A row of weight 0 is as good as absent.
    n_threads : int

    Returns
    -------
    counts : list of int64 arrays of shape (n_levels,)
        Weights are scaled by a power of two and rounded so that sums are exact, in any
        order of addition, and a weight of 2 counts as the row twice.
    first_rows : list of int64 arrays of shape (n_levels,)
        The number of rows where a level has none.
    """
    cdef:
        int index, n_columns = len(columns)
        int64_t[::1] places
        vector[column_t] jobs
        job_t job
    counts = [np.empty(n, dtype=np.int64) for n in n_levels]
    first_rows = [np.empty(n, dtype=np.int64) for n in n_levels]
    jobs.resize(n_columns)
    for index in range(n_columns):
        _set_column(&jobs[index], columns[index], tables[index])
        jobs[index].n_levels = n_levels[index]
        places = counts[index]
        jobs[index].counts = &places[0] if places.shape[0] > 0 else NULL
        places = first_rows[index]
        jobs[index].first_rows = &places[0] if places.shape[0] > 0 else NULL
    job.columns = jobs.data()
    job.weights = NULL
    if weights is not None and weights.shape[0] > 0:
        job.weights = &weights[0]
    with nogil:
        parallel_for(_count_column, &job, n_columns, n_threads)
    for index in range(n_columns):
        if jobs[index].failed:
            raise MemoryError()
    return counts, first_rows


cdef void _replace_chunk(void* context, int task) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        column_t* column = &job.columns[task // job.n_chunks]
        int64_t start = <int64_t> (task % job.n_chunks) * ROWS_PER_CHUNK
        int64_t stop = min(start + ROWS_PER_CHUNK, column.codes.n_rows)
    skx_replace_codes(&column.codes, column.table, start, stop, column.out)


def replace_codes(columns, tables, int n_threads):
    """Put a value of a table in the place of each code.

    Parameters
    ----------
    columns : list of C-contiguous signed integer arrays of shape (n_rows,)
    tables : list of int32 arrays of shape (n_values + 1,)
    n_threads : int

    Returns
    -------
    list of int32 arrays of shape (n_rows,)
        Rows of one array, see `read_columns`.
    """
    cdef:
        int index, n_columns = len(columns)
        int32_t[::1] out
        vector[column_t] jobs
        job_t job
    if n_columns == 0 or len(columns[0]) == 0:
        return [np.empty(0, dtype=np.int32) for _ in range(n_columns)]
    replaced = list(np.empty((n_columns, len(columns[0])), dtype=np.int32))
    jobs.resize(n_columns)
    for index in range(n_columns):
        _set_column(&jobs[index], columns[index], tables[index])
        out = replaced[index]
        jobs[index].out = &out[0]
    job.columns = jobs.data()
    job.weights = NULL
    job.n_chunks = <int> (
        (jobs[0].codes.n_rows + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK
    )
    with nogil:
        parallel_for(_replace_chunk, &job, n_columns * job.n_chunks, n_threads)
    return replaced
