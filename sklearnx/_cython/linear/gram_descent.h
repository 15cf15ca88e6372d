// Coordinate descent on a quadratic whose matrix is known,
//
//     minimise  1/2 w'Gw - q'w + sum_j penalty_j(w_j)   within a box,
//
// keeping the gradient g = Gw - q of the smooth part.
//
// Each round works on the non-zeros and the coefficients that violate the optimality
// conditions most; their rows and columns of G are packed, so that a sweep over k
// coefficients costs k**2 whatever the size of the problem. On the packed problem,
//
// - sweeps over the set alternate with sweeps over its non-zeros;
// - every five sweeps the iterates are extrapolated (extrapolation.h), and what comes
//   out is kept where it lowers the objective;
// - once the sweeps have cost as much as a factorisation, the equations of the
//   non-zeros are solved, and each coefficient goes up to its change of sign, bound or
//   piece.
#pragma once

#include <algorithm>
#include <numeric>
#include <type_traits>
#include <vector>

#include "extrapolation.h"
#include "lanes.h"
#include "scalar_prox.h"
#include "stopping.h"
#include "vector_kernels.h"

// Problems of this size are not packed; sets have at least a quarter.
enum { SKX_MIN_SIZE = 256, SKX_MIN_SET = 64 };

// Added where the matrix is rounded to float, as a share of the diagonal.
#define SKX_ROUNDED_RIDGE 1e-6

// Sets of equations that cost little, and how often they are solved at a time.
enum { SKX_FEW = 128, SKX_N_SOLVED = 8 };

// Of a factorisation, as a share of the diagonal; below it columns count as collinear.
#define SKX_MIN_PIVOT 1e-10

// Added to collinear columns, as a share of the diagonal.
#define SKX_RIDGE 1e-7

// A problem in which everything is dense and of one size.
template <typename G>
struct skx_quadratic_of {
    const G *gram;  // (n, stride), symmetric
    int64_t stride;
    int64_t n;
    double *gradient;
    double *coef;
    const double *factors;  // of the penalty of each coefficient
    const double *lower;
    const double *upper;
    const skx_piece_t *pieces;
    int n_pieces;
};
typedef skx_quadratic_of<double> skx_quadratic_t;

template <typename G>
SKX_INLINE skx_term_t skx_get_term(const skx_quadratic_of<G> *q, int64_t j) {
    const skx_term_t term = {
        q->pieces, q->n_pieces, q->factors[j], q->lower[j], q->upper[j]};
    return term;
}

// Columns of zeros say nothing of their coefficient; the penalty has it at zero.
template <typename G>
SKX_INLINE bool skx_is_idle(const skx_quadratic_of<G> *q, int64_t j) {
    return !(q->gram[j * q->stride + j] > 0.0);
}

template <typename G>
SKX_INLINE double skx_violation_at(const skx_quadratic_of<G> *q, int64_t j) {
    if (skx_is_idle(q, j)) return 0.0;
    const skx_term_t term = skx_get_term(q, j);
    return skx_violation(&term, q->gradient[j], q->coef[j]);
}

template <typename G>
static inline double skx_max_violation(const skx_quadratic_of<G> *q) {
    double worst = 0.0;
    for (int64_t j = 0; j < q->n; ++j) {
        const double violation = skx_violation_at(q, j);
        if (violation > worst) worst = violation;
    }
    return worst;
}

// The violation to stop at here.
template <typename G>
static inline double skx_tol_at(const skx_quadratic_of<G> *q, const skx_stop_t *stop) {
    double size = 0.0;
    for (int64_t j = 0; stop->gap > 0.0 && j < q->n; ++j) size += fabs(q->coef[j]);
    return size > 0.0 ? skx_find_tol(stop, size) : stop->violation;
}

// Moves one coefficient; the gradient follows. Returns the size of the move.
template <typename G>
SKX_INLINE double skx_move(const skx_quadratic_of<G> *q, int64_t j, double w) {
    const double step = w - q->coef[j];
    if (step == 0.0) return 0.0;
    q->coef[j] = w;
    skx_axpy(step, q->gram + j * q->stride, q->gradient, q->n);
    return fabs(step);
}

// One sweep over `order` (all coefficients where it is NULL); whether any moved.
template <typename G>
SKX_INLINE bool skx_sweep_in_order(
    const skx_quadratic_of<G> *q, const int64_t *order, int64_t n_order) {
    bool has_moved = false;
    for (int64_t i = 0; i < n_order; ++i) {
        const int64_t j = order ? order[i] : i;
        const skx_term_t term = skx_get_term(q, j);
        const double a = q->gram[j * q->stride + j];
        double w = skx_clip(0.0, term.lower, term.upper);
        if (a > 0.0) w = skx_prox(&term, a, a * q->coef[j] - q->gradient[j]);
        if (skx_move(q, j, w) != 0.0) has_moved = true;
    }
    return has_moved;
}
SKX_CLONES static bool skx_sweep(
    const skx_quadratic_of<double> *q, const int64_t *order, int64_t n_order) {
    return skx_sweep_in_order(q, order, n_order);
}

// out[0..3] = four rows of the matrix times y.
SKX_INLINE void skx_dot_four_rows(
    const float *rows, int64_t stride, const double *y, int64_t n, double *out) {
    skx_lanes_t sums[4] = {}, row, lanes;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        skx_load(y + i, &lanes);
        for (int r = 0; r < 4; ++r) {
            skx_load(rows + r * stride + i, &row);
            sums[r] += row * lanes;
        }
    }
    for (int r = 0; r < 4; ++r) {
        out[r] = skx_sum(&sums[r]);
        for (int64_t k = i; k < n; ++k) out[r] += (double)rows[r * stride + k] * y[k];
    }
}

// One sweep over all coefficients; whether any moved. It reads only the rows left of the
// diagonal, since the matrix is symmetric, and twice while they are in the cache:
//
//     rows J of 16 coefficients, I those before them
//         gradient_J += G_JI steps_I    what the moves of this sweep have changed
//         the coefficients of J move one after another, by G_JJ
//         gradient_I += G_IJ steps_J    from the same rows
//
// OUT: steps (n,), room for the moves.
SKX_CLONES static bool skx_sweep_in_blocks(
    const skx_quadratic_of<float> *q, double *SKX_RESTRICT steps) {
    enum { N_ROWS = 16 };
    bool has_moved = false;
    for (int64_t start = 0; start < q->n; start += N_ROWS) {
        const int64_t n_rows = std::min((int64_t)N_ROWS, q->n - start);
        const float *rows = q->gram + start * q->stride;
        double *SKX_RESTRICT gradient = q->gradient;
        int64_t r = 0;
        for (; r + 4 <= n_rows; r += 4) {
            double sums[4];
            skx_dot_four_rows(rows + r * q->stride, q->stride, steps, start, sums);
            for (int i = 0; i < 4; ++i) gradient[start + r + i] += sums[i];
        }
        for (; r < n_rows; ++r) {
            for (int64_t k = 0; k < start; ++k) {
                gradient[start + r] += (double)rows[r * q->stride + k] * steps[k];
            }
        }
        for (r = 0; r < n_rows; ++r) {
            const int64_t j = start + r;
            const float *row = rows + r * q->stride;
            const skx_term_t term = skx_get_term(q, j);
            const double a = row[j];
            double w = skx_clip(0.0, term.lower, term.upper);
            if (a > 0.0) w = skx_prox(&term, a, a * q->coef[j] - gradient[j]);
            steps[j] = w - q->coef[j];
            if (steps[j] == 0.0) continue;
            has_moved = true;
            q->coef[j] = w;
            skx_axpy(steps[j], row + start, gradient + start, n_rows);
        }
        for (r = 0; r + 4 <= n_rows; r += 4) {
            const float *SKX_RESTRICT a = rows + r * q->stride;
            const float *SKX_RESTRICT b = a + q->stride, *SKX_RESTRICT c = b + q->stride;
            const float *SKX_RESTRICT d = c + q->stride;
            const double *four = steps + start + r;
            for (int64_t k = 0; k < start; ++k) {
                gradient[k] += ((double)a[k] * four[0] + (double)b[k] * four[1]) +
                               ((double)c[k] * four[2] + (double)d[k] * four[3]);
            }
        }
        for (; r < n_rows; ++r) {
            skx_axpy(steps[start + r], rows + r * q->stride, gradient, start);
        }
    }
    return has_moved;
}

// w'Gw / 2 - q'w + pen(w), by w'Gw / 2 - q'w = w'(g - q) / 2.
template <typename G>
static inline double skx_objective(
    const skx_quadratic_of<G> *q, const double *linear, const double *coef,
    const double *gradient) {
    double smooth = 0.0, penalty = 0.0;
    for (int64_t j = 0; j < q->n; ++j) {
        if (coef[j] == 0.0) continue;
        const skx_term_t term = skx_get_term(q, j);
        smooth += coef[j] * (gradient[j] - linear[j]);
        penalty += skx_penalty_value(&term, coef[j]);
    }
    return 0.5 * smooth + penalty;
}

// Moves to what the iterates extrapolate to if it is in the box and better.
template <typename G>
static inline void skx_try_extrapolation(
    const skx_quadratic_of<G> *q, skx_extrapolation_t &iterates, const double *linear) {
    if (!iterates.extrapolate()) return;
    const double *coef = iterates.coef.data();
    for (int64_t j = 0; j < q->n; ++j) {
        if (!(coef[j] >= q->lower[j] && coef[j] <= q->upper[j])) return;
    }
    if (!(skx_objective(q, linear, coef, iterates.affine.data()) <
          skx_objective(q, linear, q->coef, q->gradient))) {
        return;
    }
    std::copy(iterates.coef.begin(), iterates.coef.end(), q->coef);
    std::copy(iterates.affine.begin(), iterates.affine.end(), q->gradient);
}

// The interval around coefficient j in which its sign and piece stay, within its box.
template <typename G>
SKX_INLINE void skx_find_smooth_interval(
    const skx_quadratic_of<G> *q, int64_t j, double *low, double *high) {
    const skx_term_t term = skx_get_term(q, j);
    const double w = q->coef[j];
    const skx_piece_t *piece = skx_find_piece(&term, fabs(w));
    const bool is_last = piece == term.pieces + term.n_pieces - 1;
    const double inner = piece->knot, outer = is_last ? INFINITY : piece[1].knot;
    *low = w > 0.0 ? inner : -outer;
    *high = w > 0.0 ? outer : -inner;
    if (term.lower > *low) *low = term.lower;
    if (term.upper < *high) *high = term.upper;
}

// The direction from here to the solution of the equations of the non-zeros, with a
// share of the diagonal added to it. False where they are singular.
template <typename G>
static inline bool skx_find_direction(
    const skx_quadratic_of<G> *q, const std::vector<int64_t> &support,
    std::vector<double> &matrix, std::vector<double> &direction, double shift) {
    const int64_t n = (int64_t)support.size();
    matrix.resize(n * n);
    direction.resize(n);
    for (int64_t i = 0; i < n; ++i) {
        const int64_t row = support[i];
        const skx_term_t term = skx_get_term(q, row);
        const G *source = q->gram + row * q->stride;
        for (int64_t j = i; j < n; ++j) matrix[i * n + j] = source[support[j]];
        matrix[i * n + i] *= 1.0 + shift;
        matrix[i * n + i] += skx_penalty_slope(&term, q->coef[row]);
        if (!(matrix[i * n + i] > 0.0)) return false;
        direction[i] =
            -(q->gradient[row] + skx_penalty_derivative(&term, q->coef[row]));
    }
    return n > 0 &&
           skx_solve_definite(matrix.data(), direction.data(), n, SKX_MIN_PIVOT);
}

// Goes along the direction, each coefficient up to its own kink. Where that does not
// lower the objective, all stop at the first kink on the way, which cannot raise it.
// Returns whether there was a kink on the way.
template <typename G>
static inline bool skx_follow_direction(
    const skx_quadratic_of<G> *q, const std::vector<int64_t> &support,
    const std::vector<double> &direction, const double *linear) {
    const int64_t n = (int64_t)support.size();
    const std::vector<double> coef(q->coef, q->coef + q->n);
    const std::vector<double> gradient(q->gradient, q->gradient + q->n);
    std::vector<double> target(n);
    const double before = skx_objective(q, linear, q->coef, q->gradient);
    double step = 1.0;
    int64_t first = -1;
    for (int64_t i = 0; i < n; ++i) {
        const double w = coef[support[i]], end = w + direction[i];
        double low, high;
        skx_find_smooth_interval(q, support[i], &low, &high);
        target[i] = skx_clip(end, low, high);
        const double limit = end == target[i] ? 1.0 : (target[i] - w) / direction[i];
        if (limit < step) {
            step = limit;
            first = i;
        }
    }
    for (int64_t i = 0; i < n; ++i) skx_move(q, support[i], target[i]);
    if (first < 0) return false;
    if (skx_objective(q, linear, q->coef, q->gradient) < before) return true;
    std::copy(coef.begin(), coef.end(), q->coef);
    std::copy(gradient.begin(), gradient.end(), q->gradient);
    for (int64_t i = 0; i < n; ++i) {
        const double w = coef[support[i]] + step * direction[i];
        double low, high;
        skx_find_smooth_interval(q, support[i], &low, &high);
        skx_move(q, support[i], i == first ? target[i] : skx_clip(w, low, high));
    }
    return true;
}

// Coefficients whose equations hold with equality: not zero, and not at a bound.
template <typename G>
static inline void skx_find_support(
    const skx_quadratic_of<G> *q, std::vector<int64_t> &support, bool with_bounds) {
    support.clear();
    for (int64_t j = 0; j < q->n; ++j) {
        if (q->coef[j] == 0.0 || skx_is_idle(q, j)) continue;
        const bool is_free = q->coef[j] > q->lower[j] && q->coef[j] < q->upper[j];
        if (is_free || with_bounds) support.push_back(j);
    }
}

// Solves the equations of the non-zeros, a few times where few of them lose some on the
// way. If they are singular, a small ridge makes the direction one that does.
template <typename G>
static inline void skx_solve_support(
    const skx_quadratic_of<G> *q, std::vector<int64_t> &support,
    std::vector<double> &matrix, std::vector<double> &direction,
    const double *linear) {
    const int n_times = (int64_t)support.size() <= SKX_FEW ? SKX_N_SOLVED : 1;
    for (int time = 0; time < n_times; ++time) {
        if (!skx_find_direction(q, support, matrix, direction, 0.0) &&
            !skx_find_direction(q, support, matrix, direction, SKX_RIDGE)) {
            return;
        }
        if (!skx_follow_direction(q, support, direction, linear)) return;
        skx_find_support(q, support, false);
    }
}

// Minimises the (packed) problem; returns the sweeps, at most max_iter.
template <typename G>
static inline int64_t skx_minimize_packed(
    const skx_quadratic_of<G> *q, const skx_stop_t *stop, int64_t max_iter) {
    const int64_t n = q->n;
    std::vector<double> linear(n), steps(n), matrix, direction;
    std::vector<int64_t> support;
    skx_extrapolation_t iterates;
    // q = Gw - g
    for (int64_t j = 0; j < n; ++j) linear[j] = -q->gradient[j];
    for (int64_t j = 0; j < n; ++j) {
        if (q->coef[j] == 0.0) continue;
        skx_axpy(q->coef[j], q->gram + j * q->stride, linear.data(), n);
    }
    iterates.start(n, n);
    iterates.push(q->coef, q->gradient);

    int64_t n_iter = 0, n_since_solve = 0;
    double worst = skx_max_violation(q), tol = skx_tol_at(q, stop);
    while (worst > tol && n_iter < max_iter) {
        // A sweep of all coefficients after every four of the non-zeros, unless it reads
        // less than those do.
        const bool is_full_sweep = std::is_same<G, float>::value || n_iter % 5 == 0;
        bool has_moved;
        if constexpr (std::is_same<G, float>::value) {
            has_moved = skx_sweep_in_blocks(q, steps.data());
        } else if (is_full_sweep) {
            has_moved = skx_sweep(q, NULL, n);
        } else {
            skx_find_support(q, support, true);
            has_moved = skx_sweep(q, support.data(), (int64_t)support.size());
        }
        ++n_iter;
        ++n_since_solve;
        if (!has_moved && is_full_sweep) break;  // to the last bit
        iterates.push(q->coef, q->gradient);
        if (iterates.is_full()) {
            skx_try_extrapolation(q, iterates, linear.data());
            iterates.restart(q->coef, q->gradient);
        }
        worst = skx_max_violation(q);
        tol = skx_tol_at(q, stop);
        skx_find_support(q, support, false);
        if (worst > tol && n_since_solve > 5 + (int64_t)support.size() / 4) {
            n_since_solve = 0;
            skx_solve_support(q, support, matrix, direction, linear.data());
            iterates.restart(q->coef, q->gradient);
            worst = skx_max_violation(q);
            tol = skx_tol_at(q, stop);
        }
    }
    return n_iter;
}

// The coefficients to work on: all non-zeros, and as many of the worst violators as
// there are of them (at least SKX_MIN_SET), in ascending order.
template <typename G>
static inline void skx_find_working_set(
    const skx_quadratic_of<G> *q, std::vector<int64_t> &set, double tol) {
    std::vector<std::pair<double, int64_t>> violators;
    set.clear();
    for (int64_t j = 0; j < q->n; ++j) {
        if (q->coef[j] != 0.0) {
            set.push_back(j);
            continue;
        }
        const double violation = skx_violation_at(q, j);
        // Negated, so that ascending order has the worst first, then the lower index.
        if (violation > tol) violators.emplace_back(-violation, j);
    }
    size_t n_new = std::max(set.size(), (size_t)SKX_MIN_SET);
    if (n_new < violators.size()) {
        std::nth_element(
            violators.begin(), violators.begin() + n_new, violators.end());
        violators.resize(n_new);
    }
    for (const auto &violator : violators) set.push_back(violator.second);
    std::sort(set.begin(), set.end());
}

// Some coefficients of another problem, the rest fixed; with its own arrays.
struct skx_packed_t {
    std::vector<double> gram, gradient, coef, factors, lower, upper;

    // All but the matrix, which is `gram`, of the coefficients of the set alone.
    template <typename G>
    skx_quadratic_of<G> pack_vectors(
        const skx_quadratic_t *q, const std::vector<int64_t> &set, const G *gram) {
        const int64_t k = (int64_t)set.size();
        for (auto *array : {&gradient, &coef, &factors, &lower, &upper}) {
            array->resize(k);
        }
        for (int64_t i = 0; i < k; ++i) {
            const int64_t j = set[i];
            gradient[i] = q->gradient[j];
            coef[i] = q->coef[j];
            factors[i] = q->factors[j];
            lower[i] = q->lower[j];
            upper[i] = q->upper[j];
        }
        return {gram, k, k, gradient.data(), coef.data(), factors.data(), lower.data(),
                upper.data(), q->pieces, q->n_pieces};
    }

    skx_quadratic_t pack(const skx_quadratic_t *q, const std::vector<int64_t> &set) {
        const int64_t k = (int64_t)set.size();
        gram.resize(k * k);
        for (int64_t i = 0; i < k; ++i) {
            const double *source = q->gram + set[i] * q->stride;
            for (int64_t m = 0; m < k; ++m) gram[i * k + m] = source[set[m]];
        }
        return pack_vectors<double>(q, set, gram.data());
    }
};

// Moves the coefficients of a set, so that the gradient of all others follows.
SKX_CLONES static void skx_move_all(
    const skx_quadratic_t *q, const int64_t *set, const double *coef, int64_t n) {
    for (int64_t i = 0; i < n; ++i) skx_move(q, set[i], coef[i]);
}

// Minimises a packed problem, and takes over what its coefficients are.
template <typename G>
static inline int64_t skx_minimize_set(
    const skx_quadratic_t *q, const std::vector<int64_t> &set,
    const skx_quadratic_of<G> &packed, const skx_stop_t &stop, int64_t max_iter) {
    const int64_t n_iter = skx_minimize_packed(&packed, &stop, max_iter);
    skx_move_all(q, set.data(), packed.coef, packed.n);
    return std::max(n_iter, (int64_t)1);
}

// Rounds a matrix, with a ridge, to float; whether its rows keep their digits.
SKX_CLONES static bool skx_round_gram(
    const double *gram, int64_t stride, int64_t n, float *out) {
    bool fits = true;
    for (int64_t j = 0; j < n; ++j) {
        const double *SKX_RESTRICT row = gram + j * stride;
        float *SKX_RESTRICT rounded = out + j * n;
        for (int64_t k = 0; k < n; ++k) rounded[k] = (float)row[k];
        rounded[j] = (float)(row[j] * (1.0 + SKX_ROUNDED_RIDGE));
        if (row[j] > 0.0 && !(row[j] > 1e-25 && row[j] < 1e35)) fits = false;
    }
    return fits;
}

// Returns the sweeps, at most max_iter.
//
// Sweeps over many coefficients take the time of reading the matrix, half of it in float
// (`rounded`, where it is not NULL). What is rounded then is the change of the gradient,
// which skx_move_all takes from the matrix itself afterwards: each round is an iterative
// refinement. The ridge makes it one of the proximal point algorithm too, which bounds from
// above what rounding took away. Where a round gains little, the matrix is nearly singular,
// and the rest is done in double.
static inline int64_t skx_minimize_on_gram(
    const skx_quadratic_t *q, const float *rounded, const skx_stop_t *stop,
    int64_t max_iter) {
    std::vector<int64_t> set;
    skx_packed_t arrays;
    double previous = INFINITY;
    int64_t n_iter = 0;
    while (n_iter < max_iter) {
        const double worst = skx_max_violation(q), tol = skx_tol_at(q, stop);
        if (!(worst > tol)) break;
        skx_find_working_set(q, set, tol);
        const bool has_most = 4 * (int64_t)set.size() >= 3 * q->n;
        if (has_most && rounded && worst < 0.5 * previous) {
            previous = worst;
            set.resize(q->n);
            std::iota(set.begin(), set.end(), (int64_t)0);
            n_iter += skx_minimize_set(
                q, set, arrays.pack_vectors(q, set, rounded),
                skx_sharpen(stop, 1e-5 * worst), max_iter - n_iter);
        } else if (has_most || q->n <= SKX_MIN_SIZE) {
            n_iter += skx_minimize_packed(q, stop, max_iter - n_iter);
            break;
        } else {
            n_iter += skx_minimize_set(
                q, set, arrays.pack(q, set), skx_sharpen(stop, 0.05 * worst),
                max_iter - n_iter);
        }
    }
    return n_iter;
}
