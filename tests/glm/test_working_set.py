"""Working sets: Gram matrices that grow, shrink and are subtracted stay right."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._glm.design import make_design
from sklearnx._glm.samples import make_samples
from sklearnx._glm.working_set import WorkingSet, use_known_gram


def make_table(kind, n_rows=60, n_columns=25):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns)) + 3.0
    X[rng.uniform(size=X.shape) < 0.4] = 0.0
    Y = rng.standard_normal((n_rows, 1)) + 10.0
    table = {
        "C": X,
        "F": np.asfortranarray(X),
        "float32": X.astype(np.float32),
        "csr": sparse.csr_array(X),
        "csc": sparse.csc_array(X),
    }[kind]
    X = table.toarray() if sparse.issparse(table) else table
    return make_design(table), X.astype(np.float64), Y


def compute_gram(X, weights, fit_intercept):
    v = np.ones(len(X)) if weights is None else weights
    if fit_intercept:
        X = X - v @ X / v.sum()
    return X.T @ (v[:, None] * X)


def make_fold_samples(design, Y, weights, held_out, fit_intercept):
    v = np.ones(len(Y)) if weights is None else weights
    all_weights = [weights]
    for rows in held_out:
        fold = v.copy()
        fold[rows] = 0.0
        all_weights.append(fold)
    return make_samples(design, Y, all_weights, fit_intercept, [None, *held_out])


@pytest.mark.parametrize("kind", ["C", "F", "float32", "csr", "csc"])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_grams_of_folds_after_growing_and_shrinking(kind, is_weighted, fit_intercept):
    design, X, Y = make_table(kind)
    weights = np.random.default_rng(1).uniform(0.5, 2, 60) if is_weighted else None
    held_out = [np.arange(20), np.array([3, 7, 25, 59])]
    samples = make_fold_samples(design, Y, weights, held_out, fit_intercept)
    working_set = WorkingSet(design, samples, np.array([4, 2]))

    def check():
        columns = working_set.columns
        for sample in samples:
            expected = compute_gram(X, sample.weights, fit_intercept)
            np.testing.assert_allclose(
                working_set.gram(sample),
                expected[np.ix_(columns, columns)],
                rtol=1e-10,
                atol=1e-9,
            )
        packed = working_set.packed.to_array()
        np.testing.assert_array_equal(packed, X[:, columns])
        np.testing.assert_array_equal(
            np.flatnonzero(working_set.contains()), np.sort(columns)
        )

    check()
    working_set.change(np.arange(2), np.array([10, 11, 0]))
    check()
    working_set.change(np.array([0, 3]), np.array([1]))
    assert working_set.columns.tolist() == [4, 11, 1]
    check()
    working_set.change(np.arange(3), np.array([20, 21, 22, 23]))
    working_set.change(np.arange(7), np.array([5]))
    check()


def test_all_columns_are_not_copied():
    design, _, Y = make_table("C")
    samples = make_samples(design, Y, [None])
    working_set = WorkingSet(design, samples, np.arange(25))
    assert working_set.is_whole
    assert working_set.packed is design
    gram = working_set.gram(samples[0])
    known = use_known_gram(design, samples, gram)
    np.testing.assert_array_equal(known.gram(samples[0]), gram)


def test_constant_columns_have_no_variance():
    """A mean is rounded; what is left of a constant column is not a signal."""
    X = np.random.default_rng(0).standard_normal((50, 3))
    X[:, 1] = 1e6 / 3
    design = make_design(X)
    samples = make_fold_samples(design, X[:, :1], None, [np.arange(10)], True)
    working_set = WorkingSet(design, samples, np.arange(3))
    for sample in samples:
        gram = working_set.gram(sample)
        assert not gram[1].any()
        assert not gram[:, 1].any()
        assert gram[0, 0] > 1.0


@pytest.mark.parametrize("kind", ["C", "float32", "csr"])
def test_samples_are_centred(kind):
    design, X, Y = make_table(kind)
    weights = np.random.default_rng(1).uniform(0.5, 2, 60)
    sample = make_samples(design, Y, [weights])[0]
    np.testing.assert_allclose(sample.x_mean, weights @ X / weights.sum(), rtol=1e-12)
    assert abs(weights @ sample.y[:, 0]) < 1e-12
    centred = X - sample.x_mean
    np.testing.assert_allclose(
        sample.xty[:, 0], centred.T @ (weights * sample.y[:, 0]), atol=1e-11
    )
    coef = np.random.default_rng(2).standard_normal((25, 1))
    residual = sample.find_residual(design.dot(coef), np.arange(25), coef)
    np.testing.assert_allclose(residual, sample.y - centred @ coef, atol=1e-12)
    intercept = sample.intercept(coef.T)
    np.testing.assert_allclose(residual, Y - X @ coef - intercept, atol=1e-12)
