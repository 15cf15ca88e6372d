"""Whether a model that comes from elsewhere can be handed to kernels.

Kernels trust their input: a child beyond the end of its tree, or a level beyond the end
of its bit set, would make them read any memory. Fit makes no such models; files and
pickles that were damaged, or made up, may hold some.
"""

import numpy as np


def check_trees(model, n_levels):
    """Raise ValueError unless all that nodes point at is there.

    Parameters
    ----------
    model : BoostedTrees
    n_levels : int array of shape (n_columns,)
        How many levels each column has that trees ask for, 0 for numbers.
    """
    nodes, offsets = model.nodes, model.offsets
    if not (
        len(offsets) > 0
        and offsets[0] == 0
        and offsets[-1] == len(nodes)
        and (offsets <= len(nodes)).all()
        and (np.diff(offsets) > 0).all()
    ):
        _refuse("its trees do not begin and end where they should")
    if model.n_trees % model.n_trees_per_iteration != 0:
        _refuse("its last iteration lacks trees")
    if len(model.stats) != len(nodes):
        _refuse("it has other statistics than nodes")
    if model.has_vector_leaves and model.vectors.shape != (len(nodes), model.n_outputs):
        _refuse("the vectors of its leaves have another shape than its nodes")
    starts = np.repeat(offsets[:-1], np.diff(offsets))
    sizes = np.repeat(np.diff(offsets), np.diff(offsets))
    is_leaf = nodes["feature"] < 0
    if not (nodes["bitset"][is_leaf] == -1).all():
        # Some kernels look at a leaf as at a split, and then leave it.
        _refuse("a leaf has levels")
    _check_splits(
        nodes[~is_leaf],
        np.flatnonzero(~is_leaf) - starts[~is_leaf],
        sizes[~is_leaf],
        n_levels,
        len(model.bitsets),
    )
    _check_leaves(model, nodes["left"][is_leaf], len(n_levels))


def _check_splits(splits, positions, sizes, n_levels, n_words):
    left, features = splits["left"], splits["feature"]
    # Behind their parent: no way down comes round again.
    if not ((left > positions) & (left < sizes - 1)).all():
        _refuse("a node has children that are not in its tree")
    if not (features < len(n_levels)).all():
        _refuse("a node asks for a column that is not there")
    is_categorical = splits["bitset"] >= 0
    levels = n_levels[features]
    if not (is_categorical == (levels > 0)).all():
        _refuse("a node takes numbers for levels, or levels for numbers")
    words = splits["bitset"].astype(np.int64) + (levels + 31) // 32
    if not (words[is_categorical] <= n_words).all():
        _refuse("a node asks for levels that are not there")


def _check_leaves(model, models, n_columns):
    """Check the linear models of leaves, given 1 plus the position of each or 0."""
    leaves, terms = model.linear_leaves, model.linear_terms
    if not ((models >= 0) & (models <= len(leaves))).all():
        _refuse("a leaf has a linear model that is not there")
    last = len(terms) - leaves["n_terms"].astype(np.int64)
    if not (
        (leaves["start"] >= 0) & (leaves["n_terms"] >= 0) & (leaves["start"] <= last)
    ).all():
        _refuse("a linear model has terms that are not there")
    if not ((terms["feature"] >= 0) & (terms["feature"] < n_columns)).all():
        _refuse("a linear model asks for a column that is not there")


def _refuse(what):
    raise ValueError(f"The model is damaged: {what}.")
