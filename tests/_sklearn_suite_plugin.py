"""A pytest plugin: scikit-learn's tests with our classes in place of its own.

Loaded by ``python -m tests.sklearn_suite`` with ``-p``. The environment names what to
replace (``SKLEARNX_SUITE_REPLACED``: JSON, dotted name of scikit-learn's class or
function -> dotted name of ours; empty for a plain run) and the file that takes the
outcomes (``SKLEARNX_SUITE_OUTCOMES``: JSON, test id -> outcome).
"""

import importlib
import json
import os
import sys
from pathlib import Path

import pytest

_outcomes = {}
_originals = []


def load_object(dotted_name):
    """Import the object behind ``package.module.Name``."""
    module_name, _, name = dotted_name.rpartition(".")
    return getattr(importlib.import_module(module_name), name)


def replace_everywhere(original, replacement):
    """Rebind every name in scikit-learn's modules that is bound to `original`.

    Not in the module that defines a class, whose methods may name it in ``super(...)``.
    """
    home = original.__module__ if isinstance(original, type) else None
    for module_name, module in list(sys.modules.items()):
        is_sklearn = module_name.partition(".")[0] == "sklearn"
        if not is_sklearn or module_name == home:
            continue
        for name, value in list(vars(module).items()):
            if value is original:
                setattr(module, name, replacement)


def pytest_configure(config):
    replaced = json.loads(os.environ["SKLEARNX_SUITE_REPLACED"])
    # All are imported before the first is replaced: ours are subclasses of theirs.
    pairs = [(load_object(old), load_object(new)) for old, new in replaced.items()]
    for original, replacement in pairs:
        replace_everywhere(original, replacement)
        _originals.append(original)


def pytest_collection_finish(session):
    """Refuse a test file that gets around the replacement."""
    for module in {item.module for item in session.items}:
        for name, value in vars(module).items():
            if any(value is original for original in _originals):
                raise pytest.UsageError(f"{module.__name__}.{name} was not replaced")


def pytest_runtest_logreport(report):
    file_name, _, test_name = report.nodeid.partition("::")
    test_id = f"{Path(file_name).name}::{test_name}"
    if hasattr(report, "wasxfail"):
        _outcomes[test_id] = "xfailed" if report.skipped else "xpassed"
    elif report.failed or report.skipped:
        _outcomes[test_id] = report.outcome
    elif report.when == "call":
        _outcomes.setdefault(test_id, "passed")


def pytest_sessionfinish(session):
    path = Path(os.environ["SKLEARNX_SUITE_OUTCOMES"])
    path.write_text(json.dumps(_outcomes))
