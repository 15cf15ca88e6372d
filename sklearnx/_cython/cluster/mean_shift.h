// Mean shift with a flat kernel: seeds move to the mean of the points around them.
//
//     m <- mean of the points x with |x - m| <= bandwidth      until it hardly moves
//
// (D. Comaniciu and P. Meer, "Mean shift: a robust approach toward feature space analysis",
// TPAMI 24 (2002), section 2 with the Epanechnikov kernel's shadow.) Points stand in a tree
// of boxes: a box that is outside of the ball is left out, one that is inside adds its sum.
//
//          ____         box A: no point within    -> nothing
//        /  __  \       box B: all points within  -> its sum and count
//     [A]  |B_|  |      box C: some               -> its children, or points one by one
//        \____[C/]
//
// As the distances to the nearest and to the farthest corner of a box are bounds in
// floating-point arithmetic too, the points counted are those of a plain scan.

#pragma once

#include "block_tree.h"
#include "parallel_parts.h"

// Distances, squared, of a point to the farthest corners of the boxes of a group.
SKX_INLINE void skx_measure_far_corners(
    const double *group, const double *point, int64_t n_dims, double *squares) {
    for (int first = 0; first < SKX_FAN; first += SKX_VECTOR) {
        const skx_vector_t none = {};
        skx_vector_t sum = {};
        const double *bounds = group + first;
        for (int64_t k = 0; k < n_dims; ++k, bounds += 2 * SKX_FAN) {
            skx_vector_t low, high;
            skx_load(bounds, &low);
            skx_load(bounds + SKX_FAN, &high);
            skx_vector_t below = low - point[k], above = high - point[k];
            below = below < none ? -below : below;
            above = above < none ? -above : above;
            const skx_vector_t gap = below > above ? below : above;
            sum += gap * gap;
        }
        memcpy(squares + first, &sum, sizeof sum);
    }
}

template <typename T>
struct skx_shift_tree_t {
    skx_block_tree_t<T> blocks;
    std::vector<double> sums[SKX_MAX_LEVELS];    // [node][dimension]
    std::vector<int64_t> counts[SKX_MAX_LEVELS];

    // IN: rows (n, n_dims). May throw std::bad_alloc.
    void build(const T *rows, int64_t n, int64_t n_dims) {
        blocks.build(rows, n_dims, skx_all_rows(n), NULL);
        for (int level = 0; level < blocks.n_levels; ++level) {
            const int64_t n_nodes = blocks.levels[level].n_nodes;
            const int64_t padded = (n_nodes + SKX_FAN - 1) / SKX_FAN * SKX_FAN;
            sums[level].assign(padded * n_dims, 0.0);
            counts[level].assign(padded, 0);
            for (int64_t node = 0; node < n_nodes; ++node) {
                if (level == 0) {
                    sum_leaf(node);
                } else {
                    sum_children(level, node);
                }
            }
        }
    }

  private:
    void sum_leaf(int64_t leaf) {
        for (int i = 0; i < SKX_BLOCK; ++i) {
            if (blocks.leaf_items(leaf)[i] < 0) continue;
            ++counts[0][leaf];
            const T *values = blocks.leaf_coords(leaf) + i;
            for (int64_t k = 0; k < blocks.n_dims; ++k) {
                sums[0][leaf * blocks.n_dims + k] += (double)values[k * SKX_BLOCK];
            }
        }
    }

    void sum_children(int level, int64_t node) {
        const int64_t n_dims = blocks.n_dims;
        for (int64_t child = node * SKX_FAN; child < (node + 1) * SKX_FAN; ++child) {
            counts[level][node] += counts[level - 1][child];
            for (int64_t k = 0; k < n_dims; ++k) {
                sums[level][node * n_dims + k] += sums[level - 1][child * n_dims + k];
            }
        }
    }
};

// The points of a ball: their number, and their sum as the sum of eight lanes a dimension.
struct skx_ball_t {
    double square;  // of the radius
    int64_t count;
    std::vector<double> lanes;

    explicit skx_ball_t(int64_t n_dims) : lanes(n_dims * SKX_FAN) {}
};

template <typename T>
SKX_INLINE void skx_add_leaf(
    const T *coords, const double *point, int64_t n_dims, skx_ball_t *ball) {
    double squares[SKX_BLOCK];
    skx_measure_leaf<skx_squared_gaps_t>(coords, point, n_dims, squares);
    int count = 0;
    for (int i = 0; i < SKX_BLOCK; ++i) count += squares[i] <= ball->square;
    if (count == 0) return;
    ball->count += count;
    double *lanes = ball->lanes.data();
    for (int64_t k = 0; k < n_dims; ++k, coords += SKX_BLOCK, lanes += SKX_FAN) {
        for (int first = 0; first < SKX_BLOCK; first += SKX_VECTOR) {
            const skx_vector_t none = {};
            skx_vector_t values, distances, sum;
            skx_load(coords + first, &values);
            skx_load(squares + first, &distances);
            skx_load(lanes + first % SKX_FAN, &sum);
            const skx_vector_t limit = none + ball->square;
            sum += distances <= limit ? values : none;
            memcpy(lanes + first % SKX_FAN, &sum, sizeof sum);
        }
    }
}

// Finds the points within a ball around a point.
template <typename T>
SKX_INLINE void skx_fill_ball(
    const skx_shift_tree_t<T> &tree, const double *point, skx_ball_t *ball) {
    const skx_block_tree_t<T> &blocks = tree.blocks;
    const int64_t n_dims = blocks.n_dims;
    struct {
        int32_t level, node;
    } stack[SKX_FAN * SKX_MAX_LEVELS + 1];
    int n_stacked = 0;
    std::fill(ball->lanes.begin(), ball->lanes.end(), 0.0);
    ball->count = 0;
    stack[n_stacked++] = {blocks.n_levels, 0};
    while (n_stacked > 0) {
        --n_stacked;
        const int level = stack[n_stacked].level - 1;
        const int64_t first = (int64_t)stack[n_stacked].node * SKX_FAN;
        double near[SKX_FAN], far[SKX_FAN];
        const double *group = blocks.group(level, first);
        skx_measure_boxes<skx_squared_gaps_t>(group, point, n_dims, near);
        skx_measure_far_corners(group, point, n_dims, far);
        for (int i = SKX_FAN - 1; i >= 0; --i) {
            const int64_t node = first + i;
            if (!(near[i] <= ball->square) || tree.counts[level][node] == 0) continue;
            if (far[i] <= ball->square) {
                ball->count += tree.counts[level][node];
                const double *sums = tree.sums[level].data() + node * n_dims;
                for (int64_t k = 0; k < n_dims; ++k) {
                    ball->lanes[k * SKX_FAN] += sums[k];
                }
            } else if (level == 0) {
                skx_add_leaf(blocks.leaf_coords(node), point, n_dims, ball);
            } else {
                stack[n_stacked++] = {level, (int32_t)node};
            }
        }
    }
}

SKX_CLONES static void skx_fill_ball_of(
    const skx_shift_tree_t<double> &tree, const double *point, skx_ball_t *ball) {
    skx_fill_ball(tree, point, ball);
}

SKX_CLONES static void skx_fill_ball_of(
    const skx_shift_tree_t<float> &tree, const double *point, skx_ball_t *ball) {
    skx_fill_ball(tree, point, ball);
}

// Moves a seed until it moves by at most `tolerance`, max_iter + 1 times at most, or until
// there is no point around. IN/OUT: mean (n_dims,). Returns the number of moves before the
// last.
template <typename T>
static int64_t skx_climb(
    const skx_shift_tree_t<T> &tree, double tolerance, int64_t max_iter, T *mean,
    double *point, skx_ball_t *ball) {
    const int64_t n_dims = tree.blocks.n_dims;
    for (int64_t n_iter = 0;; ++n_iter) {
        for (int64_t k = 0; k < n_dims; ++k) point[k] = (double)mean[k];
        skx_fill_ball_of(tree, point, ball);
        if (ball->count == 0) return n_iter;
        double square = 0.0;
        for (int64_t k = 0; k < n_dims; ++k) {
            skx_lanes_t lanes;
            memcpy(&lanes, ball->lanes.data() + k * SKX_FAN, sizeof lanes);
            mean[k] = (T)(skx_sum(&lanes) / (double)ball->count);
            const double gap = (double)mean[k] - point[k];
            square += gap * gap;
        }
        if (sqrt(square) <= tolerance || n_iter == max_iter) return n_iter;
    }
}

// IN: rows (n, n_dims), n > 0. IN/OUT: means (n_seeds, n_dims), at first the seeds. OUT:
// counts and n_iter (n_seeds,). Whether it came to the end. May throw std::bad_alloc.
template <typename T>
static bool skx_climb_all(
    const T *rows, int64_t n, int64_t n_dims, double bandwidth, int64_t max_iter, T *means,
    int64_t n_seeds, int64_t *counts, int64_t *n_iter, skx_parallel_t parallel_for,
    int n_threads, int (*goes_on)()) {
    skx_shift_tree_t<T> tree;
    tree.build(rows, n, n_dims);
    const skx_parts_t parts(n_seeds, 4);
    auto task = [&](int64_t part) {
        std::vector<double> point(n_dims);
        skx_ball_t ball(n_dims);
        ball.square = bandwidth * bandwidth;
        for (int64_t i = parts.start(part); i < parts.start(part) + parts.length(part);
             ++i) {
            n_iter[i] = skx_climb(
                tree, 1e-3 * bandwidth, max_iter, means + i * n_dims, point.data(), &ball);
            counts[i] = ball.count;
        }
    };
    return skx_run_tasks_while(
        parallel_for, parts.n_parts, 32, n_threads, task, goes_on);
}

// ------------------------------------------------------------------- near duplicates

// Selects points one after the other that are farther than `radius` from all selected
// before. IN: rows (n, n_dims). OUT: is_selected (n,).
SKX_CLONES static void skx_select_apart(
    const double *rows, int64_t n, int64_t n_dims, double radius, uint8_t *is_selected) {
    std::vector<double> blocks;
    const double limit = radius * radius;
    int64_t n_selected = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double *row = rows + i * n_dims;
        bool is_near = false;
        for (int64_t first = 0; first < n_selected && !is_near; first += SKX_BLOCK) {
            double squares[SKX_BLOCK];
            skx_measure_leaf<skx_squared_gaps_t>(
                blocks.data() + first * n_dims, row, n_dims, squares);
            for (int lane = 0; lane < SKX_BLOCK; ++lane) is_near |= squares[lane] <= limit;
        }
        is_selected[i] = !is_near;
        if (is_near) continue;
        const int64_t lane = n_selected % SKX_BLOCK, block = n_selected - lane;
        if (lane == 0) blocks.resize((block + SKX_BLOCK) * n_dims, INFINITY);
        for (int64_t k = 0; k < n_dims; ++k) {
            blocks[block * n_dims + k * SKX_BLOCK + lane] = row[k];
        }
        ++n_selected;
    }
}
