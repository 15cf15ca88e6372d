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
