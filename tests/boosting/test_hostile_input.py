"""Whatever is in a frame, boosting fits it or says what is wrong with it.

The cases are the same in every run. ``SKLEARNX_FUZZ_EXAMPLES=5000`` draws that many
new ones instead.
"""

import os
import re
import threading
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

pd = pytest.importorskip("pandas")

N_EXAMPLES = int(os.environ.get("SKLEARNX_FUZZ_EXAMPLES", 0))
hostile_settings = settings(
    max_examples=N_EXAMPLES or 250,
    derandomize=not N_EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TIME_LIMIT = 30

# An error has to name what is wrong: a column, the target, the weights, a number of
# rows or a parameter. The last is what scikit-learn says of a regressor's target.
NAMES_THE_CAUSE = re.compile(
    r"\bcolumn_\d|\by\b|target|class|weight|sample|feature|early_stopping|validation"
    r"|^could not convert string to float: 'label \d'$"
)


def draw_wide(rng, n):
    """Numbers of both signs over the whole range of float64."""
    return rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(-308, 308, n)


def mix(rng, values, others, share=0.3):
    """`values` with a share of them replaced by draws from `others`."""
    return np.where(
        rng.random(len(values)) < share, rng.choice(others, len(values)), values
    )


def draw_labels(rng, n, n_labels=4):
    return rng.choice([f"label {k}" for k in range(n_labels)], n).astype(object)


COLUMNS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "float32": lambda rng, n: rng.normal(size=n).astype(np.float32),
    "float16": lambda rng, n: rng.normal(size=n).astype(np.float16),
    "missing": lambda rng, n: mix(rng, rng.normal(size=n), [np.nan]),
    "all missing": lambda rng, n: np.full(n, np.nan),
    "constant": lambda rng, n: np.full(n, 3.0),
    "constant or missing": lambda rng, n: mix(rng, np.full(n, 3.0), [np.nan]),
    "infinite": lambda rng, n: mix(rng, rng.normal(size=n), [-np.inf, np.inf, np.nan]),
    "all infinite": lambda rng, n: rng.choice([-np.inf, np.inf], n),
    "largest": lambda rng, n: rng.choice([-1.0, 1.0], n) * np.finfo(float).max,
    "wide": draw_wide,
    "subnormal": lambda rng, n: rng.integers(-3, 3, n) * 5e-324,
    "signed zero": lambda rng, n: rng.choice([-0.0, 0.0], n),
    "neighbours": lambda rng, n: np.nextafter(1.0, rng.choice([0.0, 1.0, 2.0], n)),
    "integers": lambda rng, n: rng.integers(-(2**63), 2**63 - 1, n),
    "unsigned": lambda rng, n: rng.integers(0, 2**64 - 1, n, dtype=np.uint64),
    "small integers": lambda rng, n: rng.integers(-3, 3, n).astype(np.int8),
    "boolean": lambda rng, n: rng.random(n) < 0.5,
    "nullable integers": lambda rng, n: pd.array(
        mix(rng, rng.integers(0, 9, n).astype(object), [None]), dtype="Int64"
    ),
    "nullable booleans": lambda rng, n: pd.array(
        mix(rng, (rng.random(n) < 0.5).astype(object), [None]), dtype="boolean"
    ),
    "text": draw_labels,
    # The first is text, so that fit sees that the column is not one of numbers.
    "text or missing": lambda rng, n: np.append(
        "label 0", mix(rng, draw_labels(rng, n - 1), [None, np.nan])
    ),
    "odd text": lambda rng, n: rng.choice(
        ["", " ", "nan", "None", "0", "é", "\x00", "a" * 1000], n
    ).astype(object),
    "all distinct text": lambda rng, n: rng.permutation(n).astype(str).astype(object),
    "categories": lambda rng, n: pd.Categorical(draw_labels(rng, n)),
    "unused categories": lambda rng, n: pd.Categorical(
        np.full(n, "b", dtype=object), categories=["a", "b", "c"]
    ),
    "no category": lambda rng, n: pd.Categorical(np.full(n, None), categories=[]),
    "missing categories": lambda rng, n: pd.Categorical(
        mix(rng, draw_labels(rng, n), [None]), ordered=True
    ),
    "integer categories": lambda rng, n: pd.Categorical(rng.integers(-5, 400, n)),
    "all distinct categories": lambda rng, n: pd.Categorical(rng.permutation(n)),
    "many unused categories": lambda rng, n: pd.Categorical(
        rng.integers(0, 10**5, n), categories=range(10**5)
    ),
    "mixed objects": lambda rng, n: rng.choice(
        np.array([1, "one", 2.5, None, True], dtype=object), n
    ),
    "dates": lambda rng, n: (
        pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), unit="D")
    ),
    "complex": lambda rng, n: rng.normal(size=n) * 1j,
}

NEITHER_NUMBER_NOR_CATEGORY = ("complex", "dates", "mixed objects")

CLASSES = {
    "two": lambda rng, n: rng.integers(0, 2, n),
    "text": lambda rng, n: draw_labels(rng, n, 3),
    "many": lambda rng, n: rng.integers(0, 50, n),
    "one": lambda rng, n: np.zeros(n, dtype=int),
    "rare": lambda rng, n: (np.arange(n) == 0).astype(int),
    "far apart": lambda rng, n: rng.choice([-(2**62), 5, 2**62], n),
    "boolean": lambda rng, n: rng.random(n) < 0.5,
    "missing": lambda rng, n: mix(rng, rng.integers(0, 2, n).astype(float), [np.nan]),
    "real": lambda rng, n: rng.normal(size=n),
}

TARGETS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "float32": lambda rng, n: rng.normal(size=n).astype(np.float32),
    "constant": lambda rng, n: np.full(n, 2.5),
    "zero": lambda rng, n: np.zeros(n),
    "counts": lambda rng, n: rng.poisson(0.2, n),
    "heavy tail": lambda rng, n: np.exp(rng.normal(scale=5, size=n)),
    "outlier": lambda rng, n: rng.random(n) + 1e9 * (np.arange(n) == n // 2),
    "huge": lambda rng, n: 1e300 * rng.normal(size=n),
    "huge and positive": lambda rng, n: 1e300 * rng.random(n),
    "tiny": lambda rng, n: 1e-300 * rng.random(n),
    "wide": draw_wide,
    "offset": lambda rng, n: 1e15 + rng.integers(0, 5, n),
    "missing": lambda rng, n: mix(rng, rng.normal(size=n), [np.nan]),
    "infinite": lambda rng, n: mix(rng, rng.normal(size=n), [np.inf]),
    "text": draw_labels,
}

WEIGHTS = {
    "none": lambda rng, n: None,
    "one": lambda rng, n: np.ones(n),
    "integers": lambda rng, n: rng.integers(0, 4, n),
    "mostly zero": lambda rng, n: (np.arange(n) == 0).astype(float),
    "all zero": lambda rng, n: np.zeros(n),
    "huge": lambda rng, n: 1e300 * rng.random(n),
    "tiny": lambda rng, n: 1e-300 * rng.random(n),
    "wide": lambda rng, n: 10.0 ** rng.uniform(-12, 12, n),
    "negative": lambda rng, n: rng.normal(size=n),
    "missing": lambda rng, n: mix(rng, np.ones(n), [np.nan]),
}

REGRESSION_LOSSES = (
    "squared_error",
    "absolute_error",
    "huber",
    "quantile",
    "poisson",
    "gamma",
    "tweedie",
)


def one_of_kinds(kinds, usual_kind):
    """Mostly the usual kind: an error of y or the weights would hide the columns."""
    return st.one_of(
        st.just(usual_kind), st.just(usual_kind), st.sampled_from(sorted(kinds))
    )


parameters = st.fixed_dictionaries(
    {
        "max_iter": st.integers(1, 4),
        "learning_rate": st.sampled_from([0.1, 1.0]),
        "min_samples_leaf": st.sampled_from([1, 1, 3, 20]),
        "max_leaf_nodes": st.sampled_from([31, 2, None]),
        "max_depth": st.sampled_from([None, 1, 3]),
        "max_bins": st.sampled_from([255, 2, 3, 16, 300]),
        "l2_regularization": st.sampled_from([0.0, 0.0, 1.0, 1e300]),
        "max_features": st.sampled_from([1.0, 0.5, 1e-9]),
        "early_stopping": st.sampled_from([False, False, True]),
        "scoring": st.sampled_from(["loss", None]),
        "subsample": st.sampled_from([1.0, 1.0, 0.5, 1e-9]),
        "sampling": st.sampled_from(["uniform", "goss", "mvs"]),
        "colsample_bytree": st.sampled_from([1.0, 1.0, 0.5]),
        "boosting": st.sampled_from(
            ["plain", "plain", "ordered", "dart", "random_forest"]
        ),
        "drop_rate": st.sampled_from([0.1, 1.0]),
        "skip_drop": st.sampled_from([0.5, 0.0]),
    }
)
n_rows = st.one_of(st.integers(1, 5), st.integers(1, 60), st.sampled_from([400]))
column_kinds = st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4)
seeds = st.integers(0, 2**32 - 1)


def make_frame(kinds, n, rng):
    columns = {f"column_{i}": COLUMNS[kind](rng, n) for i, kind in enumerate(kinds)}
    return pd.DataFrame(columns)


def call_within_limit(function):
    """Call `function` in a thread that may hang; give back its result or its error."""
    outcome = {}

    def call():
        try:
            outcome["result"] = function()
        except Exception as error:
            outcome["error"] = error

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(TIME_LIMIT)
    assert outcome, f"no end after {TIME_LIMIT} seconds"
    return outcome


def compute_predictions(estimator, X, y, sample_weight, X_new):
    """Fit and predict rows that were seen and rows that were not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y, sample_weight=sample_weight)
        output = getattr(estimator, "predict_proba", estimator.predict)
        return estimator, [output(X), output(X_new)]


def check_case(make_estimator, draw_y, kinds, weight_kind, n, seed):
    """Fit and predict one drawn case; give back the clear error that it ends in."""
    rng = np.random.default_rng(seed)
    X, X_new = make_frame(kinds, n, rng), make_frame(kinds, 20, rng)
    y, sample_weight = draw_y(rng, n), WEIGHTS[weight_kind](rng, n)
    outputs = []
    for n_jobs in (1, 3):
        estimator = make_estimator(n_jobs=n_jobs)
        outcome = call_within_limit(
            partial(compute_predictions, estimator, X, y, sample_weight, X_new)
        )
        if "error" in outcome:
            error = outcome["error"]
            # FloatingPointError: the scores have grown beyond what a double holds.
            allowed = ValueError | TypeError | FloatingPointError
            assert isinstance(error, allowed), repr(error)
            assert NAMES_THE_CAUSE.search(str(error)), repr(error)
            return error
        estimator, predictions = outcome["result"]
        for values in predictions:
            assert np.all(np.isfinite(values))
            if hasattr(estimator, "classes_"):
                # scikit-learn gives a single class two columns.
                assert values.shape[1] in (len(estimator.classes_), 2)
                np.testing.assert_allclose(values.sum(axis=1), 1)
        outputs.append([values.tobytes() for values in predictions])
    assert outputs[0] == outputs[1], "n_jobs changes the predictions"
    return None


@hostile_settings
@given(
    y_kind=one_of_kinds(CLASSES, "two"),
    kinds=column_kinds,
    weight_kind=one_of_kinds(WEIGHTS, "none"),
    n=n_rows,
    seed=seeds,
    parameters=parameters,
)
def test_classifier(y_kind, kinds, weight_kind, n, seed, parameters):
    def make_estimator(**more):
        return HistGradientBoostingClassifier(random_state=0, **parameters, **more)

    check_case(make_estimator, CLASSES[y_kind], kinds, weight_kind, n, seed)


@hostile_settings
@given(
    y_kind=one_of_kinds(TARGETS, "normal"),
    kinds=column_kinds,
    weight_kind=one_of_kinds(WEIGHTS, "none"),
    n=n_rows,
    seed=seeds,
    loss=st.sampled_from(REGRESSION_LOSSES),
    parameters=parameters,
)
def test_regressor(y_kind, kinds, weight_kind, n, seed, loss, parameters):
    if loss == "quantile":
        parameters = {**parameters, "quantile": 0.7}

    def make_estimator(**more):
        return HistGradientBoostingRegressor(
            loss=loss, random_state=0, **parameters, **more
        )

    target = TARGETS[y_kind]
    if loss in ("poisson", "gamma", "tweedie") and y_kind == "normal":
        # The usual target of these losses is positive.
        def target(rng, n):
            return np.exp(rng.normal(size=n))

    check_case(make_estimator, target, kinds, weight_kind, n, seed)


@pytest.mark.parametrize("kind", sorted(COLUMNS))
@pytest.mark.parametrize("n", [1, 2, 50])
@pytest.mark.parametrize(
    "estimator_class", [HistGradientBoostingClassifier, HistGradientBoostingRegressor]
)
def test_each_column_alone(estimator_class, kind, n):
    """Only columns without an order or levels are refused, by name."""

    def make_estimator(**more):
        return estimator_class(max_iter=2, min_samples_leaf=1, **more)

    error = check_case(make_estimator, CLASSES["two"], [kind], "none", n, seed=0)
    if kind in NEITHER_NUMBER_NOR_CATEGORY:
        assert error is None or "column_0" in str(error)
    else:
        assert error is None
