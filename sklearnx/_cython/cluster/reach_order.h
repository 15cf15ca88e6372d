// The order of OPTICS: next comes the point that is reached most easily from those before,
//
//     reach(j) = min over points i in the order with j within max_eps
//                    max(core distance of i, distance from i to j),
//
// of several the one of the lowest row; points that nothing reaches start anew. (M.
// Ankerst, M. M. Breunig, H.-P. Kriegel and J. Sander, "OPTICS: ordering points to identify
// the clustering structure", SIGMOD 1999, figures 5 to 7.)
//
// Nodes of a k-d tree (kd_tree.h) know the least and the largest reach of their points
// that are still to come: the least at the root is the next point, and a point that cannot
// come nearer to a node than the largest has nothing to tell it.
#pragma once

#include <math.h>

#include <vector>

#include "kd_queries.h"

// As scikit-learn rounds distances (NumPy's around): to so many decimals as a double has
// significant digits.
static inline double skx_round_distance(double distance) {
    return nearbyint(distance * 1e15) / 1e15;
}

static inline double skx_restore(const skx_euclidean_t &, double reduced) {
    return sqrt(reduced);
}
static inline double skx_restore(const skx_manhattan_t &, double reduced) { return reduced; }
static inline double skx_restore(const skx_chebyshev_t &, double reduced) { return reduced; }
static inline double skx_restore(const skx_minkowski_t &metric, double reduced) {
    return pow(reduced, 1.0 / metric.p);
}
static inline double skx_reduce(const skx_euclidean_t &, double distance) {
    return distance * distance;
}
static inline double skx_reduce(const skx_manhattan_t &, double distance) { return distance; }
static inline double skx_reduce(const skx_chebyshev_t &, double distance) { return distance; }
static inline double skx_reduce(const skx_minkowski_t &metric, double distance) {
    return pow(distance, metric.p);
}

// ------------------------------------------------------------------- core distances
//
// The k-th least distances of the queries of a leaf are at the top of heaps.
template <typename Metric>
static inline void skx_find_kth_of_leaf(
    const skx_kd_tree_t &tree, int64_t leaf, const Metric &metric, int64_t k,
    std::vector<double> *heaps, double *out) {
    const int64_t d = tree.n_columns, node = skx_node_of_leaf(tree.n_leaves, leaf);
    const double *points = tree.leaf(leaf);
    const uint32_t all = tree.places(leaf);
    double distances[SKX_LEAF * SKX_LEAF], bounds[SKX_LEAF], bound = INFINITY;
    uint32_t hits[SKX_LEAF];
    bool is_full = false;
    std::fill(bounds, bounds + SKX_LEAF, INFINITY);
    for (int q = 0; q < SKX_LEAF; ++q) heaps[q].clear();
    auto is_far = [&](const skx_kd_node_t &, double gap) { return is_full && gap >= bound; };
    auto visit = [&](int64_t other, int64_t other_node) {
        const uint32_t active =
            all & metric.to_box(
                      points, tree.lower + other_node * d, tree.upper + other_node * d, d,
                      bounds);
        if (active == 0) return;
        metric.pair(points, tree.leaf(other), d, bounds, active, distances, hits);
        is_full = true;
        bound = 0.0;
        for (int q = 0; q < tree.length(leaf); ++q) {
            std::vector<double> &heap = heaps[q];
            uint32_t bits = active >> q & 1 ? hits[q] & tree.places(other) : 0;
            for (; bits; bits &= bits - 1) {
                const double distance = distances[q * SKX_LEAF + skx_lowest_bit(bits)];
                if ((int64_t)heap.size() == k) {
                    if (!(distance < heap[0])) continue;
                    std::pop_heap(heap.begin(), heap.end());
                    heap.back() = distance;
                } else {
                    heap.push_back(distance);
                }
                std::push_heap(heap.begin(), heap.end());
            }
            if ((int64_t)heap.size() == k) {
                bounds[q] = heap[0];
            } else {
                is_full = false;
            }
            bound = std::max(bound, bounds[q]);
        }
    };
    skx_walk_leaves(
        tree, metric, tree.lower + node * d, tree.upper + node * d, is_far, visit);
    for (int q = 0; q < tree.length(leaf); ++q) {
        out[leaf * SKX_LEAF + q] = heaps[q][0];
    }
}

// The k-th least distance of each point, itself among them; k is at most their number.
// OUT: out (n,), reduced, in the order of the tree. False if interrupted.
template <typename Metric>
static bool skx_find_kth_distances(
    const skx_kd_tree_t &tree, const Metric &metric, int64_t k, double *out,
    skx_parallel_t run, int n_threads, int (*goes_on)()) {
    const skx_parts_t parts(tree.n_leaves, SKX_LEAVES_A_TASK);
    auto find = [&](int64_t part) {
        std::vector<double> heaps[SKX_LEAF];
        for (int64_t i = 0; i < parts.length(part); ++i) {
            skx_find_kth_of_leaf(tree, parts.start(part) + i, metric, k, heaps, out);
        }
    };
    return skx_run_tasks_while(run, parts.n_parts, 32, n_threads, find, goes_on);
}

// ----------------------------------------------------------------------------- order

// What is still to come below a node.
struct skx_reach_t {
    double least, largest;  // inf and -1 where nothing is
    int32_t row;            // the lowest of those with the least reach, INT32_MAX for none
};

template <typename Metric>
struct skx_reach_order_t {
    const skx_kd_tree_t &tree;
    const Metric &metric;
    double radius;             // reduced
    const double *core;        // (n,), of the rows
    double *reach;             // (n,), of the rows
    int64_t *predecessor;      // (n,), of the rows
    std::vector<double> reaches;   // (n_leaves, 16), -1 where a point has come
    std::vector<double> limits;    // reduced distances from which nothing is reached
    std::vector<skx_reach_t> nodes;
    std::vector<int32_t> positions;  // of the rows

    // Of the point that comes now.
    const double *leaf;
    int place;
    int32_t row;
    double core_distance;

    skx_reach_order_t(
        const skx_kd_tree_t &tree, const Metric &metric, double radius, const double *core,
        double *reach, int64_t *predecessor)
        : tree(tree),
          metric(metric),
          radius(radius),
          core(core),
          reach(reach),
          predecessor(predecessor),
          reaches(tree.n_leaves * SKX_LEAF, -1.0),
          limits(tree.n_leaves * SKX_LEAF, -1.0),
          nodes(2 * tree.n_leaves - 1),
          positions(tree.n) {
        for (int64_t i = 0; i < tree.n; ++i) {
            positions[tree.rows[i]] = (int32_t)i;
            reaches[i] = limits[i] = INFINITY;
        }
        std::fill(reach, reach + tree.n, INFINITY);
        std::fill(predecessor, predecessor + tree.n, -1);
        start({0, 0, tree.n_leaves});
    }

    // Takes the next point out and tells the others of it. Returns its row.
    int32_t take() {
        row = nodes[0].row;
        const int64_t position = positions[row];
        reaches[position] = limits[position] = -1.0;
        follow({0, 0, tree.n_leaves}, position / SKX_LEAF);
        core_distance = core[row];
        if (core_distance < INFINITY) {
            place = (int)(position % SKX_LEAF);
            leaf = tree.leaf(position / SKX_LEAF);
            relax({0, 0, tree.n_leaves});
        }
        return row;
    }

  private:
    void start(const skx_kd_node_t &at) {
        if (at.is_leaf()) {
            sum_leaf(at);
            return;
        }
        start(at.left());
        start(at.right());
        join(at);
    }

    void follow(const skx_kd_node_t &at, int64_t to) {
        if (at.is_leaf()) {
            sum_leaf(at);
            return;
        }
        const skx_kd_node_t left = at.left();
        follow(to < left.first + left.n_leaves ? left : at.right(), to);
        join(at);
    }

    void sum_leaf(const skx_kd_node_t &at) {
        skx_reach_t sum = {INFINITY, -1.0, INT32_MAX};
        for (int64_t i = at.first * SKX_LEAF; i < at.first * SKX_LEAF + tree.length(at.first);
             ++i) {
            if (reaches[i] < 0.0) continue;
            sum.largest = std::max(sum.largest, reaches[i]);
            if (reaches[i] < sum.least || (reaches[i] == sum.least && tree.rows[i] < sum.row)) {
                sum.least = reaches[i];
                sum.row = tree.rows[i];
            }
        }
        nodes[at.node] = sum;
    }

    void join(const skx_kd_node_t &at) {
        const skx_reach_t &a = nodes[at.left().node], &b = nodes[at.right().node];
        const bool a_first = a.least < b.least || (a.least == b.least && a.row < b.row);
        skx_reach_t &sum = nodes[at.node];
        sum = a_first ? a : b;
        sum.largest = std::max(a.largest, b.largest);
    }

    // Rounding is monotonic, so that no point of the node is nearer than its box.
    bool is_idle(const skx_kd_node_t &at) const {
        const double largest = nodes[at.node].largest;
        if (core_distance >= largest) return true;
        const int64_t d = tree.n_columns;
        double gap = 0.0;
        for (int64_t j = 0; j < d; ++j) {
            const double value = leaf[j * SKX_LEAF + place];
            const double below = tree.lower[at.node * d + j] - value;
            const double above = value - tree.upper[at.node * d + j];
            gap = metric.add(gap, std::max(std::max(below, above), 0.0));
        }
        return gap > radius || skx_round_distance(skx_restore(metric, gap)) >= largest;
    }

    // Whether any reach has changed.
    bool relax(const skx_kd_node_t &at) {
        if (is_idle(at)) return false;
        if (at.is_leaf()) {
            if (!relax_leaf(at.first)) return false;
            sum_leaf(at);
            return true;
        }
        const bool left = relax(at.left()), right = relax(at.right());
        if (!left && !right) return false;
        join(at);
        return true;
    }

    bool relax_leaf(int64_t other) {
        double distances[SKX_LEAF * SKX_LEAF], bounds[SKX_LEAF];
        uint32_t hits[SKX_LEAF];
        bounds[place] = radius;
        metric.pair(
            leaf, tree.leaf(other), tree.n_columns, bounds, 1u << place, distances, hits);
        const double *own = distances + place * SKX_LEAF;
        const double *limit = limits.data() + other * SKX_LEAF;
        uint32_t bits = 0;
        for (int i = 0; i < SKX_LEAF; ++i) bits |= (uint32_t)(own[i] < limit[i]) << i;
        bits &= hits[place] & tree.places(other);
        bool has_changed = false;
        for (; bits; bits &= bits - 1) {
            const int i = skx_lowest_bit(bits);
            const int64_t position = other * SKX_LEAF + i;
            const double distance = skx_round_distance(
                std::max(skx_restore(metric, own[i]), core_distance));
            if (!(distance < reaches[position])) continue;
            reaches[position] = distance;
            limits[position] = limit_of(distance);
            reach[tree.rows[position]] = distance;
            predecessor[tree.rows[position]] = row;
            has_changed = true;
        }
        return has_changed;
    }

    // Larger than that of the reach by more than any rounding.
    double limit_of(double distance) const {
        return skx_reduce(metric, distance * (1.0 + 0x1p-40) + 1e-14) * (1.0 + 0x1p-40);
    }
};

// IN: core (n,), rounded, inf where above max_eps. OUT: ordering, reach, predecessor (n,).
// All of the rows of the table. False if interrupted.
template <typename Metric>
static bool skx_order_points(
    const skx_kd_tree_t &tree, const Metric &metric, double radius, const double *core,
    int64_t *ordering, double *reach, int64_t *predecessor, int (*goes_on)()) {
    skx_reach_order_t<Metric> order(tree, metric, radius, core, reach, predecessor);
    const int64_t n_between = std::max<int64_t>(1, (1 << 26) / (tree.n * tree.n_columns));
    for (int64_t i = 0; i < tree.n; ++i) {
        if (i % n_between == 0 && !goes_on()) return false;
        ordering[i] = order.take();
    }
    return true;
}
