// A sum kept as two doubles, high + low, so that it is rounded once and hardly depends on
// the order of its terms (D. E. Knuth, The Art of Computer Programming 2, 4.2.2, theorem B).
#pragma once

struct skx_double_sum_t {
    double high = 0.0, low = 0.0;

    void add(double term) {
        const double sum = high + term;
        const double of_term = sum - high;
        low += (high - (sum - of_term)) + (term - of_term);
        // Normalise, so that `high` is the rounded sum.
        high = sum + low;
        low -= high - sum;
    }
};
