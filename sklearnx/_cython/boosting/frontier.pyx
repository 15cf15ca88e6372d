"""The nodes that wait to be split: a queue that knows nothing of data or devices.

Leaf-wise growth pops the largest gain first (Shi, "Best-first decision tree learning",
2007); of equal gains the node that was made first.
"""

import numpy as np

from libc.stdint cimport int32_t
from libc.stdlib cimport free, realloc


def order_candidates(const double[::1] priorities, int n_before_pop=1):
    """Return nodes in the order in which they are popped.

    Parameters
    ----------
    priorities : float64 array of shape (n_nodes,)
        IN, of node 0, 1, ..., which are pushed in this order.
    n_before_pop : int, default=1
        After so many pushes a node is popped, until all are pushed.

    Returns
    -------
    nodes : int32 array of shape (n_nodes,)
    """
    cdef:
        int32_t[::1] nodes = np.empty(priorities.shape[0], dtype=np.int32)
        int32_t node
        int n_popped = 0
        frontier_t frontier = frontier_t(NULL, 0, 0)
    for node in range(priorities.shape[0]):
        if not push_candidate(&frontier, priorities[node], node):
            free(frontier.heap)
            raise MemoryError()
        if (node + 1) % n_before_pop == 0:
            nodes[n_popped] = pop_candidate(&frontier)
            n_popped += 1
    while frontier.n_candidates > 0:
        nodes[n_popped] = pop_candidate(&frontier)
        n_popped += 1
    free(frontier.heap)
    return np.asarray(nodes)


cdef inline bint _goes_first(const candidate_t* a, const candidate_t* b) noexcept nogil:
    if a.priority != b.priority:
        return a.priority > b.priority
    return a.node < b.node


cdef bint push_candidate(
    frontier_t* frontier, double priority, int32_t node
) noexcept nogil:
    """Add a node; return False if there is no memory left."""
    cdef:
        int child = frontier.n_candidates, parent, capacity
        candidate_t candidate
        candidate_t* heap
    if frontier.n_candidates == frontier.capacity:
        capacity = 2 * frontier.capacity + 64
        heap = <candidate_t*> realloc(frontier.heap, capacity * sizeof(candidate_t))
        if heap == NULL:
            return False
        frontier.heap = heap
        frontier.capacity = capacity
    heap = frontier.heap
    candidate.priority = priority
    candidate.node = node
    while child > 0:
        parent = (child - 1) // 2
        if not _goes_first(&candidate, &heap[parent]):
            break
        heap[child] = heap[parent]
        child = parent
    heap[child] = candidate
    frontier.n_candidates += 1
    return True


cdef int32_t pop_candidate(frontier_t* frontier) noexcept nogil:
    """Remove the first node and return it, or -1 if none is left."""
    cdef:
        candidate_t* heap = frontier.heap
        candidate_t last
        int parent = 0, child, n_candidates
        int32_t node
    if frontier.n_candidates == 0:
        return -1
    node = heap[0].node
    frontier.n_candidates -= 1
    n_candidates = frontier.n_candidates
    last = heap[n_candidates]
    while True:
        child = 2 * parent + 1
        if child >= n_candidates:
            break
        if child + 1 < n_candidates and _goes_first(&heap[child + 1], &heap[child]):
            child += 1
        if not _goes_first(&heap[child], &last):
            break
        heap[parent] = heap[child]
        parent = child
    heap[parent] = last
    return node
