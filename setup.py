"""List the compiled extensions and their flags; all metadata is in pyproject.toml."""

import os
import re
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
KERNELS = ROOT / "sklearnx/_cython"
# What Cython needs for typed memoryviews, compiled once and not in each extension.
MEMORYVIEWS = "sklearnx._cython.memoryviews"
# Builds to find errors with. SKLEARNX_BOUNDSCHECK=1 checks the indices of typed
# memoryviews; SKLEARNX_SANITIZE=1 also compiles with the sanitizers of GCC and Clang,
# which see raw pointers and overflows (.ci/run_sanitized builds so and runs the tests).
SANITIZE = os.environ.get("SKLEARNX_SANITIZE", "0") == "1"
BOUNDSCHECK = SANITIZE or os.environ.get("SKLEARNX_BOUNDSCHECK", "0") == "1"

if sys.platform == "win32":
    COMPILE_ARGS = ["/O2", "/std:c++17", "/fp:precise"]
    LINK_ARGS = []
else:
    # No -march and no fast-math: the bits of a model may not depend on the machine.
    # Contraction to fused multiply-add is off for the same reason.
    COMPILE_ARGS = ["-O3", "-std=c++17", "-ffp-contract=off", "-pthread", "-g0"]
    LINK_ARGS = ["-pthread"]
    if SANITIZE:
        sanitizers = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
        # More optimisation, or all that a debugger can use, takes twice as long.
        COMPILE_ARGS += [*sanitizers, "-Og", "-g1", "-D_GLIBCXX_ASSERTIONS"]
        LINK_ARGS += sanitizers


class BuildExt(build_ext):
    """Compile the extensions side by side unless told otherwise."""

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()


def find_headers(path, seen):
    """Add to `seen` a source and all that it reads, so that a change rebuilds it."""
    if path in seen or not path.exists():
        return
    seen.add(path)
    text = path.read_text(encoding="utf-8")
    for header in re.findall(r'(?:#include|cdef extern from) "([^"]+)"', text):
        for folder in KERNELS.iterdir():
            find_headers(folder / header, seen)
    for module in re.findall(r"^from (sklearnx\S+) cimport", text, re.MULTILINE):
        find_headers(ROOT.joinpath(*module.split(".")).with_suffix(".pxd"), seen)
    if path.suffix == ".pyx":
        find_headers(path.with_suffix(".pxd"), seen)


def make_extension(path):
    sources = set()
    find_headers(path, sources)
    return Extension(
        ".".join(path.relative_to(ROOT).with_suffix("").parts),
        [str(path.relative_to(ROOT))],
        language="c++",
        depends=sorted(str(source.relative_to(ROOT)) for source in sources),
        include_dirs=[
            "sklearnx/_cython/common",
            "sklearnx/_cython/boosting",
            "sklearnx/_cython/linear",
            "sklearnx/_cython/cluster",
        ],
        extra_compile_args=COMPILE_ARGS,
        extra_link_args=LINK_ARGS,
    )


setup(
    ext_modules=cythonize(
        [
            Extension(
                MEMORYVIEWS,
                [MEMORYVIEWS.replace(".", "/") + ".cpp"],
                extra_compile_args=COMPILE_ARGS,
                extra_link_args=LINK_ARGS,
            ),
            *(make_extension(path) for path in sorted(KERNELS.glob("**/*.pyx"))),
        ],
        shared_utility_qualified_name=MEMORYVIEWS,
        nthreads=os.cpu_count() if sys.platform == "linux" else 0,
        compiler_directives={
            "language_level": 3,
            "boundscheck": BOUNDSCHECK,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
        },
    ),
    cmdclass={"build_ext": BuildExt},
)
