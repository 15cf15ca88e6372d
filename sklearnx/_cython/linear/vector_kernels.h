// Sums and updates of vectors with one order of addition on every machine.
#pragma once

#include <stdint.h>

#include "skx_math.h"

enum { SKX_LANES = 8 };

// Eight running sums, added in pairs at the end: a loop that compilers vectorise
// without being allowed to reorder.
SKX_INLINE double skx_dot(const double *x, const double *y, int64_t n) {
    double sums[SKX_LANES] = {0, 0, 0, 0, 0, 0, 0, 0};
    int64_t i = 0;
    for (; i + SKX_LANES <= n; i += SKX_LANES) {
        for (int lane = 0; lane < SKX_LANES; ++lane) {
            sums[lane] += x[i + lane] * y[i + lane];
        }
    }
    for (; i < n; ++i) sums[i % SKX_LANES] += x[i] * y[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

template <typename T>
SKX_INLINE void skx_axpy(
    double a, const T *SKX_RESTRICT x, double *SKX_RESTRICT y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] += a * (double)x[i];
}
