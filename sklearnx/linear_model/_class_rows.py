"""Labels and weights of a classifier's rows, as the engine takes them."""

from __future__ import annotations

import numpy as np
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from sklearnx._compat import check_sample_weight

# Whole numbers within so many of each other are counted rather than sorted.
MAX_COUNTED = 1 << 16


def encode_labels(y):
    """The classes in sorted order, and the number of the class of each row.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_samples,)
        float64.
    """
    if y.dtype.kind in "iu" and len(y) > 0:
        lowest = y.min()
        if int(y.max()) - int(lowest) < MAX_COUNTED:
            shifted = (y - lowest).astype(np.intp)
            is_seen = np.bincount(shifted) > 0
            numbers = np.cumsum(is_seen) - 1.0
            classes = np.flatnonzero(is_seen).astype(y.dtype) + lowest
            return classes.astype(y.dtype, copy=False), numbers[shifted]
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    return classes, codes.reshape(-1).astype(np.float64)


def weigh_rows(X, y, codes, classes, sample_weight, class_weight):
    """The weight of each row: that of the row times that of its class.

    Returns
    -------
    weights : ndarray of shape (n_samples,)
        float64, a new array.
    """
    weights = check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True, copy=True
    )
    if isinstance(class_weight, str):
        counts = np.bincount(
            codes.astype(np.intp), weights=weights, minlength=len(classes)
        )
        # A class of no weight has nothing to be balanced.
        of_classes = np.sum(counts) / (len(classes) * np.where(counts > 0, counts, 1.0))
        weights *= of_classes[codes.astype(np.intp)]
    elif class_weight is not None:
        of_classes = compute_class_weight(class_weight, classes=classes, y=y)
        weights *= of_classes[codes.astype(np.intp)]
    if not np.any(weights > 0):
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights
