// Coordinate descent on the columns of a table, for problems whose Gram matrix would
// not fit: least squares of weighted rows and centred columns.
//
// Residuals of target t times the weights v are kept as
//
//     v_i r_it = base_it + shift_t v_i,
//
// because the move of a centred coefficient changes them in all rows, by a multiple of
// the weights; so a sparse column costs its non-zeros only. With total = sum of v, and
// x_j'v = mean_j total,
//
//     x_j'(v r_t) - mean_j sum(v r_t) = x_j'base_t - mean_j sum(base_t).
#pragma once

#include <math.h>
#include <stdint.h>

#include "scalar_prox.h"
#include "vector_kernels.h"

// Columns of a dense table in Fortran order, or of a CSC matrix (indptr not NULL).
template <typename T>
struct skx_columns_t {
    const T *values;
    const int32_t *indices;
    const int64_t *indptr;
    int64_t n_rows;
};

typedef struct {
    int64_t n_rows, n_columns, n_targets;
    const double *weights;  // of the rows, NULL for ones
    const double *means;    // of the columns
    const double *norms2;   // weighted squared norms of the centred columns
    double *base;           // (n_targets, n_rows)
    double *base_sums;      // (n_targets,)
    double *coef;           // (n_targets, n_columns)
    const double *factors;
    const double *lower;
    const double *upper;
    double l1, l2;
} skx_columns_problem_t;

template <typename T>
SKX_INLINE double skx_column_dot(
    const skx_columns_t<T> *X, int64_t j, const double *rows) {
    if (X->indptr) {
        double sum = 0.0;
        for (int64_t k = X->indptr[j]; k < X->indptr[j + 1]; ++k) {
            sum += (double)X->values[k] * rows[X->indices[k]];
        }
        return sum;
    }
    const T *x = X->values + j * X->n_rows;
    double sums[SKX_LANES] = {0, 0, 0, 0, 0, 0, 0, 0};
    int64_t i = 0;
    for (; i + SKX_LANES <= X->n_rows; i += SKX_LANES) {
        for (int lane = 0; lane < SKX_LANES; ++lane) {
            sums[lane] += (double)x[i + lane] * rows[i + lane];
        }
    }
    for (; i < X->n_rows; ++i) sums[i % SKX_LANES] += (double)x[i] * rows[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// rows += a weights * x_j; returns by how much the sum of the rows grows.
template <typename T>
SKX_INLINE double skx_column_axpy(
    const skx_columns_t<T> *X, int64_t j, double a, const double *weights,
    double *rows) {
    double sum = 0.0;
    if (X->indptr) {
        for (int64_t k = X->indptr[j]; k < X->indptr[j + 1]; ++k) {
            const int64_t i = X->indices[k];
            const double x = weights ? (double)X->values[k] * weights[i]
                                     : (double)X->values[k];
            rows[i] += a * x;
            sum += x;
        }
        return a * sum;
    }
    const T *x = X->values + j * X->n_rows;
    for (int64_t i = 0; i < X->n_rows; ++i) {
        const double value = weights ? (double)x[i] * weights[i] : (double)x[i];
        rows[i] += a * value;
        sum += value;
    }
    return a * sum;
}

// The new value of coefficient j of one target, given its pull a w - g.
SKX_INLINE double skx_prox_column(
    const skx_columns_problem_t *p, int64_t j, double a, double pull) {
    const skx_piece_t piece = {0.0, p->l1, p->l2};
    const skx_term_t term = {&piece, 1, p->factors[j], p->lower[j], p->upper[j]};
    return skx_prox(&term, a, pull);
}

// One sweep over some columns; returns the largest a |step|, a bound of the violations.
template <typename T>
static double skx_sweep_columns(
    const skx_columns_t<T> *X, const skx_columns_problem_t *p, const int64_t *order,
    int64_t n_order, double *pulls) {
    double largest = 0.0;
    for (int64_t k = 0; k < n_order; ++k) {
        const int64_t j = order[k];
        const double a = p->norms2[j];
        if (!(a > 0.0)) continue;
        double norm2 = 0.0;
        for (int64_t t = 0; t < p->n_targets; ++t) {
            const double correlation =
                skx_column_dot(X, j, p->base + t * p->n_rows) -
                p->means[j] * p->base_sums[t];
            pulls[t] = a * p->coef[t * p->n_columns + j] + correlation;
            norm2 += pulls[t] * pulls[t];
        }
        double scale = 0.0;
        const double norm = sqrt(norm2), l1 = p->factors[j] * p->l1;
        if (norm > l1) scale = (1.0 - l1 / norm) / (a + p->factors[j] * p->l2);
        double moved2 = 0.0;
        for (int64_t t = 0; t < p->n_targets; ++t) {
            double *w = p->coef + t * p->n_columns + j;
            const double target = p->n_targets == 1
                                      ? skx_prox_column(p, j, a, pulls[0])
                                      : (scale > 0.0 ? scale * pulls[t] : 0.0);
            const double step = target - *w;
            if (step == 0.0) continue;
            *w = target;
            moved2 += step * step;
            p->base_sums[t] += skx_column_axpy(
                X, j, -step, p->weights, p->base + t * p->n_rows);
        }
        const double moved = a * sqrt(moved2);
        if (moved > largest) largest = moved;
    }
    return largest;
}
