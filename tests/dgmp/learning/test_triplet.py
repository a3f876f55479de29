from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from dgmp.learning.triplet import BatchHardTripletLoss, batches_of_classes

P, K, D = 4, 3, 5


def naive_batch_hard(
    descriptors: Tensor, labels: Tensor, margin: float, power: int = 2
) -> tuple[Tensor, float]:
    """Eq. 11 by loops: the mean over the violating triplets, and their fraction."""
    losses = []
    for a in range(len(labels)):
        positives, negatives = [], []
        for other in range(len(labels)):
            if other == a:
                continue
            distance = (descriptors[a] - descriptors[other]).norm() ** power
            (positives if labels[other] == labels[a] else negatives).append(distance)
        hardest = max(positives, key=Tensor.item) - min(negatives, key=Tensor.item)
        losses.append(torch.clamp(margin + hardest, min=0))
    violating = [loss for loss in losses if loss > 0]
    mean = torch.stack(violating).mean() if violating else 0 * descriptors.sum()
    return mean, len(violating) / len(losses)


def triplets_of_the_authors_code(labels: Tensor, distances: Tensor) -> list[tuple[int, int, int]]:
    """Each pair of a class once, i < j, i with its nearest negative of the whole batch."""
    found = []
    for i in range(len(labels)):
        for j in range(i + 1, len(labels)):
            if labels[i] != labels[j]:
                continue
            nearest = -1
            for k in range(len(labels)):
                if labels[k] == labels[i]:
                    continue
                if nearest < 0 or distances[i, k] < distances[i, nearest]:
                    nearest = k
            found.append((i, j, nearest))
    return found


def batch(seed: int, spread: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(P).repeat_interleave(K)
    centres = torch.randn(P, D, generator=generator, dtype=torch.float64)
    noise = torch.randn(P * K, D, generator=generator, dtype=torch.float64)
    return normalize(centres[labels] + spread * noise, dim=1), labels


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    spread=st.floats(0.05, 3),
    margin=st.sampled_from([0.1, 0.2, 0.5]),
)
def test_oracle_loss_gradient_and_statistics(seed: int, spread: float, margin: float) -> None:
    descriptors, labels = batch(seed, spread)
    ours, naive = (descriptors.clone().requires_grad_() for _ in range(2))
    found = BatchHardTripletLoss(margin)(ours, labels)
    expected, active = naive_batch_hard(naive, labels, margin)
    found.loss.backward()
    expected.backward()
    torch.testing.assert_close(found.loss, expected)
    torch.testing.assert_close(ours.grad, naive.grad, atol=1e-8, rtol=1e-6)
    assert found.active == pytest.approx(active)
    squares = ((descriptors[:, None] - descriptors) ** 2).sum(dim=-1)
    assert found.spread == pytest.approx(squares.mean().item())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.floats(0.05, 3), shuffled=st.booleans())
def test_oracle_mining_of_the_authors_code(seed: int, spread: float, shuffled: bool) -> None:
    descriptors, labels = batch(seed, spread)
    if shuffled:
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        descriptors, labels = descriptors[order], labels[order]
    ours, naive = (descriptors.clone().requires_grad_() for _ in range(2))
    found = BatchHardTripletLoss(0.2, mining="all-positives")(ours, labels)
    squares = ((naive[:, None] - naive) ** 2).sum(dim=-1)
    triplets = triplets_of_the_authors_code(labels, squares.detach())
    assert len(triplets) == P * K * (K - 1) / 2
    hinges = [0.2 + squares[a, p] - squares[a, n] for a, p, n in triplets]
    kept = [hinge for hinge in hinges if hinge > 0]
    expected = torch.stack(kept).mean() if kept else 0 * naive.sum()
    found.loss.backward()
    expected.backward()
    torch.testing.assert_close(found.loss, expected)
    torch.testing.assert_close(ours.grad, naive.grad, atol=1e-8, rtol=1e-6)
    assert found.active == pytest.approx(len(kept) / len(triplets))


@pytest.mark.parametrize("margin", [0.02, 0.5])
def test_oracle_of_the_euclidean_distance(margin: float) -> None:
    descriptors, labels = batch(5, 0.3)
    ours, theirs = (descriptors.clone().requires_grad_() for _ in range(2))
    found = BatchHardTripletLoss(margin, distance="euclidean")(ours, labels)
    loss, active = naive_batch_hard(theirs, labels, margin, power=1)
    assert active > 0
    torch.testing.assert_close(found.loss, loss)
    assert found.active == pytest.approx(active)
    wanted = torch.autograd.grad(loss, theirs)
    assert wanted[0].abs().max() > 0
    torch.testing.assert_close(torch.autograd.grad(found.loss, ours), wanted)


@pytest.mark.parametrize("mining", ["hardest", "all-positives"])
def test_oracle_sum_of_eq_11(mining: str) -> None:
    for seed, spread in ((0, 0.8), (1, 2.0), (2, 0.01)):
        descriptors, labels = batch(seed, spread)
        mean = BatchHardTripletLoss(0.2, mining=mining)(descriptors, labels)
        total = BatchHardTripletLoss(0.2, mining=mining, reduction="sum")(descriptors, labels)
        triplets = P * K if mining == "hardest" else P * K * (K - 1) // 2
        violating = mean.active * triplets
        assert total.active == mean.active
        assert total.loss.item() == pytest.approx(mean.loss.item() * violating)


def test_property_no_violation_gives_zero_loss_and_gradient() -> None:
    labels = torch.arange(P).repeat_interleave(K)
    descriptors = torch.eye(P)[labels].requires_grad_()
    found = BatchHardTripletLoss(0.5)(descriptors, labels)
    found.loss.backward()
    assert found.loss.item() == 0
    assert found.active == 0
    assert not descriptors.grad.any()


def test_collapse_is_recognized_and_told_from_a_hard_start() -> None:
    labels = torch.arange(P).repeat_interleave(K)
    loss = BatchHardTripletLoss(0.2)
    same = loss(normalize(torch.ones(P * K, D), dim=1), labels)
    assert same.loss.item() == pytest.approx(0.2, abs=1e-4)
    assert same.active == 1
    assert loss.collapsed(same.loss.item(), same.spread)
    hard = loss(normalize(torch.randn(P * K, D), dim=1), labels)
    assert not loss.collapsed(hard.loss.item(), hard.spread)
    assert not loss.collapsed(0.05, 0.001)


LABELS = np.array([0] * 7 + [1] * 3 + [2] * 5 + [3] * 4 + [4] * 6)


def draw(seed: int, **changes) -> list[list[int]]:
    wanted = {"classes": 3, "samples": 3, "batches": 20} | changes
    return list(batches_of_classes(LABELS, rng=np.random.default_rng(seed), **wanted))


def test_shapes_p_classes_of_k_different_indices() -> None:
    drawn = draw(0)
    assert len(drawn) == 20
    seen = set()
    for indices in drawn:
        assert Counter(LABELS[i] for i in indices).most_common() == [
            (label, 3) for label in dict.fromkeys(LABELS[i] for i in indices)
        ]
        assert len(set(indices)) == 9
        seen.update(indices)
    assert seen == set(range(len(LABELS)))


def test_property_the_generator_alone_decides() -> None:
    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    np.random.seed(0)  # noqa: NPY002 - the global generator must not matter
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = draw(1)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert draw(1) == first


def test_property_the_stream_goes_on_from_epoch_to_epoch() -> None:
    rng = np.random.default_rng(0)
    epochs = [
        list(batches_of_classes(LABELS, classes=3, samples=3, batches=4, rng=rng)) for _ in "12"
    ]
    assert epochs[0] != epochs[1]


def test_fallback_a_class_with_few_indices_is_drawn_with_replacement() -> None:
    for indices in draw(0, classes=5, samples=5):
        counts = Counter(LABELS[i] for i in indices)
        assert counts == dict.fromkeys(range(5), 5)


def test_errors_too_few_classes() -> None:
    with pytest.raises(ValueError, match="needs 6 classes, but there are 5: lower writers_per_b"):
        draw(0, classes=6)
