"""Send the rows of the binned training data through a tree, by their codes.

Rows out of a round's sample need its trees' values as well, and DART those of earlier
trees. A split becomes a table of bytes, which codes go right: of numbers, levels and
missing values alike. Where all splits are on narrow features, eight rows go down side
by side without a branch; a leaf leads to itself, until all eight have arrived.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.common.dtypes cimport (
    NARROW_STORAGE,
    SPARSE_STORAGE,
    binned_t,
    node_t,
    skx_translate_codes,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "sparse_kernels.h" nogil:
    int skx_find_entry(
        const uint32_t* entry_rows, const uint8_t* entry_codes, int64_t n_entries,
        int default_code, uint32_t row,
    ) noexcept

cdef enum:
    ROWS_PER_CHUNK = 1 << 13
    N_LANES = 8
    MIN_TABLE = 256  # what any narrow code finds a byte in


# What a row has to know of a node.
cdef struct step_t:
    int64_t offset  # first code of the feature's column, among all of its width
    int64_t table  # first byte of the split in `goes_right`
    int32_t feature  # -1 for a leaf
    int32_t left


cdef struct job_t:
    const binned_t* binned
    const step_t* steps
    const uint8_t* goes_right
    bint is_narrow
    int32_t* leaves


cdef inline int64_t _read_code(
    const binned_t* binned, const step_t* step, int64_t row
) noexcept nogil:
    cdef int64_t first
    cdef int position
    if binned.storage[step.feature] == NARROW_STORAGE:
        return binned.columns[step.offset + row]
    if binned.storage[step.feature] == SPARSE_STORAGE:
        position = binned.positions[step.feature]
        first = binned.entry_starts[position]
        return skx_find_entry(
            binned.entry_rows + first,
            binned.entry_codes + first,
            binned.entry_starts[position + 1] - first,
            binned.default_codes[step.feature],
            <uint32_t> row,
        )
    if binned.wide16 != NULL:
        return binned.wide16[step.offset + row]
    return binned.wide32[step.offset + row]


cdef inline int32_t _find_leaf(const job_t* job, int64_t row) noexcept nogil:
    cdef const step_t* step = job.steps
    while step.feature >= 0:
        step = job.steps + step.left + job.goes_right[
            step.table + _read_code(job.binned, step, row)
        ]
    return <int32_t> (step - job.steps)


cdef inline void _find_leaves_of_lanes(
    const job_t* job, int64_t row, int32_t* leaves
) noexcept nogil:
    cdef:
        int lane
        const uint8_t* codes = job.binned.columns + row
        const step_t* step
        int32_t following
        bint moved = True
    for lane in range(N_LANES):
        leaves[lane] = 0
    while moved:
        moved = False
        for lane in range(N_LANES):
            step = job.steps + leaves[lane]
            following = step.left + job.goes_right[
                step.table + codes[lane + step.offset]
            ]
            moved |= following != leaves[lane]
            leaves[lane] = following


cdef void _find_leaves_of_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t row = <int64_t> chunk * ROWS_PER_CHUNK
        int64_t stop = min(row + ROWS_PER_CHUNK, job.binned.n_rows)
    if job.is_narrow:
        while row + N_LANES <= stop:
            _find_leaves_of_lanes(job, row, job.leaves + row)
            row += N_LANES
    while row < stop:
        job.leaves[row] = _find_leaf(job, row)
        row += 1


cdef _write_table(
    const binned_t* binned,
    const node_t* node,
    int bin_idx,
    const uint32_t[::1] bitsets,
    uint8_t[::1] goes_right,
):
    """Write which codes of a split's column go right; there may be room for more."""
    cdef:
        int code, n_bins = binned.n_bins[node.feature]
        uint8_t[::1] right = np.empty(n_bins + 1, dtype=np.uint8)
    for code in range(n_bins + 1):
        if code == n_bins:
            right[code] = not node.missing_left
        elif node.bitset < 0:
            right[code] = code > bin_idx
        else:
            right[code] = not (bitsets[node.bitset + code // 32] >> (code % 32)) & 1
    if binned.storage[node.feature] == NARROW_STORAGE:
        skx_translate_codes(binned, node.feature, &right[0], &goes_right[0])
    else:
        goes_right[: n_bins + 1] = right


def find_binned_leaves(
    BinnedMatrix matrix,
    const uint8_t[::1] nodes,
    const int32_t[::1] bins,
    const uint32_t[::1] bitsets,
    int32_t[::1] leaves,
    int n_threads,
):
    """Find the leaf of a tree that each row reaches.

    IN: nodes (bytes of NODE_DTYPE) of one tree grown on `matrix`, bins (n_nodes,) of
    its numeric splits, bitsets. OUT: leaves (n_rows,), positions within the tree.
    """
    cdef:
        const binned_t* binned = &matrix.binned
        const node_t* node
        int n_nodes = <int> bins.shape[0]
        int i, feature, n_chunks
        int64_t size = MIN_TABLE
        uint8_t[::1] steps_bytes = np.empty(n_nodes * sizeof(step_t), dtype=np.uint8)
        uint8_t[::1] goes_right
        step_t* steps = <step_t*> &steps_bytes[0]
        job_t job
    job.is_narrow = binned.n_columns > 0
    for i in range(n_nodes):
        node = <const node_t*> &nodes[0] + i
        feature = node.feature
        steps[i].feature = feature
        if feature < 0:
            # The first bytes of the tables are zeros: a leaf leads to its left, itself.
            steps[i].offset = 0
            steps[i].left = i
            steps[i].table = 0
            continue
        steps[i].offset = binned.positions[feature] * binned.n_rows
        steps[i].left = node.left
        steps[i].table = size
        size += max(binned.n_bins[feature] + 1, <int> MIN_TABLE)
        job.is_narrow = job.is_narrow and binned.storage[feature] == NARROW_STORAGE
    goes_right = np.zeros(size, dtype=np.uint8)
    for i in range(n_nodes):
        node = <const node_t*> &nodes[0] + i
        if node.feature < 0:
            continue
        _write_table(
            binned, node, bins[i], bitsets, goes_right[steps[i].table : size]
        )
    job.binned = binned
    job.steps = steps
    job.goes_right = &goes_right[0]
    job.leaves = &leaves[0]
    n_chunks = <int> ((binned.n_rows + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
    with nogil:
        parallel_for(_find_leaves_of_chunk, &job, n_chunks, n_threads)


cdef struct addition_t:
    const int32_t* leaves
    const double* values
    double* raw
    int64_t n_rows


cdef void _add_values_of_chunk(void* context, int chunk) noexcept nogil:
    cdef:
        addition_t* job = <addition_t*> context
        int64_t row, start = <int64_t> chunk * ROWS_PER_CHUNK
    for row in range(start, min(start + ROWS_PER_CHUNK, job.n_rows)):
        job.raw[row] += job.values[job.leaves[row]]


def add_node_values(
    const int32_t[::1] leaves, const double[::1] values, double[::1] raw, int n_threads
):
    """Add to each row the value of its leaf.

    IN: leaves (n_rows,), values (n_nodes,). INOUT: raw (n_rows,).
    """
    cdef:
        addition_t job
        int n_chunks = <int> ((raw.shape[0] + ROWS_PER_CHUNK - 1) // ROWS_PER_CHUNK)
    job.leaves = &leaves[0]
    job.values = &values[0]
    job.raw = &raw[0]
    job.n_rows = raw.shape[0]
    with nogil:
        parallel_for(_add_values_of_chunk, &job, n_chunks, n_threads)
