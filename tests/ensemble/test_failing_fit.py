"""A fit that raises, or is interrupted, leaves the estimator as it was."""

import sys

import numpy as np
import pytest

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.contracts._helpers import run_script
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)


class StoppingLoss:
    """The squared error, which raises in one of its rounds."""

    def __init__(self, error, at_call):
        self.error = error
        self.at_call = at_call
        self.n_calls = 0

    def gradient(self, y_true, raw_prediction):
        self.n_calls += 1
        if self.n_calls == self.at_call:
            raise self.error
        return raw_prediction - y_true

    def hessian(self, y_true, raw_prediction):
        return np.ones_like(y_true)


class StoppingScorer:
    def __init__(self, error, at_call):
        self.error = error
        self.at_call = at_call
        self.n_calls = 0

    def __call__(self, estimator, X, y):
        self.n_calls += 1
        if self.n_calls == self.at_call:
            raise self.error
        return 0.0


def get_state(model):
    """Attributes and the objects that they are."""
    return {name: id(value) for name, value in vars(model).items()}


FAILURES = {
    "wrong parameter": ({"max_bins": 1}, {}, ValueError),
    "parameters that clash": ({"monotonic_cst": [1]}, {}, ValueError),
    "columns": ({}, {"X": np.zeros((3, 2, 2))}, ValueError),
    "text": ({}, {"X": np.full((600, 4), "a")}, ValueError),
    "target with NaN": ({}, {"y": np.full(600, np.nan)}, ValueError),
    "lengths": ({}, {"y": np.zeros(599)}, ValueError),
    "weights": ({}, {"sample_weight": np.zeros(600)}, ValueError),
    "validation rows": ({}, {"X_val": np.zeros((2, 3)), "y_val": [0, 1]}, ValueError),
    "sets": ({}, {"eval_sets": {"a": 3}}, ValueError),
    "target of the loss": ({"loss": "gamma"}, {}, ValueError),
    "first score": ({"loss": StoppingLoss(MemoryError(), 1)}, {}, MemoryError),
    "a round": ({"loss": StoppingLoss(MemoryError(), 9)}, {}, MemoryError),
    "Ctrl-C": (
        {"loss": StoppingLoss(KeyboardInterrupt(), 9)},
        {},
        KeyboardInterrupt,
    ),
    "a scorer": (
        {"early_stopping": True, "scoring": StoppingScorer(RuntimeError(), 9)},
        {},
        RuntimeError,
    ),
}


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("failure", FAILURES)
def test_failure(failure, warm_start):
    settings, changed_data, error = FAILURES[failure]
    for value in settings.values():
        if isinstance(value, StoppingLoss | StoppingScorer):
            value.n_calls = 0
    X, y = make_regression_data()
    data = {"X": X, "y": y, **changed_data}

    fresh = HistGradientBoostingRegressor(**settings)
    before = get_state(fresh)
    with pytest.raises(error):
        fresh.fit(**data)
    assert get_state(fresh) == before

    for value in settings.values():
        if isinstance(value, StoppingLoss | StoppingScorer):
            value.n_calls = 0
    fitted = HistGradientBoostingRegressor(max_iter=3, warm_start=warm_start).fit(X, y)
    expected = fitted.predict(X)
    fitted.set_params(**{"max_iter": 50, **settings})
    before = get_state(fitted)
    with pytest.raises(error):
        fitted.fit(**data)
    assert get_state(fitted) == before
    assert_same_bits(fitted.predict(X), expected)
    # And it is of use.
    usual = {name: getattr(HistGradientBoostingRegressor(), name) for name in settings}
    fitted.set_params(**{**usual, "max_iter": 3}).fit(X, y)
    assert_same_bits(fitted.predict(X), expected)


def test_failure_of_a_classifier_keeps_its_classes():
    X, y = make_classification_data(n_classes=3)
    labels = np.array(["a", "b", "c"])[y]
    model = HistGradientBoostingClassifier(max_iter=3).fit(X, labels)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match="must not be negative"):
        model.fit(X, y > 0, sample_weight=-np.ones(len(y)))
    model.set_params(scoring=StoppingScorer(RuntimeError(), 3), early_stopping=True)
    with pytest.raises(RuntimeError):
        model.fit(X[:, :2], y > 0)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.n_features_in_ == 4
    assert_same_bits(model.predict_proba(X), expected)


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
from sklearnx.ensemble import HistGradientBoostingRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(50_000, 20))
y = X[:, 0] + rng.normal(size=len(X))
settings = {"n_jobs": 3, "early_stopping": False}
model = HistGradientBoostingRegressor(max_iter=2, **settings).fit(X, y)
expected, before = model.predict(X), dict(vars(model))
n_threads = threading.active_count()
# In seconds of this process, on all of its threads: other processes may keep the cores
# busy for as long as they like.
start = time.process_time()
HistGradientBoostingRegressor(max_iter=10, **settings).fit(X, y)
seconds_per_round = (time.process_time() - start) / 10

model.set_params(max_iter=10**6)
for delay in (0.05, 0.3, 1.0):
    sent = []
    def interrupt():
        sent.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)
    timer = threading.Timer(delay, interrupt)
    try:
        # In here, since the signal may come before the fit begins.
        timer.start()
        model.fit(X, y)
    except KeyboardInterrupt:
        waited = time.process_time() - sent[0]
    else:
        raise AssertionError("not interrupted")
    timer.join()
    # The time of a few rounds.
    assert waited < 1 + 5 * seconds_per_round, (waited, seconds_per_round)
    # Python's own pool, which finds the bins, may be interrupted while it ends.
    deadline = time.monotonic() + 30
    while threading.active_count() > n_threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == n_threads

# No thread works on.
used = time.process_time()
time.sleep(0.5)
assert time.process_time() - used < 0.2
assert np.array_equal(model.predict(X), expected)
after = dict(vars(model), max_iter=2)
assert after.keys() == before.keys()
assert all(after[name] is before[name] for name in after)
model.set_params(max_iter=2).fit(X, y)
assert np.array_equal(model.predict(X), expected)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to oneself")
def test_interrupt_from_the_keyboard():
    run_script(INTERRUPTED)
