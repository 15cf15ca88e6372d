"""The benchmark of encodings of categories runs, and compares what it says."""

import json

from benchmarks import categories


def test_command(tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert categories.main(["--quick", "--splits", "2", "--json", str(file)]) == 0
    rows = json.loads(file.read_text())["rows"]
    assert [row["rows a level"] for row in rows] == list(categories.ROWS_PER_LEVEL)
    # What is encoded in the same way has the same loss.
    assert rows[0]["auto"] == rows[0]["ordered_target"] != 1
    assert rows[-1]["auto"] == 1
    assert "1,000 rows to fit" in capsys.readouterr().out
