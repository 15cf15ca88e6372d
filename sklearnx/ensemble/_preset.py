"""The estimators of those who want to set nothing: other defaults, the same engine."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from sklearnx.ensemble._docs import document_preset
from sklearnx.ensemble._hist_gradient_boosting import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

PRESET: dict[str, Any] = {
    "learning_rate": "auto",
    "max_iter": 1000,
    "max_leaf_nodes": "auto",
    "min_samples_leaf": 5,
    "l2_regularization": 0.3,
    "n_iter_no_change": 50,
    "subsample": 0.8,
    "restore_best": True,
    "categorical_encoding": "auto",
}
# Of rare classes and of rows that a model is wrong about, hessians are small and Newton
# steps large. In units of the logarithm of odds; targets of regression have any.
PRESET_OF_CLASSIFIER: dict[str, Any] = {**PRESET, "max_delta_step": 2.0}


def copy_init(
    init: FunctionType, class_name: str, defaults: dict[str, Any]
) -> FunctionType:
    """Return the same constructor with some other defaults of its keywords."""
    copied = FunctionType(
        init.__code__, init.__globals__, "__init__", init.__defaults__, init.__closure__
    )
    copied.__kwdefaults__ = {**init.__kwdefaults__, **defaults}
    copied.__module__ = __name__
    # What Python calls it where an argument is wrong.
    copied.__qualname__ = f"{class_name}.__init__"
    return copied


# With fewer, scores of a tenth of the rows say no better when to stop than a small rate
# of all rounds does.
MAX_ROWS_WITHOUT_EARLY_STOPPING = 500


@document_preset
class BoostingRegressor(HistGradientBoostingRegressor):
    _max_rows_without_early_stopping = MAX_ROWS_WITHOUT_EARLY_STOPPING
    __init__ = copy_init(
        HistGradientBoostingRegressor.__init__, "BoostingRegressor", PRESET
    )


@document_preset
class BoostingClassifier(HistGradientBoostingClassifier):
    _max_rows_without_early_stopping = MAX_ROWS_WITHOUT_EARLY_STOPPING
    __init__ = copy_init(
        HistGradientBoostingClassifier.__init__,
        "BoostingClassifier",
        PRESET_OF_CLASSIFIER,
    )
