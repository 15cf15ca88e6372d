"""What linear models are measured on: a case for each bar, and some without.

A case is a line in `CASES`: its data, who is fitted to them with which bar, and the
objective that tells whether they converged to the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from benchmarks import _linear_data as linear_data
from benchmarks import _linear_objectives as objectives
from benchmarks._linear_libraries import OURS, Entry

N_QUICK_ROWS, N_QUICK_COLUMNS = 2_000, 20


@dataclass(frozen=True)
class Case:
    """One work.

    Attributes
    ----------
    name, title : str
    make_data : callable
        ``make_data(is_quick)``, a `Data`.
    entries : list of Entry
        Ours first.
    objective : callable
        ``objective(data, model)``; with `is_selection`, of the peer's model as well.
    is_selection : bool
        Whether the model chooses its penalty: both are then judged by the peer's.
    table : str or None
        The table of real data that has to be there.
    n_turns : int
        Turns for each that other cases have.
    """

    name: str
    title: str
    make_data: Callable
    entries: list
    objective: Callable
    is_selection: bool = False
    table: str | None = None
    n_turns: int = 1


@cache
def _make_tall(is_quick):
    n_rows, n_columns = (N_QUICK_ROWS, N_QUICK_COLUMNS) if is_quick else (200_000, 100)
    return linear_data.make_regression(n_rows, n_columns, n_columns // 2, 10.0)


@cache
def _make_wide(is_quick):
    n_rows, n_columns = (100, 300) if is_quick else (2_000, 10_000)
    return linear_data.make_regression(n_rows, n_columns, n_rows // 20, 10.0)


@cache
def _make_wide_of_grid(is_quick):
    """The rows are few in a quick run: scikit-learn takes long for 500 fits."""
    n_rows, n_columns = (50, 100) if is_quick else (2_000, 10_000)
    return linear_data.make_regression(n_rows, n_columns, n_rows // 20, 10.0)


@cache
def _make_binary(is_quick):
    n_rows, n_columns = (N_QUICK_ROWS, N_QUICK_COLUMNS) if is_quick else (200_000, 50)
    return linear_data.make_classification(n_rows, n_columns, 2)


@cache
def _make_classes(is_quick):
    n_rows, n_columns = (N_QUICK_ROWS, N_QUICK_COLUMNS) if is_quick else (100_000, 50)
    return linear_data.make_classification(n_rows, n_columns, 10)


@cache
def _make_three_classes(is_quick):
    n_rows, n_columns = (N_QUICK_ROWS, N_QUICK_COLUMNS) if is_quick else (20_000, 50)
    return linear_data.make_classification(n_rows, n_columns, 3)


@cache
def _make_outliers(is_quick):
    n_rows, n_columns = (N_QUICK_ROWS, N_QUICK_COLUMNS) if is_quick else (200_000, 50)
    return linear_data.make_outliers(n_rows, n_columns)


@cache
def _make_few_outliers(is_quick):
    """For linear programming, which takes long."""
    return linear_data.make_outliers(500 if is_quick else 10_000, 20)


def _make_linear_regression():
    return Case(
        "linear_regression",
        "LinearRegression, 200,000 x 100",
        _make_tall,
        [
            Entry(OURS, "LinearRegression"),
            Entry("scikit-learn", "LinearRegression", bar=0.1),
            Entry("intelex", "LinearRegression", bar=0.9),
        ],
        objectives.squared_error,
    )


def _make_ridge():
    parameters = {"alpha": 1.0}

    def objective(data, model):
        return objectives.squared_error(data, model, l2=1.0 / len(data.y))

    return Case(
        "ridge",
        "Ridge, 200,000 x 100, alpha=1",
        _make_tall,
        [
            Entry(OURS, "Ridge", parameters),
            Entry("scikit-learn", "Ridge", parameters),
            Entry("intelex", "Ridge", parameters, bar=0.9),
        ],
        objective,
    )


def _make_tall_elastic_net(name, estimator, l1_ratio):
    parameters = {"alpha": 1.0}
    if estimator == "ElasticNet":
        parameters["l1_ratio"] = l1_ratio
    return Case(
        f"{name}_tall",
        f"{estimator}, 200,000 x 100, alpha=1",
        _make_tall,
        [
            Entry(OURS, estimator, parameters),
            Entry("scikit-learn", estimator, parameters, bar=0.5),
            Entry("intelex", estimator, parameters),
        ],
        partial(objectives.squared_error, l1=l1_ratio, l2=1.0 - l1_ratio),
    )


def _make_wide_lasso():
    parameters = {"alpha": 1.0}
    return Case(
        "lasso_wide",
        "Lasso, 2,000 x 10,000, alpha=1",
        _make_wide,
        [
            Entry(OURS, "Lasso", parameters),
            Entry("scikit-learn", "Lasso", parameters, bar=0.5),
            Entry("intelex", "Lasso", parameters),
            Entry("celer", "Lasso", parameters, bar=0.9),
            Entry("skglm", "Lasso", parameters, bar=0.9),
        ],
        partial(objectives.squared_error, l1=1.0),
    )


def _make_many_non_zeros(name, estimator, where, alpha, make_data):
    """A penalty that leaves hundreds of columns, as many as rows or more."""
    parameters = {"alpha": alpha}
    return Case(
        name,
        f"{estimator}, {where}, alpha={alpha}",
        make_data,
        [
            Entry(OURS, estimator, parameters),
            Entry("scikit-learn", estimator, parameters, bar=1.0),
        ],
        objectives.elastic_net,
    )


@cache
def _make_square(is_quick):
    n = 60 if is_quick else 2_000
    return linear_data.make_dense_signal(n, n)


@cache
def _make_few_rows(is_quick):
    shape = (40, 200) if is_quick else (500, 5_000)
    return linear_data.make_dense_signal(*shape)


@cache
def _make_few_rows_of_targets(is_quick):
    shape = (40, 200) if is_quick else (500, 5_000)
    return linear_data.make_dense_signal(*shape, n_targets=3)


@cache
def _make_sparse_square(is_quick):
    n, density = (60, 0.2) if is_quick else (4_000, 0.01)
    return linear_data.make_dense_signal(n, n, density=density)


def _make_lasso_cv():
    parameters = {"cv": 5}
    return Case(
        "lasso_cv",
        "LassoCV, 2,000 x 10,000, 5 folds, 100 alphas",
        _make_wide_of_grid,
        [
            Entry(OURS, "LassoCV", parameters, threads_parameter="n_jobs"),
            Entry(
                "scikit-learn",
                "LassoCV",
                parameters,
                bar=0.1,
                max_repeats=3,
                threads_parameter="n_jobs",
            ),
        ],
        # By the tolerances that both have by default, scikit-learn's paths in the folds
        # are not converged enough to choose the same penalty.
        objectives.compare_lasso_with_bound,
    )


def _make_logistic():
    parameters = {"tol": 1e-6, "max_iter": 1000}
    solvers = {"lbfgs": None, "newton-cholesky": None, "newton-cg": 3}
    return Case(
        "logistic",
        "LogisticRegression, 200,000 x 50, tol=1e-6",
        _make_binary,
        [
            Entry(OURS, "LogisticRegression", parameters),
            *(
                Entry(
                    "scikit-learn",
                    "LogisticRegression",
                    parameters | {"solver": solver},
                    note=solver,
                    bar=0.33,
                    max_repeats=max_repeats,
                )
                for solver, max_repeats in solvers.items()
            ),
            Entry("intelex", "LogisticRegression", parameters, bar=0.6),
            Entry(
                "glum",
                "GeneralizedLinearRegressor",
                {
                    "family": "binomial",
                    "l1_ratio": 0,
                    "alpha": lambda data: 1 / len(data.y),
                    "gradient_tol": 1e-6,
                },
            ),
        ],
        partial(objectives.log_loss, C=1.0),
    )


def _make_multinomial(name, title, make_data, solvers, table=None):
    parameters = {"max_iter": 1000}
    return Case(
        name,
        title,
        make_data,
        [
            Entry(OURS, "LogisticRegression", parameters),
            *(
                Entry(
                    "scikit-learn",
                    "LogisticRegression",
                    parameters | {"solver": solver},
                    note=solver,
                    bar=0.33,
                    max_repeats=max_repeats,
                )
                for solver, max_repeats in solvers.items()
            ),
            Entry("intelex", "LogisticRegression", parameters, max_repeats=2),
        ],
        partial(objectives.log_loss, C=1.0),
        table=table,
    )


def _make_l1_logistic():
    parameters = {"C": 0.01, "l1_ratio": 1.0, "solver": "saga", "max_iter": 1000}
    return Case(
        "logistic_l1",
        "L1 LogisticRegression, 200,000 x 50, C=0.01",
        _make_binary,
        [
            Entry(OURS, "LogisticRegression", parameters),
            Entry(
                "scikit-learn",
                "LogisticRegression",
                parameters,
                note="saga",
                bar=0.15,
                max_repeats=2,
            ),
            Entry(
                "skglm",
                "SparseLogisticRegression",
                {"alpha": lambda data: 1 / (0.01 * len(data.y))},
                max_repeats=2,
            ),
        ],
        partial(objectives.log_loss, C=0.01, l1_ratio=1.0),
    )


# Of the mean deviance.
POISSON_ALPHA = 1e-4


def _make_poisson(way, title):
    common = {"alpha": POISSON_ALPHA, "max_iter": 1000}
    sklearn_parameters = common | {"tol": 1e-6}
    glum_entry = Entry(
        "glum",
        "GeneralizedLinearRegressor",
        common | {"family": "poisson", "l1_ratio": 0, "gradient_tol": 1e-6},
        bar=1.0,
        fit=_fit_with_offset if way == "offset" else None,
    )
    ours = Entry(
        OURS,
        "PoissonRegressor",
        sklearn_parameters
        | ({"categorical_features": "from_dtype"} if way == "frame" else {}),
        fit=_fit_with_offset if way == "offset" else None,
    )
    entries = [ours, glum_entry]
    if way == "weights":
        entries[1:1] = [
            Entry(
                "scikit-learn",
                "PoissonRegressor",
                sklearn_parameters | {"solver": solver},
                note=solver,
                bar=0.33,
                max_repeats=3,
            )
            for solver in ("lbfgs", "newton-cholesky")
        ]
    return Case(
        f"poisson_{way}",
        title,
        partial(linear_data.read_claims, way=way),
        entries,
        partial(objectives.poisson, alpha=POISSON_ALPHA),
        table="freMTPL2freq",
    )


def _fit_with_offset(model, data):
    return model.fit(data.X, data.y, offset=data.offset)


def _make_ridge_cv():
    parameters = {"alphas": [0.1, 1.0, 10.0, 100.0, 1000.0]}

    def objective(data, model, reference):
        l2 = float(reference.alpha_) / len(data.y)
        return objectives.squared_error(data, model, l2=l2)

    return Case(
        "ridge_cv",
        "RidgeCV, leave one out, 5 alphas, 200,000 x 100",
        _make_tall,
        [
            Entry(OURS, "RidgeCV", parameters),
            Entry("scikit-learn", "RidgeCV", parameters, max_repeats=2),
        ],
        objective,
        is_selection=True,
    )


def make_logistic_cv(name, where, make_data, bar):
    parameters = {
        "Cs": 10,
        "cv": 5,
        "l1_ratios": (0.0,),
        "use_legacy_attributes": False,
        "scoring": "neg_log_loss",
    }

    def objective(data, model, reference):
        return objectives.log_loss(data, model, C=float(reference.C_))

    return Case(
        name,
        f"LogisticRegressionCV, 10 Cs, 5 folds, {where}",
        make_data,
        [
            Entry(OURS, "LogisticRegressionCV", parameters, threads_parameter="n_jobs"),
            *(
                Entry(
                    "scikit-learn",
                    "LogisticRegressionCV",
                    parameters | {"solver": solver, "max_iter": 1000},
                    note=solver,
                    bar=bar,
                    max_repeats=3,
                    threads_parameter="n_jobs",
                )
                for solver in ("lbfgs", "newton-cholesky")
            ),
        ],
        objective,
        is_selection=True,
    )


def _make_huber():
    parameters = {"epsilon": 1.35, "alpha": 1e-4, "max_iter": 1000}
    return Case(
        "huber",
        "HuberRegressor, 200,000 x 50",
        _make_outliers,
        [
            Entry(OURS, "HuberRegressor", parameters),
            Entry("scikit-learn", "HuberRegressor", parameters, max_repeats=3),
        ],
        partial(objectives.huber, epsilon=1.35, alpha=1e-4),
    )


def _make_quantile():
    parameters = {"quantile": 0.5, "alpha": 0.01}
    return Case(
        "quantile",
        "QuantileRegressor, 10,000 x 20, alpha=0.01",
        _make_few_outliers,
        [
            Entry(OURS, "QuantileRegressor", parameters),
            Entry("scikit-learn", "QuantileRegressor", parameters, max_repeats=1),
        ],
        partial(objectives.pinball, quantile=0.5, alpha=0.01),
    )


def _make_group_lasso():
    size, alpha = 5, 2.0

    def objective(data, model):
        groups = np.arange(data.X.shape[1]).reshape(-1, size)
        return objectives.group_lasso(data, model, alpha, groups)

    def count_groups(data):
        return data.X.shape[1] // size

    return Case(
        "group_lasso",
        "GroupLasso, 2,000 x 10,000, groups of 5, alpha=2",
        _make_wide,
        [
            Entry(
                OURS,
                "GroupLasso",
                {
                    "alpha": alpha,
                    "groups": lambda data: np.repeat(
                        np.arange(count_groups(data)), size
                    ),
                    "group_weights": lambda data: np.ones(count_groups(data)),
                },
            ),
            Entry("celer", "GroupLasso", {"groups": size, "alpha": alpha}),
            Entry("skglm", "GroupLasso", {"groups": size, "alpha": alpha}),
        ],
        objective,
    )


def _make_mcp():
    parameters = {"alpha": 1.0, "gamma": 3.0}
    return Case(
        "mcp",
        "MCPRegression, 2,000 x 10,000, alpha=1",
        _make_wide,
        [
            Entry(OURS, "MCPRegression", parameters),
            Entry("skglm", "MCPRegression", parameters),
        ],
        partial(objectives.minimax_concave, **parameters),
    )


def _make_sgd():
    # So many epochs of the same step lengths, whose random orders differ.
    parameters = {
        "loss": "log_loss",
        "alpha": 1e-4,
        "max_iter": 5,
        "tol": None,
        "random_state": 0,
    }
    return Case(
        "sgd",
        "SGDClassifier, log loss, 5 epochs, 200,000 x 50",
        _make_binary,
        [
            Entry(OURS, "SGDClassifier", parameters),
            Entry("scikit-learn", "SGDClassifier", parameters),
        ],
        lambda data, model: objectives.log_loss(data, model, 1e4 / len(data.y)),
    )


CASES = [
    _make_linear_regression(),
    _make_ridge(),
    _make_tall_elastic_net("lasso", "Lasso", 1.0),
    _make_tall_elastic_net("elastic_net", "ElasticNet", 0.5),
    _make_wide_lasso(),
    _make_many_non_zeros("lasso_square", "Lasso", "2,000 x 2,000", 0.1, _make_square),
    _make_many_non_zeros(
        "elastic_net_square", "ElasticNet", "2,000 x 2,000", 0.1, _make_square
    ),
    _make_many_non_zeros(
        "elastic_net_wide", "ElasticNet", "500 x 5,000", 0.1, _make_few_rows
    ),
    _make_many_non_zeros(
        "multi_task_wide",
        "MultiTaskElasticNet",
        "500 x 5,000, 3 targets",
        0.1,
        _make_few_rows_of_targets,
    ),
    _make_many_non_zeros(
        "lasso_sparse",
        "Lasso",
        "sparse 4,000 x 4,000, 1 %",
        1e-4,
        _make_sparse_square,
    ),
    _make_lasso_cv(),
    _make_logistic(),
    _make_multinomial(
        "logistic_classes",
        "LogisticRegression, 100,000 x 50, 10 classes",
        _make_classes,
        {"lbfgs": 3, "newton-cg": 3, "newton-cholesky": 1},
    ),
    _make_l1_logistic(),
    _make_multinomial(
        "newsgroups",
        "LogisticRegression, newsgroups20 TF-IDF, 20 classes",
        linear_data.read_newsgroups,
        {"lbfgs": 2, "newton-cg": 3},
        table="newsgroups20",
    ),
    _make_poisson("weights", "PoissonRegressor, freMTPL2freq one-hot, weights"),
    _make_poisson("offset", "PoissonRegressor, freMTPL2freq one-hot, offset"),
    _make_poisson("frame", "PoissonRegressor, freMTPL2freq as a frame, weights"),
    _make_ridge_cv(),
    make_logistic_cv("logistic_cv", "200,000 x 50", _make_binary, bar=0.5),
    make_logistic_cv(
        "logistic_cv_classes", "20,000 x 50, 3 classes", _make_three_classes, bar=0.5
    ),
    _make_huber(),
    _make_quantile(),
    _make_group_lasso(),
    _make_mcp(),
    _make_sgd(),
]
