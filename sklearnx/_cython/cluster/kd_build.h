// Building a k-d tree (see kd_tree.h).
//
//     1. halve ranges of rows, a level at a time with a task a range, until each is of at
//        most 256 leaves
//     2. a task a range: copy its points, halve on, write leaves and boxes
//     3. boxes of the nodes above, each of its two halves
//
// Rows with the same value on both sides of a median are told apart by their number, and
// those of a leaf are in ascending order, so that the tree depends on the table alone.

#pragma once

#include <numeric>
#include <vector>

#include "kd_tree.h"
#include "parallel_parts.h"

enum { SKX_SUBTREE_LEAVES = 256 };

struct skx_kd_key_t {
    double value;
    int32_t row;

    bool operator<(const skx_kd_key_t &other) const {
        return value < other.value || (value == other.value && row < other.row);
    }
};

// Put the first `n_left` of `rows` in the order of the column in which they differ most
// to the left. value(row, j) reads the table. IN/OUT: rows (n,). OUT: keys, scratch.
template <typename Value>
static void skx_halve(
    int32_t *rows, int64_t n, int64_t n_left, int64_t n_columns, const Value &value,
    std::vector<skx_kd_key_t> &keys) {
    int64_t widest = 0;
    double width = -1.0;
    for (int64_t j = 0; j < n_columns; ++j) {
        double low = value(rows[0], j), high = low;
        for (int64_t i = 1; i < n; ++i) {
            const double v = value(rows[i], j);
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        if (high - low > width) {
            width = high - low;
            widest = j;
        }
    }
    keys.resize(n);
    for (int64_t i = 0; i < n; ++i) keys[i] = {value(rows[i], widest), rows[i]};
    std::nth_element(keys.begin(), keys.begin() + n_left, keys.end());
    for (int64_t i = 0; i < n; ++i) rows[i] = keys[i].row;
}

struct skx_kd_builder_t {
    int64_t n, d, n_leaves;
    double *points, *lower, *upper;
    int32_t *rows;

    int64_t n_points(const skx_kd_node_t &at) const {
        return std::min(n - at.first * SKX_LEAF, at.n_leaves * SKX_LEAF);
    }
    void join_boxes(const skx_kd_node_t &at) const {
        const double *boxes[2][2] = {
            {lower + at.left().node * d, upper + at.left().node * d},
            {lower + at.right().node * d, upper + at.right().node * d}};
        for (int64_t j = 0; j < d; ++j) {
            lower[at.node * d + j] = std::min(boxes[0][0][j], boxes[1][0][j]);
            upper[at.node * d + j] = std::max(boxes[0][1][j], boxes[1][1][j]);
        }
    }
    // Write a leaf whose points are `local` numbers of columns of `m` values.
    void write_leaf(
        const skx_kd_node_t &at, const double *values, int64_t m, const int32_t *local) const {
        const int64_t length = n_points(at);
        double *leaf = points + at.first * d * SKX_LEAF;
        for (int64_t j = 0; j < d; ++j) {
            double *column = leaf + j * SKX_LEAF;
            for (int64_t i = 0; i < length; ++i) column[i] = values[j * m + local[i]];
            for (int64_t i = length; i < SKX_LEAF; ++i) {
                column[i] = std::numeric_limits<double>::infinity();
            }
            lower[at.node * d + j] = *std::min_element(column, column + length);
            upper[at.node * d + j] = *std::max_element(column, column + length);
        }
    }
    // Halve a range down to its leaves. IN/OUT: local, numbers of columns of `m` values.
    void build_below(
        const skx_kd_node_t &at, const double *values, int64_t m, int32_t *local,
        std::vector<skx_kd_key_t> &keys) const {
        const int64_t length = n_points(at);
        if (at.is_leaf()) {
            std::sort(local, local + length);
            write_leaf(at, values, m, local);
            return;
        }
        const int64_t n_left = n_points(at.left());
        const auto value = [&](int32_t i, int64_t j) { return values[j * m + i]; };
        skx_halve(local, length, n_left, d, value, keys);
        build_below(at.left(), values, m, local, keys);
        build_below(at.right(), values, m, local + n_left, keys);
        join_boxes(at);
    }
    template <typename Value>
    void build_subtree(const skx_kd_node_t &at, const Value &value) const {
        const int64_t m = n_points(at);
        int32_t *own = rows + at.first * SKX_LEAF;
        std::sort(own, own + m);
        std::vector<double> values(m * d);
        for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < d; ++j) values[j * m + i] = value(own[i], j);
        }
        std::vector<int32_t> local(m), sorted(own, own + m);
        std::iota(local.begin(), local.end(), 0);
        std::vector<skx_kd_key_t> keys;
        build_below(at, values.data(), m, local.data(), keys);
        for (int64_t i = 0; i < m; ++i) own[i] = sorted[local[i]];
    }
};

// Build the tree of a table of finite numbers, n > 0 rows and any strides (in values).
// OUT: points (n_leaves, n_columns, 16), lower and upper (2 n_leaves - 1, n_columns),
// rows (n,).
template <typename T>
static void skx_build_kd_tree(
    const T *X, int64_t n, int64_t n_columns, int64_t row_stride, int64_t column_stride,
    double *points, double *lower, double *upper, int32_t *rows, skx_parallel_t run,
    int n_threads) {
    const int64_t n_leaves = (n + SKX_LEAF - 1) / SKX_LEAF;
    const skx_kd_builder_t builder = {n, n_columns, n_leaves, points, lower, upper, rows};
    const auto value = [&](int32_t i, int64_t j) {
        return (double)X[i * row_stride + j * column_stride];
    };
    std::iota(rows, rows + n, 0);

    std::vector<skx_kd_node_t> level = {{0, 0, n_leaves}}, above, subtrees;
    while (!level.empty()) {
        std::vector<skx_kd_node_t> large, next;
        for (const skx_kd_node_t &at : level) {
            (at.n_leaves > SKX_SUBTREE_LEAVES ? large : subtrees).push_back(at);
        }
        auto halve = [&](int64_t task) {
            const skx_kd_node_t &at = large[task];
            std::vector<skx_kd_key_t> keys;
            skx_halve(
                rows + at.first * SKX_LEAF, builder.n_points(at),
                builder.n_points(at.left()), n_columns, value, keys);
        };
        skx_run_tasks(run, (int64_t)large.size(), n_threads, halve);
        for (const skx_kd_node_t &at : large) {
            next.push_back(at.left());
            next.push_back(at.right());
            above.push_back(at);
        }
        level = next;
    }
    auto build = [&](int64_t task) { builder.build_subtree(subtrees[task], value); };
    skx_run_tasks(run, (int64_t)subtrees.size(), n_threads, build);
    for (size_t i = above.size(); i-- > 0;) builder.join_boxes(above[i]);
}
