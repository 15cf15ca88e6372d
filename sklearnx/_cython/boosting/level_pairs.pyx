"""Pairs of levels of two categories, numbered (see level_pairs_kernels.h).

A task is a pair of columns.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy
from libcpp cimport bool as bool_t
from libcpp.vector cimport vector

from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "level_pairs_kernels.h" nogil:
    ctypedef struct skx_level_pair_t:
        const int32_t* first
        const int32_t* second
        int64_t n_rows, n_first, n_second

    bool_t skx_number_pairs(
        const skx_level_pair_t* pair, int64_t* starts, vector[int32_t]* members,
        int32_t* codes,
    ) noexcept
    void skx_find_pairs(
        const skx_level_pair_t* pair, const int64_t* starts, const int32_t* members,
        int32_t unknown, int32_t* codes,
    ) noexcept


cdef struct task_t:
    skx_level_pair_t pair
    int64_t* starts
    vector[int32_t]* found  # of rows that are numbered
    const int32_t* members  # of rows that are looked up
    int32_t unknown
    int32_t* codes
    bint is_done


cdef void _number(void* context, int index) noexcept nogil:
    cdef task_t* task = <task_t*> context + index
    task.is_done = skx_number_pairs(
        &task.pair, task.starts, task.found, task.codes
    )


cdef void _find(void* context, int index) noexcept nogil:
    cdef task_t* task = <task_t*> context + index
    skx_find_pairs(&task.pair, task.starts, task.members, task.unknown, task.codes)


cdef _describe(
    const int32_t[::1] first,
    const int32_t[::1] second,
    int64_t n_first,
    int64_t n_second,
    const int64_t[::1] starts,
    int32_t[::1] codes,
    task_t* task,
):
    # Written while pairs are numbered only; in a model they may be read-only.
    task.pair = skx_level_pair_t(
        &first[0], &second[0], first.shape[0], n_first, n_second
    )
    task.starts = <int64_t*> &starts[0]
    task.codes = &codes[0]


def number_pairs(list pairs, list n_levels, int n_threads=1):
    """Number the pairs of levels that rows have.

    Parameters
    ----------
    pairs : list of tuples of two int32 arrays of shape (n_rows,)
        Codes of levels, -1 where missing; at least one row.
    n_levels : list of tuples of two int
    n_threads : int, default=1

    Returns
    -------
    codes : list of int32 arrays of shape (n_rows,)
    tables : list of tuples of arrays
        What `find_pairs` needs: starts (n_first + 2,), int64; members (n_members,),
        int32.
    """
    cdef:
        int index, n_pairs = len(pairs)
        vector[task_t] tasks
        vector[vector[int32_t]] found
        int32_t[::1] members
    tasks.resize(n_pairs)
    found.resize(n_pairs)
    codes, all_starts = [], []
    for index in range(n_pairs):
        first, second = pairs[index]
        n_first, n_second = n_levels[index]
        codes.append(np.empty(len(first), dtype=np.int32))
        all_starts.append(np.empty(n_first + 2, dtype=np.int64))
        _describe(
            first,
            second,
            n_first,
            n_second,
            all_starts[index],
            codes[index],
            &tasks[index],
        )
        tasks[index].found = &found[index]
    with nogil:
        parallel_for(_number, tasks.data(), n_pairs, n_threads)
    tables = []
    for index in range(n_pairs):
        if not tasks[index].is_done:
            raise MemoryError()
        array = np.empty(found[index].size(), dtype=np.int32)
        members = array
        memcpy(&members[0], found[index].data(), found[index].size() * sizeof(int32_t))
        tables.append((all_starts[index], array))
    return codes, tables


def find_pairs(list pairs, list tables, int32_t unknown, int n_threads=1):
    """Return the numbers of the pairs of other rows.

    Parameters
    ----------
    pairs : list of tuples of two int32 arrays of shape (n_rows,)
        As of `number_pairs`; each level is one that it knew.
    tables : list of tuples of arrays
        What `number_pairs` returned.
    unknown : int
        The code of pairs that no row had.
    n_threads : int, default=1

    Returns
    -------
    codes : list of int32 arrays of shape (n_rows,)
    """
    cdef:
        int index, n_pairs = len(pairs)
        vector[task_t] tasks
        const int32_t[::1] members
    tasks.resize(n_pairs)
    codes = []
    for index in range(n_pairs):
        first, second = pairs[index]
        starts, members = tables[index]
        codes.append(np.empty(len(first), dtype=np.int32))
        _describe(first, second, 0, 0, starts, codes[index], &tasks[index])
        tasks[index].members = &members[0]
        tasks[index].unknown = unknown
    with nogil:
        parallel_for(_find, tasks.data(), n_pairs, n_threads)
    return codes
