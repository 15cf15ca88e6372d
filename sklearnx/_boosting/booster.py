"""The rounds of boosting: gradients, fixed point, a tree an output, new scores."""

import numpy as np

from sklearnx._boosting.constraints import clip_refitted_leaves
from sklearnx._boosting.model import Tree
from sklearnx._cython.boosting.growing import TreeGrower
from sklearnx._cython.boosting.quantization import QuantizedGradients


class Booster:
    """Adds trees to a model, a round at a time.

    Parameters
    ----------
    loss : Loss
    matrix : BinnedMatrix
        Training data.
    edges : float64 array
        Upper edges of the bins, in the order of a histogram.
    y : float64 array of shape (n_rows,)
    sample_weight : float64 array of shape (n_rows,) or None
        Positive.
    raw : float64 array of shape (n_outputs, n_rows)
        Raw scores so far; updated in place.
    learning_rate : float
    growth : dict
        Keyword arguments of `TreeGrower`.
    timer : StageTimer
    n_threads : int
    """

    def __init__(
        self,
        loss,
        matrix,
        edges,
        y,
        sample_weight,
        raw,
        *,
        learning_rate,
        growth,
        timer,
        n_threads,
    ):
        self.loss = loss
        self.y = y
        self.sample_weight = sample_weight
        self.raw = raw
        self.learning_rate = learning_rate
        self.timer = timer
        self.n_threads = n_threads
        self.monotonic_cst = growth["monotonic_cst"]
        self.grower = TreeGrower(matrix, edges, n_threads=n_threads, **growth)
        self.quantized = QuantizedGradients(len(y), sample_weight)
        self.gradients = np.empty_like(raw)
        self.hessians = None if loss.constant_hessian else np.empty_like(raw)

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

    def boost(self, iteration):
        """Run one round and return its trees, one for each output."""
        with self.timer.measure("gradients"):
            self.loss.prepare_round(
                self.y, self.raw, self.sample_weight, self.n_threads
            )
            self.loss.compute_gradients(
                self.y, self.raw, self.gradients, self.hessians, self.n_threads
            )
        return [self._grow_tree(iteration, k) for k in range(len(self.raw))]

    def _grow_tree(self, iteration, output):
        with self.timer.measure("fixed point"):
            self.quantized.quantize(
                self.gradients[output],
                None if self.hessians is None else self.hessians[output],
                self.n_threads,
            )
        with self.timer.measure("growing"):
            tree = Tree(
                *self.grower.grow(self.quantized, iteration * len(self.raw) + output)
            )
        with self.timer.measure("leaf values"):
            leaves = self.grower.leaf_nodes
            if self.loss.refits_leaves:
                values = self.loss.compute_leaf_values(
                    self.y,
                    self.raw[output : output + 1],
                    self.sample_weight,
                    self.grower.leaf_rows,
                    self.grower.leaf_offsets,
                    self.n_threads,
                )
                if self.monotonic_cst.any():
                    values = clip_refitted_leaves(
                        tree.nodes,
                        tree.stats["sum_hessians"],
                        self.monotonic_cst,
                        leaves,
                        values,
                    )
            else:
                values = tree.stats["value"][leaves]
            tree.stats["value"] *= self.learning_rate
            values = self.learning_rate * values
            tree.set_leaf_values(leaves, values)
            self.grower.add_leaf_values(values, self.raw[output])
        return tree
