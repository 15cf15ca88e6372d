// Sums of the rows of each cluster, kept up as rows move from one to another.
//
// A sum is a pair of doubles, high + low: what rounding takes from `high` goes to `low`
//
//     s = high + x        e = (high - (s - (s - high))) + (x - (s - high))
//
// (D. E. Knuth, "The Art of Computer Programming", volume 2, section 4.2.2, theorem B),
// so that taking a row away leaves what was there before it came, and thousands of moves
// add up to no drift.
//
// A move is two events. They are sorted by cluster, those of a cluster in the order of
// rows, and cut into chunks by their number alone: threads change no bit.
//
//     cluster 0          1      2
//     | 0 1 2 | 3 4 |  | 0 1 |  | 0 1 2 | ...      chunks; the first adds to the sum
//         `-------+-> added in order               itself, the others to their own
#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <vector>

#include "exact_distances.h"
#include "parallel_parts.h"
#include "prefetch.h"
#include "skx_math.h"

enum { SKX_EVENTS_AT_ONCE = 2048, SKX_EVENTS_AHEAD = 8 };

SKX_INLINE void skx_add_exactly(double x, double *high, double *low) {
    const double sum = *high + x;
    const double rest = sum - *high;
    *low += (*high - (sum - rest)) + (x - rest);
    *high = sum;
}

// Add or subtract one row.
#define SKX_DEFINE_ROW_SUM(T)                                                        \
    SKX_CLONES static void skx_add_row(                                              \
        const T *SKX_RESTRICT row, int64_t n_columns, double factor,                 \
        double *SKX_RESTRICT high, double *SKX_RESTRICT low) {                       \
        for (int64_t k = 0; k < n_columns; ++k) {                                    \
            const double x = factor * (double)row[k];                                \
            const double sum = high[k] + x;                                          \
            const double rest = sum - high[k];                                       \
            low[k] += (high[k] - (sum - rest)) + (x - rest);                         \
            high[k] = sum;                                                           \
        }                                                                            \
    }
SKX_DEFINE_ROW_SUM(double)
SKX_DEFINE_ROW_SUM(float)
#undef SKX_DEFINE_ROW_SUM

template <typename T>
struct skx_dense_rows_t {
    const T *X;
    int64_t n_columns;

    void add(int64_t i, double factor, double *high, double *low) const {
        skx_add_row(X + i * n_columns, n_columns, factor, high, low);
    }

    // The start of a row that is soon to be added; the processor goes on by itself.
    void prefetch(int64_t i) const {
        const char *row = (const char *)(X + i * n_columns);
        const int64_t n = std::min(n_columns * (int64_t)sizeof(T), (int64_t)256);
        for (int64_t at = 0; at < n; at += 64) SKX_PREFETCH(row + at);
    }
};

template <typename T>
struct skx_sparse_rows_t {
    const T *data;
    const int32_t *indices, *indptr;
    int64_t n_columns;

    void add(int64_t i, double factor, double *high, double *low) const {
        for (int64_t at = indptr[i]; at < indptr[i + 1]; ++at) {
            const int32_t k = indices[at];
            skx_add_exactly(factor * (double)data[at], high + k, low + k);
        }
    }

    void prefetch(int64_t i) const { SKX_PREFETCH(indices + indptr[i]); }
};

static inline int64_t skx_row_of(int32_t event) {
    return event >= 0 ? event : -1 - (int64_t)event;
}

// Rows that come (row) or go (-1 - row), cluster by cluster.
struct skx_events_t {
    std::vector<int64_t> starts;  // (n_clusters + 1,)
    std::vector<int32_t> rows;

    // IN: labels as they were (NULL: none was anywhere) and as they are; -1 is nowhere.
    skx_events_t(
        const int32_t *old_labels, const int32_t *labels, const double *weights,
        int64_t n_rows, int64_t n_clusters)
        : starts(n_clusters + 1, 0) {
        auto visit = [&](auto function) {
            for (int64_t i = 0; i < n_rows; ++i) {
                const int32_t from = old_labels ? old_labels[i] : -1, to = labels[i];
                if (from == to || (weights && weights[i] == 0.0)) continue;
                if (from >= 0) function(from, (int32_t)(-1 - i));
                if (to >= 0) function(to, (int32_t)i);
            }
        };
        visit([&](int32_t cluster, int32_t) { ++starts[cluster + 1]; });
        for (int64_t j = 0; j < n_clusters; ++j) starts[j + 1] += starts[j];
        rows.resize(starts[n_clusters]);
        std::vector<int64_t> places(starts.begin(), starts.end() - 1);
        visit([&](int32_t cluster, int32_t row) { rows[places[cluster]++] = row; });
    }
};

// IN: events, weights (n_rows,) or NULL for ones. IN/OUT: high, low (n_clusters,
// n_columns); weight_high, weight_low, counts (n_clusters,), the last of rows whose weight
// is not zero.
template <typename Rows>
static inline void skx_apply_events(
    const Rows &rows, const skx_events_t &events, const double *weights,
    int64_t n_clusters, double *high, double *low, double *weight_high,
    double *weight_low, int64_t *counts, skx_parallel_t run, int n_threads) {
    struct chunk_t {
        int64_t cluster, first, last, place;
    };
    const int64_t n_columns = rows.n_columns;
    std::vector<chunk_t> chunks;
    int64_t n_extra = 0;
    for (int64_t j = 0; j < n_clusters; ++j) {
        const int64_t last = events.starts[j + 1];
        for (int64_t first = events.starts[j]; first < last; first += SKX_EVENTS_AT_ONCE) {
            const bool is_first = first == events.starts[j];
            chunks.push_back(
                {j, first, std::min(first + SKX_EVENTS_AT_ONCE, last),
                 is_first ? -1 : n_extra++});
        }
    }
    std::vector<double> extra(2 * n_extra * n_columns, 0.0);
    auto add = [&](int64_t task) {
        const chunk_t &chunk = chunks[task];
        double *to = high + chunk.cluster * n_columns;
        double *rest = low + chunk.cluster * n_columns;
        if (chunk.place >= 0) {
            to = extra.data() + 2 * chunk.place * n_columns;
            rest = to + n_columns;
        }
        for (int64_t e = chunk.first; e < chunk.last; ++e) {
            const int32_t event = events.rows[e];
            const int64_t i = skx_row_of(event);
            const double weight = weights ? weights[i] : 1.0;
            if (e + SKX_EVENTS_AHEAD < chunk.last) {
                rows.prefetch(skx_row_of(events.rows[e + SKX_EVENTS_AHEAD]));
            }
            rows.add(i, event >= 0 ? weight : -weight, to, rest);
        }
    };
    skx_run_tasks(run, (int64_t)chunks.size(), n_threads, add);
    for (const chunk_t &chunk : chunks) {
        if (chunk.place < 0) continue;
        const double *from = extra.data() + 2 * chunk.place * n_columns;
        double *to = high + chunk.cluster * n_columns;
        double *rest = low + chunk.cluster * n_columns;
        for (int64_t k = 0; k < n_columns; ++k) {
            skx_add_exactly(from[k], to + k, rest + k);
            rest[k] += from[n_columns + k];
        }
    }
    for (int64_t j = 0; j < n_clusters; ++j) {
        for (int64_t e = events.starts[j]; e < events.starts[j + 1]; ++e) {
            const int32_t event = events.rows[e];
            counts[j] += event >= 0 ? 1 : -1;
            if (!weights) continue;
            const double weight = weights[skx_row_of(event)];
            skx_add_exactly(
                event >= 0 ? weight : -weight, weight_high + j, weight_low + j);
        }
        if (!weights) weight_high[j] = (double)counts[j];
        if (counts[j] == 0) {
            std::fill(high + j * n_columns, high + (j + 1) * n_columns, 0.0);
            std::fill(low + j * n_columns, low + (j + 1) * n_columns, 0.0);
            weight_high[j] = weight_low[j] = 0.0;
        }
    }
}

#define SKX_DEFINE_MEAN(T)                                                           \
    SKX_CLONES static void skx_find_mean(                                            \
        const double *SKX_RESTRICT high, const double *SKX_RESTRICT low,             \
        double weight, int64_t n_columns, T *SKX_RESTRICT mean) {                    \
        for (int64_t k = 0; k < n_columns; ++k) {                                    \
            mean[k] = (T)((high[k] + low[k]) / weight);                              \
        }                                                                            \
    }
SKX_DEFINE_MEAN(double)
SKX_DEFINE_MEAN(float)
#undef SKX_DEFINE_MEAN

// Numbers of all means below which one thread finds them.
#define SKX_FEW_MEANS 50000

// IN: sums and weights of clusters, none of which is empty; old_means. OUT: means
// (n_clusters, n_columns). Returns the sum of the squared distances between both.
template <typename T>
static inline double skx_find_means(
    const double *high, const double *low, const double *weight_high,
    const double *weight_low, const T *old_means, int64_t n_clusters, int64_t n_columns,
    T *means, skx_parallel_t run, int n_threads) {
    std::vector<double> squares(n_clusters);
    auto find = [&](int64_t j) {
        const int64_t at = j * n_columns;
        skx_find_mean(
            high + at, low + at, weight_high[j] + weight_low[j], n_columns, means + at);
        squares[j] = skx_find_distance(old_means + at, means + at, n_columns, INFINITY);
    };
    const bool is_small = n_clusters * n_columns < SKX_FEW_MEANS;
    skx_run_tasks(run, n_clusters, is_small ? 1 : n_threads, find);
    double shift = 0.0;
    for (double square : squares) shift += square;
    return shift;
}

// Means and mean squared deviations of columns: parts by two passes, then put together
// (T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise algorithm
// for computing sample variances", COMPSTAT 1982, equation 2.1).
#define SKX_DEFINE_MOMENTS(T)                                                        \
    SKX_CLONES static void skx_find_part_moments(                                    \
        const T *X, int64_t n_rows, int64_t n_columns, double *SKX_RESTRICT mean,    \
        double *SKX_RESTRICT squares) {                                              \
        for (int64_t i = 0; i < n_rows; ++i) {                                       \
            const T *row = X + i * n_columns;                                        \
            for (int64_t k = 0; k < n_columns; ++k) mean[k] += (double)row[k];       \
        }                                                                            \
        for (int64_t k = 0; k < n_columns; ++k) mean[k] /= (double)n_rows;           \
        for (int64_t i = 0; i < n_rows; ++i) {                                       \
            const T *row = X + i * n_columns;                                        \
            for (int64_t k = 0; k < n_columns; ++k) {                                \
                const double difference = (double)row[k] - mean[k];                  \
                squares[k] += difference * difference;                               \
            }                                                                        \
        }                                                                            \
    }
SKX_DEFINE_MOMENTS(double)
SKX_DEFINE_MOMENTS(float)
#undef SKX_DEFINE_MOMENTS

// OUT: mean, variance (n_columns,).
template <typename T>
static inline void skx_find_moments(
    const T *X, int64_t n_rows, int64_t n_columns, double *mean, double *variance,
    skx_parallel_t run, int n_threads) {
    const skx_parts_t parts(n_rows, std::max((int64_t)256, (n_rows + 63) / 64));
    std::vector<double> moments(2 * parts.n_parts * n_columns, 0.0);
    auto find = [&](int64_t part) {
        double *at = moments.data() + 2 * part * n_columns;
        skx_find_part_moments(
            X + parts.start(part) * n_columns, parts.length(part), n_columns, at,
            at + n_columns);
    };
    skx_run_tasks(run, parts.n_parts, n_threads, find);
    for (int64_t k = 0; k < n_columns; ++k) {
        double center = 0.0, squares = 0.0, n = 0.0;
        for (int64_t part = 0; part < parts.n_parts; ++part) {
            const double *at = moments.data() + 2 * part * n_columns;
            const double m = (double)parts.length(part), step = at[k] - center;
            squares += at[n_columns + k] + step * step * (n * m / (n + m));
            center += step * (m / (n + m));
            n += m;
        }
        mean[k] = center;
        variance[k] = squares / n;
    }
}
