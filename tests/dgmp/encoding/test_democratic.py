import pytest
import torch

from dgmp.encoding.democratic import DAMPING, democratic_weights


def positive(seed: int, samples: int = 3, width: int = 6, count: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(samples, width, count, generator=generator, dtype=torch.float64) + 0.1


def looped(vectors: list[list[float]], iterations: int) -> list[float]:
    """Algorithm 1 of Jégou and Zisserman 2014 as plain loops."""
    n = len(vectors)
    kernel = [
        [max(sum(x * y for x, y in zip(a, b, strict=True)), 0) for b in vectors] for a in vectors
    ]
    weights = [1.0] * n
    for _ in range(iterations):
        shares = [weights[i] * sum(kernel[i][j] * weights[j] for j in range(n)) for i in range(n)]
        weights = [w / share**DAMPING for w, share in zip(weights, shares, strict=True)]
    return weights


@pytest.mark.parametrize("iterations", [1, 10])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_oracle_loops(iterations, shift):
    phi = positive(0) - shift  # shifted, with negative products
    weights = democratic_weights(phi, iterations=iterations)
    for sample, found in zip(phi, weights, strict=True):
        expected = looped(sample.T.tolist(), iterations)
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_every_descriptor_contributes_alike():
    phi = positive(1)
    weights = democratic_weights(phi, iterations=200)
    kernel = phi.mT @ phi
    shares = weights * (kernel @ weights.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(shares, torch.ones_like(shares))


def test_ten_steps_are_near_the_solution():
    phi = positive(2, count=30)
    weights = democratic_weights(phi)
    limit = democratic_weights(phi, iterations=500)
    torch.testing.assert_close(weights, limit, rtol=0.01, atol=0)


def test_padding_with_zeros_changes_nothing():
    phi = positive(3)
    padded = torch.cat([phi, torch.zeros(3, 6, 4, dtype=phi.dtype)], dim=2)
    weights = democratic_weights(padded)
    assert not weights[:, 8:].any()
    torch.testing.assert_close(weights[:, :8], democratic_weights(phi))


def test_descriptors_of_zeros_weigh_nothing():
    phi = positive(4)
    phi[0, :, 2] = 0
    phi[1] = 0
    weights = democratic_weights(phi)
    assert weights.isfinite().all()
    assert weights[0, 2] == 0
    assert not weights[1].any()
