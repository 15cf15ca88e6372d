"""Rows of data with all that belongs to them."""

import numpy as np

from sklearnx._compat import select_rows


class Rows:
    """Some rows: features, target, weights and offset.

    Parameters
    ----------
    table : Table
        Features of all rows, as the engine reads them.
    X : array-like
        Features of all rows, as the user gave them and scorers get them.
    y : float64 array of shape (n_rows,) or (n_rows, n_outputs)
        Target of these rows, as losses read it; by column if there are several.
    labels : array of the same shape
        Target of these rows, as the user gave it.
    sample_weight : float64 array of shape (n_rows,) or None
    offset : float64 array of shape (n_outputs, n_rows) or None
        Raw scores that the model is added to.
    index : int64 array of shape (n_rows,) or None
        Which rows of `table` and `X` these are; None means all.
    """

    def __init__(self, table, X, y, labels, sample_weight, offset, index=None):
        self.table = table
        self._X = X
        self.y = y
        self.labels = labels
        self.sample_weight = sample_weight
        self.offset = offset
        self.index = index

    def __len__(self):
        return len(self.y)

    def count(self):
        """Return the number of rows, those of whole weights counted so many times."""
        weight = self.sample_weight
        if weight is None or (weight != np.floor(weight)).any():
            return len(self)
        # Infinite if weights are huge.
        with np.errstate(over="ignore"):
            return weight.sum()

    @property
    def X(self):
        """The features as the user gave them."""
        return self._X if self.index is None else select_rows(self._X, self.index)

    def with_table(self, table):
        """Return the same rows with their features in another table."""
        return Rows(
            table,
            self._X,
            self.y,
            self.labels,
            self.sample_weight,
            self.offset,
            self.index,
        )

    def take(self, positions):
        """Return some of these rows; None means all."""
        if positions is None:
            return self
        index = positions if self.index is None else self.index[positions]
        weight, offset = self.sample_weight, self.offset
        return Rows(
            self.table,
            self._X,
            np.asfortranarray(self.y[positions]),
            self.labels[positions],
            None if weight is None else weight[positions],
            None if offset is None else np.ascontiguousarray(offset[:, positions]),
            index,
        )

    def drop_weightless(self):
        """Return the rows whose weight is not zero.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.sample_weight is None or np.all(self.sample_weight > 0):
            return self
        positions = np.flatnonzero(self.sample_weight)
        if len(positions) == 0:
            raise ValueError(
                "sample_weight is zero for all training rows, once the rows set aside "
                "for validation are left out."
            )
        return self.take(positions)

    def to_matrix(self):
        """Return the features as a C-contiguous array for the predictor."""
        return self.table.to_matrix(slice(None) if self.index is None else self.index)

    def predict_raw(self, model, n_threads, matrix=None):
        """Return the raw scores of these rows, of shape (n_outputs, n_rows).

        Parameters
        ----------
        model : BoostedTrees
        n_threads : int
        matrix : array or None
            What `to_matrix` returned, if it has been called.
        """
        raw = model.make_raw(len(self), self.offset)
        if model.n_trees > 0:
            matrix = self.to_matrix() if matrix is None else matrix
            model.add_iterations(matrix, raw, 0, model.n_iter, n_threads)
        return raw
