"""Our boosting and its peers as their users call them, with and without early stopping.

Besides rounds and rates, each library keeps its defaults.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass, replace
from inspect import signature
from itertools import islice
from typing import Any

import numpy as np

from benchmarks._boosters import (
    fill_missing_levels,
    find_categories,
    group_rare_levels,
    keep_known_levels,
    make_catboost,
    make_hist_gradient_boosting,
    make_lightgbm,
    make_xgboost,
)


@dataclass(frozen=True)
class Mode:
    """How long a model is trained: ``patience`` of None means all of ``n_rounds``."""

    name: str
    n_rounds: int
    learning_rate: float
    patience: int | None = None

    def shortened(self, n_rounds):
        """Return the mode with no more rounds than that."""
        return replace(self, n_rounds=min(n_rounds, self.n_rounds))


MODES = {
    mode.name: mode
    for mode in (Mode("matched", 200, 0.1), Mode("stopped", 1500, 0.05, patience=50))
}


@dataclass(frozen=True)
class Fitted:
    """A model, and how many of its rounds it predicts with."""

    model: Any
    n_rounds: int


class Library:
    """How a library is told what to do.

    Attributes
    ----------
    distributions : tuple of str
        Names under which it may be installed.
    options : dict
        Parameters beside those of the mode.
    """

    distributions: tuple[str, ...] = ()

    def __init__(self, **options):
        self.options = options

    def find_version(self):
        """The version that is installed, None if none is."""
        for name in self.distributions:
            try:
                return importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        return None

    def find_obstacle(self, mode):
        """Why the library cannot be measured in a mode, None if it can."""
        return "not installed" if self.find_version() is None else None

    def prepare(self, X_train, *others):
        """The frames as the library needs them; as they are if it can take them."""
        return X_train, *others

    def fit(self, task, mode, split, n_threads):
        """Fit `split.train`, stopped by `split.validation` if the mode says so."""
        raise NotImplementedError

    def predict(self, fitted, task, X):
        method = "predict_proba" if task == "classification" else "predict"
        return getattr(fitted.model, method)(X)


class _HistGradientBoosting(Library):
    """What ours and scikit-learn's have in common."""

    family = "HistGradientBoosting"

    def _make(self, module, task, mode, **more):
        more["early_stopping"] = mode.patience is not None
        if mode.patience is not None:
            more["n_iter_no_change"] = mode.patience
        return make_hist_gradient_boosting(
            module,
            task,
            self.family,
            max_iter=mode.n_rounds,
            learning_rate=mode.learning_rate,
            random_state=0,
            **{**more, **self.options},
        )

    def _fit(self, model, split):
        rows = {}
        if split.validation is not None:
            rows = {
                "X_val": split.validation.X,
                "y_val": split.validation.y,
                "sample_weight_val": split.validation.weight,
            }
        train = split.train
        return model.fit(train.X, train.y, sample_weight=train.weight, **rows)


class Ours(_HistGradientBoosting):
    """The estimators with nothing to tune."""

    distributions = ("sklearnx",)
    family = "Boosting"

    def fit(self, task, mode, split, n_threads):
        import sklearnx.ensemble

        more = {"n_jobs": n_threads, "restore_best": mode.patience is not None}
        model = self._make(sklearnx.ensemble, task, mode, **more)
        self._fit(model, split)
        return Fitted(model, model.n_iter_)


class ScikitLearn(_HistGradientBoosting):
    distributions = ("scikit-learn",)

    def find_obstacle(self, mode):
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.utils.validation import has_fit_parameter

        takes_rows = has_fit_parameter(HistGradientBoostingRegressor(), "X_val")
        if mode.patience is not None and not takes_rows:
            return "this version takes no rows to stop by"
        return super().find_obstacle(mode)

    def prepare(self, X_train, *others):
        return group_rare_levels(X_train, *others)

    def fit(self, task, mode, split, n_threads):
        import sklearn.ensemble
        from threadpoolctl import threadpool_limits

        model = self._make(sklearn.ensemble, task, mode)
        with threadpool_limits(n_threads, user_api="openmp"):
            self._fit(model, split)
        n_rounds = model.n_iter_
        if mode.patience is not None:
            # It keeps all of them.
            n_rounds = max(int(np.argmax(model.validation_score_)), 1)
        return Fitted(model, n_rounds)

    def predict(self, fitted, task, X):
        if fitted.n_rounds == fitted.model.n_iter_:
            return super().predict(fitted, task, X)
        method = "predict_proba" if task == "classification" else "predict"
        stages = getattr(fitted.model, f"staged_{method}")(X)
        return next(islice(stages, fitted.n_rounds - 1, None))


class LightGBM(Library):
    distributions = ("lightgbm",)

    def fit(self, task, mode, split, n_threads):
        import lightgbm

        model = make_lightgbm(
            task,
            n_estimators=mode.n_rounds,
            learning_rate=mode.learning_rate,
            n_jobs=n_threads,
            **self.options,
        )
        more = {}
        if split.validation is not None:
            validation = split.validation
            more = {
                "eval_sample_weight": [validation.weight],
                "callbacks": [lightgbm.early_stopping(mode.patience, verbose=False)],
            }
            if "eval_X" in signature(model.fit).parameters:
                more.update(eval_X=validation.X, eval_y=validation.y)
            else:  # before 4.7
                more["eval_set"] = [(validation.X, validation.y)]
        train = split.train
        model.fit(train.X, train.y, sample_weight=train.weight, **more)
        return Fitted(model, model.best_iteration_ or mode.n_rounds)


class XGBoost(Library):
    distributions = ("xgboost-cpu", "xgboost")

    def prepare(self, X_train, *others):
        # A level that is new in other rows raises.
        return X_train, *(keep_known_levels(X_train, X) for X in others)

    def fit(self, task, mode, split, n_threads):
        model = make_xgboost(
            task,
            n_estimators=mode.n_rounds,
            learning_rate=mode.learning_rate,
            n_jobs=n_threads,
            early_stopping_rounds=mode.patience,
            **self.options,
        )
        more = {}
        if split.validation is not None:
            more["eval_set"] = [(split.validation.X, split.validation.y)]
            if split.validation.weight is not None:
                more["sample_weight_eval_set"] = [split.validation.weight]
        train = split.train
        model.fit(train.X, train.y, sample_weight=train.weight, verbose=False, **more)
        if mode.patience is None:
            return Fitted(model, mode.n_rounds)
        return Fitted(model, model.best_iteration + 1)


class CatBoost(Library):
    distributions = ("catboost",)

    def prepare(self, X_train, *others):
        return tuple(fill_missing_levels(X) for X in (X_train, *others))

    def fit(self, task, mode, split, n_threads):
        import catboost

        model = make_catboost(
            task,
            n_estimators=mode.n_rounds,
            learning_rate=mode.learning_rate,
            thread_count=n_threads,
            **self.options,
        )

        def make_pool(rows):
            return catboost.Pool(
                rows.X,
                rows.y,
                weight=rows.weight,
                cat_features=find_categories(rows.X),
            )

        more = {}
        if split.validation is not None:
            more = {
                "eval_set": make_pool(split.validation),
                "early_stopping_rounds": mode.patience,
                "use_best_model": True,
            }
        model.fit(make_pool(split.train), **more)
        return Fitted(model, model.tree_count_)


OURS = "sklearnx"
LIBRARIES = {
    OURS: Ours(),
    "LightGBM": LightGBM(),
    "XGBoost": XGBoost(),
    "CatBoost": CatBoost(),
    "scikit-learn": ScikitLearn(),
}
