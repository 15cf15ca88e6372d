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

    @contextmanager
    def measure(self, stage):
        """Add the time of the block to a stage."""
        start = perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start


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
