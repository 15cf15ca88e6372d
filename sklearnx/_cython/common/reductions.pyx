"""Sums, maxima and quantiles that are the same whatever the order or the threads.

Floating-point addition is not associative, so its sums change with the order of the
rows, the number of threads and the width of SIMD registers. Here rows are rounded to
integers first (two of 38 bits each, see reduction_kernels.h), and integer sums do not.
All inputs must be finite: the result for nan is undefined (a number, not a crash), and
nan where a product of value and weight is infinite.
"""

from libc.math cimport INFINITY, NAN, ldexp
from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from sklearnx._cython.common.threads cimport parallel_for

cdef enum:
    ROWS_PER_CHUNK = 1 << 16


cdef struct job_t:
    const double* values
    const double* weights  # NULL for weights of 1
    int64_t n
    double scale
    double low_scale
    double* max_abs  # of each chunk
    int64_t* high
    int64_t* low


cdef void _find_max_abs(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t n = min(job.n - start, <int64_t> ROWS_PER_CHUNK)
    if job.weights == NULL:
        job.max_abs[chunk] = skx_max_abs_unweighted(job.values + start, n)
    else:
        job.max_abs[chunk] = skx_max_abs_weighted(
            job.values + start, job.weights + start, n
        )


cdef void _add_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t n = min(job.n - start, <int64_t> ROWS_PER_CHUNK)
    if job.weights == NULL:
        skx_add_unweighted(
            job.values + start, n, job.scale, job.low_scale,
            job.high + chunk, job.low + chunk,
        )
    else:
        skx_add_weighted(
            job.values + start, job.weights + start, n, job.scale, job.low_scale,
            job.high + chunk, job.low + chunk,
        )


cdef double compute_max_abs(
    const double* values, const double* weights, int64_t n, int n_threads
) noexcept nogil:
    """Return the largest |values * weights|, 0 if there is no row."""
    cdef:
        int n_chunks = <int> ((n + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
        vector[double] of_chunks
        double largest = 0.0
        int chunk
        job_t job
    if n == 0:
        return 0.0
    of_chunks.resize(n_chunks)
    job = job_t(values, weights, n, 0.0, 0.0, of_chunks.data(), NULL, NULL)
    parallel_for(_find_max_abs, &job, n_chunks, n_threads)
    for chunk in range(n_chunks):
        if of_chunks[chunk] > largest:
            largest = of_chunks[chunk]
    return largest


cdef double compute_sum(
    const double* values, const double* weights, int64_t n, int n_threads
) noexcept nogil:
    """Return the sum of values * weights, rounded once."""
    cdef:
        int n_chunks = <int> ((n + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
        int n_bits = skx_fixed_bits(n)
        int shift
        int chunk
        int64_t sum_high = 0
        int64_t sum_low = 0
        double max_abs = compute_max_abs(values, weights, n, n_threads)
        vector[int64_t] high, low
        job_t job
    if max_abs == 0.0:
        return 0.0
    if max_abs == INFINITY:
        return NAN
    high.resize(n_chunks)
    low.resize(n_chunks)
    shift = skx_fixed_shift(max_abs, n_bits)
    job = job_t(
        values, weights, n, ldexp(1.0, shift), ldexp(1.0, n_bits), NULL,
        high.data(), low.data(),
    )
    parallel_for(_add_chunk, &job, n_chunks, n_threads)
    for chunk in range(n_chunks):
        sum_high += high[chunk]
        sum_low += low[chunk]
    return skx_fixed_value(sum_high, sum_low, n_bits, shift)


def max_abs(const double[::1] values, int n_threads=1):
    """Return the largest absolute value, 0 for an empty array."""
    cdef:
        int64_t n = values.shape[0]
        double result
    if n == 0:
        return 0.0
    with nogil:
        result = compute_max_abs(&values[0], NULL, n, n_threads)
    return result


def sum_exact(
    const double[::1] values, const double[::1] weights=None, int n_threads=1
):
    """Return the sum of `values * weights` with the same bits in any order.

    Parameters
    ----------
    values : array of shape (n,)
        IN, finite.
    weights : array of shape (n,), default=None
        IN, finite. An integer weight equals repeating the row.
    n_threads : int, default=1
        Number of threads.

    Returns
    -------
    float
        The sum; its error is at most one unit in the last place and
        ``n * max(abs(values * weights)) * 2**-77``, besides that of the products.
    """
    cdef:
        int64_t n = values.shape[0]
        const double* p_weights = NULL
        double result
    if n == 0:
        return 0.0
    if weights is not None:
        p_weights = &weights[0]
    with nogil:
        result = compute_sum(&values[0], p_weights, n, n_threads)
    return result


def weighted_quantile(
    const double[::1] values, const double[::1] weights=None, double q=0.5
):
    """Return the averaged inverted distribution function of `values` at `q`.

    It is the smallest value v such that the weights of all values up to v sum to at
    least ``q * sum(weights)``, averaged with the next larger value if they sum to
    exactly that (within a relative 2**-50, so that decimal fractions mean what they
    say). The median of an even number of rows is thus the mean of the middle two, and a
    weight of 2 equals the row twice.

    Parameters
    ----------
    values : array of shape (n,)
        IN, finite.
    weights : array of shape (n,), default=None
        IN, finite and at least 0. Rounded to multiples of 2**-38 of the power of two
        above the largest, so that their sums are exact. Rows of weight 0 do not count.
    q : float, default=0.5
        Between 0 and 1.

    Returns
    -------
    float
        The quantile, nan if no row counts.
    """
    cdef:
        int64_t n = values.shape[0]
        int64_t i
        int64_t weight
        double scale = 1.0
        vector[double] unweighted
        vector[skx_weighted_t] weighted
        double result
    if n == 0:
        return NAN
    with nogil:
        if weights is None:
            unweighted.assign(&values[0], &values[0] + n)
            result = skx_find_quantile(unweighted.data(), n, q)
        else:
            scale = compute_weight_scale(&weights[0], n, 1)
            weighted.reserve(n)
            for i in range(n):
                weight = skx_round(weights[i] * scale)
                if weight > 0:
                    weighted.push_back(skx_weighted_t(values[i], weight))
            result = skx_find_weighted_quantile(
                weighted.data(), <int64_t> weighted.size(), q
            )
    return result


cdef double compute_weight_scale(
    const double* weights, int64_t n, int n_threads
) noexcept nogil:
    """Return the power of two by which weights become integers that can be summed."""
    cdef double largest = compute_max_abs(weights, NULL, n, n_threads)
    if largest == 0.0:
        return 1.0
    return ldexp(1.0, skx_fixed_shift(largest, skx_fixed_bits(n)))
