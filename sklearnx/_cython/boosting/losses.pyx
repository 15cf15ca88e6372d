"""Gradients, hessians and values of the losses; values of leaves by selection.

The formulas are in loss_kernels.h. Arrays: y (n_rows,), raw, gradients and hessians
(n_outputs, n_rows), C-contiguous float64, finite. Gradients and hessians are those of
single rows, without weights. Rows are worked on in chunks of a fixed size. Gradients
that nothing but a tree asks for are never stored: each block of them is quantised while
it is in the cache.
"""

from libc.math cimport INFINITY, ldexp
from libc.stdint cimport int32_t, int64_t, uint32_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport strcmp

import numpy as np

from sklearnx._cython.boosting.quantization cimport (
    ROWS_PER_QUANTIZATION,
    QuantizedGradients,
    count_chunks,
    end_chunk,
    quantization_t,
    skx_found_t,
    skx_quantize,
)
from sklearnx._cython.common.reductions cimport (
    compute_weight_scale,
    skx_add_one,
    skx_find_quantile,
    skx_find_weighted_quantile,
    skx_fixed_bits,
    skx_fixed_shift,
    skx_fixed_value,
    skx_round,
    skx_weighted_t,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "loss_kernels.h" nogil:
    ctypedef struct skx_loss_args_t:
        const double* y
        const double* raw
        double* gradients
        double* hessians
        int64_t first
        int64_t stride
        double* losses
        int64_t n_rows
        int n_outputs
        double param

    ctypedef void (*skx_loss_kernel_t)(
        const skx_loss_args_t* args, int64_t start, int64_t end
    ) noexcept nogil

    ctypedef struct skx_loss_t:
        const char* name
        skx_loss_kernel_t gradients
        skx_loss_kernel_t losses

    const skx_loss_t* SKX_LOSSES
    int SKX_N_LOSSES
    void skx_map_softmax(
        const skx_loss_args_t* args, int64_t start, int64_t end
    ) noexcept
    void skx_map_binary_probabilities(
        const skx_loss_args_t* args, int64_t start, int64_t end
    ) noexcept
    double skx_clip(double x, double delta) noexcept

ctypedef fused sample_idx_t:
    int32_t
    uint32_t

cdef enum:
    ROWS_PER_BLOCK = 1 << 8  # whose gradients stay in the first cache

cdef struct job_t:
    skx_loss_args_t args
    skx_loss_kernel_t kernel

cdef struct quantize_job_t:
    skx_loss_args_t args
    skx_loss_kernel_t kernel
    bint has_hessians
    quantization_t** outputs  # those to be quantised; NULL: not this one
    bint is_done  # False if a thread found no memory


cdef void _run_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_QUANTIZATION
    job.kernel(&job.args, start, min(start + ROWS_PER_QUANTIZATION, job.args.n_rows))


cdef void _run(job_t* job, int n_threads) noexcept:
    with nogil:
        parallel_for(_run_chunk, job, count_chunks(job.args.n_rows), n_threads)


cdef void _quantize_chunk(void* context, int chunk) noexcept nogil:
    """Compute gradients block by block, and round those of each."""
    cdef:
        quantize_job_t* job = <quantize_job_t*> context
        skx_loss_args_t args = job.args
        int n_outputs = args.n_outputs
        int64_t start = <int64_t> chunk * ROWS_PER_QUANTIZATION
        int64_t end = min(start + ROWS_PER_QUANTIZATION, args.n_rows)
        int64_t stop
        int k
        skx_found_t* found = <skx_found_t*> calloc(n_outputs, sizeof(skx_found_t))
        double* scratch = <double*> malloc(
            2 * n_outputs * ROWS_PER_BLOCK * sizeof(double)
        )
    if found == NULL or scratch == NULL:
        job.is_done = False
        free(found)
        free(scratch)
        return
    args.stride = ROWS_PER_BLOCK
    args.gradients = scratch
    args.hessians = scratch + n_outputs * ROWS_PER_BLOCK
    while start < end:
        stop = min(start + ROWS_PER_BLOCK, end)
        args.first = start
        job.kernel(&args, start, stop)
        for k in range(n_outputs):
            if job.outputs[k] != NULL:
                skx_quantize(
                    &job.outputs[k].args,
                    args.gradients + k * ROWS_PER_BLOCK,
                    &args.hessians[k * ROWS_PER_BLOCK] if job.has_hessians else NULL,
                    start,
                    stop,
                    &found[k],
                )
        start = stop
    for k in range(n_outputs):
        if job.outputs[k] != NULL:
            end_chunk(job.outputs[k], chunk, &found[k])
    free(found)
    free(scratch)


cdef const skx_loss_t* _find_loss(str name) except NULL:
    cdef bytes key = name.encode()
    for i in range(SKX_N_LOSSES):
        if strcmp(SKX_LOSSES[i].name, key) == 0:
            return &SKX_LOSSES[i]
    raise ValueError(f"there is no kernel for the loss {name!r}")


cdef skx_loss_args_t _make_args(
    const double* y, const double* raw, int64_t n_rows, int n_outputs, double param=0
) noexcept:
    """Return what all kernels read. IN: y (n_rows,) or NULL, raw planes, param."""
    cdef skx_loss_args_t args
    args.y = y
    args.raw = raw
    args.n_rows = args.stride = n_rows
    args.first = 0
    args.n_outputs = n_outputs
    args.param = param
    return args


def compute_gradients(
    str loss,
    const double[::1] y,
    const double[:, ::1] raw,
    double[:, ::1] gradients,
    double[:, ::1] hessians,
    double param=0.0,
    int n_threads=1,
):
    """Write the gradients and hessians of all rows.

    IN: loss (a name in loss_kernels.h), y, raw, param (its quantile, delta or power).
    OUT: gradients, and hessians unless they are 1 (then None will do).
    """
    cdef job_t job
    if y.shape[0] == 0:
        return
    job.kernel = _find_loss(loss).gradients
    job.args = _make_args(
        &y[0], &raw[0, 0], y.shape[0], <int> raw.shape[0], param
    )
    job.args.gradients = &gradients[0, 0]
    if hessians is not None:
        job.args.hessians = &hessians[0, 0]
    _run(&job, n_threads)


def quantize_gradients(
    str loss,
    const double[::1] y,
    const double[:, ::1] raw,
    quantized,
    *,
    bint has_hessians,
    int first_output=0,
    double param=0.0,
    int n_threads=1,
):
    """Quantise the gradients and hessians of all rows, which are not kept.

    IN: loss, y, raw and param as for `compute_gradients`, has_hessians (False if they
    are 1). INOUT: quantized, a `QuantizedGradients` for each output, which are counted
    from `first_output` on.

    Raises
    ------
    FloatingPointError
        If any gradient or hessian is not finite.
    """
    cdef:
        quantize_job_t job
        int k, n_outputs = <int> raw.shape[0]
        bint is_finished = False
        QuantizedGradients of_output
        uintptr_t[::1] outputs = np.empty(n_outputs, dtype=np.uintp)
    job.kernel = _find_loss(loss).gradients
    job.args = _make_args(
        &y[0], &raw[0, 0], y.shape[0], <int> raw.shape[0], param
    )
    job.has_hessians = has_hessians
    job.outputs = <quantization_t**> &outputs[0]
    for k in range(n_outputs):
        of_output = quantized[k]
        of_output.start(has_hessians, first_output + k)
        outputs[k] = <uintptr_t> &of_output.job
    while not is_finished:
        job.is_done = is_finished = True
        with nogil:
            parallel_for(_quantize_chunk, &job, count_chunks(y.shape[0]), n_threads)
        if not job.is_done:
            raise MemoryError("not enough memory for the gradients of some rows")
        for k in range(n_outputs):
            if outputs[k] != 0:
                of_output = quantized[k]
                if of_output.finish():
                    outputs[k] = 0
                else:
                    is_finished = False


def compute_losses(
    str loss,
    const double[::1] y,
    const double[:, ::1] raw,
    double[::1] losses,
    double param=0.0,
    int n_threads=1,
):
    """Write the loss of each row. IN: loss, y, raw, param. OUT: losses (n_rows,)."""
    cdef job_t job
    if y.shape[0] == 0:
        return
    job.kernel = _find_loss(loss).losses
    job.args = _make_args(
        &y[0], &raw[0, 0], y.shape[0], <int> raw.shape[0], param
    )
    job.args.losses = &losses[0]
    _run(&job, n_threads)


def map_softmax(
    const double[:, ::1] raw, double[:, ::1] probabilities, int n_threads=1
):
    """Write softmax over outputs. IN: raw. OUT: probabilities (n_rows, n_outputs)."""
    cdef job_t job
    if raw.shape[1] == 0:
        return
    job.kernel = skx_map_softmax
    job.args = _make_args(NULL, &raw[0, 0], raw.shape[1], <int> raw.shape[0])
    job.args.losses = &probabilities[0, 0]
    _run(&job, n_threads)


def map_binary_probabilities(
    const double[::1] raw, double[:, ::1] probabilities, int n_threads=1
):
    """Write (1 - p, p), p = expit(raw). IN: raw. OUT: probabilities (n_rows, 2)."""
    cdef job_t job
    if raw.shape[0] == 0:
        return
    job.kernel = skx_map_binary_probabilities
    job.args = _make_args(NULL, &raw[0], raw.shape[0], 1)
    job.args.losses = &probabilities[0, 0]
    _run(&job, n_threads)


# ---- values of leaves ----------------------------------------------------------------

cdef struct leaves_t:
    const double* y
    const double* raw
    const double* weights  # NULL for weights of 1
    double weight_scale
    const uint32_t* sample_indices
    const int64_t* leaf_offsets
    double* values
    double quantile
    double delta  # of huber; infinite: the quantile itself
    double* residuals  # scratch of all rows, in the order of the leaves
    skx_weighted_t* weighted


cdef int64_t _gather_weighted(
    leaves_t* leaves, int64_t start, int64_t end
) noexcept nogil:
    """Move residuals and fixed-point weights to scratch; return how many count."""
    cdef:
        int64_t i, row, weight
        int64_t n = 0
        skx_weighted_t* out = leaves.weighted + start
    for i in range(start, end):
        row = leaves.sample_indices[i]
        weight = skx_round(leaves.weights[row] * leaves.weight_scale)
        if weight > 0:
            out[n].value = leaves.y[row] - leaves.raw[row]
            out[n].weight = weight
            n += 1
    return n


cdef double _find_mean_clipped(
    leaves_t* leaves, int64_t start, int64_t end, double median
) noexcept nogil:
    """Return the weighted mean of the residuals' clipped distances to their median."""
    cdef:
        int64_t i, row
        int64_t high = 0
        int64_t low = 0
        int64_t weight_high = 0
        int64_t weight_low = 0
        int n_bits = skx_fixed_bits(end - start)
        int weight_shift
        int shift
        double largest = 0.0
        double scale, low_scale, weight_scale, clipped, weight
        double sum_weights
    for i in range(start, end):
        row = leaves.sample_indices[i]
        weight = leaves.weights[row] if leaves.weights != NULL else 1.0
        largest = max(largest, weight)
    if largest == 0.0 or leaves.delta == 0.0:
        return 0.0
    weight_shift = skx_fixed_shift(largest, n_bits)
    shift = skx_fixed_shift(leaves.delta * largest, n_bits)
    scale = ldexp(1.0, shift)
    weight_scale = ldexp(1.0, weight_shift)
    low_scale = ldexp(1.0, n_bits)
    for i in range(start, end):
        row = leaves.sample_indices[i]
        weight = leaves.weights[row] if leaves.weights != NULL else 1.0
        clipped = skx_clip(leaves.y[row] - leaves.raw[row] - median, leaves.delta)
        skx_add_one(clipped * weight, scale, low_scale, &high, &low)
        skx_add_one(weight, weight_scale, low_scale, &weight_high, &weight_low)
    sum_weights = skx_fixed_value(weight_high, weight_low, n_bits, weight_shift)
    return skx_fixed_value(high, low, n_bits, shift) / sum_weights


cdef void _compute_leaf(void* context, int leaf) noexcept nogil:
    cdef:
        leaves_t* leaves = <leaves_t*> context
        int64_t start = leaves.leaf_offsets[leaf]
        int64_t end = leaves.leaf_offsets[leaf + 1]
        int64_t i, row, n
        double value
    if leaves.weights == NULL:
        for i in range(start, end):
            row = leaves.sample_indices[i]
            leaves.residuals[i] = leaves.y[row] - leaves.raw[row]
        n = end - start
        value = skx_find_quantile(leaves.residuals + start, n, leaves.quantile)
    else:
        n = _gather_weighted(leaves, start, end)
        value = skx_find_weighted_quantile(leaves.weighted + start, n, leaves.quantile)
    if n == 0:
        value = 0.0
    elif leaves.delta != INFINITY:
        value = value + _find_mean_clipped(leaves, start, end, value)
    leaves.values[leaf] = value


cdef void _compute_leaves(
    leaves_t* leaves, const double[::1] sample_weight, int64_t n_samples, int n_leaves,
    int n_threads,
):
    cdef double[::1] scratch = np.empty(
        2 * n_samples if sample_weight is not None else n_samples
    )
    if n_samples == 0:
        return
    leaves.residuals = &scratch[0]
    leaves.weighted = <skx_weighted_t*> &scratch[0]
    leaves.weights = NULL
    leaves.weight_scale = 1.0
    with nogil:
        if sample_weight is not None:
            leaves.weights = &sample_weight[0]
            leaves.weight_scale = compute_weight_scale(
                leaves.weights, sample_weight.shape[0], n_threads
            )
        parallel_for(_compute_leaf, leaves, n_leaves, n_threads)


def compute_leaf_quantiles(
    const double[::1] y,
    const double[::1] raw,
    const sample_idx_t[::1] sample_indices,
    const int64_t[::1] leaf_offsets,
    const double[::1] sample_weight,
    double quantile,
    double[::1] values,
    int n_threads=1,
):
    """Write the quantile of y - raw of the rows of each leaf.

    The quantile is that of `weighted_quantile` (averaged inverted distribution
    function). A leaf without weight gets 0.

    IN: y, raw (n_rows,), sample_indices (n_samples,) rows sorted by leaf, leaf_offsets
    (n_leaves + 1,) first place of each leaf among them, sample_weight (n_rows,) or
    None, quantile. OUT: values (n_leaves,).
    """
    cdef leaves_t leaves
    values[:] = 0.0
    if sample_indices.shape[0] == 0:
        return
    leaves.y = &y[0]
    leaves.raw = &raw[0]
    leaves.sample_indices = <const uint32_t*> &sample_indices[0]
    leaves.leaf_offsets = &leaf_offsets[0]
    leaves.values = &values[0]
    leaves.quantile = quantile
    leaves.delta = INFINITY
    _compute_leaves(
        &leaves, sample_weight, sample_indices.shape[0], <int> values.shape[0],
        n_threads,
    )


def compute_leaf_huber(
    const double[::1] y,
    const double[::1] raw,
    const sample_idx_t[::1] sample_indices,
    const int64_t[::1] leaf_offsets,
    const double[::1] sample_weight,
    double delta,
    double[::1] values,
    int n_threads=1,
):
    """Write Friedman's one-step estimate of the centre of y - raw of each leaf.

    With the residuals r and their median m it is m + mean(clip(r - m, -delta, delta))
    (Friedman 2001, Algorithm 4). Arrays as in `compute_leaf_quantiles`.
    """
    cdef leaves_t leaves
    values[:] = 0.0
    if sample_indices.shape[0] == 0:
        return
    leaves.y = &y[0]
    leaves.raw = &raw[0]
    leaves.sample_indices = <const uint32_t*> &sample_indices[0]
    leaves.leaf_offsets = &leaf_offsets[0]
    leaves.values = &values[0]
    leaves.quantile = 0.5
    leaves.delta = delta
    _compute_leaves(
        &leaves, sample_weight, sample_indices.shape[0], <int> values.shape[0],
        n_threads,
    )
