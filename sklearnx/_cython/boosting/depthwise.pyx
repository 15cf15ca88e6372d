"""Depth-wise growth: level by level.

Chen and Guestrin, "XGBoost", KDD 2016, section 3. Where fewer leaves are left than a
level has nodes to split, those with the largest gain are split, of equal gains those
that were made first; the others stay leaves.
"""

from libcpp.algorithm cimport sort

from sklearnx._cython.boosting.frontier cimport Frontier, candidate_t


cdef bint _goes_first(const candidate_t& a, const candidate_t& b) noexcept nogil:
    if a.gain != b.gain:
        return a.gain > b.gain
    return a.node < b.node


cdef class Depthwise(Frontier):
    """A batch is a level: the children of one wait until all of it is split."""

    cdef int pop(self) noexcept nogil:
        cdef int n_nodes = min(self.n_waiting, self.n_splits_left)
        if n_nodes < self.n_waiting:
            sort(self.waiting, self.waiting + self.n_waiting, &_goes_first)
        self.n_splits_left -= n_nodes
        self.is_last = self.n_splits_left == 0
        return self.take(n_nodes)
