// Distances of rows, dense or compressed, to points packed in panels.
//
//     panels[p][k][0..7]     column k of points 8 p, ..., 8 p + 7  (see panels.h)
//
//     squares[b][i] = |row_b|^2 + |point_i|^2 - 2 <row_b, point_i>
//
// The products cost one multiplication a pair and column, but where a distance is small
// beside the norms they cancel: such pairs are computed again from their differences.

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <vector>

#include "panels.h"
#include "skx_math.h"

#if defined(__aarch64__) && !defined(_MSC_VER)
#include <arm_neon.h>
#endif

// Squared distances below this share of the norms are computed again. Others have a
// relative error of some 1e-16 over it.
#define SKX_CANCELLED 1e-6

// Rows of a table at any strides (in values), or compressed rows where `columns` is set;
// `rows` says which, in which order.
template <typename T>
struct skx_rows_t {
    const T *values;
    int64_t row_stride, column_stride;
    const int32_t *columns, *starts;
    const int64_t *rows;
    const double *centre;  // subtracted from dense rows
    int64_t n_columns;
};

// out[step * k] = value k of row i, less the centre.
template <typename T>
SKX_INLINE void skx_load_row(const skx_rows_t<T> &X, int64_t i, double *out, int64_t step) {
    const int64_t row = X.rows[i];
    if (X.columns) {
        for (int64_t k = 0; k < X.n_columns; ++k) out[step * k] = 0.0;
        for (int32_t at = X.starts[row]; at < X.starts[row + 1]; ++at) {
            out[step * X.columns[at]] += (double)X.values[at];
        }
        return;
    }
    const T *values = X.values + row * X.row_stride;
    if (X.column_stride == 1 && step == 1) {
        for (int64_t k = 0; k < X.n_columns; ++k) out[k] = (double)values[k] - X.centre[k];
        return;
    }
    for (int64_t k = 0; k < X.n_columns; ++k) {
        out[step * k] = (double)values[k * X.column_stride] - X.centre[k];
    }
}

template <typename T>
static double skx_squared_norm(const skx_rows_t<T> &X, int64_t i) {
    const int64_t row = X.rows[i];
    double sum = 0.0;
    if (X.columns) {
        for (int32_t at = X.starts[row]; at < X.starts[row + 1]; ++at) {
            sum += (double)X.values[at] * (double)X.values[at];
        }
        return sum;
    }
    const T *values = X.values + row * X.row_stride;
    for (int64_t k = 0; k < X.n_columns; ++k) {
        const double value = (double)values[k * X.column_stride] - X.centre[k];
        sum += value * value;
    }
    return sum;
}

// Points packed in panels, the last one filled up with zeros, and their squared norms.
struct skx_points_t {
    int64_t n_panels, n_columns;
    std::vector<double> panels, norms;

    skx_points_t(int64_t n_points, int64_t n_columns)
        : n_panels((n_points + PANEL_WIDTH - 1) / PANEL_WIDTH),
          n_columns(n_columns),
          panels(n_panels * PANEL_WIDTH * n_columns),
          norms(n_panels * PANEL_WIDTH) {}
    // Values of point i lie PANEL_WIDTH apart.
    double *at(int64_t i) {
        return panels.data() + i / PANEL_WIDTH * PANEL_WIDTH * n_columns + i % PANEL_WIDTH;
    }
    const double *at(int64_t i) const { return const_cast<skx_points_t *>(this)->at(i); }
    int64_t width() const { return n_panels * PANEL_WIDTH; }
};

// sums[0..7] += value * line[0..7] for each value of a compressed row.
SKX_INLINE void skx_add_line(double value, const double *line, double *SKX_RESTRICT sums) {
    for (int i = 0; i < PANEL_WIDTH; ++i) sums[i] += value * line[i];
}
#define SKX_DEFINE_SPARSE_PRODUCTS(T)                                                    \
    SKX_CLONES static inline void skx_add_sparse_products(                               \
        const T *values, const int32_t *columns, int64_t n, const double *panels,        \
        int64_t n_panels, int64_t panel_stride, double *out) {                           \
        for (int64_t p = 0; p < n_panels; ++p) {                                         \
            double sums[PANEL_WIDTH] = {0};                                              \
            const double *panel = panels + p * panel_stride;                             \
            for (int64_t i = 0; i < n; ++i) {                                            \
                skx_add_line(                                                            \
                    (double)values[i], panel + PANEL_WIDTH * (int64_t)columns[i], sums); \
            }                                                                            \
            for (int i = 0; i < PANEL_WIDTH; ++i) out[PANEL_WIDTH * p + i] += sums[i];   \
        }                                                                                \
    }
SKX_DEFINE_SPARSE_PRODUCTS(double)
SKX_DEFINE_SPARSE_PRODUCTS(float)

// Some rows at a time against all points: as many as share a panel while it is in the
// cache.
enum { SKX_ROWS_TOGETHER = 32 };

template <typename T>
struct skx_row_block_t {
    const skx_rows_t<T> &X;
    const skx_points_t &points;
    std::vector<double> loaded, tile;

    // Of compressed rows at most one is loaded.
    skx_row_block_t(const skx_rows_t<T> &X, const skx_points_t &points)
        : X(X), points(points),
          loaded((X.columns ? 1 : SKX_ROWS_TOGETHER) * points.n_columns),
          tile(SKX_ROWS_TOGETHER * points.width()) {}

    double *row(int b) { return loaded.data() + (X.columns ? 0 : b) * points.n_columns; }

    // Into tile (n, width): squared distances of rows [first, first + n),
    // n <= SKX_ROWS_TOGETHER.
    void find_squares(int64_t first, int n, const double *norms);
    void add_dense_products(int64_t first, int n);
    void add_sparse_products(int64_t first, int n);

    double squared_difference(int b, int64_t i) {
        const double *values = row(b), *point = points.at(i);
        double sum = 0.0;
        for (int64_t k = 0; k < points.n_columns; ++k) {
            const double difference = values[k] - point[PANEL_WIDTH * k];
            sum += difference * difference;
        }
        return sum;
    }
};

// From products to squared distances, not negative; flags[i] is set where they cancel.
SKX_CLONES static inline void skx_find_squares(
    const double *point_norms, double row_norm, int64_t n, double *SKX_RESTRICT products,
    int64_t *SKX_RESTRICT flags) {
    for (int64_t first = 0; first < n; first += PANEL_WIDTH) {
        for (int64_t i = 0; i < PANEL_WIDTH; ++i) {
            const double total = row_norm + point_norms[first + i];
            const double squares = total - 2.0 * products[first + i];
            flags[i] |= squares < SKX_CANCELLED * total;
            products[first + i] = squares > 0.0 ? squares : 0.0;
        }
    }
}

template <typename T>
void skx_row_block_t<T>::add_dense_products(int64_t first, int n) {
    const int64_t n_columns = points.n_columns, stride = PANEL_WIDTH * n_columns;
    for (int b = 0; b < n; ++b) skx_load_row(X, first + b, row(b), 1);
    for (int64_t k = 0; k < n_columns; k += PANEL_DEPTH) {
        const int depth = (int)std::min((int64_t)PANEL_DEPTH, n_columns - k);
        for (int64_t p = 0; p < points.n_panels; p += 2) {
            for (int b = 0; b < n; b += PANEL_WIDTH) {
                skx_add_panel_products(
                    points.panels.data() + p * stride + PANEL_WIDTH * k, stride,
                    std::min((int64_t)2, points.n_panels - p), row(b) + k, 1, n_columns,
                    depth, tile.data() + b * points.width() + PANEL_WIDTH * p,
                    points.width());
            }
        }
    }
}

template <typename T>
void skx_row_block_t<T>::add_sparse_products(int64_t first, int n) {
    for (int b = 0; b < n; ++b) {
        const int64_t at = X.rows[first + b], start = X.starts[at];
        skx_add_sparse_products(
            X.values + start, X.columns + start, X.starts[at + 1] - start,
            points.panels.data(), points.n_panels, PANEL_WIDTH * points.n_columns,
            tile.data() + b * points.width());
    }
}

template <typename T>
void skx_row_block_t<T>::find_squares(int64_t first, int n, const double *norms) {
    const int64_t width = points.width();
    std::fill(tile.begin(), tile.end(), 0.0);
    if (X.columns) {
        add_sparse_products(first, n);
    } else {
        add_dense_products(first, n);
    }
    for (int b = 0; b < n; ++b) {
        double *squares = tile.data() + b * width;
        int64_t flags[PANEL_WIDTH] = {0}, any = 0;
        skx_find_squares(points.norms.data(), norms[first + b], width, squares, flags);
        for (int i = 0; i < PANEL_WIDTH; ++i) any |= flags[i];
        if (!any) continue;
        if (X.columns) skx_load_row(X, first + b, row(b), 1);
        for (int64_t i = 0; i < width; ++i) {
            const double total = norms[first + b] + points.norms[i];
            if (squares[i] < SKX_CANCELLED * total) squares[i] = squared_difference(b, i);
        }
    }
}

// Square roots of n values, a multiple of 8, in place. All versions round correctly.
#if SKX_HAS_X86_CODE
SKX_FMA_512 static void skx_take_roots_512(double *values, int64_t n) {
    for (int64_t i = 0; i < n; i += 8) {
        _mm512_storeu_pd(values + i, _mm512_sqrt_pd(_mm512_loadu_pd(values + i)));
    }
}
SKX_FMA_256 static void skx_take_roots_256(double *values, int64_t n) {
    for (int64_t i = 0; i < n; i += 4) {
        _mm256_storeu_pd(values + i, _mm256_sqrt_pd(_mm256_loadu_pd(values + i)));
    }
}
#endif

static inline void skx_take_roots_plain(double *values, int64_t n) {
#if SKX_HAS_X86_CODE
    for (int64_t i = 0; i < n; i += 2) {
        _mm_storeu_pd(values + i, _mm_sqrt_pd(_mm_loadu_pd(values + i)));
    }
#elif defined(__aarch64__) && !defined(_MSC_VER)
    for (int64_t i = 0; i < n; i += 2) {
        vst1q_f64(values + i, vsqrtq_f64(vld1q_f64(values + i)));
    }
#else
    for (int64_t i = 0; i < n; ++i) values[i] = sqrt(values[i]);
#endif
}

static inline void skx_take_roots(double *values, int64_t n) {
#if SKX_HAS_X86_CODE
    static const bool has_512 = __builtin_cpu_supports("avx512f");
    static const bool has_256 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (has_512) return skx_take_roots_512(values, n);
    if (has_256) return skx_take_roots_256(values, n);
#endif
    skx_take_roots_plain(values, n);
}
