"""The container is safetensors; nothing that it says is believed unchecked."""

import hashlib
import json

import numpy as np
import pytest

from sklearnx._io.container import (
    TENSOR_TYPES,
    ModelFileError,
    read_container,
    write_container,
)


def make_arrays():
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.integers(0, 2, (3, n)).astype(dtype)
        for n, (name, dtype) in enumerate(TENSOR_TYPES.items())
    }
    return {**arrays, "of no dimension": np.array(2.5), "empty": np.empty((0, 4))}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def test_round_trip(path):
    arrays, texts = make_arrays(), {"a": "text", "ü": 'quoted "text"\n'}
    write_container(path, arrays, texts)
    found_texts, found = read_container(path)
    assert found_texts.items() >= texts.items()
    assert found.keys() == arrays.keys()
    for name, array in found.items():
        assert array.dtype == arrays[name].dtype
        assert array.shape == arrays[name].shape
        assert array.tobytes() == arrays[name].tobytes()
        assert array.flags.aligned and not array.flags.writeable


def test_the_package_reads_it(path):
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = make_arrays()
    write_container(path, arrays, {"a": "text"})
    for name, array in safetensors.load_file(path).items():
        assert array.dtype == arrays[name].dtype
        np.testing.assert_array_equal(array, arrays[name])
    with pytest.importorskip("safetensors").safe_open(path, framework="np") as file:
        assert file.metadata()["a"] == "text"


def test_a_file_of_the_package_is_not_ours(path):
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({"a": np.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="no checksum"):
        read_container(path)


def write_with_checksum(path, header, data=b""):
    """Write a file of which nothing but the checksum is known to be right."""
    header["__metadata__"] = {"sha256": "0" * 64, **header.get("__metadata__", {})}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    start = len(text).to_bytes(8, "little")
    digest = hashlib.sha256(start + text + data).hexdigest().encode()
    path.write_bytes(start + text.replace(b"0" * 64, digest, 1) + data)


def entry(dtype="F64", shape=(2,), data_offsets=(0, 16)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(data_offsets)}


def test_the_checksum_of_a_handmade_file(path):
    write_with_checksum(path, {"a": entry()}, np.array([1.0, 2.0]).tobytes())
    assert read_container(path)[1]["a"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "wrong",
    [
        entry(dtype="F65"),
        entry(dtype=None),
        entry(dtype=["F64"]),
        entry(shape=[3]),
        entry(shape=[-2]),
        entry(shape=[-1, -2]),
        entry(shape=[2.0]),
        entry(shape=["2"]),
        entry(shape=[10**30, 0]),
        entry(shape=[2**61 + 2]),
        entry(data_offsets=[0, 24]),
        entry(data_offsets=[-8, 8]),
        entry(data_offsets=[16, 0]),
        entry(data_offsets=[8, 24]),
        entry(shape=[1], data_offsets=[4, 12]),
        entry(data_offsets=[0]),
        entry(data_offsets=[0.0, 16.0]),
        entry(data_offsets=["0", "16"]),
        {**entry(), "more": 1},
        {"dtype": "F64"},
        [],
        None,
        1,
    ],
    ids=str,
)
def test_wrong_entries(wrong, path):
    write_with_checksum(path, {"a": wrong}, bytes(16))
    with pytest.raises(ModelFileError, match="makes no sense"):
        read_container(path)


@pytest.mark.parametrize("metadata", [{"a": 1}, {"a": None}, {"a": {}}])
def test_metadata_that_is_no_text(metadata, path):
    write_with_checksum(path, {"__metadata__": metadata})
    with pytest.raises(ModelFileError, match="makes no sense"):
        read_container(path)


def test_a_deep_header(path):
    text = b'{"sha256":"' + b"0" * 64 + b'","a":' + b"[" * 100_000
    start = len(text).to_bytes(8, "little")
    digest = hashlib.sha256(start + text).hexdigest().encode()
    path.write_bytes(start + text.replace(b"0" * 64, digest, 1))
    with pytest.raises(ModelFileError, match="makes no sense"):
        read_container(path)
