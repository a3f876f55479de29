"""Stage activations: local descriptors of all pages by a network that learned without labels.

Reads data/<profile>/binarize/ and describe/writers/. Writes to data/<profile>/activations/:
network.safetensors, curve.csv (loss and accuracy by epoch), and writers/ as the stage describe,
with the network's activations instead of SIFT.
"""

import json
import logging
import time

import pandas as pd
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from dgmp.encoding.surrogates.network import Schedule, SurrogateNet, train
from dgmp.files import whole_folder
from dgmp.learning.loop import seed_everything
from pipeline.shared.page_lists import SPLITS
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run
from pipeline.surrogates.page_activations import page_activations
from pipeline.surrogates.training_patches import training_patches
from pipeline.systems.local_store import LocalStore, write_store

log = logging.getLogger(__name__)


def main() -> None:
    params = load_params()
    settings = params.active.surrogates
    torch.set_num_threads(params.active.workers)
    rng = seed_everything(settings.seed)
    described, binary = params.data / "describe" / "writers", params.data / "binarize"
    clock = time.perf_counter()
    patches, labels = training_patches(
        LocalStore(described, ("train", "val")), binary, settings, rng
    )
    net = SurrogateNet(settings.classes, width=settings.width, blocks=settings.blocks)
    net.to("cuda" if torch.cuda.is_available() else "cpu")
    schedule = Schedule(**settings.model_dump(include=set(Schedule.__annotations__)))
    with tqdm(
        total=len(patches) * schedule.epochs, desc="surrogates", unit=" patches", disable=None
    ) as bar:
        curve = train(net, patches, labels, schedule, rng, report=bar.update)
    trained = time.perf_counter() - clock
    log.info(
        "surrogates: %d patches of %d classes, training accuracy %.1f %%, %.0f s",
        len(patches),
        settings.classes,
        curve[-1].accuracy,
        trained,
    )
    with whole_folder(params.data / "activations") as folder:
        weights = {name: value.contiguous() for name, value in net.state_dict().items()}
        save_file(weights, folder / "network.safetensors")
        pd.DataFrame(curve).to_csv(folder / "curve.csv", index=False, lineterminator="\n")
        (folder / "writers").mkdir()
        store = LocalStore(described, SPLITS)
        write_store(folder / "writers", store.pages, page_activations(net, store, binary, settings))
        seconds = {
            "seconds": round(time.perf_counter() - clock, 1),
            "training": round(trained, 1),
            "pages": len(store),
        }
        (folder / "writers" / "seconds.json").write_text(json.dumps(seconds) + "\n", "utf-8")


if __name__ == "__main__":
    run(main)
