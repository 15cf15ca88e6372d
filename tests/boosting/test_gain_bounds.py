"""Bounds of what sparse features gain, told from the parent, against the gains."""

import numpy as np
import pytest

from sklearnx._cython.boosting.searching import bound_gain, find_deviation
from tests.boosting.test_splitting import find_in


def search(bins, least_gain, **terms):
    """Return the best gain, 0 if there is none, and the bound of all gains."""
    split, bound = find_in(
        bins, has_missing=True, least_gain=least_gain, returns_bound=True, **terms
    )
    return 0.0 if split is None else split["gain"], bound


def draw_rows(rng, n_rows, slope):
    """Return the sums of so many rows."""
    gradients = rng.normal(slope, 1, n_rows) * 1000
    return np.array([gradients.sum(), rng.integers(1, 300, n_rows).sum(), n_rows], int)


@pytest.mark.parametrize("l2_regularization", [0.0, 0.7, 50.0])
@pytest.mark.parametrize("n_bins", [2, 5, 40])
def test_bounds_of_generations(n_bins, l2_regularization):
    rng = np.random.default_rng(n_bins)
    terms = {
        "gradient_unit": 2.0**-10,
        "hessian_unit": 2.0**-8,
        "l2_regularization": l2_regularization,
    }
    ratios = []
    for _ in range(80):
        slope = rng.normal() * rng.choice([0, 0.1, 2])
        bins = np.stack(
            [draw_rows(rng, rng.integers(0, 9), slope) for _ in range(n_bins + 1)]
        )
        default = rng.integers(n_bins + 1)
        bins[default] = draw_rows(rng, rng.integers(2000, 9000), -slope / 10)
        entries = bins.sum(axis=0) - bins[default]
        allowed = {**terms, "min_samples_leaf": int(rng.integers(1, 10))}
        # Some bounds are of a search that stopped short of the gains.
        gain, _ = search(bins, 0.0, **allowed)
        _, bound = search(bins, gain * rng.choice([0.5, 2, 10, 100]), **allowed)
        deviation = find_deviation(bound)
        for _generation in range(4):
            parent = bins.sum(axis=0)
            # Rows without entries leave.
            n_leaving = rng.integers(1, max(bins[default, 2] // 2, 2))
            bins[default] -= draw_rows(rng, n_leaving, rng.normal() / 20)
            bins[default, 1] = max(bins[default, 1], 1)
            bound, deviation = bound_gain(
                deviation, bins.sum(axis=0), parent, entries, **terms
            )
            gain, _ = search(bins, 0.0, **allowed)
            assert bound >= gain
            if gain > 0:
                ratios.append(bound / gain)
    # Of some use.
    assert len(ratios) > 50
    assert np.median(ratios) < 30


def test_of_the_same_rows_it_is_the_gain():
    bins = np.array([[-40, 900, 900], [30, 20, 20], [-10, 25, 25], [0, 0, 0]])
    gain, _ = search(bins, 0.0)
    deviation = find_deviation(gain)
    sums, entries = bins.sum(axis=0), bins[1:].sum(axis=0)
    bound, same = bound_gain(deviation, sums, sums, entries)
    assert gain <= bound <= 1.06 * gain
    assert deviation <= same <= deviation * (1 + 1e-8)


def test_unknown_stays_unknown():
    sums, entries = (5, 100, 100), (1, 30, 30)
    assert bound_gain(np.inf, sums, sums, entries) == (np.inf, np.inf)


def test_nothing_left_beside_entries():
    bound, _ = bound_gain(1.0, (5, 30, 30), (6, 40, 40), (5, 30, 30))
    assert bound == np.inf
