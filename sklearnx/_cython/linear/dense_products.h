// Products of a dense table of float or double with vectors and matrices of double.

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <vector>

#include "lanes.h"
#include "panels.h"
#include "parallel_parts.h"

// How many rows a partial sum of `size` doubles is for: at least `least`, a multiple of
// PANEL_DEPTH.
static inline int64_t skx_rows_per_sum(int64_t n_rows, int64_t size, int64_t least) {
    const int64_t n_sums = skx_max_sums(size);
    const int64_t rows = std::max(least, (n_rows + n_sums - 1) / n_sums);
    return (rows + PANEL_DEPTH - 1) / PANEL_DEPTH * PANEL_DEPTH;
}

// out (n, K) = rows of a table with neighbouring columns times K vectors coef (K, n_columns).
// Two sums of eight lanes for a single vector: one would make every product wait for the
// one before. The last lanes overlap those before, with zeros where they do.
template <typename T, int K>
SKX_INLINE void skx_dot_some_rows(
    const skx_table_t<T> &table, int64_t row, int64_t n, const double *coef, double *out) {
    enum { N_SUMS = K == 1 ? 2 : 1, STEP = 8 * N_SUMS };
    const int64_t p = table.n_columns;
    if (p < 8) {
        for (int64_t r = 0; r < n; ++r) {
            const T *values = table.at(row + r, 0);
            for (int k = 0; k < K; ++k) {
                double sum = 0.0;
                for (int64_t j = 0; j < p; ++j) sum += (double)values[j] * coef[k * p + j];
                out[r * K + k] = sum;
            }
        }
        return;
    }
    skx_lanes_t last[K], x, y;
    for (int k = 0; k < K; ++k) {
        double rest[8] = {0};
        for (int64_t j = p / 8 * 8; j < p; ++j) rest[j - (p - 8)] = coef[k * p + j];
        skx_load(rest, &last[k]);
    }
    for (int64_t r = 0; r < n; ++r) {
        const T *values = table.at(row + r, 0);
        skx_lanes_t sums[K][N_SUMS] = {};
        int64_t j = 0;
        for (; j + STEP <= p; j += STEP) {
            for (int i = 0; i < N_SUMS; ++i) {
                skx_load(values + j + 8 * i, &x);
                for (int k = 0; k < K; ++k) {
                    skx_load(coef + k * p + j + 8 * i, &y);
                    sums[k][i] += x * y;
                }
            }
        }
        for (; j + 8 <= p; j += 8) {
            skx_load(values + j, &x);
            for (int k = 0; k < K; ++k) {
                skx_load(coef + k * p + j, &y);
                sums[k][0] += x * y;
            }
        }
        if (j < p) {
            skx_load(values + p - 8, &x);
            for (int k = 0; k < K; ++k) sums[k][0] += x * last[k];
        }
        for (int k = 0; k < K; ++k) {
            for (int i = 1; i < N_SUMS; ++i) sums[k][0] += sums[k][i];
            out[r * K + k] = skx_sum(&sums[k][0]);
        }
    }
}

#define SKX_DEFINE_DOT_ROWS(T, K)                                                        \
    SKX_CLONES static inline void skx_dot_rows_##K(                                      \
        const skx_table_t<T> &table, int64_t row, int64_t n, const double *coef,         \
        double *out) {                                                                   \
        skx_dot_some_rows<T, K>(table, row, n, coef, out);                               \
    }
SKX_DEFINE_DOT_ROWS(double, 1)
SKX_DEFINE_DOT_ROWS(double, 2)
SKX_DEFINE_DOT_ROWS(double, 3)
SKX_DEFINE_DOT_ROWS(double, 4)
SKX_DEFINE_DOT_ROWS(float, 1)
SKX_DEFINE_DOT_ROWS(float, 2)
SKX_DEFINE_DOT_ROWS(float, 3)
SKX_DEFINE_DOT_ROWS(float, 4)

template <typename T>
SKX_INLINE double skx_dot_strided(const T *x, int64_t stride, const double *y, int64_t n) {
    double lanes[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        for (int j = 0; j < 4; ++j) lanes[j] += (double)x[(i + j) * stride] * y[i + j];
    }
    for (; i < n; ++i) lanes[0] += (double)x[i * stride] * y[i];
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

// One vector -----------------------------------------------------------------------------

// out[k] += sum of four columns times their factors, rows side by side.
template <typename T>
SKX_INLINE void skx_add_four(
    const T *const *columns, const double *factors, int64_t n, double *SKX_RESTRICT out) {
    const T *SKX_RESTRICT a = columns[0], *SKX_RESTRICT b = columns[1];
    const T *SKX_RESTRICT c = columns[2], *SKX_RESTRICT d = columns[3];
    for (int64_t k = 0; k < n; ++k) {
        out[k] += ((double)a[k] * factors[0] + (double)b[k] * factors[1]) +
                  ((double)c[k] * factors[2] + (double)d[k] * factors[3]);
    }
}
template <typename T>
SKX_INLINE void skx_add_one_line(
    const T *SKX_RESTRICT line, double factor, int64_t n, double *SKX_RESTRICT out) {
    for (int64_t k = 0; k < n; ++k) out[k] += (double)line[k] * factor;
}

// out[k] = sum_i factors[i] * line_i[k] of n_lines lines `stride` apart.
template <typename T>
SKX_INLINE void skx_add_lines(
    const T *lines, int64_t stride, int64_t n_lines, const double *factors, int64_t n,
    double *out) {
    int64_t i = 0;
    for (; i + 4 <= n_lines; i += 4) {
        const T *four[4] = {lines + i * stride, lines + (i + 1) * stride,
                            lines + (i + 2) * stride, lines + (i + 3) * stride};
        skx_add_four(four, factors + i, n, out);
    }
    for (; i < n_lines; ++i) skx_add_one_line(lines + i * stride, factors[i], n, out);
}
SKX_CLONES static inline void skx_add_all_lines(
    const double *lines, int64_t stride, int64_t n_lines, const double *factors, int64_t n,
    double *out) {
    skx_add_lines(lines, stride, n_lines, factors, n, out);
}
SKX_CLONES static inline void skx_add_all_lines(
    const float *lines, int64_t stride, int64_t n_lines, const double *factors, int64_t n,
    double *out) {
    skx_add_lines(lines, stride, n_lines, factors, n, out);
}

SKX_CLONES static inline void skx_add_four_columns(
    const double *const *columns, const double *factors, int64_t n, double *out) {
    skx_add_four(columns, factors, n, out);
}
SKX_CLONES static inline void skx_add_four_columns(
    const float *const *columns, const double *factors, int64_t n, double *out) {
    skx_add_four(columns, factors, n, out);
}

// out = table @ coef.
template <typename T>
static void skx_dense_dot(
    const skx_table_t<T> &table, const double *coef, double *out, skx_parallel_t parallel_for,
    int n_threads) {
    const skx_parts_t parts(table.n_rows, table.column_stride == 1 ? 256 : 2048);
    auto task = [&](int64_t part) {
        const int64_t row = parts.start(part), n = parts.length(part);
        if (table.column_stride == 1) {
            skx_dot_rows_1(table, row, n, coef, out + row);
        } else if (table.row_stride == 1) {
            std::fill(out + row, out + row + n, 0.0);
            skx_add_all_lines(
                table.at(row, 0), table.column_stride, table.n_columns, coef, n, out + row);
        } else {
            for (int64_t r = row; r < row + n; ++r) {
                out[r] = skx_dot_strided(
                    table.at(r, 0), table.column_stride, coef, table.n_columns);
            }
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, task);
}

// out = table.T @ values.
template <typename T>
static void skx_dense_t_dot(
    const skx_table_t<T> &table, const double *values, double *out,
    skx_parallel_t parallel_for, int n_threads) {
    if (table.column_stride != 1) {
        // Columns are rows of the transposed table.
        const skx_table_t<T> flipped = {
            table.values, table.n_columns, table.n_rows, table.column_stride,
            table.row_stride};
        const skx_parts_t parts(table.n_columns, 8);
        auto task = [&](int64_t part) {
            const int64_t first = parts.start(part), n = parts.length(part);
            if (table.row_stride == 1) {
                skx_dot_rows_1(flipped, first, n, values, out + first);
            } else {
                for (int64_t j = first; j < first + n; ++j) {
                    out[j] = skx_dot_strided(
                        table.at(0, j), table.row_stride, values, table.n_rows);
                }
            }
        };
        skx_run_tasks(parallel_for, parts.n_parts, n_threads, task);
        return;
    }
    const int64_t p = table.n_columns;
    const skx_parts_t rows(table.n_rows, skx_rows_per_sum(table.n_rows, p, 2048));
    const skx_parts_t columns(p, 512);
    std::vector<double> sums(std::max((int64_t)1, rows.n_parts) * p, 0.0);
    auto task = [&](int64_t part) {
        const int64_t of_rows = part / columns.n_parts, of_columns = part % columns.n_parts;
        const int64_t row = rows.start(of_rows), first = columns.start(of_columns);
        skx_add_all_lines(
            table.at(row, first), table.row_stride, rows.length(of_rows), values + row,
            columns.length(of_columns), sums.data() + of_rows * p + first);
    };
    skx_run_tasks(parallel_for, rows.n_parts * columns.n_parts, n_threads, task);
    skx_add_sums(sums.data(), rows.n_parts, p, parallel_for, n_threads);
    std::copy(sums.data(), sums.data() + p, out);
}

// out[j] = sum_r weights[r] * (table[r][j] - centre[j])**2; weights and centre may be NULL.
template <typename T>
static void skx_dense_squared_norms(
    const skx_table_t<T> &table, const double *weights, const double *centre, double *out,
    skx_parallel_t parallel_for, int n_threads) {
    const int64_t p = table.n_columns;
    const skx_parts_t rows(table.n_rows, skx_rows_per_sum(table.n_rows, p, 2048));
    const skx_parts_t columns(p, 512);
    std::vector<double> sums(std::max((int64_t)1, rows.n_parts) * p, 0.0);
    auto task = [&](int64_t part) {
        const int64_t of_rows = part / columns.n_parts, of_columns = part % columns.n_parts;
        const int64_t row = rows.start(of_rows), first = columns.start(of_columns);
        const int64_t n = rows.length(of_rows), width = columns.length(of_columns);
        double *SKX_RESTRICT of_part = sums.data() + of_rows * p + first;
        if (table.column_stride == 1) {
            for (int64_t r = row; r < row + n; ++r) {
                const T *SKX_RESTRICT x = table.at(r, first);
                const double weight = weights ? weights[r] : 1.0;
                for (int64_t j = 0; j < width; ++j) {
                    const double d = (double)x[j] - (centre ? centre[first + j] : 0.0);
                    of_part[j] += weight * (d * d);
                }
            }
            return;
        }
        for (int64_t j = 0; j < width; ++j) {
            const T *x = table.at(row, first + j);
            const double mean = centre ? centre[first + j] : 0.0;
            double lanes[4] = {0};
            for (int64_t r = 0; r < n; ++r) {
                const double d = (double)x[r * table.row_stride] - mean;
                lanes[r % 4] += (weights ? weights[row + r] : 1.0) * (d * d);
            }
            of_part[j] = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
        }
    };
    skx_run_tasks(parallel_for, rows.n_parts * columns.n_parts, n_threads, task);
    skx_add_sums(sums.data(), rows.n_parts, p, parallel_for, n_threads);
    std::copy(sums.data(), sums.data() + p, out);
}

// Several vectors ------------------------------------------------------------------------

static inline int64_t skx_fill_up(int64_t width) {
    return (width + PANEL_WIDTH - 1) / PANEL_WIDTH * PANEL_WIDTH;
}

// Up to so many outputs, panels that are mostly empty take longer than vectors.
enum { COLUMNS_PER_BLOCK = 256, MAX_FEW_OUTPUTS = 4 };
// Multiplications of a Gram matrix of a task, and those after which to ask whether to go on.
static const int64_t GRAM_WORK_OF_TASK = (int64_t)1 << 32;
static const int64_t GRAM_WORK_AT_ONCE = (int64_t)1 << 34;

// A matrix (n_rows, n_outputs) output by output.
static inline std::vector<double> skx_split_outputs(
    const double *values, int64_t n_rows, int64_t n_outputs) {
    std::vector<double> by_output(n_rows * n_outputs);
    for (int64_t r = 0; r < n_rows; ++r) {
        for (int64_t k = 0; k < n_outputs; ++k) {
            by_output[k * n_rows + r] = values[r * n_outputs + k];
        }
    }
    return by_output;
}

// `skx_dense_t_matmul` for few outputs of a table with neighbouring columns: rows are read
// once, and again from the cache.
template <typename T>
static void skx_t_matmul_few(
    const skx_table_t<T> &table, const double *values, int64_t n_outputs, double *out,
    skx_parallel_t parallel_for, int n_threads) {
    const int64_t p = table.n_columns, n_rows = table.n_rows, size = p * n_outputs;
    const std::vector<double> by_output = skx_split_outputs(values, n_rows, n_outputs);
    const skx_parts_t rows(n_rows, skx_rows_per_sum(n_rows, size, 2048));
    const skx_parts_t columns(p, 512);
    std::vector<double> sums(rows.n_parts * size, 0.0);
    auto task = [&](int64_t part) {
        const int64_t of_rows = part / columns.n_parts, of_columns = part % columns.n_parts;
        const int64_t first = columns.start(of_columns), n = columns.length(of_columns);
        const skx_parts_t depths(rows.length(of_rows), PANEL_DEPTH / 2);
        for (int64_t i = 0; i < depths.n_parts; ++i) {
            const int64_t row = rows.start(of_rows) + depths.start(i);
            for (int64_t k = 0; k < n_outputs; ++k) {
                skx_add_all_lines(
                    table.at(row, first), table.row_stride, depths.length(i),
                    by_output.data() + k * n_rows + row, n,
                    sums.data() + of_rows * size + k * p + first);
            }
        }
    };
    skx_run_tasks(parallel_for, rows.n_parts * columns.n_parts, n_threads, task);
    skx_add_sums(sums.data(), rows.n_parts, size, parallel_for, n_threads);
    for (int64_t j = 0; j < p; ++j) {
        for (int64_t k = 0; k < n_outputs; ++k) out[j * n_outputs + k] = sums[k * p + j];
    }
}

// `skx_dense_matmul` likewise.
template <typename T>
static void skx_matmul_few(
    const skx_table_t<T> &table, const double *coef, int64_t n_outputs, double *out,
    skx_parallel_t parallel_for, int n_threads) {
    const std::vector<double> by_output =
        skx_split_outputs(coef, table.n_columns, n_outputs);
    const skx_parts_t rows(table.n_rows, 256);
    auto task = [&](int64_t part) {
        const int64_t row = rows.start(part), n = rows.length(part);
        double *of_rows = out + row * n_outputs;
        switch (n_outputs) {
            case 1: return skx_dot_rows_1(table, row, n, by_output.data(), of_rows);
            case 2: return skx_dot_rows_2(table, row, n, by_output.data(), of_rows);
            case 3: return skx_dot_rows_3(table, row, n, by_output.data(), of_rows);
            default: return skx_dot_rows_4(table, row, n, by_output.data(), of_rows);
        }
    };
    skx_run_tasks(parallel_for, rows.n_parts, n_threads, task);
}

// Add to out (n, width) the products of columns [first, first + n) with `width` outputs,
// which panels A hold, over `depth` rows; `n_next` rows come next. B is room for a panel:
// columns that do not fill one are copied.
template <typename T>
static void skx_add_products(
    const double *A, int64_t width, const skx_table_t<T> &table, int64_t row, int depth,
    int64_t n_next, int64_t first, int64_t n, double *B, double *out) {
    const int64_t panel_stride = PANEL_WIDTH * depth, n_panels = width / PANEL_WIDTH;
    int64_t j = 0;
    for (; j + PANEL_WIDTH <= n; j += PANEL_WIDTH) {
        if (table.column_stride == 1) {
            // The next rows, one after another: the products themselves read the table
            // in columns of cache lines, each in a page of its own where rows are long.
            const int64_t last = row + depth + n_next * (j + PANEL_WIDTH) / n;
            for (int64_t r = row + depth + n_next * j / n; r < last; ++r) {
                for (int64_t i = 0; i < n; i += 64 / (int64_t)sizeof(T)) {
                    SKX_PREFETCH(table.at(r, first + i));
                }
            }
        }
        skx_add_panel_products(
            A, panel_stride, n_panels, table.at(row, first + j), table.row_stride,
            table.column_stride, depth, out + j * width, width);
    }
    if (j < n) {
        skx_pack_columns<T>(table, row, depth, first + j, n - j, NULL, NULL, B);
        skx_add_panel_products(
            A, panel_stride, n_panels, (const double *)B, PANEL_WIDTH, 1, depth,
            out + j * width, width);
    }
}

// out (n_columns, n_outputs) = table.T @ values, values (n_rows, n_outputs).
template <typename T>
static void skx_dense_t_matmul(
    const skx_table_t<T> &table, const double *values, int64_t n_outputs, double *out,
    skx_parallel_t parallel_for, int n_threads) {
    if (n_outputs <= MAX_FEW_OUTPUTS && table.column_stride == 1) {
        skx_t_matmul_few(table, values, n_outputs, out, parallel_for, n_threads);
        return;
    }
    const int64_t p = table.n_columns, width = skx_fill_up(n_outputs);
    const int64_t size = skx_fill_up(p) * width;
    const skx_parts_t rows(table.n_rows, skx_rows_per_sum(table.n_rows, size, 4096));
    const skx_parts_t columns(p, COLUMNS_PER_BLOCK);
    const skx_table_t<double> outputs = {values, table.n_rows, n_outputs, n_outputs, 1};
    std::vector<double> sums(std::max((int64_t)1, rows.n_parts) * size, 0.0);
    auto task = [&](int64_t part) {
        const int64_t of_rows = part / columns.n_parts, of_columns = part % columns.n_parts;
        const int64_t first = columns.start(of_columns), n = columns.length(of_columns);
        const skx_parts_t depths(rows.length(of_rows), PANEL_DEPTH);
        std::vector<double> A(width * PANEL_DEPTH), B(PANEL_WIDTH * PANEL_DEPTH);
        double *of_part = sums.data() + of_rows * size + first * width;
        for (int64_t i = 0; i < depths.n_parts; ++i) {
            const int64_t row = rows.start(of_rows) + depths.start(i);
            const int depth = (int)depths.length(i);
            skx_pack_columns<double>(outputs, row, depth, 0, n_outputs, NULL, NULL, A.data());
            skx_add_products(
                A.data(), width, table, row, depth,
                i + 1 < depths.n_parts ? depths.length(i + 1) : 0, first, n, B.data(),
                of_part);
        }
    };
    skx_run_tasks(parallel_for, rows.n_parts * columns.n_parts, n_threads, task);
    skx_add_sums(sums.data(), rows.n_parts, size, parallel_for, n_threads);
    for (int64_t j = 0; j < p; ++j) {
        std::copy(sums.data() + j * width, sums.data() + j * width + n_outputs,
                  out + j * n_outputs);
    }
}

// out (n_rows, n_outputs) = table @ coef, coef (n_columns, n_outputs).
template <typename T>
static void skx_dense_matmul(
    const skx_table_t<T> &table, const double *coef, int64_t n_outputs, double *out,
    skx_parallel_t parallel_for, int n_threads) {
    if (n_outputs <= MAX_FEW_OUTPUTS && table.column_stride == 1) {
        skx_matmul_few(table, coef, n_outputs, out, parallel_for, n_threads);
        return;
    }
    const int64_t width = skx_fill_up(n_outputs);
    const skx_parts_t depths(table.n_columns, PANEL_DEPTH);
    const skx_parts_t rows(table.n_rows, 64);
    // Rows of the table are the columns of its transpose.
    const skx_table_t<T> flipped = {
        table.values, table.n_columns, table.n_rows, table.column_stride, table.row_stride};
    const skx_table_t<double> outputs = {coef, table.n_columns, n_outputs, n_outputs, 1};
    std::vector<double> A(width * table.n_columns);
    for (int64_t i = 0; i < depths.n_parts; ++i) {
        skx_pack_columns<double>(
            outputs, depths.start(i), (int)depths.length(i), 0, n_outputs, NULL, NULL,
            A.data() + depths.start(i) * width);
    }
    auto task = [&](int64_t part) {
        const int64_t first = rows.start(part), n = rows.length(part);
        std::vector<double> B(PANEL_WIDTH * PANEL_DEPTH), tile(skx_fill_up(n) * width, 0.0);
        for (int64_t i = 0; i < depths.n_parts; ++i) {
            skx_add_products(
                A.data() + depths.start(i) * width, width, flipped, depths.start(i),
                (int)depths.length(i), 0, first, n, B.data(), tile.data());
        }
        for (int64_t r = 0; r < n; ++r) {
            std::copy(tile.data() + r * width, tile.data() + r * width + n_outputs,
                      out + (first + r) * n_outputs);
        }
    };
    skx_run_tasks(parallel_for, rows.n_parts, n_threads, task);
}

// Copies ---------------------------------------------------------------------------------

// out (n_taken, n_rows) = table[:, columns].T. Of rows, eight at a time are read one after
// another, then written as whole cache lines.
template <typename T>
static void skx_take_columns(
    const skx_table_t<T> &table, const int64_t *columns, int64_t n_taken, T *out,
    skx_parallel_t parallel_for, int n_threads) {
    if (table.row_stride == 1) {
        auto copy = [&](int64_t i) {
            const T *column = table.at(0, columns[i]);
            std::copy(column, column + table.n_rows, out + i * table.n_rows);
        };
        skx_run_tasks(parallel_for, n_taken, n_threads, copy);
        return;
    }
    const skx_parts_t parts(table.n_rows, 64);
    auto task = [&](int64_t part) {
        const int64_t stop = parts.start(part) + parts.length(part);
        std::vector<T> taken(8 * n_taken);
        for (int64_t row = parts.start(part); row < stop; row += 8) {
            const int64_t n = std::min((int64_t)8, stop - row);
            for (int64_t r = 0; r < n; ++r) {
                for (int64_t i = 0; i < n_taken; ++i) {
                    taken[8 * i + r] = *table.at(row + r, columns[i]);
                }
            }
            for (int64_t i = 0; i < n_taken; ++i) {
                std::copy(&taken[8 * i], &taken[8 * i] + n, out + i * table.n_rows + row);
            }
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, task);
}

// out[r] = position of the largest of n_columns values, the first of equal ones.
static inline void skx_find_largest(
    const double *values, int64_t n_rows, int64_t n_columns, int64_t *out) {
    for (int64_t r = 0; r < n_rows; ++r) {
        const double *of_row = values + r * n_columns;
        int64_t best = 0;
        double largest = of_row[0];
        for (int64_t j = 1; j < n_columns; ++j) {
            const bool is_larger = of_row[j] > largest;
            best = is_larger ? j : best;
            largest = is_larger ? of_row[j] : largest;
        }
        out[r] = best;
    }
}

// The table with itself ------------------------------------------------------------------

// A part of a Gram matrix: the products of the columns of one block with those of another,
// not before it, for a part of the rows. OUT: sums (width of first, stride).
template <typename T>
struct skx_gram_block_t {
    int64_t first, n_first, second, n_second;
    std::vector<double> A, B, factors;

    skx_gram_block_t(int64_t first, int64_t n_first, int64_t second, int64_t n_second)
        : first(first), n_first(n_first), second(second), n_second(n_second),
          A(skx_fill_up(n_second) * PANEL_DEPTH),
          B(first == second ? 0 : skx_fill_up(n_first) * PANEL_DEPTH), factors(PANEL_DEPTH) {}

    // Both operands take the root of a weight, so that one copy serves a diagonal block.
    void add_rows(
        const skx_table_t<T> &table, int64_t row, int depth, const double *weights,
        const double *centre, double *sums) {
        const double *roots = NULL;
        const int64_t stride = skx_fill_up(n_second);
        if (weights) {
            for (int k = 0; k < depth; ++k) factors[k] = sqrt(weights[row + k]);
            roots = factors.data();
        }
        skx_pack_columns<T>(table, row, depth, second, n_second, roots, centre, A.data());
        const double *columns = A.data();
        if (first != second) {
            skx_pack_columns<T>(table, row, depth, first, n_first, roots, centre, B.data());
            columns = B.data();
        }
        for (int64_t j = 0; j < n_first; j += PANEL_WIDTH) {
            // Of a diagonal block, what is on and right of the diagonal.
            const int64_t start = first == second ? j / PANEL_WIDTH : 0;
            skx_add_panel_products(
                A.data() + start * PANEL_WIDTH * depth, PANEL_WIDTH * depth,
                stride / PANEL_WIDTH - start, columns + j * depth, PANEL_WIDTH, 1, depth,
                sums + j * stride + start * PANEL_WIDTH, stride);
        }
    }
};

// out (n_columns, n_columns) = (table - centre).T @ diag(weights) @ (table - centre).
// Asks goes_on() about once a second; whether it has come to the end.
template <typename T>
static bool skx_dense_gram(
    const skx_table_t<T> &table, const double *weights, const double *centre, double *out,
    skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    const int64_t p = table.n_columns;
    const skx_parts_t blocks(p, COLUMNS_PER_BLOCK);
    const int64_t n_pairs = blocks.n_parts * (blocks.n_parts + 1) / 2;
    const int64_t side = skx_fill_up(std::min(p, (int64_t)COLUMNS_PER_BLOCK));
    const int64_t size = n_pairs * side * side;
    const skx_parts_t rows(table.n_rows, skx_rows_per_sum(table.n_rows, size, 2048));
    std::vector<double> sums(std::max((int64_t)1, rows.n_parts) * size, 0.0);
    std::vector<int64_t> firsts, seconds;
    for (int64_t i = 0; i < blocks.n_parts; ++i) {
        for (int64_t j = i; j < blocks.n_parts; ++j) {
            firsts.push_back(i);
            seconds.push_back(j);
        }
    }
    // Tall parts are gone through in several turns, which add to the same sums.
    const int64_t n_depths = std::max((int64_t)1, GRAM_WORK_OF_TASK / (side * side * PANEL_DEPTH));
    const int64_t n_tasks = rows.n_parts * n_pairs;
    auto add_turn = [&](int64_t turn, int64_t part) {
        const int64_t of_rows = part / n_pairs, pair = part % n_pairs;
        skx_gram_block_t<T> block(
            blocks.start(firsts[pair]), blocks.length(firsts[pair]),
            blocks.start(seconds[pair]), blocks.length(seconds[pair]));
        const skx_parts_t depths(rows.length(of_rows), PANEL_DEPTH);
        const int64_t end = std::min((turn + 1) * n_depths, depths.n_parts);
        for (int64_t i = turn * n_depths; i < end; ++i) {
            block.add_rows(
                table, rows.start(of_rows) + depths.start(i), (int)depths.length(i), weights,
                centre, sums.data() + of_rows * size + pair * side * side);
        }
    };
    const skx_parts_t turns(std::min(rows.size, rows.n), n_depths * PANEL_DEPTH);
    const int64_t work = side * side * std::min(turns.n, turns.size);
    const int64_t n_at_once = std::max((int64_t)4 * n_threads, GRAM_WORK_AT_ONCE / work);
    for (int64_t turn = 0; turn < turns.n_parts; ++turn) {
        auto task = [&](int64_t part) { add_turn(turn, part); };
        if ((turn > 0 && !goes_on()) ||
            !skx_run_tasks_while(parallel_for, n_tasks, n_at_once, n_threads, task, goes_on)) {
            return false;
        }
    }
    skx_add_sums(sums.data(), rows.n_parts, size, parallel_for, n_threads);
    for (int64_t pair = 0; pair < n_pairs; ++pair) {
        const int64_t first = blocks.start(firsts[pair]), second = blocks.start(seconds[pair]);
        const int64_t stride = skx_fill_up(blocks.length(seconds[pair]));
        const double *of_pair = sums.data() + pair * side * side;
        for (int64_t i = 0; i < blocks.length(firsts[pair]); ++i) {
            const int64_t start = first == second ? i : 0;
            for (int64_t j = start; j < blocks.length(seconds[pair]); ++j) {
                const double value = of_pair[i * stride + j];
                out[(first + i) * p + second + j] = value;
                out[(second + j) * p + first + i] = value;
            }
        }
    }
    return true;
}

// Columns of a table by their places ------------------------------------------------------

// skx_pack_columns of the columns at some places, up to a panel, filled up with zeros.
template <typename T>
SKX_INLINE void skx_pack_places(
    const skx_table_t<T> &table, int64_t row, int depth, const int64_t *places, int64_t n,
    const double *factors, const double *centre, double *panel) {
    for (int64_t i = 0; i < PANEL_WIDTH; ++i) {
        if (i >= n) {
            for (int k = 0; k < depth; ++k) panel[PANEL_WIDTH * k + i] = 0.0;
            continue;
        }
        const double mean = centre ? centre[i] : 0.0;
        const T *values = table.at(row, places[i]);
        for (int k = 0; k < depth; ++k) {
            const double value = (double)values[k * table.row_stride] - mean;
            panel[PANEL_WIDTH * k + i] = factors ? factors[k] * value : value;
        }
    }
}

// Columns from `start` on of the matrix that skx_dense_gram would write of the columns at
// some places, and the rows that mirror them. IN: places, centre (p,). IN/OUT: gram
// (p, stride). Weights are those of the panels of the new columns; rows that have none, as
// those held out, are passed over where they fill a block. A task has two panels of the
// other columns, and all rows.
template <typename T>
static bool skx_extend_gram(
    const skx_table_t<T> &table, const int64_t *places, int64_t p, int64_t start,
    const double *weights, const double *centre, double *gram, int64_t stride,
    skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    const int64_t n_new = p - start, width = skx_fill_up(n_new);
    const skx_parts_t depths(table.n_rows, PANEL_DEPTH), columns(p, 2 * PANEL_WIDTH);
    std::vector<int64_t> blocks;
    for (int64_t i = 0; i < depths.n_parts; ++i) {
        bool has_weight = !weights;
        for (int64_t k = 0; !has_weight && k < depths.length(i); ++k) {
            has_weight = weights[depths.start(i) + k] != 0.0;
        }
        if (has_weight) blocks.push_back(i);
    }
    std::vector<double> A(width * table.n_rows), sums(blocks.size() * width, 0.0);
    auto pack = [&](int64_t b) {
        const int64_t row = depths.start(blocks[b]);
        const int depth = (int)depths.length(blocks[b]);
        for (int64_t j = 0; j < width; j += PANEL_WIDTH) {
            double *panel = A.data() + row * width + j * depth;
            skx_pack_places(
                table, row, depth, places + start + j, n_new - j,
                weights ? weights + row : NULL, centre ? centre + start + j : NULL, panel);
            for (int k = 0; k < depth; ++k) {
                for (int i = 0; i < PANEL_WIDTH; ++i) {
                    sums[b * width + j + i] += panel[PANEL_WIDTH * k + i];
                }
            }
        }
    };
    skx_run_tasks(parallel_for, (int64_t)blocks.size(), n_threads, pack);
    for (size_t b = 1; b < blocks.size(); ++b) {
        for (int64_t j = 0; j < width; ++j) sums[j] += sums[b * width + j];
    }
    auto multiply = [&](int64_t part) {
        const int64_t first = columns.start(part), n = columns.length(part);
        std::vector<double> tile(skx_fill_up(n) * width, 0.0);
        for (const int64_t b : blocks) {
            const int64_t row = depths.start(b);
            for (int64_t j = 0; j < n; j += PANEL_WIDTH) {
                skx_factor_lines_t<T> factors;
                for (int64_t i = 0; i < PANEL_WIDTH; ++i) {
                    const int64_t place = places[first + std::min(j + i, n - 1)];
                    factors.lines[i] = table.at(row, place);
                }
                const int depth = (int)depths.length(b);
                skx_add_products_of(
                    A.data() + row * width, PANEL_WIDTH * depth, width / PANEL_WIDTH,
                    factors, depth, tile.data() + j * width, width);
            }
        }
        for (int64_t j = first; j < first + n; ++j) {
            // What the mean of column j is multiplied by is zero but for rounding.
            const double mean = centre ? centre[j] : 0.0;
            double *row = tile.data() + (j - first) * width;
            for (int64_t i = std::max((int64_t)0, j - start); i < n_new; ++i) {
                row[i] -= mean * sums[i];
                gram[j * stride + start + i] = row[i];
            }
        }
        for (int64_t i = std::max((int64_t)0, first - start); i < n_new; ++i) {
            double *mirror = gram + (start + i) * stride;
            const int64_t end = std::min(first + n, start + i);
            for (int64_t j = first; j < end; ++j) {
                mirror[j] = tile[(j - first) * width + i];
            }
        }
    };
    const int64_t work = 2 * PANEL_WIDTH * width * std::max((int64_t)1, table.n_rows);
    return skx_run_tasks_while(
        parallel_for, columns.n_parts,
        std::max((int64_t)4 * n_threads, GRAM_WORK_AT_ONCE / work), n_threads, multiply,
        goes_on);
}

// out (n_rows, n_outputs) = table[:, places] @ coef, coef (n, n_outputs), of a table with
// neighbouring rows: a few columns at a time are read once, and again from the cache.
template <typename T>
static void skx_dot_places(
    const skx_table_t<T> &table, const int64_t *places, int64_t n, const double *coef,
    int64_t n_outputs, double *out, skx_parallel_t parallel_for, int n_threads) {
    const skx_parts_t parts(table.n_rows, 256);
    const std::vector<double> by_output = skx_split_outputs(coef, n, n_outputs);
    auto task = [&](int64_t part) {
        const int64_t row = parts.start(part), n_now = parts.length(part);
        std::vector<double> sums(n_outputs * n_now, 0.0);
        for (int64_t i = 0; i < n; i += 4) {
            const T *four[4];
            double factors[4] = {0};
            for (int64_t c = 0; c < 4; ++c) {
                four[c] = table.at(row, places[std::min(i + c, n - 1)]);
            }
            for (int64_t k = 0; k < n_outputs; ++k) {
                for (int64_t c = 0; c < std::min((int64_t)4, n - i); ++c) {
                    factors[c] = by_output[k * n + i + c];
                }
                skx_add_four_columns(four, factors, n_now, sums.data() + k * n_now);
            }
        }
        for (int64_t k = 0; k < n_outputs; ++k) {
            for (int64_t r = 0; r < n_now; ++r) {
                out[(row + r) * n_outputs + k] = sums[k * n_now + r];
            }
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, task);
}
