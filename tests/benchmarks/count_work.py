"""Work of the profile `paper`, counted, as Markdown on standard output.

python -m tests.benchmarks.count_work [--patches 32]

Prints the tables of docs/paper.md, section Work.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from dgmp.models import ResNet50
from pipeline.params import Params, load_params
from pipeline.settings.base import Task
from pipeline.settings.training import Writers

PATCHES_A_PAGE = 32
"""Assumed of ICDAR17-WI: what the filter keeps of real manuscript pages of 3 megapixels."""
PAGES: dict[Task, tuple[int, int, int]] = {
    "writers": (354 * 3, 40 * 3, 720 * 5),
    "scripts_a": (1796, 204, 1000),
    "scripts_b": (3178, 361, 2000),
}
"""Of training, validation and test set."""
GPUS = {"A100, bf16": (312, 0.25), "V100, fp32": (15.7, 0.6)}
"""Peak in TFLOP/s, and the part of it that training is assumed to sustain."""


@dataclass(frozen=True)
class Work:
    """Of one run.

    Attributes:
        steps: In an epoch.
        epochs: How many.
        batch: Images in a step.
        validation: Images seen by each validation.
        test: Images of the test set.
        forward: FLOPs of an image.
        both: FLOPs of an image, forward and backward.
    """

    steps: int
    epochs: int
    batch: int
    validation: int
    test: int
    forward: float
    both: float

    @property
    def flops(self) -> float:
        """Of training, the validation of every epoch, and the test."""
        training = self.steps * self.epochs * self.batch * self.both
        return training + (self.epochs * self.validation + self.test) * self.forward


@cache
def flops_of_an_image(size: int, last_stride: int, pooling: str) -> tuple[float, float]:
    """Forward, and forward and backward, of ResNet-50 and the pooling on one image.

    Two for each multiplication with its addition. Optimizer, loss and what goes value by value
    are left out.
    """
    with torch.device("meta"):
        network = ResNet50(last_stride=last_stride)
        image = torch.rand(1, 1, size, size)
    with FlopCounterMode(display=False) as forward:
        shape = network(image).shape
    with FlopCounterMode(display=False) as both:
        network(image).sum().backward()
    solved = pooling_flops(shape[1], shape[2] * shape[3]) if pooling == "dgmp" else 0.0
    return forward.get_total_flops() + solved, both.get_total_flops() + solved


def pooling_flops(depth: int, locations: int) -> float:
    """Of Eq. 9 with its derivative: Gram matrix, Cholesky factor, ten for each activation."""
    return 2 * locations**2 * depth + locations**3 / 3 + 10 * depth * locations


def work_of(params: Params, task: Task, pooling: str, patches: int) -> Work:
    """The work of a run of the profile `paper`."""
    profile = params.profiles.paper
    schedule = profile.schedule(task)
    images, validation, test = PAGES[task]
    if isinstance(schedule, Writers):
        images, validation, test = (patches * pages for pages in (images, validation, test))
        size, batch = profile.patches.size, schedule.writers_per_batch * schedule.patches_per_writer
        steps = schedule.steps_per_epoch or images // batch
    else:
        size, batch = schedule.crop, schedule.batch_size
        steps = images // batch
    forward, both = flops_of_an_image(size, schedule.last_stride, pooling)
    return Work(steps, schedule.epochs, batch, validation, test, forward, both)


def hours(flops: float, gpu: str) -> float:
    """On one GPU."""
    peak, part = GPUS[gpu]
    return flops / (1e12 * peak * part) / 3600


def tables(params: Params, patches: int) -> str:
    """Three tables: how many images there are, what a run does, what all runs of a task take."""
    lines = [
        "| task | pages: training | validation | test | images: training | validation | test |",
        "|:--|" + "--:|" * 6,
    ]
    for task, pages in PAGES.items():
        images = [patches * n if task == "writers" else n for n in pages]
        title = params.profiles.paper.titles.model_dump()[task]
        lines.append(f"| {title} | " + " | ".join(f"{n:,}" for n in [*pages, *images]) + " |")
    lines += [
        "",
        "| task, pooling | steps an epoch | epochs | steps a run | images a step | GFLOP an image, "
        "forward | with backward | PFLOP a run | "
        + " | ".join(f"hours a run, {gpu}" for gpu in GPUS)
        + " |",
        "|:--|" + "--:|" * (7 + len(GPUS)),
    ]
    for task in PAGES:
        for pooling in ("avg", "dgmp"):
            work = work_of(params, task, pooling, patches)
            name = "DGMP" if pooling == "dgmp" else "others"
            lines.append(
                f"| {params.profiles.paper.titles.model_dump()[task]}, {name} | {work.steps:,} "
                f"| {work.epochs} | {work.steps * work.epochs:,} | {work.batch} "
                f"| {work.forward / 1e9:.1f} | {work.both / 1e9:.1f} | {work.flops / 1e15:.1f} | "
                + " | ".join(f"{hours(work.flops, gpu):.2f}" for gpu in GPUS)
                + " |"
            )
    lines += [
        "",
        "| task | cells | runs | PFLOP | " + " | ".join(f"hours, {gpu}" for gpu in GPUS) + " |",
        "|:--|" + "--:|" * (3 + len(GPUS)),
    ]
    totals = []
    for task in PAGES:
        cells = [cell for cell in params.cells.values() if cell.task == task]
        seeds = len(params.profiles.paper.schedule(task).seeds)
        names = [params.poolings[cell.pooling].name for cell in cells]
        flops = seeds * sum(work_of(params, task, name, patches).flops for name in names)
        totals.append((len(cells), seeds * len(cells), flops))
        lines.append(_row(params.profiles.paper.titles.model_dump()[task], *totals[-1]))
    cells, runs, flops = (sum(column) for column in zip(*totals, strict=True))
    return "\n".join([*lines, _row("all", cells, runs, flops)])


def _row(title: str, cells: int, runs: int, flops: float) -> str:
    taken = " | ".join(f"{hours(flops, gpu):.0f}" for gpu in GPUS)
    return f"| {title} | {cells} | {runs} | {flops / 1e15:,.0f} | {taken} |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--patches", type=int, default=PATCHES_A_PAGE, help="a page")
    print(tables(load_params(), arguments.parse_args().patches))


if __name__ == "__main__":
    main()
