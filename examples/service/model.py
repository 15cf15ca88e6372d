"""The model that answers, and its replacement when the file changes."""

import contextlib
import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearnx.io import load, read_metadata

from .metrics import Metrics
from .schema import RequestSchema

# What models raise if a value is not one for them.
REFUSALS = (TypeError, ValueError, OverflowError)

logger = logging.getLogger("uvicorn.error")


class ServedModel:
    """A model and what it is asked with. Nothing in it changes.

    Parameters
    ----------
    path : Path
        A model file that stays as it is.
    """

    def __init__(self, path: Path):
        self.path = path
        self.version = path.stem
        self.schema = RequestSchema(read_metadata(path)["schema"])
        self._estimator = load(path)
        self._gives_probabilities = hasattr(self._estimator, "predict_proba")
        self._method = "predict_proba" if self._gives_probabilities else "predict"
        # Pipelines and scikit-learn's own estimators have none.
        self._predictor = None
        if hasattr(self._estimator, "compile_predictor"):
            self._predictor = self._estimator.compile_predictor(self._method)

    @property
    def answers_in_microseconds(self) -> bool:
        """Whether a row takes less time than to hand it to a thread."""
        return self._predictor is not None

    def answer_row(self, row: dict[str, Any]) -> dict[str, Any]:
        """Answer one row."""
        if self._predictor is None:
            (answer,) = self.answer_rows([row])
            return answer
        return self._describe(self._predictor(row))

    def answer_rows(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answer many rows."""
        frame = pd.DataFrame(
            {
                column["name"]: make_column(rows, **column)
                for column in self.schema.columns
            }
        )
        answers = getattr(self._estimator, self._method)(frame)
        return [self._describe(answer) for answer in answers.tolist()]

    def locate_refusal(self, rows: list[dict[str, Any]]) -> tuple[int | str, ...]:
        """Return where the first row is that the model refuses, and its column.

        It is the column without which the row is answered. Empty if all rows are
        answered, without a column if no single one is to blame.
        """
        start, stop = 0, len(rows)
        while stop - start > 1:
            middle = (start + stop) // 2
            if self._refuses(rows[start:middle]):
                stop = middle
            else:
                start = middle
        row = rows[start]
        if not self._refuses([row]):
            return ()
        for column in self.schema.columns:
            if not self._refuses([row | {column["name"]: None}]):
                return start, column["name"]
        return (start,)

    def _refuses(self, rows):
        try:
            self.answer_rows(rows)
        except REFUSALS:
            return True
        return False

    def _describe(self, answer):
        if not self._gives_probabilities:
            return {"prediction": answer}
        classes = self.schema.classes
        return {
            "prediction": classes[answer.index(max(answer))],
            "probabilities": dict(zip(classes, answer)),
        }


def make_column(rows, name, kind, levels=()):
    """Return the values of a column as the model knows them from its fit."""
    values = [row[name] for row in rows]
    if kind == "number":
        return np.array(values, dtype=np.float64)
    if kind == "category":
        return np.array(values, dtype=object)
    # What a transformer of scikit-learn takes for missing is NaN. A column of nothing
    # else is of dtype object, which may be that of texts as well as of numbers.
    is_missing = all(value is None for value in values)
    values = [np.nan if value is None else value for value in values]
    return np.array(values, dtype=object) if is_missing else values


class ModelHolder:
    """Holds the model of the last good file.

    Parameters
    ----------
    path : Path
        The model file, which may be replaced, damaged, absent for a while.
    snapshots : Path
        A folder for copies of it, which the workers of a service share.
    metrics : Metrics
    """

    def __init__(self, path: Path, snapshots: Path, metrics: Metrics):
        self.model: ServedModel | None = None
        self._path = path
        self._snapshots = snapshots
        self._metrics = metrics
        self._stamp = None

    def refresh(self) -> None:
        """Read the file if it has changed; if it is no good, the old model stays."""
        try:
            stamp = find_stamp(self._path)
            if stamp == self._stamp:
                return
            snapshot = take_snapshot(self._path, self._snapshots)
        except OSError as error:
            # It may pass: asked again next time.
            self._note_failure(error)
            return
        self._stamp = stamp
        if self.model is not None and snapshot == self.model.path:
            return
        try:
            model = ServedModel(snapshot)
        # Whatever is wrong with a file, there is a model that still works.
        except Exception as error:
            drop_snapshot(snapshot)
            self._note_failure(error)
            return
        # One assignment: a request that has the old model ends with it.
        old, self.model = self.model, model
        if old is not None:
            drop_snapshot(old.path)
        self._metrics.note_model_read()
        logger.info("Model %s of %s serves.", model.version, self._path)

    def _note_failure(self, error):
        self._metrics.note_model_failure()
        serving = "no model" if self.model is None else f"model {self.model.version}"
        logger.error("%s cannot be served, %s serves: %s", self._path, serving, error)


# ---- snapshots -----------------------------------------------------------------------
# A model maps its file into memory. Who copies a file over another in place changes it
# under all that map it, so what is mapped is a copy. It is named by what is in it:
# workers that read the same model map the same file.


def find_stamp(path):
    """Return what differs if a file was replaced or written to."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def take_snapshot(path, folder):
    """Return a copy of a file, in a folder where nobody writes to it."""
    copy = folder / f"{os.getpid()}.copy"
    shutil.copyfile(path, copy)
    with open(copy, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    snapshot = folder / f"{digest[:16]}.safetensors"
    with contextlib.suppress(FileExistsError):  # another worker was first
        snapshot.hardlink_to(copy)
    copy.unlink()
    return snapshot


def drop_snapshot(snapshot):
    """Remove a copy; who has it mapped keeps it."""
    with contextlib.suppress(PermissionError):  # Windows, while it is mapped
        snapshot.unlink(missing_ok=True)
