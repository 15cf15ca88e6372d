// Sums and quantiles that do not depend on the order of the rows.
//
// A product v = value * weight is split into two integers,
//
//     v * 2**shift = high + low * 2**-n_bits,   |high| <= 2**n_bits,
//
// the first rounded to nearest, the second the rounded rest. `shift` brings the largest
// |v| to 2**n_bits. Integers are summed exactly in any order; the two sums together
// hold 2 * n_bits bits, more than a double.

#pragma once

#include <algorithm>

#include "fixed_point.h"
#include "skx_math.h"

enum { SKX_FIXED_BITS = 38 };

// How many bits a row may have so that n_rows of them stay below 2**62: 38 to 2**24
// rows, fewer beyond.
static inline int skx_fixed_bits(int64_t n_rows) {
    int n_bits = SKX_FIXED_BITS;
    while (n_bits > 1 && ((n_rows - 1) >> (62 - n_bits)) > 0) --n_bits;
    return n_bits;
}

// The power of two that brings max_abs to 2**n_bits. Capped, so that it is finite: sums
// of numbers below 2**-960 have fewer bits.
static inline int skx_fixed_shift(double max_abs, int n_bits) {
    int exponent;
    frexp(max_abs, &exponent);
    return n_bits - exponent < 1000 ? n_bits - exponent : 1000;
}

static inline double skx_fixed_value(int64_t high, int64_t low, int n_bits, int shift) {
    return ldexp((double)high + ldexp((double)low, -n_bits), -shift);
}

SKX_INLINE void skx_add_one(
    double value, double scale, double low_scale, int64_t *high, int64_t *low) {
    const double scaled = value * scale;
    const double whole = (scaled + SKX_ROUNDER) - SKX_ROUNDER;
    *high += skx_round(scaled);
    *low += skx_round((scaled - whole) * low_scale);
}

SKX_INLINE void skx_add_rows(
    const double *values, const double *weights, int64_t n, double scale,
    double low_scale, int64_t *sum_high, int64_t *sum_low) {
    int64_t high = 0, low = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double weight = weights ? weights[i] : 1.0;
        skx_add_one(values[i] * weight, scale, low_scale, &high, &low);
    }
    *sum_high = high;
    *sum_low = low;
}

SKX_CLONES static inline void skx_add_unweighted(
    const double *values, int64_t n, double scale, double low_scale, int64_t *high,
    int64_t *low) {
    skx_add_rows(values, NULL, n, scale, low_scale, high, low);
}

SKX_CLONES static inline void skx_add_weighted(
    const double *values, const double *weights, int64_t n, double scale,
    double low_scale, int64_t *high, int64_t *low) {
    skx_add_rows(values, weights, n, scale, low_scale, high, low);
}

// Eight running maxima, because one would make every row wait for the row before.
SKX_INLINE double skx_max_abs_rows(
    const double *values, const double *weights, int64_t n) {
    double lanes[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int j = 0; j < 8; ++j) {
            const double weight = weights ? weights[i + j] : 1.0;
            const double magnitude = fabs(values[i + j] * weight);
            lanes[j] = magnitude > lanes[j] ? magnitude : lanes[j];
        }
    }
    for (; i < n; ++i) {
        const double magnitude = fabs(values[i] * (weights ? weights[i] : 1.0));
        lanes[0] = magnitude > lanes[0] ? magnitude : lanes[0];
    }
    return *std::max_element(lanes, lanes + 8);
}

SKX_CLONES static inline double skx_max_abs_unweighted(
    const double *values, int64_t n) {
    return skx_max_abs_rows(values, NULL, n);
}

SKX_CLONES static inline double skx_max_abs_weighted(
    const double *values, const double *weights, int64_t n) {
    return skx_max_abs_rows(values, weights, n);
}

// A value with its weight in fixed point.
typedef struct {
    double value;
    int64_t weight;
} skx_weighted_t;

// Sums of weights and the target q * sum are compared with this relative tolerance, so
// that 0.07 of 100 rows means 7 although 0.07 * 100 > 7 in floating point.
#define SKX_TIE_TOLERANCE 0x1p-50

// The averaged inverted distribution function: the smallest value whose cumulated
// weight reaches q times the total, averaged with the next one if it meets it exactly.
// Reorders `values`.
static inline double skx_find_quantile(double *values, int64_t n, double q) {
    if (n == 0) return NAN;
    const double target = q * (double)n;
    const double tolerance = SKX_TIE_TOLERANCE * (double)n;
    int64_t rank = (int64_t)ceil(target - tolerance);
    rank = std::min(std::max(rank, (int64_t)1), n);
    std::nth_element(values, values + (rank - 1), values + n);
    double value = values[rank - 1];
    if (rank < n && fabs((double)rank - target) <= tolerance) {
        value = 0.5 * value + 0.5 * *std::min_element(values + rank, values + n);
    }
    return value + 0.0;  // never -0: which of two zeros is met depends on the order
}

// The same with weights, by bisection: each pass halves the rows that may hold it.
static inline double skx_find_weighted_quantile(
    skx_weighted_t *rows, int64_t n, double q) {
    if (n == 0) return NAN;
    const auto is_less = [](const skx_weighted_t &a, const skx_weighted_t &b) {
        return a.value < b.value;
    };
    int64_t total = 0, below = 0, first = 0, last = n;
    for (int64_t i = 0; i < n; ++i) total += rows[i].weight;
    const double target = q * (double)total;
    const double tolerance = SKX_TIE_TOLERANCE * (double)total;
    while (last - first > 1) {
        const int64_t middle = first + (last - first) / 2;
        int64_t sum_weights = below;
        std::nth_element(rows + first, rows + middle, rows + last, is_less);
        for (int64_t i = first; i < middle; ++i) sum_weights += rows[i].weight;
        if ((double)sum_weights >= target - tolerance) {
            last = middle;
        } else {
            first = middle;
            below = sum_weights;
        }
    }
    double value = rows[first].value;
    const double reached = (double)(below + rows[first].weight);
    if (first + 1 < n && fabs(reached - target) <= tolerance) {
        value = 0.5 * value
            + 0.5 * std::min_element(rows + first + 1, rows + n, is_less)->value;
    }
    return value + 0.0;
}
