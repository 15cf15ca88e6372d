"""Fixed-point gradients against the rules, and the rules against real numbers."""

import numpy as np
import pytest

from tests.boosting import oracle
from tests.boosting._helpers import N_THREADS, make_quantized

N_ROWS = 50_000  # several chunks


def make_gradients(kind, rng, n_rows=N_ROWS):
    if kind == "normal":
        return rng.normal(size=n_rows)
    if kind == "outlier":
        return np.append(rng.normal(size=n_rows - 1), 1e9)
    if kind == "heavy":
        return rng.lognormal(sigma=3, size=n_rows)
    if kind == "zero":
        return np.zeros(n_rows)
    if kind == "powers":  # of two, where a scale is easily off by one bit
        return 2.0 ** rng.integers(-5, 1, size=n_rows)
    return rng.normal(size=n_rows) * {"tiny": 1e-300, "huge": 1e290}[kind]


def make_weights(kind, rng, n_rows=N_ROWS):
    if kind == "none":
        return None
    if kind == "integer":
        weights = rng.integers(0, 4, size=n_rows).astype(float)
        weights[-1] = 3  # the outlier's
        return weights
    if kind == "large integer":
        return rng.integers(1, 2**16, size=n_rows).astype(float)
    if kind == "too large":  # a sum for which integers have no room
        return rng.integers(1, 2**26, size=n_rows).astype(float)
    if kind == "real":
        return rng.uniform(0, 2, size=n_rows)
    return 10 ** rng.uniform(-6, 6, size=n_rows)  # decades


def check(gradients, hessians, weights, n_threads=1):
    quantized = make_quantized(gradients, hessians, weights, n_threads)
    fixed = oracle.quantize(gradients, hessians, weights)
    np.testing.assert_array_equal(quantized.leaf_gradients, fixed.leaf_gradients)
    np.testing.assert_array_equal(quantized.leaf_hessians, fixed.leaf_hessians)
    assert quantized.units == fixed.units
    if weights is not None and quantized.integer_weights:
        np.testing.assert_array_equal(quantized.fixed_weights, fixed.weights)
    else:
        assert quantized.fixed_weights is None
        assert (fixed.weights == 1).all()
    assert quantized.is_narrow == (fixed.gradients is not fixed.leaf_gradients)
    np.testing.assert_array_equal(quantized.gradients, fixed.gradients)
    np.testing.assert_array_equal(quantized.hessians, fixed.hessians)
    np.testing.assert_array_equal(quantized.counts, 1)
    fits_one_word = (
        not quantized.integer_weights or weights is None or max(weights) <= 32
    )
    assert quantized.words.shape[1] == (
        1 if quantized.is_narrow and fits_one_word else 2
    )
    return quantized


@pytest.mark.parametrize("has_hessians", [False, True])
@pytest.mark.parametrize(
    "weights", ["none", "integer", "large integer", "too large", "real", "decades"]
)
@pytest.mark.parametrize(
    "gradients", ["normal", "outlier", "heavy", "zero", "powers", "tiny", "huge"]
)
def test_rules(gradients, weights, has_hessians):
    rng = np.random.default_rng(0)
    g = make_gradients(gradients, rng)
    h = np.abs(make_gradients("normal", rng)) if has_hessians else None
    quantized = check(g, h, make_weights(weights, rng))
    if weights != "decades":
        # The scale of tiny ones, 2**1000, is at its limit.
        assert quantized.is_narrow == (gradients in ("normal", "powers", "huge"))


@pytest.mark.parametrize("kind", ["none", "integer", "real", "decades"])
def test_real_values(kind):
    rng = np.random.default_rng(0)
    gradients, hessians = make_gradients("normal", rng), rng.uniform(0, 0.25, N_ROWS)
    weights = make_weights(kind, rng)
    quantized = make_quantized(gradients, hessians, weights)
    weights = np.ones(N_ROWS) if weights is None else weights
    g_unit, _, leaf_g_unit, leaf_h_unit = quantized.units
    steps = weights if quantized.integer_weights else np.ones(N_ROWS)
    assert quantized.is_narrow == (kind != "decades")
    n_bits = 30 if quantized.is_narrow else 38
    for values, integers, unit in (
        (gradients, quantized.leaf_gradients, leaf_g_unit),
        (hessians, quantized.leaf_hessians, leaf_h_unit),
    ):
        assert np.abs(integers).max() <= steps.max() * 2**n_bits
        assert np.abs(integers * unit - values * weights).max() <= steps.max() * unit
        assert unit <= np.abs(values * weights).max() * 2.0 ** (1 - n_bits)
    if kind == "none":
        narrow = quantized.gradients * g_unit
        # Half a step, and one where the largest value is clipped.
        assert np.abs(narrow - gradients).max() <= g_unit
        assert (np.abs(narrow - gradients) <= g_unit / 2 + leaf_g_unit).mean() > 0.999
        assert np.abs(narrow).max() <= 2047 * g_unit


def test_ties_and_clipping():
    # Steps of 2**-11 (gradients) and 2**-12 (hessians): the scale is set by values just
    # below 1, which are clipped.
    steps = np.array([2047.9, -2047.9, 1.5, 2.5, -1.5, -2.5, 0.5, -0.5, 0.49, -0.51])
    narrow = np.array([2047, -2047, 2, 3, -1, -2, 1, 0, 0, -1])
    rest = np.full(10_000, 1000.0)
    gradients = np.concatenate([steps, rest]) * 2.0**-11
    hessians = np.concatenate([np.abs(steps) * 2, rest]) * 2.0**-12
    quantized = check(gradients, hessians, None)
    assert quantized.units[:2] == (2.0**-11, 2.0**-12)
    np.testing.assert_array_equal(quantized.gradients[: len(steps)], narrow)
    np.testing.assert_array_equal(
        quantized.hessians[: len(steps)], [4095, 4095, 3, 5, 3, 5, 1, 1, 1, 1]
    )


def test_fields_of_words():
    rng = np.random.default_rng(0)
    gradients, hessians = make_gradients("normal", rng), rng.uniform(0, 0.25, N_ROWS)
    one = make_quantized(gradients, hessians).words[:, 0]
    fixed = oracle.quantize(gradients, hessians)
    np.testing.assert_array_equal(one >> 39, fixed.gradients)
    np.testing.assert_array_equal((one & (2**39 - 1)) >> 14, fixed.hessians)
    np.testing.assert_array_equal(one & (2**14 - 1), 1)
    gradients[0] = 1e6
    two = make_quantized(gradients, hessians).words
    fixed = oracle.quantize(gradients, hessians)
    np.testing.assert_array_equal(two[:, 0], fixed.gradients)
    np.testing.assert_array_equal(two[:, 1] >> 13, fixed.hessians)
    np.testing.assert_array_equal(two[:, 1] & (2**13 - 1), 1)


def test_weight_is_repetition():
    rng = np.random.default_rng(0)
    gradients, hessians = make_gradients("normal", rng), rng.uniform(0, 0.25, N_ROWS)
    weights = rng.integers(0, 4, size=N_ROWS)
    weighted = make_quantized(gradients, hessians, weights.astype(float))
    repeated = make_quantized(gradients.repeat(weights), hessians.repeat(weights))
    assert weighted.units == repeated.units
    assert weighted.is_narrow
    assert repeated.is_narrow
    starts = np.cumsum(weights) - weights
    kept = weights > 0

    def sum_rows(values):
        return np.add.reduceat(values, starts[kept])

    for name in ("leaf_gradients", "leaf_hessians"):
        np.testing.assert_array_equal(
            getattr(weighted, name)[kept], sum_rows(getattr(repeated, name))
        )
    for name in ("gradients", "hessians"):
        np.testing.assert_array_equal(
            getattr(weighted, name)[kept], sum_rows(getattr(repeated, name))
        )


@pytest.mark.parametrize("has_hessians", [False, True])
@pytest.mark.parametrize("weights", ["none", "integer", "large integer", "real"])
@pytest.mark.parametrize("gradients", ["normal", "outlier", "heavy", "zero", "tiny"])
def test_noise(gradients, weights, has_hessians):
    rng = np.random.default_rng(0)
    gradients = make_gradients(gradients, rng)
    hessians = rng.uniform(0, 0.25, size=N_ROWS) if has_hessians else None
    is_integer = weights != "real"
    weights = make_weights(weights, rng)
    quantized = make_quantized(gradients, hessians, weights)
    summed = make_quantized(gradients, hessians, weights, 3, sums_squares=True)
    fixed = oracle.quantize(gradients, hessians, weights)
    all_rows = np.arange(N_ROWS, dtype=np.uint32)
    for rows in (all_rows, all_rows[::7].copy(), all_rows[-1:]):
        for n_threads in N_THREADS:
            noise = quantized.compute_noise(rows, n_threads)
            assert noise == oracle.compute_noise(fixed, rows)
            noise = quantized.compute_noise(None, n_threads)
            assert noise == oracle.compute_noise(fixed, slice(None))
            assert noise == summed.compute_noise(None, n_threads)
    assert summed.compute_noise(rows, 1) == oracle.compute_noise(fixed, rows)
    w = np.ones(N_ROWS) if weights is None else weights
    h = np.ones(N_ROWS) if hessians is None else hessians
    # A real weight multiplies the gradient; others repeat it.
    squares = w * gradients**2 if is_integer else (w * gradients) ** 2
    exact = squares.sum() / (w * h).sum()
    assert quantized.compute_noise(all_rows, 1) == pytest.approx(exact, rel=2e-3)


def test_noise_of_repeated_rows():
    rng = np.random.default_rng(0)
    gradients, hessians = make_gradients("normal", rng), rng.uniform(0, 0.25, N_ROWS)
    weights = rng.integers(0, 4, size=N_ROWS)
    weighted = make_quantized(gradients, hessians, weights.astype(float))
    repeated = make_quantized(gradients.repeat(weights), hessians.repeat(weights))
    noises = [
        quantized.compute_noise(np.arange(n, dtype=np.uint32), 1)
        for quantized, n in ((weighted, N_ROWS), (repeated, weights.sum()))
    ]
    assert noises[0] == noises[1]


def test_noise_without_hessians():
    gradients, rows = np.ones(10), np.arange(10, dtype=np.uint32)
    assert make_quantized(gradients, np.zeros(10)).compute_noise(rows, 1) == 0


@pytest.mark.parametrize("n_rows, is_narrow", [(2**13 - 1, False), (2**13, True)])
def test_few_rows_are_wide(n_rows, is_narrow):
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=n_rows)
    assert check(gradients, None, None).is_narrow == is_narrow
    half = gradients[: n_rows // 2 + 1]
    weights = np.full(len(half), 2.0)
    weights[0] -= 2 * len(half) - n_rows
    assert check(half, None, weights).is_narrow == is_narrow


def test_rare_hessians_are_wide():
    # Ordinary gradients, but a hessian that one row in a thousand has.
    rng = np.random.default_rng(0)
    hessians = np.where(np.arange(N_ROWS) % 1000, 1e-6, 0.25)
    assert not check(rng.normal(size=N_ROWS), hessians, None).is_narrow


def test_width_changes_from_round_to_round():
    rng = np.random.default_rng(0)
    for weights in (None, rng.integers(1, 4, size=N_ROWS).astype(float)):
        quantized = make_quantized(make_gradients("normal", rng), None, weights)
        for kind in ("outlier", "normal", "heavy", "normal"):
            gradients = make_gradients(kind, rng)
            quantized.quantize(gradients, None, 1)
            assert quantized.is_narrow == (kind == "normal")
            fixed = oracle.quantize(gradients, None, weights)
            assert quantized.units == fixed.units
            np.testing.assert_array_equal(
                quantized.leaf_gradients, fixed.leaf_gradients
            )


@pytest.mark.parametrize("kind", ["none", "integer", "decades"])
@pytest.mark.parametrize("gradients", ["normal", "outlier"])
def test_threads(gradients, kind):
    rng = np.random.default_rng(0)
    gradients = make_gradients(gradients, rng, 200_000)
    hessians = rng.uniform(0, 0.25, len(gradients))
    weights = make_weights(kind, rng, len(gradients))
    for n_threads in N_THREADS:
        check(gradients, hessians, weights, n_threads)


@pytest.mark.parametrize("kind", ["none", "integer", "real"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 20_000])
def test_not_finite(row, value, kind):
    rng = np.random.default_rng(0)
    weights = make_weights(kind, rng)
    if weights is not None:
        weights[row] = 1.5 if kind == "real" else 1.0
    gradients, hessians = make_gradients("normal", rng), np.ones(N_ROWS)
    gradients[row] = value
    with pytest.raises(FloatingPointError, match="not finite"):
        make_quantized(gradients, hessians, weights, n_threads=2)
    gradients[row] = 0
    if value > 0 or value != value:
        hessians[row] = value
        with pytest.raises(FloatingPointError, match="not finite"):
            make_quantized(gradients, hessians, weights, n_threads=2)


def test_product_with_weight_overflows():
    gradients = np.full(100, 1e300)
    with pytest.raises(FloatingPointError, match="not finite"):
        make_quantized(gradients, None, np.full(100, 1e10 + 0.5))
