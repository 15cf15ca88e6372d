// Stochastic gradient descent on the rows of one table, for one output or many.
//
// For each row x, in a new random order in every epoch, and each output
//
//     p = w . x + b
//     w = (1 - eta l2) w - eta L'(y, p) x,      b = b - eta L'(y, p)
//
// with w kept as a number times a vector, w = s v, so that shrinking it is one product
// (Bottou, "Stochastic gradient descent tricks", 2012, section 5.1). The same split keeps
// the sum of all w that averaging needs, sum_i w_i = u + A v with A = sum_i s_i: adding
// c x to v takes A c x from u (Bottou, section 5.1; the averages are those of Polyak and
// Juditsky, 1992). An l1 penalty is accumulated in U and taken off a coefficient whenever
// its column is met (Tsuruoka, Tsujii and Ananiadou, "Stochastic gradient descent
// training for L1-regularized log-linear models with cumulative penalty", ACL 2009).
//
// Outputs (the classes, one versus all others) are solved side by side, in lanes: the
// coefficients of a column for 8 of them fill one cache line, and one reading of a row
// serves all.
//
//     v:  column 0 | lane 0 1 2 3 4 5 6 7 |
//         column 1 | lane 0 1 2 3 4 5 6 7 |  ...
//
// A lane that has converged is written out, and when half of a block have, the others move
// into a narrower one.
//
// Sums over the columns of a row are 4 to 16 partial sums that are added in a fixed
// order; nothing depends on the number of threads.

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "prefetch.h"
#include "random.h"
#include "skx_math.h"

enum {
    SGD_HINGE = 0,
    SGD_SQUARED_HINGE = 1,
    SGD_LOG_LOSS = 2,
    SGD_MODIFIED_HUBER = 3,
    SGD_SQUARED_ERROR = 4,
    SGD_HUBER = 5,
    SGD_EPSILON_INSENSITIVE = 6,
    SGD_SQUARED_EPSILON_INSENSITIVE = 7,
};

enum {
    SGD_CONSTANT = 0,
    SGD_OPTIMAL = 1,
    SGD_INVSCALING = 2,
    SGD_ADAPTIVE = 3,
    SGD_PA1 = 4,
    SGD_PA2 = 5,
};

enum { SGD_RUNNING = 0, SGD_CONVERGED = 1, SGD_STOPPED = 2, SGD_OVERFLOW = 3 };

enum { SGD_MAX_LANES = 8 };

typedef struct {
    // The table: float or double, dense rows or CSR.
    const void *values;
    int64_t row_stride;      // of a dense table, in elements
    const int32_t *columns;  // of CSR, NULL if dense
    const int64_t *offsets;  // of CSR, (n_rows + 1,)
    int is_float;
    int64_t n_columns;

    // (n_rows,): the class of a row, or the number to predict; weights may be NULL.
    const double *targets;
    const double *weights;
    int is_classifier;
    const int32_t *rows;  // that are learned from
    int64_t n_rows;
    const int32_t *validation_rows;
    int64_t n_validation_rows;

    int loss;
    double epsilon;  // of some losses; the threshold of the hinge
    double alpha;    // of the learning rate "optimal"
    double l2, l1;
    int learning_rate;
    double eta0, power_t;
    int fit_intercept;
    double intercept_decay;
    int64_t average;  // the update from which on to average, 0 for never
    int shuffle;
    uint64_t seed;
    double first_t;
    int max_iter;
    double tol;  // -inf for none
    int n_iter_no_change;
    int is_verbose;
} sgd_options_t;

// One output. IN: all until `average_coef`. OUT: the rest; coefficients and intercepts are
// IN and OUT.
typedef struct {
    double positive_class;
    double positive_weight, negative_weight;
    double intercept, average_intercept;
    double *coef;          // (n_columns,)
    double *average_coef;  // (n_columns,), NULL without averaging
    int n_iter;
    int status;
} sgd_output_t;

typedef struct {
    int64_t output;
    int epoch;
    double norm;
    int64_t n_nonzero;
    double intercept;
    double n_updates;
    double mean_loss, objective;
    int has_score;
    double score;
    double seconds;
    int has_converged;
} sgd_report_t;

// Called after an epoch; returns 0 to stop. `report` is NULL where none is asked for.
typedef int (*sgd_listener_t)(void *context, const sgd_report_t *report);

// Losses ---------------------------------------------------------------------------------

// The loss and its derivative by p. Classes are y = -1 and y = 1.
template <int L>
SKX_INLINE void skx_sgd_loss(
    const sgd_options_t *o, const double *y, const double *p, double *loss, double *slope) {
    const double epsilon = o->epsilon;
    switch (o->loss) {
    case SGD_HINGE:
        for (int l = 0; l < L; ++l) {
            const double margin = epsilon - y[l] * p[l];
            loss[l] = margin >= 0.0 ? margin : 0.0;
            slope[l] = margin >= 0.0 ? -y[l] : 0.0;
        }
        break;
    case SGD_SQUARED_HINGE:
        for (int l = 0; l < L; ++l) {
            const double margin = 1.0 - y[l] * p[l];
            const double positive = margin > 0.0 ? margin : 0.0;
            loss[l] = positive * positive;
            slope[l] = -2.0 * y[l] * positive;
        }
        break;
    case SGD_LOG_LOSS:
        for (int l = 0; l < L; ++l) {
            const double margin = y[l] * p[l];
            const double t = skx_exp(-fabs(margin));
            loss[l] = (margin < 0.0 ? -margin : 0.0) + skx_log1p(t);
            slope[l] = -y[l] * (margin < 0.0 ? 1.0 : t) / (1.0 + t);
        }
        break;
    case SGD_MODIFIED_HUBER:
        for (int l = 0; l < L; ++l) {
            const double z = y[l] * p[l];
            const double rest = z < 1.0 ? 1.0 - z : 0.0;
            loss[l] = z >= -1.0 ? rest * rest : -4.0 * z;
            slope[l] = -y[l] * (z >= -1.0 ? 2.0 * rest : 4.0);
        }
        break;
    case SGD_SQUARED_ERROR:
        for (int l = 0; l < L; ++l) {
            slope[l] = p[l] - y[l];
            loss[l] = 0.5 * slope[l] * slope[l];
        }
        break;
    case SGD_HUBER:
        for (int l = 0; l < L; ++l) {
            const double error = p[l] - y[l], size = fabs(error);
            const double low = error < -epsilon ? -epsilon : error;
            loss[l] = size <= epsilon ? 0.5 * error * error : epsilon * (size - 0.5 * epsilon);
            slope[l] = low > epsilon ? epsilon : low;
        }
        break;
    case SGD_EPSILON_INSENSITIVE:
        for (int l = 0; l < L; ++l) {
            const double error = p[l] - y[l], rest = fabs(error) - epsilon;
            loss[l] = rest > 0.0 ? rest : 0.0;
            slope[l] = error > epsilon ? 1.0 : error < -epsilon ? -1.0 : 0.0;
        }
        break;
    default:  // SGD_SQUARED_EPSILON_INSENSITIVE
        for (int l = 0; l < L; ++l) {
            const double error = p[l] - y[l], rest = fabs(error) - epsilon;
            const double positive = rest > 0.0 ? rest : 0.0;
            loss[l] = positive * positive;
            slope[l] = 2.0 * (error > 0.0 ? positive : -positive);
        }
    }
}

// One row --------------------------------------------------------------------------------

template <typename T>
struct skx_sgd_row_t {
    const T *x;
    const int32_t *columns;  // NULL if dense
    int64_t n;
};

template <typename T, bool IS_SPARSE>
SKX_INLINE skx_sgd_row_t<T> skx_sgd_row(const sgd_options_t *o, int64_t row) {
    skx_sgd_row_t<T> result;
    if (IS_SPARSE) {
        const int64_t first = o->offsets[row];
        result.x = (const T *)o->values + first;
        result.columns = o->columns + first;
        result.n = o->offsets[row + 1] - first;
    } else {
        result.x = (const T *)o->values + row * o->row_stride;
        result.columns = NULL;
        result.n = o->n_columns;
    }
    return result;
}

// The numbers of all lanes, for which compilers would not find the vector instruction.
template <int L>
struct skx_sgd_pack_t {
#if defined(__GNUC__) || defined(__clang__)
    typedef double type __attribute__((vector_size(8 * L), aligned(8), may_alias));
#else
    struct type {
        double lane[L];
        type() : lane() {}
        type operator*(double factor) const {
            type result;
            for (int l = 0; l < L; ++l) result.lane[l] = lane[l] * factor;
            return result;
        }
        void operator+=(const type &other) {
            for (int l = 0; l < L; ++l) lane[l] += other.lane[l];
        }
    };
#endif
};

template <>
struct skx_sgd_pack_t<1> {
    typedef double type;
};

// Where the coefficients of the k-th value of a row are.
template <typename T, bool IS_SPARSE, int L>
SKX_INLINE int64_t skx_sgd_place(const skx_sgd_row_t<T> &row, int64_t k) {
    return L * (IS_SPARSE ? (int64_t)row.columns[k] : k);
}

template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_dot(const skx_sgd_row_t<T> &row, const double *v, double *dot) {
    typedef typename skx_sgd_pack_t<L>::type pack_t;
    const int U = IS_SPARSE && L == 1 ? 4 : 16 / L;  // values at a time
    pack_t sums[U];
    for (int i = 0; i < U; ++i) sums[i] = pack_t();
    int64_t k = 0;
    for (; k + U <= row.n; k += U) {
        for (int i = 0; i < U; ++i) {
            const int64_t place = skx_sgd_place<T, IS_SPARSE, L>(row, k + i);
            sums[i] += *(const pack_t *)(v + place) * (double)row.x[k + i];
        }
    }
    for (int i = 0; i < U - 1 && k + i < row.n; ++i) {
        const int64_t place = skx_sgd_place<T, IS_SPARSE, L>(row, k + i);
        sums[i] += *(const pack_t *)(v + place) * (double)row.x[k + i];
    }
    for (int half = U / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    *(pack_t *)dot = sums[0];
}

template <typename T>
SKX_INLINE double skx_sgd_sum_squares(const T *x, int64_t n) {
    double sums[8] = {0};
    int64_t k = 0;
    for (; k + 8 <= n; k += 8) {
        for (int i = 0; i < 8; ++i) sums[i] += (double)x[k + i] * (double)x[k + i];
    }
    for (int i = 0; i < 7 && k + i < n; ++i) sums[i] += (double)x[k + i] * (double)x[k + i];
    for (int half = 4; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    return sums[0];
}

// v += c x.
template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_add(
    const skx_sgd_row_t<T> &row, const double *c, double *SKX_RESTRICT v) {
    typedef typename skx_sgd_pack_t<L>::type pack_t;
    const pack_t factor = *(const pack_t *)c;
    for (int64_t k = 0; k < row.n; ++k) {
        *(pack_t *)(v + skx_sgd_place<T, IS_SPARSE, L>(row, k)) += factor * (double)row.x[k];
    }
}

// What a coefficient is after the penalty that it still owes: at most U in all, of which
// it has had -q if it is positive and q if negative; all in units of the scale.
SKX_INLINE double skx_sgd_truncate(double z, double owed, double had) {
    const double from_above = z - (owed + had), from_below = z + (owed - had);
    const double positive = from_above > 0.0 ? from_above : 0.0;
    const double negative = from_below < 0.0 ? from_below : 0.0;
    return z > 0.0 ? positive : z < 0.0 ? negative : z;
}

// v += c x, then the l1 penalty. `q` is what each coefficient has had of it, in units of
// w; `norm` gets the change of sum |v|, `squares` that of sum v**2, `u` is NULL or gets
// what keeps u + A v where it was.
template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_add_truncated(
    const skx_sgd_row_t<T> &row, const double *c, const double *scale,
    const double *inverse_scale, const double *owed, const double *sum_scales,
    double *SKX_RESTRICT v, double *SKX_RESTRICT q, double *SKX_RESTRICT u, double *norm,
    double *squares) {
    double owed_here[L];
    for (int l = 0; l < L; ++l) owed_here[l] = owed[l] * inverse_scale[l];
    for (int64_t k = 0; k < row.n; ++k) {
        const int64_t place = skx_sgd_place<T, IS_SPARSE, L>(row, k);
        for (int l = 0; l < L; ++l) {
            const double old = v[place + l];
            const double z = old + c[l] * (double)row.x[k];
            const double had = q[place + l] * inverse_scale[l];
            const double cut = skx_sgd_truncate(z, owed_here[l], had);
            q[place + l] += scale[l] * (cut - z);
            v[place + l] = cut;
            norm[l] += fabs(cut) - fabs(old);
            squares[l] += (cut - old) * (cut + old);
            if (u != NULL) u[place + l] -= sum_scales[l] * (cut - old);
        }
    }
}

// Fetches what the rows to come need, while the one at hand is worked on. Rows in random
// order are where no processor looks ahead.
template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_prefetch(
    const sgd_options_t *o, const int32_t *order, int64_t i, int64_t n, bool is_wide,
    const double *v) {
    const int64_t LINE = 64, MAX_BYTES = 2048, FAR = IS_SPARSE ? 3 : 5;
    if (i + 2 * FAR < n) {
        const int64_t row = order[i + 2 * FAR];
        SKX_PREFETCH(o->targets + row);
        if (o->weights != NULL) SKX_PREFETCH(o->weights + row);
        if (IS_SPARSE) SKX_PREFETCH(o->offsets + row);
    }
    if (i + FAR < n) {
        const skx_sgd_row_t<T> row = skx_sgd_row<T, IS_SPARSE>(o, order[i + FAR]);
        const int64_t n_bytes = std::min(MAX_BYTES, row.n * (int64_t)sizeof(T));
        for (int64_t b = 0; b < n_bytes; b += LINE) SKX_PREFETCH((const char *)row.x + b);
        // A row need not begin where a line does.
        if (n_bytes > 0) SKX_PREFETCH((const char *)row.x + n_bytes - 1);
        if (IS_SPARSE) {
            const int64_t n_index_bytes = std::min(MAX_BYTES, row.n * 4);
            for (int64_t b = 0; b < n_index_bytes; b += LINE) {
                SKX_PREFETCH((const char *)row.columns + b);
            }
        }
    }
    if (IS_SPARSE && L > 1 && is_wide && i + 1 < n) {
        const skx_sgd_row_t<T> row = skx_sgd_row<T, IS_SPARSE>(o, order[i + 1]);
        const int64_t n_values = std::min((int64_t)512, row.n);
        for (int64_t k = 0; k < n_values; ++k) SKX_PREFETCH(v + L * (int64_t)row.columns[k]);
    }
}

// One epoch ------------------------------------------------------------------------------

// Doubles that begin at a cache line. To be moved, not copied.
struct skx_sgd_table_t {
    std::vector<double> storage;
    double *data = NULL;

    void resize(int64_t n) {
        storage.assign(n + 8, 0.0);
        const uintptr_t address = (uintptr_t)storage.data();
        data = storage.data() + ((64 - address % 64) % 64) / sizeof(double);
    }
};

// The lanes of a block; those from n_lanes on are idle.
struct skx_sgd_lanes_t {
    int width;    // 1, 4 or 8
    int n_lanes;
    int64_t n_columns;
    skx_sgd_table_t v, u, q;  // (n_columns, width)
    int64_t output[SGD_MAX_LANES];
    double active[SGD_MAX_LANES];  // 1 or 0
    double positive_class[SGD_MAX_LANES];
    double positive_weight[SGD_MAX_LANES], negative_weight[SGD_MAX_LANES];
    double scale[SGD_MAX_LANES], intercept[SGD_MAX_LANES], eta[SGD_MAX_LANES];
    double owed[SGD_MAX_LANES];  // U
    double sum_scales[SGD_MAX_LANES];  // A
    double average_intercept[SGD_MAX_LANES];
    double best[SGD_MAX_LANES];
    int n_no_improvement[SGD_MAX_LANES];
    // Of the epoch.
    double sum_loss[SGD_MAX_LANES], sum_objective[SGD_MAX_LANES], score[SGD_MAX_LANES];
    double overflow[SGD_MAX_LANES];  // 0, or nan if a prediction was not finite
    double t;
    double n_averaged;
};

// Puts the scales into v: all of them become 1.
SKX_INLINE void skx_sgd_fold(skx_sgd_lanes_t *lanes, double *scale, double *sum_scales) {
    const int L = lanes->width;
    double *v = lanes->v.data, *u = lanes->u.data;
    for (int64_t j = 0; j < lanes->n_columns; ++j) {
        for (int l = 0; l < L; ++l) {
            if (u != NULL) u[j * L + l] += sum_scales[l] * v[j * L + l];
            v[j * L + l] *= scale[l];
        }
    }
    for (int l = 0; l < L; ++l) {
        scale[l] = 1.0;
        sum_scales[l] = 0.0;
    }
}

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

// A block of outputs ---------------------------------------------------------------------

static inline int skx_sgd_width(int n_lanes) {
    return n_lanes == 1 ? 1 : n_lanes <= 4 ? 4 : 8;
}

static inline void skx_sgd_resize(const sgd_options_t *o, int n_lanes, skx_sgd_lanes_t *lanes) {
    lanes->n_lanes = n_lanes;
    lanes->width = skx_sgd_width(n_lanes);
    lanes->n_columns = o->n_columns;
    lanes->v.resize(o->n_columns * lanes->width);
    if (o->average > 0) lanes->u.resize(o->n_columns * lanes->width);
    if (o->l1 > 0.0) lanes->q.resize(o->n_columns * lanes->width);
    for (int l = 0; l < SGD_MAX_LANES; ++l) {
        lanes->active[l] = l < n_lanes ? 1.0 : 0.0;
        lanes->output[l] = -1;
        lanes->positive_class[l] = lanes->positive_weight[l] = lanes->negative_weight[l] = 0.0;
        lanes->scale[l] = 1.0;
        lanes->intercept[l] = lanes->average_intercept[l] = 0.0;
        lanes->eta[l] = o->eta0;
        lanes->owed[l] = lanes->sum_scales[l] = 0.0;
        lanes->best[l] = -INFINITY;
        lanes->n_no_improvement[l] = 0;
        lanes->sum_loss[l] = lanes->sum_objective[l] = lanes->score[l] = 0.0;
        lanes->overflow[l] = 0.0;
    }
}

static inline void skx_sgd_read(
    const sgd_options_t *o, const sgd_output_t *outputs, int64_t first, int n_lanes,
    skx_sgd_lanes_t *lanes) {
    skx_sgd_resize(o, n_lanes, lanes);
    const int width = lanes->width;
    lanes->t = o->first_t;
    lanes->n_averaged = std::max(0.0, o->first_t - (double)o->average);
    for (int l = 0; l < n_lanes; ++l) {
        const sgd_output_t *output = outputs + first + l;
        lanes->output[l] = first + l;
        lanes->positive_class[l] = output->positive_class;
        lanes->positive_weight[l] = output->positive_weight;
        lanes->negative_weight[l] = output->negative_weight;
        lanes->intercept[l] = output->intercept;
        lanes->average_intercept[l] = output->average_intercept;
    }
    for (int64_t j = 0; j < o->n_columns; ++j) {
        for (int l = 0; l < n_lanes; ++l) {
            const sgd_output_t *output = outputs + first + l;
            lanes->v.data[j * width + l] = output->coef[j];
            if (o->average > 0) {
                lanes->u.data[j * width + l] = output->average_coef[j] * lanes->n_averaged;
            }
        }
    }
}

// Takes off what is still owed of the l1 penalty, and writes the results of some lanes:
// of all in one pass, as each of them reads all cache lines.
static inline void skx_sgd_write(
    const sgd_options_t *o, const skx_sgd_lanes_t *lanes, const int *which, int n_which,
    sgd_output_t *outputs) {
    const int width = lanes->width;
    const double n_averaged = std::max(0.0, lanes->t - (double)o->average);
    for (int64_t j = 0; j < (n_which > 0 ? o->n_columns : 0); ++j) {
        for (int i = 0; i < n_which; ++i) {
            const int l = which[i];
            const double v = lanes->v.data[j * width + l];
            double coef = lanes->scale[l] * v;
            if (o->l1 > 0.0) {
                coef = skx_sgd_truncate(coef, lanes->owed[l], lanes->q.data[j * width + l]);
            }
            sgd_output_t *output = outputs + lanes->output[l];
            output->coef[j] = coef;
            if (o->average > 0 && n_averaged > 0.0) {
                const double sum = lanes->u.data[j * width + l] + lanes->sum_scales[l] * v;
                output->average_coef[j] = sum / n_averaged;
            }
        }
    }
    for (int i = 0; i < n_which; ++i) {
        sgd_output_t *output = outputs + lanes->output[which[i]];
        output->intercept = lanes->intercept[which[i]];
        output->average_intercept = lanes->average_intercept[which[i]];
    }
}

// Moves the active lanes to the front, into fewer lanes.
static inline void skx_sgd_compact(const sgd_options_t *o, skx_sgd_lanes_t *lanes) {
    int kept[SGD_MAX_LANES], n_kept = 0;
    for (int l = 0; l < lanes->n_lanes; ++l) {
        if (lanes->active[l] != 0.0) kept[n_kept++] = l;
    }
    const int old_width = lanes->width, width = skx_sgd_width(n_kept);
    if (n_kept == 0 || width == old_width) return;
    skx_sgd_lanes_t next;
    skx_sgd_resize(o, n_kept, &next);
    next.t = lanes->t;
    next.n_averaged = lanes->n_averaged;
    for (int l = 0; l < n_kept; ++l) {
        const int from = kept[l];
        next.output[l] = lanes->output[from];
        next.positive_class[l] = lanes->positive_class[from];
        next.positive_weight[l] = lanes->positive_weight[from];
        next.negative_weight[l] = lanes->negative_weight[from];
        next.scale[l] = lanes->scale[from];
        next.intercept[l] = lanes->intercept[from];
        next.eta[l] = lanes->eta[from];
        next.owed[l] = lanes->owed[from];
        next.sum_scales[l] = lanes->sum_scales[from];
        next.average_intercept[l] = lanes->average_intercept[from];
        next.best[l] = lanes->best[from];
        next.n_no_improvement[l] = lanes->n_no_improvement[from];
        for (int64_t j = 0; j < o->n_columns; ++j) {
            next.v.data[j * width + l] = lanes->v.data[j * old_width + from];
            if (o->average > 0) {
                next.u.data[j * width + l] = lanes->u.data[j * old_width + from];
            }
            if (o->l1 > 0.0) next.q.data[j * width + l] = lanes->q.data[j * old_width + from];
        }
    }
    *lanes = std::move(next);
}

// Which lanes have, or had in this epoch, numbers that are not finite.
static inline void skx_sgd_find_overflow(const skx_sgd_lanes_t *lanes, bool *has_overflow) {
    const int width = lanes->width;
    double sums[SGD_MAX_LANES];
    std::copy(lanes->overflow, lanes->overflow + SGD_MAX_LANES, sums);
    for (int64_t j = 0; j < lanes->n_columns; ++j) {
        // 0 times infinity is not a number.
        for (int l = 0; l < width; ++l) sums[l] += 0.0 * lanes->v.data[j * width + l];
    }
    for (int l = 0; l < width; ++l) {
        has_overflow[l] = !isfinite(sums[l]) || !isfinite(lanes->intercept[l]);
    }
}

// The order of the rows in the epoch that begins with update t (Fisher and Yates).
static inline void skx_sgd_shuffle(
    const sgd_options_t *o, double t, std::vector<int32_t> *order) {
    std::copy(o->rows, o->rows + o->n_rows, order->begin());
    const uint64_t key = skx_random(o->seed, SKX_ORDER_OF_ROWS, (uint64_t)t, 0, 0);
    for (int64_t i = o->n_rows - 1; i > 0; --i) {
        const uint32_t j = skx_scale(skx_mix(key + (uint64_t)i), (uint32_t)(i + 1));
        std::swap((*order)[i], (*order)[j]);
    }
}

// Whether a lane goes on, by what the epoch has brought.
static inline int skx_sgd_judge(
    const sgd_options_t *o, skx_sgd_lanes_t *lanes, int l, bool has_overflow) {
    if (has_overflow) return SGD_OVERFLOW;
    const double gain = o->n_validation_rows > 0
                            ? lanes->score[l]
                            : -lanes->sum_objective[l] / (double)o->n_rows;
    const bool is_enough = gain >= lanes->best[l] + o->tol;
    lanes->n_no_improvement[l] = is_enough ? 0 : lanes->n_no_improvement[l] + 1;
    if (gain > lanes->best[l]) lanes->best[l] = gain;
    if (lanes->n_no_improvement[l] < o->n_iter_no_change) return SGD_RUNNING;
    if (o->learning_rate == SGD_ADAPTIVE && lanes->eta[l] > 1e-6) {
        lanes->eta[l] /= 5.0;
        lanes->n_no_improvement[l] = 0;
        return SGD_RUNNING;
    }
    return SGD_CONVERGED;
}

static inline sgd_report_t skx_sgd_report(
    const sgd_options_t *o, const skx_sgd_lanes_t *lanes, int l, int epoch) {
    sgd_report_t report = {};
    double squares = 0.0;
    for (int64_t j = 0; j < lanes->n_columns; ++j) {
        const double value = lanes->scale[l] * lanes->v.data[j * lanes->width + l];
        squares += value * value;
        report.n_nonzero += value != 0.0;
    }
    report.output = lanes->output[l];
    report.epoch = epoch;
    report.norm = sqrt(squares);
    report.intercept = lanes->intercept[l];
    report.n_updates = lanes->t - o->first_t;
    report.mean_loss = lanes->sum_loss[l] / (double)o->n_rows;
    report.objective = lanes->sum_objective[l] / (double)o->n_rows;
    report.has_score = o->n_validation_rows > 0;
    report.score = lanes->score[l];
    return report;
}

// Solves outputs first to first + n_lanes - 1 (IN/OUT), at most 8.
static inline void skx_sgd_solve(
    const sgd_options_t *o, int64_t first, int n_lanes, sgd_output_t *outputs,
    sgd_listener_t listener, void *context) {
    typedef std::chrono::steady_clock clock_t;
    const std::chrono::milliseconds patience(200);
    const clock_t::time_point start = clock_t::now();
    clock_t::time_point last_call = start;
    std::vector<int32_t> order(o->rows, o->rows + o->n_rows);
    skx_sgd_lanes_t lanes;
    skx_sgd_read(o, outputs, first, n_lanes, &lanes);
    int n_active = n_lanes;
    for (int epoch = 1; n_active > 0; ++epoch) {
        const skx_sgd_functions_t functions = skx_sgd_functions(o, lanes.width);
        if (o->shuffle) skx_sgd_shuffle(o, lanes.t, &order);
        functions.run(o, order.data(), &lanes);
        if (o->n_validation_rows > 0) functions.score(o, &lanes);
        bool is_stopped = false;
        if (clock_t::now() - last_call > patience) {
            is_stopped = !listener(context, NULL);
            last_call = clock_t::now();
        }
        bool has_overflow[SGD_MAX_LANES];
        skx_sgd_find_overflow(&lanes, has_overflow);
        int finished[SGD_MAX_LANES], n_finished = 0;
        for (int l = 0; l < lanes.n_lanes; ++l) {
            if (lanes.active[l] == 0.0) continue;
            int status = skx_sgd_judge(o, &lanes, l, has_overflow[l]);
            if (status == SGD_RUNNING && (is_stopped || epoch == o->max_iter)) {
                status = SGD_STOPPED;
            }
            if (o->is_verbose) {
                sgd_report_t report = skx_sgd_report(o, &lanes, l, epoch);
                report.seconds = std::chrono::duration<double>(clock_t::now() - start).count();
                report.has_converged = status == SGD_CONVERGED;
                listener(context, &report);
            }
            if (status == SGD_RUNNING) continue;
            outputs[lanes.output[l]].n_iter = epoch;
            outputs[lanes.output[l]].status = status;
            finished[n_finished++] = l;
            lanes.active[l] = 0.0;
        }
        skx_sgd_write(o, &lanes, finished, n_finished, outputs);
        n_active -= n_finished;
        skx_sgd_compact(o, &lanes);
    }
}
