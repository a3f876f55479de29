import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from dgmp.images.augmentation import ScriptAugmentation, center_view
from dgmp.learning.backbones.resnet import narrow_resnet
from dgmp.learning.inference import Inference
from dgmp.learning.inputs import AugmentedViews, CentralViews
from dgmp.learning.loop import fit, seed_everything
from dgmp.learning.models import Classifier, Standardize
from dgmp.learning.optimizer import OptimizerSettings, build_optimizer
from dgmp.learning.script_classification import (
    ScriptBatches,
    class_scores,
    cross_entropy_step,
)
from dgmp.pooling.registry import build_pooling

CPU = torch.device("cpu")
CROP = 24
VIEWS = ScriptAugmentation(CROP, scale=(0.3, 1.0))


def pages(count: int = 10) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, rng.integers(30, 60, 2), dtype=np.uint8) for _ in range(count)]


def batches(
    images: list[np.ndarray],
    labels: np.ndarray,
    augmentation: ScriptAugmentation = VIEWS,
    **changes,
) -> ScriptBatches:
    wanted = {"batch": 4, "rng": np.random.default_rng(0)} | changes
    return ScriptBatches(AugmentedViews(images, labels.astype(str), augmentation), labels, **wanted)


def central(images: list[np.ndarray]) -> CentralViews:
    names = np.array([f"{i}.png" for i in range(len(images))], dtype=str)
    return CentralViews(images, names, names, CROP)


class Sums(nn.Module):
    """Mean and maximum of a view as scores."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.mean(dim=(1, 2, 3)), x.amax(dim=(1, 2, 3))], dim=1)


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_oracle_scores_are_those_of_single_views_in_order(batch):
    found = class_scores(Sums(), central(pages()), Inference(batch))
    views = [center_view(page, CROP) / 255 for page in pages()]
    np.testing.assert_allclose(found, [(v.mean(), v.max()) for v in views], atol=1e-5)
    assert found.dtype == np.float32


def test_scoring_switches_dropout_and_batch_statistics_off():
    net = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(1), Sums()).train()
    again = [class_scores(net, central(pages()), Inference(4)) for _ in range(2)]
    assert np.array_equal(*again)


def test_errors_no_pages_to_score():
    with pytest.raises(ValueError, match="no pages to classify"):
        class_scores(Sums(), central([]), Inference(4))


def test_shapes_an_epoch_shows_each_page_once_but_for_the_rest():
    labels = np.arange(10)
    drawn = list(batches(pages(), labels)())
    assert [tuple(x.shape) for x, _ in drawn] == [(4, 1, CROP, CROP)] * 2
    shown = [label for _, y in drawn for label in y.tolist()]
    assert len(set(shown)) == 8
    for x, _ in drawn:
        assert x.min() >= 0
        assert x.max() <= 1
        assert x.dtype == torch.float32


def test_fallback_fewer_pages_than_a_batch_are_one_batch():
    drawn = list(batches(pages(3), np.arange(3), batch=28)())
    assert [sorted(y.tolist()) for _, y in drawn] == [[0, 1, 2]]


def test_property_batches_repeat_with_the_seed_and_go_on_within_a_run():
    one, other = (batches(pages(), np.arange(10)) for _ in range(2))
    epochs = [[(x.numpy().tobytes(), *y.tolist()) for x, y in one()] for _ in range(2)]
    assert epochs[0] == [(x.numpy().tobytes(), *y.tolist()) for x, y in other()]
    assert epochs[0] != epochs[1]


def test_property_labels_stay_with_their_pages():
    tones = [np.full((40, 40), 20 * i, np.uint8) for i in range(10)]
    still = ScriptAugmentation(CROP, brightness=0, contrast=0)
    for x, y in batches(tones, np.arange(10), augmentation=still)():
        torch.testing.assert_close(x.mean(dim=(1, 2, 3)), 20 * y / 255)


def test_oracle_cross_entropy():
    scores, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    expected = -scores.log_softmax(dim=1)[range(6), labels].mean()
    result = cross_entropy_step(nn.Identity(), scores, labels)
    torch.testing.assert_close(result.loss, expected)
    assert (result.active, result.spread) == (None, None)


def test_smoke_three_directions_of_lines_are_learned():
    rng = seed_everything(0)
    rows, columns = np.mgrid[:48, :48]
    waves = [rows, columns, rows + columns]
    labels = np.arange(24) % 3
    images = [
        (128 + 60 * np.sin(waves[k] / 2 + rng.uniform(0, 6)) + rng.normal(0, 30, (48, 48)))
        .clip(0, 255)
        .astype(np.uint8)
        for k in labels
    ]
    net = Classifier(
        Standardize(0.5, 0.2), narrow_resnet(2, last_stride=1), build_pooling("avg"), 3
    )

    def error(net: nn.Module) -> float:
        scores = class_scores(net, central(images), Inference(24))
        return 100 * float((scores.argmax(axis=1) != labels).mean())

    untrained = error(net)
    history = fit(
        net,
        build_optimizer(net, OptimizerSettings(0.01, 0.00001)),
        epochs=20,
        decay_start=20,
        batches=batches(images, labels, batch=12, rng=rng),
        step=cross_entropy_step,
        validate=error,
        accelerator=Accelerator(cpu=True),
    )
    assert error(net) == history.best_error
    assert history.best_error <= 10 < untrained
