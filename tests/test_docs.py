"""The examples of docs/ run, one after the other, and the site is built and searched."""

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import visibility_of_element_located as visible
from selenium.webdriver.support.ui import WebDriverWait

from dgmp.scans.scan import Scan
from dgmp.scribes import draw_scribe, write_page
from dgmp.search.described import describe_scan
from dgmp.search.index import Index
from pipeline.tools import lambda_figure
from tests.pipeline.browser import WIDTHS, needs_browser, open_browser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def run_examples(page: str) -> dict[str, Any]:
    """The names that the examples of a page leave, run one after the other."""
    names: dict[str, Any] = {}
    text = (DOCS / page).read_text(encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the ONNX exporter
        for example in re.findall(r"```python\n(.*?)```", text, re.S):
            exec(example, names)  # part of the project
    return names


def test_examples_of_the_start_run(capsys: pytest.CaptureFixture[str]) -> None:
    names = run_examples("index.md")
    assert tuple(names["descriptor"].shape) == (1, 512)
    assert names["network"].avgpool.pooling.lambda_.grad.isfinite()
    assert capsys.readouterr().out.endswith("torch.Size([1, 7, 7])\n")


def test_examples_of_the_choice_run() -> None:
    names = run_examples("choosing.md")
    assert [group["lr"] for group in names["optimizer"].param_groups] == [2e-4, 0.2]


def test_examples_of_exports_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_examples("speed.md")
    assert (tmp_path / "model.onnx").exists()
    assert names["pool"].lambda_.shape == (1,)


def test_examples_of_the_layer_run() -> None:
    names = run_examples("layer.md")
    assert tuple(names["scores"].shape) == (2, 1000)
    assert tuple(names["weights"].shape) == (2, 196)
    assert not names["weights"][1, 150:].any()
    assert tuple(names["relative"].shape) == (7, 9)
    assert tuple(names["by_patch"].shape) == (14, 14)
    assert names["page"].locations == 3 * 8 * 49
    assert tuple(names["page_descriptor"].shape) == (64,)
    shown = names["plt"].gca().images
    assert [picture.get_array().shape for picture in shown] == [(224, 288), (224, 288)]
    names["plt"].close()


def test_examples_of_the_evaluation_run() -> None:
    names = run_examples("evaluation.md")
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
    names = run_examples("search.md")
    assert names["hits"][0].page == 0
    assert len(names["index"].scans) == len(pages) + 1


def test_examples_of_the_integrations_run(capsys: pytest.CaptureFixture[str]) -> None:
    names = run_examples("integrations.md")
    text = (DOCS / "integrations.md").read_text(encoding="utf-8")
    assert f"print(done)  # {capsys.readouterr().out.strip()}\n" in text
    assert tuple(names["scores"].shape) == (2, 1000)
    groups = names["optimizer"].param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(2e-4, 1e-5), (0.2, 0)]
    assert tuple(names["descriptors"].shape) == tuple(names["sentences"].shape) == (2, 64)
    assert names["generalized_max_pool"](np, np.ones((2, 3, 4)), 1.0).shape == (2, 4)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a link, an anchor or a name that does not exist is an error."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_is_complete(site: Path) -> None:
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert pages <= {path.relative_to(site) for path in site.rglob("*.html")}
    # What pages link to outside docs/ is a part of it, and so are the public names.
    assert (site / "reports/benchmarks/pooling.html").exists()
    assert (site / "data/sources.yaml").read_bytes() == (ROOT / "data/sources.yaml").read_bytes()
    layer = (site / "api/layer.html").read_text(encoding="utf-8")
    assert all(f'id="dgmp.pooling.layers.{name}"' in layer for name in ("DGMP", "MaxPooling"))
    functions = (site / "api/functional.html").read_text(encoding="utf-8")
    assert "<math" in functions
    assert ":math:" not in functions
    assert "https://unpkg.com" not in functions


@needs_browser
def test_the_site_is_searched_from_the_disk_without_a_network(site: Path, tmp_path: Path) -> None:
    with open_browser(tmp_path) as browser:
        browser.set_window_size(1440, 900)
        browser.get((site / "index.html").as_uri())
        wait = WebDriverWait(browser, 60)
        box = wait.until(visible((By.CSS_SELECTOR, "input.md-search__input")))
        box.click()
        box.send_keys("conjugate")
        found = wait.until(visible((By.CSS_SELECTOR, ".md-search-result__item a")))
        assert ".html" in str(found.get_attribute("href"))
        assert not browser.get_log("browser")
        for width in WIDTHS:
            browser.set_window_size(width, 900)
            for page in ("index.html", "choosing.html", "api/layer.html"):
                browser.get((site / page).as_uri())
                wide = browser.execute_script(
                    "return document.documentElement.scrollWidth - innerWidth"
                )
                assert wide <= 0, (page, width)


def test_the_figure_of_lambda_is_that_of_its_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = lambda_figure.descriptors()[1]
    everything = np.concatenate(lambda_figure.descriptors())
    similar = [
        float((rare @ lambda_figure.pooled(everything, one)).mean()) for one in (0.01, 1, 100)
    ]
    assert similar[0] > similar[1] + 0.03 > similar[2] + 0.1
    monkeypatch.setattr(lambda_figure, "FILE", tmp_path / "lambda.svg")
    lambda_figure.main()
    assert b"<svg" in (tmp_path / "lambda.svg").read_bytes()


def test_linked_files_exist() -> None:
    for page in DOCS.rglob("*.md"):
        links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8"))
        assert not [link for link in links if not (page.parent / link).exists()], page


def test_the_table_of_frozen_features_is_that_of_the_benchmark() -> None:
    """Each row of docs/choosing.md has the mAP of the same pooling in the benchmark's tables."""
    report = (ROOT / "reports/benchmarks/networks.md").read_text(encoding="utf-8")
    measured: dict[str, list[str]] = {}
    for name, rest in re.findall(r"^\| ((?:Avg|Max|GeM|LSE|DGMP)[^|]*) \|(.*)\|$", report, re.M):
        values = [value.strip(" *") for value in rest.split("|")]
        measured.setdefault(name, []).extend([values[0], values[2]])
    page = (DOCS / "choosing.md").read_text(encoding="utf-8")
    assert len(measured) == 9
    for name, values in measured.items():
        (row,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", page, re.M)
        assert [value.strip(" *") for value in row.split("|")] == values, name
