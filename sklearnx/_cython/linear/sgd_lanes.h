// Outputs that are solved side by side, in the lanes of one block (see sgd_kernels.h).

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "sgd_problem.h"
#include "sgd_rows.h"
#include "skx_math.h"

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
