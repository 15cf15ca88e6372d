// From a spanning tree to the hierarchy of single linkage, and flat cuts of that.

#pragma once

#include <stdint.h>

#include <algorithm>
#include <vector>

#include "parallel_parts.h"

// An edge between two rows, from `from` outwards as seen from row 0 once it is oriented.
struct skx_tree_edge_t {
    double weight, distance;
    int32_t from, to;

    // By weight, distance, lower row, higher row.
    bool operator<(const skx_tree_edge_t &b) const {
        if (weight != b.weight) return weight < b.weight;
        if (distance != b.distance) return distance < b.distance;
        const int32_t low = std::min(from, to), other_low = std::min(b.from, b.to);
        if (low != other_low) return low < other_low;
        return std::max(from, to) < std::max(b.from, b.to);
    }
};

// A row of the hierarchy, as in scipy.cluster.hierarchy: what joins, clusters from n on.
struct skx_merge_t {
    int64_t left, right;
    double value;
    int64_t size;
};

// Sort parts, then join pairs of sorted parts, all of fixed lengths.
static void skx_sort_edges(
    skx_tree_edge_t *edges, int64_t n, skx_parallel_t run, int n_threads) {
    const skx_parts_t parts(n, 1 << 15);
    auto sort = [&](int64_t part) {
        skx_tree_edge_t *first = edges + parts.start(part);
        std::sort(first, first + parts.length(part));
    };
    skx_run_tasks(run, parts.n_parts, n_threads, sort);
    if (parts.n_parts < 2) return;
    std::vector<skx_tree_edge_t> other(n);
    skx_tree_edge_t *from = edges, *to = other.data();
    for (int64_t length = parts.size; length < n; length *= 2) {
        const skx_parts_t pairs(n, 2 * length);
        auto merge = [&](int64_t pair) {
            const int64_t first = pairs.start(pair), last = first + pairs.length(pair);
            const int64_t middle = std::min(first + length, last);
            std::merge(
                from + first, from + middle, from + middle, from + last, to + first);
        };
        skx_run_tasks(run, pairs.n_parts, n_threads, merge);
        std::swap(from, to);
    }
    if (from != edges) std::copy(from, from + n, edges);
}

// Turn each edge so that it leads away from row 0. IN/OUT: edges (n - 1,), in any order.
static void skx_orient_edges(skx_tree_edge_t *edges, int64_t n) {
    std::vector<int32_t> start(n + 1, 0), around(2 * (n - 1)), waiting(n);
    std::vector<uint8_t> is_reached(n, 0);
    for (int64_t e = 0; e < n - 1; ++e) {
        ++start[edges[e].from + 1];
        ++start[edges[e].to + 1];
    }
    for (int64_t i = 0; i < n; ++i) start[i + 1] += start[i];
    std::vector<int32_t> place(start.begin(), start.end() - 1);
    for (int64_t e = 0; e < n - 1; ++e) {
        around[place[edges[e].from]++] = (int32_t)e;
        around[place[edges[e].to]++] = (int32_t)e;
    }
    int64_t n_waiting = 1;
    waiting[0] = 0;
    is_reached[0] = 1;
    for (int64_t next = 0; next < n_waiting; ++next) {
        const int32_t row = waiting[next];
        for (int32_t i = start[row]; i < start[row + 1]; ++i) {
            skx_tree_edge_t &edge = edges[around[i]];
            if (edge.to == row && !is_reached[edge.from]) std::swap(edge.from, edge.to);
            if (edge.from != row || is_reached[edge.to]) continue;
            is_reached[edge.to] = 1;
            waiting[n_waiting++] = edge.to;
        }
    }
}

// Join clusters by edges in ascending order, the one nearer to row 0 on the left.
// OUT: merges (n - 1,).
static void skx_link(const skx_tree_edge_t *edges, int64_t n, skx_merge_t *merges) {
    std::vector<int32_t> parent(n), name(n), size(n, 1);
    for (int64_t i = 0; i < n; ++i) parent[i] = name[i] = (int32_t)i;
    const auto find_root = [&](int32_t i) {
        while (parent[i] != i) i = parent[i] = parent[parent[i]];
        return i;
    };
    for (int64_t e = 0; e < n - 1; ++e) {
        int32_t a = find_root(edges[e].from), b = find_root(edges[e].to);
        merges[e] = {name[a], name[b], edges[e].weight, (int64_t)size[a] + size[b]};
        if (size[a] < size[b]) std::swap(a, b);
        parent[b] = a;
        size[a] += size[b];
        name[a] = (int32_t)(n + e);
    }
}

// The clusters of merges of a value below `cut`, those smaller than `min_size` noise (-1).
// Their numbers are in the order of the roots of a forest of merges joined by height, as in
// scikit-learn. OUT: labels (n,).
static void skx_cut(
    const skx_merge_t *merges, int64_t n, double cut, int64_t min_size, int64_t *labels) {
    const int64_t n_nodes = 2 * n - 1;
    std::vector<int64_t> parent(n_nodes), sizes(n_nodes, 0), names(n_nodes, -1);
    std::vector<uint8_t> height(n_nodes, 0);
    for (int64_t i = 0; i < n_nodes; ++i) parent[i] = i;
    const auto find_root = [&](int64_t i) {
        while (parent[i] != i) i = parent[i] = parent[parent[i]];
        return i;
    };
    const auto join = [&](int64_t a, int64_t b) {
        a = find_root(a);
        b = find_root(b);
        if (a == b) return;
        if (height[a] < height[b]) std::swap(a, b);
        if (height[a] == height[b]) ++height[a];
        parent[b] = a;
    };
    for (int64_t i = 0; i < n - 1; ++i) {
        if (!(merges[i].value < cut)) continue;
        join(merges[i].left, n + i);
        join(merges[i].right, n + i);
    }
    for (int64_t i = 0; i < n; ++i) ++sizes[find_root(i)];
    int64_t n_clusters = 0;
    for (int64_t i = 0; i < n_nodes; ++i) {
        if (sizes[i] > 0 && sizes[i] >= min_size) names[i] = n_clusters++;
    }
    for (int64_t i = 0; i < n; ++i) labels[i] = names[find_root(i)];
}
