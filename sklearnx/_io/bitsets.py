"""Sets of codes as bits of 32-bit words, the lowest first, as libraries have them."""

import numpy as np


def write_bitset(codes, n_codes):
    """Return the words of a set of codes that are smaller than `n_codes`."""
    codes = np.asarray(codes, dtype=np.int64)
    words = np.zeros((n_codes + 31) // 32, dtype=np.uint32)
    np.bitwise_or.at(words, codes // 32, np.uint32(1) << (codes % 32).astype("u4"))
    return words


def read_bitset(words, n_codes=None, start=0):
    """Return the codes of a set, in ascending order.

    Parameters
    ----------
    words : integer array
        Those of the set begin at `start`.
    n_codes : int or None, default=None
        All codes are smaller; None means as many as there are bits.
    start : int, default=0
    """
    stop = None if n_codes is None else start + (n_codes + 31) // 32
    words = np.asarray(words[start:stop]).astype("<u4")
    bits = np.unpackbits(words.view(np.uint8), bitorder="little")
    return np.flatnonzero(bits[:n_codes])
