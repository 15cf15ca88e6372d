"""What lasso and elastic nets do with tables and parameters before solving."""

from __future__ import annotations

import warnings
from numbers import Number

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length

from sklearnx._validation import check_values
from sklearnx.linear_model._frames import validate_table
from sklearnx.linear_model._regression_data import FLOATS, validate_weights

# Tables of at most this many columns are worked on whole.
MAX_WHOLE_COLUMNS = 256

NON_CONVERGENCE = (
    "Objective did not converge. You might want to increase the number of iterations, "
    "check the scale of the features or consider increasing regularisation."
)
NO_L1 = (
    "Linear regression models with a zero l1 penalization strength are more "
    "efficiently fitted using one of the solvers implemented in "
    "sklearnx.linear_model.Ridge/RidgeCV instead."
)
NO_PENALTY = (
    "With alpha=0, this algorithm does not converge well. You are advised to use the "
    "LinearRegression estimator"
)
NON_FINITE = (
    "Coordinate descent iterations resulted in non-finite parameter values. The input "
    "data may contain large values and need to be preprocessed."
)


def validate_table_and_targets(estimator, X, y, sample_weight):
    """Validate X and y, each for itself; whether X is finite, its sums tell later."""
    X, y = validate_table(
        estimator,
        X,
        y,
        sample_weight,
        multi_output=True,
        y_numeric=True,
        validate_separately=(
            {
                "accept_sparse": ["csr", "csc"],
                "dtype": FLOATS,
                "ensure_all_finite": False,
            },
            {"dtype": FLOATS, "ensure_2d": False},
        ),
    )
    check_consistent_length(X, y)
    return X, y


def refuse_table(estimator, X):
    """Refuse values that are not finite, which sums have shown to be in X or y."""
    if sparse.issparse(X) or isinstance(X, np.ndarray):
        check_values(estimator, X)
    raise ValueError(NON_FINITE)


def contiguous(X):
    """Dense tables in C or F order."""
    is_strided = isinstance(X, np.ndarray) and not (
        X.flags.c_contiguous or X.flags.f_contiguous
    )
    return np.ascontiguousarray(X) if is_strided else X


def normalise_weights(sample_weight, X):
    """Weights that sum to the number of rows, None where all are equal."""
    if sample_weight is None or isinstance(sample_weight, Number):
        return None
    weights = validate_weights(sample_weight, X)
    return weights * (len(weights) / weights.sum())


def validate_factors(penalty_weights, n_features):
    """The factor of each coefficient's penalty."""
    if penalty_weights is None:
        return np.ones(n_features)
    factors = check_array(
        penalty_weights, dtype=np.float64, ensure_2d=False, input_name="penalty_weights"
    )
    if factors.shape != (n_features,):
        raise ValueError(
            f"penalty_weights has shape {factors.shape}, expected ({n_features},)."
        )
    if (factors < 0.0).any():
        raise ValueError("penalty_weights must not be negative.")
    return factors


def validate_box(bounds, positive, n_features):
    """Bounds of each coefficient (lower, upper), None where there are none."""
    if bounds is None and not positive:
        return None
    if bounds is not None and len(bounds) != 2:
        raise ValueError(
            f"bounds must be a pair (lower, upper), got {len(bounds)} values."
        )
    lower, upper = (-np.inf, np.inf) if bounds is None else bounds
    ends = []
    for name, bound in (("lower", lower), ("upper", upper)):
        end = np.asarray(bound, dtype=np.float64)
        if end.ndim > 1 or (end.ndim == 1 and end.shape != (n_features,)):
            raise ValueError(
                f"The {name} end of bounds must be a number or have shape "
                f"({n_features},), got {end.shape}."
            )
        if np.isnan(end).any():
            raise ValueError(f"The {name} end of bounds contains NaN.")
        ends.append(np.broadcast_to(end, n_features).copy())
    lower, upper = ends
    if positive:
        lower = np.maximum(lower, 0.0)
    if (lower > upper).any():
        raise ValueError("bounds has lower ends above the upper ones.")
    if np.isposinf(lower).any() or np.isneginf(upper).any():
        raise ValueError("bounds leave out all finite coefficients.")
    return lower, upper


def should_be_whole(design, precompute=False, n_steps=1, n_likely=0):
    """Whether to work on all columns from the start.

    The Gram matrix of all columns costs as much as a few checks of a wide table, where
    columns are few, and most are likely to be needed; a path shares it.
    """
    n_columns = design.n_columns
    if precompute is True or n_columns <= MAX_WHOLE_COLUMNS:
        return True
    if 2 * n_likely > n_columns and n_columns <= 2 * MAX_WHOLE_COLUMNS:
        return True
    most = (2 if design.is_sparse else 4) * MAX_WHOLE_COLUMNS
    return n_steps > 1 and n_columns <= min(most, design.n_rows)


def check_given_gram(X, gram, x_mean, weights):
    """Compare one element of a user's Gram matrix with our own."""
    n_features = X.shape[1]
    if gram.shape != (n_features, n_features):
        raise ValueError(
            f"precompute has shape {gram.shape}, expected ({n_features}, {n_features})."
        )
    f1 = n_features // 2
    f2 = min(f1 + 1, n_features - 1)
    columns = [X[:, f].astype(np.float64) for f in (f1, f2)]
    if x_mean is not None:
        columns = [c - x_mean[f] for c, f in zip(columns, (f1, f2), strict=True)]
    product = columns[0] * columns[1]
    expected = float(np.sum(product if weights is None else product * weights))
    actual = gram[f1, f2]
    is_single = np.float32 in (X.dtype, gram.dtype)
    if not np.isclose(expected, actual, rtol=1e-4 if is_single else 1e-7, atol=1e-5):
        raise ValueError(
            "Gram matrix passed in via 'precompute' parameter "
            "did not pass validation when a single element was "
            "checked - please check that it was computed "
            f"properly. For element ({f1},{f2}) we computed "
            f"{expected} but the user-supplied value was "
            f"{actual}."
        )


def take_given_gram(X, precompute, x_mean, weights, check=True):
    """The user's Gram matrix if there is one and it can be used, else None."""
    if not isinstance(X, np.ndarray) or not hasattr(precompute, "__array__"):
        return None
    gram = np.asarray(precompute)
    if x_mean is not None and not np.allclose(x_mean, 0.0):
        warnings.warn(
            "Gram matrix was provided but X was centered to fit "
            "intercept: recomputing Gram matrix.",
            UserWarning,
            stacklevel=4,
        )
        return None
    if check:
        check_given_gram(X, gram, x_mean, weights)
    return gram


def warn_of_non_convergence(tracks, tol, stacklevel):
    """Warn once, of the step that is furthest from converged."""
    worst = None
    for track in tracks:
        for step, penalty in zip(track.steps, track.penalties, strict=True):
            if not step.has_converged:
                limit = tol * track.sample.y_norm2
                if worst is None or step.gap - limit > worst[0]:
                    worst = step.gap - limit, step.gap, limit, penalty.l1
    if worst is None:
        return
    _, gap, limit, l1 = worst
    message = f"{NON_CONVERGENCE} Duality gap: {gap:.6e}, tolerance: {limit:.3e}"
    if l1 < np.finfo(np.float64).eps:
        message += "\n" + NO_L1
    warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)


def iteration_limit(max_iter):
    """None stands for a number that is not reached."""
    return np.iinfo(np.int64).max if max_iter is None else int(max_iter)
