"""The best split of a feature against trying all of them."""

from fractions import Fraction

import numpy as np
import pytest

from sklearnx._cython.boosting.histogram import HIST_BIN_DTYPE
from sklearnx._cython.boosting.matrix import BinnedMatrix
from sklearnx._cython.boosting.splitting import find
from tests.boosting import oracle

NO_BOUNDS = (-np.inf, np.inf)
LEFT_SUMS = ("left_gradients", "left_hessians", "left_n_samples")


def make_histogram(bins):
    """Return the histogram of one feature; a bin is (gradient, hessian, count)."""
    return np.array([tuple(row) for row in bins], dtype=HIST_BIN_DTYPE)


def find_in(bins, *, is_categorical=False, has_missing=None, **criterion):
    """Find the split of a feature that has these bins, the missing one last."""
    matrix = BinnedMatrix(1, [len(bins) - 1], [is_categorical])
    matrix.has_missing[0] = bins[-1][2] > 0 if has_missing is None else has_missing
    return find(matrix, make_histogram(bins), 0, **criterion)


def check(bins, *, is_categorical=False, bounds=NO_BOUNDS, sum_weights=None, **terms):
    split = find_in(
        bins,
        is_categorical=is_categorical,
        lower_bound=bounds[0],
        upper_bound=bounds[1],
        sum_weights=sum_weights,
        **terms,
    )
    criterion = oracle.Criterion(**terms)
    expected = oracle.find_split(
        np.asarray(bins), 0, is_categorical, criterion, bounds, sum_weights
    )
    if expected is None:
        assert split is None
        return None
    assert split["gain"] == expected.gain
    assert split["feature"] == 0
    assert split["is_categorical"] == is_categorical
    np.testing.assert_array_equal(split["goes_left"], expected.goes_left)
    if not is_categorical:
        assert split["bin"] == expected.bin
        assert split["missing_left"] == expected.goes_left[-1]
    left, node = expected.left, np.sum(bins, axis=0)
    assert [split[name] for name in LEFT_SUMS] == left.tolist()
    assert split["left_value"] == criterion.compute_value(left, bounds)
    assert split["right_value"] == criterion.compute_value(node - left, bounds)
    return split


def draw_bins(rng, n_bins, missing, largest=50):
    """Return random bins, some empty; few distinct sums, so that gains are equal."""
    counts = rng.integers(0, 30, size=n_bins + 1) * (rng.random(n_bins + 1) < 0.8)
    counts[-1] *= missing
    gradients = rng.integers(-largest, largest + 1, size=n_bins + 1) * (counts > 0)
    hessians = counts * rng.integers(1, 4, size=n_bins + 1)
    return np.stack([gradients, hessians, counts], axis=1)


@pytest.mark.parametrize("is_categorical", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("n_bins", [1, 2, 3, 8, 40, 300])
def test_random_histograms(n_bins, missing, is_categorical):
    rng = np.random.default_rng(n_bins)
    n_found = 0
    for i in range(60):
        bins = draw_bins(rng, n_bins, missing, largest=(2, 50, 10**11)[i % 3])
        split = check(
            bins,
            is_categorical=is_categorical,
            gradient_unit=(1.0, 2.0**-11, 2.0**-38)[i % 3],
            hessian_unit=(1.0, 2.0**-12)[i % 2],
            l2_regularization=(0.0, 0.7)[i // 2 % 2],
            min_samples_leaf=(1, 5, 40)[i // 3 % 3],
            min_hessian=(1e-10, 1e-3)[i % 2],
            row_weight=(1.0, 0.3, 1.0, 2.0**-20)[i % 4],
        )
        n_found += split is not None
    assert n_found > 10 or n_bins == 1


@pytest.mark.parametrize("bounds", [NO_BOUNDS, (-0.5, 0.25), (0.0, 0.0), (1.0, 2.0)])
@pytest.mark.parametrize("cst", [-1, 0, 1])
def test_monotonic_constraints(cst, bounds):
    rng = np.random.default_rng(0)
    for i in range(100):
        bins = draw_bins(rng, (2, 3, 20)[i % 3], missing=i % 2)
        split = check(
            bins,
            bounds=bounds,
            monotonic_cst=np.array([cst], dtype=np.int8),
            l2_regularization=(0.0, 0.7)[i // 2 % 2],
        )
        if split is not None:
            assert cst * (split["right_value"] - split["left_value"]) >= 0
            for value in (split["left_value"], split["right_value"]):
                assert bounds[0] <= value <= bounds[1]


def test_gain_is_the_decrease_of_the_loss():
    # Half of the gain is that of the squared error of 4 and of 6 rows.
    y = np.array([1.0, 2, 2, 3, 7, 7, 8, 8, 9, 9])
    bins = [[-y[:4].sum(), 4, 4], [-y[4:].sum(), 6, 6], [0, 0, 0]]
    split = find_in(np.array(bins, dtype=int))
    before = ((y - y.mean()) ** 2).sum()
    after = ((y[:4] - 2) ** 2).sum() + ((y[4:] - 8) ** 2).sum()
    assert split["gain"] == pytest.approx(before - after)
    assert (split["left_value"], split["right_value"]) == (2, 8)


@pytest.mark.parametrize("mean, l2_regularization", [(10**6, 0.0), (1, 1.0), (0, 10.0)])
def test_gain_in_exact_arithmetic(mean, l2_regularization):
    # Beside a large mean losses agree to many digits; gains hardly suffer.
    rng = np.random.default_rng(0)
    for _ in range(30):
        counts = rng.integers(20, 40, size=5)
        gradients = counts * mean + rng.integers(-100, 100, size=5)
        bins = np.append(np.stack([gradients, counts, counts], axis=1), [[0, 0, 0]], 0)
        split = check(bins, l2_regularization=l2_regularization)

        def compute_loss(sums):
            curvature = Fraction(int(sums[1])) + Fraction(l2_regularization)
            return -(Fraction(int(sums[0])) ** 2) / curvature

        node, left = bins.sum(axis=0), [split[n] for n in LEFT_SUMS]
        exact = compute_loss(node) - compute_loss(left) - compute_loss(node - left)
        assert split["gain"] == pytest.approx(float(exact), rel=1e-8)


def test_equal_gains_lower_bin():
    # Symmetric: after bin 0 and after bin 2 the gain is the same.
    bins = [[-5, 10, 10], [0, 10, 10], [0, 10, 10], [5, 10, 10], [0, 0, 0]]
    split = check(np.array(bins))
    mirrored = check(np.array([[-b[0], *b[1:]] for b in bins]))
    assert split["gain"] == mirrored["gain"]
    assert split["bin"] == mirrored["bin"] == 0


def test_equal_gains_missing_right():
    # The gain after bin 0 is the same with the missing values on either side.
    split = check(np.array([[-8, 10, 10], [8, 10, 10], [0, 4, 4]]))
    assert split["missing_left"] == 0
    np.testing.assert_array_equal(split["goes_left"], [1, 0, 0])


def test_empty_bins_are_skipped():
    empty = [0, 0, 0]
    split = check(np.array([empty, [-8, 10, 10], empty, empty, [8, 10, 10], empty]))
    # Not 2 or 3, which part the same rows.
    assert split["bin"] == 1
    assert check(np.array([empty, empty, [-8, 10, 10], empty, empty])) is None


def test_values_against_missing_values():
    bins = np.array([[-8, 10, 10], [-8, 10, 10], [9, 6, 6]])
    split = check(bins)
    assert split["bin"] == 1
    np.testing.assert_array_equal(split["goes_left"], [1, 1, 0])
    split = check(np.array([[-8, 10, 10], [9, 6, 6]]))
    np.testing.assert_array_equal(split["goes_left"], [1, 0])
    # A last bin that this node has no row in.
    split = check(np.array([[-8, 10, 10], [0, 0, 0], [9, 6, 6]]))
    assert split["bin"] == 0


@pytest.mark.parametrize("side", [0, 1])
def test_missing_values_on_either_side(side):
    bins = np.array([[-8, 10, 10], [8, 10, 10], [8 - 16 * side, 6, 6]])
    split = check(bins)
    assert split["missing_left"] == split["goes_left"][-1] == side


@pytest.mark.parametrize("is_categorical", [False, True])
def test_min_samples_leaf_is_exact(is_categorical):
    bins = np.array([[-30, 40, 21], [30, 41, 20], [0, 0, 0]])
    for min_samples_leaf in (1, 20):
        assert check(
            bins, min_samples_leaf=min_samples_leaf, is_categorical=is_categorical
        )
    assert not check(bins, min_samples_leaf=21, is_categorical=is_categorical)


def test_min_hessian():
    bins = np.array([[-30, 4, 20], [30, 5, 20], [0, 0, 0]])
    assert check(bins, hessian_unit=0.25, min_hessian=1.0)
    assert not check(bins, hessian_unit=0.25, min_hessian=1.01)


@pytest.mark.parametrize("is_constrained", [False, True])
def test_overflow(is_constrained):
    # A gain that is no number is none.
    cst = np.ones(1, dtype=np.int8) if is_constrained else None
    bins = np.array([[-8, 10, 10], [3, 10, 10], [-7, 10, 10], [0, 0, 0]])
    for gradient_unit, is_finite in ((1e140, True), (1e160, False), (1e300, False)):
        for l2_regularization in (0.0, 1.0):
            split = check(
                bins,
                gradient_unit=gradient_unit,
                l2_regularization=l2_regularization,
                monotonic_cst=cst,
            )
            assert (split is not None) == is_finite


@pytest.mark.parametrize("is_categorical", [False, True])
def test_no_gain(is_categorical):
    # Children with the same mean: what remains is rounding.
    for sums in ([7, 3, 20], [0, 20, 20], [2**58 + 12345, 2**55 + 777, 20]):
        bins = np.array([sums, [3 * s for s in sums], [0, 0, 0]])
        assert check(bins, is_categorical=is_categorical) is None
        assert check(bins[[0, 2]], is_categorical=is_categorical) is None


@pytest.mark.parametrize("l2_regularization", [0.0, 1.0])
@pytest.mark.parametrize("is_categorical", [False, True])
def test_hessians_of_zero(is_categorical, l2_regularization):
    # Of one child, or of both.
    for bins in ([[-8, 0, 10], [8, 10, 10]], [[-8, 0, 10], [8, 0, 10]]):
        bins = np.array([*bins, [0, 0, 0]])
        split = check(
            bins, is_categorical=is_categorical, l2_regularization=l2_regularization
        )
        assert split is None


def test_levels_are_sorted_by_value():
    bins = np.array([[8, 20, 20], [-8, 20, 20], [8, 20, 20], [-9, 20, 20], [0, 0, 0]])
    split = check(bins, is_categorical=True)
    np.testing.assert_array_equal(split["goes_left"], [0, 1, 0, 1, 0])


def test_levels_with_equal_keys_lower_first():
    bins = np.array([[4, 20, 20]] * 3 + [[-4, 20, 20]] * 3 + [[0, 0, 0]])
    split = check(bins, is_categorical=True)
    np.testing.assert_array_equal(split["goes_left"], [0, 0, 0, 1, 1, 1, 0])
    # Of a prefix and its complement, the same split, the prefix wins.
    assert split["n_left_levels"] == 3


def test_missing_values_are_a_level():
    bins = np.array([[8, 20, 20], [-8, 20, 20], [-8, 20, 20]])
    split = check(bins, is_categorical=True)
    np.testing.assert_array_equal(split["goes_left"], [0, 1, 1])


def test_levels_without_support_go_right():
    # Level 2 has the strongest gradient and 9 rows.
    bins = np.array([[8, 20, 20], [-8, 20, 20], [-90, 9, 9], [0, 0, 0]])
    split = check(bins, is_categorical=True)
    assert split["goes_left"][2] == 0
    split = check(
        bins + [0, 1, 1] * np.array([[0], [0], [1], [0]]), is_categorical=True
    )
    assert split["goes_left"][2] == 1
    only_rare = np.array([[-20, 9, 9], [20, 9, 9], [0, 0, 0]])
    assert check(only_rare, is_categorical=True) is None


def test_suffix_beats_prefix():
    # The rare level is like level 0: only on the right of a suffix are they together.
    bins = np.array([[-10, 20, 20], [20, 20, 20], [-5, 9, 9], [0, 0, 0]])
    split = check(bins, is_categorical=True)
    np.testing.assert_array_equal(split["goes_left"], [0, 1, 0, 0])
    assert split["n_left_levels"] == -1


def test_support_counts_weights():
    # A hessian of 2 a row: of weights of 2 it is the row twice, else the row once.
    bins = np.array([[-8, 12, 6], [8, 60, 30], [0, 0, 0]])
    split = check(bins, is_categorical=True)
    assert split["n_left_levels"] == 1
    np.testing.assert_array_equal(split["goes_left"], [0, 1, 0])
    split = check(bins, is_categorical=True, sum_weights=72)
    np.testing.assert_array_equal(split["goes_left"], [1, 0, 0])
    assert find_in(bins, is_categorical=True, sum_weights=9) is None
