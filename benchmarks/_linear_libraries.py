"""Linear models of ours and of the peers behind one door, with equal threads."""

import contextlib
import importlib
import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import threadpoolctl

from benchmarks._entries import OURS

# Library -> distribution, module of its linear models.
LIBRARIES = {
    OURS: ("sklearnx", "sklearnx.linear_model"),
    "scikit-learn": ("scikit-learn", "sklearn.linear_model"),
    "intelex": ("scikit-learn-intelex", "sklearnex.linear_model"),
    "celer": ("celer", "celer"),
    "skglm": ("skglm", "skglm"),
    "glum": ("glum", "glum"),
    "statsmodels": ("statsmodels", "statsmodels.api"),
}
DISTRIBUTIONS = [
    *(distribution for distribution, _ in LIBRARIES.values()),
    "numpy",
    "scipy",
]


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
    note : str
        Tells entries of one library apart.
    bar : float or None
        Our time over that of this entry, at most.
    max_repeats : int or None
        Turns at most, for what takes long.
    threads_parameter : str or None
        The parameter that takes the number of threads, if there is one.
    fit : callable or None
        ``fit(model, data)``, where `fit` of the estimator takes other arguments than
        X, y and sample_weight.
    """

    library: str
    estimator: str
    parameters: dict = field(default_factory=dict)
    note: str = ""
    bar: float | None = None
    max_repeats: int | None = None
    threads_parameter: str | None = None
    fit: Callable | None = None

    @property
    def name(self):
        return f"{self.library} {self.note}".rstrip()

    def is_installed(self):
        """Whether the library is there, and has this estimator."""
        module = LIBRARIES[self.library][1]
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            return False
        return hasattr(importlib.import_module(module), self.estimator)

    def fit_model(self, data, n_threads):
        """Make the estimator and fit it; ConvergenceWarnings are not shown."""
        module = importlib.import_module(LIBRARIES[self.library][1])
        parameters = {
            name: value(data) if callable(value) else value
            for name, value in self.parameters.items()
        }
        if self.threads_parameter is not None:
            parameters[self.threads_parameter] = n_threads
        model = getattr(module, self.estimator)(**parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.fit is not None:
                return self.fit(model, data)
            if data.weights is not None:
                return model.fit(data.X, data.y, sample_weight=data.weights)
            return model.fit(data.X, data.y)


@contextlib.contextmanager
def limit_threads(n_threads):
    """Give every library that is installed so many threads."""
    if importlib.util.find_spec("daal4py") is not None:
        importlib.import_module("daal4py").daalinit(n_threads)
    if importlib.util.find_spec("numba") is not None:
        numba = importlib.import_module("numba")
        numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))
    with threadpoolctl.threadpool_limits(n_threads):
        yield
