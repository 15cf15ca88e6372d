// Scores of rows that lie anywhere in a table against some or all groups of eight centres;
// see score_tiles.h for what scores are. A group is a panel.
//
// Where few centres come into question for a row, rows in blocks would have to be packed
// anew for each panel. Here a row's numbers lie one after the other, and the lanes of a
// register are the centres of the panel. Rows that are to be scored against all centres
// come in blocks that are loaded once.
//
//     points.score(g, rows, n, scores)         scores[i][0..7]     of row i
//     block.load(rows, n); block.score(g, lines)   lines[c][0..16 * n_blocks)   of centre c
#pragma once

#include "exact_distances.h"
#include "packed_rows.h"
#include "prefetch.h"
#include "sparse_scores.h"

#if SKX_HAS_X86_CODE
// N_ROWS rows, each with as many running sums as keep the multipliers busy.
template <int N_ROWS>
SKX_FMA_256 static void skx_add_gathered_256(
    const float *const *rows, const float *const *ahead, const float *panel,
    int64_t n_columns, float *totals) {
    enum { N_SUMS = 8 / N_ROWS };
    __m256 sums[N_ROWS][N_SUMS];
    for (int r = 0; r < N_ROWS; ++r) {
        for (int s = 0; s < N_SUMS; ++s) sums[r][s] = _mm256_setzero_ps();
    }
    int64_t k = 0;
    for (; k + 16 <= n_columns; k += 16) {
        for (int r = 0; r < N_ROWS; ++r) SKX_PREFETCH(ahead[r] + k);
        for (int at = 0; at < 16; at += N_SUMS) {
            for (int s = 0; s < N_SUMS; ++s) {
                const __m256 line = _mm256_loadu_ps(panel + 8 * (k + at + s));
#pragma GCC unroll 8
                for (int r = 0; r < N_ROWS; ++r) {
                    sums[r][s] = _mm256_fmadd_ps(
                        _mm256_set1_ps(rows[r][k + at + s]), line, sums[r][s]);
                }
            }
        }
    }
    for (; k < n_columns; ++k) {
        const __m256 line = _mm256_loadu_ps(panel + 8 * k);
        for (int r = 0; r < N_ROWS; ++r) {
            sums[r][0] = _mm256_fmadd_ps(_mm256_set1_ps(rows[r][k]), line, sums[r][0]);
        }
    }
    for (int r = 0; r < N_ROWS; ++r) {
        for (int s = N_SUMS / 2; s > 0; s /= 2) {
            for (int t = 0; t < s; ++t) {
                sums[r][t] = _mm256_add_ps(sums[r][t], sums[r][t + s]);
            }
        }
        float *total = totals + 8 * r;
        _mm256_storeu_ps(total, _mm256_add_ps(_mm256_loadu_ps(total), sums[r][0]));
    }
}
#endif

template <int N_ROWS>
static void skx_add_gathered_plain(
    const float *const *rows, const float *const *ahead, const float *panel,
    int64_t n_columns, float *totals) {
    for (int r = 0; r < N_ROWS; ++r) {
        float sums[2][8] = {{0}};
        SKX_PREFETCH(ahead[r]);
        for (int64_t k = 0; k < n_columns; ++k) {
            const float value = rows[r][k];
            float *sum = sums[k & 1];
            for (int c = 0; c < 8; ++c) sum[c] += value * panel[8 * k + c];
        }
        for (int c = 0; c < 8; ++c) totals[8 * r + c] += sums[0][c] + sums[1][c];
    }
}

// Kernels for 1, 2, 4 and 8 rows, chosen once by the processor: add the products of at
// most SKX_CHUNK columns to totals (n_rows, 8). The rows that come next are fetched
// meanwhile.
struct skx_gathered_tiles_t {
    typedef void (*function_t)(
        const float *const *rows, const float *const *ahead, const float *panel,
        int64_t n_columns, float *totals);
    function_t of[4];

    skx_gathered_tiles_t() {
#define SKX_SET_SIZES(name)                                                          \
    do {                                                                             \
        const function_t chosen[4] = {name<1>, name<2>, name<4>, name<8>};           \
        memcpy(of, chosen, sizeof of);                                               \
    } while (0)
        SKX_SET_SIZES(skx_add_gathered_plain);
#if SKX_HAS_X86_CODE
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            SKX_SET_SIZES(skx_add_gathered_256);
        }
#endif
#undef SKX_SET_SIZES
    }
};

// Rows of a dense table, next to what they are in float32 in the frame of the centres.
template <typename T>
struct skx_dense_points_t {
    typedef T value_t;
    static constexpr double LEAST_WHOLE = 1.0;  // see group_bounds.h
    const T *X;
    int64_t n_columns;
    skx_frame_t frame;
    const float *values;   // (n_rows, n_columns)
    const float *squares;  // (n_rows,)
    const T *centers;
    const skx_scorer_t &scorer;

    int64_t n_centers() const { return scorer.n_centers; }
    double max_norm() const { return scorer.max_norm; }
    double tolerance() const { return scorer.tolerance; }

    // Columns go by in chunks, so that those of the panel stay in the cache from row to row.
    void score(int64_t g, const int32_t *rows, int n, float *scores) const {
        static const skx_gathered_tiles_t tiles;
        for (int i = 0; i < n; ++i) {
            memcpy(scores + 8 * i, scorer.bias.data() + 8 * g, 8 * sizeof(float));
        }
        for (int64_t first = 0; first < n_columns; first += SKX_CHUNK) {
            const int64_t width = std::min((int64_t)SKX_CHUNK, n_columns - first);
            const float *panel = scorer.panel(g) + 8 * first;
            for (int i = 0; i < n;) {
                const int size = n - i >= 8 ? 3 : n - i >= 4 ? 2 : n - i >= 2 ? 1 : 0;
                const float *here[8], *ahead[8];
                for (int r = 0; r < (1 << size); ++r) {
                    const int next = std::min(i + r + 8, n - 1);
                    here[r] = values + rows[i + r] * n_columns + first;
                    ahead[r] = values + rows[next] * n_columns + first;
                }
                tiles.of[size](here, ahead, panel, width, scores + 8 * i);
                i += 1 << size;
            }
        }
    }

    struct block_t {
        const skx_dense_points_t &points;
        skx_tile_t tile;

        explicit block_t(const skx_dense_points_t &points)
            : points(points), tile(points.n_columns) {}
        void load(const int32_t *rows, int n) {
            tile.pack(points.X, rows, n, points.n_columns, points.frame);
        }
        void score(int64_t g, float *lines) const {
            points.scorer.score(g, tile.blocks, tile.n_blocks, lines);
        }
    };

    int32_t find_nearest(int64_t i, double *square) const {
        return skx_find_nearest(
            X + i * n_columns, centers, scorer.n_centers, n_columns, square);
    }
};

// OUT: scores (8,) of a group, the first number of which is factors[0].
#define SKX_DEFINE_GROUP_SCORES(T)                                                   \
    SKX_CLONES static void skx_score_sparse_group(                                   \
        const skx_sparse_row_t<T> &row, const float *factors, int64_t width,         \
        const float *bias, double scale, float *scores) {                            \
        float total[8];                                                              \
        for (int c = 0; c < 8; ++c) total[c] = bias[c];                              \
        for (int64_t first = 0; first < row.n; first += SKX_CHUNK) {                 \
            const int64_t last = std::min(first + SKX_CHUNK, row.n);                 \
            float sums[8] = {0};                                                     \
            for (int64_t i = first; i < last; ++i) {                                 \
                const float value = (float)((double)row.data[i] * scale);            \
                const float *line = factors + row.indices[i] * width;                \
                for (int c = 0; c < 8; ++c) sums[c] += value * line[c];              \
            }                                                                        \
            for (int c = 0; c < 8; ++c) total[c] += sums[c];                         \
        }                                                                            \
        for (int c = 0; c < 8; ++c) scores[c] = total[c];                            \
    }
SKX_DEFINE_GROUP_SCORES(double)
SKX_DEFINE_GROUP_SCORES(float)
#undef SKX_DEFINE_GROUP_SCORES

// Rows in CSR format.
template <typename T>
struct skx_sparse_points_t {
    typedef T value_t;
    // To fetch eight numbers for each of the row's takes about as long as many.
    static constexpr double LEAST_WHOLE = 0.25;
    const T *data;
    const int32_t *indices, *indptr;
    const float *squares;  // (n_rows,), of the rows in the frame
    int64_t longest;       // most numbers of a row
    const skx_sparse_scorer_t<T, float> &scorer;

    int64_t n_centers() const { return scorer.n_centers; }
    double max_norm() const { return scorer.max_norm; }
    double tolerance() const { return skx_find_tolerance(longest, scorer.max_norm); }

    skx_sparse_row_t<T> row(int64_t i) const {
        return {data + indptr[i], indices + indptr[i], indptr[i + 1] - indptr[i]};
    }

    void score(int64_t g, const int32_t *rows, int n, float *scores) const {
        for (int i = 0; i < n; ++i) {
            skx_score_sparse_group(
                row(rows[i]), scorer.factors.data() + 8 * g, scorer.width,
                scorer.bias.data() + 8 * g, scorer.scale, scores + 8 * i);
        }
    }

    struct block_t {
        const skx_sparse_points_t &points;
        int n_rows;
        std::vector<float> scores;  // (SKX_TILE_ROWS + 1, width)

        explicit block_t(const skx_sparse_points_t &points)
            : points(points), scores((SKX_TILE_ROWS + 1) * points.scorer.width) {}
        void load(const int32_t *rows, int n) {
            n_rows = n;
            for (int r = 0; r < n; ++r) {
                points.scorer.score(
                    points.row(rows[r]), scores.data() + r * points.scorer.width);
            }
        }
        void score(int64_t g, float *lines) const {
            const int n_filled = (n_rows + SKX_BLOCK - 1) / SKX_BLOCK * SKX_BLOCK;
            for (int c = 0; c < SKX_PANEL; ++c) {
                const float *from = scores.data() + SKX_PANEL * g + c;
                float *line = lines + c * n_filled;
                for (int r = 0; r < n_rows; ++r) line[r] = from[r * points.scorer.width];
                std::fill(line + n_rows, line + n_filled, 0.0f);
            }
        }
    };

    int32_t find_nearest(int64_t i, double *square) const {
        std::vector<float> scores(2 * scorer.width);
        const int32_t label = scorer.find_nearest(row(i), scores.data());
        *square = scorer.find_distance(row(i), label);
        return label;
    }
};
