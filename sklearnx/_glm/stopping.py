"""When coordinate descent stops: at violations of the optimality conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Sweeps over fewer columns cost so little that they go on beyond the gap.
MIN_LOOSE = 128


@dataclass(frozen=True)
class Stop:
    """Violations to stop at.

    Attributes
    ----------
    tol : float
    loose_tol, gap : float
        Violations up to `loose_tol` will do if they are below gap / (4 sum_j |w_j|), as
        `stopping.h` derives.
    """

    tol: float
    loose_tol: float = 0.0
    gap: float = 0.0


def find_stop(settings, sample, penalty, n_columns, sharpness=1.0, tolerated=0.0):
    """The violations to stop at, so that the duality gap is below the tolerance.

    A violation of v leaves a gap of about 2 v |w|, and l1 |w| is at most half of the
    targets' sum of squares.

    Parameters
    ----------
    settings : Settings
    sample : Sample
    penalty : ElasticNet
    n_columns : int
        That are swept over.
    sharpness : float
        Times those of the settings.
    tolerated : float
        A violation that will do in any case.

    Returns
    -------
    stop : Stop
    """
    largest = penalty.l1
    if not largest > 0.0:
        largest = float(np.max(np.abs(sample.xty), initial=0.0))
    tol = sharpness * settings.sharpness * settings.tol * largest
    gap = 0.0
    if n_columns >= MIN_LOOSE:
        gap = sharpness * settings.gap_share * settings.tol
    return Stop(max(tol, tolerated), np.sqrt(gap) * penalty.l1, gap * sample.y_norm2)
