"""Figures that were measured before, by what they depend on."""

import json
from pathlib import Path

# Losses of a release on a split do not change, and take hours to measure. They are kept
# with the repository.
DEFAULT_FILE = Path(__file__).with_name("quality_peers.json")


class FigureCache:
    """Losses, rounds and seconds of fits, in a file of JSON.

    Parameters
    ----------
    path : Path or None
        None keeps nothing.
    """

    def __init__(self, path):
        self._path = path
        self._figures = {}
        if path is not None and path.exists():
            self._figures = json.loads(path.read_text())

    def find(self, *keys):
        """Return what was kept under these keys, None if nothing was."""
        figures = self._figures
        for key in keys:
            figures = figures.get(key)
            if figures is None:
                return None
        return figures

    def keep(self, figure, *keys):
        """Keep a figure, and write the file: a run may be stopped at any time."""
        if self._path is None:
            return
        figures = self._figures
        for key in keys[:-1]:
            figures = figures.setdefault(key, {})
        figures[keys[-1]] = figure
        text = json.dumps(self._figures, indent=1, sort_keys=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(text + "\n")
        temporary.replace(self._path)
