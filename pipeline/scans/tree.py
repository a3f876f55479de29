"""The tree of all pages, folded below the suggested hands so that it can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 150  # rows of a drawing that a person still reads: some four screens


@dataclass(frozen=True)
class Leaf:
    """Pages drawn as one row.

    Attributes:
        rows: Of the pages.
        groups: Their suggested hands in order; -1 for pages that fit nowhere.
    """

    rows: list[int]
    groups: list[int]


@dataclass(frozen=True)
class Joint:
    """A merge of two branches, x from 0 to 1 and y in rows.

    Attributes:
        x: Where they join; the farther, the less alike they are.
        arms: x and y from which each of the two comes.
    """

    x: float
    arms: tuple[tuple[float, float], tuple[float, float]]


def fold(
    linkage: NDArray[np.float64], groups: Sequence[int], *, most: int = MOST_LEAVES
) -> tuple[list[Leaf], list[Joint]]:
    """Leaves from top to bottom, and the joints above them.

    A branch is folded into a leaf if all its pages have one suggested hand. If more than `most`
    leaves are left, the lowest joints are folded as well.

    Args:
        linkage: (n - 1, 4), as SciPy writes it.
        groups: Of n pages, n at least 1; -1 fits nowhere.
        most: Number of leaves.
    """
    count = len(groups)
    rows = {row: [row] for row in range(count)}
    hands = {row: {group} for row, group in enumerate(groups)}
    children: dict[int, tuple[int, int]] = {}
    for node, (left, right, _, _) in enumerate(linkage.tolist(), count):
        a, b = children[node] = int(left), int(right)
        rows[node], hands[node] = rows[a] + rows[b], hands[a] | hands[b]
    height = dict(enumerate(linkage[:, 2].tolist(), count))
    mixed = sorted(
        (node for node in children if len(hands[node]) > 1 or hands[node] == {-1}),
        key=lambda node: (height[node], node),
    )
    open_ = set(mixed[max(0, len(mixed) + 1 - most) :])
    leaves: list[Leaf] = []
    y: dict[int, float] = {}
    waiting = [count + len(linkage) - 1]
    while waiting:
        node = waiting.pop()
        if node in open_:
            waiting += children[node][::-1]
        else:
            y[node] = len(leaves) + 0.5
            leaves.append(Leaf(rows[node], sorted(hands[node])))
    x = _across({node: height[node] for node in open_})
    joints = []
    for node in sorted(open_):
        a, b = children[node]
        y[node] = (y[a] + y[b]) / 2
        joints.append(Joint(x[node], ((x.get(a, 0.0), y[a]), (x.get(b, 0.0), y[b]))))
    return leaves, joints


def _across(height: dict[int, float]) -> dict[int, float]:
    """Heights as x from 0.08, right of the leaves, to 0.97, left of the root's stem."""
    if not height:
        return {}
    low, high = min(height.values()), max(height.values())
    span = (high - low) or 1.0
    return {node: 0.08 + 0.89 * (value - low) / span for node, value in height.items()}
