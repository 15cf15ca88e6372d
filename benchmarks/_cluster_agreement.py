"""Whether two fitted clusterers have found the same.

A function takes the data and both models, ours first, and returns a number, to be
shown, and whether it will do.
"""

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.extmath import row_norms

N_ROWS_AT_A_TIME = 10_000
INERTIA_TOLERANCE, BOUND_TOLERANCE = 1e-6, 1e-6
MIN_ARI = 0.999


def compute_inertia(X, centers):
    """Sum of squared distances to the nearest centre, in double."""
    centers = np.asarray(centers, dtype=np.float64)
    halves = row_norms(centers, squared=True) / 2
    total = 0.0
    for start in range(0, X.shape[0], N_ROWS_AT_A_TIME):
        rows = X[start : start + N_ROWS_AT_A_TIME].astype(np.float64)
        least = np.min(halves - rows @ centers.T, axis=1)
        total += float(row_norms(rows, squared=True).sum() + 2 * least.sum())
    return total


def compare_inertia(data, own, peer, tolerance=INERTIA_TOLERANCE, is_same=True):
    """Our inertia less the peer's, over the peer's.

    is_same : whether less is as wrong as more.
    """
    values = [compute_inertia(data.X, model.cluster_centers_) for model in (own, peer)]
    excess = values[0] / values[1] - 1.0
    is_fine = (abs(excess) if is_same else excess) <= tolerance
    return f"inertia {excess:+.0e}", is_fine


def compare_labels(data, own, peer, min_ari=MIN_ARI):
    """Adjusted Rand index of the labels of both."""
    ari = adjusted_rand_score(peer.labels_, own.labels_)
    return f"ARI {ari:.6f}", ari >= min_ari


def compare_bound(data, own, peer):
    """The peer's mean log-likelihood less ours, over the peer's."""
    values = [model.score(data.X) for model in (own, peer)]
    loss = (values[1] - values[0]) / abs(values[1])
    return f"log-likelihood {-loss:+.0e}", loss <= BOUND_TOLERANCE


def compare_nothing(data, own, peer):
    """Of peers that solve another problem."""
    return "-", True
