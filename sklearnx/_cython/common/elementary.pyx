"""exp, log, log1p and expit with the same bits on every machine (see skx_math.h).

Python and NumPy code whose result reaches a model uses these in place of `np.exp` and
`math.log`. The arrays of `map_*` are x (IN) and out (OUT), of equal length; they may
not overlap.
"""

from libc.stdint cimport int64_t

from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "elementary_kernels.h" nogil:
    ctypedef void (*skx_map_t)(const double* x, double* out, int64_t n) noexcept nogil
    void skx_map_exp(const double* x, double* out, int64_t n) noexcept
    void skx_map_log(const double* x, double* out, int64_t n) noexcept
    void skx_map_log1p(const double* x, double* out, int64_t n) noexcept
    void skx_map_expit(const double* x, double* out, int64_t n) noexcept
    double skx_exp(double x) noexcept
    double skx_log(double x) noexcept

cdef enum:
    ROWS_PER_CHUNK = 1 << 14


cdef struct job_t:
    skx_map_t function
    const double* x
    double* out
    int64_t n


cdef void _map_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
    job.function(
        job.x + start, job.out + start, min(job.n - start, <int64_t> ROWS_PER_CHUNK)
    )


cdef void _map(
    skx_map_t function, const double[::1] x, double[::1] out, int n_threads
) noexcept:
    cdef:
        int64_t n = x.shape[0]
        int n_chunks = <int> ((n + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
        job_t job
    if n == 0:
        return
    job = job_t(function, &x[0], &out[0], n)
    with nogil:
        parallel_for(_map_chunk, &job, n_chunks, n_threads)


def map_exp(const double[::1] x, double[::1] out, int n_threads=1):
    """Write exp(x) into `out`."""
    _map(skx_map_exp, x, out, n_threads)


def map_log(const double[::1] x, double[::1] out, int n_threads=1):
    """Write the natural logarithm of x into `out`."""
    _map(skx_map_log, x, out, n_threads)


def map_log1p(const double[::1] x, double[::1] out, int n_threads=1):
    """Write log(1 + x) into `out`."""
    _map(skx_map_log1p, x, out, n_threads)


def map_expit(const double[::1] x, double[::1] out, int n_threads=1):
    """Write 1 / (1 + exp(-x)) into `out`."""
    _map(skx_map_expit, x, out, n_threads)


def exp(double x):
    """Return exp(x) of one number."""
    return skx_exp(x)


def log(double x):
    """Return the natural logarithm of one number."""
    return skx_log(x)
