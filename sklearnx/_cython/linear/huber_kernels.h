// Loops over rows for huber.pyx. They stand in C because Cython cannot put SKX_CLONES
// on its functions.

#pragma once

#include "skx_math.h"

// What the loss needs of a set of rows; see huber.pyx.
typedef struct {
    double squares;
    double inlier_weight;
    double outlier_abs;
} skx_huber_t;

// Eight sums side by side, in an order that is the same whatever the SIMD width.
#define SKX_HUBER_LANES 8

SKX_CLONES static void skx_add_huber(
    const double *SKX_RESTRICT residuals, const double *SKX_RESTRICT weights,
    int64_t n, double threshold, skx_huber_t *sums) {
    double squares[SKX_HUBER_LANES] = {0.0};
    double inlier_weight[SKX_HUBER_LANES] = {0.0};
    double outlier_abs[SKX_HUBER_LANES] = {0.0};
    const int64_t n_blocked = n - n % SKX_HUBER_LANES;
    for (int64_t i = 0; i < n_blocked; i += SKX_HUBER_LANES) {
        for (int k = 0; k < SKX_HUBER_LANES; ++k) {
            const double r = fabs(residuals[i + k]);
            const double w = weights[i + k];
            const skx_u64 is_inlier = skx_mask(r <= threshold);
            const double w_in = skx_select(is_inlier, w, 0.0);
            squares[k] += w_in * r * r;
            inlier_weight[k] += w_in;
            outlier_abs[k] += (w - w_in) * r;
        }
    }
    for (int64_t i = n_blocked; i < n; ++i) {
        const double r = fabs(residuals[i]);
        const double w_in = r <= threshold ? weights[i] : 0.0;
        squares[0] += w_in * r * r;
        inlier_weight[0] += w_in;
        outlier_abs[0] += (weights[i] - w_in) * r;
    }
    for (int k = 0; k < SKX_HUBER_LANES; ++k) {
        sums->squares += squares[k];
        sums->inlier_weight += inlier_weight[k];
        sums->outlier_abs += outlier_abs[k];
    }
}

SKX_CLONES static void skx_map_huber(
    const double *SKX_RESTRICT residuals, const double *SKX_RESTRICT weights,
    int64_t n, double threshold, double *SKX_RESTRICT scores,
    double *SKX_RESTRICT inlier_weights) {
    for (int64_t i = 0; i < n; ++i) {
        const double r = residuals[i];
        double clipped = skx_select(skx_mask(r > threshold), threshold, r);
        clipped = skx_select(skx_mask(r < -threshold), -threshold, clipped);
        scores[i] = weights[i] * clipped;
        inlier_weights[i] =
            skx_select(skx_mask(fabs(r) <= threshold), weights[i], 0.0);
    }
}
