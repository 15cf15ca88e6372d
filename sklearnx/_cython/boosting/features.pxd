from libc.stdint cimport uint8_t, uint64_t


# Which features a tree and its nodes may be split on.
cdef struct feature_rules_t:
    int n_features
    int n_derived  # the last of them
    double derived_share  # drawn of these for a tree, before others are drawn
    double colsample_bytree, max_features  # shares drawn for a tree and a node
    const double* weights  # of a draw; NULL: all alike
    uint64_t seed
    uint64_t tree_idx
    uint8_t* tree_features  # drawn for the tree that grows
    uint64_t* keys  # room for one of each feature
    # Features that may meet on a path: masks of shape (n_groups, n_features).
    int n_groups
    const uint8_t* groups


cdef void start_features(feature_rules_t* rules, uint64_t tree_idx) noexcept nogil

cdef void open_features(
    const feature_rules_t* rules, const uint8_t* node_groups, uint8_t* allowed
) noexcept nogil

cdef bint is_open(
    const feature_rules_t* rules, const uint8_t* node_groups, int feature
) noexcept nogil

cdef void draw_features(
    const feature_rules_t* rules, uint64_t key, uint8_t* allowed
) noexcept nogil

cdef void close_groups(
    const feature_rules_t* rules,
    const uint8_t* node_groups,
    int feature,
    uint8_t* child_groups,
) noexcept nogil
