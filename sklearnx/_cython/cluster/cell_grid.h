// A grid of cells of side eps / sqrt(d), for few dimensions: only cells with points are
// kept, in ascending order of a key that counts the cells of the whole grid row by row.
//
//      key  . . x x x . .          Cells with points within eps lie in a few rows of the
//           . x x x x x .          grid near that of the cell c, and in each row in a
//           . x x c x x .          short range of keys. As cells are visited in ascending
//           . x x x x x .          order, so are the ranges in each of these rows: a
//           . . x x x . .          pointer a row finds them all by moving on.
//
// (J. Gan and Y. Tao, "DBSCAN revisited: mis-claim, un-fixability, and approximation",
// SIGMOD 2015, section 2; Y. Wang, Y. Gu and J. Shun, "Theoretically-efficient and
// practical parallel DBSCAN", SIGMOD 2020, section 4.)
#pragma once

#include <math.h>

#include "density_cells.h"
#include "radix_sort.h"

struct skx_cell_key_t {
    uint64_t key;
    int32_t row;
};
static inline uint64_t skx_key_of(const skx_cell_key_t &item) { return item.key; }

// A row of the grid near another one.
struct skx_grid_row_t {
    int64_t offset;  // of keys
    int reach;       // in cells of the last dimension
    int closeness;   // squared number of cells between
};

template <typename T, int D>
struct skx_cell_grid_t {
    skx_cells_t<T, D> cells;
    std::vector<int64_t> keys;          // (n_cells,), ascending
    std::vector<skx_grid_row_t> near_rows;  // the nearest first

    // False where the grid would have too many cells for the keys, or so many along a
    // dimension that rounding could tell points of one cell apart, and where the square
    // of eps is not a normal number.
    bool build(
        const T *X, int64_t n, int64_t row_stride, int64_t column_stride, double eps,
        skx_parallel_t parallel_for, int n_threads) {
        if (!(eps > 0x1p-500 && eps < 0x1p500)) return false;
        double low[D], high[D], n_along[D];
        int64_t steps[D];
        // Less by far more than the rounding of positions within 2**28 cells.
        const double side = eps / sqrt((double)D) * (1.0 - 0x1p-20);
        find_bounds(X, n, row_stride, column_stride, low, high, parallel_for, n_threads);
        int64_t step = 1;
        for (int j = D - 1; j >= 0; --j) {
            n_along[j] = floor((high[j] - low[j]) / side) + 1.0;
            if (!(n_along[j] < 0x1p28)) return false;
            steps[j] = step;
            // Empty cells beyond the last, so that no row goes on in the next.
            const int64_t n_cells_along = (int64_t)n_along[j] + MAX_REACH;
            if (step > (INT64_C(1) << 62) / n_cells_along) return false;
            step *= n_cells_along;
        }
        list_near_rows(steps);

        std::vector<skx_cell_key_t> items(n);
        const skx_parts_t parts(n, 1 << 14);
        auto set_keys = [&](int64_t part) {
            const int64_t first = parts.start(part), end = first + parts.length(part);
            for (int64_t i = first; i < end; ++i) {
                int64_t key = 0;
                for (int j = 0; j < D; ++j) {
                    const double x = (double)X[i * row_stride + j * column_stride];
                    key += (int64_t)((x - low[j]) / side) * steps[j];
                }
                items[i] = {(uint64_t)key, (int32_t)i};
            }
        };
        skx_run_tasks(parallel_for, parts.n_parts, n_threads, set_keys);
        skx_radix_sort(items.data(), (size_t)n);

        cells.n = n;
        cells.rows.resize(n);
        for (int64_t i = 0; i < n; ++i) {
            if (i == 0 || items[i].key != items[i - 1].key) {
                keys.push_back((int64_t)items[i].key);
                cells.starts.push_back((int32_t)i);
            }
            cells.rows[i] = items[i].row;
        }
        cells.starts.push_back((int32_t)n);
        cells.n_cells = (int64_t)keys.size();
        cells.coords.resize(D * n);
        auto copy = [&](int64_t part) {
            const int64_t first = parts.start(part), end = first + parts.length(part);
            for (int64_t i = first; i < end; ++i) {
                const T *row = X + cells.rows[i] * row_stride;
                for (int j = 0; j < D; ++j) {
                    cells.coords[j * n + i] = row[j * column_stride];
                }
            }
        };
        skx_run_tasks(parallel_for, parts.n_parts, n_threads, copy);
        cells.set_boxes();
        return true;
    }

    // Finds the cells near others, which have to be asked for in ascending order.
    struct walk_t {
        const skx_cell_grid_t &grid;
        std::vector<int64_t> places;  // the first cell not before the range, of each row

        explicit walk_t(const skx_cell_grid_t &grid) : grid(grid) {}

        // Write ranges of cells of which some may be within eps, the nearest first,
        // the cell itself among them; or only of those before it.
        void collect(int64_t cell, bool before, std::vector<skx_cell_range_t> &near) {
            const std::vector<int64_t> &keys = grid.keys;
            const bool is_first = places.empty();
            if (is_first) places.resize(grid.near_rows.size());
            near.clear();
            for (size_t i = 0; i < places.size(); ++i) {
                const skx_grid_row_t &row = grid.near_rows[i];
                if (before && row.offset > 0) continue;
                const int64_t middle = keys[cell] + row.offset;
                const int64_t lowest = middle - row.reach;
                const int64_t highest = before && row.offset == 0 ? middle - 1
                                                                  : middle + row.reach;
                int64_t place = is_first ? 0 : places[i], n_steps = is_first ? MAX_STEPS : 0;
                const int64_t n_cells = grid.cells.n_cells;
                while (place < n_cells && keys[place] < lowest) {
                    if (++n_steps > MAX_STEPS) {
                        place = std::lower_bound(
                                    keys.begin() + place, keys.end(), lowest) -
                                keys.begin();
                        break;
                    }
                    ++place;
                }
                places[i] = place;
                while (place < n_cells && keys[place] <= highest) ++place;
                if (place > places[i]) {
                    near.push_back({(int32_t)places[i], (int32_t)place});
                }
            }
        }
    };

  private:
    enum { MAX_REACH = 3, MAX_STEPS = 16, N_PER_DIM = 2 * MAX_REACH + 1 };

    static void find_bounds(
        const T *X, int64_t n, int64_t row_stride, int64_t column_stride, double *low,
        double *high, skx_parallel_t parallel_for, int n_threads) {
        const skx_parts_t parts(n, 1 << 14);
        std::vector<double> bounds(parts.n_parts * 2 * D);
        auto find = [&](int64_t part) {
            double least[D], most[D];
            for (int j = 0; j < D; ++j) {
                least[j] = INFINITY;
                most[j] = -INFINITY;
            }
            const int64_t first = parts.start(part), end = first + parts.length(part);
            for (int64_t i = first; i < end; ++i) {
                for (int j = 0; j < D; ++j) {
                    const double x = (double)X[i * row_stride + j * column_stride];
                    least[j] = std::min(least[j], x);
                    most[j] = std::max(most[j], x);
                }
            }
            std::copy(least, least + D, bounds.data() + part * 2 * D);
            std::copy(most, most + D, bounds.data() + part * 2 * D + D);
        };
        skx_run_tasks(parallel_for, parts.n_parts, n_threads, find);
        for (int j = 0; j < D; ++j) {
            low[j] = INFINITY;
            high[j] = -INFINITY;
            for (int64_t part = 0; part < parts.n_parts; ++part) {
                low[j] = std::min(low[j], bounds[part * 2 * D + j]);
                high[j] = std::max(high[j], bounds[part * 2 * D + D + j]);
            }
        }
    }

    // Points of cells k apart along a dimension are at least k - 1 sides apart, and eps
    // is sqrt(d) sides and a little more.
    void list_near_rows(const int64_t *steps) {
        const double limit = D * (1.0 + 0x1p-18);
        int n_rows = 1;
        for (int j = 0; j + 1 < D; ++j) n_rows *= N_PER_DIM;
        for (int i = 0; i < n_rows; ++i) {
            int64_t offset = 0;
            int closeness = 0, between = 0;
            for (int j = 0, rest = i; j + 1 < D; ++j, rest /= N_PER_DIM) {
                const int k = rest % N_PER_DIM - MAX_REACH;
                const int gap = std::max(std::abs(k) - 1, 0);
                offset += k * steps[j];
                closeness += k * k;
                between += gap * gap;
            }
            if (between > limit) continue;
            int reach = 1;
            while (reach < MAX_REACH && between + reach * reach <= limit) ++reach;
            near_rows.push_back({offset, reach, closeness});
        }
        std::stable_sort(
            near_rows.begin(), near_rows.end(),
            [](const skx_grid_row_t &a, const skx_grid_row_t &b) {
                return a.closeness < b.closeness;
            });
    }
};
