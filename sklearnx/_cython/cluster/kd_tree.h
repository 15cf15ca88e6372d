// A k-d tree over points: its arrays, distances in blocks, and walks.
//
// Points are sorted by recursive halving (Bentley, "Multidimensional binary search trees
// used for associative searching", CACM 1975; halves by the median of the widest side as
// by Friedman, Bentley and Finkel, TOMS 1977) into leaves of 16, all full but the last.
// Position p of this order is place p % 16 of leaf p / 16, whose coordinates lie side by
// side, a column a cache line or two, so that one query meets 16 points at a time:
//
//     points[(leaf * n_columns + j) * 16 + place]        the last leaf padded with inf
//
// Nodes stand in preorder, each with half of its leaves (rounded up) to the left, so that
// they need no pointers, only their number, first leaf and number of leaves:
//
//                 0: leaves 0..4
//          1: 0..2               6: 3..4            left  = node + 1
//       2: 0..1     5: 2        7: 3   8: 4         right = node + 2 * (leaves to the left)
//     3: 0   4: 1
//
// Distances here are "reduced": the square of the Euclidean, the p-th power of Minkowski's.
// They are added up column by column, the same way for boxes and for points, so that no
// rounding can put a point nearer than the box that it is in.

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <limits>

#include "skx_math.h"

#if defined(_MSC_VER)
#include <intrin.h>
#endif

enum { SKX_LEAF = 16 };

// The place of the lowest bit of a number above 0, and how many bits are set.
static inline int skx_lowest_bit(uint32_t bits) {
#if defined(_MSC_VER)
    unsigned long place;
    _BitScanForward(&place, bits);
    return (int)place;
#else
    return __builtin_ctz(bits);
#endif
}

static inline int skx_count_bits(uint32_t bits) {
#if defined(_MSC_VER)
    int n = 0;
    for (; bits; bits &= bits - 1) ++n;
    return n;
#else
    return __builtin_popcount(bits);
#endif
}

struct skx_kd_tree_t {
    int64_t n, n_columns, n_leaves;
    const double *points;         // (n_leaves, n_columns, 16)
    const double *lower, *upper;  // boxes of the nodes, (2 n_leaves - 1, n_columns)
    const int32_t *rows;          // (n,), the row of the table at each position

    const double *leaf(int64_t i) const { return points + i * n_columns * SKX_LEAF; }
    // How many points a leaf holds.
    int length(int64_t i) const {
        return (int)std::min<int64_t>(SKX_LEAF, n - i * SKX_LEAF);
    }
    // Bits of the places of a leaf that hold points.
    uint32_t places(int64_t i) const { return (uint32_t)((1u << length(i)) - 1); }
    // The value of column j at position p.
    double at(int64_t p, int64_t j) const {
        return leaf(p / SKX_LEAF)[j * SKX_LEAF + p % SKX_LEAF];
    }
    void copy_point(int64_t p, double *out) const {
        const double *from = leaf(p / SKX_LEAF) + p % SKX_LEAF;
        for (int64_t j = 0; j < n_columns; ++j) out[j] = from[j * SKX_LEAF];
    }
};

struct skx_kd_node_t {
    int64_t node, first, n_leaves;

    bool is_leaf() const { return n_leaves == 1; }
    skx_kd_node_t left() const { return {node + 1, first, (n_leaves + 1) / 2}; }
    skx_kd_node_t right() const {
        const int64_t n_left = (n_leaves + 1) / 2;
        return {node + 2 * n_left, first + n_left, n_leaves - n_left};
    }
};

// -------------------------------------------------------------------------- metrics
//
// A metric adds the gap of one column to a reduced distance.

struct skx_euclidean_add_t {
    SKX_INLINE double add(double sum, double gap, double) { return sum + gap * gap; }
};
struct skx_manhattan_add_t {
    SKX_INLINE double add(double sum, double gap, double) { return sum + fabs(gap); }
};
struct skx_chebyshev_add_t {
    SKX_INLINE double add(double sum, double gap, double) {
        gap = fabs(gap);
        return sum > gap ? sum : gap;
    }
};
struct skx_minkowski_add_t {
    SKX_INLINE double add(double sum, double gap, double p) {
        return sum + pow(fabs(gap), p);
    }
};

// Distances of one query, `step` values from column to column, to the 16 of a leaf.
template <typename Add, int N_COLUMNS>
SKX_INLINE void skx_leaf_distances(
    const double *query, int64_t step, const double *leaf, int64_t n_columns, double p,
    double *SKX_RESTRICT out) {
    const int64_t n = N_COLUMNS ? N_COLUMNS : n_columns;
    double sums[SKX_LEAF];
    for (int i = 0; i < SKX_LEAF; ++i) sums[i] = 0.0;
    for (int64_t j = 0; j < n; ++j) {
        const double value = query[j * step];
        const double *column = leaf + j * SKX_LEAF;
        for (int i = 0; i < SKX_LEAF; ++i) {
            sums[i] = Add::add(sums[i], column[i] - value, p);
        }
    }
    for (int i = 0; i < SKX_LEAF; ++i) out[i] = sums[i];
}

// For each query of a leaf whose bit is set: the distances to the 16 points of another
// leaf, and the bits of those at most its bound.
template <typename Add, int N_COLUMNS>
SKX_INLINE void skx_leaf_pair(
    const double *queries, const double *leaf, int64_t n_columns, double p,
    const double *bounds, uint32_t active, double *SKX_RESTRICT out,
    uint32_t *SKX_RESTRICT hits) {
    static const int64_t BITS[SKX_LEAF] = {
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    for (int q = 0; q < SKX_LEAF; ++q) {
        if (!(active >> q & 1)) continue;
        double *distances = out + q * SKX_LEAF;
        skx_leaf_distances<Add, N_COLUMNS>(
            queries + q, SKX_LEAF, leaf, n_columns, p, distances);
        const double bound = bounds[q];
        int64_t bits = 0;
        for (int i = 0; i < SKX_LEAF; ++i) bits |= distances[i] <= bound ? BITS[i] : 0;
        hits[q] = (uint32_t)bits;
    }
}

// Distances of the 16 points of a leaf to a box; the bits of those at most its bound.
template <typename Add, int N_COLUMNS>
SKX_INLINE uint32_t skx_leaf_to_box(
    const double *queries, const double *lower, const double *upper, int64_t n_columns,
    double p, const double *bounds) {
    static const int64_t BITS[SKX_LEAF] = {
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    const int64_t n = N_COLUMNS ? N_COLUMNS : n_columns;
    double sums[SKX_LEAF];
    for (int i = 0; i < SKX_LEAF; ++i) sums[i] = 0.0;
    for (int64_t j = 0; j < n; ++j) {
        const double low = lower[j], high = upper[j];
        const double *column = queries + j * SKX_LEAF;
        for (int i = 0; i < SKX_LEAF; ++i) {
            const double below = low - column[i], above = column[i] - high;
            double gap = below > above ? below : above;
            gap = gap > 0.0 ? gap : 0.0;
            sums[i] = Add::add(sums[i], gap, p);
        }
    }
    int64_t bits = 0;
    for (int i = 0; i < SKX_LEAF; ++i) bits |= sums[i] <= bounds[i] ? BITS[i] : 0;
    return (uint32_t)bits;
}

// The least distance between two boxes.
template <typename Add>
SKX_INLINE double skx_box_gap(
    const double *lower, const double *upper, const double *other_lower,
    const double *other_upper, int64_t n_columns, double p) {
    double sum = 0.0;
    for (int64_t j = 0; j < n_columns; ++j) {
        const double below = lower[j] - other_upper[j], above = other_lower[j] - upper[j];
        double gap = below > above ? below : above;
        gap = gap > 0.0 ? gap : 0.0;
        sum = Add::add(sum, gap, p);
    }
    return sum;
}

// The largest distance between points of two boxes.
template <typename Add>
SKX_INLINE double skx_box_reach(
    const double *lower, const double *upper, const double *other_lower,
    const double *other_upper, int64_t n_columns, double p) {
    double sum = 0.0;
    for (int64_t j = 0; j < n_columns; ++j) {
        const double up = other_upper[j] - lower[j], down = upper[j] - other_lower[j];
        sum = Add::add(sum, up > down ? up : down, p);
    }
    return sum;
}

// The blocks compiled for several kinds of processors, and two and three columns apart.
#define SKX_DEFINE_METRIC(NAME)                                                            \
    SKX_CLONES static void skx_##NAME##_pair(                                              \
        const double *queries, const double *leaf, int64_t n_columns, double p,            \
        const double *bounds, uint32_t active, double *out, uint32_t *hits) {              \
        typedef skx_##NAME##_add_t add_t;                                                  \
        if (n_columns == 2) {                                                              \
            skx_leaf_pair<add_t, 2>(queries, leaf, 2, p, bounds, active, out, hits);       \
        } else if (n_columns == 3) {                                                       \
            skx_leaf_pair<add_t, 3>(queries, leaf, 3, p, bounds, active, out, hits);       \
        } else {                                                                           \
            skx_leaf_pair<add_t, 0>(queries, leaf, n_columns, p, bounds, active, out, hits); \
        }                                                                                  \
    }                                                                                      \
    SKX_CLONES static uint32_t skx_##NAME##_to_box(                                        \
        const double *queries, const double *lower, const double *upper,                   \
        int64_t n_columns, double p, const double *bounds) {                               \
        typedef skx_##NAME##_add_t add_t;                                                  \
        if (n_columns == 2) {                                                              \
            return skx_leaf_to_box<add_t, 2>(queries, lower, upper, 2, p, bounds);         \
        }                                                                                  \
        if (n_columns == 3) {                                                              \
            return skx_leaf_to_box<add_t, 3>(queries, lower, upper, 3, p, bounds);         \
        }                                                                                  \
        return skx_leaf_to_box<add_t, 0>(queries, lower, upper, n_columns, p, bounds);     \
    }                                                                                      \
    struct skx_##NAME##_t {                                                                \
        double p;                                                                          \
                                                                                           \
        double add(double sum, double gap) const {                                         \
            return skx_##NAME##_add_t::add(sum, gap, p);                                   \
        }                                                                                  \
        void pair(                                                                         \
            const double *queries, const double *leaf, int64_t n_columns,                  \
            const double *bounds, uint32_t active, double *out, uint32_t *hits) const {    \
            skx_##NAME##_pair(queries, leaf, n_columns, p, bounds, active, out, hits);     \
        }                                                                                  \
        uint32_t to_box(                                                                   \
            const double *queries, const double *lower, const double *upper,               \
            int64_t n_columns, const double *bounds) const {                               \
            return skx_##NAME##_to_box(queries, lower, upper, n_columns, p, bounds);       \
        }                                                                                  \
        double gap(                                                                        \
            const double *lower, const double *upper, const double *other_lower,           \
            const double *other_upper, int64_t n_columns) const {                          \
            return skx_box_gap<skx_##NAME##_add_t>(                                        \
                lower, upper, other_lower, other_upper, n_columns, p);                     \
        }                                                                                  \
        double reach(                                                                      \
            const double *lower, const double *upper, const double *other_lower,           \
            const double *other_upper, int64_t n_columns) const {                          \
            return skx_box_reach<skx_##NAME##_add_t>(                                      \
                lower, upper, other_lower, other_upper, n_columns, p);                     \
        }                                                                                  \
    };

SKX_DEFINE_METRIC(euclidean)
SKX_DEFINE_METRIC(manhattan)
SKX_DEFINE_METRIC(chebyshev)
SKX_DEFINE_METRIC(minkowski)

// Call function(metric) with the metric of a number: 0 Euclidean, 1 Manhattan,
// 2 Chebyshev, 3 Minkowski's of power p.
template <typename Function>
static inline void skx_with_metric(int metric, double p, Function &function) {
    if (metric == 0) {
        function(skx_euclidean_t{p});
    } else if (metric == 1) {
        function(skx_manhattan_t{p});
    } else if (metric == 2) {
        function(skx_chebyshev_t{p});
    } else {
        function(skx_minkowski_t{p});
    }
}

// ---------------------------------------------------------------------------- walks

// Visit the leaves of a tree, the nearest to a box first by branches.
//
//     is_far(node, gap)   whether to leave out a node at that distance or more
//     visit(leaf, node)   for each leaf that is not left out
//
// is_far is asked again when the turn of a node comes, so that bounds may shrink.
template <typename Metric, typename IsFar, typename Visit>
static inline void skx_walk_leaves(
    const skx_kd_tree_t &tree, const Metric &metric, const double *lower,
    const double *upper, IsFar &is_far, Visit &visit) {
    struct entry_t {
        skx_kd_node_t at;
        double gap;
    };
    entry_t stack[80];  // one for each level, and there are at most 31 - 4 of them
    int n_waiting = 0;
    const int64_t d = tree.n_columns;
    const auto gap_of = [&](const skx_kd_node_t &at) {
        return metric.gap(
            lower, upper, tree.lower + at.node * d, tree.upper + at.node * d, d);
    };
    const skx_kd_node_t root = {0, 0, tree.n_leaves};
    stack[n_waiting++] = {root, gap_of(root)};
    while (n_waiting > 0) {
        const entry_t entry = stack[--n_waiting];
        if (is_far(entry.at, entry.gap)) continue;
        if (entry.at.is_leaf()) {
            visit(entry.at.first, entry.at.node);
            continue;
        }
        const skx_kd_node_t left = entry.at.left(), right = entry.at.right();
        const entry_t a = {left, gap_of(left)}, b = {right, gap_of(right)};
        const bool left_first = a.gap <= b.gap;
        const entry_t &near = left_first ? a : b, &far = left_first ? b : a;
        if (!is_far(far.at, far.gap)) stack[n_waiting++] = far;
        if (!is_far(near.at, near.gap)) stack[n_waiting++] = near;
    }
}

// The node of a leaf: nodes of leaves are numbered by the path to them.
static inline int64_t skx_node_of_leaf(int64_t n_leaves, int64_t leaf) {
    skx_kd_node_t at = {0, 0, n_leaves};
    while (!at.is_leaf()) {
        const skx_kd_node_t left = at.left();
        at = leaf < left.first + left.n_leaves ? left : at.right();
    }
    return at.node;
}
