// What a sparse feature can gain at most in a node, told from its gains in the parent.
//
// A split parts some entries of the feature, of gradients g and curvature c (hessians and
// l2), from all other rows of the node. With G and C those of both sides and v = G / C it
// gains
//
//     gain <= C / (C - c) * d^2, where d = |g - v c| / sqrt(c), its deviation,
//
// which is an equation where l2 is 0. Where the smaller child has no row with an entry of
// the feature, the larger one has the same g and c for each split, but another v', and
//
//     d' <= d + |v' - v| sqrt(c).
//
// So from the largest deviation of the splits of the parent follows a bound of those of
// the child, which most features need not be searched for to see that they are not the
// best. A feature whose bins did change is searched, and then its deviation is known.

#pragma once

#include <math.h>

#include "dtypes.h"

// Many times what rounding can make of the terms of a bound, and of a cancelled sum.
#define SKX_BOUND_SLACK 1e-9
#define SKX_CANCELLED_SLACK 1e-12

// What bounds need of a child whose parent had the value v (G / C).
typedef struct {
    double sum_curvatures;  // C of the child
    double drift;           // |v' - v|
    double hessian_unit, l2;
} skx_drift_t;

static inline void skx_describe_drift(
    hist_bin_t child, hist_bin_t parent, double gradient_unit, double hessian_unit,
    double l2, skx_drift_t *drift) {
    const double sum_parent = (double)parent.sum_hessians * hessian_unit + 2 * l2;
    const double sum_child = (double)child.sum_hessians * hessian_unit + 2 * l2;
    const double before = (double)parent.sum_gradients * gradient_unit / sum_parent;
    const double after = (double)child.sum_gradients * gradient_unit / sum_child;
    drift->sum_curvatures = sum_child;
    drift->drift =
        fabs(after - before) + SKX_CANCELLED_SLACK * (fabs(after) + fabs(before));
    drift->hessian_unit = hessian_unit;
    drift->l2 = l2;
}

// Take a note of the parent over to the child, whose entries are the same. Returns what
// the feature gains at most.
static inline double skx_drift_note(const skx_drift_t *drift, sparse_note_t *note) {
    const double curvature =
        (double)note->entries.sum_hessians * drift->hessian_unit + drift->l2;
    const double rest = drift->sum_curvatures - curvature;
    note->deviation += drift->drift * sqrt(curvature);
    if (!(rest > 0)) return HUGE_VAL;
    return note->deviation * note->deviation * (1 + SKX_BOUND_SLACK) *
           (drift->sum_curvatures / rest);
}

// The deviation of a feature that was searched. gain: a bound of its gains, where l2 takes
// nothing off them.
static inline double skx_find_deviation(double gain) {
    return sqrt(gain) * (1 + SKX_BOUND_SLACK);
}
