"""Sums and look-ups over tables of categorical columns (see category_kernels.h).

A table is told by `axes`: rows of (column, stride), one for each of its columns. Codes
are a list of arrays of shape (n_rows,), of uint8, uint16 or int32, none negative; there
is at least one row. Sums run over blocks of rows, whose number depends on the sizes
alone and which are added in their order, so that no bit depends on the threads.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libcpp.vector cimport vector

from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "category_kernels.h" nogil:
    enum: SKX_ROWS_PER_STRIP

    ctypedef struct skx_category_codes_t:
        const void* codes
        int n_bytes

    ctypedef struct skx_axis_t:
        skx_category_codes_t column
        uint32_t stride

    void skx_find_cells(
        const skx_axis_t* axes, int n_axes, int64_t first, int n, uint32_t* index
    ) noexcept
    void skx_add_to_cells(
        const uint32_t* index, const double* values, int n, int n_outputs,
        double* cells,
    ) noexcept
    void skx_add_from_cells(
        const uint32_t* index, const double* cells, int n, int n_outputs, double* out
    ) noexcept
    void skx_weigh_rows(
        const float* numbers, int64_t row_stride, int64_t column_stride,
        const double* weights, const double* centre, int n, int n_columns, double* out,
    ) noexcept
    void skx_weigh_rows(
        const double* numbers, int64_t row_stride, int64_t column_stride,
        const double* weights, const double* centre, int n, int n_columns, double* out,
    ) noexcept

cdef enum:
    MIN_ROWS_PER_BLOCK = 1 << 15
    MAX_BLOCKS = 32
    ROWS_PER_CHUNK = 1 << 13

ctypedef fused number_t:
    float
    double


cdef vector[skx_axis_t] _read_axes(list codes, const int64_t[:, ::1] axes) except *:
    """Return the columns and strides of a table."""
    cdef:
        vector[skx_axis_t] result
        skx_axis_t axis
        const uint8_t[::1] memory
        int i
    for i in range(axes.shape[0]):
        column = codes[axes[i, 0]]
        memory = column.view(np.uint8)
        axis.column.codes = &memory[0]
        axis.column.n_bytes = column.itemsize
        axis.stride = <uint32_t> axes[i, 1]
        result.push_back(axis)
    return result


cdef int _count_blocks(int64_t n_rows, int64_t n_numbers) noexcept:
    """Return how many blocks rows are cut into, each with that many sums."""
    cdef int64_t n_rows_per_block = max(<int64_t> MIN_ROWS_PER_BLOCK, 4 * n_numbers)
    return <int> max(1, min(<int64_t> MAX_BLOCKS, n_rows // n_rows_per_block))


cdef struct summing_t:
    vector[skx_axis_t] axes
    const double* values  # (n_rows, n_outputs), NULL for ones
    int n_outputs
    int64_t first
    int64_t last
    double* cells


cdef void _sum_block(void* context, int index) noexcept nogil:
    cdef:
        summing_t* task = <summing_t*> context + index
        uint32_t[SKX_ROWS_PER_STRIP] cells
        int64_t first = task.first
        const double* values = NULL
        int n
    while first < task.last:
        n = <int> min(<int64_t> SKX_ROWS_PER_STRIP, task.last - first)
        skx_find_cells(task.axes.data(), <int> task.axes.size(), first, n, cells)
        if task.values != NULL:
            values = task.values + first * task.n_outputs
        skx_add_to_cells(cells, values, n, task.n_outputs, task.cells)
        first += n


def sum_in_cells(
    list codes,
    list tables,
    list n_cells,
    int64_t n_rows,
    const double[:, ::1] values=None,
    int n_threads=1,
):
    """Return the sums of values in the cells of tables.

    Parameters
    ----------
    codes : list of arrays of shape (n_rows,)
    tables : list of int64 arrays of shape (n_axes, 2)
        Columns and strides of each table.
    n_cells : list of int
    n_rows : int
    values : float64 array of shape (n_rows, n_outputs) or None, default=None
        None means one output of ones.
    n_threads : int, default=1

    Returns
    -------
    list of float64 ndarrays of shape (n_cells, n_outputs)
    """
    cdef:
        int n_outputs = 1 if values is None else <int> values.shape[1]
        vector[summing_t] tasks
        summing_t task
        double[:, ::1] cells
        int64_t n_blocks, block
        list sums = []
    task.values = NULL
    if values is not None:
        task.values = &values[0, 0]
    task.n_outputs = n_outputs
    for axes, n in zip(tables, n_cells):
        n_blocks = _count_blocks(n_rows, n * n_outputs)
        of_table = np.zeros((n_blocks, n * n_outputs))
        sums.append(of_table)
        cells = of_table
        task.axes = _read_axes(codes, axes)
        for block in range(n_blocks):
            task.first = n_rows * block // n_blocks
            task.last = n_rows * (block + 1) // n_blocks
            task.cells = &cells[block, 0]
            tasks.push_back(task)
    with nogil:
        parallel_for(_sum_block, tasks.data(), <int> tasks.size(), n_threads)
    return [_add_blocks(of_table, n_outputs) for of_table in sums]


cdef _add_blocks(of_table, int n_outputs):
    """Return the sum of blocks, one after the other."""
    total = of_table[0]
    for of_block in of_table[1:]:
        total += of_block
    return total.reshape(-1, n_outputs)


cdef struct crossing_t:
    vector[vector[skx_axis_t]]* tables
    vector[double*] cells  # of each table
    int64_t first
    int64_t last
    const double* weights
    const double* centre
    int n_columns
    # Dense numbers, in one of two types,
    const float* floats
    const double* doubles
    int64_t row_stride
    int64_t column_stride
    # or rows of a CSR matrix.
    const int64_t* indptr
    const int32_t* indices


cdef void _cross_dense_block(void* context, int index) noexcept nogil:
    cdef:
        crossing_t* task = <crossing_t*> context + index
        uint32_t[SKX_ROWS_PER_STRIP] cells
        vector[double] values
        const double* weights = NULL
        int64_t first = task.first
        int n, t, n_per_strip
    # What is read of a strip shall stay in the first cache.
    n_per_strip = max(16, min(<int> SKX_ROWS_PER_STRIP, 2048 // task.n_columns))
    values.resize(<size_t> n_per_strip * task.n_columns)
    while first < task.last:
        n = <int> min(<int64_t> n_per_strip, task.last - first)
        if task.weights != NULL:
            weights = task.weights + first
        if task.floats != NULL:
            skx_weigh_rows(
                task.floats + first * task.row_stride, task.row_stride,
                task.column_stride, weights, task.centre, n, task.n_columns,
                values.data(),
            )
        else:
            skx_weigh_rows(
                task.doubles + first * task.row_stride, task.row_stride,
                task.column_stride, weights, task.centre, n, task.n_columns,
                values.data(),
            )
        for t in range(<int> task.tables.size()):
            skx_find_cells(
                task.tables[0][t].data(), <int> task.tables[0][t].size(), first, n,
                cells,
            )
            skx_add_to_cells(
                cells, values.data(), n, task.n_columns, task.cells[t]
            )
        first += n


cdef void _cross_sparse_block(void* context, int index) noexcept nogil:
    cdef:
        crossing_t* task = <crossing_t*> context + index
        uint32_t[SKX_ROWS_PER_STRIP] cells
        int64_t first = task.first
        int64_t row
        int n, t, i
        int64_t k
        double number, weight
        double* of_cell
    while first < task.last:
        n = <int> min(<int64_t> SKX_ROWS_PER_STRIP, task.last - first)
        for t in range(<int> task.tables.size()):
            skx_find_cells(
                task.tables[0][t].data(), <int> task.tables[0][t].size(), first, n,
                cells,
            )
            for i in range(n):
                row = first + i
                weight = 1.0 if task.weights == NULL else task.weights[row]
                of_cell = task.cells[t] + <int64_t> cells[i] * task.n_columns
                for k in range(task.indptr[row], task.indptr[row + 1]):
                    if task.floats != NULL:
                        number = task.floats[k]
                    else:
                        number = task.doubles[k]
                    of_cell[task.indices[k]] += weight * number
        first += n


cdef list _cross(
    list codes, list tables, list n_cells, int64_t n_rows, crossing_t task,
    bint is_sparse, int n_threads,
):
    """Run `task`, which lacks tables, cells and rows, over blocks of rows."""
    cdef:
        vector[vector[skx_axis_t]] read_tables
        vector[crossing_t] tasks
        double[:, ::1] cells
        int64_t n_numbers = max(n_cells) * task.n_columns
        int64_t n_blocks = _count_blocks(n_rows, n_numbers)
        int64_t block
    sums = [np.zeros((n_blocks, n * task.n_columns)) for n in n_cells]
    for axes in tables:
        read_tables.push_back(_read_axes(codes, axes))
    task.tables = &read_tables
    for block in range(n_blocks):
        task.first = n_rows * block // n_blocks
        task.last = n_rows * (block + 1) // n_blocks
        task.cells.clear()
        for of_table in sums:
            cells = of_table
            task.cells.push_back(&cells[block, 0])
        tasks.push_back(task)
    with nogil:
        parallel_for(
            _cross_sparse_block if is_sparse else _cross_dense_block,
            tasks.data(), <int> n_blocks, n_threads,
        )
    return [_add_blocks(of_table, task.n_columns) for of_table in sums]


def sum_dense_in_cells(
    list codes,
    list tables,
    list n_cells,
    const number_t[:, :] numbers,
    const double[::1] centre,
    const double[::1] weights=None,
    int n_threads=1,
):
    """Return sums of weights * (numbers - centre) in the cells of tables.

    Parameters
    ----------
    codes, tables, n_cells, n_threads
        As of `sum_in_cells`.
    numbers : float32 or float64 array of shape (n_rows, n_columns)
        Of any strides, at least one column.
    centre : float64 array of shape (n_columns,)
    weights : float64 array of shape (n_rows,) or None, default=None

    Returns
    -------
    list of float64 ndarrays of shape (n_cells, n_columns)
    """
    cdef crossing_t task
    task.floats = NULL
    task.doubles = NULL
    if number_t is float:
        task.floats = &numbers[0, 0]
    else:
        task.doubles = &numbers[0, 0]
    task.row_stride = numbers.strides[0] // <int64_t> sizeof(number_t)
    task.column_stride = numbers.strides[1] // <int64_t> sizeof(number_t)
    task.n_columns = <int> numbers.shape[1]
    task.centre = &centre[0]
    task.weights = NULL
    if weights is not None:
        task.weights = &weights[0]
    return _cross(codes, tables, n_cells, numbers.shape[0], task, False, n_threads)


def sum_sparse_in_cells(
    list codes,
    list tables,
    list n_cells,
    const int64_t[::1] indptr,
    const int32_t[::1] indices,
    const number_t[::1] data,
    int n_columns,
    const double[::1] weights=None,
    int n_threads=1,
):
    """Return sums of weights * numbers of a CSR matrix in the cells of tables.

    Parameters
    ----------
    codes, tables, n_cells, weights, n_threads
        As of `sum_dense_in_cells`.
    indptr : int64 array of shape (n_rows + 1,)
    indices : int32 array of shape (n_stored,)
    data : float32 or float64 array of shape (n_stored,)
    n_columns : int

    Returns
    -------
    list of float64 ndarrays of shape (n_cells, n_columns)
    """
    cdef crossing_t task
    if data.shape[0] == 0:
        return [np.zeros((n, n_columns)) for n in n_cells]
    task.floats = NULL
    task.doubles = NULL
    if number_t is float:
        task.floats = &data[0]
    else:
        task.doubles = &data[0]
    task.indptr = &indptr[0]
    task.indices = &indices[0]
    task.n_columns = n_columns
    task.weights = NULL
    if weights is not None:
        task.weights = &weights[0]
    return _cross(
        codes, tables, n_cells, indptr.shape[0] - 1, task, True, n_threads
    )


cdef struct reading_t:
    vector[vector[skx_axis_t]] tables
    vector[const double*] cells
    int n_outputs
    int64_t n_rows
    double* out


cdef void _read_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        reading_t* job = <reading_t*> context
        uint32_t[SKX_ROWS_PER_STRIP] cells
        int64_t first = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t last = min(first + <int64_t> ROWS_PER_CHUNK, job.n_rows)
        int n, t
    while first < last:
        n = <int> min(<int64_t> SKX_ROWS_PER_STRIP, last - first)
        for t in range(<int> job.tables.size()):
            skx_find_cells(
                job.tables[t].data(), <int> job.tables[t].size(), first, n, cells
            )
            skx_add_from_cells(
                cells, job.cells[t], n, job.n_outputs, job.out + first * job.n_outputs
            )
        first += n


def add_from_cells(
    list codes, list tables, list of_cells, double[:, ::1] out, int n_threads=1
):
    """Add to each row the numbers of the cells that it falls into.

    Parameters
    ----------
    codes, tables, n_threads
        As of `sum_in_cells`.
    of_cells : list of float64 arrays of shape (n_cells, n_outputs)
    out : float64 array of shape (n_rows, n_outputs)
        IN/OUT.
    """
    cdef:
        reading_t job
        const double[:, ::1] cells
        int n_chunks = <int> ((out.shape[0] + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
    job.n_rows = out.shape[0]
    job.n_outputs = <int> out.shape[1]
    job.out = &out[0, 0]
    for axes, numbers in zip(tables, of_cells):
        job.tables.push_back(_read_axes(codes, axes))
        cells = numbers
        job.cells.push_back(&cells[0, 0])
    with nogil:
        parallel_for(_read_chunk, &job, n_chunks, n_threads)
