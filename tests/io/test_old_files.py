"""Files and pickles of every earlier version load, and predict what they did."""

import pickle
import re

import numpy as np
import pytest
from sklearn import __version__ as sklearn_version
from sklearn.exceptions import InconsistentVersionWarning

from sklearnx.io import load, read_metadata
from sklearnx.io._files import FORMAT_VERSION
from tests.io.old_files import FOLDER, compute_output

FILES = sorted(FOLDER.glob("*/*.safetensors"))
PICKLES = sorted(FOLDER.glob("*/*.pkl"))
pytestmark = pytest.mark.filterwarnings(
    f"ignore::{InconsistentVersionWarning.__module__}.InconsistentVersionWarning"
)


def name_path(path):
    return f"{path.parent.name}, {path.name}"


def skip_estimators_of_another_sklearn(path):
    """Attributes of scikit-learn's own estimators are other ones in each version."""
    written_by = read_metadata(path)["versions"]["scikit-learn"]
    is_ours_alone = path.stem != "pipeline"
    if (
        not is_ours_alone
        and written_by.split(".")[:2] != sklearn_version.split(".")[:2]
    ):
        pytest.skip(f"holds estimators of scikit-learn {written_by}")


def assert_same_output(model, path):
    with np.load(path.with_name("outputs.npz")) as outputs:
        expected = outputs[path.stem]
    np.testing.assert_allclose(compute_output(model), expected, rtol=1e-12)


def test_each_version_has_files():
    versions = {int(re.search(r"\d+", path.parent.name)[0]) for path in FILES}
    assert versions == set(range(1, FORMAT_VERSION + 1))
    assert len(FILES) == len(PICKLES) >= 11


@pytest.mark.parametrize("path", FILES, ids=name_path)
def test_files(path):
    skip_estimators_of_another_sklearn(path)
    assert_same_output(load(path), path)


@pytest.mark.parametrize("path", PICKLES, ids=name_path)
def test_pickles(path):
    # NumPy 2 writes names that 1.25 does not know.
    pytest.importorskip("numpy._core")
    skip_estimators_of_another_sklearn(path.with_suffix(".safetensors"))
    with open(path, "rb") as file:
        model = pickle.load(file)
    assert_same_output(model, path)
