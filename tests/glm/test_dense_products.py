"""Products of dense tables against NumPy's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearnx._cython.linear import dense_products

SHAPES = [
    (1, 1, 1),
    (5, 3, 2),
    (300, 7, 3),
    (257, 300, 17),
    (20, 1030, 5),
    (9000, 13, 9),
    (9000, 13, 4),
]


def make_table(n_rows, n_columns, dtype, layout):
    rng = np.random.default_rng(0)
    if layout == "strided":
        return rng.normal(size=(2 * n_rows, 3 * n_columns)).astype(dtype)[::2, ::3]
    return rng.normal(size=(n_rows, n_columns)).astype(dtype, order=layout)


def check(kernel, arguments, expected):
    """Compare with the oracle, and bits with those of more threads."""
    results = [np.full(expected.shape, np.nan) for _ in range(3)]
    for n_threads, result in enumerate(results, 1):
        kernel(*arguments, result, n_threads)
        assert_array_equal(result, results[0])
    assert_allclose(results[0], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
@pytest.mark.parametrize("n_rows, n_columns, n_outputs", SHAPES)
def test_products(n_rows, n_columns, n_outputs, layout, dtype):
    X = make_table(n_rows, n_columns, dtype, layout)
    wide = X.astype(np.float64)
    rng = np.random.default_rng(1)
    coef = rng.normal(size=(n_columns, n_outputs))
    values = rng.normal(size=(n_rows, n_outputs))
    one_coef, one_value = coef[:, 0].copy(), values[:, 0].copy()
    check(dense_products.dot, (X, one_coef), wide @ one_coef)
    check(dense_products.t_dot, (X, one_value), wide.T @ one_value)
    check(dense_products.matmul, (X, coef), wide @ coef)
    check(dense_products.t_matmul, (X, values), wide.T @ values)


@pytest.mark.parametrize("is_centred", [False, True])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
@pytest.mark.parametrize("n_rows, n_columns, n_outputs", SHAPES)
def test_gram(n_rows, n_columns, n_outputs, layout, dtype, is_weighted, is_centred):
    X = make_table(n_rows, n_columns, dtype, layout)
    rng = np.random.default_rng(1)
    weights = rng.random(n_rows) * (rng.random(n_rows) > 0.2)
    centre = rng.normal(size=n_columns)
    centred = X - centre if is_centred else X.astype(np.float64)
    weighted = centred * weights[:, None] if is_weighted else centred
    expected = centred.T.astype(np.float64) @ weighted
    arguments = X, weights if is_weighted else None, centre if is_centred else None
    check(dense_products.gram, arguments, expected)
    check(dense_products.squared_norms, arguments, np.diag(expected).copy())
    gram = np.empty((n_columns, n_columns))
    dense_products.gram(*arguments, gram)
    assert_array_equal(gram, gram.T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
@pytest.mark.parametrize("n_rows", [1, 63, 200])
def test_take_columns(n_rows, layout, dtype):
    X = make_table(n_rows, 40, dtype, layout)
    columns = np.array([3, 39, 0, 17, 17])
    for n_threads in (1, 2, 3):
        out = np.empty((5, n_rows), dtype=dtype)
        dense_products.take_columns(X, columns, out, n_threads)
        assert_array_equal(out.T, X[:, columns])


def test_largest_of_rows():
    values = np.random.default_rng(0).integers(0, 4, size=(500, 5)).astype(float)
    out = np.empty(500, dtype=np.int64)
    dense_products.find_largest(values, out)
    assert_array_equal(out, values.argmax(axis=1))


def test_centring_is_exact():
    """A large mean does not cancel: values are centred before they are multiplied."""
    X = np.random.default_rng(0).normal(size=(1000, 3)) + 1e8
    centre = X.mean(axis=0)
    gram = np.empty((3, 3))
    dense_products.gram(X, None, centre, gram)
    assert_allclose(gram, (X - centre).T @ (X - centre), rtol=1e-12, atol=1e-9)


def test_rows_do_not_depend_on_others():
    X = np.random.default_rng(0).normal(size=(1000, 37))
    coef = np.random.default_rng(1).normal(size=37)
    together, alone = np.empty(1000), np.empty(1)
    dense_products.dot(X, coef, together, 2)
    for i in (0, 17, 999):
        dense_products.dot(X[i : i + 1], coef, alone)
        assert alone[0] == together[i]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_empty_tables(shape):
    X = np.empty(shape)
    n_rows, n_columns = shape
    check(dense_products.dot, (X, np.ones(n_columns)), np.zeros(n_rows))
    check(dense_products.t_dot, (X, np.ones(n_rows)), np.zeros(n_columns))
    check(dense_products.gram, (X, None, None), np.zeros((n_columns, n_columns)))


def test_not_finite_values_reach_their_row_only():
    X = np.ones((300, 20))
    X[7, 3], X[9, 4] = np.nan, np.inf
    out = np.empty(300)
    dense_products.dot(X, np.ones(20), out)
    assert_array_equal(np.flatnonzero(~np.isfinite(out)), [7, 9])


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "n_rows, n_places, start", [(1, 1, 0), (300, 40, 23), (700, 9, 0)]
)
def test_columns_by_their_places(n_rows, n_places, start, dtype, is_weighted):
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.normal(5.0, 1.0, size=(n_rows, 60)).astype(dtype))
    places = rng.permutation(60)[:n_places]
    wide = X[:, places].astype(np.float64)
    weights = np.ones(n_rows)
    weights[rng.random(n_rows) < 0.2] = 0.0
    weights[128:256] = 0.0  # a block that is passed over
    centre = rng.normal(5.0, 0.1, n_places)
    full = (wide - centre).T @ ((weights if is_weighted else 1.0) * (wide - centre).T).T
    for n_threads in (1, 2, 3):
        room = np.full((n_places, n_places + 3), np.nan)
        gram = room[:, :n_places]
        gram[:start, :start] = full[:start, :start]
        given = weights if is_weighted else None
        dense_products.extend_gram(X, places, start, given, centre, gram, n_threads)
        assert_allclose(gram, full, rtol=1e-10, atol=1e-9)
        assert_array_equal(gram[start:], gram[:, start:].T)
        if n_threads == 1:
            first = gram.copy()
        assert_array_equal(gram, first)
    coef = rng.normal(size=(n_places, 5))
    check(lambda *a: dense_products.dot_places(X, *a), (places, coef), wide @ coef)
