"""The figures of a report, in order, with captions and texts for readers who cannot see them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

# A page of ten figures stays below two megabytes; wider pictures are no sharper on a screen.
MOST_BYTES, MOST_PIXELS = 160_000, 1600


@dataclass(frozen=True)
class Caption:
    """The text below a figure, and the alternative that is read out in its place."""

    name: str
    title: str
    text: str
    alternative: str


CAPTIONS = (
    Caption(
        "figure1",
        "Figure 1: the layer",
        "Every location of the activation volume gets a weight, so that rare activations count as "
        "much as frequent ones. λ is learned with the network.",
        "Diagram: activation volume, local activation vectors, Gram matrix, weights of the "
        "locations, weighted sum, descriptor of unit length.",
    ),
    Caption(
        "figure2",
        "Figure 2: pages of writers",
        "Two pages of one writer of the test set, and one page each of other writers.",
        "Sample pages: two by one writer, then one each by other writers.",
    ),
    Caption(
        "figure3",
        "Figure 3: script types",
        "Pages of script types that the trained networks confuse.",
        "Sample pages of script types that look alike, with their names.",
    ),
    Caption(
        "figure4",
        "Figure 4: validation error",
        "By epoch: mean of the runs, in a band of one standard deviation. Lower is better. The "
        "axis is logarithmic; a band that would reach far below every mean is cut off.",
        "Curves of the validation error by epoch, one for each pooling, in a panel for each task.",
    ),
    Caption(
        "figure5",
        "Figure 5: λ and margin",
        "mAP of Table I against the initial λ, and against the margin of the triplet loss.",
        "Curves of mAP against λ, and against the margin, for DGMP beside the other poolings.",
    ),
    Caption(
        "figure6",
        "Figure 6: confusion",
        "How often pages of a true class (row) were classified as which class (column).",
        "Confusion matrices of the script types, average pooling beside DGMP.",
    ),
    Caption(
        "figure7",
        "Figure 7: retrieval",
        "Query pages and their five nearest pages; right and wrong ones are marked.",
        "Rows of pages: a query, then the five nearest pages, each marked as right or wrong.",
    ),
    Caption(
        "figure8",
        "Figure 8: weight maps",
        "Weights of DGMP at the locations of test pages. Average pooling would give 1 everywhere.",
        "Test pages under a colour map of the weights that DGMP gives their locations.",
    ),
    Caption(
        "figure9",
        "Figure 9: the ladder",
        "mAP of the systems of Table IV after each step, with its confidence interval. Re-ranking "
        "looks at other test pages (transductive).",
        "Dots of mAP with intervals, a row for each system and a marker for each step.",
    ),
    Caption(
        "figure10",
        "Figure 10: what carries the similarity",
        "Queries, their nearest pages, and the pairs of local descriptors with the largest shares "
        "in the cosine of both, before whitening. The shares of all pairs sum to the cosine; many "
        "are negative. Of pairs close to each other on a page only the first is shown.",
        "Rows of a query and its nearest page, joined at numbered places, and crops of the letters "
        "at these places side by side, each pair with its share.",
    ),
)


@dataclass(frozen=True)
class Embedded:
    """A figure as part of a page; width and height in pixels."""

    caption: Caption
    source: str
    width: int
    height: int


def read_figures(folder: Path) -> list[Embedded]:
    """The figures that are there as PNG, in order.

    Raises:
        ValueError: a figure cannot be read.
    """
    files = [(caption, folder / f"{caption.name}.png") for caption in CAPTIONS]
    return [_read(caption, file) for caption, file in files if file.is_file()]


def _read(caption: Caption, png: Path) -> Embedded:
    svg = png.with_suffix(".svg")
    try:
        with Image.open(png) as image:
            image.load()
    except OSError as error:
        raise ValueError(f"{png} is no picture ({error}): run `dvc repro -f figures`") from None
    if svg.is_file() and svg.stat().st_size < min(png.stat().st_size, MOST_BYTES):
        source = data_uri(svg.read_bytes(), "svg+xml")
    elif png.stat().st_size < MOST_BYTES:
        source = data_uri(png.read_bytes(), "png")
    else:
        source = data_uri(_smaller(image), "png")
    return Embedded(caption, source, image.width, image.height)


def _smaller(image: Image.Image) -> bytes:
    small = image.convert("RGB")
    small.thumbnail((MOST_PIXELS, MOST_PIXELS), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    small.quantize(256, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """A picture as part of a page."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
