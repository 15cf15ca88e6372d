"""The benchmarks of boosting run on small data, and judge figures as they should."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from benchmarks import boosting, curves
from benchmarks._boosters import (
    BOOSTERS,
    OURS,
    OURS_OF_FEW_ROWS,
    Settings,
    find_boosters,
    group_rare_levels,
    keep_known_levels,
)
from benchmarks._cases import CASES, Case, Split, from_seeds, strip_message
from benchmarks._data import has_table, make_columns
from benchmarks._isolation import fit_isolated, stored
from benchmarks._losses import compare_losses, compute_loss
from benchmarks._scaling import judge_scaling, summarize_columns, summarize_rows
from benchmarks._speed import describe_verdicts, judge, measure_case
from benchmarks._timing import fit_line

# On one thread: beside other tests its threads could wait for each other for minutes.
WITH_SCIKIT_LEARN = ("--peers", "scikit-learn", "--threads", "1")


def run(tmp_path, *arguments):
    """Run the command on small data; return what it wrote as JSON."""
    file = tmp_path / "figures.json"
    assert boosting.main(["--quick", "--json", str(file), *arguments]) == 0
    return json.loads(file.read_text())


# ---- whole commands ------------------------------------------------------------------


def test_speed(tmp_path, capsys):
    cases = ["numeric", "small", "large"]
    figures = run(tmp_path, "--part", "speed", "--cases", *cases, *WITH_SCIKIT_LEARN)
    assert [result["case"] for result in figures["speed"]] == cases
    for result in figures["speed"]:
        ours = {OURS, result["ours"]}
        assert ours == {OURS, OURS_OF_FEW_ROWS if result["case"] == "small" else OURS}
        assert set(result["libraries"]) == {*ours, "scikit-learn"}
        for library in result["libraries"].values():
            assert len(library["fit_seconds"]) == len(library["losses"]) == 2
            assert (library["peak_bytes"] or 1) > 0
        assert result["time"]["peer"] == "scikit-learn"
    printed = capsys.readouterr().out
    for name in cases:
        assert f"\n{name}: " in printed


@pytest.mark.parametrize("case", [case for case in CASES if case.table])
def test_real_case(case, tmp_path, capsys):
    splits = [] if not has_table(case.table) else ["--splits", "1"]
    figures = run(
        tmp_path, "--part", "speed", "--cases", case.name, "--peers", "none", *splits
    )
    if not has_table(case.table):
        assert figures["speed"] == []
        assert f"{case.name}: {case.table} is not in" in capsys.readouterr().out
        return
    (result,) = figures["speed"]
    assert np.isfinite(result["libraries"][OURS]["losses"]).all()


def test_accuracy(tmp_path, capsys):
    figures = run(
        tmp_path,
        *("--part", "accuracy", "--tables", "california_housing"),
        *WITH_SCIKIT_LEARN,
    )
    if not has_table("california_housing"):
        assert "california_housing: not in" in capsys.readouterr().out
        return
    assert [row["library"] for row in figures["accuracy"]] == [OURS, "scikit-learn"]


def test_accuracy_of_few_rows(tmp_path, capsys):
    figures = run(
        tmp_path,
        *("--part", "accuracy", "--tables", "california_housing", "--rows", "200"),
        *WITH_SCIKIT_LEARN,
    )
    if has_table("california_housing"):
        names = [row["library"] for row in figures["accuracy"]]
        assert names == [OURS, OURS_OF_FEW_ROWS, "scikit-learn"]
        assert "200 rows fitted" in capsys.readouterr().out


def test_scaling_and_curves(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    figures = run(tmp_path, "--part", "scaling", "--peers", "none")
    assert {row["library"] for row in figures["scaling"]["of_rows"]} == {OURS}
    assert "time per row and round grows by" in capsys.readouterr().out
    picture = tmp_path / "scaling.svg"
    curves.main([str(tmp_path / "figures.json"), str(picture)])
    assert "2 threads" in picture.read_text() or picture.stat().st_size > 1000


def test_curves_need_figures_of_scaling(tmp_path, capsys):
    file = tmp_path / "figures.json"
    file.write_text("{}")
    with pytest.raises(SystemExit):
        curves.main([str(file), str(tmp_path / "scaling.svg")])
    assert "no figures of --part scaling" in capsys.readouterr().err


def test_busy(tmp_path, capsys):
    figures = run(tmp_path, "--part", "busy", "--peers", "none")["busy"]
    assert [row["library"] for row in figures["searches"]] == [OURS]
    assert {row["beside"] for row in figures["fits"]} >= {"nothing", "a process"}
    assert "beside a process" in capsys.readouterr().out


def test_unknown_peer(capsys):
    with pytest.raises(SystemExit):
        boosting.main(["--peers", "nobody"])
    assert "'nobody' begins none of" in capsys.readouterr().err


# ---- libraries -----------------------------------------------------------------------


def test_peers_are_found_by_the_beginning_of_their_names():
    assert find_boosters(["LIGHT", "cat"]) == [
        "LightGBM",
        "LightGBM quantised",
        "CatBoost symmetric",
        "CatBoost lossguide",
    ]
    assert find_boosters(["none"]) == []
    assert find_boosters(["all"]) == list(BOOSTERS)


@pytest.mark.parametrize("name", list(BOOSTERS))
@pytest.mark.parametrize("task", ["classification", "regression", "poisson"])
def test_boosters_fit_each_task(name, task):
    booster = BOOSTERS[name]
    if not booster.is_installed():
        pytest.skip(f"{name} is not installed")
    rng = np.random.default_rng(0)
    X, y = make_columns(1_000, 3)
    levels = pd.Categorical.from_codes(rng.integers(4, size=1_000), list("abcd"))
    X = pd.DataFrame(X, columns=["a", "b", "c"]).assign(d=levels)
    X_train, X_test = booster.prepare(X[:800], X[800:])
    settings = Settings(task, n_rounds=30, n_threads=1)
    model = booster.fit(settings, X_train, y[:800], np.ones(800))
    loss = compute_loss(task, y[800:], booster.predict(model, settings, X_test))
    constant = np.full(200, y[:800].mean())
    if task == "classification":
        constant = np.stack([1 - constant, constant], axis=1)
    assert loss < compute_loss(task, y[800:], constant)


def test_rare_and_unknown_levels():
    many = pd.DataFrame({"a": pd.Categorical([str(i) for i in range(300)] * 2)})
    grouped, _ = group_rare_levels(many, many)
    assert grouped["a"].nunique() == 255
    assert many["a"].nunique() == 300
    test = pd.DataFrame({"a": pd.Categorical(["1", "new"])})
    assert keep_known_levels(many, test)["a"].isna().tolist() == [False, True]


def test_sparse_matrices_are_refused_by_those_that_refuse_them():
    X = sparse.eye(3, format="csr")
    refusing = [name for name in BOOSTERS if BOOSTERS[name].find_obstacle(X)]
    assert refusing == ["CatBoost lossguide", "scikit-learn"]


# ---- cases ---------------------------------------------------------------------------


class Failing(type(BOOSTERS["scikit-learn"])):
    def warm_up(self, settings):
        pass

    def fit(self, settings, X, y, sample_weight=None):
        raise MemoryError("too much for it")


def test_a_peer_that_fails_is_left_out(monkeypatch, capsys):
    monkeypatch.setitem(BOOSTERS, "scikit-learn", Failing())
    draw = from_seeds(lambda n, seed: make_columns(n, 3, seed), 100, 50, n_quick=100)
    case = Case("case", "title", "classification", draw, bar=1.0)
    result = measure_case(
        case,
        [OURS, "scikit-learn"],
        n_rounds=2,
        n_threads=1,
        n_splits=2,
        n_repeats=1,
        is_quick=False,
    )
    assert list(result["libraries"]) == [OURS]
    assert "scikit-learn is left out: MemoryError: too much" in capsys.readouterr().out


def test_cases_have_names_of_their_own():
    assert len({case.name for case in CASES}) == len(CASES)


def test_made_splits_differ_and_do_not_overlap():
    draw = from_seeds(lambda n, seed: make_columns(n, 3, seed), 100, 50, n_quick=10)
    first, second = draw(2, False)
    assert isinstance(first, Split)
    assert len(first.y_train) == 100 and len(first.y_test) == 50
    assert not np.array_equal(first.X_train, second.X_train)
    both = np.vstack([first.X_train, first.X_test])
    assert len(np.unique(both, axis=0)) == 150


def test_messages_are_stripped_to_what_their_author_wrote():
    message = (
        "From: someone\nSubject: re: it\n\nA. Nother wrote:\n> I think so\n"
        "I do not.\n--\nSomeone, Somewhere\n"
    )
    assert strip_message(message).split() == ["I", "do", "not."]
    assert strip_message(message.replace("\n", "\t")) == strip_message(message)


def test_an_isolated_fit_says_why_it_fails(tmp_path):
    X, y = make_columns(50, 2)
    with stored(X_train=X, y_train=y[:20]) as folder:
        settings = Settings("classification", n_rounds=1, n_threads=1)
        with pytest.raises(RuntimeError, match="inconsistent numbers of samples"):
            fit_isolated(OURS, settings, folder)


# ---- figures -------------------------------------------------------------------------


def make_figures(seconds, losses, peak=None):
    return {"fit_seconds": seconds, "losses": losses, "peak_bytes": peak}


def test_verdicts_are_against_the_fastest_and_the_best_peer():
    case = Case("case", "", "classification", None, bar=0.5, memory_bar=1.1)
    libraries = {
        OURS: make_figures([1.0, 1.0, 4.0], [0.50, 0.60], peak=100),
        "LightGBM": make_figures([3.0, 4.0, 5.0], [0.51, 0.61], peak=80),
        "scikit-learn": make_figures([2.0, 2.0, 8.0], [0.7, 0.7], peak=10),
    }
    verdicts = judge(case, libraries)
    assert verdicts["time"] == {
        "peer": "scikit-learn",
        "ratio": 0.5,
        "bar": 0.5,
        "ok": True,
    }
    assert verdicts["loss"]["peer"] == "LightGBM"
    assert verdicts["loss"]["ok"] and verdicts["loss"]["better"]
    assert verdicts["memory"]["ratio"] == 1.25 and not verdicts["memory"]["ok"]
    lines = describe_verdicts({"measure": "log loss", **verdicts})
    assert [line.rpartition(" ")[2] for line in lines] == ["met", "met", "met"]
    assert [" NOT " in line for line in lines] == [False, True, False]
    assert judge(case, {OURS: libraries[OURS]}) == {}


def test_a_case_may_be_judged_by_recommended_settings():
    case = Case("case", "", "classification", None, bar=0.5, ours=OURS_OF_FEW_ROWS)
    libraries = {
        OURS: make_figures([4.0], [0.9]),
        OURS_OF_FEW_ROWS: make_figures([1.0], [0.5]),
        "LightGBM": make_figures([2.0], [0.6]),
    }
    verdicts = judge(case, libraries)
    assert verdicts["time"]["peer"] == verdicts["loss"]["peer"] == "LightGBM"
    assert verdicts["time"]["ratio"] == 0.5 and verdicts["loss"]["ok"]
    assert judge(case, {OURS: libraries[OURS], "LightGBM": libraries["LightGBM"]}) == {}


@pytest.mark.parametrize(
    "losses, is_ok",
    [
        ([1.0, 1.0], True),
        ([1.001, 1.001], True),
        ([1.003, 1.003], False),
        ([1.05, 0.97], True),  # not by more than the error of the difference
        ([1.003], False),
    ],
)
def test_losses_are_compared_with_a_tolerance(losses, is_ok):
    comparison = compare_losses(losses, [1.0] * len(losses), 0.002)
    assert comparison["ok"] == is_ok
    assert (comparison["s.e. %"] is None) == (len(losses) == 1)


def test_line_of_least_relative_error():
    x = np.array([10, 20, 40])
    np.testing.assert_allclose(fit_line(x, 3 + 0.5 * x), (3, 0.5))


def test_scaling_takes_the_cost_of_a_tree_off():
    def make_timings(n_threads, cost):
        return [
            {
                "library": OURS,
                "threads": n_threads,
                "n_rows": n_rows,
                "n_columns": 28,
                "n_rounds": n_rounds,
                "fit_seconds": [n_rounds * (0.001 + cost * n_rows)],
                "seconds": n_rounds * (0.001 + cost * n_rows),
            }
            for n_rows, n_rounds in [(100, 50), (200, 50), (10**5, 10), (10**6, 10)]
        ]

    timings = make_timings(1, 2e-7) + make_timings(2, 1e-7)
    rows = summarize_rows(timings, small=(100, 200))
    by_columns = [
        {
            "library": OURS,
            "threads": 1,
            "n_rows": 100,
            "n_columns": n_columns,
            "n_rounds": 1,
            "seconds": 1e-3 * n_columns**2,
        }
        for n_columns in (10, 100)
    ]
    columns = summarize_columns(by_columns)
    np.testing.assert_allclose([row["tree us"] for row in rows], 1000)
    np.testing.assert_allclose(
        [row["ns per row and round"] for row in rows], [200] * 4 + [100] * 4
    )
    assert columns[1]["exponent"] == pytest.approx(2)
    lines = judge_scaling({"of_rows": rows, "of_columns": columns})
    assert "grows by 1.00, bar 1.25: met" in lines[0]
    assert "2 threads over one, the least of these sizes: 1.9" in lines[2]
    assert "power 2.00 of them, bar 1.05: NOT met" in lines[3]
