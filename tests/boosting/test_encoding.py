"""Reading tables: which columns, which values, which codes, and no needless copy."""

import pickle
import re
import subprocess
import sys
import warnings
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator

from sklearnx._boosting.encoding import TableEncoder
from sklearnx._compat import SKLEARN_VERSION

nan = np.nan


class Reader(BaseEstimator):
    """The least estimator: it only reads its input."""

    def __init__(self, categorical_features="from_dtype", handle_unknown="missing"):
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    def fit(self, X, sample_weight=None):
        self.encoder_ = TableEncoder(self.categorical_features, self.handle_unknown)
        self.table_ = self.encoder_.fit_transform(X, self, sample_weight)
        self.is_categorical_ = self.encoder_.is_categorical_
        return self

    def read(self, X):
        return self.encoder_.transform(X, self)

    def read_matrix(self, X):
        matrix = self.read(X).to_matrix()
        return matrix.toarray() if sparse.issparse(matrix) else matrix


def to_polars(frame):
    """Convert a pandas frame, keeping None and categories."""
    return pl.from_arrow(to_arrow(frame))


def to_arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


LIBRARIES = {"pandas": lambda frame: frame, "polars": to_polars, "arrow": to_arrow}


@pytest.fixture(params=LIBRARIES)
def as_library(request):
    return LIBRARIES[request.param]


@pytest.fixture
def mixed():
    """A frame with a column of every kind that is read without being listed."""
    city = ["Rome", "Oslo", None, "Oslo", "Bern", "Oslo"]
    return pd.DataFrame(
        {
            "age": [31.5, nan, 20.0, 44.0, 0.0, -1.0],
            "count": np.array([1, 2, 3, 4, 5, 6], dtype=np.int64),
            "flag": [True, False, True, True, False, False],
            "city": city,
            "kind": pd.Categorical(city, categories=["X", "Rome", "Bern", "Oslo"]),
            "small": np.array([1, 2, 3, 4, 5, 6], dtype=np.float32),
        }
    )


MIXED_CODES = [1, 0, -1, 0, 2, 0]


class TestArrays:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("categorical_features", [None, "from_dtype", []])
    def test_floats_are_not_copied(self, dtype, order, categorical_features):
        X = np.array([[1, 2], [nan, 4], [np.inf, -0.0]], dtype=dtype, order=order)
        X.flags.writeable = False
        reader = Reader(categorical_features).fit(X)
        for table in reader.table_, reader.read(X):
            assert table.dense.dtype == dtype
            assert np.shares_memory(table.dense, X)
            assert np.shares_memory(table.column(1), X)
            assert table.columns is None and table.csc is None
            assert not table.is_categorical.any()
            assert (table.n_rows, table.n_features) == (3, 2)
            assert np.shares_memory(table.to_matrix(), X) == (order == "C")
            assert table.to_matrix(slice(1, 3)).flags.c_contiguous
            assert_array_equal(table.to_matrix(slice(1, 3)), X[1:3])
        assert reader.is_categorical_ is None
        assert reader.encoder_.levels_ == [None, None]
        assert reader.n_features_in_ == 2

    def test_strided_view_is_not_copied(self):
        X = np.arange(24.0).reshape(6, 4)[::-2, ::3]
        assert np.shares_memory(Reader().fit(X).table_.dense, X)

    def test_read_only_memory_map(self, tmp_path):
        np.save(tmp_path / "X.npy", np.arange(6.0).reshape(3, 2))
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
        reader = Reader().fit(X)
        for table in reader.table_, reader.read(X):
            assert np.shares_memory(table.dense, X)
            assert not table.to_matrix().flags.writeable

    @pytest.mark.parametrize(
        "dtype", [np.int8, np.int64, np.uint8, bool, np.float16, ">f8", "<f8", object]
    )
    def test_other_numbers_become_float64(self, dtype):
        X = np.array([[0, 1], [1, 0]]).astype(dtype)
        reader = Reader().fit(X)
        for table in reader.table_, reader.read(X):
            assert table.dense.dtype == np.float64 and table.dense.dtype.isnative
            assert_array_equal(table.dense, [[0, 1], [1, 0]])

    def test_unaligned(self):
        X = np.zeros(5, dtype=[("_", "i1"), ("x", "f8", 2)])["x"]
        reader = Reader().fit(X)
        assert not X.flags.aligned
        assert reader.table_.dense.flags.aligned
        assert reader.read(X).dense.flags.aligned

    def test_list(self):
        reader = Reader().fit([[1, 2], [3, nan]])
        assert_array_equal(reader.table_.dense, [[1, 2], [3, nan]])

    @pytest.mark.parametrize("categorical_features", [None, [0]])
    def test_messages_are_those_of_scikit_learn(self, categorical_features):
        reader = Reader(categorical_features)
        for X, message in [
            (np.empty((0, 3)), r"0 sample\(s\) \(shape=\(0, 3\)\)"),
            (np.empty((3, 0)), r"0 feature\(s\) \(shape=\(3, 0\)\)"),
            (np.arange(3.0), "Expected 2D array, got 1D array instead"),
            (np.ones((2, 2, 2)), "Found array with dim 3"),
            (np.ones((2, 2), dtype=complex), "Complex data not supported"),
        ]:
            with pytest.raises(ValueError, match=message):
                reader.fit(X)
        reader.fit(np.ones((2, 2)))
        for X, message in [
            (np.ones((2, 3)), "X has 3 features, but Reader is expecting 2 features"),
            (np.empty((0, 2)), r"0 sample\(s\)"),
            (np.ones(2), "Expected 2D array, got 1D array instead"),
            (np.ones((2, 2), dtype=complex), "Complex data not supported"),
        ]:
            with pytest.raises(ValueError, match=message):
                reader.read(X)

    @pytest.mark.parametrize("categorical_features", [None, "from_dtype", [0]])
    @pytest.mark.parametrize("to_X", [np.array, lambda rows: rows])
    def test_strings_that_are_not_listed(self, categorical_features, to_X):
        X = to_X([["a", "b"], ["c", "d"]])
        with pytest.raises(ValueError, match="could not convert string to float"):
            Reader(categorical_features).fit(X)

    def test_objects_that_are_no_numbers(self):
        X = np.array([[1, {"a": 1}]], dtype=object)
        with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
            Reader(None).fit(X)
        with pytest.raises(TypeError, match=r"column 1 .*dict"):
            Reader([0]).fit(X)


class TestSparse:
    @pytest.mark.parametrize("format", ["csr", "csc", "bsr", "lil"])
    @pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
    def test_zeros_are_zeros(self, format, container, dtype):
        dense = np.array([[0, 1, 0], [2, 0, 0], [0, 3, 0], [4, 0, 0]], dtype=dtype)
        X = container(dense).asformat(format)
        reader = Reader().fit(X)
        for table in reader.table_, reader.read(X):
            assert table.dense is None and table.columns is None
            assert table.csc.format == "csc"
            assert table.csc.dtype == (np.float64 if dtype == np.int64 else dtype)
            assert table.to_matrix().format == "csr"
            assert_array_equal(table.to_matrix().toarray(), dense)
            assert_array_equal(table.to_matrix(slice(1, 3)).toarray(), dense[1:3])
            for j in range(3):
                assert_array_equal(table.column(j), dense[:, j])

    def test_explicit_nan_is_missing(self):
        X = sparse.csc_matrix(([nan, 1.0], ([0, 2], [0, 1])), shape=(3, 2))
        expected = [[nan, 0], [0, 0], [0, 1]]
        assert_array_equal(Reader().fit(X).table_.to_matrix().toarray(), expected)

    def test_csc_is_not_copied(self):
        X = sparse.random(20, 5, density=0.3, format="csc", random_state=0)
        assert np.shares_memory(Reader().fit(X).table_.csc.data, X.data)

    def test_duplicates_are_summed_and_indices_sorted(self):
        X = sparse.csc_matrix(
            (np.array([1.0, 2.0, 4.0]), np.array([2, 0, 2]), np.array([0, 3])),
            shape=(3, 1),
        )
        table = Reader().fit(X).table_
        assert_array_equal(table.column(0), [2, 0, 5])
        assert_array_equal(table.to_matrix().toarray()[:, 0], [2, 0, 5])
        assert_array_equal(table.csc.indices, [0, 2])
        assert_array_equal(X.data, [1, 2, 4])

    @pytest.mark.parametrize("format", ["csr", "csc"])
    def test_64_bit_indices(self, format):
        X = sparse.random(20, 5, density=0.3, format=format, random_state=0)
        X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
        reader = Reader().fit(X)
        assert_array_equal(reader.read_matrix(X), X.toarray())
        assert_array_equal(reader.table_.column(3), X.toarray()[:, 3])

    def test_listed_features(self):
        X = np.array([[0, 0.5], [0, 0], [3, 1.5], [0, 0], [3, 0]])
        reader = Reader([0]).fit(sparse.csr_matrix(X))
        assert reader.encoder_.levels_ == [[0, 3], None]
        assert_array_equal(reader.table_.column(0), [0, 0, 1, 0, 1])
        assert_array_equal(reader.table_.column(1), X[:, 1])
        assert_array_equal(
            reader.read_matrix(sparse.csc_matrix(X)), reader.read_matrix(X)
        )

    def test_pandas_sparse_frame(self):
        dense = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0]])
        X = pd.DataFrame.sparse.from_spmatrix(
            sparse.csr_matrix(dense), columns=["a", "b"]
        )
        reader = Reader().fit(X)
        assert_array_equal(reader.feature_names_in_, ["a", "b"])
        assert reader.table_.csc is not None
        assert_array_equal(reader.read_matrix(X), dense)
        # With a column of another kind beside them they are dense columns.
        X["c"] = ["u", "v", "u"]
        assert_array_equal(
            Reader().fit(X).table_.to_matrix(), np.column_stack([dense, [0, 1, 0]])
        )


class TestFrames:
    def test_columns(self, mixed, as_library):
        reader = Reader().fit(as_library(mixed))
        assert reader.is_categorical_.tolist() == [False] * 3 + [True] * 2 + [False]
        assert reader.n_features_in_ == 6
        assert reader.feature_names_in_.tolist() == mixed.columns.tolist()
        assert reader.feature_names_in_.dtype == object
        levels = ["Oslo", "Rome", "Bern"]
        assert reader.encoder_.levels_ == [None, None, None, levels, levels, None]

        table = reader.table_
        assert table.dense is None and table.csc is None
        assert table.n_levels.tolist() == [0, 0, 0, 3, 3, 0]
        dtypes = [np.float64, np.float64, np.float32, np.int32, np.int32, np.float32]
        assert [column.dtype for column in table.columns] == dtypes
        for j, name in enumerate(["age", "count", "flag"]):
            assert_array_equal(table.column(j), mixed[name].astype(float))
        assert_array_equal(table.column(3), MIXED_CODES)
        assert_array_equal(table.column(4), MIXED_CODES)

        matrix = table.to_matrix()
        assert matrix.dtype == np.float64 and matrix.flags.c_contiguous
        assert_array_equal(matrix[:, 3], [1, 0, nan, 0, 2, 0])
        assert_array_equal(table.to_matrix(slice(1, 5, 2)), matrix[1:5:2])

    @pytest.mark.parametrize("at_predict", [*LIBRARIES, "objects", "rows"])
    def test_same_by_value_in_any_library(self, mixed, as_library, at_predict):
        reader = Reader().fit(as_library(mixed))
        expected = reader.table_.to_matrix()
        objects = mixed.astype(object).to_numpy()
        X = {
            **{name: convert(mixed) for name, convert in LIBRARIES.items()},
            "objects": objects,
            "rows": objects.tolist(),
        }[at_predict]
        with warnings.catch_warnings():
            # An array has no feature names, of which scikit-learn warns.
            warnings.simplefilter(
                "ignore" if at_predict in ("objects", "rows") else "error"
            )
            assert_array_equal(reader.read_matrix(X), expected)
            for i in range(len(mixed)):
                assert_array_equal(
                    reader.read_matrix(X[i : i + 1]), expected[i : i + 1]
                )

    def test_float32_matrix(self):
        X = pd.DataFrame(
            {"a": np.array([1.5, nan], dtype=np.float32), "b": ["u", None]}
        )
        table = Reader().fit(X).table_
        assert table.to_matrix().dtype == np.float32
        assert_array_equal(table.to_matrix(), [[1.5, 0], [nan, nan]])
        table = Reader().fit(X.astype({"a": np.float64})).table_
        assert table.to_matrix().dtype == np.float64

    def test_numeric_columns_are_not_copied(self):
        arrays = {"a": np.arange(5.0), "b": np.arange(5, dtype=np.float32)}
        X = pa.table(arrays)
        table = Reader().fit(X).table_
        assert all(map(np.shares_memory, table.columns, arrays.values()))
        X = pl.DataFrame(arrays)
        table = Reader().fit(X).table_
        assert np.shares_memory(table.column(0), X["a"].to_numpy())
        X = pd.DataFrame(arrays)
        table = Reader().fit(X).table_
        assert np.shares_memory(table.column(0), X["a"].to_numpy())
        assert table.column(1).dtype == np.float32

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_pandas_frame_of_one_block_is_one_array(self, dtype):
        values = np.arange(12, dtype=dtype).reshape(4, 3)
        X = pd.DataFrame(values, columns=list("abc"))
        reader = Reader().fit(X)
        for table in reader.table_, reader.read(X):
            assert table.columns is None
            assert np.shares_memory(table.dense, X["b"].to_numpy())
            assert table.dense.dtype == dtype
            assert_array_equal(table.dense, values)

    def test_pandas_nullable_dtypes(self):
        X = pd.DataFrame(
            {
                "Int64": pd.array([1, None, 3], dtype="Int64"),
                "UInt8": pd.array([1, None, 255], dtype="UInt8"),
                "Float32": pd.array([0.5, None, 3], dtype="Float32"),
                "boolean": pd.array([True, None, False], dtype="boolean"),
                "arrow": pd.array([1, None, 3], dtype=pd.ArrowDtype(pa.int64())),
                "object": np.array([1, pd.NA, Decimal("2.5")], dtype=object),
                "None": np.array([None, None, None], dtype=object),
                "str": pd.array(["u", None, "u"], dtype="string"),
                "arrow_str": pd.array(
                    ["u", None, "u"], dtype=pd.ArrowDtype(pa.string())
                ),
                "arrow_dict": pd.array(
                    ["u", None, "u"],
                    dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())),
                ),
            }
        )
        expected = [
            [1, nan, 3],
            [1, nan, 255],
            [0.5, nan, 3],
            [1, nan, 0],
            [1, nan, 3],
            [1, nan, 2.5],
            [nan, nan, nan],
            *[[0, nan, 0]] * 3,
        ]
        reader = Reader().fit(X)
        assert_array_equal(reader.is_categorical_, [False] * 7 + [True] * 3)
        assert_array_equal(reader.table_.to_matrix().T, expected)
        assert_array_equal(reader.read_matrix(X[:2]), np.transpose(expected)[:2])
        dtypes = [column.dtype for column in reader.table_.columns[:4]]
        assert dtypes == [np.float64, np.float32, np.float32, np.float32]

    def test_polars_dtypes(self):
        X = pl.DataFrame(
            {
                "Int64": pl.Series([1, None, 3], dtype=pl.Int64),
                "UInt8": pl.Series([1, None, 255], dtype=pl.UInt8),
                "Float32": pl.Series([0.5, None, nan], dtype=pl.Float32),
                "Boolean": [True, None, False],
                "Null": [None, None, None],
                "Decimal": [Decimal("0.5"), None, Decimal("3.0")],
                "Enum": pl.Series(["u", None, "u"], dtype=pl.Enum(["v", "u"])),
                "String": ["u", None, "u"],
            }
        )
        expected = [
            [1, nan, 3],
            [1, nan, 255],
            [0.5, nan, nan],
            [1, nan, 0],
            [nan] * 3,
            [0.5, nan, 3],
            [0, nan, 0],
            [0, nan, 0],
        ]
        reader = Reader().fit(X)
        assert_array_equal(reader.is_categorical_, [False] * 6 + [True] * 2)
        assert_array_equal(reader.table_.to_matrix().T, expected)
        dtypes = [column.dtype for column in reader.table_.columns[:4]]
        assert dtypes == [np.float64, np.float32, np.float32, np.float32]

    def test_arrow_dtypes_and_chunks(self):
        def make(values, dtype):
            chunks = [pa.array(values[:1], dtype), pa.array(values[1:], dtype)]
            return pa.chunked_array(chunks, dtype)

        dictionary = pa.chunked_array(
            [
                pa.array(["u", "v"]).dictionary_encode(),
                pa.array([None, "u"]).dictionary_encode(),
            ]
        )
        X = pa.table(
            {
                "int64": make([1, None, 3, 2**60 + 1], pa.int64()),
                "uint8": make([1, None, 255, 0], pa.uint8()),
                "float16": make(
                    [np.float16(0.5), None, np.float16(3), np.float16(0)], pa.float16()
                ),
                "bool": make([True, None, False, False], pa.bool_()),
                "null": make([None] * 4, pa.null()),
                "decimal": make(
                    [Decimal("0.5"), None, None, None], pa.decimal128(5, 2)
                ),
                "large_string": make(["u", "v", None, "u"], pa.large_string()),
                "dictionary": dictionary,
            }
        )
        expected = [
            [1, nan, 3, 2.0**60],
            [1, nan, 255, 0],
            [0.5, nan, 3, 0],
            [1, nan, 0, 0],
            [nan] * 4,
            [0.5, nan, nan, nan],
            [0, 1, nan, 0],
            [0, 1, nan, 0],
        ]
        reader = Reader().fit(X)
        assert_array_equal(reader.is_categorical_, [False] * 6 + [True] * 2)
        assert_array_equal(reader.table_.to_matrix().T, expected)
        batch = X.combine_chunks().to_batches()[0]
        assert_array_equal(reader.read_matrix(batch).T, expected)
        assert Reader().fit(batch).feature_names_in_.tolist() == X.column_names

    @pytest.mark.parametrize(
        "value", [date(2020, 1, 1), datetime(2020, 1, 1, 12), [1, 2], {"a": 1}]
    )
    def test_columns_of_another_kind(self, value):
        reader = Reader().fit(pd.DataFrame({"when": [1.0]}))
        for X in (
            pd.DataFrame({"when": pd.Series([value])}),
            pl.DataFrame({"when": [value]}),
            pa.table({"when": [value]}),
        ):
            message = "Cannot use column 'when' of dtype .* drop it"
            with pytest.raises(TypeError, match=message):
                Reader().fit(X)
            with pytest.raises(TypeError, match=message):
                reader.read(X)

    @pytest.mark.parametrize("value", [date(2020, 1, 1), datetime(2020, 1, 1, 12)])
    def test_listed_dates(self, as_library, value):
        X = pd.DataFrame({"when": pd.Series([value, None, value], dtype=object)})
        reader = Reader(["when"]).fit(as_library(X))
        assert_array_equal(reader.table_.column(0), [0, -1, 0])
        assert reader.encoder_.levels_ == [[value]]
        assert_array_equal(reader.read(X).column(0), [0, -1, 0])

    @pytest.mark.parametrize("listed", ["from_dtype", ["x"]])
    def test_unhashable_values(self, listed):
        X = pd.DataFrame({"x": ["a", ["b"]]})
        with pytest.raises((TypeError, ValueError), match=r"olumn 'x' .*list"):
            Reader(listed).fit(X)

    def test_mixed_strings_and_numbers(self):
        X = pd.DataFrame({"zip": np.array([1, "1", 1.0, nan, None], dtype=object)})
        with pytest.raises(ValueError, match=r"Column 'zip' mixes strings with .* int"):
            Reader().fit(X)
        reader = Reader(["zip"]).fit(X)
        assert reader.encoder_.levels_ == [[1, "1"]]
        assert_array_equal(reader.table_.column(0), [0, 1, 0, -1, -1])
        # Missing values are not what makes a column mixed.
        X = pd.DataFrame({"zip": np.array(["1", nan, None, pd.NA], dtype=object)})
        assert_array_equal(Reader().fit(X).table_.column(0), [0, -1, -1, -1])

    @pytest.mark.parametrize("categorical_features", [None, ["b"]])
    def test_strings_that_are_not_listed(self, as_library, categorical_features):
        X = pd.DataFrame({"a": ["5", "6"], "b": [1, 2]})
        message = "could not convert string to float: '5' in column 'a' of dtype"
        with pytest.raises(ValueError, match=message):
            Reader(categorical_features).fit(as_library(X))
        with pytest.raises(ValueError, match=message):
            Reader(categorical_features).fit(as_library(X.astype({"a": "category"})))
        reader = Reader(categorical_features).fit(X.assign(a=[1.0, 2.0]))
        with pytest.raises(ValueError, match=message):
            reader.read(as_library(X))

    def test_categories_of_numbers_as_numbers(self, as_library):
        X = pd.DataFrame({"a": pd.Categorical([3, 1, None, 3], categories=[7, 3, 1])})
        reader = Reader(None).fit(X)
        assert_array_equal(reader.table_.column(0), [3, 1, nan, 3])
        if as_library is not to_polars:  # polars has categories of strings only
            assert_array_equal(reader.read(as_library(X)).column(0), [3, 1, nan, 3])

    def test_numbers_beyond_float64(self):
        X = np.array([[10**400, "u"], [1, "v"]], dtype=object)
        with pytest.raises(ValueError, match=r"too (large|big) .*in column 0"):
            Reader([1]).fit(X)

    @pytest.mark.parametrize("make", [pd.Series, pl.Series, pa.array])
    def test_a_single_column(self, make):
        with pytest.raises(ValueError, match=r"Expected (a 2|2D)"):
            Reader().fit(make([1.0, 2.0]))

    def test_lazy_frame(self):
        with pytest.raises(TypeError, match="collect"):
            Reader().fit(pl.LazyFrame({"a": [1]}))

    def test_libraries_are_not_imported(self):
        code = (
            "import sys\n"
            "import numpy as np\n"
            "from sklearn.base import BaseEstimator\n"
            "from sklearnx._boosting.encoding import TableEncoder\n"
            "known = set(sys.modules)\n"
            "estimator = BaseEstimator()\n"
            "encoder = TableEncoder([0])\n"
            "encoder.fit_transform(np.eye(3), estimator)\n"
            "encoder.transform([['a', 1, None]] * 3, estimator)\n"
            "new = set(sys.modules) - known\n"
            "assert not {'pandas', 'polars', 'pyarrow'} & new, new\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestNames:
    def test_order_and_names_are_checked(self, mixed, as_library):
        reader = Reader().fit(as_library(mixed))
        message = "feature names should match those that were passed during fit"
        for X in mixed.rename(columns={"age": "years"}), mixed[mixed.columns[::-1]]:
            with pytest.raises(ValueError, match=message):
                reader.read(as_library(X))
        with pytest.raises(ValueError, match=message):
            reader.read(as_library(mixed.drop(columns="age")))

    def test_array_after_frame_warns(self):
        reader = Reader().fit(pd.DataFrame({"a": [1.0, 2.0]}))
        message = "X does not have valid feature names, but Reader was fitted with"
        for X in np.ones((1, 1)), [[1.0]]:
            with pytest.warns(UserWarning, match=message):
                reader.read(X)

    def test_frame_after_array_warns(self, as_library):
        reader = Reader().fit(np.ones((2, 1)))
        with pytest.warns(UserWarning, match="X has feature names, but Reader was"):
            reader.read(as_library(pd.DataFrame({"a": [1.0]})))

    def test_names_that_are_no_strings(self):
        reader = Reader().fit(pd.DataFrame([[1.0, 2.0]]))
        assert not hasattr(reader, "feature_names_in_")
        assert_array_equal(reader.read(pd.DataFrame([[1.0, 2.0]])).dense, [[1, 2]])
        with pytest.raises(ValueError, match="X has 1 features, but Reader is"):
            reader.read(pd.DataFrame([[1.0]]))
        with pytest.raises(TypeError, match="only supported if all input features"):
            Reader().fit(pd.DataFrame([[1.0, 2.0]], columns=["a", 0]))

    def test_names_are_forgotten_at_refit(self, as_library):
        reader = Reader().fit(as_library(pd.DataFrame({"a": [1.0]})))
        assert not hasattr(reader.fit([[1.0]]), "feature_names_in_")

    def test_repeated_names(self):
        message = r"several columns of the same name: \['a'\]"
        X = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["a", "b", "a"])
        with pytest.raises(ValueError, match=message):
            Reader().fit(X)
        with pytest.raises(ValueError, match=message):
            Reader().fit(pa.table([pa.array([1.0])] * 2, names=["a", "a"]))

    def test_empty_frames(self, as_library):
        X = pd.DataFrame({"a": [1.0], "b": ["u"]})
        with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 2\)\)"):
            Reader().fit(as_library(X[:0]))
        reader = Reader().fit(as_library(X))
        with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 2\)\)"):
            reader.read(as_library(X[:0]))
        with pytest.raises(ValueError, match=r"0 (feature|sample)\(s\)"):
            Reader().fit(as_library(X[[]]))


class TestCategoricalFeatures:
    @pytest.mark.parametrize(
        "listed, message",
        [
            (
                [b"hello", b"world"],
                "categorical_features must be an array-like of bool, int or str, got: "
                "bytes40.",
            ),
            (
                np.array([b"hello", 1.3], dtype=object),
                "categorical_features must be an array-like of bool, int or str, got: "
                "bytes, float.",
            ),
            (
                [0.5],
                "categorical_features must be an array-like of bool, int or str, got: "
                "float64.",
            ),
            (
                [0, -1],
                "categorical_features set as integer indices must be in "
                "[0, n_features - 1]",
            ),
            (
                [0, 3],
                "categorical_features set as integer indices must be in "
                "[0, n_features - 1]",
            ),
            (
                [True, False],
                "categorical_features set as a boolean mask must have shape "
                "(n_features,), got: (2,)",
            ),
        ],
    )
    @pytest.mark.parametrize("container", [np.asarray, pd.DataFrame])
    def test_messages(self, listed, message, container):
        X = container(np.ones((4, 3)))
        with pytest.raises(ValueError, match=re.escape(message)):
            Reader(listed).fit(X)

    def test_messages_about_names(self, as_library):
        X = pd.DataFrame({"f0": [1, 2], "f1": [1, 2]})
        message = (
            "categorical_features has an item value 'f3' which is not a valid feature "
            "name of the training data. Observed feature names: ['f0', 'f1']"
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            Reader(["f0", "f3"]).fit(as_library(X))
        message = (
            "categorical_features should be passed as an array of integers or as a "
            "boolean mask when the model is fitted on data without feature names."
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            Reader(["f0"]).fit(X.to_numpy())

    @pytest.mark.parametrize(
        "listed",
        [
            [False, True, True],
            [1, 2],
            np.array([2, 1], dtype=np.uint8),
            ["b", "c"],
            np.array(["b", "c"], dtype=object),
            ("c", "b"),
        ],
    )
    def test_ways_to_list(self, listed, as_library):
        X = as_library(pd.DataFrame({"a": [1, 2], "b": [1, 1], "c": [5, 5]}))
        reader = Reader(listed).fit(X)
        assert reader.is_categorical_.tolist() == [False, True, True]
        assert reader.is_categorical_.dtype == bool
        assert reader.encoder_.levels_ == [None, [1], [5]]

    @pytest.mark.parametrize("listed", [[], [False, False], None])
    def test_none(self, listed):
        X = pd.DataFrame({"a": [1, 2], "b": [1.5, 1]})
        assert Reader(listed).fit(X).is_categorical_ is None
        assert Reader(listed).fit(X.to_numpy()).is_categorical_ is None

    def test_dense_array(self):
        X = np.array([[5, 0.5], [-1, 1.5], [nan, nan], [7, 1.0], [7.0, 2]])
        reader = Reader([0]).fit(X)
        for table in reader.table_, reader.read(X):
            assert table.dense is None
            assert table.is_categorical.tolist() == [True, False]
            assert_array_equal(table.column(0), [1, -1, -1, 0, 0])
            assert np.shares_memory(table.column(1), X)
        assert reader.encoder_.levels_ == [[7, 5], None]

    @pytest.mark.parametrize("n_rows", [4, 40])
    def test_numeric_columns_of_frames(self, as_library, n_rows):
        columns = {
            "int": pd.array([7, 5, None, 7], dtype="Int64"),
            "bool": pd.array([True, False, None, True], dtype="boolean"),
            "float": pd.array([0.5, -1.5, None, 0.5], dtype="float64"),
            "none": pd.array([None] * 4, dtype=object),
        }
        X = pd.concat([pd.DataFrame(columns)] * (n_rows // 4), ignore_index=True)
        reader = Reader(list(columns)).fit(as_library(X))
        assert reader.encoder_.levels_ == [[7, 5], [True, False], [0.5], []]
        codes = np.array([[0, 0, 0, -1], [1, 1, -1, -1], [-1] * 4, [0, 0, 0, -1]])
        for table in reader.table_, reader.read(as_library(X)), reader.read(X):
            assert_array_equal(np.transpose(table.columns)[:4], codes)
        # The same values as strings are other levels.
        strings = X.astype("string")
        assert_array_equal(np.concatenate(reader.read(strings).columns), -1)

    def test_objects_of_polars(self):
        X = pl.DataFrame({"a": pl.Series([1, "u", None], dtype=pl.Object)})
        assert Reader(["a"]).fit(X).encoder_.levels_ == [[1, "u"]]

    def test_integers_are_not_rounded(self):
        X = np.array([[2**53], [2**53 + 1], [2**53 + 1]])
        reader = Reader([0]).fit(X)
        assert reader.encoder_.levels_ == [[2**53 + 1, 2**53]]
        assert_array_equal(reader.read(pd.DataFrame(X)).column(0), [1, 0, 0])

    @pytest.mark.parametrize(
        "values, dtype",
        [
            ([127, -128, 0, 127], np.int8),
            ([2**64 - 1, 0, 2**64 - 1], np.uint64),
            ([2**64 - 1, 2**64 - 2, 2**64 - 1], np.uint64),
            ([2**63 - 1, -(2**63), 2**63 - 1], np.int64),
            ([np.inf, 0.5, np.inf, -np.inf], np.float64),
            ([0.5, 1.5, 1.5], np.float32),
            ([1e17, 1e17 + 16, 1e17], np.float64),
            ([True, False, True], bool),
        ],
    )
    def test_numbers_of_any_size(self, values, dtype):
        reader = Reader([0]).fit(np.array(values, dtype=dtype)[:, None])
        (levels,) = reader.encoder_.levels_
        codes = reader.table_.column(0)
        decoded = [None if code < 0 else levels[code] for code in codes]
        assert decoded == [None if value < 0 else value for value in values]
        assert levels[0] == max(values, key=values.count)

    def test_all_sorts_of_arrays(self):
        rows = [["u", 1, 0.5], ["v", 2, None], ["v", 1.0, 1]]
        expected = [[1, 0, 0.5], [0, 1, nan], [0, 0, 1]]
        reader = Reader([0, 1]).fit(rows)
        assert reader.encoder_.levels_ == [["v", "u"], [1, 2], None]
        for X in (
            rows,
            np.array(rows, dtype=object),
            pd.DataFrame(rows),
            pl.DataFrame(rows, orient="row", strict=False).to_pandas(),
        ):
            assert_array_equal(
                reader.read_matrix(np.asarray(X, dtype=object)), expected
            )
        # An array of strings is read as numbers where no category is.
        reader = Reader([0]).fit(np.array([["u", "1.5"], ["v", "nan"]]))
        assert_array_equal(reader.table_.to_matrix(), [[0, 1.5], [1, nan]])

    def test_ragged_rows(self):
        with pytest.raises(ValueError, match=r"inhomogeneous|2D array"):
            Reader([0]).fit([["u", 1], ["v"]])

    def test_values_of_a_category_dtype(self):
        stamps = pd.to_datetime(["2020-01-01", "2021-01-01", "2021-01-01"])
        intervals = pd.cut([1, 5, 5], [0, 3, 6])
        X = pd.DataFrame(
            {
                "bool": pd.Categorical([True, False, False]),
                "int": pd.Categorical([-4, 3, 3]),
                "float": pd.Categorical([0.5, -1.5, -1.5]),
                "stamp": pd.Categorical(stamps),
                "interval": intervals,
            }
        )
        reader = Reader().fit(X)
        for column in reader.table_.columns:
            # Negative numbers that a dtype lists as categories are categories.
            assert_array_equal(column, [1, 0, 0])
        large = pd.concat([X.astype(object)] * 10).astype("category")
        for Z in X, X.astype(object), X[::-1][::-1], large[:3]:
            assert_array_equal(reader.read_matrix(Z), reader.table_.to_matrix())
        assert reader.encoder_.levels_[3] == [stamps[1], stamps[0]]
        assert reader.encoder_.levels_[4] == [intervals[1], intervals[0]]


class TestLevels:
    def test_numbered_by_count_then_first_row(self):
        X = [[v] for v in "ddbbaccc"]
        reader = Reader([0]).fit(X)
        assert reader.encoder_.levels_ == [["c", "d", "b", "a"]]
        assert_array_equal(reader.table_.column(0), [1, 1, 2, 2, 3, 0, 0, 0])

    def test_names_and_order_of_levels_do_not_matter(self):
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, 50, 400)
        expected = Reader().fit(pd.DataFrame({"a": drawn.astype(str)})).table_.column(0)
        for seed in range(5):
            names = np.random.default_rng(seed).permutation(1000)[:50].astype(str)
            strings = names[drawn]
            category = pd.Categorical(strings, categories=rng.permutation(names))
            for X in (
                pd.DataFrame({"a": strings}),
                pd.DataFrame({"a": category}),
                pl.DataFrame({"a": pl.Series(strings, dtype=pl.Enum(names.tolist()))}),
                pa.table({"a": pa.array(strings.tolist()).dictionary_encode()}),
            ):
                assert_array_equal(Reader().fit(X).table_.column(0), expected)

    def test_weight_is_repetition(self):
        rng = np.random.default_rng(0)
        X = rng.choice(list("abcdefgh"), size=(60, 1)).astype(object)
        weight = rng.integers(0, 3, 60)
        weight[X[:, 0] == "c"] = 0
        weighted = Reader([0]).fit(X, sample_weight=weight.astype(float))
        repeated = Reader([0]).fit(np.repeat(X, weight, axis=0))
        assert weighted.encoder_.levels_ == repeated.encoder_.levels_
        assert "c" not in weighted.encoder_.levels_[0]
        assert_array_equal(weighted.table_.column(0)[X[:, 0] == "c"], -1)
        assert_array_equal(
            np.repeat(weighted.table_.column(0), weight), repeated.table_.column(0)
        )

    def test_sums_of_weights_do_not_depend_on_the_order_of_rows(self):
        # 0.1 + 0.2 + 0.3 differs from 0.3 + 0.2 + 0.1 in the last bit.
        X = [[v] for v in "aaabbb"]
        for weight in [0.1, 0.2, 0.3, 0.3, 0.2, 0.1], [0.3, 0.2, 0.1, 0.1, 0.2, 0.3]:
            reader = Reader([0]).fit(X, sample_weight=np.array(weight))
            assert reader.encoder_.levels_ == [["a", "b"]]

    @pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e300])
    def test_weights_of_any_scale(self, scale):
        weight = np.array([1.0, 2.0, 1.5]) * scale
        reader = Reader([0]).fit([["a"], ["b"], ["c"]], sample_weight=weight)
        assert reader.encoder_.levels_ == [["b", "c", "a"]]

    def test_all_weights_zero(self):
        reader = Reader([0]).fit([["a"], ["b"]], sample_weight=np.zeros(2))
        assert reader.encoder_.levels_ == [[]]
        assert_array_equal(reader.table_.column(0), [-1, -1])

    def test_all_missing(self, as_library):
        X = pd.DataFrame(
            {
                "a": pd.Series([None, None], dtype="string"),
                "b": pd.Categorical([None, None], categories=["u"]),
            }
        )
        reader = Reader().fit(as_library(X))
        assert reader.encoder_.levels_ == [[], []]
        assert_array_equal(reader.table_.to_matrix(), np.full((2, 2), nan))
        assert_array_equal(reader.read_matrix(as_library(X)), np.full((2, 2), nan))

    def test_many_levels(self, as_library):
        values = [f"level {i}" for i in range(20_000)]
        X = as_library(pd.DataFrame({"a": values + values[:10_000]}))
        reader = Reader().fit(X)
        assert reader.encoder_.levels_ == [values]
        codes = np.r_[:20_000, :10_000]
        assert_array_equal(reader.table_.column(0), codes)
        assert_array_equal(reader.read(X).column(0), codes)
        assert_array_equal(reader.read(X[29_999:]).column(0), codes[29_999:])

    @pytest.mark.parametrize("repeat", [1, 5000])
    def test_unknown_levels(self, mixed, as_library, repeat):
        columns = mixed[["city", "kind"]]
        reader = Reader().fit(as_library(columns))
        # A dtype of other levels in another order, and plain strings.
        city = ["Ulm", "Bern", None, "Oslo"] * repeat
        category = pd.Categorical(city, categories=["Nice", "Ulm", "Oslo", "Bern"])
        X = as_library(pd.DataFrame({"city": category, "kind": city}))
        codes = [-1, 2, -1, 0] * repeat
        assert_array_equal(reader.read(X).column(0), codes)
        assert_array_equal(reader.read(X).column(1), codes)

        strict = Reader(handle_unknown="error").fit(as_library(columns))
        with pytest.raises(ValueError, match=r"categories \['Ulm'\] in column 'city'"):
            strict.read(X)
        # Levels that no row has are no error, nor are missing values.
        known = pd.Categorical(["Bern", None], categories=["Ulm", "Bern"])
        X = as_library(pd.DataFrame({"city": known, "kind": known}))
        assert_array_equal(strict.read(X).column(0), [2, -1])

    def test_unknown_numbers(self):
        reader = Reader([0], handle_unknown="error").fit([[1, 0], [2, 0]])
        X = np.array([[-3, 0], [nan, 0], [2, 0]])
        assert_array_equal(reader.read(X).column(0), [-1, -1, 1])
        X = np.arange(12.0).reshape(6, 2) * 1.5
        with pytest.raises(
            ValueError, match=r"\[0.0, 3.0, 6.0, 9.0, 12.0, ...\] in column 0\."
        ):
            reader.read(X)

    def test_pickle(self, mixed):
        reader = Reader().fit(mixed)
        copy = pickle.loads(pickle.dumps(reader.encoder_))
        assert_array_equal(
            copy.transform(mixed, reader).to_matrix(), reader.table_.to_matrix()
        )


strings = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=3))
columns = st.sampled_from(["float", "float32", "int", "bool", "string", "category"])


@st.composite
def frames(draw):
    """Draw a pandas frame of any kinds of columns, and weights of its rows."""
    n_rows = draw(st.integers(1, 12))

    def rows(values):
        return draw(st.lists(values, min_size=n_rows, max_size=n_rows))

    data = {}
    for j, kind in enumerate(draw(st.lists(columns, min_size=1, max_size=5))):
        if kind in ("float", "float32"):
            dtype = np.float64 if kind == "float" else np.float32
            values = np.array(rows(st.floats(width=32)), dtype=dtype)
        elif kind == "int":
            values = np.array(rows(st.integers(-(2**62), 2**62)), dtype=np.int64)
        elif kind == "bool":
            values = np.array(rows(st.booleans()))
        else:
            values = pd.Series(rows(strings), dtype="string")
            if kind == "category":
                known = [value for value in values.unique() if value is not pd.NA]
                known = draw(st.permutations([*known, "not there"]))
                known = list(dict.fromkeys(known))
                values = pd.Categorical(values, categories=known)
        data[f"c{j}"] = values
    return pd.DataFrame(data), rows(st.integers(0, 2))


@settings(deadline=None, max_examples=60)
@given(frames())
def test_any_frame_reads_the_same(drawn):
    X, weight = drawn
    weight = np.array(weight)
    weighted = Reader().fit(X, sample_weight=weight)
    matrix = weighted.table_.to_matrix()
    for convert in to_polars, to_arrow:
        other = Reader().fit(convert(X), sample_weight=weight)
        assert other.encoder_.levels_ == weighted.encoder_.levels_
        assert_array_equal(other.table_.to_matrix(), matrix)
        assert_array_equal(weighted.read_matrix(convert(X)), matrix)
    assert_array_equal(weighted.read_matrix(X), matrix)

    for j, levels in enumerate(weighted.encoder_.levels_):
        column, values = weighted.table_.column(j), X.iloc[:, j]
        if levels is None:
            assert_array_equal(column, values.astype(np.float64))
            continue
        for code, value, is_missing, row_weight in zip(
            column, values, values.isna(), weight
        ):
            if code >= 0:
                assert levels[code] == value
            else:
                assert is_missing or row_weight == 0 or value not in levels
    if weight.any():
        repeated = Reader().fit(X.iloc[np.repeat(np.arange(len(X)), weight)])
        assert repeated.encoder_.levels_ == weighted.encoder_.levels_


@pytest.mark.skipif(SKLEARN_VERSION < (1, 9), reason="scikit-learn 1.9's own function")
@pytest.mark.parametrize(
    "listed",
    [
        [b"a"],
        [0, 4],
        [-1],
        [True],
        ["z"],
        [1.5],
        np.array(["a", 1], dtype=object),
        [0, 2],
        [True, False, True],
        ["c"],
        [],
        [False] * 3,
    ],
)
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, "named"])
def test_listing_agrees_with_scikit_learn(listed, container):
    from sklearn.utils.validation import _check_categorical_features

    X = np.ones((4, 3))
    if container == "named":
        X = pd.DataFrame(X, columns=["a", "b", "c"])
    else:
        X = container(X)
    try:
        expected = _check_categorical_features(X, listed)
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            Reader(listed).fit(X)
    else:
        found = Reader(listed).fit(X).is_categorical_
        assert (found is None) == (expected is None)
        if expected is not None:
            assert_array_equal(found, expected)
