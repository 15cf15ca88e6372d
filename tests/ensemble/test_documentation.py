"""What is documented is there, and what is there is documented."""

import inspect
import re
from ast import literal_eval

import pytest
from sklearn import ensemble as sklearn_ensemble

from sklearnx._compat import validate_parameter_constraints
from sklearnx.ensemble import (
    BoostingClassifier,
    BoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.inspection import plot_tree, tree_table
from tests.ensemble._data import make_classification_data, make_regression_data

docscrape = pytest.importorskip("numpydoc.docscrape")

PRESETS = {
    BoostingClassifier: make_classification_data,
    BoostingRegressor: make_regression_data,
}
CLASSES = {
    HistGradientBoostingClassifier: make_classification_data,
    HistGradientBoostingRegressor: make_regression_data,
    **PRESETS,
}
over_classes = pytest.mark.parametrize("estimator_class", CLASSES)
over_scikit_learns = pytest.mark.parametrize(
    "estimator_class", [each for each in CLASSES if each not in PRESETS]
)


def get_names(entries):
    """Names of a section of numpydoc, where an entry may be of several."""
    return [name.strip() for entry in entries for name in entry.name.split(",")]


def get_public_methods(estimator_class):
    return {
        name: method
        for name, method in inspect.getmembers(estimator_class, inspect.isfunction)
        if not name.startswith("_") and method.__module__.startswith("sklearnx.")
    }


def get_defaults(estimator_class):
    parameters = inspect.signature(estimator_class).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


@over_classes
def test_parameters(estimator_class):
    doc = docscrape.ClassDoc(estimator_class)
    signature = inspect.signature(estimator_class)
    assert get_names(doc["Parameters"]) == list(signature.parameters)
    for entry in doc["Parameters"]:
        assert entry.desc, entry.name
        documented = re.search(r"default=(.+)$", entry.type)
        default = signature.parameters[entry.name].default
        assert documented is not None, entry.name
        assert literal_eval(documented[1]) == default, entry.name


@over_scikit_learns
def test_parameters_are_scikit_learns_and_more(estimator_class):
    """In its order and with its defaults, so that it can be replaced anywhere."""
    theirs = getattr(sklearn_ensemble, estimator_class.__name__)
    theirs = inspect.signature(theirs).parameters
    ours = inspect.signature(estimator_class).parameters
    assert [name for name in ours if name in theirs] == list(theirs)
    for name, parameter in theirs.items():
        assert ours[name].default == parameter.default, name
        assert ours[name].kind == parameter.kind, name
    for name in ours.keys() - theirs.keys():
        assert ours[name].kind == inspect.Parameter.KEYWORD_ONLY


@over_classes
def test_parameters_are_checked(estimator_class):
    names = set(inspect.signature(estimator_class).parameters)
    assert set(estimator_class._parameter_constraints) == names
    # A fit does not check those that keep it.
    for name, default in get_defaults(estimator_class).items():
        validate_parameter_constraints(
            estimator_class._parameter_constraints, {name: default}, "it"
        )


@over_classes
def test_default_of_a_subclass_is_checked(estimator_class):
    class WithoutMuch(estimator_class):
        def __init__(self, *, max_iter=-1):
            super().__init__(max_iter=max_iter)

    X, y = CLASSES[estimator_class]()
    with pytest.raises(ValueError, match="The 'max_iter' parameter of WithoutMuch"):
        WithoutMuch().fit(X, y)


@over_classes
def test_attributes(estimator_class):
    pd = pytest.importorskip("pandas")
    X, y = CLASSES[estimator_class]()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = estimator_class(max_iter=2).fit(frame, y)
    doc = docscrape.ClassDoc(estimator_class)
    documented = get_names(doc["Attributes"])
    public = {
        name
        for name in [*vars(model), *dir(type(model))]
        if name.endswith("_") and not name.startswith("_")
    }
    assert set(documented) == public
    for name in documented:
        getattr(model, name)


@over_classes
def test_methods(estimator_class):
    for name, method in get_public_methods(estimator_class).items():
        doc = docscrape.FunctionDoc(method)
        assert doc["Summary"], name
        parameters = [
            parameter
            for parameter in inspect.signature(method).parameters
            if parameter != "self"
        ]
        assert get_names(doc["Parameters"]) == parameters, name
        assert doc["Returns"] or doc["Yields"] or name.startswith("set_"), name


@pytest.mark.parametrize("function", [tree_table, plot_tree])
def test_functions(function):
    doc = docscrape.FunctionDoc(function)
    parameters = inspect.signature(function).parameters
    assert get_names(doc["Parameters"]) == list(parameters)
    assert doc["Returns"]


@over_classes
def test_what_the_docstring_names_exists(estimator_class):
    """No text is left over from the template, and its cross-references lead on."""
    text = inspect.getdoc(estimator_class)
    assert "{" not in re.sub(r"\{'[^}]*'\}", "", text)
    for references, _ in docscrape.ClassDoc(estimator_class)["See Also"]:
        for name, _ in references:
            assert name.rsplit(".", 1)[1] in ("tree_table", "plot_tree")
