"""A second opinion on trees with vector leaves, slowly, in NumPy and plain Python.

All that concerns one output is the oracle's of other trees.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from tests.boosting.oracle import (
    CUT_OF_NODE,
    MIN_LEVEL_SUPPORT,
    Criterion,
    build_histogram,
    compute_noise,
    draw,
    list_sides,
)

N_POWER_STEPS = 20
FREE = (-math.inf, math.inf)


@dataclass
class VectorNode:
    """A node of a tree that grows; `sums` and `values` are those of each output."""

    rows: np.ndarray
    sums: list
    weight: float
    values: list
    depth: int = 0
    split: tuple | None = None  # gain, feature, codes on the left
    left: int = 0


def sort_levels(histograms, sums, criteria, weight):
    """Return the levels with support, along the direction in which they vary most.

    Parameters
    ----------
    histograms : list of int array of shape (n_bins + 1, 3)
        Of a feature, for each output.
    sums : list of int array of shape (3,)
        Of the node.
    criteria : list of Criterion
    weight : float
        Of the node's rows.
    """

    def has_support(level):
        return all(
            histogram[level, 2] > 0
            and int(histogram[level, 1]) * (weight / int(total[1])) >= MIN_LEVEL_SUPPORT
            for histogram, total in zip(histograms, sums, strict=True)
        )

    levels = [level for level in range(len(histograms[0])) if has_support(level)]
    if not levels:
        return []
    shares = [
        _add(
            int(histogram[level, 1]) / int(total[1])
            for histogram, total in zip(histograms, sums, strict=True)
        )
        for level in levels
    ]
    columns = []
    for histogram, total, criterion in zip(histograms, sums, criteria, strict=True):
        scale = math.sqrt(int(total[1]) * criterion.hessian_unit)
        smoothing = MIN_LEVEL_SUPPORT * criterion.row_weight
        column = [
            scale
            * (
                int(g)
                * criterion.gradient_unit
                / (int(h) * criterion.hessian_unit + smoothing)
            )
            for g, h, _ in histogram[levels]
        ]
        mean = 0.0
        for share, value in zip(shares, column, strict=True):
            mean += share * value
        mean /= _add(shares)
        columns.append([value - mean for value in column])
    points = np.transpose(columns)
    largest = np.abs(points).max()
    if largest > 0:
        points = points / largest
        direction = find_direction(points, shares)
    else:
        direction = np.ones(len(columns))
    keys = [_add(point * direction) for point in points]
    return [level for _, level in sorted(zip(keys, levels, strict=True))]


def find_direction(points, shares):
    """Return the direction in which points vary most, by power iteration."""
    n_outputs = points.shape[1]
    direction = 1 + np.arange(n_outputs) / n_outputs
    for _ in range(N_POWER_STEPS):
        new = np.zeros(n_outputs)
        for share, point in zip(shares, points, strict=True):
            new += share * _add(point * direction) * point
        largest = np.argmax(np.abs(new))
        if new[largest] == 0:
            break
        direction = np.sign(new[largest]) * new / abs(new[largest])
    return direction


def _add(values):
    total = 0.0
    for value in values:
        total += value
    return total


def grow_vectors(
    codes,
    n_bins,
    is_categorical,
    fixed,
    *,
    rows=None,
    grow_policy="leafwise",
    max_leaf_nodes=31,
    max_depth=0,
    seed=0,
    tree_idx=0,
    **terms,
):
    """Return the nodes of a tree; `fixed` are the quantised gradients of each output.

    The other arguments are `TreeGrower`'s.
    """
    terms = {"min_samples_leaf": 20, **terms}
    criteria = [
        Criterion(
            part.units[0],
            part.units[1],
            row_weight=part.row_weight,
            noise=compute_noise(part, slice(None) if rows is None else rows),
            seed=seed,
            tree_idx=tree_idx,
            **terms,
        )
        for part in fixed
    ]
    criterion = criteria[0]

    def sum_rows(rows):
        columns = [(f.gradients, f.hessians, np.ones(len(codes), int)) for f in fixed]
        return [np.array([c[rows].sum() for c in parts]) for parts in columns]

    def weigh(rows):
        return int(fixed[0].weights[rows].sum())

    def is_splittable(node):
        return not (
            (max_depth and node.depth >= max_depth)
            or node.sums[0][2] < 2 * criterion.min_samples_leaf
            or any(
                int(s[1]) * c.hessian_unit < 2 * criterion.min_child_weight
                for s, c in zip(node.sums, criteria, strict=True)
            )
        )

    def measure(node, histograms, left_codes, chances, root=None):
        """Return the gain of a split: the sum of the outputs', none if one forbids.

        What each gains by chance is taken off; of chances in the root, a share.
        """
        total = 0.0
        for k, histogram in enumerate(histograms):
            left = histogram[left_codes].sum(axis=0)
            if not criteria[k].is_allowed(left, node.sums[k]):
                return -math.inf
            share = 1.0 if root is None else int(node.sums[k][1]) / int(root.sums[k][1])
            gain, is_rounding = criteria[k].measure(
                left,
                node.sums[k],
                node.weight,
                node.values[k],
                FREE,
            )
            total += (0.0 if is_rounding else gain) - chances[k] * share
        return total if criterion.min_split_gain < total < math.inf else -math.inf

    def list_candidates(node, histograms, feature, key):
        """Return the codes on the left of each split, in order, and its chances.

        These are what each output gains by chance.
        """
        counts, n = histograms[0][:, 2], n_bins[feature]
        keys = (seed, CUT_OF_NODE, tree_idx, key, feature)
        if is_categorical[feature]:
            levels = sort_levels(histograms, node.sums, criteria, node.weight)
            return [
                (
                    side,
                    [
                        c.compute_chance(histogram[side, 1], len(levels))
                        for c, histogram in zip(criteria, histograms, strict=True)
                    ],
                )
                for side in list_sides(
                    levels, criterion, lambda n: draw(*keys) * n >> 64, feature
                )
            ]
        used = np.flatnonzero(counts[:-1])
        lasts = range(int(used[0]), n) if len(used) else []
        if criterion.extra_trees:
            n_cuts = int(used[-1] - used[0]) + bool(counts[n]) if len(used) else 0
            lasts = [int(used[0]) + (draw(*keys) * n_cuts >> 64)] if n_cuts else []
        return [
            ([*range(i + 1), *missing], [0.0] * len(fixed))
            for i in lasts
            for missing in ([], [n])
        ]

    def build(node):
        planes = [build_histogram(codes, n_bins, part, node.rows) for part in fixed]
        return [list(feature) for feature in zip(*planes, strict=True)]

    def search(i):
        node = nodes[i]
        if not is_splittable(node):
            return
        best = 0.0
        for feature, histograms in enumerate(build(node)):
            candidates = list_candidates(node, histograms, feature, i)
            for left_codes, chances in candidates:
                gain = measure(node, histograms, left_codes, chances)
                if gain > best:
                    best = gain
                    node.split = (gain, feature, left_codes)

    def split_node(node):
        _, feature, left_codes = node.split
        goes_left = np.isin(codes[node.rows, feature], left_codes)
        node.left = len(nodes)
        for rows in (node.rows[goes_left], node.rows[~goes_left]):
            sums = sum_rows(rows)
            values = [
                c.compute_value(
                    part, FREE, int(part[1]) * (node.weight / int(all_[1])), value
                )
                for c, part, all_, value in zip(
                    criteria, sums, node.sums, node.values, strict=True
                )
            ]
            nodes.append(VectorNode(rows, sums, weigh(rows), values, node.depth + 1))

    def grow_by_node():
        n_left = max_leaf_nodes - 1 if max_leaf_nodes else math.inf
        search(0)
        while n_left > 0:
            waiting = [i for i, n in enumerate(nodes) if n.split and not n.left]
            if not waiting:
                break
            n_popped = 1
            if grow_policy == "depthwise":
                depth = min(nodes[i].depth for i in waiting)
                waiting = [i for i in waiting if nodes[i].depth == depth]
                n_popped = min(len(waiting), n_left)
            waiting.sort(key=lambda i: (-nodes[i].split[0], i))
            for i in sorted(waiting[:n_popped]):
                split_node(nodes[i])
                search(nodes[i].left)
                search(nodes[i].left + 1)
            n_left -= n_popped

    def grow_by_level():
        n_levels = int(math.log2(max_leaf_nodes)) if max_leaf_nodes else 10**9
        level = [0] if is_splittable(nodes[0]) else []
        for key in range(min(n_levels, max_depth or n_levels)):
            best, found = 0.0, None
            histograms = {i: build(nodes[i]) for i in level}
            for feature, root in enumerate(build(nodes[0])):
                candidates = list_candidates(nodes[0], root, feature, key)
                for left_codes, chances in candidates:
                    gain = 0.0
                    for i in level:
                        gain += max(
                            measure(
                                nodes[i],
                                histograms[i][feature],
                                left_codes,
                                chances,
                                nodes[0],
                            ),
                            0.0,
                        )
                    if gain > best:
                        best, found = gain, (feature, left_codes, chances)
            if found is None:
                break
            feature, left_codes, chances = found
            popped, level = sorted(level), []
            for i in popped:
                node = nodes[i]
                gain = measure(
                    node, histograms[i][feature], left_codes, chances, nodes[0]
                )
                if gain < 0:
                    level.append(i)
                    continue
                node.split = (gain, feature, left_codes)
                split_node(node)
                children = sorted(
                    [node.left, node.left + 1], key=lambda c: len(nodes[c].rows)
                )
                level += [c for c in children if is_splittable(nodes[c])]

    rows = np.arange(len(codes)) if rows is None else np.asarray(rows)
    sums = sum_rows(rows)
    values = [c.compute_value(s) for c, s in zip(criteria, sums, strict=True)]
    nodes = [VectorNode(rows, sums, weigh(rows), values)]
    (grow_by_level if grow_policy == "symmetric" else grow_by_node)()

    for k, part in enumerate(fixed):
        fine = replace(
            criteria[k], gradient_unit=part.units[2], hessian_unit=part.units[3]
        )
        parents = {0: 0.0}
        for i, node in enumerate(nodes):
            sums = [
                c[node.rows].sum() for c in (part.leaf_gradients, part.leaf_hessians)
            ]
            weight = node.weight if i else math.inf
            value = fine.compute_value(sums, FREE, weight, parents[i])
            if node.left:
                parents[node.left] = parents[node.left + 1] = value
            else:
                node.values[k] = value
    nodes[0].values = [0.0] * len(fixed)  # of the root nothing is shown
    return nodes
