"""A row alone gets what it gets among others, however it is asked for."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests.contracts._helpers import (
    COLUMN_NAMES,
    assert_same_model,
    compute_outputs,
    make_data,
)
from tests.contracts.estimators import over_cases, over_variants

N_ASKED = 40


def fit(case, settings=None, *, names=None):
    X, y = make_data(case)
    if not case.is_predictor:
        pytest.skip("rows are not predicted")
    settings = dict(settings or {})
    if names is not None and settings.get("categorical_features") == [0]:
        settings["categorical_features"] = names[:1]
    data = X if names is None else pd.DataFrame(X, columns=names)
    return case.make_estimator(**settings).fit(data, y), data[:N_ASKED]


def ask(call, rows):
    return np.array([call(row) for row in rows])


@over_variants()
def test_arrays(case, settings):
    estimator, X = fit(case, settings)
    expected = compute_outputs(estimator, X)
    for method, output in expected.items():
        alone = [getattr(estimator, method)(X[i : i + 1]) for i in range(len(X))]
        assert np.concatenate(alone).tobytes() == output.tobytes(), method


@over_variants()
def test_frames(case, settings):
    estimator, X = fit(case, settings, names=COLUMN_NAMES)
    expected = compute_outputs(estimator, X)
    for frame in (X, pl.from_pandas(X)):
        for method, output in expected.items():
            alone = [
                getattr(estimator, method)(frame[i : i + 1]) for i in range(len(X))
            ]
            # The columns of some frames are stored apart.
            assert_same_model(case, {method: np.concatenate(alone)}, {method: output})


is_compiled = {"keep": lambda case: hasattr(case.estimator_class, "compile_predictor")}


@over_variants(**is_compiled)
def test_compiled(case, settings):
    estimator, X = fit(case, settings, names=COLUMN_NAMES)
    for method, output in compute_outputs(estimator, X).items():
        predictor = estimator.compile_predictor(method)
        values = X.to_numpy()
        for rows in (
            values,
            values.tolist(),
            list(map(tuple, values)),
            X.to_dict("records"),
            [row for _, row in X.iterrows()],
        ):
            answers = np.array([predictor(row) for row in rows])
            assert answers.astype(output.dtype).tobytes() == output.tobytes(), method


@over_cases(**is_compiled)
def test_float32(case):
    estimator, X = fit(case)
    X = X.astype(np.float32)
    predictor = estimator.compile_predictor("predict")
    expected = estimator.predict(X)
    assert np.array_equal(ask(predictor, X), expected)
    assert np.array_equal(ask(predictor, np.asfortranarray(X)), expected)
    assert np.array_equal(ask(predictor, X[:, np.newaxis]), expected)
