// Rounding of gradients and hessians to the integers that histograms and leaves sum.

#pragma once

#include "dtypes.h"
#include "fixed_point.h"
#include "skx_math.h"

// How all rows are rounded, and where to.
typedef struct {
    const double *factors;   // NULL: all are 1
    int integer_weights;
    double gradient_scale, hessian_scale;
    int gradient_shift, hessian_shift;  // from fine to 12 bits; 0: fine values go to words
    int leaf_gradient_shift, leaf_hessian_shift;  // from fine to what leaves sum
    int n_words;
    int64_t *words;
    leaf_term_t *leaf_terms;  // NULL: fine values go to words
} skx_quantize_t;

// What is found on the way, of the rows of some calls.
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

// Round to a grid of 2^shift, ties up. The bias makes what is shifted positive, since few
// machines can shift 64 signed bits in vectors.
SKX_INLINE int64_t skx_coarsen(int64_t fine, int shift) {
    const int64_t bias = INT64_C(1) << 52;
    const uint64_t biased = (uint64_t)(fine + bias + ((INT64_C(1) << shift) >> 1));
    return (int64_t)(biased >> shift) - (bias >> shift);
}

SKX_INLINE int64_t skx_narrow(int64_t fine, int shift, int64_t largest) {
    const int64_t value = skx_coarsen(fine, shift);
    return value > largest ? largest : value < -largest ? -largest : value;
}

SKX_INLINE leaf_term_t
skx_make_leaf_term(const skx_quantize_t *args, int64_t gradient, int64_t hessian) {
    return {
        (int32_t)skx_coarsen(gradient, args->leaf_gradient_shift),
        (int32_t)skx_coarsen(hessian, args->leaf_hessian_shift)};
}

SKX_INLINE int64_t skx_pack(int64_t gradient, int64_t hessian) {
    return gradient * (INT64_C(1) << PACKED_GRADIENT_SHIFT) +
           (hessian << PACKED_HESSIAN_SHIFT) + 1;
}

SKX_INLINE void skx_note_found(
    int64_t sum_g, int64_t sum_h, int64_t max_g, int64_t max_h, skx_found_t *found) {
    found->sum_gradients += sum_g;
    found->sum_hessians += sum_h;
    found->max_gradient = skx_larger(found->max_gradient, max_g);
    found->max_hessian = skx_larger(found->max_hessian, max_h);
}

// Write words of the rows from start to stop, whose gradients these are. The flags are
// constants where it is called, so that each case is a loop of its own.
SKX_INLINE void skx_quantize_rows(
    const skx_quantize_t *args, const double *SKX_RESTRICT gradients,
    const double *SKX_RESTRICT hessians, int64_t start, int64_t stop, skx_found_t *found,
    int has_hessians, int has_factors, int is_narrow) {
    const double *SKX_RESTRICT factors = args->factors;
    int64_t *SKX_RESTRICT words = args->words;
    leaf_term_t *SKX_RESTRICT leaf_terms = args->leaf_terms;
    const double gradient_scale = args->gradient_scale;
    const double hessian_scale = args->hessian_scale;
    const int gradient_shift = args->gradient_shift;
    const int hessian_shift = args->hessian_shift;
    // Locals, lest threads write to neighbouring sums with every row.
    int64_t sum_g = 0, sum_h = 0, max_g = 0, max_h = 0;
    for (int64_t i = start; i < stop; ++i) {
        double gradient = gradients[i - start];
        double hessian = has_hessians ? hessians[i - start] : 1.0;
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
            leaf_terms[i] = skx_make_leaf_term(args, g, h);
        } else {
            words[2 * i] = g;
            words[2 * i + 1] = h * (INT64_C(1) << PAIR_HESSIAN_SHIFT) + 1;
        }
    }
    skx_note_found(sum_g, sum_h, max_g, max_h, found);
}

#define SKX_DEFINE_QUANTIZE(NAME, HAS_HESSIANS, HAS_FACTORS, IS_NARROW)                \
    SKX_CLONES static void skx_quantize_##NAME(                                        \
        const skx_quantize_t *args, const double *gradients, const double *hessians,   \
        int64_t start, int64_t stop, skx_found_t *found) {                             \
        skx_quantize_rows(                                                             \
            args, gradients, hessians, start, stop, found, HAS_HESSIANS, HAS_FACTORS,  \
            IS_NARROW);                                                                \
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
    const skx_quantize_t *args, const double *gradients, const double *hessians,
    int64_t start, int64_t stop, skx_found_t *found) {
    int64_t sum_g = 0, sum_h = 0, max_g = 0, max_h = 0;
    for (int64_t i = start; i < stop; ++i) {
        const int64_t repetitions = args->factors[i] > 0 ? (int64_t)args->factors[i] : 0;
        const double gradient = gradients[i - start];
        const double hessian = hessians == NULL ? 1.0 : hessians[i - start];
        if (repetitions > 0) {
            max_g = skx_larger(max_g, skx_magnitude(gradient));
            max_h = skx_larger(max_h, skx_magnitude(hessian));
        }
        int64_t g = skx_round(gradient * args->gradient_scale);
        int64_t h = skx_round(hessian * args->hessian_scale);
        sum_g += repetitions * (g < 0 ? -g : g);
        sum_h += repetitions * h;
        if (args->leaf_terms != NULL) {
            args->leaf_terms[i] = skx_make_leaf_term(args, g, h);
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
    skx_note_found(sum_g, sum_h, max_g, max_h, found);
}

// Quantise the rows from start to stop. IN: gradients (stop - start,), and hessians, NULL
// if all are 1.
static inline void skx_quantize(
    const skx_quantize_t *args, const double *gradients, const double *hessians,
    int64_t start, int64_t stop, skx_found_t *found) {
    typedef void (*kernel_t)(
        const skx_quantize_t *, const double *, const double *, int64_t, int64_t,
        skx_found_t *);
    static const kernel_t kernels[2][2][2] = {
        {{skx_quantize_wide, skx_quantize_narrow},
         {skx_quantize_wide_weighted, skx_quantize_narrow_weighted}},
        {{skx_quantize_wide_hessians, skx_quantize_narrow_hessians},
         {skx_quantize_wide_hessians_weighted, skx_quantize_narrow_hessians_weighted}},
    };
    kernel_t kernel = skx_quantize_repeated;
    if (args->factors == NULL || !args->integer_weights) {
        kernel = kernels[hessians != NULL][args->factors != NULL][args->n_words == 1];
    }
    kernel(args, gradients, hessians, start, stop, found);
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
    const int64_t *words = quantized->words, *weights = quantized->weights;
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
