// Coordinate descent on the columns of a table, where a Gram matrix of them would cost more
// than sweeps over them: least squares of weighted rows and centred columns.
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

#include <algorithm>
#include <vector>

#include "extrapolation.h"
#include "lanes.h"
#include "prefetch.h"
#include "scalar_prox.h"
#include "stopping.h"
#include "vector_kernels.h"

// Columns at some places (NULL for all) of a dense table in which they lie one after the
// other, or of a CSC matrix (indptr not NULL).
template <typename T>
struct skx_columns_t {
    const T *values;
    const int32_t *indices;
    const int64_t *indptr;
    const int64_t *places;
    int64_t n_rows;

    const T *at(int64_t j) const { return values + (places ? places[j] : j) * n_rows; }
};

typedef struct {
    int64_t n_rows, n_columns, n_targets;
    const double *weights;  // of the rows, NULL for ones
    double total;           // their sum; zero without an intercept
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

// A dense column times rows. Meanwhile the column that comes next is fetched.
template <typename T>
SKX_INLINE double skx_dense_column_dot(
    const T *x, const T *next, const double *rows, int64_t n) {
    enum { N_SUMS = 4, STEP = 8 * N_SUMS, LINE = 64 / sizeof(T) };
    skx_lanes_t sums[N_SUMS] = {}, a, b;
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP) {
        for (int k = 0; k < STEP; k += LINE) SKX_PREFETCH(next + i + k);
        for (int s = 0; s < N_SUMS; ++s) {
            skx_load(x + i + 8 * s, &a);
            skx_load(rows + i + 8 * s, &b);
            sums[s] += a * b;
        }
    }
    for (; i + 8 <= n; i += 8) {
        skx_load(x + i, &a);
        skx_load(rows + i, &b);
        sums[0] += a * b;
    }
    for (int s = 1; s < N_SUMS; ++s) sums[0] += sums[s];
    double sum = skx_sum(&sums[0]);
    for (; i < n; ++i) sum += (double)x[i] * rows[i];
    return sum;
}

template <typename T>
SKX_INLINE double skx_column_dot(
    const skx_columns_t<T> *X, int64_t j, int64_t next, const double *rows) {
    if (!X->indptr) {
        return skx_dense_column_dot(X->at(j), X->at(next), rows, X->n_rows);
    }
    double sum = 0.0;
    for (int64_t k = X->indptr[j]; k < X->indptr[j + 1]; ++k) {
        sum += (double)X->values[k] * rows[X->indices[k]];
    }
    return sum;
}

// rows += a weights * x_j.
template <typename T>
SKX_INLINE void skx_column_axpy(
    const skx_columns_t<T> *X, int64_t j, double a, const double *weights,
    double *SKX_RESTRICT rows) {
    if (X->indptr) {
        for (int64_t k = X->indptr[j]; k < X->indptr[j + 1]; ++k) {
            const int64_t i = X->indices[k];
            const double x = (double)X->values[k];
            rows[i] += a * (weights ? x * weights[i] : x);
        }
        return;
    }
    const T *SKX_RESTRICT x = X->at(j);
    if (!weights) {
        skx_axpy(a, x, rows, X->n_rows);
        return;
    }
    for (int64_t i = 0; i < X->n_rows; ++i) rows[i] += a * ((double)x[i] * weights[i]);
}

// The new value of coefficient j of one target, given its pull a w - g.
SKX_INLINE double skx_prox_column(
    const skx_columns_problem_t *p, int64_t j, double a, double pull) {
    const skx_piece_t piece = {0.0, p->l1, p->l2};
    const skx_term_t term = {&piece, 1, p->factors[j], p->lower[j], p->upper[j]};
    return skx_prox(&term, a, pull);
}

// One sweep over some columns; returns the largest violation that a move has taken away,
// which is about what there is after it.
template <typename T>
SKX_INLINE double skx_sweep_columns_in_order(
    const skx_columns_t<T> *X, const skx_columns_problem_t *p, const int64_t *order,
    int64_t n_order, double *pulls) {
    double largest = 0.0;
    for (int64_t k = 0; k < n_order; ++k) {
        const int64_t j = order[k], next = order[std::min(k + 1, n_order - 1)];
        const double a = p->norms2[j];
        if (!(a > 0.0)) continue;
        double norm2 = 0.0;
        for (int64_t t = 0; t < p->n_targets; ++t) {
            const double correlation =
                skx_column_dot(X, j, t == 0 ? next : j, p->base + t * p->n_rows) -
                p->means[j] * p->base_sums[t];
            pulls[t] = a * p->coef[t * p->n_columns + j] + correlation;
            norm2 += pulls[t] * pulls[t];
        }
        double scale = 0.0;
        const double norm = sqrt(norm2), l1 = p->factors[j] * p->l1;
        const double curvature = a + p->factors[j] * p->l2;
        if (norm > l1) scale = (1.0 - l1 / norm) / curvature;
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
            skx_column_axpy(X, j, -step, p->weights, p->base + t * p->n_rows);
            p->base_sums[t] -= step * p->means[j] * p->total;
        }
        const double moved = curvature * sqrt(moved2);
        if (moved > largest) largest = moved;
    }
    return largest;
}
SKX_CLONES static double skx_sweep_columns(
    const skx_columns_t<double> *X, const skx_columns_problem_t *p, const int64_t *order,
    int64_t n_order, double *pulls) {
    return skx_sweep_columns_in_order(X, p, order, n_order, pulls);
}
SKX_CLONES static double skx_sweep_columns(
    const skx_columns_t<float> *X, const skx_columns_problem_t *p, const int64_t *order,
    int64_t n_order, double *pulls) {
    return skx_sweep_columns_in_order(X, p, order, n_order, pulls);
}

// Coefficients of some columns, (n_targets, n_order), and where they lie.
static inline void skx_pack_coefs(
    const skx_columns_problem_t *p, const int64_t *order, int64_t n_order,
    std::vector<double> &packed) {
    for (int64_t t = 0; t < p->n_targets; ++t) {
        for (int64_t k = 0; k < n_order; ++k) {
            packed[t * n_order + k] = p->coef[t * p->n_columns + order[k]];
        }
    }
}

SKX_INLINE double skx_packed_norm(
    const double *packed, int64_t n_order, int64_t k, int64_t n_targets) {
    if (n_targets == 1) return fabs(packed[k]);
    double sum = 0.0;
    for (int64_t t = 0; t < n_targets; ++t) {
        sum += packed[t * n_order + k] * packed[t * n_order + k];
    }
    return sqrt(sum);
}

// The objective, less the penalty of other columns. IN: base, as that of the problem;
// packed, coefficients of the columns in order.
static inline double skx_columns_objective(
    const skx_columns_problem_t *p, const int64_t *order, int64_t n_order,
    const double *packed, const double *base) {
    double smooth = 0.0, penalty = 0.0;
    for (int64_t t = 0; t < p->n_targets; ++t) {
        double sum = 0.0;
        for (int64_t i = 0; i < p->n_rows; ++i) {
            const double value = base[t * p->n_rows + i];
            const double weight = p->weights ? p->weights[i] : 1.0;
            if (weight > 0.0) smooth += value * value / weight;
            sum += value;
        }
        if (p->total > 0.0) smooth -= sum * sum / p->total;
    }
    for (int64_t k = 0; k < n_order; ++k) {
        const double norm = skx_packed_norm(packed, n_order, k, p->n_targets);
        penalty += p->factors[order[k]] * (p->l1 * norm + 0.5 * p->l2 * norm * norm);
    }
    return 0.5 * smooth + penalty;
}

// Moves to what the iterates extrapolate to if it is in the box and better.
static inline void skx_try_columns(
    const skx_columns_problem_t *p, const int64_t *order, int64_t n_order,
    skx_extrapolation_t &iterates, const std::vector<double> &packed) {
    if (!iterates.extrapolate()) return;
    const double *coef = iterates.coef.data();
    for (int64_t k = 0; k < n_order && p->n_targets == 1; ++k) {
        const int64_t j = order[k];
        if (!(coef[k] >= p->lower[j] && coef[k] <= p->upper[j])) return;
    }
    if (!(skx_columns_objective(p, order, n_order, coef, iterates.affine.data()) <
          skx_columns_objective(p, order, n_order, packed.data(), p->base))) {
        return;
    }
    for (int64_t t = 0; t < p->n_targets; ++t) {
        for (int64_t k = 0; k < n_order; ++k) {
            p->coef[t * p->n_columns + order[k]] = coef[t * n_order + k];
        }
        const double *affine = iterates.affine.data() + t * p->n_rows;
        double *base = p->base + t * p->n_rows, sum = 0.0;
        std::copy(affine, affine + p->n_rows, base);
        for (int64_t i = 0; i < p->n_rows; ++i) sum += base[i];
        p->base_sums[t] = sum;
    }
}

// Sweeps over some columns until no coefficient moves by more than `stop` allows: four of
// five over the non-zeros alone. Returns the sweeps, at most max_iter.
template <typename T>
static inline int64_t skx_descend_columns(
    const skx_columns_t<T> *X, const skx_columns_problem_t *p, const int64_t *order,
    int64_t n_order, const skx_stop_t *stop, int64_t max_iter) {
    std::vector<double> packed(p->n_targets * n_order), pulls(p->n_targets);
    std::vector<int64_t> support;
    skx_extrapolation_t iterates;
    iterates.start(p->n_targets * n_order, p->n_targets * p->n_rows);
    skx_pack_coefs(p, order, n_order, packed);
    iterates.push(packed.data(), p->base);
    bool is_full = true;
    int64_t n_iter = 0;
    while (n_iter < max_iter) {
        const double largest =
            is_full ? skx_sweep_columns(X, p, order, n_order, pulls.data())
                    : skx_sweep_columns(
                          X, p, support.data(), (int64_t)support.size(), pulls.data());
        ++n_iter;
        skx_pack_coefs(p, order, n_order, packed);
        double size = 0.0;
        support.clear();
        for (int64_t k = 0; k < n_order; ++k) {
            const double norm = skx_packed_norm(packed.data(), n_order, k, p->n_targets);
            if (norm > 0.0) support.push_back(order[k]);
            size += norm;
        }
        const bool is_done =
            largest <= (size > 0.0 ? skx_find_tol(stop, size) : stop->violation);
        if (is_done && is_full) break;
        is_full = is_done || n_iter % 5 == 0;
        iterates.push(packed.data(), p->base);
        if (!iterates.is_full()) continue;
        skx_try_columns(p, order, n_order, iterates, packed);
        skx_pack_coefs(p, order, n_order, packed);
        iterates.restart(packed.data(), p->base);
    }
    return n_iter;
}
