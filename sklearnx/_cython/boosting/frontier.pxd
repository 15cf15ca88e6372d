from libc.stdint cimport int32_t


cdef struct candidate_t:
    double gain
    int32_t node


cdef class Frontier:
    cdef readonly int max_leaf_nodes, max_depth
    # Whether the nodes of a batch are split alike; their gains are then found for the
    # batch, and pushed as 0.
    cdef readonly bint shares_split
    # Whether the batch popped last is the tree's last: nobody asks for its children.
    cdef readonly bint is_last
    cdef int n_splits_left
    cdef candidate_t* waiting
    cdef int n_waiting, capacity
    cdef int32_t* batch  # the nodes popped last

    cdef void start(self) noexcept nogil
    cdef bint push(self, double gain, int32_t node) noexcept nogil
    cdef int pop(self) noexcept nogil
    cdef int take(self, int n_nodes) noexcept nogil
