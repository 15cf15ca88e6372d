"""
===================================================
How long linear models take, beside other libraries
===================================================

Fits of the same model to tables of growing size, by every library that is installed.
The page is built in a few seconds and so on small data, on a machine that may have had
other things to do: read the shapes of the curves, not their levels. `python -m
benchmarks linear` in the repository compares larger work, and checks that all have
reached the same minimum.
"""

import importlib
import importlib.util
import warnings
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

N_THREADS = 2
LIBRARIES = {
    "sklearnx": "sklearnx.linear_model",
    "scikit-learn": "sklearn.linear_model",
    "scikit-learn-intelex": "sklearnex.linear_model",
    "celer": "celer",
    "skglm": "skglm",
}


def find_classes(name):
    """The class of this name in each library that has it."""
    classes = {}
    for library, module in LIBRARIES.items():
        if importlib.util.find_spec(module.partition(".")[0]) is not None:
            found = getattr(importlib.import_module(module), name, None)
            if found is not None:
                classes[library] = found
    return classes


def time_fit(model, X, y):
    """The best of three fits, in seconds."""
    seconds = []
    with threadpool_limits(N_THREADS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            start = perf_counter()
            model.fit(X, y)
            seconds.append(perf_counter() - start)
    return min(seconds)


def draw_times(ax, name, parameters, tables, xlabel):
    """A curve for each library over tables, a dict of size -> (X, y)."""
    for library, make in find_classes(name).items():
        seconds = [time_fit(make(**parameters), X, y) for X, y in tables.values()]
        ax.plot(list(tables), seconds, marker="o", label=library)
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="seconds", title=name)
    ax.set_xticks(list(tables), [f"{size:,}" for size in tables], fontsize="small")
    ax.minorticks_off()
    ax.legend(fontsize="small")


# %%
# Many rows
# ---------
# Fifty columns. Least squares and the lasso are solved from the Gram matrix of the
# columns, which is made in one pass; logistic regression takes a few passes.

rng = np.random.default_rng(0)
all_rows = [1_000, 5_000, 20_000, 100_000]
X = rng.normal(size=(all_rows[-1], 50))
score = X @ rng.normal(size=50)
y = score + 5 * rng.normal(size=len(X))
tables = {n: (X[:n], y[:n]) for n in all_rows}

fig, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
draw_times(axes[0], "LinearRegression", {}, tables, "rows")
draw_times(axes[1], "Lasso", {"alpha": 0.1}, tables, "rows")
classes = {n: (X[:n], y[:n] > 0) for n in all_rows}
draw_times(axes[2], "LogisticRegression", {}, classes, "rows")

# %%
# Many columns
# ------------
# Five hundred rows. Most coefficients of the lasso are zero, and the work is in finding
# out which are not.

all_columns = [500, 2_000, 8_000]
X = rng.normal(size=(500, all_columns[-1]))
y = X[:, :20] @ rng.normal(size=20) + rng.normal(size=len(X))
tables = {n: (np.ascontiguousarray(X[:, :n]), y) for n in all_columns}

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
draw_times(axes[0], "Lasso", {"alpha": 0.2}, tables, "columns")
draw_times(axes[1], "Ridge", {}, tables, "columns")
