// Points in leaves of 32, and boxes around them: a k-d tree eight children wide.
//
//     level 1      [ 8 boxes ]                     one group of eight boxes a node above
//                   /       \                                                            .
//     level 0   [ 8 boxes ] ... [ 8 boxes ]
//                 |              |
//     leaves    [d][32]  ...    [d][32]            coordinates side by side
//
// All that is compared lies side by side, so that one loop over the dimensions gives the
// distances to eight boxes, or to the points of a leaf, whatever the SIMD width. The
// distance to a box is a lower bound for that to each of its points in floating-point
// arithmetic too: both add the same terms in the same order, and rounding is monotonic.

#pragma once

#include <stdint.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "lanes.h"
#include "skx_math.h"

enum { SKX_FAN = 8, SKX_BLOCK = 32, SKX_MAX_LEVELS = 12 };

struct skx_boxes_t {
    int64_t n_nodes;
    std::vector<double> bounds;  // [group][dimension][lower 8, upper 8]
};

// The rows 0, ..., n - 1.
static inline std::vector<int32_t> skx_all_rows(int64_t n) {
    std::vector<int32_t> rows(n);
    for (int64_t i = 0; i < n; ++i) rows[i] = (int32_t)i;
    return rows;
}

template <typename T>
struct skx_block_tree_t {
    int64_t n_dims = 0, n_leaves = 0;
    int n_levels = 0;
    std::vector<T> coords;       // [leaf][dimension][32], infinite where there is no item
    std::vector<int32_t> items;  // [leaf][32], -1 for none
    skx_boxes_t levels[SKX_MAX_LEVELS];

    T *leaf_coords(int64_t leaf) { return coords.data() + leaf * n_dims * SKX_BLOCK; }
    const T *leaf_coords(int64_t leaf) const {
        return coords.data() + leaf * n_dims * SKX_BLOCK;
    }
    int32_t *leaf_items(int64_t leaf) { return items.data() + leaf * SKX_BLOCK; }
    const int32_t *leaf_items(int64_t leaf) const {
        return items.data() + leaf * SKX_BLOCK;
    }
    // The eight boxes whose first is `node` of the level.
    double *group(int level, int64_t node) {
        return levels[level].bounds.data() + node / SKX_FAN * n_dims * 2 * SKX_FAN;
    }
    const double *group(int level, int64_t node) const {
        return levels[level].bounds.data() + node / SKX_FAN * n_dims * 2 * SKX_FAN;
    }

    // Copies the point at a place (leaf * 32 + lane).
    void get_point(int64_t place, double *point) const {
        const T *values = leaf_coords(place / SKX_BLOCK) + place % SKX_BLOCK;
        for (int64_t k = 0; k < n_dims; ++k) point[k] = (double)values[k * SKX_BLOCK];
    }

    void set_point(int64_t place, int32_t item, const double *point) {
        T *values = leaf_coords(place / SKX_BLOCK) + place % SKX_BLOCK;
        for (int64_t k = 0; k < n_dims; ++k) values[k * SKX_BLOCK] = (T)point[k];
        items[place] = item;
    }

    void clear_point(int64_t place) {
        T *values = leaf_coords(place / SKX_BLOCK) + place % SKX_BLOCK;
        for (int64_t k = 0; k < n_dims; ++k) {
            values[k * SKX_BLOCK] = std::numeric_limits<T>::infinity();
        }
        items[place] = -1;
    }

    // Fits the box of a leaf to its points.
    void fit_leaf(int64_t leaf) {
        const T *values = leaf_coords(leaf);
        const int32_t *ids = leaf_items(leaf);
        double *box = group(0, leaf) + leaf % SKX_FAN;
        for (int64_t k = 0; k < n_dims; ++k, values += SKX_BLOCK, box += 2 * SKX_FAN) {
            double low = INFINITY, high = -INFINITY;
            for (int i = 0; i < SKX_BLOCK; ++i) {
                if (ids[i] < 0) continue;
                low = std::min(low, (double)values[i]);
                high = std::max(high, (double)values[i]);
            }
            box[0] = low;
            box[SKX_FAN] = high;
        }
    }

    // Fits the box of a node above the leaves to its children's; whether it changed.
    bool fit_node(int level, int64_t node) {
        const double *children = group(level - 1, node * SKX_FAN);
        double *box = group(level, node) + node % SKX_FAN;
        bool has_changed = false;
        for (int64_t k = 0; k < n_dims; ++k) {
            double low = children[0], high = children[SKX_FAN];
            for (int i = 1; i < SKX_FAN; ++i) {
                low = std::min(low, children[i]);
                high = std::max(high, children[SKX_FAN + i]);
            }
            has_changed |= box[0] != low || box[SKX_FAN] != high;
            box[0] = low;
            box[SKX_FAN] = high;
            children += 2 * SKX_FAN;
            box += 2 * SKX_FAN;
        }
        return has_changed;
    }

    // Fits all boxes around a leaf whose points have changed.
    void fit_path(int64_t leaf) {
        fit_leaf(leaf);
        int64_t node = leaf;
        for (int level = 1; level < n_levels; ++level) {
            node /= SKX_FAN;
            if (!fit_node(level, node)) break;
        }
    }

    // IN: rows (any number, n_dims); those of them to take, at least one; ids, the items'
    // names by row, or NULL for the rows' numbers. May throw std::bad_alloc.
    void build(
        const T *rows, int64_t width, std::vector<int32_t> order, const int32_t *ids) {
        const int64_t n = (int64_t)order.size();
        n_dims = width;
        n_leaves = (n + SKX_BLOCK - 1) / SKX_BLOCK;
        {
            std::vector<std::pair<T, int32_t>> keys(n);
            split(rows, order.data(), keys.data(), n);
        }
        coords.assign(n_leaves * n_dims * SKX_BLOCK, std::numeric_limits<T>::infinity());
        items.assign(n_leaves * SKX_BLOCK, -1);
        for (int64_t place = 0; place < n; ++place) {
            const int32_t row = order[place];
            T *values = leaf_coords(place / SKX_BLOCK) + place % SKX_BLOCK;
            for (int64_t k = 0; k < n_dims; ++k) {
                values[k * SKX_BLOCK] = rows[row * n_dims + k];
            }
            items[place] = ids ? ids[row] : row;
        }
        build_boxes();
    }

  private:
    void build_boxes() {
        n_levels = 0;
        int64_t n_nodes = n_leaves;
        do {
            const int64_t n_groups = (n_nodes + SKX_FAN - 1) / SKX_FAN;
            skx_boxes_t &boxes = levels[n_levels];
            boxes.n_nodes = n_nodes;
            boxes.bounds.resize(n_groups * n_dims * 2 * SKX_FAN);
            for (int64_t i = 0; i < n_groups * n_dims; ++i) {
                double *bounds = boxes.bounds.data() + i * 2 * SKX_FAN;
                std::fill(bounds, bounds + SKX_FAN, INFINITY);
                std::fill(bounds + SKX_FAN, bounds + 2 * SKX_FAN, -INFINITY);
            }
            for (int64_t node = 0; node < n_nodes; ++node) {
                if (n_levels == 0) {
                    fit_leaf(node);
                } else {
                    fit_node(n_levels, node);
                }
            }
            ++n_levels;
            n_nodes = n_groups;
        } while (n_nodes > 1);
    }

    int64_t find_widest(const T *rows, const int32_t *order, int64_t n) const {
        // A sample will do to choose; any choice gives a valid tree.
        const int64_t step = 1 + n / 1024;
        int64_t widest = 0;
        double width = -1.0;
        for (int64_t k = 0; k < n_dims; ++k) {
            double low = INFINITY, high = -INFINITY;
            for (int64_t i = 0; i < n; i += step) {
                const double value = (double)rows[order[i] * n_dims + k];
                low = std::min(low, value);
                high = std::max(high, value);
            }
            if (high - low > width) {
                width = high - low;
                widest = k;
            }
        }
        return widest;
    }

    // Orders the points by halves of the widest dimension. The first part is a multiple
    // of the largest power of eight leaves, so that nodes of all levels are such halves.
    void split(const T *rows, int32_t *order, std::pair<T, int32_t> *keys, int64_t n) const {
        while (n > SKX_BLOCK) {
            int64_t unit = SKX_BLOCK;
            while (unit * SKX_FAN < n) unit *= SKX_FAN;
            const int64_t middle = std::max((n / 2 + unit / 2) / unit, (int64_t)1) * unit;
            const int64_t k = find_widest(rows, order, n);
            for (int64_t i = 0; i < n; ++i) {
                keys[i] = {rows[order[i] * n_dims + k], order[i]};
            }
            std::nth_element(keys, keys + middle, keys + n);
            for (int64_t i = 0; i < n; ++i) order[i] = keys[i].second;
            split(rows, order, keys, middle);
            order += middle;
            n -= middle;
        }
    }
};

// How the gaps of the dimensions, of either sign, make up a distance; V is a double or
// lanes of them.
struct skx_squared_gaps_t {  // Euclidean, squared until it is finished
    template <typename V>
    SKX_INLINE void add(V *sum, const V &gap) { *sum += gap * gap; }
    static inline double finish(double sum) { return sqrt(sum); }
};

struct skx_absolute_gaps_t {  // Manhattan
    template <typename V>
    SKX_INLINE void add(V *sum, const V &gap) { *sum += gap < V{} ? -gap : gap; }
    static inline double finish(double sum) { return sum; }
};

struct skx_largest_gap_t {  // Chebyshev
    template <typename V>
    SKX_INLINE void add(V *sum, const V &gap) {
        const V size = gap < V{} ? -gap : gap;
        *sum = size > *sum ? size : *sum;
    }
    static inline double finish(double sum) { return sum; }
};

#if defined(__GNUC__) || defined(__clang__)
typedef skx_lanes_t skx_vector_t;
#else
typedef double skx_vector_t;
static inline void skx_load(const double *from, double *value) { *value = *from; }
static inline void skx_load(const float *from, double *value) { *value = (double)*from; }
#endif

enum { SKX_N_VECTORS = SKX_BLOCK * sizeof(double) / sizeof(skx_vector_t) };
enum { SKX_VECTOR = SKX_BLOCK / SKX_N_VECTORS };

// Distances of a point to the eight boxes of a group.
template <typename Gaps>
SKX_INLINE void skx_measure_boxes(
    const double *group, const double *point, int64_t n_dims, double *distances) {
    for (int first = 0; first < SKX_FAN; first += SKX_VECTOR) {
        const skx_vector_t none = {};
        skx_vector_t sum = {};
        const double *bounds = group + first;
        for (int64_t k = 0; k < n_dims; ++k, bounds += 2 * SKX_FAN) {
            skx_vector_t low, high;
            skx_load(bounds, &low);
            skx_load(bounds + SKX_FAN, &high);
            const skx_vector_t below = low - point[k], above = point[k] - high;
            skx_vector_t gap = below > above ? below : above;
            gap = gap > none ? gap : none;
            Gaps::add(&sum, gap);
        }
        memcpy(distances + first, &sum, sizeof sum);
    }
}

// Distances of a point to those of a leaf.
template <typename Gaps, typename T>
SKX_INLINE void skx_measure_leaf(
    const T *coords, const double *point, int64_t n_dims, double *distances) {
    skx_vector_t sums[SKX_N_VECTORS] = {};
    for (int64_t k = 0; k < n_dims; ++k, coords += SKX_BLOCK) {
        for (int i = 0; i < SKX_N_VECTORS; ++i) {
            skx_vector_t values;
            skx_load(coords + i * SKX_VECTOR, &values);
            Gaps::add(&sums[i], values - point[k]);
        }
    }
    memcpy(distances, sums, sizeof sums);
}
