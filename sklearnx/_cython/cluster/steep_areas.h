// Clusters of a reachability plot: valleys between a steep way down and a steep way up.
//
//     reach |  .                     .      . steep down area D    U steep up area
//           |  D.                  .U
//           |   D.     ....      .U         "mib" of D: the largest reach between the end
//           |    D....      ....U           of D and here
//           +---------------------------> order
//
// (M. Ankerst et al., "OPTICS", SIGMOD 1999, definitions 9 to 11 and figure 19. In
// definition 9 a point is steep down if r(p) (1 - xi) >= r(p + 1), and 11.4c seeks
// r(x) > r(sD): scikit-learn corrects both, and so do we. Predecessors: E. Schubert and
// M. Gertz, "Improving the cluster structure extracted from OPTICS plots", LWDA 2018,
// algorithm 2.)
#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <map>
#include <vector>

struct skx_plot_t {
    const double *reach;          // (n + 1,), in order, the last inf
    const int64_t *predecessors;  // (n,), places in the order, -1 for none
    int64_t n;
    double shrink;  // 1 - xi
    int64_t min_samples, min_size;

    double ratio(int64_t i) const { return reach[i] / reach[i + 1]; }
    bool is_steep_up(int64_t i) const { return ratio(i) <= shrink; }
    bool is_steep_down(int64_t i) const { return ratio(i) >= 1.0 / shrink; }
    bool is_down(int64_t i) const { return ratio(i) > 1.0; }
    bool is_up(int64_t i) const { return ratio(i) < 1.0; }
};

struct skx_down_area_t {
    int64_t start, end;
    double between;  // "mib"
};

struct skx_valley_t {
    int64_t start, end;
};

// The last point of the steep area that starts at a point: it goes on over points that go
// the same way or are level, but over no more than min_samples in a row that are not steep.
static inline int64_t skx_find_area_end(const skx_plot_t &plot, int64_t start, bool is_up) {
    int64_t end = start, n_flat = 0;
    for (int64_t i = start; i < plot.n; ++i) {
        if (is_up ? plot.is_steep_up(i) : plot.is_steep_down(i)) {
            n_flat = 0;
            end = i;
        } else if (is_up ? plot.is_down(i) : plot.is_up(i)) {
            break;
        } else if (++n_flat > plot.min_samples) {
            break;
        }
    }
    return end;
}

// Leave out the areas that the largest reach since has ended.
static inline void skx_filter_areas(
    const skx_plot_t &plot, double between, std::vector<skx_down_area_t> &areas) {
    if (isinf(between)) {
        areas.clear();
        return;
    }
    const auto is_over = [&](const skx_down_area_t &area) {
        return !(between <= plot.reach[area.start] * plot.shrink);
    };
    areas.erase(std::remove_if(areas.begin(), areas.end(), is_over), areas.end());
    for (skx_down_area_t &area : areas) area.between = std::max(area.between, between);
}

// Cut points off the end of a valley that were not reached from within it. False where
// nothing is left.
static inline bool skx_correct_end(const skx_plot_t &plot, skx_valley_t &valley) {
    for (; valley.start < valley.end; --valley.end) {
        if (plot.reach[valley.start] > plot.reach[valley.end]) return true;
        const int64_t from = plot.predecessors[valley.end];
        if (from >= valley.start && from < valley.end) return true;
    }
    return false;
}

// The valley between a down area and the up area from `up_start` to `up_end`; false where
// it is no cluster.
static inline bool skx_make_valley(
    const skx_plot_t &plot, const skx_down_area_t &down, int64_t up_start, int64_t up_end,
    bool corrects, skx_valley_t &valley) {
    const double *reach = plot.reach;
    const double at_start = reach[down.start], at_end = reach[up_end + 1];
    if (at_end * plot.shrink < down.between) return false;
    valley = {down.start, up_end};
    if (at_start * plot.shrink >= at_end) {
        while (valley.start < down.end && reach[valley.start + 1] > at_end) ++valley.start;
    } else if (at_end * plot.shrink >= at_start) {
        while (valley.end > up_start && reach[valley.end - 1] > at_start) --valley.end;
    }
    if (corrects && !skx_correct_end(plot, valley)) return false;
    return valley.end - valley.start + 1 >= plot.min_size && valley.start <= down.end &&
           valley.end >= up_start;
}

// All valleys, inner ones before those around them.
static inline std::vector<skx_valley_t> skx_find_valleys(
    const skx_plot_t &plot, bool corrects) {
    std::vector<skx_valley_t> valleys, of_area;
    std::vector<skx_down_area_t> areas;
    double between = 0.0;
    int64_t next = 0;
    for (int64_t i = 0; i < plot.n; ++i) {
        const bool is_down = plot.is_steep_down(i);
        if (i < next || !(is_down || plot.is_steep_up(i))) continue;
        between = std::max(between, *std::max_element(plot.reach + next, plot.reach + i + 1));
        skx_filter_areas(plot, between, areas);
        const int64_t end = skx_find_area_end(plot, i, !is_down);
        next = end + 1;
        between = plot.reach[next];
        if (is_down) {
            areas.push_back({i, end, 0.0});
            continue;
        }
        of_area.clear();
        for (const skx_down_area_t &down : areas) {
            skx_valley_t valley;
            if (skx_make_valley(plot, down, i, end, corrects, valley)) {
                of_area.push_back(valley);
            }
        }
        valleys.insert(valleys.end(), of_area.rbegin(), of_area.rend());
    }
    return valleys;
}

// Number the valleys that no earlier one has a point of. OUT: labels (n,), in order, -1
// for the rest.
static inline void skx_label_valleys(
    const std::vector<skx_valley_t> &valleys, int64_t n, int64_t *labels) {
    std::map<int64_t, int64_t> ends;  // of the valleys with a label, by their starts
    std::fill(labels, labels + n, -1);
    for (const skx_valley_t &valley : valleys) {
        const auto after = ends.upper_bound(valley.end);
        if (after != ends.begin() && std::prev(after)->second >= valley.start) continue;
        std::fill(
            labels + valley.start, labels + valley.end + 1, (int64_t)ends.size());
        ends[valley.start] = valley.end;
    }
}
