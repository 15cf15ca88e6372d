// Adding rows to the words of bins, and words to histograms.
//
// A row costs one addition in memory for each column, and a little for finding it. The
// number of narrow columns is a template parameter: the loop over them is then written
// out, which is worth a third of the time. Wide columns are few, and follow in a loop of
// their own. Rows are read in ascending order; a hint ahead hides the latency of those
// that are far apart.

#pragma once

#include <stdint.h>
#include <string.h>

#include <type_traits>
#include <utility>

#include "dtypes.h"
#include "occupied.h"
#include "prefetch.h"

// A block of rows has so many bytes of codes at most.
enum {
    MAX_GROUP_COLUMNS = 32,
    MAX_GROUP_WIDE = 16,
    MAX_CELL_COLUMNS = 8,  // with two codes each
    PREFETCH_DISTANCE = 16,
};

// The wide columns of a group whose rows are added to words.
typedef struct {
    int n_columns;
    int32_t places[MAX_GROUP_WIDE];  // among all wide columns of the group
    int64_t *sums[MAX_GROUP_WIDE];   // words of each
} wide_words_t;

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

// What wide codes are where a group has none.
struct skx_no_code_t {};

template <typename code_t, typename word_t, int... column>
static void skx_add_rows(
    const column_group_t *group, const word_t *words, const uint32_t *rows,
    int64_t n_rows, word_t *sums, const wide_words_t *wide,
    std::integer_sequence<int, column...>) {
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
        if constexpr (!std::is_same<code_t, skx_no_code_t>::value) {
            const code_t *wide_row = (const code_t *)(row + group->wide_place);
            for (int w = 0; w < wide->n_columns; ++w) {
                ((word_t *)wide->sums[w])[wide_row[wide->places[w]]] += word;
            }
        }
    }
}

template <typename code_t, typename word_t, int n_narrow = MAX_GROUP_COLUMNS>
static void skx_add_group(
    const column_group_t *group, const word_t *words, const uint32_t *rows,
    int64_t n_rows, word_t *sums, const wide_words_t *wide) {
    if (n_narrow == 0 || group->n_narrow == n_narrow) {
        skx_add_rows<code_t>(
            group, words, rows, n_rows, sums, wide,
            std::make_integer_sequence<int, n_narrow>());
    } else if constexpr (n_narrow > 0) {
        skx_add_group<code_t, word_t, n_narrow - 1>(
            group, words, rows, n_rows, sums, wide);
    }
}

template <typename word_t>
static void skx_add_codes(
    const column_group_t *group, const word_t *words, const uint32_t *rows,
    int64_t n_rows, word_t *sums, const wide_words_t *wide) {
    if (wide->n_columns == 0) {
        skx_add_group<skx_no_code_t>(group, words, rows, n_rows, sums, wide);
    } else if (group->wide_size == sizeof(uint16_t)) {
        skx_add_group<uint16_t>(group, words, rows, n_rows, sums, wide);
    } else {
        skx_add_group<uint32_t>(group, words, rows, n_rows, sums, wide);
    }
}

// Add the words of a cell to those of its columns, and clear them.
//
//     words of a cell of two columns:  w00 w10 w20 ...   sums of these lines are words
//                                      w01 w11 w21 ...   of the second column, sums over
//                                      ...               the lines those of the first
//
// IN: n_codes (n_columns,). INOUT: words, `width` of each code of the cell; sums
// (n_columns,), of each column.
template <int width>
static void skx_spread_words(
    uint64_t *words, int n_columns, const int32_t *n_codes, uint64_t *const *sums) {
    int n_others = 1;
    for (int i = 1; i < n_columns; ++i) n_others *= n_codes[i];
    for (int other = 0; other < n_others; ++other) {
        uint64_t total[width] = {};
        for (int code = 0; code < n_codes[0]; ++code) {
            for (int lane = 0; lane < width; ++lane) {
                const uint64_t word = words[code * width + lane];
                sums[0][code * width + lane] += word;
                total[lane] += word;
            }
        }
        int rest = other;
        for (int i = 1; i < n_columns; ++i) {
            uint64_t *sum = sums[i] + rest % n_codes[i] * width;
            for (int lane = 0; lane < width; ++lane) sum[lane] += total[lane];
            rest /= n_codes[i];
        }
        words += n_codes[0] * width;
    }
    words -= (int64_t)n_others * n_codes[0] * width;
    memset(words, 0, sizeof(uint64_t) * n_others * n_codes[0] * width);
}

// IN: rows (n_rows,). INOUT: sums, (group->n_narrow, WORD_STRIDE) words, those of `wide`.
static inline void skx_add_to_words(
    const column_group_t *group, const quantized_t *quantized, const uint32_t *rows,
    int64_t n_rows, int64_t *sums, const wide_words_t *wide) {
    if (quantized->n_words == 1) {
        // Unsigned, since the default codes of a shared column may run over.
        skx_add_codes(
            group, (const uint64_t *)quantized->words, rows, n_rows, (uint64_t *)sums,
            wide);
    } else {
        skx_add_codes(
            group, (const skx_pair_t *)quantized->words, rows, n_rows,
            (skx_pair_t *)sums, wide);
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

// Find which bins have a word that is not 0, or of two words the last, which counts rows.
template <int n_words>
static void skx_find_words(
    const int64_t *words, int n_bins, skx_occupied_t *occupied) {
    for (int part = 0; part < OCCUPIED_PARTS; ++part) {
        const int64_t *word = words + part * 64 * n_words + n_words - 1;
        const int n = n_bins - part * 64 < 64 ? n_bins - part * 64 : 64;
        uint64_t bits = 0;
        for (int i = 0; i < n; ++i) bits |= (uint64_t)(word[i * n_words] != 0) << i;
        occupied->bits[part] = bits;
    }
}

#if SKX_HAS_X86_CODE
// The same, eight bins at a time. Reads WORD_STRIDE words of bins.
template <int n_words>
__attribute__((target("avx512f"))) static void skx_find_words_avx512(
    const int64_t *words, skx_occupied_t *occupied) {
    const __m512i last_words = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
    for (int part = 0; part < OCCUPIED_PARTS; ++part) {
        uint64_t bits = 0;
        for (int i = 0; i < 64; i += 8) {
            const int64_t *some = words + (part * 64 + i) * n_words;
            __m512i word = _mm512_loadu_si512(some);
            if (n_words == 2) {
                word = _mm512_permutex2var_epi64(
                    word, last_words, _mm512_loadu_si512(some + 8));
            }
            bits |= (uint64_t)_mm512_test_epi64_mask(word, word) << i;
        }
        occupied->bits[part] = bits;
    }
}
#endif

// Move the words of a column with rows in few bins. OUT: bins, and which have rows.
template <int n_words>
static void skx_flush_few_words(
    int64_t *words, int n_bins, hist_bin_t *bins, skx_occupied_t *occupied) {
    memset(bins, 0, sizeof(hist_bin_t) * n_bins);
#if SKX_HAS_X86_CODE
    static const bool has_avx512 = __builtin_cpu_supports("avx512f");
    if (has_avx512) {
        skx_find_words_avx512<n_words>(words, occupied);
    } else {
        skx_find_words<n_words>(words, n_bins, occupied);
    }
#else
    skx_find_words<n_words>(words, n_bins, occupied);
#endif
    for (int part = 0; part < OCCUPIED_PARTS; ++part) {
        for (uint64_t bits = occupied->bits[part]; bits != 0; bits &= bits - 1) {
            const int b = part * 64 + skx_find_lowest_bit(bits);
            bins[b] = skx_unpack(words + b * n_words, n_words);
            memset(words + b * n_words, 0, sizeof(int64_t) * n_words);
        }
    }
}

static inline void skx_flush_few(
    int n_words, int64_t *words, int n_bins, hist_bin_t *bins,
    skx_occupied_t *occupied) {
    if (n_words == 1) {
        skx_flush_few_words<1>(words, n_bins, bins, occupied);
    } else {
        skx_flush_few_words<2>(words, n_bins, bins, occupied);
    }
}

// Add rows of one column to its bins directly: for columns of more bins than rows, and for
// weights that would fill a word too soon. IN: codes, `stride` bytes from row to row.
template <typename code_t>
static void skx_add_to_bins(
    const uint8_t *codes, int64_t stride, const quantized_t *quantized,
    const uint32_t *rows, int64_t n_rows, hist_bin_t *bins) {
    const int n_words = quantized->n_words;
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t row = rows[i];
        const int64_t code = *(const code_t *)(codes + row * stride);
        skx_add_bin(bins + code, skx_unpack(quantized->words + row * n_words, n_words));
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

// The same where `less` has rows in few bins. INOUT: bins and, if it is known which of
// them have rows, that.
static inline void skx_subtract_few_bins(
    hist_bin_t *bins, skx_occupied_t *occupied, const hist_bin_t *less,
    const skx_occupied_t *occupied_less) {
    for (int part = 0; part < OCCUPIED_PARTS; ++part) {
        uint64_t emptied = 0;
        for (uint64_t bits = occupied_less->bits[part]; bits != 0; bits &= bits - 1) {
            const int b = part * 64 + skx_find_lowest_bit(bits);
            skx_subtract_bin(bins + b, less[b]);
            if (bins[b].n_samples == 0) emptied |= bits & (~bits + 1);
        }
        if (occupied != NULL) occupied->bits[part] &= ~emptied;
    }
}
