// Rounding of doubles to integers, the same on every machine.

#pragma once

#include <stdint.h>
#include <string.h>

// Round to nearest, ties to even, for |x| < 2^51: adding 1.5 * 2^52 leaves the integer in
// the low bits of the significand. Vectorises, where a call of llrint does not.
static inline int64_t skx_round(double x) {
    const double shifted = x + 6755399441055744.0;
    int64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - INT64_C(0x4338000000000000);
}
