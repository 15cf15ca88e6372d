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
        const value_t* values, int64_t stride, const int64_t* rows,
        const double* weights, int64_t n_values, double weight_of_zeros, int max_bins,
        double min_weight, vector[double]* edges,
    ) noexcept
    void skx_sample_by_weight(
        const double* weights, int64_t n_rows, double shift, int64_t n_sampled,
        int64_t* sample,
    ) noexcept
    int skx_map_levels[code_t](
        const int32_t* levels, int64_t stride, int64_t start, int64_t stop,
        int32_t missing, code_t* codes,
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
    ROWS_PER_CHUNK = 1 << 15  # of one column


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


cdef struct values_t:
    const void* values
    int64_t stride  # bytes
    bint is_float32
    const double* weights  # NULL: all are 1
    int64_t n_values
    double weight_of_zeros
    bint failed


cdef struct edges_t:
    values_t* columns
    const int64_t* rows  # NULL: all
    int max_bins
    double min_weight
    vector[double]* edges


cdef void _find_edges(void* context, int index) noexcept nogil:
    cdef:
        edges_t* job = <edges_t*> context
        values_t* column = &job.columns[index]
    if column.is_float32:
        column.failed = not skx_find_edges(
            <const float*> column.values,
            column.stride,
            job.rows,
            column.weights,
            column.n_values,
            column.weight_of_zeros,
            job.max_bins,
            job.min_weight,
            &job.edges[index],
        )
    else:
        column.failed = not skx_find_edges(
            <const double*> column.values,
            column.stride,
            job.rows,
            column.weights,
            column.n_values,
            column.weight_of_zeros,
            job.max_bins,
            job.min_weight,
            &job.edges[index],
        )


cdef _run_find_edges(
    vector[values_t]& columns,
    const int64_t* rows,
    int max_bins,
    double min_weight,
    int n_threads,
):
    cdef:
        int index, n_columns = <int> columns.size()
        vector[vector[double]] edges
        edges_t job
    edges.resize(n_columns)
    job = edges_t(columns.data(), rows, max_bins, min_weight, edges.data())
    with nogil:
        parallel_for(_find_edges, &job, n_columns, n_threads)
    for index in range(n_columns):
        if columns[index].failed:
            raise MemoryError()
    return [np.array(edges[index], dtype=np.float64) for index in range(n_columns)]


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
        int index, n_columns = <int> columns.shape[0]
        values_t job
        vector[values_t] jobs
    if columns.shape[1] == 0 or n_columns == 0:
        return [np.empty(0) for _ in range(n_columns)]
    job.stride = sizeof(floating)
    job.is_float32 = floating is float
    job.weights = NULL
    if weights is not None:
        job.weights = &weights[0]
    job.n_values = columns.shape[1]
    job.weight_of_zeros = 0
    job.failed = False
    for index in range(n_columns):
        job.values = &columns[index, 0]
        jobs.push_back(job)
    return _run_find_edges(jobs, NULL, max_bins, min_weight, n_threads)


def find_column_edges(
    columns,
    const int64_t[::1] rows,
    const double[::1] weights,
    int max_bins,
    int n_threads=1,
    double min_weight=0.0,
):
    """Find the edges of columns that lie each for itself, as `find_edges` does.

    Parameters
    ----------
    columns : list of float32 or float64 arrays of shape (n,)
        With any strides. NaN is missing.
    rows : int64 array of shape (n_values,) or None
        Which of their rows count; None means all.
    weights : float64 array of shape (n_values,) or None
        Positive weights of these rows.
    max_bins, n_threads : int
    min_weight : float, default=0.0

    Returns
    -------
    edges : list of float64 arrays
    """
    cdef:
        const float[:] floats
        const double[:] doubles
        values_t job
        vector[values_t] jobs
        const int64_t* p_rows = NULL
    job.weights = NULL
    job.n_values = len(columns[0]) if rows is None else rows.shape[0]
    if job.n_values == 0:
        return [np.empty(0) for _ in columns]
    if weights is not None:
        job.weights = &weights[0]
    if rows is not None:
        p_rows = &rows[0]
    job.weight_of_zeros = 0
    job.failed = False
    for column in columns:
        job.is_float32 = column.dtype.itemsize == sizeof(float)
        if job.is_float32:
            floats = column
            job.values = &floats[0]
            job.stride = floats.strides[0]
        else:
            doubles = column
            job.values = &doubles[0]
            job.stride = doubles.strides[0]
        jobs.push_back(job)
    return _run_find_edges(jobs, p_rows, max_bins, min_weight, n_threads)


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
        const double* p_weights = NULL
        const floating* p_values = &values[0] if values.shape[0] > 0 else NULL
        int feature
        values_t job
        vector[values_t] jobs
    if weights is not None:
        p_weights = &weights[0] if weights.shape[0] > 0 else &nothing
    job.stride = sizeof(floating)
    job.is_float32 = floating is float
    job.weights = NULL
    job.failed = False
    jobs.reserve(starts.shape[0])
    for feature in range(<int> starts.shape[0] - 1):
        job.values = p_values + starts[feature]
        if p_weights != NULL:
            job.weights = p_weights + starts[feature]
        job.n_values = starts[feature + 1] - starts[feature]
        job.weight_of_zeros = weights_of_zeros[feature]
        jobs.push_back(job)
    return _run_find_edges(jobs, NULL, max_bins, min_weight, n_threads)


def sample_by_weight(const double[::1] weights, double shift, int64_t n_sampled):
    """Return rows in proportion to their weights, ascending: systematic sampling.

    Parameters
    ----------
    weights : float64 array of shape (n_rows,)
        Positive; one row at least.
    shift : float
        Of the points in the cumulative weights at which a row is taken, in [0, 1).
    n_sampled : int

    Returns
    -------
    rows : int64 array of shape (n_sampled,)
    """
    cdef int64_t[::1] sample = np.empty(n_sampled, dtype=np.int64)
    with nogil:
        skx_sample_by_weight(
            &weights[0], weights.shape[0], shift, n_sampled, &sample[0]
        )
    return np.asarray(sample)


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


cdef struct map_levels_t:
    const int32_t* levels
    int64_t stride
    int64_t n_rows
    int32_t missing
    int itemsize
    void* codes
    uint8_t* has_missing  # (n_chunks,)


cdef void _map_levels(void* context, int chunk) noexcept nogil:
    cdef:
        map_levels_t* job = <map_levels_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t stop = min(start + ROWS_PER_CHUNK, job.n_rows)
        int any_missing
    if job.itemsize == 1:
        any_missing = skx_map_levels(
            job.levels, job.stride, start, stop, job.missing, <uint8_t*> job.codes
        )
    elif job.itemsize == 2:
        any_missing = skx_map_levels(
            job.levels, job.stride, start, stop, job.missing, <uint16_t*> job.codes
        )
    else:
        any_missing = skx_map_levels(
            job.levels, job.stride, start, stop, job.missing, <uint32_t*> job.codes
        )
    job.has_missing[chunk] = any_missing


def map_levels(
    BinnedMatrix matrix, const int32_t[:] codes, int32_t feature, int n_threads=1
):
    """Take over the codes of a categorical column; -1 is a missing value."""
    cdef:
        int n_chunks = <int> (
            (codes.shape[0] + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK
        )
        uint8_t[::1] has_missing = np.empty(n_chunks, dtype=np.uint8)
        uint8_t[::1] out
        map_levels_t job
    if n_chunks == 0:
        return
    column = matrix.column(feature)
    out = column.view(np.uint8)
    job.levels = &codes[0]
    job.stride = codes.strides[0] // <int64_t> sizeof(int32_t)
    job.n_rows = codes.shape[0]
    job.missing = matrix.n_bins[feature]
    job.itemsize = column.dtype.itemsize
    job.codes = &out[0]
    job.has_missing = &has_missing[0]
    with nogil:
        parallel_for(_map_levels, &job, n_chunks, n_threads)
    matrix.has_missing[feature] = np.any(has_missing)


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
