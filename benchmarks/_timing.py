"""Timings that are fair on a machine whose speed drifts."""

import statistics
import time

import numpy as np


def measure(function, *arguments):
    """Call `function`; give back its result and the seconds it took."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def order_turn(names, turn):
    """Names in the order of a turn: every other one goes backwards."""
    return list(names)[:: 1 if turn % 2 == 0 else -1]


def run_interleaved(functions, n_repeats):
    """Time functions in turns, so that a slow minute hits all of them.

    Parameters
    ----------
    functions : dict
        Name -> function without arguments.
    n_repeats : int
        Number of turns; every other turn goes backwards.

    Returns
    -------
    results : dict
        Name -> what the function returned the last time.
    seconds : dict
        Name -> list of `n_repeats` times.
    """
    results, seconds = {}, {name: [] for name in functions}
    for repeat in range(n_repeats):
        for name in order_turn(functions, repeat):
            results[name], duration = measure(functions[name])
            seconds[name].append(duration)
    return results, seconds


def compute_ratio(seconds, reference_seconds):
    """Median of the ratios of times that were taken in the same turn."""
    return statistics.median(
        own / reference for own, reference in zip(seconds, reference_seconds)
    )


def fit_line(x, y):
    """Intercept and slope of the line with the least relative squared error."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    design = np.stack([1 / y, x / y], axis=1)
    return tuple(map(float, np.linalg.lstsq(design, np.ones(len(y)), rcond=None)[0]))
