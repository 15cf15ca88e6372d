// Factors U of precisions from covariances C: U U^T = C^-1, U upper triangular.
//
//     C = R^T R,    U = R^-1,    row i of U: (e_i - sum_{l > i} R_il U_l) / R_ii
//
// Small matrices, for which LAPACK takes longer to be called than to work.

#pragma once

#include <stdint.h>

#include <vector>

#include "parallel_parts.h"
#include "small_matrices.h"

// Overwrites the upper triangle of R (n, n) with its inverse; row is room for n values.
SKX_CLONES static void skx_invert_upper(double *R, int64_t n, double *row) {
    for (int64_t i = n - 1; i >= 0; --i) {
        double *of_row = R + i * n;
        const double inverse = 1.0 / of_row[i];
        for (int64_t l = i; l < n; ++l) {
            row[l] = of_row[l];
            of_row[l] = 0.0;
        }
        for (int64_t l = i + 1; l < n; ++l) {
            skx_axpy(-row[l] * inverse, R + l * n + l, of_row + l, n - l);
        }
        of_row[i] = inverse;
    }
}

// Overwrites n_matrices covariances (n, n) with the factors of their precisions. Whether
// all were positive definite.
static bool skx_factor_precisions(
    double *matrices, int64_t n_matrices, int64_t n, skx_parallel_t parallel_for,
    int n_threads) {
    std::vector<int> has_failed(n_matrices, 0);
    auto task = [&](int64_t k) {
        std::vector<double> row(n);
        has_failed[k] = skx_factor_upper(matrices + k * n * n, n);
        if (!has_failed[k]) skx_invert_upper(matrices + k * n * n, n, row.data());
    };
    skx_run_tasks(parallel_for, n_matrices, n_threads, task);
    for (int64_t k = 0; k < n_matrices; ++k) {
        if (has_failed[k]) return false;
    }
    return true;
}
