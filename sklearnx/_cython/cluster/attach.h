// The point of a k-d tree that a new point would be joined to by single linkage.
//
//     w(q, b) = max(core(q), core(b), d(q, b))
//
// the least by w, then d, then row. A point that a query is equal to goes before all.

#pragma once

#include "kd_queries.h"

// The least core distance of the points of each node.
static void skx_find_node_cores(
    const skx_kd_tree_t &tree, const skx_kd_node_t &at, const double *core, double *out) {
    if (at.is_leaf()) {
        const double *own = core + at.first * SKX_LEAF;
        out[at.node] = *std::min_element(own, own + tree.length(at.first));
        return;
    }
    skx_find_node_cores(tree, at.left(), core, out);
    skx_find_node_cores(tree, at.right(), core, out);
    out[at.node] = std::min(out[at.left().node], out[at.right().node]);
}

template <typename Metric>
struct skx_attacher_t {
    const skx_kd_tree_t &queries, &tree;
    const Metric &metric;
    const double *core, *query_core, *node_core;  // reduced; of points of the trees, nodes

    // OUT: nearest, weights and lengths (16,), positions and reduced.
    void attach_leaf(
        int64_t leaf, int32_t *nearest, double *weights, double *lengths) const {
        const int64_t d = tree.n_columns, node = skx_node_of_leaf(queries.n_leaves, leaf);
        const double *points = queries.leaf(leaf), *own_core = query_core + leaf * SKX_LEAF;
        const int n = queries.length(leaf);
        const double inf = std::numeric_limits<double>::infinity();
        std::fill(nearest, nearest + SKX_LEAF, -1);
        std::fill(weights, weights + SKX_LEAF, inf);
        std::fill(lengths, lengths + SKX_LEAF, inf);
        double distances[SKX_LEAF * SKX_LEAF], radius = inf, weight = inf;
        uint32_t hits[SKX_LEAF];
        auto is_far = [&](const skx_kd_node_t &at, double gap) {
            // A point at distance 0 is looked for whatever its core distance.
            return gap > radius || (node_core[at.node] > weight && gap > 0.0);
        };
        auto visit = [&](int64_t other, int64_t other_node) {
            const uint32_t active =
                queries.places(leaf) &
                metric.to_box(
                    points, tree.lower + other_node * d, tree.upper + other_node * d, d,
                    weights);
            if (active == 0) return;
            metric.pair(points, tree.leaf(other), d, weights, active, distances, hits);
            for (int q = 0; q < n; ++q) {
                if (!(active >> q & 1)) continue;
                for (uint32_t bits = hits[q] & tree.places(other); bits; bits &= bits - 1) {
                    const int i = skx_lowest_bit(bits);
                    const int32_t p = (int32_t)(other * SKX_LEAF + i);
                    const double length = distances[q * SKX_LEAF + i];
                    const double w = std::max({own_core[q], core[p], length});
                    if (is_before(q, p, w, length, nearest, weights, lengths)) {
                        nearest[q] = p;
                        weights[q] = w;
                        lengths[q] = length;
                    }
                }
            }
            radius = weight = *std::max_element(weights, weights + n);
        };
        skx_walk_leaves(
            tree, metric, queries.lower + node * d, queries.upper + node * d, is_far, visit);
    }

    bool is_before(
        int q, int32_t p, double weight, double length, const int32_t *nearest,
        const double *weights, const double *lengths) const {
        if (nearest[q] < 0) return true;
        if ((length == 0.0) != (lengths[q] == 0.0)) return length == 0.0;
        if (weight != weights[q]) return weight < weights[q];
        if (length != lengths[q]) return length < lengths[q];
        return tree.rows[p] < tree.rows[nearest[q]];
    }
};

// Whether all was done. OUT: (n_queries,), in the order of the queries' tree.
template <typename Metric>
static bool skx_attach(
    const skx_kd_tree_t &queries, const skx_kd_tree_t &tree, const Metric &metric,
    const double *core, const double *query_core, int32_t *nearest, double *weights,
    double *lengths, skx_parallel_t run, int n_threads, int (*goes_on)()) {
    std::vector<double> node_core(2 * tree.n_leaves - 1);
    skx_find_node_cores(tree, {0, 0, tree.n_leaves}, core, node_core.data());
    const skx_attacher_t<Metric> attacher = {
        queries, tree, metric, core, query_core, node_core.data()};
    const skx_parts_t parts(queries.n_leaves, SKX_LEAVES_A_TASK);
    auto attach = [&](int64_t part) {
        for (int64_t i = 0; i < parts.length(part); ++i) {
            const int64_t leaf = parts.start(part) + i, first = leaf * SKX_LEAF;
            int32_t own[SKX_LEAF];
            double own_weights[SKX_LEAF], own_lengths[SKX_LEAF];
            attacher.attach_leaf(leaf, own, own_weights, own_lengths);
            std::copy_n(own, queries.length(leaf), nearest + first);
            std::copy_n(own_weights, queries.length(leaf), weights + first);
            std::copy_n(own_lengths, queries.length(leaf), lengths + first);
        }
    };
    return skx_run_tasks_while(run, parts.n_parts, 256, n_threads, attach, goes_on);
}
