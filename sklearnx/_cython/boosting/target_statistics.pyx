"""Target statistics of categorical columns (see target_statistics_kernels.h).

A task is a column: its sums grow row after row, in an order that no thread changes.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libcpp.vector cimport vector

from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "target_statistics_kernels.h" nogil:
    ctypedef struct skx_by_level_t:
        const int32_t* codes
        int64_t n_rows, n_levels
        const double* targets
        const double* weights
        const double* priors
        int n_outputs
        double smooth

    void skx_write_ordered_means(
        const skx_by_level_t* column, const int64_t* order, double* sums, double* out
    ) noexcept
    void skx_compute_level_means(
        const skx_by_level_t* column, double* sums, double* means
    ) noexcept


cdef struct task_t:
    skx_by_level_t column
    const int64_t* order  # NULL: means of all rows
    double* out
    bint failed


cdef void _run_task(void* context, int index) noexcept nogil:
    cdef:
        task_t* task = <task_t*> context + index
        int n_outputs = task.column.n_outputs
        double* sums = <double*> calloc(
            task.column.n_levels * (1 + n_outputs), sizeof(double)
        )
    task.failed = sums == NULL
    if task.failed:
        return
    if task.order != NULL:
        skx_write_ordered_means(&task.column, task.order, sums, task.out)
    else:
        skx_compute_level_means(&task.column, sums, task.out)
    free(sums)


cdef _run(
    list columns,
    list n_levels,
    const double[:, ::1] targets,
    const double[::1] weights,
    const double[::1] priors,
    double smooth,
    const int64_t[::1] order,
    list outs,
    int n_threads,
):
    """Run a task a column. OUT: outs, arrays of as many numbers as each writes."""
    cdef:
        int index, n_columns = len(columns)
        const int32_t[::1] codes
        double[:, ::1] out
        vector[task_t] tasks
        task_t* task
        const double* weights_start = NULL
    if weights is not None:
        weights_start = &weights[0]
    tasks.resize(n_columns)
    for index in range(n_columns):
        codes, out = columns[index], outs[index]
        task = &tasks[index]
        task.column = skx_by_level_t(
            &codes[0],
            codes.shape[0],
            n_levels[index] + 1,
            &targets[0, 0],
            weights_start,
            &priors[0],
            <int> targets.shape[1],
            smooth,
        )
        task.order = NULL
        if order is not None:
            task.order = &order[0]
        task.out = &out[0, 0]
    with nogil:
        parallel_for(_run_task, tasks.data(), n_columns, n_threads)
    for index in range(n_columns):
        if tasks[index].failed:
            raise MemoryError()


def compute_level_means(
    columns, n_levels, targets, priors, smooth, n_threads=1, weights=None
):
    """Return the means of the targets by level, drawn to a prior.

    Parameters
    ----------
    columns : list of int32 arrays of shape (n_rows,)
        Codes of levels, -1 where missing; at least one row.
    n_levels : list of int
    targets : float64 array of shape (n_rows, n_outputs)
    priors : float64 array of shape (n_outputs,)
    smooth : float
        As many rows at the prior are added to those of a level.
    n_threads : int, default=1
    weights : float64 array of shape (n_rows,) or None, default=None
        A row of weight 2 counts as two.

    Returns
    -------
    means : list of float64 arrays of shape (n_levels + 1, n_outputs)
        The last row is that of missing values.
    """
    means = [np.empty((n + 1, targets.shape[1])) for n in n_levels]
    _run(columns, n_levels, targets, weights, priors, smooth, None, means, n_threads)
    return means


def compute_ordered_means(
    columns, n_levels, targets, priors, smooth, order, n_threads=1, weights=None
):
    """Return for each row the mean of its level over the rows before it.

    Parameters
    ----------
    columns, n_levels, targets, priors, smooth, n_threads, weights
        As of `compute_level_means`.
    order : int64 array of shape (n_rows,)
        The rows, the first one first.

    Returns
    -------
    means : float64 array of shape (n_columns, n_outputs, n_rows)
    """
    n_rows, n_outputs = targets.shape
    means = np.empty((len(columns), n_outputs, n_rows))
    _run(
        columns,
        n_levels,
        targets,
        weights,
        priors,
        smooth,
        order,
        list(means),
        n_threads,
    )
    return means
