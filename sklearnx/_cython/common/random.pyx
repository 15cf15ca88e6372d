"""Counter-based random numbers for Python code (see random.h)."""

import numpy as np

from libc.stdint cimport int64_t, uint64_t

cdef extern from "random.h" nogil:
    uint64_t skx_random(
        uint64_t seed, uint64_t purpose, uint64_t tree, uint64_t node, uint64_t item
    )
    double skx_uniform(uint64_t bits)
    uint64_t SKX_DROPPED_ROUNDS
    uint64_t SKX_DROPS_ANY_ROUND
    uint64_t SKX_ORDER_OF_ROWS

DROPPED_ROUNDS = SKX_DROPPED_ROUNDS
DROPS_ANY_ROUND = SKX_DROPS_ANY_ROUND
ORDER_OF_ROWS = SKX_ORDER_OF_ROWS


def draw_uniform(uint64_t seed, uint64_t purpose, uint64_t tree, int64_t n_items):
    """Return numbers between 0 and 1, a function of their keys and position alone.

    Parameters
    ----------
    seed, purpose, tree : int
        Keys; `purpose` is one of this module's.
    n_items : int

    Returns
    -------
    float64 array of shape (n_items,)
    """
    out = np.empty(n_items)
    cdef:
        double[::1] view = out
        int64_t i
    for i in range(n_items):
        view[i] = skx_uniform(skx_random(seed, purpose, tree, 0, i))
    return out
