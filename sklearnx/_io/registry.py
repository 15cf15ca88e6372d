"""What a model file may hold: a list of types, each with a name that files know it by.

Nothing that is not listed here is ever imported, made or called when a file is read.
"""

import importlib
from typing import NamedTuple

import numpy as np
import sklearn
from sklearn.base import BaseEstimator

from sklearnx._boosting import losses
from sklearnx._boosting.binning import BinMapper
from sklearnx._boosting.derived_columns import DerivedColumn, DerivedColumns
from sklearnx._boosting.encoding import TableEncoder
from sklearnx._boosting.model import BoostedTrees
from sklearnx._boosting.multi_output import MultiOutputLoss
from sklearnx._boosting.target_statistics import TargetStatistics
from sklearnx._cluster.bisection import BisectingTree
from sklearnx._cython.boosting.collecting import NODE_DTYPE, STATS_DTYPE
from sklearnx._cython.boosting.linear_leaves import (
    LINEAR_LEAF_DTYPE,
    LINEAR_TERM_DTYPE,
)
from sklearnx._io.catboost.columns import CatBoostColumn, CatBoostColumns
from sklearnx._io.catboost.ctrs import Projection
from sklearnx._io.catboost.hashes import HashEncoder
from sklearnx._io.lightgbm.objectives import OF_ROOTS
from sklearnx._io.source_columns import SourceColumns
from sklearnx.linear_model._frames import LinearTableEncoder

# Structures of arrays.
STRUCTURES = {
    "node": NODE_DTYPE,
    "node statistics": STATS_DTYPE,
    "linear leaf": LINEAR_LEAF_DTYPE,
    "linear term": LINEAR_TERM_DTYPE,
}
# Parts of our estimators; files know them by their names here.
PARTS = {
    part.__name__: part
    for part in (
        BinMapper,
        BisectingTree,
        BoostedTrees,
        CatBoostColumn,
        CatBoostColumns,
        DerivedColumn,
        DerivedColumns,
        HashEncoder,
        LinearTableEncoder,
        MultiOutputLoss,
        Projection,
        SourceColumns,
        TableEncoder,
        TargetStatistics,
        losses.AbsoluteError,
        losses.BinaryLogLoss,
        losses.GammaLoss,
        losses.HuberLoss,
        losses.MultinomialLogLoss,
        losses.PoissonLoss,
        losses.QuantileLoss,
        losses.SquaredError,
        losses.TweedieLoss,
        *OF_ROOTS.values(),
    )
}
NAMES_OF_PARTS = {cls: name for name, cls in PARTS.items()}
# Functions that FunctionTransformer and others may be given: of numbers, without any
# effect on the world.
FUNCTIONS = {
    f"numpy.{name}": getattr(np, name)
    for name in (
        *("abs", "absolute", "cbrt", "ceil", "clip", "cos", "deg2rad", "exp", "exp2"),
        *("expm1", "floor", "isfinite", "isinf", "isnan", "log", "log10", "log1p"),
        *("log2", "maximum", "mean", "median", "minimum", "nan_to_num", "negative"),
        *("rad2deg", "reciprocal", "rint", "round", "sign", "sin", "sqrt", "square"),
        *("std", "sum", "tan", "tanh", "trunc", "var"),
    )
}
NAMES_OF_FUNCTIONS = {function: name for name, function in FUNCTIONS.items()}
# Of scikit-learn, by its public name.
SKLEARN_FUNCTIONS = {
    "sklearn.feature_selection": (
        *("chi2", "f_classif", "f_regression", "mutual_info_classif"),
        *("mutual_info_regression", "r_regression"),
    )
}
# Types that are parameters, as the `dtype` of an encoder.
TYPES = {
    f"numpy.{np.dtype(name).type.__name__}": np.dtype(name).type
    for name in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
} | {"int": int, "float": float, "bool": bool, "str": str, "object": object}
NAMES_OF_TYPES = {type_: name for name, type_ in TYPES.items()}
# Classes of scikit-learn that are no estimators, but parts of some.
SKLEARN_PARTS = {
    ("sklearn.compose._column_transformer", "_RemainderColsList"),
    ("sklearn.calibration", "_CalibratedClassifier"),
    ("sklearn.calibration", "_SigmoidCalibration"),
}
_SUBMODULES = {"sklearn.feature_extraction.text", "sklearn.feature_extraction.image"}
_OUR_MODULES = {
    "sklearnx.cluster",
    "sklearnx.ensemble",
    "sklearnx.linear_model",
    "sklearnx.mixture",
    "sklearnx.preprocessing",
}


class UnknownTypeError(Exception):
    """A file may not hold objects of a type, or names one that is not listed."""


class ClassName(NamedTuple):
    """The module that a class is public in, and its name there."""

    module: str
    name: str

    def __str__(self):
        return f"{self.module}.{self.name}"


def find_name(cls):
    """Return the name by which files know a class, that of a part or a ClassName."""
    if cls in NAMES_OF_PARTS:
        return NAMES_OF_PARTS[cls]
    module = cls.__module__
    while module:
        name = ClassName(module, cls.__name__)
        if is_listed(name) and _look_up(name) is cls:
            return name
        module = module.rpartition(".")[0]
    raise UnknownTypeError(cls)


def find_class(name):
    """Return the class that a file knows by a name."""
    if name in PARTS:
        return PARTS[name]
    module, _, name = name.rpartition(".")
    name = ClassName(module, name)
    if is_listed(name):
        cls = _look_up(name)
        if cls is not None:
            return cls
    raise UnknownTypeError(str(name))


def is_listed(name):
    """Return whether files may name such a class: no module is imported for others."""
    if name in SKLEARN_PARTS:
        return True
    if not name.name.isidentifier() or not name.name[0].isupper():
        return False
    package, _, module = name.module.partition(".")
    return (
        name.module in _OUR_MODULES
        or name.module in _SUBMODULES
        or (package == "sklearn" and module in sklearn.__all__)
    )


def _look_up(name):
    """Return an estimator class by its public name, None if there is no such."""
    try:
        module = importlib.import_module(name.module)
    except ImportError:
        # Other versions of scikit-learn have other modules.
        return None
    cls = getattr(module, name.name, None)
    if name in SKLEARN_PARTS or cls is None:
        return cls
    names = getattr(module, "__all__", None)
    is_public = cls.__module__ == name.module if names is None else name.name in names
    is_estimator = isinstance(cls, type) and issubclass(cls, BaseEstimator)
    return cls if is_public and is_estimator else None


def find_function(name):
    """Return a function that is listed."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    module, _, name = name.rpartition(".")
    if name in SKLEARN_FUNCTIONS.get(module, ()):
        return getattr(importlib.import_module(module), name)
    raise UnknownTypeError(f"{module}.{name}")


def find_type(name):
    """Return a type that is listed."""
    if name in TYPES:
        return TYPES[name]
    raise UnknownTypeError(name)


def find_function_name(function):
    """Return the name of a function that is listed."""
    if function in NAMES_OF_FUNCTIONS:
        return NAMES_OF_FUNCTIONS[function]
    for module, names in SKLEARN_FUNCTIONS.items():
        for name in names:
            if getattr(importlib.import_module(module), name) is function:
                return f"{module}.{name}"
    raise UnknownTypeError(function)
