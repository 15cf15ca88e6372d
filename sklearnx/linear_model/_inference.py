"""Standard errors, tests and intervals of fitted linear models."""

from __future__ import annotations

import html
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special
from sklearn import linear_model
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from sklearnx._compat import check_sample_weight
from sklearnx._glm.design import make_design
from sklearnx._glm.families import (
    Binomial,
    Gamma,
    Multinomial,
    Poisson,
    SquaredError,
    make_tweedie_family,
)
from sklearnx._glm.inference import Information, square_scores
from sklearnx._threads import effective_n_threads, n_threads_for

COVARIANCES = ("model", "HC0", "HC1", "HC3")
# Squared distance from the optimum, in standard errors, from which a fit is doubted.
FAR_FROM_OPTIMUM = 0.01


@dataclass(frozen=True)
class Inference:
    """What the data tell about the coefficients of a model; made by `infer`.

    Its text is the table of `summary`. Arrays of coefficients begin with the intercept,
    if there is one.

    Attributes
    ----------
    model : str
        Name of the estimator's class.
    names : list of str
        Names of the coefficients.
    coef : ndarray of shape (n_coefs,)
        Coefficients. Of a model of several classes, those of each class but the first,
        less those of the first.
    standard_errors : ndarray of shape (n_coefs,)
        Standard errors; inf where a coefficient is aliased.
    statistics : ndarray of shape (n_coefs,)
        Coefficients over their standard errors.
    statistic : {'t', 'z'}
        Which distribution the statistics have where a coefficient is 0: Student's where
        the dispersion is estimated, else the normal one.
    p_values : ndarray of shape (n_coefs,)
        Two-sided, of the hypothesis that the coefficient is 0.
    confidence_intervals : ndarray of shape (n_coefs, 2)
        Lower and upper ends.
    covariance : ndarray of shape (n_coefs, n_coefs)
        Estimated covariance of the coefficients; that of aliased ones has no meaning.
    is_aliased : ndarray of bool of shape (n_coefs,)
        Coefficients that the data do not determine, as columns depend on each other.
    level : float
        Of the confidence intervals.
    covariance_type : {'model', 'HC0', 'HC1', 'HC3'}
        How the covariance was estimated.
    is_penalized : bool
        Whether coefficients are shrunken. Intervals then are for their expectation and
        leave out the bias.
    n_observations : float
        Sum of the sample weights.
    effective_df : float
        Number of coefficients that are determined, intercept included; with a penalty
        the trace of the hat matrix H.
    df_residual : float
        Degrees of freedom of the dispersion: n_observations - trace(2 H - H H').
    dispersion : float
        Variance of the normal model, in general the factor of the variance function.
    deviance, null_deviance : float
        Of the model and of one without features.
    log_likelihood : float or None
        None where it has no closed form.
    aic, bic : float or None
        -2 * log_likelihood plus 2 or log(n_observations) for each of `effective_df`.
    r2 : float
        1 - deviance / null_deviance.
    """

    model: str
    names: list
    coef: np.ndarray
    standard_errors: np.ndarray
    statistics: np.ndarray
    statistic: str
    p_values: np.ndarray
    confidence_intervals: np.ndarray
    covariance: np.ndarray = field(repr=False)
    is_aliased: np.ndarray
    level: float
    covariance_type: str
    is_penalized: bool
    n_observations: float
    effective_df: float
    df_residual: float
    dispersion: float
    deviance: float
    null_deviance: float
    log_likelihood: float | None
    aic: float | None
    bic: float | None
    r2: float

    @property
    def t_values(self):
        """The statistics where they are Student's t."""
        return self._get_statistics("t")

    @property
    def z_values(self):
        """The statistics where they are normal."""
        return self._get_statistics("z")

    def _get_statistics(self, kind):
        if self.statistic != kind:
            raise AttributeError(
                f"The statistics of this model are {self.statistic}_values."
            )
        return self.statistics

    def summary(self):
        """The results as a table.

        Returns
        -------
        text : str
            A few lines about the model, then a row for each coefficient.
        """
        return "\n".join(
            [*self._describe(), "", *self._make_rows(), *self._get_notes()]
        )

    def __str__(self):
        return self.summary()

    def to_frame(self):
        """The results as a frame.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each coefficient, with columns coef, standard_error, t or z,
            p_value, lower, upper and is_aliased.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "coef": self.coef,
                "standard_error": self.standard_errors,
                self.statistic: self.statistics,
                "p_value": self.p_values,
                "lower": self.confidence_intervals[:, 0],
                "upper": self.confidence_intervals[:, 1],
                "is_aliased": self.is_aliased,
            },
            index=pd.Index(self.names, name="coefficient"),
        )

    def _get_facts(self):
        """Pairs of a name and a number of the whole model."""
        facts = [
            ("observations", f"{self.n_observations:.10g}"),
            ("coefficients (effective)", f"{self.effective_df:.6g}"),
            ("residual df", f"{self.df_residual:.6g}"),
            ("covariance", self.covariance_type),
            ("dispersion", f"{self.dispersion:.6g}"),
            ("deviance", f"{self.deviance:.6g}"),
            ("null deviance", f"{self.null_deviance:.6g}"),
            ("R2 of the deviance", f"{self.r2:.4f}"),
        ]
        for name in ("log_likelihood", "aic", "bic"):
            value = getattr(self, name)
            text = "-" if value is None else f"{value:.6g}"
            facts.append((name.replace("_", " "), text))
        return facts

    def _describe(self):
        facts = self._get_facts()
        half = (len(facts) + 1) // 2
        lines = [self.model]
        for k in range(half):
            parts = []
            for name, value in facts[k::half]:
                parts.append(f"{name + ':':<26}{value:>14}")
            lines.append("    ".join(parts))
        return lines

    def _get_header(self):
        tail = 100 * (1 - self.level) / 2
        return [
            "",
            "coef",
            "std err",
            self.statistic,
            f"P>|{self.statistic}|",
            f"{tail:.4g} %",
            f"{100 - tail:.4g} %",
        ]

    def _get_cells(self):
        """Texts of the table, a list for each coefficient."""
        cells = []
        for k, name in enumerate(self.names):
            lower, upper = self.confidence_intervals[k]
            if self.is_aliased[k]:
                cells.append([name, f"{self.coef[k]:.6g}", *["aliased"] + [""] * 4])
                continue
            cells.append(
                [
                    name,
                    f"{self.coef[k]:.6g}",
                    f"{self.standard_errors[k]:.4g}",
                    f"{self.statistics[k]:.3f}",
                    f"{self.p_values[k]:.4g}",
                    f"{lower:.6g}",
                    f"{upper:.6g}",
                ]
            )
        return cells

    def _make_rows(self):
        cells = [self._get_header(), *self._get_cells()]
        widths = [max(len(row[j]) for row in cells) for j in range(7)]
        lines = []
        for row in cells:
            first = row[0].ljust(widths[0])
            lines.append(
                "  ".join(
                    [first, *(text.rjust(w) for text, w in zip(row[1:], widths[1:]))]
                ).rstrip()
            )
        rule = "-" * max(len(line) for line in lines)
        return [lines[0], rule, *lines[1:]]

    def _get_notes(self):
        notes = []
        if self.is_penalized:
            notes.append(
                "Coefficients are shrunken: errors and intervals leave out the bias."
            )
        if self.is_aliased.any():
            notes.append(
                "Aliased coefficients depend on others: the data do not determine them."
            )
        return ["", *notes] if notes else []

    def _repr_html_(self):
        facts = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in self._get_facts()
        )
        header = "".join(f"<th>{html.escape(text)}</th>" for text in self._get_header())
        rows = "".join(
            f"<tr><th>{html.escape(row[0])}</th>"
            + "".join(f"<td>{html.escape(text)}</td>" for text in row[1:])
            + "</tr>"
            for row in self._get_cells()
        )
        notes = "".join(f"<p>{note}</p>" for note in self._get_notes() if note)
        return (
            f"<h4>{html.escape(self.model)}</h4><table>{facts}</table>"
            f"<table><thead><tr>{header}</tr></thead>"
            f"<tbody>{rows}</tbody></table>{notes}"
        )


@dataclass
class _Model:
    """What a fitted estimator says about its objective.

    The objective is sum_i s_i loss_i + alpha * ||coef||^2 / 2, with `alpha` a number or
    one for each coefficient.
    """

    family: Any
    alpha: Any = 0.0
    estimates_dispersion: bool = False
    fit_intercept: bool = True


def _refuse(estimator, reason, advice):
    raise ValueError(
        f"{type(estimator).__name__} has no valid standard errors here: {reason}. "
        f"{advice}"
    )


def _refuse_l1(estimator):
    _refuse(
        estimator,
        "an l1 penalty selects coefficients, and those left depend on the selection",
        "Fit an unpenalised model to the selected features of rows that the selection "
        "has not seen, or take the spread over bootstrap samples.",
    )


def _refuse_bounds(estimator):
    _refuse(
        estimator,
        "coefficients are kept within bounds",
        "Fit without bounds, or take the spread over bootstrap samples.",
    )


def _describe_least_squares(estimator, total):
    if getattr(estimator, "positive", False):
        _refuse_bounds(estimator)
    alpha = getattr(estimator, "alpha_", getattr(estimator, "alpha", 0.0))
    return _Model(SquaredError(), alpha, estimates_dispersion=True)


def _describe_glm(estimator, total):
    if isinstance(estimator, linear_model.PoissonRegressor):
        family = Poisson()
    elif isinstance(estimator, linear_model.GammaRegressor):
        family = Gamma()
    else:
        family = make_tweedie_family(estimator.power, estimator.link)
    alpha = estimator.alpha
    if getattr(estimator, "bounds", None) is not None:
        _refuse_bounds(estimator)
    if alpha > 0 and getattr(estimator, "l1_ratio", 0.0):
        _refuse_l1(estimator)
    factors = getattr(estimator, "penalty_weights", None)
    if factors is not None:
        alpha = alpha * np.asarray(factors, dtype=np.float64)
    is_poisson = isinstance(family, Poisson)
    return _Model(family, alpha * total, estimates_dispersion=not is_poisson)


def _describe_logistic(estimator, total):
    family = Binomial()
    if len(estimator.classes_) > 2:
        family = Multinomial(len(estimator.classes_))
    C = getattr(estimator, "C_", getattr(estimator, "C", 1.0))
    C = float(np.ravel(C)[0])
    is_unpenalized = np.isinf(C) or getattr(estimator, "penalty", "") is None
    if is_unpenalized:
        return _Model(family)
    l1_ratio = getattr(estimator, "l1_ratio_", getattr(estimator, "l1_ratio", 0.0))
    has_l1 = np.ravel(l1_ratio if l1_ratio is not None else 0.0)[0] not in (0.0, None)
    penalty = getattr(estimator, "penalty", None)
    if penalty == "l1" or (has_l1 and penalty != "l2"):
        _refuse_l1(estimator)
    if estimator.solver == "liblinear" and estimator.fit_intercept:
        _refuse(
            estimator,
            "solver='liblinear' penalises the intercept",
            "Choose another solver.",
        )
    return _Model(family, 1.0 / C)


# The classes that standard errors are known for. Ours inherit from them.
_DESCRIPTIONS = (
    (
        (linear_model.LinearRegression, linear_model.Ridge, linear_model.RidgeCV),
        _describe_least_squares,
    ),
    (
        (
            linear_model.PoissonRegressor,
            linear_model.GammaRegressor,
            linear_model.TweedieRegressor,
        ),
        _describe_glm,
    ),
    (
        (linear_model.LogisticRegression, linear_model.LogisticRegressionCV),
        _describe_logistic,
    ),
)


def _describe_model(estimator, total):
    for classes, describe in _DESCRIPTIONS:
        if isinstance(estimator, classes):
            model = describe(estimator, total)
            model.fit_intercept = estimator.fit_intercept
            return model
    if isinstance(
        estimator, (linear_model.ElasticNet, linear_model.LassoCV)
    ) or hasattr(estimator, "dual_gap_"):
        _refuse_l1(estimator)
    _refuse(
        estimator,
        "its loss is no likelihood, or its distribution is not known",
        "Standard errors are there for LinearRegression, Ridge, RidgeCV, "
        "LogisticRegression, PoissonRegressor, GammaRegressor and TweedieRegressor; "
        "for others take the spread over bootstrap samples.",
    )


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
    check_is_fitted(estimator)
    _check_options(level, covariance, dispersion)
    design, y, weights, offset = _check_data(estimator, X, y, sample_weight, offset)
    total = float(weights.sum())
    model = _describe_model(estimator, total)
    coefs = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    intercepts = np.ravel(np.asarray(estimator.intercept_, dtype=np.float64))
    is_multinomial = isinstance(model.family, Multinomial)
    if len(coefs) > 1 and not is_multinomial:
        raise ValueError(
            "infer takes one target; fit one estimator for each column of y."
        )
    fitted = (_fit_multinomial if is_multinomial else _fit_one_output)(
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


@dataclass
class _Fitted:
    """A model at its coefficients."""

    information: Information
    coef: np.ndarray  # blocks of coefficients, each followed by its intercept
    middle: np.ndarray | None  # of the sandwich; None for the model's own covariance
    pearson: float
    deviance: float
    null_deviance: float
    log_likelihood: Any  # function of the dispersion
    rounding: float  # dispersion that rounding alone brings about
    gradients: list


def _fit_one_output(model, design, y, weights, offset, coefs, intercepts, covariance):
    family = model.family
    coef, intercept = coefs[0], float(intercepts[0])
    fit_intercept = model.fit_intercept
    raw = design.dot(coef) + intercept
    if offset is not None:
        raw += offset
    ones = np.ones(len(y))
    loss, slopes, _ = family.evaluate(y, raw, weights, design.n_threads)
    _, unit_slopes, _ = family.evaluate(y, raw, ones, design.n_threads)
    mean, curvature, variance = _compute_moments(family, raw)
    penalty = np.broadcast_to(np.asarray(model.alpha, np.float64), coef.shape)
    information = Information(
        design, [[weights * curvature]], penalty, np.ones((1, 1)), fit_intercept
    )
    if covariance == "HC3":
        leverages = information.compute_leverages(curvature)
        unit_slopes = unit_slopes / np.maximum(1 - leverages, 1e-8)
    middle = None
    if covariance != "model":
        middle = information.assemble(square_scores([unit_slopes], weights))
    gradient = np.append(design.t_dot(slopes) + penalty * coef, slopes.sum())
    saturated = float((weights * family.compute_saturated_losses(y)).sum())
    return _Fitted(
        information,
        np.append(coef, [intercept] if fit_intercept else []),
        middle,
        float((weights * (y - mean) ** 2 / variance).sum()),
        2 * (float(loss) - saturated),
        2 * (_compute_null_loss(family, y, weights, offset, fit_intercept) - saturated),
        lambda dispersion: _compute_log_likelihood(
            family, y, mean, weights, dispersion
        ),
        1e-24 * float((weights * y**2).sum() / weights.sum()),
        [gradient],
    )


def _compute_moments(family, raw):
    """Mean, expected second derivative of the loss and variance of each row."""
    mean = family.inverse_link(raw)
    if isinstance(family, Binomial):
        variance = np.maximum(mean * (1 - mean), np.finfo(np.float64).tiny)
        return mean, variance, variance
    variance = np.ones(len(mean)) if family.power == 0 else mean**family.power
    has_log_link = family.inverse_link(np.zeros(1))[0] == 1.0
    slope = mean if has_log_link else np.ones(len(mean))
    return mean, slope**2 / variance, variance


def _compute_null_loss(family, y, weights, offset, fit_intercept):
    raw = np.zeros(len(y)) if offset is None else offset.copy()
    if fit_intercept:
        raw += family.start(y, weights / weights.sum(), offset)
    return float(family.evaluate(y, raw, weights)[0])


def _compute_log_likelihood(family, y, mean, weights, dispersion):
    total = float(weights.sum())
    if isinstance(family, Binomial):
        chosen = np.where(y > 0.5, mean, 1 - mean)
        tiny = np.finfo(np.float64).tiny
        return float((weights * np.log(np.maximum(chosen, tiny))).sum())
    if family.power == 0:
        squares = float((weights * (y - mean) ** 2).sum())
        if squares == 0:
            return np.inf
        return -0.5 * total * (np.log(2 * np.pi * squares / total) + 1)
    if family.power == 1:
        rows = special.xlogy(y, mean) - mean - special.gammaln(y + 1)
        return float((weights * rows).sum())
    if family.power == 2 and dispersion > 0:
        shape = 1 / dispersion
        ratio = shape * y / mean
        rows = shape * np.log(ratio) - ratio - np.log(y) - special.gammaln(shape)
        return float((weights * rows).sum())
    return None


def _fit_multinomial(model, design, y, weights, offset, coefs, intercepts, covariance):
    """In terms of the coefficients of each class less those of the first."""
    if covariance == "HC3":
        raise ValueError(
            "covariance='HC3' is for one raw prediction a row; take 'HC1'."
        )
    n_classes = len(coefs)
    raw = design.dot(np.ascontiguousarray(coefs.T)) + intercepts
    ones = np.ones(len(y))
    loss, slopes, shares = model.family.evaluate(y, raw, weights, design.n_threads)
    _, unit_slopes, _ = model.family.evaluate(y, raw, ones, design.n_threads)
    others = range(1, n_classes)
    curvatures = [
        [weights * shares[:, a] * (float(a == b) - shares[:, b]) for b in others]
        for a in others
    ]
    penalty = np.full(coefs.shape[1], float(model.alpha))
    coupling = np.eye(n_classes - 1) - 1 / n_classes
    information = Information(
        design, curvatures, penalty, coupling, model.fit_intercept
    )
    middle = None
    if covariance != "model":
        scores = [np.ascontiguousarray(unit_slopes[:, a]) for a in others]
        middle = information.assemble(square_scores(scores, weights))
    products = design.t_dot(slopes)
    gradients = [
        np.append(
            products[:, a] + penalty * coefs[a],
            slopes[:, a].sum() if model.fit_intercept else 0.0,
        )
        for a in others
    ]
    counts = np.bincount(y.astype(np.intp), weights, minlength=n_classes)
    null = float(weights.sum()) * np.log(n_classes)
    if model.fit_intercept:
        null = -float(special.xlogy(counts, counts / counts.sum()).sum())
    blocks = [
        np.append(coefs[a] - coefs[0], [intercepts[a] - intercepts[0]])
        if model.fit_intercept
        else coefs[a] - coefs[0]
        for a in others
    ]
    return _Fitted(
        information,
        np.concatenate(blocks),
        middle,
        0.0,
        2 * float(loss),
        2 * null,
        lambda dispersion: -float(loss),
        0.0,
        gradients,
    )


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
                stacklevel=4,
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
                stacklevel=4,
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
        return infer(
            self,
            X,
            y,
            sample_weight,
            offset,
            level=level,
            covariance=covariance,
            dispersion=dispersion,
        )
