"""Order-free sums and quantiles against exact rational arithmetic and sorting."""

import math
from fractions import Fraction

import numpy as np
import pytest

from sklearnx._cython.common.reductions import max_abs, sum_exact, weighted_quantile


def _make_values(kind, n=10_001, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.normal(size=n)
    if kind == "heavy":
        return rng.lognormal(sigma=4, size=n) * rng.choice([-1, 1], n)
    if kind == "cancelling":
        values = rng.normal(size=n // 2) * 1e10
        return np.concatenate([values, -values, [1e-3]])
    if kind == "outlier":
        return np.concatenate([rng.normal(size=n - 1), [1e15]])
    return rng.normal(size=n) * {"tiny": 1e-280, "huge": 1e300}[kind]


KINDS = ["normal", "heavy", "cancelling", "outlier", "tiny", "huge"]


@pytest.mark.parametrize("kind", KINDS)
def test_sum_is_exact_to_rounding(kind):
    values = _make_values(kind)
    exact = float(sum(Fraction(v) for v in values.tolist()))
    bound = len(values) * np.abs(values).max() * 2.0**-77
    assert abs(sum_exact(values) - exact) <= math.ulp(exact) + bound


@pytest.mark.parametrize("kind", KINDS)
def test_sum_does_not_depend_on_order(kind):
    values = _make_values(kind)
    weights = np.random.default_rng(1).uniform(0, 3, len(values))
    order = np.random.default_rng(2).permutation(len(values))
    assert sum_exact(values) == sum_exact(values[order])
    assert sum_exact(values, weights) == sum_exact(values[order], weights[order])


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_sum_does_not_depend_on_threads(n_threads):
    values = _make_values("heavy", n=300_000)
    weights = np.abs(_make_values("normal", n=300_000))
    assert sum_exact(values, None, n_threads) == sum_exact(values)
    assert sum_exact(values, weights, n_threads) == sum_exact(values, weights)
    assert max_abs(values, n_threads) == np.abs(values).max()


def test_integer_weight_equals_repetition():
    values = _make_values("heavy")
    weights = np.random.default_rng(1).integers(0, 5, len(values))
    repeated = np.repeat(values, weights)
    expected = sum_exact(repeated)
    got = sum_exact(values, weights.astype(float))
    assert abs(got - expected) <= 1e-15 * np.abs(repeated).sum()


def test_sum_of_many_rows_stays_within_64_bits():
    # Beyond 2**24 rows each gets fewer bits; all of them at the maximum is the worst.
    n = 2**24 + 2**20
    assert sum_exact(np.full(n, 1.0), None, 2) == n
    assert sum_exact(np.full(n, -0.9999999999), None, 2) == pytest.approx(
        -0.9999999999 * n, rel=1e-15
    )


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 17])
def test_short_arrays(n):
    values = np.arange(n, dtype=float) - 3
    assert sum_exact(values) == values.sum()
    assert sum_exact(values, np.ones(n)) == values.sum()
    assert max_abs(values) == np.abs(values).max(initial=0)


def test_sum_of_zeros():
    assert sum_exact(np.zeros(5)) == 0
    assert sum_exact(np.ones(5), np.zeros(5)) == 0


def test_overflowing_product_gives_nan():
    assert np.isnan(sum_exact(np.full(3, 1e300), np.full(3, 1e300)))


def _quantile_by_sorting(values, weights, q):
    """Averaged inverted distribution function with rational weights."""
    rows = sorted((v, w) for v, w in zip(values, weights) if w > 0)
    total = sum(w for _, w in rows)
    reached = 0
    for i, (value, weight) in enumerate(rows):
        reached += weight
        if reached == q * total and i + 1 < len(rows):
            return (value + rows[i + 1][0]) / 2
        if reached >= q * total:
            return value
    raise AssertionError("no row")


@pytest.mark.parametrize("q", [Fraction(i, 20) for i in range(21)])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 101])
def test_quantile_equals_sorting(n, q):
    rng = np.random.default_rng(n)
    values = rng.integers(0, 30, n).astype(float)  # with ties
    weights = rng.integers(0, 4, n)
    weights[0] = 1
    expected = _quantile_by_sorting(values.tolist(), [1] * n, q)
    assert weighted_quantile(values, None, float(q)) == expected
    assert weighted_quantile(values, np.ones(n), float(q)) == expected
    assert weighted_quantile(values, np.full(n, 0.1), float(q)) == expected
    expected = _quantile_by_sorting(values.tolist(), weights.tolist(), q)
    assert weighted_quantile(values, weights.astype(float), float(q)) == expected
    repeated = np.repeat(values, weights)
    assert weighted_quantile(repeated, None, float(q)) == expected


@pytest.mark.parametrize("q", [0.07, 0.1, 0.29, 0.5, 0.57, 0.9])
def test_decimal_fractions_mean_what_they_say(q):
    # 0.07 * 100 and 0.29 * 100 are not whole numbers in floating point.
    rank = round(100 * q)
    values = np.random.default_rng(0).permutation(100).astype(float)
    assert weighted_quantile(values, None, q) == rank - 0.5


def test_median_equals_numpy():
    for n in (9, 10, 1000, 1001):
        values = _make_values("heavy", n)
        assert weighted_quantile(values, None, 0.5) == np.median(values)


def test_quantile_does_not_depend_on_order():
    values = np.round(_make_values("normal"), 1)
    weights = np.random.default_rng(1).uniform(0, 1, len(values))
    order = np.random.default_rng(2).permutation(len(values))
    for q in (0.1, 0.5, 0.9):
        got = weighted_quantile(values[order], weights[order], q)
        assert got == weighted_quantile(values, weights, q)


def test_quantile_without_rows_is_nan():
    assert np.isnan(weighted_quantile(np.empty(0), None, 0.5))
    assert np.isnan(weighted_quantile(np.ones(3), np.zeros(3), 0.5))


def test_quantile_of_zeros_has_no_sign():
    for values in ([0.0, -0.0], [-0.0, 0.0]):
        assert math.copysign(1, weighted_quantile(np.array(values), None, 0.1)) == 1
