// One assignment of k-means that scores a row only against those groups of eight centres
// that may hold its nearest one.
//
// Of each row, with a its centre, bounds are kept as centres move by p(j):
//
//     upper    >= d(x, c_a)                               upper += p(a)
//     lower[g] <= min over j in g, j != a, of d(x, c_j)   lower[g] -= max over j in g of p(j)
//
// A row keeps its centre where upper < s(a), half the distance from its centre to the
// nearest other one, or where upper is below all lower[g]. Any other row is scored against
// the group of its centre, which tightens upper, and then against each group whose bound
// is not above it. A group is a panel of score_tiles.h.
//
// (Y. Ding, Y. Zhao, X. Shen, M. Musuvathi and T. Mytkowicz, "Yinyang k-means", ICML 2015,
// section 3; C. Elkan, "Using the triangle inequality to accelerate k-means", ICML 2003,
// has groups of one centre.) Bounds are rounded to the safe side, as in center_bounds.h.
#pragma once

#include "center_bounds.h"
#include "gathered_scores.h"

enum { SKX_ROWS_GROUPED = 960 };  // of a task, at most

// Rows of a part: few enough to stay in the cache from group to group, if they are long.
static inline int64_t skx_rows_of_part(int64_t n_columns) {
    const int64_t n = 150000 / std::max(n_columns, (int64_t)1);
    return std::min(std::max(n / 48 * 48, (int64_t)240), (int64_t)SKX_ROWS_GROUPED);
}

// Bounds of the rows of one part: lower of group g and row i is at n_rows * g + i.
struct skx_part_bounds_t {
    int64_t first, n_rows;
    float *upper, *lower;
};

// Move the bounds of a part; is_active says which rows have to be scored.
SKX_CLONES static void skx_move_group_bounds(
    const int32_t *SKX_RESTRICT labels, const skx_moves_t &moves, const float *group_steps,
    int64_t n_groups, const skx_part_bounds_t &bounds, uint8_t *SKX_RESTRICT is_active) {
    const float *steps = moves.steps.data(), *half_gaps = moves.half_gaps.data();
    const int64_t n = bounds.n_rows;
    float *SKX_RESTRICT upper = bounds.upper;
    float high[SKX_ROWS_GROUPED];
    for (int64_t i = 0; i < n; ++i) {
        upper[i] = (upper[i] + steps[labels[i]]) * (1.0f + SKX_BOUND_SLACK / 8);
        high[i] = upper[i] * (1.0f + SKX_BOUND_SLACK);
        is_active[i] = 0;
    }
    for (int64_t g = 0; g < n_groups; ++g) {
        float *SKX_RESTRICT lower = bounds.lower + g * n;
        const float step = group_steps[g];
        for (int64_t i = 0; i < n; ++i) {
            const float low = (lower[i] - step) * (1.0f - SKX_BOUND_SLACK / 8);
            lower[i] = low > 0.0f ? low : 0.0f;
            is_active[i] |= !(high[i] < lower[i]);
        }
    }
    for (int64_t i = 0; i < n; ++i) is_active[i] &= !(high[i] < half_gaps[labels[i]]);
}

// Lines of 16 rows for each of eight centres, from n <= 16 lines of centres.
SKX_CLONES static void skx_transpose_scores(
    const float *SKX_RESTRICT scores, int n, float *SKX_RESTRICT lines) {
    if (n < SKX_BLOCK) {
        for (int c = 0; c < SKX_PANEL; ++c) {
            for (int r = 0; r < n; ++r) lines[SKX_BLOCK * c + r] = scores[SKX_PANEL * r + c];
            for (int r = n; r < SKX_BLOCK; ++r) lines[SKX_BLOCK * c + r] = 0.0f;
        }
        return;
    }
    for (int c = 0; c < SKX_PANEL; ++c) {
        for (int r = 0; r < SKX_BLOCK; ++r) {
            lines[SKX_BLOCK * c + r] = scores[SKX_PANEL * r + c];
        }
    }
}

// What one part of the rows is scored with. Arrays have a place for each of its rows.
template <typename Points>
struct skx_grouped_part_t {
    const Points &points;
    const skx_part_bounds_t &bounds;
    const int64_t n_groups;
    const float tolerance, max_norm;
    int32_t found[SKX_ROWS_GROUPED];  // the best centre so far
    float best[SKX_ROWS_GROUPED];     // its score
    float next[SKX_ROWS_GROUPED];     // the best score of all others
    float nearest[SKX_ROWS_GROUPED];  // at most the distance of the best
    skx_best_t two;
    skx_known_t known;
    float lines[SKX_PANEL * SKX_TILE_ROWS], squares[SKX_TILE_ROWS];
    int32_t places[SKX_ROWS_GROUPED];  // of rows in the table

    skx_grouped_part_t(
        const Points &points, const skx_part_bounds_t &bounds, int64_t n_groups)
        : points(points), bounds(bounds), n_groups(n_groups),
          tolerance((float)points.tolerance()), max_norm((float)points.max_norm()),
          squares{0} {
        std::fill(found, found + bounds.n_rows, -1);
        std::fill(best, best + bounds.n_rows, -FLT_MAX);
        std::fill(next, next + bounds.n_rows, -FLT_MAX);
    }

    float &lower_of(int64_t g, int i) { return bounds.lower[g * bounds.n_rows + i]; }

    void find_places(const int32_t *rows, int n) {
        for (int i = 0; i < n; ++i) places[i] = (int32_t)bounds.first + rows[i];
    }

    // Score rows against all groups.
    void score_whole(const int32_t *rows, int n) {
        if (n == 0) return;
        typename Points::block_t block(points);
        find_places(rows, n);
        for (int start = 0; start < n; start += SKX_TILE_ROWS) {
            const int n_taken = std::min(n - start, (int)SKX_TILE_ROWS);
            block.load(places + start, n_taken);
            for (int64_t g = 0; g < n_groups; ++g) {
                block.score(g, lines);
                take_lines(rows + start, places + start, n_taken, g);
            }
        }
    }

    // Score rows against one group.
    void score(const int32_t *rows, int n, int64_t g) {
        float scores[SKX_PANEL * SKX_ROWS_GROUPED];
        find_places(rows, n);
        points.score(g, places, n, scores);
        for (int start = 0; start < n; start += SKX_BLOCK) {
            const int n_taken = std::min(n - start, (int)SKX_BLOCK);
            skx_transpose_scores(scores + SKX_PANEL * start, n_taken, lines);
            take_lines(rows + start, places + start, n_taken, g);
        }
    }

    void take_lines(const int32_t *rows, const int32_t *places, int n, int64_t g) {
        const int n_blocks = (n + SKX_BLOCK - 1) / SKX_BLOCK;
        const int64_t start = SKX_PANEL * g;
        const int n_centers =
            (int)std::min(points.n_centers() - start, (int64_t)SKX_PANEL);
        for (int at = 0; at < n; ++at) squares[at] = points.squares[places[at]];
        two.clear();
        skx_update_best(lines, n_blocks, n_centers, start, &two);
        skx_judge(two, squares, n_blocks, tolerance, max_norm, &known);
        for (int at = 0; at < n; ++at) take_in(rows[at], g, at);
    }

    void take_in(int i, int64_t g, int at) {
        if (two.first[at] > best[i]) {
            // The best until now is one of the others of its group.
            if (found[i] >= 0) lower_of(found[i] / SKX_PANEL, i) = nearest[i];
            next[i] = std::max(best[i], two.second[at]);
            best[i] = two.first[at];
            found[i] = two.index[at];
            nearest[i] = known.lowest[at];
            bounds.upper[i] = known.upper[at];
            lower_of(g, i) = known.lower[at];
        } else {
            next[i] = std::max(next[i], two.first[at]);
            lower_of(g, i) = known.lowest[at];
        }
    }

    bool may_hold_nearest(int64_t g, int i) {
        return !(bounds.upper[i] * (1.0f + SKX_BOUND_SLACK) < lower_of(g, i));
    }

    // Score rows against the groups of their centres.
    void score_own_groups(const int32_t *labels, const int32_t *rows, int n) {
        std::vector<int32_t> starts(n_groups + 1, 0), sorted(n);
        for (int a = 0; a < n; ++a) ++starts[labels[rows[a]] / SKX_PANEL];
        for (int64_t g = 0, end = 0; g <= n_groups; ++g) {
            end += starts[g];
            starts[g] = (int32_t)end;
        }
        for (int a = n - 1; a >= 0; --a) {
            sorted[--starts[labels[rows[a]] / SKX_PANEL]] = rows[a];
        }
        for (int64_t g = 0; g < n_groups; ++g) {
            score(sorted.data() + starts[g], starts[g + 1] - starts[g], g);
        }
    }

    // Score rows against other groups, where bounds do not exclude them.
    void score_other_groups(const int32_t *labels, const int32_t *rows, int n) {
        int32_t taken[SKX_ROWS_GROUPED];
        for (int64_t g = 0; g < n_groups; ++g) {
            int n_taken = 0;
            for (int a = 0; a < n; ++a) {
                const int32_t i = rows[a];
                taken[n_taken] = i;
                n_taken += (labels[i] / SKX_PANEL != g) & may_hold_nearest(g, i);
            }
            score(taken, n_taken, g);
        }
    }

    // Score active rows, after centres have moved.
    void score_by_bounds(const int32_t *labels, const int32_t *active, int n_active) {
        int32_t whole[SKX_ROWS_GROUPED], rest[SKX_ROWS_GROUPED];
        int n_whole = 0, n_rest = 0;
        const double least = Points::LEAST_WHOLE * (double)n_groups;
        for (int a = 0; a < n_active; ++a) {
            int64_t n_possible = 0;
            for (int64_t g = 0; g < n_groups && Points::LEAST_WHOLE < 1.0; ++g) {
                n_possible += may_hold_nearest(g, active[a]);
            }
            (n_possible > least ? whole[n_whole++] : rest[n_rest++]) = active[a];
        }
        score_whole(whole, n_whole);
        score_own_groups(labels, rest, n_rest);
        score_other_groups(labels, rest, n_rest);
    }

    // The label of a row, by exact distances where rounding may decide.
    int32_t settle(int i, double scale) {
        const float square = points.squares[bounds.first + i];
        const float margin = 1.01f * tolerance * max_norm *
                             (sqrtf(square) + 0.5f * max_norm + SKX_TINY);
        const bool is_huge = square > SKX_MAX_NORM * SKX_MAX_NORM;
        if (best[i] - next[i] > 2.0f * margin && !is_huge) return found[i];
        double exact;
        const int32_t label = points.find_nearest(bounds.first + i, &exact);
        if (found[i] >= 0 && found[i] != label) {
            lower_of(found[i] / SKX_PANEL, i) = nearest[i];
        }
        const double distance = sqrt(exact) * scale;
        bounds.upper[i] =
            distance <= FLT_MAX ? skx_round_up(distance) + SKX_TINY : INFINITY;
        return label;
    }

    // Returns how many labels have changed.
    int64_t settle_all(const int32_t *rows, int n, double scale, int32_t *labels) {
        int64_t n_changed = 0;
        for (int a = 0; a < n; ++a) {
            const int i = rows[a];
            const int32_t label = settle(i, scale);
            n_changed += label != labels[i];
            labels[i] = label;
        }
        return n_changed;
    }
};

// IN: points, with the new centres; their scale; moves from the old centres, or NULL where
// labels are all -1. IN/OUT: labels, upper (n_rows,), lower (n_rows * n_groups,), part by
// part. OUT: n_changed labels. Whether it came to its end.
template <typename Points>
static inline bool skx_assign_grouped(
    const Points &points, int64_t n_rows, int64_t n_columns, double scale,
    const skx_moves_t *moves, int32_t *labels, float *upper, float *lower,
    int64_t *n_changed, skx_parallel_t run, int n_threads, int (*goes_on)()) {
    const int64_t n_centers = points.n_centers();
    const int64_t n_groups = (n_centers + SKX_PANEL - 1) / SKX_PANEL;
    const skx_parts_t parts(n_rows, skx_rows_of_part(n_columns));
    std::vector<float> group_steps(n_groups, 0.0f);
    for (int64_t j = 0; moves && j < n_centers; ++j) {
        float &step = group_steps[j / SKX_PANEL];
        step = std::max(step, moves->steps[j]);
    }
    std::vector<int64_t> changes(parts.n_parts, 0);
    auto assign = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        const skx_part_bounds_t bounds = {first, n, upper + first, lower + first * n_groups};
        uint8_t is_active[SKX_ROWS_GROUPED];
        int32_t active[SKX_ROWS_GROUPED];
        int n_active = 0;
        if (moves) {
            skx_move_group_bounds(
                labels + first, *moves, group_steps.data(), n_groups, bounds, is_active);
        } else {
            std::fill(is_active, is_active + n, (uint8_t)1);
        }
        for (int i = 0; i < n; ++i) {
            active[n_active] = i;
            n_active += is_active[i];
        }
        if (n_active == 0) return;
        skx_grouped_part_t<Points> state(points, bounds, n_groups);
        if (moves) {
            state.score_by_bounds(labels + first, active, n_active);
        } else {
            state.score_whole(active, n_active);
        }
        changes[part] = state.settle_all(active, n_active, scale, labels + first);
    };
    const bool has_ended = skx_run_tasks_while(
        run, parts.n_parts, skx_parts_at_once(n_centers * n_columns, n_threads), n_threads,
        assign, goes_on);
    *n_changed = 0;
    for (int64_t n : changes) *n_changed += n;
    return has_ended;
}

// Rows in C order; values and squares are those of `skx_round_table`. old_centers is NULL
// where labels are all -1.
template <typename T>
static inline bool skx_assign_grouped_dense(
    const T *X, int64_t n_rows, int64_t n_columns, const double *shift, double scale,
    const float *values, const float *squares, const T *old_centers, const T *centers,
    int64_t n_centers, int32_t *labels, float *upper, float *lower, int64_t *n_changed,
    skx_parallel_t run, int n_threads, int (*goes_on)()) {
    const skx_frame_t frame = {shift, scale};
    skx_scorer_t scorer;
    skx_moves_t moves;
    skx_prepare_scorer(
        centers, n_centers, n_columns, frame, run, n_threads, &scorer);
    if (old_centers) {
        skx_find_moves(
            old_centers, centers, n_centers, n_columns, scale, run, n_threads, &moves);
        // All distances between centres are worth it for many rows only.
        if (n_rows >= 64 * n_centers) {
            skx_find_half_gaps(scorer, centers, frame, moves.half_gaps, run, n_threads);
        }
    }
    const skx_dense_points_t<T> points = {X, n_columns, frame, values, squares, centers,
                                          scorer};
    return skx_assign_grouped(
        points, n_rows, n_columns, scale, old_centers ? &moves : NULL, labels, upper, lower,
        n_changed, run, n_threads, goes_on);
}

// Rows in CSR format, their numbers times `scale` of squared norms `squares`.
template <typename T>
static inline bool skx_assign_grouped_sparse(
    const T *data, const int32_t *indices, const int32_t *indptr, int64_t n_rows,
    int64_t n_columns, double scale, const float *squares, const T *old_centers,
    const T *centers, int64_t n_centers, int32_t *labels, float *upper, float *lower,
    int64_t *n_changed, skx_parallel_t run, int n_threads, int (*goes_on)()) {
    skx_sparse_scorer_t<T, float> scorer;
    skx_moves_t moves;
    skx_prepare_sparse_scorer(
        centers, n_centers, n_columns, scale, run, n_threads, &scorer);
    if (old_centers) {
        skx_find_moves(
            old_centers, centers, n_centers, n_columns, scale, run, n_threads, &moves);
    }
    int64_t longest = 0;
    for (int64_t i = 0; i < n_rows; ++i) {
        longest = std::max(longest, (int64_t)(indptr[i + 1] - indptr[i]));
    }
    const skx_sparse_points_t<T> points = {data, indices, indptr, squares, longest, scorer};
    const int64_t n_of_row = 1 + (int64_t)(indptr[n_rows] - indptr[0]) / n_rows;
    return skx_assign_grouped(
        points, n_rows, n_of_row, scale, old_centers ? &moves : NULL, labels, upper, lower,
        n_changed, run, n_threads, goes_on);
}
