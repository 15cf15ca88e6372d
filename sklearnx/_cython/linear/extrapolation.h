// Anderson extrapolation of the iterates of coordinate descent on a quadratic.
//
// The combination of the last iterates whose combined difference is smallest
// (Q. Bertrand and M. Massias, "Anderson acceleration of coordinate descent", AISTATS
// 2021, algorithm 1). Gradients and residuals of a quadratic are affine, so that those of
// the combination need no product.
#pragma once

#include <math.h>

#include <algorithm>
#include <vector>

#include "vector_kernels.h"

enum { SKX_N_EXTRAPOLATED = 5 };

// Solves the symmetric n x n system A x = b in place by Gauss elimination without
// pivoting, in the upper triangle of A. False where a pivot is not clearly positive.
SKX_CLONES static bool skx_solve_definite(
    double *matrix, double *x, int64_t n, double min_pivot) {
    for (int64_t i = 0; i < n; ++i) {
        double *row = matrix + i * n;
        const double diagonal = row[i];
        int64_t j = 0;
        for (; j + 4 <= i; j += 4) {
            const double *r0 = matrix + j * n, *r1 = r0 + n, *r2 = r1 + n, *r3 = r2 + n;
            const double c0 = r0[i] / r0[j], c1 = r1[i] / r1[j + 1];
            const double c2 = r2[i] / r2[j + 2], c3 = r3[i] / r3[j + 3];
            for (int64_t m = i; m < n; ++m) {
                row[m] -= (c0 * r0[m] + c1 * r1[m]) + (c2 * r2[m] + c3 * r3[m]);
            }
        }
        for (; j < i; ++j) {
            const double *other = matrix + j * n;
            const double c = other[i] / other[j];
            for (int64_t m = i; m < n; ++m) row[m] -= c * other[m];
        }
        if (!(row[i] > min_pivot * diagonal)) return false;
    }
    for (int64_t i = 0; i < n; ++i) {
        const double *row = matrix + i * n;
        const double c = x[i] / row[i];
        for (int64_t m = i + 1; m < n; ++m) x[m] -= c * row[m];
    }
    for (int64_t i = n - 1; i >= 0; --i) {
        const double *row = matrix + i * n;
        x[i] = (x[i] - skx_dot(row + i + 1, x + i + 1, n - i - 1)) / row[i];
    }
    return true;
}

SKX_CLONES static void skx_fill_products(
    const double *steps, int64_t n, int m, double *products) {
    for (int i = 0; i < m; ++i) {
        for (int j = i; j < m; ++j) {
            products[i * m + j] = products[j * m + i] =
                skx_dot(steps + i * n, steps + j * n, n);
        }
    }
}

struct skx_extrapolation_t {
    int64_t n = 0, n_affine = 0;
    int count = 0;
    std::vector<double> coefs, affines, steps;
    std::vector<double> coef, affine;  // what the iterates extrapolate to

    void start(int64_t size, int64_t affine_size) {
        n = size;
        n_affine = affine_size;
        count = 0;
        coefs.resize((SKX_N_EXTRAPOLATED + 1) * n);
        affines.resize((SKX_N_EXTRAPOLATED + 1) * n_affine);
        steps.resize(SKX_N_EXTRAPOLATED * n);
        coef.resize(n);
        affine.resize(n_affine);
    }

    void push(const double *new_coef, const double *new_affine) {
        std::copy(new_coef, new_coef + n, coefs.begin() + count * n);
        std::copy(new_affine, new_affine + n_affine, affines.begin() + count * n_affine);
        ++count;
    }

    void restart(const double *new_coef, const double *new_affine) {
        count = 0;
        push(new_coef, new_affine);
    }

    bool is_full() const { return count == SKX_N_EXTRAPOLATED + 1; }

    // Fills coef and affine; false where the iterates no longer move.
    bool extrapolate() {
        const int m = SKX_N_EXTRAPOLATED;
        double products[m * m], weights[m];
        for (int i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n; ++j) {
                steps[i * n + j] = coefs[(i + 1) * n + j] - coefs[i * n + j];
            }
        }
        skx_fill_products(steps.data(), n, m, products);
        double trace = 0.0, sum = 0.0;
        for (int i = 0; i < m; ++i) trace += products[i * m + i];
        if (!(trace > 0.0)) return false;
        for (int i = 0; i < m; ++i) {
            products[i * m + i] += 1e-12 * trace;
            weights[i] = 1.0;
        }
        if (!skx_solve_definite(products, weights, m, 0.0)) return false;
        for (int i = 0; i < m; ++i) sum += weights[i];
        if (!(fabs(sum) > 0.0)) return false;
        std::fill(coef.begin(), coef.end(), 0.0);
        std::fill(affine.begin(), affine.end(), 0.0);
        for (int i = 0; i < m; ++i) {
            const double c = weights[i] / sum;
            skx_axpy(c, coefs.data() + (i + 1) * n, coef.data(), n);
            skx_axpy(c, affines.data() + (i + 1) * n_affine, affine.data(), n_affine);
        }
        return true;
    }
};
