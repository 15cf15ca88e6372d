// Which bins of a feature have rows. In a node of few rows most have none, and are passed
// over: nothing is gained by a cut behind an empty bin that the one before does not bring.

#pragma once

#include <stdint.h>

#include "dtypes.h"
#include "skx_math.h"

#if defined(_MSC_VER)
#include <intrin.h>
#endif

enum { OCCUPIED_PARTS = MAX_NARROW_BINS / 64, MIN_BINS_TO_PASS_OVER = 32 };

// A bit for each bin, the missing one included.
typedef struct {
    uint64_t bits[OCCUPIED_PARTS];
} skx_occupied_t;

// bits: not 0.
static inline int skx_find_lowest_bit(uint64_t bits) {
#if defined(_MSC_VER)
    unsigned long position;
    _BitScanForward64(&position, bits);
    return (int)position;
#else
    return __builtin_ctzll(bits);
#endif
}

// Whether it is worth finding the bins with rows, of a narrow feature in a node.
static inline bool skx_has_few_rows(int64_t n_rows, int n_bins) {
    return n_bins >= MIN_BINS_TO_PASS_OVER && n_bins < MAX_NARROW_BINS &&
           n_rows < 2 * n_bins;
}

// IN: bins (n_bins,), not more than MAX_NARROW_BINS.
static inline void skx_find_occupied(
    const hist_bin_t *bins, int n_bins, skx_occupied_t *occupied) {
    for (int part = 0; part < OCCUPIED_PARTS; ++part) {
        const int first = part * 64;
        const int n = n_bins - first < 64 ? n_bins - first : 64;
        uint64_t bits = 0;
        for (int i = 0; i < n; ++i) {
            bits |= (uint64_t)(bins[first + i].n_samples != 0) << i;
        }
        occupied->bits[part] = bits;
    }
}
