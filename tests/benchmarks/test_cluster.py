"""The benchmark of clustering runs, and compares what it says."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from benchmarks import _cluster_agreement as agreement
from benchmarks import _cluster_scaling as scaling
from benchmarks import _cluster_sets as cluster_sets
from benchmarks import cluster
from benchmarks._cluster_data import Data, make_blobs, make_blobs_in_noise
from benchmarks._cluster_isolation import fit_isolated
from benchmarks._cluster_libraries import OURS, SKLEARN
from sklearnx._compat import SKLEARN_VERSION

pytestmark = pytest.mark.skipif(
    SKLEARN_VERSION < (1, 9),
    reason="the benchmark gives scikit-learn the parameters of 1.9",
)
SLOW = {"optics", "mean_shift"}


def answer_at_once(library, estimator, parameters, table, n_threads):
    """In the place of a process; time grows with the rows, memory with the library."""
    return {
        "seconds": table[1] * 1e-6,
        "peak_bytes": 100 * scaling.MEBIBYTE * (1 if library == OURS else 4),
        "fit_bytes": scaling.MEBIBYTE,
        "n_clusters": 3,
    }


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SKLEARNX_DATA", str(tmp_path))
    monkeypatch.setattr(scaling, "fit_isolated", answer_at_once)
    file = tmp_path / "figures.json"
    parts = [part for part in cluster.PARTS if part not in SLOW]
    arguments = ["--quick", "--threads", "1", "--peers", SKLEARN, "--json", str(file)]
    assert cluster.main([*arguments, "--only", *parts]) == 0
    figures = json.loads(file.read_text())
    made = [case for case in cluster.CASES if case.name not in SLOW]
    titles = [case.title for case in made if case.table is None]
    assert [row["work"] for row in figures["fits"]] == titles
    for row in figures["fits"]:
        assert row["peer"] == SKLEARN
        assert row["ratio"] > 0
        assert row["ok"] == "-", row
    assert [row["ratio"] for row in figures["memory"]] == [0.25] * 4
    assert [row["ok"] for row in figures["memory"]] == ["yes", "yes", "-", "-"]
    exponents = [row["exponent"] for row in figures["scaling"]]
    assert exponents == [None, pytest.approx(1), None, pytest.approx(1)]
    output = capsys.readouterr().out
    assert "mnist_10 is left out: there is no mnist_10k." in output
    assert "sets is left out: there is no clustering_2d." in output


def test_one_case_without_peers(capsys):
    arguments = ["--quick", "--only", "small_kmeans", "--peers", "none"]
    assert cluster.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("KMeans, iris") for line in lines) == 1
    assert not any("Peak" in line or "Growth" in line for line in lines)


def test_each_case_begins_with_ours():
    names = [case.name for case in cluster.CASES]
    assert len(set(names)) == len(names)
    for case in cluster.CASES:
        names = [entry.name for entry in case.entries]
        assert names[:2] == [OURS, SKLEARN]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "ratio, is_same, bar, expected",
    [
        (0.5, True, None, "-"),
        (0.5, True, 0.5, "yes"),
        (0.51, True, 0.5, "no"),
        (0.1, False, 0.5, "no"),
        (0.1, False, None, "no"),
    ],
)
def test_judge(ratio, is_same, bar, expected):
    assert cluster.judge(ratio, is_same, bar) == expected


def test_growth_is_judged():
    assert scaling._judge_growth(1.1, 2**30) == "yes"
    assert scaling._judge_growth(None, None) == "yes"
    assert scaling._judge_growth(1.5, 2**30) == "no"
    assert scaling._judge_growth(1.1, 5 * 2**30) == "no"


def test_process_of_its_own():
    answer = fit_isolated(
        OURS, "DBSCAN", {"eps": 0.05}, ("blobs_in_noise", 3_000, 3), n_threads=1
    )
    assert answer["seconds"] > 0
    assert answer["n_clusters"] >= 1
    if answer["peak_bytes"] is not None:
        assert 2**24 < answer["peak_bytes"] < 2**32
        assert 0 <= answer["fit_bytes"] < answer["peak_bytes"]
    with pytest.raises(RuntimeError, match="eps"):
        fit_isolated(OURS, "DBSCAN", {"eps": -1.0}, ("blobs", 300, 2, 2, 0.1), 1)


# ---- agreement -----------------------------------------------------------------------


def test_inertia_is_that_of_the_model():
    X = make_blobs(500, 4, 5, 0.1).X
    model = KMeans(5, n_init=1, random_state=0).fit(X)
    inertia = agreement.compute_inertia(X, model.cluster_centers_)
    assert inertia == pytest.approx(model.inertia_, rel=1e-9)


def test_inertia_is_judged_on_one_side_or_both():
    X = make_blobs(500, 4, 5, 0.1).X
    better = KMeans(5, n_init=10, random_state=0).fit(X)
    data, worse = Data(X), KMeans(4, n_init=1, random_state=0).fit(X)
    assert agreement.compare_inertia(data, better, better) == ("inertia +0e+00", True)
    assert not agreement.compare_inertia(data, better, worse)[1]
    assert agreement.compare_inertia(data, better, worse, is_same=False)[1]
    assert not agreement.compare_inertia(data, worse, better, is_same=False)[1]


def test_labels_are_judged():
    X = make_blobs(500, 4, 5, 0.1).X
    models = [KMeans(k, n_init=1).fit(X) for k in (5, 4)]
    assert agreement.compare_labels(None, models[0], models[0])[1]
    assert not agreement.compare_labels(None, *models)[1]


# ---- tables --------------------------------------------------------------------------


def test_neighbourhoods_do_not_depend_on_the_number_of_rows():
    counts = []
    for n_rows in (20_000, 80_000):
        X = make_blobs_in_noise(n_rows, 3).X
        assert X.shape == (n_rows, 3)
        neighbors = NearestNeighbors(radius=0.05).fit(X)
        found = neighbors.radius_neighbors(X[:1000], return_distance=False)
        counts.append(np.median([len(rows) for rows in found]))
    assert counts[1] == pytest.approx(counts[0], rel=0.5)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Two sets with labels, one of them in space, and one without."""
    rng = np.random.default_rng(0)
    frames = []
    for name, n_columns, labels in (
        ("flat", 2, ["a", "b", "noise"]),
        ("space", 3, ["a", "b"]),
        ("bare", 2, ["a"]),
    ):
        X = rng.normal(size=(90, n_columns))
        label = rng.integers(0, len(labels), 90)
        X[:, 0] += 10 * label
        frame = pd.DataFrame(X, columns=list("xyz")[:n_columns])
        frames.append(frame.assign(dataset=name, label=np.array(labels)[label]))
    monkeypatch.setenv("SKLEARNX_DATA", str(tmp_path))
    pytest.importorskip("pyarrow")
    pd.concat(frames).to_parquet(tmp_path / "clustering_2d.parquet")


def test_sets(table, capsys):
    flat, space = cluster_sets.read_sets()
    assert (flat.name, flat.X.shape, flat.n_clusters) == ("flat", (90, 2), 2)
    assert (space.name, space.X.shape, space.n_clusters) == ("space", (90, 3), 2)
    assert len(set(flat.y)) == 3
    assert cluster.main(["--quick", "--threads", "1", "--only", "sets"]) == 0
    output = capsys.readouterr().out
    assert "Below scikit-learn's: none" in output
    (line,) = (line for line in output.splitlines() if line.startswith("space"))
    # Ten units apart, all of them are right.
    assert line.split()[:4] == ["space", "90", "2", "1.000"]


def test_indices():
    assert cluster_sets.format_pair(None) == "-"
    assert cluster_sets.format_pair((0.5, 0.5)) == "0.500"
    assert cluster_sets.format_pair((0.5, 0.6)) == "0.500 (-0.100)"
    assert cluster_sets.is_below((0.5, 0.6))
    assert not cluster_sets.is_below((0.6, 0.5))
    assert not cluster_sets.is_below(None)
