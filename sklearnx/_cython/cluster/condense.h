// The condensed tree: of a single linkage hierarchy only the clusters of a size.
//
// (Campello, Moulavi, Zimek and Sander, "Hierarchical density estimates for data
// clustering, visualization, and outlier detection", TKDD 2015, section 3.) From the root
// down, with lambda = 1 / distance: a cluster that splits into two large ones ends there;
// of one large and one small part it goes on as the large one, and the points of the
// small leave it at that lambda; with two small parts all leave.
//
//                 root 0..inf
//        lambda 0.4  |-----+ 3 points leave
//        lambda 1.1  +-----------+               two clusters of at least min_size
//                    |           |
//                  A |         B |--+ a point leaves at lambda 1.6
//
// Rows (parent, child, lambda, size) stand by levels of the hierarchy, as in
// scikit-learn, and clusters are numbered from n, the root, in the order of their births.

#pragma once

#include <limits>

#include "single_linkage.h"

struct skx_condensed_row_t {
    int64_t parent, child;
    double lambda;
    int64_t size;
};

class skx_condenser_t {
  public:
    skx_condenser_t(
        const skx_merge_t *merges, int64_t n, int64_t min_size,
        std::vector<skx_condensed_row_t> &rows)
        : merges_(merges), n_(n), min_size_(min_size), rows_(rows) {}

    void condense() {
        struct entry_t {
            int64_t node, cluster;
        };
        std::vector<entry_t> level = {{2 * n_ - 2, n_}}, next;
        int64_t n_clusters = n_ + 1;
        while (!level.empty()) {
            next.clear();
            for (const entry_t &at : level) {
                const skx_merge_t &merge = merges_[at.node - n_];
                const double lambda = merge.value > 0.0
                                          ? 1.0 / merge.value
                                          : std::numeric_limits<double>::infinity();
                const int64_t parts[2] = {merge.left, merge.right};
                const int64_t sizes[2] = {size_of(merge.left), size_of(merge.right)};
                const bool splits = sizes[0] >= min_size_ && sizes[1] >= min_size_;
                for (int side = 0; side < 2; ++side) {
                    if (splits) {
                        rows_.push_back({at.cluster, n_clusters, lambda, sizes[side]});
                        next.push_back({parts[side], n_clusters++});
                    } else if (sizes[side] >= min_size_) {
                        next.push_back({parts[side], at.cluster});
                    } else {
                        leave(parts[side], at.cluster, lambda);
                    }
                }
            }
            level.swap(next);
        }
    }

  private:
    int64_t size_of(int64_t node) const { return node < n_ ? 1 : merges_[node - n_].size; }

    // All points below a node leave a cluster, those of higher levels first.
    void leave(int64_t node, int64_t cluster, double lambda) {
        waiting_.assign(1, node);
        for (size_t i = 0; i < waiting_.size(); ++i) {
            const int64_t at = waiting_[i];
            if (at < n_) {
                rows_.push_back({cluster, at, lambda, 1});
            } else {
                waiting_.push_back(merges_[at - n_].left);
                waiting_.push_back(merges_[at - n_].right);
            }
        }
    }

    const skx_merge_t *merges_;
    const int64_t n_, min_size_;
    std::vector<skx_condensed_row_t> &rows_;
    std::vector<int64_t> waiting_;
};

static void skx_condense(
    const skx_merge_t *merges, int64_t n, int64_t min_size,
    std::vector<skx_condensed_row_t> &rows) {
    rows.clear();
    rows.reserve(n + n / 8);
    skx_condenser_t(merges, n, min_size, rows).condense();
}
