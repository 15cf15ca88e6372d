"""Print the requirements of some extras of pyproject.toml, a line each."""

import sys
import tomllib
from pathlib import Path

text = Path(__file__).parents[1].joinpath("pyproject.toml").read_text()
extras = tomllib.loads(text)["project"]["optional-dependencies"]
for name in sys.argv[1:]:
    print(*extras[name], sep="\n")
