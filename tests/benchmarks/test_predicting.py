"""The benchmark of predictions runs, and compares what it says."""

import json

from benchmarks import predicting


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(predicting, "CALLS_OF_TURN", 50)
    file = tmp_path / "figures.json"
    arguments = ["--quick", "--repeats", "2", "--json", str(file)]
    assert predicting.main(arguments) == 0
    figures = json.loads(file.read_text())
    assert all(row["ratio"] > 0 for row in figures["many"])
    assert {row["library"] for row in figures["one"]} >= {
        predicting.OURS,
        predicting.OURS_SYMMETRIC,
        "scikit-learn",
    }
    assert [row["way"] for row in figures["ways"]] == list(predicting.BARS_OF_WAYS)
    assert all(ratio > 0 for ratio in figures["callers"].values())
    assert figures["loading ms"] > 0
    assert "5 trees, 28 columns, 2 threads" in capsys.readouterr().out
