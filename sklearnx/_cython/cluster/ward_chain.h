// Ward's hierarchy by chains of nearest neighbours, on centroids alone.
//
// The distance of two clusters needs their centroids c and numbers of points n only,
//
//     D(A, B)^2 = 2 n_A n_B / (n_A + n_B) |c_A - c_B|^2,
//
// (F. Murtagh and P. Legendre, "Ward's hierarchical agglomerative clustering method",
// Journal of Classification 31 (2014), equation 8 with n = 1 for points), so that memory
// is linear in the number of points, where the usual recurrence needs all distances.
//
// A chain goes from a cluster to its nearest neighbour until two are nearest to each
// other; these are merged, and the chain goes on from what is left of it (D. Müllner,
// "Modern hierarchical, agglomerative clustering algorithms", arXiv:1109.2378, Figure 4).
//
//     a -> b -> c <-> d         D(a, b) > D(b, c) > D(c, d)
//
// Neighbours are searched in a tree of boxes: for sizes of at least w in a box
//
//     D(A, B)^2 >= 2 n_A w / (n_A + w) dist(c_A, box)^2.
//
// All neighbours of the points themselves are found at once, by all threads. As Ward's
// distance never decreases by merging others, a neighbour stays the nearest until it is
// merged itself. Ties go to the cluster of the lower place, as in SciPy: a merged cluster
// has that of the later of its two.

#pragma once

#include "block_tree.h"
#include "parallel_parts.h"

// Rounding aside the same from both sides, and monotonic in each size: products of sizes
// are exact below 2^53.
SKX_INLINE double skx_ward_factor(double a, double b) {
    return 2.0 * a * b / (a + b);
}

struct skx_neighbor_t {
    double square;
    int32_t item;
};

struct skx_node_t {
    double square;
    int32_t level, node;
};

// Sizes and lowest names of a tree's nodes, by which searches leave nodes out.
struct skx_node_sizes_t {
    std::vector<double> smallest;
    std::vector<int32_t> first;
};

struct skx_ward_tree_t {
    skx_block_tree_t<double> blocks;
    skx_node_sizes_t levels[SKX_MAX_LEVELS];
    std::vector<double> leaf_sizes;  // [leaf][32], 1 where there is none

    void fit_sizes_of_leaf(int64_t leaf) {
        double smallest = INFINITY;
        int32_t first = INT32_MAX;
        for (int i = 0; i < SKX_BLOCK; ++i) {
            const int32_t item = blocks.leaf_items(leaf)[i];
            if (item < 0) continue;
            smallest = std::min(smallest, leaf_sizes[leaf * SKX_BLOCK + i]);
            first = std::min(first, item);
        }
        levels[0].smallest[leaf] = smallest == INFINITY ? 1.0 : smallest;
        levels[0].first[leaf] = first;
    }

    void fit_sizes_of_node(int level, int64_t node) {
        const skx_node_sizes_t &children = levels[level - 1];
        double smallest = INFINITY;
        int32_t first = INT32_MAX;
        for (int i = 0; i < SKX_FAN; ++i) {
            const int64_t child = node * SKX_FAN + i;
            if (children.first[child] == INT32_MAX) continue;
            smallest = std::min(smallest, children.smallest[child]);
            first = std::min(first, children.first[child]);
        }
        levels[level].smallest[node] = smallest == INFINITY ? 1.0 : smallest;
        levels[level].first[node] = first;
    }

    void fit_path(int64_t leaf) {
        blocks.fit_path(leaf);
        fit_sizes_of_leaf(leaf);
        int64_t node = leaf;
        for (int level = 1; level < blocks.n_levels; ++level) {
            node /= SKX_FAN;
            fit_sizes_of_node(level, node);
        }
    }

    // IN: rows (n, n_dims), ids and sizes (n,).
    void build(
        const double *rows, int64_t n, int64_t n_dims, const int32_t *ids,
        const double *sizes) {
        blocks.build(rows, n_dims, skx_all_rows(n), ids);
        leaf_sizes.assign(blocks.n_leaves * SKX_BLOCK, 1.0);
        for (int64_t place = 0; place < blocks.n_leaves * SKX_BLOCK; ++place) {
            if (blocks.items[place] >= 0) leaf_sizes[place] = sizes[blocks.items[place]];
        }
        for (int level = 0; level < blocks.n_levels; ++level) {
            const int64_t n_nodes = blocks.levels[level].n_nodes;
            const int64_t padded = (n_nodes + SKX_FAN - 1) / SKX_FAN * SKX_FAN;
            levels[level].smallest.assign(padded, 1.0);
            levels[level].first.assign(padded, INT32_MAX);
            for (int64_t node = 0; node < n_nodes; ++node) {
                if (level == 0) {
                    fit_sizes_of_leaf(node);
                } else {
                    fit_sizes_of_node(level, node);
                }
            }
        }
    }
};

// Whether a node at a distance may hold something nearer, or as near and of lower name.
SKX_INLINE bool skx_may_hold(double square, int32_t first, const skx_neighbor_t &best) {
    return square < best.square || (square == best.square && first < best.item);
}

SKX_INLINE void skx_search_leaf(
    const skx_ward_tree_t &tree, int64_t leaf, const double *point, double size,
    int32_t own, skx_neighbor_t *best) {
    double squares[SKX_BLOCK], lowest[SKX_FAN];
    skx_measure_leaf<skx_squared_gaps_t>(
        tree.blocks.leaf_coords(leaf), point, tree.blocks.n_dims, squares);
    for (int i = 0; i < SKX_FAN; ++i) {
        const double a = squares[i] < squares[i + 8] ? squares[i] : squares[i + 8];
        const double b =
            squares[i + 16] < squares[i + 24] ? squares[i + 16] : squares[i + 24];
        lowest[i] = a < b ? a : b;
    }
    double least = lowest[0];
    for (int i = 1; i < SKX_FAN; ++i) least = lowest[i] < least ? lowest[i] : least;
    const double factor = skx_ward_factor(size, tree.levels[0].smallest[leaf]);
    if (factor * least > best->square) return;
    const int32_t *items = tree.blocks.leaf_items(leaf);
    const double *sizes = tree.leaf_sizes.data() + leaf * SKX_BLOCK;
    for (int i = 0; i < SKX_BLOCK; ++i) {
        if (factor * squares[i] > best->square) continue;
        if (items[i] < 0 || items[i] == own) continue;
        const double square = skx_ward_factor(size, sizes[i]) * squares[i];
        if (skx_may_hold(square, items[i], *best)) *best = {square, items[i]};
    }
}

// Finds the nearest other cluster if nearer than `best`, or as near and of lower name.
// IN/OUT: best.
SKX_CLONES static void skx_find_ward_neighbor(
    const skx_ward_tree_t &tree, const double *point, double size, int32_t own,
    skx_neighbor_t *best) {
    const skx_block_tree_t<double> &blocks = tree.blocks;
    skx_node_t stack[SKX_FAN * SKX_MAX_LEVELS + 1];
    int n_stacked = 0;
    skx_node_t node = {0.0, blocks.n_levels, 0};
    while (true) {
        if (node.level == 0) {
            skx_search_leaf(tree, node.node, point, size, own, best);
        } else {
            const int level = node.level - 1;
            const int64_t first = (int64_t)node.node * SKX_FAN;
            const skx_node_sizes_t &sizes = tree.levels[level];
            double squares[SKX_FAN];
            skx_measure_boxes<skx_squared_gaps_t>(
                blocks.group(level, first), point, blocks.n_dims, squares);
            const double *smallest = sizes.smallest.data() + first;
            for (int i = 0; i < SKX_FAN; ++i) {
                squares[i] = skx_ward_factor(size, smallest[i]) * squares[i];
            }
            const int bottom = n_stacked;
            for (int i = 0; i < SKX_FAN; ++i) {
                const int32_t name = sizes.first[first + i];
                if (!skx_may_hold(squares[i], name, *best)) continue;
                // The nearest on top.
                int place = n_stacked++;
                while (place > bottom && stack[place - 1].square < squares[i]) {
                    stack[place] = stack[place - 1];
                    --place;
                }
                stack[place] = {squares[i], level, (int32_t)(first + i)};
            }
        }
        do {
            if (n_stacked == 0) return;
            node = stack[--n_stacked];
        } while (!skx_may_hold(
            node.square, tree.levels[node.level].first[node.node], *best));
    }
}

// The state of the algorithm; `advance` makes some merges.
struct skx_ward_chain_t {
    int64_t n, n_dims, n_live, n_built, n_merges;
    skx_ward_tree_t tree;
    std::vector<double> sizes;       // by place; 0 where merged into another
    std::vector<double> heights;     // of the last merge
    std::vector<int32_t> locations;  // in the tree
    // Nearest neighbours, valid while the neighbour's version is the one noted.
    std::vector<skx_neighbor_t> neighbors;
    std::vector<int32_t> versions, noted;
    std::vector<int32_t> chain;
    int32_t first_live;

    // IN: rows (n, n_dims). May throw std::bad_alloc.
    void start(const double *rows, int64_t n_rows, int64_t n_columns) {
        n = n_live = n_rows;
        n_dims = n_columns;
        n_merges = 0;
        first_live = 0;
        sizes.assign(n, 1.0);
        heights.assign(n, 0.0);
        locations.assign(n, -1);
        neighbors.assign(n, {INFINITY, -1});
        versions.assign(n, 0);
        noted.assign(n, -1);
        build(rows, NULL);
    }

    void build(const double *rows, const int32_t *ids) {
        n_built = n_live;
        tree.build(rows, n_live, n_dims, ids, sizes.data());
        for (size_t place = 0; place < tree.blocks.items.size(); ++place) {
            const int32_t item = tree.blocks.items[place];
            if (item >= 0) locations[item] = (int32_t)place;
        }
    }

    void rebuild() {
        std::vector<int32_t> ids;
        ids.reserve(n_live);
        std::vector<double> rows(n_live * n_dims);
        for (const int32_t item : tree.blocks.items) {
            if (item < 0) continue;
            tree.blocks.get_point(locations[item], rows.data() + ids.size() * n_dims);
            ids.push_back(item);
        }
        build(rows.data(), ids.data());
    }

    // Finds the neighbours of all points of some leaves.
    void find_neighbors_of_leaves(int64_t first, int64_t n_leaves) {
        std::vector<double> point(n_dims);
        for (int64_t place = first * SKX_BLOCK; place < (first + n_leaves) * SKX_BLOCK;
             ++place) {
            const int32_t item = tree.blocks.items[place];
            if (item < 0) continue;
            tree.blocks.get_point(place, point.data());
            skx_find_ward_neighbor(
                tree, point.data(), sizes[item], item, &neighbors[item]);
            if (neighbors[item].item >= 0) noted[item] = versions[neighbors[item].item];
        }
    }

    bool find_all_neighbors(
        skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
        const skx_parts_t parts(tree.blocks.n_leaves, 4);
        auto find = [&](int64_t part) {
            find_neighbors_of_leaves(parts.start(part), parts.length(part));
        };
        return skx_run_tasks_while(
            parallel_for, parts.n_parts, 64, n_threads, find, goes_on);
    }

    // The neighbour of a cluster, `previous` unless another is nearer; -1 for none.
    skx_neighbor_t find_next(int32_t item, const skx_neighbor_t &previous, double *point) {
        skx_neighbor_t &known = neighbors[item];
        if (known.item < 0 || noted[item] != versions[known.item]) {
            tree.blocks.get_point(locations[item], point);
            // Below any name: as near as the previous one is not enough.
            known = {previous.square, -1};
            skx_find_ward_neighbor(tree, point, sizes[item], item, &known);
            if (known.item < 0) return previous;
            noted[item] = versions[known.item];
        }
        return known.square < previous.square ? known : previous;
    }

    int32_t find_other(int32_t item) const {
        int32_t other = first_live;
        while (other == item || sizes[other] == 0.0) ++other;
        return other;
    }

    // OUT: pair (2,), the places merged, the lower first. Returns the distance.
    double merge_next(int32_t *pair, double *buffer) {
        if (chain.empty()) {
            while (sizes[first_live] == 0.0) ++first_live;
            chain.push_back(first_live);
        }
        while (true) {
            const int32_t item = chain.back();
            const bool has_previous = chain.size() > 1;
            const int32_t last = has_previous ? chain[chain.size() - 2] : -1;
            const skx_neighbor_t previous = {
                has_previous ? neighbors[last].square : INFINITY, last};
            skx_neighbor_t next = find_next(item, previous, buffer);
            if (next.item < 0) next = {INFINITY, find_other(item)};
            if (next.item == last) break;
            neighbors[item] = next;
            noted[item] = versions[next.item];
            chain.push_back(next.item);
        }
        const int32_t a = chain.back(), b = chain[chain.size() - 2];
        const double square = neighbors[b].square;
        chain.resize(chain.size() - 2);
        pair[0] = std::min(a, b);
        pair[1] = std::max(a, b);
        merge(pair[0], pair[1], buffer);
        // By rounding alone could it be below those of its parts.
        const double height = std::max(
            {sqrt(square), heights[pair[0]], heights[pair[1]]});
        heights[pair[1]] = height;
        return height;
    }

    // Merges the cluster at a place into another: at the leaf of the larger one, from
    // which the centroid moves least.
    void merge(int32_t gone, int32_t kept, double *buffer) {
        double *one = buffer, *other = buffer + n_dims;
        const double n_gone = sizes[gone], n_kept = sizes[kept];
        int32_t from = locations[gone], to = locations[kept];
        tree.blocks.get_point(from, one);
        tree.blocks.get_point(to, other);
        const double total = n_gone + n_kept;
        for (int64_t k = 0; k < n_dims; ++k) {
            one[k] = (n_gone * one[k] + n_kept * other[k]) / total;
        }
        if (n_gone > n_kept) std::swap(from, to);
        sizes[gone] = 0.0;
        sizes[kept] = total;
        ++versions[gone];
        ++versions[kept];
        neighbors[kept] = {INFINITY, -1};
        tree.blocks.clear_point(from);
        tree.leaf_sizes[from] = 1.0;
        tree.blocks.set_point(to, kept, one);
        tree.leaf_sizes[to] = total;
        locations[kept] = to;
        tree.fit_path(to / SKX_BLOCK);
        if (from / SKX_BLOCK != to / SKX_BLOCK) tree.fit_path(from / SKX_BLOCK);
        --n_live;
        if (2 * n_live < n_built && n_built > 2 * SKX_BLOCK) rebuild();
    }

    // Makes up to n_steps merges. OUT: pairs (n_steps, 2), heights (n_steps,). Returns
    // how many were made.
    int64_t advance(int64_t n_steps, int32_t *pairs, double *out) {
        std::vector<double> buffer(2 * n_dims);
        const int64_t n_made = std::min(n_steps, n - 1 - n_merges);
        for (int64_t i = 0; i < n_made; ++i) {
            out[i] = merge_next(pairs + 2 * i, buffer.data());
        }
        n_merges += n_made;
        return n_made;
    }
};
