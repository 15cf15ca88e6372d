// The order of OPTICS (reach_order.h) where a matrix tells the distances, or somebody does
// who is asked for them point by point.
#pragma once

#include <math.h>

#include <vector>

#include "density_graph.h"

// The rows that are still to come, by their reach: a tree of matches in which the winner
// of two goes up, the one of the lower reach, then of the lower row (Knuth, The Art of
// Computer Programming 3, 5.4.1).
struct skx_tournament_t {
    int64_t n_places;             // a power of two
    std::vector<int64_t> winners;  // [1] of all, [k] of [2 k] and [2 k + 1]; -1 for none
    const double *reach;

    skx_tournament_t(const double *reach, int64_t n) : n_places(1), reach(reach) {
        while (n_places < n) n_places *= 2;
        winners.assign(2 * n_places, -1);
        for (int64_t i = 0; i < n; ++i) winners[n_places + i] = i;
        for (int64_t k = n_places - 1; k > 0; --k) play(k);
    }

    int64_t winner() const { return winners[1]; }
    void remove(int64_t row) {
        winners[n_places + row] = -1;
        replay(row);
    }
    // After the reach of a row has become less.
    void replay(int64_t row) {
        for (int64_t k = (n_places + row) / 2; k > 0; k /= 2) play(k);
    }

  private:
    void play(int64_t k) {
        const int64_t a = winners[2 * k], b = winners[2 * k + 1];
        // Rows of the left part are lower than those of the right.
        winners[k] = b < 0 || (a >= 0 && reach[a] <= reach[b]) ? a : b;
    }
};

static inline double skx_round_to(double distance, double scale) {
    return nearbyint(distance * scale) / scale;
}

// IN: core (n,), inf where above max_eps. OUT: ordering, reach, predecessor (n,).
template <typename Matrix>
static void skx_order_rows(
    const Matrix &matrix, double max_eps, const double *core, int64_t *ordering,
    double *reach, int64_t *predecessor) {
    std::fill(reach, reach + matrix.n, INFINITY);
    std::fill(predecessor, predecessor + matrix.n, -1);
    skx_tournament_t coming(reach, matrix.n);
    std::vector<uint8_t> has_come(matrix.n);
    for (int64_t i = 0; i < matrix.n; ++i) {
        const int64_t row = coming.winner();
        ordering[i] = row;
        has_come[row] = 1;
        coming.remove(row);
        if (core[row] == INFINITY) continue;
        auto relax = [&](int64_t j, double distance) {
            if (has_come[j] || !(distance <= max_eps)) return;
            const double by_row = skx_round_to(std::max(distance, core[row]), 1e15);
            if (!(by_row < reach[j])) return;
            reach[j] = by_row;
            predecessor[j] = row;
            coming.replay(j);
        };
        matrix.visit_row(row, relax);
    }
}
