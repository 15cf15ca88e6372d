"""Map values to bins."""

import numpy as np

from cython cimport floating
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t

from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.common.dtypes cimport binned_t
from sklearnx._cython.common.threads cimport parallel_for

cdef enum:
    ROWS_PER_BLOCK = 1 << 10
    TILE = 64

ctypedef fused code_t:
    uint8_t
    uint16_t
    uint32_t


cdef struct job_t:
    binned_t* binned
    uint8_t* has_missing  # (n_blocks, n_columns)
    const char* values
    int64_t row_stride
    int64_t column_stride
    bint is_float32
    const int32_t* features
    int n_columns
    const double* thresholds
    const int64_t* rows  # NULL: all
    int64_t n_rows


def map_values(
    BinnedMatrix matrix,
    const floating[:, :] X,
    const int64_t[::1] rows,
    const int32_t[::1] features,
    const double[::1] thresholds,
    int n_threads,
):
    """Map columns of numbers to the codes of `features`.

    IN: X of shape (n, len(features)) with any strides, rows (n_rows,) of X to map or
    None for all, thresholds (the upper edge of each bin, in the order of a histogram).
    OUT: the columns of `matrix`, and whether they have missing values.

    A value goes to the first bin whose edge is not below it, NaN to the missing bin.
    """
    cdef:
        job_t job
        int n_blocks = <int> (
            (matrix.binned.n_rows + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK
        )
        uint8_t[:, ::1] has_missing = np.empty(
            (n_blocks, features.shape[0]), dtype=np.uint8
        )
    if n_blocks == 0:
        return
    job.binned = &matrix.binned
    job.has_missing = &has_missing[0, 0]
    job.values = <const char*> &X[0, 0]
    job.row_stride = X.strides[0]
    job.column_stride = X.strides[1]
    job.is_float32 = floating is float
    job.features = &features[0]
    job.n_columns = <int> features.shape[0]
    job.thresholds = &thresholds[0]
    job.n_rows = matrix.binned.n_rows
    job.rows = NULL
    if rows is not None:
        job.rows = &rows[0]
    with nogil:
        parallel_for(_map_block, &job, n_blocks, n_threads)
    matrix.has_missing[np.asarray(features)] = np.any(has_missing, axis=0)


def map_levels(BinnedMatrix matrix, const int32_t[:] codes, int32_t feature):
    """Take over the codes of a categorical column; -1 is a missing value."""
    cdef:
        int64_t row
        int32_t code
        int32_t missing = matrix.n_bins[feature]
        uint8_t[::1] narrow
        uint16_t[::1] wide16
        uint32_t[::1] wide32
        bint has_missing = False
    column = matrix.column(feature)
    if column.dtype.itemsize == 1:
        narrow = column
        for row in range(codes.shape[0]):
            code = codes[row]
            has_missing |= code < 0
            narrow[row] = code if code >= 0 else missing
    elif column.dtype.itemsize == 2:
        wide16 = column
        for row in range(codes.shape[0]):
            code = codes[row]
            has_missing |= code < 0
            wide16[row] = code if code >= 0 else missing
    else:
        wide32 = column
        for row in range(codes.shape[0]):
            code = codes[row]
            has_missing |= code < 0
            wide32[row] = code if code >= 0 else missing
    matrix.has_missing[feature] = has_missing


def fill_rows(BinnedMatrix matrix, int n_threads):
    """Copy the narrow columns of `matrix` into its rows."""
    cdef:
        job_t job
        int n_blocks = <int> (
            (matrix.binned.n_rows + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK
        )
    job.binned = &matrix.binned
    with nogil:
        parallel_for(_transpose_block, &job, n_blocks, n_threads)


cdef void _map_block(void* context, int block) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        binned_t* binned = job.binned
        int column, feature
        int64_t start = <int64_t> block * ROWS_PER_BLOCK
        int64_t stop = min(start + ROWS_PER_BLOCK, job.n_rows)
        int64_t first
        const char* values
        bint any_missing
    for column in range(job.n_columns):
        feature = job.features[column]
        values = job.values + column * job.column_stride
        first = binned.positions[feature] * binned.n_rows
        if not binned.is_wide[feature]:
            any_missing = _map_column(
                job, feature, values, start, stop, <uint8_t*> binned.columns + first
            )
        elif binned.wide16 != NULL:
            any_missing = _map_column(
                job, feature, values, start, stop, <uint16_t*> binned.wide16 + first
            )
        else:
            any_missing = _map_column(
                job, feature, values, start, stop, <uint32_t*> binned.wide32 + first
            )
        job.has_missing[<int64_t> block * job.n_columns + column] = any_missing


cdef bint _map_column(
    const job_t* job,
    int feature,
    const char* values,
    int64_t start,
    int64_t stop,
    code_t* codes,
) noexcept nogil:
    cdef:
        int64_t row, source
        int32_t base, n, half, n_bins = job.binned.n_bins[feature]
        const double* edges = job.thresholds + job.binned.offsets[feature]
        double value
        bint any_missing = False
    for row in range(start, stop):
        source = row if job.rows == NULL else job.rows[row]
        if job.is_float32:
            value = (<const float*> (values + source * job.row_stride))[0]
        else:
            value = (<const double*> (values + source * job.row_stride))[0]
        if value != value:
            codes[row] = <code_t> n_bins
            any_missing = True
            continue
        # Number of inner edges below the value, by a search without branches.
        base = 0
        n = n_bins - 1
        while n > 0:
            half = (n + 1) >> 1
            base += half if edges[base + half - 1] < value else 0
            n -= half
        codes[row] = <code_t> base
    return any_missing


cdef void _transpose_block(void* context, int block) noexcept nogil:
    """Copy rows of a block, a tile of columns at a time, so that both stay in cache."""
    cdef:
        binned_t* binned = (<job_t*> context).binned
        int64_t n_rows = binned.n_rows, n_columns = binned.n_narrow
        int64_t start = <int64_t> block * ROWS_PER_BLOCK
        int64_t stop = min(start + ROWS_PER_BLOCK, n_rows)
        int64_t row, column, first, last
        uint8_t* rows = <uint8_t*> binned.rows
        const uint8_t* codes
    first = 0
    while first < n_columns:
        last = min(first + TILE, n_columns)
        for column in range(first, last):
            codes = binned.columns + column * n_rows
            for row in range(start, stop):
                rows[row * n_columns + column] = codes[row]
        first = last
