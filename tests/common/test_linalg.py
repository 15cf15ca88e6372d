"""Factorisations on one thread, and the limit that is lifted by the last caller."""

import os
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose
from threadpoolctl import ThreadpoolController, threadpool_limits

from sklearnx import _linalg as linalg

# Rows that our own kernels leave to LAPACK.
LARGE = linalg.MAX_OWN_ROWS + 1


def get_blas_threads():
    blas = ThreadpoolController().select(user_api="blas")
    return {library["num_threads"] for library in blas.info()}


def test_solutions():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(50, 20))
    gram, b = A.T @ A, rng.normal(size=(20, 3))
    assert_allclose(gram @ linalg.cholesky_solve(gram, b), b, atol=1e-10)
    values, vectors = linalg.eigh(gram)
    assert_allclose(vectors * values @ vectors.T, gram, atol=1e-10)
    U, s, Vt = linalg.svd(A)
    assert_allclose(U * s @ Vt, A, atol=1e-12)
    Q, R = linalg.qr(A)
    assert_allclose(linalg.matmul(Q, R), A, atol=1e-12)
    solution, rank, singular = linalg.lstsq(A, A @ b)
    assert_allclose(solution, b, atol=1e-12)
    assert rank == 20
    assert_allclose(singular, s)


@pytest.mark.parametrize("n_rows", [2, 300])
@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_not_positive_definite(n_rows, value):
    A = np.eye(n_rows)
    A[1, 1] = value
    with pytest.raises(linalg.LinAlgError):
        linalg.cholesky(A)


@pytest.mark.parametrize("n_rows", [1, 2, 7, 40, linalg.MAX_OWN_ROWS, 200])
def test_factors_of_all_sizes(n_rows):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(2 * n_rows, n_rows))
    gram = A.T @ A
    before = gram.copy()
    factor = linalg.cholesky(gram)
    assert_allclose(factor, np.linalg.cholesky(gram), atol=1e-11 * n_rows)
    for shape in ((n_rows,), (n_rows, 1), (n_rows, 3)):
        b = rng.normal(size=shape)
        kept = b.copy()
        solution = linalg.solve_factored(factor, b)
        assert solution.shape == shape
        assert_allclose(gram @ solution, b, atol=1e-8)
        np.testing.assert_array_equal(b, kept)
    np.testing.assert_array_equal(gram, before)


@pytest.mark.parametrize(
    "shapes",
    [((5, 7), (7, 3)), ((5, 7), (7,)), ((7,), (7, 3)), ((7,), (7,)), ((0, 7), (7, 3))],
)
def test_products_of_all_shapes(shapes):
    rng = np.random.default_rng(0)
    A, B = (rng.normal(size=shape) for shape in shapes)
    for left in (A, np.asfortranarray(A), np.repeat(A, 2, axis=-1)[..., ::2]):
        for right in (B, np.asfortranarray(B)):
            assert_allclose(linalg.matmul(left, right), A @ B, rtol=1e-13, atol=1e-13)
    assert linalg.matmul(A.astype(np.float32), B).shape == (A @ B).shape


def test_large_products():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(90, 80)), rng.normal(size=(80, 70))
    assert A.size * 70 > linalg.MAX_OWN_PRODUCT
    assert_allclose(linalg.matmul(A, B), A @ B, rtol=1e-11)


def test_limit_is_lifted_by_the_last_of_several_threads():
    before = get_blas_threads()
    entered, leave = threading.Barrier(3), threading.Event()
    seen = []

    def enter():
        with linalg.one_blas_thread():
            entered.wait(10)
            leave.wait(10)
            seen.append(get_blas_threads())

    threads = [threading.Thread(target=enter) for _ in range(2)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    assert get_blas_threads() == {1}
    leave.set()
    for thread in threads:
        thread.join()
    assert {1} in seen
    assert get_blas_threads() == before


def test_limit_holds_where_another_thread_has_set_one():
    before = get_blas_threads()
    set_by_other, leave = threading.Event(), threading.Event()

    def limit():
        with threadpool_limits(2, user_api="blas"):
            set_by_other.set()
            leave.wait(10)

    other = threading.Thread(target=limit)
    other.start()
    set_by_other.wait(10)
    with linalg.one_blas_thread():
        assert get_blas_threads() == {1}
    assert get_blas_threads() == {2}
    leave.set()
    other.join()
    assert get_blas_threads() == before


def test_limit_is_lifted_after_an_error():
    before = get_blas_threads()
    with pytest.raises(linalg.LinAlgError):
        linalg.cholesky_solve(-np.eye(LARGE), np.ones(LARGE))
    assert get_blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forked_child_starts_anew():
    before = get_blas_threads()
    with linalg.one_blas_thread():
        child = os.fork()
        if child == 0:
            is_right = get_blas_threads() == before
            linalg.cholesky(np.eye(LARGE))
            os._exit(0 if is_right else 1)
        _, status = os.waitpid(child, 0)
        assert get_blas_threads() == {1}
    assert os.waitstatus_to_exitcode(status) == 0
    assert get_blas_threads() == before
