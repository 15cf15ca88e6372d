// Rounding of gradients and hessians to the integers that histograms and leaves sum.

#pragma once

#include "dtypes.h"
#include "fixed_point.h"
#include "skx_math.h"

// One call over the rows from start to stop.
typedef struct {
    const double *gradients;
    const double *hessians;  // NULL: all are 1
    const double *factors;   // NULL: all are 1
    int integer_weights;
    double gradient_scale, hessian_scale;
    int gradient_shift, hessian_shift;  // from fine to 12 bits; 0: fine values go to words
    int n_words;
    int64_t *words;
} skx_quantize_t;

// The integer that a real number stands for. Integer weights multiply it, others have
// multiplied the number.
static inline int64_t skx_fine(
    double value, double scale, const double *factors, int integer_weights, int64_t i) {
    if (factors == NULL) return skx_round(value * scale);
    if (!integer_weights) return skx_round(value * factors[i] * scale);
    return factors[i] > 0 ? (int64_t)factors[i] * skx_round(value * scale) : 0;
}

// What is found on the way, of the rows of a call.
typedef struct {
    int64_t sum_gradients, sum_hessians;  // of absolute fine values
    // Largest absolute values, of rows whose weight is not zero; infinite or NaN if any
    // value is. Without their sign, doubles are ordered as the integers of the same bits,
    // whose maximum compilers vectorise.
    int64_t max_gradient, max_hessian;
} skx_found_t;

SKX_INLINE int64_t skx_magnitude(double value) {
    return (int64_t)(skx_bits(value) & ~(UINT64_C(1) << 63));
}

SKX_INLINE int64_t skx_larger(int64_t a, int64_t b) { return a > b ? a : b; }

// Round to a grid of 2^shift, ties up, and clip. The bias makes what is shifted positive,
// since few machines can shift 64 signed bits in vectors.
SKX_INLINE int64_t skx_narrow(int64_t fine, int shift, int64_t largest) {
    const int64_t bias = INT64_C(1) << 52;
    const uint64_t biased = (uint64_t)(fine + bias + ((INT64_C(1) << shift) >> 1));
    int64_t value = (int64_t)(biased >> shift) - (bias >> shift);
    value = value > largest ? largest : value;
    return value < -largest ? -largest : value;
}

SKX_INLINE int64_t skx_pack(int64_t gradient, int64_t hessian) {
    return gradient * (INT64_C(1) << PACKED_GRADIENT_SHIFT) +
           (hessian << PACKED_HESSIAN_SHIFT) + 1;
}

// Write words of rows. The flags are constants where it is called, so that each case is a
// loop of its own.
SKX_INLINE void skx_quantize_rows(
    const skx_quantize_t *args, int64_t start, int64_t stop, skx_found_t *found,
    int has_hessians, int has_factors, int is_narrow) {
    const double *SKX_RESTRICT gradients = args->gradients;
    const double *SKX_RESTRICT hessians = args->hessians;
    const double *SKX_RESTRICT factors = args->factors;
    int64_t *SKX_RESTRICT words = args->words;
    const double gradient_scale = args->gradient_scale;
    const double hessian_scale = args->hessian_scale;
    const int gradient_shift = args->gradient_shift;
    const int hessian_shift = args->hessian_shift;
    // Locals, lest threads write to neighbouring sums with every row.
    int64_t sum_g = 0, sum_h = 0, max_g = 0, max_h = 0;
    for (int64_t i = start; i < stop; ++i) {
        double gradient = gradients[i], hessian = has_hessians ? hessians[i] : 1.0;
        if (has_factors) {
            gradient *= factors[i];
            hessian *= factors[i];
        }
        max_g = skx_larger(max_g, skx_magnitude(gradient));
        max_h = skx_larger(max_h, skx_magnitude(hessian));
        const int64_t g = skx_round(gradient * gradient_scale);
        const int64_t h = skx_round(hessian * hessian_scale);
        sum_g += g < 0 ? -g : g;
        sum_h += h;
        if (is_narrow) {
            words[i] = skx_pack(
                skx_narrow(g, gradient_shift, PACKED_MAX_GRADIENT),
                skx_narrow(h, hessian_shift, PACKED_MAX_HESSIAN));
        } else {
            words[2 * i] = g;
            words[2 * i + 1] = h * (INT64_C(1) << PAIR_HESSIAN_SHIFT) + 1;
        }
    }
    *found = {sum_g, sum_h, max_g, max_h};
}

#define SKX_DEFINE_QUANTIZE(NAME, HAS_HESSIANS, HAS_FACTORS, IS_NARROW)                \
    SKX_CLONES static void skx_quantize_##NAME(                                        \
        const skx_quantize_t *args, int64_t start, int64_t stop, skx_found_t *found) { \
        skx_quantize_rows(                                                             \
            args, start, stop, found, HAS_HESSIANS, HAS_FACTORS, IS_NARROW);           \
    }

SKX_DEFINE_QUANTIZE(wide, 0, 0, 0)
SKX_DEFINE_QUANTIZE(narrow, 0, 0, 1)
SKX_DEFINE_QUANTIZE(wide_weighted, 0, 1, 0)
SKX_DEFINE_QUANTIZE(narrow_weighted, 0, 1, 1)
SKX_DEFINE_QUANTIZE(wide_hessians, 1, 0, 0)
SKX_DEFINE_QUANTIZE(narrow_hessians, 1, 0, 1)
SKX_DEFINE_QUANTIZE(wide_hessians_weighted, 1, 1, 0)
SKX_DEFINE_QUANTIZE(narrow_hessians_weighted, 1, 1, 1)

// Integer weights multiply what has been rounded, once to fine values, and again to 12
// bits.
static void skx_quantize_repeated(
    const skx_quantize_t *args, int64_t start, int64_t stop, skx_found_t *found) {
    int64_t sum_g = 0, sum_h = 0, max_g = 0, max_h = 0;
    for (int64_t i = start; i < stop; ++i) {
        const int64_t repetitions = args->factors[i] > 0 ? (int64_t)args->factors[i] : 0;
        const double hessian = args->hessians == NULL ? 1.0 : args->hessians[i];
        if (repetitions > 0) {
            max_g = skx_larger(max_g, skx_magnitude(args->gradients[i]));
            max_h = skx_larger(max_h, skx_magnitude(hessian));
        }
        int64_t g = skx_round(args->gradients[i] * args->gradient_scale);
        int64_t h = skx_round(hessian * args->hessian_scale);
        sum_g += repetitions * (g < 0 ? -g : g);
        sum_h += repetitions * h;
        if (args->gradient_shift > 0) {
            g = skx_narrow(g, args->gradient_shift, PACKED_MAX_GRADIENT);
            h = skx_narrow(h, args->hessian_shift, PACKED_MAX_HESSIAN);
        }
        g *= repetitions;
        h *= repetitions;
        if (args->n_words == 1) {
            args->words[i] = skx_pack(g, h);
        } else {
            args->words[2 * i] = g;
            args->words[2 * i + 1] = h * (INT64_C(1) << PAIR_HESSIAN_SHIFT) + 1;
        }
    }
    *found = {sum_g, sum_h, max_g, max_h};
}

static inline void skx_quantize(
    const skx_quantize_t *args, int64_t start, int64_t stop, skx_found_t *found) {
    typedef void (*kernel_t)(const skx_quantize_t *, int64_t, int64_t, skx_found_t *);
    static const kernel_t kernels[2][2][2] = {
        {{skx_quantize_wide, skx_quantize_narrow},
         {skx_quantize_wide_weighted, skx_quantize_narrow_weighted}},
        {{skx_quantize_wide_hessians, skx_quantize_narrow_hessians},
         {skx_quantize_wide_hessians_weighted, skx_quantize_narrow_hessians_weighted}},
    };
    kernel_t kernel = skx_quantize_repeated;
    if (args->factors == NULL || !args->integer_weights) {
        kernel = kernels[args->hessians != NULL][args->factors != NULL][args->n_words == 1];
    }
    kernel(args, start, stop, found);
}

// The usual case of what follows: all rows from start to stop, without integer weights.
SKX_CLONES static void skx_sum_squares_of_words(
    const int64_t *SKX_RESTRICT words, int n_words, int64_t start, int64_t stop,
    int shift, int64_t *SKX_RESTRICT sums) {
    const int64_t half = (INT64_C(1) << shift) >> 1;
    int64_t sum_s = 0, sum_h = 0;
    if (n_words == 1) {
        // Of 12 bits, which are not shifted.
        for (int64_t i = start; i < stop; ++i) {
            const int64_t gradient = words[i] >> PACKED_GRADIENT_SHIFT;
            sum_s += gradient * gradient;
            sum_h += (words[i] >> PACKED_HESSIAN_SHIFT) & PACKED_HESSIAN_MASK;
        }
    } else {
        for (int64_t i = start; i < stop; ++i) {
            const int64_t gradient = (words[2 * i] + half) >> shift;
            sum_s += gradient * gradient;
            sum_h += (int64_t)((uint64_t)words[2 * i + 1] >> PAIR_HESSIAN_SHIFT);
        }
    }
    sums[0] = sum_s;
    sums[1] = sum_h;
}

// Sum what histograms sum of the rows from start to stop of a list, NULL for all: squares
// of gradients, shifted to fewer bits and taken once for each unit of an integer weight,
// and hessians.
static inline void skx_sum_squares(
    const quantized_t *quantized, const uint32_t *rows, int64_t start, int64_t stop,
    int shift, int64_t *sums) {
    const int64_t *words = quantized->words;
    const int64_t *weights = quantized->integer_weights ? quantized->weights : NULL;
    if (rows == NULL && weights == NULL) {
        skx_sum_squares_of_words(words, quantized->n_words, start, stop, shift, sums);
        return;
    }
    const int64_t half = (INT64_C(1) << shift) >> 1;
    int64_t sum_s = 0, sum_h = 0;
    for (int64_t i = start; i < stop; ++i) {
        const int64_t row = rows == NULL ? i : (int64_t)rows[i];
        int64_t gradient, weight = 1;
        if (quantized->n_words == 1) {
            gradient = words[row] >> PACKED_GRADIENT_SHIFT;
            sum_h += (words[row] >> PACKED_HESSIAN_SHIFT) & PACKED_HESSIAN_MASK;
        } else {
            gradient = words[2 * row];
            sum_h += words[2 * row + 1] >> PAIR_HESSIAN_SHIFT;
        }
        if (weights != NULL && weights[row] > 0) {
            weight = weights[row];
            gradient /= weight;
        }
        gradient = (gradient + half) >> shift;
        sum_s += weight * gradient * gradient;
    }
    sums[0] = sum_s;
    sums[1] = sum_h;
}

// Add the fine values of some rows.
static inline void skx_sum_rows(
    const quantized_t *quantized, const uint32_t *rows, int64_t n_rows,
    int64_t *sum_gradients, int64_t *sum_hessians) {
    const double *gradients = quantized->gradients, *hessians = quantized->hessians;
    const double *factors = quantized->factors;
    const double gradient_scale = quantized->gradient_scale;
    const double hessian_scale = quantized->hessian_scale;
    const int integer_weights = quantized->integer_weights;
    int64_t sum_g = 0, sum_h = 0;
    if (factors == NULL && hessians != NULL) {
        for (int64_t i = 0; i < n_rows; ++i) {
            sum_g += skx_round(gradients[rows[i]] * gradient_scale);
            sum_h += skx_round(hessians[rows[i]] * hessian_scale);
        }
    } else {
        for (int64_t i = 0; i < n_rows; ++i) {
            const uint32_t row = rows[i];
            const double hessian = hessians == NULL ? 1.0 : hessians[row];
            sum_g += skx_fine(
                gradients[row], gradient_scale, factors, integer_weights, row);
            sum_h += skx_fine(hessian, hessian_scale, factors, integer_weights, row);
        }
    }
    *sum_gradients += sum_g;
    *sum_hessians += sum_h;
}
