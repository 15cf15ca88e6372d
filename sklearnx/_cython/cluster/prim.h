// Prim's algorithm on all pairs of mutual reachability distances, in linear memory.
//
// (R. C. Prim, "Shortest connection networks and some generalizations", 1957.) Each point
// outside the tree keeps the least weight of an edge to it, `reach`, and the point at the
// other end, `source`. The next to come in has the least reach, of several the lowest row;
// a source gives way only to one that is nearer, not to one as near.
//
// Points stand in blocks of 64, column by column, in the order of their rows, those that
// are in for as long as an eighth of all are not. In a step most blocks have no point whose
// distance is below its limit, the reach that it is to improve on, and are left at that.

#pragma once

#include <vector>

#include "kd_tree.h"

enum { SKX_BLOCK = 64 };

// Reduced distances of a point to those of a block; whether any is at most its limit.
template <typename Add>
SKX_INLINE bool skx_block_distances(
    const double *block, int64_t n_columns, const double *query, double p,
    const double *limits, double *SKX_RESTRICT sums) {
    for (int i = 0; i < SKX_BLOCK; ++i) sums[i] = 0.0;
    for (int64_t j = 0; j < n_columns; ++j) {
        const double *column = block + j * SKX_BLOCK;
        const double value = query[j];
        for (int i = 0; i < SKX_BLOCK; ++i) {
            sums[i] = Add::add(sums[i], column[i] - value, p);
        }
    }
    int64_t any = 0;
    for (int i = 0; i < SKX_BLOCK; ++i) any |= sums[i] <= limits[i] ? 1 : 0;
    return any != 0;
}

SKX_CLONES static bool skx_block_distances_by(
    int metric, const double *block, int64_t n_columns, const double *query, double p,
    const double *limits, double *sums) {
    if (metric == 0) {
        return skx_block_distances<skx_euclidean_add_t>(
            block, n_columns, query, p, limits, sums);
    }
    if (metric == 1) {
        return skx_block_distances<skx_manhattan_add_t>(
            block, n_columns, query, p, limits, sums);
    }
    if (metric == 2) {
        return skx_block_distances<skx_chebyshev_add_t>(
            block, n_columns, query, p, limits, sums);
    }
    return skx_block_distances<skx_minkowski_add_t>(
        block, n_columns, query, p, limits, sums);
}

class skx_prim_t {
  public:
    // IN: core distances of the rows, reduced for Minkowski's metrics as are its weights.
    template <typename T>
    skx_prim_t(
        const T *X, int64_t n, int64_t n_columns, int64_t row_stride, int64_t column_stride,
        const double *core, int metric, double p, double alpha)
        : n_columns_(n_columns), m_(n), n_in_(0), metric_(metric), p_(p), alpha_(alpha),
          core_(core), query_(n_columns), rows_(n), sources_(n, 0),
          points_(n_blocks() * SKX_BLOCK * n_columns, INF), reach_(n, INF),
          limits_(n_blocks() * SKX_BLOCK, INF), least_(n_blocks(), INF) {
        for (int64_t i = 0; i < n; ++i) {
            rows_[i] = (int32_t)i;
            for (int64_t j = 0; j < n_columns; ++j) {
                *at(i, j) = (double)X[i * row_stride + j * column_stride];
            }
        }
        take_in(0);
    }

    // Write the next `n_steps` edges, from the source to the point that comes in.
    void grow(int64_t n_steps, int32_t *from, int32_t *to, double *weights) {
        for (int64_t step = 0; step < n_steps; ++step) {
            for (int64_t block = 0; block < n_blocks(); ++block) reach_into(block);
            const int64_t block =
                std::min_element(least_.begin(), least_.begin() + n_blocks()) -
                least_.begin();
            int64_t place = block * SKX_BLOCK;
            // Reaches may be infinite, where distances are; those in have no row.
            while (rows_[place] < 0 || !(reach_[place] <= least_[block])) ++place;
            from[step] = sources_[place];
            to[step] = rows_[place];
            weights[step] = reach_[place];
            take_in(place);
        }
    }

  private:
    static constexpr double INF = std::numeric_limits<double>::infinity();

    int64_t n_blocks() const { return (m_ + SKX_BLOCK - 1) / SKX_BLOCK; }
    double *at(int64_t place, int64_t j) {
        const int64_t block = place / SKX_BLOCK;
        return &points_[(block * n_columns_ + j) * SKX_BLOCK + place % SKX_BLOCK];
    }

    void reach_into(int64_t block) {
        double sums[SKX_BLOCK];
        const double *points = &points_[block * n_columns_ * SKX_BLOCK];
        const double *limits = &limits_[block * SKX_BLOCK];
        if (!skx_block_distances_by(
                metric_, points, n_columns_, query_.data(), p_, limits, sums)) {
            return;
        }
        const int64_t first = block * SKX_BLOCK;
        const int64_t n = std::min<int64_t>(SKX_BLOCK, m_ - first);
        for (int64_t i = 0; i < n; ++i) {
            const int64_t place = first + i;
            if (rows_[place] < 0 || !(sums[i] <= limits_[place])) continue;
            double weight = metric_ == 0 ? sqrt(sums[i]) : sums[i];
            if (alpha_ != 1.0) weight /= alpha_;
            weight = std::max({weight, current_core_, core_[rows_[place]]});
            if (!(weight < reach_[place])) continue;
            set_reach(place, weight);
            sources_[place] = current_;
            least_[block] = std::min(least_[block], weight);
        }
    }

    // No distance above the limit rounds to one below the reach.
    void set_reach(int64_t place, double reach) {
        const double distance = reach * alpha_ * (1.0 + 1e-14);
        reach_[place] = reach;
        limits_[place] = metric_ == 0 ? distance * distance : distance;
    }

    void find_least(int64_t block) {
        const int64_t first = block * SKX_BLOCK;
        const int64_t last = std::min(m_, first + SKX_BLOCK);
        least_[block] = INF;
        for (int64_t i = first; i < last; ++i) {
            if (rows_[i] >= 0) least_[block] = std::min(least_[block], reach_[i]);
        }
    }

    void take_in(int64_t place) {
        current_ = rows_[place];
        current_core_ = core_[current_];
        for (int64_t j = 0; j < n_columns_; ++j) query_[j] = *at(place, j);
        rows_[place] = -1;
        limits_[place] = -1.0;
        find_least(place / SKX_BLOCK);
        if (8 * ++n_in_ > m_) drop_those_in();
    }

    void drop_those_in() {
        int64_t k = 0;
        for (int64_t i = 0; i < m_; ++i) {
            if (rows_[i] < 0) continue;
            for (int64_t j = 0; j < n_columns_; ++j) *at(k, j) = *at(i, j);
            rows_[k] = rows_[i];
            reach_[k] = reach_[i];
            limits_[k] = limits_[i];
            sources_[k] = sources_[i];
            ++k;
        }
        m_ = k;
        n_in_ = 0;
        for (int64_t i = m_; i < n_blocks() * SKX_BLOCK; ++i) limits_[i] = -1.0;
        for (int64_t block = 0; block < n_blocks(); ++block) find_least(block);
    }

    const int64_t n_columns_;
    int64_t m_, n_in_;  // points in the blocks, and those of them that are in
    const int metric_;
    const double p_, alpha_;
    const double *core_;
    double current_core_;
    int32_t current_;
    std::vector<double> query_;  // the point that came in last
    std::vector<int32_t> rows_, sources_;
    std::vector<double> points_, reach_, limits_, least_;
};
