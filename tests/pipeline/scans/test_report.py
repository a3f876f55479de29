"""What the report says is what the findings say, whatever the names are."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from dgmp.scans.scan import Scan
from dgmp.search.findings import Findings, Hit
from pipeline.scans import content, picture_names
from pipeline.scans.page import script_json
from pipeline.scans.report import write_report
from pipeline.scans.tables import readable
from tests.pipeline.scans.conftest import CODICES, CUTOFFS, HANDS, HOSTILE, make_findings


class Elements(HTMLParser):
    """Elements with attributes, and the text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements, self.text, self.within = [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.within = tag if tag in ("script", "style") else ""

    def handle_data(self, data):
        if not self.within:
            self.text.append(data)

    def handle_endtag(self, tag):
        self.within = ""

    def counts(self) -> dict[str, int]:
        return {tag: sum(t == tag for t, _ in self.elements) for tag, _ in self.elements}


@pytest.fixture(scope="module")
def page(report) -> str:
    return (report / "index.html").read_text(encoding="utf-8")


def data_of(page: str) -> dict:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1]
    )


def test_the_summary_counts_what_the_findings_hold(page, made_up):
    counts = [int(n) for n in re.findall(r"<li><b>([\d,]+)</b>", page)]
    findings = made_up.findings
    codex = [scan.codex for scan in made_up.scans]
    likely = [
        (codex[a], codex[b])
        for a, b in combinations(range(24), 2)
        if codex[a] != codex[b] and findings.scores[a, b] >= CUTOFFS.likely
    ]
    assert counts == [24, 3, findings.groups.max() + 1, len(likely)]
    assert f"across {len(set(likely))} pairs of codices" in page


def test_the_script_reads_the_hits_of_the_findings(page, made_up):
    data = data_of(page)
    assert data["names"] == [readable(scan.name) for scan in made_up.scans]
    for key, hits in (("other", made_up.findings.hits), ("all", made_up.findings.hits_everywhere)):
        for flat, of_row in zip(data[key], hits, strict=True):
            assert flat[::4] == [hit.page for hit in of_row]
            assert flat[1::4] == pytest.approx([hit.score for hit in of_row], abs=1e-3)
            assert flat[2::4] == pytest.approx([hit.place for hit in of_row], abs=1e-4)
            assert [data["grades"][at] for at in flat[3::4]] == [hit.grade for hit in of_row]


def test_first_pairs_are_the_nearest_with_no_page_twice(made_up):
    pairs = content.first_pairs(made_up.scans, made_up.findings.hits, made_up.findings.evidence)
    pages = [row for pair in pairs for row in (pair.row, pair.hit.page)]
    assert len(pages) == len(set(pages)) == 2 * len(pairs) > 4
    best = max(hit.score for hits in made_up.findings.hits for hit in hits)
    assert pairs[0].hit.score == best
    assert all(pair.hit.grade != "no match here" for pair in pairs)
    assert all((pair.row, pair.hit.page) in made_up.findings.evidence for pair in pairs)


def test_a_pair_is_turned_to_its_evidence(made_up):
    hits = [[Hit(1, 0.9, 1.0, "same hand likely")], []]
    (pair,) = content.first_pairs(made_up.scans[6:10:3], hits, {(1, 0)})
    assert (pair.row, pair.hit) == (1, Hit(0, 0.9, 1.0, "same hand likely"))


def test_hands_hold_each_page_of_a_group_once(made_up):
    hands = content.suggested_hands(made_up.scans, made_up.findings)
    groups = made_up.findings.groups
    assert [sorted(hand.rows) for hand in hands] == [
        np.flatnonzero(groups == g).tolist() for g in range(groups.max() + 1)
    ]
    for hand in hands:
        assert all(
            made_up.scans[row].codex == codex
            for codex, rows in hand.codices.items()
            for row in rows
        )


def test_changes_of_hand_stand_between_their_pages(page, made_up):
    for codex in made_up.findings.codices:
        for change, at in zip(content.changes(codex), codex.changes, strict=True):
            assert (change.before, change.after) == (codex.pages[at - 1], codex.pages[at])
            assert f'data-pair="{change.before},{change.after}"' in page


def test_evidence_is_in_shares_of_the_page(report, made_up):
    (row, hit), evidence = next(iter(made_up.findings.evidence.items()))
    script = (report / "evidence" / f"{row:05d}.js").read_text(encoding="utf-8")
    read = json.loads(re.fullmatch(rf"evidenceOf\({row},(.*)\)\n", script)[1])[str(hit)]
    size = np.array([220, 300, 220])
    for line, places, sizes, share in zip(
        read, evidence.places, evidence.sizes, evidence.shares, strict=True
    ):
        for side in (0, 1):
            expected = np.append(places[side], sizes[side]) / size
            assert line[3 * side : 3 * side + 3] == pytest.approx(expected.tolist(), abs=1e-4)
        assert line[6] == pytest.approx(float(share), abs=1e-4)


def test_names_stay_text(page):
    found = Elements(page)
    text = "".join(found.text)
    for hostile in HOSTILE[:3]:
        assert hostile in text
    counts = found.counts()
    assert counts["script"] == 2
    assert counts["title"] == 1
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert "style" not in attributes, tag
    assert all(codex in text for codex in CODICES)


def test_pictures_of_the_page_are_those_in_the_folder(page, report, made_up):
    sources = {a["src"] for tag, a in Elements(page).elements if tag == "img"}
    assert sources
    assert all((report / source).is_file() for source in sources)
    assert {picture_names.thumb(row) for row in range(24)} <= sources


def test_no_address_leads_off_the_disk(page):
    for tag, attributes in Elements(page).elements:
        for name in ("src", "href"):
            assert "//" not in attributes.get(name, ""), tag


def test_json_cannot_close_its_element():
    text = script_json({"n": HOSTILE})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["n"] == list(HOSTILE)
    with pytest.raises(ValueError, match="JSON compliant"):
        script_json([float("nan")])


def empty(n: int) -> Findings:
    return Findings(
        np.full((n, n), np.nan, np.float32), CUTOFFS, [[]] * n, [[]] * n, np.full(n, -1),
        np.empty((0, 4)), [],
    )  # fmt: skip


@pytest.mark.parametrize("n", [0, 1])
def test_a_report_of_hardly_any_page_says_so(tmp_path, n):
    scans = [Scan("only.png", Path("only.png"))] * n
    write_report(
        tmp_path, title="None", scans=scans, shapes=[(10, 10)] * n, too_little=[], refused=[],
        findings=empty(n), about={},
    )  # fmt: skip
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f"<b>{n}</b> page" in page


def test_one_codex_shows_all_neighbours(tmp_path):
    rng = np.random.default_rng(0)
    scans = [Scan(f"f{i}", Path("x"), codex="one", order=i) for i in range(24)]
    findings = make_findings(["one"] * 24, HANDS, rng)
    write_report(
        tmp_path, title="One", scans=scans, shapes=[(300, 220)] * 24, too_little=[], refused=[],
        findings=replace(findings, quality=[]), about={},
    )  # fmt: skip
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "suggested changes of hand" in page
    assert "different codices" not in page
    assert 'value="all" checked' in page
    assert "No hand of these pages was given as known" in page


def test_scans_of_other_number_than_findings_are_refused(tmp_path, made_up):
    with pytest.raises(ValueError, match="23 scans, 24 shapes and findings about 24 pages"):
        write_report(
            tmp_path, title="", scans=made_up.scans[:-1], shapes=made_up.shapes, too_little=[],
            refused=[], findings=made_up.findings, about={},
        )  # fmt: skip
