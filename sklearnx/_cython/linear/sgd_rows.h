// A row of the table, and what it does to the coefficients of all lanes.

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>

#include "prefetch.h"
#include "sgd_problem.h"
#include "skx_math.h"

template <typename T>
struct skx_sgd_row_t {
    const T *x;
    const int32_t *columns;  // NULL if dense
    int64_t n;
};

template <typename T, bool IS_SPARSE>
SKX_INLINE skx_sgd_row_t<T> skx_sgd_row(const sgd_options_t *o, int64_t row) {
    skx_sgd_row_t<T> result;
    if (IS_SPARSE) {
        const int64_t first = o->offsets[row];
        result.x = (const T *)o->values + first;
        result.columns = o->columns + first;
        result.n = o->offsets[row + 1] - first;
    } else {
        result.x = (const T *)o->values + row * o->row_stride;
        result.columns = NULL;
        result.n = o->n_columns;
    }
    return result;
}

// The numbers of all lanes, for which compilers would not find the vector instruction.
template <int L>
struct skx_sgd_pack_t {
#if defined(__GNUC__) || defined(__clang__)
    typedef double type __attribute__((vector_size(8 * L), aligned(8), may_alias));
#else
    struct type {
        double lane[L];
        type() : lane() {}
        type operator*(double factor) const {
            type result;
            for (int l = 0; l < L; ++l) result.lane[l] = lane[l] * factor;
            return result;
        }
        void operator+=(const type &other) {
            for (int l = 0; l < L; ++l) lane[l] += other.lane[l];
        }
    };
#endif
};

template <>
struct skx_sgd_pack_t<1> {
    typedef double type;
};

// Where the coefficients of the k-th value of a row are.
template <typename T, bool IS_SPARSE, int L>
SKX_INLINE int64_t skx_sgd_place(const skx_sgd_row_t<T> &row, int64_t k) {
    return L * (IS_SPARSE ? (int64_t)row.columns[k] : k);
}

template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_dot(const skx_sgd_row_t<T> &row, const double *v, double *dot) {
    typedef typename skx_sgd_pack_t<L>::type pack_t;
    const int U = IS_SPARSE && L == 1 ? 4 : 16 / L;  // values at a time
    pack_t sums[U];
    for (int i = 0; i < U; ++i) sums[i] = pack_t();
    int64_t k = 0;
    for (; k + U <= row.n; k += U) {
        for (int i = 0; i < U; ++i) {
            const int64_t place = skx_sgd_place<T, IS_SPARSE, L>(row, k + i);
            sums[i] += *(const pack_t *)(v + place) * (double)row.x[k + i];
        }
    }
    for (int i = 0; i < U - 1 && k + i < row.n; ++i) {
        const int64_t place = skx_sgd_place<T, IS_SPARSE, L>(row, k + i);
        sums[i] += *(const pack_t *)(v + place) * (double)row.x[k + i];
    }
    for (int half = U / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    *(pack_t *)dot = sums[0];
}

template <typename T>
SKX_INLINE double skx_sgd_sum_squares(const T *x, int64_t n) {
    double sums[8] = {0};
    int64_t k = 0;
    for (; k + 8 <= n; k += 8) {
        for (int i = 0; i < 8; ++i) sums[i] += (double)x[k + i] * (double)x[k + i];
    }
    for (int i = 0; i < 7 && k + i < n; ++i) sums[i] += (double)x[k + i] * (double)x[k + i];
    for (int half = 4; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    return sums[0];
}

// v += c x.
template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_add(
    const skx_sgd_row_t<T> &row, const double *c, double *SKX_RESTRICT v) {
    typedef typename skx_sgd_pack_t<L>::type pack_t;
    const pack_t factor = *(const pack_t *)c;
    for (int64_t k = 0; k < row.n; ++k) {
        *(pack_t *)(v + skx_sgd_place<T, IS_SPARSE, L>(row, k)) += factor * (double)row.x[k];
    }
}

// What a coefficient is after the penalty that it still owes: at most U in all, of which
// it has had -q if it is positive and q if negative; all in units of the scale.
SKX_INLINE double skx_sgd_truncate(double z, double owed, double had) {
    const double from_above = z - (owed + had), from_below = z + (owed - had);
    const double positive = from_above > 0.0 ? from_above : 0.0;
    const double negative = from_below < 0.0 ? from_below : 0.0;
    return z > 0.0 ? positive : z < 0.0 ? negative : z;
}

// v += c x, then the l1 penalty. `q` is what each coefficient has had of it, in units of
// w; `norm` gets the change of sum |v|, `squares` that of sum v**2, `u` is NULL or gets
// what keeps u + A v where it was.
template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_add_truncated(
    const skx_sgd_row_t<T> &row, const double *c, const double *scale,
    const double *inverse_scale, const double *owed, const double *sum_scales,
    double *SKX_RESTRICT v, double *SKX_RESTRICT q, double *SKX_RESTRICT u, double *norm,
    double *squares) {
    double owed_here[L];
    for (int l = 0; l < L; ++l) owed_here[l] = owed[l] * inverse_scale[l];
    for (int64_t k = 0; k < row.n; ++k) {
        const int64_t place = skx_sgd_place<T, IS_SPARSE, L>(row, k);
        for (int l = 0; l < L; ++l) {
            const double old = v[place + l];
            const double z = old + c[l] * (double)row.x[k];
            const double had = q[place + l] * inverse_scale[l];
            const double cut = skx_sgd_truncate(z, owed_here[l], had);
            q[place + l] += scale[l] * (cut - z);
            v[place + l] = cut;
            norm[l] += fabs(cut) - fabs(old);
            squares[l] += (cut - old) * (cut + old);
            if (u != NULL) u[place + l] -= sum_scales[l] * (cut - old);
        }
    }
}

// Fetches what the rows to come need, while the one at hand is worked on. Rows in random
// order are where no processor looks ahead.
template <typename T, bool IS_SPARSE, int L>
SKX_INLINE void skx_sgd_prefetch(
    const sgd_options_t *o, const int32_t *order, int64_t i, int64_t n, bool is_wide,
    const double *v) {
    const int64_t LINE = 64, MAX_BYTES = 2048, FAR = IS_SPARSE ? 3 : 5;
    if (i + 2 * FAR < n) {
        const int64_t row = order[i + 2 * FAR];
        SKX_PREFETCH(o->targets + row);
        if (o->weights != NULL) SKX_PREFETCH(o->weights + row);
        if (IS_SPARSE) SKX_PREFETCH(o->offsets + row);
    }
    if (i + FAR < n) {
        const skx_sgd_row_t<T> row = skx_sgd_row<T, IS_SPARSE>(o, order[i + FAR]);
        const int64_t n_bytes = std::min(MAX_BYTES, row.n * (int64_t)sizeof(T));
        for (int64_t b = 0; b < n_bytes; b += LINE) SKX_PREFETCH((const char *)row.x + b);
        // A row need not begin where a line does.
        if (n_bytes > 0) SKX_PREFETCH((const char *)row.x + n_bytes - 1);
        if (IS_SPARSE) {
            const int64_t n_index_bytes = std::min(MAX_BYTES, row.n * 4);
            for (int64_t b = 0; b < n_index_bytes; b += LINE) {
                SKX_PREFETCH((const char *)row.columns + b);
            }
        }
    }
    if (IS_SPARSE && L > 1 && is_wide && i + 1 < n) {
        const skx_sgd_row_t<T> row = skx_sgd_row<T, IS_SPARSE>(o, order[i + 1]);
        const int64_t n_values = std::min((int64_t)512, row.n);
        for (int64_t k = 0; k < n_values; ++k) SKX_PREFETCH(v + L * (int64_t)row.columns[k]);
    }
}
