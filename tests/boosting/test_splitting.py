"""The best split of a feature against trying all of them."""

from fractions import Fraction

import numpy as np
import pytest

from sklearnx._cython.boosting.histogram import HIST_BIN_DTYPE
from sklearnx._cython.boosting.matrix import BinnedMatrix
from sklearnx._cython.boosting.splitting import find
from tests.boosting import oracle

MAX_NARROW_BINS = 256
NO_BOUNDS = (-np.inf, np.inf)
LEFT_SUMS = ("left_gradients", "left_hessians", "left_n_samples")


def make_histogram(bins):
    """Return the histogram of one feature; a bin is (gradient, hessian, count)."""
    return np.array([tuple(row) for row in bins], dtype=HIST_BIN_DTYPE)


def find_in(bins, *, is_categorical=False, has_missing=None, **criterion):
    """Find the split of a feature that has these bins, the missing one last."""
    matrix = BinnedMatrix(1, [len(bins) - 1], [is_categorical])
    matrix.has_missing[0] = bins[-1][2] > 0 if has_missing is None else has_missing
    histogram = make_histogram(bins)
    result = find(matrix, histogram, 0, **criterion)
    if len(bins) <= MAX_NARROW_BINS:
        other = find(matrix, histogram, 0, passes_over=True, **criterion)
        if criterion.get("returns_bound"):
            check_same(result[0], other[0])
        else:
            check_same(result, other)
    return result


def check_least_gain(split, bins, **criterion):
    """A split is found if it gains enough, no other one if it does not."""
    gain = split["gain"]
    for least in (gain / 9, np.nextafter(gain, 0), gain):
        found, bound = find_in(bins, least_gain=least, returns_bound=True, **criterion)
        check_same(found, split)
        assert bound >= gain
    for least in (np.nextafter(gain, np.inf), 1.01 * gain, 50 * gain):
        found, bound = find_in(bins, least_gain=least, returns_bound=True, **criterion)
        assert found is None
        assert bound >= gain


def check_same(split, other):
    """Bins without rows make no difference, gone through or passed over."""
    if split is None or other is None:
        assert split is other
        return
    for name, value in split.items():
        np.testing.assert_array_equal(other[name], value, err_msg=name)


def check(
    bins,
    *,
    is_categorical=False,
    bounds=NO_BOUNDS,
    sum_weights=None,
    value=0.0,
    node_idx=0,
    **terms,
):
    settings = {
        "is_categorical": is_categorical,
        "lower_bound": bounds[0],
        "upper_bound": bounds[1],
        "sum_weights": sum_weights,
        "value": value,
        "node_idx": node_idx,
        **terms,
    }
    split = find_in(bins, **settings)
    if split is not None:
        check_least_gain(split, bins, **settings)
    criterion = oracle.Criterion(**terms)
    node = np.sum(bins, axis=0)
    sum_weights = int(node[2]) if sum_weights is None else sum_weights
    expected = oracle.find_split(
        np.asarray(bins),
        0,
        is_categorical,
        criterion,
        bounds,
        sum_weights,
        value,
        node_idx,
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
    left = expected.left
    assert [split[name] for name in LEFT_SUMS] == left.tolist()
    for side, sums in (("left_value", left), ("right_value", node - left)):
        n_rows = int(sums[1]) * (sum_weights / int(node[1]))
        assert split[side] == criterion.compute_value(sums, bounds, n_rows, value)
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
@pytest.mark.parametrize("n_bins", [1, 2, 3, 8, 40, 300, 1500])
def test_random_histograms(n_bins, missing, is_categorical):
    rng = np.random.default_rng(n_bins)
    n_found = 0
    n_histograms = 60 if n_bins <= 300 else 12
    for i in range(n_histograms):
        bins = draw_bins(rng, n_bins, missing, largest=(2, 50, 10**11)[i % 3])
        split = check(
            bins,
            is_categorical=is_categorical,
            gradient_unit=(1.0, 2.0**-11, 2.0**-38)[i % 3],
            hessian_unit=(1.0, 2.0**-12)[i % 2],
            l2_regularization=(0.0, 0.7)[i // 2 % 2],
            min_samples_leaf=(1, 5, 40)[i // 3 % 3],
            min_child_weight=(1e-10, 1e-3)[i % 2],
            row_weight=(1.0, 0.3, 1.0, 2.0**-20)[i % 4],
            noise=(0.0, 0.02, 0.3, 2.0)[i // 4 % 4],
        )
        n_found += split is not None
    assert n_found > n_histograms // 6 or n_bins == 1


# What restrains values, by name.
RESTRAINTS = {
    "l1": {"l1_regularization": 3.0},
    "large l1": {"l1_regularization": 40.0},
    "step": {"max_delta_step": 0.3},
    "smoothing": {"path_smoothing": 12.0},
    "all": {
        "l1_regularization": 2.0,
        "l2_regularization": 0.7,
        "max_delta_step": 0.4,
        "path_smoothing": 5.0,
    },
}
over_restraints = pytest.mark.parametrize("restraint", RESTRAINTS)


@over_restraints
@pytest.mark.parametrize("is_categorical", [False, True])
def test_restrained_values(is_categorical, restraint):
    rng = np.random.default_rng(0)
    n_found = 0
    for i in range(150):
        bins = draw_bins(rng, (2, 3, 20)[i % 3], missing=i % 2)
        terms = dict(RESTRAINTS[restraint])
        if i % 5 == 0 and not is_categorical:
            terms["monotonic_cst"] = np.array([i % 3 - 1], dtype=np.int8)
        split = check(
            bins,
            is_categorical=is_categorical,
            bounds=(-0.5, 0.25) if "monotonic_cst" in terms else NO_BOUNDS,
            value=rng.normal() / 10,
            sum_weights=int(bins[:, 2].sum()) * (1, 3)[i % 2],
            min_split_gain=(0.0, 0.5)[i // 2 % 2],
            **terms,
        )
        n_found += split is not None
    assert n_found > 30


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


def compute_exactly(sums, n_rows, value, *, l1=0, l2=0, step=None, smoothing=0):
    """Return T(G), C and the value of a node, as fractions."""
    gradient, curvature = Fraction(int(sums[0])), Fraction(int(sums[1])) + Fraction(l2)
    gradient -= min(max(gradient, -Fraction(l1)), Fraction(l1))
    best = -gradient / curvature
    if step is not None:
        best = min(max(best, -Fraction(step)), Fraction(step))
    value = Fraction(value)
    return gradient, curvature, value + (best - value) * n_rows / (n_rows + smoothing)


@pytest.mark.parametrize("mean", [0, 1, 10**6])
@pytest.mark.parametrize(
    "terms",
    [
        {"l1": 30.0},
        {"l2": 2.0, "l1": 5.0},
        {"step": 0.5},
        {"smoothing": 7},
        {"l1": 5.0, "l2": 2.0, "step": 1.5, "smoothing": 7},
    ],
)
def test_restrained_gain_in_exact_arithmetic(mean, terms):
    # By the definition: the loss of the node less those of the children.
    rng = np.random.default_rng(0)
    n_found = 0
    for _ in range(50):
        counts = rng.integers(20, 40, size=2)
        gradients = counts * mean + rng.integers(-100, 100, size=2)
        bins = np.append(np.stack([gradients, counts, counts], axis=1), [[0, 0, 0]], 0)
        value = -mean + rng.normal()
        split = check(
            bins,
            value=value,
            l1_regularization=terms.get("l1", 0.0),
            l2_regularization=terms.get("l2", 0.0),
            max_delta_step=terms.get("step", np.inf),
            path_smoothing=float(terms.get("smoothing", 0)),
        )
        losses = []
        for sums in (bins.sum(axis=0), *bins[:2]):
            gradient, curvature, v = compute_exactly(sums, int(sums[2]), value, **terms)
            losses.append(2 * gradient * v + curvature * v * v)
        exact = float(losses[0] - losses[1] - losses[2])
        if split is None:
            assert exact <= 1e-9 * max(mean, 1)
        else:
            n_found += 1
            assert split["gain"] == pytest.approx(exact, rel=1e-8)
    # A far mean held to a small step leaves nothing to gain.
    assert n_found > 10 or (mean > 0 and terms.keys() & {"l1", "l2", "step"})


def test_gain_beside_a_huge_loss():
    # The left child is held to the largest step by far, and so would be the node; what
    # the right child gains by leaving it is a small number of exact arithmetic.
    bins = np.array([[-(10**15), 100, 100], [30, 100, 100], [0, 0, 0]])
    split = check(bins, max_delta_step=0.75)
    assert (split["left_value"], split["right_value"]) == (0.75, -0.3)
    assert split["gain"] == 100 * (0.75 + 0.3) ** 2


@over_restraints
def test_mirrored_gains_are_equal(restraint):
    # In the order of the bins, and in the sign of the gradients.
    rng = np.random.default_rng(0)
    terms = RESTRAINTS[restraint]
    for _ in range(50):
        bins = draw_bins(rng, 2, missing=False, largest=200)
        if (bins[:2, 2] == 0).any():
            continue
        value = rng.normal()
        gains = set()
        for sign in (1, -1):
            for order in ([0, 1, 2], [1, 0, 2]):
                other = bins[order] * [sign, 1, 1]
                split = find_in(other, value=sign * value, **terms)
                gains.add(split and split["gain"])
        assert len(gains) == 1


def test_a_child_that_keeps_the_value_gains_nothing():
    # Both are held to the same value, or l1 takes all of both.
    bins = np.array([[-500, 10, 10], [-300, 20, 20], [0, 0, 0]])
    assert check(bins, max_delta_step=1.0) is None
    assert check(bins, l1_regularization=500.0) is None
    assert check(bins)
    # Nor does a split whose children differ by their size alone.
    bins = np.array([[-50, 10, 10], [-500, 100, 100], [0, 0, 0]])
    assert check(bins, path_smoothing=30.0, value=1.0) is None


def test_smoothing_draws_to_the_value_of_the_node():
    bins = np.array([[-10, 10, 10], [40, 20, 20], [0, 0, 0]])
    split = check(bins, path_smoothing=10.0, value=0.5)
    assert split["left_value"] == 0.75
    assert split["right_value"] == pytest.approx(0.5 - 2.5 * 2 / 3)
    # Rows are counted by weight.
    split = check(bins, path_smoothing=10.0, value=0.5, sum_weights=90)
    assert split["left_value"] == 0.875


@pytest.mark.parametrize("is_categorical", [False, True])
def test_min_split_gain_must_be_exceeded(is_categorical):
    bins = np.array([[-30, 40, 21], [30, 40, 20], [0, 0, 0]])
    for terms in ({}, {"max_delta_step": 0.5}):
        terms = {**terms, "is_categorical": is_categorical}
        gain = check(bins, **terms)["gain"]
        assert check(bins, min_split_gain=np.nextafter(gain, 0), **terms)
        assert check(bins, min_split_gain=gain, **terms) is None


def test_random_splits_of_random_histograms():
    rng = np.random.default_rng(0)
    n_found = 0
    for i in range(300):
        split = check(
            draw_bins(rng, (1, 2, 3, 8, 40, 300, 1500)[i % 7], missing=i % 2),
            is_categorical=i % 3 == 0,
            extra_trees=True,
            seed=i,
            tree_idx=i % 7,
            node_idx=i % 11,
            **RESTRAINTS["all" if i % 4 == 0 else "smoothing"] if i % 2 else {},
        )
        n_found += split is not None
    assert n_found > 100


def test_random_thresholds_are_uniform():
    # Between the node's first and last bin, empty ones included, or beside the missing.
    bins = np.zeros((13, 3), dtype=int)
    bins[[2, 5, 9]] = [[-9, 10, 10], [2, 10, 10], [8, 10, 10]]
    chosen = [find_in(bins, extra_trees=True, seed=i)["bin"] for i in range(2100)]
    counts = np.bincount(chosen, minlength=12)
    assert counts[2:9].sum() == 2100
    assert ((counts[2:9] - 300) ** 2 / 300).sum() < 22  # chi2(6), p = 0.001
    bins[12] = [20, 10, 10]
    chosen = [find_in(bins, extra_trees=True, seed=i)["bin"] for i in range(2400)]
    counts = np.bincount(chosen, minlength=12)
    assert counts[2:10].sum() == 2400
    assert ((counts[2:10] - 300) ** 2 / 300).sum() < 24.3  # chi2(7), p = 0.001


def test_random_splits_of_levels_are_uniform():
    # Of 5 sorted levels there are 4 cuts.
    bins = np.array([[k, 20, 20] for k in (3, -9, 5, -2, 8)] + [[0, 0, 0]])
    lefts = [
        tuple(find_in(bins, is_categorical=True, extra_trees=True, seed=i)["goes_left"])
        for i in range(1600)
    ]
    counts = {left: lefts.count(left) for left in set(lefts)}
    assert len(counts) == 4
    assert sum((n - 400) ** 2 / 400 for n in counts.values()) < 16.3  # chi2(3)


def test_no_random_split_of_one_value():
    for bins in ([[5, 10, 10], [0, 0, 0]], [[0, 0, 0], [5, 10, 10]]):
        for is_categorical in (False, True):
            for seed in range(10):
                assert not check(
                    np.array(bins),
                    is_categorical=is_categorical,
                    extra_trees=True,
                    seed=seed,
                )
    # One value and missing ones: there is nothing to draw.
    bins = np.array([[0, 0, 0], [-8, 10, 10], [0, 0, 0], [9, 6, 6]])
    assert {find_in(bins, extra_trees=True, seed=i)["bin"] for i in range(20)} == {1}


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


@pytest.mark.parametrize("has_missing", [False, True])
@pytest.mark.parametrize("n_occupied", [1, 2, 40, 255])
def test_most_bins_empty(n_occupied, has_missing):
    rng = np.random.default_rng(n_occupied)
    for n_bins in (40, 64, 65, 255):
        bins = draw_bins(rng, n_bins, missing=has_missing)
        empty = rng.permutation(n_bins)[min(n_occupied, n_bins) :]
        bins[empty] = 0
        check(bins, min_samples_leaf=3)


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


def test_min_child_weight():
    bins = np.array([[-30, 4, 20], [30, 5, 20], [0, 0, 0]])
    assert check(bins, hessian_unit=0.25, min_child_weight=1.0)
    assert not check(bins, hessian_unit=0.25, min_child_weight=1.01)


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


@pytest.mark.parametrize("n_levels", [30, 100, 1000])
def test_chance_is_what_noise_gains(n_levels):
    # On average over random gradients, at some places in the order of the levels.
    rng = np.random.default_rng(0)
    criterion = oracle.Criterion(noise=1.0)
    gradients = -np.sort(-rng.normal(size=(2000, n_levels)))
    node = gradients.sum(axis=1)
    for n_left in (1, 2, n_levels // 10, n_levels // 4, n_levels // 2):
        left = gradients[:, :n_left].sum(axis=1)
        gains = left**2 / n_left + (node - left) ** 2 / (n_levels - n_left)
        gains -= node**2 / n_levels
        chance = criterion.compute_chance(np.full(n_left, 20), n_levels) + 3
        assert chance == pytest.approx(gains.mean(), rel=0.12)


def test_levels_of_noise_do_not_split():
    # Of 300 levels with 20 to 40 rows and no effect, or one of a tenth of the noise.
    rng = np.random.default_rng(0)
    n_found = {0.0: [0, 0], 0.5: [0, 0]}
    for effect, found in n_found.items():
        for _ in range(50):
            counts = rng.integers(20, 40, size=300)
            means = effect * rng.normal(size=300)
            gradients = rng.normal(means * counts, np.sqrt(counts)) * 1000
            bins = np.stack([gradients.astype(int), counts, counts], axis=1)
            bins = np.append(bins, [[0, 0, 0]], axis=0)
            for i, noise in enumerate((0.0, 1.0)):
                split = check(
                    bins, is_categorical=True, gradient_unit=1e-3, noise=noise
                )
                found[i] += split is not None and split["gain"] > 20
    assert n_found[0.0][0] == 50
    assert n_found[0.0][1] <= 10
    assert n_found[0.5] == [50, 50]


def test_few_levels_are_sorted_free_of_charge():
    rng = np.random.default_rng(0)
    for _ in range(20):
        bins = draw_bins(rng, 6, missing=False)
        bins[:-1, 1:] += 60
        gains = [
            check(bins, is_categorical=True, noise=noise)["gain"]
            for noise in (0.0, 0.1)
        ]
        # 6 levels of the same size would gain 0.8 by chance beyond what is free.
        assert gains[0] - 0.1 <= gains[1] <= gains[0]


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
