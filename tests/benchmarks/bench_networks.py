"""What the poolings do to frozen ImageNet features, as Markdown on standard output.

python -m tests.benchmarks.bench_networks

Retrieval without any training, raw and whitened, on (a) the pages of the current profile, 224-pixel
patches as in the stage `trunk`, and (b) the 8 x 8 digits of scikit-learn, enlarged to 224 pixels:
another kind of image, that comes with a library. Whitening is fitted on other pages (train), or on
the first half of the digits; test pages and second halves are ranked, each against all others.
Every setting is shown; none is chosen. Needs the stages weights, patches and trunk.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize
from tqdm import tqdm

from dgmp.encoding import Whitening
from dgmp.learning.backbones.base import Backbone
from dgmp.learning.backbones.registry import build_backbone
from dgmp.learning.inputs import Inputs
from dgmp.learning.models import Standardize
from dgmp.metrics import evaluate_retrieval
from dgmp.pooling import build_pooling
from pipeline.inputs.network import network_parts
from pipeline.inputs.task_data import load_inputs
from pipeline.shared.settings.params import Params, load_params
from tests.benchmarks.machine import processor

POOLINGS: dict[str, nn.Module] = {
    "Avg": build_pooling("avg"),
    "Max": build_pooling("max"),
    "GeM, p = 3": build_pooling("gem"),
    "LSE, r = 10": build_pooling("lse"),
} | {
    f"DGMP, λ = {value:g}": build_pooling("dgmp", lambda_init=value, relative=True)
    for value in (0.1, 1.0, 10.0, 100.0, 1000.0)
}
BATCH, SIDE = 64, 224
DIMENSIONS, SHRINKAGE = 400, 0.001

Described = dict[str, NDArray[np.float32]]


def pool(volumes: Iterator[Tensor], count: int, title: str) -> Described:
    """Descriptors (count, D) of unit length by each pooling."""
    found: dict[str, list[Tensor]] = {name: [] for name in POOLINGS}
    for volume in tqdm(volumes, total=-(-count // BATCH), desc=title, unit="batch", disable=None):
        for name, pooling in POOLINGS.items():
            found[name].append(normalize(pooling(volume), dim=1))
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def of_pages(backbone: Backbone, inputs: Inputs, title: str) -> tuple[Described, NDArray[np.str_]]:
    """Means of the descriptors of each page's patches, and the pages' labels."""
    pages, first, page_of = np.unique(inputs.pages, return_index=True, return_inverse=True)
    count = len(page_of)
    starts = range(0, count, BATCH)
    volumes = (backbone(inputs(np.arange(i, min(i + BATCH, count)))).float() for i in starts)
    means = {}
    for name, rows in pool(volumes, count, title).items():
        total = np.zeros((len(pages), rows.shape[1]))
        np.add.at(total, page_of, rows)
        means[name] = (total / np.bincount(page_of)[:, None]).astype(np.float32)
    return means, inputs.labels[first]


def of_digits(params: Params) -> tuple[Described, NDArray[np.int64]]:
    """Descriptors of the digits by the whole starting network."""
    settings = params.active.backbone
    backbone = build_backbone(settings.name, settings.width, last_stride=2)
    backbone.load_state_dict(load_file(params.data / "weights" / "backbone.safetensors"))
    # As the network was trained, (x - 127) / 128; the digits are white on black.
    network = nn.Sequential(Standardize(127 / 255, 128 / 255), backbone.eval())
    digits = load_digits()
    images = torch.from_numpy(digits.images / 16).float().unsqueeze(1)
    volumes = (
        network(interpolate(part, (SIDE, SIDE), mode="bilinear")) for part in images.split(BATCH)
    )
    return pool(volumes, len(images), "digits"), digits.target


def scores(fitted: NDArray[np.float32], ranked: NDArray[np.float32], labels: object) -> list[float]:
    """MAP and top-1 raw, then whitened."""
    whitening = Whitening(DIMENSIONS, SHRINKAGE).fit(fitted)
    found = []
    for rows in (ranked, whitening.transform(ranked)):
        score = evaluate_retrieval(rows, np.asarray(labels), distance="cosine")
        found += [score.mean_average_precision, score.top1]
    return found


def table(rows: dict[str, list[float]]) -> str:
    lines = [
        "| pooling | mAP raw | top-1 raw | mAP whitened | top-1 whitened |",
        "|:--|--:|--:|--:|--:|",
    ]
    best = np.max(list(rows.values()), axis=0)
    for name, values in rows.items():
        cells = (
            f"**{v:.1f}**" if v == most else f"{v:.1f}"
            for v, most in zip(values, best, strict=True)
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


@torch.inference_mode()
def main() -> None:
    params = load_params()
    data = load_inputs(params, "writers")
    backbone = network_parts(params, "writers").backbone.eval()
    fitted, _ = of_pages(backbone, data.train, "train")
    ranked, writers = of_pages(backbone, data.test, "test")
    pages = {name: scores(fitted[name], ranked[name], writers) for name in POOLINGS}
    described, digits = of_digits(params)
    half = len(digits) // 2
    numbers = {
        name: scores(rows[:half], rows[half:], digits[half:]) for name, rows in described.items()
    }
    print(
        f"# Poolings of frozen ImageNet features\n\n{processor()}, PyTorch {torch.__version__}, "
        f"{params.active.backbone.name}. Made by\n`python -m tests.benchmarks.bench_networks` with "
        f"the profile {params.profile}. Nothing is trained. λ is relative to the\nenergy. Bold: "
        f"the best of a column.\n\n## {len(writers)} test pages of {params.active.titles.writers}, "
        f"by writer\n\nA page is the mean of its patches' descriptors of unit length.\n\n"
        f"{table(pages)}\n\n## {len(digits) - half} digits of scikit-learn, by digit\n\n"
        f"{table(numbers)}"
    )


if __name__ == "__main__":
    main()
