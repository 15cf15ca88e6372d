"""A tree as a picture.

nodes -> boxes, which know what to say -> places of boxes -> patches, lines and texts
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearnx.inspection._tree_nodes import read_tree

if TYPE_CHECKING:
    import matplotlib.axes

# Lengths are in ems: multiples of the font size.
SMALL = 0.8  # font size of all but the first line of a box
LINE_HEIGHT = 1.3
PADDING = 0.6  # between a text and the border of its box
MARGIN = 1.0
ROW_HEIGHT = 2.5  # from a leaf to the next
STEM_LENGTH = 0.6  # from a box to where its branches part
BRANCH_LENGTH = 4.2  # from there to the next box; the labels of branches need it
MAX_STRETCH = 2.0  # of rows and branches, where there is room

MAX_FONT_SIZE = 10.0
MAX_NAME_LENGTH = 24
MAX_LEVELS_LENGTH = 30
MAX_TERMS = 4  # of a linear model

LINE_COLOR = "0.6"
NOTE_COLOR = "0.35"


@dataclass
class _Box:
    """A node as it is drawn."""

    lines: list[str]
    note: str = ""  # beside the box
    depth: int = 0
    value: float | None = None  # of a leaf
    is_end: bool = False  # whether nothing is drawn below it
    asks_for_missing: bool = False
    answer: str = ""  # above the branch from its parent
    takes_missing: bool = False  # below the branch
    children: list[_Box] = field(default_factory=list)
    # In ems, from the left and from the top.
    x: float = 0.0
    row: float = 0.0
    width: float = 0.0
    height: float = 0.0

    def walk(self):
        """Yield the box and all below it, from top to bottom."""
        stack = [self]
        while stack:
            box = stack.pop()
            yield box
            stack.extend(reversed(box.children))


def plot_tree(
    estimator: Any,
    iteration: int = 0,
    output: int = 0,
    *,
    max_depth: int | None = None,
    ax: matplotlib.axes.Axes | None = None,
) -> matplotlib.axes.Axes:
    """Draw a tree of a fitted model.

    The root is on the left. The upper branch of a split takes the rows for which the
    words in the box are true; 'missing' is written at the branch of the missing values
    and of levels not seen in fit. Leaves show what they add to the raw score, red if it
    is positive and blue if it is negative. Of a linear leaf that is what it adds to
    rows that lack a value; its model is written beside it.

    Parameters
    ----------
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor
        A fitted estimator of `sklearnx.ensemble`.
    iteration : int, default=0
        Which iteration's tree, from 0.
    output : int, default=0
        With more than two classes, whose tree: a position in `classes_`. Of a target
        of several columns, whose values; the tree is the same for all.
    max_depth : int, default=None
        Depth of the last splits that are drawn, 0 for the root's. Of what is below,
        the number of leaves is told. None means no limit.
    ax : matplotlib Axes, default=None
        Where to draw, in letters so small that the tree fits. By default a new figure
        is made as large as the tree needs.

    Returns
    -------
    ax : matplotlib Axes
        What was drawn in.

    See Also
    --------
    tree_table : The tree as a table, with all levels and digits.

    Notes
    -----
    Needs matplotlib: ``pip install "sklearnx[plot]"``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearnx.ensemble import HistGradientBoostingRegressor
    >>> from sklearnx.inspection import plot_tree
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = HistGradientBoostingRegressor(max_leaf_nodes=8).fit(X, y)
    >>> ax = plot_tree(model)
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "plot_tree draws with matplotlib, which is not installed: run "
            '`pip install "sklearnx[plot]"`.'
        ) from error

    if max_depth is not None and (not isinstance(max_depth, Integral) or max_depth < 0):
        raise ValueError(f"max_depth must be None or an int >= 0, got {max_depth!r}.")
    root = _make_boxes(read_tree(estimator, iteration, output), max_depth)
    layout = _Layout(root)
    if ax is None:
        inches_per_em = MAX_FONT_SIZE / 72
        figure = plt.figure(
            figsize=(layout.width * inches_per_em, layout.height * inches_per_em)
        )
        ax = figure.add_axes((0, 0, 1, 1))
    _draw(root, layout, ax)
    return ax


# -- what the boxes say ----------------------------------------------------------------


def _make_boxes(nodes, max_depth):
    """Return the box of the root, with those below it."""
    root = _describe_node(nodes, 0, max_depth)
    stack = [(0, root)]
    while stack:
        node, box = stack.pop()
        if box.is_end:
            continue
        for child, is_left in ((nodes.left[node], True), (nodes.right[node], False)):
            child_box = _describe_node(nodes, child, max_depth)
            child_box.answer = "yes" if is_left else "no"
            child_box.takes_missing = (
                not box.asks_for_missing and nodes.missing_left[node] == is_left
            )
            box.children.append(child_box)
            stack.append((child, child_box))
    return root


def _describe_node(nodes, node, max_depth):
    n_samples, depth = nodes.n_samples[node], int(nodes.depth[node])
    rows = f"{n_samples:,} row" + ("" if n_samples == 1 else "s")
    if nodes.is_leaf[node]:
        value = float(nodes.value[node])
        coefficients = nodes.coefficients[node]
        if coefficients is not None:
            rows += f": {_join_terms(nodes.intercept[node], coefficients)}"
        return _Box([f"{value:+.3g}"], rows, depth, value=value, is_end=True)
    if max_depth is not None and depth > max_depth:
        text = f"... {_count_leaves(nodes, node)} leaves"
        return _Box([text], rows, depth, is_end=True)
    name = _shorten(nodes.feature[node], MAX_NAME_LENGTH)
    threshold, levels = nodes.threshold[node], nodes.left_levels[node]
    if levels is None:
        is_known = threshold == np.inf
    else:
        is_known = len(levels) == nodes.n_levels[node]
    if is_known:
        lines = [f"{name} is not missing"]
    elif levels is None:
        lines = [f"{name} ≤ {_format_threshold(threshold)}"]
    elif not levels:
        lines = [f"{name} is missing"]
    else:
        lines = [f"{name} is", _join_levels(levels, nodes.n_levels[node])]
    return _Box([*lines, rows], depth=depth, asks_for_missing=is_known or levels == [])


def _count_leaves(nodes, root):
    n_leaves, stack = 0, [root]
    while stack:
        node = stack.pop()
        if nodes.is_leaf[node]:
            n_leaves += 1
        else:
            stack += [nodes.left[node], nodes.right[node]]
    return n_leaves


def _shorten(text, length):
    """Return a text of one line that is not longer than `length`."""
    text = " ".join(str(text).split())
    return text if len(text) <= length else text[: length - 3].rstrip() + "..."


def _join_levels(left_levels, n_levels):
    """Name as many of the levels as fit into a line, and count them if not all do."""
    shown, length = [], 0
    for level in left_levels:
        name = _shorten(level, MAX_LEVELS_LENGTH)
        length += len(name) + 2
        if shown and length > MAX_LEVELS_LENGTH:
            break
        shown.append(name)
    text = ", ".join(shown)
    if len(shown) == len(left_levels):
        return text
    return f"{text}, ... ({len(left_levels)} of {n_levels})"


def _join_terms(intercept, coefficients):
    """Write a linear model of some terms, and count the others."""
    terms = [
        f"{coefficient:+.3g} {_shorten(name, MAX_NAME_LENGTH)}"
        for name, coefficient in coefficients.items()
    ]
    n_others = len(terms) - MAX_TERMS
    if n_others > 0:
        terms[MAX_TERMS:] = [f"+ ... ({n_others} more)"]
    return " ".join([f"{intercept:.3g}", *terms])


def _format_threshold(threshold):
    """Format with four digits, but always to a tenth: 4.321, 20230115.5, 1.5e+12."""
    size = abs(threshold)
    if not 1e-4 <= size < 1e10:
        return f"{threshold:.4g}"
    n_digits = max(4, math.floor(math.log10(size)) + 2)
    return f"{threshold:.{n_digits}g}"


# -- where they are --------------------------------------------------------------------


class _Layout:
    """Gives the boxes their sizes and places, in ems.

    Leaves come one below the other, each in a row of its own, and a split is halfway
    between its children. A box begins where its parent ends, not at a place common to
    all of its depth, which would need much more width. No box can meet another one: the
    rows below a split are its own, and its box is at least a row and a half away from
    the leaf of another branch, two from another split.

    Attributes
    ----------
    width, height : float
        Of the whole picture.
    """

    def __init__(self, root):
        self._root = root
        self._n_rows = 0
        boxes = list(root.walk())
        for box in boxes:
            box.width, box.height = _measure_box(box)
            if box.is_end:
                box.row = self._n_rows
                self._n_rows += 1
        for box in reversed(boxes):
            if box.children:
                box.row = sum(child.row for child in box.children) / 2
        self._arrange(ROW_HEIGHT, BRANCH_LENGTH)

    def _arrange(self, row_height, branch_length):
        self._row_height = row_height
        self.height = row_height * self._n_rows + 2 * MARGIN
        self.width = 0.0
        self._root.x = MARGIN
        for box in self._root.walk():
            for child in box.children:
                child.x = box.x + box.width + STEM_LENGTH + branch_length
            if box.is_end:
                note_width = PADDING + SMALL * _measure_text(box.note)
                self.width = max(self.width, box.x + box.width + note_width + MARGIN)

    def stretch(self, width, height):
        """Use more room, but not so much that the tree falls apart."""
        row_height = (height - 2 * MARGIN) / self._n_rows
        n_branches = max(1, max(box.depth for box in self._root.walk()))
        branch_length = BRANCH_LENGTH + (width - self.width) / n_branches
        self._arrange(
            min(row_height, MAX_STRETCH * ROW_HEIGHT),
            min(branch_length, MAX_STRETCH * BRANCH_LENGTH),
        )

    def find_y(self, box):
        """Return the middle of a box."""
        return MARGIN + self._row_height * (box.row + 0.5)


def _measure_box(box):
    sizes = _get_line_sizes(box)
    widths = [size * _measure_text(line) for line, size in zip(box.lines, sizes)]
    return max(widths) + 2 * PADDING, LINE_HEIGHT * sum(sizes) + PADDING


def _get_line_sizes(box):
    return [1.0] + [SMALL] * (len(box.lines) - 1)


def _measure_text(text):
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(size=1), ismath=False
    )
    return width


# -- drawing ---------------------------------------------------------------------------


def _draw(root, layout, ax):
    from matplotlib import colormaps

    ax.set_axis_off()
    figure = ax.figure.figure  # the whole one, where the axes are in a subfigure
    if figure.get_layout_engine() is not None:
        # Until then the axes do not have their size.
        figure.draw_without_rendering()
    extent = ax.get_window_extent()
    points_per_pixel = 72 / figure.dpi
    width, height = extent.width * points_per_pixel, extent.height * points_per_pixel
    font_size = min(MAX_FONT_SIZE, width / layout.width, height / layout.height)
    width, height = width / font_size, height / font_size
    layout.stretch(width, height)
    left, top = (layout.width - width) / 2, (layout.height - height) / 2
    ax.set_xlim(left, left + width)
    ax.set_ylim(top + height, top)

    # Names may have characters that mean mathematics to matplotlib.
    style = {"va": "center_baseline", "parse_math": False, "zorder": 3}
    largest = max((abs(box.value) for box in root.walk() if box.value), default=1.0)
    for box in root.walk():
        color = "0.92" if box.is_end else "white"
        if box.value is not None:
            # Not to the ends of the map, where black letters are hard to read.
            color = colormaps["RdBu_r"](0.5 + 0.3 * box.value / largest)
        y = layout.find_y(box)
        _draw_box(box, y, ax, color, font_size, style)
        for child in box.children:
            _draw_branch(box, y, child, layout.find_y(child), ax, font_size)


def _draw_box(box, y, ax, color, font_size, style):
    from matplotlib.patches import FancyBboxPatch

    ax.add_patch(
        FancyBboxPatch(
            (box.x, y - box.height / 2),
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=0.4",
            facecolor=color,
            edgecolor=LINE_COLOR,
            linewidth=0.08 * font_size,
            zorder=2,
        )
    )
    top = y - (box.height - PADDING) / 2
    for i, (line, size) in enumerate(zip(box.lines, _get_line_sizes(box))):
        is_note = i > 0 and i == len(box.lines) - 1
        ax.text(
            box.x + box.width / 2,
            top + LINE_HEIGHT * size / 2,
            line,
            size=size * font_size,
            ha="center",
            color=NOTE_COLOR if is_note else "black",
            **style,
        )
        top += LINE_HEIGHT * size
    if box.note:
        ax.text(
            box.x + box.width + PADDING,
            y,
            box.note,
            size=SMALL * font_size,
            color=NOTE_COLOR,
            **style,
        )


def _draw_branch(parent, y, child, child_y, ax, font_size):
    fork_x = parent.x + parent.width + STEM_LENGTH
    ax.plot(
        (parent.x + parent.width, fork_x, fork_x, child.x),
        (y, y, child_y, child_y),
        color=LINE_COLOR,
        linewidth=0.1 * font_size,
        zorder=1,
    )
    style = {"size": SMALL * font_size, "ha": "center", "color": NOTE_COLOR}
    middle = (fork_x + child.x) / 2
    ax.text(middle, child_y - 0.2, child.answer, va="bottom", **style)
    if child.takes_missing:
        ax.text(middle, child_y + 0.2, "missing", va="top", **style)
