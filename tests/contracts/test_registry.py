"""Every public estimator is in the list that the contracts run on."""

import importlib
import pkgutil

from sklearn.base import BaseEstimator

import sklearnx
from tests.contracts._helpers import run_script
from tests.contracts.estimators import CASES

IMPORT_ALL = """
from tests.contracts.test_registry import find_public_estimators
if all(estimator.__doc__ for estimator in find_public_estimators()):
    raise SystemExit("Python has kept the docstrings.")
"""


def find_public_estimators():
    """Estimator classes that the public subpackages of sklearnx export."""
    found = set()
    for info in pkgutil.iter_modules(sklearnx.__path__, prefix="sklearnx."):
        if info.name.rpartition(".")[2].startswith("_"):
            continue
        module = importlib.import_module(info.name)
        exported = (getattr(module, name) for name in getattr(module, "__all__", ()))
        found.update(
            value
            for value in exported
            if isinstance(value, type) and issubclass(value, BaseEstimator)
        )
    return found


def test_all_public_estimators_are_listed():
    assert find_public_estimators() == {case.estimator_class for case in CASES}


def test_packages_are_imported_without_docstrings():
    run_script(IMPORT_ALL, PYTHONOPTIMIZE="2")
