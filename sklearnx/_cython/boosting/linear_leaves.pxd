from libc.stdint cimport int32_t, int64_t
from libcpp.vector cimport vector

cdef extern from "linear_kernels.h" nogil:
    ctypedef struct raw_column_t:
        const char* values
        int64_t stride
        bint is_float32
        bint is_sparse
        const int32_t* stored32
        const int64_t* stored64
        int64_t n_stored


cdef class RawColumns:
    cdef vector[raw_column_t] columns
    cdef const int64_t* index
    cdef list _owners
    cdef object _index
