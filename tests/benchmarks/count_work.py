"""Work of the profile `paper`, counted, as Markdown on standard output.

python -m tests.benchmarks.count_work [--patches 32]

Prints the tables of docs/paper.md, section Work.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from dgmp.learning.backbones.resnet import resnet50
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.layers import with_defaults, with_protocol
from pipeline.shared.settings.params import PARAMS_FILE, Params
from pipeline.shared.settings.training import Writers
from tests.benchmarks.system_work import system_table

PATCHES_A_PAGE = 32
"""Assumed of ICDAR17-WI: what the filter keeps of real manuscript pages of 3 megapixels."""
PAGES: dict[Task, tuple[int, int, int]] = {
    "writers": (354 * 3, 40 * 3, 720 * 5),
    "scripts_a": (1796, 204, 1000),
    "scripts_b": (3178, 361, 2000),
}
"""Of training, validation and test set."""
IMAGES_A_SECOND = {"A100, TF32": 938.0, "A100, bf16": 2470.0, "RTX 4090, TF32": 938.0 * 82.6 / 156}
"""Of 224 pixels, in the training of ResNet-50.

Of an A100 as NVIDIA measured it, TF32 and mixed precision (DeepLearningExamples,
PyTorch/Classification/ConvNets/resnet50v1.5, training performance, one GPU); of an RTX 4090 in
proportion to the peaks in TF32, 82.6 and 156 TFLOP/s.
"""


@dataclass(frozen=True)
class Work:
    """Of one run.

    Attributes:
        steps: In an epoch.
        epochs: How many.
        batch: Images in a step.
        validations: How many.
        validation: Images seen by each validation.
        test: Images of the test set.
        forward: FLOPs of an image.
        both: FLOPs of an image, forward and backward.
        saved: Bytes of an image that wait for the backward pass, in fp32.
    """

    steps: int
    epochs: int
    batch: int
    validations: int
    validation: int
    test: int
    forward: float
    both: float
    saved: float

    @property
    def flops(self) -> float:
        """Of training, all validations, and the test."""
        training = self.steps * self.epochs * self.batch * self.both
        return training + (self.validations * self.validation + self.test) * self.forward

    @property
    def untrained(self) -> float:
        """FLOPs of a validation and the test."""
        return (self.validation + self.test) * self.forward


@cache
def flops_of_an_image(size: int, last_stride: int, pooling: str) -> tuple[float, float]:
    """Forward, and forward and backward, of ResNet-50 and the pooling on one image.

    Two for each multiplication with its addition. Optimizer, loss and what goes value by value
    are left out.
    """
    with torch.device("meta"):
        network = resnet50(last_stride=last_stride)
        image = torch.rand(1, 1, size, size)
    with FlopCounterMode(display=False) as forward:
        shape = network(image).shape
    with FlopCounterMode(display=False) as both:
        network(image).sum().backward()
    solved = pooling_flops(shape[1], shape[2] * shape[3]) if pooling == "dgmp" else 0.0
    return forward.get_total_flops() + solved, both.get_total_flops() + solved


@cache
def saved_bytes(size: int, last_stride: int) -> float:
    """Of ResNet-50's activations of one image in fp32 that its backward pass needs."""
    storages: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage.nbytes()
        return tensor

    with torch.device("meta"):
        network = resnet50(last_stride=last_stride)
        images = torch.rand(2, 1, size, size)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(images)
    for weight in (*network.parameters(), *network.buffers()):
        storages.pop(weight.untyped_storage()._cdata, None)
    return sum(storages.values()) / len(images)


def pooling_flops(depth: int, locations: int) -> float:
    """Of Eq. 9 with its derivative: Gram matrix, Cholesky factor, ten for each activation."""
    return 2 * locations**2 * depth + locations**3 / 3 + 10 * depth * locations


def under(protocol: str, file: Path = PARAMS_FILE) -> Params:
    """The settings with those of a protocol laid over the profile `paper`."""
    laid = with_defaults(yaml.safe_load(file.read_text("utf-8")))
    return Params.model_validate(with_protocol(laid, protocol))


def work_of(params: Params, task: Task, pooling: str, patches: int) -> Work:
    """The work of a run of the profile `paper`.

    Args:
        params: All settings.
        task: The task.
        pooling: The pooling's name.
        patches: Of a page with a stride of 256 pixels.
    """
    profile = params.profiles.paper
    schedule = profile.schedule(task)
    images, validation, test = PAGES[task]
    validations = schedule.epochs
    if isinstance(schedule, Writers):
        cut = profile.patches
        images += validation if cut.train_on_validation else 0
        fewer = (256 / (cut.test_stride or cut.stride)) ** 2
        images = images * patches
        validation, test = (round(pages * patches * fewer) for pages in (validation, test))
        validations = math.ceil(schedule.epochs / schedule.validate_every)
        size = schedule.resize or cut.size
        batch = schedule.writers_per_batch * schedule.patches_per_writer
        steps = schedule.steps_per_epoch or images // batch
    else:
        size, batch = schedule.crop, schedule.batch_size
        steps = images // batch
    forward, both = flops_of_an_image(size, schedule.last_stride, pooling)
    saved = saved_bytes(size, schedule.last_stride)
    return Work(steps, schedule.epochs, batch, validations, validation, test, forward, both, saved)


def hours(flops: float, gpu: str) -> float:
    """On one GPU."""
    return flops / (IMAGES_A_SECOND[gpu] * flops_of_an_image(224, 2, "avg")[1]) / 3600


def tables(paper: Params, code: Params, patches: int) -> str:
    """Three tables: how many images there are, what a run does, what all runs take.

    Args:
        paper: The settings under the protocol `paper`.
        code: The settings under the protocol `authors-code`.
        patches: Of a page.
    """
    titles = paper.profiles.paper.titles.model_dump()
    lines = [
        "| task | pages: training | validation | test | images: training | validation | test |",
        "|:--|" + "--:|" * 6,
    ]
    for task, pages in PAGES.items():
        images = [patches * n if task == "writers" else n for n in pages]
        lines.append(
            f"| {titles[task]} | " + " | ".join(f"{n:,}" for n in [*pages, *images]) + " |"
        )
    lines += [
        "",
        "| task, pooling | steps an epoch | epochs | steps a run | images a step "
        "| GB saved a step | GFLOP an image, forward | with backward | PFLOP a run | "
        + " | ".join(f"hours a run, {gpu}" for gpu in IMAGES_A_SECOND)
        + " |",
        "|:--|" + "--:|" * (8 + len(IMAGES_A_SECOND)),
    ]
    for task in PAGES:
        for pooling, name in (("avg", "others"), ("dgmp", "DGMP")):
            lines.append(_run(f"{titles[task]}, {name}", work_of(paper, task, pooling, patches)))
    work = work_of(code, "writers", "dgmp", patches)
    lines.append(_run(f"{titles['writers']}, DGMP, authors' code", work))
    lines += [
        "",
        "| what | cells | runs | PFLOP | "
        + " | ".join(f"hours, {gpu}" for gpu in IMAGES_A_SECOND)
        + " |",
        "|:--|" + "--:|" * (3 + len(IMAGES_A_SECOND)),
    ]
    totals = {titles.get(name, name): row for name, row in _totals(paper, patches).items()}
    lines += [_total(name, *row) for name, row in totals.items()]
    all_code = _totals(code, patches)
    lines.append(_total(f"{titles['writers']}, authors' code", *all_code["writers"]))
    lines.append(_total("all, authors' code", *all_code["all"]))
    return "\n".join(lines)


def _run(title: str, work: Work) -> str:
    return (
        f"| {title} | {work.steps:,} | {work.epochs} | {work.steps * work.epochs:,} "
        f"| {work.batch} | {work.saved * work.batch / 1e9:.1f} | {work.forward / 1e9:.1f} "
        f"| {work.both / 1e9:.1f} | {work.flops / 1e15:.1f} | "
        + " | ".join(f"{hours(work.flops, gpu):.1f}" for gpu in IMAGES_A_SECOND)
        + " |"
    )


def _totals(params: Params, patches: int) -> dict[str, tuple[int, int, float]]:
    """Cells, runs and FLOPs of each task, of the variant, of the untrained network, and of all."""
    rows = {}
    for task in PAGES:
        names = [params.poolings[c.pooling].name for c in params.cells.values() if c.task == task]
        seeds = len(params.profiles.paper.schedule(task).seeds)
        flops = seeds * sum(work_of(params, task, name, patches).flops for name in names)
        rows[task] = len(names), seeds * len(names), flops
    variant = work_of(params, params.train.task, params.pooling.name, patches)
    rows["variant"] = 0, 1, variant.flops
    untrained = [
        work_of(params, cell.task, params.poolings[cell.pooling].name, patches).untrained
        for cell in params.untrained.values()
    ]
    rows["untrained"] = 0, len(untrained), sum(untrained)
    cells, runs, flops = (sum(column) for column in zip(*rows.values(), strict=True))
    return rows | {"all": (cells, runs, flops)}


def _total(title: str, cells: int, runs: int, flops: float) -> str:
    taken = " | ".join(f"{hours(flops, gpu):.0f}" for gpu in IMAGES_A_SECOND)
    return f"| {title} | {cells or ''} | {runs} | {flops / 1e15:,.0f} | {taken} |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--patches", type=int, default=PATCHES_A_PAGE, help="a page")
    patches = arguments.parse_args().patches
    paper = under("paper")
    print(tables(paper, under("authors-code"), patches))
    print(f"\n{system_table(paper)}")


if __name__ == "__main__":
    main()
