"""Where generalized max pooling looks: its weights over one image, beside average pooling's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dgmp.pooling.layers import DGMP


@torch.no_grad()
def weight_map(network: nn.Module, pooling: DGMP, image: Tensor) -> Tensor:
    """Weights alpha (Eq. 9) of the locations of one image, in units of average pooling's weight.

    Average pooling weighs each of the N locations by 1/N, so alpha is divided by its mean: 2 is
    twice the weight that a location has in average pooling, and all weights average 1. (The sum
    of alpha, 1^T (Phi^T Phi + lambda I)^-1 1, is positive.) Single weights may be negative: such
    a location is subtracted. Since lambda alpha_i = 1 - phi_i^T xi, weak activations, as those
    of blank paper, are weighted up and still add little to the descriptor.

    The weights belong to the image as a whole. In a larger one lambda stands against the errors
    of more locations and regularizes less; cut out what the network was trained on to see what
    happened there.

    Args:
        network: Fully convolutional, (1, C, H, W) -> (1, D, h, w), in evaluation mode.
        pooling: The layer with its lambda.
        image: (C, H, W), on the network's device and like its training images: size of the
            writing, range of values, standardization.

    Returns:
        (h, w), float64, on the CPU.

    Raises:
        ValueError: the pooling is for channels last, the image is not (C, H, W), the network is in
            training mode or does not return (1, D, h, w), or its activations are not finite.

    Examples:
        >>> network = nn.Sequential(nn.Conv2d(1, 8, 5, stride=4, padding=2), nn.ReLU()).eval()
        >>> image = torch.rand(1, 32, 48)
        >>> weights = weight_map(network, DGMP(lambda_init=1000.0), image)
        >>> weights.shape
        torch.Size([8, 12])
        >>> enlarge(weights, image, stride=4).shape  # to be shown by matplotlib's imshow
        torch.Size([32, 48])
    """
    if pooling.channels_last:
        raise ValueError(
            "pooling has channels_last=True, but convolutions return (1, D, h, w): give a DGMP "
            "without it"
        )
    if image.ndim != 3:
        raise ValueError(f"image must be (C, H, W), got {tuple(image.shape)}")
    if network.training:
        raise ValueError(
            "network is in training mode, where batch normalization depends on the batch: call "
            "network.eval() first"
        )
    volume = network(image.unsqueeze(0))
    if volume.ndim != 4 or len(volume) != 1:
        raise ValueError(
            f"network must return activations (1, D, h, w), got {tuple(volume.shape)}: give the "
            "part of it that comes before the pooling"
        )
    if not volume.isfinite().all():
        raise ValueError(
            "network returned activations that are not finite: check its weights and the image"
        )
    # With more locations than maps alpha is a difference that cancels in float32, and not every
    # device has float64.
    _, alpha = pooling(volume.cpu().double(), return_weights=True)
    weights: Tensor = alpha[0] / alpha.mean()
    return weights


def enlarge(weights: Tensor, image: Tensor, *, stride: int) -> Tensor:
    """Give each pixel of the image the weight of the nearest location.

    Location (i, j) is centred on the pixel (stride * i, stride * j), as in a ResNet and every
    other network of odd kernels that are padded by half their size. What the network sees of the
    image there reaches farther than to the next location.

    Args:
        weights: (h, w), see `weight_map`.
        image: (C, H, W), where they come from.
        stride: Pixels between locations, e.g. 32 for a ResNet.

    Returns:
        (H, W).

    Raises:
        ValueError: h or w does not follow from H or W by this stride.

    Examples:
        >>> enlarge(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2, 8), stride=4)
        tensor([[1., 1., 2., 2., 2., 2., 2., 2.],
                [1., 1., 2., 2., 2., 2., 2., 2.]])
    """
    locations = tuple(-(-length // stride) for length in image.shape[-2:])
    if tuple(weights.shape) != locations:
        raise ValueError(
            f"weights must be {locations} for an image {tuple(image.shape)} and a stride of "
            f"{stride}, got {tuple(weights.shape)}"
        )
    rows, columns = (
        ((torch.arange(length) + stride // 2) // stride).clamp(max=count - 1)
        for length, count in zip(image.shape[-2:], locations, strict=True)
    )
    return weights[rows][:, columns]
