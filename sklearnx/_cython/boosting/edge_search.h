// How many of the sorted edges of a feature lie below each of many values.

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "skx_math.h"

enum { SKX_FEW_EDGES = 4, SKX_MAX_SPAN = 1 << 12 };

// Edges of one feature in the type of the values: a power of two of them less one, for a
// search without branches, and again as 16 lots of 16, with the last of each lot.
template <typename value_t>
struct skx_search_t {
    enum { N_LOTS = 16, PER_LOT = 16 };
    std::vector<value_t> edges;
    value_t last_of_lots[N_LOTS];
    // Of edges close to each other, how many lie below each integer from `low` to `high`;
    // none lies below the first, and all below the last.
    std::vector<uint16_t> n_below;
    value_t low = 0, high = 0;
    int n_edges, n_steps = 0;

    skx_search_t(const double *inner_edges, int n_edges) : n_edges(n_edges) {
        while ((1 << n_steps) - 1 < n_edges) ++n_steps;
        const size_t n = std::max((size_t)1 << n_steps, (size_t)(N_LOTS * PER_LOT));
        edges.assign(n, std::numeric_limits<value_t>::infinity());
        for (int i = 0; i < n_edges; ++i) {
            // The largest value not above the edge: what lies above one lies above both.
            value_t edge = (value_t)inner_edges[i];
            if ((double)edge > inner_edges[i]) {
                edge = std::nextafter(edge, -std::numeric_limits<value_t>::infinity());
            }
            edges[i] = edge;
        }
        for (int lot = 0; lot < N_LOTS; ++lot) {
            last_of_lots[lot] = edges[lot * PER_LOT + PER_LOT - 1];
        }
        if (n_edges > SKX_FEW_EDGES) count_below_integers(inner_edges);
    }

    void count_below_integers(const double *inner_edges) {
        const double first = floor(inner_edges[0]);
        const double last = floor(inner_edges[n_edges - 1]) + 1;
        const double largest = 1 << 23;  // floats have all integers up to it
        if (first < -largest || last > largest || last - first >= SKX_MAX_SPAN) return;
        low = (value_t)first;
        high = (value_t)last;
        n_below.resize((size_t)(last - first) + 1);
        int n = 0;
        for (size_t i = 0; i < n_below.size(); ++i) {
            while (n < n_edges && inner_edges[n] < first + (double)i) ++n;
            n_below[i] = (uint16_t)n;
        }
    }

    bool has_lots() const { return edges.size() == N_LOTS * PER_LOT; }
};

// How many edges lie below each value: all values take a step of the search, then the
// next, so that none waits for its own last step.
template <typename value_t>
static void skx_count_edges_by_steps(
    const skx_search_t<value_t> &search, const value_t *values, int n,
    int32_t *counts) {
    const value_t *edges = search.edges.data();
    for (int i = 0; i < n; ++i) counts[i] = 0;
    for (int step = search.n_steps - 1; step >= 0; --step) {
        const int32_t half = (int32_t)1 << step;
        for (int i = 0; i < n; ++i) {
            counts[i] += (int32_t)(edges[counts[i] + half - 1] < values[i]) << step;
        }
    }
}

#if SKX_HAS_X86_CODE
// The same of at most 256 edges: one comparison with the ends of the lots, one within
// the lot. Where all lots end below the value, it is above all edges but the last, which
// is infinite.
__attribute__((target("avx2,popcnt"))) static inline int skx_count_16_below(
    const float *edges, __m256 value) {
    const __m256 low = _mm256_cmp_ps(_mm256_loadu_ps(edges), value, _CMP_LT_OQ);
    const __m256 high = _mm256_cmp_ps(_mm256_loadu_ps(edges + 8), value, _CMP_LT_OQ);
    return _mm_popcnt_u32(
        (unsigned)_mm256_movemask_ps(low) | (unsigned)_mm256_movemask_ps(high) << 8);
}

__attribute__((target("avx2,popcnt"))) static inline int skx_count_16_below(
    const double *edges, __m256d value) {
    unsigned below = 0;
    for (int i = 0; i < 16; i += 4) {
        const __m256d some = _mm256_cmp_pd(_mm256_loadu_pd(edges + i), value, _CMP_LT_OQ);
        below |= (unsigned)_mm256_movemask_pd(some) << i;
    }
    return _mm_popcnt_u32(below);
}

__attribute__((target("avx2,popcnt"))) static void skx_count_edges_avx2(
    const skx_search_t<float> &search, const float *values, int n, int32_t *counts) {
    for (int i = 0; i < n; ++i) {
        const __m256 value = _mm256_set1_ps(values[i]);
        const int start = 16 * skx_count_16_below(search.last_of_lots, value);
        counts[i] = start + skx_count_16_below(search.edges.data() + start, value);
    }
}

__attribute__((target("avx2,popcnt"))) static void skx_count_edges_avx2(
    const skx_search_t<double> &search, const double *values, int n, int32_t *counts) {
    for (int i = 0; i < n; ++i) {
        const __m256d value = _mm256_set1_pd(values[i]);
        const int start = 16 * skx_count_16_below(search.last_of_lots, value);
        counts[i] = start + skx_count_16_below(search.edges.data() + start, value);
    }
}
#endif

// The same of few edges.
template <typename value_t>
static void skx_count_few_edges(
    const skx_search_t<value_t> &search, const value_t *values, int n,
    int32_t *counts) {
    for (int i = 0; i < n; ++i) counts[i] = search.edges[0] < values[i];
    for (int edge = 1; edge < search.n_edges; ++edge) {
        const value_t value = search.edges[edge];
        for (int i = 0; i < n; ++i) counts[i] += value < values[i];
    }
}

// The same where all values are integers or missing. Returns whether they are.
template <typename value_t>
static bool skx_count_edges_of_integers(
    const skx_search_t<value_t> &search, const value_t *values, int n,
    int32_t *counts) {
    enum { N_AT_A_TIME = 16 };
    if (search.n_below.empty()) return false;
    const value_t low = search.low, high = search.high;
    const int32_t first = (int32_t)low;
    for (int start = 0; start < n; start += N_AT_A_TIME) {
        const int stop = std::min(start + N_AT_A_TIME, n);
        int n_others = 0;
        for (int i = start; i < stop; ++i) {
            value_t value = values[i] > low ? values[i] : low;
            value = value < high ? value : high;
            const int32_t integer = (int32_t)value;
            n_others += (value_t)integer != value;
            counts[i] = integer - first;
        }
        if (n_others > 0) return false;
    }
    for (int i = 0; i < n; ++i) counts[i] = search.n_below[counts[i]];
    return true;
}

template <typename value_t>
static void skx_count_edges(
    const skx_search_t<value_t> &search, const value_t *values, int n,
    int32_t *counts) {
    if (search.n_edges <= SKX_FEW_EDGES) {
        skx_count_few_edges(search, values, n, counts);
        return;
    }
    if (skx_count_edges_of_integers(search, values, n, counts)) return;
#if SKX_HAS_X86_CODE
    static const bool has_avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
    if (has_avx2 && search.has_lots()) {
        skx_count_edges_avx2(search, values, n, counts);
        return;
    }
#endif
    skx_count_edges_by_steps(search, values, n, counts);
}
