// The mini-batch step of k-means, and draws of rows by their weights.

#pragma once

#include <stdint.h>

#include <algorithm>
#include <vector>

#include "parallel_parts.h"
#include "prefetch.h"
#include "skx_math.h"

// Draws -------------------------------------------------------------------------------
//
// A draw u in [0, 1) is of the first row with cdf[row] > u. The guide has the answer for
// u = b / n_buckets, from which a search for others goes a row or two, on average
// (Chen and Asau, "On generating random variates from an empirical distribution", AIIE
// Transactions 1974):
//
//     cdf    |----|-|------|---|--|----------|
//     guide  0      2      3   4     6       6
//
// OUT: guide (n_buckets,).
static inline void skx_build_guide(
    const double *cdf, int64_t n_rows, int32_t *guide, int64_t n_buckets) {
    int64_t row = 0;
    for (int64_t b = 0; b < n_buckets; ++b) {
        const double u = (double)b / (double)n_buckets;
        while (row < n_rows - 1 && !(cdf[row] > u)) ++row;
        guide[b] = (int32_t)row;
    }
}

// Rounding may put u into a neighbour of its bucket, hence the steps back.
static inline void skx_find_draws(
    const double *cdf, int64_t n_rows, const int32_t *guide, int64_t n_buckets,
    const double *draws, int64_t n_draws, int64_t *rows) {
    enum { AHEAD = 16 };
    const double scale = (double)n_buckets;
    for (int64_t i = 0; i < n_draws; ++i) {
        const int64_t bucket = std::min((int64_t)(draws[i] * scale), n_buckets - 1);
        SKX_PREFETCH(guide + bucket);
        rows[i] = bucket;
    }
    for (int64_t i = 0; i < n_draws + AHEAD; ++i) {
        if (i < n_draws) {
            rows[i] = guide[rows[i]];
            SKX_PREFETCH(cdf + rows[i]);
        }
        if (i < AHEAD) continue;
        const double u = draws[i - AHEAD];
        int64_t row = rows[i - AHEAD];
        while (row > 0 && cdf[row - 1] > u) --row;
        while (row < n_rows - 1 && !(cdf[row] > u)) ++row;
        rows[i - AHEAD] = row;
    }
}

// out[i] = X[rows[i]], of rows side by side.
template <typename T>
static void skx_take_rows(
    const T *X, int64_t n_columns, const int64_t *rows, int64_t n_taken, T *out,
    skx_parallel_t parallel_for, int n_threads) {
    enum { AHEAD = 8, LINE = 64 / sizeof(T) };
    const skx_parts_t parts(n_taken, 2048);
    auto take = [&](int64_t part) {
        const int64_t end = parts.start(part) + parts.length(part);
        for (int64_t i = parts.start(part); i < end; ++i) {
            if (i + AHEAD < end) {
                const T *next = X + rows[i + AHEAD] * n_columns;
                for (int64_t j = 0; j < n_columns; j += LINE) SKX_PREFETCH(next + j);
            }
            std::copy_n(X + rows[i] * n_columns, n_columns, out + i * n_columns);
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, take);
}

// Steps -------------------------------------------------------------------------------
//
// A centre c is the mean of all rows that it was nearest to so far, of total weight n.
// With rows R of the batch (Sculley, "Web-scale k-means clustering", WWW 2010, Algorithm
// 1, whose learning rate of 1 / n makes it this mean):
//
//     c  <-  (n c + sum_{i in R} w_i x_i) / (n + sum w_i),     n  <-  n + sum w_i
//
// A centre is one task, which adds up its rows in their order.

// Rows of a batch side by side, or in compressed rows.
template <typename T>
struct skx_batch_t {
    const T *values;
    const int32_t *columns;  // NULL for dense rows
    const int32_t *starts;
    const T *weights;        // NULL for ones
    const int32_t *labels;
    int64_t n_rows, n_columns;
};

// sum += weight * x; returns the squared distance of x to the centre.
template <typename T>
SKX_INLINE double skx_add_dense_row(
    const T *SKX_RESTRICT x, double weight, const T *SKX_RESTRICT centre, int64_t n,
    double *SKX_RESTRICT sum) {
    double lanes[8] = {0};
    int64_t j = 0;
    for (; j + 8 <= n; j += 8) {
        for (int i = 0; i < 8; ++i) {
            const double value = (double)x[j + i];
            const double difference = value - (double)centre[j + i];
            lanes[i] += difference * difference;
            sum[j + i] += value * weight;
        }
    }
    for (; j < n; ++j) {
        const double value = (double)x[j], difference = value - (double)centre[j];
        lanes[0] += difference * difference;
        sum[j] += value * weight;
    }
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

// The same of a row of which only some values are not zero.
template <typename T>
SKX_INLINE double skx_add_sparse_row(
    const skx_batch_t<T> &batch, int64_t row, double weight, const T *centre,
    double squared_norm, double *sum) {
    double squares = squared_norm;
    for (int32_t i = batch.starts[row]; i < batch.starts[row + 1]; ++i) {
        const int64_t j = batch.columns[i];
        const double value = (double)batch.values[i], there = (double)centre[j];
        const double difference = value - there;
        squares += difference * difference - there * there;
        sum[j] += value * weight;
    }
    return squares > 0.0 ? squares : 0.0;
}

// One centre and its rows; returns their weighted sum of squared distances to the old.
template <typename T>
SKX_INLINE double skx_move_centre(
    const skx_batch_t<T> &batch, const int32_t *rows, int64_t n_rows, const T *old,
    T *moved, double *n_seen, double *sum) {
    const int64_t n = batch.n_columns;
    double batch_weight = 0.0, inertia = 0.0, squared_norm = 0.0;
    for (int64_t j = 0; j < n; ++j) sum[j] = (double)old[j] * *n_seen;
    if (batch.columns && n_rows > 0) {
        for (int64_t j = 0; j < n; ++j) squared_norm += (double)old[j] * (double)old[j];
    }
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t row = rows[i];
        const double weight = batch.weights ? (double)batch.weights[row] : 1.0;
        const double squares =
            batch.columns
                ? skx_add_sparse_row(batch, row, weight, old, squared_norm, sum)
                : skx_add_dense_row(batch.values + row * n, weight, old, n, sum);
        batch_weight += weight;
        inertia += weight * squares;
    }
    if (batch_weight > 0.0) {
        *n_seen += batch_weight;
        const double share = 1.0 / *n_seen;
        for (int64_t j = 0; j < n; ++j) moved[j] = (T)(sum[j] * share);
    } else {
        std::copy_n(old, n, moved);
    }
    return inertia;
}

#define SKX_DEFINE_MOVE_CENTRE(T)                                                        \
    SKX_CLONES static inline double skx_move_one_centre(                                 \
        const skx_batch_t<T> &batch, const int32_t *rows, int64_t n_rows, const T *old,  \
        T *moved, double *n_seen, double *sum) {                                         \
        return skx_move_centre<T>(batch, rows, n_rows, old, moved, n_seen, sum);         \
    }
SKX_DEFINE_MOVE_CENTRE(double)
SKX_DEFINE_MOVE_CENTRE(float)

// Returns the inertia of the batch before the step. IN: old (n_centres, n_columns).
// IN/OUT: n_seen (n_centres,). OUT: moved, as old.
template <typename T>
static double skx_move_centres(
    const skx_batch_t<T> &batch, const T *old, T *moved, double *n_seen, int64_t n_centres,
    skx_parallel_t parallel_for, int n_threads) {
    // The rows of each centre, in their order: a counting sort.
    std::vector<int64_t> ends(n_centres + 1, 0);
    for (int64_t i = 0; i < batch.n_rows; ++i) ++ends[batch.labels[i] + 1];
    for (int64_t c = 0; c < n_centres; ++c) ends[c + 1] += ends[c];
    std::vector<int64_t> next(ends.begin(), ends.end() - 1);
    std::vector<int32_t> rows(batch.n_rows);
    for (int64_t i = 0; i < batch.n_rows; ++i) {
        rows[next[batch.labels[i]]++] = (int32_t)i;
    }
    // Many centres share a task, and with it the place for a sum.
    const skx_parts_t parts(n_centres, std::max((int64_t)1, (n_centres + 63) / 64));
    std::vector<double> inertias(n_centres), sums(parts.n_parts * batch.n_columns);
    auto move = [&](int64_t part) {
        for (int64_t i = 0; i < parts.length(part); ++i) {
            const int64_t c = parts.start(part) + i;
            inertias[c] = skx_move_one_centre(
                batch, rows.data() + ends[c], ends[c + 1] - ends[c],
                old + c * batch.n_columns, moved + c * batch.n_columns, n_seen + c,
                sums.data() + part * batch.n_columns);
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, move);
    double inertia = 0.0;
    for (const double value : inertias) inertia += value;
    return inertia;
}
