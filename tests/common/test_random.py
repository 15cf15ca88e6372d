"""Random numbers are a function of their keys, and look like chance."""

import numpy as np

from sklearnx._cython.common import random
from tests.boosting import oracle


def test_uniform_is_the_oracles():
    seeds = (0, 1, 2**64 - 1)
    for seed in seeds:
        numbers = random.draw_uniform(seed, random.DROPPED_ROUNDS, 7, 20)
        expected = [
            oracle.to_uniform(oracle.draw(seed, random.DROPPED_ROUNDS, 7, 0, i))
            for i in range(20)
        ]
        assert numbers.tolist() == expected
    assert len(random.draw_uniform(0, random.DROPPED_ROUNDS, 0, 0)) == 0


def test_uniform_is_uniform():
    numbers = random.draw_uniform(0, random.DROPPED_ROUNDS, 0, 100_000)
    assert 0 < numbers.min() and numbers.max() < 1
    counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
    # Chi-squared with 19 degrees of freedom: 43.8 at one in a thousand.
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.02


def test_keys_are_independent():
    draws = {
        (seed, purpose, tree): random.draw_uniform(seed, purpose, tree, 1)[0]
        for seed in range(10)
        for purpose in (random.DROPPED_ROUNDS, random.DROPS_ANY_ROUND)
        for tree in range(10)
    }
    assert len(set(draws.values())) == len(draws)
