"""Levels by hash: how CatBoost knows a category.

    value --- as text, UTF-8 ----------------> CityHash64, the low 32 bits
    hashes of several columns, or 0 and 1 ---> one of 64 bits

A model holds no levels, but these hashes alone.
"""

from decimal import Decimal
from numbers import Integral
from typing import Any

import numpy as np

from sklearnx._boosting.encoding import TableEncoder
from sklearnx._boosting.frames import is_missing

_WORD = (1 << 64) - 1
# Constants of CityHash64, version 1 (G. Pike and J. Alakuijala, 2011).
_K0, _K1 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273
_K2, _K3 = 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
_K_PAIR = 0x9DDFEA08EB382D69
# Of CatBoost, for combinations.
_K_COMBINATION = np.uint64(0x4906BA494954CB65)


class HashEncoder(TableEncoder):
    """A TableEncoder whose categorical columns hold hashes in the place of codes.

    Its tables are for `CatBoostColumns`, not for trees. `levels_` is an empty list for
    each categorical column.
    """

    def _look_up(self, column, found, values, known):
        """Return the hash of each value, and in one more place of a missing one."""
        return hash_levels([*values, None])


def hash_levels(values: list) -> np.ndarray:
    """Return the hashes of levels, int32 of shape (n_values,).

    Numbers without a fraction are hashed as integers: 1, 1.0 and True are one level.
    CatBoost takes no missing level; in its place stands the text that Python's `str`
    makes of NaN.
    """
    texts = [_to_bytes(value) for value in values]
    hashes = np.empty(len(texts), dtype=np.uint64)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        joined = b"".join([texts[row] for row in rows.tolist()])
        characters = np.frombuffer(joined, dtype=np.uint8).reshape(len(rows), length)
        hashes[rows] = hash_texts(characters)
    return hashes.astype(np.uint32).view(np.int32)


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if is_missing(value):
        return b"nan"
    if isinstance(value, Integral | np.bool_):
        return b"%d" % int(value)
    is_number = isinstance(value, float | Decimal | np.floating)
    if is_number and np.isfinite(float(value)) and value == int(value):
        return b"%d" % int(value)
    return str(value).encode()


def combine_hashes(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the hashes of pairs, uint64 arrays of shape (n_rows,) all."""
    return _K_COMBINATION * (hashes + _K_COMBINATION * others)


# ---- CityHash64, of many texts of one length at a time -------------------------------


def hash_texts(characters: np.ndarray) -> np.ndarray:
    """Return CityHash64 of texts.

    Parameters
    ----------
    characters : uint8 array of shape (n_texts, length)

    Returns
    -------
    hashes : uint64 array of shape (n_texts,)
    """
    texts = _Texts(characters)
    if texts.length == 0:
        return np.full(len(characters), _K2, dtype=np.uint64)
    if texts.length <= 16:
        return _hash_16(texts)
    if texts.length <= 32:
        return _hash_32(texts)
    if texts.length <= 64:
        return _hash_64(texts)
    return _hash_long(texts)


class _Texts:
    """Words of texts, by where they begin; negative numbers count from the end."""

    def __init__(self, characters):
        self._characters = characters
        self.length = characters.shape[1]

    def word(self, start, dtype="<u8"):
        start %= self.length
        size = np.dtype(dtype).itemsize
        some = np.ascontiguousarray(self._characters[:, start : start + size])
        return some.view(dtype)[:, 0].astype(np.uint64)

    def half(self, start):
        return self.word(start, "<u4")

    def character(self, start):
        return self.word(start, "u1")


def _rotate(words, shift):
    return (words >> np.uint64(shift)) | (words << np.uint64(64 - shift))


def _mix(words):
    return words ^ (words >> np.uint64(47))


def _times(words, constant):
    return words * np.uint64(constant & _WORD)


def _plus(words, constant):
    return words + np.uint64(constant & _WORD)


def _hash_pair(first, second):
    mixed = _mix(_times(first ^ second, _K_PAIR))
    return _times(_mix(_times(second ^ mixed, _K_PAIR)), _K_PAIR)


def _hash_16(texts):
    length = texts.length
    if length > 8:
        first, last = texts.word(0), texts.word(-8)
        return _hash_pair(first, _rotate(_plus(last, length), length)) ^ last
    if length >= 4:
        first = _plus(texts.half(0) << np.uint64(3), length)
        return _hash_pair(first, texts.half(-4))
    first = texts.character(0) + (texts.character(length // 2) << np.uint64(8))
    last = _plus(texts.character(-1) << np.uint64(2), length)
    return _times(_mix(_times(first, _K2) ^ _times(last, _K3)), _K2)


def _hash_32(texts):
    a, b = _times(texts.word(0), _K1), texts.word(8)
    c, d = _times(texts.word(-8), _K2), _times(texts.word(-16), _K0)
    return _hash_pair(
        _rotate(a - b, 43) + _rotate(c, 30) + d,
        _plus(a + _rotate(b ^ np.uint64(_K3), 20) - c, texts.length),
    )


def _hash_64(texts):
    first = texts.word(0) + _times(_plus(texts.word(-16), texts.length), _K0)
    v, v_other = _hash_half(texts, first, 8)
    w, w_other = _hash_half(texts, texts.word(16) + texts.word(-32), -24)
    mixed = _mix(_times(v + w_other, _K2) + _times(w + v_other, _K0))
    return _times(_mix(_times(mixed, _K0) + v_other), _K2)


def _hash_half(texts, a, start):
    """Return two words for a first one and the three from a position on."""
    last = texts.word(start + 16)
    b, c = _rotate(a + last, 52), _rotate(a, 37)
    a = a + texts.word(start)
    c = c + _rotate(a, 7)
    a = a + texts.word(start + 8)
    return a + last, b + _rotate(a, 31) + c


def _hash_weakly(texts, start, a, b):
    """Return two words for 32 characters and two seeds."""
    a = a + texts.word(start)
    z = texts.word(start + 24)
    b = _rotate(b + a + z, 21)
    c = a
    a = a + texts.word(start + 8) + texts.word(start + 16)
    return a + z, b + _rotate(a, 44) + c


def _hash_long(texts):
    length = texts.length
    zeros = np.zeros_like(texts.word(0))
    x = texts.word(0)
    y = texts.word(-16) ^ np.uint64(_K1)
    z = texts.word(-56) ^ np.uint64(_K0)
    v = _hash_weakly(texts, length - 64, _plus(zeros, length), y)
    w = _hash_weakly(texts, length - 32, _plus(zeros, length * _K1), _plus(zeros, _K0))
    z = z + _times(_mix(v[1]), _K1)
    x = _times(_rotate(z + x, 39), _K1)
    y = _times(_rotate(y, 33), _K1)
    # The end was hashed first: the last characters need not fill a block.
    for start in range(0, (length - 1) // 64 * 64, 64):
        x = _times(_rotate(x + y + v[0] + texts.word(start + 16), 37), _K1) ^ w[1]
        y = _times(_rotate(y + v[1] + texts.word(start + 48), 42), _K1) ^ v[0]
        z = _rotate(z ^ w[0], 33)
        v = _hash_weakly(texts, start, _times(v[1], _K1), x + w[0])
        w = _hash_weakly(texts, start + 32, z + w[1], y)
        x, z = z, x
    return _hash_pair(
        _hash_pair(v[0], w[0]) + _times(_mix(y), _K1) + z, _hash_pair(v[1], w[1]) + x
    )
