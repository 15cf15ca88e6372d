"""What all growth policies have in common."""

import re
from pathlib import Path

import numpy as np
import pytest

from sklearnx._boosting.growth import GROW_POLICIES
from sklearnx._cython.boosting.frontier import list_batches
from sklearnx._cython.boosting.growing import TreeGrower
from tests.boosting.test_growing import Problem


@pytest.fixture(params=GROW_POLICIES.values(), ids=GROW_POLICIES.keys())
def policy(request):
    return request.param


@pytest.mark.parametrize("n_nodes", [0, 1, 2, 63, 64, 65, 300])
@pytest.mark.parametrize("n_before_pop", [1, 2, 3, 1000])
def test_without_limits_every_node_is_popped_once(policy, n_nodes, n_before_pop):
    gains = np.random.default_rng(n_nodes).integers(0, 9, size=n_nodes).astype(float)
    frontier = policy(max_leaf_nodes=0, max_depth=0)
    batches = list_batches(frontier, gains, n_before_pop)
    popped = [node for batch in batches for node in batch.tolist()]
    assert sorted(popped) == list(range(n_nodes))
    assert all((np.diff(batch) > 0).all() for batch in batches)
    assert not frontier.is_last


@pytest.mark.parametrize("max_leaf_nodes", [2, 3, 4, 7, 31, 32])
def test_leaves_are_limited(policy, max_leaf_nodes):
    problem = Problem(1000, [40, 50, 60], missing=0)
    grower = TreeGrower(
        problem.matrix,
        problem.edges,
        grow_policy=policy,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=1,
    )
    nodes, _, _ = grower.grow(problem.make_quantized(), 0)
    assert 2 <= (nodes["feature"] < 0).sum() <= max_leaf_nodes


def test_second_tree_is_as_the_first(policy):
    frontier = policy(max_leaf_nodes=9, max_depth=0)
    gains = np.random.default_rng(0).random(100)
    first = list_batches(frontier, gains, 2)
    again = list_batches(frontier, gains, 2)
    for batch, expected in zip(again, first, strict=True):
        np.testing.assert_array_equal(batch, expected)


def test_code_of_the_page_on_growth_policies_runs():
    page = Path(__file__).parents[2] / "doc" / "how_to_add_a_growth_policy.md"
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(block, names)
    assert "batches" in names
