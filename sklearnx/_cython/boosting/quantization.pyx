"""Fixed-point gradients: the integers that make every sum independent of its order.

    real gradient  --scale by a power of two, round, times the weight-->  fine values
                   (38 bits: 2^24 rows of them can be summed in 64 bits)
    fine values    --shift, round--> 12-bit gradients and hessians; histograms sum them
                   --shift, round--> 30-bit ones; leaves sum them

In a histogram a row's gradient, hessian and count are one word. Where 12 bits would
flatten the ordinary rows (heavy tails, rare events, few rows) histograms sum the fine
values, in two words, and the sums of leaves are theirs. Which of the two is decided
once a round, from order-free sums, see `MIN_STEPS`; where 12 bits will do, 30 are
plenty.

Scales follow from the largest values, which one has to read all to know. Most rounds
have those of the round before, so that rows are quantised by them as they are read, and
again where they turn out to be others. Losses that have a kernel do so as gradients are
computed, and store none of these:

    start -> skx_quantize and end_chunk for each chunk, by any thread -> finish
      ^------- in case of other scales, or another width -----------------'

Integer weights multiply the rounded values, so that a weight of 2 is the row twice.
Other weights multiply before rounding, and make nothing of one row but one row.
"""

import numpy as np

from libc.math cimport INFINITY, ceil, floor, frexp, ldexp, log2
from libc.stdint cimport int64_t, uint32_t, uint64_t

from sklearnx._cython.common.dtypes cimport (
    PACKED_COUNT_MASK,
    PACKED_GRADIENT_SHIFT,
    PACKED_HESSIAN_MASK,
    PACKED_HESSIAN_SHIFT,
    PACKED_MAX_ROWS,
    PAIR_COUNT_MASK,
    PAIR_HESSIAN_BITS,
    PAIR_HESSIAN_SHIFT,
    PAIR_MAX_ROWS,
    leaf_term_t,
    quantized_t,
)
from sklearnx._cython.common.threads cimport parallel_for

from sklearnx._cython.common.reductions import sum_exact

cdef extern from "quantization_kernels.h" nogil:
    double skx_from_bits(uint64_t bits) noexcept
    void skx_sum_squares(
        const quantized_t* quantized, const uint32_t* rows, int64_t start, int64_t stop,
        int shift, int64_t* sums,
    ) noexcept

cdef enum:
    MAX_FINE_BITS = 38
    LEAF_BITS = 30
    NARROW_GRADIENT_BITS = 11  # and a sign
    NARROW_HESSIAN_BITS = 12
    # Below this total weight full width costs nothing, and its precision is welcome.
    MIN_NARROW_WEIGHT = 1 << 13
    # Narrow values are used where the average row's gradient, and its hessian, is at
    # least so many steps of the 12-bit grid.
    MIN_STEPS = 16
    # A row of a larger integer weight would fill one word too soon.
    MAX_WEIGHT_IN_WORD = 32

# No table has so many rows that such weights could stand for, and each doubling of the
# sum takes a bit from the gradients: beyond it weights count as real numbers.
cdef double MAX_INTEGER_SUM = 2.0**32


cdef class QuantizedGradients:
    """Fixed-point gradients and hessians of one tree.

    Parameters
    ----------
    n_rows : int
    weights : float64 array of shape (n_rows,) or None
        Non-negative weights of the rows.
    sums_squares : bool, default=False
        Whether rows are summed for `compute_noise` while they are quantised, which
        makes that of all rows quicker.

    Attributes
    ----------
    words : int64 array of shape (n_rows, 1) or (n_rows, 2)
        What a row adds to a bin, see dtypes.h.
    is_narrow : bool
        Whether histograms sum 12-bit values.
    """

    def __init__(self, n_rows, weights=None, bint sums_squares=False):
        cdef:
            const int64_t[::1] fixed_weights
            int n_weight_bits = 0
        self.n_rows = n_rows
        self.weights = weights
        self.sum_weights = n_rows if weights is None else weights.sum()
        self.integer_weights = weights is None or bool(
            self.sum_weights < MAX_INTEGER_SUM
            # The first ones tell most others.
            and (weights[:100] == np.floor(weights[:100])).all()
            and (weights == np.floor(weights)).all()
        )
        self.max_weight = 1
        if weights is not None and self.integer_weights:
            self.max_weight = max(weights.max(), 1)
            n_weight_bits = <int> ceil(log2(self.max_weight))
        # Of integer weights the largest possible sum is max * sum_weights, of others
        # max * n_rows; and a row must fit its words.
        n_terms = self.sum_weights if self.integer_weights else n_rows
        n_bits_left = 62 - int(np.ceil(np.log2(max(n_terms, 1))))
        self.n_fine_bits = min(
            MAX_FINE_BITS,
            n_bits_left,
            PAIR_HESSIAN_BITS - 1 - n_weight_bits,
        )
        # Squares of so many bits less, and their sum, fit 64.
        self.square_shift = max(self.n_fine_bits - n_bits_left // 2, 0)
        self.quantized.weights = NULL
        self.quantized.sum_weights = n_rows
        self.quantized.row_weight = 1
        if weights is not None and self.integer_weights:
            self.fixed_weights = weights.astype(np.int64)
            fixed_weights = self.fixed_weights
            self.quantized.weights = &fixed_weights[0]
            self.quantized.sum_weights = self.fixed_weights.sum()
        elif weights is not None:
            # Their mean: twice the weights are not twice the rows.
            self.quantized.row_weight = sum_exact(weights) / n_rows
        self.is_narrow = True
        self.buffer = np.empty(0, dtype=np.int64)
        self.leaf_terms = None
        self.guesses = {}
        self.job.sums_squares = sums_squares
        self.job.squares.quantized = &self.quantized
        self.job.squares.rows = NULL

    def quantize(
        self,
        const double[::1] gradients,
        const double[::1] hessians,
        int n_threads,
        int output=0,
    ):
        """Quantise real gradients and hessians.

        Parameters
        ----------
        gradients : float64 array of shape (n_rows,)
        hessians : float64 array of shape (n_rows,) or None
            None where all of them are 1.
        n_threads : int
        output : int, default=0
            Whose they are: makes those of the next round quicker, and nothing else.

        Raises
        ------
        FloatingPointError
            If any of them is not finite.
        """
        cdef quantization_t* job = &self.job
        self.start(hessians is not None, output)
        job.gradients = &gradients[0]
        job.hessians = &hessians[0] if hessians is not None else NULL
        while True:
            with nogil:
                parallel_for(_quantize_chunk, job, job.n_chunks, n_threads)
            if self.finish():
                break

    cdef start(self, bint has_hessians, int output):
        """Begin what `quantize` does."""
        cdef:
            const double[::1] weights
            double[:, ::1] maxima
            int64_t[:, ::1] sums
            quantization_t* job = &self.job
        self.has_hessians = has_hessians
        self.output = output
        if self.maxima is None:
            job.n_rows = self.n_rows
            job.n_chunks = count_chunks(self.n_rows)
            self.maxima = np.empty((2, job.n_chunks))
            self.sums = np.empty((4, job.n_chunks), dtype=np.int64)
            maxima, sums = self.maxima, self.sums
            job.max_gradients, job.max_hessians = &maxima[0, 0], &maxima[1, 0]
            job.sum_gradients, job.sum_hessians = &sums[0, 0], &sums[1, 0]
            job.squares.n_rows = self.n_rows
            job.squares.sum_squares = &sums[2, 0]
            job.squares.sum_hessians = &sums[3, 0]
        job.args.factors = NULL
        if self.weights is not None:
            weights = self.weights
            job.args.factors = &weights[0]
        job.args.integer_weights = self.integer_weights
        job.args.gradient_scale, job.args.hessian_scale, is_narrow = self.guesses.get(
            output, (1.0, 1.0, True)
        )
        self._prepare_words(is_narrow)

    cdef bint finish(self) except -1:
        """End what `start` began, after each chunk was quantised.

        Returns False if all of them have to be quantised again.

        Raises
        ------
        FloatingPointError
            If any gradient or hessian is not finite.
        """
        if not self._is_right():
            self._prepare_words(self.is_narrow)
            return False
        self.guesses[self.output] = (
            self.job.args.gradient_scale, self.job.args.hessian_scale, self.is_narrow
        )
        self._set_quantized(&self.job.args)
        return True

    cdef bint _is_right(self) except -1:
        """Return whether rows were quantised as they should be.

        If not, set the scales and the width that are right.
        """
        cdef:
            quantization_t* job = &self.job
            int chunk
            double max_gradient = 0, max_hessian = 0
            double gradient_scale = job.args.gradient_scale
            double hessian_scale = job.args.hessian_scale
            int64_t sum_gradients = 0, sum_hessians = 0
            bint all_hessians_are_1 = not self.has_hessians and self.integer_weights
            bint was_narrow = self.is_narrow, is_finite = True
            double steps
        for chunk in range(job.n_chunks):
            is_finite = (
                is_finite
                and job.max_gradients[chunk] < INFINITY
                and job.max_hessians[chunk] < INFINITY
            )
            max_gradient = max(max_gradient, job.max_gradients[chunk])
            max_hessian = max(max_hessian, job.max_hessians[chunk])
            sum_gradients += job.sum_gradients[chunk]
            sum_hessians += job.sum_hessians[chunk]
        if not is_finite:
            raise FloatingPointError(
                "The gradients of the loss are not finite any more: the raw scores "
                "have become too large. Scale the target, or lower learning_rate."
            )
        job.args.gradient_scale = _find_scale(max_gradient, self.n_fine_bits)
        job.args.hessian_scale = _find_scale(max_hessian, self.n_fine_bits)
        if all_hessians_are_1:
            job.args.hessian_scale = 1
        if (
            job.args.gradient_scale != gradient_scale
            or job.args.hessian_scale != hessian_scale
        ):
            return False
        n_terms = self.sum_weights if self.integer_weights else self.n_rows
        steps = MIN_STEPS * n_terms
        self.is_narrow = (
            n_terms >= MIN_NARROW_WEIGHT
            and sum_gradients
            >= ldexp(steps, self.n_fine_bits - NARROW_GRADIENT_BITS)
            and (
                all_hessians_are_1
                or sum_hessians >= ldexp(steps, self.n_fine_bits - NARROW_HESSIAN_BITS)
            )
        )
        return self.is_narrow == was_narrow

    cdef void _prepare_words(self, bint is_narrow):
        cdef:
            int64_t[:, ::1] words
            int64_t[::1] leaf_terms
            quantization_t* job = &self.job
            int leaf_shift = max(self.n_fine_bits - LEAF_BITS, 0)
        self.is_narrow = is_narrow
        job.args.gradient_shift = job.args.hessian_shift = 0
        job.args.leaf_gradient_shift = job.args.leaf_hessian_shift = 0
        job.args.leaf_terms = NULL
        job.args.n_words = 2
        if is_narrow:
            job.args.gradient_shift = self.n_fine_bits - NARROW_GRADIENT_BITS
            job.args.leaf_gradient_shift = leaf_shift
            if self.has_hessians or not self.integer_weights:
                job.args.hessian_shift = self.n_fine_bits - NARROW_HESSIAN_BITS
                job.args.leaf_hessian_shift = leaf_shift
            if self.leaf_terms is None:
                self.leaf_terms = np.empty(self.n_rows, dtype=np.int64)
            leaf_terms = self.leaf_terms
            job.args.leaf_terms = <leaf_term_t*> &leaf_terms[0]
            if self.max_weight <= MAX_WEIGHT_IN_WORD:
                job.args.n_words = 1
        if job.args.n_words != self.quantized.n_words:
            if len(self.buffer) < self.n_rows * job.args.n_words:
                self.buffer = np.empty(self.n_rows * job.args.n_words, dtype=np.int64)
            self.words = self.buffer[: self.n_rows * job.args.n_words].reshape(
                self.n_rows, job.args.n_words
            )
            words = self.words
            job.args.words = self.quantized.words = &words[0, 0]
            self.quantized.n_words = job.args.n_words
        job.squares.shift = 0 if is_narrow else self.square_shift

    cdef void _set_quantized(self, const skx_quantize_t* args):
        cdef double rows_per_flush
        if args.n_words == 1:
            rows_per_flush = PACKED_MAX_ROWS / self.max_weight
        else:
            rows_per_flush = min(
                <double> PAIR_MAX_ROWS,
                ldexp(1, PAIR_HESSIAN_BITS - 1 - self.n_fine_bits) / self.max_weight,
            )
        self.quantized.rows_per_flush = <int64_t> max(floor(rows_per_flush), 1.0)
        self.quantized.leaf_terms = args.leaf_terms
        self.quantized.leaf_gradient_unit = ldexp(
            1 / args.gradient_scale, args.leaf_gradient_shift
        )
        self.quantized.leaf_hessian_unit = ldexp(
            1 / args.hessian_scale, args.leaf_hessian_shift
        )
        self.quantized.gradient_unit = ldexp(
            1 / args.gradient_scale, args.gradient_shift
        )
        self.quantized.hessian_unit = ldexp(1 / args.hessian_scale, args.hessian_shift)

    def reorder(self, const uint32_t[::1] order, weights):
        """Go on with rows in another order.

        IN: order (n_rows,), what is row `order[i]` becomes row `i`; weights (n_rows,)
        in the new order, or None.
        """
        cdef const int64_t[::1] fixed_weights
        if weights is None:
            return
        self.weights = weights
        if self.integer_weights:
            self.fixed_weights = self.fixed_weights[order]
            fixed_weights = self.fixed_weights
            self.quantized.weights = &fixed_weights[0]

    def compute_noise(self, const uint32_t[::1] rows, int n_threads):
        """Return the sum of squared gradients of some rows over that of hessians.

        It is the variance of a sum of gradients for each unit of its hessians, if a
        row's gradient is nothing but noise. Weights that are no integers are squared
        with the gradients.

        Parameters
        ----------
        rows : uint32 array of shape (n_drawn,) or None
            None means all.
        n_threads : int
        """
        cdef:
            squares_t job = self.job.squares
            int n_chunks = self.job.n_chunks
            int chunk
            int64_t sum_squares = 0, sum_hessians = 0
            int64_t[:, ::1] sums
        if rows is not None or not self.job.sums_squares:
            if rows is not None:
                job.rows = &rows[0]
                job.n_rows = rows.shape[0]
            n_chunks = count_chunks(job.n_rows)
            sums = np.empty((2, n_chunks), dtype=np.int64)
            job.sum_squares, job.sum_hessians = &sums[0, 0], &sums[1, 0]
            with nogil:
                parallel_for(_sum_squares_of_chunk, &job, n_chunks, n_threads)
        for chunk in range(n_chunks):
            sum_squares += job.sum_squares[chunk]
            sum_hessians += job.sum_hessians[chunk]
        if sum_hessians == 0:
            return 0.0
        gradient_unit = ldexp(self.quantized.gradient_unit, job.shift)
        return (
            sum_squares
            * gradient_unit
            / (sum_hessians * self.quantized.hessian_unit)
            * gradient_unit
        )

    @property
    def gradients(self):
        """What histograms sum, of each row."""
        if self.words.shape[1] == 1:
            return self.words[:, 0] >> PACKED_GRADIENT_SHIFT
        return self.words[:, 0]

    @property
    def hessians(self):
        """What histograms sum, of each row."""
        if self.words.shape[1] == 1:
            return (self.words[:, 0] >> PACKED_HESSIAN_SHIFT) & PACKED_HESSIAN_MASK
        return self.words[:, 1] >> PAIR_HESSIAN_SHIFT

    @property
    def counts(self):
        """What histograms sum, of each row."""
        if self.words.shape[1] == 1:
            return self.words[:, 0] & PACKED_COUNT_MASK
        return self.words[:, 1] & PAIR_COUNT_MASK

    @property
    def leaf_gradients(self):
        """What leaves sum, of each row."""
        return self._weigh_leaf_terms(0) if self.is_narrow else self.gradients

    @property
    def leaf_hessians(self):
        """What leaves sum, of each row."""
        return self._weigh_leaf_terms(1) if self.is_narrow else self.hessians

    def _weigh_leaf_terms(self, int column):
        terms = self.leaf_terms.view(np.int32).reshape(-1, 2)[:, column]
        weights = self.fixed_weights if self.integer_weights else None
        return terms.astype(np.int64) * (1 if weights is None else weights)

    @property
    def units(self):
        """Real values of 1 in histograms (gradient, hessian) and in leaf sums."""
        return (
            self.quantized.gradient_unit,
            self.quantized.hessian_unit,
            self.quantized.leaf_gradient_unit,
            self.quantized.leaf_hessian_unit,
        )


cdef int count_chunks(int64_t n_rows) noexcept nogil:
    return <int> ((n_rows + ROWS_PER_QUANTIZATION - 1) // ROWS_PER_QUANTIZATION)


cdef double _find_scale(double max_value, int n_bits):
    """Return the largest power of two with max_value * scale < 2^n_bits."""
    cdef int exponent = 0
    if max_value == 0:
        return 1
    frexp(max_value, &exponent)
    # Beyond it the scale itself would overflow; such gradients are zero in effect.
    return ldexp(1, min(n_bits - exponent, 1000))


cdef void _sum_squares_of_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        squares_t* job = <squares_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_QUANTIZATION
        int64_t stop = min(start + ROWS_PER_QUANTIZATION, job.n_rows)
        int64_t[2] sums
    skx_sum_squares(job.quantized, job.rows, start, stop, job.shift, sums)
    job.sum_squares[chunk] = sums[0]
    job.sum_hessians[chunk] = sums[1]


cdef void _quantize_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        quantization_t* job = <quantization_t*> context
        int64_t start = <int64_t> chunk * ROWS_PER_QUANTIZATION
        int64_t stop = min(start + ROWS_PER_QUANTIZATION, job.n_rows)
        const double* hessians = NULL
        skx_found_t found = skx_found_t(0, 0, 0, 0)
    if job.hessians != NULL:
        hessians = job.hessians + start
    skx_quantize(&job.args, job.gradients + start, hessians, start, stop, &found)
    end_chunk(job, chunk, &found)


cdef void end_chunk(
    quantization_t* job, int chunk, const skx_found_t* found
) noexcept nogil:
    """Note what was found in the rows of a chunk, once they are quantised.

    These are `ROWS_PER_QUANTIZATION` rows, of the last chunk what is left of them.
    """
    job.sum_gradients[chunk] = found.sum_gradients
    job.sum_hessians[chunk] = found.sum_hessians
    job.max_gradients[chunk] = skx_from_bits(found.max_gradient)
    job.max_hessians[chunk] = skx_from_bits(found.max_hessian)
    if job.sums_squares:
        _sum_squares_of_chunk(&job.squares, chunk)
