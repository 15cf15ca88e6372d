"""Prefixes of an order against sums in NumPy, and what their scores may know."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearnx._boosting.losses import make_loss
from sklearnx._boosting.ordered import SMOOTH, PrefixScores, find_prefix_ends
from sklearnx._cython.boosting.ordered import compute_prefix_values
from tests.boosting._helpers import N_THREADS

N_NODES = 7


def make_scores(n_rows, loss="squared_error", seed=0):
    rng = np.random.default_rng(seed)
    y = rng.gamma(2.0, size=n_rows)
    raw = rng.normal(size=(1, n_rows))
    order = rng.permutation(n_rows)
    return PrefixScores(order, raw, y), make_loss(loss), order, raw, y


def draw_leaves(n_rows, seed):
    """Leaves of a tree; its other nodes, 0 and 2, have no rows."""
    rng = np.random.default_rng(seed)
    return rng.choice([1, 3, 4, 5, 6], size=n_rows).astype(np.int32)


def add_tree(scores, loss, leaves, weights=None, n_threads=1, **restraints):
    scores.compute_gradients(loss, n_threads)
    restraints = {
        "l1_regularization": 0.0,
        "l2_regularization": 0.0,
        "min_child_weight": 1e-300,
        "max_value": np.inf,
        "n_threads": n_threads,
        **restraints,
    }
    values = scores.compute_steps(leaves, N_NODES, 0, weights, **restraints)
    scores.add(leaves, values, 0, n_threads)
    return values


@pytest.mark.parametrize("n_rows", [1, 2, 3, 9, 10, 11, 199, 200, 201, 1000, 5000])
def test_prefixes_double(n_rows):
    ends = find_prefix_ends(n_rows)
    assert 1 <= ends[0] <= max(1, min(100, n_rows / 10)) and ends[-1] == n_rows
    ratios = np.divide(ends[1:], ends[:-1])
    assert (ratios[:-1] == 2).all() and (ratios <= 2).all()


@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("n_rows", [1, 2, 30, 700])
def test_values_and_scores(n_rows, loss, has_weights):
    scores, loss, order, raw, y = make_scores(n_rows, loss)
    rng = np.random.default_rng(1)
    weights = None
    if has_weights:
        weights = rng.integers(0, 3, size=n_rows).astype(np.float64)
    w = np.ones(n_rows) if weights is None else weights
    l1, l2, largest = 0.3, 0.7, 0.9
    ends = find_prefix_ends(n_rows)
    # By prefix, scores of all rows.
    expected = [raw[0].copy() for _ in ends]
    for seed in range(3):
        leaves = draw_leaves(n_rows, seed)
        values = add_tree(
            scores,
            loss,
            leaves,
            weights,
            l1_regularization=l1,
            l2_regularization=l2,
            max_value=largest,
        )
        for number, of_prefix in enumerate(values):
            f = expected[number]
            rows = order[: ends[number]]
            mean = np.exp(f) if loss.name == "poisson" else f
            g = w * (mean - y)
            h = w * (mean if loss.name == "poisson" else 1.0)
            counted = rows[w[rows] > 0]
            smooth = SMOOTH * h[counted].mean() if len(counted) else 0.0
            naive = np.zeros(N_NODES)
            for node in range(N_NODES):
                inside = counted[leaves[counted] == node]
                if len(inside):
                    slope = max(abs(g[inside].sum()) - l1, 0.0)
                    step = min(slope / (h[inside].sum() + l2 + smooth), largest)
                    naive[node] = -np.sign(g[inside].sum()) * step
            assert_allclose(of_prefix, naive, rtol=1e-10, atol=1e-14)
            expected[number] = f + naive[leaves]
    # A row has the scores of the longest prefix that ends before it.
    place = np.empty(n_rows, dtype=int)
    place[order] = np.arange(n_rows)
    longest = np.maximum(np.searchsorted(ends, place, side="right") - 1, 0)
    assert_allclose(
        scores.get_scores()[0], [expected[longest[i]][i] for i in range(n_rows)]
    )


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_scores_do_not_know_the_target_of_their_row(loss):
    n_rows = 300
    changed = {}
    for factor in (1.0, 100.0):
        scores, kernel, order, raw, y = make_scores(n_rows, loss)
        row = order[170]
        y = y.copy()
        y[row] *= factor
        scores = PrefixScores(order, raw, y)
        for seed in range(5):
            add_tree(scores, kernel, draw_leaves(n_rows, seed), max_value=1.0)
        changed[factor] = scores.get_scores()[0]
    is_same = changed[1.0] == changed[100.0]
    assert is_same[row] and is_same[order[:170]].all()
    # Rows behind it in its leaves do see it.
    assert not is_same[order[250:]].all()


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_values_of_the_loss(loss):
    scores, loss, order, raw, y = make_scores(80, loss)
    weights = np.random.default_rng(1).integers(0, 3, size=80).astype(np.float64)
    leaves = draw_leaves(80, 0)
    (values,) = scores.refit(leaves, N_NODES, range(1), weights, loss, 1)
    ends = find_prefix_ends(80)
    assert values.shape == (len(ends) - 1, N_NODES)
    for of_prefix, end in zip(values, ends, strict=False):
        rows = order[:end]
        rows = rows[weights[rows] > 0]
        naive = np.zeros(N_NODES)
        for node in range(N_NODES):
            inside = rows[leaves[rows] == node].astype(np.uint32)
            if len(inside):
                naive[node] = loss.compute_leaf_values(
                    y, raw, weights, inside, np.array([0, len(inside)]), 1
                )[0]
        assert_allclose(of_prefix, naive)


def test_bits_at_any_number_of_threads():
    n_rows = 3000
    leaves = draw_leaves(n_rows, 0)
    results = []
    for n_threads in N_THREADS:
        scores, loss, *_ = make_scores(n_rows, "poisson")
        for _ in range(3):
            add_tree(scores, loss, leaves, n_threads=n_threads)
        results.append(scores.raw)
    for other in results[1:]:
        assert_array_equal(results[0], other)


@pytest.mark.parametrize("hessian, value", [(0.0, 0.0), (0.2, 0.0), (0.3, -2 / 0.9)])
def test_a_leaf_of_small_hessians_has_no_value(hessian, value):
    values = compute_prefix_values(
        np.zeros(2, dtype=np.int32),
        np.arange(2, dtype=np.uint32),
        np.array([0, 2]),
        np.array([2]),
        np.ones(2),
        np.full(2, hessian),
        None,
        1,
        l1_regularization=0.0,
        l2_regularization=0.0,
        smooth=1.0,
        min_child_weight=0.5,
        max_value=np.inf,
        n_threads=1,
    )
    assert_allclose(values, [[value]])
