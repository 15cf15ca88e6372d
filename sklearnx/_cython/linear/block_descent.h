// Block coordinate descent on a quadratic whose matrix is known, of several targets,
//
//     minimise  tr(W'GW) / 2 - tr(Q'W) + sum_j f_j (l1 |W_j| + l2 / 2 |W_j|**2),
//
// where W_j is the row of coefficients of feature j, and |.| its Euclidean norm. W and
// the gradient GW - Q lie in memory a target after the other, so that a move of one row
// is a few updates of contiguous vectors. The plan is that of gram_descent.h: packed
// working sets, and extrapolation every five sweeps.
#pragma once

#include <math.h>

#include <algorithm>
#include <vector>

#include "extrapolation.h"
#include "stopping.h"
#include "vector_kernels.h"

// Problems of this size are not packed; sets have at least a quarter.
enum { SKX_MIN_BLOCK_SIZE = 256, SKX_MIN_BLOCK_SET = 64 };

typedef struct {
    const double *gram;  // (n, stride), symmetric
    int64_t stride;
    int64_t n, n_targets;
    double *gradient;       // (n_targets, n)
    double *coef;           // (n_targets, n)
    const double *factors;  // of the penalty of each row
    double l1, l2;
} skx_block_quadratic_t;

SKX_INLINE bool skx_is_idle_row(const skx_block_quadratic_t *q, int64_t j) {
    return !(q->gram[j * q->stride + j] > 0.0);
}

SKX_INLINE double skx_row_norm(const double *values, const skx_block_quadratic_t *q,
                               int64_t j) {
    double sum = 0.0;
    for (int64_t t = 0; t < q->n_targets; ++t) {
        const double value = values[t * q->n + j];
        sum += value * value;
    }
    return sqrt(sum);
}

SKX_INLINE double skx_row_violation(const skx_block_quadratic_t *q, int64_t j) {
    if (skx_is_idle_row(q, j)) return 0.0;
    const double norm = skx_row_norm(q->coef, q, j);
    const double l1 = q->factors[j] * q->l1, l2 = q->factors[j] * q->l2;
    if (norm == 0.0) {
        const double excess = skx_row_norm(q->gradient, q, j) - l1;
        return excess > 0.0 ? excess : 0.0;
    }
    double sum = 0.0;
    for (int64_t t = 0; t < q->n_targets; ++t) {
        const double w = q->coef[t * q->n + j];
        const double d = q->gradient[t * q->n + j] + l1 * (w / norm) + l2 * w;
        sum += d * d;
    }
    return sqrt(sum);
}

static inline double skx_max_row_violation(const skx_block_quadratic_t *q) {
    double worst = 0.0;
    for (int64_t j = 0; j < q->n; ++j) {
        const double violation = skx_row_violation(q, j);
        if (violation > worst) worst = violation;
    }
    return worst;
}

// The violation to stop at here.
static inline double skx_row_tol_at(
    const skx_block_quadratic_t *q, const skx_stop_t *stop) {
    double size = 0.0;
    for (int64_t j = 0; stop->gap > 0.0 && j < q->n; ++j) {
        size += skx_row_norm(q->coef, q, j);
    }
    return size > 0.0 ? skx_find_tol(stop, size) : stop->violation;
}

SKX_INLINE bool skx_move_entry(
    const skx_block_quadratic_t *q, int64_t j, int64_t t, double w) {
    const double step = w - q->coef[t * q->n + j];
    if (step == 0.0) return false;
    q->coef[t * q->n + j] = w;
    skx_axpy(step, q->gram + j * q->stride, q->gradient + t * q->n, q->n);
    return true;
}

// One sweep over `order`; returns whether any coefficient moved.
SKX_CLONES static bool skx_sweep_rows(
    const skx_block_quadratic_t *q, const int64_t *order, int64_t n_order) {
    bool has_moved = false;
    for (int64_t i = 0; i < n_order; ++i) {
        const int64_t j = order[i];
        const double a = q->gram[j * q->stride + j];
        const double l1 = q->factors[j] * q->l1, l2 = q->factors[j] * q->l2;
        double sum = 0.0;
        for (int64_t t = 0; t < q->n_targets; ++t) {
            const double pull = a * q->coef[t * q->n + j] - q->gradient[t * q->n + j];
            sum += pull * pull;
        }
        const double norm = sqrt(sum);
        double scale = 0.0;
        if (a > 0.0 && norm > l1) scale = (1.0 - l1 / norm) / (a + l2);
        for (int64_t t = 0; t < q->n_targets; ++t) {
            const double pull = a * q->coef[t * q->n + j] - q->gradient[t * q->n + j];
            if (skx_move_entry(q, j, t, scale > 0.0 ? scale * pull : 0.0)) {
                has_moved = true;
            }
        }
    }
    return has_moved;
}

static inline double skx_block_objective(
    const skx_block_quadratic_t *q, const double *linear, const double *coef,
    const double *gradient) {
    double smooth = 0.0, penalty = 0.0;
    for (int64_t i = 0; i < q->n * q->n_targets; ++i) {
        smooth += coef[i] * (gradient[i] - linear[i]);
    }
    for (int64_t j = 0; j < q->n; ++j) {
        const double norm = skx_row_norm(coef, q, j);
        penalty += q->factors[j] * (q->l1 * norm + 0.5 * q->l2 * norm * norm);
    }
    return 0.5 * smooth + penalty;
}

static inline int64_t skx_minimize_packed_blocks(
    const skx_block_quadratic_t *q, const skx_stop_t *stop, int64_t max_iter) {
    const int64_t n = q->n, size = n * q->n_targets;
    std::vector<double> linear(size);
    std::vector<int64_t> all(n), support;
    skx_extrapolation_t iterates;
    for (int64_t j = 0; j < n; ++j) all[j] = j;
    for (int64_t i = 0; i < size; ++i) linear[i] = -q->gradient[i];
    for (int64_t t = 0; t < q->n_targets; ++t) {
        for (int64_t j = 0; j < n; ++j) {
            const double w = q->coef[t * n + j];
            if (w == 0.0) continue;
            skx_axpy(w, q->gram + j * q->stride, linear.data() + t * n, n);
        }
    }
    iterates.start(size, size);
    iterates.push(q->coef, q->gradient);

    int64_t n_iter = 0;
    while (n_iter < max_iter && skx_max_row_violation(q) > skx_row_tol_at(q, stop)) {
        // A sweep of all rows after every four of the non-zeros.
        const bool is_full_sweep = n_iter % 5 == 0;
        if (!is_full_sweep) {
            support.clear();
            for (int64_t j = 0; j < n; ++j) {
                if (skx_row_norm(q->coef, q, j) > 0.0) support.push_back(j);
            }
        }
        const std::vector<int64_t> &order = is_full_sweep ? all : support;
        const bool has_moved = skx_sweep_rows(q, order.data(), (int64_t)order.size());
        ++n_iter;
        if (!has_moved && is_full_sweep) break;  // to the last bit
        iterates.push(q->coef, q->gradient);
        if (!iterates.is_full()) continue;
        if (iterates.extrapolate() &&
            skx_block_objective(
                q, linear.data(), iterates.coef.data(), iterates.affine.data()) <
                skx_block_objective(q, linear.data(), q->coef, q->gradient)) {
            std::copy(iterates.coef.begin(), iterates.coef.end(), q->coef);
            std::copy(iterates.affine.begin(), iterates.affine.end(), q->gradient);
        }
        iterates.restart(q->coef, q->gradient);
    }
    return n_iter;
}

// All non-zero rows and the worst violators, as many again, in ascending order.
static inline void skx_find_row_set(
    const skx_block_quadratic_t *q, std::vector<int64_t> &set, double tol) {
    std::vector<std::pair<double, int64_t>> violators;
    set.clear();
    for (int64_t j = 0; j < q->n; ++j) {
        const double violation = skx_row_violation(q, j);
        if (skx_row_norm(q->coef, q, j) > 0.0) {
            set.push_back(j);
        } else if (violation > tol) {
            violators.emplace_back(-violation, j);
        }
    }
    const size_t n_new = std::max(set.size(), (size_t)SKX_MIN_BLOCK_SET);
    if (n_new < violators.size()) {
        std::nth_element(
            violators.begin(), violators.begin() + n_new, violators.end());
        violators.resize(n_new);
    }
    for (const auto &violator : violators) set.push_back(violator.second);
    std::sort(set.begin(), set.end());
}

struct skx_packed_blocks_t {
    std::vector<double> gram, gradient, coef, factors;

    skx_block_quadratic_t pack(
        const skx_block_quadratic_t *q, const std::vector<int64_t> &set) {
        const int64_t k = (int64_t)set.size();
        gram.resize(k * k);
        gradient.resize(k * q->n_targets);
        coef.resize(k * q->n_targets);
        factors.resize(k);
        for (int64_t i = 0; i < k; ++i) {
            const double *source = q->gram + set[i] * q->stride;
            for (int64_t m = 0; m < k; ++m) gram[i * k + m] = source[set[m]];
            factors[i] = q->factors[set[i]];
            for (int64_t t = 0; t < q->n_targets; ++t) {
                gradient[t * k + i] = q->gradient[t * q->n + set[i]];
                coef[t * k + i] = q->coef[t * q->n + set[i]];
            }
        }
        const skx_block_quadratic_t packed = {
            gram.data(), k, k, q->n_targets, gradient.data(), coef.data(),
            factors.data(), q->l1, q->l2};
        return packed;
    }
};

SKX_CLONES static void skx_move_rows(
    const skx_block_quadratic_t *q, const int64_t *set, const double *coef, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t t = 0; t < q->n_targets; ++t) {
            skx_move_entry(q, set[i], t, coef[t * n + i]);
        }
    }
}

// Returns the sweeps, at most max_iter.
static inline int64_t skx_minimize_blocks(
    const skx_block_quadratic_t *q, const skx_stop_t *stop, int64_t max_iter) {
    std::vector<int64_t> set;
    skx_packed_blocks_t arrays;
    int64_t n_iter = 0;
    while (n_iter < max_iter) {
        const double worst = skx_max_row_violation(q), tol = skx_row_tol_at(q, stop);
        if (!(worst > tol)) break;
        skx_find_row_set(q, set, tol);
        if (4 * (int64_t)set.size() >= 3 * q->n || q->n <= SKX_MIN_BLOCK_SIZE) {
            n_iter += skx_minimize_packed_blocks(q, stop, max_iter - n_iter);
            break;
        }
        const skx_block_quadratic_t packed = arrays.pack(q, set);
        const skx_stop_t sharper = skx_sharpen(stop, 0.05 * worst);
        const int64_t n_sweeps =
            skx_minimize_packed_blocks(&packed, &sharper, max_iter - n_iter);
        skx_move_rows(q, set.data(), packed.coef, packed.n);
        n_iter += std::max(n_sweeps, (int64_t)1);
    }
    return n_iter;
}
