"""Features whose codes are mostly the same one, as entries: the rows of other codes.

    entries of feature f: rows[starts[f] : starts[f + 1]], ascending, and their codes
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from sklearnx._cython.common.threads cimport parallel_for

# Bundles that a feature is tried with at most, and that conflicts are known of.
MAX_OPEN_BUNDLES = 64
# Codes of a shared column, the one of no feature apart.
MAX_SHARED_CODES = 255


cdef struct extraction_t:
    const uint8_t* columns
    int64_t n_rows
    const int64_t* positions
    const int32_t* default_codes
    const int64_t* starts
    uint32_t* rows
    uint8_t* codes


cdef void _extract_feature(void* context, int i) noexcept nogil:
    cdef:
        extraction_t* job = <extraction_t*> context
        const uint8_t* column = job.columns + job.positions[i] * job.n_rows
        int64_t row, place = job.starts[i], stop = job.starts[i + 1]
        int default_code = job.default_codes[i]
    for row in range(job.n_rows):
        if place == stop:
            break
        # Written in any case, and overwritten unless it is an entry.
        job.rows[place] = <uint32_t> row
        job.codes[place] = column[row]
        place += column[row] != default_code


def extract_entries(
    const uint8_t[:, ::1] columns,
    const int64_t[::1] positions,
    const int32_t[::1] default_codes,
    const int64_t[::1] starts,
    int n_threads,
):
    """Return the rows and codes of the entries of some columns.

    IN: columns (n_columns, n_rows), positions of those that are read and their default
    codes, starts (len(positions) + 1,) as the numbers of other codes demand.
    """
    cdef:
        int n_features = <int> positions.shape[0]
        int64_t n_entries = starts[n_features]
        uint32_t[::1] rows = np.empty(n_entries, dtype=np.uint32)
        uint8_t[::1] codes = np.empty(n_entries, dtype=np.uint8)
        extraction_t job
    if n_entries > 0:
        job.columns = &columns[0, 0]
        job.n_rows = columns.shape[1]
        job.positions = &positions[0]
        job.default_codes = &default_codes[0]
        job.starts = &starts[0]
        job.rows = &rows[0]
        job.codes = &codes[0]
        with nogil:
            parallel_for(_extract_feature, &job, n_features, n_threads)
    return np.asarray(rows), np.asarray(codes)


def choose_bundles(
    int64_t n_rows,
    const int64_t[::1] starts,
    const uint32_t[::1] rows,
    const int32_t[::1] n_codes,
    const int64_t[::1] order,
):
    """Put features that have no row in common into bundles.

    A feature goes to the first bundle where it fits, as in algorithm 3 of Ke et al.,
    "LightGBM", NIPS 2017, with no conflict allowed.

    Parameters
    ----------
    n_rows : int
    starts, rows : arrays
        Entries of the features.
    n_codes : int32 array of shape (n_features,)
        Codes of each that are not the default one.
    order : int64 array
        Features in the order in which they are bundled.

    Returns
    -------
    bundles : int32 array of shape (n_features,)
        Number of the bundle of each feature, from 0 on; -1 for those not in `order`.
    """
    cdef:
        int64_t n_words = (n_rows + 63) // 64
        uint64_t[:, ::1] taken = np.zeros((MAX_OPEN_BUNDLES, n_words), dtype=np.uint64)
        int64_t[::1] n_taken = np.zeros(MAX_OPEN_BUNDLES, dtype=np.int64)
        int32_t[::1] n_taken_codes = np.zeros(MAX_OPEN_BUNDLES, dtype=np.int32)
        int32_t[::1] numbers = np.full(MAX_OPEN_BUNDLES, -1, dtype=np.int32)
        int32_t[::1] bundles = np.full(n_codes.shape[0], -1, dtype=np.int32)
        int max_open = MAX_OPEN_BUNDLES, max_codes = MAX_SHARED_CODES
        int64_t i, j, feature, n_entries
        int place, n_bundles = 0
        uint32_t row
    with nogil:
        for i in range(order.shape[0]):
            feature = order[i]
            n_entries = starts[feature + 1] - starts[feature]
            for place in range(min(n_bundles, max_open)):
                if n_taken[place] + n_entries > n_rows:
                    continue
                if n_taken_codes[place] + n_codes[feature] > max_codes:
                    continue
                if not _has_conflict(
                    &taken[place, 0], &rows[starts[feature]], n_entries
                ):
                    break
            else:
                # The oldest bundle makes room, which is the fullest one.
                place = n_bundles % max_open
                memset(&taken[place, 0], 0, n_words * sizeof(uint64_t))
                n_taken[place] = n_taken_codes[place] = 0
                numbers[place] = n_bundles
                n_bundles += 1
            bundles[feature] = numbers[place]
            n_taken[place] += n_entries
            n_taken_codes[place] += n_codes[feature]
            for j in range(starts[feature], starts[feature + 1]):
                row = rows[j]
                taken[place, row >> 6] |= (<uint64_t> 1) << (row & 63)
    return np.asarray(bundles)


cdef bint _has_conflict(
    const uint64_t* taken, const uint32_t* rows, int64_t n_rows
) noexcept nogil:
    cdef int64_t i
    for i in range(n_rows):
        if taken[rows[i] >> 6] >> (rows[i] & 63) & 1:
            return True
    return False


def write_entries(
    const uint32_t[::1] rows,
    const uint8_t[::1] codes,
    const uint8_t[::1] column_codes,
    uint8_t[::1] column,
):
    """Write the entries of a feature to a column.

    IN: rows, codes; column_codes (256,), what a code is in the column. OUT: column
    (n_rows,), in these rows.
    """
    cdef int64_t i
    with nogil:
        for i in range(rows.shape[0]):
            column[rows[i]] = column_codes[codes[i]]
