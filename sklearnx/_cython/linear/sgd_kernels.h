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

#include "random.h"
#include "sgd_epoch.h"
#include "sgd_lanes.h"
#include "sgd_problem.h"

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
