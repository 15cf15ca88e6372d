"""Cross-validation of ridge against fitting every part anew."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit

from sklearnx._glm.centred import centre_problem
from sklearnx._glm.design import make_design
from sklearnx._glm.least_squares import solve_ridge
from sklearnx._glm.ridge_cv import FoldedRidge, LeaveOneOut

ALPHAS = np.array([1e-3, 0.5, 40.0])
SHAPES = [(25, 6), (12, 12), (10, 30)]
CONTAINERS = [np.asarray, np.asfortranarray, sparse.csr_array]


def make_data(shape, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=shape) * (rng.random(shape) < 0.7) + rng.random(shape[1])
    weights = rng.integers(0, 4, shape[0]).astype(float)
    return X, rng.normal(size=(shape[0], 2)), weights


def fit_naively(X, Y, weights, fit_intercept, alpha):
    problem = centre_problem(make_design(X), Y, weights, fit_intercept)
    solution = solve_ridge(problem, np.full(Y.shape[1], alpha), "svd")
    return solution.coef, solution.intercept


def leave_out_naively(X, Y, weights, fit_intercept, alphas):
    errors = np.empty((*Y.shape, len(alphas)))
    for i in range(len(X)):
        rest = np.delete(np.arange(len(X)), i)
        part = None if weights is None else weights[rest]
        for a, alpha in enumerate(alphas):
            coef, intercept = fit_naively(X[rest], Y[rest], part, fit_intercept, alpha)
            errors[i, :, a] = Y[i] - X[i] @ coef - intercept
    return errors


@pytest.mark.parametrize("use_triangle", [True, False])
def test_one_large_column_leaves_the_others_alone(use_triangle):
    X, Y, _ = make_data((400, 5))
    X[:, 0] *= 1e9
    Y += X[:, 1:3]
    problem = centre_problem(make_design(X), Y, None, True)
    coef, _ = fit_naively(X, Y, None, True, 0.5)
    found = LeaveOneOut(problem, use_triangle).coef(0.5)
    np.testing.assert_allclose(found, coef, rtol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("use_triangle", [True, False])
def test_leave_one_out(shape, container, fit_intercept, weighted, use_triangle):
    if use_triangle and container is sparse.csr_array:
        pytest.skip("of dense tables only")
    X, Y, weights = make_data(shape)
    weights = weights if weighted else None
    expected = leave_out_naively(X, Y, weights, fit_intercept, ALPHAS)
    problem = centre_problem(make_design(container(X)), Y, weights, fit_intercept)
    left_out = LeaveOneOut(problem, use_triangle)
    np.testing.assert_allclose(left_out.errors(ALPHAS), expected, rtol=1e-6, atol=1e-9)
    scaled = expected**2
    if weighted:
        scaled = scaled * weights[:, None, None]
    np.testing.assert_allclose(
        left_out.squared_errors(ALPHAS), scaled.mean(axis=0), rtol=1e-6
    )
    for alpha in ALPHAS:
        coef, _ = fit_naively(X, Y, weights, fit_intercept, alpha)
        np.testing.assert_allclose(left_out.coef(alpha), coef, rtol=1e-6, atol=1e-9)


def test_leave_one_out_by_blocks_is_the_same(monkeypatch):
    for shape in SHAPES:
        X, Y, weights = make_data(shape)
        problem = centre_problem(make_design(X), Y, weights)
        expected = LeaveOneOut(problem).errors(ALPHAS)
        with monkeypatch.context() as patch:
            patch.setattr("sklearnx._glm.ridge_cv.BLOCK_SIZE", 1)
            patch.setattr("sklearnx._glm.centred.BLOCK_SIZE", 1)
            errors = LeaveOneOut(problem).errors(ALPHAS)
        np.testing.assert_allclose(errors, expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(40, 3), (3, 40)])
def test_leave_one_out_of_collinear_columns(shape):
    X, Y, _ = make_data(shape)
    X = np.column_stack([X, X[:, 0], np.full(shape[0], 0.1)])
    expected = leave_out_naively(X, Y, None, True, ALPHAS)
    problem = centre_problem(make_design(X), Y)
    np.testing.assert_allclose(
        LeaveOneOut(problem).errors(ALPHAS), expected, rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("n_alphas", [3, 15])
@pytest.mark.parametrize(
    "splitter",
    [KFold(3), ShuffleSplit(2, test_size=0.7, random_state=0), TimeSeriesSplit(2)],
    ids=lambda splitter: type(splitter).__name__,
)
def test_folds(shape, container, fit_intercept, weighted, n_alphas, splitter):
    X, Y, weights = make_data(shape)
    weights = weights if weighted else None
    alphas = np.logspace(-2, 2, n_alphas)
    design = make_design(container(X))
    folded = FoldedRidge(design, Y, weights, fit_intercept, alphas)
    for train, test in splitter.split(X):
        coef, intercept = folded.fit(train, test)
        part = None if weights is None else weights[train]
        for a in (0, -1):
            expected = fit_naively(X[train], Y[train], part, fit_intercept, alphas[a])
            np.testing.assert_allclose(coef[a], expected[0], rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(intercept[a], expected[1], rtol=1e-6, atol=1e-9)


def test_folds_with_no_penalty_and_rows_drawn_twice():
    for shape in SHAPES:
        X, Y, _ = make_data(shape)
        train = np.array([0, 1, 1, 2, 5, 7, 7, 7, 8])
        folded = FoldedRidge(make_design(X), Y, None, True, np.array([0.0, 1.0]))
        coef, intercept = folded.fit(train, np.array([3, 4]))
        for a, alpha in enumerate((0.0, 1.0)):
            expected = fit_naively(X[train], Y[train], None, True, alpha)
            np.testing.assert_allclose(coef[a], expected[0], rtol=1e-6, atol=1e-8)
            np.testing.assert_allclose(intercept[a], expected[1], rtol=1e-6, atol=1e-8)


def test_folds_of_a_table_with_two_long_sides(monkeypatch):
    monkeypatch.setattr("sklearnx._glm.least_squares.MAX_SPARSE_GRAM", 2)
    X, Y, _ = make_data((25, 6))
    folded = FoldedRidge(make_design(sparse.csr_array(X)), Y, None, True, ALPHAS)
    train = np.arange(5, 25)
    coef, intercept = folded.fit(train, np.arange(5))
    for a, alpha in enumerate(ALPHAS):
        expected = fit_naively(X[train], Y[train], None, True, alpha)
        np.testing.assert_allclose(coef[a], expected[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(intercept[a], expected[1], rtol=1e-4, atol=1e-5)


def test_a_fold_without_weight_is_refused():
    X, Y, _ = make_data((25, 6))
    weights = np.zeros(25)
    weights[:5] = 1.0
    folded = FoldedRidge(make_design(X), Y, weights, True, ALPHAS)
    with pytest.raises(ValueError, match="weight of zero"):
        folded.fit(np.arange(5, 25), np.arange(5))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(20_000, 12), (40, 5_000)])
def test_bits_do_not_depend_on_threads(container, shape):
    X, Y, weights = make_data(shape)
    bits = []
    for n_threads in (1, 2, 3):
        design = make_design(container(X), n_threads)
        left_out = LeaveOneOut(centre_problem(design, Y, weights))
        folded = FoldedRidge(design, Y, weights, True, ALPHAS)
        fold = folded.fit(np.arange(5, shape[0]), np.arange(5))
        parts = (left_out.squared_errors(ALPHAS), left_out.coef(1.0), *fold)
        bits.append([part.tobytes() for part in parts])
    assert bits[0] == bits[1] == bits[2]
