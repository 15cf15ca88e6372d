"""Initial centres by greedy k-means++."""

from __future__ import annotations

import numpy as np

from sklearnx._cython.cluster.seeding import ROWS_PER_SUM


def choose_centers(
    rows, n_clusters, sample_weight=None, random_state=None, n_local_trials=None
):
    """Choose rows that are far from each other as centres.

    The random numbers are drawn and used as scikit-learn does, so that the same state
    leads to the same centres but where rounding decides.

    Parameters
    ----------
    rows : accessor
        As `make_rows` returns it.

    n_clusters : int
        At most the number of rows.

    sample_weight : ndarray of shape (n_rows,), default=None
        Not negative. None for ones.

    random_state : RandomState instance

    n_local_trials : int, default=None
        Candidates of each round but the first; None for 2 + log(n_clusters).

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_columns)
        Of the dtype of the rows.

    indices : ndarray of shape (n_clusters,), dtype int64
        The rows that they are.
    """
    if n_local_trials is None:
        n_local_trials = 2 + int(np.log(n_clusters))
    if sample_weight is None:
        shares = np.ones(rows.n_rows, dtype=rows.dtype)
    else:
        shares = np.asarray(sample_weight, dtype=rows.dtype)
        sample_weight = np.ascontiguousarray(sample_weight, dtype=np.float64)
    first_row = random_state.choice(rows.n_rows, p=shares / shares.sum())

    indices = np.full(n_clusters, -1, dtype=int)
    closest = np.full(rows.n_rows, np.inf)
    limits = rows.make_limits()
    sums = np.zeros(-(-rows.n_rows // ROWS_PER_SUM))
    indices[0] = rows.seed_next(sample_weight, closest, limits, sums, None, first_row)
    for i in range(1, n_clusters):
        shares = random_state.uniform(size=n_local_trials)
        indices[i] = rows.seed_next(sample_weight, closest, limits, sums, shares, -1)
    return rows.to_dense(indices), indices
