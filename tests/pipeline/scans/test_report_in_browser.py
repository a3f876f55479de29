"""The report and the page of a query as a browser shows them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from dgmp.scans.scan import Scan
from pipeline.scans import picture_names, pictures
from pipeline.scans.query_page import Look, write_query_page
from pipeline.scans.report import write_report
from pipeline.scans.tables import readable
from tests.pipeline.browser import SCHEMES, WIDTHS, needs_browser, open_browser, show
from tests.pipeline.scans.conftest import CUTOFFS, HOSTILE, make_findings

pytestmark = needs_browser

# Each text with its colour and the colour behind it, both as seen; the lowest contrast of all.
CONTRAST = """
const light = c => {
  const v = c.map(x => (x /= 255) <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
  return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
const parts = c => c.match(/[\\d.]+/g).map(Number);
const behind = e => {
  for (; e; e = e.parentElement) {
    const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
return [...document.querySelectorAll("body *")].filter(e => e.checkVisibility()
    && !e.closest(":disabled, .hidden, .skip")
    && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
  const a = light(parts(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e).slice(0, 3));
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  return [ratio, e.tagName, e.className, e.textContent.slice(0, 30)];
}).sort((x, y) => x[0] - y[0])[0];
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture(scope="module")
def query(made_up, tmp_path_factory) -> Path:
    """The page of a query: page 0 of the made-up ones, sought among the others."""
    file = tmp_path_factory.mktemp("query") / "query.html"
    hits = made_up.findings.hits[0]
    evidence = {hit: one for (row, hit), one in made_up.findings.evidence.items() if row == 0}

    def look(row: int) -> Look:
        page = made_up.pages[row]
        spots = np.argwhere(page < 120)[:, ::-1]
        drawn = pictures.weight_map(spots, np.ones(len(spots)), page.shape)
        return Look(page.shape, pictures.preview(page), drawn)

    write_query_page(
        file,
        title=f"Query {HOSTILE[1]}",
        name=HOSTILE[0],
        look=look(0),
        hits=hits,
        scans=made_up.scans,
        looks={hit.page: look(hit.page) for hit in hits},
        evidence=evidence,
        letters={
            row: pictures.letter_pairs(one, made_up.pages[0], made_up.pages[row])
            for row, one in evidence.items()
        },
        cutoffs=CUTOFFS,
        about={"Index": HOSTILE[2]},
    )
    return file


def wait(browser: webdriver.Chrome, script: str) -> Any:
    return WebDriverWait(browser, 10, 0.05).until(lambda b: b.execute_script(script))


def assert_whole(browser: webdriver.Chrome, title: str) -> None:
    """No error, no missing picture, no foreign address, no script of a name."""
    browser.execute_script(
        "document.querySelectorAll('details').forEach(d => { d.open = true; });"
        "document.querySelectorAll('img').forEach(i => { i.loading = 'eager'; });"
    )
    wait(browser, "return [...document.images].every(i => i.complete)")
    missing = browser.execute_script(
        "return [...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
    )
    assert missing == []
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').map(r => r.name)"
    )
    assert [name for name in loaded if not name.startswith(("file:", "data:"))] == []
    assert browser.title == title
    assert browser.get_log("browser") == []


def assert_fits(browser: webdriver.Chrome, width: int) -> None:
    inner, client, scroll = browser.execute_script(
        "const e = document.documentElement; return [innerWidth, e.clientWidth, e.scrollWidth]"
    )
    assert inner == width
    assert scroll == client


def scan_names(scans) -> list[str]:
    return [readable(scan.name) for scan in scans]


def names(browser: webdriver.Chrome) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll('.page h3')].map(h => h.textContent)"
    )


@pytest.fixture(params=[(w, s) for w in WIDTHS for s in SCHEMES], ids=lambda p: f"{p[0]}-{p[1]}")
def look(request) -> tuple[int, str]:
    return request.param


def test_the_report_is_whole_readable_and_fits(browser, report, look):
    width, scheme = look
    show(browser, (report / "index.html").as_uri(), width, scheme)
    assert_whole(browser, f"Report {HOSTILE[0]}")
    assert_fits(browser, width)
    ratio, *where = browser.execute_script(CONTRAST)
    assert ratio >= 4.5, where
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) > 384) == (scheme == "light")


def test_the_evidence_is_whole_readable_and_fits(browser, report, look):
    width, scheme = look
    show(browser, (report / "index.html").as_uri(), width, scheme)
    browser.execute_script("document.querySelector('.hit').click()")
    wait(browser, "return document.querySelectorAll('#letters li').length")
    browser.find_element(By.ID, "show-weights").click()
    assert_whole(browser, f"Report {HOSTILE[0]}")
    assert_fits(browser, width)
    ratio, *where = browser.execute_script(CONTRAST)
    assert ratio >= 4.5, where
    over = browser.execute_script(
        "const d = document.getElementById('compare'); return d.scrollWidth - d.clientWidth"
    )
    assert over == 0


def test_the_page_of_a_query_is_whole_readable_and_fits(browser, query, look):
    width, scheme = look
    show(browser, query.as_uri(), width, scheme)
    browser.find_element(By.CSS_SELECTOR, ".pair .open").click()
    wait(browser, "return document.querySelectorAll('#letters li').length == 6")
    assert_whole(browser, f"Query {HOSTILE[1]}")
    assert_fits(browser, width)
    assert browser.execute_script("return document.querySelectorAll('.dot').length") == 12
    ratio, *where = browser.execute_script(CONTRAST)
    assert ratio >= 4.5, where


def test_the_evidence_of_a_pair_shows_its_numbers(browser, report, made_up):
    show(browser, (report / "index.html").as_uri())
    hit = made_up.findings.hits[0][0]
    browser.execute_script("document.querySelector('.hit').click()")
    wait(browser, "return document.querySelectorAll('#letters li').length == 6")
    title = browser.find_element(By.ID, "compare-title").text
    assert title.startswith(made_up.scans[0].name)
    assert made_up.scans[hit.page].name in title
    verdict = browser.find_element(By.ID, "compare-verdict").text
    assert hit.grade in verdict
    assert f"score {hit.score:.2f}" in verdict
    # A numbered place stands over the place of the evidence.
    evidence = made_up.findings.evidence[0, hit.page]
    found = browser.execute_script(
        """return [...document.querySelectorAll("#leaves .frame")].map(f => {
            const box = f.getBoundingClientRect();
            const r = f.querySelector("rect").getBoundingClientRect();
            return [(r.left + r.width / 2 - box.left) / box.width,
                (r.top + r.height / 2 - box.top) / box.height];
        })"""
    )
    assert np.allclose(found, evidence.places[0] / [220, 300], atol=0.01)


def test_evidence_drawn_for_the_other_direction_is_turned(browser, report, made_up):
    findings = made_up.findings
    row, hit = next((a, b) for a, b in findings.evidence if (b, a) not in findings.evidence)
    show(browser, (report / "index.html").as_uri())
    assert browser.execute_script(
        "const d = JSON.parse(document.getElementById('data').textContent);"
        f"return d.other[{hit}].filter((_, at) => at % 4 === 0).indexOf({row})"
    ) >= 0  # fmt: skip
    browser.execute_script(f"location.hash = 'p{hit}'")
    wait(browser, f"return document.querySelector('#p{hit}.here')")
    place = [one.page for one in findings.hits[hit]].index(row)
    browser.execute_script(f"document.querySelectorAll('#p{hit} .hit')[{place}].click()")
    wait(browser, "return document.querySelectorAll('#letters li').length == 6")
    tops = browser.execute_script(
        "return [...document.querySelectorAll('#letters li:first-child img')].map(i => i.style.top)"
    )
    assert tops == ["-100%", "0%"]  # of the strip's two lines the lower stands first
    left = browser.execute_script("return parseFloat(document.querySelector('.dot').style.left)")
    assert left == pytest.approx(100 * findings.evidence[row, hit].places[0, 1, 0] / 220, abs=0.1)


def test_the_keyboard_opens_turns_and_closes_the_evidence(browser, report):
    show(browser, (report / "index.html").as_uri())
    keys = webdriver.ActionChains(browser)
    keys.send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element.text == "Skip to the content"
    stops = []
    for _ in range(60):
        webdriver.ActionChains(browser).send_keys(Keys.TAB).perform()
        element = browser.switch_to.active_element
        stops.append((element.tag_name, element.get_attribute("class")))
        width = browser.execute_script(
            "return parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
        )
        assert width >= 2, stops[-1]
        if stops[-1] == ("button", "hit"):
            break
    assert stops[-1] == ("button", "hit")
    first = element.get_attribute("title")
    element.send_keys(Keys.ENTER)
    wait(browser, "return document.getElementById('compare').open")
    title = browser.find_element(By.ID, "compare-title")
    assert first in title.text
    webdriver.ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    assert first not in title.text
    webdriver.ActionChains(browser).send_keys(Keys.ARROW_LEFT).perform()
    assert first in title.text
    webdriver.ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    wait(browser, "return !document.getElementById('compare').open")
    assert browser.switch_to.active_element.get_attribute("title") == first


def test_filters_and_jumps(browser, report, made_up):
    show(browser, (report / "index.html").as_uri())
    assert len(names(browser)) == 12
    browser.execute_script("document.querySelector('.turn-after').click()")
    assert names(browser) == scan_names(made_up.scans[12:])
    find = browser.find_element(By.ID, "find")
    find.send_keys("f01 CODEX")
    expected = [s.name for s in made_up.scans if "f01" in s.name and "codex" in s.codex.lower()]
    assert names(browser) == expected
    find.send_keys("nowhere")
    assert names(browser) == []
    assert "change the filter" in browser.find_element(By.CSS_SELECTOR, ".found").text
    browser.execute_script("location.hash = '#p23'")  # hidden by the filter
    wait(browser, "return document.activeElement.id === 'p23'")
    jump = browser.find_element(By.ID, "jump")
    jump.send_keys(made_up.scans[2].name, Keys.ENTER)
    wait(browser, "return document.activeElement.id === 'p2'")


def test_filters_by_codex_and_grade_and_shows_all(browser, report, made_up):
    show(browser, (report / "index.html").as_uri())

    def choose(name: str, value: int | str) -> None:
        browser.execute_script(
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "e.dispatchEvent(new Event('change'))", name, str(value),
        )  # fmt: skip

    choose("of-codex", 2)
    assert names(browser) == scan_names(made_up.scans[16:])
    choose("of-codex", "")
    choose("of-grade", 0)
    likely = [
        readable(scan.name)
        for scan, hits in zip(made_up.scans, made_up.findings.hits, strict=True)
        if hits[0].grade == "same hand likely"
    ]
    assert 0 < len(likely) < 24
    assert names(browser) == likely[:12]
    choose("of-grade", "")
    browser.execute_script("document.querySelector('[name=scope][value=all]').click()")
    titles = browser.execute_script(
        "return [...document.querySelectorAll('#p0 .hit')].map(b => b.title)"
    )
    assert titles == scan_names(
        made_up.scans[hit.page] for hit in made_up.findings.hits_everywhere[0]
    )


def test_the_theme_is_chosen(browser, report):
    show(browser, (report / "index.html").as_uri(), 1440, "light")
    grounds = []
    for _ in range(3):
        browser.find_element(By.ID, "theme").click()
        grounds.append(
            browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        )
    light, dark, auto = grounds
    assert light == auto != dark


def test_without_a_script_the_findings_are_read(browser, report, made_up):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, (report / "index.html").as_uri())
        text = browser.find_element(By.ID, "content").text
        assert not browser.find_element(By.ID, "filters").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "24 pages compared" in text.replace("\n", " ")
    assert "Hand 1" in text
    for scan, hits in zip(made_up.scans, made_up.findings.hits, strict=True):
        if scan.name.isascii():
            near = made_up.scans[hits[0].page].name
            assert f"{scan.name}: nearest is {near}".replace("  ", " ")[:40] in text


def test_of_two_thousand_pages_twelve_are_drawn_at_a_time(browser, tmp_path, made_up):
    rng = np.random.default_rng(1)
    n = 2000
    codex = [f"Codex {row // 100:02d}" for row in range(n)]
    findings = make_findings(
        codex, np.repeat(rng.integers(0, 300, n // 10), 10), rng, with_evidence=0
    )
    one = tmp_path / "one.webp"
    one.write_bytes(pictures.thumbnail(made_up.pages[0]))
    for kind in ("thumbs", "pages"):
        (tmp_path / kind).mkdir()
    for row in range(n):
        os.link(one, tmp_path / picture_names.thumb(row))
    scans = [Scan(f"{c}/folio {row:04d}.png", one, codex=c) for row, c in enumerate(codex)]
    write_report(
        tmp_path, title="Many", scans=scans, shapes=[(300, 220)] * n, too_little=[], refused=[],
        findings=findings, about={},
    )  # fmt: skip
    show(browser, (tmp_path / "index.html").as_uri())
    assert len(names(browser)) == 12
    loaded = "return [...document.images].filter(i => i.complete && i.naturalWidth).length"
    assert 12 <= browser.execute_script(loaded) < 300
    browser.execute_script("location.hash = '#p1777'")
    wait(browser, "return document.activeElement.id === 'p1777'")
    browser.find_element(By.ID, "find").send_keys("0042")
    assert names(browser) == ["Codex 00/folio 0042.png"]
    assert browser.get_log("browser") == []
    assert_fits(browser, 1440)
