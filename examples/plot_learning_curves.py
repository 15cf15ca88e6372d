"""
=======================================
Learning curves: how many rounds to fit
=======================================

The loss on the training rows falls with every round; on other rows it falls, flattens
and rises again. Several validation sets can be followed while a model is fitted, and
early stopping ends the fit where the held-out loss stops falling.
"""

# %%
# Follow two sets
# ---------------
# `eval_sets` names sets of rows whose loss is recorded before the first round and after
# every one. The model does not depend on them.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from sklearnx.datasets import load_adult
from sklearnx.ensemble import HistGradientBoostingClassifier

X, y = load_adult(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=10_000, test_size=10_000, random_state=0
)
sets = {"training rows": (X_train, y_train), "held-out rows": (X_test, y_test)}


def fit_and_follow(learning_rate, **params):
    model = HistGradientBoostingClassifier(
        learning_rate=learning_rate, early_stopping=False, random_state=0, **params
    )
    model.fit(X_train, y_train, eval_sets=sets)
    return {name: np.array(model.evals_result_[name]["loss"]) for name in sets}


losses = fit_and_follow(0.1, max_iter=300)
best = int(losses["held-out rows"].argmin())

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, loss in losses.items():
    ax.plot(loss, label=name)
ax.axvline(best, color="0.5", linestyle=":", label=f"best round: {best}")
ax.set(xlabel="round", ylabel="log loss", title="Learning rate 0.1")
ax.legend()

# %%
# The learning rate
# -----------------
# A small rate needs more rounds and ends a little lower; a large one overfits early.

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for learning_rate in (0.03, 0.1, 0.3):
    loss = fit_and_follow(learning_rate, max_iter=200)["held-out rows"]
    (line,) = ax.plot(loss, label=f"{learning_rate}")
    ax.plot(loss.argmin(), loss.min(), "o", color=line.get_color())
ax.set(xlabel="round", ylabel="held-out log loss", ylim=(0.27, 0.4))
ax.legend(title="learning rate")

# %%
# Early stopping
# --------------
# With rows set aside for it, the fit ends `n_iter_no_change` rounds after the last
# improvement.

model = HistGradientBoostingClassifier(
    max_iter=1000, early_stopping=True, n_iter_no_change=20, random_state=0
)
model.fit(X_train, y_train, X_val=X_test, y_val=y_test)
print(f"stopped after {model.n_iter_} rounds")
