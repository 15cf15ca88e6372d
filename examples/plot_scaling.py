"""
==============================================
How the time of a fit grows with rows, columns
==============================================

A round of boosting costs a little for its tree, however few the rows are, and then the
same for every row. This page measures both when it is built, in a few seconds and so on
small data, on a machine that may have had other things to do: read the shapes of the
curves, not their levels. `python -m benchmarks boosting --part scaling` in the
repository measures up to 5,000,000 rows and 1,000 columns beside other libraries, and
`python -m benchmarks curves` draws what it found.
"""

import os
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import sklearn.ensemble
from threadpoolctl import threadpool_limits

import sklearnx.ensemble

N_ROUNDS = 10
LIBRARIES = {"sklearnx": sklearnx.ensemble, "scikit-learn": sklearn.ensemble}


def make_data(n_rows, n_columns):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns), dtype=np.float32)
    return X, X[:, 0] * X[:, 1] + X[:, 2] + rng.normal(size=n_rows)


def time_fit(module, X, y, n_threads):
    """The best of three fits, in seconds."""
    model = module.HistGradientBoostingRegressor(
        max_iter=N_ROUNDS, early_stopping=False, random_state=0
    )
    seconds = []
    with threadpool_limits(n_threads, user_api="openmp"):
        for _ in range(3):
            start = perf_counter()
            model.fit(X, y)
            seconds.append(perf_counter() - start)
    return min(seconds)


# The first fit of a library starts its threads.
for module in LIBRARIES.values():
    time_fit(module, *make_data(500, 5), n_threads=2)

# %%
# Rows
# ----
# On the left, the time of a round: nearly flat where the tree itself costs most. On the
# right the same divided by the rows, which levels off at the cost of a row.

all_rows = np.array([500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000])
X, y = make_data(all_rows[-1], 20)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for name, module in LIBRARIES.items():
    seconds = [time_fit(module, X[:n], y[:n], n_threads=1) for n in all_rows]
    per_round = np.array(seconds) / N_ROUNDS
    left.plot(all_rows, 1e3 * per_round, marker="o", label=name)
    right.plot(all_rows, 1e9 * per_round / all_rows, marker="o", label=name)
left.set(xscale="log", yscale="log", xlabel="rows", ylabel="ms per round")
right.set(xscale="log", xlabel="rows", ylabel="ns per row and round", ylim=0)
left.legend()
fig.suptitle("20 columns, one thread")

# %%
# Columns
# -------
# Histograms are sums over all columns, so that the time is a line in their number.

all_columns = np.array([5, 10, 20, 50, 100])
X, y = make_data(10_000, all_columns[-1])
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, module in LIBRARIES.items():
    seconds = [time_fit(module, X[:, :n].copy(), y, n_threads=1) for n in all_columns]
    ax.plot(all_columns, 1e3 * np.array(seconds) / N_ROUNDS, marker="o", label=name)
ax.set(xlabel="columns", ylabel="ms per round", ylim=0, title="10,000 rows, one thread")
ax.legend()

# %%
# Threads
# -------
# A second thread brings more on more rows. The model is the same, bit for bit.

n_cores = os.cpu_count()
some_rows = [2_000, 10_000, 50_000, 100_000]
X, y = make_data(some_rows[-1], 20)
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, module in LIBRARIES.items():
    gains = [
        time_fit(module, X[:n], y[:n], n_threads=1)
        / time_fit(module, X[:n], y[:n], n_threads=2)
        for n in some_rows
    ]
    ax.plot(some_rows, gains, marker="o", label=name)
ax.set(
    xscale="log",
    xlabel="rows",
    ylabel="two threads over one",
    ylim=0,
    title=f"20 columns, on a machine of {n_cores} core{'s' if n_cores > 1 else ''}",
)
ax.legend()
