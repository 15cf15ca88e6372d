from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.boosting.nodes cimport grown_tree_t
from sklearnx._cython.boosting.splitting cimport criterion_t
from sklearnx._cython.common.dtypes cimport binned_t, quantized_t


cdef tuple collect_leaves(const grown_tree_t* tree)

cdef tuple compute_values(
    const grown_tree_t* tree,
    const criterion_t* criteria,
    const quantized_t* quantized,
    const int32_t[::1] leaf_nodes,
    const int64_t[::1] leaf_offsets,
    int64_t n_rows,
    int n_threads,
)

cdef tuple collect_nodes(
    const grown_tree_t* tree,
    const binned_t* binned,
    const double[::1] thresholds,
    const double[:, ::1] values,
    const double[:, ::1] sum_hessians,
)
