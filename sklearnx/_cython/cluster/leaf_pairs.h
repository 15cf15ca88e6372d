// Which points of two leaves of a k-d tree (kd_tree.h) are within a radius, in two ways that
// give the same bits: by distances as they are defined, or, in many columns and for the
// Euclidean, by products,
//
//     ||x - y||^2 = ||x||^2 + ||y||^2 - 2 x'y
//
// of which those that rounding could put on either side of the radius are measured again.
#pragma once

#include <vector>

#include "kd_queries.h"
#include "panels.h"

// From so many columns on, and for so many queries at least, products take less time.
enum { SKX_MIN_PRODUCT_COLUMNS = 16, SKX_MIN_PRODUCT_QUERIES = 5 };

template <typename Metric>
struct skx_direct_pairs_t {
    const skx_kd_tree_t &tree;
    Metric metric;
    double radius;  // reduced

    // For each query of a leaf whose bit is set, the bits of points of another within the
    // radius. `gap` is between the boxes. Returns the bits of queries that may have any.
    uint32_t find_hits(
        int64_t leaf, int64_t other, int64_t other_node, double gap, uint32_t active,
        uint32_t *hits) const {
        const int64_t d = tree.n_columns;
        double distances[SKX_LEAF * SKX_LEAF], bounds[SKX_LEAF];
        std::fill(bounds, bounds + SKX_LEAF, radius);
        if (gap > 0.0) {
            active &= metric.to_box(
                tree.leaf(leaf), tree.lower + other_node * d, tree.upper + other_node * d, d,
                bounds);
        }
        if (active == 0) return 0;
        metric.pair(tree.leaf(leaf), tree.leaf(other), d, bounds, active, distances, hits);
        for (int q = 0; q < SKX_LEAF; ++q) hits[q] &= tree.places(other);
        return active;
    }
};

// Bits of the points that are within the radius for sure, and of those that may be.
SKX_CLONES static void skx_compare_products(
    const double *products, double norm, const double *norms, double slack, double radius,
    uint32_t *sure, uint32_t *possible) {
    static const int64_t BITS[SKX_LEAF] = {
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    int64_t within = 0, beyond = 0;
    for (int i = 0; i < SKX_LEAF; ++i) {
        const double sum = norm + norms[i], error = slack * sum;
        const double distance = sum - 2.0 * products[i];
        within |= distance + error <= radius ? BITS[i] : 0;
        beyond |= distance - error > radius ? BITS[i] : 0;
    }
    *sure = (uint32_t)within;
    *possible = ~(uint32_t)beyond;
}

struct skx_product_pairs_t {
    const skx_kd_tree_t &tree;
    skx_euclidean_t metric;
    double radius;
    skx_direct_pairs_t<skx_euclidean_t> direct;
    double slack;                // of errors, relative to the sum of the squared norms
    std::vector<double> panels;  // (n_leaves, 2, n_columns, 8), centred
    std::vector<double> norms;   // (n_leaves, 16), squared

    skx_product_pairs_t(
        const skx_kd_tree_t &tree, double radius, skx_parallel_t run, int n_threads)
        : tree(tree),
          metric{2.0},
          radius(radius),
          direct{tree, {2.0}, radius},
          // Eight times what the products, the norms, the differences from the centre and
          // the sum of squares that decides may be off, n_columns roundings each.
          slack((double)(tree.n_columns + 8) * 0x1p-50),
          panels(tree.n_leaves * tree.n_columns * SKX_LEAF),
          norms(tree.n_leaves * SKX_LEAF) {
        const int64_t d = tree.n_columns;
        std::vector<double> centre(d);
        for (int64_t i = 0; i < tree.n; ++i) {
            for (int64_t j = 0; j < d; ++j) centre[j] += tree.at(i, j) / (double)tree.n;
        }
        const skx_parts_t parts(tree.n_leaves, SKX_LEAVES_A_TASK);
        auto pack = [&](int64_t part) {
            for (int64_t i = 0; i < parts.length(part); ++i) {
                pack_leaf(parts.start(part) + i, centre.data());
            }
        };
        skx_run_tasks(run, parts.n_parts, n_threads, pack);
    }

    uint32_t find_hits(
        int64_t leaf, int64_t other, int64_t other_node, double gap, uint32_t active,
        uint32_t *hits) const {
        const int64_t d = tree.n_columns, half = d * PANEL_WIDTH;
        if (gap > 0.5 * radius) {  // else few queries would be far from the box
            double bounds[SKX_LEAF];
            std::fill(bounds, bounds + SKX_LEAF, radius);
            active &= metric.to_box(
                tree.leaf(leaf), tree.lower + other_node * d, tree.upper + other_node * d, d,
                bounds);
        }
        if (skx_count_bits(active) < SKX_MIN_PRODUCT_QUERIES) {
            return direct.find_hits(leaf, other, other_node, 0.0, active, hits);
        }
        double products[SKX_LEAF * SKX_LEAF] = {0};
        for (int side = 0; side < 2; ++side) {
            if (!(active >> side * PANEL_WIDTH & 0xff)) continue;
            skx_add_panel_products(
                panels.data() + other * 2 * half, half, 2,
                panels.data() + (leaf * 2 + side) * half, PANEL_WIDTH, 1, (int)d,
                products + side * PANEL_WIDTH * SKX_LEAF, SKX_LEAF);
        }
        for (int q = 0; q < SKX_LEAF; ++q) {
            if (!(active >> q & 1)) continue;
            uint32_t sure, possible;
            skx_compare_products(
                products + q * SKX_LEAF, norms[leaf * SKX_LEAF + q],
                norms.data() + other * SKX_LEAF, slack, radius, &sure, &possible);
            for (uint32_t bits = possible & ~sure & tree.places(other); bits;
                 bits &= bits - 1) {
                const int i = skx_lowest_bit(bits);
                if (measure(leaf, q, other, i) <= radius) sure |= 1u << i;
            }
            hits[q] = sure & tree.places(other);
        }
        return active;
    }

  private:
    void pack_leaf(int64_t leaf, const double *centre) {
        const int64_t d = tree.n_columns;
        double *of_leaf = panels.data() + leaf * d * SKX_LEAF;
        for (int i = 0; i < tree.length(leaf); ++i) {
            double *panel = of_leaf + i / PANEL_WIDTH * d * PANEL_WIDTH + i % PANEL_WIDTH;
            double norm = 0.0;
            for (int64_t j = 0; j < d; ++j) {
                const double value = tree.leaf(leaf)[j * SKX_LEAF + i] - centre[j];
                panel[j * PANEL_WIDTH] = value;
                norm += value * value;
            }
            norms[leaf * SKX_LEAF + i] = norm;
        }
    }

    double measure(int64_t leaf, int q, int64_t other, int i) const {
        const double *a = tree.leaf(leaf) + q, *b = tree.leaf(other) + i;
        double sum = 0.0;
        for (int64_t j = 0; j < tree.n_columns; ++j) {
            sum = metric.add(sum, b[j * SKX_LEAF] - a[j * SKX_LEAF]);
        }
        return sum;
    }
};
