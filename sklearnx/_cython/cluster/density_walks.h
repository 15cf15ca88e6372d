// The stages of DBSCAN over a k-d tree (kd_tree.h), for any number of columns:
//
//     find core points -> unite core points within the radius -> number the clusters
//     -> give border points to the lowest cluster with a core point within the radius
//
// No stage keeps a neighbourhood. Core points of leaves next to each other are united
// first; nodes whose core points are all of one set by then are not looked into by others
// of that set, so that what remains are the borders between sets (as Boruvka's algorithm
// does on trees: W. B. March, P. Ram and A. G. Gray, "Fast Euclidean minimum spanning
// tree", KDD 2010).
#pragma once

#include <type_traits>
#include <vector>

#include "atomic_sets.h"
#include "double_sum.h"
#include "leaf_pairs.h"

enum { SKX_N_FIRST_LEAVES = 4, SKX_NO_CORES = -1, SKX_MIXED = -2 };

// Walk from a leaf to those with points within the radius:
//
//     is_far(node)             whether a node has nothing to tell
//     visit(leaf, node, gap)   gap is between the boxes
template <typename Pairs, typename IsFar, typename Visit>
static inline void skx_walk_within(
    const Pairs &pairs, int64_t node, IsFar &is_far, Visit &visit) {
    const skx_kd_tree_t &tree = pairs.tree;
    const int64_t d = tree.n_columns;
    double last_gap = 0.0;
    auto is_out = [&](const skx_kd_node_t &at, double gap) {
        last_gap = gap;
        return gap > pairs.radius || is_far(at);
    };
    auto visit_leaf = [&](int64_t other, int64_t other_node) {
        visit(other, other_node, last_gap);
    };
    skx_walk_leaves(
        tree, pairs.metric, tree.lower + node * d, tree.upper + node * d, is_out, visit_leaf);
}

// Whether the points of a leaf have min_samples neighbours. OUT: is_core, of the rows.
template <typename Pairs>
static inline void skx_count_neighbors(
    const Pairs &pairs, int64_t leaf, double min_samples, uint8_t *is_core) {
    const skx_kd_tree_t &tree = pairs.tree;
    const int64_t d = tree.n_columns, node = skx_node_of_leaf(tree.n_leaves, leaf);
    int64_t counts[SKX_LEAF] = {0};
    uint32_t hits[SKX_LEAF], open = tree.places(leaf);
    const auto add = [&](int q, int64_t count) {
        counts[q] += count;
        if ((double)counts[q] >= min_samples) open &= ~(1u << q);
    };
    auto is_far = [&](const skx_kd_node_t &at) {
        if (open == 0) return true;
        const double reach = pairs.metric.reach(
            tree.lower + node * d, tree.upper + node * d, tree.lower + at.node * d,
            tree.upper + at.node * d, d);
        if (reach > pairs.radius) return false;
        const int64_t n = std::min(tree.n - at.first * SKX_LEAF, at.n_leaves * SKX_LEAF);
        for (int q = 0; q < SKX_LEAF; ++q) {
            if (open >> q & 1) add(q, n);
        }
        return true;
    };
    auto visit = [&](int64_t other, int64_t other_node, double gap) {
        const uint32_t active = pairs.find_hits(leaf, other, other_node, gap, open, hits);
        for (int q = 0; q < SKX_LEAF; ++q) {
            if (active >> q & 1) add(q, skx_count_bits(hits[q]));
        }
    };
    skx_walk_within(pairs, node, is_far, visit);
    for (int q = 0; q < tree.length(leaf); ++q) {
        is_core[tree.rows[leaf * SKX_LEAF + q]] = !(open >> q & 1);
    }
}

// The same where rows have weights.
template <typename Pairs>
static inline void skx_sum_neighbors(
    const Pairs &pairs, int64_t leaf, double min_samples, const double *weights,
    uint8_t *is_core) {
    const skx_kd_tree_t &tree = pairs.tree;
    skx_double_sum_t sums[SKX_LEAF];
    uint32_t hits[SKX_LEAF];
    auto is_far = [](const skx_kd_node_t &) { return false; };
    auto visit = [&](int64_t other, int64_t other_node, double gap) {
        const uint32_t active =
            pairs.find_hits(leaf, other, other_node, gap, tree.places(leaf), hits);
        for (int q = 0; q < SKX_LEAF; ++q) {
            for (uint32_t bits = active >> q & 1 ? hits[q] : 0; bits; bits &= bits - 1) {
                sums[q].add(weights[tree.rows[other * SKX_LEAF + skx_lowest_bit(bits)]]);
            }
        }
    };
    skx_walk_within(pairs, skx_node_of_leaf(tree.n_leaves, leaf), is_far, visit);
    for (int q = 0; q < tree.length(leaf); ++q) {
        is_core[tree.rows[leaf * SKX_LEAF + q]] = sums[q].high >= min_samples;
    }
}

// Clusters of core points while they grow.
struct skx_growing_t {
    const skx_kd_tree_t &tree;
    skx_atomic_sets_t sets;           // of positions
    std::vector<uint32_t> core_bits;  // of the places of each leaf
    // Of each node a position of the one set that its core points are in, SKX_NO_CORES or
    // SKX_MIXED.
    std::vector<int32_t> members;

    skx_growing_t(const skx_kd_tree_t &tree, const uint8_t *is_core)
        : tree(tree),
          sets(tree.n),
          core_bits(tree.n_leaves),
          members(2 * tree.n_leaves - 1, SKX_MIXED) {
        for (int64_t i = 0; i < tree.n; ++i) {
            if (is_core[tree.rows[i]]) core_bits[i / SKX_LEAF] |= 1u << (i % SKX_LEAF);
        }
    }

    int32_t set_members(const skx_kd_node_t &at) {
        int32_t member;
        if (at.is_leaf()) {
            member = SKX_NO_CORES;
            for (uint32_t bits = core_bits[at.first]; bits; bits &= bits - 1) {
                const int32_t i =
                    (int32_t)(at.first * SKX_LEAF + skx_lowest_bit(bits));
                member = join(member, i);
            }
        } else {
            const int32_t left = set_members(at.left());
            member = join(left, set_members(at.right()));
        }
        members[at.node] = member;
        return member;
    }

    bool is_same(int32_t member, int32_t other) {
        return member >= 0 && other >= 0 && sets.find(member) == sets.find(other);
    }

  private:
    int32_t join(int32_t member, int32_t other) {
        if (member == SKX_NO_CORES || member == other) return other;
        if (other == SKX_NO_CORES || is_same(member, other)) return member;
        return SKX_MIXED;
    }
};

// Unite the core points of a leaf with those within the radius in leaves up to its own;
// of the nearest `n_leaves` leaves only.
template <typename Pairs>
static inline void skx_unite_leaf(
    skx_growing_t &growing, const Pairs &pairs, int64_t leaf, int64_t n_leaves) {
    const int64_t node = skx_node_of_leaf(growing.tree.n_leaves, leaf);
    const int32_t own = growing.members[node];
    uint32_t hits[SKX_LEAF];
    auto is_far = [&](const skx_kd_node_t &at) {
        if (at.first > leaf || n_leaves <= 0) return true;
        const int32_t member = growing.members[at.node];
        return member == SKX_NO_CORES || growing.is_same(own, member);
    };
    auto visit = [&](int64_t other, int64_t other_node, double gap) {
        --n_leaves;
        const uint32_t cores = growing.core_bits[other];
        if (cores == 0) return;
        const uint32_t active =
            pairs.find_hits(leaf, other, other_node, gap, growing.core_bits[leaf], hits);
        const bool is_one = growing.members[other_node] >= 0;
        for (int q = 0; q < SKX_LEAF; ++q) {
            uint32_t bits = active >> q & 1 ? hits[q] & cores : 0;
            if (bits == 0) continue;
            for (; bits; bits &= bits - 1) {
                growing.sets.unite(
                    (int32_t)(leaf * SKX_LEAF + q),
                    (int32_t)(other * SKX_LEAF + skx_lowest_bit(bits)));
                if (is_one) break;
            }
            if (is_one && own >= 0) break;
        }
    };
    skx_walk_within(pairs, node, is_far, visit);
}

// Find the lowest cluster with a core point within the radius of each border point of a
// leaf. IN: label_of (n,), of the roots of the sets. OUT: labels, of the rows.
template <typename Pairs>
static inline void skx_label_border(
    skx_growing_t &growing, const Pairs &pairs, int64_t leaf, const int32_t *label_of,
    int64_t *labels) {
    const skx_kd_tree_t &tree = growing.tree;
    const uint32_t open = tree.places(leaf) & ~growing.core_bits[leaf];
    uint32_t hits[SKX_LEAF];
    int32_t best[SKX_LEAF], highest = INT32_MAX;
    std::fill(best, best + SKX_LEAF, INT32_MAX);
    auto is_far = [&](const skx_kd_node_t &at) {
        const int32_t member = growing.members[at.node];
        return member == SKX_NO_CORES ||
               (member >= 0 && label_of[growing.sets.find(member)] >= highest);
    };
    auto visit = [&](int64_t other, int64_t other_node, double gap) {
        const uint32_t active = pairs.find_hits(leaf, other, other_node, gap, open, hits);
        highest = -1;
        for (int q = 0; q < SKX_LEAF; ++q) {
            if (!(open >> q & 1)) continue;
            uint32_t bits = active >> q & 1 ? hits[q] & growing.core_bits[other] : 0;
            for (; bits; bits &= bits - 1) {
                const int32_t i = (int32_t)(other * SKX_LEAF + skx_lowest_bit(bits));
                best[q] = std::min(best[q], label_of[growing.sets.find(i)]);
            }
            highest = std::max(highest, best[q]);
        }
    };
    skx_walk_within(pairs, skx_node_of_leaf(tree.n_leaves, leaf), is_far, visit);
    for (int q = 0; q < tree.length(leaf); ++q) {
        if (!(open >> q & 1)) continue;
        labels[tree.rows[leaf * SKX_LEAF + q]] = best[q] == INT32_MAX ? -1 : best[q];
    }
}

// All stages. IN: weights (n,) or NULL. OUT: is_core, labels (n,). All of the rows. False
// if interrupted.
template <typename Pairs>
static bool skx_cluster_leaves(
    const Pairs &pairs, double min_samples, const double *weights, uint8_t *is_core,
    int64_t *labels, skx_parallel_t run, int n_threads, int (*goes_on)()) {
    const skx_kd_tree_t &tree = pairs.tree;
    const skx_parts_t parts(tree.n_leaves, SKX_LEAVES_A_TASK);
    const auto run_leaves = [&](auto &function) {
        auto task = [&](int64_t part) {
            for (int64_t i = 0; i < parts.length(part); ++i) function(parts.start(part) + i);
        };
        return skx_run_tasks_while(run, parts.n_parts, 64, n_threads, task, goes_on);
    };
    auto find_cores = [&](int64_t leaf) {
        if (weights) {
            skx_sum_neighbors(pairs, leaf, min_samples, weights, is_core);
        } else {
            skx_count_neighbors(pairs, leaf, min_samples, is_core);
        }
    };
    if (!run_leaves(find_cores)) return false;

    skx_growing_t growing(tree, is_core);
    for (int64_t n_leaves : {(int64_t)SKX_N_FIRST_LEAVES, tree.n_leaves}) {
        auto unite = [&](int64_t leaf) {
            if (growing.core_bits[leaf]) skx_unite_leaf(growing, pairs, leaf, n_leaves);
        };
        if (!run_leaves(unite)) return false;
        growing.set_members({0, 0, tree.n_leaves});
    }

    // Clusters are numbered by their lowest core row.
    std::vector<int32_t> positions(tree.n), label_of(tree.n, -1);
    for (int64_t i = 0; i < tree.n; ++i) positions[tree.rows[i]] = (int32_t)i;
    int32_t n_clusters = 0;
    for (int64_t row = 0; row < tree.n; ++row) {
        labels[row] = -1;
        if (!is_core[row]) continue;
        const int32_t root = growing.sets.find(positions[row]);
        if (label_of[root] < 0) label_of[root] = n_clusters++;
        labels[row] = label_of[root];
    }
    auto label = [&](int64_t leaf) {
        if (tree.places(leaf) & ~growing.core_bits[leaf]) {
            skx_label_border(growing, pairs, leaf, label_of.data(), labels);
        }
    };
    return run_leaves(label);
}

// The same by the pairs that suit the metric and the number of columns.
template <typename Metric>
static bool skx_cluster_by(
    const skx_kd_tree_t &tree, const Metric &metric, double radius, double min_samples,
    const double *weights, uint8_t *is_core, int64_t *labels, skx_parallel_t run,
    int n_threads, int (*goes_on)()) {
    if (std::is_same<Metric, skx_euclidean_t>::value &&
        tree.n_columns >= SKX_MIN_PRODUCT_COLUMNS) {
        const skx_product_pairs_t pairs(tree, radius, run, n_threads);
        return skx_cluster_leaves(
            pairs, min_samples, weights, is_core, labels, run, n_threads, goes_on);
    }
    const skx_direct_pairs_t<Metric> pairs = {tree, metric, radius};
    return skx_cluster_leaves(
        pairs, min_samples, weights, is_core, labels, run, n_threads, goes_on);
}

// Find for each query the nearest point of a tree within the radius; of those at the same
// distance that of the lowest row. OUT: nearest (n_queries,), rows of the tree's table or
// -1, in the order of the queries' rows. False if interrupted.
template <typename Metric>
static bool skx_find_nearest_within(
    const skx_kd_tree_t &queries, const skx_kd_tree_t &tree, const Metric &metric,
    double radius, int64_t *nearest, skx_parallel_t run, int n_threads, int (*goes_on)()) {
    const skx_parts_t parts(queries.n_leaves, SKX_LEAVES_A_TASK);
    const int64_t d = tree.n_columns;
    const auto find_of_leaf = [&](int64_t leaf) {
        const int64_t node = skx_node_of_leaf(queries.n_leaves, leaf);
        const double *points = queries.leaf(leaf);
        const uint32_t open = queries.places(leaf);
        double distances[SKX_LEAF * SKX_LEAF], bounds[SKX_LEAF], bound = radius;
        uint32_t hits[SKX_LEAF];
        int32_t best[SKX_LEAF];
        std::fill(bounds, bounds + SKX_LEAF, radius);
        std::fill(best, best + SKX_LEAF, -1);
        auto is_far = [&](const skx_kd_node_t &, double gap) { return gap > bound; };
        auto visit = [&](int64_t other, int64_t other_node) {
            const uint32_t active =
                open & metric.to_box(
                           points, tree.lower + other_node * d, tree.upper + other_node * d,
                           d, bounds);
            if (active == 0) return;
            metric.pair(points, tree.leaf(other), d, bounds, active, distances, hits);
            bound = 0.0;
            for (int q = 0; q < queries.length(leaf); ++q) {
                uint32_t bits = active >> q & 1 ? hits[q] & tree.places(other) : 0;
                for (; bits; bits &= bits - 1) {
                    const int i = skx_lowest_bit(bits);
                    const double distance = distances[q * SKX_LEAF + i];
                    const int32_t row = tree.rows[other * SKX_LEAF + i];
                    if (best[q] < 0 || distance < bounds[q] ||
                        (distance == bounds[q] && row < best[q])) {
                        bounds[q] = distance;
                        best[q] = row;
                    }
                }
                bound = std::max(bound, bounds[q]);
            }
        };
        skx_walk_leaves(
            tree, metric, queries.lower + node * d, queries.upper + node * d, is_far, visit);
        for (int q = 0; q < queries.length(leaf); ++q) {
            nearest[queries.rows[leaf * SKX_LEAF + q]] = best[q];
        }
    };
    auto find = [&](int64_t part) {
        for (int64_t i = 0; i < parts.length(part); ++i) find_of_leaf(parts.start(part) + i);
    };
    return skx_run_tasks_while(run, parts.n_parts, 64, n_threads, find, goes_on);
}
