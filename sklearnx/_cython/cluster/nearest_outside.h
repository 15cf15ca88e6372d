// The minimum spanning tree of points, point by point, in a tree of boxes.
//
// The point outside nearest to those inside comes inside next (R. C. Prim, 1957). Each
// point keeps its distance to the inside; each box the largest and the least of its
// points, so that the new point changes none of a box that is not nearer than the largest:
//
//     for each box:  distance(new, box) >= largest of the box  ->  leave it out
//     next           the point of the least distance, ties to the lower row
//
// All points are compared in effect, and ties are resolved, as in a plain scan of all
// distances. Memory is linear in the number of points.

#pragma once

#include "block_tree.h"

struct skx_reach_t {
    double distance;
    int32_t item;

    bool operator<(const skx_reach_t &other) const {
        return distance < other.distance ||
            (distance == other.distance && item < other.item);
    }
};

// Of the points of a node that are outside. Padding has a largest of -1, and no item.
struct skx_reaches_t {
    std::vector<double> largest;
    std::vector<skx_reach_t> nearest;
};

static inline void skx_join_reach(skx_reach_t *nearest, const skx_reach_t &other) {
    if (other < *nearest) *nearest = other;
}

template <typename Gaps>
struct skx_outside_t {
    const double *rows;  // (n, n_dims)
    skx_block_tree_t<double> blocks;
    skx_reaches_t levels[SKX_MAX_LEVELS];
    std::vector<double> distances;    // [leaf][32], -1 for points inside and no points
    std::vector<int32_t> locations;   // of the items
    std::vector<int32_t> nodes[SKX_MAX_LEVELS + 1];  // visited
    std::vector<double> point;        // the last one taken inside
    int32_t current;
    int64_t n_outside, n_built;

    // IN: all_rows (n, n_dims), which have to stay. May throw std::bad_alloc.
    void start(const double *all_rows, int64_t n, int64_t n_dims) {
        rows = all_rows;
        point.resize(n_dims);
        locations.resize(n);
        n_outside = n;
        build(skx_all_rows(n), {});
        take_inside(0);
    }

    // Of the rows outside, with their reaches by row, or none where all are infinite.
    void build(std::vector<int32_t> outside, const std::vector<double> &reaches) {
        n_built = n_outside;
        blocks.build(rows, (int64_t)point.size(), std::move(outside), NULL);
        distances.assign(blocks.n_leaves * SKX_BLOCK, -1.0);
        for (int64_t place = 0; place < blocks.n_leaves * SKX_BLOCK; ++place) {
            const int32_t item = blocks.items[place];
            if (item < 0) continue;
            locations[item] = (int32_t)place;
            distances[place] = reaches.empty() ? INFINITY : reaches[item];
        }
        for (int level = 0; level < blocks.n_levels; ++level) {
            const int64_t n_nodes = blocks.levels[level].n_nodes;
            const int64_t padded = (n_nodes + SKX_FAN - 1) / SKX_FAN * SKX_FAN;
            levels[level].largest.assign(padded, -1.0);
            levels[level].nearest.assign(padded, {INFINITY, INT32_MAX});
            for (int64_t node = 0; node < n_nodes; ++node) fit(level, node);
        }
    }

    // Leaves out the points inside.
    void rebuild() {
        std::vector<int32_t> outside;
        outside.reserve(n_outside);
        std::vector<double> reaches(locations.size());
        for (int64_t place = 0; place < blocks.n_leaves * SKX_BLOCK; ++place) {
            if (distances[place] < 0.0) continue;
            reaches[blocks.items[place]] = distances[place];
            outside.push_back(blocks.items[place]);
        }
        build(std::move(outside), reaches);
    }

    void fit(int level, int64_t node) {
        skx_reach_t nearest = {INFINITY, INT32_MAX};
        double largest = -1.0;
        if (level == 0) {
            const double *reaches = distances.data() + node * SKX_BLOCK;
            const int32_t *items = blocks.leaf_items(node);
            double least = INFINITY;
            for (int i = 0; i < SKX_BLOCK; ++i) {
                largest = std::max(largest, reaches[i]);
                if (reaches[i] >= 0.0) least = std::min(least, reaches[i]);
            }
            // Squares that differ by a few units in the last place may have one root.
            const double limit = least * (1.0 + 8 * 2.220446049250313e-16);
            for (int i = 0; i < SKX_BLOCK; ++i) {
                if (reaches[i] >= 0.0 && reaches[i] <= limit) {
                    skx_join_reach(&nearest, {Gaps::finish(reaches[i]), items[i]});
                }
            }
        } else {
            const skx_reaches_t &children = levels[level - 1];
            for (int64_t i = node * SKX_FAN; i < (node + 1) * SKX_FAN; ++i) {
                largest = std::max(largest, children.largest[i]);
                skx_join_reach(&nearest, children.nearest[i]);
            }
        }
        levels[level].largest[node] = largest;
        levels[level].nearest[node] = nearest;
    }

    void take_inside(int32_t item) {
        int64_t node = locations[item];
        current = item;
        blocks.get_point(node, point.data());
        --n_outside;
        distances[node] = -1.0;
        node /= SKX_BLOCK;
        for (int level = 0; level < blocks.n_levels; ++level, node /= SKX_FAN) {
            fit(level, node);
        }
        if (2 * n_outside < n_built && n_built > 2 * SKX_BLOCK) rebuild();
    }

    // The nearest outside, infinitely far if the distances of all that are overflow.
    skx_reach_t find_nearest() const {
        skx_reach_t nearest = {INFINITY, INT32_MAX};
        const skx_reaches_t &top = levels[blocks.n_levels - 1];
        for (const skx_reach_t &reach : top.nearest) skx_join_reach(&nearest, reach);
        return nearest;
    }
};

// Lowers the distances of a leaf by a new point; whether any changed.
template <typename Gaps>
SKX_INLINE bool skx_lower_leaf(skx_outside_t<Gaps> *outside, int64_t leaf) {
    const skx_block_tree_t<double> &blocks = outside->blocks;
    double measured[SKX_BLOCK];
    skx_measure_leaf<Gaps>(
        blocks.leaf_coords(leaf), outside->point.data(), blocks.n_dims, measured);
    double *reaches = outside->distances.data() + leaf * SKX_BLOCK;
    int n_lower = 0;
    for (int i = 0; i < SKX_BLOCK; ++i) {
        const bool is_lower = measured[i] < reaches[i];
        n_lower += is_lower;
        reaches[i] = is_lower ? measured[i] : reaches[i];
    }
    return n_lower > 0;
}

// Adds one point after another to the inside. OUT: pairs (n_steps, 2), the last point
// added and the new one, and their distances (n_steps,).
template <typename Gaps>
SKX_INLINE void skx_advance_outside(
    skx_outside_t<Gaps> *outside, int64_t n_steps, int32_t *pairs, double *out) {
    skx_block_tree_t<double> &blocks = outside->blocks;
    for (int64_t step = 0; step < n_steps; ++step) {
        const int n_levels = blocks.n_levels;
        outside->nodes[n_levels].assign(1, 0);
        for (int level = n_levels - 1; level >= 0; --level) {
            std::vector<int32_t> &below = outside->nodes[level];
            below.clear();
            for (const int32_t node : outside->nodes[level + 1]) {
                const int64_t first = (int64_t)node * SKX_FAN;
                const double *largest = outside->levels[level].largest.data() + first;
                double measured[SKX_FAN];
                skx_measure_boxes<Gaps>(
                    blocks.group(level, first), outside->point.data(), blocks.n_dims,
                    measured);
                for (int i = 0; i < SKX_FAN; ++i) {
                    if (measured[i] < largest[i]) below.push_back((int32_t)(first + i));
                }
            }
        }
        for (int32_t &leaf : outside->nodes[0]) {
            if (skx_lower_leaf(outside, leaf)) {
                outside->fit(0, leaf);
            } else {
                leaf = -1;
            }
        }
        // Only what is above a leaf that changed.
        for (int level = 1; level < n_levels; ++level) {
            std::vector<int32_t> &changed = outside->nodes[level];
            changed.clear();
            for (const int32_t child : outside->nodes[level - 1]) {
                if (child < 0) continue;
                const int32_t node = child / SKX_FAN;
                if (changed.empty() || changed.back() != node) changed.push_back(node);
            }
            for (const int32_t node : changed) outside->fit(level, node);
        }
        const skx_reach_t nearest = outside->find_nearest();
        pairs[2 * step] = outside->current;
        pairs[2 * step + 1] = nearest.item;
        out[step] = nearest.distance;
        outside->take_inside(nearest.item);
    }
}

SKX_CLONES static void skx_advance_squared(
    skx_outside_t<skx_squared_gaps_t> *outside, int64_t n, int32_t *pairs, double *out) {
    skx_advance_outside(outside, n, pairs, out);
}

SKX_CLONES static void skx_advance_absolute(
    skx_outside_t<skx_absolute_gaps_t> *outside, int64_t n, int32_t *pairs, double *out) {
    skx_advance_outside(outside, n, pairs, out);
}

SKX_CLONES static void skx_advance_largest(
    skx_outside_t<skx_largest_gap_t> *outside, int64_t n, int32_t *pairs, double *out) {
    skx_advance_outside(outside, n, pairs, out);
}
