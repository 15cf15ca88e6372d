"""The code of the pages on linear models runs."""

import re
import warnings
from pathlib import Path

import matplotlib
import pytest
from sklearn.exceptions import ConvergenceWarning

DOC = Path(__file__).parents[2] / "doc"


@pytest.mark.parametrize(
    "page",
    ["how_to_add_a_penalty", "how_to_add_a_family", "user_guide/linear_models"],
)
def test_code_of_the_page_runs(page):
    blocks = re.findall(
        r"```python\n(.*?)```", (DOC / f"{page}.md").read_text(), re.DOTALL
    )
    assert blocks
    matplotlib.use("Agg")
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for block in blocks:
            exec(block, names)
