"""Minimum spanning trees of points, in the order of Prim's algorithm.

See nearest_outside.h for those of points; those of distances known are a plain scan.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t
from libcpp.vector cimport vector

from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error

cdef extern from "nearest_outside.h" nogil:
    cdef cppclass skx_squared_gaps_t:
        pass
    cdef cppclass skx_absolute_gaps_t:
        pass
    cdef cppclass skx_largest_gap_t:
        pass
    cdef cppclass skx_outside_t[T]:
        void start(const double* rows, int64_t n, int64_t n_dims) except +
    void skx_advance_squared(
        skx_outside_t[skx_squared_gaps_t]*, int64_t, int32_t*, double*) except +
    void skx_advance_absolute(
        skx_outside_t[skx_absolute_gaps_t]*, int64_t, int32_t*, double*) except +
    void skx_advance_largest(
        skx_outside_t[skx_largest_gap_t]*, int64_t, int32_t*, double*) except +


cdef enum:
    STEPS_BETWEEN_SIGNALS = 256


def span_points(
    const double[:, ::1] rows, str metric, int32_t[:, ::1] pairs, double[::1] distances
):
    """Span points by the shortest tree.

    Parameters
    ----------
    rows : array of shape (n, n_dims)
        IN, finite.
    metric : {"euclidean", "manhattan", "chebyshev"}
        The distance.
    pairs : array of shape (n - 1, 2)
        OUT, row i has the points i and i + 1 in the order in which they joined the
        tree, beginning with point 0: not always the ends of the edge, but points of the
        two parts that it joins if edges are taken by weight.
    distances : array of shape (n - 1,)
        OUT, the weights of the edges.
    """
    cdef:
        skx_outside_t[skx_squared_gaps_t] squared
        skx_outside_t[skx_absolute_gaps_t] absolute
        skx_outside_t[skx_largest_gap_t] largest
        int64_t n = rows.shape[0], n_dims = rows.shape[1], done = 0, n_steps
        int kind = ("euclidean", "manhattan", "chebyshev").index(metric)
        bint is_whole = True
    if n < 2:
        return
    with nogil:
        if kind == 0:
            squared.start(&rows[0, 0], n, n_dims)
        elif kind == 1:
            absolute.start(&rows[0, 0], n, n_dims)
        else:
            largest.start(&rows[0, 0], n, n_dims)
        while is_whole and done < n - 1:
            n_steps = min(<int64_t> STEPS_BETWEEN_SIGNALS, n - 1 - done)
            if kind == 0:
                skx_advance_squared(
                    &squared, n_steps, &pairs[done, 0], &distances[done])
            elif kind == 1:
                skx_advance_absolute(
                    &absolute, n_steps, &pairs[done, 0], &distances[done])
            else:
                skx_advance_largest(
                    &largest, n_steps, &pairs[done, 0], &distances[done])
            done += n_steps
            is_whole = handle_signals()
    if not is_whole:
        raise_pending_error()


def lower_reaches(
    const double[::1] distances, double[::1] reaches, int32_t last
):
    """Take a point inside a tree and find the next, as `span_points` does.

    Parameters
    ----------
    distances : array of shape (n,)
        IN, of all points to the one taken inside.
    reaches : array of shape (n,)
        IN/OUT, their distances to the tree; -1 inside.
    last : int
        The point taken inside.

    Returns
    -------
    item : int
        The nearest point outside, -1 for none.
    """
    cdef:
        int64_t j
        int32_t nearest = -1
        double least = INFINITY
    with nogil:
        reaches[last] = -1.0
        for j in range(reaches.shape[0]):
            if reaches[j] < 0.0:
                continue
            if distances[j] < reaches[j]:
                reaches[j] = distances[j]
            if nearest < 0 or reaches[j] < least:
                least = reaches[j]
                nearest = <int32_t> j
    return nearest


def span_distances(
    const double[::1] condensed, int32_t[:, ::1] pairs, double[::1] distances
):
    """The same as `span_points` of a condensed matrix of all distances.

    IN: condensed (n (n - 1) / 2,), the rows of the upper triangle. OUT: as there.
    """
    cdef:
        int64_t n = pairs.shape[0] + 1, step, j, current = 0, nearest, offset
        double least
        vector[double] reaches
        bint is_whole = True
    with nogil:
        reaches.assign(n, INFINITY)
        for step in range(n - 1):
            reaches[current] = -1.0
            nearest = -1
            least = INFINITY
            # Entry (i, j), i < j, is at j + i n - (i + 1) (i + 2) / 2.
            for j in range(n):
                if reaches[j] < 0.0:
                    continue
                if j < current:
                    offset = current + j * n - (j + 1) * (j + 2) // 2
                else:
                    offset = j + current * n - (current + 1) * (current + 2) // 2
                if condensed[offset] < reaches[j]:
                    reaches[j] = condensed[offset]
                if nearest < 0 or reaches[j] < least:
                    least = reaches[j]
                    nearest = j
            pairs[step, 0] = <int32_t> current
            pairs[step, 1] = <int32_t> nearest
            distances[step] = least
            current = nearest
            if step % STEPS_BETWEEN_SIGNALS == 0:
                is_whole = handle_signals()
                if not is_whole:
                    break
    if not is_whole:
        raise_pending_error()
