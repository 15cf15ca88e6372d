from sklearnx._cython.common.dtypes cimport quantized_t


cdef class QuantizedGradients:
    cdef quantized_t quantized
    cdef readonly object weights, integer_weights
    cdef readonly object fixed_weights
    cdef readonly object packed, gradients, hessians, leaf_gradients, leaf_hessians
    cdef readonly int n_leaf_bits
    cdef readonly double sum_weights
