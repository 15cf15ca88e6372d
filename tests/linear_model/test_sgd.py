"""SGDClassifier and SGDRegressor."""

import pickle
import warnings

import numpy as np
import pytest
import threadpoolctl
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedShuffleSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearnx._compat import SKLEARN_VERSION
from sklearnx.linear_model import SGDClassifier, SGDRegressor

BOTH = pytest.mark.parametrize("cls", [SGDClassifier, SGDRegressor])


@pytest.fixture(scope="module")
def binary():
    X, y = make_classification(
        n_samples=600, n_features=12, n_informative=6, flip_y=0.1, random_state=0
    )
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def regression():
    X, y = make_regression(
        n_samples=500, n_features=8, n_informative=4, noise=5, random_state=0
    )
    return StandardScaler().fit_transform(X), y / y.std()


def data_of(cls, binary, regression):
    return binary if cls is SGDClassifier else regression


EXPECTED_FAILURES = dict.fromkeys(
    [
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    ],
    "rows come in a random order",
)


@parametrize_with_checks(
    [
        SGDClassifier(),
        SGDClassifier(loss="log_loss", penalty="l1"),
        SGDRegressor(),
        SGDRegressor(average=True, penalty="elasticnet"),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@BOTH
def test_is_scikit_learns_class(cls):
    parent = getattr(linear_model, cls.__name__)
    assert issubclass(cls, parent)
    # Of 1.9, whatever the version installed.
    assert cls().get_params() == {**parent().get_params(), "eta0": 0.01}


@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
def test_reaches_the_optimum_of_logistic_regression(binary, penalty):
    X, y = binary
    alpha, l1_ratio = 0.01, 0.3 if penalty == "elasticnet" else 0.0

    def objective(coef, intercept):
        margins = (2 * y - 1) * (X @ coef.ravel() + intercept)
        return (
            np.logaddexp(0, -margins).mean()
            + alpha * (1 - l1_ratio) / 2 * (coef**2).sum()
            + alpha * l1_ratio * abs(coef).sum()
        )

    exact = LogisticRegression(
        C=1 / (alpha * len(y)), l1_ratio=l1_ratio, solver="saga", tol=1e-8,
        max_iter=10000, **({"penalty": "elasticnet"} if penalty != "l2" else {}),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        exact.fit(X, y)
    best = objective(exact.coef_, exact.intercept_)
    for average in (False, True):
        model = SGDClassifier(
            loss="log_loss", penalty=penalty, alpha=alpha, l1_ratio=l1_ratio,
            average=average, max_iter=400, tol=None, random_state=0,
        ).fit(X, y)  # fmt: skip
        reached = objective(model.coef_, model.intercept_)
        assert best <= reached + 1e-9
        assert reached < best * (1 + 1e-3)


def test_reaches_the_optimum_of_ridge(regression):
    X, y = regression
    exact = Ridge(alpha=0.01 * len(y)).fit(X, y)
    for kwargs in ({"average": True}, {"learning_rate": "adaptive"}):
        model = SGDRegressor(
            alpha=0.01, max_iter=200, tol=None, random_state=0, eta0=0.02, **kwargs
        ).fit(X, y)
        assert_allclose(model.coef_, exact.coef_, atol=0.01)
        assert_allclose(model.intercept_, exact.intercept_, atol=0.01)


def test_l1_gives_the_zeros_of_the_lasso(regression):
    X, y = regression
    exact = ElasticNet(alpha=0.1, l1_ratio=0.9).fit(X, y)
    model = SGDRegressor(
        alpha=0.1, penalty="elasticnet", l1_ratio=0.9, max_iter=500, tol=None,
        random_state=0, eta0=0.01, power_t=0.5,
    ).fit(X, y)  # fmt: skip
    assert_allclose(model.coef_, exact.coef_, atol=0.01)
    assert (model.coef_ == 0).sum() > 0


@pytest.mark.parametrize("loss", sorted(SGDClassifier.loss_functions))
@pytest.mark.parametrize("average", [False, 50])
def test_same_as_scikit_learn_in_order(iris, loss, average):
    X, y = iris
    settings = {
        "loss": loss, "shuffle": False, "max_iter": 5, "tol": None, "average": average,
        "learning_rate": "invscaling", "eta0": 0.02, "alpha": 0.01,
        "class_weight": {0: 1.0, 1: 2.0, 2: 0.5},
    }  # fmt: skip
    weights = np.random.default_rng(0).uniform(size=len(y))
    ours = SGDClassifier(**settings).fit(X, y, sample_weight=weights)
    theirs = linear_model.SGDClassifier(**settings).fit(X, y, sample_weight=weights)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9, atol=1e-12)
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-9, atol=1e-12)
    assert ours.t_ == theirs.t_ and ours.n_iter_ == theirs.n_iter_
    assert_allclose(ours.decision_function(X), theirs.decision_function(X))
    assert_array_equal(ours.predict(X), theirs.predict(X))
    if loss in ("log_loss", "modified_huber"):
        assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_probabilities_of_two_classes(binary, loss):
    X, y = binary
    settings = {
        "loss": loss,
        "shuffle": False,
        "max_iter": 5,
        "tol": None,
        "alpha": 0.01,
    }
    ours = SGDClassifier(**settings).fit(X, y)
    theirs = linear_model.SGDClassifier(**settings).fit(X, y)
    assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9, atol=1e-9
    )
    with np.errstate(divide="ignore"):
        assert_allclose(
            ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-6
        )


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_of_far_rows(loss, n_classes, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 4)).astype(dtype)
    y = rng.integers(0, n_classes, 200)
    model = SGDClassifier(loss=loss, random_state=0).fit(X, y)
    X *= np.where(rng.random((200, 1)) < 0.3, 30, 1).astype(dtype)
    ours = model.predict_proba(X)
    # Of float32, sums of theirs may vanish.
    theirs = linear_model.SGDClassifier.predict_proba(model, X.astype(np.float64))
    assert ours.dtype == dtype
    assert_allclose(ours, theirs, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-14)
    assert_array_equal(model.predict_proba(X[7:8]), ours[7:8])


def test_probabilities_where_no_class_is_likely():
    model = SGDClassifier(loss="modified_huber", max_iter=5, tol=None)
    model.fit(np.eye(3), [0, 1, 2])
    model.coef_ = np.zeros((3, 3))
    model.intercept_ = np.full(3, -2.0)
    assert_allclose(model.predict_proba(np.eye(3)), 1 / 3)


@pytest.mark.parametrize("loss", sorted(SGDRegressor.loss_functions))
def test_regressor_same_as_scikit_learn_in_order(regression, loss):
    X, y = regression
    settings = {
        "loss": loss,
        "shuffle": False,
        "max_iter": 5,
        "tol": None,
        "epsilon": 0.3,
    }
    weights = np.random.default_rng(0).uniform(size=len(y))
    for table in (X, sparse.csr_array(X)):
        ours = SGDRegressor(**settings).fit(table, y, sample_weight=weights)
        theirs = linear_model.SGDRegressor(**settings)
        theirs.fit(
            sparse.csr_matrix(X) if table is not X else X, y, sample_weight=weights
        )
        assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9, atol=1e-12)
        assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-9, atol=1e-12)
        assert_allclose(ours.predict(table), theirs.predict(X))


@pytest.mark.parametrize("penalty", ["l2", "l1", None])
def test_epochs_until_convergence_are_like_scikit_learns(binary, penalty):
    def count(cls):
        settings = {"loss": "log_loss", "penalty": penalty, "alpha": 1e-3}
        fits = [cls(random_state=seed, **settings).fit(*binary) for seed in range(20)]
        return np.mean([fit.n_iter_ for fit in fits])

    assert_allclose(count(SGDClassifier), count(linear_model.SGDClassifier), rtol=0.25)


@BOTH
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_float32(cls, penalty, binary, regression):
    X, y = data_of(cls, binary, regression)
    X = X.astype(np.float32)
    settings = {"penalty": penalty, "random_state": 0, "tol": None, "max_iter": 5}
    single = cls(**settings).fit(X, y.astype(np.float32))
    double = cls(**settings).fit(X.astype(np.float64), y.astype(np.float32))
    assert single.coef_.dtype == single.intercept_.dtype == np.float32
    assert double.coef_.dtype == np.float64
    # Only the result is rounded.
    assert_array_equal(single.coef_, double.coef_.astype(np.float32))
    assert single.partial_fit(X.astype(np.float64), y).coef_.dtype == np.float32


@BOTH
def test_sparse_without_intercept_equals_dense(cls, binary, regression):
    X, y = data_of(cls, binary, regression)
    X = X * (np.random.default_rng(0).random(X.shape) < 0.3)
    for penalty in ("l2", "l1", "elasticnet"):
        settings = {
            "penalty": penalty,
            "fit_intercept": False,
            "max_iter": 5,
            "tol": None,
            "random_state": 0,
        }
        dense = cls(**settings).fit(X, y)
        fits = [cls(**settings).fit(table, y) for table in (
            sparse.csr_array(X), sparse.csr_matrix(X), sparse.csc_array(X)
        )]  # fmt: skip
        for fit in fits:
            # Where a column is not met, its l1 penalty is paid later.
            rtol = 1e-9 if penalty == "l2" else 1e-4
            atol = rtol * abs(dense.coef_).max()
            assert_allclose(fit.coef_, dense.coef_, rtol=rtol, atol=atol)


def test_bits_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 80))
    y = rng.integers(20, size=3000)
    settings = {"random_state": 0, "max_iter": 3, "tol": None, "loss": "log_loss"}
    fits = [SGDClassifier(n_jobs=n, **settings).fit(X, y) for n in (1, 2, 3)]
    with threadpoolctl.threadpool_limits(1):
        fits.append(SGDClassifier(**settings).fit(X, y))
    for fit in fits[1:]:
        assert_array_equal(fit.coef_, fits[0].coef_)
        assert_array_equal(fit.intercept_, fits[0].intercept_)


@BOTH
@pytest.mark.parametrize("average", [False, 30])
def test_partial_fit_goes_on_where_fit_ends(cls, average, binary, regression):
    X, y = data_of(cls, binary, regression)
    settings = {"random_state": 0, "tol": None, "average": average}
    fit = cls(max_iter=3, **settings).fit(X, y)
    part = cls(**settings)
    for _ in range(3):
        part.partial_fit(X, y, **({"classes": [0, 1]} if cls is SGDClassifier else {}))
    assert_allclose(part.coef_, fit.coef_, rtol=1e-10, atol=1e-13)
    assert_allclose(part.intercept_, fit.intercept_, rtol=1e-10)
    assert part.t_ == fit.t_ == 1 + 3 * len(y)


def test_partial_fit_pays_the_l1_penalty_of_each_batch():
    # A coefficient whose column is not met again must not keep what it owes.
    X = sparse.csr_array(np.eye(20))
    y = np.arange(20.0)
    model = SGDRegressor(
        penalty="l1", alpha=0.1, learning_rate="constant", eta0=0.1, shuffle=False
    )
    model.partial_fit(X, y)
    # A step of 0.1 of the way to y, then a penalty of 0.01 for each of the 20 rows.
    intercept = 0.0
    for row in range(20):
        step = 0.1 * (y[row] - intercept)
        intercept += 0.01 * step
        assert_allclose(model.coef_[row], max(0.0, step - 0.2), atol=1e-12)


def test_warm_start(iris):
    X, y = iris
    settings = {"random_state": 0, "tol": None, "max_iter": 2}
    first = SGDClassifier(**settings).fit(X, y)
    again = SGDClassifier(**settings).fit(
        X, y, coef_init=first.coef_, intercept_init=first.intercept_
    )
    kept = first.coef_.copy()
    warm = SGDClassifier(warm_start=True, **settings).fit(X, y).fit(X, y)
    assert_array_equal(warm.coef_, again.coef_)
    assert_array_equal(first.coef_, kept)  # what is given is not written to


def test_weights_and_class_weights(binary):
    X, y = binary
    settings = {"loss": "log_loss", "random_state": 0, "tol": None, "max_iter": 5}
    weights = np.where(y == 1, 3.0, 1.0)
    by_row = SGDClassifier(**settings).fit(X, y, sample_weight=weights)
    by_class = SGDClassifier(class_weight={1: 3.0}, **settings).fit(X, y)
    assert_allclose(by_row.coef_, by_class.coef_)
    balanced = SGDClassifier(class_weight="balanced", **settings).fit(X, y)
    shares = len(y) / (2 * np.bincount(y))
    explicit = SGDClassifier(class_weight=dict(enumerate(shares)), **settings).fit(X, y)
    assert_array_equal(balanced.coef_, explicit.coef_)
    ones = SGDClassifier(**settings).fit(X, y, sample_weight=np.ones(len(y)))
    assert_array_equal(ones.coef_, SGDClassifier(**settings).fit(X, y).coef_)


def test_weight_of_two_is_the_row_twice_on_average(regression):
    # Rows come in a random order, so only the optimum is the same.
    X, y = regression
    weights = np.random.default_rng(0).integers(0, 3, size=len(y))
    settings = {
        "average": True,
        "eta0": 0.005,
        "learning_rate": "constant",
        "tol": None,
    }
    weighted = SGDRegressor(max_iter=60, random_state=0, alpha=0, **settings)
    repeated = clone(weighted)
    weighted.fit(X, y, sample_weight=weights)
    repeated.fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    assert_allclose(weighted.coef_, repeated.coef_, atol=5e-3)


@BOTH
def test_early_stopping(cls, binary, regression):
    X, y = data_of(cls, binary, regression)
    model = cls(
        early_stopping=True, validation_fraction=0.3, n_iter_no_change=3, random_state=0
    ).fit(X, y)
    assert model.n_iter_ < 100
    assert model.score(X, y) > (0.7 if cls is SGDClassifier else 0.9)


def test_early_stopping_scores_the_model(binary, capsys):
    # The coefficients are kept as a scale times a vector; both belong in the score.
    X, y = binary
    model = SGDClassifier(
        loss="log_loss", alpha=0.1, early_stopping=True, validation_fraction=0.5,
        max_iter=4, tol=None, random_state=0, verbose=1,
    ).fit(X, y)  # fmt: skip
    printed = capsys.readouterr().out
    splitter = StratifiedShuffleSplit(test_size=0.5, random_state=0)
    _, validation = next(splitter.split(X, y))
    score = model.score(X[validation], y[validation])
    assert f"Validation score: {score:f}" in printed.split("-- Epoch 4")[1]


def test_verbose(binary, capsys):
    X, y = binary
    model = SGDClassifier(verbose=1, random_state=0, n_iter_no_change=1).fit(X, y)
    printed = capsys.readouterr().out
    assert printed.count("-- Epoch") == model.n_iter_
    assert f"Norm: {np.linalg.norm(model.coef_):.2f}, NNZs: 12" in printed
    assert f"Convergence after {model.n_iter_} epochs took" in printed


def test_convergence_warning(binary):
    X, y = binary
    with pytest.warns(ConvergenceWarning, match="Consider increasing max_iter"):
        SGDClassifier(max_iter=2).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SGDClassifier(max_iter=2, tol=None).fit(X, y)
        SGDClassifier(max_iter=2).partial_fit(X, y, classes=[0, 1])


@BOTH
@pytest.mark.parametrize("learning_rate", ["optimal", "constant", "adaptive", "pa1"])
def test_hostile_columns(cls, learning_rate, binary, regression):
    X, y = data_of(cls, binary, regression)
    collinear = np.column_stack([X, X, np.ones(len(X)), np.zeros(len(X))])
    loss = "hinge" if cls is SGDClassifier else "epsilon_insensitive"
    model = cls(loss=loss, learning_rate=learning_rate, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(collinear, y)
    assert np.isfinite(model.coef_).all()
    assert_array_equal(model.coef_.ravel()[-1], 0)
    huge = clone(model).set_params(loss="squared_" + loss, learning_rate="constant")
    with pytest.raises(ValueError, match="Scaling input data with StandardScaler"):
        huge.fit(X * 1e300, y)


def test_separable_classes():
    X = np.r_[np.full((20, 1), -1.0), np.full((20, 1), 1.0)]
    y = np.repeat([0, 1], 20)
    for loss in sorted(SGDClassifier.loss_functions):
        model = SGDClassifier(
            loss=loss, random_state=0, learning_rate="invscaling", eta0=0.1
        ).fit(X, y)
        assert np.isfinite(model.coef_).all()
        assert model.score(X, y) == 1


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"alpha": 0.0}, "alpha must be > 0 since learning_rate is 'optimal'"),
        ({"learning_rate": "pa1", "loss": "log_loss"}, "'pa1' only works with loss"),
        ({"penalty": "elasticnet", "l1_ratio": None}, "l1_ratio must be set when"),
        ({"penalty": "l3"}, "The 'penalty' parameter"),
        ({"n_iter_no_change": 0}, "The 'n_iter_no_change' parameter"),
        ({"average": -1}, "The 'average' parameter"),
    ],
)
def test_bad_parameters(settings, message, iris):
    with pytest.raises(ValueError, match=message):
        SGDClassifier(**settings).fit(*iris)


def test_bad_data(iris, regression):
    X, y = iris
    with pytest.raises(ValueError, match="greater than one; got 1 class"):
        SGDClassifier().fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="must contain at least one non-zero number"):
        SGDClassifier().fit(X, y, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match="must contain at least one non-zero number"):
        SGDRegressor().fit(X, y, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match="classes should include all valid labels"):
        SGDClassifier().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="Provided coef_init does not match dataset"):
        SGDRegressor().fit(X, y, coef_init=np.zeros(3))
    with pytest.raises(ValueError, match="early_stopping should be False"):
        SGDRegressor(early_stopping=True).partial_fit(X, y)
    model = SGDRegressor().partial_fit(X, y)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :2], y)


def test_labels_of_any_kind(iris):
    X, y = iris
    settings = {"random_state": 0, "max_iter": 5, "tol": None}
    expected = SGDClassifier(**settings).fit(X, y)
    names = np.array(["ape", "bee", "cow"])
    for labels in (names, names.astype(object), np.array([-3, 0, 9]), names == "cow"):
        model = SGDClassifier(**settings).fit(X, labels[y])
        assert_array_equal(model.classes_, np.unique(labels))
        if len(model.classes_) == 3:
            assert_array_equal(model.predict(X), labels[expected.predict(X)])


@BOTH
def test_after_sparsify_and_pickling(cls, binary, regression):
    X, y = data_of(cls, binary, regression)
    model = cls(penalty="l1", alpha=0.01, random_state=0, max_iter=5, tol=None)
    model.fit(X, y)
    expected = model.predict(X)
    restored = pickle.loads(pickle.dumps(model))
    assert_array_equal(restored.predict(X), expected)
    next_coef = clone(model).fit(X, y).partial_fit(X, y).coef_
    sparse_model = model.sparsify()
    assert sparse.issparse(sparse_model.coef_)
    assert_allclose(np.ravel(sparse_model.predict(X)), expected)
    assert_allclose(model.partial_fit(X, y).coef_, next_coef)


@BOTH
def test_metadata_is_routed(cls, binary, regression):
    X, y = data_of(cls, binary, regression)
    weights = np.random.default_rng(0).uniform(size=len(y))
    model = cls(random_state=0, max_iter=5, tol=None)
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            model.set_fit_request(sample_weight=True).set_score_request(
                sample_weight=True
            ),
        )
        scoring = None
        if SKLEARN_VERSION < (1, 7):
            # cross_validate does not ask a pipeline's steps what their scores take.
            scoring = get_scorer("accuracy" if cls is SGDClassifier else "r2")
            scoring.set_score_request(sample_weight=True)
        weighted = cross_validate(
            pipeline,
            X,
            y,
            scoring=scoring,
            params={"sample_weight": weights},
            return_estimator=True,
        )
        fitted = weighted["estimator"][0]
        score = fitted.score(X, y, sample_weight=weights)
        # params=None fails with routing in scikit-learn 1.6.0.
        plain = cross_validate(pipeline, X, y, params={}, return_estimator=True)
    assert np.isfinite(weighted["test_score"]).all()
    rows = fitted[0].transform(X)
    assert score == fitted[-1].score(rows, y, sample_weight=weights)
    assert score != fitted[-1].score(rows, y)
    assert (fitted[-1].coef_ != plain["estimator"][0][-1].coef_).any()


def test_names_of_features(binary):
    pandas = pytest.importorskip("pandas")
    X, y = binary
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    model = SGDClassifier(random_state=0, max_iter=5, tol=None).fit(frame, y)
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert_array_equal(
        model.coef_,
        SGDClassifier(random_state=0, max_iter=5, tol=None).fit(X, y).coef_,
    )


def test_power_below_zero_is_deprecated(binary):
    with pytest.warns(FutureWarning, match="Negative values for `power_t`"):
        SGDClassifier(power_t=-1.0, max_iter=2, tol=None).fit(*binary)
