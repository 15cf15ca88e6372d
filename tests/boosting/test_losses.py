"""Losses against scikit-learn's, finite differences and naive versions."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn._loss import loss as sklearn_loss

from sklearnx._boosting.losses import (
    LOSSES,
    CustomLoss,
    ScikitLearnLoss,
    make_loss,
)
from sklearnx._boosting.multi_output import MultiOutputLoss
from sklearnx._cython.boosting.quantization import QuantizedGradients
from sklearnx._cython.common.reductions import weighted_quantile

N_CLASSES = 4
N_ROWS = 401
NAMES = [name for name in LOSSES if name != "multinomial"] + ["multinomial"]


def _make_loss(name):
    if name == "multinomial":
        return make_loss("log_loss", n_classes=N_CLASSES)
    if name == "log_loss":
        return make_loss("log_loss", n_classes=2)
    return make_loss(name, quantile=0.8, power=1.3)


def _make_target(name, n=N_ROWS, seed=0):
    rng = np.random.default_rng(seed)
    if name == "log_loss":
        return rng.integers(0, 2, n).astype(float)
    if name == "multinomial":
        return rng.integers(0, N_CLASSES, n).astype(float)
    if name == "gamma":
        return rng.gamma(2.0, 3.0, n)
    if name in ("poisson", "tweedie"):
        return rng.poisson(2.0, n).astype(float)
    return rng.normal(size=n) * 3 + 1


def _make_problem(name, n=N_ROWS, seed=0):
    loss = _make_loss(name)
    rng = np.random.default_rng(seed + 1)
    raw = rng.normal(size=(loss.n_outputs, n)) * 2
    return loss, _make_target(name, n, seed), raw


def _compute_gradients(loss, y, raw, n_threads=1):
    gradients, hessians = np.empty_like(raw), np.ones_like(raw)
    loss.compute_gradients(y, raw, gradients, hessians, n_threads)
    return gradients, hessians


def _check_quantized(loss, y, raw):
    """Compare gradients quantised as they are computed with those quantised later."""
    weight = np.random.default_rng(3).uniform(0, 2, len(y))
    for n_threads in (1, 3):
        first, second = (
            [QuantizedGradients(len(y), weight) for _ in raw] for _ in range(2)
        )
        # The second round begins with the scales of the first.
        for scale in (1, 0.9, 40):
            gradients, hessians = np.empty_like(raw), np.ones_like(raw)
            loss.prepare_round(y, scale * raw, weight, n_threads)
            loss.quantize_gradients(y, scale * raw, first, n_threads)
            loss.compute_gradients(y, scale * raw, gradients, hessians, n_threads)
            for k, quantized in enumerate(first):
                own_hessians = None if loss.constant_hessian else hessians[k]
                second[k].quantize(gradients[k], own_hessians, n_threads)
                assert quantized.units == second[k].units
                for name in ("words", "leaf_gradients", "leaf_hessians"):
                    np.testing.assert_array_equal(
                        getattr(quantized, name), getattr(second[k], name)
                    )


def _make_sklearn_loss(name, loss):
    return {
        "squared_error": lambda: sklearn_loss.HalfSquaredError(),
        "absolute_error": lambda: sklearn_loss.AbsoluteError(),
        "quantile": lambda: sklearn_loss.PinballLoss(quantile=loss.quantile),
        "huber": lambda: sklearn_loss.HuberLoss(delta=loss.delta),
        "poisson": lambda: sklearn_loss.HalfPoissonLoss(),
        "gamma": lambda: sklearn_loss.HalfGammaLoss(),
        "tweedie": lambda: sklearn_loss.HalfTweedieLoss(power=loss.power),
        "log_loss": lambda: sklearn_loss.HalfBinomialLoss(),
        "multinomial": lambda: sklearn_loss.HalfMultinomialLoss(n_classes=N_CLASSES),
    }[name]()


def _like_sklearn(raw):
    return raw[0].copy() if len(raw) == 1 else raw.T.copy()


# ---- kernels -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_sklearn(name):
    loss, y, raw = _make_problem(name)
    gradients, hessians = _compute_gradients(loss, y, raw)
    expected_gradient, expected_hessian = _make_sklearn_loss(
        name, loss
    ).gradient_hessian(y_true=y, raw_prediction=_like_sklearn(raw))
    np.testing.assert_allclose(
        _like_sklearn(gradients), expected_gradient, rtol=1e-13, atol=1e-14
    )
    if not loss.constant_hessian:
        np.testing.assert_allclose(
            _like_sklearn(hessians), expected_hessian, rtol=1e-12, atol=1e-15
        )


@pytest.mark.parametrize("name", NAMES)
def test_losses_equal_sklearn(name):
    loss, y, raw = _make_problem(name)
    expected = _make_sklearn_loss(name, loss)
    weight = np.random.default_rng(2).uniform(0, 2, N_ROWS)
    like_sklearn = _like_sklearn(raw)
    np.testing.assert_allclose(
        loss.compute_losses(y, raw),
        expected.loss(y_true=y, raw_prediction=like_sklearn),
        rtol=1e-13,
        atol=1e-14,
    )
    for w in (None, weight):
        np.testing.assert_allclose(
            loss.compute_score(y, raw, w),
            expected(y_true=y, raw_prediction=like_sklearn, sample_weight=w),
            rtol=1e-13,
        )


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_derivatives(name):
    loss, y, raw = _make_problem(name)
    gradients, hessians = _compute_gradients(loss, y, raw)
    step = 1e-5
    for k in range(loss.n_outputs):
        up, down = raw.copy(), raw.copy()
        up[k] += step
        down[k] -= step
        numeric = (loss.compute_losses(y, up) - loss.compute_losses(y, down)) / (
            2 * step
        )
        np.testing.assert_allclose(gradients[k], numeric, rtol=1e-4, atol=1e-5)
        if loss.constant_hessian:
            continue
        upper, lower = (
            _compute_gradients(loss, y, up),
            _compute_gradients(loss, y, down),
        )
        numeric = (upper[0][k] - lower[0][k]) / (2 * step)
        np.testing.assert_allclose(hessians[k], numeric, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_bits_do_not_depend_on_threads(name):
    loss, y, raw = _make_problem(name, n=50_003)
    weight = np.random.default_rng(2).uniform(0, 2, len(y))

    def compute(n_threads):
        loss.prepare_round(y, raw, weight, n_threads)
        return [
            *_compute_gradients(loss, y, raw, n_threads),
            loss.compute_losses(y, raw, n_threads),
            loss.inverse_link(raw, n_threads),
            loss.compute_score(y, raw, weight, n_threads),
            loss.compute_init_score(y, weight, n_threads),
            loss.compute_init_score(y, weight, n_threads, offset=0.1 * raw),
        ]

    expected = compute(1)
    for n_threads in (2, 3, 7):
        for got, want in zip(compute(n_threads), expected):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("n_rows", [1, 4096, 10_001])
@pytest.mark.parametrize("name", NAMES)
def test_rows_are_quantized_with_their_gradients(name, n_rows):
    _check_quantized(*_make_problem(name, n=n_rows))


def test_rows_of_other_losses_are_quantized():
    loss, y, raw = _make_problem("log_loss", n=5000)
    _check_quantized(make_loss(OwnCopy(loss), n_classes=2), y, raw)
    theirs = make_loss(_make_sklearn_loss("log_loss", loss), n_classes=2)
    _check_quantized(theirs, y, raw)
    outputs = MultiOutputLoss(lambda: _make_loss("huber"), 2)
    y = np.random.default_rng(0).normal(size=(5000, 2))
    _check_quantized(outputs, y, np.ascontiguousarray(0.5 * y.T))


@pytest.mark.parametrize("name", NAMES)
def test_vectorised_bits_equal_those_of_single_rows(name):
    loss, y, raw = _make_problem(name)
    gradients, hessians = _compute_gradients(loss, y, raw)
    losses = loss.compute_losses(y, raw)
    for i in range(40):
        row = raw[:, i : i + 1].copy()
        gradient, hessian = _compute_gradients(loss, y[i : i + 1], row)
        np.testing.assert_array_equal(gradient[:, 0], gradients[:, i])
        np.testing.assert_array_equal(hessian[:, 0], hessians[:, i])
        assert loss.compute_losses(y[i : i + 1], row)[0] == losses[i]


@pytest.mark.parametrize("name", NAMES)
def test_extreme_raw_predictions_stay_finite(name):
    loss, y, _ = _make_problem(name)
    for size in (0.0, 40.0, 800.0, 1e5, 1e300):
        raw = np.random.default_rng(0).choice([-size, size], (loss.n_outputs, N_ROWS))
        gradients, hessians = _compute_gradients(loss, y, raw)
        assert np.isfinite(gradients).all()
        assert np.isfinite(hessians).all() and (hessians >= 0).all()
        assert np.isfinite(loss.compute_score(y, raw))
        assert not np.isnan(loss.inverse_link(raw)).any()


def test_log_loss_keeps_small_gradients():
    y = np.array([1.0, 0.0, 1.0])
    raw = np.array([[700.0, -700.0, 40.0]])
    gradients, hessians = _compute_gradients(make_loss("log_loss", n_classes=2), y, raw)
    expected = np.exp(-np.array([700.0, 700.0, 40.0]))
    np.testing.assert_allclose(gradients[0], [-1, 1, -1] * expected, rtol=1e-14)
    np.testing.assert_allclose(hessians[0], expected, rtol=1e-14)


@pytest.mark.parametrize("power, name", [(1, "poisson"), (2, "gamma")])
def test_tweedie_has_poisson_and_gamma_at_its_ends(power, name):
    loss, y, raw = _make_problem(name)
    tweedie = make_loss("tweedie", power=power)
    for got, want in zip(
        _compute_gradients(tweedie, y, raw), _compute_gradients(loss, y, raw)
    ):
        np.testing.assert_array_equal(got, want)
    assert tweedie.compute_score(y, raw) == loss.compute_score(y, raw)


# ---- inverse links -------------------------------------------------------------------


def test_inverse_links():
    raw = np.random.default_rng(0).normal(size=(N_CLASSES, N_ROWS)) * 3
    first = raw[:1]
    assert make_loss("squared_error").inverse_link(first) is not None
    np.testing.assert_array_equal(
        make_loss("squared_error").inverse_link(first), raw[0]
    )
    np.testing.assert_allclose(
        make_loss("poisson").inverse_link(first), np.exp(raw[0]), rtol=1e-15
    )
    binary = make_loss("log_loss", n_classes=2)
    np.testing.assert_allclose(binary.inverse_link(first), expit(raw[0]), rtol=1e-14)
    np.testing.assert_allclose(
        binary.predict_proba(first), np.column_stack([expit(-raw[0]), expit(raw[0])])
    )
    multinomial = make_loss("log_loss", n_classes=N_CLASSES)
    np.testing.assert_allclose(
        multinomial.predict_proba(raw), softmax(raw.T, axis=1), rtol=1e-13
    )


# ---- initial scores ------------------------------------------------------------------


# scikit-learn defines the constants of huber and quantile in other ways.
@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("huber", "quantile")])
def test_init_score_equals_sklearn(name):
    loss, y, _ = _make_problem(name)
    weight = np.random.default_rng(2).integers(1, 4, N_ROWS).astype(float)
    expected = _make_sklearn_loss(name, loss)
    np.testing.assert_allclose(
        loss.compute_init_score(y),
        np.reshape(expected.fit_intercept_only(y_true=y), -1),
        rtol=1e-12,
        atol=1e-14,
    )
    if name == "absolute_error":
        return  # scikit-learn's weighted median is not averaged
    np.testing.assert_allclose(
        loss.compute_init_score(y, weight),
        np.reshape(expected.fit_intercept_only(y_true=y, sample_weight=weight), -1),
        rtol=1e-12,
        atol=1e-14,
    )


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_init_score_of_one_class_is_clipped_like_sklearn(value):
    y = np.full(10, value)
    got = make_loss("log_loss", n_classes=2).compute_init_score(y)
    expected = sklearn_loss.HalfBinomialLoss().fit_intercept_only(y_true=y)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    got = make_loss("log_loss", n_classes=3).compute_init_score(y)
    expected = sklearn_loss.HalfMultinomialLoss(n_classes=3).fit_intercept_only(
        y_true=y
    )
    np.testing.assert_allclose(got, expected, rtol=1e-12)


# That of huber is one step from the median, not the minimum.
@pytest.mark.parametrize("name", [n for n in NAMES if n != "huber"])
def test_init_score_minimises_the_loss_given_an_offset(name):
    loss, y, raw = _make_problem(name)
    weight = np.random.default_rng(2).uniform(0.1, 2, N_ROWS)
    for offset in (np.zeros_like(raw), 0.5 * raw, raw + 3.0):
        constant = loss.compute_init_score(y, weight, offset=offset)

        def objective(c, offset=offset):
            return loss.compute_score(y, offset + np.reshape(c, (-1, 1)), weight)

        best = minimize(objective, constant, method="Nelder-Mead", tol=1e-10).fun
        assert objective(constant) <= best + 1e-12 * abs(best)
        if not loss.refits_leaves:
            gradients, _ = _compute_gradients(loss, y, offset + constant[:, None])
            np.testing.assert_allclose(gradients @ weight / N_ROWS, 0, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_init_score_shifts_with_a_constant_offset(name):
    loss, y, raw = _make_problem(name)
    plain = loss.compute_init_score(y)
    for shift in (-30.0, 0.3, 7.0):
        shifted = loss.compute_init_score(y, offset=np.full_like(raw, shift))
        expected = plain if name == "multinomial" else plain - shift
        np.testing.assert_allclose(shifted, expected, rtol=1e-10, atol=1e-10)


def test_init_score_with_an_offset_of_one_class_ends():
    y = np.zeros(50)
    offset = np.random.default_rng(0).normal(size=(1, 50))
    constant = make_loss("log_loss", n_classes=2).compute_init_score(y, offset=offset)
    assert -50 < constant[0] < -25


@pytest.mark.parametrize("name", NAMES)
def test_integer_weight_equals_repetition(name):
    loss, y, raw = _make_problem(name)
    weight = np.random.default_rng(2).integers(0, 4, N_ROWS)
    repeated_y, repeated_raw = np.repeat(y, weight), np.repeat(raw, weight, axis=1)
    weight = weight.astype(float)
    for offset, repeated_offset in ((None, None), (raw, repeated_raw)):
        np.testing.assert_allclose(
            loss.compute_init_score(y, weight, offset=offset),
            loss.compute_init_score(repeated_y, offset=repeated_offset),
            rtol=1e-10,
            atol=1e-12,
        )
    loss.prepare_round(y, raw, weight)
    score = loss.compute_score(y, raw, weight)
    loss.prepare_round(repeated_y, repeated_raw)
    assert score == pytest.approx(loss.compute_score(repeated_y, repeated_raw), 1e-13)


def test_zero_weights_raise():
    for name in NAMES:
        loss, y, _ = _make_problem(name)
        with pytest.raises(ValueError, match="sum of sample_weight must be positive"):
            loss.compute_init_score(y, np.zeros(N_ROWS))


# ---- leaves --------------------------------------------------------------------------


def _make_leaves(rng, n_leaves=5):
    rows = rng.permutation(N_ROWS)[: N_ROWS - 20]
    inner = np.sort(rng.choice(np.arange(1, len(rows)), n_leaves - 2, replace=False))
    offsets = np.concatenate([[0], inner, [len(rows)] * 2])  # the last leaf is empty
    return rows, offsets.astype(np.int64)


def _find_huber_naively(residual, weight, delta):
    median = weighted_quantile(residual, weight, 0.5)
    clipped = np.clip(residual - median, -delta, delta)
    return median + np.average(clipped, weights=weight)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["absolute_error", "quantile", "huber"])
def test_leaf_values_equal_naive(name, weighted, dtype):
    loss, y, raw = _make_problem(name)
    rng = np.random.default_rng(3)
    weight = rng.uniform(0, 2, N_ROWS) if weighted else None
    rows, offsets = _make_leaves(rng)
    loss.prepare_round(y, raw, weight)
    values = loss.compute_leaf_values(y, raw, weight, rows.astype(dtype), offsets)
    for leaf in range(len(offsets) - 2):
        own = rows[offsets[leaf] : offsets[leaf + 1]]
        residual, w = (y - raw[0])[own], weight[own] if weighted else None
        if name == "huber":
            expected = _find_huber_naively(residual, w, loss.delta)
        else:
            expected = weighted_quantile(residual, w, loss.quantile)
        assert values[leaf] == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert values[-1] == 0


@pytest.mark.parametrize("name", ["absolute_error", "quantile", "huber"])
def test_leaf_values_do_not_depend_on_order_or_threads(name):
    loss, y, raw = _make_problem(name)
    rng = np.random.default_rng(3)
    weight = rng.uniform(0, 2, N_ROWS)
    rows, offsets = _make_leaves(rng)
    rows = rows.astype(np.int32)
    moved = np.concatenate([rng.permutation(r) for r in np.split(rows, offsets[1:-1])])
    for w in (None, weight):
        loss.prepare_round(y, raw, w)
        expected = loss.compute_leaf_values(y, raw, w, rows, offsets)
        for n_threads in (1, 2, 3, 7):
            got = loss.compute_leaf_values(y, raw, w, moved, offsets, n_threads)
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["absolute_error", "quantile", "huber"])
def test_leaf_weight_equals_repetition(name):
    loss, y, raw = _make_problem(name)
    rng = np.random.default_rng(3)
    rows, offsets = _make_leaves(rng)
    weight = rng.integers(0, 4, N_ROWS)
    sizes = [weight[r].sum() for r in np.split(rows, offsets[1:-1])]
    values = loss.compute_leaf_values(
        y, raw, weight.astype(float), rows.astype(np.int32), offsets
    )
    repeated = loss.compute_leaf_values(
        y,
        raw,
        None,
        np.repeat(rows, weight[rows]).astype(np.int32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
    )
    np.testing.assert_allclose(values, repeated, rtol=1e-13, atol=1e-15)


def test_huber_delta_when_most_rows_are_met():
    loss = make_loss("huber")
    y = np.zeros(100)
    y[:5] = [1, 2, 3, 4, 5]
    loss.prepare_round(y, np.zeros((1, 100)))
    assert loss.delta == 5
    loss.prepare_round(np.zeros(100), np.zeros((1, 100)))
    assert loss.delta == 0


# ---- targets and arguments -----------------------------------------------------------


@pytest.mark.parametrize(
    "name, options, y, message",
    [
        ("gamma", {}, [1.0, 0.0], "loss='gamma' requires strictly positive y."),
        (
            "poisson",
            {},
            [1.0, -1.0],
            "loss='poisson' requires non-negative y and sum(y) > 0.",
        ),
        (
            "poisson",
            {},
            [0.0, 0.0],
            "loss='poisson' requires non-negative y and sum(y) > 0.",
        ),
        (
            "tweedie",
            {},
            [0.0, 0.0],
            "loss='tweedie' requires non-negative y and sum(y) > 0.",
        ),
        ("tweedie", {"power": 2}, [0.0, 1.0], "requires strictly positive y."),
    ],
)
def test_targets_out_of_range_raise(name, options, y, message):
    loss = make_loss(name, **options)
    with pytest.raises(ValueError, match=re.escape(message)):
        loss.check_target(np.array(y))
    loss.check_target(np.array([1.0, 2.0]))


def test_wrong_arguments_raise():
    with pytest.raises(ValueError, match="quantile"):
        make_loss("quantile", quantile=1.0)
    with pytest.raises(TypeError, match="quantile"):
        make_loss("quantile")
    with pytest.raises(ValueError, match="power"):
        make_loss("tweedie", power=2.5)


@pytest.mark.parametrize("name", NAMES)
def test_losses_can_be_pickled(name):
    loss, y, raw = _make_problem(name)
    copy = pickle.loads(pickle.dumps(loss))
    assert copy.compute_score(y, raw) == loss.compute_score(y, raw)


# ---- losses of one's own -------------------------------------------------------------


class OwnCopy:
    """A built-in loss in the clothes of a user's."""

    def __init__(self, built_in):
        self.built_in = built_in
        self.link = built_in.link

    def _planes(self, raw_prediction):
        return np.ascontiguousarray(np.atleast_2d(raw_prediction.T))

    def _as_given(self, planes):
        return planes[0] if len(planes) == 1 else planes.T

    def gradient(self, y_true, raw_prediction):
        planes = self._planes(raw_prediction)
        return self._as_given(_compute_gradients(self.built_in, y_true, planes)[0])

    def hessian(self, y_true, raw_prediction):
        planes = self._planes(raw_prediction)
        return self._as_given(_compute_gradients(self.built_in, y_true, planes)[1])

    def loss(self, y_true, raw_prediction):
        return self.built_in.compute_losses(y_true, self._planes(raw_prediction))


def _count_classes(name):
    return {"log_loss": 2, "multinomial": N_CLASSES}.get(name)


@pytest.mark.parametrize(
    "name", ["squared_error", "poisson", "gamma", "tweedie", "log_loss", "multinomial"]
)
def test_own_copy_of_a_built_in_loss_has_its_bits(name):
    loss, y, raw = _make_problem(name)
    own = make_loss(OwnCopy(loss), n_classes=_count_classes(name))
    assert isinstance(own, CustomLoss)
    for weight in (None, np.random.default_rng(2).uniform(0, 2, N_ROWS)):
        np.testing.assert_array_equal(
            own.compute_init_score(y, weight), loss.compute_init_score(y, weight)
        )
        np.testing.assert_allclose(
            own.compute_init_score(y, weight, offset=raw),
            loss.compute_init_score(y, weight, offset=raw),
            rtol=1e-12,
            atol=1e-14,
        )
        assert own.compute_score(y, raw, weight) == loss.compute_score(y, raw, weight)
    for got, want in zip(
        _compute_gradients(own, y, raw), _compute_gradients(loss, y, raw)
    ):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(own.inverse_link(raw), loss.inverse_link(raw))


class LogCosh:
    """A smooth neighbour of the absolute error."""

    def gradient(self, y_true, raw_prediction):
        return np.tanh(raw_prediction - y_true)

    def hessian(self, y_true, raw_prediction):
        return 1 - np.tanh(raw_prediction - y_true) ** 2


def test_own_loss_starts_at_its_minimum():
    y = np.random.default_rng(0).lognormal(sigma=2, size=500)
    loss = make_loss(LogCosh())
    constant = loss.compute_init_score(y)
    gradients, _ = _compute_gradients(loss, y, np.full((1, 500), constant[0]))
    assert abs(gradients.sum()) < 1e-10
    assert abs(constant[0] - y.mean()) > 1


def test_own_init_score_is_used():
    class Loss(LogCosh):
        def compute_init_score(self, y_true, sample_weight):
            return 2.5

    y = np.arange(5.0)
    assert make_loss(Loss()).compute_init_score(y) == [2.5]


@pytest.mark.parametrize(
    "method, result, message",
    [
        ("gradient", np.zeros(3), r"Broken.gradient returned an array of shape \(3,\)"),
        ("hessian", np.zeros((5, 1)), r"Broken.hessian returned .* expected \(5,\)"),
        ("gradient", np.full(5, np.nan), "Broken.gradient returned infinity or NaN"),
        ("hessian", np.full(5, np.inf), "Broken.hessian returned infinity or NaN"),
        ("hessian", np.full(5, -1.0), "Broken.hessian returned a negative value"),
        ("gradient", ["a"] * 5, "Broken.gradient must return an array of numbers"),
    ],
)
def test_broken_own_loss_names_the_method(method, result, message):
    class Broken(LogCosh):
        pass

    setattr(Broken, method, lambda self, y_true, raw_prediction: result)
    loss = make_loss(Broken())
    with pytest.raises(ValueError, match=message):
        _compute_gradients(loss, np.zeros(5), np.zeros((1, 5)))


def test_own_loss_without_values_has_no_score():
    with pytest.raises(ValueError, match="LogCosh needs a method loss"):
        make_loss(LogCosh()).compute_score(np.zeros(5), np.zeros((1, 5)))


def test_own_loss_without_methods_raises():
    class OnlyGradient:
        def gradient(self, y_true, raw_prediction):
            return raw_prediction - y_true

    with pytest.raises(TypeError, match="OnlyGradient has no hessian"):
        make_loss(OnlyGradient())


def test_own_loss_with_a_link_that_does_not_fit_raises():
    class Loss(LogCosh):
        link = "log"

    assert make_loss(Loss()).link == "log"
    with pytest.raises(ValueError, match=r"Loss.link must be 'logit' for 2 classes"):
        make_loss(Loss(), n_classes=2)


@pytest.mark.parametrize("name", NAMES)
def test_state_is_all_that_a_round_leaves(name):
    """So that a fit goes on from a snapshot as if it had not been stopped."""
    loss, y, raw = _make_problem(name)
    loss.compute_init_score(y)
    loss.prepare_round(y, raw)
    other = _make_loss(name)
    other.set_state(json.loads(json.dumps(loss.get_state())))
    assert vars(other) == vars(loss)


# ---- scikit-learn's loss objects -----------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_sklearn_loss_objects(name):
    loss, y, raw = _make_problem(name)
    theirs = make_loss(_make_sklearn_loss(name, loss), n_classes=_count_classes(name))
    assert isinstance(theirs, ScikitLearnLoss)
    assert theirs.n_outputs == loss.n_outputs
    assert theirs.link == loss.link
    assert theirs.refits_leaves == loss.refits_leaves
    theirs.check_target(y)
    got, want = _compute_gradients(theirs, y, raw), _compute_gradients(loss, y, raw)
    np.testing.assert_allclose(got[0], want[0], rtol=1e-13, atol=1e-14)
    assert theirs.compute_score(y, raw) == pytest.approx(loss.compute_score(y, raw))
    np.testing.assert_allclose(theirs.inverse_link(raw), loss.inverse_link(raw))
    assert theirs.compute_init_score(y).shape == (loss.n_outputs,)
    if name not in ("quantile", "huber"):
        np.testing.assert_allclose(
            theirs.compute_init_score(y, offset=raw),
            loss.compute_init_score(y, offset=raw),
            rtol=1e-10,
        )
    if loss.n_outputs > 1 or name == "log_loss":
        np.testing.assert_allclose(theirs.predict_proba(raw), loss.predict_proba(raw))


def test_sklearn_loss_refits_leaves():
    loss, y, raw = _make_problem("absolute_error")
    theirs = make_loss(sklearn_loss.AbsoluteError())
    rows, offsets = _make_leaves(np.random.default_rng(3))
    rows = rows.astype(np.int32)
    np.testing.assert_allclose(
        theirs.compute_leaf_values(y, raw, None, rows, offsets),
        loss.compute_leaf_values(y, raw, None, rows, offsets),
    )


def test_sklearn_loss_with_other_classes_raises():
    with pytest.raises(ValueError, match="n_classes=3"):
        make_loss(sklearn_loss.HalfMultinomialLoss(n_classes=3), n_classes=4)
    with pytest.raises(ValueError, match="out of the range"):
        make_loss(sklearn_loss.HalfGammaLoss()).check_target(np.array([-1.0]))


def test_sklearn_loss_with_negative_hessians_raises():
    class Concave(sklearn_loss.HalfSquaredError):
        def gradient_hessian(self, *args, **kwargs):
            gradient, hessian = super().gradient_hessian(*args, **kwargs)
            hessian = np.ones_like(gradient)
            hessian[-1] = -1e-9
            return gradient, hessian

    loss = make_loss(Concave())
    assert isinstance(loss, ScikitLearnLoss)
    message = r"Concave.gradient_hessian returned a negative hessian"
    with pytest.raises(ValueError, match=message):
        _compute_gradients(loss, np.zeros(5), np.ones((1, 5)))


# ---- documentation -------------------------------------------------------------------


def test_code_of_the_page_on_losses_runs():
    page = Path(__file__).parents[2] / "doc" / "how_to_add_a_loss.md"
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(block, names)
