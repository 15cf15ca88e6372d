// Adding rows to the words of bins for several classes at once.
//
// The words of a row are put next to each other, one lane each, and those of a bin lie
// the same way, so that one vector addition serves all classes. Rows are gathered a few
// at a time: vectors that were written to memory before are read by one instruction at
// every level of x86-64, those made of single words are slow at some.

#pragma once

#include <stdint.h>

#include <utility>

#include "dtypes.h"
#include "histogram_kernels.h"
#include "prefetch.h"
#include "skx_math.h"

enum { MAX_LANES = 8, MAX_PART_COLUMNS = 16, ROWS_PER_GATHER = 32 };

// Where the lanes of a row come from: that of row `i` is words[lane][i * steps[lane]].
typedef struct {
    const int64_t *words[MAX_LANES];
    int64_t steps[MAX_LANES];
    int width;  // 2, 4 or 8
} lanes_t;

#if defined(__GNUC__) || defined(__clang__)
template <int width>
struct skx_vector_t {
    typedef uint64_t type __attribute__((vector_size(8 * width), aligned(8 * width)));
};
#else
template <int width>
struct skx_vector_t {
    struct type {
        uint64_t words[width];
        void operator+=(const type &other) {
            for (int lane = 0; lane < width; ++lane) words[lane] += other.words[lane];
        }
    };
};
#endif

template <int width, int... pair>
SKX_INLINE void skx_gather_lanes(
    const lanes_t *lanes, const uint32_t *rows, int64_t n_rows, uint64_t *gathered,
    std::integer_sequence<int, pair...>) {
    typedef typename skx_vector_t<2>::type pair_t;
    const lanes_t from = *lanes;
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t row = rows[i];
        pair_t *to = (pair_t *)(gathered + i * width);
        ((to[pair] =
              pair_t{
                  (uint64_t)from.words[2 * pair][row * from.steps[2 * pair]],
                  (uint64_t)from.words[2 * pair + 1][row * from.steps[2 * pair + 1]]}),
         ...);
    }
}

template <int width, int... column>
SKX_INLINE void skx_add_gathered(
    const column_group_t *group, const uint64_t *gathered, const uint32_t *rows,
    int64_t n_rows, int64_t n_ahead, uint64_t *sums,
    std::integer_sequence<int, column...>) {
    typedef typename skx_vector_t<width>::type vector_t;
    const uint8_t *codes = group->codes;
    const int64_t stride = group->stride;
    const vector_t *words = (const vector_t *)gathered;
    vector_t *bins = (vector_t *)sums;
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t last = n_ahead - 1;
        SKX_PREFETCH(
            codes +
            stride * rows[i + PREFETCH_DISTANCE < last ? i + PREFETCH_DISTANCE : last]);
        const vector_t word = words[i];
        const uint8_t *row = codes + rows[i] * stride;
        ((bins[column * WORD_STRIDE + row[column]] += word), ...);
    }
}

template <int width, int n_columns = MAX_PART_COLUMNS>
SKX_INLINE void skx_add_part(
    const column_group_t *group, const uint64_t *gathered, const uint32_t *rows,
    int64_t n_rows, int64_t n_ahead, uint64_t *sums) {
    if constexpr (n_columns > 0) {
        if (group->n_narrow == n_columns) {
            skx_add_gathered<width>(
                group, gathered, rows, n_rows, n_ahead, sums,
                std::make_integer_sequence<int, n_columns>());
        } else {
            skx_add_part<width, n_columns - 1>(
                group, gathered, rows, n_rows, n_ahead, sums);
        }
    }
}

#define SKX_DEFINE_ADD_LANES(WIDTH)                                                    \
    SKX_CLONES static void skx_add_lanes##WIDTH(                                       \
        const column_group_t *group, const lanes_t *lanes, const uint32_t *rows,       \
        int64_t n_rows, uint64_t *sums) {                                              \
        alignas(64) uint64_t gathered[ROWS_PER_GATHER * WIDTH];                        \
        for (int64_t start = 0; start < n_rows; start += ROWS_PER_GATHER) {            \
            const int64_t rest = n_rows - start;                                       \
            const int64_t n = rest < ROWS_PER_GATHER ? rest : ROWS_PER_GATHER;         \
            skx_gather_lanes<WIDTH>(                                                   \
                lanes, rows + start, n, gathered,                                      \
                std::make_integer_sequence<int, WIDTH / 2>());                         \
            skx_add_part<WIDTH>(group, gathered, rows + start, n, rest, sums);         \
        }                                                                              \
    }

SKX_DEFINE_ADD_LANES(2)
SKX_DEFINE_ADD_LANES(4)
SKX_DEFINE_ADD_LANES(8)

// IN: rows (n_rows,). INOUT: sums, (group->n_narrow, WORD_STRIDE, width) words that
// begin with a cache line; the group has at most MAX_PART_COLUMNS.
static inline void skx_add_to_lanes(
    const column_group_t *group, const lanes_t *lanes, const uint32_t *rows,
    int64_t n_rows, int64_t *sums) {
    // Unsigned, since the default codes of a shared column may run over.
    uint64_t *unsigned_sums = (uint64_t *)sums;
    if (lanes->width == 2) {
        skx_add_lanes2(group, lanes, rows, n_rows, unsigned_sums);
    } else if (lanes->width == 4) {
        skx_add_lanes4(group, lanes, rows, n_rows, unsigned_sums);
    } else {
        skx_add_lanes8(group, lanes, rows, n_rows, unsigned_sums);
    }
}

// Move the words of a cell to those of its columns. IN: n_codes (n_columns,). INOUT: words,
// `width` for each code of the cell; sums (n_columns, WORD_STRIDE, width).
static inline void skx_spread_lanes(
    int64_t *words, int width, int n_columns, const int32_t *n_codes, int64_t *sums) {
    uint64_t *all_sums[MAX_CELL_COLUMNS];
    for (int i = 0; i < n_columns; ++i) {
        all_sums[i] = (uint64_t *)sums + (int64_t)i * WORD_STRIDE * width;
    }
    if (width == 2) {
        skx_spread_words<2>((uint64_t *)words, n_columns, n_codes, all_sums);
    } else if (width == 4) {
        skx_spread_words<4>((uint64_t *)words, n_columns, n_codes, all_sums);
    } else {
        skx_spread_words<8>((uint64_t *)words, n_columns, n_codes, all_sums);
    }
}

// Move what a class has in the words of some bins to its histogram, or add it there.
template <int n_words>
static void skx_flush_words_of_lanes(
    const int64_t *words, int width, int n_bins, hist_bin_t *bins, int adds) {
    if (adds) {
        for (int b = 0; b < n_bins; ++b) {
            skx_add_bin(bins + b, skx_unpack(words + b * width, n_words));
        }
    } else {
        for (int b = 0; b < n_bins; ++b) {
            bins[b] = skx_unpack(words + b * width, n_words);
        }
    }
}

// IN: words (n_bins, width), from the first lane of the class on.
static inline void skx_flush_lanes(
    const int64_t *words, int width, int n_words, int n_bins, hist_bin_t *bins,
    int adds) {
    if (n_words == 1) {
        skx_flush_words_of_lanes<1>(words, width, n_bins, bins, adds);
    } else {
        skx_flush_words_of_lanes<2>(words, width, n_bins, bins, adds);
    }
}
