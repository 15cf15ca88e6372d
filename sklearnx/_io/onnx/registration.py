"""Converters of ours, where skl2onnx looks for them."""

from skl2onnx import update_registered_converter
from sklearn.base import ClassifierMixin, RegressorMixin

from sklearnx import linear_model
from sklearnx._io.onnx.boosting import (
    convert_classifier,
    convert_regressor,
    set_regressor_outputs,
)
from sklearnx._io.onnx.encoder import (
    convert_encoder,
    parse_encoder,
    set_encoder_output,
)
from sklearnx._io.onnx.linear_models import (
    convert_linear_classifier,
    convert_linear_regressor,
    set_linear_regressor_outputs,
)
from sklearnx._io.onnx.outputs import CLASSIFIER_OPTIONS, set_classifier_outputs
from sklearnx.ensemble import (
    BoostingClassifier,
    BoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.preprocessing import OrderedTargetEncoder


def register():
    """Register all converters; once more does no harm."""
    for class_ in (HistGradientBoostingClassifier, BoostingClassifier):
        update_registered_converter(
            class_,
            f"Sklearnx{class_.__name__}",
            set_classifier_outputs,
            convert_classifier,
            options=CLASSIFIER_OPTIONS,
        )
    for class_ in (HistGradientBoostingRegressor, BoostingRegressor):
        update_registered_converter(
            class_,
            f"Sklearnx{class_.__name__}",
            set_regressor_outputs,
            convert_regressor,
        )
    _register_linear_models()
    update_registered_converter(
        OrderedTargetEncoder,
        "SklearnxOrderedTargetEncoder",
        set_encoder_output,
        convert_encoder,
        parser=parse_encoder,
    )


def _register_linear_models():
    for name in linear_model.__all__:
        class_ = getattr(linear_model, name)
        if not isinstance(class_, type):
            continue
        if issubclass(class_, ClassifierMixin):
            update_registered_converter(
                class_,
                f"Sklearnx{name}",
                set_classifier_outputs,
                convert_linear_classifier,
                options=CLASSIFIER_OPTIONS,
            )
        elif issubclass(class_, RegressorMixin):
            update_registered_converter(
                class_,
                f"Sklearnx{name}",
                set_linear_regressor_outputs,
                convert_linear_regressor,
            )
