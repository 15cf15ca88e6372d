"""Our linear models beside those that we leave to scikit-learn, and in its tools."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import (
    enable_halving_search_cv,  # noqa: F401
    enable_iterative_imputer,  # noqa: F401
)
from sklearn.feature_selection import (
    RFE,
    RFECV,
    SelectFromModel,
    SequentialFeatureSelector,
)
from sklearn.impute import IterativeImputer
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    Lars,
    LassoLars,
    LassoLarsIC,
    OrthogonalMatchingPursuit,
    Perceptron,
    RANSACRegressor,
    TheilSenRegressor,
    lars_path,
)
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_score,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

from sklearnx.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    lasso_path,
)

COEF = np.array([3.0, -2.0, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0])
INFORMATIVE = COEF != 0
THEIRS = [
    ARDRegression(),
    BayesianRidge(),
    Lars(),
    LassoLars(alpha=0.01),
    LassoLarsIC(),
    OrthogonalMatchingPursuit(n_nonzero_coefs=3),
    RANSACRegressor(random_state=0),
    TheilSenRegressor(random_state=0, max_subpopulation=300),
]


def name_of(estimator):
    return type(estimator).__name__


def make_regression(n_samples=200, n_outliers=0, random_state=0):
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, len(COEF)))
    y = X @ COEF + 4.0 + 0.1 * rng.normal(size=n_samples)
    y[:n_outliers] += 50 + 50 * rng.random(n_outliers)
    return X, y


def make_classification(n_samples=300, n_classes=3, random_state=0):
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, 5))
    X[:, :n_classes] += 0.5
    return X, X[:, :n_classes].argmax(axis=1)


# ---- ours inside theirs --------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator", [LinearRegression(), Ridge(alpha=1e-3), ElasticNet(1e-4)], ids=name_of
)
def test_ransac(estimator):
    X, y = make_regression(n_outliers=60)
    ransac = RANSACRegressor(estimator, min_samples=9, random_state=0).fit(X, y)
    assert isinstance(ransac.estimator_, type(estimator))
    assert not ransac.inlier_mask_[:60].any()
    assert_allclose(ransac.estimator_.coef_, COEF, atol=0.05)


def test_ransac_weights():
    X, y = make_regression(n_outliers=60)
    weight = np.ones(len(y))
    weight[100:] = 0
    ransac = RANSACRegressor(LinearRegression(), random_state=0)
    ransac.fit(X, y, sample_weight=weight)
    inliers = ransac.inlier_mask_
    expected = LinearRegression().fit(
        X[inliers], y[inliers], sample_weight=weight[inliers]
    )
    assert_allclose(ransac.estimator_.coef_, expected.coef_)


@pytest.mark.parametrize("theirs", THEIRS, ids=name_of)
def test_stacking_with_theirs(theirs):
    X, y = make_regression()
    stack = StackingRegressor(
        [("theirs", theirs), ("ours", Lasso(alpha=0.01)), ("huber", HuberRegressor())],
        final_estimator=RidgeCV(),
        cv=3,
    )
    assert stack.fit(X, y).score(X, y) > 0.99


@pytest.mark.parametrize("theirs", THEIRS, ids=name_of)
def test_voting_with_theirs(theirs):
    X, y = make_regression()
    vote = VotingRegressor([("theirs", theirs), ("ours", LinearRegression())]).fit(X, y)
    expected = (
        vote.named_estimators_["theirs"].predict(X)
        + LinearRegression().fit(X, y).predict(X)
    ) / 2
    assert_allclose(vote.predict(X), expected)


def test_classifiers_with_perceptron():
    X, y = make_classification()
    members = [
        ("perceptron", Perceptron(random_state=0)),
        ("logistic", LogisticRegression()),
        ("ridge", RidgeClassifier()),
        ("sgd", SGDClassifier(random_state=0)),
    ]
    assert VotingClassifier(members).fit(X, y).score(X, y) > 0.85
    stack = StackingClassifier(members, final_estimator=LogisticRegression(), cv=3)
    assert stack.fit(X, y).score(X, y) > 0.85


def test_calibration_of_perceptron_beside_ours():
    X, y = make_classification(n_classes=2)
    for classifier in (
        Perceptron(random_state=0),
        RidgeClassifier(),
        SGDClassifier(random_state=0),
        LogisticRegression(C=100.0),
    ):
        calibrated = CalibratedClassifierCV(classifier, cv=3).fit(X, y)
        assert calibrated.score(X, y) > 0.85
        assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize(
    "estimator",
    [
        Lasso(alpha=0.1),
        LassoCV(cv=3, alphas=20),
        make_pipeline(StandardScaler(), LassoCV(cv=3, alphas=20)),
    ],
    ids=name_of,
)
def test_select_from_model(estimator):
    X, y = make_regression()
    getter = "named_steps.lassocv.coef_" if hasattr(estimator, "steps") else "auto"
    # Chosen by cross-validation, small coefficients of noise may be left.
    selector = SelectFromModel(estimator, threshold=0.05, importance_getter=getter)
    chain = make_pipeline(selector, BayesianRidge()).fit(X, y)
    assert chain[0].get_support().tolist() == INFORMATIVE.tolist()
    assert_allclose(chain[1].coef_, COEF[INFORMATIVE], atol=0.05)


@pytest.mark.parametrize(
    "estimator",
    [LinearRegression(), Ridge(), HuberRegressor(), SGDRegressor(random_state=0)],
    ids=name_of,
)
def test_elimination(estimator):
    X, y = make_regression()
    eliminated = RFE(estimator, n_features_to_select=3).fit(X, y)
    assert eliminated.support_.tolist() == INFORMATIVE.tolist()
    forward = SequentialFeatureSelector(estimator, n_features_to_select=3, cv=3)
    assert forward.fit(X, y).get_support().tolist() == INFORMATIVE.tolist()


def test_elimination_of_classes():
    X, y = make_classification()
    eliminated = RFECV(LogisticRegression(), cv=3).fit(X, y)
    assert eliminated.support_[:3].all()


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(),
        LogisticRegression(solver="liblinear"),
        RidgeClassifier(),
        SGDClassifier(random_state=0),
    ],
    ids=lambda classifier: f"{name_of(classifier)}-{getattr(classifier, 'solver', '')}",
)
@pytest.mark.parametrize("wrapper", [OneVsRestClassifier, OneVsOneClassifier])
def test_one_class_against_others(classifier, wrapper):
    X, y = make_classification()
    wrapped = wrapper(classifier, n_jobs=2).fit(X, y)
    assert len(wrapped.estimators_) == 3
    assert wrapped.score(X, y) > 0.8


def test_several_targets():
    X, y = make_regression()
    Y = np.column_stack([y, -y])
    for regressor in (HuberRegressor(), LassoCV(cv=3, alphas=20), QuantileRegressor()):
        alone = [regressor.fit(X, column).predict(X) for column in Y.T]
        together = MultiOutputRegressor(regressor).fit(X, Y).predict(X)
        assert_allclose(together, np.column_stack(alone))
    streamed = MultiOutputRegressor(SGDRegressor(random_state=0, alpha=0.0))
    for _ in range(30):
        streamed.partial_fit(X, Y)
    assert streamed.score(X, Y) > 0.99


def test_several_labels():
    X, y = make_classification()
    Y = np.column_stack([y == 0, y == 1]).astype(int)
    for classifier in (LogisticRegression(), SGDClassifier(random_state=0)):
        assert MultiOutputClassifier(classifier).fit(X, Y).score(X, Y) > 0.7
        chain = ClassifierChain(classifier, cv=3, random_state=0).fit(X, Y)
        assert chain.predict(X).shape == Y.shape
        assert np.mean(chain.predict(X) == Y) > 0.85


def test_transformed_target():
    X, _ = make_regression()
    transformed = TransformedTargetRegressor(
        LinearRegression(), func=np.exp, inverse_func=np.log
    )
    target = X @ COEF + 20
    transformed.fit(X, np.log(target))
    assert_allclose(transformed.regressor_.coef_, COEF, atol=1e-12)
    assert_allclose(transformed.predict(X), np.log(target))


def test_imputation():
    X, _ = make_regression()
    X[:, 7] = X[:, :3] @ [1.0, 2.0, -1.0]
    gaps = X.copy()
    gaps[::5, 7] = np.nan
    imputer = IterativeImputer(Ridge(alpha=1e-8), max_iter=20, random_state=0)
    assert_allclose(imputer.fit_transform(gaps), X, atol=1e-5)


def test_features_made_on_the_way():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(400, 2))
    product = make_pipeline(PolynomialFeatures(2), Lasso(alpha=1e-4))
    assert product.fit(X, X[:, 0] * X[:, 1]).score(X, X[:, 0] * X[:, 1]) > 0.999
    rate = np.exp(np.sin(2 * X[:, 0]))
    smooth = make_pipeline(
        SplineTransformer(sparse_output=True), PoissonRegressor(alpha=1e-4)
    )
    assert smooth.fit(X, rng.poisson(20 * rate)).score(X, 20 * rate) > 0.98


def test_boosted():
    X, y = make_regression()
    boosted = AdaBoostRegressor(Ridge(), n_estimators=5, random_state=0).fit(X, y)
    assert boosted.score(X, y) > 0.99


def test_sparse_text_like_rows():
    rng = np.random.default_rng(0)
    X = sparse.random(400, 50, density=0.2, random_state=0, format="csr")
    y = (X @ rng.normal(size=50) > 0).astype(int)
    for classifier in (LogisticRegression(C=100), SGDClassifier(random_state=0)):
        assert OneVsRestClassifier(classifier).fit(X, y).score(X, y) > 0.9


# ---- search and weights --------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator, grid",
    [
        (Ridge(), {"alpha": [1e-3, 1e4]}),
        (Lasso(), {"alpha": [0.01, 3.0]}),
        (HuberRegressor(), {"alpha": [1e-4, 1e6]}),
    ],
    ids=lambda value: name_of(value) if hasattr(value, "fit") else "",
)
def test_halving_search(estimator, grid):
    X, y = make_regression()
    search = HalvingGridSearchCV(estimator, grid, cv=3, random_state=0).fit(X, y)
    assert search.best_params_ == {"alpha": grid["alpha"][0]}


def test_search_over_ours_and_theirs():
    X, y = make_regression()
    pipeline = make_pipeline(StandardScaler(), LinearRegression())
    candidates = [LinearRegression(), Lasso(alpha=1.0), BayesianRidge(), Ridge()]
    search = GridSearchCV(pipeline, {"linearregression": candidates}, cv=3).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.argmin(scores) == 1
    assert scores[0] > 0.99


@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression(),
        Ridge(),
        Lasso(alpha=0.01),
        PoissonRegressor(),
        HuberRegressor(),
        QuantileRegressor(alpha=0.0),
        SGDRegressor(random_state=0),
    ],
    ids=name_of,
)
def test_weights_are_routed(estimator):
    X, y = make_regression()
    y = np.abs(y)
    weight = np.random.default_rng(0).uniform(size=len(y))
    direct = sklearn.clone(estimator).fit(X, y, sample_weight=weight)
    plain = sklearn.clone(estimator).fit(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = sklearn.clone(estimator).set_fit_request(sample_weight=True)
        multi = MultiOutputRegressor(routed).fit(X, y[:, None], sample_weight=weight)
        silent = sklearn.clone(estimator).set_fit_request(sample_weight=False)
        chain = make_pipeline(StandardScaler(with_std=False, with_mean=False), silent)
        chain[0].set_fit_request(sample_weight=True)
        chain.fit(X, y, sample_weight=weight)
    assert_allclose(multi.predict(X)[:, 0], direct.predict(X))
    assert_allclose(chain.predict(X), plain.predict(X))
    assert not np.allclose(direct.predict(X), plain.predict(X))


def test_weights_of_a_scorer_are_routed():
    X, y = make_classification(n_classes=2)
    weight = np.where(y == 1, 10.0, 0.1)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = sklearn.metrics.get_scorer("accuracy")
        classifiers = [
            LogisticRegressionCV(
                Cs=[1.0],
                l1_ratios=(0.0,),
                cv=3,
                scoring=scorer.set_score_request(sample_weight=is_weighted),
                use_legacy_attributes=False,
            ).fit(X, y, sample_weight=weight)
            for is_weighted in (True, False)
        ]
    assert_allclose(classifiers[0].coef_, classifiers[1].coef_)
    assert classifiers[0].scores_.mean() > classifiers[1].scores_.mean() + 0.05


def test_nested_cross_validation():
    X, y = make_regression()
    assert cross_val_score(LassoCV(cv=3, alphas=20), X, y, cv=3).min() > 0.99


# ---- the same answers as theirs ------------------------------------------------------


def test_lasso_path_is_lars_path():
    X, y = make_regression()
    X, y = X - X.mean(axis=0), y - y.mean()
    alphas, _, coefs = lars_path(X, y, method="lasso")
    # The last is least squares, without a penalty.
    ours = lasso_path(X, y, alphas=alphas[1:-1], tol=1e-12)
    assert_allclose(ours[1], coefs[:, 1:-1], atol=1e-6)


def test_lasso_is_lasso_lars():
    X, y = make_regression()
    theirs = LassoLars(alpha=0.1).fit(X, y)
    ours = Lasso(alpha=0.1, tol=1e-12).fit(X, y)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)
    assert_allclose(ours.intercept_, theirs.intercept_)


def test_ridge_is_bayesian_ridge():
    X, y = make_regression()
    theirs = BayesianRidge(tol=1e-12).fit(X, y)
    ours = Ridge(alpha=theirs.lambda_ / theirs.alpha_).fit(X, y)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6)


def test_least_squares_is_orthogonal_matching_pursuit():
    X, y = make_regression()
    theirs = OrthogonalMatchingPursuit(n_nonzero_coefs=3).fit(X, y)
    ours = LinearRegression().fit(X[:, INFORMATIVE], y)
    assert_allclose(ours.coef_, theirs.coef_[INFORMATIVE])


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in sklearn.linear_model.__all__
        if hasattr(sklearn.linear_model, name)
    ],
)
def test_ours_are_theirs(name):
    """Tools that ask for scikit-learn's class take ours."""
    import sklearnx.linear_model

    theirs = getattr(sklearn.linear_model, name)
    ours = getattr(sklearnx.linear_model, name, None)
    if ours is None or not isinstance(ours, type):
        pytest.skip("it is scikit-learn's alone, or a function")
    assert issubclass(ours, theirs)
    assert ours is not theirs
