"""Histograms of the same rows for several classes, in one pass over their codes.

    words of a row, class by class --gather--> next to each other --add--> to the bins
    bins of a part of the rows -------flush--> histograms, one for each class

The trees of a round have the same root rows, and differ only in what these add. To find
the bins of a row costs as much as to add to them, and a vector of words is added as
fast as a word: eight classes take hardly longer than two do one after the other.

A lane is a word of a row; a class takes one or two of `MAX_LANES`, as its gradients are
quantised. Tasks are slots of the rows of a group of columns, each with words and bins
of its own, as in `histogram`. Sums are integers: those of one class after another.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint32_t, uintptr_t
from libc.string cimport memset

from sklearnx._cython.boosting.histogram cimport find_default_bin, sum_bins, sum_rows
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

from sklearnx._cython.boosting.histogram import HIST_BIN_DTYPE

cdef extern from "class_histogram_kernels.h" nogil:
    enum:
        MAX_LANES
        MAX_PART_COLUMNS
    ctypedef struct lanes_t:
        const int64_t** words
        int64_t* steps
        int width
    void skx_add_to_lanes(
        const column_group_t* group, const lanes_t* lanes, const uint32_t* rows,
        int64_t n_rows, int64_t* sums,
    ) noexcept
    void skx_flush_lanes(
        const int64_t* words, int width, int n_words, int n_bins, hist_bin_t* bins,
        bint adds,
    ) noexcept
    void skx_spread_lanes(
        int64_t* words, int width, int n_columns, const int32_t* n_codes,
        int64_t* sums,
    ) noexcept

cdef extern from "histogram_kernels.h" nogil:
    enum:
        MAX_CELL_COLUMNS
    void skx_add_bin(hist_bin_t* bin, hist_bin_t more) noexcept

cdef enum:
    ROWS_PER_SLOT = 1 << 12  # with fewer, a second slot costs more than it brings
    # Updates of a bin, for all classes, that a second thread is worth being woken for.
    MIN_UPDATES_FOR_THREADS = 1 << 14
    # Weights that fill words sooner make it dearer to flush them than to add rows.
    MIN_ROWS_PER_FLUSH = 1 << 10
    # Of fewer rows, passes over codes are too short for the rest of a tree to show it.
    MIN_ROWS = 1 << 13
    WORDS_PER_LINE = 8

# Classes that one call can serve.
MAX_CLASSES = MAX_LANES


# How the histograms of some classes are built: parts that add rows, then features.
cdef struct job_t:
    const binned_t* binned
    const uint32_t* rows
    int64_t n_rows
    int n_classes
    quantized_t quantized[MAX_LANES]  # of each class, as all below
    int first_lanes[MAX_LANES]
    hist_bin_t totals[MAX_LANES]  # of these rows
    hist_bin_t* histograms[MAX_LANES]
    lanes_t lanes
    int64_t rows_per_flush  # of the class whose words are full first
    const column_group_t* groups  # (n_groups,), a part for each of them and each slot
    int n_groups
    int n_slots
    hist_bin_t* partial  # (n_slots - 1, n_classes, n_bins): what other slots add
    int64_t* words  # (n_parts, words_per_part), zero between calls
    int64_t words_per_part
    int64_t words_of_cells  # of them; then those of the columns of one cell
    int finished  # feature whose bins are all there, -1: none


cdef class ClassHistograms:
    """Builds the histograms of some rows for several classes at once.

    Parameters
    ----------
    matrix : BinnedMatrix
        One with all features in narrow columns.
    n_threads : int
    min_rows : int
        Of fewer, no histograms are built.
    """

    cdef:
        BinnedMatrix matrix
        int n_threads, max_slots
        const column_group_t* groups
        int n_groups
        int64_t min_rows
        object _words, _partial, _histograms
        int64_t* words
        int64_t words_per_part, words_of_cells

    def __init__(self, BinnedMatrix matrix, n_threads, min_rows=MIN_ROWS):
        cdef:
            const binned_t* binned = &matrix.binned
            int64_t[::1] words
            int n_cells
        self.matrix = matrix
        self.n_threads = n_threads
        self.min_rows = max(min_rows, 1)
        # Whole blocks if the kernel can, since each group gathers the words anew.
        self.groups, self.n_groups = binned.blocks, binned.n_blocks
        n_cells = _find_widest(self.groups, self.n_groups)
        if n_cells > MAX_PART_COLUMNS:
            self.groups, self.n_groups = binned.groups, binned.n_groups
            n_cells = _find_widest(self.groups, self.n_groups)
        self.max_slots = _choose_n_slots(self.n_groups, binned.n_rows, n_threads)
        self.words_of_cells = <int64_t> n_cells * WORD_STRIDE * MAX_LANES
        self.words_per_part = self.words_of_cells
        if binned.n_cells < binned.n_columns:
            self.words_per_part += MAX_CELL_COLUMNS * WORD_STRIDE * MAX_LANES
        self._words = np.zeros(
            self.n_groups * self.max_slots * self.words_per_part + WORDS_PER_LINE,
            dtype=np.int64,
        )
        words = self._words
        # A vector in two cache lines would take twice as long.
        self.words = &words[
            -(<uintptr_t> &words[0] // sizeof(int64_t)) % WORDS_PER_LINE
        ]
        n_bins = binned.offsets[binned.n_features]
        self._partial = np.zeros(
            (self.max_slots - 1) * MAX_CLASSES * n_bins, dtype=HIST_BIN_DTYPE
        )
        self._histograms = np.empty((MAX_CLASSES, n_bins), dtype=HIST_BIN_DTYPE)

    def build(self, list quantized, const uint32_t[::1] rows):
        """Return a histogram for each class, or None where the usual way is as good.

        IN: quantized, `MAX_CLASSES` of QuantizedGradients at most; rows (n_rows,) in
        ascending order.

        Returns
        -------
        histograms : list of HIST_BIN_DTYPE arrays of shape (n_bins,), or None
            What `histogram.build` returns; good until the next call.
        """
        histograms = [None] * len(quantized)
        if rows.shape[0] < self.min_rows:
            return histograms
        for classes in _plan_passes(quantized):
            sums = self._histograms[classes[0] : classes[0] + len(classes)]
            self._build_pass([quantized[i] for i in classes], rows, sums)
            for i, histogram in zip(classes, sums):
                histograms[i] = histogram
        return histograms

    cdef _build_pass(self, list quantized, const uint32_t[::1] rows, histograms):
        """OUT: histograms (n_classes, n_bins)."""
        cdef:
            job_t job
            const binned_t* binned = &self.matrix.binned
            int64_t[:, ::1] sums = histograms.view(np.int64)
            int64_t[::1] partial = self._partial.view(np.int64)
            int i, n_threads, lane = 0
        job.binned = binned
        job.rows = &rows[0]
        job.n_rows = rows.shape[0]
        job.n_classes = len(quantized)
        job.rows_per_flush = job.n_rows
        for i in range(job.n_classes):
            job.quantized[i] = (<QuantizedGradients?> quantized[i]).quantized
            job.histograms[i] = <hist_bin_t*> &sums[i, 0]
            job.first_lanes[i] = lane
            _set_lanes(&job.lanes, lane, &job.quantized[i])
            lane += job.quantized[i].n_words
            job.rows_per_flush = min(
                job.rows_per_flush, job.quantized[i].rows_per_flush
            )
        job.lanes.width = 2 if lane == 2 else 4 if lane <= 4 else MAX_LANES
        while lane < job.lanes.width:  # what these sum is not read
            _set_lane(&job.lanes, lane, &job.quantized[0], 0)
            lane += 1
        job.n_slots = min(
            _choose_n_slots(self.n_groups, job.n_rows, self.n_threads), self.max_slots
        )
        job.groups, job.n_groups = self.groups, self.n_groups
        job.partial = NULL
        if job.n_slots > 1:
            job.partial = <hist_bin_t*> &partial[0]
        job.words = self.words
        job.words_per_part = self.words_per_part
        job.words_of_cells = self.words_of_cells
        n_threads = self.n_threads
        if job.n_rows * binned.n_cells < MIN_UPDATES_FOR_THREADS:
            n_threads = 1
        with nogil:
            _build(&job, n_threads)


def can_share_rows(BinnedMatrix matrix):
    """Return whether one pass over the rows of a matrix can serve several classes.

    All features must be in narrow columns, and there must be rows enough.
    """
    return (
        matrix.n_rows >= MIN_ROWS
        and matrix.binned.n_columns > 0
        and matrix.binned.n_wide == 0
        and matrix.binned.n_sparse == 0
    )


def _plan_passes(list quantized):
    """Return lists of classes whose words fit the lanes of one pass."""
    passes, classes, n_lanes = [], [], MAX_LANES
    for i, one in enumerate(quantized):
        n_words = one.words.shape[1]
        if (<QuantizedGradients?> one).quantized.rows_per_flush < MIN_ROWS_PER_FLUSH:
            continue
        if n_lanes + n_words > MAX_LANES:
            classes = []
            passes.append(classes)
            n_lanes = 0
        classes.append(i)
        n_lanes += n_words
    return [classes for classes in passes if len(classes) > 1]


cdef int _find_widest(const column_group_t* groups, int n_groups):
    cdef int group, n_cells = 0
    for group in range(n_groups):
        n_cells = max(n_cells, groups[group].n_narrow)
    return n_cells


cdef int _choose_n_slots(int n_groups, int64_t n_rows, int n_threads) noexcept nogil:
    """Return into how many slots the rows are cut: few where there are many groups."""
    if n_groups % n_threads == 0:
        return 1
    return <int> max(
        1,
        min(
            n_rows // ROWS_PER_SLOT,
            n_threads,
            (4 * n_threads + n_groups - 1) // n_groups,
        ),
    )


cdef void _set_lanes(lanes_t* lanes, int lane, const quantized_t* quantized):
    cdef int word
    for word in range(quantized.n_words):
        _set_lane(lanes, lane + word, quantized, word)


cdef void _set_lane(lanes_t* lanes, int lane, const quantized_t* quantized, int word):
    lanes.words[lane] = quantized.words + word
    lanes.steps[lane] = quantized.n_words


cdef void _build(job_t* job, int n_threads) noexcept nogil:
    """Add all rows, and make histograms of the sums."""
    cdef:
        const binned_t* binned = job.binned
        int i
    parallel_for(_add_part, job, job.n_groups * job.n_slots, n_threads)
    job.finished = -1
    for i in range(binned.n_used):
        if binned.default_codes[binned.used[i]] < 0:
            _finish_feature(job, i)
            job.finished = binned.used[i]
            break
    parallel_for(_find_totals, job, job.n_classes, n_threads)
    parallel_for(_finish_feature, job, binned.n_used, n_threads)


# ---- rows ----------------------------------------------------------------------------


cdef void _add_part(void* context, int part) noexcept nogil:
    """Add a slot of the rows to a group of columns, for all classes."""
    cdef:
        job_t* job = <job_t*> context
        const column_group_t* group = &job.groups[part % job.n_groups]
        int slot = part // job.n_groups, i
        int64_t start = job.n_rows * slot // job.n_slots
        int64_t stop = job.n_rows * (slot + 1) // job.n_slots
        int64_t size = stop - start, n_rows
        int64_t* words = job.words + part * job.words_per_part
        int64_t* words_of_cell
        bint was_flushed = False, flushes
    while start < stop:
        n_rows = stop - start
        if _flushes(job, group.max_count, size):
            n_rows = min(n_rows, job.rows_per_flush)
        skx_add_to_lanes(group, &job.lanes, job.rows + start, n_rows, words)
        start += n_rows
        for i in range(group.n_narrow):
            flushes = _cell_flushes(job, group.first + i, size)
            words_of_cell = words + <int64_t> i * WORD_STRIDE * job.lanes.width
            if flushes or start == stop:
                _flush_cell(
                    job,
                    group.first + i,
                    slot,
                    words_of_cell,
                    words + job.words_of_cells,
                    was_flushed and flushes,
                )
        was_flushed = True


cdef inline bint _flushes(
    const job_t* job, int64_t max_count, int64_t n_rows
) noexcept nogil:
    """Return whether words could overflow, and so go to bins before the end."""
    return min(n_rows, max_count) > job.rows_per_flush


cdef bint _cell_flushes(const job_t* job, int cell, int64_t n_rows) noexcept nogil:
    cdef:
        const binned_t* binned = job.binned
        int i
    for i in range(binned.cell_starts[cell], binned.cell_starts[cell + 1]):
        if _flushes(job, binned.max_counts[binned.cell_columns[i]], n_rows):
            return True
    return False


cdef void _flush_cell(
    const job_t* job, int cell, int slot, int64_t* words, int64_t* sums, bint adds
) noexcept nogil:
    """Do what `_flush_column` does for the columns of a cell.

    Scratch: sums (MAX_CELL_COLUMNS, WORD_STRIDE, width), zero between calls.
    """
    cdef:
        const binned_t* binned = job.binned
        int i, first = binned.cell_starts[cell]
        int n_columns = binned.cell_starts[cell + 1] - first
        const int32_t* columns = binned.cell_columns + first
    if n_columns == 1:
        _flush_column(job, columns[0], slot, words, adds)
        return
    skx_spread_lanes(
        words, job.lanes.width, n_columns, binned.cell_codes + first, sums
    )
    for i in range(n_columns):
        _flush_column(
            job, columns[i], slot, sums + i * WORD_STRIDE * job.lanes.width, adds
        )


cdef void _flush_column(
    const job_t* job, int column, int slot, int64_t* words, bint adds
) noexcept nogil:
    """Move the words of a column to bins of the slot, or add them; then clear them."""
    cdef:
        const binned_t* binned = job.binned
        int i, member, feature = 0
        int start = binned.member_starts[column]
        int stop = binned.member_starts[column + 1]
    for i in range(job.n_classes):
        for member in range(start, stop):
            feature = binned.members[member]
            _flush_feature(job, i, feature, slot, words, adds)
    # All up to the last code of the last feature.
    memset(
        words,
        0,
        (binned.first_codes[feature] + binned.n_bins[feature] + 1)
        * job.lanes.width * sizeof(int64_t),
    )


cdef void _flush_feature(
    const job_t* job, int i, int feature, int slot, const int64_t* words, bint adds
) noexcept nogil:
    """Do so for a feature and class; not for the default code."""
    cdef:
        const binned_t* binned = job.binned
        int default_code = binned.default_codes[feature]
        int n_bins = binned.n_bins[feature], width = job.lanes.width
        int n_words = job.quantized[i].n_words
        hist_bin_t* bins = _bins_of_slot(job, i, feature, slot)
    words += job.first_lanes[i]
    if default_code < 0:
        skx_flush_lanes(words, width, n_words, n_bins + 1, bins, adds)
        return
    words += binned.first_codes[feature] * width
    skx_flush_lanes(words, width, n_words, default_code, bins, adds)
    skx_flush_lanes(
        words + default_code * width,
        width,
        n_words,
        n_bins - default_code,
        bins + default_code + 1,
        adds,
    )


cdef hist_bin_t* _bins_of_slot(
    const job_t* job, int i, int feature, int slot
) noexcept nogil:
    cdef:
        const int64_t* offsets = job.binned.offsets
        int64_t plane = <int64_t> (slot - 1) * job.n_classes + i
    if slot == 0:
        return job.histograms[i] + offsets[feature]
    return job.partial + plane * offsets[job.binned.n_features] + offsets[feature]


# ---- bins ----------------------------------------------------------------------------


cdef void _find_totals(void* context, int i) noexcept nogil:
    """Sum all rows of a class, from the bins of a feature if these are all there."""
    cdef job_t* job = <job_t*> context
    if job.finished < 0:
        job.totals[i] = sum_rows(&job.quantized[i], job.rows, job.n_rows)
    else:
        job.totals[i] = sum_bins(job.binned, job.histograms[i], job.finished)


cdef void _finish_feature(void* context, int used_idx) noexcept nogil:
    """Gather what the slots have of a feature, and find the bins of default codes."""
    cdef:
        job_t* job = <job_t*> context
        const binned_t* binned = job.binned
        int feature = binned.used[used_idx]
        int i, slot, bin_idx, n_bins = binned.n_bins[feature] + 1
        hist_bin_t* bins
        const hist_bin_t* partial
    if feature == job.finished:
        return
    for i in range(job.n_classes):
        bins = _bins_of_slot(job, i, feature, 0)
        for slot in range(1, job.n_slots):
            partial = _bins_of_slot(job, i, feature, slot)
            for bin_idx in range(n_bins):
                skx_add_bin(&bins[bin_idx], partial[bin_idx])
        if binned.default_codes[feature] >= 0:
            find_default_bin(binned, feature, job.totals[i], bins)
