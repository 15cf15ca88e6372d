"""Models of LightGBM, from their text format.

text --- parse_text --> sections --- parse_tree --> ParsedTree, tree by tree
ParsedTree + Categories of columns --- convert_tree --> SourceTree --> assemble
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from sklearnx._io.assembly import assemble
from sklearnx._io.lightgbm.columns import read_categories, read_columns
from sklearnx._io.lightgbm.objectives import read_objective
from sklearnx._io.lightgbm.text import MAX_INT, parse_text
from sklearnx._io.lightgbm.trees import (
    check_linear,
    collect_codes,
    convert_tree,
    find_zero_columns,
    parse_tree,
)
from sklearnx._io.source_columns import SourceColumns
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

BOOSTING = {"gbdt": "plain", "goss": "plain", "dart": "dart", "rf": "random_forest"}
# Numbers that mean the same, by our name: theirs, and what we take at least and most.
NUMBERS = {
    "learning_rate": ("learning_rate", np.finfo(float).tiny, np.inf),
    "l1_regularization": ("lambda_l1", 0.0, np.inf),
    "l2_regularization": ("lambda_l2", 0.0, np.inf),
    "min_split_gain": ("min_gain_to_split", 0.0, np.inf),
    "min_child_weight": ("min_sum_hessian_in_leaf", 0.0, np.inf),
    "max_delta_step": ("max_delta_step", 0.0, np.inf),
    "path_smoothing": ("path_smooth", 0.0, np.inf),
    "colsample_bytree": ("feature_fraction", np.finfo(float).tiny, 1.0),
    "max_features": ("feature_fraction_bynode", np.finfo(float).tiny, 1.0),
    "drop_rate": ("drop_rate", 0.0, 1.0),
    "skip_drop": ("skip_drop", 0.0, 1.0),
    "linear_l2_regularization": ("linear_lambda", 0.0, np.inf),
}
INTEGERS = {
    "max_leaf_nodes": ("num_leaves", 2, MAX_INT),
    "min_samples_leaf": ("min_data_in_leaf", 1, MAX_INT),
    "max_bins": ("max_bin", 2, 2**16 - 1),
}
# Those where a number up to 0 stands for no limit.
LIMITS = {"max_depth": "max_depth", "max_drop": "max_drop"}
SWITCHES = {"extra_trees": "extra_trees", "linear_leaves": "linear_tree"}


def from_lightgbm(
    model: Any,
    *,
    num_iteration: int | None = None,
    feature_names: Any = None,
    category_columns: Any = None,
) -> HistGradientBoostingClassifier | HistGradientBoostingRegressor:
    """Return a fitted estimator that predicts as a model of LightGBM does.

    Categories are known by value: those of pandas' columns by what pandas called them,
    others by the integers that LightGBM had of them.

    Parameters
    ----------
    model : path, str, lightgbm.Booster, lightgbm.LGBMModel
        The file of a model, its text (what has several lines), a booster, or a fitted
        estimator, whose classes are kept.
    num_iteration : int or None, default=None
        Take the first iterations only. None takes those that LightGBM itself predicts
        with: up to the best one if training stopped early, else all, as do numbers up
        to 0.
    feature_names : list of str or None, default=None
        Names of the columns. By default those of the model, in which LightGBM has
        replaced white space by underscores.
    category_columns : list of int or str or None, default=None
        The columns that were of pandas' type 'category' in training, in their order:
        only where the model leaves open which ones they were, which an error says.

    Returns
    -------
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor
        Raw scores are LightGBM's, times `sigmoid` if that was not 1 (they are
        log-odds here). A row with an infinite value in a linear model of a leaf gets
        the leaf's constant, where LightGBM's prediction is infinite or NaN.

    Raises
    ------
    ValueError
        If the text is no model of LightGBM, is damaged, or has an objective that we do
        not have.
    """
    text, classes = _read_source(model, num_iteration)
    source = parse_text(text)
    header = source.header
    n_features = header.read_int("max_feature_idx", 0, MAX_INT) + 1
    names = _choose_names(header, n_features, feature_names)
    objective = read_objective(source, classes)
    n_outputs = header.read_int("num_tree_per_iteration", 1, MAX_INT)
    if n_outputs != objective.loss.n_outputs:
        raise ValueError(
            f"The LightGBM model has num_tree_per_iteration={n_outputs}, expected "
            f"{objective.loss.n_outputs} for its objective {objective.text!r}."
        )
    trees = [parse_tree(section, n_features) for section in source.trees]
    trees = trees[: _count_trees(len(trees), n_outputs, num_iteration)]
    columns = read_columns(
        header.read_words("feature_infos", n_features), collect_codes(trees)
    )
    categories = read_categories(
        columns,
        source.pandas_categories,
        _find_positions(category_columns, names, n_features),
    )
    levels = categories.levels
    check_linear(trees, columns)
    zero_columns = find_zero_columns(trees, levels)
    codes = {
        j: {code: i for i, code in enumerate(levels[j])} for j in categories.integers
    }
    estimator = objective.estimator
    estimator.set_params(
        max_iter=max(1, len(trees) // n_outputs),
        **_read_parameters(source.parameters),
    )
    if categories.integers:
        is_categorical = [j for j in range(n_features) if levels[j] is not None]
        estimator.set_params(categorical_features=is_categorical)
    return assemble(
        estimator,
        [
            convert_tree(tree, levels, codes, zero_columns, objective.scale)
            for tree in trees
        ],
        init_score=np.zeros(n_outputs),
        loss=objective.loss,
        n_features=n_features,
        feature_names=names,
        levels=levels,
        classes=objective.classes,
        columns=(
            SourceColumns(n_features, zero_is_missing=sorted(zero_columns))
            if zero_columns
            else None
        ),
        is_average="average_output" in header,
        truncated=categories.integers,
    )


# ---- the source ----------------------------------------------------------------------


def _read_source(model, num_iteration):
    """Return the text of a model and the user's classes, None if it knows none."""
    if isinstance(model, str) and "\n" in model:
        return model, None
    if isinstance(model, str | os.PathLike):
        return Path(model).read_bytes().decode("utf-8", errors="replace"), None
    classes = None
    if hasattr(type(model), "booster_"):
        booster = model.booster_
        if hasattr(type(model), "classes_"):
            classes = np.asarray(model.classes_)
    else:
        booster = model
    if not hasattr(booster, "model_to_string"):
        raise TypeError(
            "model must be the path or the text of a model of LightGBM, a Booster or "
            f"an estimator of lightgbm, got {type(model).__module__}."
            f"{type(model).__name__}."
        )
    return booster.model_to_string(num_iteration=num_iteration), classes


def _count_trees(n_trees, n_outputs, num_iteration):
    """Return how many of the trees are used."""
    if n_trees % n_outputs != 0:
        raise ValueError(
            f"The LightGBM model has {n_trees} trees, no multiple of its "
            f"{n_outputs} trees an iteration."
        )
    if num_iteration is None or num_iteration <= 0:
        return n_trees
    return min(n_trees, num_iteration * n_outputs)


def _choose_names(header, n_features, feature_names):
    """Return the names of columns; None where LightGBM had to make them up."""
    if feature_names is None:
        names = header.read_words("feature_names", n_features)
        is_made_up = names == [f"Column_{j}" for j in range(n_features)]
        return None if is_made_up else names
    names = list(feature_names)
    if len(names) != n_features:
        raise ValueError(
            f"feature_names has {len(names)} names, the LightGBM model has "
            f"{n_features} columns."
        )
    return names


def _find_positions(columns, names, n_features):
    """Return the positions of columns given by position or name; None if none are."""
    if columns is None:
        return None
    positions = []
    for column in columns:
        if isinstance(column, str):
            if names is None or column not in names:
                raise ValueError(
                    f"category_columns has {column!r}, which is no column of the model."
                )
            column = names.index(column)
        if not 0 <= column < n_features:
            raise ValueError(
                f"category_columns has {column!r}, expected positions from 0 to "
                f"{n_features - 1}."
            )
        positions.append(int(column))
    if positions != sorted(set(positions)):
        raise ValueError("category_columns must be in the order of the columns.")
    return positions


# ---- parameters ----------------------------------------------------------------------


def _read_parameters(parameters):
    """Return parameters of training by our names, where theirs mean the same."""
    found = {}
    for name, (theirs, low, high) in NUMBERS.items():
        if theirs in parameters:
            found[name] = float(np.clip(parameters.read_float(theirs), low, high))
    for name, (theirs, low, high) in INTEGERS.items():
        if theirs in parameters:
            value = parameters.read_int(theirs, -MAX_INT, MAX_INT)
            found[name] = min(max(value, low), high)
    for name, theirs in LIMITS.items():
        if theirs in parameters:
            value = parameters.read_int(theirs, -MAX_INT, MAX_INT)
            found[name] = value if value > 0 else None
    if "boosting" in parameters:
        found["boosting"] = BOOSTING.get(parameters.get("boosting"), "plain")
    if "bagging_freq" in parameters and parameters.read_int("bagging_freq", 0, MAX_INT):
        found["subsample"] = float(
            np.clip(parameters.read_float("bagging_fraction"), 1e-6, 1)
        )
    for name, theirs in SWITCHES.items():
        if theirs in parameters:
            found[name] = parameters.read_int(theirs, 0, 1) == 1
    return found
