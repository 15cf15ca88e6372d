"""
======================
A split on a category
======================

A category has no order, and a split may send any set of its levels to the left. There
is no need to try all sets: with the levels sorted by their mean gradient, the best set
is a prefix of that order [1]_. The drawings show the order, the cut, and the tree.
"""

# %%
# The first split on one column
# -----------------------------
# A model of one round and two leaves on `occupation` alone. In the first round the mean
# gradient of a level is, but for a constant, the share of its people with an income
# above 50,000 dollars. The colours tell the two children. Missing values are one more
# level.
#
# The mean of few rows is mostly chance, so it is drawn towards that of all: the 15 rows
# of `Armed-Forces` go with the lower levels. Below 10 rows a level takes no part in the
# order.

import matplotlib.pyplot as plt
import numpy as np

from sklearnx.datasets import load_adult
from sklearnx.ensemble import HistGradientBoostingClassifier
from sklearnx.inspection import plot_tree, tree_table

X, y = load_adult(return_X_y=True)
X_one = X[["occupation"]]
stump = HistGradientBoostingClassifier(
    max_iter=1, max_leaf_nodes=2, early_stopping=False
).fit(X_one, y)

levels = X["occupation"].cat.add_categories("(missing)").fillna("(missing)")
shares = (y == ">50K").groupby(levels, observed=True).mean().sort_values()
n_rows = levels.value_counts()[shares.index]
scores = stump.decision_function(X_one)
is_upper = [scores[levels == level][0] == scores.max() for level in shares.index]

fig, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
bars = ax.barh(shares.index, shares, color=np.where(is_upper, "tab:orange", "tab:blue"))
ax.bar_label(bars, labels=[f"{n} rows" for n in n_rows], padding=3, fontsize="small")
ax.margins(x=0.15)
ax.set(xlabel="share of people with an income above 50,000 dollars")

# %%
# A tree
# ------
# The first tree of a model of all columns. Each box asks something; the numbers of the
# leaves are added to the log-odds of a row.

model = HistGradientBoostingClassifier(
    max_iter=1, max_depth=3, max_leaf_nodes=6, early_stopping=False
).fit(X, y)
plot_tree(model)

# %%
# The same tree as a table, a node a row.

tree_table(model)

# %%
# .. [1] W. D. Fisher, "On grouping for maximum homogeneity", Journal of the American
#    Statistical Association 53 (1958).
