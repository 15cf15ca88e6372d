"""All public estimators, with what a test has to know about each.

A new public estimator is added here once; every contract then runs on it.
"""

import pytest

from sklearnx.ensemble import (
    BoostingClassifier,
    BoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.preprocessing import OrderedTargetEncoder
from tests.contracts._case import EstimatorCase
from tests.contracts._cluster_cases import CLUSTER_CASES
from tests.contracts._linear_cases import LINEAR_CASES

_BOOSTING_VARIANTS = {
    "columns drawn": {"max_features": 0.5},
    "early stopping": {"early_stopping": True, "max_iter": 20},
    "few bins": {"max_bins": 7, "l2_regularization": 1.0},
    "random splits": {"extra_trees": True},
    "restrained": {
        "l1_regularization": 0.1,
        "min_split_gain": 1e-3,
        "min_child_weight": 0.1,
        "max_delta_step": 2.0,
        "path_smoothing": 1.0,
    },
    "wide codes": {"max_bins": 1000},
    "columns of a tree drawn": {"colsample_bytree": 0.5, "max_features": 0.7},
    "rows drawn": {"subsample": 0.5},
    "goss": {"subsample": 0.5, "sampling": "goss"},
    "mvs": {"subsample": 0.5, "sampling": "mvs"},
    # Larger trees would fit data of few rows in any order.
    "ordered": {
        "boosting": "ordered",
        "max_leaf_nodes": 2,
        "max_iter": 30,
        "learning_rate": 0.3,
    },
    "dart": {
        "boosting": "dart",
        "drop_rate": 0.3,
        "skip_drop": 0.0,
        # Some checks ask for 1000 rounds.
        "max_drop": 3,
        "max_iter": 10,
        "learning_rate": 0.5,
    },
    "level by level": {"grow_policy": "depthwise", "max_leaf_nodes": 6},
    "symmetric trees": {"grow_policy": "symmetric"},
    "means of levels": {
        "categorical_encoding": "ordered_target",
        "categorical_features": [0],
    },
    "level by level of categories": {
        "categorical_encoding": "onehot",
        "categorical_features": [0],
    },
    "linear leaves": {"linear_leaves": True, "linear_l2_regularization": 0.1},
    "random forest": {"boosting": "random_forest", "max_features": 0.5},
    "random forest of drawn rows": {"boosting": "random_forest", "subsample": 0.5},
}


def _draws_rows(settings):
    draws_validation_rows = settings.get("early_stopping") is True
    orders_rows = (
        settings.get("categorical_encoding") == "ordered_target"
        or settings.get("boosting") == "ordered"
    )
    is_sampled = settings.get("subsample", 1.0) < 1
    return is_sampled or draws_validation_rows or orders_rows


def _draws_rows_of_preset(settings):
    # With leaves of 20 rows, data of the checks are too small to be split at all.
    is_split = settings.get("min_samples_leaf", 1) < 20
    return is_split and settings.get("subsample") != 1.0


CASES = [
    EstimatorCase(
        HistGradientBoostingClassifier,
        small_settings={"max_iter": 5, "min_samples_leaf": 1, "random_state": 0},
        variants=_BOOSTING_VARIANTS,
        search_grid={"max_leaf_nodes": [7, 3], "learning_rate": [0.5, 0.1]},
        checked=(
            "rows drawn",
            "goss",
            "mvs",
            "ordered",
            "dart",
            "linear leaves",
            "random forest",
            "symmetric trees",
        ),
        draws_rows=_draws_rows,
        accepts_categories=True,
        has_recursion=True,
    ),
    EstimatorCase(
        HistGradientBoostingRegressor,
        small_settings={"max_iter": 5, "min_samples_leaf": 1, "random_state": 0},
        variants={
            **_BOOSTING_VARIANTS,
            "absolute error": {"loss": "absolute_error"},
            "gamma": {"loss": "gamma"},
            "huber": {"loss": "huber"},
            "poisson": {"loss": "poisson"},
            "quantile": {"loss": "quantile", "quantile": 0.3},
            "tweedie": {"loss": "tweedie", "power": 1.3},
        },
        search_grid={"max_leaf_nodes": [7, 3], "learning_rate": [0.5, 0.1]},
        checked=(
            "rows drawn",
            "goss",
            "mvs",
            "ordered",
            "dart",
            "linear leaves",
            "random forest",
            "symmetric trees",
        ),
        draws_rows=_draws_rows,
        accepts_categories=True,
        has_recursion=True,
    ),
    *(
        EstimatorCase(
            preset,
            # Trees have few leaves.
            small_settings={"max_iter": 20, "min_samples_leaf": 1, "random_state": 0},
            variants={"all rows": {"early_stopping": False, "subsample": 1.0}},
            search_grid={"max_leaf_nodes": [3, 7], "learning_rate": [0.1, "auto"]},
            draws_rows=_draws_rows_of_preset,
            accepts_categories=True,
            has_recursion=True,
        )
        for preset in (BoostingClassifier, BoostingRegressor)
    ),
    EstimatorCase(
        OrderedTargetEncoder,
        small_settings={"random_state": 0},
        variants={
            "numbers": {"target_type": "continuous", "smooth": 5.0},
            "in order": {"shuffle": False},
        },
        expected_failures=dict.fromkeys(
            [
                "check_transformer_data_not_an_array",
                "check_transformer_general",
            ],
            "training rows are encoded without their own target, other rows are not",
        ),
    ),
    *LINEAR_CASES,
    *CLUSTER_CASES,
]


def over_cases(keep=lambda case: True):
    """Parametrize a test over the estimators that `keep` keeps."""
    cases = [pytest.param(case, id=case.name) for case in CASES if keep(case)]
    return pytest.mark.parametrize("case", cases)


def over_predictors(keep=lambda case: True):
    """Parametrize a test over the estimators that predict and that `keep` keeps."""
    return over_cases(lambda case: case.is_predictor and keep(case))


def over_supervised(keep=lambda case: True):
    """Parametrize a test over those that predict a target and that `keep` keeps."""
    return over_predictors(lambda case: not case.is_clusterer and keep(case))


def over_variants(keep=lambda case: True, keep_settings=lambda case, settings: True):
    """Parametrize a test over the estimators and their settings that are kept."""
    return pytest.mark.parametrize(
        "case, settings",
        [
            pytest.param(case, settings, id=f"{case.name}-{name}")
            for case in CASES
            if keep(case)
            for name, settings in {"small": {}, **case.tried_variants}.items()
            if keep_settings(case, settings)
        ],
    )
