"""
==================
Partial dependence
==================

What does a model make of one column, with the others as they are? scikit-learn's
:class:`~sklearn.inspection.PartialDependenceDisplay` works on our models as on its own.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.inspection import PartialDependenceDisplay

from sklearnx.datasets import load_adult
from sklearnx.ensemble import HistGradientBoostingClassifier

X, y = load_adult(return_X_y=True)
X = X.drop(columns=["fnlwgt", "education_num"])
# A grid is laid over numbers; whole numbers would have to stay whole.
X = X.astype({"age": "float64", "hours_per_week": "float64"})
model = HistGradientBoostingClassifier(random_state=0).fit(X, y)

# %%
# Two numbers and a category
# --------------------------
# Each thin line is a person whose age, or hours, is changed; the thick line is their
# mean. Of a category every level gets a bar.

rows = X.sample(300, random_state=0)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
PartialDependenceDisplay.from_estimator(
    model,
    rows,
    ["age", "hours_per_week"],
    kind="both",
    subsample=60,
    grid_resolution=30,
    random_state=0,
    ice_lines_kw={"color": "tab:blue", "alpha": 0.15},
    pd_line_kw={"color": "tab:orange", "linewidth": 2.5, "linestyle": "-"},
    ax=axes,
)
axes[0].set_ylabel("P(>50K)")
axes[1].set_ylabel("")

# %%
fig, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
PartialDependenceDisplay.from_estimator(
    model,
    rows,
    ["education"],
    categorical_features=model.is_categorical_,
    method="brute",
    ax=ax,
)

# %%
# Two at a time
# -------------
# Long hours pay from the thirties on, and for the young hardly at all.

fig, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
PartialDependenceDisplay.from_estimator(
    model,
    rows,
    [("age", "hours_per_week")],
    grid_resolution=15,
    method="brute",
    ax=ax,
)
