// What one core can do at most of the work that a stage of boosting cannot avoid.
//
// Each function does that part of a stage which every implementation has to do, and no
// more: so its speed bounds that of the stage. It takes the stage's own data, so that
// caches, densities and the order of rows are the same. Results are returned or written
// so that no compiler leaves the work out. Compiled by _limits.py, for this processor,
// with sums and maxima in any order.

#include <math.h>
#include <stdint.h>

// Columns of the data that histograms are measured on.
enum { N_COLUMNS = 28, N_BINS = 256 };

// Binning: a selection of quantiles counts each value at least once. Two tables of 2^11
// counters fit the nearest cache.
int64_t count_values(const uint32_t *values, int64_t n) {
    static uint32_t counts[2][1 << 11];
    int64_t i;
    for (i = 0; i + 2 <= n; i += 2) {
        ++counts[0][values[i] >> 21];
        ++counts[1][values[i + 1] >> 21];
    }
    return counts[0][0] + counts[1][0];
}

// Mapping: the shortest search among 255 edges that is known, not a proven limit. The
// first bits of a value find a place in a table, and the value is compared with the edge
// there. Both tables fit the nearest cache.
void look_up(
    const float *restrict values, const uint32_t *restrict bits, int64_t n,
    const uint8_t *restrict places, const float *restrict edges,
    uint8_t *restrict codes) {
    for (int64_t i = 0; i < n; ++i) {
        const uint8_t place = places[bits[i] >> 20];
        codes[i] = (uint8_t)(place + (edges[place] < values[i]));
    }
}

// Gradients of the log loss: two numbers read, two written and, for the logistic
// function, one division.
void divide(
    const double *restrict y, const double *restrict raw, double *restrict gradients,
    double *restrict hessians, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        const double p = 1.0 / (1.5 + raw[i]);
        gradients[i] = p - y[i];
        hessians[i] = p * p;
    }
}

// Fixed point: values are scaled as those before were, a word and a term of leaves are
// written, and the largest value is found, which tells whether that was right.
double scale_values(
    const double *restrict gradients, const double *restrict hessians, int64_t n,
    double *restrict words, double *restrict terms) {
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double larger = gradients[i] > hessians[i] ? gradients[i] : hessians[i];
        largest = larger > largest ? larger : largest;
        words[i] = 4096 * (gradients[i] + hessians[i]);
        terms[i] = 0x1p30 * (gradients[i] + hessians[i]);
    }
    return largest;
}

// Partition: the number of each row is read, its code, and the number is written.
void gather_codes(
    const uint32_t *restrict rows, const uint8_t *restrict codes, int64_t n,
    uint32_t *restrict out) {
    for (int64_t i = 0; i < n; ++i) out[i] = rows[i] + codes[rows[i]];
}

// Histogram: for each column of a row, a word of a table is read, added to and written.
// The table holds eight columns and so fits the nearest cache.
void add_to_table(
    const uint8_t *restrict codes, int64_t stride, const int64_t *restrict words,
    int64_t n_rows, int64_t *restrict table) {
    for (int64_t i = 0; i < n_rows; ++i) {
        const uint8_t *row = codes + i * stride;
        const int64_t word = words[i];
#if defined(__GNUC__) || defined(__clang__)
#pragma GCC unroll 28
#endif
        for (int column = 0; column < N_COLUMNS; ++column) {
            table[(column % 8) * N_BINS + row[column]] += word;
        }
    }
}

// Histogram of scattered rows: the codes and the word of each are fetched.
int64_t gather_rows(
    const uint32_t *rows, int64_t n_rows, const uint8_t *codes, int64_t stride,
    const int64_t *words) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n_rows; ++i) {
        const uint8_t *row = codes + rows[i] * stride;
        sum += words[rows[i]] + row[0] + row[N_COLUMNS - 1];
    }
    return sum;
}

// Sparse histogram: for each entry a bin of three sums is read, added to and written.
void add_to_bins(const uint32_t *restrict entries, int64_t n, int64_t *restrict bins) {
    for (int64_t i = 0; i < n; ++i) {
        int64_t *bin = bins + 3 * entries[i];
        bin[0] += i;
        bin[1] += 1;
        bin[2] += 1;
    }
}

// Bins of two children: words unpacked into the bins of one, those taken from the bins
// of the other, and both read.
int64_t unpack_and_subtract(
    const int64_t *restrict words, int64_t n_bins, int64_t *restrict bins,
    int64_t *restrict larger) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n_bins; ++i) {
        bins[3 * i] = words[i] >> 39;
        bins[3 * i + 1] = (words[i] >> 14) & ((1 << 25) - 1);
        bins[3 * i + 2] = words[i] & ((1 << 14) - 1);
    }
    for (int64_t i = 0; i < 3 * n_bins; ++i) {
        larger[i] -= bins[i];
        sum += larger[i] + bins[i];
    }
    return sum;
}

// Bins of one child: words unpacked into bins.
void unpack(const int64_t *restrict words, int64_t n_bins, int64_t *restrict bins) {
    for (int64_t i = 0; i < n_bins; ++i) {
        bins[3 * i] = words[i] >> 39;
        bins[3 * i + 1] = (words[i] >> 14) & ((1 << 25) - 1);
        bins[3 * i + 2] = words[i] & ((1 << 14) - 1);
    }
}

// Split search: each bin is read, and a gain takes one division.
double find_largest_quotient(const int64_t *bins, int64_t n_bins) {
    double largest = 0;
    for (int64_t i = 0; i < n_bins; ++i) {
        const double gradient = (double)bins[3 * i];
        const double curvature = (double)(bins[3 * i + 1] + bins[3 * i + 2]) + 1.0;
        largest = fmax(largest, gradient * gradient / curvature);
    }
    return largest;
}

// Leaf sums: the number, gradient and hessian of each row are read once.
int64_t sum_terms(
    const uint32_t *restrict rows, const int32_t *restrict terms, int64_t n) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        sum += rows[i] + ((int64_t)terms[2 * i] ^ terms[2 * i + 1]);
    }
    return sum;
}

// Scores: the number of each row is read, its score read and written.
void add_values(const uint32_t *restrict rows, int64_t n, double *restrict raw) {
    for (int64_t i = 0; i < n; ++i) raw[i] += (double)(rows[i] & 1);
}
