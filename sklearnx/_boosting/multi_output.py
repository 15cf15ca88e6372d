"""The loss of several outputs: the same one for each of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sklearnx._boosting.losses import Loss


class MultiOutputLoss(Loss):
    r"""The mean of a loss over several outputs.

    Gradients and hessians of an output are those of its own loss, not divided by the
    number of outputs, so that the leaves of a model of equal outputs are those of one.
    The hessian is the diagonal one, as in Zhang and Jung (2021), GBDT-MO:
    Gradient-Boosted Decision Trees for Multiple Outputs, IEEE Transactions on Neural
    Networks and Learning Systems 32, 3156-3167, section III.

    The target is of shape (n_rows, n_outputs); a part sees its column.

    Parameters
    ----------
    make_loss : callable
        ``make_loss()`` returns the loss of an output. Each output has one of its own,
        for losses keep numbers from round to round.
    n_outputs : int
        Number of columns of the target.

    Raises
    ------
    ValueError
        If the loss itself has several raw predictions a row.
    """

    def __init__(self, make_loss: Callable[[], Loss], n_outputs: int):
        self.parts = [make_loss() for _ in range(n_outputs)]
        first = self.parts[0]
        if first.n_outputs > 1:
            raise ValueError(
                f"loss={first.name!r} has {first.n_outputs} raw predictions a row, and "
                "is not supported for a y of several columns."
            )
        self.n_outputs = n_outputs
        self.name = first.name
        self.link = first.link
        self.constant_hessian = first.constant_hessian
        self.refits_leaves = first.refits_leaves
        self.treats_rows_alike = first.treats_rows_alike

    def _each(self, y):
        """Yield the position, the loss and the target of each output."""
        for k, part in enumerate(self.parts):
            yield k, part, np.ascontiguousarray(y[:, k])

    def check_target(self, y):
        for k, part, target in self._each(y):
            try:
                part.check_target(target)
            except ValueError as error:
                raise ValueError(f"{error} Column {k} of y is not of that kind.") from (
                    error
                )

    def compute_init_score(self, y, sample_weight=None, n_threads=1, offset=None):
        return np.concatenate(
            [
                part.compute_init_score(
                    target,
                    sample_weight,
                    n_threads,
                    None if offset is None else offset[k : k + 1],
                )
                for k, part, target in self._each(y)
            ]
        )

    def prepare_round(self, y, raw, sample_weight=None, n_threads=1):
        for k, part, target in self._each(y):
            part.prepare_round(target, raw[k : k + 1], sample_weight, n_threads)

    def get_state(self):
        return {str(k): part.get_state() for k, part in enumerate(self.parts)}

    def set_state(self, state):
        for k, part in enumerate(self.parts):
            part.set_state(state[str(k)])

    def compute_gradients(self, y, raw, gradients, hessians, n_threads=1):
        for k, part, target in self._each(y):
            row = slice(k, k + 1)
            part.compute_gradients(
                target,
                raw[row],
                gradients[row],
                None if hessians is None else hessians[row],
                n_threads,
            )

    def quantize_gradients(self, y, raw, quantized, n_threads=1, first_output=0):
        for k, part, target in self._each(y):
            row = slice(k, k + 1)
            part.quantize_gradients(
                target, raw[row], quantized[row], n_threads, first_output + k
            )

    def compute_losses(self, y, raw, n_threads=1):
        losses = np.zeros(len(y))
        for k, part, target in self._each(y):
            losses += part.compute_losses(target, raw[k : k + 1], n_threads)
        return losses / self.n_outputs

    def compute_leaf_values(
        self, y, raw, sample_weight, sample_indices, leaf_offsets, n_threads=1
    ):
        """Return values of shape (n_leaves, n_outputs), see `Loss`."""
        values = [
            part.compute_leaf_values(
                target,
                raw[k : k + 1],
                sample_weight,
                sample_indices,
                leaf_offsets,
                n_threads,
            )
            for k, part, target in self._each(y)
        ]
        return np.stack(values, axis=1)

    def inverse_link(self, raw, n_threads=1):
        """Return means of shape (n_rows, n_outputs)."""
        means = [
            part.inverse_link(raw[k : k + 1], n_threads)
            for k, part in enumerate(self.parts)
        ]
        return np.stack(means, axis=1)
