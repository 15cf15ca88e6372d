// The order in which Prim's algorithm on all pairs takes in the points, and by which edges,
// found on a sparse graph.
//
// From row 0 on, the point outside that is nearest to the tree comes in next, of several
// at the same distance the lowest row; its source is the first point in the tree at that
// distance (R. C. Prim, 1957). Where edges of a cut tie, that choice depends on all of them,
// not on one spanning tree. An edge that may be chosen is one of the least across some cut,
// so that all those of any spanning tree together suffice. For mutual reachability, where
// no two distances are equal, they are
//
//     - the edges of one minimum spanning tree
//     - from each point a to all points b with d(a, b) <= core(a) and core(b) <= core(a):
//       all have the weight core(a), and no edge of a has a smaller one

#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "kd_queries.h"

// For each point a the points b with d(a, b) <= core(a) and core(b) <= core(a).
struct skx_near_lists_t {
    std::vector<int64_t> start;  // (n + 1,)
    std::vector<int32_t> points;
};

// Whether all was done. No lists at all where they would have more than `max_points`, as
// they may where most distances are equal.
template <typename Metric>
static bool skx_list_near(
    const skx_kd_tree_t &tree, const Metric &metric, const double *core, int64_t max_points,
    skx_near_lists_t &near, skx_parallel_t run, int n_threads, int (*goes_on)()) {
    const skx_parts_t parts(tree.n_leaves, SKX_LEAVES_A_TASK);
    std::vector<std::vector<int32_t>> found(parts.n_parts);
    near.start.assign(tree.n + 1, 0);
    std::atomic<int64_t> n_points(0);
    auto list = [&](int64_t part) {
        std::vector<int32_t> own[SKX_LEAF];
        for (int64_t i = 0; i < parts.length(part); ++i) {
            if (n_points.load(std::memory_order_relaxed) > max_points) return;
            const int64_t leaf = parts.start(part) + i, first = leaf * SKX_LEAF;
            double radii[SKX_LEAF];
            std::fill(radii, radii + SKX_LEAF, -1.0);
            std::copy_n(core + first, tree.length(leaf), radii);
            for (std::vector<int32_t> &points : own) points.clear();
            auto visit = [&](int q, int64_t other, uint32_t bits, const double *) {
                for (; bits; bits &= bits - 1) {
                    const int64_t p = other * SKX_LEAF + skx_lowest_bit(bits);
                    if (core[p] <= radii[q] && p != first + q) {
                        own[q].push_back((int32_t)p);
                    }
                }
            };
            skx_visit_within_radii(tree, leaf, tree, metric, radii, visit);
            for (int q = 0; q < tree.length(leaf); ++q) {
                near.start[first + q + 1] = (int64_t)own[q].size();
                n_points.fetch_add((int64_t)own[q].size(), std::memory_order_relaxed);
                found[part].insert(found[part].end(), own[q].begin(), own[q].end());
            }
        }
    };
    if (!skx_run_tasks_while(run, parts.n_parts, 256, n_threads, list, goes_on)) {
        return false;
    }
    if (n_points.load() > max_points) {
        near.start.clear();
        return true;
    }
    for (int64_t p = 0; p < tree.n; ++p) near.start[p + 1] += near.start[p];
    near.points.resize(near.start[tree.n]);
    auto collect = [&](int64_t part) {
        const int64_t first = near.start[parts.start(part) * SKX_LEAF];
        std::copy(found[part].begin(), found[part].end(), near.points.begin() + first);
        std::vector<int32_t>().swap(found[part]);
    };
    skx_run_tasks(run, parts.n_parts, n_threads, collect);
    return true;
}

class skx_visitor_t {
  public:
    // IN: for each of n points its row and core distance, the n - 1 edges of a spanning
    // tree, and the near lists of the first points, of all that have any.
    skx_visitor_t(
        int64_t n, const int32_t *rows, const double *core, const int32_t *a,
        const int32_t *b, const double *weights, int64_t n_near, const int64_t *near_start,
        const int32_t *near)
        : n_(n), n_near_(n_near), rows_(rows), core_(core), weights_(weights),
          near_start_(near_start), near_(near), start_(n + 1, 0), ends_(2 * (n - 1)),
          edges_(2 * (n - 1)), back_start_(n + 1, 0), back_(near_start[n_near]),
          reach_(n, std::numeric_limits<double>::infinity()), source_(n, -1), is_in_(n, 0) {
        for (int64_t e = 0; e < n - 1; ++e) {
            ++start_[a[e] + 1];
            ++start_[b[e] + 1];
        }
        for (int64_t i = 0; i < near_start[n_near]; ++i) ++back_start_[near[i] + 1];
        for (int64_t i = 0; i < n; ++i) {
            start_[i + 1] += start_[i];
            back_start_[i + 1] += back_start_[i];
        }
        std::vector<int64_t> place(start_.begin(), start_.end() - 1);
        for (int64_t e = 0; e < n - 1; ++e) {
            edges_[place[a[e]]] = edges_[place[b[e]]] = (int32_t)e;
            ends_[place[a[e]]++] = b[e];
            ends_[place[b[e]]++] = a[e];
        }
        place.assign(back_start_.begin(), back_start_.end() - 1);
        for (int64_t p = 0; p < n_near; ++p) {
            for (int64_t i = near_start[p]; i < near_start[p + 1]; ++i) {
                back_[place[near[i]]++] = (int32_t)p;
            }
        }
    }

    // Visit all points from `first` on. OUT: (n - 1,) rows at the ends of the edges, from
    // the source to the point that comes in, and weights.
    void visit(int32_t first, int32_t *from, int32_t *to, double *weights) {
        int32_t current = first;
        is_in_[first] = 1;
        for (int64_t i = 0; i < n_ - 1; ++i) {
            offer_all(current);
            while (is_in_[heap_.front().point]) drop_first();
            current = heap_.front().point;
            drop_first();
            is_in_[current] = 1;
            from[i] = rows_[source_[current]];
            to[i] = rows_[current];
            weights[i] = reach_[current];
        }
    }

  private:
    struct entry_t {
        double weight;
        int32_t row, point;

        // For a heap with the least first.
        bool operator<(const entry_t &b) const {
            return weight > b.weight || (weight == b.weight && row > b.row);
        }
    };

    void drop_first() {
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.pop_back();
    }
    void offer(int32_t source, int32_t point, double weight) {
        if (is_in_[point] || !(weight < reach_[point])) return;
        reach_[point] = weight;
        source_[point] = source;
        heap_.push_back({weight, rows_[point], point});
        std::push_heap(heap_.begin(), heap_.end());
    }
    void offer_all(int32_t p) {
        for (int64_t i = start_[p]; i < start_[p + 1]; ++i) {
            offer(p, ends_[i], weights_[edges_[i]]);
        }
        for (int64_t i = back_start_[p]; i < back_start_[p + 1]; ++i) {
            offer(p, back_[i], core_[back_[i]]);
        }
        if (p >= n_near_) return;
        for (int64_t i = near_start_[p]; i < near_start_[p + 1]; ++i) {
            offer(p, near_[i], core_[p]);
        }
    }

    const int64_t n_, n_near_;
    const int32_t *rows_;
    const double *core_, *weights_;
    const int64_t *near_start_;
    const int32_t *near_;
    std::vector<int64_t> start_;        // of each point's edges of the tree
    std::vector<int32_t> ends_, edges_;
    std::vector<int64_t> back_start_;   // of the points in whose near lists it is
    std::vector<int32_t> back_;
    std::vector<double> reach_;
    std::vector<int32_t> source_;
    std::vector<uint8_t> is_in_;
    std::vector<entry_t> heap_;
};
