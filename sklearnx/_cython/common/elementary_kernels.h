// Loops over arrays for elementary.pyx. They stand in C because Cython cannot put
// SKX_CLONES on its functions.

#pragma once

#include "skx_math.h"

typedef void (*skx_map_t)(
    const double *SKX_RESTRICT x, double *SKX_RESTRICT out, int64_t n);

#define SKX_DEFINE_MAP(NAME)                                                \
    SKX_CLONES static void skx_map_##NAME(                                  \
        const double *SKX_RESTRICT x, double *SKX_RESTRICT out, int64_t n) { \
        for (int64_t i = 0; i < n; ++i) out[i] = skx_##NAME(x[i]);          \
    }

SKX_DEFINE_MAP(exp)
SKX_DEFINE_MAP(log)
SKX_DEFINE_MAP(log1p)
SKX_DEFINE_MAP(expit)
