"""Lasso and elastic net."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
import sklearn.linear_model
from sklearn.utils import check_random_state

from sklearnx._compat import Interval, StrOptions, fit_context
from sklearnx._glm.design import make_design
from sklearnx._glm.paths import PathSolver
from sklearnx._glm.samples import make_samples
from sklearnx._glm.tracks import Settings, Track, make_penalties, spread
from sklearnx._glm.working_set import use_known_gram
from sklearnx.linear_model._coordinate_descent_data import (
    NO_PENALTY,
    NON_FINITE,
    contiguous,
    iteration_limit,
    normalise_weights,
    refuse_table,
    should_be_whole,
    take_given_gram,
    validate_box,
    validate_factors,
    warn_of_non_convergence,
)
from sklearnx.linear_model._coordinate_descent_docs import document
from sklearnx.linear_model._coordinate_descent_paths import enet_path
from sklearnx.linear_model._frames import (
    CATEGORICAL_CONSTRAINTS,
    CategoricalColumnsMixin,
    validate_table,
)
from sklearnx.linear_model._prediction import LinearRegressorPrediction
from sklearnx.linear_model._regression_data import FLOATS, count_threads


class ElasticNetFit(CategoricalColumnsMixin):
    """What the estimators of one penalty share."""

    def _solve(self, X, Y, sample_weight, check_input):
        """Solve for validated data; set the attributes.

        Y (n_samples, n_targets); targets are solved one by one, unless multi-task.
        """
        n_features = X.shape[1]
        is_joint = self._solves_jointly()
        weights = normalise_weights(sample_weight, X)
        factors = validate_factors(getattr(self, "penalty_weights", None), n_features)
        box = validate_box(
            getattr(self, "bounds", None), getattr(self, "positive", False), n_features
        )
        check_random_state(self.random_state)
        precompute = getattr(self, "precompute", False)
        design = make_design(contiguous(X), count_threads(X))
        Y = Y.astype(np.float64)
        blocks = [Y] if is_joint else [column[:, None] for column in Y.T]
        samples = [
            make_samples(design, block, [weights], self.fit_intercept)[0]
            for block in blocks
        ]
        if not all(np.isfinite(sample.xty).all() for sample in samples):
            refuse_table(self, X)
        gram = take_given_gram(X, precompute, samples[0].x_mean, weights, check_input)
        total = samples[0].total
        tracks = [
            Track(sample, make_penalties([self.alpha], self.l1_ratio, total))
            for sample in samples
        ]
        n_likely = min(track.count_violators(factors) for track in tracks)
        is_whole = should_be_whole(design, precompute, n_likely=n_likely)
        settings = Settings(
            tol=self.tol,
            max_iter=iteration_limit(self.max_iter),
            factors=factors,
            box=box,
            is_whole=is_whole or gram is not None,
            n_threads=design.n_threads,
        )
        known = None if gram is None else use_known_gram(design, samples[0], gram)
        coefs = self._starting_coefs(len(blocks), Y.shape[1], n_features)
        PathSolver(design, tracks, settings, known, coefs).solve()
        warn_of_non_convergence(tracks, self.tol, stacklevel=5)
        steps = [track.steps[0] for track in tracks]
        coef = np.concatenate([spread(track, 0, n_features) for track in tracks])
        intercept = np.concatenate(
            [
                sample.intercept(block)
                for sample, block in zip(
                    samples, [coef] if is_joint else coef[:, None], strict=True
                )
            ]
        )
        gaps = np.array([step.gap / total for step in steps]).astype(X.dtype)
        n_iters = [int(step.n_iter) for step in steps]
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError(NON_FINITE)
        return coef.astype(X.dtype), intercept.astype(X.dtype), gaps, n_iters

    def _drops_reference(self):
        """Whether reference levels of categories have no coefficient."""
        is_bounded = getattr(self, "positive", False) or (
            getattr(self, "bounds", None) is not None
        )
        return self.fit_intercept and self.alpha == 0 and not is_bounded

    def _starting_coefs(self, n_blocks, n_targets, n_features):
        """Coefficients (n_targets, n_features) of each block to start from, or None."""
        if not self.warm_start or not hasattr(self, "coef_"):
            return None
        coef = np.asarray(self.coef_, dtype=np.float64)
        if self.categorical_features is not None and coef.shape[-1] != n_features:
            return None  # other levels
        coef = coef.reshape(-1, n_features)
        if len(coef) != n_targets or not np.isfinite(coef).all():
            return None
        return [coef] if n_blocks == 1 else list(coef[:, None])


@document
class ElasticNet(
    LinearRegressorPrediction, ElasticNetFit, sklearn.linear_model.ElasticNet
):
    """Linear least squares with an l1 and a squared l2 penalty.

    Minimises

    .. math::

        \\frac{1}{2 n} \\|y - X w - b\\|_2^2 + \\alpha \\rho \\|w\\|_1
        + \\frac{\\alpha (1 - \\rho)}{2} \\|w\\|_2^2

    over the coefficients w and the intercept b, :math:`\\rho` being `l1_ratio`.

    {how}

    Parameters
    ----------
    {alpha}
    {l1_ratio}
    {fit_intercept}
    {precompute}
    {max_iter}
    {copy_X}
    {tol}
    {warm_start}
    {positive}
    {random_state}
    {selection}
    {penalty_weights}
    {bounds}
    {categorical_features}

    Attributes
    ----------
    {fitted}
    {fitted_single}
    {seen}

    See Also
    --------
    Lasso : The same without the l2 penalty.
    ElasticNetCV : Chooses `alpha` and `l1_ratio` by cross-validation.
    MultiTaskElasticNet : Several targets that share their features.
    Ridge : The l2 penalty alone, solved directly.

    Notes
    -----
    {stopping}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearnx.linear_model import ElasticNet
    >>> X, y = make_regression(n_features=2, random_state=0)
    >>> model = ElasticNet(alpha=1.0).fit(X, y)
    >>> model.coef_.round(3)
    array([18.838, 64.56 ])
    >>> model.predict([[0, 0]]).round(3)
    array([1.451])
    """

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "precompute": ["boolean", "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "selection": [StrOptions({"cyclic", "random"})],
        "penalty_weights": ["array-like", None],
        "bounds": [tuple, list, None],
        **CATEGORICAL_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        precompute=False,
        max_iter=1000,
        copy_X=True,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
        penalty_weights=None,
        bounds=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.penalty_weights = penalty_weights
        self.bounds = bounds
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @staticmethod
    def path(*args, **kwargs):
        """Compute the elastic net path; see :func:`enet_path`."""
        return enet_path(*args, **kwargs)

    def _solves_jointly(self):
        return False

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, check_input=True):
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data, of float64 or float32; other numbers are converted. It is
            neither copied nor changed.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. Several are fitted one by one.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, of which only ratios matter. A number is no weights.
        check_input : bool, default=True
            Whether to validate `X` and `y`. If not, they must be arrays of floats. They
            always are with categorical features.

        Returns
        -------
        self : ElasticNet
            The fitted estimator.
        """
        if self.alpha == 0:
            warnings.warn(NO_PENALTY, stacklevel=3)
        vars(self).pop("_table_encoder", None)
        if check_input or self.categorical_features is not None:
            X, y = validate_table(
                self,
                X,
                y,
                sample_weight,
                drops_reference=self._drops_reference(),
                accept_sparse=["csr", "csc"],
                dtype=FLOATS,
                multi_output=True,
                y_numeric=True,
                ensure_all_finite=False,
            )
        Y = np.asarray(y)
        is_single = Y.ndim == 1 or Y.shape[1] == 1
        coef, intercept, gaps, n_iters = self._solve(
            X, Y.reshape(len(Y), -1), sample_weight, check_input
        )
        self.coef_, self.dual_gap_, self.n_iter_ = coef, gaps, n_iters
        if is_single:
            self.coef_, self.dual_gap_, self.n_iter_ = coef[0], gaps[0], n_iters[0]
        self.intercept_ = 0.0
        if self.fit_intercept:
            self.intercept_ = intercept[0] if Y.ndim == 1 else intercept
        return self


@document
class Lasso(ElasticNet, sklearn.linear_model.Lasso):
    """Linear least squares with an l1 penalty, which sets coefficients to zero.

    Minimises

    .. math::

        \\frac{1}{2 n} \\|y - X w - b\\|_2^2 + \\alpha \\|w\\|_1

    over the coefficients w and the intercept b.

    {how}

    Parameters
    ----------
    {alpha}
    {fit_intercept}
    {precompute}
    {copy_X}
    {max_iter}
    {tol}
    {warm_start}
    {positive}
    {random_state}
    {selection}
    {penalty_weights}
    {bounds}
    {categorical_features}

    Attributes
    ----------
    {fitted}
    {fitted_single}
    {seen}

    See Also
    --------
    LassoCV : Chooses `alpha` by cross-validation.
    ElasticNet : With an l2 penalty as well.
    lasso_path : The coefficients for many values of `alpha`.
    MultiTaskLasso : Several targets that share their features.

    Notes
    -----
    {stopping}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearnx.linear_model import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0, 0], [1, 1], [2, 2]], [0, 1, 2])
    >>> model.coef_
    array([0.85, 0.  ])
    >>> round(float(model.intercept_), 6)
    0.15
    """

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in ElasticNet._parameter_constraints.items()
        if name != "l1_ratio"
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        precompute=False,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
        penalty_weights=None,
        bounds=None,
        categorical_features=None,
        handle_unknown="error",
    ):
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            penalty_weights=penalty_weights,
            bounds=bounds,
            categorical_features=categorical_features,
            handle_unknown=handle_unknown,
        )
