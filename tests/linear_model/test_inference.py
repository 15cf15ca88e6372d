"""infer and summary, against statsmodels, closed forms and simulation."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression as SklearnLinearRegression

from sklearnx.linear_model import (
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDRegressor,
    TweedieRegressor,
    infer,
)
from sklearnx.linear_model._inference import InferenceMixin

TIGHT = {"tol": 1e-10, "max_iter": 1000}


def make_data(target="normal"):
    """Numbers that do not depend on a generator's version."""
    t = np.arange(60.0)
    X = np.column_stack([np.sin(t), np.cos(1.7 * t) + 2, (t * 7 % 11) / 5])
    raw = X @ [0.5, -0.3, 0.4] + 0.2
    noise = np.sin(12.9898 * t + 1) * 43758.5453 % 1
    weights = 1 + t % 3
    if target == "normal":
        y = raw + noise - 0.5
    elif target == "poisson":
        y = np.floor(np.exp(raw) * 2 * noise + 0.3)
    elif target == "gamma":
        y = np.exp(raw) * (noise + 0.1)
    elif target == "binary":
        y = (noise < 1 / (1 + np.exp(-raw))).astype(float)
    else:
        y = np.floor(noise * 3)
    return X, y, weights


# Of statsmodels 0.14, for the rows of make_data repeated by their weights: standard
# errors of the intercept and the coefficients.
GOLDEN = {
    "normal": [0.095835829, 0.035073184, 0.035897259, 0.03996725],
    "poisson": [0.38723943, 0.16983001, 0.15451015, 0.16712545],
    "gamma": [0.17303266, 0.063325026, 0.064812903, 0.072161318],
    "binary": [0.74266241, 0.27959902, 0.28456471, 0.3216237],
    "classes": [
        0.82657709,
        0.30788487,
        0.31109927,
        0.36123299,
        0.97039672,
        0.36175271,
        0.36244598,
        0.41020894,
    ],
}


def repeat(weights, *arrays):
    return [np.repeat(array, weights.astype(int), axis=0) for array in arrays]


def compare(inference, result, rtol=1e-7):
    np.testing.assert_allclose(inference.coef, result.params, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(inference.standard_errors, result.bse, rtol=rtol)
    np.testing.assert_allclose(inference.p_values, result.pvalues, rtol=1e-5)
    np.testing.assert_allclose(
        inference.confidence_intervals, result.conf_int(), rtol=1e-5, atol=1e-8
    )


@pytest.mark.parametrize("covariance", ["model", "HC0", "HC1", "HC3"])
def test_linear_regression_equals_statsmodels(covariance):
    sm = pytest.importorskip("statsmodels.api")
    X, y, weights = make_data()
    model = LinearRegression().fit(X, y, sample_weight=weights)
    inference = infer(model, X, y, weights, covariance=covariance)
    rows, targets = repeat(weights, sm.add_constant(X), y)
    options = {} if covariance == "model" else {"cov_type": covariance, "use_t": True}
    result = sm.OLS(targets, rows).fit(**options)
    compare(inference, result)
    for name, expected in [
        ("aic", result.aic),
        ("bic", result.bic),
        ("r2", result.rsquared),
        ("log_likelihood", result.llf),
        ("dispersion", result.scale),
        ("df_residual", result.df_resid),
    ]:
        np.testing.assert_allclose(getattr(inference, name), expected, err_msg=name)


# Sandwiches of statsmodels have the observed information for gamma and Tweedie.
@pytest.mark.parametrize(
    "target, covariance",
    [
        ("poisson", "model"),
        ("poisson", "HC0"),
        ("gamma", "model"),
        ("tweedie", "model"),
    ],
)
def test_glm_equals_statsmodels(target, covariance):
    sm = pytest.importorskip("statsmodels.api")
    X, y, weights = make_data("poisson" if target == "tweedie" else target)
    log = sm.families.links.Log()
    estimator, family = {
        "poisson": (PoissonRegressor(alpha=0, **TIGHT), sm.families.Poisson()),
        "gamma": (GammaRegressor(alpha=0, **TIGHT), sm.families.Gamma(log)),
        "tweedie": (
            TweedieRegressor(alpha=0, power=1.5, **TIGHT),
            sm.families.Tweedie(log, var_power=1.5),
        ),
    }[target]
    offset = 0.1 * np.cos(np.arange(60.0))
    estimator.fit(X, y, sample_weight=weights, offset=offset)
    inference = infer(estimator, X, y, weights, offset, covariance=covariance)
    rows, targets, offsets = repeat(weights, sm.add_constant(X), y, offset)
    options = {} if covariance == "model" else {"cov_type": covariance}
    result = sm.GLM(targets, rows, family=family, offset=offsets).fit(
        use_t=target != "poisson", tol=1e-12, **options
    )
    compare(inference, result)
    np.testing.assert_allclose(inference.deviance, result.deviance)
    np.testing.assert_allclose(inference.null_deviance, result.null_deviance, rtol=1e-6)
    np.testing.assert_allclose(inference.dispersion, result.scale)
    if target == "tweedie":
        assert inference.aic is None
    else:
        np.testing.assert_allclose(inference.aic, result.aic)


def test_logistic_equals_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    X, y, weights = make_data("binary")
    model = LogisticRegression(C=np.inf, **TIGHT).fit(X, y, sample_weight=weights)
    inference = infer(model, X, y, weights)
    rows, targets = repeat(weights, sm.add_constant(X), y)
    result = sm.Logit(targets, rows).fit(disp=0, tol=1e-12)
    compare(inference, result)
    np.testing.assert_allclose(inference.bic, result.bic)
    np.testing.assert_allclose(inference.null_deviance, -2 * result.llnull)


@pytest.mark.parametrize("covariance", ["model", "HC0"])
def test_multinomial_equals_statsmodels(covariance):
    sm = pytest.importorskip("statsmodels.api")
    X, y, _ = make_data("classes")
    model = LogisticRegression(C=np.inf, **TIGHT).fit(X, y)
    inference = infer(model, X, y, covariance=covariance)
    options = {} if covariance == "model" else {"cov_type": covariance}
    result = sm.MNLogit(y, sm.add_constant(X)).fit(
        disp=0, tol=1e-12, maxiter=100, **options
    )
    np.testing.assert_allclose(inference.coef, result.params.T.ravel(), atol=1e-6)
    np.testing.assert_allclose(
        inference.standard_errors, result.bse.T.ravel(), rtol=1e-6
    )
    np.testing.assert_allclose(inference.aic, result.aic)


@pytest.mark.parametrize("target", ["normal", "poisson", "gamma", "binary", "classes"])
def test_golden_standard_errors(target):
    X, y, weights = make_data(target)
    estimator = {
        "normal": LinearRegression(),
        "poisson": PoissonRegressor(alpha=0, **TIGHT),
        "gamma": GammaRegressor(alpha=0, **TIGHT),
        "binary": LogisticRegression(C=np.inf, **TIGHT),
        "classes": LogisticRegression(C=np.inf, **TIGHT),
    }[target]
    estimator.fit(X, y, sample_weight=weights)
    inference = infer(estimator, X, y, weights)
    np.testing.assert_allclose(inference.standard_errors, GOLDEN[target], rtol=1e-5)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_ridge_equals_the_closed_form(fit_intercept):
    X, y, _ = make_data()
    alpha = 5.0
    model = Ridge(alpha=alpha, fit_intercept=fit_intercept).fit(X, y)
    inference = infer(model, X, y)
    centre = X.mean(axis=0) if fit_intercept else np.zeros(3)
    Z = X - centre
    B = np.linalg.inv(Z.T @ Z + alpha * np.eye(3))
    H = Z @ B @ Z.T + fit_intercept / len(y)
    residuals = y - model.predict(X)
    df = len(y) - np.trace(2 * H - H @ H.T)
    variance = residuals @ residuals / df
    covariance = variance * B @ Z.T @ Z @ B
    skip = int(fit_intercept)
    np.testing.assert_allclose(inference.covariance[skip:, skip:], covariance)
    np.testing.assert_allclose(inference.df_residual, df)
    np.testing.assert_allclose(inference.effective_df, np.trace(H))
    if fit_intercept:
        expected = variance / len(y) + centre @ covariance @ centre
        np.testing.assert_allclose(inference.standard_errors[0] ** 2, expected)
    assert inference.is_penalized and "shrunken" in str(inference)


def test_ridge_agrees_with_simulation():
    """The spread of coefficients over new errors: a parametric bootstrap."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3)) + 1
    signal = X @ [1.0, -1.0, 0.5] + 2
    model = Ridge(alpha=20.0)
    draws, errors = [], []
    for _ in range(1500):
        y = signal + rng.normal(size=100)
        model.fit(X, y)
        draws.append(np.append(model.intercept_, model.coef_))
        if len(errors) < 50:
            errors.append(infer(model, X, y).standard_errors)
    np.testing.assert_allclose(
        np.mean(errors, axis=0), np.std(draws, axis=0), rtol=0.08
    )


@pytest.mark.parametrize(
    "estimator, target",
    [
        (LogisticRegression(C=0.5, **TIGHT), "binary"),
        (LogisticRegression(C=0.5, **TIGHT), "classes"),
        (PoissonRegressor(alpha=0.1, **TIGHT), "poisson"),
    ],
)
def test_l2_penalties_agree_with_differences(estimator, target):
    """The covariance is that of the slope of coefficients in weights of the rows.

    Coefficients change by B^-1 g for the score g of a row that is added, so that the
    sandwich (HC0) is the sum of the squared changes.
    """
    X, y, _ = make_data(target)
    ones = np.ones(len(y))
    estimator.fit(X, y)
    inference = infer(estimator, X, y, covariance="HC0")
    scale = {}
    if target == "poisson":
        scale = {"alpha": estimator.alpha * len(y)}  # of the sum of losses
    changes = []
    for row in range(len(y)):
        step = 1e-4
        sides = []
        for sign in (1, -1):
            weights = ones.copy()
            weights[row] += sign * step
            moved = type(estimator)(**estimator.get_params())
            if scale:
                moved.set_params(alpha=scale["alpha"] / weights.sum())
            moved.fit(X, y, sample_weight=weights)
            coefs = np.column_stack(
                [np.ravel(moved.intercept_), np.atleast_2d(moved.coef_)]
            )
            if target == "classes":
                coefs = coefs[1:] - coefs[0]
            sides.append(coefs.ravel())
        changes.append((sides[0] - sides[1]) / (2 * step))
    expected = np.sqrt(np.sum(np.square(changes), axis=0))
    np.testing.assert_allclose(inference.standard_errors, expected, rtol=2e-3)


def test_weights_repeat_rows():
    X, y, weights = make_data("gamma")
    model = GammaRegressor(alpha=0, **TIGHT).fit(X, y, sample_weight=weights)
    rows, targets = repeat(weights, X, y)
    for covariance in ("model", "HC0", "HC1", "HC3"):
        weighted = infer(model, X, y, weights, covariance=covariance)
        repeated = infer(model, rows, targets, covariance=covariance)
        np.testing.assert_allclose(weighted.covariance, repeated.covariance)
        assert weighted.aic == pytest.approx(repeated.aic)


def test_sparse_and_sklearns_own():
    X, y, _ = make_data()
    dense = infer(LinearRegression().fit(X, y), X, y)
    S = sparse.csr_array(X)
    of_sparse = infer(LinearRegression().fit(S, y), S, y)
    np.testing.assert_allclose(of_sparse.covariance, dense.covariance)
    theirs = infer(SklearnLinearRegression().fit(X, y), X, y)
    np.testing.assert_allclose(theirs.covariance, dense.covariance)


def test_names_of_frames_and_table():
    pd = pytest.importorskip("pandas")
    X, y, _ = make_data()
    frame = pd.DataFrame(X, columns=["age", "income", "<size>"])
    inference = infer(LinearRegression().fit(frame, y), frame, y, level=0.9)
    assert inference.names == ["intercept", "age", "income", "<size>"]
    table = inference.to_frame()
    assert list(table.index) == inference.names
    np.testing.assert_array_equal(table["t"], inference.t_values)
    text = str(inference)
    assert "age" in text and "P>|t|" in text and "95 %" in text
    assert "&lt;size&gt;" in inference._repr_html_()
    with pytest.raises(AttributeError, match="t_values"):
        _ = inference.z_values


def test_categories_are_named():
    pd = pytest.importorskip("pandas")
    X, y, _ = make_data("poisson")
    frame = pd.DataFrame({"x": X[:, 0], "k": pd.Categorical(list("abc") * 20)})
    model = PoissonRegressor(alpha=0, categorical_features="from_dtype", **TIGHT)
    model.fit(frame, y)
    inference = infer(model, frame, y)
    assert inference.names == ["intercept", *model.get_coef_names()]
    assert len(inference.coef) == len(model.coef_) + 1


def test_aliased_columns():
    X, y, _ = make_data()
    clean = infer(LinearRegression().fit(X, y), X, y)
    wide = np.column_stack([X, X[:, 0] - X[:, 1]])
    with pytest.warns(UserWarning, match=r"do not determine 3 of 5 .*x0, x1, x3"):
        inference = infer(LinearRegression().fit(wide, y), wide, y)
    np.testing.assert_array_equal(
        inference.is_aliased, [False, True, True, False, True]
    )
    np.testing.assert_allclose(inference.standard_errors[3], clean.standard_errors[3])
    assert np.isinf(inference.standard_errors[inference.is_aliased]).all()
    for values in (inference.p_values, inference.confidence_intervals):
        assert not np.isnan(values).any()
    assert "aliased" in str(inference)
    assert inference.df_residual == pytest.approx(clean.df_residual)


def test_exact_and_constant_targets():
    X, _, _ = make_data()
    for y in (X @ [1.0, 2.0, 3.0], np.full(60, 4.0)):
        inference = infer(LinearRegression().fit(X, y), X, y)
        for values in (
            inference.statistics,
            inference.p_values,
            inference.confidence_intervals,
        ):
            assert not np.isnan(values).any()


def test_warns_of_other_data():
    X, y, _ = make_data()
    model = LinearRegression().fit(X, y)
    with pytest.warns(UserWarning, match="not at the optimum"):
        infer(model, X, y + X[:, 0])


@pytest.mark.parametrize(
    "estimator, message",
    [
        (Lasso(alpha=0.1), "l1 penalty"),
        (HuberRegressor(), "no likelihood"),
        (SGDRegressor(), "no likelihood"),
        (LinearRegression(positive=True), "within bounds"),
        (PoissonRegressor(alpha=0.1, l1_ratio=0.5), "l1 penalty"),
    ],
)
def test_refuses_models(estimator, message):
    X, y, _ = make_data("poisson")
    with pytest.raises(ValueError, match=f"has no valid standard errors.*{message}"):
        infer(estimator.fit(X, y), X, y)


def test_refuses_l1_of_classifiers():
    X, y, _ = make_data("binary")
    model = LogisticRegression(l1_ratio=1.0, solver="saga", C=0.5).fit(X, y)
    with pytest.raises(ValueError, match="l1 penalty"):
        infer(model, X, y)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"level": 1.0}, "level"),
        ({"covariance": "HC9"}, "covariance must be one of"),
        ({"dispersion": -1.0}, "dispersion must be"),
        ({"dispersion": "deviance"}, "dispersion must be"),
        ({"sample_weight": np.zeros(60)}, "at least one non-zero"),
        ({"offset": np.zeros(3)}, "one number a row"),
    ],
)
def test_refuses_options(options, message):
    X, y, _ = make_data()
    model = LinearRegression().fit(X, y)
    with pytest.raises(ValueError, match=message):
        infer(model, X, y, **options)


def test_no_degrees_of_freedom():
    X, y, _ = make_data()
    model = LinearRegression().fit(X[:4], y[:4])
    with pytest.raises(ValueError, match="no degree of freedom"):
        infer(model, X[:4], y[:4])
    given = infer(model, X[:4], y[:4], dispersion=2.0)
    assert given.statistic == "z" and np.isfinite(given.standard_errors).all()


def test_several_targets():
    X, y, _ = make_data()
    Y = np.column_stack([y, y])
    with pytest.raises(ValueError, match="one estimator for each column"):
        infer(LinearRegression().fit(X, Y), X, y)


def test_warnings_point_to_the_caller():
    X, y, _ = make_data()
    model = LinearRegression().fit(np.ones_like(X), y)
    for call in (model.summary, lambda *data: infer(model, *data)):
        with pytest.warns(UserWarning, match="do not determine") as caught:
            call(np.ones_like(X), y)
        assert caught[0].filename == __file__


def test_html_escapes_names():
    pd = pytest.importorskip("pandas")
    X, y, _ = make_data()
    frame = pd.DataFrame(X[:, :2], columns=["a<b", "c&d"])
    html = LinearRegression().fit(frame, y).summary(frame, y)._repr_html_()
    assert "a&lt;b" in html and "c&amp;d" in html and "a<b" not in html


def test_summary_is_a_method():
    X, y, weights = make_data()
    model = LinearRegression().fit(X, y, sample_weight=weights)
    summary = model.summary(X, y, weights, covariance="HC3", level=0.8)
    expected = infer(model, X, y, weights, covariance="HC3", level=0.8)
    assert str(summary) == str(expected)
    assert str(summary).startswith("LinearRegression")
    assert repr(summary) == str(summary)
    assert isinstance(model, InferenceMixin)
