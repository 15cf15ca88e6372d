// What stochastic gradient descent is told and what it tells: options, outputs, reports.

#pragma once

#include <stdint.h>

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
