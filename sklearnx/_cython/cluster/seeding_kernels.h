// One round of greedy k-means++ seeding: draw some rows with probability proportional to
// their weighted squared distance from the nearest centre so far, and keep the one that
// lowers the sum of these distances, the potential, most.
//
// (D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA
// 2007, section 2.2, and its conclusion for the several trials.)
//
// 1. All rows are scored against the candidates in float32 (score_tiles.h). That bounds
//    by how much each candidate lowers the potential from both sides.
// 2. Where the bounds leave several candidates, their gains are summed exactly.
// 3. Exact distances to the winner are computed of those rows only that it may be nearer
//    to, which are few in most rounds.
//
// Sums are kept by parts of rows; a draw finds its part first.
#pragma once

#include "assignment.h"

// What is kept from round to round.
struct skx_seeding_t {
    int64_t n_rows;
    const double *weights;  // (n_rows,) or NULL for ones
    double *closest;        // (n_rows,) squared distances
    double *sums;           // (n_parts,) weighted, of `closest`
};

SKX_INLINE double skx_row_weight(const double *weights, int64_t i) {
    return weights ? weights[i] : 1.0;
}

// Eight running sums of weight * closest over one part.
SKX_CLONES static double skx_sum_potential(
    const double *closest, const double *weights, int64_t n) {
    double sums[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int lane = 0; lane < 8; ++lane) {
            sums[lane] += closest[i + lane] * (weights ? weights[i + lane] : 1.0);
        }
    }
    for (int lane = 0; i < n; ++i, ++lane) {
        sums[lane] += closest[i] * skx_row_weight(weights, i);
    }
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// The first row up to which the weighted distances sum to at least value.
static inline int64_t skx_draw_row(const skx_seeding_t &seeding, double value) {
    const skx_parts_t parts(seeding.n_rows, SKX_ROWS_AT_ONCE);
    double sum = 0.0;
    if (!(value > 0.0)) return 0;
    for (int64_t part = 0; part < parts.n_parts; ++part) {
        const bool is_last = part + 1 == parts.n_parts;
        if (!is_last && sum + seeding.sums[part] < value) {
            sum += seeding.sums[part];
            continue;
        }
        // By rounding, the sum over rows may end just below that of the part.
        int64_t drawn = -1;
        for (int64_t i = parts.start(part); i < parts.start(part) + parts.length(part); ++i) {
            const double step = seeding.closest[i] * skx_row_weight(seeding.weights, i);
            if (!(step > 0.0)) continue;
            drawn = i;
            sum += step;
            if (sum >= value) break;
        }
        if (drawn >= 0) return drawn;
    }
    for (int64_t i = seeding.n_rows - 1; i > 0; --i) {
        if (seeding.closest[i] * skx_row_weight(seeding.weights, i) > 0.0) return i;
    }
    return 0;
}

static inline double skx_sum_parts(const double *sums, int64_t n) {
    double total = 0.0;
    for (int64_t part = 0; part < n; ++part) total += sums[part];
    return total;
}

// What rounding may do to scores against centres of norms up to `max_norm`, at most, in
// the frame. IN: ceilings, (|x|**2 - closest) / 2; norms, |x|.
SKX_CLONES static void skx_find_margins(
    const float *ceilings, const float *norms, int n, float tolerance, float max_norm,
    float *margins) {
    const skx_floats_t unit = SKX_FILL_FLOATS(10.0f * (float)SKX_FLOAT_UNIT);
    const skx_floats_t factor = SKX_FILL_FLOATS(1.02f * tolerance * max_norm);
    const skx_floats_t half = SKX_FILL_FLOATS(0.5f * max_norm);
    for (int r = 0; r < n; r += SKX_FLOATS) {
        const skx_floats_t norm = SKX_LOAD_FLOATS(norms + r);
        const skx_floats_t rounded = unit * (norm * norm - SKX_LOAD_FLOATS(ceilings + r));
        SKX_STORE_FLOATS(margins + r, factor * (norm + half) + rounded);
    }
}

// Bounds on what a candidate gains in one tile: rows nearer to it than to their centre.
// IN: scores (n,), n a multiple of 16. IN/OUT: gain, slack.
SKX_CLONES static void skx_bound_gain(
    const float *scores, const float *ceilings, const float *margins,
    const float *weights, int n, double *gain, double *slack) {
    const skx_floats_t zero = SKX_FILL_FLOATS(0.0f);
    skx_floats_t gains = zero, slacks = zero;
    for (int r = 0; r < n; r += SKX_FLOATS) {
        const skx_floats_t margin = SKX_LOAD_FLOATS(margins + r);
        const skx_floats_t weight = SKX_LOAD_FLOATS(weights + r);
        const skx_floats_t above =
            SKX_LOAD_FLOATS(scores + r) - SKX_LOAD_FLOATS(ceilings + r);
        gains = gains + weight * SKX_WHERE(above > zero, above, zero);
        slacks = slacks + weight * SKX_WHERE(above + margin <= zero, zero, margin);
    }
    float sums[2][SKX_FLOATS];
    SKX_STORE_FLOATS(sums[0], gains);
    SKX_STORE_FLOATS(sums[1], slacks);
    for (int i = 0; i < SKX_FLOATS; ++i) {
        *gain += sums[0][i];
        *slack += sums[1][i];
    }
}

// The rows of a tile that may be nearer to a candidate than to their centre.
SKX_CLONES static int skx_list_nearer(
    const float *scores, const float *ceilings, const float *margins, int n, int *rows) {
    const skx_floats_t zero = SKX_FILL_FLOATS(0.0f);
    int n_listed = 0;
    for (int r = 0; r < n; r += SKX_FLOATS) {
        const skx_floats_t above = SKX_LOAD_FLOATS(scores + r) -
                                   SKX_LOAD_FLOATS(ceilings + r) +
                                   SKX_LOAD_FLOATS(margins + r);
        const skx_ints_t is_near = SKX_WHERE(
            above <= zero, SKX_FILL_INTS(0), SKX_FILL_INTS(1));
        if (!skx_is_any(&is_near)) continue;
        int32_t flags[SKX_FLOATS];
        SKX_STORE_INTS(flags, is_near);
        for (int i = 0; i < SKX_FLOATS; ++i) {
            rows[n_listed] = r + i;
            n_listed += flags[i];
        }
    }
    return n_listed;
}

// A dense table's part of the work.
template <typename T>
struct skx_dense_candidates_t {
    skx_table_rows_t<T> table;
    const skx_seeding_t *seeding;
    // (n_rows filled up to blocks,): see `skx_find_margins`. Rows too large for the frame
    // have a ceiling of minus infinity, those that fill up have one never reached.
    float *ceilings, *norms;
    std::vector<T> rows;  // (n_candidates, n_columns)
    skx_scorer_t scorer;
    std::vector<skx_scorer_t> alone;  // of each candidate

    void load(
        const std::vector<int64_t> &numbers, skx_parallel_t run, int n_threads) {
        const int64_t n = (int64_t)numbers.size(), n_columns = table.n_columns;
        for (int64_t i : numbers) {
            rows.insert(rows.end(), table.row(i), table.row(i) + n_columns);
        }
        skx_prepare_scorer(
            rows.data(), n, n_columns, table.frame, run, n_threads, &scorer);
        alone.resize(n);
        for (int64_t c = 0; c < n; ++c) {
            skx_prepare_scorer(
                rows.data() + c * n_columns, 1, n_columns, table.frame, run, n_threads,
                &alone[c]);
        }
    }

    void find_margins(const skx_scorer_t &used, int64_t start, int n, float *margins) const {
        skx_find_margins(
            ceilings + start, norms + start, n, (float)used.tolerance,
            (float)(used.max_norm * (1.0 + 2.0 * SKX_FLOAT_UNIT)), margins);
    }

    // OUT: gains, slacks (n_candidates,) of the rows of one part, in the frame.
    void bound(int64_t first, int64_t n, double *gains, double *slacks) const {
        skx_tile_t tile(table.blocks ? 0 : table.n_columns);
        float scores[SKX_PANEL * SKX_TILE_ROWS];
        float margins[SKX_TILE_ROWS], weights[SKX_TILE_ROWS];
        std::fill(weights, weights + SKX_TILE_ROWS, 1.0f);
        for (int64_t start = first; start < first + n; start += SKX_TILE_ROWS) {
            tile.load(table, start, (int)std::min(first + n - start, (int64_t)SKX_TILE_ROWS));
            const int n_filled = 16 * tile.n_blocks;
            find_margins(scorer, start, n_filled, margins);
            for (int i = 0; seeding->weights && i < tile.n_rows; ++i) {
                weights[i] = (float)seeding->weights[start + i];
            }
            for (int64_t p = 0; p < scorer.n_panels; ++p) {
                scorer.score(p, tile.blocks, tile.n_blocks, scores);
                for (int c = 0; c < scorer.n_in_panel(p); ++c) {
                    skx_bound_gain(
                        scores + n_filled * c, ceilings + start, margins, weights, n_filled,
                        gains + 8 * p + c, slacks + 8 * p + c);
                }
            }
        }
    }

    // Whether the bounds can be believed: they are far from the ends of float32.
    bool is_sure(double gain, double slack) const {
        return gain >= 1e-20 && gain <= 1e30 && slack <= 1e30 && scorer.tolerance <= 1.0;
    }

    // Lower `closest` of one part by the distances to a candidate where they are less,
    // or where `is_trial` only return by how much the weighted sum would fall.
    double take(int64_t first, int64_t n, int64_t candidate, bool is_trial) const {
        const T *center = rows.data() + candidate * table.n_columns;
        skx_tile_t tile(table.blocks ? 0 : table.n_columns);
        float scores[SKX_PANEL * SKX_TILE_ROWS], margins[SKX_TILE_ROWS];
        int nearer[SKX_TILE_ROWS + 1];
        double gain = 0.0;
        for (int64_t start = first; start < first + n; start += SKX_TILE_ROWS) {
            tile.load(table, start, (int)std::min(first + n - start, (int64_t)SKX_TILE_ROWS));
            const int n_filled = 16 * tile.n_blocks;
            find_margins(alone[candidate], start, n_filled, margins);
            alone[candidate].score(0, tile.blocks, tile.n_blocks, scores);
            const int n_nearer = skx_list_nearer(
                scores, ceilings + start, margins, n_filled, nearer);
            for (int i = 0; i < n_nearer; ++i) {
                const int64_t at = start + nearer[i];
                if (at >= first + n) break;
                double *closest = seeding->closest + at;
                const double distance = skx_find_distance(
                    table.row(at), center, table.n_columns, *closest);
                if (!(distance < *closest)) continue;
                const double weight = skx_row_weight(seeding->weights, at);
                if (weight > 0.0) gain += (*closest - distance) * weight;
                if (!is_trial) lower(at, tile.squares[nearer[i]], distance);
            }
        }
        return gain;
    }

    void lower(int64_t at, double squares, double distance) const {
        const double scale = table.frame.scale * table.frame.scale;
        const bool is_finite = squares <= DBL_MAX;
        seeding->closest[at] = distance;
        norms[at] = (float)(sqrt(squares) * (1.0 + 2.0 * SKX_FLOAT_UNIT));
        ceilings[at] = is_finite ? (float)(0.5 * (squares - distance * scale)) : -INFINITY;
    }
};

// A sparse table's: the candidates become dense, and scores are exact.
template <typename T>
struct skx_sparse_candidates_t {
    const T *data;
    const int32_t *indices, *indptr;
    int64_t n_columns;
    const skx_seeding_t *seeding;
    std::vector<T> rows;
    skx_sparse_scorer_t<T, double> scorer;

    void load(
        const std::vector<int64_t> &numbers, skx_parallel_t run, int n_threads) {
        rows.assign(numbers.size() * n_columns, (T)0);
        for (size_t c = 0; c < numbers.size(); ++c) {
            for (int64_t at = indptr[numbers[c]]; at < indptr[numbers[c] + 1]; ++at) {
                rows[c * n_columns + indices[at]] += data[at];
            }
        }
        skx_prepare_sparse_scorer(
            rows.data(), (int64_t)numbers.size(), n_columns, 1.0, run, n_threads, &scorer);
    }

    void bound(int64_t first, int64_t n, double *gains, double *slacks) const {
        std::vector<double> scores(2 * scorer.width);
        for (int64_t i = first; i < first + n; ++i) {
            const double squares = scorer.score(row(i), scores.data());
            const double weight = skx_row_weight(seeding->weights, i);
            for (int64_t c = 0; c < scorer.n_centers; ++c) {
                const double distance = std::max(0.0, squares - 2.0 * scores[c]);
                const double above = seeding->closest[i] - distance;
                if (above > 0.0) gains[c] += weight * above;
            }
        }
        for (int64_t c = 0; c < scorer.n_centers; ++c) slacks[c] = 0.0;
    }

    skx_sparse_row_t<T> row(int64_t i) const {
        return {data + indptr[i], indices + indptr[i], indptr[i + 1] - indptr[i]};
    }

    bool is_sure(double, double) const { return true; }

    double take(int64_t first, int64_t n, int64_t candidate, bool is_trial) const {
        double gain = 0.0;
        for (int64_t i = first; i < first + n; ++i) {
            const double distance = scorer.find_distance(row(i), candidate);
            if (!(distance < seeding->closest[i])) continue;
            const double weight = skx_row_weight(seeding->weights, i);
            if (weight > 0.0) gain += (seeding->closest[i] - distance) * weight;
            if (!is_trial) seeding->closest[i] = distance;
        }
        return gain;
    }
};

// Find the candidate that gains most, the first of equal ones.
template <typename Candidates>
static inline int64_t skx_choose_candidate(
    const Candidates &candidates, int64_t n_candidates, const skx_parts_t &parts,
    skx_parallel_t run, int n_threads) {
    if (n_candidates == 1) return 0;
    std::vector<double> bounds(2 * parts.n_parts * n_candidates, 0.0);
    auto bound = [&](int64_t part) {
        double *gains = bounds.data() + 2 * part * n_candidates;
        candidates.bound(
            parts.start(part), parts.length(part), gains, gains + n_candidates);
    };
    skx_run_tasks(run, parts.n_parts, n_threads, bound);
    std::vector<double> gains(n_candidates, 0.0), slacks(n_candidates, 0.0);
    for (int64_t part = 0; part < parts.n_parts; ++part) {
        const double *from = bounds.data() + 2 * part * n_candidates;
        for (int64_t c = 0; c < n_candidates; ++c) {
            gains[c] += from[c];
            slacks[c] += from[n_candidates + c];
        }
    }
    // Sums of 960 float32 numbers at a time add an error of their own.
    double floor = -INFINITY;
    bool is_sure = true;
    for (int64_t c = 0; c < n_candidates; ++c) {
        slacks[c] = 1.01 * slacks[c] + 1e-5 * gains[c];
        floor = std::max(floor, gains[c] - slacks[c]);
        is_sure = is_sure && candidates.is_sure(gains[c], slacks[c]);
    }
    std::vector<int64_t> left;
    for (int64_t c = 0; c < n_candidates; ++c) {
        if (!is_sure || gains[c] + slacks[c] >= floor) left.push_back(c);
    }
    if (left.size() == 1) return left[0];
    std::vector<double> exact(left.size() * parts.n_parts);
    auto measure = [&](int64_t task) {
        const int64_t part = task % parts.n_parts;
        exact[task] = candidates.take(
            parts.start(part), parts.length(part), left[task / parts.n_parts], true);
    };
    skx_run_tasks(run, (int64_t)exact.size(), n_threads, measure);
    int64_t best = 0;
    double most = -INFINITY;
    for (size_t c = 0; c < left.size(); ++c) {
        const double gain = skx_sum_parts(exact.data() + c * parts.n_parts, parts.n_parts);
        if (gain > most) {
            most = gain;
            best = left[c];
        }
    }
    return best;
}

// One round. IN: numbers, shares of the potential (uniform in [0, 1)), or where there is
// no centre yet the only candidate. Returns the row that becomes a centre.
template <typename Candidates>
static inline int64_t skx_seed(
    Candidates &candidates, const skx_seeding_t &seeding, const double *shares,
    int64_t n_candidates, int64_t first_row, skx_parallel_t run, int n_threads) {
    const skx_parts_t parts(seeding.n_rows, SKX_ROWS_AT_ONCE);
    std::vector<int64_t> numbers;
    if (first_row >= 0) {
        numbers.push_back(first_row);
    } else {
        const double potential = skx_sum_parts(seeding.sums, parts.n_parts);
        for (int64_t c = 0; c < n_candidates; ++c) {
            numbers.push_back(skx_draw_row(seeding, shares[c] * potential));
        }
    }
    candidates.load(numbers, run, n_threads);
    const int64_t chosen = skx_choose_candidate(
        candidates, (int64_t)numbers.size(), parts, run, n_threads);
    auto take = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        if (!(candidates.take(first, n, chosen, false) > 0.0)) return;
        seeding.sums[part] = skx_sum_potential(
            seeding.closest + first, seeding.weights ? seeding.weights + first : NULL, n);
    };
    skx_run_tasks(run, parts.n_parts, n_threads, take);
    return numbers[chosen];
}

template <typename T>
static inline int64_t skx_seed_dense(
    const T *X, int64_t n_rows, int64_t n_columns, const double *shift, double scale,
    const float *blocks, const float *squares, const double *weights, double *closest,
    float *ceilings, float *norms, double *sums, const double *shares,
    int64_t n_candidates, int64_t first_row, skx_parallel_t run, int n_threads) {
    const skx_seeding_t seeding = {n_rows, weights, closest, sums};
    skx_dense_candidates_t<T> candidates;
    candidates.table = {X, n_rows, n_columns, {shift, scale}, blocks, squares};
    candidates.seeding = &seeding;
    candidates.ceilings = ceilings;
    candidates.norms = norms;
    return skx_seed(
        candidates, seeding, shares, n_candidates, first_row, run, n_threads);
}

template <typename T>
static inline int64_t skx_seed_sparse(
    const T *data, const int32_t *indices, const int32_t *indptr, int64_t n_rows,
    int64_t n_columns, const double *weights, double *closest, double *sums,
    const double *shares, int64_t n_candidates, int64_t first_row, skx_parallel_t run,
    int n_threads) {
    const skx_seeding_t seeding = {n_rows, weights, closest, sums};
    skx_sparse_candidates_t<T> candidates;
    candidates.data = data;
    candidates.indices = indices;
    candidates.indptr = indptr;
    candidates.n_columns = n_columns;
    candidates.seeding = &seeding;
    return skx_seed(
        candidates, seeding, shares, n_candidates, first_row, run, n_threads);
}
