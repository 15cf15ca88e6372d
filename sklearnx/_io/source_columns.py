"""What another library makes of the columns before its trees compare them."""

import numpy as np

from sklearnx._boosting.encoding import UNKNOWN, Table, round_to_float32


class SourceColumns:
    """The columns as the trees of another library compare them.

    It stands where `DerivedColumns` stands in models of ours. Subclasses add columns.

    Parameters
    ----------
    n_features : int
    rounds_to_float32 : bool, default=False
        Whether numbers are rounded before they are compared.
    zero_is_missing : int array, default=()
        Columns of numbers that are missing if they are zero, or as good as zero.
    has_unknown : bool, default=False
        Whether trees know levels that fit did not see from missing ones: a level
        behind the others, for an encoder whose `handle_unknown` is 'unknown'.
    missing_value : float or None, default=None
        A number that is missing in all columns of numbers, besides NaN.
    """

    # What is so near to zero is zero (kZeroThreshold of LightGBM).
    ZERO = float(np.float32(1e-35))
    columns_: tuple = ()

    def __init__(
        self,
        n_features,
        *,
        rounds_to_float32=False,
        zero_is_missing=(),
        has_unknown=False,
        missing_value=None,
    ):
        self.n_features = n_features
        self.features = np.empty(0, dtype=np.int64)
        self._rounds_to_float32 = rounds_to_float32
        self._zero_is_missing = np.asarray(zero_is_missing, dtype=np.int64)
        self._has_unknown = has_unknown
        self._missing_value = missing_value

    @property
    def n_columns(self):
        """Columns of an extended table."""
        return self.n_features + len(self.columns_)

    @property
    def zero_columns(self):
        """Columns of numbers that are missing if they are zero."""
        return self._zero_is_missing

    @property
    def has_unknown(self):
        """Whether trees know levels that fit did not see from missing ones."""
        return self._has_unknown

    @property
    def missing_value(self):
        """A number that is missing in all columns of numbers, or None."""
        return self._missing_value

    @property
    def only_zeros_differ(self):
        """Whether all other columns are compared as they are."""
        return (
            len(self.columns_) == 0
            and not self._rounds_to_float32
            and not self._has_unknown
            and self._missing_value is None
        )

    def extend(self, table, n_threads=1):
        """Return the table as trees ask for it."""
        reads_values = len(self._zero_is_missing) > 0 or self._missing_value is not None
        if table.columns is None and not reads_values:
            return table.rounded() if self._rounds_to_float32 else table
        columns = [self._read(table, j) for j in range(table.n_features)]
        return Table(
            table.n_rows,
            table.n_features,
            columns=columns,
            is_categorical=table.is_categorical,
            n_levels=table.n_levels + (self._has_unknown & table.is_categorical),
        )

    def _read(self, table, j):
        column = table.column(j)
        if table.is_categorical[j]:
            if self._has_unknown:
                column = np.where(column == UNKNOWN, table.n_levels[j], column)
            return column.astype(np.int32, copy=False)
        if self._rounds_to_float32:
            column = round_to_float32(column)
        if j in self._zero_is_missing:
            column = np.where(np.abs(column) <= self.ZERO, np.nan, column)
        if self._missing_value is not None:
            column = np.where(column == self._missing_value, np.nan, column)
        return column

    @property
    def reads_rows(self):
        """Whether `describe_rows` tells all that `extend` does."""
        return len(self.columns_) == 0 and self._missing_value is None

    def describe_rows(self):
        """Return what RowPredictor needs to read one row: combinations, options."""
        return [], {
            "rounds_to_float32": self._rounds_to_float32,
            "zero_is_missing": self._zero_is_missing.tolist(),
            "zero": self.ZERO,
        }

    def count_levels(self, n_levels):
        """Return the number of levels of each column of extended tables.

        Raises
        ------
        ValueError
            If the columns, which may come from a file, are not those of X.
        """
        zeros = self._zero_is_missing
        if (
            self.n_features != len(n_levels)
            or not ((zeros >= 0) & (zeros < self.n_features)).all()
        ):
            raise ValueError("The model is damaged: it has other columns than X.")
        known = n_levels + (self._has_unknown & (n_levels > 0))
        return np.append(known, np.zeros(len(self.columns_), dtype=np.int64))

    def name_columns(self, names):
        """Return what to call the columns behind those of the table: none."""
        return []

    def share_out(self, sums, splits_evenly):
        """Return sums by column as they are: each stands for itself."""
        return sums
