"""Predictions that stop at the trees by which the class of a row is clear.

After some iterations a row whose best class leads by more than a margin is left with
the score that it has: further trees would hardly make another class of it (LightGBM
calls it prediction early stopping; Cambazoglu et al., "Early exit optimizations for
additive machine learned ranking systems", WSDM 2010). What a row gets depends on no
other row.
"""

import numpy as np

# How often rows are looked at, as in LightGBM.
ITERATIONS_AT_A_TIME = 10
# Rows that go on are copied next to each other once so few of those before are left.
SHARE_LEFT = 0.5


def predict_until_clear(model, X, margin, n_iter, offset=None, n_threads=1):
    """Return raw scores, of some iterations only for rows whose class is clear.

    Parameters
    ----------
    model : BoostedTrees
        One that adds up trees.
    X : array or CSR matrix of shape (n_rows, n_features)
        float32 or float64, C order.
    margin : float
        A row is clear if its score (of several classes the largest less the second) is
        further from zero.
    n_iter : int
        The most iterations.
    offset : float64 array of shape (n_outputs, n_rows) or None, default=None
    n_threads : int, default=1

    Returns
    -------
    raw : float64 array of shape (n_outputs, n_rows)
    """
    raw = model.make_raw(X.shape[0], offset)
    rows = np.arange(X.shape[0])
    scores = raw.copy()
    is_open = np.ones(len(rows), dtype=bool)
    for start in range(0, n_iter, ITERATIONS_AT_A_TIME):
        stop = min(start + ITERATIONS_AT_A_TIME, n_iter)
        model.add_iterations(X, scores, start, stop, n_threads)
        raw[:, rows[is_open]] = scores[:, is_open]
        is_open &= find_margins(scores) <= margin
        n_open = np.count_nonzero(is_open)
        if n_open == 0:
            break
        if n_open <= SHARE_LEFT * len(rows):
            X, rows = X[is_open], rows[is_open]
            scores = np.ascontiguousarray(scores[:, is_open])
            is_open = np.ones(n_open, dtype=bool)
    return raw


def find_margins(raw):
    """Return by how much the best class of each row leads, of shape (n_rows,)."""
    if len(raw) == 1:
        return np.abs(raw[0])
    best = np.partition(raw, len(raw) - 2, axis=0)
    return best[-1] - best[-2]
