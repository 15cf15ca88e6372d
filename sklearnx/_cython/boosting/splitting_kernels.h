// The usual search, of a numeric feature where nothing but l2 restrains values, as loops
// that compilers vectorise. The same operations in the same order as for one split.

#pragma once

#include <algorithm>
#include <new>
#include <vector>

#include "dtypes.h"
#include "occupied.h"
#include "radix_sort.h"
#include "skx_math.h"

enum { SKX_BINS_AT_A_TIME = 256 };

// A bound of the relative error of both sides of a comparison of gains, many times over.
#define SKX_GENEROSITY 1e-9

// What is the same for all splits of a node.
typedef struct {
    double gradient_unit, hessian_unit;
    double l2, parent_loss, min_child_weight, rounding;
    int64_t sum_gradients, sum_hessians, n_samples, min_samples_leaf;
} skx_plain_t;

// Sums of what is left of the ends of some bins.
typedef struct {
    int64_t gradients[SKX_BINS_AT_A_TIME];
    int64_t hessians[SKX_BINS_AT_A_TIME];
    int64_t n_samples[SKX_BINS_AT_A_TIME];
} skx_left_t;

// INOUT: sum, of all bins before. OUT: left. What is left of an empty bin is left of the
// one before as well, whose place is the lower.
static inline void skx_sum_left(
    const hist_bin_t *SKX_RESTRICT bins, int n_bins, hist_bin_t *sum,
    skx_left_t *SKX_RESTRICT left) {
    int64_t gradients = sum->sum_gradients;
    int64_t hessians = sum->sum_hessians;
    int64_t n_samples = sum->n_samples;
    for (int i = 0; i < n_bins; ++i) {
        left->gradients[i] = gradients += bins[i].sum_gradients;
        left->hessians[i] = hessians += bins[i].sum_hessians;
        left->n_samples[i] = n_samples += bins[i].n_samples;
    }
    sum->sum_gradients = gradients;
    sum->sum_hessians = hessians;
    sum->n_samples = n_samples;
}

// Move missing values to the left of each cut. INOUT: left. They are not parted from all
// others here: that is a cut behind the last bin.
static inline void skx_add_missing(
    hist_bin_t missing, int n, skx_left_t *SKX_RESTRICT left) {
    for (int i = 0; i < n; ++i) {
        const int64_t is_empty = -(int64_t)(left->n_samples[i] == 0);
        left->gradients[i] += missing.sum_gradients;
        left->hessians[i] += missing.sum_hessians;
        left->n_samples[i] = (left->n_samples[i] + missing.n_samples) | is_empty;
    }
}

// The same of the occupied ones of the first n_bins bins, at most SKX_BINS_AT_A_TIME.
// OUT: left and places, the bin of each. Returns how many.
static inline int skx_sum_left_of_few(
    const hist_bin_t *bins, const skx_occupied_t *occupied, int n_bins,
    skx_left_t *left, int32_t *places) {
    hist_bin_t sum = {0, 0, 0};
    int n = 0;
    for (int part = 0; part < OCCUPIED_PARTS; ++part) {
        for (uint64_t bits = occupied->bits[part]; bits != 0; bits &= bits - 1) {
            const int b = part * 64 + skx_find_lowest_bit(bits);
            if (b >= n_bins) return n;
            left->gradients[n] = sum.sum_gradients += bins[b].sum_gradients;
            left->hessians[n] = sum.sum_hessians += bins[b].sum_hessians;
            left->n_samples[n] = sum.n_samples += bins[b].n_samples;
            places[n++] = b;
        }
    }
    return n;
}

// A level of a category, and what it is sorted by.
typedef struct {
    double key;
    int32_t level;
} skx_level_t;

// The sorted levels on one side of a split.
typedef struct {
    int32_t n_levels;
    hist_bin_t sums;
    double sum_roots;  // of hessians
} skx_side_t;

// Move one more sorted level to a side.
static inline void skx_add_level(skx_side_t *side, const hist_bin_t *level) {
    ++side->n_levels;
    side->sums.sum_gradients += level->sum_gradients;
    side->sums.sum_hessians += level->sum_hessians;
    side->sums.n_samples += level->n_samples;
    side->sum_roots += sqrt((double)level->sum_hessians);
}

// The same sums of sorted levels, one after another or, with a step of -1, one before
// another. INOUT: side, with all levels before. OUT: left, sum_roots (n,).
static inline void skx_sum_left_of_levels(
    const hist_bin_t *bins, const skx_level_t *levels, int step, int n,
    skx_side_t *side, skx_left_t *left, double *sum_roots) {
    skx_side_t local = *side;  // to which nothing else is stored
    for (int i = 0; i < n; ++i) {
        skx_add_level(&local, &bins[levels[i * step].level]);
        left->gradients[i] = local.sums.sum_gradients;
        left->hessians[i] = local.sums.sum_hessians;
        left->n_samples[i] = local.sums.n_samples;
        sum_roots[i] = local.sum_roots;
    }
    *side = local;
}

// What gains are computed from, of one cut.
typedef struct {
    double left_hessian, right_hessian;
    double left_curvature, right_curvature, sum_curvatures;
    double left_cross, right_cross;
} skx_cut_t;

SKX_INLINE skx_cut_t
skx_describe_cut(const skx_plain_t *node, const skx_left_t *left, int i) {
    skx_cut_t cut;
    const double left_gradient = (double)left->gradients[i] * node->gradient_unit;
    const double right_gradient =
        (double)(node->sum_gradients - left->gradients[i]) * node->gradient_unit;
    cut.left_hessian = (double)left->hessians[i] * node->hessian_unit;
    cut.right_hessian =
        (double)(node->sum_hessians - left->hessians[i]) * node->hessian_unit;
    cut.left_curvature = cut.left_hessian + node->l2;
    cut.right_curvature = cut.right_hessian + node->l2;
    cut.sum_curvatures = cut.left_curvature + cut.right_curvature;
    cut.left_cross = left_gradient * cut.right_curvature;
    cut.right_cross = right_gradient * cut.left_curvature;
    return cut;
}

// A mask: whether both sides of a cut have enough rows.
SKX_INLINE skx_u64
skx_has_samples(const skx_plain_t *node, const skx_left_t *left, int i) {
    return skx_mask(left->n_samples[i] >= node->min_samples_leaf) &
           skx_mask(node->n_samples - left->n_samples[i] >= node->min_samples_leaf);
}

// `has_l2` is a constant where it is called: each case is a loop of its own.
SKX_INLINE double skx_compute_gains(
    const skx_plain_t *node, const skx_left_t *left, int n, double *SKX_RESTRICT gains,
    int has_l2) {
    const skx_plain_t copy = *node;  // to which nothing is stored
    const double shrinkage = copy.parent_loss * copy.l2;
    int64_t largest = 0;
    for (int i = 0; i < n; ++i) {
        const skx_cut_t cut = skx_describe_cut(&copy, left, i);
        const double cross = cut.left_cross - cut.right_cross;
        double gain =
            cross * cross /
            (cut.left_curvature * cut.right_curvature * cut.sum_curvatures);
        if (has_l2) gain -= shrinkage / cut.sum_curvatures;
        const skx_u64 is_allowed =
            skx_has_samples(&copy, left, i) &
            skx_mask(cut.left_hessian >= copy.min_child_weight) &
            skx_mask(cut.right_hessian >= copy.min_child_weight) &
            skx_mask(gain < HUGE_VAL) &
            skx_mask(
                fabs(cross) >
                copy.rounding * (fabs(cut.left_cross) + fabs(cut.right_cross)));
        gains[i] = skx_select(is_allowed, gain, 0.0);
        const int64_t bits = (int64_t)skx_bits(gains[i]);
        largest = bits > largest ? bits : largest;
    }
    return skx_from_bits((skx_u64)largest);
}

// OUT: gains (n,), not positive where a split is not allowed. Returns the largest of
// them and 0. (Doubles above 0 are ordered as the integers of the same bits.)
SKX_CLONES static double skx_compute_plain_gains(
    const skx_plain_t *node, const skx_left_t *left, int n,
    double *SKX_RESTRICT gains) {
    if (node->l2 == 0) return skx_compute_gains(node, left, n, gains, 0);
    return skx_compute_gains(node, left, n, gains, 1);
}

// The number before a gain, 0 before 0.
static inline double skx_find_before(double gain) {
    return gain > 0 ? skx_from_bits(skx_bits(gain) - 1) : 0;
}

// A bound of the gains of all cuts, found without a division: `gain`, or this share of it,
// or infinity. It is generous, and with l2 nothing is taken off for that. Most features of
// a node do not come to the gains themselves.
#define SKX_SMALL_SHARE 0.25

SKX_CLONES static double skx_bound_gains(
    const skx_plain_t *node, const skx_left_t *left, int n, double gain) {
    const double small_gain = gain * SKX_SMALL_SHARE;
    skx_u64 is_more = 0, is_not_small = 0;
    for (int i = 0; i < n; ++i) {
        const skx_cut_t cut = skx_describe_cut(node, left, i);
        const double cross = cut.left_cross - cut.right_cross;
        // A gain as a ratio.
        const double numerator = cross * cross * (1 + SKX_GENEROSITY);
        const double denominator =
            cut.left_curvature * cut.right_curvature * cut.sum_curvatures;
        const skx_u64 has_samples = skx_has_samples(node, left, i);
        is_more |= has_samples & skx_mask(!(numerator < gain * denominator));
        is_not_small |= has_samples & skx_mask(!(numerator < small_gain * denominator));
    }
    return is_more ? HUGE_VAL : is_not_small ? gain : small_gain;
}

static inline bool skx_is_before(const skx_level_t &a, const skx_level_t &b) {
    return a.key < b.key || (a.key == b.key && a.level < b.level);
}

// Order levels by the upper half of their keys.
static inline void skx_sort_by_upper_half(skx_level_t *levels, int n_levels) {
    enum { DIGIT_BITS = 8, N_DIGITS = 1 << DIGIT_BITS, N_PASSES = 32 / DIGIT_BITS };
    std::vector<uint64_t> items(n_levels), others(n_levels);
    uint32_t counts[N_PASSES][N_DIGITS] = {};
    for (int i = 0; i < n_levels; ++i) {
        uint32_t half = (uint32_t)(skx_to_key(levels[i].key) >> 32);
        items[i] = (uint64_t)half << 32 | (uint32_t)i;
        for (int pass = 0; pass < N_PASSES; ++pass, half >>= DIGIT_BITS) {
            ++counts[pass][half & (N_DIGITS - 1)];
        }
    }
    for (int pass = 0; pass < N_PASSES; ++pass) {
        const int shift = 32 + pass * DIGIT_BITS;
        uint32_t place = 0;
        for (uint32_t &count : counts[pass]) {
            const uint32_t first = place;
            place += count;
            count = first;
        }
        for (uint64_t item : items) {
            others[counts[pass][(item >> shift) & (N_DIGITS - 1)]++] = item;
        }
        items.swap(others);
    }
    const std::vector<skx_level_t> unsorted(levels, levels + n_levels);
    for (int i = 0; i < n_levels; ++i) levels[i] = unsorted[(uint32_t)items[i]];
}

// Sort levels by key; of equal keys the lower level is first.
static inline void skx_sort_levels(skx_level_t *levels, int n_levels) {
    skx_level_t *const end = levels + n_levels;
    try {
        if (n_levels < 64) {
            std::sort(levels, end, skx_is_before);
            return;
        }
        skx_sort_by_upper_half(levels, n_levels);
    } catch (const std::bad_alloc &) {
        std::sort(levels, end, skx_is_before);
        return;
    }
    // Seldom have any two of them the same.
    for (skx_level_t *first = levels; first < end;) {
        skx_level_t *last = first + 1;
        const uint64_t half = skx_to_key(first->key) >> 32;
        while (last < end && skx_to_key(last->key) >> 32 == half) ++last;
        if (last - first > 1) std::sort(first, last, skx_is_before);
        first = last;
    }
}

// Of what sorted levels gain by chance, see splitting.pyx: n / (n - k) i^2 as a linear
// function of ln(n / k), about a tenth off at most from 30 to 1,000 levels; and what the
// best cut of a number gains so. Simulations have 3.6 noise for 20 bins and 5.1 for 255;
// of 3, 4 and 6, the lowest was best on real tables.
#define SKX_CHANCE 0.3
#define SKX_CHANCE_SLOPE 1.4
#define SKX_FREE_CHANCE 3.0

SKX_INLINE double skx_compute_chance(
    double sum_roots, double sum_hessians, double noise, double n_left, double n_levels) {
    const double size = sum_roots * sum_roots / sum_hessians;
    const double chance =
        size * (SKX_CHANCE + SKX_CHANCE_SLOPE * skx_log(n_levels / n_left)) -
        SKX_FREE_CHANCE;
    return noise * skx_select(skx_mask(chance > 0), chance, 0.0);
}

// What a side of so many sorted levels gains by chance.
static inline double
skx_find_chance(const skx_side_t *side, double noise, int n_levels) {
    return skx_compute_chance(
        side->sum_roots, (double)side->sums.sum_hessians, noise, side->n_levels,
        n_levels);
}

// Take off the gains of cuts of sorted levels what they gain by chance: of the cuts that
// follow the first n_before. INOUT: gains (n,). Returns the largest of them and 0.
SKX_CLONES static double skx_take_chances(
    const skx_left_t *left, const double *sum_roots, double noise, int n_before,
    int n_levels, int n, double *SKX_RESTRICT gains) {
    int64_t largest = 0;
    for (int i = 0; i < n; ++i) {
        gains[i] -= skx_compute_chance(
            sum_roots[i], (double)left->hessians[i], noise, n_before + i + 1, n_levels);
        const int64_t bits = (int64_t)skx_bits(gains[i]);
        largest = bits > largest ? bits : largest;
    }
    return skx_from_bits((skx_u64)largest);
}
