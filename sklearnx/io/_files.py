"""Save and load fitted estimators."""

from __future__ import annotations

import json
import os
import platform
from typing import Any

import numpy as np
import scipy
import sklearn

from sklearnx import __version__
from sklearnx._io.container import ModelFileError, read_container, write_container
from sklearnx._io.graph import GraphReader, GraphWriter
from sklearnx._io.schema import describe_input

# Of the graph and the arrays; files of all versions up to it can be read.
FORMAT_VERSION = 1


def save(estimator: Any, path: str | os.PathLike) -> None:
    """Save an estimator to a file that holds data only.

    The file is a container of the safetensors format; :doc:`/model_files` specifies
    what is in it. It is written beside `path` and put in its place when it is
    whole, so that a reader never sees half of it.

    Parameters
    ----------
    estimator : estimator instance
        An estimator of sklearnx, or of scikit-learn if it consists of plain data and
        such estimators: pipelines, column transformers, encoders, scalers, ...
        Functions that are not among a few of NumPy, as a `FunctionTransformer` may
        have, cannot be saved.
    path : str or path-like
        The file; its name may end as you like, ``.safetensors`` is usual.

    Raises
    ------
    TypeError
        If a part of the estimator is no such data; the message names which.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Read the file.

    Examples
    --------
    >>> import tempfile, os
    >>> from sklearn.datasets import load_iris
    >>> from sklearnx.ensemble import HistGradientBoostingClassifier
    >>> from sklearnx.io import load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> model = HistGradientBoostingClassifier(max_iter=5).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "iris.safetensors")
    ...     save(model, path)
    ...     loaded = load(path)
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    writer = GraphWriter()
    graph = writer.describe(estimator, type(estimator).__name__)
    versions = {
        "sklearnx": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }
    texts = {
        "format_version": str(FORMAT_VERSION),
        "versions": _to_text(versions),
        "schema": _to_text(describe_input(estimator)),
        "graph": _to_text(graph),
    }
    write_container(path, writer.arrays, texts)


def load(path: str | os.PathLike) -> Any:
    """Load an estimator from a file that `save` has written.

    Nothing in the file is run: it can name only the types that :doc:`/model_files`
    lists, and nodes of trees and tables of levels are checked before they are used.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    estimator : estimator instance
        As it was saved. Its arrays are read-only views of the file, mapped into
        memory, which processes that load the same file share. The file may be replaced
        (as `save` does) or removed while the estimator is in use, but must not be
        written over in place.

    Raises
    ------
    ModelFileError
        If the file is no model file, is damaged, was written by a later version in a
        format that this one does not know, or holds a type that is not listed.
    OSError
        If the file cannot be read.

    Warns
    -----
    InconsistentVersionWarning
        If the file holds estimators of another version of scikit-learn.

    See Also
    --------
    save : Write the file.
    read_metadata : What a file says of its model.
    """
    texts, arrays = read_container(path)
    _check_version(path, texts)
    return GraphReader(arrays).make(_read_text(path, texts, "graph"))


def read_metadata(path: str | os.PathLike) -> dict[str, Any]:
    """Return what a model file says of its model, without making the model.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    metadata : dict
        ``format_version``: int. ``versions``: dict of the versions of the libraries
        that wrote it. ``schema``: dict with ``columns``, a list with the ``name``,
        the ``kind`` ('number', 'category' or 'any') and the ``levels`` of each column
        that the model is asked with, and ``classes``.

    Raises
    ------
    ModelFileError
        If the file is no model file, or is damaged.
    OSError
        If the file cannot be read.
    """
    texts, _ = read_container(path)
    return {
        "format_version": _check_version(path, texts),
        "versions": _read_text(path, texts, "versions"),
        "schema": _read_text(path, texts, "schema"),
    }


def _check_version(path, texts):
    """Return the version of the format, if this version of the library reads it."""
    version = _read_text(path, texts, "format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise ModelFileError(
            f"{path} is of version {version!r} of the format; this version of sklearnx "
            f"reads versions up to {FORMAT_VERSION}."
        )
    return version


def _read_text(path, texts, name):
    try:
        return json.loads(texts[name])
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} has no {name} that makes sense.") from error


def _to_text(value):
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
