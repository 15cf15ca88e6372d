"""k-means by steps on batches of rows.

D. Sculley. "Web-scale k-means clustering". WWW 2010. Algorithm 1, with scikit-learn's
draws, reassignment of centres that few rows are near to, and rules to stop by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sklearnx._cluster.rows import make_rows
from sklearnx._cython.cluster.minibatch import (
    build_guide,
    find_draws,
    move_centers,
    move_centers_csr,
    take_rows,
)
from sklearnx._threads import n_threads_for

# Centres are checked for reassignment each time that so many rows a cluster were seen.
ROWS_PER_REASSIGNMENT = 10


class RowDraws:
    """Draws rows with replacement: those of ``RandomState.choice(n, size, p=shares)``.

    That function adds up all shares at each call; here it is done once.
    """

    def __init__(self, shares):
        self._cdf = np.cumsum(shares, dtype=np.float64)
        self._cdf /= self._cdf[-1]
        self._guide = np.empty(len(shares), dtype=np.int32)
        build_guide(self._cdf, self._guide)

    def draw(self, random_state, size):
        """Row numbers, of shape (size,)."""
        rows = np.empty(size, dtype=np.int64)
        find_draws(self._cdf, self._guide, random_state.random_sample(size), rows)
        return rows


@dataclass
class MovingCenters:
    """Centres, and the rows that they are the means of."""

    centers: np.ndarray  # (n_clusters, n_features)
    counts: np.ndarray  # (n_clusters,), of float64: sums of weights
    n_since_reassignment: int = 0

    def count_rows(self, n_rows):
        """Count the rows of a batch; whether centres are to be reassigned in it."""
        self.n_since_reassignment += n_rows
        limit = ROWS_PER_REASSIGNMENT * len(self.counts)
        if (self.counts == 0).any() or self.n_since_reassignment >= limit:
            self.n_since_reassignment = 0
            return True
        return False


def take_batch(X, rows):
    """X[rows] of a table in C order or a CSR matrix."""
    if sp.issparse(X):
        return X[rows]
    rows = np.asarray(rows, dtype=np.int64)
    batch = np.empty((len(rows), X.shape[1]), dtype=X.dtype)
    take_rows(X, rows, batch, n_threads_for(batch.size))
    return batch


def _move(X, weights, state):
    """The centres after a step, and the inertia of the batch before it."""
    centers = state.centers
    moved = np.empty_like(centers)
    n_values = X.nnz if sp.issparse(X) else X.size
    labels, _ = make_rows(X, n_threads_for(n_values * len(centers))).assign(centers)
    arguments = (weights, labels, centers, state.counts, moved, n_threads_for(n_values))
    if sp.issparse(X):
        inertia = move_centers_csr(X.data, X.indices, X.indptr, *arguments)
    else:
        inertia = move_centers(X, *arguments)
    if not np.isfinite(inertia):
        raise ValueError(
            "Squared distances between rows of X and centers overflow: scale the "
            "features."
        )
    return moved, inertia


def _find_light(counts, n_rows, ratio):
    """Which centres are the means of too few rows; at most half as many as rows."""
    is_light = counts < ratio * counts.max()
    limit = int(0.5 * n_rows)
    if is_light.sum() > 0.5 * n_rows:
        is_light[np.argsort(counts)[limit:]] = False
    return is_light


def _reassign(X, moved, counts, random_state, ratio, verbose):
    """Put the lightest centres on rows of the batch. IN/OUT: moved, counts."""
    is_light = _find_light(counts, X.shape[0], ratio)
    n_light = int(is_light.sum())
    if n_light == 0:
        return
    rows = random_state.choice(X.shape[0], replace=False, size=n_light)
    if verbose:
        print(f"[MiniBatchKMeans] Reassigning {n_light} cluster centers.")
    taken = X[rows]
    moved[is_light] = taken.toarray() if sp.issparse(taken) else taken
    # As heavy as the lightest of the others, lest they are moved again at once.
    if n_light < len(counts):
        counts[is_light] = counts[~is_light].min()


def take_step(
    state, X, weights, random_state, *, n_counted, reassignment_ratio, verbose
):
    """Move the centres by one batch.

    Parameters
    ----------
    state : MovingCenters
        IN/OUT; the centres are new memory.

    X : {ndarray in C order, CSR matrix} of shape (n_rows, n_features)
        The batch, of the centres' dtype.

    weights : ndarray of shape (n_rows,) or None
        Of the same dtype; None for ones.

    random_state : RandomState
        Draws new places for centres that few rows are near to.

    n_counted : int
        The rows that the batch counts for where it is asked when to look for them.

    reassignment_ratio : float
        The share of the largest count below which a centre is moved.

    verbose : bool
        Whether to print that.

    Returns
    -------
    inertia : float
        Of the batch, before the step.
    """
    is_due = state.count_rows(n_counted)
    moved, inertia = _move(X, weights, state)
    if is_due and reassignment_ratio > 0:
        _reassign(X, moved, state.counts, random_state, reassignment_ratio, verbose)
    state.centers = moved
    return inertia


class StopRule:
    """Tells when to stop, from how the smoothed inertia of batches falls.

    Parameters
    ----------
    n_samples, batch_size, n_steps : int
        Of the whole fit.

    tol : float
        The largest squared move of the centres to stop at; 0 for none.

    max_no_improvement : int or None
        After so many steps in a row that did not lower the smoothed inertia.

    verbose : bool
        Whether to print each step.
    """

    def __init__(
        self, n_samples, batch_size, n_steps, *, tol, max_no_improvement, verbose
    ):
        self.smoothed = None  # the inertia by row, as an exponential moving average
        self._first = None
        self._share = min(1.0, batch_size * 2.0 / (n_samples + 1))
        self._batch_size = batch_size
        self._n_steps = n_steps
        self._tol = tol
        self._max_no_improvement = max_no_improvement
        self._verbose = verbose
        self._least = np.inf
        self._n_worse = 0

    def _print(self, text):
        if self._verbose:
            print(text)

    @property
    def inertia_per_row(self):
        """What the batches say of the inertia, over the sum of weights."""
        return self._first if self.smoothed is None else self.smoothed

    def has_converged(self, step, inertia, squared_move):
        """Take note of step 1, 2, ...; whether it was the last one needed."""
        inertia /= self._batch_size
        place = f"step {step}/{self._n_steps}"
        if step == 1:  # says what the seeding was like
            self._first = inertia
            self._print(f"Minibatch {place}: mean batch inertia: {inertia}")
            return False
        if self.smoothed is None:
            self.smoothed = inertia
        else:
            self.smoothed = self.smoothed * (1 - self._share) + inertia * self._share
        self._print(
            f"Minibatch {place}: mean batch inertia: {inertia}, ewa inertia: "
            f"{self.smoothed}"
        )
        if self._tol > 0.0 and squared_move <= self._tol:
            self._print(f"Converged (small centers change) at {place}")
            return True
        if self.smoothed < self._least:
            self._least = self.smoothed
            self._n_worse = 0
        else:
            self._n_worse += 1
        limit = self._max_no_improvement
        if limit is not None and self._n_worse >= limit:
            self._print(f"Converged (lack of improvement in inertia) at {place}")
            return True
        return False


def run_batches(
    state,
    X,
    draws,
    stop_rule,
    random_state,
    *,
    batch_size,
    n_steps,
    with_moves,
    reassignment_ratio,
    verbose,
):
    """Draw batches and step until `stop_rule` says to stop, at most `n_steps` times.

    IN/OUT: state. Rows are drawn by their weights, and then count alike. The squared
    moves of the centres are found if `with_moves`. Returns the number of steps.
    """
    for step in range(1, n_steps + 1):
        batch = take_batch(X, draws.draw(random_state, batch_size))
        before = state.centers
        inertia = take_step(
            state,
            batch,
            None,
            random_state,
            n_counted=batch_size,
            reassignment_ratio=reassignment_ratio,
            verbose=verbose,
        )
        squared_move = np.sum((state.centers - before) ** 2) if with_moves else 0.0
        if stop_rule.has_converged(step, inertia, squared_move):
            break
    return step
