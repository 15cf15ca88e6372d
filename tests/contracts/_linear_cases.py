"""The linear models, for the list of all estimators."""

from sklearnx import linear_model
from tests.contracts._case import EstimatorCase

_PATH_SETTINGS = {"alphas": 10, "cv": 3}
_LOGISTIC_CV_SETTINGS = {
    # Without these three, scikit-learn 1.9 warns of what will change.
    "l1_ratios": (0.0,),
    "scoring": "neg_log_loss",
    "use_legacy_attributes": False,
    "Cs": 4,
    "cv": 3,
}
_DESCENT_VARIANTS = {
    "no intercept": {"fit_intercept": False},
    "positive": {"positive": True},
    "random": {"selection": "random", "random_state": 0},
}
_RIDGE_SOLVERS = {
    solver: {"solver": solver, "tol": 1e-10, "random_state": 0}
    for solver in ("svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga")
}
_LOGISTIC_SOLVERS = {
    solver: {"solver": solver, "tol": 1e-8, "max_iter": 2000, "random_state": 0}
    for solver in ("newton-cg", "newton-cholesky", "sag", "saga")
}
_GLM_VARIANTS = {
    "Newton": {"solver": "newton-cholesky", "tol": 1e-8},
    "no intercept": {"fit_intercept": False},
    "no penalty": {"alpha": 0.0},
}


def _is_drawn(settings):
    return True


_NO_ITERATIONS = {
    "check_non_transformer_estimators_n_iter": "direct solvers count no iterations"
}

_CASES = {
    "LinearRegression": {
        "search_grid": {"fit_intercept": [True, False]},
        "variants": {
            "no intercept": {"fit_intercept": False},
            "positive": {"positive": True},
        },
        "checked": ("positive",),
    },
    "Ridge": {
        "search_grid": {"alpha": [0.1, 1e4]},
        "variants": {
            **_RIDGE_SOLVERS,
            "no intercept": {"fit_intercept": False},
            "no penalty": {"alpha": 0.0},
            "positive": {"positive": True, "tol": 1e-10},
        },
        "checked": ("sparse_cg", "svd"),
        "expected_failures": _NO_ITERATIONS,
    },
    "RidgeCV": {
        "search_grid": {"alphas": [[0.1, 1.0], [1e4]]},
        "variants": {
            "folds": {"cv": 3},
            "no intercept": {"fit_intercept": False},
            "results kept": {"store_cv_results": True},
            "scored": {"scoring": "neg_mean_absolute_error"},
        },
        "checked": ("folds",),
        "splits_rows": True,
    },
    "RidgeClassifier": {
        "search_grid": {"alpha": [0.1, 1e5]},
        "variants": {
            "classes weighted": {"class_weight": {0: 1.0, 1: 3.0, 2: 2.0}},
            "svd": {"solver": "svd"},
        },
        "expected_failures": _NO_ITERATIONS,
    },
    "RidgeClassifierCV": {
        "search_grid": {"alphas": [[0.1, 1.0], [1e5]]},
        "variants": {
            "folds": {"cv": 3},
            "balanced": {"class_weight": "balanced"},
        },
        "splits_rows": True,
    },
    "Lasso": {
        "small_settings": {"alpha": 0.01, "tol": 1e-10},
        "search_grid": {"alpha": [0.01, 0.2]},
        "variants": {**_DESCENT_VARIANTS, "Gram": {"precompute": True}},
    },
    "LassoCV": {
        "small_settings": {**_PATH_SETTINGS, "tol": 1e-10},
        "search_grid": {"alphas": [[0.01], [0.2]]},
        "variants": _DESCENT_VARIANTS,
        "splits_rows": True,
    },
    "ElasticNet": {
        "small_settings": {"alpha": 0.01, "tol": 1e-10},
        "search_grid": {"alpha": [0.01, 0.2], "l1_ratio": [0.2, 0.8]},
        "variants": {
            **_DESCENT_VARIANTS,
            "Gram": {"precompute": True},
            "ridge": {"l1_ratio": 0.0},
        },
    },
    "ElasticNetCV": {
        "small_settings": {**_PATH_SETTINGS, "tol": 1e-10},
        "search_grid": {"alphas": [[0.01], [0.2]]},
        "variants": {**_DESCENT_VARIANTS, "ratios": {"l1_ratio": [0.2, 0.9]}},
        "splits_rows": True,
    },
    "MultiTaskLasso": {
        "small_settings": {"alpha": 0.01, "tol": 1e-10},
        "search_grid": {"alpha": [0.01, 0.2]},
        "variants": {"no intercept": {"fit_intercept": False}},
        "n_targets": 2,
    },
    "MultiTaskLassoCV": {
        "small_settings": {**_PATH_SETTINGS, "tol": 1e-10},
        "search_grid": {"alphas": [[0.01], [0.2]]},
        "splits_rows": True,
        "n_targets": 2,
    },
    "MultiTaskElasticNet": {
        "small_settings": {"alpha": 0.01, "tol": 1e-10},
        "search_grid": {"alpha": [0.01, 0.2], "l1_ratio": [0.2, 0.8]},
        "variants": {"no intercept": {"fit_intercept": False}},
        "n_targets": 2,
    },
    "MultiTaskElasticNetCV": {
        "small_settings": {**_PATH_SETTINGS, "tol": 1e-10},
        "search_grid": {"alphas": [[0.01], [0.2]]},
        "variants": {"ratios": {"l1_ratio": [0.2, 0.9]}},
        "splits_rows": True,
        "n_targets": 2,
    },
    "LogisticRegression": {
        "small_settings": {"tol": 1e-8, "max_iter": 1000},
        "search_grid": {"C": [1e-4, 1.0]},
        "variants": {
            **_LOGISTIC_SOLVERS,
            "balanced": {"class_weight": "balanced"},
            "elastic net": {"solver": "saga", "l1_ratio": 0.5, "random_state": 0},
            "L1": {"solver": "saga", "l1_ratio": 1.0, "C": 0.1, "random_state": 0},
            "no intercept": {"fit_intercept": False},
            "no penalty": {"C": float("inf")},
        },
        "checked": ("newton-cholesky", "L1"),
    },
    "LogisticRegressionCV": {
        "small_settings": _LOGISTIC_CV_SETTINGS,
        "search_grid": {"Cs": [[1e-4], [1.0]]},
        "variants": {
            "L1": {"solver": "saga", "l1_ratios": (1.0,), "random_state": 0},
            "not fitted again": {"refit": False},
        },
        "failures_of_defaults": {
            "check_sparsify_coefficients": "its classes have fewer rows than folds"
        },
        "splits_rows": True,
    },
    "GroupLasso": {
        "small_settings": {"alpha": 0.01, "tol": 1e-10},
        "search_grid": {"alpha": [0.01, 0.2], "l1_ratio": [0.0, 0.5]},
        "variants": {
            "no intercept": {"fit_intercept": False},
            "sparse groups": {"l1_ratio": 0.5},
        },
    },
    "GroupLassoCV": {
        "small_settings": {**_PATH_SETTINGS, "tol": 1e-10},
        "search_grid": {"alphas": [[0.01], [0.2]]},
        "splits_rows": True,
    },
    "PoissonRegressor": {
        "small_settings": {"alpha": 0.01, "tol": 1e-10, "max_iter": 1000},
        "search_grid": {"alpha": [0.01, 10.0]},
        "variants": _GLM_VARIANTS,
        "checked": ("Newton",),
    },
    "GammaRegressor": {
        "small_settings": {"alpha": 0.01, "tol": 1e-10, "max_iter": 1000},
        "search_grid": {"alpha": [0.01, 10.0]},
        "variants": _GLM_VARIANTS,
        "checked": ("Newton",),
    },
    "TweedieRegressor": {
        "small_settings": {
            "alpha": 0.01,
            "tol": 1e-10,
            "max_iter": 1000,
            "power": 1.5,
        },
        "search_grid": {"alpha": [0.01, 10.0]},
        "variants": {**_GLM_VARIANTS, "normal": {"power": 0.0}},
        "checked": ("normal",),
    },
    "HuberRegressor": {
        "small_settings": {"tol": 1e-8, "max_iter": 1000},
        "search_grid": {"alpha": [1e-4, 1e4]},
        "variants": {"no intercept": {"fit_intercept": False}},
    },
    "QuantileRegressor": {
        "small_settings": {"alpha": 0.001},
        "search_grid": {"quantile": [0.3, 0.5]},
        "variants": {
            "no intercept": {"fit_intercept": False},
            "no penalty": {"alpha": 0.0},
        },
    },
    "MCPRegression": {
        "small_settings": {"alpha": 0.01, "tol": 1e-10},
        "search_grid": {"alpha": [0.01, 0.5]},
        "variants": {"no intercept": {"fit_intercept": False}},
    },
    "SCADRegression": {
        "small_settings": {"alpha": 0.01, "tol": 1e-10},
        "search_grid": {"alpha": [0.01, 0.5]},
        "variants": {"no intercept": {"fit_intercept": False}},
    },
    "SGDClassifier": {
        "small_settings": {"max_iter": 50, "tol": None, "random_state": 0},
        "search_grid": {"alpha": [1e-4, 10.0]},
        "variants": {
            "averaged": {"average": True},
            "early stopping": {"early_stopping": True, "tol": 1e-3},
            "elastic net": {"penalty": "elasticnet"},
            "logistic": {"loss": "log_loss"},
        },
        "draws_rows": _is_drawn,
        # Its intercept takes shorter steps.
        "is_other_when_sparse": True,
    },
    "SGDRegressor": {
        "small_settings": {"max_iter": 50, "tol": None, "random_state": 0},
        "search_grid": {"alpha": [1e-4, 10.0]},
        "variants": {
            "adaptive": {"learning_rate": "adaptive", "tol": 1e-3},
            "averaged": {"average": True},
            "L1": {"penalty": "l1"},
        },
        "draws_rows": _is_drawn,
        # Its intercept takes shorter steps.
        "is_other_when_sparse": True,
    },
}

# One for each way to solve, and each that makes threads of its own.
_TRIED_IN_PROCESSES = {
    "HuberRegressor",
    "LassoCV",
    "LogisticRegression",
    "QuantileRegressor",
    "RidgeCV",
    "SGDClassifier",
}

LINEAR_CASES = [
    EstimatorCase(
        getattr(linear_model, name),
        is_linear=True,
        is_tried_in_processes=name in _TRIED_IN_PROCESSES,
        **{"small_settings": {}, **settings},
    )
    for name, settings in _CASES.items()
]
