// Codes of categorical columns: how often each occurs, and others in their place.

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <new>
#include <vector>

#include "fixed_point.h"

// A column's codes into a list of values: signed integers of any width, -1 where missing.
struct skx_codes_t {
    const void *codes;
    int itemsize;
    int64_t n_rows, n_values;
};

template <typename function_t>
static void skx_visit_codes(const skx_codes_t *column, const function_t &function) {
    switch (column->itemsize) {
        case 1: return function((const int8_t *)column->codes);
        case 2: return function((const int16_t *)column->codes);
        case 4: return function((const int32_t *)column->codes);
        default: return function((const int64_t *)column->codes);
    }
}

// The most values whose sums are kept in several tables, all of them in the nearest cache:
// a sum waits for the one before it where rows next to each other have the same code.
enum { SKX_N_TABLES = 4, SKX_MAX_VALUES_OF_TABLES = 1000 };

// Sums of unsigned integers by code, those of -1 first.
struct skx_sums_t {
    std::vector<uint64_t> sums;
    int64_t n_places;
    int64_t stride;  // from one table to the next, 0 if there is only one

    explicit skx_sums_t(int64_t n_values) : n_places(n_values + 1) {
        const bool has_tables = n_values <= SKX_MAX_VALUES_OF_TABLES;
        stride = has_tables ? n_places : 0;
        sums.assign(n_places * (has_tables ? SKX_N_TABLES : 1), 0);
    }

    // `amount(row)` is added to the sum of each row's code.
    template <typename code_t, typename amount_t>
    void add(const code_t *codes, int64_t n_rows, const amount_t &amount) {
        uint64_t *table = sums.data() + 1;
        int64_t row = 0;
        for (; row + SKX_N_TABLES <= n_rows; row += SKX_N_TABLES) {
            for (int i = 0; i < SKX_N_TABLES; ++i) {
                table[i * stride + codes[row + i]] += amount(row + i);
            }
        }
        for (; row < n_rows; ++row) table[codes[row]] += amount(row);
    }

    int64_t sum_of(int64_t value) const {
        uint64_t sum = 0;
        const int n_tables = stride == 0 ? 1 : SKX_N_TABLES;
        for (int i = 0; i < n_tables; ++i) sum += sums[i * stride + value + 1];
        return (int64_t)sum;
    }
};

// The power of two by which n weights, the largest given, become integers of which any
// sum has at most 53 bits.
static int skx_find_weight_shift(double largest, int64_t n) {
    int exponent, n_bits = 2;  // of no fewer, for skx_round
    frexp(largest, &exponent);
    while (n_bits < 63 && n >> n_bits > 0) ++n_bits;
    return 53 - exponent - n_bits;
}

// How much the rows of each level weigh, and the first of them (n_rows: there is none).
// levels: of each value, or -1. weights: NULL if all are 1; rows of weight 0 do not count.
// Returns whether there was enough memory.
static bool skx_count_levels(
    const skx_codes_t *column, const int32_t *levels, const double *weights,
    int64_t n_levels, int64_t *counts, int64_t *first_rows) {
    const int64_t n_rows = column->n_rows, n_values = column->n_values;
    std::fill_n(counts, n_levels, 0);
    std::fill_n(first_rows, n_levels, n_rows);
    try {
        skx_sums_t sums(n_values);
        std::vector<int64_t> firsts(n_values + 1, n_rows);
        int64_t *first_of = firsts.data() + 1;
        skx_visit_codes(column, [&](const auto *codes) {
            if (weights == NULL) {
                // The last row that is written is the first one.
                for (int64_t row = n_rows - 1; row >= 0; --row) {
                    first_of[codes[row]] = row;
                }
                sums.add(codes, n_rows, [](int64_t) { return (uint64_t)1; });
                return;
            }
            std::vector<uint8_t> has_level(n_values + 1);
            for (int64_t value = 0; value < n_values; ++value) {
                has_level[value + 1] = levels[value] >= 0;
            }
            double largest = 0;
            int64_t n_counted = 0;
            for (int64_t row = n_rows - 1; row >= 0; --row) {
                // A row that does not count is as one whose value is missing.
                const int64_t place = weights[row] != 0 ? (int64_t)codes[row] + 1 : 0;
                firsts[place] = row;
                n_counted += has_level[place];
                largest = std::max(largest, has_level[place] ? weights[row] : 0);
            }
            if (n_counted == 0) return;
            // In two steps, neither of which is beyond the range of exponents.
            const int shift = skx_find_weight_shift(largest, n_counted);
            const double scale = ldexp(1, shift / 2), rest = ldexp(1, shift - shift / 2);
            sums.add(codes, n_rows, [&](int64_t row) {
                return (uint64_t)skx_round(weights[row] * scale * rest);
            });
        });
        for (int64_t value = 0; value < n_values; ++value) {
            const int32_t level = levels[value];
            if (level < 0) continue;
            counts[level] += sums.sum_of(value);
            first_rows[level] = std::min(first_rows[level], first_of[value]);
        }
    } catch (const std::bad_alloc &) {
        return false;
    }
    return true;
}

// out[row]: what `table` has for the row's code, its last place being that of -1.
static void skx_replace_codes(
    const skx_codes_t *column, const int32_t *table, int64_t start, int64_t stop,
    int32_t *out) {
    const int64_t n_values = column->n_values;
    skx_visit_codes(column, [&](const auto *codes) {
        for (int64_t row = start; row < stop; ++row) {
            const int64_t code = codes[row];
            out[row] = table[code < 0 ? n_values : code];
        }
    });
}
