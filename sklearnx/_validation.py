"""scikit-learn's validation of tables, and the names of columns that it refuses."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
from scipy import sparse
from sklearn.utils import validation

from sklearnx._boosting.frames import FLOATS, read_frame

# Names in a message; a frame may have thousands of such columns.
MAX_NAMES = 5


def validate_data(estimator, X, *args, **options):
    """As `sklearn.utils.validation.validate_data`; errors about a frame name columns.

    Parameters
    ----------
    estimator : estimator

    X : array-like
        As the user gave it.

    *args, **options
        Of scikit-learn's function. Numbers are asked for, whatever the dtype.
    """
    with _named_columns(estimator, lambda: _read_frame(X)):
        validated = validation.validate_data(estimator, X, *args, **options)
        if isinstance(validated, np.ndarray) and validated.dtype.kind in "OSU":
            validated = validated.astype(np.float64)
    return validated


def check_values(estimator, X, columns=slice(None)):
    """Return numbers of a table that has been read, after NaN and infinity are refused.

    Parameters
    ----------
    estimator : estimator
        It has the names of the columns, if there are any.

    X : ndarray or sparse matrix

    columns : slice or ndarray of int, default=slice(None)
        Which ones of the table X holds.
    """
    with _named_columns(estimator, lambda: _read_array(estimator, X, columns)):
        return validation.check_array(
            X,
            accept_sparse=["csr", "csc"],
            dtype=FLOATS,
            estimator=estimator,
            input_name="X",
        )


@contextmanager
def _named_columns(estimator, read):
    """Add to errors about the values of a table the columns that hold them.

    read : callable
        Returns names and values of the columns, which are None where they are no
        numbers; or None if columns have no names.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        columns = read() if type(error) in (TypeError, ValueError) else None
        hint = columns and _describe_columns(*columns, str(error), estimator)
        if not hint:
            raise
        raise type(error)(f"{error}\n{hint}") from error


def _read_frame(X):
    try:
        frame = read_frame(X)
    except (TypeError, ValueError):
        return None
    if frame is None:
        return None
    return frame.names, [_read_numbers(column) for column in frame.columns]


def _read_numbers(column):
    try:
        return column.to_numbers()
    except (TypeError, ValueError):
        return None


def _read_array(estimator, X, columns):
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return None
    names = names[columns].tolist()
    if not sparse.issparse(X):
        return names, list(X.T)
    X = X.tocsc()
    return names, [X.data[X.indptr[j] : X.indptr[j + 1]] for j in range(len(names))]


def _describe_columns(names, numbers, message, estimator):
    """A line on the columns that a message is about, None if it is about none."""
    if "NaN" in message or "infinity" in message:
        odd = [
            name
            for name, values in zip(names, numbers)
            if values is not None and not np.isfinite(values).all()
        ]
        return f"{_join_names(odd)} of X: NaN, or too large." if odd else None
    refused = [name for name, values in zip(names, numbers) if values is None]
    if not refused:
        return None
    hint = f"{_join_names(refused)} of X: not all values are numbers."
    if hasattr(estimator, "categorical_features"):
        hint += " Categories can be named in categorical_features."
    return hint


def _join_names(names):
    shown = ", ".join(repr(name) for name in names[:MAX_NAMES])
    if len(names) > MAX_NAMES:
        shown += f" and {len(names) - MAX_NAMES} more"
    return f"Column{'s' if len(names) > 1 else ''} {shown}"
