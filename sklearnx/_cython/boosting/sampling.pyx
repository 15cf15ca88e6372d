"""Draw the rows of a round: keys of rows, the key that parts them, the rows below it.

    keys (64 bits a row) --find_threshold--> a key --collect_rows--> ascending rows

Keys are random numbers, or the bits of non-negative doubles, which are ordered as the
doubles are. A threshold is found digit by digit, from the highest: count the keys with
each value of the digit, find the value at which the wanted rank is reached, and look
only at the keys with that value from then on. Counts are integers, so that neither the
order of the rows nor the number of threads matters.
"""

import numpy as np

from libc.math cimport ldexp, sqrt
from libc.stdint cimport int64_t, uint32_t, uint64_t

from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "random.h" nogil:
    uint64_t skx_random(
        uint64_t seed, uint64_t purpose, uint64_t tree, uint64_t node, uint64_t item
    )
    double skx_uniform(uint64_t bits)
    uint64_t SKX_ROWS_OF_ROUND

cdef extern from "skx_math.h" nogil:
    uint64_t skx_bits(double x)
    double skx_from_bits(uint64_t bits)

cdef enum:
    ROWS_PER_CHUNK = 1 << 16
    MAX_DIGITS = 1 << 12
    N_DIGITS = 6
    # Of a norm the exponent and 29 bits are kept, so that 2^32 of the significands of
    # 30 bits can be summed in 64.
    N_DROPPED_BITS = 23
    N_NORM_DIGITS = 4

# The first digit is a double's sign and exponent, the fourth ends where a norm does.
cdef int[N_DIGITS] DIGIT_SHIFTS = [52, 42, 32, 23, 12, 0]
cdef int[N_DIGITS] DIGIT_BITS = [12, 10, 10, 9, 11, 12]


cdef struct job_t:
    int64_t n_rows
    uint64_t* keys
    # Of a pass over one digit.
    uint64_t prefix
    int shift
    int n_bits
    int64_t* counts  # (n_chunks, MAX_DIGITS)
    int64_t* sums  # the same of significands, or NULL
    # Of norms.
    const double* gradients  # (n_outputs, n_rows)
    const double* hessians  # the same, or NULL: all are 1
    const double* weights  # NULL: all are 1
    int n_outputs
    double scale
    double curvature
    double* norms
    # Of random keys.
    uint64_t seed
    uint64_t iteration
    double threshold
    bint by_probability
    # Of drawn rows.
    uint64_t largest_key
    int64_t* starts  # (n_chunks + 1,) counts, then positions in `rows`
    uint32_t* rows


cdef inline int _count_chunks(int64_t n_rows) noexcept nogil:
    return <int> ((n_rows + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)


cdef inline int64_t _find_stop(const job_t* job, int chunk) noexcept nogil:
    return min((<int64_t> chunk + 1) * ROWS_PER_CHUNK, job.n_rows)


# ---- thresholds ----------------------------------------------------------------------


cdef inline int64_t _read_significand(uint64_t key) noexcept nogil:
    """Return the 30 leading bits of a double, 0 for a zero."""
    if key >> 52 == 0:
        return 0
    return ((key & ((<uint64_t> 1 << 52) - 1)) | (<uint64_t> 1 << 52)) >> N_DROPPED_BITS


cdef inline double _read_unit(uint64_t key) noexcept nogil:
    """Return the value of 1 in the significand of a double."""
    return ldexp(1, <int> (key >> 52) - 1075 + N_DROPPED_BITS)


cdef void _count_digits(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t row
        int64_t* counts = job.counts + <int64_t> chunk * MAX_DIGITS
        int64_t* sums = NULL
        uint64_t key, digit, mask = (<uint64_t> 1 << job.n_bits) - 1
    if job.sums != NULL:
        sums = job.sums + <int64_t> chunk * MAX_DIGITS
    for row in range(<int64_t> chunk * ROWS_PER_CHUNK, _find_stop(job, chunk)):
        key = job.keys[row] >> job.shift
        digit = key & mask
        if key >> job.n_bits == job.prefix:
            counts[digit] += 1
            if sums != NULL:
                sums[digit] += _read_significand(job.keys[row])


cdef void _run_pass(job_t* job, int digit_idx, counts, sums, int n_threads):
    """Count a digit of the keys with the prefix found so far; totals in chunk 0."""
    cdef:
        int64_t[:, ::1] counts_view = counts
        int64_t[:, ::1] sums_view
    job.shift = DIGIT_SHIFTS[digit_idx]
    job.n_bits = DIGIT_BITS[digit_idx]
    counts[...] = 0
    job.counts = &counts_view[0, 0]
    job.sums = NULL
    if sums is not None:
        sums[...] = 0
        sums_view = sums
        job.sums = &sums_view[0, 0]
    with nogil:
        parallel_for(_count_digits, job, _count_chunks(job.n_rows), n_threads)
    counts[0] = counts.sum(axis=0)
    if sums is not None:
        sums[0] = sums.sum(axis=0)


def find_threshold(uint64_t[::1] keys, int64_t rank, int n_threads):
    """Find a key that parts the smallest keys from the others.

    IN: keys (n_rows,), rank from 1 to n_rows. Returns threshold, n_below: the number of
    keys up to the threshold, which is `rank` unless several keys equal it.
    """
    cdef:
        int64_t n_chunks = _count_chunks(keys.shape[0])
        int64_t n_before = 0, count = 0
        int64_t[:, ::1] counts
        int digit_idx, digit
        job_t job
    counts_array = np.empty((n_chunks, MAX_DIGITS), dtype=np.int64)
    counts = counts_array
    job.n_rows = keys.shape[0]
    job.keys = &keys[0]
    job.prefix = 0
    for digit_idx in range(N_DIGITS):
        _run_pass(&job, digit_idx, counts_array, None, n_threads)
        digit = 0
        count = counts[0, 0]
        while n_before + count < rank:
            n_before += count
            digit += 1
            count = counts[0, digit]
        job.prefix = (job.prefix << job.n_bits) | <uint64_t> digit
        if n_before + count == rank:
            break
    # All keys with the prefix are below it.
    return (
        (job.prefix << job.shift) | ((<uint64_t> 1 << job.shift) - 1),
        n_before + count,
    )


def find_mvs_threshold(uint64_t[::1] keys, int64_t n_drawn, int n_threads):
    """Find the threshold of minimal variance sampling.

    IN: keys (n_rows,), bits of norms from `compute_norms`; n_drawn below n_rows.
    Returns mu with

        sum of min(1, norm / mu) = n_drawn,

    0 if fewer norms are positive. The left side falls with mu: digit by digit, find the
    last value v at which it still reaches n_drawn. The norms above v have probability
    1, the others share what is left of n_drawn.
    """
    cdef:
        int64_t n_rows = keys.shape[0], n_chunks = _count_chunks(keys.shape[0])
        int64_t n_below = 0, n_below_next
        int64_t[:, ::1] counts, sums
        double sum_below = 0, sum_below_next, value
        uint64_t last, digit
        int digit_idx
        job_t job
    counts_array = np.empty((n_chunks, MAX_DIGITS), dtype=np.int64)
    sums_array = np.empty((n_chunks, MAX_DIGITS), dtype=np.int64)
    counts = counts_array
    sums = sums_array
    job.n_rows = n_rows
    job.keys = &keys[0]
    job.prefix = 0
    for digit_idx in range(N_NORM_DIGITS):
        _run_pass(&job, digit_idx, counts_array, sums_array, n_threads)
        last = 0
        for digit in range(<uint64_t> 1 << job.n_bits):
            # What is below the next value of the digit.
            n_below_next = n_below + counts[0, digit]
            sum_below_next = sum_below + sums[0, digit] * _read_unit(
                ((job.prefix << job.n_bits) | digit) << job.shift
            )
            last = digit
            if digit + 1 == <uint64_t> 1 << job.n_bits:
                break
            value = skx_from_bits(
                (((job.prefix << job.n_bits) | digit) + 1) << job.shift
            )
            if not (sum_below_next + value * (n_rows - n_below_next - n_drawn) >= 0):
                break
            n_below = n_below_next
            sum_below = sum_below_next
        job.prefix = (job.prefix << job.n_bits) | last
    # What is left has one value, v.
    n_below += counts[0, last]
    sum_below += sums[0, last] * _read_unit(job.prefix << job.shift)
    return sum_below / (n_drawn - (n_rows - n_below))


# ---- norms and keys ------------------------------------------------------------------


cdef void _compute_norms(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t row, i
        int output
        double weight, gradient, hessian, norm
        uint64_t bits
    for row in range(<int64_t> chunk * ROWS_PER_CHUNK, _find_stop(job, chunk)):
        weight = job.scale
        if job.weights != NULL:
            weight *= job.weights[row]
        norm = 0
        for output in range(job.n_outputs):
            i = output * job.n_rows + row
            gradient = job.gradients[i] * weight
            hessian = weight * job.curvature
            if job.hessians != NULL:
                hessian *= job.hessians[i]
            norm += gradient * gradient + hessian * hessian
        bits = skx_bits(sqrt(norm)) >> N_DROPPED_BITS << N_DROPPED_BITS
        job.norms[row] = 0 if bits >> 52 == 0 else skx_from_bits(bits)


def compute_norms(
    const double[:, ::1] gradients,
    const double[:, ::1] hessians,
    const double[::1] weights,
    double scale,
    double curvature,
    double[::1] norms,
    int n_threads,
):
    """Compute how much rows matter.

    IN: gradients and hessians (n_outputs, n_rows), hessians None where all are 1;
    weights (n_rows,) or None. OUT: norms (n_rows,) of 30 bits,

        scale * weight * sqrt(sum over outputs of gradient^2 + (curvature * hessian)^2).

    A scale that brings gradients near 1 keeps their squares from overflowing.
    """
    cdef job_t job
    job.n_rows = norms.shape[0]
    job.n_outputs = <int> gradients.shape[0]
    job.gradients = &gradients[0, 0]
    job.hessians = NULL
    if hessians is not None:
        job.hessians = &hessians[0, 0]
    job.weights = NULL
    if weights is not None:
        job.weights = &weights[0]
    job.scale = scale
    job.curvature = curvature
    job.norms = &norms[0]
    with nogil:
        parallel_for(_compute_norms, &job, _count_chunks(job.n_rows), n_threads)


cdef void _draw_keys(void* context, int chunk) noexcept nogil:
    cdef:
        # A copy: what keys are written to might be the struct itself, for all that the
        # compiler knows, and most of the hash does not depend on the row.
        job_t job = (<job_t*> context)[0]
        int64_t row
        uint64_t key
    for row in range(<int64_t> chunk * ROWS_PER_CHUNK, _find_stop(&job, chunk)):
        key = skx_random(job.seed, SKX_ROWS_OF_ROUND, job.iteration, 0, row)
        if job.by_probability:
            key = not (skx_uniform(key) * job.threshold < job.norms[row])
        elif job.norms != NULL and job.norms[row] > job.threshold:
            key = 0
        job.keys[row] = key


def draw_keys(
    uint64_t seed, uint64_t iteration, double[::1] norms, double threshold,
    uint64_t[::1] keys, int n_threads
):
    """Draw a random key for each row.

    IN: norms (n_rows,) or None; those above the threshold get the key 0. OUT: keys
    (n_rows,).
    """
    _run_draw(seed, iteration, norms, threshold, False, keys, n_threads)


def draw_by_probability(
    uint64_t seed, uint64_t iteration, double[::1] norms, double threshold,
    uint64_t[::1] keys, int n_threads
):
    """Draw rows independently, each with the probability min(1, norm / threshold).

    IN: norms (n_rows,). OUT: keys (n_rows,), 0 for the rows drawn, 1 for the others.
    """
    _run_draw(seed, iteration, norms, threshold, True, keys, n_threads)


cdef void _run_draw(
    uint64_t seed, uint64_t iteration, double[::1] norms, double threshold,
    bint by_probability, uint64_t[::1] keys, int n_threads
):
    cdef job_t job
    job.n_rows = keys.shape[0]
    job.seed = seed
    job.iteration = iteration
    job.norms = NULL
    if norms is not None:
        job.norms = &norms[0]
    job.threshold = threshold
    job.by_probability = by_probability
    job.keys = &keys[0]
    with nogil:
        parallel_for(_draw_keys, &job, _count_chunks(job.n_rows), n_threads)


# ---- rows ----------------------------------------------------------------------------


cdef void _count_rows(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t row, count = 0
    for row in range(<int64_t> chunk * ROWS_PER_CHUNK, _find_stop(job, chunk)):
        count += job.keys[row] <= job.largest_key
    job.starts[chunk + 1] = count


cdef void _write_rows(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t row = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t i = 0, count = job.starts[chunk + 1] - job.starts[chunk]
        uint32_t* rows = job.rows + job.starts[chunk]
    # Every row is written, and overwritten if it does not count: no branch to guess.
    while i < count:
        rows[i] = <uint32_t> row
        i += job.keys[row] <= job.largest_key
        row += 1


def collect_rows(uint64_t[::1] keys, uint64_t largest_key, int n_threads):
    """Return the rows whose key is at most `largest_key`, ascending, as uint32 array.

    IN: keys (n_rows,).
    """
    cdef:
        int n_chunks = _count_chunks(keys.shape[0])
        int64_t[::1] starts
        uint32_t[::1] rows
        job_t job
    starts_array = np.zeros(n_chunks + 1, dtype=np.int64)
    starts = starts_array
    job.n_rows = keys.shape[0]
    job.keys = &keys[0]
    job.largest_key = largest_key
    job.starts = &starts[0]
    with nogil:
        parallel_for(_count_rows, &job, n_chunks, n_threads)
    np.cumsum(starts_array, out=starts_array)
    rows_array = np.empty(starts_array[n_chunks], dtype=np.uint32)
    if len(rows_array) == 0:
        return rows_array
    rows = rows_array
    job.rows = &rows[0]
    with nogil:
        parallel_for(_write_rows, &job, n_chunks, n_threads)
    return rows_array


cdef struct product_t:
    double* values
    int64_t n_rows
    int n_outputs
    const uint32_t* rows
    const double* multipliers
    int64_t n_drawn


cdef void _multiply_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        product_t* job = <product_t*> context
        int64_t i, start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t stop = min(start + ROWS_PER_CHUNK, job.n_drawn)
        int output
        double* values
    for output in range(job.n_outputs):
        values = job.values + output * job.n_rows
        for i in range(start, stop):
            values[job.rows[i]] *= job.multipliers[i]


def multiply_rows(
    double[:, ::1] values, uint32_t[::1] rows, double[::1] multipliers, int n_threads
):
    """Multiply some rows of planes.

    IN: rows and multipliers (n_drawn,). INOUT: values (n_outputs, n_rows).
    """
    cdef product_t job
    job.values = &values[0, 0]
    job.n_rows = values.shape[1]
    job.n_outputs = <int> values.shape[0]
    job.rows = &rows[0]
    job.multipliers = &multipliers[0]
    job.n_drawn = rows.shape[0]
    with nogil:
        parallel_for(_multiply_chunk, &job, _count_chunks(job.n_drawn), n_threads)
