"""The benchmark of quality: fair splits, kept figures, verdicts."""

import json
from argparse import ArgumentTypeError

import numpy as np
import pandas as pd
import pytest

from benchmarks import quality
from benchmarks._losses import compute_loss
from benchmarks._quality_cache import FigureCache
from benchmarks._quality_libraries import LIBRARIES, MODES, OURS, Mode
from benchmarks._quality_sets import QUALITY_SETS, QualitySet

STOPPED = Mode("stopped", 100, 0.3, patience=5)


def make_frame(n_rows=900):
    rng = np.random.default_rng(0)
    levels = pd.Categorical.from_codes(rng.integers(-1, 4, n_rows), list("abcd"))
    X = pd.DataFrame({"x": rng.normal(size=n_rows), "level": levels})
    X["row"] = np.arange(n_rows)
    signal = X["x"] + (X["level"] == "a") + 0.3 * rng.normal(size=n_rows)
    return X, signal.to_numpy()


def make_set(task):
    """A set of made rows, with weights where rows are counts."""
    X, signal = make_frame()
    if task == "classification":
        return QualitySet("made", task, lambda: (X, (signal > 0).astype(int), None))
    if task == "poisson":
        counts = np.random.default_rng(1).poisson(np.exp(signal - 1))
        return QualitySet("made", task, lambda: (X, counts, np.full(len(X), 0.5)))
    return QualitySet("made", task, lambda: (X, signal, None))


# ---- sets and splits -----------------------------------------------------------------


def test_splits():
    (split,) = make_set("poisson").draw_splits(1, has_validation=True)
    parts = [split.train, split.validation, split.test]
    assert [len(part.y) for part in parts] == [540, 135, 225]
    rows = np.concatenate([part.X["row"] for part in parts])
    assert sorted(rows) == list(range(900))
    for part in parts:
        assert len(part.X) == len(part.y) == len(part.weight)
    # The rows for testing are those of the mode without validation.
    (whole,) = make_set("poisson").draw_splits(1, has_validation=False)
    assert whole.validation is None
    assert whole.test.X["row"].tolist() == split.test.X["row"].tolist()
    assert len(whole.train.y) == 675
    (few,) = make_set("regression").draw_splits(1, has_validation=True, n_rows=50)
    assert [len(p.y) for p in (few.train, few.validation, few.test)] == [50, 10, 225]
    assert few.train.weight is None


def test_frames_are_replaced():
    (split,) = make_set("regression").draw_splits(1, has_validation=True)
    seen = []

    def prepare(*frames):
        seen.extend(frames)
        return tuple(range(len(frames)))

    changed = split.with_frames(prepare)
    assert [p.X for p in (changed.train, changed.validation, changed.test)] == [0, 1, 2]
    assert seen == [split.train.X, split.validation.X, split.test.X]
    assert changed.test.y is split.test.y


@pytest.mark.parametrize("quality_set", QUALITY_SETS, ids=lambda s: s.name)
def test_real_sets(quality_set):
    if not quality_set.is_present():
        pytest.skip("not in the folder of tables")
    assert len(quality_set.find_digest()) == 12
    (split,) = quality_set.draw_splits(1, has_validation=True, n_rows=300)
    for part, n_rows in ((split.train, 300), (split.validation, 60)):
        assert part.X.shape == (n_rows, split.test.X.shape[1])
    for part in (split.train, split.validation, split.test):
        assert np.isfinite(part.y).all()


# ---- libraries -----------------------------------------------------------------------


@pytest.mark.parametrize("name", list(LIBRARIES))
@pytest.mark.parametrize("task", ["classification", "regression", "poisson"])
def test_libraries_stop_early_and_keep_the_best_round(name, task):
    library = LIBRARIES[name]
    if obstacle := library.find_obstacle(STOPPED):
        pytest.skip(f"{name}: {obstacle}")
    (split,) = make_set(task).draw_splits(1, has_validation=True)
    split = split.with_frames(library.prepare)
    fitted = library.fit(task, STOPPED, split, 1)
    assert 1 <= fitted.n_rounds < 100

    def find_loss(rows, fitted):
        predicted = library.predict(fitted, task, rows.X)
        return compute_loss(task, rows.y, predicted, None, rows.weight)

    # No fixed number of rounds is clearly better on the rows that it was chosen by.
    best = find_loss(split.validation, fitted)
    for n_rounds in (1, 100):
        mode = Mode("fixed", n_rounds, 0.3)
        rows = type(split)(split.train, None, split.test)
        other = library.fit(task, mode, rows, 1)
        assert other.n_rounds == n_rounds
        assert best <= find_loss(split.validation, other) * 1.001


# ---- figures that are kept -----------------------------------------------------------


class Counting(type(LIBRARIES["scikit-learn"])):
    n_fits = 0

    def fit(self, task, mode, split, n_threads):
        Counting.n_fits += 1
        return super().fit(task, mode, split, n_threads)


def test_peers_are_measured_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(LIBRARIES, "scikit-learn", Counting())
    made = make_set("classification")
    monkeypatch.setattr(QualitySet, "is_present", lambda self: True)
    digests = iter(["a", "a", "b"])
    monkeypatch.setattr(QualitySet, "find_digest", lambda self: next(digests))
    monkeypatch.setattr(quality, "QUALITY_SETS", [made])
    monkeypatch.setitem(MODES, "matched", Mode("matched", 5, 0.1))
    cache, json_file = tmp_path / "peers.json", tmp_path / "figures.json"
    arguments = ["--modes", "matched", "--tables", "made", "--splits", "2"]
    arguments += ["--peers", "scikit-learn", "--threads", "1"]
    arguments += ["--cache", str(cache), "--json", str(json_file)]
    n_fits, figures = [], []
    for _ in range(3):
        assert quality.main(arguments) == 0
        n_fits.append(Counting.n_fits)
        figures.append(json.loads(json_file.read_text())["matched"]["tables"])
    # The third time the table has changed.
    assert n_fits == [2, 2, 4]
    kept = figures[1][0][1]
    assert kept["library"] == "scikit-learn"
    assert kept["losses"] == figures[0][0][1]["losses"]
    assert kept["fit s"].endswith("*")
    assert not figures[1][0][0]["fit s"].endswith("*")
    assert "sklearnx" not in cache.read_text()
    # Nothing is read or written.
    before = cache.read_text()
    digests = iter("aaaa")
    assert quality.main([*arguments, "--fresh"]) == 0
    assert Counting.n_fits == 6
    assert cache.read_text() == before
    assert "matched, over 1 tables" in capsys.readouterr().out


def test_cache_without_a_file():
    cache = FigureCache(None)
    cache.keep({"loss": 1.0}, "a", "b")
    assert cache.find("a", "b") is None


# ---- verdicts ------------------------------------------------------------------------


def make_rows(table, **losses):
    """Rows of one table, from a list of losses for each library."""
    figures = {
        name: [
            {"loss": loss, "seconds": 1.0, "n_rounds": 3, "is_kept": False}
            for loss in of_splits
        ]
        for name, of_splits in losses.items()
    }
    return quality.summarize_set(QualitySet(table, "regression", None), figures)


def test_the_best_peer_is_the_reference():
    rows = make_rows("t", sklearnx=[1.0, 2.0], LightGBM=[1.5, 1.7], XGBoost=[3.0, 3.0])
    ours, lightgbm, xgboost = rows
    assert ours["ratio"] == 1.5 / 1.6
    assert (lightgbm["ratio"], lightgbm["s.e. %"]) == (1.0, 0.0)
    assert xgboost["ratio"] == 3.0 / 1.6
    assert [row["ok"] for row in rows] == [True, True, False]


def test_ranks_share_ties():
    ranks = quality.compute_ranks(
        [
            make_rows("a", sklearnx=[1.0], LightGBM=[1.0], XGBoost=[2.0]),
            make_rows("b", sklearnx=[3.0], LightGBM=[2.0], XGBoost=[1.0]),
        ]
    )
    assert ranks == {"sklearnx": 2.25, "LightGBM": 1.75, "XGBoost": 2.0}


def test_bars_of_the_matched_mode():
    sets = [
        make_rows("amazon_employee_access", sklearnx=[0.8], LightGBM=[1.0]),
        make_rows("adult", sklearnx=[0.999], LightGBM=[1.0]),
    ]
    with_it, without = quality.judge(MODES["matched"], sets, OURS)
    assert with_it[1] == pytest.approx(np.sqrt(0.8 * 0.999))
    assert with_it[2:] == (0.990, True)
    assert without[1:] == (pytest.approx(0.999), 0.997, False)


def test_bars_of_the_stopped_mode():
    sets = [
        make_rows("adult", sklearnx=[0.9], LightGBM=[1.0], XGBoost=[1.2]),
        make_rows("letter", sklearnx=[1.3], LightGBM=[1.2], XGBoost=[1.0]),
    ]
    share, ratio, rank = quality.judge(MODES["stopped"], sets, OURS)
    assert share[1:] == (0.5, 0.9, False)
    assert ratio[1:] == (pytest.approx(np.sqrt(0.9 * 1.3)), 1.0, False)
    assert rank == ("mean rank against LightGBM's", 2.0, 2.0, True)


def test_variants():
    name, library = quality.parse_variant("drawn={'subsample': 0.5}")
    assert name == "drawn"
    assert library.options == {"subsample": 0.5}
    with pytest.raises(ArgumentTypeError, match="is not NAME="):
        quality.parse_variant("drawn")


# ---- the command ---------------------------------------------------------------------


def test_command(tmp_path, capsys):
    picture = tmp_path / "quality.png"
    assert (
        quality.main(
            [
                *("--quick", "--splits", "2", "--threads", "1"),
                *("--tables", "adult", "--peers", "scikit-learn"),
                *("--variant", "drawn={'subsample': 0.5}"),
                *("--picture", str(picture)),
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    if "adult: not in" in printed:
        return
    for mode in MODES:
        assert f"{mode}, over 1 tables" in printed
    assert "drawn: " in printed
    assert picture.stat().st_size > 1000
