"""Encoders of columns, with scikit-learn's API."""

from sklearnx.preprocessing._ordered_target_encoder import OrderedTargetEncoder

__all__ = ["OrderedTargetEncoder"]
