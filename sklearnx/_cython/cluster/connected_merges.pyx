"""Hierarchies whose merges follow the edges of a graph (see connected_merges.h).

Graphs are symmetric and in CSR format, the neighbours of each node in ascending order,
without the node itself.
"""

from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error

cdef extern from "connected_merges.h" nogil:
    ctypedef struct skx_graph_t:
        int64_t n_nodes
        const int32_t* starts
        const int32_t* neighbors

    cdef cppclass skx_ward_merges_t:
        void start(
            const skx_graph_t& graph, const double* rows, int64_t width,
            int64_t n_merges,
        ) except +
        int64_t advance(int64_t n_steps, int32_t* pairs, double* weights) except +

    cdef cppclass skx_linkage_merges_t:
        void start(
            const skx_graph_t& graph, const double* weights, bint with_average,
            int64_t n_merges,
        ) except +
        int64_t advance(int64_t n_steps, int32_t* pairs, double* weights) except +


cdef enum:
    STEPS_BETWEEN_SIGNALS = 1024


cdef skx_graph_t _describe(
    const int32_t[::1] starts, const int32_t[::1] neighbors
) noexcept:
    cdef const int32_t* first = NULL
    if neighbors.shape[0] > 0:
        first = &neighbors[0]
    return skx_graph_t(starts.shape[0] - 1, &starts[0], first)


def find_ward_merges(
    const int32_t[::1] starts,
    const int32_t[::1] neighbors,
    const double[:, ::1] rows,
    int32_t[:, ::1] pairs,
    double[::1] weights,
):
    """Merge what raises the sum of squares least.

    Parameters
    ----------
    starts, neighbors : arrays of shape (n + 1,) and (n_edges,)
        IN, the graph.
    rows : array of shape (n, n_dims)
        IN, the points.
    pairs : array of shape (n_merges, 2)
        OUT, the nodes merged, the higher first; merge i makes node n + i.
    weights : array of shape (n_merges,)
        OUT, by how much the sum of squares grows.

    Returns
    -------
    n_made : int
        Number of merges, less than n_merges if the graph is not connected.
    """
    cdef:
        skx_ward_merges_t merges
        skx_graph_t graph = _describe(starts, neighbors)
        int64_t n_merges = weights.shape[0], done = 0, n_steps = 1, n_made = 1
        bint is_whole = True
    if n_merges < 1:
        return 0
    with nogil:
        merges.start(graph, &rows[0, 0], rows.shape[1], n_merges)
        while is_whole and done < n_merges and n_made == n_steps:
            n_steps = min(<int64_t> STEPS_BETWEEN_SIGNALS, n_merges - done)
            n_made = merges.advance(n_steps, &pairs[done, 0], &weights[done])
            done += n_made
            is_whole = handle_signals()
    if not is_whole:
        raise_pending_error()
    return done


def find_linkage_merges(
    const int32_t[::1] starts,
    const int32_t[::1] neighbors,
    const double[::1] distances,
    bint is_average,
    int32_t[:, ::1] pairs,
    double[::1] weights,
):
    """Merge what is nearest by the largest or the average distance.

    Parameters
    ----------
    starts, neighbors : arrays of shape (n + 1,) and (n_edges,)
        IN, the graph.
    distances : array of shape (n_edges,)
        IN, of the ends of each edge.
    is_average : bool
        Whether distances are averaged, over those that are known, or the largest
        counts.
    pairs, weights : arrays of shape (n_merges, 2) and (n_merges,)
        OUT, as by `find_ward_merges`; weights are distances.

    Returns
    -------
    n_made : int
        Number of merges, less than n_merges if the graph is not connected.
    """
    cdef:
        skx_linkage_merges_t merges
        skx_graph_t graph = _describe(starts, neighbors)
        int64_t n_merges = weights.shape[0], done = 0, n_steps = 1, n_made = 1
        bint is_whole = True
    if n_merges < 1 or neighbors.shape[0] == 0:
        return 0
    with nogil:
        merges.start(graph, &distances[0], is_average, n_merges)
        while is_whole and done < n_merges and n_made == n_steps:
            n_steps = min(<int64_t> STEPS_BETWEEN_SIGNALS, n_merges - done)
            n_made = merges.advance(n_steps, &pairs[done, 0], &weights[done])
            done += n_made
            is_whole = handle_signals()
    if not is_whole:
        raise_pending_error()
    return done
