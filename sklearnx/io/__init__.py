"""Model files that run no code, and models of other libraries."""

from sklearnx._io.container import ModelFileError
from sklearnx.io._files import load, read_metadata, save

__all__ = ["ModelFileError", "load", "read_metadata", "save"]
