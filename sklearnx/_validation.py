"""scikit-learn's validation of tables, and the names of columns that it refuses."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
from scipy import sparse
from sklearn.utils import validation

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
    is_frame = hasattr(X, "iloc") or hasattr(X, "get_columns")
    names = getattr(X, "columns", None) if is_frame else None
    with _named_columns(X, names, estimator):
        validated = validation.validate_data(estimator, X, *args, **options)
        if isinstance(validated, np.ndarray) and validated.dtype.kind in "OSU":
            validated = validated.astype(np.float64)
    return validated


def refuse_values(estimator, X):
    """Refuse a validated table if it holds NaN or infinity, as `validate_data` does.

    Parameters
    ----------
    estimator : estimator
        Being fitted; it has the names of the columns.

    X : ndarray or sparse matrix
    """
    with _named_columns(X, getattr(estimator, "feature_names_in_", None), estimator):
        validation.check_array(
            X, accept_sparse=["csr", "csc"], estimator=estimator, input_name="X"
        )


@contextmanager
def _named_columns(X, names, estimator):
    """Add to errors about the values of a table the columns that hold them."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if names is None or type(error) not in (TypeError, ValueError):
            raise
        hint = _describe_columns(X, list(names), str(error), estimator)
        if hint is None:
            raise
        first, *others = str(error).split("\n", 1)
        raise type(error)("\n".join([first, hint, *others])) from error


def _describe_columns(X, names, message, estimator):
    """A line on the columns that a message is about, None if it is about none."""
    numbers = [_read_numbers(_take_column(X, j)) for j in range(len(names))]
    refused = [name for name, values in zip(names, numbers) if values is None]
    if refused:
        hint = f"{_join_names(refused)} of X: not all values are numbers."
        if hasattr(estimator, "categorical_features"):
            hint += " Categories can be named in categorical_features."
        return hint
    if "NaN" in message or "infinity" in message:
        odd = [
            name
            for name, values in zip(names, numbers)
            if not np.isfinite(values).all()
        ]
        if odd:
            return f"{_join_names(odd)} of X: NaN, or too large."
    return None


def _take_column(X, position):
    """A column of an array, a sparse matrix or a frame of pandas or polars."""
    if sparse.issparse(X):
        return X[:, [position]].toarray()
    return X.iloc[:, position] if hasattr(X, "iloc") else X[:, position]


def _read_numbers(column):
    """The values as float64, or None if some are no numbers."""
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _join_names(names):
    shown = ", ".join(repr(name) for name in names[:MAX_NAMES])
    if len(names) > MAX_NAMES:
        shown += f" and {len(names) - MAX_NAMES} more"
    return f"Column{'s' if len(names) > 1 else ''} {shown}"
