// Rows that several slots have still to add, handed out chunk by chunk.
//
//     chunks   0 1 2 3 4 | 5 6 7 8 9     each slot begins with its own share, from the
//              --> slot 0| --> slot 1    left; when that is done, it takes from the right
//                                        of another's
//
// A slot whose thread is late, or has a slower core, leaves chunks to others. Which slot
// adds a row does not matter, since all sums are integers.

#pragma once

#include <stdint.h>

#include <atomic>

enum { ROWS_PER_SHARED_CHUNK = 1 << 12 };

// The first chunk that nobody has taken, and the end: 32 bits each. A cache line.
struct skx_row_share_t {
    std::atomic<uint64_t> chunks;
    char unused[56];
};

static inline uint64_t skx_pack_chunks(uint64_t start, uint64_t stop) {
    return start << 32 | stop;
}

// OUT: shares (n_slots,).
static inline void skx_share_rows(skx_row_share_t *shares, int n_slots, int64_t n_rows) {
    const int64_t n_chunks = (n_rows + ROWS_PER_SHARED_CHUNK - 1) / ROWS_PER_SHARED_CHUNK;
    for (int64_t slot = 0; slot < n_slots; ++slot) {
        shares[slot].chunks.store(
            skx_pack_chunks(
                (uint64_t)(n_chunks * slot / n_slots),
                (uint64_t)(n_chunks * (slot + 1) / n_slots)),
            std::memory_order_relaxed);
    }
}

// Take a chunk for a slot. OUT: start and stop, its rows. Returns 0 if there is none left.
static inline int skx_take_rows(
    skx_row_share_t *shares, int n_slots, int own, int64_t n_rows, int64_t *start,
    int64_t *stop) {
    for (int i = 0; i < n_slots; ++i) {
        std::atomic<uint64_t> &share = shares[(own + i) % n_slots].chunks;
        uint64_t chunks = share.load(std::memory_order_relaxed);
        for (;;) {
            const uint64_t first = chunks >> 32, end = chunks & UINT32_MAX;
            if (first >= end) break;
            const uint64_t rest = i == 0 ? skx_pack_chunks(first + 1, end)
                                         : skx_pack_chunks(first, end - 1);
            if (share.compare_exchange_weak(chunks, rest, std::memory_order_relaxed)) {
                const int64_t chunk = (int64_t)(i == 0 ? first : end - 1);
                *start = chunk * ROWS_PER_SHARED_CHUNK;
                *stop = *start + ROWS_PER_SHARED_CHUNK;
                if (*stop > n_rows) *stop = n_rows;
                return 1;
            }
        }
    }
    return 0;
}
