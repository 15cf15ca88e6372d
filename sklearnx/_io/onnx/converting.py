"""Estimators of ours, alone and inside those of scikit-learn, in ONNX."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from sklearnx._boosting.encoding import TableEncoder

if TYPE_CHECKING:
    import onnx

ML = "ai.onnx.ml"
LATEST_VERSION = 5
# Not among operators of ai.onnx.ml from then on; skl2onnx writes trees of others so.
OLD_OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
LAST_OLD_VERSION = 4
# Of a message of protobuf.
MAX_BYTES = 2**31 - 1


def to_onnx(
    estimator: Any,
    X: Any = None,
    *,
    path: str | os.PathLike | None = None,
    initial_types: list | None = None,
    options: dict | None = None,
    target_opset: int | dict[str, int] | None = None,
) -> onnx.ModelProto:
    """Return a fitted estimator as a model of ONNX.

    skl2onnx converts it, with converters for our estimators: they may be steps of
    pipelines, column transformers, votes or whatever else it knows.

    Parameters
    ----------
    estimator : estimator instance
        Fitted.
    X : array-like, sparse matrix or frame of shape (n_samples, n_features), \
            default=None
        Some rows of the kind that the model will be asked about, of which it has the
        names and types. An array is one input, ``"X"``. A frame has an input for each
        column, of shape (n, 1) and by its name, with ``_`` for signs that are neither
        letters nor digits. Without rows, an estimator of ours alone takes float32
        numbers, and categories as fit saw them.
    path : str or path-like, default=None
        Where to write the model.
    initial_types : list of tuples, default=None
        Names and types of inputs in the terms of skl2onnx, in the place of `X`.
    options : dict, default=None
        Options of converters, see skl2onnx. By default, probabilities are an array
        (``{"zipmap": False}``); with ``{"raw_scores": True}`` they are raw scores, of
        two classes a column for each.
    target_opset : int or dict of int by str, default=None
        Versions of ONNX's operators that may be used, ``{"": 18, "ai.onnx.ml": 3}``
        with those of machine learning apart. By default the last that skl2onnx is
        tested with, and version 5.

    Returns
    -------
    model : onnx.ModelProto
        Outputs are ``label`` and ``probabilities`` of a classifier, ``variable`` of a
        regressor or transformer, the latter of shape (n_samples, n_outputs). Numbers
        are float64 if any input is, else float32.

    Raises
    ------
    ValueError
        If ONNX has no operators for what the estimator does, or no type for its
        categories or classes; the message says what it is.
    NotFittedError
        If the estimator is not fitted.
    NotImplementedError
        If there are operators, but not in the versions that `target_opset` allows.
    ImportError
        If onnx or skl2onnx are not installed.

    See Also
    --------
    register_converters : Have skl2onnx itself convert estimators of ours.

    Notes
    -----
    - Needs onnx and skl2onnx: ``pip install "sklearnx[onnx]"``.
    - Trees compare and add up in double, in the order of `predict`: rows of float32 and
      of float64 go the same ways, and scores in onnxruntime are the same but for the
      last bits. Trees are a TreeEnsemble of version 5 of ``ai.onnx.ml``, whose splits
      on categories ask for members of sets. With versions 3 and 4 they are a
      TreeEnsembleRegressor and chains of comparisons; so they are by default where
      skl2onnx writes trees of other estimators, since it knows no later operators. With
      version 2 they are in float32, their thresholds rounded so that rows of float32 go
      the same ways.
    - NaN is missing. A missing string is ``""``, or what onnxruntime makes of None, NaN
      and pandas.NA, unless that is a level of the column. Unknown levels are missing
      with ``handle_unknown='error'``, too: a graph raises nothing.
    - What a sparse matrix does not store is zero; pass dense rows.
    - Means of the target in the place of categories (``categorical_encoding``) are
      looked up. Hashes of categories, in models read from CatBoost, are not: ONNX has
      no operator that hashes as CatBoost does.
    - Encodings of `OrderedTargetEncoder` are float64. If an estimator that is not ours
      follows, pass float64 numbers: skl2onnx does not mix types.
    - Linear models multiply and add up in double. A classifier without
      `predict_proba` returns raw scores as probabilities, those of two classes a column
      for each.
    - Linear models of leaves make files large and predictions slow: each tree is
      written once more for each feature in its models.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearnx.ensemble import HistGradientBoostingClassifier
    >>> from sklearnx.io import to_onnx  # doctest: +SKIP
    >>> ages, cities = [25.0, np.nan, 47.0], ["Bern", "Cork"]
    >>> X = pd.DataFrame({"age": ages * 50, "city": cities * 75})
    >>> y = np.where(X["city"] == "Cork", "yes", "no")
    >>> model = HistGradientBoostingClassifier(max_iter=10).fit(X, y)
    >>> onnx_model = to_onnx(model, X)  # doctest: +SKIP
    >>> [tensor.name for tensor in onnx_model.graph.input]  # doctest: +SKIP
    ['age', 'city']

    With onnxruntime:

    >>> import onnxruntime  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession(  # doctest: +SKIP
    ...     onnx_model.SerializeToString()
    ... )
    >>> rows = {  # doctest: +SKIP
    ...     "age": X[["age"]].to_numpy(np.float64),
    ...     "city": X[["city"]].to_numpy(object),
    ... }
    >>> labels, probabilities = session.run(None, rows)  # doctest: +SKIP
    >>> labels[:3]  # doctest: +SKIP
    array(['no', 'yes', 'no'], dtype=object)
    """
    check_is_fitted(estimator)
    register_converters()
    import onnx

    if initial_types is None:
        initial_types = _describe(estimator, X)
    if options is None and is_classifier(estimator):
        options = {"zipmap": False}
    settings = {
        "initial_types": initial_types,
        "options": options,
        "name": type(estimator).__name__,
    }
    versions = _read_versions(target_opset)
    model = _convert(estimator, versions, settings)
    if versions[ML] > LAST_OLD_VERSION and _has_old_operators(model):
        versions[ML] = LAST_OLD_VERSION
        model = _convert(estimator, versions, settings)
    n_bytes = model.ByteSize()
    if n_bytes > MAX_BYTES:
        raise ValueError(
            f"The model takes {n_bytes} bytes in ONNX, which holds up to {MAX_BYTES}."
        )
    if path is not None:
        onnx.save(model, Path(path))
    return model


def register_converters() -> None:
    """Have skl2onnx convert our estimators.

    After that, `skl2onnx.to_onnx` and `skl2onnx.convert_sklearn` know them as they know
    those of scikit-learn. `sklearnx.io.to_onnx` does it by itself.

    Raises
    ------
    ImportError
        If onnx or skl2onnx are not installed.

    See Also
    --------
    to_onnx : Convert an estimator at once.

    Notes
    -----
    skl2onnx writes operators of ``ai.onnx.ml`` up to version 3. Where splits ask for
    many categories, those of `sklearnx.io.to_onnx` are smaller and faster.

    Examples
    --------
    >>> import skl2onnx  # doctest: +SKIP
    >>> from sklearn.datasets import load_iris
    >>> from sklearnx.ensemble import HistGradientBoostingClassifier
    >>> from sklearnx.io import register_converters  # doctest: +SKIP
    >>> X, y = load_iris(return_X_y=True)
    >>> model = HistGradientBoostingClassifier(max_iter=5).fit(X, y)
    >>> register_converters()  # doctest: +SKIP
    >>> onnx_model = skl2onnx.to_onnx(model, X.astype("float32"))  # doctest: +SKIP
    """
    try:
        from sklearnx._io.onnx.registration import register
    except ModuleNotFoundError as error:
        if error.name not in ("onnx", "skl2onnx"):
            raise
        raise ImportError(
            f"Models are written in ONNX with onnx and skl2onnx, and {error.name} is "
            'not installed: run `pip install "sklearnx[onnx]"`.'
        ) from error
    register()


def _describe(estimator, X):
    """Return the inputs of a model of ONNX."""
    from sklearnx._io.onnx.signature import describe_estimator, describe_rows

    if X is not None:
        return describe_rows(X)
    is_linear = type(estimator).__module__.startswith("sklearnx.linear_model.")
    if not is_linear and not _has_encoder(estimator):
        raise ValueError(
            f"{type(estimator).__name__} does not know the types of its columns: pass "
            "some rows as X, or initial_types."
        )
    return describe_estimator(estimator)


def _has_encoder(estimator):
    return isinstance(getattr(estimator, "_encoder", None), TableEncoder)


def _read_versions(target_opset):
    """Return the versions of operators that may be used, by domain."""
    import skl2onnx

    versions = {"": skl2onnx.get_latest_tested_opset_version(), ML: LATEST_VERSION}
    if target_opset is not None:
        is_dict = isinstance(target_opset, dict)
        versions.update(target_opset if is_dict else {"": target_opset})
    return versions


def _convert(estimator, versions, settings):
    """Return a model whose operators are of these versions at most."""
    import skl2onnx

    from sklearnx._io.onnx.graph import MAX_KNOWN_VERSION, allow_version

    known = {**versions, ML: min(versions[ML], MAX_KNOWN_VERSION)}
    with allow_version(versions[ML]):
        model = skl2onnx.to_onnx(estimator, target_opset=known, **settings)
    for imported in model.opset_import:
        if imported.domain == ML:
            imported.version = versions[ML]
    return model


def _has_old_operators(model):
    return any(node.op_type in OLD_OPERATORS for node in model.graph.node)
