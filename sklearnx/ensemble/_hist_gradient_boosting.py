"""Gradient boosting of histogram trees, with scikit-learn's API."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn import ensemble as sklearn_ensemble
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from sklearnx._boosting.losses import make_loss
from sklearnx._boosting.multi_output import MultiOutputLoss
from sklearnx._compat import Interval, StrOptions, check_y
from sklearnx.ensemble._base import BaseHistGradientBoosting, check_weights
from sklearnx.ensemble._docs import document

# Labels that span no more are encoded by a table.
MAX_SPAN_OF_LABELS = 1 << 10


@document
class HistGradientBoostingRegressor(
    BaseHistGradientBoosting, sklearn_ensemble.HistGradientBoostingRegressor
):
    _parameter_constraints: dict = {
        **BaseHistGradientBoosting._parameter_constraints,
        "loss": [
            StrOptions(
                {
                    "squared_error",
                    "absolute_error",
                    "huber",
                    "quantile",
                    "poisson",
                    "gamma",
                    "tweedie",
                }
            ),
            *BaseHistGradientBoosting._parameter_constraints["loss"],
        ],
        "quantile": [Interval(Real, 0, 1, closed="both"), None],
        "power": [Interval(Real, 1, 2, closed="neither")],
    }

    def __init__(
        self,
        loss="squared_error",
        *,
        quantile=None,
        learning_rate=0.1,
        max_iter=100,
        max_leaf_nodes=31,
        max_depth=None,
        min_samples_leaf=20,
        l2_regularization=0.0,
        max_features=1.0,
        max_bins=255,
        categorical_features="from_dtype",
        monotonic_cst=None,
        interaction_cst=None,
        warm_start=False,
        early_stopping="auto",
        scoring="loss",
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-7,
        verbose=0,
        random_state=None,
        power=1.5,
        n_jobs=None,
        handle_unknown="missing",
        eval_metrics=None,
        l1_regularization=0.0,
        min_split_gain=0.0,
        min_child_weight=1e-3,
        max_delta_step=0.0,
        path_smoothing=0.0,
        extra_trees=False,
        subsample=1.0,
        sampling="uniform",
        colsample_bytree=1.0,
        feature_weights=None,
        boosting="plain",
        drop_rate=0.1,
        skip_drop=0.5,
        max_drop=50,
        linear_leaves=False,
        linear_l2_regularization=0.0,
        snapshot=None,
        snapshot_interval=10,
        grow_policy="leafwise",
        restore_best=False,
        categorical_encoding="partition",
    ):
        self.loss = loss
        self.quantile = quantile
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_features = max_features
        self.max_bins = max_bins
        self.categorical_features = categorical_features
        self.monotonic_cst = monotonic_cst
        self.interaction_cst = interaction_cst
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.power = power
        self.n_jobs = n_jobs
        self.handle_unknown = handle_unknown
        self.eval_metrics = eval_metrics
        self.l1_regularization = l1_regularization
        self.min_split_gain = min_split_gain
        self.min_child_weight = min_child_weight
        self.max_delta_step = max_delta_step
        self.path_smoothing = path_smoothing
        self.extra_trees = extra_trees
        self.subsample = subsample
        self.sampling = sampling
        self.colsample_bytree = colsample_bytree
        self.feature_weights = feature_weights
        self.boosting = boosting
        self.drop_rate = drop_rate
        self.skip_drop = skip_drop
        self.max_drop = max_drop
        self.linear_leaves = linear_leaves
        self.linear_l2_regularization = linear_l2_regularization
        self.snapshot = snapshot
        self.snapshot_interval = snapshot_interval
        self.grow_policy = grow_policy
        self.restore_best = restore_best
        self.categorical_encoding = categorical_encoding

    def _check_y(self, y):
        return check_y(y, estimator=self, multi_output=has_columns(y))

    def _encode_y(self, y):
        self.n_trees_per_iteration_ = 1
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        # By column, as losses read it.
        return np.asfortranarray(y, dtype=np.float64)

    def _encode_y_val(self, y):
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        if n_outputs != self.n_outputs_:
            raise ValueError(
                f"y of rows that are not trained on has {n_outputs} columns, that of "
                f"the training rows has {self.n_outputs_}."
            )
        y = np.asfortranarray(y, dtype=np.float64)
        self._loss.check_target(y)
        return y

    def _make_loss(self, y):
        make = partial(make_loss, self.loss, quantile=self.quantile, power=self.power)
        loss = make() if self.n_outputs_ == 1 else MultiOutputLoss(make, y.shape[1])
        loss.check_target(y)
        return loss

    def predict(
        self, X: Any, *, init_score: Any = None, n_iter: int | None = None
    ) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Data.
        init_score : array-like of shape (n_samples,) or (n_samples, n_outputs), \
                default=None
            Raw scores that the model is added to, see `fit`.
        n_iter : int, default=None
            Use the first `n_iter` iterations only, at least 0.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions on the scale of the target.
        """
        raw = self._raw_predict(X, init_score=init_score, n_iter=n_iter)
        return self._loss.inverse_link(raw.T)

    def staged_predict(self, X: Any, *, init_score: Any = None) -> Iterator[np.ndarray]:
        """Predict the target after each iteration.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Data.
        init_score : array-like of shape (n_samples,) or (n_samples, n_outputs), \
                default=None
            Raw scores that the model is added to, see `fit`.

        Yields
        ------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions of the first iterations.
        """
        for raw in self._staged_raw_predict(X, init_score):
            yield self._loss.inverse_link(raw.T)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # What `_check_outputs` refuses.
        tags.target_tags.multi_output = (
            not self.linear_leaves and self.monotonic_cst is None
        )
        return tags


@document
class HistGradientBoostingClassifier(
    BaseHistGradientBoosting, sklearn_ensemble.HistGradientBoostingClassifier
):
    _parameter_constraints: dict = {
        **BaseHistGradientBoosting._parameter_constraints,
        "loss": [
            StrOptions({"log_loss"}),
            *BaseHistGradientBoosting._parameter_constraints["loss"],
        ],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        loss="log_loss",
        *,
        learning_rate=0.1,
        max_iter=100,
        max_leaf_nodes=31,
        max_depth=None,
        min_samples_leaf=20,
        l2_regularization=0.0,
        max_features=1.0,
        max_bins=255,
        categorical_features="from_dtype",
        monotonic_cst=None,
        interaction_cst=None,
        warm_start=False,
        early_stopping="auto",
        scoring="loss",
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-7,
        verbose=0,
        random_state=None,
        class_weight=None,
        n_jobs=None,
        handle_unknown="missing",
        eval_metrics=None,
        l1_regularization=0.0,
        min_split_gain=0.0,
        min_child_weight=1e-3,
        max_delta_step=0.0,
        path_smoothing=0.0,
        extra_trees=False,
        subsample=1.0,
        sampling="uniform",
        colsample_bytree=1.0,
        feature_weights=None,
        boosting="plain",
        drop_rate=0.1,
        skip_drop=0.5,
        max_drop=50,
        linear_leaves=False,
        linear_l2_regularization=0.0,
        snapshot=None,
        snapshot_interval=10,
        grow_policy="leafwise",
        restore_best=False,
        categorical_encoding="partition",
    ):
        self.loss = loss
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_features = max_features
        self.max_bins = max_bins
        self.categorical_features = categorical_features
        self.monotonic_cst = monotonic_cst
        self.interaction_cst = interaction_cst
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.handle_unknown = handle_unknown
        self.eval_metrics = eval_metrics
        self.l1_regularization = l1_regularization
        self.min_split_gain = min_split_gain
        self.min_child_weight = min_child_weight
        self.max_delta_step = max_delta_step
        self.path_smoothing = path_smoothing
        self.extra_trees = extra_trees
        self.subsample = subsample
        self.sampling = sampling
        self.colsample_bytree = colsample_bytree
        self.feature_weights = feature_weights
        self.boosting = boosting
        self.drop_rate = drop_rate
        self.skip_drop = skip_drop
        self.max_drop = max_drop
        self.linear_leaves = linear_leaves
        self.linear_l2_regularization = linear_l2_regularization
        self.snapshot = snapshot
        self.snapshot_interval = snapshot_interval
        self.grow_policy = grow_policy
        self.restore_best = restore_best
        self.categorical_encoding = categorical_encoding

    def _finalize_sample_weight(self, sample_weight, y):
        """Multiply the weights of rows by those of their classes."""
        if self.class_weight is None:
            return sample_weight
        class_weight = compute_sample_weight(
            self.class_weight, self.classes_[y.astype(np.intp)]
        )
        if sample_weight is not None:
            class_weight = sample_weight * class_weight
        check_weights(class_weight)
        return class_weight

    def _encode_y(self, y):
        """Set `classes_` and return the position of each row's class in it."""
        self._label_encoder = LabelEncoder()
        if _are_small_integers(y):
            encoded, self._label_encoder.classes_ = _encode_small_integers(y)
        else:
            check_classification_targets(y)
            encoded = self._label_encoder.fit_transform(y).astype(np.float64)
        self.classes_ = self._label_encoder.classes_
        n_classes = len(self.classes_)
        self.n_trees_per_iteration_ = 1 if n_classes <= 2 else n_classes
        return encoded

    def _encode_y_val(self, y):
        return self._label_encoder.transform(y).astype(np.float64)

    def _make_level_targets(self, y):
        n_classes = len(self.classes_)
        if n_classes <= 2:
            return super()._make_level_targets(y)
        return (y[:, np.newaxis] == np.arange(n_classes)).astype(np.float64)

    def _make_loss(self, y):
        return make_loss(self.loss, n_classes=max(2, len(self.classes_)))

    def _choose_classes(self, raw):
        """Return the most probable class of each row; of equal ones the first."""
        if raw.shape[1] == 1:
            return self.classes_[(raw[:, 0] > 0).astype(np.intp)]
        return self.classes_[np.argmax(raw, axis=1)]

    def _compute_probabilities(self, raw):
        probabilities = self._loss.predict_proba(raw.T)
        return probabilities[:, : len(self.classes_)]

    def predict(
        self,
        X: Any,
        *,
        init_score: Any = None,
        n_iter: int | None = None,
        exit_margin: float | None = None,
    ) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Data.
        init_score : array-like of shape (n_samples,) or (n_samples, n_classes), \
                default=None
            Raw scores that the model is added to, see `fit`.
        n_iter : int, default=None
            Use the first `n_iter` iterations only, at least 0.
        exit_margin : float, default=None
            Spare a row the remaining iterations once its class is clear: every tenth
            iteration, rows are left with their scores if those are further from 0 (of
            more than two classes: the largest from the second) than this. None uses all
            iterations. Not for averages of trees (``boosting='random_forest'``).

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes.
        """
        return self._choose_classes(
            self._raw_predict(
                X, init_score=init_score, n_iter=n_iter, exit_margin=exit_margin
            )
        )

    def predict_proba(
        self,
        X: Any,
        *,
        init_score: Any = None,
        n_iter: int | None = None,
        exit_margin: float | None = None,
    ) -> np.ndarray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Data.
        init_score, n_iter, exit_margin
            As in `predict`.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.
        """
        return self._compute_probabilities(
            self._raw_predict(
                X, init_score=init_score, n_iter=n_iter, exit_margin=exit_margin
            )
        )

    def decision_function(
        self,
        X: Any,
        *,
        init_score: Any = None,
        n_iter: int | None = None,
        exit_margin: float | None = None,
    ) -> np.ndarray:
        """Compute the raw scores: sums of the trees' values.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Data.
        init_score, n_iter, exit_margin
            As in `predict`.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of the second class if there are two, else a score for each.
        """
        raw = self._raw_predict(
            X, init_score=init_score, n_iter=n_iter, exit_margin=exit_margin
        )
        return raw.ravel() if raw.shape[1] == 1 else raw

    def staged_predict(self, X: Any, *, init_score: Any = None) -> Iterator[np.ndarray]:
        """Predict classes after each iteration.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Data.
        init_score
            As in `predict`.

        Yields
        ------
        y : ndarray of shape (n_samples,)
            Classes by the first iterations.
        """
        for raw in self._staged_raw_predict(X, init_score):
            yield self._choose_classes(raw)

    def staged_predict_proba(
        self, X: Any, *, init_score: Any = None
    ) -> Iterator[np.ndarray]:
        """Predict the probabilities of the classes after each iteration.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Data.
        init_score
            As in `predict`.

        Yields
        ------
        p : ndarray of shape (n_samples, n_classes)
            Probabilities by the first iterations.
        """
        for raw in self._staged_raw_predict(X, init_score):
            yield self._compute_probabilities(raw)

    def staged_decision_function(
        self, X: Any, *, init_score: Any = None
    ) -> Iterator[np.ndarray]:
        """Compute the raw scores after each iteration.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Data.
        init_score
            As in `predict`.

        Yields
        ------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Raw scores of the first iterations.
        """
        for raw in self._staged_raw_predict(X, init_score):
            yield raw.ravel() if raw.shape[1] == 1 else raw


def _are_small_integers(y):
    """Return whether labels are integers so near each other that none is to be sorted.

    If they are fewer than half of the rows: of more classes scikit-learn warns.
    """
    if y.dtype.kind not in "biu" or y.dtype == np.uint64 or len(y) == 0:
        return False
    return int(y.max()) - int(y.min()) < min(MAX_SPAN_OF_LABELS, len(y) // 2)


def _encode_small_integers(y):
    """Return the position of each row's class among the classes, and these."""
    shifted = y.astype(np.int64)
    low = shifted.min()
    shifted -= low
    occurs = np.bincount(shifted) > 0
    classes = (np.flatnonzero(occurs) + low).astype(y.dtype)
    if len(classes) == len(occurs):
        return shifted.astype(np.float64), classes
    return (np.cumsum(occurs) - 1.0)[shifted], classes


def has_columns(y):
    """Return whether a target has several columns; those of one are scikit-learn's."""
    if issparse(y):
        return False
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1
