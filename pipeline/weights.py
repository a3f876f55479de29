"""Stage weights: the starting weights that every cell shares."""

from safetensors.torch import save_file

from dgmp.files import whole_file
from pipeline.pretrained.weights import starting_backbone
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run


def main() -> None:
    params = load_params()
    backbone = starting_backbone(params)
    state = {key: value.contiguous() for key, value in backbone.state_dict().items()}
    with whole_file(params.data / "weights" / "backbone.safetensors") as part:
        save_file(state, part)


if __name__ == "__main__":
    run(main)
