"""
=========================
Three kinds of importance
=========================

Which columns does a model use? The total gain of the splits on a column and the number
of those splits are known after the fit and cost nothing; permutation importance asks
how much worse the predictions on held-out rows become when a column is shuffled. They
answer different questions, as a column of pure noise shows.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.inspection import permutation_importance
from sklearn.model_selection import train_test_split

from sklearnx.datasets import load_adult
from sklearnx.ensemble import HistGradientBoostingClassifier

X, y = load_adult(return_X_y=True)
X = X.drop(columns=["fnlwgt", "education_num"])
X["noise"] = np.random.default_rng(0).normal(size=len(X))
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=20_000, test_size=5_000, random_state=0
)
model = HistGradientBoostingClassifier(random_state=0).fit(X_train, y_train)

permuted = permutation_importance(
    model, X_test, y_test, scoring="neg_log_loss", n_repeats=5, random_state=0
)
split_counts = model.feature_split_counts_
importances = {
    "total gain": model.feature_importances_,
    "number of splits": split_counts / split_counts.sum(),
    "rise of the held-out log loss\nwhen shuffled": permuted.importances_mean,
}

# %%
# By the number of splits the noise looks like one of the most useful columns: a
# continuous column offers many thresholds, and deep in a tree, where few rows are left,
# one of them fits by chance. Such splits gain little, and do not help on other rows.

order = np.argsort(model.feature_importances_)
fig, axes = plt.subplots(1, 3, figsize=(10, 4.5), sharey=True, layout="constrained")
for ax, (title, values) in zip(axes, importances.items()):
    is_noise = X.columns[order] == "noise"
    colors = np.where(is_noise, "tab:red", "tab:blue")
    bars = ax.barh(X.columns[order], values[order], color=colors)
    ax.bar_label(bars, fmt="%.3f", padding=3, fontsize="small")
    ax.use_sticky_edges = False
    ax.margins(x=0.28)
    ax.set_title(title, fontsize="medium")
