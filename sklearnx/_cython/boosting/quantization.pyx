"""Fixed-point gradients: the integers that make every sum independent of its order.

    real gradient  --scale by a power of two, round, times the weight-->  fine values
                   (38 bits: 2^24 rows of them can be summed in 64 bits)
    fine values    --shift, round--> 12-bit gradients and hessians

Leaves sum the fine values. Histograms sum the 12-bit ones, a row's gradient, hessian
and count in one word; where 12 bits would flatten the ordinary rows (heavy tails, rare
events, few rows) they sum the fine ones, in two words. Which of the two is decided once
a round, from order-free sums, see `MIN_STEPS`.

Scales follow from the largest values, which one has to read all to know. Most rounds
have those of the round before, so that rows are quantised by them as they are read, and
a second time where they turn out to be others. Losses that have a kernel do so chunk by
chunk, while the gradients of the chunk are in the cache:

    start -> quantize_chunk for each chunk, by any thread -> finish

Integer weights multiply the rounded values, so that a weight of 2 is the row twice.
Other weights multiply before rounding.
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
    quantized_t,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "quantization_kernels.h" nogil:
    ctypedef struct skx_found_t:
        int64_t sum_gradients, sum_hessians
        int64_t max_gradient, max_hessian

    void skx_quantize(
        const skx_quantize_t* args, int64_t start, int64_t stop, skx_found_t* found
    ) noexcept
    double skx_from_bits(uint64_t bits) noexcept
    void skx_sum_squares(
        const quantized_t* quantized, const uint32_t* rows, int64_t start, int64_t stop,
        int shift, int64_t* sums,
    ) noexcept
    int64_t skx_fine(
        double value, double scale, const double* factors, bint integer_weights,
        int64_t i,
    ) noexcept

cdef enum:
    MAX_LEAF_BITS = 38
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
            double weight_scale = 1, weight_unit = 1, row_weight = 1
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
        self.n_leaf_bits = min(
            MAX_LEAF_BITS,
            n_bits_left,
            PAIR_HESSIAN_BITS - 1 - n_weight_bits,
        )
        # Squares of so many bits less, and their sum, fit 64.
        self.square_shift = max(self.n_leaf_bits - n_bits_left // 2, 0)
        self.quantized.weights = NULL
        self.quantized.integer_weights = self.integer_weights
        self.quantized.sum_weights = n_rows
        if weights is not None:
            if not self.integer_weights:
                weight_scale = _find_scale(weights.max(), self.n_leaf_bits)
            self.fixed_weights = np.rint(weights * weight_scale).astype(np.int64)
            fixed_weights = self.fixed_weights
            self.quantized.weights = &fixed_weights[0]
            self.quantized.sum_weights = self.fixed_weights.sum()
            if not self.integer_weights:
                # In units of their mean: twice the weights are not twice the rows.
                weight_unit = n_rows / <double> self.fixed_weights.sum()
                row_weight = 1 / (weight_unit * weight_scale)
        self.quantized.weight_unit = weight_unit
        self.is_narrow = True
        self.buffer = np.empty(0, dtype=np.int64)
        self.guesses = {}
        self.job.sums_squares = sums_squares
        self.job.squares.quantized = &self.quantized
        self.job.squares.rows = NULL
        self.quantized.row_weight = row_weight

    def quantize(
        self,
        const double[::1] gradients,
        const double[::1] hessians,
        int n_threads,
        int output=0,
    ):
        """Quantise real gradients and hessians.

        Sums of leaves are computed from the arrays themselves, which must stay as they
        are until the tree is grown.

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
        self.start(gradients, hessians, output)
        self.quantize_rows(n_threads)
        self.finish(n_threads)

    def start(self, const double[::1] gradients, const double[::1] hessians, output=0):
        """Begin what `quantize` does; neither array need be filled yet."""
        cdef:
            const double[::1] weights
            double[:, ::1] maxima
            int64_t[:, ::1] sums
            quantization_t* job = &self.job
        # Of what words and leaves are computed from.
        self.gradients_, self.hessians_ = gradients, hessians
        self.output = output
        if self.maxima is None:
            job.n_rows = self.n_rows
            job.n_chunks = _count_chunks(self.n_rows)
            self.maxima = np.empty((2, job.n_chunks))
            self.sums = np.empty((4, job.n_chunks), dtype=np.int64)
            maxima, sums = self.maxima, self.sums
            job.max_gradients, job.max_hessians = &maxima[0, 0], &maxima[1, 0]
            job.sum_gradients, job.sum_hessians = &sums[0, 0], &sums[1, 0]
            job.squares.n_rows = self.n_rows
            job.squares.sum_squares = &sums[2, 0]
            job.squares.sum_hessians = &sums[3, 0]
        job.args.gradients = &gradients[0]
        job.args.hessians = &hessians[0] if hessians is not None else NULL
        job.args.factors = NULL
        if self.weights is not None:
            weights = self.weights
            job.args.factors = &weights[0]
        job.args.integer_weights = self.integer_weights
        job.args.gradient_scale, job.args.hessian_scale, is_narrow = self.guesses.get(
            output, (1.0, 1.0, True)
        )
        self._prepare_words(is_narrow)

    def finish(self, int n_threads):
        """End what `start` began, after each chunk was quantised.

        Raises
        ------
        FloatingPointError
            If any gradient or hessian is not finite.
        """
        while not self._is_right():
            self._prepare_words(self.is_narrow)
            self.quantize_rows(n_threads)
        self.guesses[self.output] = (
            self.job.args.gradient_scale, self.job.args.hessian_scale, self.is_narrow
        )
        self._set_quantized(&self.job.args)

    def quantize_rows(self, int n_threads):
        """Quantise all rows, between `start` and `finish`."""
        with nogil:
            parallel_for(_quantize_chunk, &self.job, self.job.n_chunks, n_threads)

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
            bint all_hessians_are_1 = job.args.hessians == NULL and self.integer_weights
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
        job.args.gradient_scale = _find_scale(max_gradient, self.n_leaf_bits)
        job.args.hessian_scale = _find_scale(max_hessian, self.n_leaf_bits)
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
            >= ldexp(steps, self.n_leaf_bits - NARROW_GRADIENT_BITS)
            and (
                all_hessians_are_1
                or sum_hessians >= ldexp(steps, self.n_leaf_bits - NARROW_HESSIAN_BITS)
            )
        )
        return self.is_narrow == was_narrow

    cdef void _prepare_words(self, bint is_narrow):
        cdef:
            int64_t[:, ::1] words
            quantization_t* job = &self.job
        self.is_narrow = is_narrow
        job.args.gradient_shift = job.args.hessian_shift = 0
        job.args.n_words = 2
        if is_narrow:
            job.args.gradient_shift = self.n_leaf_bits - NARROW_GRADIENT_BITS
            if job.args.hessians != NULL or not self.integer_weights:
                job.args.hessian_shift = self.n_leaf_bits - NARROW_HESSIAN_BITS
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
                ldexp(1, PAIR_HESSIAN_BITS - 1 - self.n_leaf_bits) / self.max_weight,
            )
        self.quantized.rows_per_flush = <int64_t> max(floor(rows_per_flush), 1.0)
        self.quantized.gradients = args.gradients
        self.quantized.hessians = args.hessians
        self.quantized.factors = args.factors
        self.quantized.gradient_scale = args.gradient_scale
        self.quantized.hessian_scale = args.hessian_scale
        self.quantized.leaf_gradient_unit = 1 / args.gradient_scale
        self.quantized.leaf_hessian_unit = 1 / args.hessian_scale
        self.quantized.gradient_unit = ldexp(
            self.quantized.leaf_gradient_unit, args.gradient_shift
        )
        self.quantized.hessian_unit = ldexp(
            self.quantized.leaf_hessian_unit, args.hessian_shift
        )

    def reorder(self, const uint32_t[::1] order, weights):
        """Go on with rows in another order.

        IN: order (n_rows,), what is row `order[i]` becomes row `i`; weights (n_rows,)
        in the new order, or None.
        """
        cdef const int64_t[::1] fixed_weights
        if weights is None:
            return
        self.weights = weights
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
            n_chunks = _count_chunks(job.n_rows)
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
        return self._make_fine(self.gradients_, self.quantized.gradient_scale)

    @property
    def leaf_hessians(self):
        """What leaves sum, of each row."""
        hessians = np.ones(self.n_rows) if self.hessians_ is None else self.hessians_
        return self._make_fine(hessians, self.quantized.hessian_scale)

    def _make_fine(self, const double[::1] values, double scale):
        cdef:
            int64_t[::1] fine = np.empty(self.n_rows, dtype=np.int64)
            int64_t i
        for i in range(fine.shape[0]):
            fine[i] = skx_fine(
                values[i],
                scale,
                self.quantized.factors,
                self.quantized.integer_weights,
                i,
            )
        return np.asarray(fine)

    @property
    def units(self):
        """Real values of 1 in histograms (gradient, hessian) and in leaf sums."""
        return (
            self.quantized.gradient_unit,
            self.quantized.hessian_unit,
            self.quantized.leaf_gradient_unit,
            self.quantized.leaf_hessian_unit,
        )


cdef int _count_chunks(int64_t n_rows):
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
    quantize_chunk(<quantization_t*> context, chunk)


cdef void quantize_chunk(quantization_t* job, int chunk) noexcept nogil:
    """Quantise `ROWS_PER_QUANTIZATION` rows, of the last chunk what is left of them."""
    cdef:
        int64_t start = <int64_t> chunk * ROWS_PER_QUANTIZATION
        int64_t stop = min(start + ROWS_PER_QUANTIZATION, job.n_rows)
    cdef skx_found_t found
    skx_quantize(&job.args, start, stop, &found)
    job.sum_gradients[chunk] = found.sum_gradients
    job.sum_hessians[chunk] = found.sum_hessians
    job.max_gradients[chunk] = skx_from_bits(found.max_gradient)
    job.max_hessians[chunk] = skx_from_bits(found.max_hessian)
    if job.sums_squares:
        _sum_squares_of_chunk(&job.squares, chunk)
