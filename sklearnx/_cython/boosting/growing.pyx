"""Grow one tree: the loop over nodes, compiled and without the GIL.

    pop a batch of nodes; of each: partition its rows -> histogram of the smaller child
    from rows, of the larger by subtraction -> best splits -> push the children

Which nodes are popped is up to the growth policy, a `Frontier`. Where a batch shares a
split, it is sought when the batch is popped, from gains that its nodes added before.

A node's histogram lives while the node waits in the frontier; the larger child takes
over its parent's. Above a budget of memory histograms are dropped and both children
built from rows: the same integers either way.

A tree with vector leaves is grown from several outputs. A histogram has a plane of bins
for each; rows and partition are shared.
"""

import numpy as np

from libc.math cimport INFINITY
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from sklearnx._cython.boosting.collecting cimport (
    collect_leaves,
    collect_nodes,
    compute_values,
)
from sklearnx._cython.boosting.features cimport (
    close_groups,
    draw_features,
    feature_rules_t,
    is_open,
    open_features,
    start_features,
)
from sklearnx._cython.boosting.frontier cimport Frontier
from sklearnx._cython.boosting.histogram_pool cimport (
    empty_pool,
    fill_pool,
    histogram_pool_t,
    is_over_budget,
    release_histogram,
)
from sklearnx._cython.boosting.leaves cimport add_to_leaves
from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.boosting.node_splitting cimport (
    complete_batch_split,
    empty_splitter,
    fill_splitter,
    find_batch_split,
    is_large_enough,
    set_root_totals,
    splitter_t,
    start_batches,
    take_batch_split,
)
from sklearnx._cython.boosting.nodes cimport (
    add_children,
    add_root,
    clear_nodes,
    free_nodes,
    grown_node_t,
    grown_tree_t,
    move_children,
    pass_on_live,
)
from sklearnx._cython.boosting.partition cimport partition_rows
from sklearnx._cython.boosting.quantization cimport QuantizedGradients
from sklearnx._cython.boosting.searching cimport (
    build_histogram,
    copy_histogram,
    empty_search,
    fill_search,
    search_children,
    search_node,
    search_t,
)
from sklearnx._cython.boosting.splitting cimport criterion_t, set_restraints
from sklearnx._cython.common.dtypes cimport (
    binned_t,
    hist_bin_t,
    quantized_t,
    split_t,
)

from sklearnx._cython.boosting.leafwise import Leafwise

cdef enum:
    HISTOGRAM_BUDGET = 1 << 29  # bytes


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
    n_derived : int, default=0
        How many of the last features are drawn for a tree by themselves, before.
    derived_share : float, default=1.0
        The share of these that is drawn.
    feature_weights : float64 array of shape (n_features,) or None
        How likely features are to be drawn; None means all alike.
    extra_trees : bool
    monotonic_cst : int8 array of shape (n_features,)
    one_level_splits : uint8 array of shape (n_features,) or None
        Of which categories a split parts one level from all others; None: of none.
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
        feature_rules_t rules
        splitter_t splitter
        search_t search
        histogram_pool_t histograms
        grown_tree_t tree
        Frontier frontier
        int n_batches  # popped so far
        object _all_rows, _rows, _left_buffer, _right_buffer
        object _thresholds, _monotonic_cst, _one_level_splits, _interaction_groups
        object _quantized, _keys, _tree_features, _feature_weights, _allowed
        # The same arrays, for code without the GIL.
        quantized_t* quantized  # (n_outputs,) of the tree that grows
        uint32_t* left_buffer
        uint32_t* right_buffer
        uint8_t* allowed  # (2, n_features) of a batch that shares a split
        int64_t n_rows  # of the last tree
        # Rows of the last tree's leaves, for the update of raw scores.
        readonly object leaf_nodes, leaf_offsets
        readonly object vectors

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
        n_derived=0,
        derived_share=1.0,
        feature_weights=None,
        extra_trees=False,
        monotonic_cst=None,
        one_level_splits=None,
        interaction_groups=None,
        seed=0,
        n_outputs=1,
        n_threads=1,
        histogram_budget=HISTOGRAM_BUDGET,
    ):
        cdef:
            criterion_t* criterion = &self.splitter.criterion
            const int8_t[::1] monotonic
            const uint8_t[:, ::1] groups
            const double[::1] weights_view
            uint8_t[::1] mask_view
            uint32_t[::1] rows_view
            uint8_t[:, ::1] masks_view
            uint64_t[::1] keys_view
        n_features = matrix.n_features
        self.matrix = matrix
        self.n_threads = n_threads
        self.has_categories = bool(matrix.is_categorical.any())
        self.frontier = grow_policy(max_leaf_nodes=max_leaf_nodes, max_depth=max_depth)
        self.max_depth = max_depth
        self.n_outputs = n_outputs
        self._thresholds = np.ascontiguousarray(thresholds, dtype=np.float64)

        rows = np.arange(matrix.n_rows, dtype=np.uint32)
        self.n_rows = len(rows)
        self._all_rows = rows
        self._rows = np.empty_like(rows)
        self._left_buffer = np.empty_like(rows)
        self._right_buffer = np.empty_like(rows)
        rows_view = self._rows
        self.tree.rows = &rows_view[0]
        rows_view = self._left_buffer
        self.left_buffer = &rows_view[0]
        rows_view = self._right_buffer
        self.right_buffer = &rows_view[0]
        self._quantized = np.empty(n_outputs * sizeof(quantized_t), dtype=np.uint8)
        mask_view = self._quantized
        self.quantized = <quantized_t*> &mask_view[0]
        self._allowed = np.empty((2, n_features), dtype=np.uint8)
        masks_view = self._allowed
        self.allowed = &masks_view[0, 0]

        self._tree_features = np.empty(n_features, dtype=np.uint8)
        mask_view = self._tree_features
        self._keys = np.empty(n_features, dtype=np.uint64)
        keys_view = self._keys
        self.rules.n_features = n_features
        self.rules.n_derived = n_derived
        self.rules.derived_share = derived_share
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

        self.tree.n_outputs = n_outputs
        self.tree.n_groups = self.rules.n_groups
        self.tree.n_live = 0
        # Only features with a default code are ever dropped for good.
        if np.any(matrix.layout.default_codes[matrix.used] >= 0):
            self.tree.n_live = n_features

        if (
            not fill_splitter(
                &self.splitter,
                &matrix.binned,
                n_outputs,
                self.frontier.shares_split,
            )
            or not fill_pool(
                &self.histograms,
                n_outputs * matrix.binned.offsets[n_features],
                n_outputs * <int64_t> matrix.binned.n_sparse,
                matrix.binned.n_columns,
                histogram_budget,
            )
            or not fill_search(
                &self.search,
                &self.splitter,
                &self.rules,
                self.quantized,
                &self.histograms,
                n_threads,
            )
        ):
            raise MemoryError()
        if monotonic_cst is None:
            monotonic_cst = np.zeros(n_features, dtype=np.int8)
        monotonic = monotonic_cst
        self._monotonic_cst = monotonic_cst
        criterion.monotonic_cst = &monotonic[0]
        criterion.is_constrained = bool(np.any(monotonic_cst))
        criterion.takes_one_level = NULL
        self._one_level_splits = one_level_splits
        if one_level_splits is not None:
            mask_view = one_level_splits
            criterion.takes_one_level = &mask_view[0]
        set_restraints(
            criterion,
            l1_regularization,
            l2_regularization,
            min_split_gain,
            min_samples_leaf,
            min_child_weight,
            max_delta_step,
            path_smoothing,
        )
        criterion.extra_trees = extra_trees
        criterion.seed = seed

    def __dealloc__(self):
        free_nodes(&self.tree, &self.histograms)
        empty_search(&self.search)
        empty_pool(&self.histograms)
        empty_splitter(&self.splitter)

    def grow(
        self,
        quantized,
        int64_t tree_idx,
        rows=None,
        root=None,
        BinnedMatrix reached=None,
    ):
        """Grow a tree.

        Parameters
        ----------
        quantized : QuantizedGradients, or list of one for each output
        tree_idx : int
            Key of its random choices.
        rows : uint32 array of shape (n_drawn,) or None
            Rows to train on in ascending order; None means all.
        root : HIST_BIN_DTYPE array of shape (matrix.offsets[-1],) or None
            Histogram of these rows, of a tree of one output; None means that it is
            still to be built.
        reached : BinnedMatrix or None
            The same rows and bins with other codes, by which rows find their leaf once
            splits are found: leaves have the values of these rows. A leaf too small
            for its limits has the value of the node above that is not. None means the
            matrix of the grower.

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
            bint is_done
            const uint32_t[::1] given_rows = self._all_rows if rows is None else rows
            const int64_t[::1] root_sums
            const hist_bin_t* root_bins = NULL
        if root is not None:
            root_sums = root.view(np.int64)
            root_bins = <const hist_bin_t*> &root_sums[0]
        start_features(&self.rules, tree_idx)
        self._set_criteria(
            quantized if isinstance(quantized, list) else [quantized], tree_idx, rows
        )
        self.n_rows = given_rows.shape[0]
        with nogil:
            clear_nodes(&self.tree, &self.histograms)
            is_done = self._grow(&given_rows[0], root_bins) and (
                reached is None or self._reroute(&reached.binned)
            )
        if not is_done:
            clear_nodes(&self.tree, &self.histograms)
            raise MemoryError("not enough memory to grow a tree")
        return self._collect()

    cdef _set_criteria(self, list quantized, int64_t tree_idx, rows):
        """Set what gains depend on in this tree: units and noise of each output."""
        cdef:
            int output
            criterion_t* criterion = &self.splitter.criterion
        for output in range(self.n_outputs):
            self.quantized[output] = (
                <QuantizedGradients?> quantized[output]
            ).quantized
        criterion.row_weight = self.quantized.row_weight
        criterion.tree_idx = tree_idx
        for output in reversed(range(self.n_outputs)):
            criterion.gradient_unit = self.quantized[output].gradient_unit
            criterion.hessian_unit = self.quantized[output].hessian_unit
            if self.has_categories:
                criterion.noise = quantized[output].compute_noise(rows, self.n_threads)
            self.splitter.criteria[output] = criterion[0]

    cdef _collect(self):
        """Return the arrays of the grown tree, and keep those of its leaves."""
        cdef const binned_t* binned = &self.matrix.binned
        self.leaf_nodes, self.leaf_offsets = collect_leaves(&self.tree)
        values, sum_hessians = compute_values(
            &self.tree,
            self.splitter.criteria,
            self.quantized,
            self.leaf_nodes,
            self.leaf_offsets,
            binned.n_rows,
            self.n_threads,
        )
        self.vectors = None if self.n_outputs == 1 else np.ascontiguousarray(values.T)
        return collect_nodes(
            &self.tree, binned, self._thresholds, values, sum_hessians
        )

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
                self.tree.rows,
                &offsets[0],
                n_leaves,
                raw.shape[0],
                &raw[0],
                self.n_threads,
            )
        if not is_done:
            raise MemoryError()

    @property
    def all_rows(self):
        """Rows of a tree that is grown from all of them: uint32 (n_rows,)."""
        return self._all_rows

    @property
    def leaf_rows(self):
        """Rows of the last tree, leaf by leaf.

        Those from `leaf_offsets[i]` to `leaf_offsets[i + 1]` reached `leaf_nodes[i]`.
        """
        return self._rows[: self.n_rows]

    # -- growth --

    cdef bint _grow(
        self, const uint32_t* rows, const hist_bin_t* root_bins
    ) noexcept nogil:
        """Grow the tree; return False, as its steps do, if there is no memory left.

        IN: rows (n_rows,), root_bins (n_bins,) of them or NULL.
        """
        cdef:
            int i, n_popped
            grown_node_t* root = add_root(&self.tree, rows, self.n_rows)
        self.frontier.start()
        self.n_batches = 0
        if root == NULL or not self._init_root(root, root_bins):
            return False
        while True:
            n_popped = self.frontier.pop()
            if n_popped == 0:
                break
            if self.frontier.shares_split:
                if not self._split_alike(n_popped):
                    return False
            else:
                for i in range(n_popped):
                    if not self._split_node(self.frontier.batch[i]):
                        return False
            self.n_batches += 1
        if self.tree.n_nodes == 1:
            memcpy(self.tree.rows, rows, self.n_rows * sizeof(uint32_t))
        return True

    cdef bint _init_root(
        self, grown_node_t* root, const hist_bin_t* bins
    ) noexcept nogil:
        """Find the totals of the root, and search it."""
        if bins == NULL:
            if not build_histogram(&self.search, root):
                return False
        elif not copy_histogram(&self.search, bins, root):
            return False
        set_root_totals(&self.splitter, self._sum_weights(root.rows), root)
        root.is_splittable = self._is_splittable(root)
        if not root.is_splittable:
            return True
        if self.frontier.shares_split and not start_batches(&self.splitter, root):
            return False
        return search_node(&self.search, root) and self._push(root)

    cdef int64_t _sum_weights(self, const uint32_t* rows) noexcept nogil:
        """Return the weight of all rows, in fixed point. IN: rows (n_rows,)."""
        cdef:
            int64_t i, sum_weights = 0
            const int64_t* weights = self.quantized.weights
        if weights == NULL:
            return self.n_rows
        if self.n_rows == self.matrix.binned.n_rows:
            return self.quantized.sum_weights
        for i in range(self.n_rows):
            sum_weights += weights[rows[i]]
        return sum_weights

    cdef bint _is_splittable(self, const grown_node_t* node) noexcept nogil:
        if self.max_depth > 0 and node.depth >= self.max_depth:
            return False
        return is_large_enough(&self.splitter, node)

    cdef bint _push(self, grown_node_t* node) noexcept nogil:
        """Let a node wait to be split, if it has a split or may share one."""
        if node.is_splittable and (
            self.frontier.shares_split or node.split.gain > 0
        ):
            if not self.frontier.push(node.split.gain, node.totals.node_idx):
                return False
            if not is_over_budget(&self.histograms):
                return True
        release_histogram(&self.histograms, &node.histogram)
        return True

    cdef bint _split_node(self, int32_t node_idx) noexcept nogil:
        """Make the children of a node and, unless it is the last split, search them."""
        cdef:
            int i
            grown_node_t* node = &self.tree.nodes[node_idx]
            grown_node_t* left
            grown_node_t* right
            grown_node_t* smaller
            grown_node_t* larger
            int feature = node.split.feature
            # The weights of fewer rows are summed, those of the others are the rest.
            bint sums_left = 2 * node.split.left_n_samples <= node.totals.n_samples
            int64_t n_left, left_weight
        n_left = self._partition(&self.matrix.binned, node, sums_left, &left_weight)
        if n_left < 0:
            return False
        if not sums_left:
            left_weight = node.totals.sum_weights - left_weight
        left = add_children(
            &self.tree,
            node_idx,
            n_left,
            left_weight,
            self.splitter.criterion.monotonic_cst[feature],
        )
        if left == NULL:
            return False
        right = left + 1
        node = &self.tree.nodes[node_idx]
        if not node.has_missing:
            self._send_missing(node, left_weight > right.totals.sum_weights)
        for i in range(2):
            close_groups(&self.rules, node.groups, feature, left[i].groups)
            left[i].is_splittable = self._is_splittable(&left[i])
        if self.frontier.is_last or not (left.is_splittable or right.is_splittable):
            release_histogram(&self.histograms, &node.histogram)
            return True

        if not pass_on_live(&self.tree, node):
            return False
        smaller, larger = left, right
        if left.totals.n_samples > right.totals.n_samples:
            smaller, larger = right, left
        larger.histogram = node.histogram
        node.histogram = NULL
        return (
            search_children(&self.search, smaller, larger)
            and self._push(smaller)
            and self._push(larger)
        )

    cdef int64_t _partition(
        self,
        const binned_t* binned,
        const grown_node_t* node,
        bint sums_left,
        int64_t* side_weight,
    ) noexcept nogil:
        """Put the rows of a node that go left first, as `partition_rows` does."""
        return partition_rows(
            binned,
            node.split.feature,
            node.goes_left,
            self.quantized.weights,
            node.rows,
            self.tree.rows + node.start,
            node.stop - node.start,
            self.left_buffer + node.start,
            self.right_buffer + node.start,
            sums_left,
            side_weight,
            self.n_threads,
        )

    cdef void _send_missing(self, grown_node_t* node, bint goes_left) noexcept nogil:
        """Say which way missing values of a node go, or would go."""
        node.goes_left[self.matrix.binned.n_bins[node.split.feature]] = goes_left

    cdef bint _reroute(self, const binned_t* binned) noexcept nogil:
        """Send the rows down the grown tree by other codes; False without memory."""
        cdef:
            int i
            int64_t n_left, left_weight
            const grown_node_t* node
        self.tree.is_rerouted = self.tree.n_nodes > 1
        for i in range(self.tree.n_nodes):
            node = &self.tree.nodes[i]
            if node.left < 0:
                continue
            n_left = left_weight = 0
            if node.stop > node.start:
                n_left = self._partition(binned, node, True, &left_weight)
            if n_left < 0:
                return False
            move_children(&self.tree, i, n_left, left_weight)
        return True

    # -- a batch that shares its split --

    cdef bint _split_alike(self, int n_popped) noexcept nogil:
        """Split the popped nodes by one split, if there is one.

        A node to which it brings nothing is left whole, and waits for the next one.
        """
        cdef:
            int i
            int32_t node_idx
            grown_node_t* node
            split_t split
        self._find_batch_split(n_popped, &split)
        if split.gain <= 0:
            return True
        for i in range(n_popped):
            node_idx = self.frontier.batch[i]
            node = &self.tree.nodes[node_idx]
            if node.histogram == NULL and not build_histogram(&self.search, node):
                return False
            if self._may_split_on(node, split.feature) and take_batch_split(
                &self.splitter, &split, node
            ):
                if not complete_batch_split(
                    &self.splitter, node
                ) or not self._split_node(node_idx):
                    return False
            elif self.frontier.is_last:
                release_histogram(&self.histograms, &node.histogram)
            elif not search_node(&self.search, node) or not self._push(node):
                return False
        self._send_missing_alike(n_popped)
        return True

    cdef void _find_batch_split(self, int n_popped, split_t* split) noexcept nogil:
        """Find the split of the popped nodes; its gain is 0 if there is none."""
        cdef:
            int i, feature, n_features = self.rules.n_features
            const grown_node_t* node
            uint8_t* of_node = self.allowed
            uint8_t* of_batch = self.allowed + n_features
        memset(of_batch, 0, n_features)
        # Without groups all nodes have the same features.
        for i in range(n_popped if self.rules.n_groups > 0 else 1):
            node = &self.tree.nodes[self.frontier.batch[i]]
            open_features(&self.rules, node.groups, of_node)
            for feature in range(n_features):
                of_batch[feature] |= of_node[feature]
        draw_features(&self.rules, self.n_batches, of_batch)
        find_batch_split(&self.splitter, of_batch, self.n_batches, split)

    cdef bint _may_split_on(self, const grown_node_t* node, int feature) noexcept nogil:
        return is_open(&self.rules, node.groups, feature) and (
            node.live == NULL or node.live[feature]
        )

    cdef void _send_missing_alike(self, int n_popped) noexcept nogil:
        """Send missing values the same way in all nodes of a batch.

        That is the way of those that have some, if any, else to the heavier side.
        """
        cdef:
            int i
            int64_t left_weight = 0, right_weight = 0
            bint has_missing = False, goes_left = False
            grown_node_t* node
        for i in range(n_popped):
            node = &self.tree.nodes[self.frontier.batch[i]]
            if node.left < 0:
                continue
            if node.has_missing:
                has_missing = True
                goes_left = node.goes_left[
                    self.matrix.binned.n_bins[node.split.feature]
                ]
            left_weight += self.tree.nodes[node.left].totals.sum_weights
            right_weight += self.tree.nodes[node.left + 1].totals.sum_weights
        if not has_missing:
            goes_left = left_weight > right_weight
        for i in range(n_popped):
            node = &self.tree.nodes[self.frontier.batch[i]]
            if node.left >= 0:
                self._send_missing(node, goes_left)
