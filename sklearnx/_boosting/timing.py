"""Where the time of a fit goes, and how it is told: through the logger 'sklearnx'."""

import logging
import sys
from contextlib import contextmanager
from time import perf_counter

logger = logging.getLogger("sklearnx")


class StageTimer:
    """Sums the seconds that named stages take.

    A stage is not to be measured within itself.
    """

    def __init__(self):
        self._stages = {}

    @property
    def seconds(self):
        """Seconds of each stage so far, in the order in which they were first met."""
        return {name: stage.seconds for name, stage in self._stages.items()}

    def measure(self, name):
        """Return a context that adds the time of its block to a stage."""
        stage = self._stages.get(name)
        if stage is None:
            stage = self._stages[name] = _Stage()
        return stage


class _Stage:
    """A context as a class: as a generator it would take longer than short stages."""

    def __init__(self):
        self.seconds = 0.0

    def __enter__(self):
        self._start = perf_counter()

    def __exit__(self, *error):
        self.seconds += perf_counter() - self._start


@contextmanager
def visible_logs(verbose):
    """Let the messages of a verbose fit be seen where nobody has set logging up."""
    if not verbose or logger.hasHandlers():
        yield
        return
    handler = logging.StreamHandler(sys.stdout)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
