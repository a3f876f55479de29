"""The examples of docs/ run, one after the other."""

import re
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dgmp.scans.scan import Scan
from dgmp.scribes import draw_scribe, write_page
from dgmp.search.described import describe_scan
from dgmp.search.index import Index

DOCS = Path(__file__).parents[1] / "docs"


def test_examples_of_the_layer_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "layer.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the ONNX exporter
        for example in re.findall(r"```python\n(.*?)```", text, re.S):
            exec(example, names)  # part of the project
    assert tuple(names["scores"].shape) == (2, 1000)
    assert tuple(names["weights"].shape) == (2, 196)
    assert not names["weights"][1, 150:].any()
    assert [group["lr"] for group in names["optimizer"].param_groups] == [2e-4, 0.2]
    assert (tmp_path / "model.onnx").exists()
    assert tuple(names["relative"].shape) == (7, 9)
    assert names["page"].locations == 3 * 8 * 49
    assert tuple(names["page_descriptor"].shape) == (64,)
    shown = names["plt"].gca().images
    assert [picture.get_array().shape for picture in shown] == [(224, 288), (224, 288)]
    names["plt"].close()


def test_examples_of_the_evaluation_run() -> None:
    text = (DOCS / "evaluation.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(example, names)  # part of the project
    assert names["pages"].shape == (1, 5)
    assert 0 < names["scores"].hard_top(3) < names["scores"].soft_top(5) <= 100
    assert names["low"] < names["difference"].mean() < names["high"]
    assert 0 < names["p"] < 0.05
    assert names["p_of_three"].tolist() == pytest.approx([3 * names["p"], 0.2, 0.08])


def test_examples_of_the_search_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    pages = []
    for _ in range(3):
        scribe = draw_scribe("Caroline", rng)
        pages += [write_page(scribe, rng, height=240, width=320, line_pitch=30) for _page in "ab"]
    scans = [Scan(f"{number}", Path(f"{number}.png")) for number in range(len(pages))]
    Index.fit(scans, [describe_scan(page) for page in pages]).save("reports/scans/scans/index")
    cv2.imwrite("fragment.jpg", pages[0])
    text = (DOCS / "search.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(example, names)  # part of the project
    assert names["hits"][0].page == 0
    assert len(names["index"].scans) == len(pages) + 1


def test_examples_of_the_integrations_run(capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / "integrations.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(example, names)  # part of the project
    assert f"print(done)  # {capsys.readouterr().out.strip()}\n" in text
    assert tuple(names["scores"].shape) == (2, 1000)
    groups = names["optimizer"].param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(2e-4, 1e-5), (0.2, 0)]
    assert tuple(names["descriptors"].shape) == tuple(names["sentences"].shape) == (2, 64)
    assert names["generalized_max_pool"](np, np.ones((2, 3, 4)), 1.0).shape == (2, 4)


def test_linked_files_exist() -> None:
    for page in DOCS.glob("*.md"):
        links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8"))
        assert not [link for link in links if not (page.parent / link).exists()], page
