"""Histograms of a node: the sums of gradients, hessians and counts in every bin.

    rows --add_rows--> words of bins, some columns and some rows a task
    words --finish_feature--> bins of the histogram, a feature a task

Where features share a column, or only other codes than a default one are stored, the
bin of the default code is what all others lack of the sums of the node.

Of few rows, threads share out parts of blocks, which need no merge. Of many rows,
which cost more to find, a task takes whole blocks; where there are fewer of those than
threads the rows are cut into slots, each with words of its own. All sums are integers,
hence neither the cut nor the order of addition changes a bit.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.boosting.quantization cimport QuantizedGradients
from sklearnx._cython.common.dtypes cimport (
    SPARSE_STORAGE,
    WIDE_STORAGE,
    WORD_STRIDE,
    binned_t,
    column_group_t,
    hist_bin_t,
    quantized_t,
    sparse_note_t,
)
from sklearnx._cython.boosting.sparse_histogram cimport (
    add_sparse_block,
    write_default_bin,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "row_shares.h" nogil:
    void skx_share_rows(
        skx_row_share_t* shares, int n_slots, int64_t n_rows
    ) noexcept
    int skx_take_rows(
        skx_row_share_t* shares, int n_slots, int own, int64_t n_rows, int64_t* start,
        int64_t* stop,
    ) noexcept

cdef extern from "histogram_kernels.h" nogil:
    ctypedef struct wide_words_t:
        int n_columns
        int32_t* places
        int64_t** sums

    void skx_add_to_words(
        const column_group_t* group, const quantized_t* quantized,
        const uint32_t* rows, int64_t n_rows, int64_t* sums, const wide_words_t* wide,
    ) noexcept
    enum:
        MAX_CELL_COLUMNS
    void skx_spread_words1 "skx_spread_words<1>"(
        uint64_t* words, int n_columns, const int32_t* n_codes, uint64_t** sums
    ) noexcept
    void skx_spread_words2 "skx_spread_words<2>"(
        uint64_t* words, int n_columns, const int32_t* n_codes, uint64_t** sums
    ) noexcept
    void skx_flush_column(
        int n_words, int64_t* words, int n_bins, hist_bin_t* bins, bint adds
    ) noexcept
    void skx_flush_few(
        int n_words, int64_t* words, int n_bins, hist_bin_t* bins,
        skx_occupied_t* occupied,
    ) noexcept
    void skx_add_codes8 "skx_add_to_bins<uint8_t>"(
        const uint8_t* codes, int64_t stride, const quantized_t* quantized,
        const uint32_t* rows, int64_t n_rows, hist_bin_t* bins,
    ) noexcept
    void skx_add_codes16 "skx_add_to_bins<uint16_t>"(
        const uint8_t* codes, int64_t stride, const quantized_t* quantized,
        const uint32_t* rows, int64_t n_rows, hist_bin_t* bins,
    ) noexcept
    void skx_add_codes32 "skx_add_to_bins<uint32_t>"(
        const uint8_t* codes, int64_t stride, const quantized_t* quantized,
        const uint32_t* rows, int64_t n_rows, hist_bin_t* bins,
    ) noexcept
    void skx_add_shared_codes(
        const uint8_t* codes, int first_code, int default_code, int n_bins,
        const quantized_t* quantized, const uint32_t* rows, int64_t n_rows,
        hist_bin_t* bins,
    ) noexcept
    hist_bin_t skx_sum_words(
        const quantized_t* quantized, const uint32_t* rows, int64_t n_rows
    ) noexcept
    void skx_add_bin(hist_bin_t* bin, hist_bin_t more) noexcept
    void skx_subtract_bin(hist_bin_t* bin, hist_bin_t less) noexcept

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
        A feature that is not stored has none.
    """
    histogram = np.empty(matrix.offsets[len(matrix.offsets) - 1], dtype=HIST_BIN_DTYPE)
    cdef:
        int64_t[::1] sums = histogram.view(np.int64)
        histogram_job_t job
        const uint32_t* all_rows = &rows[0] if rows.shape[0] > 0 else NULL
        int64_t* first_sum = &sums[0] if sums.shape[0] > 0 else NULL
        sparse_note_t* notes = <sparse_note_t*> calloc(
            matrix.binned.n_sparse + 1, sizeof(sparse_note_t)
        )
        workspace_t* workspace = allocate_workspace(
            &matrix.binned,
            choose_n_slots(&matrix.binned, rows.shape[0], n_threads),
        )
    if workspace == NULL or notes == NULL:
        free_workspace(workspace)
        free(notes)
        raise MemoryError()
    with nogil:
        plan_histogram(
            &job,
            &matrix.binned,
            &quantized.quantized,
            all_rows,
            rows.shape[0],
            workspace,
            sum_rows(&quantized.quantized, all_rows, rows.shape[0]),
            NULL,
            <hist_bin_t*> first_sum,
            notes,
            n_threads,
        )
        parallel_for(_add_rows, &job, job.n_tasks, n_threads)
        parallel_for(_finish_feature, &job, matrix.binned.n_used, n_threads)
        free_workspace(workspace)
        free(notes)
    return histogram


cdef void _add_rows(void* job, int task) noexcept nogil:
    add_rows(<histogram_job_t*> job, task)


cdef void _finish_feature(void* context, int i) noexcept nogil:
    cdef histogram_job_t* job = <histogram_job_t*> context
    finish_feature(job, job.binned.used[i], NULL)


cdef hist_bin_t sum_rows(
    const quantized_t* quantized, const uint32_t* rows, int64_t n_rows
) noexcept nogil:
    """Return the sums of some rows."""
    return skx_sum_words(quantized, rows, n_rows)


cdef hist_bin_t sum_bins(
    const binned_t* binned, const hist_bin_t* histogram, int feature
) noexcept nogil:
    """Return the sums of all bins of a feature."""
    cdef:
        int64_t bin_idx
        hist_bin_t sums
    memset(&sums, 0, sizeof(hist_bin_t))
    for bin_idx in range(binned.offsets[feature], binned.offsets[feature + 1]):
        skx_add_bin(&sums, histogram[bin_idx])
    return sums


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
    workspace.shares = <skx_row_share_t*> calloc(
        n_slots * max(binned.n_groups, binned.n_blocks) + 1, sizeof(skx_row_share_t)
    )
    workspace.sparse_wanted = <uint8_t*> calloc(binned.n_sparse + 1, sizeof(uint8_t))
    if (
        workspace.words == NULL
        or workspace.partial == NULL
        or workspace.shares == NULL
        or workspace.sparse_wanted == NULL
    ):
        free_workspace(workspace)
        return NULL
    for slot in range(n_slots):
        workspace.words[slot] = <int64_t*> calloc(
            binned.n_words + 1, 2 * sizeof(int64_t)
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
    free(workspace.shares)
    free(workspace.sparse_wanted)
    free(workspace)


cdef int choose_n_slots(
    const binned_t* binned, int64_t n_rows, int n_threads
) noexcept nogil:
    """Return into how many slots the rows of a node are cut."""
    # Blocks that threads can share out evenly need none, if need be with sparse ones.
    if binned.n_blocks >= 4 * n_threads or binned.n_blocks % n_threads == 0:
        return 1
    if binned.n_sparse_blocks > 0:
        return 1
    return <int> max(1, min(n_rows // ROWS_PER_SLOT, n_threads))


cdef void plan_histogram(
    histogram_job_t* job,
    const binned_t* binned,
    const quantized_t* quantized,
    const uint32_t* rows,
    int64_t n_rows,
    workspace_t* workspace,
    hist_bin_t totals,
    uint8_t* live,
    hist_bin_t* histogram,
    sparse_note_t* notes,
    int n_threads,
) noexcept nogil:
    """Choose the tasks that sum `rows` in every bin of every live feature.

    IN: binned, quantized, rows (n_rows,) and their sums, live (n_features,) or NULL for
    all. `add_rows` must run for each of `n_tasks` tasks, then `finish_feature` for each
    stored feature; where there is one slot, for the features of a task as soon as that
    is done. OUT, after that: histogram (offsets[n_features],), notes (n_sparse,).
    """
    cdef:
        bint by_block
        int unit
    job.binned = binned
    job.quantized = quantized
    job.rows = rows
    job.n_rows = n_rows
    job.workspace = workspace
    job.totals = totals
    job.live = live
    job.histogram = histogram
    job.notes = notes
    job.larger = NULL
    job.uses_words = quantized.rows_per_flush >= MIN_ROWS_PER_FLUSH
    job.n_slots = 1
    if job.uses_words:
        job.n_slots = min(
            choose_n_slots(binned, n_rows, n_threads), workspace.n_slots
        )
    by_block = n_threads == 1 or n_rows >= ROWS_PER_SLOT * n_threads
    job.groups = binned.blocks if by_block else binned.groups
    job.n_units = binned.n_blocks if by_block else binned.n_groups
    if job.n_slots > 1:
        for unit in range(job.n_units):
            skx_share_rows(_shares_of(job, unit), job.n_slots, n_rows)
    job.n_parts = job.n_units * job.n_slots + binned.n_sparse_blocks
    job.n_threads = max(min(n_threads, job.n_parts), 1)
    job.n_tasks = (job.n_parts + job.n_threads - 1) // job.n_threads * job.n_threads


cdef inline int _find_part(const histogram_job_t* job, int task) noexcept nogil:
    """Return which part of the work a task is, `n_parts` or more if it is none.

    Parts differ in size: slots of groups, then sparse blocks. Each thread, whose share
    are tasks next to each other, gets every so many of them.
    """
    cdef int n_tasks_each = job.n_tasks // job.n_threads
    return task // n_tasks_each + task % n_tasks_each * job.n_threads


cdef inline skx_row_share_t* _shares_of(
    const histogram_job_t* job, int unit
) noexcept nogil:
    return job.workspace.shares + unit * job.n_slots


cdef inline bint _flushes(
    const histogram_job_t* job, int64_t max_count
) noexcept nogil:
    """Return whether words could overflow, and so go to bins before the end."""
    return min(job.n_rows, max_count) > job.quantized.rows_per_flush


cdef hist_bin_t* _bins_of_slot(
    const histogram_job_t* job, int feature, int slot
) noexcept nogil:
    cdef hist_bin_t* histogram = (
        job.histogram if slot == 0 else job.workspace.partial[slot]
    )
    return histogram + job.binned.offsets[feature]


cdef inline bint _is_live(const histogram_job_t* job, int feature) noexcept nogil:
    return job.live == NULL or job.live[feature]


cdef void add_rows(const histogram_job_t* job, int task) noexcept nogil:
    """Add a slot of rows to the columns of a group, or all rows to sparse features."""
    cdef:
        int part = _find_part(job, task), n_dense_parts = job.n_units * job.n_slots
        int slot, column, i
        const column_group_t* group
    if part >= job.n_parts:
        return
    if part >= n_dense_parts:
        add_sparse_block(job, part - n_dense_parts)
        return
    group = &job.groups[part % job.n_units]
    slot = part // job.n_units
    if job.uses_words:
        _add_to_words(job, group, slot)
    for i in range(group.n_columns):
        column = group.columns[i]
        # Bins take all rows at once, so that slots have nothing to merge.
        if not _goes_to_words(job, column) and column % job.n_slots == slot:
            _add_to_bins(job, group, column)


cdef inline bint _goes_to_words(
    const histogram_job_t* job, int column
) noexcept nogil:
    """Return whether rows are added to words of a column, or to its bins directly.

    With fewer rows than a wide column has bins, to move words would cost more.
    """
    cdef:
        const binned_t* binned = job.binned
        int64_t n_rows  # until words are moved to bins
    if not job.uses_words or column < binned.n_columns:
        return job.uses_words
    n_rows = job.n_rows // job.n_slots
    if min(n_rows, binned.max_counts[column]) > job.quantized.rows_per_flush:
        n_rows = job.quantized.rows_per_flush
    return n_rows > binned.n_bins[binned.members[binned.member_starts[column]]]


cdef void _add_to_words(
    const histogram_job_t* job, const column_group_t* group, int slot
) noexcept nogil:
    cdef:
        # Several slots take chunk after chunk.
        int64_t start = 0, stop = 0 if job.n_slots > 1 else job.n_rows
        int64_t n_rows, n_added = 0
        int unit = <int> (group - job.groups), i, column
        bint flushes = _flushes(job, group.max_count)
        wide_words_t wide
    wide.n_columns = 0
    for i in range(group.n_wide):
        column = group.columns[group.n_columns - group.n_wide + i]
        if _goes_to_words(job, column):
            wide.places[wide.n_columns] = i
            wide.sums[wide.n_columns] = _words_of(job, column, slot)
            wide.n_columns += 1
    if group.n_narrow + wide.n_columns == 0:
        return
    # Nothing is in the words yet: this clears the bins that they will be flushed to.
    _flush_group(job, group, slot, False)
    while start < stop or (
        job.n_slots > 1
        and skx_take_rows(
            _shares_of(job, unit), job.n_slots, slot, job.n_rows, &start, &stop
        )
    ):
        n_rows = stop - start
        if flushes:
            if n_added == job.quantized.rows_per_flush:
                _spread_cells(job, group, slot)
                _flush_group(job, group, slot, True)
                n_added = 0
            n_rows = min(n_rows, job.quantized.rows_per_flush - n_added)
        skx_add_to_words(
            group,
            job.quantized,
            job.rows + start,
            n_rows,
            _words_of_cell(job, group.first, slot),
            &wide,
        )
        start += n_rows
        n_added += n_rows
    _spread_cells(job, group, slot)


cdef void _spread_cells(
    const histogram_job_t* job, const column_group_t* group, int slot
) noexcept nogil:
    """Move the words of cells with several columns to the words of these."""
    cdef:
        const binned_t* binned = job.binned
        int cell, i, first, n_columns
        uint64_t* sums[MAX_CELL_COLUMNS]
        uint64_t* words
    for cell in range(group.first, group.first + group.n_narrow):
        first = binned.cell_starts[cell]
        n_columns = binned.cell_starts[cell + 1] - first
        if n_columns == 1:
            continue
        for i in range(n_columns):
            sums[i] = <uint64_t*> _words_of(job, binned.cell_columns[first + i], slot)
        words = <uint64_t*> _words_of_cell(job, cell, slot)
        if job.quantized.n_words == 1:
            skx_spread_words1(words, n_columns, binned.cell_codes + first, sums)
        else:
            skx_spread_words2(words, n_columns, binned.cell_codes + first, sums)


cdef const int32_t* find_features(
    const histogram_job_t* job, int task, int* n_features
) noexcept nogil:
    """Return the dense features that a task adds rows to."""
    cdef:
        int part = _find_part(job, task)
        const column_group_t* group
    n_features[0] = 0
    if part >= job.n_units * job.n_slots:
        return NULL
    group = &job.groups[part % job.n_units]
    n_features[0] = group.n_features
    return group.features


cdef int find_sparse_block(const histogram_job_t* job, int task) noexcept nogil:
    """Return the block of sparse features that a task adds rows to, or -1."""
    cdef:
        int part = _find_part(job, task)
        int first = job.n_parts - job.binned.n_sparse_blocks
    return part - first if first <= part < job.n_parts else -1


cdef inline int64_t* _words_of(
    const histogram_job_t* job, int column, int slot
) noexcept nogil:
    return (
        job.workspace.words[slot]
        + job.binned.word_starts[column] * job.quantized.n_words
    )


cdef inline int64_t* _words_of_cell(
    const histogram_job_t* job, int cell, int slot
) noexcept nogil:
    return (
        job.workspace.words[slot]
        + <int64_t> cell * WORD_STRIDE * job.quantized.n_words
    )


cdef inline int _column_of(const binned_t* binned, int feature) noexcept nogil:
    return binned.positions[feature] + (
        binned.n_columns if binned.storage[feature] == WIDE_STORAGE else 0
    )


cdef void _flush_group(
    const histogram_job_t* job, const column_group_t* group, int slot, bint adds
) noexcept nogil:
    """Move words that could overflow to the bins of the slot, or add them to those."""
    cdef:
        const binned_t* binned = job.binned
        int column, i, j, feature
    if not _flushes(job, group.max_count):
        return
    for j in range(group.n_columns):
        column = group.columns[j]
        if not _flushes(job, binned.max_counts[column]):
            continue
        if not _goes_to_words(job, column):
            continue
        for i in range(binned.member_starts[column], binned.member_starts[column + 1]):
            feature = binned.members[i]
            _flush_feature(job, feature, slot, _bins_of_slot(job, feature, slot), adds)


cdef void _flush_feature(
    const histogram_job_t* job, int feature, int slot, hist_bin_t* bins, bint adds
) noexcept nogil:
    """Move the words of a feature to its bins, or add them; not of the default code."""
    cdef:
        const binned_t* binned = job.binned
        int default_code = binned.default_codes[feature]
        int n_bins = binned.n_bins[feature], n_words = job.quantized.n_words
        int64_t* words = _words_of(job, _column_of(binned, feature), slot)
    if default_code < 0:
        skx_flush_column(n_words, words, n_bins + 1, bins, adds)
        return
    words += binned.first_codes[feature] * n_words
    skx_flush_column(n_words, words, default_code, bins, adds)
    skx_flush_column(
        n_words,
        words + default_code * n_words,
        n_bins - default_code,
        bins + default_code + 1,
        adds,
    )


cdef void _add_to_bins(
    const histogram_job_t* job, const column_group_t* group, int column
) noexcept nogil:
    """Add all rows to the bins of the features of a column."""
    cdef:
        const binned_t* binned = job.binned
        # Among the wide columns of the group.
        int place = column - binned.n_columns - max(group.first - binned.n_cells, 0)
        const uint8_t* codes
        int i, feature
        hist_bin_t* bins
    for i in range(binned.member_starts[column], binned.member_starts[column + 1]):
        feature = binned.members[i]
        bins = _bins_of_slot(job, feature, 0)
        memset(bins, 0, (binned.n_bins[feature] + 1) * sizeof(hist_bin_t))
        if place >= 0:
            codes = group.codes + group.wide_place + place * group.wide_size
            if group.wide_size == sizeof(uint16_t):
                skx_add_codes16(
                    codes, group.stride, job.quantized, job.rows, job.n_rows, bins
                )
            else:
                skx_add_codes32(
                    codes, group.stride, job.quantized, job.rows, job.n_rows, bins
                )
            continue
        codes = binned.columns + column * binned.n_rows
        if binned.default_codes[feature] < 0:
            skx_add_codes8(codes, 1, job.quantized, job.rows, job.n_rows, bins)
        else:
            skx_add_shared_codes(
                codes,
                binned.first_codes[feature],
                binned.default_codes[feature],
                binned.n_bins[feature],
                job.quantized,
                job.rows,
                job.n_rows,
                bins,
            )


cdef bint finish_feature(
    const histogram_job_t* job, int feature, skx_occupied_t* occupied
) noexcept nogil:
    """Gather what the slots have of a feature in the histogram.

    Returns whether it has noted which bins have rows, as it does where these are few.
    OUT: occupied, or NULL where that is not asked for.
    """
    cdef:
        const binned_t* binned = job.binned
        int column = _column_of(binned, feature), n_bins = binned.n_bins[feature]
        hist_bin_t* bins = _bins_of_slot(job, feature, 0)
    if binned.storage[feature] == SPARSE_STORAGE:
        write_default_bin(
            binned,
            feature,
            job.totals,
            &job.notes[binned.positions[feature]],
            job.histogram,
        )
        return False
    if _goes_to_words(job, column):
        if (
            occupied != NULL
            and skx_has_few_rows(job.n_rows, n_bins)
            and job.n_slots == 1
            and not _flushes(job, binned.max_counts[column])
        ):
            skx_flush_few(
                job.quantized.n_words,
                _words_of(job, column, 0),
                n_bins + 1,
                bins,
                occupied,
            )
            return True
        if binned.first_codes[feature] == 1:
            _clear_default_words(job, binned.positions[feature])
        if not _is_live(job, feature):
            _clear_words(job, feature)
            return False
        _gather_slots(job, feature, bins)
    if binned.default_codes[feature] >= 0:
        find_default_bin(binned, feature, job.totals, bins)
    return False


cdef void _gather_slots(
    const histogram_job_t* job, int feature, hist_bin_t* bins
) noexcept nogil:
    cdef:
        int column = _column_of(job.binned, feature)
        int n_bins = job.binned.n_bins[feature] + 1
        int slot, bin_idx
        bint adds
        const hist_bin_t* partial
    for slot in range(job.n_slots):
        adds = slot > 0
        if _flushes(job, job.binned.max_counts[column]):
            adds = True
            if slot > 0:
                partial = _bins_of_slot(job, feature, slot)
                for bin_idx in range(n_bins):
                    skx_add_bin(&bins[bin_idx], partial[bin_idx])
        _flush_feature(job, feature, slot, bins, adds)


cdef void find_default_bin(
    const binned_t* binned, int feature, hist_bin_t totals, hist_bin_t* bins
) noexcept nogil:
    """Write the bin of the default code: what all others lack of the totals."""
    cdef:
        int bin_idx, default_code = binned.default_codes[feature]
        hist_bin_t rest = totals
    for bin_idx in range(binned.n_bins[feature] + 1):
        if bin_idx != default_code:
            skx_subtract_bin(&rest, bins[bin_idx])
    bins[default_code] = rest


cdef void _clear_words(const histogram_job_t* job, int feature) noexcept nogil:
    cdef:
        int slot, n_words = job.quantized.n_words
        int64_t first = job.binned.first_codes[feature] * n_words
        int column = job.binned.positions[feature]
        int64_t size = job.binned.n_bins[feature] * n_words * sizeof(int64_t)
    for slot in range(job.n_slots):
        memset(_words_of(job, column, slot) + first, 0, size)


cdef void _clear_default_words(const histogram_job_t* job, int column) noexcept nogil:
    """Forget what a shared column has as 0, which no feature needs."""
    cdef int slot
    for slot in range(job.n_slots):
        memset(
            _words_of(job, column, slot), 0, job.quantized.n_words * sizeof(int64_t)
        )
