// Gradients, hessians and values of the losses, as functions of a row and as loops over
// rows. With y the target and f the raw prediction of a row, and the mean mu of the
// inverse link (Friedman 2001, Annals of Statistics 29, 1189-1232; the deviances are in
// Jorgensen 1997, The Theory of Dispersion Models):
//
//     loss             value L(y, f)                       g = dL/df       h = d2L/df2
//     squared_error    (y - f)^2 / 2                       f - y           1
//     absolute_error   |y - f|                             sign(f - y)     1 (not 0)
//     quantile         q max(y-f, 0) + (1-q) max(f-y, 0)   1[f > y] - q    1 (not 0)
//     huber            (y - f)^2 / 2 within delta,         clip(f - y)     1
//                      delta (|y - f| - delta / 2) beyond
//     log_loss         log(1 + exp(f)) - y f               p - y           p (1 - p)
//     poisson          mu - y f,         mu = exp(f)       mu - y          mu
//     gamma            f + y / mu                          1 - y / mu      y / mu
//     tweedie          mu^(2-p) / (2-p) - y mu^(1-p) / (1-p)
//                          g = mu^(2-p) - y mu^(1-p)
//                          h = (2-p) mu^(2-p) + (p-1) y mu^(1-p),          1 < p < 2
//     multinomial      log(sum_k exp(f_k)) - f_y           p_k - 1[y = k]  p_k - p_k^2
//
// Every output is finite for finite input: what would overflow stops at +-2**960, so
// that the sum over all rows is still a number.
//
// A loss is two functions of a row (the second parameter of the model, `param`, is q,
// delta or p), a line that makes loops of them, and a line in SKX_LOSSES.

#pragma once

#include <vector>

#include "link_kernels.h"
#include "skx_math.h"

#define SKX_LARGEST 0x1p960
#define SKX_LARGEST_EXP 665.0  // its exponential is just below

// One call of a kernel; arrays are C-contiguous, planes are (n_outputs, n_rows).
typedef struct {
    const double *y;       // IN (n_rows,), the class for multinomial
    const double *raw;     // IN planes
    // OUT (n_outputs, stride), of the rows from `first` on; hessians are unused where they
    // are 1.
    double *gradients, *hessians;
    int64_t first, stride;
    double *losses;        // OUT (n_rows,)
    int64_t n_rows;
    int n_outputs;
    double param;
} skx_loss_args_t;

typedef void (*skx_loss_kernel_t)(
    const skx_loss_args_t *args, int64_t start, int64_t end);

SKX_INLINE double skx_saturate(double x) {
    x = skx_select(skx_mask(x > SKX_LARGEST), SKX_LARGEST, x);
    return skx_select(skx_mask(x < -SKX_LARGEST), -SKX_LARGEST, x);
}

SKX_INLINE double skx_mean_of_log_link(double raw) {
    return skx_exp_limited(raw, SKX_LARGEST_EXP);
}

// ---- squared_error ------------------------------------------------------------------

SKX_INLINE void skx_squared_error_gradient(
    double y, double raw, double param, double *gradient, double *hessian) {
    (void)param;
    *gradient = skx_saturate(raw - y);
    *hessian = 1.0;
}

SKX_INLINE double skx_squared_error_loss(double y, double raw, double param) {
    (void)param;
    return skx_saturate(0.5 * (y - raw) * (y - raw));
}

// ---- absolute_error -----------------------------------------------------------------

SKX_INLINE void skx_absolute_error_gradient(
    double y, double raw, double param, double *gradient, double *hessian) {
    (void)param;
    *gradient = skx_select(skx_mask(raw > y), 1.0, -1.0);
    *hessian = 1.0;
}

SKX_INLINE double skx_absolute_error_loss(double y, double raw, double param) {
    (void)param;
    return skx_saturate(fabs(y - raw));
}

// ---- quantile -----------------------------------------------------------------------

SKX_INLINE void skx_quantile_gradient(
    double y, double raw, double quantile, double *gradient, double *hessian) {
    *gradient = skx_select(skx_mask(raw > y), 1.0 - quantile, -quantile);
    *hessian = 1.0;
}

SKX_INLINE double skx_quantile_loss(double y, double raw, double quantile) {
    const double residual = y - raw;
    const double slope =
        skx_select(skx_sign_mask(skx_bits(residual)), quantile - 1.0, quantile);
    return skx_saturate(slope * residual);
}

// ---- huber --------------------------------------------------------------------------

SKX_INLINE double skx_clip(double x, double delta) {
    x = skx_select(skx_mask(x > delta), delta, x);
    return skx_select(skx_mask(x < -delta), -delta, x);
}

SKX_INLINE void skx_huber_gradient(
    double y, double raw, double delta, double *gradient, double *hessian) {
    *gradient = skx_saturate(skx_clip(raw - y, delta));
    *hessian = 1.0;
}

SKX_INLINE double skx_huber_loss(double y, double raw, double delta) {
    const double residual = fabs(y - raw);
    const double clipped = skx_clip(residual, delta);
    return skx_saturate(clipped * (residual - 0.5 * clipped));
}

// ---- log_loss -----------------------------------------------------------------------
//
// With t = exp(-|f|): p = 1 / (1 + t) and 1 - p = t / (1 + t) for f >= 0, the other way
// round below. The gradient p (1 - y) - (1 - p) y has no cancellation for y = 0 and 1.

SKX_INLINE void skx_log_loss_gradient(
    double y, double raw, double param, double *gradient, double *hessian) {
    (void)param;
    const skx_u64 is_negative = skx_sign_mask(skx_bits(raw));
    const double t = skx_exp(-fabs(raw));
    const double inverse = 1.0 / (1.0 + t);
    const double positive_part = skx_select(is_negative, t, 1.0);
    const double negative_part = skx_select(is_negative, 1.0, t);
    *gradient = (positive_part * (1.0 - y) - negative_part * y) * inverse;
    *hessian = t * inverse * inverse;
}

SKX_INLINE double skx_log_loss_loss(double y, double raw, double param) {
    (void)param;
    const skx_u64 is_negative = skx_sign_mask(skx_bits(raw));
    const double linear = skx_select(is_negative, -y * raw, (1.0 - y) * raw);
    return skx_saturate(skx_log1p(skx_exp(-fabs(raw))) + linear);
}

// ---- poisson ------------------------------------------------------------------------

SKX_INLINE void skx_poisson_gradient(
    double y, double raw, double param, double *gradient, double *hessian) {
    (void)param;
    const double mean = skx_mean_of_log_link(raw);
    *gradient = skx_saturate(mean - y);
    *hessian = mean;
}

SKX_INLINE double skx_poisson_loss(double y, double raw, double param) {
    (void)param;
    return skx_saturate(skx_mean_of_log_link(raw) - y * raw);
}

// ---- gamma --------------------------------------------------------------------------

SKX_INLINE void skx_gamma_gradient(
    double y, double raw, double param, double *gradient, double *hessian) {
    (void)param;
    const double ratio = skx_saturate(y * skx_mean_of_log_link(-raw));
    *gradient = 1.0 - ratio;
    *hessian = ratio;
}

SKX_INLINE double skx_gamma_loss(double y, double raw, double param) {
    (void)param;
    return skx_saturate(raw + y * skx_mean_of_log_link(-raw));
}

// ---- tweedie ------------------------------------------------------------------------

SKX_INLINE void skx_tweedie_gradient(
    double y, double raw, double power, double *gradient, double *hessian) {
    const double a = skx_mean_of_log_link((2.0 - power) * raw);
    const double b = skx_saturate(y * skx_mean_of_log_link((1.0 - power) * raw));
    *gradient = a - b;
    *hessian = (2.0 - power) * a + (power - 1.0) * b;
}

SKX_INLINE double skx_tweedie_loss(double y, double raw, double power) {
    const double a = skx_mean_of_log_link((2.0 - power) * raw);
    const double b = y * skx_mean_of_log_link((1.0 - power) * raw);
    return skx_saturate(a / (2.0 - power) + b / (power - 1.0));
}

// ---- loops --------------------------------------------------------------------------

#define SKX_DEFINE_LOSS(NAME, WRITES_HESSIANS)                                         \
    SKX_CLONES static void skx_##NAME##_gradients(                                     \
        const skx_loss_args_t *args, int64_t start, int64_t end) {                     \
        const double *SKX_RESTRICT y = args->y;                                        \
        const double *SKX_RESTRICT raw = args->raw;                                    \
        double *SKX_RESTRICT gradients = args->gradients;                              \
        double *SKX_RESTRICT hessians = args->hessians;                                \
        const double param = args->param;                                              \
        const int64_t first = args->first;                                             \
        for (int64_t i = start; i < end; ++i) {                                        \
            double gradient, hessian;                                                  \
            skx_##NAME##_gradient(y[i], raw[i], param, &gradient, &hessian);           \
            gradients[i - first] = gradient;                                           \
            if (WRITES_HESSIANS) hessians[i - first] = hessian;                        \
        }                                                                              \
    }                                                                                  \
    SKX_CLONES static void skx_##NAME##_losses(                                        \
        const skx_loss_args_t *args, int64_t start, int64_t end) {                     \
        const double *SKX_RESTRICT y = args->y;                                        \
        const double *SKX_RESTRICT raw = args->raw;                                    \
        double *SKX_RESTRICT losses = args->losses;                                    \
        const double param = args->param;                                              \
        for (int64_t i = start; i < end; ++i) {                                        \
            losses[i] = skx_##NAME##_loss(y[i], raw[i], param);                        \
        }                                                                              \
    }

SKX_DEFINE_LOSS(squared_error, 0)
SKX_DEFINE_LOSS(absolute_error, 0)
SKX_DEFINE_LOSS(quantile, 0)
SKX_DEFINE_LOSS(huber, 0)
SKX_DEFINE_LOSS(log_loss, 1)
SKX_DEFINE_LOSS(poisson, 1)
SKX_DEFINE_LOSS(gamma, 1)
SKX_DEFINE_LOSS(tweedie, 1)

// ---- multinomial --------------------------------------------------------------------
//
// In blocks of rows that stay in the first cache: largest score, exponentials relative
// to it and their sum (over the classes in their order), then what is asked for.

SKX_CLONES static void skx_multinomial_gradients(
    const skx_loss_args_t *args, int64_t start, int64_t end) {
    double largest[SKX_BLOCK_ROWS], sum[SKX_BLOCK_ROWS];
    for (int64_t first = start; first < end; first += SKX_BLOCK_ROWS) {
        const int n = skx_block_size(end - first);
        const int64_t place = first - args->first;
        const double *SKX_RESTRICT y = args->y + first;
        skx_softmax_block(
            args->raw + first, args->n_rows, args->n_outputs, n, largest, sum,
            args->gradients + place, args->stride);
        for (int i = 0; i < n; ++i) sum[i] = 1.0 / sum[i];
        for (int k = 0; k < args->n_outputs; ++k) {
            double *SKX_RESTRICT gradients = args->gradients + k * args->stride + place;
            double *SKX_RESTRICT hessians = args->hessians + k * args->stride + place;
            const double class_idx = (double)k;
            for (int i = 0; i < n; ++i) {
                const double p = gradients[i] * sum[i];
                const skx_u64 distance = skx_bits(fabs(y[i] - class_idx));
                gradients[i] = p - skx_select(skx_sign_mask(distance - 1), 1.0, 0.0);
                hessians[i] = p * (1.0 - p);
            }
        }
    }
}

SKX_CLONES static void skx_multinomial_losses(
    const skx_loss_args_t *args, int64_t start, int64_t end) {
    double largest[SKX_BLOCK_ROWS], sum[SKX_BLOCK_ROWS], unused[SKX_BLOCK_ROWS];
    for (int64_t first = start; first < end; first += SKX_BLOCK_ROWS) {
        const int n = skx_block_size(end - first);
        double *SKX_RESTRICT losses = args->losses + first;
        skx_softmax_block(
            args->raw + first, args->n_rows, args->n_outputs, n, largest, sum, unused,
            0);
        for (int i = 0; i < n; ++i) losses[i] = skx_log(sum[i]);
        for (int i = 0; i < n; ++i) {
            const int64_t own_class = (int64_t)args->y[first + i];
            const double own = args->raw[own_class * args->n_rows + first + i];
            losses[i] = skx_saturate(losses[i] + (largest[i] - own));
        }
    }
}

// Rows of probabilities (n_rows, n_outputs) into `losses`.
SKX_CLONES static void skx_map_softmax(
    const skx_loss_args_t *args, int64_t start, int64_t end) {
    double largest[SKX_BLOCK_ROWS], sum[SKX_BLOCK_ROWS];
    const int n_outputs = args->n_outputs;
    std::vector<double> planes((size_t)n_outputs * SKX_BLOCK_ROWS);
    for (int64_t first = start; first < end; first += SKX_BLOCK_ROWS) {
        const int n = skx_block_size(end - first);
        double *SKX_RESTRICT out = args->losses + first * n_outputs;
        skx_softmax_block(
            args->raw + first, args->n_rows, n_outputs, n, largest, sum, planes.data(),
            SKX_BLOCK_ROWS);
        for (int i = 0; i < n; ++i) {
            const double inverse = 1.0 / sum[i];
            double *row = out + (int64_t)i * n_outputs;
            for (int k = 0; k < n_outputs; ++k) {
                row[k] = planes[(size_t)k * SKX_BLOCK_ROWS + i] * inverse;
            }
        }
    }
}

// Rows (1 - p, p) into `losses`, both to full precision.
SKX_CLONES static void skx_map_binary_probabilities(
    const skx_loss_args_t *args, int64_t start, int64_t end) {
    const double *SKX_RESTRICT raw = args->raw;
    double *SKX_RESTRICT out = args->losses;
    for (int64_t i = start; i < end; ++i) {
        skx_find_binary_probabilities(raw[i], out + 2 * i);
    }
}

// ---- the losses by name -------------------------------------------------------------

typedef struct {
    const char *name;
    skx_loss_kernel_t gradients;
    skx_loss_kernel_t losses;
} skx_loss_t;

#define SKX_LOSS(NAME) {#NAME, skx_##NAME##_gradients, skx_##NAME##_losses}

static const skx_loss_t SKX_LOSSES[] = {
    SKX_LOSS(squared_error), SKX_LOSS(absolute_error), SKX_LOSS(quantile),
    SKX_LOSS(huber),         SKX_LOSS(log_loss),       SKX_LOSS(poisson),
    SKX_LOSS(gamma),         SKX_LOSS(tweedie),        SKX_LOSS(multinomial),
};

enum { SKX_N_LOSSES = sizeof SKX_LOSSES / sizeof SKX_LOSSES[0] };
