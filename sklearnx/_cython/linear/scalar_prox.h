// One coefficient under a penalty told as data.
//
// The derivative of the penalty at t > 0 is piecewise linear,
//
//     pen'(t) = start_k + slope_k (t - knot_k)    for  knot_k <= t < knot_{k+1},
//
// with knot_0 = 0, and pen(-t) = pen(t). Everything here is times a factor, the weight
// of the coefficient's penalty.
#pragma once

#include <math.h>
#include <stdint.h>

#include "skx_math.h"

typedef struct {
    double knot, start, slope;
} skx_piece_t;

// The penalty, and the box of one coefficient.
typedef struct {
    const skx_piece_t *pieces;
    int n_pieces;
    double factor, lower, upper;
} skx_term_t;

SKX_INLINE double skx_clip(double x, double lower, double upper) {
    x = x < lower ? lower : x;
    return x > upper ? upper : x;
}

// The piece that t >= 0 lies in.
SKX_INLINE const skx_piece_t *skx_find_piece(const skx_term_t *term, double t) {
    const skx_piece_t *piece = term->pieces;
    for (int k = 1; k < term->n_pieces; ++k) {
        if (t >= term->pieces[k].knot) piece = term->pieces + k;
    }
    return piece;
}

SKX_INLINE double skx_penalty_slope(const skx_term_t *term, double w) {
    return term->factor * skx_find_piece(term, fabs(w))->slope;
}

// The derivative of the penalty at w, which is not zero.
SKX_INLINE double skx_penalty_derivative(const skx_term_t *term, double w) {
    const double t = fabs(w);
    const skx_piece_t *piece = skx_find_piece(term, t);
    const double d = term->factor * (piece->start + piece->slope * (t - piece->knot));
    return w < 0.0 ? -d : d;
}

SKX_INLINE double skx_penalty_value(const skx_term_t *term, double w) {
    const double t = fabs(w);
    double value = 0.0;
    for (int k = 0; k < term->n_pieces; ++k) {
        const skx_piece_t *piece = term->pieces + k;
        if (t <= piece->knot) break;
        const double end = k + 1 < term->n_pieces ? piece[1].knot : t;
        const double length = (end < t ? end : t) - piece->knot;
        value += length * (piece->start + 0.5 * piece->slope * length);
    }
    return term->factor * value;
}

// How far w is from a point where no small change within the box lowers the objective
// whose smooth part has this derivative.
SKX_INLINE double skx_violation(const skx_term_t *term, double gradient, double w) {
    if (w == 0.0) {
        const double threshold = term->factor * term->pieces[0].start;
        const double up = term->upper > 0.0 ? -gradient - threshold : 0.0;
        const double down = term->lower < 0.0 ? gradient - threshold : 0.0;
        const double worst = up > down ? up : down;
        return worst > 0.0 ? worst : 0.0;
    }
    const double d = gradient + skx_penalty_derivative(term, w);
    if (w >= term->upper) return d > 0.0 ? d : 0.0;
    if (w <= term->lower) return d < 0.0 ? -d : 0.0;
    return fabs(d);
}

// The minimiser over t from low >= 0 to high of a t**2 / 2 - b t + pen(t): the best of
// the ends of all pieces and of the stationary points inside of them.
static inline double skx_prox_of_pieces(
    const skx_term_t *term, double a, double b, double low, double high) {
    double best = low;
    double best_value = 0.5 * a * low * low - b * low + skx_penalty_value(term, low);
    for (int k = 0; k < term->n_pieces; ++k) {
        const skx_piece_t *piece = term->pieces + k;
        const double end = k + 1 < term->n_pieces ? piece[1].knot : INFINITY;
        const double slope = term->factor * piece->slope;
        const double curvature = a + slope;
        const double pull = b - term->factor * piece->start + slope * piece->knot;
        double t = end;
        if (curvature > 0.0) t = skx_clip(pull / curvature, piece->knot, end);
        t = skx_clip(t, low, high);
        if (!(t < INFINITY)) continue;
        const double value = 0.5 * a * t * t - b * t + skx_penalty_value(term, t);
        if (value < best_value) {
            best = t;
            best_value = value;
        }
    }
    return best;
}

// The minimiser of a w**2 / 2 - b w + pen(w) within the box.
SKX_INLINE double skx_prox(const skx_term_t *term, double a, double b) {
    if (term->n_pieces == 1) {
        const double threshold = term->factor * term->pieces[0].start;
        const double excess = fabs(b) - threshold;
        double w = 0.0;
        if (excess > 0.0) {
            w = excess / (a + term->factor * term->pieces[0].slope);
            if (b < 0.0) w = -w;
        }
        return skx_clip(w, term->lower, term->upper);
    }
    // The sign is that of b, unless the box has one sign only.
    const double low = term->lower, high = term->upper;
    if (high <= 0.0 || (b < 0.0 && low < 0.0)) {
        return -skx_prox_of_pieces(term, a, -b, high < 0.0 ? -high : 0.0, -low);
    }
    return skx_prox_of_pieces(term, a, b, low > 0.0 ? low : 0.0, high);
}
