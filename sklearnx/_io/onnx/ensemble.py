"""Trees as operators of ONNX: TreeEnsemble, or TreeEnsembleRegressor before it.

The former asks whether a code is in a set. The latter asks for one code after another:

    code in {2, 5}? -- yes --> A        code = 2? -- yes --> A
                    -- no ---> B                  -- no ---> code = 5? -- yes --> A
                                                                       -- no ---> B
"""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from sklearnx._io.onnx.forest import number_nodes
from sklearnx._io.onnx.graph import ML

# TreeEnsemble is there since, and TreeEnsembleRegressor no longer.
VERSION_OF_SETS = 5
# Modes of TreeEnsemble.
LESS_OR_EQUAL, MEMBER = 0, 6
SUM, NO_TRANSFORM = 1, 0
# Longer chains take onnxruntime too much of its stack.
MAX_CHAIN = 2000


def add_trees(graph, tensor, forest, n_targets):
    """Add the sums of trees.

    Parameters
    ----------
    graph : Graph
    tensor : str
        What trees compare, of shape (n_rows, n_columns).
    forest : Forest
        With at least one split.
    n_targets : int

    Returns
    -------
    sums : str
        Of shape (n_rows, n_targets); of TreeEnsembleRegressor they are floats.
    """
    forest = forest.split()
    if graph.ml_version >= VERSION_OF_SETS:
        return _add_ensemble(graph, tensor, forest, n_targets)
    return _add_regressor(graph, tensor, forest, n_targets)


def _round_down(thresholds, dtype):
    """Return thresholds of another type that part its numbers as these do."""
    with np.errstate(over="ignore"):
        rounded = thresholds.astype(dtype)
    is_above = rounded > thresholds
    rounded[is_above] = np.nextafter(rounded[is_above], dtype.type(-np.inf))
    return rounded


# ---- TreeEnsemble --------------------------------------------------------------------


def _add_ensemble(graph, tensor, forest, n_targets):
    is_split = forest.feature >= 0
    number = number_nodes(forest)
    splits, leaves = (
        nodes[np.argsort(number[nodes])]
        for nodes in (np.flatnonzero(is_split), np.flatnonzero(~is_split))
    )
    left, right = forest.left[splits], forest.right[splits]
    attributes = {
        "aggregate_function": SUM,
        "post_transform": NO_TRANSFORM,
        "n_targets": n_targets,
        "tree_roots": number[forest.roots].tolist(),
        "nodes_featureids": forest.feature[splits].tolist(),
        "nodes_missing_value_tracks_true": _to_list(forest.missing_left[splits]),
        "nodes_truenodeids": number[left].tolist(),
        "nodes_falsenodeids": number[right].tolist(),
        "nodes_trueleafs": _to_list(~is_split[left]),
        "nodes_falseleafs": _to_list(~is_split[right]),
        "leaf_targetids": forest.target[forest.tree[leaves]].tolist(),
    }
    in_order = sorted(forest.members, key=number.__getitem__)
    modes = np.full(len(splits), LESS_OR_EQUAL, dtype=np.uint8)
    modes[number[np.array(in_order, dtype=np.int64)]] = MEMBER
    tensors = {
        "nodes_modes": modes,
        "nodes_splits": _round_down(forest.threshold[splits], graph.dtype),
        "leaf_weights": forest.value[leaves].astype(graph.dtype),
    }
    if in_order:
        # Sets one after another, each with NaN behind.
        sets = [np.append(forest.members[node], np.nan) for node in in_order]
        tensors["membership_values"] = np.concatenate(sets).astype(graph.dtype)
    for name, values in tensors.items():
        attributes[name] = numpy_helper.from_array(values)
    return graph.add("TreeEnsemble", tensor, domain=ML, **attributes)


def _to_list(mask):
    return mask.astype(np.int64).tolist()


# ---- TreeEnsembleRegressor -----------------------------------------------------------


def _add_regressor(graph, tensor, forest, n_targets):
    _check_chains(forest)
    is_split = forest.feature >= 0
    # Tree by tree, roots before other nodes.
    order = np.argsort(forest.tree, kind="stable")
    # Sets are as many nodes as they have members.
    n_nodes = np.ones(len(is_split), dtype=np.int64)
    for node, codes in forest.members.items():
        n_nodes[node] = len(codes)
    nodes = np.repeat(order, n_nodes[order])
    first = np.empty(len(is_split), dtype=np.int64)
    first[order] = np.cumsum(n_nodes[order]) - n_nodes[order]
    # Positions count from the root of each tree.
    number = first - first[forest.roots][forest.tree]
    false = number[forest.right[nodes]]
    threshold = _round_down(forest.threshold[nodes], graph.dtype)
    mode = np.where(is_split[nodes], "BRANCH_LEQ", "LEAF").astype(object)
    for node, codes in forest.members.items():
        chain = slice(first[node], first[node] + len(codes))
        mode[chain] = "BRANCH_EQ"
        threshold[chain] = codes
        # But for the last, the next one.
        false[chain][:-1] = number[node] + np.arange(1, len(codes))
    leaves = order[~is_split[order]]
    attributes = {
        "nodes_treeids": forest.tree[nodes],
        "nodes_nodeids": number[nodes] + np.arange(len(nodes)) - first[nodes],
        "nodes_featureids": np.maximum(forest.feature[nodes], 0),
        "nodes_modes": mode,
        "nodes_truenodeids": np.where(is_split[nodes], number[forest.left[nodes]], 0),
        "nodes_falsenodeids": np.where(is_split[nodes], false, 0),
        "nodes_missing_value_tracks_true": forest.missing_left[nodes].astype(int),
        "target_treeids": forest.tree[leaves],
        "target_nodeids": number[leaves],
        "target_ids": forest.target[forest.tree[leaves]],
    }
    attributes = {name: values.tolist() for name, values in attributes.items()}
    attributes["n_targets"] = n_targets
    weights = forest.value[leaves].astype(graph.dtype)
    for name, values in (("nodes_values", threshold), ("target_weights", weights)):
        if graph.dtype == np.float64:
            attributes[f"{name}_as_tensor"] = numpy_helper.from_array(values)
        else:
            attributes[name] = values.tolist()
    return graph.add("TreeEnsembleRegressor", tensor, domain=ML, **attributes)


def _check_chains(forest):
    longest = max(map(len, forest.members.values()), default=0)
    if longest > MAX_CHAIN:
        raise NotImplementedError(
            f"A split parts {longest} categories from others; more than {MAX_CHAIN} "
            f"need version {VERSION_OF_SETS} of the operators of {ML}."
        )
