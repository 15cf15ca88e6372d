"""Tests that hold under some versions of scikit-learn only."""

import pytest

from sklearnx._compat import SKLEARN_VERSION

# Ours do as 1.9 does under every version.
needs_sklearn_1_9 = pytest.mark.skipif(
    SKLEARN_VERSION < (1, 9), reason="scikit-learn did otherwise before 1.9"
)
