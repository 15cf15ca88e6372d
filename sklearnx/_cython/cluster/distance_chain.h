// Complete, average and Ward's linkage by chains of nearest neighbours on all distances.
//
// The distances stand in a condensed matrix, the rows of the upper triangle one after the
// other, and are overwritten: nothing else is quadratic in the number of points. A row's
// other half is a column, a cache line for each entry:
//
//     . a a a x a        row x:  the column above the diagonal, gathered,
//       . a a x a                then the rest of the row, contiguous
//         . a x a
//           . x a        entry (i, j), i < j, is at start[i] + j
//             . x
//               .
//
// (D. Müllner, "Modern hierarchical, agglomerative clustering algorithms",
// arXiv:1109.2378, Figure 4.) Ties go to the cluster before in the chain, then to that of
// the lower place, as in SciPy; a merged cluster has the place of the later of its two.

#pragma once

#include "block_tree.h"
#include "parallel_parts.h"
#include "prefetch.h"

// Nearest of a part of the other clusters.
struct skx_candidate_t {
    double distance;
    int32_t item;
};

enum { SKX_CHAIN_PART = 4096, SKX_PREFETCHED = 24 };

// A merge of clusters A and B, of n_a and n_b items and a distance of `between`.
struct skx_joined_t {
    double n_a, n_b, between;
};

// The distance of the merged cluster to another of n items, to which A and B have the
// distances a and b (G. N. Lance and W. T. Williams, "A general theory of classificatory
// sorting strategies", Computer Journal 9 (1967)).
struct skx_complete_t {
    static double join(const skx_joined_t &, double a, double b, double) {
        return a > b ? a : b;
    }
};

struct skx_average_t {
    static double join(const skx_joined_t &merge, double a, double b, double) {
        return (merge.n_a * a + merge.n_b * b) / (merge.n_a + merge.n_b);
    }
};

struct skx_ward_t {
    static double join(const skx_joined_t &merge, double a, double b, double n) {
        const double share = 1.0 / (merge.n_a + merge.n_b + n);
        return sqrt(
            (n + merge.n_a) * share * a * a + (n + merge.n_b) * share * b * b -
            n * share * merge.between * merge.between);
    }
};

enum skx_linkage_t { SKX_COMPLETE = 0, SKX_AVERAGE = 1, SKX_WARD = 2 };

struct skx_distance_chain_t {
    int64_t n;
    double *distances;
    int linkage;
    std::vector<int64_t> start;
    std::vector<int32_t> live;  // ascending
    std::vector<double> sizes;
    // Nearest neighbours found: valid while the neighbour's version is the one noted.
    std::vector<skx_candidate_t> neighbors;
    std::vector<int32_t> versions, noted, chain;
    std::vector<skx_candidate_t> parts;
    skx_parallel_t parallel_for;
    int n_threads;

    void begin(
        double *condensed, int64_t n_items, int kind, skx_parallel_t run, int threads) {
        n = n_items;
        distances = condensed;
        linkage = kind;
        parallel_for = run;
        n_threads = threads;
        start.resize(n);
        live.resize(n);
        for (int64_t i = 0; i < n; ++i) {
            start[i] = i * n - (i + 1) * (i + 2) / 2;
            live[i] = (int32_t)i;
        }
        sizes.assign(n, 1.0);
        neighbors.assign(n, {INFINITY, -1});
        versions.assign(n, 0);
        noted.assign(n, -1);
        parts.resize(n / SKX_CHAIN_PART + 1);
    }

    double &at(int64_t i, int64_t j) {
        return distances[i < j ? start[i] + j : start[j] + i];
    }

    // Runs function(first, length, part) over parts of the live clusters.
    template <typename Function>
    int64_t run_parts(Function &&function) {
        const skx_parts_t cut((int64_t)live.size(), SKX_CHAIN_PART);
        auto task = [&](int64_t part) {
            function(cut.start(part), cut.length(part), part);
        };
        skx_run_tasks(parallel_for, cut.n_parts, n_threads, task);
        return cut.n_parts;
    }

    skx_candidate_t scan_part(int64_t item, int64_t first, int64_t length) {
        skx_candidate_t best = {INFINITY, -1};
        const int64_t last = (int64_t)live.size() - 1;
        for (int64_t k = first; k < first + length; ++k) {
            const int64_t ahead = live[std::min(k + SKX_PREFETCHED, last)];
            if (ahead < item) SKX_PREFETCH(distances + start[ahead] + item);
            const int64_t other = live[k];
            if (other == item) continue;
            const double distance = at(item, other);
            if (distance < best.distance) best = {distance, (int32_t)other};
        }
        return best;
    }

    skx_candidate_t find_neighbor(int32_t item) {
        if (neighbors[item].item >= 0 &&
            noted[item] == versions[neighbors[item].item]) {
            return neighbors[item];
        }
        const int64_t n_parts = run_parts([&](int64_t first, int64_t length, int64_t part) {
            parts[part] = scan_part(item, first, length);
        });
        skx_candidate_t best = parts[0];
        for (int64_t part = 1; part < n_parts; ++part) {
            if (parts[part].distance < best.distance) best = parts[part];
        }
        // No distance is finite.
        if (best.item < 0) best.item = live[0] == item ? live[1] : live[0];
        neighbors[item] = best;
        noted[item] = versions[best.item];
        return best;
    }

    template <typename Join>
    void join_rows(int64_t gone, int64_t kept, double between) {
        const skx_joined_t merge = {sizes[gone], sizes[kept], between};
        const int64_t last = (int64_t)live.size() - 1;
        run_parts([&](int64_t first, int64_t length, int64_t) {
            for (int64_t k = first; k < first + length; ++k) {
                const int64_t ahead = live[std::min(k + SKX_PREFETCHED, last)];
                if (ahead < kept) SKX_PREFETCH(distances + start[ahead] + kept);
                if (ahead < gone) SKX_PREFETCH(distances + start[ahead] + gone);
                const int64_t other = live[k];
                if (other == kept) continue;
                double &to = at(other, kept);
                to = Join::join(merge, at(other, gone), to, sizes[other]);
            }
        });
    }

    void merge(int32_t gone, int32_t kept, double between) {
        live.erase(std::lower_bound(live.begin(), live.end(), gone));
        if (linkage == SKX_AVERAGE) {
            join_rows<skx_average_t>(gone, kept, between);
        } else if (linkage == SKX_WARD) {
            join_rows<skx_ward_t>(gone, kept, between);
        } else {
            join_rows<skx_complete_t>(gone, kept, between);
        }
        sizes[kept] += sizes[gone];
        ++versions[gone];
        ++versions[kept];
        neighbors[kept] = {INFINITY, -1};
    }

    // OUT: pair (2,), the places merged, the lower first. Returns the distance.
    double merge_next(int32_t *pair) {
        if (chain.empty()) chain.push_back(live[0]);
        while (true) {
            const int32_t item = chain.back();
            const skx_candidate_t next = find_neighbor(item);
            if (chain.size() > 1) {
                const int32_t previous = chain[chain.size() - 2];
                const double distance = at(item, previous);
                if (!(next.distance < distance)) {
                    chain.resize(chain.size() - 2);
                    pair[0] = std::min(item, previous);
                    pair[1] = std::max(item, previous);
                    merge(pair[0], pair[1], distance);
                    return distance;
                }
            }
            chain.push_back(next.item);
        }
    }

    void advance(int64_t n_steps, int32_t *pairs, double *out) {
        for (int64_t i = 0; i < n_steps; ++i) out[i] = merge_next(pairs + 2 * i);
    }
};

// The distances of rows [first, first + n_taken) to all after them.
// IN: blocks [block][dimension][32], the points in order, the last block filled up.
template <typename Gaps>
SKX_INLINE void skx_fill_condensed_rows(
    const double *blocks, int64_t n, int64_t n_dims, int64_t first, int64_t n_taken,
    double *condensed, double *point) {
    double measured[SKX_BLOCK];
    for (int64_t i = first; i < first + n_taken; ++i) {
        const double *values = blocks + i / SKX_BLOCK * n_dims * SKX_BLOCK + i % SKX_BLOCK;
        for (int64_t k = 0; k < n_dims; ++k) point[k] = values[k * SKX_BLOCK];
        double *out = condensed + i * n - (i + 1) * (i + 2) / 2;
        for (int64_t block = (i + 1) / SKX_BLOCK; block * SKX_BLOCK < n; ++block) {
            skx_measure_leaf<Gaps>(
                blocks + block * n_dims * SKX_BLOCK, point, n_dims, measured);
            const int64_t place = block * SKX_BLOCK;
            const int64_t from = std::max(i + 1 - place, (int64_t)0);
            const int64_t to = std::min(n - place, (int64_t)SKX_BLOCK);
            for (int64_t lane = from; lane < to; ++lane) {
                out[place + lane] = Gaps::finish(measured[lane]);
            }
        }
    }
}

#define SKX_DEFINE_FILL(NAME, GAPS)                                                        \
    SKX_CLONES static void skx_fill_##NAME(                                                \
        const double *blocks, int64_t n, int64_t n_dims, int64_t first, int64_t n_taken,   \
        double *condensed, double *point) {                                                \
        skx_fill_condensed_rows<GAPS>(                                                     \
            blocks, n, n_dims, first, n_taken, condensed, point);                          \
    }
SKX_DEFINE_FILL(squared, skx_squared_gaps_t)
SKX_DEFINE_FILL(absolute, skx_absolute_gaps_t)
SKX_DEFINE_FILL(largest, skx_largest_gap_t)
#undef SKX_DEFINE_FILL

typedef void (*skx_fill_t)(
    const double *, int64_t, int64_t, int64_t, int64_t, double *, double *);

// All distances. IN: rows (n, n_dims). OUT: condensed. Whether it came to the end.
static inline bool skx_fill_condensed(
    const double *rows, int64_t n, int64_t n_dims, skx_fill_t fill, double *condensed,
    skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    const int64_t n_blocks = (n + SKX_BLOCK - 1) / SKX_BLOCK;
    std::vector<double> blocks(n_blocks * n_dims * SKX_BLOCK);
    for (int64_t i = 0; i < n; ++i) {
        double *values =
            blocks.data() + i / SKX_BLOCK * n_dims * SKX_BLOCK + i % SKX_BLOCK;
        for (int64_t k = 0; k < n_dims; ++k) values[k * SKX_BLOCK] = rows[i * n_dims + k];
    }
    const skx_parts_t parts(n, 16);
    auto task = [&](int64_t part) {
        std::vector<double> point(n_dims);
        fill(
            blocks.data(), n, n_dims, parts.start(part), parts.length(part), condensed,
            point.data());
    };
    return skx_run_tasks_while(
        parallel_for, parts.n_parts, 64, n_threads, task, goes_on);
}
