"""Checks of tracks: what their solutions leave of residuals, correlations and gaps.

One product X.T @ residuals serves many solutions, of as many tracks.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

from sklearnx._glm.duality import compute_gap, row_norms

# Tolerances from here on are checked by sums from the Gram matrix.
MIN_TOL_ON_GRAM = 1e-8


class TrackChecks:
    """Checks the solutions of tracks of one table.

    Parameters
    ----------
    design : DenseDesign or SparseDesign
    settings : Settings
    n_targets : int
    is_whole : bool
        Whether the sets hold all columns, so that their Gram matrices may do.
    rounded : RoundedColumns or None
        Of the design, to check all columns by.
    """

    def __init__(self, design, settings, n_targets, is_whole, rounded):
        self.design = design
        self.settings = settings
        self.n_targets = n_targets
        self.is_on_gram = is_whole and settings.tol >= MIN_TOL_ON_GRAM
        self.rounded = None if is_whole else rounded

    def check(self, jobs):
        """Fill the correlations and gaps of (track, step) pairs.

        A step of None stands for the track's starting point.
        """
        if self.is_on_gram and jobs[0][1] is not None:
            for track, i in jobs:
                self._check_on_gram(track, i)
            return
        holders = [(track, track if i is None else track.steps[i]) for track, i in jobs]
        self.find_residuals(
            [(track, holder) for track, holder in holders if holder.residual is None]
        )
        self.correlate(jobs)

    def find_residuals(self, holders):
        """Fill the residuals of pairs of a track and its step or starting point."""
        width = self.n_targets
        for track, group in groupby(holders, key=lambda pair: pair[0]):
            steps = [holder for _, holder in group]
            coefs = np.concatenate([holder.coef for holder in steps]).T
            working_set = track.working_set
            fitted = working_set.fit_rows(coefs)
            for k, holder in enumerate(steps):
                block = slice(k * width, (k + 1) * width)
                holder.residual = track.sample.find_residual(
                    fitted[:, block], working_set.columns, coefs[:, block]
                )

    def correlate(self, jobs):
        """Fill the correlations and gaps of (track, step) pairs by one product."""
        width = self.n_targets
        rows = np.empty((self.design.n_rows, width * len(jobs)))
        for k, (track, i) in enumerate(jobs):
            holder = track if i is None else track.steps[i]
            rows[:, k * width : (k + 1) * width] = track.sample.apply_weights(
                holder.residual
            )
        products = self._multiply(jobs, rows)
        for k, (track, i) in enumerate(jobs):
            block = slice(k * width, (k + 1) * width)
            holder = track if i is None else track.steps[i]
            holder.correlations = track.sample.correlate(
                rows[:, block], products[:, block]
            )
            if self.rounded is not None:
                self._correlate_set(track, holder, rows[:, block])
            holder.gap = self.compute_gap(
                track,
                i or 0,
                holder.coef,
                holder.correlations,
                float((rows[:, block] * holder.residual).sum()),
                float((rows[:, block] * track.sample.y).sum()),
            )
            holder.residual = None

    def _correlate_set(self, track, holder, rows):
        """Replace what was rounded for the columns of the working set."""
        working_set = track.working_set
        columns = working_set.columns
        holder.n_exact = len(columns)
        if holder.gradient is not None and self.settings.tol >= MIN_TOL_ON_GRAM:
            holder.correlations[columns] = -holder.gradient.T
        else:
            products = working_set.t_dot(rows)
            if track.sample.x_mean is not None:
                means = track.sample.x_mean[columns, None]
                products -= means * rows.sum(axis=0)
            holder.correlations[columns] = products
        holder.gradient = None

    def _multiply(self, jobs, rows):
        """X.T @ rows; rounded for columns that do not matter to the jobs.

        rows : (n_rows, n_jobs * n_targets), weighted residuals of the jobs.
        """
        if self.rounded is None:
            return self.design.t_dot(rows)
        products, errors = self.rounded.t_dot(rows)
        width = self.n_targets
        may_matter = np.zeros(self.design.n_columns, dtype=bool)
        for k, (track, i) in enumerate(jobs):
            block = slice(k * width, (k + 1) * width)
            correlations = track.sample.correlate(rows[:, block], products[:, block])
            error = self.rounded.norms * np.sqrt((errors[block] ** 2).sum())
            threshold = track.penalties[i or 0].l1 * self.settings.factors
            matters = row_norms(correlations) + error >= threshold
            matters[track.working_set.columns] = False
            may_matter |= matters
        columns = np.flatnonzero(may_matter)
        products[columns] = self.design.take_columns(columns).t_dot(rows)
        return products

    def _check_on_gram(self, track, i):
        step = track.steps[i]
        xty = track.sample.xty.T
        # With g = Gw - X'y: |y - Xw|**2 = y'y - w'X'y + w'g.
        dot_y = track.sample.y_norm2 - float((step.coef * xty).sum())
        norm2 = dot_y - float((step.coef * step.correlations.T).sum())
        step.gap = self.compute_gap(
            track, i, step.coef, step.correlations, max(norm2, 0.0), dot_y
        )

    def compute_gap(self, track, i, coef, correlations, norm2, dot_y):
        """The duality gap of coefficients (n_targets, n_set) at a step."""
        penalty = track.penalties[i]
        full = np.zeros((self.design.n_columns, self.n_targets))
        full[track.working_set.columns] = coef.T
        return compute_gap(
            penalty.l1,
            penalty.l2,
            self.settings.factors,
            full,
            correlations,
            norm2,
            dot_y,
            self.settings.box,
        )
