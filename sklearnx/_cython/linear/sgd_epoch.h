// One epoch of a block of outputs over the rows of the table (see sgd_kernels.h).

#pragma once

#include <math.h>
#include <stdint.h>

#include "sgd_lanes.h"
#include "sgd_losses.h"
#include "sgd_problem.h"
#include "sgd_rows.h"
#include "skx_math.h"

// With scales that become smaller, v and u would cancel more of their digits.
#define SGD_MIN_SCALE 1e-6
#define SGD_MAX_SLOPE 1e12

template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_run_rows(
    const sgd_options_t *o, const int32_t *order, skx_sgd_lanes_t *lanes) {
    double scale[L], intercept[L], eta[L], owed[L], sum_scales[L], average_intercept[L];
    double sum_loss[L], sum_objective[L], active[L], norm[L], squares[L], overflow[L];
    double *v = lanes->v.data, *u = lanes->u.data, *q = lanes->q.data;
    const bool truncates = o->l1 > 0.0;
    const bool is_passive_aggressive = o->learning_rate >= SGD_PA1;
    const bool needs_objective =
        (o->n_validation_rows == 0 || o->is_verbose) && !is_passive_aggressive;
    const bool needs_norms = needs_objective && (o->l2 > 0.0 || truncates);
    const bool needs_row_squares = is_passive_aggressive || (needs_norms && !truncates);
    const double l2_here = needs_norms ? o->l2 : 0.0, l1_here = needs_norms ? o->l1 : 0.0;
    const bool is_wide = o->n_columns * L * (int64_t)sizeof(double) > 1 << 17;
    // The t at which "optimal" has its first rate, (1 / alpha)**(1 / 4).
    const double first_optimal = 1.0 / (o->alpha * sqrt(1.0 / sqrt(o->alpha)));
    double t = lanes->t;

    for (int l = 0; l < L; ++l) {
        active[l] = lanes->active[l];
        scale[l] = lanes->scale[l];
        intercept[l] = lanes->intercept[l];
        eta[l] = lanes->eta[l] * active[l];
        owed[l] = lanes->owed[l];
        sum_scales[l] = lanes->sum_scales[l];
        average_intercept[l] = lanes->average_intercept[l];
        sum_loss[l] = sum_objective[l] = norm[l] = squares[l] = overflow[l] = 0.0;
    }
    if (needs_norms) {
        for (int64_t j = 0; j < o->n_columns; ++j) {
            for (int l = 0; l < L; ++l) {
                norm[l] += fabs(v[j * L + l]);
                squares[l] += v[j * L + l] * v[j * L + l];
            }
        }
    }

    for (int64_t i = 0; i < o->n_rows; ++i) {
        skx_sgd_prefetch<T, IS_SPARSE, L>(o, order, i, o->n_rows, is_wide, v);
        const int64_t r = order[i];
        const skx_sgd_row_t<T> row = skx_sgd_row<T, IS_SPARSE>(o, r);
        const double target = o->targets[r];
        const double weight = o->weights == NULL ? 1.0 : o->weights[r];
        double dot[L], y[L], p[L], loss[L], slope[L], update[L], c[L], inverse_scale[L];
        double row_weight[L], old_scale[L];

        if (o->learning_rate == SGD_OPTIMAL || o->learning_rate == SGD_INVSCALING) {
            const double rate = o->learning_rate == SGD_OPTIMAL
                                    ? 1.0 / (o->alpha * (first_optimal + t - 1.0))
                                    : o->eta0 * skx_exp(-o->power_t * skx_log(t));
            for (int l = 0; l < L; ++l) eta[l] = rate * active[l];
        }
        double least = 1.0;
        for (int l = 0; l < L; ++l) {
            const double decay = 1.0 - o->l2 * eta[l];
            old_scale[l] = scale[l];
            scale[l] *= decay > 0.0 ? decay : 0.0;
            inverse_scale[l] = 1.0 / scale[l];
            least = scale[l] < least ? scale[l] : least;
        }

        skx_sgd_dot<T, IS_SPARSE, L>(row, v, dot);
        const double row_squares = needs_row_squares ? skx_sgd_sum_squares(row.x, row.n) : 0.0;
        for (int l = 0; l < L; ++l) {
            const bool is_positive = target == lanes->positive_class[l];
            y[l] = o->is_classifier ? (is_positive ? 1.0 : -1.0) : target;
            row_weight[l] =
                weight * (is_positive ? lanes->positive_weight[l] : lanes->negative_weight[l]);
            p[l] = old_scale[l] * dot[l] + intercept[l];
            overflow[l] += 0.0 * p[l];
        }
        skx_sgd_loss<L>(o, y, p, loss, slope);
        if (needs_objective || is_passive_aggressive) {
            for (int l = 0; l < L; ++l) {
                const double s = old_scale[l];
                sum_loss[l] += loss[l];
                sum_objective[l] += loss[l] + 0.5 * l2_here * (s * s * squares[l]) +
                                    l1_here * (s * norm[l]);
            }
        }

        if (is_passive_aggressive) {
            // Crammer et al., "Online passive-aggressive algorithms", JMLR 2006, eq. 7.
            for (int l = 0; l < L; ++l) {
                double step = loss[l] / (row_squares + 0.5 / o->eta0);
                if (o->learning_rate == SGD_PA1) {
                    const double whole = row_squares > 0.0 ? loss[l] / row_squares : 0.0;
                    step = whole < o->eta0 ? whole : o->eta0;
                }
                const double direction = o->is_classifier ? y[l] : y[l] < p[l] ? -1.0 : 1.0;
                update[l] = step * direction * active[l];
            }
        } else {
            for (int l = 0; l < L; ++l) {
                const double limited = slope[l] > SGD_MAX_SLOPE    ? SGD_MAX_SLOPE
                                       : slope[l] < -SGD_MAX_SLOPE ? -SGD_MAX_SLOPE
                                                                   : slope[l];
                update[l] = -eta[l] * limited;
            }
        }
        if (least < SGD_MIN_SCALE) {
            for (int l = 0; l < L; ++l) {
                norm[l] *= scale[l];
                squares[l] *= scale[l] * scale[l];
                dot[l] *= scale[l];
                inverse_scale[l] = 1.0;
            }
            skx_sgd_fold(lanes, scale, sum_scales);
        }
        bool is_changed = false;
        for (int l = 0; l < L; ++l) {
            update[l] *= row_weight[l];
            c[l] = update[l] * inverse_scale[l];
            // Not c: what is not finite must not pass unseen.
            is_changed |= update[l] != 0.0;
        }
        if (truncates) {
            for (int l = 0; l < L; ++l) owed[l] += o->l1 * eta[l];
            skx_sgd_add_truncated<T, IS_SPARSE, L>(
                row, c, scale, inverse_scale, owed, sum_scales, v, q, u, norm, squares);
        } else if (is_changed) {
            skx_sgd_add<T, IS_SPARSE, L>(row, c, v);
            if (u != NULL && o->average <= t) {
                double back[L];
                for (int l = 0; l < L; ++l) back[l] = -sum_scales[l] * c[l];
                skx_sgd_add<T, IS_SPARSE, L>(row, back, u);
            }
            for (int l = 0; l < L; ++l) {
                squares[l] += c[l] * (2.0 * dot[l] + c[l] * row_squares);
            }
        }
        if (o->fit_intercept) {
            for (int l = 0; l < L; ++l) intercept[l] += update[l] * o->intercept_decay;
        }
        if (o->average > 0 && o->average <= t) {
            const double mean_weight = 1.0 / (t - (double)o->average + 1.0);
            for (int l = 0; l < L; ++l) {
                sum_scales[l] += scale[l] * active[l];
                average_intercept[l] +=
                    active[l] * mean_weight * (intercept[l] - average_intercept[l]);
            }
        }
        t += 1.0;
    }

    lanes->t = t;
    for (int l = 0; l < L; ++l) {
        lanes->scale[l] = scale[l];
        lanes->intercept[l] = intercept[l];
        lanes->owed[l] = owed[l];
        lanes->sum_scales[l] = sum_scales[l];
        lanes->average_intercept[l] = average_intercept[l];
        lanes->sum_loss[l] = sum_loss[l];
        lanes->sum_objective[l] = sum_objective[l];
        lanes->overflow[l] = overflow[l];
    }
}

// Accuracy, or the coefficient of determination, on the rows held back.
template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_score_rows(const sgd_options_t *o, skx_sgd_lanes_t *lanes) {
    double gained[L] = {0}, sum_weights = 0.0, sum_targets = 0.0, spread = 0.0;
    const double *v = lanes->v.data;
    for (int64_t i = 0; i < o->n_validation_rows; ++i) {
        const int64_t r = o->validation_rows[i];
        const double weight = o->weights == NULL ? 1.0 : o->weights[r];
        sum_weights += weight;
        sum_targets += weight * o->targets[r];
    }
    const double mean = sum_targets / sum_weights;
    for (int64_t i = 0; i < o->n_validation_rows; ++i) {
        const int64_t r = o->validation_rows[i];
        const skx_sgd_row_t<T> row = skx_sgd_row<T, IS_SPARSE>(o, r);
        const double target = o->targets[r];
        const double weight = o->weights == NULL ? 1.0 : o->weights[r];
        double dot[L];
        skx_sgd_dot<T, IS_SPARSE, L>(row, v, dot);
        spread += weight * (target - mean) * (target - mean);
        for (int l = 0; l < L; ++l) {
            const double p = lanes->scale[l] * dot[l] + lanes->intercept[l];
            const bool is_right = (p > 0.0) == (target == lanes->positive_class[l]);
            gained[l] += weight * (o->is_classifier ? (is_right ? 1.0 : 0.0)
                                                    : (target - p) * (target - p));
        }
    }
    for (int l = 0; l < L; ++l) {
        lanes->score[l] = o->is_classifier ? gained[l] / sum_weights
                          : spread > 0.0   ? 1.0 - gained[l] / spread
                                           : (gained[l] > 0.0 ? 0.0 : 1.0);
    }
}

// A function for each kind of table and width, compiled for several kinds of processor.
#define SKX_SGD_DEFINE(NAME, T, IS_SPARSE, L)                                      \
    SKX_CLONES static void skx_sgd_run_##NAME(                                     \
        const sgd_options_t *o, const int32_t *order, skx_sgd_lanes_t *lanes) {    \
        skx_sgd_run_rows<T, IS_SPARSE, L>(o, order, lanes);                        \
    }                                                                              \
    static void skx_sgd_score_##NAME(const sgd_options_t *o, skx_sgd_lanes_t *lanes) { \
        skx_sgd_score_rows<T, IS_SPARSE, L>(o, lanes);                             \
    }

SKX_SGD_DEFINE(dense_float_1, float, false, 1)
SKX_SGD_DEFINE(dense_float_4, float, false, 4)
SKX_SGD_DEFINE(dense_float_8, float, false, 8)
SKX_SGD_DEFINE(dense_double_1, double, false, 1)
SKX_SGD_DEFINE(dense_double_4, double, false, 4)
SKX_SGD_DEFINE(dense_double_8, double, false, 8)
SKX_SGD_DEFINE(sparse_float_1, float, true, 1)
SKX_SGD_DEFINE(sparse_float_4, float, true, 4)
SKX_SGD_DEFINE(sparse_float_8, float, true, 8)
SKX_SGD_DEFINE(sparse_double_1, double, true, 1)
SKX_SGD_DEFINE(sparse_double_4, double, true, 4)
SKX_SGD_DEFINE(sparse_double_8, double, true, 8)

struct skx_sgd_functions_t {
    void (*run)(const sgd_options_t *, const int32_t *, skx_sgd_lanes_t *);
    void (*score)(const sgd_options_t *, skx_sgd_lanes_t *);
};

#define SKX_SGD_FUNCTIONS(NAME) {skx_sgd_run_##NAME, skx_sgd_score_##NAME}

static inline skx_sgd_functions_t skx_sgd_functions(const sgd_options_t *o, int width) {
    static const skx_sgd_functions_t table[2][2][3] = {
        {{SKX_SGD_FUNCTIONS(dense_double_1), SKX_SGD_FUNCTIONS(dense_double_4),
          SKX_SGD_FUNCTIONS(dense_double_8)},
         {SKX_SGD_FUNCTIONS(dense_float_1), SKX_SGD_FUNCTIONS(dense_float_4),
          SKX_SGD_FUNCTIONS(dense_float_8)}},
        {{SKX_SGD_FUNCTIONS(sparse_double_1), SKX_SGD_FUNCTIONS(sparse_double_4),
          SKX_SGD_FUNCTIONS(sparse_double_8)},
         {SKX_SGD_FUNCTIONS(sparse_float_1), SKX_SGD_FUNCTIONS(sparse_float_4),
          SKX_SGD_FUNCTIONS(sparse_float_8)}},
    };
    return table[o->columns != NULL][o->is_float != 0][width == 1 ? 0 : width == 4 ? 1 : 2];
}
