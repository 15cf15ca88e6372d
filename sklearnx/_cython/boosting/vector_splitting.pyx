"""Best split of a node whose leaves are to hold a vector, one value an output.

The gain of a split is the sum of the gains of the outputs, each from its own gradients
and hessians (Zhang and Jung, "GBDT-MO: gradient-boosted decision trees for multiple
outputs", IEEE TNNLS 2021, eq. 6; with the diagonal of the hessian, as there). So the
outputs of a node are to it what the nodes of a symmetric level are to that
(`shared_splitting`): each adds the gain of every split to one array, in a fixed order.
A difference is that an output may lose by a split, and that all have to allow it.

The outputs must agree on an order of the levels of a category. The values of a level
are a point in the space of outputs; were all hessians alike, the best partition in two
would be one by a hyperplane, so that levels are sorted along the direction in which
they vary most. With x_l the vector of a level's smoothed values, each times the root
of the node's hessian of that output (so that squares of distances are gains), less
their mean, and a_l its share of the node's hessians, summed over the outputs, that is
the first eigenvector u of sum_l a_l x_l x_l^T, and the key of a level is x_l^T u. If
all outputs are the same, the order is that of one. What such a split gains by chance
(`splitting`) is taken off the gain of each output.
"""

from libc.math cimport INFINITY, fabs, sqrt
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from sklearnx._cython.boosting.shared_splitting cimport (
    add_feature_gains,
    allocate_shared_search,
    find_place_of_levels,
    free_shared_search,
    note_chances,
    note_cuts,
    shared_search_t,
    take_best_place,
)
from sklearnx._cython.boosting.splitting cimport (
    compute_level_value,
    criterion_t,
    describe_parent,
    describe_plain,
    has_level_support,
    mark_left_codes,
    measure_output,
    node_has_missing,
    parent_t,
    set_child_values,
    set_left_sums,
    skx_left_t,
    skx_level_t,
    skx_plain_t,
    skx_sort_levels,
    totals_t,
)
from sklearnx._cython.common.dtypes cimport binned_t, hist_bin_t, split_t

cdef extern from "vector_splitting_kernels.h" nogil:
    int SKX_BINS_AT_A_TIME

    void skx_sum_places(
        const hist_bin_t* bins, int n_bins, hist_bin_t* sum, skx_left_t* left
    ) noexcept
    void skx_add_plain_gains(
        const skx_plain_t* node, const skx_left_t* left, int n, bint both, double* gains
    ) noexcept

cdef enum:
    # Where the first two eigenvalues are so close that these do not tell them apart,
    # one direction is as good as the other.
    N_POWER_STEPS = 20


cdef vector_t* allocate_vector(const binned_t* binned, int n_outputs) noexcept nogil:
    """Return what the outputs need, NULL if there is no memory left."""
    cdef vector_t* vector = <vector_t*> calloc(1, sizeof(vector_t))
    if vector == NULL:
        return NULL
    vector.n_outputs = n_outputs
    vector.n_bins = binned.offsets[binned.n_features]
    vector.criteria = <criterion_t*> calloc(n_outputs, sizeof(criterion_t))
    vector.root_hessians = <int64_t*> calloc(n_outputs, sizeof(int64_t))
    vector.search = allocate_shared_search(binned, n_outputs)
    if (
        vector.criteria == NULL
        or vector.root_hessians == NULL
        or vector.search == NULL
    ):
        free_vector(vector)
        return NULL
    return vector


cdef void free_vector(vector_t* vector) noexcept nogil:
    if vector == NULL:
        return
    free(vector.criteria)
    free(vector.root_hessians)
    free_shared_search(vector.search)
    free(vector)


cdef void find_vector_split(
    vector_t* vector,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
    split_t* split,
) noexcept nogil:
    """Find the best split of a node on `feature`; its gain is 0 if there is none.

    IN: totals (n_outputs,), histogram (n_outputs, n_bins). OUT: split, without sums and
    values; its feature is -1 if memory ran out. Nodes that are searched at the same
    time must not be so on the same feature.
    """
    cdef criterion_t* criterion = vector.criteria
    memset(split, 0, sizeof(split_t))
    if not _start_feature(vector, vector.search, binned, totals, histogram, feature):
        split.feature = -1
        return
    _sum_gains(vector, vector.search, binned, totals, histogram, feature, NULL)
    split.gain = criterion.min_split_gain  # to be exceeded
    split.feature = -1
    take_best_place(
        vector.search, binned, criterion, totals.node_idx, feature, split
    )
    if split.feature < 0:
        split.gain = 0
        split.feature = feature


cdef bint _start_feature(
    vector_t* vector,
    shared_search_t* search,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
) noexcept nogil:
    """Note the splits of a feature; return False if memory ran out. INOUT: search."""
    cdef:
        int output
        const hist_bin_t* bins = histogram + binned.offsets[feature]
        skx_level_t* levels = search.levels + binned.offsets[feature]
    if not binned.is_categorical[feature]:
        note_cuts(search, binned, bins, feature)
        return True
    search.n_levels[feature] = _sort_levels(
        vector, binned, totals, histogram, feature, levels
    )
    if search.n_levels[feature] < 0:
        return False
    for output in range(vector.n_outputs):
        note_chances(
            &vector.criteria[output],
            feature,
            bins + output * vector.n_bins,
            levels,
            search.n_levels[feature],
            _get_chances(vector, search, binned, feature, output),
        )
    return True


cdef inline double* _get_chances(
    const vector_t* vector,
    const shared_search_t* search,
    const binned_t* binned,
    int feature,
    int output,
) noexcept nogil:
    return search.chances + 2 * (output * vector.n_bins + binned.offsets[feature])


cdef void _sum_gains(
    vector_t* vector,
    const shared_search_t* search,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
    const int64_t* root_hessians,
) noexcept nogil:
    """Write the gain of every split of a feature, -inf where it is not allowed.

    IN: search, for the order of levels and what it gains by chance; root_hessians
    (n_outputs,) if these are the root's, else NULL. OUT: vector.search.gains of the
    feature.
    """
    cdef:
        int output
        double share = 1
        double* gains = vector.search.gains + 2 * binned.offsets[feature]
    memset(gains, 0, 2 * (binned.n_bins[feature] + 1) * sizeof(double))
    for output in range(vector.n_outputs):
        if vector.criteria.is_plain and not binned.is_categorical[feature]:
            _add_plain_gains(
                binned,
                &vector.criteria[output],
                &totals[output],
                histogram + output * vector.n_bins + binned.offsets[feature],
                feature,
                gains,
            )
            continue
        if root_hessians != NULL:
            share = totals[output].sum_hessians / <double> root_hessians[output]
        add_feature_gains(
            search,
            binned,
            &vector.criteria[output],
            &totals[output],
            histogram + output * vector.n_bins,
            feature,
            _get_chances(vector, search, binned, feature, output),
            share,
            measure_output,
            gains,
        )


cdef void _add_plain_gains(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* bins,
    int feature,
    double* gains,
) noexcept nogil:
    """Add what `measure_output` says of a numeric feature, for the plain gain.

    IN: bins of the feature. INOUT: gains (2 * (n_bins + 1),).
    """
    cdef:
        int start = 0, n, side, n_bins = binned.n_bins[feature]
        bint has_missing = node_has_missing(binned, bins, feature)
        int n_split_points = n_bins if has_missing else n_bins - 1
        hist_bin_t[2] sums  # up to the bin before: missing values right, and left
        skx_plain_t node
        skx_left_t left
        parent_t parent
    describe_parent(criterion, totals, &parent)
    describe_plain(criterion, totals, &parent, &node)
    memset(sums, 0, 2 * sizeof(hist_bin_t))
    if has_missing:
        sums[1] = bins[n_bins]
    while start < n_split_points:
        n = min(n_split_points - start, <int> SKX_BINS_AT_A_TIME)
        for side in range(1 + has_missing):
            skx_sum_places(bins + start, n, &sums[side], &left)
            skx_add_plain_gains(
                &node, &left, n, not has_missing, gains + 2 * start + side
            )
        start += n


# ---- levels of categories ------------------------------------------------------------


cdef int _sort_levels(
    const vector_t* vector,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
    skx_level_t* levels,
) noexcept nogil:
    """Sort levels with enough support in every output, see above.

    Returns how many these are, -1 if memory ran out. OUT: levels.
    """
    cdef:
        int i, level, output, n_levels = 0, n_outputs = vector.n_outputs
        const hist_bin_t* bins = histogram + binned.offsets[feature]
        double* memory
        double* values  # (n_levels, n_outputs)
        double* direction
        double* scratch
        double* shares  # (n_levels,)
        parent_t parent
    for level in range(binned.n_bins[feature] + 1):
        levels[level].key = 1
    for output in range(n_outputs):
        describe_parent(&vector.criteria[output], &totals[output], &parent)
        for level in range(binned.n_bins[feature] + 1):
            if not has_level_support(
                &bins[output * vector.n_bins + level], parent.rows_per_hessian
            ):
                levels[level].key = 0
    for level in range(binned.n_bins[feature] + 1):
        if levels[level].key > 0:
            levels[n_levels].level = level
            n_levels += 1
    if n_levels == 0:
        return 0
    memory = <double*> malloc(
        (<int64_t> (n_levels + 2) * n_outputs + n_levels) * sizeof(double)
    )
    if memory == NULL:
        return -1
    values = memory
    direction = values + <int64_t> n_levels * n_outputs
    scratch = direction + n_outputs
    shares = scratch + n_outputs
    for i in range(n_levels):
        shares[i] = 0
        for output in range(n_outputs):
            shares[i] += (
                bins[output * vector.n_bins + levels[i].level].sum_hessians
                / <double> totals[output].sum_hessians
            )
    for output in range(n_outputs):
        _write_values(
            &vector.criteria[output],
            &totals[output],
            bins + output * vector.n_bins,
            levels,
            n_levels,
            shares,
            values + output,
            n_outputs,
        )
    _find_direction(values, shares, n_levels, n_outputs, direction, scratch)
    for i in range(n_levels):
        levels[i].key = _project(values + <int64_t> i * n_outputs, direction, n_outputs)
        if not fabs(levels[i].key) < INFINITY:
            levels[i].key = 0  # of gradients near the end of doubles
    free(memory)
    skx_sort_levels(levels, n_levels)
    return n_levels


cdef void _write_values(
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* bins,
    const skx_level_t* levels,
    int n_levels,
    const double* shares,
    double* values,
    int stride,
) noexcept nogil:
    """Write the values of levels for one output, less their mean.

    IN: levels, shares (n_levels,). OUT: values, every `stride`-th.
    """
    cdef:
        int i
        double mean = 0, sum_shares = 0
        double scale = sqrt(totals.sum_hessians * criterion.hessian_unit)
    for i in range(n_levels):
        values[i * stride] = scale * compute_level_value(
            criterion, &bins[levels[i].level]
        )
        mean += shares[i] * values[i * stride]
        sum_shares += shares[i]
    mean /= sum_shares
    for i in range(n_levels):
        values[i * stride] -= mean


cdef inline double _project(
    const double* values, const double* direction, int n_outputs
) noexcept nogil:
    cdef:
        int output
        double sum = 0
    for output in range(n_outputs):
        sum += values[output] * direction[output]
    return sum


cdef void _find_direction(
    double* values,
    const double* shares,
    int n_levels,
    int n_outputs,
    double* direction,
    double* scratch,
) noexcept nogil:
    """Write the direction in which values vary most, by power iteration.

    INOUT: values (n_levels, n_outputs), which are scaled. OUT: direction (n_outputs,),
    whose largest component is positive; scratch (n_outputs,).
    """
    cdef:
        int64_t i
        int _step, level, output
        double largest = 0, product, sign = 1
    for i in range(<int64_t> n_levels * n_outputs):
        largest = max(largest, fabs(values[i]))
    for output in range(n_outputs):
        # Unlike each other, so as not to be orthogonal to it by some symmetry.
        direction[output] = 1 + <double> output / n_outputs
    if largest == 0:
        return
    for i in range(<int64_t> n_levels * n_outputs):
        values[i] /= largest
    for _step in range(N_POWER_STEPS):
        memset(scratch, 0, n_outputs * sizeof(double))
        for level in range(n_levels):
            product = shares[level] * _project(
                values + <int64_t> level * n_outputs, direction, n_outputs
            )
            for output in range(n_outputs):
                scratch[output] += (
                    product * values[<int64_t> level * n_outputs + output]
                )
        largest = 0
        for output in range(n_outputs):
            if fabs(scratch[output]) > largest:
                largest = fabs(scratch[output])
                sign = 1 if scratch[output] > 0 else -1
        if largest == 0:
            return
        for output in range(n_outputs):
            direction[output] = sign * scratch[output] / largest


cdef bint write_vector_left_levels(
    vector_t* vector,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const split_t* split,
    uint8_t* goes_left,
) noexcept nogil:
    """Write for each code of the split's feature whether it goes left, missing last.

    IN: totals, histogram, split. OUT: goes_left (n_bins + 1,). Returns False if memory
    ran out.
    """
    cdef:
        int feature = split.feature
        shared_search_t* search = vector.search
    if not _start_feature(vector, search, binned, totals, histogram, feature):
        return False
    mark_left_codes(
        binned,
        split,
        search.levels + binned.offsets[feature],
        search.n_levels[feature],
        goes_left,
    )
    return True


# ---- the sums of the children --------------------------------------------------------


cdef void split_outputs(
    const vector_t* vector,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const uint8_t* goes_left,
    split_t* split,
    split_t* outputs,
) noexcept nogil:
    """Make a split one of each output, with its sums and values.

    IN: totals (n_outputs,), histogram, goes_left (n_bins + 1,). INOUT: split, which
    gets the sums of the first output. OUT: outputs (n_outputs,).
    """
    cdef:
        int output
        int64_t first = binned.offsets[split.feature]
        parent_t parent
        split_t* part
    for output in range(vector.n_outputs):
        part = &outputs[output]
        part[0] = split[0]
        set_left_sums(
            histogram + output * vector.n_bins + first,
            goes_left,
            binned.n_bins[split.feature] + 1,
            part,
        )
        describe_parent(&vector.criteria[output], &totals[output], &parent)
        set_child_values(&vector.criteria[output], &totals[output], &parent, part)
    split[0] = outputs[0]


# ---- where several nodes share a split -----------------------------------------------


cdef bint start_shared_vector_search(
    vector_t* vector,
    shared_search_t* shared,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
) noexcept nogil:
    """Begin a tree; return False if memory ran out. IN: the root's histogram."""
    cdef int i, output
    for output in range(vector.n_outputs):
        vector.root_hessians[output] = totals[output].sum_hessians
    memset(shared.gains, 0, 2 * vector.n_bins * sizeof(double))
    for i in range(binned.n_used):
        if not _start_feature(
            vector, shared, binned, totals, histogram, binned.used[i]
        ):
            return False
    return True


cdef void add_vector_gains(
    vector_t* vector,
    shared_search_t* shared,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
) noexcept nogil:
    """Add the gains of a node, where it gains. INOUT: shared.gains of `feature`."""
    cdef:
        int64_t place, first = 2 * binned.offsets[feature]
        double gain
    _sum_gains(
        vector, shared, binned, totals, histogram, feature, vector.root_hessians
    )
    for place in range(first, first + 2 * (binned.n_bins[feature] + 1)):
        gain = vector.search.gains[place]
        if gain > vector.criteria.min_split_gain:
            shared.gains[place] += gain


cdef bint take_shared_vector_split(
    const vector_t* vector,
    const shared_search_t* shared,
    const binned_t* binned,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const uint8_t* goes_left,
    split_t* split,
    split_t* outputs,
) noexcept nogil:
    """Make a shared split one of a node; return whether it gains.

    As `split_outputs`, but that the gain is the node's.
    """
    cdef:
        int output, place, feature = split.feature
        double chance = 0
        parent_t parent
    split_outputs(vector, binned, totals, histogram, goes_left, split, outputs)
    place = find_place_of_levels(shared, split)
    split.gain = 0
    for output in range(vector.n_outputs):
        describe_parent(&vector.criteria[output], &totals[output], &parent)
        if split.is_categorical:
            chance = _get_chances(vector, shared, binned, feature, output)[place] * (
                totals[output].sum_hessians / <double> vector.root_hessians[output]
            )
        split.gain += measure_output(
            &vector.criteria[output],
            &totals[output],
            &parent,
            0,
            chance,
            outputs[output].left_gradients,
            outputs[output].left_hessians,
            outputs[output].left_n_samples,
        )
    return vector.criteria.min_split_gain < split.gain < INFINITY
