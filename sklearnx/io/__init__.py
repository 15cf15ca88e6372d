"""Model files that run no code, and models of other libraries."""

from sklearnx._io.catboost.reading import from_catboost
from sklearnx._io.container import ModelFileError
from sklearnx._io.lightgbm.reading import from_lightgbm
from sklearnx._io.lightgbm.writing import to_lightgbm
from sklearnx._io.onnx.converting import register_converters, to_onnx
from sklearnx._io.sklearn import from_sklearn
from sklearnx._io.xgboost.reading import from_xgboost
from sklearnx.io._files import load, read_metadata, save

__all__ = [
    "ModelFileError",
    "from_catboost",
    "from_lightgbm",
    "from_sklearn",
    "from_xgboost",
    "load",
    "read_metadata",
    "register_converters",
    "save",
    "to_lightgbm",
    "to_onnx",
]
