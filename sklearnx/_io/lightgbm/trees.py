"""The trees of LightGBM's models, checked, and as ours.

A row goes left if its value is at most the threshold, or if the bit of its category is
set. What is missing, and where it goes, is in the bits of ``decision_type``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from sklearnx._io.bitsets import read_bitset
from sklearnx._io.lightgbm.text import MAX_INT
from sklearnx._io.source_columns import SourceColumns
from sklearnx._io.source_trees import SourceTree

# Bits of decision_type, and the values of the two that say what is missing.
CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT = 1, 2, 2
MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 1, 2
ZERO = SourceColumns.ZERO


class ParsedTree(NamedTuple):
    """A tree as it is written, checked. Splits come first, leaves behind them.

    Attributes
    ----------
    left, right : int64 arrays of shape (n_nodes,)
        Children, -1 of leaves.
    feature, decision, threshold : arrays of shape (n_splits,)
    codes : dict of int to int array
        By split, the categories that go left.
    value, weight, count, gain : arrays of shape (n_nodes,)
    linear : dict of int to tuple
        By leaf, the intercept, the columns and the coefficients.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    decision: np.ndarray
    threshold: np.ndarray
    codes: dict
    value: np.ndarray
    weight: np.ndarray
    count: np.ndarray
    gain: np.ndarray
    linear: dict


def parse_tree(section, n_features):
    """Return the ParsedTree of a section."""
    n_leaves = section.read_int("num_leaves", 1, MAX_INT)
    leaf_value = _read_finite(section, "leaf_value", n_leaves)
    n_splits = n_leaves - 1
    feature = _read_of_splits(section, "split_feature", n_splits, 0, n_features - 1)
    threshold = section.read_floats("threshold", n_splits) if n_splits else np.empty(0)
    decision = np.zeros(n_splits, dtype=np.int64)
    if "decision_type" in section:
        most = CATEGORICAL | DEFAULT_LEFT | (MISSING_NAN << MISSING_SHIFT)
        decision = _read_of_splits(section, "decision_type", n_splits, 0, most)
    left, right = _read_children(section, n_leaves)
    linear = {}
    if "is_linear" in section and section.read_int("is_linear", 0, 1) == 1:
        linear = _parse_linear(section, n_leaves, n_features)
        for leaf, (constant, columns, _) in list(linear.items()):
            if len(columns) == 0:
                leaf_value[leaf] = constant
                del linear[leaf]
    inner_value = _read_statistic(section, "internal_value", n_splits)
    return ParsedTree(
        left,
        right,
        feature,
        decision,
        threshold,
        _parse_codes(section, decision, threshold),
        np.append(inner_value, leaf_value),
        _read_statistics(section, "internal_weight", "leaf_weight", n_leaves),
        _read_statistics(section, "internal_count", "leaf_count", n_leaves),
        np.append(_read_statistic(section, "split_gain", n_splits), np.zeros(n_leaves)),
        {n_splits + leaf: of_leaf for leaf, of_leaf in linear.items()},
    )


def _read_finite(section, name, n):
    values = section.read_floats(name, n)
    if not np.isfinite(values).all():
        raise ValueError(f"The LightGBM model has infinite values as {name!r}.")
    return values


def _read_of_splits(section, name, n_splits, low, high):
    """Return integers of splits; a tree without any may leave the line out."""
    if n_splits == 0:
        return np.empty(0, dtype=np.int64)
    return section.read_ints(name, n_splits, low, high)


def _read_statistic(section, name, n):
    """Return what inspection shows of nodes, 0 where the model does not have it."""
    if name not in section or section.get(name) == "":
        return np.zeros(n)
    return _read_finite(section, name, n)


def _read_statistics(section, of_splits, of_leaves, n_leaves):
    values = np.append(
        _read_statistic(section, of_splits, n_leaves - 1),
        _read_statistic(section, of_leaves, n_leaves),
    )
    if not 0 <= values.min() <= values.max() <= 2.0**62:
        raise ValueError(
            f"The LightGBM model has {of_splits!r} or {of_leaves!r} out of range."
        )
    return values


def _read_children(section, n_leaves):
    """Return the children of all nodes, in one numbering."""
    n_splits = n_leaves - 1
    left = np.full(n_splits + n_leaves, -1, dtype=np.int64)
    right = left.copy()
    for name, children in (("left_child", left), ("right_child", right)):
        written = _read_of_splits(section, name, n_splits, -n_leaves, n_splits - 1)
        children[:n_splits] = np.where(written >= 0, written, n_splits + ~written)
    n_parents = np.bincount(
        np.append(left[:n_splits], right[:n_splits]), minlength=len(left)
    )
    if (n_parents[0] != 0 and n_splits > 0) or (n_parents[1:] != 1).any():
        raise ValueError(
            "The LightGBM model has a tree with a node that is not the child of one "
            "other node."
        )
    return left, right


def _parse_codes(section, decision, threshold):
    """Return the categories that go left, by split."""
    splits = np.flatnonzero(decision & CATEGORICAL)
    if len(splits) == 0:
        return {}
    n_sets = section.read_int("num_cat", 1, MAX_INT)
    bounds = section.read_ints("cat_boundaries", n_sets + 1, 0, MAX_INT)
    if bounds[0] != 0 or (np.diff(bounds) < 0).any():
        raise ValueError("The LightGBM model has 'cat_boundaries' that do not ascend.")
    words = section.read_ints("cat_threshold", int(bounds[-1]), 0, 2**32 - 1)
    codes = {}
    for split in splits.tolist():
        which = threshold[split]
        if not (which.is_integer() and 0 <= which < n_sets):
            raise ValueError(
                f"The LightGBM model has {which} as 'threshold' of a split on "
                f"categories, expected an integer from 0 to {n_sets - 1}."
            )
        of_split = words[bounds[int(which)] : bounds[int(which) + 1]]
        codes[split] = read_bitset(of_split)
    return codes


def _parse_linear(section, n_leaves, n_features):
    """Return the intercept, the columns and the coefficients of each leaf."""
    constants = _read_finite(section, "leaf_const", n_leaves)
    n_terms = section.read_ints("num_features", n_leaves, 0, n_features)
    n_all = int(n_terms.sum())
    columns = section.read_ints("leaf_features", n_all, 0, n_features - 1)
    coefficients = _read_finite(section, "leaf_coeff", n_all)
    ends = np.cumsum(n_terms)
    return {
        leaf: (
            constants[leaf],
            columns[ends[leaf] - n_terms[leaf] : ends[leaf]],
            coefficients[ends[leaf] - n_terms[leaf] : ends[leaf]],
        )
        for leaf in range(n_leaves)
    }


def collect_codes(trees):
    """Return the categories in all splits, by column."""
    found = defaultdict(set)
    for tree in trees:
        for split, codes in tree.codes.items():
            found[int(tree.feature[split])].update(codes.tolist())
    return dict(found)


def check_linear(trees, columns):
    """Raise where a linear model multiplies codes of categories."""
    categories = [j for j, column in enumerate(columns) if column.kind == "category"]
    for tree in trees:
        for _, features, _ in tree.linear.values():
            if np.isin(features, categories).any():
                raise ValueError(
                    "The LightGBM model has a linear model of a category in "
                    "'leaf_features'."
                )


def find_zero_columns(trees, levels):
    """Return the columns of numbers of which zero is missing for some split.

    Raises ValueError where another split on the column has to tell zero from NaN.
    """
    is_number = np.array([of_column is None for of_column in levels])
    found = set()
    for tree in trees:
        is_zero = _find_missing_types(tree) == MISSING_ZERO
        is_zero &= is_number[tree.feature]
        found.update(tree.feature[is_zero].tolist())
    if not found:
        return found
    for tree in trees:
        _check_zero_columns(tree, sorted(found))
    return found


def _check_zero_columns(tree, zero_columns):
    """Raise where splits or linear models need zeros that are to become NaN."""
    splits = np.isin(tree.feature, zero_columns)
    splits &= _find_missing_types(tree) == MISSING_NAN
    default_left = (tree.decision[splits] & DEFAULT_LEFT) > 0
    is_apart = (default_left != (tree.threshold[splits] >= 0)).any()
    is_used = any(
        np.isin(columns, zero_columns).any() for _, columns, _ in tree.linear.values()
    )
    if is_apart or is_used:
        raise ValueError(
            "The LightGBM model was trained with zero_as_missing in some iterations "
            "and without it in others; sklearnx cannot have both."
        )


def _find_missing_types(tree):
    """Return what is missing to each split, -1 where it is on categories."""
    types = tree.decision >> MISSING_SHIFT
    return np.where(tree.decision & CATEGORICAL, -1, types)


def convert_tree(tree, levels, integer_codes, zero_columns, scale):
    """Return the SourceTree of a ParsedTree.

    Parameters
    ----------
    tree : ParsedTree
    levels : list of (list or None)
    integer_codes : dict of int to dict
        Of the columns whose categories are integers, our code of each.
    zero_columns : set of int
    scale : float
        Of the values.
    """
    n_splits = len(tree.feature)
    types = _find_missing_types(tree)
    threshold = _move_off_zero(tree.threshold)
    default_left = (tree.decision & DEFAULT_LEFT) > 0
    # To a split that knows nothing of missing values, NaN is zero.
    missing_left = np.where(types == MISSING_NONE, threshold >= 0, default_left)
    missing_left[types < 0] = False
    sets = {}
    for split in range(n_splits):
        feature = int(tree.feature[split])
        if split in tree.codes:
            codes = tree.codes[split]
            if feature in integer_codes:
                known = integer_codes[feature]
                codes = np.array([known[code] for code in codes.tolist()], dtype=int)
            sets[split] = codes
        elif feature in integer_codes:
            raise ValueError(
                f"The LightGBM model splits column {feature} by categories, and in "
                "other nodes by numbers."
            )
        elif levels[feature] is not None:
            # The codes of an ordered category of pandas, compared as numbers.
            is_left = np.arange(len(levels[feature])) <= threshold[split]
            if types[split] == MISSING_ZERO:
                is_left[:1] = default_left[split]
            sets[split] = np.flatnonzero(is_left)
    of_leaves = np.zeros(len(tree.left) - n_splits, dtype=np.int8)
    return SourceTree(
        left=tree.left,
        right=tree.right,
        feature=np.append(tree.feature, of_leaves),
        threshold=np.append(threshold, of_leaves),
        missing_left=np.append(missing_left, of_leaves > 0),
        value=tree.value * scale,
        levels=sets,
        linear={
            leaf: (intercept * scale, columns, coefficients * scale)
            for leaf, (intercept, columns, coefficients) in tree.linear.items()
        },
        gain=tree.gain,
        sum_hessians=tree.weight,
        n_samples=tree.count.astype(np.int64),
    )


def _move_off_zero(threshold):
    """Return thresholds that part values as LightGBM does, to which tiny ones are 0."""
    is_tiny = (threshold >= -ZERO) & (threshold < ZERO)
    beside = np.where(threshold < 0, np.nextafter(-ZERO, -np.inf), ZERO)
    return np.where(is_tiny, beside, threshold)
