// Counter-based random numbers: a pure function of its keys, so that a draw depends on
// the seed, the tree, the node and the purpose, never on threads or on earlier draws.
//
// The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
// number generators", OOPSLA 2014), applied once for each key.

#pragma once

#include <stdint.h>

static inline uint64_t skx_mix(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

// Distinct purposes draw independent numbers from the same keys.
enum {
    SKX_FEATURES_OF_NODE = 1,
    SKX_FEATURES_OF_TREE = 2,
    SKX_ROWS_OF_ROUND = 3,
    SKX_DROPPED_ROUNDS = 4,
    SKX_DROPS_ANY_ROUND = 5,
    SKX_CUT_OF_NODE = 6,
    SKX_ORDER_OF_ROWS = 7,
    SKX_DERIVED_OF_TREE = 8,
};

static inline uint64_t skx_random(uint64_t seed, uint64_t purpose, uint64_t tree,
                                  uint64_t node, uint64_t item) {
    return skx_mix(skx_mix(skx_mix(skx_mix(seed ^ (purpose << 56)) ^ tree) ^ node) ^ item);
}

// Turns 64 random bits into an integer from 0 to n - 1 (Lemire, "Fast random integer
// generation in an interval", TOMACS 2019, without rejection: no integer's probability
// is off by more than 2^-64). The high word of the product, from two halves of the bits.
static inline uint32_t skx_scale(uint64_t bits, uint32_t n) {
    uint64_t low = (bits & UINT32_MAX) * n;
    return (uint32_t)(((bits >> 32) * n + (low >> 32)) >> 32);
}

// A number in (0, 1) from 64 random bits: the middle of one of 2^53 equal intervals.
static inline double skx_uniform(uint64_t bits) {
    return ((double)(bits >> 11) + 0.5) * 0x1p-53;
}
