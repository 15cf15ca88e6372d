"""Cross-validation of elastic nets: folds are tracks that are solved in lockstep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._glm.paths import PathSolver
from sklearnx._glm.samples import make_samples
from sklearnx._glm.tracks import Track, make_penalties, spread
from sklearnx._glm.working_set import WorkingSet

# Folds that are solved side by side; each keeps a Gram matrix of the working set.
N_FOLDS_AT_ONCE = 10

# Tolerances from here on are so far above the rounding of numbers to float that folds
# are solved on rounded columns: a gap of tol |y|**2 lets the fit be off by
# sqrt(2 tol) |y|.
MIN_TOL_OF_ROUNDED = 1e-6


@dataclass(frozen=True)
class SolvedFolds:
    """The paths of all folds.

    Attributes
    ----------
    tracks : list of Track
    errors : ndarray of shape (n_alphas, n_folds)
        Mean squared error of each fold's test rows.
    whole_set : WorkingSet or None
        Of all rows and columns, if the folds were solved on all columns.
    """

    tracks: list
    errors: np.ndarray
    whole_set: WorkingSet | None = None

    def find_median(self, i, n_columns):
        """The median over folds of each coefficient (n_targets, n_columns) at step i.

        A column is zero there if it is so in most folds.
        """
        return np.median([spread(track, i, n_columns) for track in self.tracks], axis=0)


def solve_folds(
    design, Y, weights, fit_intercept, folds, alphas, l1_ratio, settings, rounded=None
):
    """Solve a path for each fold.

    Parameters
    ----------
    design : DenseDesign or SparseDesign
    Y : ndarray of shape (n_rows, n_targets)
    weights : ndarray of shape (n_rows,) or None
    fit_intercept : bool
    folds : list of (train, test)
        Positions or masks of rows.
    alphas : ndarray of shape (n_alphas,)
        From large to small.
    l1_ratio : float
    settings : Settings
    rounded : RoundedColumns or None, default=None
        Of the design, to check all columns by, or to solve the folds on.

    Returns
    -------
    solved : SolvedFolds
    """
    if rounded is not None and settings.tol >= MIN_TOL_OF_ROUNDED:
        rounded = rounded.as_table()
        design = rounded.design
    tracks, errors = [], []
    for start in range(0, len(folds), N_FOLDS_AT_ONCE):
        batch = folds[start : start + N_FOLDS_AT_ONCE]
        row_weights, held_out = zip(
            *(_weigh(train, weights, design.n_rows) for train, _ in batch), strict=True
        )
        samples = make_samples(
            design, Y, [weights, *row_weights], fit_intercept, [None, *held_out]
        )
        whole, samples = samples[0], samples[1:]
        batch_tracks = [
            Track(sample, make_penalties(alphas, l1_ratio, sample.total))
            for sample in samples
        ]
        solver = PathSolver(
            design, batch_tracks, settings, whole=whole, rounded=rounded
        )
        solver.solve()
        for track, (_, test) in zip(batch_tracks, batch, strict=True):
            test = np.arange(design.n_rows)[test]
            errors.append(_compute_error(track, test, Y, weights))
        tracks += batch_tracks
    whole_set = solver.find_whole_set(whole) if solver.is_whole else None
    return SolvedFolds(tracks, np.array(errors).T, whole_set)


def _weigh(train, weights, n_rows):
    """Weights that are zero outside of the training rows, and the rows held out."""
    counts = np.bincount(np.arange(n_rows)[train], minlength=n_rows)
    row_weights = counts.astype(np.float64)
    if weights is not None:
        row_weights *= weights
    held_out = None
    if counts.max() == 1:
        held_out = np.flatnonzero(counts == 0)
        if 2 * len(held_out) > n_rows:
            held_out = None
    return row_weights, held_out


def _compute_error(track, test, Y, weights):
    """Mean squared error of the test rows for each step of a track."""
    n_steps, n_targets = len(track.steps), Y.shape[1]
    sample, working_set = track.sample, track.working_set
    # (n_set, n_targets * n_steps)
    coefs = np.concatenate([step.coef for step in track.steps]).T
    fitted = working_set.fit_rows(coefs, test)
    if sample.x_mean is not None:
        fitted -= (sample.x_mean[working_set.columns, None] * coefs).sum(axis=0)
    residual = np.tile(sample.y[test], (1, n_steps)) - fitted
    squares = residual**2
    if weights is not None:
        squares *= weights[test, None]
    total = len(test) if weights is None else weights[test].sum()
    means = squares.sum(axis=0) / total
    return means.reshape(n_steps, n_targets).mean(axis=1)


def choose(mse_paths):
    """Positions of the l1 ratio and alpha of the smallest error averaged over folds.

    mse_paths : (n_ratios, n_alphas, n_folds). Ties go to the first.
    """
    best = np.inf
    for position, errors in enumerate(mse_paths.mean(axis=2)):
        i = int(np.argmin(errors))
        if errors[i] < best:
            best, chosen = errors[i], (position, i)
    if not np.isfinite(best):
        raise ValueError(
            "No penalty has a finite error in all folds: the rows of a fold all have "
            "zero sample_weight, or numbers overflow. Use fewer folds, or scale the "
            "features and the target."
        )
    return chosen
