"""Drawn rows against sorting in Python, and against what the papers promise."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearnx._boosting.sampling import SAMPLERS, make_sampler
from sklearnx._cython.boosting import sampling as kernels
from tests.boosting import oracle
from tests.boosting._helpers import N_THREADS

SHARES = (0.01, 0.3, 0.5, 0.95)
EXPONENT_AND_29_BITS = np.uint64(2**64 - 2**23)


def make_gradients(n_rows=3000, n_outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(n_outputs, n_rows)) ** 3
    return gradients, rng.uniform(0, 0.25, size=gradients.shape)


def round_norms(norms):
    """Return norms with the bits that the kernel keeps."""
    return (np.asarray(norms).view(np.uint64) & EXPONENT_AND_29_BITS).view(np.float64)


# ---- kernels -------------------------------------------------------------------------

KEYS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.integers(0, 3),
    st.sampled_from([2**52, 2**52 + 1, 2**63, 2**64 - 1, 2**23, 2**23 - 1]),
)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(st.lists(KEYS, min_size=1, max_size=30), st.data())
def test_threshold(keys, data):
    rank = data.draw(st.integers(1, len(keys)))
    threshold, n_below = kernels.find_threshold(np.array(keys, np.uint64), rank, 1)
    assert sum(key <= threshold for key in keys) == n_below >= rank
    # No more than ties make it.
    assert sum(key < sorted(keys)[rank - 1] for key in keys) < rank
    assert n_below == sum(key <= sorted(keys)[rank - 1] for key in keys)


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("kind", ["random", "norms", "equal", "sorted"])
def test_many_keys(kind, n_threads):
    rng = np.random.default_rng(0)
    keys = {
        "random": rng.integers(0, 2**64, size=200_000, dtype=np.uint64),
        "norms": np.abs(rng.normal(size=200_000)).view(np.uint64),
        "equal": np.full(200_000, 7, dtype=np.uint64),
        "sorted": np.arange(200_000, dtype=np.uint64),
    }[kind]
    for rank in (1, 60_000, 200_000):
        threshold, n_below = kernels.find_threshold(keys, rank, n_threads)
        rows = kernels.collect_rows(keys, threshold, n_threads)
        largest = np.sort(keys)[rank - 1]
        np.testing.assert_array_equal(rows, np.flatnonzero(keys <= largest))
        assert rows.dtype == np.uint32 and len(rows) == n_below


def test_no_row_is_collected():
    keys = np.full(70_000, 5, dtype=np.uint64)
    assert len(kernels.collect_rows(keys, 4, 1)) == 0


@pytest.mark.parametrize("n_threads", N_THREADS)
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("has_hessians", [False, True])
@pytest.mark.parametrize("has_weights", [False, True])
def test_norms(has_weights, has_hessians, n_outputs, n_threads):
    gradients, hessians = make_gradients(150_000, n_outputs)
    weights = np.random.default_rng(1).uniform(0, 3, size=150_000)
    weights = weights if has_weights else None
    norms = np.empty(150_000)
    kernels.compute_norms(
        gradients,
        hessians if has_hessians else None,
        weights,
        0.5,
        2.0,
        norms,
        n_threads,
    )
    factor = 0.5 if weights is None else 0.5 * weights
    squares = np.zeros(150_000)
    for g, h in zip(gradients, hessians, strict=True):
        h = 2.0 * factor * h if has_hessians else 2.0 * factor
        squares += (g * factor) ** 2 + h**2
    np.testing.assert_allclose(norms, np.sqrt(squares), rtol=2.0**-29)
    np.testing.assert_array_equal(norms, round_norms(norms))


def test_norms_of_zeros_and_subnormals():
    norms = np.empty(4)
    gradients = np.array([[0.0, -0.0, 5e-324, 1e-150]])
    kernels.compute_norms(gradients, None, None, 1.0, 0.0, norms, 1)
    assert norms[:3].tolist() == [0.0, 0.0, 0.0] and norms[3] > 0


NORMS = st.one_of(
    st.floats(0, 4),
    st.sampled_from([0.0, 1.0, 1.0, 2.0, 1e-290, 1e300]),
)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(st.lists(NORMS, min_size=2, max_size=30), st.data())
def test_mvs_threshold(norms, data):
    norms = round_norms(np.array(norms))
    norms[norms < np.finfo(np.float64).tiny] = 0
    n_drawn = data.draw(st.integers(1, len(norms) - 1))
    mu = kernels.find_mvs_threshold(norms.view(np.uint64), n_drawn, 1)
    expected = oracle.find_mvs_threshold(norms, n_drawn)
    np.testing.assert_allclose(mu, float(expected), rtol=1e-12)
    if expected > 0:
        total = sum(min(Fraction(1), Fraction(norm) / expected) for norm in norms)
        assert total == n_drawn


@pytest.mark.parametrize("kind", ["normal", "outlier", "equal", "few", "decades"])
def test_mvs_threshold_of_many_norms(kind):
    rng = np.random.default_rng(0)
    norms = np.abs(rng.normal(size=200_000))
    if kind == "outlier":
        norms[12_345] = 1e200
    elif kind == "equal":
        norms[...] = 0.3
    elif kind == "few":
        norms[1000:] = 0
    elif kind == "decades":
        norms = 10 ** rng.uniform(-100, 100, size=200_000)
    norms = round_norms(norms)
    for n_drawn in (1, 500, 60_000, 199_999):
        results = {
            kernels.find_mvs_threshold(norms.view(np.uint64), n_drawn, n_threads)
            for n_threads in N_THREADS
        }
        (mu,) = results
        if np.count_nonzero(norms) < n_drawn:
            assert mu == 0
        else:
            total = np.minimum(norms / mu, 1).sum()
            np.testing.assert_allclose(total, n_drawn, rtol=1e-9)


def test_multiply_rows():
    values, _ = make_gradients(200_000, 2)
    rows = np.arange(3, 200_000, 2, dtype=np.uint32)
    multipliers = np.random.default_rng(0).uniform(1, 8, size=len(rows))
    expected = values.copy()
    expected[:, rows] *= multipliers
    for n_threads in N_THREADS:
        product = values.copy()
        kernels.multiply_rows(product, rows, multipliers, n_threads)
        np.testing.assert_array_equal(product, expected)


# ---- samplers ------------------------------------------------------------------------


@pytest.mark.parametrize("share", SHARES)
def test_uniform(share):
    sampler = make_sampler("uniform", share, 42, 1000)
    for iteration in (0, 1, 77):
        sample = sampler.draw(iteration, *make_gradients(1000), None, 1)
        keys = oracle.draw_keys(42, iteration, 1000)
        expected = oracle.find_smallest(keys, round(1000 * share))
        assert sample.rows.tolist() == expected
        assert sample.multipliers is None


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("has_ties", [False, True])
def test_goss(has_ties, share):
    n_rows = 1000
    gradients, hessians = make_gradients(n_rows)
    if has_ties:
        gradients = np.round(gradients)
    weights = np.random.default_rng(0).integers(1, 3, size=n_rows).astype(float)
    sampler = make_sampler("goss", share, 42, n_rows)
    sample = sampler.draw(5, gradients, hessians, weights, 1)
    norms = np.abs(gradients[0]) * weights
    n_drawn = round(share * n_rows)
    n_top = int(2 / 3 * n_drawn)
    # Strictly above those that are not among the top.
    top = norms > np.sort(norms)[n_rows - n_top - 1]
    assert top.sum() == n_top or (has_ties and top.sum() < n_top)
    keys = oracle.draw_keys(42, 5, n_rows)
    keys = [-1 if is_top else key for key, is_top in zip(keys, top, strict=True)]
    assert sample.rows.tolist() == oracle.find_smallest(keys, n_drawn)
    multiplier = (n_rows - top.sum()) / (n_drawn - top.sum())
    np.testing.assert_array_equal(
        sample.multipliers, np.where(top[sample.rows], 1.0, multiplier)
    )


@pytest.mark.parametrize("share", SHARES)
def test_mvs(share):
    n_rows = 1000
    gradients, hessians = make_gradients(n_rows, 2)
    weights = np.random.default_rng(0).integers(1, 3, size=n_rows).astype(float)
    sample = make_sampler("mvs", share, 42, n_rows).draw(
        5, gradients, hessians, weights, 1
    )
    step = (np.abs(gradients) * weights).sum() / (hessians * weights).sum()
    norms = weights * np.sqrt((gradients**2 + (step * hessians) ** 2).sum(axis=0))
    mu = float(oracle.find_mvs_threshold(norms, round(share * n_rows)))
    probabilities = np.minimum(norms / mu, 1)
    uniform = [oracle.to_uniform(key) for key in oracle.draw_keys(42, 5, n_rows)]
    assert sample.rows.tolist() == np.flatnonzero(uniform < probabilities).tolist()
    np.testing.assert_allclose(
        sample.multipliers, 1 / probabilities[sample.rows], rtol=1e-7
    )


@pytest.mark.parametrize("sampling", SAMPLERS)
def test_threads(sampling):
    gradients, hessians = make_gradients(200_000, 3)
    samples = [
        make_sampler(sampling, 0.3, 0, 200_000).draw(
            3, gradients, hessians, None, n_threads
        )
        for n_threads in N_THREADS
    ]
    for sample in samples[1:]:
        np.testing.assert_array_equal(sample.rows, samples[0].rows)
        np.testing.assert_array_equal(sample.multipliers, samples[0].multipliers)


@pytest.mark.parametrize("sampling", SAMPLERS)
def test_sums_are_right_on_average(sampling):
    """Of the sampled gradients and hessians, multiplied: what sampling is for."""
    n_rows, n_draws = 300, 2000
    gradients, hessians = make_gradients(n_rows)
    sampler = make_sampler(sampling, 0.3, 0, n_rows)
    sums = []
    for iteration in range(n_draws):
        rows, multipliers = sampler.draw(iteration, gradients, hessians, None, 1)
        factor = n_rows / len(rows) if multipliers is None else multipliers
        sums.append(
            [(values[0, rows] * factor).sum() for values in (gradients, hessians)]
        )
    error = np.mean(sums, axis=0) - [gradients.sum(), hessians.sum()]
    assert (np.abs(error) < 4 * np.std(sums, axis=0) / np.sqrt(n_draws)).all()


def test_variance():
    """Sums of rows drawn by size vary much less than of rows drawn alike."""
    gradients, _ = make_gradients(1000)
    variances = {}
    for sampling in SAMPLERS:
        sampler = make_sampler(sampling, 0.3, 0, 1000)
        sums = []
        for iteration in range(300):
            rows, multipliers = sampler.draw(iteration, gradients, None, None, 1)
            factor = 1000 / len(rows) if multipliers is None else multipliers
            sums.append((gradients[0, rows] * factor).sum())
        variances[sampling] = np.var(sums)
    assert max(variances["mvs"], variances["goss"]) < variances["uniform"] / 10


@pytest.mark.parametrize("sampling", SAMPLERS)
@pytest.mark.parametrize("n_rows", [1, 2, 3])
@pytest.mark.parametrize("share", [1e-9, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("gradient", [0.0, 1.0, 1e300, 1e-300])
def test_few_rows(gradient, share, n_rows, sampling):
    sampler = make_sampler(sampling, share, 0, n_rows)
    gradients = np.full((1, n_rows), gradient)
    for hessians in (None, np.zeros((1, n_rows))):
        for iteration in range(20):
            sample = sampler.draw(iteration, gradients, hessians, None, 1)
            assert len(sample.rows) >= 1
            assert np.all(np.diff(sample.rows.astype(int)) > 0)
            if sample.multipliers is not None:
                assert np.isfinite(sample.multipliers).all()
                assert (sample.multipliers >= 1).all()


def test_all_rows_need_no_sampler():
    assert all(make_sampler(name, 1.0, 0, 10) is None for name in SAMPLERS)


def test_rounds_and_seeds_differ():
    draws = {
        tuple(
            make_sampler("uniform", 0.5, seed, 100)
            .draw(iteration, *make_gradients(100), None, 1)
            .rows.tolist()
        )
        for seed in range(5)
        for iteration in range(5)
    }
    assert len(draws) == 25
    counts = np.zeros(100)
    sampler = make_sampler("uniform", 0.2, 0, 100)
    for iteration in range(1000):
        counts[sampler.draw(iteration, *make_gradients(100), None, 1).rows] += 1
    # Binomial: 200 with a standard deviation of 12.6.
    assert 145 < counts.min() and counts.max() < 255
