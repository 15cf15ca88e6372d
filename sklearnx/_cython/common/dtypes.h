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

// A packed bin: gradient (signed, 25 bits), hessian (25 bits) and count (14 bits) in one
// word, so that one addition updates all three. Rows bring 12 bits each of gradient and
// hessian, hence it may take 2^13 rows before it must be flushed into wide sums.
//
//     63          39 38          14 13       0
//    | gradient sum | hessian sum  | n_samples |
enum {
    PACKED_GRADIENT_SHIFT = 39,
    PACKED_HESSIAN_SHIFT = 14,
    PACKED_HESSIAN_MASK = (1 << 25) - 1,
    PACKED_COUNT_MASK = (1 << 14) - 1,
    PACKED_MAX_GRADIENT = (1 << 11) - 1,
    PACKED_MAX_HESSIAN = (1 << 12) - 1,
    PACKED_MAX_ROWS = 1 << 13,
    PACKED_STRIDE = 256,  // bins of a narrow feature, the missing one included
};

// The binned training data. Features with at most 256 bins (the missing one included)
// are narrow: stored by row for histograms, and by column for partitions. The others are
// wide: by column, in 16 or 32 bits.
typedef struct {
    int64_t n_rows;
    int n_features, n_narrow, n_wide;
    const uint8_t *rows;           // (n_rows, n_narrow)
    const uint8_t *columns;        // (n_narrow, n_rows)
    const uint16_t *wide16;        // (n_wide, n_rows), or NULL
    const uint32_t *wide32;        // (n_wide, n_rows), or NULL
    const int32_t *narrow_features;  // (n_narrow,) feature of each narrow column
    const int32_t *wide_features;  // (n_wide,)
    const int32_t *positions;      // (n_features,) column within its group
    const uint8_t *is_wide;        // (n_features,)
    const int32_t *n_bins;         // (n_features,) without the missing bin, which is last
    const int64_t *offsets;        // (n_features + 1,) first bin in a histogram
    const uint8_t *has_missing;    // (n_features,)
    const uint8_t *is_categorical; // (n_features,)
} binned_t;

// Fixed-point gradients and hessians of one tree, weights included.
typedef struct {
    const int64_t *packed;     // (n_rows,) 12-bit pairs, or NULL when they would not do
    const int64_t *gradients;  // (n_rows,) what histograms sum when packed is NULL
    const int64_t *hessians;
    const int64_t *leaf_gradients;  // (n_rows,) finer, for the values of leaves
    const int64_t *leaf_hessians;
    const int64_t *weights;    // (n_rows,) of the rows, or NULL when all are 1
    double gradient_unit, hessian_unit;  // real value of 1 in a histogram
    double leaf_gradient_unit, leaf_hessian_unit, weight_unit;
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
    int32_t left;      // within the tree
    int32_t bitset;    // first word of the levels that go left, -1 for a numeric split
    uint8_t missing_left;
    uint8_t unused[3];
} node_t;
