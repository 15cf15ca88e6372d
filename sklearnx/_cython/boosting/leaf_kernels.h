// Sums of the rows of leaves.

#pragma once

#include "dtypes.h"
#include "skx_math.h"

// Add what leaves sum of some rows.
SKX_CLONES static void skx_sum_leaf_terms(
    const quantized_t *quantized, const uint32_t *SKX_RESTRICT rows, int64_t n_rows,
    int64_t *sum_gradients, int64_t *sum_hessians) {
    const leaf_term_t *SKX_RESTRICT terms = quantized->leaf_terms;
    const int64_t *SKX_RESTRICT weights = quantized->weights;
    int64_t sum_g = 0, sum_h = 0;
    if (weights == NULL) {
        for (int64_t i = 0; i < n_rows; ++i) {
            sum_g += terms[rows[i]].gradient;
            sum_h += terms[rows[i]].hessian;
        }
    } else {
        for (int64_t i = 0; i < n_rows; ++i) {
            sum_g += weights[rows[i]] * terms[rows[i]].gradient;
            sum_h += weights[rows[i]] * terms[rows[i]].hessian;
        }
    }
    *sum_gradients += sum_g;
    *sum_hessians += sum_h;
}

// Add what histograms sum of some rows, in two words each.
SKX_CLONES static void skx_sum_row_words(
    const quantized_t *quantized, const uint32_t *SKX_RESTRICT rows, int64_t n_rows,
    int64_t *sum_gradients, int64_t *sum_hessians) {
    const int64_t *SKX_RESTRICT words = quantized->words;
    int64_t sum_g = 0, sum_h = 0;
    for (int64_t i = 0; i < n_rows; ++i) {
        sum_g += words[2 * (int64_t)rows[i]];
        sum_h += words[2 * (int64_t)rows[i] + 1] >> PAIR_HESSIAN_SHIFT;
    }
    *sum_gradients += sum_g;
    *sum_hessians += sum_h;
}

// Add the gradients and hessians of some rows as they are in leaves: finer than those of
// histograms, unless these have all bits there are.
static inline void skx_sum_leaf_rows(
    const quantized_t *quantized, const uint32_t *rows, int64_t n_rows,
    int64_t *sum_gradients, int64_t *sum_hessians) {
    if (quantized->leaf_terms != NULL) {
        skx_sum_leaf_terms(quantized, rows, n_rows, sum_gradients, sum_hessians);
    } else {
        skx_sum_row_words(quantized, rows, n_rows, sum_gradients, sum_hessians);
    }
}
