"""Mean shift (see mean_shift.h), and what its bandwidth is estimated by."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "mean_shift.h" nogil:
    bint skx_climb_all[T](
        const T* rows, int64_t n, int64_t n_dims, double bandwidth, int64_t max_iter,
        T* means, int64_t n_seeds, int64_t* counts, int64_t* n_iter, skx_parallel_t run,
        int n_threads, int (*goes_on)() noexcept,
    ) except +
    void skx_select_apart(
        const double* rows, int64_t n, int64_t n_dims, double radius,
        uint8_t* is_selected,
    ) except +

cdef extern from "kth_distances.h" nogil:
    bint skx_find_kth_distances[T](
        const T* rows, int64_t n, int64_t n_dims, int64_t k, double* distances,
        skx_parallel_t run, int n_threads, int (*goes_on)() noexcept,
    ) except +


def climb(
    const cython.floating[:, ::1] rows,
    double bandwidth,
    int64_t max_iter,
    cython.floating[:, ::1] means,
    int64_t[::1] counts,
    int64_t[::1] n_iter,
    int n_threads=1,
):
    """Move seeds to the means of the points around them, again and again.

    Parameters
    ----------
    rows : array of shape (n, n_dims)
        IN, the points.
    bandwidth : float
        Radius of the balls. A seed stops once it moves by a thousandth of it.
    max_iter : int
        The most moves before the last.
    means : array of shape (n_seeds, n_dims)
        IN/OUT, the seeds.
    counts : array of shape (n_seeds,)
        OUT, the number of points of the last ball; 0 if the seed came to none.
    n_iter : array of shape (n_seeds,)
        OUT, the moves before the last.
    n_threads : int
        Does not change the result.
    """
    cdef bint is_whole
    if means.shape[0] == 0:
        return
    with nogil:
        is_whole = skx_climb_all(
            &rows[0, 0], rows.shape[0], rows.shape[1], bandwidth, max_iter,
            &means[0, 0], means.shape[0], &counts[0], &n_iter[0], parallel_for,
            n_threads, handle_signals,
        )
    if not is_whole:
        raise_pending_error()


def select_apart(const double[:, ::1] rows, double radius, uint8_t[::1] is_selected):
    """Select points, in order, that are not within `radius` of one selected before."""
    if rows.shape[0] == 0:
        return
    with nogil:
        skx_select_apart(
            &rows[0, 0], rows.shape[0], rows.shape[1], radius, &is_selected[0]
        )


def find_kth_distances(
    const cython.floating[:, ::1] rows, int64_t k, double[::1] distances,
    int n_threads=1,
):
    """Write the distance of each point to the k-th nearest, itself the first.

    IN: rows (n, n_dims), k from 1 to n. OUT: distances (n,).
    """
    cdef bint is_whole
    if rows.shape[0] == 0:
        return
    with nogil:
        is_whole = skx_find_kth_distances(
            &rows[0, 0], rows.shape[0], rows.shape[1], k, &distances[0], parallel_for,
            n_threads, handle_signals,
        )
    if not is_whole:
        raise_pending_error()
