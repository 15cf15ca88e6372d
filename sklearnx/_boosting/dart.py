"""DART: rounds that leave some of the earlier rounds out."""

import math

import numpy as np

from sklearnx._boosting.booster import Booster, Scores
from sklearnx._cython.common.random import (
    DROPPED_ROUNDS,
    DROPS_ANY_ROUND,
    draw_uniform,
)
from sklearnx._cython.common.reductions import max_abs

# Values of leaves are rounded to so many bits below the scale of the raw scores.
VALUE_BITS = 42


class DartBooster(Booster):
    r"""Dropouts meet multiple additive regression trees.

    Rashmi and Gilad-Bachrach, 2015, DART: Dropouts meet Multiple Additive Regression
    Trees, AISTATS, Algorithm 1. A round leaves out k of the earlier rounds, drawn
    independently, and fits its trees to the gradients at the scores of the others. The
    new trees and those left out would then correct the same errors, so the new ones get
    the factor :math:`\eta / (k + 1)`, with the learning rate :math:`\eta`, and those
    left out :math:`k / (k + 1)`. A round may find nothing to leave out, and is one of
    plain boosting then.

    Scores are sums of trees that come and go. For them to have the same bits whatever
    the history, values of leaves are multiples of a power of two, some 2^-42 of the
    scale of the scores, whose sums are exact.

    Parameters
    ----------
    drop_rate : float
        Probability of an earlier round to be left out.
    skip_drop : float
        Probability of a round to leave nothing out.
    max_drop : int or None
        Largest number of rounds left out; None means no limit.
    seed : int
    **kwargs
        Of `Booster`.
    """

    def __init__(self, *args, drop_rate, skip_drop, max_drop, seed, **kwargs):
        self.drop_rate = drop_rate
        self.skip_drop = skip_drop
        self.max_drop = max_drop
        self.seed = seed
        self.changes = []
        super().__init__(*args, **kwargs)

    def _init_scores(self):
        # Rounds change the values of earlier trees; the model given stays as it is.
        self.model = self.model.extended([])
        base = self.model.make_raw(len(self.train), self.train.offset)
        self.unit = self._find_unit(base)
        is_leaf = self.model.nodes["feature"] < 0
        if self.model.has_vector_leaves:
            added = self.model.vectors
        else:
            added = self.model.nodes["value"]
        added[is_leaf] = self._round(added[is_leaf])
        if self.model.has_linear_leaves:
            self.model.linear_leaves["quantum"] = self.unit
        self._start_matrix = None
        if self.model.n_trees > 0:
            # Codes of those trees' bins are not known.
            self._start_matrix = self.train.to_matrix()
        self.scores = self.make_scores(self.train, self._start_matrix)
        self.scores_to_fit = self.scores.raw

    def _find_unit(self, base):
        """Return what values are rounded to multiples of; of vectors, each output's."""
        scales = [1.0]
        if self.loss.link == "identity":
            scales = [
                max_abs(np.ascontiguousarray(residual), self.n_threads)
                for residual in self.train.y.T - base
            ]
        units = [
            math.ldexp(1.0, max(math.frexp(scale)[1] - VALUE_BITS, -1000))
            for scale in scales
        ]
        return units[0] if len(units) == 1 else np.array(units)

    def make_scores(self, rows, matrix=None):
        base = self.model.make_raw(len(rows), rows.offset)
        sums = np.zeros_like(base)
        if self.model.n_trees > 0:
            matrix = rows.to_matrix() if matrix is None else matrix
            self.model.add_iterations(
                matrix, sums, 0, self.model.n_iter, self.n_threads
            )
        return Scores(sums, base)

    def _boost(self, iteration):
        scores = self.scores
        dropped = self._draw_rounds(iteration)
        n_dropped = len(dropped)
        with self.timer.measure("dropping"):
            restored = self._take_out(dropped, n_dropped / (n_dropped + 1))
            np.add(scores.base, scores.sums, out=scores.raw)
        self.factor = self.learning_rate / (n_dropped + 1)
        self._fit_round(iteration)
        scores.sums += restored
        np.add(scores.base, scores.sums, out=scores.raw)

    def _shrink(self, values):
        return self._round(self.factor * values)

    def _round(self, values):
        return np.rint(values / self.unit) * self.unit

    def _reorder_rows(self, order):
        super()._reorder_rows(order)
        if self._start_matrix is not None:
            self._start_matrix = self._start_matrix[order]

    def _draw_rounds(self, iteration):
        """Return the earlier rounds to leave out."""
        if draw_uniform(self.seed, DROPS_ANY_ROUND, iteration, 1) < self.skip_drop:
            return np.empty(0, dtype=np.int64)
        draws = draw_uniform(self.seed, DROPPED_ROUNDS, iteration, iteration)
        dropped = np.flatnonzero(draws < self.drop_rate)
        if self.max_drop is not None and len(dropped) > self.max_drop:
            order = np.argsort(draws[dropped], kind="stable")
            dropped = np.sort(dropped[order[: self.max_drop]])
        return dropped

    def _take_out(self, dropped, factor):
        """Take rounds out of the sums, and scale their trees.

        Returns what the scaled trees add to the sums once the round is over.
        """
        restored = np.zeros_like(self.scores.sums)
        self.changes = []
        for iteration in dropped:
            for position, outputs in enumerate(self.tree_outputs):
                tree, leaves = self._find_tree(iteration, position)
                negated = tree.negated()
                self._add_values(negated, leaves, self.scores.sums[outputs])
                changes = self._scale(tree, negated, factor)
                self._add_values(tree, leaves, restored[outputs])
                self.changes += [(outputs, change) for change in changes]
        return restored

    def _find_tree(self, iteration, position):
        """Return an earlier tree and the leaf of each training row."""
        index = iteration - self.model.n_iter
        if index < 0:
            tree = self.model.tree(iteration, position)
            return tree, tree.find_leaves(self._start_matrix, self.n_threads)
        tree = self.trees[index * len(self.tree_outputs) + position]
        return tree, tree.find_binned_leaves(self.matrix, self.n_threads)

    def _scale(self, tree, negated, factor):
        """Scale the values of a tree; return trees that add up to the differences."""
        leaf_nodes = np.flatnonzero(tree.nodes["feature"] < 0)
        values = self._round(factor * tree.get_leaf_values(leaf_nodes))
        tree.values[...] *= factor
        tree.set_leaf_values(leaf_nodes, values)
        if tree.has_linear_leaves:
            tree.scale_linear_models(factor)
            return [negated, tree]
        # One tree instead of two, whose values are differences.
        negated.raise_leaf_values(leaf_nodes, values)
        return [negated]

    def update_scores(self, matrix, scores):
        for outputs, change in self.changes:
            change.add_predictions(matrix, scores.sums[outputs], self.n_threads)
        super().update_scores(matrix, scores)
        np.add(scores.base, scores.sums, out=scores.raw)
