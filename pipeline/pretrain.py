"""Stage pretrain: the starting weights that every cell shares."""

import torch
from safetensors.torch import save_file

from dgmp.files import whole_file
from pipeline.pretraining.imagenet import imagenet_backbone
from pipeline.pretraining.scribes import pretrain
from pipeline.published.download import downloads_of
from pipeline.shared.memory import keep_freed_memory
from pipeline.shared.settings.params import load_params
from pipeline.shared.settings.training import PretrainScribes
from pipeline.shared.stage import run

THREADS = 2
"""A fixed number, so that the weights do not depend on the number of cores."""


def main() -> None:
    params = load_params()
    profile = params.active
    keep_freed_memory()
    torch.set_num_threads(THREADS)
    if isinstance(profile.pretrain, PretrainScribes):
        backbone = pretrain(profile, profile.pretrain)
    else:
        backbone = imagenet_backbone(profile, downloads_of(params))
    path = params.data / "pretrain" / "weights.safetensors"
    state = {key: value.contiguous() for key, value in backbone.state_dict().items()}
    with whole_file(path) as part:
        save_file(state, part)


if __name__ == "__main__":
    run(main)
