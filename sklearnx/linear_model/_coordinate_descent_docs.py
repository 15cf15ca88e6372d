"""The text that lasso and elastic nets share, written once."""

from __future__ import annotations

from sklearnx._docstrings import fill_from
from sklearnx.linear_model._frames import CATEGORICAL_DOC

_TEXTS = {
    "categorical_features": CATEGORICAL_DOC,
    "how": """
Wide tables are solved on a working set of columns that grows until no other column
could improve the objective, tall ones on the Gram matrix of all columns; either way by
coordinate descent with extrapolation [1]_, [2]_. The columns of sparse tables are
centred without being filled. The model has the same bits at any number of threads.
""",
    "alpha": """
alpha : float, default=1.0
    Factor of the penalty, not negative. For 0 prefer :class:`LinearRegression`.
""",
    "l1_ratio": """
l1_ratio : float, default=0.5
    Share of the l1 penalty, from 0 to 1.
""",
    "l1_ratio_cv": """
l1_ratio : float or list of float, default=0.5
    Share of the l1 penalty, from 0 to 1; of several values the one with the smallest
    error is chosen. For 0, `alphas` must be listed.
""",
    "fit_intercept": """
fit_intercept : bool, default=True
    Whether to fit an intercept.
""",
    "precompute": """
precompute : bool or array-like of shape (n_features, n_features), default=False
    True works on the Gram matrix of all columns, an array is that matrix (of the
    centred columns, if there is an intercept). False chooses what is fastest. Ignored
    for sparse `X`.
""",
    "precompute_cv": """
precompute : 'auto', bool or array-like of shape (n_features, n_features), \
        default='auto'
    True works on the Gram matrices of all columns. An array is checked and used for the
    final fit. Otherwise what is fastest is chosen. Ignored for sparse `X`.
""",
    "max_iter": """
max_iter : int, default=1000
    Largest number of sweeps of coordinate descent over a working set.
""",
    "copy_X": """
copy_X : bool, default=True
    `X` is never changed, whatever the value.
""",
    "tol": """
tol : float, default=1e-4
    The duality gap to stop at, as a share of the sum of squares of the centred targets.
""",
    "warm_start": """
warm_start : bool, default=False
    Whether `fit` starts from the coefficients of the previous one.
""",
    "positive": """
positive : bool, default=False
    Whether coefficients may not be negative. With ``alpha=0`` all levels of categorical
    features then have one.
""",
    "positive_cv": """
positive : bool, default=False
    Whether coefficients may not be negative.
""",
    "random_state": """
random_state : int, RandomState instance or None, default=None
    Validated, without effect: no order is drawn at random.
""",
    "selection": """
selection : {'cyclic', 'random'}, default='cyclic'
    Both values lead to the same solution, by the order that suits the working set.
""",
    "penalty_weights": """
penalty_weights : array-like of shape (n_features,) or None, default=None
    Factor of the penalty of each coefficient, not negative; 0 leaves it free. None
    means ones. As in the adaptive lasso [3]_.
""",
    "bounds": """
bounds : tuple of (lower, upper) or None, default=None
    Bounds of the coefficients: numbers, or arrays of shape (n_features,); may be
    infinite.
""",
    "fitted": """
coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
    Coefficients, of the dtype of `X`.
intercept_ : float or ndarray of shape (n_targets,)
    Intercept; 0.0 without one.
dual_gap_ : float or ndarray of shape (n_targets,)
    Duality gap at the end: the objective is at most that far from its minimum.
n_iter_ : int or list of int
    Sweeps of coordinate descent over the working sets, of each target.
""",
    "fitted_single": """
sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
    `coef_` without its zeros.
""",
    "fitted_joint": """
coef_ : ndarray of shape (n_targets, n_features)
    Coefficients, of the dtype of `X`.
intercept_ : float or ndarray of shape (n_targets,)
    Intercepts; 0.0 without one.
dual_gap_ : float
    Duality gap at the end: the objective is at most that far from its minimum.
n_iter_ : int
    Sweeps of coordinate descent over the working sets.
sparse_coef_ : sparse matrix of shape (n_targets, n_features)
    `coef_` without its zeros.
""",
    "seen": """
n_features_in_ : int
    Number of features seen in `fit`.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the features, if `X` had names that are all strings.
""",
    "stopping": """
For convergence the duality gap must be at most `tol` times the (weighted) sum of
squares of the centred targets, both divided by the number of rows in `dual_gap_`.
""",
    "references": """
.. [1] M. Massias, A. Gramfort and J. Salmon, "Celer: a fast solver for the lasso with
   dual extrapolation", ICML 2018, algorithm 4.
.. [2] Q. Bertrand and M. Massias, "Anderson acceleration of coordinate descent",
   AISTATS 2021, algorithm 1.
.. [3] H. Zou, "The adaptive lasso and its oracle properties", JASA 101 (2006),
   equation 4.
""",
    "path_data": """
X : array-like or sparse matrix of shape (n_samples, n_features)
    Training data, of float64 or float32; it is neither copied nor changed.
y : array-like or sparse matrix of shape (n_samples,) or (n_samples, n_targets)
    Targets.
""",
    "path_grid": """
eps : float, default=1e-3
    The smallest penalty of a grid as a share of the largest.
n_alphas : int, default='deprecated'
    Number of penalties; give `alphas` an int instead.
alphas : int or array-like, default=100
    Penalties, or how many of a geometric grid from the smallest for which all
    coefficients are zero.
precompute : 'auto', bool or array-like of shape (n_features, n_features), \
        default='auto'
    True works on the Gram matrix of all columns, an array is that matrix. Otherwise
    what is fastest is chosen. Ignored for sparse `X`.
Xy : array-like of shape (n_features,) or (n_features, n_targets), default=None
    ``X.T @ y``, used with a Gram matrix only.
""",
    "path_rest": """
copy_X : bool, default=True
    `X` is never changed, whatever the value.
coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
    Where to start; zeros by default.
verbose : bool or int, default=False
    1 writes a dot for each penalty to stderr, 2 a line.
return_n_iter : bool, default=False
    Whether to return the numbers of sweeps.
positive : bool, default=False
    Whether coefficients may not be negative; for one target only.
""",
    "path_params": """
**params : dict
    `tol`, `max_iter`, `selection` and `random_state` of :class:`ElasticNet`;
    `sample_weight`; `X_offset`, means to take from the columns of sparse `X`.
""",
    "path_results": """
alphas : ndarray of shape (n_alphas,)
    Penalties, from large to small.
coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
    Coefficients for each.
dual_gaps : ndarray of shape (n_alphas,)
    Duality gaps at the end.
n_iters : list of int
    Sweeps of coordinate descent for each penalty; only if `return_n_iter`.
""",
    "eps": """
eps : float, default=1e-3
    The smallest penalty of a grid as a share of the largest.
""",
    "alphas": """
alphas : int or array-like, default=100
    Penalties, or how many of a geometric grid from the smallest for which all
    coefficients are zero, for each `l1_ratio`.
""",
    "cv": """
cv : int, splitter, iterable or None, default=None
    Folds: None means 5, an int how many, of :class:`sklearn.model_selection.KFold`. A
    splitter, or an iterable of (train, test) indices.
""",
    "verbose_cv": """
verbose : bool or int, default=False
    Accepted, without effect.
""",
    "n_jobs": """
n_jobs : int or None, default=None
    Threads. None means all cores that the process may use.
""",
    "fitted_cv": """
alpha_ : float
    The chosen penalty.
coef_ : ndarray of shape ({coef_shape})
    Coefficients of the fit to all rows, of the dtype of `X`.
intercept_ : float or ndarray of shape (n_targets,)
    Intercept; 0.0 without one.
mse_path_ : ndarray of shape ({l1_shape}n_alphas, n_folds)
    Mean squared error of each fold's test rows.
alphas_ : ndarray of shape (n_alphas,){alphas_shape}
    Penalties that were tried, from large to small.
dual_gap_ : float
    Duality gap of the final fit.
n_iter_ : int
    Sweeps of coordinate descent of the final fit.
""",
}

# Fills the fields of a class's or function's docstring.
document = fill_from(_TEXTS)


def fill_cv(is_joint, has_ratio):
    """The attributes of the cross-validated estimators."""
    text = _TEXTS["fitted_cv"]
    values = {
        "coef_shape": "n_targets, n_features" if is_joint else "n_features,",
        "l1_shape": "n_l1_ratios, " if has_ratio else "",
        "alphas_shape": " or (n_l1_ratios, n_alphas)" if has_ratio else "",
    }
    return text.format(**values)


_TEXTS["fitted_lasso_cv"] = fill_cv(is_joint=False, has_ratio=False)
_TEXTS["fitted_enet_cv"] = fill_cv(is_joint=False, has_ratio=True)
_TEXTS["fitted_joint_lasso_cv"] = fill_cv(is_joint=True, has_ratio=False)
_TEXTS["fitted_joint_enet_cv"] = fill_cv(is_joint=True, has_ratio=True)
