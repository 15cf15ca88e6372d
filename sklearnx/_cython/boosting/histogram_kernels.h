// Adding rows to the words of bins, and words to histograms.
//
// A row costs one addition in memory for each column, and a little for finding it. The
// number of columns is a template parameter: the loop over them is then written out,
// which is worth a third of the time. Rows are read in ascending order; a hint ahead
// hides the latency of those that are far apart.

#pragma once

#include <stdint.h>
#include <string.h>

#include <utility>

#include "dtypes.h"
#include "prefetch.h"

enum { MAX_GROUP_COLUMNS = 32, PREFETCH_DISTANCE = 16 };

// Two words, added with one instruction where there is one.
#if defined(__GNUC__) || defined(__clang__)
typedef int64_t skx_pair_t __attribute__((vector_size(16), aligned(8)));
#else
struct skx_pair_t {
    int64_t first, second;
    void operator+=(const skx_pair_t &other) {
        first += other.first;
        second += other.second;
    }
};
#endif

template <typename word_t, int... column>
static void skx_add_rows(
    const column_group_t *group, const word_t *words, const uint32_t *rows,
    int64_t n_rows, word_t *sums, std::integer_sequence<int, column...>) {
    const uint8_t *codes = group->codes;
    const int64_t stride = group->stride;
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t last = n_rows - 1;
        const int64_t ahead =
            rows[i + PREFETCH_DISTANCE < last ? i + PREFETCH_DISTANCE : last];
        SKX_PREFETCH(codes + ahead * stride);
        SKX_PREFETCH(words + ahead);
        const word_t word = words[rows[i]];
        const uint8_t *row = codes + rows[i] * stride;
        ((sums[column * WORD_STRIDE + row[column]] += word), ...);
    }
}

template <typename word_t, int n_columns = MAX_GROUP_COLUMNS>
static void skx_add_group(
    const column_group_t *group, const word_t *words, const uint32_t *rows,
    int64_t n_rows, word_t *sums) {
    if constexpr (n_columns > 0) {
        if (group->n_columns == n_columns) {
            skx_add_rows(
                group, words, rows, n_rows, sums,
                std::make_integer_sequence<int, n_columns>());
        } else {
            skx_add_group<word_t, n_columns - 1>(group, words, rows, n_rows, sums);
        }
    }
}

// IN: rows (n_rows,). INOUT: sums, (group->n_columns, WORD_STRIDE) words.
static inline void skx_add_to_words(
    const column_group_t *group, const quantized_t *quantized, const uint32_t *rows,
    int64_t n_rows, int64_t *sums) {
    if (quantized->n_words == 1) {
        // Unsigned, since the default codes of a shared column may run over.
        skx_add_group<uint64_t>(
            group, (const uint64_t *)quantized->words, rows, n_rows, (uint64_t *)sums);
    } else {
        skx_add_group<skx_pair_t>(
            group, (const skx_pair_t *)quantized->words, rows, n_rows,
            (skx_pair_t *)sums);
    }
}

// What one word, or two, stand for.
static inline hist_bin_t skx_unpack(const int64_t *word, int n_words) {
    hist_bin_t bin;
    if (n_words == 1) {
        bin.sum_gradients = word[0] >> PACKED_GRADIENT_SHIFT;
        bin.sum_hessians = (word[0] >> PACKED_HESSIAN_SHIFT) & PACKED_HESSIAN_MASK;
        bin.n_samples = word[0] & PACKED_COUNT_MASK;
    } else {
        bin.sum_gradients = word[0];
        bin.sum_hessians = (int64_t)((uint64_t)word[1] >> PAIR_HESSIAN_SHIFT);
        bin.n_samples = word[1] & PAIR_COUNT_MASK;
    }
    return bin;
}

static inline void skx_add_bin(hist_bin_t *bin, hist_bin_t more) {
    bin->sum_gradients += more.sum_gradients;
    bin->sum_hessians += more.sum_hessians;
    bin->n_samples += more.n_samples;
}

static inline void skx_subtract_bin(hist_bin_t *bin, hist_bin_t less) {
    bin->sum_gradients -= less.sum_gradients;
    bin->sum_hessians -= less.sum_hessians;
    bin->n_samples -= less.n_samples;
}

// Move the words of a column to its bins, or add them to those, and clear them.
template <int n_words>
static void skx_flush_words(int64_t *words, int n_bins, hist_bin_t *bins, int adds) {
    if (adds) {
        for (int b = 0; b < n_bins; ++b) {
            skx_add_bin(bins + b, skx_unpack(words + b * n_words, n_words));
        }
    } else {
        for (int b = 0; b < n_bins; ++b) {
            bins[b] = skx_unpack(words + b * n_words, n_words);
        }
    }
    memset(words, 0, sizeof(int64_t) * n_words * n_bins);
}

static inline void skx_flush_column(
    int n_words, int64_t *words, int n_bins, hist_bin_t *bins, int adds) {
    if (n_words == 1) {
        skx_flush_words<1>(words, n_bins, bins, adds);
    } else {
        skx_flush_words<2>(words, n_bins, bins, adds);
    }
}

// Add rows of one column to its bins directly: for columns of many bins, and for weights
// that would fill a word too soon.
template <typename code_t>
static void skx_add_to_bins(
    const code_t *codes, const quantized_t *quantized, const uint32_t *rows,
    int64_t n_rows, hist_bin_t *bins) {
    const int n_words = quantized->n_words;
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t row = rows[i];
        skx_add_bin(
            bins + codes[row], skx_unpack(quantized->words + row * n_words, n_words));
    }
}

template <typename code_t, typename word_t>
static void skx_add_column_words(
    const code_t *codes, const word_t *words, const uint32_t *rows, int64_t n_rows,
    word_t *sums) {
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t last = n_rows - 1;
        const int64_t ahead =
            rows[i + PREFETCH_DISTANCE < last ? i + PREFETCH_DISTANCE : last];
        SKX_PREFETCH(codes + ahead);
        SKX_PREFETCH(words + ahead);
        sums[codes[rows[i]]] += words[rows[i]];
    }
}

// The same, but to words.
template <typename code_t>
static void skx_add_column(
    const code_t *codes, const quantized_t *quantized, const uint32_t *rows,
    int64_t n_rows, int64_t *words) {
    if (quantized->n_words == 1) {
        skx_add_column_words(codes, quantized->words, rows, n_rows, words);
    } else {
        skx_add_column_words(
            codes, (const skx_pair_t *)quantized->words, rows, n_rows,
            (skx_pair_t *)words);
    }
}

// The same of a feature that shares its column, without its default code.
static inline void skx_add_shared_codes(
    const uint8_t *codes, int first_code, int default_code, int n_bins,
    const quantized_t *quantized, const uint32_t *rows, int64_t n_rows,
    hist_bin_t *bins) {
    const int n_words = quantized->n_words;
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t row = rows[i];
        const int place = codes[row] - first_code;
        if (place < 0 || place >= n_bins) continue;
        skx_add_bin(
            bins + place + (place >= default_code),
            skx_unpack(quantized->words + row * n_words, n_words));
    }
}

// The sums of some rows, as many at a time as a word can hold.
static inline hist_bin_t skx_sum_words(
    const quantized_t *quantized, const uint32_t *rows, int64_t n_rows) {
    const int n_words = quantized->n_words;
    hist_bin_t sums = {0, 0, 0};
    int64_t start = 0;
    while (start < n_rows) {
        const int64_t rest = n_rows - start;
        const int64_t stop =
            start + (rest < quantized->rows_per_flush ? rest : quantized->rows_per_flush);
        int64_t words[2] = {0, 0};
        for (; start < stop; ++start) {
            const int64_t *row = quantized->words + rows[start] * (int64_t)n_words;
            words[0] += row[0];
            words[1] += row[n_words - 1];
        }
        skx_add_bin(&sums, skx_unpack(words, n_words));
    }
    return sums;
}

static inline void skx_subtract_bins(
    hist_bin_t *bins, const hist_bin_t *less, int64_t n_bins) {
    for (int64_t b = 0; b < n_bins; ++b) skx_subtract_bin(bins + b, less[b]);
}
