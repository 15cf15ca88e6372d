"""A tree as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearnx.inspection._tree_nodes import read_tree

if TYPE_CHECKING:
    import pandas


def tree_table(estimator: Any, iteration: int = 0, output: int = 0) -> pandas.DataFrame:
    """Return a tree of a fitted model as a table, a node a row.

    Parameters
    ----------
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor
        A fitted estimator of `sklearnx.ensemble`.
    iteration : int, default=0
        Which iteration's tree, from 0.
    output : int, default=0
        With more than two classes, whose tree: a position in `classes_`. Of a target
        of several columns, whose values; the tree is the same for all.

    Returns
    -------
    table : pandas.DataFrame
        The root comes first. The index, `node`, is the position that ``apply`` returns
        for leaves. The columns are:

        - `depth`: number of edges from the root;
        - `feature`: name of the feature that the node is split on, ``x3`` where
          features have no names;
        - `threshold`: values up to it go left. Infinity means all values, so that the
          split parts the missing ones from all others;
        - `left_levels`: list of the levels of a categorical feature that go left, the
          most frequent first. All others go right;
        - `missing_left`: whether missing values go left, and levels not seen in fit
          with them;
        - `left`, `right`: the children's nodes;
        - `n_samples`: number of training rows, not counting those of weight zero;
        - `sum_hessians`: sum of the hessians, times the weights, of these rows;
        - `gain`: how much the split lowers the loss, to the second order, twice; shrunk
          for categories of many levels;
        - `value`: what a leaf adds to the raw score, learning rate included; in a
          random forest, whose trees are averaged, what it predicts by itself. Of a
          split, what it would add as a leaf; nothing where the loss has values for
          leaves only ('absolute_error', 'quantile', 'huber');
        - `intercept`, `coefficients`: only if the model has linear leaves, what such a
          leaf adds, ``intercept + sum(coefficients[name] * x[name])``. The coefficients
          are a dict by names of features; rows that lack a value of one of them, or
          have an infinite one, get `value` instead.

        What does not apply to a node is missing.

    See Also
    --------
    plot_tree : The tree as a picture.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearnx.ensemble import HistGradientBoostingRegressor
    >>> from sklearnx.inspection import tree_table
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = HistGradientBoostingRegressor(max_iter=5, max_leaf_nodes=3).fit(X, y)
    >>> table = tree_table(model)
    >>> table[["feature", "left", "right", "n_samples"]]
         feature  left  right  n_samples
    node
    0         s5     1      2        442
    1       None  <NA>   <NA>        218
    2        bmi     3      4        224
    3       None  <NA>   <NA>        116
    4       None  <NA>   <NA>        108

    The sum of the leaves' values over all trees is the raw score, but for a constant:

    >>> leaves = model.apply(X)
    >>> total = sum(
    ...     tree_table(model, i).loc[leaves[:, i], "value"].to_numpy() for i in range(5)
    ... )
    >>> bool((model.predict(X) - total).std() < 1e-9)
    True
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "tree_table returns a pandas DataFrame, and pandas is not installed: run "
            '`pip install pandas` or `pip install "sklearnx[examples]"`.'
        ) from error

    nodes = read_tree(estimator, iteration, output)
    is_leaf = nodes.is_leaf
    table = pd.DataFrame(
        {
            "depth": nodes.depth,
            "feature": pd.Series(nodes.feature, dtype=object),
            "threshold": nodes.threshold,
            "left_levels": pd.Series(nodes.left_levels, dtype=object),
            "missing_left": pd.arrays.BooleanArray(nodes.missing_left, is_leaf),
            "left": pd.arrays.IntegerArray(nodes.left, is_leaf.copy()),
            "right": pd.arrays.IntegerArray(nodes.right, is_leaf.copy()),
            "n_samples": nodes.n_samples,
            "sum_hessians": nodes.sum_hessians,
            "gain": nodes.gain,
            "value": nodes.value,
        },
        index=pd.RangeIndex(len(nodes), name="node"),
    )
    if estimator._model.has_linear_leaves:
        table["intercept"] = nodes.intercept
        table["coefficients"] = pd.Series(nodes.coefficients, dtype=object)
    return table
