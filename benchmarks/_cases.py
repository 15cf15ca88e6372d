"""What the speed of training is measured on: a case for each bar.

A case is a line in `CASES`; its data come as splits, from a generator of data by seed
(`from_seeds`), from a table (`from_table`) or from a function of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks._accuracy import split_rows
from benchmarks._boosters import OURS, OURS_OF_FEW_ROWS
from benchmarks._data import (
    make_columns,
    make_events,
    make_many_events,
    read_table,
)

# Rows of a table that a quick run takes.
N_QUICK_ROWS = 3_000


@dataclass(frozen=True)
class Split:
    """Rows to fit and rows to judge by; weights of either, or None."""

    X_train: Any
    y_train: np.ndarray
    X_test: Any
    y_test: np.ndarray
    weight_train: np.ndarray | None = None
    weight_test: np.ndarray | None = None


@dataclass(frozen=True)
class Case:
    """Data, a task, and how long the fit may take.

    Attributes
    ----------
    name, title : str
    task : str
        As of `Settings`.
    draw_splits : callable
        ``draw_splits(n_splits, is_quick)`` yields each `Split`.
    bar : float
        Our fit time over that of the fastest peer, at most.
    n_rounds : int
    table : str or None
        The table that has to be there.
    n_repeats : int
        Turns on each split: many where a fit takes milliseconds.
    tries_one_thread : bool
        Whether a peer is also timed on one thread, and the better of both counts.
    ours : str
        Which of our boosters the bars are for; the one with all defaults is fitted in
        any case.
    memory_bar : float or None
        Our peak memory over LightGBM's, at most. If there is one, each fit has a
        process of its own.
    """

    name: str
    title: str
    task: str
    draw_splits: Callable
    bar: float
    n_rounds: int = 100
    table: str | None = None
    n_repeats: int = 1
    tries_one_thread: bool = False
    ours: str = OURS
    memory_bar: float | None = None


def from_seeds(make, n_train, n_test, n_quick):
    """Splits of made data: other rows for each seed."""

    def draw_splits(n_splits, is_quick):
        n_rows = n_quick if is_quick else n_train
        for seed in range(n_splits):
            X, y = make(n_rows + min(n_test, n_rows), seed=seed)
            yield Split(X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:])

    return draw_splits


def from_table(task, load):
    """Random splits of a table: ``load()`` returns X, y and weights or None."""

    def draw_splits(n_splits, is_quick):
        X, y, weight = load()
        for train, test in split_rows(task, y, n_splits):
            if is_quick:
                train, test = train[:N_QUICK_ROWS], test[:N_QUICK_ROWS]
            yield Split(
                _take(X, train),
                y[train],
                _take(X, test),
                y[test],
                None if weight is None else weight[train],
                None if weight is None else weight[test],
            )

    return draw_splits


def _take(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def load_covtype():
    frame = read_table("covtype")
    y = frame.pop("Cover_Type").to_numpy()
    return frame.to_numpy(np.float32), np.unique(y, return_inverse=True)[1], None


def load_hotel():
    frame = read_table("hotel_bookings")
    y = frame["is_canceled"].to_numpy()
    leaky = ["is_canceled", "reservation_status", "reservation_status_date"]
    return frame.drop(columns=leaky), y, None


def load_flights():
    """Whether a flight arrives late, from what is known before it leaves."""
    frame = read_table("nycflights13")
    frame = frame[frame["arr_delay"].notna()]
    y = (frame["arr_delay"] > 15).to_numpy().astype(int)
    leaky = ["arr_delay", "dep_delay", "dep_time", "arr_time", "air_time", "time_hour"]
    return frame.drop(columns=leaky), y, None


def load_claims():
    """Claims a year, weighted by the part of a year that a row was exposed."""
    frame = read_table("freMTPL2freq")
    # Rare rows beyond these are errors, by the example of scikit-learn on this table.
    exposure = frame["Exposure"].clip(upper=1).to_numpy()
    y = frame["ClaimNb"].clip(upper=4).to_numpy() / exposure
    return frame.drop(columns=["IDpol", "ClaimNb", "Exposure"]), y, exposure


QUOTE_MARKS = (">", "|")
QUOTE_TITLES = ("writes:", "wrote:", "said:")
MAX_SIGNATURE_LINES = 10


def strip_message(text):
    """The words of the author: no headers, quotes or signature, which give it away."""
    # Half of the table has tabs in place of the ends of lines.
    if "\n\n" not in text:
        text = text.replace("\t", "\n")
    body = text.partition("\n\n")[2]
    before, dashes, signature = body.rpartition("\n--")
    if dashes and signature.count("\n") <= MAX_SIGNATURE_LINES:
        body = before
    return "\n".join(
        line
        for line in body.split("\n")
        if not line.lstrip().startswith(QUOTE_MARKS)
        and not line.rstrip().endswith(QUOTE_TITLES)
    )


def draw_newsgroups(n_splits, is_quick):
    """Words of messages, weighted by how rare they are; vocabulary of the fitted ones.

    60 % of the messages are fitted, as many as by the date that usually splits them.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    frame = read_table("newsgroups20")
    y = np.unique(frame["category"].astype(str), return_inverse=True)[1]
    texts = frame["text"].to_numpy(dtype=object)
    for train, test in split_rows("classification", y, n_splits, test_size=0.4):
        if is_quick:
            train, test = train[:500], test[:500]
        vectorizer = TfidfVectorizer(dtype=np.float32)
        X_train = vectorizer.fit_transform(map(strip_message, texts[train]))
        X_test = vectorizer.transform(map(strip_message, texts[test]))
        yield Split(X_train, y[train], X_test, y[test])


CASES = [
    Case(
        "numeric",
        "made numbers, binary",
        "classification",
        from_seeds(make_events, 400_000, 100_000, n_quick=5_000),
        bar=0.40,
    ),
    Case(
        "covtype",
        "covtype, 7 classes, 54 columns",
        "classification",
        from_table("classification", load_covtype),
        bar=0.50,
        n_rounds=30,
        table="covtype",
    ),
    Case(
        "hotel",
        "hotel_bookings, binary, categories and missing values",
        "classification",
        from_table("classification", load_hotel),
        bar=0.50,
        table="hotel_bookings",
    ),
    Case(
        "flights",
        "nycflights13, more than 15 minutes late, categories",
        "classification",
        from_table("classification", load_flights),
        bar=0.50,
        table="nycflights13",
    ),
    Case(
        "claims",
        "freMTPL2freq, poisson, exposure as weight",
        "poisson",
        from_table("poisson", load_claims),
        bar=0.50,
        table="freMTPL2freq",
    ),
    Case(
        "small",
        "made numbers, binary",
        "classification",
        from_seeds(partial(make_columns, n_columns=10), 1_000, 10_000, n_quick=1_000),
        bar=1.0,
        n_repeats=15,
        tries_one_thread=True,
        ours=OURS_OF_FEW_ROWS,
    ),
    Case(
        "tiny",
        "made numbers, binary",
        "classification",
        from_seeds(partial(make_columns, n_columns=5), 200, 10_000, n_quick=200),
        bar=1.0,
        n_repeats=15,
        tries_one_thread=True,
        ours=OURS_OF_FEW_ROWS,
    ),
    Case(
        "newsgroups",
        "newsgroups20, TF-IDF as CSR, 20 classes",
        "classification",
        draw_newsgroups,
        bar=0.70,
        n_rounds=30,
        table="newsgroups20",
    ),
    Case(
        "large",
        "made numbers, binary",
        "classification",
        from_seeds(make_many_events, 5_000_000, 500_000, n_quick=10_000),
        bar=0.40,
        memory_bar=1.1,
    ),
]
