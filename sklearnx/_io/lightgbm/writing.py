"""Our models as LightGBM's text.

encoder --- levels, or integers themselves --> Categories --.
model ----- tree by tree ---------------------> sections ---+--> text
loss ------ objective ------------------------> header -----'
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearnx._boosting.losses import (
    AbsoluteError,
    HuberLoss,
    QuantileLoss,
    TweedieLoss,
)
from sklearnx._io.bitsets import read_bitset, write_bitset
from sklearnx._io.lightgbm.objectives import REGRESSION_LOSSES, OfSquareRoots
from sklearnx._io.lightgbm.reading import INTEGERS, LIMITS, NUMBERS
from sklearnx._io.lightgbm.text import END_OF_TREES, MAX_INT, PANDAS
from sklearnx._io.lightgbm.trees import (
    CATEGORICAL,
    DEFAULT_LEFT,
    MISSING_NAN,
    MISSING_SHIFT,
    MISSING_ZERO,
)
from sklearnx._io.source_columns import SourceColumns
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

# LightGBM's limit of num_leaves in training.
MAX_LEAVES = 131072
# What LightGBM does not take in names.
_ODD_CHARACTERS = re.compile(r'[\s",:\[\]{}]')
# By our losses; of others only the link matters.
OBJECTIVES = {ours: theirs for theirs, ours in REGRESSION_LOSSES.items()}
OBJECTIVES_OF_LINKS = {
    "identity": "regression",
    "log": "poisson",
    "logit": "cross_entropy",
}


def to_lightgbm(estimator: Any, path: Any = None) -> str:
    """Return a fitted estimator as a model of LightGBM, in its text format.

    A `lightgbm.Booster` of it has the same raw scores, within rounding. The first trees
    hold the scores from which the model starts. Of a loss of the user's own the
    objective is one of the same link.

    Parameters
    ----------
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor
        Fitted. If it knows names of columns, LightGBM takes frames of pandas, whose
        categorical columns are all of the type 'category'; else arrays, whose
        categories are integers from 0 on.
    path : path or None, default=None
        Where to write it.

    Returns
    -------
    text : str
        The model.

    Raises
    ------
    ValueError
        If LightGBM cannot read columns as the model does: categories encoded by the
        target, some models of other libraries, strings in arrays; or if it has no link
        that the model needs.
    TypeError
        If it is no estimator of these.
    NotFittedError
        If it is not fitted.

    Notes
    -----
    LightGBM takes numbers of up to 1e-35 for zero. A row with an infinite value in a
    linear model of a leaf has an infinite score there, the leaf's constant here. It
    does not know the classes, and the scores of several outputs remain apart from any
    objective.
    """
    if not isinstance(
        estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor
    ):
        raise TypeError(
            "estimator must be a HistGradientBoostingClassifier or "
            "HistGradientBoostingRegressor of sklearnx.ensemble, got "
            f"{type(estimator).__module__}.{type(estimator).__name__}."
        )
    check_is_fitted(estimator)
    categories = _choose_categories(estimator)
    sections = [
        f"Tree={i}\n{_join(lines)}\n\n"
        for i, lines in enumerate(_write_trees(estimator, categories))
    ]
    header = _write_header(estimator, categories)
    header["tree_sizes"] = " ".join(str(len(section)) for section in sections)
    text = "".join(
        [
            f"tree\n{_join(header)}\n",
            *sections,
            f"{END_OF_TREES}\n\nparameters:\n",
            *(f"[{name}: {value}]\n" for name, value in _write_parameters(estimator)),
            f"end of parameters\n\n{PANDAS}{json.dumps(categories.of_pandas)}\n",
        ]
    )
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", newline="\n")
    return text


def _join(lines):
    return "".join(
        f"{name}\n" if value is None else f"{name}={value}\n"
        for name, value in lines.items()
    )


def _join_values(values):
    """Return numbers so that they are read as the same ones."""
    return " ".join(map(repr, np.asarray(values).tolist()))


# ---- columns -------------------------------------------------------------------------


class Categories:
    """What categories are to LightGBM.

    Parameters
    ----------
    levels : list of (list or None)
        Of the encoder.
    of_pandas : list of int
        The columns that LightGBM gets as pandas' categories.

    Attributes
    ----------
    of_pandas : list of list or None
        The levels of these, whose codes are ours.
    codes : list of (int array or None)
        LightGBM's code of each level by column, None for numbers.
    """

    def __init__(self, levels, of_pandas):
        self.of_pandas = [levels[j] for j in of_pandas] or None
        self.codes = [
            None if values is None else np.array(values, dtype=np.int64)
            for values in (
                range(len(values)) if j in of_pandas else values
                for j, values in enumerate(levels)
            )
        ]


def _choose_categories(estimator):
    """Return the Categories of an estimator, refusing what LightGBM cannot have."""
    derived = estimator._derived
    if derived is not None and (
        type(derived) is not SourceColumns or not derived.only_zeros_differ
    ):
        raise ValueError(
            "LightGBM cannot read columns as this model does: it encodes categories by "
            "the target, or was made from one of another library."
        )
    encoder = estimator._encoder
    is_frame = hasattr(estimator, "feature_names_in_")
    of_pandas = []
    for j, levels in enumerate(encoder.levels_):
        if levels is None:
            continue
        if is_frame and j not in encoder.truncated_:
            _check_levels(j, levels, _is_of_json, "strings and numbers in frames")
            of_pandas.append(j)
        else:
            _check_levels(j, levels, _is_code, "integers from 0 on in arrays")
    return Categories(encoder.levels_, of_pandas)


def _check_levels(column, levels, is_known, expected):
    for level in levels:
        if not is_known(level):
            raise ValueError(
                f"Column {column} has the category {level!r}; LightGBM's models know "
                f"only {expected}."
            )


def _is_of_json(value):
    return isinstance(value, str | int | float)


def _is_code(value):
    return (
        isinstance(value, int | float) and 0 <= value <= MAX_INT and value == int(value)
    )


def _write_names(estimator):
    """Return the names of columns as LightGBM takes them."""
    if not hasattr(estimator, "feature_names_in_"):
        return [f"Column_{j}" for j in range(estimator.n_features_in_)]
    names = [_ODD_CHARACTERS.sub("_", str(n)) for n in estimator.feature_names_in_]
    repeated = sorted({name for name in names if names.count(name) > 1 or name == ""})
    if repeated:
        raise ValueError(
            "LightGBM does not take white space and the signs of JSON in names; with "
            f"underscores in their place several columns are {repeated}."
        )
    return names


def _write_infos(categories):
    """Return what LightGBM keeps of the values of each column."""
    infos = []
    for codes in categories.codes:
        if codes is None:
            infos.append("[-inf:inf]")
        else:
            infos.append(":".join(map(str, codes.tolist())) or "none")
    return infos


# ---- header and parameters -----------------------------------------------------------


def _write_header(estimator, categories):
    n_outputs = estimator._model.n_outputs
    header = {
        "version": "v4",
        "num_class": n_outputs,
        "num_tree_per_iteration": n_outputs,
        "label_index": 0,
        "max_feature_idx": estimator.n_features_in_ - 1,
    }
    objective = _write_objective(estimator)
    if objective is not None:
        header["objective"] = objective
    header["feature_names"] = " ".join(_write_names(estimator))
    header["feature_infos"] = " ".join(_write_infos(categories))
    return header


def _write_objective(estimator):
    """Return the objective of a model, None if LightGBM is to predict raw scores."""
    loss = estimator._loss
    if isinstance(loss, OfSquareRoots):
        return f"{OBJECTIVES[loss.name]} sqrt"
    if loss.n_outputs > 1 and loss.link == "softmax":
        return f"multiclass num_class:{loss.n_outputs}"
    if loss.n_outputs > 1 and loss.link == "identity":
        return None
    if loss.n_outputs > 1 or loss.link not in OBJECTIVES_OF_LINKS:
        raise ValueError(
            f"LightGBM has no objective with the link {loss.link!r} of "
            f"{loss.n_outputs} outputs."
        )
    if hasattr(estimator, "classes_"):
        return "binary sigmoid:1"
    return OBJECTIVES.get(loss.name, OBJECTIVES_OF_LINKS[loss.link])


def _write_parameters(estimator):
    """Yield names and values of the parameters that mean the same to LightGBM."""
    loss = estimator._loss
    yield "boosting", "dart" if estimator.boosting == "dart" else "gbdt"
    if isinstance(loss, QuantileLoss) and not isinstance(loss, AbsoluteError):
        yield "alpha", loss.quantile
    elif isinstance(loss, HuberLoss):
        yield "alpha", loss.delta
    elif isinstance(loss, TweedieLoss):
        yield "tweedie_variance_power", loss.power
    yield "num_iterations", estimator.n_iter_
    # Those that may be chosen by fit.
    chosen = {
        "learning_rate": estimator.learning_rate_,
        "max_leaf_nodes": min(estimator.max_leaf_nodes_ or MAX_LEAVES, MAX_LEAVES),
    }
    for name, (theirs, _, _) in {**NUMBERS, **INTEGERS}.items():
        yield theirs, chosen.get(name, getattr(estimator, name))
    for name, theirs in LIMITS.items():
        yield theirs, getattr(estimator, name) or -1


# ---- trees ---------------------------------------------------------------------------


def _write_trees(estimator, categories):
    """Yield the lines of each tree, output by output of each iteration."""
    model = estimator._model
    zero_columns = [] if estimator._derived is None else estimator._derived.zero_columns
    if model.n_iter == 0:
        for start in model.init_score:
            yield _write_constant(start)
    # Of what nodes hold undivided: linear models, vectors, and what inspection shows.
    divisor = model.n_iter if model.is_average else 1
    for iteration in range(model.n_iter):
        for output in range(model.n_outputs):
            tree = model.tree(iteration, output)
            if model.has_vector_leaves:
                values = tree.vectors[:, output] / divisor
            else:
                values = tree.nodes["value"]
            # As they are added up in predictions.
            start = model.init_score[output] if iteration == 0 else 0.0
            lines = _write_tree(tree, values, start, divisor, categories, zero_columns)
            lines.update(_write_linear(tree, start, divisor))
            lines["shrinkage"] = 1
            yield lines


def _write_constant(value):
    return {
        "num_leaves": 1,
        "num_cat": 0,
        "leaf_value": _join_values([value]),
        "is_linear": 0,
        "shrinkage": 1,
    }


def _write_tree(tree, values, start, divisor, categories, zero_columns):
    """Return the lines of the splits of a tree, and of its leaves' constants."""
    nodes, stats = tree.nodes, tree.stats
    is_leaf = nodes["feature"] < 0
    splits, leaves = np.flatnonzero(~is_leaf), np.flatnonzero(is_leaf)
    left = nodes["left"][splits]
    right = left + 1
    sets = {}
    for split in np.flatnonzero(nodes["bitset"][splits] >= 0).tolist():
        node = nodes[splits[split]]
        codes = categories.codes[node["feature"]]
        goes_left = np.zeros(len(codes), dtype=bool)
        goes_left[read_bitset(tree.bitsets, len(codes), node["bitset"])] = True
        if node["missing_left"]:
            # What LightGBM does not find in a set goes right: it has the other set.
            goes_left = ~goes_left
            left[split], right[split] = right[split], left[split]
        sets[split] = _write_set(codes[goes_left])
    threshold = nodes["value"][splits]
    threshold[list(sets)] = np.arange(len(sets))
    missing = np.full(len(splits), MISSING_NAN)
    missing[np.isin(nodes["feature"][splits], zero_columns)] = MISSING_ZERO
    decision = missing << MISSING_SHIFT | nodes["missing_left"][splits] * DEFAULT_LEFT
    decision[list(sets)] = CATEGORICAL | MISSING_NAN << MISSING_SHIFT
    # Splits count from 0 on, leaves from -1 down.
    numbers = np.empty(len(nodes), dtype=np.int64)
    numbers[splits] = np.arange(len(splits))
    numbers[leaves] = ~np.arange(len(leaves))
    lines = {
        "num_leaves": len(leaves),
        "num_cat": len(sets),
        "split_feature": _join_values(nodes["feature"][splits]),
        "split_gain": _join_values(stats["gain"][splits]),
        "threshold": _join_values(threshold),
        "decision_type": _join_values(decision),
        "left_child": _join_values(numbers[left]),
        "right_child": _join_values(numbers[right]),
        "leaf_value": _join_values(values[leaves] + start),
        "leaf_weight": _join_values(stats["sum_hessians"][leaves]),
        "leaf_count": _join_values(stats["n_samples"][leaves]),
        "internal_value": _join_values(tree.stats["value"][splits] / divisor + start),
        "internal_weight": _join_values(stats["sum_hessians"][splits]),
        "internal_count": _join_values(stats["n_samples"][splits]),
    }
    if sets:
        n_words = [len(words) for words in sets.values()]
        lines["cat_boundaries"] = _join_values(np.append(0, np.cumsum(n_words)))
        lines["cat_threshold"] = _join_values(np.concatenate(list(sets.values())))
    return lines


def _write_set(codes):
    """Return the words of a set, up to its largest code; at least one."""
    return write_bitset(codes, codes.max(initial=0) + 1)


def _write_linear(tree, start, divisor):
    """Return the lines of the linear models of a tree's leaves."""
    nodes, models = tree.find_linear_leaves()
    if len(nodes) == 0:
        return {"is_linear": 0}
    leaves = np.flatnonzero(tree.nodes["feature"] < 0)
    constants = (tree.nodes["value"][leaves] + start).tolist()
    columns = [[] for _ in leaves]
    coefficients = [[] for _ in leaves]
    for place, position in zip(np.searchsorted(leaves, nodes), models):
        leaf = tree.linear_leaves[position]
        terms = tree.linear_terms[leaf["start"] : leaf["start"] + leaf["n_terms"]]
        constant = leaf["intercept"] - terms["coefficient"] @ terms["centre"]
        constants[place] = float(constant / divisor + start)
        columns[place] = terms["feature"].tolist()
        coefficients[place] = (terms["coefficient"] / divisor).tolist()
    return {
        "is_linear": 1,
        "leaf_const": _join_values(constants),
        "num_features": " ".join(str(len(of_leaf)) for of_leaf in columns),
        "leaf_features": " ".join(map(_join_values, columns)),
        "leaf_coeff": " ".join(map(_join_values, coefficients)),
    }
