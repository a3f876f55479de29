"""The starting weights that small networks get."""

from pathlib import Path

from pipeline.pretraining.scribes import STEPS_PER_EPOCH, pretrain
from pipeline.shared.settings.params import load_params

ROOT = Path(__file__).parents[3]


def test_property_weights_are_those_of_the_last_epoch() -> None:
    profile = load_params(ROOT / "params.yaml").active
    steps = 2 * STEPS_PER_EPOCH
    small = {"scribes": 2, "pages": 1, "height": 64, "width": 64, "line_pitch": 24}
    settings = profile.pretrain.model_copy(
        update=small | {"crop": 32, "batch_size": 2, "steps": steps}
    )
    network = {"backbone": profile.backbone.model_copy(update={"width": 1}), "workers": 1}
    backbone = pretrain(profile.model_copy(update=network), settings)
    trained = [v for k, v in backbone.state_dict().items() if k.endswith("num_batches_tracked")]
    assert trained
    assert all(count == steps for count in trained)
