// What a linear leaf says of a row, the same in training and in prediction.

#pragma once

#include <math.h>

// The last step, from the sum of the terms. A row that has no finite value for one of the
// features gets what the leaf had without them.
static inline double skx_finish_linear(
    double sum, double quantum, double divisor, double constant) {
    if (quantum > 0.0) sum = rint(sum / quantum) * quantum;
    return sum - sum == 0.0 ? sum / divisor : constant;
}
