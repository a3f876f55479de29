"""Draw what λ does, from least squares to the sum, for docs/choosing.md.

    python -m pipeline.tools.lambda_figure

Two kinds of descriptors in the plane, one of them frequent. Writes docs/lambda.svg.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dgmp.pooling.functional import generalized_max_pool
from pipeline.plots.style import BLUE, STYLE, VERMILION, draw_grid, render
from pipeline.shared.stage import run

FILE = Path("docs/lambda.svg")
SHOWN = (0.01, 1.0, 10.0, 1000.0)


def descriptors() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequent and rare descriptors, (24, 2) and (3, 2), of length about 1."""
    rng = np.random.default_rng(0)
    angles = np.deg2rad(np.concatenate([rng.normal(15, 4, 24), rng.normal(75, 4, 3)]))
    found = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.normal(1, 0.05, (27, 1))
    return found[:24], found[24:]


def pooled(found: NDArray[np.float64], lambda_: float) -> NDArray[np.float64]:
    """Direction (2,) of the generalized max pooling of descriptors (N, 2), λ relative."""
    xi = generalized_max_pool(torch.from_numpy(found.T.copy())[None], lambda_, relative=True)
    return np.asarray(torch.nn.functional.normalize(xi, dim=1)[0])


@mpl.rc_context(STYLE)
def draw() -> Figure:
    """Directions of the pooled descriptor, and its similarity to both kinds by λ."""
    frequent, rare = descriptors()
    figure = Figure(figsize=(7.2, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    _draw_directions(left, frequent, rare)
    _draw_similarities(right, frequent, rare)
    return figure


def _draw_directions(axes: Axes, frequent: NDArray[np.float64], rare: NDArray[np.float64]) -> None:
    axes.plot(*frequent.T, "o", color=BLUE, markersize=3.5, label="24 frequent descriptors")
    axes.plot(*rare.T, "s", color=VERMILION, markersize=3.5, label="3 rare descriptors")
    for shade, lambda_ in zip(np.linspace(0, 0.7, len(SHOWN)), SHOWN, strict=True):
        x, y = 0.6 * pooled(np.concatenate([frequent, rare]), lambda_)
        arrow = {"arrowstyle": "->", "color": str(shade), "linewidth": 1.4}
        axes.annotate("", (x, y), (0, 0), arrowprops=arrow)
        axes.text(1.03 * x, 1.03 * y, f"λ = {lambda_:g}", color=str(shade))
    axes.set(xlim=(0, 1.2), ylim=(0, 1.1), aspect="equal", title="ξ for four λ")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), fontsize=7)


def _draw_similarities(
    axes: Axes, frequent: NDArray[np.float64], rare: NDArray[np.float64]
) -> None:
    lambdas = np.logspace(-3, 4, 71)
    directions = [pooled(np.concatenate([frequent, rare]), one) for one in lambdas]
    for own, colour, dashes, label in (
        (frequent, BLUE, "-", "frequent"),
        (rare, VERMILION, (0, (5, 2)), "rare"),
    ):
        similarity = [float((own @ direction).mean()) for direction in directions]
        axes.plot(lambdas, similarity, color=colour, linestyle=dashes, label=label)
    axes.set_xscale("log")
    axes.set(xlabel="λ relative to the energy", ylabel="mean φᵀξ / |ξ|", ylim=(0.4, 1.02))
    axes.set_title("← least squares        the sum →")
    draw_grid(axes)
    axes.legend(loc="lower left", fontsize=7)


def main() -> None:
    FILE.write_bytes(render(draw())["svg"])


if __name__ == "__main__":
    run(main)
