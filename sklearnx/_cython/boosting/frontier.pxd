from libc.stdint cimport int32_t


cdef struct candidate_t:
    double priority
    int32_t node


cdef struct frontier_t:
    candidate_t* heap
    int n_candidates
    int capacity


cdef bint push_candidate(
    frontier_t* frontier, double priority, int32_t node
) noexcept nogil

cdef int32_t pop_candidate(frontier_t* frontier) noexcept nogil
