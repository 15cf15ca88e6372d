"""A tree as a picture: what is written in it, and that it can be read."""

import sys

import numpy as np
import pytest

from sklearnx.inspection import plot_tree, tree_table
from tests.inspection._models import fit_classifier, fit_regressor, make_frame

pd = pytest.importorskip("pandas")
matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def get_texts(ax):
    return [text.get_text() for text in ax.texts]


def get_boxes(ax):
    return list(ax.patches)


def find_overlaps(ax):
    """Pairs of texts, and of boxes, that cover each other."""
    ax.figure.figure.draw_without_rendering()
    overlaps = []
    for artists in (ax.texts, get_boxes(ax)):
        extents = [artist.get_window_extent() for artist in artists]
        for i, one in enumerate(extents):
            for j, other in enumerate(extents[:i]):
                # The space around letters may meet that of others.
                if one.padded(-1).overlaps(other.padded(-1)):
                    overlaps.append((artists[i], artists[j]))
    return overlaps


def assert_readable(ax):
    assert find_overlaps(ax) == []
    frame = ax.get_window_extent().padded(1)
    boxes = [box.get_window_extent().padded(1) for box in get_boxes(ax)]
    for text in ax.texts:
        extent = text.get_window_extent()
        assert frame.x0 <= extent.x0 and extent.x1 <= frame.x1, text
        assert frame.y0 <= extent.y0 and extent.y1 <= frame.y1, text
        # In a box or next to all of them.
        for box in boxes:
            is_inside = box.x0 <= extent.x0 and extent.x1 <= box.x1
            assert is_inside or not box.padded(-3).overlaps(extent), text


@pytest.mark.parametrize("n_leaves", [2, 8, 31])
def test_picture_has_all_of_the_tree(n_leaves):
    X, y = make_frame(2000)
    model = fit_regressor(X, y, max_leaf_nodes=n_leaves)
    table = tree_table(model, 1)
    ax = plot_tree(model, 1)
    assert_readable(ax)
    texts = get_texts(ax)
    assert len(get_boxes(ax)) == len(table) == 2 * n_leaves - 1
    for value in table.loc[table["feature"].isna(), "value"]:
        assert f"{value:+.3g}" in texts
    for count in table["n_samples"]:
        assert f"{count:,} rows" in texts
    assert texts.count("yes") == texts.count("no") == n_leaves - 1


@pytest.mark.parametrize("dpi", [40, 100, 300])
def test_picture_in_given_axes(dpi):
    model = fit_regressor(*make_frame(2000))
    _, axes = plt.subplots(2, 1, figsize=(12, 16), layout="constrained", dpi=dpi)
    assert plot_tree(model, ax=axes[1]) is axes[1]
    assert len(axes[0].texts) == 0
    axes[0].set_axis_off()
    ax = axes[1]
    ax.figure.draw_without_rendering()
    extent = ax.get_window_extent()
    for text in ax.texts:
        middle = text.get_window_extent()
        assert extent.x0 <= (middle.x0 + middle.x1) / 2 <= extent.x1
        assert extent.y0 <= (middle.y0 + middle.y1) / 2 <= extent.y1


def test_picture_in_a_subfigure():
    left, _ = plt.figure(figsize=(16, 8), layout="constrained").subfigures(1, 2)
    ax = left.subplots()
    plot_tree(fit_regressor(*make_frame(), max_leaf_nodes=6), ax=ax)
    assert find_overlaps(ax) == []


def test_splits_are_told_in_the_users_terms():
    X = pd.DataFrame({"city": ["Rome", "Oslo", "Bonn", None] * 50})
    y = X["city"].isin(["Oslo", "Bonn"]).astype(float)
    texts = get_texts(plot_tree(fit_regressor(X, y, max_leaf_nodes=2)))
    # Which of the two sets goes left is up to the engine.
    assert texts[0] == "city is" and texts[2] == "200 rows"
    assert texts[1] in ("Oslo, Bonn", "Rome")
    assert texts.count("missing") == 1

    X = pd.DataFrame({"date": [20230115.0, 20230116.0] * 50})
    texts = get_texts(plot_tree(fit_regressor(X, X["date"], max_leaf_nodes=2)))
    assert "date ≤ 20230115.5" in texts

    X = np.array([[0.0, 0.00012], [0.0, 0.00013]] * 50)
    texts = get_texts(plot_tree(fit_regressor(X, X[:, 1], max_leaf_nodes=2)))
    assert "x1 ≤ 0.000125" in texts


def test_missing_values_are_told_where_they_go():
    X = np.tile([1.0, 2.0, np.nan], 50)[:, np.newaxis]

    def get_answers(y):
        texts = get_texts(plot_tree(fit_regressor(X, y, max_leaf_nodes=2)))
        return texts[0], [text for text in texts if text in ("yes", "no", "missing")]

    assert get_answers(np.tile([0.0, 1.0, 0.0], 50)) == (
        "x0 ≤ 1.5",
        ["yes", "missing", "no"],
    )
    assert get_answers(np.tile([0.0, 1.0, 1.0], 50)) == (
        "x0 ≤ 1.5",
        ["yes", "no", "missing"],
    )
    assert get_answers(np.tile([0.0, 0.0, 1.0], 50)) == (
        "x0 is not missing",
        ["yes", "no"],
    )


@pytest.mark.parametrize("is_high", [True, False])
def test_missing_categories_against_all_others(is_high):
    X = pd.DataFrame({"city": ["Rome", "Oslo", None] * 50})
    y = (X["city"].isna() == is_high).astype(float)
    texts = get_texts(plot_tree(fit_regressor(X, y, max_leaf_nodes=2)))
    assert texts[0] in ("city is missing", "city is not missing")
    assert "missing" not in texts


def test_many_and_long_levels_are_shortened():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 300, 9000)
    names = np.array([f"shop {k} " + "x" * rng.integers(0, 50) for k in range(300)])
    X = pd.DataFrame({"the name of the shop\nthat sold it": names[level]})
    model = fit_regressor(X, (level % 2).astype(float), max_leaf_nodes=4)
    ax = plot_tree(model)
    texts = get_texts(ax)
    assert texts[0] == "the name of the shop... is"
    n_left = len(tree_table(model).at[0, "left_levels"])
    assert texts[1].startswith("shop ") and texts[1].endswith(f"... ({n_left} of 300)")
    assert max(map(len, texts)) < 60
    assert_readable(ax)


def test_characters_that_mean_mathematics():
    X = pd.DataFrame({"$cost_{a}$ $": ["$x^2$", "$\\frac"] * 50})
    ax = plot_tree(fit_regressor(X, np.tile([1.0, 0.0], 50), max_leaf_nodes=2))
    ax.figure.canvas.draw()
    name, level = get_texts(ax)[:2]
    assert name == "$cost_{a}$ $ is" and level in ("$x^2$", "$\\frac")


def test_max_depth():
    X, y = make_frame(2000)
    model = fit_regressor(X, y)
    table = tree_table(model)

    def count_leaves(node):
        if pd.isna(table.at[node, "feature"]):
            return 1
        return count_leaves(table.at[node, "left"]) + count_leaves(
            table.at[node, "right"]
        )

    ax = plot_tree(model, max_depth=0)
    assert len(get_boxes(ax)) == 3
    for side in ("left", "right"):
        assert f"... {count_leaves(table.at[0, side])} leaves" in get_texts(ax)
    ax = plot_tree(model, max_depth=3)
    assert len(get_boxes(ax)) == np.sum(table["depth"] <= 4)
    assert_readable(ax)
    deepest = table["depth"].max()
    everything = get_texts(plot_tree(model))
    assert get_texts(plot_tree(model, max_depth=int(deepest))) == everything

    for max_depth in (-1, 1.5, "all"):
        with pytest.raises(ValueError, match="max_depth must be None or an int >= 0"):
            plot_tree(model, max_depth=max_depth)


def test_colours_tell_signs():
    X = np.arange(100.0)[:, np.newaxis]
    model = fit_regressor(X, np.where(X[:, 0] < 50, -1.0, 1.0), max_leaf_nodes=2)
    _, low, high = (box.get_facecolor() for box in get_boxes(plot_tree(model)))
    assert low[2] > low[0] and high[0] > high[2]  # blue, red


def test_tree_of_one_node():
    ax = plot_tree(fit_regressor([[1.0], [2.0]], [0.0, 1.0]))
    assert get_texts(ax) == ["+0", "2 rows"]


def test_linear_leaves():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(3000, 7)), columns=list("abcdefg"))
    y = X.sum(axis=1)
    model = fit_regressor(X, y, linear_leaves=True, max_leaf_nodes=60, max_iter=1)
    ax = plot_tree(model)
    assert_readable(ax)
    texts = get_texts(ax)
    table = tree_table(model)
    n_long = 0
    for _, leaf in table[table["feature"].isna()].iterrows():
        terms = [f"{value:+.3g} {name}" for name, value in leaf["coefficients"].items()]
        if len(terms) > 4:
            n_long += 1
            terms[4:] = [f"+ ... ({len(terms) - 4} more)"]
        text = " ".join([f"{leaf['intercept']:.3g}", *terms])
        assert f"{leaf['n_samples']:,} rows: {text}" in texts
        assert f"{leaf['value']:+.3g}" in texts
    assert n_long > 0


def test_outputs_of_a_classifier():
    X, y = make_frame()
    model = fit_classifier(X, y)
    assert get_texts(plot_tree(model, 2, 0)) != get_texts(plot_tree(model, 2, 1))


def test_without_pandas_or_matplotlib(monkeypatch):
    model = fit_regressor(*make_frame())
    monkeypatch.setitem(sys.modules, "pandas", None)
    plot_tree(model)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearnx\[plot\]"):
        plot_tree(model)
