// Work cut into tasks by the shape of the data alone, and sums of tasks added in their
// order, so that the number of threads changes no bit.

#pragma once

#include <stdint.h>

#include <algorithm>

#include "skx_math.h"

typedef void (*skx_task_t)(void *context, int task);
typedef void (*skx_parallel_t)(skx_task_t task, void *context, int n_tasks, int n_threads);

// Call function(task) for each task.
template <typename Function>
static inline void skx_run_tasks(
    skx_parallel_t parallel_for, int64_t n_tasks, int n_threads, Function &function) {
    parallel_for(
        [](void *context, int task) { (*(Function *)context)(task); }, &function,
        (int)n_tasks, n_threads);
}

// The same some tasks at a time; goes_on() between, which says whether to. Whether all ran.
template <typename Function>
static inline bool skx_run_tasks_while(
    skx_parallel_t parallel_for, int64_t n_tasks, int64_t n_at_once, int n_threads,
    Function &function, int (*goes_on)()) {
    for (int64_t first = 0; first < n_tasks; first += n_at_once) {
        if (first > 0 && !goes_on()) return false;
        auto shifted = [&](int64_t task) { function(first + task); };
        skx_run_tasks(parallel_for, std::min(n_at_once, n_tasks - first), n_threads, shifted);
    }
    return true;
}

// A range cut into parts of equal length but the last.
struct skx_parts_t {
    int64_t n, size, n_parts;

    skx_parts_t(int64_t n, int64_t size)
        : n(n), size(size), n_parts(n > 0 ? (n + size - 1) / size : 0) {}
    int64_t start(int64_t part) const { return part * size; }
    int64_t length(int64_t part) const { return std::min(size, n - part * size); }
};

// How many partial sums of `size` doubles may be kept: at most 64, of 16 MiB in all.
static inline int64_t skx_max_sums(int64_t size) {
    const int64_t n_sums = ((int64_t)1 << 21) / std::max(size, (int64_t)1);
    return std::min(std::max(n_sums, (int64_t)1), (int64_t)64);
}

// Add the sums of all parts to the first, in order. IN/OUT: sums (n_sums, size).
static inline void skx_add_sums(
    double *sums, int64_t n_sums, int64_t size, skx_parallel_t parallel_for, int n_threads) {
    const skx_parts_t parts(size, 4096);
    auto add = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        for (int64_t i = 1; i < n_sums; ++i) {
            const double *SKX_RESTRICT from = sums + i * size + first;
            double *SKX_RESTRICT to = sums + first;
            for (int64_t k = 0; k < n; ++k) to[k] += from[k];
        }
    };
    if (n_sums > 1) skx_run_tasks(parallel_for, parts.n_parts, n_threads, add);
}
