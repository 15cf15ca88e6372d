"""Leaf-wise growth: the queue against sorting."""

import numpy as np
import pytest

from sklearnx._cython.boosting.frontier import list_batches
from sklearnx._cython.boosting.leafwise import Leafwise


def list_nodes(gains, n_before_pop, max_leaf_nodes=0):
    frontier = Leafwise(max_leaf_nodes=max_leaf_nodes, max_depth=0)
    batches = list_batches(frontier, gains, n_before_pop)
    assert all(len(batch) == 1 for batch in batches)
    return [int(batch[0]) for batch in batches]


@pytest.mark.parametrize("n_nodes", [1, 2, 3, 10, 64, 65, 1000])
@pytest.mark.parametrize("n_distinct", [1, 3, 10**6])
def test_order(n_nodes, n_distinct):
    rng = np.random.default_rng(n_nodes)
    gains = rng.integers(0, n_distinct, size=n_nodes).astype(float)
    expected = np.argsort(-gains, kind="stable").tolist()
    assert list_nodes(gains, n_nodes + 1) == expected
    assert list_nodes(gains, n_nodes + 1, 5) == expected[:4]


@pytest.mark.parametrize("n_before_pop", [1, 2, 3, 7])
def test_pops_between_pushes(n_before_pop):
    gains = np.random.default_rng(0).integers(0, 20, size=200).astype(float)
    expected, waiting = [], []
    for node in range(len(gains)):
        waiting.append(node)
        if (node + 1) % n_before_pop == 0:
            first = max(waiting, key=lambda i: (gains[i], -i))
            waiting.remove(first)
            expected.append(first)
    expected += sorted(waiting, key=lambda i: (-gains[i], i))
    assert list_nodes(gains, n_before_pop) == expected
