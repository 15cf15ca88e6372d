// Raw predictions to means and probabilities, row by row and in blocks of rows.

#pragma once

#include "skx_math.h"

// Of several classes, so many rows at a time stay in the first cache.
enum { SKX_BLOCK_ROWS = 256 };

SKX_INLINE int skx_block_size(int64_t n_rows_left) {
    return n_rows_left < SKX_BLOCK_ROWS ? (int)n_rows_left : SKX_BLOCK_ROWS;
}

// Write the largest score of each row, exponentials relative to it and their sum, over
// the classes in their order.
SKX_INLINE void skx_softmax_block(
    const double *SKX_RESTRICT raw, int64_t n_rows, int n_outputs, int n,
    double *SKX_RESTRICT largest, double *SKX_RESTRICT sum,
    double *SKX_RESTRICT exponentials, int64_t stride) {
    for (int i = 0; i < n; ++i) largest[i] = raw[i];
    for (int k = 1; k < n_outputs; ++k) {
        const double *SKX_RESTRICT plane = raw + k * n_rows;
        for (int i = 0; i < n; ++i) {
            const skx_u64 is_larger = skx_mask(plane[i] > largest[i]);
            largest[i] = skx_select(is_larger, plane[i], largest[i]);
        }
    }
    for (int i = 0; i < n; ++i) sum[i] = 0.0;
    for (int k = 0; k < n_outputs; ++k) {
        const double *SKX_RESTRICT plane = raw + k * n_rows;
        double *SKX_RESTRICT out = exponentials + k * stride;
        for (int i = 0; i < n; ++i) {
            const double t = skx_exp(plane[i] - largest[i]);
            sum[i] += t;
            out[i] = t;
        }
    }
}

// Write (1 - p, p) of one row, both to full precision.
SKX_INLINE void skx_find_binary_probabilities(double raw, double *out) {
    const skx_u64 is_negative = skx_sign_mask(skx_bits(raw));
    const double t = skx_exp(-fabs(raw));
    const double inverse = 1.0 / (1.0 + t);
    out[0] = skx_select(is_negative, 1.0, t) * inverse;
    out[1] = skx_select(is_negative, t, 1.0) * inverse;
}

// Write the probabilities of the classes of one row.
static inline void skx_find_probabilities(const double *raw, int n_outputs, double *out) {
    double largest, sum;
    skx_softmax_block(raw, 1, n_outputs, 1, &largest, &sum, out, 1);
    const double inverse = 1.0 / sum;
    for (int k = 0; k < n_outputs; ++k) out[k] *= inverse;
}
