"""A second opinion on every kernel of boosting: the same results, slowly, in NumPy.

Integers must be equal. So must gains, values and thresholds, which the kernels compute
in double by the same formulas in the same order.
"""

import math
from collections import namedtuple
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from sklearnx._cython.common import elementary

MIN_LEVEL_SUPPORT = 10
ROUNDING = 1e-14
FEATURES_OF_NODE = 1
FEATURES_OF_TREE = 2
DERIVED_OF_TREE = 8
ROWS_OF_ROUND = 3
CUT_OF_NODE = 6

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


def find_thresholds(values, weights, max_bins, min_weight=0):
    """Find the inner edges of the bins of a numeric feature.

    Parameters
    ----------
    values : float array of shape (n_rows,)
        NaN is missing.
    weights : float64 array of shape (n_rows,) or None
        Positive.
    max_bins : int
    min_weight : float, default=0
        Of bins beside a value that weighs more than all others.

    Returns
    -------
    thresholds : float64 array
        Ascending, finite, fewer than `max_bins`. Midpoints of neighbouring values if
        they are few, else quantiles (averaged inverted distribution function), which a
        row of weight 2 moves exactly as the row twice does.
    """
    missing = np.isnan(values)
    if missing.any():
        values = values[~missing]
        weights = None if weights is None else weights[~missing]
    if len(values) == 0:
        return np.empty(0)
    if weights is None:
        values = np.sort(values)
    else:
        order = np.argsort(values, kind="stable")
        values = values[order]
    last = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    distinct = values[last].astype(np.float64)
    if weights is None:
        total = (last + 1).astype(np.float64)
    else:
        total = np.cumsum(weights[order])[last]
    heaviest = np.diff(total, prepend=0.0).max()
    if min_weight > 1 and heaviest > total[-1] / 2:
        max_bins = min(max_bins, 1 + max((total[-1] - heaviest) // min_weight, 1))
        max_bins = int(max_bins)
    if len(distinct) <= max_bins:
        lower, upper = distinct[:-1], distinct[1:]
    else:
        total = np.cumsum(cap_heavy_values(np.diff(total, prepend=0.0), max_bins))
        # Compared as products, which are exact for counts and integer weights.
        reached = total * max_bins
        wanted = np.arange(1, max_bins) * total[-1]
        at = np.searchsorted(reached, wanted, side="left")
        # A quantile at the largest value would leave an empty bin behind it.
        wanted, at = wanted[at < len(distinct) - 1], at[at < len(distinct) - 1]
        lower = distinct[at]
        upper = np.where(reached[at] == wanted, distinct[at + 1], lower)
    return np.unique(find_middle(lower, upper))


def cap_heavy_values(weights, max_bins):
    """Return the weights of distinct values with none above the share of a bin.

    Quantiles that fall on one heavy value coincide, and the bins between them are lost.
    Capped at a bin's share, it has a bin of its own and leaves the rest to the others.
    """
    # A running sum has one order of addition on every machine, unlike a plain one.
    cap = np.cumsum(weights)[-1] / max_bins
    while True:
        # A lower cap may reach more values; it falls until it reaches no more.
        n_heavy = np.count_nonzero(weights > cap)
        if n_heavy >= max_bins:
            return weights
        light = np.cumsum(weights[weights <= cap])[-1]
        lower_cap = light / (max_bins - n_heavy)
        if lower_cap >= cap:
            return np.minimum(weights, cap)
        cap = lower_cap


def find_middle(lower, upper):
    """Return a finite edge with lower <= edge, and edge < upper where they differ."""
    with np.errstate(invalid="ignore"):
        middle = lower / 2 + upper / 2
    middle = np.where(np.isnan(middle), 0.0, middle)  # between -inf and inf
    largest = np.finfo(np.float64).max
    # Rounding may have reached the upper value.
    middle = np.where((middle >= upper) & (upper > lower), lower, middle)
    middle = np.maximum(middle, lower)
    return np.clip(middle, -largest, largest)


def map_values(values, thresholds):
    """Return the number of inner edges below each value; NaN gets the last code."""
    values = np.asarray(values, dtype=np.float64)
    codes = (np.asarray(thresholds)[np.newaxis, :] < values[:, np.newaxis]).sum(axis=1)
    return np.where(np.isnan(values), len(thresholds) + 1, codes)


# ---- fixed point ---------------------------------------------------------------------

Fixed = namedtuple(
    "Fixed",
    "gradients hessians leaf_gradients leaf_hessians units weights row_weight repeats "
    "square_shift",
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
    largest_weight = max(1, repeats.max())
    n_bits = min(
        38,
        62 - math.ceil(math.log2(n_terms)),
        50 - math.ceil(math.log2(largest_weight)),
    )

    def to_integers(values, scale):
        return repeats * np.rint(values * factor * scale).astype(np.int64)

    def find_scale(values):
        largest = np.abs(values * factor).max()
        return 2.0 ** min(n_bits - math.frexp(largest)[1], 1000) if largest else 1.0

    gradient_scale = find_scale(gradients)
    hessian_scale = 1.0 if is_constant and is_integer else find_scale(hessians)
    fine_gradients = to_integers(gradients, gradient_scale)
    fine_hessians = to_integers(hessians, hessian_scale)
    fine_units = 1 / gradient_scale, 1 / hessian_scale
    row_weight = 1.0 if is_integer else math.fsum(weights) / n_rows
    are_1 = is_constant and is_integer
    shifts = n_bits - 11, 0 if are_1 else n_bits - 12
    leaf_shift = max(n_bits - 30, 0)
    leaf_shifts = leaf_shift, 0 if are_1 else leaf_shift
    # Of a value whose squares are summed in 64 bits.
    n_square_bits = (62 - math.ceil(math.log2(n_terms))) // 2
    is_narrow = (
        n_terms >= 2**13
        and int(np.abs(fine_gradients).sum()) >= 16 * n_terms * 2 ** shifts[0]
        and (are_1 or int(fine_hessians.sum()) >= 16 * n_terms * 2 ** shifts[1])
    )
    if not is_narrow:
        fine = fine_gradients, fine_hessians
        return Fixed(
            *fine,
            *fine,
            fine_units * 2,
            repeats,
            row_weight,
            repeats,
            max(n_bits - n_square_bits, 0),
        )

    def coarsen(sums, shift, largest):
        once = sums // np.maximum(repeats, 1)
        rounded = (once + (1 << shift >> 1)) >> shift
        return repeats * np.clip(rounded, -largest, largest)

    return Fixed(
        coarsen(fine_gradients, shifts[0], 2**11 - 1),
        coarsen(fine_hessians, shifts[1], 2**12 - 1),
        coarsen(fine_gradients, leaf_shifts[0], 2**30),
        coarsen(fine_hessians, leaf_shifts[1], 2**30),
        tuple(
            unit * 2**shift
            for unit, shift in zip(fine_units * 2, shifts + leaf_shifts, strict=True)
        ),
        repeats,
        row_weight,
        repeats,
        0,
    )


def compute_noise(fixed, rows):
    """Return the sum of squared gradients of some rows over that of hessians."""
    repeats = fixed.repeats[rows]
    once = fixed.gradients[rows] // np.maximum(repeats, 1)
    shift = fixed.square_shift
    rounded = (once + (1 << shift >> 1)) >> shift
    unit = fixed.units[0] * 2**shift
    hessian = int(fixed.hessians[rows].sum())
    if hessian == 0:
        return 0.0
    squares = int((repeats * rounded * rounded).sum())
    return squares * unit / (hessian * fixed.units[1]) * unit


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


def hold(value, lower, upper):
    """Return the value held to its bounds."""
    return min(max(value, lower), upper)


@dataclass
class Criterion:
    """What makes a split good and allowed."""

    gradient_unit: float = 1.0
    hessian_unit: float = 1.0
    l1_regularization: float = 0.0
    l2_regularization: float = 0.0
    min_split_gain: float = 0.0
    min_samples_leaf: int = 1
    min_child_weight: float = 1e-3
    max_delta_step: float = math.inf
    path_smoothing: float = 0.0
    monotonic_cst: np.ndarray | None = None
    one_level_splits: np.ndarray | None = None
    row_weight: float = 1.0
    noise: float = 0.0
    extra_trees: bool = False
    seed: int = 0
    tree_idx: int = 0

    @property
    def is_plain(self):
        """Whether only the l2 regularisation restrains values."""
        return (
            self.l1_regularization == self.path_smoothing == 0
            and self.max_delta_step == math.inf
            and self.monotonic_cst is None
        )

    def soften(self, gradient):
        """Return the gradient less what l1 takes from it, and what it takes."""
        held = hold(gradient, -self.l1_regularization, self.l1_regularization)
        return gradient - held, held

    def restrain(self, value, n_rows, parent_value, bounds):
        """Return what a node gets instead of the value where its loss is least."""
        value = hold(value, -self.max_delta_step, self.max_delta_step)
        if self.path_smoothing > 0:
            share = 1 + self.path_smoothing / n_rows
            value = parent_value + (value - parent_value) / share
        return hold(value, *bounds)

    def compute_value(self, sums, bounds=(-math.inf, math.inf), n_rows=math.inf, at=0):
        """Return the value of a node, `n_rows` by weight, whose parent's is `at`."""
        gradient = int(sums[0]) * self.gradient_unit
        curvature = int(sums[1]) * self.hessian_unit + self.l2_regularization
        best = -self.soften(gradient)[0] / curvature if curvature > 0 else 0.0
        return self.restrain(best, n_rows, at, bounds)

    def compute_chance(self, hessians, n_levels):
        """Return what moving levels of these hessians, of `n_levels`, gains by chance.

        They are summed up from the end of the order.
        """
        if not n_levels:
            return 0.0
        sum_roots = 0.0
        for hessian in hessians:
            sum_roots += math.sqrt(int(hessian))
        size = sum_roots * sum_roots / int(sum(hessians))
        growth = 0.3 + 1.4 * elementary.log(n_levels / len(hessians))
        return self.noise * max(size * growth - 3, 0.0)

    def compute_gain(self, left, node, sum_weights, at, bounds, cst=0, chance=0.0):
        """Return the gain of a split less `chance`, 0 if it is not allowed.

        `sum_weights` is that of the node's rows, `at` its value. The weights of its
        children are known as a multiple of their hessians only.
        """
        if not self.is_allowed(left, node):
            return 0.0
        gain, is_rounding = self.measure(left, node, sum_weights, at, bounds, cst)
        gain -= chance
        if is_rounding or not self.min_split_gain < gain < math.inf:
            return 0.0
        return gain

    def is_allowed(self, left, node):
        """Return whether both children are large enough."""
        right = node - left
        if min(left[2], right[2]) < self.min_samples_leaf:
            return False
        least = min(int(left[1]), int(right[1])) * self.hessian_unit
        return least >= self.min_child_weight

    def measure(self, left, node, sum_weights, at, bounds, cst=0):
        """Return the gain of an allowed split, and whether it is of rounding errors."""
        right = node - left
        l2 = self.l2_regularization
        curvatures = [int(child[1]) * self.hessian_unit + l2 for child in (left, right)]
        gradients = [int(child[0]) * self.gradient_unit for child in (left, right)]
        gradient = int(node[0]) * self.gradient_unit
        curvature = int(node[1]) * self.hessian_unit + self.l2_regularization
        total = curvatures[0] + curvatures[1]
        crosses = gradients[0] * curvatures[1], gradients[1] * curvatures[0]
        cross = crosses[0] - crosses[1]
        is_rounding = abs(cross) <= ROUNDING * (abs(crosses[0]) + abs(crosses[1]))
        if self.is_plain:
            gain = cross * cross / (curvatures[0] * curvatures[1] * total)
            if l2 > 0:
                gain -= gradient * gradient / curvature * l2 / total
        else:
            unit = sum_weights / int(node[1])
            n_rows = [int(sums[1]) * unit for sums in (left, right)]
            before = self.compute_value(node, bounds, sum_weights, at)
            moves, held, values = [], [], []
            for g, c, n in zip(gradients, curvatures, n_rows, strict=True):
                softened, taken = self.soften(g)
                best = -softened / c
                value = self.restrain(best, n, at, bounds)
                moves.append(c * (before - value) * (before + value - 2 * best))
                held.append(taken)
                values.append(value)
            if cst * (values[1] - values[0]) < 0:
                return 0.0, is_rounding
            gain = moves[0] + moves[1]
            taken = self.soften(gradient)[1]
            gain -= 2 * (taken - (held[0] + held[1])) * before
            gain -= l2 * before * before
        return gain, is_rounding


@dataclass
class Split:
    """The best split of a node."""

    gain: float
    feature: int
    goes_left: np.ndarray  # by code, missing last
    bin: int  # -1: categorical
    left: np.ndarray  # sums
    has_missing: bool


def find_split(
    histogram,
    feature,
    is_categorical,
    criterion,
    bounds=(-math.inf, math.inf),
    sum_weights=None,
    value=0.0,
    node_idx=0,
):
    """Return the best split on a feature, or None.

    Of equal gains the first wins: the lower bin, then missing values on the right; of
    categories the shorter prefix of the sorted levels, then the shorter suffix.
    `sum_weights` is that of the node's rows, their number if None; `value` is the
    node's.
    """
    node = histogram.sum(axis=0)
    sum_weights = int(node[2]) if sum_weights is None else sum_weights
    n_bins = len(histogram) - 1
    has_missing = bool(histogram[n_bins, 2] > 0)

    def draw_cut(n):
        keys = (criterion.seed, CUT_OF_NODE, criterion.tree_idx, node_idx, feature)
        return draw(*keys) * n >> 64

    levels = []
    if is_categorical:
        levels = _sort_levels(histogram, node, criterion, sum_weights)
        candidates = list_sides(levels, criterion, draw_cut, feature)
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
        if criterion.extra_trees:
            used = np.flatnonzero(histogram[:-1, 2])
            n = int(used[-1] - used[0]) + has_missing if len(used) else 0
            last = int(used[0]) + draw_cut(n) if n else 0
            candidates = [
                [*range(last + 1), *missing]
                for missing in ([], [n_bins])[: 1 + has_missing]
            ]
        cst = 0
        if criterion.monotonic_cst is not None:
            cst = int(criterion.monotonic_cst[feature])
    best = None
    for codes in candidates:
        left = histogram[codes].sum(axis=0)
        chance = criterion.compute_chance(histogram[codes, 1], len(levels))
        gain = criterion.compute_gain(
            left, node, sum_weights, value, bounds, cst, chance
        )
        if gain > (best.gain if best else 0):
            goes_left = np.zeros(n_bins + 1, dtype=np.uint8)
            goes_left[codes] = 1
            last = -1 if is_categorical else max(c for c in codes if c < n_bins)
            best = Split(gain, feature, goes_left, last, left, has_missing)
    return best


def list_shared_candidates(
    root, feature, is_categorical, criterion, node, sum_weights, keys
):
    """Return the codes on the left of all splits of a level, each with its chance.

    `root` is the histogram of the root and the feature, `node` the root; `keys` are
    those of a random cut.
    """
    n_bins = len(root) - 1
    if is_categorical:
        levels = _sort_levels(root, node.sums, criterion, sum_weights)
        return [
            (codes, criterion.compute_chance(root[codes, 1], len(levels)))
            for codes in list_sides(
                levels, criterion, lambda n: draw(*keys) * n >> 64, feature
            )
        ]
    used = np.flatnonzero(root[:-1, 2])
    lasts = range(int(used[0]), n_bins) if len(used) else []
    if criterion.extra_trees:
        has_missing = bool(root[n_bins, 2] > 0)
        n = int(used[-1] - used[0]) + has_missing if len(used) else 0
        lasts = [int(used[0]) + (draw(*keys) * n >> 64)] if n else []
    return [
        ([*range(last + 1), *missing], 0.0)
        for last in lasts
        for missing in ([], [n_bins])
    ]


def list_sides(levels, criterion, draw_cut, feature):
    """Return the prefixes and suffixes of sorted levels, or each level alone."""
    n = len(levels)
    if criterion.one_level_splits is not None and criterion.one_level_splits[feature]:
        if criterion.extra_trees and n:
            return [[levels[draw_cut(n)]]]
        return [[level] for level in levels]
    half = range(1, (n + 1) // 2 + 1)
    candidates = [levels[:k] for k in half] + [levels[::-1][:k] for k in half]
    if criterion.extra_trees and n:
        cut = 1 + draw_cut(max(n - 1, 1))
        is_prefix = cut <= max(n // 2, 1)
        candidates = [levels[:cut] if is_prefix else levels[::-1][: n - cut]]
    return candidates


def _sort_levels(histogram, node, criterion, sum_weights):
    """Return the levels with enough support, sorted by their smoothed value."""
    unit = sum_weights / int(node[1]) if node[1] > 0 else 0.0
    smoothing = MIN_LEVEL_SUPPORT * criterion.row_weight
    keys = [
        (
            int(gradient)
            * criterion.gradient_unit
            / (int(hessian) * criterion.hessian_unit + smoothing),
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
    draws_to: float = 0.0  # its value, of the root too
    bounds: tuple = (-math.inf, math.inf)
    groups: list | None = None
    split: Split | None = None
    left: int = 0  # the left child, 0 of a leaf


def grow(
    codes,
    n_bins,
    is_categorical,
    fixed,
    *,
    rows=None,
    grow_policy="leafwise",
    max_leaf_nodes=31,
    max_depth=0,
    max_features=1.0,
    colsample_bytree=1.0,
    n_derived=0,
    derived_share=1.0,
    feature_weights=None,
    monotonic_cst=None,
    interaction_groups=None,
    seed=0,
    tree_idx=0,
    **terms,
):
    """Return the nodes of a tree; the arguments are `TreeGrower`'s.

    `grow_policy` is 'leafwise', 'depthwise' or 'symmetric'.
    """
    terms = {"min_samples_leaf": 20, **terms}
    n_features = len(n_bins)
    if monotonic_cst is not None and not np.any(monotonic_cst):
        monotonic_cst = None
    criterion = Criterion(
        fixed.units[0],
        fixed.units[1],
        monotonic_cst=monotonic_cst,
        row_weight=fixed.row_weight,
        noise=compute_noise(fixed, slice(None) if rows is None else rows),
        seed=seed,
        tree_idx=tree_idx,
        **terms,
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
    if n_derived and derived_share < 1:
        given, derived = tree_features[:-n_derived], tree_features[-n_derived:]
        tree_features = given + draw_features(
            derived, derived_share, DERIVED_OF_TREE, tree_idx, 0
        )
    if colsample_bytree < 1:
        tree_features = draw_features(
            tree_features, colsample_bytree, FEATURES_OF_TREE, tree_idx, 0
        )

    def list_features(key, *nodes):
        """Return the features that any of some nodes may be split on."""
        features = tree_features
        if interaction_groups is not None:
            groups = [g for node in nodes for g in node.groups]
            is_open = np.any([interaction_groups[g] for g in groups], axis=0)
            features = [f for f in features if is_open[f]]
        if max_features < 1:
            features = draw_features(
                features, max_features, FEATURES_OF_NODE, tree_idx, key
            )
        return features

    def is_splittable(node):
        return not (
            (max_depth and node.depth >= max_depth)
            or node.sums[2] < 2 * criterion.min_samples_leaf
            or int(node.sums[1]) * criterion.hessian_unit
            < 2 * criterion.min_child_weight
        )

    def search(node_idx):
        node = nodes[node_idx]
        if not is_splittable(node):
            return
        histogram = build_histogram(codes, n_bins, fixed, node.rows)
        for feature in list_features(node_idx, node):
            split = find_split(
                histogram[feature],
                feature,
                is_categorical[feature],
                criterion,
                node.bounds,
                node.sum_weights,
                node.draws_to,
                node_idx,
            )
            if split and split.gain > (node.split.gain if node.split else 0):
                node.split = split

    def split_node(node):
        """Make the children of a node that has a split."""
        split = node.split
        goes_left = split.goes_left[codes[node.rows, split.feature]].astype(bool)
        groups = node.groups
        if n_groups:
            groups = [g for g in groups if interaction_groups[g][split.feature]]
        left = make_node(node.rows[goes_left], depth=node.depth + 1, groups=groups)
        right = make_node(node.rows[~goes_left], depth=node.depth + 1, groups=groups)
        for child in (left, right):
            share = int(child.sums[1]) * (node.sum_weights / int(node.sums[1]))
            child.value = child.draws_to = criterion.compute_value(
                child.sums, node.bounds, share, node.draws_to
            )
        _set_bounds(node, left, right, monotonic_cst)
        if not split.has_missing:
            split.goes_left[-1] = left.sum_weights > right.sum_weights
        node.left = len(nodes)
        nodes.extend([left, right])

    def grow_by_node():
        n_splits_left = max_leaf_nodes - 1 if max_leaf_nodes else math.inf
        search(0)
        while n_splits_left > 0:
            waiting = [
                i for i, node in enumerate(nodes) if node.split and not node.left
            ]
            if not waiting:
                break
            n_popped = 1
            if grow_policy == "depthwise":
                depth = min(nodes[i].depth for i in waiting)
                waiting = [i for i in waiting if nodes[i].depth == depth]
                n_popped = min(len(waiting), n_splits_left)
            waiting.sort(key=lambda i: (-nodes[i].split.gain, i))
            for i in sorted(waiting[:n_popped]):
                split_node(nodes[i])
                search(nodes[i].left)
                search(nodes[i].left + 1)
            n_splits_left -= n_popped

    def find_gain(node, feature, left_codes, chance):
        """Return the gain of one split of one node, and its left sums."""
        histogram = build_histogram(codes, n_bins, fixed, node.rows)[feature]
        left = histogram[left_codes].sum(axis=0)
        share = float(node.sums[1]) / float(nodes[0].sums[1])
        cst = 0
        if monotonic_cst is not None and not is_categorical[feature]:
            cst = int(monotonic_cst[feature])
        gain = criterion.compute_gain(
            left,
            node.sums,
            node.sum_weights,
            node.draws_to,
            node.bounds,
            cst,
            chance * share,
        )
        return gain, left

    def find_shared_split(key, level):
        """Return the feature, codes and chance of the largest sum of gains."""
        best, found = 0, None
        roots = build_histogram(codes, n_bins, fixed, nodes[0].rows)
        for feature in list_features(key, *level):
            members = [node for node in level if feature in list_own_features(node)]
            candidates = list_shared_candidates(
                roots[feature],
                feature,
                is_categorical[feature],
                criterion,
                nodes[0],
                nodes[0].sum_weights,
                (seed, CUT_OF_NODE, tree_idx, key, feature),
            )
            for left_codes, chance in candidates:
                gain = 0.0
                for node in members:
                    gain += find_gain(node, feature, left_codes, chance)[0]
                if best < gain < math.inf:
                    best, found = gain, (feature, left_codes, chance)
        return found

    def list_own_features(node):
        if not n_groups:
            return range(n_features)
        is_open = np.any([interaction_groups[g] for g in node.groups], axis=0)
        return np.flatnonzero(is_open).tolist()

    def grow_by_level():
        n_levels = int(math.log2(max_leaf_nodes)) if max_leaf_nodes else 10**9
        n_levels = min(n_levels, max_depth or n_levels)
        # In the order in which their gains are added up.
        level = [0] if is_splittable(nodes[0]) else []
        for key in range(n_levels):
            found = find_shared_split(key, [nodes[i] for i in level]) if level else None
            if found is None:
                break
            feature, left_codes, chance = found
            n = n_bins[feature]
            popped, level = sorted(level), []
            for i in popped:
                node = nodes[i]
                gain, left = find_gain(node, feature, left_codes, chance)
                if gain == 0 or feature not in list_own_features(node):
                    level.append(i)
                    continue
                goes_left = np.zeros(n + 1, dtype=np.uint8)
                goes_left[left_codes] = 1
                last = max([c for c in left_codes if c < n], default=-1)
                if is_categorical[feature]:
                    last = -1
                node.split = Split(gain, feature, goes_left, last, left, True)
                split_node(node)
                children = [node.left, node.left + 1]
                children.sort(key=lambda c: nodes[c].sums[2])
                level += [c for c in children if is_splittable(nodes[c])]
            split = [nodes[i] for i in popped if nodes[i].left]
            if not any((codes[node.rows, feature] == n).any() for node in split):
                weights = [
                    sum(nodes[node.left + side].sum_weights for node in split)
                    for side in (0, 1)
                ]
                for node in split:
                    node.split.goes_left[-1] = weights[0] > weights[1]

    n_groups = 0 if interaction_groups is None else len(interaction_groups)
    all_rows = np.arange(len(codes)) if rows is None else np.asarray(rows)
    nodes = [make_node(all_rows, groups=list(range(n_groups)))]
    nodes[0].draws_to = criterion.compute_value(nodes[0].sums)
    (grow_by_level if grow_policy == "symmetric" else grow_by_node)()

    fine = replace(criterion, gradient_unit=fixed.units[2], hessian_unit=fixed.units[3])
    values = {0: 0.0}
    for i, node in enumerate(nodes):
        columns = (fixed.leaf_gradients, fixed.leaf_hessians)
        sums = [column[node.rows].sum() for column in columns]
        n_rows = node.sum_weights if i else math.inf
        value = fine.compute_value(sums, node.bounds, n_rows, values[i])
        if not node.left:
            node.value = value
        else:
            values[node.left] = values[node.left + 1] = value
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
