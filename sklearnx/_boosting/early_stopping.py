"""When to stop, and which rows judge it."""

import numbers

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import resample

# Scorers see that many training rows at most.
MAX_SCORED_ROWS = 10_000


def should_stop(scores, n_iter_no_change, tol):
    """Whether none of the last scores is better than the one before them.

    Parameters
    ----------
    scores : list of float
        Larger is better; the first is that of the model without trees.
    n_iter_no_change : int
    tol : float
        By how much a score must be larger to be better.
    """
    if len(scores) <= n_iter_no_change:
        return False
    reference = scores[-n_iter_no_change - 1] + tol
    return not any(score > reference for score in scores[-n_iter_no_change:])


def find_best_iteration(scores, n_iter):
    """Return after how many iterations the score was best, the fewest of them.

    Parameters
    ----------
    scores : list of float
        Larger is better; the last is that after `n_iter` iterations. Those that are
        NaN are never best; without any other the answer is `n_iter`.
    n_iter : int
    """
    scores = np.asarray(scores, dtype=np.float64)
    if np.isnan(scores).all():
        return n_iter
    return int(n_iter + 1 - len(scores) + np.nanargmax(scores))


def split_rows(X, y, groups, *, validation_fraction, stratify, seed):
    """Choose the rows that judge when to stop.

    Parameters
    ----------
    X, y : array-like
        What the user passed to fit, and a splitter gets.
    groups : array-like of shape (n_rows,) or None
        What a splitter gets as groups.
    validation_fraction : float, int or splitter
        A share or a number of rows, drawn at random; of a splitter, which has a method
        ``split(X, y, groups)``, the last split is used (of TimeSeriesSplit, it has the
        most training rows).
    stratify : bool
        Whether random rows keep the shares of the classes.
    seed : int

    Returns
    -------
    train, validation : int64 arrays
        Rows in ascending order.
    """
    n_rows = len(y)
    if isinstance(validation_fraction, numbers.Real):
        train, validation = train_test_split(
            np.arange(n_rows),
            test_size=validation_fraction,
            stratify=y if stratify else None,
            random_state=seed,
        )
    elif isinstance(validation_fraction, str):
        # It has a method `split`, too.
        raise ValueError(
            "The 'validation_fraction' parameter must be a share, a number of rows or "
            f"a splitter, got {validation_fraction!r}."
        )
    else:
        train = None
        for split in validation_fraction.split(X, y, groups):
            train, validation = split
        if train is None:
            raise ValueError(
                "validation_fraction is a splitter that yields no split of "
                f"{n_rows} rows."
            )
        if len(train) == 0 or len(validation) == 0:
            raise ValueError(
                "The last split of the splitter given as validation_fraction has "
                f"{len(train)} training and {len(validation)} validation rows; both "
                "must have some."
            )
    return np.sort(train), np.sort(validation)


def choose_scored_rows(y, *, stratify, seed):
    """Choose the training rows that a scorer sees; None means all."""
    if len(y) <= MAX_SCORED_ROWS:
        return None
    return np.sort(
        resample(
            np.arange(len(y)),
            n_samples=MAX_SCORED_ROWS,
            replace=False,
            random_state=seed,
            stratify=y if stratify else None,
        )
    )
