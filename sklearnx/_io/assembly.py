"""Fitted estimators from trees that another library has grown.

a reader -- SourceTree, tree by tree --> build_tree --> BoostedTrees --.
         -- what rows are to it ------> SourceColumns -----------------+
         -- levels, names, classes --------------------------------------> assemble
"""

import numpy as np
from sklearn.preprocessing import LabelEncoder

from sklearnx._boosting.encoding import TableEncoder
from sklearnx._boosting.model import BoostedTrees
from sklearnx._io.source_trees import build_tree


def assemble(
    estimator,
    trees,
    *,
    init_score,
    loss,
    n_features,
    feature_names=None,
    levels=None,
    classes=None,
    columns=None,
    is_average=False,
    adds_in_float32=False,
    handle_unknown="missing",
    truncated=(),
    encoder=None,
):
    """Make an estimator a fitted one.

    Parameters
    ----------
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor
        Not fitted.
    trees : list of SourceTree
        Iteration by iteration; with several outputs and numbers in leaves, a tree for
        each of them in turn.
    init_score : float64 array of shape (n_outputs,)
        Raw scores before the first tree.
    loss : Loss
    n_features : int
    feature_names : list of str or None, default=None
    levels : list of (list or None) or None, default=None
        The values of each categorical column in the order of their codes; None for
        numbers, None for all if there are only numbers.
    classes : ndarray of shape (n_classes,) or None, default=None
        Of a classifier.
    columns : SourceColumns or None, default=None
        None if trees compare the columns as they are.
    is_average : bool, default=False
        Whether raw scores are the average of the trees and not their sum.
    adds_in_float32 : bool, default=False
        Whether raw scores are rounded to float32 after each tree.
    handle_unknown : {'missing', 'unknown'}, default='missing'
        What a level that is not listed is to the trees.
    truncated : list of int, default=()
        Categorical columns whose numbers lose their fractions before they are looked
        up.
    encoder : TableEncoder or None, default=None
        One that reads levels in a way of its own, for columns that need it; None means
        one that knows `levels`.

    Returns
    -------
    estimator : object
        The same.
    """
    if encoder is None:
        encoder = TableEncoder.from_levels(
            levels, n_features, handle_unknown, truncated
        )
    n_levels = encoder.count_levels()
    if columns is not None:
        n_levels = columns.count_levels(n_levels)
    init_score = np.asarray(init_score, dtype=np.float64)
    has_vector_leaves = len(trees) > 0 and np.ndim(trees[0].value) == 2
    model = BoostedTrees(init_score, is_average, has_vector_leaves, adds_in_float32)
    model = model.extended([build_tree(tree, n_levels) for tree in trees])
    estimator.n_features_in_ = n_features
    if feature_names is not None:
        estimator.feature_names_in_ = np.array(feature_names, dtype=object)
    if classes is not None:
        classes = np.asarray(classes)
        estimator.classes_ = classes
        estimator._label_encoder = LabelEncoder()
        estimator._label_encoder.classes_ = classes
    else:
        estimator.n_outputs_ = len(init_score)
    estimator.n_trees_per_iteration_ = model.n_trees_per_iteration
    estimator.is_categorical_ = encoder.is_categorical_
    estimator.learning_rate_ = float(estimator.learning_rate)
    estimator.max_leaf_nodes_ = estimator.max_leaf_nodes
    estimator.do_early_stopping_ = False
    estimator.train_score_ = np.empty(0)
    estimator.validation_score_ = np.empty(0)
    estimator.evals_result_ = {}
    estimator.best_iteration_ = model.n_iter
    estimator._encoder = encoder
    estimator._derived = columns
    estimator._loss = loss
    estimator._model = model
    estimator._fitted_with_sw = False
    estimator._n_iter_cut = 0
    return estimator
