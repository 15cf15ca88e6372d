"""Stochastic gradient descent: one linear model for each output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearnx._cython.linear.sgd import (
    CONVERGED,
    LEARNING_RATES,
    LOSSES,
    OVERFLOW,
    descend,
)

# Intercepts of sparse tables learn this much slower: most rows change every intercept
# and few of the coefficients, which makes them oscillate.
SPARSE_INTERCEPT_DECAY = 0.01
# Multiplications in an epoch that are worth waking a thread for.
WORK_PER_THREAD = 1 << 15


@dataclass(frozen=True)
class DescentOptions:
    """How to descend; what the kernel reads, number by number."""

    loss: int
    epsilon: float
    alpha: float
    l2: float
    l1: float
    learning_rate: int
    eta0: float
    power_t: float
    fit_intercept: bool
    intercept_decay: float
    average: int
    shuffle: bool
    seed: int
    first_t: float
    max_iter: int
    tol: float
    n_iter_no_change: int
    verbose: bool


def make_options(
    *, loss, epsilon, penalty, alpha, l1_ratio, learning_rate, tol, average, **others
):
    """Options from the parameters of an estimator.

    Parameters
    ----------
    loss, penalty, learning_rate : str
        By their names in scikit-learn; `penalty` may be None.

    tol : float or None

    average : bool or int

    **others
        As in `DescentOptions`.
    """
    # The perceptron's loss is a hinge at 0.
    threshold = {"hinge": 1.0, "perceptron": 0.0}.get(loss, epsilon)
    l1_share = {None: 0.0, "l2": 0.0, "l1": 1.0, "elasticnet": l1_ratio}[penalty]
    strength = 0.0 if penalty is None else float(alpha)
    return DescentOptions(
        loss=LOSSES["hinge" if loss == "perceptron" else loss],
        epsilon=float(threshold),
        alpha=float(alpha),
        l2=strength * (1.0 - l1_share),
        l1=strength * l1_share,
        learning_rate=LEARNING_RATES[learning_rate],
        tol=-np.inf if tol is None else float(tol),
        average=int(average),
        **others,
    )


@dataclass
class Descent:
    """Where a descent is; one row for each output.

    Attributes
    ----------
    coef : ndarray of shape (n_outputs, n_columns), float64
    intercept : ndarray of shape (n_outputs,), float64
    average_coef, average_intercept : ndarray or None
        The means over all updates from the first one averaged; None without averaging.
    n_iter : int
        Epochs of the output that took the most.
    has_converged : bool
        Whether all outputs did.
    """

    coef: np.ndarray
    intercept: np.ndarray
    average_coef: np.ndarray | None = None
    average_intercept: np.ndarray | None = None
    n_iter: int = 0
    has_converged: bool = False

    def run(
        self,
        X,
        targets: np.ndarray,
        sample_weight: np.ndarray | None,
        is_held_back: np.ndarray | None,
        options: DescentOptions,
        classes: np.ndarray | None = None,
        n_threads: int = 1,
        report: Callable | None = None,
    ) -> None:
        """Go on with the descent.

        Parameters
        ----------
        X : ndarray or CSR of shape (n_rows, n_columns)
            Of float32 or float64. Copied only where the columns of a row are not
            neighbours.

        targets : ndarray of shape (n_rows,)
            The code of the class of each row, or the numbers to predict.

        sample_weight : ndarray of shape (n_rows,) or None

        is_held_back : ndarray of shape (n_rows,), bool, or None
            Rows to stop by, and not to learn from.

        options : DescentOptions

        classes : ndarray of shape (n_outputs, 3) or None
            The code that is positive and the weights of positive and negative rows, of
            each output; None for regression.

        n_threads : int

        report : callable or None
            Gets a dict after each epoch of each output if ``options.verbose``.

        Raises
        ------
        ValueError
            On overflow.
        """
        values, columns, offsets = read_table(X)
        n_outputs = len(self.coef)
        rows = np.arange(X.shape[0], dtype=np.int32)
        held_back = rows[:0]
        if is_held_back is not None:
            rows, held_back = rows[~is_held_back], rows[is_held_back]
        n_iter = np.zeros(n_outputs, dtype=np.int32)
        status = np.zeros(n_outputs, dtype=np.int32)
        if values.size * n_outputs < WORK_PER_THREAD * n_threads:
            n_threads = 1
        descend(
            values,
            columns,
            offsets,
            np.ascontiguousarray(targets, dtype=np.float64),
            _as_doubles(sample_weight),
            rows,
            held_back,
            options,
            _as_doubles(classes),
            self.coef,
            self.intercept,
            self.average_coef,
            self.average_intercept,
            n_iter,
            status,
            report or _ignore,
            n_threads,
        )
        has_overflow = status == OVERFLOW
        if has_overflow.any():
            raise ValueError(
                "Floating-point under-/overflow occurred at epoch"
                f" #{n_iter[has_overflow].min()}. Scaling input data with"
                " StandardScaler or MinMaxScaler might help."
            )
        self.n_iter = int(n_iter.max())
        self.has_converged = bool((status == CONVERGED).all())


def read_table(X):
    """The arrays of a table as `descend` takes them: values, columns, offsets."""
    if not sparse.issparse(X):
        if X.strides[1] != X.itemsize or X.strides[0] % X.itemsize:
            X = np.ascontiguousarray(X)
        return X, None, None
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return (
        X.data[None, :],
        X.indices.astype(np.int32, copy=False),
        X.indptr.astype(np.int64, copy=False),
    )


def _as_doubles(array):
    return None if array is None else np.ascontiguousarray(array, dtype=np.float64)


def _ignore(report):
    """Python looks for interrupts whenever it is called."""
