"""A clusterer fitted in a process of its own, whose peak of memory is that of the fit.

``python -m benchmarks._cluster_isolation REQUEST`` is that process: it makes the table,
fits and answers with a line of JSON.
"""

import json
import os
import subprocess
import sys
import warnings

from benchmarks import _cluster_data as cluster_data
from benchmarks._cluster_libraries import make_model
from benchmarks._isolation import ROOT, find_peak_bytes
from benchmarks._linear_libraries import limit_threads
from benchmarks._timing import measure

MAKERS = {
    "blobs": cluster_data.make_blobs,
    "blobs_in_noise": cluster_data.make_blobs_in_noise,
}


def fit_isolated(library, estimator, parameters, table, n_threads):
    """Fit to a table that the process makes.

    Parameters
    ----------
    library, estimator : str
    parameters : dict
        Plain values.
    table : tuple
        Name of a maker, and its arguments.
    n_threads : int

    Returns
    -------
    answer : dict
        seconds, peak_bytes of the process and fit_bytes, what the fit added to the
        peak before it (both None where the system does not tell), n_clusters.

    Raises
    ------
    RuntimeError
        If the process fails; the message is the last line of what it says.
    """
    request = json.dumps([library, estimator, parameters, table, n_threads])
    paths = [str(ROOT), os.environ.get("PYTHONPATH")]
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks._cluster_isolation", request],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )
    if process.returncode != 0:
        lines = process.stderr.strip().splitlines()
        last = lines[-1] if lines else f"exit status {process.returncode}"
        raise RuntimeError(last)
    return json.loads(process.stdout.splitlines()[-1])


def main(request):
    library, estimator, parameters, table, n_threads = json.loads(request)
    maker, *arguments = table
    with limit_threads(n_threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X = MAKERS[maker](*arguments).X
        # Imports are not of the fit.
        make_model(library, estimator, parameters, n_threads).fit(X[:200])
        before = find_peak_bytes()
        model = make_model(library, estimator, parameters, n_threads)
        _, seconds = measure(model.fit, X)
    peak = find_peak_bytes()
    answer = {
        "seconds": seconds,
        "peak_bytes": peak,
        "fit_bytes": None if peak is None else peak - before,
        "n_clusters": len({label for label in model.labels_.tolist() if label >= 0}),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
