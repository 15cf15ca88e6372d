"""scikit-learn's own tests with our classes: the files that run in seconds.

The whole of it is ``python -m tests.sklearn_suite``.
"""

import importlib.util

import pytest

from sklearnx._compat import SKLEARN_VERSION
from tests.sklearn_suite import MODULES, main

HIST_GRADIENT_BOOSTING = "sklearn.ensemble._hist_gradient_boosting"


def run_suite(module, *options):
    package = MODULES[module].package
    if importlib.util.find_spec(f"{package}.tests") is None:
        pytest.skip("scikit-learn is installed without its tests")
    assert main([module, *options]) == 0


def test_hist_gradient_boosting():
    keyword = "test_warm_start or test_monotonic_constraints"
    run_suite(HIST_GRADIENT_BOOSTING, "-k", keyword)


of_1_9 = pytest.mark.skipif(
    SKLEARN_VERSION < (1, 9),
    reason="ours has the parameters and messages of 1.9, earlier tests ask for others",
)


@of_1_9
@pytest.mark.parametrize("name", ["bisect_k_means", "dbscan"])
def test_clusterers(name):
    run_suite(f"sklearn.cluster.{name}")


@of_1_9
@pytest.mark.parametrize("name", ["base", "huber", "sparse_coordinate_descent"])
def test_linear_models(name):
    run_suite(f"sklearn.linear_model.{name}")
