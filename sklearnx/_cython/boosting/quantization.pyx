"""Fixed-point gradients: the integers that make every sum independent of its order.

    real gradient  --scale by a power of two, round, times the weight-->  leaf_gradients
                   (38 bits: 2^24 rows of them can be summed in 64 bits)
    leaf_gradients --shift, round--> 12-bit gradients, packed with the hessian

Histograms sum the packed words, leaves the fine values. Where 12 bits would flatten the
ordinary rows (heavy tails, rare events, few rows), histograms sum the fine values too.
Which of the two is decided once a round, from order-free sums, see `MIN_STEPS`.

Integer weights multiply the rounded values, so that a weight of 2 is the row twice.
Other weights multiply before rounding.
"""

import numpy as np

from libc.float cimport DBL_MAX
from libc.math cimport INFINITY, fabs, frexp, ldexp
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from sklearnx._cython.common.dtypes cimport (
    PACKED_GRADIENT_SHIFT,
    PACKED_HESSIAN_SHIFT,
    PACKED_MAX_GRADIENT,
    PACKED_MAX_HESSIAN,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "fixed_point.h" nogil:
    int64_t skx_round(double x)

cdef enum:
    ROWS_PER_CHUNK = 1 << 14
    MAX_LEAF_BITS = 38
    NARROW_GRADIENT_BITS = 11  # and a sign
    NARROW_HESSIAN_BITS = 12
    # Below this total weight full width costs nothing, and its precision is welcome.
    MIN_NARROW_WEIGHT = 1 << 13
    # Narrow values are used where the average row's gradient, and its hessian, is at
    # least so many steps of the 12-bit grid.
    MIN_STEPS = 16

# No table has so many rows that such weights could stand for, and each doubling of the
# sum takes a bit from the gradients: beyond it weights count as real numbers.
cdef double MAX_INTEGER_SUM = 2.0**32


cdef struct job_t:
    int64_t n_rows
    const double* gradients
    const double* hessians  # NULL: all are 1
    const double* weights  # NULL: all are 1
    bint integer_weights
    double gradient_scale
    double hessian_scale
    int64_t* leaf_gradients
    int64_t* leaf_hessians
    int64_t* narrow_gradients  # NULL: packed instead
    int64_t* narrow_hessians
    int64_t* packed
    int gradient_shift
    int hessian_shift
    double* max_gradients  # of each chunk, as all below; infinite if any is not finite
    double* max_hessians
    int64_t* sum_gradients  # of absolute values
    int64_t* sum_hessians


cdef class QuantizedGradients:
    """Fixed-point gradients and hessians of one tree.

    Parameters
    ----------
    n_rows : int
    weights : float64 array of shape (n_rows,) or None
        Non-negative weights of the rows.
    """

    def __init__(self, n_rows, weights=None):
        cdef const int64_t[::1] fixed_weights
        cdef double weight_scale = 1, weight_unit = 1, row_weight = 1
        self.weights = weights
        self.sum_weights = n_rows if weights is None else weights.sum()
        self.integer_weights = weights is None or bool(
            self.sum_weights < MAX_INTEGER_SUM
            and (weights == np.floor(weights)).all()
        )
        # Of integer weights the largest possible sum is max * sum_weights, of others
        # max * n_rows.
        n_terms = self.sum_weights if self.integer_weights else n_rows
        self.n_leaf_bits = min(
            MAX_LEAF_BITS, 62 - int(np.ceil(np.log2(max(n_terms, 1))))
        )
        self.quantized.weights = NULL
        if weights is not None:
            if not self.integer_weights:
                weight_scale = _find_scale(weights.max(), self.n_leaf_bits)
            self.fixed_weights = np.rint(weights * weight_scale).astype(np.int64)
            fixed_weights = self.fixed_weights
            self.quantized.weights = &fixed_weights[0]
            if not self.integer_weights:
                # In units of their mean: twice the weights are not twice the rows.
                weight_unit = n_rows / <double> self.fixed_weights.sum()
                row_weight = 1 / (weight_unit * weight_scale)
        self.quantized.weight_unit = weight_unit
        self.quantized.row_weight = row_weight
        self.leaf_gradients = np.empty(n_rows, dtype=np.int64)
        self.leaf_hessians = np.empty(n_rows, dtype=np.int64)
        self.packed = self.gradients = self.hessians = None

    def quantize(
        self, const double[::1] gradients, const double[::1] hessians, int n_threads
    ):
        """Quantise real gradients and hessians.

        Parameters
        ----------
        gradients : float64 array of shape (n_rows,)
        hessians : float64 array of shape (n_rows,) or None
            None where all of them are 1.
        n_threads : int
        """
        cdef:
            int64_t n_rows = gradients.shape[0], total_gradient = 0, total_hessian = 0
            int n_chunks = <int> ((n_rows + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
            int chunk
            job_t job
            int64_t[::1] leaf_gradients = self.leaf_gradients
            int64_t[::1] leaf_hessians = self.leaf_hessians
            int64_t[::1] packed, narrow_gradients, narrow_hessians
            const double[::1] weights
            double max_gradient = 0, max_hessian = 0
            bint narrow, constant_hessian = hessians is None
            void* memory = malloc(n_chunks * (2 * sizeof(double) + 2 * sizeof(int64_t)))
        if memory == NULL:
            raise MemoryError()
        job.max_gradients = <double*> memory
        job.max_hessians = job.max_gradients + n_chunks
        job.sum_gradients = <int64_t*> (job.max_hessians + n_chunks)
        job.sum_hessians = job.sum_gradients + n_chunks
        job.n_rows = n_rows
        job.gradients = &gradients[0]
        job.hessians = NULL
        if not constant_hessian:
            job.hessians = &hessians[0]
        job.weights = NULL
        if self.weights is not None:
            weights = self.weights
            job.weights = &weights[0]
        job.integer_weights = self.integer_weights
        job.leaf_gradients = &leaf_gradients[0]
        job.leaf_hessians = &leaf_hessians[0]

        with nogil:
            parallel_for(_find_max_of_chunk, &job, n_chunks, n_threads)
            for chunk in range(n_chunks):
                max_gradient = max(max_gradient, job.max_gradients[chunk])
                max_hessian = max(max_hessian, job.max_hessians[chunk])
        if max_gradient == INFINITY:
            free(memory)
            raise FloatingPointError(
                "The gradients of the loss are not finite any more: the raw scores "
                "have become too large. Scale the target, or lower learning_rate."
            )
        job.gradient_scale = _find_scale(max_gradient, self.n_leaf_bits)
        job.hessian_scale = _find_scale(max_hessian, self.n_leaf_bits)
        if constant_hessian and self.integer_weights:
            job.hessian_scale = 1
        with nogil:
            parallel_for(_quantize_chunk, &job, n_chunks, n_threads)
            for chunk in range(n_chunks):
                total_gradient += job.sum_gradients[chunk]
                total_hessian += job.sum_hessians[chunk]

        self.quantized.leaf_gradients = &leaf_gradients[0]
        self.quantized.leaf_hessians = &leaf_hessians[0]
        self.quantized.leaf_gradient_unit = 1 / job.gradient_scale
        self.quantized.leaf_hessian_unit = 1 / job.hessian_scale

        job.gradient_shift = self.n_leaf_bits - NARROW_GRADIENT_BITS
        job.hessian_shift = self.n_leaf_bits - NARROW_HESSIAN_BITS
        narrow = (
            self.integer_weights
            and self.sum_weights >= MIN_NARROW_WEIGHT
            and total_gradient
            >= MIN_STEPS * self.sum_weights * ldexp(1, job.gradient_shift)
            and (
                constant_hessian
                or total_hessian
                >= MIN_STEPS * self.sum_weights * ldexp(1, job.hessian_shift)
            )
        )
        if constant_hessian:
            job.hessian_shift = 0
        if narrow:
            self._allocate_narrow()
            job.packed = NULL
            if job.weights == NULL:
                packed = self.packed
                job.packed = &packed[0]
            else:
                narrow_gradients = self.gradients
                narrow_hessians = self.hessians
                job.narrow_gradients = &narrow_gradients[0]
                job.narrow_hessians = &narrow_hessians[0]
            with nogil:
                parallel_for(_narrow_chunk, &job, n_chunks, n_threads)
            self.quantized.packed = job.packed
            if job.packed == NULL:
                self.quantized.gradients = job.narrow_gradients
                self.quantized.hessians = job.narrow_hessians
            self.quantized.gradient_unit = ldexp(
                self.quantized.leaf_gradient_unit, job.gradient_shift
            )
            self.quantized.hessian_unit = ldexp(
                self.quantized.leaf_hessian_unit, job.hessian_shift
            )
        else:
            self.quantized.packed = NULL
            self.quantized.gradients = job.leaf_gradients
            self.quantized.hessians = job.leaf_hessians
            self.quantized.gradient_unit = self.quantized.leaf_gradient_unit
            self.quantized.hessian_unit = self.quantized.leaf_hessian_unit
        free(memory)

    def _allocate_narrow(self):
        n_rows = len(self.leaf_gradients)
        if self.weights is None and self.packed is None:
            self.packed = np.empty(n_rows, dtype=np.int64)
        elif self.weights is not None and self.gradients is None:
            self.gradients = np.empty(n_rows, dtype=np.int64)
            self.hessians = np.empty(n_rows, dtype=np.int64)

    @property
    def is_narrow(self):
        """Whether histograms sum 12-bit values."""
        return self.quantized.gradients != self.quantized.leaf_gradients or (
            self.quantized.packed != NULL
        )

    @property
    def units(self):
        """Real values of 1 in histograms (gradient, hessian) and in leaf sums."""
        return (
            self.quantized.gradient_unit,
            self.quantized.hessian_unit,
            self.quantized.leaf_gradient_unit,
            self.quantized.leaf_hessian_unit,
        )


cdef double _find_scale(double max_value, int n_bits):
    """Return the largest power of two with max_value * scale < 2^n_bits."""
    cdef int exponent = 0
    if max_value == 0:
        return 1
    frexp(max_value, &exponent)
    # Beyond it the scale itself would overflow; such gradients are zero in effect.
    return ldexp(1, min(n_bits - exponent, 1000))


cdef inline double _effective_weight(const job_t* job, int64_t i) noexcept nogil:
    """Return what multiplies before rounding: 0 for rows left out by their weight."""
    if job.weights == NULL:
        return 1
    if job.integer_weights:
        return 1.0 if job.weights[i] > 0 else 0.0
    return job.weights[i]


cdef void _find_max_of_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t i, start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t stop = min(start + ROWS_PER_CHUNK, job.n_rows)
        double max_gradient = 0, max_hessian = 0, value, weight
        bint not_finite = False
    if job.weights == NULL:
        for i in range(start, stop):
            value = fabs(job.gradients[i])
            max_gradient = value if value > max_gradient else max_gradient
            not_finite |= not (value <= DBL_MAX)
        max_hessian = 1
        if job.hessians != NULL:
            max_hessian = 0
            for i in range(start, stop):
                value = job.hessians[i]
                max_hessian = value if value > max_hessian else max_hessian
                not_finite |= not (value <= DBL_MAX)
    else:
        for i in range(start, stop):
            weight = _effective_weight(job, i)
            value = fabs(job.gradients[i]) * weight
            max_gradient = max(max_gradient, value)
            not_finite |= not (value <= DBL_MAX)
            value = weight if job.hessians == NULL else job.hessians[i] * weight
            max_hessian = max(max_hessian, value)
            not_finite |= not (value <= DBL_MAX)
    job.max_gradients[chunk] = INFINITY if not_finite else max_gradient
    job.max_hessians[chunk] = max_hessian


cdef void _quantize_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t i, start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t stop = min(start + ROWS_PER_CHUNK, job.n_rows)
        int64_t gradient, hessian, repetitions, sum_gradients = 0, sum_hessians = 0
        double weight
    if job.weights == NULL:
        for i in range(start, stop):
            gradient = skx_round(job.gradients[i] * job.gradient_scale)
            job.leaf_gradients[i] = gradient
            sum_gradients += gradient if gradient > 0 else -gradient
        if job.hessians != NULL:
            for i in range(start, stop):
                hessian = skx_round(job.hessians[i] * job.hessian_scale)
                job.leaf_hessians[i] = hessian
                sum_hessians += hessian
        else:
            for i in range(start, stop):
                job.leaf_hessians[i] = 1
    else:
        for i in range(start, stop):
            weight = _effective_weight(job, i)
            repetitions = <int64_t> job.weights[i] if job.integer_weights else 1
            gradient = repetitions * skx_round(
                job.gradients[i] * weight * job.gradient_scale
            )
            hessian = repetitions * skx_round(
                (1.0 if job.hessians == NULL else job.hessians[i])
                * weight
                * job.hessian_scale
            )
            job.leaf_gradients[i] = gradient
            job.leaf_hessians[i] = hessian
            sum_gradients += gradient if gradient > 0 else -gradient
            sum_hessians += hessian
    job.sum_gradients[chunk] = sum_gradients
    job.sum_hessians[chunk] = sum_hessians


cdef inline int64_t _shift(int64_t value, int shift, int64_t largest) noexcept nogil:
    """Round to a grid of 2^shift, ties up, and clip."""
    cdef int64_t rounded = value
    if shift > 0:
        rounded = (value + (<int64_t> 1 << (shift - 1))) >> shift
    return min(max(rounded, -largest), largest)


cdef void _narrow_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t i, start = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t stop = min(start + ROWS_PER_CHUNK, job.n_rows)
        int64_t gradient, hessian, repetitions
    if job.packed != NULL:
        for i in range(start, stop):
            gradient = _shift(
                job.leaf_gradients[i], job.gradient_shift, PACKED_MAX_GRADIENT
            )
            hessian = _shift(
                job.leaf_hessians[i], job.hessian_shift, PACKED_MAX_HESSIAN
            )
            job.packed[i] = (
                gradient * (<int64_t> 1 << PACKED_GRADIENT_SHIFT)
                + (hessian << PACKED_HESSIAN_SHIFT)
                + 1
            )
        return
    for i in range(start, stop):
        repetitions = <int64_t> job.weights[i]
        if repetitions == 0:
            job.narrow_gradients[i] = 0
            job.narrow_hessians[i] = 0
            continue
        job.narrow_gradients[i] = repetitions * _shift(
            job.leaf_gradients[i] // repetitions,
            job.gradient_shift,
            PACKED_MAX_GRADIENT,
        )
        job.narrow_hessians[i] = repetitions * _shift(
            job.leaf_hessians[i] // repetitions, job.hessian_shift, PACKED_MAX_HESSIAN
        )
