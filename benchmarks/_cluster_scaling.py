"""Peaks of memory of hierarchies, and how density-based fits grow with rows."""

import math

from benchmarks._cluster_isolation import fit_isolated
from benchmarks._cluster_libraries import OURS, SKLEARN, find_class

MEBIBYTE = 2**20
# Of a hierarchy: our peak over scikit-learn's, at most.
MEMORY_BAR = 0.33
N_MEMORY_ROWS, N_QUICK_MEMORY_ROWS = 20_000, 500
ROWS = (62_500, 125_000, 250_000, 500_000, 1_000_000)
QUICK_ROWS = (500, 1_000)
# The exponent of n log n over a doubling to a million is 1.07.
MAX_EXPONENT = 1.2
MAX_PEAK_BYTES = 4 * 2**30
SCALED = {
    "DBSCAN": {"eps": 0.05, "min_samples": 10},
    "HDBSCAN": {"min_cluster_size": 10},
}


def find_peaks(linkage, n_threads, is_quick):
    """Name -> answer of `fit_isolated`, of ours and of scikit-learn's."""
    n_rows = N_QUICK_MEMORY_ROWS if is_quick else N_MEMORY_ROWS
    table = ("blobs", n_rows, 10, 20, 0.1)
    parameters = {"linkage": linkage, "n_clusters": 20}
    return {
        library: fit_isolated(
            library, "AgglomerativeClustering", parameters, table, n_threads
        )
        for library in (OURS, SKLEARN)
        if find_class(library, "AgglomerativeClustering") is not None
    }


def measure_memory(n_threads, is_quick):
    """A row for each linkage: peaks of the process, and what the fit added to them."""
    rows = []
    for linkage in ("ward", "single", "complete", "average"):
        answers = find_peaks(linkage, n_threads, is_quick)
        row = {"work": f"AgglomerativeClustering {linkage}"}
        for name, answer in answers.items():
            row[f"{name} MiB"] = _to_mebibytes(answer["peak_bytes"])
            row[f"{name} fit MiB"] = _to_mebibytes(answer["fit_bytes"])
        if len(answers) == 2 and answers[OURS]["peak_bytes"] is not None:
            own, peer = answers[OURS], answers[SKLEARN]
            ratio = own["peak_bytes"] / peer["peak_bytes"]
            bar = MEMORY_BAR if linkage in ("ward", "single") else None
            row |= {"ratio": ratio, "bar": bar, "ok": _judge(ratio, bar)}
        rows.append(row)
    return rows


def _to_mebibytes(n_bytes):
    return None if n_bytes is None else n_bytes / MEBIBYTE


def _judge(value, bar):
    if bar is None:
        return "-"
    return "yes" if value <= bar else "no"


def measure_scaling(estimators, n_threads, is_quick):
    """A row for each estimator and number of rows in three dimensions, ours alone."""
    rows = []
    for name in estimators:
        if find_class(OURS, name) is None:
            continue
        before = None
        for n_rows in QUICK_ROWS if is_quick else ROWS:
            table = ("blobs_in_noise", n_rows, 3)
            answer = fit_isolated(OURS, name, SCALED[name], table, n_threads)
            exponent = None
            if before is not None:
                exponent = math.log(answer["seconds"] / before[1]) / math.log(
                    n_rows / before[0]
                )
            before = n_rows, answer["seconds"]
            peak = answer["peak_bytes"]
            rows.append(
                {
                    "work": f"{name}, 3 columns",
                    "rows": f"{n_rows:,}",
                    "fit s": answer["seconds"],
                    "us a row": 1e6 * answer["seconds"] / n_rows,
                    "exponent": exponent,
                    "peak MiB": _to_mebibytes(peak),
                    "clusters": answer["n_clusters"],
                    "ok": _judge_growth(exponent, peak),
                }
            )
    return rows


def _judge_growth(exponent, peak):
    is_fine = exponent is None or exponent <= MAX_EXPONENT
    return "yes" if is_fine and (peak is None or peak <= MAX_PEAK_BYTES) else "no"
