"""What `dvc plots` is given: templates that keep revisions apart, in a page without a network."""

import json
import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from dvc_render.html import render_html
from dvc_render.vega import VegaRenderer

from pipeline.figures import CURVES
from pipeline.training.run import LOG_COLUMNS
from tests.pipeline.browser import CHROMIUM

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / ".dvc" / "plots"
PAGE = ROOT / ".dvc" / "plots.html"


@pytest.fixture
def rows(project) -> dict[str, list[dict]]:
    """Rows as DVC reads them, by template."""
    epochs = [
        dict.fromkeys(LOG_COLUMNS, f"{30 - e}.5") | {"seed": "0", "epoch": str(e)}
        for e in (1, 2, 3)
    ]
    drawn = {name: rows(project.params) for name, rows in CURVES.items()}
    return {"validation_error": drawn["curves"], "lambda": drawn["lambda"], "variant": epochs}


def test_smoke_each_plot_has_a_template():
    used = re.findall(r"template: (\w+)", (ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    assert sorted(used) == sorted(path.stem for path in TEMPLATES.iterdir())


def test_templates_use_columns_that_there_are(rows):
    for name, content in rows.items():
        text = (TEMPLATES / f"{name}.json").read_text(encoding="utf-8")
        assert json.loads(text)["data"]["values"] == "<DVC_METRIC_DATA>"
        fields = set(re.findall(r'"field": "(\w+)"', text))
        assert "rev" in fields
        assert fields - {"rev"} <= content[0].keys(), name


def marks(spec: dict, encoding: dict) -> list[tuple[str, dict]]:
    """All marks of a template, with what they encode."""
    encoding = encoding | spec.get("encoding", {})
    parts = (
        spec.get("layer", []) + spec.get("hconcat", []) + [spec[k] for k in ("spec",) if k in spec]
    )
    if not parts:
        mark = spec["mark"]
        return [(mark if isinstance(mark, str) else mark["type"], encoding)]
    return [found for part in parts for found in marks(part, encoding)]


@pytest.mark.parametrize("name", ["validation_error", "lambda", "variant"])
def test_revisions_are_not_merged(name):
    template = json.loads((TEMPLATES / f"{name}.json").read_text(encoding="utf-8"))
    found = marks(template, {})
    assert found
    for mark, encoding in found:
        if mark == "line":
            assert encoding["strokeDash"]["field"] == "rev"
        elif mark == "area":
            assert encoding["detail"]["field"] == "rev"
            # Bands would lie side by side, each shifted by the one before it.
            assert encoding["x"]["stack"] is None
        else:
            assert any(one["field"] == "rev" for one in encoding["tooltip"])


def test_page_holds_the_scripts_that_dvc_asks_for_and_their_licence():
    config = ConfigParser()
    config.read_string(re.sub(r"^\s+", "", (ROOT / ".dvc/config").read_text(), flags=re.M))
    assert config["plots"]["html_template"] == PAGE.name
    page = PAGE.read_text(encoding="utf-8")
    asked = re.findall(r"npm/([\w-]+)@([\d.]+)", VegaRenderer.SCRIPTS)
    assert re.findall(r"<!-- ([\w-]+) ([\d.]+) -->\n<script>", page) == asked
    assert "University of Washington Interactive Data Lab" in page
    assert "Redistributions of source code must retain" in page
    assert not re.search(r"<script[^>]*src=|<link", page)
    assert len(page.encode()) < 1_000_000


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_plots_of_two_revisions_are_drawn_in_a_browser_without_a_network(rows, tmp_path):
    renderers = [
        VegaRenderer(
            [row | {"rev": rev} for rev in ("HEAD", "workspace") for row in content],
            name,
            template=name,
            template_dir=str(TEMPLATES),
        )
        for name, content in rows.items()
    ]
    page = tmp_path / "plots.html"
    render_html(renderers, page, html_template=str(PAGE))
    assert CHROMIUM
    seen = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=10000",
            "--enable-logging=stderr",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert seen.stdout.count("<canvas") == len(renderers)
    said = [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
    # Vega tells that the schema names no patch version.
    assert all("spec uses Vega" in line for line in said), said
