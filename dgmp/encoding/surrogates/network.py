"""The network of Cl-S: a small residual network that tells the surrogate class of a patch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pixel_unshuffle, relu

Floats = NDArray[np.float32]
STAGES = 3
RISE = 0.1
"""Part of the steps in which the learning rate rises."""


class SurrogateNet(nn.Module):
    """A residual network with pre-activation (He et al. 2016), of the family ResNet-20.

    Its first layer reads the patch in blocks of 2 x 2 pixels, as four channels, so that all other
    layers work at half the resolution: on a CPU that is 2.6 times as fast (width 16, 1 block,
    patches of 32 x 32: 1,480 patches a second and core in training instead of 580).

    Args:
        classes: Surrogate classes.
        width: Channels of the first of three stages; the next have two and four times as many.
        blocks: Residual blocks of two layers in each stage.

    Shape:
        uint8 or float (B, h, w) of even h and w, 1 is ink -> scores (B, classes);
        `activations` -> (B, 4 width).
    """

    def __init__(self, classes: int, *, width: int, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, width, 3, padding=1, bias=False)
        self.blocks = nn.Sequential()
        channels = width
        for stage in range(STAGES):
            for block in range(blocks):
                first = stage > 0 and block == 0
                self.blocks.append(_Block(channels, width * 2**stage, 2 if first else 1))
                channels = width * 2**stage
        self.norm = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def activations(self, patches: Tensor) -> Tensor:
        """What the last layer reads: means of the last volume over its locations, (B, 4 width)."""
        x = pixel_unshuffle(patches[:, None].float(), 2)
        x = self.blocks(self.stem(x.contiguous(memory_format=torch.channels_last)))
        return relu(self.norm(x)).mean(dim=(2, 3))

    def forward(self, patches: Tensor) -> Tensor:
        scores: Tensor = self.head(self.activations(patches))
        return scores


class _Block(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.shortcut = (
            nn.Identity()
            if channels == out and stride == 1
            else nn.Conv2d(channels, out, 1, stride=stride, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = relu(self.norm1(x))
        kept = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(y)
        added: Tensor = kept + self.conv2(relu(self.norm2(self.conv1(y))))
        return added


@dataclass(frozen=True)
class Schedule:
    """Stochastic gradient descent with Nesterov's momentum.

    Attributes:
        epochs: Passes over the patches.
        batch_size: Patches in a step; what is left over of an epoch is not used in it.
        learning_rate: Its highest value, see `rate_factor`.
        momentum: Of Nesterov's method.
        weight_decay: Of all weights.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float


@dataclass(frozen=True)
class Epoch:
    """Means over the steps of an epoch, before each step: loss, and accuracy in percent."""

    epoch: int
    loss: float
    accuracy: float


def rate_factor(step: int, steps: int) -> float:
    """Part of the learning rate at a step: a linear rise over `RISE` of the steps, then a fall.

    It falls linearly, to zero after the last step.

    >>> [round(rate_factor(step, 20), 2) for step in (0, 1, 2, 11, 19)]
    [0.5, 1.0, 1.0, 0.5, 0.06]
    """
    rise = max(1, round(RISE * steps))
    return min((step + 1) / rise, (steps - step) / max(1, steps - rise))


def train(
    net: SurrogateNet,
    patches: NDArray[np.uint8],
    labels: NDArray[np.int64],
    schedule: Schedule,
    rng: np.random.Generator,
    report: Callable[[int], object] = lambda patches: None,
) -> list[Epoch]:
    """Train the network to tell the labels of patches, by cross-entropy.

    It ends in evaluation mode.

    On a CPU the result depends on the number of PyTorch's threads, in the last digits.

    Args:
        net: On the device that computes.
        patches: (n, h, w), 1 is ink.
        labels: (n,), from 0.
        schedule: Of the training.
        rng: Draws the order of the patches.
        report: Called after each step with its number of patches.

    Raises:
        ValueError: There are no patches.
        ValueError: The loss is not a finite number.
    """
    if not len(patches):
        raise ValueError("there are no patches to train on")
    device = net.head.weight.device
    net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        net.parameters(),
        schedule.learning_rate,
        momentum=schedule.momentum,
        weight_decay=schedule.weight_decay,
        nesterov=True,
    )
    size = min(schedule.batch_size, len(patches))
    batches = len(patches) // size
    curve = []
    net.train()
    for epoch in range(schedule.epochs):
        order = rng.permutation(len(patches))[: batches * size].reshape(batches, size)
        # Added up on the device: reading a number there would wait for it.
        loss_sum, right = torch.zeros(2, device=device, dtype=torch.float64)
        for number, rows in enumerate(order):
            factor = rate_factor(epoch * batches + number, schedule.epochs * batches)
            for group in optimizer.param_groups:
                group["lr"] = factor * schedule.learning_rate
            target = torch.from_numpy(labels[rows]).to(device)
            scores = net(torch.from_numpy(patches[rows]).to(device))
            loss = cross_entropy(scores, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach()
            right += (scores.detach().argmax(dim=1) == target).sum()
            report(size)
        mean = loss_sum.item() / batches
        if not math.isfinite(mean):
            raise ValueError(f"the loss is {mean} in epoch {epoch + 1}: lower learning_rate")
        curve.append(Epoch(epoch + 1, mean, 100 * right.item() / order.size))
    net.eval()
    return curve


@torch.inference_mode()
def activations(net: SurrogateNet, patches: NDArray[np.uint8], batch: int = 256) -> Floats:
    """Activations before the last layer, float32 (n, 4 width), of patches (n, h, w), 1 is ink.

    Args:
        net: Left in evaluation mode.
        patches: Of any number, none too.
        batch: Patches at once.
    """
    net.eval()
    device = net.head.weight.device
    found = np.empty((len(patches), net.head.in_features), np.float32)
    for start in range(0, len(patches), batch):
        rows = slice(start, start + batch)
        found[rows] = net.activations(torch.from_numpy(patches[rows]).to(device)).cpu().numpy()
    return found
