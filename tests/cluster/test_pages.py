"""The code of the page on clustering runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "doc" / "user_guide" / "clustering.md"


def test_code_of_the_page_runs():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) > 4
    names = {}
    for block in blocks:
        exec(block, names)
