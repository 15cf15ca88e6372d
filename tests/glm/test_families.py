"""Families: kernels against formulas, derivatives against differences."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from sklearnx._cython.linear.families import map_softmax
from sklearnx._glm.families import (
    FAMILY_KERNELS,
    Binomial,
    Family,
    Gamma,
    Multinomial,
    Poisson,
    SquaredError,
    Tweedie,
    TweedieIdentity,
    make_tweedie_family,
)

N_ROWS = 5000  # more than a chunk of rows


def power_loss(y, mean, power):
    if power == 0:
        return 0.5 * (y - mean) ** 2
    if power == 1:
        return mean - y * np.log(mean)
    if power == 2:
        return np.log(mean) + y / mean
    return mean ** (2 - power) / (2 - power) - y * mean ** (1 - power) / (1 - power)


# Family, targets and raw predictions that it takes, loss of a row.
FAMILIES = {
    "binomial": (
        Binomial(),
        lambda rng, n: rng.random(n),
        lambda rng, n: 3 * rng.normal(size=n),
        lambda y, raw: np.logaddexp(0, raw) - y * raw,
    ),
    "squared": (
        SquaredError(),
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: rng.normal(size=n),
        lambda y, raw: power_loss(y, raw, 0),
    ),
    **{
        f"log-{power}": (
            family,
            lambda rng, n: rng.gamma(1.0, 2.0, size=n) + 0.01,
            lambda rng, n: rng.normal(size=n),
            lambda y, raw, power=power: (
                power_loss(y, np.exp(raw), power) - (0.5 * y**2 if power == 0 else 0)
            ),
        )
        for power, family in {
            0: Tweedie(0),
            1: Poisson(),
            1.5: Tweedie(1.5),
            2: Gamma(),
            3: Tweedie(3),
        }.items()
    },
    **{
        f"identity-{power}": (
            TweedieIdentity(power),
            lambda rng, n: rng.gamma(1.0, 2.0, size=n) + 0.01,
            lambda rng, n: rng.random(n) + 0.1,
            lambda y, raw, power=power: power_loss(y, raw, power),
        )
        for power in (1, 1.7, 2, 3)
    },
}
over_families = pytest.mark.parametrize("name", FAMILIES)


def make_rows(name, n_rows=N_ROWS):
    rng = np.random.default_rng(0)
    family, make_y, make_raw, loss = FAMILIES[name]
    return family, make_y(rng, n_rows), make_raw(rng, n_rows), rng.random(n_rows), loss


def test_every_kernel_has_a_case():
    assert {case[0].kernel for case in FAMILIES.values()} == set(FAMILY_KERNELS)


@over_families
def test_loss(name):
    family, y, raw, weights, loss = make_rows(name)
    total, _, _ = family.evaluate(y, raw, weights)
    assert total == pytest.approx(np.sum(weights * loss(y, raw)), rel=1e-12)


@over_families
def test_gradients_are_derivatives_of_the_loss(name):
    family, y, raw, weights, loss = make_rows(name, 300)
    _, gradients, _ = family.evaluate(y, raw, weights)
    step = 1e-6
    differences = (loss(y, raw + step) - loss(y, raw - step)) / (2 * step)
    np.testing.assert_allclose(gradients, weights * differences, rtol=1e-5, atol=1e-6)


@over_families
def test_hessians_are_positive_and_derivatives_where_these_are(name):
    family, y, raw, weights, _ = make_rows(name, 300)
    step = 1e-6
    ones = np.ones_like(y)
    _, above, _ = family.evaluate(y, raw + step, ones)
    _, below, _ = family.evaluate(y, raw - step, ones)
    _, _, hessians = family.evaluate(y, raw, weights)
    observed = (above - below) / (2 * step)
    assert np.all(hessians > 0)
    is_positive = observed > 1e-4
    assert np.mean(is_positive) > 0.2
    np.testing.assert_allclose(
        hessians[is_positive],
        (weights * observed)[is_positive],
        rtol=1e-4,
        atol=1e-6,
    )


@over_families
def test_bits_do_not_depend_on_threads(name):
    family, y, raw, weights, _ = make_rows(name, 20_000)
    first = family.evaluate(y, raw, weights, 1)
    for n_threads in (2, 3):
        other = family.evaluate(y, raw, weights, n_threads)
        assert other[0] == first[0]
        np.testing.assert_array_equal(other[1], first[1])
        np.testing.assert_array_equal(other[2], first[2])


@over_families
@pytest.mark.parametrize("n_members", [2, 3, 7])
def test_members_have_a_loss_each(name, n_members):
    family, y, raw, weights, _ = make_rows(name, 5_000 * n_members)
    losses, gradients, hessians = family.evaluate(y, raw, weights, 2, n_members)
    assert losses.shape == (n_members,)
    for m in range(n_members):
        rows = slice(m, None, n_members)
        expected = family.evaluate(*(of[rows].copy() for of in (y, raw, weights)))
        assert losses[m] == pytest.approx(expected[0], rel=1e-12)
        np.testing.assert_array_equal(gradients[rows], expected[1])
        np.testing.assert_array_equal(hessians[rows], expected[2])


@over_families
def test_rows_of_no_weight_do_not_count(name):
    family, y, raw, weights, _ = make_rows(name, 20)
    raw[3] = 1e300
    weights[3] = 0.0
    loss, gradients, hessians = family.evaluate(y, raw, weights)
    assert np.isfinite(loss)
    assert gradients[3] == 0.0
    assert hessians[3] == 0.0


@over_families
def test_extreme_raw_predictions_give_numbers(name):
    family, y, _, _, _ = make_rows(name, 4)
    raw = np.array([-1e6, 1e6, 800.0, -800.0])
    loss, gradients, hessians = family.evaluate(y, raw, np.ones(4))
    assert not np.isnan(loss)
    assert np.all(np.isfinite(gradients))
    assert np.all(np.isfinite(hessians))


@over_families
def test_start_minimises_the_loss_of_a_constant(name):
    family, y, _, weights, _ = make_rows(name)
    weights /= weights.sum()
    raw = np.full(N_ROWS, family.start(y, weights))
    _, gradients, _ = family.evaluate(y, raw, weights)
    assert abs(gradients.sum()) < 1e-12


@pytest.mark.parametrize(
    "name", [name for name in FAMILIES if name.startswith(("log", "squared"))]
)
def test_start_takes_offsets(name):
    family, y, _, weights, _ = make_rows(name)
    weights /= weights.sum()
    offset = np.random.default_rng(1).normal(size=N_ROWS)
    raw = family.start(y, weights, offset) + offset
    _, gradients, _ = family.evaluate(y, raw, weights)
    assert abs(gradients.sum()) < 1e-11


@over_families
def test_no_loss_is_below_the_saturated_one(name):
    family, y, raw, _, loss = make_rows(name, 100)
    least = family.compute_saturated_losses(y)
    assert np.all(least <= loss(y, raw) + 1e-12)
    is_link_defined = y > 0 if name != "binomial" else (y > 0) & (y < 1)
    if name != "squared":
        at_best = loss(y, family.link(y))[is_link_defined]
        np.testing.assert_allclose(at_best, least[is_link_defined], rtol=1e-10)


@over_families
def test_inverse_link_undoes_the_link(name):
    family, _, raw, _, _ = make_rows(name, 100)
    np.testing.assert_allclose(family.link(family.inverse_link(raw)), raw, rtol=1e-9)


@pytest.mark.parametrize(
    "power, link, good, bad",
    [
        (1, "auto", [0.0, 2.0], [-1.0]),
        (1.5, "log", [0.0, 2.0], [-1.0]),
        (2, "auto", [0.1], [0.0]),
        (3, "identity", [0.1], [0.0]),
        (0, "auto", [-1.0], None),
    ],
)
def test_range_of_targets(power, link, good, bad):
    family = make_tweedie_family(power, link)
    assert family.is_in_range(np.array(good))
    if bad is not None:
        assert not family.is_in_range(np.array(bad))


class CauchyLike(Family):
    """A family in plain NumPy: log(1 + (f - y)**2 / 2), with a positive hessian."""

    def compute_rows(self, y, raw):
        residual = raw - y
        scale = 1 + residual**2 / 2
        return np.log(scale), residual / scale, 1 / scale


def test_family_in_numpy_needs_no_kernel():
    rng = np.random.default_rng(0)
    y, raw, weights = rng.normal(size=(3, 50))
    weights = np.abs(weights)
    loss, gradients, hessians = CauchyLike().evaluate(y, raw, weights)
    scale = 1 + (raw - y) ** 2 / 2
    assert loss == pytest.approx(np.sum(weights * np.log(scale)))
    np.testing.assert_allclose(gradients, weights * (raw - y) / scale)
    np.testing.assert_allclose(hessians, weights / scale)


@pytest.mark.parametrize("n_classes", [2, 3, 17])
def test_multinomial(n_classes):
    rng = np.random.default_rng(0)
    raw = 5 * rng.normal(size=(N_ROWS, n_classes))
    y = rng.integers(0, n_classes, size=N_ROWS).astype(float)
    weights = rng.random(N_ROWS)
    loss, gradients, probabilities = Multinomial(n_classes).evaluate(y, raw, weights)
    rows = np.arange(N_ROWS)
    expected = -np.sum(weights * log_softmax(raw, axis=1)[rows, y.astype(int)])
    assert loss == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(probabilities, softmax(raw, axis=1), rtol=1e-12)
    expected = weights[:, None] * softmax(raw, axis=1)
    expected[rows, y.astype(int)] -= weights
    np.testing.assert_allclose(gradients, expected, atol=1e-14)


def test_multinomial_bits_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(20_000, 4))
    y = rng.integers(0, 4, size=20_000).astype(float)
    weights = rng.random(20_000)
    first = Multinomial(4).evaluate(y, raw, weights, 1)
    for n_threads in (2, 3):
        other = Multinomial(4).evaluate(y, raw, weights, n_threads)
        assert other[0] == first[0]
        np.testing.assert_array_equal(other[1], first[1])


def test_softmax_of_extreme_values():
    raw = np.array(
        [[1e308, 0.0, -1e308], [-800.0, -800.0, -801.0], [0.0, 700.0, 710.0]]
    )
    out = np.empty_like(raw)
    map_softmax(raw, out)
    np.testing.assert_allclose(out.sum(axis=1), 1.0)
    np.testing.assert_allclose(out[0], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(out[1], softmax(raw[1]), rtol=1e-12)
