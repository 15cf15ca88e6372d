"""Converters of ours, where skl2onnx looks for them."""

from skl2onnx import update_registered_converter

from sklearnx._io.onnx.boosting import (
    CLASSIFIER_OPTIONS,
    convert_classifier,
    convert_regressor,
    set_classifier_outputs,
    set_regressor_outputs,
)
from sklearnx._io.onnx.encoder import (
    convert_encoder,
    parse_encoder,
    set_encoder_output,
)
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
    update_registered_converter(
        OrderedTargetEncoder,
        "SklearnxOrderedTargetEncoder",
        set_encoder_output,
        convert_encoder,
        parser=parse_encoder,
    )
