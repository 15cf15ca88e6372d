"""Classical machine learning and gradient boosting with scikit-learn's API."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("sklearnx")
except PackageNotFoundError:  # a source tree that has not been installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
