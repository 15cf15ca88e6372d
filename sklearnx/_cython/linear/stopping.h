// When sweeps stop: at a largest violation of the optimality conditions, or at a larger
// one where coefficients are so small that it leaves a duality gap that is small enough.
//
// With r the residual of w, of targets y, v the largest violation, and the dual point r
// scaled by l1 / (l1 + v),
//
//     gap <= |r|**2 / 2 * (v / l1)**2 + 2 v sum_j |w_j|,    |r| <= |y|,
//
// so that v <= l1 sqrt(gap) / |y|, the `loose` violation, and v <= gap / (4 sum_j |w_j|)
// keep each part to a half.
#pragma once

typedef struct {
    double violation;
    double loose;  // the largest, whatever the gap
    double gap;    // zero for none
} skx_stop_t;

// IN: size, the sum of |w_j|.
static inline double skx_find_tol(const skx_stop_t *stop, double size) {
    const double by_gap = 0.25 * stop->gap / size;
    const double tol = by_gap < stop->loose ? by_gap : stop->loose;
    return tol > stop->violation ? tol : stop->violation;
}

// To stop at within a round that another check follows.
static inline skx_stop_t skx_sharpen(const skx_stop_t *stop, double least) {
    const double half = 0.5 * stop->violation;
    const skx_stop_t sharper = {
        half > least ? half : least, 0.5 * stop->loose, 0.5 * stop->gap};
    return sharper;
}
