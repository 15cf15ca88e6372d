"""All that we take from scikit-learn's private parts, and what differs by version.

No other module imports a name of scikit-learn that starts with an underscore, so
that a new release of it can break one file only.
"""

from __future__ import annotations

import inspect
from typing import Any

import sklearn
from sklearn.base import _fit_context as fit_context
from sklearn.metrics import make_scorer
from sklearn.metrics.pairwise import _VALID_METRICS as PAIRWISE_METRICS
from sklearn.utils import _safe_indexing as select_rows
from sklearn.utils._metadata_requests import _raise_for_params as raise_for_params
from sklearn.utils._metadata_requests import _routing_enabled as routing_enabled
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call as check_partial_fit_first_call,
)
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
)
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_monotonic_cst as check_monotonic_cst
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _check_y as check_y

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # until scikit-learn 1.8

    class CallbackSupportMixin:
        """No callbacks to support."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


__all__ = [
    "PAIRWISE_METRICS",
    "SKLEARN_VERSION",
    "CallbackSupportMixin",
    "HasMethods",
    "Hidden",
    "Interval",
    "RealNotInt",
    "StrOptions",
    "check_method_params",
    "check_monotonic_cst",
    "check_n_features",
    "check_names",
    "check_partial_fit_first_call",
    "check_sample_weight",
    "check_y",
    "fit_context",
    "name_labels",
    "raise_for_params",
    "routing_enabled",
    "scorer_takes_weights",
    "select_rows",
    "validate_parameter_constraints",
    "validate_params",
    "with_callbacks",
]

SKLEARN_VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])

# From 1.9 on scikit-learn asks a frame for its names itself; until 1.8 it knew
# pandas, and asked all others through the data frame interchange protocol.
_ASKS_FOR_INTERCHANGE = SKLEARN_VERSION < (1, 9)


class _NamesOnly:
    """The one part of the interchange protocol that scikit-learn < 1.9 calls.

    Frames drop that protocol (polars 2 has), so we stand in for them.
    """

    def __init__(self, names):
        self._names = names

    def __dataframe__(self):
        return self

    def column_names(self):
        return self._names


def check_names(estimator: Any, X: Any, names: list | None, *, reset: bool) -> None:
    """Set or check ``feature_names_in_`` the way scikit-learn does.

    Parameters
    ----------
    estimator : estimator instance
        Gets or has the attribute.

    X : array-like or frame of shape (n_samples, n_features)
        The data as the user gave them.

    names : list or None
        The column names where `X` is a frame.

    reset : bool
        True sets the attribute, False checks against it.
    """
    if names is not None and _ASKS_FOR_INTERCHANGE:
        X = _NamesOnly(names)
    _check_feature_names(estimator, X, reset=reset)


def check_n_features(estimator: Any, X: Any, *, reset: bool) -> None:
    """Set or check ``n_features_in_`` the way scikit-learn does."""
    _check_n_features(estimator, X, reset=reset)


def name_labels(scorer: Any, classes: Any) -> Any:
    """A scorer that is told all classes, where its metric takes ``labels``.

    Parameters
    ----------
    scorer : callable
        As `sklearn.metrics.get_scorer` returns it, or any other callable.

    classes : ndarray of shape (n_classes,)
        The last of two is the positive one.
    """
    metric = getattr(scorer, "_score_func", None)
    if metric is None:
        return scorer
    accepted = inspect.signature(metric).parameters
    if "labels" not in accepted:
        return scorer
    options = {**getattr(scorer, "_kwargs", {}), "labels": classes}
    if len(classes) <= 2 and "pos_label" in accepted:
        options["pos_label"] = classes[-1]
    return make_scorer(
        metric,
        greater_is_better=scorer._sign == 1,
        response_method=scorer._response_method,
        **options,
    )


def scorer_takes_weights(scorer: Any) -> bool:
    """Whether a scorer has a parameter ``sample_weight``, as of its metric."""
    if hasattr(scorer, "_accept_sample_weight"):  # from scikit-learn 1.7 on
        return scorer._accept_sample_weight()
    # That of an estimator's own score passes on what it is given.
    scored = getattr(scorer, "_estimator", scorer)
    metric = getattr(scorer, "_score_func", getattr(scored, "score", scored))
    return "sample_weight" in inspect.signature(metric).parameters
