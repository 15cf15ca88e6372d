"""The service of examples/service: answers, refusals, files that change under it."""

import asyncio
import importlib
import json
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearnx.datasets import load_adult
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.io import save

for module in ("fastapi", "httpx", "prometheus_client", "uvicorn"):
    pytest.importorskip(module)
with warnings.catch_warnings():
    # Later versions of starlette prefer a package that earlier ones do not know.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

EXAMPLES = Path(__file__).parents[2] / "examples"
if not EXAMPLES.exists():
    pytest.skip("the examples are not here", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
try:
    create_app = importlib.import_module("service.app").create_app
    MAX_ROWS = importlib.import_module("service.schema").MAX_ROWS
    load_test = importlib.import_module("service.load_test")
finally:
    sys.path.remove(str(EXAMPLES))

NAME = "hours-per-week"  # no name of a Python variable
FAILED = 'service_model_reads_total{outcome="failed"}'
LOADED = 'service_model_reads_total{outcome="loaded"}'
ROW = {"age": 38, NAME: 40.5, "town": "a", "zip": 3}


def make_frame(n_samples=400, random_state=0):
    rng = np.random.default_rng(random_state)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n_samples),
            NAME: rng.normal(40, 10, n_samples),
            "town": rng.choice(["a", "b", "c", None], n_samples),
            "zip": pd.Categorical(rng.integers(0, 6, n_samples)),
        }
    )
    X.loc[rng.random(n_samples) < 0.1, NAME] = np.nan
    signal = X["age"] / 20 + (X["town"] == "b") + X["zip"].cat.codes % 2
    return X, signal + rng.normal(size=n_samples)


def make_rows(X):
    return json.loads(X.to_json(orient="records", double_precision=15))


def make_classifier(**params):
    X, y = make_frame()
    y = np.where(y > y.median(), "yes", "no")
    return HistGradientBoostingClassifier(max_iter=8, **params).fit(X, y)


def make_regressor():
    return HistGradientBoostingRegressor(max_iter=8).fit(*make_frame())


def make_pipeline_of_scikit_learn():
    X, y = make_frame()
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["town", "zip"]),
        (SimpleImputer(), ["age", NAME]),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(X, y > 3)


class Folder:
    """A model file and a service of it that looks only when told to."""

    def __init__(self, path):
        self.path = path / "model.safetensors"
        self.snapshots = path / "snapshots"
        self.snapshots.mkdir()
        self.app = create_app(self.path, self.snapshots, watch_seconds=1000)

    def serve(self, model):
        save(model, self.path)
        self.refresh()

    def refresh(self):
        self.app.state.holder.refresh()


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def client(folder):
    with TestClient(folder.app) as client:
        yield client


@pytest.fixture(scope="module")
def classifier():
    return make_classifier()


def read_metric(client, name):
    """Return the value of a metric, 0 if there is none."""
    for line in client.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0.0


# ---- answers -------------------------------------------------------------------------


@pytest.mark.parametrize("make_model", [make_classifier, make_pipeline_of_scikit_learn])
def test_probabilities(folder, client, make_model):
    model = make_model()
    folder.serve(model)
    X, _ = make_frame(50, random_state=1)
    rows = make_rows(X)
    expected = model.predict_proba(X)
    batch = client.post("/predict/batch", json=rows).json()
    singles = [client.post("/predict", json=row).json() for row in rows]
    assert {answer["model"] for answer in [batch, *singles]} == {
        client.get("/ready").json()["model"]
    }
    # BLAS adds up one row and many in different orders; trees do not.
    tolerance = 1e-12 if make_model is make_pipeline_of_scikit_learn else 0
    names = [str(c).lower() for c in model.classes_]  # false, true
    for answers in [batch["answers"], singles]:
        found = [answer["probabilities"] for answer in answers]
        assert all(list(probabilities) == names for probabilities in found)
        np.testing.assert_allclose(
            [list(probabilities.values()) for probabilities in found],
            expected,
            rtol=tolerance,
        )
        predictions = [answer["prediction"] for answer in answers]
        assert predictions == model.predict(X).tolist()


def test_numbers(folder, client):
    model = make_regressor()
    folder.serve(model)
    X, _ = make_frame(20, random_state=1)
    expected = [{"prediction": value} for value in model.predict(X)]
    rows = make_rows(X)
    assert client.post("/predict/batch", json=rows).json()["answers"] == expected
    assert (
        client.post("/predict", json=rows[0]).json()["prediction"]
        == (expected[0]["prediction"])
    )


@pytest.mark.parametrize("make_model", [make_classifier, make_pipeline_of_scikit_learn])
def test_missing_values(folder, client, make_model):
    model = make_model()
    folder.serve(model)
    X, _ = make_frame()
    X = X[X["town"].isna() & X[NAME].isna()].head(1)
    (row,) = make_rows(X)
    assert row["town"] is None and row[NAME] is None
    expected = model.predict_proba(X)[0]
    single = client.post("/predict", json=row).json()
    batch = client.post("/predict/batch", json=[row, row]).json()
    for answer in [single, *batch["answers"]]:
        found = list(answer["probabilities"].values())
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_schema(folder, client, classifier):
    folder.serve(classifier)
    schema = client.get("/schema").json()
    assert [column["name"] for column in schema["columns"]] == list(ROW)
    assert schema["classes"] == ["no", "yes"]


def test_unseen_levels(folder, client, classifier):
    folder.serve(classifier)
    missing = client.post("/predict", json=ROW | {"town": None, "zip": None}).json()
    unseen = client.post("/predict", json=ROW | {"town": "elsewhere", "zip": 99})
    assert unseen.json() == missing
    batch = [ROW, ROW | {"town": "nowhere"}, ROW | {"zip": 3.0}]
    assert client.post("/predict/batch", json=batch).status_code == 200
    assert read_metric(client, 'service_unseen_levels_total{column="town"}') == 2
    assert read_metric(client, 'service_unseen_levels_total{column="zip"}') == 1
    assert read_metric(client, "service_rows_total") == 5


@pytest.mark.parametrize("value", [0, 2**53 + 1, 10**30, -5, 2.5, 1.7e308, 5e-324])
@pytest.mark.parametrize("name", ["age", NAME, "zip"])
def test_any_number(folder, client, classifier, name, value):
    folder.serve(classifier)
    row = ROW | {name: value}
    single = client.post("/predict", json=row)
    batch = client.post("/predict/batch", json=[row, ROW])
    assert single.status_code == batch.status_code == 200
    expected = single.json()["probabilities"]
    assert batch.json()["answers"][0]["probabilities"] == expected


# ---- refusals ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, text, kind",
    [
        ("age", '"38"', "float_type"),
        ("age", "true", "float_type"),
        ("age", "NaN", "finite_number"),
        ("age", "-Infinity", "finite_number"),
        ("age", "1e400", "finite_number"),
        ("age", "1" + 400 * "0", "finite_number"),
        ("age", "[38]", "float_type"),
        (NAME, "{}", "float_type"),
        ("town", "3", "string_type"),
        ("town", '["a"]', "string_type"),
        ("zip", '"3"', "float_type"),
        ("zip", "false", "float_type"),
        ("height", "1", "extra_forbidden"),
    ],
)
def test_field_is_named(folder, client, classifier, name, text, kind):
    folder.serve(classifier)
    good = json.dumps(ROW)
    bad = json.dumps(ROW | {name: "VALUE"}).replace('"VALUE"', text)
    single = client.post("/predict", content=bad)
    batch = client.post("/predict/batch", content=f"[{good}, {bad}, {good}]")
    for response, loc in [(single, ["body", name]), (batch, ["body", 1, name])]:
        assert response.status_code == 422
        (error,) = response.json()["detail"]
        assert error["loc"] == loc
        assert error["type"] == kind
        assert error["msg"]


def test_missing_field_is_named(folder, client, classifier):
    folder.serve(classifier)
    row = ROW.copy()
    del row["town"]
    single = client.post("/predict", json=row)
    batch = client.post("/predict/batch", json=[ROW, ROW, row])
    for response, loc in [(single, ["body", "town"]), (batch, ["body", 2, "town"])]:
        assert response.status_code == 422
        (error,) = response.json()["detail"]
        assert (error["type"], error["loc"]) == ("missing", loc)


BODIES = [
    b"",
    b"{",
    b"null",
    b"1",
    b"[]",
    b"{}",
    b"[null]",
    b'"\xff"',
    b'{"age": "\\ud800"}',
    b'{"age": ' + b"9" * 5000 + b"}",
    b"[" * 30_000,
    b'{"a": ' * 5000,
    b"\x00",
]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_no_row(folder, client, classifier, path, body):
    folder.serve(classifier)
    response = client.post(path, content=body)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize(
    "value, status",
    [
        ("b", 200),
        ("b" * 10_000, 200),
        ("\u0000\U0001f600", 200),
        (10**30, 422),
        ([1], 422),
        ({"a": 1}, 422),
        (float("nan"), 422),
    ],
)
def test_values_of_pipelines(folder, client, value, status):
    folder.serve(make_pipeline_of_scikit_learn())
    response = client.post("/predict", content=json.dumps(ROW | {"town": value}))
    assert response.status_code == status
    if status == 422:
        assert response.json()["detail"][0]["loc"] == ["body", "town"]


def test_value_that_a_pipeline_refuses(folder, client):
    folder.serve(make_pipeline_of_scikit_learn())
    bad = ROW | {"age": "old"}
    single = client.post("/predict", json=bad)
    assert find_loc(single, "old") == ["body", "age"]
    for where in (0, 3, 4):
        batch = [ROW] * 5
        batch[where] = bad
        response = client.post("/predict/batch", json=batch)
        assert find_loc(response, "old") == ["body", where, "age"]
    two = client.post("/predict", json=bad | {NAME: "many"})
    assert find_loc(two, "") == ["body"]


def test_level_that_the_model_refuses(folder, client):
    folder.serve(make_classifier(handle_unknown="error"))
    bad = ROW | {"town": "elsewhere"}
    assert client.post("/predict", json=ROW).status_code == 200
    single = client.post("/predict", json=bad)
    assert find_loc(single, "elsewhere") == ["body", "town"]
    batch = client.post("/predict/batch", json=[ROW, bad])
    assert find_loc(batch, "elsewhere") == ["body", 1, "town"]


def find_loc(response, text):
    """Return the place of the only error of a response, whose message has a text."""
    assert response.status_code == 422
    (error,) = response.json()["detail"]
    assert text in error["msg"]
    return error["loc"]


def test_answer_that_is_no_json(folder, client, monkeypatch):
    folder.serve(make_pipeline(make_regressor()))
    model = folder.app.state.holder.model
    monkeypatch.setattr(
        model, "answer_rows", lambda rows: [{"prediction": np.inf}] * len(rows)
    )
    assert find_loc(client.post("/predict", json=ROW), "JSON") == ["body"]
    assert find_loc(client.post("/predict/batch", json=[ROW]), "JSON") == ["body"]


def test_limits(folder, client, classifier):
    folder.serve(classifier)
    too_many = client.post("/predict/batch", json=[ROW] * (MAX_ROWS + 1))
    assert too_many.status_code == 422
    assert too_many.json()["detail"][0]["type"] == "list_type"
    assert client.post("/predict/batch", json=[ROW] * MAX_ROWS).status_code == 200
    wrong = client.post("/predict/batch", json=[{}] * MAX_ROWS)
    assert wrong.status_code == 422
    assert len(wrong.json()["detail"]) == 100
    assert client.post("/predict", content=b" " * 100_000).status_code == 413
    assert client.post("/predict/batch", content=b" " * 10_000_000).status_code == 413


def test_metrics_of_requests(folder, client, classifier):
    folder.serve(classifier)
    client.post("/predict", json=ROW)
    client.post("/predict", json={})
    client.get("/made/up")
    count = "service_request_seconds_count"
    for path, status in [("/predict", 200), ("/predict", 422), ("other", 404)]:
        assert read_metric(client, f'{count}{{path="{path}",status="{status}"}}') == 1


# ---- files that change ---------------------------------------------------------------


def ask(client):
    """Return the answer to a row, and the version of the model."""
    answer = client.post("/predict", json=ROW).json()
    return answer["probabilities"], answer["model"]


def damage(path, how):
    data = path.read_bytes()
    if how == "removed":
        path.unlink()
    elif how == "cut in place":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "changed in place":
        with open(path, "r+b") as file:
            file.seek(-len(data) // 2, 2)
            file.write(bytes(1000))
    elif how == "other text":
        other = path.with_suffix(".other")
        other.write_text("no model")
        other.replace(path)


@pytest.mark.parametrize(
    "how", ["removed", "cut in place", "empty", "changed in place", "other text"]
)
def test_damaged_file(folder, client, classifier, how):
    folder.serve(classifier)
    before = ask(client)
    n_failed = read_metric(client, FAILED)
    damage(folder.path, how)
    folder.refresh()
    assert ask(client) == before
    assert client.get("/ready").status_code == 200
    assert read_metric(client, FAILED) > n_failed
    folder.serve(make_classifier(learning_rate=0.5))
    assert ask(client)[0] != before[0]
    assert ask(client)[1] != before[1]
    assert len(list(folder.snapshots.iterdir())) == 1


def test_file_is_read_only_if_it_changed(folder, client, classifier):
    folder.serve(classifier)
    version = ask(client)[1]
    folder.refresh()
    save(classifier, folder.path)  # the same again
    folder.refresh()
    assert ask(client)[1] == version
    assert read_metric(client, LOADED) == 1
    assert len(list(folder.snapshots.iterdir())) == 1


def test_damaged_file_is_refused_once(folder, client):
    folder.path.write_text("no model")
    before = read_metric(client, FAILED)
    folder.refresh()
    folder.refresh()
    assert read_metric(client, FAILED) == before + 1
    assert not list(folder.snapshots.iterdir())


def test_not_ready_without_a_model(folder, client, classifier):
    assert client.get("/health").status_code == 200
    for response in [
        client.get("/ready"),
        client.get("/schema"),
        client.post("/predict", json=ROW),
    ]:
        assert response.status_code == 503
    folder.serve(classifier)
    assert client.get("/ready").status_code == 200


def test_model_without_names(folder, client):
    X = np.arange(100.0)[:, None]
    before = read_metric(client, FAILED)
    folder.serve(HistGradientBoostingRegressor(max_iter=2).fit(X, X[:, 0]))
    assert client.get("/ready").status_code == 503
    assert read_metric(client, FAILED) == before + 1


def test_watching(tmp_path, classifier):
    app = create_app(tmp_path / "model.safetensors", tmp_path, watch_seconds=0.01)
    with TestClient(app) as client:
        assert client.get("/ready").status_code == 503
        save(classifier, tmp_path / "model.safetensors")
        wait_until(lambda: client.get("/ready").status_code == 200)


def wait_until(find, seconds=30):
    """Return what a function finds, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


# ---- under load ----------------------------------------------------------------------


def make_adult_file(path, **params):
    adult = load_adult()
    X, y = adult.data.head(2000), adult.target.head(2000)
    save(HistGradientBoostingClassifier(max_iter=5, **params).fit(X, y), path)
    return X.columns


@pytest.mark.parametrize("n_workers, batch_size", [(1, 1), (2, 20)])
def test_replacement_under_load(tmp_path, n_workers, batch_size):
    path, good, bad = (tmp_path / name for name in ("model", "good", "bad"))
    columns = make_adult_file(path)
    make_adult_file(good, learning_rate=0.5)
    bad.write_bytes(good.read_bytes()[:-100])
    requests = load_test.make_requests(columns, batch_size)
    results = []
    is_done = threading.Event()

    def drive():
        while not is_done.is_set():
            load = load_test.drive(service.port, requests, seconds=1, concurrency=8)
            results.append(asyncio.run(load))

    def read_version():
        return json.loads(service.get("/ready"))["model"]

    def has_refused():
        return f"{FAILED} 0.0" not in service.get("/metrics")

    options = ["--workers", n_workers, "--watch-seconds", 0.05]
    with load_test.start_service(path, *options) as service:
        load = threading.Thread(target=drive)
        load.start()
        first = read_version()
        wait_until(lambda: results)
        load_test.replace(path, good)
        second = wait_until(lambda: {read_version()} - {first}).pop()
        # Each worker looks at the file in its own time.
        wait_until(lambda: {read_version() for _ in range(50)} == {second})
        load_test.replace(path, bad)
        wait_until(has_refused)
        path.write_bytes(b"worse, and in place")
        n_results = len(results)
        wait_until(lambda: len(results) > n_results + 1)
        is_done.set()
        load.join(60)
        assert not load.is_alive()
        assert read_version() == second
    for result in results:
        assert not result.errors
        assert result.models.total() == len(result.seconds) > 20
    assert set(results[0].models) == {first}
    assert set(results[-1].models) == {second}
    assert {model for result in results for model in result.models} == {first, second}
    assert service.process.returncode == 0


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_workers_map_the_same_file(tmp_path):
    path = tmp_path / "model"
    make_adult_file(path)
    with load_test.start_service(path, "--workers", 2) as service:

        def find_mapped():
            maps = [
                Path(f"/proc/{pid}/maps").read_text() for pid in service.find_pids()
            ]
            lines = [line.split() for text in maps for line in text.splitlines()]
            return [line[3:5] for line in lines if line[-1].endswith(".safetensors")]

        mapped = wait_until(lambda: len(found := find_mapped()) == 2 and found)
    assert mapped[0] == mapped[1]
