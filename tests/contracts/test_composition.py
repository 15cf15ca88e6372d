"""The estimators work inside scikit-learn's tools."""

import inspect

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    cross_validate,
)
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from tests.contracts._helpers import (
    COLUMN_NAMES,
    assert_same_bits,
    compute_outputs,
    fit_and_compute,
    make_data,
)
from tests.contracts.estimators import over_cases, over_predictors, over_supervised


def has_one_target(case):
    return not case.has_many_targets


@over_cases()
def test_pipeline(case):
    X, y = make_data(case)
    pipeline = make_pipeline(StandardScaler(), case.make_estimator()).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    expected = fit_and_compute(case.make_estimator(), scaled, y)
    assert_same_bits(compute_outputs(pipeline, X), expected)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@over_predictors()
def test_set_output(case, library):
    pytest.importorskip(library)
    pandas = pytest.importorskip("pandas")
    X, y = make_data(case)
    frame = pandas.DataFrame(X, columns=COLUMN_NAMES)
    scaler = MinMaxScaler().set_output(transform=library)
    pipeline = make_pipeline(scaler, case.make_estimator()).fit(frame, y)
    assert pipeline[-1].feature_names_in_.tolist() == COLUMN_NAMES
    assert len(pipeline.predict(frame)) == len(y)


@over_predictors(keep=lambda case: case.has_score)
def test_grid_search(case):
    X, y = make_data(case)
    scores = []
    for n_jobs in (1, 2):
        search = GridSearchCV(
            case.make_estimator(),
            case.search_grid,
            cv=2,
            n_jobs=n_jobs,
            error_score="raise",
        )
        search.fit(X, y)
        scores.append(search.cv_results_["mean_test_score"])
    assert scores[0].tolist() == scores[1].tolist()
    assert len(set(scores[0])) > 1


@over_predictors(keep=lambda case: case.has_score)
def test_halving_random_search(case):
    X, y = make_data(case)
    search = HalvingRandomSearchCV(
        case.make_estimator(),
        case.search_grid,
        n_candidates=3,
        cv=2,
        # Those that cut rows into folds, and groups, need more than the smallest.
        min_resources=100 if case.splits_rows or case.is_clusterer else "smallest",
        random_state=0,
        error_score="raise",
    )
    assert len(search.fit(X, y).predict(X)) == len(y)


@over_cases(keep=lambda case: is_classifier(case.estimator_class()))
def test_calibration(case):
    X, y = make_data(case)
    calibrated = CalibratedClassifierCV(case.make_estimator(), cv=2).fit(X, y)
    assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    assert calibrated.score(X, y) > 0.8


@pytest.mark.parametrize(
    "classifier_class, regressor_class",
    [
        (StackingClassifier, StackingRegressor),
        (VotingClassifier, VotingRegressor),
    ],
)
@over_supervised(keep=has_one_target)
def test_ensembles(case, classifier_class, regressor_class):
    X, y = make_data(case)
    is_class = is_classifier(case.estimator_class())
    others = {name: values[0] for name, values in case.search_grid.items()}
    ensemble = (classifier_class if is_class else regressor_class)(
        [("first", case.make_estimator()), ("second", case.make_estimator(**others))]
    )
    assert ensemble.fit(X, y).score(X, y) > 0.5


@over_supervised(keep=has_one_target)
def test_bagging(case):
    X, y = make_data(case)
    is_class = is_classifier(case.estimator_class())
    bagging_class = BaggingClassifier if is_class else BaggingRegressor
    bagging = bagging_class(case.make_estimator(), n_estimators=3, random_state=0)
    assert bagging.fit(X, y).score(X, y) > 0.5


@over_supervised(keep=has_one_target)
def test_multioutput(case):
    X, y = make_data(case)
    is_class = is_classifier(case.estimator_class())
    multioutput_class = MultiOutputClassifier if is_class else MultiOutputRegressor
    multioutput = multioutput_class(case.make_estimator(), n_jobs=2)
    predicted = multioutput.fit(X, np.c_[y, y[::-1]]).predict(X)
    alone = case.make_estimator().fit(X, y).predict(X)
    assert predicted[:, 0].tolist() == alone.tolist()


@over_supervised()
def test_permutation_importance(case):
    X, y = make_data(case)
    estimator = case.make_estimator().fit(X, y)
    result = permutation_importance(estimator, X, y, n_repeats=3, random_state=0)
    # The last column is noise.
    assert np.argmin(np.abs(result.importances_mean)) == len(COLUMN_NAMES) - 1


@pytest.mark.parametrize("features", [[0], [1], [0, 2]])
@over_cases(keep=lambda case: case.has_recursion)
def test_partial_dependence_recursion_is_brute(case, features):
    X, y = make_data(case)
    is_class = is_classifier(case.estimator_class())
    if is_class:
        y = (y > 0).astype(int)
    # On stumps, which hold no interaction, both are exact up to a constant.
    estimator = case.make_estimator(max_depth=1, max_iter=30).fit(X, y)
    curves = {
        method: partial_dependence(
            estimator,
            np.nan_to_num(X),
            features,
            method=method,
            response_method="decision_function" if is_class else "auto",
            grid_resolution=10,
        )["average"][0]
        for method in ("brute", "recursion")
    }
    curves = {method: curve - curve.flat[0] for method, curve in curves.items()}
    assert np.ptp(curves["brute"]) > 0.1
    assert_allclose(curves["recursion"], curves["brute"], atol=1e-9)


def can_be_weighted(case):
    # A scorer would have to ask for weights as well.
    methods = ("fit", "score") if case.has_score else ("predict",)
    takes_weights = all(
        "sample_weight"
        in inspect.signature(getattr(case.estimator_class, method)).parameters
        for method in methods
    )
    return takes_weights and "scoring" not in case.small_settings


@over_predictors(keep=can_be_weighted)
def test_metadata_routing(case):
    X, y = make_data(case)
    weight = np.random.default_rng(0).integers(0, 4, size=len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = case.make_estimator().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler(), estimator)
        pipeline[0].set_fit_request(sample_weight=False)
        pipeline.fit(X, y, sample_weight=weight)
        folds = cross_validate(
            estimator.set_score_request(sample_weight=False),
            X,
            y,
            params={"sample_weight": weight},
            cv=2,
            return_estimator=True,
            return_indices=True,
            error_score="raise",
        )
    scaled = StandardScaler().fit_transform(X)
    direct = case.make_estimator().fit(scaled, y, sample_weight=weight)
    assert_same_bits(compute_outputs(pipeline, X), compute_outputs(direct, scaled))
    for fitted, rows in zip(folds["estimator"], folds["indices"]["train"]):
        direct = clone(estimator).fit(X[rows], y[rows], sample_weight=weight[rows])
        assert_same_bits(compute_outputs(fitted, X), compute_outputs(direct, X))
