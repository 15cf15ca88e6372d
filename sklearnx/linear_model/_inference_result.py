"""What the data tell about the coefficients of a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx.linear_model._inference_table import format_html, format_text


@dataclass(frozen=True, repr=False)
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
    covariance: np.ndarray
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
        return format_text(self)

    def __repr__(self):
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

    def _repr_html_(self):
        return format_html(self)
