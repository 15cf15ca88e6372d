// Linear models of leaves, from the rows of a leaf.
//
// With z_j = (x_j - centre_j) / 2**e_j, which lies in [-1, 1], and z_0 = 1, a leaf's rows are
// summed up in
//
//     S_ij = sum h z_i z_j,    G_i = sum g z_i,
//
// in fixed point, so that neither the order of the rows nor the cut into tasks changes a
// bit. The model b + w z that minimises
//
//     sum [g (b + w z) + h/2 (b + w z)^2] + l2/2 sum (w_j / 2**e_j)^2
//
// is that of Newton's step (Shi, Li and Li 2019, equation 3, but that the intercept is not
// penalised). Less the means, which b takes care of, it is
//
//     (S_ij - S_i0 S_j0 / S_00 + [i = j] l2 / 4**e_j) w = -(G_i - S_i0 G_0 / S_00).

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <new>
#include <vector>

#include "dtypes.h"
#include "reduction_kernels.h"
#include "skx_math.h"

enum {
    LINEAR_ROWS_PER_CHUNK = 256,
    // Up to here an integer weight times a 38-bit value is an integer below 2^51.
    MAX_LINEAR_WEIGHT = 1 << 12,
};

// Shares of a feature's second moment. What is left of it once the mean, or what features
// taken before explain, is subtracted, is noise of rounding below that.
#define SKX_LINEAR_TOLERANCE 1e-10
// Where less is left once the mean is subtracted, the centre moves there first.
#define SKX_LOPSIDED 1e-2

// A column of the training data where the user has it.
typedef struct {
    const char *values;
    int64_t stride;            // in bytes
    int is_float32;
    int is_sparse;             // values are those of the stored rows, others are 0
    const int32_t *stored32;   // ascending
    const int64_t *stored64;   // the same, if not NULL
    int64_t n_stored;
} raw_column_t;

// The rows that leaves are fitted to.
typedef struct {
    const raw_column_t *columns;  // (n_features,)
    const int64_t *index;      // (n_rows,) rows in the columns; NULL: the same
    const double *gradients;   // (n_rows,)
    const double *hessians;    // NULL: all are 1
    const double *weights;     // NULL: all are 1
    int integer_weights;       // weights are integers up to MAX_LINEAR_WEIGHT
    double l2;
    int64_t min_rows;          // that a model needs, integer weights counted
} linear_data_t;

typedef struct {
    const uint32_t *rows;      // (n_rows,)
    int64_t n_rows;
    const int32_t *features;   // (n_features,)
    int n_features;
} linear_rows_t;

static inline double skx_read_at(const raw_column_t *column, int64_t position) {
    const char *value = column->values + position * column->stride;
    return column->is_float32 ? (double)*(const float *)value : *(const double *)value;
}

template <typename index_t>
static inline double skx_read_stored(
    const raw_column_t *column, const index_t *stored, int64_t row) {
    const index_t *end = stored + column->n_stored;
    const index_t *found = std::lower_bound(stored, end, (index_t)row);
    return found != end && *found == row ? skx_read_at(column, found - stored) : 0.0;
}

static inline double skx_read_column(const raw_column_t *column, int64_t row) {
    if (!column->is_sparse) return skx_read_at(column, row);
    if (column->stored64) return skx_read_stored(column, column->stored64, row);
    return skx_read_stored(column, column->stored32, row);
}

// Adds a * b to a sum of two integers, see reduction_kernels.h. Factors, integers,
// multiply after rounding, so that a weight of 2 is the row twice.
SKX_INLINE void skx_add_products(
    const double *a, const double *b, const double *factors, int n, double scale,
    double low_scale, int64_t *sum_high, int64_t *sum_low) {
    int64_t high = 0, low = 0;
    for (int i = 0; i < n; ++i) {
        const double scaled = a[i] * b[i] * scale;
        const double whole = (scaled + SKX_ROUNDER) - SKX_ROUNDER;
        const double rest = (scaled - whole) * low_scale;
        const double factor = factors ? factors[i] : 1.0;
        high += skx_round(whole * factor);
        low += skx_round(((rest + SKX_ROUNDER) - SKX_ROUNDER) * factor);
    }
    *sum_high += high;
    *sum_low += low;
}

SKX_CLONES static inline void skx_add_simple_products(
    const double *a, const double *b, int n, double scale, double low_scale,
    int64_t *high, int64_t *low) {
    skx_add_products(a, b, NULL, n, scale, low_scale, high, low);
}

SKX_CLONES static inline void skx_add_multiple_products(
    const double *a, const double *b, const double *factors, int n, double scale,
    double low_scale, int64_t *high, int64_t *low) {
    skx_add_products(a, b, factors, n, scale, low_scale, high, low);
}

// Some rows of a leaf, those left out that lack a value of one of the features.
struct LinearChunk {
    int n_features, n_rows;
    std::vector<double> values;  // (n_features, LINEAR_ROWS_PER_CHUNK)
    double gradients[LINEAR_ROWS_PER_CHUNK];
    double hessians[LINEAR_ROWS_PER_CHUNK];
    double factors[LINEAR_ROWS_PER_CHUNK];

    explicit LinearChunk(int n_features)
        : n_features(n_features), n_rows(0),
          values((size_t)n_features * LINEAR_ROWS_PER_CHUNK) {}

    double *column(int j) { return values.data() + (size_t)j * LINEAR_ROWS_PER_CHUNK; }

    void read(
        const linear_data_t *data, const int32_t *features, const uint32_t *rows,
        int64_t n) {
        n_rows = 0;
        for (int64_t i = 0; i < n; ++i) {
            const int64_t row = rows[i];
            const int64_t where = data->index ? data->index[row] : row;
            bool is_usable = true;
            for (int j = 0; j < n_features && is_usable; ++j) {
                const double x = skx_read_column(&data->columns[features[j]], where);
                column(j)[n_rows] = x;
                is_usable = x - x == 0.0;
            }
            if (!is_usable) continue;
            const double weight = data->weights ? data->weights[row] : 1.0;
            const double real = data->integer_weights ? 1.0 : weight;
            gradients[n_rows] = data->gradients[row] * real;
            hessians[n_rows] = (data->hessians ? data->hessians[row] : 1.0) * real;
            factors[n_rows] = data->integer_weights ? weight : 1.0;
            ++n_rows;
        }
    }
};

// What fixed point needs to know of a leaf before it can sum.
struct LinearRanges {
    int64_t n_rows;  // usable ones, integer weights counted
    double max_gradient, max_hessian;
    std::vector<double> low, high;  // of each feature

    explicit LinearRanges(int n_features)
        : n_rows(0), max_gradient(0), max_hessian(0), low(n_features, INFINITY),
          high(n_features, -INFINITY) {}

    void add(LinearChunk *chunk) {
        for (int i = 0; i < chunk->n_rows; ++i) {
            n_rows += (int64_t)chunk->factors[i];
            max_gradient = std::max(max_gradient, fabs(chunk->gradients[i]));
            max_hessian = std::max(max_hessian, fabs(chunk->hessians[i]));
        }
        for (int j = 0; j < chunk->n_features; ++j) {
            const double *x = chunk->column(j);
            for (int i = 0; i < chunk->n_rows; ++i) {
                low[j] = std::min(low[j], x[i]);
                high[j] = std::max(high[j], x[i]);
            }
        }
    }

    void merge(const LinearRanges &other) {
        n_rows += other.n_rows;
        max_gradient = std::max(max_gradient, other.max_gradient);
        max_hessian = std::max(max_hessian, other.max_hessian);
        for (size_t j = 0; j < low.size(); ++j) {
            low[j] = std::min(low[j], other.low[j]);
            high[j] = std::max(high[j], other.high[j]);
        }
    }
};

// How rows become integers.
struct LinearScales {
    int n_bits, gradient_shift, hessian_shift;
    std::vector<double> centres;
    std::vector<int> exponents;

    // Amid the values.
    explicit LinearScales(const LinearRanges &ranges)
        : n_bits(skx_fixed_bits(std::max(ranges.n_rows, (int64_t)1))),
          gradient_shift(skx_fixed_shift(ranges.max_gradient, n_bits)),
          hessian_shift(skx_fixed_shift(ranges.max_hessian, n_bits)),
          centres(ranges.low.size()), exponents(ranges.low.size()) {
        for (size_t j = 0; j < centres.size(); ++j) {
            set_centre(ranges, j, 0.5 * ranges.low[j] + 0.5 * ranges.high[j]);
        }
    }

    void set_centre(const LinearRanges &ranges, size_t j, double centre) {
        int exponent = 0;
        frexp(std::max(ranges.high[j] - centre, centre - ranges.low[j]), &exponent);
        centres[j] = centre;
        // So that powers of two below stay finite.
        exponents[j] = std::max(exponent, -1000);
    }
};

// S_ij for j <= i, then G_i, of i from 0 to n_features; two integers each.
struct LinearSums {
    int n_columns;
    std::vector<int64_t> high, low;

    explicit LinearSums(int n_features)
        : n_columns(n_features + 1),
          high(n_columns * (n_columns + 1) / 2 + n_columns), low(high.size()) {}

    // Changes the chunk.
    void add(const linear_data_t *data, const LinearScales &scales, LinearChunk *chunk) {
        const int n = chunk->n_rows;
        const double gradient_scale = ldexp(1.0, scales.gradient_shift);
        const double hessian_scale = ldexp(1.0, scales.hessian_shift);
        const double low_scale = ldexp(1.0, scales.n_bits);
        const double *factors = data->integer_weights ? chunk->factors : NULL;
        double ones[LINEAR_ROWS_PER_CHUNK], products[LINEAR_ROWS_PER_CHUNK];
        std::fill(ones, ones + n, 1.0);
        for (int j = 0; j < chunk->n_features; ++j) {
            // Two factors: a power of two may be too small or too large for one.
            const int exponent = -scales.exponents[j];
            const double first = ldexp(1.0, exponent / 2);
            const double second = ldexp(1.0, exponent - exponent / 2);
            double *z = chunk->column(j);
            for (int i = 0; i < n; ++i) z[i] = (z[i] - scales.centres[j]) * first * second;
        }
        size_t k = 0;
        const auto add_sum = [&](const double *a, const double *b, double scale) {
            if (factors) {
                skx_add_multiple_products(
                    a, b, factors, n, scale, low_scale, &high[k], &low[k]);
            } else {
                skx_add_simple_products(a, b, n, scale, low_scale, &high[k], &low[k]);
            }
            ++k;
        };
        for (int i = 0; i < n_columns; ++i) {
            const double *z = i == 0 ? ones : chunk->column(i - 1);
            for (int row = 0; row < n; ++row) products[row] = chunk->hessians[row] * z[row];
            for (int j = 0; j <= i; ++j) {
                add_sum(products, j == 0 ? ones : chunk->column(j - 1), hessian_scale);
            }
        }
        for (int i = 0; i < n_columns; ++i) {
            const double *z = i == 0 ? ones : chunk->column(i - 1);
            add_sum(chunk->gradients, z, gradient_scale);
        }
    }

    void merge(const LinearSums &other) {
        for (size_t k = 0; k < high.size(); ++k) {
            high[k] += other.high[k];
            low[k] += other.low[k];
        }
    }

    double second_moment(const LinearScales &scales, int i, int j) const {
        if (j > i) std::swap(i, j);
        const int k = i * (i + 1) / 2 + j;
        return skx_fixed_value(high[k], low[k], scales.n_bits, scales.hessian_shift);
    }

    double mean(const LinearScales &scales, int i) const {
        return second_moment(scales, i, 0) / second_moment(scales, 0, 0);
    }

    double variance(const LinearScales &scales, int i) const {
        return second_moment(scales, i, i)
            - mean(scales, i) * second_moment(scales, i, 0);
    }

    double gradient(const LinearScales &scales, int i) const {
        const int k = n_columns * (n_columns + 1) / 2 + i;
        return skx_fixed_value(high[k], low[k], scales.n_bits, scales.gradient_shift);
    }
};

// Solves A w = r for a symmetric A by Cholesky's decomposition of the matrix scaled to a
// diagonal of ones, the largest remaining diagonal element first, the lowest of equal
// ones. Where all that remain are below the tolerance the rest is a combination of those
// taken: w is 0 there, and `is_taken` false.
static inline void skx_solve_positive(
    int n, const std::vector<double> &A, const std::vector<double> &r,
    std::vector<double> *w, std::vector<char> *is_taken) {
    std::vector<double> scale(n), diagonal(n), factor((size_t)n * n), y(n);
    std::vector<int> order;
    is_taken->assign(n, 0);
    w->assign(n, 0.0);
    for (int i = 0; i < n; ++i) {
        scale[i] = 1.0 / sqrt(A[(size_t)i * n + i]);
        diagonal[i] = 1.0;
    }
    for (int c = 0; c < n; ++c) {
        int pivot = -1;
        for (int i = 0; i < n; ++i) {
            if (!(*is_taken)[i] && (pivot < 0 || diagonal[i] > diagonal[pivot])) pivot = i;
        }
        if (!(diagonal[pivot] > SKX_LINEAR_TOLERANCE)) break;
        double *pivot_row = &factor[(size_t)pivot * n];
        pivot_row[c] = sqrt(diagonal[pivot]);
        (*is_taken)[pivot] = 1;
        order.push_back(pivot);
        for (int i = 0; i < n; ++i) {
            if ((*is_taken)[i]) continue;
            double *row = &factor[(size_t)i * n];
            double value = A[(size_t)i * n + pivot] * scale[i] * scale[pivot];
            for (int k = 0; k < c; ++k) value -= row[k] * pivot_row[k];
            row[c] = value / pivot_row[c];
            diagonal[i] -= row[c] * row[c];
        }
    }
    const int rank = (int)order.size();
    for (int c = 0; c < rank; ++c) {
        const double *row = &factor[(size_t)order[c] * n];
        double value = r[order[c]] * scale[order[c]];
        for (int k = 0; k < c; ++k) value -= row[k] * y[k];
        y[c] = value / row[c];
    }
    for (int c = rank - 1; c >= 0; --c) {
        double value = y[c];
        for (int k = c + 1; k < rank; ++k) value -= factor[(size_t)order[k] * n + c] * y[k];
        y[c] = value / factor[(size_t)order[c] * n + c];
        (*w)[order[c]] = y[c] * scale[order[c]];
    }
}

// Writes the model of a leaf, unless there is none.
static inline void skx_solve_leaf(
    const linear_data_t *data, const int32_t *features, const LinearScales &scales, const LinearSums &sums, linear_leaf_t *leaf,
    linear_term_t *terms) {
    const int n_features = sums.n_columns - 1;
    const double sum_hessians = sums.second_moment(scales, 0, 0);
    if (!(sum_hessians > 0.0)) return;
    // Features that are not constant in the leaf, as positions in `features`.
    std::vector<int> kept;
    std::vector<double> A, r, w, means, penalties;
    std::vector<char> is_taken;
    for (int j = 0; j < n_features; ++j) {
        const double noise =
            SKX_LINEAR_TOLERANCE * sums.second_moment(scales, j + 1, j + 1);
        const double penalty = ldexp(data->l2, -2 * scales.exponents[j]);
        if (!(sums.variance(scales, j + 1) > noise) || penalty - penalty != 0.0) continue;
        kept.push_back(j);
        means.push_back(sums.mean(scales, j + 1));
        penalties.push_back(penalty);
    }
    const int n = (int)kept.size();
    const double sum_gradients = sums.gradient(scales, 0);
    A.resize((size_t)n * n);
    r.resize(n);
    for (int a = 0; a < n; ++a) {
        for (int b = 0; b < n; ++b) {
            A[(size_t)a * n + b] =
                sums.second_moment(scales, kept[a] + 1, kept[b] + 1)
                - means[a] * sums.second_moment(scales, kept[b] + 1, 0) + (a == b ? penalties[a] : 0.0);
        }
        r[a] = means[a] * sum_gradients - sums.gradient(scales, kept[a] + 1);
    }
    skx_solve_positive(n, A, r, &w, &is_taken);
    double intercept = -sum_gradients / sum_hessians;
    int n_terms = 0;
    for (int a = 0; a < n; ++a) {
        if (!is_taken[a]) continue;
        const int j = kept[a];
        const double coefficient = ldexp(w[a], -scales.exponents[j]);
        if (coefficient - coefficient != 0.0) return;
        intercept -= w[a] * means[a];
        terms[n_terms].coefficient = coefficient;
        terms[n_terms].centre = scales.centres[j];
        terms[n_terms].feature = features[j];
        ++n_terms;
    }
    if (intercept - intercept != 0.0) return;
    leaf->intercept = intercept;
    leaf->n_terms = n_terms;
}

template <typename visitor_t>
static inline void skx_visit_chunks(
    const linear_data_t *data, const linear_rows_t *leaf, int64_t start, int64_t stop,
    visitor_t visit) {
    LinearChunk chunk(leaf->n_features);
    for (; start < stop; start += LINEAR_ROWS_PER_CHUNK) {
        const int64_t n = std::min(stop - start, (int64_t)LINEAR_ROWS_PER_CHUNK);
        chunk.read(data, leaf->features, leaf->rows + start, n);
        visit(&chunk);
    }
}

// The fit of one leaf, in pieces that tasks can share: all pieces are scanned, then all
// are summed, then it is solved. Where an outlier keeps the centre of its range away from
// all other values they are summed once more, from a better centre.
struct LinearFit {
    const linear_data_t *data;
    linear_rows_t leaf;
    int64_t rows_per_piece;
    int n_pieces;
    std::vector<LinearRanges> ranges;  // of each piece; in the end, of all in the first
    std::vector<LinearSums> sums;
    std::vector<LinearScales> scales;

    LinearFit(const linear_data_t *data, linear_rows_t leaf, int64_t rows_per_piece)
        : data(data), leaf(leaf), rows_per_piece(rows_per_piece),
          n_pieces((int)((leaf.n_rows + rows_per_piece - 1) / rows_per_piece)),
          ranges(n_pieces, LinearRanges(leaf.n_features)),
          sums(n_pieces, LinearSums(leaf.n_features)) {}

    int64_t find_stop(int piece) const {
        return std::min((piece + 1) * rows_per_piece, leaf.n_rows);
    }

    void scan(int piece) {
        skx_visit_chunks(
            data, &leaf, piece * rows_per_piece, find_stop(piece),
            [&](LinearChunk *chunk) { ranges[piece].add(chunk); });
    }

    // Whether there are rows enough, at least one for each coefficient and the intercept.
    bool merge_ranges() {
        for (int piece = 1; piece < n_pieces; ++piece) ranges[0].merge(ranges[piece]);
        scales.push_back(LinearScales(ranges[0]));
        return ranges[0].n_rows >= std::max(data->min_rows, leaf.n_features + (int64_t)1);
    }

    void add(int piece) {
        skx_visit_chunks(
            data, &leaf, piece * rows_per_piece, find_stop(piece),
            [&](LinearChunk *chunk) { sums[piece].add(data, scales[0], chunk); });
    }

    void merge_sums() {
        for (int piece = 1; piece < n_pieces; ++piece) sums[0].merge(sums[piece]);
    }

    // Returns whether the sums are to be added up again.
    bool move_centres() {
        const LinearScales before = scales[0];
        bool has_moved = false;
        for (int j = 0; j < leaf.n_features; ++j) {
            const double variance = sums[0].variance(before, j + 1);
            const double raw = sums[0].second_moment(before, j + 1, j + 1);
            if (!(variance < SKX_LOPSIDED * raw)) continue;
            const double mean = before.centres[j]
                + ldexp(sums[0].mean(before, j + 1), before.exponents[j]);
            scales[0].set_centre(
                ranges[0], j, std::min(std::max(mean, ranges[0].low[j]), ranges[0].high[j]));
            has_moved = true;
        }
        return has_moved;
    }

    void clear_sums() {
        for (LinearSums &of_piece : sums) of_piece = LinearSums(leaf.n_features);
    }

    void solve(linear_leaf_t *out, linear_term_t *terms) {
        skx_solve_leaf(data, leaf.features, scales[0], sums[0], out, terms);
    }
};

// Fits a leaf, `run` calling a step for each of its pieces. Returns false where no memory
// is left.
template <typename run_t>
static inline bool skx_run_linear_fit(
    const linear_data_t *data, linear_rows_t leaf, int64_t rows_per_piece,
    linear_leaf_t *out, linear_term_t *terms, run_t run) {
    try {
        LinearFit fit(data, leaf, rows_per_piece);
        if (!run(&fit, &LinearFit::scan)) return false;
        if (!fit.merge_ranges()) return true;
        if (!run(&fit, &LinearFit::add)) return false;
        fit.merge_sums();
        if (fit.move_centres()) {
            fit.clear_sums();
            if (!run(&fit, &LinearFit::add)) return false;
            fit.merge_sums();
        }
        fit.solve(out, terms);
    } catch (const std::bad_alloc &) {
        return false;
    }
    return true;
}

static inline bool skx_fit_small_leaf(
    const linear_data_t *data, linear_rows_t leaf, linear_leaf_t *out,
    linear_term_t *terms) noexcept {
    return skx_run_linear_fit(
        data, leaf, leaf.n_rows, out, terms,
        [](LinearFit *fit, void (LinearFit::*step)(int)) {
            (fit->*step)(0);
            return true;
        });
}

typedef void (*skx_task_t)(void *context, int task);

// The step of a fit that tasks share.
typedef struct {
    LinearFit *fit;
    void (LinearFit::*step)(int);
    std::vector<char> failed;  // of each piece
} linear_step_t;

static inline void skx_run_linear_step(void *context, int piece) noexcept {
    linear_step_t *job = (linear_step_t *)context;
    try {
        (job->fit->*job->step)(piece);
    } catch (const std::bad_alloc &) {
        job->failed[piece] = 1;
    }
}

// `parallel_for` is that of threads.pxd.
static inline bool skx_fit_large_leaf(
    const linear_data_t *data, linear_rows_t leaf, int64_t rows_per_piece,
    linear_leaf_t *out, linear_term_t *terms,
    void (*parallel_for)(skx_task_t, void *, int, int), int n_threads) noexcept {
    return skx_run_linear_fit(
        data, leaf, rows_per_piece, out, terms,
        [=](LinearFit *fit, void (LinearFit::*step)(int)) {
            linear_step_t job = {fit, step, std::vector<char>(fit->n_pieces)};
            parallel_for(skx_run_linear_step, &job, fit->n_pieces, n_threads);
            return std::count(job.failed.begin(), job.failed.end(), 1) == 0;
        });
}
