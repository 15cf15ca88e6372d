// Products of a compressed sparse table of float or double with vectors and matrices.
//
// A table is a list of lines (rows of CSR, columns of CSC), each a list of places with
// values. Two products follow, whichever way it is compressed:
//
//     gather    out[line] = sum of value * operand[place]       a line a sum
//     scatter   out[place] += value * operand[line]             sums of parts of the lines
//
// Lines are cut into parts of about equal numbers of entries.

#pragma once

#include <stdint.h>

#include <algorithm>
#include <vector>

#include "parallel_parts.h"
#include "prefetch.h"

template <typename T, typename I>
struct skx_compressed_t {
    const I *starts;  // (n_lines + 1,)
    const I *places;
    const T *values;
    int64_t n_lines, n_places;
};

template <typename T, typename I>
static inline skx_compressed_t<T, I> skx_describe_lines(
    const I *starts, const I *places, const T *values, int64_t n_lines, int64_t n_places) {
    return {starts, places, values, n_lines, n_places};
}

enum { ENTRIES_PER_PART = 1 << 14, LINES_PER_PART = 1 << 12, PREFETCH_ENTRIES = 12 };

// First lines of parts of at most so many entries (one line may have more) and lines.
template <typename I>
static std::vector<int64_t> skx_cut_lines(
    const I *starts, int64_t n_lines, int64_t max_entries, int64_t max_lines) {
    std::vector<int64_t> firsts(1, 0);
    while (firsts.back() < n_lines) {
        const int64_t first = firsts.back();
        const I *stop = std::upper_bound(
            starts + first, starts + n_lines + 1, (I)(starts[first] + max_entries));
        const int64_t n = (int64_t)(stop - starts) - 1 - first;
        firsts.push_back(
            std::min(n_lines, first + std::min(max_lines, std::max(n, (int64_t)1))));
    }
    return firsts;
}

template <typename T, typename I>
SKX_INLINE double skx_gather_line(
    const skx_compressed_t<T, I> &table, int64_t line, const double *operand) {
    double lanes[4] = {0};
    int64_t e = table.starts[line];
    const int64_t stop = table.starts[line + 1];
    for (; e + 4 <= stop; e += 4) {
        for (int k = 0; k < 4; ++k) {
            lanes[k] += (double)table.values[e + k] * operand[table.places[e + k]];
        }
    }
    for (; e < stop; ++e) lanes[0] += (double)table.values[e] * operand[table.places[e]];
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

template <typename T>
SKX_INLINE void skx_add_multiple(
    double *SKX_RESTRICT to, const double *SKX_RESTRICT from, T factor, int64_t n) {
    const double wide = (double)factor;
    for (int64_t k = 0; k < n; ++k) to[k] += wide * from[k];
}

#define SKX_GATHER_LINES(T, I)                                                            \
    SKX_CLONES static inline void skx_gather_lines(                                       \
        const skx_compressed_t<T, I> &table, int64_t line, int64_t stop,                  \
        const double *operand, int64_t n_outputs, double *out) {                          \
        const int64_t last = table.starts[stop];                                          \
        for (; line < stop; ++line) {                                                     \
            double *of_line = out + line * n_outputs;                                     \
            if (n_outputs == 1) {                                                         \
                of_line[0] = skx_gather_line(table, line, operand);                       \
                continue;                                                                 \
            }                                                                             \
            std::fill(of_line, of_line + n_outputs, 0.0);                                 \
            for (int64_t e = table.starts[line]; e < table.starts[line + 1]; ++e) {       \
                if (e + PREFETCH_ENTRIES < last) {                                        \
                    const double *next =                                                  \
                        operand + table.places[e + PREFETCH_ENTRIES] * n_outputs;         \
                    for (int64_t k = 0; k < n_outputs; k += 8) SKX_PREFETCH(next + k);    \
                }                                                                         \
                skx_add_multiple(                                                         \
                    of_line, operand + table.places[e] * n_outputs, table.values[e],      \
                    n_outputs);                                                           \
            }                                                                             \
        }                                                                                 \
    }                                                                                     \
    SKX_CLONES static inline void skx_scatter_lines(                                      \
        const skx_compressed_t<T, I> &table, int64_t line, int64_t stop,                  \
        const double *operand, int64_t n_outputs, double *out) {                          \
        for (; line < stop; ++line) {                                                     \
            const double *of_line = operand + line * n_outputs;                           \
            for (int64_t e = table.starts[line]; e < table.starts[line + 1]; ++e) {       \
                skx_add_multiple(                                                         \
                    out + table.places[e] * n_outputs, of_line, table.values[e],          \
                    n_outputs);                                                           \
            }                                                                             \
        }                                                                                 \
    }

SKX_GATHER_LINES(float, int32_t)
SKX_GATHER_LINES(float, int64_t)
SKX_GATHER_LINES(double, int32_t)
SKX_GATHER_LINES(double, int64_t)

// out (n_lines, n_outputs) = table @ operand, operand (n_places, n_outputs).
template <typename T, typename I>
static void skx_gather(
    const skx_compressed_t<T, I> &table, const double *operand, int64_t n_outputs,
    double *out, skx_parallel_t parallel_for, int n_threads) {
    const std::vector<int64_t> firsts = skx_cut_lines(
        table.starts, table.n_lines, (int64_t)ENTRIES_PER_PART, (int64_t)LINES_PER_PART);
    auto task = [&](int64_t part) {
        skx_gather_lines(table, firsts[part], firsts[part + 1], operand, n_outputs, out);
    };
    skx_run_tasks(parallel_for, (int64_t)firsts.size() - 1, n_threads, task);
}

// Lines cut into parts, of whose sums of `size` doubles not too many are kept.
template <typename T, typename I>
static std::vector<int64_t> skx_cut_for_sums(
    const skx_compressed_t<T, I> &table, int64_t size) {
    const int64_t n_entries = table.starts[table.n_lines];
    const int64_t n_sums = std::max((int64_t)1, skx_max_sums(size) / 2);
    return skx_cut_lines(
        table.starts, table.n_lines,
        std::max((int64_t)ENTRIES_PER_PART, (n_entries + n_sums - 1) / n_sums),
        std::max((int64_t)LINES_PER_PART, (table.n_lines + n_sums - 1) / n_sums));
}

// out (n_places, n_outputs) = table.T @ operand, operand (n_lines, n_outputs).
template <typename T, typename I>
static void skx_scatter(
    const skx_compressed_t<T, I> &table, const double *operand, int64_t n_outputs,
    double *out, skx_parallel_t parallel_for, int n_threads) {
    const int64_t size = table.n_places * n_outputs;
    const std::vector<int64_t> firsts = skx_cut_for_sums(table, size);
    const int64_t n_sums = (int64_t)firsts.size() - 1;
    std::vector<double> sums(std::max(n_sums, (int64_t)1) * size, 0.0);
    auto task = [&](int64_t part) {
        skx_scatter_lines(
            table, firsts[part], firsts[part + 1], operand, n_outputs,
            sums.data() + part * size);
    };
    skx_run_tasks(parallel_for, n_sums, n_threads, task);
    skx_add_sums(sums.data(), n_sums, size, parallel_for, n_threads);
    std::copy(sums.data(), sums.data() + size, out);
}

// out[place] = sum over lines of weights[line] * value**2; weights may be NULL.
template <typename T, typename I>
static void skx_scatter_squares(
    const skx_compressed_t<T, I> &table, const double *weights, double *out) {
    std::fill(out, out + table.n_places, 0.0);
    for (int64_t line = 0; line < table.n_lines; ++line) {
        const double weight = weights ? weights[line] : 1.0;
        for (int64_t e = table.starts[line]; e < table.starts[line + 1]; ++e) {
            const double value = (double)table.values[e];
            out[table.places[e]] += weight * (value * value);
        }
    }
}

// Copy the upper triangle to the lower one.
static inline void skx_mirror(double *out, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < i; ++j) out[i * n + j] = out[j * n + i];
    }
}

// out (n_places, n_places) = table.T @ diag(weights) @ table from rows whose places
// ascend: sums of parts of the rows, for few columns.
template <typename T, typename I>
static void skx_gram_of_rows(
    const skx_compressed_t<T, I> &rows, const double *weights, double *out,
    skx_parallel_t parallel_for, int n_threads) {
    const int64_t p = rows.n_places, size = p * p;
    const std::vector<int64_t> firsts = skx_cut_for_sums(rows, size);
    const int64_t n_sums = (int64_t)firsts.size() - 1;
    std::vector<double> sums(std::max(n_sums, (int64_t)1) * size, 0.0);
    auto task = [&](int64_t part) {
        double *of_part = sums.data() + part * size;
        for (int64_t row = firsts[part]; row < firsts[part + 1]; ++row) {
            const double weight = weights ? weights[row] : 1.0;
            const int64_t stop = rows.starts[row + 1];
            for (int64_t e = rows.starts[row]; e < stop; ++e) {
                const double factor = weight * (double)rows.values[e];
                double *of_place = of_part + (int64_t)rows.places[e] * p;
                for (int64_t f = e; f < stop; ++f) {
                    of_place[rows.places[f]] += factor * (double)rows.values[f];
                }
            }
        }
    };
    skx_run_tasks(parallel_for, n_sums, n_threads, task);
    skx_add_sums(sums.data(), n_sums, size, parallel_for, n_threads);
    std::copy(sums.data(), sums.data() + size, out);
    skx_mirror(out, p);
}

// The same from the table by columns as well, for many columns: each row of `out` is
// summed by one task.
template <typename T, typename I>
static void skx_gram_of_columns(
    const skx_compressed_t<T, I> &columns, const skx_compressed_t<T, I> &rows,
    const double *weights, double *out, skx_parallel_t parallel_for, int n_threads) {
    const int64_t p = columns.n_lines;
    const std::vector<int64_t> firsts =
        skx_cut_lines(columns.starts, p, (int64_t)ENTRIES_PER_PART / 16, (int64_t)64);
    auto task = [&](int64_t part) {
        for (int64_t j = firsts[part]; j < firsts[part + 1]; ++j) {
            double *of_column = out + j * p;
            std::fill(of_column, of_column + p, 0.0);
            for (int64_t e = columns.starts[j]; e < columns.starts[j + 1]; ++e) {
                const int64_t row = columns.places[e];
                const double factor =
                    (weights ? weights[row] : 1.0) * (double)columns.values[e];
                const I *stop = rows.places + rows.starts[row + 1];
                const I *place = std::lower_bound(
                    rows.places + rows.starts[row], stop, (I)j);
                for (; place < stop; ++place) {
                    of_column[*place] += factor * (double)rows.values[place - rows.places];
                }
            }
        }
    };
    skx_run_tasks(parallel_for, (int64_t)firsts.size() - 1, n_threads, task);
    skx_mirror(out, p);
}
