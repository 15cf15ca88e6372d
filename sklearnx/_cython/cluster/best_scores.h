// The two best scores of each row of a tile, and what they say for sure.
#pragma once

#include "float_lanes.h"
#include "packed_rows.h"

// The best two scores of each row of a tile, and whose the best is.
struct skx_best_t {
    float first[SKX_TILE_ROWS], second[SKX_TILE_ROWS];
    int32_t index[SKX_TILE_ROWS];

    void clear() {
        std::fill(first, first + SKX_TILE_ROWS, -FLT_MAX);
        std::fill(second, second + SKX_TILE_ROWS, -FLT_MAX);
        std::fill(index, index + SKX_TILE_ROWS, 0);
    }
};

// Take in the scores of some centres, the first of which is number `start`.
SKX_CLONES static void skx_update_best(
    const float *scores, int n_blocks, int n_centers, int64_t start, skx_best_t *best) {
    for (int r = 0; r < 16 * n_blocks; r += 16) {
        skx_floats_t first = SKX_LOAD_FLOATS(best->first + r);
        skx_floats_t second = SKX_LOAD_FLOATS(best->second + r);
        skx_ints_t index = SKX_LOAD_INTS(best->index + r);
        const float *line = scores + r;
        for (int c = 0; c < n_centers; ++c, line += 16 * n_blocks) {
            const skx_floats_t score = SKX_LOAD_FLOATS(line);
            const skx_ints_t is_better = score > first;
            const skx_floats_t lower = SKX_WHERE(is_better, first, score);
            second = SKX_WHERE(lower > second, lower, second);
            first = SKX_WHERE(is_better, score, first);
            index = SKX_WHERE(is_better, SKX_FILL_INTS(start + c), index);
        }
        SKX_STORE_FLOATS(best->first + r, first);
        SKX_STORE_FLOATS(best->second + r, second);
        SKX_STORE_INTS(best->index + r, index);
    }
}

// What the two best scores say of each row, in the frame.
struct skx_known_t {
    int32_t is_doubtful[SKX_TILE_ROWS];  // not 0 where rounding may decide
    float upper[SKX_TILE_ROWS];          // at least the distance of the best
    float lower[SKX_TILE_ROWS];          // at most those of all others
    float lowest[SKX_TILE_ROWS];         // at most that of the best
};

// The squares of distances below this may be rounded to anything less.
#define SKX_TINY_SQUARE 1e-30f
#define SKX_TINY 1e-15f

// IN: squares, |x|**2. What overflowed is doubtful.
SKX_CLONES static void skx_judge(
    const skx_best_t &best, const float *squares, int n_blocks, float tolerance,
    float max_norm, skx_known_t *known) {
    const skx_floats_t zero = SKX_FILL_FLOATS(0.0f), two = SKX_FILL_FLOATS(2.0f);
    const skx_floats_t up = SKX_FILL_FLOATS(1.0f + 2.0f * SKX_ROOT_ERROR);
    const skx_floats_t down = SKX_FILL_FLOATS(1.0f - 2.0f * SKX_ROOT_ERROR);
    const skx_floats_t tiny = SKX_FILL_FLOATS(SKX_TINY_SQUARE);
    for (int r = 0; r < 16 * n_blocks; r += 16) {
        const skx_floats_t first = SKX_LOAD_FLOATS(best.first + r);
        const skx_floats_t second = SKX_LOAD_FLOATS(best.second + r);
        const skx_floats_t square = SKX_LOAD_FLOATS(squares + r);
        skx_floats_t norm, root;
        SKX_SET_ROOTS(square, norm);
        const skx_floats_t margin =
            SKX_FILL_FLOATS(1.01f * tolerance * max_norm) *
            (norm + SKX_FILL_FLOATS(0.5f * max_norm + SKX_TINY));
        const skx_ints_t is_huge = SKX_WHERE(
            square > SKX_FILL_FLOATS(SKX_MAX_NORM * SKX_MAX_NORM), SKX_FILL_INTS(1),
            SKX_FILL_INTS(0));
        SKX_STORE_INTS(
            known->is_doubtful + r,
            SKX_WHERE(first - second > two * margin, is_huge, SKX_FILL_INTS(1)));
        const skx_floats_t spread =
            two * margin + SKX_FILL_FLOATS(16.0f * (float)SKX_FLOAT_UNIT) * square;
        const skx_floats_t nearest = square - two * first;
        const skx_floats_t high = nearest + spread, low = square - two * second - spread;
        const skx_floats_t lowest = nearest - spread;
        SKX_SET_ROOTS(SKX_WHERE(high > tiny, high, tiny), root);
        SKX_STORE_FLOATS(known->upper + r, root * up);
        SKX_SET_ROOTS(SKX_WHERE(low > tiny, low, zero), root);
        SKX_STORE_FLOATS(known->lower + r, root * down);
        SKX_SET_ROOTS(SKX_WHERE(lowest > tiny, lowest, zero), root);
        SKX_STORE_FLOATS(known->lowest + r, root * down);
    }
}

// Find the best two scores of up to three packed blocks.
static inline void skx_find_best(
    const skx_scorer_t &scorer, const float *const *blocks, int n_blocks,
    skx_best_t *best) {
    float scores[SKX_PANEL * SKX_TILE_ROWS];
    best->clear();
    for (int64_t p = 0; p < scorer.n_panels; ++p) {
        scorer.score(p, blocks, n_blocks, scores);
        skx_update_best(scores, n_blocks, scorer.n_in_panel(p), 8 * p, best);
    }
}
