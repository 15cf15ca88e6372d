"""Data, outputs and comparisons that the contracts share."""

import multiprocessing
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


# What each class gets of each column; a linear target is the first.
LINEAR_EFFECTS = np.array(
    [[1.0, -0.5, -0.5], [0.8, -0.8, 0.0], [-0.6, 1.0, -0.4], [0.4, 0.2, -0.6], [0] * 3]
)


def make_data(case, n_samples=300, random_state=0):
    """Five columns and a target that depends on them, of three classes or positive.

    The last column is noise. Of a clusterer the rows are in three groups.
    """
    rng = np.random.default_rng(random_state)
    if case.is_clusterer:
        return make_groups(n_samples, rng)
    X = rng.normal(size=(n_samples, len(COLUMN_NAMES)))
    if case.is_linear:
        return X, make_linear_target(case, X, rng)
    signal = X[:, 0] + np.abs(X[:, 1]) + X[:, 2] * (X[:, 3] > 0)
    signal += 0.3 * rng.normal(size=n_samples)
    if is_classifier(case.estimator_class()):
        y = np.digitize(signal, np.quantile(signal, [0.3, 0.7]))
    else:
        y = np.exp(0.5 * signal)
    if get_tags(case.estimator_class()).input_tags.allow_nan:
        X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


def make_groups(n_samples, rng):
    """Three normal clouds in all columns but the last, and which a row is of."""
    y = rng.integers(0, 3, n_samples)
    X = 0.3 * rng.normal(size=(n_samples, len(COLUMN_NAMES)))
    return X + np.sign(LINEAR_EFFECTS.T)[y], y


def make_linear_target(case, X, rng):
    """Classes whose scores are linear, or a positive target that nearly is."""
    scores = X @ LINEAR_EFFECTS
    scores += 0.3 * rng.normal(size=scores.shape)
    if is_classifier(case.estimator_class()):
        return scores.argmax(axis=1)
    y = np.exp(0.3 * scores)
    return y[:, : case.n_targets] if case.has_many_targets else y[:, 0]


def compute_outputs(estimator, X):
    """What each of the estimator's methods returns for X, by method.

    Of those that know nothing of new rows, the labels of the rows of fit.
    """
    outputs = {
        method: np.asarray(getattr(estimator, method)(X))
        for method in OUTPUT_METHODS
        if hasattr(estimator, method)
    }
    return outputs or {"labels_": find_labels(estimator)}


def find_labels(estimator):
    """The labels of a fitted clusterer, or of that at the end of a pipeline."""
    return (estimator[-1] if hasattr(estimator, "steps") else estimator).labels_


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


def assert_same_model(case, outputs, expected):
    """Check that models of the same rows, stored in another way, are the same.

    To the last bit if the model sums over rows in a fixed order of values, not of
    storage.
    """
    if not case.sums_as_stored:
        assert_same_bits(outputs, expected)
        return
    assert outputs.keys() == expected.keys()
    for method, output in outputs.items():
        assert output.dtype == expected[method].dtype, method
        np.testing.assert_allclose(
            output, expected[method], rtol=1e-8, atol=1e-8, err_msg=method
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


def run_forked(function, *arguments, timeout=240):
    """Call in a new process that has imported all estimators and has run none.

    It is forked from a server that the calls share, since imports take seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.contracts.estimators"])
    with tempfile.NamedTemporaryFile("r+") as output:
        process = context.Process(
            target=_call_in_a_group, args=(output.name, function, *arguments)
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            # Its own children as well.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.join()
        assert process.exitcode == 0, output.read()


def _call_in_a_group(output_name, function, *arguments):
    """Call with what is printed going to a file, in a group that can be killed."""
    os.setsid()
    with open(output_name, "w") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    function(*arguments)
