"""The rounds of boosting: gradients, a sample, fixed point, trees, new scores."""

import numpy as np

from sklearnx._boosting.constraints import clip_refitted_leaves
from sklearnx._boosting.linear_leaves import LinearLeaves
from sklearnx._boosting.model import Tree
from sklearnx._boosting.row_order import (
    N_ROUNDS_BEFORE,
    copy_reordered,
    find_order,
    profits_from_order,
    reorder_matrix,
)
from sklearnx._cython.boosting.binned_predicting import add_node_values
from sklearnx._cython.boosting.class_histograms import (
    MAX_CLASSES,
    ClassHistograms,
    can_share_rows,
)
from sklearnx._cython.boosting.growing import TreeGrower
from sklearnx._cython.boosting.quantization import QuantizedGradients
from sklearnx._cython.boosting.reordering import reorder_columns
from sklearnx._cython.boosting.sampling import multiply_rows


class Scores:
    """Raw scores of some rows, which follow the growing model.

    Parameters
    ----------
    sums : float64 array of shape (n_outputs, n_rows)
        What rounds add trees to.
    base : float64 array of shape (n_outputs, n_rows) or None
        Scores before the first tree, if they are no part of the sums.

    Attributes
    ----------
    raw : float64 array of shape (n_outputs, n_rows)
        The scores: the sums themselves unless there is a base.
    order : uint32 array of shape (n_rows,) or None
        Which rows they are the scores of, if these were reordered.
    """

    def __init__(self, sums, base=None):
        self.sums = sums
        self.base = base
        self.raw = sums if base is None else base + sums
        self.order = None

    def reorder(self, order, spare, n_threads):
        """Put the scores of row `order[i]` at `i`, in place.

        OUT: spare, bytes for the scores of an output.
        """
        reorder_columns(self.sums, order, spare, n_threads)
        if self.base is not None:
            reorder_columns(self.base, order, spare, n_threads)
            reorder_columns(self.raw, order, spare, n_threads)
        self.order = order

    def get_raw(self, positions=None):
        """Return the scores of some rows by their positions before any reordering.

        Parameters
        ----------
        positions : int array or None
            None means all.
        """
        raw = self.raw
        if self.order is not None:
            raw = np.empty_like(self.raw)
            raw[:, self.order] = self.raw
        return raw if positions is None else np.ascontiguousarray(raw[:, positions])


class Booster:
    """Adds trees to a model, a round at a time; each corrects all those before it.

    Other ways of boosting override what a round does (`_boost`), which scores its
    gradients are taken at (`scores_to_fit`), the values of leaves
    (`_find_leaf_values`), how these shrink (`factor`, `unit`) and what they are added
    to (`make_scores`, `update_scores`).

    After some rounds the rows of the matrix, and all that belongs to them, may be put
    into another order, see `row_order`.

    Parameters
    ----------
    loss : Loss
    train : Rows
        Training data.
    matrix : BinnedMatrix
        Their features; it is the booster's from now on.
    edges : float64 array
        Upper edges of the bins, in the order of a histogram.
    variants : sequence of BinnedMatrix, default=()
        The same rows and bins with other codes of derived columns, by which rounds
        find their splits in turn; leaves have the values of the rows that reach them by
        the codes of `matrix`.
    model : BoostedTrees
        The model that trees are added to.
    learning_rate : float
    linear_l2_regularization : float or None
        Of linear leaves; None means that leaves are constant.
    growth : dict
        Keyword arguments of `TreeGrower`.
    sampler : UniformSampler or other of `SAMPLERS`, or None
        None means that each round uses all rows.
    timer : StageTimer
    n_threads : int

    Attributes
    ----------
    trees : list of Tree
        Those added to the model.
    round_trees : list of Tree
        Those of the last round: one for each output, or one of all.
    scores : Scores
        Of the training rows; rounds update them in place.
    sample : Sample or None
        The rows of the round; None means all.
    factor : float
        Of the values of a round's trees.
    unit : float
        Values are rounded to multiples of this power of two; 0 means that they are not.
    """

    unit = 0.0
    may_reorder_rows = True

    def __init__(
        self,
        loss,
        train,
        matrix,
        edges,
        model,
        *,
        variants=(),
        learning_rate,
        linear_l2_regularization=None,
        growth,
        sampler,
        timer,
        n_threads,
    ):
        self.loss = loss
        self.train = train
        self.y = train.y
        self.sample_weight = train.sample_weight
        self.matrix = matrix
        self.matrices = [matrix, *variants]
        self.model = model
        self.learning_rate = self.factor = learning_rate
        self.sampler = sampler
        self.sample = None
        self.timer = timer
        self.n_threads = n_threads
        self.trees = []
        self.round_trees = []
        self.tree_outputs = model.tree_outputs
        n_outputs = model.n_outputs // model.n_trees_per_iteration  # of a tree
        n_together = 1
        if n_outputs == 1 and can_share_rows(matrix):
            n_together = min(model.n_trees_per_iteration, MAX_CLASSES)
        self.batches = [
            self.tree_outputs[first : first + n_together]
            for first in range(0, len(self.tree_outputs), n_together)
        ]
        # Of the outputs of a batch.
        self.quantized = [
            QuantizedGradients(
                len(train),
                train.sample_weight,
                sums_squares=bool(matrix.is_categorical.any()) and sampler is None,
            )
            for _ in range(n_outputs * n_together)
        ]
        self.root_histograms = None
        if n_together > 1:
            self.root_histograms = [
                ClassHistograms(each, n_threads) for each in self.matrices
            ]
        self.fits_linear_leaves = linear_l2_regularization is not None
        self.linear = LinearLeaves(
            train,
            self.quantized[0].integer_weights,
            l2_regularization=linear_l2_regularization or 0.0,
            min_rows=growth["min_samples_leaf"],
            n_threads=n_threads,
        )
        self.reorders_rows = (
            self.may_reorder_rows
            and loss.treats_rows_alike
            and sampler is None
            and not self.fits_linear_leaves
            and profits_from_order(matrix)
        )
        with timer.measure("init score"):
            self._init_scores()
        self.monotonic_cst = growth["monotonic_cst"]
        # A limit of the user's is kept while the tree grows.
        is_limited = np.isfinite(growth["max_delta_step"])
        self.max_leaf_value = np.inf if is_limited else loss.max_leaf_value
        self.growers = [
            TreeGrower(each, edges, n_outputs=n_outputs, n_threads=n_threads, **growth)
            for each in self.matrices
        ]
        # Others are rounded to integers as they are computed, and kept nowhere.
        self.keeps_gradients = (
            sampler is not None or self.fits_linear_leaves or len(self.batches) > 1
        )
        self.gradients = self.hessians = None
        if self.keeps_gradients:
            self.gradients = np.empty_like(self.scores.raw)
            if not loss.constant_hessian:
                self.hessians = np.empty_like(self.gradients)

    # -- what other ways of boosting override --

    def _init_scores(self):
        self.scores = self.make_scores(self.train)
        self.scores_to_fit = self.scores.raw

    def make_scores(self, rows, matrix=None):
        """Return the scores of some rows by the model as it was given.

        Parameters
        ----------
        rows : Rows
        matrix : float array of shape (n_rows, n_features) or None
            What ``rows.to_matrix()`` returned, if it has been called.
        """
        return Scores(rows.predict_raw(self.model, self.n_threads, matrix))

    def get_state(self):
        """Return what the next rounds need and trees and raw scores do not tell.

        Returns
        -------
        state : dict
            Numbers and arrays, and dicts of them, by name.
        """
        return {"loss": self.loss.get_state()}

    def set_state(self, state):
        """Go on from what `get_state` returned after an earlier round."""
        self.loss.set_state(state["loss"])

    def _boost(self, iteration):
        """Run one round, during which rows stay in their order."""
        self._fit_round(iteration)

    def _find_leaf_values(self, tree, grower, outputs, sample_weight):
        """Return the values of the leaves of the tree that was grown."""
        if self.loss.refits_leaves:
            raw = self.scores_to_fit[outputs]
            return self._refit_leaves(tree, grower, raw, sample_weight)
        bound = self.max_leaf_value
        if bound < np.inf:
            np.clip(tree.values, -bound, bound, out=tree.values)
        return tree.values[grower.leaf_nodes]

    def _shrink(self, values):
        """Return what values of nodes become before they are added to scores."""
        return self.factor * values

    def make_model(self):
        """Return the model as it is now; later rounds leave it as it is."""
        return self.model.extended(self.trees)

    def update_scores(self, matrix, scores):
        """Bring the scores of other rows up to date with the last round.

        Parameters
        ----------
        matrix : float array of shape (n_rows, n_features)
        scores : Scores
            What `make_scores` returned, after the round before; updated in place.
        """
        for tree, outputs in zip(self.round_trees, self.tree_outputs, strict=True):
            tree.add_predictions(matrix, scores.sums[outputs], self.n_threads)

    # -- steps of a round --

    def boost(self, iteration):
        """Run one round: add a tree for each output, or one for all."""
        if self.reorders_rows and iteration == self.model.n_iter + N_ROUNDS_BEFORE:
            with self.timer.measure("reordering"):
                self._reorder_rows(
                    find_order(self.round_trees, self.matrix, self.n_threads)
                )
        self._boost(iteration)

    def _fit_round(self, iteration):
        y, sample_weight = self.y, self.sample_weight
        raw = self.scores_to_fit
        hessians = self.hessians
        with self.timer.measure("gradients"):
            self.loss.prepare_round(y, raw, sample_weight, self.n_threads)
            if self.keeps_gradients:
                self.loss.compute_gradients(
                    y, raw, self.gradients, hessians, self.n_threads
                )
            else:
                self.loss.quantize_gradients(y, raw, self.quantized, self.n_threads)
        rows = None
        if self.sampler is not None:
            with self.timer.measure("sampling"):
                self.sample = self.sampler.draw(
                    iteration, self.gradients, hessians, sample_weight, self.n_threads
                )
                rows = self.sample.rows
                if self.sample.multipliers is not None:
                    hessians, sample_weight = self._multiply(
                        self.sample, hessians, sample_weight
                    )
        self.round_trees = []
        for batch in self.batches:
            self.round_trees += self._grow_batch(
                iteration, batch, hessians, sample_weight, rows
            )
        self.trees += self.round_trees

    def _reorder_rows(self, order):
        """Put row `order[i]` at `i` in all that belongs to rows."""
        spare = np.empty(len(order)).view(np.uint8)  # no column is wider
        for matrix in self.matrices:
            reorder_matrix(matrix, order, spare, self.n_threads)
        self.scores.reorder(order, spare, self.n_threads)
        # The memory is needed for what follows.
        del spare
        # Those that were given stay as they are.
        self.y = copy_reordered(self.y, order, self.n_threads)
        if self.sample_weight is not None:
            self.sample_weight = copy_reordered(
                self.sample_weight, order, self.n_threads
            )
        for quantized in self.quantized:
            quantized.reorder(order, self.sample_weight)

    def _multiply(self, sample, hessians, sample_weight):
        """Apply the multipliers of drawn rows; return hessians and leaves' weights."""
        if hessians is None:
            hessians = np.ones_like(self.gradients)
        for planes in (self.gradients, hessians):
            multiply_rows(planes, *sample, self.n_threads)
        if self.loss.refits_leaves:
            # Such losses ask for weights once more.
            if sample_weight is None:
                sample_weight = np.ones(len(self.train))
            else:
                sample_weight = sample_weight.copy()
            sample_weight[sample.rows] *= sample.multipliers
        return hessians, sample_weight

    def _grow_batch(self, iteration, batch, hessians, sample_weight, rows):
        """Grow trees whose roots are built together."""
        variant = iteration % len(self.matrices)
        first_tree = iteration * len(self.tree_outputs) + len(self.round_trees)
        first = batch[0].start
        outputs = range(first, batch[-1].stop)
        all_quantized = self.quantized[: len(outputs)]
        if self.keeps_gradients:
            with self.timer.measure("fixed point"):
                for quantized, output in zip(all_quantized, outputs, strict=True):
                    quantized.quantize(
                        self.gradients[output],
                        None if hessians is None else hessians[output],
                        self.n_threads,
                        output,
                    )
        roots = [None] * len(batch)
        if len(batch) > 1:
            with self.timer.measure("growing"):
                roots = self.root_histograms[variant].build(
                    all_quantized, self.growers[0].all_rows if rows is None else rows
                )
        return [
            self._grow_tree(
                variant,
                first_tree + position,
                outputs,
                all_quantized[outputs.start - first : outputs.stop - first],
                root,
                hessians,
                sample_weight,
                rows,
            )
            for position, (outputs, root) in enumerate(zip(batch, roots, strict=True))
        ]

    def _grow_tree(
        self, variant, tree_idx, outputs, quantized, root, hessians, sample_weight, rows
    ):
        grower = self.growers[variant]
        with self.timer.measure("growing"):
            reached = None if variant == 0 else self.matrix
            tree = Tree(*grower.grow(quantized, tree_idx, rows, root, reached))
            tree.vectors = grower.vectors
        with self.timer.measure("leaf values"):
            leaves = grower.leaf_nodes
            values = self._find_leaf_values(tree, grower, outputs, sample_weight)
            tree.values[...] = self._shrink(tree.values)
            values = self._shrink(values)
            tree.set_leaf_values(leaves, values)
        if self.fits_linear_leaves:
            with self.timer.measure("linear leaves"):
                self._fit_linear_leaves(tree, grower, outputs.start, hessians)
        with self.timer.measure("leaf values"):
            raw = self.scores.sums[outputs]
            if rows is None and not tree.has_linear_leaves:
                for plane, column in zip(raw, _to_columns(values), strict=True):
                    grower.add_leaf_values(column, plane)
            else:
                reached = tree.find_binned_leaves(self.matrix, self.n_threads)
                self._add_values(tree, reached, raw)
        return tree

    def _refit_leaves(self, tree, grower, raw, sample_weight):
        """Return what the loss wants the values of leaves to be, at scores `raw`."""
        values = self.loss.compute_leaf_values(
            self.y,
            raw,
            sample_weight,
            grower.leaf_rows,
            grower.leaf_offsets,
            self.n_threads,
        )
        return self._constrain(values, tree, grower)

    def _constrain(self, values, tree, grower):
        """Return values of leaves that keep to the monotonic constraints."""
        if not self.monotonic_cst.any():
            return values
        return clip_refitted_leaves(
            tree.nodes,
            tree.stats["sum_hessians"],
            self.monotonic_cst,
            grower.leaf_nodes,
            values,
        )

    def _fit_linear_leaves(self, tree, grower, output, hessians):
        self.linear.fit(
            tree,
            grower.leaf_nodes,
            grower.leaf_rows,
            grower.leaf_offsets,
            self.gradients[output],
            None if hessians is None else hessians[output],
        )
        tree.scale_linear_models(self.factor)
        tree.round_linear_models(self.unit)

    def _add_values(self, tree, leaves, raw):
        """Add to `raw` what a tree says of the training rows, which are in `leaves`.

        `raw` are the planes of the tree's outputs.
        """
        if tree.has_linear_leaves:
            self.linear.add_values(tree, leaves, raw[0])
            return
        for plane, column in zip(
            raw, _to_columns(tree.get_leaf_values(slice(None))), strict=True
        ):
            add_node_values(leaves, column, plane, self.n_threads)


def _to_columns(values):
    """Return values of nodes, (n,) or (n, n_outputs), as an array for each output."""
    return np.ascontiguousarray(values.reshape(len(values), -1).T)
