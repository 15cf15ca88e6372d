"""
==============
Missing values
==============

Every split sends the missing values of its column to the side where they reduce the
loss more. So a model learns what a gap means, and needs no imputer in front of it.
"""

# %%
# What a model learns from a gap
# ------------------------------
# In the first data set `x` is missing only where it is positive, in the second it is
# missing at random. The prediction for a row without `x` follows the rows that have the
# same gap.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.impute import SimpleImputer
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline

from sklearnx.ensemble import HistGradientBoostingRegressor


def delete_values(X, share, middle, rng):
    """Make that share of X missing: above `middle` only, or anywhere if it is None."""
    probability = share if middle is None else 2 * share * (X > middle)
    return np.where(rng.uniform(size=X.shape) < probability, np.nan, X)


rng = np.random.default_rng(0)
x = rng.uniform(-3, 3, size=(2000, 1))
y = np.sin(x[:, 0]) + 0.3 * x[:, 0] + rng.normal(scale=0.2, size=len(x))
grid = np.linspace(-3, 3, 400)[:, None]

fig, axes = plt.subplots(
    1,
    4,
    figsize=(10, 3.8),
    sharey=True,
    width_ratios=[4, 1, 4, 1],
    layout="constrained",
)
for (ax, gap_ax), middle in zip(axes.reshape(2, 2), (0, None)):
    X = delete_values(x, 0.2, middle, rng)
    model = HistGradientBoostingRegressor(max_iter=50).fit(X, y)
    ax.plot(X, y, ".", color="0.75", markersize=3)
    ax.plot(grid, model.predict(grid), color="tab:orange", linewidth=2.5)
    where = "at random" if middle is None else "where x > 0"
    ax.set(xlabel="x", title=f"x is missing {where}")
    gaps = y[np.isnan(X[:, 0])]
    gap_ax.plot(rng.uniform(-1, 1, len(gaps)), gaps, ".", color="0.75", markersize=3)
    gap_ax.axhline(model.predict([[np.nan]])[0], color="tab:orange", linewidth=2.5)
    gap_ax.set(xlim=(-1.5, 1.5), xticks=[], xlabel="missing")
axes[0].set_ylabel("y")

# %%
# Native, or filled with the mean
# -------------------------------
# The error on held-out rows of a table of five columns, by the share of missing cells.
# Where the gaps tell something, a model that sees them is a little ahead of one that
# sees means in their place. Where they tell nothing, both do equally well, and what is
# gained is one step less.

contenders = {
    "native": HistGradientBoostingRegressor(),
    "filled with the mean": make_pipeline(
        SimpleImputer(), HistGradientBoostingRegressor()
    ),
}
shares = [0, 0.1, 0.2, 0.3, 0.4]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, middle in zip(axes, (0.5, None)):
    for name, contender in contenders.items():
        errors = []
        for share in shares:
            rng = np.random.default_rng(0)
            X, y = make_friedman1(8000, n_features=5, noise=1, random_state=0)
            X = delete_values(X, share, middle, rng)
            contender.fit(X[:4000], y[:4000])
            errors.append(
                root_mean_squared_error(y[4000:], contender.predict(X[4000:]))
            )
        ax.plot(100 * np.array(shares), errors, "o-", label=name)
    where = "at random" if middle is None else "in the upper half of a column"
    ax.set(xlabel="missing cells (%)", title=f"Missing {where}")
axes[0].set_ylabel("root mean squared error")
axes[0].legend()
