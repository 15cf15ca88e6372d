"""What a fit tells, through logging; to standard output if nobody has set it up."""

import logging
import re

import pytest

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.contracts._helpers import run_script
from tests.ensemble._data import make_classification_data, make_regression_data


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, logger="sklearnx")
    return caplog


def test_silence_is_the_default(log, capsys):
    X, y = make_regression_data()
    HistGradientBoostingRegressor(max_iter=3).fit(X, y)
    assert log.messages == []
    assert capsys.readouterr() == ("", "")


def test_stages_and_their_times(log, capsys):
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=3, max_leaf_nodes=4, verbose=1)
    model.fit(X, y)
    head, *stages = log.messages
    total = re.fullmatch(r"Fit 3 trees with 12 leaves in (\d+\.\d{3}) s", head)
    times = {}
    for stage in stages:
        name, seconds = re.fullmatch(r"  ([a-z ]+?) +(\d+\.\d{3}) s", stage).groups()
        times[name] = float(seconds)
    assert {"reading", "binning", "gradients", "growing", "leaf values"} <= set(times)
    assert abs(sum(times.values()) - float(total[1])) <= 0.001 * len(times)
    # Through logging only.
    assert capsys.readouterr() == ("", "")


def test_iterations(log):
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(
        max_iter=3, max_leaf_nodes=4, verbose=2, early_stopping=True
    ).fit(X, y)
    for i in range(3):
        loss, loss_val = -model.train_score_[i + 1], -model.validation_score_[i + 1]
        depth = model._predictors[i][0].get_max_depth()
        assert log.messages[i] == (
            f"[{i + 1}/3] 1 tree, 4 leaves, max depth {depth}, "
            f"train loss {loss:.5f}, validation loss {loss_val:.5f}"
        )
    assert len([message for message in log.messages if message.startswith("[")]) == 3


def test_iterations_of_several_classes_and_a_scorer(log):
    X, y = make_classification_data(n_classes=3)
    model = HistGradientBoostingClassifier(
        max_iter=1, max_leaf_nodes=4, verbose=2, early_stopping=True, scoring="accuracy"
    ).fit(X, y)
    score, score_val = model.train_score_[1], model.validation_score_[1]
    assert re.fullmatch(
        rf"\[1/1\] 3 trees, 12 leaves, max depth \d, "
        rf"train score {score:.5f}, validation score {score_val:.5f}",
        log.messages[0],
    )


def test_warm_start_tells_of_the_new_trees(log):
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=3, warm_start=True).fit(X, y)
    model.set_params(max_iter=5, verbose=2, max_leaf_nodes=2).fit(X, y)
    assert log.messages[0].startswith("[4/5] 1 tree, 2 leaves")
    assert log.messages[2].startswith("Fit 2 trees with 4 leaves")


def test_the_level_of_logging_is_kept(log):
    """Who has set logging up decides what is seen."""
    log.set_level(logging.WARNING, logger="sklearnx")
    X, y = make_regression_data()
    HistGradientBoostingRegressor(max_iter=3, verbose=2).fit(X, y)
    assert log.messages == []


SCRIPT = """
import io, logging, sys
from contextlib import redirect_stdout
import numpy as np
from sklearnx.ensemble import HistGradientBoostingRegressor

X = np.arange(100.0)[:, np.newaxis]
model = HistGradientBoostingRegressor(max_iter=2, verbose=2)
with redirect_stdout(io.StringIO()) as output:
    model.fit(X, X[:, 0])
lines = output.getvalue().splitlines()
assert lines[0].startswith("[1/2] 1 tree, "), lines
assert lines[2].startswith("Fit 2 trees with "), lines
logger = logging.getLogger("sklearnx")
assert not logger.handlers and logger.level == logging.NOTSET

# Nothing stays behind a fit that fails.
class Failing:
    def gradient(self, y_true, raw_prediction):
        raise RuntimeError
    hessian = gradient
try:
    HistGradientBoostingRegressor(Failing(), verbose=1).fit(X, X[:, 0])
except RuntimeError:
    pass
assert not logger.handlers and logger.level == logging.NOTSET

# A program that has set logging up gets the messages there, and only there.
stream = io.StringIO()
logging.basicConfig(stream=stream, level=logging.INFO, format="%(name)s: %(message)s")
with redirect_stdout(io.StringIO()) as output:
    model.fit(X, X[:, 0])
assert output.getvalue() == ""
assert stream.getvalue().startswith("sklearnx: [1/2] 1 tree, "), stream.getvalue()
"""


def test_standard_output_without_logging():
    run_script(SCRIPT)
