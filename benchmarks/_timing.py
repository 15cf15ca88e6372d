"""Timings that are fair on a machine whose speed drifts."""

import statistics
import time


def measure(function, *arguments):
    """Call `function`; give back its result and the seconds it took."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


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
        names = list(functions)[:: 1 if repeat % 2 == 0 else -1]
        for name in names:
            results[name], duration = measure(functions[name])
            seconds[name].append(duration)
    return results, seconds


def compute_ratio(seconds, reference_seconds):
    """Median of the ratios of times that were taken in the same turn."""
    return statistics.median(
        own / reference for own, reference in zip(seconds, reference_seconds)
    )
