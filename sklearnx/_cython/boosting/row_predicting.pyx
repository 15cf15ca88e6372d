"""Answer one row, with as little around the trees as can be.

A row of Python values is read, the columns that are derived from others are filled in,
and the trees follow; nothing is allocated but the answer. What is not a plain number or
a level that hashes is left to the caller, who has time to say what is wrong with it.
"""

import numpy as np

from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_ND,
    PyBUF_STRIDES,
    PyBuffer_Release,
    PyObject_CheckBuffer,
    PyObject_GetBuffer,
)
from cpython.dict cimport PyDict_GetItemWithError, PyDict_Size
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_AsDouble, PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongLong
from cpython.object cimport PyObject
from libc.math cimport NAN, fabs
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libcpp.algorithm cimport lower_bound
from libcpp.vector cimport vector

from sklearnx._cython.boosting.tree_paths cimport (
    add_value,
    compute_value,
    connect_trees,
    trees_t,
)
from sklearnx._cython.common.dtypes cimport node_t

cdef extern from "link_kernels.h" nogil:
    double skx_exp(double x) noexcept
    double skx_expit(double x) noexcept
    void skx_find_binary_probabilities(double raw, double* out) noexcept
    void skx_find_probabilities(const double* raw, int n_outputs, double* out) noexcept

cdef extern from "row_kernels.h" nogil:
    enum:
        LANES "SKX_LANES"

    void skx_find_leaves(
        const node_t* nodes, const int64_t* offsets, int n_trees,
        const uint32_t* bitsets, const double* row, int32_t* leaves,
    ) noexcept

cdef enum:
    # Rows of more columns and outputs are read into memory of their own.
    N_ON_STACK = 256

# What `float` makes numbers of, or NumPy does, and a column of numbers does not hold.
NO_NUMBERS = (str, bytes, complex, np.complexfloating, np.datetime64, np.timedelta64)
LINKS = {"identity": 0, "log": 1, "logit": 2, "binary": 3, "softmax": 4}


cdef struct combination_t:
    # What stands for the levels of a column, or of two.
    int first
    int second  # -1: of one column
    const int64_t* starts  # of the pairs of each level of the first (level_pairs.pyx)
    const int32_t* members
    int64_t n_levels  # the next row of `values` is that of unknown levels, then missing
    const double* values  # (n_levels + 2, n_values)
    int n_values


cdef class RowPredictor:
    """The trees of a model, and how a row of Python values becomes what they ask for.

    Parameters
    ----------
    arrays : dict
        What `add_predictions` of predicting.pyx takes besides rows: nodes, offsets,
        bitsets, linear_leaves, linear_terms, divisor, vectors and
        in_float32.
    init_score : float64 array of shape (n_outputs,)
    n_columns : int
        Those of a row, and those derived from them.
    levels : list of (dict or None)
        Of each column the codes of its levels by value, None for numbers.
    unknown : list of (float or None)
        Of each column the code of a level that is not listed, NaN if it is as good as
        missing; None if such rows are left to the caller.
    names : tuple of str or None
        Of the columns, for rows that are dicts.
    combinations : list of tuples
        The columns behind those of the row: first and second column (-1 if none),
        starts and members of pairs (None if none), values (n_levels + 2, n_values).
    link : str
        Of `LINKS`: one of losses, or 'binary' for the probabilities of two classes.
    n_answers : int or None
        How many numbers the answer is a list of; None means one that is no list.
    rounds_to_float32 : bool, default=False
        Whether numbers are rounded first.
    zero_is_missing : sequence of int, default=()
        Columns of numbers in which zeros, up to `zero`, are missing.
    zero : float, default=0
    """

    cdef:
        trees_t _trees
        int _n_features, _n_columns, _n_outputs, _n_answers, _link
        bint _rounds, _has_levels, _is_empty, _reads_buffers, _is_scalar
        double _zero
        list _levels
        tuple _names
        object _kept
        vector[double] _init_score
        vector[double] _unknown
        vector[uint8_t] _refuses_unknown
        vector[uint8_t] _zero_is_missing
        vector[combination_t] _combinations

    def __init__(
        self,
        dict arrays,
        const double[::1] init_score,
        int n_columns,
        list levels,
        list unknown,
        tuple names,
        list combinations,
        str link,
        n_answers,
        bint rounds_to_float32=False,
        zero_is_missing=(),
        double zero=0.0,
    ):
        cdef int j
        self._kept = (arrays, combinations)
        self._is_empty = len(arrays["offsets"]) == 1
        if not self._is_empty:
            connect_trees(
                &self._trees,
                arrays["nodes"],
                arrays["offsets"],
                arrays["bitsets"],
                <int> init_score.shape[0],
                arrays["linear_leaves"],
                arrays["linear_terms"],
                arrays["divisor"],
                arrays["vectors"],
                arrays["in_float32"],
            )
        self._n_features = len(levels)
        self._n_columns = n_columns
        self._n_outputs = <int> init_score.shape[0]
        self._is_scalar = n_answers is None
        self._n_answers = 1 if n_answers is None else n_answers
        self._link = LINKS[link]
        self._levels = levels
        self._names = names
        for j in range(self._n_outputs):
            self._init_score.push_back(init_score[j])
        self._zero_is_missing.resize(self._n_features, 0)
        for j in zero_is_missing:
            self._zero_is_missing[j] = 1
        self._zero = zero
        self._rounds = rounds_to_float32
        for code in unknown:
            self._refuses_unknown.push_back(code is None)
            self._unknown.push_back(NAN if code is None else code)
        self._has_levels = any(codes is not None for codes in levels)
        self._reads_buffers = not (
            self._has_levels or rounds_to_float32 or len(zero_is_missing)
        )
        for first, second, starts, members, values in combinations:
            self._add_combination(first, second, starts, members, values)

    cdef _add_combination(
        self,
        int first,
        int second,
        const int64_t[::1] starts,
        const int32_t[::1] members,
        const double[:, ::1] values,
    ):
        cdef combination_t combination
        combination.first, combination.second = first, second
        combination.starts = NULL
        combination.members = NULL
        if starts is not None:
            combination.starts = &starts[0]
            combination.members = &members[0] if members.shape[0] > 0 else NULL
        combination.n_levels = values.shape[0] - 2
        combination.values = &values[0, 0]
        combination.n_values = <int> values.shape[1]
        self._combinations.push_back(combination)

    # -- reading --

    cdef bint _read_item(self, object value, int j, double* out) except -1:
        """Read the value of a column; return whether it is one to be read so."""
        cdef:
            object codes = self._levels[j]
            PyObject* code
            double number
        if codes is not None:
            code = PyDict_GetItemWithError(codes, value)
            if code != NULL:
                out[0] = <double> PyLong_AsLongLong(<object> code)
                return True
            if value is None or value != value:
                out[0] = NAN
                return True
            out[0] = self._unknown[j]
            return not self._refuses_unknown[j]
        if PyFloat_CheckExact(value):
            number = PyFloat_AS_DOUBLE(value)
        elif value is None:
            number = NAN
        elif isinstance(value, NO_NUMBERS):
            return False
        else:
            number = PyFloat_AsDouble(value)
        if self._rounds:
            number = <double> <float> number
        if self._zero_is_missing[j] and fabs(number) <= self._zero:
            number = NAN
        out[0] = number
        return True

    cdef bint _read_items(self, object row, double* out) except -1:
        cdef int j
        if len(row) != self._n_features:
            return False
        for j in range(self._n_features):
            if not self._read_item(row[j], j, &out[j]):
                return False
        return True

    cdef bint _read_dict(self, dict row, double* out) except -1:
        cdef:
            int j
            PyObject* value
        if self._names is None or PyDict_Size(row) != self._n_features:
            return False
        for j in range(self._n_features):
            value = PyDict_GetItemWithError(row, self._names[j])
            if value == NULL or not self._read_item(<object> value, j, &out[j]):
                return False
        return True

    cdef bint _read_buffer(self, object row, double* out) except -1:
        """Read an array of float64 or float32 of one row, of one or two dimensions."""
        cdef:
            Py_buffer view
            const char* item
            Py_ssize_t stride
            bint is_wide
            int j, last
        PyObject_GetBuffer(row, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES)
        try:
            last = view.ndim - 1
            is_wide = view.format != NULL and view.format[0] == b"d"
            if (
                not 0 <= last <= 1
                or view.shape[last] != self._n_features
                or (last == 1 and view.shape[0] != 1)
                or view.format == NULL
                or view.format[0] not in (b"d", b"f")
                or view.format[1] != 0
            ):
                return False
            item, stride = <const char*> view.buf, view.strides[last]
            for j in range(self._n_features):
                if is_wide:
                    out[j] = (<const double*> item)[0]
                else:
                    out[j] = (<const float*> item)[0]
                item += stride
            return True
        finally:
            PyBuffer_Release(&view)

    cdef bint _read(self, object row, double* out) except -1:
        cdef type type_ = type(row)
        if type_ is dict:
            return self._read_dict(row, out)
        if type_ is tuple or type_ is list:
            return self._read_items(row, out)
        if self._reads_buffers and PyObject_CheckBuffer(row):
            return self._read_buffer(row, out)
        return False

    cdef void _derive(self, double* row) noexcept nogil:
        """Fill in the columns behind those of the row."""
        cdef:
            size_t i
            const combination_t* combination
            const double* values
            double* out = row + self._n_features
            int k
        for i in range(self._combinations.size()):
            combination = &self._combinations[i]
            values = combination.values + combination.n_values * _find_level(
                combination, row
            )
            for k in range(combination.n_values):
                out[k] = values[k]
            out += combination.n_values

    # -- answering --

    cdef void _score(self, double* row, double* raw) noexcept nogil:
        cdef:
            trees_t* trees = &self._trees
            const node_t* nodes
            const double* of_leaf
            double value
            int64_t batch, first, tree
            int32_t[LANES] leaves
            int output, k, n
        for output in range(self._n_outputs):
            raw[output] = self._init_score[output]
        if self._is_empty:
            return
        if self._combinations.size() > 0:
            self._derive(row)
        for batch in range((trees.n_trees + LANES - 1) // LANES):
            first = batch * LANES
            n = <int> min(trees.n_trees - first, <int64_t> LANES)
            skx_find_leaves(
                trees.nodes, trees.offsets + first, n, trees.bitsets, row, leaves
            )
            for k in range(n):
                tree = first + k
                if trees.vectors != NULL:
                    of_leaf = trees.vectors + trees.n_outputs * (
                        trees.offsets[tree] + leaves[k]
                    )
                    for output in range(self._n_outputs):
                        add_value(
                            trees, &raw[output], of_leaf[output] / trees.divisor
                        )
                else:
                    nodes = trees.nodes + trees.offsets[tree]
                    value = compute_value(
                        trees, &nodes[leaves[k]], <const double*> row
                    )
                    add_value(trees, &raw[tree % self._n_outputs], value)

    def score(self, row, double[::1] raw):
        """Write the raw scores of a row.

        IN: row, a tuple, a list or an array of numbers, or a dict by name. OUT: raw
        (n_outputs,). Returns False, and has written nothing, if the row is to be read
        with more care; raises what a value raises that is no number.
        """
        cdef:
            double[N_ON_STACK] on_stack
            double* values = on_stack
            bint is_read
        if self._n_columns > N_ON_STACK:
            values = <double*> malloc(self._n_columns * sizeof(double))
            if values == NULL:
                raise MemoryError()
        try:
            is_read = self._read(row, values)
            if is_read:
                self._score(values, &raw[0])
            return is_read
        finally:
            if values != on_stack:
                free(values)

    def answer(self, row):
        """Return the answer to a row, None if it is to be read with more care.

        IN: row as of `score`. Returns a number, or a list of them.
        """
        cdef:
            double[N_ON_STACK] on_stack
            double* values = on_stack
            double* raw
            double* out
            # One raw score can mean two probabilities.
            int width = max(self._n_outputs, 2)
            int n = self._n_columns + 2 * width
        if n > N_ON_STACK:
            values = <double*> malloc(n * sizeof(double))
            if values == NULL:
                raise MemoryError()
        try:
            if not self._read(row, values):
                return None
            raw = values + self._n_columns
            out = raw + width
            self._score(values, raw)
            self._apply_link(raw, out)
            if self._is_scalar:
                return out[0]
            return [out[k] for k in range(self._n_answers)]
        finally:
            if values != on_stack:
                free(values)

    cdef void _apply_link(self, const double* raw, double* out) noexcept nogil:
        cdef int k
        if self._link == 3:
            skx_find_binary_probabilities(raw[0], out)
        elif self._link == 4:
            skx_find_probabilities(raw, self._n_outputs, out)
        else:
            for k in range(self._n_outputs):
                if self._link == 0:
                    out[k] = raw[k]
                elif self._link == 1:
                    out[k] = skx_exp(raw[k])
                else:
                    out[k] = skx_expit(raw[k])


cdef inline int64_t _find_code(double value) noexcept nogil:
    return -1 if value != value else <int64_t> value


cdef int64_t _find_level(
    const combination_t* combination, const double* row
) noexcept nogil:
    """Return the place of the row's level among the values of a combination."""
    cdef:
        int64_t code = _find_code(row[combination.first])
        int32_t other
        const int32_t* end
        const int32_t* found
    if combination.second < 0:
        return combination.n_levels + 1 if code < 0 else code
    other = <int32_t> _find_code(row[combination.second])
    end = combination.members + combination.starts[code + 2]
    found = lower_bound(
        combination.members + combination.starts[code + 1], end, other
    )
    if found < end and found[0] == other:
        return found - combination.members
    return combination.n_levels
