"""The benchmark of single stages runs, and does without a compiler."""

import json

import pytest

from benchmarks import kernels
from benchmarks._limits import NoCompilerError, find_compiler
from benchmarks.kernels import make_bin_stages


def test_kernels(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(kernels, "N_ROWS_OF_TEXT", 5_000)
    file = tmp_path / "figures.json"
    kernels.main(["--quick", "--json", str(file)])
    rows = json.loads(file.read_text())["kernels"]
    stages = [row["stage"] for row in rows]
    assert len(stages) == len(set(stages)) >= 13
    assert all(row["ns"] > 0 for row in rows)
    if "No limits" not in capsys.readouterr().out:
        assert all(row["share %"] > 0 for row in rows)


@pytest.fixture
def few_stages(monkeypatch):
    """All are run above."""
    monkeypatch.setattr(kernels, "make_stages", lambda n_rows: make_bin_stages())


@pytest.mark.usefixtures("few_stages")
def test_kernels_without_a_compiler(monkeypatch, capsys):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert kernels.main(["--quick", "--rows", "9000", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert "No limits, only times: $CC is 'no-such-compiler'" in printed


@pytest.mark.usefixtures("few_stages")
def test_a_compiler_that_fails_is_named(monkeypatch, capsys):
    monkeypatch.setenv("CC", "false")
    try:
        find_compiler()
    except NoCompilerError:
        pytest.skip("there is no command that fails")
    assert kernels.main(["--quick", "--rows", "9000", "--repeats", "1"]) == 0
    assert "fails" in capsys.readouterr().out
