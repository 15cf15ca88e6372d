"""What estimators of least squares do with X, y and the weights before solving."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sklearnx._compat import check_sample_weight
from sklearnx._glm.centred import centre_problem
from sklearnx._glm.design import make_design
from sklearnx._threads import effective_n_threads
from sklearnx._validation import check_values
from sklearnx.linear_model._frames import validate_table

# Numbers of X per thread that are worth waking it for.
SIZE_PER_THREAD = 1 << 16
FLOATS = [np.float64, np.float32]


def validate_regression(
    estimator,
    X,
    y,
    sample_weight=None,
    *,
    drops_reference=False,
    accept_sparse=True,
    y_numeric=True,
):
    """Validate X and y, save whether X is finite, which its sums tell later.

    Returns
    -------
    X : ndarray, C or F contiguous, or CSR or CSC matrix, of float32 or float64
        Or a CategoricalDesign.

    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    """
    X, y = validate_table(
        estimator,
        X,
        y,
        sample_weight,
        drops_reference=drops_reference,
        accept_sparse=["csr", "csc"] if accept_sparse else False,
        dtype=FLOATS,
        multi_output=True,
        y_numeric=y_numeric,
        ensure_all_finite=False,
    )
    if isinstance(X, np.ndarray) and not (X.flags.c_contiguous or X.flags.f_contiguous):
        X = np.ascontiguousarray(X)
    return X, y


def validate_weights(sample_weight, X):
    """Validate the weights: float64, not negative, not all zero; None stays None."""
    return None if sample_weight is None else make_weights(sample_weight, X)


def make_weights(sample_weight, X):
    """The same, but None becomes ones."""
    weights = check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def make_problem(estimator, X, Y, weights, *, fit_intercept, n_jobs=None):
    """Centre validated data; here it shows whether X is finite.

    Parameters
    ----------
    estimator : estimator
        For its name in messages.

    X, Y, weights : validated
        Y of shape (n_samples,) or (n_samples, n_outputs).

    fit_intercept : bool

    n_jobs : int or None, default=None

    Returns
    -------
    problem : CentredProblem
    """
    design = make_design(X, count_threads(X, n_jobs))
    Y = Y.reshape(len(Y), -1).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        problem = centre_problem(design, Y, weights, fit_intercept)
    # A value that is not finite makes its column's sums so.
    if not np.isfinite(problem.AtB).all():
        if sparse.issparse(X) or isinstance(X, np.ndarray):
            check_values(estimator, X)
        raise ValueError("The sums of products of X and y overflow: scale them.")
    return problem


def count_threads(X, n_jobs=None):
    """Threads that products with X are worth."""
    size = X.nnz if sparse.issparse(X) else X.size
    most = max(1, size // SIZE_PER_THREAD)
    if most == 1 and n_jobs != 0:
        return 1  # counting the cores takes as long as fitting little data
    return min(effective_n_threads(n_jobs), most)


def set_coefficients(estimator, coef, intercept, dtype, *, is_1d, flatten=False):
    """Set ``coef_`` and ``intercept_``.

    Parameters
    ----------
    coef : ndarray of shape (n_features, n_outputs)

    intercept : ndarray of shape (n_outputs,)

    dtype : dtype
        That of X.

    is_1d : bool
        Whether y had one dimension.

    flatten : bool, default=False
        Whether ``coef_`` of a single column of y has one dimension as well.
    """
    if is_1d or (flatten and coef.shape[1] == 1):
        estimator.coef_ = coef[:, 0].astype(dtype)
    else:
        estimator.coef_ = np.ascontiguousarray(coef.T, dtype=dtype)
    if not estimator.fit_intercept:
        estimator.intercept_ = 0.0
    elif is_1d:
        estimator.intercept_ = np.dtype(dtype).type(intercept[0])
    else:
        estimator.intercept_ = intercept.astype(dtype)
