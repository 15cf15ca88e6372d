"""The search of nodes: their histograms, and the best split of all features.

    smaller child   add its rows ---------> finish each feature -> search it
    larger child    parent's histogram ---> less the smaller's  -> search it

A feature is searched as soon as its bins are there, while they are warm. With few rows
that is one job, whose tasks are groups of features: a task adds the rows to the columns
of its features, then does the rest for these. With many the rows of a group are cut
into slots, so that a second job has to wait for the first; its tasks are units, a dense
feature or a block of sparse ones.

A histogram has a plane of bins for each output, built one after another; a feature is
searched once its last plane is there.

Wide features, of hundreds or thousands of bins, take longer than all others together.
They are put off to a job of their own, whose tasks are a feature and a child.
"""

from libc.math cimport HUGE_VAL
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from sklearnx._cython.boosting.features cimport (
    draw_features,
    feature_rules_t,
    open_features,
)
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
    skx_find_occupied,
    skx_has_few_rows,
    skx_occupied_t,
    sum_bins,
    sum_rows,
)
from sklearnx._cython.boosting.histogram_pool cimport (
    acquire_histogram,
    get_occupied,
    get_sparse_notes,
    histogram_pool_t,
)
from sklearnx._cython.boosting.node_splitting cimport (
    add_node_gains,
    complete_node_split,
    find_node_split,
    may_bound_gains,
    splitter_t,
)
from sklearnx._cython.boosting.nodes cimport get_outputs, grown_node_t
from sklearnx._cython.boosting.sparse_histogram cimport write_default_bin
from sklearnx._cython.boosting.splitting cimport (
    criterion_t,
    describe_parent,
    parent_t,
    totals_t,
)
from sklearnx._cython.common.dtypes cimport (
    NARROW_STORAGE,
    WIDE_STORAGE,
    binned_t,
    hist_bin_t,
    quantized_t,
    sparse_block_t,
    sparse_note_t,
    split_t,
)
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "best_gain.h" nogil:
    ctypedef struct skx_best_gain_t:
        pass

    void skx_reset_best_gain(skx_best_gain_t* best) noexcept
    double skx_get_best_gain(const skx_best_gain_t* best) noexcept
    void skx_raise_best_gain(skx_best_gain_t* best, double gain) noexcept

cdef extern from "gain_bounds.h" nogil:
    ctypedef struct skx_drift_t:
        pass

    void skx_describe_drift(
        hist_bin_t child, hist_bin_t parent, double gradient_unit, double hessian_unit,
        double l2, skx_drift_t* drift,
    ) noexcept
    double skx_drift_note(const skx_drift_t* drift, sparse_note_t* note) noexcept
    double skx_find_deviation(double gain) noexcept

cdef extern from "histogram_kernels.h" nogil:
    void skx_add_bin(hist_bin_t* bin, hist_bin_t more) noexcept
    void skx_subtract_bins(
        hist_bin_t* bins, const hist_bin_t* less, int64_t n_bins
    ) noexcept
    void skx_subtract_few_bins(
        hist_bin_t* bins, skx_occupied_t* occupied, const hist_bin_t* less,
        const skx_occupied_t* occupied_less,
    ) noexcept

cdef enum:
    # Work that a second thread is worth being woken for, in updates of a bin; a bin
    # that is gathered, subtracted and searched twice costs about as much as 8 of them.
    MIN_UPDATES_FOR_THREADS = 1 << 14
    UPDATES_PER_BIN = 8


# What makes one node, or two children, ready to be split.
cdef struct job_t:
    const search_t* search
    const binned_t* binned
    int output  # that rows are added of
    int64_t plane  # its first bin
    bint is_last_plane  # then all of them are there, and features can be searched
    histogram_job_t histogram  # of the first node that has rows to add, if any
    bint adds_rows
    int finished  # feature whose histogram is finished, -1: none
    bint subtracts  # it from the second node's, which was their parent's
    grown_node_t* nodes[2]
    uint8_t* allowed[2]  # NULL: the node is not searched
    parent_t parents[2]  # what gains need of the nodes
    # Best of each dense feature, and of each sparse block at the place of its first.
    split_t* splits[2]
    skx_best_gain_t best_gains[2]
    bint bounds_gains  # of sparse features
    skx_drift_t drift  # of the second node, which has notes of the parent


def bound_gain(
    double deviation,
    child,
    parent,
    entries,
    *,
    double gradient_unit=1.0,
    double hessian_unit=1.0,
    double l2_regularization=0.0,
):
    """Bound what a sparse feature gains in a child that has all its entries.

    Parameters
    ----------
    deviation : float
        Of the parent, as `find_deviation` tells it from a bound of the gains there.
    child, parent, entries : tuples of int
        Sums of gradients, hessians and counts: of the nodes, and of those rows of
        either that have another code than the default one.
    gradient_unit, hessian_unit : float, default=1.0
    l2_regularization : float, default=0.0

    Returns
    -------
    bound : float
        Of the gains in the child.
    deviation : float
        Of the child.
    """
    cdef:
        skx_drift_t drift
        sparse_note_t note
        double bound
    note.entries = _read_sums(entries)
    note.deviation = deviation
    skx_describe_drift(
        _read_sums(child),
        _read_sums(parent),
        gradient_unit,
        hessian_unit,
        l2_regularization,
        &drift,
    )
    bound = skx_drift_note(&drift, &note)
    return bound, note.deviation


def find_deviation(double bound):
    """Return the deviation of a feature of which no split gains more than `bound`."""
    return skx_find_deviation(bound)


cdef hist_bin_t _read_sums(sums):
    cdef hist_bin_t bin_
    bin_.sum_gradients, bin_.sum_hessians, bin_.n_samples = sums
    return bin_


cdef bint fill_search(
    search_t* search,
    const splitter_t* splitter,
    const feature_rules_t* rules,
    const quantized_t* quantized,
    histogram_pool_t* histograms,
    int n_threads,
) noexcept nogil:
    """Make room for searches with what is given; return False without memory."""
    cdef:
        const binned_t* binned = splitter.binned
        int i
    search.splitter = splitter
    search.rules = rules
    search.quantized = quantized
    search.histograms = histograms
    search.n_threads = n_threads
    search.first_complete = -1
    if binned.n_sparse == 0:
        for i in reversed(range(binned.n_used)):
            if binned.default_codes[binned.used[i]] < 0:
                search.first_complete = binned.used[i]
    search.workspace = allocate_workspace(
        binned, choose_n_slots(binned, binned.n_rows, n_threads)
    )
    search.splits = <split_t*> malloc(2 * binned.n_features * sizeof(split_t))
    search.allowed = <uint8_t*> malloc(2 * binned.n_features)
    search.wide = <int32_t*> malloc((binned.n_wide + 1) * sizeof(int32_t))
    if (
        search.workspace == NULL
        or search.splits == NULL
        or search.allowed == NULL
        or search.wide == NULL
    ):
        return False
    _list_wide_features(search)
    return True


cdef void empty_search(search_t* search) noexcept nogil:
    free_workspace(search.workspace)
    free(search.splits)
    free(search.allowed)
    free(search.wide)


cdef void _list_wide_features(search_t* search) noexcept nogil:
    """List those of most bins first, so that the others fill up what they leave."""
    cdef:
        const binned_t* binned = search.splitter.binned
        int i, j, n_wide = 0
        int32_t feature
    for i in range(binned.n_dense):
        feature = binned.dense[i]
        if binned.storage[feature] != WIDE_STORAGE:
            continue
        j = n_wide
        while j > 0 and binned.n_bins[search.wide[j - 1]] < binned.n_bins[feature]:
            search.wide[j] = search.wide[j - 1]
            j -= 1
        search.wide[j] = feature
        n_wide += 1


# ---- nodes ---------------------------------------------------------------------------


cdef bint build_histogram(const search_t* search, grown_node_t* node) noexcept nogil:
    """Build the histogram of a node from its rows; return False without memory.

    If it is the root, find its sums as well.
    """
    cdef:
        job_t job
        bint is_root = node.depth == 0
        int output, n_threads = _choose_n_threads(search, node.stop - node.start)
        totals_t* totals
    node.histogram = acquire_histogram(search.histograms)
    if node.histogram == NULL:
        return False
    _start_job(search, node, NULL, &job)
    job.adds_rows = True
    for output in range(search.splitter.n_outputs):
        totals = &get_outputs(node)[output]
        if is_root and search.first_complete < 0:
            _set_sums(
                totals,
                sum_rows(search.quantized + output, node.rows, node.stop - node.start),
            )
        _plan_plane(&job, output, n_threads)
        parallel_for(_add_rows, &job, job.histogram.n_tasks, n_threads)
        if is_root and search.first_complete >= 0:
            # Others find the bin of their default code from what this one sums to.
            _finish_feature(&job, search.first_complete)
            job.finished = search.first_complete
            job.histogram.totals = sum_bins(
                job.binned, job.histogram.histogram, search.first_complete
            )
            _set_sums(totals, job.histogram.totals)
        parallel_for(_search_unit, &job, _count_units(job.binned), n_threads)
        if is_root and search.splitter.shared != NULL:
            _write_default_bins(&job, node)
    return True


cdef void _write_default_bins(job_t* job, grown_node_t* root) noexcept nogil:
    """Write those of all sparse features, for batches look at the root first."""
    cdef:
        const binned_t* binned = job.binned
        const sparse_note_t* notes = _get_notes(job, root)
        int block, i, feature
    for block in range(binned.n_sparse_blocks):
        for i in range(binned.sparse_blocks[block].n_features):
            feature = binned.sparse_blocks[block].features[i]
            write_default_bin(
                binned,
                feature,
                _get_sums(root, job.output),
                &notes[binned.positions[feature]],
                root.histogram + job.plane,
            )


cdef bint copy_histogram(
    const search_t* search, const hist_bin_t* histogram, grown_node_t* root
) noexcept nogil:
    """Give the root of a tree of one output a histogram that others have built.

    IN: histogram (n_bins,), finished. Returns False without memory.
    """
    cdef:
        const binned_t* binned = search.splitter.binned
        int64_t n_bins = binned.offsets[binned.n_features]
    root.histogram = acquire_histogram(search.histograms)
    if root.histogram == NULL:
        return False
    memcpy(root.histogram, histogram, n_bins * sizeof(hist_bin_t))
    # The bins of any feature have all rows.
    _set_sums(get_outputs(root), sum_bins(binned, histogram, binned.used[0]))
    return True


cdef bint search_node(const search_t* search, grown_node_t* node) noexcept nogil:
    """Find the best split of a node with a histogram; return False without memory.

    INOUT: node, whose split gains 0 if there is none. Where nodes share a split, what
    the splits of this one gain is added up instead.
    """
    cdef job_t job
    _start_job(search, node, NULL, &job)
    job.is_last_plane = True
    _allow_features(&job)
    _search_units(&job, _choose_n_threads(search, 0))
    return _choose_splits(&job)


cdef bint search_children(
    const search_t* search, grown_node_t* smaller, grown_node_t* larger
) noexcept nogil:
    """Find the best splits of two children, as `search_node` does.

    INOUT: smaller, which gets a histogram, and larger, which has that of the parent, if
    it was kept, and gets its own.
    """
    cdef:
        job_t job
        int output, n_threads
    _start_job(search, smaller, larger, &job)
    job.adds_rows = True
    job.subtracts = larger.histogram != NULL
    if not job.subtracts and not build_histogram(search, larger):
        return False
    smaller.histogram = acquire_histogram(search.histograms)
    if smaller.histogram == NULL:
        return False
    _allow_features(&job)
    if job.bounds_gains and job.subtracts:
        _describe_drift(&job)
    n_threads = _choose_n_threads(search, smaller.stop - smaller.start)
    for output in range(search.splitter.n_outputs):
        _plan_plane(&job, output, n_threads)
        if job.subtracts:
            job.histogram.larger = larger.histogram + job.plane
            job.histogram.larger_notes = _get_notes(&job, larger)
            job.histogram.larger_live = larger.live
        if job.histogram.n_slots == 1:
            parallel_for(_add_rows_and_search, &job, job.histogram.n_tasks, n_threads)
            _search_wide_features(&job, n_threads)
        else:
            parallel_for(_add_rows, &job, job.histogram.n_tasks, n_threads)
            _search_units(&job, n_threads)
    return _choose_splits(&job)


cdef void _start_job(
    const search_t* search, grown_node_t* first, grown_node_t* second, job_t* job
) noexcept nogil:
    """Begin with nothing to add, to subtract and to search. OUT: job."""
    cdef int i
    job.search = search
    job.binned = search.splitter.binned
    job.output = 0
    job.plane = 0
    job.is_last_plane = False
    job.adds_rows = job.subtracts = False
    job.bounds_gains = job.binned.n_sparse > 0 and may_bound_gains(
        search.splitter
    )
    job.finished = -1
    job.nodes[0] = first
    job.nodes[1] = second
    for i in range(2):
        job.allowed[i] = NULL
        job.splits[i] = search.splits + i * job.binned.n_features
        skx_reset_best_gain(&job.best_gains[i])


cdef void _allow_features(job_t* job) noexcept nogil:
    """Say on which features each node is searched, if at all."""
    cdef:
        const search_t* search = job.search
        grown_node_t* node
        int i
    for i in range(2):
        node = job.nodes[i]
        if node == NULL or not node.is_splittable:
            continue
        job.allowed[i] = search.allowed + i * job.binned.n_features
        open_features(search.rules, node.groups, job.allowed[i])
        describe_parent(&search.splitter.criterion, &node.totals, &job.parents[i])
        # Those of a batch are drawn for all of its nodes.
        if search.splitter.shared == NULL:
            draw_features(search.rules, node.totals.node_idx, job.allowed[i])


cdef void _describe_drift(job_t* job) noexcept nogil:
    """Write what parts the second node from its parent."""
    cdef:
        const criterion_t* criterion = &job.search.splitter.criterion
        hist_bin_t child = _get_sums(job.nodes[1], 0)
        hist_bin_t parent = child
    skx_add_bin(&parent, _get_sums(job.nodes[0], 0))
    skx_describe_drift(
        child,
        parent,
        criterion.gradient_unit,
        criterion.hessian_unit,
        criterion.l2_regularization,
        &job.drift,
    )


cdef void _plan_plane(job_t* job, int output, int n_threads) noexcept nogil:
    """Plan the sums of the first node's rows in the plane of an output."""
    cdef:
        const search_t* search = job.search
        grown_node_t* node = job.nodes[0]
    job.output = output
    job.plane = output * job.binned.offsets[job.binned.n_features]
    job.is_last_plane = output == search.splitter.n_outputs - 1
    plan_histogram(
        &job.histogram,
        job.binned,
        search.quantized + output,
        node.rows,
        node.stop - node.start,
        search.workspace,
        _get_sums(node, output),
        node.live,
        node.histogram + job.plane,
        _get_notes(job, node),
        n_threads,
    )
    job.histogram.min_samples = search.splitter.criterion.min_samples_leaf


cdef hist_bin_t _get_sums(const grown_node_t* node, int output) noexcept nogil:
    cdef:
        const totals_t* totals = &get_outputs(node)[output]
        hist_bin_t sums
    sums.sum_gradients = totals.sum_gradients
    sums.sum_hessians = totals.sum_hessians
    sums.n_samples = totals.n_samples
    return sums


cdef sparse_note_t* _get_notes(const job_t* job, grown_node_t* node) noexcept nogil:
    """Return the notes of the sparse features, of the output that is dealt with."""
    return (
        get_sparse_notes(job.search.histograms, node.histogram)
        + job.output * <int64_t> job.binned.n_sparse
    )


cdef void _set_sums(totals_t* totals, hist_bin_t sums) noexcept nogil:
    totals.sum_gradients = sums.sum_gradients
    totals.sum_hessians = sums.sum_hessians
    totals.n_samples = sums.n_samples


cdef int _choose_n_threads(const search_t* search, int64_t n_rows) noexcept nogil:
    """Return how many threads a histogram of so many rows, and its search, get."""
    cdef:
        const binned_t* binned = search.splitter.binned
        int64_t n_updates = n_rows * binned.updates_per_row
    n_updates += binned.offsets[binned.n_features] * UPDATES_PER_BIN
    return search.n_threads if n_updates >= MIN_UPDATES_FOR_THREADS else 1


cdef int _count_units(const binned_t* binned) noexcept nogil:
    return binned.n_dense + binned.n_sparse_blocks


cdef void _search_units(job_t* job, int n_threads) noexcept nogil:
    """Finish and search all features, whose rows are added."""
    parallel_for(_search_unit, job, _count_units(job.binned), n_threads)
    _search_wide_features(job, n_threads)


cdef void _search_wide_features(job_t* job, int n_threads) noexcept nogil:
    """Search the features that were put off, of each child by itself."""
    cdef:
        const splitter_t* splitter = job.search.splitter
        int n_wide = job.binned.n_wide
    if splitter.shared != NULL or splitter.vector != NULL:
        # The children have the gains of a feature at the same place.
        parallel_for(_search_wide_of_both, job, n_wide, n_threads)
    else:
        parallel_for(_search_wide, job, 2 * n_wide, n_threads)


# ---- tasks ---------------------------------------------------------------------------


cdef void _add_rows(void* context, int task) noexcept nogil:
    add_rows(&(<job_t*> context).histogram, task)


cdef void _add_rows_and_search(void* context, int task) noexcept nogil:
    """Do all that there is to do for the features of a task."""
    cdef:
        job_t* job = <job_t*> context
        const int32_t* features
        int i, n_features = 0
        int block = find_sparse_block(&job.histogram, task)
    add_rows(&job.histogram, task)
    if block >= 0:
        _search_block(job, &job.binned.sparse_blocks[block])
    features = find_features(&job.histogram, task, &n_features)
    for i in range(n_features):
        _search_dense(job, features[i])


cdef void _search_unit(void* context, int unit) noexcept nogil:
    """Search a dense feature, or a block of sparse ones."""
    cdef:
        job_t* job = <job_t*> context
        const binned_t* binned = job.binned
    if unit < binned.n_dense:
        _search_dense(job, binned.dense[unit])
    else:
        _search_block(job, &binned.sparse_blocks[unit - binned.n_dense])


cdef skx_occupied_t* _get_occupied(
    const job_t* job, const grown_node_t* node, int feature
) noexcept nogil:
    """Return the note which bins of a feature have rows, NULL if there is none.

    It depends on the numbers of rows and bins alone whether there is one.
    """
    cdef const binned_t* binned = job.binned
    if (
        binned.storage[feature] != NARROW_STORAGE
        or binned.default_codes[feature] >= 0
        or job.search.splitter.n_outputs > 1
        or not skx_has_few_rows(node.stop - node.start, binned.n_bins[feature])
    ):
        return NULL
    return get_occupied(
        job.search.histograms, node.histogram, binned.positions[feature]
    )


cdef void _note_occupied(
    const job_t* job, const grown_node_t* node, int feature
) noexcept nogil:
    cdef skx_occupied_t* occupied = _get_occupied(job, node, feature)
    if occupied != NULL:
        skx_find_occupied(
            node.histogram + job.binned.offsets[feature],
            job.binned.n_bins[feature] + 1,
            occupied,
        )


cdef void _finish_feature(const job_t* job, int feature) noexcept nogil:
    """Finish the histogram of the first node."""
    if not finish_feature(
        &job.histogram, feature, _get_occupied(job, job.nodes[0], feature)
    ):
        _note_occupied(job, job.nodes[0], feature)


cdef void _subtract_feature(const job_t* job, int feature) noexcept nogil:
    """Make the histogram of the second node, which has that of the parent."""
    cdef:
        const grown_node_t* smaller = job.nodes[0]
        const grown_node_t* larger = job.nodes[1]
        int64_t first = job.binned.offsets[feature], start = job.plane + first
        skx_occupied_t* occupied = _get_occupied(job, smaller, feature)
        skx_occupied_t* occupied_larger = _get_occupied(job, larger, feature)
        # Of the parent, whose note the larger one takes over.
        bint has_note = occupied_larger != NULL and skx_has_few_rows(
            smaller.stop - smaller.start + larger.stop - larger.start,
            job.binned.n_bins[feature],
        )
    if occupied == NULL:
        skx_subtract_bins(
            larger.histogram + start,
            smaller.histogram + start,
            job.binned.offsets[feature + 1] - first,
        )
    else:
        skx_subtract_few_bins(
            larger.histogram + start,
            occupied_larger if has_note else NULL,
            smaller.histogram + start,
            occupied,
        )
    if not has_note:
        _note_occupied(job, larger, feature)


cdef void _search_dense(job_t* job, int feature) noexcept nogil:
    """Finish the histograms of a feature, and search them while they are warm."""
    if job.adds_rows and feature != job.finished:
        _finish_feature(job, feature)
    if job.binned.storage[feature] != WIDE_STORAGE:
        _search_both(job, feature)


cdef void _search_wide(void* context, int task) noexcept nogil:
    """Search a wide feature of a child: first those of the smaller, then the others."""
    cdef:
        job_t* job = <job_t*> context
        int n_wide = job.binned.n_wide
    _search_child(job, task // n_wide, job.search.wide[task % n_wide])


cdef void _search_wide_of_both(void* context, int task) noexcept nogil:
    cdef job_t* job = <job_t*> context
    _search_both(job, job.search.wide[task])


cdef inline void _search_both(job_t* job, int feature) noexcept nogil:
    _search_child(job, 0, feature)
    _search_child(job, 1, feature)


cdef void _search_child(job_t* job, int i, int feature) noexcept nogil:
    """Search a dense feature of one node, the first of which has its histogram."""
    cdef:
        const splitter_t* splitter = job.search.splitter
        grown_node_t* node = job.nodes[i]
        split_t* split
    if node == NULL:
        return
    if node.live != NULL and not node.live[feature]:
        return
    if job.subtracts and i == 1:
        _subtract_feature(job, feature)
    # What is live is found once, when all planes are there.
    if not job.is_last_plane or job.allowed[i] == NULL:
        return
    if node.live != NULL and not _could_be_split(splitter, node, feature):
        node.live[feature] = False
        return
    if not job.allowed[i][feature]:
        return
    if splitter.shared != NULL:
        add_node_gains(splitter, node, feature)
        return
    split = job.splits[i] + feature
    find_node_split(
        splitter,
        node,
        &job.parents[i],
        feature,
        _get_occupied(job, node, feature),
        skx_get_best_gain(&job.best_gains[i]),
        NULL,
        split,
    )
    skx_raise_best_gain(&job.best_gains[i], split.gain)


cdef inline bint _could_be_split(
    const splitter_t* splitter, const grown_node_t* node, int feature
) noexcept nogil:
    """Return whether a node, or one below it, may have a split on a feature.

    On one side of any split are only rows without the default code: too few here are
    too few further down.
    """
    cdef:
        const binned_t* binned = splitter.binned
        int default_code = binned.default_codes[feature]
    if default_code < 0:
        return True
    return (
        node.totals.n_samples
        - node.histogram[binned.offsets[feature] + default_code].n_samples
        >= splitter.criterion.min_samples_leaf
    )


cdef void _search_block(job_t* job, const sparse_block_t* block) noexcept nogil:
    """Search sparse features, whose bins are there; keep the best of all of them."""
    cdef:
        int i, j
        split_t* best
    for i in range(2):
        if job.nodes[i] == NULL or job.allowed[i] == NULL:
            continue
        best = job.splits[i] + block.features[0]
        memset(best, 0, sizeof(split_t))
        for j in range(block.n_features):
            if job.nodes[i].live[block.features[j]]:
                _search_sparse(job, i, block.features[j], best)


cdef void _search_sparse(
    job_t* job, int i, int feature, split_t* best
) noexcept nogil:
    """Search a live feature of a node. INOUT: best, of those before."""
    cdef:
        const splitter_t* splitter = job.search.splitter
        grown_node_t* node = job.nodes[i]
        sparse_note_t* note = (
            _get_notes(job, node) + job.binned.positions[feature]
        )
        double least_gain = skx_get_best_gain(&job.best_gains[i])
        double bound = HUGE_VAL
        split_t split
    # Whether or not it is searched, lest the note be that of a node further up.
    if job.bounds_gains and job.subtracts and i == 1:
        bound = skx_drift_note(&job.drift, note)
    if not job.allowed[i][feature]:
        return
    if bound < least_gain or bound <= splitter.criterion.min_split_gain:
        return
    write_default_bin(
        job.binned,
        feature,
        _get_sums(node, job.output),
        note,
        node.histogram + job.plane,
    )
    if not job.is_last_plane:
        return
    if splitter.shared != NULL:
        add_node_gains(splitter, node, feature)
        return
    find_node_split(
        splitter,
        node,
        &job.parents[i],
        feature,
        NULL,
        least_gain,
        &bound if job.bounds_gains else NULL,
        &split,
    )
    if job.bounds_gains:
        note.deviation = skx_find_deviation(bound)
    skx_raise_best_gain(&job.best_gains[i], split.gain)
    if split.feature < 0 or split.gain > best.gain:
        best[0] = split


# ---- the best of all features --------------------------------------------------------


cdef bint _choose_splits(const job_t* job) noexcept nogil:
    """Give the nodes their best splits; return False if there is no memory left."""
    cdef:
        const splitter_t* splitter = job.search.splitter
        int i
    if splitter.shared != NULL:
        return True
    for i in range(2):
        if job.allowed[i] == NULL:
            continue
        if not _choose_split(job, i):
            return False
        if job.nodes[i].split.gain > 0 and not complete_node_split(
            splitter, &job.parents[i], job.nodes[i]
        ):
            return False
    return True


cdef bint _choose_split(const job_t* job, int i) noexcept nogil:
    """Take the best of a node's splits; return False if memory ran out."""
    cdef:
        const binned_t* binned = job.binned
        grown_node_t* node = job.nodes[i]
        const split_t* split
        int unit, feature
    for unit in range(_count_units(binned)):
        if unit < binned.n_dense:
            feature = binned.dense[unit]
            if not job.allowed[i][feature] or (
                node.live != NULL and not node.live[feature]
            ):
                continue
        else:
            feature = binned.sparse_blocks[unit - binned.n_dense].features[0]
        split = &job.splits[i][feature]
        if split.feature < 0:
            return False
        if split.gain > node.split.gain or (
            split.gain == node.split.gain > 0 and split.feature < node.split.feature
        ):
            node.split = split[0]
    return True
