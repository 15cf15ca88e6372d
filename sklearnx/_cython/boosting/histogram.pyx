"""Histograms of a node: the sums of gradients, hessians and counts in every bin.

Rows of a node are cut into as many slots as there are threads with enough work; each
slot has sums of its own, which are added up at the end. The sums are integers, hence
neither the cut nor the order of addition changes a bit.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.boosting.quantization cimport QuantizedGradients
from sklearnx._cython.common.dtypes cimport (
    PACKED_COUNT_MASK,
    PACKED_GRADIENT_SHIFT,
    PACKED_HESSIAN_MASK,
    PACKED_HESSIAN_SHIFT,
    PACKED_MAX_ROWS,
    PACKED_STRIDE,
    binned_t,
    hist_bin_t,
    quantized_t,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "prefetch.h" nogil:
    void SKX_PREFETCH(const void* address)

ctypedef fused wide_code_t:
    uint16_t
    uint32_t

cdef enum:
    UPDATES_PER_SLOT = 1 << 18  # with fewer, a second thread costs more than it brings
    PREFETCH_DISTANCE = 16

# The struct hist_bin_t.
HIST_BIN_DTYPE = np.dtype(
    [
        ("sum_gradients", np.int64),
        ("sum_hessians", np.int64),
        ("n_samples", np.int64),
    ]
)


def build(
    BinnedMatrix matrix,
    QuantizedGradients quantized,
    const uint32_t[::1] rows,
    int n_threads=1,
):
    """Return the histogram of some rows.

    IN: matrix, quantized, rows (n_rows,) in ascending order.

    Returns
    -------
    histogram : HIST_BIN_DTYPE array of shape (matrix.offsets[-1],)
        The bins of feature `f` begin at `matrix.offsets[f]`, its missing bin is last.
    """
    histogram = np.empty(matrix.offsets[len(matrix.offsets) - 1], dtype=HIST_BIN_DTYPE)
    cdef:
        int64_t[::1] sums = histogram.view(np.int64)
        workspace_t* workspace = allocate_workspace(&matrix.binned, n_threads)
    if workspace == NULL:
        raise MemoryError()
    with nogil:
        build_histogram(
            &matrix.binned,
            &quantized.quantized,
            &rows[0] if rows.shape[0] > 0 else NULL,
            rows.shape[0],
            workspace,
            <hist_bin_t*> &sums[0],
            n_threads,
        )
        free_workspace(workspace)
    return histogram


cdef workspace_t* allocate_workspace(
    const binned_t* binned, int n_slots
) noexcept nogil:
    """Return scratch memory for `n_slots` threads, or NULL if there is none left."""
    cdef:
        int slot
        bint failed = False
        workspace_t* workspace = <workspace_t*> calloc(1, sizeof(workspace_t))
    if workspace == NULL:
        return NULL
    workspace.n_slots = n_slots
    workspace.packed = <int64_t**> calloc(n_slots, sizeof(int64_t*))
    workspace.partial = <hist_bin_t**> calloc(n_slots, sizeof(hist_bin_t*))
    if workspace.packed == NULL or workspace.partial == NULL:
        free_workspace(workspace)
        return NULL
    for slot in range(n_slots):
        workspace.packed[slot] = <int64_t*> calloc(
            <int64_t> binned.n_narrow * PACKED_STRIDE + 1, sizeof(int64_t)
        )
        failed = failed or workspace.packed[slot] == NULL
        if slot > 0:
            workspace.partial[slot] = <hist_bin_t*> calloc(
                binned.offsets[binned.n_features] + 1, sizeof(hist_bin_t)
            )
            failed = failed or workspace.partial[slot] == NULL
    if failed:
        free_workspace(workspace)
        return NULL
    return workspace


cdef void free_workspace(workspace_t* workspace) noexcept nogil:
    cdef int slot
    if workspace == NULL:
        return
    for slot in range(workspace.n_slots):
        if workspace.packed != NULL:
            free(workspace.packed[slot])
        if workspace.partial != NULL:
            free(workspace.partial[slot])
    free(workspace.packed)
    free(workspace.partial)
    free(workspace)


cdef struct job_t:
    const binned_t* binned
    const quantized_t* quantized
    const uint32_t* rows
    int64_t n_rows
    workspace_t* workspace
    hist_bin_t* histogram
    int n_slots


cdef void build_histogram(
    const binned_t* binned,
    const quantized_t* quantized,
    const uint32_t* rows,
    int64_t n_rows,
    workspace_t* workspace,
    hist_bin_t* histogram,
    int n_threads,
) noexcept nogil:
    """Sum gradients, hessians and counts of `rows` in every bin of every feature.

    IN: binned, quantized, rows (n_rows,). OUT: histogram (offsets[n_features],).
    """
    cdef:
        job_t job
        int64_t n_slots = n_rows * binned.n_features // UPDATES_PER_SLOT
    if n_slots > n_threads:
        n_slots = n_threads
    if n_slots > workspace.n_slots:
        n_slots = workspace.n_slots
    if n_slots < 1:
        n_slots = 1
    job.binned = binned
    job.quantized = quantized
    job.rows = rows
    job.n_rows = n_rows
    job.workspace = workspace
    job.histogram = histogram
    job.n_slots = <int> n_slots
    parallel_for(_build_slot, &job, job.n_slots, n_threads)
    if n_slots > 1:
        parallel_for(_merge_slots_of_feature, &job, binned.n_features, n_threads)


cdef void _build_slot(void* context, int slot) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        const binned_t* binned = job.binned
        int64_t start = job.n_rows * slot // job.n_slots
        int64_t stop = job.n_rows * (slot + 1) // job.n_slots
        int64_t first
        int position
        hist_bin_t* histogram = (
            job.histogram if slot == 0 else job.workspace.partial[slot]
        )
    memset(histogram, 0, binned.offsets[binned.n_features] * sizeof(hist_bin_t))
    if job.quantized.packed != NULL:
        first = start
        while first < stop:
            _add_packed(
                binned,
                job.quantized.packed,
                job.rows + first,
                min(stop - first, <int64_t> PACKED_MAX_ROWS),
                job.workspace.packed[slot],
            )
            _flush_packed(binned, job.workspace.packed[slot], histogram)
            first += PACKED_MAX_ROWS
    else:
        _add_exact(binned, job.quantized, job.rows + start, stop - start, histogram)
    for position in range(binned.n_wide):
        if binned.wide16 != NULL:
            _add_wide_column(
                binned.wide16 + position * binned.n_rows,
                job.quantized,
                job.rows + start,
                stop - start,
                histogram + binned.offsets[binned.wide_features[position]],
            )
        else:
            _add_wide_column(
                binned.wide32 + position * binned.n_rows,
                job.quantized,
                job.rows + start,
                stop - start,
                histogram + binned.offsets[binned.wide_features[position]],
            )


cdef void _add_packed(
    const binned_t* binned,
    const int64_t* packed,
    const uint32_t* rows,
    int64_t n_rows,
    int64_t* sums,
) noexcept nogil:
    """Add at most PACKED_MAX_ROWS rows of the narrow features to packed `sums`.

    Rows are gathered in ascending order; a hint 16 rows ahead hides the latency.
    """
    cdef:
        int64_t i, row, ahead, word, n_columns = binned.n_narrow
        int64_t n_unrolled = n_columns & ~<int64_t> 3
        int64_t column
        const uint8_t* codes
        int64_t* bins
    for i in range(n_rows):
        if i + PREFETCH_DISTANCE < n_rows:
            ahead = rows[i + PREFETCH_DISTANCE]
            SKX_PREFETCH(binned.rows + ahead * n_columns)
            SKX_PREFETCH(packed + ahead)
        row = rows[i]
        word = packed[row]
        codes = binned.rows + row * n_columns
        bins = sums
        column = 0
        while column < n_unrolled:
            bins[codes[0]] += word
            bins[PACKED_STRIDE + codes[1]] += word
            bins[2 * PACKED_STRIDE + codes[2]] += word
            bins[3 * PACKED_STRIDE + codes[3]] += word
            codes += 4
            bins += 4 * PACKED_STRIDE
            column += 4
        while column < n_columns:
            bins[codes[0]] += word
            codes += 1
            bins += PACKED_STRIDE
            column += 1


cdef void _flush_packed(
    const binned_t* binned, int64_t* sums, hist_bin_t* histogram
) noexcept nogil:
    """Add packed sums to the histogram and clear them."""
    cdef:
        int position, feature, bin_idx
        int64_t word
        int64_t* words
        hist_bin_t* bins
    for position in range(binned.n_narrow):
        feature = binned.narrow_features[position]
        words = sums + position * PACKED_STRIDE
        bins = histogram + binned.offsets[feature]
        for bin_idx in range(binned.n_bins[feature] + 1):
            word = words[bin_idx]
            bins[bin_idx].sum_gradients += word >> PACKED_GRADIENT_SHIFT
            bins[bin_idx].sum_hessians += (
                word >> PACKED_HESSIAN_SHIFT
            ) & PACKED_HESSIAN_MASK
            bins[bin_idx].n_samples += word & PACKED_COUNT_MASK
            words[bin_idx] = 0


cdef void _add_exact(
    const binned_t* binned,
    const quantized_t* quantized,
    const uint32_t* rows,
    int64_t n_rows,
    hist_bin_t* histogram,
) noexcept nogil:
    """Add rows of the narrow features in full width."""
    cdef:
        int64_t i, row, ahead, gradient, hessian, n_columns = binned.n_narrow
        int64_t column
        const uint8_t* codes
        hist_bin_t* bin_
    for i in range(n_rows):
        if i + PREFETCH_DISTANCE < n_rows:
            ahead = rows[i + PREFETCH_DISTANCE]
            SKX_PREFETCH(binned.rows + ahead * n_columns)
            SKX_PREFETCH(quantized.gradients + ahead)
            SKX_PREFETCH(quantized.hessians + ahead)
        row = rows[i]
        gradient = quantized.gradients[row]
        hessian = quantized.hessians[row]
        codes = binned.rows + row * n_columns
        for column in range(n_columns):
            bin_ = histogram + binned.offsets[binned.narrow_features[column]]
            bin_ += codes[column]
            bin_.sum_gradients += gradient
            bin_.sum_hessians += hessian
            bin_.n_samples += 1


cdef void _add_wide_column(
    const wide_code_t* codes,
    const quantized_t* quantized,
    const uint32_t* rows,
    int64_t n_rows,
    hist_bin_t* bins,
) noexcept nogil:
    """Add rows of one wide feature in full width."""
    cdef:
        int64_t i, row, word
        hist_bin_t* bin_
    for i in range(n_rows):
        row = rows[i]
        bin_ = bins + codes[row]
        if quantized.packed != NULL:
            word = quantized.packed[row]
            bin_.sum_gradients += word >> PACKED_GRADIENT_SHIFT
            bin_.sum_hessians += (word >> PACKED_HESSIAN_SHIFT) & PACKED_HESSIAN_MASK
        else:
            bin_.sum_gradients += quantized.gradients[row]
            bin_.sum_hessians += quantized.hessians[row]
        bin_.n_samples += 1


cdef void _merge_slots_of_feature(void* context, int feature) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t bin_idx
        int slot
        hist_bin_t* partial
    for slot in range(1, job.n_slots):
        partial = job.workspace.partial[slot]
        for bin_idx in range(
            job.binned.offsets[feature], job.binned.offsets[feature + 1]
        ):
            job.histogram[bin_idx].sum_gradients += partial[bin_idx].sum_gradients
            job.histogram[bin_idx].sum_hessians += partial[bin_idx].sum_hessians
            job.histogram[bin_idx].n_samples += partial[bin_idx].n_samples
