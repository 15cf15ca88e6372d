"""
=================================================
Paths of coefficients: lasso, elastic net and MCP
=================================================

As the penalty weakens, columns enter a sparse model one after another. A whole path of
penalties costs little more than one fit, since each solution starts the next, and
cross-validation, which solves a path for each fold, shares the table between them.
"""

# %%
# Data
# ----
# A hundred columns that are correlated with their neighbours; eight of them matter.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import StandardScaler

from sklearnx.linear_model import LassoCV, MCPRegression, enet_path, lasso_path

rng = np.random.default_rng(0)
n_rows, n_columns = 200, 100
X = rng.normal(size=(n_rows, n_columns))
for j in range(1, n_columns):
    X[:, j] = 0.6 * X[:, j - 1] + 0.8 * X[:, j]
X = StandardScaler().fit_transform(X)
coef = np.zeros(n_columns)
chosen = np.arange(5, n_columns, 13)
coef[chosen] = [3.0, -2.5, 2.0, -2.0, 1.5, 1.5, -1.0, 1.0]
y = X @ coef + 2.0 * rng.normal(size=n_rows)
y -= y.mean()

# %%
# Paths
# -----
# Coloured lines are the columns that matter, at the right of each picture near to the
# values that made the data. The elastic net shares a coefficient among neighbours; the
# minimax concave penalty leaves large coefficients alone.


def draw_path(ax, alphas, coefs, title):
    for j in range(n_columns):
        is_chosen = coef[j] != 0
        ax.plot(
            alphas,
            coefs[j],
            color=None if is_chosen else "0.7",
            linewidth=1.5 if is_chosen else 0.7,
            zorder=2 if is_chosen else 1,
        )
    ax.set(xscale="log", xlabel="alpha", title=title)
    ax.invert_xaxis()


alphas, coefs, _ = lasso_path(X, y, eps=0.02)
_, of_net, _ = enet_path(X, y, l1_ratio=0.5, alphas=2 * alphas)
of_mcp = np.stack(
    [MCPRegression(alpha=alpha).fit(X, y).coef_ for alpha in alphas], axis=1
)

fig, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
draw_path(axes[0], alphas, coefs, "lasso")
draw_path(axes[1], 2 * alphas, of_net, "elastic net, l1_ratio=0.5")
draw_path(axes[2], alphas, of_mcp, "minimax concave penalty")
axes[0].set_ylabel("coefficient")

# %%
# The penalty that predicts best
# ------------------------------
# `LassoCV` solves the paths of all folds side by side. The error is least where more
# columns than the eight are let in: selection by prediction errs on the large side.

model = LassoCV(cv=10).fit(X, y)
errors = model.mse_path_
mean = errors.mean(axis=1)
spread = errors.std(axis=1) / np.sqrt(errors.shape[1])

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(model.alphas_, mean)
ax.fill_between(model.alphas_, mean - spread, mean + spread, alpha=0.2)
ax.axvline(
    model.alpha_,
    color="0.5",
    linestyle=":",
    label=f"{np.count_nonzero(model.coef_)} columns",
)
ax.set(xscale="log", xlabel="alpha", ylabel="squared error of held-out rows")
ax.invert_xaxis()
ax.legend()
