"""Sums over rows for Huber's loss, which is quadratic up to a threshold.

Rows are added up in chunks of a fixed size, so that no bit depends on the threads.
"""

from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "huber_kernels.h" nogil:
    ctypedef struct skx_huber_t:
        double squares
        double inlier_weight
        double outlier_abs
    void skx_add_huber(
        const double* residuals, const double* weights, int64_t n, double threshold,
        skx_huber_t* sums,
    ) noexcept
    void skx_map_huber(
        const double* residuals, const double* weights, int64_t n, double threshold,
        double* scores, double* inlier_weights,
    ) noexcept

cdef enum:
    ROWS_PER_CHUNK = 1 << 14


cdef struct job_t:
    const double* residuals
    const double* weights
    int64_t n
    double threshold
    skx_huber_t* sums  # of each chunk
    double* scores
    double* inlier_weights


cdef void _add_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
    skx_add_huber(
        job.residuals + start, job.weights + start,
        min(job.n - start, <int64_t> ROWS_PER_CHUNK), job.threshold, job.sums + chunk,
    )


cdef void _map_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
    skx_map_huber(
        job.residuals + start, job.weights + start,
        min(job.n - start, <int64_t> ROWS_PER_CHUNK), job.threshold,
        job.scores + start, job.inlier_weights + start,
    )


def sum_huber(
    const double[::1] residuals, const double[::1] weights, double threshold,
    int n_threads=1,
):
    """Add up the rows within the threshold and those beyond it.

    Parameters
    ----------
    residuals, weights : arrays of shape (n,)
        IN, weights not negative.
    threshold : float
        A row with |residual| <= threshold is an inlier.
    n_threads : int, default=1
        Number of threads.

    Returns
    -------
    squares : float
        Sum of weight * residual**2 over the inliers.
    inlier_weight : float
        Sum of the weights of the inliers.
    outlier_abs : float
        Sum of weight * |residual| over the outliers.
    """
    cdef:
        int64_t n = residuals.shape[0]
        int n_chunks = <int> ((n + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
        vector[skx_huber_t] sums
        skx_huber_t total = skx_huber_t(0.0, 0.0, 0.0)
        job_t job
        int chunk
    if n == 0:
        return 0.0, 0.0, 0.0
    with nogil:
        sums.resize(n_chunks, total)
        job = job_t(
            &residuals[0], &weights[0], n, threshold, sums.data(), NULL, NULL
        )
        parallel_for(_add_chunk, &job, n_chunks, n_threads)
        for chunk in range(n_chunks):
            total.squares += sums[chunk].squares
            total.inlier_weight += sums[chunk].inlier_weight
            total.outlier_abs += sums[chunk].outlier_abs
    return total.squares, total.inlier_weight, total.outlier_abs


def map_huber(
    const double[::1] residuals, const double[::1] weights, double threshold,
    double[::1] scores, double[::1] inlier_weights, int n_threads=1,
):
    """Write what the derivatives of the loss need of each row.

    Parameters
    ----------
    residuals, weights : arrays of shape (n,)
        IN.
    threshold : float
        Not negative.
    scores : array of shape (n,)
        OUT, weight * residual, with the residual clipped to the threshold.
    inlier_weights : array of shape (n,)
        OUT, the weight where |residual| <= threshold, else 0.
    n_threads : int, default=1
        Number of threads.
    """
    cdef:
        int64_t n = residuals.shape[0]
        int n_chunks = <int> ((n + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
        job_t job
    if n == 0:
        return
    with nogil:
        job = job_t(
            &residuals[0], &weights[0], n, threshold, NULL, &scores[0],
            &inlier_weights[0],
        )
        parallel_for(_map_chunk, &job, n_chunks, n_threads)
