"""A dense and a sparse design of one table say the same."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearnx._glm import design as design_module
from sklearnx._glm.design import make_design

FORMATS = {
    "dense": np.ascontiguousarray,
    "fortran": np.asfortranarray,
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
    "csr array": sparse.csr_array,
    "csc array": sparse.csc_array,
}


def make_table(n_rows=500, n_columns=30, dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < 0.2)
    X[:, 4] = 0
    X[7] = 0
    return X.astype(dtype)


def check(method, arguments, expected, X, convert):
    """Compare a method of a design with the oracle, and its bits at 1, 2, 3 threads."""
    results = [
        getattr(make_design(convert(X), n_threads), method)(*arguments)
        for n_threads in (1, 2, 3)
    ]
    assert results[0].dtype == np.float64
    for result in results:
        assert_array_equal(result, results[0])
    assert_allclose(results[0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("convert", FORMATS.values(), ids=FORMATS)
def test_products(convert, dtype, is_large, index_dtype, monkeypatch):
    if is_large:
        # Every product gathers, as those of large tables do.
        monkeypatch.setattr(design_module, "MAX_SCATTERED", 0)

    def convert_indices(X):
        X = convert(X)
        if sparse.issparse(X):
            X.indices, X.indptr = (
                array.astype(index_dtype) for array in (X.indices, X.indptr)
            )
        return X

    X = make_table(dtype=dtype)
    wide = X.astype(np.float64)
    rng = np.random.default_rng(1)
    coef, values = rng.normal(size=(30, 5)), rng.normal(size=(500, 5))
    weights = rng.random(500) * (rng.random(500) > 0.2)
    centre = rng.normal(size=30)
    for n_outputs in (1, 5):
        check(
            "dot", [coef[:, :n_outputs]], wide @ coef[:, :n_outputs], X, convert_indices
        )
        check(
            "t_dot",
            [values[:, :n_outputs]],
            wide.T @ values[:, :n_outputs],
            X,
            convert_indices,
        )
    check("dot", [coef[:, 0]], wide @ coef[:, 0], X, convert_indices)
    check("t_dot", [values[:, 0]], wide.T @ values[:, 0], X, convert_indices)
    for weight in (None, weights):
        for middle in (None, centre):
            centred = wide if middle is None else wide - middle
            weighted = centred if weight is None else centred * weight[:, None]
            gram = centred.T @ weighted
            check("gram", [weight, middle], gram, X, convert_indices)
            check("squared_norms", [weight, middle], np.diag(gram), X, convert_indices)


@pytest.mark.parametrize("convert", FORMATS.values(), ids=FORMATS)
def test_parts_of_tables(convert):
    X = make_table()
    design = make_design(convert(X))
    columns, rows = np.array([3, 4, 11, 29]), np.array([0, 7, 9, 499])
    assert_array_equal(design.to_array(), X)
    assert_array_equal(design.take_columns(columns).to_array(), X[:, columns])
    assert_array_equal(design.take_rows(rows).to_array(), X[rows])


@pytest.mark.parametrize("fmt", ["csr", "csc"])
def test_entries_out_of_order_and_twice(fmt):
    X = sparse.coo_array(
        ([1.0, 2.0, 4.0, 8.0], ([1, 0, 1, 1], [2, 1, 0, 2])), shape=(2, 3)
    )
    lines = X.tocsr()
    unsorted = sparse.csr_array(
        ([2.0, 1.0, 4.0, 8.0], [1, 2, 0, 2], [0, 1, 4]), shape=(2, 3)
    )
    if fmt == "csc":
        unsorted = sparse.csc_array(
            ([4.0, 2.0, 8.0, 1.0], [1, 0, 1, 1], [0, 1, 2, 4]), shape=(2, 3)
        )
    design = make_design(unsorted)
    assert_allclose(design.gram(), (lines.T @ lines).toarray())
    assert_allclose(design.squared_norms(), [16, 4, 81])
    assert unsorted.nnz == 4, "the table of the caller is not changed"


def test_fields_of_structures():
    records = np.zeros(10, dtype=[("flag", "i1"), ("x", "f8", 3)])
    records["x"] = np.arange(30).reshape(10, 3)
    assert_allclose(make_design(records["x"]).dot(np.ones(3)), records["x"].sum(axis=1))


def test_long_lines_and_many_columns():
    """Parts of text: a column of all rows among thousands of short ones."""
    rng = np.random.default_rng(0)
    X = sparse.random(3000, 2000, density=0.01, random_state=0, format="lil")
    X[:, 5] = 1.0
    X = X.tocsr()
    values, coef = rng.normal(size=(3000, 3)), rng.normal(size=(2000, 3))
    for convert in (sparse.csr_array, sparse.csc_array):
        design = make_design(convert(X), 2)
        assert_allclose(design.dot(coef), X @ coef, atol=1e-9)
        assert_allclose(design.t_dot(values), X.T @ values, atol=1e-9)
        assert_allclose(design.gram(), (X.T @ X).toarray(), atol=1e-9)
