"""Turn what a user passes as X into plain columns, the same way at predict as at fit.

Levels of a categorical feature are known by value, never by the code that a frame
gave them, and numbered by count, so that neither the order of a dtype's categories
nor their names reach the model.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklearnx._boosting.frames import (
    FLOATS,
    ArrayColumn,
    Frame,
    get_label,
    is_missing,
    is_sparse_pandas,
    read_columns,
    read_frame,
)
from sklearnx._cached_property import cached_property
from sklearnx._compat import check_n_features, check_names
from sklearnx._cython.boosting.levels import count_levels, replace_codes

# Codes of what is no level of fit.
MISSING, UNKNOWN = -1, -2


class Table:
    """The input as the engine sees it: one array, one sparse matrix, or columns.

    Exactly one of `dense`, `csc` and `columns` is not None.

    Parameters
    ----------
    n_rows : int
    n_features : int
    dense : ndarray of shape (n_rows, n_features) or None
        float32 or float64, of any strides, maybe read-only: not a copy where the
        user's array could be used.
    matrix : sparse CSR or CSC matrix of shape (n_rows, n_features) or None
        float32 or float64. Implicit zeros are zeros, explicit NaN are missing.
    columns : list of ndarray of shape (n_rows,) or None
        A column each: float32 or float64 with NaN where missing, or int32 codes of a
        categorical feature with -1 where missing or unknown.
    n_levels : ndarray of shape (n_features,) or None
        The number of levels of the categorical features, 0 for numeric ones. None
        means no categorical feature.
    is_categorical : ndarray of shape (n_features,) or None
        Boolean mask. None means no categorical feature.
    n_derived : int, default=0
        How many of the last columns were derived from others, see `extended`.
    """

    def __init__(
        self,
        n_rows: int,
        n_features: int,
        *,
        dense: np.ndarray | None = None,
        matrix: Any = None,
        columns: list[np.ndarray] | None = None,
        is_categorical: np.ndarray | None = None,
        n_levels: np.ndarray | None = None,
        n_derived: int = 0,
    ):
        self.n_rows = n_rows
        self.n_features = n_features
        self.dense = dense
        self._matrix = matrix
        self.columns = columns
        self.n_derived = n_derived
        if is_categorical is None:
            is_categorical = np.zeros(n_features, dtype=bool)
            n_levels = np.zeros(n_features, dtype=np.int64)
        self.is_categorical = is_categorical
        self.n_levels = n_levels

    @cached_property
    def csc(self) -> Any:
        """The sparse input by column, with sorted row indices; else None."""
        return None if self._matrix is None else _make_canonical(self._matrix.tocsc())

    @cached_property
    def _csr(self):
        return _make_canonical(self._matrix.tocsr())

    @cached_property
    def float_dtype(self) -> np.dtype:
        """The dtype of `to_matrix`: float32 where that loses nothing."""
        if self.dense is not None:
            return self.dense.dtype
        if self._matrix is not None:
            return self._matrix.dtype
        is_narrow = all(
            # float32 holds the integers to 2**24.
            self.n_levels[j] <= 2**24
            if self.is_categorical[j]
            else column.dtype == np.float32
            for j, column in enumerate(self.columns)
        )
        return np.dtype(np.float32 if is_narrow else np.float64)

    def column(self, j: int) -> np.ndarray:
        """Return feature `j` as a 1-D array, a view where there is one."""
        if self.columns is not None:
            return self.columns[j]
        if self.dense is not None:
            return self.dense[:, j]
        csc = self.csc
        values = np.zeros(self.n_rows, dtype=csc.dtype)
        stored = slice(csc.indptr[j], csc.indptr[j + 1])
        values[csc.indices[stored]] = csc.data[stored]
        return values

    def extended(self, derived: list[np.ndarray], replaced: np.ndarray) -> Table:
        """Return a table with further columns, which stand for some of its own.

        Parameters
        ----------
        derived : list of ndarray of shape (n_rows,)
            float32 columns.
        replaced : int array
            Categorical columns, which become zeros.
        """
        columns = [*self.columns, *derived]
        for j in replaced:
            columns[j] = np.broadcast_to(np.float32(0), self.n_rows)
        is_numeric = np.zeros(len(derived), dtype=bool)
        is_categorical = np.concatenate([self.is_categorical, is_numeric])
        is_categorical[replaced] = False
        return Table(
            self.n_rows,
            len(columns),
            columns=columns,
            is_categorical=is_categorical,
            n_levels=np.append(self.n_levels, np.zeros(len(derived), dtype=np.int64)),
            n_derived=len(derived),
        )

    def rounded(self) -> Table:
        """Return the table with float32 in the place of float64, if it has no levels.

        Itself if nothing changes.
        """
        if self.float_dtype == np.float32:
            return self
        if self.dense is not None:
            return Table(*self.dense.shape, dense=round_to_float32(self.dense))
        if self._matrix is not None:
            matrix = self._matrix.copy()
            matrix.data = round_to_float32(matrix.data)
            return Table(*matrix.shape, matrix=matrix)
        columns = [round_to_float32(column) for column in self.columns]
        return Table(self.n_rows, self.n_features, columns=columns)

    @property
    def is_contiguous(self) -> bool:
        """Whether `to_matrix` returns all rows without a copy."""
        if self.dense is not None:
            return self.dense.flags.c_contiguous
        return self._matrix is not None

    def to_matrix(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Return some rows as the predictor takes them.

        Parameters
        ----------
        rows : slice or int array, default=slice(None)
            Consecutive rows, or any.

        Returns
        -------
        matrix : ndarray or CSR matrix of shape (n_selected_rows, n_features)
            float32 or float64, C-contiguous. Codes of levels are floats, missing values
            are NaN. Not a copy where `dense` is C-contiguous. Sparse rows stay sparse.
        """
        if self.dense is not None:
            return np.ascontiguousarray(self.dense[rows])
        if self._matrix is not None:
            return self._csr if _is_all(rows) else self._csr[rows]
        n_rows = len(self.columns[0][rows])
        matrix = np.empty((n_rows, self.n_features), dtype=self.float_dtype)
        for j, column in enumerate(self.columns):
            matrix[:, j] = column[rows]
            if self.is_categorical[j]:
                matrix[column[rows] < 0, j] = np.nan
        return matrix


class TableEncoder:
    """Read tables, remembering which columns are categorical and their levels.

    Parameters
    ----------
    categorical_features : 'from_dtype', 'all', array-like of bool, int or str, or None
        As in scikit-learn's `HistGradientBoostingClassifier`, save that
        ``'from_dtype'`` also takes a frame's columns of strings.
    handle_unknown : {'missing', 'unknown', 'error'}
        What a level that fit did not see is in `transform`: -1 as a missing value, -2,
        or an error.
    may_be_negative : bool, default=False
        Whether negative numbers are levels; if not, they are missing values.

    Attributes
    ----------
    is_categorical_ : ndarray of shape (n_features,) or None
        Boolean mask; None where no feature is categorical.
    levels_ : list of (list or None)
        The values of each categorical feature in the order of their codes.
    truncated_ : list of int
        Categorical features whose numbers lose their fractions before they are looked
        up, as in other libraries; none in an encoder that was fitted.
    """

    truncated_: Any = ()

    def __init__(
        self,
        categorical_features: Any = "from_dtype",
        handle_unknown: str = "missing",
        may_be_negative: bool = False,
    ):
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown
        self.may_be_negative = may_be_negative

    @classmethod
    def from_levels(
        cls,
        levels: list[list | None] | None,
        n_features: int,
        handle_unknown: str = "missing",
        truncated: Any = (),
    ) -> TableEncoder:
        """Return an encoder of these `levels_`, and with these `truncated_`."""
        encoder = cls("from_dtype", handle_unknown)
        encoder.truncated_ = list(truncated)
        encoder.levels_ = [None] * n_features if levels is None else levels
        mask = np.array([values is not None for values in encoder.levels_])
        encoder.is_categorical_ = mask if mask.any() else None
        encoder._number_known_levels()
        return encoder

    def _number_known_levels(self):
        """Set the codes of `levels_` by value."""
        self._codes = [
            None
            if values is None
            else {level: code for code, level in enumerate(values)}
            for values in self.levels_
        ]

    def get_codes(self) -> list[dict | None]:
        """Return of each column the codes of its levels by value, None for numbers."""
        return self._codes

    def __getstate__(self):
        # Codes follow from levels.
        return {name: value for name, value in vars(self).items() if name != "_codes"}

    def __setstate__(self, state):
        vars(self).update(state)
        if getattr(self, "levels_", None) is None:
            return
        mask = self.is_categorical_
        if mask is None:
            mask = np.zeros(len(self.levels_), dtype=bool)
        if mask.tolist() != [values is not None for values in self.levels_]:
            raise ValueError(
                "The model is damaged: its categorical columns are not those of levels."
            )
        self._number_known_levels()

    def count_levels(self) -> np.ndarray:
        """Return the number of levels of each column, 0 for numbers."""
        return np.array(
            [0 if levels is None else len(levels) for levels in self.levels_],
            dtype=np.int64,
        )

    def fit_transform(
        self,
        X: Any,
        estimator: Any,
        sample_weight: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> Table:
        """Learn the columns of `X` and return them.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_features)
        estimator : estimator instance
            Gets ``n_features_in_`` and ``feature_names_in_``.
        sample_weight : ndarray of shape (n_rows,) or None, default=None
            Weights of the rows in the counts by which levels are numbered. A row of
            weight zero is as good as absent.
        n_threads : int, default=1

        Returns
        -------
        table : Table
        """
        self.is_categorical_ = None
        self.levels_ = None
        if is_plain(X) and self._reads_no_array_as_levels():
            check_names(estimator, X, None, reset=True)
            check_n_features(estimator, X, reset=True)
            self.levels_ = [None] * X.shape[1]
            self._codes = [None] * X.shape[1]
            return Table(*X.shape, dense=X)

        frame = None if is_sparse_pandas(X) else read_frame(X)
        if frame is None:
            X = self._validate_array(X, estimator, reset=True)
            mask = _find_categorical(
                self.categorical_features, X.shape[1], names=None, columns=None
            )
        else:
            _check_frame(frame, estimator, reset=True)
            mask = _find_categorical(
                self.categorical_features, frame.shape[1], frame.names, frame.columns
            )
        self.is_categorical_ = mask
        self.levels_ = [None] * estimator.n_features_in_
        self._codes = [None] * estimator.n_features_in_
        if mask is None:
            return self._make_plain(X, frame)

        columns = frame.columns if frame is not None else _split(X, estimator)
        arrays = read_columns(columns, mask, (X if frame is None else frame).shape[0])
        categorical = np.flatnonzero(mask).tolist()
        codes, levels = _number_levels(
            [columns[j] for j in categorical],
            [arrays[j] for j in categorical],
            sample_weight,
            n_threads,
            self.may_be_negative,
        )
        for i, j in enumerate(categorical):
            arrays[j] = codes[i]
            self.levels_[j] = levels[i]
            self._codes[j] = {level: code for code, level in enumerate(levels[i])}
        return self._make_table(arrays)

    def transform(self, X: Any, estimator: Any, n_threads: int = 1) -> Table:
        """Return the columns of `X`, checked and coded as in `fit_transform`.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_features)
            Not necessarily of the type that fit got; a Frame is one that was read.
        estimator : estimator instance
            The one that was fitted.
        n_threads : int, default=1

        Returns
        -------
        table : Table
        """
        if (
            self.is_categorical_ is None
            and is_plain(X)
            and X.shape[1] == estimator.n_features_in_
        ):
            # What `validate_data` does for such an array, in a tenth of its time.
            if hasattr(estimator, "feature_names_in_"):
                check_names(estimator, X, None, reset=False)
            return Table(*X.shape, dense=X)

        if isinstance(X, Frame):
            frame = X
        else:
            frame = None if is_sparse_pandas(X) else read_frame(X)
        if frame is None:
            X = self._validate_array(X, estimator, reset=False)
        else:
            _check_frame(frame, estimator, reset=False)
        if self.is_categorical_ is None:
            return self._make_plain(X, frame)
        columns = frame.columns if frame is not None else _split(X, estimator)
        arrays = read_columns(
            columns, self.is_categorical_, (X if frame is None else frame).shape[0]
        )
        categorical = np.flatnonzero(self.is_categorical_).tolist()
        found = [np.ascontiguousarray(arrays[j][0]) for j in categorical]
        for j in self.truncated_:
            found_levels, values = arrays[j]
            arrays[j] = found_levels, [_truncate(value) for value in values]
        tables = [
            self._look_up(columns[j], *arrays[j], self._codes[j]) for j in categorical
        ]
        for j, codes in zip(categorical, replace_codes(found, tables, n_threads)):
            arrays[j] = codes
        return self._make_table(arrays)

    def encode_values(self, values: np.ndarray, feature: int) -> np.ndarray:
        """Return single values of a feature as trees compare them.

        Parameters
        ----------
        values : ndarray of shape (n_values,)
            Numbers, or levels of a categorical feature.
        feature : int

        Returns
        -------
        ndarray of shape (n_values,)
            float64; codes of levels, NaN for those that fit did not see.
        """
        codes = None if self.levels_ is None else self._codes[feature]
        if codes is None:
            return np.asarray(values, dtype=np.float64)
        values = values.tolist()
        if feature in self.truncated_:
            values = [_truncate(value) for value in values]
        return np.array([codes.get(value, np.nan) for value in values], dtype=float)

    def _reads_no_array_as_levels(self):
        listed = self.categorical_features
        return listed is None or (isinstance(listed, str) and listed == "from_dtype")

    def _validate_array(self, X, estimator, *, reset):
        """Let scikit-learn check anything that is not a frame."""
        if reset:
            may_be_categorical = not self._reads_no_array_as_levels()
        else:
            may_be_categorical = self.is_categorical_ is not None
        dtype = FLOATS
        if may_be_categorical and not sparse.issparse(X):
            # Levels are read from the values as they are. A list would become an
            # array of strings if any of its values is one.
            dtype = None
            if isinstance(X, (list, tuple)):
                X = _to_objects(X)
        return validate_data(
            estimator,
            X,
            reset=reset,
            dtype=dtype,
            accept_sparse=["csr", "csc"],
            ensure_all_finite=False,
        )

    def _make_plain(self, X, frame):
        """Return a table that has no categorical feature."""
        if frame is None:
            if sparse.issparse(X):
                return Table(*X.shape, matrix=X)
            if X.dtype not in FLOATS:
                X = check_array(X, dtype=FLOATS, ensure_all_finite=False)
            # Turns a memory map into a plain view of it.
            return Table(*X.shape, dense=np.require(np.asarray(X), requirements="A"))
        if frame.dense is not None:
            return Table(*frame.shape, dense=frame.dense)
        as_levels = [False] * len(frame.columns)
        columns = read_columns(frame.columns, as_levels, frame.n_rows)
        return Table(*frame.shape, columns=columns)

    def _make_table(self, columns):
        return Table(
            len(columns[0]),
            len(columns),
            columns=columns,
            is_categorical=self.is_categorical_,
            n_levels=self.count_levels(),
        )

    def _look_up(self, column, found, values, known):
        """Return the code of fit of each value of a column, and -1 in one more place.

        Parameters
        ----------
        column : Column
        found, values : array, list
            What its `to_levels` returned.
        known : dict
            The code of fit by value.
        """
        table = np.full(len(values) + 1, MISSING, dtype=np.int32)
        table[:-1] = [known.get(value, MISSING) for value in values]
        if self.handle_unknown != "missing":
            is_unknown = np.zeros(len(table), dtype=bool)
            for i in np.flatnonzero(table[:-1] < 0).tolist():
                value = _to_python(values[i])
                is_unknown[i] = not is_missing(value) and (
                    self.may_be_negative or not _is_negative(value)
                )
            if self.handle_unknown == "unknown":
                table[is_unknown] = UNKNOWN
            elif is_unknown.any():
                # A dtype may list levels that no row has.
                rows = np.flatnonzero(is_unknown[found])
                if len(rows):
                    _raise_unknown(values, found[rows], column.label)
        return table


def round_to_float32(values: np.ndarray) -> np.ndarray:
    """Return numbers as float32; those beyond its range become infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


def _raise_unknown(values, codes, label):
    unknown = list(dict.fromkeys(codes.tolist()))
    examples = ", ".join(repr(_to_python(values[i])) for i in unknown[:5])
    more = ", ..." if len(unknown) > 5 else ""
    raise ValueError(
        f"Found unknown categories [{examples}{more}] in {label}. With "
        "handle_unknown='missing' they would be read as missing values."
    )


def _find_categorical(categorical_features, n_features, names, columns):
    """Return the mask of the categorical features, or None where there is none.

    Parameters
    ----------
    categorical_features : 'from_dtype', 'all', array-like of bool, int or str, or None
    n_features : int
    names : list or None
        Column names; None for an array.
    columns : list of Column or None
        The columns of a frame; None for an array, whose dtype tells nothing.
    """
    if categorical_features is None:
        return None
    if isinstance(categorical_features, str) and categorical_features == "all":
        return np.ones(n_features, dtype=bool)
    if isinstance(categorical_features, str) and categorical_features == "from_dtype":
        if columns is None:
            return None
        mask = np.array(
            [column.declares_levels or column.holds_strings() for column in columns]
        )
        return mask if mask.any() else None

    listed = np.asarray(categorical_features)
    if listed.size == 0:
        return None
    got = None
    if listed.dtype.kind == "O":
        types = {type(item) for item in listed.ravel()}
        if types != {str}:
            got = ", ".join(sorted(type_.__name__ for type_ in types))
    elif listed.dtype.kind not in "biuU":
        got = listed.dtype.name
    if got is not None:
        raise ValueError(
            "categorical_features must be an array-like of bool, int or str, got: "
            f"{got}."
        )

    mask = np.zeros(n_features, dtype=bool)
    if listed.dtype.kind == "b":
        if listed.shape != (n_features,):
            raise ValueError(
                "categorical_features set as a boolean mask must have shape "
                f"(n_features,), got: {listed.shape}"
            )
        mask[:] = listed
    elif listed.dtype.kind in "iu":
        if listed.max() >= n_features or listed.min() < 0:
            raise ValueError(
                "categorical_features set as integer indices must be in "
                "[0, n_features - 1]"
            )
        mask[listed] = True
    else:
        if names is None:
            raise ValueError(
                "categorical_features should be passed as an array of integers or as "
                "a boolean mask when the model is fitted on data without feature "
                "names."
            )
        for name in listed.ravel().tolist():
            if name not in names:
                raise ValueError(
                    f"categorical_features has an item value '{name}' which is not a "
                    "valid feature name of the training data. Observed feature names: "
                    f"{names}"
                )
            mask[names.index(name)] = True
    return mask if mask.any() else None


def _number_levels(columns, levels, sample_weight, n_threads, may_be_negative):
    """Number the levels of columns: the most frequent first, ties by first row.

    Parameters
    ----------
    columns : list of Column
    levels : list of tuple
        What their `to_levels` returned.
    sample_weight : ndarray of shape (n_rows,) or None
    n_threads : int
    may_be_negative : bool
        Whether negative numbers are levels.

    Returns
    -------
    codes : list of int32 ndarrays of shape (n_rows,)
        -1 where missing, and for levels that only rows of weight zero have.
    levels : list of list
        The values in the order of their codes.
    """
    found = [np.ascontiguousarray(codes) for codes, _ in levels]
    distinct, tables = [], []
    for column, (_, values) in zip(columns, levels):
        positions, table = _merge_values(
            values, may_be_negative or column.declares_levels
        )
        distinct.append(list(positions))
        tables.append(table)
    if sample_weight is not None:
        sample_weight = np.ascontiguousarray(sample_weight, dtype=np.float64)
    counts, first_rows = count_levels(
        found, tables, [len(values) for values in distinct], sample_weight, n_threads
    )
    for i, values in enumerate(distinct):
        order = np.lexsort((first_rows[i], -counts[i]))
        order = order[first_rows[i][order] < len(found[i])]
        # The last place belongs to what is missing.
        codes = np.full(len(values) + 1, -1, dtype=np.int32)
        codes[order] = np.arange(len(order), dtype=np.int32)
        tables[i] = codes[tables[i]]
        distinct[i] = [values[position] for position in order.tolist()]
    return replace_codes(found, tables, n_threads), distinct


def _merge_values(values, may_be_negative):
    """Number the values of a list that are not missing, those that are equal as one.

    Returns
    -------
    positions : dict
        The number of each value.
    table : int32 ndarray of shape (n_values + 1,)
        The number of each item of the list; -1 where missing, and in the last place.
    """
    table = np.full(len(values) + 1, -1, dtype=np.int32)
    if set(map(type, values)) == {str}:
        # Without a Python loop.
        positions = {value: i for i, value in enumerate(dict.fromkeys(values))}
        table[:-1] = list(map(positions.__getitem__, values))
        return positions, table
    # 1, 1.0 and True are one level, as they are for a dictionary.
    positions = {}
    for i, value in enumerate(values):
        value = _to_python(value)
        if not is_missing(value) and (may_be_negative or not _is_negative(value)):
            table[i] = positions.setdefault(value, len(positions))
    return positions, table


def _check_frame(frame, estimator, *, reset):
    """Check names, size and number of columns as `validate_data` does, in its order."""
    known = None if reset else getattr(estimator, "feature_names_in_", None)
    # scikit-learn takes long to say nothing.
    if known is None or known.tolist() != frame.names:
        check_names(estimator, frame.native, frame.names, reset=reset)
    if 0 in frame.shape:
        # Raises scikit-learn's error.
        check_array(np.empty(frame.shape), estimator=estimator, input_name="X")
    check_n_features(estimator, frame, reset=reset)


def is_plain(X):
    """Return whether `X` is an array that needs no conversion and no further check."""
    return (
        type(X) is np.ndarray
        and X.dtype in FLOATS
        and X.ndim == 2
        and 0 not in X.shape
        and X.flags.aligned
    )


def _split(X, estimator):
    """Return the columns of a validated array or sparse matrix.

    A sparse matrix becomes dense: a level can be any value, zero as well.
    """
    names = getattr(estimator, "feature_names_in_", range(X.shape[1]))
    if sparse.issparse(X):
        table = Table(*X.shape, matrix=X)
        arrays = [table.column(j) for j in range(X.shape[1])]
    else:
        X = np.asarray(X)
        arrays = [X[:, j] for j in range(X.shape[1])]
    return [
        ArrayColumn(array, get_label(name), parses_strings=True)
        for name, array in zip(names, arrays)
    ]


def _to_objects(X):
    """Return a list of rows as an array that keeps each value's type."""
    try:
        return np.array(X, dtype=object)
    except ValueError:
        # Ragged: scikit-learn's message is better.
        return X


def _is_all(rows):
    return isinstance(rows, slice) and rows == slice(None)


def _make_canonical(matrix):
    """Sort indices and sum duplicates, not in the user's own matrix."""
    if matrix.has_canonical_format:
        return matrix
    matrix = matrix.copy()
    matrix.sum_duplicates()
    return matrix


def _to_python(value):
    """Return a NumPy scalar as the Python object that is equal to it."""
    if isinstance(value, np.generic) and value.dtype.kind not in "mM":
        return value.item()
    return value


def _truncate(value):
    """Return a number without its fraction, anything else as it is."""
    value = _to_python(value)
    return int(value) if isinstance(value, float) and isfinite(value) else value


def _is_negative(value):
    return isinstance(value, (int, float)) and value < 0
