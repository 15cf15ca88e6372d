"""Leaf-wise growth: the node with the largest gain first.

Shi, "Best-first decision tree learning", 2007. Of equal gains the node that was made
first is split first.
"""

from libc.stdint cimport int32_t

from sklearnx._cython.boosting.frontier cimport Frontier, candidate_t


cdef inline bint _goes_first(const candidate_t* a, const candidate_t* b) noexcept nogil:
    if a.gain != b.gain:
        return a.gain > b.gain
    return a.node < b.node


cdef class Leafwise(Frontier):
    """One node a batch, from a binary heap."""

    cdef bint push(self, double gain, int32_t node) noexcept nogil:
        cdef:
            int child = self.n_waiting, parent
            candidate_t candidate
            candidate_t* heap
        if not Frontier.push(self, gain, node):
            return False
        heap = self.waiting
        candidate = heap[child]
        while child > 0:
            parent = (child - 1) // 2
            if not _goes_first(&candidate, &heap[parent]):
                break
            heap[child] = heap[parent]
            child = parent
        heap[child] = candidate
        return True

    cdef int pop(self) noexcept nogil:
        cdef:
            candidate_t* heap = self.waiting
            candidate_t last
            int parent = 0, child, n_waiting
        if self.n_waiting == 0 or self.n_splits_left == 0:
            return 0
        self.n_splits_left -= 1
        self.is_last = self.n_splits_left == 0
        self.batch[0] = heap[0].node
        self.n_waiting -= 1
        n_waiting = self.n_waiting
        last = heap[n_waiting]
        while True:
            child = 2 * parent + 1
            if child >= n_waiting:
                break
            if child + 1 < n_waiting and _goes_first(&heap[child + 1], &heap[child]):
                child += 1
            if not _goes_first(&heap[child], &last):
                break
            heap[parent] = heap[child]
            parent = child
        heap[parent] = last
        return 1
