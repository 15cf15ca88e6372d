"""Histograms of sparse features, from the entries of a node's rows.

    entries of the rows --> sums of each feature, and at once off the larger sibling
    features with enough --> bins, by a second walk over the same entries

A small node has entries of many features, but can be split on few of them: no bins are
made for the others. The sums are kept in the notes of a histogram. From them follows
the bin of the default code, which is written where a feature is searched: to do so for
all of them would take longer than all else.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memset

from sklearnx._cython.boosting.histogram cimport histogram_job_t
from sklearnx._cython.common.dtypes cimport (
    binned_t,
    hist_bin_t,
    quantized_t,
    sparse_block_t,
    sparse_note_t,
)

cdef extern from "histogram_kernels.h" nogil:
    void skx_subtract_bin(hist_bin_t* bin, hist_bin_t less) noexcept

cdef extern from "sparse_kernels.h" nogil:
    void skx_add_entries(
        const sparse_block_t* block, const quantized_t* quantized,
        const uint32_t* rows, int64_t n_rows, const uint8_t* wanted,
        hist_bin_t* histogram, sparse_note_t* notes,
    ) noexcept
    void skx_take_entries(
        const sparse_block_t* block, const quantized_t* quantized,
        const uint32_t* rows, int64_t n_rows, const uint8_t* wanted,
        hist_bin_t* histogram, sparse_note_t* notes,
    ) noexcept


cdef void add_sparse_block(const histogram_job_t* job, int block_idx) noexcept nogil:
    """Sum the rows of a job in the bins of a block of sparse features.

    Where there is a larger sibling its sums are those of the parent before, and its own
    afterwards. Features stay live where at least `min_samples` rows have entries, and
    only of those are there bins. Bins of default codes are left as they are.
    """
    cdef:
        const sparse_block_t* block = &job.binned.sparse_blocks[block_idx]
        int32_t first = job.binned.positions[block.features[0]]
        sparse_note_t* notes = job.notes + first
        sparse_note_t* sums = notes
        uint8_t* wanted = job.workspace.sparse_wanted + first
        int i
        bint any_wanted = False
    for i in range(block.n_features):
        memset(&notes[i].entries, 0, sizeof(hist_bin_t))
        notes[i].deviation = INFINITY
        wanted[i] = job.live == NULL or job.live[block.features[i]]
    if job.larger != NULL:
        _take_from_larger(job, block, notes, job.larger_notes + first, wanted)
        sums = NULL
    for i in range(block.n_features):
        if wanted[i]:
            any_wanted = True
            memset(
                job.histogram + block.bins[i],
                0,
                (job.binned.n_bins[block.features[i]] + 1) * sizeof(hist_bin_t),
            )
    if any_wanted:
        skx_add_entries(
            block, job.quantized, job.rows, job.n_rows, wanted, job.histogram, sums
        )
    if job.live != NULL and job.larger == NULL:
        for i in range(block.n_features):
            job.live[block.features[i]] = (
                notes[i].entries.n_samples >= job.min_samples
            )


cdef void _take_from_larger(
    const histogram_job_t* job,
    const sparse_block_t* block,
    sparse_note_t* notes,
    sparse_note_t* larger_notes,
    uint8_t* wanted,
) noexcept nogil:
    """Take the rows off the larger sibling's sums, which are the parent's so far.

    OUT: notes, the sums of the rows. INOUT: wanted, which features were live in the
    parent, then those that are in the smaller child.
    """
    cdef int i, feature
    # Of the planes behind the first, features that only one child can be split on.
    for i in range(block.n_features):
        wanted[i] |= job.larger_live[block.features[i]]
    skx_take_entries(
        block, job.quantized, job.rows, job.n_rows, wanted, job.larger, notes
    )
    for i in range(block.n_features):
        if not wanted[i]:
            continue
        feature = block.features[i]
        if notes[i].entries.n_samples > 0:
            skx_subtract_bin(&larger_notes[i].entries, notes[i].entries)
            larger_notes[i].deviation = INFINITY
        job.larger_live[feature] = (
            larger_notes[i].entries.n_samples >= job.min_samples
        )
        wanted[i] = job.live[feature] = notes[i].entries.n_samples >= job.min_samples


cdef void write_default_bin(
    const binned_t* binned,
    int feature,
    hist_bin_t totals,
    const sparse_note_t* note,
    hist_bin_t* histogram,
) noexcept nogil:
    """Write the bin of a sparse feature's default code: what its entries lack.

    IN: totals of the node, and its note of the feature. OUT: histogram.
    """
    skx_subtract_bin(&totals, note.entries)
    histogram[binned.offsets[feature] + binned.default_codes[feature]] = totals
