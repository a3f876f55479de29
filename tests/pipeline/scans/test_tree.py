"""The folded tree against SciPy's."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage

from pipeline.scans.tree import fold


def tree(n, seed=0):
    rng = np.random.default_rng(seed)
    return linkage(rng.normal(size=(n, 3)), "complete")


def test_without_groups_the_leaves_stand_in_scipys_order():
    links = tree(40)
    leaves, joints = fold(links, [-1] * 40)
    assert [leaf.rows for leaf in leaves] == [[row] for row in leaves_list(links)]
    assert len(joints) == 39


def test_a_suggested_hand_is_one_leaf():
    links = tree(60)
    flat = fcluster(links, 8, "maxclust")
    leaves, joints = fold(links, (flat - 1).tolist())
    assert [leaf.groups for leaf in leaves] == [
        [g] for g in dict.fromkeys(flat[leaves_list(links)] - 1)
    ]
    assert sorted(row for leaf in leaves for row in leaf.rows) == list(range(60))
    assert len(joints) == len(leaves) - 1 == 7


@pytest.mark.parametrize("most", [1, 2, 7])
def test_more_leaves_than_can_be_read_are_folded_from_the_lowest(most):
    links = tree(50)
    leaves, joints = fold(links, [-1] * 50, most=most)
    expected = fcluster(links, most, "maxclust")
    found = np.empty(50, int)
    for number, leaf in enumerate(leaves):
        found[leaf.rows] = number
    assert len(leaves) == most
    assert len(joints) == most - 1
    assert len(set(zip(found.tolist(), expected.tolist(), strict=True))) == most


def test_joints_lie_right_of_their_arms_and_the_root_last():
    _, joints = fold(tree(30), [-1] * 30)
    assert all(x <= joint.x for joint in joints for x, _ in joint.arms)
    assert max(joint.x for joint in joints) == joints[-1].x < 1
    assert min(joint.x for joint in joints) > 0


def test_a_single_page_and_equal_heights():
    leaves, joints = fold(np.empty((0, 4)), [-1])
    assert ([leaf.rows for leaf in leaves], joints) == ([[0]], [])
    links = linkage(np.zeros((5, 1)), "complete")
    assert len(fold(links, [-1] * 5)[1]) == 4


def test_a_chain_of_thousands_is_no_deep_recursion():
    links = linkage(2.0 ** np.arange(0, 30, 0.01)[:, None], "single")
    assert len(fold(links, [-1] * 3000)[0]) == 150
