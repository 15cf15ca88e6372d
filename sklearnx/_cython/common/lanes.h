// Eight doubles side by side, which compilers keep in the registers of whatever SIMD level
// a function is compiled for. Lanes are rounded one by one: the level changes no bit.

#pragma once

#include <string.h>

#include "skx_math.h"

#if defined(__GNUC__) || defined(__clang__)
typedef double skx_lanes_t __attribute__((vector_size(64)));
typedef float skx_float_lanes_t __attribute__((vector_size(32)));
#define SKX_WIDEN(lanes) __builtin_convertvector(lanes, skx_lanes_t)
#else
struct skx_lanes_t {
    double values[8];

    double &operator[](int i) { return values[i]; }
    skx_lanes_t &operator+=(const skx_lanes_t &other) {
        for (int i = 0; i < 8; ++i) values[i] += other.values[i];
        return *this;
    }
    skx_lanes_t operator*(const skx_lanes_t &other) const {
        skx_lanes_t product = *this;
        for (int i = 0; i < 8; ++i) product.values[i] *= other.values[i];
        return product;
    }
};
struct skx_float_lanes_t {
    float values[8];
};
static inline skx_lanes_t SKX_WIDEN(const skx_float_lanes_t &lanes) {
    skx_lanes_t wide;
    for (int i = 0; i < 8; ++i) wide.values[i] = lanes.values[i];
    return wide;
}
#endif

SKX_INLINE void skx_load(const double *from, skx_lanes_t *lanes) {
    memcpy(lanes, from, sizeof *lanes);
}
SKX_INLINE void skx_load(const float *from, skx_lanes_t *lanes) {
    skx_float_lanes_t narrow;
    memcpy(&narrow, from, sizeof narrow);
    *lanes = SKX_WIDEN(narrow);
}

SKX_INLINE double skx_sum(const skx_lanes_t *lanes) {
    double sums[8];
    memcpy(sums, lanes, sizeof sums);
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) +
           ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}
