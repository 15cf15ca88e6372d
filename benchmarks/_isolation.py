"""A fit in a process of its own, whose peak of memory is that of the fit.

``python -m benchmarks._isolation FOLDER REQUEST`` is that process: it reads arrays
from a folder, fits and answers with a line of JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks._boosters import BOOSTERS, Settings
from benchmarks._losses import compute_loss
from benchmarks._timing import measure

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def stored(**arrays):
    """A folder that holds arrays until the end of the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for name, array in arrays.items():
            np.save(Path(folder, f"{name}.npy"), array)
        yield folder


def fit_isolated(name, settings, folder):
    """Fit the booster `name` to what `stored` has stored as X_train, ..., y_test.

    Returns
    -------
    answer : dict
        fit_seconds, predict_seconds, loss, peak_bytes (None where the system does not
        tell).

    Raises
    ------
    RuntimeError
        If the process fails; the message is the last line of what it says.
    """
    request = json.dumps({"name": name, "settings": asdict(settings)})
    paths = [str(ROOT), os.environ.get("PYTHONPATH")]
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks._isolation", folder, request],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )
    if process.returncode != 0:
        lines = process.stderr.strip().splitlines()
        last = lines[-1] if lines else f"exit status {process.returncode}"
        raise RuntimeError(last)
    return json.loads(process.stdout.splitlines()[-1])


def find_peak_bytes():
    """The most memory that this process has held so far, None if it cannot be told."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: there a process starts with the peak of its parent.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main(folder, request):
    request = json.loads(request)
    booster, settings = BOOSTERS[request["name"]], Settings(**request["settings"])

    def load(name):
        return np.load(Path(folder, f"{name}.npy"))

    booster.warm_up(settings)
    X, y = load("X_train"), load("y_train")
    model, fit_seconds = measure(booster.fit, settings, X, y)
    peak_bytes = find_peak_bytes()
    predicted, predict_seconds = measure(
        booster.predict, model, settings, load("X_test")
    )
    loss = compute_loss(settings.task, load("y_test"), predicted, classes=np.unique(y))
    answer = {
        "fit_seconds": fit_seconds,
        "predict_seconds": predict_seconds,
        "loss": loss,
        "peak_bytes": peak_bytes,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
