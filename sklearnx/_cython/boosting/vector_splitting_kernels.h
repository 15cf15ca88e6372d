// The plain gains of one output of a node, added to those of the others. As loops over
// bins, like those of one output.

#pragma once

#include "splitting_kernels.h"

// INOUT: sum, of all bins before. OUT: left, up to each bin. After an empty bin that is
// what it was, for another node may have rows there.
static inline void skx_sum_places(
    const hist_bin_t *SKX_RESTRICT bins, int n_bins, hist_bin_t *sum,
    skx_left_t *SKX_RESTRICT left) {
    hist_bin_t total = *sum;
    for (int i = 0; i < n_bins; ++i) {
        total.sum_gradients += bins[i].sum_gradients;
        total.sum_hessians += bins[i].sum_hessians;
        total.n_samples += bins[i].n_samples;
        left->gradients[i] = total.sum_gradients;
        left->hessians[i] = total.sum_hessians;
        left->n_samples[i] = total.n_samples;
    }
    *sum = total;
}

// INOUT: gains, every second of them, or two for each split if there are no missing
// values to part them; -inf is added where a split is not allowed.
static inline void skx_add_plain_gains(
    const skx_plain_t *node, const skx_left_t *left, int n, int both, double *gains) {
    double own[SKX_BINS_AT_A_TIME];
    skx_compute_plain_gains(node, left, n, own);
    for (int i = 0; i < n; ++i) {
        const int64_t left_n = left->n_samples[i], right_n = node->n_samples - left_n;
        const int64_t right_hessians = node->sum_hessians - left->hessians[i];
        const double left_hessian = (double)left->hessians[i] * node->hessian_unit;
        const double right_hessian = (double)right_hessians * node->hessian_unit;
        const int is_allowed =
            (left_n >= node->min_samples_leaf) & (right_n >= node->min_samples_leaf) &
            (left_hessian >= node->min_child_weight) &
            (right_hessian >= node->min_child_weight);
        const double gain = is_allowed ? own[i] : -HUGE_VAL;
        gains[2 * i] += gain;
        if (both) gains[2 * i + 1] += gain;
    }
}
