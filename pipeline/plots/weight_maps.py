"""Figure 8: weight maps of test pages, of the first DGMP cell of Table II."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dgmp.analysis.weight_map import enlarge, weight_map
from dgmp.images.binarization import BACKGROUND, INK
from dgmp.images.reading import read_gray
from dgmp.learning.inputs import to_images
from dgmp.learning.models import DescriptorNet
from dgmp.pooling.layers import DGMP
from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.predictions import run_folder
from pipeline.inputs.network import load_trained, network_parts
from pipeline.plots.page_thumbnails import credited, find_cell, read_test_pages
from pipeline.plots.style import STYLE
from pipeline.shared.settings.params import Params

PAGES = 3
# Patches down and across: some lines of writing, of which single letters are still seen.
SIDE = 3
# Stride of the backbones before their last block.
BACKBONE_STRIDE = 16
# As far below average pooling's weight, 1, as above it, in colours that colour-blind readers tell
# apart; without the darkest ends of the palette, so that ink stays legible.
SCALE = Normalize(-1, 3)
COLOURS = ListedColormap(mpl.colormaps["PuOr_r"](np.linspace(0.1, 0.9, 256)))

VIEWS = (
    "page (detail)",
    "average pooling:\n1 everywhere",
    "DGMP, each patch on its\nown, as in training",
    "DGMP, all patches at once,\nλ × their number",
)
KEY = (
    "weight of a location, average pooling = 1; above it: weighted up, below 0: subtracted\n"
    "(weak activations, as of blank paper, are weighted up and still add little)"
)

Floats = NDArray[np.float64]


def figure(params: Params) -> Figure:
    """Figure 8: pages of the first test writers, and the weights of the poolings over them.

    Raises:
        ParamsError: Table II lists no DGMP cell.
        ValueError: there is no test page.
    """
    name, seed = find_cell(params), params.active.writers.seeds[0]
    network, pooling = load_network(params, name, seed)
    folder = params.data / "binarize"
    size = params.active.patches.size
    files = [own[0].file for own in read_test_pages(folder / "pages.csv").values()][:PAGES]
    with one_thread():
        examples = [
            weigh(
                network,
                pooling,
                read_gray(folder / file),
                size=size,
                stride=BACKBONE_STRIDE * params.active.writers.last_stride,
                name=Path(file).stem,
                scale=(params.active.writers.resize or size) / size,
            )
            for file in files
        ]
    label = pooling_label(params.poolings[params.cells[name].pooling])
    title = (
        f"{params.active.titles.writers}: {label} ({pooling.value.item():.4g} after training), "
        f"cell {name}, seed {seed}"
    )
    return credited(draw(examples, size, title), params, files)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the arithmetic, and so the picture, independent of the number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def load_network(params: Params, name: str, seed: int) -> tuple[nn.Module, DGMP]:
    """The trained network of a DGMP cell: from the image to the volume, and its pooling."""
    parts = network_parts(params, "writers")
    pooling = DGMP()
    network = DescriptorNet(parts.preparation, parts.backbone, pooling)
    load_trained(network, run_folder(name, params) / f"seed{seed}.safetensors")
    return nn.Sequential(parts.preparation, parts.backbone).eval(), pooling


@dataclass(frozen=True)
class Example:
    """The middle of a page, and the weights of its pixels relative to average pooling.

    Attributes:
        name: Name of the page.
        ink: bool (H, W).
        by_patch: (H, W), each patch pooled on its own.
        at_once: (H, W), all of it pooled at once.
    """

    name: str
    ink: NDArray[np.bool_]
    by_patch: Floats
    at_once: Floats


def middle(page: np.ndarray, size: int) -> np.ndarray:
    """The middle of a page uint8 (H, W): up to SIDE x SIDE whole patches of size x size pixels.

    A page smaller than a patch is padded as in the stage patches.
    """
    below, beside = (max(0, size - length) for length in page.shape)
    page = np.pad(page, ((0, below), (0, beside)), constant_values=BACKGROUND)
    lengths = [size * min(SIDE, length // size) for length in page.shape]
    top, left = ((whole - part) // 2 for whole, part in zip(page.shape, lengths, strict=True))
    return page[top : top + lengths[0], left : left + lengths[1]]


def weigh(
    network: nn.Module,
    pooling: DGMP,
    page: np.ndarray,
    *,
    size: int,
    stride: int,
    name: str,
    scale: float = 1.0,
) -> Example:
    """Weights over the middle of a binary page uint8 (H, W), by patches and at once.

    At once, lambda is multiplied by the number of patches, since it stands against the errors of
    so many times the locations.

    Args:
        network: Network up to the activation volume.
        pooling: Pooling of the volume.
        page: Binary page, ink 0.
        size: Side of a patch in pixels.
        stride: Pixels between locations, of the image as the network scales it.
        name: Name of the page.
        scale: Factor by which the network scales it.
    """
    ink = middle(page, size) == INK
    image = to_images(ink[None].astype(np.uint8))[0]

    def weights(part: Tensor, pooling: DGMP) -> Floats:
        whole = part.shape[-2:]
        seen = torch.empty(1, *(round(length * scale) for length in whole))
        found = enlarge(weight_map(network, pooling, part), seen, stride=stride)
        pixels: Floats = interpolate(found[None, None], whole, mode="nearest-exact")[0, 0].numpy()
        return pixels

    rows = image.split(size, dim=1)
    by_patch = [[weights(patch, pooling) for patch in row.split(size, dim=2)] for row in rows]
    patches = ink.size // size**2
    at_once = weights(image, DGMP(pooling.value.item() * patches))
    return Example(name, ink, np.block(by_patch), at_once)


@mpl.rc_context(STYLE)
def draw(examples: Sequence[Example], size: int, title: str) -> Figure:
    """A row for each page: its ink, and over it the weights of the poolings, on one scale.

    Args:
        examples: The pages.
        size: Side of a patch in pixels.
        title: Title of the figure.
    """
    figure = Figure(figsize=(7.6, 1.6 + 1.85 * len(examples)), layout="constrained")
    grid = figure.subplots(len(examples), len(VIEWS), squeeze=False)
    for axes, view in zip(grid[0], VIEWS, strict=True):
        axes.set_title(view, fontsize=8)
    for row, example in zip(grid, examples, strict=True):
        row[0].set_ylabel(textwrap.fill(example.name, 24), fontsize=7)
        _draw_ink(row[0], example.ink, opacity=1)
        for axes, weights in zip(
            row[1:],
            (np.ones(example.ink.shape), example.by_patch, example.at_once),
            strict=True,
        ):
            axes.imshow(weights, cmap=COLOURS, norm=SCALE, interpolation="none")
            _draw_ink(axes, example.ink, opacity=0.6)
        height, width = example.ink.shape
        for y in range(size, height, size):
            row[2].axhline(y - 0.5, color="black", linewidth=0.8)
        for x in range(size, width, size):
            row[2].axvline(x - 0.5, color="black", linewidth=0.8)
    bar = figure.colorbar(
        ScalarMappable(SCALE, COLOURS),
        ax=grid,
        location="bottom",
        extend="both",
        shrink=0.7,
        aspect=40,
        ticks=[-1, 0, 1, 2, 3],
        format="{x:g}",
    )
    bar.set_label(KEY)
    figure.suptitle(title, fontsize=9)
    return figure


def _draw_ink(axes: Axes, ink: NDArray[np.bool_], *, opacity: float) -> None:
    black = np.zeros((*ink.shape, 4))
    black[..., 3] = opacity * ink
    axes.imshow(black, interpolation="none")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, linewidth=0.5)
