// Block coordinate descent for groups of coefficients on a Gram matrix:
//
//     minimise  1/2 w'Gw - q'w + l1 * sum_j |w_j| + sum_g level_g * ||w_g||_2.
//
// A block is minimised for the others held still, with its part of G replaced by a
// diagonal matrix D that is not smaller: the stationary point of
//
//     1/2 v'Dv - u'v + l1 |v|_1 + level ||v||,     u = D w_g - (Gw - q)_g,
//
// is v_j = s_j / (D_j + level / t) with s = soft(u, l1), and t = ||v|| from one equation
// in one unknown. Where the caller has turned the columns of a group so that their part
// of G is diagonal, D is that, and the step is exact (l1 = 0 only: it is the Euclidean
// norm alone that does not see the turn).

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <vector>

#include "skx_math.h"

typedef struct {
    const double *gram;       // (n, n)
    const double *target;     // (n,) q
    const double *curvature;  // (n,) D
    const int64_t *starts;    // (n_groups + 1,)
    const double *levels;     // (n_groups,)
    double l1;
    int64_t n, n_groups;
    double *coef;      // (n,) IN/OUT
    double *gradient;  // (n,) Gw - q, OUT
} skx_group_problem_t;

SKX_INLINE double skx_soften(double x, double threshold) {
    return x > threshold ? x - threshold : x < -threshold ? x + threshold : 0.0;
}

// The norm t of the minimiser of a block, 0 if it is zero. With
//
//     h(t) = (sum_j s_j^2 / (D_j t + level)^2)^(-1/2),   h(t) = 1 at the solution,
//
// h is a power mean of lines, so it is concave, and Newton's method comes from the left.
static inline double skx_find_block_norm(
    const double *s, const double *curvature, int64_t size, double level) {
    double norm2 = 0, largest = 0;
    for (int64_t j = 0; j < size; ++j) {
        norm2 += s[j] * s[j];
        largest = std::max(largest, curvature[j]);
    }
    const double norm = sqrt(norm2);
    if (!(norm > level) || !(largest > 0)) return 0.0;
    double t = (norm - level) / largest;
    for (int step = 0; step < 60; ++step) {
        double phi = 0, slope = 0;
        for (int64_t j = 0; j < size; ++j) {
            const double inverse = 1.0 / (curvature[j] * t + level);
            const double square = s[j] * s[j] * inverse * inverse;
            phi += square;
            slope += square * inverse * curvature[j];
        }
        // h = phi^(-1/2), h' = phi^(-3/2) * slope.
        const double move = phi * (sqrt(phi) - 1.0) / slope;
        if (!(move > 1e-15 * t) || !(slope > 0)) break;
        t += move;
    }
    return t;
}

// IN/OUT: rows of coef and gradient. Return how far the block was from its optimum, in
// units of the gradient. Scratch: s of the size of the largest group.
static inline double skx_minimize_block(
    const skx_group_problem_t *problem, int64_t group, double *s) {
    const int64_t start = problem->starts[group];
    const int64_t size = problem->starts[group + 1] - start;
    const double level = problem->levels[group];
    const double *curvature = problem->curvature + start;
    const double *gradient = problem->gradient + start;
    double *coef = problem->coef + start;
    for (int64_t j = 0; j < size; ++j) {
        s[j] = skx_soften(curvature[j] * coef[j] - gradient[j], problem->l1);
    }
    double pull = 0, t = 1;
    if (level > 0) {
        t = skx_find_block_norm(s, curvature, size, level);
        pull = t > 0 ? level / t : 0;
    }
    double violation2 = 0;
    for (int64_t j = 0; j < size; ++j) {
        double updated = 0;
        if (t > 0) {
            const double divisor = curvature[j] + pull;
            updated = divisor > 0 ? s[j] / divisor : coef[j];
        }
        s[j] = updated - coef[j];
        violation2 += s[j] * s[j] * curvature[j] * curvature[j];
        coef[j] = updated;
    }
    return sqrt(violation2);
}

// IN/OUT: gradient += G[:, group] @ change.
SKX_CLONES static inline void skx_follow_block(
    const double *gram, int64_t n, int64_t start, int64_t size, const double *change,
    double *SKX_RESTRICT gradient) {
    for (int64_t j = 0; j < size; ++j) {
        if (change[j] == 0) continue;
        const double *SKX_RESTRICT row = gram + (start + j) * n;
        for (int64_t i = 0; i < n; ++i) gradient[i] += change[j] * row[i];
    }
}

// OUT: gradient = Gw - q.
static inline void skx_start_gradient(const skx_group_problem_t *problem) {
    for (int64_t i = 0; i < problem->n; ++i) problem->gradient[i] = -problem->target[i];
    skx_follow_block(
        problem->gram, problem->n, 0, problem->n, problem->coef, problem->gradient);
}

static inline double skx_evaluate_groups(
    const skx_group_problem_t *problem, const double *coef, const double *gradient) {
    double value = 0;
    for (int64_t group = 0; group < problem->n_groups; ++group) {
        double norm2 = 0, sum = 0;
        for (int64_t j = problem->starts[group]; j < problem->starts[group + 1]; ++j) {
            norm2 += coef[j] * coef[j];
            sum += fabs(coef[j]);
            value += 0.5 * coef[j] * (gradient[j] - problem->target[j]);
        }
        value += problem->levels[group] * sqrt(norm2) + problem->l1 * sum;
    }
    return value;
}

// Extrapolation of the last iterates (Bertrand and Massias, "Anderson acceleration of
// coordinate descent", AISTATS 2021, algorithm 2). The gradient is an affine function of
// the coefficients, so that it is extrapolated by the same numbers.
class skx_extrapolation_t {
  public:
    static constexpr int N_KEPT = 5;

    explicit skx_extrapolation_t(const skx_group_problem_t *problem)
        : problem_(problem), kept_((N_KEPT + 1) * 2 * problem->n) {}

    // Note an iterate; after every N_KEPT moves go to their extrapolation if that is
    // better.
    void note() {
        const int64_t n = problem_->n;
        std::copy_n(problem_->coef, n, coef(n_kept_));
        std::copy_n(problem_->gradient, n, gradient(n_kept_));
        if (++n_kept_ <= N_KEPT) return;
        n_kept_ = 0;
        double weights[N_KEPT];
        if (!find_weights(weights)) return;
        std::vector<double> point(2 * n, 0.0);
        for (int k = 0; k < N_KEPT; ++k) {
            const double *kept = coef(k + 1);
            for (int64_t i = 0; i < 2 * n; ++i) point[i] += weights[k] * kept[i];
        }
        const double value = skx_evaluate_groups(problem_, &point[0], &point[n]);
        if (value <
            skx_evaluate_groups(problem_, problem_->coef, problem_->gradient)) {
            std::copy_n(&point[0], n, problem_->coef);
            std::copy_n(&point[n], n, problem_->gradient);
        }
    }

    void forget() { n_kept_ = 0; }

  private:
    double *coef(int k) { return &kept_[(int64_t)k * 2 * problem_->n]; }
    double *gradient(int k) { return coef(k) + problem_->n; }

    // Weights of sum one that make the combined moves shortest, by a Cholesky factor.
    bool find_weights(double *weights) {
        double factor[N_KEPT][N_KEPT];
        double trace = 0;
        for (int a = 0; a < N_KEPT; ++a) {
            for (int b = 0; b <= a; ++b) {
                double sum = 0;
                for (int64_t i = 0; i < problem_->n; ++i) {
                    sum += (coef(a + 1)[i] - coef(a)[i]) * (coef(b + 1)[i] - coef(b)[i]);
                }
                factor[a][b] = sum;
            }
            trace += factor[a][a];
        }
        double total = 0;
        for (int a = 0; a < N_KEPT; ++a) {
            factor[a][a] += 1e-12 * trace;
            for (int b = 0; b <= a; ++b) {
                double sum = factor[a][b];
                for (int k = 0; k < b; ++k) sum -= factor[a][k] * factor[b][k];
                if (a == b && !(sum > 0)) return false;
                factor[a][b] = a == b ? sqrt(sum) : sum / factor[b][b];
            }
        }
        for (int a = 0; a < N_KEPT; ++a) {
            weights[a] = 1.0;
            for (int k = 0; k < a; ++k) weights[a] -= factor[a][k] * weights[k];
            weights[a] /= factor[a][a];
        }
        for (int a = N_KEPT - 1; a >= 0; --a) {
            for (int k = a + 1; k < N_KEPT; ++k) {
                weights[a] -= factor[k][a] * weights[k];
            }
            weights[a] /= factor[a][a];
            total += weights[a];
        }
        for (int a = 0; a < N_KEPT; ++a) weights[a] /= total;
        return std::isfinite(total) && total != 0;
    }

    const skx_group_problem_t *problem_;
    std::vector<double> kept_;
    int n_kept_ = 0;
};

// One pass over some groups; all if `groups` is NULL. Return the largest violation met.
static inline double skx_sweep_groups(
    const skx_group_problem_t *problem, const int64_t *groups, int64_t n_groups,
    double *scratch) {
    double largest = 0;
    for (int64_t i = 0; i < n_groups; ++i) {
        const int64_t group = groups ? groups[i] : i;
        const double violation = skx_minimize_block(problem, group, scratch);
        if (violation > 0) {
            const int64_t start = problem->starts[group];
            skx_follow_block(
                problem->gram, problem->n, start, problem->starts[group + 1] - start,
                scratch, problem->gradient);
        }
        largest = std::max(largest, violation);
    }
    return largest;
}

// One step of Newton's method over the coefficients that are not zero, where the
// objective is smooth: its second derivatives are
//
//     G_AA + level_g / ||w_g|| * (I - w_g w_g' / ||w_g||^2)  in the block of group g.
//
// The step ends where a coefficient with an absolute value in its penalty would change
// its sign, and is halved until the objective falls.
class skx_newton_step_t {
  public:
    // More coefficients than that are left to sweeps.
    static constexpr int64_t MAX_SIZE = 400;

    explicit skx_newton_step_t(const skx_group_problem_t *problem) : problem_(problem) {}

    void take() {
        if (!find_support() || !factorize()) return;
        const int64_t size = (int64_t)support_.size();
        solve();
        double length = find_length();
        const double before =
            skx_evaluate_groups(problem_, problem_->coef, problem_->gradient);
        const std::vector<double> coef(problem_->coef, problem_->coef + problem_->n);
        const std::vector<double> gradient(
            problem_->gradient, problem_->gradient + problem_->n);
        for (int trial = 0; trial < 5; ++trial) {
            for (int64_t i = 0; i < size; ++i) {
                const int64_t j = support_[i];
                const double change = length * step_[i];
                const bool stops = i == stopping_ && trial == 0;
                problem_->coef[j] = stops ? 0.0 : coef[j] + change;
                const double moved = problem_->coef[j] - coef[j];
                skx_follow_block(
                    problem_->gram, problem_->n, j, 1, &moved, problem_->gradient);
            }
            if (skx_evaluate_groups(problem_, problem_->coef, problem_->gradient) <
                before) {
                return;
            }
            std::copy(coef.begin(), coef.end(), problem_->coef);
            std::copy(gradient.begin(), gradient.end(), problem_->gradient);
            length *= 0.5;
        }
    }

  private:
    // The coefficients that are not zero, and the derivatives by them.
    bool find_support() {
        support_.clear();
        slope_.clear();
        is_kinked_.clear();
        norms_.assign(problem_->n_groups, 0.0);
        group_of_.clear();
        for (int64_t group = 0; group < problem_->n_groups; ++group) {
            const int64_t start = problem_->starts[group];
            const int64_t end = problem_->starts[group + 1];
            const double level = problem_->levels[group];
            double norm2 = 0;
            for (int64_t j = start; j < end; ++j) {
                norm2 += problem_->coef[j] * problem_->coef[j];
            }
            if (norm2 == 0) continue;
            norms_[group] = sqrt(norm2);
            for (int64_t j = start; j < end; ++j) {
                const double coef = problem_->coef[j];
                if (coef == 0) continue;
                support_.push_back(j);
                group_of_.push_back(group);
                slope_.push_back(
                    problem_->gradient[j] + level * coef / norms_[group] +
                    (coef > 0 ? problem_->l1 : -problem_->l1));
                is_kinked_.push_back(
                    problem_->l1 > 0 || (level > 0 && end - start == 1));
            }
        }
        return !support_.empty() && (int64_t)support_.size() <= MAX_SIZE;
    }

    double second_derivative(int64_t a, int64_t b) const {
        const int64_t i = support_[a], j = support_[b], group = group_of_[a];
        double value = problem_->gram[i * problem_->n + j];
        if (group == group_of_[b]) {
            const double norm = norms_[group], level = problem_->levels[group];
            const double along = problem_->coef[i] / norm * problem_->coef[j] / norm;
            value += level / norm * ((i == j ? 1.0 : 0.0) - along);
        }
        return value;
    }

    // The Cholesky factor; a little is added to the diagonal of a singular matrix.
    bool factorize() {
        const int64_t n = (int64_t)support_.size();
        double largest = 0;
        factor_.assign(n * n, 0.0);
        for (int64_t a = 0; a < n; ++a) {
            for (int64_t b = 0; b <= a; ++b) factor_[a * n + b] = second_derivative(a, b);
            largest = std::max(largest, factor_[a * n + a]);
        }
        for (int64_t a = 0; a < n; ++a) {
            double *row = &factor_[a * n];
            row[a] += 1e-12 * largest;
            for (int64_t b = 0; b <= a; ++b) {
                const double *other = &factor_[b * n];
                double sum = row[b];
                for (int64_t k = 0; k < b; ++k) sum -= row[k] * other[k];
                if (a == b && !(sum > 0)) return false;
                row[b] = a == b ? sqrt(sum) : sum / other[b];
            }
        }
        return true;
    }

    void solve() {
        const int64_t n = (int64_t)support_.size();
        step_.resize(n);
        for (int64_t a = 0; a < n; ++a) {
            double sum = -slope_[a];
            for (int64_t k = 0; k < a; ++k) sum -= factor_[a * n + k] * step_[k];
            step_[a] = sum / factor_[a * n + a];
        }
        for (int64_t a = n - 1; a >= 0; --a) {
            step_[a] /= factor_[a * n + a];
            for (int64_t k = 0; k < a; ++k) step_[k] -= factor_[a * n + k] * step_[a];
        }
    }

    // How much of the step is taken, and the coefficient that it then brings to zero.
    double find_length() {
        double length = 1;
        stopping_ = -1;
        for (int64_t a = 0; a < (int64_t)support_.size(); ++a) {
            const double coef = problem_->coef[support_[a]];
            if (!is_kinked_[a] || coef * (coef + length * step_[a]) >= 0) continue;
            length = -coef / step_[a];
            stopping_ = a;
        }
        return length;
    }

    const skx_group_problem_t *problem_;
    std::vector<int64_t> support_, group_of_;
    std::vector<double> slope_, norms_, factor_, step_;
    std::vector<char> is_kinked_;
    int64_t stopping_ = -1;
};

// Sweeps over all groups, and between them over those that are not zero. Return the
// number of sweeps; OUT: largest violation of the last one over all.
static inline int64_t skx_minimize_groups(
    const skx_group_problem_t *problem, double tol, int64_t max_iter,
    double *violation) {
    const int N_ACTIVE_SWEEPS = 15;
    int64_t largest_size = 1;
    for (int64_t group = 0; group < problem->n_groups; ++group) {
        largest_size = std::max(
            largest_size, problem->starts[group + 1] - problem->starts[group]);
    }
    std::vector<double> scratch(largest_size);
    std::vector<int64_t> active;
    skx_extrapolation_t extrapolation(problem);
    skx_newton_step_t newton(problem);
    skx_start_gradient(problem);
    int64_t n_iter = 0;
    while (n_iter < max_iter) {
        ++n_iter;
        *violation =
            skx_sweep_groups(problem, NULL, problem->n_groups, scratch.data());
        if (*violation <= tol) break;
        active.clear();
        for (int64_t group = 0; group < problem->n_groups; ++group) {
            bool is_zero = true;
            for (int64_t j = problem->starts[group]; j < problem->starts[group + 1];
                 ++j) {
                is_zero = is_zero && problem->coef[j] == 0;
            }
            if (!is_zero) active.push_back(group);
        }
        extrapolation.forget();
        extrapolation.note();
        const double enough = std::max(0.5 * tol, 1e-3 * *violation);
        double of_active = 2 * enough;
        for (int sweep = 0; sweep < N_ACTIVE_SWEEPS && n_iter < max_iter; ++sweep) {
            ++n_iter;
            of_active = skx_sweep_groups(
                problem, active.data(), (int64_t)active.size(), scratch.data());
            if (of_active <= enough) break;
            extrapolation.note();
        }
        if (of_active > enough) newton.take();
    }
    // Rounding of many updates would otherwise stay in it.
    skx_start_gradient(problem);
    return n_iter;
}

// The smallest nu with ||soft(x, nu * l1)|| <= nu * level; level and l1 not both zero.
// `sorted` is scratch of the size of x. Between two neighbours of |x| / l1 the condition
// is quadratic (Ndiaye et al., "GAP safe screening rules for sparse-group lasso", NIPS
// 2016).
static inline double skx_find_dual_norm(
    const double *x, int64_t size, double level, double l1, double *sorted) {
    double norm2 = 0, largest = 0;
    for (int64_t j = 0; j < size; ++j) {
        sorted[j] = fabs(x[j]);
        norm2 += x[j] * x[j];
        largest = std::max(largest, sorted[j]);
    }
    if (largest == 0) return 0.0;
    if (l1 == 0) return sqrt(norm2) / level;
    if (level == 0) return largest / l1;
    std::sort(sorted, sorted + size, [](double a, double b) { return a > b; });
    double sum = 0, squares = 0, nu = 0;
    for (int64_t k = 0; k < size; ++k) {
        sum += sorted[k];
        squares += sorted[k] * sorted[k];
        // sum over the k + 1 largest of (|x| - nu l1)^2 = nu^2 level^2
        const double a = (double)(k + 1) * l1 * l1 - level * level;
        const double b = l1 * sum;
        const double root = sqrt(std::max(0.0, b * b - a * squares));
        nu = squares / (b + root);
        if (k + 1 == size || nu * l1 >= sorted[k + 1]) break;
    }
    return nu;
}
