"""Loss, gradients and hessians of the families, a row at a time (family_kernels.h).

Arrays: y, raw, weights, gradients and hessians (n_rows,), for the multinomial family
raw, gradients and probabilities (n_rows, n_classes), all C-contiguous float64. Rows of
several members come in turns, and have a sum of losses for each member. Rows are worked
on in blocks of a fixed size, whose losses are added up in their order, so that no bit
depends on the number of threads.
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
        int n_members

    ctypedef void (*skx_family_kernel_t)(
        const skx_family_args_t* args, int64_t start, int64_t end, double* sums
    ) noexcept nogil

    const skx_family_kernel_t* SKX_FAMILIES

    void skx_multinomial_family(
        const skx_family_args_t* args, int n_classes, int64_t start, int64_t end,
        double* sums,
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
    double* losses  # of each chunk and member


cdef void _evaluate_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t end = min(start + ROWS_PER_CHUNK, job.n_rows)
        double* sums = job.losses + chunk * job.args.n_members
    if job.kernel != NULL:
        job.kernel(&job.args, start, end, sums)
    else:
        skx_multinomial_family(&job.args, job.n_classes, start, end, sums)


cdef _evaluate(job_t* job, double[::1] losses, int n_threads):
    """Run a job whose arrays are set; losses (OUT) of each member."""
    cdef:
        int n_chunks = <int> ((job.n_rows + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
        int n_members = <int> losses.shape[0]
        vector[double] of_chunks
        int chunk, member
    of_chunks.resize(<int64_t> n_chunks * n_members, 0.0)
    job.args.n_members = n_members
    job.losses = of_chunks.data()
    with nogil:
        parallel_for(_evaluate_chunk, job, n_chunks, n_threads)
    losses[:] = 0.0
    for chunk in range(n_chunks):
        for member in range(n_members):
            losses[member] += of_chunks[chunk * n_members + member]


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
    double[::1] losses,
    int n_threads,
):
    """Write weighted gradients and hessians (OUT), and sums of weighted losses (OUT).

    `family` is the position in SKX_FAMILIES, `power` that of the Tweedie families;
    `losses` has a value a member.
    """
    cdef job_t job
    if y.shape[0] == 0:
        losses[:] = 0.0
        return
    job.args = skx_family_args_t(
        &y[0], &raw[0], &weights[0], &gradients[0], &hessians[0], power, 1
    )
    job.kernel = SKX_FAMILIES[family]
    job.n_rows = y.shape[0]
    _evaluate(&job, losses, n_threads)


def evaluate_multinomial_rows(
    const double[::1] y,
    const double[:, ::1] raw,
    const double[::1] weights,
    double[:, ::1] probabilities,
    double[:, ::1] gradients,
    double[::1] losses,
    int n_threads,
):
    """Write probabilities and weighted gradients (OUT), and sums of losses (OUT).

    y holds the class of each row, from 0 to n_classes - 1; `losses` has a value a
    member.
    """
    cdef job_t job
    if y.shape[0] == 0:
        losses[:] = 0.0
        return
    job.args = skx_family_args_t(
        &y[0], &raw[0, 0], &weights[0], &gradients[0, 0], &probabilities[0, 0], 0.0, 1
    )
    job.kernel = NULL
    job.n_classes = raw.shape[1]
    job.n_rows = y.shape[0]
    _evaluate(&job, losses, n_threads)


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
