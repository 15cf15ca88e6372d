// Losses of stochastic gradient descent.

#pragma once

#include <math.h>

#include "sgd_problem.h"
#include "skx_math.h"

// The loss and its derivative by p. Classes are y = -1 and y = 1.
template <int L>
SKX_INLINE void skx_sgd_loss(
    const sgd_options_t *o, const double *y, const double *p, double *loss, double *slope) {
    const double epsilon = o->epsilon;
    switch (o->loss) {
    case SGD_HINGE:
        for (int l = 0; l < L; ++l) {
            const double margin = epsilon - y[l] * p[l];
            loss[l] = margin >= 0.0 ? margin : 0.0;
            slope[l] = margin >= 0.0 ? -y[l] : 0.0;
        }
        break;
    case SGD_SQUARED_HINGE:
        for (int l = 0; l < L; ++l) {
            const double margin = 1.0 - y[l] * p[l];
            const double positive = margin > 0.0 ? margin : 0.0;
            loss[l] = positive * positive;
            slope[l] = -2.0 * y[l] * positive;
        }
        break;
    case SGD_LOG_LOSS:
        for (int l = 0; l < L; ++l) {
            const double margin = y[l] * p[l];
            const double t = skx_exp(-fabs(margin));
            loss[l] = (margin < 0.0 ? -margin : 0.0) + skx_log1p(t);
            slope[l] = -y[l] * (margin < 0.0 ? 1.0 : t) / (1.0 + t);
        }
        break;
    case SGD_MODIFIED_HUBER:
        for (int l = 0; l < L; ++l) {
            const double z = y[l] * p[l];
            const double rest = z < 1.0 ? 1.0 - z : 0.0;
            loss[l] = z >= -1.0 ? rest * rest : -4.0 * z;
            slope[l] = -y[l] * (z >= -1.0 ? 2.0 * rest : 4.0);
        }
        break;
    case SGD_SQUARED_ERROR:
        for (int l = 0; l < L; ++l) {
            slope[l] = p[l] - y[l];
            loss[l] = 0.5 * slope[l] * slope[l];
        }
        break;
    case SGD_HUBER:
        for (int l = 0; l < L; ++l) {
            const double error = p[l] - y[l], size = fabs(error);
            const double low = error < -epsilon ? -epsilon : error;
            loss[l] = size <= epsilon ? 0.5 * error * error : epsilon * (size - 0.5 * epsilon);
            slope[l] = low > epsilon ? epsilon : low;
        }
        break;
    case SGD_EPSILON_INSENSITIVE:
        for (int l = 0; l < L; ++l) {
            const double error = p[l] - y[l], rest = fabs(error) - epsilon;
            loss[l] = rest > 0.0 ? rest : 0.0;
            slope[l] = error > epsilon ? 1.0 : error < -epsilon ? -1.0 : 0.0;
        }
        break;
    default:  // SGD_SQUARED_EPSILON_INSENSITIVE
        for (int l = 0; l < L; ++l) {
            const double error = p[l] - y[l], rest = fabs(error) - epsilon;
            const double positive = rest > 0.0 ? rest : 0.0;
            loss[l] = positive * positive;
            slope[l] = 2.0 * (error > 0.0 ? positive : -positive);
        }
    }
}
