"""A fit that goes on from a file ends with the bits of one that was never stopped."""

import copy
import json
import logging
import os
import pickle
import random
import signal
import sys
import time

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit, cross_validate

from sklearnx._boosting import snapshots
from sklearnx._boosting.booster import Booster
from sklearnx._boosting.snapshots import read_file
from sklearnx._compat import SKLEARN_VERSION
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    _base,
)
from tests.contracts._helpers import run_forked, run_script
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)

Classifier, Regressor = HistGradientBoostingClassifier, HistGradientBoostingRegressor
N_ITER = 24
SMALL = {"max_iter": N_ITER, "max_leaf_nodes": 6, "random_state": 0}
EARLY = {"early_stopping": True, "n_iter_no_change": 5}


class OwnLoss:
    """The squared error, whose calls may do something."""

    def __init__(self, at_call=None, action=None):
        self._at_call = at_call
        self._action = action
        self._n_calls = 0

    def gradient(self, y_true, raw_prediction):
        self._n_calls += 1
        if self._n_calls == self._at_call:
            self._action()
        return raw_prediction - y_true

    def hessian(self, y_true, raw_prediction):
        return np.ones_like(raw_prediction)

    def loss(self, y_true, raw_prediction):
        return (raw_prediction - y_true) ** 2 / 2


def make_frame(n_samples=600):
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data(n_samples)
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["a"] = (4 * X[:, 0]).astype(int).astype(str)
    frame["b"] = pd.cut(frame["b"], 5).astype("category")
    return frame.mask(np.random.default_rng(1).random(frame.shape) < 0.1), y


def make_weights(y):
    return np.random.default_rng(2).integers(0, 3, len(y)).astype(float)


def make_plain():
    return Regressor(**SMALL), make_regression_data(), {}


def make_loss(loss):
    def make():
        X, y = make_regression_data()
        return Regressor(loss, **SMALL, quantile=0.7, **EARLY), (X, np.exp(y)), {}

    return make


def make_binary():
    return Classifier(**SMALL, **EARLY), make_classification_data(), {}


def make_multiclass():
    data = make_classification_data(n_classes=4)
    model = Classifier(**SMALL, **EARLY, class_weight="balanced", max_features=0.5)
    return model.set_params(scoring="neg_log_loss", learning_rate=0.3), data, {}


def make_categories():
    X, y = make_frame()
    return Regressor(**SMALL), (X, y), {"sample_weight": make_weights(y)}


def make_eval_sets():
    (X, y), other = make_regression_data(), make_regression_data(random_state=1)
    model = Regressor(**SMALL, **EARLY, eval_metrics=["r2"], scoring="r2")
    sets = {"other": other, "__array__": (X, y, make_weights(y))}
    return model, (X, y), {"eval_sets": sets}


def make_options(n_classes=2, **options):
    """Return a case of options that draw at random or have a state."""

    def make():
        data = make_classification_data(n_classes=n_classes)
        other = make_classification_data(n_classes=n_classes, random_state=1)
        model = Classifier(**{**SMALL, **EARLY, **options}, learning_rate=0.3)
        model.set_params(tol=0.0, eval_metrics=["accuracy"])
        return model, data, {"eval_sets": {"other": other}}

    return make


def make_offsets():
    (X, y), (X_val, y_val) = make_classification_data(), make_classification_data(100)
    fit_params = {"init_score": X[:, 0], "X_val": X_val, "y_val": y_val}
    return Classifier(**SMALL), (X, y), {**fit_params, "init_score_val": X_val[:, 1]}


def make_own_loss():
    return Regressor(OwnLoss(), **SMALL, **EARLY), make_regression_data(), {}


def make_vectors(**options):
    """Return a case of a target of three columns."""

    def make():
        X, y = make_regression_data()
        Y = np.stack([y, X[:, 0] * X[:, 1], X[:, 3]], axis=1)
        other = make_regression_data(100, random_state=1)[0]
        model = Regressor(**{**SMALL, **EARLY, **options}, learning_rate=0.3, tol=0.0)
        return model, (X, Y), {"eval_sets": {"other": (other, other[:, :3])}}

    return make


def make_warm_start():
    X, y = make_regression_data()
    model = Regressor(**SMALL, **EARLY, warm_start=True, max_features=0.5)
    model.set_params(max_iter=9, learning_rate=0.3).fit(X, y)
    return model.set_params(max_iter=N_ITER, learning_rate=0.1), (X, y), {}


CASES = {
    "plain": make_plain,
    **{
        loss: make_loss(loss)
        for loss in (
            "absolute_error",
            "huber",
            "quantile",
            "poisson",
            "gamma",
            "tweedie",
        )
    },
    "binary": make_binary,
    "multiclass": make_multiclass,
    "categories": make_categories,
    "eval_sets": make_eval_sets,
    "offsets": make_offsets,
    "own loss": make_own_loss,
    "ordered": make_options(boosting="ordered"),
    "ordered classes": make_options(3, boosting="ordered", subsample=0.5),
    "dart": make_options(boosting="dart", skip_drop=0.2),
    "dart of samples": make_options(
        boosting="dart", skip_drop=0.0, subsample=0.5, sampling="goss"
    ),
    "dart of classes": make_options(3, boosting="dart", drop_rate=0.5, max_drop=3),
    "forest": make_options(
        boosting="random_forest", subsample=0.6, n_iter_no_change=N_ITER
    ),
    "linear": make_options(linear_leaves=True),
    "linear dart": make_options(
        3, linear_leaves=True, boosting="dart", skip_drop=0.2, subsample=0.7
    ),
    "linear forest": make_options(
        linear_leaves=True,
        boosting="random_forest",
        subsample=0.6,
        n_iter_no_change=N_ITER,
    ),
    "uniform": make_options(subsample=0.4),
    "mvs": make_options(3, subsample=0.3, sampling="mvs"),
    "columns": make_options(colsample_bytree=0.5, max_features=0.5, extra_trees=True),
    "vectors": make_vectors(loss="huber", max_features=0.5),
    "ordered vectors": make_vectors(boosting="ordered", loss="huber"),
    "vector dart": make_vectors(
        boosting="dart", skip_drop=0.0, grow_policy="symmetric"
    ),
    "vector forest": make_vectors(
        boosting="random_forest",
        subsample=0.6,
        sampling="mvs",
        n_iter_no_change=N_ITER,
    ),
    "warm start": make_warm_start,
}
over_cases = pytest.mark.parametrize("case", CASES)


def fit(case, **settings):
    """Fit a case's estimator and return it."""
    model, data, fit_params = CASES[case]()
    return model.set_params(**settings).fit(*data, **fit_params)


def get_bits(model):
    """All that the rounds of a fit have made, as bytes by name."""
    arrays = {
        **model._model.get_arrays(),
        "seeds": np.array([model._random_seed, model._feature_subsample_seed]),
        "train_score_": model.train_score_,
        "validation_score_": model.validation_score_,
        **{
            f"{name} {metric}": scores
            for name, metrics in model.evals_result_.items()
            for metric, scores in metrics.items()
        },
        "loss": np.array(json.dumps(model._loss.get_state())),
    }
    return {
        name: (array.dtype.descr, array.shape, array.tobytes())
        for name, array in arrays.items()
    }


def assert_same_model(one, other):
    one, other = get_bits(one), get_bits(other)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.snapshot"


@pytest.fixture
def no_rounds(monkeypatch):
    """From here on, a round is an error."""

    def boost(self, iteration):
        raise AssertionError("a round was run")

    return lambda: monkeypatch.setattr(Booster, "boost", boost)


# -- going on --------------------------------------------------------------------------


@over_cases
def test_from_any_round(case, path):
    expected = fit(case)
    assert expected.n_iter_ > 13
    first = 10 if case == "warm start" else 1
    for n_iter in (first, first + 1, 13, expected.n_iter_):
        path.unlink(missing_ok=True)
        part = fit(case, max_iter=n_iter, snapshot=path)
        assert part.n_iter_ == n_iter
        assert_same_model(fit(case, snapshot=path, n_jobs=2), expected)


@over_cases
def test_the_same_fit_again_runs_no_round(case, path, no_rounds):
    expected = fit(case, snapshot=path)
    assert_same_model(expected, fit(case))
    time_written = path.stat().st_mtime_ns
    model, (X, y), fit_params = CASES[case]()
    no_rounds()
    model.set_params(snapshot=str(path)).fit(X, y, **fit_params)
    assert_same_model(model, expected)
    assert_same_bits(model.predict(X), expected.predict(X))
    assert path.stat().st_mtime_ns == time_written


def run_killed(case, path):
    """Fit in children that are killed at random, again and again."""
    rng = random.Random(case)
    result_path = f"{path}.result"
    expected = get_bits(fit(case))
    model, data, fit_params = CASES[case]()
    model.set_params(snapshot=path, snapshot_interval=1)

    def start(n_jobs):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                model.set_params(n_jobs=n_jobs).fit(*data, **fit_params)
                with open(result_path, "wb") as file:
                    pickle.dump(get_bits(model), file)
                code = 0
            finally:
                os._exit(code)
        return pid

    def check_result_and_begin_anew():
        with open(result_path, "rb") as file:
            assert pickle.load(file) == expected
        os.unlink(result_path)
        assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
        os.unlink(path)

    def get_time_written():
        return os.stat(path).st_mtime_ns if os.path.exists(path) else None

    began = time.monotonic()
    assert os.waitpid(start(n_jobs=1), 0)[1] == 0
    longest_delay = (time.monotonic() - began) / 3
    check_result_and_begin_anew()

    n_kills = n_kills_resumed = n_ends_resumed = 0
    while n_kills < 10 or n_kills_resumed < 5 or n_ends_resumed < 1:
        before = get_time_written()
        pid = start(n_jobs=1 + n_kills % 2)
        time.sleep(rng.uniform(0, longest_delay))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if status == 0:
            n_ends_resumed += before is not None
            check_result_and_begin_anew()
            longest_delay /= 1.3
            continue
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        n_kills += 1
        n_kills_resumed += before is not None
        if get_time_written() == before:
            # The machine may be slower than it was, or faster.
            longest_delay *= 1.3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@over_cases
def test_killed_at_any_moment(case, path):
    if case == "categories":
        pytest.importorskip("pandas")
    run_forked(run_killed, case, str(path), timeout=300)


AT_ONCE = """
import os, sys
from tests.ensemble.test_snapshots import *
path = sys.argv[1]
expected = get_bits(fit("binary"))
pids = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            model = fit("binary", snapshot=path, snapshot_interval=1 + child % 2)
            code = int(get_bits(model) != expected)
        finally:
            os._exit(code)
    pids.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
assert get_bits(fit("binary", snapshot=path)) == expected
assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_several_processes_at_once(path):
    run_script(AT_ONCE, path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_error_in_a_round(path, error):
    X, y = make_regression_data()
    expected = Regressor(OwnLoss(), **SMALL).fit(X, y)

    def fail():
        raise error

    model = Regressor(OwnLoss(13, fail), **SMALL, snapshot=path, snapshot_interval=4)
    before = dict(vars(model))
    with pytest.raises(error):
        model.fit(X, y)
    assert vars(model) == before
    assert read_file(path)["model"]["offsets"].size - 1 in (8, 12)
    # The same object, whose loss does not count its calls from 0.
    assert_same_model(model.fit(X, y), expected)


def test_more_rounds(path):
    expected = fit("plain", max_iter=40)
    for max_iter in (7, 20, 40):
        model = fit("plain", max_iter=max_iter, snapshot=path)
        assert model.n_iter_ == max_iter
    assert_same_model(model, expected)


def test_early_stopped_stays_stopped(path, no_rounds):
    settings = {"max_iter": 300, "learning_rate": 0.5}
    expected = fit("binary", snapshot=path, **settings)
    assert expected.n_iter_ < 300
    no_rounds()
    assert_same_model(fit("binary", snapshot=path, **settings), expected)
    settings["max_iter"] = 1000
    assert_same_model(fit("binary", snapshot=path, **settings), expected)


def test_best_iteration_of_a_resumed_fit(path, no_rounds):
    X, y = make_regression_data()
    model = Regressor(**{**SMALL, "max_iter": 500}, **EARLY, snapshot=path).fit(X, y)
    no_rounds()
    best = clone(model).set_params(restore_best=True).fit(X, y)
    assert best.n_iter_ == model.best_iteration_ < model.n_iter_
    assert_same_bits(best.predict(X), model.predict(X, n_iter=best.n_iter_))
    # The file has all of them.
    assert clone(model).fit(X, y).n_iter_ == model.n_iter_


def test_warm_start_of_an_early_stopped_model(path):
    """It goes on for a round before it stops again, with a snapshot as without."""
    X, y = make_regression_data()
    start = Regressor(max_iter=300, warm_start=True, random_state=0, **EARLY).fit(X, y)
    expected = copy.deepcopy(start).fit(X, y)
    assert expected.n_iter_ == start.n_iter_ + 1
    for _ in range(2):
        model = copy.deepcopy(start).set_params(snapshot=path).fit(X, y)
        assert_same_model(model, expected)


def test_seeds_are_in_the_file(path):
    """Without random_state, a fit that goes on does not draw anew."""
    X, y = make_regression_data()
    settings = {**SMALL, **EARLY, "random_state": None, "max_features": 0.5}

    def fit_after(seed, **more):
        np.random.seed(seed)  # noqa: NPY002
        return Regressor(**{**settings, **more}).fit(X, y)

    fit_after(0, max_iter=9, snapshot=path)
    resumed = fit_after(1, snapshot=path)
    expected = fit_after(0)
    assert_same_model(resumed, expected)
    assert resumed._random_seed == expected._random_seed
    assert type(resumed._random_seed) is type(expected._random_seed)


def test_splitter_without_a_seed(path):
    X, y = make_regression_data()
    groups = np.arange(len(y)) // 7
    settings = {**SMALL, **EARLY, "validation_fraction": GroupShuffleSplit(1)}

    def fit_after(seed, **more):
        np.random.seed(seed)  # noqa: NPY002
        return Regressor(**{**settings, **more}).fit(X, y, groups=groups)

    fit_after(0, max_iter=9, snapshot=path)
    assert_same_model(fit_after(1, snapshot=path), fit_after(0))


def test_random_state_instance(path):
    X, y = make_regression_data()
    settings = {**SMALL, "max_features": 0.5, "snapshot": path}

    def fit_with(rng, **more):
        return Regressor(**{**settings, **more, "random_state": rng}).fit(X, y)

    fit_with(np.random.RandomState(3), max_iter=9)
    expected = fit_with(np.random.RandomState(3), snapshot=None)
    assert_same_model(fit_with(np.random.RandomState(3)), expected)
    with pytest.raises(ValueError, match="seeds drawn from random_state"):
        fit_with(np.random.RandomState(4))


def test_what_may_differ(path):
    (model, (X, y), _), expected = make_plain(), fit("plain")
    model.set_params(snapshot=path, snapshot_interval=3, max_iter=10, n_jobs=1)
    model.fit(X, y)
    for n_iter, change in enumerate(
        [
            {"n_jobs": 2},
            {"snapshot_interval": 1},
            {"warm_start": True},
            {"verbose": 0},
            {"learning_rate": np.float64(0.1), "l2_regularization": 0},
        ],
        start=11,
    ):
        clone(model).set_params(max_iter=n_iter, **change).fit(X, y)
    path.rename(path.with_suffix(".moved"))
    model.set_params(snapshot=path.with_suffix(".moved"), max_iter=N_ITER)
    # Other ways to hold the same numbers.
    assert_same_model(clone(model).fit(sparse.csr_array(X), list(y)), expected)
    pd = pytest.importorskip("pandas")
    model.fit(pd.DataFrame(X, columns=list("abcd")), pd.Series(y))
    assert_same_model(model, expected)
    assert list(model.feature_names_in_) == list("abcd")


@pytest.mark.skipif(SKLEARN_VERSION < (1, 9), reason="no callbacks before 1.9")
def test_callback_that_stops(path):
    class Stop:
        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **kwargs):
            pass

        def on_fit_task_end(self, estimator, context, **kwargs):
            return context.task_name == "iteration" and context.task_id == 4

    model, (X, y), _ = make_plain()
    model.set_params(snapshot=path, snapshot_interval=100)
    assert clone(model).set_callbacks(Stop()).fit(X, y).n_iter_ == 5
    assert clone(model).set_callbacks(Stop()).fit(X, y).n_iter_ == 10
    assert_same_model(model.fit(X, y), fit("plain"))


# -- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        ({"learning_rate": 0.2}, "learning_rate: 0.1 in the snapshot, 0.2 here"),
        ({"max_bins": 64}, "max_bins: 255 in the snapshot, 64 here"),
        ({"loss": "huber"}, "loss: 'squared_error' in the snapshot, 'huber' here"),
        ({"random_state": 1}, "random_state: 0 in the snapshot, 1 here"),
        ({"random_state": None}, "random_state: 0 in the snapshot, None here"),
        ({"max_depth": 3}, "max_depth: None in the snapshot, 3 here"),
        ({"early_stopping": True}, "early_stopping: 'auto' in the snapshot, True here"),
        ({"max_iter": 9}, "max_iter: 24 rounds in the snapshot already, 9 here"),
        (
            {"interaction_cst": [{0, 1}]},
            "interaction_cst: None in the snapshot, [{0, 1}] here",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_other_parameters(path, change, message):
    fit("plain", snapshot=path)
    before = path.read_bytes()
    with pytest.raises(ValueError) as caught:
        fit("plain", snapshot=path, **change)
    assert str(caught.value).splitlines() == [
        f"The snapshot {str(path)!r} belongs to another fit:",
        f"- {message}",
        "Delete the file to begin anew, or set `snapshot` to another path.",
    ]
    assert path.read_bytes() == before
    path.unlink()
    fit("plain", snapshot=path, **change)


@pytest.mark.parametrize("estimator_class", [Classifier, Regressor])
def test_all_parameters_are_compared(path, estimator_class):
    """Those to come as well, unless they are listed."""
    X, y = make_classification_data()
    model = estimator_class(**SMALL, snapshot=path).fit(X, y)
    names = set(model.get_params()) - _base.FREE_PARAMETERS
    assert names <= set(read_file(path)["texts"])
    assert set(model.get_params()) >= _base.FREE_PARAMETERS


def test_several_differences(path):
    fit("plain", snapshot=path)
    with pytest.raises(ValueError, match=r"\n- max_leaf_nodes: .*\n- tol: .*\nDelete"):
        fit("plain", snapshot=path, max_leaf_nodes=7, tol=0)


def test_other_estimator_or_version(path, monkeypatch):
    X, y = make_classification_data()
    Classifier(**SMALL, snapshot=path).fit(X, y)
    with pytest.raises(ValueError, match="estimator: HistGradientBoostingClassifier"):
        Regressor(**SMALL, snapshot=path).fit(X, y)
    monkeypatch.setattr(_base, "__version__", "99.0")
    with pytest.raises(ValueError, match=r"version of sklearnx: .* 99\.0 here"):
        Classifier(**SMALL, snapshot=path).fit(X, y)


def test_other_objects(path):
    class Scaled(OwnLoss):
        def __init__(self, scale):
            super().__init__()
            self.scale = scale

    X, y = make_regression_data()
    Regressor(Scaled(1), **SMALL, snapshot=path).fit(X, y)
    Regressor(Scaled(1.0), **SMALL, snapshot=path).fit(X, y)
    with pytest.raises(ValueError, match=r"loss: .*Scaled\(scale=1\) .*scale=2\) here"):
        Regressor(Scaled(2), **SMALL, snapshot=path).fit(X, y)


def change_one(array, row=5):
    changed = array.copy()
    changed[row] += 1
    return changed


DATA_CHANGES = {
    "a value": (lambda d: {"X": change_one(d["X"], (5, 2))}, "X: .*, in column 2\n"),
    "all values": (lambda d: {"X": 1 - d["X"]}, "X: .*, in columns 0, 1, 2, 3\n"),
    "order": (lambda d: {k: v[::-1] for k, v in d.items() if k in "Xy"}, "X: .*\n- y:"),
    "rows": (
        lambda d: {k: v[1:] for k, v in d.items() if k in ("X", "y", "sample_weight")},
        "X: 600 rows of 4 columns in the snapshot, 599 rows of 4 columns here",
    ),
    "columns": (
        lambda d: {"X": d["X"][:, 1:], "X_val": d["X_val"][:, 1:], "eval_sets": None},
        "X: .*, 600 rows of 3 columns here",
    ),
    "target": (lambda d: {"y": change_one(d["y"])}, "\n- y: other values"),
    "weights": (
        lambda d: {"sample_weight": change_one(d["sample_weight"])},
        "\n- sample_weight: other values",
    ),
    "no weights": (
        lambda d: {"sample_weight": None},
        "\n- sample_weight: in the snapshot, not given here",
    ),
    "offset": (
        lambda d: {"init_score": d["y"], "init_score_val": d["y_val"]},
        "\n- init_score: not in the snapshot, given here\n"
        "- init_score of validation rows: not in",
    ),
    "X_val": (
        lambda d: {"X_val": change_one(d["X_val"])},
        "\n- X of validation rows: other values",
    ),
    "y_val": (
        lambda d: {"y_val": change_one(d["y_val"])},
        "\n- y of validation rows: other values",
    ),
    "sample_weight_val": (
        lambda d: {"sample_weight_val": np.ones(len(d["y_val"]))},
        "\n- sample_weight of validation rows: not in the snapshot",
    ),
    "eval set": (
        lambda d: {"eval_sets": {"test": (d["X"], change_one(d["y"]))}},
        r"\n- y of eval_sets\['test'\]: other values",
    ),
    "no eval set": (
        lambda d: {"eval_sets": None},
        r"\n- X of eval_sets\['test'\]: in the snapshot, not given here",
    ),
    "another name": (
        lambda d: {"eval_sets": {"new": (d["X"], d["y"])}},
        r"\n- X of eval_sets\['new'\]: not in the snapshot, given here",
    ),
}


@pytest.mark.parametrize("change", DATA_CHANGES)
def test_other_data(path, change):
    X, y = make_regression_data()
    X_val, y_val = make_regression_data(100, random_state=1)
    data = {"X": X, "y": y, "sample_weight": 1 + make_weights(y), "X_val": X_val}
    data.update(y_val=y_val, eval_sets={"test": (X, y)})
    model = Regressor(**SMALL, snapshot=path)
    model.fit(**data)
    expected, before = dict(vars(model)), path.read_bytes()
    model.fit(**data)
    function, message = DATA_CHANGES[change]
    with pytest.raises(ValueError, match=message):
        model.fit(**{**data, **function(data)})
    assert vars(model).keys() == expected.keys()
    assert path.read_bytes() == before


def test_other_values_in_the_same_bins(path):
    """Only linear leaves see them."""
    X, y = make_regression_data()
    X[X < -1] = 0.0
    other = X.copy()
    other[np.argmax(X[:, 2]), 2] += 1
    for settings in ({"linear_leaves": False}, {"linear_leaves": True}):
        path.unlink(missing_ok=True)
        settings = {**SMALL, **settings, "snapshot": path}
        expected = Regressor(**settings).fit(X, y)
        for table in (
            np.asfortranarray(X),
            sparse.csr_array(X),
            sparse.csc_array(-0.0 + X),
        ):
            assert_same_model(Regressor(**settings).fit(table, y), expected)
        if not settings["linear_leaves"]:
            assert_same_model(Regressor(**settings).fit(other, y), expected)
            continue
        with pytest.raises(ValueError, match=r"X: other values.* in column 2\n"):
            Regressor(**settings).fit(other, y)


def test_other_columns_by_name(path):
    frame, y = make_frame()
    Regressor(**SMALL, snapshot=path).fit(frame, y)
    changed = frame.assign(c=frame["c"] ** 2, a=frame["a"].replace("1", "0"))
    with pytest.raises(ValueError, match=r"X: .*, in columns a, c\n"):
        Regressor(**SMALL, snapshot=path).fit(changed, y)


def test_other_classes(path):
    X, y = make_classification_data()
    Classifier(**SMALL, snapshot=path).fit(X, y)
    with pytest.raises(ValueError, match=r"classes of y: \[0, 1\] .*, \[0, 2\] here"):
        Classifier(**SMALL, snapshot=path).fit(X, 2 * y)


def test_other_start_model(path):
    start, (X, y), _ = make_warm_start()
    other = Regressor(**SMALL).set_params(**start.get_params())
    other.set_params(max_iter=8).fit(X, y).set_params(max_iter=N_ITER)
    start.set_params(snapshot=path).fit(X, y)
    with pytest.raises(ValueError, match="warm_start goes on from: other values"):
        other.set_params(snapshot=path).fit(X, y)
    with pytest.raises(ValueError, match="warm_start goes on from: in the snapshot"):
        clone(start).fit(X, y)
    with pytest.raises(ValueError, match="warm_start goes on from: other values"):
        start.set_params(max_iter=N_ITER + 1).fit(X, y)
    path.unlink()
    clone(start).set_params(max_iter=N_ITER).fit(X, y)
    with pytest.raises(ValueError, match="warm_start goes on from: not in"):
        other.fit(X, y)


def test_fits_to_several_folds(path):
    model, (X, y), _ = make_plain()
    with pytest.raises(ValueError, match="belongs to another fit"):
        cross_validate(model.set_params(snapshot=path), X, y, error_score="raise")


@pytest.mark.parametrize("length", [0, 10, 30, 60, 1000, -1])
def test_truncated_file(path, length):
    fit("plain", snapshot=path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"damaged|not a snapshot"):
        fit("plain", snapshot=path)


def test_foreign_file(path):
    path.write_text("a,b\n")
    with pytest.raises(ValueError, match="not a snapshot, and is not overwritten"):
        fit("plain", snapshot=path)
    assert path.read_text() == "a,b\n"


@pytest.mark.parametrize("place", ["missing/file", "."])
def test_wrong_path_is_told_at_once(tmp_path, place):
    """Before the data are read."""
    with pytest.raises((FileNotFoundError, IsADirectoryError), match="snapshot"):
        Regressor(snapshot=tmp_path / place).fit("no", "data")


# -- the file --------------------------------------------------------------------------


@pytest.mark.parametrize("interval, written", [(1, range(1, 8)), (3, [3, 6, 7])])
def test_interval(path, monkeypatch, interval, written):
    n_iters = []

    def write_file(path, contents):
        n_iters.append(len(contents["model"]["offsets"]) - 1)

    monkeypatch.setattr(snapshots, "write_file", write_file)
    fit("plain", max_iter=7, snapshot=path, snapshot_interval=interval)
    assert n_iters == list(written)


def test_no_room(path, monkeypatch):
    """The fit ends with an error; with more room, another goes on."""
    fit("plain", max_iter=10, snapshot=path)
    before = path.read_bytes()
    model, (X, y), _ = make_plain()
    with monkeypatch.context() as patch:

        def fail(*args):
            raise OSError(28, "No space left on device")

        patch.setattr(os, "fsync", fail)
        with pytest.raises(
            OSError, match=r"cannot be written \(No space left"
        ) as caught:
            model.set_params(snapshot=path).fit(X, y)
    assert caught.value.errno == 28
    assert not hasattr(model, "n_features_in_")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    assert_same_model(model.fit(X, y), fit("plain"))


def test_working_directory_may_change(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    X, y = make_regression_data()
    loss = OwnLoss(at_call=5, action=lambda: os.chdir(tmp_path / "other"))
    model = Regressor(loss, **SMALL, snapshot="file", snapshot_interval=2).fit(X, y)
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]
    assert read_file(tmp_path / "file")["model"]["offsets"].size == model.n_iter_ + 1


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
def test_link_stays_a_link(tmp_path, path):
    path.symlink_to(tmp_path / "target")
    fit("plain", max_iter=3, snapshot=path)
    assert_same_model(fit("plain", snapshot=path), fit("plain"))
    assert path.is_symlink() and not (tmp_path / "target").is_symlink()


def test_estimator_is_as_without(path):
    plain, model = fit("binary"), fit("binary", snapshot=path)
    assert vars(model).keys() == vars(plain).keys()
    received = pickle.loads(pickle.dumps(model))
    assert received.get_params() == model.get_params()
    assert received.snapshot == path
    assert_same_model(received, plain)
    assert clone(model).snapshot == path


def test_what_a_verbose_fit_tells(path, caplog):
    caplog.set_level(logging.INFO, logger="sklearnx")
    fit("plain", max_iter=9, snapshot=path)
    assert caplog.messages == []
    fit("plain", snapshot=path, verbose=1)
    assert caplog.messages[0] == "Going on after 9 rounds of the snapshot"
    assert caplog.messages[1].startswith("Fit 15 trees")
    assert any(message.startswith("  snapshots ") for message in caplog.messages)
    caplog.clear()
    fit("plain", verbose=1)
    assert "snapshot" not in caplog.text
