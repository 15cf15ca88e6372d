"""What the boosting classifier and regressor share: checks, fit, raw predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearnx import __version__
from sklearnx._boosting.automatic import (
    AUTO,
    choose_learning_rate,
    choose_max_leaf_nodes,
)
from sklearnx._boosting.binning import BinMapper
from sklearnx._boosting.booster import Booster
from sklearnx._boosting.callbacks import RoundCallbacks
from sklearnx._boosting.category_encoding import (
    ENCODINGS,
    choose_encodings,
    mark_one_hot,
    may_need_means,
    read_encodings,
)
from sklearnx._boosting.checks import check_trees
from sklearnx._boosting.constraints import encode_interactions, encode_monotonic
from sklearnx._boosting.dart import DartBooster
from sklearnx._boosting.derived_columns import N_ORDERS, DerivedColumns
from sklearnx._boosting.early_exit import predict_until_clear
from sklearnx._boosting.early_stopping import choose_scored_rows, split_rows
from sklearnx._boosting.encoding import TableEncoder, is_plain
from sklearnx._boosting.fingerprints import describe, fingerprint_data
from sklearnx._boosting.frames import read_single_row
from sklearnx._boosting.growth import GROW_POLICIES
from sklearnx._boosting.model import BoostedTrees
from sklearnx._boosting.monitoring import History, ScoredRows
from sklearnx._boosting.ordered import OrderedBooster
from sklearnx._boosting.random_forest import ForestBooster
from sklearnx._boosting.row_reading import make_row_predictor
from sklearnx._boosting.rows import Rows
from sklearnx._boosting.sampling import SAMPLERS, make_sampler
from sklearnx._boosting.snapshots import Snapshot
from sklearnx._boosting.timing import StageTimer
from sklearnx._boosting.training import run_rounds
from sklearnx._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    check_monotonic_cst,
    check_sample_weight,
    check_y,
    fit_context,
    validate_parameter_constraints,
    with_callbacks,
)
from sklearnx._threads import effective_n_threads
from sklearnx.ensemble._compiled import CompiledPredictor

# Codes of the bins of numeric features have at most 16 bits.
MAX_BINS = 2**16 - 1
BOOSTERS = {
    "plain": Booster,
    "ordered": OrderedBooster,
    "dart": DartBooster,
    "random_forest": ForestBooster,
}
# What a fitted estimator is made of, besides what monitoring leaves behind.
FITTED_ATTRIBUTES = (
    "_derived",
    "_encoder",
    "_loss",
    "_model",
    "classes_",
    "feature_names_in_",
    "is_categorical_",
    "learning_rate_",
    "max_leaf_nodes_",
    "n_features_in_",
    "n_outputs_",
    "n_trees_per_iteration_",
)
# Of a prediction; fewer are a task for one thread.
ROWS_PER_THREAD = 256
# Parameters that no round depends on: a fit may go on from a snapshot with others.
FREE_PARAMETERS = {
    "max_iter",
    "n_jobs",
    "restore_best",
    "snapshot",
    "snapshot_interval",
    "verbose",
    "warm_start",  # by itself; the model that it goes on from is compared
}


class BaseHistGradientBoosting(CallbackSupportMixin):
    """What the classifier and the regressor share."""

    # With `early_stopping='auto'`, larger data stop early.
    _max_rows_without_early_stopping = 10_000
    _parameter_constraints: dict = {
        "loss": [HasMethods(["gradient", "hessian"]), HasMethods("gradient_hessian")],
        "learning_rate": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({AUTO}),
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_leaf_nodes": [
            Interval(Integral, 2, None, closed="left"),
            StrOptions({AUTO}),
            None,
        ],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "l2_regularization": [Interval(Real, 0, None, closed="left")],
        "max_features": [Interval(RealNotInt, 0, 1, closed="right")],
        "max_bins": [Interval(Integral, 2, MAX_BINS, closed="both")],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "monotonic_cst": ["array-like", dict, None],
        "interaction_cst": [
            list,
            tuple,
            StrOptions({"pairwise", "no_interactions"}),
            None,
        ],
        "warm_start": ["boolean"],
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "scoring": [str, callable, None],
        "validation_fraction": [
            Interval(RealNotInt, 0, 1, closed="neither"),
            Interval(Integral, 1, None, closed="left"),
            HasMethods("split"),
            None,
        ],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "handle_unknown": [StrOptions({"missing", "error"})],
        "eval_metrics": [list, tuple, None],
        "l1_regularization": [Interval(Real, 0, None, closed="left")],
        "min_split_gain": [Interval(Real, 0, None, closed="left")],
        "min_child_weight": [Interval(Real, 0, None, closed="left")],
        "max_delta_step": [Interval(Real, 0, None, closed="left")],
        "path_smoothing": [Interval(Real, 0, None, closed="left")],
        "extra_trees": ["boolean"],
        "subsample": [Interval(Real, 0, 1, closed="right")],
        "sampling": [StrOptions(set(SAMPLERS))],
        "colsample_bytree": [Interval(Real, 0, 1, closed="right")],
        "feature_weights": ["array-like", dict, None],
        "boosting": [StrOptions(set(BOOSTERS))],
        "drop_rate": [Interval(Real, 0, 1, closed="both")],
        "skip_drop": [Interval(Real, 0, 1, closed="both")],
        "max_drop": [Interval(Integral, 1, None, closed="left"), None],
        "linear_leaves": ["boolean"],
        "linear_l2_regularization": [Interval(Real, 0, None, closed="left")],
        "snapshot": [str, os.PathLike, None],
        "snapshot_interval": [Interval(Integral, 1, None, closed="left")],
        "grow_policy": [StrOptions(set(GROW_POLICIES))],
        "restore_best": ["boolean"],
        "categorical_encoding": [StrOptions(set(ENCODINGS)), dict],
    }

    # -- fit --

    def _validate_params(self):
        """Check parameters as scikit-learn does, but none that keeps its default.

        To check all of them takes as long as some rounds of a fit on few rows.
        """
        init = type(self).__init__
        if not init.__module__.startswith("sklearnx."):
            # Defaults of a subclass may be anything.
            super()._validate_params()
            return
        defaults = init.__kwdefaults__
        given = {name: getattr(self, name) for name in self._parameter_constraints}
        validate_parameter_constraints(
            self._parameter_constraints,
            {
                name: value
                for name, value in given.items()
                if name not in defaults or value is not defaults[name]
            },
            caller_name=type(self).__name__,
        )

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        init_score: Any = None,
        init_score_val: Any = None,
        eval_sets: Mapping[str, tuple] | None = None,
        groups: Any = None,
    ):
        """Fit the model.

        A fit that raises, or is interrupted from the keyboard, leaves the estimator as
        it was.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Training data. NaN and the nulls of a frame are missing values.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values. A regressor takes several columns, see `n_outputs_`; a single
            one is read as of shape (n_samples,), with a warning.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A row of weight 2 counts as the row twice, a row of
            weight 0 as absent.
        X_val, y_val : array-like, default=None
            Rows that early stopping is judged by, instead of some drawn from `X`. In a
            `Pipeline`, ``transform_input=["X_val"]`` transforms them as `X`.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation rows.
        init_score : array-like of shape (n_samples,) or (n_samples, n_outputs), \
                default=None
            Raw scores that the model is added to, as the logarithm of an exposure. Give
            the same to `predict`.
        init_score_val : array-like, default=None
            The same for the validation rows.
        eval_sets : dict of tuples, default=None
            Further sets of rows whose scores are kept in `evals_result_`, by name:
            ``(X, y)``, ``(X, y, sample_weight)`` or ``(X, y, sample_weight,
            init_score)``.
        groups : array-like of shape (n_samples,), default=None
            Passed to the splitter given as `validation_fraction`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or not those of the snapshot; the
            message names which.
        FloatingPointError
            If raw scores grow beyond what floating point holds.
        OSError
            If the snapshot cannot be read or written.
        """
        before = dict(self.__dict__)
        try:
            return self._fit(
                X,
                y,
                sample_weight,
                validation=(X_val, y_val, sample_weight_val, init_score_val),
                init_score=init_score,
                eval_sets=eval_sets,
                groups=groups,
            )
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X, y, sample_weight, *, validation, init_score, eval_sets, groups):
        timer = StageTimer()
        n_threads = effective_n_threads(self.n_jobs)
        snapshot = self._open_snapshot()
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        with timer.measure("reading"):
            is_warm = self.warm_start and self._is_fitted()
            if is_warm and not hasattr(self, "_random_seed"):
                raise ValueError(
                    "With warm_start=True, the model of the previous fit must be one "
                    "of sklearnx; this one was read from another library's."
                )
            rows = self._read_training_rows(
                X, y, sample_weight, init_score, is_warm, n_threads
            )
            validation = self._read_validation_rows(*validation)
            if validation is not None and (rows.offset is None) != (
                validation.offset is None
            ):
                raise ValueError(
                    "init_score and init_score_val must be provided together, for the "
                    "training and the validation rows."
                )
        self._check_boosting(is_warm)
        snapshot.require({"X": f"{len(rows)} rows of {self.n_features_in_} columns"})
        if hasattr(self, "classes_"):
            snapshot.require({"classes of y": describe(self.classes_)})
        self._set_seeds(is_warm, snapshot)
        self._check_outputs()
        self._check_ordered()
        encodings = read_encodings(
            self.categorical_encoding,
            self.n_features_in_,
            getattr(self, "feature_names_in_", None),
        )
        if self.early_stopping == "auto":
            is_large = len(rows) > self._max_rows_without_early_stopping
            self.do_early_stopping_ = is_large or validation is not None
        else:
            self.do_early_stopping_ = self.early_stopping
        self._set_automatic(
            "learning_rate",
            lambda: choose_learning_rate(
                self.max_iter,
                stops_early=self.do_early_stopping_,
                is_classifier=hasattr(self, "classes_"),
            ),
            is_warm,
            snapshot,
        )
        train = rows
        if (
            self.do_early_stopping_
            and validation is None
            and self.validation_fraction is not None
        ):
            train, validation = self._split_rows(rows, X, groups, snapshot)
        train = train.drop_weightless()
        self._set_automatic(
            "max_leaf_nodes",
            lambda: choose_max_leaf_nodes(train.count()),
            is_warm,
            snapshot,
        )
        growth = self._make_growth_parameters(encodings)
        self._check_linear_leaves(growth["monotonic_cst"])
        with timer.measure("categories"):
            if not is_warm:
                self._derived = self._choose_derived_columns(
                    encodings, train, n_threads
                )
            tables = self._order_rows(train, n_threads)
            train = train.with_table(next(tables))
            if self._derived is not None:
                growth = self._derived.extend_rules(growth)
        followed = self._read_followed_rows(validation, eval_sets)

        with timer.measure("binning"):
            bin_mapper = BinMapper(self.max_bins, seed=self._random_seed)
            how = (train.index, train.sample_weight, n_threads, self.min_samples_leaf)
            matrix = bin_mapper.fit_transform(train.table, *how)
            variants = [bin_mapper.transform(table, *how) for table in tables]
            self._bin_mapper = bin_mapper.without_edges()
        with timer.measure("init score"):
            model = self._make_start_model(train, is_warm, n_threads)
        if self.snapshot is not None:
            with timer.measure("snapshots"):
                data = fingerprint_data(
                    matrix,
                    bin_mapper.thresholds_,
                    train,
                    followed,
                    model,
                    [self._random_seed, self._feature_subsample_seed],
                    reads_values=self.linear_leaves,
                )
                model = snapshot.resume(model, data, self._name_columns("{}"))
        booster = self._make_booster(
            train,
            matrix,
            model,
            edges=bin_mapper.edges_,
            variants=variants,
            growth=growth,
            timer=timer,
            n_threads=n_threads,
        )
        history = self._make_history(booster, train, followed)
        if snapshot.is_resumed:
            history.continue_from(**snapshot.recall("scores"))
        elif is_warm:
            history.continue_from(*self._get_scores_of_model())
        else:
            history.append()
        if snapshot.is_resumed:
            booster.set_state(snapshot.recall("state"))
        self._model = run_rounds(
            booster,
            history,
            snapshot,
            RoundCallbacks(self, self.max_iter - model.n_iter, X, y, metadata),
            self._make_attributes,
            max_iter=self.max_iter,
            verbose=self.verbose,
        )
        scores = history.get_scores()
        self.train_score_ = scores["train"]
        self.validation_score_ = scores["validation"]
        self.evals_result_ = scores["evals"]
        self.best_iteration_ = history.find_best_iteration(self._model.n_iter)
        self._n_iter_cut = 0
        if self.restore_best:
            self._n_iter_cut = self._model.n_iter - self.best_iteration_
            self._model = self._model.truncated(self.best_iteration_)
        return self

    def _get_scores_of_model(self):
        """Return the scores of the last fit without those of iterations cut off."""

        def cut(scores):
            return scores[: len(scores) - self._n_iter_cut]

        evals = {
            name: {metric: cut(scores) for metric, scores in of_set.items()}
            for name, of_set in self.evals_result_.items()
        }
        return cut(self.train_score_), cut(self.validation_score_), evals

    def _make_attributes(self, model):
        """Return what an estimator with this model is made of, for callbacks."""
        attributes = {
            name: self.__dict__[name]
            for name in FITTED_ATTRIBUTES
            if name in self.__dict__
        }
        return {**attributes, "_model": model}

    # -- steps of fit --

    def _open_snapshot(self):
        """Return the snapshot, compared with the parameters if there is a file."""
        snapshot = Snapshot(self.snapshot, self.snapshot_interval)
        if self.snapshot is not None:
            parameters = self.get_params(deep=False)
            snapshot.require(
                {
                    "estimator": type(self).__name__,
                    "version of sklearnx": __version__,
                    **{
                        name: describe(value)
                        for name, value in parameters.items()
                        if name not in FREE_PARAMETERS
                    },
                }
            )
            snapshot.require_rounds(self.max_iter)
        return snapshot

    def _read_training_rows(self, X, y, sample_weight, init_score, is_warm, n_threads):
        """Check the training data; set the encoder, the loss and `classes_`."""
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X, dtype=np.float64)
            check_weights(sample_weight)
        if is_warm:
            # The trees know features and levels as they were read first.
            table = self._encoder.transform(X, self, n_threads)
        else:
            self._encoder = TableEncoder(self.categorical_features, self.handle_unknown)
            table = self._encoder.fit_transform(X, self, sample_weight, n_threads)
            self.is_categorical_ = self._encoder.is_categorical_
        labels = self._check_y(y)
        classes = getattr(self, "classes_", None)
        n_outputs = getattr(self, "n_outputs_", 1)
        target = self._encode_y(labels)
        if is_warm and getattr(self, "n_outputs_", 1) != n_outputs:
            raise ValueError(
                f"With warm_start=True, y must have as many columns as in the previous "
                f"fit, {n_outputs}, got {self.n_outputs_}."
            )
        if is_warm and classes is not None and list(classes) != list(self.classes_):
            raise ValueError(
                f"With warm_start=True, y must have the classes of the previous fit, "
                f"{classes.tolist()}, got {self.classes_.tolist()}."
            )
        _check_length(table, target)
        self._loss = self._make_loss(target)
        # Read by scikit-learn's partial_dependence.
        self._fitted_with_sw = sample_weight is not None
        sample_weight = self._finalize_sample_weight(sample_weight, target)
        offset = self._check_init_score(init_score, table.n_rows)
        return Rows(table, X, target, labels, sample_weight, offset)

    def _read_rows(self, X, y, sample_weight, init_score, init_score_name):
        """Check rows that are not trained on."""
        table = self._encoder.transform(X, self, effective_n_threads(self.n_jobs))
        labels = self._check_y(y)
        target = self._encode_y_val(labels)
        _check_length(table, target)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X, dtype=np.float64)
            check_weights(sample_weight)
        offset = self._check_init_score(init_score, table.n_rows, init_score_name)
        return Rows(table, X, target, labels, sample_weight, offset)

    def _read_validation_rows(self, X, y, sample_weight, init_score):
        """Return the validation rows passed to fit, None if there are none."""
        if X is None and y is None:
            if init_score is not None:
                raise ValueError(
                    "init_score_val is provided, but X_val and y_val were not provided."
                )
            return None
        if y is None:
            raise ValueError("X_val is provided, but y_val was not provided.")
        if X is None:
            raise ValueError("y_val is provided, but X_val was not provided.")
        if self.early_stopping is False:
            raise ValueError(
                "X_val and y_val are passed to fit while at the same time "
                "early_stopping is False. When passing X_val and y_val to fit,"
                "early_stopping should be set to either 'auto' or True."
            )
        return self._read_rows(X, y, sample_weight, init_score, "init_score_val")

    def _read_eval_set(self, name, eval_set):
        if not isinstance(name, str) or name in ("train", "validation"):
            raise ValueError(
                "The names in eval_sets must be strings other than 'train' and "
                f"'validation', got {name!r}."
            )
        if not isinstance(eval_set, tuple | list) or not 2 <= len(eval_set) <= 4:
            raise ValueError(
                f"eval_sets[{name!r}] must be (X, y), (X, y, sample_weight) or "
                "(X, y, sample_weight, init_score), got "
                f"{type(eval_set).__name__}."
            )
        return self._read_rows(
            *(*eval_set, None, None)[:4], f"init_score of eval_sets[{name!r}]"
        )

    def _split_rows(self, rows, X, groups, snapshot):
        """Return the rows to train on, and those set aside for early stopping."""
        split = snapshot.recall("split")
        if split is None:
            split = split_rows(
                X,
                rows.labels if hasattr(self, "classes_") else rows.y,
                groups,
                validation_fraction=self.validation_fraction,
                stratify=hasattr(self, "classes_"),
                seed=self._random_seed,
            )
        if not isinstance(self.validation_fraction, Real):
            # A splitter may split otherwise each time.
            snapshot.keep("split", split)
        train, validation = split
        return rows.take(train), rows.take(validation)

    def _read_followed_rows(self, validation, eval_sets):
        """Return the rows that scores are kept of by name, as pairs of Rows, matrix."""
        if not isinstance(eval_sets, Mapping | None):
            raise ValueError(
                "eval_sets must be a dict of tuples (X, y) by name, got "
                f"{type(eval_sets).__name__}."
            )
        followed = {} if validation is None else {"validation": validation}
        for name, eval_set in (eval_sets or {}).items():
            followed[name] = self._read_eval_set(name, eval_set)
        if self._derived is not None:
            n_threads = effective_n_threads(self.n_jobs)
            followed = {
                name: rows.with_table(self._derived.extend(rows.table, n_threads))
                for name, rows in followed.items()
            }
        return {name: (rows, rows.to_matrix()) for name, rows in followed.items()}

    def _choose_derived_columns(self, encodings, train, n_threads):
        """Return the columns that stand for categorical ones, None if none do."""
        if not may_need_means(encodings, train.table.is_categorical):
            return None
        targets = self._make_level_targets(train.y)
        options = {
            "rows": train.index,
            "weights": train.sample_weight,
            "n_threads": n_threads,
        }
        features = choose_encodings(
            encodings, train.table, targets, seed=self._random_seed, **options
        )
        if len(features) == 0:
            return None
        return DerivedColumns(features, self._random_seed).fit(
            train.table, targets, **options
        )

    def _order_rows(self, train, n_threads):
        """Yield the table of the training rows with derived columns by each order."""
        if self._derived is None:
            yield train.table
            return
        # Such losses need rows in each leaf that splits were found for.
        n_orders = 1 if self._loss.refits_leaves else N_ORDERS
        yield from self._derived.order(
            train.table,
            self._make_level_targets(train.y),
            n_orders,
            rows=train.index,
            weights=train.sample_weight,
            n_threads=n_threads,
        )

    def _make_level_targets(self, y):
        """Return what means by level are taken of, float64 (n_rows, n_targets)."""
        return np.ascontiguousarray(y.reshape(len(y), -1))

    def _check_y(self, y):
        return check_y(y, estimator=self)

    def _finalize_sample_weight(self, sample_weight, y):
        return sample_weight

    def _make_start_model(self, train, is_warm, n_threads):
        """Return the model that new trees are added to."""
        if not is_warm:
            init_score = self._loss.compute_init_score(
                train.y, train.sample_weight, n_threads, train.offset
            )
            return BoostedTrees(
                init_score,
                is_average=self.boosting == "random_forest",
                has_vector_leaves=len(init_score) > self.n_trees_per_iteration_,
            )
        if self.max_iter < self._model.n_iter:
            raise ValueError(
                f"max_iter={self.max_iter} must be larger than or equal to "
                f"n_iter_={self._model.n_iter} when warm_start==True"
            )
        return self._model

    def _check_boosting(self, is_warm):
        is_forest = self.boosting == "random_forest"
        if is_forest and not (
            self.subsample < 1 or self.colsample_bytree < 1 or self.max_features < 1
        ):
            raise ValueError(
                "boosting='random_forest' needs subsample, colsample_bytree or "
                "max_features below 1: without rows or columns drawn all its trees "
                "would be the same."
            )
        if is_warm and self._model.is_average != is_forest:
            raise ValueError(
                f"With warm_start=True, boosting={self.boosting!r} cannot go on with "
                "the model of the previous fit: a random forest averages its trees, "
                "other models add them up."
            )
        if self.boosting == "dart" and self.restore_best:
            raise ValueError(
                "restore_best=True is not supported with boosting='dart': later "
                "iterations change the trees of those before them."
            )

    def _check_ordered(self):
        if self.boosting != "ordered":
            return
        if not self._loss.treats_rows_alike:
            raise ValueError(
                "boosting='ordered' is not supported with a loss of one's own: it asks "
                "for the gradients of other rows than those of y, in other orders."
            )
        for name in ("linear_leaves", "path_smoothing"):
            if getattr(self, name):
                raise ValueError(
                    f"{name}={getattr(self, name)!r} is not supported with "
                    "boosting='ordered': values of leaves are found anew after the "
                    "tree has grown, as Newton steps of their rows."
                )

    def _check_outputs(self):
        """Refuse what makes no sense for a target of several columns."""
        if getattr(self, "n_outputs_", 1) == 1:
            return
        if self.linear_leaves:
            raise ValueError(
                f"linear_leaves=True is not supported with a y of {self.n_outputs_} "
                "columns: leaves hold a vector, one value for each column."
            )
        if self.monotonic_cst is not None:
            raise ValueError(
                f"monotonic_cst is not supported with a y of {self.n_outputs_} columns."
            )

    def _check_linear_leaves(self, monotonic_cst):
        if not self.linear_leaves:
            return
        if self._loss.refits_leaves:
            raise ValueError(
                "linear_leaves=True is not supported with the loss "
                f"{self._loss.name!r}: linear models follow gradients and hessians, "
                "but the leaves of this loss get their values from the rows themselves."
            )
        if monotonic_cst.any():
            raise ValueError(
                "linear_leaves=True is not supported with monotonic_cst: the linear "
                "model of a leaf may rise where the constraint says that it must not."
            )

    def _make_booster(
        self, train, matrix, model, *, edges, variants, growth, timer, n_threads
    ):
        """Return what makes the rounds."""
        options = {}
        if self.boosting in ("dart", "ordered"):
            options["seed"] = self._random_seed
        if self.boosting == "dart":
            options.update(
                drop_rate=self.drop_rate,
                skip_drop=self.skip_drop,
                max_drop=self.max_drop,
            )
        return BOOSTERS[self.boosting](
            self._loss,
            train,
            matrix,
            edges,
            model,
            variants=variants,
            learning_rate=self.learning_rate_,
            linear_l2_regularization=(
                self.linear_l2_regularization if self.linear_leaves else None
            ),
            growth=growth,
            sampler=make_sampler(
                self.sampling, self.subsample, self._random_seed, len(train)
            ),
            timer=timer,
            n_threads=n_threads,
            **options,
        )

    def _make_history(self, booster, train, followed):
        """Return a history that follows these rows, without any scores."""
        scorer = None
        if self.do_early_stopping_:
            scorer = self.scoring
            if scorer != "loss":
                scorer = check_scoring(self, scoring=scorer)
        history = History(
            self._loss,
            self._make_view,
            stopping_scorer=scorer,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            n_threads=booster.n_threads,
        )
        metrics = self._make_metrics()
        if self.do_early_stopping_:
            positions = None
            if scorer != "loss":
                positions = choose_scored_rows(
                    train.y, stratify=hasattr(self, "classes_"), seed=self._random_seed
                )
            history.watch(
                "train",
                ScoredRows(train.take(positions), booster.scores, positions=positions),
            )
        for name, (rows, matrix) in followed.items():
            scored = ScoredRows(rows, booster.make_scores(rows, matrix), matrix)
            if name == "validation" and len(metrics) == 1:
                # Of the loss alone, `validation_score_` tells as much.
                history.watch(name, scored)
            else:
                history.watch(name, scored, metrics)
        return history

    def _make_metrics(self):
        """Return the scorers kept in `evals_result_` by name, the loss first."""
        metrics = {"loss": "loss"}
        for metric in self.eval_metrics or ():
            if isinstance(metric, str):
                name = metric
            elif callable(metric):
                name = getattr(metric, "__name__", type(metric).__name__)
            else:
                raise ValueError(
                    "eval_metrics must hold names of scorers or scorers, got "
                    f"{metric!r}."
                )
            if name in metrics:
                raise ValueError(
                    f"eval_metrics has two metrics of the name {name!r}, by which "
                    "evals_result_ would keep them; give one another __name__."
                )
            metrics[name] = check_scoring(self, scoring=metric)
        return metrics

    def _set_automatic(self, name, choose, is_warm, snapshot):
        """Set the attribute of a parameter that may be 'auto', which `choose()` tells.

        A warm start goes on with what was chosen before.
        """
        value = getattr(self, name)
        if value == AUTO:
            value = getattr(self, f"{name}_") if is_warm else choose()
        setattr(self, f"{name}_", value)
        snapshot.require({name.replace("_", " "): describe(value)})

    def _set_seeds(self, is_warm, snapshot):
        """Set the seeds of all random choices; a warm start goes on with its own."""
        seeds = None
        if is_warm:
            seeds = [self._random_seed, self._feature_subsample_seed]
        elif self.random_state is None:
            # Drawn anew, they would be others.
            seeds = snapshot.recall("seeds")
        if seeds is None:
            rng = check_random_state(self.random_state)
            largest = np.iinfo(np.uint32).max
            seeds = [rng.randint(largest, dtype="u8") for _ in range(2)]
        snapshot.keep("seeds", seeds)
        self._random_seed, self._feature_subsample_seed = seeds

    def _make_growth_parameters(self, encodings):
        """Return the keyword arguments of `TreeGrower`, all checked."""
        if self.monotonic_cst is not None and self.n_trees_per_iteration_ != 1:
            raise ValueError(
                "monotonic constraints are not supported for multiclass classification."
            )
        groups = self._check_interaction_cst(self.n_features_in_)
        return {
            "grow_policy": GROW_POLICIES[self.grow_policy],
            "max_leaf_nodes": self.max_leaf_nodes_ or 0,
            "max_depth": self.max_depth or 0,
            "min_samples_leaf": self.min_samples_leaf,
            # A child needs a hessian above 0, or it has no value.
            "min_child_weight": max(self.min_child_weight, np.finfo(np.float64).tiny),
            "l1_regularization": self.l1_regularization,
            "l2_regularization": self.l2_regularization,
            "min_split_gain": self.min_split_gain,
            "max_delta_step": self.max_delta_step or np.inf,
            "path_smoothing": self.path_smoothing,
            "max_features": self.max_features,
            "extra_trees": self.extra_trees,
            "colsample_bytree": self.colsample_bytree,
            "feature_weights": self._check_feature_weights(),
            "monotonic_cst": encode_monotonic(
                check_monotonic_cst(self, self.monotonic_cst), self.is_categorical_
            ),
            "one_level_splits": mark_one_hot(encodings),
            "interaction_groups": encode_interactions(groups, self.n_features_in_),
            "seed": self._feature_subsample_seed,
        }

    def _check_feature_weights(self):
        """Return the weights of features as a float64 array, None if there are none."""
        if self.feature_weights is None:
            return None
        n_features = self.n_features_in_
        if isinstance(self.feature_weights, dict):
            names = getattr(self, "feature_names_in_", None)
            if names is None:
                raise ValueError(
                    "feature_weights is a dict, but X has no feature names; pass an "
                    "array of weights in the order of the columns."
                )
            unknown = sorted(set(self.feature_weights) - set(names), key=str)
            if unknown:
                raise ValueError(
                    f"feature_weights has names that are not columns of X: {unknown}."
                )
            weights = [self.feature_weights.get(name, 1.0) for name in names]
        else:
            weights = self.feature_weights
        weights = np.array(weights, dtype=np.float64)
        if weights.shape != (n_features,):
            raise ValueError(
                f"feature_weights has shape {weights.shape}, expected ({n_features},)."
            )
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError("feature_weights must be finite and non-negative.")
        if not weights.any():
            raise ValueError("At least one of feature_weights must be positive.")
        return weights

    def _check_init_score(self, init_score, n_rows, name="init_score"):
        """Return the offset as planes of shape (n_outputs, n_rows), None if none."""
        if init_score is None:
            return None
        n_outputs = self._loss.n_outputs
        offset = np.asarray(init_score, dtype=np.float64)
        expected = {(n_rows, n_outputs)} | ({(n_rows,)} if n_outputs == 1 else set())
        if offset.shape not in expected:
            raise ValueError(
                f"{name} has shape {offset.shape}, expected "
                f"{' or '.join(str(shape) for shape in sorted(expected, key=len))}."
            )
        if not np.isfinite(offset).all():
            raise ValueError(f"{name} contains NaN or infinity.")
        return np.ascontiguousarray(offset.reshape(n_rows, n_outputs).T)

    def _make_view(self, raw):
        """Return an estimator that predicts from these raw scores, for a scorer."""
        # Not `copy.copy`, which checks the model as one that comes from elsewhere.
        view = object.__new__(type(self))
        vars(view).update(vars(self))
        view._raw_predict = lambda X, **kwargs: raw.T
        return view

    # -- predict --

    def _check_is_fitted(self):
        # scikit-learn takes long to say nothing.
        if not self._is_fitted():
            check_is_fitted(self)

    def _count_threads(self, X):
        """Return the number of threads to predict with: few rows are not worth asking.

        To find out how many there are takes longer than a row does.
        """
        shape = getattr(X, "shape", None)
        if shape and shape[0] <= ROWS_PER_THREAD:
            return 1
        return effective_n_threads(self.n_jobs)

    def _read_table(self, X, n_threads):
        """Return the columns that trees ask for."""
        table = self._encoder.transform(X, self, n_threads)
        return (
            table if self._derived is None else self._derived.extend(table, n_threads)
        )

    def _raw_predict(
        self, X, n_threads=None, *, init_score=None, n_iter=None, exit_margin=None
    ):
        """Return the raw scores, of shape (n_samples, n_outputs)."""
        self._check_is_fitted()
        if n_iter is None and init_score is None and exit_margin is None:
            raw = self._score_single_row(X)
            if raw is not None:
                return raw
        else:
            self._check_n_iter(n_iter)
            self._check_exit_margin(exit_margin)
        n_threads = self._count_threads(X)
        table = self._read_table(X, n_threads)
        offset = self._check_init_score(init_score, table.n_rows)
        if exit_margin is None:
            return self._model.predict_raw(table, n_iter, offset, n_threads).T
        return predict_until_clear(
            self._model,
            table.to_matrix(),
            exit_margin,
            self._model.n_iter if n_iter is None else n_iter,
            offset,
            n_threads,
        ).T

    def _score_single_row(self, X):
        """Return the raw scores of one row, None if `X` is not just that.

        The same bits, without most of what checks and reads many rows. Whatever is not
        plain is left to that, which also says what is wrong.
        """
        shape = getattr(X, "shape", None)
        if shape is None or len(shape) != 2 or shape[0] != 1:
            return None
        names = getattr(self, "feature_names_in_", None)
        row = X
        if type(X) is not np.ndarray:
            row = None if names is None else read_single_row(X, names.tolist())
        elif names is not None or not is_plain(X):
            return None
        predictor = self._get_row_predictor()
        if row is None or predictor is None:
            return None
        raw = np.empty(self._model.n_outputs)
        try:
            is_read = predictor.score(row, raw)
        except (TypeError, ValueError, OverflowError):
            return None
        return raw[np.newaxis] if is_read else None

    def _get_row_predictor(self):
        """Return the RowPredictor of the model, None if its rows cannot be read so."""
        model = self._model
        if model.row_predictor is None:
            made = make_row_predictor(
                self._encoder,
                self._derived,
                model,
                getattr(self, "feature_names_in_", None),
                link="identity",
                n_answers=model.n_outputs,
            )
            model.row_predictor = made or False
        return model.row_predictor or None

    def compile_predictor(self, method: str | None = None) -> CompiledPredictor:
        """Return an object that answers single rows in microseconds.

        Parameters
        ----------
        method : {'predict', 'predict_proba', 'decision_function'}, default=None
            What to answer with; None means 'predict_proba' of a classifier and
            'predict' of a regressor.

        Returns
        -------
        predictor : CompiledPredictor
            To be called with a dict, tuple, list or array of one row; its answers have
            the bits of the method's.

        Raises
        ------
        ValueError
            If the estimator has no such method.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearnx.ensemble import HistGradientBoostingRegressor
        >>> X = pd.DataFrame({"rooms": [1, 2, 3, 4] * 10, "garden": ["no", "yes"] * 20})
        >>> y = 100.0 * X["rooms"] + 50.0 * (X["garden"] == "yes")
        >>> model = HistGradientBoostingRegressor(min_samples_leaf=5).fit(X, y)
        >>> predictor = model.compile_predictor()
        >>> round(predictor({"rooms": 2, "garden": "yes"}))
        250
        >>> round(predictor((3, "no")))
        300
        """
        self._check_is_fitted()
        return CompiledPredictor(self, method)

    def _staged_raw_predict(self, X, init_score=None):
        """Yield the raw scores after each iteration."""
        self._check_is_fitted()
        n_threads = self._count_threads(X)
        matrix = self._read_table(X, n_threads).to_matrix()
        offset = self._check_init_score(init_score, matrix.shape[0])
        for raw in self._model.predict_stages(matrix, offset, n_threads):
            yield raw.T.copy(order="F")

    def _check_n_iter(self, n_iter):
        if n_iter is None:
            return
        if not isinstance(n_iter, Integral) or not 0 <= n_iter <= self._model.n_iter:
            raise ValueError(
                f"n_iter must be an int in [0, n_iter_] = [0, {self._model.n_iter}], "
                f"got {n_iter!r}."
            )

    def _check_exit_margin(self, exit_margin):
        if exit_margin is None:
            return
        if not isinstance(exit_margin, Real) or not exit_margin >= 0:
            raise ValueError(
                f"exit_margin must be a number of at least 0, got {exit_margin!r}."
            )
        if self._model.is_average:
            raise ValueError(
                "exit_margin is not supported where trees are averaged "
                "(boosting='random_forest'): the average of some is no part of that of "
                "all."
            )

    def apply(self, X: Any) -> np.ndarray:
        """Return the leaf that each row reaches in each tree.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Data.

        Returns
        -------
        leaves : int32 ndarray of shape (n_samples, n_trees)
            Position of the leaf's node within its tree.
        """
        self._check_is_fitted()
        n_threads = self._count_threads(X)
        matrix = self._read_table(X, n_threads).to_matrix()
        return self._model.find_leaves(matrix, n_threads)

    def _compute_partial_dependence_recursion(self, grid, target_features):
        """Return averaged raw scores over the grid, for scikit-learn's inspection."""
        if self._fitted_with_sw:
            raise NotImplementedError(
                f"{type(self).__name__} does not support partial dependence plots with "
                "the 'recursion' method when sample weights were given during fit time."
            )
        if self._model.has_linear_leaves:
            raise NotImplementedError(
                f"{type(self).__name__} does not support partial dependence plots with "
                "the 'recursion' method when leaves are linear; use method='brute'."
            )
        if (
            self._derived is not None
            and np.isin(target_features, self._derived.features).any()
        ):
            raise NotImplementedError(
                f"{type(self).__name__} does not support partial dependence plots with "
                "the 'recursion' method of columns whose categorical_encoding is "
                "'ordered_target'; use method='brute'."
            )
        target_features = np.ascontiguousarray(target_features, dtype=np.int32)
        columns = [
            self._encoder.encode_values(values, feature)
            for values, feature in zip(np.asarray(grid).T, target_features, strict=True)
        ]
        return self._model.compute_partial_dependence(
            np.ascontiguousarray(np.transpose(columns)), target_features
        )

    # -- attributes --

    def _is_fitted(self):
        return getattr(self, "_model", None) is not None

    def __setstate__(self, state):
        super().__setstate__(state)
        if self._is_fitted():
            self._check_model()

    def _check_model(self):
        """Raise ValueError if kernels cannot be trusted with the model."""
        n_levels = self._encoder.count_levels()
        if len(n_levels) != self.n_features_in_:
            raise ValueError(
                f"The model is damaged: it knows {len(n_levels)} columns, and was "
                f"fitted on {self.n_features_in_}."
            )
        if self._derived is not None:
            n_levels = self._derived.count_levels(n_levels)
        check_trees(self._model, n_levels)

    @property
    def _predictors(self):
        """Trees of each iteration, where scikit-learn's base class has its own."""
        return [
            [self._model.tree(i, k) for k in range(self._model.n_trees_per_iteration)]
            for i in range(self._model.n_iter)
        ]

    @property
    def n_iter_(self) -> int:
        """Number of iterations of the boosting process."""
        check_is_fitted(self)
        return self._model.n_iter

    @property
    def feature_importances_(self) -> np.ndarray:
        """Total gain of the splits on each feature, scaled to sum to 1.

        Of splits on what stands for two categorical columns each gets half.
        """
        check_is_fitted(self)
        gains, _ = self._sum_gains()
        total = gains.sum()
        return gains / total if total > 0 else gains

    @property
    def feature_split_counts_(self) -> np.ndarray:
        """Number of splits on each feature, and on what stands for it."""
        check_is_fitted(self)
        return self._sum_gains()[1]

    def _sum_gains(self):
        """Return the total gain and the number of the splits on each column of X."""
        if self._derived is None:
            return self._model.sum_gains(self.n_features_in_)
        gains, counts = self._model.sum_gains(self._derived.n_columns)
        return (
            self._derived.share_out(gains, splits_evenly=True),
            self._derived.share_out(counts, splits_evenly=False),
        )

    def _name_columns(self, unnamed="x{}"):
        """Return the names of the columns that trees ask for."""
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = [unnamed.format(j) for j in range(self.n_features_in_)]
        names = [str(name) for name in names]
        derived = [] if self._derived is None else self._derived.name_columns(names)
        return [*names, *derived]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def check_weights(sample_weight):
    if np.any(sample_weight < 0):
        raise ValueError("sample_weight must not be negative.")
    if not np.any(sample_weight):
        raise ValueError("Sample weights must contain at least one non-zero number.")


def _check_length(table, y):
    if table.n_rows != len(y):
        # Raises scikit-learn's error.
        check_consistent_length(np.empty((table.n_rows, 0)), y)
