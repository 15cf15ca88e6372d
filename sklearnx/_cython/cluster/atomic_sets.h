// Disjoint sets that many threads unite at the same time, without locks.
//
// Every set is a tree whose root is its lowest member. Two roots are linked by one
// compare-and-swap that fails if another thread was faster, and finding a root halves the
// path to it (R. J. Anderson and H. Woll, "Wait-free parallel algorithms for the
// union-find problem", STOC 1991; S. V. Jayanti and R. E. Tarjan, "Concurrent disjoint
// set union", Distributed Computing 34, 2021). What sets there are in the end, and their
// roots, depend on the pairs alone and not on who united them when.
#pragma once

#include <stdint.h>

#include <atomic>
#include <memory>

struct skx_atomic_sets_t {
    std::unique_ptr<std::atomic<int32_t>[]> parents;

    explicit skx_atomic_sets_t(int64_t n) : parents(new std::atomic<int32_t>[n]) {
        for (int64_t i = 0; i < n; ++i) {
            parents[i].store((int32_t)i, std::memory_order_relaxed);
        }
    }

    int32_t find(int32_t i) {
        int32_t parent = parents[i].load(std::memory_order_relaxed);
        while (parent != i) {
            const int32_t above = parents[parent].load(std::memory_order_relaxed);
            if (above == parent) return parent;
            // A failure says that somebody else has shortened the path.
            parents[i].compare_exchange_weak(parent, above, std::memory_order_relaxed);
            i = above;
            parent = parents[i].load(std::memory_order_relaxed);
        }
        return i;
    }

    void unite(int32_t a, int32_t b) {
        for (;;) {
            a = find(a);
            b = find(b);
            if (a == b) return;
            if (a > b) std::swap(a, b);
            int32_t expected = b;
            if (parents[b].compare_exchange_strong(expected, a)) return;
        }
    }
};
