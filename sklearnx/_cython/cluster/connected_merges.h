// Hierarchies whose merges follow the edges of a graph: a queue of edges by weight.
//
// Two clusters may be merged if an edge of the graph leads from one to the other. A merge
// gives the new cluster the edges of both, and the queue their new weights; the edges of
// what was merged stay in the queue, and are passed over when their turn comes.

#pragma once

#include <stdint.h>

#include <algorithm>
#include <vector>

#include "skx_math.h"

struct skx_edge_t {
    double weight;
    int32_t a, b;
};

// A graph in rows, the neighbours of each node in ascending order.
struct skx_graph_t {
    int64_t n_nodes;
    const int32_t *starts, *neighbors;
};

// -------------------------------------------------------------------------------- Ward
//
// The weight of an edge is the growth of the sum of squares, n_A n_B / (n_A + n_B)
// |c_A - c_B|^2; c is the sum of the points over their number. Edges of one weight follow
// each other by their nodes, a and then b.

struct skx_ward_merges_t {
    int64_t n_dims, n_nodes;
    std::vector<double> sizes, sums, means;
    std::vector<int32_t> heads;     // a node above each, or itself
    std::vector<int32_t> visited;   // by which merge
    std::vector<uint8_t> is_merged;
    std::vector<std::vector<int32_t>> neighbors;
    std::vector<skx_edge_t> queue;

    static bool comes_later(const skx_edge_t &one, const skx_edge_t &other) {
        if (one.weight != other.weight) return one.weight > other.weight;
        return one.a != other.a ? one.a > other.a : one.b > other.b;
    }

    double weigh(int32_t a, int32_t b) const {
        const double n = sizes[a] * sizes[b] / (sizes[a] + sizes[b]);
        const double *one = means.data() + a * n_dims, *other = means.data() + b * n_dims;
        double sum = 0.0;
        for (int64_t k = 0; k < n_dims; ++k) {
            const double gap = one[k] - other[k];
            sum += gap * gap;
        }
        return sum * n;
    }

    void set_means(int64_t node) {
        for (int64_t k = node * n_dims; k < (node + 1) * n_dims; ++k) {
            means[k] = sums[k] / sizes[node];
        }
    }

    // IN: rows (n, n_dims). `n_merges` may be less than n - 1.
    void start(
        const skx_graph_t &graph, const double *rows, int64_t width, int64_t n_merges) {
        const int64_t n = graph.n_nodes;
        n_dims = width;
        n_nodes = n;
        const int64_t n_all = n + n_merges;
        sizes.assign(n_all, 1.0);
        sums.assign(rows, rows + n * n_dims);
        sums.resize(n_all * n_dims);
        means.resize(n_all * n_dims);
        heads.resize(n_all);
        visited.assign(n_all, -1);
        is_merged.assign(n_all, 0);
        neighbors.resize(n_all);
        for (int64_t i = 0; i < n_all; ++i) heads[i] = (int32_t)i;
        for (int64_t i = 0; i < n; ++i) {
            set_means(i);
            neighbors[i].assign(
                graph.neighbors + graph.starts[i], graph.neighbors + graph.starts[i + 1]);
            for (const int32_t j : neighbors[i]) {
                if (j < i) queue.push_back({weigh((int32_t)i, j), (int32_t)i, j});
            }
        }
        std::make_heap(queue.begin(), queue.end(), comes_later);
    }

    int32_t find_head(int32_t node) {
        while (heads[node] != node) {
            heads[node] = heads[heads[node]];
            node = heads[node];
        }
        return node;
    }

    // The clusters that those in a list are in now, each once. Appends to `out`.
    void collect_heads(
        const std::vector<int32_t> &list, int32_t merge, std::vector<int32_t> *out) {
        for (const int32_t node : list) {
            const int32_t head = find_head(node);
            if (visited[head] == merge) continue;
            visited[head] = merge;
            out->push_back(head);
        }
    }

    // OUT: pair (2,). Whether there was an edge left.
    bool merge_next(int32_t *pair, double *weight) {
        skx_edge_t edge;
        do {
            if (queue.empty()) return false;
            std::pop_heap(queue.begin(), queue.end(), comes_later);
            edge = queue.back();
            queue.pop_back();
        } while (is_merged[edge.a] || is_merged[edge.b]);
        const int32_t node = (int32_t)n_nodes++;
        pair[0] = edge.a;
        pair[1] = edge.b;
        *weight = edge.weight;
        is_merged[edge.a] = is_merged[edge.b] = 1;
        heads[edge.a] = heads[edge.b] = node;
        sizes[node] = sizes[edge.a] + sizes[edge.b];
        for (int64_t k = 0; k < n_dims; ++k) {
            sums[node * n_dims + k] = sums[edge.a * n_dims + k] + sums[edge.b * n_dims + k];
        }
        set_means(node);
        visited[node] = node;
        std::vector<int32_t> around;
        collect_heads(neighbors[edge.a], node, &around);
        collect_heads(neighbors[edge.b], node, &around);
        std::vector<int32_t>().swap(neighbors[edge.a]);
        std::vector<int32_t>().swap(neighbors[edge.b]);
        for (const int32_t other : around) {
            neighbors[other].push_back(node);
            queue.push_back({weigh(node, other), node, other});
            std::push_heap(queue.begin(), queue.end(), comes_later);
        }
        neighbors[node].swap(around);
        return true;
    }

    int64_t advance(int64_t n_steps, int32_t *pairs, double *weights) {
        for (int64_t i = 0; i < n_steps; ++i) {
            if (!merge_next(pairs + 2 * i, weights + i)) return i;
        }
        return n_steps;
    }
};

// ---------------------------------------------------------------- complete and average
//
// Edges of one weight come in the order in which a binary heap happens to have them, that
// of scikit-learn: as there, the last edge goes down from the root along the lower of the
// children (the right one of equals) to a leaf, and then up to its place (D. E. Knuth,
// "The Art of Computer Programming" 3, section 5.2.3, exercise 18).

struct skx_edge_heap_t {
    std::vector<skx_edge_t> edges;

    void lift(size_t first, size_t place) {
        const skx_edge_t edge = edges[place];
        while (place > first) {
            const size_t above = (place - 1) / 2;
            if (!(edge.weight < edges[above].weight)) break;
            edges[place] = edges[above];
            place = above;
        }
        edges[place] = edge;
    }

    void sink(size_t first) {
        const size_t n = edges.size();
        const skx_edge_t edge = edges[first];
        size_t place = first;
        for (size_t child = 2 * place + 1; child < n; child = 2 * place + 1) {
            if (child + 1 < n && !(edges[child].weight < edges[child + 1].weight)) ++child;
            edges[place] = edges[child];
            place = child;
        }
        edges[place] = edge;
        lift(first, place);
    }

    void build() {
        for (size_t i = edges.size() / 2; i-- > 0;) sink(i);
    }

    void push(const skx_edge_t &edge) {
        edges.push_back(edge);
        lift(0, edges.size() - 1);
    }

    skx_edge_t pop() {
        const skx_edge_t last = edges.back();
        edges.pop_back();
        if (edges.empty()) return last;
        const skx_edge_t first = edges[0];
        edges[0] = last;
        sink(0);
        return first;
    }
};

struct skx_link_t {
    int32_t node;
    double weight;
};

struct skx_linkage_merges_t {
    int64_t n_nodes;
    bool is_average;
    std::vector<double> sizes;                   // 0 once merged
    std::vector<std::vector<skx_link_t>> links;  // ascending, some to what is merged
    skx_edge_heap_t queue;

    // IN: weights, one a neighbour of the graph.
    void start(
        const skx_graph_t &graph, const double *weights, bool with_average,
        int64_t n_merges) {
        const int64_t n = graph.n_nodes;
        n_nodes = n;
        is_average = with_average;
        sizes.assign(n + n_merges, 1.0);
        links.resize(n + n_merges);
        for (int64_t i = 0; i < n; ++i) {
            for (int32_t place = graph.starts[i]; place < graph.starts[i + 1]; ++place) {
                const int32_t j = graph.neighbors[place];
                links[i].push_back({j, weights[place]});
                if (j < i) queue.edges.push_back({weights[place], (int32_t)i, j});
            }
        }
        queue.build();
    }

    std::vector<skx_link_t> join(
        const std::vector<skx_link_t> &one, const std::vector<skx_link_t> &other,
        double n_one, double n_other) const {
        std::vector<skx_link_t> joined;
        size_t i = 0, j = 0;
        while (i < one.size() || j < other.size()) {
            skx_link_t link;
            if (j == other.size() || (i < one.size() && one[i].node < other[j].node)) {
                link = one[i++];
            } else if (i == one.size() || other[j].node < one[i].node) {
                link = other[j++];
            } else {
                const double a = one[i++].weight, b = other[j].weight;
                link.node = other[j++].node;
                link.weight = is_average ? (n_one * a + n_other * b) / (n_one + n_other)
                                         : std::max(a, b);
            }
            if (sizes[link.node] > 0.0) joined.push_back(link);
        }
        return joined;
    }

    // OUT: pair (2,). Whether there was an edge left.
    bool merge_next(int32_t *pair, double *weight) {
        skx_edge_t edge;
        do {
            if (queue.edges.empty()) return false;
            edge = queue.pop();
        } while (sizes[edge.a] == 0.0 || sizes[edge.b] == 0.0);
        const int32_t node = (int32_t)n_nodes++;
        pair[0] = edge.a;
        pair[1] = edge.b;
        *weight = edge.weight;
        const double n_a = sizes[edge.a], n_b = sizes[edge.b];
        sizes[node] = n_a + n_b;
        sizes[edge.a] = sizes[edge.b] = 0.0;
        links[node] = join(links[edge.a], links[edge.b], n_a, n_b);
        std::vector<skx_link_t>().swap(links[edge.a]);
        std::vector<skx_link_t>().swap(links[edge.b]);
        for (const skx_link_t &link : links[node]) {
            links[link.node].push_back({node, link.weight});
            queue.push({link.weight, node, link.node});
        }
        return true;
    }

    int64_t advance(int64_t n_steps, int32_t *pairs, double *weights) {
        for (int64_t i = 0; i < n_steps; ++i) {
            if (!merge_next(pairs + 2 * i, weights + i)) return i;
        }
        return n_steps;
    }
};
