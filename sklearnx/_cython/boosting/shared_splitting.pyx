"""Best split that several nodes share, from the gains that it has in each of them.

Every split of every feature has a place. Node after node adds its gains, as soon as its
histogram is finished and whatever becomes of it; the split with the largest sum wins:

    splits of a feature    0    1    2    3   ...
    node 3                .2   .9   .4    0          0: the node may not be split so
    node 4                 0   .5   .8   .1
    sum                   .2  1.4  1.2   .1          split 1

A gain is what it is for a node alone (`splitting`), and a node to which the winner
brings nothing is not split by it. Places of a numeric feature are (bin, missing values
right), (bin, missing values left), of a categorical one the prefixes of its sorted
levels, then the suffixes. Of equal sums the first place of the lowest feature wins.

Nodes have to agree on the order of levels, so it is that of the root; what a split
gains there by chance is divided among the nodes by their hessians.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from sklearnx._cython.boosting.splitting cimport (
    OF_LEVELS,
    OF_ONE_LEVEL,
    criterion_t,
    describe_parent,
    draw_cut,
    draw_left_levels,
    mark_left_codes,
    measure_split,
    measure_t,
    node_has_missing,
    parent_t,
    set_child_values,
    set_left_sums,
    skx_add_level,
    skx_find_chance,
    skx_level_t,
    skx_side_t,
    sort_levels,
    takes_one_level,
    totals_t,
)
from sklearnx._cython.common.dtypes cimport binned_t, hist_bin_t, split_t


cdef shared_search_t* allocate_shared_search(
    const binned_t* binned, int n_outputs
) noexcept nogil:
    """Return what a search needs, NULL if there is no memory left."""
    cdef:
        int64_t n_bins = binned.offsets[binned.n_features]
        shared_search_t* search = <shared_search_t*> calloc(1, sizeof(shared_search_t))
    if search == NULL:
        return NULL
    search.gains = <double*> calloc(2 * n_bins, sizeof(double))
    search.levels = <skx_level_t*> calloc(n_bins, sizeof(skx_level_t))
    search.n_levels = <int32_t*> calloc(binned.n_features, sizeof(int32_t))
    search.chances = <double*> calloc(2 * n_bins * n_outputs, sizeof(double))
    search.first_cuts = <int32_t*> calloc(binned.n_features, sizeof(int32_t))
    search.n_cuts = <int32_t*> calloc(binned.n_features, sizeof(int32_t))
    if (
        search.gains == NULL
        or search.levels == NULL
        or search.n_levels == NULL
        or search.chances == NULL
        or search.first_cuts == NULL
        or search.n_cuts == NULL
    ):
        free_shared_search(search)
        return NULL
    return search


cdef void free_shared_search(shared_search_t* search) noexcept nogil:
    if search == NULL:
        return
    free(search.gains)
    free(search.levels)
    free(search.n_levels)
    free(search.chances)
    free(search.first_cuts)
    free(search.n_cuts)
    free(search)


cdef void start_shared_search(
    shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
) noexcept nogil:
    """Begin a tree: note what its nodes have to agree on. IN: the root's histogram."""
    cdef:
        int i, feature
        const hist_bin_t* bins
    search.sum_hessians = totals.sum_hessians
    memset(search.gains, 0, 2 * binned.offsets[binned.n_features] * sizeof(double))
    for i in range(binned.n_used):
        feature = binned.used[i]
        bins = histogram + binned.offsets[feature]
        if binned.is_categorical[feature]:
            search.n_levels[feature] = sort_levels(
                binned,
                criterion,
                totals,
                bins,
                feature,
                search.levels + binned.offsets[feature],
            )
            note_chances(
                criterion,
                feature,
                bins,
                search.levels + binned.offsets[feature],
                search.n_levels[feature],
                search.chances + 2 * binned.offsets[feature],
            )
            continue
        note_cuts(search, binned, bins, feature)


cdef void note_cuts(
    shared_search_t* search,
    const binned_t* binned,
    const hist_bin_t* bins,
    int feature,
) noexcept nogil:
    """Note after which bins a node can be split. IN: its bins of a numeric feature."""
    cdef int first = 0, last = binned.n_bins[feature] - 1
    while first <= last and bins[first].n_samples == 0:
        first += 1
    while last > first and bins[last].n_samples == 0:
        last -= 1
    search.first_cuts[feature] = first
    search.n_cuts[feature] = last - first + node_has_missing(binned, bins, feature)


cdef void note_chances(
    const criterion_t* criterion,
    int feature,
    const hist_bin_t* bins,
    const skx_level_t* levels,
    int n_levels,
    double* chances,
) noexcept nogil:
    """Write what prefixes and suffixes of sorted levels, or each alone, gain by chance.

    IN: bins of their feature, levels (n_levels,). OUT: chances (n_levels,), one more if
    that is odd.
    """
    cdef:
        int i, direction
        skx_side_t side
    if takes_one_level(criterion, feature):
        for i in range(n_levels):
            memset(&side, 0, sizeof(skx_side_t))
            skx_add_level(&side, bins + levels[i].level)
            chances[i] = skx_find_chance(&side, criterion.noise, n_levels)
        return
    for direction in range(2):
        memset(&side, 0, sizeof(skx_side_t))
        for i in range((n_levels + 1) // 2):
            skx_add_level(
                &side,
                bins + levels[i if direction == 0 else n_levels - 1 - i].level,
            )
            chances[i] = skx_find_chance(&side, criterion.noise, n_levels)
        chances += (n_levels + 1) // 2


cdef void add_split_gains(
    shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
) noexcept nogil:
    """Add the gains of a node. IN: its histogram. INOUT: search.gains of `feature`."""
    add_feature_gains(
        search,
        binned,
        criterion,
        totals,
        histogram,
        feature,
        search.chances + 2 * binned.offsets[feature],
        totals.sum_hessians / <double> search.sum_hessians,
        measure_split,
        search.gains + 2 * binned.offsets[feature],
    )


cdef void add_feature_gains(
    const shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
    int feature,
    const double* chances,
    double share,
    measure_t measure,
    double* gains,
) noexcept nogil:
    """Add what `measure` says of each split of a feature.

    IN: search, for the order of levels and the first cut; histogram; chances (n_bins +
    1,) of splits of levels, and the node's share in them. INOUT: gains (2 * (n_bins +
    1),).
    """
    cdef:
        const hist_bin_t* bins = histogram + binned.offsets[feature]
        parent_t parent
    describe_parent(criterion, totals, &parent)
    if binned.is_categorical[feature]:
        _add_categorical_gains(
            criterion,
            totals,
            &parent,
            bins,
            feature,
            search.levels + binned.offsets[feature],
            search.n_levels[feature],
            chances,
            share,
            measure,
            gains,
        )
    else:
        _add_numeric_gains(
            binned,
            criterion,
            totals,
            &parent,
            bins,
            feature,
            search.first_cuts[feature],
            measure,
            gains,
        )


cdef void _add_numeric_gains(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const hist_bin_t* bins,
    int feature,
    int first_cut,
    measure_t measure,
    double* gains,
) noexcept nogil:
    cdef:
        int bin_idx, n_bins = binned.n_bins[feature]
        int monotonic_cst = criterion.monotonic_cst[feature]
        bint has_missing = node_has_missing(binned, bins, feature)
        int n_split_points = n_bins if has_missing else n_bins - 1
        int64_t sum_gradients = 0, sum_hessians = 0, n_samples = 0
        double gain = 0, gain_missing_left = 0
        const hist_bin_t* missing = bins + n_bins
    if has_missing:
        gain_missing_left = measure(
            criterion,
            totals,
            parent,
            monotonic_cst,
            0,
            missing.sum_gradients,
            missing.sum_hessians,
            missing.n_samples,
        )
    for bin_idx in range(first_cut, n_split_points):
        # An empty bin makes the same split of this node as the one before.
        if bins[bin_idx].n_samples > 0:
            sum_gradients += bins[bin_idx].sum_gradients
            sum_hessians += bins[bin_idx].sum_hessians
            n_samples += bins[bin_idx].n_samples
            gain = gain_missing_left = measure(
                criterion,
                totals,
                parent,
                monotonic_cst,
                0,
                sum_gradients,
                sum_hessians,
                n_samples,
            )
            if has_missing:
                gain_missing_left = measure(
                    criterion,
                    totals,
                    parent,
                    monotonic_cst,
                    0,
                    sum_gradients + missing.sum_gradients,
                    sum_hessians + missing.sum_hessians,
                    n_samples + missing.n_samples,
                )
        gains[2 * bin_idx] += gain
        gains[2 * bin_idx + 1] += gain_missing_left


cdef void _add_categorical_gains(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const hist_bin_t* bins,
    int feature,
    const skx_level_t* levels,
    int n_levels,
    const double* chances,
    double share,
    measure_t measure,
    double* gains,
) noexcept nogil:
    cdef:
        int i, direction
        int64_t sum_gradients, sum_hessians, n_samples
        const hist_bin_t* bin_
    if takes_one_level(criterion, feature):
        for i in range(n_levels):
            bin_ = bins + levels[i].level
            gains[i] += measure(
                criterion,
                totals,
                parent,
                0,
                chances[i] * share,
                bin_.sum_gradients,
                bin_.sum_hessians,
                bin_.n_samples,
            )
        return
    for direction in range(2):
        sum_gradients = sum_hessians = n_samples = 0
        for i in range((n_levels + 1) // 2):
            bin_ = bins + levels[i if direction == 0 else n_levels - 1 - i].level
            sum_gradients += bin_.sum_gradients
            sum_hessians += bin_.sum_hessians
            n_samples += bin_.n_samples
            gains[i] += measure(
                criterion,
                totals,
                parent,
                0,
                chances[i] * share,
                sum_gradients,
                sum_hessians,
                n_samples,
            )
        gains += (n_levels + 1) // 2
        chances += (n_levels + 1) // 2


cdef void find_shared_split(
    shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const uint8_t* allowed,
    int32_t level,
    split_t* split,
) noexcept nogil:
    """Find the split with the largest sum on allowed features; forget all sums.

    `level` makes random splits others. OUT: split, without sums and values; its gain is
    0 if there is none.
    """
    cdef int i, feature
    memset(split, 0, sizeof(split_t))
    for i in range(binned.n_used):
        feature = binned.used[i]
        if allowed[feature]:
            take_best_place(search, binned, criterion, level, feature, split)
        memset(
            search.gains + 2 * binned.offsets[feature],
            0,
            2 * (binned.n_bins[feature] + 1) * sizeof(double),
        )


cdef void take_best_place(
    const shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    int32_t key,
    int feature,
    split_t* split,
) noexcept nogil:
    """Take over the split of a feature with the largest gain, if that is larger.

    `key` makes random splits others. INOUT: split, without sums and values.
    """
    cdef:
        int place, first, last
        int half = (search.n_levels[feature] + 1) // 2
        const double* gains = search.gains + 2 * binned.offsets[feature]
    if binned.is_categorical[feature]:
        first, last = 0, 2 * half
        if takes_one_level(criterion, feature):
            last = search.n_levels[feature]
    else:
        first, last = 2 * search.first_cuts[feature], 2 * binned.n_bins[feature]
    if criterion.extra_trees and first < last:
        first = _draw_place(search, binned, criterion, key, feature)
        last = first + (1 if binned.is_categorical[feature] else 2)
    for place in range(first, last):
        if split.gain < gains[place] < INFINITY:
            split.gain = gains[place]
            split.feature = feature
            split.is_categorical = OF_LEVELS
            split.bin = split.n_left_levels = split.missing_left = 0
            if not binned.is_categorical[feature]:
                split.is_categorical = 0
                split.bin = place // 2
                split.missing_left = place % 2
            elif takes_one_level(criterion, feature):
                split.is_categorical = OF_ONE_LEVEL
                split.bin = place
            elif place < half:
                split.n_left_levels = place + 1
            else:
                split.n_left_levels = half - place - 1


cdef int _draw_place(
    const shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    int32_t level,
    int feature,
) noexcept nogil:
    """Return the place of a random split: of a number, with missing values right."""
    cdef int n_left
    if not binned.is_categorical[feature]:
        return 2 * (
            search.first_cuts[feature]
            + draw_cut(criterion, level, feature, search.n_cuts[feature])
        )
    if takes_one_level(criterion, feature):
        return draw_cut(criterion, level, feature, search.n_levels[feature])
    n_left = draw_left_levels(criterion, level, feature, search.n_levels[feature])
    return _find_place(search.n_levels[feature], n_left)


cdef int _find_place(int n_levels, int n_left) noexcept nogil:
    """Return the place of a prefix of the sorted levels, a suffix if `n_left` < 0."""
    if n_left > 0:
        return n_left - 1
    return (n_levels + 1) // 2 - n_left - 1


cdef int find_place_of_levels(
    const shared_search_t* search, const split_t* split
) noexcept nogil:
    """Return the place of a split of a category."""
    if split.is_categorical == OF_ONE_LEVEL:
        return split.bin
    return _find_place(search.n_levels[split.feature], split.n_left_levels)


cdef void mark_shared_left_codes(
    const shared_search_t* search,
    const binned_t* binned,
    const split_t* split,
    uint8_t* goes_left,
) noexcept nogil:
    """Write for each code of the split's feature whether it goes left, missing last."""
    mark_left_codes(
        binned,
        split,
        search.levels + binned.offsets[split.feature],
        search.n_levels[split.feature],
        goes_left,
    )


cdef bint take_shared_split(
    const shared_search_t* search,
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const uint8_t* goes_left,
    const split_t* shared,
    split_t* split,
) noexcept nogil:
    """Make the split one of a node, with its own sums; return whether it gains.

    IN: histogram, goes_left (n_bins + 1,), shared. OUT: split.
    """
    cdef:
        int place, feature = shared.feature
        double chance = 0
        parent_t parent
    describe_parent(criterion, totals, &parent)
    split[0] = shared[0]
    set_left_sums(
        histogram + binned.offsets[feature],
        goes_left,
        binned.n_bins[feature] + 1,
        split,
    )
    if split.is_categorical:
        place = find_place_of_levels(search, split)
        chance = search.chances[2 * binned.offsets[feature] + place] * (
            totals.sum_hessians / <double> search.sum_hessians
        )
    split.gain = measure_split(
        criterion,
        totals,
        &parent,
        0 if split.is_categorical else criterion.monotonic_cst[feature],
        chance,
        split.left_gradients,
        split.left_hessians,
        split.left_n_samples,
    )
    if split.gain <= 0:
        return False
    set_child_values(criterion, totals, &parent, split)
    return True
