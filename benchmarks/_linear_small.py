"""Linear models of small data, where what surrounds the solver counts."""

from functools import cache, partial

from sklearn.datasets import load_diabetes, load_iris

from benchmarks import _linear_data as linear_data
from benchmarks import _linear_objectives as objectives
from benchmarks._linear_cases import Case, make_logistic_cv
from benchmarks._linear_libraries import OURS, Entry

# Turns for each of other cases: fits take a millisecond.
N_TURNS = 20


def _read(load, is_quick):
    return linear_data.Data(*load(return_X_y=True))


@cache
def _make_classes(n_columns, n_classes, is_quick):
    return linear_data.make_classification(1_000, n_columns, n_classes)


@cache
def _make_counts(is_quick):
    return linear_data.make_counts(1_000, 20)


def _make_case(name, estimator, where, make_data, objective, **parameters):
    return Case(
        f"small_{name}",
        f"{estimator}, {where}",
        make_data,
        [
            Entry(OURS, estimator, parameters),
            Entry("scikit-learn", estimator, parameters, bar=1.0),
        ],
        objective,
        n_turns=N_TURNS,
    )


def _make_ridge_objective(data, model):
    return objectives.squared_error(data, model, l2=1.0 / len(data.y))


diabetes = partial(_read, load_diabetes)
iris = partial(_read, load_iris)
classes_50 = partial(_make_classes, 50, 2)
log_loss = partial(objectives.log_loss, C=1.0)

SMALL_CASES = [
    _make_case("logistic", "LogisticRegression", "1,000 x 50", classes_50, log_loss),
    _make_case(
        "logistic_classes",
        "LogisticRegression",
        "1,000 x 20, 3 classes",
        partial(_make_classes, 20, 3),
        log_loss,
    ),
    _make_case(
        "logistic_iris", "LogisticRegression", "iris", iris, log_loss, max_iter=1000
    ),
    make_logistic_cv("small_logistic_cv", "1,000 x 50", classes_50, bar=1.0),
    make_logistic_cv("small_logistic_cv_iris", "iris", iris, bar=1.0),
    _make_case(
        "linear_regression",
        "LinearRegression",
        "diabetes",
        diabetes,
        objectives.squared_error,
    ),
    _make_case("ridge", "Ridge", "diabetes", diabetes, _make_ridge_objective),
    _make_case(
        "lasso",
        "Lasso",
        "diabetes, alpha=1",
        diabetes,
        partial(objectives.squared_error, l1=1.0),
    ),
    _make_case(
        "poisson",
        "PoissonRegressor",
        "1,000 x 20",
        _make_counts,
        partial(objectives.poisson, alpha=1.0),
        max_iter=1000,
    ),
]
