"""Trees of merges: naming their nodes, cutting them, and spanning trees of graphs.

A tree over n leaves has its leaves at 0, ..., n - 1 and the result of merge i at node
n + i. All arrays but the weights are of intp or, for pairs of points, of int32.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libcpp.vector cimport vector


cdef inline int64_t _find_root(int64_t* parents, int64_t node) noexcept nogil:
    """The root of a node's set; halves the path to it."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


def name_merges(
    const int32_t[:, ::1] pairs,
    const int64_t[::1] order,
    Py_ssize_t[:, ::1] children,
    bint lower_first,
):
    """Write the nodes that each merge unites.

    Parameters
    ----------
    pairs : array of shape (n - 1, 2)
        IN, two points for each merge, each in one of the clusters merged: a tree.
    order : array of shape (n - 1,)
        IN, the merges by height.
    children : array of shape (n - 1, 2)
        OUT.
    lower_first : bool
        Whether the lower of the two nodes comes first, or that of the first point.
    """
    cdef:
        int64_t n = pairs.shape[0] + 1, i, a, b
        vector[int64_t] parents
    with nogil:
        parents.resize(2 * n - 1)
        for i in range(2 * n - 1):
            parents[i] = i
        for i in range(n - 1):
            a = _find_root(parents.data(), pairs[order[i], 0])
            b = _find_root(parents.data(), pairs[order[i], 1])
            if lower_first and b < a:
                a, b = b, a
            children[i, 0] = a
            children[i, 1] = b
            parents[a] = n + i
            parents[b] = n + i


def label_leaves(
    const Py_ssize_t[:, :] children,
    const Py_ssize_t[::1] nodes,
    Py_ssize_t[::1] labels,
):
    """Write for each leaf which of the nodes it is under.

    IN: children (n - 1, 2), nodes (n_clusters,) that part the tree. OUT: labels (n,).
    """
    cdef:
        int64_t n = labels.shape[0], i
        vector[int64_t] below
    with nogil:
        below.assign(n + children.shape[0], -1)
        for i in range(nodes.shape[0]):
            below[nodes[i]] = i
        for i in range(children.shape[0] - 1, -1, -1):
            if below[n + i] >= 0:
                below[children[i, 0]] = below[n + i]
                below[children[i, 1]] = below[n + i]
        for i in range(n):
            labels[i] = below[i]


def find_heads(const Py_ssize_t[::1] parents, Py_ssize_t[::1] heads):
    """Write the last ancestor of each node. IN: parents, none below its child."""
    cdef int64_t node
    with nogil:
        for node in range(parents.shape[0] - 1, -1, -1):
            if parents[node] == node:
                heads[node] = node
            else:
                heads[node] = heads[parents[node]]


def select_spanning_edges(
    const int32_t[::1] rows,
    const int32_t[::1] columns,
    const int64_t[::1] order,
    int64_t n_nodes,
    uint8_t[::1] is_selected,
):
    """Select a minimum spanning forest (J. B. Kruskal, 1956).

    Parameters
    ----------
    rows, columns : arrays of shape (n_edges,)
        IN, the ends of each edge.
    order : array of shape (n_edges,)
        IN, the edges by weight.
    n_nodes : int
        Number of nodes.
    is_selected : array of shape (n_edges,)
        OUT, 1 for the edges of the forest, else 0.
    """
    cdef:
        int64_t i, edge, a, b
        vector[int64_t] parents
    with nogil:
        parents.resize(n_nodes)
        for i in range(n_nodes):
            parents[i] = i
        for i in range(rows.shape[0]):
            edge = order[i]
            a = _find_root(parents.data(), rows[edge])
            b = _find_root(parents.data(), columns[edge])
            is_selected[edge] = a != b
            # Lower roots keep the paths short enough, as these are halved.
            if a < b:
                parents[b] = a
            else:
                parents[a] = b
