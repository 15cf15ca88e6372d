"""GaussianMixture: the kernel against NumPy, the estimator against scikit-learn's."""

import contextlib
import io
import re
import signal
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as SklearnGaussianMixture
from threadpoolctl import threadpool_limits

from sklearnx._cluster.covariances import factor_matrices
from sklearnx._cluster.gaussian_mixture import MixtureProblem, make_type
from sklearnx._cython.cluster.mixture import DIAGONAL, FULL, TIED, run_pass
from sklearnx.mixture import GaussianMixture
from tests._versions import needs_sklearn_1_9

TYPES = ["full", "tied", "diag", "spherical"]
FITTED = [
    "weights_",
    "means_",
    "covariances_",
    "precisions_",
    "precisions_cholesky_",
    "lower_bounds_",
]
COLLAPSED = "some components have ill-defined empirical covariance"

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    """Small products of scikit-learn take longest where threads wait for each other."""
    with threadpool_limits(1, user_api="blas"):
        yield


def make_blobs(n_components, n_features, n_each=60, centre=0.0, seed=0):
    """Rows of Gaussian components, shuffled."""
    rng = np.random.default_rng(seed)
    blobs = [
        rng.normal(size=(n_each, n_features)) @ rng.normal(size=(n_features,) * 2)
        + centre
        + 3 * rng.normal(size=n_features)
        for _ in range(n_components)
    ]
    return rng.permutation(np.concatenate(blobs))


def assert_same_fit(fitted, expected, rtol=1e-7, atol=1e-9):
    for name in FITTED:
        assert_allclose(
            getattr(fitted, name),
            getattr(expected, name),
            rtol=rtol,
            atol=atol,
            err_msg=name,
        )
    assert fitted.n_iter_ == expected.n_iter_
    assert fitted.converged_ == expected.converged_


# The kernel ---------------------------------------------------------------------------


def sum_naively(kind, Z, resp):
    """Moments of one component, of rows about its centre."""
    if kind != FULL:
        return np.concatenate([[resp.sum()], resp @ Z, resp @ Z**2])
    extended = np.column_stack([Z, np.ones(len(Z))])
    products = (extended.T * resp) @ extended
    return products[np.tril_indices(len(products))]


def run_kernel(kind, X, means, factors, centres, constants, **options):
    n_rows, n_columns = X.shape
    n_components = len(means)
    n_moments = 1 + 2 * n_columns
    if kind == FULL:
        n_moments = (n_columns + 1) * (n_columns + 2) // 2
    outputs = {
        "moments": np.empty((n_components, n_moments)),
        "labels": np.empty(n_rows, dtype=np.int64),
        "log_density": np.empty(n_rows),
        "resp": np.empty((n_rows, n_components)),
    }
    arguments = {
        "weights": None,
        "is_given": factors is None,
        "labels_in": None,
        "resp_in": None,
        "n_threads": 2,
        **outputs,
        **options,
    }
    log_likelihood = run_pass(
        kind,
        X,
        means,
        None if factors is None else np.ascontiguousarray(factors).ravel(),
        centres,
        constants,
        means.mean(axis=0),
        **arguments,
    )
    return log_likelihood, outputs


def make_case(kind, n_rows, n_columns, n_components):
    rng = np.random.default_rng(n_rows + n_columns)
    X = rng.normal(size=(n_rows, n_columns)) + 3
    means = rng.normal(size=(n_components, n_columns)) + 3
    factors = 0.2 * np.triu(rng.normal(size=(n_components, n_columns, n_columns)), 1)
    factors += np.eye(n_columns) * (1 + rng.random(n_columns))
    if kind == TIED:
        factors = np.repeat(factors[:1], n_components, axis=0)
    if kind == DIAGONAL:
        factors *= np.eye(n_columns)
    return X, means, factors, rng.normal(size=n_components), rng.random(n_rows)


def factors_of(kind, factors):
    if kind == FULL:
        return factors
    return factors[0] if kind == TIED else np.diagonal(factors, axis1=1, axis2=2)


@pytest.mark.parametrize("kind", [FULL, TIED, DIAGONAL])
@pytest.mark.parametrize(
    "shape",
    [
        *((1, 1, 1), (17, 2, 3), (128, 3, 2), (300, 4, 1), (700, 7, 3)),
        *((90, 8, 2), (131, 9, 4), (65, 20, 3), (40, 37, 2)),
    ],
)
def test_pass_is_the_textbook_e_step_and_sums(kind, shape):
    X, means, factors, constants, weights = make_case(kind, *shape)
    weights[::3] = 0
    centres = means + 0.5
    log_likelihood, outputs = run_kernel(
        kind,
        X,
        means,
        factors_of(kind, factors),
        centres,
        constants,
        weights=weights,
    )
    images = (X[:, None] - means)[:, :, None] @ factors
    logs = constants - 0.5 * (images**2).sum(axis=(2, 3))
    log_density = logsumexp(logs, axis=1)
    resp = np.exp(logs - log_density[:, None])
    assert_allclose(outputs["log_density"], log_density, rtol=1e-12, atol=1e-12)
    assert_allclose(outputs["resp"], resp, rtol=1e-10, atol=1e-300)
    assert_array_equal(outputs["labels"], logs.argmax(axis=1))
    assert_allclose(log_likelihood, weights @ log_density, rtol=1e-12, atol=1e-12)
    for k, centre in enumerate(centres):
        expected = sum_naively(kind, X - centre, resp[:, k] * weights)
        assert_allclose(outputs["moments"][k], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", [FULL, DIAGONAL])
def test_sums_of_given_responsibilities(kind):
    X, means, _, _, weights = make_case(kind, 300, 5, 3)
    rng = np.random.default_rng(0)
    resp = rng.random((300, 3))
    labels = rng.integers(-1, 3, size=300).astype(np.int32)
    hard = (labels[:, None] == np.arange(3)).astype(np.float64)
    for options, expected_resp in (
        ({"resp_in": resp}, resp),
        ({"labels_in": labels}, hard),
        ({}, np.ones((300, 3))),
    ):
        moments = run_kernel(
            kind, X, means, None, means, None, weights=weights, **options
        )[1]["moments"]
        for k, mean in enumerate(means):
            expected = sum_naively(kind, X - mean, expected_resp[:, k] * weights)
            assert_allclose(moments[k], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", [FULL, TIED, DIAGONAL])
def test_bits_do_not_depend_on_threads_or_layout(kind):
    X, means, factors, constants, _ = make_case(kind, 3000, 6, 3)
    X = X.astype(np.float32)

    def run(X, n_threads):
        log_likelihood, outputs = run_kernel(
            kind,
            X,
            means,
            factors_of(kind, factors),
            means,
            constants,
            n_threads=n_threads,
        )
        return [log_likelihood, *outputs.values()]

    expected = run(X, 1)
    spread = np.zeros((3000, 13), dtype=np.float32)
    spread[:, 1::2] = X
    for table in (X, np.asfortranarray(X), X.astype(np.float64), spread[:, 1::2]):
        for n_threads in (1, 2, 3):
            for ours, theirs in zip(run(table, n_threads), expected):
                assert_array_equal(ours, theirs)


@pytest.mark.parametrize("n", [1, 2, 7, 30, 170])
def test_factors_of_inverses(n):
    rng = np.random.default_rng(n)
    A = rng.normal(size=(3, n, n + 5))
    covariances = A @ A.transpose(0, 2, 1)
    factors = factor_matrices(covariances, 2)
    assert_array_equal(factors, np.triu(factors))
    products = factors @ factors.transpose(0, 2, 1)
    assert_allclose(
        products @ covariances, np.broadcast_to(np.eye(n), (3, n, n)), atol=1e-8
    )


def covariance_of(X, covariance_type):
    """The covariance of rows as of a single component, by the two-pass formula."""
    centred = X - X.mean(axis=0)
    full = centred.T @ centred / len(X)
    return {
        "full": full[None],
        "tied": full,
        "diag": np.diagonal(full)[None],
        "spherical": np.diagonal(full).mean(keepdims=True),
    }[covariance_type]


@pytest.mark.parametrize("covariance_type", TYPES)
def test_sums_are_taken_again_where_a_mean_moves_far(covariance_type):
    X = 1e-3 * np.random.default_rng(0).normal(size=(50, 3))
    problem = MixtureProblem(X, None, make_type(covariance_type, 1, 3), 0.0)
    covariances = covariance_of(X, covariance_type)
    start = problem.complete(np.ones(1), np.full((1, 3), 1e5), covariances)
    following = problem.iterate(start)[0]
    assert_allclose(following.means[0], X.mean(axis=0), atol=1e-15)
    assert_allclose(following.covariances, covariances, rtol=1e-8, atol=1e-16)


# The estimator ------------------------------------------------------------------------


def test_is_sklearns():
    assert issubclass(GaussianMixture, SklearnGaussianMixture)
    assert GaussianMixture().get_params() == SklearnGaussianMixture().get_params()


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("covariance_type", TYPES)
@needs_sklearn_1_9
def test_same_as_sklearn_from_the_same_seed(covariance_type, init):
    for n_components, n_features, limits in (
        (1, 1, (100, 0)),
        (3, 2, (2, 0, 30)),
        (4, 9, (3,)),
    ):
        X = make_blobs(n_components, n_features)
        settings = {
            "n_components": n_components,
            "covariance_type": covariance_type,
            "init_params": init,
            "random_state": 1,
        }
        for max_iter in limits:
            fitted = GaussianMixture(**settings, max_iter=max_iter).fit(X)
            expected = SklearnGaussianMixture(**settings, max_iter=max_iter).fit(X)
            assert_same_fit(fitted, expected, rtol=1e-6, atol=1e-8)
        assert_array_equal(fitted.predict(X), expected.predict(X))
        assert_allclose(fitted.predict_proba(X), expected.predict_proba(X), atol=1e-6)
        assert_allclose(fitted.score_samples(X), expected.score_samples(X), rtol=1e-6)
        for method in ("score", "bic", "aic"):
            assert_allclose(getattr(fitted, method)(X), getattr(expected, method)(X))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_same_draws_as_sklearn(covariance_type):
    X = make_blobs(2, 3)
    settings = {"covariance_type": covariance_type, "random_state": 0}
    rows, labels = GaussianMixture(2, **settings).fit(X).sample(50)
    of_sklearn = SklearnGaussianMixture(2, **settings).fit(X).sample(50)
    assert_allclose(rows, of_sklearn[0], rtol=1e-4, atol=1e-4)
    assert_array_equal(labels, of_sklearn[1])


@pytest.mark.parametrize("covariance_type", TYPES)
@needs_sklearn_1_9
def test_given_parameters(covariance_type):
    X = make_blobs(3, 2)
    known = SklearnGaussianMixture(3, covariance_type=covariance_type, random_state=0)
    known.fit(X)
    given = {
        "weights_init": known.weights_,
        "means_init": known.means_ + 0.1,
        "precisions_init": known.precisions_,
    }
    for names in (list(given), *([name] for name in given)):
        settings = {name: given[name] for name in names}
        settings.update(covariance_type=covariance_type, random_state=0, max_iter=5)
        assert_same_fit(
            GaussianMixture(3, **settings).fit(X),
            SklearnGaussianMixture(3, **settings).fit(X),
        )
    # A start that nothing is drawn for.
    start = GaussianMixture(3, covariance_type=covariance_type, max_iter=0, **given)
    start.fit(X)
    assert_allclose(start.means_, known.means_ + 0.1)
    assert_allclose(start.precisions_, known.precisions_)
    assert_allclose(start.covariances_, known.covariances_, rtol=1e-8)
    assert start.n_iter_ == 0 and start.lower_bounds_ == []


@pytest.mark.parametrize("covariance_type", TYPES)
def test_float32(covariance_type):
    X = make_blobs(3, 4)
    settings = {"covariance_type": covariance_type, "random_state": 0}
    single = GaussianMixture(3, **settings).fit(X.astype(np.float32))
    double = GaussianMixture(3, **settings).fit(X.astype(np.float32).astype(float))
    for name in FITTED[:-1]:
        assert getattr(single, name).dtype == np.float32
        assert_allclose(getattr(single, name), getattr(double, name), rtol=1e-6)
    narrow = X.astype(np.float32)
    assert single.score_samples(narrow).dtype == np.float32
    assert single.predict_proba(narrow).dtype == np.float32
    assert single.score_samples(X).dtype == np.float64
    assert_array_equal(single.fit_predict(narrow), single.predict(narrow))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_weights_repeat_rows(covariance_type):
    X = make_blobs(3, 3)
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 4, size=len(X))
    settings = {
        "covariance_type": covariance_type,
        "means_init": X[weights > 0][:3],
        "weights_init": [0.2, 0.3, 0.5],
    }
    precision = np.eye(3) / 4
    settings["precisions_init"] = {
        "full": np.stack([precision] * 3),
        "tied": precision,
        "diag": np.full((3, 3), 0.25),
        "spherical": np.full(3, 0.25),
    }[covariance_type]
    weighted = GaussianMixture(3, **settings).fit(X, sample_weight=weights)
    repeated = GaussianMixture(3, **settings).fit(X.repeat(weights, axis=0))
    assert_same_fit(weighted, repeated, rtol=1e-8)
    ones = GaussianMixture(3, **settings).fit(X, sample_weight=np.ones(len(X)))
    assert_same_fit(ones, GaussianMixture(3, **settings).fit(X), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random", "random_from_data"])
def test_starts_with_weights(init):
    X = make_blobs(3, 2)
    weights = np.arange(len(X)) % 2.0
    for covariance_type in TYPES:
        mixture = GaussianMixture(
            3, covariance_type=covariance_type, init_params=init, random_state=0
        ).fit(np.where(weights[:, None] == 0, 1e6, X), sample_weight=weights)
        assert np.abs(mixture.means_).max() < 100
        assert_allclose(mixture.weights_.sum(), 1)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_bits_do_not_depend_on_threads(covariance_type):
    X = make_blobs(4, 8, n_each=2000)
    settings = {"covariance_type": covariance_type, "random_state": 0, "max_iter": 4}
    fits = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            fits.append(GaussianMixture(4, **settings).fit(X))
            fits[-1].resp = fits[-1].predict_proba(X)
    for fitted in fits[1:]:
        for name in [*FITTED, "resp"]:
            assert_array_equal(getattr(fitted, name), getattr(fits[0], name))


def test_fits_at_the_same_time():
    tables = [make_blobs(3, 5, n_each=1000, seed=seed) for seed in range(4)]

    def fit(X):
        return GaussianMixture(3, random_state=0, max_iter=5).fit(X).means_

    alone = [fit(X) for X in tables]
    with ThreadPoolExecutor(4) as pool:
        for ours, expected in zip(pool.map(fit, tables), alone):
            assert_array_equal(ours, expected)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_nothing_cancels_far_from_zero(covariance_type):
    rng = np.random.default_rng(0)
    # Multiples of 2**-20, so that moving the rows rounds nothing.
    X = np.round(rng.normal(size=(500, 3)) * 1024) / 1024
    X[250:] += 4
    settings = {"covariance_type": covariance_type, "random_state": 0}
    near = GaussianMixture(2, **settings).fit(X)
    far = GaussianMixture(2, **settings).fit(X + 2.0**20)
    assert_allclose(far.means_ - 2.0**20, near.means_, atol=1e-8)
    assert_allclose(far.covariances_, near.covariances_, rtol=1e-6, atol=1e-8)
    assert_allclose(far.lower_bound_, near.lower_bound_, rtol=1e-8)
    one = GaussianMixture(1, covariance_type=covariance_type, reg_covar=0)
    expected = covariance_of(X, covariance_type)
    assert_allclose(one.fit(X + 2.0**20).covariances_, expected, rtol=1e-9, atol=1e-12)


@needs_sklearn_1_9
def test_many_columns():
    # More than are factored by our own loops.
    X = np.random.default_rng(0).normal(size=(400, 170))
    for covariance_type in ("full", "tied"):
        settings = {
            "covariance_type": covariance_type,
            "init_params": "random",
            "reg_covar": 0.1,
            "random_state": 0,
            "max_iter": 1,
        }
        assert_same_fit(
            GaussianMixture(2, **settings).fit(X),
            SklearnGaussianMixture(2, **settings).fit(X),
        )


def test_best_of_several_starts():
    X = make_blobs(5, 2, n_each=30)
    settings = {"init_params": "random_from_data", "max_iter": 5}
    several = GaussianMixture(5, n_init=6, random_state=0, **settings).fit(X)
    state = np.random.RandomState(0)
    single = [
        GaussianMixture(5, random_state=state, **settings).fit(X) for _ in range(6)
    ]
    best = max(single, key=lambda mixture: mixture.lower_bound_)
    assert len({mixture.lower_bound_ for mixture in single}) > 1
    assert several.lower_bound_ == best.lower_bound_ == several.lower_bounds_[-1]
    assert_array_equal(several.means_, best.means_)


def test_warm_start_goes_on():
    X = make_blobs(3, 2)
    whole = GaussianMixture(3, random_state=0, max_iter=6, tol=0).fit(X)
    parts = GaussianMixture(3, random_state=0, max_iter=3, tol=0, warm_start=True)
    parts.fit(X)
    halfway = parts.lower_bound_
    parts.fit(X)
    assert parts.lower_bound_ > halfway
    assert_array_equal(parts.means_, whole.means_)


def test_lower_bound_never_falls():
    X = make_blobs(4, 3)
    for covariance_type in TYPES:
        mixture = GaussianMixture(
            4,
            covariance_type=covariance_type,
            init_params="random",
            reg_covar=0,
            tol=0,
            random_state=0,
            max_iter=60,
        ).fit(X)
        assert (np.diff(mixture.lower_bounds_) > -1e-12).all()
        assert mixture.lower_bounds_[-1] > mixture.lower_bounds_[0]


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_verbose_prints_what_sklearn_prints(verbose):
    X = make_blobs(3, 2)
    printed = []
    for estimator in (GaussianMixture, SklearnGaussianMixture):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            estimator(
                3, verbose=verbose, verbose_interval=2, n_init=2, random_state=0
            ).fit(X)
        printed.append(re.sub(r"\d+\.\d+s", "TIME", output.getvalue()))
    assert printed[0] == printed[1]


def test_warns_without_convergence():
    with pytest.warns(ConvergenceWarning, match="Best performing initialization"):
        GaussianMixture(3, max_iter=1, random_state=0).fit(make_blobs(3, 2))


# Edges --------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", TYPES)
def test_hard_tables_give_a_result(covariance_type):
    rng = np.random.default_rng(0)
    tables = {
        "constant": np.full((20, 3), 7.0),
        "duplicates": rng.integers(0, 2, size=(40, 2)).astype(float),
        "constant column": np.column_stack([rng.normal(size=30), np.ones(30)]),
        "a row for each component": rng.normal(size=(4, 2)) * 100,
        "large": rng.normal(size=(50, 2)) * 1e100,
    }
    for name, X in tables.items():
        mixture = GaussianMixture(4, covariance_type=covariance_type, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            labels = mixture.fit_predict(X)
        assert np.isfinite(mixture.lower_bound_), name
        assert np.isfinite(mixture.predict_proba(X)).all(), name
        assert_array_equal(labels, mixture.predict(X))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_collapse_is_an_error(covariance_type):
    X = np.repeat([[0.0, 0.0], [1.0, 1.0]], 5, axis=0)
    mixture = GaussianMixture(
        4, covariance_type=covariance_type, reg_covar=0, random_state=0
    )
    with pytest.raises(ValueError, match=COLLAPSED) as raised:
        mixture.fit(X)
    assert "passing float64" not in str(raised.value)
    with pytest.raises(ValueError, match="passing float64"):
        mixture.fit(X.astype(np.float32))
    # Squares that overflow.
    X = np.random.default_rng(0).normal(size=(20, 2)) * 1e200
    mixture.set_params(init_params="random_from_data")
    with pytest.raises(ValueError, match=COLLAPSED), np.errstate(all="ignore"):
        mixture.fit(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0], [np.nan]], "Input X contains NaN"),
        ([[1.0], [np.inf]], "Input X contains infinity"),
        ([[1.0]], "minimum of 2 is required"),
        ([[1.0], [2.0]], "Expected n_samples >= n_components but got n_components = 3"),
    ],
)
def test_bad_rows(X, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(3).fit(X)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights_init": [0.5]}, "'weights' should have the shape of"),
        ({"weights_init": [0.5, 0.4]}, "'weights' should be normalized"),
        ({"weights_init": [1.5, -0.5]}, "should be in the range"),
        ({"weights_init": [np.nan, 1]}, "weights_init contains NaN"),
        ({"means_init": [[0.0, 1.0]]}, "'means' should have the shape of"),
        ({"precisions_init": np.eye(2)}, "'full precision' should have the shape of"),
        (
            {"precisions_init": np.array([np.eye(2), -np.eye(2)])},
            "'full precision' should be symmetric, positive-definite",
        ),
        (
            {"precisions_init": np.array([np.eye(2), [[1, 1], [0, 1]]])},
            "'full precision' should be symmetric, positive-definite",
        ),
        (
            {"covariance_type": "tied", "precisions_init": -np.eye(2)},
            "'tied precision' should be symmetric, positive-definite",
        ),
        (
            {"covariance_type": "diag", "precisions_init": np.zeros((2, 2))},
            "'diag precision' should be positive",
        ),
        (
            {"covariance_type": "spherical", "precisions_init": [1, -1]},
            "'spherical precision' should be positive",
        ),
    ],
)
def test_bad_start(settings, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2, **settings).fit(make_blobs(2, 2))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(120), "Negative values"),
        (np.zeros(120), "at least one non-zero"),
        (np.eye(120)[0], "n_samples = 1"),
        (np.full(120, np.nan), "contains NaN"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2).fit(make_blobs(2, 2), sample_weight=weights)


def test_unfitted():
    for method in ("predict", "predict_proba", "score_samples", "score", "bic", "aic"):
        with pytest.raises(NotFittedError):
            getattr(GaussianMixture(), method)([[0.0]])
    with pytest.raises(NotFittedError):
        GaussianMixture().sample()
    with pytest.raises(ValueError, match="Invalid value for 'n_samples'"):
        GaussianMixture().fit([[0.0], [1.0]]).sample(0)


def test_parameters_of_another_shape():
    mixture = GaussianMixture(2, random_state=0, warm_start=True).fit(make_blobs(2, 2))
    with pytest.raises(ValueError, match=r"means_ has the shape \(2, 2\)"):
        mixture.fit(make_blobs(2, 3))
    mixture = GaussianMixture(2, random_state=0, warm_start=True).fit(make_blobs(2, 2))
    with pytest.raises(ValueError, match=r"weights_ has the shape \(2,\)"):
        mixture.set_params(n_components=3).fit(make_blobs(2, 2))
    mixture.set_params(covariance_type="tied")
    with pytest.raises(ValueError, match="precisions_cholesky_ has the shape"):
        mixture.predict([[0.0, 0.0]])


def test_parameters_that_are_set():
    fitted = GaussianMixture(2, random_state=0).fit(make_blobs(2, 2))
    mixture = GaussianMixture(2)
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(mixture, name, getattr(fitted, name))
    rows = make_blobs(2, 2, seed=1)
    assert_array_equal(mixture.score_samples(rows), fitted.score_samples(rows))


def test_rows_infinitely_far_away():
    mixture = GaussianMixture(2, random_state=0).fit(make_blobs(2, 2))
    assert mixture.score_samples([[1e200, 0.0]]) == -np.inf
    assert np.isfinite(mixture.score_samples([[1e100, 0.0]]))
    assert mixture.predict([[1e150, 0], [0, 0]]).dtype == np.int64


def test_integers_and_lists():
    X = [[0, 0], [1, 3], [9, 8], [10, 12], [2, 0], [9, 9]]
    mixture = GaussianMixture(2, random_state=0).fit(X)
    as_floats = np.array(X, dtype=float)
    assert_array_equal(mixture.score_samples(X), mixture.score_samples(as_floats))
    assert mixture.bic(X) == mixture.bic(as_floats)


def test_can_be_interrupted():
    X = make_blobs(10, 20, n_each=3000)
    mixture = GaussianMixture(10, init_params="random", max_iter=10**6, tol=0)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            mixture.fit(X)
        assert time.perf_counter() - start < 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
