"""Clusterers of ours and of the peers behind one door, with equal threads."""

import importlib
import importlib.util
import inspect
import warnings
from dataclasses import dataclass, field

from benchmarks._entries import OURS

SKLEARN = "scikit-learn"
# Library -> distribution, and the modules that may hold an estimator.
LIBRARIES = {
    OURS: ("sklearnx", ("sklearnx.cluster", "sklearnx.mixture")),
    SKLEARN: ("scikit-learn", ("sklearn.cluster", "sklearn.mixture")),
    "intelex": ("scikit-learn-intelex", ("sklearnex.cluster",)),
    "fast_hdbscan": ("fast_hdbscan", ("fast_hdbscan",)),
}
DISTRIBUTIONS = [
    *(distribution for distribution, _ in LIBRARIES.values()),
    *("numpy", "scipy", "numba"),
]
# What starts its threads anew for each row, and is faster on one.
ON_ONE_THREAD = {(SKLEARN, "OPTICS")}


def find_class(library, name):
    """The class of a library, None if it is not there."""
    for module in LIBRARIES[library][1]:
        if importlib.util.find_spec(module.partition(".")[0]) is not None:
            found = getattr(importlib.import_module(module), name, None)
            if found is not None:
                return found
    return None


def make_model(library, name, parameters, n_threads):
    """An estimator with what it knows of the parameters, and its threads."""
    cls = find_class(library, name)
    known = inspect.signature(cls).parameters
    parameters = {key: value for key, value in parameters.items() if key in known}
    if "n_jobs" in known and (library, name) not in ON_ONE_THREAD:
        parameters["n_jobs"] = n_threads
    return cls(**parameters)


@dataclass(frozen=True)
class Entry:
    """An estimator of a library with parameters.

    Attributes
    ----------
    library : str
        A key of `LIBRARIES`.
    estimator : str
        Name of the class.
    parameters : dict
        What can be called is called with the data, and gives the value.
    bar : float or None
        Our time over that of this entry, at most.
    max_repeats : int or None
        Turns at most, for what takes long.
    variant : str
        What tells it from another entry of the library in a case.
    """

    library: str
    estimator: str
    parameters: dict = field(default_factory=dict)
    bar: float | None = None
    max_repeats: int | None = None
    variant: str = ""

    @property
    def name(self):
        """What tells it from the other entries of a case."""
        return f"{self.library} {self.variant}".rstrip()

    @property
    def is_warmed(self):
        """Whether what it compiles at run time is not counted."""
        return self.library != OURS

    def is_installed(self):
        return find_class(self.library, self.estimator) is not None

    def fit_model(self, data, n_threads):
        parameters = {
            name: value(data) if callable(value) else value
            for name, value in self.parameters.items()
        }
        model = make_model(self.library, self.estimator, parameters, n_threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(data.X)
