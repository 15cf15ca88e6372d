"""The columns that trees compare, in an ONNX graph.

numbers ---- as they are, or as another library reads them --.
levels ----- codes, as floats --------------------------------+--> one tensor
pairs of levels --> codes --> means of the target ------------'
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sklearnx._boosting.encoding import MISSING, UNKNOWN
from sklearnx._io.catboost.columns import CatBoostColumns
from sklearnx._io.onnx.graph import ML, VERSION_OF_DOUBLE
from sklearnx._io.onnx.levels import add_codes, add_numbers
from sklearnx._io.source_columns import SourceColumns


class TreeColumns:
    """What the trees of a model compare.

    Parameters
    ----------
    graph : Graph
    inputs : Inputs
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor
    n_levels : int array of shape (n_columns,)
        How many codes each column has that trees ask for, 0 for numbers.
    used : list of int
        The columns that trees ask for, of those of the table and of those derived from
        them. Ascending, at least one.

    Attributes
    ----------
    tensor : str
        Of shape (n_rows, n_used); as doubles, or as floats where trees are in float32.
    n_columns : int
        How many they are.
    positions : int array
        By column of the table, and then of those derived, its place in the tensor; -1
        of those that are not in it.

    Raises
    ------
    ValueError
        If ONNX has no operators for what the columns are.
    NotImplementedError
        If they are not in the version of the operators that may be used.
    """

    def __init__(self, graph, inputs, estimator, n_levels, used):
        self._graph = graph
        self._inputs = inputs
        self._encoder = estimator._encoder
        self._derived = estimator._derived
        self._codes: dict[int, str] = {}
        n_features = estimator.n_features_in_
        if isinstance(self._derived, CatBoostColumns) and used[-1] >= n_features:
            raise ValueError(
                "The model was read from one of CatBoost, and asks for hashes of "
                "categories, which ONNX has no operators for."
            )
        own = [j for j in used if j < n_features]
        levels = [j for j in own if self._encoder.levels_[j] is not None]
        numbers = [j for j in own if self._encoder.levels_[j] is None]
        derived = [j - n_features for j in used if j >= n_features]
        tensors = []
        if numbers:
            tensors.append(self._add_numbers(numbers))
        tensors += [add_numbers(graph, self._get_codes(j), n_levels[j]) for j in levels]
        order = numbers + levels
        if derived:
            tensor, derived = self._add_derived(derived)
            tensors.append(tensor)
            order += [n_features + i for i in derived]
        self.tensor = graph.concatenate(tensors)
        self.positions = np.full(used[-1] + 1, -1)
        self.n_columns = len(order)
        self.positions[order] = np.arange(len(order))

    def _add_numbers(self, features):
        """Add the columns of numbers."""
        graph, derived = self._graph, self._derived
        is_narrow = self._inputs.are_narrow(features)
        if graph.dtype == np.float32 and not is_narrow:
            raise NotImplementedError(
                "Columns of numbers that float32 does not hold need version "
                f"{VERSION_OF_DOUBLE} of the operators of {ML}, target_opset allows "
                f"{graph.ml_version}."
            )
        tensor = self._inputs.take_numbers(features)
        if not isinstance(derived, SourceColumns):
            return tensor
        options: Any = derived.describe_rows()[1]
        if options["rounds_to_float32"] and not is_narrow:
            tensor = graph.add("Cast", tensor, to=TensorProto.FLOAT)
            tensor = graph.add("Cast", tensor, to=graph.elem_type)
        if len(options["zero_is_missing"]) > 0:
            is_zero = np.isin(features, options["zero_is_missing"])
            # No value is nearer to zero than -1.
            limits = np.where(is_zero, options["zero"], -1.0)[np.newaxis]
            size = graph.add("Abs", tensor)
            is_other = graph.add("Greater", size, self._add_constant(limits))
            nan = self._add_constant(np.nan)
            tensor = graph.add("Where", is_other, tensor, nan)
        missing = derived.missing_value
        if missing is not None:
            missing = np.float32(missing) if options["rounds_to_float32"] else missing
            is_missing = graph.add("Equal", tensor, self._add_constant(missing))
            nan = self._add_constant(np.nan)
            tensor = graph.add("Where", is_missing, nan, tensor)
        return tensor

    def _add_constant(self, values):
        return self._graph.add_constant(np.asarray(values, dtype=self._graph.dtype))

    def _get_codes(self, feature):
        """Return the codes of a column's levels, of shape (n_rows, 1)."""
        if feature not in self._codes:
            unknown = MISSING
            if isinstance(self._derived, SourceColumns) and self._derived.has_unknown:
                # Behind those of levels.
                unknown = len(self._encoder.levels_[feature])
            self._codes[feature] = add_codes(
                self._graph,
                *self._inputs.take_column(feature),
                self._encoder,
                feature,
                self._inputs.get_label(feature),
                unknown,
            )
        return self._codes[feature]

    def _add_derived(self, columns):
        """Add derived columns, given and returned by their positions among these."""
        graph = self._graph
        combinations, _ = self._derived.describe_rows()
        n_values = combinations[0][-1].shape[1]
        by_combination: dict[int, list] = {}
        for column in columns:
            by_combination.setdefault(column // n_values, []).append(column % n_values)
        tensors, order = [], []
        for i, members in by_combination.items():
            *features, values = combinations[i]
            codes = self._add_combination(*features)
            # Codes below zero count from the end.
            table = graph.add_constant(values[:, members].astype(np.float32))
            tensors.append(graph.add("Gather", table, codes, axis=0))
            order += [i * n_values + member for member in members]
        tensor = graph.concatenate(tensors)
        return graph.cast(tensor, TensorProto.FLOAT, graph.elem_type), order

    def _add_combination(self, first, second, starts, seconds):
        """Add the codes of a combination of columns, of shape (n_rows,)."""
        graph = self._graph
        codes = self._get_codes(first)
        if second >= 0:
            # Each pair that fit has seen as a number: missing levels are the first.
            n_second = len(self._encoder.levels_[second]) + 1
            firsts = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
            pairs = firsts * n_second + seconds + 1
            codes = self._add_pairs(codes, self._get_codes(second), n_second)
            codes = graph.add(
                "LabelEncoder",
                codes,
                domain=ML,
                keys_int64s=pairs.tolist(),
                values_int64s=list(range(len(pairs))),
                default_int64=UNKNOWN,
            )
        flat = graph.add_constant(np.array([-1], dtype=np.int64))
        return graph.add("Reshape", codes, flat)

    def _add_pairs(self, first, second, n_second):
        graph = self._graph
        factor = graph.add_constant(np.array(n_second, dtype=np.int64))
        # Of (first + 1) * n_second + second + 1, what does not depend on the row.
        shift = graph.add_constant(np.array(n_second + 1, dtype=np.int64))
        product = graph.add("Mul", first, factor)
        return graph.add("Add", graph.add("Add", product, second), shift)
