"""Working sets: Gram matrices that grow, shrink and are subtracted stay right."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._glm.column_store import gather_columns
from sklearnx._glm.design import make_design
from sklearnx._glm.fold_sets import FoldSet
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
    first = np.array([4, 2])
    working_sets = [WorkingSet(design, sample, first) for sample in samples]

    def change(kept, joining):
        for working_set in working_sets:
            working_set.change(np.array(kept), np.array(joining))

    def check():
        coefs = np.random.default_rng(3).standard_normal((25, 2))
        for sample, working_set in zip(samples, working_sets, strict=True):
            columns = working_set.columns
            expected = compute_gram(X, sample.weights, fit_intercept)
            np.testing.assert_allclose(
                working_set.gram(),
                expected[np.ix_(columns, columns)],
                rtol=1e-10,
                atol=1e-9,
            )
            expected = X[:, columns] @ coefs[columns]
            fitted = working_set.fit_rows(coefs[columns])
            used = slice(None) if sample.weights is None else sample.weights > 0
            np.testing.assert_allclose(fitted[used], expected[used], atol=1e-12)
            fitted = working_set.fit_rows(coefs[columns], np.arange(3, 9))
            np.testing.assert_allclose(fitted, expected[3:9], atol=1e-12)
            np.testing.assert_array_equal(
                np.flatnonzero(working_set.contains()), np.sort(columns)
            )

    check()
    change([0, 1], [10, 11, 0])
    check()
    change([0, 3], [1])
    assert working_sets[1].columns.tolist() == [4, 11, 1]
    check()
    change([0, 1, 2], [20, 21, 22, 23])
    change(range(7), [5])
    check()


@pytest.mark.parametrize("kind", ["C", "csr"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_folds_take_their_gram_from_that_of_all(kind, fit_intercept):
    design, X, Y = make_table(kind)
    weights = np.random.default_rng(1).uniform(0.5, 2, 60)
    held_out = [np.arange(20), np.array([3, 7, 25, 59])]
    samples = make_fold_samples(design, Y, weights, held_out, fit_intercept)
    whole = WorkingSet(design, samples[0], np.arange(25))
    for sample in samples[1:]:
        fold = FoldSet(whole, sample)
        expected = compute_gram(X, sample.weights, fit_intercept)
        np.testing.assert_allclose(fold.gram(), expected, rtol=1e-10, atol=1e-9)
        coefs = np.random.default_rng(3).standard_normal((25, 2))
        np.testing.assert_allclose(fold.fit_rows(coefs), X @ coefs)


def test_rows_held_out_that_dwarf_the_others():
    """Subtracted from sums with them, nothing would be left of the fold's."""
    X = np.random.default_rng(0).standard_normal((50, 4))
    X[:3] *= 1e9
    X[3:, 2] = 1.0  # constant in the fold
    design = make_design(X)
    samples = make_fold_samples(design, X[:, :1], None, [np.arange(3)], True)
    fold = FoldSet(WorkingSet(design, samples[0], np.arange(4)), samples[1])
    expected = compute_gram(X, samples[1].weights, True)
    np.testing.assert_allclose(fold.gram(), expected, rtol=1e-6, atol=1e-5)


def test_all_columns_are_not_copied():
    design, _, Y = make_table("C")
    sample = make_samples(design, Y, [None])[0]
    working_set = WorkingSet(design, sample, np.arange(25))
    assert working_set.is_whole
    design.take_columns = None
    gram = working_set.gram()
    known = use_known_gram(design, sample, gram)
    np.testing.assert_array_equal(known.gram(), gram)


def test_constant_columns_have_no_variance():
    """A mean is rounded; what is left of a constant column is not a signal."""
    X = np.random.default_rng(0).standard_normal((50, 3))
    X[:, 1] = 1e6 / 3
    design = make_design(X)
    samples = make_fold_samples(design, X[:, :1], None, [np.arange(10)], True)
    columns = np.arange(3)
    whole = WorkingSet(design, samples[0], columns)
    for working_set in (whole, FoldSet(whole, samples[1])):
        gram = working_set.gram()
        assert not gram[1].any()
        assert not gram[:, 1].any()
        assert gram[0, 0] > 1.0


@pytest.mark.parametrize("kind", ["C", "F", "float32", "csr", "csc"])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("is_known", [False, True])
def test_squared_norms_are_the_diagonal(kind, is_weighted, fit_intercept, is_known):
    """After growing and shrinking, whether or not some are known already."""
    design, X, Y = make_table(kind)
    weights = None
    if is_weighted:
        weights = np.random.default_rng(1).uniform(0.5, 2, 60)
        weights[:9] = 0.0
    sample = make_samples(design, Y, [weights], fit_intercept)[0]
    diagonal = compute_gram(X, weights, fit_intercept).diagonal()
    working_set = WorkingSet(design, sample, np.array([4, 2]))

    def check():
        expected = diagonal[working_set.columns]
        np.testing.assert_allclose(working_set.squared_norms(), expected, rtol=1e-10)
        gram = working_set.gram()
        np.testing.assert_allclose(gram.diagonal(), expected, rtol=1e-10)

    changes = [
        ([0, 1], [10, 11, 0]),
        ([0, 3], [1]),
        ([0, 1, 2], [20, 21, 22, 23]),
        ([], [7, 4, 8]),
        ([1], []),
        ([0], list(range(4)) + list(range(5, 25))),
    ]
    for kept, joining in changes:
        if is_known:
            check()
        working_set.change(np.array(kept, int), np.array(joining, int))
    assert working_set.is_whole
    check()
    working_set.change(np.array([3, 9]), np.array([], int))
    check()


def test_constant_columns_have_no_norm():
    """What rounding leaves of them is not a signal."""
    X = np.random.default_rng(0).standard_normal((50, 3))
    X[:, 1] = 1e6 / 3
    design = make_design(X)
    sample = make_samples(design, X[:, :1], [None])[0]
    norms2 = WorkingSet(design, sample, np.array([1, 0])).squared_norms()
    assert norms2[0] == 0.0
    assert norms2[1] > 1.0


@pytest.mark.parametrize("kind", ["C", "F", "float32", "csr", "csc"])
def test_columns_that_are_listed(kind):
    """In F order in the table itself, else gathered."""
    design, X, Y = make_table(kind)
    sample = make_samples(design, Y, [None])[0]
    working_set = WorkingSet(design, sample, np.array([4, 2, 20]))
    working_set.change(np.array([0, 2]), np.array([11, 1]))
    values, indices, indptr, places = working_set.list_columns()
    assert values.dtype == design.dtype
    expected = X[:, [4, 20, 11, 1]]
    if sparse.issparse(design.X):
        listed = sparse.csc_array((values, indices, indptr), (60, 4)).toarray()
        assert places is None
    else:
        assert indices is None
        assert indptr is None
        listed = values.reshape(-1, 60)[places].T
        assert np.shares_memory(values, design.X) == (kind == "F")
        # Those that left are still there.
        assert values.size == 60 * (25 if kind == "F" else 5)
    np.testing.assert_array_equal(listed, expected)


def test_sets_share_the_columns_that_are_gathered():
    design, X, Y = make_table("C")
    gathered = gather_columns(design, 2)
    sample = make_samples(design, Y, [None])[0]
    one, other = (
        WorkingSet(design, sample, np.array(columns), gathered=gathered)
        for columns in ([4, 2], [2, 9])
    )
    assert gathered.table.n_columns == 3
    other.change(np.array([1]), np.array([4, 7]))
    assert gathered.table.n_columns == 4
    for working_set, columns in ((one, [4, 2]), (other, [9, 4, 7])):
        values, _, _, places = working_set.list_columns()
        assert np.shares_memory(values, gathered.table.X)
        np.testing.assert_array_equal(values.reshape(-1, 60)[places].T, X[:, columns])


@pytest.mark.parametrize("kind", ["C", "F", "float32", "csr", "csc"])
@pytest.mark.parametrize("columns", [[4, 2, 11], range(25), []])
@pytest.mark.parametrize(
    "rows", [[0], [59], range(7, 31), [1, 3, 4, 58], [2, 50], range(60), []]
)
def test_rows_of_a_fit(kind, columns, rows):
    design, X, Y = make_table(kind)
    sample = make_samples(design, Y, [None])[0]
    working_set = WorkingSet(design, sample, np.array(columns, int))
    coefs = np.random.default_rng(3).standard_normal((3, len(columns))).T
    rows = np.array(rows, int)
    expected = X[rows][:, columns] @ coefs
    fitted = working_set.fit_rows(coefs, rows)
    assert fitted.shape == expected.shape
    np.testing.assert_allclose(fitted, expected, atol=1e-12)
    whole = working_set.fit_rows(coefs)
    np.testing.assert_allclose(whole, X[:, columns] @ coefs, atol=1e-12)


@pytest.mark.parametrize("kind", ["C", "F", "float32", "csr", "csc"])
@pytest.mark.parametrize("columns", [[4, 2, 11], range(25), []])
def test_products_with_rows(kind, columns):
    design, X, Y = make_table(kind)
    sample = make_samples(design, Y, [None])[0]
    working_set = WorkingSet(design, sample, np.array(columns, int))
    rows = np.random.default_rng(3).standard_normal((60, 2))
    np.testing.assert_allclose(
        working_set.t_dot(rows), X[:, columns].T @ rows, atol=1e-11
    )


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
