"""scikit-learn's own tests with our classes: the files that run in seconds.

The whole of it is ``python -m tests.sklearn_suite``.
"""

import importlib.util
import subprocess
import sys

import pytest

from tests.sklearn_suite import ROOT

MODULE = "sklearn.ensemble._hist_gradient_boosting"


@pytest.mark.skipif(
    importlib.util.find_spec(f"{MODULE}.tests") is None,
    reason="scikit-learn is installed without its tests",
)
def test_hist_gradient_boosting():
    keyword = "test_warm_start or test_monotonic_constraints"
    result = subprocess.run(
        [sys.executable, "-m", "tests.sklearn_suite", MODULE, "-k", keyword],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout
