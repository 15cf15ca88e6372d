"""The folds of cross-validated linear models."""

from __future__ import annotations


def list_folds(splitter, X, y, **params):
    """The (train, test) rows of each fold; ValueError where there is none."""
    folds = list(splitter.split(X, y, **params))
    if not folds:
        raise ValueError(
            "cv has no folds. An iterator of splits can be read only once: give a list "
            "of them."
        )
    return folds
