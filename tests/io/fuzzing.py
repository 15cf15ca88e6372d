"""Model files that were damaged, or made up, by the thousand.

``python -m tests.io.fuzzing 100000`` mutates files of several models: flipped bits,
cuts, pieces of one file in another, JSON with parts exchanged or with absurd numbers;
half of them with a checksum that is right. Each has to load, or to raise
ModelFileError, in a second and in no more memory than ten times its size and 16 MiB.
What loads is asked for predictions, which may fail, but not crash.
"""

import argparse
import copy
import hashlib
import json
import re
import signal
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.io import ModelFileError, load, save

MAX_SECONDS = 1
CHECKSUM = re.compile(rb'"sha256":"[0-9a-f]{64}"')
ABSURD = (
    *(-1, 0, 1, 2**31, 2**63, 10**30, -(10**30), 1.5, 1e308, True, None, "", "x"),
    *(
        [],
        {},
        [[]],
        {"type": "same", "id": 0},
        "numpy.load",
        "os.system",
        "BoostedTrees",
    ),
)


def make_data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=200),
            "b": rng.choice(list("xyz"), 200),
            "c": rng.integers(0, 20, 200).astype(str),
        }
    )
    return X, (X["a"] + (X["b"] == "x") > 0).to_numpy().astype(int)


def make_files(folder):
    """Save a few small models of all kinds; return the bytes of the files."""
    X, y = make_data()
    numbers = X.assign(b=X["b"] == "x", c=X["c"].astype(int)).astype(float)
    columns = ColumnTransformer(
        [("scaled", StandardScaler(), ["a"]), ("b", OneHotEncoder(), ["b"])]
    )
    small = {"max_iter": 3, "max_leaf_nodes": 5}
    models = [
        HistGradientBoostingClassifier(**small).fit(X, y),
        HistGradientBoostingClassifier(
            **small, categorical_encoding="ordered_target"
        ).fit(X, y),
        HistGradientBoostingRegressor(**small, linear_leaves=True).fit(numbers, y),
        HistGradientBoostingRegressor(**small).fit(X, np.column_stack([y, y])),
        make_pipeline(columns, HistGradientBoostingClassifier(**small)).fit(X, y),
    ]
    files = []
    for model in models:
        save(model, folder / "model")
        files.append((folder / "model").read_bytes())
    return files


# ---- mutations -----------------------------------------------------------------------


def flip_bits(rng, data, others):
    data = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(data)


def flip_bits_of_arrays(rng, data, others):
    data = bytearray(data)
    start = 8 + int.from_bytes(data[:8], "little")
    for _ in range(rng.integers(1, 6)):
        data[rng.integers(start, len(data))] ^= 1 << rng.integers(8)
    return bytes(data)


def cut(rng, data, others):
    return data[: rng.integers(len(data))]


def splice(rng, data, others):
    other = others[rng.integers(len(others))]
    start, length = rng.integers(len(other)), rng.integers(1, 200)
    place = rng.integers(len(data))
    return data[:place] + other[start : start + length] + data[place + length :]


def grow_header(rng, data, others):
    length = int(rng.choice([0, 1, 2**16, 2**32, 2**63, len(data)]))
    return length.to_bytes(8, "little") + data[8:]


def change_header(rng, data, others):
    """Exchange parts of the JSON, of the table of arrays or of the graph."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    metadata = header["__metadata__"]
    if rng.random() < 0.25:
        _change(rng, header)
    else:
        graph = json.loads(metadata["graph"])
        for _ in range(rng.integers(1, 4)):
            _change(rng, graph)
        metadata["graph"] = json.dumps(graph)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def _change(rng, tree):
    """Put something else in a place of a tree of dicts and lists."""
    places = list(_find_places(tree))
    parent, key = places[rng.integers(len(places))]
    if rng.random() < 0.4:
        other, other_key = places[rng.integers(len(places))]
        parent[key] = copy.deepcopy(other[other_key])
    elif rng.random() < 0.2 and isinstance(parent, dict):
        del parent[key]
    else:
        parent[key] = copy.deepcopy(ABSURD[rng.integers(len(ABSURD))])


def _find_places(tree):
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _find_places(tree[key])


MUTATIONS = (
    flip_bits,
    flip_bits_of_arrays,
    cut,
    splice,
    grow_header,
    change_header,
    change_header,
    change_header,
)


def correct_checksum(data):
    """Return the file with the checksum that it should have, if it has any."""
    end = 8 + int.from_bytes(data[:8], "little")
    zeros = b'"sha256":"' + b"0" * 64 + b'"'
    header, n_found = CHECKSUM.subn(zeros, data[8:end], 1)
    if n_found == 0:
        return data
    digest = hashlib.sha256(data[:8] + header + data[end:]).hexdigest().encode()
    return data[:8] + header.replace(b"0" * 64, digest, 1) + data[end:]


# ---- loading -------------------------------------------------------------------------


def load_one(path, X, max_seconds):
    """Load a file; return what came of it."""
    size = path.stat().st_size
    tracemalloc.reset_peak()
    start = tracemalloc.get_traced_memory()[0]
    signal.setitimer(signal.ITIMER_REAL, max_seconds)
    try:
        model = load(path)
    except ModelFileError:
        return "refused"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        peak = tracemalloc.get_traced_memory()[1] - start
        assert peak <= 10 * size + (16 << 20), f"{peak} bytes of memory for {size}"
    try:
        model.predict(X)
        getattr(model, "predict_proba", model.predict)(X[:1])
    except Exception:
        return "loaded, cannot predict"
    return "loaded"


def _stop(signum, frame):
    raise TimeoutError("a file took too long to load")


def run(n_files, seed=0, max_seconds=MAX_SECONDS):
    """Return how many of the mutated files were refused, and how many loaded."""
    X, _ = make_data()
    rng = np.random.default_rng(seed)
    counts = Counter()
    before = signal.signal(signal.SIGALRM, _stop)
    tracemalloc.start()
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = Path(folder) / "file"
            files = make_files(Path(folder))
            for i in range(n_files):
                mutate = MUTATIONS[rng.integers(len(MUTATIONS))]
                data = mutate(rng, files[rng.integers(len(files))], files)
                if i % 2 == 0:
                    data = correct_checksum(data)
                # Beside the last one, which may still be mapped.
                path.unlink(missing_ok=True)
                path.write_bytes(data)
                counts[load_one(path, X, max_seconds)] += 1
    finally:
        tracemalloc.stop()
        signal.signal(signal.SIGALRM, before)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n_files", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    counts = run(options.n_files, options.seed)
    print(f"{options.n_files:,} files in {time.perf_counter() - start:.0f} s")
    for what, n in counts.most_common():
        print(f"{what}: {n:,}")


if __name__ == "__main__":
    main()
