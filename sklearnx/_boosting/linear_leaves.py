"""Linear models in the leaves of trees, on the features of the path to the leaf."""

import numpy as np

from sklearnx._cython.boosting.linear_leaves import (
    LINEAR_LEAF_DTYPE,
    LINEAR_TERM_DTYPE,
    MAX_INTEGER_WEIGHT,
    RawColumns,
    add_values,
    fit_leaves,
)


class LinearLeaves:
    """Fits linear models to the leaves of trees, and adds them to raw scores.

    Piecewise-linear trees (Shi, Li and Li, 2019, Gradient boosting with piece-wise
    linear regression trees, IJCAI, equation 3): once a tree is grown, each of its
    leaves gets the linear model that takes the Newton step of the leaf's rows, on the
    numeric features that its path was split on. As in LightGBM, rows that lack a value
    of one of them have the leaf's constant; so do all rows of a leaf where too few have
    all of them.

    Parameters
    ----------
    train : Rows
        Training data; the features are read from its table where they are.
    integer_weights : bool
        Whether the weights of the rows are integers, and count as repetitions.
    l2_regularization : float
        Of the coefficients, not of the intercept.
    min_rows : int
        Rows that a model needs; one for each coefficient and the intercept at least.
    n_threads : int
    """

    def __init__(
        self, train, integer_weights, *, l2_regularization, min_rows, n_threads
    ):
        self._table = train.table
        self._weights = train.sample_weight
        self._integer_weights = bool(
            self._weights is not None
            and integer_weights
            and self._weights.max() <= MAX_INTEGER_WEIGHT
        )
        self._l2_regularization = l2_regularization
        self._min_rows = min_rows
        self._n_threads = n_threads
        self._columns = RawColumns(train.table.n_features, train.index)

    def fit(self, tree, leaf_nodes, rows, offsets, gradients, hessians):
        """Give the leaves of a tree their models, before any shrinkage.

        Parameters
        ----------
        tree : Tree
        leaf_nodes : int32 array of shape (n_leaves,)
        rows : uint32 array
            Rows of the leaves, ascending in each.
        offsets : int64 array of shape (n_leaves + 1,)
            Rows of the leaf `leaf_nodes[i]` are those from `offsets[i]` on.
        gradients : float64 array of shape (n_rows,)
        hessians : float64 array of shape (n_rows,) or None
            None where all are 1. Weights multiply both.
        """
        on_path = find_path_features(tree.nodes, self._table.is_categorical)
        lists = [on_path[node] for node in leaf_nodes.tolist()]
        features = np.array([f for of_leaf in lists for f in of_leaf], dtype=np.int32)
        starts = np.append(0, np.cumsum([len(of_leaf) for of_leaf in lists]))
        self._set_columns(features)
        leaves = np.zeros(len(leaf_nodes), dtype=LINEAR_LEAF_DTYPE)
        terms = np.zeros(len(features), dtype=LINEAR_TERM_DTYPE)
        fit_leaves(
            self._columns,
            rows,
            offsets,
            features,
            starts.astype(np.int64),
            gradients,
            hessians,
            self._weights,
            self._integer_weights,
            self._l2_regularization,
            self._min_rows,
            leaves.view(np.uint8),
            terms.view(np.uint8),
            self._n_threads,
        )
        tree.set_linear_models(leaf_nodes, leaves, terms)

    def add_values(self, tree, leaves, raw):
        """Add to the training rows' raw scores what the tree says of them.

        Parameters
        ----------
        tree : Tree
            With linear models.
        leaves : int32 array of shape (n_rows,)
            The node of each row's leaf.
        raw : float64 array of shape (n_rows,)
            Updated in place; to the bit what `Tree.add_predictions` makes of it.
        """
        self._set_columns(tree.find_linear_features())
        add_values(
            self._columns,
            tree.nodes.view(np.uint8),
            tree.linear_leaves.view(np.uint8),
            tree.linear_terms.view(np.uint8),
            leaves,
            raw,
            self._n_threads,
        )

    def _set_columns(self, features):
        """Make sure that these features can be read."""
        table = self._table
        for feature in np.unique(features).tolist():
            if self._columns.has_column(feature):
                continue
            if table.csc is None:
                self._columns.set_column(feature, table.column(feature))
            else:
                stored = slice(*table.csc.indptr[feature : feature + 2])
                self._columns.set_column(
                    feature, table.csc.data[stored], table.csc.indices[stored]
                )


def find_path_features(nodes, is_categorical):
    """Return for each node the numeric features that its path was split on.

    Not those whose values are all missing below the path, which would leave no row to
    fit.

    Parameters
    ----------
    nodes : NODE_DTYPE array of shape (n_nodes,)
        Of one tree; children come after their parents.
    is_categorical : bool array of shape (n_features,)

    Returns
    -------
    features : list of lists of int
        In ascending order.
    """
    sets = [frozenset()] * len(nodes)
    for node in np.flatnonzero(nodes["feature"] >= 0).tolist():
        feature, left = int(nodes["feature"][node]), int(nodes["left"][node])
        sets[left] = sets[left + 1] = sets[node]
        if is_categorical[feature]:
            continue
        sets[left] = sets[node] | {feature}
        parts_missing = (
            nodes["value"][node] == np.inf and not nodes["missing_left"][node]
        )
        sets[left + 1] = sets[node] - {feature} if parts_missing else sets[left]
    return [sorted(of_node) for of_node in sets]
