"""The file of a snapshot: whole or refused, whatever happens to its writer."""

import json
import os
import pickle
import stat
import sys
from decimal import Decimal
from hashlib import blake2b
from io import BytesIO

import numpy as np
import pytest

from sklearnx._boosting import snapshots
from sklearnx._boosting.snapshots import (
    check_writable,
    read_file,
    remove_leftovers,
    write_file,
)
from tests.contracts._helpers import run_script

SMALL = {"texts": {"a": "1"}, "array": np.arange(3)}
LEFTOVER = ".file.0123456789abcdef.tmp"

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="not Linux")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "file")


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def write_bytes(path, data):
    with open(path, "wb") as file:
        file.write(data)


def test_round_trip(path):
    records = np.zeros(2, dtype=[("value", np.float64), ("left", np.int32)])
    records["value"] = 1 / 3, np.nan
    contents = {
        "texts": {"ä": "ö\n", "": ""},
        "numbers": [1, 0.1, 5e-324, float("inf"), True, None, 2**63],
        "NumPy's": [np.uint64(2**64 - 1), np.float32(0.1), np.int8(-1), np.bool_(True)],
        "records": records,
        "empty": np.empty((0, 3), dtype=np.float32),
        "strided": np.arange(12).reshape(3, 4)[::2, ::-1],
        "array": {"__array__": np.array(["a", "bc"])},
        "nothing": {},
    }
    assert read_file(path) is None
    write_file(path, contents)
    result = read_file(path)
    assert result.keys() == contents.keys()
    for name in ("texts", "numbers", "nothing"):
        assert result[name] == contents[name]
    for value, expected in zip(result["NumPy's"], contents["NumPy's"], strict=True):
        assert value == expected and type(value) is type(expected)
    result["array"], contents["array"] = (
        x["array"]["__array__"] for x in (result, contents)
    )
    for name in ("records", "empty", "strided", "array"):
        assert result[name].dtype == contents[name].dtype
        assert result[name].shape == contents[name].shape
        assert result[name].tobytes() == contents[name].tobytes()
        assert result[name].flags.writeable


def test_objects_are_not_written(path):
    with pytest.raises(TypeError, match="is of type Decimal"):
        write_file(path, {"score": Decimal(1)})
    with pytest.raises(TypeError, match="is of type ndarray"):
        write_file(path, {"scores": np.array([None])})
    assert os.listdir(os.path.dirname(path)) == []


def test_nothing_is_unpickled(path):
    """Not even in a file that is whole."""

    class Evil:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    file = BytesIO()
    text = np.frombuffer(json.dumps({"a": {"__array__": 0}}).encode(), dtype=np.uint8)
    np.savez(file, np.array([Evil()], dtype=object), text=text)
    checksum = blake2b(file.getvalue(), digest_size=snapshots.CHECKSUM_SIZE).digest()
    write_bytes(path, snapshots.HEADER + checksum + file.getvalue())
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_file(path)


def test_truncated_at_any_length(path):
    write_file(path, SMALL)
    data = read_bytes(path)
    for length in range(len(data)):
        write_bytes(path, data[:length])
        with pytest.raises(ValueError, match=r"damaged|not a snapshot|another version"):
            read_file(path)
    for more in (b"\0", data):
        write_bytes(path, data + more)
        with pytest.raises(ValueError, match="damaged"):
            read_file(path)


def test_changed_anywhere(path):
    write_file(path, SMALL)
    data = read_bytes(path)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        write_bytes(path, changed)
        with pytest.raises(ValueError, match=r"damaged|not a snapshot|another version"):
            read_file(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a,b\n1,2\n",
        pickle.dumps(SMALL),
        b"\0" * 100_000,
        b"sklearnx",
    ],
    ids=["empty", "csv", "pickle", "zeros", "short"],
)
def test_foreign_files(path, data):
    write_bytes(path, data)
    with pytest.raises(ValueError, match=r"file' is not a snapshot.*not overwritten"):
        read_file(path)
    assert read_bytes(path) == data


def test_another_version(path):
    write_file(path, SMALL)
    write_bytes(path, read_bytes(path).replace(b"snapshot 1\n", b"snapshot 2\n", 1))
    with pytest.raises(ValueError, match="another version of sklearnx"):
        read_file(path)


def test_places_that_no_file_can_be_written_to(tmp_path):
    check_writable(str(tmp_path / "file"))
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError, match="a folder that does not exist"):
        check_writable(str(tmp_path / "missing" / "file"))
    with pytest.raises(IsADirectoryError, match="path of a file, not of a folder"):
        check_writable(str(tmp_path))
    with pytest.raises(OSError, match="no snapshot can be written here"):
        check_writable(str(tmp_path / ("a" * 250)))
    write_bytes(tmp_path / "file", b"")
    with pytest.raises(FileNotFoundError, match="a folder that does not exist"):
        check_writable(str(tmp_path / "file" / "file"))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no permissions")
def test_folder_without_permission(tmp_path):
    os.chmod(tmp_path, 0o555)
    try:
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        with pytest.raises(PermissionError, match="no snapshot can be written here"):
            check_writable(str(tmp_path / "file"))
    finally:
        os.chmod(tmp_path, 0o755)


@needs_linux
def test_read_only_file_system():
    with pytest.raises(OSError, match="no snapshot can be written here"):
        check_writable("/proc/file")


def test_unreadable(path):
    os.mkdir(path)
    with pytest.raises(OSError, match="the snapshot cannot be read"):
        read_file(path)


def test_mode_of_the_file(path):
    """That of any new file, so that a group that may read others may read it."""
    write_file(path, SMALL)
    write_bytes(path + "2", b"")
    assert stat.S_IMODE(os.stat(path).st_mode) == os.stat(path + "2").st_mode & 0o777


def test_leftovers(tmp_path, path):
    kept = [
        "file",
        ".file.0123456789abcdef.tmp2",
        ".file.0123.tmp",
        ".other.0123456789abcdef.tmp",
        ".file2.0123456789abcdef.tmp",
    ]
    for name in [*kept, LEFTOVER]:
        write_bytes(tmp_path / name, b"half")
    remove_leftovers(path)
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_failing_write(tmp_path, path, monkeypatch, failing, error):
    def fail(*args):
        raise error

    write_file(path, SMALL)
    before = read_bytes(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fail)
        with pytest.raises(type(error)) as caught:
            write_file(path, {"other": 1})
    if isinstance(error, OSError):
        assert caught.value.errno == 28
        message = r"cannot be written \(No space left\); the last one is as it was"
        assert caught.match(message)
        assert caught.value.filename == path
    assert read_bytes(path) == before
    assert os.listdir(tmp_path) == ["file"]


def test_file_removed_while_it_is_written(tmp_path, path, monkeypatch):
    """By another fit that takes it for the leftover of a killed one."""
    replace, calls = os.replace, []

    def replace_later(source, target):
        calls.append(source)
        if len(calls) < 3:
            remove_leftovers(path)
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_later)
    write_file(path, {"a": 1})
    assert read_file(path) == {"a": 1}
    assert len(set(calls)) == 3
    assert os.listdir(tmp_path) == ["file"]


def test_folder_removed_while_it_is_written(tmp_path):
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / "folder" / "file")
    write_file(path, SMALL)
    os.unlink(path)
    os.rmdir(tmp_path / "folder")
    with pytest.raises(FileNotFoundError, match="the snapshot cannot be written"):
        write_file(path, SMALL)


KILLED_AT = """
import os, signal, sys
from sklearnx._boosting.snapshots import *

path = sys.argv[1]
def kill(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

class HalfWritten:
    def __init__(self, *args):
        self.file = open(*args)
    def __enter__(self):
        return self
    def __exit__(self, *args):
        pass
    def writelines(self, parts):
        data = b"".join(parts)
        self.file.write(data[:len(data) // 2])
        self.file.flush()
        kill()

def kill_after(function):
    def call(*args):
        function(*args)
        kill()
    return call

import builtins, sklearnx._boosting.snapshots as module
new = {"round": 2, "array": np.arange(1000)}
steps = {
    "open": lambda: setattr(module, "open", kill_after(builtins.open)),
    "write": lambda: setattr(module, "open", HalfWritten),
    "fsync": lambda: setattr(os, "fsync", kill),
    "synced": lambda: setattr(os, "fsync", kill_after(os.fsync)),
    "replace": lambda: setattr(os, "replace", kill),
    "replaced": lambda: setattr(os, "replace", kill_after(os.replace)),
}
folder = os.path.dirname(path)
for step, patch in steps.items():
    write_file(path, {"round": 1})
    pid = os.fork()
    if pid == 0:
        try:
            patch()
            write_file(path, new)
        finally:
            os._exit(3)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, step
    assert read_file(path)["round"] == (2 if step == "replaced" else 1), step
    assert len(os.listdir(folder)) == (1 if step == "replaced" else 2), step
    remove_leftovers(path)
    write_file(path, new)
    assert read_file(path)["round"] == 2 and len(os.listdir(folder)) == 1, step
"""


@needs_fork
def test_killed_at_every_step(path):
    run_script(KILLED_AT, path)


DISK_FULL = """
import resource, sys
from sklearnx._boosting.snapshots import *
path = sys.argv[1]
write_file(path, {"round": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    write_file(path, {"array": np.arange(10_000)})
except OSError as error:
    assert "the snapshot cannot be written" in str(error), error
else:
    raise AssertionError("no error")
assert read_file(path) == {"round": 1}
assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
write_file(path, {"round": 2})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes")
def test_no_room(path):
    run_script(DISK_FULL, path)


TWO_WRITERS = """
import os, sys, time
from sklearnx._boosting.snapshots import *
path = sys.argv[1]
write_file(path, {"n": 0, "array": np.zeros(0)})
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for i in range(60):
                if i % 10 == 0:
                    remove_leftovers(path)
                n = 1 + 50 * i + child
                write_file(path, {"n": n, "array": np.full(n, n)})
            code = 0
        finally:
            os._exit(code)
    children.append(pid)
n_read = 0
while children:
    contents = read_file(path)
    assert contents["array"].tolist() == [contents["n"]] * contents["n"]
    n_read += 1
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid:
        assert status == 0
        children.remove(pid)
assert n_read > 10
assert len(os.listdir(os.path.dirname(path))) == 1
"""


@needs_fork
def test_several_writers_and_a_reader(path):
    run_script(TWO_WRITERS, path)
