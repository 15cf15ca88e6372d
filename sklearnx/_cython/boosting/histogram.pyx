"""Histograms of a node: the sums of gradients, hessians and counts in every bin.

    rows --add_rows--> words of bins, some columns and some rows a task
    words --finish_feature--> bins of the histogram, a feature a task

Of few rows, threads share out parts of blocks, which need no merge. Of many rows,
which cost more to find, a task takes whole blocks; where there are fewer of those than
threads the rows are cut into slots, each with words of its own. All sums are integers,
hence neither the cut nor the order of addition changes a bit.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.boosting.quantization cimport QuantizedGradients
from sklearnx._cython.common.dtypes cimport (
    WORD_STRIDE,
    binned_t,
    column_group_t,
    hist_bin_t,
    quantized_t,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "histogram_kernels.h" nogil:
    void skx_add_to_words(
        const column_group_t* group, const quantized_t* quantized,
        const uint32_t* rows, int64_t n_rows, int64_t* sums,
    ) noexcept
    void skx_flush_column(
        int n_words, int64_t* words, int n_bins, hist_bin_t* bins, bint adds
    ) noexcept
    void skx_add_codes8 "skx_add_to_bins"(
        const uint8_t* codes, const quantized_t* quantized, const uint32_t* rows,
        int64_t n_rows, hist_bin_t* bins,
    ) noexcept
    void skx_add_codes16 "skx_add_to_bins"(
        const uint16_t* codes, const quantized_t* quantized, const uint32_t* rows,
        int64_t n_rows, hist_bin_t* bins,
    ) noexcept
    void skx_add_codes32 "skx_add_to_bins"(
        const uint32_t* codes, const quantized_t* quantized, const uint32_t* rows,
        int64_t n_rows, hist_bin_t* bins,
    ) noexcept
    void skx_add_bin(hist_bin_t* bin, hist_bin_t more) noexcept

cdef enum:
    ROWS_PER_SLOT = 1 << 12  # with fewer, a second slot costs more than it brings
    # Words that must be flushed more often are slower than adding to bins directly.
    MIN_ROWS_PER_FLUSH = 1 << 8

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
        histogram_job_t job
        workspace_t* workspace = allocate_workspace(
            &matrix.binned,
            choose_n_slots(&matrix.binned, rows.shape[0], n_threads),
        )
    if workspace == NULL:
        raise MemoryError()
    with nogil:
        plan_histogram(
            &job,
            &matrix.binned,
            &quantized.quantized,
            &rows[0] if rows.shape[0] > 0 else NULL,
            rows.shape[0],
            workspace,
            <hist_bin_t*> &sums[0],
            n_threads,
        )
        parallel_for(_add_rows, &job, job.n_tasks, n_threads)
        parallel_for(_finish_feature, &job, matrix.binned.n_features, n_threads)
        free_workspace(workspace)
    return histogram


cdef void _add_rows(void* job, int task) noexcept nogil:
    add_rows(<histogram_job_t*> job, task)


cdef void _finish_feature(void* job, int feature) noexcept nogil:
    finish_feature(<histogram_job_t*> job, feature)


cdef workspace_t* allocate_workspace(
    const binned_t* binned, int n_slots
) noexcept nogil:
    """Return scratch memory for `n_slots` slots, or NULL if there is none left."""
    cdef:
        int slot
        bint failed = False
        workspace_t* workspace = <workspace_t*> calloc(1, sizeof(workspace_t))
    if workspace == NULL:
        return NULL
    workspace.n_slots = n_slots
    workspace.words = <int64_t**> calloc(n_slots, sizeof(int64_t*))
    workspace.partial = <hist_bin_t**> calloc(n_slots, sizeof(hist_bin_t*))
    if workspace.words == NULL or workspace.partial == NULL:
        free_workspace(workspace)
        return NULL
    for slot in range(n_slots):
        workspace.words[slot] = <int64_t*> calloc(
            <int64_t> binned.n_narrow * WORD_STRIDE + 1, 2 * sizeof(int64_t)
        )
        failed = failed or workspace.words[slot] == NULL
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
        if workspace.words != NULL:
            free(workspace.words[slot])
        if workspace.partial != NULL:
            free(workspace.partial[slot])
    free(workspace.words)
    free(workspace.partial)
    free(workspace)


cdef int choose_n_slots(
    const binned_t* binned, int64_t n_rows, int n_threads
) noexcept nogil:
    """Return into how many slots the rows of a node are cut."""
    # Blocks that threads can share out evenly need none.
    if binned.n_blocks >= 4 * n_threads or binned.n_blocks % n_threads == 0:
        return 1
    return <int> max(1, min(n_rows // ROWS_PER_SLOT, n_threads))


cdef void plan_histogram(
    histogram_job_t* job,
    const binned_t* binned,
    const quantized_t* quantized,
    const uint32_t* rows,
    int64_t n_rows,
    workspace_t* workspace,
    hist_bin_t* histogram,
    int n_threads,
) noexcept nogil:
    """Choose the tasks that sum `rows` in every bin of every feature.

    IN: binned, quantized, rows (n_rows,). `add_rows` must run for each of `n_tasks`
    tasks, then `finish_feature` for each feature; where there is one slot, for the
    features of a task as soon as that is done. OUT, after that: histogram
    (offsets[n_features],).
    """
    cdef bint by_block
    job.binned = binned
    job.quantized = quantized
    job.rows = rows
    job.n_rows = n_rows
    job.workspace = workspace
    job.histogram = histogram
    job.uses_words = quantized.rows_per_flush >= MIN_ROWS_PER_FLUSH
    job.n_slots = 1
    if job.uses_words:
        job.n_slots = min(
            choose_n_slots(binned, n_rows, n_threads), workspace.n_slots
        )
    by_block = n_threads == 1 or n_rows >= ROWS_PER_SLOT * n_threads
    job.groups = binned.blocks if by_block else binned.groups
    job.n_units = binned.n_blocks if by_block else binned.n_groups
    job.n_tasks = job.n_units * job.n_slots + binned.n_wide


cdef inline bint _flushes(
    const histogram_job_t* job, int64_t max_count, int slot
) noexcept nogil:
    """Return whether words could overflow, and so go to bins before the end."""
    cdef int64_t n_rows = (
        job.n_rows * (slot + 1) // job.n_slots - job.n_rows * slot // job.n_slots
    )
    return min(n_rows, max_count) > job.quantized.rows_per_flush


cdef hist_bin_t* _bins_of_slot(
    const histogram_job_t* job, int feature, int slot
) noexcept nogil:
    cdef hist_bin_t* histogram = (
        job.histogram if slot == 0 else job.workspace.partial[slot]
    )
    return histogram + job.binned.offsets[feature]


cdef void add_rows(const histogram_job_t* job, int task) noexcept nogil:
    """Add a slot of rows to the words of a group, or all rows to a wide feature."""
    cdef:
        int slot, column, n_narrow_tasks = job.n_units * job.n_slots
        int64_t start, stop, n_rows
        const column_group_t* group
        int64_t* words
    if task >= n_narrow_tasks:
        _add_wide(job, task - n_narrow_tasks)
        return
    group = &job.groups[task % job.n_units]
    if not job.uses_words:
        for column in range(group.first, group.first + group.n_columns):
            _add_narrow(job, column)
        return
    slot = task // job.n_units
    start = job.n_rows * slot // job.n_slots
    stop = job.n_rows * (slot + 1) // job.n_slots
    words = job.workspace.words[slot] + _first_word(job, group.first)
    # Nothing is in the words yet: this clears the bins that they will be flushed to.
    _flush_group(job, group, slot, False)
    while start < stop:
        n_rows = stop - start
        if _flushes(job, group.max_count, slot):
            n_rows = min(n_rows, job.quantized.rows_per_flush)
        skx_add_to_words(group, job.quantized, job.rows + start, n_rows, words)
        start += n_rows
        if start < stop:
            _flush_group(job, group, slot, True)


cdef const int32_t* find_features(
    const histogram_job_t* job, int task, int* n_features
) noexcept nogil:
    """Return the features that a task adds rows to."""
    cdef:
        int n_narrow_tasks = job.n_units * job.n_slots
        const column_group_t* group
    if task >= n_narrow_tasks:
        n_features[0] = 1
        return job.binned.wide_features + task - n_narrow_tasks
    group = &job.groups[task % job.n_units]
    n_features[0] = group.n_columns
    return job.binned.narrow_features + group.first


cdef inline int64_t _first_word(const histogram_job_t* job, int column) noexcept nogil:
    return <int64_t> column * WORD_STRIDE * job.quantized.n_words


cdef void _flush_group(
    const histogram_job_t* job, const column_group_t* group, int slot, bint adds
) noexcept nogil:
    """Move words that could overflow to the bins of the slot, or add them to those."""
    cdef int column, feature
    if not _flushes(job, group.max_count, slot):
        return
    for column in range(group.first, group.first + group.n_columns):
        if not _flushes(job, job.binned.max_counts[column], slot):
            continue
        feature = job.binned.narrow_features[column]
        skx_flush_column(
            job.quantized.n_words,
            job.workspace.words[slot] + _first_word(job, column),
            job.binned.n_bins[feature] + 1,
            _bins_of_slot(job, feature, slot),
            adds,
        )


cdef void _add_wide(const histogram_job_t* job, int column) noexcept nogil:
    cdef:
        const binned_t* binned = job.binned
        int64_t first = column * binned.n_rows
        hist_bin_t* bins = _clear_bins(job, binned.wide_features[column])
    if binned.wide16 != NULL:
        skx_add_codes16(
            binned.wide16 + first, job.quantized, job.rows, job.n_rows, bins
        )
    else:
        skx_add_codes32(
            binned.wide32 + first, job.quantized, job.rows, job.n_rows, bins
        )


cdef void _add_narrow(const histogram_job_t* job, int column) noexcept nogil:
    skx_add_codes8(
        job.binned.columns + column * job.binned.n_rows,
        job.quantized,
        job.rows,
        job.n_rows,
        _clear_bins(job, job.binned.narrow_features[column]),
    )


cdef hist_bin_t* _clear_bins(const histogram_job_t* job, int feature) noexcept nogil:
    cdef hist_bin_t* bins = _bins_of_slot(job, feature, 0)
    memset(bins, 0, (job.binned.n_bins[feature] + 1) * sizeof(hist_bin_t))
    return bins


cdef void finish_feature(const histogram_job_t* job, int feature) noexcept nogil:
    """Gather what the slots have of a feature in the histogram."""
    cdef:
        const binned_t* binned = job.binned
        int column = binned.positions[feature], n_bins = binned.n_bins[feature] + 1
        int slot, bin_idx
        bint adds
        hist_bin_t* bins = _bins_of_slot(job, feature, 0)
        const hist_bin_t* partial
    if binned.is_wide[feature] or not job.uses_words:
        return
    for slot in range(job.n_slots):
        adds = slot > 0
        if _flushes(job, binned.max_counts[column], slot):
            adds = True
            if slot > 0:
                partial = _bins_of_slot(job, feature, slot)
                for bin_idx in range(n_bins):
                    skx_add_bin(&bins[bin_idx], partial[bin_idx])
        skx_flush_column(
            job.quantized.n_words,
            job.workspace.words[slot] + _first_word(job, column),
            n_bins,
            bins,
            adds,
        )
