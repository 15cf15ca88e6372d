"""Data, outputs and comparisons that the contracts share."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import get_tags

ROOT = Path(__file__).resolve().parents[2]
COLUMN_NAMES = ["age", "height", "income", "rooms", "weight"]
OUTPUT_METHODS = (
    "predict",
    "predict_proba",
    "decision_function",
    "score_samples",
    "transform",
)


def make_data(case, n_samples=300, random_state=0):
    """Five columns and a target that depends on them, of three classes or positive."""
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, len(COLUMN_NAMES)))
    signal = X[:, 0] + np.abs(X[:, 1]) + X[:, 2] * (X[:, 3] > 0)
    signal += 0.3 * rng.normal(size=n_samples)
    if is_classifier(case.estimator_class()):
        y = np.digitize(signal, np.quantile(signal, [0.3, 0.7]))
    else:
        y = np.exp(0.5 * signal)
    if get_tags(case.estimator_class()).input_tags.allow_nan:
        X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


def compute_outputs(estimator, X):
    """What each of the estimator's methods returns for X, by method."""
    return {
        method: np.asarray(getattr(estimator, method)(X))
        for method in OUTPUT_METHODS
        if hasattr(estimator, method)
    }


def fit_and_compute(estimator, X, y):
    """`compute_outputs` after a fit; a function that workers can import."""
    return compute_outputs(estimator.fit(X, y), X)


def assert_same_bits(outputs, expected):
    """Check that two results of `compute_outputs` agree to the last bit."""
    assert outputs.keys() == expected.keys()
    for method, output in outputs.items():
        assert output.dtype == expected[method].dtype, method
        assert output.shape == expected[method].shape, method
        n_different = np.sum(output != expected[method])
        assert output.tobytes() == expected[method].tobytes(), (
            f"{method}: {n_different} of {output.size} values differ"
        )


def run_script(script, *arguments, timeout=120, **environment):
    """Run Python code in a new process from the repository's root."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            returncode = process.wait(timeout)
        finally:
            # Its own children as well, if it hangs.
            if hasattr(os, "killpg"):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
        output.seek(0)
        assert returncode == 0, output.read()
