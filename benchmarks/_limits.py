"""The micro-benchmarks of _limits.c, compiled for this processor when needed."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("_limits.c")
# Sums may be reordered. Not -ffast-math: a library linked with it makes the whole
# process flush subnormal numbers to zero.
FLAGS = ["-O3", "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math"]
# There is no NaN, which would keep maxima from being vectorised.
FLAGS += ["-ffinite-math-only", "-shared", "-fPIC"]
# For this processor, where the compiler knows how to say so.
TUNINGS = (["-march=native"], ["-mcpu=native"], [])


class NoCompilerError(Exception):
    """There is no C compiler, or it does not do; the message says which."""


def find_compiler():
    """The command of the C compiler: $CC, else cc, gcc or clang."""
    wanted = os.environ.get("CC")
    for name in [wanted] if wanted else ["cc", "gcc", "clang"]:
        path = shutil.which(name.split()[0])
        if path is not None:
            return [path, *name.split()[1:]]
    raise NoCompilerError(
        f"$CC is {wanted!r}, which is no command"
        if wanted
        else "none of cc, gcc and clang is installed, and $CC is not set"
    )


def load_limits():
    """Compile _limits.c in a temporary folder and load it.

    Returns
    -------
    limits : ctypes.CDLL

    Raises
    ------
    NoCompilerError
        If it cannot be compiled.
    """
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        library = Path(folder, "limits.so")
        for tuning in TUNINGS:
            command = [*compiler, *FLAGS, *tuning, SOURCE, "-o", library, "-lm"]
            process = subprocess.run(command, capture_output=True, text=True)
            if process.returncode == 0:
                try:
                    return ctypes.CDLL(str(library))
                except OSError as error:
                    raise NoCompilerError(f"{compiler[0]} makes {error}") from error
    message = process.stderr.strip().splitlines()
    raise NoCompilerError(f"{compiler[0]} fails: {message[0] if message else '?'}")


def to_pointer(argument):
    """Arrays become pointers to their first element, numbers 64-bit integers."""
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    return ctypes.c_void_p(argument.ctypes.data)
