"""Best split of a node on one feature, from its histogram.

With G and H the sums of gradients and hessians of a node, l2 the regularisation and
C = H + l2 its curvature, the node's loss is 2 G v + C v^2, which is least, -G^2 / C,
at v = -G / C (twice the second-order expansion of Chen and Guestrin, "XGBoost", KDD
2016, eq. 5). The gain of a split into L and R is the node's loss less those of L and R.
Losses can be large and close to each other, so it is not found by subtracting them but
as

    gain = (G_L C_R - G_R C_L)^2 / (C_L C_R (C_L + C_R)) - G^2 / C * s / (C_L + C_R)

with s = C_L + C_R - C, that is l2.

Other terms restrain values too. In this order, a node gets the value

    v = -T(G) / C, where T(G) = G - K(G) and K(G) is G, held to [-l1, l1]
    v = v, held to [-max_delta_step, max_delta_step]
    v = p + (v - p) / (1 + path_smoothing / n), of n rows and a parent of value p
    v = v, held to the bounds of monotonic constraints

and its loss is 2 T(G) v + C v^2. These are LightGBM's terms; the first two are
XGBoost's as well. Again losses are not subtracted: with v the node's value, that it
would have as a child of itself, its loss at v is that of L and R at v, less 2 d v, with
d = K(G) - K(G_L) - K(G_R), and less s v^2. Moving L from v to its own value v_L changes
its loss by a product of differences of values, and so does R:

    gain = C_L (v - v_L) (v + v_L - 2 b_L) + C_R (v - v_R) (v + v_R - 2 b_R)
           - 2 d v - s v^2

with b_L = -T(G_L) / C_L, where the loss of L is least. A child that is held to the
node's value brings exactly nothing, however large its loss.

The levels of a category are sorted by the very gradients that the gain is computed
from, so that a split of many levels gains much even where none differs from the others
(Strobl, Boulesteix and Augustin, "Unbiased split selection for classification trees
based on the Gini index", CSDA 2007). So much is taken off their gain. If a level's
gradients are noise, their sum has the variance `noise` times its sum of hessians H_j;
`noise` is the sum of squared gradients over that of hessians in the rows of the tree.
With k of n sorted levels of equal size on the left, and i the mean of the largest k of
n standard normal variables, such a split gains

    noise k n / (n - k) i^2 = noise k (0.3 + 1.4 ln(n / k)), nearly, for k <= n / 2

on average. Where sizes differ, the small levels stand at the ends of the order, and a
large one counts for more than they do: the k levels are as good as

    m = (sum of sqrt(H_j) on the left)^2 / (sum of H_j on the left) <= k

of equal size. The best cut of a number is the best of many as well, and gains about
3 noise by chance, for which nothing is taken off. So what is taken off is

    chance = noise max(m (0.3 + 1.4 ln(n / k)) - 3, 0)

next to nothing for splits of up to six levels, or of few large ones.

Sums are integers; gains are computed in double by one function, in one order. Of equal
gains the lower feature wins, then the lower bin, then missing values to the right.
"""

import numpy as np

from libc.math cimport INFINITY, fabs
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from sklearnx._cython.boosting.histogram cimport (
    skx_find_occupied,
    skx_occupied_t,
)
from sklearnx._cython.boosting.matrix cimport BinnedMatrix
from sklearnx._cython.common.dtypes cimport binned_t, hist_bin_t, split_t

cdef extern from "random.h" nogil:
    uint64_t skx_random(
        uint64_t seed, uint64_t purpose, uint64_t tree, uint64_t node, uint64_t item
    )
    uint32_t skx_scale(uint64_t bits, uint32_t n)
    uint64_t SKX_CUT_OF_NODE

cdef extern from "histogram_kernels.h" nogil:
    void skx_add_bin(hist_bin_t* bin, hist_bin_t more) noexcept

cdef extern from "splitting_kernels.h" nogil:
    int SKX_BINS_AT_A_TIME

    void skx_sum_left(
        const hist_bin_t* bins, int n_bins, hist_bin_t* sum, skx_left_t* left
    ) noexcept
    void skx_add_missing(hist_bin_t missing, int n, skx_left_t* left) noexcept
    void skx_sum_left_of_levels(
        const hist_bin_t* bins, const skx_level_t* levels, int step, int n,
        skx_side_t* side, skx_left_t* left, double* sum_roots,
    ) noexcept
    double skx_take_chances(
        const skx_left_t* left, const double* sum_roots, double noise, int n_before,
        int n_levels, int n, double* gains,
    ) noexcept
    int skx_sum_left_of_few(
        const hist_bin_t* bins, const skx_occupied_t* occupied, int n_bins,
        skx_left_t* left, int32_t* places,
    ) noexcept
    double skx_compute_plain_gains(
        const skx_plain_t* node, const skx_left_t* left, int n, double* gains
    ) noexcept
    double skx_bound_gains(
        const skx_plain_t* node, const skx_left_t* left, int n, double gain
    ) noexcept
    double skx_find_before(double gain) noexcept

cdef enum:
    # Levels with fewer rows (by weight) are not sorted by their gradients, which would
    # be noise: they go right. The same constant smooths the key of the others.
    MIN_LEVEL_SUPPORT = 10

# A generous bound of the relative rounding errors of what is subtracted in a gain.
cdef double ROUNDING = 1e-14


def find(
    BinnedMatrix matrix,
    histogram,
    int feature,
    *,
    double gradient_unit=1.0,
    double hessian_unit=1.0,
    double l1_regularization=0.0,
    double l2_regularization=0.0,
    double min_split_gain=0.0,
    int64_t min_samples_leaf=1,
    double min_child_weight=1e-3,
    double max_delta_step=INFINITY,
    double path_smoothing=0.0,
    monotonic_cst=None,
    double lower_bound=-INFINITY,
    double upper_bound=INFINITY,
    double value=0.0,
    sum_weights=None,
    double row_weight=1.0,
    double noise=0.0,
    bint extra_trees=False,
    uint64_t seed=0,
    uint64_t tree_idx=0,
    int32_t node_idx=0,
    bint passes_over=False,
    double least_gain=0.0,
    bint returns_bound=False,
):
    """Find the best split of a node on one feature.

    Parameters
    ----------
    matrix : BinnedMatrix
        IN, for its bins; the codes are not read.
    histogram : HIST_BIN_DTYPE array of shape (matrix.offsets[-1],)
        IN, sums of the node.
    feature : int
    gradient_unit, hessian_unit : float, default=1.0
        Real value of 1 in the histogram.
    l1_regularization, l2_regularization, min_split_gain, min_samples_leaf, \
            min_child_weight, max_delta_step, path_smoothing
        What makes a split good and allowed. `min_child_weight` must be positive.
    monotonic_cst : int8 array of shape (n_features,), default=None
        None means that no feature of the tree is constrained.
    lower_bound, upper_bound : float
        Of the values of the children, if any feature is constrained.
    value : float, default=0.0
        Of the node, which path smoothing draws those of the children to.
    sum_weights : int, default=None
        Of the node's rows; None means their number.
    row_weight : float, default=1.0
        Real weight that counts as one row.
    noise : float, default=0.0
        Variance of gradients by hessian, see above.
    extra_trees : bool, default=False
        Whether to look at one random split instead of all.
    seed, tree_idx, node_idx : int, default=0
        What makes the random split another.
    passes_over : bool, default=False
        Whether to pass over bins without rows, of a narrow feature.
    least_gain : float, default=0.0
        Of a split that is worth finding.
    returns_bound : bool, default=False

    Returns
    -------
    split : dict or None
        The fields of `split_t`, and `goes_left`: for each code whether it goes left.
    bound : float
        If asked for: of the gains of all splits, were nothing taken off by l2.
    """
    cdef:
        const int64_t[::1] sums = histogram.view(np.int64)
        const hist_bin_t* bins = <const hist_bin_t*> &sums[0]
        const int8_t[::1] constraints = np.zeros(matrix.n_features, dtype=np.int8)
        uint8_t[::1] goes_left = np.empty(matrix.n_bins[feature] + 1, dtype=np.uint8)
        criterion_t criterion
        totals_t totals
        parent_t parent
        split_t split
        int64_t bin_idx
        double bound = 0
        skx_occupied_t occupied
    if monotonic_cst is not None:
        constraints = monotonic_cst
    criterion.gradient_unit = gradient_unit
    criterion.hessian_unit = hessian_unit
    criterion.row_weight = row_weight
    criterion.noise = noise
    criterion.is_constrained = monotonic_cst is not None
    criterion.monotonic_cst = &constraints[0]
    criterion.takes_one_level = NULL
    set_restraints(
        &criterion,
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
    criterion.tree_idx = tree_idx
    memset(&totals, 0, sizeof(totals_t))
    for bin_idx in range(
        matrix.binned.offsets[feature], matrix.binned.offsets[feature + 1]
    ):
        totals.sum_gradients += bins[bin_idx].sum_gradients
        totals.sum_hessians += bins[bin_idx].sum_hessians
        totals.n_samples += bins[bin_idx].n_samples
    totals.sum_weights = totals.n_samples if sum_weights is None else sum_weights
    totals.lower_bound = lower_bound
    totals.upper_bound = upper_bound
    totals.value = value
    totals.node_idx = node_idx
    describe_parent(&criterion, &totals, &parent)
    if passes_over:
        skx_find_occupied(
            bins + matrix.binned.offsets[feature], matrix.n_bins[feature] + 1, &occupied
        )
    find_split(
        &matrix.binned,
        &criterion,
        &totals,
        &parent,
        bins,
        feature,
        &occupied if passes_over else NULL,
        least_gain,
        &bound if returns_bound else NULL,
        &split,
    )
    if split.feature < 0 or not write_left_levels(
        &matrix.binned, &criterion, &totals, bins, &split, &goes_left[0]
    ):
        raise MemoryError()
    found = None
    if split.gain > 0:
        set_child_values(&criterion, &totals, &parent, &split)
        found = {**split, "goes_left": np.asarray(goes_left)}
    return (found, bound) if returns_bound else found


cdef void set_restraints(
    criterion_t* criterion,
    double l1_regularization,
    double l2_regularization,
    double min_split_gain,
    int64_t min_samples_leaf,
    double min_child_weight,
    double max_delta_step,
    double path_smoothing,
) noexcept nogil:
    """Set what restrains splits and values, beside the constraints that are there."""
    criterion.l1_regularization = l1_regularization
    criterion.l2_regularization = l2_regularization
    criterion.min_split_gain = min_split_gain
    criterion.min_samples_leaf = min_samples_leaf
    criterion.min_child_weight = min_child_weight
    criterion.max_delta_step = max_delta_step
    criterion.path_smoothing = path_smoothing
    criterion.is_plain = (
        l1_regularization == 0
        and max_delta_step == INFINITY
        and path_smoothing == 0
        and not criterion.is_constrained
    )


cdef inline double _hold(double value, double lower, double upper) noexcept nogil:
    return min(max(value, lower), upper)


cdef inline double _hold_gradient(
    const criterion_t* criterion, double gradient
) noexcept nogil:
    """Return what the l1 regularisation takes from a sum of gradients."""
    return _hold(
        gradient, -criterion.l1_regularization, criterion.l1_regularization
    )


cdef inline double _restrain(
    const criterion_t* criterion,
    double value,
    double n_rows,
    double parent_value,
    double lower_bound,
    double upper_bound,
) noexcept nogil:
    """Return what a node gets instead of the value where its loss is least."""
    value = _hold(value, -criterion.max_delta_step, criterion.max_delta_step)
    if criterion.path_smoothing > 0:
        # Exactly the parent's where both are the same.
        value = parent_value + (value - parent_value) / (
            1 + criterion.path_smoothing / n_rows
        )
    return _hold(value, lower_bound, upper_bound)


cdef double compute_node_value(
    const criterion_t* criterion,
    int64_t sum_gradients,
    int64_t sum_hessians,
    double n_rows,
    double parent_value,
    double lower_bound,
    double upper_bound,
) noexcept nogil:
    """Return the value of a node.

    `n_rows`, by weight, and `parent_value` are for path smoothing; the root, which has
    no parent, counts as infinitely many rows.
    """
    cdef:
        double gradient = sum_gradients * criterion.gradient_unit
        double curvature = (
            sum_hessians * criterion.hessian_unit + criterion.l2_regularization
        )
        double value = 0
    if curvature > 0:
        value = -(gradient - _hold_gradient(criterion, gradient)) / curvature
    return _restrain(
        criterion, value, n_rows, parent_value, lower_bound, upper_bound
    )


cdef double _compute_restrained_gain(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    int monotonic_cst,
    double left_gradient,
    double left_curvature,
    double left_n_rows,
    double right_gradient,
    double right_curvature,
    double right_n_rows,
) noexcept nogil:
    """Return the gain where values are not -G / C, see above.

    It is 0 if the split would break a monotonic constraint.
    """
    cdef:
        double left_held = _hold_gradient(criterion, left_gradient)
        double right_held = _hold_gradient(criterion, right_gradient)
        double left_best = -(left_gradient - left_held) / left_curvature
        double right_best = -(right_gradient - right_held) / right_curvature
        double left = _restrain(
            criterion,
            left_best,
            left_n_rows,
            totals.value,
            totals.lower_bound,
            totals.upper_bound,
        )
        double right = _restrain(
            criterion,
            right_best,
            right_n_rows,
            totals.value,
            totals.lower_bound,
            totals.upper_bound,
        )
        double value = parent.value
    if monotonic_cst * (right - left) < 0:
        return 0
    return (
        left_curvature * (value - left) * (value + left - 2 * left_best)
        + right_curvature * (value - right) * (value + right - 2 * right_best)
        - 2 * (parent.held - (left_held + right_held)) * value
        - criterion.l2_regularization * value * value
    )


cdef inline bint _is_allowed(
    const criterion_t* criterion,
    const totals_t* totals,
    int64_t left_hessians,
    int64_t left_n_samples,
) noexcept nogil:
    """Return whether both children of a split are large enough."""
    cdef int64_t right_hessians = totals.sum_hessians - left_hessians
    return not (
        left_n_samples < criterion.min_samples_leaf
        or totals.n_samples - left_n_samples < criterion.min_samples_leaf
        or left_hessians * criterion.hessian_unit < criterion.min_child_weight
        or right_hessians * criterion.hessian_unit < criterion.min_child_weight
    )


cdef inline double _compute_gain(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    int monotonic_cst,
    int64_t left_gradients,
    int64_t left_hessians,
    bint* is_rounding,
) noexcept nogil:
    """Return the gain of a split that is allowed.

    OUT: is_rounding, whether the children differ by no more than rounding errors.
    """
    cdef:
        int64_t right_hessians = totals.sum_hessians - left_hessians
        double left_gradient = left_gradients * criterion.gradient_unit
        double right_gradient = (
            totals.sum_gradients - left_gradients
        ) * criterion.gradient_unit
        double l2 = criterion.l2_regularization
        double left_curvature = left_hessians * criterion.hessian_unit + l2
        double right_curvature = right_hessians * criterion.hessian_unit + l2
        double sum_curvatures = left_curvature + right_curvature
        double left_cross = left_gradient * right_curvature
        double right_cross = right_gradient * left_curvature
        double cross = left_cross - right_cross
        double gain
    is_rounding[0] = fabs(cross) <= ROUNDING * (fabs(left_cross) + fabs(right_cross))
    if criterion.is_plain:
        gain = cross * cross / (left_curvature * right_curvature * sum_curvatures)
        if l2 > 0:
            gain -= parent.loss * l2 / sum_curvatures
        return gain
    return _compute_restrained_gain(
        criterion,
        totals,
        parent,
        monotonic_cst,
        left_gradient,
        left_curvature,
        left_hessians * parent.rows_per_hessian,
        right_gradient,
        right_curvature,
        right_hessians * parent.rows_per_hessian,
    )


cdef inline bint _try_split(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    int monotonic_cst,
    double chance,
    int64_t left_gradients,
    int64_t left_hessians,
    int64_t left_n_samples,
    split_t* split,
) noexcept nogil:
    """Take the split over if it is allowed and better than `split`.

    `chance` is taken off the gain.
    """
    cdef:
        double gain
        bint is_rounding
    if not _is_allowed(criterion, totals, left_hessians, left_n_samples):
        return False
    gain = _compute_gain(
        criterion,
        totals,
        parent,
        monotonic_cst,
        left_gradients,
        left_hessians,
        &is_rounding,
    )
    gain -= chance
    # Gradients beyond 1e140 can make it infinite, or nan.
    if is_rounding or not split.gain < gain < INFINITY:
        return False
    split.gain = gain
    split.left_gradients = left_gradients
    split.left_hessians = left_hessians
    split.left_n_samples = left_n_samples
    return True


cdef void find_split(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const hist_bin_t* histogram,
    int feature,
    const skx_occupied_t* occupied,
    double least_gain,
    double* bound,
    split_t* split,
) noexcept nogil:
    """Find the best split of a node on `feature`; its gain is 0 if there is none.

    IN: histogram (of the whole node); occupied, bins of the feature that have rows, or
    NULL where that is not known; least_gain, of a split that is worth finding. OUT:
    bound, of the gains of all splits, were nothing taken off by l2, NULL where that is
    not asked for; split, without the values of the children.
    """
    cdef const hist_bin_t* bins = histogram + binned.offsets[feature]
    if bound != NULL:
        bound[0] = INFINITY
    memset(split, 0, sizeof(split_t))
    split.feature = feature
    # To be exceeded.
    split.gain = max(criterion.min_split_gain, skx_find_before(least_gain))
    if binned.is_categorical[feature]:
        _find_categorical_split(
            binned, criterion, totals, parent, bins, feature, split
        )
    elif criterion.extra_trees:
        _find_random_split(binned, criterion, totals, parent, bins, feature, split)
    elif not criterion.is_plain:
        _find_numeric_split(binned, criterion, totals, parent, bins, feature, split)
    else:
        _find_plain_split(
            binned, criterion, totals, parent, bins, feature, occupied, bound, split
        )
    if split.left_n_samples == 0:
        split.gain = 0


cdef void describe_parent(
    const criterion_t* criterion, const totals_t* totals, parent_t* parent
) noexcept nogil:
    """Write what gains need of a node. OUT: parent."""
    cdef:
        double gradient = totals.sum_gradients * criterion.gradient_unit
        double curvature = (
            totals.sum_hessians * criterion.hessian_unit + criterion.l2_regularization
        )
    parent.loss = gradient * gradient / curvature
    parent.held = _hold_gradient(criterion, gradient)
    parent.value = compute_node_value(
        criterion,
        totals.sum_gradients,
        totals.sum_hessians,
        totals.sum_weights,
        totals.value,
        totals.lower_bound,
        totals.upper_bound,
    )
    parent.rows_per_hessian = _compute_rows_per_hessian(criterion, totals)


cdef void describe_plain(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    skx_plain_t* node,
) noexcept nogil:
    """Write what the kernels of the plain gain need of a node. OUT: node."""
    node.gradient_unit = criterion.gradient_unit
    node.hessian_unit = criterion.hessian_unit
    node.l2 = criterion.l2_regularization
    node.parent_loss = parent.loss
    node.min_child_weight = criterion.min_child_weight
    node.rounding = ROUNDING
    node.sum_gradients = totals.sum_gradients
    node.sum_hessians = totals.sum_hessians
    node.n_samples = totals.n_samples
    node.min_samples_leaf = criterion.min_samples_leaf


cdef void set_left_sums(
    const hist_bin_t* bins, const uint8_t* goes_left, int n_codes, split_t* split
) noexcept nogil:
    """Write the sums of the left child. IN: bins and goes_left (n_codes,)."""
    cdef int code
    split.left_gradients = split.left_hessians = split.left_n_samples = 0
    for code in range(n_codes):
        if goes_left[code]:
            split.left_gradients += bins[code].sum_gradients
            split.left_hessians += bins[code].sum_hessians
            split.left_n_samples += bins[code].n_samples


cdef void set_child_values(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    split_t* split,
) noexcept nogil:
    """Write the values of a split's children. IN: its sums of the left one."""
    split.left_value = compute_node_value(
        criterion,
        split.left_gradients,
        split.left_hessians,
        split.left_hessians * parent.rows_per_hessian,
        totals.value,
        totals.lower_bound,
        totals.upper_bound,
    )
    split.right_value = compute_node_value(
        criterion,
        totals.sum_gradients - split.left_gradients,
        totals.sum_hessians - split.left_hessians,
        (totals.sum_hessians - split.left_hessians) * parent.rows_per_hessian,
        totals.value,
        totals.lower_bound,
        totals.upper_bound,
    )


cdef double measure_split(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    int monotonic_cst,
    double chance,
    int64_t left_gradients,
    int64_t left_hessians,
    int64_t left_n_samples,
) noexcept nogil:
    """Return the gain of one split, 0 if the node may not be split so."""
    cdef split_t split
    split.gain = criterion.min_split_gain
    if not _try_split(
        criterion,
        totals,
        parent,
        monotonic_cst,
        chance,
        left_gradients,
        left_hessians,
        left_n_samples,
        &split,
    ):
        return 0
    return split.gain


cdef double measure_output(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    int monotonic_cst,
    double chance,
    int64_t left_gradients,
    int64_t left_hessians,
    int64_t left_n_samples,
) noexcept nogil:
    """Return the gain of one output less `chance`, -inf if it may not be split so.

    It can be negative, for another output may gain more than this one loses. The gain
    is 0 where a split of this output alone would be told from rounding errors by
    nothing.
    """
    cdef:
        double gain
        bint is_rounding
    if not _is_allowed(criterion, totals, left_hessians, left_n_samples):
        return -INFINITY
    gain = _compute_gain(
        criterion,
        totals,
        parent,
        monotonic_cst,
        left_gradients,
        left_hessians,
        &is_rounding,
    )
    if is_rounding or not gain < INFINITY:
        gain = 0
    return gain - chance


cdef double _compute_rows_per_hessian(
    const criterion_t* criterion, const totals_t* totals
) noexcept nogil:
    """Return the rows, by weight, that a hessian of 1 in the histogram stands for.

    Histograms hold no sums of weights; this is right for a row of weight 1 with the
    node's average hessian.
    """
    if totals.sum_hessians <= 0:
        return 0
    return totals.sum_weights / <double> totals.sum_hessians


cdef bint node_has_missing(
    const binned_t* binned, const hist_bin_t* bins, int feature
) noexcept nogil:
    """Return whether a node lacks values of a feature. IN: its bins of the feature."""
    return binned.has_missing[feature] and bins[binned.n_bins[feature]].n_samples > 0


cdef void _try_cut(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    int monotonic_cst,
    int bin_idx,
    const hist_bin_t* left,
    const hist_bin_t* missing,
    split_t* split,
) noexcept nogil:
    """Try a bin as the last one on the left, missing values on the right, then left.

    IN: left, sums up to that bin; missing, or NULL where those go right in any case.
    """
    if _try_split(
        criterion,
        totals,
        parent,
        monotonic_cst,
        0,
        left.sum_gradients,
        left.sum_hessians,
        left.n_samples,
        split,
    ):
        split.bin = bin_idx
        split.missing_left = False
    if missing != NULL and _try_split(
        criterion,
        totals,
        parent,
        monotonic_cst,
        0,
        left.sum_gradients + missing.sum_gradients,
        left.sum_hessians + missing.sum_hessians,
        left.n_samples + missing.n_samples,
        split,
    ):
        split.bin = bin_idx
        split.missing_left = True


cdef void _find_numeric_split(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const hist_bin_t* bins,
    int feature,
    split_t* split,
) noexcept nogil:
    """Try every bin as the last one on the left, with missing values on either side.

        bins      0  1  2 ... n_bins - 1 | missing
        left      ------>                |            missing right
        left      ------>                |  ----      missing left
    """
    cdef:
        int bin_idx, n_bins = binned.n_bins[feature]
        int monotonic_cst = criterion.monotonic_cst[feature]
        bint has_missing = node_has_missing(binned, bins, feature)
        # The last bin is a split point only if it parts values from missing ones.
        int n_split_points = n_bins if has_missing else n_bins - 1
        hist_bin_t sum_left
        const hist_bin_t* missing = bins + n_bins
    memset(&sum_left, 0, sizeof(hist_bin_t))
    for bin_idx in range(n_split_points):
        if bins[bin_idx].n_samples == 0:
            continue  # the same split as the bin before
        skx_add_bin(&sum_left, bins[bin_idx])
        _try_cut(
            criterion,
            totals,
            parent,
            monotonic_cst,
            bin_idx,
            &sum_left,
            missing if has_missing and bin_idx < n_bins - 1 else NULL,
            split,
        )


cdef int _find_best_cut(
    const skx_plain_t* node,
    const skx_left_t* left,
    int n,
    double* gain,
    double* bound,
) noexcept nogil:
    """Return the first of the best cuts if it gains more than `gain`, else -1.

    INOUT: gain; bound, raised to that of these cuts, if it is not NULL.
    """
    cdef:
        int i = 0
        double best
        double[256] gains  # SKX_BINS_AT_A_TIME
    if gain[0] > 0:
        best = skx_bound_gains(node, left, n, gain[0])
        if best <= gain[0]:
            if bound != NULL:
                bound[0] = max(bound[0], best)
            return -1
    best = skx_compute_plain_gains(node, left, n, gains)
    if bound != NULL:
        # Of twice the best, lest what l2 takes off matters.
        bound[0] = max(bound[0], skx_bound_gains(node, left, n, 2 * best))
    if not best > gain[0]:
        return -1
    gain[0] = best
    while gains[i] != best:
        i += 1
    return i


cdef void _find_plain_split(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const hist_bin_t* bins,
    int feature,
    const skx_occupied_t* occupied,
    double* bound,
    split_t* split,
) noexcept nogil:
    """Do what `_find_numeric_split` does for the plain gain, many bins at a time.

    IN: occupied, as of `find_split`; other bins are passed over. OUT: bound.
    """
    cdef:
        int n_bins = binned.n_bins[feature], start = 0, n, n_left, cut, other
        bint has_missing = node_has_missing(binned, bins, feature)
        int n_split_points = n_bins if has_missing else n_bins - 1
        double gain
        hist_bin_t sum_left
        skx_plain_t node
        skx_left_t left
        int32_t[256] places  # SKX_BINS_AT_A_TIME
    describe_plain(criterion, totals, parent, &node)
    memset(&sum_left, 0, sizeof(hist_bin_t))
    if bound != NULL:
        bound[0] = 0
    while start < n_split_points:
        n = n_left = min(n_split_points - start, <int> SKX_BINS_AT_A_TIME)
        if occupied == NULL:
            skx_sum_left(bins + start, n, &sum_left, &left)
        else:
            # Such a feature has no more bins than are taken at a time.
            n_left = skx_sum_left_of_few(bins, occupied, n, &left, places)
        cut = _find_best_cut(&node, &left, n_left, &split.gain, bound)
        if cut >= 0:
            _take_cut(&left, cut, False, split)
        if has_missing:
            skx_add_missing(bins[n_bins], n_left, &left)
            # As good a one is taken too if it is behind a lower bin.
            gain = split.gain if cut < 0 else skx_find_before(split.gain)
            other = _find_best_cut(&node, &left, n_left, &gain, bound)
            if other >= 0 and (cut < 0 or gain > split.gain or other < cut):
                cut = other
                split.gain = gain
                _take_cut(&left, cut, True, split)
        if cut >= 0:
            split.bin = start + cut if occupied == NULL else places[cut]
        start += n


cdef inline void _take_cut(
    const skx_left_t* left, int cut, bint missing_left, split_t* split
) noexcept nogil:
    split.missing_left = missing_left
    split.left_gradients = left.gradients[cut]
    split.left_hessians = left.hessians[cut]
    split.left_n_samples = left.n_samples[cut]


cdef int draw_cut(
    const criterion_t* criterion, int32_t node_idx, int feature, int n
) noexcept nogil:
    """Return the random integer below `n` of a node and a feature."""
    return skx_scale(
        skx_random(
            criterion.seed,
            SKX_CUT_OF_NODE,
            criterion.tree_idx,
            node_idx,
            feature,
        ),
        n,
    )


cdef int draw_left_levels(
    const criterion_t* criterion, int32_t node_idx, int feature, int n_levels
) noexcept nogil:
    """Return a random `n_left_levels` of sorted levels, at least one."""
    cdef int n_left = 1 + draw_cut(criterion, node_idx, feature, max(n_levels - 1, 1))
    return n_left - n_levels if n_left > max(n_levels // 2, 1) else n_left


cdef void _find_random_split(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const hist_bin_t* bins,
    int feature,
    split_t* split,
) noexcept nogil:
    """Try one threshold, with missing values on either side.

    Each bin from the node's first to the one before its last is as likely to be the
    last on the left (Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine
    Learning 2006, section 2.1, over ranks instead of values), and so is, if the node
    has missing values, to part them from all others.
    """
    cdef:
        int bin_idx, cut, n_bins = binned.n_bins[feature]
        int first = 0, last = n_bins - 1
        int monotonic_cst = criterion.monotonic_cst[feature]
        bint has_missing = node_has_missing(binned, bins, feature)
        hist_bin_t sum_left
        const hist_bin_t* missing = bins + n_bins
    while first < n_bins and bins[first].n_samples == 0:
        first += 1
    while last > first and bins[last].n_samples == 0:
        last -= 1
    if last - first + has_missing <= 0:
        return
    cut = first + draw_cut(
        criterion, totals.node_idx, feature, last - first + has_missing
    )
    memset(&sum_left, 0, sizeof(hist_bin_t))
    for bin_idx in range(first, cut + 1):
        skx_add_bin(&sum_left, bins[bin_idx])
    _try_cut(
        criterion,
        totals,
        parent,
        monotonic_cst,
        cut,
        &sum_left,
        missing if has_missing and cut < last else NULL,
        split,
    )


cdef bint has_level_support(
    const hist_bin_t* level, double rows_per_hessian
) noexcept nogil:
    """Return whether a level has enough rows for its value to tell something."""
    return level.sum_hessians * rows_per_hessian >= MIN_LEVEL_SUPPORT


cdef double compute_level_value(
    const criterion_t* criterion, const hist_bin_t* level
) noexcept nogil:
    """Return the smoothed value of a level, with the opposite sign."""
    return (
        level.sum_gradients
        * criterion.gradient_unit
        / (
            level.sum_hessians * criterion.hessian_unit
            + MIN_LEVEL_SUPPORT * criterion.row_weight
        )
    )


cdef int sort_levels(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* bins,
    int feature,
    skx_level_t* levels,
) noexcept nogil:
    """Sort levels with enough support by their smoothed value; return how many.

    Sorted by value, the best of all partitions in two is a prefix (Fisher, "On grouping
    for maximum homogeneity", JASA 1958). Missing values are one more level.
    """
    cdef:
        int i, level, n_levels = 0
        double rows_per_hessian = _compute_rows_per_hessian(criterion, totals)
    for level in range(binned.n_bins[feature] + 1):
        # Those without are written over: a branch would often be mispredicted.
        levels[n_levels].level = level
        n_levels += has_level_support(&bins[level], rows_per_hessian)
    for i in range(n_levels):
        levels[i].key = compute_level_value(criterion, &bins[levels[i].level])
    skx_sort_levels(levels, n_levels)
    return n_levels


cdef void _find_categorical_split(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const hist_bin_t* bins,
    int feature,
    split_t* split,
) noexcept nogil:
    """Try the sorted levels from either end to the middle as the left child.

        sorted levels      A B C D     and E, without support
        from the start     A | B C D E     A B | C D E
        from the end       D | A B C E     C D | A B E

    Levels without support stay with at least half of the others. With `extra_trees` one
    cut of the sorted levels, each as likely, is tried. Where the feature takes one
    level, each is tried alone.
    """
    cdef:
        int n_levels, n_drawn = 0
        skx_plain_t node
        skx_level_t* levels = <skx_level_t*> malloc(
            (binned.n_bins[feature] + 1) * sizeof(skx_level_t)
        )
    if levels == NULL:
        split.feature = -1
        return
    n_levels = sort_levels(binned, criterion, totals, bins, feature, levels)
    if takes_one_level(criterion, feature):
        _try_single_levels(
            criterion, totals, parent, bins, feature, levels, n_levels, split
        )
        free(levels)
        return
    if criterion.extra_trees and n_levels > 0:
        n_drawn = draw_left_levels(criterion, totals.node_idx, feature, n_levels)
    describe_plain(criterion, totals, parent, &node)
    _try_levels(
        criterion, totals, parent, &node, bins, levels, n_levels, 1, n_drawn, split
    )
    _try_levels(
        criterion, totals, parent, &node, bins, levels, n_levels, -1, n_drawn, split
    )
    free(levels)


cdef void _try_levels(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const skx_plain_t* node,
    const hist_bin_t* bins,
    const skx_level_t* levels,
    int n_levels,
    int step,
    int n_drawn,
    split_t* split,
) noexcept nogil:
    """Try sorted levels as the left child, from the start or, by a step of -1, the end.

    IN: n_drawn, the `n_left_levels` that is tried alone, 0 for all.
    """
    cdef:
        const skx_level_t* first = levels if step > 0 else levels + n_levels - 1
        int i, n, start = 0, stop = (n_levels + 1) // 2
        double best
        double[256] gains  # SKX_BINS_AT_A_TIME
        double[256] sum_roots
        skx_left_t left
        skx_side_t side
    memset(&side, 0, sizeof(skx_side_t))
    while start < stop:
        n = min(stop - start, <int> SKX_BINS_AT_A_TIME)
        skx_sum_left_of_levels(
            bins, first + step * start, step, n, &side, &left, sum_roots
        )
        i = 0
        if _compute_gains(
            criterion, totals, parent, node, &left, n, split.gain, gains
        ):
            best = skx_take_chances(
                &left, sum_roots, criterion.noise, start, n_levels, n, gains
            )
            if n_drawn != 0:
                i = step * n_drawn - 1 - start
                best = gains[i] if 0 <= i < n else 0
            if best > split.gain:
                while gains[i] != best:
                    i += 1
                split.gain = best
                split.is_categorical = OF_LEVELS
                split.n_left_levels = step * (start + i + 1)
                _take_cut(&left, i, False, split)
        start += n


cdef bint takes_one_level(const criterion_t* criterion, int feature) noexcept nogil:
    """Return whether splits of a category part one level from all others."""
    return criterion.takes_one_level != NULL and criterion.takes_one_level[feature]


cdef void _try_single_levels(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const hist_bin_t* bins,
    int feature,
    const skx_level_t* levels,
    int n_levels,
    split_t* split,
) noexcept nogil:
    """Try each of the sorted levels as the left child; at random, one of them."""
    cdef:
        int i, first = 0, last = n_levels
        double gain
        skx_side_t side
        const hist_bin_t* level
    if criterion.extra_trees and n_levels > 0:
        first = draw_cut(criterion, totals.node_idx, feature, n_levels)
        last = first + 1
    for i in range(first, last):
        level = bins + levels[i].level
        memset(&side, 0, sizeof(skx_side_t))
        skx_add_level(&side, level)
        gain = measure_split(
            criterion,
            totals,
            parent,
            0,
            skx_find_chance(&side, criterion.noise, n_levels),
            level.sum_gradients,
            level.sum_hessians,
            level.n_samples,
        )
        if split.gain < gain < INFINITY:
            split.gain = gain
            split.is_categorical = OF_ONE_LEVEL
            split.bin = i
            split.left_gradients = level.sum_gradients
            split.left_hessians = level.sum_hessians
            split.left_n_samples = level.n_samples


cdef bint _compute_gains(
    const criterion_t* criterion,
    const totals_t* totals,
    const parent_t* parent,
    const skx_plain_t* node,
    const skx_left_t* left,
    int n,
    double gain,
    double* gains,
) noexcept nogil:
    """Write the gains of some cuts; return False, and do not, if none exceeds `gain`.

    OUT: gains (n,), not positive where a split is not allowed.
    """
    cdef int i
    if criterion.is_plain:
        if gain > 0 and skx_bound_gains(node, left, n, gain) <= gain:
            return False
        skx_compute_plain_gains(node, left, n, gains)
        return True
    for i in range(n):
        gains[i] = measure_split(
            criterion,
            totals,
            parent,
            0,
            0,
            left.gradients[i],
            left.hessians[i],
            left.n_samples[i],
        )
    return True


cdef bint write_left_levels(
    const binned_t* binned,
    const criterion_t* criterion,
    const totals_t* totals,
    const hist_bin_t* histogram,
    const split_t* split,
    uint8_t* goes_left,
) noexcept nogil:
    """Write for each code of the split's feature whether it goes left.

    IN: histogram, split. OUT: goes_left (n_bins + 1,), missing last. Returns False if
    there is no memory left.
    """
    cdef:
        int n_levels = 0, feature = split.feature
        const hist_bin_t* bins = histogram + binned.offsets[feature]
        skx_level_t* levels = NULL
    if split.is_categorical:
        levels = <skx_level_t*> malloc(
            (binned.n_bins[feature] + 1) * sizeof(skx_level_t)
        )
        if levels == NULL:
            return False
        n_levels = sort_levels(binned, criterion, totals, bins, feature, levels)
    mark_left_codes(binned, split, levels, n_levels, goes_left)
    free(levels)
    return True


cdef void mark_left_codes(
    const binned_t* binned,
    const split_t* split,
    const skx_level_t* levels,
    int n_levels,
    uint8_t* goes_left,
) noexcept nogil:
    """Write the same, of a category from its sorted levels."""
    cdef:
        int i, code
        int n_bins = binned.n_bins[split.feature]
    memset(goes_left, 0, n_bins + 1)
    if not split.is_categorical:
        for code in range(split.bin + 1):
            goes_left[code] = 1
        goes_left[n_bins] = split.missing_left
    elif split.is_categorical == OF_ONE_LEVEL:
        goes_left[levels[split.bin].level] = 1
    elif split.n_left_levels > 0:
        for i in range(split.n_left_levels):
            goes_left[levels[i].level] = 1
    else:
        for i in range(n_levels + split.n_left_levels, n_levels):
            goes_left[levels[i].level] = 1
