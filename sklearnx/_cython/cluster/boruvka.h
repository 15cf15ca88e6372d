// The minimum spanning tree of mutual reachability distances, on a k-d tree.
//
//     w(a, b) = max(core(a), core(b), d(a, b))
//
// Edges are compared by (w, d, lower row, higher row), so that no two are equal and there
// is one tree, whoever finds it. Rounds of Boruvka: every component finds the least edge
// that leaves it, all of these belong to the tree, and join components (March, Ram and
// Gray, "Fast Euclidean minimum spanning tree: algorithm, analysis, and applications", KDD
// 2010; for mutual reachability McInnes and Healy, "Accelerated hierarchical density based
// clustering", ICDMW 2017).
//
// Each point keeps what it knows of its edges to other components:
//
//     candidate   the least that it has seen
//     floor       (w, d) that all it has not seen reach: at first the end of its list of
//                 nearest neighbours, later the bound of its last search
//
// Only points whose floor is not above the least candidate of their component search the
// tree, in a round only those of the smaller components (the others find their edges once
// fewer of them are left). Those of a leaf search together, and leave out nodes that are
// too far, whose points have too large a core distance, or that are of the same component.
// A component's bound is shared between threads as it falls; what is then left out was
// never the least, so that no thread changes what is found.

#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "kd_tree.h"
#include "parallel_parts.h"

struct skx_edge_key_t {
    double weight, distance;
    int32_t low, high;

    bool operator<(const skx_edge_key_t &b) const {
        if (weight != b.weight) return weight < b.weight;
        if (distance != b.distance) return distance < b.distance;
        return low != b.low ? low < b.low : high < b.high;
    }
};

// A tree of `n` points in components, its nodes' own ones and least core distances.
template <typename Metric>
class skx_boruvka_t {
  public:
    // IN: core (n,), reduced, and the k nearest neighbours of each point: distances (n, k),
    // reduced, and neighbors (n, k), all by position.
    skx_boruvka_t(
        const skx_kd_tree_t &tree, const Metric &metric, const double *core, int k,
        const double *distances, const int32_t *neighbors, skx_parallel_t run, int n_threads)
        : tree_(tree), metric_(metric), core_(core), k_(k), distances_(distances),
          neighbors_(neighbors), run_(run), n_threads_(n_threads),
          parts_(tree.n_leaves, LEAVES_A_TASK), component_(tree.n), parent_(tree.n),
          candidate_(tree.n), floor_(tree.n), is_exact_(tree.n, 0),
          node_core_(2 * tree.n_leaves - 1), node_component_(2 * tree.n_leaves - 1),
          right_(2 * tree.n_leaves - 1), node_of_leaf_(tree.n_leaves), best_(tree.n),
          limit_(tree.n), size_(tree.n), state_(tree.n), bound_(new std::atomic<double>[tree.n]) {
        describe_nodes({0, 0, tree.n_leaves});
        for (int64_t p = 0; p < tree.n; ++p) {
            component_[p] = parent_[p] = (int32_t)p;
            const double last = distances[p * k + k - 1];
            candidate_[p] = {none(), -1};
            floor_[p] = k == tree.n ? edge_t{INF, INF} : edge_t{std::max(core[p], last), last};
        }
    }

    // Whether all was done. OUT: (n - 1,) positions of both ends, weights and distances.
    bool find(
        int32_t *from, int32_t *to, double *weights, double *lengths, int (*goes_on)()) {
        int64_t n_edges = 0;
        join_by_lists(from, to, weights, lengths, &n_edges);
        while (n_edges < tree_.n - 1) {
            name_nodes();
            auto refresh = [&](int64_t part) { refresh_candidates(part); };
            skx_run_tasks(run_, parts_.n_parts, n_threads_, refresh);
            gather_bests();
            set_limits();
            choose_components();
            auto search = [&](int64_t part) {
                for (int64_t i = 0; i < parts_.length(part); ++i) {
                    search_from_leaf(parts_.start(part) + i);
                }
            };
            if (!skx_run_tasks_while(
                    run_, parts_.n_parts, 256, n_threads_, search, goes_on)) {
                return false;
            }
            gather_bests();
            drop_unproved();
            join(from, to, weights, lengths, &n_edges);
        }
        return true;
    }

  private:
    enum { LEAVES_A_TASK = 16 };
    enum : uint8_t { KNOWN, WAITS, SEARCHES };
    static constexpr double INF = std::numeric_limits<double>::infinity();

    struct edge_t {
        double weight, distance;

        bool operator<=(const edge_t &b) const {
            return weight < b.weight || (weight == b.weight && distance <= b.distance);
        }
    };
    struct candidate_t {
        skx_edge_key_t key;
        int32_t to;  // -1: there is none
    };

    static skx_edge_key_t none() { return {INF, INF, INT32_MAX, INT32_MAX}; }

    skx_edge_key_t key_of(int64_t p, int32_t to, double distance) const {
        const int32_t a = tree_.rows[p], b = tree_.rows[to];
        const double core = std::max(core_[p], core_[to]);
        return {std::max(core, distance), distance, std::min(a, b), std::max(a, b)};
    }

    void describe_nodes(const skx_kd_node_t &at) {
        if (at.is_leaf()) {
            node_of_leaf_[at.first] = (int32_t)at.node;
            const double *core = core_ + at.first * SKX_LEAF;
            node_core_[at.node] = *std::min_element(core, core + tree_.length(at.first));
            right_[at.node] = 0;
            return;
        }
        describe_nodes(at.left());
        describe_nodes(at.right());
        right_[at.node] = (int32_t)at.right().node;
        node_core_[at.node] =
            std::min(node_core_[at.left().node], node_core_[at.right().node]);
    }

    // The component of all points of each node, -1 where they are of several.
    void name_nodes() {
        for (int64_t leaf = 0; leaf < tree_.n_leaves; ++leaf) {
            const int32_t *own = &component_[leaf * SKX_LEAF];
            int32_t name = own[0];
            for (int i = 1; i < tree_.length(leaf); ++i) {
                if (own[i] != name) name = -1;
            }
            node_component_[node_of_leaf_[leaf]] = name;
        }
        for (int64_t node = (int64_t)right_.size(); node-- > 0;) {
            if (right_[node] == 0) continue;
            const int32_t a = node_component_[node + 1], b = node_component_[right_[node]];
            node_component_[node] = a == b ? a : -1;
        }
    }

    // The least edge of a point's list that leaves its component.
    candidate_t least_of_list(int64_t p) const {
        candidate_t least = {none(), -1};
        for (int i = 0; i < k_; ++i) {
            const int32_t to = neighbors_[p * k_ + i];
            const double distance = distances_[p * k_ + i];
            if (component_[to] == component_[p]) continue;
            if (distance > least.key.weight) break;
            const skx_edge_key_t key = key_of(p, to, distance);
            if (key < least.key) least = {key, to};
        }
        return least;
    }

    void refresh_candidates(int64_t part) {
        const int64_t first = parts_.start(part) * SKX_LEAF;
        const int64_t last =
            std::min(tree_.n, first + parts_.length(part) * SKX_LEAF);
        for (int64_t p = first; p < last; ++p) {
            candidate_t &own = candidate_[p];
            if (own.to < 0 || component_[own.to] != component_[p]) continue;
            own = least_of_list(p);
            is_exact_[p] = 0;
        }
    }

    // Join points by edges that their lists of neighbours prove to be the least.
    void join_by_lists(
        int32_t *from, int32_t *to, double *weights, double *lengths, int64_t *n_edges) {
        auto look = [&](int64_t part) {
            const int64_t first = parts_.start(part) * SKX_LEAF;
            const int64_t last = std::min(tree_.n, first + parts_.length(part) * SKX_LEAF);
            for (int64_t p = first; p < last; ++p) {
                candidate_[p] = least_of_list(p);
                const skx_edge_key_t &key = candidate_[p].key;
                const bool is_least = !(floor_[p] <= edge_t{key.weight, key.distance});
                best_[p] = is_least && candidate_[p].to >= 0 ? (int32_t)p : -1;
            }
        };
        skx_run_tasks(run_, parts_.n_parts, n_threads_, look);
        join(from, to, weights, lengths, n_edges);
    }

    // The point with the least candidate of each component.
    void gather_bests() {
        for (int64_t p = 0; p < tree_.n; ++p) {
            if (component_[p] == p) best_[p] = -1;
        }
        for (int64_t p = 0; p < tree_.n; ++p) {
            if (candidate_[p].to < 0) continue;
            int32_t &best = best_[component_[p]];
            if (best < 0 || candidate_[p].key < candidate_[best].key) best = (int32_t)p;
        }
    }

    void set_limits() {
        for (int64_t c = 0; c < tree_.n; ++c) {
            if (component_[c] != c) continue;
            limit_[c] = {INF, INF};
            if (best_[c] >= 0) {
                const skx_edge_key_t &key = candidate_[best_[c]].key;
                limit_[c] = {key.weight, key.distance};
            }
            bound_[c].store(limit_[c].weight, std::memory_order_relaxed);
        }
    }

    bool has_to_search(int64_t p) const {
        return !is_exact_[p] && floor_[p] <= limit_[component_[p]];
    }

    // Which components search: of those whose least edge is not known, the smaller half.
    // The others wait until fewer of them are left, so that each point searches seldom.
    void choose_components() {
        for (int64_t c = 0; c < tree_.n; ++c) {
            if (component_[c] == c) state_[c] = KNOWN;
        }
        std::fill(size_.begin(), size_.end(), 0);
        for (int64_t p = 0; p < tree_.n; ++p) {
            ++size_[component_[p]];
            if (has_to_search(p)) state_[component_[p]] = WAITS;
        }
        std::vector<int32_t> open;
        for (int64_t c = 0; c < tree_.n; ++c) {
            if (component_[c] == c && state_[c] == WAITS) open.push_back((int32_t)c);
        }
        std::sort(open.begin(), open.end(), [&](int32_t a, int32_t b) {
            return size_[a] < size_[b] || (size_[a] == size_[b] && a < b);
        });
        for (size_t i = 0; 2 * i < open.size(); ++i) state_[open[i]] = SEARCHES;
    }

    void drop_unproved() {
        for (int64_t c = 0; c < tree_.n; ++c) {
            if (component_[c] == c && state_[c] == WAITS) best_[c] = -1;
        }
    }

    int32_t find_root(int32_t p) {
        while (parent_[p] != p) p = parent_[p] = parent_[parent_[p]];
        return p;
    }

    // Add the best edges of all components that have one.
    void join(
        int32_t *from, int32_t *to, double *weights, double *lengths, int64_t *n_edges) {
        for (int64_t c = 0; c < tree_.n; ++c) {
            if (component_[c] != c || best_[c] < 0) continue;
            const int32_t p = best_[c];
            const candidate_t &best = candidate_[p];
            const int32_t a = find_root(p), b = find_root(best.to);
            if (a == b) continue;
            parent_[std::max(a, b)] = std::min(a, b);
            from[*n_edges] = p;
            to[*n_edges] = best.to;
            weights[*n_edges] = best.key.weight;
            lengths[*n_edges] = best.key.distance;
            ++*n_edges;
        }
        for (int64_t p = 0; p < tree_.n; ++p) component_[p] = find_root((int32_t)p);
    }

    void lower_bound(int32_t component, double weight) {
        std::atomic<double> &bound = bound_[component];
        double seen = bound.load(std::memory_order_relaxed);
        while (weight < seen &&
               !bound.compare_exchange_weak(seen, weight, std::memory_order_relaxed)) {
        }
    }

    // What the points of a leaf that search look for: edges of at most `limit`.
    struct search_t {
        uint32_t active;
        edge_t limit[SKX_LEAF];
        double radius[SKX_LEAF];  // no edge longer than that is of at most `limit`
        double largest_radius, largest_weight;
        int32_t component;  // of all, -1 where they are of several
    };

    void set_limit(search_t &search, int q, int64_t p, const edge_t &limit) const {
        search.limit[q] = limit;
        // With the weight of the point's own core distance, only a shorter one is less.
        search.radius[q] =
            limit.weight == core_[p] ? std::min(limit.distance, limit.weight) : limit.weight;
    }

    void measure(search_t &search) const {
        search.largest_radius = search.largest_weight = -1.0;
        for (uint32_t bits = search.active; bits; bits &= bits - 1) {
            const int q = skx_lowest_bit(bits);
            search.largest_radius = std::max(search.largest_radius, search.radius[q]);
            search.largest_weight = std::max(search.largest_weight, search.limit[q].weight);
        }
    }

    void search_from_leaf(int64_t leaf) {
        search_t search;
        const int64_t first = leaf * SKX_LEAF;
        search.active = 0;
        search.component = -2;
        for (int q = 0; q < tree_.length(leaf); ++q) {
            const int64_t p = first + q;
            const int32_t component = component_[p];
            edge_t limit = limit_[component];
            const double shared = bound_[component].load(std::memory_order_relaxed);
            if (shared < limit.weight) limit = {shared, INF};
            search.radius[q] = -1.0;
            if (state_[component] != SEARCHES || is_exact_[p] || !(floor_[p] <= limit)) {
                continue;
            }
            search.active |= 1u << q;
            set_limit(search, q, p, limit);
            if (search.component == -2) search.component = component;
            if (search.component != component) search.component = -1;
        }
        if (search.active == 0) return;
        measure(search);
        walk(search, leaf);
        for (uint32_t bits = search.active; bits; bits &= bits - 1) {
            const int q = skx_lowest_bit(bits);
            const skx_edge_key_t &key = candidate_[first + q].key;
            floor_[first + q] = search.limit[q];
            is_exact_[first + q] = edge_t{key.weight, key.distance} <= search.limit[q];
        }
    }

    void walk(search_t &search, int64_t leaf) {
        const int64_t d = tree_.n_columns, node = node_of_leaf_[leaf];
        auto is_far = [&](const skx_kd_node_t &at, double gap) {
            return gap > search.largest_radius ||
                   node_core_[at.node] > search.largest_weight ||
                   (search.component >= 0 && node_component_[at.node] == search.component);
        };
        auto visit = [&](int64_t other, int64_t other_node) {
            scan_leaf(search, leaf, other, other_node);
        };
        skx_walk_leaves(
            tree_, metric_, tree_.lower + node * d, tree_.upper + node * d, is_far, visit);
    }

    void scan_leaf(search_t &search, int64_t leaf, int64_t other, int64_t other_node) {
        const int64_t d = tree_.n_columns, other_first = other * SKX_LEAF;
        double distances[SKX_LEAF * SKX_LEAF];
        uint32_t hits[SKX_LEAF], ends = 0;
        for (int i = 0; i < tree_.length(other); ++i) {
            const bool is_end = component_[other_first + i] != search.component &&
                                core_[other_first + i] <= search.largest_weight;
            ends |= (uint32_t)is_end << i;
        }
        if (ends == 0) return;
        const uint32_t active =
            search.active & metric_.to_box(
                                tree_.leaf(leaf), tree_.lower + other_node * d,
                                tree_.upper + other_node * d, d, search.radius);
        if (active == 0) return;
        metric_.pair(
            tree_.leaf(leaf), tree_.leaf(other), d, search.radius, active, distances, hits);
        bool is_less = false;
        for (uint32_t rest = active; rest; rest &= rest - 1) {
            const int q = skx_lowest_bit(rest);
            const int64_t p = leaf * SKX_LEAF + q;
            for (uint32_t bits = hits[q] & ends; bits; bits &= bits - 1) {
                const int i = skx_lowest_bit(bits);
                const int32_t to = (int32_t)(other_first + i);
                if (component_[to] == component_[p]) continue;
                is_less |= offer(search, q, p, to, distances[q * SKX_LEAF + i]);
            }
        }
        if (is_less) measure(search);
    }

    // Whether an edge is at most what a point looks for; it is then its candidate.
    bool offer(search_t &search, int q, int64_t p, int32_t to, double distance) {
        const skx_edge_key_t key = key_of(p, to, distance);
        const edge_t edge = {key.weight, key.distance};
        if (!(edge <= search.limit[q]) || !(key < candidate_[p].key)) return false;
        candidate_[p] = {key, to};
        set_limit(search, q, p, edge);
        lower_bound(component_[p], key.weight);
        return true;
    }

    const skx_kd_tree_t tree_;
    const Metric metric_;
    const double *core_;
    const int k_;
    const double *distances_;
    const int32_t *neighbors_;
    const skx_parallel_t run_;
    const int n_threads_;
    const skx_parts_t parts_;
    std::vector<int32_t> component_, parent_;  // the root of each point; of the forest
    std::vector<candidate_t> candidate_;
    std::vector<edge_t> floor_;
    std::vector<uint8_t> is_exact_;  // whether the candidate is the point's least edge
    std::vector<double> node_core_;
    std::vector<int32_t> node_component_, right_, node_of_leaf_;
    std::vector<int32_t> best_;   // by root: the point with the least candidate
    std::vector<edge_t> limit_;   // by root: that candidate, before the round's searches
    std::vector<int32_t> size_;   // by root
    std::vector<uint8_t> state_;  // by root
    std::unique_ptr<std::atomic<double>[]> bound_;  // by root: the least weight seen
};
