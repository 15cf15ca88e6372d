"""Models of CatBoost as fitted estimators of ours."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sklearnx._io.assembly import assemble
from sklearnx._io.catboost.binary import MAGIC, read_binary
from sklearnx._io.catboost.columns import CatBoostColumns
from sklearnx._io.catboost.ctrs import read_ctrs, refuse_ambiguous
from sklearnx._io.catboost.features import read_features
from sklearnx._io.catboost.fields import check, get, get_objects, read_numbers, refuse
from sklearnx._io.catboost.hashes import HashEncoder
from sklearnx._io.catboost.objective import read_objective
from sklearnx._io.catboost.trees import Splits, read_trees
from sklearnx._io.source_columns import SourceColumns
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.ensemble._base import MAX_BINS

GROW_POLICIES = {
    "SymmetricTree": "symmetric",
    "Depthwise": "depthwise",
    "Lossguide": "leafwise",
}


def from_catboost(
    model: Any,
) -> HistGradientBoostingClassifier | HistGradientBoostingRegressor:
    """Turn a model of CatBoost into a fitted estimator.

    Predictions are those of CatBoost but for the rounding of sums. Categories are known
    by the hashes of their texts, as in CatBoost, where 1, True and '1' are the same.
    What CatBoost refuses is read as well: floats that are integers as these, and
    missing values as 'nan', the text that Python's ``str`` makes of NaN.

    Importances are CatBoost's own 'PredictionValuesChange', from the gains that the
    weights of the leaves tell.

    Parameters
    ----------
    model : catboost.CatBoost, str, path or dict
        A trained `CatBoost`, `CatBoostClassifier` or `CatBoostRegressor`; or the path
        of a file that its ``save_model`` wrote in the format 'cbm' or 'json'; or the
        text of such JSON, or what ``json`` makes of it. CatBoost need not be installed.

    Returns
    -------
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor
        Fitted. Classes, names of columns and the parameters that both libraries have
        are those of the model. It cannot go on with `warm_start`.

    Raises
    ------
    ValueError
        If the model has texts or embeddings, or a loss that sklearnx does not have, or
        makes no sense. The losses 'MAPE', 'Expectile', 'LogCosh', 'Lq' and 'RMSPE',
        whose predictions are the raw scores, are read as the nearest loss of ours.

    Examples
    --------
    >>> from sklearnx.io import from_catboost  # doctest: +SKIP
    >>> from_catboost("model.json")  # doctest: +SKIP
    HistGradientBoostingClassifier(...)
    """
    model = _read_source(model)
    features = read_features(get(model, "features_info", dict))
    if features.n_features == 0:
        raise refuse("it has no features")
    info = get(model, "model_info", dict, {})
    scale, bias = _read_scale_and_bias(model)
    objective = read_objective(info, len(bias))
    columns, splits = _read_columns(model, features)
    trees = read_trees(
        model, splits, len(bias), lambda values: objective.arrange(values * scale)
    )
    estimator_class = HistGradientBoostingRegressor
    if objective.classes is not None:
        estimator_class = HistGradientBoostingClassifier
    estimator = estimator_class(
        max_iter=max(1, len(trees)),
        **objective.parameters,
        **_read_parameters(info, features),
    )
    estimator._validate_params()
    levels = [None] * features.n_features
    for column in features.categorical_columns.tolist():
        levels[column] = []
    assemble(
        estimator,
        trees,
        init_score=objective.arrange_start(bias),
        loss=objective.loss,
        n_features=features.n_features,
        feature_names=features.names,
        classes=objective.classes,
        columns=columns,
        encoder=HashEncoder.from_levels(levels, features.n_features),
    )
    estimator._check_model()
    _refuse_averages(estimator)
    return estimator


# ---- where the model is --------------------------------------------------------------


def _read_source(model):
    """Return what the JSON of a model says."""
    if isinstance(model, dict):
        return _check_json(model)
    if isinstance(model, str) and model.lstrip().startswith("{"):
        return _parse(model, "The text")
    if isinstance(model, str | os.PathLike):
        return _read_file(Path(model))
    catboost = sys.modules.get("catboost")
    if catboost is not None and isinstance(model, catboost.CatBoost):
        return _read_object(model)
    raise TypeError(
        "model must be a CatBoost model, the path of a file that it was saved to, its "
        f"JSON or a dict of it, got {type(model).__name__}."
    )


def _read_file(path):
    content = path.read_bytes()
    if content.startswith(MAGIC):
        return read_binary(content)
    return _parse(content, str(path))


def _parse(text, name):
    try:
        model = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(
            f"{name} is neither CatBoost's JSON nor in its binary format: {error}"
        ) from error
    return _check_json(check(model, dict, "the whole"))


def _check_json(model):
    refuse_ambiguous(model)
    return model


def _read_object(model):
    if not model.is_fitted():
        raise ValueError(f"This {type(model).__name__} is not trained: call fit first.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path))
        return read_binary(path.read_bytes())


# ---- what is in it -------------------------------------------------------------------


def _read_scale_and_bias(model):
    """Return what sums of leaves are multiplied with, and what is added to each."""
    entry = get(model, "scale_and_bias", list, [1.0, [0.0]])
    if len(entry) != 2:
        raise refuse(f"'scale_and_bias' has {len(entry)} items, expected 2")
    scale, bias = entry
    # Older versions have a number where later ones have a list.
    bias = bias if isinstance(bias, list) else [bias]
    (scale,) = read_numbers([scale], "the scale")
    bias = read_numbers(bias, "the bias")
    n_raw = _count_raw_scores(model) or max(1, len(bias))
    if len(bias) != n_raw:
        if bias.any():
            raise refuse(f"it has {len(bias)} biases, and leaves of {n_raw} values")
        bias = np.zeros(n_raw)
    return scale, bias


def _count_raw_scores(model):
    """Return how many values the first leaf has, None if there is none."""
    for tree in get_objects(model, "oblivious_trees")[:1]:
        n_splits = len(get(tree, "splits", list, []))
        return len(get(tree, "leaf_values", list)) >> n_splits or None
    for node in get_objects(model, "trees")[:1]:
        while "split" in node:
            node = get(node, "left", dict)
        value = node.get("value")
        return len(value) if isinstance(value, list) else 1
    return None


def _read_columns(model, features):
    """Return the columns that trees ask for, and the splits in their order."""
    ctrs, projections = read_ctrs(model, features)
    categories = features.categories
    levels = [
        (category.column, value) for category in categories for value in category.values
    ]
    ctr_texts = [[] for _ in projections]
    for ctr in ctrs:
        ctr_texts[ctr.projection].append((ctr.position, ctr.text))
    if not categories:
        columns = SourceColumns(features.n_features, rounds_to_float32=True)
    else:
        columns = CatBoostColumns(
            features.n_features,
            features.categorical_columns,
            levels,
            [text for category in categories for text in category.texts],
            projections,
            [[text for _, text in sorted(texts)] for texts in ctr_texts],
        )
    n_before = features.n_features
    parts = [
        ("FloatFeature", number.borders, number.column, not number.nan_is_high)
        for number in features.numbers
    ]
    parts += [
        ("OneHotFeature", [value], n_before + i, True)
        for i, (_, value) in enumerate(levels)
    ]
    n_before += len(levels)
    starts = np.cumsum([0, *(len(projection.ctrs) for projection in projections)])
    parts += [
        (
            "OnlineCtr",
            ctr.borders,
            n_before + int(starts[ctr.projection]) + ctr.position,
            True,
        )
        for ctr in ctrs
    ]
    return columns, _make_splits(parts)


def _make_splits(parts):
    """Return the splits, given types, marks, columns and where missing values go."""
    types, marks, columns, missing_left = [], [], [], []
    for type_, of_column, column, is_left in parts:
        n_splits = len(of_column)
        types += [type_] * n_splits
        marks += map(float, of_column)
        columns += [column] * n_splits
        missing_left += [is_left] * n_splits
    # Columns of levels hold 0 and 1.
    thresholds = [
        0.5 if type_ == "OneHotFeature" else mark
        for type_, mark in zip(types, marks, strict=True)
    ]
    return Splits(
        types,
        marks,
        np.array([*columns, -1], dtype=np.int64),
        np.array([*thresholds, 0.0]),
        np.array([*missing_left, False]),
    )


def _refuse_averages(estimator):
    """Have averages over training rows refused, if how many a node has is not known."""
    nodes, stats = estimator._model.nodes, estimator._model.stats
    is_unknown = (nodes["feature"] >= 0) & (stats["n_samples"] == 0)
    estimator._fitted_with_sw = bool(is_unknown.any())


def _read_parameters(info, features):
    """Return the parameters that have the same meaning in both libraries."""
    params = get(info, "params", dict, {})
    boosting = get(params, "boosting_options", dict, {})
    growing = get(params, "tree_learner_options", dict, {})
    processing = get(params, "data_processing_options", dict, {})
    binning = get(processing, "float_features_binarization", dict, {})
    policy = get(growing, "grow_policy", str, "SymmetricTree")
    if policy not in GROW_POLICIES:
        raise refuse(
            f"'grow_policy' is {policy!r}, expected one of {', '.join(GROW_POLICIES)}"
        )
    columns = features.categorical_columns.tolist()
    max_leaves = get(growing, "max_leaves", int, 31)
    return {
        "learning_rate": _get_single(boosting, "learning_rate", 0.1),
        "grow_policy": GROW_POLICIES[policy],
        "max_depth": get(growing, "depth", int, 6),
        "max_leaf_nodes": max_leaves if policy == "Lossguide" else None,
        "min_samples_leaf": get(growing, "min_data_in_leaf", int, 1),
        "l2_regularization": _get_single(growing, "l2_leaf_reg", 3.0),
        "max_bins": min(get(binning, "border_count", int, 254) + 1, MAX_BINS),
        "categorical_features": columns or None,
    }


def _get_single(parent, key, default):
    """Return a number of single precision as the user wrote it."""
    return float(str(np.float32(get(parent, key, float, default))))
