// Bins of values: where they end, which one a value is in, and codes by row.

#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "dtypes.h"
#include "edge_search.h"
#include "radix_sort.h"
#include "skx_math.h"

template <typename key_t>
struct skx_item_t {
    key_t key;
    double weight;
};

template <typename key_t>
static inline key_t skx_key_of(const skx_item_t<key_t> &item) {
    return item.key;
}

// ---- edges ----------------------------------------------------------------------------

// A finite number x with lower <= x, and x < upper where they differ.
static double skx_middle(double lower, double upper) {
    const double largest = std::numeric_limits<double>::max();
    double middle = lower / 2 + upper / 2;
    if (middle != middle) middle = 0;  // between -inf and inf
    // Rounding may have reached the upper value.
    if (middle >= upper && upper > lower) middle = lower;
    if (middle < lower) middle = lower;
    return std::min(std::max(middle, -largest), largest);
}

// Quantiles that fall on one heavy value coincide, and the bins between them are lost.
// With its weight capped at a bin's share, such a value has a bin of its own and leaves
// the rest to the others.
static void skx_cap_heavy_values(std::vector<double> &weights, int max_bins) {
    double total = 0;
    for (double weight : weights) total += weight;
    double cap = total / max_bins;
    // A lower cap may reach more values; it falls until it reaches no more.
    for (;;) {
        int64_t n_heavy = 0;
        double light = 0;
        for (double weight : weights) {
            if (weight > cap) {
                ++n_heavy;
            } else {
                light += weight;
            }
        }
        if (n_heavy == 0 || n_heavy >= max_bins) return;
        const double lower_cap = light / (max_bins - n_heavy);
        if (lower_cap >= cap) break;
        cap = lower_cap;
    }
    for (double &weight : weights) weight = std::min(weight, cap);
}

// Where one value weighs more than all others together, as zeros of sparse columns do,
// how many bins the others can fill with min_weight each, and one for that value.
static int skx_count_bins(
    const std::vector<double> &weights, int max_bins, double min_weight) {
    double total = 0, heaviest = 0;
    for (double weight : weights) {
        total += weight;
        heaviest = std::max(heaviest, weight);
    }
    if (min_weight <= 1 || heaviest <= total / 2) return max_bins;
    const double n_light = std::max(floor((total - heaviest) / min_weight), 1.0);
    return (int)std::min(n_light + 1, (double)max_bins);
}

// The inner edges of at most max_bins bins of sorted values: `distinct` in ascending
// order, and how much each weighs. Midpoints of neighbours if they are few, else
// quantiles (averaged inverted distribution function), which a value of weight 2 moves
// exactly as the value twice does.
static std::vector<double> skx_choose_edges(
    const std::vector<double> &distinct, std::vector<double> &weights, int max_bins,
    double min_weight) {
    std::vector<double> edges;
    const auto append = [&](double lower, double upper) {
        const double edge = skx_middle(lower, upper);
        if (edges.empty() || edge > edges.back()) edges.push_back(edge);
    };
    const size_t n = distinct.size();
    max_bins = skx_count_bins(weights, max_bins, min_weight);
    if (n <= (size_t)max_bins) {
        for (size_t i = 0; i + 1 < n; ++i) append(distinct[i], distinct[i + 1]);
        return edges;
    }
    skx_cap_heavy_values(weights, max_bins);
    double total = 0;
    for (double weight : weights) total += weight;
    double sum = weights[0];
    size_t i = 0;
    for (int k = 1; k < max_bins; ++k) {
        // Compared as products, which are exact for counts and integer weights.
        const double wanted = k * total;
        while (sum * max_bins < wanted && i + 1 < n) sum += weights[++i];
        // A quantile at the largest value would leave an empty bin behind it.
        if (i + 1 >= n) break;
        append(distinct[i], sum * max_bins == wanted ? distinct[i + 1] : distinct[i]);
    }
    return edges;
}

static inline double skx_weight_of(uint32_t) { return 1; }
static inline double skx_weight_of(uint64_t) { return 1; }
template <typename key_t>
static inline double skx_weight_of(const skx_item_t<key_t> &item) {
    return item.weight;
}

// The same as skx_choose_edges where all values weigh 1 and none is heavy: quantiles are
// then found at their places. Returns whether it is so.
template <typename key_t>
static bool skx_choose_edges_of_light(
    const std::vector<key_t> &keys, int max_bins, std::vector<double> *edges) {
    const int64_t n = keys.size(), share = n / max_bins;
    if (share == 0) return false;
    int64_t n_heavy = 0;
    for (int64_t i = 0; i + share < n; ++i) n_heavy += keys[i] == keys[i + share];
    if (n_heavy > 0) return false;
    // Values that fill a bin each are a case of few values.
    int64_t n_distinct = 1;
    for (int64_t i = 1; i < n && n_distinct <= max_bins; ++i) {
        n_distinct += keys[i] != keys[i - 1];
    }
    if (n_distinct <= max_bins) return false;
    for (int64_t k = 1; k < max_bins; ++k) {
        const int64_t place = (k * n + max_bins - 1) / max_bins - 1;
        int64_t end = place + 1;
        while (end < n && keys[end] == keys[place]) ++end;
        if (end == n) break;
        const double lower = skx_from_key(keys[place]);
        const double edge = skx_middle(
            lower, end * max_bins == k * n ? skx_from_key(keys[end]) : lower);
        if (edges->empty() || edge > edges->back()) edges->push_back(edge);
    }
    return true;
}

template <typename key_t>
static bool skx_choose_edges_of_light(
    const std::vector<skx_item_t<key_t>> &, int, std::vector<double> *) {
    return false;
}

// Of sorted values, and so many zeros more.
template <typename item_t>
static std::vector<double> skx_edges_of_sorted(
    const std::vector<item_t> &items, double weight_of_zeros, int max_bins,
    double min_weight) {
    std::vector<double> distinct, weights, edges;
    if (weight_of_zeros == 0 && skx_choose_edges_of_light(items, max_bins, &edges)) {
        return edges;
    }
    const auto append = [&](double value, double weight) {
        if (!distinct.empty() && distinct.back() == value) {
            weights.back() += weight;
        } else {
            distinct.push_back(value);
            weights.push_back(weight);
        }
    };
    double total = 0, before = 0;
    bool has_zeros = weight_of_zeros > 0;
    const size_t n = items.size();
    for (size_t i = 0; i < n; ++i) {
        total += skx_weight_of(items[i]);
        if (i + 1 < n && skx_key_of(items[i + 1]) == skx_key_of(items[i])) continue;
        const double value = skx_from_key(skx_key_of(items[i]));
        if (has_zeros && value >= 0) {
            append(0, weight_of_zeros);
            has_zeros = false;
        }
        append(value, total - before);
        before = total;
    }
    if (has_zeros) append(0, weight_of_zeros);
    return skx_choose_edges(distinct, weights, max_bins, min_weight);
}

// Sort keys if there are only few different ones: in the order of their appearance each
// is counted. Returns whether it was so.
template <typename key_t>
static bool skx_sort_few_keys(std::vector<key_t> &keys) {
    enum { MAX_DISTINCT = 8 };
    std::vector<std::pair<key_t, size_t>> counts;
    size_t last = 0;
    for (const key_t key : keys) {
        if (counts.empty() || counts[last].first != key) {
            for (last = 0; last < counts.size() && counts[last].first != key; ++last) {
            }
            if (last == MAX_DISTINCT) return false;
            if (last == counts.size()) counts.push_back({key, 0});
        }
        ++counts[last].second;
    }
    std::sort(counts.begin(), counts.end());
    auto place = keys.begin();
    for (const auto &count : counts) {
        place = std::fill_n(place, count.second, count.first);
    }
    return true;
}

// Count the keys of integers that are close to each other: counts[i] of *first + i.
// Returns whether they were.
template <typename key_t>
static bool skx_count_small_integers(
    const std::vector<key_t> &keys, std::vector<uint32_t> &counts, int64_t *first) {
    const double max_span = std::min<double>(1 << 16, keys.size());
    const double largest = (int64_t)1 << 52;  // larger ones differ by more than 1
    key_t lowest = std::numeric_limits<key_t>::max(), highest = 0;
    for (const key_t key : keys) {
        lowest = std::min(lowest, key);
        highest = std::max(highest, key);
    }
    if (lowest > highest) return false;
    const double low = skx_from_key(lowest), high = skx_from_key(highest);
    if (!(low >= -largest && high <= largest && high - low < max_span)) return false;
    if (low != floor(low) || high != floor(high)) return false;
    *first = (int64_t)low;
    counts.assign((size_t)(high - low) + 1, 0);
    for (const key_t key : keys) {
        const double value = skx_from_key(key);
        const int64_t integer = (int64_t)value;
        if ((double)integer != value) return false;
        ++counts[integer - *first];
    }
    return true;
}

// Put counted integers in order, as keys.
template <typename value_t, typename key_t>
static void skx_list_integers(
    const std::vector<uint32_t> &counts, int64_t first, std::vector<key_t> &keys) {
    auto place = keys.begin();
    for (size_t i = 0; i < counts.size(); ++i) {
        const key_t key = skx_to_key((value_t)(first + (int64_t)i));
        place = std::fill_n(place, counts[i], key);
    }
}

// The edges of counted integers.
static std::vector<double> skx_edges_of_integers(
    const std::vector<uint32_t> &counts, int64_t first, int max_bins,
    double min_weight) {
    std::vector<double> distinct, weights;
    for (size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] == 0) continue;
        distinct.push_back((double)(first + (int64_t)i));
        weights.push_back(counts[i]);
    }
    return skx_choose_edges(distinct, weights, max_bins, min_weight);
}

// The inner edges of the bins of a column; NaN is missing.
// values: a column whose values are `stride` bytes apart. rows: which of them, NULL for
// the first n_values. weights may be NULL. weight_of_zeros: of rows whose value is 0 and
// not among the values. Returns whether there was enough memory.
template <typename value_t>
static bool skx_find_edges(
    const value_t *values, int64_t stride, const int64_t *rows, const double *weights,
    int64_t n_values, double weight_of_zeros, int max_bins, double min_weight,
    std::vector<double> *edges) {
    typedef decltype(skx_to_key(values[0])) key_t;
    const auto read = [&](int64_t i) {
        const int64_t row = rows == NULL ? i : rows[i];
        value_t value;
        memcpy(&value, (const char *)values + row * stride, sizeof value);
        return value;
    };
    try {
        if (weights == NULL) {
            std::vector<key_t> keys(n_values);
            size_t n_known = 0;
            for (int64_t i = 0; i < n_values; ++i) {
                const value_t value = read(i);
                keys[n_known] = skx_to_key(value);
                n_known += value == value;
            }
            keys.resize(n_known);
            std::vector<uint32_t> counts;
            int64_t first;
            const bool are_few = skx_sort_few_keys(keys);
            if (!are_few && skx_count_small_integers(keys, counts, &first)) {
                const int64_t n_distinct =
                    counts.size() - std::count(counts.begin(), counts.end(), 0u);
                // Quantiles of more may be found at their places.
                if (n_distinct <= max_bins && weight_of_zeros == 0) {
                    *edges = skx_edges_of_integers(counts, first, max_bins, min_weight);
                    return true;
                }
                skx_list_integers<value_t>(counts, first, keys);
            } else if (!are_few) {
                skx_radix_sort(keys.data(), keys.size());
            }
            *edges = skx_edges_of_sorted(keys, weight_of_zeros, max_bins, min_weight);
        } else {
            std::vector<skx_item_t<key_t>> items;
            items.reserve(n_values);
            for (int64_t i = 0; i < n_values; ++i) {
                const value_t value = read(i);
                if (value != value) continue;
                items.push_back({skx_to_key(value), weights[i]});
            }
            skx_radix_sort(items.data(), items.size());
            *edges = skx_edges_of_sorted(items, weight_of_zeros, max_bins, min_weight);
        }
    } catch (const std::bad_alloc &) {
        return false;
    }
    return true;
}

// Rows in proportion to their weights: as many as `sample` has places, one at each of
// n_sampled points that are equally far apart in the cumulative weights. shift: of the
// points, in [0, 1).
static void skx_sample_by_weight(
    const double *weights, int64_t n_rows, double shift, int64_t n_sampled,
    int64_t *sample) {
    double total = 0, sum = 0;
    for (int64_t row = 0; row < n_rows; ++row) total += weights[row];
    int64_t i = 0;
    const auto point = [&](int64_t i) { return ((double)i + shift) / n_sampled * total; };
    double next = point(0);
    for (int64_t row = 0; row < n_rows; ++row) {
        sum += weights[row];
        for (; i < n_sampled && next < sum; next = point(++i)) sample[i] = row;
    }
    std::fill(sample + i, sample + n_sampled, n_rows - 1);
}

// ---- codes ----------------------------------------------------------------------------

enum { SKX_VALUES_AT_A_TIME = 512 };

// The codes of some columns of values: the number of inner edges below, n_bins for NaN.
template <typename value_t>
struct skx_mapper_t {
    typedef skx_search_t<value_t> search_t;
    const binned_t *binned;
    const char *values;  // of column c in row i at i * row_stride + c * column_stride
    int64_t row_stride, column_stride;  // bytes
    const int64_t *rows;  // NULL: all
    const int32_t *features;
    std::vector<search_t> searches;

    skx_mapper_t(
        const binned_t *binned, const void *values, int64_t row_stride,
        int64_t column_stride, const int64_t *rows, const int32_t *features,
        int n_columns, const double *edges)
        : binned(binned), values((const char *)values), row_stride(row_stride),
          column_stride(column_stride), rows(rows), features(features) {
        for (int column = 0; column < n_columns; ++column) {
            const int feature = features[column];
            searches.emplace_back(
                edges + binned->offsets[feature], binned->n_bins[feature] - 1);
        }
    }

    template <typename code_t>
    int map_column(int column, int64_t start, int64_t stop, code_t *codes) const {
        const search_t &search = searches[column];
        const int n_bins = binned->n_bins[features[column]];
        const char *first_value = values + column * column_stride;
        int any_missing = 0;
        value_t some[SKX_VALUES_AT_A_TIME];
        int32_t found[SKX_VALUES_AT_A_TIME];
        for (int64_t first = start; first < stop; first += SKX_VALUES_AT_A_TIME) {
            const int n = (int)std::min<int64_t>(SKX_VALUES_AT_A_TIME, stop - first);
            if (rows == NULL && row_stride == sizeof(value_t)) {
                memcpy(some, first_value + first * row_stride, n * sizeof(value_t));
            } else {
                for (int i = 0; i < n; ++i) {
                    const int64_t row = rows == NULL ? first + i : rows[first + i];
                    memcpy(&some[i], first_value + row * row_stride, sizeof(value_t));
                }
            }
            skx_count_edges(search, some, n, found);
            for (int i = 0; i < n; ++i) {
                const int is_missing = some[i] != some[i];
                any_missing |= is_missing;
                codes[first + i] = (code_t)(is_missing ? n_bins : found[i]);
            }
        }
        return any_missing;
    }

    // Write the codes of some rows; tell of each column whether any is missing.
    void map_rows(int64_t start, int64_t stop, uint8_t *has_missing) const {
        for (int column = 0; column < (int)searches.size(); ++column) {
            const int feature = features[column];
            const int64_t first = binned->positions[feature] * binned->n_rows;
            if (binned->storage[feature] == NARROW_STORAGE) {
                has_missing[column] = map_column(
                    column, start, stop, (uint8_t *)binned->columns + first);
            } else if (binned->wide16 != NULL) {
                has_missing[column] = map_column(
                    column, start, stop, (uint16_t *)binned->wide16 + first);
            } else {
                has_missing[column] = map_column(
                    column, start, stop, (uint32_t *)binned->wide32 + first);
            }
        }
    }
};

// Copy some rows of a matrix, column by column: (n_columns, n_rows).
template <typename value_t>
static void skx_gather_columns(
    const void *values, int64_t row_stride, int64_t column_stride, const int64_t *rows,
    int64_t start, int64_t stop, int64_t n_rows, int n_columns, value_t *out) {
    for (int64_t row = start; row < stop; ++row) {
        const char *source = (const char *)values + rows[row] * row_stride;
        for (int column = 0; column < n_columns; ++column) {
            memcpy(
                &out[column * n_rows + row], source + column * column_stride,
                sizeof(value_t));
        }
    }
}

// Copy rows of columns (n_columns, n_rows) side by side. OUT: codes, `stride` bytes a row.
template <typename code_t>
static void skx_fill_codes(
    const code_t *columns, int n_columns, int64_t n_rows, int64_t start, int64_t stop,
    uint8_t *codes, int64_t stride) {
    for (int column = 0; column < n_columns; ++column) {
        const code_t *source = columns + column * n_rows;
        for (int64_t row = start; row < stop; ++row) {
            ((code_t *)(codes + row * stride))[column] = source[row];
        }
    }
}

// Write rows of a narrow cell, whose first column is the last digit of its codes.
// OUT: codes, `stride` bytes a row.
static void skx_fill_cell(
    const binned_t *binned, int cell, int64_t start, int64_t stop, uint8_t *codes,
    int64_t stride) {
    const int first = binned->cell_starts[cell];
    for (int i = binned->cell_starts[cell + 1] - 1; i >= first; --i) {
        const uint8_t *column = binned->columns + binned->cell_columns[i] * binned->n_rows;
        const int n_codes = binned->cell_codes[i];
        if (i + 1 == binned->cell_starts[cell + 1]) {
            for (int64_t row = start; row < stop; ++row) codes[row * stride] = column[row];
        } else {
            for (int64_t row = start; row < stop; ++row) {
                uint8_t *code = codes + row * stride;
                *code = (uint8_t)(*code * n_codes + column[row]);
            }
        }
    }
}

// Copy rows of a group's columns side by side.
static void skx_fill_group(
    const binned_t *binned, const column_group_t *group, int64_t start, int64_t stop) {
    const int64_t n_rows = binned->n_rows, stride = group->stride;
    const int64_t first_wide = group->first + group->n_narrow - binned->n_cells;
    uint8_t *codes = (uint8_t *)group->codes;
    for (int i = 0; i < group->n_narrow; ++i) {
        skx_fill_cell(binned, group->first + i, start, stop, codes + i, stride);
    }
    if (group->n_wide == 0) return;
    if (binned->wide16 != NULL) {
        skx_fill_codes(
            binned->wide16 + first_wide * n_rows, group->n_wide, n_rows, start, stop,
            codes + group->wide_place, stride);
    } else {
        skx_fill_codes(
            binned->wide32 + first_wide * n_rows, group->n_wide, n_rows, start, stop,
            codes + group->wide_place, stride);
    }
}

// Rows of each code of a column, (MAX_NARROW_BINS,). Four counters of each, so that equal
// codes in a row do not wait for each other.
static void skx_count_codes(const uint8_t *codes, int64_t n_rows, int64_t *n_of_codes) {
    uint32_t counts[4][MAX_NARROW_BINS] = {};
    int64_t row = 0;
    for (; row + 4 <= n_rows; row += 4) {
        for (int i = 0; i < 4; ++i) ++counts[i][codes[row + i]];
    }
    for (; row < n_rows; ++row) ++counts[0][codes[row]];
    for (int b = 0; b < MAX_NARROW_BINS; ++b) {
        n_of_codes[b] = 0;
        for (int i = 0; i < 4; ++i) n_of_codes[b] += counts[i][b];
    }
}

// Codes of levels; -1 is a missing value. Returns whether there is any.
template <typename code_t>
static int skx_map_levels(
    const int32_t *levels, int64_t stride, int64_t start, int64_t stop, int32_t missing,
    code_t *codes) {
    int any_missing = 0;
    for (int64_t row = start; row < stop; ++row) {
        const int32_t level = levels[row * stride];
        any_missing |= level < 0;
        codes[row] = (code_t)(level < 0 ? missing : level);
    }
    return any_missing;
}

// The codes of some values of one feature. Returns whether any is missing.
template <typename value_t>
static int skx_map_values(
    const value_t *values, int64_t n_values, const double *edges, int n_bins,
    uint8_t *codes) {
    const skx_search_t<value_t> search(edges, n_bins - 1);
    int32_t found[SKX_VALUES_AT_A_TIME];
    int any_missing = 0;
    for (int64_t first = 0; first < n_values; first += SKX_VALUES_AT_A_TIME) {
        const int n = (int)std::min<int64_t>(SKX_VALUES_AT_A_TIME, n_values - first);
        skx_count_edges(search, values + first, n, found);
        for (int i = 0; i < n; ++i) {
            const int is_missing = values[first + i] != values[first + i];
            any_missing |= is_missing;
            codes[first + i] = (uint8_t)(is_missing ? n_bins : found[i]);
        }
    }
    return any_missing;
}
