"""Factorisations of small matrices, by LAPACK on one thread or, the smallest, our own.

BLAS with several threads adds up in another order, so that its bits depend on their
number. The limit of threadpoolctl holds for the whole process; it is set by the first
caller that needs it and lifted by the last.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager

import numpy as np
import scipy.linalg
from threadpoolctl import ThreadpoolController

from sklearnx._cython.common.small_matrices import factor_upper, multiply, solve_upper

# Rows up to which our own Cholesky factors take less time than to set BLAS's threads,
# and multiplications up to which plain loops do.
MAX_OWN_ROWS = 160
MAX_OWN_PRODUCT = 50_000

LinAlgError = np.linalg.LinAlgError

_changed = threading.Condition()
_state = {"libraries": None, "n_threads": None, "n_users": 0}
_own = threading.local()


def _wait_for_users():
    """Hold back a fork until no other thread is inside of BLAS, nor may enter it.

    A child would find its locks held by threads that it does not have.
    """
    _changed.acquire()
    while _state["n_users"] > getattr(_own, "depth", 0):
        _changed.wait()


def _forget_users():
    """Start anew in a forked child."""
    if _state["n_users"] > 0:
        _state["n_users"] = 0
        _own.depth = 0
        _set_blas_threads(_state["n_threads"])
    _changed.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_wait_for_users,
        after_in_parent=_changed.release,
        after_in_child=_forget_users,
    )


def _set_blas_threads(n_threads):
    """Set the number of threads of each library."""
    for library, n in zip(_state["libraries"], n_threads):
        # From threadpoolctl 3.7 on, one thread at a time may change it, and calls of
        # others do nothing; ours has to hold whoever made the last change.
        release = getattr(library, "clear_controlling_thread", None)
        if release is not None:
            release(force=True)
        library.set_num_threads(n)
        if release is not None:
            release(force=True)


@contextmanager
def one_blas_thread():
    """Let BLAS and LAPACK use one thread inside the block, whoever else is in one."""
    with _changed:
        if _state["libraries"] is None:
            # NumPy's and SciPy's are loaded by now.
            controller = ThreadpoolController().select(user_api="blas")
            _state["libraries"] = controller.lib_controllers
        if _state["n_users"] == 0:
            _state["n_threads"] = [
                library.get_num_threads() for library in _state["libraries"]
            ]
            _set_blas_threads([1] * len(_state["libraries"]))
        _state["n_users"] += 1
        _own.depth = getattr(_own, "depth", 0) + 1
    try:
        yield
    finally:
        with _changed:
            _own.depth = max(0, _own.depth - 1)
            _state["n_users"] = max(0, _state["n_users"] - 1)
            if _state["n_users"] == 0:
                _set_blas_threads(_state["n_threads"])
            _changed.notify_all()


def check_finite(A):
    """Raise LinAlgError where LAPACK would only say that it failed."""
    if not np.isfinite(A).all():
        raise LinAlgError(
            "Numbers overflow in sums of squares: scale the features, the target or "
            "sample_weight."
        )


def cholesky(A):
    """The lower factor of a symmetric positive definite matrix.

    Raises LinAlgError if the matrix is not positive definite.
    """
    if len(A) > MAX_OWN_ROWS:
        with one_blas_thread():
            return scipy.linalg.cholesky(A, lower=True, check_finite=False)
    upper = np.array(A, dtype=np.float64, order="C")
    if not factor_upper(upper):
        raise LinAlgError("The matrix is not positive definite.")
    return upper.T


def solve_factored(factor, B):
    """Solve A X = B, given the lower factor of A."""
    if len(factor) > MAX_OWN_ROWS:
        with one_blas_thread():
            return scipy.linalg.cho_solve((factor, True), B, check_finite=False)
    solution = np.array(B, dtype=np.float64, order="C")
    if solution.size == 0:
        return solution
    solve_upper(
        np.ascontiguousarray(factor.T, dtype=np.float64),
        solution.reshape(len(solution), -1),
    )
    return solution


def cholesky_solve(A, B):
    """Solve A X = B for a symmetric positive definite A, else raise LinAlgError."""
    return solve_factored(cholesky(A), B)


def eigh(A):
    """Eigenvalues, ascending, and eigenvectors (columns) of a symmetric matrix."""
    if A.shape == (1, 1):
        # SciPy 1.11 refuses the size of workspace that LAPACK asks for here.
        return A[0].copy(), np.ones_like(A)
    check_finite(A)
    with one_blas_thread():
        return scipy.linalg.eigh(A, check_finite=False, driver="evd")


def svd(A):
    """Thin singular value decomposition U, s, Vt, s descending."""
    check_finite(A)
    with one_blas_thread():
        return scipy.linalg.svd(A, full_matrices=False, check_finite=False)


def qr(A):
    """Thin QR decomposition."""
    with one_blas_thread():
        return scipy.linalg.qr(A, mode="economic", check_finite=False)


def lstsq(A, b, cond=None):
    """Least squares of minimum norm: solution, rank and singular values."""
    with one_blas_thread():
        solution, _, rank, singular = scipy.linalg.lstsq(
            A, b, cond=cond, check_finite=False
        )
    return solution, rank, singular


def matmul(A, B):
    """A @ B of small matrices or vectors, on one thread."""
    if A.size == 0 or B.size == 0:
        return np.zeros(A.shape[:-1] + B.shape[1:])
    is_double = A.dtype == np.float64 and B.dtype == np.float64
    if A.size * B.size > MAX_OWN_PRODUCT * len(B) or not is_double:
        with one_blas_thread():
            return A @ B
    rows = np.ascontiguousarray(B)
    out = np.empty(A.shape[:-1] + B.shape[1:])
    n_rows = 1 if A.ndim == 1 else len(A)
    multiply(
        A.reshape(n_rows, len(B)), rows.reshape(len(B), -1), out.reshape(n_rows, -1)
    )
    return out
