"""Answers to single rows, for services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearnx._boosting.frames import ArrayColumn, Frame, get_label
from sklearnx._boosting.losses import ScikitLearnLoss
from sklearnx._boosting.row_reading import make_row_predictor

METHODS = ("predict", "predict_proba", "decision_function")


class CompiledPredictor:
    """The answers of a fitted model to single rows.

    `compile_predictor` of an estimator makes it. It holds the model as it was then; a
    later fit of the estimator does not change it. Any number of threads may call it at
    the same time.

    Attributes
    ----------
    method : str
        The method of the estimator whose answers it gives.
    feature_names : list of str or None
        The columns of a row, in the order of its values; None if the model was fitted
        without names.
    classes : ndarray or None
        The classes of a classifier; probabilities are in their order.
    """

    def __init__(self, estimator: Any, method: str | None):
        classes = getattr(estimator, "classes_", None)
        if method is None:
            method = "predict" if classes is None else "predict_proba"
        if method not in METHODS or not hasattr(estimator, method):
            raise ValueError(
                f"method must be one of {', '.join(METHODS)} that "
                f"{type(estimator).__name__} has, got {method!r}."
            )
        names = getattr(estimator, "feature_names_in_", None)
        self.method = method
        self.feature_names = None if names is None else names.tolist()
        self.classes = classes
        # With the same parts, but its own.
        self._estimator = object.__new__(type(estimator))
        vars(self._estimator).update(vars(estimator))
        self._returns_class = method == "predict" and classes is not None
        self._row_predictor = make_row_predictor(
            estimator._encoder,
            estimator._derived,
            estimator._model,
            names,
            link=self._find_link(),
            n_answers=self._count_answers(),
        )

    def __reduce__(self):
        return CompiledPredictor, (self._estimator, self.method)

    def _find_link(self):
        """Return how raw scores become answers, as RowPredictor calls it."""
        loss = self._estimator._loss
        if self.method == "decision_function" or self._returns_class:
            return "identity"
        if isinstance(loss, ScikitLearnLoss):
            # It has functions of its own.
            return None
        return (
            "binary"
            if self.method == "predict_proba" and loss.link == "logit"
            else loss.link
        )

    def _count_answers(self):
        if self.method == "predict_proba":
            return len(self.classes)
        n_outputs = self._estimator._model.n_outputs
        return None if n_outputs == 1 else n_outputs

    def __call__(self, row: Any) -> Any:
        """Answer one row.

        Parameters
        ----------
        row : dict, tuple, list or array of shape (n_features,)
            The values by name, or in the order of the columns in fit: numbers and
            levels; None and NaN are missing.

        Returns
        -------
        answer : float, list of float or object
            Of 'predict' a number or a class, with several outputs a list; of
            'predict_proba' a list, in the order of `classes`; of 'decision_function' a
            number, with more than two classes a list.

        Raises
        ------
        ValueError
            If the row lacks a column, has one too many, or a value is no number where
            one is expected; the message names the column.
        """
        answer = None
        if self._row_predictor is not None:
            try:
                answer = self._row_predictor.answer(row)
            except (TypeError, ValueError, OverflowError):
                # What follows says which value it was.
                answer = None
        if answer is None:
            return self._answer_with_care(row)
        return self._choose_class(answer) if self._returns_class else answer

    def _choose_class(self, raw):
        if isinstance(raw, float):
            return self.classes[int(raw > 0)]
        return self.classes[raw.index(max(raw))]

    def _answer_with_care(self, row):
        """Answer as the estimator does a frame of one row."""
        values = self._find_values(row)
        names = self.feature_names or range(len(values))

        def read_columns():
            return [
                ArrayColumn(_to_array(value), get_label(name))
                for name, value in zip(names, values, strict=True)
            ]

        frame = Frame(None, self.feature_names, 1, read_columns)
        answer = getattr(self._estimator, self.method)(frame)[0]
        if isinstance(answer, np.ndarray):
            return answer.tolist()
        return answer if self._returns_class else float(answer)

    def _find_values(self, row):
        """Return the values of a row in the order of the columns."""
        if isinstance(row, Mapping) or (hasattr(row, "keys") and not _is_array(row)):
            return self._find_named_values(row)
        if isinstance(row, np.ndarray):
            if row.ndim == 2 and len(row) == 1:
                row = row[0]
            if row.ndim != 1:
                raise ValueError(
                    f"Expected one row, got an array of shape {row.shape}."
                )
            row = row.tolist()
        if not isinstance(row, Sequence) or isinstance(row, str | bytes):
            raise ValueError(
                "A row must be a dict, a tuple, a list or an array, got "
                f"{type(row).__name__}."
            )
        n_features = self._estimator.n_features_in_
        if len(row) != n_features:
            raise ValueError(
                f"X has {len(row)} features, but {type(self._estimator).__name__} is "
                f"expecting {n_features} features as input."
            )
        return list(row)

    def _find_named_values(self, row):
        if self.feature_names is None:
            raise ValueError(
                "A row is given by names, but the model was fitted on columns without "
                "names; give a tuple of the values in the order of the columns."
            )
        given = set(row.keys())
        missing = [name for name in self.feature_names if name not in given]
        if missing:
            raise ValueError(f"The row lacks columns that fit has seen: {missing}.")
        unseen = sorted(given - set(self.feature_names), key=str)
        if unseen:
            raise ValueError(f"The row has columns that fit has not seen: {unseen}.")
        return [row[name] for name in self.feature_names]


def _is_array(row):
    return isinstance(row, np.ndarray)


def _to_array(value):
    array = np.empty(1, dtype=object)
    array[0] = value
    return array
