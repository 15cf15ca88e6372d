"""Coefficients of lasso and elastic nets along paths of penalties."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length, check_random_state

from sklearnx._compat import Hidden, Interval, StrOptions, validate_params
from sklearnx._glm.design import make_design
from sklearnx._glm.paths import PathSolver
from sklearnx._glm.penalties import ElasticNet as ElasticNetPenalty
from sklearnx._glm.samples import make_samples
from sklearnx._glm.tracks import (
    Settings,
    Track,
    compute_alpha_max,
    make_penalties,
    spread,
)
from sklearnx._glm.working_set import use_known_gram
from sklearnx.linear_model._coordinate_descent_data import (
    contiguous,
    iteration_limit,
    normalise_weights,
    should_be_whole,
    take_given_gram,
    validate_box,
    warn_of_non_convergence,
)
from sklearnx.linear_model._coordinate_descent_docs import document
from sklearnx.linear_model._regression_data import FLOATS, count_threads

_PATH_CONSTRAINTS = {
    "X": ["array-like", "sparse matrix"],
    "y": ["array-like", "sparse matrix"],
    "eps": [Interval(Real, 0, None, closed="neither")],
    "n_alphas": [
        Interval(Integral, 1, None, closed="left"),
        Hidden(StrOptions({"deprecated"})),
    ],
    "alphas": [
        Interval(Integral, 1, None, closed="left"),
        "array-like",
        None,
        Hidden(StrOptions({"warn"})),
    ],
    "precompute": [StrOptions({"auto"}), "boolean", "array-like"],
    "Xy": ["array-like", None],
    "copy_X": ["boolean"],
    "coef_init": ["array-like", None],
    "verbose": ["verbose"],
    "return_n_iter": ["boolean"],
    "positive": ["boolean"],
}


def _resolve_alphas(alphas, n_alphas):
    """The number or list of alphas, after the deprecations of scikit-learn 1.9."""
    resolved = 100
    if n_alphas != "deprecated":
        warnings.warn(
            "'n_alphas' was deprecated in 1.9 and will be removed in 1.11. "
            "'alphas' now accepts an integer value which removes the need to pass "
            "'n_alphas'. The default value of 'alphas' will change from None to "
            "100 in 1.11. Pass an explicit value to 'alphas' and leave 'n_alphas' "
            "to its default value to silence this warning.",
            FutureWarning,
            stacklevel=4,
        )
        resolved = n_alphas
    if isinstance(alphas, str) and alphas == "warn":
        return resolved
    if alphas is None:
        warnings.warn(
            "'alphas=None' is deprecated and will be removed in 1.11, at which "
            "point the default value will be set to 100. Set 'alphas=100' "
            "to silence this warning.",
            FutureWarning,
            stacklevel=4,
        )
        return resolved
    return alphas


@document
@validate_params(_PATH_CONSTRAINTS, prefer_skip_nested_validation=True)
def lasso_path(
    X,
    y,
    *,
    eps=1e-3,
    n_alphas="deprecated",
    alphas="warn",
    precompute="auto",
    Xy=None,
    copy_X=True,
    coef_init=None,
    verbose=False,
    return_n_iter=False,
    positive=False,
    **params,
):
    """Compute the coefficients of the lasso for many penalties.

    For one target, minimises :math:`\\frac{1}{2 n} \\|y - X w\\|_2^2 + \\alpha
    \\|w\\|_1`, for several the objective of `MultiTaskLasso`; there is no intercept.

    Parameters
    ----------
    {path_data}
    {path_grid}
    {path_rest}

    Returns
    -------
    {path_results}

    See Also
    --------
    enet_path : With an l2 penalty as well.
    Lasso : For one penalty.
    LassoCV : Chooses the penalty by cross-validation.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import lasso_path
    >>> X = np.array([[1, 2, 3.1], [2.3, 5.4, 4.3]]).T
    >>> alphas, coefs, gaps = lasso_path(X, [1, 2, 3.1], alphas=[5.0, 1.0, 0.5])
    >>> coefs.round(3)
    array([[0.   , 0.   , 0.469],
           [0.216, 0.443, 0.237]])
    """
    return _solve_path(
        X,
        y,
        1.0,
        eps,
        _resolve_alphas(alphas, n_alphas),
        precompute,
        Xy,
        coef_init,
        verbose,
        return_n_iter,
        positive,
        True,
        params,
    )


@document
@validate_params(
    {
        **_PATH_CONSTRAINTS,
        "l1_ratio": [Interval(Real, 0.0, 1.0, closed="both")],
        "check_input": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def enet_path(
    X,
    y,
    *,
    l1_ratio=0.5,
    eps=1e-3,
    n_alphas="deprecated",
    alphas="warn",
    precompute="auto",
    Xy=None,
    copy_X=True,
    coef_init=None,
    verbose=False,
    return_n_iter=False,
    positive=False,
    check_input=True,
    **params,
):
    """Compute the coefficients of the elastic net for many penalties.

    Minimises the objective of `ElasticNet` for one target, of `MultiTaskElasticNet` for
    several; there is no intercept.

    Parameters
    ----------
    {path_data}
    {l1_ratio}
    {path_grid}
    {path_rest}
    check_input : bool, default=True
        Whether to validate `X`, `y` and a Gram matrix. If not, they must be arrays of
        floats.
    {path_params}

    Returns
    -------
    {path_results}

    See Also
    --------
    lasso_path : Without the l2 penalty.
    ElasticNet : For one penalty.
    ElasticNetCV : Chooses the penalty by cross-validation.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearnx.linear_model import enet_path
    >>> X, y = make_regression(
    ...     n_samples=100, n_features=5, n_informative=2, random_state=0
    ... )
    >>> alphas, coefs, gaps = enet_path(X, y, alphas=3)
    >>> coefs.shape
    (5, 3)
    """
    return _solve_path(
        X,
        y,
        l1_ratio,
        eps,
        _resolve_alphas(alphas, n_alphas),
        precompute,
        Xy,
        coef_init,
        verbose,
        return_n_iter,
        positive,
        check_input,
        params,
    )


def _solve_path(
    X, y, l1_ratio, eps, alphas, precompute, Xy, coef_init, verbose, return_n_iter,
    positive, check_input, params,
):  # fmt: skip
    """Solve a path of validated parameters; see `enet_path`."""
    offset = params.pop("X_offset", None)
    params.pop("X_scale", None)
    sample_weight = params.pop("sample_weight", None)
    tol = params.pop("tol", 1e-4)
    max_iter = params.pop("max_iter", 1000)
    check_random_state(params.pop("random_state", None))
    selection = params.pop("selection", "cyclic")
    params.pop("do_screening", True)
    if params:
        raise ValueError("Unexpected parameters in params", params.keys())
    if selection not in ["random", "cyclic"]:
        raise ValueError("selection should be either random or cyclic.")
    if check_input:
        X = check_array(X, accept_sparse=["csr", "csc"], dtype=FLOATS)
        y = check_array(y, accept_sparse="csc", dtype=X.dtype.type, ensure_2d=False)
        check_consistent_length(X, y)
    Y = y.toarray() if sparse.issparse(y) else np.asarray(y)
    is_multiple = Y.ndim != 1
    if is_multiple and positive:
        raise ValueError("positive=True is not allowed for multi-output (y.ndim != 1)")
    Y = Y.reshape(len(Y), -1).astype(np.float64)
    weights = normalise_weights(sample_weight, X)

    design = make_design(contiguous(X), count_threads(X))
    n_features = design.n_columns
    sample = make_samples(design, Y, [weights], fit_intercept=False)[0]
    if offset is not None and sparse.issparse(X):
        _shift(sample, np.asarray(offset, dtype=np.float64))
    gram = take_given_gram(X, precompute, None, weights, check_input)
    if gram is not None and Xy is not None:
        sample.xty = np.array(Xy, dtype=np.float64).reshape(n_features, -1)

    n_alphas = alphas if isinstance(alphas, Integral) else len(alphas)
    settings = Settings(
        tol=tol,
        max_iter=iteration_limit(max_iter),
        factors=np.ones(n_features),
        box=validate_box(None, positive, n_features),
        is_whole=gram is not None or should_be_whole(design, precompute, n_alphas),
        n_threads=design.n_threads,
    )
    if isinstance(alphas, Integral):
        alphas = make_alphas(design, sample, l1_ratio, eps, alphas, settings)
    else:
        alphas = np.sort(np.asarray(alphas))[::-1]
    track = Track(sample, make_penalties(alphas, l1_ratio, sample.total))
    known = None if gram is None else use_known_gram(design, sample, gram)
    coefs = None
    if coef_init is not None:
        coefs = [np.asarray(coef_init, dtype=np.float64).reshape(-1, n_features)]
    PathSolver(design, [track], settings, known, coefs).solve()
    warn_of_non_convergence([track], tol, stacklevel=4)

    coefs = np.stack(
        [spread(track, i, n_features) for i in range(len(alphas))], axis=-1
    )
    coefs = coefs.astype(X.dtype)
    gaps = np.array([step.gap / sample.total for step in track.steps])
    if verbose:
        _report(alphas, track.steps, verbose)
    results = alphas, coefs if is_multiple else coefs[0], gaps
    return (
        (*results, [int(s.n_iter) for s in track.steps]) if return_n_iter else results
    )


def _shift(sample, offset):
    """Let a sample count its columns less an offset."""
    sample.x_mean = offset
    sample.is_centred = False
    weighted = sample.apply_weights(sample.y)
    sample.xty = sample.xty - offset[:, None] * weighted.sum(axis=0)


def _report(alphas, steps, verbose):
    """Tell of a path on stderr, a line an alpha from verbose=2 on."""
    if verbose < 2:
        sys.stderr.write("." * len(steps))
        return
    for i, (alpha, step) in enumerate(zip(alphas, steps, strict=True)):
        sys.stderr.write(
            f"Path: {i:03d} out of {len(steps):03d}, alpha {alpha:.6g}, "
            f"{step.n_iter} iterations, duality gap {step.gap:.3e}\n"
        )


def make_alphas(design, sample, l1_ratio, eps, n_alphas, settings):
    """A geometric grid from the smallest alpha at which all coefficients are zero.

    Those without a penalty are fitted.
    """
    if l1_ratio == 0:
        raise ValueError(
            "Automatic alpha grid generation is not supported for"
            " l1_ratio=0. Please supply a grid by providing "
            "your estimator with the appropriate `alphas=` "
            "argument."
        )
    correlations = sample.xty
    if (settings.factors == 0.0).any():
        track = Track(
            sample, [ElasticNetPenalty(1e3 * float(np.abs(sample.xty).max()))]
        )
        PathSolver(design, [track], replace(settings, tol=1e-8, is_whole=False)).solve()
        correlations = track.correlations
    is_positive = settings.box is not None and not (settings.box[0] < 0.0).any()
    alpha_max = compute_alpha_max(correlations, settings.factors, is_positive)
    alpha_max /= sample.total * l1_ratio
    resolution = np.finfo(np.float64).resolution
    if alpha_max <= resolution:
        return np.full(n_alphas, resolution)
    return np.geomspace(alpha_max, alpha_max * eps, num=n_alphas)
