// Walks over the entries of sparse features.

#pragma once

#include <stdint.h>

#include <algorithm>

#include "dtypes.h"
#include "histogram_kernels.h"

enum { SKX_ENTRY_CODE_BITS = 8, SKX_ENTRY_CODE_MASK = 255 };

template <bool takes, bool sums>
static void skx_walk_entries(
    const sparse_block_t *block, const quantized_t *quantized, const uint32_t *rows,
    int64_t n_rows, const uint8_t *wanted, hist_bin_t *histogram, sparse_note_t *notes) {
    const int n_words = quantized->n_words;
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t row = rows[i];
        const hist_bin_t value =
            skx_unpack(quantized->words + row * n_words, n_words);
        const int64_t stop = block->starts[row + 1];
        for (int64_t j = block->starts[row]; j < stop; ++j) {
            const uint32_t entry = block->entries[j];
            const uint32_t feature = entry >> SKX_ENTRY_CODE_BITS;
            if (!wanted[feature]) continue;
            hist_bin_t *bin =
                histogram + block->bins[feature] + (entry & SKX_ENTRY_CODE_MASK);
            if (takes) {
                skx_subtract_bin(bin, value);
            } else {
                skx_add_bin(bin, value);
            }
            if (sums) skx_add_bin(&notes[feature].entries, value);
        }
    }
}

// Add rows to the bins of wanted features of a block, and, if any are given, to the notes
// of these features.
static inline void skx_add_entries(
    const sparse_block_t *block, const quantized_t *quantized, const uint32_t *rows,
    int64_t n_rows, const uint8_t *wanted, hist_bin_t *histogram, sparse_note_t *notes) {
    if (notes) {
        skx_walk_entries<false, true>(
            block, quantized, rows, n_rows, wanted, histogram, notes);
    } else {
        skx_walk_entries<false, false>(
            block, quantized, rows, n_rows, wanted, histogram, notes);
    }
}

// Take rows from the bins, and add them to the notes.
static inline void skx_take_entries(
    const sparse_block_t *block, const quantized_t *quantized, const uint32_t *rows,
    int64_t n_rows, const uint8_t *wanted, hist_bin_t *histogram, sparse_note_t *notes) {
    skx_walk_entries<true, true>(
        block, quantized, rows, n_rows, wanted, histogram, notes);
}

// Split rows in two by a sparse feature, in order: as skx_split_rows. goes_left: 0 or 1
// by code. entry_rows: ascending.
static inline int64_t skx_split_sparse_rows(
    const uint32_t *entry_rows, const uint8_t *entry_codes, int64_t n_entries,
    int default_code, const uint8_t *goes_left, const uint32_t *rows, int64_t n_rows,
    uint32_t *left, uint32_t *right) {
    int64_t n_left = 0, entry = 0;
    for (int64_t i = 0; i < n_rows; ++i) {
        const uint32_t row = rows[i];
        if (entry < n_entries && entry_rows[entry] < row) {
            // Leaps double, so that few rows need not pass all entries.
            int64_t leap = 1;
            while (entry + leap < n_entries && entry_rows[entry + leap] < row) {
                entry += leap;
                leap *= 2;
            }
            const int64_t stop = std::min(entry + leap, n_entries);
            entry = std::lower_bound(entry_rows + entry + 1, entry_rows + stop, row) -
                    entry_rows;
        }
        const bool is_stored = entry < n_entries && entry_rows[entry] == row;
        const int code = is_stored ? entry_codes[entry] : default_code;
        const int64_t goes = goes_left[code];
        right[i - n_left] = row;
        left[n_left] = row;
        n_left += goes;
    }
    return n_left;
}

// The code of a row.
static inline int skx_find_entry(
    const uint32_t *entry_rows, const uint8_t *entry_codes, int64_t n_entries,
    int default_code, uint32_t row) {
    const uint32_t *found = std::lower_bound(entry_rows, entry_rows + n_entries, row);
    const bool is_stored = found != entry_rows + n_entries && *found == row;
    return is_stored ? entry_codes[found - entry_rows] : default_code;
}
