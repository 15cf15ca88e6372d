// Sums over the cells of tables of categories.
//
// A table is made of one or more categorical columns; a row falls into the cell
//
//     index = sum_j stride_j * code_j.
//
// One addition to a table of three columns does the work of three additions to tables
// of pairs, which are its margins.

#pragma once

#include <stdint.h>

#include "skx_math.h"

enum { SKX_ROWS_PER_STRIP = 1024 };

// Codes of a column in as few bytes as its levels need.
typedef struct {
    const void *codes;  // (n_rows,) not negative
    int n_bytes;        // 1, 2 or 4
} skx_category_codes_t;

// A column's part in a table.
typedef struct {
    skx_category_codes_t column;
    uint32_t stride;
} skx_axis_t;

template <typename code_t>
SKX_INLINE void skx_add_axis(
    const code_t *codes, uint32_t stride, int n, uint32_t *index) {
    for (int i = 0; i < n; ++i) index[i] += stride * (uint32_t)codes[i];
}

// OUT: index (n,), the cells of rows `first` to `first + n` of a table.
SKX_CLONES static inline void skx_find_cells(
    const skx_axis_t *axes, int n_axes, int64_t first, int n, uint32_t *index) {
    for (int i = 0; i < n; ++i) index[i] = 0;
    for (int a = 0; a < n_axes; ++a) {
        const void *codes = axes[a].column.codes;
        const uint32_t stride = axes[a].stride;
        if (axes[a].column.n_bytes == 1) {
            skx_add_axis((const uint8_t *)codes + first, stride, n, index);
        } else if (axes[a].column.n_bytes == 2) {
            skx_add_axis((const uint16_t *)codes + first, stride, n, index);
        } else {
            skx_add_axis((const int32_t *)codes + first, stride, n, index);
        }
    }
}

// IN/OUT: cells (n_cells, n_outputs), to which values (n, n_outputs) are added row after
// row. Values NULL stand for ones.
static inline void skx_add_to_cells(
    const uint32_t *index, const double *values, int n, int n_outputs,
    double *SKX_RESTRICT cells) {
    if (values == NULL) {
        for (int i = 0; i < n; ++i) cells[index[i]] += 1.0;
    } else if (n_outputs == 1) {
        for (int i = 0; i < n; ++i) cells[index[i]] += values[i];
    } else {
        for (int i = 0; i < n; ++i) {
            const double *row = values + (int64_t)i * n_outputs;
            double *cell = cells + (int64_t)index[i] * n_outputs;
            for (int k = 0; k < n_outputs; ++k) cell[k] += row[k];
        }
    }
}

// IN/OUT: out (n, n_outputs), to which the numbers of the rows' cells are added.
SKX_CLONES static inline void skx_add_from_cells(
    const uint32_t *index, const double *SKX_RESTRICT cells, int n, int n_outputs,
    double *SKX_RESTRICT out) {
    if (n_outputs == 1) {
        for (int i = 0; i < n; ++i) out[i] += cells[index[i]];
        return;
    }
    for (int i = 0; i < n; ++i) {
        const double *cell = cells + (int64_t)index[i] * n_outputs;
        double *row = out + (int64_t)i * n_outputs;
        for (int k = 0; k < n_outputs; ++k) row[k] += cell[k];
    }
}

// OUT: out (n, n_columns), weight * (number - centre) of some rows of a dense table,
// whose strides count numbers.
template <typename number_t>
SKX_INLINE void skx_weigh_rows_of(
    const number_t *numbers, int64_t row_stride, int64_t column_stride,
    const double *weights, const double *centre, int n, int n_columns, double *out) {
    if (column_stride == 1) {
        for (int i = 0; i < n; ++i) {
            const number_t *row = numbers + i * row_stride;
            const double weight = weights ? weights[i] : 1.0;
            double *written = out + (int64_t)i * n_columns;
            for (int j = 0; j < n_columns; ++j) {
                written[j] = weight * ((double)row[j] - centre[j]);
            }
        }
        return;
    }
    for (int j = 0; j < n_columns; ++j) {
        const number_t *column = numbers + j * column_stride;
        for (int i = 0; i < n; ++i) {
            const double weight = weights ? weights[i] : 1.0;
            out[(int64_t)i * n_columns + j] =
                weight * ((double)column[i * row_stride] - centre[j]);
        }
    }
}

SKX_CLONES static inline void skx_weigh_rows(
    const float *numbers, int64_t row_stride, int64_t column_stride,
    const double *weights, const double *centre, int n, int n_columns, double *out) {
    skx_weigh_rows_of(
        numbers, row_stride, column_stride, weights, centre, n, n_columns, out);
}

SKX_CLONES static inline void skx_weigh_rows(
    const double *numbers, int64_t row_stride, int64_t column_stride,
    const double *weights, const double *centre, int n, int n_columns, double *out) {
    skx_weigh_rows_of(
        numbers, row_stride, column_stride, weights, centre, n, n_columns, out);
}
