"""The features that a tree and its nodes may be split on: drawn, of open groups."""

from libc.math cimport ceil
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset
from libcpp.algorithm cimport nth_element

cdef extern from "random.h" nogil:
    uint64_t skx_random(
        uint64_t seed, uint64_t purpose, uint64_t tree, uint64_t node, uint64_t item
    )
    double skx_uniform(uint64_t bits)
    uint64_t SKX_FEATURES_OF_NODE
    uint64_t SKX_FEATURES_OF_TREE
    uint64_t SKX_DERIVED_OF_TREE

cdef extern from "skx_math.h" nogil:
    double skx_log1p(double x)
    uint64_t skx_bits(double x)


cdef void start_features(feature_rules_t* rules, uint64_t tree_idx) noexcept nogil:
    """Begin a tree: draw its features."""
    cdef uint8_t* drawn = rules.tree_features
    rules.tree_idx = tree_idx
    memset(drawn, 1, rules.n_features)
    if rules.n_derived > 0 and rules.derived_share < 1:
        _draw(
            rules,
            rules.derived_share,
            SKX_DERIVED_OF_TREE,
            0,
            rules.n_features - rules.n_derived,
            drawn,
        )
    if rules.colsample_bytree < 1:
        _draw(rules, rules.colsample_bytree, SKX_FEATURES_OF_TREE, 0, 0, drawn)


cdef void open_features(
    const feature_rules_t* rules, const uint8_t* node_groups, uint8_t* allowed
) noexcept nogil:
    """Mark the features of the tree that a node's groups leave open.

    IN: node_groups (n_groups,). OUT: allowed (n_features,).
    """
    cdef:
        int feature, group
        const uint8_t* group_features
    if rules.n_groups == 0:
        memcpy(allowed, rules.tree_features, rules.n_features)
        return
    memset(allowed, 0, rules.n_features)
    for group in range(rules.n_groups):
        if node_groups[group]:
            group_features = rules.groups + <int64_t> group * rules.n_features
            for feature in range(rules.n_features):
                allowed[feature] |= group_features[feature]
    for feature in range(rules.n_features):
        allowed[feature] &= rules.tree_features[feature]


cdef bint is_open(
    const feature_rules_t* rules, const uint8_t* node_groups, int feature
) noexcept nogil:
    """Return whether a node's groups leave a feature of the tree open.

    IN: node_groups (n_groups,).
    """
    cdef int group
    if not rules.tree_features[feature]:
        return False
    for group in range(rules.n_groups):
        if (
            node_groups[group]
            and rules.groups[<int64_t> group * rules.n_features + feature]
        ):
            return True
    return rules.n_groups == 0


cdef void draw_features(
    const feature_rules_t* rules, uint64_t key, uint8_t* allowed
) noexcept nogil:
    """Keep those of the allowed features that are drawn for a node, or for a level.

    `key` is its number in the tree. INOUT: allowed (n_features,).
    """
    if rules.max_features < 1:
        _draw(rules, rules.max_features, SKX_FEATURES_OF_NODE, key, 0, allowed)


cdef void close_groups(
    const feature_rules_t* rules,
    const uint8_t* node_groups,
    int feature,
    uint8_t* child_groups,
) noexcept nogil:
    """Close the interaction groups that lack the feature a node is split on.

    IN: node_groups. OUT: child_groups (n_groups,).
    """
    cdef int group
    for group in range(rules.n_groups):
        child_groups[group] = (
            node_groups[group]
            and rules.groups[<int64_t> group * rules.n_features + feature]
        )


cdef inline uint64_t _draw_key(
    const feature_rules_t* rules, uint64_t purpose, uint64_t node_idx, int feature
) noexcept nogil:
    """Return a random key; the features with the smallest ones are drawn.

    With weights it holds the bits of -log(u) / weight, which are ordered as the numbers
    are: weighted sampling without replacement (Efraimidis and Spirakis, "Weighted
    random sampling with a reservoir", 2006, algorithm A-ES, which draws the largest
    u^(1 / weight)).
    """
    cdef uint64_t key = skx_random(
        rules.seed, purpose, rules.tree_idx, node_idx, feature
    )
    if rules.weights == NULL:
        return key
    return skx_bits(-skx_log1p(-skx_uniform(key)) / rules.weights[feature])


cdef void _draw(
    const feature_rules_t* rules,
    double share,
    uint64_t purpose,
    uint64_t node_idx,
    int first,
    uint8_t* allowed,
) noexcept nogil:
    """Keep a share of the allowed features from `first` on, none of weight 0."""
    cdef:
        int feature, n_allowed = 0, n_keys = 0, n_drawn
        uint64_t largest
    for feature in range(first, rules.n_features):
        if not allowed[feature]:
            continue
        n_allowed += 1
        if rules.weights != NULL and rules.weights[feature] == 0:
            allowed[feature] = 0
            continue
        rules.keys[n_keys] = _draw_key(rules, purpose, node_idx, feature)
        n_keys += 1
    n_drawn = max(1, <int> ceil(share * n_allowed))
    if n_drawn >= n_keys:
        return
    nth_element(rules.keys, rules.keys + n_drawn - 1, rules.keys + n_keys)
    largest = rules.keys[n_drawn - 1]
    for feature in range(first, rules.n_features):
        if allowed[feature] and largest < _draw_key(rules, purpose, node_idx, feature):
            allowed[feature] = 0
