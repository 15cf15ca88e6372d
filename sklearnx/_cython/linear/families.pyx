"""Loss, gradients and hessians of the families, a row at a time (family_kernels.h).

Arrays: y, raw, weights, gradients and hessians (n_rows,), for the multinomial family
raw, gradients and probabilities (n_rows, n_classes), all C-contiguous float64. Rows
are worked on in blocks of a fixed size, whose losses are added up in their order, so
that no bit depends on the number of threads.
"""

from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "family_kernels.h" nogil:
    ctypedef struct skx_family_args_t:
        const double* y
        const double* raw
        const double* weights
        double* gradients
        double* hessians
        double power

    ctypedef double (*skx_family_kernel_t)(
        const skx_family_args_t* args, int64_t start, int64_t end
    ) noexcept nogil

    const skx_family_kernel_t* SKX_FAMILIES

    double skx_multinomial_family(
        const double* y, const double* raw, const double* weights,
        double* probabilities, double* gradients, int n_classes,
        int64_t start, int64_t end,
    ) noexcept
    void skx_softmax_rows(
        const double* raw, double* out, int n_classes, int64_t start, int64_t end
    ) noexcept

cdef enum:
    ROWS_PER_CHUNK = 1 << 12


cdef struct job_t:
    skx_family_args_t args
    skx_family_kernel_t kernel
    int n_classes
    int64_t n_rows
    double* losses  # of each chunk


cdef void _evaluate_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t end = min(start + ROWS_PER_CHUNK, job.n_rows)
    job.losses[chunk] = job.kernel(&job.args, start, end)


cdef void _evaluate_multinomial_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t end = min(start + ROWS_PER_CHUNK, job.n_rows)
    job.losses[chunk] = skx_multinomial_family(
        job.args.y, job.args.raw, job.args.weights, job.args.hessians,
        job.args.gradients, job.n_classes, start, end,
    )


cdef void _softmax_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t end = min(start + ROWS_PER_CHUNK, job.n_rows)
    skx_softmax_rows(job.args.raw, job.args.hessians, job.n_classes, start, end)


def evaluate_rows(
    int family,
    double power,
    const double[::1] y,
    const double[::1] raw,
    const double[::1] weights,
    double[::1] gradients,
    double[::1] hessians,
    int n_threads,
):
    """Write weighted gradients and hessians (OUT), return the weighted sum of losses.

    `family` is the position in SKX_FAMILIES, `power` that of the Tweedie families.
    """
    cdef:
        int64_t n_rows = y.shape[0]
        int n_chunks = <int> ((n_rows + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
        vector[double] losses
        double loss = 0.0
        int chunk
        job_t job
    if n_rows == 0:
        return 0.0
    losses.resize(n_chunks)
    job.args = skx_family_args_t(
        &y[0], &raw[0], &weights[0], &gradients[0], &hessians[0], power
    )
    job.kernel = SKX_FAMILIES[family]
    job.n_rows = n_rows
    job.losses = losses.data()
    with nogil:
        parallel_for(_evaluate_chunk, &job, n_chunks, n_threads)
    for chunk in range(n_chunks):
        loss += losses[chunk]
    return loss


def evaluate_multinomial_rows(
    const double[::1] y,
    const double[:, ::1] raw,
    const double[::1] weights,
    double[:, ::1] probabilities,
    double[:, ::1] gradients,
    int n_threads,
):
    """Write probabilities and weighted gradients (OUT), return the sum of losses.

    y holds the class of each row, from 0 to n_classes - 1.
    """
    cdef:
        int64_t n_rows = y.shape[0]
        int n_chunks = <int> ((n_rows + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
        vector[double] losses
        double loss = 0.0
        int chunk
        job_t job
    if n_rows == 0:
        return 0.0
    losses.resize(n_chunks)
    job.args = skx_family_args_t(
        &y[0], &raw[0, 0], &weights[0], &gradients[0, 0], &probabilities[0, 0], 0.0
    )
    job.n_classes = raw.shape[1]
    job.n_rows = n_rows
    job.losses = losses.data()
    with nogil:
        parallel_for(_evaluate_multinomial_chunk, &job, n_chunks, n_threads)
    for chunk in range(n_chunks):
        loss += losses[chunk]
    return loss


def map_softmax(const double[:, ::1] raw, double[:, ::1] out, int n_threads=1):
    """Write the probabilities of the classes (OUT) from raw predictions."""
    cdef:
        int64_t n_rows = raw.shape[0]
        int n_chunks = <int> ((n_rows + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
        job_t job
    if n_rows == 0:
        return
    job.args.raw = &raw[0, 0]
    job.args.hessians = &out[0, 0]
    job.n_classes = raw.shape[1]
    job.n_rows = n_rows
    with nogil:
        parallel_for(_softmax_chunk, &job, n_chunks, n_threads)
