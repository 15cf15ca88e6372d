"""Snapshots: the file that a fit goes on from after it was killed.

    "sklearnx snapshot 1\\n" | BLAKE2b of what follows | NumPy's .npz

The archive holds arrays, and one JSON text that tells what they are; nothing of it is
unpickled. A new file is written beside the last one and takes its place in one step
(os.replace), so that whoever reads finds the one or the other, whole.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from io import BytesIO
from typing import Any

import numpy as np

from sklearnx._boosting.fingerprints import (
    compare_columns,
    compare_digests,
    compare_texts,
)
from sklearnx._boosting.model import BoostedTrees

MAGIC = b"sklearnx snapshot "
HEADER = MAGIC + b"1\n"
CHECKSUM_SIZE = 32


class Snapshot:
    """The file of a fit: read and compared when it begins, written every few rounds.

    Parameters
    ----------
    path : str, os.PathLike or None
        Nothing is read, compared or written if it is None.
    interval : int
        Rounds from one writing to the next.

    Raises
    ------
    OSError
        If the file cannot be read, or another not be written in its place.
    ValueError
        If the file is not a snapshot, or not a whole one.
    """

    def __init__(self, path: Any, interval: int):
        self._path = None
        self._interval = interval
        self._stored = None
        self._contents = {"texts": {}}
        if path is None:
            return
        # The working directory may change, and a link is to stay one.
        self._path = os.path.realpath(path)
        check_writable(self._path)
        remove_leftovers(self._path)
        self._stored = read_file(self._path)
        if self.is_resumed:
            self._model = BoostedTrees.from_arrays(self._stored["model"])

    @property
    def is_resumed(self) -> bool:
        """Whether there is a file to go on from."""
        return self._stored is not None

    def require(self, texts: Mapping[str, str]) -> None:
        """Refuse a file that does not have these texts under these names."""
        if self.is_resumed:
            self._refuse(compare_texts(self._stored["texts"], texts))
        self._contents["texts"].update(texts)

    def require_rounds(self, max_iter: int) -> None:
        """Refuse a file of more rounds than are wanted."""
        if self.is_resumed and self._model.n_iter > max_iter:
            self._refuse(
                [
                    f"max_iter: {self._model.n_iter} rounds in the snapshot already, "
                    f"{max_iter} here"
                ]
            )

    def recall(self, name: str) -> Any:
        """Return what was kept under a name when the file was written, or None."""
        return self._stored.get(name) if self.is_resumed else None

    def keep(self, name: str, value: Any) -> None:
        """Have a value written."""
        self._contents[name] = value

    def resume(self, start: BoostedTrees, data: dict, names: Sequence) -> BoostedTrees:
        """Refuse a file of other data; return the model to go on from.

        Parameters
        ----------
        start : BoostedTrees
            The model before the first round; it is returned if there is no file.
        data : dict
            From `fingerprint_data`.
        names : sequence
            What messages call the columns.
        """
        self.keep("data", data)
        if not self.is_resumed:
            return start
        stored = self._stored["data"]
        self._refuse(
            [
                *compare_columns(stored["columns"], data["columns"], names),
                *compare_digests(stored["digests"], data["digests"]),
            ]
        )
        return self._model

    def is_due(self, n_iter: int, is_last: bool) -> bool:
        """Whether the file is to be written after that many rounds."""
        if self._path is None:
            return False
        return is_last or n_iter % self._interval == 0

    def save(self, model: BoostedTrees, scores: dict, state: dict) -> None:
        """Write the file.

        Parameters
        ----------
        model : BoostedTrees
            The model so far.
        scores, state : dict
            From `History.get_scores` and `Booster.get_state`: numbers and arrays, lists
            and dicts of them.

        Raises
        ------
        OSError
            If the file cannot be written; the one before it is untouched.
        """
        write_file(
            self._path,
            {
                **self._contents,
                "model": model.get_arrays(),
                "scores": scores,
                "state": state,
            },
        )

    def _refuse(self, differences: Iterable[str]):
        lines = [f"\n- {difference}" for difference in differences]
        if lines:
            raise ValueError(
                f"The snapshot {self._path!r} belongs to another fit:{''.join(lines)}"
                "\nDelete the file to begin anew, or set `snapshot` to another path."
            )


# -- the file --------------------------------------------------------------------------


def check_writable(path: str) -> None:
    """Raise OSError if no file can be written under this path."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            errno.ENOENT, "snapshot is to be in a folder that does not exist", folder
        )
    if os.path.isdir(path):
        raise IsADirectoryError(
            errno.EISDIR, "snapshot must be the path of a file, not of a folder", path
        )
    temporary = _make_temporary_path(path)
    try:
        with open(temporary, "xb"):
            pass
    except OSError as error:
        raise OSError(
            error.errno, f"no snapshot can be written here ({error.strerror})", path
        ) from error
    with suppress(FileNotFoundError):  # another fit has tidied up
        os.unlink(temporary)


def remove_leftovers(path: str) -> None:
    """Remove the files that killed processes were writing for this path.

    One that another process is writing at this moment may be among them: it will see
    that, and write it again.
    """
    folder, name = os.path.split(path)
    pattern = re.compile(re.escape(f".{name}.") + r"[0-9a-f]{16}\.tmp")
    for leftover in os.listdir(folder):
        if pattern.fullmatch(leftover):
            with suppress(OSError):
                os.unlink(os.path.join(folder, leftover))


def read_file(path: str) -> dict | None:
    """Return what `write_file` wrote, None if there is no file."""
    try:
        with open(path, "rb") as file:
            # Of a foreign file, however long, no more than that.
            header = file.read(len(HEADER))
            if header == HEADER:
                checksum = file.read(CHECKSUM_SIZE)
                data = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OSError(
            error.errno, f"the snapshot cannot be read ({error.strerror})", path
        ) from error
    if header != HEADER:
        if header.startswith(MAGIC):
            raise ValueError(
                f"The snapshot {path!r} is of another version of sklearnx. Delete the "
                "file to begin anew, or set `snapshot` to another path."
            )
        raise ValueError(
            f"The file {path!r} is not a snapshot, and is not overwritten. Set "
            "`snapshot` to another path."
        )
    if checksum != blake2b(data, digest_size=CHECKSUM_SIZE).digest():
        raise ValueError(
            f"The snapshot {path!r} is damaged: parts of it are missing or changed. "
            "Delete the file to begin anew, or set `snapshot` to another path."
        )
    return _decode(data)


def write_file(path: str, contents: dict) -> None:
    """Write a file in one step.

    Parameters
    ----------
    path : str
    contents : dict
        Strings, numbers and arrays, lists and dicts of them; keys are strings.
    """
    data = _encode(contents)
    checksum = blake2b(data, digest_size=CHECKSUM_SIZE).digest()
    try:
        while not _try_to_replace(path, (HEADER, checksum, data)):
            pass
    except OSError as error:
        raise OSError(
            error.errno,
            f"the snapshot cannot be written ({error.strerror}); the last one is as it "
            "was",
            path,
        ) from error


def _try_to_replace(path, parts):
    """Write a file beside `path` and put it there; False if it was removed before."""
    temporary = _make_temporary_path(path)
    try:
        with open(temporary, "xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.replace(temporary, path)
        except FileNotFoundError:
            return False
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    if hasattr(os, "O_DIRECTORY"):
        # The new name has to outlast a loss of power, too. Not all file systems can.
        with suppress(OSError):
            folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    return True


def _make_temporary_path(path):
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{secrets.token_hex(8)}.tmp")


def _encode(contents):
    """Return the archive of a tree of values: its arrays, and the rest as JSON."""
    arrays = []

    def store(value):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise TypeError(
                "A snapshot holds numbers, but a score or a state is of type "
                f"{type(value).__name__}."
            )
        arrays.append(array)
        return {"__array__": len(arrays) - 1}

    text = json.dumps(contents, default=store).encode()
    file = BytesIO()
    np.savez(file, *arrays, text=np.frombuffer(text, dtype=np.uint8))
    return file.getbuffer()


def _decode(data):
    with np.load(BytesIO(data), allow_pickle=False) as archive:

        def restore(value):
            number = value.get("__array__")
            if isinstance(number, int):
                # [()] makes a scalar of an array without dimensions.
                return archive[f"arr_{number}"][()]
            return value

        return json.loads(archive["text"].tobytes(), object_hook=restore)
