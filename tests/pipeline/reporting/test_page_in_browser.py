"""The report as a browser shows it: narrow and wide, light and dark."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver

from pipeline import report, tables
from pipeline.shared.settings.params import load_params
from tests.pipeline.browser import SCHEMES, WIDTHS, needs_browser, open_browser, show
from tests.pipeline.reporting.test_report import draw_picture

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture(scope="module")
def page(made_and_scored, tmp_path_factory) -> Iterator[str]:
    folder = shutil.copytree(made_and_scored, tmp_path_factory.mktemp("page"), dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        reports = load_params().reports
        tables.main()
        draw_picture(reports / "figures" / "figure4.png", 60, 90)
        drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"/>'
        (reports / "figures" / "figure4.svg").write_text(drawing, encoding="utf-8")
        draw_picture(reports / "figures" / "figure8.png", 600, 900)
        report.main()
        yield (folder / reports / "index.html").as_uri()


@pytest.fixture(params=[(w, s) for w in WIDTHS for s in SCHEMES], ids=lambda p: f"{p[0]}-{p[1]}")
def shown(request, browser, page) -> tuple[Any, int, str]:
    width, scheme = request.param
    show(browser, page, width, scheme)
    return browser, width, scheme


def test_no_errors_and_no_missing_pictures(shown):
    browser, _, _ = shown
    assert browser.get_log("browser") == []
    sizes = browser.execute_script(
        "return [...document.images].map(i => [i.complete, i.naturalWidth, i.clientWidth])"
    )
    assert len(sizes) == 2
    assert all(complete and natural > 0 and width > 0 for complete, natural, width in sizes)
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').map(r => r.name)"
    )
    assert [name[:40] for name in loaded if not name.startswith("data:")] == []


def test_the_page_itself_does_not_scroll_sideways(shown):
    browser, width, _ = shown
    inner, client, scroll = browser.execute_script(
        "const e = document.documentElement; return [innerWidth, e.clientWidth, e.scrollWidth]"
    )
    assert inner == width
    assert scroll == client  # a bar for scrolling downwards may take some of the width


def test_tables_are_readable(shown):
    browser, width, _ = shown
    found = browser.execute_script(
        """return [...document.querySelectorAll("table")].map(t => {
            const box = t.closest(".scroll"), b = box.getBoundingClientRect();
            const size = parseFloat(getComputedStyle(t).fontSize);
            const cells = [...t.querySelectorAll("td, th")];
            box.scrollLeft = 1e6;
            const last = t.rows[t.rows.length - 1].lastElementChild.getBoundingClientRect();
            const head = t.tBodies[0].rows[0].cells[0].getBoundingClientRect();
            const hidden = cells.some(c => c.scrollWidth > c.clientWidth + 1);
            box.scrollLeft = 0;
            return {size, hidden, left: b.left, right: b.right, last: last.right, head: head.left};
        })"""
    )
    assert len(found) > 8
    for table in found:
        assert table["size"] >= 12
        assert not table["hidden"]
        assert table["left"] >= 0
        assert table["right"] <= width
        assert table["last"] <= table["right"] + 1  # reached by scrolling within the box
        assert abs(table["head"] - table["left"]) <= 1  # the label of the row stays in sight


def test_wide_screens_show_the_tables_whole(browser, page):
    show(browser, page, 1440, "light")
    cut = browser.execute_script(
        "return [...document.querySelectorAll('.scroll:has(table)')]"
        ".filter(b => b.scrollWidth > b.clientWidth).map(b => b.ariaLabel)"
    )
    assert cut == []


def test_colours_follow_the_scheme(shown):
    browser, _, scheme = shown
    ground, text, card = browser.execute_script(
        "const c = (s, k) => getComputedStyle(document.querySelector(s))[k];"
        "return [c('body', 'backgroundColor'), c('body', 'color'),"
        " c('figure .scroll', 'backgroundColor')]"
    )
    light = {
        name: sum(map(int, value[4:-1].split(","))) > 384
        for name, value in (("ground", ground), ("text", text))
    }
    assert light == {"ground": scheme == "light", "text": scheme == "dark"}
    assert card == "rgb(255, 255, 255)"


def test_narrow_screens_show_tables_of_text_whole(browser, page):
    show(browser, page, 390, "light")
    edges = browser.execute_script(
        """return [...document.querySelectorAll("table.text td, table.text tbody th")].map(c => {
            const box = c.getBoundingClientRect();
            return [box.left, box.right, c.scrollWidth - c.clientWidth];
        })"""
    )
    assert len(edges) > 100
    assert all(left >= 0 and right <= 390 and over <= 1 for left, right, over in edges)


def test_narrow_screens_say_that_figures_are_wider(browser, page):
    found = {}
    for width in WIDTHS:
        show(browser, page, width, "light")
        found[width] = browser.execute_script(
            """const f = document.querySelector("figure"), box = f.querySelector(".scroll");
            return [box.scrollWidth > box.clientWidth, getComputedStyle(f, "::before").content]"""
        )
    wider, hint = found[390]
    assert wider
    assert "scroll sideways" in hint
    assert found[1440] == [False, "none"]


def test_text_and_tables_stand_in_the_middle_of_wide_screens(browser, page):
    show(browser, page, 1440, "light")
    margins = browser.execute_script(
        """const width = document.documentElement.clientWidth;
        return [...document.querySelectorAll("section > *, header > *")].map(e => {
            const box = e.getBoundingClientRect();
            return [box.left, width - box.right];
        })"""
    )
    assert all(abs(left - right) <= 2 for left, right in margins)


def test_no_heading_stands_alone_at_the_foot_of_a_printed_page(browser, page):
    show(browser, page, 1440, "light")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    found = browser.execute_script(
        """return [...document.querySelectorAll("h2, h3, h2 + p, p.note, dt")].map(
            e => [e.textContent.trim(), getComputedStyle(e).breakAfter])"""
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert len(found) > 20
    assert {breaks for text, breaks in found if not text.startswith("Made by")} == {"avoid"}
