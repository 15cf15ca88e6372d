"""The benchmark of encoders runs, and compares what it says."""

import json

from benchmarks import encoders


def test_command(tmp_path, capsys):
    file = tmp_path / "figures.json"
    arguments = ["--quick", "--repeats", "2", "--json", str(file)]
    assert encoders.main(arguments) == 0
    rows = json.loads(file.read_text())["rows"]
    assert len(rows) == 12
    assert all(row["ratio"] > 0 for row in rows)
    assert "2,000 rows, 5 columns" in capsys.readouterr().out
