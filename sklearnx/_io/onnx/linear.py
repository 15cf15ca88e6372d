"""Linear models of leaves, as trees with numbers in their leaves.

What a tree says of a row is a + b x_1 + c x_2 + ... with the numbers of its leaf. So is
what all trees say together: a, b and c are sums over trees, each a target of its own.
Whether a row lacks a value that its leaf needs is asked by further splits, whose other
side is a leaf with the constant.

    leaf: a + b x_1 -->  is x_1 finite? -- yes --> a + b x_1
                                        -- no ---> constant
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sklearnx._io.onnx.forest import Forest, join_forests, read_forest

# Of nodes without a linear model.
NONE = -1


class LinearForest(NamedTuple):
    """Trees whose sums are the coefficients of what a model says of a row.

    Attributes
    ----------
    forest : Forest
        Of ``n_outputs * (1 + n_features)`` targets: constants by output, then
        coefficients by output and feature. From position `n_columns` on it asks for a
        column for each feature: 0 where that is finite, else missing.
    features : int array of shape (n_features,)
        The columns that any linear model asks for, ascending.
    centres : float64 array of shape (n_features,)
        What is subtracted from them before they are multiplied.
    """

    forest: Forest
    features: np.ndarray
    centres: np.ndarray


def read_linear_forest(model, n_levels, positions, n_columns):
    """Return the LinearForest of a model.

    What DART rounds the models of leaves to is too small to matter, and left out.

    Parameters
    ----------
    model : BoostedTrees
        With linear leaves.
    n_levels, positions
        As of `read_forest`.
    n_columns : int
        How many columns trees compare.
    """
    features, places = np.unique(model.linear_terms["feature"], return_inverse=True)
    # Where terms are centred, so that no large numbers are to cancel.
    centres = np.array(
        [
            np.median(model.linear_terms["centre"][places == place])
            for place in range(len(features))
        ]
    )
    divisor = model.n_iter if model.is_average else 1
    forest = read_forest(model, n_levels, positions)
    parts = []
    for tree, nodes in enumerate(_list_trees(forest)):
        is_leaf = forest.feature[nodes] < 0
        models = np.where(is_leaf, model.nodes["left"][nodes] - 1, NONE)
        part, models = _guard(_take(forest, nodes), models, model, places + n_columns)
        constant, slopes = _read_models(part.value, models, model, places, centres)
        output = tree % model.n_outputs
        constant = np.where(models == NONE, constant, constant / divisor)
        parts.append(part._replace(value=constant, target=np.array([output])))
        for place, slope in slopes.items():
            target = model.n_outputs + output * len(features) + place
            parts.append(_prune(part, slope / divisor, target))
    return LinearForest(join_forests(parts), features, centres)


def _read_models(value, models, model, places, centres):
    """Return the constant of each node, and its coefficients by the place of a feature.

    Parameters
    ----------
    value : float64 array of shape (n_nodes,)
        Of nodes without a linear model.
    models : int array of shape (n_nodes,)
        The linear model of each node, or NONE.
    model : BoostedTrees
    places : int array
        By term, the place of its feature.
    centres : float64 array
        By place.
    """
    constant, slopes = value.copy(), {}
    for node in np.flatnonzero(models != NONE).tolist():
        leaf = model.linear_leaves[models[node]]
        terms = slice(leaf["start"], leaf["start"] + leaf["n_terms"])
        own = model.linear_terms[terms]
        shifts = centres[places[terms]] - own["centre"]
        constant[node] = leaf["intercept"] + own["coefficient"] @ shifts
        for place, coefficient in zip(places[terms].tolist(), own["coefficient"]):
            slopes.setdefault(place, np.zeros(len(models)))[node] += coefficient
    return constant, slopes


def _list_trees(forest):
    """Return the nodes of each tree, a slice."""
    bounds = np.append(forest.roots, len(forest.tree)).tolist()
    return [slice(*span) for span in pairwise(bounds)]


def _take(forest, nodes):
    """Return a tree of a forest, alone."""
    first = nodes.start
    is_leaf = forest.feature[nodes] < 0
    return Forest(
        tree=np.zeros(nodes.stop - first, dtype=np.int64),
        feature=forest.feature[nodes],
        threshold=forest.threshold[nodes],
        left=np.where(is_leaf, -1, forest.left[nodes] - first),
        right=np.where(is_leaf, -1, forest.right[nodes] - first),
        missing_left=forest.missing_left[nodes],
        members={
            node - first: forest.members[node]
            for node in range(first, nodes.stop)
            if node in forest.members
        },
        value=forest.value[nodes],
        target=np.zeros(1, dtype=np.int64),
    )


def _guard(tree, models, model, columns):
    """Return a tree that asks for all values that models of leaves need.

    Parameters
    ----------
    tree : Forest
        Of one tree.
    models : int array of shape (n_nodes,)
        The linear model of each node, or NONE.
    model : BoostedTrees
    columns : int array
        By term, the column that tells whether there is a value.

    Returns
    -------
    tree : Forest
    models : int array
    """
    arrays = {
        name: getattr(tree, name).tolist()
        for name in ("feature", "threshold", "left", "right", "missing_left", "value")
    }
    models = models.tolist()
    for leaf in [node for node, of_node in enumerate(models) if of_node != NONE]:
        of_leaf = models[leaf]
        start = model.linear_leaves["start"][of_leaf]
        n_terms = model.linear_leaves["n_terms"][of_leaf]
        node = leaf
        for column in columns[start : start + n_terms].tolist():
            n_nodes = len(models)
            arrays["feature"][node] = column
            arrays["right"][node], arrays["left"][node] = n_nodes, n_nodes + 1
            models[node] = NONE
            # A leaf of rows without a value, and what is yet to be asked of others.
            models += [NONE, of_leaf]
            for name, default in (("feature", -1), ("left", -1), ("right", -1)):
                arrays[name] += [default, default]
            for name in ("threshold", "missing_left"):
                arrays[name] += [0, 0]
            arrays["value"] += [arrays["value"][leaf]] * 2
            node = n_nodes + 1
    arrays = {name: np.array(values) for name, values in arrays.items()}
    arrays["missing_left"] = arrays["missing_left"].astype(bool)
    tree = tree._replace(tree=np.zeros(len(models), dtype=np.int64), **arrays)
    return tree, np.array(models)


def _prune(tree, value, target):
    """Return a tree with other values, without splits of nothing but zeros."""
    is_split = tree.feature >= 0
    is_kept = value != 0
    for node in np.flatnonzero(is_split)[::-1].tolist():
        is_kept[node] = is_kept[tree.left[node]] or is_kept[tree.right[node]]
    is_split &= is_kept
    order = [0]
    for node in order:
        if is_split[node]:
            order += [int(tree.left[node]), int(tree.right[node])]
    new = np.full(len(value), -1)
    new[order] = np.arange(len(order))
    is_split = is_split[order]
    return Forest(
        tree=np.zeros(len(order), dtype=np.int64),
        feature=np.where(is_split, tree.feature[order], -1),
        threshold=tree.threshold[order],
        left=np.where(is_split, new[tree.left[order]], -1),
        right=np.where(is_split, new[tree.right[order]], -1),
        missing_left=tree.missing_left[order],
        members={
            int(new[node]): codes
            for node, codes in tree.members.items()
            if new[node] >= 0 and is_split[new[node]]
        },
        value=value[order],
        target=np.array([target]),
    )
