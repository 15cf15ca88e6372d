"""DBSCAN in one to four dimensions, by a grid of cells (see density_stages.h)."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "density_stages.h" nogil:
    ctypedef struct skx_density_t:
        double squared_eps, min_samples
        const double* weights
        bint has_negative

    int skx_cluster_on_grid[T](
        const T* X, int64_t n, int64_t n_dims, int64_t row_stride,
        int64_t column_stride, double eps, const skx_density_t& density,
        int64_t* labels, uint8_t* is_core, skx_parallel_t run, int n_threads,
        int (*goes_on)() noexcept,
    ) except +


def cluster_on_grid(
    const cython.floating[:, :] X, double eps, double min_samples,
    const double[::1] weights, int64_t[::1] labels, uint8_t[::1] is_core,
    int n_threads=1,
):
    """Find core points, clusters and border points.

    Parameters
    ----------
    X : array of shape (n, n_dims)
        IN, float32 or float64 at any strides, finite; 1 to 4 columns.
    eps : float
        Points are neighbours if the sum of squared differences is at most eps**2.
    min_samples : float
        Number of neighbours, or their weight, that makes a core point.
    weights : array of shape (n,) or None
        IN, of any sign; None for ones.
    labels : array of shape (n,)
        OUT, clusters in the order of their lowest core row, -1 for noise.
    is_core : array of shape (n,)
        OUT, 1 for core points.
    n_threads : int, default=1
        Number of threads.

    Returns
    -------
    fits : bool
        False, with nothing written, where the rows are too far apart for a grid of
        so small an `eps`.
    """
    cdef:
        skx_density_t density
        int64_t size = X.itemsize, i
        int status
    density.squared_eps = eps * eps
    density.min_samples = min_samples
    density.weights = NULL
    density.has_negative = False
    if weights is not None:
        density.weights = &weights[0]
        for i in range(weights.shape[0]):
            if weights[i] < 0.0:
                density.has_negative = True
    with nogil:
        status = skx_cluster_on_grid(
            &X[0, 0], X.shape[0], X.shape[1], X.strides[0] // size,
            X.strides[1] // size, eps, density, &labels[0], &is_core[0],
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if status < 0:
        raise_pending_error()
    return status == 1
