// The distance of each point to its k-th nearest, where k is a share of all points.
//
// All distances of a point are measured. A sample of them gives two values between which
// the k-th most probably is; then only what lies between is put into order (R. W. Floyd
// and R. L. Rivest, "Expected time bounds for selection", CACM 18 (1975)).

#pragma once

#include "block_tree.h"
#include "parallel_parts.h"

// The k-th least of n values, k from 0. IN/OUT: values, reordered. `buffer` has room for n.
static inline double skx_select_kth(double *values, int64_t n, int64_t k, double *buffer) {
    const int64_t n_sampled = 512;
    if (n >= 6 * n_sampled) {
        double sample[n_sampled];
        const int64_t step = n / n_sampled;
        for (int64_t i = 0; i < n_sampled; ++i) sample[i] = values[i * step];
        std::sort(sample, sample + n_sampled);
        // Five standard deviations of the rank in the sample are 57 at most.
        const int64_t rank = (int64_t)((double)k / (double)n * (double)n_sampled);
        const double low = rank >= 60 ? sample[rank - 60] : -INFINITY;
        const double high = rank + 60 < n_sampled ? sample[rank + 60] : INFINITY;
        int64_t n_lower = 0, n_between = 0;
        for (int64_t i = 0; i < n; ++i) {
            n_lower += values[i] < low;
            buffer[n_between] = values[i];
            n_between += values[i] >= low && values[i] <= high;
        }
        if (k >= n_lower && k < n_lower + n_between) {
            std::nth_element(buffer, buffer + (k - n_lower), buffer + n_between);
            return buffer[k - n_lower];
        }
    }
    std::nth_element(values, values + k, values + n);
    return values[k];
}

template <typename T>
SKX_INLINE void skx_measure_all(
    const T *blocks, int64_t n_blocks, int64_t n_dims, const double *point, double *out) {
    for (int64_t block = 0; block < n_blocks; ++block) {
        skx_measure_leaf<skx_squared_gaps_t>(
            blocks + block * n_dims * SKX_BLOCK, point, n_dims, out + block * SKX_BLOCK);
    }
}

SKX_CLONES static void skx_measure_all_of(
    const double *blocks, int64_t n_blocks, int64_t n_dims, const double *point,
    double *out) {
    skx_measure_all(blocks, n_blocks, n_dims, point, out);
}

SKX_CLONES static void skx_measure_all_of(
    const float *blocks, int64_t n_blocks, int64_t n_dims, const double *point,
    double *out) {
    skx_measure_all(blocks, n_blocks, n_dims, point, out);
}

// IN: rows (n, n_dims), k in 1, ..., n; a point is its own first. OUT: distances (n,).
// Whether it came to the end. May throw std::bad_alloc.
template <typename T>
static bool skx_find_kth_distances(
    const T *rows, int64_t n, int64_t n_dims, int64_t k, double *distances,
    skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    const int64_t n_blocks = (n + SKX_BLOCK - 1) / SKX_BLOCK;
    std::vector<T> blocks(
        n_blocks * n_dims * SKX_BLOCK, std::numeric_limits<T>::infinity());
    for (int64_t i = 0; i < n; ++i) {
        T *values = blocks.data() + i / SKX_BLOCK * n_dims * SKX_BLOCK + i % SKX_BLOCK;
        for (int64_t j = 0; j < n_dims; ++j) values[j * SKX_BLOCK] = rows[i * n_dims + j];
    }
    const skx_parts_t parts(n, 16);
    auto task = [&](int64_t part) {
        std::vector<double> point(n_dims), squares(n_blocks * SKX_BLOCK), buffer(n);
        const int64_t end = parts.start(part) + parts.length(part);
        for (int64_t i = parts.start(part); i < end; ++i) {
            for (int64_t j = 0; j < n_dims; ++j) point[j] = (double)rows[i * n_dims + j];
            skx_measure_all_of(
                blocks.data(), n_blocks, n_dims, point.data(), squares.data());
            distances[i] = sqrt(skx_select_kth(squares.data(), n, k - 1, buffer.data()));
        }
    };
    return skx_run_tasks_while(
        parallel_for, parts.n_parts, 16, n_threads, task, goes_on);
}
