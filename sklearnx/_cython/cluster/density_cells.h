// Points of a Euclidean space in cells: sets whose points are all within eps of one
// another, so that what is true of one core point of a cell holds for all of them.
//
// Coordinates lie dimension by dimension in the order of the cells, so that a loop over
// the points of neighbouring cells is vectorised:
//
//     coords[j][i]     j = 0, ..., d - 1;   cell c has points starts[c] <= i < starts[c + 1]
//
// Squared distances are sums of squared differences in double, in the order of the
// dimensions. Each operation is monotonic under rounding, so that the same sums for boxes
// around the points bound them to the last bit, and no test needs a margin.
#pragma once

#include <stdint.h>

#include <algorithm>
#include <vector>

#include "parallel_parts.h"
#include "skx_math.h"

enum { SKX_CELLS_PER_TASK = 256, SKX_TASKS_BETWEEN_SIGNALS = 64 };

template <typename T, int D>
struct skx_cells_t {
    int64_t n, n_cells;
    std::vector<T> coords;        // (D, n)
    std::vector<int32_t> rows;    // (n,), of the table
    std::vector<int32_t> starts;  // (n_cells + 1,)
    std::vector<T> boxes;         // (n_cells, 2, D), lowest and highest

    int64_t size(int64_t cell) const { return starts[cell + 1] - starts[cell]; }
    const T *lower(int64_t cell) const { return boxes.data() + 2 * cell * D; }
    const T *upper(int64_t cell) const { return lower(cell) + D; }

    void get_point(int64_t i, double *point) const {
        for (int j = 0; j < D; ++j) point[j] = (double)coords[j * n + i];
    }

    // The squared distance of point i from another.
    double squared_distance(int64_t i, const double *point) const {
        double sum = 0.0;
        for (int j = 0; j < D; ++j) {
            const double difference = point[j] - (double)coords[j * n + i];
            sum += difference * difference;
        }
        return sum;
    }

    void set_boxes() {
        boxes.resize(2 * n_cells * D);
        for (int64_t cell = 0; cell < n_cells; ++cell) {
            T *low = boxes.data() + 2 * cell * D, *high = low + D;
            for (int j = 0; j < D; ++j) {
                const T *values = coords.data() + j * n;
                const auto range = std::minmax_element(
                    values + starts[cell], values + starts[cell + 1]);
                low[j] = *range.first;
                high[j] = *range.second;
            }
        }
    }
};

// A range of cells, [first, last).
struct skx_cell_range_t {
    int32_t first, last;
};

// Squared distance of a point from a box; 0 inside.
template <int D, typename T>
SKX_INLINE double skx_box_distance(
    const double *point, const T *low, const T *high) {
    double sum = 0.0;
    for (int j = 0; j < D; ++j) {
        const double below = (double)low[j] - point[j], above = point[j] - (double)high[j];
        const double gap = std::max(std::max(below, above), 0.0);
        sum += gap * gap;
    }
    return sum;
}

// Squared distance of a point from the farthest corner of a box.
template <int D, typename T>
SKX_INLINE double skx_farthest_distance(
    const double *point, const T *low, const T *high) {
    double sum = 0.0;
    for (int j = 0; j < D; ++j) {
        const double far = std::max(point[j] - (double)low[j], (double)high[j] - point[j]);
        sum += far * far;
    }
    return sum;
}

// Squared distance between two boxes; 0 where they meet.
template <int D, typename T>
SKX_INLINE double skx_cell_gap(
    const T *low, const T *high, const T *other_low, const T *other_high) {
    double sum = 0.0;
    for (int j = 0; j < D; ++j) {
        const double below = (double)low[j] - (double)other_high[j];
        const double above = (double)other_low[j] - (double)high[j];
        const double gap = std::max(std::max(below, above), 0.0);
        sum += gap * gap;
    }
    return sum;
}

// Squared distance between the farthest corners of two boxes.
template <int D, typename T>
SKX_INLINE double skx_cell_span(
    const T *low, const T *high, const T *other_low, const T *other_high) {
    double sum = 0.0;
    for (int j = 0; j < D; ++j) {
        const double far = std::max(
            (double)high[j] - (double)other_low[j], (double)other_high[j] - (double)low[j]);
        sum += far * far;
    }
    return sum;
}
