"""Columns of whatever a user passes as X, read one way.

A column can be read as numbers or as levels (codes and the values they stand for);
the encoder chooses. pandas, polars and pyarrow are never imported here: only a user
who has imported one of them can pass us its frame.

    pandas, polars, pyarrow ---> read_frame ---> Frame ---.
                                                          +--> columns
    2-D array of numbers, strings or objects -------------'
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from decimal import Decimal
from numbers import Real

import numpy as np

from sklearnx._cached_property import cached_property

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
_STRINGS = (str, bytes)
_NAMES_OF_MISSING = ("NoneType", "NAType", "NaTType")
# For so few rows a Python loop is faster than what a library does for many.
_N_FEW_ROWS_PANDAS = 8
_N_FEW_ROWS_POLARS = 2000


class Column(ABC):
    """One column of the input.

    Parameters
    ----------
    label : str
        How error messages call the column, for example ``"column 'age'"``.
    """

    # Whether the dtype itself says that the values are categories.
    declares_levels = False

    def __init__(self, label: str):
        self.label = label

    @property
    @abstractmethod
    def dtype(self) -> str:
        """The name that the user knows the dtype by."""

    @abstractmethod
    def holds_strings(self) -> bool:
        """Whether the column is one of strings.

        Raises ValueError where strings are mixed with anything else that is not
        missing, because then it is anyone's guess whether "1" and 1 are the same.
        """

    @abstractmethod
    def to_numbers(self) -> np.ndarray:
        """Return the column as float32 or float64 with NaN for missing values.

        No copy is made where the column already is that. float32 is returned only
        where it holds every value of the dtype exactly.
        """

    @abstractmethod
    def to_levels(self) -> tuple[np.ndarray, list]:
        """Return codes into a list of values.

        A missing value has code -1 or the code of a value that is missing (None,
        NaN). Values may repeat, and there may be values that no row has.
        """

    def _refuse_strings(self, example):
        return ValueError(
            f"could not convert string to float: {example!r} in {self.label} of dtype "
            f"{self.dtype}. Strings are read as categories where "
            "categorical_features='from_dtype', or where it lists the column, when "
            "the model is fitted."
        )

    def _refuse_dtype(self, reason=""):
        return TypeError(
            f"Cannot use {self.label} of dtype {self.dtype}{reason}: it holds neither "
            "numbers nor categories. Turn it into numbers (a date into its year or "
            "into days since a date, a list into columns of their own) or into "
            "strings, or drop it."
        )

    def _levels_to_numbers(self):
        """Read levels that are numbers as numbers."""
        codes, values = self.to_levels()
        used = np.zeros(len(values) + 1, dtype=bool)
        used[codes] = True
        # The last place belongs to code -1.
        numbers = np.full(len(values) + 1, np.nan)
        for i, value in enumerate(values):
            if not used[i] or is_missing(value):
                continue
            if isinstance(value, _STRINGS):
                raise self._refuse_strings(value)
            try:
                numbers[i] = value
            except (TypeError, ValueError, OverflowError) as error:
                raise self._refuse_dtype(_describe(value)) from error
        return numbers[codes]


class ArrayColumn(Column):
    """A 1-D ndarray of numbers, strings or objects.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
    label : str
    parses_strings : bool, default=False
        Whether "1.5" is a number, as it is for scikit-learn in an array, where all
        columns share one dtype. A column of a frame has its own.
    """

    def __init__(self, values, label, parses_strings=False):
        super().__init__(label)
        self._values = values
        self._parses_strings = parses_strings

    @property
    def dtype(self):
        return self._values.dtype.name

    @property
    def _holds_numbers(self):
        return self._values.dtype.kind in "biuf"

    def holds_strings(self):
        if self._values.dtype.kind != "O":
            return self._values.dtype.kind in "UST"
        values = self._values.tolist()
        types = set(map(type, values))
        strings = {type_ for type_ in types if issubclass(type_, _STRINGS)}
        if not strings:
            return False
        others = types - strings - {type(None)}
        if others:
            candidates = (value for value in values if type(value) in others)
            other = next((v for v in candidates if not is_missing(v)), None)
            if other is not None:
                raise ValueError(
                    f"{self.label[0].upper()}{self.label[1:]} mixes strings with "
                    f"values of type {type(other).__name__}. Make it one or the other, "
                    "for example with pandas.to_numeric or astype(str), or list it in "
                    "categorical_features to read every value as a category."
                )
        return True

    @property
    def is_to_widen(self):
        """Whether `to_numbers` makes a new array of float64 of other numbers."""
        return self._holds_numbers and (
            self._values.dtype != np.float64
            and _float_type(self._values.dtype) == np.float64
        )

    def widen(self, out):
        """Write the numbers to a float64 array of shape (n_rows,)."""
        out[...] = self._values
        return out

    def to_numbers(self):
        values = self._values
        if self._holds_numbers:
            return values.astype(_float_type(values.dtype), copy=False)
        if values.dtype.kind == "O":
            return self._objects_to_numbers()
        if values.dtype.kind not in "UST":
            raise self._refuse_dtype()
        if not self._parses_strings:
            raise self._refuse_strings(values.tolist()[0])
        return self._parse(values)

    def _objects_to_numbers(self):
        values = self._values
        objects = values.tolist()
        types = set(map(type, objects))
        for type_ in types:
            if issubclass(type_, _STRINGS) and self._parses_strings:
                continue
            if type_.__name__ not in _NAMES_OF_MISSING and not issubclass(
                type_, (Real, np.bool_, Decimal)
            ):
                example = next(value for value in objects if type(value) is type_)
                if issubclass(type_, _STRINGS):
                    raise self._refuse_strings(example)
                raise self._refuse_dtype(_describe(example))
        # NumPy itself reads None as NaN.
        if any(type_.__name__ in ("NAType", "NaTType") for type_ in types):
            objects = [None if is_missing(value) else value for value in objects]
            values = np.array(objects, dtype=object)
        return self._parse(values)

    def _parse(self, values):
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{error} in {self.label}") from error

    def to_levels(self):
        if self._holds_numbers:
            return _find_levels_of_numbers(self._values)
        if self._values.dtype.kind not in "OUST":
            raise self._refuse_dtype()
        return _find_levels_of_objects(self, self._values.tolist())


class _PandasColumn(Column):
    """A pandas extension array (NumPy's dtypes go to `ArrayColumn`)."""

    def __init__(self, array, label):
        super().__init__(label)
        self._array = array
        pandas = sys.modules["pandas"]
        self.declares_levels = isinstance(array.dtype, pandas.CategoricalDtype)
        self._holds_strings = isinstance(array.dtype, pandas.StringDtype)

    @property
    def dtype(self):
        return str(self._array.dtype)

    def holds_strings(self):
        return self._holds_strings

    def to_numbers(self):
        if self.declares_levels:
            return self._levels_to_numbers()
        if self._holds_strings:
            missing = np.asarray(self._array.isna())
            if missing.all():
                return np.full(len(missing), np.nan)
            raise self._refuse_strings(self._array[int(np.argmin(missing))])
        dtype = getattr(self._array.dtype, "numpy_dtype", None)
        if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf":
            raise self._refuse_dtype()
        return self._array.to_numpy(dtype=_float_type(dtype), na_value=np.nan)

    def to_levels(self):
        if len(self._array) <= _N_FEW_ROWS_PANDAS:
            values = [self._array[i] for i in range(len(self._array))]
            return _find_levels_of_objects(self, values)
        if self.declares_levels:
            return _find_levels_of_codes(self._array.codes, self._array.categories)
        codes, values = sys.modules["pandas"].factorize(self._array)
        return codes, list(values)


class _PolarsColumn(Column):
    """A polars Series."""

    def __init__(self, series, label):
        super().__init__(label)
        self._polars = sys.modules["polars"]
        self._series = series
        self.declares_levels = series.dtype in (
            self._polars.Categorical,
            self._polars.Enum,
        )

    @property
    def dtype(self):
        return str(self._series.dtype)

    def holds_strings(self):
        return self._series.dtype == self._polars.String

    @property
    def _holds_numbers(self):
        dtype = self._series.dtype
        return dtype.is_numeric() or dtype in (self._polars.Boolean, self._polars.Null)

    def to_numbers(self):
        polars, series = self._polars, self._series
        if self.declares_levels:
            return self._levels_to_numbers()
        if self.holds_strings() and series.null_count() < len(series):
            raise self._refuse_strings(series.drop_nulls()[0])
        if not self._holds_numbers and not self.holds_strings():
            raise self._refuse_dtype()
        if series.dtype not in (polars.Float32, polars.Float64):
            exact = (
                polars.Boolean,
                polars.Int8,
                polars.Int16,
                polars.UInt8,
                polars.UInt16,
            )
            series = series.cast(
                polars.Float32 if series.dtype in exact else polars.Float64
            )
        return series.to_numpy()

    def to_levels(self):
        polars, series = self._polars, self._series
        if self._holds_numbers and series.dtype != polars.Null:
            if series.dtype == polars.Boolean or series.dtype.is_integer():
                numbers = series.fill_null(0 if series.dtype.is_integer() else False)
                codes, values = _find_levels_of_numbers(numbers.to_numpy())
            else:
                codes, values = _find_levels_of_numbers(self.to_numbers())
            if series.null_count():
                codes = np.where(series.is_null().to_numpy(), -1, codes)
            return codes, values
        is_long = len(series) > _N_FEW_ROWS_POLARS
        if self.holds_strings() and is_long:
            series = series.cast(polars.Categorical)
        elif not (self.declares_levels and is_long):
            return _find_levels_of_objects(self, series.to_list())
        # What a physical code stands for differs from process to process and may
        # count the categories of all other frames, so only those in use are asked.
        levels = series.drop_nulls().unique(maintain_order=True)
        physical = levels.to_physical().to_numpy()
        n_physical = int(physical.max()) + 1 if len(physical) else 0
        positions = np.full(n_physical + 1, -1, dtype=np.int32)
        positions[physical] = np.arange(len(physical), dtype=np.int32)
        codes = series.to_physical().cast(polars.Int64).fill_null(n_physical)
        return positions[codes.to_numpy()], levels.cast(polars.String).to_list()


class _ArrowColumn(Column):
    """A pyarrow ChunkedArray."""

    def __init__(self, chunked, label):
        super().__init__(label)
        self._arrow = sys.modules["pyarrow"]
        self._chunked = chunked
        self.declares_levels = self._arrow.types.is_dictionary(chunked.type)

    @property
    def dtype(self):
        return str(self._chunked.type)

    def holds_strings(self):
        types, type_ = self._arrow.types, self._chunked.type
        return (
            types.is_string(type_)
            or types.is_large_string(type_)
            or str(type_) == "string_view"
        )

    @property
    def _holds_numbers(self):
        types, type_ = self._arrow.types, self._chunked.type
        return (
            types.is_integer(type_)
            or types.is_floating(type_)
            or types.is_boolean(type_)
            or types.is_decimal(type_)
        )

    def to_numbers(self):
        arrow, chunked = self._arrow, self._chunked
        if self.declares_levels:
            return self._levels_to_numbers()
        if chunked.null_count == len(chunked):
            return np.full(len(chunked), np.nan)
        if self.holds_strings():
            raise self._refuse_strings(chunked.drop_null()[0].as_py())
        if not self._holds_numbers:
            raise self._refuse_dtype()
        if not arrow.types.is_floating(chunked.type):
            exact = (
                arrow.bool_(),
                arrow.int8(),
                arrow.int16(),
                arrow.uint8(),
                arrow.uint16(),
            )
            float_type = arrow.float32() if chunked.type in exact else arrow.float64()
            # Not safe: integers beyond 2**53 are rounded, as NumPy does.
            chunked = chunked.cast(float_type, safe=False)
        if chunked.num_chunks == 1:
            values = chunked.chunk(0).to_numpy(zero_copy_only=False)
        else:
            values = chunked.to_numpy()
        return values.astype(_float_type(values.dtype), copy=False)

    def to_levels(self):
        arrow, chunked = self._arrow, self._chunked
        if chunked.null_count == len(chunked):
            return np.full(len(chunked), -1), []
        if self._holds_numbers:
            if arrow.types.is_integer(chunked.type):
                numbers = chunked.fill_null(0).to_numpy()
            else:
                numbers = self.to_numbers()
            codes, values = _find_levels_of_numbers(numbers)
            if chunked.null_count:
                codes = np.where(chunked.is_null().to_numpy(), -1, codes)
            return codes, values
        if self.declares_levels:
            chunked = chunked.unify_dictionaries()
        else:
            try:
                chunked = chunked.dictionary_encode()
            except arrow.ArrowNotImplementedError as error:
                raise self._refuse_dtype() from error
        codes = [
            chunk.indices.cast(arrow.int32()).fill_null(-1).to_numpy()
            for chunk in chunked.chunks
        ]
        return _find_levels_of_codes(
            np.concatenate(codes) if len(codes) > 1 else codes[0],
            chunked.chunk(0).dictionary,
        )


def read_columns(columns, as_levels, n_rows) -> list:
    """Return what `to_levels` or `to_numbers` of each column does.

    Numbers that are not floats become floats in one array for all columns: to get large
    pieces of memory from the system takes less time than many small ones.

    Parameters
    ----------
    columns : list of Column
    as_levels : sequence of bool
        Which of them are read as levels.
    n_rows : int
    """
    is_widened = [
        isinstance(column, ArrayColumn) and not wants_levels and column.is_to_widen
        for column, wants_levels in zip(columns, as_levels)
    ]
    places = iter(np.empty((sum(is_widened), n_rows)))
    read = []
    for column, wants_levels, is_wide in zip(columns, as_levels, is_widened):
        if wants_levels:
            read.append(column.to_levels())
        elif is_wide:
            read.append(column.widen(next(places)))
        else:
            read.append(column.to_numbers())
    return read


class Frame:
    """Names and columns of a frame of pandas, polars or pyarrow.

    Parameters
    ----------
    native : object
        The frame itself, of a type that scikit-learn knows; None if there is none.
    names : list or None
        Column names, if they have some.
    n_rows : int
    read_columns : callable
        Returns a list of `Column`.
    dense : ndarray of shape (n_rows, n_columns) or None
        All columns as one array of float32 or float64, where the frame has it.
    """

    def __init__(self, native, names, n_rows, read_columns, dense=None):
        self.native = native
        self.names = names
        self.n_rows = n_rows
        self._read_columns = read_columns
        self.dense = dense

    @property
    def shape(self):
        return self.n_rows, len(self.columns if self.names is None else self.names)

    @cached_property
    def columns(self):
        return self._read_columns()


def read_frame(X) -> Frame | None:
    """Return the columns of a frame, or None where `X` is not one.

    Raises ValueError where two columns have the same name.
    """
    if _is_instance(X, "pyarrow", "RecordBatch"):
        X = sys.modules["pyarrow"].Table.from_batches([X])
    if _is_instance(X, "pandas", "DataFrame"):
        names = X.columns.tolist()
        read_columns = _read_pandas
    elif _is_instance(X, "polars", "DataFrame"):
        names = X.columns
        read_columns = _read_polars
    elif _is_instance(X, "pyarrow", "Table"):
        names = X.schema.names
        read_columns = _read_arrow
    elif _is_instance(X, "polars", "LazyFrame"):
        raise TypeError("X is a polars.LazyFrame: pass X.collect() instead.")
    else:
        return None
    if len(set(names)) < len(names):
        repeated = list(dict.fromkeys(name for name in names if names.count(name) > 1))
        raise ValueError(f"X has several columns of the same name: {repeated}.")
    return read_columns(X, names)


def read_single_row(X, names) -> list | tuple | None:
    """Return the values of a frame's only row, or None where that is not simple.

    Parameters
    ----------
    X : object
        With one row, if it is a frame.
    names : list
        The columns that it should have, in their order.
    """
    if _is_instance(X, "pandas", "DataFrame"):
        if X.columns.tolist() != names:
            return None
        get = X.iat
        return [get[0, j] for j in range(len(names))]
    if _is_instance(X, "polars", "DataFrame") and X.columns == names:
        return X.row(0)
    return None


def is_sparse_pandas(X) -> bool:
    """Return whether `X` is a pandas frame of sparse columns only.

    scikit-learn reads such a frame as a sparse matrix.
    """
    return (
        _is_instance(X, "pandas", "DataFrame")
        and X.shape[1] > 0
        and all(
            isinstance(dtype, sys.modules["pandas"].SparseDtype) for dtype in X.dtypes
        )
    )


def get_label(name) -> str:
    """Return how messages call the column of that name or position."""
    return f"column {name!r}"


def is_missing(value) -> bool:
    """Return whether a Python value is None, NaN, pandas.NA or NaT."""
    if type(value).__name__ in _NAMES_OF_MISSING:
        return True
    # Only a missing value differs from itself.
    return isinstance(value, (float, Decimal, np.generic)) and bool(value != value)


def _is_instance(X, module, name):
    class_ = getattr(sys.modules.get(module), name, None)
    return class_ is not None and isinstance(X, class_)


def _read_pandas(X, names):
    pandas = sys.modules["pandas"]
    dense = None
    dtypes = set(X.dtypes.tolist())
    if len(dtypes) == 1 and not dtypes.isdisjoint(FLOATS):
        # Columns of one block are views of one array, and then so is `to_numpy()`.
        owner = X.iloc[:, 0].to_numpy().base
        if owner is not None and owner is X.iloc[:, -1].to_numpy().base:
            dense = X.to_numpy()

    def read_column(name, series):
        label = get_label(name)
        if isinstance(series.dtype, np.dtype) and series.dtype.kind not in "mM":
            return ArrayColumn(series.to_numpy(), label)
        if isinstance(series.dtype, pandas.SparseDtype):
            return ArrayColumn(np.asarray(series.array), label)
        if isinstance(series.dtype, pandas.ArrowDtype):
            return _ArrowColumn(_to_chunked(series.array.__arrow_array__()), label)
        return _PandasColumn(series.array, label)

    def read_columns():
        return [read_column(name, series) for name, series in X.items()]

    return Frame(X, names, len(X), read_columns, dense)


def _read_polars(X, names):
    def read_column(name, series):
        if series.dtype != sys.modules["polars"].Object:
            return _PolarsColumn(series, get_label(name))
        values = np.empty(len(series), dtype=object)
        values[:] = series.to_list()
        return ArrayColumn(values, get_label(name))

    def read_columns():
        return [read_column(*pair) for pair in zip(names, X.get_columns())]

    return Frame(X, names, X.height, read_columns)


def _read_arrow(X, names):
    def read_columns():
        return [
            _ArrowColumn(_to_chunked(array), get_label(name))
            for name, array in zip(names, X.columns)
        ]

    return Frame(X, names, X.num_rows, read_columns)


def _to_chunked(array):
    arrow = sys.modules["pyarrow"]
    if isinstance(array, arrow.ChunkedArray):
        return array
    return arrow.chunked_array([array])


def _float_type(dtype):
    """Return the smaller float type that holds every value of a dtype, or float64."""
    is_small = dtype.itemsize <= 2 or (dtype.kind == "f" and dtype.itemsize == 4)
    return np.dtype(np.float32 if is_small else np.float64)


def _describe(value):
    return f" (with a value of type {type(value).__name__})"


def _find_levels_of_numbers(values):
    """Number the distinct numbers of an array, NaN excepted."""
    codes = np.full(len(values), -1, dtype=np.int64)
    known = slice(None)
    if values.dtype.kind == "f":
        is_nan = np.isnan(values)
        if is_nan.any():
            known = ~is_nan
    numbers = values[known]
    if len(numbers) == 0:
        return codes, []
    low, high = numbers.min().item(), numbers.max().item()
    # Small integers, the usual codes of categories, need no sorting.
    if values.dtype.kind != "b" and high - low < len(numbers):
        if values.dtype.kind == "i":
            numbers = numbers.astype(np.int64)
        shifted = (numbers - low).astype(np.int64)
        if values.dtype.kind != "f":
            codes[known] = shifted
            return codes, list(range(low, high + 1))
        if np.array_equal(shifted + low, numbers):
            codes[known] = shifted
            values = (np.arange(int(high - low) + 1) + low).astype(values.dtype)
            return codes, values.tolist()
    unique, codes[known] = np.unique(numbers, return_inverse=True)
    return codes, unique.tolist()


def _find_levels_of_objects(column, values):
    """Number the distinct objects of a list, those that are equal being the same."""
    try:
        # Both passes run without a Python loop.
        positions = {value: i for i, value in enumerate(dict.fromkeys(values))}
        codes = np.fromiter(
            map(positions.__getitem__, values), dtype=np.int32, count=len(values)
        )
    except TypeError as error:
        unhashable = next(value for value in values if not _is_hashable(value))
        raise column._refuse_dtype(_describe(unhashable)) from error
    return codes, list(positions)


def _find_levels_of_codes(codes, levels):
    """Drop levels that no row has where they are more than the rows.

    A single row of a category dtype of many levels should not cost a look-up for
    each of them.
    """
    if len(levels) > len(codes):
        used, codes = np.unique(codes, return_inverse=True)
        if len(used) and used[0] == -1:
            used, codes = used[1:], codes - 1
        levels = levels.take(used)
    return codes, levels.tolist()


def _is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True
