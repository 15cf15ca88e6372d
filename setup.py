"""List the compiled extensions and their flags; all metadata is in pyproject.toml."""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
# A debug build with bounds checks: SKLEARNX_BOUNDSCHECK=1 pip install -e .
BOUNDSCHECK = os.environ.get("SKLEARNX_BOUNDSCHECK", "0") == "1"

if sys.platform == "win32":
    COMPILE_ARGS = ["/O2", "/std:c++17", "/fp:precise"]
    LINK_ARGS = []
else:
    # No -march and no fast-math: the bits of a model may not depend on the machine.
    # Contraction to fused multiply-add is off for the same reason.
    COMPILE_ARGS = ["-O3", "-std=c++17", "-ffp-contract=off", "-pthread", "-g0"]
    LINK_ARGS = ["-pthread"]


class BuildExt(build_ext):
    """Compile the extensions side by side unless told otherwise."""

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()


def make_extension(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    headers = sorted(path.parent.glob("*.h*"))
    headers += sorted((ROOT / "sklearnx/_cython/common").glob("*.h*"))
    return Extension(
        name,
        [str(path.relative_to(ROOT))],
        language="c++",
        depends=sorted({str(header.relative_to(ROOT)) for header in headers}),
        include_dirs=["sklearnx/_cython/common", "sklearnx/_cython/boosting"],
        extra_compile_args=COMPILE_ARGS,
        extra_link_args=LINK_ARGS,
    )


setup(
    ext_modules=cythonize(
        [make_extension(p) for p in sorted(ROOT.glob("sklearnx/_cython/**/*.pyx"))],
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
