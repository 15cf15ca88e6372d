"""Histograms of sparse features, from the entries of a node's rows.

    entries of the rows --> sums of each feature, and at once off the larger sibling
    features with enough --> bins, by a second walk over the same entries

A small node has entries of many features, but can be split on few of them: no bins are
made for the others.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memset

from sklearnx._cython.boosting.histogram cimport histogram_job_t
from sklearnx._cython.common.dtypes cimport (
    binned_t,
    hist_bin_t,
    quantized_t,
    sparse_block_t,
)

cdef extern from "histogram_kernels.h" nogil:
    void skx_subtract_bin(hist_bin_t* bin, hist_bin_t less) noexcept

cdef extern from "sparse_kernels.h" nogil:
    void skx_add_entries(
        const sparse_block_t* block, const quantized_t* quantized,
        const uint32_t* rows, int64_t n_rows, const uint8_t* wanted,
        hist_bin_t* histogram, hist_bin_t* sums,
    ) noexcept
    void skx_take_entries(
        const sparse_block_t* block, const quantized_t* quantized,
        const uint32_t* rows, int64_t n_rows, const uint8_t* wanted,
        hist_bin_t* histogram, hist_bin_t* sums,
    ) noexcept


cdef void add_sparse_block(const histogram_job_t* job, int block_idx) noexcept nogil:
    """Sum the rows of a job in the bins of a block of sparse features.

    Where there is a larger sibling its sums are those of the parent before, and its own
    afterwards. A feature with fewer than `min_samples` rows of other codes than the
    default one then gets nothing but the bin of that one.
    """
    cdef:
        const binned_t* binned = job.binned
        const sparse_block_t* block = &binned.sparse_blocks[block_idx]
        int32_t first = binned.positions[block.features[0]]
        hist_bin_t* sums = job.workspace.sparse_sums + first
        uint8_t* wanted = job.workspace.sparse_wanted + first
        int i, default_code
        bint any_wanted = False
        hist_bin_t rest
    memset(sums, 0, block.n_features * sizeof(hist_bin_t))
    for i in range(block.n_features):
        wanted[i] = job.live == NULL or job.live[block.features[i]]
    if job.larger != NULL:
        skx_take_entries(
            block, job.quantized, job.rows, job.n_rows, wanted, job.larger, sums
        )
        for i in range(block.n_features):
            if not wanted[i]:
                continue
            default_code = binned.default_codes[block.features[i]]
            rest = job.totals
            skx_subtract_bin(&rest, sums[i])
            skx_subtract_bin(&job.larger[block.bins[i] + default_code], rest)
            wanted[i] = sums[i].n_samples >= job.min_samples
            any_wanted |= wanted[i]
            if not wanted[i]:
                job.histogram[block.bins[i] + default_code] = rest
        if not any_wanted:
            return
    for i in range(block.n_features):
        if wanted[i]:
            memset(
                job.histogram + block.bins[i],
                0,
                (binned.n_bins[block.features[i]] + 1) * sizeof(hist_bin_t),
            )
            sums[i].sum_gradients = sums[i].sum_hessians = sums[i].n_samples = 0
    skx_add_entries(
        block, job.quantized, job.rows, job.n_rows, wanted, job.histogram, sums
    )
    for i in range(block.n_features):
        if wanted[i]:
            rest = job.totals
            skx_subtract_bin(&rest, sums[i])
            default_code = binned.default_codes[block.features[i]]
            job.histogram[block.bins[i] + default_code] = rest
