"""Linear models of leaves against least squares, leaf by leaf."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearnx._boosting.linear_leaves import find_path_features
from sklearnx._boosting.model import Tree
from sklearnx._cython.boosting.collecting import NODE_DTYPE
from sklearnx._cython.boosting.linear_leaves import (
    LINEAR_LEAF_DTYPE,
    LINEAR_TERM_DTYPE,
    MAX_INTEGER_WEIGHT,
    RawColumns,
    add_values,
    fit_leaves,
)
from sklearnx._cython.boosting.predicting import add_predictions
from tests.boosting._helpers import N_THREADS

# Of the leaves of `make_case`; one has no feature, one all of them.
FEATURES = [[0, 2], [], [1], [0, 1, 2, 3, 4], [3, 4]]


def make_columns(X, kind="C", index=None):
    """Return the columns of an array in one of the ways that tables have them."""
    columns = RawColumns(X.shape[1], index)
    arrays = {
        "C": np.ascontiguousarray,
        "F": np.asfortranarray,
        "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    }
    for j in range(X.shape[1]):
        if kind.startswith("sparse"):
            dtype = np.int64 if kind.endswith("64") else np.int32
            stored = np.flatnonzero(X[:, j]).astype(dtype)
            columns.set_column(j, X[stored, j].copy(), stored)
        else:
            column = arrays[kind](X)[:, j]
            column.flags.writeable = False
            columns.set_column(j, column)
    return columns


def make_case(n_rows=700, seed=0, missing=0.05):
    """Return features, gradients, hessians and the leaf of each row, -1 for none."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 5)) * [1, 10, 1e-3, 1, 1] + [0, 100, 0, -3, 0]
    X[rng.random(X.shape) < 0.3] = 0
    X[rng.random(X.shape) < missing] = np.nan
    X[rng.random(X.shape) < missing / 5] = np.inf
    gradients = rng.normal(size=n_rows) + np.nan_to_num(X[:, 0], posinf=0)
    hessians = rng.uniform(0.1, 1, size=n_rows)
    return X, gradients, hessians, rng.integers(-1, len(FEATURES), size=n_rows)


def fit(
    X,
    gradients,
    hessians=None,
    reached=None,
    weights=None,
    *,
    features=((0, 1, 2, 3, 4),),
    integer_weights=False,
    l2=0.0,
    min_rows=1,
    n_threads=1,
    columns=None,
):
    """Return the leaves and terms that `fit_leaves` writes."""
    if reached is None:
        reached = np.zeros(len(gradients), dtype=np.int64)
    rows = [np.flatnonzero(reached == leaf) for leaf in range(len(features))]
    starts = np.append(0, np.cumsum([len(of_leaf) for of_leaf in features]))
    leaves = np.zeros(len(features), dtype=LINEAR_LEAF_DTYPE)
    terms = np.zeros(starts[-1], dtype=LINEAR_TERM_DTYPE)
    fit_leaves(
        make_columns(X) if columns is None else columns,
        np.concatenate(rows).astype(np.uint32),
        np.append(0, np.cumsum([len(of_leaf) for of_leaf in rows])),
        np.array([f for of_leaf in features for f in of_leaf], dtype=np.int32),
        starts,
        gradients,
        hessians,
        weights,
        integer_weights,
        l2,
        min_rows,
        leaves.view(np.uint8),
        terms.view(np.uint8),
        n_threads,
    )
    return leaves, terms


def get_terms(leaf, terms):
    return terms[leaf["start"] : leaf["start"] + leaf["n_terms"]]


def predict_leaf(leaf, terms, X):
    terms = get_terms(leaf, terms)
    values = leaf["intercept"]
    for term in terms:
        values = values + term["coefficient"] * (X[:, term["feature"]] - term["centre"])
    return values


def solve_slowly(X, gradients, hessians, weights, l2):
    """Return the coefficients of a leaf and its values, by least squares."""
    means = np.average(X, axis=0, weights=hessians * weights)
    root = np.sqrt(hessians * weights)
    design = np.column_stack([root[:, np.newaxis] * (X - means), root])
    penalty = np.column_stack([np.sqrt(l2) * np.eye(X.shape[1]), np.zeros(X.shape[1])])
    target = -gradients * weights / root
    scales = np.abs(design).max(axis=0)
    solution, *_ = np.linalg.lstsq(
        np.vstack([design, penalty]) / scales,
        np.append(target, np.zeros(X.shape[1])),
        rcond=None,
    )
    solution /= scales
    return solution[:-1], solution[-1] + (X - means) @ solution[:-1]


def assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("l2", [0.0, 20.0])
@pytest.mark.parametrize("with_hessians", [False, True])
@pytest.mark.parametrize("weighting", [None, "integer", "real"])
@pytest.mark.parametrize("n_rows", [700, 60_000])
def test_least_squares(n_rows, weighting, with_hessians, l2, n_threads):
    X, gradients, hessians, reached = make_case(n_rows)
    rng = np.random.default_rng(1)
    weights = {
        None: None,
        "integer": rng.integers(1, 5, size=n_rows).astype(float),
        "real": rng.uniform(0.1, 3, size=n_rows),
    }[weighting]
    if not with_hessians:
        hessians = None
    # The fourth leaf is by far the largest, and cut into pieces where rows are many.
    reached[rng.random(n_rows) < 0.6] = 3
    leaves, terms = fit(
        X,
        gradients,
        hessians,
        reached,
        weights,
        features=FEATURES,
        integer_weights=weighting == "integer",
        l2=l2,
        n_threads=n_threads,
    )
    for leaf, features in enumerate(FEATURES):
        assert leaves["n_terms"][leaf] == len(features)
        if not features:
            continue
        rows = (reached == leaf) & np.isfinite(X[:, features]).all(axis=1)
        coefficients, values = solve_slowly(
            X[rows][:, features],
            gradients[rows],
            np.ones(n_rows)[rows] if hessians is None else hessians[rows],
            np.ones(n_rows)[rows] if weights is None else weights[rows],
            l2,
        )
        found = get_terms(leaves[leaf], terms)
        assert found["feature"].tolist() == features
        assert_allclose(found["coefficient"], coefficients, rtol=1e-9, atol=1e-12)
        got = predict_leaf(leaves[leaf], terms, X[rows])
        assert_allclose(got, values, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("n_rows", [700, 60_000])
def test_bits_do_not_depend_on_threads_order_or_layout(n_rows):
    X, gradients, hessians, reached = make_case(n_rows)
    reached[: n_rows // 2] = 3
    X = X.astype(np.float32)
    weights = np.random.default_rng(1).integers(1, 5, size=n_rows).astype(float)
    settings = {"features": FEATURES, "l2": 0.1, "integer_weights": True}
    expected = fit(X, gradients, hessians, reached, weights, **settings)
    assert expected[0]["n_terms"].tolist() == [2, 0, 1, 5, 2]

    def check(X, columns=None, n_threads=1, order=slice(None)):
        rows = (array[order] for array in (gradients, hessians, reached, weights))
        got = fit(X, *rows, **settings, columns=columns, n_threads=n_threads)
        assert_same_bits(got, expected)

    for n_threads in N_THREADS:
        check(X, n_threads=n_threads)
    for kind in ("F", "reversed", "sparse32", "sparse64"):
        check(X, make_columns(X, kind))
        check(X, make_columns(X.astype(np.float64), kind))
    order = np.random.default_rng(2).permutation(n_rows)
    check(X[order], order=order)
    check(X, make_columns(X, index=order), order=order)
    check(X, make_columns(X, "sparse32", index=order), order=order)


def test_integer_weights_are_repetitions():
    X, gradients, hessians, reached = make_case(3000)
    weights = np.random.default_rng(1).integers(1, 9, size=3000)
    weights[:3] = MAX_INTEGER_WEIGHT
    got = fit(
        X,
        gradients,
        hessians,
        reached,
        weights.astype(float),
        features=FEATURES,
        integer_weights=True,
    )
    repeated = (a.repeat(weights, axis=0) for a in (X, gradients, hessians, reached))
    assert_same_bits(got, fit(*repeated, features=FEATURES))


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e-30, 1e30, 1e150, 1e300])
def test_scale_of_the_features(scale):
    X, gradients, hessians, reached = make_case()
    scale = 2.0 ** np.round(np.log2(scale))
    plain = fit(X, gradients, hessians, reached, features=FEATURES)
    scaled = fit(scale * X, gradients, hessians, reached, features=FEATURES)
    assert_array_equal(scaled[0], plain[0])
    assert_array_equal(scaled[1]["coefficient"], plain[1]["coefficient"] / scale)
    assert_array_equal(scaled[1]["centre"], plain[1]["centre"] * scale)


def test_values_far_from_zero_lose_nothing():
    rng = np.random.default_rng(0)
    steps = rng.integers(0, 50, size=(300, 2)).astype(float)
    X = 2.0**52 * np.array([1, -1.5]) + steps
    gradients = -(3 * steps[:, 0] - 2 * steps[:, 1])
    leaves, terms = fit(X, gradients, features=[(0, 1)])
    assert_allclose(terms["coefficient"], [3, -2], rtol=1e-12)
    assert_allclose(predict_leaf(leaves[0], terms, X), -gradients, atol=1e-10)


def test_an_outlier_among_the_values():
    """It makes two features look alike, which hides what the other rows say."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2))
    X[0] = 1e6, 1e9
    gradients = -(X @ [2, 0.5] + rng.normal(size=2000))
    _, terms = fit(X, gradients, features=[(0, 1)])
    coefficients, _ = solve_slowly(X, gradients, np.ones(2000), np.ones(2000), 0)
    assert_allclose(terms["coefficient"], coefficients, rtol=1e-4)


def test_features_that_say_nothing_new():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 400))
    columns = (first, 3 * first - 5, np.full(400, 7.0), second, first + 2 * second)
    X = np.column_stack(columns)
    gradients = -(first + second + rng.normal(size=400))
    leaves, terms = fit(X, gradients)
    assert leaves["n_terms"] == 2
    _, values = solve_slowly(X[:, [0, 3]], gradients, np.ones(400), np.ones(400), 0)
    assert_allclose(predict_leaf(leaves[0], terms, X), values, atol=1e-9)
    # A penalty makes all but the constant one count.
    leaves, terms = fit(X, gradients, l2=1.0)
    assert get_terms(leaves[0], terms)["feature"].tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize("n_rows", range(1, 6))
def test_too_few_rows(n_rows):
    rng = np.random.default_rng(0)
    X, gradients = rng.normal(size=(n_rows + 3, 2)), rng.normal(size=n_rows + 3)
    X[:2, 0], X[-1, 1] = np.nan, np.inf
    leaves, terms = fit(X, gradients, features=[(0, 1)])
    assert leaves["n_terms"] == (2 if n_rows >= 3 else 0)
    assert fit(X, gradients, features=[(0, 1)], min_rows=n_rows + 1)[0]["n_terms"] == 0
    if n_rows == 3:
        assert_allclose(predict_leaf(leaves[0], terms, X[2:-1]), -gradients[2:-1])


@pytest.mark.parametrize("name", ["gradients", "hessians"])
def test_zeros(name):
    X, gradients, hessians, _ = make_case(missing=0)
    zeros = np.zeros(len(X))
    if name == "gradients":
        leaves, terms = fit(X, zeros, hessians)
        assert_allclose(predict_leaf(leaves[0], terms, X), 0, atol=0)
    else:
        assert fit(X, gradients, zeros)[0]["n_terms"] == 0


def test_no_usable_row():
    X, gradients, hessians, _ = make_case()
    X[:, 0] = np.nan
    assert fit(X, gradients, hessians)[0]["n_terms"] == 0


def make_linear_tree():
    """Return a tree of a split on feature 3 and leaves [0, 3] linear, constant."""
    nodes = np.zeros(3, dtype=NODE_DTYPE)
    nodes["bitset"] = -1
    nodes["feature"], nodes["left"] = [3, -1, -1], [1, 0, 0]
    nodes["value"] = [0, 7, 8]
    tree = Tree(nodes, np.zeros(3), np.empty(0, dtype=np.uint32))
    leaves = np.zeros(2, dtype=LINEAR_LEAF_DTYPE)
    terms = np.zeros(5, dtype=LINEAR_TERM_DTYPE)
    leaves["intercept"], leaves["start"], leaves["n_terms"] = [0.1, 5], [2, 0], [2, 0]
    terms["coefficient"][2:4] = [1 / 3, -1.7]
    terms["centre"][2:4], terms["feature"][2:4] = [0.3, -2], [0, 3]
    tree.set_linear_models(np.array([1, 2]), leaves, terms)
    return tree


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("quantum", [0.0, 2.0**-8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["C", "sparse32"])
def test_values_of_rows(kind, dtype, quantum, n_threads):
    X, *_ = make_case(20_000)
    X = X.astype(dtype)
    X[0, 0] = np.finfo(dtype).max
    tree = make_linear_tree()
    tree.round_linear_models(quantum)
    expected = np.full(len(X), 0.5)
    leaves = tree.find_leaves(X, 1)
    for row, x in enumerate(X.astype(np.float64)):
        value = tree.nodes["value"][leaves[row]]
        if leaves[row] == 1:
            linear = (0.1 + 1 / 3 * (x[0] - 0.3)) + -1.7 * (x[3] - -2)
            if quantum:
                with np.errstate(over="ignore"):
                    linear = np.rint(linear / quantum) * quantum
            value = linear if np.isfinite(linear) else value
        expected[row] += value
    raw = np.full(len(X), 0.5)
    tree.add_predictions(X, raw[np.newaxis], n_threads)
    assert_array_equal(raw, expected)
    order = np.random.default_rng(0).permutation(len(X))
    raw = np.full(len(X), 0.5)
    add_values(
        make_columns(X, kind, order),
        tree.nodes.view(np.uint8),
        tree.linear_leaves.view(np.uint8),
        tree.linear_terms.view(np.uint8),
        leaves[order],
        raw,
        n_threads,
    )
    assert_array_equal(raw, expected[order])
    # Less its negative it is nothing.
    tree.add_predictions(X, raw[np.newaxis, np.argsort(order)], n_threads)
    raw = np.zeros(len(X))
    tree.add_predictions(X, raw[np.newaxis], n_threads)
    tree.negated().add_predictions(X, raw[np.newaxis], n_threads)
    assert_array_equal(raw, 0)


def test_divided_values():
    X, *_ = make_case()
    tree = make_linear_tree()
    one, third = np.zeros((1, len(X))), np.zeros((1, len(X)))
    arrays = tree.nodes.view(np.uint8), np.array([0, 3]), tree.bitsets
    linear = [a.view(np.uint8) for a in (tree.linear_leaves, tree.linear_terms)]
    add_predictions(*arrays, X, one, 1, *linear)
    add_predictions(*arrays, X, third, 1, *linear, 3)
    is_linear = ~np.isin(one, [7, 8])
    assert_array_equal(third[is_linear], one[is_linear] / 3)
    assert_array_equal(third[~is_linear], one[~is_linear])


def test_features_of_paths():
    r"""Splits on 5, then 2 (a category) and 1 on the left; on the right, 5 is missing.

             5 <= 0
           /        \
        2 in {..}    5 <= inf, missing right
        /     \       /      \
       .    1 <= 0   3 <= 0   5
             / \      /  \
            .   .    .    .
    """
    nodes = np.zeros(11, dtype=NODE_DTYPE)
    nodes["feature"] = [5, 2, 5, -1, 1, 3, -1, -1, -1, -1, -1]
    nodes["left"] = [1, 3, 5, 0, 7, 9, 0, 0, 0, 0, 0]
    nodes["value"][2] = np.inf
    is_categorical = np.arange(6) == 2
    features = find_path_features(nodes, is_categorical)
    assert features[3] == [5]
    assert features[6] == []
    assert features[7] == features[8] == [1, 5]
    assert features[9] == features[10] == [3, 5]


def test_columns_may_be_sparse_matrices_of_scipy():
    X, gradients, hessians, _ = make_case()
    matrix = sparse.csc_matrix(np.nan_to_num(X, posinf=1))
    columns = RawColumns(5)
    for j in range(5):
        assert not columns.has_column(j)
        stored = slice(matrix.indptr[j], matrix.indptr[j + 1])
        columns.set_column(j, matrix.data[stored], matrix.indices[stored])
        assert columns.has_column(j)
    got = fit(None, gradients, hessians, columns=columns)
    assert_same_bits(got, fit(matrix.toarray(), gradients, hessians))
