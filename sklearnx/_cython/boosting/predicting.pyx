"""Send rows through trees.

Blocks of rows pass tree after tree, so that a tree stays in the nearest cache while the
block's rows use it. Many rows go down trees of few leaves side by side, see
routing_kernels.h; other rows one by one. Thresholds are compared in double whatever the
type of the values, or as exactly, so that float32 rows go where the float32 training
rows went.
"""

from cython cimport floating
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from sklearnx._cython.boosting.tree_paths cimport (
    add_value,
    compute_value,
    connect_trees,
    find_leaf,
    goes_left,
    trees_t,
)
from sklearnx._cython.common.dtypes cimport node_t
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "routing_kernels.h" nogil:
    enum:
        ROWS_PER_BLOCK "SKX_ROWS_PER_BLOCK"

    cppclass skx_router_t:
        bint prepare(
            const node_t* nodes,
            const int64_t* offsets,
            int64_t n_trees,
            bint is_float32,
        ) except +

    bint skx_route_block[value_t](
        const skx_router_t* router, const node_t* nodes, const int64_t* offsets,
        int64_t n_trees, const uint32_t* bitsets, const value_t* X, int64_t n_features,
        int64_t start, int64_t stop,
        void (*use_leaves)(
            const void*, int64_t, int64_t, int64_t, const int32_t*
        ) noexcept nogil,
        const void* context,
    ) noexcept

cdef enum:
    # Of fewer, codes are not worth their preparation.
    MIN_ROUTED_ROWS = 256


cdef struct job_t:
    trees_t trees
    const void* X
    bint is_float32
    int64_t n_rows
    int64_t n_features
    double* raw
    int32_t* leaves  # NULL: raw scores are asked for
    const skx_router_t* router  # NULL: rows go down one by one


cdef void _use_leaves(
    const void* context,
    int64_t tree,
    int64_t start,
    int64_t stop,
    const int32_t* leaves,
) noexcept nogil:
    """Do with the leaves of rows in a tree, positions within it, what is asked for."""
    cdef:
        const job_t* job = <const job_t*> context
        const node_t* nodes = job.trees.nodes + job.trees.offsets[tree]
        const node_t* leaf
        const double* vector
        double* raw
        double value
        int64_t row
        int output
    if job.leaves != NULL:
        for row in range(start, stop):
            job.leaves[row * job.trees.n_trees + tree] = leaves[row - start]
        return
    if job.trees.vectors != NULL:
        for row in range(start, stop):
            vector = job.trees.vectors + job.trees.n_outputs * (
                job.trees.offsets[tree] + leaves[row - start]
            )
            for output in range(job.trees.n_outputs):
                add_value(
                    &job.trees,
                    &job.raw[output * job.n_rows + row],
                    vector[output] / job.trees.divisor,
                )
        return
    raw = job.raw + (tree % job.trees.n_outputs) * job.n_rows
    if job.trees.linear_leaves == NULL and not job.trees.in_float32:
        for row in range(start, stop):
            raw[row] += nodes[leaves[row - start]].value
    else:
        for row in range(start, stop):
            leaf = &nodes[leaves[row - start]]
            if job.is_float32:
                value = compute_value(
                    &job.trees, leaf, <const float*> job.X + row * job.n_features
                )
            else:
                value = compute_value(
                    &job.trees, leaf, <const double*> job.X + row * job.n_features
                )
            add_value(&job.trees, &raw[row], value)


cdef void _predict_rows(
    const job_t* job, const floating* X, int64_t start, int64_t stop
) noexcept nogil:
    cdef:
        int64_t tree, row
        const node_t* nodes
        int32_t[ROWS_PER_BLOCK] leaves
    if job.router != NULL and skx_route_block(
        job.router, job.trees.nodes, job.trees.offsets, job.trees.n_trees,
        job.trees.bitsets, X, job.n_features, start, stop, _use_leaves, job,
    ):
        return
    for tree in range(job.trees.n_trees):
        nodes = job.trees.nodes + job.trees.offsets[tree]
        for row in range(start, stop):
            leaves[row - start] = find_leaf(
                nodes, job.trees.bitsets, X + row * job.n_features
            )
        _use_leaves(job, tree, start, stop, leaves)


cdef void _predict_block(void* context, int block) noexcept nogil:
    cdef:
        job_t* job = <job_t*> context
        int64_t start = <int64_t> block * ROWS_PER_BLOCK
        int64_t stop = min(start + ROWS_PER_BLOCK, job.n_rows)
    if job.is_float32:
        _predict_rows(job, <const float*> job.X, start, stop)
    else:
        _predict_rows(job, <const double*> job.X, start, stop)


cdef void _run(const floating[:, ::1] X, job_t* job, int n_threads):
    cdef:
        int n_blocks = <int> ((X.shape[0] + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK)
        skx_router_t router
    job.X = <const void*> &X[0, 0]
    job.is_float32 = floating is float
    job.n_rows = X.shape[0]
    job.n_features = X.shape[1]
    job.router = NULL
    with nogil:
        if job.n_rows >= MIN_ROUTED_ROWS and router.prepare(
            job.trees.nodes, job.trees.offsets, job.trees.n_trees, job.is_float32
        ):
            job.router = &router
        parallel_for(_predict_block, job, n_blocks, n_threads)


def add_predictions(
    const uint8_t[::1] nodes,
    const int64_t[::1] offsets,
    const uint32_t[::1] bitsets,
    const floating[:, ::1] X,
    double[:, ::1] raw,
    int n_threads,
    const uint8_t[::1] linear_leaves=None,
    const uint8_t[::1] linear_terms=None,
    double divisor=1.0,
    const double[:, ::1] vectors=None,
    bint in_float32=False,
):
    """Add the trees' values to raw scores.

    IN: nodes (bytes of NODE_DTYPE), offsets (n_trees + 1,) of each tree's first node,
    bitsets, X (n_rows, n_features); linear_leaves and linear_terms (bytes of
    LINEAR_LEAF_DTYPE and LINEAR_TERM_DTYPE), if any leaf has a linear model; vectors
    (n_nodes, n_outputs), if leaves have those; divisor of the values of both;
    in_float32, whether sums are rounded to float32 after each tree. INOUT: raw
    (n_outputs, n_rows); tree t adds to output t % n_outputs, with vectors to all.
    """
    cdef job_t job
    if X.shape[0] == 0 or offsets.shape[0] == 1:
        return
    connect_trees(
        &job.trees,
        nodes,
        offsets,
        bitsets,
        <int> raw.shape[0],
        linear_leaves,
        linear_terms,
        divisor,
        vectors,
        in_float32,
    )
    job.raw = &raw[0, 0]
    job.leaves = NULL
    _run(X, &job, n_threads)


def find_leaves(
    const uint8_t[::1] nodes,
    const int64_t[::1] offsets,
    const uint32_t[::1] bitsets,
    const floating[:, ::1] X,
    int32_t[:, ::1] leaves,
    int n_threads,
):
    """Find the leaf that each row reaches in each tree.

    IN: as `add_predictions`. OUT: leaves (n_rows, n_trees), positions within the tree.
    """
    cdef job_t job
    if X.shape[0] == 0 or offsets.shape[0] == 1:
        return
    connect_trees(&job.trees, nodes, offsets, bitsets, 1, None, None, 1.0, None, False)
    job.raw = NULL
    job.leaves = &leaves[0, 0]
    _run(X, &job, n_threads)


def add_partial_dependence(
    const uint8_t[::1] nodes,
    const int64_t[::1] n_samples,
    const uint32_t[::1] bitsets,
    const double[:, ::1] grid,
    const int32_t[::1] target_features,
    double[::1] averages,
):
    """Add a tree's partial dependence, by the recursion over weighted paths.

    IN: nodes and n_samples of one tree, grid (n_points, n_targets). INOUT: averages
    (n_points,). At a split on a target feature the point's path goes on; at any other
    both children are followed, weighted by their shares of the training rows (Friedman,
    "Greedy function approximation", 2001, section 8.2).
    """
    cdef:
        const node_t* tree = <const node_t*> &nodes[0]
        int32_t* stack = <int32_t*> malloc(n_samples.shape[0] * sizeof(int32_t))
        double* weights = <double*> malloc(n_samples.shape[0] * sizeof(double))
        int64_t point, n_stacked, target
        int32_t node, left
        double weight, share
    if stack == NULL or weights == NULL:
        free(stack)
        free(weights)
        raise MemoryError()
    with nogil:
        for point in range(grid.shape[0]):
            stack[0] = 0
            weights[0] = 1
            n_stacked = 1
            while n_stacked > 0:
                n_stacked -= 1
                node = stack[n_stacked]
                weight = weights[n_stacked]
                if tree[node].feature < 0:
                    averages[point] += weight * tree[node].value
                    continue
                left = tree[node].left
                target = 0
                while (
                    target < target_features.shape[0]
                    and target_features[target] != tree[node].feature
                ):
                    target += 1
                if target < target_features.shape[0]:
                    stack[n_stacked] = left + (
                        not goes_left(
                            &tree[node],
                            &bitsets[0] if bitsets.shape[0] > 0 else NULL,
                            grid[point, target],
                        )
                    )
                    weights[n_stacked] = weight
                    n_stacked += 1
                    continue
                share = <double> n_samples[left] / n_samples[node]
                stack[n_stacked] = left
                weights[n_stacked] = weight * share
                stack[n_stacked + 1] = left + 1
                weights[n_stacked + 1] = weight * (1 - share)
                n_stacked += 2
    free(stack)
    free(weights)
