"""Data for the benchmarks: made from a seed, or read from the shared tables.

The tables are looked for in the folder that ``SKLEARNX_DATA`` names, otherwise in
``shared/data`` beside the repository.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


def find_folder():
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("SKLEARNX_DATA", default))


def has_table(name):
    return (find_folder() / f"{name}.parquet").exists()


def read_table(name):
    """A frame whose categories are of pandas' dtype."""
    import pandas as pd

    return pd.read_parquet(find_folder() / f"{name}.parquet")


@dataclass(frozen=True)
class Table:
    """One table of the shared data and the task set on it.

    ``drop`` lists columns that leak the target or say how the file was made.
    """

    name: str
    target: str
    task: str
    drop: list = field(default_factory=list)
    has_log_target: bool = False

    def is_present(self):
        return has_table(self.name)

    def load(self):
        """X as a frame whose categories are of pandas' dtype, y as an array."""
        frame = read_table(self.name)
        y = frame[self.target].to_numpy()
        if self.task == "classification":
            # XGBoost takes no other names of classes.
            y = np.unique(y, return_inverse=True)[1]
        if self.has_log_target:
            y = np.log(y)
        return frame.drop(columns=[self.target, *self.drop]), y


TABLES = [
    Table("adult", "income", "classification", drop=["split"]),
    Table("bank_marketing", "y", "classification", drop=["duration"]),
    Table("electricity", "class", "classification"),
    Table("california_housing", "median_house_value", "regression"),
    Table("diamonds", "price", "regression", has_log_target=True),
    Table("letter", "y", "classification"),
    Table(
        "hotel_bookings",
        "is_canceled",
        "classification",
        drop=["reservation_status", "reservation_status_date"],
    ),
]


def make_events(n_samples, seed=0):
    """A binary problem of 28 float32 columns, in the manner of the HIGGS data.

    Momenta (skewed, positive), angles and tags of four jets, and seven products of
    them; the signal sits in products and differences, so that trees need depth.

    Returns
    -------
    X : ndarray of shape (n_samples, 28), float32
    y : ndarray of shape (n_samples,), int
    """
    rng = np.random.default_rng(seed)
    momentum = rng.gamma(2.0, 0.5, size=(n_samples, 6))
    angle = rng.uniform(-np.pi, np.pi, size=(n_samples, 6))
    direction = rng.normal(size=(n_samples, 5))
    tag = rng.choice([0.0, 1.1, 2.2, 3.1], size=(n_samples, 4), p=[0.5, 0.2, 0.2, 0.1])
    opening = 1.0 - np.cos(angle[:, :5] - angle[:, 1:])
    mass = np.sqrt(momentum[:, :5] * momentum[:, 1:] * opening)
    total = momentum.sum(axis=1)
    ratio = momentum[:, 0] / total
    signal = (
        1.2 * np.exp(-((mass[:, 0] - 0.9) ** 2) / 0.1)
        - 1.0 * np.exp(-((mass[:, 1] - 0.5) ** 2) / 0.2)
        + 0.8 * (tag[:, 0] > 1) * (mass[:, 2] > 0.8)
        + 0.5 * np.sin(2 * angle[:, 3]) * direction[:, 0]
        + 0.7 * np.tanh(direction[:, 1] * direction[:, 2])
        + 2.0 * (ratio > 0.25)
        - 0.3 * np.log1p(total)
    )
    signal -= np.median(signal)
    y = rng.random(n_samples) < 1.0 / (1.0 + np.exp(-1.5 * signal))
    columns = [momentum, angle, direction, tag, mass, total[:, None], ratio[:, None]]
    return np.hstack(columns).astype(np.float32), y.astype(int)


def make_many_events(n_samples, seed=0, n_at_a_time=1_000_000):
    """`make_events` without its temporary arrays of all rows."""
    X = np.empty((n_samples, 28), dtype=np.float32)
    y = np.empty(n_samples, dtype=int)
    for start in range(0, n_samples, n_at_a_time):
        stop = min(start + n_at_a_time, n_samples)
        X[start:stop], y[start:stop] = make_events(stop - start, seed=[seed, start])
    return X, y


def make_columns(n_samples, n_columns, seed=0):
    """A binary problem of any number of float32 columns; ten of them matter at most."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_columns), dtype=np.float32)
    signal = X[:, :10].sum(axis=1) + X[:, 0] * X[:, 1]
    y = rng.random(n_samples) < 1.0 / (1.0 + np.exp(-signal))
    return X, y.astype(int)
