// Questions to a k-d tree: nearest neighbours, and counts within a radius.
//
// The queries are the points of a tree too, the same or another, and those of a leaf walk
// together (Curtin et al., "Tree-independent dual-tree algorithms", ICML 2013, with the
// upper tree cut off: a walk costs little beside the pairs of leaves it ends in).

#pragma once

#include <vector>

#include "kd_tree.h"
#include "parallel_parts.h"

enum { SKX_LEAVES_A_TASK = 16 };

// The k nearest of a leaf's queries, sorted by distance, then by row.
struct skx_nearest_t {
    int k;
    std::vector<double> distances;   // (16, k)
    std::vector<int32_t> positions;  // (16, k)
    double bounds[SKX_LEAF];         // of each query the k-th distance

    explicit skx_nearest_t(int k) : k(k), distances(SKX_LEAF * k), positions(SKX_LEAF * k) {}

    void clear() {
        std::fill(
            distances.begin(), distances.end(), std::numeric_limits<double>::infinity());
        std::fill(positions.begin(), positions.end(), -1);
        std::fill(bounds, bounds + SKX_LEAF, std::numeric_limits<double>::infinity());
    }
    void insert(int q, double distance, int32_t position, const int32_t *rows) {
        double *own = &distances[q * k];
        int32_t *places = &positions[q * k];
        int i = k - 1;
        if (places[i] >= 0 && !(distance < own[i])) return;
        for (; i > 0; --i) {
            const bool is_free = places[i - 1] < 0;
            const bool is_before =
                !is_free && (own[i - 1] < distance ||
                             (own[i - 1] == distance && rows[places[i - 1]] < rows[position]));
            if (is_before) break;
            own[i] = own[i - 1];
            places[i] = places[i - 1];
        }
        own[i] = distance;
        places[i] = position;
        if (places[k - 1] >= 0) bounds[q] = own[k - 1];
    }
    double bound(uint32_t active) const {
        double largest = 0.0;
        for (int q = 0; q < SKX_LEAF; ++q) {
            if (active >> q & 1) largest = std::max(largest, bounds[q]);
        }
        return largest;
    }
};

// Find the k nearest points of `tree` of each point of leaf `leaf` of `queries`.
template <typename Metric>
static inline void skx_find_nearest_of_leaf(
    const skx_kd_tree_t &queries, int64_t leaf, const skx_kd_tree_t &tree,
    const Metric &metric, skx_nearest_t &nearest) {
    const int64_t d = tree.n_columns, node = skx_node_of_leaf(queries.n_leaves, leaf);
    const double *points = queries.leaf(leaf);
    const uint32_t all = queries.places(leaf);
    double distances[SKX_LEAF * SKX_LEAF];
    uint32_t hits[SKX_LEAF];
    nearest.clear();
    double bound = nearest.bound(all);
    auto is_far = [&](const skx_kd_node_t &, double gap) { return gap >= bound; };
    auto visit = [&](int64_t other, int64_t other_node) {
        const uint32_t places = tree.places(other);
        const uint32_t active =
            all & metric.to_box(
                      points, tree.lower + other_node * d, tree.upper + other_node * d, d,
                      nearest.bounds);
        if (active == 0) return;
        metric.pair(points, tree.leaf(other), d, nearest.bounds, active, distances, hits);
        for (int q = 0; q < SKX_LEAF; ++q) {
            if (!(active >> q & 1)) continue;
            for (uint32_t bits = hits[q] & places; bits; bits &= bits - 1) {
                const int i = skx_lowest_bit(bits);
                nearest.insert(
                    q, distances[q * SKX_LEAF + i], (int32_t)(other * SKX_LEAF + i),
                    tree.rows);
            }
        }
        bound = nearest.bound(all);
    };
    skx_walk_leaves(
        tree, metric, queries.lower + node * d, queries.upper + node * d, is_far, visit);
}

// Whether all was done. OUT, in the order of the queries' tree: distances (n, n_kept),
// reduced, and positions (n, n_kept) of the nearest of k, last (n,) the distance of the
// k-th; any may be NULL. k is at most the number of points.
template <typename Metric>
static bool skx_find_neighbors(
    const skx_kd_tree_t &queries, const skx_kd_tree_t &tree, const Metric &metric, int k,
    int n_kept, double *distances, int32_t *positions, double *last, skx_parallel_t run,
    int n_threads, int (*goes_on)()) {
    const skx_parts_t parts(queries.n_leaves, SKX_LEAVES_A_TASK);
    auto find = [&](int64_t part) {
        skx_nearest_t nearest(k);
        for (int64_t i = 0; i < parts.length(part); ++i) {
            const int64_t leaf = parts.start(part) + i;
            skx_find_nearest_of_leaf(queries, leaf, tree, metric, nearest);
            for (int q = 0; q < queries.length(leaf); ++q) {
                const int64_t p = leaf * SKX_LEAF + q;
                const double *own = &nearest.distances[q * k];
                if (distances) std::copy_n(own, n_kept, distances + p * n_kept);
                if (positions) {
                    std::copy_n(&nearest.positions[q * k], n_kept, positions + p * n_kept);
                }
                if (last) last[p] = own[k - 1];
            }
        }
    };
    return skx_run_tasks_while(run, parts.n_parts, 256, n_threads, find, goes_on);
}

// The pairs of a query of a leaf and a point of `tree` within the query's reduced radius, a
// leaf of the tree at a time:
//
//     visit(q, leaf, bits, distances)    for each query q with any: the places in the leaf
//                                        that are within, and the distances to all 16
//
// IN: radii (16,), negative for queries without one.
template <typename Metric, typename Visit>
static inline void skx_visit_within_radii(
    const skx_kd_tree_t &queries, int64_t leaf, const skx_kd_tree_t &tree,
    const Metric &metric, const double *radii, Visit &visit) {
    const int64_t d = tree.n_columns, node = skx_node_of_leaf(queries.n_leaves, leaf);
    const double *points = queries.leaf(leaf);
    const double largest = *std::max_element(radii, radii + queries.length(leaf));
    double distances[SKX_LEAF * SKX_LEAF];
    uint32_t hits[SKX_LEAF];
    auto is_far = [&](const skx_kd_node_t &, double gap) { return gap > largest; };
    auto visit_leaf = [&](int64_t other, int64_t other_node) {
        const uint32_t active =
            queries.places(leaf) &
            metric.to_box(
                points, tree.lower + other_node * d, tree.upper + other_node * d, d, radii);
        if (active == 0) return;
        metric.pair(points, tree.leaf(other), d, radii, active, distances, hits);
        for (int q = 0; q < SKX_LEAF; ++q) {
            if (!(active >> q & 1)) continue;
            const uint32_t bits = hits[q] & tree.places(other);
            if (bits) visit(q, other, bits, distances + q * SKX_LEAF);
        }
    };
    skx_walk_leaves(
        tree, metric, queries.lower + node * d, queries.upper + node * d, is_far, visit_leaf);
}

// The same with one radius for all.
template <typename Metric, typename Visit>
static inline void skx_visit_within(
    const skx_kd_tree_t &queries, int64_t leaf, const skx_kd_tree_t &tree,
    const Metric &metric, double radius, Visit &visit) {
    double radii[SKX_LEAF];
    std::fill(radii, radii + SKX_LEAF, radius);
    skx_visit_within_radii(queries, leaf, tree, metric, radii, visit);
}

// Count the points of `tree` within a reduced radius of each point of a leaf. Nodes that
// are within as a whole are not looked into, and queries with `enough` points are done.
// OUT: counts (16,).
template <typename Metric>
static inline void skx_count_of_leaf(
    const skx_kd_tree_t &queries, int64_t leaf, const skx_kd_tree_t &tree,
    const Metric &metric, double radius, int64_t enough, int64_t *counts) {
    const int64_t d = tree.n_columns, node = skx_node_of_leaf(queries.n_leaves, leaf);
    const double *points = queries.leaf(leaf);
    const double *lower = queries.lower + node * d, *upper = queries.upper + node * d;
    double distances[SKX_LEAF * SKX_LEAF], bounds[SKX_LEAF];
    uint32_t hits[SKX_LEAF], open = queries.places(leaf);
    std::fill(bounds, bounds + SKX_LEAF, radius);
    std::fill(counts, counts + SKX_LEAF, 0);
    const auto close = [&](int q) {
        if (counts[q] >= enough) open &= ~(1u << q);
    };
    auto is_far = [&](const skx_kd_node_t &at, double gap) {
        if (gap > radius || open == 0) return true;
        const double reach = metric.reach(
            lower, upper, tree.lower + at.node * d, tree.upper + at.node * d, d);
        if (reach > radius) return false;
        const int64_t n =
            std::min(tree.n - at.first * SKX_LEAF, at.n_leaves * SKX_LEAF);
        for (int q = 0; q < SKX_LEAF; ++q) {
            counts[q] += n;
            close(q);
        }
        return true;
    };
    auto visit = [&](int64_t other, int64_t other_node) {
        const uint32_t active =
            open & metric.to_box(
                       points, tree.lower + other_node * d, tree.upper + other_node * d, d,
                       bounds);
        if (active == 0) return;
        metric.pair(points, tree.leaf(other), d, bounds, active, distances, hits);
        for (int q = 0; q < SKX_LEAF; ++q) {
            if (!(active >> q & 1)) continue;
            counts[q] += skx_count_bits(hits[q] & tree.places(other));
            close(q);
        }
    };
    skx_walk_leaves(tree, metric, lower, upper, is_far, visit);
}

// Whether all was done. OUT: counts (n,) in the order of the queries' tree; exact where
// below `enough`.
template <typename Metric>
static bool skx_count_within(
    const skx_kd_tree_t &queries, const skx_kd_tree_t &tree, const Metric &metric,
    double radius, int64_t enough, int64_t *counts, skx_parallel_t run, int n_threads,
    int (*goes_on)()) {
    const skx_parts_t parts(queries.n_leaves, SKX_LEAVES_A_TASK);
    auto count = [&](int64_t part) {
        int64_t own[SKX_LEAF];
        for (int64_t i = 0; i < parts.length(part); ++i) {
            const int64_t leaf = parts.start(part) + i;
            skx_count_of_leaf(queries, leaf, tree, metric, radius, enough, own);
            std::copy_n(own, queries.length(leaf), counts + leaf * SKX_LEAF);
        }
    };
    return skx_run_tasks_while(run, parts.n_parts, 256, n_threads, count, goes_on);
}
