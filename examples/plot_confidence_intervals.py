"""
=====================================
Confidence intervals of coefficients
=====================================

A coefficient alone does not tell how sure it is. `infer` gives standard errors,
confidence intervals and p-values of a fitted model, from one more pass over its data.
"""

# %%
# Counts
# ------
# The number of claims in the time that a policy was in force. Half of the columns have
# no effect. The variance of the counts is larger than Poisson's, as it often is.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearnx.linear_model import PoissonRegressor, infer

rng = np.random.default_rng(0)
n_rows = 2_000
names = ["age", "power", "density", "garage", "colour", "moon"]
X = rng.normal(size=(n_rows, len(names)))
coef = np.array([0.4, 0.25, 0.15, 0.0, 0.0, 0.0])
exposure = rng.uniform(0.2, 1.0, size=n_rows)
mean = exposure * np.exp(X @ coef - 0.5)
claims = rng.poisson(mean * rng.gamma(1.0, 1.0, size=n_rows))
offset = np.log(exposure)

frame = pd.DataFrame(X, columns=names)

model = PoissonRegressor(alpha=0, tol=1e-8).fit(frame, claims, offset=offset)
of_model = infer(model, frame, claims, offset=offset)
print(of_model)

# %%
# Three ways to an interval
# -------------------------
# The intervals of the model trust that the variance is the mean, and are too short
# here. Robust ones do not. The bootstrap refits the model to rows drawn with
# replacement, which takes a few hundred fits, and agrees with the robust ones. Dots are
# the values that made the data.


def fit_bootstrap(n_draws):
    """The coefficients of fits to drawn rows, intercept first."""
    fits = []
    for _ in range(n_draws):
        rows = rng.integers(n_rows, size=n_rows)
        drawn = PoissonRegressor(alpha=0, tol=1e-8)
        drawn.fit(X[rows], claims[rows], offset=offset[rows])
        fits.append([drawn.intercept_, *drawn.coef_])
    return np.array(fits)


robust = infer(model, frame, claims, offset=offset, covariance="HC1")
intervals = {
    "model": of_model.confidence_intervals,
    "robust": robust.confidence_intervals,
    "bootstrap": np.quantile(fit_bootstrap(200), [0.025, 0.975], axis=0).T,
}

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for k, (name, ends) in enumerate(intervals.items()):
    ax.hlines(
        np.arange(len(names)) + 0.2 * (1 - k),
        ends[1:, 0],
        ends[1:, 1],
        color=f"C{k}",
        linewidth=3,
        label=name,
    )
ax.plot(coef, np.arange(len(names)), "ko", markersize=4)
ax.axvline(0, color="0.5", linewidth=0.8)
ax.set_yticks(range(len(names)), names)
ax.invert_yaxis()
ax.set(xlabel="coefficient", title="Intervals of 95 %")
ax.legend(loc="lower right")

# %%
# How often they hold
# -------------------
# Of the intervals of many tables, 95 % should cover the value that made them.


def count_covering(covariance, n_tables=100):
    """The share of intervals that cover, over all coefficients of many tables."""
    n_covering = 0
    for _ in range(n_tables):
        X = rng.normal(size=(300, len(names)))
        mean = np.exp(X @ coef)
        y = rng.poisson(mean * rng.gamma(1.0, 1.0, size=len(X)))
        model = PoissonRegressor(alpha=0, tol=1e-8).fit(X, y)
        ends = infer(model, X, y, covariance=covariance).confidence_intervals[1:]
        n_covering += ((ends[:, 0] <= coef) & (coef <= ends[:, 1])).sum()
    return n_covering / (n_tables * len(coef))


for covariance in ("model", "HC1", "HC3"):
    print(f"{covariance}: {count_covering(covariance):.3f}")
