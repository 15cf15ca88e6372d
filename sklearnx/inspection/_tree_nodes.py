"""The nodes of one tree in the user's terms: names of features, values of levels."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)


@dataclass(frozen=True)
class TreeNodes:
    """The nodes of a tree, an array or list each, by their position in the tree.

    Attributes
    ----------
    feature : list of (str or None)
        Name of the feature of a split, ``x3`` where features have no names; None for a
        leaf.
    threshold : float64 ndarray
        Values up to it go left; NaN for a leaf and for a categorical split.
    left_levels : list of (list or None)
        The levels that go left, the most frequent first; None if not a categorical
        split.
    n_levels : list of (int or None)
        How many levels the categorical feature has.
    missing_left : bool ndarray
        Whether missing values go left; of no meaning for a leaf.
    left, right : int32 ndarray
        Children; -1 for a leaf.
    depth, n_samples, sum_hessians, gain, value : ndarray
        As `tree_table` has them.
    intercept : float64 ndarray
        Of the linear model of a leaf, NaN where there is none.
    coefficients : list of (dict or None)
        Those of the model by the names of the features.
    """

    feature: list
    threshold: np.ndarray
    left_levels: list
    n_levels: list
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    depth: np.ndarray
    n_samples: np.ndarray
    sum_hessians: np.ndarray
    gain: np.ndarray
    value: np.ndarray
    intercept: np.ndarray
    coefficients: list

    @property
    def is_leaf(self):
        return self.left < 0

    def __len__(self):
        return len(self.feature)


def read_tree(estimator: Any, iteration: int, output: int) -> TreeNodes:
    """Return the nodes of a tree of a fitted estimator, which is checked here."""
    if not isinstance(
        estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor
    ):
        raise TypeError(
            "estimator must be a HistGradientBoostingClassifier or "
            "HistGradientBoostingRegressor of sklearnx.ensemble, got "
            f"{type(estimator).__module__}.{type(estimator).__name__}. Of a pipeline "
            "or a search, pass the fitted estimator inside it."
        )
    check_is_fitted(estimator)
    _check_position("iteration", iteration, estimator.n_iter_)
    _check_position("output", output, estimator._model.n_outputs)

    tree = estimator._model.tree(iteration, output)
    nodes, stats = tree.nodes, tree.stats
    names = estimator._name_columns()
    is_leaf = nodes["feature"] < 0
    feature, left_levels, n_levels = [], [], []
    for node in nodes:
        is_split = node["feature"] >= 0
        feature.append(names[node["feature"]] if is_split else None)
        if node["bitset"] < 0:
            left_levels.append(None)
            n_levels.append(None)
        else:
            levels = estimator._encoder.levels_[node["feature"]]
            left_levels.append(_find_left_levels(levels, tree.bitsets, node["bitset"]))
            n_levels.append(len(levels))
    value = stats["value"].copy()
    if tree.vectors is not None:
        value = tree.vectors[:, output].copy()
    if estimator._loss.refits_leaves:
        # Such a loss has values for leaves only; gradients, which the splits come from,
        # are on another scale.
        value[~is_leaf] = np.nan
    intercept, coefficients = _read_linear_models(tree, names)
    is_numeric = ~is_leaf & (nodes["bitset"] < 0)
    return TreeNodes(
        feature=feature,
        threshold=np.where(is_numeric, nodes["value"], np.nan),
        left_levels=left_levels,
        n_levels=n_levels,
        missing_left=nodes["missing_left"].astype(bool),
        left=np.where(is_leaf, -1, nodes["left"]),
        right=np.where(is_leaf, -1, nodes["left"] + 1),
        depth=stats["depth"],
        n_samples=stats["n_samples"],
        sum_hessians=stats["sum_hessians"],
        gain=np.where(is_leaf, np.nan, stats["gain"]),
        value=value,
        intercept=intercept,
        coefficients=coefficients,
    )


def _read_linear_models(tree, names):
    """Return the intercept and the coefficients of each node."""
    intercept, coefficients = np.full(len(tree.nodes), np.nan), [None] * len(tree.nodes)
    for node, position in zip(*tree.find_linear_leaves(), strict=True):
        model = tree.linear_leaves[position]
        terms = tree.linear_terms[model["start"] : model["start"] + model["n_terms"]]
        intercept[node] = model["intercept"] - terms["coefficient"] @ terms["centre"]
        coefficients[node] = {
            names[term["feature"]]: float(term["coefficient"]) for term in terms
        }
    return intercept, coefficients


def _find_left_levels(levels, bitsets, start):
    """Return those of the levels whose bit is set, from the word `start` on."""
    codes = np.arange(len(levels))
    is_left = (bitsets[start + codes // 32] >> (codes % 32).astype(np.uint32)) & 1
    return [levels[code] for code in np.flatnonzero(is_left).tolist()]


def _check_position(name, position, stop):
    if not isinstance(position, Integral) or not 0 <= position < stop:
        raise ValueError(
            f"{name} must be an int from 0 to {stop - 1}, got {position!r}."
        )
