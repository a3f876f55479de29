"""Figure 1: the layer as a drawing, computed by the layer from activations made up here."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from numpy.typing import NDArray
from torch.nn.functional import normalize

from dgmp.pooling.functional import generalized_max_pool
from pipeline.plots.style import BLUE, STYLE, VERMILION
from pipeline.shared.settings.params import Params

Floats = NDArray[np.float64]

# Activations (D, N) of 2 x 3 locations: four are alike, as those of paper or of a frequent stroke.
EXAMPLE = np.array(
    [
        [0.90, 0.86, 0.10, 0.12, 0.92, 0.88],
        [0.80, 0.84, 0.16, 0.22, 0.78, 0.82],
        [0.16, 0.12, 0.94, 0.10, 0.14, 0.18],
        [0.12, 0.16, 0.22, 0.90, 0.10, 0.12],
    ]
)
COLUMNS = 3
RARE = (2, 3)
LAMBDA = 0.3
FREQUENT, NEUTRAL = "#666666", "#444444"
# In tenths of an inch: side of a cell, height of a bar of weight 1, and of the base line.
CELL, BAR, BASE = 2.1, 4.0, 10.5


def figure(_: Params) -> Figure:
    """Figure 1; no setting changes it."""
    return draw(EXAMPLE, COLUMNS, RARE, LAMBDA)


def colours(phi: Floats, rare: Sequence[int]) -> list[str]:
    """The colour of each location."""
    return [VERMILION if i in rare else FREQUENT for i in range(phi.shape[1])]


@mpl.rc_context(STYLE)
def draw(phi: Floats, columns: int, rare: Sequence[int], lambda_: float) -> Figure:
    """From an activation volume to its descriptor, left to right.

    Args:
        phi: (D, N), activations from 0 to 1, row by row of the volume.
        columns: Width of the volume.
        rare: The locations that are unlike the others.
        lambda_: Regularization of the ridge regression.
    """
    xi, alpha = generalized_max_pool(torch.from_numpy(phi)[None], lambda_, return_weights=True)
    weights = (alpha / alpha.mean())[0].numpy()
    figure = Figure(figsize=(7.4, 2.9))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 74), ylim=(0, 29), aspect="equal")
    axes.axis("off")
    inks = colours(phi, rare)
    _volume(axes, 1.6, phi.shape[1] // columns, columns, inks)
    _matrix(axes, 17.6, phi, inks)
    _matrix(axes, 33.6, phi.T @ phi / 2, [NEUTRAL] * phi.shape[1])
    _weights(axes, 49.2, weights, inks)
    _matrix(axes, 63.6, xi.numpy().T / xi.max().item(), [BLUE])
    _matrix(axes, 70.4, normalize(xi).numpy().T, [BLUE])
    height, width = phi.shape
    axes.text(17.2, BASE + height * CELL / 2, "$D$", ha="right", va="center")
    for left, rows in ((17.6, height), (33.6, width)):
        axes.text(left + width * CELL / 2, BASE + rows * CELL + 0.4, "$N$", ha="center")
    axes.text(33.2, BASE + width * CELL / 2 + 3, "$N$", ha="right", va="center")
    axes.text(49.2, BASE + 6.5, "$\\alpha$", ha="right", va="center")
    for start, end in ((13.2, 15.6), (30.6, 33), (46.6, 49), (60.4, 62.8), (66.4, 69.4)):
        _arrow(axes, (start, BASE + 5), (end, BASE + 5))
    _captions(axes)
    return figure


def _volume(axes: Axes, left: float, rows: int, columns: int, inks: Sequence[str]) -> None:
    size, back = 2.6, 3.2
    width, height = columns * size, rows * size
    for i, ink in enumerate(inks):
        x, y = left + i % columns * size, BASE + height - (i // columns + 1) * size
        axes.add_patch(Rectangle((x, y), size, size, fc=_tint(ink, 0.75), ec="black", lw=0.7))
        if i < columns:
            corners = [(x, y + size), (x + size, y + size)]
            corners += [(cx + back, cy + back) for cx, cy in reversed(corners)]
            axes.add_patch(Polygon(corners, fc=_tint(ink, 0.45), ec="black", lw=0.7))
        if i % columns == columns - 1:
            corners = [(x + size, y + size), (x + size, y)]
            corners += [(cx + back, cy + back) for cx, cy in reversed(corners)]
            axes.add_patch(Polygon(corners, fc=_tint(ink, 0.6), ec="black", lw=0.7))
    axes.text(left + width / 2, BASE - 0.5, "$w$", ha="center", va="top")
    axes.text(left - 0.5, BASE + height / 2, "$h$", ha="right", va="center")
    axes.text(left + width + back / 2 + 0.5, BASE + back / 2 - 0.3, "$D$", ha="left", va="top")


def _matrix(axes: Axes, left: float, values: Floats, inks: Sequence[str]) -> None:
    """Cells as dark as their values, each column in its ink."""
    for (row, column), value in np.ndenumerate(values):
        place = (left + column * CELL, BASE + (len(values) - row - 1) * CELL)
        shade = _tint(inks[column], float(np.clip(value, 0, 1)))
        axes.add_patch(Rectangle(place, CELL, CELL, fc=shade, ec="white", lw=0.5))
    height, width = values.shape
    axes.add_patch(
        Rectangle((left, BASE), width * CELL, height * CELL, fc="none", ec="black", lw=0.7)
    )


def _weights(axes: Axes, left: float, weights: Floats, inks: Sequence[str]) -> None:
    step = 1.8
    for i, (weight, ink) in enumerate(zip(weights, inks, strict=True)):
        place = (left + 0.6 + i * step, BASE)
        bar = Rectangle(place, 0.75 * step, BAR * weight, fc=_tint(ink, 0.75), ec="black", lw=0.7)
        axes.add_patch(bar)
    right = left + 0.6 + len(weights) * step
    axes.plot([left, right], [BASE, BASE], color="black", lw=0.7)
    axes.plot([left, right], [BASE + BAR] * 2, color="black", lw=0.9, ls=(0, (4, 2)))


def _captions(axes: Axes) -> None:
    heads = (
        (7.5, "activation volume"),
        (24, "local activation\nvectors"),
        (40, "Gram matrix"),
        (54.8, "weights"),
        (64.6, "weighted\nsum"),
        (71, "unit\nlength"),
    )
    for x, head in heads:
        axes.text(x, 26.6, head, ha="center", va="center", fontsize=8.5)
    formulas = (
        (7.5, "$N = h \\cdot w$ locations"),
        (24, "$\\Phi$, one column a location"),
        (40, "$K = \\Phi^\\mathsf{T}\\Phi$"),
        (54.8, "$(K + \\lambda I_N)\\,\\alpha = 1_N$\n$\\lambda$ is learned"),
        (64.6, "$\\xi = \\Phi\\alpha$"),
        (71.4, "$\\xi\\,/\\,\\Vert\\xi\\Vert_2$"),
    )
    for x, formula in formulas:
        axes.text(x, 7.4, formula, ha="center", va="center", fontsize=8.5)
    axes.text(54.8, BASE + 12.6, "dashed: average pooling", ha="center", va="center", fontsize=7)
    # Phi is used a second time, in the weighted sum.
    axes.plot([24, 24, 64.6], [5.8, 3.2, 3.2], color="black", lw=0.8)
    _arrow(axes, (64.6, 3.2), (64.6, 5.8))
    key = (
        (3, FREQUENT, "frequent activations: weighted down"),
        (31, VERMILION, "rare activations: weighted up"),
    )
    for x, ink, text in key:
        axes.add_patch(Rectangle((x, 0.8), 1.4, 1.4, fc=_tint(ink, 0.75), ec="black", lw=0.7))
        axes.text(x + 2, 1.4, text, ha="left", va="center", fontsize=7.5)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": "black", "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


def _tint(ink: str, share: float) -> tuple[float, ...]:
    """A colour mixed with white."""
    return tuple(1 - share * (1 - part) for part in to_rgb(ink))
