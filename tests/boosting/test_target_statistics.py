"""Means by level against a loop in Python, and that no row knows its own target."""

import numpy as np
import pytest

from sklearnx._boosting.target_statistics import TargetStatistics
from sklearnx._cython.boosting.target_statistics import (
    compute_level_means,
    compute_ordered_means,
)
from tests.boosting._helpers import N_THREADS


def make_problem(n_rows, n_levels=(1, 4, 50), n_outputs=2):
    rng = np.random.default_rng(n_rows)
    columns = [rng.integers(-1, n, n_rows).astype(np.int32) for n in n_levels]
    # Halves, whose sums are exact in any order.
    targets = rng.integers(-8, 8, (n_rows, n_outputs)) / 2
    return columns, list(n_levels), targets, targets.mean(axis=0)


def draw(total, count, smooth, prior):
    return prior if count + smooth == 0 else (total + smooth * prior) / (count + smooth)


@pytest.mark.parametrize("smooth", [0.0, 1.0, 7.5])
@pytest.mark.parametrize("n_rows", [1, 2, 300])
def test_means_of_all_rows(n_rows, smooth):
    columns, n_levels, targets, priors = make_problem(n_rows)
    for n_threads in N_THREADS:
        means = compute_level_means(
            columns, n_levels, targets, priors, smooth, n_threads
        )
        for codes, n, of_column in zip(columns, n_levels, means, strict=True):
            assert of_column.shape == (n + 1, 2)
            for level in range(-1, n):
                rows = targets[codes == level]
                expected = [
                    draw(rows[:, k].sum(), len(rows), smooth, priors[k])
                    for k in range(2)
                ]
                assert of_column[level].tolist() == expected


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_a_row_of_weight_two_counts_as_two(smooth):
    columns, n_levels, targets, priors = make_problem(200)
    weights = np.random.default_rng(1).integers(1, 4, 200)
    repeated = [np.repeat(codes, weights) for codes in columns]
    options = (n_levels, np.repeat(targets, weights, axis=0), priors, smooth)
    expected = compute_level_means(repeated, *options)
    means = compute_level_means(
        columns, n_levels, targets, priors, smooth, weights=weights.astype(float)
    )
    for one, other in zip(means, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)
    # Of the rows before a row, the first of its repetitions knows as much.
    order = np.random.default_rng(0).permutation(200)
    firsts = np.cumsum(weights) - weights
    order_of_repeated = np.concatenate(
        [np.arange(firsts[row], firsts[row] + weights[row]) for row in order]
    )
    before = compute_ordered_means(
        columns, n_levels, targets, priors, smooth, order, weights=weights.astype(float)
    )
    expected = compute_ordered_means(repeated, *options, order_of_repeated)
    np.testing.assert_allclose(before, expected[:, :, firsts], rtol=1e-13)


@pytest.mark.parametrize("smooth", [0.0, 1.0, 7.5])
@pytest.mark.parametrize("n_rows", [1, 2, 300])
def test_means_of_the_rows_before(n_rows, smooth):
    columns, n_levels, targets, priors = make_problem(n_rows)
    order = np.random.default_rng(0).permutation(n_rows)
    expected = np.empty((len(columns), 2, n_rows))
    for j, codes in enumerate(columns):
        for i, row in enumerate(order):
            before = order[:i][codes[order[:i]] == codes[row]]
            for k in range(2):
                expected[j, k, row] = draw(
                    targets[before, k].sum(), len(before), smooth, priors[k]
                )
    for n_threads in N_THREADS:
        means = compute_ordered_means(
            columns, n_levels, targets, priors, smooth, order, n_threads
        )
        np.testing.assert_array_equal(means, expected)


def test_a_row_does_not_see_its_own_target():
    columns, n_levels, targets, _ = make_problem(200)
    statistics = TargetStatistics(1.0).fit(columns, n_levels, targets)
    before = statistics.order(columns, targets, seed=0)
    for row in (0, 57, 199):
        changed = targets.copy()
        changed[row] += 100
        # The prior is of all rows; it tells nothing of one among others.
        after = statistics.order(columns, changed, seed=0)
        assert (after[:, :, row] == before[:, :, row]).all()
    assert (after != before).any()


def test_orders():
    columns, n_levels, targets, _ = make_problem(300)
    statistics = TargetStatistics(1.0).fit(columns, n_levels, targets)
    first, again, other, unshuffled = (
        statistics.order(columns, targets, seed) for seed in (1, 1, 2, None)
    )
    assert (first == again).all()
    assert (first != other).any()
    expected = compute_ordered_means(
        columns, n_levels, targets, statistics.priors_, 1.0, np.arange(300)
    )
    assert (unshuffled == expected).all()


def test_look_up():
    columns, n_levels, targets, priors = make_problem(300)
    statistics = TargetStatistics(2.0).fit(columns, n_levels, targets)
    means = compute_level_means(columns, n_levels, targets, priors, 2.0)
    codes = np.array([0, -1, -2], dtype=np.int32)
    found = statistics.look_up([codes] * 3)
    assert found.shape == (3, 2, 3)
    for of_column, expected in zip(found, means, strict=True):
        assert of_column[:, 0].tolist() == expected[0].tolist()
        assert of_column[:, 1].tolist() == expected[-1].tolist()
        assert of_column[:, 2].tolist() == priors.tolist()
