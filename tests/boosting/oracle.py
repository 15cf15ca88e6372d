"""A second opinion on every kernel of boosting: the same results, slowly, in NumPy.

Integers must be equal. So must gains, values and thresholds, which the kernels compute
in double by the same formulas in the same order.
"""

import math
from collections import namedtuple
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sklearnx._cython.common import elementary

MIN_LEVEL_SUPPORT = 10
N_FREE_LEVELS = 6
LEVEL_PENALTY = 0.2
ROUNDING = 1e-14
FEATURES_OF_NODE = 1
FEATURES_OF_TREE = 2
ROWS_OF_ROUND = 3

# ---- random numbers ------------------------------------------------------------------


def mix(x):
    """Return the finaliser of SplitMix64."""
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def draw(seed, purpose, tree, node, item):
    """Return 64 random bits, a function of the keys alone."""
    return mix(mix(mix(mix(seed ^ (purpose << 56)) ^ tree) ^ node) ^ item)


def to_uniform(bits):
    """Return the middle of one of 2^53 intervals between 0 and 1."""
    return ((bits >> 11) + 0.5) * 2.0**-53


# ---- sampling ------------------------------------------------------------------------


def draw_keys(seed, iteration, n_rows):
    """Return the random keys of the rows in a round."""
    return [draw(seed, ROWS_OF_ROUND, iteration, 0, row) for row in range(n_rows)]


def find_smallest(keys, n_drawn):
    """Return the rows with the smallest keys, ascending."""
    return sorted(sorted(range(len(keys)), key=lambda row: keys[row])[:n_drawn])


def find_mvs_threshold(norms, n_drawn):
    """Return mu with sum(min(1, norm / mu)) = n_drawn, as an exact fraction."""
    norms = sorted(map(Fraction, norms), reverse=True)
    for n_certain in range(n_drawn):
        mu = sum(norms[n_certain:]) / (n_drawn - n_certain)
        if norms[n_certain] <= mu:
            return mu
    return Fraction(0)


# ---- binning -------------------------------------------------------------------------


def map_values(values, thresholds):
    """Return the number of inner edges below each value; NaN gets the last code."""
    values = np.asarray(values, dtype=np.float64)
    codes = (np.asarray(thresholds)[np.newaxis, :] < values[:, np.newaxis]).sum(axis=1)
    return np.where(np.isnan(values), len(thresholds) + 1, codes)


# ---- fixed point ---------------------------------------------------------------------

Fixed = namedtuple(
    "Fixed",
    "gradients hessians leaf_gradients leaf_hessians units weights weight_unit",
)


def quantize(gradients, hessians=None, weights=None):
    """Return fixed-point gradients and hessians; see quantization.pyx for the rules."""
    n_rows = len(gradients)
    is_constant = hessians is None
    hessians = np.ones(n_rows) if is_constant else hessians
    is_integer = weights is None or (
        np.array_equal(weights, np.floor(weights)) and weights.sum() < 2**32
    )
    repeats = np.ones(n_rows) if weights is None else weights
    factor = (repeats > 0).astype(float) if is_integer else repeats
    repeats = repeats.astype(np.int64) if is_integer else np.ones(n_rows, np.int64)
    n_terms = int(repeats.sum()) if is_integer else n_rows
    n_bits = min(38, 62 - math.ceil(math.log2(n_terms)))

    def to_integers(values, scale):
        return repeats * np.rint(values * factor * scale).astype(np.int64)

    def find_scale(values):
        largest = np.abs(values * factor).max()
        return 2.0 ** min(n_bits - math.frexp(largest)[1], 1000) if largest else 1.0

    gradient_scale = find_scale(gradients)
    hessian_scale = 1.0 if is_constant and is_integer else find_scale(hessians)
    leaf_gradients = to_integers(gradients, gradient_scale)
    leaf_hessians = to_integers(hessians, hessian_scale)
    leaf_units = 1 / gradient_scale, 1 / hessian_scale
    weight_scale = 1.0 if is_integer else find_scale(np.ones(n_rows))
    fixed_weights = to_integers(np.ones(n_rows), weight_scale)
    weight_unit = 1.0 if is_integer else n_rows / int(fixed_weights.sum())
    shifts = n_bits - 11, 0 if is_constant else n_bits - 12
    is_narrow = (
        is_integer
        and n_terms >= 2**13
        and int(np.abs(leaf_gradients).sum()) >= 16 * n_terms * 2 ** shifts[0]
        and (is_constant or int(leaf_hessians.sum()) >= 16 * n_terms * 2 ** shifts[1])
    )
    if not is_narrow:
        fine = leaf_gradients, leaf_hessians
        return Fixed(*fine, *fine, leaf_units * 2, fixed_weights, weight_unit)

    def narrow(sums, shift, largest):
        once = sums // np.maximum(repeats, 1)
        rounded = (once + (1 << shift >> 1)) >> shift
        return repeats * np.clip(rounded, -largest, largest)

    return Fixed(
        narrow(leaf_gradients, shifts[0], 2**11 - 1),
        narrow(leaf_hessians, shifts[1], 2**12 - 1),
        leaf_gradients,
        leaf_hessians,
        (leaf_units[0] * 2 ** shifts[0], leaf_units[1] * 2 ** shifts[1], *leaf_units),
        fixed_weights,
        weight_unit,
    )


# ---- histograms ----------------------------------------------------------------------


def build_histogram(codes, n_bins, fixed, rows):
    """Return sums of gradients, hessians, counts, (n_bins + 1, 3) a feature."""
    histograms = []
    for feature, n in enumerate(n_bins):
        histogram = np.zeros((n + 1, 3), dtype=np.int64)
        in_bins = codes[rows, feature]
        np.add.at(histogram[:, 0], in_bins, fixed.gradients[rows])
        np.add.at(histogram[:, 1], in_bins, fixed.hessians[rows])
        np.add.at(histogram[:, 2], in_bins, 1)
        histograms.append(histogram)
    return histograms


# ---- splits --------------------------------------------------------------------------


@dataclass
class Criterion:
    """What makes a split good and allowed."""

    gradient_unit: float = 1.0
    hessian_unit: float = 1.0
    l2_regularization: float = 0.0
    min_samples_leaf: int = 1
    min_hessian: float = 1e-3
    monotonic_cst: np.ndarray | None = None

    def compute_value(self, sums, bounds):
        """Return the value that minimises the loss of a node, within its bounds."""
        gradient = int(sums[0]) * self.gradient_unit
        curvature = int(sums[1]) * self.hessian_unit + self.l2_regularization
        return self.clip(-gradient / curvature if curvature > 0 else 0.0, bounds)

    @staticmethod
    def clip(value, bounds):
        """Return the value held to its bounds."""
        return min(max(value, bounds[0]), bounds[1])

    def compute_gain(self, left, node, bounds, cst, penalty=0.0):
        """Return the gain of a split, 0 if it is not allowed."""
        right = node - left
        if min(left[2], right[2]) < self.min_samples_leaf:
            return 0.0
        if min(int(left[1]), int(right[1])) * self.hessian_unit < self.min_hessian:
            return 0.0
        l2 = self.l2_regularization + penalty
        curvatures = [int(child[1]) * self.hessian_unit + l2 for child in (left, right)]
        gradients = [int(child[0]) * self.gradient_unit for child in (left, right)]
        gradient = int(node[0]) * self.gradient_unit
        curvature = int(node[1]) * self.hessian_unit + self.l2_regularization
        total = curvatures[0] + curvatures[1]
        crosses = gradients[0] * curvatures[1], gradients[1] * curvatures[0]
        cross = crosses[0] - crosses[1]
        gain = cross * cross / (curvatures[0] * curvatures[1] * total)
        noise = 0.0
        if l2 > 0:
            gain -= gradient * gradient / curvature * (l2 + penalty) / total
        if self.monotonic_cst is not None:
            pairs = [*zip(gradients, curvatures, strict=True), (gradient, curvature)]
            bounded = [self.clip(-g / c, bounds) for g, c in pairs]
            if cst * (bounded[1] - bounded[0]) < 0:
                return 0.0
            left, right, before = (
                c * (moved - -g / c) * (moved - -g / c)
                for (g, c), moved in zip(pairs, bounded, strict=True)
            )
            gain += before - (left + right)
            noise = ROUNDING * (before + (left + right))
        if abs(cross) <= ROUNDING * (abs(crosses[0]) + abs(crosses[1])):
            return 0.0
        return gain if noise < gain < math.inf else 0.0


@dataclass
class Split:
    """The best split of a node."""

    gain: float
    feature: int
    goes_left: np.ndarray  # by code, missing last
    bin: int  # -1: categorical
    left: np.ndarray  # sums
    has_missing: bool


def find_split(histogram, feature, is_categorical, criterion, bounds, sum_weights=None):
    """Return the best split on a feature, or None.

    Of equal gains the first wins: the lower bin, then missing values on the right; of
    categories the shorter prefix of the sorted levels, then the shorter suffix.
    `sum_weights` is that of the node's rows, their number if None.
    """
    node = histogram.sum(axis=0)
    n_bins = len(histogram) - 1
    has_missing = bool(histogram[n_bins, 2] > 0)
    if is_categorical:
        sum_weights = node[2] if sum_weights is None else sum_weights
        levels = _sort_levels(histogram, node, criterion, sum_weights)
        half = range(1, (len(levels) + 1) // 2 + 1)
        candidates = [levels[:n] for n in half] + [levels[-n:] for n in half]
        penalty = LEVEL_PENALTY * max(len(levels) - N_FREE_LEVELS, 0)
        cst = 0
    else:
        # The codes on the left; those of an empty last bin were tried without it.
        candidates = [
            [*range(last + 1), *missing]
            for last in range(n_bins)
            if histogram[last, 2] > 0
            for missing in ([], [n_bins])
            if has_missing or not missing
        ]
        cst, penalty = 0, 0.0
        if criterion.monotonic_cst is not None:
            cst = int(criterion.monotonic_cst[feature])
    best = None
    for codes in candidates:
        left = histogram[codes].sum(axis=0)
        gain = criterion.compute_gain(left, node, bounds, cst, penalty)
        if gain > (best.gain if best else 0):
            goes_left = np.zeros(n_bins + 1, dtype=np.uint8)
            goes_left[codes] = 1
            last = -1 if is_categorical else max(c for c in codes if c < n_bins)
            best = Split(gain, feature, goes_left, last, left, has_missing)
    return best


def _sort_levels(histogram, node, criterion, sum_weights):
    """Return the levels with enough support, sorted by their smoothed value."""
    unit = sum_weights / int(node[1]) if node[1] > 0 else 0.0
    keys = [
        (
            int(gradient)
            * criterion.gradient_unit
            / (int(hessian) * criterion.hessian_unit + MIN_LEVEL_SUPPORT),
            level,
        )
        for level, (gradient, hessian, count) in enumerate(histogram)
        if count > 0 and int(hessian) * unit >= MIN_LEVEL_SUPPORT
    ]
    return [level for _, level in sorted(keys)]


# ---- trees ---------------------------------------------------------------------------


@dataclass
class Node:
    """A node of a tree that grows."""

    rows: np.ndarray
    sums: np.ndarray
    sum_weights: int  # in fixed point
    depth: int = 0
    value: float = 0.0
    bounds: tuple = (-math.inf, math.inf)
    groups: list | None = None
    split: Split | None = None
    left: int = -1


def grow(
    codes,
    n_bins,
    is_categorical,
    fixed,
    *,
    rows=None,
    max_leaf_nodes=31,
    max_depth=0,
    min_samples_leaf=20,
    l2_regularization=0.0,
    max_features=1.0,
    colsample_bytree=1.0,
    feature_weights=None,
    monotonic_cst=None,
    interaction_groups=None,
    seed=0,
    tree_idx=0,
):
    """Return the nodes of a tree, grown leaf-wise; the arguments are `TreeGrower`'s."""
    n_features = len(n_bins)
    if monotonic_cst is not None and not np.any(monotonic_cst):
        monotonic_cst = None
    criterion = Criterion(
        fixed.units[0],
        fixed.units[1],
        l2_regularization,
        min_samples_leaf,
        monotonic_cst=monotonic_cst,
    )

    def make_node(rows, **known):
        columns = (fixed.gradients, fixed.hessians, np.ones(len(codes), np.int64))
        sums = np.array([column[rows].sum() for column in columns])
        return Node(rows, sums, int(fixed.weights[rows].sum()), **known)

    def draw_features(features, share, *keys):
        bits = {f: draw(seed, *keys, f) for f in features}
        n_drawn = max(1, math.ceil(share * len(features)))
        if feature_weights is not None:
            features = [f for f in features if feature_weights[f] > 0]
            bits = {f: _weigh(bits[f], feature_weights[f]) for f in features}
        return sorted(sorted(features, key=bits.get)[:n_drawn])

    tree_features = list(range(n_features))
    if colsample_bytree < 1:
        tree_features = draw_features(
            tree_features, colsample_bytree, FEATURES_OF_TREE, tree_idx, 0
        )

    def list_features(node_idx, node):
        features = tree_features
        if interaction_groups is not None:
            is_open = np.any([interaction_groups[g] for g in node.groups], axis=0)
            features = [f for f in features if is_open[f]]
        if max_features < 1:
            features = draw_features(
                features, max_features, FEATURES_OF_NODE, tree_idx, node_idx
            )
        return features

    def search(node_idx):
        node = nodes[node_idx]
        if (
            (max_depth and node.depth >= max_depth)
            or node.sums[2] < 2 * min_samples_leaf
            or int(node.sums[1]) * criterion.hessian_unit < 2 * criterion.min_hessian
        ):
            return
        histogram = build_histogram(codes, n_bins, fixed, node.rows)
        for feature in list_features(node_idx, node):
            split = find_split(
                histogram[feature],
                feature,
                is_categorical[feature],
                criterion,
                node.bounds,
                node.sum_weights * fixed.weight_unit,
            )
            if split and split.gain > (node.split.gain if node.split else 0):
                node.split = split

    n_groups = 0 if interaction_groups is None else len(interaction_groups)
    all_rows = np.arange(len(codes)) if rows is None else np.asarray(rows)
    nodes = [make_node(all_rows, groups=list(range(n_groups)))]
    search(0)
    n_leaves = 1
    while not max_leaf_nodes or n_leaves < max_leaf_nodes:
        waiting = [i for i, node in enumerate(nodes) if node.split and node.left < 0]
        if not waiting:
            break
        node = nodes[max(waiting, key=lambda i: (nodes[i].split.gain, -i))]
        split = node.split
        goes_left = split.goes_left[codes[node.rows, split.feature]].astype(bool)
        groups = node.groups
        if n_groups:
            groups = [g for g in groups if interaction_groups[g][split.feature]]
        left = make_node(node.rows[goes_left], depth=node.depth + 1, groups=groups)
        right = make_node(node.rows[~goes_left], depth=node.depth + 1, groups=groups)
        left.value = criterion.compute_value(left.sums, node.bounds)
        right.value = criterion.compute_value(right.sums, node.bounds)
        _set_bounds(node, left, right, monotonic_cst)
        if not split.has_missing:
            split.goes_left[-1] = left.sum_weights > right.sum_weights
        node.left = len(nodes)
        nodes += [left, right]
        n_leaves += 1
        search(node.left)
        search(node.left + 1)

    fine = Criterion(*fixed.units[2:], l2_regularization)
    for node in nodes:
        if node.left < 0:
            columns = (fixed.leaf_gradients, fixed.leaf_hessians)
            sums = [column[node.rows].sum() for column in columns]
            node.value = fine.compute_value(sums, node.bounds)
    if len(nodes) == 1:
        nodes[0].value = 0.0  # it found nothing to say
    return nodes


def _weigh(bits, weight):
    """Return -log(1 - u) / weight of a uniform number u."""
    log = np.empty(1)
    elementary.map_log1p(np.array([-to_uniform(bits)]), log)
    return -log[0] / weight


def _set_bounds(node, left, right, monotonic_cst):
    """Keep what grows below on its side of the middle of the children's values."""
    cst = 0 if monotonic_cst is None else monotonic_cst[node.split.feature]
    middle = (left.value + right.value) / 2
    lower, upper = node.bounds
    left.bounds = right.bounds = node.bounds
    if cst > 0:
        left.bounds, right.bounds = (lower, middle), (middle, upper)
    elif cst < 0:
        left.bounds, right.bounds = (middle, upper), (lower, middle)


# ---- prediction ----------------------------------------------------------------------


def find_leaf(nodes, bitsets, x):
    """Return the leaf of NODE_DTYPE nodes that a row of values reaches."""
    i = 0
    while nodes[i]["feature"] >= 0:
        node, value = nodes[i], float(x[nodes[i]["feature"]])
        if math.isnan(value):
            goes_left = bool(node["missing_left"])
        elif node["bitset"] >= 0:
            word, bit = divmod(int(value), 32)
            goes_left = bool(int(bitsets[node["bitset"] + word]) >> bit & 1)
        else:
            goes_left = value <= node["value"]
        i = int(node["left"]) + (not goes_left)
    return i
