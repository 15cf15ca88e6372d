# What kernels call that cut their work into tasks (parallel_parts.h): `parallel_for`.
from sklearnx._cython.common.threads cimport task_t

cdef extern from "parallel_parts.h" nogil:
    ctypedef void (*skx_parallel_t)(task_t, void*, int, int) noexcept nogil
