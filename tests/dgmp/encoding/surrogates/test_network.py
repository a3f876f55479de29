import numpy as np
import pytest
import torch

from dgmp.encoding.surrogates.network import (
    Schedule,
    SurrogateNet,
    activations,
    rate_factor,
    train,
)

SCHEDULE = Schedule(epochs=4, batch_size=16, learning_rate=0.1, momentum=0.9, weight_decay=1e-4)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def bars(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Patches with a bar, upright or lying, and noise."""
    rng = np.random.default_rng(seed)
    patches = (rng.random((count, 16, 16)) < 0.1).astype(np.uint8)
    labels = rng.integers(2, size=count)
    for patch, label, place in zip(patches, labels, rng.integers(14, size=count), strict=True):
        (patch if label else patch.T)[place : place + 2] = 1
    return patches, labels


def trained(seed: int = 0, schedule: Schedule = SCHEDULE) -> tuple[SurrogateNet, list]:
    torch.manual_seed(seed)
    net = SurrogateNet(2, width=4, blocks=1)
    return net, train(net, *bars(200), schedule, np.random.default_rng(seed))


def test_it_learns_to_tell_classes():
    net, curve = trained()
    assert [row.epoch for row in curve] == [1, 2, 3, 4]
    assert curve[-1].loss < 0.3 < curve[0].loss
    patches, labels = bars(100, seed=1)
    found = net(torch.from_numpy(patches)).argmax(dim=1).numpy()
    assert (found == labels).mean() > 0.9


def test_two_trainings_are_equal_to_the_bit():
    (first, curve), (again, curve_again) = trained(), trained()
    assert curve == curve_again
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    other, _ = trained(seed=1)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_oracle_the_curve_of_one_step_is_that_of_the_untrained_network():
    torch.manual_seed(0)
    net = SurrogateNet(2, width=4, blocks=1)
    patches, labels = bars(30)
    scores = net(torch.from_numpy(patches))  # with statistics of the batch, as in training
    loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(labels)).item()
    right = 100 * (scores.argmax(dim=1).numpy() == labels).mean()
    schedule = Schedule(1, 64, 0.1, 0.9, 0)
    (row,) = train(net, patches, labels, schedule, np.random.default_rng(0))
    assert row.loss == pytest.approx(loss, rel=1e-5)
    assert row.accuracy == pytest.approx(right)


def test_every_patch_is_used_once_an_epoch_but_for_what_is_left_over():
    steps: list[int] = []
    net = SurrogateNet(2, width=4, blocks=1)
    train(net, *bars(50), SCHEDULE, np.random.default_rng(0), report=steps.append)
    assert steps == [16] * 3 * 4


def test_activations_do_not_depend_on_the_batch():
    net, _ = trained()
    patches, _ = bars(70)
    whole = activations(net, patches)
    assert whole.shape == (70, 16)
    assert whole.dtype == np.float32
    assert (whole >= 0).all()
    np.testing.assert_allclose(activations(net, patches, batch=9), whole, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(activations(net, patches[40:41]), whole[40:41], rtol=1e-4, atol=1e-6)
    assert activations(net, patches[:0]).shape == (0, 16)


def test_activations_are_what_the_last_layer_reads():
    net, _ = trained()
    patches, _ = bars(5)
    scores = net(torch.from_numpy(patches)).detach().numpy()
    weight, bias = net.head.weight.detach().numpy(), net.head.bias.detach().numpy()
    np.testing.assert_allclose(activations(net, patches) @ weight.T + bias, scores, atol=1e-5)


@pytest.mark.parametrize(("blocks", "layers"), [(1, 8), (3, 20)])
def test_layers_as_in_the_family_6n_plus_2(blocks, layers):
    net = SurrogateNet(10, width=4, blocks=blocks)
    counted = [
        name
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear) and "shortcut" not in name
    ]
    assert len(counted) == layers


def test_the_learning_rate_rises_and_falls_to_zero():
    factors = [rate_factor(step, 100) for step in range(100)]
    assert max(factors) == 1
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert 0 < factors[-1] < 0.02
    assert rate_factor(0, 1) == 1


def test_bad_input():
    net = SurrogateNet(2, width=4, blocks=1)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no patches to train on"):
        train(net, np.empty((0, 16, 16), np.uint8), np.empty(0, np.int64), SCHEDULE, rng)
    wild = Schedule(3, 16, 1e30, 0.9, 0)
    with pytest.raises(ValueError, match="in epoch 1: lower learning_rate"):
        train(net, *bars(64), wild, rng)
