"""scikit-learn's linear models as ours."""

from __future__ import annotations

import copy
import inspect
import math

from sklearn import linear_model as sklearn_linear_model
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sklearnx import linear_model

# Attributes that start with an underscore and belong to the model.
PRIVATE = (
    "_average_coef",
    "_average_intercept",
    "_expanded_class_weight",
    "_label_binarizer",
    "_standard_coef",
    "_standard_intercept",
)
LOGISTIC_MODELS = (
    sklearn_linear_model.LogisticRegression,
    sklearn_linear_model.LogisticRegressionCV,
)


def find_our_class(model):
    """Return our class of the name of a linear model of scikit-learn, or None."""
    class_ = type(model)
    name = class_.__name__
    if getattr(sklearn_linear_model, name, None) is not class_:
        return None
    return getattr(linear_model, name, None) if name in linear_model.__all__ else None


def read_linear_model(model):
    """Return ours, fitted, of a linear model of scikit-learn.

    Parameters
    ----------
    model : estimator
        Of a class that `find_our_class` finds.

    Returns
    -------
    estimator : estimator
        With copies of its arrays.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If it is a classifier of one class against all others, fitted by an earlier
        version of scikit-learn.
    """
    check_is_fitted(model)
    _refuse_one_against_rest(model)
    class_ = find_our_class(model)
    estimator = class_(**_read_parameters(model, class_))
    for name, value in vars(model).items():
        is_fitted = name.endswith("_") and not name.startswith("_")
        if is_fitted or name in PRIVATE:
            setattr(estimator, name, copy.deepcopy(value))
    return estimator


def _refuse_one_against_rest(model):
    if not isinstance(model, LOGISTIC_MODELS) or len(model.classes_) < 3:
        return
    if model.solver == "liblinear" or getattr(model, "multi_class", None) == "ovr":
        raise ValueError(
            f"{type(model).__name__} was fitted with one class against the rest, which "
            "sklearnx does not have: put OneVsRestClassifier around it."
        )


def _read_parameters(model, class_):
    """Return the parameters that mean the same to us."""
    parameters = clone(model).get_params(deep=False)
    if isinstance(model, LOGISTIC_MODELS):
        _translate_penalty(parameters)
    # Until scikit-learn 1.8 a number of alphas had a name of its own.
    if "n_alphas" in parameters and parameters.get("alphas") is None:
        n_alphas = parameters["n_alphas"]
        parameters["alphas"] = n_alphas if isinstance(n_alphas, int) else 100
        del parameters["n_alphas"]
    # Earlier defaults, which stand for those of today.
    if parameters.get("store_cv_results", False) is None:
        parameters["store_cv_results"] = False
    if parameters.get("eta0") == 0.0:
        del parameters["eta0"]
    known = inspect.signature(class_).parameters
    return {name: value for name, value in parameters.items() if name in known}


def _translate_penalty(parameters):
    """Say by l1_ratio and C what `penalty`, which is deprecated, says."""
    penalty = parameters.pop("penalty", "deprecated")
    name = "l1_ratios" if "Cs" in parameters else "l1_ratio"
    if penalty is None:
        parameters["C"] = math.inf
        penalty = "l2"
    if penalty in ("l1", "l2"):
        ratio = 1.0 if penalty == "l1" else 0.0
        parameters[name] = (ratio,) if name == "l1_ratios" else ratio
    elif penalty == "deprecated" and name == "l1_ratios":
        # The default changes with the version.
        ratios = parameters.get(name)
        if ratios is None or isinstance(ratios, str):
            parameters[name] = (0.0,)
    elif parameters.get(name) is None:
        parameters[name] = (0.0,) if name == "l1_ratios" else 0.0
