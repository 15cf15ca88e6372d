"""exp, log, log1p and expit against 60 digits of decimal arithmetic."""

import decimal
import math

import numpy as np
import pytest

from sklearnx._cython.common import elementary

CONTEXT = decimal.Context(prec=60, Emin=-10_000, Emax=10_000)


def _exact_exp(x):
    return CONTEXT.exp(x)


def _exact_log(x):
    return CONTEXT.ln(x)


def _exact_log1p(x):
    return CONTEXT.ln(CONTEXT.add(1, x))


def _exact_expit(x):
    return CONTEXT.divide(1, CONTEXT.add(1, CONTEXT.exp(-x)))


FUNCTIONS = {
    "exp": (elementary.map_exp, _exact_exp, 1.1),
    "log": (elementary.map_log, _exact_log, 1.0),
    "log1p": (elementary.map_log1p, _exact_log1p, 1.0),
    "expit": (elementary.map_expit, _exact_expit, 2.5),
}


def _apply(name, x, n_threads=1):
    x = np.asarray(x, dtype=np.float64)
    out = np.empty_like(x)
    FUNCTIONS[name][0](x, out, n_threads)
    return out


def _make_inputs(name):
    rng = np.random.default_rng(0)
    powers = 10.0 ** rng.uniform(-20, 0, 200)
    if name in ("exp", "expit"):
        return np.concatenate(
            [
                rng.uniform(-1, 1, 300),
                rng.uniform(-40, 40, 300),
                rng.uniform(-745, 709, 300),
                powers,
                -powers,
                # Borders between two values of k.
                (np.arange(-20, 20) + 0.5) * math.log(2),
            ]
        )
    if name == "log":
        bits = rng.integers(1, 0x7FEFFFFFFFFFFFFF, 500)
        return np.concatenate(
            [
                bits.view(np.float64),
                rng.uniform(0.5, 2, 500),
                1 + powers,
                1 - powers[powers > 1e-16],
                [5e-324, 2.0**-1022, np.finfo(float).max],
            ]
        )
    return np.concatenate([rng.uniform(-1, 1, 500), powers, -powers, 1 / powers])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_in_units_of_the_last_place(name):
    x = _make_inputs(name)
    result = _apply(name, x)
    exact_function, tolerance = FUNCTIONS[name][1:]
    worst = 0.0
    for value, got in zip(x.tolist(), result.tolist()):
        exact = exact_function(decimal.Decimal(value))
        unit = decimal.Decimal(math.ulp(float(exact)))
        worst = max(worst, float(abs(decimal.Decimal(got) - exact) / unit))
    assert worst < tolerance


@pytest.mark.parametrize(
    "name, x, expected",
    [
        ("exp", [0.0, -0.0, np.inf, -np.inf], [1, 1, np.inf, 0]),
        # The last number with a finite exponential, the last that is not 0.
        ("exp", [709.782712893384, -745.1332191019411], [1.79769313486227e308, 5e-324]),
        ("exp", [709.7827128933841, -745.1332191019412], [np.inf, 0]),
        ("exp", [1e308, -1e308], [np.inf, 0]),
        ("log", [0.0, -0.0, 1.0, np.inf, -np.inf, -1.0, -5e-324],
         [-np.inf, -np.inf, 0, np.inf, np.nan, np.nan, np.nan]),
        ("log1p", [0.0, -1.0, np.inf, -1.5], [0, -np.inf, np.inf, np.nan]),
        ("log1p", [5e-324, 1e-300, -1e-300], [5e-324, 1e-300, -1e-300]),
        ("expit", [0.0, 800.0, -800.0, np.inf, -np.inf], [0.5, 1, 0, 1, 0]),
    ],
)  # fmt: skip
def test_special_values(name, x, expected):
    np.testing.assert_allclose(_apply(name, x), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_nan(name):
    assert np.isnan(_apply(name, [np.nan] * 5)).all()


def test_subnormal_results_are_rounded_once():
    x = np.linspace(-745.1, -708.4, 100)
    for value, got in zip(x.tolist(), _apply("exp", x).tolist()):
        exact = _exact_exp(decimal.Decimal(value))
        assert abs(decimal.Decimal(got) - exact) < decimal.Decimal(math.ulp(got))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vectorised_bits_equal_scalar_bits(name):
    x = _make_inputs(name)
    one_by_one = np.concatenate([_apply(name, x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_array_equal(_apply(name, x), one_by_one)
    # Other alignments, and ends that do not fill a vector.
    for start in range(1, 5):
        np.testing.assert_array_equal(
            _apply(name, x[start:-start]), one_by_one[start:-start]
        )


@pytest.mark.parametrize("n_threads", [2, 3, 7])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_do_not_depend_on_threads(name, n_threads):
    x = np.resize(_make_inputs(name), 70_000)
    np.testing.assert_array_equal(_apply(name, x, n_threads), _apply(name, x))


EXP_BITS = [
    "0x1.af5fe9a485c8ep-1011",
    "0x1.eec1018e4ff66p-6",
    "0x1.fffffff768fa1p-1",
    "0x1.1aec7b35a00d4p+0",
    "0x1.01c2a61268987p+1",
    "0x1.d8e64b8d4ddaep+2",
    "0x1.078401f5a3ec8p+48",
]
LOG_BITS = [
    "0x1.a34ac026e1799p+2",
    "0x1.40b512eb53d60p+0",
    "-0x1.4b927f32bffb8p+4",
    "-0x1.26bb1bbb55515p+1",
    "-0x1.6d3c324e13f50p-2",
    "0x1.62e42fefa39efp-1",
    "0x1.c0b61ad3275b2p+1",
]
EXPIT_BITS = [
    "0x1.af5fe9a485c8ep-1011",
    "0x1.e040681ccad93p-6",
    "0x1.fffffffbb47d1p-2",
    "0x1.0cca12729afb8p-1",
    "0x1.561cb52a19476p-1",
    "0x1.c2f7d5a8a79c9p-1",
    "0x1.fffffffffffe0p-1",
]


def test_known_bits():
    """The same on every machine: a change here changes every model."""
    x = np.array([-700.25, -3.5, -1e-9, 0.1, 0.7, 2.0, 33.3])
    assert [v.hex() for v in _apply("exp", x).tolist()] == EXP_BITS
    assert [v.hex() for v in _apply("log", np.abs(x)).tolist()] == LOG_BITS
    assert [v.hex() for v in _apply("expit", x).tolist()] == EXPIT_BITS


def test_scalars_equal_arrays():
    assert elementary.exp(1.25) == _apply("exp", [1.25])[0]
    assert elementary.log(1.25) == _apply("log", [1.25])[0]


def test_empty_arrays():
    assert len(_apply("exp", [])) == 0
