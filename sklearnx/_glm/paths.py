"""Elastic nets along paths of penalties, many samples in lockstep.

A track is one sample with a list of penalties, from strong to weak, and a working set
of columns. All tracks take the same steps at the same time:

    chunk of steps -> columns that may matter join each track's working set
                   -> a thread a track solves the steps on its set (`set_descent`)
                   -> one product X.T @ residuals of all tracks and steps checks all
                      columns
                   -> violators join, and the steps that they spoilt are solved again

so that X is read a few times however many tracks and steps there are. A single fit is a
track of one step; if its set grows large, sweeps over all columns that matter
(`column_descent`) are tried first. Where sets hold all columns they are one, nothing
has to be checked, and X is not read at all.

The checks make this exact, as those of the strong rules (R. Tibshirani et al., "Strong
rules for discarding predictors in lasso-type problems", JRSS B 74 (2012), section 7);
the working sets are those of M. Massias, A. Gramfort and J. Salmon, "Celer: a fast
solver for the lasso with dual extrapolation", ICML 2018.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sklearnx._cached_property import cached_property
from sklearnx._glm.column_descent import N_SWEEPS, ColumnDescent, needs_little
from sklearnx._glm.column_store import gather_columns
from sklearnx._glm.design import make_design
from sklearnx._glm.duality import row_norms
from sklearnx._glm.fold_sets import FoldSet
from sklearnx._glm.set_descent import GramDescent, SweepDescent
from sklearnx._glm.stopping import find_stop
from sklearnx._glm.track_checks import TrackChecks
from sklearnx._glm.tracks import Step
from sklearnx._glm.working_set import WorkingSet, as_slice

# Largest working set whose Gram matrix is kept: 800 MB.
MAX_SET = 10_000

# Right-hand sides of one product that checks all columns. While sets are small, solving
# steps again costs less than another product.
N_CHECKED_OF_SMALL, N_CHECKED = 30, 16

# Largest set that is small.
MAX_SMALL = 128

# Fewest columns that join at a time.
MIN_BATCH = 64

# By what share of the threshold columns that join with violators may be below it.
CLOSE = 0.02

# Columns whose correlation is below this share of the threshold leave the set of a
# single fit when others join.
MIN_SHARE_TO_STAY = 0.8

# How much of the objective columns left out may take, as a share of the tolerance.
SLACK_OF_REST = 1e-5

# Sets of single fits from here on are dear, and sweeps over columns are tried: a Gram
# matrix is cheap of few columns, and of those that are few beside the numbers of a
# column, as a share of these, or beside all columns, as a multiple of their square
# root.
MIN_DEAR, MAX_DEAR = 128, 512
DEAR_SHARE, DEAR_FACTOR = 0.25, 8

# Sets of paths over sparse tables likewise, as a multiple of the numbers of a column.
N_STORED_PER_SWEPT = 8

# Sweeps after which a trial may be given up, and the most, as a multiple of those that
# one working set may take.
N_TRIED, MAX_TRIED = 100, 2

# So many numbers of columns may join sweeps at any time.
N_SWEPT = 1 << 20

# How many times the sweeps of one working set a step may take in all.
MAX_EXHAUSTED = 10

# How often a step is solved again with a smaller violation before it is given up.
N_REFINEMENTS = 12


class PathSolver:
    """Solves tracks of one table.

    Parameters
    ----------
    design : DenseDesign or SparseDesign
    tracks : list of Track
    settings : Settings
    known : WorkingSet or None, default=None
        Of all columns, if their Gram matrix is known; all tracks have its weights.
    coefs : list of ndarray of shape (n_targets, n_columns) or None, default=None
        Where each track starts; zeros by default.
    whole : Sample or None, default=None
        The sample whose rows were held out to make those of the tracks.
    rounded : RoundedColumns or None, default=None
        Of the design, to check all columns by.
    """

    def __init__(
        self,
        design,
        tracks,
        settings,
        known=None,
        coefs=None,
        whole=None,
        rounded=None,
    ):
        self.design = design
        self.tracks = tracks
        self.settings = settings
        self.n_targets = tracks[0].sample.y.shape[1]
        self.is_single = len(tracks[0].penalties) == 1
        self.is_too_large = design.n_columns > MAX_SET and self._needs_all()
        self.is_whole = known is not None or (
            self._needs_all() and not self.is_too_large
        )
        self.checks = TrackChecks(
            design, settings, self.n_targets, self.is_whole, rounded
        )
        self._gathered = None
        if not (self.is_whole or design.is_sparse):
            self._gathered = gather_columns(design, len(tracks))
        self._whole_sets = {}
        for i, track in enumerate(tracks):
            coef = None if coefs is None else coefs[i]
            track.working_set = known or self._start_set(track, coef, whole)
            self._start(track, coef)

    def solve(self):
        """Solve all steps; the tracks hold the results."""
        n_steps = len(self.tracks[0].penalties)
        start = 0
        while start < n_steps and not self.is_too_large:
            stop = min(start + self._choose_length(n_steps), n_steps)
            self._solve_chunk(start, stop)
            start = stop
        for track in self.tracks if self.is_too_large else []:
            for i in range(len(track.steps), n_steps):
                self._solve_on_columns(track, i)
                track.steps[i].correlations = None

    def _choose_length(self, n_steps):
        """How many steps to solve before a product checks them."""
        if self.checks.is_on_gram:
            return max(1, n_steps)
        n_checked = N_CHECKED_OF_SMALL if self._has_small_sets() else N_CHECKED
        return max(1, n_checked // (len(self.tracks) * self.n_targets))

    def _has_small_sets(self):
        return all(len(t.working_set.columns) <= MAX_SMALL for t in self.tracks)

    @cached_property
    def n_stored(self):
        """Numbers of a column of the table, on average."""
        if not self.design.is_sparse:
            return self.design.n_rows
        return self.design.X.nnz / self.design.n_columns

    # -- working sets

    def _needs_all(self):
        """Whether the sets have to hold all columns."""
        is_unbounded = any(
            penalty.l1 == 0.0 for track in self.tracks for penalty in track.penalties
        )
        return self.settings.is_whole or is_unbounded

    def _start_set(self, track, coef, whole):
        """The working set that a track starts with."""
        if not self.is_whole:
            columns = self._find_needed(coef)
            return WorkingSet(
                self.design, track.sample, columns, gathered=self._gathered
            )
        if whole is not None and track.sample.held_out is not None:
            return FoldSet(self.find_whole_set(whole), track.sample)
        return self.find_whole_set(track.sample)

    def find_whole_set(self, sample):
        """All columns, in one set for all samples of the same weights."""
        key = id(sample.weights)
        if key not in self._whole_sets:
            columns = np.arange(self.design.n_columns)
            self._whole_sets[key] = WorkingSet(self.design, sample, columns)
        return self._whole_sets[key]

    def _find_needed(self, coef):
        """The columns that have to be in a set whatever the residual."""
        is_needed = self.settings.factors == 0.0
        if self.settings.box is not None:
            lower, upper = self.settings.box
            is_needed |= (lower > 0.0) | (upper < 0.0)
        if coef is not None:
            is_needed |= coef.any(axis=0)
        return np.flatnonzero(is_needed)

    def _start(self, track, coef):
        columns = track.working_set.columns
        track.coef = np.zeros((self.n_targets, len(columns)))
        if coef is not None:
            track.coef[:] = coef[:, columns]
        if self.settings.box is not None:
            lower, upper = (bound[columns] for bound in self.settings.box)
            track.coef[0] = np.clip(track.coef[0], lower, upper)
        if track.coef.any():
            self.checks.check([(track, None)])
            return
        track.correlations = track.sample.xty
        track.n_exact = self.design.n_columns
        norm2 = track.sample.y_norm2
        if track.penalties:
            track.gap = self.checks.compute_gap(
                track, 0, track.coef, track.correlations, norm2, norm2
            )

    def _batch_size(self, coef):
        """How many columns join at a time: those whose Gram costs about one check.

        A check is bound by memory, at about a sixteenth of the speed of products that
        are not. As many as there are of non-zeros make sets grow in a few rounds.
        """
        n_non_zero = int(np.count_nonzero(coef.any(axis=0)))
        return max(MIN_BATCH, int(4 * np.sqrt(self.design.n_columns)), n_non_zero)

    def _excess(self, track, penalty, correlations):
        """By how much each column outside the set exceeds its threshold."""
        if self.settings.box is None:
            sizes = row_norms(correlations)
        else:
            lower, upper = self.settings.box
            signed = correlations[:, 0]
            sizes = np.where(signed > 0.0, upper > 0.0, lower < 0.0) * np.abs(signed)
        excess = sizes - penalty.l1 * self.settings.factors
        excess[track.working_set.contains()] = -np.inf
        return excess

    def _predict(self, track, l1):
        """Correlations at a smaller l1, on the line through the last two known."""
        if track.previous is None:
            return track.correlations
        l1_before, before = track.previous
        l1_now = track.penalties[len(track.steps) - 1].l1
        if not l1_before > l1_now:
            return track.correlations
        share = (l1_now - l1) / (l1_before - l1_now)
        return track.correlations + share * (track.correlations - before)

    def _admit_candidates(self, track, stop):
        """Let the columns join that will violate the steps to stop - 1 as things go.

        Columns that are not needed leave when they are many.
        """
        if self.is_whole:
            return
        last = track.penalties[stop - 1]
        excess = self._excess(track, last, self._predict(track, last.l1))
        columns = track.working_set.columns
        is_used = track.coef.any(axis=0)
        kept = None
        if track.steps and len(columns) > 2 * is_used.sum() + 2 * MIN_BATCH:
            sizes = row_norms(track.correlations[columns])
            kept = is_used | (sizes > last.l1 * self.settings.factors[columns])
        scores = excess + CLOSE * last.l1 if len(track.penalties) > 1 else excess
        self._admit(track, scores, self._batch_size(track.coef), kept)
        self._tolerate(track, last, excess)

    def _admit(self, track, scores, limit, kept=None):
        """Let the columns of the highest positive scores join; ties go to the first.

        kept : mask of the set's columns that stay, None for all.
        """
        candidates = np.flatnonzero(scores > 0.0)
        if len(candidates) > limit:
            order = np.argsort(-scores[candidates], kind="stable")
            candidates = np.sort(candidates[order[:limit]])
        if kept is None:
            kept = np.ones(len(track.working_set.columns), dtype=bool)
        else:
            # No earlier step may lose a column that it needs.
            for step in track.steps:
                kept |= step.coef.any(axis=0)
        if len(candidates) == 0 and kept.all():
            return
        kept = np.flatnonzero(kept)
        track.working_set.change(kept, candidates)
        for holder in (track, *track.steps):
            moved = np.zeros((len(holder.coef), len(track.working_set.columns)))
            moved[:, : len(kept)] = holder.coef[:, kept]
            holder.coef = moved
            if holder.n_exact < self.design.n_columns:
                holder.n_exact = int(np.searchsorted(kept, holder.n_exact))

    def _find_kept(self, track):
        """The set's columns that are not zero in a single step, or not far from it."""
        columns = track.working_set.columns
        step, penalty = track.steps[0], track.penalties[0]
        threshold = penalty.l1 * self.settings.factors[columns]
        sizes = row_norms(step.correlations[columns])
        return step.coef.any(axis=0) | (sizes > MIN_SHARE_TO_STAY * threshold)

    # -- solving

    def _solve_chunk(self, start, stop):
        pending = []
        for track in self.tracks:
            track.sharpness, track.n_refined, track.tolerated = 1.0, 0, 0.0
            if stop == 1 and self._accept_start(track):
                continue
            self._admit_candidates(track, stop)
            pending.append((track, start))
        while pending:
            largest = max(len(track.working_set.columns) for track, _ in pending)
            if largest > MAX_SET and not self.is_whole:
                self._give_up_grams(start)
                return
            self._descend_all(pending, stop)
            self.checks.check(
                [(track, i) for track, first in pending for i in range(first, stop)]
            )
            pending = self._find_unsolved(pending, stop)
            if self.is_single:
                pending = [job for job in pending if not self._try_columns(*job)]
        for track in self.tracks:
            step, before = track.steps[stop - 1], max(stop - 2, 0)
            track.previous = (
                track.penalties[before].l1,
                track.steps[before].correlations,
            )
            track.coef, track.correlations = step.coef.copy(), step.correlations
            track.n_exact = step.n_exact
            # The last two are where the next chunk starts from.
            for other in track.steps[: stop - 2]:
                other.correlations = None

    def _try_columns(self, track, i):
        """If a track's set is dear, solve its step by sweeps; whether that is done."""
        if self.is_whole or track.is_tried or track.n_needed < self._find_dear():
            return False
        track.is_tried = True
        if not (track.sample.is_centred and needs_little(self.design)):
            return False
        self.checks.rounded = None  # of sets
        if self._solve_on_columns(track, i, is_trial=True):
            return True
        self._narrow(track)
        return False

    def _find_dear(self):
        """The size from which on a set's Gram matrix costs more than a few sweeps.

        Before these, a dense table is read a few times.
        """
        least = MIN_DEAR
        if not self.design.is_sparse:
            least = max(least, DEAR_FACTOR * np.sqrt(self.design.n_columns))
        return max(least, min(MAX_DEAR, DEAR_SHARE * self.n_stored))

    def _give_up_grams(self, start):
        """Leave the steps from `start` on to descent on the columns."""
        self.is_too_large = True
        self.checks.rounded = None  # of sets
        for track in self.tracks:
            del track.steps[start:]

    def _solve_on_columns(self, track, i, is_trial=False):
        """Solve a step of a track without a Gram matrix; whether that is done.

        A trial is given up when sweeps get nowhere, and few columns are not zero.
        """
        settings, penalty = self.settings, track.penalties[i]
        self._widen(track)
        if i == len(track.steps):
            track.steps.append(Step(track.coef.copy(), correlations=track.correlations))
            self.checks.check([(track, i)])
        step = track.steps[i]
        limit = settings.tol * track.sample.y_norm2
        sharpness, gaps = 1.0, [step.gap]
        n_tried, n_most = 0, MAX_TRIED * settings.max_iter
        self.checks.find_residuals([(track, step)])
        while step.gap > settings.gap_share * limit and n_tried < n_most:
            n_sweeps = track.working_set.descent.descend(
                penalty,
                step.coef,
                step.correlations,
                step.residual,
                find_stop(
                    settings, track.sample, penalty, step.coef.shape[1], sharpness
                ),
                n_most - n_tried,
                max(self._batch_size(step.coef), N_SWEPT // self.design.n_rows),
            )
            n_tried += max(1, n_sweeps)
            step.n_iter += n_sweeps
            self.checks.find_residuals([(track, step)])
            residual = step.residual
            self.checks.correlate([(track, i)])
            step.residual = residual
            gaps.append(step.gap)
            if n_sweeps < N_SWEEPS and gaps[-1] > 0.5 * gaps[-2]:
                sharpness *= 0.3
            is_slow = len(gaps) > 2 and min(gaps[-2:]) > 0.5 * min(gaps[:-2])
            if is_trial and is_slow and n_tried >= N_TRIED and self._can_narrow(step):
                break
        step.residual = None
        step.has_converged = step.gap <= limit
        track.coef, track.correlations = step.coef.copy(), step.correlations
        return step.has_converged or not (is_trial and self._can_narrow(step))

    def _can_narrow(self, step):
        """Whether the Gram matrix of the non-zeros makes for cheaper sweeps."""
        n_non_zero = np.count_nonzero(step.coef.any(axis=0))
        return n_non_zero * min(2, self.n_targets) <= self.design.n_rows

    def _widen(self, track):
        """Put all columns in the place of a track's working set."""
        if isinstance(track.working_set, _AllColumns):
            return
        for holder in (track, *track.steps):
            wide = np.zeros((self.n_targets, self.design.n_columns))
            wide[:, track.working_set.columns] = holder.coef
            holder.coef = wide
        descent = ColumnDescent(self.design, track.sample, self.settings)
        track.working_set = _AllColumns(self.design, descent)

    def _narrow(self, track):
        """Put a working set of the columns that are not zero in the place of all."""
        columns = self._find_needed(track.coef)
        track.working_set = WorkingSet(
            self.design, track.sample, columns, gathered=self._gathered
        )
        for holder in (track, *track.steps):
            holder.coef = holder.coef[:, columns]

    def _accept_start(self, track):
        """Take the starting point for the first step if it is as good as a solution."""
        tol = self.settings.sharpness * self.settings.tol
        if not track.gap <= tol * track.sample.y_norm2:
            return False
        step = Step(track.coef.copy(), track.gap, 0, True, track.correlations)
        track.steps.append(step)
        return True

    def _descend_all(self, pending, stop):
        """Solve the steps up to stop - 1 of tracks, each from its first, side by side.

        A thread has a track, first for the products that its set needs, which is the
        shorter part, so that threads end at about the same time.
        """
        n_workers = min(self.settings.n_threads, len(pending))
        if n_workers == 1 or self.is_whole or self._has_small_sets():
            # Products of so many columns, or so few, are better off with all threads.
            for track, _ in pending:
                if not self._prefers_sweeps(track):
                    track.working_set.gram()
            if n_workers == 1 or self._has_small_sets():
                for track, first in pending:
                    self._descend(track, first, stop)
                return
        with ThreadPoolExecutor(n_workers) as pool:
            grams = {
                track.working_set: pool.submit(track.working_set.gram, 1)
                for track, _ in pending
                if not self._prefers_sweeps(track)
            }

            def descend(track, first):
                if track.working_set in grams:
                    grams[track.working_set].result()
                self._descend(track, first, stop)

            jobs = [pool.submit(descend, track, first) for track, first in pending]
            for job in jobs:
                job.result()

    def _descend(self, track, first, stop):
        """Solve steps first to stop - 1 of a track on its working set."""
        n_before = 0
        start = track
        if first < len(track.steps):
            start = track.steps[first]
            n_before = start.n_iter
        descent, points = self._start_descent(track, start, first)
        del track.steps[first:]
        for i in range(first, stop):
            penalty = track.penalties[i]
            if len(points) == 2:
                descent.extrapolate(points, track.penalties[i - 2 : i + 1])
            stop_at = find_stop(
                self.settings,
                track.sample,
                penalty,
                descent.coef.shape[1],
                track.sharpness,
                track.tolerated,
            )
            n_iter = descent.minimize(penalty, stop_at, self.settings.max_iter)
            track.is_exhausted = n_iter >= self.settings.max_iter
            if descent.is_slow:
                descent, points = descent.change_to_gram(), []
                n_more = descent.minimize(penalty, stop_at, self.settings.max_iter)
                track.is_exhausted = n_more >= self.settings.max_iter
                track.is_slow = True
                n_iter += n_more
            step = Step(descent.coef.copy(), n_iter=n_before + n_iter)
            points = [*points[-1:], (step.coef, descent.state.copy())]
            if isinstance(descent, GramDescent):
                step.gradient = points[-1][1]
                if self.checks.is_on_gram:
                    step.correlations = -step.gradient.T
            track.steps.append(step)
            n_before = 0

    def _start_descent(self, track, start, first):
        """Descent from a step or starting point on, and the two solutions before it."""
        working_set, coef = track.working_set, start.coef.copy()
        if self._prefers_sweeps(track):
            self.checks.find_residuals([(track, start)])
            residual, start.residual = start.residual, None
            return SweepDescent(self.settings, working_set, coef, residual), []
        gram = working_set.gram()
        gradient = self._find_gradient(track, start, gram)
        points = [
            (step.coef, self._find_gradient(track, step, gram))
            for step in track.steps[max(first - 2, 0) : first]
        ]
        return GramDescent(self.settings, working_set, coef, gradient), points

    def _prefers_sweeps(self, track):
        """Whether sweeps over the columns of a path's set are cheaper than its Gram."""
        if self.is_single or track.is_slow or not track.sample.is_centred:
            return False
        if track.working_set.is_whole:
            return False
        least = max(MAX_DEAR, 2 * self.design.n_rows)
        if self.design.is_sparse:
            least = max(MIN_DEAR, N_STORED_PER_SWEPT * self.n_stored)
        return len(track.working_set.columns) >= least

    def _find_gradient(self, track, holder, gram):
        """That of the set's columns (n_targets, n_set) at a step or starting point."""
        columns, n = track.working_set.columns, holder.n_exact
        gradient = -np.ascontiguousarray(holder.correlations[columns].T)
        if n < len(columns) and self.checks.rounded is not None:
            products = make_design(gram[n:]).dot(holder.coef.T).T
            gradient[:, n:] = products - track.sample.xty[columns[n:]].T
        return gradient

    # -- what is unsolved

    def _find_unsolved(self, pending, stop):
        """Return the tracks with their first step to solve again; let columns join."""
        unsolved = []
        for track, first in pending:
            for i in range(first, stop):
                if not self._is_unsolved(track, i):
                    continue
                unsolved.append((track, i))
                break
        return unsolved

    def _is_unsolved(self, track, i):
        """Whether a step has to be solved again; if so, makes that worth it."""
        step, penalty = track.steps[i], track.penalties[i]
        excess = self._excess(track, penalty, step.correlations)
        step.has_converged = step.gap <= self.settings.tol * track.sample.y_norm2
        if step.has_converged and not self._has_rest(track, excess):
            return False
        if not np.isfinite(step.gap):
            return False
        if step.n_iter >= MAX_EXHAUSTED * self.settings.max_iter:
            return False
        n_violators = int((excess > 0.0).sum())
        track.n_needed = len(track.working_set.columns)
        if 5 * np.count_nonzero(step.coef.any(axis=0)) > 3 * track.n_needed:
            track.n_needed += n_violators
        if n_violators == 0 or (self.is_whole and track.is_exhausted):
            if track.is_exhausted:
                return False
            if track.tolerated > 0.0:
                track.tolerated = 0.0
                return True
            # A smaller violation within the set, until that has been done often enough.
            track.n_refined += 1
            track.sharpness *= 0.1
            return track.n_refined <= N_REFINEMENTS
        # Columns close to their threshold join as well: they may be next.
        kept = self._find_kept(track) if len(track.penalties) == 1 else None
        limit = max(MIN_BATCH, min(4 * n_violators, self._batch_size(step.coef)))
        self._admit(track, excess + CLOSE * penalty.l1, limit, kept)
        self._tolerate(track, penalty, excess)
        return True

    def _tolerate(self, track, penalty, excess):
        """Solve a single step no better than columns still outside of the set allow."""
        if len(track.penalties) == 1:
            outside = excess[~track.working_set.contains()]
            track.tolerated = 0.1 * max(0.0, float(np.max(outside, initial=0.0)))

    def _has_rest(self, track, excess):
        """Whether columns outside the set could lower the objective by what matters."""
        violations = excess[excess > 0.0]
        if len(violations) == 0:
            return False
        if self._prefers_sweeps(track):
            diagonal = track.working_set.squared_norms()
        else:
            diagonal = track.working_set.gram().diagonal()
        curvature = float(diagonal.mean()) if len(diagonal) > 0 else 0.0
        if curvature <= 0.0:
            return True
        # One column alone gains its excess squared over twice its curvature.
        gain = float((violations**2).sum()) / (2 * curvature)
        return gain > SLACK_OF_REST * self.settings.tol * track.sample.y_norm2


class _AllColumns:
    """All columns of a design, in the place of a working set."""

    def __init__(self, design, descent):
        self.columns = np.arange(design.n_columns)
        self.design = design
        self.descent = descent

    def fit_rows(self, coefs, rows=None):
        """X[rows] @ coefs; see `WorkingSet.fit_rows`."""
        table = self.design
        if rows is not None:
            table = table.take_rows(as_slice(rows))
        return table.dot(np.ascontiguousarray(coefs))
