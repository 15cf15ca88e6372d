// One assignment of Lloyd's algorithm that leaves out rows whose nearest centre cannot
// have changed.
//
// Of each row, with a its centre, two bounds are kept as centres move by p(j):
//
//     upper >= d(x, c_a)                    upper += p(a)
//     lower <= min over j != a of d(x, c_j) lower -= max over j != a of p(j)
//
// A row keeps its centre where upper < max(lower, s(a)), s(a) half the distance from its
// centre to the nearest other one; all other rows are scored against all centres.
//
// (G. Hamerly, "Making k-means even faster", SIAM International Conference on Data Mining
// 2010, algorithm 1.) Bounds are float32 in the frame of score_tiles.h, always rounded
// to the safe side, so that labels are those of a full scan to the last row.
#pragma once

#include "assignment.h"

// What bounds are enlarged by where they are compared or added: more than rounding in
// float32 and in the exact distances together.
#define SKX_BOUND_SLACK 4e-6f

static inline float skx_round_up(double x) {
    return (float)(x * (1.0 + 4.0 * SKX_FLOAT_UNIT));
}

static inline float skx_round_down(double x) {
    return x > 0.0 ? (float)(x * (1.0 - 4.0 * SKX_FLOAT_UNIT)) : 0.0f;
}

// How far centres have moved, and half the distance from each to the nearest other.
struct skx_moves_t {
    std::vector<float> steps;  // (n_centers,)
    std::vector<float> others;  // (n_centers,) the largest step of all others
    std::vector<float> half_gaps;  // (n_centers,)
};

template <typename T>
static inline void skx_find_moves(
    const T *old_centers, const T *centers, int64_t n_centers, int64_t n_columns,
    double scale, skx_parallel_t run, int n_threads, skx_moves_t *moves) {
    moves->steps.resize(n_centers);
    moves->others.resize(n_centers);
    moves->half_gaps.assign(n_centers, 0.0f);
    const skx_parts_t parts(n_centers, SKX_PANEL);
    auto measure = [&](int64_t part) {
        const int64_t start = parts.start(part);
        for (int64_t j = start; j < start + parts.length(part); ++j) {
            const double square = skx_find_distance(
                old_centers + j * n_columns, centers + j * n_columns, n_columns, INFINITY);
            moves->steps[j] = square > 0.0 ? skx_round_up(sqrt(square) * scale) : 0.0f;
        }
    };
    const bool is_small = n_centers * n_columns < SKX_SMALL_CENTERS;
    skx_run_tasks(run, parts.n_parts, is_small ? 1 : n_threads, measure);
    float first = 0.0f, second = 0.0f;
    int64_t farthest = 0;
    for (int64_t j = 0; j < n_centers; ++j) {
        const float step = moves->steps[j];
        if (step > first) {
            second = first;
            first = step;
            farthest = j;
        } else if (step > second) {
            second = step;
        }
    }
    for (int64_t j = 0; j < n_centers; ++j) {
        moves->others[j] = j == farthest ? second : first;
    }
}

// A lower bound on half the distance between each centre and the nearest other one. The
// best score is a centre's own; where rounding says otherwise the second gives zero.
template <typename T>
static inline void skx_find_half_gaps(
    const skx_scorer_t &scorer, const T *centers, const skx_frame_t &frame,
    std::vector<float> &half_gaps, skx_parallel_t run, int n_threads) {
    const int64_t n_centers = scorer.n_centers, n_columns = scorer.n_columns;
    const skx_parts_t parts(n_centers, SKX_TILE_ROWS);
    half_gaps.assign(n_centers, 0.0f);
    auto find = [&](int64_t part) {
        const int64_t first = parts.start(part);
        skx_tile_t tile(n_columns);
        skx_best_t best;
        skx_known_t known;
        tile.pack(
            centers + first * n_columns, NULL, (int)parts.length(part), n_columns, frame);
        skx_find_best(scorer, tile.blocks, tile.n_blocks, &best);
        skx_judge(
            best, tile.squares, tile.n_blocks, (float)scorer.tolerance,
            (float)scorer.max_norm, &known);
        for (int i = 0; i < tile.n_rows; ++i) half_gaps[first + i] = 0.5f * known.lower[i];
    };
    skx_run_tasks(run, parts.n_parts, n_threads, find);
}

// Move the bounds of n rows; is_active says which rows have to be scored.
SKX_CLONES static void skx_move_bounds(
    const int32_t *SKX_RESTRICT labels, const skx_moves_t &moves, int64_t n,
    float *SKX_RESTRICT upper, float *SKX_RESTRICT lower, uint8_t *SKX_RESTRICT is_active) {
    const float *steps = moves.steps.data(), *others = moves.others.data();
    const float *half_gaps = moves.half_gaps.data();
    for (int64_t i = 0; i < n; ++i) {
        const int32_t j = labels[i];
        const float high = (upper[i] + steps[j]) * (1.0f + SKX_BOUND_SLACK / 8);
        const float low = (lower[i] - others[j]) * (1.0f - SKX_BOUND_SLACK / 8);
        const float limit = low > half_gaps[j] ? low : half_gaps[j];
        upper[i] = high;
        lower[i] = low > 0.0f ? low : 0.0f;
        is_active[i] = !(high * (1.0f + SKX_BOUND_SLACK) < limit);
    }
}

// What one part of the rows is scored with.
template <typename T>
struct skx_bounded_part_t {
    const skx_table_rows_t<T> &table;
    const skx_scorer_t &scorer;
    const T *centers;
    int32_t *labels;
    float *upper, *lower;
    skx_tile_t tile;
    skx_best_t best;
    skx_known_t known;
    int64_t n_changed;

    skx_bounded_part_t(
        const skx_table_rows_t<T> &table, const skx_scorer_t &scorer, const T *centers,
        int32_t *labels, float *upper, float *lower)
        : table(table), scorer(scorer), centers(centers), labels(labels), upper(upper),
          lower(lower), tile(table.n_columns), n_changed(0) {}

    // Take in the scores of the rows of one tile.
    template <typename RowAt>
    void settle(int n_blocks, int n, const RowAt &row_at) {
        skx_find_best(scorer, tile.blocks, n_blocks, &best);
        skx_judge(
            best, tile.squares, n_blocks, (float)scorer.tolerance, (float)scorer.max_norm,
            &known);
        for (int at = 0; at < n; ++at) {
            const int64_t i = row_at(at);
            if (i < 0) continue;
            int32_t label = best.index[at];
            upper[i] = known.upper[at];
            lower[i] = known.lower[at];
            if (known.is_doubtful[at]) label = settle_exactly(i, at);
            n_changed += label != labels[i];
            labels[i] = label;
        }
    }

    // Also where something overflowed: a row without bounds is always active.
    int32_t settle_exactly(int64_t i, int at) {
        double square;
        const int32_t label = skx_find_nearest(
            table.row(i), centers, scorer.n_centers, table.n_columns, &square);
        const double distance = sqrt(square) * table.frame.scale;
        upper[i] = distance <= FLT_MAX ? skx_round_up(distance) + SKX_TINY : INFINITY;
        const float lowest = known.lowest[at];
        lower[i] = lowest > 0.0f && lowest <= FLT_MAX ? lowest : 0.0f;
        return label;
    }

    void score_rows(const int32_t *rows, int n) {
        if (n == 0) return;
        tile.pack(table.X, rows, n, table.n_columns, table.frame);
        settle(tile.n_blocks, n, [=](int at) { return (int64_t)rows[at]; });
    }

    void score_blocks(const int64_t *starts, int n_blocks) {
        if (n_blocks == 0) return;
        for (int b = 0; b < n_blocks; ++b) {
            const int64_t n = std::min(table.n_rows - starts[b], (int64_t)SKX_BLOCK);
            tile.blocks[b] = table.blocks + starts[b] * table.n_columns;
            memcpy(tile.squares + 16 * b, table.squares + starts[b], n * sizeof(float));
        }
        const int64_t n_rows = table.n_rows;
        settle(n_blocks, SKX_BLOCK * n_blocks, [=](int at) {
            const int64_t i = starts[at / SKX_BLOCK] + at % SKX_BLOCK;
            return i < n_rows ? i : (int64_t)-1;
        });
    }
};

// Packed blocks are scored whole where they have this many active rows; fewer are
// gathered.
enum { SKX_MIN_ACTIVE = 5 };

// IN/OUT: labels, upper, lower (n_rows,); labels are those of old_centers, or all -1 and
// old_centers NULL. OUT: n_changed labels. Whether it came to its end.
template <typename T>
static inline bool skx_assign_bounded(
    const T *X, int64_t n_rows, int64_t n_columns, const double *shift, double scale,
    const float *blocks, const float *squares, const T *old_centers, const T *centers,
    int64_t n_centers, int32_t *labels, float *upper, float *lower, int64_t *n_changed,
    skx_parallel_t run, int n_threads, int (*goes_on)()) {
    const skx_table_rows_t<T> table = {
        X, n_rows, n_columns, {shift, scale}, blocks, squares};
    const skx_parts_t parts(n_rows, SKX_ROWS_AT_ONCE);
    skx_scorer_t scorer;
    skx_moves_t moves;
    skx_prepare_scorer(
        centers, n_centers, n_columns, table.frame, run, n_threads, &scorer);
    if (old_centers) {
        skx_find_moves(
            old_centers, centers, n_centers, n_columns, scale, run, n_threads, &moves);
        if (n_rows >= 8 * n_centers) {
            skx_find_half_gaps(
                scorer, centers, table.frame, moves.half_gaps, run, n_threads);
        }
    }
    std::vector<int64_t> changes(parts.n_parts, 0);
    auto assign = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        skx_bounded_part_t<T> state(table, scorer, centers, labels, upper, lower);
        uint8_t is_active[SKX_ROWS_AT_ONCE];
        if (old_centers) {
            skx_move_bounds(
                labels + first, moves, n, upper + first, lower + first, is_active);
        } else {
            std::fill(is_active, is_active + n, (uint8_t)1);
        }
        int32_t rows[SKX_TILE_ROWS];
        int64_t starts[SKX_MAX_BLOCKS];
        int n_taken = 0, n_blocks = 0;
        for (int64_t start = 0; start < n; start += SKX_BLOCK) {
            const int64_t end = std::min(start + SKX_BLOCK, n);
            int n_active = 0;
            for (int64_t i = start; i < end; ++i) n_active += is_active[i];
            if (n_active == 0) continue;
            if (blocks && n_active >= SKX_MIN_ACTIVE) {
                starts[n_blocks++] = first + start;
                if (n_blocks == SKX_MAX_BLOCKS) {
                    state.score_blocks(starts, n_blocks);
                    n_blocks = 0;
                }
                continue;
            }
            for (int64_t i = start; i < end; ++i) {
                if (!is_active[i]) continue;
                rows[n_taken++] = (int32_t)(first + i);
                if (n_taken == SKX_TILE_ROWS) {
                    state.score_rows(rows, n_taken);
                    n_taken = 0;
                }
            }
        }
        state.score_blocks(starts, n_blocks);
        state.score_rows(rows, n_taken);
        changes[part] = state.n_changed;
    };
    const bool has_ended = skx_run_tasks_while(
        run, parts.n_parts, skx_parts_at_once(n_centers * n_columns, n_threads), n_threads,
        assign, goes_on);
    *n_changed = 0;
    for (int64_t n : changes) *n_changed += n;
    return has_ended;
}
