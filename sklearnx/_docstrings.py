"""Texts that docstrings share, put into the places that they have for them."""

from __future__ import annotations

import re
from textwrap import dedent, indent


def fill_from(texts):
    """A decorator that fills the fields of a class's or function's docstring.

    A field is a line with a key of `texts` in braces, whose indentation its text gets.
    """

    def fill(target):
        if target.__doc__ is None:  # by python -OO
            return target
        lines = []
        for line in target.__doc__.split("\n"):
            match = re.fullmatch(r"( *)\{(\w+)\}", line)
            if match is not None:
                line = indent(dedent(texts[match[2]]).strip("\n"), match[1])
            lines.append(line)
        target.__doc__ = "\n".join(lines)
        return target

    return fill
