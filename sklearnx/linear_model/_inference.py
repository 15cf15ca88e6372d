"""Standard errors, tests and intervals of fitted linear models."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import special
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from sklearnx._compat import check_sample_weight
from sklearnx._glm.design import make_design
from sklearnx._glm.families import Multinomial
from sklearnx._glm.likelihood import evaluate_multinomial, evaluate_one_output
from sklearnx._threads import effective_n_threads, n_threads_for
from sklearnx._validation import validate_data
from sklearnx.linear_model._inference_models import describe_model
from sklearnx.linear_model._inference_result import Inference

COVARIANCES = ("model", "HC0", "HC1", "HC3")
# Squared distance from the optimum, in standard errors, from which a fit is doubted.
FAR_FROM_OPTIMUM = 0.01


def infer(
    estimator,
    X,
    y,
    sample_weight=None,
    offset=None,
    *,
    level=0.95,
    covariance="model",
    dispersion=None,
):
    """Standard errors, tests and confidence intervals of a fitted linear model.

    Nothing is fitted again: one more pass over the data that the estimator was fitted
    to gives the information about its coefficients.

    Parameters
    ----------
    estimator : estimator
        A fitted LinearRegression, LogisticRegression, PoissonRegressor, GammaRegressor
        or TweedieRegressor, best without penalty; Ridge or RidgeCV; or one of those
        with an l2 penalty. Scikit-learn's classes of these names are taken as well.

    X : array-like or sparse matrix of shape (n_samples, n_features)
        The data that `estimator` was fitted to.

    y : array-like of shape (n_samples,)
        Their target.

    sample_weight : array-like of shape (n_samples,), default=None
        The weights given to `fit`. They count rows: a weight of 2 is the row twice.

    offset : array-like of shape (n_samples,), default=None
        The offset given to `fit`.

    level : float, default=0.95
        Of the confidence intervals, between 0 and 1.

    covariance : {'model', 'HC0', 'HC1', 'HC3'}, default='model'
        'model' trusts the distribution that the model assumes. The others hold where
        the variance is another one, and differ in their correction for few rows [1]_:
        none (HC0), n / (n - k) (HC1), by leverages (HC3; not for several classes).

    dispersion : float or 'pearson', default=None
        The factor phi of the variance. None estimates it from Pearson's statistic, save
        for the binomial and Poisson distributions, where it is 1. ``"pearson"``
        estimates it for those too (quasi-likelihood).

    Returns
    -------
    inference : Inference
        Coefficients with their errors; prints as a table.

    Raises
    ------
    ValueError
        Where standard errors are not valid, as after an l1 penalty.

    See Also
    --------
    LinearRegression.summary : The same as a method.

    Notes
    -----
    With an l2 penalty the covariance is that of the shrunken coefficients, for Ridge
    ``sigma^2 (X'X + alpha I)^-1 X'X (X'X + alpha I)^-1`` [2]_, and sigma^2 is the
    residual sum of squares over n - trace(2 H - H H') [3]_. The bias is left out.

    References
    ----------
    .. [1] J. G. MacKinnon and H. White. "Some heteroskedasticity-consistent covariance
       matrix estimators with improved finite sample properties". Journal of
       Econometrics 29.3 (1985), pages 305-325.
    .. [2] A. E. Hoerl and R. W. Kennard. "Ridge regression: biased estimation for
       nonorthogonal problems". Technometrics 12.1 (1970), pages 55-67. Equation 3.5.
    .. [3] E. Cule, P. Vineis and M. De Iorio. "Significance testing in ridge regression
       for genetic data". BMC Bioinformatics 12 (2011), article 372.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import LinearRegression, infer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> y = 3 * X[:, 0] + rng.normal(size=100)
    >>> inference = infer(LinearRegression().fit(X, y), X, y)
    >>> inference.names
    ['intercept', 'x0', 'x1']
    >>> inference.p_values[1] < 0.001 < inference.p_values[2]
    np.True_
    """
    return _infer(estimator, X, y, sample_weight, offset, level, covariance, dispersion)


def _infer(estimator, X, y, sample_weight, offset, level, covariance, dispersion):
    """`infer`, and `summary` of estimators: both are one call above it."""
    check_is_fitted(estimator)
    _check_options(level, covariance, dispersion)
    design, y, weights, offset = _check_data(estimator, X, y, sample_weight, offset)
    total = float(weights.sum())
    model = describe_model(estimator, total)
    coefs = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    intercepts = np.ravel(np.asarray(estimator.intercept_, dtype=np.float64))
    is_multinomial = isinstance(model.family, Multinomial)
    if len(coefs) > 1 and not is_multinomial:
        raise ValueError(
            "infer takes one target; fit one estimator for each column of y."
        )
    fitted = (evaluate_multinomial if is_multinomial else evaluate_one_output)(
        model, design, y, weights, offset, coefs, intercepts, covariance
    )
    return _Assembler(
        estimator, model, design, fitted, weights, level, covariance, dispersion
    ).make_inference()


def _check_options(level, covariance, dispersion):
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level!r}.")
    if covariance not in COVARIANCES:
        raise ValueError(
            f"covariance must be one of {COVARIANCES}, got {covariance!r}."
        )
    if dispersion in (None, "pearson"):
        return
    if isinstance(dispersion, str) or not (np.isfinite(dispersion) and dispersion > 0):
        raise ValueError(
            "dispersion must be a number above 0, 'pearson' or None, got "
            f"{dispersion!r}."
        )


def _check_data(estimator, X, y, sample_weight, offset):
    """The design, the target as numbers, weights and offsets."""
    encoder = getattr(estimator, "_table_encoder", None)
    if encoder is not None:
        design = encoder.make_design(X, estimator, effective_n_threads())
        rows = np.empty((design.n_rows, 0))
    else:
        rows = validate_data(
            estimator,
            X,
            accept_sparse=["csr", "csc"],
            dtype=[np.float64, np.float32],
            reset=False,
        )
        design = make_design(rows, n_threads_for(rows.shape[0] * rows.shape[1]))
    y = column_or_1d(y)
    check_consistent_length(rows, y)
    weights = check_sample_weight(
        sample_weight, rows, dtype=np.float64, ensure_non_negative=True
    )
    if hasattr(estimator, "classes_"):
        encoder = LabelEncoder()
        encoder.classes_ = estimator.classes_
        if getattr(estimator, "class_weight", None) is not None:
            weights = weights * compute_sample_weight(estimator.class_weight, y)
        y = encoder.transform(y)
    y = np.asarray(y, dtype=np.float64)
    if not np.isfinite(y).all():
        raise ValueError("Input y contains NaN or infinity.")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    if offset is not None:
        offset = check_array(
            offset, dtype=np.float64, ensure_2d=False, input_name="offset"
        )
        if offset.shape != (len(y),):
            raise ValueError(
                f"offset must be one number a row, of shape ({len(y)},), got "
                f"{offset.shape}."
            )
    return design, y, weights, offset


class _Assembler:
    """Turns a fitted model into an `Inference`."""

    def __init__(
        self, estimator, model, design, fitted, weights, level, covariance, dispersion
    ):
        self.estimator = estimator
        self.model = model
        self.design = design
        self.fitted = fitted
        self.total = float(weights.sum())
        self.level = level
        self.covariance = covariance
        self.dispersion = dispersion

    def make_inference(self):
        fitted, information = self.fitted, self.fitted.information
        df_residual = self.total - information.taken_df
        dispersion, is_estimated = self._get_dispersion(df_residual)
        if fitted.middle is None:
            covariance = dispersion * information.sandwich(information.matrix)
        else:
            covariance = information.sandwich(fitted.middle)
            if self.covariance == "HC1":
                covariance = covariance * (self.total / df_residual)
        self._warn(dispersion)
        covariance = information.to_columns(covariance)
        order = self._get_order()
        covariance = covariance[np.ix_(order, order)]
        is_aliased = information.is_aliased[order]
        coef = fitted.coef[order]
        errors = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
        errors = np.where(is_aliased, np.inf, errors)
        statistics = _divide(coef, errors)
        p_values, quantile = _test(
            statistics, df_residual if is_estimated else None, self.level
        )
        margins = np.where(is_aliased, np.inf, quantile * errors)
        log_likelihood = fitted.log_likelihood(dispersion)
        df = information.effective_df
        return Inference(
            model=type(self.estimator).__name__,
            names=self._get_names(),
            coef=coef,
            standard_errors=errors,
            statistics=statistics,
            statistic="t" if is_estimated else "z",
            p_values=p_values,
            confidence_intervals=np.stack([coef - margins, coef + margins], axis=1),
            covariance=covariance,
            is_aliased=is_aliased,
            level=self.level,
            covariance_type=self.covariance,
            is_penalized=bool(np.any(np.asarray(self.model.alpha) > 0)),
            n_observations=self.total,
            effective_df=df,
            df_residual=df_residual,
            dispersion=dispersion,
            deviance=fitted.deviance,
            null_deviance=fitted.null_deviance,
            log_likelihood=log_likelihood,
            aic=None if log_likelihood is None else -2 * log_likelihood + 2 * df,
            bic=None
            if log_likelihood is None
            else -2 * log_likelihood + np.log(self.total) * df,
            r2=1 - float(_divide(fitted.deviance, fitted.null_deviance)),
        )

    def _get_dispersion(self, df_residual):
        """The dispersion, and whether it is estimated."""
        is_estimated = self.model.estimates_dispersion or self.dispersion == "pearson"
        if isinstance(self.dispersion, (int, float)):
            return float(self.dispersion), False
        needs_rows = is_estimated or self.covariance == "HC1"
        if needs_rows and df_residual <= 1e-8 * self.total:
            raise ValueError(
                f"{self.total:.6g} rows leave no degree of freedom to estimate the "
                f"dispersion after {self.fitted.information.effective_df:.6g} "
                "coefficients. Take more rows or fewer features, or give a dispersion."
            )
        if not is_estimated:
            return 1.0, False
        if isinstance(self.model.family, Multinomial):
            raise ValueError("dispersion='pearson' is for one raw prediction a row.")
        return self.fitted.pearson / df_residual, True

    def _warn(self, dispersion):
        information = self.fitted.information
        if information.is_aliased.any():
            names = np.array(self._get_names())[
                information.is_aliased[self._get_order()]
            ]
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            warnings.warn(
                f"The data do not determine {len(names)} of "
                f"{len(information.is_aliased)} coefficients ({shown}), because "
                "columns of X depend on each other or do not vary. Their standard "
                "errors are infinite. Drop such columns, for instance one level of "
                "each one-hot encoding.",
                UserWarning,
                stacklevel=5,
            )
        if dispersion <= self.fitted.rounding:
            return
        decrement = information.compute_decrement(self.fitted.gradients) / dispersion
        if decrement > FAR_FROM_OPTIMUM:
            warnings.warn(
                "The coefficients are not at the optimum for these data: standard "
                "errors are wrong. Give the same X, y, sample_weight and offset as to "
                "fit, and fit with a smaller tol or a larger max_iter.",
                UserWarning,
                stacklevel=5,
            )

    def _get_order(self):
        """Positions that put the intercept of each block first."""
        positions = np.arange(len(self.fitted.coef)).reshape(
            self.fitted.information.n_blocks, -1
        )
        if self.fitted.information.fit_intercept:
            positions = np.roll(positions, 1, axis=1)
        return positions.ravel()

    def _get_names(self):
        estimator = self.estimator
        if getattr(estimator, "_table_encoder", None) is not None:
            names = list(estimator.get_coef_names())
        else:
            names = getattr(estimator, "feature_names_in_", None)
            if names is None:
                names = [f"x{j}" for j in range(self.design.n_columns)]
            names = [str(name) for name in names]
        if self.fitted.information.fit_intercept:
            names = ["intercept", *names]
        if self.fitted.information.n_blocks == 1:
            return names
        classes = estimator.classes_[1:]
        return [f"{label}: {name}" for label in classes for name in names]


def _divide(numerator, denominator):
    """numerator / denominator, where 0 / 0 is 0."""
    numerator = np.asarray(numerator, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(numerator == 0, 0.0, numerator / denominator)


def _test(statistics, df, level):
    """Two-sided p-values, and the quantile of an interval; df=None is normal."""
    upper = 0.5 + 0.5 * level
    if df is None:
        return 2 * special.ndtr(-np.abs(statistics)), special.ndtri(upper)
    return 2 * special.stdtr(df, -np.abs(statistics)), special.stdtrit(df, upper)


class InferenceMixin:
    """`summary` of estimators that standard errors are known for."""

    def summary(
        self,
        X,
        y,
        sample_weight=None,
        offset=None,
        *,
        level=0.95,
        covariance="model",
        dispersion=None,
    ):
        """Standard errors, tests and confidence intervals; prints as a table.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The data given to `fit`.

        y : array-like of shape (n_samples,)
            Their target.

        sample_weight : array-like of shape (n_samples,), default=None
            The weights given to `fit`.

        offset : array-like of shape (n_samples,), default=None
            The offset given to `fit`.

        level : float, default=0.95
            Of the confidence intervals.

        covariance : {'model', 'HC0', 'HC1', 'HC3'}, default='model'
            See `infer`.

        dispersion : float or 'pearson', default=None
            See `infer`.

        Returns
        -------
        inference : Inference
            See `infer`.
        """
        return _infer(self, X, y, sample_weight, offset, level, covariance, dispersion)
