"""Where the time of a fit goes, and how it is told: through the logger 'sklearnx'."""

import logging
import sys
from contextlib import contextmanager
from time import perf_counter

logger = logging.getLogger("sklearnx")


class StageTimer:
    """Sums the seconds that named stages take."""

    def __init__(self):
        self.seconds = {}

    def measure(self, stage):
        """Return a context that adds the time of its block to a stage."""
        return _Stage(self.seconds, stage)


class _Stage:
    """A context as a class: as a generator it would take longer than short stages."""

    def __init__(self, seconds, stage):
        self._seconds = seconds
        self._stage = stage

    def __enter__(self):
        self._start = perf_counter()

    def __exit__(self, *error):
        seconds = self._seconds.get(self._stage, 0.0)
        self._seconds[self._stage] = seconds + perf_counter() - self._start


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
