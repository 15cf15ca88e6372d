from libc.stdint cimport int32_t, int64_t

cdef extern from "kd_tree.h" nogil:
    ctypedef struct skx_kd_tree_t:
        int64_t n, n_columns, n_leaves
        const double* points
        const double* lower
        const double* upper
        const int32_t* rows


cdef inline skx_kd_tree_t describe_kd_tree(
    const double[:, :, ::1] points,
    const double[:, ::1] lower,
    const double[:, ::1] upper,
    const int32_t[::1] rows,
) noexcept:
    """The arrays of a tree in one."""
    cdef skx_kd_tree_t tree
    tree.n = rows.shape[0]
    tree.n_columns = points.shape[1]
    tree.n_leaves = points.shape[0]
    tree.points = &points[0, 0, 0]
    tree.lower = &lower[0, 0]
    tree.upper = &upper[0, 0]
    tree.rows = &rows[0]
    return tree
