"""Lasso and elastic net of several targets that share their features."""

from __future__ import annotations

from typing import ClassVar

import sklearn.linear_model

from sklearnx._compat import fit_context
from sklearnx.linear_model._coordinate_descent import ElasticNet
from sklearnx.linear_model._coordinate_descent_data import validate_table_and_targets
from sklearnx.linear_model._coordinate_descent_docs import document


class _CheckInputRequest:
    """A last base, for scikit-learn's ElasticNet takes `check_input` off what metadata
    fit may request, also where fit has no such parameter.
    """

    __metadata_request__fit: ClassVar[dict] = {"check_input": None}


@document
class MultiTaskElasticNet(
    ElasticNet, sklearn.linear_model.MultiTaskElasticNet, _CheckInputRequest
):
    """Least squares of several targets with an l1/l2 and a squared l2 penalty.

    Minimises

    .. math::

        \\frac{1}{2 n} \\|Y - X W - b\\|_F^2 + \\alpha \\rho \\sum_j \\|W_j\\|_2
        + \\frac{\\alpha (1 - \\rho)}{2} \\|W\\|_F^2

    where :math:`W_j` are the coefficients of feature j for all targets, which are zero
    together, and :math:`\\rho` is `l1_ratio`.

    {how}

    Parameters
    ----------
    {alpha}
    {l1_ratio}
    {fit_intercept}
    {copy_X}
    {max_iter}
    {tol}
    {warm_start}
    {random_state}
    {selection}
    {categorical_features}

    Attributes
    ----------
    {fitted_joint}
    {seen}

    See Also
    --------
    MultiTaskLasso : The same without the squared penalty.
    MultiTaskElasticNetCV : Chooses `alpha` and `l1_ratio` by cross-validation.
    ElasticNet : Fits several targets one by one.

    Notes
    -----
    {stopping}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearnx.linear_model import MultiTaskElasticNet
    >>> model = MultiTaskElasticNet(alpha=0.1)
    >>> model.fit([[0, 0], [1, 1], [2, 2]], [[0, 0], [1, 1], [2, 2]])
    MultiTaskElasticNet(alpha=0.1)
    >>> model.intercept_.round(3)
    array([0.087, 0.087])
    """

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in ElasticNet._parameter_constraints.items()
        if name not in ("precompute", "positive", "penalty_weights", "bounds")
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="cyclic",
        categorical_features=None,
        handle_unknown="error",
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    def _solves_jointly(self):
        return True

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data, of float64 or float32; other numbers are converted. It is
            neither copied nor changed.
        y : array-like of shape (n_samples, n_targets)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, of which only ratios matter. A number is no weights.

        Returns
        -------
        self : MultiTaskElasticNet
            The fitted estimator.
        """
        X, y = validate_table_and_targets(self, X, y, sample_weight)
        if y.ndim == 1:
            name = "ElasticNet" if hasattr(self, "l1_ratio") else "Lasso"
            raise ValueError(f"For mono-task outputs, use {name}")
        coef, intercept, gaps, n_iters = self._solve(X, y, sample_weight, True)
        self.coef_, self.dual_gap_, self.n_iter_ = coef, gaps[0], n_iters[0]
        self.intercept_ = intercept if self.fit_intercept else 0.0
        return self


@document
class MultiTaskLasso(MultiTaskElasticNet, sklearn.linear_model.MultiTaskLasso):
    """Least squares of several targets with an l1/l2 penalty.

    Minimises

    .. math::

        \\frac{1}{2 n} \\|Y - X W - b\\|_F^2 + \\alpha \\sum_j \\|W_j\\|_2

    where :math:`W_j` are the coefficients of feature j for all targets, which are zero
    together.

    {how}

    Parameters
    ----------
    {alpha}
    {fit_intercept}
    {copy_X}
    {max_iter}
    {tol}
    {warm_start}
    {random_state}
    {selection}
    {categorical_features}

    Attributes
    ----------
    {fitted_joint}
    {seen}

    See Also
    --------
    MultiTaskLassoCV : Chooses `alpha` by cross-validation.
    MultiTaskElasticNet : With a squared penalty as well.
    Lasso : Fits several targets one by one.

    Notes
    -----
    {stopping}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearnx.linear_model import MultiTaskLasso
    >>> model = MultiTaskLasso(alpha=0.1)
    >>> model.fit([[0, 1], [1, 2], [2, 4]], [[0, 0], [1, 1], [2, 3]])
    MultiTaskLasso(alpha=0.1)
    >>> model.intercept_.round(3)
    array([-0.419, -0.874])
    """

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in MultiTaskElasticNet._parameter_constraints.items()
        if name != "l1_ratio"
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="cyclic",
        categorical_features=None,
        handle_unknown="error",
    ):
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            random_state=random_state,
            selection=selection,
            categorical_features=categorical_features,
            handle_unknown=handle_unknown,
        )
