// Means of the target by level, drawn to a prior: of all rows, or of those that come
// before a row in some order.

#pragma once

#include <stdint.h>

// Rows of a column and their targets. Missing values have the last of the levels.
typedef struct {
    const int32_t *codes;    // (n_rows,) of a level, -1 where missing
    int64_t n_rows, n_levels;
    const double *targets;   // (n_rows, n_outputs)
    const double *weights;   // (n_rows,) or NULL: all are 1
    const double *priors;    // (n_outputs,)
    int n_outputs;
    double smooth;
} skx_by_level_t;

static inline double skx_draw_to_prior(
    double sum, double count, double smooth, double prior) {
    const double weight = count + smooth;
    return weight > 0 ? (sum + smooth * prior) / weight : prior;
}

static inline int64_t skx_find_level(const skx_by_level_t *column, int64_t row) {
    return column->codes[row] < 0 ? column->n_levels - 1 : column->codes[row];
}

// Add a row to the sums of its level: its weight, and its targets times it.
static inline void skx_add_to_level(
    const skx_by_level_t *column, int64_t row, double *of_level) {
    const double weight = column->weights == NULL ? 1 : column->weights[row];
    of_level[0] += weight;
    for (int k = 0; k < column->n_outputs; ++k) {
        of_level[1 + k] += weight * column->targets[row * column->n_outputs + k];
    }
}

// Each row gets the mean of its level over the rows before it in `order`, never of itself
// (Prokhorenkova et al., "CatBoost", NeurIPS 2018, equation 5 with the order of section
// 3.2). OUT: out (n_outputs, n_rows). Scratch: sums (n_levels, 1 + n_outputs), zero before.
static void skx_write_ordered_means(
    const skx_by_level_t *column, const int64_t *order, double *sums, double *out) {
    const int n_outputs = column->n_outputs;
    for (int64_t i = 0; i < column->n_rows; ++i) {
        const int64_t row = order[i];
        double *of_level = sums + skx_find_level(column, row) * (1 + n_outputs);
        for (int k = 0; k < n_outputs; ++k) {
            out[k * column->n_rows + row] = skx_draw_to_prior(
                of_level[1 + k], of_level[0], column->smooth, column->priors[k]);
        }
        skx_add_to_level(column, row, of_level);
    }
}

// OUT: means (n_levels, n_outputs) over all rows. Scratch: sums as above.
static void skx_compute_level_means(
    const skx_by_level_t *column, double *sums, double *means) {
    const int n_outputs = column->n_outputs;
    for (int64_t row = 0; row < column->n_rows; ++row) {
        skx_add_to_level(
            column, row, sums + skx_find_level(column, row) * (1 + n_outputs));
    }
    for (int64_t level = 0; level < column->n_levels; ++level) {
        const double *of_level = sums + level * (1 + n_outputs);
        for (int k = 0; k < n_outputs; ++k) {
            means[level * n_outputs + k] = skx_draw_to_prior(
                of_level[1 + k], of_level[0], column->smooth, column->priors[k]);
        }
    }
}
