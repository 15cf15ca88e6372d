"""Partition the rows of a node into those of its children, keeping their order.

    rows          | chunk 0 | chunk 1 | chunk 2 |
    left_buffer   | L0      | L1      | L2      |    each chunk on its own,
    right_buffer  | R0      | R1      | R2      |    at its own place,
    rows          | L0 L1 L2 | R0 R1 R2         |    then side by side
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.common.dtypes cimport (
    NARROW_STORAGE,
    SPARSE_STORAGE,
    binned_t,
    skx_translate_codes,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "partition_kernels.h" nogil:
    ctypedef struct skx_left_codes_t:
        pass

    skx_left_codes_t skx_pack_left_codes(
        const uint8_t* goes_left, int n_codes
    ) noexcept
    int64_t skx_split_narrow_rows(
        const uint8_t* codes, const skx_left_codes_t* left_codes, int64_t n_rows_in_all,
        const uint8_t* goes_left, const uint32_t* rows, int64_t n_rows, uint32_t* left,
        uint32_t* right,
    ) noexcept
    int64_t skx_sum_weights(
        const int64_t* weights, int64_t n_rows_in_all, const uint32_t* rows,
        int64_t n_rows,
    ) noexcept
    int64_t skx_split_rows16 "skx_split_rows"(
        const uint16_t* codes, const uint8_t* goes_left, const uint32_t* rows,
        int64_t n_rows, uint32_t* left, uint32_t* right,
    ) noexcept
    int64_t skx_split_rows32 "skx_split_rows"(
        const uint32_t* codes, const uint8_t* goes_left, const uint32_t* rows,
        int64_t n_rows, uint32_t* left, uint32_t* right,
    ) noexcept

cdef extern from "sparse_kernels.h" nogil:
    int64_t skx_split_sparse_rows(
        const uint32_t* entry_rows, const uint8_t* entry_codes, int64_t n_entries,
        int default_code, const uint8_t* goes_left, const uint32_t* rows,
        int64_t n_rows, uint32_t* left, uint32_t* right,
    ) noexcept

cdef enum:
    ROWS_PER_CHUNK = 1 << 12
    MIN_ROWS_FOR_THREADS = 1 << 13


cdef struct job_t:
    const binned_t* binned
    int feature
    const uint8_t* goes_left  # by code of the feature
    uint8_t[256] narrow_left  # by code of its column
    skx_left_codes_t left_codes  # the same
    const int64_t* weights
    const uint32_t* source
    uint32_t* rows
    int64_t n_rows
    uint32_t* left_buffer
    uint32_t* right_buffer
    int64_t* n_left  # of each chunk; then how many go left before it
    int64_t* side_weights
    bint sums_left
    int64_t total_left


def split(
    BinnedMatrix matrix,
    int feature,
    const uint8_t[::1] goes_left,
    uint32_t[::1] rows,
    int n_threads=1,
):
    """Move the rows that go left before those that go right; return how many do.

    IN: matrix, goes_left (n_bins + 1,), 0 or 1 for each code of `feature`. INOUT: rows
    (n_rows,), which keep their order on either side.
    """
    cdef:
        int64_t n_rows = rows.shape[0], n_left
        uint32_t[::1] left_buffer = np.empty(n_rows, dtype=np.uint32)
        uint32_t[::1] right_buffer = np.empty(n_rows, dtype=np.uint32)
        int64_t left_weight
    if n_rows == 0:
        return 0
    with nogil:
        n_left = partition_rows(
            &matrix.binned,
            feature,
            &goes_left[0],
            NULL,
            &rows[0],
            &rows[0],
            n_rows,
            &left_buffer[0],
            &right_buffer[0],
            True,
            &left_weight,
            n_threads,
        )
    if n_left < 0:
        raise MemoryError()
    return n_left


cdef int64_t partition_rows(
    const binned_t* binned,
    int feature,
    const uint8_t* goes_left,
    const int64_t* weights,
    const uint32_t* source,
    uint32_t* rows,
    int64_t n_rows,
    uint32_t* left_buffer,
    uint32_t* right_buffer,
    bint sums_left,
    int64_t* side_weight,
    int n_threads,
) noexcept nogil:
    """Write the rows that go left before those that go right; return how many do.

    IN: binned, goes_left (n_bins + 1,) by code, weights of all rows or NULL for 1,
    source (n_rows,). OUT: rows (n_rows,), which may be source; side_weight, the sum of
    the weights of those that go left, or else of those that go right. Scratch:
    left_buffer and right_buffer (n_rows,).

    Returns -1 if there is no memory left.
    """
    cdef:
        job_t job
        int n_codes
        int64_t n_chunks = (n_rows + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK
        int64_t chunk, n_left, total = 0
        int64_t* memory = <int64_t*> malloc(2 * n_chunks * sizeof(int64_t))
    if memory == NULL:
        return -1
    if n_rows < MIN_ROWS_FOR_THREADS:
        n_threads = 1
    job.binned = binned
    job.feature = feature
    job.goes_left = goes_left
    if binned.storage[feature] == NARROW_STORAGE:
        n_codes = skx_translate_codes(binned, feature, goes_left, job.narrow_left)
        job.left_codes = skx_pack_left_codes(job.narrow_left, n_codes)
    job.weights = weights
    job.source = source
    job.rows = rows
    job.n_rows = n_rows
    job.left_buffer = left_buffer
    job.right_buffer = right_buffer
    job.n_left = memory
    job.side_weights = memory + n_chunks
    job.sums_left = sums_left
    parallel_for(_split_chunk, &job, <int> n_chunks, n_threads)
    side_weight[0] = 0
    for chunk in range(n_chunks):
        n_left = job.n_left[chunk]
        job.n_left[chunk] = total
        total += n_left
        side_weight[0] += job.side_weights[chunk]
    job.total_left = total
    parallel_for(_join_chunk, &job, <int> n_chunks, n_threads)
    free(memory)
    return total


cdef void _split_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        const binned_t* binned = job.binned
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t stop = min(start + ROWS_PER_CHUNK, job.n_rows)
        int position = binned.positions[job.feature]
        int64_t first = position * binned.n_rows
        int64_t n_left, n_side
        uint32_t* side
        # Of one chunk alone those that go left are where they belong.
        uint32_t* left = (
            job.rows if job.n_rows <= ROWS_PER_CHUNK else job.left_buffer + start
        )
    if binned.storage[job.feature] == NARROW_STORAGE:
        n_left = skx_split_narrow_rows(
            binned.columns + first,
            &job.left_codes,
            binned.n_rows,
            job.narrow_left,
            job.source + start,
            stop - start,
            left,
            job.right_buffer + start,
        )
    elif binned.storage[job.feature] == SPARSE_STORAGE:
        first = binned.entry_starts[position]
        n_left = skx_split_sparse_rows(
            binned.entry_rows + first,
            binned.entry_codes + first,
            binned.entry_starts[position + 1] - first,
            binned.default_codes[job.feature],
            job.goes_left,
            job.source + start,
            stop - start,
            left,
            job.right_buffer + start,
        )
    elif binned.wide16 != NULL:
        n_left = skx_split_rows16(
            binned.wide16 + first,
            job.goes_left,
            job.source + start,
            stop - start,
            left,
            job.right_buffer + start,
        )
    else:
        n_left = skx_split_rows32(
            binned.wide32 + first,
            job.goes_left,
            job.source + start,
            stop - start,
            left,
            job.right_buffer + start,
        )
    job.n_left[chunk] = n_left
    side, n_side = left, n_left
    if not job.sums_left:
        side, n_side = job.right_buffer + start, stop - start - n_left
    job.side_weights[chunk] = n_side
    if job.weights != NULL:
        job.side_weights[chunk] = skx_sum_weights(
            job.weights, binned.n_rows, side, n_side
        )


cdef void _join_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t total = job.total_left
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t stop = min(start + ROWS_PER_CHUNK, job.n_rows)
        int64_t first_left = job.n_left[chunk]
        int64_t last_left = total if stop == job.n_rows else job.n_left[chunk + 1]
        int64_t n_left = last_left - first_left
    if job.n_rows > ROWS_PER_CHUNK:
        memcpy(
            job.rows + first_left, job.left_buffer + start, n_left * sizeof(uint32_t)
        )
    memcpy(
        job.rows + total + (start - first_left),
        job.right_buffer + start,
        (stop - start - n_left) * sizeof(uint32_t),
    )
