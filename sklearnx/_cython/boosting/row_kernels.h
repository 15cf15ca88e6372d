// One row down several trees side by side.
//
// A row's way down a tree is a chain of loads, each of an address that the one before it
// tells, and of branches that nobody can foresee. So six trees take their steps in
// turns, without a branch that depends on the row; those that have reached a leaf wait
// for the others.

#pragma once

#include <stdint.h>

#include "dtypes.h"

enum { SKX_LANES = 6 };

// Categorical splits are rare where numbers are many, and well foreseen where not.
static inline int32_t skx_is_left(const node_t *node, const uint32_t *bitsets, double value) {
    const int32_t is_missing = value != value;
    if (node->bitset >= 0 && !is_missing) {
        const int64_t level = (int64_t)value;
        return (bitsets[node->bitset + level / 32] >> (level % 32)) & 1;
    }
    return (value <= node->value) | (is_missing & node->missing_left);
}

// Find the leaves of a row in up to SKX_LANES trees, positions within each. IN: offsets of
// the first nodes of these trees. OUT: leaves.
static inline void skx_find_leaves(
    const node_t *nodes, const int64_t *offsets, int n_trees, const uint32_t *bitsets,
    const double *row, int32_t *leaves) {
    // Of lanes without a tree.
    static const node_t leaf = {0.0, -1, 0, -1, 0, {0, 0, 0}};
    const node_t *trees[SKX_LANES];
    int32_t places[SKX_LANES] = {0};
    for (int k = 0; k < SKX_LANES; ++k) trees[k] = k < n_trees ? nodes + offsets[k] : &leaf;
    int32_t goes_on;
    do {
        goes_on = 0;
        for (int k = 0; k < SKX_LANES; ++k) {
            const node_t *node = trees[k] + places[k];
            // All ones at a split, zero at a leaf.
            const int32_t is_split = ~(node->feature >> 31);
            const double value = row[node->feature & is_split];
            const int32_t next = node->left + 1 - skx_is_left(node, bitsets, value);
            places[k] = (next & is_split) | (places[k] & ~is_split);
            goes_on |= is_split;
        }
    } while (goes_on);
    for (int k = 0; k < n_trees; ++k) leaves[k] = places[k];
}
