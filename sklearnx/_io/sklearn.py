"""scikit-learn's models as ours: gradient boosting here, linear models beside it."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn import ensemble as sklearn_ensemble
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.utils.validation import check_is_fitted

from sklearnx._boosting.frames import is_missing
from sklearnx._boosting.losses import make_loss
from sklearnx._io.assembly import assemble
from sklearnx._io.bitsets import read_bitset
from sklearnx._io.sklearn_linear import find_our_class, read_linear_model
from sklearnx._io.source_columns import SourceColumns
from sklearnx._io.source_trees import SourceTree
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

HISTOGRAM_MODELS = (
    sklearn_ensemble.HistGradientBoostingClassifier,
    sklearn_ensemble.HistGradientBoostingRegressor,
)
EXACT_MODELS = (
    sklearn_ensemble.GradientBoostingClassifier,
    sklearn_ensemble.GradientBoostingRegressor,
)
# Of GradientBoosting*, the losses that we have.
EXACT_LOSSES = ("squared_error", "absolute_error", "huber", "quantile", "log_loss")


def from_sklearn(model: Any) -> Any:
    """Return a fitted estimator that predicts as one of scikit-learn does.

    Parameters
    ----------
    model : estimator
        A fitted `HistGradientBoostingClassifier`, `HistGradientBoostingRegressor`,
        `GradientBoostingClassifier` or `GradientBoostingRegressor` of
        `sklearn.ensemble`, or an estimator of `sklearn.linear_model` that
        `sklearnx.linear_model` has as well.

    Returns
    -------
    estimator : HistGradientBoostingClassifier, HistGradientBoostingRegressor or \
            estimator of the same name
        With the parameters of the model that mean the same. Boosting takes missing
        values where `GradientBoosting*` refuse them: they go right, as the largest.

    Raises
    ------
    TypeError
        If the model is another one.
    ValueError
        If it has a loss that we do not have, starts from another estimator than a
        constant one, or is a logistic regression of one class against all others.
    NotFittedError
        If it is not fitted.
    """
    if find_our_class(model) is not None:
        return read_linear_model(model)
    is_ours = type(model).__module__.startswith("sklearnx.")
    if is_ours or not isinstance(model, HISTOGRAM_MODELS + EXACT_MODELS):
        raise TypeError(
            "model must be a HistGradientBoosting* or GradientBoosting* estimator of "
            "sklearn.ensemble or one of sklearn.linear_model that sklearnx has, got "
            f"{type(model).__module__}.{type(model).__name__}."
        )
    check_is_fitted(model)
    if isinstance(model, HISTOGRAM_MODELS):
        return _read_histogram_model(model)
    return _read_exact_model(model)


def _make_estimator(model, parameters):
    """Return one of ours, not fitted, with these parameters."""
    estimator = (
        HistGradientBoostingClassifier()
        if is_classifier(model)
        else HistGradientBoostingRegressor()
    )
    return estimator.set_params(**parameters)


def _get_n_classes(model):
    return max(2, len(model.classes_)) if is_classifier(model) else None


# ---- HistGradientBoosting* -----------------------------------------------------------


def _read_histogram_model(model):
    estimator = _make_estimator(model, {})
    # Copies of all parameters: they mean the same, but for the trees of a warm start.
    parameters = clone(model).get_params()
    parameters.update(max_iter=max(1, len(model._predictors)), warm_start=False)
    estimator.set_params(**parameters)
    places, levels = _read_columns(model)
    estimator = assemble(
        estimator,
        [
            _read_predictor(predictor, places, levels)
            for iteration in model._predictors
            for predictor in iteration
        ],
        init_score=model._baseline_prediction[0],
        loss=make_loss(
            parameters["loss"],
            n_classes=_get_n_classes(model),
            quantile=parameters.get("quantile"),
        ),
        n_features=model.n_features_in_,
        feature_names=getattr(model, "feature_names_in_", None),
        levels=levels,
        classes=getattr(model, "classes_", None),
    )
    # Set by those alone that were fitted with weights.
    estimator._fitted_with_sw = getattr(model, "_fitted_with_sw", False)
    return estimator


def _read_columns(model):
    """Return which column each feature of the trees is, and the levels by column."""
    n_features = model.n_features_in_
    if model.is_categorical_ is None:
        return np.arange(n_features), None
    # The preprocessor puts categorical columns before all others.
    is_categorical = np.asarray(model.is_categorical_)
    categorical = np.flatnonzero(is_categorical)
    places = np.append(categorical, np.flatnonzero(~is_categorical))
    levels = [None] * n_features
    encoder = model._preprocessor.named_transformers_["encoder"]
    for place, categories in zip(categorical, encoder.categories_, strict=True):
        # Missing values are the last of the encoder's categories.
        levels[place] = [c for c in categories.tolist() if not is_missing(c)]
    return places, levels


def _read_predictor(predictor, places, levels):
    """Return the SourceTree of a TreePredictor."""
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    feature = places[np.where(is_leaf, 0, nodes["feature_idx"])]
    codes = {}
    for node in np.flatnonzero(~is_leaf & (nodes["is_categorical"] == 1)).tolist():
        words = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
        codes[node] = read_bitset(words, len(levels[feature[node]]))
    return SourceTree(
        left=np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
        feature=feature,
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=nodes["value"],
        levels=codes,
        gain=nodes["gain"],
        n_samples=nodes["count"],
    )


# ---- GradientBoosting* ---------------------------------------------------------------


def _read_exact_model(model):
    if model.loss not in EXACT_LOSSES:
        raise ValueError(
            f"{type(model).__name__} was fitted with loss={model.loss!r}, which "
            "sklearnx does not have."
        )
    parameters = _read_exact_parameters(model)
    n_features = model.n_features_in_
    return assemble(
        _make_estimator(model, parameters),
        [
            _read_regression_tree(tree.tree_, model.learning_rate)
            for tree in model.estimators_.ravel()
        ],
        init_score=_read_init_score(model),
        loss=make_loss(
            model.loss,
            n_classes=_get_n_classes(model),
            quantile=parameters.get("quantile"),
        ),
        n_features=n_features,
        feature_names=getattr(model, "feature_names_in_", None),
        classes=getattr(model, "classes_", None),
        columns=SourceColumns(n_features, rounds_to_float32=True),
    )


def _read_exact_parameters(model):
    """Return the parameters that mean the same to us."""
    parameters = {
        "loss": model.loss,
        "max_iter": len(model.estimators_),
        "max_depth": model.max_depth,
        "max_leaf_nodes": model.max_leaf_nodes,
        "subsample": model.subsample,
        "early_stopping": model.n_iter_no_change is not None,
        "validation_fraction": model.validation_fraction,
        "tol": model.tol,
        "random_state": model.random_state,
    }
    if model.learning_rate > 0:
        parameters["learning_rate"] = model.learning_rate
    if model.n_iter_no_change is not None:
        parameters["n_iter_no_change"] = model.n_iter_no_change
    if isinstance(model.min_samples_leaf, Integral):
        parameters["min_samples_leaf"] = model.min_samples_leaf
    if isinstance(model.max_features, float):
        parameters["max_features"] = model.max_features
    if model.loss in ("huber", "quantile"):
        parameters["quantile"] = model.alpha
    return parameters


def _read_init_score(model):
    """Return the raw scores before the first tree."""
    init = model.init_
    is_constant = isinstance(init, str | DummyRegressor) or (
        isinstance(init, DummyClassifier) and init.strategy != "stratified"
    )
    if not is_constant:
        raise ValueError(
            f"{type(model).__name__} starts from the predictions of init={init!r}; "
            "models of sklearnx start from a constant. Take those predictions off the "
            "target and fit with init='zero'."
        )
    return model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))[0]


def _read_regression_tree(tree, learning_rate):
    """Return the SourceTree of a tree of `sklearn.tree`."""
    is_split = tree.children_left >= 0
    weight = tree.weighted_n_node_samples
    error = weight * tree.impurity
    gain = np.zeros(tree.node_count)
    gain[is_split] = error[is_split] - (
        error[tree.children_left[is_split]] + error[tree.children_right[is_split]]
    )
    return SourceTree(
        left=tree.children_left,
        right=tree.children_right,
        feature=np.where(is_split, tree.feature, 0),
        threshold=tree.threshold,
        missing_left=np.zeros(tree.node_count, dtype=bool),
        value=learning_rate * tree.value[:, 0, 0],
        gain=np.maximum(gain, 0),
        sum_hessians=weight,
        n_samples=tree.n_node_samples,
    )
