"""Predictions of linear models: validation once, one pass over the table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sklearnx._cython.linear import dense_products
from sklearnx._glm.design import make_design
from sklearnx._threads import n_threads_for
from sklearnx._validation import validate_data


def compute_raw_predictions(estimator: Any, X: Any) -> np.ndarray:
    """``X @ coef_.T + intercept_`` of a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        With ``coef_`` of shape (n_features,) or (n_outputs, n_features).

    X : array-like or sparse matrix of shape (n_samples, n_features)

    Returns
    -------
    raw : ndarray of shape (n_samples,) or (n_samples, n_outputs)

    Raises
    ------
    NotFittedError
        Before fit.
    ValueError
        Where `X` has another number of columns, or values that are not finite.
    """
    state = estimator.__dict__
    coef = state.get("coef_")
    if (
        type(X) is np.ndarray
        and type(coef) is np.ndarray
        and X.ndim == 2
        and X.shape[1] == coef.shape[-1]
        and X.dtype.char in "fd"
        and X.dtype.isnative
        and coef.dtype.char in "fd"
        and len(X) > 0
        and "feature_names_in_" not in state
        and "_table_encoder" not in state
    ):
        raw = _multiply(X, coef, state["intercept_"])
        # Values that are not finite make their row of the product so. Overflow as well:
        # then the way below tells which it was.
        if math.isfinite(raw.item()) if raw.size == 1 else np.isfinite(raw).all():
            return raw
    check_is_fitted(estimator)
    if "_table_encoder" in state:  # it has categorical columns
        X = state["_table_encoder"].make_design(X, estimator)
    else:
        X = validate_data(
            estimator, X, accept_sparse=["csr", "csc", "coo"], reset=False
        )
    return _multiply(X, estimator.coef_, estimator.intercept_)


def _multiply(X, coef, intercept):
    """X @ coef.T + intercept, summed in double, in the dtype of X and coef.

    The bits of a row do not depend on how many others come with it.
    """
    dtype = X.dtype if X.dtype == coef.dtype else np.result_type(X.dtype, coef.dtype)
    if sparse.issparse(coef):
        coef = coef.toarray().reshape(coef.shape)
        if coef.ndim == 2 and len(coef) == 1:
            # `sparsify` makes one row of a vector, with older versions of SciPy or
            # scikit-learn.
            coef = coef[0]
    if X.dtype.char not in "fd" or not X.dtype.isnative:
        X = X.astype(np.float32 if X.dtype.char == "f" else np.float64)
    n_threads = n_threads_for(X.shape[0] * X.shape[1])
    if type(X) is np.ndarray:
        # Without a design, which would take as long as a row.
        raw = np.empty((X.shape[0], *coef.shape[:-1]))
        if coef.ndim == 2 and len(coef) > 1:
            by_output = np.ascontiguousarray(coef.T, dtype=np.float64)
            dense_products.matmul(X, by_output, raw, n_threads)
        else:
            vector = np.ascontiguousarray(coef.reshape(-1), dtype=np.float64)
            dense_products.dot(X, vector, raw.reshape(-1), n_threads)
    else:
        X = X.tocsr() if sparse.issparse(X) and X.format == "coo" else X
        raw = make_design(X, n_threads).dot(coef.T)
    raw += intercept
    return raw if dtype == np.float64 else raw.astype(dtype)


class LinearRegressorPrediction:
    """`predict` of a linear regressor; inherited before scikit-learn's class."""

    def predict(self, X):
        """Predict the target.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted values.
        """
        return compute_raw_predictions(self, X)


class LinearClassifierPrediction:
    """`decision_function` and `predict` of a linear classifier."""

    def decision_function(self, X):
        """Scores of the classes: ``X @ coef_.T + intercept_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of ``classes_[1]`` where there are two classes, else of each class.
        """
        raw = compute_raw_predictions(self, X)
        return raw[:, 0] if raw.ndim == 2 and raw.shape[1] == 1 else raw

    def predict(self, X):
        """Predict the class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Of the labels in ``classes_``; the first of those with the highest score.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return self.classes_.take(scores > 0)
        largest = np.empty(len(scores), dtype=np.int64)
        scores = np.ascontiguousarray(scores, dtype=np.float64)
        dense_products.find_largest(scores, largest)
        return self.classes_.take(largest)
