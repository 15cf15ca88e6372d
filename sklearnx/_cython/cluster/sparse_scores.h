// Scores of all centres for rows in CSR format, and exact distances where they leave a
// doubt; see score_tiles.h for what scores are. Sparse rows are not moved, only scaled.
//
//     factors[k][0..width)    column k of all centres, in float32
//
// The nearest centre is that of the least distance in double, the first of equal ones.
#pragma once

#include <math.h>

#include "exact_distances.h"
#include "score_tiles.h"

template <typename T>
struct skx_sparse_row_t {
    const T *data;
    const int32_t *indices;
    int64_t n;
};

// |x - c|**2 with as little cancellation as the zeros allow; |c|**2 is given.
template <typename T>
SKX_INLINE double skx_sparse_distance(
    const skx_sparse_row_t<T> &row, const T *center, double squared_norm) {
    double sum = 0.0;
    for (int64_t i = 0; i < row.n; ++i) {
        const double coordinate = (double)center[row.indices[i]];
        const double difference = (double)row.data[i] - coordinate;
        sum += difference * difference - coordinate * coordinate;
    }
    sum += squared_norm;
    return sum > 0.0 ? sum : 0.0;
}

template <typename T>
static inline std::vector<double> skx_find_squared_norms(
    const T *centers, int64_t n_centers, int64_t n_columns, skx_parallel_t run,
    int n_threads) {
    std::vector<double> norms(n_centers);
    auto find = [&](int64_t j) {
        norms[j] = skx_find_square(centers + j * n_columns, n_columns);
    };
    const bool is_small = n_centers * n_columns < SKX_SMALL_CENTERS;
    skx_run_tasks(run, n_centers, is_small ? 1 : n_threads, find);
    return norms;
}

template <typename T>
static inline double skx_find_scale(const T *centers, int64_t n) {
    double largest = 0.0;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, fabs((double)centers[i]));
    return skx_scale_to_one(largest);
}

// OUT: scores (width,). Scratch: sums (width,). Returns the squared norm of the row in the
// frame. F: what scores are computed in.
#define SKX_DEFINE_SPARSE_SCORES(T, F)                                               \
    SKX_CLONES static double skx_score_sparse(                                       \
        const skx_sparse_row_t<T> &row, const F *factors, const F *bias,             \
        int64_t width, double scale, F *SKX_RESTRICT scores, F *SKX_RESTRICT sums) { \
        double squares = 0.0;                                                        \
        for (int64_t j = 0; j < width; ++j) scores[j] = bias[j];                     \
        for (int64_t first = 0; first < row.n; first += SKX_CHUNK) {                 \
            const int64_t last = std::min(first + SKX_CHUNK, row.n);                 \
            for (int64_t j = 0; j < width; ++j) sums[j] = (F)0;                      \
            for (int64_t i = first; i < last; ++i) {                                 \
                const double value = (double)row.data[i] * scale;                    \
                const F factor = (F)value;                                           \
                const F *SKX_RESTRICT line = factors + row.indices[i] * width;       \
                for (int64_t j = 0; j < width; ++j) sums[j] += factor * line[j];     \
                squares += value * value;                                            \
            }                                                                        \
            for (int64_t j = 0; j < width; ++j) scores[j] += sums[j];                \
        }                                                                            \
        return squares;                                                              \
    }
SKX_DEFINE_SPARSE_SCORES(double, float)
SKX_DEFINE_SPARSE_SCORES(float, float)
SKX_DEFINE_SPARSE_SCORES(double, double)
SKX_DEFINE_SPARSE_SCORES(float, double)
#undef SKX_DEFINE_SPARSE_SCORES

// The place of the largest of some scores, and the second best.
static inline int32_t skx_find_two_best(
    const float *scores, int64_t n, float *first, float *second) {
    int32_t label = 0;
    *first = scores[0];
    *second = -FLT_MAX;
    for (int64_t j = 1; j < n; ++j) {
        if (scores[j] > *first) {
            *second = *first;
            *first = scores[j];
            label = (int32_t)j;
        } else if (scores[j] > *second) {
            *second = scores[j];
        }
    }
    return label;
}

// Centres ready to be scored against, in float or double.
template <typename T, typename F>
struct skx_sparse_scorer_t {
    int64_t n_columns, n_centers, width;  // width: n_centers filled up to eights
    const T *centers;
    double scale;
    std::vector<F> factors;             // (n_columns, width)
    std::vector<F> bias;                // (width,), -|c|**2 / 2 in the frame
    std::vector<double> squared_norms;  // (n_centers,)
    double max_norm;                    // in the frame

    double find_distance(const skx_sparse_row_t<T> &row, int64_t j) const {
        return skx_sparse_distance(row, centers + j * n_columns, squared_norms[j]);
    }

    // OUT: scores (2, width), of which the second half is scratch. Returns the squared
    // norm of the row in the frame.
    double score(const skx_sparse_row_t<T> &row, F *scores) const {
        return skx_score_sparse(
            row, factors.data(), bias.data(), width, scale, scores, scores + width);
    }

    // Scratch: scores (2, width). Where anything overflowed all centres are compared.
    int32_t find_nearest(const skx_sparse_row_t<T> &row, F *scores) const {
        const double squares = score(row, scores);
        float first, second;
        const int32_t label = skx_find_two_best(scores, n_centers, &first, &second);
        const double margin = 1.01 * skx_find_tolerance(row.n, max_norm) * max_norm *
                              (sqrt(squares) + 0.5 * max_norm + SKX_TINY);
        const double limit = (double)first - 2.0 * margin;
        const bool is_certain = squares < SKX_MAX_NORM * SKX_MAX_NORM;
        if (is_certain && (double)second < limit) return label;
        return find_exactly(row, [&](int64_t j) {
            return !(is_certain && (double)scores[j] < limit);
        });
    }

    // The nearest of the centres that come into question.
    template <typename Question>
    int32_t find_exactly(const skx_sparse_row_t<T> &row, const Question &may_be) const {
        double least = INFINITY;
        int32_t nearest = 0;
        for (int64_t j = 0; j < n_centers; ++j) {
            if (!may_be(j)) continue;
            const double distance = find_distance(row, j);
            if (distance < least) {
                least = distance;
                nearest = (int32_t)j;
            }
        }
        return nearest;
    }
};

// What exact distances need.
template <typename T, typename F>
static inline void skx_prepare_sparse_distances(
    const T *centers, int64_t n_centers, int64_t n_columns, skx_parallel_t run,
    int n_threads, skx_sparse_scorer_t<T, F> *scorer) {
    scorer->n_columns = n_columns;
    scorer->n_centers = n_centers;
    scorer->width = (n_centers + 7) / 8 * 8;
    scorer->centers = centers;
    scorer->squared_norms =
        skx_find_squared_norms(centers, n_centers, n_columns, run, n_threads);
}

template <typename T, typename F>
static inline void skx_prepare_sparse_scorer(
    const T *centers, int64_t n_centers, int64_t n_columns, double scale,
    skx_parallel_t run, int n_threads, skx_sparse_scorer_t<T, F> *scorer) {
    skx_prepare_sparse_distances(centers, n_centers, n_columns, run, n_threads, scorer);
    const int64_t width = scorer->width;
    scorer->scale = scale;
    scorer->bias.assign(width, (F)-FLT_MAX);
    double largest = 0.0;
    for (int64_t j = 0; j < n_centers; ++j) {
        const double square = scorer->squared_norms[j] * scale * scale;
        scorer->bias[j] = (F)(-0.5 * square);
        largest = square > largest || square != square ? square : largest;
    }
    scorer->max_norm = sqrt(largest);
    scorer->factors.resize(n_columns * width);
    const skx_parts_t parts(n_columns, 512);
    auto turn = [&](int64_t part) {
        const int64_t first = parts.start(part), last = first + parts.length(part);
        for (int64_t j = 0; j < n_centers; j += 8) {
            const int n = (int)std::min(n_centers - j, (int64_t)8);
            for (int64_t k = first; k < last; ++k) {
                F *to = scorer->factors.data() + k * width + j;
                const T *from = centers + j * n_columns + k;
                for (int c = 0; c < n; ++c) to[c] = (F)((double)from[c * n_columns] * scale);
            }
        }
    };
    const bool is_small = n_centers * n_columns < SKX_SMALL_CENTERS;
    skx_run_tasks(run, parts.n_parts, is_small ? 1 : n_threads, turn);
}
