"""The real tables that accuracy is measured on, as frames, and their splits."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np

from benchmarks._accuracy import split_rows
from benchmarks._cases import load_claims, load_flights, load_hotel
from benchmarks._data import TABLES, Table, find_folder, has_table

MAX_TRAIN_ROWS = 100_000
MAX_TEST_ROWS = 100_000
# Of the rows that are not for testing, what early stopping is judged by.
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class RowSet:
    """Rows with their target, and weights or None."""

    X: Any
    y: np.ndarray
    weight: np.ndarray | None

    def take(self, rows):
        weight = None if self.weight is None else self.weight[rows]
        return RowSet(self.X.iloc[rows], self.y[rows], weight)


@dataclass(frozen=True)
class QualitySplit:
    """Rows to fit, to judge rounds by (None: nothing is), and to judge the model by."""

    train: RowSet
    validation: RowSet | None
    test: RowSet

    def with_frames(self, prepare):
        """Return the split with what ``prepare(X_train, *others)`` makes of frames."""
        parts = [part for part in (self.train, self.validation, self.test) if part]
        frames = prepare(*(part.X for part in parts))
        parts = [replace(part, X=X) for part, X in zip(parts, frames, strict=True)]
        if self.validation is None:
            return QualitySplit(parts[0], None, parts[1])
        return QualitySplit(*parts)


@dataclass(frozen=True)
class QualitySet:
    """A table and the task set on it; ``load()`` returns X, y, and weights or None."""

    name: str
    task: str
    load: Callable

    def is_present(self):
        return has_table(self.name)

    def find_digest(self):
        """What tells the file from others of its name."""
        data = (find_folder() / f"{self.name}.parquet").read_bytes()
        return blake2b(data, digest_size=6).hexdigest()

    def draw_splits(self, n_splits, has_validation, n_rows=None):
        """Yield random splits, the same in each run.

        Parameters
        ----------
        n_splits : int
        has_validation : bool
            Whether some rows are set aside for early stopping.
        n_rows : int or None
            At most so many rows to fit, and a fifth of it to stop by.
        """
        rows = RowSet(*self.load())
        for train, test in split_rows(self.task, rows.y, n_splits):
            validation = None
            if has_validation:
                n_validation = round(VALIDATION_SHARE * len(train))
                train, validation = train[n_validation:], train[:n_validation]
                if n_rows is not None:
                    validation = validation[: round(n_rows / 5)]
                validation = rows.take(validation)
            yield QualitySplit(
                rows.take(train[: n_rows or MAX_TRAIN_ROWS]),
                validation,
                rows.take(test[:MAX_TEST_ROWS]),
            )


def _load_table(table):
    return (*table.load(), None)


_MORE_TABLES = [
    Table("amazon_employee_access", "ACTION", "classification"),
    Table("covtype", "Cover_Type", "classification"),
]
# What other parts measure with other targets or columns comes from there.
_LOADERS = {
    "hotel_bookings": ("classification", load_hotel),
    "nycflights13": ("classification", load_flights),
    "freMTPL2freq": ("poisson", load_claims),
    **{
        table.name: (table.task, partial(_load_table, table))
        for table in [*TABLES, *_MORE_TABLES]
        if table.name != "hotel_bookings"
    },
}
QUALITY_SETS = [QualitySet(name, *_LOADERS[name]) for name in sorted(_LOADERS)]
