"""Grow one tree: the loop over nodes, compiled and without the GIL.

    pop a batch of nodes; of each: partition its rows -> histogram of the smaller child
    from rows, of the larger by subtraction -> best splits -> push the children

Which nodes are popped is up to the growth policy, a `Frontier`. Where a batch shares a
split, it is sought when the batch is popped, from gains that its nodes added before.

A node's histogram lives while the node waits in the frontier; the larger child takes
over its parent's. Above a budget of memory histograms are dropped and both children
built from rows: the same integers either way.

A tree with vector leaves is grown from several outputs. A histogram has a plane of bins
for each, built one after another; rows and partition are shared.
"""

import numpy as np

from libc.math cimport INFINITY
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from sklearnx._cython.boosting.features cimport (
    close_groups,
    draw_features,
    feature_rules_t,
    open_features,
    start_features,
)
from sklearnx._cython.boosting.frontier cimport Frontier
from sklearnx._cython.boosting.histogram cimport (
    add_rows,
    allocate_workspace,
    choose_n_slots,
    find_features,
    find_sparse_block,
    finish_feature,
    free_workspace,
    histogram_job_t,
    plan_histogram,
    sum_rows,
    workspace_t,
)
from sklearnx._cython.boosting.histogram_pool cimport (
    acquire_histogram,
    empty_pool,
    fill_pool,
    histogram_pool_t,
    is_over_budget,
    release_histogram,
)
from sklearnx._cython.boosting.leaves cimport add_to_leaves, sum_leaves
from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.boosting.partition cimport partition_rows
from sklearnx._cython.boosting.quantization cimport QuantizedGradients
from sklearnx._cython.boosting.shared_splitting cimport (
    add_split_gains,
    allocate_shared_search,
    find_shared_split,
    free_shared_search,
    mark_shared_left_codes,
    shared_search_t,
    start_shared_search,
    take_shared_split,
)
from sklearnx._cython.boosting.splitting cimport (
    compute_node_value,
    criterion_t,
    describe_parent,
    find_split,
    has_plain_gain,
    parent_t,
    set_child_values,
    totals_t,
    write_left_levels,
)
from sklearnx._cython.boosting.vector_splitting cimport (
    add_vector_gains,
    allocate_vector,
    find_vector_split,
    free_vector,
    split_outputs,
    start_shared_vector_search,
    take_shared_vector_split,
    vector_t,
    write_vector_left_levels,
)
from sklearnx._cython.common.dtypes cimport (
    binned_t,
    hist_bin_t,
    node_t,
    quantized_t,
    sparse_block_t,
    split_t,
)
from sklearnx._cython.common.threads cimport parallel_for

from sklearnx._cython.boosting.leafwise import Leafwise

cdef extern from "histogram_kernels.h" nogil:
    void skx_add_bin(hist_bin_t* bin, hist_bin_t more) noexcept
    void skx_subtract_bins(
        hist_bin_t* bins, const hist_bin_t* less, int64_t n_bins
    ) noexcept

# The struct node_t. Its padding is a field, since NumPy drops what is not.
NODE_DTYPE = np.dtype(
    [
        ("value", np.float64),
        ("feature", np.int32),
        ("left", np.int32),
        ("bitset", np.int32),
        ("missing_left", np.uint8),
        ("unused", np.uint8, 3),
    ]
)

# What inspection shows of a node; prediction needs none of it.
STATS_DTYPE = np.dtype(
    [
        ("value", np.float64),
        ("gain", np.float64),
        ("sum_hessians", np.float64),
        ("n_samples", np.int64),
        ("depth", np.int32),
        ("bin", np.int32),
    ]
)

cdef enum:
    HISTOGRAM_BUDGET = 1 << 29  # bytes
    # Work that a second thread is worth being woken for, in updates of a bin; a bin
    # that is gathered, subtracted and searched twice costs about as much as 8 of them.
    MIN_UPDATES_FOR_THREADS = 1 << 15
    UPDATES_PER_BIN = 8
    MIN_ROWS_FOR_THREADS = 1 << 15


cdef struct grown_t:
    int64_t start, stop  # its rows
    totals_t totals
    totals_t* outputs  # of each output, the first included; NULL without vector leaves
    split_t split
    split_t* output_splits  # the split as each output sees it
    hist_bin_t* histogram
    uint8_t* goes_left  # by code of the split's feature
    bint has_missing  # values of the split's feature
    uint8_t* groups  # interaction groups that its path leaves open
    # By feature, which ones could be split: the histogram is of these. NULL: all.
    uint8_t* live
    int32_t left  # -1 for a leaf
    int32_t depth


# What makes the children of a node ready to be split: their histograms and best splits.
cdef struct search_t:
    const binned_t* binned
    const criterion_t* criterion
    vector_t* vector  # NULL without vector leaves
    int64_t plane  # first bin of the output that rows are added of
    bint is_last_plane  # then all of them are there, and features can be searched
    histogram_job_t histogram  # of the first node that has rows to add, if any
    bint adds_rows
    int finished  # feature whose histogram is finished, -1: none
    bint subtracts  # it from the second node's, which was their parent's
    grown_t* nodes[2]
    uint8_t* allowed[2]  # NULL: the node is not searched
    parent_t parents[2]  # what gains need of the nodes
    # Best of each dense feature, and of each sparse block at the place of its first.
    split_t* splits[2]
    shared_search_t* shared  # not NULL: gains are added here instead


cdef void _search_feature(
    search_t* search, int feature, bint is_sparse, split_t** best
) noexcept nogil:
    """Finish the histograms of a feature, and search them while they are warm.

    OUT: best (2,), the splits of each node; of a sparse feature they are kept unless
    this one is better.
    """
    cdef:
        int64_t first = search.binned.offsets[feature], start = search.plane + first
        grown_t* node
        # The children still have that of their parent.
        bint is_live = (
            search.nodes[0].live == NULL or search.nodes[0].live[feature] != 0
        )
        int i
        split_t split
        split_t* found
    if not is_sparse:
        if search.adds_rows and feature != search.finished:
            finish_feature(&search.histogram, feature)
        if search.subtracts and is_live:
            skx_subtract_bins(
                search.nodes[1].histogram + start,
                search.nodes[0].histogram + start,
                search.binned.offsets[feature + 1] - first,
            )
    # What is live is found once, when all planes are there.
    if not is_live or not search.is_last_plane:
        return
    for i in range(2):
        node = search.nodes[i]
        if node == NULL or search.allowed[i] == NULL:
            continue
        if node.live != NULL and not _could_be_split(search, node, feature):
            node.live[feature] = False
            continue
        if not search.allowed[i][feature]:
            continue
        if search.shared != NULL:
            _add_gains(search, node, feature)
            continue
        found = &split if is_sparse else best[i]
        if search.vector != NULL:
            find_vector_split(
                search.vector,
                search.binned,
                node.outputs,
                node.histogram,
                feature,
                found,
            )
        else:
            find_split(
                search.binned,
                search.criterion,
                &node.totals,
                &search.parents[i],
                node.histogram,
                feature,
                found,
            )
        if is_sparse and (split.feature < 0 or split.gain > best[i].gain):
            best[i][0] = split


cdef void _add_gains(
    search_t* search, const grown_t* node, int feature
) noexcept nogil:
    """Add the gains of a node to those of others that share its split."""
    if search.vector != NULL:
        add_vector_gains(
            search.vector,
            search.shared,
            search.binned,
            node.outputs,
            node.histogram,
            feature,
        )
    else:
        add_split_gains(
            search.shared,
            search.binned,
            search.criterion,
            &node.totals,
            node.histogram,
            feature,
        )


cdef inline void _set_totals(totals_t* totals, hist_bin_t sums) noexcept nogil:
    totals.sum_gradients = sums.sum_gradients
    totals.sum_hessians = sums.sum_hessians
    totals.n_samples = sums.n_samples


cdef inline bint _could_be_split(
    const search_t* search, const grown_t* node, int feature
) noexcept nogil:
    """Return whether a node, or one below it, may have a split on a feature.

    On one side of any split are only rows without the default code: too few here are
    too few further down.
    """
    cdef int default_code = search.binned.default_codes[feature]
    if default_code < 0:
        return True
    return (
        node.totals.n_samples
        - node.histogram[search.binned.offsets[feature] + default_code].n_samples
        >= search.criterion.min_samples_leaf
    )


cdef void _search_dense(search_t* search, int feature) noexcept nogil:
    cdef:
        int i
        split_t* best[2]
    for i in range(2):
        best[i] = search.splits[i] + feature
    _search_feature(search, feature, False, best)


cdef void _search_block(search_t* search, const sparse_block_t* block) noexcept nogil:
    cdef:
        int i
        split_t* best[2]
    for i in range(2):
        best[i] = search.splits[i] + block.features[0]
        if search.allowed[i] != NULL:
            memset(best[i], 0, sizeof(split_t))
    for i in range(block.n_features):
        _search_feature(search, block.features[i], True, best)


cdef void _search_unit(void* context, int unit) noexcept nogil:
    """Search a dense feature, or a block of sparse ones."""
    cdef:
        search_t* search = <search_t*> context
        const binned_t* binned = search.binned
    if unit < binned.n_dense:
        _search_dense(search, binned.dense[unit])
    else:
        _search_block(search, &binned.sparse_blocks[unit - binned.n_dense])


cdef void _add_rows(void* context, int task) noexcept nogil:
    add_rows(&(<search_t*> context).histogram, task)


cdef void _add_rows_and_search(void* context, int task) noexcept nogil:
    """Do all that there is to do for the features of a task."""
    cdef:
        search_t* search = <search_t*> context
        const int32_t* features
        int i, n_features = 0
        int block = find_sparse_block(&search.histogram, task)
    add_rows(&search.histogram, task)
    if block >= 0:
        _search_block(search, &search.binned.sparse_blocks[block])
    features = find_features(&search.histogram, task, &n_features)
    for i in range(n_features):
        _search_dense(search, features[i])


cdef class TreeGrower:
    """Grows the trees of a booster on one binned matrix.

    Parameters
    ----------
    matrix : BinnedMatrix
    thresholds : float64 array of shape (n_bins in all,)
        Upper edge of each bin, in the order of a histogram.
    grow_policy : type, default=Leafwise
        Class of the `Frontier`.
    max_leaf_nodes, max_depth : int
        0 means no limit.
    min_samples_leaf : int
    min_child_weight : float
        Positive.
    l1_regularization, l2_regularization, min_split_gain, path_smoothing : float
    max_delta_step : float
        Infinite: no limit.
    max_features, colsample_bytree : float
        Shares of the features drawn for a node, among those drawn for its tree.
    feature_weights : float64 array of shape (n_features,) or None
        How likely features are to be drawn; None means all alike.
    extra_trees : bool
    monotonic_cst : int8 array of shape (n_features,)
    interaction_groups : uint8 array of shape (n_groups, n_features) or None
        Which features may meet on a path.
    seed : int
    n_outputs : int, default=1
        With more than one, leaves hold a vector, and nothing is monotonic.
    n_threads : int
    histogram_budget : int
        Bytes that the histograms of waiting nodes may take; 8 are always kept.

    Attributes
    ----------
    vectors : float64 array of shape (n_nodes, n_outputs) or None
        Values of the last tree's nodes, before any shrinkage, if leaves hold vectors.
    """

    cdef:
        BinnedMatrix matrix
        readonly int n_threads
        bint has_categories
        int max_depth
        readonly int n_outputs
        bint tracks_live  # there are features that nodes drop for good
        # The first feature whose bins are all summed up from rows, -1 if there is none,
        # or if others must know the sums of the root before.
        int first_complete
        criterion_t criterion
        criterion_t* criteria  # of each output
        vector_t* vector  # NULL without vector leaves
        feature_rules_t rules
        workspace_t* workspace
        # Nodes of the tree that grows.
        grown_t* nodes
        int n_nodes, capacity
        Frontier frontier
        # Where the nodes of a batch share a split.
        shared_search_t* shared
        int n_batches
        histogram_pool_t histograms
        object _all_rows, _rows, _left_buffer, _right_buffer
        object _thresholds, _monotonic_cst, _interaction_groups
        object _splits, _allowed, _keys, _tree_features, _feature_weights, _shared_left
        # The same arrays, for code without the GIL.
        const uint32_t* given_rows  # of the tree that grows
        uint32_t* rows
        uint32_t* left_buffer
        uint32_t* right_buffer
        split_t* splits
        uint8_t* allowed
        uint8_t* shared_left  # by code of the shared split's feature
        int64_t n_rows
        # Rows of the last tree's leaves, for the update of raw scores.
        readonly object leaf_nodes, leaf_offsets
        readonly object vectors

    def __cinit__(self):
        self.workspace = NULL
        self.nodes = NULL
        self.histograms.n_free = 0
        self.histograms.free_ones = NULL
        self.shared = NULL
        self.vector = NULL

    def __init__(
        self,
        BinnedMatrix matrix,
        thresholds,
        *,
        grow_policy=Leafwise,
        max_leaf_nodes=31,
        max_depth=0,
        min_samples_leaf=20,
        min_child_weight=1e-3,
        l1_regularization=0.0,
        l2_regularization=0.0,
        min_split_gain=0.0,
        max_delta_step=INFINITY,
        path_smoothing=0.0,
        max_features=1.0,
        colsample_bytree=1.0,
        feature_weights=None,
        extra_trees=False,
        monotonic_cst=None,
        interaction_groups=None,
        seed=0,
        n_outputs=1,
        n_threads=1,
        histogram_budget=HISTOGRAM_BUDGET,
    ):
        cdef:
            const int8_t[::1] monotonic
            const uint8_t[:, ::1] groups
            const double[::1] weights_view
            uint8_t[::1] mask_view
            uint32_t[::1] rows_view
            uint8_t[:, ::1] bytes_view
            uint64_t[::1] keys_view
        n_features = matrix.n_features
        self.matrix = matrix
        self.n_threads = n_threads
        self.has_categories = bool(matrix.is_categorical.any())
        self.frontier = grow_policy(max_leaf_nodes=max_leaf_nodes, max_depth=max_depth)
        self.max_depth = max_depth
        rows = np.arange(matrix.n_rows, dtype=np.uint32)
        self._all_rows = rows
        self._rows = np.empty_like(rows)
        self._left_buffer = np.empty_like(rows)
        self._right_buffer = np.empty_like(rows)
        self.n_rows = len(rows)
        default_codes = matrix.layout.default_codes
        is_complete = default_codes[matrix.used] < 0
        self.tracks_live = not np.all(is_complete)
        self.first_complete = -1
        if np.any(is_complete) and matrix.binned.n_sparse == 0:
            self.first_complete = matrix.used[np.argmax(is_complete)]
        rows_view = self._rows
        self.rows = &rows_view[0]
        rows_view = self._left_buffer
        self.left_buffer = &rows_view[0]
        rows_view = self._right_buffer
        self.right_buffer = &rows_view[0]
        self._thresholds = np.ascontiguousarray(thresholds, dtype=np.float64)
        if monotonic_cst is None:
            monotonic_cst = np.zeros(n_features, dtype=np.int8)
        monotonic = monotonic_cst
        self._monotonic_cst = monotonic_cst
        self.criterion.monotonic_cst = &monotonic[0]
        self.criterion.is_constrained = bool(np.any(monotonic_cst))
        self.criterion.l1_regularization = l1_regularization
        self.criterion.l2_regularization = l2_regularization
        self.criterion.min_split_gain = min_split_gain
        self.criterion.min_samples_leaf = min_samples_leaf
        self.criterion.min_child_weight = min_child_weight
        self.criterion.max_delta_step = max_delta_step
        self.criterion.path_smoothing = path_smoothing
        self.criterion.is_plain = has_plain_gain(&self.criterion)
        self.criterion.extra_trees = extra_trees
        self.criterion.seed = seed
        self._splits = np.empty((2, n_features * sizeof(split_t)), dtype=np.uint8)
        self._allowed = np.empty((2, n_features), dtype=np.uint8)
        bytes_view = self._splits
        self.splits = <split_t*> &bytes_view[0, 0]
        bytes_view = self._allowed
        self.allowed = &bytes_view[0, 0]
        self.workspace = allocate_workspace(
            &matrix.binned, choose_n_slots(&matrix.binned, self.n_rows, n_threads)
        )
        self._tree_features = np.empty(n_features, dtype=np.uint8)
        mask_view = self._tree_features
        self._keys = np.empty(n_features, dtype=np.uint64)
        keys_view = self._keys
        self.rules.n_features = n_features
        self.rules.colsample_bytree = colsample_bytree
        self.rules.max_features = max_features
        self.rules.seed = seed
        self.rules.tree_features = &mask_view[0]
        self.rules.keys = &keys_view[0]
        self.rules.weights = NULL
        self._feature_weights = feature_weights
        if feature_weights is not None:
            weights_view = feature_weights
            self.rules.weights = &weights_view[0]
        self.rules.n_groups = 0
        self._interaction_groups = interaction_groups
        if interaction_groups is not None:
            groups = interaction_groups
            self.rules.groups = &groups[0, 0]
            self.rules.n_groups = len(interaction_groups)
        self.n_outputs = n_outputs
        self.criteria = &self.criterion
        if n_outputs > 1:
            self.vector = allocate_vector(&matrix.binned, n_outputs)
            if self.vector == NULL:
                raise MemoryError()
            self.criteria = self.vector.criteria
        if self.workspace == NULL or not fill_pool(
            &self.histograms,
            n_outputs * matrix.binned.offsets[n_features],
            histogram_budget,
        ):
            raise MemoryError()
        if self.frontier.shares_split:
            self._shared_left = np.empty(max(matrix.n_bins) + 1, dtype=np.uint8)
            mask_view = self._shared_left
            self.shared_left = &mask_view[0]
            self.shared = allocate_shared_search(&matrix.binned, n_outputs)
            if self.shared == NULL:
                raise MemoryError()

    def __dealloc__(self):
        self._clear_nodes()
        free(self.nodes)
        empty_pool(&self.histograms)
        free_workspace(self.workspace)
        free_shared_search(self.shared)
        free_vector(self.vector)

    def grow(self, quantized, int64_t tree_idx, rows=None):
        """Grow a tree.

        Parameters
        ----------
        quantized : QuantizedGradients, or list of one for each output
        tree_idx : int
            Key of its random choices.
        rows : uint32 array of shape (n_drawn,) or None
            Rows to train on in ascending order; None means all.

        Returns
        -------
        nodes : NODE_DTYPE array of shape (n_nodes,)
            Leaves hold their value, before any shrinkage.
        stats : STATS_DTYPE array of shape (n_nodes,)
        bitsets : uint32 array
            Of categorical splits: bit `code` is set if that level goes left, the bit
            after the last level speaks for missing values. `nodes["bitset"]` is the
            first word of a split.
        """
        cdef:
            int failed, output
            const uint32_t[::1] given_rows = self._all_rows if rows is None else rows
            list outputs = quantized if isinstance(quantized, list) else [quantized]
            uint8_t[::1] memory = np.empty(
                self.n_outputs * sizeof(quantized_t), dtype=np.uint8
            )
            quantized_t* gradients = <quantized_t*> &memory[0]
        for output in range(self.n_outputs):
            gradients[output] = (<QuantizedGradients?> outputs[output]).quantized
        self.criterion.row_weight = gradients.row_weight
        self.criterion.weight_unit = gradients.weight_unit
        self.criterion.tree_idx = tree_idx
        for output in reversed(range(self.n_outputs)):
            self.criterion.gradient_unit = gradients[output].gradient_unit
            self.criterion.hessian_unit = gradients[output].hessian_unit
            if self.has_categories:
                self.criterion.noise = outputs[output].compute_noise(
                    rows, self.n_threads
                )
            self.criteria[output] = self.criterion
        start_features(&self.rules, tree_idx)
        self.n_rows = given_rows.shape[0]
        self.given_rows = &given_rows[0]
        with nogil:
            failed = self._grow(gradients)
        if failed:
            self._clear_nodes()
            raise MemoryError("not enough memory to grow a tree")
        return self._collect(gradients)

    def add_leaf_values(self, const double[::1] values, double[::1] raw):
        """Add to the raw scores the value of each row's leaf.

        IN: values (n_leaves,) in the order of `leaf_nodes`. INOUT: raw (n_rows,).
        """
        cdef:
            const int64_t[::1] offsets = self.leaf_offsets
            int n_leaves = <int> values.shape[0]
            bint is_done
        with nogil:
            is_done = add_to_leaves(
                &values[0],
                self.rows,
                &offsets[0],
                n_leaves,
                raw.shape[0],
                &raw[0],
                self._threads_for_rows(self.n_rows),
            )
        if not is_done:
            raise MemoryError()

    @property
    def leaf_rows(self):
        """Rows of the last tree, leaf by leaf.

        Those from `leaf_offsets[i]` to `leaf_offsets[i + 1]` reached `leaf_nodes[i]`.
        """
        return self._rows[: self.n_rows]

    cdef int _threads_for_rows(self, int64_t n_rows) noexcept nogil:
        return self.n_threads if n_rows >= MIN_ROWS_FOR_THREADS else 1

    cdef int _threads_for_updates(self, int64_t n_rows) noexcept nogil:
        """Return how many threads a histogram of so many rows, and its search, get."""
        cdef:
            const binned_t* binned = &self.matrix.binned
            int64_t n_updates = n_rows * binned.updates_per_row
        n_updates += binned.offsets[binned.n_features] * UPDATES_PER_BIN
        return self.n_threads if n_updates >= MIN_UPDATES_FOR_THREADS else 1

    # -- nodes --

    cdef void _clear_nodes(self) noexcept nogil:
        cdef int i
        for i in range(self.n_nodes):
            release_histogram(&self.histograms, &self.nodes[i].histogram)
            free(self.nodes[i].goes_left)
            free(self.nodes[i].groups)
            free(self.nodes[i].outputs)
            free(self.nodes[i].output_splits)
            free(self.nodes[i].live)
            self.nodes[i].goes_left = NULL
            self.nodes[i].groups = NULL
            self.nodes[i].outputs = NULL
            self.nodes[i].output_splits = NULL
            self.nodes[i].live = NULL
        self.n_nodes = 0

    cdef grown_t* _add_node(self) noexcept nogil:
        cdef:
            grown_t* nodes
            int capacity
        if self.n_nodes == self.capacity:
            capacity = 2 * self.capacity + 64
            nodes = <grown_t*> realloc(self.nodes, capacity * sizeof(grown_t))
            if nodes == NULL:
                return NULL
            self.nodes = nodes
            self.capacity = capacity
        memset(&self.nodes[self.n_nodes], 0, sizeof(grown_t))
        self.nodes[self.n_nodes].left = -1
        self.n_nodes += 1
        return &self.nodes[self.n_nodes - 1]

    # -- growth --

    cdef int _grow(self, const quantized_t* quantized) noexcept nogil:
        """Grow the tree; return non-zero if memory runs out."""
        cdef:
            grown_t* root
            int i, n_popped, failed = 0
        self._clear_nodes()
        self.frontier.start()
        self.n_batches = 0
        root = self._add_node()
        if root == NULL:
            return 1
        root.stop = self.n_rows
        failed = self._init_root(root, quantized)
        while not failed:
            n_popped = self.frontier.pop()
            if n_popped == 0:
                break
            if self.shared != NULL:
                failed = self._split_alike(n_popped, quantized)
            else:
                for i in range(n_popped):
                    failed = self._split_node(self.frontier.batch[i], quantized)
                    if failed:
                        break
            self.n_batches += 1
        if failed:
            return 1
        if self.n_nodes == 1:
            memcpy(self.rows, self.given_rows, self.n_rows * sizeof(uint32_t))
        return 0

    cdef int _init_root(
        self, grown_t* root, const quantized_t* quantized
    ) noexcept nogil:
        cdef:
            const binned_t* binned = &self.matrix.binned
            int output
            int64_t sum_weights
            totals_t* totals
        if self.rules.n_groups > 0:
            root.groups = <uint8_t*> malloc(self.rules.n_groups)
            if root.groups == NULL:
                return 1
            memset(root.groups, 1, self.rules.n_groups)
        if self.tracks_live:
            root.live = <uint8_t*> malloc(binned.n_features)
            if root.live == NULL:
                return 1
            memset(root.live, 1, binned.n_features)
        if self.vector != NULL and not self._allocate_outputs(root):
            return 1
        totals = self._get_outputs(root)
        if self.first_complete < 0:
            for output in range(self.n_outputs):
                _set_totals(
                    &totals[output],
                    sum_rows(quantized + output, self.given_rows, self.n_rows),
                )
        if self._build_histogram(root, quantized):
            return 1
        sum_weights = self._sum_weights(quantized)
        for output in range(self.n_outputs):
            totals[output].sum_weights = sum_weights
            totals[output].lower_bound = -INFINITY
            totals[output].upper_bound = INFINITY
            totals[output].value = compute_node_value(
                &self.criteria[output],
                totals[output].sum_gradients,
                totals[output].sum_hessians,
                INFINITY,
                0,
                -INFINITY,
                INFINITY,
            )
        root.totals = totals[0]
        if self._is_splittable(root):
            if self.shared != NULL and self.vector != NULL:
                if not start_shared_vector_search(
                    self.vector, self.shared, binned, root.outputs, root.histogram
                ):
                    return 1
            elif self.shared != NULL:
                start_shared_search(
                    self.shared, binned, &self.criterion, &root.totals, root.histogram
                )
            return self._search(root, NULL, quantized)
        return 0

    cdef bint _is_splittable(self, const grown_t* node) noexcept nogil:
        cdef:
            int output
            const totals_t* outputs = self._get_outputs(node)
        if self.max_depth > 0 and node.depth >= self.max_depth:
            return False
        if node.totals.n_samples < 2 * self.criterion.min_samples_leaf:
            return False
        for output in range(self.n_outputs):
            if (
                outputs[output].sum_hessians * self.criteria[output].hessian_unit
                < 2 * self.criterion.min_child_weight
            ):
                return False
        return True

    cdef int _split_alike(
        self, int n_popped, const quantized_t* quantized
    ) noexcept nogil:
        """Split the popped nodes by one split; return non-zero if it fails.

        A node to which it brings nothing is left whole, and waits for the next one.
        """
        cdef:
            int i, n_codes
            int64_t left_weight = 0, right_weight = 0
            bint has_missing = False
            uint8_t* missing_left
            int32_t node_idx
            grown_t* node
            split_t split
        self._find_shared_split(n_popped, &split)
        if split.gain <= 0:
            return 0
        n_codes = self.matrix.binned.n_bins[split.feature] + 1
        mark_shared_left_codes(
            self.shared, &self.matrix.binned, &split, self.shared_left
        )
        for i in range(n_popped):
            node_idx = self.frontier.batch[i]
            node = &self.nodes[node_idx]
            if node.histogram == NULL and self._build_histogram(node, quantized):
                return 1
            open_features(&self.rules, node.groups, self.allowed)
            if node.live != NULL and not node.live[split.feature]:
                self.allowed[split.feature] = False
            if not self.allowed[split.feature] or not self._take_shared_split(
                node, &split
            ):
                if self.frontier.is_last:
                    release_histogram(&self.histograms, &node.histogram)
                elif self._search(node, NULL, quantized):
                    return 1
                continue
            node.goes_left = <uint8_t*> malloc(n_codes)
            if node.goes_left == NULL:
                return 1
            memcpy(node.goes_left, self.shared_left, n_codes)
            self._note_missing(node)
            if self._split_node(node_idx, quantized):
                return 1
            node = &self.nodes[node_idx]
            has_missing |= node.has_missing
            left_weight += self.nodes[node.left].totals.sum_weights
            right_weight += self.nodes[node.left + 1].totals.sum_weights
        # Where only some of the nodes, or none, have missing values.
        missing_left = self.shared_left + n_codes - 1
        if not has_missing:
            missing_left[0] = left_weight > right_weight
        for i in range(n_popped):
            node = &self.nodes[self.frontier.batch[i]]
            if node.left >= 0:
                node.goes_left[n_codes - 1] = missing_left[0]
        return 0

    cdef bint _take_shared_split(
        self, grown_t* node, const split_t* split
    ) noexcept nogil:
        """Make the shared split one of a node; return whether it gains."""
        if self.vector == NULL:
            return take_shared_split(
                self.shared,
                &self.matrix.binned,
                &self.criterion,
                &node.totals,
                node.histogram,
                self.shared_left,
                split,
                &node.split,
            )
        node.split = split[0]
        return take_shared_vector_split(
            self.vector,
            self.shared,
            &self.matrix.binned,
            node.outputs,
            node.histogram,
            self.shared_left,
            &node.split,
            node.output_splits,
        )

    cdef void _find_shared_split(self, int n_popped, split_t* split) noexcept nogil:
        """Find the split of the popped nodes; its gain is 0 if there is none."""
        cdef:
            grown_t* node
            int i, feature, n_features = self.matrix.binned.n_features
            uint8_t* allowed = self.allowed + n_features
        memset(allowed, 0, n_features)
        # Without groups all nodes have the same features.
        for i in range(n_popped if self.rules.n_groups > 0 else 1):
            node = &self.nodes[self.frontier.batch[i]]
            open_features(&self.rules, node.groups, self.allowed)
            for feature in range(n_features):
                allowed[feature] |= self.allowed[feature]
        draw_features(&self.rules, self.n_batches, allowed)
        find_shared_split(
            self.shared,
            &self.matrix.binned,
            &self.criterion,
            allowed,
            self.n_batches,
            split,
        )

    cdef int _split_node(
        self, int32_t node_idx, const quantized_t* quantized
    ) noexcept nogil:
        """Make the children of a node and, unless it is the last split, search them."""
        cdef:
            const binned_t* binned = &self.matrix.binned
            grown_t* node
            grown_t* left
            grown_t* right
            grown_t* smaller
            grown_t* larger
            int64_t n_left, left_weight
            split_t* split
            # The root's rows are as they were given, those of other nodes in place.
            const uint32_t* source = self.given_rows if node_idx == 0 else self.rows
        if self._add_node() == NULL or self._add_node() == NULL:
            return 1
        node = &self.nodes[node_idx]
        left = &self.nodes[self.n_nodes - 2]
        right = &self.nodes[self.n_nodes - 1]
        split = &node.split
        n_left = partition_rows(
            binned,
            split.feature,
            node.goes_left,
            quantized.weights,
            source + node.start,
            self.rows + node.start,
            node.stop - node.start,
            self.left_buffer + node.start,
            self.right_buffer + node.start,
            &left_weight,
            self.n_threads,
        )
        if n_left < 0:
            return 1
        node.left = self.n_nodes - 2
        left.start = node.start
        left.stop = right.start = node.start + n_left
        right.stop = node.stop
        left.depth = right.depth = node.depth + 1
        left.totals.sum_gradients = split.left_gradients
        left.totals.sum_hessians = split.left_hessians
        left.totals.n_samples = split.left_n_samples
        right.totals.sum_gradients = node.totals.sum_gradients - split.left_gradients
        right.totals.sum_hessians = node.totals.sum_hessians - split.left_hessians
        right.totals.n_samples = node.totals.n_samples - split.left_n_samples
        left.totals.sum_weights = left_weight
        right.totals.sum_weights = node.totals.sum_weights - left.totals.sum_weights
        self._send_missing(node, left, right)
        left.totals.value = split.left_value
        right.totals.value = split.right_value
        left.totals.node_idx = self.n_nodes - 2
        right.totals.node_idx = self.n_nodes - 1
        self._set_bounds(node, left, right)
        if self.vector != NULL and not (
            self._init_child_outputs(node, left)
            and self._init_child_outputs(node, right)
        ):
            return 1
        if self.rules.n_groups > 0:
            left.groups = <uint8_t*> malloc(self.rules.n_groups)
            right.groups = <uint8_t*> malloc(self.rules.n_groups)
            if left.groups == NULL or right.groups == NULL:
                return 1
            close_groups(&self.rules, node.groups, split.feature, left.groups)
            close_groups(&self.rules, node.groups, split.feature, right.groups)
        if self.frontier.is_last or not (
            self._is_splittable(left) or self._is_splittable(right)
        ):
            release_histogram(&self.histograms, &node.histogram)
            return 0

        if node.live != NULL:
            left.live = <uint8_t*> malloc(binned.n_features)
            right.live = <uint8_t*> malloc(binned.n_features)
            if left.live == NULL or right.live == NULL:
                return 1
            memcpy(left.live, node.live, binned.n_features)
            memcpy(right.live, node.live, binned.n_features)
        smaller, larger = left, right
        if left.totals.n_samples > right.totals.n_samples:
            smaller, larger = right, left
        larger.histogram = node.histogram
        node.histogram = NULL
        return self._search(smaller, larger, quantized)

    cdef int64_t _sum_weights(self, const quantized_t* quantized) noexcept nogil:
        """Return the weight of all rows, in fixed point."""
        cdef int64_t i, sum_weights = 0
        if quantized.weights == NULL:
            return self.n_rows
        if self.n_rows == self.matrix.binned.n_rows:
            return quantized.sum_weights
        for i in range(self.n_rows):
            sum_weights += quantized.weights[self.given_rows[i]]
        return sum_weights

    cdef void _note_missing(self, grown_t* node) noexcept nogil:
        """Note whether a node has missing values, while it has its histogram."""
        cdef int64_t stop = self.matrix.binned.offsets[node.split.feature + 1]
        node.has_missing = node.histogram[stop - 1].n_samples > 0

    cdef void _send_missing(
        self, grown_t* node, const grown_t* left, const grown_t* right
    ) noexcept nogil:
        """Where a node has no missing values, one would go to the heavier child."""
        cdef:
            int n_bins = self.matrix.binned.n_bins[node.split.feature]
        if not node.has_missing:
            node.goes_left[n_bins] = (
                left.totals.sum_weights > right.totals.sum_weights
            )

    cdef void _set_bounds(
        self, const grown_t* node, grown_t* left, grown_t* right
    ) noexcept nogil:
        """Keep what grows below on its side of the middle of the children's values."""
        cdef:
            double middle = (left.totals.value + right.totals.value) / 2
            int cst = self.criterion.monotonic_cst[node.split.feature]
        left.totals.lower_bound = right.totals.lower_bound = node.totals.lower_bound
        left.totals.upper_bound = right.totals.upper_bound = node.totals.upper_bound
        if cst > 0:
            left.totals.upper_bound = middle
            right.totals.lower_bound = middle
        elif cst < 0:
            left.totals.lower_bound = middle
            right.totals.upper_bound = middle

    # -- the outputs of trees with vector leaves --

    cdef inline totals_t* _get_outputs(self, const grown_t* node) noexcept nogil:
        """Return the totals of each output, without vectors those of the only one."""
        return <totals_t*> &node.totals if self.vector == NULL else node.outputs

    cdef bint _allocate_outputs(self, grown_t* node) noexcept nogil:
        """Return False if there is no memory left."""
        node.outputs = <totals_t*> calloc(self.n_outputs, sizeof(totals_t))
        node.output_splits = <split_t*> malloc(self.n_outputs * sizeof(split_t))
        return node.outputs != NULL and node.output_splits != NULL

    cdef bint _init_child_outputs(
        self, const grown_t* node, grown_t* child
    ) noexcept nogil:
        """Take the outputs of a child from its parent's; False without memory."""
        cdef:
            int output
            bint is_left = child == &self.nodes[node.left]
            const split_t* split
            totals_t* totals
        if not self._allocate_outputs(child):
            return False
        for output in range(self.n_outputs):
            split = &node.output_splits[output]
            totals = &child.outputs[output]
            totals[0] = child.totals
            totals.sum_gradients = split.left_gradients
            totals.sum_hessians = split.left_hessians
            totals.value = split.left_value
            if not is_left:
                totals.sum_gradients = node.outputs[output].sum_gradients - (
                    split.left_gradients
                )
                totals.sum_hessians = node.outputs[output].sum_hessians - (
                    split.left_hessians
                )
                totals.value = split.right_value
        return True

    # -- histograms and searches --

    cdef int _build_histogram(
        self, grown_t* node, const quantized_t* quantized
    ) noexcept nogil:
        """Build the histogram of a node from its rows; return non-zero if it fails."""
        cdef:
            search_t search
            int output, n_threads = self._threads_for_updates(node.stop - node.start)
        node.histogram = acquire_histogram(&self.histograms)
        if node.histogram == NULL:
            return 1
        search.binned = &self.matrix.binned
        search.criterion = &self.criterion
        search.shared = NULL
        search.nodes[0] = node
        search.nodes[1] = NULL
        search.adds_rows = True
        search.finished = -1
        search.subtracts = False
        search.allowed[0] = search.allowed[1] = NULL
        search.splits[0] = search.splits[1] = self.splits
        for output in range(self.n_outputs):
            self._plan_histogram(&search, node, quantized, output)
            parallel_for(_add_rows, &search, search.histogram.n_tasks, n_threads)
            if node == self.nodes and self.first_complete >= 0:
                # Others find the bin of their default code from what this one sums to.
                finish_feature(&search.histogram, self.first_complete)
                search.histogram.totals = self._sum_bins(
                    search.histogram.histogram, self.first_complete
                )
                search.finished = self.first_complete
                _set_totals(&self._get_outputs(node)[output], search.histogram.totals)
            parallel_for(_search_unit, &search, self._count_units(), n_threads)
        return 0

    cdef int _count_units(self) noexcept nogil:
        return self.matrix.binned.n_dense + self.matrix.binned.n_sparse_blocks

    cdef hist_bin_t _sum_bins(
        self, const hist_bin_t* histogram, int feature
    ) noexcept nogil:
        cdef:
            int64_t bin_idx
            const int64_t* offsets = self.matrix.binned.offsets
            hist_bin_t totals
        memset(&totals, 0, sizeof(hist_bin_t))
        for bin_idx in range(offsets[feature], offsets[feature + 1]):
            skx_add_bin(&totals, histogram[bin_idx])
        return totals

    cdef void _plan_histogram(
        self,
        search_t* search,
        const grown_t* node,
        const quantized_t* quantized,
        int output,
    ) noexcept nogil:
        """Plan the plane of an output; of a tree without vectors there is one."""
        cdef:
            const totals_t* totals = &self._get_outputs(node)[output]
            hist_bin_t sums
        sums.sum_gradients = totals.sum_gradients
        sums.sum_hessians = totals.sum_hessians
        sums.n_samples = totals.n_samples
        search.plane = output * self.matrix.binned.offsets[self.rules.n_features]
        search.is_last_plane = output == self.n_outputs - 1
        plan_histogram(
            &search.histogram,
            &self.matrix.binned,
            quantized + output,
            (self.given_rows if node == self.nodes else self.rows) + node.start,
            node.stop - node.start,
            self.workspace,
            sums,
            node.live,
            node.histogram + search.plane,
            self.n_threads,
        )

    cdef int _search(
        self,
        grown_t* first,
        grown_t* second,
        const quantized_t* quantized,
    ) noexcept nogil:
        """Find the best splits of one node, or of two children; push those with one.

        A single node has its histogram. Of children, `first` is the smaller and gets
        one, `second` has their parent's, if that was kept.
        """
        cdef:
            const binned_t* binned = &self.matrix.binned
            search_t search
            grown_t* node
            int i, output, n_threads
            int64_t n_rows = 0
        search.binned = binned
        search.criterion = &self.criterion
        search.vector = self.vector
        search.shared = self.shared
        search.nodes[0] = first
        search.nodes[1] = second
        search.adds_rows = search.subtracts = False
        search.finished = -1
        if second != NULL:
            search.adds_rows = True
            search.subtracts = second.histogram != NULL
            if not search.subtracts and self._build_histogram(second, quantized):
                return 1
            first.histogram = acquire_histogram(&self.histograms)
            if first.histogram == NULL:
                return 1
            n_rows = first.stop - first.start
        for i in range(2):
            node = search.nodes[i]
            search.allowed[i] = NULL
            search.splits[i] = self.splits + i * binned.n_features
            if node != NULL and self._is_splittable(node):
                search.allowed[i] = self.allowed + i * binned.n_features
                open_features(&self.rules, node.groups, search.allowed[i])
                describe_parent(&self.criterion, &node.totals, &search.parents[i])
                if self.shared == NULL:
                    draw_features(&self.rules, node - self.nodes, search.allowed[i])
        n_threads = self._threads_for_updates(n_rows)
        if not search.adds_rows:
            search.is_last_plane = True
            parallel_for(_search_unit, &search, self._count_units(), n_threads)
        for output in range(self.n_outputs if search.adds_rows else 0):
            self._plan_histogram(&search, first, quantized, output)
            if search.subtracts:
                search.histogram.larger = second.histogram + search.plane
                search.histogram.min_samples = self.criterion.min_samples_leaf
            if search.histogram.n_slots == 1:
                parallel_for(
                    _add_rows_and_search, &search, search.histogram.n_tasks, n_threads
                )
            else:
                parallel_for(_add_rows, &search, search.histogram.n_tasks, n_threads)
                parallel_for(_search_unit, &search, self._count_units(), n_threads)
        for i in range(2):
            node = search.nodes[i]
            if node == NULL:
                continue
            if search.allowed[i] == NULL:
                release_histogram(&self.histograms, &node.histogram)
                continue
            if self.shared == NULL:
                if self._choose_split(
                    node, &search.parents[i], search.allowed[i], search.splits[i]
                ):
                    return 1
                if node.split.gain <= 0:
                    release_histogram(&self.histograms, &node.histogram)
                    continue
            if not self.frontier.push(node.split.gain, <int32_t> (node - self.nodes)):
                return 1
            if is_over_budget(&self.histograms):
                release_histogram(&self.histograms, &node.histogram)
        return 0

    cdef int _choose_split(
        self,
        grown_t* node,
        const parent_t* parent,
        const uint8_t* allowed,
        const split_t* splits,
    ) noexcept nogil:
        """Take the best of a node's splits; return non-zero if memory ran out."""
        cdef:
            const binned_t* binned = &self.matrix.binned
            const split_t* split
            int i, feature
        for i in range(self._count_units()):
            if i < binned.n_dense:
                feature = binned.dense[i]
                if not allowed[feature] or (
                    node.live != NULL and not node.live[feature]
                ):
                    continue
            else:
                feature = binned.sparse_blocks[i - binned.n_dense].features[0]
            split = &splits[feature]
            if split.feature < 0:
                return 1
            if split.gain > node.split.gain or (
                split.gain == node.split.gain > 0
                and split.feature < node.split.feature
            ):
                node.split = split[0]
        if node.split.gain <= 0:
            return 0
        if self.vector == NULL:
            set_child_values(&self.criterion, &node.totals, parent, &node.split)
        node.goes_left = <uint8_t*> malloc(binned.n_bins[node.split.feature] + 1)
        if node.goes_left == NULL:
            return 1
        if self.vector != NULL:
            if not write_vector_left_levels(
                self.vector,
                binned,
                node.outputs,
                node.histogram,
                &node.split,
                node.goes_left,
            ):
                return 1
            split_outputs(
                self.vector,
                binned,
                node.outputs,
                node.histogram,
                node.goes_left,
                &node.split,
                node.output_splits,
            )
        elif not write_left_levels(
            binned,
            &self.criterion,
            &node.totals,
            node.histogram,
            &node.split,
            node.goes_left,
        ):
            return 1
        self._note_missing(node)
        return 0

    # -- result --

    cdef _collect(self, const quantized_t* quantized):
        """Turn the grown nodes into arrays and compute the values of leaves."""
        cdef:
            int i, leaf, feature, code, n_bins, output
            int n_leaves = (self.n_nodes + 1) // 2
            grown_t* node
            const double[::1] thresholds = self._thresholds
            const int64_t[::1] bin_offsets = self.matrix.offsets
            int64_t n_bitset_words = 0, word = 0
        nodes = np.zeros(self.n_nodes, dtype=NODE_DTYPE)
        stats = np.zeros(self.n_nodes, dtype=STATS_DTYPE)
        leaf_starts = np.empty(n_leaves, dtype=np.int64)
        leaf_nodes = np.empty(n_leaves, dtype=np.int32)
        cdef:
            uint8_t[::1] node_bytes = nodes.view(np.uint8)
            node_t* out = <node_t*> &node_bytes[0]
            double[::1] gain = np.empty(self.n_nodes)
            double[:, ::1] values = np.zeros((self.n_outputs, self.n_nodes))
            double[:, ::1] sum_hessians = np.zeros((self.n_outputs, self.n_nodes))
            int64_t[::1] n_samples = np.empty(self.n_nodes, dtype=np.int64)
            int32_t[::1] depth = np.empty(self.n_nodes, dtype=np.int32)
            int32_t[::1] bins = np.empty(self.n_nodes, dtype=np.int32)
            int64_t[::1] starts = leaf_starts
            int32_t[::1] leaf_node = leaf_nodes
            uint32_t[::1] bitset
        leaf = 0
        for i in range(self.n_nodes):
            node = &self.nodes[i]
            gain[i] = node.split.gain if node.left >= 0 else 0
            n_samples[i] = node.totals.n_samples
            depth[i] = node.depth
            bins[i] = -1
            out[i].bitset = -1
            out[i].feature = -1
            if node.left < 0:
                starts[leaf] = node.start
                leaf_node[leaf] = i
                leaf += 1
                continue
            feature = node.split.feature
            n_bins = self.matrix.binned.n_bins[feature]
            out[i].feature = feature
            out[i].left = node.left
            out[i].missing_left = node.goes_left[n_bins]
            if node.split.is_categorical:
                out[i].bitset = <int32_t> n_bitset_words
                n_bitset_words += (n_bins + 32) // 32
            else:
                bins[i] = node.split.bin
                out[i].value = thresholds[bin_offsets[feature] + node.split.bin]
        bitsets = np.zeros(n_bitset_words, dtype=np.uint32)
        bitset = bitsets
        for i in range(self.n_nodes):
            node = &self.nodes[i]
            if node.left < 0 or not node.split.is_categorical:
                continue
            word = out[i].bitset
            for code in range(self.matrix.binned.n_bins[node.split.feature] + 1):
                if node.goes_left[code]:
                    bitset[word + code // 32] |= (<uint32_t> 1) << (code % 32)

        order = np.argsort(leaf_starts, kind="stable")
        self.leaf_nodes = leaf_nodes[order]
        leaf_offsets = np.empty(n_leaves + 1, dtype=np.int64)
        leaf_offsets[:n_leaves] = leaf_starts[order]
        leaf_offsets[n_leaves] = self.n_rows
        self.leaf_offsets = leaf_offsets
        for output in range(self.n_outputs):
            self._find_values(
                quantized + output, output, values[output], sum_hessians[output]
            )
        self.vectors = None
        if self.vector == NULL:
            stats["value"] = values[0]
            for leaf in range(n_leaves):
                out[leaf_node[leaf]].value = values[0, leaf_node[leaf]]
        else:
            self.vectors = np.ascontiguousarray(np.asarray(values).T)
        stats["gain"] = gain
        stats["sum_hessians"] = np.mean(sum_hessians, axis=0)
        stats["n_samples"] = n_samples
        stats["depth"] = depth
        stats["bin"] = bins
        return nodes, stats, bitsets

    cdef _find_values(
        self,
        const quantized_t* quantized,
        int output,
        double[::1] values,
        double[::1] sum_hessians,
    ):
        """Write the value and the sum of hessians of each node, for one output.

        Leaves get them from the finer sums. OUT: values, sum_hessians (n_nodes,).
        """
        cdef:
            int i, leaf
            int n_leaves = (self.n_nodes + 1) // 2
            grown_t* node
            const totals_t* totals
            bint is_done
            criterion_t fine = self.criterion
            const int32_t[::1] leaf_nodes = self.leaf_nodes
            const int64_t[::1] offsets = self.leaf_offsets
            int64_t[:, ::1] sums = np.zeros((n_leaves, 2), dtype=np.int64)
            double[::1] parent_values = np.zeros(self.n_nodes)
        for i in range(self.n_nodes):
            node = &self.nodes[i]
            totals = &self._get_outputs(node)[output]
            values[i] = 0 if i == 0 else totals.value
            sum_hessians[i] = totals.sum_hessians * self.criteria[output].hessian_unit
        fine.gradient_unit = quantized.leaf_gradient_unit
        fine.hessian_unit = quantized.leaf_hessian_unit
        with nogil:
            is_done = sum_leaves(
                quantized,
                self.rows,
                &offsets[0],
                n_leaves,
                self.matrix.binned.n_rows,
                &sums[0, 0],
                self._threads_for_rows(self.n_rows),
            )
        if not is_done:
            raise MemoryError()
        if self.criterion.path_smoothing > 0:
            self._find_parent_values(&fine, sums, leaf_nodes, parent_values)
        for leaf in range(n_leaves):
            i = leaf_nodes[leaf]
            node = &self.nodes[i]
            # A tree of a single node found nothing to say about the data.
            values[i] = 0 if self.n_nodes == 1 else compute_node_value(
                &fine,
                sums[leaf, 0],
                sums[leaf, 1],
                node.totals.sum_weights * self.criterion.weight_unit,
                parent_values[i],
                node.totals.lower_bound,
                node.totals.upper_bound,
            )
            sum_hessians[i] = sums[leaf, 1] * fine.hessian_unit

    cdef void _find_parent_values(
        self,
        const criterion_t* fine,
        const int64_t[:, ::1] leaf_sums,
        const int32_t[::1] leaf_nodes,
        double[::1] parent_values,
    ):
        """Write the value of each node's parent, from the root down.

        IN: fine, with the units, and leaf_sums (n_leaves, 2). Inner nodes get
        their sums from their children's, which come after them.
        """
        cdef:
            int i, leaf
            grown_t* node
            int64_t[::1] sums_g = np.zeros(self.n_nodes, dtype=np.int64)
            int64_t[::1] sums_h = np.zeros(self.n_nodes, dtype=np.int64)
        for leaf in range(leaf_nodes.shape[0]):
            sums_g[leaf_nodes[leaf]] = leaf_sums[leaf, 0]
            sums_h[leaf_nodes[leaf]] = leaf_sums[leaf, 1]
        for i in reversed(range(self.n_nodes)):
            node = &self.nodes[i]
            if node.left >= 0:
                sums_g[i] = sums_g[node.left] + sums_g[node.left + 1]
                sums_h[i] = sums_h[node.left] + sums_h[node.left + 1]
        for i in range(self.n_nodes):
            node = &self.nodes[i]
            if node.left < 0:
                continue
            parent_values[node.left] = parent_values[node.left + 1] = (
                compute_node_value(
                    fine,
                    sums_g[i],
                    sums_h[i],
                    INFINITY
                    if i == 0
                    else node.totals.sum_weights * fine.weight_unit,
                    parent_values[i],
                    node.totals.lower_bound,
                    node.totals.upper_bound,
                )
            )
