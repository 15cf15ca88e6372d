// Squared distances as sums of squared differences in double, in one order of addition:
// what labels are decided by wherever float32 scores leave a doubt.
#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>

#include "skx_math.h"

// Sum of squared differences: eight running sums in double, added in pairs. It only grows
// from chunk to chunk, so it may end once it exceeds `limit`, with some number above it.
template <typename T>
SKX_INLINE double skx_limited_distance(
    const T *x, const T *y, int64_t n, double limit) {
    double sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    int64_t k = 0;
    double total = 0.0;
    for (;;) {
        const int64_t end = std::min(n, k + 64);
        for (; k + 8 <= end; k += 8) {
            for (int lane = 0; lane < 8; ++lane) {
                const double difference = (double)x[k + lane] - (double)y[k + lane];
                sums[lane] += difference * difference;
            }
        }
        if (k + 8 > n) {
            for (int lane = 0; k < n; ++k, ++lane) {
                const double difference = (double)x[k] - (double)y[k];
                sums[lane] += difference * difference;
            }
        }
        total = ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
                ((sums[4] + sums[5]) + (sums[6] + sums[7]));
        if (k >= n || total > limit) return total;
    }
}

// The nearest centre by exact distances, the first of equal ones, and exact squared
// distances from many rows to one centre each.
#define SKX_DEFINE_EXACT(T)                                                          \
    SKX_CLONES static int32_t skx_find_nearest(                                      \
        const T *x, const T *centers, int64_t n_centers, int64_t n_columns,          \
        double *squared_distance) {                                                  \
        double best = INFINITY;                                                      \
        int32_t label = 0;                                                           \
        for (int64_t j = 0; j < n_centers; ++j) {                                    \
            const double distance =                                                  \
                skx_limited_distance(x, centers + j * n_columns, n_columns, best);   \
            if (distance < best) {                                                   \
                best = distance;                                                     \
                label = (int32_t)j;                                                  \
            }                                                                        \
        }                                                                            \
        *squared_distance = best;                                                    \
        return label;                                                                \
    }                                                                                \
    SKX_CLONES static void skx_measure_rows(                                         \
        const T *X, int64_t n_rows, int64_t n_columns, const T *centers,             \
        const int32_t *labels, double *out) {                                        \
        for (int64_t i = 0; i < n_rows; ++i) {                                       \
            out[i] = skx_limited_distance(                                           \
                X + i * n_columns, centers + labels[i] * n_columns, n_columns,       \
                INFINITY);                                                           \
        }                                                                            \
    }                                                                                \
    SKX_CLONES static double skx_find_distance(                                      \
        const T *x, const T *y, int64_t n_columns, double limit) {                   \
        return skx_limited_distance(x, y, n_columns, limit);                         \
    }
SKX_DEFINE_EXACT(double)
SKX_DEFINE_EXACT(float)
#undef SKX_DEFINE_EXACT

// Sum of squares: eight running sums in double, added in pairs.
#define SKX_DEFINE_SQUARE(T)                                                         \
    SKX_CLONES static double skx_find_square(const T *values, int64_t n) {           \
        double sums[8] = {0};                                                        \
        int64_t k = 0;                                                               \
        for (; k + 8 <= n; k += 8) {                                                 \
            for (int lane = 0; lane < 8; ++lane) {                                   \
                const double value = (double)values[k + lane];                       \
                sums[lane] += value * value;                                         \
            }                                                                        \
        }                                                                            \
        for (int lane = 0; k < n; ++k, ++lane) {                                     \
            sums[lane] += (double)values[k] * (double)values[k];                     \
        }                                                                            \
        return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +                         \
               ((sums[4] + sums[5]) + (sums[6] + sums[7]));                          \
    }
SKX_DEFINE_SQUARE(double)
SKX_DEFINE_SQUARE(float)
#undef SKX_DEFINE_SQUARE
