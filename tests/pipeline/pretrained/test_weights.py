"""Starting weights: verified, and never unpickled beyond tensors."""

import hashlib
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torchvision.models import resnet18

from dgmp.learning.backbones.efficientnet_lite import efficientnet_lite0
from dgmp.learning.backbones.registry import build_backbone
from dgmp.learning.backbones.resnet import narrow_resnet
from pipeline import weights as stage
from pipeline.pretrained import weights
from tests.rehearsal.server import Site, serve

ROOT = Path(__file__).parents[3]
NAME = "resnet18-f37072fd.pth"
OUTPUT = Path("data/paper/weights/backbone.safetensors")


class Opened:
    """Leaves a trace if it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("unpickled"),)


def settle(backbone: str) -> None:
    """Settings of the current directory with that backbone, and the sources."""
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["profile"] = "paper"
    settings["profiles"]["paper"]["backbone"] = {"name": backbone, "width": 2}
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    Path("data").mkdir(exist_ok=True)
    sources = (ROOT / "data" / "sources.yaml").read_text(encoding="utf-8")
    Path("data/sources.yaml").write_text(sources, encoding="utf-8")


def publish(site: Site, backbone: str = "resnet18") -> None:
    """Settle, with the file that the site has."""
    settle(backbone)
    sources = yaml.safe_load(Path("data/sources.yaml").read_text(encoding="utf-8"))
    data = (site.folder / NAME).read_bytes()
    sources["files"][NAME] |= {
        "urls": [site.url(NAME)],
        "bytes": len(data),
        "checksum": f"sha256:{hashlib.sha256(data).hexdigest()}",
    }
    Path("data/sources.yaml").write_text(yaml.safe_dump(sources), encoding="utf-8")


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DGMP_MIRROR", raising=False)


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    (tmp_path / "site").mkdir()
    with serve(tmp_path / "site") as site:
        yield site


def test_smoke_weights_of_torchvision_become_the_starting_weights(site):
    torch.manual_seed(0)
    published = resnet18()
    torch.save(published.state_dict(), site.folder / NAME)
    site.break_off = {NAME}
    publish(site)
    stage.main()
    assert len(site.asked_for(NAME)) == 2
    backbone = build_backbone("resnet18", 64, last_stride=2)
    backbone.load_state_dict(load_file(OUTPUT))
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        volume = backbone.eval()(image)
        published.fc = torch.nn.Identity()
        pooled = published.eval()(image.expand(-1, 3, -1, -1))
    torch.testing.assert_close(volume.mean((2, 3)), pooled)


def test_smoke_weights_of_the_package_become_the_starting_weights():
    settle("efficientnet-lite0")
    stage.main()
    backbone = efficientnet_lite0()
    backbone.load_state_dict(load_file(OUTPUT))
    # A page of strokes, and one of paper.
    image = torch.ones(2, 1, 96, 96)
    image[0, 0, ::12], image[0, 0, :, ::17] = 0, 0
    with torch.no_grad():
        volume = backbone.eval()(image)
    assert volume.shape == (2, 1280, 3, 3)
    assert volume.isfinite().all()
    # Of random weights nearly all channels are constant and the same for both pages.
    assert (volume[0].flatten(1).std(1) > 0.01).float().mean() > 0.2
    assert ((volume[0] - volume[1]).abs().amax((1, 2)) > 0.1).float().mean() > 0.2


def test_property_weights_of_the_narrow_one_are_the_same_each_time():
    settle("narrow")
    stage.main()
    first = load_file(OUTPUT)
    first = {key: value.clone() for key, value in first.items()}
    torch.rand(7)
    stage.main()
    torch.testing.assert_close(load_file(OUTPUT), first, rtol=0, atol=0)
    assert first.keys() == narrow_resnet(2).state_dict().keys()


def test_errors_a_pickle_is_not_opened(site):
    (site.folder / NAME).write_bytes(pickle.dumps({"conv1.weight": Opened()}, protocol=2))
    publish(site)
    with pytest.raises(ValueError, match=f"{NAME} holds no weights of resnet18 alone"):
        stage.main()
    assert not Path("unpickled").exists()
    assert not OUTPUT.exists()


OTHERS = {
    "too few": {"conv1.weight": torch.zeros(1)},
    "other shapes": {f"{i}.weight": torch.zeros(1) for i in range(120)},
    "no tensors": {"epoch": 7},
    "a list": [1, 2],
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_errors_weights_of_another_network(site, content):
    assert len(OTHERS["other shapes"]) == len(
        build_backbone("resnet18", 0, last_stride=2).state_dict()
    )
    torch.save(content, site.folder / NAME)
    publish(site)
    message = rf"{NAME} holds no weights of resnet18 alone \(.+\): correct weights in data/sources"
    with pytest.raises(ValueError, match=message):
        stage.main()


def test_errors_an_unverified_file_is_not_even_read(site, monkeypatch):
    torch.save({}, site.folder / NAME)
    publish(site)
    (site.folder / NAME).write_bytes(b"x" * (site.folder / NAME).stat().st_size)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="cannot be downloaded"):
        stage.main()


@pytest.mark.parametrize("content", [None, b"x"], ids=["missing", "another"])
def test_errors_of_the_package_s_file(tmp_path, monkeypatch, content):
    settle("efficientnet-lite0")
    file = tmp_path / "packaged.pth"
    if content:
        file.write_bytes(content)
    found = hashlib.sha256(content).hexdigest() if content else "nothing"
    monkeypatch.setattr(weights, "PACKAGED", file)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    message = f"{file}: expected sha256 {weights.CHECKSUM}, found {found}: install efficientnet-"
    with pytest.raises(ValueError, match=message):
        stage.main()
    assert not OUTPUT.exists()
