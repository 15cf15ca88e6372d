"""Tracks: a sample, the penalties it is solved for, and the solutions so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sklearnx._glm.duality import row_norms
from sklearnx._glm.penalties import ElasticNet
from sklearnx._glm.samples import Sample
from sklearnx._glm.working_set import WorkingSet


@dataclass
class Step:
    """The solution for one penalty.

    Attributes
    ----------
    coef : ndarray of shape (n_targets, n_set)
        Of the columns of the working set, as of now.
    gap : float
        Duality gap.
    n_iter : int
        Sweeps of coordinate descent.
    has_converged : bool
    correlations, residual, n_exact
        As those of a track.
    gradient : ndarray of shape (n_targets, n_set) or None
        By which the solution was found, until its correlations are known.
    """

    coef: np.ndarray
    gap: float = np.inf
    n_iter: int = 0
    has_converged: bool = False
    correlations: np.ndarray | None = None
    residual: np.ndarray | None = None
    n_exact: int = 0
    gradient: np.ndarray | None = None


@dataclass(eq=False)
class Track:
    """A sample and what it is solved for.

    Attributes
    ----------
    sample : Sample
    penalties : list of ElasticNet
        Each times the total weight, from strong to weak.
    working_set : WorkingSet
        The columns that are worked on.
    steps : list of Step
        Solved so far.
    correlations : ndarray of shape (n_columns, n_targets)
        Of the residual at `coef`, with all columns.
    coef : ndarray of shape (n_targets, n_set)
        Where the next step starts.
    previous : tuple of (l1, correlations) or None
        Of the step before that.
    residual : ndarray of shape (n_rows, n_targets)
        At `coef`.
    n_exact : int
        How many of the set's first columns have correlations that are not rounded.
    gradient : None
        See `Step`.
    gap : float
        Duality gap at the starting point of the first step.
    sharpness : float
        Factor of the violation to stop at.
    n_refined : int
        How often it was made smaller.
    tolerated : float
        A violation that needs no attention yet, since there are larger ones outside of
        the set.
    is_exhausted : bool
        Whether the last set took all sweeps that it may.
    n_needed : int
        Columns of the last set, and, if most of it is not zero, those outside of it
        that violate the conditions.
    is_tried : bool
        Whether sweeps over all columns were tried.
    is_slow : bool
        Whether sweeps over the columns of a set took too many.
    """

    sample: Sample
    penalties: list
    working_set: WorkingSet | None = None
    steps: list = field(default_factory=list)
    correlations: np.ndarray | None = None
    coef: np.ndarray | None = None
    previous: tuple | None = None
    residual: np.ndarray | None = None
    n_exact: int = 0
    gradient: np.ndarray | None = None
    gap: float = np.inf
    sharpness: float = 1.0
    n_refined: int = 0
    tolerated: float = 0.0
    is_exhausted: bool = False
    n_needed: int = 0
    is_tried: bool = False
    is_slow: bool = False

    def count_violators(self, factors):
        """How many columns violate the first penalty's conditions at zero."""
        thresholds = self.penalties[0].l1 * factors
        return int((row_norms(self.sample.xty) > thresholds).sum())


@dataclass(frozen=True)
class Settings:
    """How to solve.

    Attributes
    ----------
    tol : float
        The duality gap to stop at, as a share of the targets' sum of squares.
    max_iter : int
        Sweeps over each working set of a step.
    factors : ndarray of shape (n_columns,)
        Of the penalty of each column.
    box : tuple of ndarray of shape (n_columns,) or None
        Bounds (lower, upper); only of one target.
    is_whole : bool
        Whether to work on all columns from the start.
    n_threads : int
    sharpness : float
        Violations to stop at, as a share of those that leave a gap of `tol` however
        large coefficients are. Below one, the objective is closer to its minimum than
        the gap says.
    gap_share : float
        Share of `tol` that the gap may be as well, which weak penalties reach by larger
        violations.
    """

    tol: float
    max_iter: int
    factors: np.ndarray
    box: tuple | None = None
    is_whole: bool = False
    n_threads: int = 1
    sharpness: float = 0.1
    gap_share: float = 0.01

    def find_box(self, columns):
        """The lower and upper bounds of some columns."""
        if self.box is None:
            n = len(columns)
            return np.full(n, -np.inf), np.full(n, np.inf)
        return tuple(bound[columns] for bound in self.box)


def make_penalties(alphas, l1_ratio, total):
    """The penalties of the estimators' parameters, times the total weight."""
    return [
        ElasticNet(total * alpha * l1_ratio, total * alpha * (1.0 - l1_ratio))
        for alpha in alphas
    ]


def compute_alpha_max(correlations, factors, positive):
    """The smallest l1 at which all penalised coefficients are zero."""
    penalised = factors > 0.0
    sizes = correlations[:, 0] if positive else row_norms(correlations)
    ratios = sizes[penalised] / factors[penalised]
    return max(0.0, float(np.max(ratios, initial=0.0)))


def spread(track, i, n_columns):
    """The coefficients (n_targets, n_columns) of a step."""
    coef = track.steps[i].coef
    full = np.zeros((len(coef), n_columns))
    full[:, track.working_set.columns] = coef
    return full
