// Blocks of rows down trees, all rows of a block at once.
//
// Of each feature, the thresholds of all trees are sorted, and a value becomes the number
// of those below it: a code of a byte, or of two. A row is then left of a threshold if
// its code is at most the threshold's place. A tree's nodes are visited one after the
// other, parents first, and each moves on those rows of the block that are at it:
//
//     here[row] = here[row] == node ? left + (code[row] > place) : here[row]
//
// Every row takes part in every node, without a branch or a load that depends on the one
// before it, so that an instruction serves 16 to 64 rows. That beats following a row from
// node to node up to some hundred leaves.

#pragma once

#include <stdint.h>

#include <algorithm>
#include <limits>
#include <new>
#include <type_traits>
#include <vector>

#include "dtypes.h"
#include "edge_search.h"
#include "skx_math.h"

enum {
    SKX_ROWS_PER_BLOCK = 256,
    SKX_MAX_ROUTED_NODES = 255,
    // To find the codes of three columns takes as long as to follow a row down a tree.
    SKX_MAX_COLUMNS_PER_TREE = 2
};

// What a split compares.
struct skx_cut_t {
    int32_t column;   // among the features that are asked for; -1 for a leaf
    int32_t place;    // of a threshold
};

// The features that trees ask for, and what they compare them with. Numeric ones come
// with their thresholds, categorical ones without.
struct skx_router_t {
    std::vector<int32_t> features;
    std::vector<std::vector<double>> thresholds;
    std::vector<uint8_t> is_categorical, any_missing_left;
    std::vector<skx_cut_t> cuts;  // of all nodes
    bool is_narrow = true;        // codes of a byte
    // By the type of the values to be read.
    std::vector<skx_search_t<float>> searches32;
    std::vector<skx_search_t<double>> searches64;

    const skx_search_t<float> &get_search(size_t column, const float *) const {
        return searches32[column];
    }
    const skx_search_t<double> &get_search(size_t column, const double *) const {
        return searches64[column];
    }

    // nodes: of all trees, from the first of `offsets`. Returns whether all trees can be
    // treated so, with a gain.
    bool prepare(
        const node_t *nodes, const int64_t *offsets, int64_t n_trees, bool is_float32) {
        int32_t n_features = 0;
        for (int64_t tree = 0; tree < n_trees; ++tree) {
            const int64_t n_nodes = offsets[tree + 1] - offsets[tree];
            if (n_nodes > SKX_MAX_ROUTED_NODES) return false;
            const node_t *of_tree = nodes + offsets[tree];
            for (int64_t i = 0; i < n_nodes; ++i) {
                if (of_tree[i].feature < 0) continue;
                if (of_tree[i].left <= i) return false;
                n_features = std::max(n_features, of_tree[i].feature + 1);
            }
        }
        const node_t *stop = nodes + offsets[n_trees];
        std::vector<int32_t> columns(n_features, -1);
        for (const node_t *node = nodes + offsets[0]; node < stop; ++node) {
            if (node->feature < 0) continue;
            int32_t &column = columns[node->feature];
            if (column < 0) {
                column = (int32_t)features.size();
                features.push_back(node->feature);
                thresholds.emplace_back();
                is_categorical.push_back(node->bitset >= 0);
                any_missing_left.push_back(0);
            }
            if (is_categorical[column] != (node->bitset >= 0)) return false;
            any_missing_left[column] |= node->missing_left;
            if (node->bitset < 0) thresholds[column].push_back(node->value);
        }
        if ((int64_t)features.size() > SKX_MAX_COLUMNS_PER_TREE * n_trees) return false;
        for (std::vector<double> &each : thresholds) {
            std::sort(each.begin(), each.end());
            each.erase(std::unique(each.begin(), each.end()), each.end());
            // One code more than thresholds, and one for missing values.
            if (each.size() > UINT8_MAX - 1) is_narrow = false;
            if (each.size() > UINT16_MAX - 1) return false;
        }
        cuts.resize(stop - nodes - offsets[0]);
        for (const node_t *node = nodes + offsets[0]; node < stop; ++node) {
            skx_cut_t &cut = cuts[node - nodes - offsets[0]];
            cut.column = node->feature < 0 ? -1 : columns[node->feature];
            if (cut.column < 0 || node->bitset >= 0) continue;
            const std::vector<double> &sorted = thresholds[cut.column];
            cut.place = (int32_t)(
                std::lower_bound(sorted.begin(), sorted.end(), node->value) -
                sorted.begin());
        }
        const double none = 0;
        for (const std::vector<double> &each : thresholds) {
            const double *edges = each.empty() ? &none : each.data();
            if (is_float32) {
                searches32.emplace_back(edges, (int)each.size());
            } else {
                searches64.emplace_back(edges, (int)each.size());
            }
        }
        return true;
    }
};

// ---- blocks --------------------------------------------------------------------------

// The codes of a block's rows, column by column; signed, for which there are comparisons
// of many at once. A missing value is above all thresholds in `codes`, and below them in
// `low_codes`, which a node asks for that sends it to the left.
template <typename code_t>
struct skx_block_t {
    enum : int {
        LOWEST = std::numeric_limits<code_t>::min(),
        LARGEST = std::numeric_limits<code_t>::max()
    };
    std::vector<code_t> codes, low_codes;
    std::vector<int32_t> levels;  // of categorical columns, -1 where missing
    std::vector<uint8_t> has_missing;
    code_t goes_right[SKX_ROWS_PER_BLOCK];
    code_t here[SKX_ROWS_PER_BLOCK];

    template <typename value_t>
    void read(
        const skx_router_t &router, const value_t *X, int64_t n_features, int n_rows) {
        const size_t n_columns = router.features.size();
        const size_t size = n_columns * SKX_ROWS_PER_BLOCK;
        codes.resize(size);
        has_missing.assign(n_columns, 0);
        value_t values[SKX_ROWS_PER_BLOCK] = {};
        int32_t counts[SKX_ROWS_PER_BLOCK];
        for (size_t column = 0; column < n_columns; ++column) {
            const value_t *first = X + router.features[column];
            for (int i = 0; i < n_rows; ++i) values[i] = first[i * n_features];
            const size_t start = column * SKX_ROWS_PER_BLOCK;
            if (router.is_categorical[column]) {
                levels.resize(size);
                for (int i = 0; i < SKX_ROWS_PER_BLOCK; ++i) {
                    levels[start + i] =
                        values[i] != values[i] ? -1 : (int32_t)values[i];
                }
                continue;
            }
            skx_count_edges(router.get_search(column, values), values, SKX_ROWS_PER_BLOCK, counts);
            code_t *out = &codes[start];
            int n_missing = 0;
            for (int i = 0; i < SKX_ROWS_PER_BLOCK; ++i) {
                const bool is_missing = values[i] != values[i];
                n_missing += is_missing;
                out[i] = (code_t)(is_missing ? LARGEST : LOWEST + counts[i]);
            }
            if (n_missing == 0 || !router.any_missing_left[column]) continue;
            has_missing[column] = 1;
            low_codes.resize(size);
            for (int i = 0; i < SKX_ROWS_PER_BLOCK; ++i) {
                low_codes[start + i] = out[i] == LARGEST ? (code_t)LOWEST : out[i];
            }
        }
    }
};

// Which rows go right by a set of levels that go left.
static inline int skx_leaves_set(const uint32_t *bitset, int32_t level, int missing) {
    // Any word will do for a missing level.
    const uint32_t word = bitset[level < 0 ? 0 : level >> 5];
    return level < 0 ? missing : !((word >> (level & 31)) & 1);
}

// Send the block's rows down a tree. cuts, nodes: of the tree. OUT: `here` of the block.
template <typename code_t>
SKX_INLINE void skx_route_rows(
    skx_block_t<code_t> *block, const skx_cut_t *cuts, const node_t *nodes, int n_nodes,
    const uint32_t *bitsets) {
    code_t *SKX_RESTRICT here = block->here;
    for (int i = 0; i < SKX_ROWS_PER_BLOCK; ++i) here[i] = 0;
    for (int node = 0; node < n_nodes; ++node) {
        const int column = cuts[node].column;
        if (column < 0) continue;
        const size_t start = (size_t)column * SKX_ROWS_PER_BLOCK;
        const code_t *SKX_RESTRICT codes = block->codes.data() + start;
        code_t place = (code_t)(skx_block_t<code_t>::LOWEST + cuts[node].place);
        if (nodes[node].bitset >= 0) {
            const int32_t *SKX_RESTRICT levels = block->levels.data() + start;
            const uint32_t *SKX_RESTRICT bitset = bitsets + nodes[node].bitset;
            const int missing = !nodes[node].missing_left;
            for (int i = 0; i < SKX_ROWS_PER_BLOCK; ++i) {
                block->goes_right[i] = (code_t)skx_leaves_set(bitset, levels[i], missing);
            }
            codes = block->goes_right;
            place = 0;
        } else if (nodes[node].missing_left && block->has_missing[column]) {
            codes = block->low_codes.data() + start;
        }
        const code_t left = (code_t)nodes[node].left;
        const code_t from = (code_t)node;
        for (int i = 0; i < SKX_ROWS_PER_BLOCK; ++i) {
            const code_t to = (code_t)(left + (codes[i] > place));
            here[i] = here[i] == from ? to : here[i];
        }
    }
}

SKX_CLONES static void skx_route_narrow(
    skx_block_t<int8_t> *block, const skx_cut_t *cuts, const node_t *nodes, int n_nodes,
    const uint32_t *bitsets) {
    skx_route_rows(block, cuts, nodes, n_nodes, bitsets);
}

SKX_CLONES static void skx_route_wide(
    skx_block_t<int16_t> *block, const skx_cut_t *cuts, const node_t *nodes, int n_nodes,
    const uint32_t *bitsets) {
    skx_route_rows(block, cuts, nodes, n_nodes, bitsets);
}

// What is done with the leaves of a block's rows, positions within a tree.
typedef void (*skx_use_leaves_t)(
    const void *context, int64_t tree, int64_t start, int64_t stop,
    const int32_t *leaves);

template <typename code_t, typename value_t>
static void skx_route_block_by_codes(
    const skx_router_t &router,
    void (*route)(
        skx_block_t<code_t> *, const skx_cut_t *, const node_t *, int, const uint32_t *),
    const node_t *nodes, const int64_t *offsets, int64_t n_trees, const uint32_t *bitsets,
    const value_t *X, int64_t n_features, int64_t start, int64_t stop,
    skx_use_leaves_t use_leaves, const void *context) {
    typedef typename std::make_unsigned<code_t>::type position_t;
    skx_block_t<code_t> block;
    block.read(router, X + start * n_features, n_features, (int)(stop - start));
    int32_t leaves[SKX_ROWS_PER_BLOCK];
    for (int64_t tree = 0; tree < n_trees; ++tree) {
        const int64_t first = offsets[tree];
        route(
            &block, router.cuts.data() + (first - offsets[0]), nodes + first,
            (int)(offsets[tree + 1] - first), bitsets);
        for (int i = 0; i < SKX_ROWS_PER_BLOCK; ++i) {
            leaves[i] = (position_t)block.here[i];
        }
        use_leaves(context, tree, start, stop, leaves);
    }
}

// Send rows [start, stop), a block at most, down all trees. Returns whether there was
// memory for it.
template <typename value_t>
static bool skx_route_block(
    const skx_router_t *router, const node_t *nodes, const int64_t *offsets,
    int64_t n_trees, const uint32_t *bitsets, const value_t *X, int64_t n_features,
    int64_t start, int64_t stop, skx_use_leaves_t use_leaves, const void *context) {
    try {
        if (router->is_narrow) {
            skx_route_block_by_codes<int8_t>(
                *router, skx_route_narrow, nodes, offsets, n_trees, bitsets, X,
                n_features, start, stop, use_leaves, context);
        } else {
            skx_route_block_by_codes<int16_t>(
                *router, skx_route_wide, nodes, offsets, n_trees, bitsets, X, n_features,
                start, stop, use_leaves, context);
        }
    } catch (const std::bad_alloc &) {
        return false;
    }
    return true;
}
