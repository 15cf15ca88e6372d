// Products of panels: the inner loop of all products of a dense table with a matrix.
//
// A panel holds 8 columns (or rows, or outputs) of up to PANEL_DEPTH rows side by side,
// so that a step k of the inner loop reads one cache line of each operand:
//
//     panel[k][0..7]        k = 0, ..., depth - 1
//
//     tile[b][a] += sum_k B[k][b] * A[k][a]      8 by 16, or 8 by 8, kept in registers
//
// The factors B are read one by one, so that they may as well lie in the table itself, of
// any dtype, `step` values from row to row and `side` values from one to the next.
//
// (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", TOMS
// 2008.) Every element is summed over k in ascending order, by fused multiply-adds where
// the processor has them, so that its bits do not depend on which of the tiles it is in.

#pragma once

#include <stdint.h>

#include "prefetch.h"
#include "skx_math.h"

enum { PANEL_WIDTH = 8, PANEL_DEPTH = 128 };

// Where the eight factors of a step lie: at strides, or in eight lines of their own.
template <typename T>
struct skx_strided_factors_t {
    const T *B;
    int64_t step, side;

    double at(int b, int k) const {
        return (double)B[k * step + b * side];
    }
};
template <typename T>
struct skx_factor_lines_t {
    const T *lines[PANEL_WIDTH];

    double at(int b, int k) const { return (double)lines[b][k]; }
};

#if SKX_HAS_X86_CODE
#define SKX_FMA_512 __attribute__((target("avx512f")))
#define SKX_FMA_256 __attribute__((target("avx2,fma")))

template <int N_PANELS, typename F>
SKX_FMA_512 static void skx_add_tile_512(
    const double *const *A, const F &factors, int depth, double *tile, int64_t stride) {
    __m512d sums[8][N_PANELS];
    for (int b = 0; b < 8; ++b) {
        for (int a = 0; a < N_PANELS; ++a) sums[b][a] = _mm512_setzero_pd();
    }
    for (int k = 0; k < depth; ++k) {
        __m512d row[N_PANELS];
        for (int a = 0; a < N_PANELS; ++a) row[a] = _mm512_loadu_pd(A[a] + 8 * k);
#pragma GCC unroll 8
        for (int b = 0; b < 8; ++b) {
            const __m512d factor = _mm512_set1_pd(factors.at(b, k));
            for (int a = 0; a < N_PANELS; ++a) {
                sums[b][a] = _mm512_fmadd_pd(factor, row[a], sums[b][a]);
            }
        }
    }
    for (int b = 0; b < 8; ++b) {
        for (int a = 0; a < N_PANELS; ++a) {
            double *place = tile + b * stride + 8 * a;
            _mm512_storeu_pd(place, _mm512_add_pd(_mm512_loadu_pd(place), sums[b][a]));
        }
    }
}

// 16 registers hold a quarter of the tile: 4 by 8 sums, a row and a factor.
template <int N_PANELS, typename F>
SKX_FMA_256 static void skx_add_tile_256(
    const double *const *A, const F &factors, int depth, double *tile, int64_t stride) {
    for (int a = 0; a < N_PANELS; ++a) {
        for (int half = 0; half < 8; half += 4) {
            __m256d sums[4][2];
            for (int b = 0; b < 4; ++b) {
                sums[b][0] = _mm256_setzero_pd();
                sums[b][1] = _mm256_setzero_pd();
            }
            for (int k = 0; k < depth; ++k) {
                const __m256d low = _mm256_loadu_pd(A[a] + 8 * k);
                const __m256d high = _mm256_loadu_pd(A[a] + 8 * k + 4);
#pragma GCC unroll 4
                for (int b = 0; b < 4; ++b) {
                    const __m256d factor =
                        _mm256_set1_pd(factors.at(half + b, k));
                    sums[b][0] = _mm256_fmadd_pd(factor, low, sums[b][0]);
                    sums[b][1] = _mm256_fmadd_pd(factor, high, sums[b][1]);
                }
            }
            for (int b = 0; b < 4; ++b) {
                double *place = tile + (half + b) * stride + 8 * a;
                _mm256_storeu_pd(
                    place, _mm256_add_pd(_mm256_loadu_pd(place), sums[b][0]));
                _mm256_storeu_pd(
                    place + 4, _mm256_add_pd(_mm256_loadu_pd(place + 4), sums[b][1]));
            }
        }
    }
}
#endif

template <int N_PANELS, typename F>
static void skx_add_tile_plain(
    const double *const *A, const F &factors, int depth, double *tile, int64_t stride) {
    for (int a = 0; a < N_PANELS; ++a) {
        for (int half = 0; half < 8; half += 2) {
            double sums[2][8] = {{0}, {0}};
            for (int k = 0; k < depth; ++k) {
                for (int b = 0; b < 2; ++b) {
                    const double factor = factors.at(half + b, k);
                    for (int i = 0; i < 8; ++i) {
                        sums[b][i] = sums[b][i] + factor * A[a][8 * k + i];
                    }
                }
            }
            for (int b = 0; b < 2; ++b) {
                double *place = tile + (half + b) * stride + 8 * a;
                for (int i = 0; i < 8; ++i) place[i] += sums[b][i];
            }
        }
    }
}

// The functions for one panel A and for two, chosen once by what the processor can do.
template <typename F>
struct skx_tiles_t {
    typedef void (*function_t)(
        const double *const *A, const F &factors, int depth, double *tile, int64_t stride);
    function_t of_one, of_two;

    skx_tiles_t() : of_one(skx_add_tile_plain<1, F>), of_two(skx_add_tile_plain<2, F>) {
#if SKX_HAS_X86_CODE
        if (__builtin_cpu_supports("avx512f")) {
            of_one = skx_add_tile_512<1, F>;
            of_two = skx_add_tile_512<2, F>;
        } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            of_one = skx_add_tile_256<1, F>;
            of_two = skx_add_tile_256<2, F>;
        }
#endif
    }
};

// Add the products of eight factors a row with all panels A, `panel_stride` doubles apart,
// to `out`, eight rows of `stride` doubles.
template <typename F>
static inline void skx_add_products_of(
    const double *A, int64_t panel_stride, int64_t n_panels, const F &factors, int depth,
    double *out, int64_t stride) {
    static const skx_tiles_t<F> tiles;
    int64_t i = 0;
    for (; i + 2 <= n_panels; i += 2) {
        const double *pair[2] = {A + i * panel_stride, A + (i + 1) * panel_stride};
        tiles.of_two(pair, factors, depth, out + 8 * i, stride);
    }
    if (i < n_panels) {
        const double *one[1] = {A + i * panel_stride};
        tiles.of_one(one, factors, depth, out + 8 * i, stride);
    }
}
template <typename T>
static inline void skx_add_panel_products(
    const double *A, int64_t panel_stride, int64_t n_panels, const T *B, int64_t step,
    int64_t side, int depth, double *out, int64_t stride) {
    const skx_strided_factors_t<T> factors = {B, step, side};
    skx_add_products_of(A, panel_stride, n_panels, factors, depth, out, stride);
}

// A table, or a part of one, at any strides (in values).
template <typename T>
struct skx_table_t {
    const T *values;
    int64_t n_rows, n_columns, row_stride, column_stride;

    const T *at(int64_t row, int64_t column) const {
        return values + row * row_stride + column * column_stride;
    }
};

// Of a table with one column the second stride says nothing.
template <typename T>
static inline skx_table_t<T> skx_describe(
    const T *values, int64_t n_rows, int64_t n_columns, int64_t row_bytes,
    int64_t column_bytes) {
    const int64_t size = sizeof(T);
    return {values, n_rows, n_columns, row_bytes / size,
            n_columns == 1 ? 1 : column_bytes / size};
}

// Write columns [first, first + width) of rows [row, row + depth) as panels, the last one
// filled up with zeros: panels[j][k][i] = factors[k] * (table[row + k][8 j + i] - centre).
// IN: factors (depth,) or NULL for ones, centre (n_columns,) or NULL for zeros.
template <typename T>
SKX_INLINE void skx_pack_columns(
    const skx_table_t<T> &table, int64_t row, int depth, int64_t first, int64_t width,
    const double *factors, const double *centre, double *panels) {
    const int64_t panel_size = (int64_t)PANEL_WIDTH * depth;
    for (int64_t j = 0; j < width; j += PANEL_WIDTH) {
        double *panel = panels + j / PANEL_WIDTH * panel_size;
        const int n = (int)(width - j < PANEL_WIDTH ? width - j : PANEL_WIDTH);
        double means[PANEL_WIDTH] = {0};
        if (centre) {
            for (int i = 0; i < n; ++i) means[i] = centre[first + j + i];
        }
        if (table.column_stride == 1 && n == PANEL_WIDTH) {
            for (int k = 0; k < depth; ++k) {
                const T *values = table.at(row + k, first + j);
                SKX_PREFETCH(values + 2 * PANEL_WIDTH);
                const double factor = factors ? factors[k] : 1.0;
                for (int i = 0; i < PANEL_WIDTH; ++i) {
                    panel[8 * k + i] = factor * ((double)values[i] - means[i]);
                }
            }
            continue;
        }
        for (int i = 0; i < n; ++i) {
            const T *values = table.at(row, first + j + i);
            for (int k = 0; k < depth; ++k) {
                const double factor = factors ? factors[k] : 1.0;
                panel[8 * k + i] =
                    factor * ((double)values[k * table.row_stride] - means[i]);
            }
        }
        for (int i = n; i < PANEL_WIDTH; ++i) {
            for (int k = 0; k < depth; ++k) panel[8 * k + i] = 0.0;
        }
    }
}
