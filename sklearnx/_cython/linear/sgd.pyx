"""Stochastic gradient descent: see sgd_kernels.h for the algorithm."""

from cpython.ref cimport PyObject
from cython cimport floating
from libc.stdint cimport int32_t, int64_t, uint64_t
from libcpp.vector cimport vector

from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "sgd_kernels.h" nogil:
    enum:
        SGD_HINGE
        SGD_SQUARED_HINGE
        SGD_LOG_LOSS
        SGD_MODIFIED_HUBER
        SGD_SQUARED_ERROR
        SGD_HUBER
        SGD_EPSILON_INSENSITIVE
        SGD_SQUARED_EPSILON_INSENSITIVE
        SGD_CONSTANT
        SGD_OPTIMAL
        SGD_INVSCALING
        SGD_ADAPTIVE
        SGD_PA1
        SGD_PA2
        SGD_CONVERGED
        SGD_STOPPED
        SGD_OVERFLOW
        SGD_MAX_LANES

    ctypedef struct sgd_options_t:
        const void* values
        int64_t row_stride
        const int32_t* columns
        const int64_t* offsets
        int is_float
        int64_t n_columns
        const double* targets
        const double* weights
        int is_classifier
        const int32_t* rows
        int64_t n_rows
        const int32_t* validation_rows
        int64_t n_validation_rows
        int loss
        double epsilon
        double alpha
        double l2
        double l1
        int learning_rate
        double eta0
        double power_t
        int fit_intercept
        double intercept_decay
        int64_t average
        int shuffle
        uint64_t seed
        double first_t
        int max_iter
        double tol
        int n_iter_no_change
        int is_verbose

    ctypedef struct sgd_output_t:
        double positive_class
        double positive_weight
        double negative_weight
        double intercept
        double average_intercept
        double* coef
        double* average_coef
        int n_iter
        int status

    ctypedef struct sgd_report_t:
        int64_t output
        int epoch
        double norm
        int64_t n_nonzero
        double intercept
        double n_updates
        double mean_loss
        double objective
        int has_score
        double score
        double seconds
        int has_converged

    ctypedef int (*sgd_listener_t)(void* context, const sgd_report_t* report) noexcept
    void skx_sgd_solve(
        const sgd_options_t* options, int64_t first, int n_lanes,
        sgd_output_t* outputs, sgd_listener_t listener, void* context
    ) noexcept

LOSSES = {
    "hinge": SGD_HINGE,
    "squared_hinge": SGD_SQUARED_HINGE,
    "log_loss": SGD_LOG_LOSS,
    "modified_huber": SGD_MODIFIED_HUBER,
    "squared_error": SGD_SQUARED_ERROR,
    "huber": SGD_HUBER,
    "epsilon_insensitive": SGD_EPSILON_INSENSITIVE,
    "squared_epsilon_insensitive": SGD_SQUARED_EPSILON_INSENSITIVE,
}
LEARNING_RATES = {
    "constant": SGD_CONSTANT,
    "optimal": SGD_OPTIMAL,
    "invscaling": SGD_INVSCALING,
    "adaptive": SGD_ADAPTIVE,
    "pa1": SGD_PA1,
    "pa2": SGD_PA2,
}
CONVERGED = SGD_CONVERGED
STOPPED = SGD_STOPPED
OVERFLOW = SGD_OVERFLOW


cdef struct job_t:
    sgd_options_t* options
    sgd_output_t* outputs
    int64_t n_outputs
    int64_t block_size
    PyObject* listener
    PyObject* errors


cdef int _listen(void* context, const sgd_report_t* report) noexcept with gil:
    """Call the listener; keep what it raises for the thread that began the work."""
    cdef job_t* job = <job_t*> context
    errors = <list> job.errors
    if errors:
        return 0
    try:
        (<object> job.listener)(None if report == NULL else report[0])
    except BaseException as error:
        errors.append(error)
        return 0
    return 1


cdef void _solve_block(void* context, int block) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t first = block * job.block_size
        int64_t n_lanes = min(job.block_size, job.n_outputs - first)
    skx_sgd_solve(job.options, first, <int> n_lanes, job.outputs, _listen, context)


def descend(
    const floating[:, :] values,
    const int32_t[::1] columns,
    const int64_t[::1] offsets,
    const double[::1] targets,
    const double[::1] weights,
    const int32_t[::1] rows,
    const int32_t[::1] validation_rows,
    options,
    const double[:, ::1] classes,
    double[:, ::1] coef,
    double[::1] intercept,
    double[:, ::1] average_coef,
    double[::1] average_intercept,
    int32_t[::1] n_iter,
    int32_t[::1] status,
    listener,
    int n_threads,
):
    """Fit one linear model for each output.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns)
        IN. The columns of a row are neighbours. Of CSR its data, (1, n_values).
    columns : array of shape (n_values,) or None
        IN. The indices of CSR, None if dense.
    offsets : array of shape (n_rows + 1,) or None
        IN. The indptr of CSR, None if dense.
    targets : array of shape (n_rows,)
        IN. The numbers to predict, or the code of the class of each row.
    weights : array of shape (n_rows,) or None
        IN.
    rows, validation_rows : arrays
        IN. The rows to learn from, and to score.
    options : object
        With the attributes that are read below.
    classes : array of shape (n_outputs, 3) or None
        IN. The code of the class that is positive, and the weights of positive and of
        negative rows; None for regression.
    coef : array of shape (n_outputs, n_columns)
        IN/OUT, as `intercept` (n_outputs,).
    average_coef : array of shape (n_outputs, n_columns) or None
        IN/OUT, as `average_intercept` (n_outputs,).
    n_iter, status : arrays of shape (n_outputs,)
        OUT. Epochs; CONVERGED, STOPPED or OVERFLOW.
    listener : callable
        Called with a dict after each epoch of an output if ``options.verbose``, and
        with None now and then. What it raises ends the work and is raised here.
    n_threads : int
    """
    cdef:
        sgd_options_t opts
        int64_t n_outputs = coef.shape[0]
        int64_t k
        vector[sgd_output_t] outputs
        job_t job
        int n_blocks
        int32_t no_column = 0
    errors = []
    opts.values = NULL
    if values.shape[0] * values.shape[1] > 0:
        opts.values = &values[0, 0]
    opts.row_stride = values.strides[0] // <int64_t> sizeof(floating)
    opts.columns = NULL
    opts.offsets = NULL
    if columns is not None:
        # Not NULL, which means dense, for a table without values.
        opts.columns = &no_column
        if columns.shape[0] > 0:
            opts.columns = &columns[0]
        opts.offsets = &offsets[0]
    opts.is_float = sizeof(floating) == 4
    opts.n_columns = coef.shape[1]
    opts.targets = &targets[0]
    opts.weights = NULL
    if weights is not None:
        opts.weights = &weights[0]
    opts.is_classifier = classes is not None
    opts.rows = &rows[0]
    opts.n_rows = rows.shape[0]
    opts.n_validation_rows = validation_rows.shape[0]
    opts.validation_rows = NULL
    if validation_rows.shape[0] > 0:
        opts.validation_rows = &validation_rows[0]
    opts.loss = options.loss
    opts.epsilon = options.epsilon
    opts.alpha = options.alpha
    opts.l2 = options.l2
    opts.l1 = options.l1
    opts.learning_rate = options.learning_rate
    opts.eta0 = options.eta0
    opts.power_t = options.power_t
    opts.fit_intercept = options.fit_intercept
    opts.intercept_decay = options.intercept_decay
    opts.average = options.average
    opts.shuffle = options.shuffle
    opts.seed = options.seed
    opts.first_t = options.first_t
    opts.max_iter = options.max_iter
    opts.tol = options.tol
    opts.n_iter_no_change = options.n_iter_no_change
    opts.is_verbose = options.verbose

    outputs.resize(n_outputs)
    for k in range(n_outputs):
        outputs[k].positive_class = 0.0 if classes is None else classes[k, 0]
        outputs[k].positive_weight = 1.0 if classes is None else classes[k, 1]
        outputs[k].negative_weight = 1.0 if classes is None else classes[k, 2]
        outputs[k].intercept = intercept[k]
        outputs[k].coef = &coef[k, 0]
        outputs[k].average_intercept = 0.0
        outputs[k].average_coef = NULL
        if average_coef is not None:
            outputs[k].average_intercept = average_intercept[k]
            outputs[k].average_coef = &average_coef[k, 0]
        outputs[k].n_iter = 0
        outputs[k].status = 0

    # Blocks of equal size, whatever the number of threads.
    n_blocks = <int> ((n_outputs + SGD_MAX_LANES - 1) // SGD_MAX_LANES)
    job = job_t(
        &opts, outputs.data(), n_outputs, (n_outputs + n_blocks - 1) // n_blocks,
        <PyObject*> listener, <PyObject*> errors,
    )
    with nogil:
        parallel_for(_solve_block, &job, n_blocks, n_threads)
    if errors:
        raise errors[0]
    for k in range(n_outputs):
        intercept[k] = outputs[k].intercept
        if average_coef is not None:
            average_intercept[k] = outputs[k].average_intercept
        n_iter[k] = outputs[k].n_iter
        status[k] = outputs[k].status
