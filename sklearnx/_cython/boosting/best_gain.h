// The best gain that any thread has found in a node so far. Features with less need not be
// searched to the end; that a thread may not know of the newest changes no split.

#pragma once

#include <stdint.h>

#include <atomic>

#include "skx_math.h"

// Gains are not negative, and ordered as the integers of the same bits.
struct skx_best_gain_t {
    std::atomic<uint64_t> bits;
};

static inline void skx_reset_best_gain(skx_best_gain_t *best) {
    best->bits.store(0, std::memory_order_relaxed);
}

static inline double skx_get_best_gain(const skx_best_gain_t *best) {
    return skx_from_bits(best->bits.load(std::memory_order_relaxed));
}

static inline void skx_raise_best_gain(skx_best_gain_t *best, double gain) {
    const uint64_t bits = skx_bits(gain);
    uint64_t known = best->bits.load(std::memory_order_relaxed);
    while (known < bits &&
           !best->bits.compare_exchange_weak(known, bits, std::memory_order_relaxed)) {
    }
}
