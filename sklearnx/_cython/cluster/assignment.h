// The nearest centre of each row, by exact distances.
//
// Dense rows are scored in float32 (score_tiles.h); a row whose best two scores are within
// what rounding may do is compared with all centres in double, summing squares of
// differences. The label is that of the smallest of these double sums, and the first of
// equal ones, whether or not they had to be computed.
#pragma once

#include "best_scores.h"
#include "exact_distances.h"
#include "sparse_scores.h"

enum { SKX_ROWS_AT_ONCE = 960 };  // of a task; a multiple of the rows of a tile

// Parts of rows until somebody looks for signals again: some hundredths of a second.
static inline int64_t skx_parts_at_once(int64_t work_of_row, int n_threads) {
    const int64_t n_parts = ((int64_t)1 << 30) / (SKX_ROWS_AT_ONCE * work_of_row + 1);
    return std::max((n_parts + 1) * n_threads, (int64_t)2 * n_threads);
}

// The frame of one call: the mean of the centres, and a scale that makes them about 1.
template <typename T>
static inline skx_frame_t skx_find_frame(
    const T *centers, int64_t n_centers, int64_t n_columns, std::vector<double> &shift) {
    shift.assign(n_columns, 0.0);
    for (int64_t j = 0; j < n_centers; ++j) {
        for (int64_t k = 0; k < n_columns; ++k) {
            shift[k] += (double)centers[j * n_columns + k] / (double)n_centers;
        }
    }
    double largest = 0.0;
    for (int64_t j = 0; j < n_centers; ++j) {
        for (int64_t k = 0; k < n_columns; ++k) {
            largest = std::max(largest, fabs(centers[j * n_columns + k] - shift[k]));
        }
    }
    return {shift.data(), skx_scale_to_one(largest)};
}

// IN: X (n_rows, n_columns), centers (n_centers, n_columns). OUT: labels (n_rows,);
// squared_distances (n_rows,) or NULL. Whether it came to its end.
template <typename T>
static inline bool skx_assign_dense(
    const T *X, int64_t n_rows, int64_t n_columns, const T *centers, int64_t n_centers,
    int32_t *labels, double *squared_distances, skx_parallel_t run, int n_threads,
    int (*goes_on)()) {
    const skx_parts_t parts(n_rows, SKX_ROWS_AT_ONCE);
    // Few rows are not worth the preparation.
    const bool is_small = n_rows < 8 || n_centers == 1;
    skx_scorer_t scorer;
    std::vector<double> shift;
    skx_frame_t frame = {NULL, 1.0};
    if (!is_small) {
        frame = skx_find_frame(centers, n_centers, n_columns, shift);
        skx_prepare_scorer(
            centers, n_centers, n_columns, frame, run, n_threads, &scorer);
    }
    auto assign = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        if (is_small) {
            for (int64_t i = first; i < first + n; ++i) {
                double distance;
                labels[i] = skx_find_nearest(
                    X + i * n_columns, centers, n_centers, n_columns, &distance);
                if (squared_distances) squared_distances[i] = distance;
            }
            return;
        }
        skx_tile_t tile(n_columns);
        skx_best_t best;
        skx_known_t known;
        for (int64_t start = first; start < first + n; start += SKX_TILE_ROWS) {
            const int n_tile = (int)std::min(first + n - start, (int64_t)SKX_TILE_ROWS);
            tile.pack(X + start * n_columns, NULL, n_tile, n_columns, frame);
            skx_find_best(scorer, tile.blocks, tile.n_blocks, &best);
            skx_judge(
                best, tile.squares, tile.n_blocks, (float)scorer.tolerance,
                (float)scorer.max_norm, &known);
            for (int i = 0; i < n_tile; ++i) {
                double distance;
                labels[start + i] = best.index[i];
                if (known.is_doubtful[i]) {
                    labels[start + i] = skx_find_nearest(
                        X + (start + i) * n_columns, centers, n_centers, n_columns,
                        &distance);
                }
            }
        }
        if (squared_distances) {
            skx_measure_rows(
                X + first * n_columns, n, n_columns, centers, labels + first,
                squared_distances + first);
        }
    };
    return skx_run_tasks_while(
        run, parts.n_parts, skx_parts_at_once(n_centers * n_columns, n_threads), n_threads,
        assign, goes_on);
}

// As `skx_assign_dense`, of rows in CSR format.
template <typename T>
static inline bool skx_assign_sparse(
    const T *data, const int32_t *indices, const int32_t *indptr, int64_t n_rows,
    const T *centers, int64_t n_centers, int64_t n_columns, int32_t *labels,
    double *squared_distances, skx_parallel_t run, int n_threads, int (*goes_on)()) {
    const skx_parts_t parts(n_rows, SKX_ROWS_AT_ONCE);
    skx_sparse_scorer_t<T, float> scorer;
    // Few numbers are not worth the preparation.
    const bool is_small = 2 * (int64_t)(indptr[n_rows] - indptr[0]) < n_columns;
    if (is_small) {
        skx_prepare_sparse_distances(
            centers, n_centers, n_columns, run, n_threads, &scorer);
    } else {
        const double scale = skx_find_scale(centers, n_centers * n_columns);
        skx_prepare_sparse_scorer(
            centers, n_centers, n_columns, scale, run, n_threads, &scorer);
    }
    auto assign = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        std::vector<float> scores(2 * scorer.width);
        for (int64_t i = first; i < first + n; ++i) {
            const skx_sparse_row_t<T> row = {
                data + indptr[i], indices + indptr[i], indptr[i + 1] - indptr[i]};
            labels[i] =
                is_small ? scorer.find_exactly(row, [](int64_t) { return true; })
                         : scorer.find_nearest(row, scores.data());
            if (squared_distances) {
                squared_distances[i] = scorer.find_distance(row, labels[i]);
            }
        }
    };
    return skx_run_tasks_while(
        run, parts.n_parts, skx_parts_at_once(n_centers * n_columns, n_threads), n_threads,
        assign, goes_on);
}

// Squared distances of all rows to the centre of their label. OUT: out (n_rows,).
template <typename T>
static inline void skx_measure_dense(
    const T *X, int64_t n_rows, int64_t n_columns, const T *centers,
    const int32_t *labels, double *out, skx_parallel_t run, int n_threads) {
    const skx_parts_t parts(n_rows, SKX_ROWS_AT_ONCE);
    auto measure = [&](int64_t part) {
        const int64_t first = parts.start(part);
        skx_measure_rows(
            X + first * n_columns, parts.length(part), n_columns, centers, labels + first,
            out + first);
    };
    skx_run_tasks(run, parts.n_parts, n_threads, measure);
}

template <typename T>
static inline void skx_measure_sparse(
    const T *data, const int32_t *indices, const int32_t *indptr, int64_t n_rows,
    const T *centers, int64_t n_centers, int64_t n_columns, const int32_t *labels,
    double *out, skx_parallel_t run, int n_threads) {
    const std::vector<double> norms =
        skx_find_squared_norms(centers, n_centers, n_columns, run, n_threads);
    const skx_parts_t parts(n_rows, SKX_ROWS_AT_ONCE);
    auto measure = [&](int64_t part) {
        for (int64_t i = parts.start(part); i < parts.start(part) + parts.length(part); ++i) {
            const skx_sparse_row_t<T> row = {
                data + indptr[i], indices + indptr[i], indptr[i + 1] - indptr[i]};
            const int64_t j = labels[i];
            out[i] = skx_sparse_distance(row, centers + j * n_columns, norms[j]);
        }
    };
    skx_run_tasks(run, parts.n_parts, n_threads, measure);
}

// Squared distances of all rows to all of a few centres. OUT: out (n_rows, n_centers).
#define SKX_DEFINE_ALL_DISTANCES(T)                                                  \
    SKX_CLONES static void skx_measure_pairs(                                        \
        const T *X, int64_t n_rows, int64_t n_columns, const T *centers,             \
        int64_t n_centers, double *out) {                                            \
        for (int64_t i = 0; i < n_rows; ++i) {                                       \
            for (int64_t j = 0; j < n_centers; ++j) {                                \
                out[i * n_centers + j] = skx_limited_distance(                       \
                    X + i * n_columns, centers + j * n_columns, n_columns, INFINITY); \
            }                                                                        \
        }                                                                            \
    }
SKX_DEFINE_ALL_DISTANCES(double)
SKX_DEFINE_ALL_DISTANCES(float)
#undef SKX_DEFINE_ALL_DISTANCES

template <typename T>
static inline void skx_measure_all_dense(
    const T *X, int64_t n_rows, int64_t n_columns, const T *centers, int64_t n_centers,
    double *out, skx_parallel_t run, int n_threads) {
    const skx_parts_t parts(n_rows, 240);
    auto measure = [&](int64_t part) {
        const int64_t first = parts.start(part);
        skx_measure_pairs(
            X + first * n_columns, parts.length(part), n_columns, centers, n_centers,
            out + first * n_centers);
    };
    skx_run_tasks(run, parts.n_parts, n_threads, measure);
}

template <typename T>
static inline void skx_measure_all_sparse(
    const T *data, const int32_t *indices, const int32_t *indptr, int64_t n_rows,
    const T *centers, int64_t n_centers, int64_t n_columns, double *out,
    skx_parallel_t run, int n_threads) {
    const std::vector<double> norms =
        skx_find_squared_norms(centers, n_centers, n_columns, run, n_threads);
    const skx_parts_t parts(n_rows, 240);
    auto measure = [&](int64_t part) {
        for (int64_t i = parts.start(part); i < parts.start(part) + parts.length(part); ++i) {
            const skx_sparse_row_t<T> row = {
                data + indptr[i], indices + indptr[i], indptr[i + 1] - indptr[i]};
            for (int64_t j = 0; j < n_centers; ++j) {
                out[i * n_centers + j] =
                    skx_sparse_distance(row, centers + j * n_columns, norms[j]);
            }
        }
    };
    skx_run_tasks(run, parts.n_parts, n_threads, measure);
}
