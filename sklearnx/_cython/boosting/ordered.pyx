"""Values that the first rows of an order give to leaves, and scores that follow them.

    order      3 0 5 1 4 2
    prefix 0   3|0          values by rows 3, scores of 3 and 0
    prefix 1   3 0|5 1      values by rows 3 and 0, scores of these and of 5 and 1
    prefix 2   3 0 5 1|4 2  ...

The entries of all prefixes lie one behind the other, and so do their scores, gradients
and hessians. Weights and leaves are those of rows. A prefix is a task: the last one has
half of all entries, and each sums its rows in their order, so that the number of
threads changes no bit.
"""

import numpy as np

from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t, uint32_t

from sklearnx._cython.common.threads cimport parallel_for


cdef struct job_t:
    const int32_t* leaves
    const uint32_t* rows
    const int64_t* starts  # (n_prefixes + 1,)
    const int64_t* sizes  # (n_prefixes,)
    const double* gradients
    const double* hessians  # NULL: all are 1
    const double* weights  # NULL: all are 1
    int64_t n_nodes
    double l1
    double l2
    double smooth
    double min_hessian
    double max_value
    double* curvatures  # (n_prefixes, n_nodes)
    double* values  # the same
    double* raw


cdef void _compute_values_of_prefix(void* context, int prefix) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        double* gradients = job.values + prefix * job.n_nodes
        double* curvatures = job.curvatures + prefix * job.n_nodes
        double weight, hessian, slope, value, prior, sum_hessians = 0.0
        int64_t entry, row, n_rows = 0
        int64_t start = job.starts[prefix]
        int32_t node
    for entry in range(start, start + job.sizes[prefix]):
        row = job.rows[entry]
        weight = 1.0 if job.weights == NULL else job.weights[row]
        if weight == 0.0:
            continue
        hessian = 1.0 if job.hessians == NULL else job.hessians[entry]
        node = job.leaves[row]
        gradients[node] += weight * job.gradients[entry]
        curvatures[node] += weight * hessian
        sum_hessians += weight * hessian
        n_rows += 1
    prior = job.l2
    if n_rows > 0:
        prior += job.smooth * (sum_hessians / n_rows)
    for node in range(job.n_nodes):
        value = 0.0
        if curvatures[node] >= job.min_hessian:
            slope = max(fabs(gradients[node]) - job.l1, 0.0)
            value = min(slope / (curvatures[node] + prior), job.max_value)
            if gradients[node] > 0.0:
                value = -value
        gradients[node] = value


def compute_prefix_values(
    const int32_t[::1] leaves,
    const uint32_t[::1] rows,
    const int64_t[::1] starts,
    const int64_t[::1] sizes,
    const double[::1] gradients,
    const double[::1] hessians,
    const double[::1] weights,
    int n_nodes,
    *,
    double l1_regularization,
    double l2_regularization,
    double smooth,
    double min_child_weight,
    double max_value,
    int n_threads,
):
    """Return the Newton step of each leaf by the first entries of each prefix.

    IN: leaves (n_rows,), nodes of a tree; rows (n_entries,) of all prefixes, starts
    (n_prefixes + 1,) of prefixes, and of how many entries each takes the sums (sizes);
    gradients, hessians (n_entries,), where None means 1; weights (n_rows,), where None
    means 1. `smooth` rows whose gradient is 0, and whose hessian the mean one, are
    added to those of each leaf. Values are at most `max_value`, apart from their sign.
    A leaf whose hessians sum to less than `min_child_weight`, which is above 0, has 0.
    """
    cdef:
        int n_prefixes = <int> sizes.shape[0]
        double[:, ::1] values = np.zeros((n_prefixes, n_nodes))
        double[:, ::1] curvatures = np.zeros((n_prefixes, n_nodes))
        job_t job
    job.leaves = &leaves[0]
    job.rows = &rows[0]
    job.starts = &starts[0]
    job.sizes = &sizes[0]
    job.gradients = &gradients[0]
    job.hessians = NULL
    if hessians is not None:
        job.hessians = &hessians[0]
    job.weights = NULL
    if weights is not None:
        job.weights = &weights[0]
    job.n_nodes = n_nodes
    job.l1 = l1_regularization
    job.l2 = l2_regularization
    job.smooth = smooth
    job.min_hessian = min_child_weight
    job.max_value = max_value
    job.curvatures = &curvatures[0, 0]
    job.values = &values[0, 0]
    with nogil:
        parallel_for(_compute_values_of_prefix, &job, n_prefixes, n_threads)
    return np.asarray(values)


cdef void _add_values_of_prefix(void* context, int prefix) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        const double* values = job.values + prefix * job.n_nodes
        int64_t entry
    for entry in range(job.starts[prefix], job.starts[prefix + 1]):
        job.raw[entry] += values[job.leaves[job.rows[entry]]]


def add_prefix_values(
    const int32_t[::1] leaves,
    const uint32_t[::1] rows,
    const int64_t[::1] starts,
    double[:, ::1] values,
    double[::1] raw,
    int n_threads,
):
    """Add to each entry what its prefix gives the leaf of its row.

    IN: leaves (n_rows,), rows (n_entries,), starts (n_prefixes + 1,), values
    (n_prefixes, n_nodes). INOUT: raw (n_entries,).
    """
    cdef:
        int n_prefixes = <int> values.shape[0]
        job_t job
    job.leaves = &leaves[0]
    job.rows = &rows[0]
    job.starts = &starts[0]
    job.n_nodes = values.shape[1]
    job.values = &values[0, 0]
    job.raw = &raw[0]
    with nogil:
        parallel_for(_add_values_of_prefix, &job, n_prefixes, n_threads)
