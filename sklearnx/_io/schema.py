"""What an estimator wants to be asked with, in words that a service can check."""

import datetime

import numpy as np
from sklearn.pipeline import Pipeline


def describe_input(estimator):
    """Return the columns that an estimator was fitted on, for JSON.

    Parameters
    ----------
    estimator : estimator instance
        Of a pipeline what it is asked with, not what its last step is.

    Returns
    -------
    schema : dict
        ``columns``: a list of dicts with the ``name`` of each column (None if it has
        none) and its ``kind``: 'number', 'category' or 'any'; of categories the
        ``levels`` that fit has seen, those that JSON has, as they are.
        ``classes``: of a classifier, else None.
    """
    estimator = _unwrap(estimator)
    names = getattr(estimator, "feature_names_in_", None)
    n_features = getattr(estimator, "n_features_in_", None)
    if n_features is None:
        columns = None
    else:
        names = [None] * n_features if names is None else [str(name) for name in names]
        columns = [{"name": name, "kind": "any"} for name in names]
        _describe_kinds(estimator, columns)
    classes = getattr(estimator, "classes_", None)
    return {
        "columns": columns,
        "classes": None if classes is None else [_to_json(c) for c in classes],
    }


def _unwrap(estimator):
    """Return the only step of a pipeline of one, which is asked with what it is."""
    while isinstance(estimator, Pipeline):
        steps = [
            step for _, step in estimator.steps if step not in (None, "passthrough")
        ]
        if len(steps) != 1:
            break
        (estimator,) = steps
    return estimator


def _describe_kinds(estimator, columns):
    """Tell numbers from categories, if the estimator itself reads the columns."""
    encoder = getattr(estimator, "_encoder", None)
    if encoder is None:
        encoder = getattr(estimator, "_table_encoder", None)
    if encoder is None or getattr(encoder, "levels_", None) is None:
        return
    for column, levels in zip(columns, encoder.levels_, strict=True):
        column["kind"] = "number" if levels is None else "category"
        if levels is not None:
            column["levels"] = [_to_json(level) for level in levels]


def _to_json(value):
    """Return a level or class as JSON has it, as text if it has no such type."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float | str) else str(value)
