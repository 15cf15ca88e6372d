// Loss, gradient and hessian of the families of generalised linear models, as functions
// of a row and as loops over rows. With y the target, f the raw prediction of a row and
// mu the mean of the inverse link (half deviances up to terms of y alone: McCullagh and
// Nelder 1989, Generalized Linear Models; Jorgensen 1997, The Theory of Dispersion
// Models):
//
//     family            loss                                 gradient         hessian
//     binomial          log(1 + exp(f)) - y f                mu - y           mu (1 - mu)
//     poisson           mu - y f,            mu = exp(f)     mu - y           mu
//     gamma             f + y / mu           mu = exp(f)     1 - y / mu       y / mu
//     tweedie           mu^(2-p)/(2-p) - y mu^(1-p)/(1-p)    a - b            (2-p) a + (p-1) b
//                         a = mu^(2-p), b = y mu^(1-p)       mu = exp(f)
//     tweedie_identity  as above with mu = f                 f^-p (f - y)     see there
//     multinomial       log(sum_k exp(f_k)) - f_y            mu_k - 1[y = k]
//
// Where a link that is not canonical makes the hessian negative, its expectation
// mu^(2-p) stands in for it (Fisher scoring), so that the matrix of Newton's method is
// positive definite.
#pragma once

#include <math.h>
#include <stdint.h>

#include "skx_math.h"

#define SKX_LARGEST_MEAN_EXP 665.0  // its exponential is just below 2**960
#define SKX_FAMILY_LARGEST 0x1p960
#define SKX_ROWS_IN_CACHE 256

// One call of a kernel; arrays have a value a row. Rows weigh in with `weights`, which
// multiply all outputs. Where several members, fits of the same table, are looked at
// together, they are rows in turns: the first row of each member, the second row of each.
typedef struct {
    const double *y, *raw, *weights;  // IN
    double *gradients, *hessians;     // OUT
    double power;                     // of tweedie
    int n_members;
} skx_family_args_t;

typedef struct {
    double loss, gradient, hessian;
} skx_family_row_t;

// Writes gradients and hessians of rows start to end, and the sums of their losses, of each
// member one.
typedef void (*skx_family_kernel_t)(
    const skx_family_args_t *args, int64_t start, int64_t end, double *sums);

SKX_INLINE double skx_family_clip(double x) {
    x = skx_select(skx_mask(x > SKX_FAMILY_LARGEST), SKX_FAMILY_LARGEST, x);
    return skx_select(skx_mask(x < -SKX_FAMILY_LARGEST), -SKX_FAMILY_LARGEST, x);
}

SKX_INLINE double skx_family_exp(double raw) {
    return skx_exp_limited(raw, SKX_LARGEST_MEAN_EXP);
}

// With t = exp(-|f|) nothing overflows, and mu (1 - y) - (1 - mu) y cancels nothing.
SKX_INLINE skx_family_row_t skx_binomial_row(double y, double raw, double power) {
    (void)power;
    const skx_u64 is_negative = skx_sign_mask(skx_bits(raw));
    const double t = skx_exp(-fabs(raw));
    const double inverse = 1.0 / (1.0 + t);
    const double upper = skx_select(is_negative, t, 1.0);
    const double lower = skx_select(is_negative, 1.0, t);
    const double linear = skx_select(is_negative, -y * raw, (1.0 - y) * raw);
    skx_family_row_t row;
    row.loss = skx_log1p(t) + linear;
    row.gradient = (upper * (1.0 - y) - lower * y) * inverse;
    row.hessian = t * inverse * inverse;
    return row;
}

SKX_INLINE skx_family_row_t skx_poisson_row(double y, double raw, double power) {
    (void)power;
    const double mean = skx_family_exp(raw);
    skx_family_row_t row;
    row.loss = mean - y * raw;
    row.gradient = mean - y;
    row.hessian = mean;
    return row;
}

SKX_INLINE skx_family_row_t skx_gamma_row(double y, double raw, double power) {
    (void)power;
    const double ratio = skx_family_clip(y * skx_family_exp(-raw));
    skx_family_row_t row;
    row.loss = raw + ratio;
    row.gradient = 1.0 - ratio;
    row.hessian = ratio;
    return row;
}

SKX_INLINE skx_family_row_t skx_tweedie_row(double y, double raw, double power) {
    const double a = skx_family_exp((2.0 - power) * raw);
    const double b = skx_family_clip(y * skx_family_exp((1.0 - power) * raw));
    const double observed = (2.0 - power) * a + (power - 1.0) * b;
    skx_family_row_t row;
    row.loss = a / (2.0 - power) + b / (power - 1.0);
    row.gradient = a - b;
    row.hessian = skx_select(skx_mask(observed > 0.0), observed, a);
    return row;
}

SKX_INLINE skx_family_row_t skx_squared_row(double y, double raw, double power) {
    (void)power;
    skx_family_row_t row;
    row.gradient = raw - y;
    row.loss = 0.5 * row.gradient * row.gradient;
    row.hessian = 1.0;
    return row;
}

// mu^q as exp(q log mu). Raw predictions that are not positive have an infinite loss, and
// line searches shun them.
//
//     loss      mu^(2-p)/(2-p) - y mu^(1-p)/(1-p);  p = 1: mu - y log mu;
//               p = 2: log mu + y / mu
//     gradient  mu^-p (mu - y)
//     hessian   mu^-p (1 - p (mu - y) / mu), where not positive its expectation mu^-p
SKX_INLINE skx_family_row_t skx_tweedie_identity_row(double y, double raw, double power) {
    const skx_u64 is_outside = skx_mask(!(raw > 0.0));
    const double mean = skx_select(is_outside, 1.0, raw);
    const double log_mean = skx_log(mean);
    const double inverse_power = skx_family_exp(-power * log_mean);
    const double residual = mean - y;
    const double b = y * mean * inverse_power;
    const double a = mean * mean * inverse_power;
    const double general = a / (2.0 - power) + b / (power - 1.0);
    const double loss_1 = skx_select(skx_mask(power == 1.0), mean - y * log_mean, general);
    const double loss = skx_select(skx_mask(power == 2.0), log_mean + y / mean, loss_1);
    const double observed = inverse_power * (1.0 - power * residual / mean);
    skx_family_row_t row;
    row.loss = skx_select(is_outside, (double)INFINITY, loss);
    row.gradient = inverse_power * residual;
    row.hessian = skx_select(skx_mask(observed > 0.0), observed, inverse_power);
    return row;
}

// The loss of a block goes through a small array, and its sum through eight lanes, so
// that both loops are vectorised and the order of additions is the same everywhere.
SKX_INLINE double skx_sum_lanes(const double *values, int n) {
    double lanes[8] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    int i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) lanes[j] += values[i + j];
    for (int j = 0; i < n; i++, j++) lanes[j] += values[i];
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

// Adds the losses of n rows from `first` on to the sums of their members.
SKX_INLINE void skx_add_losses(
    const double *losses, int64_t first, int n, int n_members, double *sums) {
    if (n_members == 1) {
        sums[0] += skx_sum_lanes(losses, n);
        return;
    }
    int member = (int)(first % n_members);
    for (int i = 0; i < n; i++) {
        sums[member] += losses[i];
        member = member + 1 == n_members ? 0 : member + 1;
    }
}

#define SKX_DEFINE_FAMILY(NAME)                                                        \
    SKX_CLONES static void skx_##NAME##_family(                                        \
        const skx_family_args_t *args, int64_t start, int64_t end, double *sums) {     \
        const double *SKX_RESTRICT y = args->y;                                        \
        const double *SKX_RESTRICT raw = args->raw;                                    \
        const double *SKX_RESTRICT weights = args->weights;                            \
        double *SKX_RESTRICT gradients = args->gradients;                              \
        double *SKX_RESTRICT hessians = args->hessians;                                \
        const double power = args->power;                                              \
        double losses[SKX_ROWS_IN_CACHE];                                              \
        for (int64_t first = start; first < end; first += SKX_ROWS_IN_CACHE) {         \
            const int n = (int)(end - first < SKX_ROWS_IN_CACHE ? end - first          \
                                                                : SKX_ROWS_IN_CACHE);  \
            for (int i = 0; i < n; i++) {                                              \
                const skx_family_row_t row =                                           \
                    skx_##NAME##_row(y[first + i], raw[first + i], power);             \
                const double weight = weights[first + i];                              \
                losses[i] = weight > 0.0 ? weight * row.loss : 0.0;                    \
                gradients[first + i] = weight * row.gradient;                          \
                hessians[first + i] = weight * row.hessian;                            \
            }                                                                          \
            skx_add_losses(losses, first, n, args->n_members, sums);                   \
        }                                                                              \
    }

SKX_DEFINE_FAMILY(binomial)
SKX_DEFINE_FAMILY(poisson)
SKX_DEFINE_FAMILY(gamma)
SKX_DEFINE_FAMILY(tweedie)
SKX_DEFINE_FAMILY(squared)
SKX_DEFINE_FAMILY(tweedie_identity)

// In the order of `FAMILY_KERNELS` of families.py.
static const skx_family_kernel_t SKX_FAMILIES[] = {
    skx_binomial_family, skx_poisson_family, skx_gamma_family,
    skx_tweedie_family,  skx_squared_family, skx_tweedie_identity_family};

// ---- multinomial --------------------------------------------------------------------

// Writes the exponentials of n rows of K values, each row less its largest value, and the
// sum of each row.
SKX_INLINE void skx_exp_rows(
    const double *SKX_RESTRICT raw, double *SKX_RESTRICT out, double *SKX_RESTRICT sums,
    int n, int n_classes) {
    for (int i = 0; i < n; i++) {
        const double *row = raw + (int64_t)i * n_classes;
        double largest = row[0];
        for (int k = 1; k < n_classes; k++) largest = row[k] > largest ? row[k] : largest;
        for (int k = 0; k < n_classes; k++)
            out[(int64_t)i * n_classes + k] = row[k] - largest;
    }
    const int64_t n_values = (int64_t)n * n_classes;
    for (int64_t j = 0; j < n_values; j++) out[j] = skx_exp(out[j]);
    for (int i = 0; i < n; i++) {
        double sum = 0.0;
        for (int k = 0; k < n_classes; k++) sum += out[(int64_t)i * n_classes + k];
        sums[i] = sum;
    }
}

// The probabilities of rows start to end, in blocks of rows.
SKX_CLONES static void skx_softmax_rows(
    const double *raw, double *out, int n_classes, int64_t start, int64_t end) {
    double sums[SKX_ROWS_IN_CACHE];
    for (int64_t first = start; first < end; first += SKX_ROWS_IN_CACHE) {
        const int n = (int)(end - first < SKX_ROWS_IN_CACHE ? end - first
                                                            : SKX_ROWS_IN_CACHE);
        double *block = out + first * n_classes;
        skx_exp_rows(raw + first * n_classes, block, sums, n, n_classes);
        for (int i = 0; i < n; i++) {
            const double inverse = 1.0 / sums[i];
            for (int k = 0; k < n_classes; k++) block[i * n_classes + k] *= inverse;
        }
    }
}

// Rows of K values, y the class. Writes the probabilities (for hessians) and the weighted
// gradients of rows start to end, and the sums of their weighted losses by member.
SKX_CLONES static void skx_multinomial_family(
    const skx_family_args_t *args, int n_classes, int64_t start, int64_t end,
    double *of_members) {
    const double *SKX_RESTRICT y = args->y;
    const double *SKX_RESTRICT raw = args->raw;
    const double *SKX_RESTRICT weights = args->weights;
    double *SKX_RESTRICT probabilities = args->hessians;
    double *SKX_RESTRICT gradients = args->gradients;
    double losses[SKX_ROWS_IN_CACHE], sums[SKX_ROWS_IN_CACHE];
    for (int64_t first = start; first < end; first += SKX_ROWS_IN_CACHE) {
        const int n = (int)(end - first < SKX_ROWS_IN_CACHE ? end - first
                                                            : SKX_ROWS_IN_CACHE);
        double *out = probabilities + first * n_classes;
        const double *block = raw + first * n_classes;
        skx_exp_rows(block, out, sums, n, n_classes);
        for (int i = 0; i < n; i++) {
            // log(sum of exponentials) - f_y, both less the largest value of the row.
            const double *row = block + (int64_t)i * n_classes;
            double largest = row[0];
            for (int k = 1; k < n_classes; k++)
                largest = row[k] > largest ? row[k] : largest;
            losses[i] = largest - row[(int)y[first + i]];
        }
        for (int i = 0; i < n; i++) {
            const double loss = losses[i] + skx_log(sums[i]);
            losses[i] = weights[first + i] > 0.0 ? weights[first + i] * loss : 0.0;
            sums[i] = 1.0 / sums[i];
        }
        skx_add_losses(losses, first, n, args->n_members, of_members);
        for (int i = 0; i < n; i++) {
            const double weight = weights[first + i];
            double *gradient = gradients + (first + i) * n_classes;
            double *probability = out + (int64_t)i * n_classes;
            const int label = (int)y[first + i];
            double others = 0.0;
            for (int k = 0; k < n_classes; k++) {
                probability[k] *= sums[i];
                gradient[k] = weight * probability[k];
                others += k == label ? 0.0 : gradient[k];
            }
            // Rows sum to nothing, without the cancellation of p - 1.
            gradient[label] = -others;
        }
    }
}
