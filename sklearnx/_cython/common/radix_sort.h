// Sorting by floating-point keys.

#pragma once

#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <vector>

// Floating-point numbers in ascending order are, after a change of some bits, unsigned
// integers in ascending order, which a radix sort puts in order digit by digit, the
// lowest first (Knuth, The Art of Computer Programming 3, 5.2.5).

static inline uint32_t skx_to_key(float value) {
    uint32_t bits;
    value += 0.0f;  // -0 is 0
    memcpy(&bits, &value, sizeof bits);
    return bits ^ ((uint32_t)((int32_t)bits >> 31) | UINT32_C(0x80000000));
}

static inline uint64_t skx_to_key(double value) {
    uint64_t bits;
    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ ((uint64_t)((int64_t)bits >> 63) | UINT64_C(0x8000000000000000));
}

static inline double skx_from_key(uint32_t key) {
    const uint32_t bits = key & UINT32_C(0x80000000) ? key ^ UINT32_C(0x80000000) : ~key;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double skx_from_key(uint64_t key) {
    const uint64_t top = UINT64_C(0x8000000000000000);
    const uint64_t bits = key & top ? key ^ top : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t skx_key_of(uint32_t item) { return item; }
static inline uint64_t skx_key_of(uint64_t item) { return item; }

// Sort by key; equal keys stay in order. May throw std::bad_alloc.
template <typename item_t>
static void skx_radix_sort(item_t *items, size_t n) {
    enum { DIGIT_BITS = 11, N_DIGITS = 1 << DIGIT_BITS };
    typedef decltype(skx_key_of(items[0])) key_t;
    const int n_passes = (sizeof(key_t) * 8 + DIGIT_BITS - 1) / DIGIT_BITS;
    if (n < N_DIGITS / 2) {
        std::stable_sort(items, items + n, [](const item_t &a, const item_t &b) {
            return skx_key_of(a) < skx_key_of(b);
        });
        return;
    }
    std::vector<uint32_t> counts((size_t)n_passes * N_DIGITS);
    for (size_t i = 0; i < n; ++i) {
        key_t key = skx_key_of(items[i]);
        for (int pass = 0; pass < n_passes; ++pass) {
            ++counts[(size_t)pass * N_DIGITS + (key & (N_DIGITS - 1))];
            key >>= DIGIT_BITS;
        }
    }
    std::vector<item_t> others(n);
    item_t *from = items, *to = others.data();
    for (int pass = 0; pass < n_passes; ++pass) {
        uint32_t *places = counts.data() + (size_t)pass * N_DIGITS;
        const int shift = pass * DIGIT_BITS;
        const size_t digit = (skx_key_of(from[0]) >> shift) & (N_DIGITS - 1);
        if (places[digit] == n) continue;  // all have the same
        uint32_t place = 0;
        for (int i = 0; i < N_DIGITS; ++i) {
            const uint32_t count = places[i];
            places[i] = place;
            place += count;
        }
        for (size_t i = 0; i < n; ++i) {
            to[places[(skx_key_of(from[i]) >> shift) & (N_DIGITS - 1)]++] = from[i];
        }
        std::swap(from, to);
    }
    if (from != items) std::copy(from, from + n, items);
}
