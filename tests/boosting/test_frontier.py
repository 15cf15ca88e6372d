"""The queue of nodes against sorting."""

import numpy as np
import pytest

from sklearnx._cython.boosting.frontier import order_candidates


@pytest.mark.parametrize("n_nodes", [0, 1, 2, 3, 10, 64, 65, 1000])
@pytest.mark.parametrize("n_distinct", [1, 3, 10**6])
def test_order(n_nodes, n_distinct):
    rng = np.random.default_rng(n_nodes)
    priorities = rng.integers(0, n_distinct, size=n_nodes).astype(float)
    expected = np.argsort(-priorities, kind="stable")
    popped = order_candidates(priorities, n_before_pop=n_nodes + 1)
    np.testing.assert_array_equal(popped, expected)


@pytest.mark.parametrize("n_before_pop", [1, 2, 3, 7])
def test_pops_between_pushes(n_before_pop):
    priorities = np.random.default_rng(0).integers(0, 20, size=200).astype(float)
    expected, waiting = [], []
    for node in range(len(priorities)):
        waiting.append(node)
        if (node + 1) % n_before_pop == 0:
            first = max(waiting, key=lambda i: (priorities[i], -i))
            waiting.remove(first)
            expected.append(first)
    expected += sorted(waiting, key=lambda i: (-priorities[i], i))
    np.testing.assert_array_equal(order_candidates(priorities, n_before_pop), expected)
