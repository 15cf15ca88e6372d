// DBSCAN where neighbours are told and not found: a matrix of distances, dense or sparse,
// or lists of neighbours that come a block of rows at a time.
#pragma once

#include <stdint.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "double_sum.h"
#include "parallel_parts.h"

// ------------------------------------------------------------------- distance matrices
//
// Distances need not be symmetric: row i holds those from point i. Rows are expanded depth
// first, as they are met in the table, so that a cluster is what its lowest core row
// reaches and no earlier cluster has (M. Ester et al., KDD 1996).
//
// A matrix calls visit(j, distance) for each entry of a row.

template <typename T>
struct skx_dense_distances_t {
    const T *values;
    int64_t n, row_stride, column_stride;

    template <typename Visit>
    void visit_row(int64_t i, Visit &visit) const {
        const T *row = values + i * row_stride;
        for (int64_t j = 0; j < n; ++j) visit(j, row[j * column_stride]);
    }
};

// What is not stored is far, but for a point from itself.
template <typename T, typename I>
struct skx_sparse_distances_t {
    const T *values;
    const I *columns, *starts;
    int64_t n;

    template <typename Visit>
    void visit_row(int64_t i, Visit &visit) const {
        bool has_itself = false;
        for (I k = starts[i]; k < starts[i + 1]; ++k) {
            has_itself |= columns[k] == i;
            visit((int64_t)columns[k], values[k]);
        }
        if (!has_itself) visit(i, (T)0);
    }
};

// Whether each row has min_samples neighbours, or such a weight of them. IN: weights (n,)
// or NULL. OUT: is_core (n,).
template <typename Matrix>
static void skx_find_core_rows(
    const Matrix &matrix, double eps, double min_samples, const double *weights,
    uint8_t *is_core, skx_parallel_t run, int n_threads) {
    const skx_parts_t parts(matrix.n, 64);
    auto find = [&](int64_t part) {
        for (int64_t k = 0; k < parts.length(part); ++k) {
            const int64_t i = parts.start(part) + k;
            skx_double_sum_t sum;
            int64_t count = 0;
            if (weights) {
                auto add = [&](int64_t j, double distance) {
                    if (distance <= eps) sum.add(weights[j]);
                };
                matrix.visit_row(i, add);
            } else {
                auto add = [&](int64_t, double distance) { count += distance <= eps; };
                matrix.visit_row(i, add);
            }
            is_core[i] = (weights ? sum.high : (double)count) >= min_samples;
        }
    };
    skx_run_tasks(run, parts.n_parts, n_threads, find);
}

// OUT: labels (n,).
template <typename Matrix>
static void skx_expand_clusters(
    const Matrix &matrix, double eps, const uint8_t *is_core, int64_t *labels) {
    std::vector<int64_t> waiting;
    std::fill(labels, labels + matrix.n, -1);
    int64_t label = 0;
    auto reach = [&](int64_t j, double distance) {
        if (labels[j] != -1 || !(distance <= eps)) return;
        labels[j] = label;
        if (is_core[j]) waiting.push_back(j);
    };
    for (int64_t i = 0; i < matrix.n; ++i) {
        if (labels[i] != -1 || !is_core[i]) continue;
        labels[i] = label;
        waiting.push_back(i);
        while (!waiting.empty()) {
            const int64_t next = waiting.back();
            waiting.pop_back();
            matrix.visit_row(next, reach);
        }
        ++label;
    }
}

template <typename Matrix>
static void skx_cluster_distances(
    const Matrix &matrix, double eps, double min_samples, const double *weights,
    uint8_t *is_core, int64_t *labels, skx_parallel_t run, int n_threads) {
    skx_find_core_rows(matrix, eps, min_samples, weights, is_core, run, n_threads);
    skx_expand_clusters(matrix, eps, is_core, labels);
}

// -------------------------------------------------------------------- neighbour lists

// Lists of the neighbours of some rows, one after another.
struct skx_lists_t {
    const int64_t *rows, *starts, *neighbors;
    int64_t n_rows;
};

// OUT: sums (n_rows,), the weights of the neighbours of each row.
static inline void skx_sum_lists(
    const skx_lists_t &lists, const double *weights, double *sums) {
    for (int64_t i = 0; i < lists.n_rows; ++i) {
        skx_double_sum_t sum;
        for (int64_t k = lists.starts[i]; k < lists.starts[i + 1]; ++k) {
            sum.add(weights[lists.neighbors[k]]);
        }
        sums[i] = sum.high;
    }
}

static inline int64_t skx_find_root(int64_t *parents, int64_t i) {
    while (parents[i] != i) {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    return i;
}

// Unite core rows with their core neighbours; the root of a set is its lowest row.
// IN/OUT: parents (n,), at first each its own.
static inline void skx_unite_lists(
    const skx_lists_t &lists, const uint8_t *is_core, int64_t *parents) {
    for (int64_t i = 0; i < lists.n_rows; ++i) {
        if (!is_core[lists.rows[i]]) continue;
        int64_t root = skx_find_root(parents, lists.rows[i]);
        for (int64_t k = lists.starts[i]; k < lists.starts[i + 1]; ++k) {
            if (!is_core[lists.neighbors[k]]) continue;
            int64_t other = skx_find_root(parents, lists.neighbors[k]);
            if (other > root) std::swap(root, other);
            parents[root] = other;
            root = other;
        }
    }
}

// OUT: labels (n,), of core rows; -1 for all others.
static inline void skx_number_sets(
    const uint8_t *is_core, int64_t *parents, int64_t n, int64_t *labels) {
    int64_t n_clusters = 0;
    for (int64_t i = 0; i < n; ++i) {
        if (!is_core[i]) {
            labels[i] = -1;
            continue;
        }
        const int64_t root = skx_find_root(parents, i);
        labels[i] = root == i ? n_clusters++ : labels[root];
    }
}

// Give rows that are no core rows the lowest label of their core neighbours.
static inline void skx_label_lists(
    const skx_lists_t &lists, const uint8_t *is_core, int64_t *labels) {
    for (int64_t i = 0; i < lists.n_rows; ++i) {
        const int64_t row = lists.rows[i];
        if (is_core[row]) continue;
        for (int64_t k = lists.starts[i]; k < lists.starts[i + 1]; ++k) {
            const int64_t j = lists.neighbors[k];
            if (is_core[j] && (labels[row] == -1 || labels[j] < labels[row])) {
                labels[row] = labels[j];
            }
        }
    }
}
