// Every struct that kernels share, with the reason for its width.

#pragma once

#include <stdint.h>

// One bin of a histogram: exact integer sums, so that the order of addition and the
// subtraction of a sibling cannot change a bit. 64 bits each: 2^24 rows of 38-bit values.
typedef struct {
    int64_t sum_gradients;
    int64_t sum_hessians;
    int64_t n_samples;
} hist_bin_t;

// What a row adds to a bin, in one word where 12 bits of gradient and hessian will do: a
// gradient (signed, 25 bits), a hessian (25 bits) and a count (14 bits), so that one
// addition updates all three. It may take 2^13 rows of weight 1 before they must be
// flushed into a histogram.
//
//     63          39 38          14 13       0
//    | gradient sum | hessian sum  | n_samples |
//
// In two words where it must be more: the gradient, then hessian (51 bits) and count.
//
//     63                       0   63         13 12       0
//    |       gradient sum       | | hessian sum | n_samples |
enum {
    PACKED_GRADIENT_SHIFT = 39,
    PACKED_HESSIAN_SHIFT = 14,
    PACKED_HESSIAN_MASK = (1 << 25) - 1,
    PACKED_COUNT_MASK = (1 << 14) - 1,
    PACKED_MAX_GRADIENT = (1 << 11) - 1,
    PACKED_MAX_HESSIAN = (1 << 12) - 1,
    PACKED_MAX_ROWS = 1 << 13,
    PAIR_HESSIAN_SHIFT = 13,
    PAIR_HESSIAN_BITS = 51,
    PAIR_COUNT_MASK = (1 << 13) - 1,
    PAIR_MAX_ROWS = 1 << 12,
    MAX_NARROW_BINS = 256,  // of a feature, the missing one included
    // Words from column to column. A power of two would put equal bins of all columns at
    // places that processors mistake for each other.
    WORD_STRIDE = MAX_NARROW_BINS + 8,
};

// Some neighbouring cells, which a row keeps side by side: a byte for each narrow one,
// then 2 or 4 for each wide one. A narrow cell holds the codes of a narrow column, or of
// several with few codes, as digits of a number; a wide cell that of a wide column. Wide
// ones are counted on after the narrow ones.
typedef struct {
    const uint8_t *codes;  // (n_rows, stride), from the first cell of the group on
    int32_t stride;        // bytes
    int32_t wide_place;    // of the first wide code, bytes behind the first
    int32_t wide_size;     // bytes of one
    int32_t first;         // cell
    int32_t n_narrow;
    int32_t n_wide;
    int32_t n_columns, n_features;
    const int32_t *columns;   // (n_columns,) cell by cell
    const int32_t *features;  // (n_features,) column by column
    int64_t max_count;     // rows in the fullest bin of all of them
} column_group_t;

// What is known of a sparse feature in a node, beside the bins of its entries.
typedef struct {
    hist_bin_t entries;  // the sums of them all: the default code has what they lack
    double deviation;    // at most, see gain_bounds.h
} sparse_note_t;

// Sparse features whose codes other than the default one are stored by row.
typedef struct {
    const int64_t *starts;    // (n_rows + 1,) first entry of each row
    const uint32_t *entries;  // ascending in a row: feature of the block << 8 | code
    const int32_t *features;  // (n_features,) ascending
    const int64_t *bins;      // (n_features,) first bin of each in a histogram
    int32_t n_features;
} sparse_block_t;

// How the codes of a feature are stored. Those with at most 256 bins (the missing one
// included) are
//   narrow   by row for histograms and by column for partitions, alone in their column or
//            in one with others: where one of them has another code than its default one,
//            all others have theirs, and the column holds 0 where all have;
//   sparse   as what is not the default code, by row and by column;
// others are
//   wide     by row and by column, in 16 or 32 bits.
// Features that no split can use are not stored at all.
enum { NARROW_STORAGE = 0, WIDE_STORAGE = 1, SPARSE_STORAGE = 2, NO_STORAGE = 3 };

// The binned training data.
typedef struct {
    int64_t n_rows;
    int n_features, n_used, n_dense, n_columns, n_cells, n_wide, n_sparse;
    int n_groups, n_blocks, n_sparse_blocks;
    int64_t updates_per_row;         // bins that a row is added to, about
    const int32_t *used;             // (n_used,) features that are stored, ascending
    const int32_t *dense;            // (n_dense,) those of them that are not sparse
    const uint8_t *storage;          // (n_features,)
    const int32_t *positions;        // (n_features,) among the columns of its storage
    const int32_t *n_bins;           // (n_features,) without the missing bin, which is last
    const int64_t *offsets;          // (n_features + 1,) first bin in a histogram
    const int32_t *default_codes;    // (n_features,) -1: none, the column is its own
    const int32_t *first_codes;      // (n_features,) in a shared column, of others
    const uint8_t *has_missing;      // (n_features,)
    const uint8_t *is_categorical;   // (n_features,)
    const int32_t *cell_columns;     // (n_columns,) narrow columns cell by cell
    const int32_t *cell_starts;      // (n_cells + 1,) first of those of each cell
    const int32_t *cell_codes;       // (n_columns,) codes of each of them, in its cell
    const column_group_t *blocks;    // half a cache line wide
    const column_group_t *groups;    // parts of blocks
    const uint8_t *columns;          // (n_columns, n_rows) of the narrow ones
    const uint16_t *wide16;          // (n_wide, n_rows), or NULL
    const uint32_t *wide32;          // (n_wide, n_rows), or NULL
    // Of narrow columns, then of wide ones, (n_columns + n_wide,):
    const int64_t *max_counts;       // rows in the fullest bin of each
    const int64_t *word_starts;      // first word of each, behind those of cells with several
    int64_t n_words;                 // of columns and of cells with several of them
    const int32_t *members;          // features column by column
    const int32_t *member_starts;    // and the end
    const sparse_block_t *sparse_blocks;
    const int64_t *entry_starts;     // (n_sparse + 1,) by column: first entry
    const uint32_t *entry_rows;      // ascending in a column
    const uint8_t *entry_codes;
} binned_t;

// Write for each code of a narrow column what holds for the codes of one of its features:
// of a shared column, any code of another feature stands for the default one of this.
// IN: by_code (n_bins + 1,). OUT: by_column. Returns how many codes the column has.
static inline int skx_translate_codes(
    const binned_t *binned, int feature, const uint8_t *by_code, uint8_t *by_column) {
    const int n_bins = binned->n_bins[feature];
    const int default_code = binned->default_codes[feature];
    const int first = binned->first_codes[feature];
    if (default_code < 0) {
        for (int code = 0; code <= n_bins; ++code) by_column[code] = by_code[code];
        return n_bins + 1;
    }
    for (int i = 0; i < MAX_NARROW_BINS; ++i) by_column[i] = by_code[default_code];
    for (int i = 0; i < n_bins; ++i) by_column[first + i] = by_code[i + (i >= default_code)];
    return MAX_NARROW_BINS;
}

// What leaves sum of a row, where histograms sum less precise values.
typedef struct {
    int32_t gradient, hessian;
} leaf_term_t;

// Fixed-point gradients and hessians of one tree: words for the sums of histograms, and
// finer values for the sums of leaves.
typedef struct {
    const int64_t *words;      // (n_rows, n_words), weights included
    int n_words;
    int64_t rows_per_flush;    // no field of a word overflows in so many rows
    const leaf_term_t *leaf_terms;    // (n_rows,) of weight 1; NULL: histograms are as precise
    const int64_t *weights;    // (n_rows,) how many rows each stands for; NULL: for one
    int64_t sum_weights;       // of all rows
    double gradient_unit, hessian_unit;  // real value of 1 in a histogram
    double leaf_gradient_unit, leaf_hessian_unit;
    double row_weight;         // real weight that counts as one row
} quantized_t;

// The best split of a node on one feature, or of all of them.
typedef struct {
    double gain;  // decrease of the loss, twice as in Friedman's and XGBoost's papers
    int32_t feature;  // -1 where memory ran out
    int32_t bin;  // numeric: bins up to it go left
    int32_t n_left_levels;  // categorical: that many levels of the sorted order go left
    uint8_t missing_left;
    uint8_t is_categorical;
    int64_t left_gradients, left_hessians, left_n_samples;
    double left_value, right_value;
} split_t;

// A node of the model: 24 bytes, children side by side (right = left + 1).
typedef struct {
    double value;      // threshold of a numeric split, value of a leaf
    int32_t feature;   // -1 for a leaf
    int32_t left;      // within the tree; of a leaf, 1 + its linear model, 0 if it has none
    int32_t bitset;    // first word of the levels that go left, -1 for a numeric split
    uint8_t missing_left;
    uint8_t unused[3];
} node_t;

// The linear model of a leaf: intercept + sum of coefficient * (x - centre), rounded to a
// multiple of `quantum`. Leaves without one take none of this.
typedef struct {
    double intercept;
    double quantum;    // a power of two; 0: not rounded
    int64_t start;     // first term
    int32_t n_terms;
    int32_t unused;
} linear_leaf_t;

typedef struct {
    double coefficient;
    double centre;     // amid the values of the leaf's rows, so that nothing cancels
    int32_t feature;
    int32_t unused;
} linear_term_t;
