// Products of all columns of a table, rounded to float, with a few vectors: fast sieves,
// whose error is bounded.
//
//     columns[j][i] = (float)(table[i][j] - centre[j])                 n_rows floats a column
//     out[j][k]    ~= sum_i columns[j][i] * factors[i][k]
//
// The vectors are panels of 16 floats a row. Tiles of 6 columns by a panel or two are kept
// in registers for PANEL_DEPTH rows, then added to doubles. With u = 2**-24, rounding both
// factors and adding PANEL_DEPTH products in float is off by at most
//
//     (PANEL_DEPTH + 4) u sum_i |columns[j][i] factors[i][k]|
//        <= SKX_ROUNDED_ERROR |column j| |vector k|
//
// (N. J. Higham, "Accuracy and stability of numerical algorithms", 2nd edition, SIAM 2002,
// equations 3.5 and 3.7, and Cauchy-Schwarz).

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <vector>

#include "panels.h"
#include "parallel_parts.h"

enum { ROUNDED_WIDTH = 16, ROUNDED_COLUMNS = 6 };

#define SKX_ROUNDED_ERROR ((PANEL_DEPTH + 4) * 0x1p-24)

// Write the columns of a table less their centre as float, and their norms. Of rows, some
// columns at a time are read one after another, then written as whole cache lines.
// OUT: out (n_columns, n_rows), norms (n_columns,).
template <typename T>
static void skx_round_columns(
    const skx_table_t<T> &table, const double *centre, float *out, double *norms,
    skx_parallel_t parallel_for, int n_threads) {
    enum { N_COLUMNS = 32, N_ROWS = 64 };
    const skx_parts_t parts(table.n_columns, N_COLUMNS);
    const int64_t n_rows = table.n_rows;
    auto task = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        double sums[N_COLUMNS] = {0}, means[N_COLUMNS] = {0};
        float taken[N_COLUMNS][N_ROWS];
        for (int64_t j = 0; centre && j < n; ++j) means[j] = centre[first + j];
        for (int64_t row = 0; row < n_rows; row += N_ROWS) {
            const int64_t n_taken = std::min((int64_t)N_ROWS, n_rows - row);
            if (table.row_stride == 1) {
                for (int64_t j = 0; j < n; ++j) {
                    const T *values = table.at(row, first + j);
                    for (int64_t r = 0; r < n_taken; ++r) {
                        const double value = (double)values[r] - means[j];
                        sums[j] += value * value;
                        taken[j][r] = (float)value;
                    }
                }
            } else {
                for (int64_t r = 0; r < n_taken; ++r) {
                    for (int64_t j = 0; j < n; ++j) {
                        const double value = (double)*table.at(row + r, first + j) - means[j];
                        sums[j] += value * value;
                        taken[j][r] = (float)value;
                    }
                }
            }
            for (int64_t j = 0; j < n; ++j) {
                std::copy(taken[j], taken[j] + n_taken, out + (first + j) * n_rows + row);
            }
        }
        for (int64_t j = 0; j < n; ++j) norms[first + j] = sqrt(sums[j]);
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, task);
}

static inline void skx_add_lanes(const float *lanes, double *sums) {
    for (int i = 0; i < ROUNDED_WIDTH; ++i) sums[i] += (double)lanes[i];
}

// sums[c][a][i] += sum_k columns[c][k] * panels[a][k][i], for 6 columns. Panels are
// `panel_stride` floats apart.
#if SKX_HAS_X86_CODE
template <int N_PANELS>
SKX_FMA_512 static void skx_add_rounded_512(
    const float *const *columns, const float *panels, int64_t panel_stride, int depth,
    double *sums) {
    __m512 tile[ROUNDED_COLUMNS][N_PANELS];
    for (int c = 0; c < ROUNDED_COLUMNS; ++c) {
        for (int a = 0; a < N_PANELS; ++a) tile[c][a] = _mm512_setzero_ps();
    }
    for (int k = 0; k < depth; ++k) {
        __m512 row[N_PANELS];
        for (int a = 0; a < N_PANELS; ++a) {
            row[a] = _mm512_loadu_ps(panels + a * panel_stride + ROUNDED_WIDTH * k);
        }
#pragma GCC unroll 6
        for (int c = 0; c < ROUNDED_COLUMNS; ++c) {
            const __m512 factor = _mm512_set1_ps(columns[c][k]);
            for (int a = 0; a < N_PANELS; ++a) {
                tile[c][a] = _mm512_fmadd_ps(factor, row[a], tile[c][a]);
            }
        }
    }
    for (int c = 0; c < ROUNDED_COLUMNS; ++c) {
        float lanes[ROUNDED_WIDTH];
        for (int a = 0; a < N_PANELS; ++a) {
            _mm512_storeu_ps(lanes, tile[c][a]);
            skx_add_lanes(lanes, sums + ROUNDED_WIDTH * (c * N_PANELS + a));
        }
    }
}

// 16 registers hold one panel: 6 by 16 sums, a row and a factor.
template <int N_PANELS>
SKX_FMA_256 static void skx_add_rounded_256(
    const float *const *columns, const float *panels, int64_t panel_stride, int depth,
    double *sums) {
    for (int a = 0; a < N_PANELS; ++a) {
        const float *panel = panels + a * panel_stride;
        __m256 tile[ROUNDED_COLUMNS][2];
        for (int c = 0; c < ROUNDED_COLUMNS; ++c) {
            tile[c][0] = _mm256_setzero_ps();
            tile[c][1] = _mm256_setzero_ps();
        }
        for (int k = 0; k < depth; ++k) {
            const __m256 low = _mm256_loadu_ps(panel + ROUNDED_WIDTH * k);
            const __m256 high = _mm256_loadu_ps(panel + ROUNDED_WIDTH * k + 8);
#pragma GCC unroll 6
            for (int c = 0; c < ROUNDED_COLUMNS; ++c) {
                const __m256 factor = _mm256_set1_ps(columns[c][k]);
                tile[c][0] = _mm256_fmadd_ps(factor, low, tile[c][0]);
                tile[c][1] = _mm256_fmadd_ps(factor, high, tile[c][1]);
            }
        }
        for (int c = 0; c < ROUNDED_COLUMNS; ++c) {
            float lanes[ROUNDED_WIDTH];
            _mm256_storeu_ps(lanes, tile[c][0]);
            _mm256_storeu_ps(lanes + 8, tile[c][1]);
            skx_add_lanes(lanes, sums + ROUNDED_WIDTH * (c * N_PANELS + a));
        }
    }
}
#endif

template <int N_PANELS>
static void skx_add_rounded_plain(
    const float *const *columns, const float *panels, int64_t panel_stride, int depth,
    double *sums) {
    for (int c = 0; c < ROUNDED_COLUMNS; ++c) {
        for (int a = 0; a < N_PANELS; ++a) {
            const float *panel = panels + a * panel_stride;
            float lanes[ROUNDED_WIDTH] = {0};
            for (int k = 0; k < depth; ++k) {
                const float factor = columns[c][k];
                for (int i = 0; i < ROUNDED_WIDTH; ++i) {
                    lanes[i] = lanes[i] + factor * panel[ROUNDED_WIDTH * k + i];
                }
            }
            skx_add_lanes(lanes, sums + ROUNDED_WIDTH * (c * N_PANELS + a));
        }
    }
}

// The functions for one panel and for two, chosen once by what the processor can do.
struct skx_rounded_tiles_t {
    typedef void (*function_t)(
        const float *const *columns, const float *panels, int64_t panel_stride, int depth,
        double *sums);
    function_t of_one, of_two;

    skx_rounded_tiles_t()
        : of_one(skx_add_rounded_plain<1>), of_two(skx_add_rounded_plain<2>) {
#if SKX_HAS_X86_CODE
        if (__builtin_cpu_supports("avx512f")) {
            of_one = skx_add_rounded_512<1>;
            of_two = skx_add_rounded_512<2>;
        } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            of_one = skx_add_rounded_256<1>;
            of_two = skx_add_rounded_256<2>;
        }
#endif
    }
};

// Write out (n_columns, n_outputs). IN: columns (n_columns, n_rows), factors (n_rows,
// n_outputs), whose norms float can square.
static inline void skx_multiply_rounded(
    const float *columns, int64_t n_columns, int64_t n_rows, const double *factors,
    int64_t n_outputs, double *out, skx_parallel_t parallel_for, int n_threads) {
    static const skx_rounded_tiles_t tiles;
    const int64_t n_panels = (n_outputs + ROUNDED_WIDTH - 1) / ROUNDED_WIDTH;
    const int64_t panel_size = ROUNDED_WIDTH * n_rows;
    std::vector<float> panels(n_panels * panel_size);
    for (int64_t i = 0; i < n_rows; ++i) {
        for (int64_t k = 0; k < n_outputs; ++k) {
            panels[k / ROUNDED_WIDTH * panel_size + ROUNDED_WIDTH * i + k % ROUNDED_WIDTH] =
                (float)factors[i * n_outputs + k];
        }
    }
    enum { N_GROUPS = 8 };
    const skx_parts_t parts(n_columns, N_GROUPS * ROUNDED_COLUMNS);
    auto task = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        const int64_t n_groups = (n + ROUNDED_COLUMNS - 1) / ROUNDED_COLUMNS;
        for (int64_t a = 0; a < n_panels; a += 2) {
            const int n_now = (int)std::min((int64_t)2, n_panels - a);
            const auto add = n_now == 2 ? tiles.of_two : tiles.of_one;
            double sums[N_GROUPS][ROUNDED_COLUMNS * 2 * ROUNDED_WIDTH] = {{0}};
            for (int64_t row = 0; row < n_rows; row += PANEL_DEPTH) {
                const int depth = (int)std::min((int64_t)PANEL_DEPTH, n_rows - row);
                for (int64_t g = 0; g < n_groups; ++g) {
                    const float *group[ROUNDED_COLUMNS];
                    for (int c = 0; c < ROUNDED_COLUMNS; ++c) {
                        // The last group has some columns twice.
                        const int64_t j = std::min(g * ROUNDED_COLUMNS + c, n - 1);
                        group[c] = columns + (first + j) * n_rows + row;
                    }
                    add(group, panels.data() + a * panel_size + ROUNDED_WIDTH * row,
                        panel_size, depth, sums[g]);
                }
            }
            const int64_t width = n_now * ROUNDED_WIDTH, k = a * ROUNDED_WIDTH;
            for (int64_t j = 0; j < n; ++j) {
                const double *of_column =
                    sums[j / ROUNDED_COLUMNS] + j % ROUNDED_COLUMNS * width;
                std::copy(of_column, of_column + std::min(width, n_outputs - k),
                          out + (first + j) * n_outputs + k);
            }
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, task);
}
