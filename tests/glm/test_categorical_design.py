"""Products of a design with categories against those of its dense one-hot matrix."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._cython.linear.categories import sum_in_cells
from sklearnx._glm import categorical_design
from sklearnx._glm.categorical_design import CategoricalDesign

KINDS = ["dense C", "dense F", "dense strided", "float32", "csr", "csc", "none"]


def make_numbers(kind, n_rows, n_numbers=3):
    rng = np.random.default_rng(1)
    if kind in ("csr", "csc"):
        # SciPy 1.11 has no random_array.
        numbers = sparse.random(n_rows, n_numbers, density=0.4, random_state=rng)
        return sparse.coo_array(numbers).asformat(kind)
    numbers = rng.normal(size=(n_rows, n_numbers)) + 2
    return {
        "dense C": numbers,
        "dense F": np.asfortranarray(numbers),
        "dense strided": np.repeat(np.repeat(numbers, 2, axis=1), 2, axis=0)[::2, ::2],
        "float32": numbers.astype(np.float32),
        "none": None,
    }[kind]


def make_design(kind="dense C", n_rows=500, n_levels=(3, 1, 20, 300), n_threads=1):
    rng = np.random.default_rng(0)
    codes = [rng.integers(-1, n, n_rows).astype(np.int32) for n in n_levels]
    numbers = make_numbers(kind, n_rows)
    design = CategoricalDesign(numbers, codes, n_levels, n_threads)
    # The oracle, built column by column.
    columns = [
        np.column_stack([c == k for k in range(n)]) for c, n in zip(codes, n_levels)
    ]
    if numbers is not None:
        columns.insert(0, numbers.toarray() if sparse.issparse(numbers) else numbers)
    return design, np.hstack(columns).astype(np.float64)


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_products(kind):
    design, array = make_design(kind)
    rng = np.random.default_rng(2)
    n_rows, n_columns = array.shape
    assert (design.n_rows, design.n_columns) == array.shape
    assert design.dtype == (np.float32 if kind == "float32" else np.float64)
    np.testing.assert_array_equal(design.to_array(), array)
    for n_outputs in [(), (1,), (4,)]:
        coef = rng.normal(size=(n_columns, *n_outputs))
        assert_close(design.dot(coef), array @ coef)
        rows = rng.normal(size=(n_rows, *n_outputs))
        assert_close(design.t_dot(rows), array.T @ rows)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gram(kind, weighted, centred):
    design, array = make_design(kind)
    rng = np.random.default_rng(3)
    weights = rng.random(len(array)) if weighted else None
    centre = rng.normal(size=array.shape[1]) if centred else None
    shifted = array - centre if centred else array
    expected = shifted.T @ (shifted * weights[:, None] if weighted else shifted)
    gram = design.gram(weights, centre)
    assert_close(gram, expected)
    first = design.n_numbers
    np.testing.assert_array_equal(gram[first:], gram[:, first:].T)
    assert_close(design.squared_norms(weights, centre), np.diag(expected))


@pytest.mark.parametrize("n_levels", [(1,), (5,), (255, 256), (65535, 2), (70000, 3)])
def test_codes_of_any_width(n_levels):
    n_rows = 300
    rng = np.random.default_rng(0)
    codes = [rng.integers(-1, n, n_rows) for n in n_levels]
    codes[0][:2] = n_levels[0] - 1
    design = CategoricalDesign(None, codes, n_levels)
    rows = rng.normal(size=n_rows)
    expected = np.zeros(design.n_columns)
    start = 0
    for of_column, n in zip(codes, n_levels, strict=True):
        kept = of_column >= 0
        np.add.at(expected, start + of_column[kept], rows[kept])
        start += n
    assert_close(design.t_dot(rows), expected)
    coef = rng.normal(size=design.n_columns)
    assert_close(coef @ design.t_dot(rows), rows @ design.dot(coef))


@pytest.mark.parametrize("limit", [1, 30, 10**6])
def test_tables_of_any_size_give_one_gram(limit, monkeypatch):
    monkeypatch.setattr(categorical_design, "_N_CELLS_OF_PAIRS", limit)
    monkeypatch.setattr(categorical_design, "_N_CELLS", limit)
    monkeypatch.setattr(categorical_design, "_N_CELLS_READ", limit)
    design, array = make_design(n_levels=(2, 3, 4, 5, 6))
    assert_close(design.gram(), array.T @ array)
    rows, coef = np.arange(500.0), np.arange(array.shape[1])
    assert_close(design.t_dot(rows), array.T @ rows)
    assert_close(design.dot(coef), array @ coef)
    assert_close(design.squared_norms(), (array**2).sum(axis=0))


def test_each_pair_of_columns_shares_a_table():
    design, _ = make_design("none", n_rows=20, n_levels=(6, 11, 2, 22, 12, 10, 9))
    tables = design._pair_tables
    pairs = {(a, b) for table in tables for a in table.columns for b in table.columns}
    assert len(pairs) == 7**2
    # The point of larger tables: there are 21 pairs.
    assert len(tables) < 8
    assert all(table.n_cells <= 1 << 14 for table in tables)


@pytest.mark.parametrize("kind", ["dense C", "float32", "csr", "none"])
def test_bits_do_not_depend_on_threads(kind):
    results = []
    for n_threads in (1, 2, 3):
        design, array = make_design(kind, 150_000, (3, 7, 40), n_threads)
        rng = np.random.default_rng(4)
        weights, coef = rng.random(len(array)), rng.normal(size=(array.shape[1], 2))
        by_output = np.column_stack([weights, np.sqrt(weights)])
        rest = design.n_numbers
        results.append(
            [
                # Those of the numbers alone are another design's.
                design.gram(weights)[rest:],
                design.t_dot(by_output)[rest:],
                design.dot(np.vstack([np.zeros((rest, 2)), coef[rest:]])),
                design.squared_norms(weights)[rest:],
            ]
        )
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_sums_of_many_blocks():
    n_rows = 200_000
    codes = np.arange(n_rows, dtype=np.int32) % 7
    values = np.arange(n_rows, dtype=np.float64)[:, None]
    table = np.array([[0, 1]])
    (sums,) = sum_in_cells([codes], [table], [7], n_rows, values, 2)
    np.testing.assert_array_equal(sums[:, 0], np.bincount(codes, values[:, 0]))
    (counts,) = sum_in_cells([codes], [table], [7], n_rows, None, 2)
    np.testing.assert_array_equal(counts[:, 0], np.bincount(codes))


@pytest.mark.parametrize("kind", KINDS)
def test_taking(kind):
    design, array = make_design(kind)
    last = array.shape[1] - 1
    columns = np.array([4, 1, last, last - 30, 0])
    taken = design.take_columns(columns)
    np.testing.assert_array_equal(taken.to_array(), array[:, columns])
    assert taken.dtype == design.dtype
    twice = np.array([3, 3, 0, last])
    np.testing.assert_array_equal(
        design.take_columns(twice).to_array(), array[:, twice]
    )
    np.testing.assert_array_equal(design.X.toarray(), array)
    assert design.X.format == "csr"
    rows = np.array([7, 3, 3])
    taken = design.take_rows(rows)
    np.testing.assert_array_equal(taken.to_array(), array[rows])
    assert_close(taken.gram(), array[rows].T @ array[rows])
    if kind != "none":
        numbers = design.take_columns(np.array([2, 0]))
        np.testing.assert_array_equal(numbers.to_array(), array[:, [2, 0]])


@pytest.mark.parametrize("kind", KINDS)
def test_columns_in_their_order_stay_levels(kind):
    design, array = make_design(kind)
    # None of the second categorical column, some of the others.
    start = design.n_numbers
    columns = np.array([*range(start)[1:], start, start + 2, start + 5, start + 300])
    taken = design.take_columns(columns)
    assert isinstance(taken, CategoricalDesign)
    assert taken.dtype == design.dtype
    np.testing.assert_array_equal(taken.to_array(), array[:, columns])
    centre = array[:, columns].mean(axis=0)
    centred = array[:, columns] - centre
    assert_close(taken.gram(centre=centre), centred.T @ centred)
    np.testing.assert_array_equal(
        taken[np.array([5, 2])].to_array(), array[[5, 2]][:, columns]
    )


@pytest.mark.parametrize("kind", ["dense C", "float32"])
def test_shifted_numbers(kind):
    design, array = make_design(kind)
    assert design.n_dense == 3
    centre = np.zeros(array.shape[1])
    centre[:3] = array[:, :3].mean(axis=0)
    np.testing.assert_array_equal(
        design.shift_numbers(centre).to_array(), array - centre
    )
    np.testing.assert_array_equal(design.to_array(), array)


def test_the_caller_keeps_its_codes():
    codes = np.array([0, -1, 1], dtype=np.int32)
    codes.flags.writeable = False
    design = CategoricalDesign(None, [codes], [2])
    np.testing.assert_array_equal(design.to_array(), [[1, 0], [0, 0], [0, 1]])
