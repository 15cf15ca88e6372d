"""Ordered boosting: gradients at scores that do not know the target of their row."""

import numpy as np

from sklearnx._boosting.booster import Booster
from sklearnx._boosting.target_statistics import draw_order
from sklearnx._cython.boosting.ordered import (
    add_prefix_values,
    compute_prefix_values,
)

# The orders of the rows take turns, and are those of ordered target statistics.
N_ORDERS = 4
# The shortest prefix has so many rows, or a share of them all if that is less. They
# have scores that do know their targets.
MAX_FIRST_ROWS = 100
FIRST_SHARE = 0.1
# Rows of the mean hessian and no gradient that are added to those of a leaf of a
# prefix: the step of very few rows may go anywhere.
SMOOTH = 1.0


def find_prefix_ends(n_rows):
    """Return the ends of prefixes, each of twice the rows of the one before it."""
    ends = [max(1, min(MAX_FIRST_ROWS, int(FIRST_SHARE * n_rows)))]
    while ends[-1] < n_rows:
        ends.append(min(2 * ends[-1], n_rows))
    return ends


class PrefixScores:
    """Raw scores by models that only the first rows of an order have a say in.

    Entries are the rows of prefix 0, then those of prefix 1, and so on. The leaves of
    prefix i have values by the rows of prefix i - 1, those of prefix 0 by its own.

    Parameters
    ----------
    order : int array of shape (n_rows,)
    raw : float64 array of shape (n_outputs, n_rows)
        Scores before the first tree.
    y : float64 array of shape (n_rows,) or (n_rows, n_outputs)
    ends : list of int or None, default=None
        Of the prefixes, the last one at the end of the order. None means prefixes of
        twice the rows of the one before.
    smooth : float, default=SMOOTH
        Rows that are added to those of a leaf.
    """

    def __init__(self, order, raw, y, ends=None, smooth=SMOOTH):
        self.smooth = smooth
        ends = find_prefix_ends(len(order)) if ends is None else ends
        sizes, lengths = ends[:-1] or ends, ends[1:] or ends
        self.sizes = np.array(sizes, dtype=np.int64)
        self.starts = np.cumsum([0, *lengths], dtype=np.int64)
        self.rows = np.concatenate([order[:n] for n in lengths]).astype(np.uint32)
        # The scores of a row are those of the first prefix whose values it has no say
        # in: the first prefix that it is in at all.
        self._entry_of_row = np.empty(len(order), dtype=np.int64)
        for start, length in reversed(list(zip(self.starts, lengths, strict=False))):
            self._entry_of_row[order[:length]] = start + np.arange(length)
        self.y = np.ascontiguousarray(y[self.rows])
        self.raw = np.ascontiguousarray(raw[:, self.rows])

    def get_scores(self):
        """Return the scores of the rows, float64 of shape (n_outputs, n_rows)."""
        return np.ascontiguousarray(self.raw[:, self._entry_of_row])

    def compute_gradients(self, loss, n_threads):
        """Keep the gradients and hessians of all entries at their scores."""
        self.gradients = np.empty_like(self.raw)
        self.hessians = None if loss.constant_hessian else np.empty_like(self.raw)
        loss.compute_gradients(
            self.y, self.raw, self.gradients, self.hessians, n_threads
        )

    def compute_steps(self, leaves, n_nodes, output, weights, **restraints):
        """Return values of nodes by prefix: Newton steps of the rows of leaves."""
        return compute_prefix_values(
            leaves,
            self.rows,
            self.starts,
            self.sizes,
            self.gradients[output],
            None if self.hessians is None else self.hessians[output],
            weights,
            n_nodes,
            smooth=self.smooth,
            **restraints,
        )

    def refit(self, leaves, n_nodes, outputs, weights, loss, n_threads):
        """Return values of nodes by prefix, the loss's own, for each of the outputs."""
        n_prefixes = len(self.sizes)
        prefix = np.repeat(np.arange(n_prefixes), np.diff(self.starts))
        counts = np.arange(len(self.rows)) < (self.starts[:-1] + self.sizes)[prefix]
        if weights is not None:
            weights = weights[self.rows]
            counts &= weights > 0
        entries = np.flatnonzero(counts)
        values = np.zeros((n_prefixes * n_nodes, outputs.stop - outputs.start))
        if len(entries) > 0:
            groups = prefix[entries] * n_nodes + leaves[self.rows[entries]]
            by_group = np.argsort(groups, kind="stable")
            groups, firsts = np.unique(groups[by_group], return_index=True)
            values[groups] = loss.compute_leaf_values(
                self.y,
                self.raw[outputs],
                weights,
                entries[by_group].astype(np.uint32),
                np.append(firsts, len(entries)).astype(np.int64),
                n_threads,
            ).reshape(len(groups), -1)
        return [np.ascontiguousarray(of.reshape(n_prefixes, -1)) for of in values.T]

    def add(self, leaves, values, output, n_threads):
        """Add the values of nodes to the scores of an output."""
        add_prefix_values(
            leaves, self.rows, self.starts, values, self.raw[output], n_threads
        )


class OrderedBooster(Booster):
    """Ordered boosting.

    Prokhorenkova et al., 2018, CatBoost: unbiased boosting with categorical features,
    NeurIPS, section 4 and appendix B. A row that has had its say in the values of
    leaves is met better by the model than a new one is, so that its gradient is too
    small. Here the gradients that a tree is grown on are those at the scores of models
    with the same trees and other values of leaves: the values that rows see have been
    found without them, from rows before them in a random order. The values of the
    tree itself follow from all rows, at the scores of the model.

    There is a model for each prefix of an order, and the lengths of prefixes double: a
    row has the scores of the longest one that ends before it. Some orders take turns.

    Parameters
    ----------
    seed : int
        Of the orders, and of those that derived columns of the matrices have.
    **kwargs
        Of `Booster`.
    """

    may_reorder_rows = False

    def __init__(self, *args, seed, growth, **kwargs):
        self.seed = seed
        super().__init__(*args, growth=growth, **kwargs)
        self.restraints = {
            "l1_regularization": growth["l1_regularization"],
            "l2_regularization": growth["l2_regularization"],
            # Trees have not been grown on these hessians.
            "min_child_weight": growth["min_child_weight"],
            "max_value": min(growth["max_delta_step"], self.max_leaf_value),
            "n_threads": self.n_threads,
        }

    def _init_scores(self):
        super()._init_scores()
        n_rows = len(self.train)
        self.orders = [
            PrefixScores(draw_order(self.seed, i, n_rows), self.scores.raw, self.y)
            for i in range(N_ORDERS)
        ]
        # The model itself, whose values follow from all rows; it has these scores.
        self.whole = PrefixScores(
            np.arange(n_rows), self.scores.raw, self.y, ends=[n_rows], smooth=0.0
        )
        self.whole.raw = self.scores.raw

    def get_state(self):
        orders = {str(i): order.raw for i, order in enumerate(self.orders)}
        return {**super().get_state(), "orders": orders}

    def set_state(self, state):
        super().set_state(state)
        for i, order in enumerate(self.orders):
            order.raw = state["orders"][str(i)]

    def _fit_round(self, iteration):
        order = self.orders[iteration % N_ORDERS]
        with self.timer.measure("ordered scores"):
            self.scores_to_fit = order.get_scores()
            if not self.loss.refits_leaves:
                for each in (self.whole, *self.orders):
                    each.compute_gradients(self.loss, self.n_threads)
        super()._fit_round(iteration)

    def _find_leaf_values(self, tree, grower, outputs, sample_weight):
        """Return the values of the leaves, and bring the prefixes up to date."""
        weights = self._get_weights_of_rows()
        leaves = [
            tree.find_binned_leaves(matrix, self.n_threads) for matrix in self.matrices
        ]
        for i, order in enumerate(self.orders):
            of_order = leaves[i % len(leaves)]
            values = self._find_values(order, tree, of_order, outputs, weights)
            for output, of_output in enumerate(values, start=outputs.start):
                order.add(of_order, self._shrink(of_output), output, self.n_threads)
        if self.loss.refits_leaves:
            raw = self.scores.raw[outputs]
            return self._refit_leaves(tree, grower, raw, sample_weight)
        values = self._find_values(self.whole, tree, leaves[0], outputs, weights)
        values = np.stack([of_output[0] for of_output in values], axis=1)
        values = values[grower.leaf_nodes]
        if tree.vectors is not None:
            return values
        return self._constrain(values[:, 0], tree, grower)

    def _find_values(self, prefixes, tree, leaves, outputs, weights):
        """Return the values of nodes by prefix, for each of the outputs."""
        n_nodes = len(tree.nodes)
        if self.loss.refits_leaves:
            return prefixes.refit(
                leaves, n_nodes, outputs, weights, self.loss, self.n_threads
            )
        return [
            prefixes.compute_steps(leaves, n_nodes, output, weights, **self.restraints)
            for output in range(outputs.start, outputs.stop)
        ]

    def _get_weights_of_rows(self):
        """Return what each row counts in this round, None if all count 1."""
        if self.sample is None:
            return self.sample_weight
        weights = np.zeros(len(self.train))
        rows, multipliers = self.sample
        weights[rows] = 1.0 if multipliers is None else multipliers
        return weights if self.sample_weight is None else weights * self.sample_weight
