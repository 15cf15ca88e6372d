// Products and Cholesky factors of matrices too small for BLAS and LAPACK to be worth their
// call, and with an order of additions that no number of threads changes.
//
//     A = U^T U,    row k of U: (A_k - sum_{i<k} U_ik U_i) / U_kk
//
// Rows that are done are taken off those below, a row at a time: loops over contiguous
// values that compilers vectorise.
#pragma once

#include <math.h>
#include <stdint.h>

#include "vector_kernels.h"

// Overwrites the upper triangle of A (n, n) with U and the lower with zeros. Returns 0, or
// 1 where A is not positive definite.
SKX_CLONES static int skx_factor_upper(double *A, int64_t n) {
    for (int64_t k = 0; k < n; ++k) {
        double *row = A + k * n;
        if (!(row[k] > 0.0) || !isfinite(row[k])) return 1;
        const double pivot = sqrt(row[k]);
        for (int64_t j = 0; j < k; ++j) row[j] = 0.0;
        row[k] = pivot;
        for (int64_t j = k + 1; j < n; ++j) row[j] /= pivot;
        for (int64_t i = k + 1; i < n; ++i) {
            skx_axpy(-row[i], row + i, A + i * n + i, n - i);
        }
    }
    return 0;
}

// Overwrites B (n, m) with the solution X of U^T U X = B.
SKX_CLONES static void skx_solve_upper(const double *U, double *B, int64_t n, int64_t m) {
    for (int64_t k = 0; k < n; ++k) {
        const double *row = U + k * n;
        double *of_row = B + k * m;
        for (int64_t c = 0; c < m; ++c) of_row[c] /= row[k];
        if (m == 1) {
            skx_axpy(-of_row[0], row + k + 1, B + k + 1, n - k - 1);
        } else {
            for (int64_t i = k + 1; i < n; ++i) skx_axpy(-row[i], of_row, B + i * m, m);
        }
    }
    for (int64_t k = n - 1; k >= 0; --k) {
        const double *row = U + k * n;
        double *of_row = B + k * m;
        if (m == 1) {
            of_row[0] -= skx_dot(row + k + 1, B + k + 1, n - k - 1);
        } else {
            for (int64_t i = k + 1; i < n; ++i) skx_axpy(-row[i], B + i * m, of_row, m);
        }
        for (int64_t c = 0; c < m; ++c) of_row[c] /= row[k];
    }
}

// The sum of products of n values.
SKX_CLONES static double skx_inner(const double *x, const double *y, int64_t n) {
    return skx_dot(x, y, n);
}

// C (n, m) = A (n, k) B (k, m), A at any strides (in values).
SKX_CLONES static void skx_multiply(
    const double *A, int64_t row_stride, int64_t column_stride, const double *B, double *C,
    int64_t n, int64_t k, int64_t m) {
    for (int64_t i = 0; i < n; ++i) {
        const double *a = A + i * row_stride;
        double *c = C + i * m;
        if (m == 1 && column_stride == 1) {
            c[0] = skx_dot(a, B, k);
            continue;
        }
        for (int64_t j = 0; j < m; ++j) c[j] = 0.0;
        for (int64_t l = 0; l < k; ++l) skx_axpy(a[l * column_stride], B + l * m, c, m);
    }
}
