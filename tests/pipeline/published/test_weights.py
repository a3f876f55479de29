"""The ImageNet weights: downloaded, verified, and never unpickled beyond tensors."""

import hashlib
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torchvision.models import resnet50

from dgmp.learning.models import build_backbone
from pipeline import pretrain
from tests.rehearsal.server import Site, serve

ROOT = Path(__file__).parents[3]
NAME = "resnet50-0676ba61.pth"


class Opened:
    """Leaves a trace if it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("unpickled"),)


def settle(site: Site) -> None:
    """Settings and sources of the current directory, for the file that the site has."""
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    Path("params.yaml").write_text(yaml.safe_dump(settings | {"profile": "paper"}))
    sources = yaml.safe_load((ROOT / "data" / "sources.yaml").read_text(encoding="utf-8"))
    data = (site.folder / NAME).read_bytes()
    sources["files"][NAME] |= {
        "urls": [site.url(NAME)],
        "bytes": len(data),
        "checksum": f"sha256:{hashlib.sha256(data).hexdigest()}",
    }
    Path("data").mkdir(exist_ok=True)
    Path("data/sources.yaml").write_text(yaml.safe_dump(sources))


@pytest.fixture
def site(tmp_path, monkeypatch) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DGMP_MIRROR", raising=False)
    (tmp_path / "site").mkdir()
    with serve(tmp_path / "site") as site:
        yield site


def test_smoke_weights_of_resnet50_become_the_starting_weights(site):
    torch.manual_seed(0)
    published = resnet50()
    torch.save(published.state_dict(), site.folder / NAME)
    site.break_off = {NAME}
    settle(site)
    pretrain.main()
    assert len(site.asked_for(NAME)) == 2
    backbone = build_backbone("resnet50", 64, last_stride=2)
    backbone.load_state_dict(load_file("data/paper/pretrain/weights.safetensors"))
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        volume = backbone.eval()(image)
        published.fc = torch.nn.Identity()
        pooled = published.eval()(image.expand(-1, 3, -1, -1))
    torch.testing.assert_close(volume.mean((2, 3)), pooled)


def test_errors_a_pickle_is_not_opened(site):
    (site.folder / NAME).write_bytes(pickle.dumps({"conv1.weight": Opened()}, protocol=2))
    settle(site)
    with pytest.raises(ValueError, match=f"{NAME} holds no weights of ResNet-50 alone"):
        pretrain.main()
    assert not Path("unpickled").exists()
    assert not Path("data/paper/pretrain/weights.safetensors").exists()


def test_errors_weights_of_another_network(site):
    torch.save({"conv1.weight": torch.zeros(1)}, site.folder / NAME)
    settle(site)
    with pytest.raises(ValueError, match=f"{NAME} holds no weights of ResNet-50 alone"):
        pretrain.main()


def test_errors_an_unverified_file_is_not_even_read(site, monkeypatch):
    torch.save({}, site.folder / NAME)
    settle(site)
    (site.folder / NAME).write_bytes(b"x" * (site.folder / NAME).stat().st_size)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="cannot be downloaded"):
        pretrain.main()
