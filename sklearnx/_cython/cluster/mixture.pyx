"""Passes of EM over the rows for a Gaussian mixture, and the factors of its precisions.

See mixture_pass.h, mixture_kinds.h and mixture_factors.h. Bits do not depend on
`n_threads`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "mixture_pass.h" nogil:
    cdef cppclass skx_table_t[T]:
        pass
    skx_table_t[T] skx_describe[T](
        const T* values, int64_t n_rows, int64_t n_columns, int64_t row_bytes,
        int64_t column_bytes,
    ) noexcept
    cdef struct skx_mixture_t:
        int64_t n_components, n_columns
        const double* means
        const double* factors
        const double* centres
        const double* constants
        const double* origin
    cdef struct skx_mixture_input_t:
        bint is_given
        const int32_t* labels
        const double* resp
        const double* weights
    cdef struct skx_mixture_output_t:
        double* moments
        int64_t* labels
        double* log_density
        double* resp
    enum: MIXTURE_FULL, MIXTURE_TIED, MIXTURE_DIAGONAL
    bint skx_run_mixture_pass[T](
        int kind, const skx_mixture_t& mixture, const skx_table_t[T]& table,
        const skx_mixture_input_t& input, const skx_mixture_output_t& output,
        double* log_likelihood, skx_parallel_t run, int n_threads,
        int (*goes_on)() noexcept,
    ) except +

cdef extern from "mixture_factors.h" nogil:
    bint skx_factor_precisions(
        double* matrices, int64_t n_matrices, int64_t n, skx_parallel_t run,
        int n_threads,
    ) except +


cdef inline const double* address_of(const double[::1] values) noexcept:
    if values is None:
        return NULL
    return &values[0]


# What the argument `kind` of `run_pass` may be.
FULL, TIED, DIAGONAL = MIXTURE_FULL, MIXTURE_TIED, MIXTURE_DIAGONAL


def run_pass(
    int kind,
    const cython.floating[:, :] X,
    const double[:, ::1] means,
    const double[::1] factors,
    const double[:, ::1] centres,
    const double[::1] constants,
    const double[::1] origin,
    const double[::1] weights,
    bint is_given,
    const int32_t[::1] labels_in,
    const double[:, ::1] resp_in,
    double[:, ::1] moments,
    int64_t[::1] labels,
    double[::1] log_density,
    double[:, ::1] resp,
    int n_threads,
):
    """Run the E step, the sums of the M step, or both, over all rows.

    Parameters
    ----------
    kind : int
        FULL, TIED or DIAGONAL.
    X : array of shape (n_rows, n_columns)
        IN, at any strides.
    means : array of shape (n_components, n_columns)
        IN, of no account if `is_given`.
    factors : array or None
        IN, upper factors of the precisions, flat: (n_components, n_columns, n_columns)
        for FULL, (n_columns, n_columns) for TIED, else (n_components, n_columns). None
        if `is_given`.
    centres : array of shape (n_components, n_columns)
        IN, what the moments of each component are about.
    constants : array of shape (n_components,) or None
        IN, what is added to ``-distance / 2`` for log densities. None if `is_given`.
    origin : array of shape (n_columns,) or None
        IN, for TIED unless `is_given`: a point among the rows.
    weights : array of shape (n_rows,) or None
        IN, sample weights.
    is_given : bool
        Whether responsibilities are those of the next two, or 1 where both are None,
        rather than those of the mixture.
    labels_in : array of shape (n_rows,) or None
        IN, the component that has a row, -1 for none.
    resp_in : array of shape (n_rows, n_components) or None
        IN.
    moments : array of shape (n_components, n_moments) or None
        OUT, see mixture_kinds.h.
    labels : array of shape (n_rows,) or None
        OUT, the most probable component.
    log_density : array of shape (n_rows,) or None
        OUT.
    resp : array of shape (n_rows, n_components) or None
        OUT, without sample weights.
    n_threads : int
        Number of threads.

    Returns
    -------
    log_likelihood : float
        The weighted sum of the log densities, 0 without `moments`.
    """
    cdef:
        skx_mixture_t mixture
        skx_mixture_input_t taken
        skx_mixture_output_t output
        skx_table_t[cython.floating] table
        double log_likelihood = 0.0
        bint has_ended = False
    mixture = skx_mixture_t(
        means.shape[0], means.shape[1], &means[0, 0], address_of(factors),
        &centres[0, 0], address_of(constants), address_of(origin),
    )
    taken = skx_mixture_input_t(is_given, NULL, NULL, address_of(weights))
    if labels_in is not None:
        taken.labels = &labels_in[0]
    if resp_in is not None:
        taken.resp = &resp_in[0, 0]
    output = skx_mixture_output_t(NULL, NULL, NULL, NULL)
    if moments is not None:
        output.moments = &moments[0, 0]
    if labels is not None:
        output.labels = &labels[0]
    if log_density is not None:
        output.log_density = &log_density[0]
    if resp is not None:
        output.resp = &resp[0, 0]
    with nogil:
        table = skx_describe(
            &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
        )
        has_ended = skx_run_mixture_pass(
            kind, mixture, table, taken, output, &log_likelihood,
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not has_ended:
        raise_pending_error()
    return log_likelihood


def factor_precisions(double[:, :, ::1] matrices, int n_threads):
    """Replace covariances by the upper factors of their inverses.

    Parameters
    ----------
    matrices : array of shape (n_matrices, n, n)
        IN/OUT.
    n_threads : int
        Number of threads.

    Returns
    -------
    has_succeeded : bool
        False if a matrix is not positive definite.
    """
    cdef bint has_succeeded
    with nogil:
        has_succeeded = skx_factor_precisions(
            &matrices[0, 0, 0], matrices.shape[0], matrices.shape[1],
            <skx_parallel_t> parallel_for, n_threads,
        )
    return has_succeeded
