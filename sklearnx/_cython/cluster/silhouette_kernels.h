// Scores of many clusterings of the same rows from one pass over their distances.
//
// Rows that have the same label in all clusterings make a cell. In an order that has the
// cells one after another, the distances of a point to the rows of a cell are added up
// once, and their sum goes to one cluster of each clustering:
//
//     rows          | cell 0 | cell 1 |   cell 2   | cell 3 | ...
//     clustering 0  |    cluster 0    |      cluster 1      | ...
//     clustering 1  |   c 0  |     cluster 1       |  c 0   | ...
//
// so that further clusterings cost little. Points are taken some at a time; nothing is
// kept but a sum for each of them and each cluster.
//
// Silhouette (Rousseeuw, "Silhouettes: a graphical aid to the interpretation and
// validation of cluster analysis", J. Comp. Appl. Math. 20, 1987, equation 2):
//
//     s = (b - a) / max(a, b)
//
// with a the mean distance to the other rows of the own cluster, and b the least mean
// distance to the rows of another. The simplified silhouette (Hruschka, de Castro and
// Campello, "Evolutionary algorithms for clustering gene-expression data", ICDM 2004)
// has the distances to the means of the clusters instead.

#pragma once

#include "parallel_parts.h"
#include "row_panels.h"

// Clusters of all clusterings are numbered through.
struct skx_clusterings_t {
    const int32_t *labels;     // (n_rows, n_clusterings), numbered through
    const int64_t *starts;     // (n_clusterings + 1,), the first cluster of each
    const double *counts;      // (n_clusters,), the rows of each, at least one
    const uint8_t *ends_cell;  // (n_rows,), whether a row is the last of its cell
    int64_t n_rows, n_clusterings;

    int64_t n_clusters() const { return starts[n_clusterings]; }
};

SKX_INLINE double skx_silhouette(double a, double b) {
    const double larger = a > b ? a : b;
    return larger > 0.0 ? (b - a) / larger : 0.0;
}

SKX_CLONES static inline void skx_add_values(
    const double *from, int64_t n, double *SKX_RESTRICT to) {
    for (int64_t i = 0; i < n; ++i) to[i] += from[i];
}

// OUT: norms (n_rows,), squared.
template <typename T>
static void skx_find_norms(
    const skx_rows_t<T> &X, int64_t n_rows, double *norms, skx_parallel_t parallel_for,
    int n_threads) {
    const skx_parts_t parts(n_rows, 1024);
    auto find = [&](int64_t part) {
        const int64_t first = parts.start(part);
        for (int64_t i = 0; i < parts.length(part); ++i) {
            norms[first + i] = skx_squared_norm(X, first + i);
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, find);
}

// Silhouettes of one point from its sums of distances, `stride` apart.
// OUT: silhouettes, n_rows apart.
static inline void skx_write_silhouettes(
    const skx_clusterings_t &all, int64_t row, const double *sums, int64_t stride,
    double *silhouettes) {
    for (int64_t m = 0; m < all.n_clusterings; ++m) {
        const int64_t own = all.labels[row * all.n_clusterings + m];
        double nearest = INFINITY;
        for (int64_t c = all.starts[m]; c < all.starts[m + 1]; ++c) {
            if (c == own) continue;
            nearest = std::min(nearest, sums[c * stride] / all.counts[c]);
        }
        double *out = silhouettes + m * all.n_rows + row;
        *out = 0.0;
        if (all.counts[own] > 1.0) {
            *out = skx_silhouette(sums[own * stride] / (all.counts[own] - 1.0), nearest);
        }
    }
}

// How many points are held against all rows at a time. Few, so that they stay in the
// cache; but with many columns it is the rows that have to come from memory less often.
// Of compressed rows, points are the only ones with a place for each zero. A task ends
// within a fraction of a second, so that the user may interrupt.
template <typename T>
static int64_t skx_points_together(const skx_rows_t<T> &X, int64_t n_rows) {
    const double work = (double)n_rows * (double)(X.n_columns + 32);
    int64_t n = X.columns || X.n_columns <= 64 ? 64 : 256;
    if (X.columns && X.n_columns > 4096) n = PANEL_WIDTH;
    while (n > PANEL_WIDTH && (double)n * work > 2.5e9) n /= 2;
    return n;
}

// OUT: silhouettes (n_clusterings, n_rows). Whether all were written.
template <typename T>
static bool skx_find_silhouettes(
    const skx_rows_t<T> &X, const double *norms, const skx_clusterings_t &all,
    double *silhouettes, skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    const skx_parts_t parts(all.n_rows, skx_points_together(X, all.n_rows));
    auto find = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        skx_points_t points(n, X.n_columns);
        for (int64_t i = 0; i < n; ++i) {
            skx_load_row(X, first + i, points.at(i), PANEL_WIDTH);
            points.norms[i] = norms[first + i];
        }
        const int64_t width = points.width();
        skx_row_block_t<T> block(X, points);
        std::vector<double> sums(all.n_clusters() * width), cell(width);
        for (int64_t row = 0; row < all.n_rows; row += SKX_ROWS_TOGETHER) {
            const int n_rows =
                (int)std::min((int64_t)SKX_ROWS_TOGETHER, all.n_rows - row);
            block.find_squares(row, n_rows, norms);
            skx_take_roots(block.tile.data(), n_rows * width);
            for (int b = 0; b < n_rows; ++b) {
                skx_add_values(block.tile.data() + b * width, width, cell.data());
                if (!all.ends_cell[row + b]) continue;
                const int32_t *labels = all.labels + (row + b) * all.n_clusterings;
                for (int64_t m = 0; m < all.n_clusterings; ++m) {
                    skx_add_values(cell.data(), width, sums.data() + labels[m] * width);
                }
                std::fill(cell.begin(), cell.end(), 0.0);
            }
        }
        for (int64_t i = 0; i < n; ++i) {
            skx_write_silhouettes(all, first + i, sums.data() + i, width, silhouettes);
        }
    };
    const double work =
        (double)parts.size * (double)all.n_rows * (double)(X.n_columns + 32);
    const int64_t n_at_once = std::max((int64_t)n_threads, (int64_t)(2.5e9 / work));
    return skx_run_tasks_while(
        parallel_for, parts.n_parts, n_at_once, n_threads, find, goes_on);
}

// Add a compressed row to its clusters.
template <typename T>
static void skx_add_sparse_row(
    const skx_rows_t<T> &X, int64_t i, const skx_clusterings_t &all, double *sums) {
    const int64_t row = X.rows[i];
    for (int64_t m = 0; m < all.n_clusterings; ++m) {
        double *to = sums + all.labels[i * all.n_clusterings + m] * X.n_columns;
        for (int32_t at = X.starts[row]; at < X.starts[row + 1]; ++at) {
            to[X.columns[at]] += (double)X.values[at];
        }
    }
}

// Sums of the rows of all clusters. OUT: sums (n_clusters, n_columns).
template <typename T>
static void skx_sum_clusters(
    const skx_rows_t<T> &X, const skx_clusterings_t &all, double *sums,
    skx_parallel_t parallel_for, int n_threads) {
    const int64_t n_columns = X.n_columns, size = all.n_clusters() * n_columns;
    const int64_t n_sums = skx_max_sums(size);
    const skx_parts_t parts(
        all.n_rows, std::max((int64_t)1024, (all.n_rows + n_sums - 1) / n_sums));
    std::vector<double> partial(std::max((int64_t)1, parts.n_parts) * size);
    auto add = [&](int64_t part) {
        double *own = partial.data() + part * size;
        std::vector<double> cell(n_columns), values(n_columns);
        const int64_t end = parts.start(part) + parts.length(part);
        for (int64_t row = parts.start(part); row < end; ++row) {
            if (X.columns) {
                skx_add_sparse_row(X, row, all, own);
                continue;
            }
            skx_load_row(X, row, values.data(), 1);
            skx_add_values(values.data(), n_columns, cell.data());
            if (!all.ends_cell[row] && row + 1 < end) continue;
            for (int64_t m = 0; m < all.n_clusterings; ++m) {
                const int64_t cluster = all.labels[row * all.n_clusterings + m];
                skx_add_values(cell.data(), n_columns, own + cluster * n_columns);
            }
            std::fill(cell.begin(), cell.end(), 0.0);
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, add);
    skx_add_sums(partial.data(), parts.n_parts, size, parallel_for, n_threads);
    std::copy_n(partial.data(), size, sums);
}

// One row's part of the sums below, from its squared distances to all means.
static inline void skx_add_to_scatter(
    const skx_clusterings_t &all, int64_t row, const double *squares,
    const double *distances, double *sums) {
    double *sum_squares = sums, *sum_distances = sums + all.n_clusters();
    double *sum_simplified = sums + 2 * all.n_clusters();
    for (int64_t m = 0; m < all.n_clusterings; ++m) {
        const int64_t own = all.labels[row * all.n_clusterings + m];
        double nearest = INFINITY;
        for (int64_t c = all.starts[m]; c < all.starts[m + 1]; ++c) {
            if (c == own) continue;
            nearest = std::min(nearest, distances[c]);
        }
        sum_squares[own] += squares[own];
        sum_distances[own] += distances[own];
        if (all.counts[own] > 1.0) {
            sum_simplified[m] += skx_silhouette(distances[own], nearest);
        }
    }
}

// Distances of all rows to the means of their clusters.
// IN: means (n_clusters, n_columns), less the centre. OUT: sums, of squared distances and
// of distances (n_clusters,) each, then of simplified silhouettes (n_clusterings,).
template <typename T>
static void skx_sum_scatter(
    const skx_rows_t<T> &X, const double *norms, const skx_clusterings_t &all,
    const double *means, double *sums, skx_parallel_t parallel_for, int n_threads) {
    const int64_t n_clusters = all.n_clusters();
    const int64_t size = 2 * n_clusters + all.n_clusterings;
    skx_points_t points(n_clusters, X.n_columns);
    for (int64_t c = 0; c < n_clusters; ++c) {
        double *point = points.at(c);
        for (int64_t k = 0; k < X.n_columns; ++k) {
            const double value = means[c * X.n_columns + k];
            point[PANEL_WIDTH * k] = value;
            points.norms[c] += value * value;
        }
    }
    const int64_t n_sums = skx_max_sums(size);
    const skx_parts_t parts(
        all.n_rows, std::max((int64_t)512, (all.n_rows + n_sums - 1) / n_sums));
    std::vector<double> partial(std::max((int64_t)1, parts.n_parts) * size);
    auto add = [&](int64_t part) {
        skx_row_block_t<T> block(X, points);
        const int64_t width = points.width();
        std::vector<double> distances;
        const int64_t end = parts.start(part) + parts.length(part);
        for (int64_t row = parts.start(part); row < end; row += SKX_ROWS_TOGETHER) {
            const int n_rows = (int)std::min((int64_t)SKX_ROWS_TOGETHER, end - row);
            block.find_squares(row, n_rows, norms);
            distances = block.tile;
            skx_take_roots(distances.data(), n_rows * width);
            for (int b = 0; b < n_rows; ++b) {
                skx_add_to_scatter(
                    all, row + b, block.tile.data() + b * width,
                    distances.data() + b * width, partial.data() + part * size);
            }
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, add);
    skx_add_sums(partial.data(), parts.n_parts, size, parallel_for, n_threads);
    std::copy_n(partial.data(), size, sums);
}
