// The stages of DBSCAN over the cells of a grid (cell_grid.h):
//
//     find core points -> unite cells with core points within eps -> number the clusters
//     -> give border points to the lowest cluster with a core point within eps
//
// (M. Ester, H.-P. Kriegel, J. Sander and X. Xu, "A density-based algorithm for
// discovering clusters in large spatial databases with noise", KDD 1996; in cells: Gan
// and Tao, SIGMOD 2015; in parallel: Wang, Gu and Shun, SIGMOD 2020.) No stage keeps a
// neighbourhood. A cell with min_samples points needs no distance, all others count up to
// min_samples, and cells that are in one cluster already are not compared.
#pragma once

#include "atomic_sets.h"
#include "cell_grid.h"
#include "double_sum.h"

// What DBSCAN is asked for.
struct skx_density_t {
    double squared_eps;
    double min_samples;
    const double *weights;  // of the rows of the table, or NULL for ones
    bool has_negative;      // whether any weight is
};

// Points of ranges of cells with few points each are compared without a look at boxes.
enum { SKX_FEW_A_CELL = 4, SKX_POINTS_AT_ONCE = 64, SKX_MAX_PAIRS = 256 };

template <typename T, int D>
static inline int64_t skx_count_points(
    const skx_cells_t<T, D> &cells, const double *point, double squared_eps, int64_t first,
    int64_t end) {
    int64_t count = 0;
    for (int64_t i = first; i < end; ++i) {
        count += cells.squared_distance(i, point) <= squared_eps;
    }
    return count;
}

template <typename T, int D>
static inline bool skx_any_point(
    const skx_cells_t<T, D> &cells, const double *point, double squared_eps, int64_t first,
    int64_t end) {
    for (; first < end; first += SKX_POINTS_AT_ONCE) {
        const int64_t stop = std::min(end, first + (int64_t)SKX_POINTS_AT_ONCE);
        if (skx_count_points(cells, point, squared_eps, first, stop) > 0) return true;
    }
    return false;
}

// Number of points within eps, or some number of at least `enough`.
template <typename T, int D>
static inline int64_t skx_count_near(
    const skx_cells_t<T, D> &cells, const std::vector<skx_cell_range_t> &near,
    const double *point, double squared_eps, int64_t enough) {
    int64_t count = 0;
    for (const skx_cell_range_t &range : near) {
        const int64_t first = cells.starts[range.first], end = cells.starts[range.last];
        if (end - first <= SKX_FEW_A_CELL * (int64_t)(range.last - range.first)) {
            count += skx_count_points(cells, point, squared_eps, first, end);
            if (count >= enough) return count;
            continue;
        }
        for (int32_t cell = range.first; cell < range.last; ++cell) {
            const T *low = cells.lower(cell), *high = cells.upper(cell);
            if (skx_box_distance<D>(point, low, high) > squared_eps) continue;
            if (skx_farthest_distance<D>(point, low, high) <= squared_eps) {
                count += cells.size(cell);
                if (count >= enough) return count;
                continue;
            }
            int64_t i = cells.starts[cell];
            while (i < cells.starts[cell + 1]) {
                const int64_t stop =
                    std::min((int64_t)cells.starts[cell + 1], i + SKX_POINTS_AT_ONCE);
                count += skx_count_points(cells, point, squared_eps, i, stop);
                if (count >= enough) return count;
                i = stop;
            }
        }
    }
    return count;
}

// Whether the weights of points within eps add up to min_samples.
template <typename T, int D>
static inline bool skx_has_weight(
    const skx_cells_t<T, D> &cells, const std::vector<skx_cell_range_t> &near,
    const double *point, const skx_density_t &density) {
    skx_double_sum_t sum;
    for (const skx_cell_range_t &range : near) {
        for (int64_t i = cells.starts[range.first]; i < cells.starts[range.last]; ++i) {
            if (!(cells.squared_distance(i, point) <= density.squared_eps)) continue;
            sum.add(density.weights[cells.rows[i]]);
            if (!density.has_negative && sum.high >= density.min_samples) return true;
        }
    }
    return sum.high >= density.min_samples;
}

// Finds the core points of one cell, and puts them first in it. OUT: is_core, of the
// rows of the table, n_core, of the cell.
template <typename T, int D>
static inline void skx_find_cores(
    const skx_cells_t<T, D> &cells, typename skx_cell_grid_t<T, D>::walk_t &walk, int64_t cell,
    const skx_density_t &density, std::vector<skx_cell_range_t> &near, uint8_t *is_core,
    int32_t *n_core) {
    const int64_t first = cells.starts[cell], end = cells.starts[cell + 1];
    if (!density.weights && (double)(end - first) >= density.min_samples) {
        for (int64_t i = first; i < end; ++i) is_core[cells.rows[i]] = 1;
        *n_core = (int32_t)(end - first);
        return;
    }
    walk.collect(cell, false, near);
    if (!density.weights) {
        int64_t n_near = 0;
        for (const skx_cell_range_t &range : near) {
            n_near += cells.starts[range.last] - cells.starts[range.first];
        }
        if ((double)n_near < density.min_samples) return;
    }
    double point[D];
    for (int64_t i = first; i < end; ++i) {
        cells.get_point(i, point);
        const bool is = density.weights
                            ? skx_has_weight(cells, near, point, density)
                            : (double)skx_count_near(
                                  cells, near, point, density.squared_eps,
                                  (int64_t)density.min_samples) >= density.min_samples;
        is_core[cells.rows[i]] = is;
        *n_core += is;
    }
}

// Puts the core points of each cell before the others, in their order.
template <typename T, int D>
static inline void skx_put_cores_first(
    skx_cells_t<T, D> &cells, int64_t cell, const uint8_t *is_core,
    std::vector<int32_t> &order, std::vector<T> &values) {
    const int64_t first = cells.starts[cell], n = cells.size(cell);
    order.clear();
    for (int pass = 0; pass < 2; ++pass) {
        for (int64_t i = 0; i < n; ++i) {
            if ((is_core[cells.rows[first + i]] != 0) == (pass == 0)) {
                order.push_back((int32_t)i);
            }
        }
    }
    values.resize(n);
    for (int j = 0; j < D; ++j) {
        T *of_cell = cells.coords.data() + j * cells.n + first;
        for (int64_t i = 0; i < n; ++i) values[i] = of_cell[order[i]];
        std::copy(values.begin(), values.end(), of_cell);
    }
    for (int64_t i = 0; i < n; ++i) order[i] = cells.rows[first + order[i]];
    std::copy(order.begin(), order.end(), cells.rows.begin() + first);
}

// Whether two sets of points have a pair within eps: the larger is halved until boxes
// around the points say yes or no, or few pairs are left.
template <typename T, int D>
static bool skx_sets_touch(
    const skx_cells_t<T, D> &cells, int32_t *a, int64_t n_a, int32_t *b, int64_t n_b,
    double squared_eps) {
    if (n_a * n_b <= SKX_MAX_PAIRS) {
        double point[D];
        for (int64_t i = 0; i < n_a; ++i) {
            cells.get_point(a[i], point);
            for (int64_t k = 0; k < n_b; ++k) {
                if (cells.squared_distance(b[k], point) <= squared_eps) return true;
            }
        }
        return false;
    }
    T boxes[2][2][D];
    const int32_t *sets[2] = {a, b};
    const int64_t sizes[2] = {n_a, n_b};
    for (int side = 0; side < 2; ++side) {
        for (int j = 0; j < D; ++j) {
            const T *values = cells.coords.data() + j * cells.n;
            T low = values[sets[side][0]], high = low;
            for (int64_t i = 1; i < sizes[side]; ++i) {
                low = std::min(low, values[sets[side][i]]);
                high = std::max(high, values[sets[side][i]]);
            }
            boxes[side][0][j] = low;
            boxes[side][1][j] = high;
        }
    }
    if (skx_cell_gap<D>(boxes[0][0], boxes[0][1], boxes[1][0], boxes[1][1]) > squared_eps) {
        return false;
    }
    if (skx_cell_span<D>(boxes[0][0], boxes[0][1], boxes[1][0], boxes[1][1]) <=
        squared_eps) {
        return true;
    }
    if (n_a < n_b) return skx_sets_touch(cells, b, n_b, a, n_a, squared_eps);
    int widest = 0;
    for (int j = 1; j < D; ++j) {
        if (boxes[0][1][j] - boxes[0][0][j] > boxes[0][1][widest] - boxes[0][0][widest]) {
            widest = j;
        }
    }
    const T *values = cells.coords.data() + widest * cells.n;
    const int64_t half = n_a / 2;
    std::nth_element(a, a + half, a + n_a, [values](int32_t i, int32_t k) {
        return values[i] < values[k];
    });
    // The half that is nearer is more likely to touch.
    const bool low_first = boxes[0][0][widest] + boxes[0][1][widest] >=
                           boxes[1][0][widest] + boxes[1][1][widest];
    int32_t *nearer = low_first ? a : a + half, *farther = low_first ? a + half : a;
    const int64_t n_nearer = low_first ? half : n_a - half;
    return skx_sets_touch(cells, nearer, n_nearer, b, n_b, squared_eps) ||
           skx_sets_touch(cells, farther, n_a - n_nearer, b, n_b, squared_eps);
}

// Points of a cell's first `n_points` that are within eps of a box.
template <typename T, int D>
static inline void skx_list_near_box(
    const skx_cells_t<T, D> &cells, int64_t first, int64_t n_points, const T *low,
    const T *high, double squared_eps, std::vector<int32_t> &list) {
    double point[D];
    list.clear();
    for (int64_t i = first; i < first + n_points; ++i) {
        cells.get_point(i, point);
        if (skx_box_distance<D>(point, low, high) <= squared_eps) {
            list.push_back((int32_t)i);
        }
    }
}

struct skx_point_lists_t {
    std::vector<int32_t> a, b;
};

// Whether core points of two cells are within eps.
template <typename T, int D>
static inline bool skx_cells_touch(
    const skx_cells_t<T, D> &cells, int64_t a, int64_t n_a, int64_t b, int64_t n_b,
    double squared_eps, skx_point_lists_t &lists) {
    if (n_a == 1 || n_b == 1) {
        double point[D];
        if (n_a != 1) {
            std::swap(a, b);
            std::swap(n_a, n_b);
        }
        cells.get_point(cells.starts[a], point);
        return skx_any_point(
            cells, point, squared_eps, cells.starts[b], cells.starts[b] + n_b);
    }
    if (skx_cell_gap<D>(cells.lower(a), cells.upper(a), cells.lower(b), cells.upper(b)) >
        squared_eps) {
        return false;
    }
    skx_list_near_box(
        cells, cells.starts[a], n_a, cells.lower(b), cells.upper(b), squared_eps, lists.a);
    if (lists.a.empty()) return false;
    skx_list_near_box(
        cells, cells.starts[b], n_b, cells.lower(a), cells.upper(a), squared_eps, lists.b);
    if (lists.b.empty()) return false;
    return skx_sets_touch(
        cells, lists.a.data(), (int64_t)lists.a.size(), lists.b.data(),
        (int64_t)lists.b.size(), squared_eps);
}

// Unites a cell with those before it that have core points within eps of its own.
template <typename T, int D>
static inline void skx_unite_cell(
    const skx_cells_t<T, D> &cells, typename skx_cell_grid_t<T, D>::walk_t &walk, int64_t cell,
    const int32_t *n_core, double squared_eps, std::vector<skx_cell_range_t> &near,
    skx_point_lists_t &lists, skx_atomic_sets_t &sets) {
    walk.collect(cell, true, near);
    for (const skx_cell_range_t &range : near) {
        for (int32_t other = range.last - 1; other >= range.first; --other) {
            if (n_core[other] == 0) continue;
            if (sets.find((int32_t)cell) == sets.find(other)) continue;
            if (skx_cells_touch(
                    cells, cell, n_core[cell], other, n_core[other], squared_eps,
                    lists)) {
                sets.unite((int32_t)cell, other);
            }
        }
    }
}

// The lowest cluster with a core point within eps of a point, -1 if there is none.
template <typename T, int D>
static inline int32_t skx_find_border_label(
    const skx_cells_t<T, D> &cells, const std::vector<skx_cell_range_t> &near,
    const double *point, double squared_eps, const int32_t *n_core,
    const int32_t *cell_labels) {
    int32_t best = INT32_MAX;
    for (const skx_cell_range_t &range : near) {
        for (int32_t cell = range.first; cell < range.last; ++cell) {
            if (n_core[cell] == 0 || cell_labels[cell] >= best) continue;
            if (n_core[cell] > SKX_FEW_A_CELL &&
                skx_box_distance<D>(
                    point, cells.lower(cell), cells.upper(cell)) >
                    squared_eps) {
                continue;
            }
            const int64_t first = cells.starts[cell];
            if (skx_any_point(cells, point, squared_eps, first, first + n_core[cell])) {
                best = cell_labels[cell];
            }
        }
    }
    return best == INT32_MAX ? -1 : best;
}

// All stages. OUT: labels and is_core of the rows of the table. False if interrupted.
template <typename T, int D>
static bool skx_cluster_cells(
    skx_cell_grid_t<T, D> &grid, const skx_density_t &density, int64_t *labels, uint8_t *is_core,
    skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    auto &cells = grid.cells;
    const skx_parts_t parts(cells.n_cells, SKX_CELLS_PER_TASK);
    std::vector<int32_t> n_core(cells.n_cells);
    std::fill(is_core, is_core + cells.n, 0);
    std::fill(labels, labels + cells.n, -1);
    const auto run = [&](auto &task) {
        return skx_run_tasks_while(
            parallel_for, parts.n_parts, SKX_TASKS_BETWEEN_SIGNALS, n_threads, task, goes_on);
    };

    auto find_cores = [&](int64_t part) {
        typename skx_cell_grid_t<T, D>::walk_t walk(grid);
        std::vector<skx_cell_range_t> near;
        const int64_t first = parts.start(part), end = first + parts.length(part);
        for (int64_t cell = first; cell < end; ++cell) {
            skx_find_cores(cells, walk, cell, density, near, is_core, &n_core[cell]);
        }
    };
    if (!run(find_cores)) return false;

    auto put_first = [&](int64_t part) {
        std::vector<int32_t> order;
        std::vector<T> values;
        const int64_t first = parts.start(part), end = first + parts.length(part);
        for (int64_t cell = first; cell < end; ++cell) {
            if (n_core[cell] > 0 && n_core[cell] < cells.size(cell)) {
                skx_put_cores_first(cells, cell, is_core, order, values);
            }
        }
    };
    skx_run_tasks(parallel_for, parts.n_parts, n_threads, put_first);

    skx_atomic_sets_t sets(cells.n_cells);
    auto unite = [&](int64_t part) {
        typename skx_cell_grid_t<T, D>::walk_t walk(grid);
        std::vector<skx_cell_range_t> near;
        skx_point_lists_t lists;
        const int64_t first = parts.start(part), end = first + parts.length(part);
        for (int64_t cell = first; cell < end; ++cell) {
            if (n_core[cell] == 0) continue;
            skx_unite_cell(
                cells, walk, cell, n_core.data(), density.squared_eps, near, lists, sets);
        }
    };
    if (!run(unite)) return false;

    // Clusters are numbered by their lowest core row.
    std::vector<int32_t> cell_of_row(cells.n), cell_labels(cells.n_cells, -1);
    for (int64_t cell = 0; cell < cells.n_cells; ++cell) {
        for (int64_t i = cells.starts[cell]; i < cells.starts[cell + 1]; ++i) {
            cell_of_row[cells.rows[i]] = (int32_t)cell;
        }
    }
    int32_t n_clusters = 0;
    for (int64_t row = 0; row < cells.n; ++row) {
        if (!is_core[row]) continue;
        const int32_t root = sets.find(cell_of_row[row]);
        if (cell_labels[root] < 0) cell_labels[root] = n_clusters++;
        labels[row] = cell_labels[root];
    }
    for (int64_t cell = 0; cell < cells.n_cells; ++cell) {
        if (n_core[cell] > 0) cell_labels[cell] = cell_labels[sets.find((int32_t)cell)];
    }

    auto label_border = [&](int64_t part) {
        typename skx_cell_grid_t<T, D>::walk_t walk(grid);
        std::vector<skx_cell_range_t> near;
        double point[D];
        const int64_t first = parts.start(part), end = first + parts.length(part);
        for (int64_t cell = first; cell < end; ++cell) {
            if (n_core[cell] == cells.size(cell)) continue;
            walk.collect(cell, false, near);
            for (int64_t i = cells.starts[cell] + n_core[cell]; i < cells.starts[cell + 1];
                 ++i) {
                cells.get_point(i, point);
                labels[cells.rows[i]] = skx_find_border_label(
                    cells, near, point, density.squared_eps, n_core.data(),
                    cell_labels.data());
            }
        }
    };
    return run(label_border);
}

// 1 if done, 0 where the points do not fit in a grid, -1 if interrupted.
template <typename T, int D>
static int skx_cluster_in_dims(
    const T *X, int64_t n, int64_t row_stride, int64_t column_stride, double eps,
    const skx_density_t &density, int64_t *labels, uint8_t *is_core,
    skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    skx_cell_grid_t<T, D> grid;
    if (!grid.build(X, n, row_stride, column_stride, eps, parallel_for, n_threads)) return 0;
    return skx_cluster_cells(
               grid, density, labels, is_core, parallel_for, n_threads, goes_on)
               ? 1
               : -1;
}

template <typename T>
static int skx_cluster_on_grid(
    const T *X, int64_t n, int64_t n_dims, int64_t row_stride, int64_t column_stride,
    double eps, const skx_density_t &density, int64_t *labels, uint8_t *is_core,
    skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    const auto function = n_dims == 1   ? skx_cluster_in_dims<T, 1>
                          : n_dims == 2 ? skx_cluster_in_dims<T, 2>
                          : n_dims == 3 ? skx_cluster_in_dims<T, 3>
                                        : skx_cluster_in_dims<T, 4>;
    return function(
        X, n, row_stride, column_stride, eps, density, labels, is_core, parallel_for,
        n_threads, goes_on);
}
