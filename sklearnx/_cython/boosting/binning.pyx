"""Find bins of values, and map values to them."""

import numpy as np

from cython cimport floating
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libcpp.vector cimport vector

from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.common.dtypes cimport (
    MAX_NARROW_BINS,
    binned_t,
    column_group_t,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "binning_kernels.h" nogil:
    cdef cppclass skx_mapper_t[value_t]:
        skx_mapper_t(
            const binned_t* binned, const void* values, int64_t row_stride,
            int64_t column_stride, const int64_t* rows, const int32_t* features,
            int n_columns, const double* edges,
        ) except +
        void map_rows(int64_t start, int64_t stop, uint8_t* has_missing) noexcept

    bint skx_find_edges[value_t](
        const value_t* values, const double* weights, int64_t n_values,
        double weight_of_zeros, int max_bins, double min_weight,
        vector[double]* edges,
    ) noexcept
    int skx_map_values[value_t](
        const value_t* values, int64_t n_values, const double* edges, int n_bins,
        uint8_t* codes,
    ) noexcept
    void skx_gather_columns[value_t](
        const void* values, int64_t row_stride, int64_t column_stride,
        const int64_t* rows, int64_t start, int64_t stop, int64_t n_rows, int n_columns,
        value_t* out,
    ) noexcept
    void skx_fill_group(
        const binned_t* binned, const column_group_t* group, int64_t start, int64_t stop
    ) noexcept
    void skx_count_codes(
        const uint8_t* codes, int64_t n_rows, int64_t* n_of_codes
    ) noexcept

cdef enum:
    ROWS_PER_BLOCK = 1 << 9  # of some tens of columns fit the nearest cache


# ---- where bins end ------------------------------------------------------------------

cdef struct gather_t:
    const void* values
    int64_t row_stride
    int64_t column_stride
    const int64_t* rows
    int64_t n_rows
    int n_columns
    void* out


cdef void _gather_block(gather_t* job, int block, floating* out) noexcept nogil:
    cdef int64_t start = <int64_t> block * ROWS_PER_BLOCK
    skx_gather_columns(
        job.values,
        job.row_stride,
        job.column_stride,
        job.rows,
        start,
        min(start + ROWS_PER_BLOCK, job.n_rows),
        job.n_rows,
        job.n_columns,
        out,
    )


cdef void _gather_floats(void* job, int block) noexcept nogil:
    _gather_block(<gather_t*> job, block, <float*> (<gather_t*> job).out)


cdef void _gather_doubles(void* job, int block) noexcept nogil:
    _gather_block(<gather_t*> job, block, <double*> (<gather_t*> job).out)


def gather_columns(const floating[:, :] X, const int64_t[::1] rows, int n_threads):
    """Copy some rows, each column for itself: (n_columns, n_rows).

    IN: X with any strides, rows (n_rows,).
    """
    dtype = np.float32 if floating is float else np.float64
    out = np.empty((X.shape[1], rows.shape[0]), dtype=dtype)
    cdef:
        floating[:, ::1] view = out
        gather_t job
        int n_blocks = <int> ((rows.shape[0] + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK)
    if rows.shape[0] == 0 or X.shape[1] == 0:
        return out
    job.values = &X[0, 0]
    job.row_stride = X.strides[0]
    job.column_stride = X.strides[1]
    job.rows = &rows[0]
    job.n_rows = rows.shape[0]
    job.n_columns = <int> X.shape[1]
    job.out = &view[0, 0]
    with nogil:
        if floating is float:
            parallel_for(_gather_floats, &job, n_blocks, n_threads)
        else:
            parallel_for(_gather_doubles, &job, n_blocks, n_threads)
    return out


cdef struct edges_t:
    const void* values
    bint is_float32
    const double* weights
    int64_t n_values  # of each column, weights are the same; unless there are starts
    const int64_t* starts
    const double* weights_of_zeros
    int max_bins
    double min_weight
    vector[double]* edges
    uint8_t* failed


cdef void _find_edges(void* context, int column) noexcept nogil:
    cdef:
        edges_t* job = <edges_t*> context
        int64_t first = column * job.n_values, n_values = job.n_values
        const double* weights = job.weights
        double weight_of_zeros = 0
    if job.starts != NULL:
        first = job.starts[column]
        n_values = job.starts[column + 1] - first
        weight_of_zeros = job.weights_of_zeros[column]
        if weights != NULL:
            weights += first
    if job.is_float32:
        job.failed[column] = not skx_find_edges(
            <const float*> job.values + first,
            weights,
            n_values,
            weight_of_zeros,
            job.max_bins,
            job.min_weight,
            &job.edges[column],
        )
    else:
        job.failed[column] = not skx_find_edges(
            <const double*> job.values + first,
            weights,
            n_values,
            weight_of_zeros,
            job.max_bins,
            job.min_weight,
            &job.edges[column],
        )


cdef _run_find_edges(edges_t* job, int n_columns, int n_threads):
    cdef:
        int column
        vector[vector[double]] edges
        uint8_t[::1] failed = np.zeros(n_columns + 1, dtype=np.uint8)
    edges.resize(n_columns)
    job.edges = edges.data()
    job.failed = &failed[0]
    with nogil:
        parallel_for(_find_edges, job, n_columns, n_threads)
    if np.any(failed):
        raise MemoryError()
    return [np.array(edges[column], dtype=np.float64) for column in range(n_columns)]


def find_edges(
    const floating[:, ::1] columns,
    const double[::1] weights,
    int max_bins,
    int n_threads=1,
    double min_weight=0.0,
):
    """Find the inner edges of the bins of numeric features.

    Parameters
    ----------
    columns : float array of shape (n_columns, n_values)
        NaN is missing.
    weights : float64 array of shape (n_values,) or None
        Positive.
    max_bins : int
    n_threads : int, default=1
    min_weight : float, default=0.0
        Where one value weighs more than all others of its column together, these get
        bins of so much at least, and hence fewer.

    Returns
    -------
    edges : list of float64 arrays
        Ascending, finite, fewer than `max_bins`. Midpoints of neighbouring values if
        they are few, else quantiles (averaged inverted distribution function), which a
        row of weight 2 moves exactly as the row twice does.
    """
    cdef:
        int n_columns = <int> columns.shape[0]
        edges_t job
    if columns.shape[1] == 0 or n_columns == 0:
        return [np.empty(0) for _ in range(n_columns)]
    job.values = &columns[0, 0]
    job.is_float32 = floating is float
    job.weights = NULL
    if weights is not None:
        job.weights = &weights[0]
    job.n_values = columns.shape[1]
    job.starts = NULL
    job.max_bins = max_bins
    job.min_weight = min_weight
    return _run_find_edges(&job, n_columns, n_threads)


def find_stored_edges(
    const floating[::1] values,
    const int64_t[::1] starts,
    const double[::1] weights,
    const double[::1] weights_of_zeros,
    int max_bins,
    int n_threads=1,
    double min_weight=0.0,
):
    """Find the edges of sparse features: those of the columns that they stand for.

    Parameters
    ----------
    values : float array of shape (n_stored,)
        Of one feature after the other; NaN is missing.
    starts : int64 array of shape (n_features + 1,)
        Where those of a feature begin.
    weights : float64 array of shape (n_stored,) or None
        Positive. With weights whose sums are not exact, edges may differ from those
        of dense columns.
    weights_of_zeros : float64 array of shape (n_features,)
        Of the rows whose value, 0, is not stored.
    max_bins, n_threads : int
    min_weight : float, default=0.0
        As in `find_edges`.

    Returns
    -------
    edges : list of float64 arrays
    """
    cdef:
        double nothing = 0
        edges_t job
    job.values = &values[0] if values.shape[0] > 0 else NULL
    job.is_float32 = floating is float
    job.weights = NULL
    if weights is not None:
        job.weights = &weights[0] if weights.shape[0] > 0 else &nothing
    job.n_values = 0
    job.starts = &starts[0]
    job.weights_of_zeros = &weights_of_zeros[0]
    job.max_bins = max_bins
    job.min_weight = min_weight
    return _run_find_edges(&job, <int> starts.shape[0] - 1, n_threads)


# ---- codes ---------------------------------------------------------------------------

cdef struct map_t:
    void* mapper
    bint is_float32
    int64_t n_rows
    int n_columns
    uint8_t* has_missing  # (n_blocks, n_columns)


cdef void _map_block(void* context, int block) noexcept nogil:
    cdef:
        map_t* job = <map_t*> context
        int64_t start = <int64_t> block * ROWS_PER_BLOCK
        int64_t stop = min(start + ROWS_PER_BLOCK, job.n_rows)
        uint8_t* has_missing = job.has_missing + <int64_t> block * job.n_columns
    if job.is_float32:
        (<skx_mapper_t[float]*> job.mapper).map_rows(start, stop, has_missing)
    else:
        (<skx_mapper_t[double]*> job.mapper).map_rows(start, stop, has_missing)


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
        int n_blocks = <int> (
            (matrix.binned.n_rows + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK
        )
        uint8_t[:, ::1] has_missing = np.empty(
            (n_blocks, features.shape[0]), dtype=np.uint8
        )
        skx_mapper_t[floating]* mapper
        map_t job
    if n_blocks == 0:
        return
    mapper = new skx_mapper_t[floating](
        &matrix.binned,
        &X[0, 0],
        X.strides[0],
        X.strides[1],
        &rows[0] if rows is not None else NULL,
        &features[0],
        <int> features.shape[0],
        &thresholds[0],
    )
    job.mapper = mapper
    job.is_float32 = floating is float
    job.n_rows = matrix.binned.n_rows
    job.n_columns = <int> features.shape[0]
    job.has_missing = &has_missing[0, 0]
    with nogil:
        parallel_for(_map_block, &job, n_blocks, n_threads)
    del mapper
    matrix.has_missing[np.asarray(features)] = np.any(has_missing, axis=0)


cdef struct map_stored_t:
    const void* values
    bint is_float32
    const int64_t* starts
    const double* edges
    const int64_t* edge_starts
    const int32_t* n_bins
    uint8_t* codes
    uint8_t* has_missing


cdef void _map_stored(void* context, int feature) noexcept nogil:
    cdef:
        map_stored_t* job = <map_stored_t*> context
        int64_t first = job.starts[feature]
        int64_t n_values = job.starts[feature + 1] - first
        const double* edges = job.edges + job.edge_starts[feature]
    if job.is_float32:
        job.has_missing[feature] = skx_map_values(
            <const float*> job.values + first,
            n_values,
            edges,
            job.n_bins[feature],
            job.codes + first,
        )
    else:
        job.has_missing[feature] = skx_map_values(
            <const double*> job.values + first,
            n_values,
            edges,
            job.n_bins[feature],
            job.codes + first,
        )


def map_stored_values(
    const floating[::1] values,
    const int64_t[::1] starts,
    const double[::1] edges,
    const int64_t[::1] edge_starts,
    const int32_t[::1] n_bins,
    int n_threads,
):
    """Map the stored values of sparse features to codes.

    IN: values (n_stored,) of one feature after the other, starts (n_features + 1,);
    inner edges of the bins, (n_bins - 1) of each from edge_starts (n_features,) on.

    Returns
    -------
    codes : uint8 array of shape (n_stored,)
    has_missing : uint8 array of shape (n_features,)
    """
    cdef:
        uint8_t[::1] codes = np.empty(values.shape[0] + 1, dtype=np.uint8)
        uint8_t[::1] has_missing = np.zeros(n_bins.shape[0] + 1, dtype=np.uint8)
        map_stored_t job
    if values.shape[0] > 0:
        job.values = &values[0]
        job.is_float32 = floating is float
        job.starts = &starts[0]
        job.edges = &edges[0] if edges.shape[0] > 0 else NULL
        job.edge_starts = &edge_starts[0]
        job.n_bins = &n_bins[0]
        job.codes = &codes[0]
        job.has_missing = &has_missing[0]
        with nogil:
            parallel_for(_map_stored, &job, <int> n_bins.shape[0], n_threads)
    return np.asarray(codes)[: values.shape[0]], np.asarray(has_missing)[:-1]


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


cdef struct count_t:
    const binned_t* binned
    int64_t* counts


cdef void _count_column(void* context, int column) noexcept nogil:
    cdef count_t* job = <count_t*> context
    skx_count_codes(
        job.binned.columns + column * job.binned.n_rows,
        job.binned.n_rows,
        job.counts + <int64_t> column * MAX_NARROW_BINS,
    )


def count_codes(BinnedMatrix matrix, int n_threads):
    """Return the number of rows of each code of the narrow columns.

    Returns
    -------
    counts : int64 array of shape (n_columns, 256)
    """
    cdef:
        int64_t[:, ::1] counts = np.zeros(
            (matrix.binned.n_columns, MAX_NARROW_BINS), dtype=np.int64
        )
        count_t job
    if matrix.binned.n_columns > 0 and matrix.binned.n_rows > 0:
        job.binned = &matrix.binned
        job.counts = &counts[0, 0]
        with nogil:
            parallel_for(_count_column, &job, matrix.binned.n_columns, n_threads)
    return np.asarray(counts)


def fill_rows(BinnedMatrix matrix, counts, int n_threads):
    """Copy the columns of `matrix` into its blocks, and note the fullest bins.

    IN: counts (n_columns, 256), rows of each code of the narrow columns.
    """
    cdef int column
    for column in range(matrix.binned.n_columns):
        is_shared = matrix.binned.default_codes[
            matrix.binned.members[matrix.binned.member_starts[column]]
        ] >= 0
        matrix.max_counts[column] = counts[column, int(is_shared) :].max()
    matrix._set_max_counts()
    fill_blocks(matrix, n_threads)


def fill_blocks(BinnedMatrix matrix, int n_threads):
    """Copy the columns of `matrix` into its blocks."""
    cdef int n_blocks = <int> (
        (matrix.binned.n_rows + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK
    )
    if matrix.binned.n_groups == 0:
        return
    with nogil:
        parallel_for(_transpose_block, &matrix.binned, n_blocks, n_threads)


cdef void _transpose_block(void* context, int block) noexcept nogil:
    cdef:
        const binned_t* binned = <const binned_t*> context
        int64_t start = <int64_t> block * ROWS_PER_BLOCK
        int64_t stop = min(start + ROWS_PER_BLOCK, binned.n_rows)
        int group
    for group in range(binned.n_blocks):
        skx_fill_group(binned, &binned.blocks[group], start, stop)
